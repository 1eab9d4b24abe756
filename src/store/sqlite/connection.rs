//! A connection to an SQLite file, and what its errors mean.

use crate::store::sql::connection::{Columns, Connection, Dialect, Each, Param, Row, Values, unreadable};
use crate::store::{StoreError, StoreErrorKind};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, ErrorCode, ToSql, params_from_iter};
use std::ops::ControlFlow;

/// A connection to the file.
pub(crate) struct SqliteConnection(pub(super) rusqlite::Connection, Option<Awaited>);

/// Whether somebody waits for a connection.
type Awaited = Box<dyn Fn() -> bool + Send>;

impl From<rusqlite::Connection> for SqliteConnection {
    fn from(connection: rusqlite::Connection) -> SqliteConnection {
        SqliteConnection(connection, None)
    }
}

impl ToSql for Param<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Param::Null => ValueRef::Null,
            Param::Integer(integer) => ValueRef::Integer(*integer),
            Param::Text(text) => ValueRef::Text(text.as_bytes()),
            Param::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

impl Columns for rusqlite::Row<'_> {
    fn is_null(&self, column: usize) -> bool {
        matches!(self.get_ref(column), Ok(ValueRef::Null))
    }

    fn integer(&self, column: usize) -> Result<Option<i64>, StoreError> {
        value(self, column)?.as_i64_or_null().map_err(|_| unreadable())
    }

    fn text(&self, column: usize) -> Result<Option<&str>, StoreError> {
        value(self, column)?.as_str_or_null().map_err(|_| unreadable())
    }

    fn blob(&self, column: usize) -> Result<Option<&[u8]>, StoreError> {
        value(self, column)?.as_blob_or_null().map_err(|_| unreadable())
    }
}

fn value<'r>(row: &'r rusqlite::Row<'_>, column: usize) -> Result<ValueRef<'r>, StoreError> {
    row.get_ref(column).map_err(|_| unreadable())
}

impl SqliteConnection {
    /// The same connection, which knows when somebody waits for it.
    pub(super) fn awaited(self, by: impl Fn() -> bool + Send + 'static) -> SqliteConnection {
        SqliteConnection(self.0, Some(Box::new(by)))
    }

    fn prepared(&self, doing: &'static str, sql: &str) -> Result<CachedStatement<'_>, StoreError> {
        self.0.prepare_cached(sql).map_err(failed(doing))
    }
}

impl Connection for SqliteConnection {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    fn is_awaited(&self) -> bool {
        self.1.as_ref().is_none_or(|awaited| awaited())
    }

    fn execute(&self, doing: &'static str, sql: &str, values: Values<'_>) -> Result<usize, StoreError> {
        self.prepared(doing, sql)?
            .execute(params_from_iter(values.iter().map(|value| value.to_param())))
            .map_err(failed(doing))
    }

    fn insert(&self, doing: &'static str, sql: &str, values: Values<'_>) -> Result<i64, StoreError> {
        // RETURNING would make a table of its own for the one row.
        self.execute(doing, sql, values).map(|_| self.0.last_insert_rowid())
    }

    fn query(
        &self,
        doing: &'static str,
        sql: &str,
        values: Values<'_>,
        each: &mut Each<'_>,
    ) -> Result<(), StoreError> {
        let mut statement = self.prepared(doing, sql)?;
        let mut rows = statement
            .query(params_from_iter(values.iter().map(|value| value.to_param())))
            .map_err(failed(doing))?;
        while let Some(row) = rows.next().map_err(failed(doing))? {
            if each(&Row(row))? == ControlFlow::Break(()) {
                break;
            }
        }
        Ok(())
    }

    fn begin(&self, doing: &'static str) -> Result<(), StoreError> {
        self.execute(doing, "BEGIN IMMEDIATE", &[]).map(drop)
    }

    fn commit(&self, doing: &'static str) -> Result<(), StoreError> {
        self.execute(doing, "COMMIT", &[]).map(drop)
    }

    fn roll_back(&self, doing: &'static str) -> Result<(), StoreError> {
        // Some failures end a transaction by themselves.
        if self.0.is_autocommit() { Ok(()) } else { self.execute(doing, "ROLLBACK", &[]).map(drop) }
    }
}

/// Classifies SQLite's errors.
pub(super) fn failed(doing: &'static str) -> impl Fn(rusqlite::Error) -> StoreError {
    move |error| {
        let kind = match &error {
            rusqlite::Error::SqliteFailure(failure, _) => match failure.code {
                ErrorCode::DiskFull => StoreErrorKind::Full,
                ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => StoreErrorKind::Busy,
                ErrorCode::SystemIoFailure => StoreErrorKind::Disk,
                ErrorCode::ConstraintViolation => StoreErrorKind::Constraint,
                ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => StoreErrorKind::Disk,
                _ => StoreErrorKind::Other,
            },
            rusqlite::Error::FromSqlConversionFailure(..) | rusqlite::Error::InvalidColumnType(..) => {
                StoreErrorKind::Corrupt
            }
            _ => StoreErrorKind::Other,
        };
        StoreError::with(kind, doing, error)
    }
}
