//! The outbox: what is to be written to CRMs, and what became of it.
//!
//! A job is one operation for one lead and one target; asking for it again makes a further *revision* of the same
//! job. Revisions are what the books count: wanted = pending + leased + doubt + held + dead + done + discarded +
//! suppressed. All that is due of one lead and target is leased together, and nothing else of that lead and target
//! while the lease runs. A lead that turns out to be another takes its jobs along.

use super::StoreError;
use crate::routing::Routes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use wabridge_model::id::LeadId;
use wabridge_model::{MatchedBy, OperationKind, Priority, RecordRef};

/// The cause of what is held because its lead is outside of the share that a target is opened to.
pub const ROLLOUT: &str = "rollout";

/// The cause of what is put off because a limit of the account leaves no room.
pub const POSTPONED: &str = "waiting: quota";

/// How the cause of what is held begins because the target's rule does not create this person's record; the rule
/// follows: `person_rule: ad_or_intent`.
pub const PERSON_RULE: &str = "person_rule";

/// Where a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum JobState {
    /// It waits until it is due.
    Pending,
    /// It is being written.
    Leased,
    /// It was sent, and whether it was applied is not known.
    Doubt,
    /// It waits for something else: a person's record, a field, a hand.
    Held,
    /// The CRM will never take it as it is.
    Dead,
    /// It is written.
    Done,
    /// It needed no writing; the cause says why.
    Suppressed,
    /// A person gave it up; the cause is their reason.
    Discarded,
}

impl JobState {
    /// Every state.
    pub const ALL: [JobState; 8] = [
        JobState::Pending,
        JobState::Leased,
        JobState::Doubt,
        JobState::Held,
        JobState::Dead,
        JobState::Done,
        JobState::Suppressed,
        JobState::Discarded,
    ];

    /// Whether nothing remains to be done.
    #[must_use]
    pub fn is_over(self) -> bool {
        matches!(self, JobState::Done | JobState::Suppressed | JobState::Discarded)
    }

    /// The name in rows, answers and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            JobState::Pending => "pending",
            JobState::Leased => "leased",
            JobState::Doubt => "doubt",
            JobState::Held => "held",
            JobState::Dead => "dead",
            JobState::Done => "done",
            JobState::Suppressed => "suppressed",
            JobState::Discarded => "discarded",
        }
    }
}

/// A job.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Its id.
    pub id: i64,
    /// The target.
    pub target: String,
    /// The lead.
    pub lead: LeadId,
    /// The operation.
    pub kind: OperationKind,
    /// What of the lead it is about.
    pub subject: String,
    /// How often it was asked for.
    pub revision: i64,
    /// Where it is.
    pub state: JobState,
    /// How soon.
    pub priority: Priority,
    /// When it was asked for first since it was written last.
    pub wanted_at: Timestamp,
    /// Not before.
    pub due_at: Timestamp,
    /// Attempts of this revision, those that an outage cost not among them.
    pub attempts: i64,
    /// An attempt of unknown outcome was made.
    pub doubtful: bool,
    /// Why it is where it is: `invalid: VALIDATION_ERROR (field x)`, `drift`, `person_dead`.
    pub cause: Option<String>,
    /// How the person was found.
    pub matched_by: Option<MatchedBy>,
    /// The records that came into question.
    pub candidates: Vec<RecordRef>,
    /// Its record in the CRM, once written.
    pub record: Option<RecordRef>,
    /// Fields that were left out, with the reason.
    pub left_out: BTreeMap<String, String>,
    /// The stage of the deal, as we wrote it last.
    pub stage: Option<String>,
    /// The trace of the newest event that asked for it.
    pub trace_id: String,
}

/// What a claim asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim<'a> {
    /// Of which target.
    pub target: &'a str,
    /// What is due by now.
    pub now: Timestamp,
    /// Until when the lease runs.
    pub until: Timestamp,
    /// The most bundles with something urgent in them.
    pub urgent: usize,
    /// The most bundles without.
    pub bulk: usize,
    /// Nothing less urgent is leased, not even along with its lead, but for a person without a record.
    pub down_to: Priority,
}

