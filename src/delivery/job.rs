//! A job, as the API and the command line print it, and what may be done to it by hand.
//!
//! In: jobs of the outbox. Out: the object of the contract, in the order of its keys. Instants are UTC.

use crate::store::outbox::{Job, JobFilter, JobState, Outbox};
use crate::store::{Books, StoreError};
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;
use utoipa::openapi::schema::Object;
use wabridge_model::id::LeadId;

/// A job.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Job)]
pub struct JobView {
    /// Its id.
    pub id: i64,
    /// The target's name in the configuration.
    pub target: String,
    /// The lead.
    #[schema(value_type = uuid::Uuid)]
    pub lead_id: LeadId,
    /// The operation: `person`, `activity`, `deal`, `task`, `instruction`.
    pub kind: &'static str,
    /// What of the lead it is about: empty for the person, else the conversation's or the deal's id.
    pub subject: String,
    /// `urgent` or `bulk`.
    pub priority: &'static str,
    /// Where it is.
    #[schema(schema_with = states)]
    pub state: &'static str,
    /// Attempts of what is asked for now; those that an outage cost are not among them.
    pub attempts: i64,
    /// Not tried before.
    pub due_at: Timestamp,
    /// Why it is where it is.
    pub cause: Option<String>,
    /// How the person was found: `local_map`, `unique_key`, `phone`, `bsuid`, `email`, `created`.
    pub matched_by: Option<&'static str>,
    /// The trace of the newest event that asked for it.
    pub trace_id: String,
}

impl From<Job> for JobView {
    fn from(job: Job) -> JobView {
        JobView {
            id: job.id,
            target: job.target,
            lead_id: job.lead,
            kind: job.kind.as_str(),
            subject: job.subject,
            priority: job.priority.as_str(),
            state: job.state.as_str(),
            attempts: job.attempts,
            due_at: job.due_at,
            cause: job.cause,
            matched_by: job.matched_by.map(|it| it.as_str()),
            trace_id: job.trace_id,
        }
    }
}

fn states() -> Object {
    crate::leads::verdict::names("Where it is", STATES.map(JobState::as_str))
}

/// Every state of a job, in the order in which an operator cares.
pub const STATES: [JobState; 8] = [
    JobState::Dead,
    JobState::Held,
    JobState::Doubt,
    JobState::Leased,
    JobState::Pending,
    JobState::Done,
    JobState::Suppressed,
    JobState::Discarded,
];

/// How many revisions are in each state; all sum to what was wanted.
#[must_use]
pub fn counts(books: &Books) -> BTreeMap<String, u64> {
    let mut counts: BTreeMap<String, u64> =
        STATES.iter().map(|state| (state.as_str().to_owned(), 0)).collect();
    for (name, count) in &books.jobs {
        let (state, _) = name.split_once('.').unwrap_or((name, ""));
        if let Some(sum) = counts.get_mut(state) {
            *sum += count;
        }
    }
    counts
}

/// Jobs after `after`, and where to go on, if there are more.
///
/// # Errors
/// When the store cannot be read.
pub fn page(
    outbox: &dyn Outbox,
    filter: &JobFilter,
    after: i64,
    limit: usize,
) -> Result<(Vec<Job>, Option<i64>), StoreError> {
    let mut jobs = outbox.jobs(filter, after, limit.saturating_add(1))?;
    let more = jobs.len() > limit;
    jobs.truncate(limit);
    let next = jobs.last().filter(|_| more).map(|job| job.id);
    Ok((jobs, next))
}

/// What may be done to a job by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Try it now.
    Retry,
    /// Give it up.
    Discard,
}

/// Why a job in this state cannot be retried or discarded; `None` where it can.
#[must_use]
pub fn refusal(act: Act, state: JobState) -> Option<&'static str> {
    match (act, state) {
        (_, JobState::Leased) => {
            Some("it is being written now; look again in a minute: it settles by itself")
        }
        (Act::Retry, JobState::Doubt) => Some(
            "it was sent and nothing says whether it was applied; it is looked for in the CRM when it is due",
        ),
        (Act::Retry, JobState::Done | JobState::Suppressed | JobState::Discarded) => {
            Some("it is over; what changes in the lead asks for it again")
        }
        (Act::Discard, JobState::Done | JobState::Suppressed | JobState::Discarded) => {
            Some("it is over: there is nothing left to give up")
        }
        (Act::Retry, JobState::Pending | JobState::Held | JobState::Dead)
        | (Act::Discard, JobState::Pending | JobState::Held | JobState::Dead | JobState::Doubt) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_being_written_is_left_alone_and_what_waits_may_be_retried_or_given_up() {
        for state in [JobState::Pending, JobState::Held, JobState::Dead] {
            assert_eq!((refusal(Act::Retry, state), refusal(Act::Discard, state)), (None, None));
        }
        for state in [JobState::Leased, JobState::Done, JobState::Suppressed, JobState::Discarded] {
            assert!(refusal(Act::Retry, state).is_some() && refusal(Act::Discard, state).is_some());
        }
        assert!(refusal(Act::Retry, JobState::Doubt).is_some_and(|why| why.contains("looked for")));
        assert_eq!(refusal(Act::Discard, JobState::Doubt), None);
    }

    #[test]
    fn every_reason_of_a_suppression_is_one_count() {
        let jobs = [
            ("wanted", 9),
            ("pending", 2),
            ("done", 3),
            ("suppressed.unchanged", 3),
            ("suppressed.shadow", 1),
        ];
        let jobs = jobs.map(|(name, count)| (name.to_owned(), count)).into();
        let counts = counts(&Books { jobs, ..Books::default() });
        assert_eq!((counts["pending"], counts["done"], counts["suppressed"]), (2, 3, 4));
        assert_eq!((counts["dead"], counts["discarded"], counts.len()), (0, 0, 8));
        assert_eq!(counts.values().sum::<u64>(), 9, "{counts:?}");
    }
}
