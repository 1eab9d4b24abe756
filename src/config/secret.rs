//! References to secrets, and how they become secrets: never in the file itself, never from a file that
//! others can read, never repeated in an error.

use secrecy::{ExposeSecret, SecretString};
use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// More than any secret needs, and too little to fill the memory from a wrong path.
const LONGEST: u64 = 64 * 1024;

/// Where systemd puts what `LoadCredential=` names.
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// Where a secret is.
#[derive(Debug, Clone)]
pub enum SecretReference {
    /// `env:NAME`: an environment variable.
    Environment(String),
    /// `file:/path`: a file that only its owner can read.
    File(PathBuf),
    /// `credential:name`: a systemd credential.
    Credential(String),
    /// Held by the program itself, for tests and the demo: no configuration file can say this.
    Held(SecretString),
}

/// Why a reference gives no secret: whose, which, and the way out.
#[derive(Debug, thiserror::Error)]
#[error("{owner}: {key} ({reference}) {fault}")]
pub struct SecretError {
    /// Whose it is: `channel 'main'`.
    pub owner: String,
    /// The key, with the place in its list: `app_secrets[0]`.
    pub key: String,
    /// The reference, as configured.
    pub reference: String,
    /// What is wrong with it.
    pub fault: SecretFault,
}

/// Every secret that could not be resolved.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.iter().map(SecretError::to_string).collect::<Vec<_>>().join("\n"))]
pub struct SecretErrors(pub Vec<SecretError>);

/// What is wrong with a secret, and the way out.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretFault {
    /// The variable is not there.
    #[error("is not set; set it in the daemon's environment (EnvironmentFile= of the unit)")]
    Unset,
    /// No credentials were handed over.
    #[error("needs systemd; add LoadCredential={0}:/path to the unit")]
    NoCredentials(String),
    /// The file cannot be read.
    #[error("cannot be read ({0}); check that it is there and that the daemon's user owns it")]
    Unreadable(std::io::ErrorKind),
    /// The path names a folder or a device.
    #[error("is not a file; name the file itself")]
    NotAFile,
    /// Others than its owner can read the file.
    #[error("can be read by others (mode {mode:04o}); run chmod 600 '{path}'", path = .path.display())]
    Exposed {
        /// Its mode.
        mode: u32,
        /// Its path.
        path: PathBuf,
    },
    /// Longer than any secret.
    #[error("is longer than 64 KiB: not a secret; check the path")]
    TooLong,
    /// Not a text.
    #[error("is not UTF-8; write the secret as text")]
    NotText,
    /// Nothing in it.
    #[error("is empty; put the secret in it")]
    Empty,
    /// Not a secret of its provider's form.
    #[error("{0}")]
    Unfit(&'static str),
}

impl SecretReference {
    /// Reads a reference. A text that is none may be a secret, so no error repeats it.
    ///
    /// # Errors
    /// What to write instead.
    pub fn parse(text: &str) -> Result<SecretReference, &'static str> {
        let Some((kind, name)) = text.split_once(':') else { return Err(NOT_A_REFERENCE) };
        match kind {
            "env" if is_variable(name) => Ok(SecretReference::Environment(name.to_owned())),
            "env" => Err("names no environment variable; write env:NAME, of letters, digits and _"),
            "file" if name.starts_with('/') => Ok(SecretReference::File(PathBuf::from(name))),
            "file" => Err("needs an absolute path; write file:/path"),
            "credential" if is_file_name(name) => Ok(SecretReference::Credential(name.to_owned())),
            "credential" => Err("names no credential; write credential:name, without a path"),
            _ => Err(NOT_A_REFERENCE),
        }
    }

    /// Fetches the secret from this process's environment or the disk.
    ///
    /// # Errors
    /// [`SecretFault`], which never repeats the secret.
    pub fn resolve(&self) -> Result<SecretString, SecretFault> {
        self.resolve_in(|name| std::env::var_os(name))
    }

    fn resolve_in(&self, variable: impl Fn(&str) -> Option<OsString>) -> Result<SecretString, SecretFault> {
        let text = match self {
            SecretReference::Held(secret) => secret.expose_secret().to_owned(),
            SecretReference::Environment(name) => {
                variable(name).ok_or(SecretFault::Unset)?.into_string().map_err(|_| SecretFault::NotText)?
            }
            SecretReference::File(path) => read(path, 0o077)?,
            SecretReference::Credential(name) => {
                let folder = variable(CREDENTIALS).ok_or_else(|| SecretFault::NoCredentials(name.clone()))?;
                // systemd grants the service's user its credentials by an ACL, which shows as group bits;
                // the folder itself is closed to everyone else.
                read(&Path::new(&folder).join(name), 0o007)?
            }
        };
        // Editors and `echo` end a file with a newline that is no part of the secret.
        let secret = text.trim_end_matches(['\r', '\n']);
        if secret.is_empty() { Err(SecretFault::Empty) } else { Ok(SecretString::from(secret)) }
    }
}

const NOT_A_REFERENCE: &str =
    "is not a reference; secrets do not belong in this file: write env:NAME, file:/path or credential:name";

impl fmt::Display for SecretReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SecretReference::Environment(name) => write!(f, "env:{name}"),
            SecretReference::File(path) => write!(f, "file:{}", path.display()),
            SecretReference::Credential(name) => write!(f, "credential:{name}"),
            SecretReference::Held(_) => f.write_str("held by the program"),
        }
    }
}

