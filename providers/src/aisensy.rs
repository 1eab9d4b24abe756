//! AiSensy's project webhooks: one notification a request, by topic.
//!
//! In: a JSON body whose hex HMAC is over the body, or over the body as `JSON.stringify` would write it.
//! Out: one [`Item`]; a body in Meta's own shape (`entry`), as its partners' accounts pass it on, is read as
//! Meta's. What fails is sent once more after five minutes and then never again.
//!
//! <https://aisensy.stoplight.io/docs/project-api/56ea5a8f1cc9a-project-webhook>
//!
//! Doubts, and how they are met:
//! * `message.sender.user` and `message.created` both bring what a customer wrote: one key.
//! * `sender` is `USER` for customers; the words for agents, bots and broadcasts are not all known, so that
//!   any other word is the business. A customer's topic with another word is kept, and read as neither.
//! * `phone_number` comes with and without the country code: see `parts.rs`.
//! * Times are documented as Unix milliseconds and captured as ISO: both are read.
//! * Ads are not passed on at all. The business number is not named: configuration maps `project_id`.
//! * Topics about chats, orders and payments tell a second time what a message told, and open no window.

use crate::json::{Text, body_text, loose, missing, read};
use crate::meta;
use crate::parts::{self, Written, business_key, invalid, message_kind, object, readable};
use crate::provider::{About, Account, Item, Malformed, Passed, Passes, Provider, Skip, Verified};
use crate::signature::Scheme;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use wabridge_model::event::{
    Business, Echo, Event, Fact, Message, MessageKind, Person, ReferralReport, Status, StatusState,
};
use wabridge_model::id::EventKey;

/// AiSensy.
#[derive(Debug)]
pub struct AiSensy;

static ABOUT: About = About {
    slug: "aisensy",
    name: "AiSensy",
    scheme: Scheme::AiSensyHmacSha256,
    proof_headers: &["x-aisensy-signature"],
    documentation: "https://aisensy.stoplight.io/docs/project-api/56ea5a8f1cc9a-project-webhook",
    passes: Passes {
        phone: Passed::Yes,
        bsuid: Passed::No,
        name: Passed::Yes,
        wamid: Passed::Yes,
        ad: Passed::If("in Meta's own shape; not documented"),
        click_id: Passed::If("in Meta's own shape; not documented"),
        echoes: Passed::If("topic `message.created`"),
        statuses: Passed::If("topic `message.status.updated`"),
        opt_outs: Passed::No,
        time: Passed::Yes,
        business_number: Passed::If("as `project_id`"),
    },
    retries: false,
};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Envelope<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    created_at: Text<'a>,
    #[serde(borrow)]
    topic: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    project_id: Text<'a>,
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
    message: Option<&'a RawValue>,
    #[serde(borrow)]
    contact: Option<&'a RawValue>,
    #[serde(borrow)]
    order: Option<&'a RawValue>,
    #[serde(borrow)]
    payment: Option<&'a RawValue>,
}

/// `data.message`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WireMessage<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    /// The wamid.
    #[serde(borrow, rename = "messageId")]
    wamid: Text<'a>,
    #[serde(borrow)]
    sender: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    phone_number: Text<'a>,
    #[serde(borrow, rename = "countryCode", deserialize_with = "loose")]
    country_code: Text<'a>,
    #[serde(borrow, rename = "userName", deserialize_with = "loose")]
    user_name: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    message_type: Text<'a>,
    #[serde(borrow)]
    message_content: Option<&'a RawValue>,
    #[serde(borrow)]
    status: Text<'a>,
    #[serde(borrow)]
    sent_at: Text<'a>,
    #[serde(borrow)]
    delivered_at: Text<'a>,
    #[serde(borrow)]
    read_at: Text<'a>,
    #[serde(borrow)]
    failed_at: Text<'a>,
    #[serde(borrow, rename = "failureResponse")]
    failure: Option<&'a RawValue>,
}

/// What contacts, orders and payments say of the customer.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Named<'a> {
    #[serde(borrow, deserialize_with = "loose")]
    phone_number: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    country_code: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    name: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Failure<'a> {
    #[serde(borrow, deserialize_with = "loose")]
    code: Text<'a>,
}

/// A notification and its surroundings.
struct Notification<'a> {
    envelope: Envelope<'a>,
    data: Data<'a>,
    business: Business,
    account: &'a Account,
}

