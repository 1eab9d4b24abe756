//! What is written where: a CRM's field, and our path to its value.
//!
//! In: a configured mapping and the facts of a lead. Out: the value, or nothing. Who may overwrite what is
//! said here and decided by the outbox, which knows what stands in the record. [`paths`] is the one list of
//! what can be mapped: the grammar, the checks and `wabridge target fields` all read it.

mod paths;
mod standard;

pub use paths::{Kind, Known, paths};
pub use standard::standard;

use crate::near::nearest;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use wabridge_model::Phone;

/// A value on its way to a CRM. How it is spelt there is the adapter's business.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Datum {
    /// A text.
    Text(String),
    /// A number, as a decimal text, so that no digit is lost.
    Number(String),
    /// True or false.
    Truth(bool),
    /// An instant.
    Instant(Timestamp),
    /// Several texts.
    Texts(Vec<String>),
}

/// One CRM field and where its value comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapping {
    /// The CRM's field.
    pub field: String,
    /// Where its value comes from.
    pub from: Source,
    /// The value where there is none.
    pub default: Option<Datum>,
    /// Other words for some values.
    pub values: BTreeMap<String, String>,
    /// When it may be written.
    pub write: WriteRule,
    /// What to do where the CRM lacks the field.
    pub on_missing: OnMissing,
    /// Whether we may overwrite what a person changed since.
    pub owner: Owner,
}

impl Mapping {
    /// A field and its source, by the usual rules. What is of a window is ours: an instant that somebody typed
    /// would be a promise that nobody keeps.
    #[must_use]
    pub fn new(field: impl Into<String>, from: Source) -> Mapping {
        let owner = match &from {
            Source::Path(path) if path.is_window() => Owner::Bridge,
            _ => Owner::default(),
        };
        Mapping {
            field: field.into(),
            from,
            default: None,
            values: BTreeMap::new(),
            write: WriteRule::default(),
            on_missing: OnMissing::default(),
            owner,
        }
    }

    /// The value for a lead: what the path gives, in the configured words, else the default.
    #[must_use]
    pub fn value(&self, facts: &dyn Facts) -> Option<Datum> {
        match &self.from {
            Source::Value(value) => Some(value.clone()),
            Source::Path(path) => {
                facts.get(path).map(|found| self.translated(found)).or_else(|| self.default.clone())
            }
        }
    }

    /// The path it comes from; `None` for the same value for everybody.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match &self.from {
            Source::Path(path) => Some(path),
            Source::Value(_) => None,
        }
    }

    /// Whether its value is the enrichment hook's.
    #[must_use]
    pub fn is_enrichment(&self) -> bool {
        self.path().is_some_and(Path::is_enrichment)
    }

    fn translated(&self, found: Datum) -> Datum {
        let other = |text: &str| self.values.get(text).cloned();
        match found {
            Datum::Text(text) => Datum::Text(other(&text).unwrap_or(text)),
            Datum::Texts(texts) => {
                Datum::Texts(texts.into_iter().map(|text| other(&text).unwrap_or(text)).collect())
            }
            Datum::Number(number) => other(&number).map_or(Datum::Number(number), Datum::Text),
            Datum::Truth(truth) => other(&truth.to_string()).map_or(Datum::Truth(truth), Datum::Text),
            Datum::Instant(at) => Datum::Instant(at),
        }
    }
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// A path of ours.
    Path(Path),
    /// The same for everybody.
    Value(Datum),
}

/// A path of ours, as configuration writes it: `attribution.last.ctwa_clid`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    text: String,
    known: &'static Known,
    argument: Option<String>,
}

impl Path {
    /// Reads a path: a name of [`paths`], `custom.` or `enrichment.` with a key, or a part of `window` with the business number
    /// it is about: `window["+918047000000"].free_text_until`.
    ///
    /// # Errors
    /// What is wrong with it, with the path that is most like it.
    pub fn parse(text: &str) -> Result<Path, PathError> {
        if let Some(rest) = text.strip_prefix("window[") {
            return Path::window(text, rest);
        }
        for list in [paths::CUSTOM, paths::ENRICHMENT] {
            let Some(key) = text.strip_prefix(list.trim_end_matches("<key>")) else { continue };
            let is_key =
                key.split('.').all(|part| !part.trim().is_empty()) && !key.contains(char::is_control);
            let known = named(list).filter(|_| is_key).ok_or(PathError::Key(list))?;
            return Ok(Path { text: text.to_owned(), known, argument: Some(key.to_owned()) });
        }
        match named(text) {
            Some(known) => Ok(Path { text: text.to_owned(), known, argument: None }),
            None => Err(unknown(text)),
        }
    }

