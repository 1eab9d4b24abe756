//! Delivery from a projected message to a CRM's record, against simulated CRMs in virtual time.

mod calls;
mod deals;
mod drift;
mod enrichment;
mod humans;
mod modes;
mod once;
mod person_rule;
mod quota;
mod quota_day;
mod resync;
mod rollout;
mod stopped;
mod storm;
mod summary;
mod tasks;
mod wire;
pub(crate) mod world;
mod zoho;
