//! Rebuild: all lead state folded anew from the events.
//!
//! In: a store that no daemon holds, or a copy of one; `refold.rs` does it beside a daemon. Out: the same state, byte for byte, or the leads
//! that differ. Lead ids are kept, so every link to a lead keeps working.

use super::rows::SqliteRows;
use super::sql::{failed, to_json};
use super::{beside, lock, migrated, open_file, readers, refold as online, rollups};
use crate::leads::project::place;
pub use crate::store::mending::Rebuilt;
use crate::store::{Rows, StoreError, StoreErrorKind};
use rusqlite::{Connection, TransactionBehavior};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
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
    refold(&mut migrated(path)?)
}

/// What a rebuild would go through; changes nothing.
///
/// # Errors
/// When the store cannot be read.
pub fn preview(path: &Path) -> Result<Rebuilt, StoreError> {
    let connection = open_file(path)?;
    let count = |sql: &str| {
        let count = connection.query_row(sql, [], |row| row.get::<_, i64>(0)).map_err(failed("count events"));
        count.map(i64::unsigned_abs)
    };
    let events = count("SELECT count(*) FROM events")?;
    Ok(Rebuilt { events, people: people(&connection)?.len() as u64 })
}

/// Folds a copy anew and compares; the store itself is only read, and a daemon may run.
///
/// # Errors
/// When the copy cannot be made, or the store not be read.
pub fn verify(path: &Path) -> Result<Verified, StoreError> {
    let copy = beside(path, &format!("verify-{}", std::process::id()));
    let result = verify_in(path, &copy);
    for file in [copy.clone(), suffixed(&copy, "-wal"), suffixed(&copy, "-shm")] {
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

fn verify_in(path: &Path, copy: &Path) -> Result<Verified, StoreError> {
    let doing = "copy the store";
    // Made here and not by SQLite, so that nobody else can read it from the first byte on.
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(copy)
        .map_err(|error| StoreError::with(StoreErrorKind::Disk, doing, error))?;
    open_file(path)?.backup("main", copy, None::<fn(rusqlite::backup::Progress)>).map_err(failed(doing))?;
    let mut connection = migrated(copy)?;
    // What a daemon would do next, so that only what is wrong differs and not what is still to come.
    while !rollups::count_slice(&mut connection)? {}
    let (before, counts) = (people(&connection)?, rollups::all_rows(&connection)?);
    let rebuilt = refold(&mut connection)?;
    let after = people(&connection)?;
    let miscounted = rollups::all_rows(&connection)?.symmetric_difference(&counts).count();
    let changed = before.iter().filter(|(id, state)| after.get(*id) != Some(*state)).count();
    let new = after.keys().filter(|id| !before.contains_key(*id)).count();
    Ok(Verified { rebuilt, different: (changed + new) as u64, miscounted: miscounted as u64 })
}

fn refold(connection: &mut Connection) -> Result<Rebuilt, StoreError> {
    let doing = "rebuild";
    let transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed(doing))?;
    transaction
        .execute_batch(
            "DELETE FROM touches; DELETE FROM handles; DELETE FROM search; DELETE FROM aliases;
             DELETE FROM names; DELETE FROM clusters; DELETE FROM counters WHERE name = 'promises.broken';
             UPDATE events SET cluster = NULL WHERE cluster IS NOT NULL;",
        )
        .map_err(failed(doing))?;
    rollups::begin_rebuild(&transaction)?;
    let (mut after, mut events, mut found) = (0, 0, 0);
    loop {
        let page = readers::events_after(&transaction, after, PAGE)?;
        let Some((last, _)) = page.last() else { break };
        after = *last;
        for (event, evidence) in &page {
            let mut rows = SqliteRows { connection: &transaction, now: evidence.received_at() };
            found += place(&mut rows, *event, evidence)?.found;
            events += 1;
        }
    }
    online::book(&transaction, found)?;
    let people = people(&transaction)?.len() as u64;
    transaction.commit().map_err(failed(doing))?;
    Ok(Rebuilt { events, people })
}

/// A digest of every person's state and touches, by lead id.
fn people(connection: &Connection) -> Result<BTreeMap<String, [u8; 32]>, StoreError> {
    let doing = "read all leads";
    let mut clusters = connection.prepare("SELECT id FROM clusters ORDER BY id").map_err(failed(doing))?;
    let ids = clusters.query_map([], |row| row.get::<_, i64>(0)).map_err(failed(doing))?;
    let mut touches = connection
        .prepare("SELECT touch FROM touches WHERE lead_id = ? ORDER BY occurred_at, id")
        .map_err(failed(doing))?;
    let mut people = BTreeMap::new();
    for cluster in ids {
        let cluster = cluster.map_err(failed(doing))?;
        let mut rows = SqliteRows { connection, now: jiff::Timestamp::UNIX_EPOCH };
        for lead in &rows.state(cluster)?.leads {
            let Some(id) = rows.lead_id(lead)? else { continue };
            let mut digest = Sha256::new_with_prefix(to_json(lead)?);
            let listed = touches
                .query_map([super::sql::blob_of(id.0)], |row| row.get::<_, String>(0))
                .map_err(failed(doing))?;
            for touch in listed {
                digest.update(touch.map_err(failed(doing))?);
            }
            people.insert(id.to_string(), digest.finalize().into());
        }
    }
    Ok(people)
}
