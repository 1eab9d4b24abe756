//! Conversations as notes, found again by a reference in their last line.

use super::batch::{Form, Verb, write_all};
use super::line::{Line, data, get, goes_on};
use super::module;
use crate::crm::{ActivityWrite, Receipt};
use crate::errand::identifier;
use serde_json::{Map, Value, json};
use wabridge_model::{Failure, FailureKind, RecordRef};

/// Characters of a note. Not in what Zoho publishes of version 8; integrators say 32,000.
const LONGEST: usize = 32_000;

/// Characters of its title.
const TITLE: usize = 120;

/// Pages of a record's notes, 200 each.
const PAGES: usize = 10;

/// An activity to write, and the person it belongs to.
pub(super) struct Task<'a> {
    pub(super) activity: &'a ActivityWrite,
    pub(super) person: &'a RecordRef,
}

/// Writes activities; one answer for each.
pub(super) async fn write(line: &Line<'_>, tasks: &[Task<'_>]) -> Vec<Result<Receipt, Failure>> {
    let mut answers: Vec<Option<Result<Receipt, Failure>>> = tasks.iter().map(|_| None).collect();
    let mut known: Vec<Option<String>> = tasks.iter().map(|task| task.activity.record.clone()).collect();
    for (at, task) in tasks.iter().enumerate() {
        if known[at].is_none() && task.activity.doubtful {
            match look_for(line, task).await {
                Ok(Some((id, text))) if text == content(&task.activity.body, &task.activity.key) => {
                    answers[at] = Some(Ok(receipt(&id, false)));
                }
                Ok(found) => known[at] = found.map(|(id, _)| id),
                Err(failure) => answers[at] = Some(Err(failure)),
            }
        }
    }
    for verb in [Verb::Update, Verb::Create] {
        let due = |at: &usize| answers[*at].is_none() && known[*at].is_some() == (verb == Verb::Update);
        let due: Vec<usize> = (0..tasks.len()).filter(due).collect();
        let notes: Vec<Map<String, Value>> =
            due.iter().map(|at| note(&tasks[*at], known[*at].as_deref())).collect();
        let form = Form { module: "Notes", object: "activity", verb, unique: "id", quiet: false };
        for (at, written) in due.into_iter().zip(write_all(line, form, &notes).await) {
            answers[at] = Some(written.map(|done| receipt(&done.id, done.created)));
        }
    }
    let unwritten = || Err(Failure::new(FailureKind::Unknown, "no_answer_for_item"));
    answers.into_iter().map(|answer| answer.unwrap_or_else(unwritten)).collect()
}

fn receipt(id: &str, created: bool) -> Receipt {
    Receipt { record: RecordRef::new("activity", id), url: None, created, stage: None }
}

fn note(task: &Task<'_>, record: Option<&str>) -> Map<String, Value> {
    let mut note = Map::new();
    let title: String = task.activity.title.chars().take(TITLE).collect();
    note.insert("Note_Title".to_owned(), json!(title));
    note.insert("Note_Content".to_owned(), json!(content(&task.activity.body, &task.activity.key)));
    match record {
        Some(id) => note.insert("id".to_owned(), json!(id)),
        None => {
            let parent = json!({"module": {"api_name": module(&task.person.object)}, "id": task.person.id});
            note.insert("Parent_Id".to_owned(), parent)
        }
    };
    note
}

/// An earlier attempt's work among the person's notes, read from their related list.
async fn look_for(line: &Line<'_>, task: &Task<'_>) -> Result<Option<(String, String)>, Failure> {
    let of = format!("{}/{}/Notes", module(&task.person.object), task.person.id);
    for page in 1..=PAGES {
        let path = format!("{of}?fields=id,Note_Content&page={page}&per_page=200");
        let body = line.ask(get(&path), &task.person.object).await?;
        let ours = data(&body).iter().find_map(|note| {
            let text = note["Note_Content"].as_str().filter(|text| bears(text, &task.activity.key))?;
            Some((identifier(&note["id"])?, text.to_owned()))
        });
        if ours.is_some() || !goes_on(&body) {
            return Ok(ours);
        }
    }
    Ok(None)
}

/// The last line of a note.
fn reference(key: &str) -> String {
    format!("Ref wab-{key}")
}

/// Whether a text bears this reference, and not one that merely begins like it.
pub(super) fn bears(text: &str, key: &str) -> bool {
    let reference = reference(key);
    let goes_on = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let mut places = text.match_indices(&reference);
    places.any(|(at, _)| !text[at + reference.len()..].starts_with(goes_on))
}

/// Body and reference as plain text. A body that is too long loses its end, never the reference.
pub(super) fn content(body: &str, key: &str) -> String {
    let tail = format!("\n{}", reference(key));
    let room = LONGEST.saturating_sub(tail.chars().count() + 1);
    let mut text: String = body.chars().take(room).collect();
    if text.len() < body.len() {
        text.push('…');
    }
    text + &tail
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_that_is_too_long_keeps_its_reference() {
        let text = content(&"नमस्ते\n".repeat(10_000), "c-1");
        assert!(text.chars().count() <= LONGEST && text.ends_with("…\nRef wab-c-1"));
    }

    #[test]
    fn a_reference_that_goes_on_is_another() {
        assert!(bears("x\nRef wab-c-1", "c-1") && bears("Ref wab-c-12 Ref wab-c-1", "c-1"));
        assert!(!bears("x\nRef wab-c-12", "c-1") && !bears("x\nRef wab-c-1-2", "c-1"));
    }
}
