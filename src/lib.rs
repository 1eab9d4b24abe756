//! The `wabridge` daemon: carries WhatsApp Business webhooks into CRMs.
//!
//! The modules in the order of the flow: [`config`] (what the operator says), [`clock`] and [`fault`],
//! [`store`] (what is kept), [`inbox`] (requests and what they mean), [`leads`] (lead state and what
//! people ask of it), [`insight`] (what of it is worth telling a CRM), [`routing`] (which CRM must hear of a
//! change), [`outbox`] (what is due is carried there), [`report`] (tables for spreadsheets), [`telemetry`]
//! (what the operator reads),
//! [`alerts`] (who is told when something is wrong), [`web`] (the routes), [`control`] (commands to a
//! running daemon), [`runtime`] (start,
//! workers, stop), [`cli`] (what the operator asks) and [`exit`] (how a command ends).

pub mod alerts;
pub mod cli;
pub mod clock;
pub mod config;
pub mod control;
pub mod delivery;
pub mod exit;
pub mod fault;
pub mod inbox;
pub mod insight;
pub mod leads;
pub mod outbox;
pub mod report;
pub mod routing;
pub mod runtime;
pub mod store;
pub mod telemetry;
pub mod web;
