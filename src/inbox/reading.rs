//! What the operator's own words make of a message's text.
//!
//! In: an event as its provider's format says it. Out: the same event, with the configured link whose code
//! the text holds, what it asks for and what it is about. It is read once, when the message is normalised, and kept
//! with the event, so that a change of configuration changes no message that came before it.

use super::intents::Rules;
use super::wishes::Wishes;
use crate::config::{Config, Consent};
use std::collections::BTreeMap;
use wabridge_model::event::{Event, Fact, Link, MessageKind};

/// The configured words to look for.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// Links by their code in lower case.
    links: BTreeMap<String, Link>,
    wishes: Wishes,
    rules: Rules,
}

impl Reading {
    /// The words of a configuration.
    #[must_use]
    pub fn new(config: &Config) -> Reading {
        let links = config.links.iter().map(|link| (link.code.to_ascii_lowercase(), link.clone()));
        let Consent { stop_words, start_words, built_in_words, .. } = &config.consent;
        Reading {
            links: links.collect(),
            wishes: Wishes::new(stop_words, start_words, *built_in_words),
            rules: Rules::new(&config.intents),
        }
    }

    /// Reads the text of a message; any other event stays as it is.
    pub fn read(&self, event: &mut Event) {
        let Fact::Message(message) = &mut event.fact else { return };
        let Some(text) = &message.text else { return };
        message.link = self.link(text).cloned().map(Box::new);
        message.wish = self.wishes.find(text);
        // A correction says again what its message said; who asks for silence asks for nothing else.
        let is_said =
            !matches!(message.kind, MessageKind::Edit | MessageKind::Revoke | MessageKind::Reaction);
        if is_said && message.wish.is_none() {
            message.intents = self.rules.find(text).map(Box::new);
        }
    }

    /// The link whose code comes first in a text, as a whole word, in any case.
    fn link(&self, text: &str) -> Option<&Link> {
        if self.links.is_empty() {
            return None;
        }
        let mut words = text.split(|c: char| !(c.is_alphanumeric() || c == '-' || c == '_'));
        // A code ends in no - or _, but a sentence or WhatsApp's _italics_ may put them around it.
        words.find_map(|word| self.links.get(&word.trim_matches(['-', '_']).to_ascii_lowercase()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_found_as_a_whole_word_in_any_case_and_the_first_one_counts() {
        let text = "[[link]]\ncode = \"IGBIO\"\n[[link]]\ncode = \"Diwali-26\"\nutm_source = \"flyer\"";
        let reading = Reading::new(&Config::parse(text, "test.toml").unwrap());
        let found = |text| reading.link(text).map(|link| link.code.as_str());
        for text in [
            "IGBIO",
            "hello, igbio!",
            "Code:Igbio.",
            "(IGBIO)",
            "_IGBIO_ *hi*",
            "नमस्ते IGBIO जी",
            "IGBIO diwali-26",
            "hi -- igbio--",
            "line\nIGBIO\n",
            "\u{200b}IGBIO\u{a0}",
        ] {
            assert_eq!(found(text), Some("IGBIO"), "{text}");
        }
        assert_eq!(found("offer DIWALI-26?"), Some("Diwali-26"));
        for text in ["", "IGBIOS", "MYIGBIO", "IGBIO2", "IGBIO-2", "diwali", "26", "ig bio", "éIGBIO"] {
            assert_eq!(found(text), None, "{text}");
        }
    }
}
