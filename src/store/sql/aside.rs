//! Requests that are set aside: the others go past, and they are settled a slice at a time in between.
//!
//! In: a request with many items ([`Prepared::is_large`]), or one that was in hand when the process died (`hand.rs`).
//! Out: the same books as if it were settled at once; they balance at every commit. Such a request has a row in
//! `crashes` until its last item is settled, with a count of 0 where nothing crashed. What is settled of it are
//! its rows in `items`: the next start goes on where this one stopped.

use super::queue;
use super::settle::{self, Counts};
use crate::store::hand::{Hand, Slot};
use crate::store::sql::connection::{Connection, Transaction, all, run, values};
use crate::store::{Aside, Prepared, StoreError};
use std::collections::HashSet;
use std::time::Instant;

/// Lets the others go past a request.
pub(super) fn set(transaction: &dyn Connection, one: &Prepared) -> Result<(), StoreError> {
    const ADD: &str = "INSERT INTO crashes (request, count) VALUES (?, 0) ON CONFLICT DO NOTHING";
    // Requests of the same claim were read with what it says of account ids.
    settle::remember(transaction, one)?;
    run(transaction, "set a request aside", ADD, values![one.id]).map(drop)
}

/// Settles a slice of a request. Returns what is left of it; what fails is quarantined, and nothing is left.
pub(super) fn slice(
    connection: &dyn Connection,
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
fn unsettled(connection: &dyn Connection, one: &Prepared) -> Result<Vec<usize>, StoreError> {
    const SETTLED: &str = "SELECT ordinal FROM items WHERE request = ?";
    let Ok(items) = &one.items else { return Ok(Vec::new()) };
    let settled = all(connection, "read a request's items", SETTLED, values![one.id], |row| row.get(0))?;
    let settled: HashSet<i64> = settled.into_iter().collect();
    let mut left = settle::in_evidence_order(one, items);
    left.retain(|index| !settled.contains(&settle::ordinal(*index)));
    Ok(left)
}

fn commit_slice(
    connection: &dyn Connection,
    one: &Prepared,
    left: &[usize],
    hand: &Hand,
) -> Result<usize, StoreError> {
    let doing = "project a request in part";
    let started = Instant::now();
    let transaction = Transaction::begin(connection, doing)?;
    settle::keep_others_from(&*transaction, doing, std::slice::from_ref(one))?;
    queue::keep(&*transaction, one.id)?;
    let mut counts = Counts::default();
    hand.hold(Slot::Project, Some(one.id));
    let settled = match &one.items {
        Ok(items) => settle::settle_items(&*transaction, one, items, left, Some(started), &mut counts)?,
        Err(_) => 0,
    };
    if settled == left.len() {
        settle::finish(&*transaction, one, &mut counts)?;
    } else {
        forgive(&*transaction, one.id)?;
    }
    settle::book(&*transaction, counts)?;
    hand.hold(Slot::Project, None);
    transaction.commit(doing)?;
    Ok(settled)
}

/// A large request is in hand for long: only crashes without progress in between speak against it.
fn forgive(transaction: &dyn Connection, request: i64) -> Result<(), StoreError> {
    const FORGIVE: &str = "UPDATE crashes SET count = 0 WHERE request = ? AND count > 0";
    run(transaction, "settle requests", FORGIVE, values![request]).map(drop)
}
