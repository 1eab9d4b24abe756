//! The closed set of signing schemes: who knows a secret, and how a provider would sign.
//!
//! In: a request as it came and a channel's secrets. Out: [`Verified`], or the [`Rejection`] to count.
//! Everything that touches a secret is in this file, so that three rules can be seen to hold: proofs are
//! decoded strictly and compared as bytes of fixed length in constant time; every configured secret is
//! tried, without early exit; nothing a sender chooses decides which secret is tried. A secret that
//! [`check_secret`] refuses (an empty one, say) never proves anything.
//!
//! Meta: <https://developers.facebook.com/docs/graph-api/webhooks/getting-started#validate-payloads>,
//! Twilio: <https://www.twilio.com/docs/usage/security#validating-requests>,
//! Standard Webhooks: <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>.

use crate::provider::{Account, Inbound, Proof, Rejection, Signed, Unsignable, Verified};
use data_encoding::{BASE64, HEXLOWER, HEXLOWER_PERMISSIVE};
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::BTreeSet;
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
}

impl Scheme {
    /// Proves that the sender knows one of the channel's secrets.
    ///
    /// # Errors
    /// [`Rejection`], with the reason to count.
    pub fn verify<'a>(self, inbound: Inbound<'a>, account: &Account) -> Result<Verified<'a>, Rejection> {
        let secrets = &account.secrets.signing;
        match self {
            Scheme::MetaHmacSha256 => verify_meta(inbound, secrets),
            Scheme::TwilioHmacSha1 => verify_twilio(inbound, account.public_url.as_deref(), secrets),
            Scheme::StandardWebhooks => verify_standard_webhooks(inbound, secrets),
        }
    }

    /// What a provider would send with `body`, signed with the channel's first secret.
    ///
    /// # Errors
    /// [`Unsignable`] when there is no fit secret, or no URL where the scheme signs one.
    pub fn sign(self, body: &[u8], at: Timestamp, account: &Account) -> Result<Signed, Unsignable> {
        let secrets = &account.secrets.signing;
        match self {
            Scheme::MetaHmacSha256 => sign_meta(body, secrets),
            Scheme::TwilioHmacSha1 => sign_twilio(body, account.public_url.as_deref(), secrets),
            Scheme::StandardWebhooks => sign_standard_webhooks(body, at, secrets),
        }
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

// ---- Meta ----

const META_HEADER: &str = "x-hub-signature-256";

/// Checks `X-Hub-Signature-256: sha256=<64 hex digits>` over the body as sent.
pub(crate) fn verify_meta<'a>(
    inbound: Inbound<'a>,
    secrets: &[SecretString],
) -> Result<Verified<'a>, Rejection> {
    let header = proof_header(&inbound, META_HEADER)?;
    let hex = header.strip_prefix("sha256=").ok_or(Rejection::MalformedProof)?;
    // Upper-case digits are the same bytes.
    let given = HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).map_err(|_| Rejection::MalformedProof)?;
    let given: [u8; 32] = given.try_into().map_err(|_| Rejection::MalformedProof)?;
    let expected =
        keys(Scheme::MetaHmacSha256, secrets).map(|(index, key)| (index, hmac_sha256(&key, &[inbound.body])));
    let index = first_match(expected, &[given]).ok_or_else(|| mismatch(inbound.body))?;
    Ok(Verified::new(inbound, Proof::Signed, index))
}

/// Signs as Meta does.
pub(crate) fn sign_meta(body: &[u8], secrets: &[SecretString]) -> Result<Signed, Unsignable> {
    let key = first_key(Scheme::MetaHmacSha256, secrets)?;
    let proof = HEXLOWER.encode(&hmac_sha256(&key, &[body]));
    Ok(Signed {
        query: None,
        headers: vec![
            ("Content-Type".into(), "application/json".into()),
            ("X-Hub-Signature-256".into(), format!("sha256={proof}")),
        ],
    })
}

// ---- Twilio ----

const TWILIO_HEADER: &str = "x-twilio-signature";
const FORM: &str = "application/x-www-form-urlencoded";

/// Twilio sends a few dozen. The bound keeps an unproven body from becoming millions of allocations.
const MAX_PARAMETERS: usize = 1_000;

