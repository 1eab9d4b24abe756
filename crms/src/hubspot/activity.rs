//! Conversations as `communications`, found again by a reference in their last line.

use super::batch::{Item, Kind, Verb, write_all};
use super::line::{Line, Object, get, instant, next_page};
use super::read::by_id;
use crate::crm::{ActivityWrite, Receipt};
use crate::errand::identifier;
use serde_json::{Map, Value};
use wabridge_model::{Failure, FailureKind, RecordRef};

/// HubSpot's number for the association of a communication with a contact.
const TO_CONTACT: u32 = 81;

/// The text of a communication.
const BODY: &str = "hs_communication_body";

/// Characters that a rich text of HubSpot's takes, by what it says of notes.
const LONGEST: usize = 65_536;

/// Pages of a contact's associations, 500 each.
const PAGES: usize = 20;

const KIND: Kind<'_> = Kind { path: "communications", object: "activity", unique: "hs_object_id" };

/// An activity to write, the contact it belongs to, and a trace of its own.
pub(super) struct Task<'a> {
    pub(super) activity: &'a ActivityWrite,
    pub(super) contact: String,
    pub(super) trace: String,
}

/// Writes activities; one answer for each.
pub(super) async fn write(line: &Line<'_>, tasks: &[Task<'_>]) -> Vec<Result<Receipt, Failure>> {
    let mut answers: Vec<Option<Result<Receipt, Failure>>> = tasks.iter().map(|_| None).collect();
    let mut known: Vec<Option<String>> = tasks.iter().map(|task| task.activity.record.clone()).collect();
    for at in 0..tasks.len() {
        if known[at].is_none() && tasks[at].activity.doubtful {
            match look_for(line, &tasks[at]).await {
                Ok(Some(found)) if found.text(BODY) == Some(&text(tasks[at].activity)) => {
                    answers[at] = Some(Ok(receipt(&found, false)));
                }
                Ok(found) => known[at] = found.map(|object| object.id),
                Err(failure) => answers[at] = Some(Err(failure)),
            }
        }
    }
    for verb in [Verb::Update, Verb::Create] {
        let due = |at: &usize| answers[*at].is_none() && known[*at].is_some() == (verb == Verb::Update);
        let due: Vec<usize> = (0..tasks.len()).filter(due).collect();
        let items: Vec<Item> = due.iter().map(|at| item(&tasks[*at], known[*at].as_ref())).collect();
        let written = write_all(line, KIND, verb, &items).await;
        for (at, written) in due.into_iter().zip(written) {
            answers[at] = Some(written.map(|object| receipt(&object, verb == Verb::Create)));
        }
    }
    let unwritten = || Err(Failure::new(FailureKind::Unknown, "no_answer_for_item"));
    answers.into_iter().map(|answer| answer.unwrap_or_else(unwritten)).collect()
}

fn receipt(object: &Object, created: bool) -> Receipt {
    Receipt { record: RecordRef::new("activity", &object.id), url: None, created, stage: None }
}

fn item(task: &Task<'_>, record: Option<&String>) -> Item {
    let activity = task.activity;
    let mut properties = Map::new();
    properties.insert(BODY.to_owned(), text(activity).into());
    properties.insert("hs_timestamp".to_owned(), instant(activity.at).into());
    if record.is_none() {
        properties.insert("hs_communication_channel_type".to_owned(), "WHATS_APP".into());
        properties.insert("hs_communication_logged_from".to_owned(), "CRM".into());
    }
    Item {
        trace: task.trace.clone(),
        id: record.cloned().unwrap_or_default(),
        properties,
        contact: record.is_none().then(|| (task.contact.clone(), TO_CONTACT)),
        mark: Some((BODY.to_owned(), reference(&activity.key))),
    }
}

