//! The seam between what is due for leads and one CRM's API.
//!
//! In: bundles of operations whose values are already mapped and decided. Out: a receipt or a classified
//! failure for each. An adapter plans the fewest calls and never retries, never decides who may overwrite
//! what, and keeps nothing: what it must know of an account is on its [`Desk`].

use crate::limit::Limit;
use crate::mapping::Datum;
use crate::oauth::OAuth;
use crate::schema::{NewField, Schema};
use crate::transport::{Later, Transport};
use jiff::Timestamp;
use jiff::civil::Date;
use std::collections::BTreeMap;
use std::time::Duration;
use wabridge_model::{Country, Failure, MatchedBy, OperationKind, Phone, RecordRef};

/// One account of a CRM, as an adapter works with it.
pub struct Desk<'a> {
    /// The way there.
    pub transport: &'a dyn Transport,
    /// The object that new people are created as: `contact` or `lead`.
    pub person: &'a str,
    /// Our own unique field of that object.
    pub key_field: &'a str,
    /// What the CRM's fields and pipelines are, as last read.
    pub schema: &'a Schema,
    /// Where a number without a country code belongs, in records that people typed.
    pub country: Country,
}

/// One CRM. Values are unit structs in [`crate::registry`].
pub trait Crm: Send + Sync {
    /// Its names and what it can do.
    fn about(&self) -> &'static About;

    /// Fields of ours that it needs beside the key field and the mapped ones: for `target setup` and the checks.
    fn own_fields(&self) -> Vec<NewField> {
        Vec::new()
    }

    /// The field of a person that holds whose they are, where we may write it.
    fn owner_field(&self) -> Option<&'static str> {
        None
    }

    /// Reads fields, pipelines and stages.
    fn schema<'a>(&'a self, desk: &'a Desk<'a>) -> Later<'a, Result<Schema, Failure>>;

    /// Looks for people in the order of [`MatchedBy`], in every object that holds people. Reads only. One
    /// answer for each; `fields` are those whose values must come with a match.
    fn find<'a>(
        &'a self,
        desk: &'a Desk<'a>,
        people: &'a [Who],
        fields: &'a [String],
    ) -> Later<'a, Vec<Result<Found, Failure>>>;

    /// Reads records of people by id, one answer for each. What was merged or converted comes back under its
    /// new name; what is gone is [`wabridge_model::FailureKind::Vanished`].
    fn read<'a>(
        &'a self,
        desk: &'a Desk<'a>,
        records: &'a [RecordRef],
        fields: &'a [String],
    ) -> Later<'a, Vec<Result<Record, Failure>>>;

    /// Writes bundles, each of another lead, in the fewest calls. One answer for each, in the same order.
    fn write<'a>(&'a self, desk: &'a Desk<'a>, bundles: &'a [Bundle]) -> Later<'a, Vec<Written>>;

    /// Creates fields of ours, one answer for each.
    fn add_fields<'a>(
        &'a self,
        desk: &'a Desk<'a>,
        fields: &'a [NewField],
    ) -> Later<'a, Vec<Result<(), Failure>>>;

    /// The people of the CRM, a page at a time, with their phone numbers: for the census.
    fn people<'a>(&'a self, desk: &'a Desk<'a>, after: Option<String>) -> Later<'a, Result<People, Failure>>;
}

/// What a CRM is and can do, for the registry, the documentation and the checks.
#[derive(Debug)]
pub struct About {
    /// The name in configuration, metrics and stored rows.
    pub slug: &'static str,
    /// The name a person knows.
    pub name: &'static str,
    /// The objects that hold people; the first is the default for new ones.
    pub people: &'static [&'static str],
    /// Where its API is, unless configuration says otherwise.
    pub base_url: &'static str,
    /// How a token is shown.
    pub auth: AuthScheme,
    /// How tokens are got that expire; `None` where it has only such as do not.
    pub oauth: Option<OAuth>,
    /// The page that documents its API.
    pub documentation: &'static str,
    /// What it can do.
    pub capability: Capability,
    /// What it allows an account.
    pub limits: &'static [Limit],
}

