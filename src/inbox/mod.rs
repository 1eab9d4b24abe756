//! Requests: taken in, proven, stored, and later read for what they mean.
//!
//! [`receive`] ends with the acknowledgement; [`normalise`] and [`projector`] work off what was stored.

pub mod intents;
pub mod normalise;
pub mod projector;
pub mod reading;
pub mod receive;
pub mod replay;
pub mod wishes;
