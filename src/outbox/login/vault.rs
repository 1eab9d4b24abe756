//! Where logins are kept, and who may change one.
//!
//! In: a target. Out: its login as it is on the disk, opened; and the lease without which none is renewed: a lock
//! on a file beside the store, so that a command and the daemon never renew at once. The kernel gives it back when
//! whoever holds it ends.

use super::Unable;
use super::seal::{Key, Tokens, file};
use crate::clock::Clock;
use crate::store::login::{LoginRow, Logins};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where the logins of a store are kept.
#[derive(Clone)]
pub struct Vault {
    pub(super) store: Arc<dyn Logins>,
    pub(super) clock: Arc<dyn Clock>,
    /// The store's file.
    path: PathBuf,
}

/// A login, opened.
#[derive(Clone)]
pub(super) struct Opened {
    pub(super) row: LoginRow,
    pub(super) tokens: Tokens,
}

/// Whoever holds it may renew a login.
pub(super) struct Lease {
    _file: File,
}

impl Vault {
    /// The logins of the store in the file `path`.
    #[must_use]
    pub fn new(store: Arc<dyn Logins>, clock: Arc<dyn Clock>, path: &Path) -> Vault {
        Vault { store, clock, path: path.to_owned() }
    }

    /// Waits until nobody else renews this login, in this process or another.
    pub(super) async fn lease(&self, target: &str) -> Result<Lease, Unable> {
        let mut name = self.path.as_os_str().to_owned();
        name.push(format!(".login-{target}"));
        let path = PathBuf::from(name);
        let wait = move || -> io::Result<File> {
            let mut options = OpenOptions::new();
            let file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
            file.lock()?;
            Ok(file)
        };
        match tokio::task::spawn_blocking(wait).await {
            Ok(Ok(file)) => Ok(Lease { _file: file }),
            Ok(Err(error)) => Err(Unable::Key(error.kind())),
            Err(_) => Err(Unable::Later("store")),
        }
    }

    /// A target's login; `None` where it has none.
    pub(super) fn read(&self, target: &str) -> Result<Option<Opened>, Unable> {
        let Some(row) = self.store.login(target)? else { return Ok(None) };
        let key = Key::read(&file(&self.path)).map_err(|error| Unable::Key(error.kind()))?;
        match key.and_then(|key| key.open(target, &row.sealed)) {
            Some(tokens) => Ok(Some(Opened { row, tokens })),
            None => Err(Unable::Sealed),
        }
    }

    /// Seals tokens for a target.
    pub(super) fn seal(&self, target: &str, tokens: &Tokens) -> Result<Vec<u8>, Unable> {
        let key = Key::read_or_make(&file(&self.path)).map_err(|error| Unable::Key(error.kind()))?;
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
