//! What is written where: a CRM's field, and our path to its value.
//!
//! In: a configured mapping and the facts of a lead. Out: the value, or nothing. Who may overwrite what is
//! said here and decided by the outbox, which knows what stands in the record.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A value on its way to a CRM. How it is spelt there is the adapter's business.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Datum {
    /// A text.
    Text(String),
    /// A number, as a decimal text, so that no digit is lost.
    Number(String),
    /// True or false.
    Truth(bool),
    /// An instant.
    Instant(Timestamp),
    /// Several texts.
    Texts(Vec<String>),
}

/// One CRM field and where its value comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapping {
    /// The CRM's field.
    pub field: String,
    /// Where its value comes from.
    pub from: Source,
    /// The value where there is none.
    pub default: Option<Datum>,
    /// Other words for some values.
    pub values: BTreeMap<String, String>,
    /// When it may be written.
    pub write: WriteRule,
    /// What to do where the CRM lacks the field.
    pub on_missing: OnMissing,
    /// Whether we may overwrite what a person changed since.
    pub owner: Owner,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// A path of ours.
    Path(Path),
    /// The same for everybody.
    Value(Datum),
}

/// A path of ours, as configuration writes it: `attribution.last.ctwa_clid`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(String);

impl Path {
    /// The path as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// When a field may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WriteRule {
    /// Only into a new record.
    CreateOnly,
    /// Only where the record has nothing.
    IfEmpty,
    /// Whenever our value changes.
    #[default]
    Always,
}

/// What to do where the CRM lacks a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnMissing {
    /// Leave it out, loudly, and write it when it is there again.
    #[default]
    Skip,
    /// Hold the person until it is there.
    Hold,
}

/// Whose a field is once a person has changed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Owner {
    /// Theirs: it is left alone.
    #[default]
    Human,
    /// Ours: it is written again.
    Bridge,
}

/// What is known of one lead, by path.
pub trait Facts {
    /// The value at a path; `None` where nothing is known.
    fn get(&self, path: &Path) -> Option<Datum>;
}
