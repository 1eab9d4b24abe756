//! A connection to a PostgreSQL server, used from threads that may wait, and what its errors mean.
//!
//! The work of the socket is done by a thread of the pool's; here a statement is handed over and its answer awaited.
//! Statements are written with SQLite's `?` and `?1`, and prepared once for each connection.

use super::listen::{CHANNEL, said};
use crate::store::signal::Signal;
use crate::store::sql::connection::{
    Columns, Connection, Dialect, Each, Lock, Param, Row, Values, only, unreadable,
};
use crate::store::{StoreError, StoreErrorKind};
use futures_executor::block_on;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::error::Error;
use std::ops::ControlFlow;
use tokio_postgres::error::{Severity, SqlState};
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, Statement};

/// The advisory lock that whoever projects shares, and whoever must be alone takes. Names and clusters have theirs beside
/// it: a digest of a name, and the number of a cluster below [`CLUSTERS`].
const PROJECTION: i64 = i64::MIN;
/// The locks of clusters begin here: far from what a digest is likely to be.
const CLUSTERS: i64 = i64::MIN + 1;
/// The advisory lock of whoever folds changes of counts into their sums.
const FOLDING: i64 = i64::MAX - 1;

/// A connection to the server.
pub(super) struct PostgresConnection {
    client: Client,
    replica: i64,
    /// Whether leases run on the clock of who asks: in tests, whose time is their own.
    keeps_given_time: bool,
    statements: RefCell<HashMap<String, Statement>>,
    /// The clusters that this transaction keeps others from.
    held: RefCell<HashSet<i64>>,
    in_transaction: RefCell<bool>,
    /// What others are told when this transaction is committed.
    signals: RefCell<BTreeSet<Signal>>,
    /// It is of no more use: the server ends it, or its statements are of a schema that is no more.
    is_spent: Cell<bool>,
}

impl PostgresConnection {
    pub(super) fn new(client: Client, replica: i64, keeps_given_time: bool) -> PostgresConnection {
        PostgresConnection {
            client,
            replica,
            keeps_given_time,
            statements: RefCell::default(),
            held: RefCell::default(),
            in_transaction: RefCell::default(),
            signals: RefCell::default(),
            is_spent: Cell::default(),
        }
    }

    /// Whether it may be used again: it is open, and nothing was left open on it.
    pub(super) fn is_clean(&self) -> bool {
        !self.client.is_closed() && !*self.in_transaction.borrow() && !self.is_spent.get()
    }

    /// Waits until no other connection holds this name. It is held until the connection is closed.
    pub(super) fn hold_name(&self, name: &str) -> Result<(), StoreError> {
        // Two numbers: a space of its own beside the locks of one.
        const HOLD: &str = "SELECT pg_advisory_lock(1, hashtext(?))";
        self.query("hold a name", HOLD, &[&name], &mut |_| Ok(ControlFlow::Continue(())))
    }

