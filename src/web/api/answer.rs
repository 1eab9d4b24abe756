//! From a request to an answer: who asks, whether they may, and what the store says.

use super::Api;
use super::parameters::Parameters;
use super::problem::Problem;
use super::token::{self, Scope};
use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, CACHE_CONTROL};
use actix_web::{HttpRequest, HttpResponse, web};
use secrecy::SecretString;
use serde::Serialize;

/// Who asks.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    scopes: Vec<String>,
}

impl Caller {
    /// Whether the caller's token has a scope, or all of them.
    pub(super) fn may(&self, scope: Scope) -> bool {
        self.scopes.iter().any(|held| held == scope.as_str() || held == Scope::Admin.as_str())
    }
}

/// What a question is asked with.
pub(super) struct Question<'a> {
    pub(super) api: &'a Api,
    pub(super) caller: &'a Caller,
    pub(super) parameters: &'a Parameters,
}

/// Answers a question for callers with a scope. `known` are the query parameters it takes.
pub(super) async fn ask<T: Serialize + Send + 'static>(
    request: HttpRequest,
    scope: Scope,
    known: &'static [&'static str],
    work: impl FnOnce(&Question<'_>) -> Result<T, Problem> + Send + 'static,
) -> Result<HttpResponse, Problem> {
    let answer = asked(&request, scope, known, work).await?;
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(answer))
}

/// As [`ask`], for answers that are no JSON.
pub(super) async fn asked<T: Send + 'static>(
    request: &HttpRequest,
    scope: Scope,
    known: &'static [&'static str],
    work: impl FnOnce(&Question<'_>) -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let (api, bearer) = (api(request)?, bearer(request));
    let query = request.query_string().to_owned();
    let work = move || {
        let caller = authorise(&api, bearer, scope)?;
        let parameters = Parameters::read(&query, known)?;
        work(&Question { api: &api, caller: &caller, parameters: &parameters })
    };
    web::block(work).await.map_err(|_| stopped())?
}

/// Refuses a caller without a scope: for routes that read a body, which strangers may not fill memory with.
pub(super) async fn authorised(request: &HttpRequest, scope: Scope) -> Result<(), Problem> {
    let (api, bearer) = (api(request)?, bearer(request));
    web::block(move || authorise(&api, bearer, scope).map(drop)).await.map_err(|_| stopped())?
}

/// The body of an authorised request; `None` when it is longer than `most` bytes.
pub(super) async fn whole(body: web::Payload, most: usize) -> Result<Option<web::Bytes>, Problem> {
    match body.to_bytes_limited(most).await {
        Ok(Ok(body)) => Ok(Some(body)),
        Ok(Err(_)) => Err(Problem::new(StatusCode::BAD_REQUEST, "the body was cut off; send it again")),
        Err(_) => Ok(None),
    }
}

pub(super) fn api(request: &HttpRequest) -> Result<web::Data<Api>, Problem> {
    request.app_data::<web::Data<Api>>().cloned().ok_or_else(stopped)
}

fn stopped() -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the daemon is stopping; try again")
}

/// The one bearer token of a request.
fn bearer(request: &HttpRequest) -> Option<SecretString> {
    let mut values = request.headers().get_all(AUTHORIZATION);
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| SecretString::from(token.trim()))
}

fn authorise(api: &Api, bearer: Option<SecretString>, scope: Scope) -> Result<Caller, Problem> {
    const MISSING: &str = "send Authorization: Bearer wab_...; make a token with: wabridge token create";
    const INVALID: &str = "this token is unknown or was revoked; make one with: wabridge token create";
    let bearer = bearer.ok_or_else(|| Problem::unauthenticated(MISSING))?;
    let hash = token::hash(&bearer).ok_or_else(|| Problem::unauthenticated(INVALID))?;
    let known = api.store.token(hash)?;
    let token = known.ok_or_else(|| Problem::unauthenticated(INVALID))?;
    let caller = Caller { scopes: token.scopes };
    if caller.may(scope) { Ok(caller) } else { Err(Problem::lacks_scope(scope.as_str())) }
}

/// Answers a path nothing is at.
pub(super) async fn no_such_route() -> Result<HttpResponse, Problem> {
    Err(Problem::new(StatusCode::NOT_FOUND, "there is no such route; /v1/openapi.json lists them"))
}

/// Answers a method that a path does not know.
pub(super) async fn wrong_method(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let allowed = match request.match_pattern().as_deref() {
        Some("/v1/window") => "GET, POST",
        Some("/v1/jobs/{id}/retry" | "/v1/jobs/{id}/discard") => "POST",
        _ => "GET",
    };
    Err(Problem::wrong_method(allowed))
}
