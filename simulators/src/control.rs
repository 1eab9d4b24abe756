//! What the control routes are given: `/_set`, `/_fate`, `/_change`. Strictly read, so that a slip in a test
//! is an error and not a test of nothing.

use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// `POST /_set`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Set {
    /// How long a write is missing from search.
    pub(crate) search_lag_seconds: Option<f64>,
    /// How long the token is good, from now; `null`: forever.
    #[serde(default, deserialize_with = "given")]
    pub(crate) token_ttl_seconds: Option<Option<f64>>,
    pub(crate) quota: Option<SetQuota>,
    pub(crate) schema: Option<Reshape>,
    /// Whether every use of a refresh token gives another one and ends the one that was used.
    pub(crate) rotate_refresh_tokens: Option<bool>,
}

/// Tells `null` from an absent key.
fn given<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Option<f64>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Requests in the CRM's own period.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SetQuota {
    pub(crate) limit: Option<u64>,
    pub(crate) used: Option<u64>,
}

/// What an administrator does to the fields.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Reshape {
    pub(crate) remove: Vec<String>,
    pub(crate) require: Vec<String>,
    pub(crate) retype: BTreeMap<String, String>,
}

/// One item of `POST /_fate`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fate {
    /// Only requests of this method; any, if absent.
    pub(crate) method: Option<String>,
    /// Only requests whose path and query contain this; any, if absent.
    pub(crate) path: Option<String>,
    pub(crate) fate: Kind,
    /// How many requests it befalls.
    #[serde(default = "once")]
    pub(crate) times: u64,
    /// Seconds: of `Retry-After` for a 429, of the delay for `slow`.
    pub(crate) retry_after: Option<u64>,
}

fn once() -> u64 {
    1
}

impl Fate {
    pub(crate) fn befalls(&self, method: &str, target: &str) -> bool {
        self.times > 0
            && self.method.as_ref().is_none_or(|it| it.eq_ignore_ascii_case(method))
            && self.path.as_ref().is_none_or(|it| target.contains(it.as_str()))
    }
}

/// What goes wrong. What begins with `apply_` is applied, `slow` as well; nothing else is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    #[serde(rename = "reject_500")]
    Reject500,
    #[serde(rename = "reject_429")]
    Reject429,
    ApplyThenCut,
    #[serde(rename = "apply_then_500")]
    ApplyThen500,
    Slow,
    Hang,
    Garbage,
}

/// `POST /_change`: what a human does in the CRM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    Field { person: String, field: String, value: Value },
    Stage { deal: String, stage: String },
    Delete { person: String },
    Convert { person: String },
    Merge { person: String, into: String },
}

impl Change {
    /// Reads one of the documented shapes.
    pub(crate) fn read(body: &[u8]) -> Result<Change, String> {
        let shapes = "send {person_id, field, value}, {deal_id, stage}, {person_id, delete: true}, \
                      {person_id, convert: true} or {person_id, merge_into}";
        let body: Map<String, Value> = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        let text = |key: &str| match body.get(key) {
            Some(Value::String(text)) => Some(text.clone()),
            Some(Value::Number(number)) => Some(number.to_string()),
            _ => None,
        };
        let told = |key: &str| body.get(key) == Some(&Value::Bool(true));
        let keys: Vec<&str> = body.keys().map(String::as_str).collect();
        let change = match (text("person_id"), keys.as_slice()) {
            (Some(person), ["field", "person_id", "value"]) => {
                let field = text("field").ok_or(shapes)?;
                Change::Field { person, field, value: body["value"].clone() }
            }
            (Some(person), ["delete", "person_id"]) if told("delete") => Change::Delete { person },
            (Some(person), ["convert", "person_id"]) if told("convert") => Change::Convert { person },
            (Some(person), ["merge_into", "person_id"]) => {
                Change::Merge { person, into: text("merge_into").ok_or(shapes)? }
            }
            (None, ["deal_id", "stage"]) => {
                Change::Stage { deal: text("deal_id").ok_or(shapes)?, stage: text("stage").ok_or(shapes)? }
            }
            _ => return Err(shapes.to_owned()),
        };
        Ok(change)
    }
}
