//! 360dialog: Meta's format passed on, and the flat one of the older API.
//!
//! In: `X-360dialog-Signature` over the body, or a required header where a channel has no secret; a JSON
//! body. Out: items, as `meta/body.rs` reads them. Three shapes, told apart by their keys: Meta's envelope
//! (`entry`), the flat lists of the older API (`messages`, `statuses`), and the partner's webhook (`event`
//! with `data`), by which an import of older messages comes.
//!
//! <https://docs.360dialog.com/docs/waba-messaging/webhook>,
//! <https://docs.360dialog.com/docs/waba-management/embedded-signup/whatsapp-coexistence/coexistence-webhooks>.
//!
//! Doubts, and how they are met: how the signature is written is not documented (bare hex and `sha256=`
//! both count), nor whether an account without a partner gets one (then a header is required). The flat
//! shape names no business number (the channel's counts), its ids are no wamids (they join no other
//! channel), its voice notes are a type of their own.

use crate::json::{body_text, read};
use crate::meta::body::{self, Source};
use crate::provider::{About, Account, Item, Malformed, Passed, Passes, Provider, Verified};
use crate::signature::Scheme;
use serde::Deserialize;
use serde_json::value::RawValue;

static ABOUT: About = About {
    slug: "dialog360",
    name: "360dialog",
    scheme: Scheme::Dialog360HmacSha256,
    proof_headers: &["x-360dialog-signature"],
    documentation: "https://docs.360dialog.com/docs/waba-messaging/webhook",
    passes: Passes {
        phone: Passed::If("absent for people with a username"),
        bsuid: Passed::If("not in the older flat format"),
        name: Passed::Yes,
        wamid: Passed::If("not in the older flat format"),
        ad: Passed::Yes,
        click_id: Passed::If("not from ads placed in Status"),
        echoes: Passed::If("field `smb_message_echoes`"),
        statuses: Passed::Yes,
        opt_outs: Passed::If("field `user_preferences`"),
        time: Passed::Yes,
        business_number: Passed::If("not in the older flat format"),
    },
    retries: true,
};

/// 360dialog, by the Cloud API and by the older API.
#[derive(Debug)]
pub struct Dialog360;

/// What tells the shapes apart.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Shape<'a> {
    #[serde(borrow)]
    entry: Option<&'a RawValue>,
    #[serde(borrow)]
    contacts: Option<&'a RawValue>,
    #[serde(borrow)]
    messages: Option<&'a RawValue>,
    #[serde(borrow)]
    statuses: Option<&'a RawValue>,
    #[serde(borrow)]
    errors: Option<&'a RawValue>,
    #[serde(borrow)]
    event: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

impl Provider for Dialog360 {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn normalise(&self, request: &Verified<'_>, account: &Account) -> Result<Vec<Item>, Malformed> {
        let text = body_text(request.body())?;
        let shape: Shape<'_> = read(&text)?;
        let number = Source::only_number(account);
        let source = Source { space: "d360", ..Source::meta(account) };
        if shape.entry.is_some() {
            return body::items(&text, source);
        }
        if [shape.messages, shape.statuses, shape.contacts, shape.errors].iter().any(Option::is_some) {
            return Ok(body::value_items(Source { number, ..source }, "messages", &text, ""));
        }
        match (shape.event.and_then(|raw| serde_json::from_str(raw.get()).ok()), shape.data) {
            (Some(event), Some(data)) => {
                let event: String = event;
                Ok(body::value_items(source, &event, data.get(), "data."))
            }
            _ => body::items(&text, source),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::{Inbound, Proof, Secrets, Skip};
    use jiff::Timestamp;
    use std::collections::BTreeMap;
    use wabridge_model::event::{Event, Fact};
    use wabridge_model::{Country, Phone};

    fn normalise(body: &str) -> Result<Vec<Item>, Malformed> {
        let account = Account {
            channel: "d360".to_owned(),
            portfolio: "default".to_owned(),
            business_numbers: BTreeMap::new(),
            business_number: Phone::from_whatsapp_id("442079460001").ok(),
            sample_ids: Vec::new(),
            default_country: Country::INDIA,
            public_url: None,
            secrets: Secrets::default(),
        };
        let inbound = Inbound {
            query: "",
            headers: &[],
            body: body.as_bytes(),
            received_at: Timestamp::UNIX_EPOCH,
            path_token: None,
        };
        Dialog360.normalise(&Verified::recall(inbound, Proof::Signed), &account)
    }

    fn only(body: &str) -> Event {
        match normalise(body).unwrap().pop() {
            Some(Item::Event(event)) => *event,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_older_id_is_keyed_apart_from_wamids_and_a_wamid_in_the_older_shape_is_one() {
        let message = |id: &str| {
            format!(
                r#"{{"messages":[{{"from":"447700900101","id":"{id}","timestamp":"1795336200","type":"voice"}}]}}"#
            )
        };
        let old = only(&message("ABGGFixture"));
        assert_eq!(old.key.as_str(), "d360:+442079460001:ABGGFixture");
        assert!(matches!(old.fact, Fact::Message(message) if message.kind.as_str() == "audio"));
        assert_eq!(only(&message("wamid.F1")).key.as_str(), "wa:+442079460001:wamid.F1");
    }

    #[test]
    fn the_shape_is_told_by_the_keys() {
        let import = r#"{"id":"e1","event":"history","data":{"id":"1","history":[{"threads":[{"id":"447700900101",
            "messages":[{"from":"447700900101","id":"wamid.F1","timestamp":"1795336200","type":"text"}]}]}]}}"#;
        assert!(matches!(only(import).fact, Fact::Message(message) if message.history));
        let channel = only(r#"{"id":"e1","event":"channel_live","data":{"status":"live"}}"#);
        assert!(matches!(channel.fact, Fact::Account(notice) if notice.field == "channel_live"));
        assert!(matches!(normalise(r#"{"contacts":[]}"#).unwrap()[..], [Item::Skipped(Skip::NoContent)]));
        for (body, fault) in [
            ("{}", ("missing_field", "entry")),
            (r#"{"event":7,"data":{}}"#, ("missing_field", "entry")),
            ("[]", ("unexpected_shape", "$")),
            ("", ("not_json", "$")),
        ] {
            let found = normalise(body).unwrap_err();
            assert_eq!((found.reason, found.path.as_str()), fault, "{body}");
        }
    }

    #[test]
    fn a_fault_in_the_flat_shape_is_named_from_its_top() {
        let items = normalise(r#"{"statuses":7,"messages":[{"id":"ABGG1","timestamp":"soon"}]}"#).unwrap();
        let faults: Vec<String> = items
            .iter()
            .map(|item| match item {
                Item::Quarantined(fault) => format!("{} {}", fault.reason, fault.path),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(faults, ["invalid_field messages[0].timestamp", "invalid_field statuses"]);
    }
}
