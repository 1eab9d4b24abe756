//! What is fixed of the account: its organisation, users, pipelines and layouts. Only read.

use super::ORG;
use super::module::Module;
use super::problem::Problem;
use crate::call::{Answer, Call};
use serde_json::{Value, json};

/// Users: id, e-mail, first and last name. The first one is who the API's client acts as.
pub(super) const USERS: [(&str, &str, &str, &str); 2] = [
    ("4876876000000225013", "asha.rep@example.com", "Asha", "Rep"),
    ("4876876000000225014", "ravi.rep@example.com", "Ravi", "Rep"),
];

/// A stage: what is written, what people see, its chance, and how it ends.
type Stage = (&'static str, &'static str, u64, &'static str);

const SALES: [Stage; 8] = [
    ("Qualification", "Qualification", 10, "Open"),
    ("Needs Analysis", "Needs Analysis", 20, "Open"),
    ("Value Proposition", "Value Proposition", 40, "Open"),
    ("Identify Decision Makers", "Identify Decision Makers", 60, "Open"),
    // Renamed by the administrator: what is written stays what it was.
    ("Proposal/Price Quote", "Proposal Sent", 75, "Open"),
    ("Negotiation/Review", "Negotiation/Review", 90, "Open"),
    ("Closed Won", "Closed Won", 100, "Closed Won"),
    ("Closed Lost", "Closed Lost", 0, "Closed Lost"),
];

const PARTNERS: [Stage; 3] = [
    ("Introduced", "Introduced", 30, "Open"),
    (GUARDED, "Under Review", 50, "Open"),
    ("Signed", "Signed", 100, "Closed Won"),
];

/// The stage that a Blueprint guards: a deal leaves it by the Blueprint's transitions alone.
pub(super) const GUARDED: &str = "Under Review";

/// Pipelines; the first one is the default.
pub(super) const PIPELINES: [(&str, &[Stage]); 2] =
    [("Standard (Standard)", &SALES), ("Partners (Standard)", &PARTNERS)];

pub(super) fn is_user(id: &str) -> bool {
    USERS.iter().any(|(user, ..)| *user == id)
}

/// A user as records name them.
pub(super) fn user(id: &str) -> Value {
    let known = USERS.iter().find(|(user, ..)| *user == id);
    known.map_or(
        Value::Null,
        |(id, email, first, last)| json!({"name": format!("{first} {last}"), "id": id, "email": email}),
    )
}

/// Whether a pipeline has a stage; `None` where there is no such pipeline.
pub(super) fn has_stage(pipeline: &str, stage: &str) -> Option<bool> {
    let (_, stages) = PIPELINES.iter().find(|(name, _)| *name == pipeline)?;
    Some(stages.iter().any(|(name, ..)| *name == stage))
}

/// All stages, for the pick list of deals.
pub(super) fn stages() -> Vec<(String, String)> {
    let stages = PIPELINES.iter().flat_map(|(_, stages)| stages.iter());
    stages.map(|(actual, shown, ..)| ((*actual).to_owned(), (*shown).to_owned())).collect()
}

pub(super) fn layout_id(module: Module) -> String {
    (ORG + 3_000 + module as u64).to_string()
}

/// `GET /crm/v8/settings/pipeline`
pub(super) fn pipelines(call: &Call<'_>, path: &[&str]) -> Result<Answer, Problem> {
    let layout = call.query("layout_id").ok_or_else(|| Problem::parameter("layout_id"))?;
    if layout != layout_id(Module::Deals) {
        return Err(Problem::bad_parameter("layout_id"));
    }
    let all = PIPELINES.iter().enumerate().map(pipeline);
    let shown: Vec<Value> = match path {
        [] => all.collect(),
        [id] => all.filter(|it| it["id"] == *id).collect(),
        _ => return Err(Problem::nothing_here()),
    };
    if shown.is_empty() { Ok(Answer::empty()) } else { Ok(Answer::new(200, json!({ "pipeline": shown }))) }
}

fn pipeline((at, (name, stages)): (usize, &(&str, &[Stage]))) -> Value {
    let base = ORG + 4_000 + 100 * at as u64;
    let stage = |(at, (actual, shown, _, forecast)): (usize, &Stage)| {
        json!({
            "id": (base + 1 + at as u64).to_string(), "actual_value": actual, "display_value": shown,
            "sequence_number": at + 1, "forecast_type": forecast, "colour_code": null,
            "forecast_category": {"name": if *forecast == "Open" { "Pipeline" } else { "Closed" },
                                  "id": (ORG + 4_900).to_string()},
        })
    };
    let maps: Vec<Value> = stages.iter().enumerate().map(stage).collect();
    json!({"id": base.to_string(), "display_value": name, "actual_value": name, "default": at == 0,
           "child_available": false, "parent": null, "maps": maps})
}

/// `GET /crm/v8/org`: the edition and the users bought fit the credits of [`super::limit`].
pub(super) fn org() -> Answer {
    let org = json!({
        "id": ORG.to_string(), "company_name": "Example Traders", "alias": null, "country": "India",
        "country_code": "IN", "time_zone": "Asia/Kolkata", "currency": "Indian Rupee",
        "currency_symbol": "₹", "iso_code": "INR", "currency_locale": "en_IN", "zgid": "60001234567",
        "primary_email": USERS[0].1, "primary_zuid": "60001234500", "phone": null, "mobile": null,
        "website": null, "city": "Pune", "street": null, "state": "Maharashtra", "zip": null,
        "type": "production", "max_per_page": 200,
        "license_details": {
            "paid": true, "paid_type": "enterprise", "paid_expiry": "2030-01-05T00:00:00+05:30",
            "trial_type": null, "trial_expiry": null, "trial_action": null,
            "users_license_purchased": super::limit::USERS_BOUGHT,
        },
    });
    Answer::new(200, json!({ "org": [org] }))
}

/// `GET /crm/v8/users...`
pub(super) fn users(call: &Call<'_>, path: &[&str]) -> Result<Answer, Problem> {
    let shown = |(id, email, first, last): &(&str, &str, &str, &str)| {
        json!({
            "id": id, "email": email, "first_name": first, "last_name": last,
            "full_name": format!("{first} {last}"), "status": "active", "confirm": true, "zuid": null,
            "role": {"name": "CEO", "id": (ORG + 31).to_string()},
            "profile": {"name": "Administrator", "id": (ORG + 26).to_string()},
            "time_zone": "Asia/Kolkata", "created_time": "2026-01-05T09:00:00+05:30",
        })
    };
    let wanted: Vec<Value> = match path {
        [] if call.query("type") == Some("CurrentUser") => USERS.iter().take(1).map(shown).collect(),
        [] => USERS.iter().map(shown).collect(),
        [id] => USERS.iter().filter(|(user, ..)| user == id).map(shown).collect(),
        _ => return Err(Problem::nothing_here()),
    };
    if wanted.is_empty() {
        return Ok(Answer::empty());
    }
    let info = json!({"per_page": 200, "count": wanted.len(), "page": 1, "more_records": false});
    Ok(Answer::new(200, json!({ "users": wanted, "info": info })))
}

/// `GET /crm/v8/settings/modules`
pub(super) fn modules() -> Answer {
    let shown = |module: Module| {
        json!({
            "id": module.id(), "api_name": module.name(), "module_name": module.name(),
            "singular_label": module.singular(), "plural_label": module.name(),
            "api_supported": true, "creatable": true, "editable": true, "deletable": true, "viewable": true,
            "convertable": module == Module::Leads, "visible": true, "generated_type": "default",
            "global_search_supported": true, "profiles": [], "modified_time": null, "parent_module": {},
        })
    };
    let modules: Vec<Value> = Module::ALL.into_iter().map(shown).collect();
    Answer::new(200, json!({ "modules": modules }))
}
