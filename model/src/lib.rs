//! The words wabridge shares, and the pure rules over them. No I/O, no async, no clock.
//!
//! Read in this order: [`phone`] and [`id`] (who), [`event`] and [`chatbot`] (what happened).

pub mod chatbot;
pub mod event;
pub mod id;
pub mod phone;

pub use phone::{Country, Phone, PhoneError};
