//! Spelling folded to one form: case, script variants, doubled letters, nukta and length of vowels.
//!
//! In: a text. Out: clauses of words. Two spellings that people use for one word give one form.

use super::words::{SPELLINGS, TURNS};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;
use unicode_normalization::UnicodeNormalization;

static CANON: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| {
    let pair = |(one, others): &(&str, &'static [&'static str])| {
        let one = one_word(one);
        others.iter().map(move |other| (one_word(other), one.clone())).collect::<Vec<_>>()
    };
    SPELLINGS.iter().flat_map(pair).collect()
});

static TURN: LazyLock<BTreeSet<String>> =
    LazyLock::new(|| TURNS.iter().flat_map(|word| words(word)).collect());

/// The clauses of a text, each as its words.
pub(super) fn clauses(text: &str) -> Vec<Vec<String>> {
    let ends = |c: char| matches!(c, '.' | '!' | '?' | ',' | ';' | '\n' | '।' | '॥' | '؟' | '？' | '，');
    let mut clauses = Vec::new();
    for part in text.split(ends) {
        let mut clause = Vec::new();
        for word in words(part) {
            if TURN.contains(&word) && !clause.is_empty() {
                clauses.push(std::mem::take(&mut clause));
            }
            clause.push(word);
        }
        if !clause.is_empty() {
            clauses.push(clause);
        }
    }
    clauses
}

/// The words of a text, folded.
pub(super) fn words(text: &str) -> Vec<String> {
    let is_within = |c: &char| matches!(c, '\'' | '\u{2019}' | '\u{200c}' | '\u{200d}');
    // Decomposed, so that a nukta or an accent is a sign of its own; bold letters and full-width ones are plain.
    let plain = text.nfkd().filter(|c| !is_within(c) && !is_accent(*c)).flat_map(char::to_lowercase);
    let is_word = |c: char| c.is_alphanumeric() || ('\u{0900}'..='\u{0963}').contains(&c);
    let plain: String = plain.map(|c| if is_word(c) { c } else { ' ' }).collect();
    plain
        .split_whitespace()
        .map(|word| {
            let word = one_word(word);
            CANON.get(&word).cloned().unwrap_or(word)
        })
        .collect()
}

fn is_accent(c: char) -> bool {
    // The Latin accents, and the nukta.
    ('\u{0300}'..='\u{036F}').contains(&c) || c == '\u{093C}'
}

/// One word, folded: letters that are doubled in Roman script, signs that are interchanged in Devanagari.
fn one_word(word: &str) -> String {
    let mut folded: Vec<char> = Vec::with_capacity(word.len());
    for c in word.chars() {
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
            ([.., last], c) if *last == c && c.is_ascii_alphabetic() => continue,
            // चाहिये, गयी: also written चाहिए, गई.
            ([.., 'य'], 'े') => replace_last(&mut folded, 1, 'ए'),
            ([.., 'य'], 'ि') => replace_last(&mut folded, 1, 'इ'),
            // बन्द: also written बंद.
            ([.., 'ङ' | 'ञ' | 'ण' | 'न' | 'म', '्'], 'क'..='ह') => {
                replace_last(&mut folded, 2, 'ं');
                folded.push(c);
            }
            _ => folded.push(c),
        }
    }
    // नहीं and नही, करें and करे.
    if folded.len() > 1 && folded.last() == Some(&'ं') {
        folded.pop();
    }
    folded.into_iter().collect()
}

fn replace_last(folded: &mut Vec<char>, count: usize, by: char) {
    folded.truncate(folded.len() - count);
    folded.push(by);
}
