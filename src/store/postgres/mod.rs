//! PostgreSQL: one database, any number of replicas.
//!
//! In: the address of a database. Out: a [`PostgresStore`] that is migrated and safe to write. Several processes may write
//! at a time: who projects a person keeps others from them (`connection.rs`), and whoever vanishes is taken over from.

mod connection;
pub(in crate::store) mod copying;
mod listen;
mod pool;
mod way;
mod writer;

use crate::store::hand::Hand;
use crate::store::login::Lease;
use crate::store::signal::Heard;
use crate::store::sql::connection::{Connection, Transaction, only};
use crate::store::sql::{Database, SCHEMA_VERSION, SqlStore, versions};
use crate::store::{Later, Request, StoreError, StoreErrorKind};
use pool::Pool;
use secrecy::SecretString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use way::Way;

/// How long the process must be up before it tries a suspect again; see `hand.rs`.
const TRIAL: Duration = Duration::from_secs(1);
/// Migrations are made under this advisory lock, one process after the other.
const MIGRATION: i64 = i64::MAX;

mod embedded {
    refinery::embed_migrations!("migrations/postgres");
}

/// One PostgreSQL database.
pub struct Postgres {
    opened: Instant,
    // Dropped in this order: the writer leans on the pool.
    writing: Option<Writing>,
    pool: Arc<Pool>,
}

/// The store in one PostgreSQL database.
pub type PostgresStore = SqlStore<Postgres>;

/// By which clock leases run out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// The database's, which all replicas share.
    Database,
    /// That of who asks: for tests, whose time is their own.
    Given,
}

struct Writing {
    writer: writer::Writer,
    hand: Arc<Hand>,
}

/// How a store is opened.
#[derive(Clone)]
pub struct Options {
    /// The address: `postgres://...`, or `host=... dbname=...`. It may hold a password, and is shown nowhere.
    pub url: String,
    /// The password, where the address has none.
    pub password: Option<SecretString>,
    /// The schema of the tables, where it is not the user's own.
    pub schema: Option<String>,
    /// The folder of what concerns this process alone.
    pub folder: PathBuf,
    /// The file of the authority that says who the server is, in PEM; else those that the system trusts.
    pub ca: Option<PathBuf>,
    /// By which clock leases run out.
    pub clock: Clock,
    /// Called after each commit of requests here.
    pub committed: Arc<dyn Fn() + Send + Sync>,
    /// Called when another replica says that there is something to look at.
    pub heard: Heard,
}

impl Options {
    /// A store at an address, whose signals nobody hears yet.
    #[must_use]
    pub fn new(url: &str, folder: &Path) -> Options {
        Options {
            url: url.to_owned(),
            password: None,
            schema: None,
            folder: folder.to_owned(),
            ca: None,
            clock: Clock::Database,
            committed: Arc::new(|| ()),
            heard: Arc::new(|_| ()),
        }
    }

    fn pool(&self) -> Result<Arc<Pool>, StoreError> {
        let mut replica = [0; 8];
        getrandom::fill(&mut replica)
            .map_err(|_| StoreError::new(StoreErrorKind::Other, "draw a replica's number"))?;
        let way = Way::to(self)?;
        Pool::new(way, i64::from_le_bytes(replica), self.clock == Clock::Given).map(Arc::new)
    }
}

impl PostgresStore {
    /// Opens the store for a daemon: migrates it, starts to write and to listen.
    ///
    /// # Errors
    /// [`StoreErrorKind::Newer`] when a newer version wrote it, [`StoreErrorKind::Unsafe`] when the server acknowledges what
    /// it may lose, or whatever the server says.
    pub fn open(options: &Options) -> Result<PostgresStore, StoreError> {
        let pool = options.pool()?;
        refuse_unsafe(&*pool.lend()?)?;
        migrate(&pool)?;
        copying::look(&*pool.lend()?)?;
        let (hand, held) = hand(&options.folder)?;
        crate::store::sql::queue::note_crashes(&*pool.lend()?, &held)?;
        let writer = writer::Writer::start(&pool, Arc::clone(&options.committed))
            .map_err(|error| StoreError::with(StoreErrorKind::Other, "start a thread", error))?;
        pool.listen(Arc::clone(&options.heard));
        let writing = Some(Writing { writer, hand: Arc::new(hand) });
        Ok(Postgres { opened: Instant::now(), writing, pool }.into())
    }

    /// Opens an existing store to read it, and for tokens.
    ///
    /// # Errors
    /// When there is no store, or it is of another version than this binary reads.
    pub fn open_to_read(options: &Options) -> Result<PostgresStore, StoreError> {
        let pool = options.pool()?;
        let known = known(&*pool.lend()?)?;
        match known {
            Some((_, oldest_reader)) if oldest_reader > SCHEMA_VERSION => {
                Err(StoreError::new(StoreErrorKind::Newer, "open the store"))
            }
            Some(_) => Ok(Postgres { opened: Instant::now(), writing: None, pool }.into()),
            None => Err(StoreError::new(StoreErrorKind::Absent, "find wabridge's tables in the store")),
        }
    }

