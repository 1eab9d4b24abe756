//! Rebuild beside a running daemon: each cluster is folded anew by itself, in slices between acknowledgements.
//!
//! In: all clusters there are at the beginning, and the events in none. Out: the same state as a rebuild of a
//! store at rest. A cluster that stands as its events say is left alone; any other is dissolved and its events
//! are placed anew, within one transaction, so that a reader sees each person as before or as after. What is
//! projected meanwhile is new already.

use super::counters::count;
use super::encoding::{events_of, to_json};
use super::rows::SqlRows;
use super::settle::SLICE;
use super::{marks, read, rollups};
use crate::leads::project::place;
use crate::store::mending::{Mending, Rebuilt};
use crate::store::sql::connection::{Connection, Lock, Transaction, all, first, only, run, values};
use crate::store::sql::{Database, SqlStore};
use crate::store::{EventRow, Rollups, Rows, StoreError, StoreErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;
use wabridge_model::cluster::{Cluster, ties};
use wabridge_model::evidence::Evidence;

const DOING: &str = "fold leads anew";
/// Events in no cluster that are placed in one slice.
const LOOSE: usize = 200;

/// How far a pass over all clusters is.
#[derive(Debug, Clone, Copy)]
struct Pass {
    /// The cluster that was folded last.
    at: i64,
    /// The last one there was at the beginning.
    end: i64,
    events: u64,
}

impl<D: Database> Mending for SqlStore<D> {
    fn extent(&self) -> Result<Rebuilt, StoreError> {
        self.database.read(|connection| {
            let events = only(connection, DOING, "SELECT count(*) FROM events", &[], |row| row.get(0))?;
            Ok(Rebuilt { events, people: count_people(connection)? })
        })
    }

    fn rebuild(&self, go_on: &dyn Fn() -> bool) -> Result<Rebuilt, StoreError> {
        let may_go_on = || match go_on() {
            true => Ok(()),
            false => Err(StoreError::new(StoreErrorKind::Busy, DOING)),
        };
        let end = self.database.read(|connection| {
            marks::refuse_unfinished(connection, DOING)?;
            highest(connection, "SELECT max(id) FROM clusters")
        })?;
        let mut pass = Pass { at: 0, end, events: 0 };
        while pass.at < pass.end {
            may_go_on()?;
            pass = self.database.write(move |connection| caught(|| slice(connection, pass)))?;
        }
        // Looked for beside the writer: they are few among many.
        let mut after = 0;
        loop {
            may_go_on()?;
            let loose =
                self.database.read(|connection| read::loose_events_after(connection, after, LOOSE))?;
            let Some(last) = loose.last() else { break };
            after = last.0;
            pass.events += loose.len() as u64;
            self.database.write(move |connection| caught(|| place_loose(connection, &loose)))?;
        }
        self.database.write(move |connection| rollups::begin_anew(connection))?;
        while !self.count_on()? {
            may_go_on()?;
        }
        let people = self.database.read(count_people)?;
        Ok(Rebuilt { events: pass.events, people })
    }
}

/// A panic takes its transaction with it, and not the thread that writes.
fn caught<T>(work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(StoreError::new(StoreErrorKind::Other, DOING)))
}

fn highest(connection: &dyn Connection, sql: &str) -> Result<i64, StoreError> {
    let highest: Option<i64> = only(connection, DOING, sql, &[], |row| row.get(0))?;
    Ok(highest.unwrap_or(0))
}

/// Folds the next clusters anew, as many as one slice takes; at least one if there is one.
fn slice(connection: &dyn Connection, mut pass: Pass) -> Result<Pass, StoreError> {
    const NEXT: &str = "SELECT id FROM clusters WHERE id > ? AND id <= ? ORDER BY id LIMIT 1";
    let started = Instant::now();
    let transaction = Transaction::begin(connection, DOING)?;
    transaction.lock(DOING, Lock::Everything)?;
    let mut found = 0;
    while started.elapsed() < SLICE {
        let next = first(&*transaction, DOING, NEXT, values![pass.at, pass.end], |row| row.get(0))?;
        let Some(cluster) = next else {
            pass.at = pass.end;
            break;
        };
        let events = events_of(&*transaction, cluster)?;
        pass.events += events.len() as u64;
        if !stands(&*transaction, cluster, &events)? {
            found += fold_anew(&*transaction, cluster, events)?;
        }
        pass.at = cluster;
    }
    book(&*transaction, found)?;
    transaction.commit(DOING)?;
    Ok(pass)
}

