//! Words by which people ask for no more messages, or for messages again.
//!
//! In: the text of a message. Out: what it asks for, if it asks for nothing else: the whole text must be such
//! words. "Please stop by our shop" stops nothing. English, and Hindi in Devanagari and in Roman script; more
//! by configuration.

use std::collections::BTreeMap;
use wabridge_model::event::Wish;

/// The title of the button that Meta offers for marketing templates, among others.
const STOP_MARKETING: &[&str] = &[
    "stop promotions",
    "stop promotion",
    "stop marketing",
    "no promotions",
    "no offers",
    "offer band karo",
    "offers band karo",
    "ऑफर बंद करो",
    "ऑफ़र बंद करें",
    "प्रमोशन बंद करें",
];

const STOP: &[&str] = &[
    "stop",
    "stop all",
    "stopall",
    "stop it",
    "please stop",
    "stop messages",
    "stop messaging me",
    "no more messages",
    "unsubscribe",
    "unsubscribe me",
    "opt out",
    "optout",
    "remove me",
    "dont message me",
    "do not message me",
    "dont contact me",
    "do not contact me",
    // Hindi, Roman script
    "band karo",
    "band kro",
    "band karen",
    "band karein",
    "band kar do",
    "message band karo",
    "msg band karo",
    "message mat karo",
    "msg mat karo",
    "message mat bhejo",
    "msg mat bhejo",
    "mat bhejo",
    "message na karen",
    "roko",
    // Hindi, Devanagari
    "बंद",
    "बंद करो",
    "बंद करें",
    "बंद कर दो",
    "बन्द करो",
    "बन्द करें",
    "मैसेज बंद करो",
    "मैसेज बंद करें",
    "संदेश बंद करें",
    "मैसेज मत करो",
    "मैसेज मत भेजो",
    "मैसेज न करें",
    "मत भेजो",
    "रोको",
    "रोकें",
    "स्टॉप",
    "अनसब्सक्राइब",
];

const START: &[&str] = &[
    "start",
    "unstop",
    "subscribe",
    "resubscribe",
    "opt in",
    "optin",
    "start messages",
    // Hindi, Roman script
    "shuru karo",
    "shuru karen",
    "chalu karo",
    "chalu karen",
    // Hindi, Devanagari
    "शुरू करो",
    "शुरू करें",
    "चालू करो",
    "चालू करें",
    "स्टार्ट",
];

/// The words to look for.
#[derive(Debug, Clone, Default)]
pub struct Wishes(BTreeMap<String, Wish>);

impl Wishes {
    /// The words of the configuration; the built-in ones too, unless they are switched off.
    #[must_use]
    pub fn new(stop: &[String], start: &[String], with_built_in: bool) -> Wishes {
        let built_in = [(STOP_MARKETING, Wish::StopMarketing), (STOP, Wish::Stop), (START, Wish::Start)];
        let built_in = built_in.into_iter().filter(|_| with_built_in);
        let built_in = built_in.flat_map(|(words, wish)| words.iter().map(move |word| (plain(word), wish)));
        let configured = stop.iter().map(|word| (plain(word), Wish::Stop));
        let configured = configured.chain(start.iter().map(|word| (plain(word), Wish::Start)));
        Wishes(built_in.chain(configured).collect())
    }

    /// What a text asks for, if for nothing else.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<Wish> {
        // Longer than any such words: not worth the work.
        if text.len() > 256 {
            return None;
        }
        self.0.get(&plain(text)).copied()
    }
}

/// A text without what says nothing: case, punctuation, emoji, spare blanks.
fn plain(text: &str) -> String {
    // The signs of Devanagari are no letters of their own, and part of its words.
    let is_word = |c: char| c.is_alphanumeric() || ('\u{0900}'..='\u{0963}').contains(&c);
    let is_within = |c: char| matches!(c, '\'' | '\u{2019}' | '\u{200c}' | '\u{200d}');
    let words: String = text
        .chars()
        .filter(|c| !is_within(*c))
        .map(|c| if is_word(c) { c } else { ' ' })
        .flat_map(char::to_lowercase)
        .collect();
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_the_whole_text_in_any_case_with_any_punctuation() {
        let wishes = Wishes::new(&[], &[], true);
        for text in
            ["STOP", "stop.", " Stop!!! ", "Please, stop", "🛑 STOP 🛑", "Don’t message me", "OPT-OUT"]
        {
            assert_eq!(wishes.find(text), Some(Wish::Stop), "{text}");
        }
        for text in ["Band karo", "message MAT karo 🙏", "बंद करो", "मैसेज मत भेजो।", "स्टॉप", "बंद कर\u{200d}ो"]
        {
            assert_eq!(wishes.find(text), Some(Wish::Stop), "{text}");
        }
        for text in ["START", "Shuru karo!", "शुरू करें"] {
            assert_eq!(wishes.find(text), Some(Wish::Start), "{text}");
        }
        assert_eq!(wishes.find("Stop promotions"), Some(Wish::StopMarketing));
        let said = "Please stop by our shop and start the work";
        for text in ["", "!", said, "when do you start", "दुकान बंद करो कब", "nonstop", "stop stop"]
        {
            assert_eq!(wishes.find(text), None, "{text}");
        }
        assert_eq!(wishes.find(&"stop ".repeat(100)), None);
    }

    #[test]
    fn configuration_adds_words_and_may_do_without_the_built_in_ones() {
        let wishes = Wishes::new(&["Nako!".to_owned()], &["Pahije".to_owned()], false);
        assert_eq!(wishes.find("nako"), Some(Wish::Stop));
        assert_eq!(wishes.find("PAHIJE."), Some(Wish::Start));
        assert_eq!(wishes.find("stop"), None);
    }
}
