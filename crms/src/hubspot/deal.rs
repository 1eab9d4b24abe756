//! Deals, created once with a unique property of ours and their contact in the same request; one that is there is moved
//! on where that is asked for, and where it still stands in the stage that we wrote last.

use super::DEAL_KEY;
use super::batch::{Item, Kind, Verb, write_all};
use super::find::drifted;
use super::line::{Line, Object, url};
use super::read::by_id;
use crate::crm::{DealWrite, Desk, LEFT_ALONE, Receipt};
use serde_json::{Map, Value};
use wabridge_model::{Failure, FailureKind, RecordRef};

/// HubSpot's number for the association of a deal with a contact.
const TO_CONTACT: u32 = 3;

const KIND: Kind<'_> = Kind { path: "deals", object: "deal", unique: DEAL_KEY };

/// A deal to create, the contact it belongs to, and a trace of its own.
pub(super) struct Task<'a> {
    pub(super) deal: &'a DealWrite,
    pub(super) contact: String,
    pub(super) trace: String,
}

/// Creates deals, and moves on those that are to be; one answer for each. A deal that is there is left as people have
/// made it.
pub(super) async fn write(line: &Line<'_>, tasks: &[Task<'_>]) -> Vec<Result<Receipt, Failure>> {
    let desk = line.desk;
    let mut answers: Vec<Option<Result<Receipt, Failure>>> =
        tasks.iter().map(|t| there(desk, t.deal)).collect();
    move_on(line, tasks, &mut answers).await;
    let open = |answers: &[Option<_>]| -> Vec<usize> {
        (0..tasks.len()).filter(|at| answers[*at].is_none()).collect()
    };
    let doubtful: Vec<usize> = open(&answers).into_iter().filter(|at| tasks[*at].deal.doubtful).collect();
    look_for(line, tasks, doubtful, &mut answers).await;
    let due = open(&answers);
    let items: Vec<Item> = due.iter().map(|at| item(desk, &tasks[*at])).collect();
    let mut taken = Vec::new();
    for (at, written) in due.into_iter().zip(write_all(line, KIND, Verb::Create, &items).await) {
        match written {
            Err(failure) if failure.kind == FailureKind::Conflict => taken.push((at, failure)),
            written => answers[at] = Some(written.map(|object| receipt(desk, &object, true))),
        }
    }
    // Somebody created it since: an attempt that was believed lost, or a store that was set back.
    look_for(line, tasks, taken.iter().map(|(at, _)| *at).collect(), &mut answers).await;
    for (at, failure) in taken {
        answers[at].get_or_insert(Err(failure));
    }
    let unwritten = || Err(Failure::new(FailureKind::Unknown, "no_answer_for_item"));
    answers.into_iter().map(|answer| answer.unwrap_or_else(unwritten)).collect()
}

/// Moves deals on that stand where we put them. Those that do not are somebody else's now.
async fn move_on(line: &Line<'_>, tasks: &[Task<'_>], answers: &mut [Option<Result<Receipt, Failure>>]) {
    let id = |at: usize| tasks[at].deal.record.clone().unwrap_or_default();
    let moved: Vec<usize> = (0..tasks.len()).filter(|at| moves(tasks[*at].deal)).collect();
    let ids: Vec<String> = moved.iter().map(|at| id(*at)).collect();
    let read = match by_id(line, KIND.path, None, &ids, &["dealstage", "pipeline"]).await {
        Ok(read) => read,
        Err(failure) => return moved.into_iter().for_each(|at| answers[at] = Some(Err(failure.clone()))),
    };
    let mut due = Vec::new();
    for at in moved {
        let deal = tasks[at].deal;
        let found = read.iter().find(|object| object.id == id(at));
        let found = found.filter(|object| object.text("pipeline") == Some(&deal.pipeline));
        match found.and_then(|object| object.text("dealstage")) {
            Some(stage) if stage == deal.stage => answers[at] = there_at(line.desk, deal),
            Some(stage) if Some(stage) == deal.moves_from.as_deref() => due.push(at),
            _ => answers[at] = Some(Err(left_alone())),
        }
    }
    let item = |at: &usize| Item {
        trace: tasks[*at].trace.clone(),
        id: id(*at),
        properties: [("dealstage".to_owned(), tasks[*at].deal.stage.clone().into())].into_iter().collect(),
        contact: None,
        mark: None,
    };
    let items: Vec<Item> = due.iter().map(item).collect();
    for (at, written) in due.into_iter().zip(write_all(line, KIND, Verb::Update, &items).await) {
        answers[at] = Some(match written {
            Err(failure) if failure.kind == FailureKind::Vanished => Err(left_alone()),
            written => written.map(|object| receipt(line.desk, &object, false)),
        });
    }
}

