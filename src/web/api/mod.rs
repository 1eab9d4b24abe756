//! What people and programs ask, as JSON.

use crate::clock::{Clock, ClockWatch};
use crate::config::Config;
use crate::store::Store;
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

/// Adds the routes.
pub fn configure(_routes: &mut actix_web::web::ServiceConfig) {}
