//! What a message is about, by words: English, Hindi in Devanagari and in Roman script, more by configuration.
//!
//! In: the text of a message. Out: labels and the competitors it names. Whole words count, in any case and spelling;
//! what a clause refuses ("not interested in a demo", "demo nahi chahiye") is not asked for.

mod fold;
mod words;

use crate::config::Intents as Configured;
use std::collections::{BTreeMap, HashMap};
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

/// A phrase as the numbers of its words, and what it says.
type Phrase = (Vec<u32>, Says);

/// The number of every word that no phrase has.
const UNKNOWN: u32 = 0;

/// Phrases to look for.
///
/// Words are numbered when the configuration is read, so that a message costs one look-up for each of its words.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// The number of each word of any phrase, under every spelling of it.
    numbers: HashMap<String, u32>,
    /// By the number of their first word, the longest first.
    phrases: Vec<Vec<Phrase>>,
    /// Words that begin another clause.
    turns: Vec<u32>,
    /// "No" and "not".
    noes: Vec<u32>,
}

impl Rules {
    /// The words of the configuration; the built-in ones too, unless they are switched off.
    #[must_use]
    pub fn new(configured: &Configured) -> Rules {
        let mut rules = Draft::default();
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
        rules.finish()
    }

    /// What a text is about; `None` where it is about nothing that is known.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<Intents> {
        let text = &text[..text.floor_char_boundary(LONGEST)];
        let mut found = Intents::default();
        let mut clause = Vec::new();
        for part in fold::parts(text) {
            fold::each_word(part, |word| {
                let word = self.numbers.get(word).copied().unwrap_or(UNKNOWN);
                if self.turns.contains(&word) {
                    self.note(&mut clause, &mut found);
                }
                clause.push(word);
            });
            self.note(&mut clause, &mut found);
        }
        (found != Intents::default()).then_some(found)
    }

    /// Notes what a clause says, and begins another.
    fn note(&self, clause: &mut Vec<u32>, found: &mut Intents) {
        let mut note = |list: fn(&mut Intents) -> &mut Vec<String>, what: &str| {
            let list = list(found);
            if !list.iter().any(|known| known == what) {
                list.push(what.to_owned());
            }
        };
        for said in self.clause(clause) {
            match said {
                Says::Label(label) => note(|found| &mut found.labels, label),
                Says::Competitor(name) => {
                    note(|found| &mut found.competitors, name);
                    note(|found| &mut found.labels, COMPETITOR);
                }
                Says::Nothing | Says::NotNext | Says::NotLast => {}
            }
        }
        clause.clear();
    }

    /// What one clause says and does not refuse.
    fn clause(&self, clause: &[u32]) -> Vec<&Says> {
        let (mut said, mut refuses, mut at) = (Vec::new(), false, 0);
        while at < clause.len() {
            let here = self.longest(&clause[at..]);
            match here.first() {
                Some((_, Says::NotNext)) => refuses = true,
                // "Nahi chahiye demo": said first, it refuses what follows.
                Some((_, Says::NotLast)) if said.is_empty() => refuses = true,
                Some((_, Says::NotLast)) => said.clear(),
                Some((_, Says::Nothing)) | None => {}
                Some(_) if refuses || self.is_no(clause, at) => {}
                Some(_) => said.extend(here.iter().map(|(_, says)| says)),
            }
            at += here.first().map_or(1, |(phrase, _)| phrase.len());
        }
        said
    }

    /// The longest phrases that stand at the beginning of these words: several labels may have the same.
    fn longest(&self, words: &[u32]) -> &[Phrase] {
        let first = words.first().and_then(|first| usize::try_from(*first).ok());
        let Some(phrases) = first.and_then(|first| self.phrases.get(first)) else { return &[] };
        let Some(start) = phrases.iter().position(|(phrase, _)| words.starts_with(phrase)) else {
            return &[];
        };
        let (longest, _) = &phrases[start];
        let count = phrases[start..].iter().take_while(|(phrase, _)| phrase == longest).count();
        &phrases[start..start + count]
    }

    /// Whether the word before is a plain no: "no demo please".
    fn is_no(&self, clause: &[u32], at: usize) -> bool {
        let before = at.checked_sub(1).and_then(|at| clause.get(at));
        before.is_some_and(|word| self.noes.contains(word))
    }
}

/// Rules in the making.
struct Draft {
    spellings: BTreeMap<String, String>,
    /// The number of each word, under the spelling that stands for all.
    numbers: BTreeMap<String, u32>,
    phrases: Vec<Vec<Phrase>>,
}

impl Default for Draft {
    fn default() -> Draft {
        // The first list is that of unknown words, which begin no phrase.
        Draft { spellings: fold::spellings(), numbers: BTreeMap::new(), phrases: vec![Vec::new()] }
    }
}

impl Draft {
    fn add<T: AsRef<str>>(&mut self, phrases: &[T], says: &Says) {
        for phrase in phrases {
            let words: Vec<u32> =
                fold::words(phrase.as_ref()).into_iter().map(|word| self.number(word)).collect();
            if let Some(first) = words.first() {
                self.phrases[*first as usize].push((words, says.clone()));
            }
        }
    }

    /// The number of a word.
    fn number(&mut self, word: String) -> u32 {
        let word = self.spellings.get(&word).cloned().unwrap_or(word);
        let phrases = &mut self.phrases;
        *self.numbers.entry(word).or_insert_with(|| {
            phrases.push(Vec::new());
            u32::try_from(phrases.len() - 1).expect("a configuration has fewer words")
        })
    }

    fn finish(mut self) -> Rules {
        let turns = fold::turns().into_iter().map(|word| self.number(word)).collect();
        let noes = ["no", "not"].map(|word| self.number(word.to_owned())).to_vec();
        for phrases in &mut self.phrases {
            // The same words stand together: each of their labels counts.
            phrases.sort_by(|(one, _), (other, _)| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
        }
        let spelt = self.spellings.iter();
        let spelt = spelt.filter_map(|(spelt, one)| Some((spelt.clone(), *self.numbers.get(one)?)));
        let mut numbers: HashMap<String, u32> = spelt.collect();
        // What another spelling stands for is that word wherever it is read.
        numbers.extend(self.numbers.into_iter().filter(|(word, _)| !self.spellings.contains_key(word)));
        Rules { numbers, phrases: self.phrases, turns, noes }
    }
}

#[cfg(test)]
mod tests;
