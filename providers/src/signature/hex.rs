//! The providers that sign the body with HMAC-SHA256 and write the proof in hex. They differ in the header,
//! in the words before the digits, and in what counts as the body.

use super::{Scheme, first_key, first_match, hmac_sha256, keys, mismatch, proof_header};
use crate::provider::{Inbound, Proof, Rejection, Signed, Unsignable, Verified};
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use secrecy::SecretString;
use std::borrow::Cow;

/// One provider's way of writing the proof.
pub(super) struct HexHmac {
    scheme: Scheme,
    header: &'static str,
    prefix: Prefix,
    /// Whether some senders sign the compact form of the JSON they send spaced.
    compacts: bool,
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
    prefix: Prefix::Required,
    compacts: false,
};

/// Bare digits in most accounts; documented encodings differ, so the prefix is taken too.
pub(super) const DIALOG360: HexHmac = HexHmac {
    scheme: Scheme::Dialog360HmacSha256,
    header: "X-360dialog-Signature",
    prefix: Prefix::Tolerated,
    compacts: false,
};

/// The vendor's text says raw body, its own sample signs `JSON.stringify(body)`: both count.
pub(super) const AISENSY: HexHmac = HexHmac {
    scheme: Scheme::AiSensyHmacSha256,
    header: "X-AiSensy-Signature",
    prefix: Prefix::Tolerated,
    compacts: true,
};

/// Some accounts are reported to send bare digits; the key decides, not the prefix.
pub(super) const INTERAKT: HexHmac = HexHmac {
    scheme: Scheme::InteraktHmacSha256,
    header: "Interakt-Signature",
    prefix: Prefix::Tolerated,
    compacts: false,
};

impl HexHmac {
    /// Checks the header over the body as sent.
    pub(super) fn verify<'a>(
        &self,
        inbound: Inbound<'a>,
        secrets: &[SecretString],
    ) -> Result<Verified<'a>, Rejection> {
        let header = proof_header(&inbound, &self.header.to_ascii_lowercase())?;
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

    /// The body as sent and, where that may differ, as compact JSON.
    fn signed_forms<'a>(&self, body: &'a [u8]) -> Vec<Cow<'a, [u8]>> {
        let mut forms = vec![Cow::Borrowed(body)];
        forms.extend(self.compacts.then(|| compact(body)).filter(|form| form != body).map(Cow::Owned));
        forms
    }
}

/// JSON without the white space between its tokens. Escapes and numbers stay as they were written.
fn compact(json: &[u8]) -> Vec<u8> {
    let (mut in_string, mut escaped) = (false, false);
    let significant = |byte: &u8| {
        let keep = in_string || !matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
        match byte {
            b'"' if !escaped => in_string = !in_string,
            _ => {}
        }
        escaped = in_string && *byte == b'\\' && !escaped;
        keep
    };
    json.iter()
        .copied()
        .filter({
            let mut significant = significant;
            move |byte| significant(byte)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compact_json_loses_no_blank_of_a_text() {
        let spaced = br#" { "a b" : [ 1.0 , "x \\\" y\\\\" ] ,
            "c" : "\u00e9 " } "#;
        let compacted = br#"{"a b":[1.0,"x \\\" y\\\\"],"c":"\u00e9 "}"#;
        assert_eq!(compact(spaced), compacted);
        assert_eq!(compact(compacted), compacted);
    }
}
