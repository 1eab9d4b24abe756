//! A copy of the store while a daemon writes to it, and what a copy must be to take the store's place.
//!
//! In: the store's path. Out: an open file of one moment of it, with the rows of every table counted. The
//! copy is made from one read transaction, in steps with a rest between them: the writer waits for no reader,
//! and the disk is left to it. The log cannot shrink past that moment until the copy is whole.
//!
//! <https://www.sqlite.org/backup.html>

use super::connection::{SqliteConnection, failed};
use super::{SCHEMA_VERSION, beside, open_file, schema_version};
use crate::store::sql::connection::{all, only};
use crate::store::{StoreError, StoreErrorKind};
use rusqlite::backup::{Backup, Progress};
use rusqlite::{Connection, OpenFlags};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

/// Pages of 8 KiB in a step, and the rest after it.
const STEP_PAGES: i32 = 256;
const REST: Duration = Duration::from_millis(5);

/// Rows by table.
pub type Counts = BTreeMap<String, u64>;

/// A copy of a store at one moment. Its file has no name any more: it is gone when this is dropped.
#[derive(Debug)]
pub struct Copied {
    /// The database, whole, as one file.
    pub file: File,
    /// The schema it is of.
    pub schema_version: i64,
    /// The rows of every table.
    pub tables: Counts,
}

/// Copies the store, beside a daemon that may be writing to it.
///
/// The copy lies beside the store until it is whole, as open or closed to others as the store itself; one
/// that was left behind by a crash is overwritten by the next.
///
/// # Errors
/// [`StoreErrorKind::Busy`] while another copy is made, or whatever the disk says.
pub fn copy(path: &Path) -> Result<Copied, StoreError> {
    let place = beside(path, "backup");
    let file = take(&place)?;
    let result = copy_to(path, &place).and_then(|()| contents(&place));
    // Whoever has it open keeps it; nobody else is to find it.
    let removed = std::fs::remove_file(&place);
    let Contents { schema_version, tables } = result?;
    removed.map_err(disk("remove the copy's name"))?;
    Ok(Copied { file, schema_version, tables })
}

/// Makes or empties the copy's file, for this process alone.
fn take(place: &Path) -> Result<File, StoreError> {
    let doing = "make room for a copy of the store";
    let mut options = OpenOptions::new();
    let options = options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let file = options.open(place).map_err(disk(doing))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(StoreError::new(StoreErrorKind::Busy, doing)),
        Err(TryLockError::Error(error)) => return Err(disk(doing)(error)),
    }
    // Another copy may have ended, and taken the name away, between opening and locking.
    let named = std::fs::metadata(place).map_err(|_| StoreError::new(StoreErrorKind::Busy, doing))?;
    if named.ino() != file.metadata().map_err(disk(doing))?.ino() {
        return Err(StoreError::new(StoreErrorKind::Busy, doing));
    }
    file.set_len(0).map_err(disk(doing))?;
    Ok(file)
}

fn copy_to(path: &Path, place: &Path) -> Result<(), StoreError> {
    let doing = "copy the store";
    let source = open_file(path)?.0;
    // One moment for the whole copy: without it, every write of the daemon would begin the copy anew.
    let moment = source.unchecked_transaction().map_err(failed(doing))?;
    moment.query_row("SELECT count(*) FROM meta", [], |_| Ok(())).map_err(failed(doing))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut target = Connection::open_with_flags(place, flags).map_err(failed(doing))?;
    // Nothing to roll back to and nothing to survive a crash: a copy that is cut short is thrown away.
    target.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;").map_err(failed(doing))?;
    Backup::new(&moment, &mut target)
        .and_then(|backup| backup.run_to_completion(STEP_PAGES, REST, None::<fn(Progress)>))
        .map_err(failed(doing))
}

/// What a copy holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// The schema it is of.
    pub schema_version: i64,
    /// The rows of every table.
    pub tables: Counts,
}

/// Examines a database that is to take a store's place: every page, every index, every count.
///
/// # Errors
/// [`StoreErrorKind::Corrupt`] when it is damaged, [`StoreErrorKind::Newer`] when this version cannot read it.
pub fn examine(path: &Path) -> Result<Contents, StoreError> {
    let doing = "examine the database";
    let connection = open_still(path)?;
    let said: String = only(&connection, doing, "PRAGMA integrity_check", &[], |row| row.get(0))?;
    if said != "ok" {
        return Err(StoreError::new(StoreErrorKind::Corrupt, doing));
    }
    contents_of(&connection)
}

fn contents(path: &Path) -> Result<Contents, StoreError> {
    contents_of(&open_still(path)?)
}

fn contents_of(connection: &SqliteConnection) -> Result<Contents, StoreError> {
    let doing = "count what the database holds";
    let Some((schema_version, oldest_reader)) = schema_version(connection)? else {
        return Err(StoreError::new(StoreErrorKind::Corrupt, "find wabridge's tables in the database"));
    };
    if oldest_reader > SCHEMA_VERSION {
        return Err(StoreError::new(StoreErrorKind::Newer, doing));
    }
    const TABLES: &str =
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
    let mut tables = Counts::new();
    for name in all(connection, doing, TABLES, &[], |row| row.get::<String>(0))? {
        let count = format!("SELECT count(*) FROM \"{}\"", name.replace('"', "\"\""));
        tables.insert(name, only(connection, doing, &count, &[], |row| row.get(0))?);
    }
    Ok(Contents { schema_version, tables })
}

/// Opens a database that nobody writes to, without making a log beside it.
fn open_still(path: &Path) -> Result<SqliteConnection, StoreError> {
    let doing = "open the database";
    let absolute = std::path::absolute(path).map_err(disk(doing))?;
    let mut url =
        url::Url::from_file_path(absolute).map_err(|()| StoreError::new(StoreErrorKind::Other, doing))?;
    url.set_query(Some("immutable=1"));
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(url.as_str(), flags).map_err(failed(doing))?;
    connection.execute_batch("PRAGMA trusted_schema = OFF;").map_err(failed(doing))?;
    Ok(connection.into())
}

fn disk(doing: &'static str) -> impl Fn(std::io::Error) -> StoreError {
    move |error| {
        let kind = match error.kind() {
            std::io::ErrorKind::StorageFull => StoreErrorKind::Full,
            _ => StoreErrorKind::Disk,
        };
        StoreError::with(kind, doing, error)
    }
}
