//! Tasks, created once, found again by a reference in their last line.
//!
//! A task without an owner is in nobody's queue: it is theirs whose the contact is. What the token may not do costs
//! the task alone: it must not pause the target, whose contacts are written all the same.

use super::activity::{associated, bears, html, reference};
use super::batch::{Item, Kind, Verb, write_all};
use super::line::{Line, Object, instant, url};
use super::read::by_id;
use super::{BATCH, OWNER};
use crate::crm::{Receipt, TaskWrite};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use wabridge_model::{Failure, FailureKind, RecordRef};

/// HubSpot's number for the association of a task with a contact.
const TO_CONTACT: u32 = 204;

/// The text of a task.
const BODY: &str = "hs_task_body";

const KIND: Kind<'_> = Kind { path: "tasks", object: "task", unique: "hs_object_id" };

/// A task to create, the contact it is about, and a trace of its own.
pub(super) struct Task<'a> {
    pub(super) task: &'a TaskWrite,
    pub(super) contact: String,
    pub(super) trace: String,
}

/// Creates tasks; one answer for each. One that is there is left as people have made it.
pub(super) async fn write(line: &Line<'_>, tasks: &[Task<'_>]) -> Vec<Result<Receipt, Failure>> {
    let mut answers: Vec<Option<Result<Receipt, Failure>>> = Vec::with_capacity(tasks.len());
    for task in tasks {
        answers.push(match &task.task.record {
            Some(id) => Some(Ok(receipt(line, &Object { id: id.clone(), ..Object::default() }, false))),
            None if task.task.doubtful => look_for(line, task).await.transpose(),
            None => None,
        });
    }
    let due: Vec<usize> = (0..tasks.len()).filter(|at| answers[*at].is_none()).collect();
    match owners(line, due.iter().map(|at| &tasks[*at])).await {
        Ok(owners) => {
            let items: Vec<Item> = due.iter().map(|at| item(&tasks[*at], &owners)).collect();
            for (at, written) in due.into_iter().zip(write_all(line, KIND, Verb::Create, &items).await) {
                answers[at] = Some(written.map(|object| receipt(line, &object, true)));
            }
        }
        Err(failure) => due.into_iter().for_each(|at| answers[at] = Some(Err(failure.clone()))),
    }
    let unwritten = || Err(Failure::new(FailureKind::Unknown, "no_answer_for_item"));
    let answers = answers.into_iter().map(|answer| answer.unwrap_or_else(unwritten));
    answers.map(|answer| answer.map_err(by_itself)).collect()
}

/// A right that the token lacks is the task's own failure.
fn by_itself(failure: Failure) -> Failure {
    match (failure.kind, failure.status) {
        (FailureKind::Auth, Some(403)) => Failure { kind: FailureKind::Invalid, ..failure },
        _ => failure,
    }
}

/// An earlier attempt's work among the contact's tasks.
async fn look_for(line: &Line<'_>, task: &Task<'_>) -> Result<Option<Receipt>, Failure> {
    let ids = associated(line, &task.contact, KIND.path).await?;
    for some in ids.chunks(BATCH) {
        let read = by_id(line, KIND.path, None, some, &[BODY]).await?;
        let ours = |object: &&Object| object.text(BODY).is_some_and(|body| bears(body, &task.task.key));
        if let Some(found) = read.iter().find(ours) {
            return Ok(Some(receipt(line, found, false)));
        }
    }
    Ok(None)
}

/// Whose the contacts are of those tasks that name no owner.
async fn owners<'a>(
    line: &Line<'_>,
    tasks: impl Iterator<Item = &'a Task<'a>>,
) -> Result<BTreeMap<String, String>, Failure> {
    let mut contacts: Vec<String> =
        tasks.filter(|task| task.task.owner.is_none()).map(|task| task.contact.clone()).collect();
    contacts.sort();
    contacts.dedup();
    let read = by_id(line, "contacts", None, &contacts, &[OWNER]).await?;
    let owner = |object: &Object| Some((object.id.clone(), object.text(OWNER)?.to_owned()));
    Ok(read.iter().filter_map(owner).collect())
}

fn receipt(line: &Line<'_>, object: &Object, created: bool) -> Receipt {
    Receipt {
        record: RecordRef::new("task", &object.id),
        url: url(line.desk, "0-27", object),
        created,
        stage: None,
    }
}

fn item(of: &Task<'_>, owners: &BTreeMap<String, String>) -> Item {
    let task = of.task;
    let mut properties: Map<String, Value> = [
        ("hs_timestamp", instant(task.due_at)),
        ("hs_task_subject", task.title.clone()),
        (BODY, html(task.body.lines(), &task.key)),
        ("hs_task_status", "NOT_STARTED".to_owned()),
        ("hs_task_priority", "HIGH".to_owned()),
        ("hs_task_type", "TODO".to_owned()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.into()))
    .collect();
    if let Some(owner) = task.owner.as_ref().or_else(|| owners.get(&of.contact)) {
        properties.insert(OWNER.to_owned(), owner.clone().into());
    }
    Item {
        trace: of.trace.clone(),
        id: String::new(),
        properties,
        contact: Some((of.contact.clone(), TO_CONTACT)),
        mark: Some((BODY.to_owned(), reference(&task.key))),
    }
}
