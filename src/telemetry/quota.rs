//! What is used of CRMs' limits: for the page of metrics, and for the alerts, which cannot read that.

use super::metrics::Metrics;
use crate::outbox::budget::Seen;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};

/// Labels: a target of the configuration, and the CRM's limit.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfLimit {
    target: String,
    window: &'static str,
}

/// What is used of CRMs' limits.
#[derive(Default)]
pub(super) struct Quotas {
    used: Family<OfLimit, Gauge<f64, AtomicU64>>,
    runs_out: Family<OfLimit, Gauge>,
    /// By target, as it was shown last.
    seen: Mutex<BTreeMap<String, Vec<Seen>>>,
}

impl Quotas {
    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "The used share of what a CRM allows the account within a window";
        registry.register_with_unit("quota_used", help, Unit::Other("ratio".to_owned()), self.used.clone());
        let help = "When that is used up at the rate of the last hour; absent while it suffices";
        registry.register_with_unit("quota_exhaustion_timestamp", help, Unit::Seconds, self.runs_out.clone());
    }

    pub(super) fn show(&self, target: &str, seen: Vec<Seen>) {
        for seen in &seen {
            let labels = OfLimit { target: target.to_owned(), window: seen.limit.name };
            self.used.get_or_create_owned(&labels).set(seen.share());
            match seen.runs_out {
                Some(at) => drop(self.runs_out.get_or_create_owned(&labels).set(at.as_second())),
                None => drop(self.runs_out.remove(&labels)),
            }
        }
        let mut all = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for gone in all.get(target).into_iter().flatten() {
            if !seen.iter().any(|seen| seen.limit.name == gone.limit.name) {
                let labels = OfLimit { target: target.to_owned(), window: gone.limit.name };
                self.used.remove(&labels);
                self.runs_out.remove(&labels);
            }
        }
        all.insert(target.to_owned(), seen);
    }

    pub(super) fn of(&self, target: &str) -> Vec<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).get(target).cloned().unwrap_or_default()
    }
}

impl Metrics {
    /// Shows what is used of the limits of a target's account.
    pub fn quota(&self, target: &str, seen: Vec<Seen>) {
        self.delivery.quotas.show(target, seen);
    }

    /// What is used of the limits of a target's account, as it was shown last.
    #[must_use]
    pub fn quota_of(&self, target: &str) -> Vec<Seen> {
        self.delivery.quotas.of(target)
    }
}