    /// Begins to read one snapshot.
    pub(super) fn begin_to_read(&self) -> Result<(), StoreError> {
        self.say("begin to read", "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?;
        self.in_transaction.replace(true);
        Ok(())
    }

    /// Runs statements without values.
    pub(super) fn say(&self, doing: &'static str, sql: &str) -> Result<(), StoreError> {
        block_on(self.client.batch_execute(sql)).map_err(self.failed(doing))
    }

    fn prepared(&self, doing: &'static str, sql: &str) -> Result<Statement, StoreError> {
        if let Some(statement) = self.statements.borrow().get(sql) {
            return Ok(statement.clone());
        }
        let statement = block_on(self.client.prepare(&numbered(sql))).map_err(self.failed(doing))?;
        self.statements.borrow_mut().insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    /// What an error means, for who waits for the answer and for the connection.
    fn failed(&self, doing: &'static str) -> impl Fn(tokio_postgres::Error) -> StoreError {
        move |error| {
            if spends(&error) {
                self.is_spent.set(true);
            }
            failed(doing)(error)
        }
    }

    fn notify(&self, signal: Signal) -> String {
        format!("NOTIFY {CHANNEL}, '{}';", said(signal, self.replica))
    }

    fn ended(&self) {
        self.held.borrow_mut().clear();
        self.signals.borrow_mut().clear();
        self.in_transaction.replace(false);
    }
}

/// A statement with PostgreSQL's numbers for its values.
fn numbered(sql: &str) -> String {
    let mut numbered = String::with_capacity(sql.len() + 16);
    let (mut last, mut in_text) = (0, false);
    let mut characters = sql.chars().peekable();
    while let Some(character) = characters.next() {
        in_text ^= character == '\'';
        if character != '?' || in_text {
            numbered.push(character);
            continue;
        }
        numbered.push('$');
        if !characters.peek().is_some_and(char::is_ascii_digit) {
            last += 1;
            numbered.push_str(&last.to_string());
        }
    }
    numbered
}

impl Connection for PostgresConnection {
    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }

    fn replica(&self) -> i64 {
        self.replica
    }

    fn now(&self, given: i64) -> Result<i64, StoreError> {
        if self.keeps_given_time {
            return Ok(given);
        }
        only(self, "ask for the time", "SELECT now_ms()", &[], |row| row.get(0))
    }

    fn lock(&self, doing: &'static str, lock: Lock<'_>) -> Result<(), StoreError> {
        const ALONE: &str = "SELECT pg_advisory_xact_lock(?)";
        const BESIDE: &str = "SELECT pg_advisory_xact_lock_shared(?)";
        // In one order for everybody, so that nobody waits for who waits for them.
        const NAMES: &str = "SELECT pg_advisory_xact_lock(key)
             FROM unnest(CAST(string_to_array(?, ',') AS BIGINT[])) AS key";
        let nothing = &mut |_: &Row<'_>| Ok(ControlFlow::Continue(()));
        match lock {
            Lock::Everything => self.query(doing, ALONE, &[&PROJECTION], nothing),
            Lock::Names(names) => {
                self.query(doing, BESIDE, &[&PROJECTION], nothing)?;
                let names: Vec<String> = names.iter().map(i64::to_string).collect();
                self.query(doing, NAMES, &[&names.join(",")], nothing)
            }
        }
    }

    fn hold(&self, cluster: i64) -> Result<bool, StoreError> {
        const HOLD: &str = "SELECT pg_advisory_xact_lock(?)";
        if !self.held.borrow_mut().insert(cluster) {
            return Ok(false);
        }
        let nothing = &mut |_: &Row<'_>| Ok(ControlFlow::Continue(()));
        self.query("hold a cluster", HOLD, &[&(CLUSTERS + cluster)], nothing)?;
        Ok(true)
    }

    fn try_to_fold(&self) -> Result<bool, StoreError> {
        // A fold that is lost with the server is none: no commit of it is flushed, and nobody waits for one.
        const TRY: &str = "SELECT pg_try_advisory_xact_lock_shared(?) AND pg_try_advisory_xact_lock(?)
             AND set_config('synchronous_commit', 'off', true) IS NOT NULL";
        only(self, "fold the counts", TRY, &[&PROJECTION, &FOLDING], |row| row.get(0))
    }

    fn signal(&self, signal: Signal) -> Result<(), StoreError> {
        if *self.in_transaction.borrow() {
            self.signals.borrow_mut().insert(signal);
            return Ok(());
        }
        self.say("tell other replicas", &self.notify(signal))
    }

    fn execute(&self, doing: &'static str, sql: &str, values: Values<'_>) -> Result<usize, StoreError> {
        let statement = self.prepared(doing, sql)?;
        let values: Vec<Param<'_>> = values.iter().map(|value| value.to_param()).collect();
        let changed = block_on(self.client.execute_raw(&statement, &values)).map_err(self.failed(doing))?;
        Ok(usize::try_from(changed).unwrap_or(usize::MAX))
    }

    fn insert(&self, doing: &'static str, sql: &str, values: Values<'_>) -> Result<i64, StoreError> {
        only(self, doing, &format!("{sql} RETURNING id"), values, |row| row.get(0))
    }

    fn query(
        &self,
        doing: &'static str,
        sql: &str,
        values: Values<'_>,
        each: &mut Each<'_>,
    ) -> Result<(), StoreError> {
        let statement = self.prepared(doing, sql)?;
        let values: Vec<Param<'_>> = values.iter().map(|value| value.to_param()).collect();
        let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|it| it as &(dyn ToSql + Sync)).collect();
        for row in block_on(self.client.query(&statement, &values)).map_err(self.failed(doing))? {
            if each(&Row(&row))? == ControlFlow::Break(()) {
                break;
            }
        }
        Ok(())
    }

    fn begin(&self, doing: &'static str) -> Result<(), StoreError> {
        self.say(doing, "BEGIN")?;
        self.in_transaction.replace(true);
        Ok(())
    }

    fn commit(&self, doing: &'static str) -> Result<(), StoreError> {
        // In one message: to tell others costs no round trip.
        let told: String = self.signals.borrow().iter().map(|signal| self.notify(*signal)).collect();
        self.say(doing, &format!("{told}COMMIT"))?;
        self.ended();
        Ok(())
    }

