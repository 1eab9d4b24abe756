//! API tokens: hashes of them, and who may do what.
//!
//! Written through a connection of its own, so that the commands work beside a running daemon, which
//! reads each token when it is used: a revocation holds at once.

use super::sql::{failed, instant, millis};
use super::{SqliteStore, open_file};
use crate::store::{StoreError, TokenRow, Tokens};
use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

fn token_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<TokenRow> {
    let scopes: String = row.get(1)?;
    Ok(TokenRow {
        name: row.get(0)?,
        scopes: scopes.split(' ').map(str::to_owned).collect(),
        created_at: instant(row.get(2)?),
        revoked_at: row.get::<_, Option<i64>>(3)?.map(instant),
    })
}

impl Tokens for SqliteStore {
    fn add_token(&self, token: &TokenRow, hash: [u8; 32]) -> Result<(), StoreError> {
        let doing = "add a token";
        let connection = open_file(&self.path)?;
        connection
            .execute(
                "INSERT INTO tokens (name, hash, scopes, created_at) VALUES (?, ?, ?, ?)",
                params![token.name, hash, token.scopes.join(" "), millis(token.created_at)],
            )
            .map_err(failed(doing))
            .map(drop)
    }

    fn tokens(&self) -> Result<Vec<TokenRow>, StoreError> {
        let doing = "list tokens";
        self.readers.read(|connection| {
            let mut statement = connection
                .prepare_cached("SELECT name, scopes, created_at, revoked_at FROM tokens ORDER BY name")
                .map_err(failed(doing))?;
            let rows = statement.query_map([], token_row).map_err(failed(doing))?;
            rows.map(|row| row.map_err(failed(doing))).collect()
        })
    }

    fn revoke_token(&self, name: &str, at: Timestamp) -> Result<bool, StoreError> {
        let doing = "revoke a token";
        let connection = open_file(&self.path)?;
        let revoked = connection
            .execute(
                "UPDATE tokens SET revoked_at = ? WHERE name = ? AND revoked_at IS NULL",
                params![millis(at), name],
            )
            .map_err(failed(doing))?;
        Ok(revoked == 1)
    }

    fn token(&self, hash: [u8; 32]) -> Result<Option<TokenRow>, StoreError> {
        let doing = "look up a token";
        self.readers.read(|connection| {
            let mut statement = connection
                .prepare_cached(
                    "SELECT name, scopes, created_at, revoked_at FROM tokens WHERE hash = ? AND revoked_at IS NULL",
                )
                .map_err(failed(doing))?;
            statement.query_row([hash], token_row).optional().map_err(failed(doing))
        })
    }
}
