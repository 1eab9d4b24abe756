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
    /// The event's time. A later one of the same words is another event.
    at: Timestamp,
}

/// Reads a body of version 2.
pub(super) fn item(text: &str, account: &Account) -> Result<Item, Malformed> {
    let envelope: Envelope<'_> = read(text)?;
    let kind = envelope.kind.required("type")?;
    let at = envelope.timestamp.required_instant("timestamp")?;
    let scene = Scene { account, app: envelope.app.required("app")?, at };
    let json = envelope.payload.ok_or_else(|| missing("payload"))?.get();
    let event = match kind {
        "message" => message(&scene, json).map(Some),
        "message-event" => status(&scene, json).map(Some),
        "user-event" => user_event(&scene, json),
        // One for each message that costs something: what it costs is no matter of a lead.
        "billing-event" => Ok(None),
        other => Ok(notice(&scene, other, json)),
    };
    Ok(match event.map_err(|fault| within("payload", fault))? {
        Some(event) => Item::Event(Box::new(event)),
        None => Item::Skipped(Skip::NoContent),
    })
}

impl Scene<'_> {
    fn business(&self) -> Business {
        Business {
            account_id: Some(self.app.to_owned()),
            number: self.account.resolve(Some(self.app), None),
            portfolio: self.account.portfolio.clone(),
        }
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
    Ok(Event { key, business, occurred_at: Some(scene.at), person, fact })
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
    let outcome: Outcome<'_> = part(event.payload);
    let at = outcome.ts.get().and_then(instant).unwrap_or(scene.at);
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
        occurred_at: Some(at),
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
    let who = event.phone.get().or(event.user_id.get()).unwrap_or_default();
    Ok(Some(Event {
        key: EventKey::new("gsp", &[scene.app, who, kind, &scene.at.as_millisecond().to_string()]),
        business: scene.business(),
        occurred_at: Some(scene.at),
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
    let time = scene.at.as_millisecond().to_string();
    Some(Event {
        key: EventKey::new("acct", &[&digest_of([scene.app, field], json), &time]),
        business: scene.business(),
        occurred_at: Some(scene.at),
        person: Person::default(),
        fact: Fact::Account(AccountNotice {
            field: field.to_owned(),
            subject: notice.element_name.owned(),
            state: notice.status.owned().or_else(|| notice.kind.owned()),
            reason: notice.rejected_reason.owned(),
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::Secrets;
    use wabridge_model::{Country, Phone};

    fn account() -> Account {
        let number = Phone::from_whatsapp_id("442079460001").unwrap();
        Account {
            channel: "gupshup".into(),
            portfolio: "default".into(),
            business_numbers: [("BootShop".to_owned(), number)].into(),
            business_number: None,
            sample_ids: vec![],
            default_country: Country::INDIA,
            public_url: None,
            secrets: Secrets::default(),
        }
    }

    fn read_item(kind: &str, payload: &str) -> Result<Item, String> {
        let body = format!(
            r#"{{"app":"BootShop","timestamp":1795336200123,"version":2,"type":"{kind}","payload":{payload}}}"#
        );
        item(&body, &account()).map_err(|fault| format!("{} {}", fault.reason, fault.path))
    }

    fn event(kind: &str, payload: &str) -> Event {
        match read_item(kind, payload) {
            Ok(Item::Event(event)) => *event,
            other => panic!("{payload}: {other:?}"),
        }
    }

    /// A message with these words for its type, its content and its sender.
    fn sent(kind: &str, content: &str, rest: &str) -> Event {
        event(
            "message",
            &format!(
                r#"{{"id":"wamid.F1","source":"447700900101","type":"{kind}","payload":{content}{rest}}}"#
            ),
        )
    }

    fn said(kind: &str, content: &str) -> (String, Option<String>) {
        match sent(kind, content, "").fact {
            Fact::Message(message) => (message.kind.as_str().to_owned(), message.text),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_type_has_the_kind_and_the_line_that_all_providers_share() {
        let cases = [
            ("text", r#"{"text":"Hi"}"#, "text", "Hi"),
            ("image", r#"{"url":"https://cdn.example.com/1","caption":"Boots"}"#, "image", "Boots"),
            ("file", r#"{"name":"order.pdf","url":"x"}"#, "document", "order.pdf"),
            ("audio", r#"{"url":"x"}"#, "audio", ""),
            ("sticker", r#"{"url":"x"}"#, "sticker", ""),
            ("location", r#"{"latitude":"51.5","longitude":"-0.12"}"#, "location", "51.5, -0.12"),
            (
                "contact",
                r#"{"contacts":[{"name":{"formatted_name":"A"}},7,{"name":{"firstName":"B"}}]}"#,
                "contacts",
                "A, B",
            ),
            ("button_reply", r#"{"id":"b1","title":"Yes","reply":"Yes 1"}"#, "interactive", "Yes"),
            (
                "list_reply",
                r#"{"id":"l1","reply":"Size 42 1","postbackText":"42"}"#,
                "interactive",
                "Size 42 1",
            ),
            ("quick_reply", r#"{"text":"Stop","type":"button"}"#, "button", "Stop"),
            ("reaction", r#"{"emoji":"👍","gsId":"g1"}"#, "reaction", "👍"),
            ("poll", r#"{"text":["x"]}"#, "poll", ""),
            ("text", r#""no object""#, "text", ""),
        ];
        for (kind, content, expected, text) in cases {
            let text = (!text.is_empty()).then(|| text.to_owned());
            assert_eq!(said(kind, content), (expected.to_owned(), text), "{kind} {content}");
        }
    }

    #[test]
    fn a_message_without_an_ad_says_nothing_of_ads_and_a_referral_anywhere_is_read() {
        let report = |rest: &str, content: &str| match sent("text", content, rest).fact {
            Fact::Message(message) => message.referral,
            other => panic!("{other:?}"),
        };
        assert_eq!(report("", r#"{"text":"Hi"}"#), ReferralReport::UnreportedByVersion);
        assert_eq!(report(r#","referral":null"#, "{}"), ReferralReport::UnreportedByVersion);
        assert_eq!(report(r#","referral":[]"#, "{}"), ReferralReport::Malformed);
        for (rest, content) in [
            (r#","referral":{"source_id":"7","ctwa_clid":"AR1"}"#, "{}"),
            ("", r#"{"referral":{"sourceId":"7","ctwaClid":"AR1"}}"#),
            (r#","context":{"referral":{"sourceId":7,"ctwa_clid":"AR1"}}"#, "{}"),
        ] {
            let ReferralReport::Present(ad) = report(rest, content) else { panic!("{rest} {content}") };
            assert_eq!((ad.source_id.as_deref(), ad.ctwa_clid.as_deref()), (Some("7"), Some("AR1")));
        }
    }

    #[test]
    fn whatsapps_id_is_the_key_of_every_channel_and_an_older_one_of_the_app() {
        assert_eq!(sent("text", "{}", "").key.as_str(), "wa:+442079460001:wamid.F1");
        let old = event("message", r#"{"id":"ABEGkF1","source":"447700900101","type":"text"}"#);
        assert_eq!(old.key.as_str(), "gs:BootShop:ABEGkF1");
        let unmapped = Account { business_numbers: Default::default(), ..account() };
        let body = r#"{"app":"Other","timestamp":1795336200123,"type":"message","payload":{"id":"wamid.F1","source":"447700900101"}}"#;
        let Ok(Item::Event(event)) = item(body, &unmapped) else { panic!("{body}") };
        assert_eq!(event.key.as_str(), "wa:Other:wamid.F1");
        assert_eq!(event.business.number, None);
    }

    #[test]
    fn a_status_is_keyed_by_gupshups_id_wherever_that_stands() {
        let key = |payload: &str| event("message-event", payload).key.as_str().to_owned();
        let enqueued = r#"{"id":"g-1","type":"enqueued","destination":"447700900101","payload":{"whatsappMessageId":"wamid.F9"}}"#;
        let sent = r#"{"id":"wamid.F9","gsId":"g-1","type":"sent","destination":"447700900101","payload":{"ts":"1795336201"}}"#;
        let late =
            r#"{"id":"wamid.F9","type":"read","destination":"447700900101","payload":{"ts":1795336201}}"#;
        assert_eq!(key(enqueued), "gss:BootShop:g-1:enqueued:447700900101");
        assert_eq!(key(sent), "gss:BootShop:g-1:sent:447700900101");
        assert_eq!(key(late), "gss:BootShop:wamid.F9:read:447700900101");
        let Fact::Status(status) = event("message-event", enqueued).fact else { panic!("no status") };
        assert_eq!(status.state, StatusState::Queued);
        assert_eq!(event("message-event", sent).occurred_at.unwrap().to_string(), "2026-11-22T08:30:01Z");
        let untimed = r#"{"id":"g-1","type":"enqueued","payload":""}"#;
        assert_eq!(
            event("message-event", untimed).occurred_at.unwrap().to_string(),
            "2026-11-22T08:30:00.123Z"
        );
    }

    #[test]
    fn only_a_free_entry_point_has_an_end() {
        let until = |terms: &str| {
            let payload = format!(r#"{{"id":"g-1","type":"sent","payload":{{}},{terms}}}"#);
            let Fact::Status(status) = event("message-event", &payload).fact else { panic!("{payload}") };
            status.free_entry_until.map(|at| at.to_string())
        };
        let end = Some("2026-11-25T08:30:00Z".to_owned());
        assert_eq!(until(r#""conversation":{"expiresAt":1795595400,"type":"referral_conversion"}"#), end);
        assert_eq!(
            until(
                r#""conversation":{"expiresAt":"1795595400"},"pricing":{"category":"referral_conversion"}"#
            ),
            end
        );
        assert_eq!(until(r#""conversation":{"expiresAt":1795595400,"type":"service"}"#), None);
    }

    #[test]
    fn who_wrote_is_found_in_any_of_the_fields() {
        let person = |source: &str, sender: &str| {
            event(
                "message",
                &format!(r#"{{"id":"wamid.F1","source":{source},"type":"text","sender":{sender}}}"#),
            )
            .person
        };
        let bsuid = Bsuid::parse("GB.7");
        assert_eq!(person(r#""GB.7""#, "{}").bsuid, bsuid);
        assert_eq!(person(r#""""#, r#"{"userId":"GB.7","username":"asha"}"#).bsuid, bsuid);
        let both = person(r#""447700900101""#, r#"{"userId":"GB.7","parentUserId":"GB.ENT.8"}"#);
        assert!(both.phone.is_some() && both.bsuid == bsuid && both.parent_bsuid.is_some());
        let test = person(r#""447700900101_1""#, r#"{"phone":"447700900101","dial_code":"77*****101"}"#);
        assert_eq!(test.phone, Phone::from_whatsapp_id("447700900101").ok());
    }

    #[test]
    fn a_choice_about_all_messages_is_told_apart_by_its_time() {
        let keys: Vec<String> = ["opted-out", "opted-in"]
            .iter()
            .map(|kind| event("user-event", &format!(r#"{{"phone":"447700900101","type":"{kind}"}}"#)))
            .map(|event| {
                assert!(matches!(&event.fact, Fact::Preference(it) if it.category == Preference::ALL));
                event.key.as_str().to_owned()
            })
            .collect();
        assert_eq!(
            keys,
            [
                "gsp:BootShop:447700900101:opted-out:1795336200123",
                "gsp:BootShop:447700900101:opted-in:1795336200123"
            ]
        );
        let later = event("user-event", r#"{"phone":"447700900101","type":"blocked"}"#);
        assert_eq!(later.fact, Fact::System { kind: "blocked".to_owned() });
    }

    #[test]
    fn checks_of_the_url_and_bills_have_no_content() {
        for (kind, payload) in [
            ("user-event", r#"{"phone":"callbackSetPhone","type":"sandbox-start"}"#),
            ("platform-event", r#"{"type":"connectivity-check","initiator":"gupshup"}"#),
            ("billing-event", r#"{"deductions":{"type":"UIC"}}"#),
        ] {
            assert!(matches!(read_item(kind, payload), Ok(Item::Skipped(Skip::NoContent))), "{kind}");
        }
        assert!(matches!(event("platform-event", r#"{"type":"later"}"#).fact, Fact::Account(_)));
    }

    #[test]
    fn a_fault_is_named_by_its_place() {
        let cases = [
            ("message", r#"{"source":"447700900101","type":"text"}"#, "missing_field payload.id"),
            ("message", r#"{"id":[],"source":"447700900101"}"#, "invalid_field payload.id"),
            ("message", r#"{"id":"wamid.F1"}"#, "missing_field payload.source"),
            ("message", r#"{"id":"wamid.F1","source":"nobody"}"#, "invalid_field payload.source"),
            ("message", "[]", "unexpected_shape payload"),
            ("message", "null", "missing_field payload"),
            ("message-event", r#"{"type":"sent"}"#, "missing_field payload.id"),
            ("message-event", r#"{"id":"g-1"}"#, "missing_field payload.type"),
            ("user-event", r#"{"phone":"nobody","type":"opted-out"}"#, "invalid_field payload.phone"),
            ("", "{}", "missing_field type"),
        ];
        for (kind, payload, fault) in cases {
            assert_eq!(read_item(kind, payload).unwrap_err(), fault, "{kind} {payload}");
        }
        for (body, fault) in [
            (r#"{"app":"A","type":"message","payload":{}}"#, ("missing_field", "timestamp")),
            (r#"{"app":"A","timestamp":{},"type":"message","payload":{}}"#, ("invalid_field", "timestamp")),
            (r#"{"timestamp":1795336200123,"type":"message","payload":{}}"#, ("missing_field", "app")),
        ] {
            let found = item(body, &account()).unwrap_err();
            assert_eq!((found.reason, found.path.as_str()), fault, "{body}");
        }
    }
}
