//! `[consent]`: whether silence is consent, and the words by which people withdraw from messages.

use super::document::Table;

/// Whether silence is consent, and the words by which people withdraw from messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// Whether a person whose consent is withdrawn may be sent nothing at all.
    pub required: bool,
    /// Words, beside the built-in ones, that ask for no more messages when they are all of a message.
    pub stop_words: Vec<String>,
    /// Words that ask for messages again.
    pub start_words: Vec<String>,
    /// Whether the built-in words count.
    pub built_in_words: bool,
}

impl Default for Consent {
    fn default() -> Consent {
        Consent { required: false, stop_words: Vec::new(), start_words: Vec::new(), built_in_words: true }
    }
}

impl Consent {
    pub(super) fn read(mut table: Table<'_, '_>) -> Consent {
        let consent = Consent {
            required: table.boolean("required").unwrap_or_default(),
            stop_words: words(&mut table, "stop_words"),
            start_words: words(&mut table, "start_words"),
            built_in_words: table.boolean("built_in_words").unwrap_or(true),
        };
        table.finish(&[]);
        consent
    }
}

fn words(table: &mut Table<'_, '_>, key: &'static str) -> Vec<String> {
    let found = table.strings(key).unwrap_or_default();
    table.words(key, found)
}
