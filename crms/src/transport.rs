//! How an adapter reaches its CRM: one method.
//!
//! In: a call, without host and without credentials: the transport knows both, so no adapter can log or
//! misplace them. Out: an answer of whatever status, or the reason why there is none.

use serde_json::Value;
use std::pin::Pin;
use wabridge_model::{Failure, FailureKind};

/// A boxed future that borrows.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The methods in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "HTTP's own")]
pub enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    /// As in a request line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
        }
    }
}

/// One request to a CRM.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The method.
    pub method: Method,
    /// From the CRM's base URL on, with the query: `/crm/objects/2026-03/contacts`. Percent-encoded.
    pub path: String,
    /// Headers beside those of credentials and content type.
    pub headers: Vec<(&'static str, String)>,
    /// The body, sent as JSON.
    pub body: Option<Value>,
    /// Which of the CRM's limits it counts against, by the adapter's word: `search`, `burst`.
    pub class: &'static str,
    /// Whether it changes anything: if so, no answer means an unknown outcome.
    pub writes: bool,
}

impl Call {
    /// A call that only reads.
    #[must_use]
    pub fn read(method: Method, path: impl Into<String>) -> Call {
        Call { method, path: path.into(), headers: Vec::new(), body: None, class: "", writes: false }
    }

    /// A call that changes something.
    #[must_use]
    pub fn write(method: Method, path: impl Into<String>, body: Value) -> Call {
        Call { body: Some(body), writes: true, ..Call::read(method, path) }
    }

    /// With this body.
    #[must_use]
    pub fn body(self, body: Value) -> Call {
        Call { body: Some(body), ..self }
    }

    /// Counted against this limit.
    #[must_use]
    pub fn class(self, class: &'static str) -> Call {
        Call { class, ..self }
    }
}

/// What a CRM answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, at most 8 MiB.
    pub body: Vec<u8>,
}

impl Answer {
    /// A header's first value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON; `Null` where it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoAnswer {
    /// Whether the CRM may have received it.
    pub sent: bool,
    /// What happened: `connect`, `tls`, `timeout`, `cut`, `too_long`.
    pub code: &'static str,
}

impl NoAnswer {
    /// What follows for the call.
    #[must_use]
    pub fn failure(self, call_writes: bool) -> Failure {
        let kind = if self.sent && call_writes { FailureKind::Unknown } else { FailureKind::Down };
        Failure::new(kind, self.code)
    }
}

/// The way to one account of one CRM.
pub trait Transport: Send + Sync {
    /// Sends a call, with credentials, once. Nothing is retried here.
    ///
    /// # Errors
    /// [`NoAnswer`] where none came.
    fn send(&self, call: Call) -> Later<'_, Result<Answer, NoAnswer>>;
}