/// How a token is shown: always in `Authorization`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthScheme {
    /// `Bearer <token>`
    Bearer,
    /// `<word> <token>`, for CRMs with a word of their own.
    Word(&'static str),
    /// HTTP Basic with the token as user name and an empty password.
    BasicUser,
}

/// What the outbox must know of a CRM to be careful with it.
#[derive(Debug, Clone, Copy)]
pub struct Capability {
    /// The most bundles one [`Crm::write`] may be given.
    pub batch: usize,
    /// Whether our key field makes creating a person free of races.
    pub native_key: bool,
    /// How often each operation may happen.
    pub person: Delivery,
    /// The same for activities.
    pub activity: Delivery,
    /// The same for deals.
    pub deal: Delivery,
    /// The same for tasks.
    pub task: Delivery,
    /// The objects of people that a deal can be linked to.
    pub deals_of: &'static [&'static str],
    /// How long a new record may be missing from the CRM's search.
    pub search_lag: Duration,
    /// How the CRM's change notices are proven.
    pub notices: NoticeProof,
    /// Whether writes can keep the CRM's automation quiet.
    pub quiet: bool,
}

impl Capability {
    /// How often an operation of this kind may happen.
    #[must_use]
    pub fn delivery(&self, kind: OperationKind) -> Delivery {
        match kind {
            OperationKind::Person | OperationKind::Instruction => self.person,
            OperationKind::Activity => self.activity,
            OperationKind::Deal => self.deal,
            OperationKind::Task => self.task,
        }
    }
}

/// What an attempt of unknown outcome may lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// Repeating it is harmless: a key of ours makes it one.
    Exact,
    /// It is looked for by a read that is never behind, and written only if it is not there.
    FindThenWrite,
    /// Nothing tells whether it happened.
    MayDuplicate,
}

impl Delivery {
    /// The name in documentation and answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Delivery::Exact => "exact",
            Delivery::FindThenWrite => "find_then_write",
            Delivery::MayDuplicate => "may_duplicate",
        }
    }
}

/// How change notices of a CRM are proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoticeProof {
    /// A signature over body and time.
    Signed,
    /// A secret that is sent along.
    SharedSecret,
    /// Nothing: they may only invalidate.
    None,
}

/// Whom to look for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Who {
    /// Their number.
    pub phone: Option<Phone>,
    /// Their business-scoped user id, and the CRM's field that it is mapped to.
    pub bsuid: Option<(String, String)>,
    /// Their e-mail address.
    pub email: Option<String>,
}

/// What a look-up found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Found {
    /// The person, and how they were found.
    pub matched: Option<(Record, MatchedBy)>,
    /// Every record that came into question.
    pub candidates: Vec<RecordRef>,
    /// A record with the person's e-mail address and another person's number: no match, and in the way of
    /// writing the address.
    pub email_taken: Option<RecordRef>,
}

/// A record as it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Which.
    pub at: RecordRef,
    /// The fields that were asked for and are not empty, by our field names.
    pub values: BTreeMap<String, serde_json::Value>,
    /// Where a person opens it.
    pub url: Option<String>,
}

/// All that is due for one lead.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Bundle {
    /// The trace of the newest event, for the CRM's own correlation where it has one.
    pub trace_id: String,
    /// The lead's record; `None` where `person` must create it.
    pub record: Option<RecordRef>,
    /// What to write to the person.
    pub person: Option<PersonWrite>,
    /// Conversations to log.
    pub activities: Vec<ActivityWrite>,
    /// Deals to create, or to move on.
    pub deals: Vec<DealWrite>,
    /// Tasks to create.
    pub tasks: Vec<TaskWrite>,
}

impl Bundle {
    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let others = self.activities.len() + self.deals.len() + self.tasks.len();
        self.person.is_none() && others == 0
    }
}

