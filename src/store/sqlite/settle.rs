//! Settling: prepared requests become rows, in slices between acknowledgements.
//!
//! In: prepared requests, oldest first. Out: how many were settled. A slice is one transaction; it stops
//! taking requests after [`SLICE`] of work. When a slice fails, its requests are tried one at a time, and
//! what fails alone is quarantined where it lies.

use super::hand::{Hand, Slot};
use super::rows::SqliteRows;
use super::sql::{failed, millis};
use crate::fault;
use crate::leads::project::{Outcome, project, revise};
use crate::store::{Prepared, StoreError, StoreErrorKind};
use jiff::Timestamp;
use rusqlite::{Connection, Transaction, TransactionBehavior, params};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};
use wabridge_model::evidence::Report;
use wabridge_providers::{Item, Malformed};

/// How long a slice works before it commits and lets acknowledgements pass.
pub(super) const SLICE: Duration = Duration::from_millis(5);

/// What becomes of the books, by counter name.
pub(super) type Counts = BTreeMap<String, i64>;

/// Settles the first of `prepared`, as many as one slice takes; at least one if there is one.
pub(super) fn slice(
    connection: &mut Connection,
    prepared: &[Prepared],
    hand: &Hand,
) -> Result<usize, StoreError> {
    match attempt(connection, prepared, hand) {
        Err(Failure::Store(error)) if !error.kind.may_be_one_request() => Err(error),
        Err(_) => one_at_a_time(connection, prepared, hand),
        Ok(settled) => Ok(settled),
    }
}

enum Failure {
    Store(StoreError),
    Panic,
}

fn attempt(connection: &mut Connection, prepared: &[Prepared], hand: &Hand) -> Result<usize, Failure> {
    // The transaction rolls back when it unwinds, so nothing half-done is seen again.
    let work = AssertUnwindSafe(|| commit_slice(connection, prepared, hand));
    let result = match catch_unwind(work) {
        Ok(result) => result.map_err(Failure::Store),
        Err(_) => Err(Failure::Panic),
    };
    hand.hold(Slot::Project, None);
    result
}

fn one_at_a_time(
    connection: &mut Connection,
    prepared: &[Prepared],
    hand: &Hand,
) -> Result<usize, StoreError> {
    let started = Instant::now();
    let mut settled = 0;
    for one in prepared {
        let reason = match attempt(connection, std::slice::from_ref(one), hand) {
            Ok(_) => None,
            Err(Failure::Store(error)) if !error.kind.may_be_one_request() => return Err(error),
            Err(Failure::Store(error)) => Some(error.kind.as_str()),
            Err(Failure::Panic) => Some("panic"),
        };
        if let Some(reason) = reason {
            quarantine(connection, one.id, reason, one.received_at)?;
        }
        settled += 1;
        if started.elapsed() > SLICE {
            break;
        }
    }
    Ok(settled)
}

/// Quarantines a request as a whole, and settles it with that.
pub(super) fn quarantine(
    connection: &mut Connection,
    request: i64,
    reason: &'static str,
    at: Timestamp,
) -> Result<(), StoreError> {
    let doing = "quarantine a request";
    let transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed(doing))?;
    let mut counts = Counts::new();
    whole_request_quarantined(&transaction, request, reason, "$", at, &mut counts)?;
    clear(&transaction, request)?;
    advance(&transaction, request)?;
    book(&transaction, &counts)?;
    transaction.commit().map_err(failed(doing))
}

fn commit_slice(
    connection: &mut Connection,
    prepared: &[Prepared],
    hand: &Hand,
) -> Result<usize, StoreError> {
    let doing = "project requests";
    let started = Instant::now();
    let transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed(doing))?;
    let mut counts = Counts::new();
    let mut settled = 0;
    for one in prepared {
        hand.hold(Slot::Project, Some(one.id));
        settle(&transaction, one, &mut counts)?;
        clear(&transaction, one.id)?;
        settled += 1;
        if started.elapsed() > SLICE {
            break;
        }
    }
    if let Some(last) = prepared[..settled].last() {
        advance(&transaction, last.id)?;
        book(&transaction, &counts)?;
    }
    hand.hold(Slot::Project, None);
    transaction.commit().map_err(failed(doing))?;
    Ok(settled)
}

