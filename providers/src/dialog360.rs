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
        let source = Source { account, space: "d360", app: None };
        if shape.entry.is_some() {
            return body::items(&text, source);
        }
        if [shape.messages, shape.statuses, shape.contacts, shape.errors].iter().any(Option::is_some) {
            return Ok(body::value_items(source, "messages", &text, ""));
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
