//! The `wabridge` daemon: carries WhatsApp Business webhooks into CRMs.
//!
//! Read in this order: [`config`] (what the operator says), [`cli`] (what the operator asks),
//! [`exit`] (how a command ends), [`telemetry`] (what the operator reads).

pub mod cli;
pub mod config;
pub mod exit;
pub mod telemetry;
