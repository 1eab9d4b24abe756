//! Settling: prepared requests become rows, in slices between acknowledgements.
//!
//! In: prepared requests, oldest first. Out: how many were settled or, where they are large, set aside
//! (`aside.rs`). A slice is one transaction; it stops taking requests after [`SLICE`] of work. When a slice
//! fails, its requests are tried one at a time, and what fails alone is quarantined where it lies.

use super::aside;
use super::encoding::millis;
use super::rows::SqlRows;
use crate::fault;
use crate::leads::import::Run;
use crate::leads::project::{Outcome, Projected};
use crate::store::hand::{Hand, Slot};
use crate::store::sql::connection::{Connection, Transaction, run, values};
use crate::store::{Prepared, Rows, StoreError, StoreErrorKind};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};
use wabridge_model::evidence::Report;
use wabridge_providers::{Item, Malformed};

/// How long a slice works before it commits and lets acknowledgements pass.
pub(super) const SLICE: Duration = Duration::from_millis(5);

/// The ordinal that stands for a request as a whole.
pub(super) const WHOLE: i64 = -1;

/// What becomes of the books, by counter name.
pub(super) type Counts = BTreeMap<String, i64>;

/// Settles the first of `prepared`, as many as one slice takes; at least one if there is one.
pub(super) fn slice(
    connection: &dyn Connection,
    prepared: &[Prepared],
    hand: &Hand,
) -> Result<usize, StoreError> {
    match attempt(connection, prepared, hand) {
        Ok(settled) => Ok(settled),
        Err(failure) => {
            failure.of_one_request()?;
            one_at_a_time(connection, prepared, hand)
        }
    }
}

pub(super) enum Failure {
    Store(StoreError),
    Panic,
}

impl Failure {
    /// Whether one request may be at fault, so that it should be tried alone.
    pub(super) fn may_be_one_request(&self) -> bool {
        match self {
            Failure::Store(error) => error.kind.may_be_one_request(),
            Failure::Panic => true,
        }
    }

    /// Why the one request is at fault that failed so by itself, unless it is the store.
    ///
    /// # Errors
    /// What is wrong with the store.
    pub(super) fn of_one_request(self) -> Result<&'static str, StoreError> {
        match self {
            Failure::Store(error) if !error.kind.may_be_one_request() => Err(error),
            Failure::Store(error) => Ok(error.kind.as_str()),
            Failure::Panic => Ok("panic"),
        }
    }
}

fn attempt(connection: &dyn Connection, prepared: &[Prepared], hand: &Hand) -> Result<usize, Failure> {
    let result = caught(|| commit_slice(connection, prepared, hand));
    hand.hold(Slot::Project, None);
    result
}

/// Does the work of a slice; a panic ends it, and nothing else.
pub(super) fn caught<T>(work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, Failure> {
    // The transaction rolls back when it unwinds, so nothing half-done is seen again.
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(Failure::Store),
        Err(_) => Err(Failure::Panic),
    }
}

