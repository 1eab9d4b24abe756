//! What a refusal of Zoho's means.
//!
//! In: an answer that is no success, or one entry of `data`. Out: the classified failure, with codes and field names
//! only: messages and values are never passed on. Every part may be missing.

use crate::transport::Answer;
use serde_json::Value;
use std::time::Duration;
use wabridge_model::{Failure, FailureKind, RecordRef};

use super::PEOPLE;
use crate::errand::identifier;

/// What an answer of this status means; `object` is our word for the record that it is about.
pub(super) fn of_answer(answer: &Answer, writes: bool, object: &str) -> Failure {
    let body = answer.json();
    let mut failure = of_entry(&body, object);
    if failure.code == "item_refused" {
        failure.code = format!("http_{}", answer.status);
    }
    failure.kind = match answer.status {
        429 => FailureKind::Throttle,
        _ if failure.kind == FailureKind::Throttle => FailureKind::Throttle,
        401 | 403 => FailureKind::Auth,
        408 | 500.. if writes => FailureKind::Unknown,
        408 | 500.. => FailureKind::Down,
        404 => FailureKind::Vanished,
        _ if failure.kind == FailureKind::Unknown && !writes => FailureKind::Down,
        _ => failure.kind,
    };
    failure.status = Some(answer.status);
    failure.retry_after = (failure.kind == FailureKind::Throttle).then(|| wait(answer));
    failure
}

/// What an entry of `data`, or an envelope, means.
pub(super) fn of_entry(entry: &Value, object: &str) -> Failure {
    let code = word(&entry["code"]);
    let details = &entry["details"];
    let kind = kind(code.as_deref().unwrap_or_default(), entry);
    let mut failure = Failure::new(kind, code.unwrap_or_else(|| "item_refused".to_owned()));
    failure.field = field(&details["api_name"]);
    if kind == FailureKind::Conflict {
        let other = &details["duplicate_record"];
        let module = other["module"]["api_name"].as_str().or_else(|| other["module"].as_str());
        let known = PEOPLE.into_iter().find(|(_, name)| Some(*name) == module).map(|(word, _)| word);
        let id = identifier(&other["id"]).or_else(|| identifier(&details["id"]));
        failure.existing = id.map(|id| RecordRef::new(known.unwrap_or(object), id));
    }
    failure
}

fn kind(code: &str, entry: &Value) -> FailureKind {
    match code {
        "TOO_MANY_REQUESTS" | "LICENSE_LIMIT_EXCEEDED" => FailureKind::Throttle,
        "INVALID_TOKEN" | "AUTHENTICATION_FAILURE" | "OAUTH_SCOPE_MISMATCH" => FailureKind::Auth,
        "DUPLICATE_DATA" => FailureKind::Conflict,
        "INVALID_DATA" => of_data(entry),
        "MANDATORY_NOT_FOUND"
        | "EXPECTED_FIELD_MISSING"
        | "DEPENDENT_FIELD_MISSING"
        | "DEPENDENT_MISMATCH"
        | "MAPPING_MISMATCH"
        | "INVALID_MODULE"
        | "INVALID_QUERY"
        | "SYNTAX_ERROR"
        | "API_NOT_SUPPORTED" => FailureKind::Drift,
        // One record, and not for ever.
        "RECORD_LOCKED" => FailureKind::Down,
        "INTERNAL_ERROR" | "" => FailureKind::Unknown,
        converted if converted.contains("CONVERTED") => FailureKind::Vanished,
        _ => FailureKind::Invalid,
    }
}

/// An id that is not there, a list that changed, a type that changed, or a value that will never do.
fn of_data(entry: &Value) -> FailureKind {
    let details = &entry["details"];
    let name = details["api_name"].as_str().unwrap_or_default();
    let path = details["json_path"].as_str().unwrap_or_default();
    let message = entry["message"].as_str().unwrap_or_default();
    let expected = details["expected_data_type"].as_str().unwrap_or_default();
    let of_id = name == "id" || path.ends_with(".id") || name == "Parent_Id";
    if of_id || message.contains("id given seems to be invalid") {
        FailureKind::Vanished
    } else if matches!(name, "Stage" | "Pipeline")
        || !details["supported_values"].is_null()
        || !matches!(expected, "" | "text" | "string" | "email" | "phone" | "website")
    {
        FailureKind::Drift
    } else {
        FailureKind::Invalid
    }
}

