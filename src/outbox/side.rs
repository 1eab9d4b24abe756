//! Endpoints of the operator's own that are asked before a write.
//!
//! In: requests. Out: what was answered in time, or a word for why nothing was. Several are asked at once, all of them
//! within one timeout; an endpoint that fails is left alone for a while. No write ever fails for want of an answer.

use super::transport::{body_of, client};
use crate::clock::Clock;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

/// Requests at one time.
const AT_ONCE: usize = 8;
/// The longest answer, in bytes.
const LONGEST: usize = 256 * 1024;
/// So many failures in a row, and nothing is asked for so long.
const FAILURES: u32 = 3;
const REST: Duration = Duration::from_secs(60);

/// A request, or a word for why there is none.
pub(super) type Ask = Result<reqwest::RequestBuilder, &'static str>;

/// One endpoint, as one courier asks it.
pub(super) struct Side {
    /// Its table in the configuration.
    table: &'static str,
    client: OnceLock<reqwest::Client>,
    failing: Mutex<Failing>,
}

#[derive(Default)]
struct Failing {
    in_a_row: u32,
    rests_until: Duration,
}

impl Side {
    pub(super) fn new(table: &'static str) -> Side {
        Side { table, client: OnceLock::new(), failing: Mutex::default() }
    }

    /// A request with a body, to be told what else it needs.
    pub(super) fn post(&self, url: String, timeout: Duration) -> reqwest::RequestBuilder {
        self.client.get_or_init(client).post(url).timeout(timeout)
    }

    /// Asks them all. `read` makes something of a status and a body; a word in its place says why not.
    pub(super) async fn ask<K: Send + 'static, T>(
        &self,
        asks: Vec<(K, Ask)>,
        timeout: Duration,
        clock: &dyn Clock,
        read: impl Fn(u16, &[u8]) -> Result<T, &'static str>,
    ) -> Vec<(K, Result<T, &'static str>)> {
        if self.failing().rests_until > clock.elapsed() {
            return asks.into_iter().map(|(key, _)| (key, Err("resting"))).collect();
        }
        let deadline = Instant::now() + timeout;
        let (mut open, mut done) = (VecDeque::from(asks), Vec::new());
        let mut running = JoinSet::new();
        loop {
            while running.len() < AT_ONCE
                && let Some((key, ask)) = open.pop_front()
            {
                // Each has its deadline in itself, so that none is lost with its key.
                running.spawn(async move {
                    let answer = timeout_at(deadline, answer(ask)).await;
                    (key, answer.unwrap_or(Err("timeout")))
                });
            }
            let Some(next) = running.join_next().await else { break };
            let Ok((key, answer)) = next else { continue };
            let read = answer.and_then(|(status, body)| read(status, &body));
            self.note(read.is_ok(), clock.elapsed());
            done.push((key, read));
        }
        done
    }

    fn note(&self, is_well: bool, now: Duration) {
        let mut failing = self.failing();
        failing.in_a_row = if is_well { 0 } else { failing.in_a_row + 1 };
        if failing.in_a_row >= FAILURES && failing.rests_until <= now {
            failing.rests_until = now + REST;
            let (table, seconds) = (self.table, REST.as_secs());
            tracing::warn!(table, seconds, "the endpoint fails; all is written without it meanwhile");
        }
    }

    fn failing(&self) -> MutexGuard<'_, Failing> {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn answer(ask: Ask) -> Result<(u16, Vec<u8>), &'static str> {
    let why = |error: reqwest::Error| if error.is_timeout() { "timeout" } else { "unreachable" };
    let response = ask?.send().await.map_err(why)?;
    let status = response.status().as_u16();
    let body = body_of(response, LONGEST).await.map_err(why)?;
    Ok((status, body.ok_or("too_long")?))
}
