//! Which requests wait to be projected.
//!
//! In SQLite, where ids are drawn in the order of commits, those after `projected_through` and those set aside
//! (`crashes`, see `aside.rs`). In PostgreSQL an id is drawn before its commit, and several replicas take requests: those
//! with a row in `waiting`, which says who has them in hand, and until when by the database's clock.

use super::connection::{Connection, Dialect, first, only, run, values};
use super::encoding::instant;
use super::marks::IS_WHOLE;
use super::read::claimed;
use crate::store::signal::Signal;
use crate::store::{Backlog, StoreError, StoreErrorKind, Stored};

const DOING: &str = "claim requests";
/// How long a replica has requests in hand, in milliseconds, unless it settles them sooner.
const IN_HAND: i64 = 15_000;
/// Requests that a replica of several takes at a time: what is left of one that is gone waits for [`IN_HAND`].
const SHARE: usize = 256;

/// Of a row of `requests`: whether it is settled.
pub(super) fn is_settled(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => {
            "id <= (SELECT value FROM meta WHERE name = 'projected_through')
             AND NOT EXISTS (SELECT 1 FROM crashes WHERE request = requests.id)"
        }
        Dialect::Postgres => "NOT EXISTS (SELECT 1 FROM waiting WHERE request = requests.id)",
    }
}

/// Of a row of `requests`: whether it waits, by way of an index.
pub(super) fn waits(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => {
            "id > (SELECT value FROM meta WHERE name = 'projected_through')
             OR id IN (SELECT request FROM crashes)"
        }
        Dialect::Postgres => "id IN (SELECT request FROM waiting)",
    }
}

/// The oldest requests that wait and are not set aside.
pub(super) fn claim(connection: &dyn Connection, limit: usize) -> Result<Vec<Stored>, StoreError> {
    const FIND: &str = "SELECT id, received_at, channel, proof, secret_index, query, headers, body, 0
         FROM requests
         WHERE id > (SELECT value FROM meta WHERE name = 'projected_through')
         AND NOT EXISTS (SELECT 1 FROM crashes WHERE request = requests.id) ORDER BY id LIMIT ?";
    let take = format!(
        "WITH next AS (
             SELECT request FROM waiting
             WHERE (holder = ?1 OR held_until <= now_ms()) AND {IS_WHOLE}
             AND NOT EXISTS (SELECT 1 FROM crashes WHERE crashes.request = waiting.request)
             ORDER BY request LIMIT ?2 FOR UPDATE SKIP LOCKED)
         UPDATE waiting SET holder = ?1, held_until = now_ms() + ?3
         FROM next WHERE waiting.request = next.request"
    );
    const TAKEN: &str = "SELECT id, received_at, channel, proof, secret_index, query, headers, body, 0
         FROM requests WHERE id IN (
             SELECT request FROM waiting WHERE holder = ?1
             AND NOT EXISTS (SELECT 1 FROM crashes WHERE crashes.request = waiting.request))
         ORDER BY id LIMIT ?2";
    match connection.dialect() {
        Dialect::Sqlite => claimed(connection, FIND, values![limit]),
        Dialect::Postgres => {
            let (holder, limit) = (connection.replica(), limit.min(SHARE));
            if run(connection, DOING, &take, values![holder, limit, IN_HAND])? == SHARE {
                // There may be more than this replica has time for.
                connection.signal(Signal::Requests)?;
            }
            claimed(connection, TAKEN, values![holder, limit])
        }
    }
}

/// The CROSS is for SQLite, which would otherwise read all requests to find the few that are set aside.
const NEXT_ASIDE: &str =
    "SELECT id, received_at, channel, proof, secret_index, query, headers, body, count >= 2
     FROM crashes CROSS JOIN requests ON id = request
     WHERE (count <> 1 OR ?) AND NOT EXISTS (
         SELECT 1 FROM requests r WHERE r.id > (SELECT value FROM meta WHERE name = 'projected_through')
         AND r.id < crashes.request AND NOT EXISTS (SELECT 1 FROM crashes c WHERE c.request = r.id))
     ORDER BY count DESC, request LIMIT 1";

