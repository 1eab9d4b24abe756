//! Bundles, in rounds: all people, then all activities, deals and tasks, each in the fewest requests.

use super::batch::{Done, Form, Verb, write_all};
use super::line::{Line, spelt};
use super::{activity, deal, module, task};
use crate::crm::{Bundle, Desk, PersonWrite, Receipt, Written};
use crate::errand::Rounds;
use serde_json::{Map, Value, json};
use wabridge_model::{Failure, RecordRef};

/// Writes bundles; one answer for each.
pub(super) async fn write(desk: &Desk<'_>, bundles: &[Bundle]) -> Vec<Written> {
    let line = Line::new(desk);
    let people = write_people(&line, bundles).await;
    let records: Vec<Option<RecordRef>> = bundles.iter().zip(&people).map(record).collect();
    let around = || bundles.iter().zip(&records);
    let activities: Vec<activity::Task<'_>> = around()
        .flat_map(|(bundle, at)| bundle.activities.iter().zip(std::iter::repeat(at)))
        .filter_map(|(activity, at)| Some(activity::Task { activity, person: at.as_ref()? }))
        .collect();
    let activities = activity::write(&line, &activities).await;
    let deals: Vec<deal::Task<'_>> = around()
        .flat_map(|(bundle, at)| bundle.deals.iter().zip(std::iter::repeat(at)))
        .filter_map(|(deal, at)| Some(deal::Task { deal, person: at.as_ref()? }))
        .collect();
    let deals = deal::write(&line, &deals).await;
    // Last: a right that the token lacks for tasks must not be in the way of the others.
    let tasks: Vec<task::Task<'_>> = around()
        .flat_map(|(bundle, at)| bundle.tasks.iter().zip(std::iter::repeat(at)))
        .filter_map(|(task, at)| Some(task::Task { task, person: at.as_ref()? }))
        .collect();
    let tasks = task::write(&line, &tasks).await;
    let due: Vec<bool> = records.iter().map(Option::is_some).collect();
    Rounds { people, activities, deals, tasks }.deal_out(bundles, due)
}

/// The record that the rest of a bundle belongs to, unless its person failed.
fn record((bundle, person): (&Bundle, &Option<Result<Receipt, Failure>>)) -> Option<RecordRef> {
    match person {
        Some(Ok(receipt)) => Some(receipt.record.clone()),
        Some(Err(_)) => None,
        None => bundle.record.clone(),
    }
}

/// What people of one request have in common.
type Lot<'a> = (Verb, &'a str, bool);

/// Known people are updated where they are, new ones upserted by their key, and created if they have none.
async fn write_people(line: &Line<'_>, bundles: &[Bundle]) -> Vec<Option<Result<Receipt, Failure>>> {
    let desk = line.desk;
    let mut answers: Vec<Option<Result<Receipt, Failure>>> = bundles.iter().map(|_| None).collect();
    let mut lots: Vec<(Lot<'_>, Vec<usize>)> = Vec::new();
    for (at, bundle) in bundles.iter().enumerate() {
        let Some(person) = &bundle.person else { continue };
        let lot = lot(desk, bundle, person);
        match lots.iter_mut().find(|(known, _)| *known == lot) {
            Some((_, due)) => due.push(at),
            None => lots.push((lot, vec![at])),
        }
    }
    for ((verb, object, quiet), due) in lots {
        let form = Form { module: module(object), object, verb, unique: desk.key_field, quiet };
        let records: Vec<Map<String, Value>> =
            due.iter().filter_map(|at| fields(line, object, &bundles[*at])).collect();
        for (at, done) in due.into_iter().zip(write_all(line, form, &records).await) {
            answers[at] = Some(done.map(|done| receipt(object, &done)));
        }
    }
    answers
}

/// New people are everybody's news: only an update of what is there may be quiet.
fn lot<'a>(desk: &'a Desk<'_>, bundle: &'a Bundle, person: &PersonWrite) -> Lot<'a> {
    match (&bundle.record, &person.key) {
        (Some(record), _) => (Verb::Update, record.object.as_str(), person.quiet),
        (None, Some(_)) => (Verb::Upsert, desk.person, false),
        (None, None) => (Verb::Create, desk.person, false),
    }
}

fn fields(line: &Line<'_>, object: &str, bundle: &Bundle) -> Option<Map<String, Value>> {
    let person = bundle.person.as_ref()?;
    let mut fields = spelt(line, object, &person.values);
    if let Some(key) = person.key.as_ref().filter(|_| line.has(object, line.desk.key_field)) {
        fields.insert(line.desk.key_field.to_owned(), json!(key));
    }
    match &bundle.record {
        Some(record) => {
            fields.insert("id".to_owned(), json!(record.id));
        }
        None => {
            let name = person.key.as_deref().unwrap_or("WhatsApp lead");
            let name = fields.entry("Last_Name").or_insert_with(|| json!(name)).clone();
            if object == "lead" {
                fields.entry("Company").or_insert(name);
            }
        }
    }
    Some(fields)
}

fn receipt(object: &str, done: &Done) -> Receipt {
    Receipt { record: RecordRef::new(object, &done.id), url: None, created: done.created, stage: None }
}
