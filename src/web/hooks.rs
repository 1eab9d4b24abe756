//! `/hooks/{channel}`: where providers post.
//!
//! In: an HTTP request. Out: 200 with an empty body once it is durable; else a status that tells the
//! provider whether to send it again. The body is bounded in size and in time.

use crate::clock::Clock;
use crate::config::{Channels, Endpoint, Live};
use crate::inbox::receive::{Refusal, Taken, receive};
use crate::store::Store;
use crate::telemetry::metrics::{Answered, Metrics};
use crate::web::Limits;
use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap};
use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::StreamExt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use wabridge_providers::{Inbound, Rejection};

/// The largest body: above Meta's 3 MB.
pub const BODY_LIMIT: usize = 4 * 1024 * 1024;

/// What the webhook routes work with.
pub struct Hooks {
    /// The channels, with secrets, as configured now.
    pub channels: Arc<Live<Channels>>,
    /// Where requests are stored.
    pub store: Arc<dyn Store>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// How long a body may take.
    pub limits: Limits,
}

impl Hooks {
    /// The provider that a path belongs to, for counting; `unknown` where it is no channel's.
    pub(super) fn provider_of(&self, path: &str) -> &'static str {
        let channels = self.channels.get();
        let channel = path.strip_prefix("/hooks/").and_then(|rest| channels.get(rest.split('/').next()?));
        channel.map_or("unknown", |endpoint| endpoint.provider.about().slug)
    }
}

/// Adds the routes.
pub fn configure(routes: &mut web::ServiceConfig) {
    routes.service(
        web::resource(["/hooks/{channel}", "/hooks/{channel}/{token}"])
            .route(web::get().to(greet))
            .route(web::post().to(post))
            .default_service(web::to(other_method)),
    );
    // A slash too many in the provider's screen must show in the counts, not only at the provider.
    routes.route("/hooks{rest:.*}", web::to(async |hooks: web::Data<Hooks>| unknown(&hooks)));
}

/// The channel that a URL names. One with a token is no channel's that has none.
fn endpoint<'a>(request: &HttpRequest, channels: &'a Channels) -> Option<&'a Endpoint> {
    let endpoint = channels.get(request.match_info().get("channel")?)?;
    let has_token = request.match_info().get("token").is_some();
    (!has_token || endpoint.has_path_token).then_some(endpoint)
}

/// Answers the provider's check of the URL.
async fn greet(request: HttpRequest, hooks: web::Data<Hooks>) -> HttpResponse {
    let channels = hooks.channels.get();
    let Some(endpoint) = endpoint(&request, &channels) else { return unknown(&hooks) };
    let provider = endpoint.provider.about().slug;
    match endpoint.provider.greet(request.query_string(), &endpoint.account) {
        Ok(challenge) => {
            hooks.metrics.answered(provider, Answered::greeted);
            HttpResponse::Ok().content_type("text/plain; charset=utf-8").body(challenge)
        }
        Err(Rejection::NoGreeting) => not_allowed(&hooks, endpoint),
        Err(rejection) => unproven(&hooks, provider, rejection),
    }
}

/// Takes a request: 200 when it is durable.
async fn post(request: HttpRequest, payload: web::Payload, hooks: web::Data<Hooks>) -> HttpResponse {
    let channels = hooks.channels.get();
    let Some(endpoint) = endpoint(&request, &channels) else { return unknown(&hooks) };
    let provider = endpoint.provider.about().slug;
    let body = match read(request.headers(), payload, hooks.limits.body_time).await {
        Ok(body) => body,
        Err((status, reason)) => {
            hooks.metrics.refused(provider, reason);
            tracing::warn!(channel = endpoint.account.channel, reason, "webhook refused");
            // The rest of the body is not read, so the connection cannot carry another request.
            return HttpResponse::build(status).force_close().finish();
        }
    };
    hooks.metrics.read(body.len());
    let read_at = hooks.clock.elapsed();
    let response = take(&request, &body, endpoint, &hooks).await;
    if response.status() == StatusCode::OK {
        hooks.metrics.acknowledged(provider, hooks.clock.elapsed().saturating_sub(read_at).as_secs_f64());
    }
    response
}

