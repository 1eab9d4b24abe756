//! What an account's properties and pipelines are, and new properties of ours.

use super::VERSION;
use super::line::{Line, next_page};
use crate::crm::Desk;
use crate::errand::identifier;
use crate::schema::{Field, FieldKind, NewField, OWNERS, Object, Pipeline, Schema, Stage};
use crate::transport::{Call, Method};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use wabridge_model::{Failure, FailureKind};

/// The objects whose properties are read: our word, HubSpot's, and the group that new ones go into.
const OBJECTS: [(&str, &str, &str); 2] =
    [("contact", "contacts", "contactinformation"), ("deal", "deals", "dealinformation")];

/// Pages of owners, 500 each.
const PAGES: usize = 20;

/// Reads properties, pipelines and, for the addresses of records, the account.
pub(super) async fn schema(desk: &Desk<'_>) -> Result<Schema, Failure> {
    let line = Line::new(desk);
    let mut schema = Schema::default();
    for (word, path, _) in OBJECTS {
        let body = line.ask(get(&format!("/crm/properties/{VERSION}/{path}")), word).await.map_err(drift)?;
        let fields = results(&body).filter(|p| p["archived"] != true).filter_map(field).collect();
        schema.objects.insert(word.to_owned(), Object { fields });
    }
    let body = line.ask(get(&format!("/crm/pipelines/{VERSION}/deals")), "deal").await.map_err(drift)?;
    schema.pipelines = results(&body).filter(|p| p["archived"] != true).filter_map(pipeline).collect();
    offer_stages(&mut schema);
    // Only addresses and the currency come from here: a token without this scope still delivers.
    if let Ok(body) = line.ask(get(&format!("/account-info/{VERSION}/details")), "account").await {
        schema.account = account(&body);
    }
    // So is it here: only an owner that is asked for is not written then.
    if let Ok(owners) = owners(&Line::new(desk)).await {
        schema.account.insert(OWNERS.to_owned(), owners.join(","));
    }
    Ok(schema)
}

/// The ids of those whom a record may belong to.
async fn owners(line: &Line<'_>) -> Result<Vec<String>, Failure> {
    let (mut ids, mut after) = (Vec::new(), String::new());
    for _ in 0..PAGES {
        let body = line.ask(get(&format!("/crm/owners/{VERSION}?limit=500{after}")), "owner").await?;
        let current = results(&body).filter(|owner| owner["archived"] != true);
        ids.extend(current.filter_map(|owner| identifier(&owner["id"])));
        match next_page(&body) {
            Some(next) => after = format!("&after={next}"),
            None => return Ok(ids),
        }
    }
    // More than can be told apart from a list that never ends.
    Err(Failure::new(FailureKind::Unknown, "owners_without_end"))
}

fn get(path: &str) -> Call {
    Call::read(Method::Get, path).class("burst")
}

/// An object that HubSpot does not know is no vanished record.
fn drift(failure: Failure) -> Failure {
    match failure.kind {
        FailureKind::Vanished => Failure { kind: FailureKind::Drift, ..failure },
        _ => failure,
    }
}

