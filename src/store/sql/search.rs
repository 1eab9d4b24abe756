//! The words of names: filled once after the migration that made their table, and looked up by beginnings.

use super::rows::SqlRows;
use crate::store::sql::connection::{Connection, ToParam, Transaction, all, only, run};
use crate::store::{Rows, StoreError};
use jiff::Timestamp;

/// Writes down the names of a store that was kept by an older version, in one transaction.
pub(in crate::store) fn fill(connection: &dyn Connection) -> Result<(), StoreError> {
    let doing = "write down names for look-up";
    const FILLED: &str = "SELECT value FROM meta WHERE name = 'search_filled'";
    let filled: i64 = only(connection, doing, FILLED, &[], |row| row.get(0))?;
    if filled != 0 {
        return Ok(());
    }
    let transaction = Transaction::begin(connection, doing)?;
    let mut rows = SqlRows::at(&*transaction, Timestamp::UNIX_EPOCH);
    for id in all(&*transaction, doing, "SELECT id FROM clusters", &[], |row| row.get(0))? {
        let state = rows.state(id)?;
        rows.save_words(id, &[], &state.leads)?;
    }
    run(&*transaction, doing, "UPDATE meta SET value = 1 WHERE name = 'search_filled'", &[])?;
    transaction.commit(doing)
}

/// The clusters, down from `from`, in which each word begins a word of a name.
pub(super) fn clusters_called(
    connection: &dyn Connection,
    words: &[String],
    from: i64,
    limit: usize,
) -> Result<Vec<i64>, StoreError> {
    const BEGINS: &str = "SELECT cluster FROM search WHERE kind = 'name' AND value >= ? AND value < ?";
    let doing = "look up a name";
    let each = vec![BEGINS; words.len()].join(" INTERSECT ");
    let find = format!(
        "SELECT cluster FROM ({each}) WHERE cluster <= ? GROUP BY cluster ORDER BY cluster DESC LIMIT ?"
    );
    let bounds: Vec<String> =
        words.iter().flat_map(|word| [word.clone(), format!("{word}{}", char::MAX)]).collect();
    let mut values: Vec<&dyn ToParam> = bounds.iter().map(|bound| bound as &dyn ToParam).collect();
    values.extend([&from as &dyn ToParam, &limit]);
    all(connection, doing, &find, &values, |row| row.get(0))
}
