//! How an alert travels: one POST of JSON, or a GET, within ten seconds. URLs are never logged: they may hold
//! a token.

use super::conditions::Finding;
use jiff::Timestamp;
use reqwest::redirect::Policy;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::time::Duration;

/// The longest a receiver may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Notice {
    alert: Cow<'static, str>,
    pub(super) state: State,
    pub(super) since: Timestamp,
    text: String,
    lost: Cow<'static, str>,
    next: String,
}

/// Whether it is so, or was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    Firing,
    Resolved,
}

impl Notice {
    /// Of what is well again.
    pub(super) fn resolved(self) -> Notice {
        Notice { state: State::Resolved, ..self }
    }

    pub(super) fn of(finding: &Finding, state: State) -> Notice {
        let Finding { alert, since, text, lost, next, .. } = finding.clone();
        Notice { alert: alert.as_str().into(), state, since, text, lost: lost.into(), next }
    }
}

/// The client; made when it is first needed.
#[derive(Default)]
pub(super) struct Teller(Option<reqwest::Client>);

impl Teller {
    /// Posts a notice.
    ///
    /// # Errors
    /// Why it was not taken, without the URL.
    pub(super) async fn post(&mut self, url: &SecretString, notice: &Notice) -> Result<(), String> {
        taken(self.client()?.post(url.expose_secret()).json(notice)).await
    }

    /// Asks for a URL.
    ///
    /// # Errors
    /// Why it did not answer well, without the URL.
    pub(super) async fn get(&mut self, url: &SecretString) -> Result<(), String> {
        taken(self.client()?.get(url.expose_secret())).await
    }

    /// Without certificates of the system, https cannot be trusted, and fails; http needs none.
    fn client(&mut self) -> Result<reqwest::Client, String> {
        if let Some(client) = &self.0 {
            return Ok(client.clone());
        }
        // A redirect would carry what is told to another address than the configured one.
        let builder = || reqwest::Client::builder().timeout(PATIENCE).redirect(Policy::none());
        let client = builder().build().or_else(|_| {
            tracing::warn!(
                "this machine has no certificates: no https URL can be told; install ca-certificates"
            );
            builder().tls_certs_only([]).build()
        });
        let client = client.map_err(|_| "no HTTP client can be made".to_owned())?;
        Ok(self.0.insert(client).clone())
    }
}

async fn taken(request: reqwest::RequestBuilder) -> Result<(), String> {
    match request.send().await {
        Ok(answer) if answer.status().is_success() => Ok(()),
        Ok(answer) => Err(format!("answered {}", answer.status().as_u16())),
        Err(error) if error.is_timeout() => Err("no answer within 10 s".to_owned()),
        Err(error) if error.is_connect() => Err("cannot be reached".to_owned()),
        Err(_) => Err("the connection broke".to_owned()),
    }
}
