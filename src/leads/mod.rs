//! Stored events to lead state, and lead state to what people ask.

pub mod project;
