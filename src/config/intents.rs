//! `[intents]`: words that say what a message is about, beside the built-in ones.

use super::document::Table;
use super::nearest;
use std::collections::BTreeMap;

/// The labels that have built-in words.
pub const INTENTS: &[&str] = &[
    "pricing",
    "demo_request",
    "competitor_evaluation",
    "support",
    "escalation",
    "callback",
    "availability",
];

/// Words that say what a message is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intents {
    /// Words by label, beside the built-in ones.
    pub words: BTreeMap<String, Vec<String>>,
    /// Names of competitors.
    pub competitors: Vec<String>,
    /// Whether the built-in words count.
    pub built_in_words: bool,
}

impl Default for Intents {
    fn default() -> Intents {
        Intents { words: BTreeMap::new(), competitors: Vec::new(), built_in_words: true }
    }
}

impl Intents {
    pub(super) fn read(mut table: Table<'_, '_>) -> Intents {
        let built_in_words = table.boolean("built_in_words").unwrap_or(true);
        let competitors = table.strings("competitors").unwrap_or_default();
        let competitors = table.words("competitors", competitors);
        let mut intents = Intents { words: BTreeMap::new(), competitors, built_in_words };
        for label in INTENTS {
            if let Some(list) = table.strings(label) {
                intents.words.insert((*label).to_owned(), table.words(label, list));
            }
        }
        for (label, list) in table.own_lists() {
            if let Some(message) = unfit(label.value) {
                table.problem_at(label.at, message);
                continue;
            }
            intents.words.insert(label.value.to_owned(), table.words(label.value, list));
        }
        intents
    }
}

/// What is wrong with a label: a slip in a known one would be another one in silence.
fn unfit(label: &str) -> Option<String> {
    let known = INTENTS.iter().copied().chain(["built_in_words", "competitors"]);
    if let Some(near) = nearest(label, known) {
        return Some(format!(
            "unknown key '{label}' in [intents]; did you mean '{near}'? A label of your own must differ more"
        ));
    }
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let fits = (1..=40).contains(&label.len()) && label.chars().all(is_plain);
    (!fits).then(|| {
        format!("label '{label}' in [intents] must be 1 to 40 of a-z, 0-9 and _; write it as bulk_order")
    })
}
