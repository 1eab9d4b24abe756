//! wabridge: WhatsApp Business conversations into CRMs.
//!
//! The modules in the order of the flow: [`inbox`] takes verified requests and says what they mean,
//! [`leads`] turns that into lead state, [`store`] keeps both.

pub mod fault;
pub mod leads;
pub mod store;
