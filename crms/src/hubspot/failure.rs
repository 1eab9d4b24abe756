//! What a refusal of HubSpot's means.
//!
//! In: an answer that is no success, or one entry of a batch's `errors`. Out: the classified failure, with codes and
//! property names only: messages quote values of people and are never passed on. Every part may be missing.

use serde_json::Value;
use std::time::Duration;
use wabridge_model::{Failure, FailureKind, RecordRef};

use crate::transport::Answer;

/// Words for values of the wrong type. Types are checked against the schema before, so it has changed.
const RETYPED: [&str; 8] = [
    "INVALID_BOOLEAN",
    "INVALID_DATE",
    "INVALID_DATETIME",
    "INVALID_DOUBLE",
    "INVALID_INTEGER",
    "INVALID_LONG",
    "INVALID_NUMBER",
    "INVALID_TYPE",
];

/// One thing that HubSpot holds against a request.
#[derive(Debug, Default)]
struct Complaint {
    code: Option<String>,
    field: Option<String>,
    message: String,
}

/// What an answer of this status means; `object` is our word for the record that a conflict is about.
pub(super) fn of_answer(answer: &Answer, writes: bool, object: &str) -> Failure {
    let body = answer.json();
    let mut failure = of_body(&body, Some(answer.status), object);
    failure.kind = match answer.status {
        401 => FailureKind::Auth,
        403 if is_quota(&body) => FailureKind::Throttle,
        403 => FailureKind::Auth,
        // Locked, or moving house: it was not done.
        423 | 477 => FailureKind::Down,
        429 => FailureKind::Throttle,
        // Some of them come after the record was written.
        408 | 500.. if writes => FailureKind::Unknown,
        408 | 500.. => FailureKind::Down,
        404 => FailureKind::Vanished,
        _ => failure.kind,
    };
    failure.status = Some(answer.status);
    failure.retry_after = wait(answer, &body, failure.kind);
    failure
}

/// What an entry of a batch's `errors` means. One that does not say that the input is at fault leaves open whether
/// it was applied.
pub(super) fn of_item(error: &Value, object: &str) -> Failure {
    let failure = of_body(error, None, object);
    let blamed = failure.field.is_some() || error["category"] == "VALIDATION_ERROR";
    match failure.kind {
        FailureKind::Invalid if !blamed => Failure { kind: FailureKind::Unknown, ..failure },
        _ => failure,
    }
}

/// The category of a refusal, and what it complains of.
fn of_body(body: &Value, status: Option<u16>, object: &str) -> Failure {
    let category =
        word(&body["category"]).or_else(|| word(&body["errorType"])).or_else(|| word(&body["error"]));
    let complaints = complaints(body);
    let all = || complaints.iter();
    let by = |test: fn(&Complaint) -> bool| complaints.iter().find(|complaint| test(complaint));
    let worst =
        by(|c| c.is_conflict()).or_else(|| by(|c| c.is_drift())).or_else(|| by(|c| c.field.is_some()));
    let named = category.as_deref().unwrap_or_default();
    let kind = if status == Some(409) || named == "CONFLICT" || all().any(Complaint::is_conflict) {
        FailureKind::Conflict
    } else if named == "OBJECT_NOT_FOUND" {
        FailureKind::Vanished
    } else if named == "RATE_LIMITS" || named == "RATE_LIMIT" {
        FailureKind::Throttle
    } else if all().any(Complaint::is_drift) || named == "PROPERTY_DOESNT_EXIST" {
        FailureKind::Drift
    } else {
        FailureKind::Invalid
    };
    let code = worst.and_then(|complaint| complaint.code.clone());
    let unsaid = || status.map_or_else(|| "item_refused".to_owned(), |status| format!("http_{status}"));
    let code = code.or(category).unwrap_or_else(unsaid);
    let mut failure = Failure::new(kind, code);
    failure.field = worst.and_then(|complaint| complaint.field.clone());
    if kind == FailureKind::Conflict {
        failure.existing = all().find_map(|c| existing(&c.message)).map(|id| RecordRef::new(object, id));
        let email =
            || all().any(|c| c.message.starts_with("Contact already exists")).then(|| "email".to_owned());
        failure.field = failure.field.or_else(email);
    }
    failure
}

impl Complaint {
    fn is(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }

    fn is_conflict(&self) -> bool {
        self.is("CONFLICTING_UNIQUE_VALUE")
            || self.is("STORAGE_UNIQUE_CONFLICT")
            || existing(&self.message).is_some()
    }

