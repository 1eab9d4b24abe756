//! The words wabridge shares, and the pure rules over them. No I/O, no async, no clock.
//!
//! Read in this order: [`phone`], [`country`] and [`id`] (who), [`event`] and [`chatbot`] (what happened),
//! [`evidence`] (what was reported of it), [`cluster`] and [`lead`] (what follows for whom), [`window`],
//! [`attribution`] and [`consent`] (what people ask about a lead), [`operation`] and [`failure`] (what is asked
//! of a CRM, and what went wrong).

pub mod attribution;
pub mod chatbot;
pub mod cluster;
pub mod consent;
pub mod country;
pub mod event;
pub mod evidence;
pub mod failure;
pub mod id;
pub mod lead;
pub mod operation;
pub mod phone;
pub mod reading;
pub mod window;

pub use country::Country;
pub use failure::{Failure, FailureKind};
pub use operation::{MatchedBy, OperationKind, Priority, RecordRef};
pub use phone::{Phone, PhoneError};
