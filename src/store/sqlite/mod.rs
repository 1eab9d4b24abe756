//! SQLite: one file, one writer, readers beside it.
//!
//! In: a path. Out: a [`SqliteStore`] that is migrated, safe to write (WAL, FULL), and held against a
//! second daemon.

pub mod backup;
mod checkpoint;
mod connection;
pub(in crate::store) mod copying;
mod readers;
pub mod rebuild;
mod writer;

use crate::fault;
use crate::store::hand::Hand;
use crate::store::login::Lease;
pub use crate::store::open::Signals;
pub use crate::store::sql::SCHEMA_VERSION;
use crate::store::sql::connection::{Connection, only};
use crate::store::sql::{Database, SqlStore, marks, queue, search, versions};
use crate::store::{Later, Request, StoreError, StoreErrorKind};
pub(in crate::store) use connection::SqliteConnection as Connected;
use connection::{SqliteConnection, failed};
use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Older libraries may corrupt a database when two connections checkpoint at once.
const OLDEST_SAFE_SQLITE: i32 = 3_051_003;
/// How long the process must be up before it tries a suspect again; see `hand.rs`.
const TRIAL: Duration = Duration::from_secs(1);
mod embedded {
    refinery::embed_migrations!("migrations/sqlite");
}

/// One SQLite file.
pub struct Sqlite {
    path: PathBuf,
    opened: Instant,
    readers: readers::Readers,
    // Dropped in this order: the checkpointer leans on the writer, the lock outlives both.
    writing: Option<Writing>,
}

/// The store in one SQLite file.
pub type SqliteStore = SqlStore<Sqlite>;

struct Writing {
    _checkpointer: checkpoint::Checkpointer,
    writer: Arc<writer::Writer>,
    hand: Arc<Hand>,
    _lock: File,
}

impl SqliteStore {
    /// Opens the store for a daemon: takes its lock, migrates it, starts the writer.
    ///
    /// # Errors
    /// [`StoreErrorKind::Held`] while another process holds it, [`StoreErrorKind::Newer`] when a newer
    /// version wrote it, [`StoreErrorKind::OldLibrary`], or whatever the disk says.
    pub fn open(path: &Path, signals: Signals) -> Result<SqliteStore, StoreError> {
        let lock = lock(path)?;
        let connection = migrated(path)?;
        marks::refuse_moved(&connection)?;
        // Its ids would be drawn anew by whoever finishes it.
        marks::refuse_unfinished(&connection, "open the store")?;
        let (hand, held) = Hand::open(&beside(path, "hand"))
            .map_err(|error| StoreError::with(StoreErrorKind::Disk, "open the in-hand file", error))?;
        queue::note_crashes(&connection, &held)?;
        let writer = writer::Writer::start(connection, signals)
            .map_err(|error| StoreError::with(StoreErrorKind::Other, "start a thread", error))?;
        let writer = Arc::new(writer);
        let checkpointer = checkpoint::Checkpointer::start(path, &writer)?;
        let writing = Writing { _checkpointer: checkpointer, writer, hand: Arc::new(hand), _lock: lock };
        Ok(Sqlite::at(path, Some(writing)).into())
    }

    /// Opens an existing store to read it, and for tokens, beside a daemon that may be running.
    ///
    /// # Errors
    /// When there is no store, or it is of another version than this binary reads.
    pub fn open_to_read(path: &Path) -> Result<SqliteStore, StoreError> {
        let connection = open_file(path)?;
        match schema_version(&connection)? {
            Some((version, _)) if version == SCHEMA_VERSION => {}
            Some((_, oldest_reader)) if oldest_reader > SCHEMA_VERSION => {
                return Err(StoreError::new(StoreErrorKind::Newer, "open the store"));
            }
            Some(_) => {}
            None => {
                return Err(StoreError::new(StoreErrorKind::Absent, "find wabridge's tables in the store"));
            }
        }
        Ok(Sqlite::at(path, None).into())
    }

    /// Migrates the store and lets go of it again: for commands that need no daemon.
    ///
    /// # Errors
    /// As [`SqliteStore::open`].
    pub fn prepare(path: &Path) -> Result<(), StoreError> {
        let _lock = lock(path)?;
        migrated(path).map(drop)
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.database.path
    }
}

impl Sqlite {
    fn at(path: &Path, writing: Option<Writing>) -> Sqlite {
        let readers = readers::Readers::new(path);
        Sqlite { path: path.to_owned(), opened: Instant::now(), readers, writing }
    }

    fn writing(&self) -> Result<&Writing, StoreError> {
        self.writing
            .as_ref()
            .ok_or_else(|| StoreError::new(StoreErrorKind::Other, "write to a store opened to read"))
    }
}

/// The version of the SQLite library in this binary.
#[must_use]
pub fn library_version() -> &'static str {
    rusqlite::version()
}

/// Whether the SQLite library in this binary is safe with several connections.
#[must_use]
pub fn library_is_safe() -> bool {
    rusqlite::version_number() >= OLDEST_SAFE_SQLITE
}

impl Database for Sqlite {
    fn read<T>(&self, work: impl FnOnce(&dyn Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.readers.read(|connection| work(connection))
    }

    fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.writing()?.writer.run(|connection| work(connection))
    }