    /// Whether it says that fields, options or rules are not what they were.
    fn is_drift(&self) -> bool {
        let code = self.code.as_deref().unwrap_or_default();
        code == "PROPERTY_DOESNT_EXIST"
            || code == "INVALID_OPTION"
            || code.starts_with("READ_ONLY")
            || code.contains("REQUIRED")
            || code.contains("PIPELINE")
            || RETYPED.contains(&code)
            || (self.message.starts_with("Property \"") && self.message.contains("\" does not exist"))
            || self.message.contains("required propert")
    }
}

/// All complaints in a body: its `errors`, the list that older versions write into the message, and itself.
fn complaints(body: &Value) -> Vec<Complaint> {
    let message = body["message"].as_str().unwrap_or_default();
    let listed = body["errors"].as_array().into_iter().flatten().flat_map(|error| {
        let nested = embedded(error["message"].as_str().unwrap_or_default());
        nested.into_iter().chain([complaint(error)]).collect::<Vec<_>>()
    });
    listed.chain(embedded(message)).chain([complaint(body)]).collect()
}

/// The JSON list inside a message: `Property values were not valid: [{"error": ..., "name": ...}]`.
fn embedded(message: &str) -> Vec<Complaint> {
    let Some(start) = message.find("[{") else { return Vec::new() };
    let mut values = serde_json::Deserializer::from_str(&message[start..]).into_iter::<Value>();
    let Some(Ok(Value::Array(items))) = values.next() else { return Vec::new() };
    items.iter().map(complaint).collect()
}

/// One entry, by whatever names it says things.
fn complaint(error: &Value) -> Complaint {
    let message = error["message"].as_str().unwrap_or_default().to_owned();
    let context = &error["context"];
    let mut names =
        [&context["propertyName"], &context["properties"], &context["name"], &error["name"]].into_iter();
    let field = names.find_map(property).or_else(|| property(&error["in"])).or_else(|| quoted(&message));
    // An envelope's category is no code of the complaint; `code` of an entry and `error` of an embedded one are.
    let code = word(&error["code"]).or_else(|| word(&error["error"])).or_else(|| word(&error["subCategory"]));
    Complaint { code, field, message }
}

/// The property that a message names: `Property "x" does not exist`, `propertyName=x`.
fn quoted(message: &str) -> Option<String> {
    let between = |from: &str, to: char| {
        let (_, rest) = message.split_once(from)?;
        property(&Value::from(rest.split(to).next()?))
    };
    between("Property \"", '"').or_else(|| between("propertyName=", ','))
}

/// The id in the way, which HubSpot says only in words: `Contact already exists. Existing ID: 51`,
/// `... on 12. 51 already has that value.`
fn existing(message: &str) -> Option<String> {
    let digits = |text: &str| -> Option<String> {
        let id: String = text.chars().take_while(char::is_ascii_digit).collect();
        (!id.is_empty()).then_some(id)
    };
    if let Some((_, rest)) = message.split_once("Existing ID: ") {
        return digits(rest);
    }
    let (before, _) = message.split_once(" already has that value")?;
    digits(before.rsplit(' ').next()?)
}

/// A code of HubSpot's: capitals only, so that nothing of a person passes for one. Sub-categories come with a
/// prefix.
fn word(value: &Value) -> Option<String> {
    let text = value.as_str()?.rsplit('.').next()?;
    let fits = |c: u8| c.is_ascii_uppercase() || c.is_ascii_digit() || c == b'_';
    let letter = text.bytes().any(|c| c.is_ascii_uppercase());
    (letter && text.len() <= 64 && text.bytes().all(fits)).then(|| text.to_owned())
}

/// The internal name of a property, alone or first in a list.
fn property(value: &Value) -> Option<String> {
    let text = value.as_str().or_else(|| value.get(0)?.as_str())?;
    let fits = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_';
    let letter = text.bytes().next().is_some_and(|c| c.is_ascii_lowercase());
    (letter && text.len() <= 100 && text.bytes().all(fits)).then(|| text.to_owned())
}

fn is_quota(body: &Value) -> bool {
    let names = [&body["category"], &body["errorType"]];
    body["policyName"].is_string()
        || names.into_iter().filter_map(Value::as_str).any(|name| name.starts_with("RATE_LIMIT"))
}

