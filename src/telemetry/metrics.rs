//! Every metric, by name. Labels come from closed sets: never a phone, a lead or a message id.
//!
//! In: what the web layer counts, and the books when someone looks. Out: the OpenMetrics text.

use super::quota::Quotas;
use crate::store::outbox::Depth;
use crate::store::{Backlog, Books, StoreError};
use jiff::Timestamp;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use wabridge_crms::Crm;
use wabridge_crms::registry::CRMS;

/// How a webhook request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
#[expect(non_camel_case_types, reason = "the variants are the label's values")]
pub enum Answered {
    /// Durable.
    acknowledged,
    /// The right path token, the wrong signature: kept apart, and answered as if it were right.
    parked,
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

/// Labels of `wabridge_jobs_suppressed_total`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Suppressed {
    reason: String,
}

/// Labels of `wabridge_outbox_depth` and of the age of what waits longest.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Queue {
    target: String,
    priority: String,
}

/// Labels of `wabridge_dlq_depth`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Dead {
    target: String,
    reason: String,
}

/// Labels of `wabridge_items_total`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ItemResult {
    result: String,
    reason: String,
}

/// Labels of `wabridge_store_errors_total`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Failed {
    op: &'static str,
    code: &'static str,
}

/// Labels of `wabridge_connections_total`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    result: &'static str,
}

/// Labels of `wabridge_summaries_total` and `wabridge_enrichments_total`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Summarised {
    result: &'static str,
}

/// Labels of `wabridge_alerts_firing`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Firing {
    alert: &'static str,
}

/// Labels of `wabridge_delivery_attempts_total`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Attempted {
    crm: &'static str,
    result: &'static str,
}

/// Labels of what is counted by CRM.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfCrm {
    crm: &'static str,
}

/// Labels of `wabridge_schema_drift_total`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Drifted {
    crm: &'static str,
    kind: &'static str,
}

/// Labels of what is shown by target: names of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfTarget {
    target: String,
}

/// What is counted on the way to CRMs.
pub(super) struct Delivery {
    attempts: Family<Attempted, Counter>,
    duration: Family<OfCrm, Histogram, fn() -> Histogram>,
    ambiguous: Family<OfCrm, Counter>,
    breakers: Family<OfTarget, Gauge>,
    drift: Family<Drifted, Counter>,
    summaries: Family<Summarised, Counter>,
    enrichments: Family<Summarised, Counter>,
    pub(super) quotas: Quotas,
}

/// What is so at the moment when someone looks.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// The wall clock.
    pub now: Timestamp,
    /// Whether the wall clock stepped not long ago.
    pub clock_unsure: bool,
    /// How far projection is behind.
    pub backlog: Backlog,
}

/// All metrics of the process.
pub struct Metrics {
    registry: Registry,
    requests: Family<Request, Counter>,
    auth_failures: Family<Reason, Counter>,
    refusals: Family<Reason, Counter>,
    ack_duration: Histogram,
    body_bytes: Histogram,
    connections: Gauge,
    ended: Family<Ended, Counter>,
    store_errors: Family<Failed, Counter>,
    states: Family<State, Gauge>,
    items_seen: Counter,
    items: Family<ItemResult, Counter>,
    jobs: Family<State, Gauge>,
    jobs_suppressed: Family<Suppressed, Counter>,
    outbox_depth: Family<Queue, Gauge>,
    outbox_age: Family<Queue, Gauge<f64, AtomicU64>>,
    dead: Family<Dead, Gauge>,
    behind: Gauge<f64, AtomicU64>,
    clock_unsure: Gauge,
    alerts: Family<Firing, Gauge>,
    pub(super) delivery: Delivery,
    /// By provider, for the alerts: a family of metrics can only be written out.
    unproven: Mutex<BTreeMap<&'static str, u64>>,
    /// Held while the books are copied in and written out.
    looking: Mutex<()>,
}

