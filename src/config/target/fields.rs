//! How `[target.fields]` is read: a path of ours, or a table that says more, for each field of the CRM.

use super::read::word;
use crate::config::document::{Found, Scalar, Table, TextOrTable};
use std::collections::{BTreeMap, BTreeSet};
use wabridge_crms::mapping::{Datum, Mapping, OnMissing, Owner, Path, Source, WriteRule, standard};
use wabridge_crms::{About, nearest};
use wabridge_model::Phone;

const EXAMPLE: &str = "{ from = \"phone\", write = \"if_empty\" }";

/// What the rest of the file says that a mapping depends on.
pub(super) struct Around<'a> {
    /// Our numbers.
    pub(super) ours: &'a BTreeSet<&'a Phone>,
    /// Leads have pages with an address.
    pub(super) has_pages: bool,
}

/// The mapping of a target: what is given, and the standard fields that it does not carry.
pub(super) fn read(
    table: &mut Table<'_, '_>,
    about: Option<&About>,
    key_field: &str,
    around: &Around<'_>,
) -> Vec<Mapping> {
    let label = format!("[target.fields] of {}", table.label);
    let mut given = Vec::new();
    if let Some(mut table) = table.section("fields") {
        table.label = label;
        given = all(&mut table, key_field, around);
    }
    if let Some(about) = about {
        given.extend(standard(about.slug, &given));
    }
    given
}

fn all(table: &mut Table<'_, '_>, key_field: &str, around: &Around<'_>) -> Vec<Mapping> {
    let mut mappings = Vec::new();
    for (field, entry) in table.texts_or_tables(EXAMPLE) {
        let mapping = match entry {
            TextOrTable::Text(found) => {
                let label = format!("'{field}' in {}", table.label);
                path(table, &label, found, around).map(|path| Mapping::new(field, Source::Path(path)))
            }
            TextOrTable::Table(table) => of_table(field, table, around),
        };
        if field == key_field {
            table.problem(format!(
                "'{field}' in {} is the key_field, which always holds the phone; take it out",
                table.label
            ));
        } else if field.trim().is_empty() {
            table.problem(format!("a field in {} has no name; name it as the CRM does", table.label));
        } else {
            mappings.extend(mapping);
        }
    }
    one_window(table, &mappings, around);
    mappings
}

fn of_table(field: &str, mut table: Table<'_, '_>, around: &Around<'_>) -> Option<Mapping> {
    let from = table.string("from");
    let value = datum(&mut table, "value");
    let default = datum(&mut table, "default");
    let values = table.map("values", "{ \"whatsapp:main\" = \"WhatsApp Main\" }");
    let values: BTreeMap<String, String> =
        values.into_iter().map(|(word, other)| (word.to_owned(), other.value.to_owned())).collect();
    let writes = [
        ("create_only", WriteRule::CreateOnly),
        ("if_empty", WriteRule::IfEmpty),
        ("always", WriteRule::Always),
    ];
    let write = word(&mut table, "write", &writes).unwrap_or_default();
    let missing = [("skip", OnMissing::Skip), ("hold", OnMissing::Hold)];
    let on_missing = word(&mut table, "on_missing", &missing).unwrap_or_default();
    let owner = word(&mut table, "owner", &[("human", Owner::Human), ("bridge", Owner::Bridge)]);
    let is_given = table.has("from") || table.has("value");
    table.finish(&[]);
    let label = &table.label;
    let from = match (from, value) {
        (Some(_), Some(_)) => {
            table.problem(format!("{label} has both 'from' and 'value'; write one of them"));
            return None;
        }
        (Some(found), None) => Source::Path(path(&table, &format!("'from' in {label}"), found, around)?),
        (None, Some(_)) if default.is_some() || !values.is_empty() => {
            table.problem(format!("{label} has a 'value', which needs no 'default' and no 'values'"));
            return None;
        }
        (None, Some(value)) => Source::Value(value),
        (None, None) => {
            if !is_given {
                table.problem(format!("{label} has no 'from' and no 'value'; write {EXAMPLE}"));
            }
            return None;
        }
    };
    let usual = Mapping::new(field, from);
    Some(Mapping { default, values, write, on_missing, owner: owner.unwrap_or(usual.owner), ..usual })
}

fn datum(table: &mut Table<'_, '_>, key: &'static str) -> Option<Datum> {
    let Found { value, at } = table.scalar(key)?;
    match value {
        Scalar::Text(text) if text.trim().is_empty() => {
            table.problem_at(at, format!("'{key}' in {} is empty; write its text or remove it", table.label));
            None
        }
        Scalar::Text(text) => Some(Datum::Text(text)),
        Scalar::Truth(truth) => Some(Datum::Truth(truth)),
        Scalar::Number(number) => {
            let number = number.strip_prefix('+').unwrap_or(&number);
            if !number.parse::<f64>().is_ok_and(f64::is_finite) {
                table.problem_at(at, format!("'{key}' in {} is no number; write digits", table.label));
                return None;
            }
            Some(Datum::Number(number.to_owned()))
        }
    }
}

/// A path that can have a value here; `label` is how messages call it.
fn path(table: &Table<'_, '_>, label: &str, found: Found<&str>, around: &Around<'_>) -> Option<Path> {
    let Found { value, at } = found;
    let path = match Path::parse(value) {
        Ok(path) => path,
        Err(error) => {
            table.problem_at(at, format!("{label}: {error}"));
            return None;
        }
    };
    if path.known().path == "lead.url" && !around.has_pages {
        table.problem_at(at, format!("{label}: 'lead.url' needs 'public_url' in [server]; add it"));
    }
    let number = path.argument().filter(|_| path.is_window());
    let mut ours = around.ours.iter().map(|number| number.e164());
    if let Some(number) = number.filter(|number| !around.ours.is_empty() && !ours.any(|our| our == *number)) {
        let way_out = match nearest(number, around.ours.iter().map(|number| number.e164())) {
            Some(near) => format!("did you mean {near}?"),
            None => "add it to a channel".to_owned(),
        };
        table.problem_at(at, format!("{label}: no channel has the number {number}; {way_out}"));
    }
    Some(path)
}

/// With several numbers, an instant of a window says nothing without its number beside it.
fn one_window(table: &Table<'_, '_>, mappings: &[Mapping], around: &Around<'_>) {
    let of_any = |path: &&Path| path.is_window() && path.argument().is_none();
    let mut paths = mappings.iter().filter_map(Mapping::path).filter(of_any);
    let is_named = paths.clone().any(|path| path.known().path == "window.business_number");
    let Some(path) = paths.next().filter(|_| around.ours.len() > 1 && !is_named) else { return };
    let (text, label) = (path.as_str(), &table.label);
    let number = around.ours.first().map_or("+918047000000", |number| number.e164());
    let part = text.strip_prefix("window.").unwrap_or(text);
    table.problem(format!(
        "'{text}' in {label} is of one of several numbers; map window.business_number beside it, or write window[\"{number}\"].{part}"
    ));
}
