//! The words of names: filled once after the migration that made their table, and looked up by beginnings.

use super::rows::SqliteRows;
use super::sql::failed;
use crate::store::{Rows, StoreError};
use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, TransactionBehavior, params_from_iter};

/// Writes down the names of a store that was kept by an older version, in one transaction.
pub(super) fn fill(connection: &mut Connection) -> Result<(), StoreError> {
    let doing = "write down names for look-up";
    const FILLED: &str = "SELECT value FROM meta WHERE name = 'search_filled'";
    let filled: i64 = connection.query_row(FILLED, [], |row| row.get(0)).map_err(failed(doing))?;
    if filled != 0 {
        return Ok(());
    }
    let transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed(doing))?;
    {
        let mut clusters = transaction.prepare("SELECT id FROM clusters").map_err(failed(doing))?;
        let ids = clusters.query_map([], |row| row.get::<_, i64>(0)).map_err(failed(doing))?;
        let mut rows = SqliteRows { connection: &transaction, now: Timestamp::UNIX_EPOCH };
        for id in ids {
            let id = id.map_err(failed(doing))?;
            let state = rows.state(id)?;
            rows.save_words(id, &[], &state.leads)?;
        }
    }
    transaction
        .execute("UPDATE meta SET value = 1 WHERE name = 'search_filled'", [])
        .map_err(failed(doing))?;
    transaction.commit().map_err(failed(doing))
}

/// The clusters, down from `from`, in which each word begins a word of a name.
pub(super) fn clusters_called(
    connection: &Connection,
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
    let bounds =
        words.iter().flat_map(|word| [word.clone(), format!("{word}{}", char::MAX)]).map(Value::from);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let values = bounds.chain([Value::from(from), Value::from(limit)]);
    let mut statement = connection.prepare_cached(&find).map_err(failed(doing))?;
    let rows = statement.query_map(params_from_iter(values), |row| row.get(0)).map_err(failed(doing))?;
    rows.map(|row| row.map_err(failed(doing))).collect()
}
