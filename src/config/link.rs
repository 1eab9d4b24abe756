//! `[[link]]`: the code that the pre-filled text of a wa.me link carries, and the campaign it stands for.

use super::document::{Found, Table};
use std::collections::BTreeSet;
use wabridge_model::chatbot::Utm;
use wabridge_model::event::Link;

/// A shorter code would be found in what people write anyway.
const SHORTEST: usize = 4;
const LONGEST: usize = 32;

/// Every link of the file. Codes are kept as written and told apart without regard to case.
pub(super) fn read_all(root: &mut Table<'_, '_>) -> Vec<Link> {
    let mut codes = BTreeSet::new();
    root.sections("link").into_iter().filter_map(|table| link(table, &mut codes)).collect()
}

fn link(mut table: Table<'_, '_>, codes: &mut BTreeSet<String>) -> Option<Link> {
    let code = code(&mut table, codes);
    let mut text = |key| text(&mut table, key);
    let utm = Utm {
        source: text("utm_source"),
        medium: text("utm_medium"),
        campaign: text("utm_campaign"),
        term: text("utm_term"),
        content: text("utm_content"),
    };
    table.finish(&[]);
    Some(Link { code: code?, utm })
}

fn code(table: &mut Table<'_, '_>, codes: &mut BTreeSet<String>) -> Option<String> {
    let Found { value, at } = table.required("code", "IGBIO")?;
    table.label = format!("[[link]] '{value}'");
    let inner = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let ends = |c: char| c.is_ascii_alphanumeric();
    if !value.chars().all(inner) || !value.starts_with(ends) || !value.ends_with(ends) {
        let rule = "must be one word: write letters and digits, with - and _ between them, such as \"IGBIO\"";
        table.problem_at(at, format!("'code' of {} {rule}", table.label));
        return None;
    }
    if !(SHORTEST..=LONGEST).contains(&value.len()) {
        let rule = "would be found in other texts, or be mistyped: write";
        table.problem_at(at, format!("'code' of {} {rule} {SHORTEST} to {LONGEST} characters", table.label));
        return None;
    }
    if !codes.insert(value.to_ascii_lowercase()) {
        let rule = "is taken by a link above (case does not count); give this one another, or remove it";
        table.problem_at(at, format!("'code' of {} {rule}", table.label));
        return None;
    }
    Some(value.to_owned())
}

/// A campaign parameter; an empty one would blank what it stands for.
fn text(table: &mut Table<'_, '_>, key: &'static str) -> Option<String> {
    let Found { value, at } = table.string(key)?;
    let trimmed = value.trim();
    if trimmed.is_empty() {
        table.problem_at(at, format!("'{key}' in {} is empty; write its value or remove it", table.label));
        return None;
    }
    Some(trimmed.to_owned())
}