fn one_at_a_time(
    connection: &dyn Connection,
    prepared: &[Prepared],
    hand: &Hand,
) -> Result<usize, StoreError> {
    let started = Instant::now();
    let mut settled = 0;
    for one in prepared {
        if let Err(failure) = attempt(connection, std::slice::from_ref(one), hand) {
            quarantine(connection, one.id, failure.of_one_request()?, one.received_at)?;
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
    connection: &dyn Connection,
    request: i64,
    reason: &'static str,
    at: Timestamp,
) -> Result<(), StoreError> {
    let doing = "quarantine a request";
    let transaction = Transaction::begin(connection, doing)?;
    let mut counts = Counts::new();
    whole_request_quarantined(&*transaction, request, reason, "$", at, &mut counts)?;
    clear(&*transaction, request)?;
    advance(&*transaction, request)?;
    book(&*transaction, &counts)?;
    transaction.commit(doing)
}

fn commit_slice(
    connection: &dyn Connection,
    prepared: &[Prepared],
    hand: &Hand,
) -> Result<usize, StoreError> {
    let doing = "project requests";
    let started = Instant::now();
    let transaction = Transaction::begin(connection, doing)?;
    let mut counts = Counts::new();
    let mut settled = 0;
    for one in prepared {
        hand.hold(Slot::Project, Some(one.id));
        settle(&*transaction, one, &mut counts)?;
        settled += 1;
        if started.elapsed() > SLICE {
            break;
        }
    }
    if let Some(last) = prepared[..settled].last() {
        advance(&*transaction, last.id)?;
        book(&*transaction, &counts)?;
    }
    hand.hold(Slot::Project, None);
    transaction.commit(doing)?;
    Ok(settled)
}

fn settle(transaction: &dyn Connection, one: &Prepared, counts: &mut Counts) -> Result<(), StoreError> {
    if one.is_large() {
        return aside::set(transaction, one);
    }
    if let Ok(items) = &one.items {
        remember(transaction, one)?;
        settle_items(transaction, one, items, &in_evidence_order(one, items), None, counts)?;
    }
    count_request(transaction, one, counts)
}

/// Settles what is left to settle of a request that was set aside, when all its items are.
pub(super) fn finish(
    transaction: &dyn Connection,
    one: &Prepared,
    counts: &mut Counts,
) -> Result<(), StoreError> {
    count_request(transaction, one, counts)?;
    clear(transaction, one.id)?;
    advance(transaction, one.id)
}

fn count_request(
    transaction: &dyn Connection,
    one: &Prepared,
    counts: &mut Counts,
) -> Result<(), StoreError> {
    match &one.items {
        Ok(_) => count(counts, "requests.projected", 1),
        Err(Malformed { reason, path }) => {
            whole_request_quarantined(transaction, one.id, reason, path, one.received_at, counts)?;
        }
    }
    Ok(())
}

/// The place of an item in its request, as stored.
pub(super) fn ordinal(index: usize) -> i64 {
    i64::try_from(index).unwrap_or(i64::MAX)
}

/// Settles some of a request's items for the first time, in this order, perhaps only until a slice is over. Returns
/// how many.
pub(super) fn settle_items(
    transaction: &dyn Connection,
    one: &Prepared,
    items: &[Item],
    order: &[usize],
    slice: Option<Instant>,
    counts: &mut Counts,
) -> Result<usize, StoreError> {
    let (mut run, mut settled) = (Run::default(), 0);
    for index in order {
        let mut project = |rows: &mut dyn Rows, report| run.project(rows, report);
        let (item, ordinal) = (&items[*index], ordinal(*index));
        let row = settle_item(transaction, one, item, ordinal, counts, &mut project)?;
        add_item(transaction, one.id, ordinal, &row, counts)?;
        settled += 1;
        if slice.is_some_and(|started| started.elapsed() > SLICE) {
            break;
        }
    }
    end(transaction, one, &mut run, counts)?;
    Ok(settled)
}

/// Ends a run of a request's items.
pub(super) fn end(
    transaction: &dyn Connection,
    one: &Prepared,
    run: &mut Run,
    counts: &mut Counts,
) -> Result<(), StoreError> {
    let mut rows = SqlRows { connection: transaction, now: one.received_at };
    count_found(run.finish(&mut rows)?, counts);
    Ok(())
}

/// One person after the other, each in the order of evidence: so that many messages of one are a step each and
/// no fold anew, whoever writes while a large request is settled. What names nobody comes last, since it may
/// lean on what does.
pub(super) fn in_evidence_order(one: &Prepared, items: &[Item]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by_cached_key(|index| match &items[*index] {
        Item::Event(event) => {
            let person = &event.person;
            let phone = person.phone.as_ref().map(|phone| phone.e164().to_owned());
            let person = phone.or_else(|| person.bsuid.as_ref().map(|id| id.as_str().to_owned()));
            let at = event.occurred_at.map_or(one.received_at, |at| at.min(one.received_at));
            (person.is_none(), person, Some((at, event.key.clone())))
        }
        Item::Skipped(_) | Item::Quarantined(_) => (true, None, None),
    });
    order
}

/// Keeps what was displayed for account ids that no channel names.
pub(super) fn remember(transaction: &dyn Connection, one: &Prepared) -> Result<(), StoreError> {
    const ADD: &str = "INSERT INTO account_numbers (channel, account_id, number, first_seen)
                       VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING";
    for (account_id, number) in &one.resolved {
        run(
            transaction,
            "keep an account's number",
            ADD,
            values![one.channel, account_id, number.e164(), millis(one.received_at)],
        )?;
    }
    Ok(())
}

/// A row of `items`.
pub(super) struct ItemRow<'a> {
    pub(super) event: Option<i64>,
    pub(super) result: &'static str,
    pub(super) reason: Option<&'a str>,
}

/// What becomes of a report.
pub(super) type Projecting<'p> = dyn FnMut(&mut dyn Rows, Report) -> Result<Projected, StoreError> + 'p;

/// Settles one item, its event's report by `project`.
pub(super) fn settle_item<'a>(
    transaction: &dyn Connection,
    one: &Prepared,
    item: &'a Item,
    ordinal: i64,
    counts: &mut Counts,
    project: &mut Projecting<'_>,
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
    let mut rows = SqlRows { connection: transaction, now: one.received_at };
    if fault::planted("constraint", report.event.key.as_str().as_bytes()) {
        return Err(StoreError::new(StoreErrorKind::Constraint, "project a planted fault"));
    }
    let projected = project(&mut rows, report)?;
    count_found(projected.found, counts);
    let (result, reason) = match projected.outcome {
        Outcome::Applied => ("applied", None),
        Outcome::Duplicate => ("duplicate", None),
        Outcome::NoIdentity => ("skipped", Some("no_identity")),
    };
    Ok(ItemRow { event: Some(projected.event), result, reason })
}

