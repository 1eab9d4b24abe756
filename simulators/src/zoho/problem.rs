//! Zoho's errors: one shape for a whole answer and for one record of many.

use crate::call::Answer;
use serde_json::{Value, json};

/// Why a request, or one record of it, is refused.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Problem {
    pub(super) status: u16,
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) details: Value,
}

impl Problem {
    pub(super) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Problem {
        Problem { status, code, message: message.into(), details: json!({}) }
    }

    pub(super) fn with(self, details: Value) -> Problem {
        Problem { details, ..self }
    }

    /// INVALID_DATA at a field of the body.
    pub(super) fn data(name: &str, path: &str) -> Problem {
        Problem::new(400, "INVALID_DATA", "invalid data").with(json!({"api_name": name, "json_path": path}))
    }

    /// INVALID_DATA of a value that is of another type than the field.
    pub(super) fn expected(name: &str, path: &str, data_type: &str) -> Problem {
        let details = json!({"expected_data_type": data_type, "api_name": name, "json_path": path});
        Problem::data(name, path).with(details)
    }

    /// MANDATORY_NOT_FOUND
    pub(super) fn mandatory(name: &str, path: &str) -> Problem {
        let details = json!({"api_name": name, "json_path": path});
        Problem::new(400, "MANDATORY_NOT_FOUND", "required field not found").with(details)
    }

    /// REQUIRED_PARAM_MISSING
    pub(super) fn parameter(name: &str) -> Problem {
        let message = "One of the expected parameter is missing";
        Problem::new(400, "REQUIRED_PARAM_MISSING", message).with(json!({"param_name": name, "param": name}))
    }

    /// INVALID_DATA of a parameter of the query.
    pub(super) fn bad_parameter(name: &str) -> Problem {
        Problem::new(400, "INVALID_DATA", "invalid data").with(json!({"param_name": name, "param": name}))
    }

    /// INVALID_DATA of an id in `data`.
    pub(super) fn no_record(id: &str) -> Problem {
        Problem::new(400, "INVALID_DATA", "the id given seems to be invalid").with(json!({ "id": id }))
    }

    /// INVALID_DATA of an id in the path.
    pub(super) fn bad_path(index: usize) -> Problem {
        let message = "the related id given seems to be invalid";
        Problem::new(400, "INVALID_DATA", message).with(json!({"resource_path_index": index}))
    }

    /// No route.
    pub(super) fn nothing_here() -> Problem {
        let message = "Please check if the URL trying to access is a correct one";
        Problem::new(404, "INVALID_URL_PATTERN", message)
    }

    /// No such method here.
    pub(super) fn wrong_method() -> Problem {
        let message = "The http request method type is not a valid one";
        Problem::new(400, "INVALID_REQUEST_METHOD", message)
    }

    /// INVALID_MODULE
    pub(super) fn no_module() -> Problem {
        Problem::new(400, "INVALID_MODULE", "the module name given seems to be invalid")
            .with(json!({"resource_path_index": 0}))
    }

    /// As one entry of `data`, or as a whole body.
    pub(super) fn shown(&self) -> Value {
        json!({"code": self.code, "details": self.details, "message": self.message, "status": "error"})
    }

    /// As the answer to the whole request.
    pub(super) fn answer(&self) -> Answer {
        Answer::new(self.status, self.shown())
    }
}
