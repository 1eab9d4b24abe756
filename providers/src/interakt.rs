//! Interakt's webhooks: one event a request.
//!
//! In: a JSON body with `Interakt-Signature: sha256=` over it. Out: one [`Item`]; a body in Meta's own shape
//! (`entry`), as its tech partners get it, is read as Meta's. Repetition of what failed is not documented.
//!
//! <https://www.interakt.shop/resource-center/how-to-set-up-webhooks-on-interakt/>
//!
//! Doubts, and how they are met:
//! * The id of a message is Interakt's own and no wamid: it joins nothing that another channel reports.
//! * The business number is not named: it is the channel's only one.
//! * `data.message.message` is a text, JSON within a text, or an object: a person's line is found in each.
//! * Times name no zone. They are UTC, by the names of their fields; some have a space for the `T`.
//! * A tap on a quick reply is told as `message_api_clicked` and comes as a message, too: only the message
//!   opens a window. A click on a link never does.
//! * An ad is documented nowhere and was seen once as `data.message.referral`: read if it is there.
//! * Whether a flow's answer has the id of its own or of the message that asked is not known. With the type
//!   of the business's message, its time is that of the notification.

use crate::json::{Text, body_text, loose, missing, read};
use crate::meta;
use crate::parts::{self, Written, business_key, invalid, message_kind, object, readable};
use crate::provider::{About, Account, Item, Malformed, Passed, Passes, Provider, Skip, Verified};
use crate::signature::Scheme;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use wabridge_model::event::{
    Business, Event, Fact, Message, MessageKind, Person, ReferralReport, Status, StatusState,
};
use wabridge_model::id::{Email, EventKey};

/// Interakt.
#[derive(Debug)]
pub struct Interakt;

static ABOUT: About = About {
    slug: "interakt",
    name: "Interakt",
    scheme: Scheme::InteraktHmacSha256,
    proof_headers: &["interakt-signature", "x-interakt-signature", "x-hub-signature-256"],
    documentation: "https://www.interakt.shop/resource-center/how-to-set-up-webhooks-on-interakt/",
    passes: Passes {
        phone: Passed::Yes,
        bsuid: Passed::No,
        name: Passed::Yes,
        wamid: Passed::If("in Meta's own shape; not documented"),
        ad: Passed::If("where `referral` is there; not documented"),
        click_id: Passed::If("where `referral` is there; not documented"),
        echoes: Passed::No,
        statuses: Passed::Yes,
        opt_outs: Passed::No,
        time: Passed::Yes,
        business_number: Passed::If("in Meta's own shape; not documented"),
    },
    retries: false,
};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Envelope<'a> {
    #[serde(borrow)]
    timestamp: Text<'a>,
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    /// Meta's own shape.
    #[serde(borrow)]
    entry: Option<&'a RawValue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Data<'a> {
    #[serde(borrow)]
    customer: Option<&'a RawValue>,
    #[serde(borrow)]
    message: Option<&'a RawValue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Customer<'a> {
    /// In full, without a plus.
    #[serde(borrow, deserialize_with = "loose")]
    channel_phone_number: Text<'a>,
    /// Without its country code.
    #[serde(borrow, deserialize_with = "loose")]
    phone_number: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    country_code: Text<'a>,
    /// Any keys, of any types.
    #[serde(borrow)]
    traits: Option<&'a RawValue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Traits<'a> {
    #[serde(borrow, deserialize_with = "loose")]
    name: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    email: Text<'a>,
}

/// `data.message`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WireMessage<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    /// `CustomerMessage` or the business's.
    #[serde(borrow)]
    chat_message_type: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    message_content_type: Text<'a>,
    /// A text, JSON within a text, or an object.
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    #[serde(borrow)]
    received_at_utc: Text<'a>,
    #[serde(borrow)]
    delivered_at_utc: Text<'a>,
    #[serde(borrow)]
    seen_at_utc: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    channel_error_code: Text<'a>,
    #[serde(borrow)]
    referral: Option<&'a RawValue>,
    #[serde(borrow)]
    meta_data: Option<&'a RawValue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct MetaData<'a> {
    #[serde(borrow)]
    referral: Option<&'a RawValue>,
}

/// A notification and its surroundings.
struct Notification<'a> {
    envelope: Envelope<'a>,
    data: Data<'a>,
    business: Business,
    account: &'a Account,
}

impl Provider for Interakt {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn normalise(&self, request: &Verified<'_>, account: &Account) -> Result<Vec<Item>, Malformed> {
        let text = body_text(request.body())?;
        match read::<Envelope<'_>>(&text) {
            Ok(envelope) if envelope.entry.is_some() => meta::items(request.body(), account),
            envelope => parts::one(envelope.and_then(|envelope| item(envelope, &text, account))),
        }
    }
}

