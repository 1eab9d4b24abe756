//! Settling: what became of what was leased.

use super::super::encoding::{blob_of, millis, to_json};
use super::rows::{self, JobRow, Kept, by_id_to_change, rank};
use super::{count, resync, want};
use crate::store::StoreError;
use crate::store::outbox::{End, JobState, RecordRow, Settled};
use crate::store::sql::connection::{Connection, run, values};
use jiff::Timestamp;
use wabridge_model::OperationKind;
use wabridge_model::id::LeadId;

const DOING: &str = "settle jobs";

/// Settles one bundle. What was leased again since, or is settled, stays as it is.
pub(super) fn settle(connection: &dyn Connection, settled: &Settled) -> Result<(), StoreError> {
    rows::hold(connection, &settled.ends.iter().map(|(id, ..)| *id).collect())?;
    let mut lead = None;
    for (id, revision, end) in &settled.ends {
        let Some(row) = by_id_to_change(connection, *id)? else { continue };
        let in_hand = matches!(row.job.state, JobState::Leased | JobState::Doubt);
        if !in_hand || row.lease != Some(settled.lease) || row.job.revision != *revision {
            continue;
        }
        // It may turn out to be another lead's while it is written.
        lead.get_or_insert(row.job.lead);
        close(connection, &row, settled, end)?;
        apply(connection, &row, end, settled.at)?;
    }
    match (lead, &settled.record) {
        (Some(lead), Some(record)) => keep_record(connection, settled, lead, record.as_ref()),
        _ => Ok(()),
    }
}

fn close(connection: &dyn Connection, row: &JobRow, settled: &Settled, end: &End) -> Result<(), StoreError> {
    const CLOSE: &str = "UPDATE attempts SET ended_at = ?, result = ? WHERE job = ? AND lease = ?";
    let values = values![millis(settled.at), said(end), row.job.id, settled.lease];
    run(connection, DOING, CLOSE, values).map(drop)
}

/// What an attempt came to, in a line.
fn said(end: &End) -> String {
    match end {
        End::Done { record: Some(record), .. } => format!("done: {record}"),
        End::Done { record: None, .. } => "done".to_owned(),
        End::Suppressed(reason) => format!("suppressed: {reason}"),
        End::Retry { cause, .. } => format!("retry: {cause}"),
        End::Doubt { cause, .. } => format!("doubt: {cause}"),
        End::Held(cause) => format!("held: {cause}"),
        End::Dead(cause) => format!("dead: {cause}"),
    }
}

fn apply(connection: &dyn Connection, row: &JobRow, end: &End, at: Timestamp) -> Result<(), StoreError> {
    let job = &row.job;
    match end {
        End::Done { record, matched_by, candidates, left_out, stage } => {
            let kept = Kept {
                record: record.clone().or_else(|| job.record.clone()),
                matched_by: matched_by.or(job.matched_by),
                candidates: candidates.clone(),
                left_out: left_out.clone(),
                stage: stage.clone().or_else(|| job.stage.clone()),
            };
            const KEEP: &str = "UPDATE jobs SET result = ? WHERE id = ?";
            run(connection, DOING, KEEP, values![to_json(&kept)?, job.id])?;
            count(connection, "jobs.done", 1)?;
            over(connection, row, "done", None, at)
        }
        End::Suppressed(reason) => {
            count(connection, &format!("jobs.suppressed.{reason}"), 1)?;
            over(connection, row, "suppressed", Some(reason), at)
        }
        End::Retry { due_at, spent, cause } => {
            stay(connection, row, "pending", Some(*due_at), cause, i64::from(*spent))?;
            coalesce(connection, row)?;
            released(connection, row)
        }
        End::Doubt { due_at, cause } => {
            run(connection, DOING, "UPDATE jobs SET doubtful = 1 WHERE id = ?", values![job.id])?;
            stay(connection, row, "doubt", Some(*due_at), cause, 1)
        }
        End::Held(cause) => {
            stay(connection, row, "held", None, cause, 0)?;
            coalesce(connection, row)
        }
        End::Dead(cause) => {
            stay(connection, row, "dead", None, cause, 1)?;
            match row.again {
                // It was asked for anew: what killed this one may have changed.
                Some(_) => {
                    count(connection, "jobs.suppressed.coalesced", 1)?;
                    begin_anew(connection, row, at)
                }
                None => Ok(()),
            }
        }
    }
}