impl Default for Metrics {
    fn default() -> Metrics {
        let mut metrics = Metrics {
            registry: Registry::with_prefix("wabridge"),
            requests: Family::default(),
            auth_failures: Family::default(),
            refusals: Family::default(),
            ack_duration: Histogram::new(exponential_buckets(0.000_25, 2.0, 14)),
            // 256 bytes to 4 MiB, which is the limit.
            body_bytes: Histogram::new(exponential_buckets(256.0, 4.0, 8)),
            connections: Gauge::default(),
            ended: Family::default(),
            store_errors: Family::default(),
            states: Family::default(),
            items_seen: Counter::default(),
            items: Family::default(),
            jobs: Family::default(),
            jobs_suppressed: Family::default(),
            outbox_depth: Family::default(),
            outbox_age: Family::default(),
            dead: Family::default(),
            behind: Gauge::default(),
            clock_unsure: Gauge::default(),
            alerts: Family::default(),
            delivery: Delivery::new(),
            unproven: Mutex::default(),
            looking: Mutex::default(),
        };
        metrics.register_process();
        metrics.register_webhooks();
        metrics.register_store();
        metrics.register_delivery();
        metrics
    }
}

impl Metrics {
    fn register_process(&mut self) {
        let registry = &mut self.registry;
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The running version", version);
        let help = "1 while the wall clock stepped not long ago, so that no window is called open";
        registry.register("clock_unsure", help, self.clock_unsure.clone());
        registry.register(
            "connections",
            "Open connections of providers and people",
            self.connections.clone(),
        );
        registry.register("alerts_firing", "Alerts that fire now, by alert", self.alerts.clone());
        let help =
            "Ended connections: served, or no_request where no whole and well-formed head came in time";
        registry.register("connections_ended", help, self.ended.clone());
    }

    fn register_webhooks(&mut self) {
        let registry = &mut self.registry;
        registry.register("webhook_requests", "Webhook requests by how they ended", self.requests.clone());
        let help = "Webhook requests that were not proven, by reason";
        registry.register("webhook_auth_failures", help, self.auth_failures.clone());
        let help = "Webhook requests that were refused before any proof, by reason";
        registry.register("webhook_refusals", help, self.refusals.clone());
        let help = "From the end of the body to the durable acknowledgement";
        let (ack_duration, body_bytes) = (self.ack_duration.clone(), self.body_bytes.clone());
        registry.register_with_unit("webhook_ack_duration", help, Unit::Seconds, ack_duration);
        let help = "Size of the webhook bodies that were read to their end";
        registry.register_with_unit("webhook_body", help, Unit::Bytes, body_bytes);
    }

    fn register_store(&mut self) {
        let registry = &mut self.registry;
        let help = "What the store could not do, by what it was asked for and the kind of failure";
        registry.register("store_errors", help, self.store_errors.clone());
        let help = "Stored requests by state: stored is the sum of waiting, projected and quarantined";
        registry.register("requests", help, self.states.clone());
        let help = "Items of projected requests: the sum of items over all results";
        registry.register("items_seen", help, self.items_seen.clone());
        registry.register("items", "Items of projected requests by result", self.items.clone());
        let help = "Revisions of jobs by state: wanted is the sum of all others";
        registry.register("jobs", help, self.jobs.clone());
        let help = "Revisions of jobs that needed no writing, by reason";
        registry.register("jobs_suppressed", help, self.jobs_suppressed.clone());
        let help = "Jobs that are not over, by target and priority";
        registry.register("outbox_depth", help, self.outbox_depth.clone());
        let help = "How long ago the oldest of them was asked for";
        let age = self.outbox_age.clone();
        registry.register_with_unit("outbox_oldest_age", help, Unit::Seconds, age);
        let help = "Jobs that a CRM will never take as they are, by target and kind of failure";
        registry.register("dlq_depth", help, self.dead.clone());
        let help = "Age of the oldest stored request that is not projected";
        registry.register_with_unit("projection_behind", help, Unit::Seconds, self.behind.clone());
    }
}

impl Delivery {
    fn new() -> Delivery {
        Delivery {
            attempts: Family::default(),
            // 10 ms to 80 s: a call may take 30 s, and a write several calls.
            duration: Family::new_with_constructor(|| Histogram::new(exponential_buckets(0.01, 2.0, 14))),
            ambiguous: Family::default(),
            breakers: Family::default(),
            drift: Family::default(),
            summaries: Family::default(),
            enrichments: Family::default(),
            quotas: Quotas::default(),
        }
    }
}

