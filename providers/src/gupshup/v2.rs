//! One event of Gupshup's own format.
//!
//! In: the text of a body. Out: one [`Item`]. A message with WhatsApp's own id has the key that every other
//! channel of the number gives it; what has only Gupshup's ids is told apart by the app.
//! <https://docs.gupshup.io/docs/inbound-messages>

use super::CHECK;
use super::wire::{
    Card, Content, Envelope, Inbound, MayRefer, MessageEvent, Notice, Outcome, Sender, Terms, UserEvent,
};
use crate::json::{List, Text, digest_of, instant, missing, read, within};
use crate::meta::message::referral;
use crate::meta::person::take_phone;
use crate::provider::{Account, Item, Malformed, Skip};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use wabridge_model::event::{
    AccountNotice, Business, Choice, Event, Fact, Message, MessageKind, Person, Preference, ReferralReport,
    Status, StatusState,
};
use wabridge_model::id::{Bsuid, EventKey};

/// What all events of one body share.
struct Scene<'a> {
    account: &'a Account,
    app: &'a str,
    /// Of the event, as sent; in milliseconds.
    timestamp: &'a Text<'a>,
}

/// Reads a body of version 2.
pub(super) fn item(text: &str, account: &Account) -> Result<Item, Malformed> {
    let envelope: Envelope<'_> = read(text)?;
    let kind = envelope.kind.required("type")?;
    let scene = Scene { account, app: envelope.app.required("app")?, timestamp: &envelope.timestamp };
    let json = envelope.payload.ok_or_else(|| missing("payload"))?.get();
    let event = match kind {
        "message" => message(&scene, json).map(Some),
        "message-event" => status(&scene, json).map(Some),
        "user-event" => user_event(&scene, json),
        // One for each message that costs something: what it costs is no matter of a lead.
        "billing-event" => Ok(None),
        other => Ok(notice(&scene, other, json)),
    };
    Ok(
        match event
            .map_err(|fault| if fault.path == "timestamp" { fault } else { within("payload", fault) })?
        {
            Some(event) => Item::Event(Box::new(event)),
            None => Item::Skipped(Skip::NoContent),
        },
    )
}

impl Scene<'_> {
    fn business(&self) -> Business {
        Business {
            account_id: Some(self.app.to_owned()),
            number: self.account.resolve(Some(self.app), None),
            portfolio: self.account.portfolio.clone(),
        }
    }

    /// The event's time, where there is one.
    fn time(&self) -> Result<Option<Timestamp>, Malformed> {
        self.timestamp.get().map(|_| self.timestamp.required_instant("timestamp")).transpose()
    }

    /// Who has these names: the first phone that is one, and the ids.
    fn person(&self, phones: &[&Text<'_>], bsuid: &Text<'_>, parent: &Text<'_>) -> Person {
        let mut person = Person {
            bsuid: bsuid.get().and_then(Bsuid::parse),
            parent_bsuid: parent.get().and_then(Bsuid::parse),
            ..Person::default()
        };
        for phone in phones {
            take_phone(&mut person, phone.get(), self.account.default_country);
        }
        person
    }
}

/// An inbound message. With WhatsApp's own id it has the key that every channel of the number gives it.
fn message(scene: &Scene<'_>, json: &str) -> Result<Event, Malformed> {
    let inbound: Inbound<'_> = read(json)?;
    let id = inbound.id.required("id")?;
    let sender: Sender<'_> = part(inbound.sender);
    let mut person = scene.person(&[&inbound.source, &sender.phone], &sender.user_id, &sender.parent_user_id);
    if !person.is_identified() {
        let reason = if inbound.source.get().is_some() { "invalid_field" } else { "missing_field" };
        return Err(Malformed { reason, path: "source".to_owned() });
    }
    person.name = sender.name.owned();
    person.username = sender.username.owned();
    let business = scene.business();
    let key = match &business.number {
        _ if !id.starts_with("wamid.") => EventKey::new("gs", &[scene.app, id]),
        Some(number) => EventKey::new("wa", &[number.e164(), id]),
        None => EventKey::new("wa", &[scene.app, id]),
    };
    let (kind, text) = content(&inbound);
    let fact = Fact::Message(Message { text, referral: ad(&inbound), ..Message::new(id, kind) });
    Ok(Event { key, business, occurred_at: scene.time()?, person, fact })
}

/// A part of which nothing decides whether the whole counts.
fn part<'a, T: Default + Deserialize<'a>>(raw: Option<&'a RawValue>) -> T {
    raw.and_then(|raw| read(raw.get()).ok()).unwrap_or_default()
}

