//! The journal: requests with their items, and events by what people know of them.

use super::encoding::{blob_of, event_row, events_of, from_json, instant};
use super::queue;
use crate::store::journal::{Delivery, Entry, EntryItem, Journal, is_traced};
use crate::store::sql::connection::{Connection, Dialect, Row, Values, all, first, values};
use crate::store::sql::requests::proof_of;
use crate::store::sql::{Database, SqlStore};
use crate::store::{EventRow, StoreError};
use jiff::Timestamp;
use std::ops::ControlFlow;
use wabridge_model::id::{EventId, EventKey};

fn entries(connection: &dyn Connection) -> String {
    let settled = queue::is_settled(connection.dialect());
    format!("SELECT id, received_at, channel, proof, length(body), {settled} FROM requests")
}

const DELIVERY: &str =
    "SELECT i.event, i.request, i.ordinal, r.received_at, r.channel, r.proof, i.result, i.reason
                        FROM items i JOIN requests r ON r.id = i.request";

fn entry(row: &Row<'_>) -> Result<Entry, StoreError> {
    Ok(Entry {
        id: row.get(0)?,
        received_at: instant(row.get(1)?),
        channel: row.get(2)?,
        proof: proof_of(&row.get::<String>(3)?),
        bytes: row.get(4)?,
        settled: row.get(5)?,
        items: Vec::new(),
    })
}

fn delivery(row: &Row<'_>) -> Result<Delivery, StoreError> {
    Ok(Delivery {
        event: row.get(0)?,
        request: row.get(1)?,
        ordinal: row.get(2)?,
        received_at: instant(row.get(3)?),
        channel: row.get(4)?,
        proof: proof_of(&row.get::<String>(5)?),
        result: row.get(6)?,
        reason: row.get(7)?,
    })
}

/// Whether `body` contains the text `?1`.
fn body_has(connection: &dyn Connection) -> &'static str {
    match connection.dialect() {
        Dialect::Sqlite => "instr(body, CAST(?1 AS BLOB)) > 0",
        Dialect::Postgres => "position(convert_to(?1, 'UTF8') IN body) > 0",
    }
}

/// The items of a request; what is wrong with it as a whole lies under -1.
fn items(connection: &dyn Connection, request: i64) -> Result<Vec<EntryItem>, StoreError> {
    const FIND: &str = "SELECT i.ordinal, i.result, i.reason, coalesce(q.path, w.path), e.evidence
         FROM items i LEFT JOIN events e ON e.id = i.event
         LEFT JOIN quarantine q ON q.request = i.request AND q.ordinal = i.ordinal
         LEFT JOIN quarantine w ON w.request = i.request AND w.ordinal = -1 AND i.result = 'quarantined'
         WHERE i.request = ? ORDER BY i.ordinal";
    let rows = all(connection, "read a request's items", FIND, values![request], |row| {
        let item = EntryItem {
            ordinal: row.get(0)?,
            result: row.get(1)?,
            reason: row.get(2)?,
            path: row.get(3)?,
            evidence: None,
        };
        Ok((item, row.get::<Option<String>>(4)?))
    })?;
    let whole = |(item, evidence): (EntryItem, Option<String>)| {
        let evidence = evidence.as_deref().map(from_json).transpose()?;
        Ok(EntryItem { evidence, ..item })
    };
    rows.into_iter().map(whole).collect()
}

fn event(connection: &dyn Connection, sql: &str, values: Values<'_>) -> Result<Option<EventRow>, StoreError> {
    first(connection, "find an event", sql, values, event_row)
}

impl<D: Database> Journal for SqlStore<D> {
    fn newest_request(&self) -> Result<i64, StoreError> {
        const FIND: &str = "SELECT coalesce(max(id), 0) FROM requests";
        self.database.read(|connection| {
            Ok(first(connection, "find the newest request", FIND, &[], |row| row.get(0))?.unwrap_or(0))
        })
    }

    fn entries_after(&self, after: i64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        self.database.read(|connection| {
            let find = format!("{} WHERE id > ? ORDER BY id LIMIT ?", entries(connection));
            let mut entries = all(connection, "list requests", &find, values![after, limit], entry)?;
            for entry in entries.iter_mut().filter(|entry| entry.settled) {
                entry.items = items(connection, entry.id)?;
            }
            Ok(entries)
        })
    }

    fn entry(&self, id: i64) -> Result<Option<Entry>, StoreError> {
        self.database.read(|connection| {
            let find = format!("{} WHERE id = ?", entries(connection));
            let mut found = first(connection, "read a request", &find, values![id], entry)?;
            for entry in found.iter_mut().filter(|entry| entry.settled) {
                entry.items = items(connection, entry.id)?;
            }
            Ok(found)
        })
    }

