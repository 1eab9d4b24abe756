//! `[enrichment]`: who is asked what else is known of a phone, if anybody.

use super::channel::reference;
use super::document::{Found, Table};
use super::secret::SecretReference;
use super::target::check_url;
use std::time::Duration;

/// A hook over HTTP. A phone goes there: it is off without this table.
#[derive(Debug, Clone)]
pub struct Enrichment {
    /// Where `{"phone": ...}` is posted to.
    pub url: String,
    /// Where the token is that is shown to it; a hook of one's own may need none.
    pub token: Option<SecretReference>,
    /// The longest that a write may wait for it.
    pub timeout: Duration,
    /// How long an answer is good.
    pub refresh: Duration,
}

impl Enrichment {
    pub(super) fn read(mut table: Table<'_, '_>) -> Option<Enrichment> {
        let url = table.required("url", "https://hooks.example.in/enrich").map(|Found { value, at }| {
            if let Err(fault) = check_url(value) {
                let message =
                    format!("'url' in [enrichment] {fault}; write it as \"https://hooks.example.in/enrich\"");
                table.problem_at(at, message);
            }
            value.to_owned()
        });
        let token = table.string("token").and_then(|found| reference(&table, "token", found));
        let seconds = table.integer("timeout_seconds", 1..=20).unwrap_or(3);
        let hours = table.integer("refresh_hours", 1..=8_760).unwrap_or(168);
        table.finish(&[]);
        let (timeout, refresh) = (Duration::from_secs(seconds.into()), Duration::from_hours(hours.into()));
        url.map(|url| Enrichment { url, token, timeout, refresh })
    }
}
