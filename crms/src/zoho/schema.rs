//! What an account's fields, layouts and pipelines are, and new fields of ours.

use super::line::{Line, get, goes_on, write};
use super::{OURSELVES, failure, module};
use crate::crm::Desk;
use crate::errand::identifier;
use crate::schema::{Field, FieldKind, NewField, OWNERS, Object, Pipeline, Schema, Stage};
use crate::transport::Method;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use wabridge_model::{Failure, FailureKind};

/// The objects whose fields are read.
const OBJECTS: [&str; 3] = ["lead", "contact", "deal"];

/// What a new person needs and this adapter fills in where nothing is mapped.
const FILLED: [&str; 2] = ["Last_Name", "Company"];

/// Pages of users, 200 each.
const USER_PAGES: usize = 10;

/// Reads fields, what layouts require, pipelines, the currency and the users.
pub(super) async fn schema(desk: &Desk<'_>) -> Result<Schema, Failure> {
    let line = Line::new(desk);
    let mut schema = Schema::default();
    let mut layouts = Vec::new();
    for word in OBJECTS {
        let of = format!("module={}", module(word));
        let body = line.ask(get(&format!("settings/fields?{of}")), word).await.map_err(drift)?;
        let mut fields: BTreeMap<String, Field> = list(&body, "fields").filter_map(field).collect();
        let body = line.ask(get(&format!("settings/layouts?{of}")), word).await.map_err(drift)?;
        for name in required(&body) {
            if let Some(field) = fields.get_mut(&name) {
                field.required = true;
            }
        }
        for name in FILLED {
            if let Some(field) = fields.get_mut(name) {
                field.required = false;
            }
        }
        if word == "deal" {
            layouts = list(&body, "layouts").filter_map(|layout| identifier(&layout["id"])).collect();
        }
        schema.objects.insert(word.to_owned(), Object { fields });
    }
    for id in layouts {
        let body =
            line.ask(get(&format!("settings/pipeline?layout_id={id}")), "deal").await.map_err(drift)?;
        for (name, pipeline) in list(&body, "pipeline").filter_map(pipeline) {
            // New deals get the first layout, where none is named.
            schema.pipelines.entry(name).or_insert(pipeline);
        }
    }
    schema.account = account(desk).await;
    Ok(schema)
}

/// The account's currency and users. A token without these scopes still delivers, but for what needs them.
async fn account(desk: &Desk<'_>) -> BTreeMap<String, String> {
    let mut account = BTreeMap::new();
    if let Ok(body) = Line::new(desk).ask(get("org"), "account").await {
        let said = list(&body, "org").find_map(|org| org["iso_code"].as_str().map(str::to_owned));
        account.extend(said.map(|code| ("currency".to_owned(), code)));
    }
    if let Ok(users) = users(desk).await {
        account.insert(OWNERS.to_owned(), users.join(","));
        if let Ok(body) = Line::new(desk).ask(get("users?type=CurrentUser"), "account").await {
            let ourselves = list(&body, "users").find_map(|user| identifier(&user["id"]));
            account.extend(ourselves.map(|id| (OURSELVES.to_owned(), id)));
        }
    }
    account
}

/// Who may own a record.
async fn users(desk: &Desk<'_>) -> Result<Vec<String>, Failure> {
    let (line, mut ids) = (Line::new(desk), Vec::new());
    for page in 1..=USER_PAGES {
        let path = format!("users?type=ActiveUsers&page={page}&per_page=200");
        let body = line.ask(get(&path), "account").await?;
        ids.extend(list(&body, "users").filter_map(|user| identifier(&user["id"])));
        if !goes_on(&body) {
            return Ok(ids);
        }
    }
    Err(Failure::new(FailureKind::Unknown, "users_without_end"))
}

/// A module that Zoho does not know is no vanished record.
fn drift(failure: Failure) -> Failure {
    match failure.kind {
        FailureKind::Vanished => Failure { kind: FailureKind::Drift, ..failure },
        _ => failure,
    }
}

fn list<'a>(body: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    body[name].as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The fields that the first layout requires: new records get it where none is named.
fn required(body: &Value) -> BTreeSet<String> {
    let first = list(body, "layouts").next().into_iter();
    let fields = first.flat_map(|layout| list(layout, "sections")).flat_map(|part| list(part, "fields"));
    let required = fields.filter(|field| field["required"] == true);
    required.filter_map(|field| field["api_name"].as_str()).map(str::to_owned).collect()
}

