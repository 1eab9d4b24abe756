//! Settling again: what stored requests say today takes the place of what they said.
//!
//! In: requests that are settled, read anew. Out: what changed. The books are kept item by item, so that they
//! balance before, in between and after.

use super::settle::{self, Counts, Failure, SLICE, WHOLE, count};
use super::{marks, parked, read};
use crate::leads::import::Run;
use crate::store::replay::{Changes, Parked, Replays, Selection};
use crate::store::sql::connection::{Connection, Lock, Row, Transaction, all, first, only, run, values};
use crate::store::sql::{Database, SqlStore};
use crate::store::{AccountNumbers, Prepared, Request, Rows, StoreError, Stored};
use std::time::Instant;
use wabridge_model::Phone;
use wabridge_providers::Item;

impl<D: Database> Replays for SqlStore<D> {
    fn account_numbers(&self) -> Result<AccountNumbers, StoreError> {
        self.database.read(account_numbers)
    }

    fn park(&self, parked: Parked) -> Result<bool, StoreError> {
        self.database.write(move |connection| parked::park(connection, &parked))
    }

    fn parked_after(&self, after: i64, limit: usize) -> Result<Vec<(i64, Parked)>, StoreError> {
        self.database.read(|connection| parked::after(connection, after, limit))
    }

    fn unpark(&self, proven: Vec<(i64, Request)>) -> Result<(), StoreError> {
        // The projector finds them when it next looks by itself.
        self.database.write(move |connection| {
            marks::refuse_unfinished(connection, "store a parked request")?;
            parked::unpark(connection, &proven)
        })
    }