fn settle(transaction: &Transaction<'_>, one: &Prepared, counts: &mut Counts) -> Result<(), StoreError> {
    let items = match &one.items {
        Ok(items) => items,
        Err(Malformed { reason, path }) => {
            return whole_request_quarantined(transaction, one.id, reason, path, one.received_at, counts);
        }
    };
    remember(transaction, one)?;
    for index in in_evidence_order(one, items) {
        let ordinal = i64::try_from(index).unwrap_or(i64::MAX);
        let row = settle_item(transaction, one, &items[index], ordinal, counts, false)?;
        add_item(transaction, one.id, ordinal, &row, counts)?;
    }
    count(counts, "requests.projected", 1);
    Ok(())
}

/// So that many messages of one person are a step each and no fold anew.
pub(super) fn in_evidence_order(one: &Prepared, items: &[Item]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by_cached_key(|index| match &items[*index] {
        Item::Event(event) => {
            let at = event.occurred_at.map_or(one.received_at, |at| at.min(one.received_at));
            Some((at, event.key.clone()))
        }
        Item::Skipped(_) | Item::Quarantined(_) => None,
    });
    order
}

/// Keeps what was displayed for account ids that no channel names.
pub(super) fn remember(transaction: &Transaction<'_>, one: &Prepared) -> Result<(), StoreError> {
    const ADD: &str = "INSERT INTO account_numbers (channel, account_id, number, first_seen)
                       VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING";
    for (account_id, number) in &one.resolved {
        transaction
            .execute(ADD, params![one.channel, account_id, number.e164(), millis(one.received_at)])
            .map_err(failed("keep an account's number"))?;
    }
    Ok(())
}

/// A row of `items`.
pub(super) struct ItemRow<'a> {
    pub(super) event: Option<i64>,
    pub(super) result: &'static str,
    pub(super) reason: Option<&'a str>,
}

/// Settles one item; `again` where its request was settled before, and what it says now counts.
pub(super) fn settle_item<'a>(
    transaction: &Transaction<'_>,
    one: &Prepared,
    item: &'a Item,
    ordinal: i64,
    counts: &mut Counts,
    again: bool,
) -> Result<ItemRow<'a>, StoreError> {
    let event = match item {
        Item::Event(event) => (**event).clone(),
        Item::Skipped(skip) => {
            return Ok(ItemRow { event: None, result: "skipped", reason: Some(skip.as_str()) });
        }
        Item::Quarantined(Malformed { reason, path }) => {
            add_quarantine(transaction, one.id, ordinal, reason, path, one.received_at)?;
            return Ok(ItemRow { event: None, result: "quarantined", reason: Some(reason) });
        }
    };
    provoke(&event.key);
    let report = Report {
        channel: one.channel.clone(),
        provider: one.provider.to_owned(),
        proof: one.proof,
        secondary: one.secondary,
        received_at: one.received_at,
        event,
    };
    let mut rows = SqliteRows { connection: transaction, now: one.received_at };
    if fault::planted("constraint", report.event.key.as_str().as_bytes()) {
        return Err(StoreError::new(StoreErrorKind::Constraint, "project a planted fault"));
    }
    let projected = if again { revise(&mut rows, report)? } else { project(&mut rows, report)? };
    let found = i64::try_from(projected.found).unwrap_or(i64::MAX);
    if found > 0 {
        count(counts, "items.applied", found);
        count(counts, "items.skipped.no_identity", -found);
    }
    let (result, reason) = match projected.outcome {
        Outcome::Applied => ("applied", None),
        Outcome::Duplicate => ("duplicate", None),
        Outcome::NoIdentity => ("skipped", Some("no_identity")),
    };
    Ok(ItemRow { event: Some(projected.event), result, reason })
}

