//! Pipelines and their stages, and the owners: fixed, and only read.

use super::problem::Problem;
use super::schema::nothing_here;
use crate::call::{Answer, Call};
use serde_json::{Value, json};

/// A stage: id, label, whether it ends a deal, and its chance to be won.
type Stage = (&'static str, &'static str, bool, &'static str);

const SALES: [Stage; 7] = [
    ("appointmentscheduled", "Appointment Scheduled", false, "0.2"),
    ("qualifiedtobuy", "Qualified To Buy", false, "0.4"),
    ("presentationscheduled", "Presentation Scheduled", false, "0.6"),
    ("decisionmakerboughtin", "Decision Maker Bought-In", false, "0.8"),
    ("contractsent", "Contract Sent", false, "0.9"),
    ("closedwon", "Closed Won", true, "1.0"),
    ("closedlost", "Closed Lost", true, "0.0"),
];

const PARTNERS: [Stage; 3] = [
    ("918273640", "Introduced", false, "0.3"),
    ("918273641", "Under Review", false, "0.5"),
    ("918273642", "Signed", true, "1.0"),
];

/// The stage that nobody but HubSpot's own tools may write to.
const READ_ONLY: &str = "918273641";

const PIPELINES: [(&str, &str, &[Stage]); 2] =
    [("default", "Sales Pipeline", &SALES), ("918273645", "Partners", &PARTNERS)];

/// Owners: id, e-mail, first and last name.
const OWNERS: [(&str, &str, &str, &str); 2] = [
    ("77310001", "asha.rep@example.com", "Asha", "Rep"),
    ("77310002", "ravi.rep@example.com", "Ravi", "Rep"),
];

pub(super) fn is_owner(id: &str) -> bool {
    OWNERS.iter().any(|(owner, ..)| *owner == id)
}

/// A stage of a pipeline, by their ids: whether it may be written to, whether it ends a deal and is won.
pub(super) fn stage(pipeline: &str, stage: &str) -> Option<(bool, bool, bool)> {
    let (.., stages) = PIPELINES.iter().find(|(id, ..)| *id == pipeline)?;
    let (id, _, closed, probability) = stages.iter().find(|(id, ..)| *id == stage)?;
    Some((*id != READ_ONLY, *closed, *closed && *probability == "1.0"))
}

pub(super) fn is_pipeline(id: &str) -> bool {
    PIPELINES.iter().any(|(pipeline, ..)| *pipeline == id)
}

/// `GET /crm/pipelines/{type}...`
pub(super) fn answer(path: &[&str]) -> Result<Answer, Problem> {
    let [object, rest @ ..] = path else { return Err(nothing_here()) };
    if !matches!(*object, "deals" | "deal" | "0-3") {
        return Ok(Answer::new(200, json!({ "results": [] })));
    }
    let all: Vec<Value> = PIPELINES.iter().enumerate().map(shown).collect();
    let missing = || Problem::new(404, "OBJECT_NOT_FOUND", "No pipeline or stage with that ID.");
    let named = |list: &[Value], id: &str| list.iter().find(|it| it["id"] == id).cloned().ok_or_else(missing);
    let body = match rest {
        [] => json!({ "results": all }),
        [id] => named(&all, id)?,
        [id, "stages"] => json!({ "results": named(&all, id)?["stages"] }),
        [id, "stages", stage] => {
            let pipeline = named(&all, id)?;
            named(pipeline["stages"].as_array().map_or(&[], Vec::as_slice), stage)?
        }
        [id, "audit"] => {
            named(&all, id)?;
            json!({ "results": [] })
        }
        _ => return Err(nothing_here()),
    };
    Ok(Answer::new(200, body))
}

fn shown((at, (id, label, stages)): (usize, &(&str, &str, &[Stage]))) -> Value {
    let stage = |(at, (id, label, closed, probability)): (usize, &Stage)| {
        let permission = if *id == READ_ONLY { "READ_ONLY" } else { "CRM_PERMISSIONS_ENFORCEMENT" };
        json!({
            "id": id, "label": label, "displayOrder": at, "archived": false,
            "writePermissions": permission,
            "metadata": { "isClosed": closed.to_string(), "probability": probability },
            "createdAt": "2026-01-05T09:00:00Z", "updatedAt": "2026-01-05T09:00:00Z",
        })
    };
    let stages: Vec<Value> = stages.iter().enumerate().map(stage).collect();
    json!({
        "id": id, "label": label, "displayOrder": at, "archived": false, "stages": stages,
        "createdAt": "2026-01-05T09:00:00Z", "updatedAt": "2026-01-05T09:00:00Z",
    })
}

/// `GET /crm/owners...`
pub(super) fn owners(call: &Call<'_>, path: &[&str]) -> Result<Answer, Problem> {
    let shown = |(at, (id, email, first, last)): (usize, &(&str, &str, &str, &str))| {
        json!({
            "id": id, "email": email, "firstName": first, "lastName": last, "userId": 4_410_000 + at,
            "type": "PERSON", "archived": false, "teams": [],
            "createdAt": "2026-01-05T09:00:00Z", "updatedAt": "2026-01-05T09:00:00Z",
        })
    };
    let all: Vec<Value> = OWNERS.iter().enumerate().map(shown).collect();
    match path {
        [] => {
            let wanted = |it: &&Value| call.query("email").is_none_or(|email| it["email"] == email);
            let results: Vec<&Value> = all.iter().filter(wanted).collect();
            Ok(Answer::new(200, json!({ "results": results })))
        }
        [id] => {
            let owner = all.into_iter().find(|it| it["id"] == *id);
            owner.map(|owner| Answer::new(200, owner)).ok_or_else(|| Problem::not_found(id))
        }
        _ => Err(nothing_here()),
    }
}
