//! `/v1/touches`: every arrival from an ad or a post.

use super::Api;
use super::accept;
use super::answer::{self, Question, ask};
use super::problem::{Document, Problem};
use super::token::Scope;
use crate::leads::page::{Cursor, MAX_LIMIT, Page};
use crate::leads::touch::TouchView;
use crate::report::csv::{self, Csv};
use crate::store::{StoreError, TouchRange, TouchRow};
use actix_web::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION};
use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream::{self, StreamExt};

const KNOWN: &[&str] = &["since", "until", "limit", "cursor"];
/// The columns of the table: the keys of a touch, in their order.
const COLUMNS: &[&str] = &[
    "id",
    "lead_id",
    "phone",
    "provider",
    "channel",
    "reported_by",
    "business_number",
    "state",
    "cause",
    "ctwa_clid",
    "ad_id",
    "post_id",
    "source_type",
    "source_url",
    "headline",
    "body",
    "media_type",
    "message_id",
    "occurred_at",
    "occurred_at_local",
    "received_at",
    "code",
];

/// Every touch, oldest first
///
/// With the scope `attribution:read` alone, what names the person is null: `phone`, and `message_id`, into
/// which WhatsApp writes the phone. With `Accept: text/csv` the answer is a table of the whole range, or of its first
/// `limit` touches; a text that a spreadsheet would compute begins with an apostrophe there.
#[utoipa::path(
    get, path = "/v1/touches", tag = "attribution", operation_id = "touches",
    params(
        ("since" = Option<String>, Query, description = "From this instant or day on"),
        ("until" = Option<String>, Query, description = "Until before this instant or day"),
        ("limit" = Option<u16>, Query, description = "Items of a page, 1 to 500; 50 if absent"),
        ("cursor" = Option<String>, Query, description = "`next` of the page before"),
    ),
    responses(
        (status = 200, description = "A page of touches; as CSV all of them", content((Page<TouchView> = "application/json"), (String = "text/csv"))),
        (status = "4XX", description = "What is wrong", body = Document, content_type = "application/problem+json"),
        (status = "5XX", description = "Not now", body = Document, content_type = "application/problem+json"),
    ),
    security(("token" = ["attribution:read"])),
)]
pub(super) async fn touches(request: HttpRequest) -> Result<HttpResponse, Problem> {
    if accept::csv(&request) {
        return table(request).await;
    }
    ask(request, Scope::AttributionRead, KNOWN, |question| {
        let (api, paging) = (question.api, question.parameters.paging()?);
        let rows = api.store.touches(range(question)?, paging.limit + 1)?;
        let page = Page::cut(rows, paging.limit, |row: &TouchRow| Cursor {
            at: row.touch.occurred_at,
            event: row.touch.id,
            part: 0,
        });
        let with_person = question.caller.may(Scope::LeadRead);
        Ok(page.map(|row| view(&row, with_person, api)))
    })
    .await
}

fn range(question: &Question<'_>) -> Result<TouchRange, Problem> {
    let (given, region) = (question.parameters, &question.api.config.region);
    Ok(TouchRange {
        since: given.instant("since", region)?,
        until: given.instant("until", region)?,
        after: given.paging()?.after.map(|cursor| (cursor.at, cursor.event)),
    })
}

fn view(row: &TouchRow, with_person: bool, api: &Api) -> TouchView {
    let zone = &api.config.region.timezone;
    let view = TouchView::new(&row.touch, row.lead_id, row.phone.as_deref(), zone);
    if with_person { view } else { view.without_person() }
}

/// All of the range as CSV, or the first `limit` of it: read a page at a time, as fast as the caller takes it.
async fn table(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let api = answer::api(&request)?;
    let reading = answer::asked(&request, Scope::AttributionRead, KNOWN, |question| {
        let limit = question.parameters.get("limit").map(|_| question.parameters.paging());
        let left = limit.transpose()?.map_or(usize::MAX, |paging| paging.limit);
        let mut reading = Reading {
            range: range(question)?,
            left,
            with_person: question.caller.may(Scope::LeadRead),
            ended: false,
        };
        let mut csv = Csv::new(COLUMNS.iter().copied());
        reading.page(question.api, &mut csv)?;
        Ok((reading, csv.finish()))
    });
    let (reading, first) = reading.await?;
    let rest = stream::unfold((api, reading), |(api, reading)| async move {
        if reading.ended {
            return None;
        }
        let (shared, mut reading) = (api.clone(), reading);
        let read = web::block(move || {
            let mut csv = Csv::default();
            reading.page(&shared, &mut csv).map(|()| (reading, csv.finish()))
        });
        match read.await.map_err(std::io::Error::other) {
            Ok(Ok((reading, text))) => Some((Ok(Bytes::from(text)), (api, reading))),
            // An answer that is cut short is seen to be: the connection ends without its last chunk.
            Ok(Err(error)) => {
                Some((Err(std::io::Error::other(error)), (api, Reading { ended: true, ..reading })))
            }
            Err(error) => Some((Err(error), (api, Reading { ended: true, ..reading }))),
        }
    });
    let body = stream::once(async { Ok(Bytes::from(first)) }).chain(rest);
    Ok(HttpResponse::Ok()
        .content_type(csv::TYPE)
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((CONTENT_DISPOSITION, "attachment; filename=\"touches.csv\""))
        .streaming(Box::pin(body)))
}

/// How far a table is written.
#[derive(Debug, Clone, Copy)]
struct Reading {
    range: TouchRange,
    left: usize,
    with_person: bool,
    ended: bool,
}

impl Reading {
    /// Writes the next page.
    fn page(&mut self, api: &Api, csv: &mut Csv) -> Result<(), StoreError> {
        let limit = self.left.min(MAX_LIMIT);
        let rows = api.store.touches(self.range, limit)?;
        for row in &rows {
            let object = serde_json::to_value(view(row, self.with_person, api)).unwrap_or_default();
            csv.object(COLUMNS, &object);
        }
        self.left -= rows.len();
        self.ended = rows.len() < limit || self.left == 0;
        self.range.after = rows.last().map(|row| (row.touch.occurred_at, row.touch.id)).or(self.range.after);
        Ok(())
    }
}
