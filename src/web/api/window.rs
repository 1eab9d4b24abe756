//! `/v1/window`: the verdict, for one lead or for many.

use super::Api;
use super::answer::{ask, authorised, whole};
use super::parameters::{business, instant, lead, phone};
use super::problem::{Document, Problem};
use super::token::Scope;
use crate::leads::find::{Found, Reference, find};
use crate::leads::verdict::{Answer, Moment, VerdictView, answer};
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use wabridge_model::Phone;

/// The most leads of one question.
const MOST: usize = 1000;
/// Room for as many of the longest names.
const MOST_BYTES: usize = 256 * 1024;

/// May a rep write freely to this person, and until when
///
/// With `business` one verdict; without, one for each number the lead wrote to, or, where there is none, for
/// each configured one. An unknown lead is an answer too: `never_wrote`, with `lead_id` null.
#[utoipa::path(
    get, path = "/v1/window", tag = "window", operation_id = "window",
    params(
        ("phone" = Option<String>, Query, description = "The person's phone in any spelling; this or `lead`"),
        ("lead" = Option<String>, Query, description = "Lead id, phone, BSUID, username or e-mail address"),
        ("business" = Option<String>, Query, description = "Our number"),
        ("at" = Option<String>, Query, description = "Judge this instant by the evidence up to it"),
    ),
    responses(
        (status = 200, description = "One verdict, or one for each number", body = Answer),
        (status = "4XX", description = "What is wrong", body = Document, content_type = "application/problem+json"),
        (status = "5XX", description = "Not now", body = Document, content_type = "application/problem+json"),
    ),
    security(("token" = ["lead:read"])),
)]
pub(super) async fn one_lead(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let known = &["phone", "lead", "business", "at"];
    ask(request, Scope::LeadRead, known, |question| {
        let (api, given) = (question.api, question.parameters);
        let region = &api.config.region;
        let (name, reference) = match (given.get("phone"), given.get("lead")) {
            (Some(text), None) => ("phone", phone("phone", text, region)?),
            (None, Some(text)) => ("lead", lead("lead", text, region)?),
            (Some(_), Some(_)) => return Err(Problem::parameter("lead", "give phone or lead, not both")),
            (None, None) => return Err(Problem::parameter("phone", "missing; give phone or lead")),
        };
        let at = given.instant("at", region)?;
        let business = given.business(region)?;
        let moment = api.moment()?.at(at);
        judged(api, name, &reference, &Terms { business, at, moment })
    })
    .await
}

/// What holds for every lead of a question.
struct Terms {
    business: Option<Phone>,
    at: Option<Timestamp>,
    moment: Moment,
}

fn judged(api: &Api, parameter: &str, reference: &Reference, terms: &Terms) -> Result<Answer, Problem> {
    let found = find(api.store.as_ref(), reference, terms.at);
    let found: Found = found.map_err(|error| Problem::of_search(parameter, error))?;
    Ok(answer(&found, terms.business.as_ref(), terms.moment, &api.config))
}

/// Many leads at once.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WindowQuestion {
    /// Phones in any spelling.
    #[schema(value_type = Vec<String>)]
    phones: Vec<Value>,
    /// Leads in any spelling.
    #[schema(value_type = Vec<String>)]
    leads: Vec<Value>,
    /// Our number, for one verdict each.
    business: Option<String>,
    /// Judge this instant by the evidence up to it.
    at: Option<String>,
}

/// The verdicts on many leads, in the order asked: first the phones, then the leads.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WindowAnswer {
    /// A verdict for each number, or an error, each with the place of its lead in the question.
    items: Vec<WindowItem>,
}

/// One verdict or error, and whose it is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WindowItem {
    /// The verdict, or why there is none.
    #[serde(flatten)]
    result: WindowResult,
    /// The list of the question: `phones` or `leads`.
    list: &'static str,
    /// The place in that list, from 0.
    index: usize,
}

/// A verdict, or why there is none.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum WindowResult {
    /// The verdict.
    Verdict(Box<VerdictView>),
    /// No verdict.
    Error {
        /// Why; it does not repeat what was asked.
        error: Box<Document>,
    },
}

/// The verdict for up to 1,000 leads, with an error for each that cannot be read
///
/// The items are those of `GET /v1/window`, each with the `list` and `index` of the lead it answers for.
#[utoipa::path(
    post, path = "/v1/window", tag = "window", operation_id = "windows",
    request_body(content = WindowQuestion, description = "The leads"),
    responses(
        (status = 200, description = "Verdicts and errors", body = WindowAnswer),
        (status = "4XX", description = "What is wrong", body = Document, content_type = "application/problem+json"),
        (status = "5XX", description = "Not now", body = Document, content_type = "application/problem+json"),
    ),
    security(("token" = ["lead:read"])),
)]
pub(super) async fn many_leads(request: HttpRequest, body: web::Payload) -> Result<HttpResponse, Problem> {
    authorised(&request, Scope::LeadRead).await?;
    let body = whole(body, MOST_BYTES).await?.ok_or_else(|| {
        let detail = format!("the body is longer than {MOST_BYTES} bytes; ask for fewer leads at once");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
    })?;
    ask(request, Scope::LeadRead, &[], move |question| {
        let api = question.api;
        let asked = read(&body)?;
        let region = &api.config.region;
        let at = asked.at.as_deref().map(|text| instant("at", text, region)).transpose()?;
        let number = asked.business.as_deref().map(|text| business("business", text, region)).transpose()?;
        let terms = Terms { business: number, at, moment: api.moment()?.at(at) };
        let mut items = Vec::new();
        for (list, values) in [("phones", &asked.phones), ("leads", &asked.leads)] {
            for (index, value) in values.iter().enumerate() {
                let results = results(api, list, value, &terms)?;
                items.extend(results.into_iter().map(|result| WindowItem { result, list, index }));
            }
        }
        Ok(WindowAnswer { items })
    })
    .await
}

fn read(body: &[u8]) -> Result<WindowQuestion, Problem> {
    // serde's own message would repeat what was sent.
    let asked: WindowQuestion = serde_json::from_slice(body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let shape = "{\"phones\": [...], \"leads\": [...]}, and perhaps \"business\" and \"at\"";
        Problem::parameter("body", format!("not as expected at line {line}, column {column}; send {shape}"))
    })?;
    match asked.phones.len() + asked.leads.len() {
        0 => Err(Problem::parameter("phones", "no leads; name some in phones or leads")),
        1..=MOST => Ok(asked),
        _ => Err(Problem::parameter("phones", format!("more than {MOST} leads; ask in several requests"))),
    }
}

/// The verdicts on one lead of many. What only that lead is to blame for is its own answer.
fn results(
    api: &Api,
    list: &'static str,
    value: &Value,
    terms: &Terms,
) -> Result<Vec<WindowResult>, Problem> {
    let region = &api.config.region;
    let reference = match (list, value.as_str()) {
        ("phones", Some(text)) => phone(list, text, region),
        (_, Some(text)) => lead(list, text, region),
        (_, None) => Err(Problem::parameter(list, "not a text; write each in quotes")),
    };
    match reference.and_then(|reference| judged(api, list, &reference, terms)) {
        Ok(answer) => {
            let items = answer.items().iter().cloned();
            Ok(items.map(|verdict| WindowResult::Verdict(Box::new(verdict))).collect())
        }
        Err(problem) if problem.document.status.is_client_error() => {
            Ok(vec![WindowResult::Error { error: problem.document }])
        }
        Err(problem) => Err(problem),
    }
}
