//! One errand at HubSpot: its calls, the shapes of its answers, and when to stop calling.

use super::{VERSION, failure};
use crate::crm::Desk;
use crate::errand::{Stop, garbage, identifier};
use crate::mapping::Datum;
use crate::schema::FieldKind;
use crate::transport::{Call, Method};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use wabridge_model::Failure;

/// The calls of one errand. Once HubSpot throttles, shuts the door or does not answer, no more are made.
pub(super) struct Line<'a> {
    pub(super) desk: &'a Desk<'a>,
    stop: Stop,
}

impl<'a> Line<'a> {
    pub(super) fn new(desk: &'a Desk<'a>) -> Line<'a> {
        Line { desk, stop: Stop::default() }
    }

    /// Sends a call. A success is a JSON object; `object` is our word for what it is about.
    pub(super) async fn ask(&self, call: Call, object: &str) -> Result<Value, Failure> {
        self.stop.check()?;
        let writes = call.writes;
        let answered = match self.desk.transport.send(call).await {
            Err(none) => Err(none.failure(writes)),
            Ok(answer) if (200..300).contains(&answer.status) => match answer.json() {
                body @ Value::Object(_) => Ok(body),
                _ => Err(garbage(answer.status, writes)),
            },
            Ok(answer) => Err(failure::of_answer(&answer, writes, object)),
        };
        if let Err(failure) = &answered {
            self.stop.note(failure);
        }
        answered
    }
}

/// A call that reads, by the path below the objects of this version.
pub(super) fn get(path: &str) -> Call {
    Call::read(Method::Get, objects(path)).class("burst")
}

/// A reading call with a body.
pub(super) fn post_read(path: &str, body: Value) -> Call {
    Call::read(Method::Post, objects(path)).body(body).class("burst")
}

/// A call that writes.
pub(super) fn write(method: Method, path: &str, body: Value) -> Call {
    Call::write(method, objects(path), body).class("burst")
}

fn objects(path: &str) -> String {
    format!("/crm/objects/{VERSION}/{path}")
}

/// A record, as every endpoint shows it.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Object {
    pub(super) id: String,
    pub(super) properties: BTreeMap<String, Value>,
    pub(super) created_at: String,
    pub(super) trace: Option<String>,
    pub(super) new: Option<bool>,
    pub(super) url: Option<String>,
}

impl Object {
    pub(super) fn read(value: &Value) -> Option<Object> {
        let text = |name: &str| value[name].as_str().map(str::to_owned);
        let properties = value["properties"].as_object().into_iter().flatten();
        let properties = properties.filter(|(_, value)| !is_empty(value));
        Some(Object {
            id: identifier(&value["id"])?,
            properties: properties.map(|(name, value)| (name.clone(), value.clone())).collect(),
            created_at: text("createdAt").unwrap_or_default(),
            trace: text("objectWriteTraceId"),
            new: value["new"].as_bool(),
            url: text("url"),
        })
    }

    /// The records in `results`; one that cannot be read is left out.
    pub(super) fn results(body: &Value) -> Vec<Object> {
        body["results"].as_array().into_iter().flatten().filter_map(Object::read).collect()
    }

    pub(super) fn text(&self, property: &str) -> Option<&str> {
        self.properties.get(property)?.as_str()
    }
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(str::is_empty)
}

/// What to ask for the next page with.
pub(super) fn next_page(body: &Value) -> Option<String> {
    identifier(&body["paging"]["next"]["after"])
}

/// Where a person opens a record, if the account is known.
pub(super) fn url(desk: &Desk<'_>, object_type: &str, object: &Object) -> Option<String> {
    let account = &desk.schema.account;
    let known = account.get("portal_id").map(|portal| {
        let host = account.get("ui_domain").map_or("app.hubspot.com", String::as_str);
        format!("https://{host}/contacts/{portal}/record/{object_type}/{}", object.id)
    });
    known.or_else(|| object.url.clone())
}

/// Values as HubSpot spells them: text all, a list with semicolons, an instant in milliseconds.
pub(super) fn properties(
    desk: &Desk<'_>,
    object: &str,
    values: &BTreeMap<String, Datum>,
) -> Map<String, Value> {
    let fields = desk.schema.objects.get(object).map(|object| &object.fields);
    let kind = |name: &String| fields.and_then(|fields| fields.get(name)).map(|field| field.kind);
    values.iter().map(|(name, datum)| (name.clone(), Value::from(spell(datum, kind(name))))).collect()
}

fn spell(datum: &Datum, kind: Option<FieldKind>) -> String {
    match datum {
        Datum::Text(text) | Datum::Number(text) => text.clone(),
        Datum::Truth(truth) => truth.to_string(),
        Datum::Instant(at) if kind == Some(FieldKind::Date) => at.strftime("%Y-%m-%d").to_string(),
        Datum::Instant(at) => instant(*at),
        Datum::Texts(texts) if kind == Some(FieldKind::Choices) => texts.join(";"),
        Datum::Texts(texts) => texts.join(", "),
    }
}

/// An instant to the millisecond, the most that HubSpot keeps.
pub(super) fn instant(at: jiff::Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    #[test]
    fn values_are_spelt_for_the_kind_of_their_property() {
        let at: Timestamp = "2026-11-22T08:35:12.123456Z".parse().unwrap();
        let texts = Datum::Texts(vec!["a".to_owned(), "b".to_owned()]);
        assert_eq!(spell(&Datum::Instant(at), Some(FieldKind::Instant)), "2026-11-22T08:35:12.123Z");
        assert_eq!(spell(&Datum::Instant(at), Some(FieldKind::Date)), "2026-11-22");
        assert_eq!(spell(&texts, Some(FieldKind::Choices)), "a;b");
        assert_eq!(spell(&texts, Some(FieldKind::Text)), "a, b");
        assert_eq!(spell(&Datum::Truth(true), None), "true");
    }
}
