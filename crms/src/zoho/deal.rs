//! Deals, created once with a unique field of ours and their contact in the same request.
//!
//! A deal that is there is left as people have made it: Zoho refuses the second and names the first. It is moved on where
//! that is asked for, and where it still stands in the stage that we wrote last; its workflows run, for a stage is theirs.

use super::DEAL_KEY;
use super::batch::{Form, Verb, write_all};
use super::line::{Line, data, number, query};
use super::read;
use crate::crm::{DealWrite, LEFT_ALONE, Receipt};
use crate::errand::identifier;
use serde_json::{Map, Value, json};
use wabridge_model::{Failure, FailureKind, RecordRef};

/// A deal to create, and the person it belongs to.
pub(super) struct Task<'a> {
    pub(super) deal: &'a DealWrite,
    pub(super) person: &'a RecordRef,
}

/// Creates deals, and moves on those that are to be; one answer for each.
pub(super) async fn write(line: &Line<'_>, tasks: &[Task<'_>]) -> Vec<Result<Receipt, Failure>> {
    let mut answers: Vec<Option<Result<Receipt, Failure>>> = tasks.iter().map(known).collect();
    move_on(line, tasks, &mut answers).await;
    let due: Vec<usize> = (0..tasks.len()).filter(|at| answers[*at].is_none()).collect();
    let records: Vec<Map<String, Value>> = due.iter().map(|at| fields(line, &tasks[*at])).collect();
    let form = Form { module: "Deals", object: "deal", verb: Verb::Create, unique: DEAL_KEY, quiet: false };
    for (at, written) in due.into_iter().zip(write_all(line, form, &records).await) {
        answers[at] = Some(match written {
            Ok(done) => Ok(receipt(&done.id, done.created)),
            Err(failure) => there(line, tasks[at].deal, failure).await,
        });
    }
    let unwritten = || Err(Failure::new(FailureKind::Unknown, "no_answer_for_item"));
    answers.into_iter().map(|answer| answer.unwrap_or_else(unwritten)).collect()
}

/// Moves deals on that stand where we put them. Those that do not are somebody else's now.
async fn move_on(line: &Line<'_>, tasks: &[Task<'_>], answers: &mut [Option<Result<Receipt, Failure>>]) {
    let moves = |at: &usize| answers[*at].is_none() && tasks[*at].deal.record.is_some();
    let moved: Vec<usize> = (0..tasks.len()).filter(moves).collect();
    let id = |at: usize| tasks[at].deal.record.as_deref().unwrap_or_default();
    let ids: Vec<&str> = moved.iter().map(|at| id(*at)).collect();
    let columns = ["Stage".to_owned(), "Pipeline".to_owned()];
    let read = match read::many(line, "deal", &ids, &columns).await {
        Ok(read) => read,
        Err(failure) => return moved.into_iter().for_each(|at| answers[at] = Some(Err(failure.clone()))),
    };
    let mut due = Vec::new();
    for at in moved {
        let deal = tasks[at].deal;
        // The pipeline is not in every account's deals.
        let is_ours = |row: &&Value| row["Pipeline"].as_str().is_none_or(|it| it == deal.pipeline);
        let row = read.get(id(at)).filter(is_ours);
        match row.and_then(|row| row["Stage"].as_str()) {
            Some(stage) if stage == deal.stage => answers[at] = Some(Ok(receipt(id(at), false))),
            Some(stage) if Some(stage) == deal.moves_from.as_deref() => due.push(at),
            _ => answers[at] = Some(Err(left_alone())),
        }
    }
    let record = |at: &usize| {
        let stage = &tasks[*at].deal.stage;
        [("id".to_owned(), json!(id(*at))), ("Stage".to_owned(), json!(stage))].into_iter().collect()
    };
    let records: Vec<Map<String, Value>> = due.iter().map(record).collect();
    let form = Form { module: "Deals", object: "deal", verb: Verb::Update, unique: DEAL_KEY, quiet: false };
    for (at, written) in due.into_iter().zip(write_all(line, form, &records).await) {
        answers[at] = Some(match written {
            Err(failure) if failure.kind == FailureKind::Vanished => Err(left_alone()),
            written => written.map(|done| receipt(&done.id, false)),
        });
    }
}

fn left_alone() -> Failure {
    Failure::new(FailureKind::Conflict, LEFT_ALONE)
}

/// What needs no call: a deal that was created before and is not to be moved, and one of a lead, which can own none.
fn known(task: &Task<'_>) -> Option<Result<Receipt, Failure>> {
    if let Some(id) = &task.deal.record {
        return task.deal.moves_from.is_none().then(|| Ok(receipt(id, false)));
    }
    let owns = task.person.object == "contact";
    (!owns).then(|| Err(Failure::new(FailureKind::Invalid, "lead_owns_no_deal")))
}

/// A conflict of our key is the deal of an earlier attempt.
async fn there(line: &Line<'_>, deal: &DealWrite, failure: Failure) -> Result<Receipt, Failure> {
    let ours = failure.kind == FailureKind::Conflict
        && failure.field.as_deref().is_none_or(|field| field == DEAL_KEY);
    match &failure.existing {
        _ if !ours => Err(failure),
        Some(there) => {
            let read = read::many(line, "deal", &[&there.id], &["Stage".to_owned()]).await?;
            Ok(found(&there.id, read.get(&there.id).unwrap_or(&Value::Null)))
        }
        None => {
            let key = deal.key.replace('\\', "\\\\").replace('\'', "\\'");
            let text = format!("select id, Stage from Deals where {DEAL_KEY} = '{key}' limit 200");
            let body = line.ask(query(&text), "deal").await?;
            let row = data(&body).first().and_then(|row| Some(found(&identifier(&row["id"])?, row)));
            row.ok_or(failure)
        }
    }
}

/// A deal that was to be made and is there already.
fn found(id: &str, row: &Value) -> Receipt {
    Receipt { stage: row["Stage"].as_str().map(str::to_owned), ..receipt(id, false) }
}

fn receipt(id: &str, created: bool) -> Receipt {
    Receipt { record: RecordRef::new("deal", id), url: None, created, stage: None }
}

/// Pipeline and stage are texts at Zoho, not ids.
fn fields(line: &Line<'_>, task: &Task<'_>) -> Map<String, Value> {
    let deal = task.deal;
    let mut fields = Map::new();
    let mut set = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    set(DEAL_KEY, json!(deal.key));
    set("Deal_Name", json!(deal.name));
    set("Pipeline", json!(deal.pipeline));
    set("Stage", json!(deal.stage));
    set("Closing_Date", json!(deal.close_on.to_string()));
    set("Contact_Name", json!({"id": task.person.id}));
    if let Some(owner) = &deal.owner {
        set(super::OWNER, json!({ "id": owner }));
    }
    if let Some((amount, currency)) = &deal.amount {
        set("Amount", number(amount));
        // Only accounts of several currencies have the field.
        let schema = line.desk.schema;
        let has = schema.objects.get("deal").is_some_and(|deal| deal.fields.contains_key("Currency"));
        let own = schema.account.get("currency");
        if let Some(currency) = currency.as_ref().filter(|currency| has && Some(*currency) != own) {
            set("Currency", json!(currency));
        }
    }
    fields
}
