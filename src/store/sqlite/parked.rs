//! Parked requests: the right path token, the wrong signature, and a provider that will not send them again.
//!
//! In: what could not be proven but may be real. Out: the same, for as long and as much as is allowed, until
//! it is proven by today's secrets or too old. Nothing here is parsed.

use super::sql::{failed, instant, millis, to_json};
use crate::store::replay::{MOST_PARKED_BYTES, PARKED_FOR, Parked};
use crate::store::{Request, StoreError};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

const BYTES: &str = "parked.bytes";
const COUNT: &str = "requests.parked";

/// Parks a request, unless too much is parked already. Says whether it did.
pub(super) fn park(connection: &mut Connection, parked: &Parked) -> Result<bool, StoreError> {
    let doing = "park a request";
    let transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed(doing))?;
    let oldest = millis(parked.received_at - PARKED_FOR);
    remove(&transaction, "received_at < ?", oldest)?;
    let held: Option<i64> = transaction
        .query_row("SELECT value FROM counters WHERE name = ?", [BYTES], |row| row.get(0))
        .optional()
        .map_err(failed(doing))?;
    let bytes = i64::try_from(parked.body.len()).unwrap_or(i64::MAX);
    let fits = held.unwrap_or(0).saturating_add(bytes) <= MOST_PARKED_BYTES;
    if fits {
        transaction
            .execute(
                "INSERT INTO parked (received_at, channel, query, headers, body) VALUES (?, ?, ?, ?, ?)",
                params![
                    millis(parked.received_at),
                    parked.channel,
                    parked.query,
                    to_json(&parked.headers)?,
                    parked.body
                ],
            )
            .map_err(failed(doing))?;
        count(&transaction, COUNT, 1)?;
        count(&transaction, BYTES, bytes)?;
    }
    transaction.commit().map_err(failed(doing))?;
    Ok(fits)
}

/// Makes requests of parked ones that were proven after all, in one transaction.
pub(super) fn unpark(connection: &mut Connection, proven: &[(i64, Request)]) -> Result<(), StoreError> {
    let doing = "store a parked request";
    let transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed(doing))?;
    for (id, request) in proven {
        // Another replay may have been faster.
        if remove(&transaction, "id = ?", *id)? == 1 {
            super::writer::insert_all(&transaction, std::slice::from_ref(request))?;
        }
    }
    transaction.commit().map_err(failed(doing))
}

/// Parked requests after a row, oldest first.
pub(super) fn after(
    connection: &Connection,
    after: i64,
    limit: usize,
) -> Result<Vec<(i64, Parked)>, StoreError> {
    let doing = "read parked requests";
    let mut statement = connection
        .prepare_cached(
            "SELECT id, received_at, channel, query, headers, body FROM parked WHERE id > ? ORDER BY id LIMIT ?",
        )
        .map_err(failed(doing))?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = statement.query_map([after, limit], |row| {
        let headers: String = row.get(4)?;
        let parked = Parked {
            received_at: instant(row.get(1)?),
            channel: row.get(2)?,
            query: row.get(3)?,
            headers: serde_json::from_str(&headers).unwrap_or_default(),
            body: row.get(5)?,
        };
        Ok((row.get(0)?, parked))
    });
    rows.map_err(failed(doing))?.map(|row| row.map_err(failed(doing))).collect()
}

/// Removes parked requests and counts them down; how many.
fn remove(connection: &Connection, which: &str, value: i64) -> Result<i64, StoreError> {
    let doing = "remove parked requests";
    let sum = format!("SELECT count(*), coalesce(sum(length(body)), 0) FROM parked WHERE {which}");
    let (rows, bytes): (i64, i64) =
        connection.query_row(&sum, [value], |row| Ok((row.get(0)?, row.get(1)?))).map_err(failed(doing))?;
    if rows > 0 {
        connection.execute(&format!("DELETE FROM parked WHERE {which}"), [value]).map_err(failed(doing))?;
        count(connection, COUNT, -rows)?;
        count(connection, BYTES, -bytes)?;
    }
    Ok(rows)
}

fn count(connection: &Connection, name: &str, by: i64) -> Result<(), StoreError> {
    connection
        .execute(
            "INSERT INTO counters (name, value) VALUES (?, ?)
             ON CONFLICT DO UPDATE SET value = value + excluded.value",
            params![name, by],
        )
        .map(drop)
        .map_err(failed("count parked requests"))
}