fn item(envelope: Envelope<'_>, json: &str, account: &Account) -> Result<Item, Malformed> {
    let kind = envelope.kind.required("type")?.to_ascii_lowercase();
    let data: Data<'_> = object(envelope.data, "data")?;
    let business = parts::business(account, None, None);
    let notification = Notification { envelope, data, business, account };
    let of_ours = ["message_api_", "message_campaign_"].iter().find_map(|prefix| kind.strip_prefix(prefix));
    match (kind.as_str(), of_ours) {
        ("message_received" | "message_api_flow_response", _) => notification.message(&kind),
        (_, Some("clicked")) | ("workflow_response_update", _) => notification.about_customer(&kind),
        (_, Some(state)) => notification.status(state),
        // A message under a name that nobody knows yet must not pass for a notice.
        _ if notification.data.message.is_some() => Err(invalid("type")),
        _ => {
            let at = notification.envelope.timestamp.moment("timestamp")?;
            Ok(parts::event(parts::notice(account, notification.business, &kind, at, json)))
        }
    }
}

impl Notification<'_> {
    fn message(self, kind: &str) -> Result<Item, Malformed> {
        let message: WireMessage<'_> = object(self.data.message, "data.message")?;
        let is_flow = kind == "message_api_flow_response";
        let by_customer =
            message.chat_message_type.get().is_none_or(|by| by.eq_ignore_ascii_case("CustomerMessage"));
        // A flow's answer is the customer's. Told with the message that asked, it has not that one's time.
        let at = match (by_customer, is_flow) {
            (true, _) => self.time(&message.received_at_utc, "data.message.received_at_utc")?,
            (false, true) => self.time(&Text::default(), "timestamp")?,
            (false, false) => return Err(invalid("data.message.chat_message_type")),
        };
        let id = message.id.required("data.message.id")?;
        let content = message.content();
        let kind = if is_flow { MessageKind::Interactive } else { message.kind(&content) };
        Ok(parts::event(Event {
            key: EventKey::new("interakt", &[business_key(&self.business, self.account), id]),
            occurred_at: Some(at),
            person: self.customer()?,
            fact: Fact::Message(Message {
                text: readable(&content),
                referral: message.referral(),
                ..Message::new(id, kind)
            }),
            business: self.business,
        }))
    }

    fn status(self, state: &str) -> Result<Item, Malformed> {
        let message: WireMessage<'_> = object(self.data.message, "data.message")?;
        let id = message.id.required("data.message.id")?;
        let (reached_at, field) = match state {
            "delivered" => (&message.delivered_at_utc, "data.message.delivered_at_utc"),
            "read" => (&message.seen_at_utc, "data.message.seen_at_utc"),
            "sent" => (&message.received_at_utc, "data.message.received_at_utc"),
            _ => (&Text::default(), "timestamp"),
        };
        Ok(parts::event(Event {
            key: EventKey::new("interakts", &[business_key(&self.business, self.account), id, state]),
            occurred_at: Some(self.time(reached_at, field)?),
            person: self.customer()?,
            fact: Fact::Status(Status {
                message_id: id.to_owned(),
                state: StatusState::from(state),
                codes: message
                    .channel_error_code
                    .get()
                    .and_then(|code| code.parse().ok())
                    .into_iter()
                    .collect(),
                free_entry_until: None,
            }),
            business: self.business,
        }))
    }

    /// What the customer did, told a second time.
    fn about_customer(self, kind: &str) -> Result<Item, Malformed> {
        let Ok(person) = self.customer() else { return Ok(Item::Skipped(Skip::NoContent)) };
        let message: WireMessage<'_> = object(self.data.message, "data.message").unwrap_or_default();
        let at = self.time(&Text::default(), "timestamp")?;
        let id = message.id.get().unwrap_or_default();
        let business = business_key(&self.business, self.account);
        Ok(parts::event(Event {
            key: EventKey::new("interaktn", &[business, kind, id, &at.to_string()]),
            occurred_at: Some(at),
            person,
            fact: Fact::System { kind: kind.to_owned() },
            business: self.business,
        }))
    }

    /// The message's own time, else that of the notification.
    fn time(&self, own: &Text<'_>, field: &'static str) -> Result<Timestamp, Malformed> {
        let at = match own.moment(field)? {
            Some(at) => Some(at),
            None => self.envelope.timestamp.moment("timestamp")?,
        };
        at.ok_or_else(|| missing(field))
    }

    fn customer(&self) -> Result<Person, Malformed> {
        let customer: Customer<'_> = object(self.data.customer, "data.customer")?;
        let home = self.account.default_country;
        let full = Written { number: customer.channel_phone_number.get(), ..Written::default() }.person(home);
        let person = if full.is_identified() {
            full
        } else {
            let (number, country_code) = (customer.phone_number.get(), customer.country_code.get());
            Written { number, country_code, wamid: None }.person(home)
        };
        if !person.is_identified() {
            let is_there = customer.channel_phone_number.get().is_some();
            let field = "data.customer.channel_phone_number";
            return Err(if is_there { invalid(field) } else { missing(field) });
        }
        let traits: Traits<'_> = customer.traits.and_then(|raw| read(raw.get()).ok()).unwrap_or_default();
        Ok(Person { name: traits.name.owned(), email: traits.email.get().and_then(Email::parse), ..person })
    }
}

