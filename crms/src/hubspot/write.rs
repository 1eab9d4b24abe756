//! Bundles, in rounds: all people, then all activities, deals and tasks, each in the fewest requests.

use super::batch::{Item, Kind, Verb, write_all};
use super::line::{Line, Object, properties, url};
use super::{activity, deal, task};
use crate::crm::{Bundle, Desk, PersonWrite, Receipt, Written};
use crate::errand::Rounds;
use serde_json::Value;
use wabridge_model::{Failure, RecordRef};

/// HubSpot wants one of these in a new contact.
const NAMES: [&str; 3] = ["email", "firstname", "lastname"];

/// Writes bundles; one answer for each.
pub(super) async fn write(desk: &Desk<'_>, bundles: &[Bundle]) -> Vec<Written> {
    let line = Line::new(desk);
    let people = write_people(&line, bundles).await;
    let contacts: Vec<Option<String>> = bundles.iter().zip(&people).map(contact).collect();
    let activities = bundles.iter().zip(&contacts).enumerate().flat_map(|(at, (bundle, contact))| {
        let task = move |(n, activity)| {
            let trace = format!("{}-{at}-a{n}", bundle.trace_id);
            Some(activity::Task { activity, contact: contact.clone()?, trace })
        };
        bundle.activities.iter().enumerate().filter_map(task)
    });
    let activities: Vec<activity::Task<'_>> = activities.collect();
    let activities = activity::write(&line, &activities).await;
    let deals = bundles.iter().zip(&contacts).enumerate().flat_map(|(at, (bundle, contact))| {
        let task = move |(n, deal)| {
            let trace = format!("{}-{at}-d{n}", bundle.trace_id);
            Some(deal::Task { deal, contact: contact.clone()?, trace })
        };
        bundle.deals.iter().enumerate().filter_map(task)
    });
    let deals: Vec<deal::Task<'_>> = deals.collect();
    let deals = deal::write(&line, &deals).await;
    // Last: a right that the token lacks for tasks must not be in the way of the others.
    let tasks = bundles.iter().zip(&contacts).enumerate().flat_map(|(at, (bundle, contact))| {
        let of = move |(n, task)| {
            let trace = format!("{}-{at}-t{n}", bundle.trace_id);
            Some(task::Task { task, contact: contact.clone()?, trace })
        };
        bundle.tasks.iter().enumerate().filter_map(of)
    });
    let tasks: Vec<task::Task<'_>> = tasks.collect();
    let tasks = task::write(&line, &tasks).await;
    let due: Vec<bool> = contacts.iter().map(Option::is_some).collect();
    Rounds { people, activities, deals, tasks }.deal_out(bundles, due)
}

/// The contact that the rest of a bundle belongs to, unless its person failed.
fn contact((bundle, person): (&Bundle, &Option<Result<Receipt, Failure>>)) -> Option<String> {
    match person {
        Some(Ok(receipt)) => Some(receipt.record.id.clone()),
        Some(Err(_)) => None,
        None => bundle.record.as_ref().map(|record| record.id.clone()),
    }
}

/// Known people are updated, new ones upserted by their key, and created if they have none.
async fn write_people(line: &Line<'_>, bundles: &[Bundle]) -> Vec<Option<Result<Receipt, Failure>>> {
    let desk = line.desk;
    let kind = Kind { path: "contacts", object: "contact", unique: desk.key_field };
    let mut answers: Vec<Option<Result<Receipt, Failure>>> = bundles.iter().map(|_| None).collect();
    for verb in [Verb::Update, Verb::Upsert, Verb::Create] {
        let of_verb = |(at, bundle): (usize, &Bundle)| {
            let person = bundle.person.as_ref().filter(|person| verb_of(bundle, person) == verb)?;
            Some((at, item(desk, at, bundle, person)))
        };
        let (due, items): (Vec<usize>, Vec<Item>) = bundles.iter().enumerate().filter_map(of_verb).unzip();
        // People without a key have nothing in common with the answers of a batch but the trace, which HubSpot
        // need not send back. They are rare enough to go alone.
        let together = if verb == Verb::Create { 1 } else { items.len().max(1) };
        let mut written = Vec::with_capacity(items.len());
        for items in items.chunks(together) {
            written.extend(write_all(line, kind, verb, items).await);
        }
        for (at, written) in due.into_iter().zip(written) {
            answers[at] = Some(written.map(|object| receipt(desk, verb, &object)));
        }
    }
    answers
}

fn verb_of(bundle: &Bundle, person: &PersonWrite) -> Verb {
    match (&bundle.record, &person.key) {
        (Some(_), _) => Verb::Update,
        (None, Some(_)) => Verb::Upsert,
        (None, None) => Verb::Create,
    }
}

fn item(desk: &Desk<'_>, at: usize, bundle: &Bundle, person: &PersonWrite) -> Item {
    let mut properties = properties(desk, "contact", &person.values);
    if let Some(key) = &person.key {
        properties.insert(desk.key_field.to_owned(), Value::from(key.clone()));
    }
    if bundle.record.is_none() && !NAMES.iter().any(|name| properties.contains_key(*name)) {
        let name = person.key.as_deref().unwrap_or("WhatsApp lead");
        properties.insert("lastname".to_owned(), Value::from(name));
    }
    let record = bundle.record.as_ref().map(|record| record.id.clone());
    Item {
        trace: format!("{}-{at}", bundle.trace_id),
        id: record.or_else(|| person.key.clone()).unwrap_or_default(),
        properties,
        contact: None,
        mark: None,
    }
}

fn receipt(desk: &Desk<'_>, verb: Verb, object: &Object) -> Receipt {
    let created = match verb {
        Verb::Update => false,
        Verb::Upsert => object.new.unwrap_or(false),
        Verb::Create => true,
    };
    Receipt {
        record: RecordRef::new("contact", &object.id),
        url: url(desk, "0-1", object),
        created,
        stage: None,
    }
}