/// Planted faults that a harness asks for by a marker in the event's key.
#[expect(clippy::disallowed_methods, reason = "an abort is what is planted")]
fn provoke(key: &wabridge_model::id::EventKey) {
    let text = key.as_str();
    let key = text.as_bytes();
    // With the key in its message, as a panic of ours might have: no log line may show it.
    assert!(!fault::planted("panic", key), "a planted panic at {text}");
    if fault::planted("abort", key) {
        std::process::abort();
    }
}

pub(super) fn add_item(
    transaction: &Transaction<'_>,
    request: i64,
    ordinal: i64,
    row: &ItemRow<'_>,
    counts: &mut Counts,
) -> Result<(), StoreError> {
    const ADD: &str = "INSERT INTO items (request, ordinal, event, result, reason) VALUES (?, ?, ?, ?, ?)";
    let mut add = transaction.prepare_cached(ADD).map_err(failed("add an item"))?;
    add.execute(params![request, ordinal, row.event, row.result, row.reason])
        .map_err(failed("add an item"))?;
    count(counts, "items.seen", 1);
    count(counts, &counter(row.result, row.reason), 1);
    Ok(())
}

/// The counter of an item's result.
pub(super) fn counter(result: &str, reason: Option<&str>) -> String {
    match reason {
        Some(reason) => format!("items.{result}.{reason}"),
        None => format!("items.{result}"),
    }
}

/// A body that cannot be split is a quarantined request of one quarantined item.
fn whole_request_quarantined(
    transaction: &Transaction<'_>,
    request: i64,
    reason: &'static str,
    path: &str,
    at: Timestamp,
    counts: &mut Counts,
) -> Result<(), StoreError> {
    add_quarantine(transaction, request, -1, reason, path, at)?;
    count(counts, "requests.quarantined", 1);
    let row = ItemRow { event: None, result: "quarantined", reason: Some(reason) };
    add_item(transaction, request, 0, &row, counts)
}

fn add_quarantine(
    transaction: &Transaction<'_>,
    request: i64,
    ordinal: i64,
    reason: &str,
    path: &str,
    at: Timestamp,
) -> Result<(), StoreError> {
    const ADD: &str = "INSERT INTO quarantine (request, ordinal, reason, path, at) VALUES (?, ?, ?, ?, ?)";
    let doing = "quarantine an item";
    let mut add = transaction.prepare_cached(ADD).map_err(failed(doing))?;
    add.execute(params![request, ordinal, reason, path, millis(at)]).map_err(failed(doing)).map(drop)
}

/// A settled request is no suspect any more.
fn clear(transaction: &Transaction<'_>, request: i64) -> Result<(), StoreError> {
    const FORGET: &str = "DELETE FROM crashes WHERE request = ?";
    let mut forget = transaction.prepare_cached(FORGET).map_err(failed("settle requests"))?;
    forget.execute([request]).map_err(failed("settle requests")).map(drop)
}

/// Never backwards: a suspect is settled after requests that came later.
fn advance(transaction: &Transaction<'_>, through: i64) -> Result<(), StoreError> {
    const SET: &str = "UPDATE meta SET value = max(value, ?) WHERE name = 'projected_through'";
    let mut set = transaction.prepare_cached(SET).map_err(failed("settle requests"))?;
    set.execute([through]).map_err(failed("settle requests")).map(drop)
}

pub(super) fn count(counts: &mut Counts, name: &str, by: i64) {
    match counts.get_mut(name) {
        Some(value) => *value += by,
        None => drop(counts.insert(name.to_owned(), by)),
    }
}

pub(super) fn book(transaction: &Transaction<'_>, counts: &Counts) -> Result<(), StoreError> {
    const ADD: &str = "INSERT INTO counters (name, value) VALUES (?, ?)
                       ON CONFLICT DO UPDATE SET value = value + excluded.value";
    let mut add = transaction.prepare_cached(ADD).map_err(failed("keep the books"))?;
    for (name, by) in counts {
        add.execute(params![name, by]).map_err(failed("keep the books"))?;
    }
    Ok(())
}
