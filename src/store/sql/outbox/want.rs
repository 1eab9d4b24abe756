//! Asking for operations: a new job, a further revision of one, or one that waits for the revision in hand.

use super::super::encoding::{blob_of, millis};
use super::count;
use super::rows::{COLUMNS, JobRow, job_row, rank, to_change};
use crate::routing::{BULK_INTERVAL, Want};
use crate::store::StoreError;
use crate::store::outbox::{JobState, PERSON_RULE};
use crate::store::signal::Signal;
use crate::store::sql::connection::{Connection, first, run, values};
use jiff::Timestamp;
use wabridge_model::id::LeadId;
use wabridge_model::{OperationKind, Priority};

const DOING: &str = "ask for a job";
/// The causes that come from the person's own job.
const BY_PERSON: &str = "('person_dead', 'person_held', 'person_discarded')";

/// Asks for operations of a lead. What is not the person has a person's job before it, wherever it came from.
pub(super) fn want_all(
    connection: &dyn Connection,
    lead: LeadId,
    wants: &[Want],
    at: Timestamp,
) -> Result<(), StoreError> {
    for asked in wants {
        if asked.kind != OperationKind::Person
            && !asked.only_known
            && find(connection, lead, &asked.target, OperationKind::Person, "")?.is_none()
        {
            let person = Want { kind: OperationKind::Person, subject: String::new(), ..asked.clone() };
            want(connection, lead, &person, at)?;
        }
        want(connection, lead, asked, at)?;
    }
    Ok(())
}

/// Asks for one operation of a lead.
pub(super) fn want(
    connection: &dyn Connection,
    lead: LeadId,
    asked: &Want,
    at: Timestamp,
) -> Result<(), StoreError> {
    connection.signal(Signal::Jobs)?;
    let known = find(connection, lead, &asked.target, asked.kind, &asked.subject)?;
    let Some(known) = known else {
        if asked.only_known {
            return Ok(());
        }
        let first = at_once(asked, at);
        add(connection, lead, first.as_ref().unwrap_or(asked), at)?;
        return count(connection, "jobs.wanted", 1);
    };
    // Deals and tasks are created once; what they hold is worked out then. What could not be may be asked for anew,
    // and a deal may be moved on.
    let once = matches!(asked.kind, OperationKind::Deal | OperationKind::Task);
    if once && !asked.only_known && known.job.state != JobState::Dead {
        return Ok(());
    }
    // What was given up, or only shown, is not there to be changed.
    if asked.only_known && known.job.state.is_over() && known.job.record.is_none() {
        return Ok(());
    }
    let id = known.job.id;
    match known.job.state {
        JobState::Leased | JobState::Doubt => wait(connection, &known, asked)?,
        JobState::Held if is_below_the_rule(&known) => {
            // What is new of them may lift them over it, and then they are new to the CRM.
            let is_news = asked.due_at <= at + BULK_INTERVAL;
            let soon = is_news.then(|| at_once(asked, at)).flatten();
            renew(connection, &known, soon.as_ref().unwrap_or(asked), at)?;
            count(connection, "jobs.suppressed.coalesced", 1)?;
        }
        JobState::Pending | JobState::Held => {
            // Who backs off is not called earlier for being wanted more.
            let due = if known.backs_off() { known.job.due_at } else { known.job.due_at.min(asked.due_at) };
            let rank = rank(known.job.priority.min(asked.priority));
            const SET: &str =
                "UPDATE jobs SET revision = revision + 1, priority = ?, due_at = ? WHERE id = ?";
            run(connection, DOING, SET, values![rank, millis(due), id])?;
            count(connection, "jobs.suppressed.coalesced", 1)?;
        }
        JobState::Dead => {
            renew(connection, &known, asked, at)?;
            count(connection, "jobs.suppressed.coalesced", 1)?;
        }
        JobState::Done | JobState::Suppressed | JobState::Discarded => renew(connection, &known, asked, at)?,
    }
    run(connection, DOING, "UPDATE jobs SET trace_id = ? WHERE id = ?", values![asked.trace_id, id])?;
    count(connection, "jobs.wanted", 1)
}

