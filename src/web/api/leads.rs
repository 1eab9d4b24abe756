//! `/v1/leads/{LEAD}` and its timeline.

use super::Api;
use super::answer::ask;
use super::parameters;
use super::problem::{Document, Problem};
use super::token::Scope;
use crate::leads::find::{Found, Person, find};
use crate::leads::page::Page;
use crate::leads::timeline::{self, TimelineItem};
use crate::leads::view::{self, LeadView};
use crate::store::{StoreError, StoreErrorKind};
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};

/// The name of the path's parameter, in routes and errors.
const LEAD: &str = "LEAD";
/// How often a lead is looked for that keeps being joined with others.
const TRIES: usize = 5;

/// A lead
///
/// An id from before a join finds the lead too; `merged_into` then names the id it answers under.
#[utoipa::path(
    get, path = "/v1/leads/{LEAD}", tag = "leads", operation_id = "lead",
    params(
        ("LEAD" = String, Path, description = "Lead id, phone (`+` raw or %2B), BSUID, username or e-mail address"),
    ),
    responses(
        (status = 200, description = "The lead", body = LeadView),
        (status = "4XX", description = "What is wrong", body = Document, content_type = "application/problem+json"),
        (status = "5XX", description = "Not now", body = Document, content_type = "application/problem+json"),
    ),
    security(("token" = ["lead:read"])),
)]
pub(super) async fn lead(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let path = in_path(&request);
    ask(request, Scope::LeadRead, &[], move |question| {
        let api = question.api;
        let person = known(api, path.as_deref())?;
        view::lead(api.store.as_ref(), &person, api.clock.now(), &api.config)?.ok_or_else(unknown)
    })
    .await
}

/// What happened with a lead, oldest first
#[utoipa::path(
    get, path = "/v1/leads/{LEAD}/timeline", tag = "leads", operation_id = "timeline",
    params(
        ("LEAD" = String, Path, description = "Lead id, phone (`+` raw or %2B), BSUID, username or e-mail address"),
        ("limit" = Option<u16>, Query, description = "Items of a page, 1 to 500; 50 if absent"),
        ("cursor" = Option<String>, Query, description = "`next` of the page before"),
    ),
    responses(
        (status = 200, description = "A page of the timeline", body = Page<TimelineItem>),
        (status = "4XX", description = "What is wrong", body = Document, content_type = "application/problem+json"),
        (status = "5XX", description = "Not now", body = Document, content_type = "application/problem+json"),
    ),
    security(("token" = ["lead:read"])),
)]
pub(super) async fn timeline(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let path = in_path(&request);
    ask(request, Scope::LeadRead, &["limit", "cursor"], move |question| {
        let paging = question.parameters.paging()?;
        for _ in 0..TRIES {
            let person = known(question.api, path.as_deref())?;
            if let Some(page) = timeline::page(question.api.store.as_ref(), &person, paging)? {
                return Ok(page);
            }
        }
        Err(StoreError::new(StoreErrorKind::Busy, "read a timeline").into())
    })
    .await
}

/// The decoded text of the path's parameter; `None` when it is not UTF-8.
pub(super) fn in_path(request: &HttpRequest) -> Option<String> {
    // The router leaves %2B, %2F and %25 as they are.
    let raw = request.match_info().get(LEAD)?;
    let escaped = raw.replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
    let mut decoded = url::form_urlencoded::parse(escaped.as_bytes());
    let (text, _) = decoded.next()?;
    (!text.contains(char::REPLACEMENT_CHARACTER)).then(|| text.into_owned())
}

/// The lead behind the path's parameter.
pub(super) fn known(api: &Api, text: Option<&str>) -> Result<Box<Person>, Problem> {
    let reference = parameters::lead(LEAD, text.unwrap_or_default(), &api.config.region)?;
    match find(api.store.as_ref(), &reference, None) {
        Ok(Found::Lead(person)) => Ok(person),
        Ok(Found::Nobody(_)) => Err(unknown()),
        Err(error) => Err(Problem::of_search(LEAD, error)),
    }
}

/// Nobody is known by the path's parameter.
pub(super) fn unknown() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "no lead is known by this; it never wrote, or under another name")
}
