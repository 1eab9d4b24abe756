//! CRMs that behave like the real ones, for tests and for the demo.
//!
//! In: a request and the time. Out: what the CRM would answer, or that it would not. The behaviour is pure of
//! sockets and clocks, so that a test in virtual time asks it directly; `serve` puts it on a real socket.

use std::time::Duration;

/// A request as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `POST`, ...
    pub method: String,
    /// Path and query, as sent.
    pub target: String,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// What comes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// An answer, after a while.
    Answer(Response, Duration),
    /// The connection is cut without an answer.
    Cut,
    /// Nothing, for as long as the caller cares to wait.
    Hang,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}
