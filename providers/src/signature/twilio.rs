//! Twilio: base64 HMAC-SHA1 over the public URL and the form.
//! <https://www.twilio.com/docs/usage/security#validating-requests>

use super::{Scheme, first_key, first_match, hmac_sha1, keys, mismatch, proof_header};
use crate::provider::{Inbound, Proof, Rejection, Signed, Unsignable, Verified};
use data_encoding::{BASE64, HEXLOWER, HEXLOWER_PERMISSIVE};
use secrecy::SecretString;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::BTreeSet;
use subtle::ConstantTimeEq;

const TWILIO_HEADER: &str = "x-twilio-signature";
const FORM: &str = "application/x-www-form-urlencoded";

/// Twilio sends a few dozen. The bound keeps an unproven body from becoming millions of allocations.
const MAX_PARAMETERS: usize = 1_000;

/// Checks `X-Twilio-Signature` over the channel's public URL, never over one that a sender could choose
/// (`Host`, `X-Forwarded-*`), and the form's parameters, known and unknown alike.
///
/// A body that is no form is covered by the query's `bodySHA256`, which is then required. Twilio is not
/// consistent about ports: the URL with a port (its own, else the scheme's) and the one without fit both.
pub(super) fn verify<'a>(
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
    let urls = public_url
        .map(|url| with_token(url, inbound.path_token))
        .and_then(|url| url_spellings(&url, inbound.query))
        .ok_or(Rejection::Mismatch)?;
    let expected = keys(Scheme::TwilioHmacSha1, secrets).flat_map(|(index, key)| {
        urls.each_ref().map(|url| (index, hmac_sha1(&key, &[url.as_bytes(), &parameters])))
    });
    let index = first_match(expected, &[given]).ok_or_else(|| mismatch(inbound.body))?;
    Ok(Verified::new(inbound, Proof::Signed, index))
}

/// Signs as Twilio does: a form, unless the body begins with `{`.
pub(super) fn sign(
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
        ..Signed::default()
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

/// The URL that was posted to: a token in its path is signed with it.
fn with_token<'a>(url: &'a str, token: Option<&str>) -> Cow<'a, str> {
    token.map_or(Cow::Borrowed(url), |token| Cow::Owned(format!("{}/{token}", without_query(url))))
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
    fn a_token_is_part_of_the_path_that_is_signed() {
        assert_eq!(with_token("https://h.in/hooks/t#rc=2", Some("x")), "https://h.in/hooks/t/x");
        assert_eq!(with_token("https://h.in/hooks/t", None), "https://h.in/hooks/t");
    }
}
