//! Delivery from a projected message to a CRM's record, against simulated CRMs in virtual time.

mod calls;
pub(crate) mod world;
