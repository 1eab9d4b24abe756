//! What the two databases keep in different ways: the books, what waits, how far attribution is counted, the leases.
//!
//! In: a source at rest. Out: the same in the target, beside what its daemon has acknowledged meanwhile.

use super::end::{set_mark, together};
use super::progress::{highest, set_text, text};
use crate::store::StoreError;
use crate::store::sql::connection::{Connection, Dialect, ToParam, all, only, run, values};
use crate::store::sql::counters::count;
use crate::store::sql::{encoding, marks};
use std::collections::{BTreeMap, BTreeSet};

/// What an unfinished copy counts by itself.
pub(super) const OWN: [&str; 3] = ["requests.stored", "requests.parked", "parked.bytes"];

/// Counters by name.
pub(super) type Counters = BTreeMap<String, i64>;

/// The counters of a store; those that are 0 are left out.
pub(super) fn counters(connection: &dyn Connection) -> Result<Counters, StoreError> {
    let read = |row: &crate::store::sql::connection::Row<'_>| Ok((row.get(0)?, row.get(1)?));
    let found = all(connection, "read the books", "SELECT name, value FROM counters", &[], read)?;
    Ok(found.into_iter().filter(|(_, value)| *value != 0).collect())
}

/// How many rows a table has.
pub(super) fn rows(connection: &dyn Connection, table: &str) -> Result<i64, StoreError> {
    only(connection, "count rows", &format!("SELECT count(*) FROM {table}"), &[], |row| row.get(0))
}

/// Brings everything over.
pub(super) fn bring(source: &dyn Connection, target: &dyn Connection, own: i64) -> Result<(), StoreError> {
    leases(source, target)?;
    counted(source, target)?;
    books(source, target)?;
    match target.dialect() {
        Dialect::Postgres => wait(&waiting(source)?, target, own),
        Dialect::Sqlite => go_on_from(waiting(source)?, target),
    }
}

/// What is added to the target's counters is noted beside it: only what changed since is added again.
fn books(source: &dyn Connection, target: &dyn Connection) -> Result<(), StoreError> {
    let doing = "copy the books";
    let mut want = counters(source)?;
    // SQLite knows by its ids how many there are.
    want.remove("requests.stored");
    if target.dialect() == Dialect::Postgres {
        want.insert("requests.stored".to_owned(), rows(source, "requests")?);
    }
    let have: Counters =
        text(target, "counters")?.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let names: BTreeSet<&String> = want.keys().chain(have.keys()).collect();
    let of = |counters: &Counters, name: &String| counters.get(name).copied().unwrap_or(0);
    together(target, doing, |transaction| {
        for name in names {
            count(transaction, name, of(&want, name) - of(&have, name))?;
        }
        set_text(transaction, "counters", &encoding::to_json(&want)?)
    })
}

/// In which time zone attribution is counted, and how far.
pub(super) fn counted(source: &dyn Connection, target: &dyn Connection) -> Result<(), StoreError> {
    const STATE: &str = "SELECT timezone, through FROM rollup_state";
    const SET: &str = "UPDATE rollup_state SET timezone = ?, through = ?";
    let doing = "copy how far attribution is counted";
    let read = |row: &crate::store::sql::connection::Row<'_>| Ok((row.get(0)?, row.get(1)?));
    let (zone, through): (String, i64) = only(source, doing, STATE, &[], read)?;
    run(target, doing, SET, values![zone, through]).map(drop)
}

/// The number of the last lease: who holds an older one settles nothing any more.
fn leases(source: &dyn Connection, target: &dyn Connection) -> Result<(), StoreError> {
    const LAST: &str = "SELECT value FROM meta WHERE name = 'leases'";
    let last = only(source, "copy the number of leases", LAST, &[], |row| row.get(0))?;
    set_mark(target, "leases", last)
}

/// The requests of a store that are not settled, the oldest first.
pub(super) fn waiting(connection: &dyn Connection) -> Result<Vec<i64>, StoreError> {
    let find = match connection.dialect() {
        Dialect::Sqlite => {
            "SELECT id FROM requests WHERE id > (SELECT value FROM meta WHERE name = 'projected_through')
             OR id IN (SELECT request FROM crashes) ORDER BY id"
        }
        Dialect::Postgres => "SELECT request FROM waiting ORDER BY request",
    };
    all(connection, "read what waits", find, &[], |row| row.get(0))
}

/// Has these wait, beside what the target acknowledged by itself.
fn wait(waiting: &[i64], target: &dyn Connection, own: i64) -> Result<(), StoreError> {
    let doing = "copy what waits";
    together(target, doing, |transaction| {
        run(transaction, doing, "DELETE FROM waiting WHERE request < ?", values![own])?;
        for some in waiting.chunks(100) {
            let places = vec!["(?)"; some.len()].join(", ");
            let values: Vec<&dyn ToParam> = some.iter().map(|id| id as &dyn ToParam).collect();
            run(transaction, doing, &format!("INSERT INTO waiting (request) VALUES {places}"), &values)?;
        }
        Ok(())
    })
}

/// In SQLite, all after one id wait, and before it those that are set aside. Ids that were drawn in vain may lie among the
/// ones before, where they are no longer counted as waiting, and never after.
fn go_on_from(mut waiting: Vec<i64>, target: &dyn Connection) -> Result<(), StoreError> {
    const ASIDE: &str = "INSERT INTO crashes (request, count) VALUES (?, 0) ON CONFLICT DO NOTHING";
    let doing = "copy what waits";
    let aside = all(target, doing, "SELECT request FROM crashes", &[], |row| row.get::<i64>(0))?;
    let aside: BTreeSet<i64> = aside.into_iter().collect();
    let highest = highest(target, "requests")?;
    let mut through = highest;
    while waiting.last() == Some(&through) && !aside.contains(&through) {
        waiting.pop();
        through -= 1;
    }
    let absent = highest - rows(target, "requests")?;
    together(target, doing, |transaction| {
        for request in &waiting {
            run(transaction, doing, ASIDE, values![request])?;
        }
        set_mark(transaction, marks::ABSENT, absent)?;
        set_mark(transaction, "projected_through", through)
    })
}