impl Provider for AiSensy {
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
    let topic = envelope.topic.required("topic")?.to_ascii_lowercase();
    let data: Data<'_> = object(envelope.data, "data")?;
    let business = parts::business(account, envelope.project_id.get(), None);
    let notification = Notification { envelope, data, business, account };
    match topic.as_str() {
        "message.sender.user" | "message.created" => notification.message(&topic),
        "message.status.updated" => notification.status(None),
        "contact.created" | "contact.attribute.revised" | "contact.attribute.updated" => {
            notification.contact()
        }
        "order.placed" | "payment.captured" | "payment.refunded" => notification.about_customer(&topic),
        _ if topic.starts_with("contact.campaign.") && notification.data.message.is_some() => {
            notification.status(topic.strip_prefix("contact.campaign."))
        }
        _ if topic.starts_with("contact.") => Ok(Item::Skipped(Skip::NoContent)),
        // A message under a topic that nobody knows yet must not pass for a notice.
        _ if notification.data.message.is_some() => Err(invalid("topic")),
        _ => notification.notice(&topic, json),
    }
}

impl Notification<'_> {
    /// What a customer wrote, or what the business sent.
    fn message(self, topic: &str) -> Result<Item, Malformed> {
        let message: WireMessage<'_> = object(self.data.message, "data.message")?;
        let inbound = is_inbound(topic, message.sender.get())?;
        let id = message.message_id()?;
        let kind = message.message_type.get().map_or(MessageKind::Unsupported, message_kind);
        let text = readable(&parts::value(message.message_content));
        let person = self.person(&message, inbound)?;
        let fact = if inbound {
            let referral = ReferralReport::Unreported;
            Fact::Message(Message { text, referral, ..Message::new(id, kind) })
        } else {
            Fact::Echo(Echo { id: id.to_owned(), kind, text, history: false })
        };
        let space = if message.wamid.get().is_some() { "wa" } else { "aisensy" };
        Ok(parts::event(Event {
            key: EventKey::new(space, &[business_key(&self.business, self.account), id]),
            occurred_at: Some(self.time(&message.sent_at, "data.message.sent_at")?),
            person,
            fact,
            business: self.business,
        }))
    }

    /// What became of a message of the business. `state` is the topic's, where that names one.
    fn status(self, state: Option<&str>) -> Result<Item, Malformed> {
        let message: WireMessage<'_> = object(self.data.message, "data.message")?;
        if message.sender.get().is_some_and(is_customer) {
            // That an agent read what the customer wrote, say.
            return Ok(Item::Skipped(Skip::NoContent));
        }
        let id = message.message_id()?;
        let state = match state {
            Some(state) => state.to_owned(),
            None => message.status.required("data.message.status")?.to_ascii_lowercase(),
        };
        let failure: Failure<'_> = message.failure.and_then(|raw| read(raw.get()).ok()).unwrap_or_default();
        let space = if message.wamid.get().is_some() { "st" } else { "aisensys" };
        let (reached_at, field) = message.reached_at(&state);
        Ok(parts::event(Event {
            // The last part is a group's participant, in Meta's report of the same.
            key: EventKey::new(space, &[business_key(&self.business, self.account), id, &state, ""]),
            occurred_at: Some(self.time(reached_at, field)?),
            person: self.person(&message, false)?,
            fact: Fact::Status(Status {
                message_id: id.to_owned(),
                state: StatusState::from(state),
                codes: failure.code.get().and_then(|code| code.parse().ok()).into_iter().collect(),
                free_entry_until: None,
            }),
            business: self.business,
        }))
    }

    /// A contact of the project's, named.
    fn contact(self) -> Result<Item, Malformed> {
        let contact: Named<'_> = object(self.data.contact, "data.contact")?;
        let person = Person { name: contact.name.owned(), ..self.named(&contact) };
        if !person.is_identified() || person.name.is_none() {
            return Ok(Item::Skipped(Skip::NoContent));
        }
        self.enriching(person, Fact::Contact { removed: false })
    }

    /// An order or a payment.
    fn about_customer(self, topic: &str) -> Result<Item, Malformed> {
        let raw = self.data.order.or(self.data.payment);
        let person = self.named(&object(raw, "data.order")?);
        if !person.is_identified() {
            return Ok(Item::Skipped(Skip::NoContent));
        }
        self.enriching(person, Fact::System { kind: topic.to_owned() })
    }

    fn enriching(self, person: Person, fact: Fact) -> Result<Item, Malformed> {
        Ok(parts::event(Event {
            key: EventKey::new("aisensyn", &[self.envelope.id.required("id")?]),
            occurred_at: Some(self.time(&Text::default(), "created_at")?),
            person,
            fact,
            business: self.business,
        }))
    }

    fn notice(self, topic: &str, json: &str) -> Result<Item, Malformed> {
        let at = self.envelope.created_at.moment("created_at")?;
        let notice = parts::notice(self.account, self.business, topic, at, json);
        // The second attempt differs in `delivery_attempt`.
        let key = self.envelope.id.get().map(|id| EventKey::new("aisensyn", &[id]));
        Ok(parts::event(Event { key: key.unwrap_or_else(|| notice.key.clone()), ..notice }))
    }

    /// The message's own time, else that of the notification.
    fn time(&self, own: &Text<'_>, field: &'static str) -> Result<Timestamp, Malformed> {
        let at = match own.moment(field)? {
            Some(at) => Some(at),
            None => self.envelope.created_at.moment("created_at")?,
        };
        at.ok_or_else(|| missing(field))
    }

    /// The customer. Of a message of the customer's own they must be known.
    fn person(&self, message: &WireMessage<'_>, required: bool) -> Result<Person, Malformed> {
        let written = Written {
            number: message.phone_number.get(),
            country_code: message.country_code.get(),
            wamid: message.wamid.get(),
        };
        let person =
            Person { name: message.user_name.owned(), ..written.person(self.account.default_country) };
        match (person.is_identified() || !required, written.number) {
            (true, _) => Ok(person),
            (false, Some(_)) => Err(invalid("data.message.phone_number")),
            (false, None) => Err(missing("data.message.phone_number")),
        }
    }

    fn named(&self, named: &Named<'_>) -> Person {
        let (number, country_code) = (named.phone_number.get(), named.country_code.get());
        Written { number, country_code, wamid: None }.person(self.account.default_country)
    }
}

