//! `[summary]`: who is asked to put a conversation into a sentence or two, if anybody.

use super::channel::reference;
use super::document::{Found, Table};
use super::secret::SecretReference;
use super::target::check_url;
use std::time::Duration;

/// An OpenAI-compatible endpoint. What people wrote goes there: it is off without this table.
#[derive(Debug, Clone)]
pub struct Summary {
    /// Its address, below which `/chat/completions` is; without a slash at the end.
    pub url: String,
    /// The model.
    pub model: String,
    /// Where its key is; an endpoint of one's own may need none.
    pub api_key: Option<SecretReference>,
    /// The longest that a write may wait for it.
    pub timeout: Duration,
}

impl Summary {
    pub(super) fn read(mut table: Table<'_, '_>) -> Option<Summary> {
        let url = table.required("url", "https://api.example.in/v1").map(|Found { value, at }| {
            if let Err(fault) = check_url(value) {
                let message =
                    format!("'url' in [summary] {fault}; write it as \"https://api.example.in/v1\"");
                table.problem_at(at, message);
            }
            value.trim_end_matches('/').to_owned()
        });
        let model = table.required("model", "gpt-4o-mini").map(|found| found.value.to_owned());
        let api_key = table.string("api_key").and_then(|found| reference(&table, "api_key", found));
        let seconds = table.integer("timeout_seconds", 1..=20).unwrap_or(5);
        table.finish(&[]);
        let timeout = Duration::from_secs(seconds.into());
        url.zip(model).map(|(url, model)| Summary { url, model, api_key, timeout })
    }
}
