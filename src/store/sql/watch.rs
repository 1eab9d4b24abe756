//! What the alerts look at: receipts by channel, and what lies aside.

use super::encoding::{instant, millis};
use super::{Database, SqlStore};
use crate::store::sql::connection::{Connection, Dialect, Row, all, only, run, values};
use crate::store::{Held, Receipt, StoreError, ToldRow, Unlisted, Watch};
use jiff::Timestamp;

impl<D: Database> Watch for SqlStore<D> {
    fn receipts(&self, after: i64, limit: usize) -> Result<Vec<Receipt>, StoreError> {
        // By row id alone, and without the bodies.
        const LIST: &str = "SELECT id, channel, received_at FROM requests WHERE id > ? ORDER BY id LIMIT ?";
        let doing = "list receipts";
        self.database.read(|connection| {
            let receipt = |row: &Row<'_>| {
                Ok(Receipt { id: row.get(0)?, channel: row.get(1)?, received_at: instant(row.get(2)?) })
            };
            all(connection, doing, LIST, values![after, limit], receipt)
        })
    }

    fn last_receipt(&self) -> Result<i64, StoreError> {
        let doing = "find the last receipt";
        self.database.read(|connection| {
            only(connection, doing, "SELECT coalesce(max(id), 0) FROM requests", &[], |row| row.get(0))
        })
    }

    fn quarantined(&self) -> Result<Option<Held>, StoreError> {
        self.database.read(|connection| held(connection, "SELECT count(*), min(at) FROM quarantine"))
    }

    fn parked(&self) -> Result<Option<Held>, StoreError> {
        self.database.read(|connection| held(connection, "SELECT count(*), min(received_at) FROM parked"))
    }

    fn broken_promises(&self) -> Result<u64, StoreError> {
        const COUNT: &str =
            "SELECT CAST(coalesce(sum(value), 0) AS BIGINT) FROM counters WHERE name = 'promises.broken'";
        let count = self.database.read(|connection| {
            only(connection, "count broken promises", COUNT, &[], |row| row.get::<i64>(0))
        })?;
        Ok(count.unsigned_abs())
    }

    fn unlisted_numbers(&self) -> Result<Vec<Unlisted>, StoreError> {
        const LIST: &str = "SELECT channel, account_id, number, first_seen FROM account_numbers";
        let doing = "list unlisted numbers";
        self.database.read(|connection| {
            let unlisted = |row: &Row<'_>| {
                let (channel, account_id, number) = (row.get(0)?, row.get(1)?, row.get(2)?);
                Ok(Unlisted { channel, account_id, number, since: instant(row.get(3)?) })
            };
            all(connection, doing, LIST, &[], unlisted)
        })
    }

    fn told(&self) -> Result<Vec<ToldRow>, StoreError> {
        const LIST: &str = "SELECT alert, subject, at, notice FROM told";
        let told = |row: &Row<'_>| {
            let (alert, subject, notice) = (row.get(0)?, row.get(1)?, row.get(3)?);
            Ok(ToldRow { alert, subject, at: instant(row.get(2)?), notice })
        };
        self.database.read(|connection| match connection.dialect() {
            // Who is alone remembers.
            Dialect::Sqlite => Ok(Vec::new()),
            Dialect::Postgres => all(connection, "read what was told", LIST, &[], told),
        })
    }

    fn keep_told(&self, told: &ToldRow) -> Result<(), StoreError> {
        const KEEP: &str = "INSERT INTO told (alert, subject, at, notice) VALUES (?, ?, ?, ?)
             ON CONFLICT (alert, subject) DO UPDATE SET at = excluded.at, notice = excluded.notice";
        self.database.take(|connection| match connection.dialect() {
            Dialect::Sqlite => Ok(()),
            Dialect::Postgres => {
                let values = values![told.alert, told.subject, millis(told.at), told.notice];
                run(connection, "keep what was told", KEEP, values).map(drop)
            }
        })
    }

    fn forget_told(&self, alert: &str, subject: &str) -> Result<(), StoreError> {
        const FORGET: &str = "DELETE FROM told WHERE alert = ? AND subject = ?";
        self.database.take(|connection| match connection.dialect() {
            Dialect::Sqlite => Ok(()),
            Dialect::Postgres => {
                run(connection, "forget what was told", FORGET, values![alert, subject]).map(drop)
            }
        })
    }
}

fn held(connection: &dyn Connection, sql: &str) -> Result<Option<Held>, StoreError> {
    let (count, since): (i64, Option<i64>) =
        only(connection, "count what lies aside", sql, &[], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let since = since.map_or(Timestamp::UNIX_EPOCH, instant);
    Ok((count > 0).then_some(Held { count: count.unsigned_abs(), since }))
}
