//! What the API answers instead of what was asked: a problem document (RFC 9457).
//!
//! It names the parameter at fault and the way out, and never the value: that may be a phone or a token.

use crate::leads::find::FindError;
use crate::store::{StoreError, StoreErrorKind};
use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderName, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use std::fmt;
use utoipa::ToSchema;
use wabridge_model::id::LeadId;

/// Why there is no answer.
#[derive(Debug, Clone)]
pub struct Problem {
    pub(super) document: Box<Document>,
    /// A header that the status asks for.
    header: Option<Box<(HeaderName, String)>>,
}

/// A problem document.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct Document {
    /// What sort of problem: `about:blank`, or a stable name such as `urn:wabridge:ambiguous_phone`.
    #[serde(rename = "type")]
    pub(super) kind: String,
    /// The sort in a word or two.
    pub(super) title: String,
    /// The HTTP status.
    #[serde(serialize_with = "number")]
    #[schema(value_type = u16)]
    pub(super) status: StatusCode,
    /// What is wrong, and the way out.
    pub(super) detail: String,
    /// The parameter at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) parameter: Option<String>,
    /// The leads that were meant, where there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<uuid::Uuid>, required = false)]
    pub(super) lead_ids: Vec<LeadId>,
}

fn number<S: serde::Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

impl Problem {
    /// A problem that needs no more than its status and a sentence.
    #[must_use]
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Problem {
        let document = Document {
            kind: "about:blank".to_owned(),
            title: status.canonical_reason().unwrap_or("Problem").to_owned(),
            status,
            detail: detail.into(),
            parameter: None,
            lead_ids: Vec::new(),
        };
        Problem { document: Box::new(document), header: None }
    }

    fn with_header(mut self, name: HeaderName, value: &str) -> Problem {
        self.header = Some(Box::new((name, value.to_owned())));
        self
    }

    /// A parameter is wrong.
    #[must_use]
    pub fn parameter(name: &str, detail: impl Into<String>) -> Problem {
        let mut problem = Problem::new(StatusCode::BAD_REQUEST, format!("{name}: {}", detail.into()));
        problem.document.parameter = Some(name.to_owned());
        problem
    }

    /// The caller did not say who they are, or it is not so.
    #[must_use]
    pub fn unauthenticated(detail: &str) -> Problem {
        Problem::new(StatusCode::UNAUTHORIZED, detail).with_header(WWW_AUTHENTICATE, "Bearer")
    }

    /// The caller's token does not reach this far.
    #[must_use]
    pub fn lacks_scope(scope: &str) -> Problem {
        let detail =
            format!("this token lacks the scope {scope}; make one that has it: wabridge token create");
        let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"");
        Problem::new(StatusCode::FORBIDDEN, detail).with_header(WWW_AUTHENTICATE, &challenge)
    }

    /// The route knows other methods.
    #[must_use]
    pub fn wrong_method(allowed: &str) -> Problem {
        let detail = format!("this route knows {allowed} only");
        Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail).with_header(ALLOW, allowed)
    }

    /// No lead can be named by what a parameter says.
    #[must_use]
    pub fn of_search(parameter: &str, error: FindError) -> Problem {
        match error {
            FindError::Unreadable if parameter == "phone" || parameter == "phones" => {
                Problem::parameter(parameter, UNREADABLE_PHONE)
            }
            FindError::Unreadable => Problem::parameter(parameter, UNREADABLE_LEAD),
            FindError::Ambiguous { phone, ids } => {
                let title = if phone { "ambiguous_phone" } else { "ambiguous_lead" };
                let detail = format!("it means {} leads; ask by one of lead_ids", ids.len());
                let mut problem = Problem::parameter(parameter, detail);
                problem.document.status = StatusCode::CONFLICT;
                problem.document.kind = format!("urn:wabridge:{title}");
                problem.document.title = title.to_owned();
                problem.document.lead_ids = ids;
                problem
            }
            FindError::Store(error) => Problem::from(error),
        }
    }
}

/// What to do about a phone that cannot be read.
pub const UNREADABLE_PHONE: &str =
    "not a phone number; write it with its country code, such as +919876543210 (in a URL %2B919876543210)";
/// What to do about a lead that cannot be read.
pub const UNREADABLE_LEAD: &str =
    "not a phone number, lead id, BSUID, username or e-mail address; write a phone with its country code";

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Problem {
        tracing::error!(
            kind = error.kind.as_str(),
            doing = error.doing,
            "the store failed a question of the API"
        );
        match error.kind {
            StoreErrorKind::Counting => Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "attribution is being counted anew, after an upgrade or for another time zone; try again in a minute",
            ),
            StoreErrorKind::Busy | StoreErrorKind::Full => {
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the store is busy; try again")
            }
            _ => Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the store failed; the log says more"),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.document.title, self.document.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.document.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.document.status);
        response.insert_header((CONTENT_TYPE, "application/problem+json"));
        response.insert_header((CACHE_CONTROL, "no-store"));
        if let Some((name, value)) = self.header.as_deref() {
            response.insert_header((name.clone(), value.as_str()));
        }
        response.body(serde_json::to_string(&self.document).unwrap_or_default())
    }
}