/// A request that was set aside and that all others before it went past: poison first, since it takes no time,
/// then suspects, then the oldest.
pub(super) fn claim_aside(
    connection: &dyn Connection,
    with_suspects: bool,
) -> Result<Option<Stored>, StoreError> {
    let take = format!(
        "UPDATE waiting SET holder = ?1, held_until = now_ms() + ?3 WHERE request = (
             SELECT request FROM waiting JOIN crashes USING (request)
             WHERE (holder = ?1 OR held_until <= now_ms()) AND {IS_WHOLE} AND (count <> 1 OR ?2) AND NOT EXISTS (
                 SELECT 1 FROM waiting AS w WHERE w.request < crashes.request
                 AND NOT EXISTS (SELECT 1 FROM crashes AS c WHERE c.request = w.request))
             ORDER BY count DESC, request LIMIT 1 FOR UPDATE OF waiting SKIP LOCKED)
         RETURNING request"
    );
    const TAKEN: &str =
        "SELECT id, received_at, channel, proof, secret_index, query, headers, body, count >= 2
         FROM requests JOIN crashes ON id = request WHERE id = ?";
    if connection.dialect() == Dialect::Sqlite {
        return Ok(claimed(connection, NEXT_ASIDE, values![with_suspects])?.pop());
    }
    let values = values![connection.replica(), with_suspects, IN_HAND];
    match first(connection, DOING, &take, values, |row| row.get::<i64>(0))? {
        Some(request) => Ok(claimed(connection, TAKEN, values![request])?.pop()),
        None => Ok(None),
    }
}

/// Holds on to a request that is settled in part.
///
/// # Errors
/// [`StoreErrorKind::Busy`] when another replica has it in hand by now.
pub(super) fn keep(connection: &dyn Connection, request: i64) -> Result<(), StoreError> {
    const KEEP: &str = "UPDATE waiting SET held_until = now_ms() + ?3 WHERE request = ?1 AND holder = ?2";
    if connection.dialect() == Dialect::Sqlite {
        return Ok(());
    }
    let kept = run(connection, DOING, KEEP, values![request, connection.replica(), IN_HAND])?;
    if kept == 1 { Ok(()) } else { Err(StoreError::new(StoreErrorKind::Busy, "keep a request in hand")) }
}

/// Notes that requests are settled, and that all up to `through` are settled or set aside.
///
/// # Errors
/// [`StoreErrorKind::Busy`] when another replica has one of them in hand by now.
pub(super) fn settled(connection: &dyn Connection, requests: &[i64], through: i64) -> Result<(), StoreError> {
    // Never backwards: a suspect is settled after requests that came later.
    const SET: &str = "UPDATE meta SET value = ?1 WHERE name = 'projected_through' AND value < ?1";
    const FORGET: &str = "DELETE FROM waiting WHERE request = ?1 AND holder = ?2";
    let doing = "settle requests";
    if connection.dialect() == Dialect::Sqlite {
        return run(connection, doing, SET, values![through]).map(drop);
    }
    for request in requests {
        if run(connection, doing, FORGET, values![request, connection.replica()])? == 0 {
            return Err(StoreError::new(StoreErrorKind::Busy, doing));
        }
    }
    Ok(())
}

/// Counts a crash for each request that was in hand when the process died.
pub(in crate::store) fn note_crashes(connection: &dyn Connection, held: &[i64]) -> Result<(), StoreError> {
    let unsettled = match connection.dialect() {
        Dialect::Sqlite => "id > (SELECT value FROM meta WHERE name = 'projected_through')",
        Dialect::Postgres => "EXISTS (SELECT 1 FROM waiting WHERE request = ?1)",
    };
    let add = format!(
        "INSERT INTO crashes (request, count) SELECT id, 1 FROM requests
         WHERE id = ?1 AND ({unsettled} OR EXISTS (SELECT 1 FROM crashes WHERE request = ?1))
         ON CONFLICT (request) DO UPDATE SET count = crashes.count + 1"
    );
    for request in held {
        run(connection, "note a crash", &add, values![request])?;
    }
    Ok(())
}

