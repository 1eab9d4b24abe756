//! Contacts by id, and all of them by the page.

use super::line::{Line, Object, get, next_page, post_read};
use super::{BATCH, find};
use crate::crm::{Desk, People, Record};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use wabridge_model::{Failure, FailureKind, RecordRef};

/// Ids of the contacts that were merged into one: plain, and with the time of each (`51:1763884800000`).
const MERGED: [&str; 2] = ["hs_merged_object_ids", "hs_calculated_merged_vids"];

/// Reads contacts, a hundred at a time.
pub(super) async fn read(
    desk: &Desk<'_>,
    records: &[RecordRef],
    fields: &[String],
) -> Vec<Result<Record, Failure>> {
    let line = Line::new(desk);
    let mut answers = Vec::with_capacity(records.len());
    for some in records.chunks(BATCH) {
        match read_some(&line, some, fields).await {
            Ok(read) => answers.extend(read),
            Err(failure) => answers.extend(some.iter().map(|_| Err(failure.clone()))),
        }
    }
    answers
}

async fn read_some(
    line: &Line<'_>,
    records: &[RecordRef],
    fields: &[String],
) -> Result<Vec<Result<Record, Failure>>, Failure> {
    let ids: BTreeSet<&str> = records.iter().map(|record| record.id.as_str()).collect();
    let mut wanted: Vec<&str> = fields.iter().map(String::as_str).collect();
    wanted.extend(MERGED);
    let inputs: Vec<_> = ids.iter().map(|id| json!({"id": id})).collect();
    let body = json!({"properties": wanted, "inputs": inputs});
    let body = match line.ask(post_read("contacts/batch/read", body), "contact").await {
        Err(failure) if failure.kind == FailureKind::Vanished => json!({}),
        answered => answered?,
    };
    let found = Object::results(&body);
    let gone: BTreeSet<&str> = body["errors"]
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(|error| error["context"]["ids"].as_array().into_iter().flatten())
        .filter_map(|id| id.as_str())
        .collect();
    let mut answers = Vec::with_capacity(records.len());
    for record in records {
        answers.push(match found.iter().find(|object| is_or_was(object, &record.id)) {
            Some(object) => Ok(find::record(line.desk, object, fields)),
            None if gone.contains(record.id.as_str()) => Err(vanished()),
            None => read_one(line, &record.id, fields).await,
        });
    }
    Ok(answers)
}

/// Whether a contact has this id, or took over one that had.
fn is_or_was(object: &Object, id: &str) -> bool {
    let merged = MERGED.into_iter().filter_map(|name| object.text(name)).flat_map(|ids| ids.split(';'));
    object.id == id || merged.map(|one| one.split(':').next().unwrap_or(one).trim()).any(|other| other == id)
}

/// One that the batch said nothing about: alone, a merged id answers as its winner.
async fn read_one(line: &Line<'_>, id: &str, fields: &[String]) -> Result<Record, Failure> {
    let properties = fields.join(",");
    let body = line.ask(get(&format!("contacts/{id}?properties={properties}")), "contact").await?;
    Object::read(&body).map(|object| find::record(line.desk, &object, fields)).ok_or_else(vanished)
}

fn vanished() -> Failure {
    Failure::new(FailureKind::Vanished, "OBJECT_NOT_FOUND")
}

/// A page of contacts with their numbers.
pub(super) async fn people(desk: &Desk<'_>, after: Option<String>) -> Result<People, Failure> {
    let after = after.map(|after| format!("&after={after}")).unwrap_or_default();
    let path = format!("contacts?limit=100&properties={}{after}", find::PHONES.join(","));
    let body = Line::new(desk).ask(get(&path), "contact").await?;
    let numbers = |object: &Object| find::phones(object).map(str::to_owned).collect();
    let people = Object::results(&body);
    Ok(People {
        people: people.iter().map(|o| (RecordRef::new("contact", &o.id), numbers(o))).collect(),
        next: next_page(&body),
    })
}

/// Records of any type by id or unique property, with some of their properties. Those that are not there are
/// left out.
pub(super) async fn by_id(
    line: &Line<'_>,
    path: &str,
    unique: Option<&str>,
    ids: &[String],
    properties: &[&str],
) -> Result<Vec<Object>, Failure> {
    let mut found = Vec::new();
    for ids in ids.chunks(BATCH) {
        let inputs: Vec<_> = ids.iter().map(|id| json!({"id": id})).collect();
        let mut body = json!({"properties": properties, "inputs": inputs});
        if let Some(unique) = unique {
            body["idProperty"] = json!(unique);
        }
        match line.ask(post_read(&format!("{path}/batch/read"), body), path).await {
            Ok(body) => found.extend(Object::results(&body)),
            Err(failure) if failure.kind == FailureKind::Vanished => {}
            Err(failure) => return Err(failure),
        }
    }
    Ok(found)
}

/// The values of some fields, those that are empty left out.
pub(super) fn values(object: &Object, fields: &[String]) -> BTreeMap<String, serde_json::Value> {
    let value = |field: &String| object.properties.get(field).map(|value| (field.clone(), value.clone()));
    fields.iter().filter_map(value).collect()
}
