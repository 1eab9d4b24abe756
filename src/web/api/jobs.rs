//! `/v1/jobs`: the outbox: what waits, what failed and why, and what may be done to it by hand.

use super::answer::{Question, ask, authorised, whole};
use super::parameters;
use super::problem::{Document, Problem};
use super::token::Scope;
use crate::delivery::job::{Act, JobView, STATES, counts, page, refusal};
use crate::leads::find::{Found, find};
use crate::store::outbox::{Job, JobFilter, JobState};
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// The name of the path's parameter, in routes and errors.
const ID: &str = "id";
/// The longest reason.
const LONGEST_REASON: usize = 500;
/// Room for the longest reason, however it is escaped.
const MOST_BYTES: usize = 8 * 1024;

/// A page of jobs.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Jobs {
    /// The jobs, in the order of their ids.
    items: Vec<JobView>,
    /// How often something was asked for, by what became of it: `dead`, `discarded`, `done`, `doubt`, `held`, `leased`,
    /// `pending`, `suppressed`. Of the whole outbox, whatever the parameters say.
    counts: BTreeMap<String, u64>,
    /// Where the next page begins; null on the last one.
    next: Option<String>,
}

/// The outbox
///
/// A job is one operation for one lead and one target. Asked for again, it is the same job.
#[utoipa::path(
    get, path = "/v1/jobs", tag = "jobs", operation_id = "jobs",
    params(
        ("state" = Option<String>, Query, description = "`pending`, `leased`, `doubt`, `held`, `dead`, `done`, `suppressed` or `discarded`"),
        ("target" = Option<String>, Query, description = "The target's name in the configuration"),
        ("lead" = Option<String>, Query, description = "Lead id, phone, BSUID, username or e-mail address"),
        ("limit" = Option<u16>, Query, description = "Items of a page, 1 to 500; 50 if absent"),
        ("cursor" = Option<String>, Query, description = "`next` of the page before"),
    ),
    responses(
        (status = 200, description = "A page of jobs", body = Jobs),
        (status = "4XX", description = "What is wrong", body = Document, content_type = "application/problem+json"),
        (status = "5XX", description = "Not now", body = Document, content_type = "application/problem+json"),
    ),
    security(("token" = ["job:read"])),
)]
pub(super) async fn jobs(request: HttpRequest) -> Result<HttpResponse, Problem> {
    ask(request, Scope::JobRead, &["state", "target", "lead", "limit", "cursor"], |question| {
        let given = question.parameters;
        let (limit, after) = (given.limit()?, given.cursor(decode)?.unwrap_or(0));
        let counts = counts(&question.api.store.books()?);
        let Some(filter) = filter(question)? else {
            return Ok(Jobs { items: Vec::new(), counts, next: None });
        };
        let (jobs, next) = page(question.api.store.as_ref(), &filter, after, limit)?;
        Ok(Jobs { items: jobs.into_iter().map(JobView::from).collect(), counts, next: next.map(encode) })
    })
    .await
}

/// Which jobs are asked for; `None` where nobody is known by `lead`.
fn filter(question: &Question<'_>) -> Result<Option<JobFilter>, Problem> {
    let (api, given) = (question.api, question.parameters);
    let state = match given.get("state") {
        Some(text) => Some(
            parameters::choice(text, &STATES, JobState::as_str)
                .map_err(|way_out| Problem::parameter("state", way_out))?,
        ),
        None => None,
    };
    let target = given.get("target").map(str::to_owned);
    let mut filter = JobFilter { state, target, ..JobFilter::default() };
    if let Some(text) = given.get("lead") {
        let reference = parameters::lead("lead", text, &api.config.region)?;
        match find(api.store.as_ref(), &reference, None) {
            Ok(Found::Lead(person)) => filter.lead = Some(person.id),
            Ok(Found::Nobody(_)) => return Ok(None),
            Err(error) => return Err(Problem::of_search("lead", error)),
        }
    }
    Ok(Some(filter))
}

fn encode(id: i64) -> String {
    BASE64URL_NOPAD.encode(&id.to_be_bytes())
}

fn decode(text: &str) -> Option<i64> {
    let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
    Some(i64::from_be_bytes(bytes.try_into().ok()?)).filter(|id| *id >= 0)
}

/// Try a job now, with its attempts forgotten
///
/// For jobs that are dead, held or pending; 409 for others, with the reason.
#[utoipa::path(
    post, path = "/v1/jobs/{id}/retry", tag = "jobs", operation_id = "retry_job",
    params(("id" = i64, Path, description = "The job's id")),
    responses(
        (status = 200, description = "The job as it is now", body = JobView),
        (status = "4XX", description = "What is wrong", body = Document, content_type = "application/problem+json"),
        (status = "5XX", description = "Not now", body = Document, content_type = "application/problem+json"),
    ),
    security(("token" = ["job:write"])),
)]
pub(super) async fn retry(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let id = in_path(&request);
    ask(request, Scope::JobWrite, &[], move |question| {
        act(question, id?, Act::Retry, |question, job| {
            question.api.store.retry_jobs(&[job], question.api.clock.now())
        })
    })
    .await
}

