//! The closed set of signing schemes: who knows a secret, and how a provider would sign.
//!
//! In: a request as it came and a channel's secrets. Out: [`Verified`], or the [`Rejection`] to count.
//! Everything that touches a secret is in this file, so that three rules can be seen to hold: proofs are
//! decoded strictly and compared as bytes of fixed length in constant time; every configured secret is
//! tried, without early exit; nothing a sender chooses decides which secret is tried. A secret that
//! [`check_secret`] refuses (an empty one, say) never proves anything.
//!
//! `hex.rs` is the family that signs the body and writes hex, `twilio.rs` and `standard.rs` are their
//! own kinds, `shared.rs` is for providers that sign nothing.
//! Meta: <https://developers.facebook.com/docs/graph-api/webhooks/getting-started#validate-payloads>,
//! Twilio: <https://www.twilio.com/docs/usage/security#validating-requests>,
//! Standard Webhooks: <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>.

mod hex;
mod shared;
mod standard;
mod twilio;

pub(crate) use shared::path_token;
pub(crate) use twilio::{form_parameters, is_form};

use crate::provider::{Account, Inbound, Rejection, Signed, Unsignable, Verified};
use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use sha1::Sha1;
use sha2::Sha256;
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

/// How a provider proves itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// `sha256=` and the hex HMAC-SHA256 of the body.
    MetaHmacSha256,
    /// Base64 HMAC-SHA1 of the public URL and the sorted form, or of the URL with the body's SHA-256 in it.
    TwilioHmacSha1,
    /// Standard Webhooks: base64 HMAC-SHA256 of `id.timestamp.body`.
    StandardWebhooks,
    /// 360dialog's hex HMAC-SHA256 of the body; where the channel has no secret, a required header.
    Dialog360HmacSha256,
    /// AiSensy's bare hex HMAC-SHA256 of the body, or of the body as `JSON.stringify` writes it.
    AiSensyHmacSha256,
    /// Interakt's `sha256=` and the hex HMAC-SHA256 of the body.
    InteraktHmacSha256,
    /// Nothing is signed: a secret in the URL's path, in a header, or both.
    SharedSecret,
}

impl Scheme {
    /// Proves that the sender knows one of the channel's secrets.
    ///
    /// # Errors
    /// [`Rejection`], with the reason to count.
    pub fn verify<'a>(self, inbound: Inbound<'a>, account: &Account) -> Result<Verified<'a>, Rejection> {
        let secrets = &account.secrets.signing;
        match self {
            Scheme::MetaHmacSha256 => hex::META.verify(inbound, secrets),
            Scheme::AiSensyHmacSha256 => hex::AISENSY.verify(inbound, secrets),
            Scheme::InteraktHmacSha256 => hex::INTERAKT.verify(inbound, secrets),
            Scheme::TwilioHmacSha1 => twilio::verify(inbound, account.public_url.as_deref(), secrets),
            Scheme::StandardWebhooks => standard::verify(inbound, secrets),
            Scheme::Dialog360HmacSha256 if !secrets.is_empty() => hex::DIALOG360.verify(inbound, secrets),
            Scheme::Dialog360HmacSha256 | Scheme::SharedSecret => shared::verify(inbound, &account.secrets),
        }
    }

    /// What a provider would send with `body`, signed with the channel's first secret.
    ///
    /// # Errors
    /// [`Unsignable`] when there is no fit secret, or no URL where the scheme signs one.
    pub fn sign(self, body: &[u8], at: Timestamp, account: &Account) -> Result<Signed, Unsignable> {
        let secrets = &account.secrets.signing;
        match self {
            Scheme::MetaHmacSha256 => hex::META.sign(body, secrets),
            Scheme::AiSensyHmacSha256 => hex::AISENSY.sign(body, secrets),
            Scheme::InteraktHmacSha256 => hex::INTERAKT.sign(body, secrets),
            Scheme::TwilioHmacSha1 => twilio::sign(body, account.public_url.as_deref(), secrets),
            Scheme::StandardWebhooks => standard::sign(body, at, secrets),
            Scheme::Dialog360HmacSha256 if !secrets.is_empty() => hex::DIALOG360.sign(body, secrets),
            Scheme::Dialog360HmacSha256 | Scheme::SharedSecret => shared::sign(&account.secrets),
        }
    }

    /// Whether its requests may be proven by a path token or a header alone.
    #[must_use]
    pub fn takes_shared_secret(self) -> bool {
        matches!(self, Scheme::Dialog360HmacSha256 | Scheme::SharedSecret)
    }
}

