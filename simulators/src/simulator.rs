//! A simulated CRM: one lock around its records, its fates and the log of the calls it had.

use crate::call::{Answer, Call};
use crate::control::{Change, Fate, Kind, Set};
use crate::crm::{Crm, Notice, Refusal, Settings};
use crate::{Reply, Request, Response};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The calls that are remembered; older ones are forgotten.
const MOST_CALLS: usize = 500_000;

/// How late a slow answer is, where its fate does not say.
const SLOW: u64 = 5;

/// A simulated CRM. Equal requests at equal times get equal answers.
pub struct Simulator {
    slug: &'static str,
    state: Mutex<State>,
}

struct State {
    crm: Box<dyn Crm>,
    settings: Settings,
    fates: Vec<Fate>,
    calls: VecDeque<Logged>,
    notices: Vec<Notice>,
}

/// A call in the ledger. `status` is 0 where nothing was answered.
#[derive(Debug, Serialize)]
struct Logged {
    method: String,
    path: String,
    status: u16,
    records: usize,
    at: Timestamp,
}

impl fmt::Debug for Simulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulator").field("crm", &self.slug).finish_non_exhaustive()
    }
}

impl Simulator {
    pub(crate) fn new(slug: &'static str, crm: Box<dyn Crm>) -> Simulator {
        let state = State {
            crm,
            settings: Settings::default(),
            fates: Vec::new(),
            calls: VecDeque::new(),
            notices: Vec::new(),
        };
        Simulator { slug, state: Mutex::new(state) }
    }