impl Metrics {
    fn register_delivery(&mut self) {
        let (registry, delivery) = (&mut self.registry, &self.delivery);
        let help = "Attempts at jobs by what became of them";
        registry.register("delivery_attempts", help, delivery.attempts.clone());
        let help = "How long a CRM took to write bundles";
        registry.register_with_unit("delivery_duration", help, Unit::Seconds, delivery.duration.clone());
        let help = "Attempts of which nothing says whether they were applied";
        registry.register("delivery_ambiguous", help, delivery.ambiguous.clone());
        let help = "Whether a target may be called: 0 it may, 1 one probe at a time, 2 it may not";
        registry.register("breaker_state", help, delivery.breakers.clone());
        let help = "Fields, pipelines and stages that turned out not to be as they must be, by what is wrong";
        registry.register("schema_drift", help, delivery.drift.clone());
        let help =
            "Conversations by how the endpoint of [summary] served: used, remembered, or why it did not";
        registry.register("summaries", help, delivery.summaries.clone());
        let help = "People by how the hook of [enrichment] served: used, remembered, or why it did not";
        registry.register("enrichments", help, delivery.enrichments.clone());
        delivery.quotas.register(registry);
    }

    /// Counts an attempt at a job.
    pub fn attempted(&self, crm: &'static str, result: &'static str) {
        self.delivery.attempts.get_or_create(&Attempted { crm, result }).inc();
    }

    /// How many attempts at jobs ended well since the start, and how many ill, by CRM.
    #[must_use]
    pub fn attempts_by_crm(&self) -> Vec<(&'static str, u64, u64)> {
        let count = |crm, results: &[&'static str]| {
            let of = |result: &&'static str| self.delivery.attempts.get(&Attempted { crm, result });
            results.iter().filter_map(|result| of(result).map(|counter| counter.get())).sum()
        };
        let of = |crm: &&dyn Crm| {
            let crm = crm.about().slug;
            (crm, count(crm, &["done", "suppressed"]), count(crm, &["retry", "doubt", "dead"]))
        };
        CRMS.iter().map(of).collect()
    }

    /// Records how long a CRM took to write bundles.
    pub fn delivered(&self, crm: &'static str, seconds: f64) {
        self.delivery.duration.get_or_create(&OfCrm { crm }).observe(seconds);
    }

    /// Counts attempts of unknown outcome.
    pub fn ambiguous(&self, crm: &'static str, count: usize) {
        self.delivery.ambiguous.get_or_create(&OfCrm { crm }).inc_by(count as u64);
    }

    /// Counts a person of whom a hook was to tell more.
    pub fn enriched(&self, result: &'static str) {
        self.delivery.enrichments.get_or_create(&Summarised { result }).inc();
    }

    /// Counts a conversation that an endpoint was to summarise.
    pub fn summarised(&self, result: &'static str) {
        self.delivery.summaries.get_or_create(&Summarised { result }).inc();
    }

    /// Shows whether a target may be called.
    pub fn breaker(&self, target: &str, state: i64) {
        self.delivery.breakers.get_or_create_owned(&OfTarget { target: target.to_owned() }).set(state);
    }

    /// Whether a target may be called, as it was shown last.
    #[must_use]
    pub fn may_be_called(&self, target: &str) -> bool {
        let target = OfTarget { target: target.to_owned() };
        self.delivery.breakers.get(&target).is_none_or(|state| state.get() == 0)
    }

    /// Counts something of a schema that turned out not to be as it must be.
    pub fn drifted(&self, crm: &'static str, kind: &'static str) {
        self.delivery.drift.get_or_create(&Drifted { crm, kind }).inc();
    }

    /// Counts a webhook request.
    pub fn answered(&self, provider: &'static str, result: Answered) {
        self.requests.get_or_create(&Request { provider, result }).inc();
    }

    /// Counts a request that was not proven.
    pub fn unproven(&self, provider: &'static str, reason: &str) {
        self.answered(provider, Answered::unauthenticated);
        self.auth_failures.get_or_create(&Reason { provider, reason: reason.to_owned() }).inc();
        *self.unproven.lock().unwrap_or_else(PoisonError::into_inner).entry(provider).or_default() += 1;
    }