/// All that is due of one lead and target, leased. The attempt is committed: if nothing more is heard of it, its
/// outcome is unknown.
#[derive(Debug, Clone, PartialEq)]
pub struct Leased {
    /// The number of the lease: who settles shows it.
    pub lease: i64,
    /// The lead.
    pub lead: LeadId,
    /// The jobs, the person first.
    pub jobs: Vec<Job>,
    /// The lead's record there, where one is known.
    pub record: Option<RecordRow>,
}

/// The record of a lead at a target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordRow {
    /// The record.
    pub record: RecordRef,
    /// Where a person opens it.
    pub url: Option<String>,
    /// How it was found.
    pub matched_by: MatchedBy,
    /// What we wrote last, and what `if_empty` found filled (as null), by field.
    pub written: BTreeMap<String, Value>,
}

/// What became of a leased job.
#[derive(Debug, Clone, PartialEq)]
pub enum End {
    /// It is written.
    Done {
        /// Its record.
        record: Option<RecordRef>,
        /// How the person was found.
        matched_by: Option<MatchedBy>,
        /// The records that came into question.
        candidates: Vec<RecordRef>,
        /// Fields that were left out, with the reason.
        left_out: BTreeMap<String, String>,
        /// The stage of the deal, where it was written.
        stage: Option<String>,
    },
    /// It needs no writing: `unchanged`, `shadow`, `merged`.
    Suppressed(&'static str),
    /// It is tried again.
    Retry {
        /// Not before.
        due_at: Timestamp,
        /// Whether the attempt counts.
        spent: bool,
        /// Why.
        cause: String,
    },
    /// Whether it was applied is not known; it is looked for before it is written again.
    Doubt {
        /// Not before.
        due_at: Timestamp,
        /// Why.
        cause: String,
    },
    /// It waits for something else.
    Held(String),
    /// The CRM will never take it as it is.
    Dead(String),
}

/// What a bundle came to. One transaction.
#[derive(Debug, Clone, PartialEq)]
pub struct Settled {
    /// The number of the lease it was written under.
    pub lease: i64,
    /// The target.
    pub target: String,
    /// The lead.
    pub lead: LeadId,
    /// Each job as it was leased (id and revision), and what became of it.
    pub ends: Vec<(i64, i64, End)>,
    /// The lead's record now; `Some(None)` forgets it.
    pub record: Option<Option<RecordRow>>,
    /// When.
    pub at: Timestamp,
}

/// Which jobs to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobFilter {
    /// In this state: `pending`, `done`, `dead`, `held`, ...; all if none.
    pub state: Option<JobState>,
    /// Of this target.
    pub target: Option<String>,
    /// Of this lead.
    pub lead: Option<LeadId>,
    /// With this cause.
    pub cause: Option<String>,
}

/// An attempt at a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Of which revision.
    pub revision: i64,
    /// When it began.
    pub began_at: Timestamp,
    /// When it ended; `None` while it runs, or when nothing was heard of it.
    pub ended_at: Option<Timestamp>,
    /// What came of it.
    pub result: Option<String>,
}

/// What is known of a target, beside its configuration.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TargetRow {
    /// Why nothing is written to it: `operator`, `auth`. It survives a restart.
    pub paused: Option<String>,
    /// Its schema when it was last read, and when that was.
    pub schema: Option<(Value, Timestamp)>,
}

/// How deep the outbox is: for metrics, alerts and people.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Depth {
    /// Jobs by target, state and priority, and when the oldest of them was asked for.
    pub jobs: BTreeMap<(String, String, String), (u64, Timestamp)>,
    /// Dead jobs by target and cause.
    pub dead: BTreeMap<(String, String), u64>,
}