/// The kind in the words all providers share, and one line that a person would read.
fn content(inbound: &Inbound<'_>) -> (MessageKind, Option<String>) {
    let kind = match inbound.kind.get().unwrap_or("unknown") {
        "file" => MessageKind::Document,
        "voice" => MessageKind::Audio,
        "contact" => MessageKind::Contacts,
        "button_reply" | "list_reply" => MessageKind::Interactive,
        "quick_reply" => MessageKind::Button,
        other => MessageKind::from(other),
    };
    let content: Content<'_> = part(inbound.payload);
    let first = |texts: &[&Text<'_>]| texts.iter().find_map(|text| text.owned());
    let text = match kind {
        MessageKind::Location => first(&[&content.name, &content.address])
            .or_else(|| Some(format!("{}, {}", content.latitude.get()?, content.longitude.get()?))),
        MessageKind::Contacts => card_names(&content.contacts),
        // `reply` is the title with its number behind it.
        MessageKind::Interactive => first(&[&content.title, &content.reply, &content.id]),
        MessageKind::Reaction => content.emoji.owned(),
        _ => first(&[&content.text, &content.caption, &content.name]),
    };
    (kind, text)
}

fn card_names(cards: &List<'_>) -> Option<String> {
    let names: Vec<String> = cards
        .items()
        .iter()
        .map(|raw| part::<Card<'_>>(Some(raw)).name)
        .filter_map(|name| name.formatted_name.owned().or_else(|| name.first_name.owned()))
        .collect();
    (!names.is_empty()).then(|| names.join(", "))
}

/// The ad behind a message: not known to be in this version, and looked for where it could be.
fn ad(inbound: &Inbound<'_>) -> ReferralReport {
    let inner = |raw| part::<MayRefer<'_>>(raw).referral;
    let found = inbound.referral.or_else(|| inner(inbound.payload)).or_else(|| inner(inbound.context));
    match referral(found) {
        ReferralReport::Absent => ReferralReport::UnreportedByVersion,
        report => report,
    }
}

/// What became of a message of the business.
fn status(scene: &Scene<'_>, json: &str) -> Result<Event, Malformed> {
    let event: MessageEvent<'_> = read(json)?;
    let id = event.gs_id.get().map_or_else(|| event.id.required("id"), Ok)?;
    let state = event.kind.required("type")?;
    let outcome: Outcome<'_> = match event.payload {
        Some(raw) => read(raw.get()).map_err(|fault| within("payload", fault))?,
        None => Outcome::default(),
    };
    let at = match outcome.ts.get() {
        Some(_) => Some(outcome.ts.required_instant("payload.ts")?),
        None => scene.time()?,
    };
    let fact = Fact::Status(Status {
        message_id: id.to_owned(),
        state: match state {
            "enqueued" => StatusState::Queued,
            other => StatusState::from(other),
        },
        codes: outcome.code.get().and_then(|code| code.parse().ok()).into_iter().collect(),
        free_entry_until: free_entry_until(&event),
    });
    let destination = event.destination.get().unwrap_or_default();
    Ok(Event {
        key: EventKey::new("gss", &[scene.app, id, state, destination]),
        business: scene.business(),
        occurred_at: at,
        person: scene.person(&[&event.destination], &event.user_id, &Text::default()),
        fact,
    })
}

/// The end of the free entry point. Other conversations have an end, too, of which nothing depends.
fn free_entry_until(event: &MessageEvent<'_>) -> Option<Timestamp> {
    let (conversation, pricing): (Terms<'_>, Terms<'_>) = (part(event.conversation), part(event.pricing));
    let is_free_entry = conversation.kind.get() == Some("referral_conversion")
        || pricing.category.get() == Some("referral_conversion")
        || pricing.kind.get() == Some("free_entry_point");
    is_free_entry.then(|| conversation.expires_at.get().and_then(instant)).flatten()
}

/// A person's choice about all messages, or Gupshup's check of the URL.
fn user_event(scene: &Scene<'_>, json: &str) -> Result<Option<Event>, Malformed> {
    let event: UserEvent<'_> = read(json)?;
    let kind = event.kind.required("type")?;
    // Sent when the URL is set, with a phone that is none, and when somebody joins a test.
    if kind == "sandbox-start" {
        return Ok(None);
    }
    let person = scene.person(&[&event.phone], &event.user_id, &Text::default());
    if !person.is_identified() {
        return Err(Malformed { reason: "invalid_field", path: "phone".to_owned() });
    }
    let choice = |choice| Fact::Preference(Preference { category: Preference::ALL.to_owned(), choice });
    let fact = match kind {
        "opted-out" => choice(Choice::Stop),
        "opted-in" => choice(Choice::Resume),
        other => Fact::System { kind: other.to_owned() },
    };
    let at = scene.timestamp.required_instant("timestamp")?;
    let who = event.phone.get().or(event.user_id.get()).unwrap_or_default();
    Ok(Some(Event {
        key: EventKey::new("gsp", &[scene.app, who, kind, &at.as_millisecond().to_string()]),
        business: scene.business(),
        occurred_at: Some(at),
        person,
        fact,
    }))
}

/// An event about the app, its templates, its account. `None`: Gupshup's check of the URL.
fn notice(scene: &Scene<'_>, field: &str, json: &str) -> Option<Event> {
    let notice: Notice<'_> = read(json).unwrap_or_default();
    if field == "platform-event" && notice.kind.get() == Some(CHECK) {
        return None;
    }
    let time = scene.timestamp.get().unwrap_or_default();
    Some(Event {
        key: EventKey::new("acct", &[&digest_of([scene.app, field], json), time]),
        business: scene.business(),
        occurred_at: instant(time),
        person: Person::default(),
        fact: Fact::Account(AccountNotice {
            field: field.to_owned(),
            subject: notice.element_name.owned(),
            state: notice.status.owned().or_else(|| notice.kind.owned()),
            reason: notice.rejected_reason.owned(),
        }),
    })
}
