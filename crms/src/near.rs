//! Which of several names was probably meant.

/// The choice most like a word, if any is alike enough to be what was meant.
pub fn nearest<'c>(word: &str, choices: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let alike = |choice: &'c str| (strsim::jaro_winkler(word, choice), choice);
    let best = choices.into_iter().map(alike).max_by(|(a, _), (b, _)| a.total_cmp(b))?;
    (best.0 >= 0.8).then_some(best.1)
}