    fn take<T>(&self, work: impl FnOnce(&dyn Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        // There is one projector, and what it takes nobody else does.
        self.read(work)
    }

    fn write_beside<T>(
        &self,
        work: impl FnOnce(&dyn Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        work(&open_file(&self.path)?)
    }

    fn hold(&self, name: &str) -> Result<Lease, StoreError> {
        let file = open_beside(&self.path, name);
        let held = file.and_then(|file| file.lock().map(|()| file));
        let held = held.map_err(|error| StoreError::with(StoreErrorKind::Disk, "hold a name", error))?;
        Ok(Box::new(held))
    }

    fn append(&self, request: Request) -> Later<Result<(), StoreError>> {
        match self.writing() {
            Ok(writing) => {
                let later = writing.writer.append(request);
                Box::pin(async move {
                    later
                        .await
                        .unwrap_or_else(|_| Err(StoreError::new(StoreErrorKind::Other, "store a request")))
                })
            }
            Err(error) => Box::pin(async move { Err(error) }),
        }
    }

    fn hand(&self) -> Result<&Arc<Hand>, StoreError> {
        self.writing().map(|writing| &writing.hand)
    }

    fn may_try_suspects(&self) -> bool {
        self.opened.elapsed() >= TRIAL
    }
}

/// The path of a file that belongs to the database.
fn beside(path: &Path, what: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(what);
    PathBuf::from(name)
}

/// Opens or makes a file that belongs to the database.
fn open_beside(path: &Path, what: &str) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600).open(beside(path, what))
}

/// Takes the store for this process alone; the kernel gives it back when the process ends.
pub(crate) fn lock(path: &Path) -> Result<File, StoreError> {
    let doing = "take the store's lock";
    let file =
        open_beside(path, "lock").map_err(|error| StoreError::with(StoreErrorKind::Disk, doing, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::new(StoreErrorKind::Held, doing)),
        Err(TryLockError::Error(error)) => Err(StoreError::with(StoreErrorKind::Disk, doing, error)),
    }
}

/// Opens an existing file as every writing connection must be opened.
pub(in crate::store) fn open_file(path: &Path) -> Result<SqliteConnection, StoreError> {
    let doing = "open the store";
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE | rusqlite::OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = rusqlite::Connection::open_with_flags(path, flags).map_err(failed(doing))?;
    connection.busy_timeout(Duration::from_secs(5)).map_err(failed(doing))?;
    let synchronous = if fault::planted("synchronous_normal", &[]) { "NORMAL" } else { "FULL" };
    connection
        .execute_batch(&format!(
            "PRAGMA synchronous = {synchronous};
             PRAGMA wal_autocheckpoint = 0;
             PRAGMA secure_delete = ON;
             PRAGMA trusted_schema = OFF;
             PRAGMA temp_store = MEMORY;
             PRAGMA mmap_size = 0;
             PRAGMA cache_size = -65536;"
        ))
        .map_err(failed(doing))?;
    connection.set_prepared_statement_cache_capacity(128);
    Ok(connection.into())
}

/// How SQLite would go about a statement, a step each.
#[cfg(test)]
pub(in crate::store) fn plan(path: &Path, sql: &str, values: usize) -> Vec<String> {
    let connection = open_file(path).unwrap();
    let values = vec![&1_i64 as &dyn crate::store::sql::connection::ToParam; values];
    let explain = format!("EXPLAIN QUERY PLAN {sql}");
    crate::store::sql::connection::all(&connection, "plan", &explain, &values, |row| row.get(3)).unwrap()
}

/// Opens or creates the file, and brings its schema up to this binary's.
fn migrated(path: &Path) -> Result<SqliteConnection, StoreError> {
    if !library_is_safe() {
        return Err(StoreError::new(StoreErrorKind::OldLibrary, "open the store"));
    }
    let doing = "open the store";
    // Made here and not by SQLite, so that nobody else can read it from the first byte on.
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(|error| StoreError::with(StoreErrorKind::Disk, doing, error))?;
    let mut connection = open_file(path)?;
    let stored = schema_version(&connection)?;
    if stored.is_some_and(|(_, oldest_reader)| oldest_reader > SCHEMA_VERSION) {
        return Err(StoreError::new(StoreErrorKind::Newer, doing));
    }
    if stored.is_none() {
        // Only a new file can be shaped; an old one would be written to for nothing.
        connection
            .0
            .execute_batch("PRAGMA page_size = 8192; PRAGMA auto_vacuum = INCREMENTAL;")
            .map_err(failed(doing))?;
    }
    connection.0.execute_batch("PRAGMA journal_mode = WAL;").map_err(failed(doing))?;
    let newer = stored.is_some_and(|(version, _)| version > SCHEMA_VERSION);
    if !newer {
        embedded::migrations::runner()
            .run(&mut connection.0)
            .map_err(|error| StoreError::with(StoreErrorKind::Other, "migrate the store", error))?;
        search::fill(&connection)?;
    }
    Ok(connection)
}

/// The stored `schema_version` and `min_reader_version`; `None` in a new file.
fn schema_version(connection: &SqliteConnection) -> Result<Option<(i64, i64)>, StoreError> {
    const KNOWN: &str = "SELECT count(*) FROM sqlite_schema WHERE name = 'meta'";
    let is_known = only(connection, "read the store's version", KNOWN, &[], |row| row.get(0))?;
    if is_known { versions(connection).map(Some) } else { Ok(None) }
}
