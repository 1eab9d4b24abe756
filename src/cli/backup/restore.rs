//! `wabridge restore`: a backup back into a database, examined before it gets its name.

use super::archive::{self, Key, Manifest};
use super::{Place, refused, secret, show};
use crate::cli::failure::Failure;
use crate::cli::reading::failed;
use crate::config::Store;
use crate::exit::Exit;
use crate::store::sqlite::backup::{self, Contents};
use age::IdentityFile;
use age::secrecy::ExposeSecret;
use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Restore a backup into a new database
///
/// Every byte, page and count is checked before the database gets its name; a running daemon and its store are
/// not touched. Exits 65 when the backup is damaged, the key is another one, or PATH is there already.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("key").required(true)))]
pub(in crate::cli) struct Restore {
    /// The backup
    file: PathBuf,
    /// Where the database is to be
    #[arg(long, value_name = "PATH")]
    to: PathBuf,
    /// The key file that opens it, as age-keygen writes it
    #[arg(long, value_name = "FILE", group = "key")]
    identity: Option<PathBuf>,
    /// A file with the passphrase that opens it
    #[arg(long, value_name = "FILE", group = "key")]
    passphrase_file: Option<PathBuf>,
}

impl Restore {
    pub(in crate::cli) fn run(self, out: &mut impl Write) -> Result<Exit, Failure> {
        let key = self.key()?;
        let place = Place::new(&self.to)?;
        // A log that was left there would be read as the new database's own.
        let logs = ["-wal", "-shm"].map(|suffix| {
            let mut name = self.to.as_os_str().to_owned();
            name.push(suffix);
            PathBuf::from(name)
        });
        logs.iter().try_for_each(|log| Place::new(log).map(drop))?;
        let shown = self.file.display();
        let archive = File::open(&self.file)
            .map_err(|error| Failure::new(Exit::of_io(&error), format!("{shown} cannot be read: {error}")))?;
        let (part, file) = place.open()?;
        let mut writer = BufWriter::new(file);
        let manifest = archive::unpack(key, BufReader::new(archive), &mut writer).map_err(refused)?;
        let file = writer.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        examine(&part.path, &manifest)?;
        part.keep(&file)?;
        let to = std::path::absolute(&self.to)?;
        let to = to.display();
        writeln!(out, "{shown} is restored, whole and unchanged, to {to}.")?;
        show(&manifest, out)?;
        writeln!(
            out,
            "Next: stop the daemon, set url = \"sqlite:{to}\" in [store], and start it again as the user"
        )?;
        writeln!(out, "that owns the file. What arrived after the backup was made is not in it.")?;
        Ok(Exit::Success)
    }

    fn key(&self) -> Result<Key, Failure> {
        if let Some(path) = &self.passphrase_file {
            return secret(path).map(Key::Passphrase);
        }
        let Some(path) = &self.identity else {
            return Err(Failure::new(Exit::Usage, "name the key with --identity or --passphrase-file"));
        };
        let text = secret(path)?;
        let keys = IdentityFile::from_buffer(text.expose_secret().as_bytes()).ok();
        let keys = keys.and_then(|keys| keys.into_identities().ok()).filter(|keys| !keys.is_empty());
        let wrong = || {
            let text = format!("{} holds no key of age; name the file that age-keygen wrote", path.display());
            Failure::new(Exit::Data, text)
        };
        keys.map(Key::Identities).ok_or_else(wrong)
    }
}

/// Whether the database is whole and holds what the manifest says.
fn examine(path: &Path, manifest: &Manifest) -> Result<(), Failure> {
    let Contents { schema_version, tables } =
        backup::examine(path).map_err(|error| failed(&Store::new(path), error))?;
    if (schema_version, &tables) == (manifest.schema_version, &manifest.tables) {
        return Ok(());
    }
    let text =
        "the database does not hold what the backup's manifest says; take an older backup, and report this";
    Err(Failure::new(Exit::Data, text))
}