/// Ends a revision; the one that waited for it begins.
fn over(
    connection: &dyn Connection,
    row: &JobRow,
    state: &str,
    cause: Option<&str>,
    at: Timestamp,
) -> Result<(), StoreError> {
    const SET: &str = "UPDATE jobs SET state = ?, cause = ?, doubtful = 0, attempts = attempts + 1,
             leased_until = NULL WHERE id = ?";
    run(connection, DOING, SET, values![state, cause, row.job.id])?;
    if row.again.is_some() {
        begin_anew(connection, row, at)?;
    }
    released(connection, row)
}

fn begin_anew(connection: &dyn Connection, row: &JobRow, at: Timestamp) -> Result<(), StoreError> {
    const SET: &str = "UPDATE jobs SET state = 'pending', revision = revision + 1, cause = NULL, attempts = 0,
             doubtful = 0, wanted_at = ?, due_at = ?, priority = ?, again = NULL, again_priority = NULL WHERE id = ?";
    let Some((due, priority)) = row.again else { return Ok(()) };
    run(connection, DOING, SET, values![millis(at), millis(due), rank(priority), row.job.id]).map(drop)
}

/// Puts a revision that is not over where it waits.
fn stay(
    connection: &dyn Connection,
    row: &JobRow,
    state: &str,
    due: Option<Timestamp>,
    cause: &str,
    spent: i64,
) -> Result<(), StoreError> {
    const SET: &str = "UPDATE jobs SET state = ?, due_at = ?, cause = ?, attempts = attempts + ?,
             leased_until = NULL WHERE id = ?";
    let due = millis(due.unwrap_or(row.job.due_at));
    run(connection, DOING, SET, values![state, due, cause, spent, row.job.id]).map(drop)
}

/// What was asked for meanwhile is one with what is tried again.
fn coalesce(connection: &dyn Connection, row: &JobRow) -> Result<(), StoreError> {
    const SET: &str = "UPDATE jobs SET revision = revision + 1, 
             priority = CASE WHEN again_priority < priority THEN again_priority ELSE priority END,
             again = NULL, again_priority = NULL WHERE id = ? AND again IS NOT NULL";
    let coalesced = run(connection, DOING, SET, values![row.job.id])?;
    count(connection, "jobs.suppressed.coalesced", i64::from(coalesced > 0))
}

/// What waited for the person waits no more.
fn released(connection: &dyn Connection, row: &JobRow) -> Result<(), StoreError> {
    match row.job.kind {
        OperationKind::Person => want::release(connection, &row.job.target, row.job.lead),
        OperationKind::Instruction | OperationKind::Activity | OperationKind::Deal | OperationKind::Task => {
            Ok(())
        }
    }
}

fn keep_record(
    connection: &dyn Connection,
    settled: &Settled,
    lead: LeadId,
    record: Option<&RecordRow>,
) -> Result<(), StoreError> {
    const KEEP: &str = "INSERT INTO records (target, lead, object, id, url, matched_by, written)
         VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (target, lead) DO UPDATE SET object = excluded.object, id = excluded.id,
             url = excluded.url, matched_by = excluded.matched_by, written = excluded.written";
    let (doing, target) = ("keep a record", &settled.target);
    let Some(RecordRow { record, url, matched_by, written }) = record else {
        let forget = "DELETE FROM records WHERE target = ? AND lead = ?";
        return run(connection, doing, forget, values![target, blob_of(lead.0)]).map(drop);
    };
    let mut written = written.clone();
    resync::keep_newer(connection, target, lead, settled.lease, &mut written)?;
    let (lead, written) = (blob_of(lead.0), to_json(&written)?);
    let values = values![target, lead, record.object, record.id, url, matched_by.as_str(), written];
    run(connection, doing, KEEP, values).map(drop)
}
