//! What is known of targets beside their configuration, and what a target in shadow mode would have been sent.

use super::super::encoding::{blob_of, from_json, instant, millis, to_json};
use super::rows::{kind_of, lead_of};
use crate::store::StoreError;
use crate::store::outbox::{ShadowRow, TargetRow};
use crate::store::signal::Signal;
use crate::store::sql::connection::{Connection, Row, all, first, run, unreadable, values};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use wabridge_model::MatchedBy;
use wabridge_model::id::LeadId;

pub(super) fn target(connection: &dyn Connection, name: &str) -> Result<TargetRow, StoreError> {
    const FIND: &str = "SELECT paused, schema, schema_at FROM targets WHERE name = ?";
    let read = |row: &Row<'_>| {
        Ok((row.get::<Option<String>>(0)?, row.get::<Option<String>>(1)?, row.get::<Option<i64>>(2)?))
    };
    let Some((paused, schema, at)) = first(connection, "read a target", FIND, values![name], read)? else {
        return Ok(TargetRow::default());
    };
    let schema = match (schema, at) {
        (Some(json), Some(at)) => Some((from_json(&json)?, instant(at))),
        _ => None,
    };
    Ok(TargetRow { paused, schema })
}

pub(super) fn pause(connection: &dyn Connection, name: &str, cause: Option<&str>) -> Result<(), StoreError> {
    const SET: &str = "INSERT INTO targets (name, paused) VALUES (?, ?)
                       ON CONFLICT (name) DO UPDATE SET paused = excluded.paused";
    connection.signal(Signal::Jobs)?;
    run(connection, "pause a target", SET, values![name, cause]).map(drop)
}

pub(super) fn keep_schema(
    connection: &dyn Connection,
    name: &str,
    schema: &Value,
    at: Timestamp,
) -> Result<(), StoreError> {
    const SET: &str = "INSERT INTO targets (name, schema, schema_at) VALUES (?, ?, ?)
                       ON CONFLICT (name) DO UPDATE SET schema = excluded.schema, schema_at = excluded.schema_at";
    run(connection, "keep a schema", SET, values![name, schema.to_string(), millis(at)]).map(drop)
}

/// What a row of `shadow` holds beside its key.
#[derive(Serialize, Deserialize)]
struct Worked {
    action: String,
    #[serde(default)]
    matched_by: Option<MatchedBy>,
    #[serde(default)]
    diff: BTreeMap<String, (Value, Value)>,
}

pub(super) fn keep_shadow(
    connection: &dyn Connection,
    target: &str,
    rows: &[ShadowRow],
) -> Result<(), StoreError> {
    const KEEP: &str = "INSERT INTO shadow (target, lead, kind, at, row) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (target, lead, kind) DO UPDATE SET at = excluded.at, row = excluded.row";
    for ShadowRow { lead, kind, at, action, matched_by, diff } in rows {
        let worked = Worked { action: action.clone(), matched_by: *matched_by, diff: diff.clone() };
        let values = values![target, blob_of(lead.0), kind.as_str(), millis(*at), to_json(&worked)?];
        run(connection, "keep what was not written", KEEP, values)?;
    }
    Ok(())
}

pub(super) fn shadow(
    connection: &dyn Connection,
    target: &str,
    after: Option<LeadId>,
    limit: usize,
) -> Result<Vec<ShadowRow>, StoreError> {
    const FIND: &str = "SELECT lead, kind, at, row FROM shadow WHERE target = ?1 AND lead > ?2
         ORDER BY lead, kind LIMIT ?3";
    let after: Vec<u8> = after.map(|lead| blob_of(lead.0).to_vec()).unwrap_or_default();
    all(connection, "read what was not written", FIND, values![target, after, limit], |row| {
        let (kind, json): (String, String) = (row.get(1)?, row.get(3)?);
        let Worked { action, matched_by, diff } = from_json(&json).map_err(|_| unreadable())?;
        Ok(ShadowRow {
            lead: lead_of(row.get(0)?),
            kind: kind_of(&kind).ok_or_else(unreadable)?,
            at: instant(row.get(2)?),
            action,
            matched_by,
            diff,
        })
    })
}
