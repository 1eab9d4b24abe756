//! Tokens at rest: sealed with a key that is in no database and in no backup of one.
//!
//! In: tokens and the target that they are of. Out: bytes that nobody reads without the key, and that are of no use
//! as another target's. The key is a file beside the store, readable by its owner alone, made with the first login.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Random bytes before what is sealed; so many that they never meet again by chance.
const NONCE: usize = 24;

/// The tokens of a login. No `Debug`: these are secrets.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tokens {
    /// Shown with each call.
    pub(super) access: String,
    /// Shown for the next access token, where the CRM gives such.
    pub(super) refresh: Option<String>,
    /// The one before it, where they rotate: some CRMs take it once more.
    pub(super) older: Option<String>,
}

/// What tokens are sealed with.
pub(super) struct Key(XChaCha20Poly1305);

/// Gives a draft its name. A key that somebody made meanwhile, for another target of the same store, stays; a broken one
/// does not.
fn publish(draft: &Path, path: &Path) -> io::Result<()> {
    let linked = match fs::hard_link(draft, path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists && Key::read(path)?.is_none() => {
            return fs::rename(draft, path);
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    };
    fs::remove_file(draft)?;
    linked
}

impl Key {
    /// The key in a file; `None` where there is no such file, or it holds no key.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub(super) fn read(path: &Path) -> io::Result<Option<Key>> {
        match fs::read(path) {
            Ok(bytes) => Ok(XChaCha20Poly1305::new_from_slice(&bytes).ok().map(Key)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The key in a file, which is made where there is none. It is on the disk before anything is sealed with it.
    ///
    /// # Errors
    /// When the file cannot be read or made.
    pub(super) fn read_or_make(path: &Path) -> io::Result<Key> {
        if let Some(key) = Key::read(path)? {
            return Ok(key);
        }
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|_| io::Error::other("the system gives no random bytes"))?;
        let mut draft = path.as_os_str().to_owned();
        let mut own = [0; 8];
        getrandom::fill(&mut own).map_err(|_| io::Error::other("the system gives no random bytes"))?;
        draft.push(format!(".{:016x}", u64::from_ne_bytes(own)));
        let draft = PathBuf::from(draft);
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        file.set_permissions(Permissions::from_mode(0o600))?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        publish(&draft, path)?;
        if let Some(folder) = path.parent() {
            File::open(folder)?.sync_all()?;
        }
        let key = Key::read(path)?;
        key.ok_or_else(|| io::Error::other("the key that was just made cannot be read"))
    }

    /// Seals tokens for a target.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub(super) fn seal(&self, target: &str, tokens: &Tokens) -> io::Result<Vec<u8>> {
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).map_err(|_| io::Error::other("the system gives no random bytes"))?;
        let text = serde_json::to_vec(tokens)?;
        let payload = Payload { msg: &text, aad: target.as_bytes() };
        let sealed = self.0.encrypt(XNonce::from_slice(&nonce), payload);
        let sealed = sealed.map_err(|_| io::Error::other("the tokens cannot be sealed"))?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// The tokens that were sealed for a target; `None` where they were sealed with another key, for another target,
    /// or were changed.
    pub(super) fn open(&self, target: &str, sealed: &[u8]) -> Option<Tokens> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE)?;
        let payload = Payload { msg: sealed, aad: target.as_bytes() };
        let text = self.0.decrypt(XNonce::from_slice(nonce), payload).ok()?;
        serde_json::from_slice(&text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens() -> Tokens {
        Tokens {
            access: "an access token".to_owned(),
            refresh: Some("a refresh token".to_owned()),
            older: None,
        }
    }

    #[test]
    fn what_is_sealed_shows_nothing_and_opens_for_its_own_target_with_its_own_key_alone() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let key = Key::read_or_make(&at("one.key")).unwrap();
        let mut sealed = key.seal("zoho", &tokens()).unwrap();
        assert!(!sealed.windows(6).any(|window| window == b"access" || window == b"a refr"));
        assert_ne!(sealed, key.seal("zoho", &tokens()).unwrap(), "equal tokens do not look equal");
        assert!(key.open("zoho", &sealed) == Some(tokens()));
        let again = Key::read(&at("one.key")).unwrap().unwrap();
        assert!(again.open("zoho", &sealed) == Some(tokens()));
        assert!(key.open("hubspot", &sealed).is_none());
        assert!(Key::read_or_make(&at("two.key")).unwrap().open("zoho", &sealed).is_none());
        sealed[30] ^= 1;
        assert!(key.open("zoho", &sealed).is_none());
        assert!(key.open("zoho", b"short").is_none());
    }

    #[test]
    fn whoever_makes_the_key_at_the_same_time_gets_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.key");
        let make = || Key::read_or_make(&path).unwrap().seal("zoho", &tokens()).unwrap();
        let sealed: Vec<Vec<u8>> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(make)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let key = Key::read(&path).unwrap().unwrap();
        assert!(sealed.iter().all(|sealed| key.open("zoho", sealed).is_some()));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
        fs::write(&path, "broken").unwrap();
        assert!(Key::read_or_make(&path).unwrap().open("zoho", &sealed[0]).is_none());
    }

    #[test]
    fn the_key_is_its_owners_alone_and_is_made_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.key");
        assert!(Key::read(&path).unwrap().is_none());
        Key::read_or_make(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let made = fs::read(&path).unwrap();
        Key::read_or_make(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), made);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
    }
}
