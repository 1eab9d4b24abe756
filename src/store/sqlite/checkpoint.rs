//! Checkpoints, off the acknowledgement path: a thread of its own moves the log into the database.
//!
//! SQLite's automatic checkpoint would run inside a commit, and so inside an acknowledgement. Here a
//! passive checkpoint runs beside the writer; only when the log grows all the same (a passive one never
//! catches up under load) does the writer finish it between two commits.

use super::connection::SqliteConnection;
use super::{open_file, writer::Writer};
use crate::store::StoreError;
use crate::store::sql::connection::only;
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

const EVERY: Duration = Duration::from_millis(250);
/// Pages of 8 KiB in the log before a passive checkpoint: 16 MiB.
const PASSIVE_PAGES: i64 = 2048;
/// Pages before the writer finishes one: 64 MiB.
const FINISH_PAGES: i64 = 8192;

/// A handle on the checkpointing thread. Dropping it stops and joins the thread.
pub(super) struct Checkpointer {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpointer {
    pub(super) fn start(path: &Path, writer: &Arc<Writer>) -> Result<Checkpointer, StoreError> {
        let connection = open_file(path)?;
        let writer = Arc::downgrade(writer);
        let (stop, stopped) = channel::<()>();
        let thread = std::thread::Builder::new()
            .name("store-checkpoint".to_owned())
            .spawn(move || {
                while stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                    if let Err(error) = tend(&connection, &writer) {
                        tracing::warn!(
                            kind = error.kind.as_str(),
                            "a checkpoint failed; the log grows until one succeeds"
                        );
                    }
                }
            })
            .map_err(|error| {
                StoreError::with(crate::store::StoreErrorKind::Other, "start a thread", error)
            })?;
        Ok(Checkpointer { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn tend(connection: &SqliteConnection, writer: &Weak<Writer>) -> Result<(), StoreError> {
    let (in_log, moved) = checkpoint(connection, "NOOP")?;
    if in_log - moved < PASSIVE_PAGES {
        return Ok(());
    }
    let (in_log, _) = checkpoint(connection, "PASSIVE")?;
    if in_log > FINISH_PAGES
        && let Some(writer) = writer.upgrade()
    {
        writer.run(|connection| checkpoint(connection, "PASSIVE").map(drop))?;
    }
    Ok(())
}

/// Runs a checkpoint; returns the pages in the log, and how many of them are in the database.
fn checkpoint(connection: &SqliteConnection, mode: &str) -> Result<(i64, i64), StoreError> {
    let checkpoint = format!("PRAGMA wal_checkpoint({mode})");
    only(connection, "checkpoint", &checkpoint, &[], |row| Ok((row.get(1)?, row.get(2)?)))
}
