//! Standard Webhooks: base64 HMAC-SHA256 of `id.timestamp.body`.
//! <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>

use super::{Scheme, first_key, first_match, hmac_sha256, keys, mismatch, proof_header};
use crate::provider::{Inbound, Proof, Rejection, Signed, Unsignable, Verified};
use data_encoding::{BASE64, HEXLOWER};
use jiff::Timestamp;
use secrecy::SecretString;
use sha2::{Digest, Sha256};

/// How far from the time of receipt a signed time may be, in seconds, on both sides.
const TOLERANCE_SECONDS: i64 = 300;

/// Checks `webhook-signature` over `webhook-id`, `webhook-timestamp` and the body as sent.
///
/// The header may hold several signatures (the sender rotates); a version other than `v1` is passed over.
/// The time is judged last, so that [`Rejection::Stale`] means: authentic, but late or early.
pub(super) fn verify<'a>(inbound: Inbound<'a>, secrets: &[SecretString]) -> Result<Verified<'a>, Rejection> {
    let id = proof_header(&inbound, "webhook-id")?;
    let timestamp = proof_header(&inbound, "webhook-timestamp")?;
    let given = standard_signatures(proof_header(&inbound, "webhook-signature")?);
    let sent_at = unix_seconds(timestamp).ok_or(Rejection::MalformedProof)?;
    if id.is_empty() || given.is_empty() {
        return Err(Rejection::MalformedProof);
    }
    let parts = [id.as_bytes(), b".", timestamp.as_bytes(), b".", inbound.body];
    let expected =
        keys(Scheme::StandardWebhooks, secrets).map(|(index, key)| (index, hmac_sha256(&key, &parts)));
    let index = first_match(expected, &given).ok_or_else(|| mismatch(inbound.body))?;
    if (inbound.received_at.as_second() - sent_at).abs() > TOLERANCE_SECONDS {
        return Err(Rejection::Stale);
    }
    Ok(Verified::new(inbound, Proof::Signed, index))
}

/// Signs as a sender of Standard Webhooks does. The id is derived, so that the same call signs the same.
pub(super) fn sign(body: &[u8], at: Timestamp, secrets: &[SecretString]) -> Result<Signed, Unsignable> {
    let key = first_key(Scheme::StandardWebhooks, secrets)?;
    let timestamp = at.as_second().to_string();
    let digest = Sha256::new().chain_update(&timestamp).chain_update(".").chain_update(body).finalize();
    let id = format!("msg_{}", HEXLOWER.encode(&digest[..16]));
    let proof = hmac_sha256(&key, &[id.as_bytes(), b".", timestamp.as_bytes(), b".", body]);
    Ok(Signed {
        headers: vec![
            ("content-type".into(), "application/json".into()),
            ("webhook-id".into(), id),
            ("webhook-timestamp".into(), timestamp),
            ("webhook-signature".into(), format!("v1,{}", BASE64.encode(&proof))),
        ],
        ..Signed::default()
    })
}

/// The well-formed `v1` signatures of the space-separated list.
fn standard_signatures(header: &str) -> Vec<[u8; 32]> {
    header
        .split(' ')
        .filter_map(|item| item.strip_prefix("v1,"))
        .filter_map(|text| BASE64.decode(text.as_bytes()).ok()?.try_into().ok())
        .collect()
}

/// Whole seconds, digits only: what is signed is the text, so it must have one reading.
fn unix_seconds(text: &str) -> Option<i64> {
    let plain = (1..=12).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}