    fn roll_back(&self, doing: &'static str) -> Result<(), StoreError> {
        self.say(doing, "ROLLBACK")?;
        self.ended();
        Ok(())
    }
}

impl ToSql for Param<'_> {
    fn to_sql(&self, column: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Param::Null => Ok(IsNull::Yes),
            Param::Integer(integer) => match *column {
                Type::BOOL => (*integer != 0).to_sql(column, out),
                Type::INT4 => i32::try_from(*integer)?.to_sql(column, out),
                _ => integer.to_sql(column, out),
            },
            // No text of a database holds this character; JSON writes it in others.
            Param::Text(text) if text.contains('\0') => {
                text.replace('\0', "\u{FFFD}").as_str().to_sql(column, out)
            }
            Param::Text(text) => text.to_sql(column, out),
            Param::Blob(bytes) => bytes.to_sql(column, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// Something in a column, whatever it is.
struct Anything;

impl FromSql<'_> for Anything {
    fn from_sql(_: &Type, _: &[u8]) -> Result<Anything, Box<dyn Error + Sync + Send>> {
        Ok(Anything)
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

impl Columns for tokio_postgres::Row {
    fn is_null(&self, column: usize) -> bool {
        matches!(self.try_get::<_, Option<Anything>>(column), Ok(None))
    }

    fn integer(&self, column: usize) -> Result<Option<i64>, StoreError> {
        let read = match self.columns().get(column).map(tokio_postgres::Column::type_) {
            Some(&Type::BOOL) => self.try_get::<_, Option<bool>>(column).map(|it| it.map(i64::from)),
            Some(&Type::INT4) => self.try_get::<_, Option<i32>>(column).map(|it| it.map(i64::from)),
            _ => self.try_get::<_, Option<i64>>(column),
        };
        read.map_err(|_| unreadable())
    }

    fn text(&self, column: usize) -> Result<Option<&str>, StoreError> {
        self.try_get(column).map_err(|_| unreadable())
    }

    fn blob(&self, column: usize) -> Result<Option<&[u8]>, StoreError> {
        self.try_get(column).map_err(|_| unreadable())
    }
}

/// Whether the connection is of no more use: there was no answer, the server ends it (and may not have closed it yet), or a
/// statement was prepared for tables that a migration has changed since.
fn spends(error: &tokio_postgres::Error) -> bool {
    let Some(said) = error.as_db_error() else { return true };
    matches!(said.parsed_severity(), Some(Severity::Fatal | Severity::Panic))
        || [SqlState::FEATURE_NOT_SUPPORTED, SqlState::INVALID_SQL_STATEMENT_NAME].contains(said.code())
}

/// Classifies PostgreSQL's errors. A server that is away, or that takes this process's work back, is busy: nothing that it
/// did not confirm has happened, and the same may succeed later. What it does of a disk that fails is its own matter.
pub(super) fn failed(doing: &'static str) -> impl Fn(tokio_postgres::Error) -> StoreError {
    move |error| {
        let kind = match error.code() {
            // What cannot be written as a column's value: no server was asked.
            None if error.to_string().starts_with("error serializing") => StoreErrorKind::Constraint,
            None => StoreErrorKind::Away,
            Some(&SqlState::DISK_FULL) => StoreErrorKind::Full,
            Some(&SqlState::INSUFFICIENT_PRIVILEGE) => StoreErrorKind::Denied,
            Some(code) => match code.code().get(..2) {
                // Connections, resources, an operator's hand, a rollback for others' sake, the system; a transaction that
                // was idle for too long, or that a standby refuses; a statement that is to be prepared anew.
                Some("08" | "53" | "55" | "57" | "40" | "58" | "25" | "26" | "0A") => StoreErrorKind::Busy,
                // Names, passwords, databases, schemas.
                Some("28" | "3D" | "3F") => StoreErrorKind::Denied,
                // Constraints, and values that no column takes.
                Some("23" | "22") => StoreErrorKind::Constraint,
                Some("XX") => StoreErrorKind::Corrupt,
                _ => StoreErrorKind::Other,
            },
        };
        // The source may quote a row: only its code goes along.
        let code = error.code().map_or_else(|| "no answer".to_owned(), |code| code.code().to_owned());
        StoreError::with(kind, doing, std::io::Error::other(code))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_numbered_and_texts_left_alone() {
        assert_eq!(numbered("a = ? AND b = ?"), "a = $1 AND b = $2");
        assert_eq!(numbered("a = ?2 OR ?1 = 'is it?'"), "a = $2 OR $1 = 'is it?'");
    }
}