fn count(connection: &dyn Connection, sql: &str) -> Result<u64, StoreError> {
    only(connection, "count", sql, &[], |row| row.get(0)).map(i64::unsigned_abs)
}

const NEWEST: &str = "SELECT coalesce(max(id), 0) FROM requests";
/// Ids that stand for no request: a copy of a store that draws ids before commit has some.
const ABSENT: &str = "SELECT coalesce(sum(value), 0) FROM meta WHERE name = 'absent'";
const THROUGH: &str = "SELECT value FROM meta WHERE name = 'projected_through'";
/// Requests that the others went past; see `aside.rs`.
const ASIDE: &str = "SELECT count(*) FROM crashes
                     WHERE request <= (SELECT value FROM meta WHERE name = 'projected_through')";

/// How many requests are stored, and how many of them wait.
pub(super) fn counts(connection: &dyn Connection) -> Result<(u64, u64), StoreError> {
    const STORED: &str =
        "SELECT CAST(coalesce(sum(value), 0) AS BIGINT) FROM counters WHERE name = 'requests.stored'";
    match connection.dialect() {
        Dialect::Sqlite => {
            let (newest, through) = (count(connection, NEWEST)?, count(connection, THROUGH)?);
            let stored = newest.saturating_sub(count(connection, ABSENT)?);
            Ok((stored, newest.saturating_sub(through) + count(connection, ASIDE)?))
        }
        Dialect::Postgres => {
            Ok((count(connection, STORED)?, count(connection, "SELECT count(*) FROM waiting")?))
        }
    }
}

/// How far projection is behind.
pub(super) fn backlog(connection: &dyn Connection) -> Result<Backlog, StoreError> {
    const RECEIVED: &str = "SELECT received_at FROM requests WHERE id = ?";
    let at = |id: u64| -> Result<_, StoreError> {
        Ok(first(connection, "read the backlog", RECEIVED, values![id], |row| row.get(0))?.map(instant))
    };
    const WAITS: &str =
        "SELECT (SELECT min(request) FROM waiting), (SELECT value FROM meta WHERE name = 'unfinished')";
    let newest = count(connection, NEWEST)?;
    // What an unfinished copy lacks was received before it was begun.
    let mut lacks = None;
    let oldest = match connection.dialect() {
        Dialect::Sqlite => {
            let through = count(connection, THROUGH)?;
            match count(connection, ASIDE)? {
                0 if newest > through => Some(through + 1),
                0 => None,
                _ => Some(count(connection, "SELECT min(request) FROM crashes")?),
            }
        }
        Dialect::Postgres => {
            let doing = "read the backlog";
            let read = |row: &super::connection::Row<'_>| Ok((row.get(0)?, row.get(1)?));
            let (oldest, unfinished): (Option<i64>, Option<i64>) = only(connection, doing, WAITS, &[], read)?;
            lacks = unfinished.map(instant);
            oldest.map(i64::unsigned_abs)
        }
    };
    let (_, waiting) = counts(connection)?;
    let oldest = oldest.map(at).transpose()?.flatten();
    let oldest = lacks.into_iter().chain(oldest).min();
    Ok(Backlog { waiting, oldest, newest_receipt: at(newest)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite;

    #[test]
    fn looking_for_what_is_set_aside_reads_no_other_request() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("store.db");
        sqlite::SqliteStore::prepare(&path).unwrap();
        let plan = sqlite::plan(&path, NEXT_ASIDE, 1);
        assert!(plan.iter().any(|step| step.starts_with("SEARCH requests")), "{plan:?}");
        assert!(!plan.iter().any(|step| step.starts_with("SCAN requests")), "{plan:?}");
    }
}
