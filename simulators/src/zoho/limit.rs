//! Credits: how many an account has in any 24 hours, what a call costs, and when it is told what is left.
//!
//! What was used is told only once it is half of what there is, and there is neither a time to wait nor a
//! sign of when credits come back. A call that is refused for want of them costs none.

use super::coql;
use super::problem::Problem;
use crate::call::{Answer, Call};
use crate::crm::Settings;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::collections::VecDeque;

/// An Enterprise edition with ten users.
const BASE: u64 = 50_000;
const EACH_USER: u64 = 1_000;
pub(super) const USERS_BOUGHT: u64 = 10;

const SPAN: SignedDuration = SignedDuration::from_hours(24);

/// Counts credits over the last 24 hours.
#[derive(Debug, Default)]
pub(super) struct Credits {
    spent: VecDeque<(Timestamp, u64)>,
    total: u64,
}

impl Credits {
    /// Lets a call in and counts what it costs, or says that too many are used.
    pub(super) fn admit(
        &mut self,
        call: &Call<'_>,
        settings: &mut Settings,
        now: Timestamp,
    ) -> Result<(), Problem> {
        if settings.quota.used != self.total {
            // Set from outside: as if all of it were spent now.
            self.spent = VecDeque::from([(now, settings.quota.used)]);
            self.total = settings.quota.used;
        }
        while let Some((at, credits)) = self.spent.front().copied() {
            if now.duration_since(at) < SPAN {
                break;
            }
            self.total = self.total.saturating_sub(credits);
            self.spent.pop_front();
        }
        let cost = cost(call);
        let fits = self.total + cost <= limit(settings);
        if fits {
            self.total += cost;
            match self.spent.back_mut() {
                Some((at, credits)) if *at == now => *credits += cost,
                _ => self.spent.push_back((now, cost)),
            }
        }
        settings.quota.used = self.total;
        if fits { Ok(()) } else { Err(throttled("api credits exhausted for the last 24 hours")) }
    }

    /// The header that says how much is left, from the half on.
    pub(super) fn tell(&self, answer: &mut Answer, settings: &Settings) {
        let limit = limit(settings);
        if self.total.saturating_mul(2) >= limit {
            answer.header("x-api-credits-remaining", limit.saturating_sub(self.total));
        }
    }
}

/// 429, the same for credits and for calls at once: Zoho gives no time to wait.
pub(super) fn throttled(message: &str) -> Problem {
    Problem::new(429, "TOO_MANY_REQUESTS", message)
}

fn limit(settings: &Settings) -> u64 {
    settings.quota.limit.unwrap_or(BASE + EACH_USER * USERS_BOUGHT)
}

/// A read is one credit, a write one for every ten records, a query by its `LIMIT`.
fn cost(call: &Call<'_>) -> u64 {
    let body = || call.json().unwrap_or_default();
    if call.path.last().is_some_and(|it| it == "coql") {
        return match coql::limit_of(body()["select_query"].as_str().unwrap_or_default()) {
            0..=200 => 1,
            201..=1_000 => 2,
            _ => 3,
        };
    }
    if matches!(call.method, "POST" | "PUT") {
        let records = body()["data"].as_array().map_or(1, Vec::len).max(1);
        return records.div_ceil(10) as u64;
    }
    1
}

/// How many records a call is about, for the ledger.
pub(super) fn records(call: &Call<'_>, answer: &Answer) -> usize {
    let given = call.json().and_then(|body| body["data"].as_array().map(Vec::len));
    let ids = || call.query("ids").map(|ids| ids.split(',').count());
    let data = |body: &Value| body["data"].as_array().map(Vec::len);
    given.or_else(|| answer.body.as_ref().and_then(data)).or_else(ids).unwrap_or_default()
}
