//! What a CRM's fields and pipelines are, in one shape for all, and whether they are what we need.

mod check;

pub use check::{Fault, Holds, Needs, Problem, faults, lacking, missing_fields, refuses, stage_fault};

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// In [`Schema::account`]: the ids of those whom a record may belong to, with commas between; absent where they
/// could not be read.
pub const OWNERS: &str = "owners";

/// The fields, pipelines and stages of an account.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Schema {
    /// By our word for the object: `contact`, `lead`, `activity`, `deal`.
    pub objects: BTreeMap<String, Object>,
    /// The pipelines of deals, by the CRM's id.
    pub pipelines: BTreeMap<String, Pipeline>,
    /// What the adapter has to know of the account, in its own words: where its records are shown.
    #[serde(default)]
    pub account: BTreeMap<String, String>,
}

/// One kind of record.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Object {
    /// By the name that configuration uses.
    pub fields: BTreeMap<String, Field>,
}

/// One field.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Field {
    /// What people call it.
    pub label: String,
    /// The name on the wire, where it is another one.
    pub native: Option<String>,
    /// What it takes.
    pub kind: FieldKind,
    /// A new record is refused without it.
    pub required: bool,
    /// No two records may have the same value.
    pub unique: bool,
    /// It cannot be written.
    pub read_only: bool,
    /// The values it takes, where they are a list.
    pub options: Vec<String>,
    /// The most characters it takes.
    pub longest: Option<u32>,
}

/// What a field takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldKind {
    /// Text of a line or more.
    #[default]
    Text,
    /// A number.
    Number,
    /// True or false.
    Truth,
    /// A day.
    Date,
    /// An instant.
    Instant,
    /// One of a list.
    Choice,
    /// Some of a list.
    Choices,
    /// Something that nothing of ours fits: a reference to another record, a file.
    Other,
}

/// A pipeline of deals.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Pipeline {
    /// What people call it.
    pub label: String,
    /// By the CRM's id.
    pub stages: BTreeMap<String, Stage>,
}

/// A stage of a pipeline.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Stage {
    /// What people call it.
    pub label: String,
    /// Its place, from 0.
    pub order: i64,
    /// A deal in it is closed.
    pub closed: bool,
    /// A deal in it is won.
    pub won: bool,
    /// Only some people may move a deal into it.
    pub restricted: bool,
}

/// A field that we need and the CRM lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewField {
    /// The object, by our word.
    pub object: String,
    /// Its name.
    pub name: String,
    /// What people call it.
    pub label: String,
    /// What it must take.
    pub kind: FieldKind,
    /// No two records may have the same value.
    pub unique: bool,
}
