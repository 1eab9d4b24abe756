//! Logins. Written through a connection of their own, so that commands can renew them beside a running daemon.

use super::encoding::{instant, millis};
use super::{Database, SqlStore, knows};
use crate::store::StoreError;
use crate::store::login::{Lease, LoginRow, Logins};
use crate::store::sql::connection::{Row, first, run, values};

fn login_row(row: &Row<'_>) -> Result<LoginRow, StoreError> {
    let at = |column| row.get::<Option<i64>>(column).map(|millis| millis.map(instant));
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

impl<D: Database> Logins for SqlStore<D> {
    fn login(&self, target: &str) -> Result<Option<LoginRow>, StoreError> {
        const FIND: &str = "SELECT sealed, generation, renew_at, expires_at, wait_until, fault, changed_at
                            FROM logins WHERE target = ?";
        self.database.read(|connection| {
            // A store that no daemon of this version has opened yet knows of no login.
            if !knows(connection, 4)? {
                return Ok(None);
            }
            first(connection, "read a login", FIND, values![target], login_row)
        })
    }

    fn hold_login(&self, target: &str) -> Result<Lease, StoreError> {
        self.database.hold(&format!("login-{target}"))
    }

    fn keep_login(&self, target: &str, login: &LoginRow, before: Option<i64>) -> Result<bool, StoreError> {
        const KEEP: &str = "INSERT INTO logins
                (target, sealed, generation, renew_at, expires_at, wait_until, fault, changed_at)
             SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8
             WHERE ?9 IS NOT DISTINCT FROM (SELECT generation FROM logins WHERE target = ?1)
             ON CONFLICT (target) DO UPDATE SET sealed = excluded.sealed, generation = excluded.generation,
                renew_at = excluded.renew_at, expires_at = excluded.expires_at,
                wait_until = excluded.wait_until, fault = excluded.fault, changed_at = excluded.changed_at";
        let LoginRow { sealed, generation, renew_at, expires_at, wait_until, fault, changed_at } = login;
        let values = values![
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
        self.database
            .write_beside(|connection| run(connection, "keep a login", KEEP, values).map(|kept| kept == 1))
    }
}
