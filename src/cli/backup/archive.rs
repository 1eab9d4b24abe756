//! A backup's file: everything in one stream of age, so that nothing of it can be read or changed unseen.
//!
//! Inside the encryption: `wabridge backup 1` and a newline, the length of the manifest (four bytes, the
//! highest first), the manifest (JSON), the database. Age authenticates its header and every 64 KiB behind it,
//! and marks the last of them: a flipped byte, a cut and an addition are all refused. The manifest's size
//! and SHA-256 then say that what was packed is what was unpacked.
//!
//! <https://age-encryption.org/v1>

use age::secrecy::SecretString;
use age::{DecryptError, Decryptor, EncryptError, Encryptor, Identity, Recipient};
use data_encoding::HEXLOWER;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::{self, BufRead, Read, Seek, SeekFrom, Write};

const MAGIC: &[u8] = b"wabridge backup 1\n";
/// Far more than the manifest of any schema; what claims more is none of ours.
const LONGEST_MANIFEST: u32 = 1024 * 1024;
/// The cost of a guess at a passphrase: 2^18, about a second. The same on every machine, so that a slow
/// one restores what a fast one made.
const SCRYPT_LOG_N: u8 = 18;
const SCRYPT_LOG_N_MOST: u8 = 22;
const PIECE: usize = 64 * 1024;

/// What is in a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// The version that made it.
    pub(super) wabridge: String,
    /// The schema of the database.
    pub(super) schema_version: i64,
    /// When it was made.
    pub(super) made_at: Timestamp,
    /// The rows of every table.
    pub(super) tables: BTreeMap<String, u64>,
    /// The bytes of the database.
    pub(super) size: u64,
    /// Their SHA-256, in hexadecimal.
    pub(super) sha256: String,
}

/// For whom a backup is made.
pub(super) enum Lock {
    /// Whoever holds one of the keys to these.
    Recipients(Vec<age::x25519::Recipient>),
    /// Whoever knows this.
    Passphrase(SecretString),
}

impl Lock {
    fn recipients(&self) -> Vec<Box<dyn Recipient + '_>> {
        match self {
            Lock::Recipients(all) => {
                all.iter().map(|it| Box::new(it.clone()) as Box<dyn Recipient>).collect()
            }
            Lock::Passphrase(passphrase) => {
                let mut recipient = age::scrypt::Recipient::new(passphrase.clone());
                recipient.set_work_factor(SCRYPT_LOG_N);
                vec![Box::new(recipient)]
            }
        }
    }
}

/// What opens a backup.
pub(super) enum Key {
    /// The secret halves of keys.
    Identities(Vec<Box<dyn Identity + Send + Sync>>),
    /// A passphrase.
    Passphrase(SecretString),
}

impl Key {
    fn into_identities(self) -> Vec<Box<dyn Identity + Send + Sync>> {
        match self {
            Key::Identities(all) => all,
            Key::Passphrase(passphrase) => {
                let mut identity = age::scrypt::Identity::new(passphrase);
                identity.set_max_work_factor(SCRYPT_LOG_N_MOST);
                vec![Box::new(identity)]
            }
        }
    }
}

