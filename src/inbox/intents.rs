//! What a message is about, by words: English, Hindi in Devanagari and in Roman script, more by configuration.
//!
//! In: the text of a message. Out: labels and the competitors it names. Whole words count, in any case and spelling;
//! what a clause refuses ("not interested in a demo", "demo nahi chahiye") is not asked for.

mod fold;
mod words;

use crate::config::Intents as Configured;
use std::collections::BTreeMap;
use wabridge_model::event::Intents;

/// The most of a text that is looked at, in bytes.
const LONGEST: usize = 16 * 1024;
/// The label of who names a competitor.
const COMPETITOR: &str = "competitor_evaluation";

/// What a phrase says.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Says {
    Label(String),
    Competitor(String),
    /// Nothing, though there are words in it that would say something by themselves.
    Nothing,
    /// No, to what follows in its clause.
    NotNext,
    /// No, to what came before in its clause.
    NotLast,
}

/// Phrases to look for.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// By their first word, the longest first.
    phrases: BTreeMap<String, Vec<(Vec<String>, Says)>>,
}

impl Rules {
    /// The words of the configuration; the built-in ones too, unless they are switched off.
    #[must_use]
    pub fn new(configured: &Configured) -> Rules {
        let mut rules = Rules::default();
        for (label, words) in words::LABELS.iter().filter(|_| configured.built_in_words) {
            rules.add(words, &Says::Label((*label).to_owned()));
        }
        for (label, words) in &configured.words {
            rules.add(words, &Says::Label(label.clone()));
        }
        for name in &configured.competitors {
            rules.add(&[name], &Says::Competitor(name.clone()));
        }
        rules.add(words::IDLE, &Says::Nothing);
        rules.add(words::REFUSES_NEXT, &Says::NotNext);
        rules.add(words::REFUSES_LAST, &Says::NotLast);
        for phrases in rules.phrases.values_mut() {
            // The same words stand together: each of their labels counts.
            phrases.sort_by(|(one, _), (other, _)| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
        }
        rules
    }

    fn add<T: AsRef<str>>(&mut self, phrases: &[T], says: &Says) {
        for phrase in phrases.iter().map(|phrase| fold::words(phrase.as_ref())) {
            if let Some(first) = phrase.first() {
                self.phrases.entry(first.clone()).or_default().push((phrase, says.clone()));
            }
        }
    }

    /// What a text is about; `None` where it is about nothing that is known.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<Intents> {
        let text = &text[..text.floor_char_boundary(LONGEST)];
        let mut found = Intents::default();
        let mut note = |list: fn(&mut Intents) -> &mut Vec<String>, what: &str| {
            let list = list(&mut found);
            if !list.iter().any(|known| known == what) {
                list.push(what.to_owned());
            }
        };
        for said in fold::clauses(text).iter().flat_map(|clause| self.clause(clause)) {
            match said {
                Says::Label(label) => note(|found| &mut found.labels, label),
                Says::Competitor(name) => {
                    note(|found| &mut found.competitors, name);
                    note(|found| &mut found.labels, COMPETITOR);
                }
                Says::Nothing | Says::NotNext | Says::NotLast => {}
            }
        }
        (found != Intents::default()).then_some(found)
    }

    /// What one clause says and does not refuse.
    fn clause(&self, clause: &[String]) -> Vec<&Says> {
        let (mut said, mut refuses, mut at) = (Vec::new(), false, 0);
        while at < clause.len() {
            let here = self.longest(&clause[at..]);
            match here.first() {
                Some((_, Says::NotNext)) => refuses = true,
                // "Nahi chahiye demo": said first, it refuses what follows.
                Some((_, Says::NotLast)) if said.is_empty() => refuses = true,
                Some((_, Says::NotLast)) => said.clear(),
                Some((_, Says::Nothing)) | None => {}
                Some(_) if refuses || is_no(clause, at) => {}
                Some(_) => said.extend(here.iter().map(|(_, says)| says)),
            }
            at += here.first().map_or(1, |(phrase, _)| phrase.len());
        }
        said
    }

    /// The longest phrases that stand at the beginning of these words: several labels may have the same.
    fn longest(&self, words: &[String]) -> &[(Vec<String>, Says)] {
        let Some(phrases) = words.first().and_then(|first| self.phrases.get(first)) else { return &[] };
        let Some(start) = phrases.iter().position(|(phrase, _)| words.starts_with(phrase)) else {
            return &[];
        };
        let (longest, _) = &phrases[start];
        let count = phrases[start..].iter().take_while(|(phrase, _)| phrase == longest).count();
        &phrases[start..start + count]
    }
}

/// Whether the word before is a plain no: "no demo please".
fn is_no(clause: &[String], at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|at| clause.get(at));
    before.is_some_and(|word| matches!(word.as_str(), "no" | "not"))
}

#[cfg(test)]
mod tests;
