//! Leads and contacts by id, converted leads under their contact, and all of them by the page.

use super::find::{self, PHONES};
use super::line::{Line, data, get, goes_on};
use super::{BATCH, COLUMNS, PEOPLE, module};
use crate::crm::{Desk, People, Record};
use crate::errand::identifier;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use wabridge_model::{Failure, FailureKind, RecordRef};

/// Reads records, a hundred at a time.
pub(super) async fn read(
    desk: &Desk<'_>,
    records: &[RecordRef],
    fields: &[String],
) -> Vec<Result<Record, Failure>> {
    let line = Line::new(desk);
    let mut read: BTreeMap<RecordRef, Value> = BTreeMap::new();
    let mut failed: BTreeMap<&str, Failure> = BTreeMap::new();
    for (object, _) in PEOPLE {
        let ids: BTreeSet<&str> =
            records.iter().filter(|at| at.object == object).map(|at| at.id.as_str()).collect();
        let ids: Vec<&str> = ids.into_iter().collect();
        match many(&line, object, &ids, fields).await {
            Ok(rows) => read.extend(rows.into_iter().map(|(id, row)| (RecordRef::new(object, id), row))),
            Err(failure) => {
                failed.insert(object, failure);
            }
        }
    }
    let mut answers = Vec::with_capacity(records.len());
    for at in records {
        answers.push(match (read.get(at), failed.get(at.object.as_str())) {
            (_, Some(failure)) => Err(failure.clone()),
            (Some(row), None) if !is_converted(row) => {
                find::record(desk, &at.object, row, fields).ok_or_else(vanished)
            }
            // A list may leave converted leads out, and may not say what became of them.
            (_, None) => one(&line, at, fields).await,
        });
    }
    answers
}

/// Rows of one module by id. What is not there is left out.
pub(super) async fn many(
    line: &Line<'_>,
    object: &str,
    ids: &[&str],
    fields: &[String],
) -> Result<BTreeMap<String, Value>, Failure> {
    let mut rows: BTreeMap<String, Value> = BTreeMap::new();
    let there: Vec<&str> = fields.iter().map(String::as_str).filter(|name| line.has(object, name)).collect();
    let lots: Vec<&[&str]> = match there.len() {
        0 => vec![&[]],
        _ => there.chunks(COLUMNS - 1).collect(),
    };
    for ids in ids.chunks(BATCH) {
        for lot in &lots {
            let columns: Vec<&str> = ["id"].into_iter().chain(lot.iter().copied()).collect();
            let path = format!("{}?ids={}&fields={}", module(object), ids.join(","), columns.join(","));
            let body = match line.ask(get(&path), object).await {
                Err(failure) if failure.kind == FailureKind::Vanished => json!({}),
                answered => answered?,
            };
            for row in data(&body) {
                let Some(id) = identifier(&row["id"]) else { continue };
                let known = rows.entry(id).or_insert_with(|| json!({}));
                for (name, value) in row.as_object().into_iter().flatten() {
                    known[name.as_str()] = value.clone();
                }
            }
        }
    }
    Ok(rows)
}

/// One record with all that Zoho says of it; a converted lead is read as its contact.
pub(super) async fn one(line: &Line<'_>, at: &RecordRef, fields: &[String]) -> Result<Record, Failure> {
    let mut at = at.clone();
    // A lead, then its contact.
    for _ in 0..2 {
        // A converted lead is shown to who asks for such.
        let converted = if at.object == "lead" { "?converted=both" } else { "" };
        let path = format!("{}/{}{converted}", module(&at.object), at.id);
        let body = line.ask(get(&path), &at.object).await;
        let body = body.map_err(|failure| match failure.kind {
            // The id is all that there is to be wrong.
            FailureKind::Invalid => Failure { kind: FailureKind::Vanished, ..failure },
            _ => failure,
        })?;
        let row = data(&body).first().ok_or_else(vanished)?;
        if at.object != "lead" || !is_converted(row) {
            return find::record(line.desk, &at.object, row, fields).ok_or_else(vanished);
        }
        at = RecordRef::new("contact", contact_of(row).ok_or_else(vanished)?);
    }
    Err(vanished())
}

fn is_converted(row: &Value) -> bool {
    ["$converted", "Converted__s", "converted"].into_iter().any(|name| row[name] == true)
        || contact_of(row).is_some()
}

/// The contact that a lead became, in any of the forms in which Zoho may say so.
fn contact_of(row: &Value) -> Option<String> {
    let detail = &row["$converted_detail"];
    let forms = [&detail["contact"], &detail["contact_id"], &row["Converted_Contact"]];
    forms.into_iter().find_map(|form| identifier(form).or_else(|| identifier(&form["id"])))
}

fn vanished() -> Failure {
    Failure::new(FailureKind::Vanished, "RECORD_NOT_FOUND")
}

/// A page of people with their numbers: all leads, then all contacts. `after` is a module and Zoho's token.
pub(super) async fn people(desk: &Desk<'_>, after: Option<String>) -> Result<People, Failure> {
    let line = Line::new(desk);
    let after = after.unwrap_or_else(|| format!("{}:", PEOPLE[0].0));
    let (object, token) = after.split_once(':').unwrap_or((after.as_str(), ""));
    let place = PEOPLE.iter().position(|(word, _)| *word == object).unwrap_or_default();
    let (object, path) = PEOPLE[place];
    let phones: Vec<&str> = PHONES.into_iter().filter(|name| line.has(object, name)).collect();
    let columns: Vec<&str> = ["id"].into_iter().chain(phones.iter().copied()).collect();
    let token = if token.is_empty() { String::new() } else { format!("&page_token={token}") };
    let path = format!("{path}?fields={}&per_page=200{token}", columns.join(","));
    let body = line.ask(get(&path), object).await?;
    let person = |row: &Value| {
        let numbers = phones.iter().filter_map(|name| row[*name].as_str()).filter(|text| !text.is_empty());
        Some((RecordRef::new(object, identifier(&row["id"])?), numbers.map(str::to_owned).collect()))
    };
    let more = identifier(&body["info"]["next_page_token"]).filter(|_| goes_on(&body));
    let further = || PEOPLE.get(place + 1).map(|(word, _)| format!("{word}:"));
    Ok(People {
        people: data(&body).iter().filter_map(person).collect(),
        next: more.map(|token| format!("{object}:{token}")).or_else(further),
    })
}
