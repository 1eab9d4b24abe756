//! Outbound adapters: what is due for a lead, planned into the fewest calls of a CRM's API.
//!
//! Start at [`crm`], the seam; [`transport`] is the one way out, [`mapping`] what is written where, [`schema`]
//! what a CRM's fields are, [`limit`] what it allows, [`choose`] which record is the person's, `errand` what adapters share; then one folder
//! per CRM, and [`registry`], which lists them. No I/O of its own, no clock, no retries.

pub mod choose;
pub mod crm;
mod errand;
pub mod hubspot;
pub mod limit;
pub mod mapping;
mod near;
pub mod oauth;
pub mod registry;
pub mod schema;
pub mod transport;
pub mod zoho;

pub use crm::{
    About, ActivityWrite, AuthScheme, Bundle, Capability, Crm, DealWrite, Delivery, Desk, Found, LEFT_ALONE,
    NoticeProof, People, PersonWrite, Receipt, Record, TaskWrite, Who, Written,
};
pub use limit::{Limit, Told};
pub use mapping::Datum;
pub use near::nearest;
pub use oauth::OAuth;
pub use schema::Schema;
pub use transport::{Answer, Call, Later, Method, NoAnswer, Transport};
