//! A database as one end of a migration: read beside its replicas, fenced off from them, or written beside one that only
//! acknowledges.

use super::connection::PostgresConnection;
use super::pool::Pool;
use super::{Options, PostgresStore, known};
use crate::store::sql::SCHEMA_VERSION;
use crate::store::sql::connection::{Connection, only, run, values};
use crate::store::sql::marks;
use crate::store::{StoreError, StoreErrorKind};
use std::sync::Arc;

/// A connection of a migration's own.
pub(in crate::store) struct Copying {
    // Dropped in this order: the connection leans on the pool.
    connection: PostgresConnection,
    _pool: Arc<Pool>,
}

/// Who copies waits for no lock longer than anybody else, and for its own statements as long as they take.
const SESSION: &str =
    "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET lock_timeout = '10s'";

/// Refuses a store that was moved on, and says so where it is not whole yet.
pub(super) fn look(connection: &dyn Connection) -> Result<(), StoreError> {
    marks::refuse_moved(connection)?;
    if marks::mark(connection, marks::UNFINISHED)?.is_some() {
        tracing::warn!(
            "the store is an unfinished copy: requests are acknowledged, and nothing is projected or delivered until \
             `wabridge migrate-store --finish` has been run"
        );
    }
    Ok(())
}

/// Opens a store to copy it.
pub(in crate::store) fn source(options: &Options) -> Result<Copying, StoreError> {
    let copying = open(options)?;
    let doing = "open the store";
    match known(&copying.connection)? {
        Some((_, oldest_reader)) if oldest_reader > SCHEMA_VERSION => {
            Err(StoreError::new(StoreErrorKind::Newer, doing))
        }
        Some(_) => Ok(copying),
        None => Err(StoreError::new(StoreErrorKind::Absent, "find wabridge's tables in the store")),
    }
}

/// Opens a store to copy into it, and makes its tables where there are none. Only one migration at a time has it.
pub(in crate::store) fn target(options: &Options) -> Result<Copying, StoreError> {
    // Two numbers: a space of its own beside the locks of one, and that of names.
    const TAKE: &str = "SELECT pg_try_advisory_lock(2, hashtext(current_schema()))";
    PostgresStore::prepare(options)?;
    let copying = open(options)?;
    let doing = "take the store for this copy";
    match only(&copying.connection, doing, TAKE, &[], |row| row.get(0))? {
        true => Ok(copying),
        false => Err(StoreError::new(StoreErrorKind::Held, doing)),
    }
}

fn open(options: &Options) -> Result<Copying, StoreError> {
    let pool = options.pool()?;
    let connection = pool.open()?;
    connection.say("begin to copy", SESSION)?;
    Ok(Copying { connection, _pool: pool })
}

impl Copying {
    /// Its connection.
    pub(in crate::store) fn connection(&self) -> &dyn Connection {
        &self.connection
    }

    /// Reads one snapshot from here on.
    pub(in crate::store) fn begin_to_read(&self) -> Result<(), StoreError> {
        self.connection.begin_to_read()
    }

    /// Keeps everybody from writing these tables, until the connection is closed or [`Copying::move_on`] has been called.
    /// Who is just writing is waited for.
    pub(in crate::store) fn fence(&self, tables: &[&str]) -> Result<(), StoreError> {
        let doing = "keep the store's daemons from writing";
        self.connection.begin(doing)?;
        self.connection.say(doing, &format!("LOCK TABLE {} IN SHARE MODE", tables.join(", ")))
    }

    /// Marks the store as moved, lets go of its tables, and has every later request refused: a replica that was forgotten
    /// must not acknowledge what nobody would look at.
    pub(in crate::store) fn move_on(&self, at: i64) -> Result<(), StoreError> {
        // 55000: to a daemon, the store is busy.
        const REFUSE: &str = "CREATE OR REPLACE FUNCTION wabridge_moved() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN RAISE EXCEPTION 'this store was moved' USING ERRCODE = '55000'; END $$;
             DROP TRIGGER IF EXISTS moved ON requests;
             CREATE TRIGGER moved BEFORE INSERT ON requests FOR EACH STATEMENT EXECUTE FUNCTION wabridge_moved()";
        const MARK: &str = "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        let doing = "mark the store as moved";
        self.connection.say(doing, REFUSE)?;
        run(&self.connection, doing, MARK, values![marks::MOVED, at])?;
        self.connection.commit(doing)
    }

    /// The next id that a table's rows are given.
    pub(in crate::store) fn number_from(&self, table: &str, next: i64) -> Result<(), StoreError> {
        const SET: &str = "SELECT setval(CAST(pg_get_serial_sequence(?, 'id') AS regclass), ?, false)";
        let nothing = |_: &crate::store::sql::connection::Row<'_>| Ok(());
        only(&self.connection, "number the rows on", SET, values![table, next], nothing)
    }
}
