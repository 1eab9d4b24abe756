//! Requests that are set aside: the others go past, and they are settled a slice at a time in between.
//!
//! In: a request with many items ([`Prepared::is_large`]), or one that was in hand when the process died (`hand.rs`).
//! Out: the same books as if it were settled at once; they balance at every commit. Such a request has a row in
//! `crashes` until its last item is settled, with a count of 0 where nothing crashed. What is settled of it are
//! its rows in `items`: the next start goes on where this one stopped.

use super::hand::{Hand, Slot};
use super::settle::{self, Counts};
use super::sql::failed;
use crate::store::{Aside, Prepared, StoreError};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::collections::HashSet;
use std::time::Instant;

/// Lets the others go past a request.
pub(super) fn set(transaction: &Transaction<'_>, one: &Prepared) -> Result<(), StoreError> {
    const ADD: &str = "INSERT INTO crashes (request, count) VALUES (?, 0) ON CONFLICT DO NOTHING";
    // Requests of the same claim were read with what it says of account ids.
    settle::remember(transaction, one)?;
    transaction.execute(ADD, [one.id]).map_err(failed("set a request aside")).map(drop)
}

/// Settles a slice of a request. Returns what is left of it; what fails is quarantined, and nothing is left.
pub(super) fn slice(
    connection: &mut Connection,
    mut aside: Aside,
    hand: &Hand,
) -> Result<Option<Aside>, StoreError> {
    let left = match aside.left.take() {
        Some(left) => left,
        None => unsettled(connection, &aside.prepared)?,
    };
    let one = &aside.prepared;
    let result = settle::caught(|| commit_slice(connection, one, &left, hand));
    hand.hold(Slot::Project, None);
    match result {
        Ok(settled) if settled == left.len() => Ok(None),
        Ok(settled) => Ok(Some(Aside { left: Some(left[settled..].to_vec()), ..aside })),
        Err(failure) => {
            let reason = failure.of_one_request()?;
            settle::quarantine(connection, one.id, reason, one.received_at).map(|()| None)
        }
    }
}

/// The items that are not settled, in the order in which they should be.
fn unsettled(connection: &Connection, one: &Prepared) -> Result<Vec<usize>, StoreError> {
    const SETTLED: &str = "SELECT ordinal FROM items WHERE request = ?";
    let Ok(items) = &one.items else { return Ok(Vec::new()) };
    let doing = "read a request's items";
    let mut statement = connection.prepare_cached(SETTLED).map_err(failed(doing))?;
    let rows = statement.query_map([one.id], |row| row.get(0)).map_err(failed(doing))?;
    let settled: HashSet<i64> = rows.collect::<Result<_, _>>().map_err(failed(doing))?;
    let mut left = settle::in_evidence_order(one, items);
    left.retain(|index| !settled.contains(&settle::ordinal(*index)));
    Ok(left)
}

fn commit_slice(
    connection: &mut Connection,
    one: &Prepared,
    left: &[usize],
    hand: &Hand,
) -> Result<usize, StoreError> {
    let doing = "project a request in part";
    let started = Instant::now();
    let transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed(doing))?;
    let mut counts = Counts::new();
    hand.hold(Slot::Project, Some(one.id));
    let settled = match &one.items {
        Ok(items) => settle::settle_items(&transaction, one, items, left, Some(started), &mut counts)?,
        Err(_) => 0,
    };
    if settled == left.len() {
        settle::finish(&transaction, one, &mut counts)?;
    } else {
        forgive(&transaction, one.id)?;
    }
    settle::book(&transaction, &counts)?;
    hand.hold(Slot::Project, None);
    transaction.commit().map_err(failed(doing))?;
    Ok(settled)
}

/// A large request is in hand for long: only crashes without progress in between speak against it.
fn forgive(transaction: &Transaction<'_>, request: i64) -> Result<(), StoreError> {
    const FORGIVE: &str = "UPDATE crashes SET count = 0 WHERE request = ? AND count > 0";
    let mut forgive = transaction.prepare_cached(FORGIVE).map_err(failed("settle requests"))?;
    forgive.execute([request]).map_err(failed("settle requests")).map(drop)
}