/// Checks `X-Twilio-Signature` over the channel's public URL, never over one that a sender could choose
/// (`Host`, `X-Forwarded-*`), and the form's parameters, known and unknown alike.
///
/// A body that is no form is covered by the query's `bodySHA256`, which is then required. Twilio is not
/// consistent about ports: the URL with a port (its own, else the scheme's) and the one without fit both.
pub(crate) fn verify_twilio<'a>(
    inbound: Inbound<'a>,
    public_url: Option<&str>,
    secrets: &[SecretString],
) -> Result<Verified<'a>, Rejection> {
    let header = proof_header(&inbound, TWILIO_HEADER)?;
    let given = BASE64.decode(header.as_bytes()).map_err(|_| Rejection::MalformedProof)?;
    let given: [u8; 20] = given.try_into().map_err(|_| Rejection::MalformedProof)?;
    let parameters = if is_form(inbound.header("content-type"), inbound.body) {
        signed_parameters(inbound.body).ok_or(Rejection::Mismatch)?
    } else {
        check_body_hash(&inbound)?;
        Vec::new()
    };
    let urls = public_url.and_then(|url| url_spellings(url, inbound.query)).ok_or(Rejection::Mismatch)?;
    let expected = keys(Scheme::TwilioHmacSha1, secrets).flat_map(|(index, key)| {
        urls.each_ref().map(|url| (index, hmac_sha1(&key, &[url.as_bytes(), &parameters])))
    });
    let index = first_match(expected, &[given]).ok_or_else(|| mismatch(inbound.body))?;
    Ok(Verified::new(inbound, Proof::Signed, index))
}

/// Signs as Twilio does: a form, unless the body begins with `{`.
pub(crate) fn sign_twilio(
    body: &[u8],
    public_url: Option<&str>,
    secrets: &[SecretString],
) -> Result<Signed, Unsignable> {
    let key = first_key(Scheme::TwilioHmacSha1, secrets)?;
    let url = public_url.ok_or(Unsignable::Unfit("Twilio signs the public URL: set server.public_url"))?;
    let mut url = without_query(url).to_owned();
    let (content_type, query, parameters) = if body.trim_ascii_start().starts_with(b"{") {
        let query = format!("bodySHA256={}", HEXLOWER.encode(&Sha256::digest(body)));
        url = format!("{url}?{query}");
        ("application/json", Some(query), Vec::new())
    } else {
        let parameters =
            signed_parameters(body).ok_or(Unsignable::Unfit("the form has more than 1,000 parameters"))?;
        (FORM, None, parameters)
    };
    let proof = BASE64.encode(&hmac_sha1(&key, &[url.as_bytes(), &parameters]));
    Ok(Signed {
        query,
        headers: vec![("Content-Type".into(), content_type.into()), ("X-Twilio-Signature".into(), proof)],
    })
}

/// Whether a body is a form: as its content type says, else as it looks.
pub(crate) fn is_form(content_type: Option<&str>, body: &[u8]) -> bool {
    match content_type {
        Some(value) => value.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case(FORM)),
        None => !matches!(body.trim_ascii_start().first(), Some(b'{' | b'[')),
    }
}

/// The parameters of a form, decoded. Names without `=` have the empty value; empty values stay.
pub(crate) fn form_parameters(body: &[u8]) -> impl Iterator<Item = (Cow<'_, [u8]>, Cow<'_, [u8]>)> {
    body.split(|&byte| byte == b'&').filter(|part| !part.is_empty()).map(|part| {
        let cut = part.iter().position(|&byte| byte == b'=');
        let (name, value) = cut.map_or((part, &[][..]), |at| (&part[..at], &part[at + 1..]));
        (form_decode(name), form_decode(value))
    })
}

/// `+` is a space, `%41` a byte; a `%` without two hex digits stands for itself.
fn form_decode(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.iter().any(|byte| matches!(byte, b'+' | b'%')) {
        return Cow::Borrowed(text);
    }
    let digit = |at: usize| text.get(at).and_then(|&byte| char::from(byte).to_digit(16));
    let mut decoded = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        let escaped = (byte == b'%').then(|| Some(digit(at + 1)? * 16 + digit(at + 2)?)).flatten();
        match escaped.and_then(|value| u8::try_from(value).ok()) {
            Some(value) => {
                decoded.push(value);
                at += 3;
            }
            None => {
                decoded.push(if byte == b'+' { b' ' } else { byte });
                at += 1;
            }
        }
    }
    Cow::Owned(decoded)
}

/// Each distinct name and value once, sorted by bytes, with nothing between them. `None`: too many.
fn signed_parameters(body: &[u8]) -> Option<Vec<u8>> {
    if body.split(|&byte| byte == b'&').nth(MAX_PARAMETERS).is_some() {
        return None;
    }
    let distinct: BTreeSet<_> = form_parameters(body).collect();
    let mut signed = Vec::with_capacity(body.len());
    for (name, value) in distinct {
        signed.extend_from_slice(&name);
        signed.extend_from_slice(&value);
    }
    Some(signed)
}

/// Compares the body with the one `bodySHA256` of the query, which the signature over the URL proves.
fn check_body_hash(inbound: &Inbound<'_>) -> Result<(), Rejection> {
    let mut hashes = inbound.query.split('&').filter_map(|part| part.strip_prefix("bodySHA256="));
    let (Some(hex), None) = (hashes.next(), hashes.next()) else {
        return Err(Rejection::BodyHash);
    };
    let stated = HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).map_err(|_| Rejection::BodyHash)?;
    let stated: [u8; 32] = stated.try_into().map_err(|_| Rejection::BodyHash)?;
    let actual: [u8; 32] = Sha256::digest(inbound.body).into();
    if bool::from(actual.ct_eq(&stated)) { Ok(()) } else { Err(Rejection::BodyHash) }
}