/// An earlier attempt's work among the contact's communications: the youngest first, for it was just now.
async fn look_for(line: &Line<'_>, task: &Task<'_>) -> Result<Option<Object>, Failure> {
    let mut ids = associated(line, &task.contact, KIND.path).await?;
    ids.sort_by(|a, b| (b.len(), b).cmp(&(a.len(), a)));
    for some in ids.chunks(super::BATCH) {
        let read = by_id(line, KIND.path, None, some, &[BODY]).await?;
        let ours = |object: &Object| object.text(BODY).is_some_and(|body| bears(body, &task.activity.key));
        if let Some(found) = read.into_iter().find(ours) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// The ids of what a contact has of one object. Read from the database: never behind.
pub(super) async fn associated(line: &Line<'_>, contact: &str, of: &str) -> Result<Vec<String>, Failure> {
    let mut ids = Vec::new();
    let mut after = String::new();
    for _ in 0..PAGES {
        let path = format!("contacts/{contact}/associations/{of}?limit=500{after}");
        let body = line.ask(get(&path), "contact").await?;
        let id = |value: &Value| identifier(&value["toObjectId"]).or_else(|| identifier(&value["id"]));
        ids.extend(body["results"].as_array().into_iter().flatten().filter_map(id));
        match next_page(&body) {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    Ok(ids)
}

/// The last line of a body.
pub(super) fn reference(key: &str) -> String {
    format!("Ref wab-{}", escaped(key))
}

/// Whether a body bears this reference, and not one that merely begins like it.
pub(super) fn bears(body: &str, key: &str) -> bool {
    let reference = reference(key);
    let goes_on = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let mut places = body.match_indices(&reference);
    places.any(|(at, _)| !body[at + reference.len()..].starts_with(goes_on))
}

/// Title, body and reference as rich text.
fn text(activity: &ActivityWrite) -> String {
    let lines = [activity.title.as_str()].into_iter().chain(activity.body.lines());
    html(lines, &activity.key)
}

/// Lines and a reference as rich text. What is too long loses its end, never the reference.
pub(super) fn html<'a>(lines: impl Iterator<Item = &'a str>, key: &str) -> String {
    let tail = format!("<br>{}", reference(key));
    let room = LONGEST - tail.len().min(LONGEST) - "…".len();
    let mut html = String::new();
    for line in lines {
        let line = escaped(line);
        let separator = if html.is_empty() { "" } else { "<br>" };
        if html.len() + separator.len() + line.len() > room {
            html.push('…');
            break;
        }
        html.push_str(separator);
        html.push_str(&line);
    }
    html + &tail
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn activity(body: &str) -> ActivityWrite {
        ActivityWrite {
            key: "c-1".to_owned(),
            record: None,
            doubtful: false,
            at: "2026-11-22T08:35:12Z".parse().unwrap(),
            title: "Asked for <b>prices</b> & \"terms\"".to_owned(),
            body: body.to_owned(),
        }
    }

    #[test]
    fn what_people_wrote_is_text_and_no_markup() {
        let html = text(&activity("a < b\nsecond"));
        assert_eq!(
            html,
            "Asked for &lt;b&gt;prices&lt;/b&gt; &amp; &quot;terms&quot;<br>a &lt; b<br>second<br>Ref wab-c-1"
        );
    }

    #[test]
    fn a_body_that_is_too_long_keeps_its_reference() {
        let html = text(&activity(&"a line of some length\n".repeat(5_000)));
        assert!(html.len() <= LONGEST && html.ends_with("…<br>Ref wab-c-1"), "{}", html.len());
    }

    #[test]
    fn a_reference_that_goes_on_is_another() {
        assert!(bears("x<br>Ref wab-c-1", "c-1") && bears("<p>Ref wab-c-1</p>", "c-1"));
        assert!(!bears("x<br>Ref wab-c-12", "c-1") && !bears("x<br>Ref wab-c-1-2", "c-1"));
        assert!(bears("Ref wab-c-12 Ref wab-c-1", "c-1"));
    }
}
