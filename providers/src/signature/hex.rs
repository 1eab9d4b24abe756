//! The providers that sign the body with HMAC-SHA256 and write the proof in hex. They differ in the header,
//! in the words before the digits, and in what counts as the body.

use super::{Scheme, first_key, first_match, hmac_sha256, keys, mismatch, proof_header};
use crate::provider::{Inbound, Proof, Rejection, Signed, Unsignable, Verified};
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use secrecy::SecretString;
use std::borrow::Cow;
use std::iter;

/// One provider's way of writing the proof.
pub(super) struct HexHmac {
    scheme: Scheme,
    header: &'static str,
    /// Other names of the header, seen in accounts: tried where the first is absent.
    also: &'static [&'static str],
    prefix: Prefix,
    /// Whether some sign the JSON as `JSON.stringify` writes it, and send it otherwise.
    stringifies: bool,
}

/// `sha256=` before the digits.
enum Prefix {
    /// Always there.
    Required,
    /// Sent by some, and not by ourselves.
    Tolerated,
}

const PREFIX: &str = "sha256=";

pub(super) const META: HexHmac = HexHmac {
    scheme: Scheme::MetaHmacSha256,
    header: "X-Hub-Signature-256",
    also: &[],
    prefix: Prefix::Required,
    stringifies: false,
};

/// Bare digits in most accounts; documented encodings differ, so the prefix is taken too.
pub(super) const DIALOG360: HexHmac = HexHmac {
    scheme: Scheme::Dialog360HmacSha256,
    header: "X-360dialog-Signature",
    also: &[],
    prefix: Prefix::Tolerated,
    stringifies: false,
};

/// The vendor's text says raw body, its own sample signs `JSON.stringify(body)`: both count.
pub(super) const AISENSY: HexHmac = HexHmac {
    scheme: Scheme::AiSensyHmacSha256,
    header: "X-AiSensy-Signature",
    also: &[],
    prefix: Prefix::Tolerated,
    stringifies: true,
};

/// Some accounts are reported to send bare digits, or another header; the key decides, not the form.
pub(super) const INTERAKT: HexHmac = HexHmac {
    scheme: Scheme::InteraktHmacSha256,
    header: "Interakt-Signature",
    also: &["x-interakt-signature", "x-hub-signature-256"],
    prefix: Prefix::Tolerated,
    stringifies: false,
};

impl HexHmac {
    /// Checks the header over the body as sent.
    pub(super) fn verify<'a>(
        &self,
        inbound: Inbound<'a>,
        secrets: &[SecretString],
    ) -> Result<Verified<'a>, Rejection> {
        let name = self.header.to_ascii_lowercase();
        let mut names = iter::once(name.as_str()).chain(self.also.iter().copied());
        let present = names.find(|name| inbound.has_header(name));
        let header = proof_header(&inbound, present.unwrap_or(&name))?;
        let hex = match (header.strip_prefix(PREFIX), &self.prefix) {
            (Some(hex), _) => hex,
            (None, Prefix::Tolerated) => header,
            (None, Prefix::Required) => return Err(Rejection::MalformedProof),
        };
        // Upper-case digits are the same bytes.
        let given = HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).map_err(|_| Rejection::MalformedProof)?;
        let given: [u8; 32] = given.try_into().map_err(|_| Rejection::MalformedProof)?;
        let bodies = self.signed_forms(inbound.body);
        let expected = keys(self.scheme, secrets)
            .flat_map(|(index, key)| bodies.iter().map(move |body| (index, hmac_sha256(&key, &[body]))));
        let index = first_match(expected, &[given]).ok_or_else(|| mismatch(inbound.body))?;
        Ok(Verified::new(inbound, Proof::Signed, index))
    }

    /// Signs as the provider does.
    pub(super) fn sign(&self, body: &[u8], secrets: &[SecretString]) -> Result<Signed, Unsignable> {
        let key = first_key(self.scheme, secrets)?;
        let prefix = match self.scheme {
            Scheme::MetaHmacSha256 | Scheme::InteraktHmacSha256 => PREFIX,
            _ => "",
        };
        let proof = HEXLOWER.encode(&hmac_sha256(&key, &[body]));
        Ok(Signed {
            headers: vec![
                ("Content-Type".into(), "application/json".into()),
                (self.header.into(), format!("{prefix}{proof}")),
            ],
            ..Signed::default()
        })
    }

    /// The body as sent and, where that may differ, as `JSON.stringify` would have it.
    fn signed_forms<'a>(&self, body: &'a [u8]) -> Vec<Cow<'a, [u8]>> {
        let mut forms = vec![Cow::Borrowed(body)];
        forms.extend(self.stringifies.then(|| stringified(body)).filter(|form| form != body).map(Cow::Owned));
        forms
    }
}