    fn window(text: &str, rest: &str) -> Result<Path, PathError> {
        let (number, part) = rest.split_once(']').ok_or(PathError::Window)?;
        let quoted = |mark: char| number.strip_prefix(mark).and_then(|rest| rest.strip_suffix(mark));
        let number = quoted('"').or_else(|| quoted('\'')).ok_or(PathError::Window)?;
        let digits = number.strip_prefix('+').ok_or(PathError::Window)?;
        let number = Phone::from_whatsapp_id(digits).map_err(|_| PathError::Window)?;
        let plain = format!("window{part}");
        let known = named(&plain).ok_or_else(|| unknown(&plain))?;
        Ok(Path { text: text.to_owned(), known, argument: Some(number.e164().to_owned()) })
    }

    /// The path as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What is known of it, whatever number or key it names.
    #[must_use]
    pub fn known(&self) -> &'static Known {
        self.known
    }

    /// The business number of a `window["..."]` path, the key of a `custom.` or `enrichment.` one.
    #[must_use]
    pub fn argument(&self) -> Option<&str> {
        self.argument.as_deref()
    }

    /// Whether it is a value of the enrichment hook.
    #[must_use]
    pub fn is_enrichment(&self) -> bool {
        self.known.path == paths::ENRICHMENT
    }

    /// Whether it is about the service window.
    #[must_use]
    pub fn is_window(&self) -> bool {
        self.known.path.starts_with("window.")
    }
}

fn named(text: &str) -> Option<&'static Known> {
    paths().find(|known| known.path == text)
}

fn unknown(text: &str) -> PathError {
    let group = format!("{text}.");
    if let Some(list) = [paths::CUSTOM, paths::ENRICHMENT].into_iter().find(|list| list.starts_with(&group)) {
        return PathError::Key(list);
    }
    if let Some(part) = paths().find(|known| known.path.starts_with(&group)) {
        return PathError::Group { text: text.to_owned(), part: part.path };
    }
    let near = in_group(text).or_else(|| nearest(text, paths().map(|known| known.path)));
    PathError::Unknown { text: text.to_owned(), near }
}

/// The path of the same group whose last part holds the one that is written: `clid` means `ctwa_clid`.
fn in_group(text: &str) -> Option<&'static str> {
    let (group, part) = text.rsplit_once('.')?;
    let holds =
        |path: &str| path.rsplit_once('.').is_some_and(|(its, last)| its == group && last.contains(part));
    paths().map(|known| known.path).find(|path| part.len() >= 4 && holds(path))
}

/// Why a text is no path, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// No path is called so.
    #[error("unknown path '{text}'; {}", .near.map_or_else(
        || "`wabridge target fields` lists them".to_owned(),
        |near| format!("did you mean '{near}'?"),
    ))]
    Unknown {
        /// What was written.
        text: String,
        /// The path most like it.
        near: Option<&'static str>,
    },
    /// It names several values.
    #[error("'{text}' stands for several values; write one of them, such as '{part}'")]
    Group {
        /// What was written.
        text: String,
        /// A path in it.
        part: &'static str,
    },
    /// The number is missing or unreadable.
    #[error("a window of one number is written window[\"+918047000000\"].free_text_until")]
    Window,
    /// The key is missing, of a path that is listed so.
    #[error("a value of somebody else's is written {}, with the key after the point", .0.replace("<key>", "plan"))]
    Key(&'static str),
}

/// When a field may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WriteRule {
    /// Only into a new record.
    CreateOnly,
    /// Only where the record has nothing.
    IfEmpty,
    /// Whenever our value changes.
    #[default]
    Always,
}

/// What to do where the CRM lacks a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnMissing {
    /// Leave it out, loudly, and write it when it is there again.
    #[default]
    Skip,
    /// Hold the person until it is there.
    Hold,
}

/// Whose a field is once a person has changed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Owner {
    /// Theirs: it is left alone.
    #[default]
    Human,
    /// Ours: it is written again.
    Bridge,
}

/// What is known of one lead, by path.
pub trait Facts {
    /// The value at a path; `None` where nothing is known.
    fn get(&self, path: &Path) -> Option<Datum>;
}

#[cfg(test)]
mod tests;
