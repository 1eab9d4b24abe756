//! Conversations put into words by the configured endpoint, before they are written.
//!
//! In: bundles that are about to be written. Out: the same, their activities summarised where that came off in time.
//! Whatever goes wrong, the summary made of the conversation itself stands: no write waits for longer than the
//! configured timeout, whole bundles together, and an endpoint that fails is left alone for a while. What was answered is
//! remembered, so that a write that is tried again asks for nothing. Nothing that people wrote is logged.

use super::side::{Ask, Side};
use super::work::Work;
use crate::clock::Clock;
use crate::config::Summary;
use crate::insight::summary::{Talk, summary};
use crate::telemetry::metrics::Metrics;
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Summaries that are remembered.
const KEPT: usize = 1_000;

/// What a conversation's words are told apart by.
type Hash = [u8; 32];

/// The endpoint, as one courier asks it.
pub(super) struct Summaries {
    side: Side,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    summaries: BTreeMap<Hash, String>,
    oldest: VecDeque<Hash>,
}

impl Known {
    fn keep(&mut self, hash: Hash, summary: String) {
        if self.summaries.insert(hash, summary).is_none() {
            self.oldest.push_back(hash);
        }
        if let Some(oldest) = self.oldest.pop_front_if(|_| self.summaries.len() > KEPT) {
            self.summaries.remove(&oldest);
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

impl Default for Summaries {
    fn default() -> Summaries {
        Summaries { side: Side::new("summary"), known: Mutex::default() }
    }
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
        let mut open: Vec<(Asked, Ask)> = Vec::new();
        for (work, of) in works.iter_mut().enumerate() {
            for (id, talk) in of.take_talks() {
                let hash = Sha256::digest(format!("{}\n{}\n{}", config.url, config.model, talk.text)).into();
                let asked = Asked { work, id, talk, hash };
                match self.known().summaries.get(&hash) {
                    Some(summary) => {
                        metrics.summarised("remembered");
                        works_on(of, &asked, summary);
                    }
                    None => {
                        let request = self.request(config, &asked.talk);
                        open.push((asked, request));
                    }
                }
            }
        }
        let read = |status: u16, body: &[u8]| match status {
            200..300 => summary(body),
            _ => Err("refused"),
        };
        for (asked, answer) in self.side.ask(open, config.timeout, clock, read).await {
            metrics.summarised(answer.as_ref().err().unwrap_or(&"used"));
            if let Ok(summary) = answer {
                works_on(&mut works[asked.work], &asked, &summary);
                self.known().keep(asked.hash, summary);
            }
        }
    }

    fn request(&self, config: &Summary, talk: &Talk) -> Ask {
        let request = self.side.post(format!("{}/chat/completions", config.url), config.timeout);
        let request = match &config.api_key {
            Some(key) => request.bearer_auth(key.resolve().map_err(|_| "no_key")?.expose_secret()),
            None => request,
        };
        Ok(request.json(&talk.request(&config.model)))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn works_on(work: &mut Work, asked: &Asked, summary: &str) {
    let write = work.dossier.as_mut().and_then(|dossier| dossier.activities.get_mut(&asked.id));
    if let Some(write) = write {
        (write.title, write.body) = asked.talk.with(summary);
    }
}
