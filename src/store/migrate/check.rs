//! The last look before a copy takes its source's place: rows counted on both sides, people folded into digests.

use super::end::End;
use super::rest::{self, OWN};
use super::tables::TABLES;
use super::{MigrateError, Side};
use crate::store::StoreError;
use crate::store::sql::connection::{Connection, Dialect, only, values};
use crate::store::sql::people::people;
use crate::store::sql::rollups;

/// What was compared.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Rows by table: the source's, the copy's.
    pub tables: Vec<(&'static str, u64, u64)>,
    /// People whose state and touches were compared.
    pub people: u64,
    /// What differs: a table, or `people`, `attribution`, `waiting`, `books`.
    pub differs: Vec<&'static str>,
}

/// Compares.
pub(super) fn check(from: &End, to: &End, own: i64) -> Result<Report, MigrateError> {
    let (source, target) = (from.connection(), to.connection());
    let (of_source, of_target) = (|error| Side::From.failed(error), |error| Side::To.failed(error));
    let mut report = Report::default();
    for table in &TABLES {
        let here = rows(source, table.name, i64::MAX).map_err(of_source)?;
        let there = rows(target, table.name, own).map_err(of_target)?;
        report.note(table.name, here == there);
        report.tables.push((table.name, here, there));
    }
    let here = people(source).map_err(of_source)?;
    report.people = here.len() as u64;
    report.note("people", here == people(target).map_err(of_target)?);
    let here = rollups::all_rows(source).map_err(of_source)?;
    report.note("attribution", here == rollups::all_rows(target).map_err(of_target)?);
    let here = rest::waiting(source).map_err(of_source)?;
    report.note("waiting", here == waiting(target, own).map_err(of_target)?);
    let here = books(source, None).map_err(of_source)?;
    report.note("books", here == books(target, Some(own)).map_err(of_target)?);
    Ok(report)
}

impl Report {
    fn note(&mut self, what: &'static str, is_alike: bool) {
        if !is_alike {
            self.differs.push(what);
        }
    }
}

/// The rows of a table that are not a copy's own.
fn rows(connection: &dyn Connection, table: &'static str, own: i64) -> Result<u64, StoreError> {
    let which = match table {
        "requests" | "parked" => "id < ?",
        // What is set aside without having crashed is how SQLite says that it waits; see `rest.rs`.
        "crashes" => "count > 0 AND request < ?",
        _ => return rest::rows(connection, table).map(i64::unsigned_abs),
    };
    let count = format!("SELECT count(*) FROM {table} WHERE {which}");
    only(connection, "count rows", &count, values![own], |row| row.get::<i64>(0)).map(i64::unsigned_abs)
}

fn waiting(connection: &dyn Connection, own: i64) -> Result<Vec<i64>, StoreError> {
    let mut waiting = rest::waiting(connection)?;
    waiting.retain(|request| *request < own);
    Ok(waiting)
}

/// The counters that the source alone adds to, and how many requests were stored.
fn books(connection: &dyn Connection, own: Option<i64>) -> Result<(rest::Counters, i64), StoreError> {
    // In one statement: a daemon may be acknowledging.
    const STORED: &str =
        "SELECT CAST(coalesce(sum(value), 0) AS BIGINT) - (SELECT count(*) FROM requests WHERE id >= ?)
         FROM counters WHERE name = 'requests.stored'";
    let mut counters = rest::counters(connection)?;
    counters.retain(|name, _| !OWN.contains(&name.as_str()));
    let stored = match (connection.dialect(), own) {
        (Dialect::Postgres, Some(own)) => {
            only(connection, "read the books", STORED, values![own], |row| row.get(0))?
        }
        _ => rest::rows(connection, "requests")?,
    };
    Ok((counters, stored))
}
