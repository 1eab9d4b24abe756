//! `/v1/attribution`: how many conversations and leads each ad brought, and what is not known of the rest.

use super::accept;
use super::answer::asked;
use super::parameters::Rounding;
use super::problem::{Document, Problem};
use super::token::Scope;
use crate::leads::attribution::Attribution;
use crate::leads::rollup::Model;
use crate::report::csv;
use crate::store::{By, DateOf, Question};
use actix_web::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION};
use actix_web::{HttpRequest, HttpResponse};

/// The audit of attribution
///
/// Rows and sums by day of the region's time zone; what nothing is known of is one row for each cause, whatever
/// the rows are grouped by, and `total` is the sum of all rows. Campaigns cannot be told apart yet: by campaign
/// there is one row beside those. The order is fixed; there are no pages.
#[utoipa::path(
    get, path = "/v1/attribution", tag = "attribution", operation_id = "attribution",
    params(
        ("since" = Option<String>, Query, description = "From this day on, or the day of this instant"),
        ("until" = Option<String>, Query, description = "Until before this day, or to the end of the day of this instant"),
        ("by" = Option<String>, Query, description = "`ad` (if absent), `campaign`, `day`, `provider` or `state`"),
        ("model" = Option<String>, Query, description = "The touch that is credited: `last` (if absent), `first` or `each`"),
        ("date" = Option<String>, Query, description = "The day outcomes are counted on: that of the `touch` (if absent) or of the `outcome`"),
    ),
    responses(
        (status = 200, description = "The counts; the rows alone as CSV where `Accept: text/csv` asks for it", content(
            (Attribution = "application/json"), (String = "text/csv"),
        )),
        (status = "4XX", description = "What is wrong", body = Document, content_type = "application/problem+json"),
        (status = "5XX", description = "Not now", body = Document, content_type = "application/problem+json"),
    ),
    security(("token" = ["attribution:read"])),
)]
pub(super) async fn attribution(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let known = &["since", "until", "by", "model", "date"];
    let answer = asked(&request, Scope::AttributionRead, known, |asked| {
        let (api, given) = (asked.api, asked.parameters);
        let region = &api.config.region;
        let question = Question {
            by: given.choice("by", &By::ALL, By::as_str, By::default())?,
            model: given.choice("model", &Model::ALL, Model::as_str, Model::default())?,
            date: given.choice("date", &DateOf::ALL, DateOf::as_str, DateOf::default())?,
            since: given.day("since", region, Rounding::Down)?,
            until: given.day("until", region, Rounding::Up)?,
        };
        let rows = api.store.attribution(&question, &region.timezone)?;
        Ok(Attribution::new(&question, rows))
    })
    .await?;
    let mut response = HttpResponse::Ok();
    response.insert_header((CACHE_CONTROL, "no-store"));
    if accept::csv(&request) {
        response.insert_header((CONTENT_DISPOSITION, "attachment; filename=\"attribution.csv\""));
        return Ok(response.content_type(csv::TYPE).body(answer.csv()));
    }
    Ok(response.json(answer))
}
