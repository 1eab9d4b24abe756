//! Receive, verify, persist: everything that a 200 depends on, and nothing else.
//!
//! In: a request for a channel. Out: `Ok` once it is committed and flushed, or why it is not. No body is
//! parsed here beyond what its proof needs, so no parser can lose or bounce a message.

use crate::config::Endpoint;
use crate::store::replay::Parked;
use crate::store::{Request, Store, StoreError};
use std::net::IpAddr;
use std::sync::Arc;
use wabridge_providers::{About, Inbound, Rejection};

/// How a request was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// Proven and stored.
    Stored,
    /// Not proven, and kept until somebody says why: its provider would not send it again.
    Parked(Rejection),
}

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
pub async fn receive(
    inbound: Inbound<'_>,
    peer: Option<IpAddr>,
    endpoint: &Endpoint,
    store: &Arc<dyn Store>,
) -> Result<Taken, Refusal> {
    if !endpoint.admits(peer) {
        return Err(Rejection::Address.into());
    }
    match verified(inbound, endpoint) {
        Ok(request) => store.append(request).await.map(|()| Taken::Stored).map_err(Refusal::NotStored),
        Err(rejection) if may_be_parked(rejection, &inbound, endpoint) => {
            let (store, parked) = (Arc::clone(store), parked(inbound, endpoint));
            // Rare, and never on the way of what is proven: a thread of the pool waits for the writer.
            let parked = actix_web::rt::task::spawn_blocking(move || store.park(parked)).await;
            match parked {
                Ok(Ok(true)) => Ok(Taken::Parked(rejection)),
                Ok(Err(error)) => Err(Refusal::NotStored(error)),
                Ok(Ok(false)) | Err(_) => Err(rejection.into()),
            }
        }
        Err(rejection) => Err(rejection.into()),
    }
}

/// A request as it is stored, if it is proven.
///
/// # Errors
/// [`Rejection`], with the reason to count.
pub fn verified(inbound: Inbound<'_>, endpoint: &Endpoint) -> Result<Request, Rejection> {
    let verified = endpoint.provider.verify(inbound, &endpoint.account)?;
    Ok(Request {
        received_at: verified.received_at(),
        channel: endpoint.account.channel.clone(),
        proof: verified.proof(),
        secret_index: verified.secret_index(),
        query: verified.query().to_owned(),
        headers: kept_headers(&inbound, endpoint.provider.about()),
        body: verified.body().to_owned(),
    })
}

fn kept_headers(inbound: &Inbound<'_>, about: &About) -> Vec<(String, String)> {
    let kept = |name: &str| name == "content-type" || about.proof_headers.contains(&name);
    inbound.headers.iter().filter(|(name, _)| kept(name)).cloned().collect()
}

/// Whether the sender knows the URL, and a wrong signature may be our own mistake (a secret mistyped or
/// rotated) that the provider would not give us a second chance for.
fn may_be_parked(rejection: Rejection, inbound: &Inbound<'_>, endpoint: &Endpoint) -> bool {
    let is_wrong = matches!(rejection, Rejection::Mismatch | Rejection::MismatchNonAscii);
    is_wrong && !endpoint.provider.about().retries && endpoint.account.secrets.knows_path(inbound)
}

fn parked(inbound: Inbound<'_>, endpoint: &Endpoint) -> Parked {
    Parked {
        received_at: inbound.received_at,
        channel: endpoint.account.channel.clone(),
        query: inbound.query.to_owned(),
        headers: kept_headers(&inbound, endpoint.provider.about()),
        body: inbound.body.to_owned(),
    }
}