fn is_variable(name: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !name.is_empty() && name.chars().all(word) && !name.starts_with(|c: char| c.is_ascii_digit())
}

fn is_file_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(['/', '\0'])
}

/// Reads a secret's file, unless its mode gives any of the `forbidden` bits.
fn read(path: &Path, forbidden: u32) -> Result<String, SecretFault> {
    let unreadable = |error: std::io::Error| SecretFault::Unreadable(error.kind());
    // Before opening: to open a pipe would wait for its writer.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(SecretFault::NotAFile);
    }
    let file = File::open(path).map_err(unreadable)?;
    // Of the open file, which nobody can swap between the check and the reading.
    let metadata = file.metadata().map_err(unreadable)?;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & forbidden != 0 {
        return Err(SecretFault::Exposed { mode, path: path.to_owned() });
    }
    if metadata.len() > LONGEST {
        return Err(SecretFault::TooLong);
    }
    let mut bytes = Vec::new();
    file.take(LONGEST).read_to_end(&mut bytes).map_err(unreadable)?;
    String::from_utf8(bytes).map_err(|_| SecretFault::NotText)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};

    fn file(contents: &[u8], mode: u32) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        fs::write(&path, contents).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        (folder, path)
    }

    fn resolved(reference: &SecretReference) -> Result<String, SecretFault> {
        let nothing = |_: &str| None;
        reference.resolve_in(nothing).map(|secret| secret.expose_secret().to_owned())
    }

    #[test]
    fn a_file_that_anybody_but_its_owner_can_read_or_write_is_refused() {
        for mode in [0o604, 0o640, 0o620, 0o644, 0o666, 0o777, 0o601] {
            let (_folder, path) = file(b"hush", mode);
            let expected = SecretFault::Exposed { mode, path: path.clone() };
            assert_eq!(resolved(&SecretReference::File(path)), Err(expected), "{mode:04o}");
        }
    }

    #[test]
    fn a_file_of_its_owner_alone_gives_its_secret() {
        for mode in [0o400, 0o600, 0o700] {
            let (_folder, path) = file(b"hush", mode);
            assert_eq!(resolved(&SecretReference::File(path)).as_deref(), Ok("hush"), "{mode:04o}");
        }
    }

    #[test]
    fn the_newline_an_editor_adds_is_no_part_of_the_secret() {
        for contents in ["hush\n", "hush\r\n", "hush"] {
            let (_folder, path) = file(contents.as_bytes(), 0o600);
            assert_eq!(resolved(&SecretReference::File(path)).as_deref(), Ok("hush"), "{contents:?}");
        }
    }

    #[test]
    fn what_is_no_secret_is_refused() {
        let too_long = vec![b'x'; 64 * 1024 + 1];
        let table: [(&[u8], SecretFault); 4] = [
            (b"", SecretFault::Empty),
            (b"\n", SecretFault::Empty),
            (b"\xff\xfe", SecretFault::NotText),
            (&too_long, SecretFault::TooLong),
        ];
        for (contents, fault) in table {
            let (_folder, path) = file(contents, 0o600);
            assert_eq!(resolved(&SecretReference::File(path)), Err(fault));
        }
    }

    #[test]
    fn a_folder_or_a_missing_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let missing = SecretReference::File(folder.path().join("none"));
        assert_eq!(resolved(&missing), Err(SecretFault::Unreadable(std::io::ErrorKind::NotFound)));
        assert_eq!(resolved(&SecretReference::File(folder.path().into())), Err(SecretFault::NotAFile));
    }

    #[test]
    fn a_variable_gives_its_value_and_an_unset_or_empty_one_does_not() {
        let environment = |name: &str| match name {
            "FULL" => Some("hush".into()),
            "EMPTY" => Some(OsString::new()),
            _ => None,
        };
        let resolve = |name: &str| SecretReference::Environment(name.to_owned()).resolve_in(environment);
        assert_eq!(resolve("FULL").unwrap().expose_secret(), "hush");
        assert_eq!(resolve("EMPTY").unwrap_err(), SecretFault::Empty);
        assert_eq!(resolve("NONE").unwrap_err(), SecretFault::Unset);
    }

    #[test]
    fn a_credential_lies_in_the_folder_that_systemd_names() {
        let (folder, _) = file(b"hush", 0o440);
        let reference = SecretReference::Credential("secret".to_owned());
        let secret = reference.resolve_in(|_| Some(folder.path().into())).unwrap();
        assert_eq!(secret.expose_secret(), "hush");
        assert_eq!(resolved(&reference), Err(SecretFault::NoCredentials("secret".to_owned())));
    }

    #[test]
    fn a_literal_secret_is_refused_and_not_repeated() {
        for text in ["EAAGm0PX4ZCpsBO", "whsec_c2VjcmV0", "pass:word", "env:p@ssw0rd", "file:hunter2"] {
            let message = SecretReference::parse(text).unwrap_err();
            let secret = text.rsplit(':').next().unwrap();
            assert!(message.contains("write ") && !message.contains(secret), "{message}");
        }
    }

    #[test]
    fn a_reference_that_names_nothing_is_refused() {
        for text in ["", "env:", "env:1A", "file:", "credential:", "credential:..", "credential:a/b"] {
            assert!(SecretReference::parse(text).unwrap_err().contains("write "), "{text}");
        }
    }
}
