//! What may be asked of a CRM, how soon, and what a finished operation is known by.

use serde::{Deserialize, Serialize};
use std::fmt;

/// An operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationKind {
    /// Create the person's record or bring it up to date. Before all others of a lead.
    Person,
    /// Obey one part of what a chatbot instructs that is neither the person nor a deal: whose they are to be, and as
    /// which object.
    Instruction,
    /// Log a conversation.
    Activity,
    /// Create a deal.
    Deal,
    /// Ask a person to do something now: who wants a demo is to be called.
    Task,
}

impl OperationKind {
    /// Every kind, in the order in which those of one lead are written.
    pub const ALL: [OperationKind; 5] = [
        OperationKind::Person,
        OperationKind::Instruction,
        OperationKind::Activity,
        OperationKind::Deal,
        OperationKind::Task,
    ];

    /// The name in rows, answers and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            OperationKind::Person => "person",
            OperationKind::Instruction => "instruction",
            OperationKind::Activity => "activity",
            OperationKind::Deal => "deal",
            OperationKind::Task => "task",
        }
    }
}

/// How soon an operation must be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// At once, and before what is merely urgent: an ad brought the lead, or the bot holds it qualified.
    First,
    /// At once.
    Urgent,
    /// With the next bulk delivery.
    Bulk,
}

impl Priority {
    /// `urgent` or `bulk`: the order within urgent is nobody's contract.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Priority::First | Priority::Urgent => "urgent",
            Priority::Bulk => "bulk",
        }
    }
}

/// How the record of a person was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MatchedBy {
    /// Written before, by us.
    LocalMap,
    /// By our own unique field.
    UniqueKey,
    /// By a phone field of the CRM.
    Phone,
    /// By the business-scoped user id.
    Bsuid,
    /// By the e-mail address.
    Email,
    /// Nobody was there.
    Created,
}

impl MatchedBy {
    /// The name in rows and answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            MatchedBy::LocalMap => "local_map",
            MatchedBy::UniqueKey => "unique_key",
            MatchedBy::Phone => "phone",
            MatchedBy::Bsuid => "bsuid",
            MatchedBy::Email => "email",
            MatchedBy::Created => "created",
        }
    }
}

/// A record in a CRM.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RecordRef {
    /// The kind of record, by our word: `contact`, `lead`, `activity`, `deal`, `task`.
    pub object: String,
    /// The CRM's id.
    pub id: String,
}

impl RecordRef {
    /// A record of this kind and id.
    #[must_use]
    pub fn new(object: impl Into<String>, id: impl Into<String>) -> RecordRef {
        RecordRef { object: object.into(), id: id.into() }
    }
}

impl fmt::Display for RecordRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.object, self.id)
    }
}
