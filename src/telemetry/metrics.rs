//! Every metric, by name. Labels come from closed sets: never a phone, a lead or a message id.
//!
//! In: what the web layer counts, and the books when someone looks. Out: the OpenMetrics text.

use crate::store::{Backlog, Books};
use jiff::Timestamp;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use std::sync::atomic::{AtomicU64, Ordering};

/// How a webhook request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
#[expect(non_camel_case_types, reason = "the variants are the label's values")]
pub enum Answered {
    /// Durable.
    acknowledged,
    /// The URL check was answered.
    greeted,
    /// Not proven.
    unauthenticated,
    /// Too large, too slow, encoded, or of another method.
    refused,
    /// Proven, and not stored.
    not_stored,
}

/// Labels of `wabridge_webhook_requests_total`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    provider: &'static str,
    result: Answered,
}

/// Labels of `wabridge_webhook_auth_failures_total` and of the refusals.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    provider: &'static str,
    reason: String,
}

/// Labels of `wabridge_requests`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct State {
    state: String,
}

/// Labels of `wabridge_items_total`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ItemResult {
    result: String,
    reason: String,
}

/// All metrics of the process.
pub struct Metrics {
    registry: Registry,
    requests: Family<Request, Counter>,
    auth_failures: Family<Reason, Counter>,
    refusals: Family<Reason, Counter>,
    ack_duration: Histogram,
    states: Family<State, Gauge>,
    items: Family<ItemResult, Counter>,
    behind: Gauge<f64, AtomicU64>,
}

impl Default for Metrics {
    fn default() -> Metrics {
        let mut registry = Registry::with_prefix("wabridge");
        let metrics = Metrics {
            requests: Family::default(),
            auth_failures: Family::default(),
            refusals: Family::default(),
            ack_duration: Histogram::new(exponential_buckets(0.000_25, 2.0, 14)),
            states: Family::default(),
            items: Family::default(),
            behind: Gauge::default(),
            registry: Registry::default(),
        };
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The running version", version);
        registry.register("webhook_requests", "Webhook requests by how they ended", metrics.requests.clone());
        let help = "Webhook requests that were not proven, by reason";
        registry.register("webhook_auth_failures", help, metrics.auth_failures.clone());
        let help = "Webhook requests that were refused before any proof, by reason";
        registry.register("webhook_refusals", help, metrics.refusals.clone());
        let help = "From the end of the body to the durable acknowledgement";
        registry.register_with_unit(
            "webhook_ack_duration",
            help,
            Unit::Seconds,
            metrics.ack_duration.clone(),
        );
        registry.register("requests", "Stored requests by state", metrics.states.clone());
        registry.register("items", "Items of projected requests by result", metrics.items.clone());
        let help = "Age of the oldest stored request that is not projected";
        registry.register_with_unit("projection_behind", help, Unit::Seconds, metrics.behind.clone());
        Metrics { registry, ..metrics }
    }
}

impl Metrics {
    /// Counts a webhook request.
    pub fn answered(&self, provider: &'static str, result: Answered) {
        self.requests.get_or_create(&Request { provider, result }).inc();
    }

    /// Counts a request that was not proven.
    pub fn unproven(&self, provider: &'static str, reason: &str) {
        self.answered(provider, Answered::unauthenticated);
        self.auth_failures.get_or_create(&Reason { provider, reason: reason.to_owned() }).inc();
    }

    /// Counts a request that was refused before any proof.
    pub fn refused(&self, provider: &'static str, reason: &str) {
        self.answered(provider, Answered::refused);
        self.refusals.get_or_create(&Reason { provider, reason: reason.to_owned() }).inc();
    }

    /// Records how long a durable acknowledgement took.
    pub fn acknowledged(&self, provider: &'static str, seconds: f64) {
        self.answered(provider, Answered::acknowledged);
        self.ack_duration.observe(seconds);
    }

    /// The text for Prometheus; the books are those of the store at this moment.
    #[must_use]
    pub fn text(&self, books: &Books, backlog: Backlog, now: Timestamp) -> String {
        for (state, count) in &books.requests {
            let gauge = self.states.get_or_create_owned(&State { state: state.clone() });
            gauge.set(i64::try_from(*count).unwrap_or(i64::MAX));
        }
        for (name, count) in &books.items {
            let (result, reason) = name.split_once('.').unwrap_or((name, ""));
            let labels = ItemResult { result: result.to_owned(), reason: reason.to_owned() };
            self.items.get_or_create_owned(&labels).inner().store(*count, Ordering::Relaxed);
        }
        let behind = backlog.oldest.map_or(0.0, |oldest| now.duration_since(oldest).as_secs_f64().max(0.0));
        self.behind.set(behind);
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}