    fn settled_after(
        &self,
        selection: Selection,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Stored>, StoreError> {
        self.database.read(|connection| read::settled_after(connection, selection, after, limit))
    }

    fn settle_again(&self, mut prepared: Vec<Prepared>, dry_run: bool) -> Result<Changes, StoreError> {
        let mut changes = Changes::default();
        let mut left = None;
        while !prepared.is_empty() {
            let slice = self.project(move |connection| {
                marks::refuse_unfinished(connection, "settle requests again")?;
                let (changed, left) = slice(connection, &prepared, left, dry_run)?;
                let done = usize::try_from(changed.requests).unwrap_or(prepared.len());
                Ok((changed, prepared.split_off(done), left))
            })?;
            changes.add(slice.0);
            (prepared, left) = (slice.1, slice.2);
        }
        Ok(changes)
    }
}

fn account_numbers(connection: &dyn Connection) -> Result<AccountNumbers, StoreError> {
    const LIST: &str = "SELECT channel, account_id, number FROM account_numbers";
    let read = |row: &Row<'_>| Ok(((row.get(0)?, row.get(1)?), row.get::<String>(2)?));
    let mut numbers = AccountNumbers::new();
    for (place, number) in all(connection, "read account numbers", LIST, &[], read)? {
        numbers.extend(Phone::from_whatsapp_id(number.trim_start_matches('+')).ok().map(|it| (place, it)));
    }
    Ok(numbers)
}

/// Items of a request that are still to be settled again, next first.
type Left = Vec<usize>;

/// Settles the first of `prepared` again, as many as one slice takes; of the first of them, what is `left`. What
/// fails by itself stays as it is.
fn slice(
    connection: &dyn Connection,
    prepared: &[Prepared],
    left: Option<Left>,
    dry_run: bool,
) -> Result<(Changes, Option<Left>), StoreError> {
    let attempt = |prepared| {
        let left = left.clone();
        settle::caught(|| commit_slice(connection, prepared, left, dry_run))
    };
    let mut result = attempt(prepared);
    if result.as_ref().is_err_and(Failure::may_be_one_request) {
        result = attempt(&prepared[..1]);
    }
    result.or_else(|failure| {
        failure.of_one_request()?;
        let mut changes = Changes { requests: 1, ..Changes::default() };
        note(&mut changes, "unread", "unread");
        Ok((changes, None))
    })
}

fn commit_slice(
    connection: &dyn Connection,
    prepared: &[Prepared],
    mut left: Option<Left>,
    dry_run: bool,
) -> Result<(Changes, Option<Left>), StoreError> {
    let doing = "settle requests again";
    let started = Instant::now();
    let transaction = Transaction::begin(connection, doing)?;
    transaction.lock(doing, Lock::Everything)?;
    let (mut changes, mut counts) = (Changes::default(), Counts::default());
    for one in prepared {
        left = again(&*transaction, one, left.take(), started, &mut counts, &mut changes)?;
        if left.is_some() {
            break;
        }
        changes.requests += 1;
        if started.elapsed() > SLICE {
            break;
        }
    }
    settle::book(&*transaction, counts)?;
    if dry_run {
        transaction.roll_back(doing)?;
        // Their rows are gone again: the next slice would give the same to others.
        changes.newcomers = changes.clusters.split_off(&(newest_cluster(connection)? + 1)).len() as u64;
    } else {
        transaction.commit(doing)?;
    }
    Ok((changes, left))
}

/// What became of an item when it was settled last: its result and reason.
type Before = (String, Option<String>);

/// Settles a request again, or some more of a large one. Returns what is left of it, if the slice is over.
fn again(
    transaction: &dyn Connection,
    one: &Prepared,
    left: Option<Left>,
    started: Instant,
    counts: &mut Counts,
    changes: &mut Changes,
) -> Result<Option<Left>, StoreError> {
    let was_whole = is_whole(transaction, one.id)?;
    let Ok(items) = &one.items else {
        // Nothing is understood better than before, and what was understood then stays.
        let same = if was_whole { "quarantined" } else { "unread" };
        note(changes, same, same);
        return Ok(None);
    };
    settle::remember(transaction, one)?;
    // The first of them takes the place of the body as a whole.
    let whole = if left.is_none() { before(transaction, one.id, WHOLE)? } else { None };
    let mut whole = whole.map(|was| (WHOLE, was));
    let order = left.unwrap_or_else(|| settle::in_evidence_order(one, items));
    let (mut run, mut done) = (Run::default(), 0);
    for index in &order {
        let ordinal = settle::ordinal(*index);
        let was = before(transaction, one.id, ordinal)?.map(|was| (ordinal, was)).or(whole.take());
        let event = item_again(transaction, one, &items[*index], (ordinal, was), &mut run, counts, changes)?;
        if let Some(event) = event {
            changes.clusters.extend(cluster_of(transaction, event)?);
        }
        done += 1;
        if one.is_large() && started.elapsed() > SLICE {
            break;
        }
    }
    settle::end(transaction, one, &mut run, counts)?;
    if done < order.len() {
        return Ok(Some(order[done..].to_vec()));
    }
    if was_whole {
        count(counts, "requests.quarantined", -1);
        count(counts, "requests.projected", 1);
    }
    forget_others(transaction, one.id, items.len(), counts).map(|()| None)
}

/// Settles an item again; with its ordinal, what it was and under which. Returns its event if that changed.
fn item_again(
    transaction: &dyn Connection,
    one: &Prepared,
    item: &Item,
    (ordinal, was): (i64, Option<(i64, Before)>),
    ongoing: &mut Run,
    counts: &mut Counts,
    changes: &mut Changes,
) -> Result<Option<i64>, StoreError> {
    const FORGET: &str = "DELETE FROM quarantine WHERE request = ? AND ordinal = ?";
    let doing = "settle an item again";
    run(transaction, doing, FORGET, values![one.id, ordinal])?;
    let mut revise = |rows: &mut dyn Rows, report| ongoing.revise(rows, report);
    let row = settle::settle_item(transaction, one, item, ordinal, counts, &mut revise)?;
    let now = (row.result.to_owned(), row.reason.map(str::to_owned));
    let Some((at, was)) = was else {
        settle::add_item(transaction, one.id, ordinal, &row, counts)?;
        note(changes, "new", row.result);
        return Ok(row.event);
    };
    // Known already, by this request itself: what it was then, it is still.
    let stays = row.result == "duplicate" && (was.0 == "applied" || was.0 == "duplicate");
    if at == ordinal && (stays || was == now) {
        note(changes, &was.0, &was.0);
        return Ok(None);
    }
    drop_item(transaction, one.id, at, &was, counts)?;
    settle::add_item(transaction, one.id, ordinal, &row, counts)?;
    note(changes, &was.0, row.result);
    Ok(row.event)
}

/// Forgets what was said of the request as a whole, and of items that it has no more.
fn forget_others(
    transaction: &dyn Connection,
    request: i64,
    items: usize,
    counts: &mut Counts,
) -> Result<(), StoreError> {
    const OTHERS: &str =
        "SELECT ordinal, result, reason FROM items WHERE request = ? AND (ordinal < 0 OR ordinal >= ?)";
    const FORGET: &str = "DELETE FROM quarantine WHERE request = ? AND (ordinal < 0 OR ordinal >= ?)";
    let doing = "settle requests again";
    let others: Vec<(i64, Before)> = all(transaction, doing, OTHERS, values![request, items], |row| {
        Ok((row.get(0)?, (row.get(1)?, row.get(2)?)))
    })?;
    for (ordinal, was) in &others {
        drop_item(transaction, request, *ordinal, was, counts)?;
    }
    run(transaction, doing, FORGET, values![request, items]).map(drop)
}

fn note(changes: &mut Changes, was: &str, is: &str) {
    *changes.items.entry(format!("{was} to {is}")).or_default() += 1;
}

fn before(transaction: &dyn Connection, request: i64, ordinal: i64) -> Result<Option<Before>, StoreError> {
    const FIND: &str = "SELECT result, reason FROM items WHERE request = ? AND ordinal = ?";
    let doing = "read a request's items";
    first(transaction, doing, FIND, values![request, ordinal], |row| Ok((row.get(0)?, row.get(1)?)))
}

/// Whether a request is quarantined as a whole.
fn is_whole(transaction: &dyn Connection, request: i64) -> Result<bool, StoreError> {
    const FIND: &str = "SELECT EXISTS (SELECT 1 FROM quarantine WHERE request = ? AND ordinal = -1)";
    only(transaction, "read the quarantine", FIND, values![request], |row| row.get(0))
}

fn newest_cluster(connection: &dyn Connection) -> Result<i64, StoreError> {
    const NEWEST: &str = "SELECT coalesce(max(id), 0) FROM clusters";
    only(connection, "find an event's people", NEWEST, &[], |row| row.get(0))
}

fn cluster_of(transaction: &dyn Connection, event: i64) -> Result<Option<i64>, StoreError> {
    const FIND: &str = "SELECT cluster FROM events WHERE id = ?";
    first(transaction, "find an event's people", FIND, values![event], |row| row.get(0)).map(Option::flatten)
}

fn drop_item(
    transaction: &dyn Connection,
    request: i64,
    ordinal: i64,
    (result, reason): &Before,
    counts: &mut Counts,
) -> Result<(), StoreError> {
    run(
        transaction,
        "settle an item again",
        "DELETE FROM items WHERE request = ? AND ordinal = ?",
        values![request, ordinal],
    )?;
    count(counts, "items.seen", -1);
    count(counts, &settle::counter(result, reason.as_deref()), -1);
    Ok(())
}
