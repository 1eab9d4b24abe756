//! How far a copy is: kept in the target, in the transactions in which it gets on.
//!
//! In and out: rows of a table `migration` that is there while the copy is not finished. A row for each table says up to
//! which key it was copied; others say of which store the copy is, and from which id on rows are the target's own.

use super::end::{End, set_mark, together};
use super::rows::Cells;
use super::tables::TABLES;
use crate::store::sql::connection::{Connection, first, only, run, values};
use crate::store::sql::marks;
use crate::store::{StoreError, StoreErrorKind};

/// Which store is copied.
const SOURCE: &str = "/source";
/// From which id on rows of tables that grow are the target's own.
const OWN: &str = "/own";

/// Ids left free for what the source still acknowledges while it is copied.
const ROOM: i64 = 1_000_000_000;

/// What a target is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing is in it.
    Empty,
    /// A copy that is not finished, of this source or of another.
    Unfinished { of_this: bool },
    /// A copy that was finished, at this instant.
    Finished(i64),
    /// A store of its own.
    Taken,
}

/// Looks at a target.
pub(super) fn state(target: &dyn Connection, source: &str) -> Result<State, StoreError> {
    if marks::mark(target, marks::UNFINISHED)?.is_some() {
        return Ok(State::Unfinished { of_this: text(target, SOURCE)?.as_deref() == Some(source) });
    }
    if let Some(at) = marks::mark(target, marks::COPIED)? {
        return Ok(State::Finished(at));
    }
    for table in TABLES.iter().map(|table| table.name).chain(["counters"]) {
        let find = format!("SELECT EXISTS (SELECT 1 FROM {table})");
        if only(target, "see whether the store is empty", &find, &[], |row| row.get(0))? {
            return Ok(State::Taken);
        }
    }
    Ok(State::Empty)
}

/// Makes an unfinished copy of an empty store. Whoever opens it from now on acknowledges at most.
pub(super) fn begin(target: &End, source: &dyn Connection, name: &str, now: i64) -> Result<(), StoreError> {
    const TABLE: &str = "CREATE TABLE migration (name TEXT PRIMARY KEY, position TEXT NOT NULL)";
    let highest = highest(source, "requests")?.max(highest(source, "parked")?);
    let own = if target.may_grow() { highest.saturating_add(ROOM) } else { i64::MAX };
    if target.may_grow() {
        ["requests", "parked"].iter().try_for_each(|table| target.number_from(table, own))?;
    }
    let doing = "begin a copy";
    together(target.connection(), doing, |transaction| {
        run(transaction, doing, TABLE, &[])?;
        set_text(transaction, SOURCE, name)?;
        set_text(transaction, OWN, &own.to_string())?;
        set_mark(transaction, marks::UNFINISHED, now)
    })
}

/// Makes a whole store of the copy, from whose commit on it is projected and delivered.
pub(super) fn end(target: &dyn Connection, at: i64) -> Result<(), StoreError> {
    const FORGET: &str = "DELETE FROM meta WHERE name = 'unfinished'";
    let doing = "end a copy";
    together(target, doing, |transaction| {
        run(transaction, doing, FORGET, &[])?;
        set_mark(transaction, marks::COPIED, at)?;
        run(transaction, doing, "DROP TABLE migration", &[]).map(drop)
    })
}

/// From which id on rows of tables that grow are the target's own.
pub(super) fn own(target: &dyn Connection) -> Result<i64, StoreError> {
    let own = text(target, OWN)?.and_then(|own| own.parse().ok());
    own.ok_or_else(|| StoreError::new(StoreErrorKind::Corrupt, "read how far the copy is"))
}

/// The highest id of a table's rows.
pub(super) fn highest(connection: &dyn Connection, table: &str) -> Result<i64, StoreError> {
    let find = format!("SELECT coalesce(max(id), 0) FROM {table}");
    only(connection, "find the highest id", &find, &[], |row| row.get(0))
}

/// Up to which key a table is copied.
pub(super) fn position(target: &dyn Connection, table: &str) -> Result<Option<Cells>, StoreError> {
    let read = |text: String| serde_json::from_str(&text).ok();
    Ok(text(target, table)?.and_then(read))
}

/// Notes up to which key a table is copied.
pub(super) fn set_position(
    target: &dyn Connection,
    table: &str,
    key: &[super::rows::Cell],
) -> Result<(), StoreError> {
    set_text(target, table, &crate::store::sql::encoding::to_json(&key)?)
}

/// What is noted under a name.
pub(super) fn text(target: &dyn Connection, name: &str) -> Result<Option<String>, StoreError> {
    const FIND: &str = "SELECT position FROM migration WHERE name = ?";
    first(target, "read how far the copy is", FIND, values![name], |row| row.get(0))
}

/// Notes something under a name.
pub(super) fn set_text(target: &dyn Connection, name: &str, text: &str) -> Result<(), StoreError> {
    const SET: &str = "INSERT INTO migration (name, position) VALUES (?, ?)
                       ON CONFLICT (name) DO UPDATE SET position = excluded.position";
    run(target, "note how far the copy is", SET, values![name, text]).map(drop)
}
