//! The routes: webhooks in, answers out.

pub mod api;
