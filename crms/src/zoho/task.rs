//! Tasks, created once, found again by a reference in their last line.
//!
//! A task is with a contact by `Who_Id`, and with a lead by `What_Id` and `$se_module`. One that names no owner is
//! theirs whose the person is: Zoho would give it to the user whom the token belongs to. What the token may not do
//! costs the task alone, and does not pause the target. The related list shows open tasks; whether it shows one that
//! somebody completed within the minute is not known.

use super::activity::{bears, content};
use super::batch::{Form, Verb, write_all};
use super::line::{Line, data, get, goes_on};
use super::{OWNER, PEOPLE, module, read};
use crate::crm::{Receipt, TaskWrite};
use crate::errand::identifier;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use wabridge_model::{Failure, FailureKind, RecordRef};

/// Characters of a subject.
const SUBJECT: usize = 255;

/// Pages of a record's tasks, 200 each.
const PAGES: usize = 10;

/// A task to create, and the person it is about.
pub(super) struct Task<'a> {
    pub(super) task: &'a TaskWrite,
    pub(super) person: &'a RecordRef,
}

/// Creates tasks; one answer for each. One that is there is left as people have made it.
pub(super) async fn write(line: &Line<'_>, tasks: &[Task<'_>]) -> Vec<Result<Receipt, Failure>> {
    let mut answers: Vec<Option<Result<Receipt, Failure>>> = Vec::with_capacity(tasks.len());
    for task in tasks {
        answers.push(match &task.task.record {
            Some(id) => Some(Ok(receipt(id, false))),
            None if task.task.doubtful => look_for(line, task).await.transpose(),
            None => None,
        });
    }
    let due: Vec<usize> = (0..tasks.len()).filter(|at| answers[*at].is_none()).collect();
    match owners(line, due.iter().map(|at| &tasks[*at])).await {
        Ok(owners) => {
            let records: Vec<_> = due.iter().map(|at| fields(&tasks[*at], &owners)).collect();
            let verb = Verb::Create;
            let form = Form { module: "Tasks", object: "task", verb, unique: "id", quiet: false };
            for (at, written) in due.into_iter().zip(write_all(line, form, &records).await) {
                answers[at] = Some(written.map(|done| receipt(&done.id, done.created)));
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
    let is_right = failure.code == "OAUTH_SCOPE_MISMATCH" || failure.status == Some(403);
    if failure.kind == FailureKind::Auth && is_right {
        return Failure { kind: FailureKind::Invalid, ..failure };
    }
    failure
}

/// An earlier attempt's work among the person's tasks, read from their related list.
async fn look_for(line: &Line<'_>, task: &Task<'_>) -> Result<Option<Receipt>, Failure> {
    let of = format!("{}/{}/Tasks", module(&task.person.object), task.person.id);
    for page in 1..=PAGES {
        let path = format!("{of}?fields=id,Description&page={page}&per_page=200");
        let body = line.ask(get(&path), &task.person.object).await?;
        let bears = |one: &&Value| one["Description"].as_str().is_some_and(|it| bears(it, &task.task.key));
        let ours = data(&body).iter().find(bears).and_then(|one| identifier(&one["id"]));
        if ours.is_some() || !goes_on(&body) {
            return Ok(ours.map(|id| receipt(&id, false)));
        }
    }
    Ok(None)
}

/// Whose the people are of those tasks that name no owner.
async fn owners<'a>(
    line: &Line<'_>,
    tasks: impl Iterator<Item = &'a Task<'a>>,
) -> Result<BTreeMap<RecordRef, String>, Failure> {
    let people: Vec<&RecordRef> =
        tasks.filter(|task| task.task.owner.is_none()).map(|task| task.person).collect();
    let mut owners = BTreeMap::new();
    for (object, _) in PEOPLE {
        let mut ids: Vec<&str> =
            people.iter().filter(|at| at.object == object).map(|at| at.id.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        let rows = read::many(line, object, &ids, &[OWNER.to_owned()]).await?;
        let owner = |(id, row): (String, Value)| {
            let owner = identifier(&row[OWNER]["id"]).or_else(|| identifier(&row[OWNER]))?;
            Some((RecordRef::new(object, id), owner))
        };
        owners.extend(rows.into_iter().filter_map(owner));
    }
    Ok(owners)
}

fn receipt(id: &str, created: bool) -> Receipt {
    Receipt { record: RecordRef::new("task", id), url: None, created, stage: None }
}

fn fields(of: &Task<'_>, owners: &BTreeMap<RecordRef, String>) -> Map<String, Value> {
    let (task, person) = (of.task, of.person);
    let mut fields = Map::new();
    let mut set = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    set("Subject", json!(task.title.chars().take(SUBJECT).collect::<String>()));
    set("Description", json!(content(&task.body, &task.key)));
    set("Due_Date", json!(task.due_on.to_string()));
    set("Status", json!("Not Started"));
    set("Priority", json!("High"));
    if person.object == "contact" {
        set("Who_Id", json!({"id": person.id}));
    } else {
        set("What_Id", json!({"id": person.id}));
        set("$se_module", json!(module(&person.object)));
    }
    if let Some(owner) = task.owner.as_ref().or_else(|| owners.get(person)) {
        set(OWNER, json!({"id": owner}));
    }
    fields
}
