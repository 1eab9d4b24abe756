//! Whose turn something is that one process at a time does, by the database's clock.

use crate::store::StoreError;
use crate::store::sql::connection::{Connection, Dialect, first, run, values};
use crate::store::sql::marks::IS_WHOLE;
use crate::store::turn::Turn;
use std::time::Duration;

/// Asks for a turn. It is written down only as often as it must be to last.
pub(super) fn take(connection: &dyn Connection, of: &str, lasts: Duration) -> Result<Turn, StoreError> {
    const LASTS: &str =
        "SELECT until > now_ms() + ?3, until > now_ms() FROM turns WHERE name = ?1 AND holder = ?2";
    const RENEW: &str = "UPDATE turns SET until = now_ms() + ?3 WHERE name = ?1 AND holder = ?2";
    // An unfinished copy's jobs are another's still.
    let take = format!(
        "INSERT INTO turns (name, holder, until)
         SELECT CAST(?1 AS TEXT), CAST(?2 AS BIGINT), now_ms() + ?3 WHERE {IS_WHOLE}
         ON CONFLICT (name) DO UPDATE SET holder = ?2, until = now_ms() + ?3
         WHERE turns.holder = ?2 OR turns.until <= now_ms()"
    );
    let doing = "ask for a turn";
    if connection.dialect() == Dialect::Sqlite {
        return Ok(Turn::Alone);
    }
    let replica = connection.replica();
    let length = i64::try_from(lasts.as_millis()).unwrap_or(i64::MAX);
    let read = |row: &crate::store::sql::connection::Row<'_>| Ok((row.get(0)?, row.get(1)?));
    match first(connection, doing, LASTS, values![of, replica, length / 2], read)? {
        Some((true, _)) => return Ok(Turn::Ours { anew: false }),
        Some((false, true)) if run(connection, doing, RENEW, values![of, replica, length])? == 1 => {
            return Ok(Turn::Ours { anew: false });
        }
        _ => {}
    }
    match run(connection, doing, &take, values![of, replica, length])? {
        0 => Ok(Turn::Theirs),
        _ => Ok(Turn::Ours { anew: true }),
    }
}
