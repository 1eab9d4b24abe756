//! One errand at Zoho: its calls, the shapes of its answers, and when to stop calling.

use super::{OURSELVES, OWNER, VERSION, failure};
use crate::crm::Desk;
use crate::errand::{Stop, garbage, identifier};
use crate::mapping::Datum;
use crate::schema::{Field, FieldKind};
use crate::transport::{Call, Method};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use wabridge_model::Failure;

/// The calls of one errand. Once Zoho throttles, shuts the door or does not answer, no more are made.
pub(super) struct Line<'a> {
    pub(super) desk: &'a Desk<'a>,
    stop: Stop,
}

impl<'a> Line<'a> {
    pub(super) fn new(desk: &'a Desk<'a>) -> Line<'a> {
        Line { desk, stop: Stop::default() }
    }

    /// Sends a call. A success is a JSON object, empty where a read found nothing; so is a refusal that answers for
    /// each record. `object` is our word for what it is about.
    pub(super) async fn ask(&self, call: Call, object: &str) -> Result<Value, Failure> {
        self.stop.check()?;
        let writes = call.writes;
        let answered = match self.desk.transport.send(call).await {
            Err(none) => Err(none.failure(writes)),
            // Zoho's way to say that nothing was found.
            Ok(answer) if answer.status == 204 && !writes => Ok(json!({})),
            Ok(answer) if (200..300).contains(&answer.status) => match answer.json() {
                body @ Value::Object(_) => Ok(body),
                _ => Err(garbage(answer.status, writes)),
            },
            Ok(answer) if answer.status == 400 && writes && answer.json()["data"].is_array() => {
                Ok(answer.json())
            }
            Ok(answer) => Err(failure::of_answer(&answer, writes, object)),
        };
        if let Err(failure) = &answered {
            self.stop.note(failure);
        }
        answered
    }

    /// Whether an object has a field; of an object that the schema does not have, everything is assumed.
    pub(super) fn has(&self, object: &str, field: &str) -> bool {
        self.desk.schema.objects.get(object).is_none_or(|object| object.fields.contains_key(field))
    }
}

/// A call that reads, by the path below the version.
pub(super) fn get(path: &str) -> Call {
    Call::read(Method::Get, full(path)).class("read")
}

/// A query of COQL.
pub(super) fn query(text: &str) -> Call {
    Call::read(Method::Post, full("coql")).body(json!({"select_query": text})).class("coql")
}

/// A call that writes.
pub(super) fn write(method: Method, path: &str, body: Value) -> Call {
    Call::write(method, full(path), body).class("write")
}

fn full(path: &str) -> String {
    format!("/crm/{VERSION}/{path}")
}

/// The records in `data`.
pub(super) fn data(body: &Value) -> &[Value] {
    body["data"].as_array().map_or(&[], Vec::as_slice)
}

/// Whether a list goes on.
pub(super) fn goes_on(body: &Value) -> bool {
    body["info"]["more_records"] == true
}

/// The values of some fields, those that are empty left out. Instants lose the account's offset: they are compared.
pub(super) fn values(
    desk: &Desk<'_>,
    object: &str,
    record: &Value,
    fields: &[String],
) -> BTreeMap<String, Value> {
    let value = |name: &String| {
        if name == OWNER {
            return owner(desk, &record[OWNER]).map(|id| (name.clone(), json!(id)));
        }
        let value = &record[name.as_str()];
        let empty = match value {
            Value::Null => true,
            Value::String(text) => text.is_empty(),
            Value::Array(list) => list.is_empty(),
            _ => false,
        };
        let instant = || value.as_str().filter(|_| kind(desk, object, name) == Some(FieldKind::Instant));
        let instant = || instant()?.parse::<Timestamp>().ok().map(|at| Value::from(at.to_string()));
        (!empty).then(|| (name.clone(), instant().unwrap_or_else(|| value.clone())))
    };
    fields.iter().filter_map(value).collect()
}

/// Whose a record is, unless it is whose the token is: that is what records are that were given to nobody.
fn owner(desk: &Desk<'_>, value: &Value) -> Option<String> {
    let id = identifier(value).or_else(|| identifier(&value["id"]))?;
    (desk.schema.account.get(OURSELVES) != Some(&id)).then_some(id)
}

fn field<'a>(desk: &Desk<'a>, object: &str, name: &str) -> Option<&'a Field> {
    desk.schema.objects.get(object)?.fields.get(name)
}

fn kind(desk: &Desk<'_>, object: &str, name: &str) -> Option<FieldKind> {
    field(desk, object, name).map(|field| field.kind)
}

/// Values as Zoho spells them. Those that the object has no field for are left out.
pub(super) fn spelt(line: &Line<'_>, object: &str, values: &BTreeMap<String, Datum>) -> Map<String, Value> {
    let there = values.iter().filter(|(name, _)| line.has(object, name));
    let spelt = |(name, datum): (&String, &Datum)| match datum {
        Datum::Text(id) if name == OWNER => (name.clone(), json!({ "id": id })),
        datum => (name.clone(), spell(datum, kind(line.desk, object, name))),
    };
    there.map(spelt).collect()
}

fn spell(datum: &Datum, kind: Option<FieldKind>) -> Value {
    match datum {
        Datum::Text(text) | Datum::Number(text) if kind == Some(FieldKind::Number) => number(text),
        Datum::Text(text) if kind == Some(FieldKind::Choices) => json!([text]),
        Datum::Text(text) | Datum::Number(text) => json!(text),
        Datum::Truth(truth) if kind == Some(FieldKind::Truth) => json!(truth),
        Datum::Truth(truth) => json!(truth.to_string()),
        Datum::Instant(at) if kind == Some(FieldKind::Date) => json!(at.strftime("%Y-%m-%d").to_string()),
        // Zoho wants an offset and no fractions.
        Datum::Instant(at) => json!(at.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string()),
        Datum::Texts(texts) if kind == Some(FieldKind::Choices) => json!(texts),
        Datum::Texts(texts) => json!(texts.join(", ")),
    }
}

/// A decimal text as a number; one that is none, as it is: Zoho names the field then.
pub(super) fn number(text: &str) -> Value {
    serde_json::from_str::<Value>(text).ok().filter(Value::is_number).unwrap_or_else(|| json!(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_spelt_for_the_kind_of_their_field() {
        let at: Timestamp = "2026-11-22T08:35:12.123456Z".parse().unwrap();
        let texts = Datum::Texts(vec!["a".to_owned(), "b".to_owned()]);
        let instant = Datum::Instant(at);
        assert_eq!(spell(&instant, Some(FieldKind::Instant)), json!("2026-11-22T08:35:12+00:00"));
        assert_eq!(spell(&instant, Some(FieldKind::Date)), json!("2026-11-22"));
        assert_eq!(spell(&texts, Some(FieldKind::Choices)), json!(["a", "b"]));
        assert_eq!(spell(&texts, Some(FieldKind::Text)), json!("a, b"));
        assert_eq!(spell(&Datum::Number("12.5".to_owned()), Some(FieldKind::Number)), json!(12.5));
        assert_eq!(spell(&Datum::Truth(true), Some(FieldKind::Truth)), json!(true));
    }
}
