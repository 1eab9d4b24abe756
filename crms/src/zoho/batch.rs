//! Many records in the fewest requests, each with an answer of its own.
//!
//! In: records of one module. Out: one answer for each, by its place in `data`. A request that Zoho refuses as a
//! whole is halved until the record at fault stands alone. What has no answer in an answered request may or may not
//! be written.

use super::line::{Line, data, write};
use super::{BATCH, failure};
use crate::errand::identifier;
use crate::transport::{Call, Method};
use serde_json::{Map, Value, json};
use wabridge_model::{Failure, FailureKind};

/// What is done to each record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Upsert,
    Update,
    Create,
}

/// How a request is made, the same for all records in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form<'a> {
    pub(super) module: &'a str,
    pub(super) object: &'a str,
    pub(super) verb: Verb,
    /// What an upsert goes by.
    pub(super) unique: &'a str,
    /// The CRM's automation keeps quiet.
    pub(super) quiet: bool,
}

/// A record that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Done {
    pub(super) id: String,
    pub(super) created: bool,
}

/// Writes them all; answers in the same order. Each is a record with its `id` where it has one.
pub(super) async fn write_all(
    line: &Line<'_>,
    form: Form<'_>,
    records: &[Map<String, Value>],
) -> Vec<Result<Done, Failure>> {
    let mut answers: Vec<Option<Result<Done, Failure>>> = records.iter().map(|_| None).collect();
    let mut packs = packs(form, records);
    packs.reverse();
    while let Some(pack) = packs.pop() {
        let some: Vec<&Map<String, Value>> = pack.iter().map(|at| &records[*at]).collect();
        match send(line, form, &some).await {
            Ok(settled) => pack.iter().zip(settled).for_each(|(at, answer)| answers[*at] = Some(answer)),
            Err(failure) if pack.len() > 1 && lies_with_one(form, &failure) => {
                let (first, second) = pack.split_at(pack.len() / 2);
                packs.push(second.to_vec());
                packs.push(first.to_vec());
            }
            Err(failure) => pack.iter().for_each(|at| answers[*at] = Some(Err(failure.clone()))),
        }
    }
    answers.into_iter().map(|answer| answer.unwrap_or_else(|| Err(unanswered()))).collect()
}

/// Indexes by request: no more than Zoho takes, and no record twice.
fn packs(form: Form<'_>, records: &[Map<String, Value>]) -> Vec<Vec<usize>> {
    let name = |at: usize| match form.verb {
        Verb::Update => records[at].get("id"),
        Verb::Upsert => records[at].get(form.unique),
        Verb::Create => None,
    };
    let mut packs: Vec<Vec<usize>> = Vec::new();
    for at in 0..records.len() {
        let twice = |other: &usize| name(at).is_some() && name(*other) == name(at);
        match packs.iter_mut().find(|pack| pack.len() < BATCH && !pack.iter().any(twice)) {
            Some(pack) => pack.push(at),
            None => packs.push(vec![at]),
        }
    }
    packs
}

fn lies_with_one(form: Form<'_>, failure: &Failure) -> bool {
    let of_all = failure.kind == FailureKind::Drift && failure.field.as_deref() == Some(form.unique);
    !of_all
        && matches!(
            failure.kind,
            FailureKind::Conflict | FailureKind::Invalid | FailureKind::Vanished | FailureKind::Drift
        )
}

async fn send(
    line: &Line<'_>,
    form: Form<'_>,
    pack: &[&Map<String, Value>],
) -> Result<Vec<Result<Done, Failure>>, Failure> {
    let body = line.ask(call(form, pack), form.object).await.map_err(|failure| of_key(form, failure))?;
    let entries = data(&body);
    if entries.len() != pack.len() {
        return Ok(pack.iter().map(|_| Err(unanswered())).collect());
    }
    Ok(entries.iter().map(|entry| settle(form, entry)).collect())
}

/// A field that can tell nobody apart any more is the account's fault and no record's.
fn of_key(form: Form<'_>, failure: Failure) -> Failure {
    if failure.field.as_deref() != Some("duplicate_check_fields") {
        return failure;
    }
    Failure { kind: FailureKind::Drift, field: Some(form.unique.to_owned()), ..failure }
}

fn call(form: Form<'_>, pack: &[&Map<String, Value>]) -> Call {
    let mut body = json!({"data": pack});
    if form.quiet {
        body["trigger"] = json!([]);
    }
    match form.verb {
        Verb::Update => write(Method::Put, form.module, body),
        Verb::Create => write(Method::Post, form.module, body),
        Verb::Upsert => {
            body["duplicate_check_fields"] = json!([form.unique]);
            write(Method::Post, &format!("{}/upsert", form.module), body)
        }
    }
}

fn settle(form: Form<'_>, entry: &Value) -> Result<Done, Failure> {
    if entry["code"] != "SUCCESS" && entry["status"] != "success" {
        return Err(failure::of_entry(entry, form.object));
    }
    let id = identifier(&entry["details"]["id"]).ok_or_else(unanswered)?;
    let created = match form.verb {
        Verb::Update => false,
        Verb::Create => true,
        Verb::Upsert => entry["action"] == "insert",
    };
    Ok(Done { id, created })
}

fn unanswered() -> Failure {
    Failure::new(FailureKind::Unknown, "no_answer_for_item")
}
