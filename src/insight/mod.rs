//! What is worth telling a CRM about a lead: its facts by path, a chatbot's signals, and the texts of
//! activities and tasks.
//!
//! In: a lead, its evidence in order, the configuration, an instant. Out: values and texts. Pure: the same input gives
//! the same bytes, so that what did not change is not written.

pub mod activity;
pub mod facts;
pub mod signals;
pub mod summary;
pub mod task;
mod text;

#[cfg(test)]
mod stage;
