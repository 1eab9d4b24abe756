//! One connection to a database, whichever it is: statements go in, rows come out.
//!
//! In: a statement with its values, and what was being done, for an error. Out: rows, read by [`Row::get`]. Statements
//! are prepared once for each connection and kept. Values are numbered `?1`, or `?` in their order.

use crate::store::signal::Signal;
use crate::store::{StoreError, StoreErrorKind};
use std::collections::BTreeSet;
use std::ops::{ControlFlow, Deref};

/// A value that is bound to a statement.
#[derive(Debug, Clone, Copy)]
pub enum Param<'v> {
    /// Nothing.
    Null,
    /// A number, an instant in milliseconds, or a truth as 0 or 1.
    Integer(i64),
    /// A text.
    Text(&'v str),
    /// Bytes.
    Blob(&'v [u8]),
}

/// What can be bound to a statement.
pub trait ToParam {
    /// As it is bound.
    fn to_param(&self) -> Param<'_>;
}

/// The values of a statement.
pub(crate) type Values<'v> = &'v [&'v dyn ToParam];

/// Values for a statement.
macro_rules! values {
    ($($value:expr),* $(,)?) => {
        &[$(&$value as &dyn $crate::store::sql::connection::ToParam),*]
    };
}
pub(in crate::store) use values;

macro_rules! integers {
    ($($integer:ty),*) => {$(
        impl ToParam for $integer {
            fn to_param(&self) -> Param<'_> {
                // What does not fit is beyond whatever is counted, limited or numbered here.
                Param::Integer(i64::try_from(*self).unwrap_or(i64::MAX))
            }
        }

        impl Column for $integer {
            fn read(row: &dyn Columns, column: usize) -> Result<Self, StoreError> {
                let integer = row.integer(column)?.ok_or_else(unreadable)?;
                <$integer>::try_from(integer).map_err(|_| unreadable())
            }
        }
    )*};
}
integers!(i64, u64, u32, u16, usize);

impl ToParam for bool {
    fn to_param(&self) -> Param<'_> {
        Param::Integer(i64::from(*self))
    }
}

impl ToParam for str {
    fn to_param(&self) -> Param<'_> {
        Param::Text(self)
    }
}

impl ToParam for String {
    fn to_param(&self) -> Param<'_> {
        Param::Text(self)
    }
}

impl ToParam for Vec<u8> {
    fn to_param(&self) -> Param<'_> {
        Param::Blob(self)
    }
}

impl<const N: usize> ToParam for [u8; N] {
    fn to_param(&self) -> Param<'_> {
        Param::Blob(self)
    }
}

impl<T: ToParam + ?Sized> ToParam for &T {
    fn to_param(&self) -> Param<'_> {
        T::to_param(self)
    }
}

impl<T: ToParam> ToParam for Option<T> {
    fn to_param(&self) -> Param<'_> {
        self.as_ref().map_or(Param::Null, T::to_param)
    }
}

/// A row as a database gives it: columns from 0 on.
pub trait Columns {
    /// Whether there is nothing in a column.
    fn is_null(&self, column: usize) -> bool;
    /// The number in a column; a truth is 0 or 1.
    ///
    /// # Errors
    /// When there is something else. So for those that follow.
    fn integer(&self, column: usize) -> Result<Option<i64>, StoreError>;
    /// The text in a column.
    ///
    /// # Errors
    /// As above.
    fn text(&self, column: usize) -> Result<Option<&str>, StoreError>;
    /// The bytes in a column.
    ///
    /// # Errors
    /// As above.
    fn blob(&self, column: usize) -> Result<Option<&[u8]>, StoreError>;
}

/// What can be read from a column.
pub trait Column: Sized {
    /// Reads it.
    ///
    /// # Errors
    /// When there is something else, or nothing.
    fn read(row: &dyn Columns, column: usize) -> Result<Self, StoreError>;
}

/// A column should hold something else.
pub(in crate::store) fn unreadable() -> StoreError {
    StoreError::new(StoreErrorKind::Corrupt, "read a row")
}

impl Column for bool {
    fn read(row: &dyn Columns, column: usize) -> Result<Self, StoreError> {
        i64::read(row, column).map(|truth| truth != 0)
    }
}

impl Column for String {
    fn read(row: &dyn Columns, column: usize) -> Result<Self, StoreError> {
        row.text(column)?.map(str::to_owned).ok_or_else(unreadable)
    }
}

impl Column for Vec<u8> {
    fn read(row: &dyn Columns, column: usize) -> Result<Self, StoreError> {
        row.blob(column)?.map(<[u8]>::to_vec).ok_or_else(unreadable)
    }
}

impl<const N: usize> Column for [u8; N] {
    fn read(row: &dyn Columns, column: usize) -> Result<Self, StoreError> {
        row.blob(column)?.and_then(|bytes| bytes.try_into().ok()).ok_or_else(unreadable)
    }
}

impl<T: Column> Column for Option<T> {
    fn read(row: &dyn Columns, column: usize) -> Result<Self, StoreError> {
        if row.is_null(column) { Ok(None) } else { T::read(row, column).map(Some) }
    }
}

/// A row of an answer.
#[derive(Clone, Copy)]
pub struct Row<'r>(pub &'r dyn Columns);

impl Row<'_> {
    /// Reads a column, the first being 0.
    ///
    /// # Errors
    /// When there is something else in it.
    pub fn get<T: Column>(&self, column: usize) -> Result<T, StoreError> {
        T::read(self.0, column)
    }
}

/// What is done with each row of an answer; it may end the reading.
pub(crate) type Each<'e> = dyn FnMut(&Row<'_>) -> Result<ControlFlow<()>, StoreError> + 'e;

/// Which database's statements are understood, where the two differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite's.
    Sqlite,
    /// PostgreSQL's.
    Postgres,
}

