//! `[consent]`: whether silence is consent.

use super::document::Table;

/// Whether silence is consent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Consent {
    /// Whether a person whose consent is withdrawn may be sent nothing at all.
    pub required: bool,
}

impl Consent {
    pub(super) fn read(mut table: Table<'_, '_>) -> Consent {
        let consent = Consent { required: table.boolean("required").unwrap_or_default() };
        table.finish(&[]);
        consent
    }
}
