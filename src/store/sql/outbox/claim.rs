//! Leasing: which leads are due, and all that goes with them.

use super::super::encoding::{instant, millis};
use super::rows::{JobRow, hold_all_of, lead_of, of_lead};
use super::{conversations, count, read, unite};
use crate::routing::BULK_INTERVAL;
use crate::store::StoreError;
use crate::store::outbox::{Claim, JobState, Leased};
use crate::store::sql::connection::{Connection, all, first, run, values};
use jiff::Timestamp;
use wabridge_model::id::LeadId;
use wabridge_model::{OperationKind, Priority};

const DOING: &str = "lease jobs";
/// The next due job of a priority, after one.
pub(super) const NEXT: &str = "SELECT due_at, id, lead FROM jobs
     WHERE target = ?1 AND state IN ('pending', 'doubt') AND priority = ?2 AND due_at <= ?3 AND (due_at, id) > (?4, ?5)
     ORDER BY due_at, id LIMIT 1";
/// When the first job of a priority is due; of a lead that is being written, none is.
pub(super) const FIRST_DUE: &str = "SELECT due_at FROM jobs
     WHERE target = ?1 AND state IN ('pending', 'doubt') AND priority = ?2
     AND NOT EXISTS (SELECT 1 FROM jobs AS other
                     WHERE other.target = ?1 AND other.lead = jobs.lead AND other.state = 'leased')
     ORDER BY due_at LIMIT 1";

/// A lease: its number, and until when it lasts by the clock that leases run on.
#[derive(Clone, Copy)]
struct Lease {
    number: i64,
    until: i64,
}

/// Leases what is due.
pub(super) fn claim(connection: &dyn Connection, claim: &Claim<'_>) -> Result<Vec<Leased>, StoreError> {
    const DRAW: &str = "UPDATE meta SET value = value + 1 WHERE name = 'leases' RETURNING value";
    let number = first(connection, DOING, DRAW, &[], |row| row.get(0))?.unwrap_or(0);
    let until = connection.now(millis(claim.now))? + millis(claim.until) - millis(claim.now);
    let lease = Lease { number, until };
    let mut leased = Vec::new();
    let urgent = [Priority::First, Priority::Urgent].as_slice();
    for (priorities, limit) in [(urgent, claim.urgent), (&[Priority::Bulk], claim.bulk)] {
        let full = leased.len() + limit;
        for priority in priorities.iter().filter(|priority| **priority <= claim.down_to) {
            lease_some(connection, claim, lease, *priority, full, &mut leased)?;
        }
    }
    Ok(leased)
}

