//! Rebuild: all lead state folded anew from the events.
//!
//! In: a store that no daemon holds, or a copy of one; `refold.rs` does it beside a daemon. Out: the same state, byte for byte, or the leads
//! that differ. Lead ids are kept, so every link to a lead keeps working.

use super::connection::failed;
use super::{beside, lock, migrated, open_file};
use crate::leads::project::place;
pub use crate::store::mending::Rebuilt;
use crate::store::sql::connection::{Connection, Transaction, run};
use crate::store::sql::people::people;
use crate::store::sql::rows::SqlRows;
use crate::store::sql::{read, refold as online, rollups};
use crate::store::{StoreError, StoreErrorKind};
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Events read at a time.
const PAGE: usize = 1000;

/// What a comparison found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// What was folded.
    pub rebuilt: Rebuilt,
    /// How many people differ, are missing, or are there without evidence.
    pub different: u64,
    /// How many rows of the counts of attribution differ.
    pub miscounted: u64,
}

/// Folds all lead state anew, in one transaction.
///
/// # Errors
/// [`StoreErrorKind::Held`] while a daemon runs; else what the store says.
pub fn rebuild(path: &Path) -> Result<Rebuilt, StoreError> {
    let _lock = lock(path)?;
    refold(&migrated(path)?)
}

/// Folds a copy anew and compares; the store itself is only read, and a daemon may run.
///
/// # Errors
/// When the copy cannot be made, or the store not be read.
pub fn verify(path: &Path) -> Result<Verified, StoreError> {
    let copy = beside(path, &format!("verify-{}", std::process::id()));
    verify_copy(&copy, || copy_file(path, &copy))
}

/// Makes a copy, folds it anew and compares; the copy is gone after that.
pub(in crate::store) fn verify_copy(
    copy: &Path,
    make: impl FnOnce() -> Result<(), StoreError>,
) -> Result<Verified, StoreError> {
    let result = make().and_then(|()| verify_in(copy));
    for file in [copy.to_owned(), suffixed(copy, "-wal"), suffixed(copy, "-shm")] {
        // What was never made need not go.
        let _ = std::fs::remove_file(file);
    }
    result
}

fn suffixed(path: &Path, suffix: &str) -> std::path::PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn copy_file(path: &Path, copy: &Path) -> Result<(), StoreError> {
    let doing = "copy the store";
    // Made here and not by SQLite, so that nobody else can read it from the first byte on.
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(copy)
        .map_err(|error| StoreError::with(StoreErrorKind::Disk, doing, error))?;
    open_file(path)?.0.backup("main", copy, None::<fn(rusqlite::backup::Progress)>).map_err(failed(doing))
}

fn verify_in(copy: &Path) -> Result<Verified, StoreError> {
    let connection = migrated(copy)?;
    // What a daemon would do next, so that only what is wrong differs and not what is still to come.
    while !rollups::count_slice(&connection)? {}
    let (before, counts) = (people(&connection)?, rollups::all_rows(&connection)?);
    let rebuilt = refold(&connection)?;
    let after = people(&connection)?;
    let miscounted = rollups::all_rows(&connection)?.symmetric_difference(&counts).count();
    let changed = before.iter().filter(|(id, state)| after.get(*id) != Some(*state)).count();
    let new = after.keys().filter(|id| !before.contains_key(*id)).count();
    Ok(Verified { rebuilt, different: (changed + new) as u64, miscounted: miscounted as u64 })
}

fn refold(connection: &dyn Connection) -> Result<Rebuilt, StoreError> {
    const FORGET: [&str; 8] = [
        "DELETE FROM touches",
        "DELETE FROM handles",
        "DELETE FROM search",
        "DELETE FROM aliases",
        "DELETE FROM names",
        "DELETE FROM clusters",
        "DELETE FROM counters WHERE name = 'promises.broken'",
        "UPDATE events SET cluster = NULL WHERE cluster IS NOT NULL",
    ];
    let doing = "rebuild";
    let transaction = Transaction::begin(connection, doing)?;
    for sql in FORGET {
        run(&*transaction, doing, sql, &[])?;
    }
    rollups::begin_rebuild(&*transaction)?;
    let (mut after, mut events, mut found) = (0, 0, 0);
    loop {
        let page = read::events_after(&*transaction, after, PAGE)?;
        let Some((last, _)) = page.last() else { break };
        after = *last;
        for (event, evidence) in &page {
            let mut rows = SqlRows::at(&*transaction, evidence.received_at());
            found += place(&mut rows, *event, evidence)?.found;
            events += 1;
        }
    }
    online::book(&*transaction, found)?;
    let people = people(&*transaction)?.len() as u64;
    transaction.commit(doing)?;
    Ok(Rebuilt { events, people })
}
