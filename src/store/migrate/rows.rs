//! Rows on their way: read from one database in the order of their keys, and written to the other.

use super::tables::{Kind, Table};
use crate::store::StoreError;
use crate::store::sql::connection::{Column, Connection, Dialect, Param, Row, ToParam, all, run};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::VecDeque;

/// Rows read at a time.
const PAGE: usize = 1000;
/// Rows whose lengths are looked at before they are read, and the bytes of them that are read at a time.
const LARGE_PAGE: usize = 512;
const LARGE_BYTES: i64 = 8 * 1024 * 1024;

/// A value of a column.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Cell {
    /// Nothing.
    Null,
    /// A number.
    Integer(i64),
    /// A text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

/// A row, or its key.
pub(super) type Cells = Vec<Cell>;

impl ToParam for Cell {
    fn to_param(&self) -> Param<'_> {
        match self {
            Cell::Null => Param::Null,
            Cell::Integer(integer) => Param::Integer(*integer),
            Cell::Text(text) => Param::Text(text),
            Cell::Blob(bytes) => Param::Blob(bytes),
        }
    }
}

impl Cell {
    fn read(row: &Row<'_>, column: usize, kind: Kind) -> Result<Cell, StoreError> {
        fn or_null<T: Column>(
            row: &Row<'_>,
            column: usize,
            cell: impl FnOnce(T) -> Cell,
        ) -> Result<Cell, StoreError> {
            Ok(row.get::<Option<T>>(column)?.map_or(Cell::Null, cell))
        }
        match kind {
            Kind::Integer => or_null(row, column, Cell::Integer),
            Kind::Text | Kind::LongText => or_null(row, column, Cell::Text),
            Kind::Blob | Kind::LongBlob => or_null(row, column, Cell::Blob),
        }
    }

    /// As PostgreSQL keeps it: no text there holds the character 0.
    fn kept(self) -> Cell {
        match self {
            Cell::Text(text) if text.contains('\0') => Cell::Text(text.replace('\0', "\u{FFFD}")),
            cell => cell,
        }
    }

    /// Its digest, in place of what is long.
    fn digested(self) -> Cell {
        match self {
            Cell::Text(text) => Cell::Blob(Sha256::digest(text).to_vec()),
            Cell::Blob(bytes) => Cell::Blob(Sha256::digest(bytes).to_vec()),
            cell => cell,
        }
    }
}

/// Values of a statement.
pub(super) fn bound(cells: &[Cell]) -> Vec<&dyn ToParam> {
    cells.iter().map(|cell| cell as &dyn ToParam).collect()
}

/// Rows of a table, whole, in the order of keys.
pub(super) struct Page {
    pub(super) rows: Vec<Cells>,
    /// Whether there were no more. What is added beside the copying meanwhile is for another time: it would never end.
    pub(super) is_last: bool,
}

impl Page {
    /// The key of the last row.
    pub(super) fn last(&self, table: &Table) -> Option<Cells> {
        self.rows.last().map(|row| row[..table.key].to_vec())
    }
}

/// The rows after a key, in the order of keys.
pub(super) fn page_after(
    connection: &dyn Connection,
    table: &Table,
    after: Option<&Cells>,
) -> Result<Page, StoreError> {
    // Of small rows, a page that is not full says that there are no more.
    let (limit, ends) = match table.body() {
        Some(body) => how_many(connection, table, body, after)?,
        None => (PAGE, true),
    };
    let select = format!("SELECT {} FROM {}", table.list(), table.name);
    let rows = ordered(connection, table, &select, after, limit, |row| cells(row, table))?;
    let is_last = ends && (rows.len() < limit || table.body().is_some());
    Ok(Page { rows, is_last })
}

/// A row, whole.
fn cells(row: &Row<'_>, table: &Table) -> Result<Cells, StoreError> {
    let columns = table.columns.iter().enumerate();
    columns.map(|(column, (_, kind))| Cell::read(row, column, *kind)).collect()
}

/// How many rows make a page that fits into memory, one at least, and whether these are all.
fn how_many(
    connection: &dyn Connection,
    table: &Table,
    body: &str,
    after: Option<&Cells>,
) -> Result<(usize, bool), StoreError> {
    let select = format!("SELECT length({body}) FROM {}", table.name);
    let lengths = ordered(connection, table, &select, after, LARGE_PAGE, |row| row.get::<i64>(0))?;
    let mut left = LARGE_BYTES;
    let fits = lengths.iter().take_while(|length| {
        left -= **length;
        left >= 0
    });
    let fits = fits.count();
    Ok((fits.max(1), fits == lengths.len() && fits < LARGE_PAGE))
}

fn ordered<T>(
    connection: &dyn Connection,
    table: &Table,
    select: &str,
    after: Option<&Cells>,
    limit: usize,
    read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let keys = table.keys();
    let (which, mut values) = match after {
        Some(after) => (format!("WHERE ({keys}) > ({})", table.key_places()), bound(after)),
        None => (String::new(), Vec::new()),
    };
    values.push(&limit);
    let sql = format!("{select} {which} ORDER BY {keys} LIMIT ?");
    all(connection, "read what is copied", &sql, &values, read)
}

