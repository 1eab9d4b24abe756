//! Spelling folded to one form: case, script variants, doubled letters, nukta and length of vowels.
//!
//! In: a text. Out: its parts and their words. Two spellings that people use for one word give one form; what rules do
//! not cover is listed (`spellings`).

use super::words::{SPELLINGS, TURNS};
use std::collections::BTreeMap;
use unicode_normalization::UnicodeNormalization;

/// Spellings as they are folded, each with the one that it stands for.
pub(super) fn spellings() -> BTreeMap<String, String> {
    let pair = |(one, others): &(&str, &'static [&'static str])| {
        let one = one_word(one);
        others.iter().map(move |other| (one_word(other), one.clone())).collect::<Vec<_>>()
    };
    SPELLINGS.iter().flat_map(pair).collect()
}

/// The words that begin another clause.
pub(super) fn turns() -> Vec<String> {
    TURNS.iter().flat_map(|word| words(word)).collect()
}

/// What a text is cut into at its punctuation.
pub(super) fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split(['.', '!', '?', ',', ';', '\n', '।', '॥', '؟', '？', '，'])
}

/// The words of a text, folded.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    each_word(text, |word| words.push(word.to_owned()));
    words
}

/// Hands over the words of a text, folded, one after the other.
///
/// Messages are read one and all, and most of them are in plain letters, so those are folded byte by byte. Nothing that
/// is folded reaches over a blank.
pub(super) fn each_word(text: &str, mut each: impl FnMut(&str)) {
    let mut word = Word::default();
    for piece in text.split_ascii_whitespace() {
        if piece.is_ascii() {
            plain_words(piece, &mut word.text, &mut each);
        } else {
            word.read(piece, &mut each);
        }
    }
}

/// Folds what has no letters but a to z.
fn plain_words(piece: &str, word: &mut String, each: &mut impl FnMut(&str)) {
    word.clear();
    for byte in piece.bytes() {
        match byte {
            b'\'' => {}
            b'a'..=b'z' | b'A'..=b'Z' => {
                let letter = byte.to_ascii_lowercase();
                if word.as_bytes().last() != Some(&letter) {
                    word.push(char::from(letter));
                }
            }
            b'0'..=b'9' => word.push(char::from(byte)),
            _ if word.is_empty() => {}
            _ => {
                each(word);
                word.clear();
            }
        }
    }
    if !word.is_empty() {
        each(word);
    }
}

/// The word that is being read.
#[derive(Default)]
struct Word {
    letters: Vec<char>,
    text: String,
}

impl Word {
    /// Folds what has any letters.
    fn read(&mut self, piece: &str, each: &mut impl FnMut(&str)) {
        let is_within = |c: &char| matches!(c, '\'' | '\u{2019}' | '\u{200c}' | '\u{200d}');
        // Decomposed, so that a nukta or an accent is a sign of its own; bold letters and full-width ones are plain.
        let plain = piece.nfkd().filter(|c| !is_within(c) && !is_accent(*c)).flat_map(char::to_lowercase);
        for c in plain {
            if c.is_alphanumeric() || ('\u{0900}'..='\u{0963}').contains(&c) {
                add(&mut self.letters, c);
            } else {
                self.end(each);
            }
        }
        self.end(each);
    }

    fn end(&mut self, each: &mut impl FnMut(&str)) {
        if !self.letters.is_empty() {
            end(&mut self.letters);
            self.text.clear();
            self.text.extend(self.letters.drain(..));
            each(&self.text);
        }
    }
}

fn is_accent(c: char) -> bool {
    // The Latin accents, and the nukta.
    ('\u{0300}'..='\u{036F}').contains(&c) || c == '\u{093C}'
}

/// One word, folded.
fn one_word(word: &str) -> String {
    let mut folded = Vec::with_capacity(word.len());
    word.chars().for_each(|c| add(&mut folded, c));
    end(&mut folded);
    folded.into_iter().collect()
}

/// Adds a letter to a word: letters that are doubled in Roman script, signs that are interchanged in Devanagari.
fn add(folded: &mut Vec<char>, c: char) {
    let c = match c {
        'ी' => 'ि',
        'ू' => 'ु',
        'ई' => 'इ',
        'ऊ' => 'उ',
        'ँ' => 'ं',
        '०'..='९' => char::from_u32(u32::from(c) - 0x0966 + u32::from('0')).unwrap_or(c),
        c => c,
    };
    match (folded.as_slice(), c) {
        ([.., last], c) if *last == c && c.is_ascii_alphabetic() => {}
        // चाहिये, गयी: also written चाहिए, गई.
        ([.., 'य'], 'े') => replace_last(folded, 1, 'ए'),
        ([.., 'य'], 'ि') => replace_last(folded, 1, 'इ'),
        // बन्द: also written बंद.
        ([.., 'ङ' | 'ञ' | 'ण' | 'न' | 'म', '्'], 'क'..='ह') => {
            replace_last(folded, 2, 'ं');
            folded.push(c);
        }
        _ => folded.push(c),
    }
}

/// Ends a word: नहीं and नही, करें and करे.
fn end(folded: &mut Vec<char>) {
    if folded.len() > 1 && folded.last() == Some(&'ं') {
        folded.pop();
    }
}

fn replace_last(folded: &mut Vec<char>, count: usize, by: char) {
    folded.truncate(folded.len() - count);
    folded.push(by);
}
