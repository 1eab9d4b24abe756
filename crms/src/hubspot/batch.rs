//! Many records in the fewest requests, each with an answer of its own.
//!
//! In: records to create, update or upsert, of one object type. Out: one answer for each. A request that HubSpot
//! refuses as a whole is halved until the record at fault stands alone. What has no answer in an answered request
//! may or may not be written.

use super::line::{Line, Object, write};
use super::{BATCH, failure};
use crate::errand::garbage;
use crate::transport::{Call, Method};
use serde_json::{Map, Value, json};
use wabridge_model::{Failure, FailureKind};

/// What is done to each record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    /// By a unique property, in a batch even when alone.
    Upsert,
    Update,
    Create,
}

/// One record to write.
#[derive(Debug, Clone)]
pub(super) struct Item {
    /// Unlike any other in the request; comes back with the answer.
    pub(super) trace: String,
    /// Which: the record's id, or the value of the unique property; empty for a creation.
    pub(super) id: String,
    pub(super) properties: Map<String, Value>,
    /// The contact it belongs to, and HubSpot's number for that kind of association.
    pub(super) contact: Option<(String, u32)>,
    /// A property whose value holds this text is known to be this record's.
    pub(super) mark: Option<(String, String)>,
}

/// The object type on the wire, and our word for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind<'a> {
    pub(super) path: &'static str,
    pub(super) object: &'static str,
    /// What an upsert goes by.
    pub(super) unique: &'a str,
}

/// Writes them all; answers in the same order.
pub(super) async fn write_all(
    line: &Line<'_>,
    kind: Kind<'_>,
    verb: Verb,
    items: &[Item],
) -> Vec<Result<Object, Failure>> {
    let mut answers: Vec<Option<Result<Object, Failure>>> = items.iter().map(|_| None).collect();
    let mut packs = packs(items);
    packs.reverse();
    while let Some(pack) = packs.pop() {
        let of_pack: Vec<&Item> = pack.iter().map(|at| &items[*at]).collect();
        match send(line, kind, verb, &of_pack).await {
            Ok(settled) => pack.iter().zip(settled).for_each(|(at, answer)| answers[*at] = Some(answer)),
            Err(failure) if pack.len() > 1 && lies_with_one(&failure, &of_pack) => {
                let (first, second) = pack.split_at(pack.len() / 2);
                packs.push(second.to_vec());
                packs.push(first.to_vec());
            }
            Err(failure) => pack.iter().for_each(|at| answers[*at] = Some(Err(failure.clone()))),
        }
    }
    answers.into_iter().map(|answer| answer.unwrap_or_else(|| Err(unanswered()))).collect()
}

/// Indexes by request: no more than HubSpot takes, and no record twice, which it refuses.
fn packs(items: &[Item]) -> Vec<Vec<usize>> {
    let mut packs: Vec<Vec<usize>> = Vec::new();
    for (at, item) in items.iter().enumerate() {
        let twice = |other: &usize| !item.id.is_empty() && items[*other].id == item.id;
        match packs.iter_mut().find(|pack| pack.len() < BATCH && !pack.iter().any(twice)) {
            Some(pack) => pack.push(at),
            None => packs.push(vec![at]),
        }
    }
    packs
}

/// Whether a refusal of the whole may be the fault of one. A property that is not there or cannot be written, and
/// that all of them have, is not, nor is a required one that none of them has.
fn lies_with_one(failure: &Failure, pack: &[&Item]) -> bool {
    match (failure.kind, &failure.field) {
        (FailureKind::Drift, Some(field)) => {
            let having = pack.iter().filter(|item| item.properties.contains_key(field)).count();
            let whatever_the_value =
                failure.code == "PROPERTY_DOESNT_EXIST" || failure.code.starts_with("READ_ONLY");
            having > 0 && (having < pack.len() || !whatever_the_value)
        }
        (kind, _) => matches!(
            kind,
            FailureKind::Conflict | FailureKind::Invalid | FailureKind::Vanished | FailureKind::Drift
        ),
    }
}

/// One request; as many answers as it had records.
async fn send(
    line: &Line<'_>,
    kind: Kind<'_>,
    verb: Verb,
    pack: &[&Item],
) -> Result<Vec<Result<Object, Failure>>, Failure> {
    let body = line.ask(call(kind, verb, pack), kind.object).await?;
    if let ([_], false) = (pack, body["results"].is_array() || body["errors"].is_array()) {
        let object = Object::read(&body).ok_or_else(|| garbage(200, true))?;
        return Ok(vec![Ok(object)]);
    }
    Ok(settle(kind, pack, &body))
}