fn results(body: &Value) -> impl Iterator<Item = &Value> {
    body["results"].as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn field(property: &Value) -> Option<(String, Field)> {
    let name = property["name"].as_str()?.to_owned();
    let read_only =
        property["calculated"] == true || property["modificationMetadata"]["readOnlyValue"] == true;
    let options = property["options"].as_array().into_iter().flatten();
    let field = Field {
        label: text(&property["label"]),
        native: None,
        kind: kind(property),
        // HubSpot does not say.
        required: false,
        unique: property["hasUniqueValue"] == true,
        read_only,
        options: options.filter_map(|option| option["value"].as_str()).map(str::to_owned).collect(),
        longest: None,
    };
    Some((name, field))
}

fn kind(property: &Value) -> FieldKind {
    match (property["type"].as_str().unwrap_or("string"), property["fieldType"].as_str()) {
        ("string" | "phone_number", _) => FieldKind::Text,
        ("number", _) => FieldKind::Number,
        ("bool", _) | ("enumeration", Some("booleancheckbox")) => FieldKind::Truth,
        ("date", _) => FieldKind::Date,
        ("datetime", _) => FieldKind::Instant,
        ("enumeration", Some("checkbox")) => FieldKind::Choices,
        ("enumeration", _) => FieldKind::Choice,
        _ => FieldKind::Other,
    }
}

fn pipeline(pipeline: &Value) -> Option<(String, Pipeline)> {
    let stages = pipeline["stages"].as_array().into_iter().flatten();
    let stages = stages.filter(|stage| stage["archived"] != true).filter_map(stage).collect();
    Some((pipeline["id"].as_str()?.to_owned(), Pipeline { label: text(&pipeline["label"]), stages }))
}

fn stage(stage: &Value) -> Option<(String, Stage)> {
    // Both are text in HubSpot: "true", "1.0".
    let metadata = &stage["metadata"];
    let closed = metadata["isClosed"] == "true" || metadata["isClosed"] == true;
    let probability = metadata["probability"].as_str().and_then(|text| text.parse().ok());
    let probability: f64 = probability.or_else(|| metadata["probability"].as_f64()).unwrap_or_default();
    let restricted =
        stage["writePermissions"].as_str().is_some_and(|who| who != "CRM_PERMISSIONS_ENFORCEMENT");
    let read = Stage {
        label: text(&stage["label"]),
        order: stage["displayOrder"].as_i64().unwrap_or_default(),
        closed,
        won: closed && probability >= 1.0,
        restricted,
    };
    Some((stage["id"].as_str()?.to_owned(), read))
}

/// The properties `pipeline` and `dealstage` list no options of their own: they are the pipelines'.
fn offer_stages(schema: &mut Schema) {
    let pipelines: Vec<String> = schema.pipelines.keys().cloned().collect();
    let stages = schema.pipelines.values().flat_map(|pipeline| pipeline.stages.keys().cloned()).collect();
    let Some(deal) = schema.objects.get_mut("deal") else { return };
    for (name, options) in [("pipeline", pipelines), ("dealstage", stages)] {
        if let Some(field) = deal.fields.get_mut(name) {
            field.options = options;
        }
    }
}

fn account(body: &Value) -> BTreeMap<String, String> {
    let portal = identifier(&body["portalId"]);
    let said = |name: &str| body[name].as_str().map(str::to_owned);
    let known =
        [("portal_id", portal), ("ui_domain", said("uiDomain")), ("currency", said("companyCurrency"))];
    known.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// Creates properties, one request each: a batch would fail as a whole.
pub(super) async fn add_fields(desk: &Desk<'_>, fields: &[NewField]) -> Vec<Result<(), Failure>> {
    let line = Line::new(desk);
    let mut answers = Vec::with_capacity(fields.len());
    for field in fields {
        answers.push(match creation(field) {
            Some(call) => line.ask(call, &field.object).await.map(|_| ()).map_err(drift),
            None => {
                let mut failure = Failure::new(FailureKind::Invalid, "kind_not_creatable");
                failure.field = Some(field.name.clone());
                Err(failure)
            }
        });
    }
    answers
}

/// `None` for what needs options that only a person can name.
fn creation(field: &NewField) -> Option<Call> {
    let (_, path, group) = OBJECTS.into_iter().find(|(word, ..)| *word == field.object)?;
    let (kind, shown) = match field.kind {
        FieldKind::Text => ("string", "text"),
        FieldKind::Number => ("number", "number"),
        FieldKind::Truth => ("bool", "booleancheckbox"),
        FieldKind::Date => ("date", "date"),
        FieldKind::Instant => ("datetime", "date"),
        FieldKind::Choice | FieldKind::Choices | FieldKind::Other => return None,
    };
    let mut body = json!({"name": field.name, "label": field.label, "type": kind, "fieldType": shown,
        "groupName": group, "hasUniqueValue": field.unique});
    if field.kind == FieldKind::Truth {
        body["options"] = json!([{"label": "Yes", "value": "true", "displayOrder": 0, "hidden": false},
            {"label": "No", "value": "false", "displayOrder": 1, "hidden": false}]);
    }
    Some(Call::write(Method::Post, format!("/crm/properties/{VERSION}/{path}"), body).class("burst"))
}