    /// The server's version, after a look whether it keeps what it acknowledges.
    ///
    /// # Errors
    /// [`StoreErrorKind::Unsafe`], or whatever the server says.
    pub fn server_version(options: &Options) -> Result<String, StoreError> {
        let pool = options.pool()?;
        let connection = pool.lend()?;
        refuse_unsafe(&*connection)?;
        only(&*connection, "ask the server's version", "SHOW server_version", &[], |row| row.get(0))
    }

    /// Makes the tables where there are none, and lets go again: for commands that need no daemon. What is there already is
    /// left to a daemon to migrate: others may still write it.
    ///
    /// # Errors
    /// As [`PostgresStore::open`].
    pub fn prepare(options: &Options) -> Result<(), StoreError> {
        let pool = options.pool()?;
        refuse_unsafe(&*pool.lend()?)?;
        if known(&*pool.lend()?)?.is_some() { Ok(()) } else { migrate(&pool) }
    }
}

/// The first file for what is in hand that no other process of this machine has: a command may write beside the daemon.
fn hand(folder: &Path) -> Result<(Hand, Vec<i64>), StoreError> {
    let mut files = (1..).map(|number| Hand::open(&folder.join(format!("wabridge.hand-{number}"))));
    let is_taken = |opened: &std::io::Result<_>| {
        opened.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    };
    let opened = files.find(|opened| !is_taken(opened)).expect("there is always a next number");
    opened.map_err(|error| StoreError::with(StoreErrorKind::Disk, "open the in-hand file", error))
}

/// A server that does not flush what it acknowledges keeps no promise.
fn refuse_unsafe(connection: &dyn Connection) -> Result<(), StoreError> {
    const FIND: &str = "SELECT current_setting('fsync') = 'on' AND current_setting('full_page_writes') = 'on'
         AND current_setting('synchronous_commit') <> 'off'";
    let doing = "look at what the server promises";
    match only(connection, doing, FIND, &[], |row| row.get(0))? {
        true => Ok(()),
        false => Err(StoreError::new(StoreErrorKind::Unsafe, doing)),
    }
}

/// The stored versions; `None` where there are no tables of ours.
fn known(connection: &dyn Connection) -> Result<Option<(i64, i64)>, StoreError> {
    const KNOWN: &str = "SELECT to_regclass('meta') IS NOT NULL";
    let is_known = only(connection, "read the store's version", KNOWN, &[], |row| row.get(0))?;
    if is_known { versions(connection).map(Some) } else { Ok(None) }
}

/// Brings the schema up to this binary's, one process after the other.
fn migrate(pool: &Pool) -> Result<(), StoreError> {
    let doing = "migrate the store";
    let connection = pool.lend()?;
    let transaction = Transaction::begin(&*connection, doing)?;
    transaction.query(doing, "SELECT pg_advisory_xact_lock(?)", &[&MIGRATION], &mut |_| {
        Ok(std::ops::ControlFlow::Continue(()))
    })?;
    match known(&*transaction)? {
        Some((_, oldest_reader)) if oldest_reader > SCHEMA_VERSION => {
            return Err(StoreError::new(StoreErrorKind::Newer, doing));
        }
        Some((version, _)) if version >= SCHEMA_VERSION => return transaction.commit(doing),
        _ => {}
    }
    pool.with_client(async |client| {
        embedded::migrations::runner()
            .run_async(client)
            .await
            .map(drop)
            .map_err(|error| StoreError::with(StoreErrorKind::Other, doing, error))
    })?;
    transaction.commit(doing)
}

impl Postgres {
    fn writing(&self) -> Result<&Writing, StoreError> {
        self.writing
            .as_ref()
            .ok_or_else(|| StoreError::new(StoreErrorKind::Other, "write to a store opened to read"))
    }
}

impl Database for Postgres {
    fn read<T>(&self, work: impl FnOnce(&dyn Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let connection = self.pool.lend()?;
        connection.begin_to_read()?;
        let result = work(&*connection);
        // Where the reading failed, what is left of it is undone.
        connection.commit("end reading")?;
        result
    }

    fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.writing()?;
        work(&*self.pool.lend()?)
    }

    fn take<T>(&self, work: impl FnOnce(&dyn Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        work(&*self.pool.lend()?)
    }

    fn write_beside<T>(
        &self,
        work: impl FnOnce(&dyn Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        work(&*self.pool.lend()?)
    }

    fn hold(&self, name: &str) -> Result<Lease, StoreError> {
        let connection = self.pool.open()?;
        connection.hold_name(name)?;
        Ok(Box::new(connection))
    }

    fn append(&self, request: Request) -> Later<Result<(), StoreError>> {
        let later = match self.writing() {
            Ok(writing) => writing.writer.append(request),
            Err(error) => return Box::pin(async move { Err(error) }),
        };
        Box::pin(async move {
            later.await.unwrap_or_else(|_| Err(StoreError::new(StoreErrorKind::Other, "store a request")))
        })
    }

    fn bundles_at_once(&self) -> usize {
        1
    }

    fn hand(&self) -> Result<&Arc<Hand>, StoreError> {
        self.writing().map(|writing| &writing.hand)
    }

    fn may_try_suspects(&self) -> bool {
        self.opened.elapsed() >= TRIAL
    }
}
