//! Inbound webhook formats: who sent a request, and what it says. Pure and synchronous.
//!
//! Start at [`provider`], the seam; [`signature`] holds the closed set of signing schemes; then one file
//! per provider, all in the same order: about, wire structs, implementation, helpers, tests.

pub mod aisensy;
pub mod chatbot;
pub mod dialog360;
pub mod gupshup;
pub mod interakt;
mod json;
pub mod meta;
mod parts;
pub mod provider;
pub mod registry;
pub mod signature;
pub mod twilio;
pub mod wati;

pub use provider::{
    About, Account, Inbound, Item, Malformed, Passed, Passes, Proof, Provider, Rejection, SampleId, Secrets,
    Signed, Skip, Unsignable, Verified,
};