/// The URL as Twilio may have spelt it: with a port, and without. `None` when it is not an http(s) URL.
fn url_spellings(public_url: &str, query: &str) -> Option<[String; 2]> {
    let (scheme, rest) = public_url.split_once("://")?;
    let default_port = match scheme {
        "https" => "443",
        "http" => "80",
        _ => return None,
    };
    let rest = without_query(rest);
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (host, port) = split_port(authority);
    let port = port.unwrap_or(default_port);
    let query = if query.is_empty() { String::new() } else { format!("?{query}") };
    Some([format!("{scheme}://{host}:{port}{path}{query}"), format!("{scheme}://{host}{path}{query}")])
}

/// The query that counts is the request's own; a fragment (Twilio's connection overrides) is never sent.
fn without_query(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or(url)
}

/// Splits the port off an authority. The colons of an IPv6 literal and of credentials are no port's.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    let host_at = authority.rfind('@').map_or(0, |at| at + 1);
    let after_literal = authority[host_at..].find(']').map_or(host_at, |at| host_at + at);
    match authority[after_literal..].find(':') {
        Some(colon) => {
            let (host, port) = authority.split_at(after_literal + colon);
            (host, Some(&port[1..]).filter(|digits| !digits.is_empty()))
        }
        None => (authority, None),
    }
}

// ---- Standard Webhooks ----

/// How far from the time of receipt a signed time may be, in seconds, on both sides.
const TOLERANCE_SECONDS: i64 = 300;

/// Checks `webhook-signature` over `webhook-id`, `webhook-timestamp` and the body as sent.
///
/// The header may hold several signatures (the sender rotates); a version other than `v1` is passed over.
/// The time is judged last, so that [`Rejection::Stale`] means: authentic, but late or early.
pub(crate) fn verify_standard_webhooks<'a>(
    inbound: Inbound<'a>,
    secrets: &[SecretString],
) -> Result<Verified<'a>, Rejection> {
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
pub(crate) fn sign_standard_webhooks(
    body: &[u8],
    at: Timestamp,
    secrets: &[SecretString],
) -> Result<Signed, Unsignable> {
    let key = first_key(Scheme::StandardWebhooks, secrets)?;
    let timestamp = at.as_second().to_string();
    let digest = Sha256::new().chain_update(&timestamp).chain_update(".").chain_update(body).finalize();
    let id = format!("msg_{}", HEXLOWER.encode(&digest[..16]));
    let proof = hmac_sha256(&key, &[id.as_bytes(), b".", timestamp.as_bytes(), b".", body]);
    Ok(Signed {
        query: None,
        headers: vec![
            ("content-type".into(), "application/json".into()),
            ("webhook-id".into(), id),
            ("webhook-timestamp".into(), timestamp),
            ("webhook-signature".into(), format!("v1,{}", BASE64.encode(&proof))),
        ],
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_spelt_with_and_without_its_port() {
        let spell = |url| url_spellings(url, "").unwrap();
        assert_eq!(spell("https://h.in/x"), ["https://h.in:443/x", "https://h.in/x"]);
        assert_eq!(spell("http://h.in/x"), ["http://h.in:80/x", "http://h.in/x"]);
        assert_eq!(spell("https://h.in:8443/x"), ["https://h.in:8443/x", "https://h.in/x"]);
        assert_eq!(
            spell("https://[2001:db8::1]/x"),
            ["https://[2001:db8::1]:443/x", "https://[2001:db8::1]/x"]
        );
        assert_eq!(spell("https://[::1]:444/x"), ["https://[::1]:444/x", "https://[::1]/x"]);
        assert_eq!(spell("https://u:p@h.in/x"), ["https://u:p@h.in:443/x", "https://u:p@h.in/x"]);
        assert_eq!(spell("https://h.in:/x#rc=2"), ["https://h.in:443/x", "https://h.in/x"]);
        assert_eq!(url_spellings("h.in/x", ""), None);
    }

    #[test]
    fn a_query_is_kept_as_sent_and_that_of_the_configuration_is_not() {
        let [_, url] = url_spellings("https://h.in/x?old=1#rc=2", "b=%20&a=+").unwrap();
        assert_eq!(url, "https://h.in/x?b=%20&a=+");
    }

    #[test]
    fn a_form_is_decoded_and_its_empty_values_stay() {
        let read = |body: &'static str| -> Vec<(String, String)> {
            let text = |bytes: Cow<'_, [u8]>| String::from_utf8(bytes.into_owned()).unwrap();
            form_parameters(body.as_bytes()).map(|(name, value)| (text(name), text(value))).collect()
        };
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            read("a=1+2%2B&&b=&c&d=x=y"),
            [pair("a", "1 2+"), pair("b", ""), pair("c", ""), pair("d", "x=y")]
        );
        assert_eq!(read("%zz=%4&e=%"), [pair("%zz", "%4"), pair("e", "%")]);
        assert_eq!(read(""), []);
    }

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
