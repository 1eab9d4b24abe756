//! Placeholder until the provider lands.
use crate::provider::*;
use crate::signature::Scheme;
/// Meta
#[derive(Debug)]
pub struct Meta;
impl Provider for Meta {
    fn about(&self) -> &'static About { &About{slug:"meta",name:"Meta",scheme:Scheme::MetaHmacSha256,proof_headers:&[],documentation:"",reports_ads:true} }
    fn verify<'a>(&self, _i: Inbound<'a>, _a: &Account) -> Result<Verified<'a>, Rejection> { Err(Rejection::Missing) }
    fn normalise(&self, _r: &Verified<'_>, _a: &Account) -> Result<Vec<Item>, Malformed> { Ok(vec![]) }
    fn sign(&self, _b: &[u8], _t: jiff::Timestamp, _a: &Account) -> Result<Signed, Unsignable> { Err(Unsignable::NoSecret) }
}
