//! The providers that exist, a line each.

use crate::provider::Provider;

/// Every provider, in the order of the documentation.
pub static PROVIDERS: &[&dyn Provider] = &[
    &crate::meta::Meta,
    &crate::dialog360::Dialog360,
    &crate::gupshup::Gupshup,
    &crate::twilio::Twilio,
    &crate::wati::Wati,
    &crate::aisensy::AiSensy,
    &crate::interakt::Interakt,
    &crate::chatbot::Chatbot,
];

/// Finds a provider by its slug.
#[must_use]
pub fn find(slug: &str) -> Option<&'static dyn Provider> {
    PROVIDERS.iter().copied().find(|provider| provider.about().slug == slug)
}
