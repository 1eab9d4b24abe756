//! Receive, verify, persist: everything that a 200 depends on, and nothing else.
//!
//! In: a request for a channel. Out: `Ok` once it is committed and flushed, or why it is not. No body is
//! parsed here beyond what its proof needs, so no parser can lose or bounce a message.

use crate::config::Endpoint;
use crate::store::{Inbox, Request, StoreError};
use wabridge_providers::{Inbound, Rejection};

/// Why a request was not acknowledged.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// It was not proven to be its channel's; it is not stored.
    #[error("the request is not proven: {0}")]
    Unproven(#[from] Rejection),
    /// It was proven and could not be stored: the provider must send it again.
    #[error("the request could not be stored")]
    NotStored(#[source] StoreError),
}

/// Verifies a request and stores it.
///
/// # Errors
/// [`Refusal`]; nothing was stored then.
pub async fn receive(inbound: Inbound<'_>, endpoint: &Endpoint, inbox: &dyn Inbox) -> Result<(), Refusal> {
    let request = {
        let verified = endpoint.provider.verify(inbound, &endpoint.account)?;
        let kept =
            |name: &str| name == "content-type" || endpoint.provider.about().proof_headers.contains(&name);
        Request {
            received_at: verified.received_at(),
            channel: endpoint.account.channel.clone(),
            proof: verified.proof(),
            secret_index: verified.secret_index(),
            query: verified.query().to_owned(),
            headers: inbound.headers.iter().filter(|(name, _)| kept(name)).cloned().collect(),
            body: verified.body().to_owned(),
        }
    };
    inbox.append(request).await.map_err(Refusal::NotStored)
}
