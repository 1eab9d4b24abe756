//! What is left of an account's limits: whether a call may be made, and how urgent work must be to be begun.
//!
//! In: calls before they are made, answers, the store's rows at a start. Out: room or the time at which there is
//! some, rows to be written before the call, and what people and alerts are shown. One for each account, whatever the
//! number of targets that write to it; a reload keeps it.

use super::Setup;
use super::usage::{Moment, Usage, share};
use crate::clock::Clock;
use crate::config::{Quota, Target};
use crate::store::outbox::Used;
use crate::store::{Store, StoreError};
use crate::telemetry::metrics::Metrics;
use jiff::Timestamp;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use wabridge_crms::{Answer, Call, Limit};
use wabridge_model::Priority;

/// The longest that anything is put off for want of room: by then there may be another configuration.
const LOOK: Duration = Duration::from_secs(600);

/// A call that there is no room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full {
    /// How long until there is.
    pub wait: Duration,
    /// Whether that is the pace of the whole target, and not a budget that more urgent work may go on using.
    pub is_pace: bool,
}

/// A limit as people and alerts are shown it.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Which.
    pub limit: &'static Limit,
    /// What is used.
    pub used: u64,
    /// Of how much.
    pub size: u64,
    /// When it is used up, if it goes on as within the last hour.
    pub runs_out: Option<Timestamp>,
}

impl Seen {
    /// As it is now.
    #[must_use]
    pub fn of(usage: &Usage, now: Moment) -> Seen {
        let (used, size) = usage.used(now);
        Seen { limit: usage.limit, used, size, runs_out: usage.runs_out(usage.per_hour(now), now) }
    }

    /// The used share.
    #[must_use]
    pub fn share(&self) -> f64 {
        share((self.used, self.size))
    }

    /// Whether so many percent are used.
    #[must_use]
    pub fn has_reached(&self, percent: u64) -> bool {
        self.used.saturating_mul(100) >= self.size.saturating_mul(percent)
    }
}

/// What is left of an account's limits.
pub struct Budget {
    /// Under which it is written down.
    pub account: String,
    state: Mutex<State>,
}

struct State {
    usages: Vec<Usage>,
    is_loaded: bool,
}

/// Every limit of a target, as far as rows tell what was used of it.
#[must_use]
pub fn usages(target: &Target, rows: &[Used]) -> Vec<Usage> {
    let usage = |limit: &'static Limit| {
        let mut usage = Usage::new(limit, target.quota.get(limit.name).copied());
        usage.restore(
            spans(rows, limit.name).map(|row| (row.span.as_millisecond(), row.amount)),
            spans(rows, &size_row(limit)).map(|row| row.amount).last(),
        );
        usage
    };
    let is_login = target.auth.login().is_some();
    let holds = |limit: &&Limit| !(limit.of_tokens && is_login) || target.quota.contains_key(limit.name);
    target.crm.about().limits.iter().filter(holds).map(usage).collect()
}

fn spans<'a>(rows: &'a [Used], budget: &str) -> impl Iterator<Item = &'a Used> {
    rows.iter().filter(move |row| row.budget == budget)
}

/// The row that keeps the size that answers told: until the first answer after a start the account is no smaller.
fn size_row(limit: &Limit) -> String {
    format!("{}.size", limit.name)
}

impl Budget {
    /// Of the account of a target, of which nothing was used.
    #[must_use]
    pub fn new(target: &Target) -> Budget {
        let state = State { usages: usages(target, &[]), is_loaded: false };
        Budget { account: target.account(), state: state.into() }
    }

    /// Takes other sizes.
    pub fn configure(&self, target: &Target) {
        for usage in &mut self.state().usages {
            usage.configure(target.quota.get(usage.limit.name).copied());
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether what was used before the start is known.
    #[must_use]
    pub fn is_loaded(&self) -> bool {
        self.state().is_loaded
    }

    /// Forgets what was used: others may have used more since, and have written it down.
    pub fn forget(&self) {
        self.state().is_loaded = false;
    }

    /// Takes what was used before the start.
    pub fn load(&self, target: &Target, rows: &[Used]) {
        let mut state = self.state();
        if !std::mem::replace(&mut state.is_loaded, true) {
            state.usages = usages(target, rows);
        }
    }

    /// Lets a call be made and counts it, or says how long there is no room for it below `percent`.
    ///
    /// What is given back must be written down before the call.
    ///
    /// # Errors
    /// That there is no room.
    pub fn admit(&self, call: &Call, percent: u64, now: Moment) -> Result<Vec<Used>, Full> {
        let mut state = self.state();
        for usage in &mut state.usages {
            let cost = (usage.limit.cost)(call);
            // A pace is nobody's reserve.
            let percent = if usage.limit.is_long() { percent } else { 100 };
            if cost > 0
                && let Err(wait) = usage.fits(cost, percent, now)
            {
                return Err(Full { wait: wait.min(LOOK), is_pace: !usage.limit.is_long() });
            }
        }
        let mut rows = Vec::new();
        for usage in &mut state.usages {
            let cost = (usage.limit.cost)(call);
            if cost > 0 {
                let name = usage.limit.name;
                rows.extend(usage.add(cost, now).into_iter().map(|(span, amount)| row(name, span, amount)));
            }
        }
        Ok(rows)
    }

    /// Takes what an answer says. What is given back is to be written down.
    pub fn answered(&self, call: &Call, answer: Option<&Answer>, now: Moment) -> Vec<Used> {
        let mut rows = Vec::new();
        for usage in &mut self.state().usages {
            if (usage.limit.cost)(call) > 0 {
                let told = answer.and_then(usage.limit.told);
                let size = usage.answered(told, now);
                rows.extend(size.map(|size| row(&size_row(usage.limit), 0, size)));
            }
        }
        rows
    }

    /// Its limits of hours, as they are now.
    #[must_use]
    pub fn seen(&self, now: Moment) -> Vec<Seen> {
        let state = self.state();
        state.usages.iter().filter(|usage| usage.limit.is_long()).map(|usage| Seen::of(usage, now)).collect()
    }
}

fn row(budget: &str, span: i64, amount: u64) -> Used {
    let span = Timestamp::from_millisecond(span).unwrap_or(Timestamp::UNIX_EPOCH);
    Used { budget: budget.to_owned(), span, amount }
}

/// How little urgent work of a target may be to be begun still, by what is left of its account's limits.
///
/// # Errors
/// When the store, which knows what was used before the start, cannot be read.
pub fn ration(
    setup: &Setup,
    store: &dyn Store,
    clock: &dyn Clock,
    metrics: &Metrics,
) -> Result<Option<Priority>, StoreError> {
    let budget = &setup.budget;
    if !budget.is_loaded() {
        budget.load(&setup.target, &store.used(&budget.account)?);
    }
    let seen = budget.seen(Moment::new(clock.now(), clock.elapsed()));
    let down_to = down_to(&seen, &setup.config.quota);
    metrics.quota(&setup.target.name, seen);
    Ok(down_to)
}

/// How little urgent work may be to be begun still; nothing is, where all is used.
#[must_use]
pub fn down_to(seen: &[Seen], quota: &Quota) -> Option<Priority> {
    let reached = |percent| seen.iter().any(|seen| seen.has_reached(percent));
    match () {
        () if reached(100) => None,
        () if reached(quota.urgent_percent) => Some(Priority::First),
        () if reached(quota.bulk_percent) => Some(Priority::Urgent),
        () => Some(Priority::Bulk),
    }
}
