//! Looking at the outbox: jobs, records, how deep it is, and its part of the books.

use super::super::encoding::{blob_of, from_json, instant};
use super::rows::{self, COLUMNS, job_row, lead_of};
use crate::store::StoreError;
use crate::store::outbox::{Attempt, Depth, Job, JobFilter, JobState, RecordRow};
use crate::store::sql::connection::{Connection, Row, ToParam, all, first, unreadable, values};
use std::collections::BTreeMap;
use wabridge_model::id::LeadId;
use wabridge_model::{MatchedBy, RecordRef};

const DOING: &str = "read jobs";
/// What the index of open jobs is made for.
const IS_OPEN: &str = "state NOT IN ('done', 'suppressed', 'discarded')";

pub(super) fn job(connection: &dyn Connection, id: i64) -> Result<Option<(Job, Vec<Attempt>)>, StoreError> {
    const ATTEMPTS: &str =
        "SELECT revision, began_at, ended_at, result FROM attempts WHERE job = ? ORDER BY lease";
    let Some(row) = rows::by_id(connection, id)? else { return Ok(None) };
    let attempts = all(connection, "read attempts", ATTEMPTS, values![id], |row| {
        Ok(Attempt {
            revision: row.get(0)?,
            began_at: instant(row.get(1)?),
            ended_at: row.get::<Option<i64>>(2)?.map(instant),
            result: row.get(3)?,
        })
    })?;
    Ok(Some((row.job, attempts)))
}

pub(super) fn jobs(
    connection: &dyn Connection,
    filter: &JobFilter,
    after: i64,
    limit: usize,
) -> Result<Vec<Job>, StoreError> {
    let JobFilter { state, target, lead, cause } = filter;
    let lead = lead.map(|lead| blob_of(lead.0));
    // Only what is asked for is asked: so the index of leads is used for a lead, and otherwise the order of ids.
    let mut which = vec!["id > ?1".to_owned()];
    let mut values: Vec<&dyn ToParam> = vec![&after];
    let mut ask = |column: &str, value| {
        values.push(value);
        which.push(format!("{column} = ?{}", values.len()));
    };
    if let Some(target) = target {
        ask("target", target as &dyn ToParam);
    }
    if let Some(lead) = &lead {
        ask("lead", lead);
    }
    if let Some(cause) = cause {
        ask("cause", cause);
    }
    match state {
        Some(state) if state.is_over() => which.push(format!("state = '{}'", state.as_str())),
        Some(state) => which.push(format!("state = '{}' AND {IS_OPEN}", state.as_str())),
        None => {}
    }
    values.push(&limit);
    let (which, limit) = (which.join(" AND "), values.len());
    let find = format!("SELECT {COLUMNS} FROM jobs WHERE {which} ORDER BY id LIMIT ?{limit}");
    let found = all(connection, DOING, &find, &values, job_row)?;
    Ok(found.into_iter().map(|row| row.job).collect())
}

pub(super) fn depth(connection: &dyn Connection) -> Result<Depth, StoreError> {
    let jobs = format!(
        "SELECT target, state, priority, count(*), min(wanted_at) FROM jobs WHERE {IS_OPEN} GROUP BY 1, 2, 3"
    );
    let dead = format!(
        "SELECT target, coalesce(cause, ''), count(*) FROM jobs WHERE state = 'dead' AND {IS_OPEN} GROUP BY 1, 2"
    );
    let mut depth = Depth::default();
    let read = |row: &Row<'_>| {
        let priority = rows::priority_of(row.get(2)?).as_str().to_owned();
        let key: (String, String, String) = (row.get(0)?, row.get(1)?, priority);
        Ok((key, row.get::<i64>(3)?.unsigned_abs(), instant(row.get(4)?)))
    };
    for (key, count, oldest) in all(connection, DOING, &jobs, &[], read)? {
        let known = depth.jobs.entry(key).or_insert((0, oldest));
        *known = (known.0 + count, known.1.min(oldest));
    }
    let read = |row: &Row<'_>| Ok(((row.get(0)?, row.get(1)?), row.get::<i64>(2)?.unsigned_abs()));
    depth.dead = all(connection, DOING, &dead, &[], read)?.into_iter().collect();
    Ok(depth)
}

/// The outbox's part of the books, but for what the counters say.
pub(in crate::store::sql) fn books(connection: &dyn Connection) -> Result<BTreeMap<String, u64>, StoreError> {
    let states = format!("SELECT state, count(*) FROM jobs WHERE {IS_OPEN} GROUP BY state");
    let waiting = format!(
        "SELECT count(*) FROM jobs WHERE state IN ('leased', 'doubt') AND {IS_OPEN} AND again IS NOT NULL"
    );
    let known = |state: &JobState| state.as_str().to_owned();
    let mut books: BTreeMap<String, u64> = JobState::ALL
        .iter()
        .filter(|state| **state != JobState::Suppressed)
        .map(known)
        .chain(["wanted".to_owned()])
        .map(|state| (state, 0))
        .collect();
    let read = |row: &Row<'_>| Ok((row.get(0)?, row.get::<i64>(1)?.unsigned_abs()));
    books.extend(all(connection, DOING, &states, &[], read)?);
    let waiting = first(connection, DOING, &waiting, &[], |row| row.get::<i64>(0))?.unwrap_or(0);
    // The revisions that wait for what is in hand.
    *books.entry(JobState::Pending.as_str().to_owned()).or_default() += waiting.unsigned_abs();
    Ok(books)
}

const RECORD: &str = "object, id, url, matched_by, written";

fn record_row(row: &Row<'_>) -> Result<RecordRow, StoreError> {
    let (matched_by, written): (String, String) = (row.get(3)?, row.get(4)?);
    let matched_by = serde_json::from_value::<MatchedBy>(matched_by.into()).map_err(|_| unreadable())?;
    Ok(RecordRow {
        record: RecordRef { object: row.get(0)?, id: row.get(1)? },
        url: row.get(2)?,
        matched_by,
        written: from_json(&written).map_err(|_| unreadable())?,
    })
}

/// The record of a lead at a target.
pub(super) fn record(
    connection: &dyn Connection,
    target: &str,
    lead: LeadId,
) -> Result<Option<RecordRow>, StoreError> {
    let find = format!("SELECT {RECORD} FROM records WHERE target = ? AND lead = ?");
    first(connection, "read a record", &find, values![target, blob_of(lead.0)], record_row)
}

pub(super) fn records(
    connection: &dyn Connection,
    leads: &[LeadId],
) -> Result<Vec<(LeadId, String, RecordRow)>, StoreError> {
    let find = format!("SELECT {RECORD}, target FROM records WHERE lead = ? ORDER BY target");
    let mut found = Vec::new();
    for lead in leads {
        let read = |row: &Row<'_>| Ok((*lead, row.get(5)?, record_row(row)?));
        found.extend(all(connection, "read records", &find, values![blob_of(lead.0)], read)?);
    }
    Ok(found)
}

pub(super) fn lead_of_record(
    connection: &dyn Connection,
    target: Option<&str>,
    id: &str,
) -> Result<Vec<(LeadId, String)>, StoreError> {
    let at = if target.is_some() { "AND target = ?2" } else { "" };
    let find = format!("SELECT lead, target FROM records WHERE id = ?1 {at} ORDER BY target, lead");
    let read = |row: &Row<'_>| Ok((lead_of(row.get(0)?), row.get(1)?));
    match target {
        Some(target) => all(connection, "find a record", &find, values![id, target], read),
        None => all(connection, "find a record", &find, values![id], read),
    }
}