    /// How many requests were not proven since the start, by provider.
    #[must_use]
    pub fn unproven_by_provider(&self) -> BTreeMap<&'static str, u64> {
        self.unproven.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Shows how often an alert fires.
    pub fn alerts_firing(&self, alert: &'static str, count: usize) {
        self.alerts.get_or_create(&Firing { alert }).set(i64::try_from(count).unwrap_or(i64::MAX));
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

    /// Records the size of a body.
    pub fn read(&self, bytes: usize) {
        // Bodies are of a few MiB at most, which a float holds exactly.
        self.body_bytes.observe(bytes as f64);
    }

    /// Counts what the store could not do.
    pub fn store_failed(&self, op: &'static str, error: &StoreError) {
        self.store_errors.get_or_create(&Failed { op, code: error.kind.as_str() }).inc();
    }

    /// Counts a connection.
    pub fn connected(&self) {
        self.connections.inc();
    }

    /// Counts the end of a connection, and whether it ever carried a request.
    pub fn disconnected(&self, heard: bool) {
        self.connections.dec();
        self.ended.get_or_create(&Ended { result: if heard { "served" } else { "no_request" } }).inc();
    }

    /// Shows how deep the outbox is.
    pub fn outbox(&self, depth: &Depth, now: Timestamp) {
        let _alone = self.looking.lock().unwrap_or_else(PoisonError::into_inner);
        self.outbox_depth.clear();
        self.outbox_age.clear();
        self.dead.clear();
        for ((target, _, priority), (count, oldest)) in &depth.jobs {
            let queue = Queue { target: target.clone(), priority: priority.clone() };
            self.outbox_depth.get_or_create_owned(&queue).inc_by(i64::try_from(*count).unwrap_or(i64::MAX));
            let age = self.outbox_age.get_or_create_owned(&queue);
            age.set(now.duration_since(*oldest).as_secs_f64().max(age.get()));
        }
        for ((target, cause), count) in &depth.dead {
            // The rest of a cause names fields, which are no closed set.
            let reason = cause.split(':').next().unwrap_or_default().to_owned();
            let gauge = self.dead.get_or_create_owned(&Dead { target: target.clone(), reason });
            gauge.inc_by(i64::try_from(*count).unwrap_or(i64::MAX));
        }
    }

    fn count_jobs(&self, books: &Books) {
        let mut suppressed = 0;
        for (name, count) in &books.jobs {
            let count = i64::try_from(*count).unwrap_or(i64::MAX);
            if let Some(reason) = name.strip_prefix("suppressed.") {
                suppressed += count;
                let labels = Suppressed { reason: reason.to_owned() };
                let counter = self.jobs_suppressed.get_or_create_owned(&labels);
                counter.inner().store(count.unsigned_abs(), Ordering::Relaxed);
            } else {
                self.jobs.get_or_create_owned(&State { state: name.clone() }).set(count);
            }
        }
        self.jobs.get_or_create_owned(&State { state: "suppressed".to_owned() }).set(suppressed);
    }

    /// The text for Prometheus; the books are those of the store at this moment.
    #[must_use]
    pub fn text(&self, books: &Books, moment: Moment) -> String {
        let _alone = self.looking.lock().unwrap_or_else(PoisonError::into_inner);
        // What the books no longer name (the last item without a person found one) must not linger here.
        self.items.clear();
        for (state, count) in &books.requests {
            let gauge = self.states.get_or_create_owned(&State { state: state.clone() });
            gauge.set(i64::try_from(*count).unwrap_or(i64::MAX));
        }
        for (name, count) in &books.items {
            let counter = match name.split_once('.').unwrap_or((name, "")) {
                ("seen", _) => self.items_seen.clone(),
                (result, reason) => {
                    let labels = ItemResult { result: result.to_owned(), reason: reason.to_owned() };
                    self.items.get_or_create_owned(&labels)
                }
            };
            counter.inner().store(*count, Ordering::Relaxed);
        }
        self.count_jobs(books);
        let Moment { now, clock_unsure, backlog } = moment;
        let behind = backlog.oldest.map_or(0.0, |oldest| now.duration_since(oldest).as_secs_f64().max(0.0));
        self.behind.set(behind);
        self.clock_unsure.set(i64::from(clock_unsure));
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}
