//! How a table is read: each key is asked for once, by name and type; what nobody asked for is unknown.
//!
//! The document is walked rather than deserialised because serde stops at the first mistake, and an
//! operator wants all of them. Messages never repeat a value unless the caller knows it is no secret.

use super::error::{ConfigErrors, Problem};
use std::cell::RefCell;
use std::ops::RangeInclusive;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue};
pub(crate) use wabridge_crms::nearest;

/// Where mistakes are collected while a document is read.
pub(super) struct Report<'i> {
    text: &'i str,
    problems: RefCell<Vec<Problem>>,
}

impl<'i> Report<'i> {
    pub(super) fn new(text: &'i str) -> Report<'i> {
        Report { text, problems: RefCell::default() }
    }

    /// Records a mistake at a byte offset.
    pub(super) fn problem(&self, at: usize, message: impl Into<String>) {
        let before = self.text.as_bytes().iter().take(at);
        let line = 1 + before.filter(|byte| **byte == b'\n').count();
        self.problems.borrow_mut().push(Problem { line: Some(line), message: message.into() });
    }

    pub(super) fn into_result<T>(self, value: T, path: &Path) -> Result<T, ConfigErrors> {
        let problems = self.problems.into_inner();
        if problems.is_empty() { Ok(value) } else { Err(ConfigErrors::new(path, problems)) }
    }
}

/// Parses a text; what is not TOML is reported, and what is TOML around it is still read.
pub(super) fn parse<'i>(text: &'i str, report: &Report<'i>) -> DeTable<'i> {
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        // Not `Display`: that shows the line itself, which may hold a secret.
        let at = error.span().map_or(text.len(), |span| span.start);
        report.problem(at, format!("not TOML here: {}", error.message()));
    }
    document.into_inner()
}

/// A value and the offset it stands at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found<T> {
    pub(super) value: T,
    pub(super) at: usize,
}

/// What stands at a key of the operator's own.
pub(super) enum TextOrTable<'t, 'i> {
    /// A text.
    Text(Found<&'t str>),
    /// A table.
    Table(Table<'t, 'i>),
}

/// A value that is no list and no table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Scalar {
    /// A text.
    Text(String),
    /// A decimal number, as written.
    Number(String),
    /// True or false.
    Truth(bool),
}

/// One table while it is read.
pub(super) struct Table<'t, 'i> {
    /// How messages call it: `[server]`.
    pub(super) label: String,
    at: usize,
    entries: &'t DeTable<'i>,
    asked: Vec<&'static str>,
    report: &'t Report<'i>,
}

impl<'t, 'i> Table<'t, 'i> {
    pub(super) fn root(entries: &'t DeTable<'i>, report: &'t Report<'i>) -> Table<'t, 'i> {
        Table { label: "the file".to_owned(), at: 0, entries, asked: Vec::new(), report }
    }

    /// Records a mistake of the table as a whole.
    pub(super) fn problem(&self, message: impl Into<String>) {
        self.report.problem(self.at, message);
    }

    /// Records a mistake at a value.
    pub(super) fn problem_at(&self, at: usize, message: impl Into<String>) {
        self.report.problem(at, message);
    }

    /// The table `[name]`.
    pub(super) fn section(&mut self, name: &'static str) -> Option<Table<'t, 'i>> {
        let found = self.take(name)?;
        let entries = self.typed(name, found, "a table", DeValue::as_table)?;
        Some(self.child(format!("[{name}]"), entries.at, entries.value))
    }

    /// Every table `[[name]]`.
    pub(super) fn sections(&mut self, name: &'static str) -> Vec<Table<'t, 'i>> {
        let mut tables = Vec::new();
        for item in self.items(name, "tables, each headed by [[...]] with two brackets") {
            if let Some(entries) = self.typed(name, item, "tables, each headed by [[...]]", DeValue::as_table)
            {
                tables.push(self.child(format!("[[{name}]]"), entries.at, entries.value));
            }
        }
        tables
    }

