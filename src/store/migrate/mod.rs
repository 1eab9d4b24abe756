//! Moving a store from one database to another, either way, while requests are acknowledged.
//!
//! In: a store with its daemons, and an empty one. Out: the same store in the other database. [`Migration::copy`] runs
//! beside the daemons of the source and copies table by table in the order of keys; what changes behind it stays as it was
//! copied. From its first moment on, the target is an unfinished copy (`sql/marks.rs`): a daemon on a server's database may
//! acknowledge into it, under ids that the source does not reach, and does nothing else. [`Migration::finish`] wants the
//! source's daemons stopped and keeps them out. It copies the rest, levels what changed, compares, marks the source as moved
//! and then makes a whole store of the copy: at no moment do both project or deliver.
//!
//! Each step is one transaction of the target, in which it notes how far it is. Whoever is killed is run again.

mod check;
mod end;
mod level;
mod progress;
mod rest;
mod rows;
mod tables;

pub use check::Report;

use crate::config;
use crate::store::sql::connection::Connection;
use crate::store::sql::{SCHEMA_VERSION, marks, rollups, versions};
use crate::store::{StoreError, StoreErrorKind};
use end::{End, together};
use progress::State;
use rows::Cells;
use std::path::Path;
use tables::{TABLES, Table};

/// Rows that are removed or added in one transaction where both sides are levelled.
const SLICE: usize = 500;
/// As many, where each may be as large as a request can be.
const LARGE_SLICE: usize = 4;

/// One of the two stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The one that is copied.
    From,
    /// The one that is copied into.
    To,
}

impl Side {
    fn failed(self, error: StoreError) -> MigrateError {
        MigrateError::Store { side: self, error }
    }
}

/// Why a store is not moved, or not yet.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// A database says so.
    #[error("{error}")]
    Store {
        /// Which.
        side: Side,
        /// What it says.
        error: StoreError,
    },
    /// There is a store.
    #[error(
        "there is a store already, with data of its own; name an empty database, or a file that is not there"
    )]
    Taken,
    /// There is an unfinished copy of another store.
    #[error(
        "there is an unfinished copy of another store; name the store that it was begun from as it was named then, or \
         an empty database"
    )]
    OfAnother,
    /// Nothing was copied yet.
    #[error("nothing is copied yet; run it without --finish first, beside the daemon")]
    NotBegun,
    /// The source is of another version.
    #[error(
        "the store is of another version; start the daemon of this version on it once, which brings it up to date"
    )]
    OtherVersion,
    /// One and the same.
    #[error("both name the same store")]
    Same,
    /// The source came as far as the ids that the target draws.
    #[error(
        "so much was received since the copy was begun that no ids are left; begin anew with an empty database"
    )]
    Overtaken,
    /// It was told to stop.
    #[error("stopped; run it again to go on")]
    Stopped,
}