    /// The CRM's name in configuration.
    #[must_use]
    pub fn slug(&self) -> &'static str {
        self.slug
    }

    /// Answers a request of the CRM's API, or of the simulator's own:
    ///
    /// - `GET /_ledger`: `persons`, `activities`, `deals`, `tasks` as they stand, how often the CRM's `automations` ran
    ///   for a record, and all `calls` of the API (`status` 0 where no answer was given; `records` in the batch,
    ///   or found).
    /// - `POST /_set`: `search_lag_seconds` (0 at first), `token_ttl_seconds` (of the tokens there are, counted
    ///   from now, and of those granted later; `null`: for ever, and as the CRM has it), `quota`, `schema`,
    ///   `rotate_refresh_tokens` (where there is a token endpoint).
    /// - `POST /_fate`: a list, each befalling the first `times` requests it fits; an empty list clears them.
    ///   Fates that begin with `apply_` are applied, `slow` (by `retry_after` seconds, or 5) as well; others not.
    /// - `POST /_change`: a human's edit.
    pub fn answer(&self, request: &Request, now: Timestamp) -> Reply {
        let mut state = self.lock();
        if request.target.starts_with("/_") {
            let told = state.control(request, now);
            let answer =
                told.unwrap_or_else(|(status, error)| Answer::new(status, json!({ "error": error })));
            return Reply::Answer(answer.into(), Duration::ZERO);
        }
        state.api(request, now)
    }

    /// The keys of a `[[target]]` that fit this account, but for `base_url`: with the token itself, where
    /// configuration wants a reference to it.
    #[must_use]
    pub fn target(&self) -> Value {
        self.lock().crm.target()
    }

    /// What its token endpoint is asked with: its path as `token_path` (`auth_path` where a person agrees), the
    /// client's `client_id` and `client_secret`, a `code` that is good once and a `refresh_token`. `None` where
    /// it has none.
    #[must_use]
    pub fn oauth(&self) -> Option<Value> {
        self.lock().crm.oauth()
    }

    /// How many requests of its API came so far.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.lock().calls.len()
    }

    /// The secret that its change notices are signed with, or that they carry.
    #[must_use]
    pub fn notice_secret(&self) -> &'static str {
        self.lock().crm.notice_secret()
    }

    /// The change notices that were not yet taken.
    #[must_use]
    pub fn notices(&self) -> Vec<Notice> {
        std::mem::take(&mut self.lock().notices)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic while answering is the test's own failure; the records are still there to be looked at.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn api(&mut self, request: &Request, now: Timestamp) -> Reply {
        let call = Call::new(request);
        let fate = self.fates.iter_mut().find(|fate| fate.befalls(&request.method, &request.target));
        let fate = fate.map(|fate| {
            fate.times -= 1;
            (fate.fate, fate.retry_after)
        });
        self.fates.retain(|fate| fate.times > 0);
        let apply = |state: &mut State| {
            let answer = state.crm.answer(&call, &mut state.settings, now);
            (state.crm.records(&call, &answer), answer)
        };
        let at_once = |answer: Answer| Reply::Answer(answer.into(), Duration::ZERO);
        let (records, status, reply) = match fate {
            None => {
                let (records, answer) = apply(self);
                (records, answer.status, at_once(answer))
            }
            Some((Kind::Slow, seconds)) => {
                let (records, answer) = apply(self);
                let late = Duration::from_secs(seconds.unwrap_or(SLOW));
                (records, answer.status, Reply::Answer(answer.into(), late))
            }
            Some((Kind::ApplyThenCut, _)) => (apply(self).0, 0, Reply::Cut),
            Some((Kind::ApplyThen500, _)) => (apply(self).0, 500, at_once(self.crm.refuse(&Refusal::Broken))),
            Some((Kind::Reject500, _)) => (0, 500, at_once(self.crm.refuse(&Refusal::Broken))),
            Some((Kind::Reject429, seconds)) => {
                (0, 429, at_once(self.crm.refuse(&Refusal::Throttled(seconds))))
            }
            Some((Kind::Hang, _)) => (0, 0, Reply::Hang),
            Some((Kind::Garbage, _)) => (0, 200, Reply::Answer(garbage(), Duration::ZERO)),
        };
        if self.calls.len() == MOST_CALLS {
            self.calls.pop_front();
        }
        let path = request.target.clone();
        self.calls.push_back(Logged { method: request.method.clone(), path, status, records, at: now });
        reply
    }

    fn control(&mut self, request: &Request, now: Timestamp) -> Result<Answer, (u16, String)> {
        let wrong = |error: serde_json::Error| (400, error.to_string());
        match (request.method.as_str(), request.target.as_str()) {
            ("GET", "/_ledger") => {
                let mut ledger = json!(self.crm.books());
                ledger["calls"] = json!(self.calls);
                return Ok(Answer::new(200, ledger));
            }
            ("POST", "/_set") => {
                let set: Set = serde_json::from_slice(&request.body).map_err(wrong)?;
                self.set(&set, now).map_err(|error| (400, error))?;
            }
            ("POST", "/_fate") => {
                let fates: Vec<Fate> = serde_json::from_slice(&request.body).map_err(wrong)?;
                if fates.is_empty() {
                    self.fates.clear();
                }
                self.fates.extend(fates);
            }
            ("POST", "/_change") => {
                let change = Change::read(&request.body).map_err(|error| (400, error))?;
                let notices = self.crm.change(&change, &self.settings, now).map_err(|error| (400, error))?;
                self.notices.extend(notices);
            }
            _ => {
                let routes = "GET /_ledger, POST /_set, POST /_fate and POST /_change are all there is";
                return Err((404, routes.to_owned()));
            }
        }
        Ok(Answer::new(200, json!({})))
    }

    fn set(&mut self, set: &Set, now: Timestamp) -> Result<(), String> {
        let span = |seconds: f64, key: &str| {
            let span = SignedDuration::try_from_secs_f64(seconds).ok().filter(|span| !span.is_negative());
            span.ok_or_else(|| format!("{key}: {seconds} is no number of seconds"))
        };
        // Read whole before any of it holds: a refused request has changed nothing.
        let lag = set.search_lag_seconds.map(|seconds| span(seconds, "search_lag_seconds")).transpose()?;
        let ttl = set.token_ttl_seconds;
        let ttl =
            ttl.map(|ttl| ttl.map(|seconds| span(seconds, "token_ttl_seconds")).transpose()).transpose()?;
        if set.rotate_refresh_tokens.is_some() && self.crm.oauth().is_none() {
            return Err("rotate_refresh_tokens: this CRM has no token endpoint here".to_owned());
        }
        if let Some(schema) = &set.schema {
            self.crm.reshape(schema)?;
        }
        self.settings.rotate_refresh_tokens =
            set.rotate_refresh_tokens.unwrap_or(self.settings.rotate_refresh_tokens);
        self.settings.search_lag = lag.unwrap_or(self.settings.search_lag);
        if let Some(ttl) = ttl {
            self.settings.token_ttl = ttl;
            self.settings.token_until = ttl.map(|ttl| now.saturating_add(ttl).unwrap_or(Timestamp::MAX));
        }
        if let Some(quota) = &set.quota {
            self.settings.quota.limit = quota.limit.or(self.settings.quota.limit);
            self.settings.quota.used = quota.used.unwrap_or(self.settings.quota.used);
        }
        Ok(())
    }
}

/// What a proxy on the way says when it means nothing.
fn garbage() -> Response {
    Response {
        status: 200,
        headers: vec![("content-type".to_owned(), "text/html".to_owned())],
        body: b"<html><body>Please wait while your connection is checked ...</body>".to_vec(),
    }
}
