//! Moving jobs by other ways than writing them: leases that ran out, what is released, retried, given up.

use super::super::encoding::{blob_of, millis};
use super::rows::{by_id_to_change, lead_of, rank};
use super::{count, want};
use crate::routing::Want;
use crate::store::StoreError;
use crate::store::outbox::JobState;
use crate::store::signal::Signal;
use crate::store::sql::connection::{Connection, Dialect, Row, all, run, values};
use jiff::Timestamp;
use wabridge_model::id::LeadId;
use wabridge_model::{OperationKind, Priority};

/// Lets leases run longer.
pub(super) fn extend(
    connection: &dyn Connection,
    jobs: &[i64],
    (now, until): (Timestamp, Timestamp),
) -> Result<usize, StoreError> {
    const SET: &str = "UPDATE jobs SET leased_until = ? WHERE id = ? AND state = 'leased'";
    let until = connection.now(millis(now))? + millis(until) - millis(now);
    let mut extended = 0;
    for job in jobs {
        extended += run(connection, "extend leases", SET, values![until, job])?;
    }
    Ok(extended)
}

/// Nobody knows what became of what was leased until now.
pub(super) fn doubt_expired(connection: &dyn Connection, now: Timestamp) -> Result<usize, StoreError> {
    const SET: &str =
        "UPDATE jobs SET state = 'doubt', cause = 'lease_expired', doubtful = 1, attempts = attempts + 1,
             leased_until = NULL
         WHERE state = 'leased' AND state NOT IN ('done', 'suppressed', 'discarded') AND leased_until <= ?";
    let now = connection.now(millis(now))?;
    run(connection, "put jobs in doubt", SET, values![now])
}

/// The held jobs of a target whose cause begins so.
pub(super) fn held(connection: &dyn Connection, target: &str, cause: &str) -> Result<Vec<i64>, StoreError> {
    const FIND: &str =
        "SELECT id FROM jobs WHERE state = 'held' AND state NOT IN ('done', 'suppressed', 'discarded')
         AND target = ?1 AND substr(cause, 1, length(?2)) = ?2";
    all(connection, "find held jobs", FIND, values![target, cause], |row| row.get(0))
}

/// Makes jobs in these states due now, with their attempts forgotten. How many.
pub(super) fn make_pending(
    connection: &dyn Connection,
    jobs: &[i64],
    from: &[&str],
    now: Timestamp,
) -> Result<usize, StoreError> {
    const SET: &str =
        "UPDATE jobs SET state = 'pending', cause = NULL, attempts = 0, due_at = ? WHERE id = ?";
    let mut moved = 0;
    for id in jobs {
        let Some(row) = by_id_to_change(connection, *id)? else { continue };
        if !from.contains(&row.job.state.as_str()) {
            continue;
        }
        connection.signal(Signal::Jobs)?;
        moved += run(connection, "make jobs pending", SET, values![millis(now), id])?;
        if row.job.kind == OperationKind::Person {
            want::release(connection, &row.job.target, row.job.lead)?;
        }
    }
    Ok(moved)
}

/// Makes held jobs due behind what is urgent. How many.
pub(super) fn let_go(connection: &dyn Connection, jobs: &[i64], now: Timestamp) -> Result<usize, StoreError> {
    const BEHIND: &str = "UPDATE jobs SET priority = ? WHERE id = ? AND state = 'held'";
    for id in jobs {
        run(connection, "let jobs go", BEHIND, values![rank(Priority::Bulk), id])?;
    }
    make_pending(connection, jobs, &["held"], now)
}

/// Gives jobs up. How many.
pub(super) fn discard(
    connection: &dyn Connection,
    jobs: &[i64],
    reason: &str,
    now: Timestamp,
) -> Result<usize, StoreError> {
    const SET: &str = "UPDATE jobs SET state = 'discarded', cause = ?, again = NULL, again_priority = NULL,
             due_at = ? WHERE id = ?";
    let mut discarded = 0;
    for id in jobs {
        let Some(row) = by_id_to_change(connection, *id)? else { continue };
        if row.job.state.is_over() || row.job.state == JobState::Leased {
            continue;
        }
        connection.signal(Signal::Jobs)?;
        discarded += run(connection, "discard jobs", SET, values![reason, millis(now), id])?;
        count(connection, "jobs.discarded", row.revisions())?;
    }
    Ok(discarded)
}

/// The jobs that were written without this field, and their leads.
pub(super) fn without(
    connection: &dyn Connection,
    target: &str,
    field: &str,
) -> Result<Vec<(i64, LeadId)>, StoreError> {
    let has = match connection.dialect() {
        Dialect::Sqlite => "EXISTS (SELECT 1 FROM json_each(result, '$.left_out') WHERE key = ?2)",
        Dialect::Postgres => "jsonb_exists(result::jsonb -> 'left_out', ?2)",
    };
    let find = format!("SELECT id, lead FROM jobs WHERE target = ?1 AND result IS NOT NULL AND {has}");
    let read = |row: &Row<'_>| Ok((row.get(0)?, lead_of(row.get(1)?)));
    all(connection, "find what was left out", &find, values![target, field], read)
}

/// Asks again for operations that were asked for before. How many.
pub(super) fn want_again(
    connection: &dyn Connection,
    jobs: &[i64],
    now: Timestamp,
) -> Result<usize, StoreError> {
    let mut asked = 0;
    for id in jobs {
        let Some(row) = by_id_to_change(connection, *id)? else { continue };
        let job = row.job;
        let again = Want {
            target: job.target,
            kind: job.kind,
            subject: job.subject,
            priority: Priority::Bulk,
            due_at: now,
            trace_id: job.trace_id,
            only_known: false,
        };
        want::want(connection, job.lead, &again, now)?;
        asked += 1;
    }
    Ok(asked)
}

/// Ends what is open of an operation at every target: it is part of another one now.
pub(super) fn end_merged(
    connection: &dyn Connection,
    lead: LeadId,
    kind: OperationKind,
    subject: &str,
) -> Result<(), StoreError> {
    const FIND: &str = "SELECT id FROM jobs WHERE lead = ? AND kind = ? AND subject = ?
                        AND state NOT IN ('leased', 'done', 'suppressed', 'discarded')";
    let values = values![blob_of(lead.0), kind.as_str(), subject];
    for id in all(connection, "end jobs", FIND, values, |row| row.get::<i64>(0))? {
        merged(connection, id)?;
    }
    Ok(())
}

/// Ends a job that is part of another one now.
pub(super) fn merged(connection: &dyn Connection, id: i64) -> Result<(), StoreError> {
    const SET: &str =
        "UPDATE jobs SET state = 'suppressed', cause = 'merged', again = NULL, again_priority = NULL
                       WHERE id = ?";
    let Some(row) = by_id_to_change(connection, id)? else { return Ok(()) };
    run(connection, "end jobs", SET, values![id])?;
    count(connection, "jobs.suppressed.merged", row.revisions())
}