/// What is done just now, for who looks on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Rows of a table are copied: so many with this transaction.
    Copied(&'static str, usize),
    /// Rows of a table that differed are mended: so many with this transaction.
    Levelled(&'static str, usize),
    /// Both sides are compared.
    Comparing,
    /// The source is marked as moved; then, told of once more, the copy is made whole.
    Ending,
}

/// Who looks on before each step, and says whether it may be taken.
pub type Watcher<'w> = dyn FnMut(Step) -> bool + 'w;

/// What a store that is moved is, once [`Migration::finish`] returns.
#[derive(Debug, PartialEq, Eq)]
pub enum Finished {
    /// Moved, unless the report says what differs: then the copy is unfinished still.
    Now(Report),
    /// It was moved before.
    Before,
}

/// Two stores, of which one becomes what the other is.
pub struct Migration {
    from: End,
    to: End,
    source: String,
}

impl Migration {
    /// Opens both, the target's schema made where there is none.
    ///
    /// # Errors
    /// When one of them cannot be opened, or the target is no place for a copy of this source.
    pub fn open(from: &config::Store, to: &config::Store) -> Result<Migration, MigrateError> {
        if from == to {
            return Err(MigrateError::Same);
        }
        let of_source = |error| Side::From.failed(error);
        let source = End::source(from).map_err(of_source)?;
        marks::refuse_unfinished(source.connection(), "open the store").map_err(of_source)?;
        if versions(source.connection()).map_err(of_source)?.0 != SCHEMA_VERSION {
            return Err(MigrateError::OtherVersion);
        }
        let target = End::target(to).map_err(|error| Side::To.failed(error))?;
        Ok(Migration { from: source, to: target, source: from.to_string() })
    }

    fn source(&self) -> &dyn Connection {
        self.from.connection()
    }

    fn target(&self) -> &dyn Connection {
        self.to.connection()
    }

    /// Whether the source was moved before, and is the target now.
    fn is_finished(&self) -> Result<bool, MigrateError> {
        let moved = marks::mark(self.source(), marks::MOVED).map_err(|error| Side::From.failed(error))?;
        let state = progress::state(self.target(), &self.source).map_err(|error| Side::To.failed(error))?;
        match (state, moved) {
            (State::Finished(at), Some(moved)) if at == moved => Ok(true),
            (State::Finished(_) | State::Taken, _) => Err(MigrateError::Taken),
            (State::Unfinished { of_this: false }, _) => Err(MigrateError::OfAnother),
            (State::Unfinished { of_this: true }, _) => Ok(false),
            // To somewhere else.
            (State::Empty, Some(_)) => {
                Err(Side::From.failed(StoreError::new(StoreErrorKind::Moved, "copy the store")))
            }
            (State::Empty, None) => Ok(false),
        }
    }

    /// Copies what is not copied yet, beside the source's daemons. `now` is noted as the beginning, where it is one.
    /// Whether there was anything to do: there is not, where the store was moved before.
    ///
    /// # Errors
    /// As [`Migration::open`]; [`MigrateError::Stopped`] where the watcher says so. Run again, it goes on.
    pub fn copy(&self, now: i64, watcher: &mut Watcher<'_>) -> Result<bool, MigrateError> {
        if self.is_finished()? {
            return Ok(false);
        }
        let of_target = |error| Side::To.failed(error);
        if progress::state(self.target(), &self.source).map_err(of_target)? == State::Empty {
            progress::begin(&self.to, self.source(), &self.source, now).map_err(of_target)?;
        }
        TABLES.iter().try_for_each(|table| self.copy_on(table, watcher)).map(|()| true)
    }

    /// Copies the rows of a table behind the last one that was copied.
    fn copy_on(&self, table: &'static Table, watcher: &mut Watcher<'_>) -> Result<(), MigrateError> {
        let of_target = |error| Side::To.failed(error);
        let mut after = progress::position(self.target(), table.name).map_err(of_target)?;
        loop {
            let page = rows::page_after(self.source(), table, after.as_ref());
            let page = page.map_err(|error| Side::From.failed(error))?;
            let Some(key) = page.last(table) else { return Ok(()) };
            go_on(watcher, Step::Copied(table.name, page.rows.len()))?;
            let copied = together(self.target(), "copy rows", |target| {
                rows::add(target, table, &page.rows)?;
                progress::set_position(target, table.name, &key)
            });
            copied.map_err(of_target)?;
            if page.is_last {
                return Ok(());
            }
            after = Some(key);
        }
    }

    /// Copies what is left of a source whose daemons are stopped, mends what changed behind the copy, compares, and moves.
    ///
    /// # Errors
    /// As [`Migration::copy`], and while a daemon has the source. What was done stays done: run again, it goes on.
    pub fn finish(&mut self, now: i64, watcher: &mut Watcher<'_>) -> Result<Finished, MigrateError> {
        let (of_source, of_target) = (|error| Side::From.failed(error), |error| Side::To.failed(error));
        if self.is_finished()? {
            return Ok(Finished::Before);
        }
        if progress::state(self.target(), &self.source).map_err(of_target)? == State::Empty {
            return Err(MigrateError::NotBegun);
        }
        self.from.hold(&FENCED).map_err(of_source)?;
        let own = progress::own(self.target()).map_err(of_target)?;
        for table in ["requests", "parked"] {
            if progress::highest(self.source(), table).map_err(of_source)? >= own {
                return Err(MigrateError::Overtaken);
            }
        }
        for table in &TABLES {
            self.copy_on(table, watcher)?;
            self.level(table, own, watcher)?;
        }
        rest::bring(self.source(), self.target(), own).map_err(of_target)?;
        go_on(watcher, Step::Comparing)?;
        let report = check::check(&self.from, &self.to, own)?;
        if report.differs.is_empty() {
            self.end(now, watcher)?;
        }
        Ok(Finished::Now(report))
    }

    /// Marks the source before the copy is made whole: at no moment do both go on.
    fn end(&self, now: i64, watcher: &mut Watcher<'_>) -> Result<(), MigrateError> {
        let (of_source, of_target) = (|error| Side::From.failed(error), |error| Side::To.failed(error));
        for table in ["events", "clusters", "jobs"] {
            let next = progress::highest(self.target(), table).map_err(of_target)? + 1;
            self.to.number_from(table, next).map_err(of_target)?;
        }
        // What the source had not counted yet, in slices of their own.
        while !rollups::count_slice(self.target()).map_err(of_target)? {}
        let moved = marks::mark(self.source(), marks::MOVED).map_err(of_source)?.unwrap_or(now);
        go_on(watcher, Step::Ending)?;
        self.from.move_on(moved).map_err(of_source)?;
        go_on(watcher, Step::Ending)?;
        progress::end(self.target(), moved).map_err(of_target)?;
        self.to.settle().map_err(of_target)
    }

    /// Makes a table of the target the source's, whatever changed of it behind the copy.
    fn level(&self, table: &'static Table, own: i64, watcher: &mut Watcher<'_>) -> Result<(), MigrateError> {
        let (of_source, of_target) = (|error| Side::From.failed(error), |error| Side::To.failed(error));
        loop {
            let found = level::compare(self.source(), self.target(), table, own)?;
            if found.is_none() {
                return Ok(());
            }
            for keys in found.extra.chunks(SLICE) {
                go_on(watcher, Step::Levelled(table.name, keys.len()))?;
                together(self.target(), "remove rows", |target| rows::remove(target, table, keys))
                    .map_err(of_target)?;
            }
            let mut added = 0;
            let slice = if table.body().is_some() { LARGE_SLICE } else { SLICE };
            for keys in found.missing.chunks(slice) {
                go_on(watcher, Step::Levelled(table.name, keys.len()))?;
                let rows = rows::with_keys(self.source(), table, keys).map_err(of_source)?;
                added += together(self.target(), "copy rows", |target| rows::add(target, table, &rows))
                    .map_err(of_target)?;
            }
            if added == found.missing.len() && !found.more {
                return Ok(());
            }
            // Rows that the target refuses, whatever goes before them.
            if added == 0 && found.extra.is_empty() {
                return Err(Side::To.failed(StoreError::new(StoreErrorKind::Constraint, "copy rows")));
            }
        }
    }
}

/// What nobody may write while the source is moved. Rollups are a view of two of these.
const FENCED: [&str; 27] = [
    "requests",
    "waiting",
    "parked",
    "events",
    "items",
    "quarantine",
    "crashes",
    "clusters",
    "names",
    "aliases",
    "handles",
    "lead_ids",
    "touches",
    "search",
    "account_numbers",
    "rollup_sums",
    "rollup_changes",
    "rollup_state",
    "tokens",
    "jobs",
    "attempts",
    "records",
    "conversations",
    "targets",
    "shadow",
    "logins",
    "used",
];

fn go_on(watcher: &mut Watcher<'_>, step: Step) -> Result<(), MigrateError> {
    if watcher(step) { Ok(()) } else { Err(MigrateError::Stopped) }
}

/// Copies what leads are folded from, and what they are folded into, into a file of this process's own: a snapshot, beside
/// the source's daemons.
///
/// # Errors
/// When the source cannot be read, or the file not be written.
pub(super) fn excerpt(from: &config::Store, to: &Path) -> Result<(), StoreError> {
    let (source, target) = (End::source(from)?, End::scratch(to)?);
    if let End::Server(copying) = &source {
        copying.begin_to_read()?;
    }
    let (source, target) = (source.connection(), target.connection());
    for table in TABLES.iter().filter(|table| table.is_evidence) {
        let mut after: Option<Cells> = None;
        loop {
            let page = rows::page_after(source, table, after.as_ref())?;
            let Some(key) = page.last(table) else { break };
            together(target, "copy rows", |target| rows::add(target, table, &page.rows))?;
            after = Some(key);
        }
    }
    rest::counted(source, target)
}
