//! The counters of the books. Where several write at a time each change is a row of its own, and one of them sums them
//! up: nobody waits for another's transaction to count.

use super::connection::{Connection, Dialect, run, values};
use crate::store::StoreError;

/// Adds to a counter.
pub(in crate::store) fn count(connection: &dyn Connection, name: &str, by: i64) -> Result<(), StoreError> {
    let add = match connection.dialect() {
        Dialect::Sqlite => {
            "INSERT INTO counters (name, value) VALUES (?, ?)
             ON CONFLICT (name) DO UPDATE SET value = counters.value + excluded.value"
        }
        Dialect::Postgres => "INSERT INTO counter_changes (name, value) VALUES (?, ?)",
    };
    if by == 0 { Ok(()) } else { run(connection, "keep the books", add, values![name, by]).map(drop) }
}
