//! `/metrics`: exactly the documented names, types and labels, and books that add up in it.
//!
//! A dashboard and an alert are written against these names: a change of the list below is a change that
//! users notice.

use crate::support::socket::{NOW, Running, request};
use std::collections::BTreeMap;
use wabridge::store::outbox::Depth;
use wabridge::store::{Backlog, Books, StoreError, StoreErrorKind};
use wabridge::telemetry::metrics::{Answered, Metrics, Moment};

/// Name, type, labels.
const FAMILIES: [(&str, &str, &[&str]); 19] = [
    ("wabridge_build", "info", &["version"]),
    ("wabridge_clock_unsure", "gauge", &[]),
    ("wabridge_connections", "gauge", &[]),
    ("wabridge_connections_ended", "counter", &["result"]),
    ("wabridge_dlq_depth", "gauge", &["reason", "target"]),
    ("wabridge_items", "counter", &["reason", "result"]),
    ("wabridge_items_seen", "counter", &[]),
    ("wabridge_jobs", "gauge", &["state"]),
    ("wabridge_jobs_suppressed", "counter", &["reason"]),
    ("wabridge_outbox_depth", "gauge", &["priority", "target"]),
    ("wabridge_outbox_oldest_age_seconds", "gauge", &["priority", "target"]),
    ("wabridge_projection_behind_seconds", "gauge", &[]),
    ("wabridge_requests", "gauge", &["state"]),
    ("wabridge_store_errors", "counter", &["code", "op"]),
    ("wabridge_webhook_ack_duration_seconds", "histogram", &["le"]),
    ("wabridge_webhook_auth_failures", "counter", &["provider", "reason"]),
    ("wabridge_webhook_body_bytes", "histogram", &["le"]),
    ("wabridge_webhook_refusals", "counter", &["provider", "reason"]),
    ("wabridge_webhook_requests", "counter", &["provider", "result"]),
];

/// The family of a sample, and its labels in order.
fn sample(line: &str) -> (String, Vec<String>) {
    let (series, _) = line.rsplit_once(' ').unwrap();
    let (name, labels) = series.split_once('{').unwrap_or((series, ""));
    let suffixes = ["_total", "_bucket", "_sum", "_count", "_info"];
    let family = suffixes.iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name);
    let names = labels.trim_end_matches('}').split(',').filter_map(|pair| Some(pair.split_once('=')?.0));
    let mut names: Vec<String> = names.map(str::to_owned).collect();
    names.sort();
    (family.to_owned(), names)
}

/// Metrics in which everything that can be counted was.
fn everything() -> String {
    let metrics = Metrics::default();
    metrics.connected();
    metrics.connected();
    metrics.disconnected(true);
    metrics.answered("meta", Answered::greeted);
    metrics.unproven("meta", "signature_missing");
    metrics.refused("unknown", "unknown_channel");
    metrics.read(512);
    metrics.acknowledged("meta", 0.003);
    metrics.store_failed("append", &StoreError::new(StoreErrorKind::Full, "store a request"));
    let books = Books {
        requests: [("stored", 3), ("waiting", 1), ("projected", 2)]
            .map(|(name, n)| (name.to_owned(), n))
            .into(),
        items: [("seen", 3), ("applied", 2), ("skipped.sample", 1)]
            .map(|(name, n)| (name.to_owned(), n))
            .into(),
        jobs: [("wanted", 9), ("pending", 2), ("done", 4), ("suppressed.coalesced", 3)]
            .map(|(name, n)| (name.to_owned(), n))
            .into(),
    };
    let now: jiff::Timestamp = NOW.parse().unwrap();
    let oldest = Some(now - jiff::SignedDuration::from_millis(1500));
    let backlog = Backlog { waiting: 1, oldest, newest_receipt: Some(now) };
    let queue = ("crm".to_owned(), "pending".to_owned(), "urgent".to_owned());
    let dead = ("crm".to_owned(), "invalid: VALIDATION_ERROR (field email)".to_owned());
    let depth = Depth {
        jobs: [(queue, (2, now - jiff::SignedDuration::from_secs(90)))].into(),
        dead: [(dead, 1)].into(),
    };
    metrics.outbox(&depth, now);
    metrics.text(&books, Moment { now, clock_unsure: true, backlog })
}

