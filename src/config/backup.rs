//! `[backup]`: who can read the backups.

use super::document::{Found, Table};
use age::x25519::Recipient;

/// Who can read the backups.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Backup {
    /// The public keys that backups are encrypted to, each known to be one.
    pub recipients: Vec<String>,
}

impl Backup {
    pub(super) fn read(mut table: Table<'_, '_>) -> Backup {
        let found = table.strings("recipients").unwrap_or_default();
        let recipients = found.into_iter().filter_map(|found| recipient(&table, found)).collect();
        table.finish(&[]);
        Backup { recipients }
    }
}

/// Never repeats the value: it may be the secret half of a key.
fn recipient(table: &Table<'_, '_>, Found { value, at }: Found<&str>) -> Option<String> {
    if value.parse::<Recipient>().is_err() {
        let message = format!(
            "'recipients' in {} holds what is no public key of age; write the line that begins with age1 of what age-keygen prints",
            table.label
        );
        table.problem_at(at, message);
        return None;
    }
    Some(value.to_owned())
}
