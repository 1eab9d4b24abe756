//! What Meta sends, as far as we read it. Everything is optional, unknown fields are ignored, texts are
//! borrowed from the body.
//!
//! Field names and shapes: <https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks/components>.
//! Fields that name a person or an ad are `loose`: a strange one must not lose the message.

use crate::json::{List, Text, loose};
use serde::Deserialize;
use serde_json::value::RawValue;

/// The whole body, when it has the usual shape.
#[derive(Debug, Deserialize)]
pub(super) struct Envelope<'a> {
    #[serde(borrow)]
    pub(super) entry: Vec<Entry<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Entry<'a> {
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) id: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) time: Text<'a>,
    #[serde(borrow)]
    pub(super) changes: Vec<Change<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Change<'a> {
    #[serde(borrow)]
    pub(super) field: Text<'a>,
    #[serde(borrow)]
    pub(super) value: Option<&'a RawValue>,
}

/// The body, when something in it has not the usual shape: each level is taken apart by itself.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct LooseEnvelope<'a> {
    #[serde(borrow)]
    pub(super) entry: List<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct LooseEntry<'a> {
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) id: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) time: Text<'a>,
    #[serde(borrow)]
    pub(super) changes: List<'a>,
}

/// `changes[].value`, of every field we know.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Value<'a> {
    #[serde(borrow)]
    pub(super) metadata: Option<&'a RawValue>,
    /// Instead of `metadata` on fields about a phone number.
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) display_phone_number: Text<'a>,
    #[serde(borrow)]
    pub(super) contacts: List<'a>,
    #[serde(borrow)]
    pub(super) messages: List<'a>,
    #[serde(borrow)]
    pub(super) statuses: List<'a>,
    #[serde(borrow)]
    pub(super) message_echoes: List<'a>,
    #[serde(borrow)]
    pub(super) user_preferences: List<'a>,
    #[serde(borrow)]
    pub(super) calls: List<'a>,
    #[serde(borrow)]
    pub(super) user_id_update: List<'a>,
    #[serde(borrow)]
    pub(super) history: List<'a>,
    #[serde(borrow)]
    pub(super) state_sync: List<'a>,
    #[serde(borrow)]
    pub(super) errors: List<'a>,
    #[serde(borrow)]
    pub(super) user_actions: List<'a>,
    /// The lists again, one level deeper, on the field of that name.
    #[serde(borrow)]
    pub(super) standby: Option<&'a RawValue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Metadata<'a> {
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) phone_number_id: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) display_phone_number: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Contact<'a> {
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) wa_id: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) user_id: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) parent_user_id: Text<'a>,
    #[serde(borrow)]
    pub(super) profile: Option<Profile<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Profile<'a> {
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) name: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) username: Text<'a>,
}

/// `messages[]` and `message_echoes[]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Message<'a> {
    #[serde(borrow)]
    pub(super) id: Text<'a>,
    #[serde(borrow)]
    pub(super) timestamp: Text<'a>,
    #[serde(borrow, rename = "type")]
    pub(super) kind: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) from: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) from_user_id: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) from_parent_user_id: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) to: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) to_user_id: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) to_parent_user_id: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) group_id: Text<'a>,
    #[serde(borrow)]
    pub(super) referral: Option<&'a RawValue>,
    /// `contact_request` on the answer to a request for the phone number.
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) origin: Text<'a>,
    #[serde(borrow)]
    pub(super) text: Option<TextBody<'a>>,
    #[serde(borrow)]
    pub(super) image: Option<Media<'a>>,
    #[serde(borrow)]
    pub(super) video: Option<Media<'a>>,
    #[serde(borrow)]
    pub(super) audio: Option<Media<'a>>,
    #[serde(borrow)]
    pub(super) document: Option<Media<'a>>,
    #[serde(borrow)]
    pub(super) sticker: Option<Media<'a>>,
    #[serde(borrow)]
    pub(super) location: Option<Location<'a>>,
    #[serde(borrow)]
    pub(super) contacts: Option<Vec<Card<'a>>>,
    #[serde(borrow)]
    pub(super) button: Option<Button<'a>>,
    #[serde(borrow)]
    pub(super) interactive: Option<Interactive<'a>>,
    #[serde(borrow)]
    pub(super) order: Option<Order<'a>>,
    #[serde(borrow)]
    pub(super) reaction: Option<Reaction<'a>>,
    #[serde(borrow)]
    pub(super) system: Option<System<'a>>,
    #[serde(borrow)]
    pub(super) unsupported: Option<Unsupported<'a>>,
    #[serde(borrow)]
    pub(super) edit: Option<Edit<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct TextBody<'a> {
    #[serde(borrow)]
    pub(super) body: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Media<'a> {
    #[serde(borrow)]
    pub(super) caption: Text<'a>,
    #[serde(borrow)]
    pub(super) filename: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Location<'a> {
    #[serde(borrow)]
    pub(super) name: Text<'a>,
    #[serde(borrow)]
    pub(super) address: Text<'a>,
    #[serde(borrow)]
    pub(super) latitude: Text<'a>,
    #[serde(borrow)]
    pub(super) longitude: Text<'a>,
}

