//! `wabridge backup` and `wabridge restore`: the store in one encrypted file, and back.
//!
//! In: a store, beside a daemon or not. Out: a file that is there whole or not at all, which
//! [`archive`] describes.

mod archive;
mod restore;

pub(super) use restore::Restore;

use super::failure::{Failure, OrExit};
use super::reading::{exists, failed, now};
use crate::config::{Config, SecretReference};
use crate::exit::Exit;
use crate::store::sqlite::backup::{self, Copied};
use age::secrecy::SecretString;
use archive::{ArchiveError, Lock, Manifest};
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Write an encrypted backup of the store, beside a running daemon
///
/// It holds everything: conversations, leads, hashes of API tokens, but no secret of the configuration.
/// FILE appears when it is whole. While it is made, a copy of the store lies beside the store. Exits 65 when
/// FILE is there already, 75 while another backup is made.
#[derive(Debug, clap::Args)]
pub(super) struct Backup {
    /// The file to write
    file: PathBuf,
    /// A public key of age that opens it, several times for more; those of [backup] in the configuration otherwise
    #[arg(long = "recipient", value_name = "age1...", value_parser = recipient)]
    recipients: Vec<age::x25519::Recipient>,
    /// A file with a passphrase that opens it, instead of keys
    #[arg(long, value_name = "FILE", conflicts_with = "recipients")]
    passphrase_file: Option<PathBuf>,
}

fn recipient(text: &str) -> Result<age::x25519::Recipient, &'static str> {
    // Not repeated by us: it may be the secret half.
    text.parse().map_err(|_| "not a public key of age; it begins with age1")
}

impl Backup {
    pub(super) fn run(self, config: &Config, out: &mut impl Write) -> Result<Exit, Failure> {
        let Some(path) = config.store.file() else {
            let text = format!(
                "{} is backed up with PostgreSQL's own tools: pg_dump for a copy, an archive of its log for every moment",
                config.store
            );
            return Err(Failure::new(Exit::Usage, text));
        };
        exists(&config.store)?;
        let lock = self.lock(config)?;
        let place = Place::new(&self.file)?;
        let copied = backup::copy(path).map_err(|error| failed(&config.store, error))?;
        let Copied { file: mut database, schema_version, tables } = copied;
        let (size, sha256) = archive::measure(&mut database)?;
        let manifest = Manifest {
            wabridge: env!("CARGO_PKG_VERSION").to_owned(),
            schema_version,
            made_at: now(),
            tables,
            size,
            sha256,
        };
        let (part, file) = place.open()?;
        let written = archive::pack(&lock, &manifest, &mut database, BufWriter::new(file));
        let file = written.map_err(refused)?.into_inner().map_err(io::IntoInnerError::into_error)?;
        part.keep(&file)?;
        writeln!(out, "{} is written.", self.file.display())?;
        show(&manifest, out)?;
        let key =
            if self.passphrase_file.is_some() { "--passphrase-file FILE" } else { "--identity KEY-FILE" };
        writeln!(out, "Try it: wabridge restore '{}' --to NEW-PATH {key}", self.file.display())?;
        Ok(Exit::Success)
    }

    /// Never without one: a backup holds what people wrote.
    fn lock(&self, config: &Config) -> Result<Lock, Failure> {
        if let Some(path) = &self.passphrase_file {
            return secret(path).map(Lock::Passphrase);
        }
        let configured = config.backup.recipients.iter().filter_map(|text| text.parse().ok());
        let recipients = match self.recipients.as_slice() {
            [] => configured.collect(),
            given => given.to_vec(),
        };
        if recipients.is_empty() {
            let text = "a backup is written encrypted or not at all: make a key with age-keygen, keep its file \
                        elsewhere, and name its public half with --recipient age1... or in [backup] recipients; \
                        or name a --passphrase-file";
            return Err(Failure::new(Exit::Usage, text));
        }
        Ok(Lock::Recipients(recipients))
    }
}

/// Reads a secret's file, unless others can.
fn secret(path: &Path) -> Result<SecretString, Failure> {
    let resolved = SecretReference::File(path.to_owned()).resolve();
    resolved.map_err(|fault| Failure::new(Exit::Data, format!("{} {fault}", path.display())))
}

fn refused(error: ArchiveError) -> Failure {
    let exit = match &error {
        ArchiveError::WrongKey | ArchiveError::Damaged(_) => Exit::Data,
        ArchiveError::Encrypt(_) => Exit::Internal,
        ArchiveError::Io(error) => Exit::of_io(error),
    };
    Failure::of(exit, error)
}

/// What a backup holds, a line each.
fn show(manifest: &Manifest, out: &mut impl Write) -> io::Result<()> {
    let Manifest { wabridge, schema_version, made_at, tables, size, sha256 } = manifest;
    writeln!(out, "  made at  {made_at} by wabridge {wabridge}, schema {schema_version}")?;
    writeln!(out, "  database {size} bytes, SHA-256 {sha256}")?;
    let rows: Vec<String> = tables.iter().map(|(name, rows)| format!("{name} {rows}")).collect();
    writeln!(out, "  rows     {}", rows.join(", "))
}

/// A file that is to appear whole.
struct Place<'a>(&'a Path);

/// A file on its way there; it is removed unless it is kept.
struct Part<'a> {
    path: PathBuf,
    place: &'a Path,
    kept: bool,
}

impl<'a> Place<'a> {
    /// Refuses a name that is taken.
    fn new(path: &'a Path) -> Result<Place<'a>, Failure> {
        match path.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Place(path)),
            Err(error) => Err(Failure::new(Exit::of_io(&error), format!("{}: {error}", path.display()))),
            Ok(_) => {
                let text = format!(
                    "{} is there already and is not overwritten; choose another name",
                    path.display()
                );
                Err(Failure::new(Exit::Data, text))
            }
        }
    }

    /// Makes the file under another name beside it, closed to others.
    fn open(&self) -> Result<(Part<'a>, File), Failure> {
        let mut name = self.0.as_os_str().to_owned();
        name.push(format!(".part-{}", std::process::id()));
        let path = PathBuf::from(name);
        let mut options = OpenOptions::new();
        let opened = options.read(true).write(true).create_new(true).mode(0o600).open(&path);
        let file = opened.map_err(|error| {
            Failure::new(Exit::of_io(&error), format!("{} cannot be written: {error}", path.display()))
        })?;
        Ok((Part { path, place: self.0, kept: false }, file))
    }
}

impl Part<'_> {
    /// Gives it its name once it is on the disk.
    fn keep(mut self, file: &File) -> Result<(), Failure> {
        file.sync_all().or_exit(Exit::Io)?;
        Place::new(self.place)?;
        std::fs::rename(&self.path, self.place)?;
        self.kept = true;
        let folder = self.place.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
        Ok(())
    }
}

impl Drop for Part<'_> {
    fn drop(&mut self) {
        if !self.kept {
            // Nothing more can be done about a disk that does not even remove.
            drop(std::fs::remove_file(&self.path));
        }
    }
}
