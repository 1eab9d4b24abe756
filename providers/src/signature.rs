//! The closed set of signing schemes.

use crate::provider::{Inbound, Proof, Rejection, Signed, Unsignable, Verified};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// How a provider proves itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// `sha256=` and the hex HMAC-SHA256 of the body.
    MetaHmacSha256,
    /// Base64 HMAC-SHA1 of the public URL and the sorted form, or of the URL with the body's SHA-256 in it.
    TwilioHmacSha1,
    /// Standard Webhooks: base64 HMAC-SHA256 of `id.timestamp.body`.
    StandardWebhooks,
}

fn mac(secret: &SecretString, body: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(secret.expose_secret().as_bytes())
        .expect("HMAC takes a key of any length")
        .chain_update(body)
}

/// Checks `X-Hub-Signature-256`.
pub(crate) fn verify_meta<'a>(
    inbound: Inbound<'a>,
    secrets: &[SecretString],
) -> Result<Verified<'a>, Rejection> {
    let header = inbound.header("x-hub-signature-256").ok_or(Rejection::Missing)?;
    let digits = header.strip_prefix("sha256=").ok_or(Rejection::MalformedProof)?;
    let proof = data_encoding::HEXLOWER.decode(digits.as_bytes()).map_err(|_| Rejection::MalformedProof)?;
    let mut found = None;
    for (index, secret) in secrets.iter().enumerate() {
        if mac(secret, inbound.body).verify_slice(&proof).is_ok() {
            found = found.or(Some(index));
        }
    }
    found.map(|index| Verified::new(inbound, Proof::Signed, index)).ok_or(Rejection::Mismatch)
}

/// Signs as Meta does.
pub(crate) fn sign_meta(body: &[u8], secrets: &[SecretString]) -> Result<Signed, Unsignable> {
    let secret = secrets.first().ok_or(Unsignable::NoSecret)?;
    let digits = data_encoding::HEXLOWER.encode(&mac(secret, body).finalize().into_bytes());
    Ok(Signed { query: None, headers: vec![("X-Hub-Signature-256".to_owned(), format!("sha256={digits}"))] })
}
