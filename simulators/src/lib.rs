//! CRMs that behave like the real ones, for tests and for the demo.
//!
//! In: a request and the time. Out: what the CRM would answer, or that it would not. The behaviour is pure of
//! sockets and clocks, so that a test in virtual time asks it directly; [`serve`] puts it on a real socket.
//!
//! Beside the CRM's own API every simulator speaks `GET /_ledger`, `POST /_set`, `POST /_fate` and
//! `POST /_change` ([`Simulator::answer`]).

mod call;
mod control;
mod crm;
pub mod hubspot;
mod ours;
mod serving;
mod simulator;
mod time;
mod versions;
pub mod zoho;

pub use crm::Notice;
pub use serving::{Serving, serve, serve_by};
pub use simulator::Simulator;

use std::time::Duration;

/// The CRMs there are: the name in configuration, and how to make one.
pub const CRMS: &[(&str, Make)] = &[("hubspot", hubspot::simulator), ("zoho", zoho::simulator)];

/// How a simulator is made.
pub type Make = fn() -> Simulator;

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
