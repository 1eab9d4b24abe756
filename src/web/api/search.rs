//! `/v1/leads?q=`: everybody that a text may mean.

use super::answer::ask;
use super::problem::{Document, Problem};
use super::token::Scope;
use crate::leads::page::Page;
use crate::leads::search::{self, Place};
use crate::leads::view::{self, LeadView};
use actix_web::{HttpRequest, HttpResponse};

const UNREADABLE: &str =
    "write a phone, an e-mail address, a username, a BSUID, a lead id, or the beginning of a name";

/// Leads by phone, name, e-mail address, username or BSUID
///
/// A phone in any spelling; ten digits are national first. A name by the beginnings of its words, in any order. Whoever
/// is named exactly comes first, then whoever was met last. Nobody is an answer: an empty list.
#[utoipa::path(
    get, path = "/v1/leads", tag = "leads", operation_id = "search",
    params(
        ("q" = String, Query, description = "Whom to look for"),
        ("limit" = Option<u16>, Query, description = "Items of a page, 1 to 500; 50 if absent"),
        ("cursor" = Option<String>, Query, description = "`next` of the page before"),
    ),
    responses(
        (status = 200, description = "A page of leads", body = Page<LeadView>),
        (status = "4XX", description = "What is wrong", body = Document, content_type = "application/problem+json"),
        (status = "5XX", description = "Not now", body = Document, content_type = "application/problem+json"),
    ),
    security(("token" = ["lead:read"])),
)]
pub(super) async fn search(request: HttpRequest) -> Result<HttpResponse, Problem> {
    ask(request, Scope::LeadRead, &["q", "limit", "cursor"], |question| {
        let (api, given) = (question.api, question.parameters);
        let unreadable = || Problem::parameter("q", UNREADABLE);
        let text = given.get("q").ok_or_else(unreadable)?;
        let (limit, after) = (given.limit()?, given.cursor(Place::decode)?);
        let country = api.config.region.default_country;
        let results = search::search(api.store.as_ref(), text, country, after, limit)?;
        let (people, next) = results.ok_or_else(unreadable)?;
        let now = api.clock.now();
        let views = people.iter().map(|person| view::lead(api.store.as_ref(), person, now, &api.config));
        let items = views.filter_map(Result::transpose).collect::<Result<_, _>>()?;
        Ok(Page { items, next: next.map(|place| place.encode()) })
    })
    .await
}