fn field(field: &Value) -> Option<(String, Field)> {
    let name = field["api_name"].as_str()?.to_owned();
    let options = list(field, "pick_list_values").filter(|option| option["type"] != "unused");
    let shut =
        field["operation_type"]["api_update"] == false || field["operation_type"]["api_create"] == false;
    let unique = &field["unique"];
    let read = Field {
        label: text(&field["field_label"]),
        native: None,
        kind: kind(field),
        required: field["system_mandatory"] == true,
        // An object where it is unique, an empty one where it is not.
        unique: *unique == true || unique.as_object().is_some_and(|unique| !unique.is_empty()),
        read_only: field["read_only"] == true || field["field_read_only"] == true || shut,
        options: options.filter_map(|option| option["actual_value"].as_str()).map(str::to_owned).collect(),
        longest: field["length"].as_u64().and_then(|length| u32::try_from(length).ok()),
    };
    let longest = read.longest.filter(|_| read.kind == FieldKind::Text);
    Some((name, Field { longest, ..read }))
}

fn kind(field: &Value) -> FieldKind {
    match field["data_type"].as_str().unwrap_or("text") {
        "text" | "textarea" | "email" | "phone" | "website" => FieldKind::Text,
        "integer" | "bigint" | "double" | "decimal" | "currency" | "percent" => FieldKind::Number,
        "boolean" => FieldKind::Truth,
        "date" => FieldKind::Date,
        "datetime" => FieldKind::Instant,
        "picklist" => FieldKind::Choice,
        "multiselectpicklist" => FieldKind::Choices,
        // By the id of a user.
        "ownerlookup" => FieldKind::Text,
        _ => FieldKind::Other,
    }
}

/// Pipelines and stages go by the text that is written to a deal, for Zoho takes no id there.
fn pipeline(pipeline: &Value) -> Option<(String, Pipeline)> {
    let stages = list(pipeline, "maps").filter_map(stage).collect();
    let label = text(&pipeline["display_value"]);
    Some((
        pipeline["actual_value"].as_str().unwrap_or(&label).to_owned(),
        Pipeline { label: label.clone(), stages },
    ))
}

fn stage(stage: &Value) -> Option<(String, Stage)> {
    let forecast = stage["forecast_type"].as_str().unwrap_or_default();
    let read = Stage {
        label: text(&stage["display_value"]),
        order: stage["sequence_number"].as_i64().unwrap_or_default(),
        closed: forecast.starts_with("Closed"),
        won: forecast == "Closed Won",
        // Blueprints are not in any list; a refusal at the write then says so.
        restricted: false,
    };
    let name = stage["actual_value"].as_str().or_else(|| stage["display_value"].as_str())?;
    Some((name.to_owned(), read))
}

/// Creates fields, one request each, so that one refusal spoils no other.
pub(super) async fn add_fields(desk: &Desk<'_>, fields: &[NewField]) -> Vec<Result<(), Failure>> {
    let line = Line::new(desk);
    let mut answers = Vec::with_capacity(fields.len());
    for field in fields {
        answers.push(add(&line, field).await);
    }
    answers
}

async fn add(line: &Line<'_>, field: &NewField) -> Result<(), Failure> {
    let Some((kind, length)) = creation(field.kind) else {
        let mut failure = Failure::new(FailureKind::Invalid, "kind_not_creatable");
        failure.field = Some(field.name.clone());
        return Err(failure);
    };
    // The name on the wire follows from the label.
    let mut new = json!({"field_label": field.name, "data_type": kind});
    if let Some(length) = length {
        new["length"] = json!(length);
    }
    if field.unique {
        new["unique"] = json!({"casesensitive": false});
    }
    let path = format!("settings/fields?module={}", module(&field.object));
    let call = write(Method::Post, &path, json!({"fields": [new]}));
    let body = line.ask(call, &field.object).await.map_err(drift)?;
    match list(&body, "fields").next() {
        Some(entry) if entry["code"] != "SUCCESS" && entry["status"] != "success" => {
            Err(drift(failure::of_entry(entry, &field.object)))
        }
        Some(_) => Ok(()),
        None => Err(Failure::new(FailureKind::Unknown, "no_answer_for_item")),
    }
}

/// Zoho's word for a type, and its length. `None` for what needs options that only a person can name.
fn creation(kind: FieldKind) -> Option<(&'static str, Option<u32>)> {
    match kind {
        FieldKind::Text => Some(("text", Some(255))),
        FieldKind::Number => Some(("double", None)),
        FieldKind::Truth => Some(("boolean", None)),
        FieldKind::Date => Some(("date", None)),
        FieldKind::Instant => Some(("datetime", None)),
        FieldKind::Choice | FieldKind::Choices | FieldKind::Other => None,
    }
}