/// How long to stay away: as the answer says, else as HubSpot's own client does.
fn wait(answer: &Answer, body: &Value, kind: FailureKind) -> Option<Duration> {
    let said =
        answer.header("retry-after").and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
    let usual = match (kind, answer.status, body["policyName"].as_str()) {
        (FailureKind::Throttle, _, Some("SECONDLY")) => Some(1),
        // The day ends at midnight of the account, which is not ours to know: look again in an hour.
        (FailureKind::Throttle, _, Some("DAILY")) => Some(3_600),
        (FailureKind::Throttle, ..) => Some(10),
        (_, 423, _) => Some(2),
        _ => None,
    };
    said.or(usual.map(Duration::from_secs))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refused(status: u16, body: &Value) -> Failure {
        let body = serde_json::to_vec(body).unwrap();
        of_answer(&Answer { status, headers: Vec::new(), body }, true, "contact")
    }

    #[test]
    fn a_list_inside_the_message_is_read() {
        let list = r#"Property values were not valid: [{"isValid":false,"message":"Property \"ad_id\" does not exist","error":"PROPERTY_DOESNT_EXIST","name":"ad_id"}] x"#;
        let failure = refused(400, &json!({"category": "VALIDATION_ERROR", "message": list}));
        assert_eq!((failure.kind, failure.code.as_str()), (FailureKind::Drift, "PROPERTY_DOESNT_EXIST"));
        assert_eq!(failure.field.as_deref(), Some("ad_id"));
    }

    #[test]
    fn the_id_in_the_way_is_read_from_either_sentence() {
        let failure = refused(409, &json!({"message": "Contact already exists. Existing ID: 51"}));
        assert_eq!(failure.existing, Some(RecordRef::new("contact", "51")));
        assert_eq!((failure.kind, failure.field.as_deref()), (FailureKind::Conflict, Some("email")));
        let said = "Cannot set PropertyValueCoordinates{objectId=12, propertyName=wa_e164, value=+919876543210} on 12. 51 already has that value.";
        let error = json!({"message": said, "code": "CONFLICTING_UNIQUE_VALUE"});
        let failure = refused(400, &json!({"category": "VALIDATION_ERROR", "errors": [error]}));
        assert_eq!(failure.existing, Some(RecordRef::new("contact", "51")));
        assert_eq!((failure.kind, failure.field.as_deref()), (FailureKind::Conflict, Some("wa_e164")));
    }

    #[test]
    fn nothing_of_a_person_passes_for_a_code_or_a_field() {
        let said = json!({"category": "+919876543210", "errors": [{"code": "Asha Rao", "in": "asha@example.com",
            "context": {"propertyName": ["+919876543210"]}, "message": "Asha Rao is not valid"}]});
        let failure = refused(400, &said);
        assert_eq!((failure.code.as_str(), &failure.field, &failure.existing), ("http_400", &None, &None));
        assert_eq!(refused(418, &Value::Null).to_string(), "invalid: http_418 [418]");
    }

    #[test]
    fn an_item_that_is_not_blamed_may_have_been_written() {
        let kind = |error: Value| of_item(&error, "contact").kind;
        assert_eq!(kind(json!({"message": "Something went wrong"})), FailureKind::Unknown);
        assert_eq!(kind(json!({"category": "INTERNAL_ERROR"})), FailureKind::Unknown);
        assert_eq!(kind(json!({"category": "VALIDATION_ERROR"})), FailureKind::Invalid);
        assert_eq!(kind(json!({"category": "OBJECT_NOT_FOUND"})), FailureKind::Vanished);
        assert_eq!(kind(json!({"category": "RATE_LIMITS"})), FailureKind::Throttle);
    }

    #[test]
    fn only_what_hubspot_says_it_did_not_do_is_down_after_a_write() {
        let kind = |status| refused(status, &Value::Null).kind;
        assert_eq!([500, 502, 504, 524].map(kind), [FailureKind::Unknown; 4]);
        assert_eq!([423, 477].map(kind), [FailureKind::Down; 2]);
        let read =
            of_answer(&Answer { status: 503, headers: Vec::new(), body: Vec::new() }, false, "contact");
        assert_eq!(read.kind, FailureKind::Down);
    }

    #[test]
    fn each_limit_has_its_wait_and_a_header_overrides_it() {
        let wait = |policy| refused(429, &json!({"policyName": policy})).retry_after.unwrap().as_secs();
        assert_eq!(["SECONDLY", "TEN_SECONDLY_ROLLING", "DAILY"].map(wait), [1, 10, 3_600]);
        let headers = vec![("retry-after".to_owned(), "7".to_owned())];
        let failure = of_answer(&Answer { status: 429, headers, body: Vec::new() }, true, "contact");
        assert_eq!(
            (failure.kind, failure.retry_after),
            (FailureKind::Throttle, Some(Duration::from_secs(7)))
        );
        assert_eq!(refused(403, &json!({"policyName": "DAILY"})).kind, FailureKind::Throttle);
        assert_eq!(
            refused(403, &json!({"category": "MISSING_SCOPES"})).to_string(),
            "auth: MISSING_SCOPES [403]"
        );
    }
}
