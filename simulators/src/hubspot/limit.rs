//! Who may ask, and how often: the token, 190 requests in 10 seconds, 5 searches a second, the daily quota.

use super::TOKEN;
use super::problem::Problem;
use crate::call::{Answer, Call};
use crate::crm::Settings;
use crate::time::{forget, zone};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::VecDeque;

/// A private app of a Professional account.
const BURST: usize = 190;
const BURST_SPAN: SignedDuration = SignedDuration::from_secs(10);
const SEARCHES: usize = 5;
const SEARCH_SPAN: SignedDuration = SignedDuration::from_secs(1);
const DAILY: u64 = 650_000;

/// Whether the token is good.
pub(super) fn proven(call: &Call<'_>, settings: &Settings, now: Timestamp) -> Result<(), Problem> {
    let shown = call.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
    if shown != Some(TOKEN) {
        let message = "Authentication credentials not found. This API supports OAuth 2.0 authentication and you \
                       can find more details at https://developers.hubspot.com/docs/methods/auth/oauth-overview";
        return Err(Problem::new(401, "INVALID_AUTHENTICATION", message));
    }
    match settings.token_until {
        Some(until) if now >= until => {
            let late = now.duration_since(until).as_secs();
            let message = format!("The OAuth token used to make this call expired {late} second(s) ago.");
            let context = vec![("expire time", vec![until.to_string()])];
            Err(Problem { context, ..Problem::new(401, "EXPIRED_AUTHENTICATION", message) })
        }
        _ => Ok(()),
    }
}

/// Counts requests. Those that are refused do not count.
#[derive(Debug, Default)]
pub(super) struct Meter {
    requests: VecDeque<Timestamp>,
    searches: VecDeque<Timestamp>,
    day: Option<Date>,
}

impl Meter {
    /// Lets a request in and counts it, or says which limit it is over.
    pub(super) fn admit(
        &mut self,
        searches: bool,
        settings: &mut Settings,
        now: Timestamp,
    ) -> Result<(), Problem> {
        let today = local(now).date();
        // The first request is of whatever day it is: `used` may have been set before.
        if self.day.is_some_and(|day| day != today) {
            settings.quota.used = 0;
        }
        self.day = Some(today);
        if settings.quota.used >= limit(settings) {
            return Err(throttled("DAILY", "You have reached your daily limit."));
        }
        if searches {
            forget(&mut self.searches, SEARCH_SPAN, now);
            if self.searches.len() >= SEARCHES {
                return Err(throttled("SECONDLY", "You have reached your secondly limit."));
            }
            self.searches.push_back(now);
        } else {
            forget(&mut self.requests, BURST_SPAN, now);
            if self.requests.len() >= BURST {
                return Err(burst());
            }
            self.requests.push_back(now);
        }
        settings.quota.used += 1;
        Ok(())
    }

    /// The headers that say how much is left.
    pub(super) fn tell(&self, answer: &mut Answer, settings: &Settings) {
        answer.header("x-hubspot-ratelimit-max", BURST);
        answer.header("x-hubspot-ratelimit-remaining", BURST.saturating_sub(self.requests.len()));
        answer.header("x-hubspot-ratelimit-interval-milliseconds", BURST_SPAN.as_millis());
        answer.header("x-hubspot-ratelimit-daily", limit(settings));
        let left = limit(settings).saturating_sub(settings.quota.used);
        answer.header("x-hubspot-ratelimit-daily-remaining", left);
    }
}

/// Over 190 in 10 seconds.
pub(super) fn burst() -> Problem {
    throttled("TEN_SECONDLY_ROLLING", "You have reached your ten_secondly_rolling limit.")
}

/// What the usage endpoint says.
pub(super) fn usage(settings: &Settings, now: Timestamp) -> Value {
    let midnight = local(now).date().tomorrow().and_then(|day| day.to_zoned(zone()));
    let resets_at = midnight.map_or(now, |midnight| midnight.timestamp());
    json!({ "results": [{
        "name": "private-apps-api-calls-daily", "usageLimit": limit(settings),
        "currentUsage": settings.quota.used, "collectedAt": now, "resetsAt": resets_at,
        "fetchStatus": "SUCCESS",
    }] })
}

fn limit(settings: &Settings) -> u64 {
    settings.quota.limit.unwrap_or(DAILY)
}

fn throttled(policy: &'static str, message: &str) -> Problem {
    Problem { policy: Some(policy), ..Problem::new(429, "RATE_LIMITS", message) }
}

fn local(now: Timestamp) -> jiff::Zoned {
    now.to_zoned(zone())
}
