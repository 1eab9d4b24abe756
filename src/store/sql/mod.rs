//! The store in SQL: every statement, and what is made of its rows, for whichever database.
//!
//! In: a [`Database`], which knows how to read and write. Out: a [`SqlStore`], which does everything a store does. What
//! concerns one database alone (files, pools, locks, flushes) is in its own folder.

mod aside;
pub(super) mod connection;
pub(super) mod counters;
pub(super) mod encoding;
mod fold;
mod journal;
mod logins;
pub(super) mod marks;
mod outbox;
mod parked;
pub(super) mod people;
pub(super) mod queue;
pub(super) mod read;
pub(super) mod refold;
mod replay;
pub(super) mod requests;
pub(super) mod rollups;
pub(super) mod rows;
pub(super) mod search;
mod settle;
mod tokens;
mod watch;

use super::{Aside, Backlog, Inbox, Later, Prepared, Request, StoreError, Stored};
use crate::routing::Routes;
use crate::store::hand::{Hand, Slot};
use crate::store::login::Lease;
use connection::{Connection, values};
use std::sync::{Arc, RwLock};

/// The schema this binary writes.
pub const SCHEMA_VERSION: i64 = 4;

/// A database, as a store is kept in it.
pub trait Database: Send + Sync + 'static {
    /// Runs a read on one snapshot.
    ///
    /// # Errors
    /// When the database cannot be read, or what the work says.
    fn read<T>(&self, work: impl FnOnce(&dyn Connection) -> Result<T, StoreError>) -> Result<T, StoreError>;

    /// Runs work that may write, in its turn behind acknowledgements. For worker threads only.
    ///
    /// # Errors
    /// When the database was opened to read, cannot be written, or what the work says.
    fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError>;

    /// Runs what takes some of what waits.
    ///
    /// # Errors
    /// When the database cannot be reached, or what the work says.
    fn take<T>(&self, work: impl FnOnce(&dyn Connection) -> Result<T, StoreError>) -> Result<T, StoreError>;

    /// Runs a short write beside whoever writes in the store, in another process too.
    ///
    /// # Errors
    /// When the database cannot be written, or what the work says.
    fn write_beside<T>(
        &self,
        work: impl FnOnce(&dyn Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError>;

    /// Waits until nobody else holds this name, in this process or another; it is held until what is returned is dropped.
    ///
    /// # Errors
    /// When the database cannot be reached, or whoever holds it does so for too long.
    fn hold(&self, name: &str) -> Result<Lease, StoreError>;

    /// Stores a request. When this resolves to `Ok`, it is committed and flushed.
    fn append(&self, request: Request) -> Later<Result<(), StoreError>>;

    /// How many bundles of jobs may be settled in one transaction.
    fn bundles_at_once(&self) -> usize {
        usize::MAX
    }

    /// What is in hand.
    ///
    /// # Errors
    /// When the database was opened to read.
    fn hand(&self) -> Result<&Arc<Hand>, StoreError>;

    /// Whether it has been open for so long that a request that was in hand at a crash is tried again.
    fn may_try_suspects(&self) -> bool;
}

/// The store in a database.
pub struct SqlStore<D> {
    pub(super) database: D,
    /// Where changes go.
    routes: RwLock<Arc<Routes>>,
}

impl<D> From<D> for SqlStore<D> {
    fn from(database: D) -> SqlStore<D> {
        SqlStore { database, routes: RwLock::default() }
    }
}

impl<D: Database> Inbox for SqlStore<D> {
    fn append(&self, request: Request) -> Later<Result<(), StoreError>> {
        self.database.append(request)
    }

    fn claim(&self, limit: usize) -> Result<Vec<Stored>, StoreError> {
        self.database.take(move |connection| queue::claim(connection, limit))
    }

    fn claim_aside(&self) -> Result<Option<Stored>, StoreError> {
        let with_suspects = self.database.may_try_suspects();
        self.database.take(move |connection| queue::claim_aside(connection, with_suspects))
    }

    fn settle_aside(&self, aside: Aside) -> Result<Option<Aside>, StoreError> {
        let hand = Arc::clone(self.database.hand()?);
        self.project(move |connection| aside::slice(connection, aside, &hand))
    }

    fn settle(&self, mut prepared: Vec<Prepared>) -> Result<usize, StoreError> {
        let hand = self.database.hand()?;
        let mut settled = 0;
        while !prepared.is_empty() {
            let hand = Arc::clone(hand);
            let (done, rest) = self.project(move |connection| {
                let done = settle::slice(connection, &prepared, &hand)?;
                Ok((done, prepared.split_off(done)))
            })?;
            settled += done;
            prepared = rest;
        }
        Ok(settled)
    }

    fn in_hand(&self, request: Option<i64>) {
        if let Ok(hand) = self.database.hand() {
            hand.hold(Slot::Normalise, request);
        }
    }

    fn probe(&self) -> Result<(), StoreError> {
        // Sets a value to itself: a real page in a real commit, and nothing changed.
        const TOUCH: &str = "UPDATE meta SET value = value WHERE name = 'schema_version'";
        self.database.write(|connection| connection.execute("probe the store", TOUCH, &[]).map(drop))
    }

    fn backlog(&self) -> Result<Backlog, StoreError> {
        self.database.read(queue::backlog)
    }
}

/// The stored `schema_version` and `min_reader_version`, where there is a schema.
pub(super) fn versions(connection: &dyn Connection) -> Result<(i64, i64), StoreError> {
    const FIND: &str = "SELECT value FROM meta WHERE name = ?";
    let value = |name: &str| {
        connection::only(connection, "read the store's version", FIND, values![name], |row| row.get(0))
    };
    Ok((value("schema_version")?, value("min_reader_version")?))
}

/// Whether a daemon of this schema's version or a later one has opened the store yet.
fn knows(connection: &dyn Connection, version: i64) -> Result<bool, StoreError> {
    Ok(versions(connection)?.0 >= version)
}
