//! What Gupshup sends in its own format, as far as we read it. Everything is optional, unknown fields are
//! ignored, texts are borrowed from the body.
//!
//! <https://docs.gupshup.io/docs/inbound-messages>, <https://partner-docs.gupshup.io/docs/bsuid>

use crate::json::{List, Text, loose};
use serde::Deserialize;
use serde_json::value::RawValue;

/// What tells the versions apart.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Shape<'a> {
    #[serde(borrow)]
    pub(super) entry: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) object: Option<&'a RawValue>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) gs_app_id: Text<'a>,
}

/// A body of version 2.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Envelope<'a> {
    #[serde(borrow)]
    pub(super) app: Text<'a>,
    #[serde(borrow)]
    pub(super) timestamp: Text<'a>,
    #[serde(borrow, rename = "type")]
    pub(super) kind: Text<'a>,
    #[serde(borrow)]
    pub(super) payload: Option<&'a RawValue>,
}

/// `payload` of a `message`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Inbound<'a> {
    #[serde(borrow)]
    pub(super) id: Text<'a>,
    #[serde(borrow, rename = "type")]
    pub(super) kind: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) source: Text<'a>,
    #[serde(borrow)]
    pub(super) sender: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) payload: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) context: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) referral: Option<&'a RawValue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Sender<'a> {
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) phone: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) name: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) username: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) user_id: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) parent_user_id: Text<'a>,
}

/// What was sent, of any type: a strange word must not lose the message.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Content<'a> {
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) text: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) caption: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) name: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) title: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) reply: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) id: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) emoji: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) address: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) latitude: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) longitude: Text<'a>,
    #[serde(borrow)]
    pub(super) contacts: List<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Card<'a> {
    #[serde(borrow)]
    pub(super) name: CardName<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct CardName<'a> {
    #[serde(borrow, deserialize_with = "loose", alias = "formattedName")]
    pub(super) formatted_name: Text<'a>,
    #[serde(borrow, deserialize_with = "loose", alias = "firstName")]
    pub(super) first_name: Text<'a>,
}

/// A place where a referral may stand.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct MayRefer<'a> {
    #[serde(borrow)]
    pub(super) referral: Option<&'a RawValue>,
}

/// `payload` of a `message-event`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct MessageEvent<'a> {
    /// WhatsApp's id, but on `enqueued` and `failed` Gupshup's.
    #[serde(borrow)]
    pub(super) id: Text<'a>,
    /// Gupshup's id; missing on events later than a week.
    #[serde(borrow)]
    pub(super) gs_id: Text<'a>,
    #[serde(borrow, rename = "type")]
    pub(super) kind: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) destination: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) user_id: Text<'a>,
    #[serde(borrow)]
    pub(super) payload: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) conversation: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) pricing: Option<&'a RawValue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Outcome<'a> {
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) ts: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) code: Text<'a>,
}

/// `conversation` and `pricing`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Terms<'a> {
    #[serde(borrow, rename = "type", deserialize_with = "loose")]
    pub(super) kind: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) category: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) expires_at: Text<'a>,
}

/// `payload` of a `user-event`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct UserEvent<'a> {
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) phone: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) user_id: Text<'a>,
    #[serde(borrow, rename = "type")]
    pub(super) kind: Text<'a>,
}

/// `payload` of events about the app.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Notice<'a> {
    #[serde(borrow, rename = "type", deserialize_with = "loose")]
    pub(super) kind: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) status: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) element_name: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) rejected_reason: Text<'a>,
}
