//! What is written on a store that is moved: that it is an unfinished copy, or that its contents were moved on.
//!
//! In and out: rows of `meta`, each with the instant it was made at. An unfinished copy acknowledges, and does nothing
//! else: what it holds is not the whole of anything, so nothing is projected from it, delivered, or promised.

use super::connection::{Connection, first, values};
use crate::store::{StoreError, StoreErrorKind};

/// The copy is not finished; since when.
pub(in crate::store) const UNFINISHED: &str = "unfinished";
/// The contents were moved to another database; when.
pub(in crate::store) const MOVED: &str = "moved";
/// The copy was finished: the same instant as the source's [`MOVED`].
pub(in crate::store) const COPIED: &str = "copied";
/// Ids of requests that stand for none, up to the highest: SQLite counts requests by their ids.
pub(in crate::store) const ABSENT: &str = "absent";

/// Of a statement that takes something on, in PostgreSQL: whether this store is the one to do so. Looked at once for each
/// run of it.
pub(super) const IS_WHOLE: &str = "NOT EXISTS (SELECT 1 FROM meta WHERE name IN ('unfinished', 'moved'))";

/// When a mark was made, if it was.
pub(in crate::store) fn mark(
    connection: &dyn Connection,
    name: &'static str,
) -> Result<Option<i64>, StoreError> {
    const FIND: &str = "SELECT value FROM meta WHERE name = ?";
    first(connection, "read the store's marks", FIND, values![name], |row| row.get(0))
}

/// Refuses what only a whole store can do.
///
/// # Errors
/// [`StoreErrorKind::Unfinished`].
pub(in crate::store) fn refuse_unfinished(
    connection: &dyn Connection,
    doing: &'static str,
) -> Result<(), StoreError> {
    match mark(connection, UNFINISHED)? {
        Some(_) => Err(StoreError::new(StoreErrorKind::Unfinished, doing)),
        None => Ok(()),
    }
}

/// Refuses a store whose contents were moved to another: what it acknowledged would never be looked at.
///
/// # Errors
/// [`StoreErrorKind::Moved`].
pub(in crate::store) fn refuse_moved(connection: &dyn Connection) -> Result<(), StoreError> {
    match mark(connection, MOVED)? {
        Some(_) => Err(StoreError::new(StoreErrorKind::Moved, "open the store")),
        None => Ok(()),
    }
}