fn lease_some(
    connection: &dyn Connection,
    claim: &Claim<'_>,
    lease: Lease,
    priority: Priority,
    full: usize,
    leased: &mut Vec<Leased>,
) -> Result<(), StoreError> {
    let rank = super::rows::rank(priority);
    let mut after = (i64::MIN, 0_i64);
    while leased.len() < full {
        let values = values![claim.target, rank, millis(claim.now), after.0, after.1];
        let next = first(connection, DOING, NEXT, values, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let Some((due, id, lead)) = next else { break };
        after = (due, id);
        leased.extend(bundle(connection, claim, lease, lead_of(lead))?);
    }
    Ok(())
}

/// Leases all that goes with one lead, if nothing keeps it from being written now.
fn bundle(
    connection: &dyn Connection,
    claim: &Claim<'_>,
    lease: Lease,
    lead: LeadId,
) -> Result<Option<Leased>, StoreError> {
    let ids = unite::ids_of(connection, lead)?;
    for id in &ids {
        // Who asks for something of this lead just now goes first: it is looked at again in a moment.
        if !hold_all_of(connection, *id)? {
            return Ok(None);
        }
    }
    let lead = unite::unite(connection, &ids, claim.now)?;
    let rows = of_lead(connection, claim.target, lead)?;
    let is_leased = |row: &JobRow| row.job.state == JobState::Leased;
    let mut others = ids.iter().filter(|id| **id != lead);
    if rows.iter().any(is_leased)
        || others.try_fold(false, |any, id| {
            of_lead(connection, claim.target, *id).map(|rows| any || rows.iter().any(is_leased))
        })?
    {
        return Ok(None);
    }
    let record = read::record(connection, claim.target, lead)?;
    if !person_allows(connection, claim, &rows, record.is_some())? {
        return Ok(None);
    }
    let mut jobs = Vec::new();
    for mut row in of_lead(connection, claim.target, lead)? {
        if !goes_along(&row, claim, record.is_some()) {
            continue;
        }
        take(connection, claim, lease, &row)?;
        row.job.state = JobState::Leased;
        row.job.revision += i64::from(row.again.is_some());
        jobs.push(row.job);
    }
    Ok((!jobs.is_empty()).then_some(Leased { lease: lease.number, lead, jobs, record }))
}

/// Whether the person's own job lets the others go: one that is dead or held holds them, one that waits for its
/// time makes them wait too.
fn person_allows(
    connection: &dyn Connection,
    claim: &Claim<'_>,
    rows: &[JobRow],
    has_record: bool,
) -> Result<bool, StoreError> {
    const HOLD: &str = "UPDATE jobs SET state = 'held', cause = ? WHERE id = ?";
    const PUT_OFF: &str = "UPDATE jobs SET due_at = ? WHERE id = ?";
    let Some(person) = rows.iter().find(|row| row.job.kind == OperationKind::Person) else { return Ok(true) };
    let others = rows.iter().filter(|row| row.job.kind != OperationKind::Person);
    let cause = match person.job.state {
        JobState::Dead => Some("person_dead"),
        JobState::Held => Some("person_held"),
        JobState::Discarded if !has_record => Some("person_discarded"),
        _ => None,
    };
    if let Some(cause) = cause {
        for row in others.filter(|row| row.job.state == JobState::Pending) {
            run(connection, DOING, HOLD, values![cause, row.job.id])?;
        }
        return Ok(true);
    }
    let waits = matches!(person.job.state, JobState::Pending | JobState::Doubt)
        && person.backs_off()
        && person.job.due_at > claim.now;
    if waits {
        let open = |row: &&JobRow| matches!(row.job.state, JobState::Pending | JobState::Doubt);
        for row in others.filter(open).filter(|row| row.job.due_at < person.job.due_at) {
            run(connection, DOING, PUT_OFF, values![millis(person.job.due_at), row.job.id])?;
        }
    }
    Ok(!waits)
}

/// Whether a job is leased with its lead: it is due, or it will be soon and one call may do for both. The person
/// goes before everything else where no record is known.
fn goes_along(row: &JobRow, claim: &Claim<'_>, has_record: bool) -> bool {
    let (job, now) = (&row.job, claim.now);
    let is_needed = job.kind == OperationKind::Person && !has_record;
    if job.priority > claim.down_to && !is_needed {
        return false;
    }
    match job.state {
        JobState::Pending | JobState::Doubt if row.backs_off() => job.due_at <= now,
        JobState::Pending => job.due_at <= now + BULK_INTERVAL || is_needed,
        _ => false,
    }
}

fn take(
    connection: &dyn Connection,
    claim: &Claim<'_>,
    lease: Lease,
    row: &JobRow,
) -> Result<(), StoreError> {
    const TAKE: &str = "UPDATE jobs SET state = 'leased', lease = ?2, leased_until = ?3, revision = ?4,
             again = NULL, again_priority = NULL WHERE id = ?1";
    const TRY: &str = "INSERT INTO attempts (job, lease, revision, began_at) VALUES (?, ?, ?, ?)";
    const FORGET: &str = "DELETE FROM attempts WHERE job = ?1 AND lease <=
             (SELECT lease FROM attempts WHERE job = ?1 ORDER BY lease DESC LIMIT 1 OFFSET 20)";
    let job = &row.job;
    // What waited for a doubt to be resolved is written with it.
    let revision = job.revision + i64::from(row.again.is_some());
    count(connection, "jobs.suppressed.coalesced", i64::from(row.again.is_some()))?;
    run(connection, DOING, TAKE, values![job.id, lease.number, lease.until, revision])?;
    run(connection, DOING, TRY, values![job.id, lease.number, revision, millis(claim.now)])?;
    run(connection, DOING, FORGET, values![job.id])?;
    if job.kind == OperationKind::Activity {
        conversations::freeze(connection, &job.subject)?;
    }
    Ok(())
}

/// When the next job of a target is due that is at least so urgent.
pub(super) fn next_due(
    connection: &dyn Connection,
    target: &str,
    down_to: Priority,
) -> Result<Option<Timestamp>, StoreError> {
    let mut next = None;
    let all_of = [Priority::First, Priority::Urgent, Priority::Bulk];
    for priority in all_of.into_iter().filter(|priority| *priority <= down_to) {
        let values = values![target, super::rows::rank(priority)];
        let due: Vec<i64> = all(connection, "read when a job is due", FIRST_DUE, values, |row| row.get(0))?;
        next = due.into_iter().chain(next).min();
    }
    Ok(next.map(instant))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite;

    #[test]
    fn what_is_due_is_found_by_its_index_among_a_hundred_thousand_that_are_done() {
        const FILL: &str = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 100000)
             INSERT INTO jobs (target, lead, kind, subject, revision, state, priority, wanted_at, due_at, trace_id)
             SELECT 'crm', randomblob(16), 'person', '', 1, iif(n % 1000, 'done', 'pending'), n % 3, n, n, '' FROM n";
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("store.db");
        sqlite::SqliteStore::prepare(&path).unwrap();
        let connection = sqlite::open_file(&path).unwrap();
        for sql in [FILL, "ANALYZE"] {
            run(&connection, "fill", sql, &[]).unwrap();
        }
        for (sql, count) in [(NEXT, 5), (FIRST_DUE, 2)] {
            let plan = sqlite::plan(&path, sql, count);
            assert!(plan.iter().any(|step| step.contains("jobs_due")), "{plan:?}");
            assert!(!plan.iter().any(|step| step.contains("SCAN") || step.contains("TEMP")), "{plan:?}");
        }
        let now = instant(100_000);
        let claim = Claim { target: "crm", now, until: now, urgent: 10, bulk: 10, down_to: Priority::Bulk };
        assert_eq!(super::claim(&connection, &claim).unwrap().len(), 20);
    }
}