/// Why a job is given up.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Discard {
    /// The reason, for whoever asks later; 1 to 500 characters.
    reason: String,
}

/// Give a job up: it is written no more
///
/// For jobs that are dead, held, pending or in doubt; 409 for others, with the reason.
#[utoipa::path(
    post, path = "/v1/jobs/{id}/discard", tag = "jobs", operation_id = "discard_job",
    params(("id" = i64, Path, description = "The job's id")),
    request_body(content = Discard, description = "The reason"),
    responses(
        (status = 200, description = "The job as it is now", body = JobView),
        (status = "4XX", description = "What is wrong", body = Document, content_type = "application/problem+json"),
        (status = "5XX", description = "Not now", body = Document, content_type = "application/problem+json"),
    ),
    security(("token" = ["job:write"])),
)]
pub(super) async fn discard(request: HttpRequest, body: web::Payload) -> Result<HttpResponse, Problem> {
    authorised(&request, Scope::JobWrite).await?;
    let id = in_path(&request)?;
    let body = whole(body, MOST_BYTES).await?.ok_or_else(bad_reason)?;
    ask(request, Scope::JobWrite, &[], move |question| {
        let reason = read(&body)?;
        act(question, id, Act::Discard, |question, job| {
            question.api.store.discard_jobs(&[job], &reason, question.api.clock.now())
        })
    })
    .await
}

fn bad_reason() -> Problem {
    Problem::parameter("reason", format!("write why, in 1 to {LONGEST_REASON} characters"))
}

fn read(body: &[u8]) -> Result<String, Problem> {
    // serde's own message would repeat what was sent.
    let Discard { reason } = serde_json::from_slice(body)
        .map_err(|_| Problem::parameter("body", "not as expected; send {\"reason\": \"...\"}"))?;
    let reason = reason.trim();
    let fits = !reason.is_empty()
        && reason.chars().count() <= LONGEST_REASON
        && !reason.chars().any(char::is_control);
    if fits { Ok(reason.to_owned()) } else { Err(bad_reason()) }
}

/// Does something to a job whose state allows it, and answers what it is then.
fn act(
    question: &Question<'_>,
    id: i64,
    act: Act,
    work: impl FnOnce(&Question<'_>, i64) -> Result<usize, crate::store::StoreError>,
) -> Result<JobView, Problem> {
    let job = known(question, id)?;
    if let Some(why) = refusal(act, job.state) {
        return Err(conflict(&job, why));
    }
    let done = work(question, id)?;
    let job = known(question, id)?;
    match done {
        // Leased between the two looks.
        0 => Err(conflict(&job, refusal(act, job.state).unwrap_or("it changed meanwhile; look again"))),
        _ => Ok(job.into()),
    }
}

fn conflict(job: &Job, why: &str) -> Problem {
    Problem::new(StatusCode::CONFLICT, format!("this job is {}: {why}", job.state.as_str()))
}

fn known(question: &Question<'_>, id: i64) -> Result<Job, Problem> {
    let found = question.api.store.job(id)?;
    let unknown = || Problem::new(StatusCode::NOT_FOUND, "there is no such job; GET /v1/jobs lists them");
    found.map(|(job, _)| job).ok_or_else(unknown)
}

fn in_path(request: &HttpRequest) -> Result<i64, Problem> {
    let text = request.match_info().get(ID).unwrap_or_default();
    text.parse().map_err(|_| Problem::parameter(ID, "write a job's id, as GET /v1/jobs lists it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_left_and_nothing_else_is_one() {
        assert_eq!(decode(&encode(7)), Some(7));
        for text in ["", "7", "next", &encode(-1), &format!("{}AA", encode(7))] {
            assert_eq!(decode(text), None, "{text}");
        }
    }

    #[test]
    fn a_reason_is_words_and_is_never_repeated() {
        assert_eq!(read(br#"{"reason": " a test lead "}"#).unwrap(), "a test lead");
        let long = format!(r#"{{"reason": "{}"}}"#, "x".repeat(501));
        for wrong in
            ["", "{}", r#"{"reason": " "}"#, r#"{"reason": 7}"#, r#"{"reason": "x", "why": "x"}"#, &long]
        {
            let problem = read(wrong.as_bytes()).unwrap_err();
            assert_eq!(problem.document.status, 400);
            assert!(!problem.document.detail.contains("xx"), "{wrong}");
        }
    }
}