/// Whether a person's job is held since the target's rule did not create their record when it was last looked at.
fn is_below_the_rule(known: &JobRow) -> bool {
    let cause = known.job.cause.as_deref();
    known.job.kind == OperationKind::Person && cause.is_some_and(|cause| cause.starts_with(PERSON_RULE))
}

/// Whoever a target has never heard of is new there, however long we have known them.
fn at_once(asked: &Want, at: Timestamp) -> Option<Want> {
    let is_person = asked.kind == OperationKind::Person;
    let priority = asked.priority.min(Priority::Urgent);
    is_person.then(|| Want { priority, due_at: asked.due_at.min(at), ..asked.clone() })
}

fn find(
    connection: &dyn Connection,
    lead: LeadId,
    target: &str,
    kind: OperationKind,
    subject: &str,
) -> Result<Option<JobRow>, StoreError> {
    let find = format!(
        "SELECT {COLUMNS} FROM jobs WHERE target = ? AND lead = ? AND kind = ? AND subject = ? {}",
        to_change(connection)
    );
    first(connection, DOING, &find, values![target, blob_of(lead.0), kind.as_str(), subject], job_row)
}

fn add(connection: &dyn Connection, lead: LeadId, asked: &Want, at: Timestamp) -> Result<(), StoreError> {
    const ADD: &str =
        "INSERT INTO jobs (target, lead, kind, subject, revision, state, priority, wanted_at, due_at, trace_id)
         VALUES (?, ?, ?, ?, 1, 'pending', ?, ?, ?, ?)";
    let Want { target, kind, subject, priority, due_at, trace_id, only_known: _ } = asked;
    let lead = blob_of(lead.0);
    let values =
        values![target, lead, kind.as_str(), subject, rank(*priority), millis(at), millis(*due_at), trace_id];
    run(connection, DOING, ADD, values).map(drop)
}

/// Asks for a revision that waits until the one in hand is over.
fn wait(connection: &dyn Connection, known: &JobRow, asked: &Want) -> Result<(), StoreError> {
    const SET: &str = "UPDATE jobs SET again = ?, again_priority = ? WHERE id = ?";
    let (due, priority) = match known.again {
        Some((due, priority)) => (due.min(asked.due_at), priority.min(asked.priority)),
        None => (asked.due_at, asked.priority),
    };
    run(connection, DOING, SET, values![millis(due), rank(priority), known.job.id])?;
    count(connection, "jobs.suppressed.coalesced", i64::from(known.again.is_some()))
}

/// Asks for a revision of what was over, or dead.
fn renew(connection: &dyn Connection, known: &JobRow, asked: &Want, at: Timestamp) -> Result<(), StoreError> {
    const SET: &str =
        "UPDATE jobs SET revision = revision + 1, state = 'pending', priority = ?, wanted_at = ?,
             due_at = ?, attempts = 0, doubtful = 0, cause = NULL WHERE id = ?";
    let values = values![rank(asked.priority), millis(at), millis(asked.due_at), known.job.id];
    run(connection, DOING, SET, values)?;
    if known.job.kind == OperationKind::Person {
        release(connection, &known.job.target, known.job.lead)?;
    }
    Ok(())
}

/// Lets go of what the person's job held.
pub(super) fn release(connection: &dyn Connection, target: &str, lead: LeadId) -> Result<(), StoreError> {
    let free = format!(
        "UPDATE jobs SET state = 'pending', cause = NULL
         WHERE target = ? AND lead = ? AND kind <> 'person' AND state = 'held' AND cause IN {BY_PERSON}"
    );
    run(connection, "release jobs", &free, values![target, blob_of(lead.0)]).map(drop)
}
