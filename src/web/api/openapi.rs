//! `/v1/openapi.json`: the API's own description, made from the code that answers.

use super::problem::Document;
use actix_web::HttpResponse;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "wabridge",
        description = "Leads, windows, touches and deliveries of a WhatsApp Business account. Instants are RFC 3339, UTC; \
                       lists are paged by cursor; errors are problem documents (RFC 9457)."
    ),
    paths(
        super::window::one_lead,
        super::window::many_leads,
        super::search::search,
        super::leads::lead,
        super::leads::timeline,
        super::export::export,
        super::touches::touches,
        super::attribution::attribution,
        super::jobs::jobs,
        super::jobs::retry,
        super::jobs::discard,
        serve
    ),
    modifiers(&Tokens)
)]
struct Description;

struct Tokens;

impl Modify for Tokens {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let token = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("wab_...")
            .description(Some("A token with the route's scope, or with `admin`: `wabridge token create`"))
            .build();
        openapi.components.get_or_insert_default().add_security_scheme("token", SecurityScheme::Http(token));
    }
}

/// The description, as JSON.
///
/// # Panics
/// Never: it is data.
#[must_use]
pub fn document() -> String {
    Description::openapi().to_pretty_json().expect("a description is made of texts and lists")
}

/// This description
#[utoipa::path(
    get, path = "/v1/openapi.json", tag = "description", operation_id = "openapi",
    responses(
        (status = 200, description = "The description of the API", body = serde_json::Value),
        (status = 405, description = "Only GET", body = Document, content_type = "application/problem+json"),
    ),
    security(()),
)]
pub(super) async fn serve() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(document())
}