/// How long to stay away. Zoho does not say: while credits are left it is concurrency, and seconds do.
fn wait(answer: &Answer) -> Duration {
    let read = |name: &str| answer.header(name).and_then(|text| text.trim().parse::<u64>().ok());
    let usual = match read("x-api-credits-remaining") {
        Some(0) => 3_600,
        _ => 10,
    };
    Duration::from_secs(read("retry-after").unwrap_or(usual))
}

/// A code: capitals only, so that nothing of a person passes for one.
fn word(value: &Value) -> Option<String> {
    let text = value.as_str()?;
    let fits = |c: u8| c.is_ascii_uppercase() || c.is_ascii_digit() || c == b'_';
    let letter = text.bytes().any(|c| c.is_ascii_uppercase());
    (letter && text.len() <= 64 && text.bytes().all(fits)).then(|| text.to_owned())
}

/// The API name of a field.
fn field(value: &Value) -> Option<String> {
    let text = value.as_str()?;
    let fits = |c: u8| c.is_ascii_alphanumeric() || c == b'_';
    let letter = text.bytes().next().is_some_and(|c| c.is_ascii_alphabetic());
    (letter && text.len() <= 100 && text.bytes().all(fits)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn entry(value: &Value) -> (FailureKind, Option<RecordRef>) {
        let failure = of_entry(value, "lead");
        (failure.kind, failure.existing)
    }

    #[test]
    fn the_record_in_the_way_is_named_in_either_form_and_module() {
        let plain = json!({"code": "DUPLICATE_DATA", "details": {"api_name": "wa_e164", "id": "51"}});
        assert_eq!(entry(&plain), (FailureKind::Conflict, Some(RecordRef::new("lead", "51"))));
        let other = json!({"code": "DUPLICATE_DATA", "details": {"api_name": "Phone",
            "duplicate_record": {"id": "52", "module": {"api_name": "Contacts"}}}});
        assert_eq!(entry(&other), (FailureKind::Conflict, Some(RecordRef::new("contact", "52"))));
    }

    #[test]
    fn invalid_data_is_told_apart() {
        let of = |details: Value| entry(&json!({"code": "INVALID_DATA", "details": details})).0;
        assert_eq!(of(json!({"api_name": "id"})), FailureKind::Vanished);
        assert_eq!(of(json!({"api_name": "Stage"})), FailureKind::Drift);
        assert_eq!(of(json!({"api_name": "n", "expected_data_type": "integer"})), FailureKind::Drift);
        assert_eq!(of(json!({"api_name": "Email", "expected_data_type": "email"})), FailureKind::Invalid);
        assert_eq!(of(json!({"api_name": "Phone", "maximum_length": 30})), FailureKind::Invalid);
    }

    #[test]
    fn credits_that_ran_out_make_for_a_longer_wait_than_concurrency() {
        let wait = |left: &str| {
            let headers = vec![("x-api-credits-remaining".to_owned(), left.to_owned())];
            let answer = Answer { status: 429, headers, body: Vec::new() };
            of_answer(&answer, true, "lead").retry_after.unwrap().as_secs()
        };
        assert_eq!(["0", "1200"].map(wait), [3_600, 10]);
    }

    #[test]
    fn nothing_of_a_person_passes_for_a_code_or_a_field() {
        let said = json!({"code": "+919876543210", "details": {"api_name": "Asha Rao"}, "message": "Asha"});
        let failure = of_entry(&said, "lead");
        assert_eq!((failure.code.as_str(), failure.field), ("item_refused", None));
    }
}
