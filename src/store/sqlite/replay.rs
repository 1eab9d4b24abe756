//! Settling again: what stored requests say today takes the place of what they said.
//!
//! In: requests that are settled, read anew. Out: what changed. The books are kept item by item, so that they
//! balance before, in between and after.

use super::settle::{self, Counts, SLICE, count};
use super::sql::failed;
use super::{SqliteStore, outbox, parked, readers};
use crate::store::replay::{Changes, Parked, Replays, Selection};
use crate::store::{AccountNumbers, Prepared, Request, StoreError, Stored};
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use std::collections::BTreeMap;
use std::time::Instant;
use wabridge_model::Phone;

impl Replays for SqliteStore {
    fn account_numbers(&self) -> Result<AccountNumbers, StoreError> {
        self.readers.read(account_numbers)
    }

    fn park(&self, parked: Parked) -> Result<bool, StoreError> {
        self.writing()?.writer.run(move |connection| parked::park(connection, &parked))
    }

    fn parked_after(&self, after: i64, limit: usize) -> Result<Vec<(i64, Parked)>, StoreError> {
        self.readers.read(|connection| parked::after(connection, after, limit))
    }

    fn unpark(&self, proven: Vec<(i64, Request)>) -> Result<(), StoreError> {
        let writing = self.writing()?;
        // The projector finds them when it next looks by itself.
        writing.writer.run(move |connection| parked::unpark(connection, &proven))
    }

    fn settled_after(
        &self,
        selection: Selection,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Stored>, StoreError> {
        self.readers.read(|connection| readers::settled_after(connection, selection, after, limit))
    }

    fn settle_again(&self, mut prepared: Vec<Prepared>, dry_run: bool) -> Result<Changes, StoreError> {
        let writing = self.writing()?;
        let mut changes = Changes::default();
        while !prepared.is_empty() {
            let routes = self.routes();
            let (changed, rest) = writing.writer.run(move |connection| {
                let slice = |connection: &mut Connection| slice(connection, &prepared, dry_run);
                let changed = outbox::routed(connection, routes, slice)?;
                let done = usize::try_from(changed.requests).unwrap_or(prepared.len());
                Ok((changed, prepared.split_off(done)))
            })?;
            changes.add(changed);
            prepared = rest;
        }
        Ok(changes)
    }
}

fn account_numbers(connection: &Connection) -> Result<AccountNumbers, StoreError> {
    let doing = "read account numbers";
    let mut statement = connection
        .prepare_cached("SELECT channel, account_id, number FROM account_numbers")
        .map_err(failed(doing))?;
    let rows = statement
        .query_map([], |row| {
            let number: String = row.get(2)?;
            Ok(((row.get(0)?, row.get(1)?), number))
        })
        .map_err(failed(doing))?;
    let mut numbers = AccountNumbers::new();
    for row in rows {
        let (place, number) = row.map_err(failed(doing))?;
        numbers.extend(Phone::from_whatsapp_id(number.trim_start_matches('+')).ok().map(|it| (place, it)));
    }
    Ok(numbers)
}

/// Settles the first of `prepared` again, as many as one slice takes.
fn slice(connection: &mut Connection, prepared: &[Prepared], dry_run: bool) -> Result<Changes, StoreError> {
    let doing = "settle requests again";
    let started = Instant::now();
    let transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed(doing))?;
    let (mut changes, mut counts) = (Changes::default(), Counts::new());
    for one in prepared {
        again(&transaction, one, &mut counts, &mut changes)?;
        changes.requests += 1;
        if started.elapsed() > SLICE {
            break;
        }
    }
    settle::book(&transaction, &counts)?;
    if dry_run {
        return transaction.rollback().map_err(failed(doing)).map(|()| changes);
    }
    transaction.commit().map_err(failed(doing)).map(|()| changes)
}

/// What became of an item when it was settled last: its result and reason, by ordinal.
type Before = BTreeMap<i64, (String, Option<String>)>;

