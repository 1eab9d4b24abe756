//! What people and programs ask, as JSON.
//!
//! In: a request with a bearer token. Out: an answer, or a problem (RFC 9457) that names what is wrong and
//! the way out, and never repeats what it was given. Reads block, so they run on their own threads; the
//! token is read from the store each time, so that a revocation holds at once.

mod accept;
mod answer;
mod attribution;
mod export;
mod jobs;
mod leads;
mod openapi;
mod parameters;
pub mod problem;
mod search;
pub mod token;
mod touches;
mod window;

pub use openapi::document;
pub(crate) use parameters::{Rounding, choice, read_day, read_instant};

use crate::clock::{Clock, ClockWatch};
use crate::config::Config;
use crate::leads::verdict::Moment;
use crate::store::{Store, StoreError};
use actix_web::web::{self, ServiceConfig};
use std::sync::Arc;

/// What the API answers from.
pub struct Api {
    /// The store.
    pub store: Arc<dyn Store>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Whether the clock can be trusted.
    pub watch: Arc<ClockWatch>,
    /// The configuration: policy of the verdict, business numbers, region.
    pub config: Arc<Config>,
}

impl Api {
    /// How store and clock stand now.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn moment(&self) -> Result<Moment, StoreError> {
        Moment::read(self.store.as_ref(), self.clock.as_ref(), &self.watch)
    }
}

/// Mounts `/v1`. The application holds a `web::Data<Api>`.
pub fn configure(app: &mut ServiceConfig) {
    let only = |path: &str| web::resource(path.to_owned()).default_service(web::to(answer::wrong_method));
    let routes = web::scope("/v1")
        .service(
            only("/window").route(web::get().to(window::one_lead)).route(web::post().to(window::many_leads)),
        )
        .service(only("/leads").route(web::get().to(search::search)))
        .service(only("/leads/{LEAD}").route(web::get().to(leads::lead)))
        .service(only("/leads/{LEAD}/timeline").route(web::get().to(leads::timeline)))
        .service(only("/leads/{LEAD}/export").route(web::get().to(export::export)))
        .service(only("/attribution").route(web::get().to(attribution::attribution)))
        .service(only("/touches").route(web::get().to(touches::touches)))
        .service(only("/jobs").route(web::get().to(jobs::jobs)))
        .service(only("/jobs/{id}/retry").route(web::post().to(jobs::retry)))
        .service(only("/jobs/{id}/discard").route(web::post().to(jobs::discard)))
        .service(only("/openapi.json").route(web::get().to(openapi::serve)))
        .default_service(web::to(answer::no_such_route));
    app.service(routes);
}