/// Why a backup cannot be made or opened.
#[derive(Debug, thiserror::Error)]
pub(super) enum ArchiveError {
    /// It is encrypted to other keys.
    #[error(
        "none of the keys given opens this backup; name the key file it was made for, or its passphrase file"
    )]
    WrongKey,
    /// Not the stream that was written.
    #[error("this is no whole, unchanged backup ({0}); take another copy of it, or an older backup")]
    Damaged(&'static str),
    /// The encryption cannot be set up.
    #[error("the backup cannot be encrypted: {0}")]
    Encrypt(#[from] EncryptError),
    /// A file cannot be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The size and hash of a database, read from its beginning.
pub(super) fn measure(database: &mut (impl Read + Seek)) -> io::Result<(u64, String)> {
    database.seek(SeekFrom::Start(0))?;
    let mut hasher = Hasher::new(io::sink());
    let size = io::copy(database, &mut hasher)?;
    database.seek(SeekFrom::Start(0))?;
    Ok((size, hasher.finish()))
}

/// Writes a backup of `database`.
pub(super) fn pack<W: Write>(
    lock: &Lock,
    manifest: &Manifest,
    database: &mut impl Read,
    out: W,
) -> Result<W, ArchiveError> {
    let recipients = lock.recipients();
    let encryptor = Encryptor::with_recipients(recipients.iter().map(|it| &**it as &dyn Recipient))?;
    let mut stream = encryptor.wrap_output(out)?;
    let json = serde_json::to_vec(manifest).map_err(io::Error::from)?;
    let length = u32::try_from(json.len()).ok().filter(|length| *length <= LONGEST_MANIFEST);
    let length = length.ok_or_else(|| io::Error::from(io::ErrorKind::FileTooLarge))?;
    stream.write_all(MAGIC)?;
    stream.write_all(&length.to_be_bytes())?;
    stream.write_all(&json)?;
    io::copy(database, &mut stream)?;
    Ok(stream.finish()?)
}

/// Reads a backup to its end, writes its database to `out`, and says what it holds. Whatever was written is to
/// be thrown away unless this succeeds.
pub(super) fn unpack(
    key: Key,
    archive: impl BufRead,
    out: &mut impl Write,
) -> Result<Manifest, ArchiveError> {
    let identities = key.into_identities();
    let decryptor = Decryptor::new_buffered(archive).map_err(refused)?;
    let mut stream =
        decryptor.decrypt(identities.iter().map(|it| &**it as &dyn Identity)).map_err(refused)?;
    let mut magic = [0; MAGIC.len()];
    read_exact(&mut stream, &mut magic)?;
    if magic != MAGIC {
        return Err(ArchiveError::Damaged("an age file, but none that wabridge made"));
    }
    let mut length = [0; 4];
    read_exact(&mut stream, &mut length)?;
    let length = u32::from_be_bytes(length);
    if length > LONGEST_MANIFEST {
        return Err(ArchiveError::Damaged("its manifest is too long"));
    }
    let mut json = vec![0; length as usize];
    read_exact(&mut stream, &mut json)?;
    let manifest: Manifest =
        serde_json::from_slice(&json).map_err(|_| ArchiveError::Damaged("its manifest cannot be read"))?;
    let (size, sha256) = unpack_database(&mut stream, out)?;
    if (size, &sha256) != (manifest.size, &manifest.sha256) {
        return Err(ArchiveError::Damaged("its database is not the one that was packed"));
    }
    Ok(manifest)
}

fn unpack_database(stream: &mut impl Read, out: &mut impl Write) -> Result<(u64, String), ArchiveError> {
    let mut out = Hasher::new(out);
    let (mut piece, mut size) = (vec![0; PIECE], 0);
    loop {
        let read = match stream.read(&mut piece) {
            Ok(0) => return Ok((size, out.finish())),
            Ok(read) => read,
            Err(error) => return Err(damaged(error)),
        };
        out.write_all(&piece[..read])?;
        size += read as u64;
    }
}

fn read_exact(stream: &mut impl Read, buffer: &mut [u8]) -> Result<(), ArchiveError> {
    stream.read_exact(buffer).map_err(damaged)
}

/// What the stream of age says: its own refusals have these kinds, and everything else is the disk's.
fn damaged(error: io::Error) -> ArchiveError {
    use io::ErrorKind::{InvalidData, InvalidInput, Other, UnexpectedEof};
    match error.kind() {
        UnexpectedEof => ArchiveError::Damaged("it ends too early"),
        InvalidData | InvalidInput | Other => ArchiveError::Damaged("its bytes were changed"),
        _ => ArchiveError::Io(error),
    }
}

fn refused(error: DecryptError) -> ArchiveError {
    match error {
        DecryptError::NoMatchingKeys | DecryptError::DecryptionFailed | DecryptError::KeyDecryptionFailed => {
            ArchiveError::WrongKey
        }
        DecryptError::InvalidMac => ArchiveError::Damaged("its head was changed"),
        DecryptError::Io(error) => damaged(error),
        DecryptError::UnknownFormat => ArchiveError::Damaged("of a newer age, or no age file"),
        _ => ArchiveError::Damaged("its head cannot be read"),
    }
}

/// Hashes what is written through it.
struct Hasher<W> {
    out: W,
    digest: Sha256,
}

impl<W> Hasher<W> {
    fn new(out: W) -> Hasher<W> {
        Hasher { out, digest: Sha256::new() }
    }

    fn finish(self) -> String {
        HEXLOWER.encode(&self.digest.finalize())
    }
}

impl<W: Write> Write for Hasher<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.digest.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> age::x25519::Identity {
        age::x25519::Identity::generate()
    }

    fn opens(key: &age::x25519::Identity) -> Key {
        Key::Identities(vec![Box::new(key.clone())])
    }

    fn packed(lock: &Lock, database: &[u8]) -> (Manifest, Vec<u8>) {
        let (size, sha256) = measure(&mut io::Cursor::new(database)).unwrap();
        let manifest = Manifest {
            wabridge: "1.2.3".to_owned(),
            schema_version: 1,
            made_at: "2026-11-22T12:00:00Z".parse().unwrap(),
            tables: BTreeMap::from([("requests".to_owned(), 7)]),
            size,
            sha256,
        };
        let archive = pack(lock, &manifest, &mut io::Cursor::new(database), Vec::new()).unwrap();
        (manifest, archive)
    }

    fn unpacked(key: Key, archive: &[u8]) -> Result<(Manifest, Vec<u8>), ArchiveError> {
        let mut out = Vec::new();
        unpack(key, archive, &mut out).map(|manifest| (manifest, out))
    }

    #[test]
    fn what_was_packed_comes_back_and_nothing_of_it_can_be_read_without_the_key() {
        let (key, other) = (key(), key());
        let database: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        let lock = Lock::Recipients(vec![key.to_public(), other.to_public()]);
        let (manifest, archive) = packed(&lock, &database);
        for key in [&key, &other] {
            assert_eq!(unpacked(opens(key), &archive).unwrap(), (manifest.clone(), database.clone()));
        }
        let shown = archive.windows(MAGIC.len()).any(|window| window == MAGIC);
        assert!(!shown && archive.starts_with(b"age-encryption.org/v1\n"));
        let stranger = super::tests::key();
        assert!(matches!(unpacked(opens(&stranger), &archive), Err(ArchiveError::WrongKey)));
    }

    #[test]
    fn every_flipped_byte_is_detected() {
        let key = key();
        let (_, archive) = packed(&Lock::Recipients(vec![key.to_public()]), &[7; 1024]);
        for at in 0..archive.len() {
            for flip in [0x01, 0x20, 0x80] {
                let mut changed = archive.clone();
                changed[at] ^= flip;
                let refused = unpacked(opens(&key), &changed);
                assert!(refused.is_err(), "byte {at} of {} by {flip:#x} went unseen", archive.len());
            }
        }
    }

    #[test]
    fn a_flip_in_any_piece_of_a_long_backup_and_every_cut_and_addition_is_detected() {
        let key = key();
        let (_, archive) = packed(&Lock::Recipients(vec![key.to_public()]), &[7; 3 * PIECE]);
        for at in (0..archive.len()).step_by(1009).chain(archive.len() - 40..archive.len()) {
            let mut changed = archive.clone();
            changed[at] ^= 0x10;
            assert!(unpacked(opens(&key), &changed).is_err(), "byte {at}");
            assert!(unpacked(opens(&key), &archive[..at]).is_err(), "cut at {at}");
        }
        let added = [archive.as_slice(), b"\n"].concat();
        assert!(unpacked(opens(&key), &added).is_err());
    }

    #[test]
    fn a_passphrase_opens_what_it_closed_and_another_does_not() {
        let lock = |text: &str| Lock::Passphrase(SecretString::from(text.to_owned()));
        let key = |text: &str| Key::Passphrase(SecretString::from(text.to_owned()));
        let (manifest, archive) = packed(&lock("correct horse"), b"database");
        assert_eq!(unpacked(key("correct horse"), &archive).unwrap(), (manifest, b"database".to_vec()));
        assert!(matches!(unpacked(key("battery staple"), &archive), Err(ArchiveError::WrongKey)));
    }

    #[test]
    fn an_age_file_of_somebody_else_is_no_backup() {
        let key = key();
        let recipient = key.to_public();
        let archive = age::encrypt(&recipient, b"a letter, and a long one, to whom it may concern").unwrap();
        assert!(matches!(unpacked(opens(&key), &archive), Err(ArchiveError::Damaged(_))));
    }
}
