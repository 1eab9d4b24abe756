//! Meta's WhatsApp Cloud API, direct.
//!
//! In: `X-Hub-Signature-256` over the body; a JSON body of up to 1,000 updates. Out: events, one per item.
//! Read `body.rs` first (how a body is taken apart), then `message.rs`, `notice.rs`, `history.rs` and
//! `account.rs` (what an item means), `person.rs` (who it is about), `scene.rs` (what the items of a value
//! share), `wire.rs` (shapes).
//! <https://developers.facebook.com/docs/whatsapp/cloud-api/guides/set-up-webhooks>

mod account;
pub(crate) mod body;
mod history;
pub(crate) mod message;
mod notice;
pub(crate) mod person;
mod scene;
mod wire;

pub(crate) use message::referral;
pub(crate) use person::take_phone;

use self::body::Source;
use crate::json::body_text;
use crate::provider::{About, Account, Item, Malformed, Passed, Passes, Provider, Rejection, Verified};
use crate::signature::Scheme;
use secrecy::ExposeSecret;
use std::borrow::Cow;
use subtle::ConstantTimeEq;

static ABOUT: About = About {
    slug: "meta",
    name: "Meta Cloud API",
    scheme: Scheme::MetaHmacSha256,
    proof_headers: &["x-hub-signature-256"],
    documentation: "https://developers.facebook.com/docs/whatsapp/cloud-api/guides/set-up-webhooks",
    passes: Passes {
        phone: Passed::If("absent for people with a username"),
        bsuid: Passed::Yes,
        name: Passed::Yes,
        wamid: Passed::Yes,
        ad: Passed::Yes,
        click_id: Passed::If("not from ads placed in Status"),
        echoes: Passed::If("field `smb_message_echoes`"),
        statuses: Passed::Yes,
        opt_outs: Passed::If("field `user_preferences`"),
        time: Passed::Yes,
        business_number: Passed::Yes,
    },
    retries: true,
};

/// Meta's WhatsApp Cloud API, direct.
#[derive(Debug)]
pub struct Meta;

impl Provider for Meta {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    /// Answers `hub.challenge`, an opaque text, to who knows the verify token.
    fn greet(&self, query: &str, account: &Account) -> Result<String, Rejection> {
        let expected = account.secrets.verify_token.as_ref().ok_or(Rejection::VerifyToken)?.expose_secret();
        let given = parameter(query, "hub.verify_token").ok_or(Rejection::VerifyToken)?;
        let knows_token = !expected.is_empty() && bool::from(given.as_slice().ct_eq(expected.as_bytes()));
        let subscribes = parameter(query, "hub.mode").as_deref() == Some(b"subscribe".as_slice());
        if !knows_token || !subscribes {
            return Err(Rejection::VerifyToken);
        }
        let challenge = parameter(query, "hub.challenge").ok_or(Rejection::VerifyToken)?;
        String::from_utf8(challenge).map_err(|_| Rejection::VerifyToken)
    }

    fn normalise(&self, request: &Verified<'_>, account: &Account) -> Result<Vec<Item>, Malformed> {
        items(request.body(), account)
    }
}

/// What a body in Meta's own shape says; others pass such bodies on.
pub(crate) fn items(body: &[u8], account: &Account) -> Result<Vec<Item>, Malformed> {
    body::items(&body_text(body)?, Source::meta(account))
}

/// The first parameter of this name, decoded.
fn parameter(query: &str, name: &str) -> Option<Vec<u8>> {
    query.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(key) == name.as_bytes()).then(|| decoded(value))
    })
}

/// Decodes `%XX` and `+`. A percent sign without two hex digits stands for itself.
fn decoded(text: &str) -> Vec<u8> {
    let spaced: Cow<'_, [u8]> =
        if text.contains('+') { text.replace('+', " ").into_bytes().into() } else { text.as_bytes().into() };
    let hex = |at: usize| spaced.get(at).and_then(|byte| (*byte as char).to_digit(16));
    let mut bytes = Vec::with_capacity(spaced.len());
    let mut at = 0;
    while let Some(&byte) = spaced.get(at) {
        match (byte, hex(at + 1), hex(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                at += 3;
            }
            _ => {
                bytes.push(byte);
                at += 1;
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::Secrets;
    use secrecy::SecretString;
    use std::collections::BTreeMap;
    use wabridge_model::Country;

    fn account(verify_token: Option<&str>) -> Account {
        Account {
            channel: "main".to_owned(),
            portfolio: "default".to_owned(),
            business_numbers: BTreeMap::new(),
            business_number: None,
            sample_ids: Vec::new(),
            default_country: Country::INDIA,
            public_url: None,
            secrets: Secrets { verify_token: verify_token.map(SecretString::from), ..Secrets::default() },
        }
    }

    #[test]
    fn the_challenge_is_answered_as_an_opaque_decoded_text() {
        let account = account(Some("fixture token/1"));
        let greet = |query: &str| Meta.greet(query, &account);
        let token = "hub.mode=subscribe&hub.verify_token=fixture+token%2F1";
        assert_eq!(greet(&format!("{token}&hub.challenge=1158201444")).unwrap(), "1158201444");
        assert_eq!(greet(&format!("hub.challenge=a%20b%C3%A9%zz&{token}")).unwrap(), "a bé%zz");
        assert_eq!(greet(&format!("{token}&hub.challenge=").replace("hub.", "hub%2E")).unwrap(), "");
    }

    #[test]
    fn a_wrong_mode_token_or_challenge_is_refused() {
        let token = account(Some("right"));
        for query in [
            "",
            "hub.mode=subscribe&hub.challenge=1",
            "hub.mode=subscribe&hub.verify_token=wrong&hub.challenge=1",
            "hub.mode=subscribe&hub.verify_token=&hub.challenge=1",
            "hub.mode=unsubscribe&hub.verify_token=right&hub.challenge=1",
            "hub.verify_token=right&hub.challenge=1",
            "hub.mode=subscribe&hub.verify_token=right",
            "hub.mode=subscribe&hub.verify_token=right&hub.challenge=%ff",
            "hub.mode=subscribe&hub.verify_token=wrong&hub.verify_token=right&hub.challenge=1",
        ] {
            assert_eq!(Meta.greet(query, &token), Err(Rejection::VerifyToken), "{query}");
        }
        let query = "hub.mode=subscribe&hub.verify_token=&hub.challenge=1";
        assert_eq!(Meta.greet(query, &account(Some(""))), Err(Rejection::VerifyToken));
        assert_eq!(Meta.greet(query, &account(None)), Err(Rejection::VerifyToken));
    }
}
