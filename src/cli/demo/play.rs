//! Playing the story against the daemon, and asking the API what came of it.

use super::script::{Person, Request};
use crate::store::{Books, Inbox, StoreError};
use reqwest::StatusCode;
use serde_json::Value;
use std::net::SocketAddr;
use std::time::Duration;

/// Why the demo could not be played. All of these are faults of wabridge.
#[derive(Debug, thiserror::Error)]
pub(super) enum PlayError {
    /// The daemon did not answer.
    #[error("ask the demo's daemon")]
    Http(#[from] reqwest::Error),
    /// The daemon's store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A genuine request was refused, or a forged one was not.
    #[error("a {kind} request was answered {status}")]
    Status {
        /// `genuine` or `forged`.
        kind: &'static str,
        /// The answer.
        status: StatusCode,
    },
    /// The API refused a question.
    #[error("the API answered {0}")]
    Api(StatusCode),
    /// The simulated CRM could not be set up.
    #[error("the demo's CRM could not be set up")]
    Crm,
    /// Not everything was processed in time.
    #[error("the daemon did not finish in time")]
    Late,
}

/// What the demo sent, and what the API says about it.
#[derive(Debug)]
pub(super) struct Outcome {
    /// Requests acknowledged.
    pub(super) acknowledged: u64,
    /// Requests refused as forged.
    pub(super) refused: u64,
    /// What each person's story was, beside their lead and verdict.
    pub(super) leads: Vec<(&'static str, Value)>,
    /// The verdicts, in the order of the leads.
    pub(super) verdicts: Vec<Value>,
    /// All touches.
    pub(super) touches: Vec<Value>,
}

impl Outcome {
    /// Whether the store holds just what was acknowledged, all of it processed.
    pub(super) fn is_as_sent(&self, books: &Books) -> bool {
        let of = |state: &str| books.requests.get(state).copied().unwrap_or(0);
        of("stored") == self.acknowledged && of("waiting") == 0 && of("quarantined") == 0
    }
}

/// How many requests were acknowledged and refused.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Sent {
    acknowledged: u64,
    refused: u64,
}

/// A client of the daemon, for both its sides.
pub(super) struct Client {
    http: reqwest::Client,
    base: String,
    token: String,
}

impl Client {
    pub(super) fn new(address: SocketAddr, token: &str) -> Result<Client, PlayError> {
        // It speaks to this machine alone, which may have no certificates to prove others by.
        let http = reqwest::Client::builder().timeout(Duration::from_secs(10)).no_proxy().tls_certs_only([]);
        let http = http.build()?;
        Ok(Client { http, base: format!("http://{address}"), token: token.to_owned() })
    }

    /// Posts every request, as its provider would.
    pub(super) async fn deliver(&self, requests: &[Request]) -> Result<Sent, PlayError> {
        let mut sent = Sent::default();
        for request in requests {
            let query = request.query.as_ref().map_or_else(String::new, |query| format!("?{query}"));
            let mut post = self.http.post(format!("{}/hooks/{}{query}", self.base, request.path));
            for (name, value) in &request.headers {
                post = post.header(name, value);
            }
            let status = post.body(request.body.clone()).send().await?.status();
            match (request.genuine, status) {
                (true, StatusCode::OK) => sent.acknowledged += 1,
                (false, StatusCode::UNAUTHORIZED) => sent.refused += 1,
                (true, status) => return Err(PlayError::Status { kind: "genuine", status }),
                (false, status) => return Err(PlayError::Status { kind: "forged", status }),
            }
        }
        Ok(sent)
    }

    /// Asks about everyone in the story.
    pub(super) async fn ask(&self, sent: Sent, people: &[Person]) -> Result<Outcome, PlayError> {
        let mut outcome = Outcome {
            acknowledged: sent.acknowledged,
            refused: sent.refused,
            leads: Vec::new(),
            verdicts: Vec::new(),
            touches: Vec::new(),
        };
        for person in people {
            let lead = self.get(&format!("/v1/leads/{}", person.lead)).await?;
            let id = lead["id"].as_str().unwrap_or_default();
            outcome.verdicts.push(
                self.get(&format!("/v1/window?lead={id}&business=%2B{}", super::script::BUSINESS)).await?,
            );
            outcome.leads.push((person.story, lead));
        }
        let touches = self.get("/v1/touches").await?;
        outcome.touches = touches["items"].as_array().cloned().unwrap_or_default();
        Ok(outcome)
    }

    async fn get(&self, path: &str) -> Result<Value, PlayError> {
        let answer = self.http.get(format!("{}{path}", self.base)).bearer_auth(&self.token).send().await?;
        match answer.status() {
            StatusCode::OK => Ok(answer.json().await?),
            status => Err(PlayError::Api(status)),
        }
    }
}

/// Waits until all that was acknowledged is projected.
pub(super) async fn drained<S: Inbox + ?Sized>(store: &S) -> Result<(), PlayError> {
    for _ in 0..1000 {
        if store.backlog()?.waiting == 0 {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Err(PlayError::Late)
}
