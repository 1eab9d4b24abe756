//! Settling: prepared requests become rows, in slices between acknowledgements.
//!
//! In: prepared requests, oldest first. Out: how many were settled or, where they are large, set aside
//! (`aside.rs`). A slice is one transaction; it stops taking requests after [`SLICE`] of work, or, while nobody
//! waits for the writer, after [`LONG_SLICE`]. When a slice fails, its requests are tried one at a time, and what
//! fails alone is quarantined where it lies.

use super::encoding::millis;
use super::rows::SqlRows;
use super::{aside, counters, queue, rollups};
use crate::fault;
use crate::leads::import::Run;
use crate::leads::project::{Outcome, Projected};
use crate::store::hand::{Hand, Slot};
use crate::store::sql::connection::{Connection, Dialect, Lock, Transaction, run, values};
use crate::store::{Prepared, Rows, StoreError, StoreErrorKind};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};
use wabridge_model::cluster::ties;
use wabridge_model::evidence::Report;
use wabridge_model::id::Identity;
use wabridge_providers::{Item, Malformed};

/// How long a slice works before it commits and lets acknowledgements pass.
pub(super) const SLICE: Duration = Duration::from_millis(5);

/// How long it goes on at most while nobody waits: a backlog costs less in large transactions, since changes meet on
/// the same pages. Whoever comes meanwhile ends it, and waits for its commit, so it must not grow without end.
const LONG_SLICE: Duration = Duration::from_millis(20);

/// Whether a slice that began then should end: when it is [`SLICE`] old, or [`LONG_SLICE`] while nobody waits.
fn is_over(connection: &dyn Connection, started: Instant) -> bool {
    let age = started.elapsed();
    age > LONG_SLICE || age > SLICE && connection.is_awaited()
}

/// The ordinal that stands for a request as a whole.
pub(super) const WHOLE: i64 = -1;

/// What becomes of the books, and of the counts of attribution, when a slice ends.
#[derive(Default)]
pub(super) struct Counts {
    /// By counter name.
    books: BTreeMap<String, i64>,
    rollups: rollups::Changes,
}

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
    let mut counts = Counts::default();
    whole_request_quarantined(&*transaction, request, reason, "$", at, &mut counts)?;
    clear(&*transaction, request)?;
    queue::settled(&*transaction, &[request], request)?;
    book(&*transaction, counts)?;
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
    let prepared = together(&*transaction, prepared);
    keep_others_from(&*transaction, doing, prepared)?;
    let mut counts = Counts::default();
    let mut settled = 0;
    for one in prepared {
        hand.hold(Slot::Project, Some(one.id));
        settle(&*transaction, one, &mut counts)?;
        settled += 1;
        if is_over(&*transaction, started) {
            break;
        }
    }
    if let Some(last) = prepared[..settled].last() {
        // What is set aside waits on.
        let ids: Vec<i64> =
            prepared[..settled].iter().filter(|one| !one.is_large()).map(|one| one.id).collect();
        queue::settled(&*transaction, &ids, last.id)?;
        book(&*transaction, counts)?;
    }
    hand.hold(Slot::Project, None);
    transaction.commit(doing)?;
    Ok(settled)
}

/// Requests that are projected in one transaction, at most: all, where one process alone projects.
fn together<'p>(transaction: &dyn Connection, prepared: &'p [Prepared]) -> &'p [Prepared] {
    match transaction.dialect() {
        Dialect::Sqlite => prepared,
        // What has one of their names waits for all of them.
        Dialect::Postgres => &prepared[..prepared.len().min(64)],
    }
}

/// Where several processes project, keeps the others from what may turn out to be the same event or the same person as one
/// in these requests.
pub(super) fn keep_others_from(
    transaction: &dyn Connection,
    doing: &'static str,
    prepared: &[Prepared],
) -> Result<(), StoreError> {
    match transaction.dialect() {
        Dialect::Sqlite => Ok(()),
        Dialect::Postgres => transaction.lock(doing, Lock::Names(&names(prepared))),
    }
}

/// What the events of requests may be found by, as keys.
fn names(prepared: &[Prepared]) -> BTreeSet<i64> {
    let mut names = BTreeSet::new();
    let events = prepared.iter().flat_map(|one| one.items.as_deref().unwrap_or_default());
    for item in events {
        let Item::Event(event) = item else { continue };
        let ties = ties(event);
        names.insert(key("event", event.key.as_str()));
        for Identity { kind, scope, value } in &ties.identities {
            names.insert(key(kind.as_str(), &format!("{scope} {value}")));
        }
        let aliases = ties.explains.iter().chain(&ties.leans_on).chain(&ties.answers);
        names.extend(aliases.map(|alias| key("alias", alias.as_str())));
    }
    names
}

fn key(kind: &str, name: &str) -> i64 {
    let digest = Sha256::new().chain_update(kind).chain_update([0]).chain_update(name).finalize();
    let (first, _) = digest.split_first_chunk::<8>().expect("a digest is longer");
    i64::from_be_bytes(*first)
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
    queue::settled(transaction, &[one.id], one.id)
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
    let mut rows = SqlRows::counting(transaction, one.received_at, &mut counts.rollups);
    let found = run.finish(&mut rows)?;
    count_found(found, counts);
    Ok(())
}

/// One person after the other, each in the order of evidence: so that many messages of one are a step each and
/// no fold anew, whoever writes while a large request is settled. What names nobody comes last, since it may
/// lean on what does.
pub(super) fn in_evidence_order(one: &Prepared, items: &[Item]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..items.len()).collect();
    if order.len() < 2 {
        return order;
    }
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
    let mut rows = SqlRows::counting(transaction, one.received_at, &mut counts.rollups);
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

pub(super) fn count(counts: &mut Counts, name: &str, by: i64) {
    match counts.books.get_mut(name) {
        Some(value) => *value += by,
        None => drop(counts.books.insert(name.to_owned(), by)),
    }
}

/// Writes what a slice counted.
pub(super) fn book(transaction: &dyn Connection, mut counts: Counts) -> Result<(), StoreError> {
    counts.rollups.write(transaction)?;
    counts.books.iter().try_for_each(|(name, by)| counters::count(transaction, name, *by))
}