/// Alone a record is written plainly: the answer then has one meaning only.
fn call(kind: Kind<'_>, verb: Verb, pack: &[&Item]) -> Call {
    let path = kind.path;
    match (verb, pack) {
        (Verb::Update, [item]) => {
            write(Method::Patch, &format!("{path}/{}", item.id), json!({"properties": item.properties}))
        }
        (Verb::Create, [item]) => {
            let body = json!({"properties": item.properties, "associations": associations(item)});
            write(Method::Post, path, body)
        }
        _ => {
            let inputs: Vec<Value> = pack.iter().map(|item| input(kind, verb, item)).collect();
            let word = match verb {
                Verb::Upsert => "upsert",
                Verb::Update => "update",
                Verb::Create => "create",
            };
            write(Method::Post, &format!("{path}/batch/{word}"), json!({"inputs": inputs}))
        }
    }
}

fn input(kind: Kind<'_>, verb: Verb, item: &Item) -> Value {
    let mut input = json!({"properties": item.properties, "objectWriteTraceId": item.trace});
    match verb {
        Verb::Upsert => {
            input["id"] = json!(item.id);
            input["idProperty"] = json!(kind.unique);
        }
        Verb::Update => input["id"] = json!(item.id),
        Verb::Create => input["associations"] = associations(item),
    }
    input
}

fn associations(item: &Item) -> Value {
    let one = |(contact, number): &(String, u32)| {
        let types = json!([{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": number}]);
        json!({"to": {"id": contact}, "types": types})
    };
    Value::Array(item.contact.iter().map(one).collect())
}

/// Gives each record its answer: by its trace, else by what it is known by; what remains one to one, so.
fn settle(kind: Kind<'_>, pack: &[&Item], body: &Value) -> Vec<Result<Object, Failure>> {
    let mut answers: Vec<Option<Result<Object, Failure>>> = pack.iter().map(|_| None).collect();
    let mut left: Vec<Result<Object, Failure>> = Vec::new();
    for object in Object::results(body) {
        let free = |at: &usize| answers[*at].is_none();
        match (0..pack.len()).filter(free).find(|at| is_of(kind, pack[*at], &object)) {
            Some(at) => answers[at] = Some(Ok(object)),
            None => left.push(Ok(object)),
        }
    }
    for error in body["errors"].as_array().into_iter().flatten() {
        let failure = failure::of_item(error, kind.object);
        let named: Vec<usize> = (0..pack.len()).filter(|at| names(error, pack[*at])).collect();
        if named.is_empty() {
            left.push(Err(failure.clone()));
        }
        for at in named {
            answers[at].get_or_insert_with(|| Err(failure.clone()));
        }
    }
    let mut open: Vec<&mut Option<_>> = answers.iter_mut().filter(|answer| answer.is_none()).collect();
    if let ([open], 1) = (open.as_mut_slice(), left.len()) {
        **open = left.pop();
    }
    answers.into_iter().map(|answer| answer.unwrap_or_else(|| Err(unanswered()))).collect()
}

fn is_of(kind: Kind<'_>, item: &Item, object: &Object) -> bool {
    if let Some(trace) = &object.trace {
        return *trace == item.trace;
    }
    let marked = |(property, text): &(String, String)| {
        object.text(property).is_some_and(|value| value.contains(text.as_str()))
    };
    let by_id = !item.id.is_empty() && (object.id == item.id || object.text(kind.unique) == Some(&item.id));
    by_id || item.mark.as_ref().is_some_and(marked)
}

/// Whether an entry of `errors` is about this record.
fn names(error: &Value, item: &Item) -> bool {
    let context = &error["context"];
    let said = |value: &Value, text: &str| match value {
        Value::Array(values) => values.iter().any(|value| value.as_str() == Some(text)),
        value => value.as_str() == Some(text),
    };
    let by_id = |name: &str| !item.id.is_empty() && said(&context[name], &item.id);
    said(&context["objectWriteTraceId"], &item.trace)
        || said(&error["objectWriteTraceId"], &item.trace)
        || by_id("ids")
        || by_id("id")
}

fn unanswered() -> Failure {
    Failure::new(FailureKind::Unknown, "no_answer_for_item")
}