/// The whole rows with these keys, of those that are there.
pub(super) fn with_keys(
    connection: &dyn Connection,
    table: &Table,
    keys: &[Cells],
) -> Result<Vec<Cells>, StoreError> {
    let sql = format!(
        "SELECT {} FROM {} WHERE ({}) = ({})",
        table.list(),
        table.name,
        table.keys(),
        table.key_places()
    );
    let mut rows = Vec::with_capacity(keys.len());
    for key in keys {
        rows.extend(all(connection, "read what is copied", &sql, &bound(key), |row| cells(row, table))?);
    }
    Ok(rows)
}

/// Adds rows, but none that a row which is there forbids: a row that was copied before its neighbour changed may do so,
/// and goes once all is compared. How many were added.
pub(super) fn add(connection: &dyn Connection, table: &Table, rows: &[Cells]) -> Result<usize, StoreError> {
    let row = format!("({})", vec!["?"; table.columns.len()].join(", "));
    let into = format!("INSERT INTO {} ({})", table.written(connection.dialect()), table.list());
    let (mut rest, mut added) = (rows, 0);
    // A few sizes, since every statement is prepared once and kept.
    for size in [100, 10, 1] {
        let sql = format!("{into} VALUES {} ON CONFLICT DO NOTHING", vec![row.as_str(); size].join(", "));
        while rest.len() >= size {
            let (some, others) = rest.split_at(size);
            let values: Vec<&dyn ToParam> = some.iter().flat_map(|cells| bound(cells)).collect();
            added += run(connection, "copy rows", &sql, &values)?;
            rest = others;
        }
    }
    Ok(added)
}

/// Removes rows.
pub(super) fn remove(connection: &dyn Connection, table: &Table, keys: &[Cells]) -> Result<(), StoreError> {
    let name = table.written(connection.dialect());
    let sql = format!("DELETE FROM {name} WHERE ({}) = ({})", table.keys(), table.key_places());
    keys.iter().try_for_each(|key| run(connection, "remove rows", &sql, &bound(key)).map(drop))
}

/// A row in short: its key as it is read, and all that is compared.
#[derive(Debug)]
pub(super) struct Short {
    /// The key, to find the row by.
    pub(super) key: Cells,
    /// The key as PostgreSQL keeps it, then the rest, what is long by its digest.
    pub(super) cells: Cells,
}

impl Short {
    /// What it is ordered by.
    pub(super) fn order(&self) -> &[Cell] {
        &self.cells[..self.key.len()]
    }
}

/// The rows of a table in short, in the order of keys.
pub(super) struct Shorts<'c> {
    connection: &'c dyn Connection,
    table: &'static Table,
    select: String,
    /// The rows from this id on are left out.
    until: Option<i64>,
    read: VecDeque<Short>,
    after: Option<Cells>,
    ended: bool,
}

impl<'c> Shorts<'c> {
    pub(super) fn of(
        connection: &'c dyn Connection,
        table: &'static Table,
        until: Option<i64>,
    ) -> Shorts<'c> {
        let short = |(name, kind): &(&str, Kind)| match (kind, connection.dialect()) {
            // Only the digests travel.
            (Kind::LongText, Dialect::Postgres) => format!("sha256(convert_to({name}, 'UTF8'))"),
            (Kind::LongBlob, Dialect::Postgres) => format!("sha256({name})"),
            _ => (*name).to_owned(),
        };
        let columns: Vec<String> = compared(table).iter().map(short).collect();
        let select = format!("SELECT {} FROM {}", columns.join(", "), table.name);
        let read = VecDeque::new();
        Shorts { connection, table, select, until, read, after: None, ended: false }
    }

    /// The next row, without taking it.
    pub(super) fn peek(&mut self) -> Result<Option<&Short>, StoreError> {
        if self.read.is_empty() && !self.ended {
            let (table, is_server) = (self.table, self.connection.dialect() == Dialect::Postgres);
            let page = ordered(self.connection, table, &self.select, self.after.as_ref(), PAGE, |row| {
                short(row, table, is_server)
            })?;
            self.ended = page.len() < PAGE;
            self.after = page.last().map(|row| row.key.clone());
            self.read = page.into();
        }
        let until = self.until;
        let is_in = |row: &&Short| match (until, &row.key[0]) {
            (Some(until), Cell::Integer(id)) => *id < until,
            _ => true,
        };
        Ok(self.read.front().filter(is_in))
    }

    /// Takes the next row.
    pub(super) fn next(&mut self) -> Option<Short> {
        self.read.pop_front()
    }
}

/// The columns that are compared: the key alone, where a row never changes.
fn compared(table: &Table) -> &'static [(&'static str, Kind)] {
    if table.is_fixed { &table.columns[..table.key] } else { table.columns }
}

fn short(row: &Row<'_>, table: &Table, is_server: bool) -> Result<Short, StoreError> {
    let (mut key, mut cells) = (Vec::new(), Vec::new());
    for (column, (_, kind)) in compared(table).iter().enumerate() {
        let is_long = matches!(kind, Kind::LongText | Kind::LongBlob);
        let cell = match is_long {
            true if is_server => Cell::read(row, column, Kind::Blob)?,
            true => Cell::read(row, column, *kind)?.kept().digested(),
            false => Cell::read(row, column, *kind)?,
        };
        if column < table.key {
            key.push(cell.clone());
        }
        cells.push(cell.kept());
    }
    Ok(Short { key, cells })
}
