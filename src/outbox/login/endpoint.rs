//! The token endpoint of a CRM: a grant goes there, tokens or a refusal come back.

use crate::outbox::transport::{body_of, client};
use reqwest::header::CONTENT_TYPE;
use secrecy::{ExposeSecret, SecretString};
use std::time::Duration;
use url::form_urlencoded::Serializer;
use wabridge_crms::oauth::{Grant, Granted, Refused, form, read};

/// From the start of a question to the end of its answer. Less than a lease of jobs, and than a stop waits.
const TOTAL: Duration = Duration::from_secs(15);
/// How long it is left alone where it did not answer.
const AGAIN: Duration = Duration::from_secs(15);
/// More than any answer of one needs.
const LONGEST: usize = 64 * 1024;

/// Where tokens are granted.
pub(super) struct Endpoint {
    client: reqwest::Client,
    url: String,
}

impl Endpoint {
    pub(super) fn new(url: String) -> Endpoint {
        Endpoint { client: client(), url }
    }

    /// Asks once; nothing is repeated here.
    pub(super) async fn ask(
        &self,
        grant: Grant<'_>,
        client_id: &str,
        secret: &SecretString,
    ) -> Result<Granted, Refused> {
        let fields = form(grant, client_id, secret.expose_secret());
        let body = Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = self.client.post(&self.url).timeout(TOTAL);
        let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body);
        let silent = || Refused::Later("token_endpoint", AGAIN);
        let response = request.send().await.map_err(|_| silent())?;
        let status = response.status().as_u16();
        let body = body_of(response, LONGEST).await.map_err(|_| silent())?;
        read(status, &body.ok_or_else(silent)?)
    }
}
