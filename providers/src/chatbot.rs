//! Placeholder until the provider lands.
use crate::provider::*;
use crate::signature::Scheme;
/// Chatbot
#[derive(Debug)]
pub struct Chatbot;
impl Provider for Chatbot {
    fn about(&self) -> &'static About {
        &About {
            slug: "chatbot",
            name: "Chatbot",
            scheme: Scheme::MetaHmacSha256,
            proof_headers: &[],
            documentation: "",
            reports_ads: true,
        }
    }
    fn verify<'a>(&self, _i: Inbound<'a>, _a: &Account) -> Result<Verified<'a>, Rejection> {
        Err(Rejection::Missing)
    }
    fn normalise(&self, _r: &Verified<'_>, _a: &Account) -> Result<Vec<Item>, Malformed> {
        Ok(vec![])
    }
    fn sign(&self, _b: &[u8], _t: jiff::Timestamp, _a: &Account) -> Result<Signed, Unsignable> {
        Err(Unsignable::NoSecret)
    }
}