async fn take(request: &HttpRequest, body: &[u8], endpoint: &Endpoint, hooks: &Hooks) -> HttpResponse {
    let headers = headers(request.headers());
    let inbound = Inbound {
        query: request.query_string(),
        headers: &headers,
        body,
        received_at: hooks.clock.now(),
        path_token: request.match_info().get("token"),
    };
    let provider = endpoint.provider.about().slug;
    match receive(inbound, sender(request), endpoint, &hooks.store).await {
        Ok(Taken::Stored) => HttpResponse::Ok().finish(),
        Ok(Taken::Parked(rejection)) => {
            hooks.metrics.answered(provider, Answered::parked);
            let reason = rejection.to_string();
            tracing::error!(
                channel = endpoint.account.channel,
                reason,
                "webhook parked: check the channel's secret"
            );
            HttpResponse::Ok().finish()
        }
        Err(Refusal::Unproven(rejection)) => unproven(hooks, provider, rejection),
        Err(Refusal::NotStored(error)) => {
            hooks.metrics.answered(provider, Answered::not_stored);
            hooks.metrics.store_failed("append", &error);
            tracing::error!(
                kind = error.kind.as_str(),
                "webhook not stored; the provider will send it again"
            );
            HttpResponse::ServiceUnavailable().insert_header(("Retry-After", "5")).finish()
        }
    }
}

/// Who sent it. A proxy on this machine says so in the last address it adds; nobody else is believed.
fn sender(request: &HttpRequest) -> Option<IpAddr> {
    let peer = request.peer_addr()?.ip();
    if !peer.is_loopback() {
        return Some(peer);
    }
    match request.headers().get_all("x-forwarded-for").last() {
        Some(list) => list.to_str().ok()?.rsplit(',').next()?.trim().parse().ok(),
        None => Some(peer),
    }
}

/// Reads the body within its limits.
async fn read(
    headers: &HeaderMap,
    mut payload: web::Payload,
    time: Duration,
) -> Result<Vec<u8>, (StatusCode, &'static str)> {
    // A signature covers the bytes as sent; no provider documents that it compresses.
    if headers.get(CONTENT_ENCODING).is_some_and(|encoding| encoding.as_bytes() != b"identity") {
        return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, "encoded_body"));
    }
    let stated = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    let too_large = (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large");
    if stated.is_some_and(|length| length > BODY_LIMIT) {
        return Err(too_large);
    }
    let mut body = Vec::with_capacity(stated.unwrap_or(0).min(64 * 1024));
    let collect = async {
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(|_| (StatusCode::BAD_REQUEST, "body_broken"))?;
            if body.len() + chunk.len() > BODY_LIMIT {
                return Err(too_large);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(())
    };
    match tokio::time::timeout(time, collect).await {
        Ok(result) => result.map(|()| body),
        Err(_) => Err((StatusCode::REQUEST_TIMEOUT, "body_too_slow")),
    }
}

/// The headers in the form the providers read; a value that is not text is no proof of anything.
fn headers(map: &HeaderMap) -> Vec<(String, String)> {
    map.iter()
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
        .collect()
}

fn unproven(hooks: &Hooks, provider: &'static str, rejection: Rejection) -> HttpResponse {
    let reason = rejection.to_string();
    hooks.metrics.unproven(provider, &reason);
    tracing::warn!(provider, reason, "webhook not proven");
    HttpResponse::Unauthorized().finish()
}

fn unknown(hooks: &Hooks) -> HttpResponse {
    hooks.metrics.refused("unknown", "unknown_channel");
    tracing::warn!("webhook for a channel that is not configured");
    HttpResponse::NotFound().force_close().finish()
}

/// Which methods there are depends on the provider: not every one checks the URL with GET.
fn not_allowed(hooks: &Hooks, endpoint: &Endpoint) -> HttpResponse {
    let greets = !matches!(endpoint.provider.greet("", &endpoint.account), Err(Rejection::NoGreeting));
    hooks.metrics.refused(endpoint.provider.about().slug, "method_not_allowed");
    let allowed = if greets { "GET, POST" } else { "POST" };
    HttpResponse::MethodNotAllowed().insert_header((ALLOW, allowed)).force_close().finish()
}

async fn other_method(request: HttpRequest, hooks: web::Data<Hooks>) -> HttpResponse {
    match endpoint(&request, &hooks.channels.get()) {
        Some(endpoint) => not_allowed(&hooks, endpoint),
        None => unknown(&hooks),
    }
}
