//! `/v1/leads/{LEAD}/export`: everything held on a person.

use super::answer::ask;
use super::leads::{in_path, known, unknown};
use super::problem::{Document, Problem};
use super::token::Scope;
use crate::leads::export::{self, ExportView};
use crate::store::{StoreError, StoreErrorKind};
use actix_web::{HttpRequest, HttpResponse};

/// How often a lead is looked for that keeps being joined with others.
const TRIES: usize = 5;

/// Everything held on a person
///
/// A request's body is given where it holds nothing of anybody else.
#[utoipa::path(
    get, path = "/v1/leads/{LEAD}/export", tag = "leads", operation_id = "export",
    params(
        ("LEAD" = String, Path, description = "Lead id, phone (`+` raw or %2B), BSUID, username or e-mail address"),
    ),
    responses(
        (status = 200, description = "Everything", body = ExportView),
        (status = "4XX", description = "What is wrong", body = Document, content_type = "application/problem+json"),
        (status = "5XX", description = "Not now", body = Document, content_type = "application/problem+json"),
    ),
    security(("token" = ["export"])),
)]
pub(super) async fn export(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let path = in_path(&request);
    ask(request, Scope::Export, &[], move |question| {
        let api = question.api;
        for _ in 0..TRIES {
            let person = known(api, path.as_deref())?;
            if person.lead.birth.is_none() {
                return Err(unknown());
            }
            if let Some(all) = export::export(api.store.as_ref(), &person, api.clock.now(), &api.config)? {
                return Ok(all);
            }
        }
        Err(StoreError::new(StoreErrorKind::Busy, "export a lead").into())
    })
    .await
}