/// Whether a cluster is what its events make it: its state, its touches, and the names it answers to.
fn stands(connection: &dyn Connection, cluster: i64, events: &[EventRow]) -> Result<bool, StoreError> {
    let mut rows = rows(connection, events);
    let mut evidence: Vec<Evidence> = events.iter().map(|row| row.evidence.clone()).collect();
    let folded = Cluster::fold(&mut evidence).cluster;
    // What cannot be read back stands for nothing.
    if rows.state(cluster).ok().as_ref() != Some(&folded) {
        return Ok(false);
    }
    for event in events {
        let ties = ties(&event.evidence.merged());
        for identity in &ties.identities {
            if rows.name(identity)? != Some(cluster) {
                return Ok(false);
            }
        }
        for alias in ties.explains.iter().chain(&ties.leans_on) {
            if rows.alias(alias)?.is_none() {
                return Ok(false);
            }
        }
    }
    let mut expected = folded
        .leads
        .iter()
        .flat_map(|lead| &lead.attribution.touches)
        .map(to_json)
        .collect::<Result<Vec<String>, _>>()?;
    expected.sort_unstable();
    Ok(touches(connection, cluster)? == expected)
}

fn touches(connection: &dyn Connection, cluster: i64) -> Result<Vec<String>, StoreError> {
    const LIST: &str = "SELECT touch FROM touches WHERE cluster = ? ORDER BY touch";
    all(connection, DOING, LIST, values![cluster], |row| row.get(0))
}

/// Dissolves a cluster and places its events anew; returns how many items found a person.
fn fold_anew(
    connection: &dyn Connection,
    cluster: i64,
    mut events: Vec<EventRow>,
) -> Result<u64, StoreError> {
    const DISSOLVE: [&str; 6] = [
        "DELETE FROM touches WHERE cluster = ?",
        "DELETE FROM handles WHERE cluster = ?",
        "DELETE FROM aliases WHERE cluster = ?",
        "DELETE FROM names WHERE cluster = ?",
        "DELETE FROM clusters WHERE id = ?",
        "UPDATE events SET cluster = NULL WHERE cluster = ?",
    ];
    let mut rows = rows(connection, &events);
    // As if nobody were in it, so that whatever is counted of people counts these no more.
    match rows.state(cluster) {
        Ok(before) => rows.save(cluster, &before, &Cluster::default())?,
        // Nobody knows what they were called: every row is looked at, this once.
        Err(_) => {
            let forget = "DELETE FROM search WHERE cluster = ?";
            run(connection, DOING, forget, values![cluster])?;
        }
    }
    for sql in DISSOLVE {
        run(connection, DOING, sql, values![cluster])?;
    }
    // In the order of evidence each is a step, and no fold of all before it.
    events.sort_by_cached_key(|row| row.evidence.position());
    let mut found = 0;
    for EventRow { id, evidence, .. } in &events {
        rows.now = evidence.received_at();
        found += place(&mut rows, *id, evidence)?.found;
    }
    Ok(found)
}

fn rows<'c>(connection: &'c dyn Connection, events: &[EventRow]) -> SqlRows<'c> {
    let now = events.first().map_or(jiff::Timestamp::UNIX_EPOCH, |row| row.evidence.received_at());
    SqlRows::at(connection, now)
}

/// Places events that were in no cluster, in case they belong into one by now.
fn place_loose(connection: &dyn Connection, loose: &[(i64, Evidence)]) -> Result<(), StoreError> {
    let transaction = Transaction::begin(connection, DOING)?;
    transaction.lock(DOING, Lock::Everything)?;
    let mut found = 0;
    for (event, evidence) in loose {
        let mut rows = SqlRows::at(&*transaction, evidence.received_at());
        // Projection may have placed it in between.
        let is_loose = rows.event(evidence.key().event_id())?.is_some_and(|row| row.cluster.is_none());
        if is_loose {
            found += place(&mut rows, *event, evidence)?.found;
        }
    }
    book(&*transaction, found)?;
    transaction.commit(DOING)
}

/// Items that waited for a person and found one count as applied.
pub(in crate::store) fn book(connection: &dyn Connection, found: u64) -> Result<(), StoreError> {
    let found = i64::try_from(found).unwrap_or(i64::MAX);
    count(connection, "items.applied", found)?;
    count(connection, "items.skipped.no_identity", -found)
}

/// Everybody there is, leads or not.
fn count_people(connection: &dyn Connection) -> Result<u64, StoreError> {
    let ids = all(connection, DOING, "SELECT id FROM clusters", &[], |row| row.get(0))?;
    let mut rows = SqlRows::at(connection, jiff::Timestamp::UNIX_EPOCH);
    let mut people = 0;
    for cluster in ids {
        for lead in &rows.state(cluster)?.leads {
            people += u64::from(rows.lead_id(lead)?.is_some());
        }
    }
    Ok(people)
}
