//! The courier: carries what is due to CRMs, and says what becomes of it.
//!
//! In: leased jobs. Out: calls, receipts, and for every failure one decision. Read in this order: [`retry`] (the
//! one place that decides what follows from a failure), [`breaker`] (whether a target may be called at all),
//! [`plan`] (what to write).

pub mod breaker;
pub mod dice;
pub mod plan;
pub mod retry;