    fn body(&self, id: i64) -> Result<Option<Vec<u8>>, StoreError> {
        const FIND: &str = "SELECT body FROM requests WHERE id = ?";
        self.database.read(|connection| first(connection, "read a body", FIND, values![id], |row| row.get(0)))
    }

    fn event(&self, id: EventId) -> Result<Option<EventRow>, StoreError> {
        const FIND: &str = "SELECT id, cluster, evidence FROM events WHERE event_id = ?";
        self.database.read(|connection| event(connection, FIND, values![blob_of(id.0)]))
    }

    fn event_traced(&self, id: &str) -> Result<Option<EventRow>, StoreError> {
        const FIND: &str = "SELECT id, cluster, evidence FROM events WHERE id = ?";
        self.database.read(|connection| {
            let keys = match connection.dialect() {
                Dialect::Sqlite => "SELECT id, evidence ->> '$[0].event.key' FROM events",
                Dialect::Postgres => "SELECT id, evidence::json #>> '{0,event,key}' FROM events",
            };
            let mut found: Option<i64> = None;
            connection.query("find an event", keys, &[], &mut |row| {
                if !is_traced(EventKey::stored(row.get(1)?).trace_id(), id) {
                    return Ok(ControlFlow::Continue(()));
                }
                found = Some(row.get(0)?);
                Ok(ControlFlow::Break(()))
            })?;
            found.map_or(Ok(None), |id| event(connection, FIND, values![id]))
        })
    }

    fn events_with(&self, text: &str, limit: usize) -> Result<Vec<EventRow>, StoreError> {
        // As JSON writes it, quotes and all: a value of its own, and no part of another.
        let needle = super::encoding::to_json(&text)?;
        self.database.read(|connection| {
            let has = match connection.dialect() {
                Dialect::Sqlite => "instr(evidence, ?) > 0",
                Dialect::Postgres => "strpos(evidence, ?) > 0",
            };
            let find = format!("SELECT id, cluster, evidence FROM events WHERE {has} ORDER BY id LIMIT ?");
            all(connection, "find events", &find, values![needle, limit], event_row)
        })
    }

    fn unread_with(&self, text: &str, limit: usize) -> Result<Vec<i64>, StoreError> {
        self.database.read(|connection| {
            let (waits, has) = (queue::waits(connection.dialect()), body_has(connection));
            let find = format!(
                "SELECT id FROM requests
                 WHERE ({waits} OR id IN (SELECT request FROM quarantine)) AND {has} ORDER BY id LIMIT ?2"
            );
            all(connection, "find requests", &find, values![text, limit], |row| row.get(0))
        })
    }

    fn parked_with(&self, text: &str, limit: usize) -> Result<Vec<(Timestamp, String)>, StoreError> {
        self.database.read(|connection| {
            let has = body_has(connection);
            let find = format!("SELECT received_at, channel FROM parked WHERE {has} ORDER BY id LIMIT ?2");
            let parked = |row: &Row<'_>| Ok((instant(row.get(0)?), row.get(1)?));
            all(connection, "find parked requests", &find, values![text, limit], parked)
        })
    }

    fn newest_parked(&self, channel: &str) -> Result<i64, StoreError> {
        const FIND: &str = "SELECT coalesce(max(id), 0) FROM parked WHERE channel = ?";
        self.database.read(|connection| {
            let newest = first(connection, "find parked requests", FIND, values![channel], |row| row.get(0))?;
            Ok(newest.unwrap_or(0))
        })
    }

    fn events_of(&self, cluster: i64) -> Result<Vec<EventRow>, StoreError> {
        self.database.read(|connection| events_of(connection, cluster))
    }

    fn deliveries(&self, event: i64) -> Result<Vec<Delivery>, StoreError> {
        let find = format!("{DELIVERY} WHERE i.event = ? ORDER BY i.request, i.ordinal");
        self.database.read(|connection| all(connection, "find deliveries", &find, values![event], delivery))
    }

    fn deliveries_of(&self, cluster: i64) -> Result<Vec<Delivery>, StoreError> {
        let find = format!(
            "{DELIVERY} WHERE i.event IN (SELECT id FROM events WHERE cluster = ?) ORDER BY i.request, i.ordinal"
        );
        self.database.read(|connection| all(connection, "find deliveries", &find, values![cluster], delivery))
    }

    fn items_of(&self, request: i64) -> Result<u64, StoreError> {
        const COUNT: &str = "SELECT count(*) FROM items WHERE request = ?";
        self.database.read(|connection| {
            Ok(first(connection, "count items", COUNT, values![request], |row| row.get(0))?.unwrap_or(0))
        })
    }
}