/// JSON as `JSON.stringify` writes what it read: no white space between the tokens, texts without needless
/// escapes, numbers in their shortest form. Keys keep their order.
///
/// What that would lose is left as written: a number of more digits than it can hold, half an emoji.
fn stringified(json: &[u8]) -> Vec<u8> {
    let mut written = Vec::with_capacity(json.len());
    let mut rest = json;
    while let Some(&first) = rest.first() {
        let length = match first {
            b'"' => text_length(rest),
            b'-' | b'0'..=b'9' => rest.iter().position(|byte| !is_of_number(*byte)).unwrap_or(rest.len()),
            _ => 1,
        };
        let (token, behind) = rest.split_at(length);
        match first {
            b' ' | b'\t' | b'\r' | b'\n' => {}
            b'"' => written.extend_from_slice(&shortest_text(token)),
            b'-' | b'0'..=b'9' => written.extend_from_slice(&shortest_number(token)),
            _ => written.extend_from_slice(token),
        }
        rest = behind;
    }
    written
}

/// How long the text is that begins here, with its quotes.
fn text_length(json: &[u8]) -> usize {
    let mut escaped = false;
    let end = json.iter().skip(1).position(|byte| {
        let ends = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    });
    end.map_or(json.len(), |end| end + 2)
}

fn is_of_number(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')
}

fn shortest_text(token: &[u8]) -> Cow<'_, [u8]> {
    if !token.contains(&b'\\') {
        return token.into();
    }
    let read = serde_json::from_slice::<String>(token);
    read.and_then(|text| serde_json::to_vec(&text)).map_or(token.into(), Cow::Owned)
}

fn shortest_number(token: &[u8]) -> Cow<'_, [u8]> {
    // Sixteen characters hold at most 15 digits and a point, or 16 digits: all exact enough to come back.
    let read = Some(token).filter(|token| token.len() <= 16 && !token.iter().all(u8::is_ascii_digit));
    match read.and_then(|token| serde_json::from_slice::<f64>(token).ok()) {
        Some(0.0) => b"0".into(),
        // Beyond these, JavaScript writes an exponent, and we do not.
        Some(number) if (1e-6..1e21).contains(&number.abs()) => number.to_string().into_bytes().into(),
        _ => token.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(json: &str) -> String {
        String::from_utf8(stringified(json.as_bytes())).unwrap()
    }

    #[test]
    fn json_is_written_as_javascript_would() {
        // node -e 'console.log(JSON.stringify(JSON.parse(input)))'
        for (json, stringified) in [
            (
                r#" { "a b" : [ 1.0 , "x \\\" y\\\\" ] ,	"c" : "é " } "#,
                r#"{"a b":[1,"x \\\" y\\\\"],"c":"é "}"#,
            ),
            ("{\r\n  \"a\" : null\r\n}\n", r#"{"a":null}"#),
            (r#"["\u0928\ud83d\ude00","https:\/\/a.in","\u0041"]"#, r#"["न😀","https://a.in","A"]"#),
            (r#"["\u000a\u0009\u0008\u000c\u000d\u001F\u0022\u005c"]"#, r#"["\n\t\b\f\r\u001f\"\\"]"#),
            ("[\"\u{7f}\u{2028}\", \"\\u2029\\u007f\"]", "[\"\u{7f}\u{2028}\",\"\u{2029}\u{7f}\"]"),
            ("[1.50, 0.78, -0, -0.0, 1e3, 1E-3, 1.5e+2, 100]", "[1.5,0.78,0,0,1000,0.001,150,100]"),
            ("[77.5945627, -12.9715987, 1795336200123]", "[77.5945627,-12.9715987,1795336200123]"),
            (r#"{"b":1,"a":{"d":[],"c":{}}}"#, r#"{"b":1,"a":{"d":[],"c":{}}}"#),
        ] {
            assert_eq!(written(json), stringified, "{json}");
            assert_eq!(written(stringified), stringified);
        }
    }

    #[test]
    fn what_would_lose_something_and_what_is_no_json_stay_as_written() {
        for kept in [
            "[120200000000000001]",
            "[1.2345678901234567890]",
            "[1e999,1e21,1e-7]",
            r#"["\ud83d \u0041"]"#,
            r#"["no end"#,
            r#"["no end\"#,
            r#"["\x"]"#,
            "[01,1.,--1,1-1]",
            "\u{feff}{}",
            "",
        ] {
            assert_eq!(written(kept), kept);
        }
        assert_eq!(stringified(&[b'"', 0xff, b'"', b' ', 0xfe]), [b'"', 0xff, b'"', 0xfe]);
    }
}
