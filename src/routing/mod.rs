//! Which CRM must hear of a change, and how soon.
//!
//! In: what one piece of evidence made of one lead, and the targets. Out: operations that are wanted. It runs
//! within the transaction that changes the lead, so that no change is ever without its job; what is written is
//! worked out later, when the operation is due.

use crate::config::{Config, Target};
use jiff::Timestamp;
use wabridge_model::{OperationKind, Priority};

/// Where changes go, as configured now.
#[derive(Debug, Clone, Default)]
pub struct Routes {
    /// Every target, whatever its mode: what is paused waits.
    pub targets: Vec<Target>,
}

impl Routes {
    /// The routes of a configuration.
    #[must_use]
    pub fn new(config: &Config) -> Routes {
        Routes { targets: config.targets.clone() }
    }
}

/// An operation that a change asks for. Asked for again before it is written, it is one operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Want {
    /// The target.
    pub target: String,
    /// The operation.
    pub kind: OperationKind,
    /// What of the lead it is about: empty for the person, the conversation's id, the deal's key.
    pub subject: String,
    /// How soon.
    pub priority: Priority,
    /// Not before.
    pub due_at: Timestamp,
    /// The trace of the event that asks for it.
    pub trace_id: String,
}