/// A conversation of a lead: what one activity stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    /// Its id.
    pub id: String,
    /// The lead.
    pub lead: LeadId,
    /// The business number, or `chatbot:<bot>`.
    pub place: String,
    /// When it began, as far as was known when its activity was first tried: what the CRM is told.
    pub started_at: Timestamp,
    /// Its last act so far.
    pub last_at: Timestamp,
    /// What happened in its place from here on is its own, ...
    pub from: Timestamp,
    /// ... until before this instant: answers to the last act too, and nothing of the next conversation.
    pub until: Timestamp,
}

/// What was used of a limit of a target within a span of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Used {
    /// The limit's name; with `.size` behind it, how much there is of it, at no time.
    pub budget: String,
    /// When the span began.
    pub span: Timestamp,
    /// How much.
    pub amount: u64,
}

/// A field in a record as it stands, beside what would be written.
#[derive(Debug, Clone, PartialEq)]
pub struct ShadowRow {
    /// The lead.
    pub lead: LeadId,
    /// The operation.
    pub kind: OperationKind,
    /// When it was worked out.
    pub at: Timestamp,
    /// `create`, `update` or `none`.
    pub action: String,
    /// How the person was found.
    pub matched_by: Option<MatchedBy>,
    /// By field: what stands there, what would be written.
    pub diff: BTreeMap<String, (Value, Value)>,
}

/// The outbox.
pub trait Outbox: Send + Sync {
    /// Says where changes go from now on.
    fn route_by(&self, routes: Arc<Routes>);

    /// Asks for the turn of something that one process at a time does, to last so long unless it is asked for again: to
    /// call an account, whose limits, pace and failures are one process's to know; to tell what is wrong.
    ///
    /// # Errors
    /// When the store cannot be read or written. So for all that follow.
    fn take_turn(&self, of: &str, lasts: std::time::Duration) -> Result<super::Turn, StoreError>;

