//! Looking at what was written again: the marks of a resync, and the jobs that follow them.

use super::super::encoding::{blob_of, from_json, to_json};
use super::read::record;
use super::rows::lead_of;
use super::tend;
use crate::store::sql::connection::{Connection, Row, all, first, run, values};
use crate::store::{StoreError, again};
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;
use wabridge_model::id::LeadId;

const DOING: &str = "look at what was written again";

/// What is remembered of a record, by field.
type Written = BTreeMap<String, Value>;

/// The last of the next leads that have a record at a target, and those of them in whose record any of the fields is
/// not left to somebody else. `None` after the end.
pub(super) fn page(
    connection: &dyn Connection,
    target: &str,
    fields: &[String],
    after: Option<LeadId>,
    limit: usize,
) -> Result<Option<(LeadId, Vec<LeadId>)>, StoreError> {
    const FIND: &str =
        "SELECT lead, written FROM records WHERE target = ?1 AND lead > ?2 ORDER BY lead LIMIT ?3";
    let after: Vec<u8> = after.map(|lead| blob_of(lead.0).to_vec()).unwrap_or_default();
    let read = |row: &Row<'_>| Ok((lead_of(row.get(0)?), row.get::<String>(1)?));
    let rows = all(connection, DOING, FIND, values![target, after, limit], read)?;
    let Some((last, _)) = rows.last() else { return Ok(None) };
    let last = *last;
    let mut leads = Vec::new();
    for (lead, json) in rows {
        let written: Written = from_json(&json)?;
        if fields.iter().any(|field| written.get(field).is_none_or(|it| !again::is_left(it))) {
            leads.push(lead);
        }
    }
    Ok(Some((last, leads)))
}

/// Marks the fields of these leads' records, and asks for the people again, behind what is urgent. How many.
pub(super) fn want(
    connection: &dyn Connection,
    target: &str,
    fields: &[String],
    leads: &[LeadId],
    now: Timestamp,
) -> Result<usize, StoreError> {
    const NEWEST: &str = "SELECT value FROM meta WHERE name = 'leases'";
    const KEEP: &str = "UPDATE records SET written = ? WHERE target = ? AND lead = ?";
    const FIND: &str =
        "SELECT id FROM jobs WHERE target = ? AND lead = ? AND kind = 'person' AND subject = ''";
    let newest = first(connection, DOING, NEWEST, &[], |row| row.get::<i64>(0))?.unwrap_or_default();
    let mut asked = 0;
    for lead in leads {
        // Whose record was forgotten since is looked for anew by itself.
        let Some(mut written) = record(connection, target, *lead)?.map(|row| row.written) else { continue };
        again::mark(&mut written, fields, newest);
        run(connection, DOING, KEEP, values![to_json(&written)?, target, blob_of(lead.0)])?;
        let jobs = all(connection, DOING, FIND, values![target, blob_of(lead.0)], |row| row.get(0))?;
        asked += tend::want_again(connection, &jobs, now)?;
    }
    Ok(asked)
}

/// Puts those marks back that were made since a lease began.
pub(super) fn keep_newer(
    connection: &dyn Connection,
    target: &str,
    lead: LeadId,
    lease: i64,
    new: &mut Written,
) -> Result<(), StoreError> {
    if let Some(stored) = record(connection, target, lead)? {
        again::keep_newer(new, &stored.written, lease);
    }
    Ok(())
}