impl WireMessage<'_> {
    /// WhatsApp's own id where there is one, else AiSensy's.
    fn message_id(&self) -> Result<&str, Malformed> {
        self.wamid.get().or(self.id.get()).ok_or_else(|| missing("data.message.messageId"))
    }

    /// When it reached a state, and the field that says so.
    fn reached_at(&self, state: &str) -> (&Text<'_>, &'static str) {
        match state {
            "delivered" => (&self.delivered_at, "data.message.delivered_at"),
            "read" => (&self.read_at, "data.message.read_at"),
            "failed" => (&self.failed_at, "data.message.failed_at"),
            _ => (&self.sent_at, "data.message.sent_at"),
        }
    }
}

fn is_customer(sender: &str) -> bool {
    sender.eq_ignore_ascii_case("USER")
}

/// Whether the customer sent it: topic and sender must agree, since only the customer opens a window.
fn is_inbound(topic: &str, sender: Option<&str>) -> Result<bool, Malformed> {
    match (topic, sender) {
        ("message.sender.user", None) => Ok(true),
        ("message.sender.user", Some(sender)) if !is_customer(sender) => Err(invalid("data.message.sender")),
        (_, Some(sender)) => Ok(is_customer(sender)),
        (_, None) => Err(missing("data.message.sender")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parts::testing::{account, event_of};

    const TEXT: &str = include_str!("../../fixtures/providers/aisensy/text/body.json");
    const TWICE: &str = include_str!("../../fixtures/providers/aisensy/text-told-twice/body.json");
    const READ: &str = include_str!("../../fixtures/providers/aisensy/campaign-read/body.json");
    const UNKNOWN: &str = include_str!("../../fixtures/providers/aisensy/unknown-topic/body.json");

    fn of(body: &str) -> Event {
        event_of(&AiSensy, body, &account(&["65f000000000000000000001"]))
    }

    #[test]
    fn what_two_topics_say_of_one_message_is_one_event() {
        assert_eq!(of(TEXT), of(TWICE));
    }

    #[test]
    fn a_second_attempt_is_the_same_event() {
        for body in [TEXT, READ, UNKNOWN] {
            let again = body.replace(r#""delivery_attempt":"1""#, r#""delivery_attempt":"2""#);
            assert_ne!(body, again);
            assert_eq!(of(body), of(&again));
        }
    }

    #[test]
    fn only_the_customer_is_a_sender_of_messages() {
        assert_eq!(is_inbound("message.created", Some("user")), Ok(true));
        assert_eq!(is_inbound("message.sender.user", None), Ok(true));
        for sender in ["AGENT", "API", "BOT", "CAMPAIGN", "ASSISTANT", "later"] {
            assert_eq!(is_inbound("message.created", Some(sender)), Ok(false), "{sender}");
            assert!(is_inbound("message.sender.user", Some(sender)).is_err(), "{sender}");
        }
    }

    #[test]
    fn a_status_has_the_time_of_its_own_state_else_of_the_notification() {
        let at = |body: &str| of(body).occurred_at.unwrap().to_string();
        assert_eq!(at(READ), "2026-11-22T08:32:00Z");
        assert_eq!(at(&READ.replace("1795336320000", "null")), "2026-11-22T08:32:00.4Z");
        assert_eq!(at(&READ.replace("1795336320000", "\"2026-11-22T08:31:59Z\"")), "2026-11-22T08:31:59Z");
    }
}
