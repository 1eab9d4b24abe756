//! What went wrong with an operation, in the words that decide what happens next.
//!
//! An adapter classifies; it never retries. The outbox alone decides what follows from a kind.

use crate::operation::RecordRef;
use std::fmt;
use std::time::Duration;

/// What sort of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailureKind {
    /// Too many requests, whatever status the CRM says it with.
    Throttle,
    /// The CRM is not there: 5xx, or it was not reached. Nothing was applied.
    Down,
    /// The token is not, or no longer, good.
    Auth,
    /// The CRM's fields, pipelines or rules are not what they were.
    Drift,
    /// The record exists already; see [`Failure::existing`].
    Conflict,
    /// The record is gone.
    Vanished,
    /// The CRM will never take this.
    Invalid,
    /// It was sent, and no answer says whether it was applied.
    Unknown,
    /// It was not tried, since what comes before it in the bundle failed.
    Waiting,
}

impl FailureKind {
    /// The name in causes, rows and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            FailureKind::Throttle => "throttle",
            FailureKind::Down => "down",
            FailureKind::Auth => "auth",
            FailureKind::Drift => "drift",
            FailureKind::Conflict => "conflict",
            FailureKind::Vanished => "vanished",
            FailureKind::Invalid => "invalid",
            FailureKind::Unknown => "unknown",
            FailureKind::Waiting => "waiting",
        }
    }
}

/// A classified failure. It carries names and codes of the CRM, never a value of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What sort.
    pub kind: FailureKind,
    /// The CRM's own word for it (`VALIDATION_ERROR`), or ours where it has none (`timeout`).
    pub code: String,
    /// The HTTP status, where there was an answer.
    pub status: Option<u16>,
    /// The CRM's field that is at fault, where it names one.
    pub field: Option<String>,
    /// How long the CRM asks to be left alone.
    pub retry_after: Option<Duration>,
    /// The record that is in the way of a [`FailureKind::Conflict`], or that took the place of a
    /// [`FailureKind::Vanished`] one.
    pub existing: Option<RecordRef>,
}

impl Failure {
    /// A failure of this kind.
    #[must_use]
    pub fn new(kind: FailureKind, code: impl Into<String>) -> Failure {
        Failure { kind, code: code.into(), status: None, field: None, retry_after: None, existing: None }
    }

    /// What was not tried because of what failed before it.
    #[must_use]
    pub fn waiting() -> Failure {
        Failure::new(FailureKind::Waiting, "not_tried")
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.as_str(), self.code)?;
        if let Some(field) = &self.field {
            write!(f, " (field {field})")?;
        }
        self.status.map_or(Ok(()), |status| write!(f, " [{status}]"))
    }
}

impl std::error::Error for Failure {}
