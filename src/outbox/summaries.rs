//! Conversations put into words by the configured endpoint, before they are written.
//!
//! In: bundles that are about to be written. Out: the same, their activities summarised where that came off in time.
//! Whatever goes wrong, the summary made of the conversation itself stands: no write waits for longer than the
//! configured timeout, whole bundles together, and an endpoint that fails is left alone for a while. What was answered is
//! remembered, so that a write that is tried again asks for nothing. Nothing that people wrote is logged.

use super::transport::client;
use super::work::Work;
use crate::clock::Clock;
use crate::config::Summary;
use crate::insight::summary::{Talk, summary};
use crate::telemetry::metrics::Metrics;
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

/// Requests at one time.
const AT_ONCE: usize = 8;
/// The longest answer, in bytes.
const LONGEST: usize = 256 * 1024;
/// Summaries that are remembered.
const KEPT: usize = 1_000;
/// So many failures in a row, and nothing is asked for so long.
const FAILURES: u32 = 3;
const REST: Duration = Duration::from_secs(60);

/// What a conversation's words are told apart by.
type Hash = [u8; 32];

/// The endpoint, as one courier asks it.
#[derive(Default)]
pub(super) struct Summaries {
    client: OnceLock<reqwest::Client>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    known: BTreeMap<Hash, String>,
    oldest: VecDeque<Hash>,
    failures: u32,
    rests_until: Duration,
}

impl State {
    fn keep(&mut self, hash: Hash, summary: String) {
        if self.known.insert(hash, summary).is_none() {
            self.oldest.push_back(hash);
        }
        if let Some(oldest) = self.oldest.pop_front_if(|_| self.known.len() > KEPT) {
            self.known.remove(&oldest);
        }
    }
}

/// A conversation to ask for.
struct Asked {
    work: usize,
    id: String,
    talk: Talk,
    hash: Hash,
}

impl Summaries {
    /// Summarises the activities that are about to be written.
    pub(super) async fn fill(
        &self,
        config: &Summary,
        works: &mut [Work],
        clock: &dyn Clock,
        metrics: &Metrics,
    ) {
        let mut open: VecDeque<Asked> = VecDeque::new();
        for (work, of) in works.iter_mut().enumerate() {
            for (id, talk) in of.take_talks() {
                let hash = Sha256::digest(format!("{}\n{}\n{}", config.url, config.model, talk.text)).into();
                let asked = Asked { work, id, talk, hash };
                match self.state().known.get(&hash) {
                    Some(summary) => {
                        metrics.summarised("remembered");
                        works_on(of, &asked, summary);
                    }
                    None => open.push_back(asked),
                }
            }
        }
        if self.state().rests_until > clock.elapsed() {
            open.drain(..).for_each(|_| metrics.summarised("resting"));
        }
        let deadline = Instant::now() + config.timeout;
        let mut running = JoinSet::new();
        loop {
            while running.len() < AT_ONCE
                && let Some(asked) = open.pop_front()
            {
                let request = self.request(config, &asked.talk);
                running.spawn(async move { (asked, ask(request).await) });
            }
            let Ok(done) = timeout_at(deadline, running.join_next()).await else { break };
            let Some(done) = done else { break };
            let Ok((asked, answer)) = done else { continue };
            metrics.summarised(self.note(&asked, &answer, clock.elapsed()));
            if let Ok(summary) = answer {
                works_on(&mut works[asked.work], &asked, &summary);
            }
        }
        let late = running.len() + open.len();
        if late > 0 {
            self.failed(clock.elapsed());
        }
        (0..late).for_each(|_| metrics.summarised("timeout"));
    }

    fn request(&self, config: &Summary, talk: &Talk) -> Result<reqwest::RequestBuilder, &'static str> {
        let client = self.client.get_or_init(client);
        let request = client.post(format!("{}/chat/completions", config.url)).timeout(config.timeout);
        let request = match &config.api_key {
            Some(key) => request.bearer_auth(key.resolve().map_err(|_| "no_key")?.expose_secret()),
            None => request,
        };
        Ok(request.json(&talk.request(&config.model)))
    }

    /// Remembers what came of it; says it in a word.
    fn note(&self, asked: &Asked, answer: &Result<String, &'static str>, now: Duration) -> &'static str {
        match answer {
            Ok(summary) => {
                let mut state = self.state();
                state.failures = 0;
                state.keep(asked.hash, summary.clone());
                "used"
            }
            Err(why) => {
                self.failed(now);
                why
            }
        }
    }

    fn failed(&self, now: Duration) {
        let mut state = self.state();
        state.failures += 1;
        if state.failures >= FAILURES {
            state.rests_until = now + REST;
            tracing::warn!(
                seconds = REST.as_secs(),
                "the endpoint of [summary] fails; conversations are summarised without it meanwhile"
            );
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn works_on(work: &mut Work, asked: &Asked, summary: &str) {
    let write = work.dossier.as_mut().and_then(|dossier| dossier.activities.get_mut(&asked.id));
    if let Some(write) = write {
        (write.title, write.body) = asked.talk.with(summary);
    }
}

/// One request; the summary, or a word for why there is none.
async fn ask(request: Result<reqwest::RequestBuilder, &'static str>) -> Result<String, &'static str> {
    let why = |error: reqwest::Error| if error.is_timeout() { "timeout" } else { "unreachable" };
    let mut response = request?.send().await.map_err(why)?;
    if !response.status().is_success() {
        return Err("refused");
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(why)? {
        if body.len() + chunk.len() > LONGEST {
            return Err("too_long");
        }
        body.extend_from_slice(&chunk);
    }
    summary(&body)
}
