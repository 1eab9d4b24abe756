//! API tokens: hashes of them, and who may do what.
//!
//! Written through a connection of its own, so that the commands work beside a running daemon, which
//! reads each token when it is used: a revocation holds at once.

use super::encoding::{instant, millis};
use super::{Database, SqlStore, marks};
use crate::store::sql::connection::{Row, all, first, run, values};
use crate::store::{StoreError, TokenRow, Tokens};
use jiff::Timestamp;

fn token_row(row: &Row<'_>) -> Result<TokenRow, StoreError> {
    let scopes: String = row.get(1)?;
    Ok(TokenRow {
        name: row.get(0)?,
        scopes: scopes.split(' ').map(str::to_owned).collect(),
        created_at: instant(row.get(2)?),
        revoked_at: row.get::<Option<i64>>(3)?.map(instant),
    })
}

impl<D: Database> Tokens for SqlStore<D> {
    fn add_token(&self, token: &TokenRow, hash: [u8; 32]) -> Result<(), StoreError> {
        const ADD: &str = "INSERT INTO tokens (name, hash, scopes, created_at) VALUES (?, ?, ?, ?)";
        self.database.write_beside(|connection| {
            marks::refuse_unfinished(connection, "add a token")?;
            let values = values![token.name, hash, token.scopes.join(" "), millis(token.created_at)];
            run(connection, "add a token", ADD, values).map(drop)
        })
    }

    fn tokens(&self) -> Result<Vec<TokenRow>, StoreError> {
        const LIST: &str = "SELECT name, scopes, created_at, revoked_at FROM tokens ORDER BY name";
        self.database.read(|connection| all(connection, "list tokens", LIST, &[], token_row))
    }

    fn revoke_token(&self, name: &str, at: Timestamp) -> Result<bool, StoreError> {
        const SET: &str = "UPDATE tokens SET revoked_at = ? WHERE name = ? AND revoked_at IS NULL";
        self.database.write_beside(|connection| {
            marks::refuse_unfinished(connection, "revoke a token")?;
            run(connection, "revoke a token", SET, values![millis(at), name]).map(|revoked| revoked == 1)
        })
    }

    fn token(&self, hash: [u8; 32]) -> Result<Option<TokenRow>, StoreError> {
        const FIND: &str = "SELECT name, scopes, created_at, revoked_at FROM tokens
                            WHERE hash = ? AND revoked_at IS NULL";
        self.database.read(|connection| first(connection, "look up a token", FIND, values![hash], token_row))
    }
}