    /// Leases what is due: urgent before bulk, the oldest first, all of one lead together, and what would be due
    /// soon. Of a lead whose person is dead or held, the rest is held (`person_dead`, `person_held`,
    /// `person_discarded`) until the person is due again or done; while the person backs off, the rest waits with
    /// it. A bulk bundle may hold what is urgent of its lead. The attempts are committed.
    ///
    /// # Errors
    /// As above.
    fn claim_jobs(&self, claim: Claim<'_>) -> Result<Vec<Leased>, StoreError>;

    /// Lets the leases of these jobs run longer, until an instant by the clock that says `now`.
    ///
    /// # Errors
    /// As above.
    fn extend_leases(&self, jobs: &[i64], now: Timestamp, until: Timestamp) -> Result<(), StoreError>;

    /// Puts jobs whose lease ran out into doubt; at a start, with the end of time, all that were leased, unless others may
    /// have leased them.
    ///
    /// # Errors
    /// As above.
    fn doubt_expired(&self, now: Timestamp) -> Result<usize, StoreError>;

    /// Settles bundles. A job that was asked for anew meanwhile is pending again; one that was leased again
    /// since then, or settled, is left alone. The record is kept if any job of the bundle is settled.
    ///
    /// # Errors
    /// As above.
    fn settle_jobs(&self, settled: Vec<Settled>) -> Result<(), StoreError>;

    /// When the next job of a target is due that is at least so urgent, if any waits.
    ///
    /// # Errors
    /// As above.
    fn next_due(&self, target: &str, down_to: Priority) -> Result<Option<Timestamp>, StoreError>;

    /// Makes held jobs pending again, and due, whose cause begins with this. How many.
    ///
    /// # Errors
    /// As above.
    fn release_jobs(&self, target: &str, cause: &str, now: Timestamp) -> Result<usize, StoreError>;

    /// Makes these jobs, where they are held, pending and due, behind whatever is urgent: many may be let go at a
    /// time. How many.
    ///
    /// # Errors
    /// As above.
    fn let_go(&self, jobs: &[i64], now: Timestamp) -> Result<usize, StoreError>;

    /// Asks again for what was written without this field: it came back. How many leads.
    ///
    /// # Errors
    /// As above.
    fn want_again(&self, target: &str, left_out: &str, now: Timestamp) -> Result<usize, StoreError>;

    /// Marks these fields of a target's records, so that what stands there is looked at again, and asks for their people,
    /// behind what is urgent. In slices, for as long as `go_on` says so. How many leads.
    ///
    /// # Errors
    /// As above; busy, when it was not to go on.
    fn resync(
        &self,
        target: &str,
        fields: &[String],
        now: Timestamp,
        go_on: &dyn Fn() -> bool,
    ) -> Result<usize, StoreError>;

    /// How many leads [`Outbox::resync`] would ask for.
    ///
    /// # Errors
    /// As above.
    fn resyncable(&self, target: &str, fields: &[String]) -> Result<usize, StoreError>;

    /// A job, and its attempts.
    ///
    /// # Errors
    /// As above.
    fn job(&self, id: i64) -> Result<Option<(Job, Vec<Attempt>)>, StoreError>;

    /// Jobs after `after` in the order of their ids.
    ///
    /// # Errors
    /// As above.
    fn jobs(&self, filter: &JobFilter, after: i64, limit: usize) -> Result<Vec<Job>, StoreError>;

    /// How deep it is.
    ///
    /// # Errors
    /// As above.
    fn depth(&self) -> Result<Depth, StoreError>;

    /// Makes dead, held and pending jobs due now, with their attempts forgotten. How many.
    ///
    /// # Errors
    /// As above.
    fn retry_jobs(&self, jobs: &[i64], now: Timestamp) -> Result<usize, StoreError>;

    /// Gives jobs up that are not leased, with a reason. How many.
    ///
    /// # Errors
    /// As above.
    fn discard_jobs(&self, jobs: &[i64], reason: &str, now: Timestamp) -> Result<usize, StoreError>;

    /// The records of leads, by target. A lead that was joined with another may have one under either id.
    ///
    /// # Errors
    /// As above.
    fn records(&self, leads: &[LeadId]) -> Result<Vec<(LeadId, String, RecordRow)>, StoreError>;

    /// The lead of a record: by target, if one is named, and the CRM's id.
    ///
    /// # Errors
    /// As above.
    fn lead_of_record(&self, target: Option<&str>, id: &str) -> Result<Vec<(LeadId, String)>, StoreError>;

    /// The conversations with these ids.
    ///
    /// # Errors
    /// As above.
    fn conversations(&self, ids: &[String]) -> Result<Vec<Conversation>, StoreError>;

    /// What is known of a target.
    ///
    /// # Errors
    /// As above.
    fn target(&self, name: &str) -> Result<TargetRow, StoreError>;

    /// Pauses a target with a cause, or lets it go on.
    ///
    /// # Errors
    /// As above.
    fn pause_target(&self, name: &str, cause: Option<&str>) -> Result<(), StoreError>;

    /// Keeps a target's schema.
    ///
    /// # Errors
    /// As above.
    fn keep_schema(&self, name: &str, schema: &Value, at: Timestamp) -> Result<(), StoreError>;

    /// Keeps what would have been written, in place of what was kept for the same lead and operation.
    ///
    /// # Errors
    /// As above.
    fn keep_shadow(&self, target: &str, rows: Vec<ShadowRow>) -> Result<(), StoreError>;

    /// What would have been written, after `after` in the order of the leads.
    ///
    /// # Errors
    /// As above.
    fn shadow(&self, target: &str, after: Option<LeadId>, limit: usize)
    -> Result<Vec<ShadowRow>, StoreError>;

    /// Keeps what was used of a target's limits, in place of what was kept of the same spans.
    ///
    /// # Errors
    /// As above.
    fn keep_used(&self, target: &str, rows: &[Used]) -> Result<(), StoreError>;

    /// What was used of a target's limits, the spans of each in order.
    ///
    /// # Errors
    /// As above.
    fn used(&self, target: &str) -> Result<Vec<Used>, StoreError>;

    /// How many leads something was written for since then.
    ///
    /// # Errors
    /// As above.
    fn leads_written(&self, target: &str, since: Timestamp) -> Result<u64, StoreError>;
}
