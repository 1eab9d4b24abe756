//! A file as one end of a migration: read beside a daemon, or written by nobody else.

use super::connection::{SqliteConnection, failed};
use super::{lock, migrated, open_file, schema_version};
use crate::store::sql::SCHEMA_VERSION;
use crate::store::{StoreError, StoreErrorKind};
use std::fs::File;
use std::path::Path;

/// Opens a store to copy it, beside a daemon that may be writing to it: each statement reads a snapshot.
pub(in crate::store) fn source(path: &Path) -> Result<SqliteConnection, StoreError> {
    let doing = "open the store";
    if !path.exists() {
        return Err(StoreError::new(StoreErrorKind::Other, "find the store"));
    }
    let connection = open_file(path)?;
    match schema_version(&connection)? {
        Some((_, oldest_reader)) if oldest_reader > SCHEMA_VERSION => {
            Err(StoreError::new(StoreErrorKind::Newer, doing))
        }
        Some(_) => Ok(connection),
        None => Err(StoreError::new(StoreErrorKind::Absent, "find wabridge's tables in the store")),
    }
}

/// Keeps daemons from a store; none may have it now.
pub(in crate::store) fn hold(path: &Path) -> Result<File, StoreError> {
    lock(path)
}

/// Opens a store to copy into it, makes it where there is none, and keeps everybody else from it.
pub(in crate::store) fn target(path: &Path) -> Result<(SqliteConnection, File), StoreError> {
    let held = lock(path)?;
    let connection = migrated(path)?;
    // No checkpointer runs beside this, and the log of a whole store would fill the disk.
    let doing = "open the store";
    connection.0.execute_batch("PRAGMA wal_autocheckpoint = 1000;").map_err(failed(doing))?;
    Ok((connection, held))
}

/// Brings all that was written into the file itself.
pub(in crate::store) fn settle(connection: &SqliteConnection) -> Result<(), StoreError> {
    let doing = "write the log back";
    connection.0.execute_batch("PRAGMA wal_checkpoint(TRUNCATE);").map_err(failed(doing))
}

/// Makes a file of this process's own, which needs to survive nothing.
pub(in crate::store) fn scratch(path: &Path) -> Result<SqliteConnection, StoreError> {
    let connection = migrated(path)?;
    let doing = "make a copy of the store";
    connection
        .0
        .execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")
        .map_err(failed(doing))?;
    Ok(connection)
}