/// What others are kept from, where several processes project.
#[derive(Debug, Clone, Copy)]
pub enum Lock<'l> {
    /// From projecting what has one of these names.
    Names(&'l BTreeSet<i64>),
    /// From projecting anything.
    Everything,
}

/// A connection, to one of the databases.
pub trait Connection {
    /// Which statements it understands where the databases differ.
    fn dialect(&self) -> Dialect;
    /// Who this process is among those that share the database.
    fn replica(&self) -> i64 {
        0
    }
    /// The instant by the clock that leases run on, in milliseconds: the one given, where one process alone writes, else the
    /// database's.
    ///
    /// # Errors
    /// What the database says. So for all that follow.
    fn now(&self, given: i64) -> Result<i64, StoreError> {
        Ok(given)
    }
    /// Keeps others from projecting, until the transaction ends. Nothing to do where one process alone writes.
    ///
    /// # Errors
    /// As above.
    fn lock(&self, _doing: &'static str, _lock: Lock<'_>) -> Result<(), StoreError> {
        Ok(())
    }
    /// Keeps others from a cluster, until the transaction ends. Whether somebody else may have changed since what was
    /// read of it before.
    ///
    /// # Errors
    /// As above.
    fn hold(&self, _cluster: i64) -> Result<bool, StoreError> {
        Ok(false)
    }
    /// Whether this process, and no other until the transaction ends, may fold changes of counts into their sums. Whoever
    /// counts all anew keeps it from that.
    ///
    /// # Errors
    /// As above.
    fn try_to_fold(&self) -> Result<bool, StoreError> {
        Ok(false)
    }
    /// Tells the other processes that share the store, with the commit of the transaction if one is open.
    ///
    /// # Errors
    /// As above.
    fn signal(&self, _signal: Signal) -> Result<(), StoreError> {
        Ok(())
    }
    /// Whether somebody waits for this connection, so that work that is done in slices should let go of it.
    fn is_awaited(&self) -> bool {
        true
    }
    /// Runs a statement that gives no rows. How many rows it changed.
    ///
    /// # Errors
    /// As above.
    fn execute(&self, doing: &'static str, sql: &str, values: Values<'_>) -> Result<usize, StoreError>;
    /// Runs a statement that inserts one row. Its `id`.
    ///
    /// # Errors
    /// As above.
    fn insert(&self, doing: &'static str, sql: &str, values: Values<'_>) -> Result<i64, StoreError>;
    /// Runs a statement and hands over its rows until there are no more or one ends it.
    ///
    /// # Errors
    /// As above.
    fn query(
        &self,
        doing: &'static str,
        sql: &str,
        values: Values<'_>,
        each: &mut Each<'_>,
    ) -> Result<(), StoreError>;
    /// Begins a transaction that may write.
    ///
    /// # Errors
    /// As above.
    fn begin(&self, doing: &'static str) -> Result<(), StoreError>;
    /// Commits it.
    ///
    /// # Errors
    /// As above.
    fn commit(&self, doing: &'static str) -> Result<(), StoreError>;
    /// Undoes it, if one is open.
    ///
    /// # Errors
    /// As above.
    fn roll_back(&self, doing: &'static str) -> Result<(), StoreError>;
}

/// A transaction that may write. Undone where it is dropped without a commit, in a panic too.
pub(in crate::store) struct Transaction<'c> {
    connection: &'c dyn Connection,
    is_open: bool,
}

impl<'c> Transaction<'c> {
    pub(in crate::store) fn begin(
        connection: &'c dyn Connection,
        doing: &'static str,
    ) -> Result<Transaction<'c>, StoreError> {
        connection.begin(doing)?;
        Ok(Transaction { connection, is_open: true })
    }

    pub(in crate::store) fn commit(mut self, doing: &'static str) -> Result<(), StoreError> {
        self.connection.commit(doing)?;
        self.is_open = false;
        Ok(())
    }

    pub(in crate::store) fn roll_back(mut self, doing: &'static str) -> Result<(), StoreError> {
        self.is_open = false;
        self.connection.roll_back(doing)
    }
}

impl<'c> Deref for Transaction<'c> {
    type Target = dyn Connection + 'c;

    fn deref(&self) -> &Self::Target {
        self.connection
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if self.is_open {
            // A connection that cannot even do that is not used again.
            let _ = self.connection.roll_back("undo what was begun");
        }
    }
}

/// Runs a statement that gives no rows. How many rows it changed.
pub(in crate::store) fn run(
    connection: &dyn Connection,
    doing: &'static str,
    sql: &str,
    values: Values<'_>,
) -> Result<usize, StoreError> {
    connection.execute(doing, sql, values)
}

/// Every row that a query gives.
pub(in crate::store) fn all<T>(
    connection: &dyn Connection,
    doing: &'static str,
    sql: &str,
    values: Values<'_>,
    mut read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut rows = Vec::new();
    connection.query(doing, sql, values, &mut |row| {
        rows.push(read(row)?);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(rows)
}

/// The first row that a query gives.
pub(in crate::store) fn first<T>(
    connection: &dyn Connection,
    doing: &'static str,
    sql: &str,
    values: Values<'_>,
    mut read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    let mut found = None;
    connection.query(doing, sql, values, &mut |row| {
        found = Some(read(row)?);
        Ok(ControlFlow::Break(()))
    })?;
    Ok(found)
}

/// What a query gives that gives one row, always.
pub(in crate::store) fn only<T>(
    connection: &dyn Connection,
    doing: &'static str,
    sql: &str,
    values: Values<'_>,
    read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let found = first(connection, doing, sql, values, read)?;
    found.ok_or_else(|| StoreError::new(StoreErrorKind::Corrupt, doing))
}
