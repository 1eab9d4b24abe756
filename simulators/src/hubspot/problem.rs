//! HubSpot's errors: one envelope, and the details of refused properties.
//!
//! Paths of a date version list the refused properties in `errors[]`; those of v3 have a JSON list in
//! `message` besides, which the facts know from older answers.

use crate::call::Answer;
use serde_json::{Map, Value, json};

/// Why a request, or one item of a batch, is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) status: u16,
    /// Empty where HubSpot names none.
    pub(super) category: &'static str,
    pub(super) message: String,
    pub(super) details: Vec<Detail>,
    pub(super) context: Vec<(&'static str, Vec<String>)>,
    /// The rule that throttled it.
    pub(super) policy: Option<&'static str>,
}

/// A refused property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Detail {
    pub(super) property: String,
    pub(super) code: &'static str,
    pub(super) message: String,
}

impl Problem {
    pub(super) fn new(status: u16, category: &'static str, message: impl Into<String>) -> Problem {
        Problem {
            status,
            category,
            message: message.into(),
            details: Vec::new(),
            context: Vec::new(),
            policy: None,
        }
    }

    /// 400 VALIDATION_ERROR
    pub(super) fn invalid(message: impl Into<String>) -> Problem {
        Problem::new(400, "VALIDATION_ERROR", message)
    }

    /// 400 VALIDATION_ERROR, with the properties at fault.
    pub(super) fn properties(details: Vec<Detail>) -> Problem {
        Problem { details, ..Problem::invalid("Property values were not valid") }
    }

    /// 404 OBJECT_NOT_FOUND
    pub(super) fn not_found(id: &str) -> Problem {
        let message = "Object not found.  objectId are usually numeric.";
        let context = vec![("id", vec![id.to_owned()])];
        Problem { context, ..Problem::new(404, "OBJECT_NOT_FOUND", message) }
    }

    /// 409 CONFLICT: the id is told in the message alone.
    pub(super) fn exists(id: u64) -> Problem {
        Problem::new(409, "CONFLICT", format!("Contact already exists. Existing ID: {id}"))
    }

    fn shared(&self, legacy: bool) -> Map<String, Value> {
        let mut body = Map::new();
        body.insert("status".to_owned(), json!("error"));
        let mut message = self.message.clone();
        if legacy && !self.details.is_empty() {
            let listed: Vec<Value> = self.details.iter().map(Detail::listed).collect();
            message = format!("{message}: {}", Value::Array(listed));
        }
        body.insert("message".to_owned(), json!(message));
        if !self.category.is_empty() {
            body.insert("category".to_owned(), json!(self.category));
        }
        if !self.details.is_empty() {
            let told: Vec<Value> = self.details.iter().map(Detail::told).collect();
            body.insert("errors".to_owned(), json!(told));
        }
        if let Some(policy) = self.policy {
            body.insert("errorType".to_owned(), json!("RATE_LIMIT"));
            body.insert("policyName".to_owned(), json!(policy));
        }
        body
    }

    /// As one of a batch's `errors[]`, beside what tells its item: unlike the answer to a whole request it has
    /// its lists even where they are empty, as HubSpot's published schema requires.
    pub(super) fn item(&self, legacy: bool, more: Vec<(&'static str, Vec<String>)>) -> Value {
        let mut body = self.shared(legacy);
        let mut context = Map::new();
        for (name, values) in self.context.iter().chain(&more) {
            context.insert((*name).to_owned(), json!(values));
        }
        body.insert("context".to_owned(), Value::Object(context));
        body.entry("errors").or_insert_with(|| json!([]));
        body.insert("links".to_owned(), json!({}));
        Value::Object(body)
    }

    /// As the answer to the whole request.
    pub(super) fn answer(&self, legacy: bool, correlation: &str) -> Answer {
        let mut body = self.shared(legacy);
        body.insert("correlationId".to_owned(), json!(correlation));
        if !self.context.is_empty() {
            let context: Map<String, Value> =
                self.context.iter().map(|(name, values)| ((*name).to_owned(), json!(values))).collect();
            body.insert("context".to_owned(), Value::Object(context));
        }
        Answer::new(self.status, Value::Object(body))
    }
}

impl Detail {
    pub(super) fn new(property: &str, code: &'static str, message: impl Into<String>) -> Detail {
        Detail { property: property.to_owned(), code, message: message.into() }
    }

    fn told(&self) -> Value {
        json!({"message": self.message, "code": self.code, "context": {"propertyName": [self.property]}})
    }

    fn listed(&self) -> Value {
        json!({"isValid": false, "message": self.message, "error": self.code, "name": self.property,
               "localizedErrorMessage": self.message})
    }
}