/// Items that waited for a person and found one count as applied.
fn count_found(found: u64, counts: &mut Counts) {
    if found > 0 {
        let found = i64::try_from(found).unwrap_or(i64::MAX);
        count(counts, "items.applied", found);
        count(counts, "items.skipped.no_identity", -found);
    }
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
    transaction: &dyn Connection,
    request: i64,
    ordinal: i64,
    row: &ItemRow<'_>,
    counts: &mut Counts,
) -> Result<(), StoreError> {
    const ADD: &str = "INSERT INTO items (request, ordinal, event, result, reason) VALUES (?, ?, ?, ?, ?)";
    run(transaction, "add an item", ADD, values![request, ordinal, row.event, row.result, row.reason])?;
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

/// A body that cannot be split is a quarantined request of one quarantined item; that has the ordinal -1, since
/// some of its items may be settled. (Older versions, which settled all or none, gave it 0.)
fn whole_request_quarantined(
    transaction: &dyn Connection,
    request: i64,
    reason: &'static str,
    path: &str,
    at: Timestamp,
    counts: &mut Counts,
) -> Result<(), StoreError> {
    add_quarantine(transaction, request, WHOLE, reason, path, at)?;
    count(counts, "requests.quarantined", 1);
    let row = ItemRow { event: None, result: "quarantined", reason: Some(reason) };
    add_item(transaction, request, WHOLE, &row, counts)
}

fn add_quarantine(
    transaction: &dyn Connection,
    request: i64,
    ordinal: i64,
    reason: &str,
    path: &str,
    at: Timestamp,
) -> Result<(), StoreError> {
    const ADD: &str = "INSERT INTO quarantine (request, ordinal, reason, path, at) VALUES (?, ?, ?, ?, ?)";
    let doing = "quarantine an item";
    run(transaction, doing, ADD, values![request, ordinal, reason, path, millis(at)]).map(drop)
}

/// A settled request is no suspect any more.
fn clear(transaction: &dyn Connection, request: i64) -> Result<(), StoreError> {
    const FORGET: &str = "DELETE FROM crashes WHERE request = ?";
    run(transaction, "settle requests", FORGET, values![request]).map(drop)
}

/// Never backwards: a suspect is settled after requests that came later.
fn advance(transaction: &dyn Connection, through: i64) -> Result<(), StoreError> {
    const SET: &str = "UPDATE meta SET value = max(value, ?) WHERE name = 'projected_through'";
    run(transaction, "settle requests", SET, values![through]).map(drop)
}

pub(super) fn count(counts: &mut Counts, name: &str, by: i64) {
    match counts.get_mut(name) {
        Some(value) => *value += by,
        None => drop(counts.insert(name.to_owned(), by)),
    }
}

pub(super) fn book(transaction: &dyn Connection, counts: &Counts) -> Result<(), StoreError> {
    const ADD: &str = "INSERT INTO counters (name, value) VALUES (?, ?)
                       ON CONFLICT DO UPDATE SET value = value + excluded.value";
    for (name, by) in counts {
        run(transaction, "keep the books", ADD, values![name, by])?;
    }
    Ok(())
}
