//! `/v1/touches`: every arrival from an ad or a post.

use super::answer::ask;
use super::problem::{Document, Problem};
use super::token::Scope;
use crate::leads::page::{Cursor, Page};
use crate::leads::touch::TouchView;
use crate::store::{TouchRange, TouchRow};
use actix_web::{HttpRequest, HttpResponse};

/// Every touch, oldest first
///
/// With the scope `attribution:read` alone, what names the person is null: `phone`, and `message_id`, into
/// which WhatsApp writes the phone.
#[utoipa::path(
    get, path = "/v1/touches", tag = "attribution", operation_id = "touches",
    params(
        ("since" = Option<String>, Query, description = "From this instant or day on"),
        ("until" = Option<String>, Query, description = "Until before this instant or day"),
        ("limit" = Option<u16>, Query, description = "Items of a page, 1 to 500; 50 if absent"),
        ("cursor" = Option<String>, Query, description = "`next` of the page before"),
    ),
    responses(
        (status = 200, description = "A page of touches", body = Page<TouchView>),
        (status = "4XX", description = "What is wrong", body = Document, content_type = "application/problem+json"),
        (status = "5XX", description = "Not now", body = Document, content_type = "application/problem+json"),
    ),
    security(("token" = ["attribution:read"])),
)]
pub(super) async fn touches(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let known = &["since", "until", "limit", "cursor"];
    ask(request, Scope::AttributionRead, known, |question| {
        let (api, given) = (question.api, question.parameters);
        let region = &api.config.region;
        let paging = given.paging()?;
        let range = TouchRange {
            since: given.instant("since", region)?,
            until: given.instant("until", region)?,
            after: paging.after.map(|cursor| (cursor.at, cursor.event)),
        };
        let rows = api.store.touches(range, paging.limit + 1)?;
        let page = Page::cut(rows, paging.limit, |row: &TouchRow| Cursor {
            at: row.touch.occurred_at,
            event: row.touch.id,
            part: 0,
        });
        let with_person = question.caller.may(Scope::LeadRead);
        Ok(page.map(|row| {
            let view = TouchView::new(&row.touch, row.lead_id, row.phone.as_deref(), &region.timezone);
            if with_person { view } else { view.without_person() }
        }))
    })
    .await
}
