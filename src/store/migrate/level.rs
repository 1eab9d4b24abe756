//! What changed behind a copy's back, found by comparing both sides.
//!
//! In: a table of each in the order of its keys, the source at rest. Out: the rows that are to go, and those that are to
//! come. One that differs goes first and comes anew: whatever a key or a unique column forbids, no row forbids that stays.

use super::rows::{Cells, Short, Shorts};
use super::tables::Table;
use super::{MigrateError, Side};
use crate::store::sql::connection::Connection;
use std::cmp::Ordering;

/// Differences that are mended before it is looked for more.
const MOST: usize = 100_000;

/// What differs.
#[derive(Debug, Default)]
pub(super) struct Differences {
    /// Rows of the target that the source does not have, or has otherwise.
    pub(super) extra: Vec<Cells>,
    /// Rows of the source that the target does not have, or has otherwise.
    pub(super) missing: Vec<Cells>,
    /// Whether there may be more.
    pub(super) more: bool,
}

impl Differences {
    /// Whether there are none.
    pub(super) fn is_none(&self) -> bool {
        self.extra.is_empty() && self.missing.is_empty()
    }

    fn count(&mut self, here: Option<Short>, there: Option<Short>) {
        self.missing.extend(here.map(|row| row.key));
        self.extra.extend(there.map(|row| row.key));
    }
}

/// Compares a table; of the target, the rows below `own`.
pub(super) fn compare(
    source: &dyn Connection,
    target: &dyn Connection,
    table: &'static Table,
    own: i64,
) -> Result<Differences, MigrateError> {
    let (of_source, of_target) = (|error| Side::From.failed(error), |error| Side::To.failed(error));
    let mut here = Shorts::of(source, table, None);
    let mut there = Shorts::of(target, table, table.grows.then_some(own));
    let mut found = Differences::default();
    loop {
        if found.missing.len() + found.extra.len() >= MOST {
            found.more = true;
            return Ok(found);
        }
        let (ours, theirs) = (here.peek().map_err(of_source)?, there.peek().map_err(of_target)?);
        let order = match (ours, theirs) {
            (None, None) => return Ok(found),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(ours), Some(theirs)) if ours.cells == theirs.cells => {
                here.next();
                there.next();
                continue;
            }
            (Some(ours), Some(theirs)) => ours.order().cmp(theirs.order()),
        };
        let ours = if order == Ordering::Greater { None } else { here.next() };
        let theirs = if order == Ordering::Less { None } else { there.next() };
        found.count(ours, theirs);
    }
}