/// What to write to a person. Everything in it is to be written: who may overwrite was decided before.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PersonWrite {
    /// The value of our key field, E.164; `None` for a lead without a phone.
    pub key: Option<String>,
    /// The fields, the key field not among them.
    pub values: BTreeMap<String, Datum>,
    /// An earlier attempt may have been applied.
    pub doubtful: bool,
    /// Only fields of ours change, so the CRM's automation should keep quiet.
    pub quiet: bool,
}

/// A conversation to log.
#[derive(Debug, Clone, PartialEq)]
pub struct ActivityWrite {
    /// The conversation's id: the marker that it is found again by.
    pub key: String,
    /// Its record, where it was logged before.
    pub record: Option<String>,
    /// An earlier attempt may have been applied: look for it first.
    pub doubtful: bool,
    /// When it began.
    pub at: Timestamp,
    /// One line.
    pub title: String,
    /// Plain text of several lines, without the marker.
    pub body: String,
}

/// The code of the failure of a deal that is to be moved on and does not stand where we put it: somebody moved it since,
/// or deleted it. It is left to them.
pub const LEFT_ALONE: &str = "deal_left_alone";

/// A deal to create, or to move on.
#[derive(Debug, Clone, PartialEq)]
pub struct DealWrite {
    /// What it is found again by.
    pub key: String,
    /// Its record, where it was created before.
    pub record: Option<String>,
    /// An earlier attempt may have been applied: look for it first.
    pub doubtful: bool,
    /// Its name.
    pub name: String,
    /// The pipeline, by the CRM's id.
    pub pipeline: String,
    /// The stage, by the CRM's id.
    pub stage: String,
    /// The stage that we wrote last, where a deal that is there is to be moved on: only from there.
    pub moves_from: Option<String>,
    /// The stated amount, as a decimal number, and its ISO 4217 currency.
    pub amount: Option<(String, Option<String>)>,
    /// When it is expected to close.
    pub close_on: Date,
    /// Whose it is, by the CRM's id.
    pub owner: Option<String>,
}

/// A task to create: something that a person is to do.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskWrite {
    /// The marker that it is found again by.
    pub key: String,
    /// Its record, where it was created before.
    pub record: Option<String>,
    /// An earlier attempt may have been applied: look for it first.
    pub doubtful: bool,
    /// When it is due.
    pub due_at: Timestamp,
    /// The day on which that is, where the account is.
    pub due_on: Date,
    /// One line.
    pub title: String,
    /// Plain text of several lines, without the marker.
    pub body: String,
    /// Whose it is, by the CRM's id; without one it is theirs whose the person is.
    pub owner: Option<String>,
}

/// What became of a bundle: as many answers as it had operations.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Written {
    /// Of the person.
    pub person: Option<Result<Receipt, Failure>>,
    /// Of each activity.
    pub activities: Vec<Result<Receipt, Failure>>,
    /// Of each deal.
    pub deals: Vec<Result<Receipt, Failure>>,
    /// Of each task.
    pub tasks: Vec<Result<Receipt, Failure>>,
}

impl Written {
    /// The same failure for everything in a bundle: the person has it, the rest waits.
    #[must_use]
    pub fn failed(bundle: &Bundle, failure: &Failure) -> Written {
        let mut first = Some(failure.clone());
        let mut next = || Err(first.take().unwrap_or_else(Failure::waiting));
        Written {
            person: bundle.person.as_ref().map(|_| next()),
            activities: bundle.activities.iter().map(|_| next()).collect(),
            deals: bundle.deals.iter().map(|_| next()).collect(),
            tasks: bundle.tasks.iter().map(|_| next()).collect(),
        }
    }
}

/// Proof that an operation was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The record.
    pub record: RecordRef,
    /// Where a person opens it.
    pub url: Option<String>,
    /// Whether it was made just now.
    pub created: bool,
    /// Of a deal that was to be made and is there already: where it stands.
    pub stage: Option<String>,
}

/// A page of the CRM's people.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct People {
    /// Each record with its numbers as typed.
    pub people: Vec<(RecordRef, Vec<String>)>,
    /// What to ask for the next page with.
    pub next: Option<String>,
}
