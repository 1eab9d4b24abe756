//! Opening the store that is configured, whichever database it is in.
//!
//! In: `[store]` of the configuration. Out: a [`Store`], to write or to read.

use super::postgres::{Options, PostgresStore};
use super::signal::Heard;
use super::sqlite::SqliteStore;
use super::sqlite::rebuild::{self, Verified};
use super::{Store, StoreError, StoreErrorKind};
use crate::config;
use std::sync::Arc;

/// What the store tells the rest of the process.
pub struct Signals {
    /// Called after each commit of requests.
    pub committed: Box<dyn Fn() + Send + Sync>,
    /// Called when the disk failed: nothing may be acknowledged any more. A server looks after its disk itself.
    pub disk_failed: Box<dyn Fn(&StoreError) + Send>,
    /// Called when another process that shares the store says that there is something to look at.
    pub heard: Heard,
}

impl Signals {
    /// Nobody listens: for a command that ends with what it does.
    #[must_use]
    pub fn unheard() -> Signals {
        Signals { committed: Box::new(|| ()), disk_failed: Box::new(|_| ()), heard: Arc::new(|_| ()) }
    }
}

/// Opens the store to write, and migrates it.
///
/// # Errors
/// When it cannot be opened; its kind says whose move it is.
pub fn open(place: &config::Store, signals: Signals) -> Result<Arc<dyn Store>, StoreError> {
    Ok(match place {
        config::Store::Sqlite(path) => Arc::new(SqliteStore::open(path, signals)?),
        config::Store::Postgres(postgres) => {
            let (committed, heard) = (Arc::from(signals.committed), signals.heard);
            Arc::new(PostgresStore::open(&Options { committed, heard, ..options(postgres)? })?)
        }
    })
}

/// Opens a store that is there to read it, and for tokens and logins.
///
/// # Errors
/// When there is none, or it is of another version than this binary reads.
pub fn open_to_read(place: &config::Store) -> Result<Arc<dyn Store>, StoreError> {
    Ok(match place {
        config::Store::Sqlite(path) => Arc::new(SqliteStore::open_to_read(path)?),
        config::Store::Postgres(postgres) => Arc::new(PostgresStore::open_to_read(&options(postgres)?)?),
    })
}

/// Makes the store where there is none, and lets go of it again: for commands that need no daemon.
///
/// # Errors
/// As [`open`].
pub fn prepare(place: &config::Store) -> Result<(), StoreError> {
    match place {
        config::Store::Sqlite(path) => SqliteStore::prepare(path),
        config::Store::Postgres(postgres) => PostgresStore::prepare(&options(postgres)?),
    }
}

/// The version of the server that the store is on, where it is on one, after a look whether it may be trusted with it.
///
/// # Errors
/// [`StoreErrorKind::Denied`], [`StoreErrorKind::Away`], [`StoreErrorKind::Unsafe`], or what the server says.
pub fn server_version(place: &config::Store) -> Result<Option<String>, StoreError> {
    match place {
        config::Store::Sqlite(_) => Ok(None),
        config::Store::Postgres(postgres) => PostgresStore::server_version(&options(postgres)?).map(Some),
    }
}

/// Folds a copy of the store anew and compares; the store itself is only read, and daemons may run.
///
/// # Errors
/// When the copy cannot be made, or the store not be read.
pub fn verify(place: &config::Store) -> Result<Verified, StoreError> {
    match place {
        config::Store::Sqlite(path) => rebuild::verify(path),
        config::Store::Postgres(_) => {
            let copy = place.beside(&format!(".verify-{}", std::process::id()));
            rebuild::verify_copy(&copy, || super::migrate::excerpt(place, &copy))
        }
    }
}

/// How a server is reached.
pub(super) fn options(postgres: &config::Postgres) -> Result<Options, StoreError> {
    let wrong = |error| StoreError::with(StoreErrorKind::Denied, "read how the store is reached", error);
    let password = postgres.resolve_password().map_err(wrong)?;
    let (schema, ca) = (postgres.schema.clone(), postgres.ca.clone());
    Ok(Options { password, schema, ca, ..Options::new(&postgres.url, &postgres.folder) })
}
