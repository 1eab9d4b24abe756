//! The demo's CRM: a simulated HubSpot on a socket of this machine, with bad moments.
//!
//! In: nothing. Out: a target for the daemon, and in the end what stands in the CRM. Two of its answers are lost after
//! the writes were applied, two are refusals: nobody may be there twice for it.

use super::play::PlayError;
use crate::config::{Config, SecretReference, Target};
use crate::delivery::online::{Wire, to_make};
use crate::outbox::transport::HttpAccount;
use crate::store::outbox::{JobFilter, JobState};
use crate::store::{Books, Store};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use wabridge_crms::mapping::standard;
use wabridge_crms::registry;
use wabridge_simulators::{Reply, Request, Serving, Simulator, hubspot, serve};

/// What goes wrong: each once for every time, at the first request it fits.
const TROUBLE: &str = r#"[
    {"method": "POST", "path": "contacts/batch/upsert", "fate": "apply_then_cut", "times": 1},
    {"method": "POST", "path": "communications", "fate": "apply_then_cut", "times": 1},
    {"method": "POST", "path": "contacts/search", "fate": "reject_500", "times": 1},
    {"method": "POST", "path": "contacts/batch/read", "fate": "reject_429", "times": 1, "retry_after": 1}
]"#;

/// A CRM that lives as long as the demo.
pub(super) struct Crm {
    simulator: Arc<Simulator>,
    serving: Serving,
}

/// What stands in the CRM when all is delivered.
#[derive(Debug)]
pub(super) struct Delivered {
    pub(super) persons: usize,
    pub(super) activities: usize,
    /// Calls, and those of them that were not answered or refused.
    pub(super) calls: usize,
    pub(super) failed: usize,
}

impl Crm {
    pub(super) fn start() -> std::io::Result<Crm> {
        let simulator = Arc::new(hubspot::simulator());
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let serving = serve(Arc::clone(&simulator), listener, None)?;
        Ok(Crm { simulator, serving })
    }

    /// The target for it; `None` if this binary writes to no HubSpot.
    pub(super) fn target(&self) -> Option<Target> {
        let crm = registry::find("hubspot")?;
        let told = self.simulator.target();
        let token = SecretReference::Held(told["auth"]["token"].as_str()?.to_owned().into());
        let mut target = Target::new("hubspot", crm, token);
        target.base_url = Some(self.serving.base_url());
        target.fields = standard("hubspot", &[]);
        Some(target)
    }

    /// Creates the fields that are mapped, as `target setup --apply` does, and lets trouble begin.
    pub(super) async fn set_up(&self, target: &Target, config: &Config) -> Result<(), PlayError> {
        let account = HttpAccount::new(target).map_err(|_| PlayError::Crm)?;
        let wire = Wire { target, transport: &account, country: config.region.default_country };
        let schema = wire.schema().await.map_err(|_| PlayError::Crm)?;
        let made = wire.make(&schema, &to_make(target, &schema)).await;
        if made.iter().any(Result::is_err) {
            return Err(PlayError::Crm);
        }
        self.control("POST", "/_fate", TROUBLE);
        Ok(())
    }

    /// What stands in it now.
    pub(super) fn delivered(&self) -> Delivered {
        let ledger = self.control("GET", "/_ledger", "");
        let count = |list: &str| ledger[list].as_array().map_or(0, Vec::len);
        let calls = ledger["calls"].as_array().map(Vec::as_slice).unwrap_or_default();
        let failed = |call: &&Value| !(200..300).contains(&call["status"].as_u64().unwrap_or(0));
        Delivered {
            persons: count("persons"),
            activities: count("activities"),
            calls: calls.len(),
            failed: calls.iter().filter(failed).count(),
        }
    }

    fn control(&self, method: &str, path: &str, body: &str) -> Value {
        let request = Request {
            method: method.to_owned(),
            target: path.to_owned(),
            headers: Vec::new(),
            body: body.as_bytes().to_vec(),
        };
        match self.simulator.answer(&request, Timestamp::UNIX_EPOCH) {
            Reply::Answer(answer, _) => serde_json::from_slice(&answer.body).unwrap_or_default(),
            Reply::Cut | Reply::Hang => json!(null),
        }
    }
}

/// Waits until all is delivered; what would wait for the next bulk delivery is asked for now.
pub(super) async fn delivered(store: &dyn Store, now: impl Fn() -> Timestamp) -> Result<Books, PlayError> {
    let waiting = JobFilter { state: Some(JobState::Pending), ..JobFilter::default() };
    for _ in 0..600 {
        let books = store.books()?;
        let of = |state: &str| books.jobs.get(state).copied().unwrap_or(0);
        if ["pending", "leased", "doubt"].into_iter().all(|state| of(state) == 0) {
            return Ok(books);
        }
        let untried = store.jobs(&waiting, 0, 1000)?;
        let untried =
            untried.iter().filter(|job| job.attempts == 0 && job.cause.is_none() && job.due_at > now());
        let untried: Vec<i64> = untried.map(|job| job.id).collect();
        if !untried.is_empty() {
            store.retry_jobs(&untried, now())?;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err(PlayError::Late)
}