/// Says what is wrong with a configured secret, for the check of the configuration. Never shows the secret.
///
/// # Errors
/// A sentence without a subject, such as `is empty`.
pub fn check_secret(scheme: Scheme, secret: &SecretString) -> Result<(), &'static str> {
    key(scheme, secret).map(drop)
}

/// The bytes to key the HMAC with.
fn key(scheme: Scheme, secret: &SecretString) -> Result<SecretSlice<u8>, &'static str> {
    let text = secret.expose_secret();
    if text.is_empty() {
        return Err("is empty");
    }
    // A newline at the end of a secret file is the usual one, and would make every proof fail.
    if text.trim() != text {
        return Err("begins or ends with white space");
    }
    if scheme != Scheme::StandardWebhooks {
        return Ok(text.as_bytes().to_vec().into());
    }
    let encoded = text.strip_prefix("whsec_").ok_or("does not begin with whsec_")?;
    let bytes = BASE64.decode(encoded.as_bytes()).map_err(|_| "is not standard base64 after whsec_")?;
    match bytes.len() {
        24..=64 => Ok(bytes.into()),
        _ => Err("is not 24 to 64 bytes long when decoded"),
    }
}

/// The fit keys of a channel, each with the index of its secret.
fn keys(scheme: Scheme, secrets: &[SecretString]) -> impl Iterator<Item = (u32, SecretSlice<u8>)> {
    (0..).zip(secrets).filter_map(move |(index, secret)| Some((index, key(scheme, secret).ok()?)))
}

/// The key to sign with: that of the first secret.
fn first_key(scheme: Scheme, secrets: &[SecretString]) -> Result<SecretSlice<u8>, Unsignable> {
    key(scheme, secrets.first().ok_or(Unsignable::NoSecret)?).map_err(Unsignable::Unfit)
}

/// The index of the first secret with an expected proof among those given. Takes as long for a match as
/// for none.
fn first_match<const N: usize>(
    expected: impl Iterator<Item = (u32, [u8; N])>,
    given: &[[u8; N]],
) -> Option<usize> {
    let mut found = u32::MAX;
    for (index, proof) in expected {
        let fits = given.iter().fold(Choice::from(0), |fits, one| fits | proof.ct_eq(one));
        found.conditional_assign(&index, fits & found.ct_eq(&u32::MAX));
    }
    usize::try_from(found).ok().filter(|_| found != u32::MAX)
}

fn hmac_sha256(key: &SecretSlice<u8>, parts: &[&[u8]]) -> [u8; 32] {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(key.expose_secret()).expect("HMAC takes a key of any length");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

fn hmac_sha1(key: &SecretSlice<u8>, parts: &[&[u8]]) -> [u8; 20] {
    let mut mac = Hmac::<Sha1>::new_from_slice(key.expose_secret()).expect("HMAC takes a key of any length");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

/// The one value of a header that must be there.
fn proof_header<'a>(inbound: &Inbound<'a>, name: &str) -> Result<&'a str, Rejection> {
    match inbound.header(name) {
        Some(value) => Ok(value),
        None if inbound.has_header(name) => Err(Rejection::MalformedProof),
        None => Err(Rejection::Missing),
    }
}

/// Why nothing matched: re-encoded JSON shows only where a body is not plain ASCII.
fn mismatch(body: &[u8]) -> Rejection {
    if body.is_ascii() { Rejection::Mismatch } else { Rejection::MismatchNonAscii }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ill_configured_secret_is_named_by_its_fault() {
        let check = |scheme, text: &str| check_secret(scheme, &SecretString::from(text));
        for scheme in [Scheme::MetaHmacSha256, Scheme::TwilioHmacSha1, Scheme::StandardWebhooks] {
            assert_eq!(check(scheme, ""), Err("is empty"));
            assert_eq!(check(scheme, "abc\n"), Err("begins or ends with white space"));
        }
        let standard = |text: &str| check(Scheme::StandardWebhooks, text);
        assert_eq!(check(Scheme::MetaHmacSha256, "any text"), Ok(()));
        assert_eq!(standard("AAECAwQF"), Err("does not begin with whsec_"));
        assert_eq!(standard("whsec_AAEC-_QF"), Err("is not standard base64 after whsec_"));
        assert_eq!(standard("whsec_AAECAwQF"), Err("is not 24 to 64 bytes long when decoded"));
        assert!(standard(&format!("whsec_{}", BASE64.encode(&[7; 23]))).is_err());
        assert_eq!(standard(&format!("whsec_{}", BASE64.encode(&[7; 24]))), Ok(()));
        assert_eq!(standard(&format!("whsec_{}", BASE64.encode(&[7; 64]))), Ok(()));
        assert!(standard(&format!("whsec_{}", BASE64.encode(&[7; 65]))).is_err());
    }
}
