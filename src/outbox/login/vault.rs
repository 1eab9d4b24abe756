//! Where logins are kept, and who may change one.
//!
//! In: a target. Out: its login as it is on the disk, opened; and the lease without which none is renewed, so
//! that a command, the daemon and another replica never renew at once. Replicas share one key: its file is copied.

use super::Unable;
use super::seal::{Key, Tokens};
use crate::clock::Clock;
use crate::store::login::{Lease, LoginRow, Logins};
use std::path::PathBuf;
use std::sync::Arc;

/// Where the logins of a store are kept.
#[derive(Clone)]
pub struct Vault {
    pub(super) store: Arc<dyn Logins>,
    pub(super) clock: Arc<dyn Clock>,
    /// The file of the key.
    key: PathBuf,
}

/// A login, opened.
#[derive(Clone)]
pub(super) struct Opened {
    pub(super) row: LoginRow,
    pub(super) tokens: Tokens,
}

impl Vault {
    /// The logins of a store, sealed with the key in the file `key`.
    #[must_use]
    pub fn new(store: Arc<dyn Logins>, clock: Arc<dyn Clock>, key: PathBuf) -> Vault {
        Vault { store, clock, key }
    }

    /// Waits until nobody else renews this login, in this process or another.
    pub(super) async fn lease(&self, target: &str) -> Result<Lease, Unable> {
        let (store, target) = (Arc::clone(&self.store), target.to_owned());
        let held = tokio::task::spawn_blocking(move || store.hold_login(&target)).await;
        Ok(held.map_err(|_| Unable::Later("store"))??)
    }

    /// A target's login; `None` where it has none.
    pub(super) fn read(&self, target: &str) -> Result<Option<Opened>, Unable> {
        let Some(row) = self.store.login(target)? else { return Ok(None) };
        let key = Key::read(&self.key).map_err(|error| Unable::Key(error.kind()))?;
        match key.and_then(|key| key.open(target, &row.sealed)) {
            Some(tokens) => Ok(Some(Opened { row, tokens })),
            None => Err(Unable::Sealed),
        }
    }

    /// Seals tokens for a target.
    pub(super) fn seal(&self, target: &str, tokens: &Tokens) -> Result<Vec<u8>, Unable> {
        let key = Key::read_or_make(&self.key).map_err(|error| Unable::Key(error.kind()))?;
        key.seal(target, tokens).map_err(|error| Unable::Key(error.kind()))
    }

    /// The access token that is on the disk: for tests that compare it with what a CRM is shown.
    ///
    /// # Errors
    /// As for a call.
    pub fn kept(&self, target: &str) -> Result<Option<secrecy::SecretString>, Unable> {
        Ok(self.read(target)?.map(|opened| opened.tokens.access.into()))
    }
}
