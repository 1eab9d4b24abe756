//! What people and programs see of delivery.
//!
//! In: the outbox, targets, and what CRMs answer. Out: [`job`] (a job as programs read it), [`cause`] (why it is
//! where it is, in words), [`depth`] (how much waits, since when), [`online`] (what a CRM itself says, and the
//! fields that it is given), [`census`] (who is twice in a CRM), [`shadow`] (what would have been written). Of a CRM's
//! records nothing here changes any: only [`online`] writes at all, new fields, where an operator asks for them.

pub mod cause;
pub mod census;
pub mod depth;
pub mod forecast;
pub mod job;
pub mod online;
pub mod shadow;