fn moves(deal: &DealWrite) -> bool {
    deal.record.is_some() && deal.moves_from.is_some()
}

fn left_alone() -> Failure {
    Failure::new(FailureKind::Conflict, LEFT_ALONE)
}

/// The receipt of a deal that was created before, and is not to be moved.
fn there(desk: &Desk<'_>, deal: &DealWrite) -> Option<Result<Receipt, Failure>> {
    if moves(deal) { None } else { there_at(desk, deal) }
}

fn there_at(desk: &Desk<'_>, deal: &DealWrite) -> Option<Result<Receipt, Failure>> {
    let object = Object { id: deal.record.clone()?, ..Object::default() };
    Some(Ok(receipt(desk, &object, false)))
}

/// Answers for those of these deals that are there, by their key, from the database.
async fn look_for(
    line: &Line<'_>,
    tasks: &[Task<'_>],
    which: Vec<usize>,
    answers: &mut [Option<Result<Receipt, Failure>>],
) {
    let keys: Vec<String> = which.iter().map(|at| tasks[*at].deal.key.clone()).collect();
    let read = by_id(line, KIND.path, Some(DEAL_KEY), &keys, &[DEAL_KEY, "dealstage"]).await;
    for at in which {
        let ours = |object: &&Object| object.text(DEAL_KEY) == Some(&tasks[at].deal.key);
        match &read {
            Ok(found) => {
                let found = found.iter().find(ours);
                let stage = |object: &Object| object.text("dealstage").map(str::to_owned);
                answers[at] = found
                    .map(|object| Ok(Receipt { stage: stage(object), ..receipt(line.desk, object, false) }));
            }
            Err(failure) => answers[at] = Some(Err(drifted(failure.clone(), Some(DEAL_KEY)))),
        }
    }
}

fn receipt(desk: &Desk<'_>, object: &Object, created: bool) -> Receipt {
    Receipt {
        record: RecordRef::new("deal", &object.id),
        url: url(desk, "0-3", object),
        created,
        stage: None,
    }
}

fn item(desk: &Desk<'_>, task: &Task<'_>) -> Item {
    let deal = task.deal;
    let mut properties: Map<String, Value> = [
        (DEAL_KEY, deal.key.clone()),
        ("dealname", deal.name.clone()),
        ("pipeline", deal.pipeline.clone()),
        ("dealstage", deal.stage.clone()),
        ("closedate", format!("{}T00:00:00Z", deal.close_on)),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.into()))
    .collect();
    if let Some(owner) = &deal.owner {
        properties.insert(super::OWNER.to_owned(), owner.clone().into());
    }
    if let Some((amount, currency)) = &deal.amount {
        properties.insert("amount".to_owned(), amount.clone().into());
        // The account's own currency goes without saying; another may be one that the account has not enabled.
        let own = desk.schema.account.get("currency");
        if let Some(currency) = currency.as_ref().filter(|currency| Some(*currency) != own) {
            properties.insert("deal_currency_code".to_owned(), currency.clone().into());
        }
    }
    Item {
        trace: task.trace.clone(),
        id: String::new(),
        properties,
        contact: Some((task.contact.clone(), TO_CONTACT)),
        mark: Some((DEAL_KEY.to_owned(), deal.key.clone())),
    }
}