impl WireMessage<'_> {
    /// What was sent, taken out of its text where that is JSON of an answer.
    fn content(&self) -> Value {
        let content = parts::value(self.message);
        let within = content.as_str().filter(|text| text.trim_start().starts_with('{'));
        let within = within.and_then(|text| serde_json::from_str::<Value>(text).ok());
        // Without a type it is a customer's own text, however odd.
        within.filter(|inner| inner.get("type").is_some_and(Value::is_string)).unwrap_or(content)
    }

    fn kind(&self, content: &Value) -> MessageKind {
        match content.get("type").and_then(Value::as_str) {
            Some("button_reply" | "list_reply" | "nfm_reply") => MessageKind::Interactive,
            _ => self.message_content_type.get().map_or(MessageKind::Unsupported, message_kind),
        }
    }

    fn referral(&self) -> ReferralReport {
        let meta_data: MetaData<'_> = self.meta_data.and_then(|raw| read(raw.get()).ok()).unwrap_or_default();
        let says = |raw: &&RawValue| !matches!(raw.get(), "{}" | "[]" | "\"\"");
        match self.referral.or(meta_data.referral).filter(says) {
            None => ReferralReport::Unreported,
            raw => meta::referral(raw),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parts::testing::{account, event_of};

    const TEXT: &str = include_str!("../../fixtures/providers/interakt/text/body.json");
    const READ: &str = include_str!("../../fixtures/providers/interakt/api-read/body.json");

    fn of(body: &str) -> Event {
        event_of(&Interakt, body, &account(&["configured"]))
    }

    #[test]
    fn a_message_and_the_states_of_one_with_its_id_are_different_events() {
        let delivered = READ.replace("message_api_read", "message_api_delivered");
        let same_id = TEXT.replace("0000000001\"", "0000000020\"");
        let keys = [of(READ).key, of(&delivered).key, of(&same_id).key];
        assert!(keys.iter().all(|key| key.as_str().contains("b0000000-0000-4000-8000-000000000020")));
        assert!(keys[0] != keys[1] && keys[0] != keys[2] && keys[1] != keys[2]);
        assert_eq!(of(READ).key, of(&READ.replace("message_api_", "message_campaign_")).key);
    }

    #[test]
    fn a_click_opens_no_window_and_a_later_state_is_kept_as_sent() {
        let clicked = of(&READ.replace("message_api_read", "message_campaign_clicked"));
        assert_eq!(clicked.fact, Fact::System { kind: "message_campaign_clicked".to_owned() });
        let later = of(&READ.replace("message_api_read", "message_api_enqueued"));
        assert!(matches!(later.fact, Fact::Status(status) if status.state.as_str() == "enqueued"));
    }

    #[test]
    fn the_full_phone_wins_over_the_split_one() {
        let differing = TEXT.replace("\"7700900101\"", "\"7700900199\"");
        assert_ne!(TEXT, differing);
        assert_eq!(of(&differing).person, of(TEXT).person);
    }
}