/// One contact card.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Card<'a> {
    #[serde(borrow)]
    pub(super) name: Option<CardName<'a>>,
    #[serde(borrow)]
    pub(super) phones: Option<Vec<CardPhone<'a>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct CardName<'a> {
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) formatted_name: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) first_name: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct CardPhone<'a> {
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) phone: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) wa_id: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Button<'a> {
    #[serde(borrow)]
    pub(super) text: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) payload: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Interactive<'a> {
    #[serde(borrow)]
    pub(super) button_reply: Option<Reply<'a>>,
    #[serde(borrow)]
    pub(super) list_reply: Option<Reply<'a>>,
    #[serde(borrow)]
    pub(super) nfm_reply: Option<FlowReply<'a>>,
    #[serde(borrow)]
    pub(super) call_permission_reply: Option<CallPermission<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Reply<'a> {
    #[serde(borrow)]
    pub(super) title: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) id: Text<'a>,
}

/// A flow's answer. Its `response_json` is a text of any JSON, or none; it stays in the request.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct FlowReply<'a> {
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) body: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) name: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct CallPermission<'a> {
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) response: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Order<'a> {
    #[serde(borrow)]
    pub(super) text: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Reaction<'a> {
    #[serde(borrow)]
    pub(super) emoji: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct System<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Text<'a>,
    /// The new number; `new_wa_id` until 2021.
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) wa_id: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) new_wa_id: Text<'a>,
    /// The old number, in some versions beside `from`.
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) customer: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) user_id: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) parent_user_id: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) previous_user_id: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) previous_parent_user_id: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Unsupported<'a> {
    #[serde(borrow, rename = "type", deserialize_with = "loose")]
    pub(super) kind: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Edit<'a> {
    #[serde(borrow)]
    pub(super) message: Option<Box<Message<'a>>>,
}

/// The names in camel case are for vendors that write their own format so.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Referral<'a> {
    #[serde(borrow, deserialize_with = "loose", alias = "ctwaClid")]
    pub(super) ctwa_clid: Text<'a>,
    #[serde(borrow, deserialize_with = "loose", alias = "sourceId")]
    pub(super) source_id: Text<'a>,
    #[serde(borrow, deserialize_with = "loose", alias = "sourceType")]
    pub(super) source_type: Text<'a>,
    #[serde(borrow, deserialize_with = "loose", alias = "sourceUrl")]
    pub(super) source_url: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) headline: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) body: Text<'a>,
    #[serde(borrow, deserialize_with = "loose", alias = "mediaType")]
    pub(super) media_type: Text<'a>,
}

/// `statuses[]`, of messages and of calls.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Status<'a> {
    #[serde(borrow)]
    pub(super) id: Text<'a>,
    /// Gupshup's name for the wamid, where `id` is an id of its own.
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) meta_msg_id: Text<'a>,
    #[serde(borrow)]
    pub(super) status: Text<'a>,
    #[serde(borrow)]
    pub(super) timestamp: Text<'a>,
    /// `call` on a status of a call.
    #[serde(borrow, rename = "type", deserialize_with = "loose")]
    pub(super) kind: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) recipient_type: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) recipient_id: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) recipient_user_id: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) parent_recipient_user_id: Text<'a>,
    /// Meta's own example has this name for the field above.
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) parent_user_id: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) recipient_participant_id: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) recipient_participant_user_id: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) recipient_participant_parent_user_id: Text<'a>,
    #[serde(borrow)]
    pub(super) conversation: Option<Conversation<'a>>,
    #[serde(borrow)]
    pub(super) pricing: Option<Pricing<'a>>,
    #[serde(borrow)]
    pub(super) errors: Option<Vec<StatusError<'a>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Conversation<'a> {
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) expiration_timestamp: Text<'a>,
    #[serde(borrow)]
    pub(super) origin: Option<Origin<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Origin<'a> {
    #[serde(borrow, rename = "type", deserialize_with = "loose")]
    pub(super) kind: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Pricing<'a> {
    #[serde(borrow, rename = "type", deserialize_with = "loose")]
    pub(super) kind: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct StatusError<'a> {
    #[serde(borrow)]
    pub(super) code: Text<'a>,
}

/// `user_preferences[]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Preference<'a> {
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) wa_id: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) user_id: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) parent_user_id: Text<'a>,
    #[serde(borrow)]
    pub(super) category: Text<'a>,
    #[serde(borrow)]
    pub(super) value: Text<'a>,
    #[serde(borrow)]
    pub(super) timestamp: Text<'a>,
}

/// `calls[]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Call<'a> {
    #[serde(borrow)]
    pub(super) id: Text<'a>,
    #[serde(borrow)]
    pub(super) event: Text<'a>,
    #[serde(borrow)]
    pub(super) timestamp: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) status: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) direction: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) duration: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) from: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) from_user_id: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) from_parent_user_id: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) to: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) to_user_id: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    pub(super) to_parent_user_id: Text<'a>,
}