    /// A text.
    pub(super) fn string(&mut self, key: &'static str) -> Option<Found<&'t str>> {
        let found = self.take(key)?;
        self.typed(key, found, "a text in quotes", DeValue::as_str)
    }

    /// A text without which the table means nothing.
    pub(super) fn required(&mut self, key: &'static str, example: &str) -> Option<Found<&'t str>> {
        if !self.entries.contains_key(key) {
            self.asked.push(key);
            self.problem(format!("{} has no '{key}'; add {key} = \"{example}\"", self.label));
            return None;
        }
        self.string(key)
    }

    /// A list of texts. A single text is not taken for a list, so that a rotation needs no new spelling.
    pub(super) fn strings(&mut self, key: &'static str) -> Option<Vec<Found<&'t str>>> {
        self.given(key)?;
        let items = self.items(key, "a list of texts: [\"...\"]");
        Some(items.into_iter().filter_map(|item| self.typed(key, item, "texts", DeValue::as_str)).collect())
    }

    /// Every list of texts under a key that nobody asked for, the key being the operator's own, and where it stands.
    /// What is no list is unknown.
    pub(super) fn own_lists(&self) -> Vec<(Found<&'t str>, Vec<Found<&'t str>>)> {
        let mut lists = Vec::new();
        for (name, value) in self.entries {
            let (key, at): (&'t str, usize) = (name.get_ref().as_ref(), name.span().start);
            if self.asked.contains(&key) {
                continue;
            }
            let Some(list) = value.get_ref().as_array() else {
                self.problem_at(at, self.unknown(key, &[]));
                continue;
            };
            let text = |item| self.typed(key, found_at(item), "texts", DeValue::as_str);
            lists.push((Found { value: key, at }, list.iter().filter_map(text).collect()));
        }
        lists
    }

    /// The texts that have a letter in them; the others are mistakes.
    pub(super) fn words(&self, key: &str, found: Vec<Found<&str>>) -> Vec<String> {
        let word = |Found { value, at }: Found<&str>| {
            let says_something = value.chars().any(char::is_alphanumeric);
            if !says_something {
                let label = &self.label;
                let message =
                    format!("'{key}' in {label} holds a text without letters: '{value}'; write words");
                self.problem_at(at, message);
            }
            says_something.then(|| value.to_owned())
        };
        found.into_iter().filter_map(word).collect()
    }

    /// A text, or a list of texts for a key whose singular is its name.
    pub(super) fn one_or_more(&mut self, key: &'static str) -> Vec<Found<&'t str>> {
        match self.entries.get(key).map(|value| value.get_ref().as_str()) {
            None => Vec::new(),
            Some(Some(_)) => self.string(key).into_iter().collect(),
            Some(None) => self.strings(key).unwrap_or_default(),
        }
    }

    /// A table written in one line.
    pub(super) fn inline(&mut self, key: &'static str, example: &str) -> Option<Table<'t, 'i>> {
        let found = self.take(key)?;
        let entries = self.typed(key, found, &format!("a table such as {example}"), DeValue::as_table)?;
        Some(self.child(format!("{key} of {}", self.label), entries.at, entries.value))
    }

    /// Whether a key is there at all.
    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// Whether a key holds a list with nothing in it: given, and of no use.
    pub(super) fn is_empty_list(&self, key: &str) -> bool {
        let list = self.entries.get(key).and_then(|value| value.get_ref().as_array());
        list.is_some_and(|list| list.is_empty())
    }

    /// A list of inline tables.
    pub(super) fn tables(&mut self, key: &'static str, example: &str) -> Option<Vec<Table<'t, 'i>>> {
        self.given(key)?;
        let items = self.items(key, &format!("a list such as {example}"));
        let as_table = |item| self.typed(key, item, &format!("tables such as {example}"), DeValue::as_table);
        let tables: Vec<_> = items.into_iter().filter_map(as_table).collect();
        let label = format!("{key} of {}", self.label);
        Some(tables.into_iter().map(|found| self.child(label.clone(), found.at, found.value)).collect())
    }

    /// A map of texts: the keys are the operator's own.
    pub(super) fn map(&mut self, key: &'static str, example: &str) -> Vec<(&'t str, Found<&'t str>)> {
        let Some(found) = self.take(key) else { return Vec::new() };
        let Some(map) = self.typed(key, found, &format!("a table such as {example}"), DeValue::as_table)
        else {
            return Vec::new();
        };
        let value =
            |value: &'t Spanned<DeValue<'i>>| self.typed(key, found_at(value), "texts", DeValue::as_str);
        map.value.iter().filter_map(|(name, text)| Some((name.get_ref().as_ref(), value(text)?))).collect()
    }

    /// Every key, the operator's own, with what stands there: a text, or a table.
    pub(super) fn texts_or_tables(&mut self, example: &str) -> Vec<(&'t str, TextOrTable<'t, 'i>)> {
        let mut all = Vec::new();
        for (name, value) in self.entries {
            let (key, found) = (name.get_ref().as_ref(), found_at(value));
            match (found.value.as_str(), found.value.as_table()) {
                (Some(value), _) => all.push((key, TextOrTable::Text(Found { value, at: found.at }))),
                (_, Some(entries)) => {
                    let table = self.child(format!("{key} of {}", self.label), found.at, entries);
                    all.push((key, TextOrTable::Table(table)));
                }
                _ => drop(
                    self.typed(key, found, &format!("a text or a table such as {example}"), |_| None::<()>),
                ),
            }
        }
        all
    }

    /// A value that is no list and no table.
    pub(super) fn scalar(&mut self, key: &'static str) -> Option<Found<Scalar>> {
        let found = self.take(key)?;
        let scalar = |value: &DeValue<'_>| match value {
            DeValue::String(text) => Some(Scalar::Text(text.to_string())),
            DeValue::Boolean(truth) => Some(Scalar::Truth(*truth)),
            DeValue::Integer(number) if number.radix() == 10 => {
                Some(Scalar::Number(number.as_str().to_owned()))
            }
            DeValue::Float(number) => Some(Scalar::Number(number.as_str().to_owned())),
            _ => None,
        };
        self.typed(key, found, "a text in quotes, a number, true or false", scalar)
    }

    /// A switch.
    pub(super) fn boolean(&mut self, key: &'static str) -> Option<bool> {
        let found = self.take(key)?;
        self.typed(key, found, "true or false", DeValue::as_bool).map(|found| found.value)
    }

    /// A whole number within bounds.
    pub(super) fn integer(&mut self, key: &'static str, bounds: RangeInclusive<u32>) -> Option<u32> {
        let found = self.take(key)?;
        let expected = format!("a whole number from {} to {}", bounds.start(), bounds.end());
        let integer = self.typed(key, found, &expected, DeValue::as_integer)?;
        // Underscores are already gone from the text; the radix is that of the spelling.
        let number = u32::from_str_radix(integer.value.as_str(), integer.value.radix()).ok();
        let number = number.filter(|number| bounds.contains(number));
        if number.is_none() {
            self.problem_at(integer.at, format!("'{key}' in {} must be {expected}", self.label));
        }
        number
    }

    /// Reports every key that nobody asked for. `later` are keys of the design that nothing reads yet.
    pub(super) fn finish(&mut self, later: &[&str]) {
        for name in self.entries.keys() {
            let key = name.get_ref().as_ref();
            if self.asked.contains(&key) {
                continue;
            }
            self.problem_at(name.span().start, self.unknown(key, later));
        }
    }

    fn unknown(&self, key: &str, later: &[&str]) -> String {
        let label = &self.label;
        if later.contains(&key) {
            return format!("{key} is not in this version; remove it from {label}");
        }
        match nearest(key, self.asked.iter().copied()) {
            Some(near) => format!("unknown key '{key}' in {label}; did you mean '{near}'?"),
            None => format!("unknown key '{key}' in {label}; it knows {}", self.asked.join(", ")),
        }
    }

    fn child(&self, label: String, at: usize, entries: &'t DeTable<'i>) -> Table<'t, 'i> {
        Table { label, at, entries, asked: Vec::new(), report: self.report }
    }

    /// Whether a key is there; one that is not is still one that could be.
    fn given(&mut self, key: &'static str) -> Option<()> {
        if self.entries.contains_key(key) {
            return Some(());
        }
        self.asked.push(key);
        None
    }

    fn take(&mut self, key: &'static str) -> Option<Found<&'t DeValue<'i>>> {
        self.asked.push(key);
        self.entries.get(key).map(found_at)
    }

    fn items(&mut self, key: &'static str, expected: &str) -> Vec<Found<&'t DeValue<'i>>> {
        let Some(found) = self.take(key) else { return Vec::new() };
        let items = self.typed(key, found, expected, DeValue::as_array);
        items.map(|items| items.value.iter().map(found_at).collect()).unwrap_or_default()
    }

    fn typed<T>(
        &self,
        key: &str,
        found: Found<&'t DeValue<'i>>,
        expected: &str,
        read: impl FnOnce(&'t DeValue<'i>) -> Option<T>,
    ) -> Option<Found<T>> {
        let value = read(found.value);
        if value.is_none() {
            let kind = found.value.type_str();
            self.problem_at(found.at, format!("'{key}' in {} must be {expected}; found {kind}", self.label));
        }
        value.map(|value| Found { value, at: found.at })
    }
}

fn found_at<'t, 'i>(value: &'t Spanned<DeValue<'i>>) -> Found<&'t DeValue<'i>> {
    Found { value: value.get_ref(), at: value.span().start }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_word_and_a_stranger_finds_none() {
        let keys = ["listen", "admin_listen", "public_url"];
        assert_eq!(nearest("lisen", keys), Some("listen"));
        assert_eq!(nearest("public-url", keys), Some("public_url"));
        assert_eq!(nearest("colour", keys), None);
    }
}
