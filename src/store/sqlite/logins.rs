//! Logins. Written through a connection of their own, so that commands can renew them beside a running daemon.

use super::sql::{failed, instant, millis};
use super::{SqliteStore, open_file, schema_version};
use crate::store::StoreError;
use crate::store::login::{LoginRow, Logins};
use rusqlite::{OptionalExtension, params};

fn login_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<LoginRow> {
    let at = |column| row.get::<_, Option<i64>>(column).map(|millis| millis.map(instant));
    Ok(LoginRow {
        sealed: row.get(0)?,
        generation: row.get(1)?,
        renew_at: at(2)?,
        expires_at: at(3)?,
        wait_until: at(4)?,
        fault: row.get(5)?,
        changed_at: instant(row.get(6)?),
    })
}

impl Logins for SqliteStore {
    fn login(&self, target: &str) -> Result<Option<LoginRow>, StoreError> {
        const FIND: &str = "SELECT sealed, generation, renew_at, expires_at, wait_until, fault, changed_at
                            FROM logins WHERE target = ?";
        let doing = "read a login";
        self.readers.read(|connection| {
            // A store that no daemon of this version has opened yet knows of no login.
            if schema_version(connection)?.is_none_or(|(version, _)| version < 4) {
                return Ok(None);
            }
            let mut statement = connection.prepare_cached(FIND).map_err(failed(doing))?;
            statement.query_row([target], login_row).optional().map_err(failed(doing))
        })
    }

    fn keep_login(&self, target: &str, login: &LoginRow, before: Option<i64>) -> Result<bool, StoreError> {
        const KEEP: &str = "INSERT INTO logins
                (target, sealed, generation, renew_at, expires_at, wait_until, fault, changed_at)
             SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8
             WHERE ?9 IS (SELECT generation FROM logins WHERE target = ?1)
             ON CONFLICT DO UPDATE SET sealed = excluded.sealed, generation = excluded.generation,
                renew_at = excluded.renew_at, expires_at = excluded.expires_at,
                wait_until = excluded.wait_until, fault = excluded.fault, changed_at = excluded.changed_at";
        let doing = "keep a login";
        let LoginRow { sealed, generation, renew_at, expires_at, wait_until, fault, changed_at } = login;
        let values = params![
            target,
            sealed,
            generation,
            renew_at.map(millis),
            expires_at.map(millis),
            wait_until.map(millis),
            fault,
            millis(*changed_at),
            before
        ];
        let kept = open_file(&self.path)?.execute(KEEP, values).map_err(failed(doing))?;
        Ok(kept == 1)
    }
}
