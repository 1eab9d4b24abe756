//! Leads that turn out to be one: what was wanted and written under an id that answers no more.
//!
//! In: the ids of one lead, the one it answers under first. Out: its jobs and conversations under that one. Of two
//! jobs for the person one goes on. A record moves along unless there is one already: then it stays recorded
//! where it was.

use super::super::encoding::blob_of;
use super::super::read::cluster_of;
use super::super::rows::SqlRows;
use super::rows::{COLUMNS, JobRow, job_row};
use super::{tend, want};
use crate::routing::Want;
use crate::store::outbox::{JobState, ROLLOUT};
use crate::store::sql::connection::{Connection, all, run, values};
use crate::store::{Rows, StoreError};
use jiff::Timestamp;
use wabridge_model::id::LeadId;

const DOING: &str = "join what two leads have in the outbox";

/// Every id of the lead behind one of them, the one it answers under first; the id itself where nobody is.
pub(super) fn ids_of(connection: &dyn Connection, lead: LeadId) -> Result<Vec<LeadId>, StoreError> {
    let Some((cluster, identity, tenure)) = cluster_of(connection, lead)? else { return Ok(vec![lead]) };
    let mut rows = SqlRows::at(connection, Timestamp::UNIX_EPOCH);
    let state = rows.state(cluster)?;
    let bears = |lead: &&wabridge_model::lead::Lead| {
        lead.names.iter().any(|name| name.bears_id() && name.identity == identity && name.tenure == tenure)
    };
    let ids = match state.leads.iter().find(bears) {
        Some(found) => rows.lead_ids(found)?,
        None => Vec::new(),
    };
    Ok(if ids.is_empty() { vec![lead] } else { ids })
}

/// Moves what belongs to any of the ids to the first of them, which it returns.
pub(super) fn unite(
    connection: &dyn Connection,
    ids: &[LeadId],
    now: Timestamp,
) -> Result<LeadId, StoreError> {
    const CONVERSATIONS: &str = "UPDATE conversations SET lead = ? WHERE lead = ?";
    // In order of the ids: of several records the oldest goes along.
    const RECORDS: &str = "UPDATE records SET lead = ?1 WHERE lead = ?2
         AND NOT EXISTS (SELECT 1 FROM records AS other WHERE other.target = records.target AND other.lead = ?1)";
    const HELD: &str = "SELECT id FROM jobs WHERE lead = ? AND state = 'held' AND cause = ?";
    let (into, others) = ids.split_first().expect("a lead has an id");
    let mut moved = false;
    for other in others {
        let (to, from) = (blob_of(into.0), blob_of(other.0));
        let find = format!("SELECT {COLUMNS} FROM jobs WHERE lead = ?");
        for row in all(connection, DOING, &find, values![from], job_row)? {
            moved = true;
            bring(connection, &row, *into, now)?;
        }
        run(connection, DOING, CONVERSATIONS, values![to, from])?;
        let records = run(connection, DOING, RECORDS, values![to, from])?;
        moved |= records > 0;
    }
    if moved {
        // Whether this lead is in is another question now: one of the two may have a record.
        let held = all(connection, DOING, HELD, values![blob_of(into.0), ROLLOUT], |row| row.get(0))?;
        tend::make_pending(connection, &held, &["held"], now)?;
    }
    Ok(*into)
}

/// Brings a job to another lead, whose own goes on where it has one.
fn bring(connection: &dyn Connection, row: &JobRow, into: LeadId, now: Timestamp) -> Result<(), StoreError> {
    const MOVE: &str = "UPDATE jobs SET lead = ?1 WHERE id = ?2
         AND NOT EXISTS (SELECT 1 FROM jobs AS other WHERE other.target = jobs.target AND other.lead = ?1
                         AND other.kind = jobs.kind AND other.subject = jobs.subject)";
    const DOUBT: &str =
        "UPDATE jobs SET doubtful = 1 WHERE target = ? AND lead = ? AND kind = ? AND subject = ?";
    let job = &row.job;
    let moved = run(connection, DOING, MOVE, values![blob_of(into.0), job.id])? > 0;
    if moved || job.state.is_over() || job.state == JobState::Leased {
        return Ok(());
    }
    tend::merged(connection, job.id)?;
    let asked = Want {
        target: job.target.clone(),
        kind: job.kind,
        subject: job.subject.clone(),
        priority: job.priority,
        due_at: job.due_at,
        trace_id: job.trace_id.clone(),
        only_known: false,
    };
    want::want(connection, into, &asked, now)?;
    if job.doubtful {
        let values = values![job.target, blob_of(into.0), job.kind.as_str(), job.subject];
        run(connection, DOING, DOUBT, values)?;
    }
    Ok(())
}
