//! The meter that every call to a CRM passes.
//!
//! In: the calls of one lane of a step. Out: the same, sent once; those that there is no room for, and those that
//! come after one that says to wait, are not. What a call takes of the account's limits is written down before it is
//! sent, so that no end of the process forgets it.

use super::Setup;
use super::breaker::Breaker;
use super::budget::Full;
use super::errand::Lease;
use super::usage::Moment;
use crate::clock::Clock;
use crate::store::Store;
use crate::store::outbox::Used;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use wabridge_crms::{Answer, Call, Later, NoAnswer, Transport};

/// The code of a call that was held back since one before it said to wait.
pub const HELD_BACK: &str = "held_back";
/// The code of a call that was not made because the jobs' leases ran out: another process may make it.
pub const LEASE_LOST: &str = "lease_lost";
/// The code of a call that was not made because a limit leaves no room for it.
pub const QUOTA: &str = "quota";

/// Counts every call into the breaker and the budget.
pub(super) struct Metered<'a> {
    setup: &'a Setup,
    breaker: &'a Mutex<Breaker>,
    clock: &'a dyn Clock,
    lease: &'a Lease,
    store: &'a dyn Store,
    /// Up to so much of a limit of hours may be used.
    percent: u64,
    held_back: AtomicBool,
    full: Mutex<Option<Full>>,
}

impl<'a> Metered<'a> {
    pub(super) fn new(
        setup: &'a Setup,
        breaker: &'a Mutex<Breaker>,
        (clock, lease): (&'a dyn Clock, &'a Lease),
        store: &'a dyn Store,
        percent: u64,
    ) -> Metered<'a> {
        let (held_back, full) = (AtomicBool::new(false), Mutex::default());
        Metered { setup, breaker, clock, lease, store, percent, held_back, full }
    }

    /// What there was no room for, and for how long.
    pub(super) fn full(&self) -> Option<Full> {
        *self.full.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Moment {
        Moment::new(self.clock.now(), self.clock.elapsed())
    }

    /// Whether there is room. After the first call without, no other of the lane is made: what comes after it may
    /// need its answer, and the wait is short.
    fn admit(&self, call: &Call) -> bool {
        if self.full().is_some() {
            return false;
        }
        match self.setup.budget.admit(call, self.percent, self.now()) {
            Ok(rows) => {
                self.keep(&rows);
                true
            }
            Err(full) => {
                *self.full.lock().unwrap_or_else(PoisonError::into_inner) = Some(full);
                false
            }
        }
    }

    /// What cannot be written down is counted all the same; the lane's own commits say what the store lacks.
    fn keep(&self, rows: &[Used]) {
        if !rows.is_empty()
            && let Err(error) = self.store.keep_used(&self.setup.budget.account, rows)
        {
            tracing::warn!(kind = error.kind.as_str(), "what was used of a limit could not be kept");
        }
    }

    fn note(&self, result: &Result<Answer, NoAnswer>) {
        let now = self.clock.elapsed();
        let mut breaker = self.breaker.lock().unwrap_or_else(PoisonError::into_inner);
        match result {
            Ok(answer) if answer.status == 429 => self.held_back.store(true, Ordering::Release),
            Ok(answer) if answer.status < 500 => breaker.answered(now),
            Ok(_) | Err(_) => breaker.failed(now),
        }
        if breaker.state(now) == super::breaker::State::Open {
            self.held_back.store(true, Ordering::Release);
        }
    }
}

impl Transport for Metered<'_> {
    fn send(&self, call: Call) -> Later<'_, Result<Answer, NoAnswer>> {
        Box::pin(async move {
            // Looked at last: a process may be stopped for minutes anywhere, and go on as if nothing had been.
            if !self.lease.outlasts(self.clock.now()) {
                return Err(NoAnswer { sent: false, code: LEASE_LOST });
            }
            if self.held_back.load(Ordering::Acquire) {
                return Err(NoAnswer { sent: false, code: HELD_BACK });
            }
            if !self.admit(&call) {
                return Err(NoAnswer { sent: false, code: QUOTA });
            }
            let result = self.setup.account.send(call.clone()).await;
            self.keep(&self.setup.budget.answered(&call, result.as_ref().ok(), self.now()));
            self.note(&result);
            result
        })
    }
}
