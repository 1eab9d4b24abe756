//! What the alerts look at: receipts by channel, and what lies aside.

use super::SqliteStore;
use super::sql::{failed, instant};
use crate::store::{Held, Receipt, StoreError, Unlisted, Watch};
use jiff::Timestamp;
use rusqlite::{Connection, params};

impl Watch for SqliteStore {
    fn receipts(&self, after: i64, limit: usize) -> Result<Vec<Receipt>, StoreError> {
        // By row id alone, and without the bodies.
        const LIST: &str = "SELECT id, channel, received_at FROM requests WHERE id > ? ORDER BY id LIMIT ?";
        let doing = "list receipts";
        self.readers.read(|connection| {
            let mut statement = connection.prepare_cached(LIST).map_err(failed(doing))?;
            let receipt = |row: &rusqlite::Row<'_>| {
                Ok(Receipt { id: row.get(0)?, channel: row.get(1)?, received_at: instant(row.get(2)?) })
            };
            let rows = statement.query_map(params![after, limit], receipt).map_err(failed(doing))?;
            rows.map(|row| row.map_err(failed(doing))).collect()
        })
    }

    fn last_receipt(&self) -> Result<i64, StoreError> {
        let doing = "find the last receipt";
        self.readers.read(|connection| {
            connection
                .query_row("SELECT coalesce(max(id), 0) FROM requests", [], |row| row.get(0))
                .map_err(failed(doing))
        })
    }

    fn quarantined(&self) -> Result<Option<Held>, StoreError> {
        self.readers.read(|connection| held(connection, "SELECT count(*), min(at) FROM quarantine"))
    }

    fn parked(&self) -> Result<Option<Held>, StoreError> {
        self.readers.read(|connection| held(connection, "SELECT count(*), min(received_at) FROM parked"))
    }

    fn broken_promises(&self) -> Result<u64, StoreError> {
        const COUNT: &str = "SELECT coalesce(sum(value), 0) FROM counters WHERE name = 'promises.broken'";
        let count = self.readers.read(|connection| {
            let count = connection.query_row(COUNT, [], |row| row.get::<_, i64>(0));
            count.map_err(failed("count broken promises"))
        })?;
        Ok(count.unsigned_abs())
    }

    fn unlisted_numbers(&self) -> Result<Vec<Unlisted>, StoreError> {
        const LIST: &str = "SELECT channel, account_id, number, first_seen FROM account_numbers";
        let doing = "list unlisted numbers";
        self.readers.read(|connection| {
            let mut statement = connection.prepare_cached(LIST).map_err(failed(doing))?;
            let unlisted = |row: &rusqlite::Row<'_>| {
                let (channel, account_id, number) = (row.get(0)?, row.get(1)?, row.get(2)?);
                Ok(Unlisted { channel, account_id, number, since: instant(row.get(3)?) })
            };
            let rows = statement.query_map([], unlisted).map_err(failed(doing))?;
            rows.map(|row| row.map_err(failed(doing))).collect()
        })
    }
}

fn held(connection: &Connection, sql: &str) -> Result<Option<Held>, StoreError> {
    let doing = "count what lies aside";
    let mut statement = connection.prepare_cached(sql).map_err(failed(doing))?;
    let (count, since): (i64, Option<i64>) =
        statement.query_row([], |row| Ok((row.get(0)?, row.get(1)?))).map_err(failed(doing))?;
    let since = since.map_or(Timestamp::UNIX_EPOCH, instant);
    Ok((count > 0).then_some(Held { count: count.unsigned_abs(), since }))
}
