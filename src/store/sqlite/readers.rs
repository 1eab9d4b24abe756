//! Reading, on connections of its own, so that no reader waits for the writer.

use super::connection::{SqliteConnection, failed};
use crate::store::StoreError;
use rusqlite::OpenFlags;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The most connections kept open between reads.
const KEPT: usize = 4;

/// Read-only connections, opened as needed and kept for the next reader.
pub(super) struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<SqliteConnection>>,
}

impl Readers {
    pub(super) fn new(path: &Path) -> Readers {
        Readers { path: path.to_owned(), idle: Mutex::new(Vec::new()) }
    }

    /// Runs a read on one snapshot of the database.
    pub(super) fn read<T>(
        &self,
        work: impl FnOnce(&SqliteConnection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.open()?,
        };
        let doing = "begin to read";
        let transaction = connection.0.unchecked_transaction().map_err(failed(doing))?;
        let result = work(&connection);
        transaction.finish().map_err(failed(doing))?;
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < KEPT {
            idle.push(connection);
        }
        result
    }

    fn open(&self) -> Result<SqliteConnection, StoreError> {
        let doing = "open the store for reading";
        // Read-write at the file level: a reader of a WAL database may have to make its index file.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = rusqlite::Connection::open_with_flags(&self.path, flags).map_err(failed(doing))?;
        connection.busy_timeout(Duration::from_secs(5)).map_err(failed(doing))?;
        connection
            .execute_batch("PRAGMA query_only = ON; PRAGMA trusted_schema = OFF; PRAGMA mmap_size = 0;")
            .map_err(failed(doing))?;
        connection.set_prepared_statement_cache_capacity(64);
        Ok(connection.into())
    }
}
