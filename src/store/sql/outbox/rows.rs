//! Rows of `jobs`, read.

use super::super::encoding::{self, blob_of, instant};
use crate::store::StoreError;
use crate::store::outbox::{Job, JobState, POSTPONED};
use crate::store::sql::connection::{Connection, Dialect, Row, all, first, only, unreadable, values};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use wabridge_model::id::LeadId;
use wabridge_model::{MatchedBy, OperationKind, Priority, RecordRef};

/// The columns that [`job_row`] reads.
pub(super) const COLUMNS: &str =
    "id, target, lead, kind, subject, revision, state, again, again_priority, priority,
     wanted_at, due_at, attempts, doubtful, lease, cause, result, trace_id";

/// A job with what is nobody else's business.
#[derive(Debug)]
pub(super) struct JobRow {
    pub(super) job: Job,
    /// When the revision is due that waits for this one to be over, and how soon it is wanted.
    pub(super) again: Option<(Timestamp, Priority)>,
    /// The number of its last lease.
    pub(super) lease: Option<i64>,
}

impl JobRow {
    /// How many revisions the row stands for while it is not over.
    pub(super) fn revisions(&self) -> i64 {
        1 + i64::from(self.again.is_some())
    }

    /// A failure sent it back, and it must not be tried before it is due. What a limit put off may be, once it is more
    /// urgent: more room may be left for that.
    pub(super) fn backs_off(&self) -> bool {
        self.job.state == JobState::Doubt || self.job.cause.as_deref().is_some_and(|cause| cause != POSTPONED)
    }
}

/// What is kept of the last write.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Kept {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) record: Option<RecordRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) matched_by: Option<MatchedBy>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) candidates: Vec<RecordRef>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) left_out: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stage: Option<String>,
}

/// How a priority is stored, so that the most urgent is the least.
pub(super) fn rank(priority: Priority) -> i64 {
    match priority {
        Priority::First => 0,
        Priority::Urgent => 1,
        Priority::Bulk => 2,
    }
}

pub(super) fn priority_of(rank: i64) -> Priority {
    match rank {
        0 => Priority::First,
        1 => Priority::Urgent,
        _ => Priority::Bulk,
    }
}

pub(super) fn state_of(name: &str) -> Option<JobState> {
    JobState::ALL.into_iter().find(|state| state.as_str() == name)
}

pub(super) fn kind_of(name: &str) -> Option<OperationKind> {
    OperationKind::ALL.into_iter().find(|kind| kind.as_str() == name)
}

pub(super) fn lead_of(bytes: [u8; 16]) -> LeadId {
    LeadId(encoding::uuid_of(bytes))
}

/// Reads [`COLUMNS`].
pub(super) fn job_row(row: &Row<'_>) -> Result<JobRow, StoreError> {
    let (kind, state): (String, String) = (row.get(3)?, row.get(6)?);
    let again: Option<i64> = row.get(7)?;
    let again_rank: Option<i64> = row.get(8)?;
    let result: Option<String> = row.get(16)?;
    let kept: Kept = match result {
        Some(json) => encoding::from_json(&json).map_err(|_| unreadable())?,
        None => Kept::default(),
    };
    let job = Job {
        id: row.get(0)?,
        target: row.get(1)?,
        lead: lead_of(row.get(2)?),
        kind: kind_of(&kind).ok_or_else(unreadable)?,
        subject: row.get(4)?,
        revision: row.get(5)?,
        state: state_of(&state).ok_or_else(unreadable)?,
        priority: priority_of(row.get(9)?),
        wanted_at: instant(row.get(10)?),
        due_at: instant(row.get(11)?),
        attempts: row.get(12)?,
        doubtful: row.get(13)?,
        cause: row.get(15)?,
        matched_by: kept.matched_by,
        candidates: kept.candidates,
        record: kept.record,
        left_out: kept.left_out,
        stage: kept.stage,
        trace_id: row.get(17)?,
    };
    let again = again.map(|due| (instant(due), again_rank.map_or(job.priority, priority_of)));
    Ok(JobRow { job, again, lease: row.get(14)? })
}

/// What a statement ends with that reads rows in order to change them: where several processes write, nobody else changes
/// them until the transaction ends.
pub(super) fn to_change(connection: &dyn Connection) -> &'static str {
    match connection.dialect() {
        Dialect::Sqlite => "",
        Dialect::Postgres => "FOR UPDATE",
    }
}

/// Keeps others from jobs until the transaction ends, in the order of ids: whoever does so waits for nobody who waits for
/// them.
pub(super) fn hold(connection: &dyn Connection, jobs: &BTreeSet<i64>) -> Result<(), StoreError> {
    const HOLD: &str = "SELECT id FROM jobs WHERE id = ? FOR UPDATE";
    if connection.dialect() == Dialect::Postgres {
        for job in jobs {
            first(connection, "hold jobs", HOLD, values![job], |_| Ok(()))?;
        }
    }
    Ok(())
}

/// Keeps others from a lead's jobs until the transaction ends, unless somebody changes one of them now. Whether it does.
pub(super) fn hold_all_of(connection: &dyn Connection, lead: LeadId) -> Result<bool, StoreError> {
    const HOLD: &str = "SELECT id FROM jobs WHERE lead = ? ORDER BY id FOR UPDATE SKIP LOCKED";
    const COUNT: &str = "SELECT count(*) FROM jobs WHERE lead = ?";
    if connection.dialect() == Dialect::Sqlite {
        return Ok(true);
    }
    let lead = blob_of(lead.0);
    let held = all(connection, "hold jobs", HOLD, values![lead], |_| Ok(()))?.len();
    let count: usize = only(connection, "hold jobs", COUNT, values![lead], |row| row.get(0))?;
    Ok(held == count)
}

/// Reads a job in order to change it.
pub(super) fn by_id_to_change(connection: &dyn Connection, id: i64) -> Result<Option<JobRow>, StoreError> {
    let find = format!("SELECT {COLUMNS} FROM jobs WHERE id = ? {}", to_change(connection));
    first(connection, "read a job", &find, values![id], job_row)
}

pub(super) fn by_id(connection: &dyn Connection, id: i64) -> Result<Option<JobRow>, StoreError> {
    first(connection, "read a job", &format!("SELECT {COLUMNS} FROM jobs WHERE id = ?"), values![id], job_row)
}

/// Every job of a lead at a target, the person first.
pub(super) fn of_lead(
    connection: &dyn Connection,
    target: &str,
    lead: LeadId,
) -> Result<Vec<JobRow>, StoreError> {
    let find = format!("SELECT {COLUMNS} FROM jobs WHERE target = ? AND lead = ?");
    let mut rows = all(connection, "read a lead's jobs", &find, values![target, blob_of(lead.0)], job_row)?;
    rows.sort_by_key(|row| (row.job.kind, row.job.id));
    Ok(rows)
}
