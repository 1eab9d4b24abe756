//! Parked requests: the right path token, the wrong signature, and a provider that will not send them again.
//!
//! In: what could not be proven but may be real. Out: the same, for as long and as much as is allowed, until
//! it is proven by today's secrets or too old. Nothing here is parsed.

use super::counters::count;
use super::encoding::{instant, millis, to_json};
use super::requests::insert_all;
use crate::store::replay::{MOST_PARKED_BYTES, PARKED_FOR, Parked};
use crate::store::signal::Signal;
use crate::store::sql::connection::{Connection, Transaction, all, first, only, run, values};
use crate::store::{Request, StoreError};

const BYTES: &str = "parked.bytes";
const COUNT: &str = "requests.parked";

/// Parks a request, unless too much is parked already. Says whether it did.
pub(super) fn park(connection: &dyn Connection, parked: &Parked) -> Result<bool, StoreError> {
    const HELD: &str = "SELECT value FROM counters WHERE name = ?";
    const ADD: &str =
        "INSERT INTO parked (received_at, channel, query, headers, body) VALUES (?, ?, ?, ?, ?)";
    let doing = "park a request";
    let transaction = Transaction::begin(connection, doing)?;
    let oldest = millis(parked.received_at - PARKED_FOR);
    remove(&*transaction, "received_at < ?", oldest)?;
    let held: Option<i64> = first(&*transaction, doing, HELD, values![BYTES], |row| row.get(0))?;
    let bytes = i64::try_from(parked.body.len()).unwrap_or(i64::MAX);
    let fits = held.unwrap_or(0).saturating_add(bytes) <= MOST_PARKED_BYTES;
    if fits {
        let headers = to_json(&parked.headers)?;
        let values = values![millis(parked.received_at), parked.channel, parked.query, headers, parked.body];
        run(&*transaction, doing, ADD, values)?;
        count(&*transaction, COUNT, 1)?;
        count(&*transaction, BYTES, bytes)?;
    }
    transaction.commit(doing)?;
    Ok(fits)
}

/// Makes requests of parked ones that were proven after all, in one transaction.
pub(super) fn unpark(connection: &dyn Connection, proven: &[(i64, Request)]) -> Result<(), StoreError> {
    let doing = "store a parked request";
    let transaction = Transaction::begin(connection, doing)?;
    for (id, request) in proven {
        // Another replay may have been faster.
        if remove(&*transaction, "id = ?", *id)? == 1 {
            insert_all(&*transaction, std::slice::from_ref(request))?;
            transaction.signal(Signal::Requests)?;
        }
    }
    transaction.commit(doing)
}

/// Parked requests after a row, oldest first.
pub(super) fn after(
    connection: &dyn Connection,
    after: i64,
    limit: usize,
) -> Result<Vec<(i64, Parked)>, StoreError> {
    const LIST: &str =
        "SELECT id, received_at, channel, query, headers, body FROM parked WHERE id > ? ORDER BY id LIMIT ?";
    all(connection, "read parked requests", LIST, values![after, limit], |row| {
        let headers: String = row.get(4)?;
        let parked = Parked {
            received_at: instant(row.get(1)?),
            channel: row.get(2)?,
            query: row.get(3)?,
            headers: serde_json::from_str(&headers).unwrap_or_default(),
            body: row.get(5)?,
        };
        Ok((row.get(0)?, parked))
    })
}

/// Removes parked requests and counts them down; how many.
fn remove(connection: &dyn Connection, which: &str, value: i64) -> Result<i64, StoreError> {
    let doing = "remove parked requests";
    let sum =
        format!("SELECT count(*), CAST(coalesce(sum(length(body)), 0) AS BIGINT) FROM parked WHERE {which}");
    let (rows, bytes): (i64, i64) =
        only(connection, doing, &sum, values![value], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if rows > 0 {
        run(connection, doing, &format!("DELETE FROM parked WHERE {which}"), values![value])?;
        count(connection, COUNT, -rows)?;
        count(connection, BYTES, -bytes)?;
    }
    Ok(rows)
}