#[test]
fn the_names_the_types_and_the_labels_are_those_that_dashboards_rely_on() {
    let text = everything();
    let mut found: BTreeMap<String, (String, Vec<String>)> = BTreeMap::new();
    for line in text.lines() {
        if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|line| line.split_once(' ')) {
            found.insert(name.to_owned(), (kind.to_owned(), Vec::new()));
        } else if !line.starts_with('#') {
            let (family, labels) = sample(line);
            let known = &mut found.get_mut(&family).unwrap_or_else(|| panic!("{line}")).1;
            // A histogram's sum and count have fewer labels than its buckets.
            if labels.len() > known.len() {
                *known = labels;
            }
        }
    }
    let found: Vec<(&str, &str, Vec<&str>)> = found
        .iter()
        .map(|(name, (kind, labels))| {
            (name.as_str(), kind.as_str(), labels.iter().map(String::as_str).collect())
        })
        .collect();
    let documented: Vec<_> =
        FAMILIES.iter().map(|(name, kind, labels)| (*name, *kind, labels.to_vec())).collect();
    assert_eq!(found, documented);
    assert!(text.ends_with("# EOF\n"), "OpenMetrics ends so");
}

#[test]
fn the_samples_say_what_was_counted() {
    let text = everything();
    for line in [
        "wabridge_clock_unsure 1",
        "wabridge_connections 1",
        r#"wabridge_connections_ended_total{result="served"} 1"#,
        r#"wabridge_items_total{result="skipped",reason="sample"} 1"#,
        "wabridge_items_seen_total 3",
        "wabridge_projection_behind_seconds 1.5",
        r#"wabridge_requests{state="stored"} 3"#,
        r#"wabridge_jobs{state="wanted"} 9"#,
        r#"wabridge_jobs{state="suppressed"} 3"#,
        r#"wabridge_jobs_suppressed_total{reason="coalesced"} 3"#,
        r#"wabridge_outbox_depth{target="crm",priority="urgent"} 2"#,
        r#"wabridge_outbox_oldest_age_seconds{target="crm",priority="urgent"} 90.0"#,
        r#"wabridge_dlq_depth{target="crm",reason="invalid"} 1"#,
        r#"wabridge_store_errors_total{op="append",code="full"} 1"#,
        r#"wabridge_webhook_auth_failures_total{provider="meta",reason="signature_missing"} 1"#,
        r#"wabridge_webhook_refusals_total{provider="unknown",reason="unknown_channel"} 1"#,
        r#"wabridge_webhook_requests_total{provider="meta",result="acknowledged"} 1"#,
        r#"wabridge_webhook_body_bytes_bucket{le="1024.0"} 1"#,
        "wabridge_webhook_body_bytes_sum 512.0",
        "wabridge_webhook_ack_duration_seconds_count 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}

#[test]
fn the_sum_of_the_items_is_what_was_seen_and_the_metrics_are_for_the_admin_listener_alone() {
    let running = Running::start();
    for body in [r#"{"entry":[]}"#, "not json", r#"{"entry":[7,{"changes":[{"field":"x","value":{}}]}]}"#] {
        assert_eq!(running.ask(&running.signed("main", body.as_bytes())).status, 200);
    }
    assert!(running.settled().balance());
    let metrics = running.metrics();
    let items = metrics.iter().filter(|(name, _)| name.starts_with("wabridge_items_total{"));
    assert_eq!(items.map(|(_, count)| count).sum::<f64>(), metrics["wabridge_items_seen_total"]);
    assert_eq!(metrics["wabridge_items_seen_total"], 4.0);
    let state = |name: &str| metrics[&format!(r#"wabridge_requests{{state="{name}"}}"#)];
    assert_eq!(state("stored"), state("waiting") + state("projected") + state("quarantined"));
    assert_eq!(running.ask(&request("GET", "/metrics", &[], b"")).status, 404);
}
