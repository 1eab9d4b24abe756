//! What is in hand: a few bytes in a file beside the database, written without a flush.
//!
//! In: the id of the request a thread works on. Out, at the next start: the ids that were in hand when
//! the process died. The page cache outlives the process, which is all this must survive.
//!
//! A process may also be killed for no fault of the request in hand, and under load there always is one.
//! So the first crash makes it a suspect: it is set aside while the others go past, and tried again by
//! itself once the process has been up for a second. A request at fault crashes the process then, takes
//! nobody's work with it, and is poison at the next start; an innocent one is in hand so briefly, and so
//! late, that a daemon that is killed again and again does not hit it twice. A large request is in hand for
//! long: a crash counts against it only until it has made progress (`aside.rs`).

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

/// The two places where a request is worked on.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Slot {
    /// Normalising, in the projector's thread.
    Normalise,
    /// Projecting, in the writer's thread.
    Project,
}

/// The file.
pub struct Hand(File);

impl Hand {
    /// Opens the file for this process alone, and reads what was in hand. [`io::ErrorKind::WouldBlock`] while another
    /// process has it.
    pub(super) fn open(path: &Path) -> io::Result<(Hand, Vec<i64>)> {
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        file.try_lock()?;
        let mut bytes = [0; 16];
        let held = match file.read_exact_at(&mut bytes, 0) {
            Ok(()) => {
                let (a, b) = bytes.split_at(8);
                let id = |half: &[u8]| half.try_into().map_or(0, i64::from_le_bytes);
                let mut ids = vec![id(a), id(b)];
                ids.retain(|id| *id != 0);
                ids.dedup();
                ids
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Vec::new(),
            Err(error) => return Err(error),
        };
        file.write_all_at(&[0; 16], 0)?;
        Ok((Hand(file), held))
    }

    /// Notes the request that a thread takes in hand, or that it laid it down.
    pub(super) fn hold(&self, slot: Slot, request: Option<i64>) {
        let offset = match slot {
            Slot::Normalise => 0,
            Slot::Project => 8,
        };
        // A note that cannot be written costs the protection, never the request.
        let _ = self.0.write_all_at(&request.unwrap_or(0).to_le_bytes(), offset);
    }
}
