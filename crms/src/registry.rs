//! Every CRM, by its slug.

use crate::crm::Crm;
use crate::hubspot::HubSpot;
use crate::zoho::Zoho;

/// Every CRM that can be written to, in the order of the documentation.
pub static CRMS: &[&dyn Crm] = &[&HubSpot, &Zoho];

/// The CRM of this slug.
#[must_use]
pub fn find(slug: &str) -> Option<&'static dyn Crm> {
    CRMS.iter().copied().find(|crm| crm.about().slug == slug)
}