fn again(
    transaction: &Transaction<'_>,
    one: &Prepared,
    counts: &mut Counts,
    changes: &mut Changes,
) -> Result<(), StoreError> {
    let mut before = before(transaction, one.id)?;
    let was_whole = is_whole(transaction, one.id)?;
    let Ok(items) = &one.items else {
        // Nothing is understood better than before, and what was understood then stays.
        let same = if was_whole { "quarantined" } else { "unread" };
        return note(changes, same, same);
    };
    forget(transaction, "DELETE FROM quarantine WHERE request = ?", one.id)?;
    if was_whole {
        count(counts, "requests.quarantined", -1);
        count(counts, "requests.projected", 1);
    }
    settle::remember(transaction, one)?;
    for index in settle::in_evidence_order(one, items) {
        let ordinal = i64::try_from(index).unwrap_or(i64::MAX);
        let row = settle::settle_item(transaction, one, &items[index], ordinal, counts, true)?;
        let now = (row.result.to_owned(), row.reason.map(str::to_owned));
        let was = before.remove(&ordinal);
        // Known already, by this request itself: what it was then, it is still.
        let stays = row.result == "duplicate"
            && was.as_ref().is_some_and(|(result, _)| result == "applied" || result == "duplicate");
        if stays || was.as_ref() == Some(&now) {
            let (result, _) = was.unwrap_or(now);
            note(changes, &result, &result)?;
            continue;
        }
        if let Some(was) = &was {
            drop_item(transaction, one.id, ordinal, was, counts)?;
        }
        settle::add_item(transaction, one.id, ordinal, &row, counts)?;
        note(changes, was.as_ref().map_or("new", |(result, _)| result), row.result)?;
        if let Some(event) = row.event {
            changes.clusters.extend(cluster_of(transaction, event)?);
        }
    }
    for (ordinal, was) in &before {
        drop_item(transaction, one.id, *ordinal, was, counts)?;
    }
    Ok(())
}

fn note(changes: &mut Changes, was: &str, is: &str) -> Result<(), StoreError> {
    *changes.items.entry(format!("{was} to {is}")).or_default() += 1;
    Ok(())
}

fn before(transaction: &Transaction<'_>, request: i64) -> Result<Before, StoreError> {
    let doing = "read a request's items";
    let mut statement = transaction
        .prepare_cached("SELECT ordinal, result, reason FROM items WHERE request = ?")
        .map_err(failed(doing))?;
    let rows = statement.query_map([request], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))));
    rows.map_err(failed(doing))?.map(|row| row.map_err(failed(doing))).collect()
}

/// Whether a request is quarantined as a whole.
fn is_whole(transaction: &Transaction<'_>, request: i64) -> Result<bool, StoreError> {
    const FIND: &str = "SELECT EXISTS (SELECT 1 FROM quarantine WHERE request = ? AND ordinal = -1)";
    transaction.query_row(FIND, [request], |row| row.get(0)).map_err(failed("read the quarantine"))
}

fn cluster_of(transaction: &Transaction<'_>, event: i64) -> Result<Option<i64>, StoreError> {
    transaction
        .query_row("SELECT cluster FROM events WHERE id = ?", [event], |row| row.get(0))
        .optional()
        .map(Option::flatten)
        .map_err(failed("find an event's people"))
}

fn forget(transaction: &Transaction<'_>, sql: &str, request: i64) -> Result<(), StoreError> {
    transaction.execute(sql, [request]).map(drop).map_err(failed("settle requests again"))
}

fn drop_item(
    transaction: &Transaction<'_>,
    request: i64,
    ordinal: i64,
    (result, reason): &(String, Option<String>),
    counts: &mut Counts,
) -> Result<(), StoreError> {
    transaction
        .execute("DELETE FROM items WHERE request = ? AND ordinal = ?", params![request, ordinal])
        .map_err(failed("settle an item again"))?;
    count(counts, "items.seen", -1);
    count(counts, &settle::counter(result, reason.as_deref()), -1);
    Ok(())
}
