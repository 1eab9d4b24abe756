//! `/livez`, `/readyz` and `/metrics`: for the machine that watches this one.

use crate::clock::{Clock, ClockWatch};
use crate::store::{Store, StoreError};
use crate::telemetry::metrics::{Metrics, Moment};
use actix_web::{HttpResponse, web};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What health is judged by.
pub struct Health {
    /// The store: ready means that it takes writes.
    pub store: Arc<dyn Store>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Whether the clock can be trusted.
    pub watch: Arc<ClockWatch>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Whether the process is on its way out.
    pub stopping: AtomicBool,
}

/// Adds `/livez` and `/readyz`.
pub fn configure(routes: &mut web::ServiceConfig) {
    routes.route("/livez", web::get().to(live)).route("/readyz", web::get().to(ready));
}

/// Adds `/metrics`, on the admin listener alone.
pub fn configure_admin(routes: &mut web::ServiceConfig) {
    configure(routes);
    routes.route("/metrics", web::get().to(metrics));
}

/// The event loop answers. Never touches the store.
async fn live() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain").body("live\n")
}

async fn ready(health: web::Data<Health>) -> HttpResponse {
    if health.stopping.load(Ordering::Acquire) {
        return HttpResponse::ServiceUnavailable().content_type("text/plain").body("stopping\n");
    }
    let store = Arc::clone(&health.store);
    match web::block(move || store.probe()).await {
        Ok(Ok(())) => HttpResponse::Ok().content_type("text/plain").body("ready\n"),
        Ok(Err(error)) => {
            health.metrics.store_failed("probe", &error);
            let why = format!("the store takes no writes: {}\n", error.kind.as_str());
            HttpResponse::ServiceUnavailable().content_type("text/plain").body(why)
        }
        Err(_) => HttpResponse::ServiceUnavailable().content_type("text/plain").body("no worker is free\n"),
    }
}

async fn metrics(health: web::Data<Health>) -> HttpResponse {
    let store = Arc::clone(&health.store);
    let read = web::block(move || Ok::<_, StoreError>((store.books()?, store.backlog()?, store.depth()?)));
    let (books, backlog, depth) = match read.await {
        Ok(Ok(read)) => read,
        Ok(Err(error)) => {
            health.metrics.store_failed("read", &error);
            return HttpResponse::ServiceUnavailable().finish();
        }
        Err(_) => return HttpResponse::ServiceUnavailable().finish(),
    };
    let clock = &*health.clock;
    let moment = Moment { now: clock.now(), clock_unsure: health.watch.is_unsure(clock), backlog };
    health.metrics.outbox(&depth, moment.now);
    HttpResponse::Ok()
        .content_type("application/openmetrics-text; version=1.0.0; charset=utf-8")
        .body(health.metrics.text(&books, moment))
}
