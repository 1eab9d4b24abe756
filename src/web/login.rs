//! `/oauth/{target}/callback`: where a CRM sends whoever agreed to a login.
//!
//! In: a code, and the state that `wabridge login` sent them off with. Out: a login that is kept, and a line of text
//! for the person. Nothing is asked of the CRM unless the state is one that is waited for. Neither code nor state is
//! ever logged.

use crate::alerts::Watched;
use crate::config::target::Auth;
use crate::config::{Live, Target};
use crate::outbox::courier::AUTH;
use crate::outbox::login::{Invitations, Login, Unable, Vault};
use crate::store::Store;
use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CACHE_CONTROL, REFERRER_POLICY};
use actix_web::{HttpRequest, HttpResponse, web};
use std::sync::Arc;

/// What the route works with.
pub struct Callback {
    /// Who may come back.
    pub invitations: Arc<Invitations>,
    /// The targets, as configured now.
    pub config: Arc<Live<Watched>>,
    /// Where logins are kept.
    pub vault: Vault,
    /// The store.
    pub store: Arc<dyn Store>,
    /// Who must hear that a target may go on.
    pub ring: Arc<dyn Fn() + Send + Sync>,
}

/// What a CRM sends along.
#[derive(serde::Deserialize)]
struct Brought {
    state: Option<String>,
    code: Option<String>,
}

/// Adds the route.
pub fn configure(routes: &mut web::ServiceConfig) {
    routes.service(
        web::resource("/oauth/{target}/callback")
            .route(web::get().to(come_back))
            .default_service(web::to(other_method)),
    );
}

async fn other_method() -> HttpResponse {
    HttpResponse::MethodNotAllowed().insert_header((ALLOW, "GET")).finish()
}

async fn come_back(request: HttpRequest, callback: web::Data<Callback>) -> HttpResponse {
    let name = request.match_info().get("target").unwrap_or_default().to_owned();
    let Ok(brought) = web::Query::<Brought>::from_query(request.query_string()) else {
        return unexpected();
    };
    let Brought { state: Some(state), code } = brought.into_inner() else { return unexpected() };
    if !callback.invitations.take(&name, &state) {
        return unexpected();
    }
    let watched = callback.config.get();
    let Some(target) = watched.targets.iter().find(|target| target.name == name).cloned() else {
        return unexpected();
    };
    let Some(code) = code else {
        let text = format!("The CRM granted nothing. Try again: wabridge login {name}\n");
        return page(StatusCode::BAD_REQUEST, text);
    };
    // Away from the threads that take in webhooks, for it waits for the disk; and it ends whether or not the browser waits
    // for it: the code is used up by then.
    let done = web::block(move || log_in(&callback, &target, &code)).await;
    match done {
        Ok(Ok(())) => page(StatusCode::OK, format!("'{name}' is logged in. You may close this page.\n")),
        Ok(Err(unable)) => {
            tracing::warn!(target_name = name, why = %unable, "a login was brought and could not be kept");
            page(
                StatusCode::BAD_GATEWAY,
                format!("Not logged in: {unable}. Try again: wabridge login {name}\n"),
            )
        }
        Err(_) => page(StatusCode::INTERNAL_SERVER_ERROR, "Not logged in; the log says why.\n".to_owned()),
    }
}

fn log_in(callback: &Callback, target: &Target, code: &str) -> Result<(), Unable> {
    let (Auth::Login(configured), Some(login)) = (&target.auth, Login::of(target, &callback.vault)) else {
        return Err(Unable::NotLoggedIn);
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|_| Unable::Later("thread"))?;
    runtime.block_on(login.log_in_from(code, configured.redirect.as_deref()))?;
    tracing::info!(target_name = target.name, "somebody has logged in");
    // What an operator paused stays so.
    if callback.store.target(&target.name)?.paused.as_deref() == Some(AUTH) {
        callback.store.pause_target(&target.name, None)?;
    }
    (callback.ring)();
    Ok(())
}

/// Somebody whom we did not send, or who was here before. Whether there is such a target is not said.
fn unexpected() -> HttpResponse {
    let text = "This address is not one that is waited for: it was used, or is older than a quarter of an hour. \
                Run once more: wabridge login NAME\n";
    page(StatusCode::BAD_REQUEST, text.to_owned())
}

fn page(status: StatusCode, text: String) -> HttpResponse {
    HttpResponse::build(status)
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((REFERRER_POLICY, "no-referrer"))
        .content_type("text/plain; charset=utf-8")
        .body(text)
}
