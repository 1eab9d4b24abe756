//! Wati's webhooks: one event a request, of three families (plain, `_v2`, `_bsuid`) that repeat each other.
//!
//! In: a JSON body from who knows the URL's secret; Wati signs nothing. Out: one [`Item`]. Two families'
//! reports of one message have one key, and it is the key that Meta's own report of it has. An answer other
//! than 200 is repeated for a day, so that only the event's own time may open a window.
//!
//! <https://docs.wati.io/reference/webhooks>, <https://docs.wati.io/reference/message-received>,
//! <https://docs.wati.io/reference/message-received-bsuid>.
//!
//! Doubts, and how they are met:
//! * Names of events drift: they are matched in any case, by their stem.
//! * An ad is an id and an address, never a click id, and `sourceType` is a number whose meaning is not
//!   documented: what has a `sourceId` counts as an ad. Samples before 2025 have no such field at all.
//! * A new contact's event names the ad and no message. With an ad it is the opening of a chat, since the
//!   message may come without the ad; otherwise it is a contact.
//! * The shape of `data` (media, places, orders) is not documented and is not read.
//! * Statuses name no customer, and some events no business number: the same message's other events do. For
//!   the latter, the channel's `business_number` should be configured where there is but one.
//! * A reply, a click or a run of the chatbot opens no window: what the customer sent comes by itself.

use crate::json::{Text, body_text, loose, missing, read};
use crate::meta::take_phone;
use crate::parts::{self, business_key, invalid, message_kind, readable};
use crate::provider::{About, Account, Item, Malformed, Passed, Passes, Provider, Skip, Verified};
use crate::signature::Scheme;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use wabridge_model::Phone;
use wabridge_model::event::{
    Business, Echo, Event, Fact, Message, MessageKind, Person, Referral, ReferralReport, Status, StatusState,
};
use wabridge_model::id::{Bsuid, EventKey};

/// Wati.
#[derive(Debug)]
pub struct Wati;

static ABOUT: About = About {
    slug: "wati",
    name: "Wati",
    scheme: Scheme::SharedSecret,
    proof_headers: &[],
    documentation: "https://docs.wati.io/reference/webhooks",
    passes: Passes {
        phone: Passed::If("absent from statuses, and for people with a username"),
        bsuid: Passed::If("events named `_bsuid`"),
        name: Passed::Yes,
        wamid: Passed::Yes,
        ad: Passed::Yes,
        click_id: Passed::No,
        echoes: Passed::Yes,
        statuses: Passed::Yes,
        opt_outs: Passed::No,
        time: Passed::Yes,
        business_number: Passed::If("absent from what agents send"),
    },
    retries: true,
};

/// Any event, as far as we read it. Everything is optional; what a fact needs is checked by name.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Body<'a> {
    #[serde(borrow)]
    event_type: Text<'a>,
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    whatsapp_message_id: Text<'a>,
    #[serde(borrow)]
    local_message_id: Text<'a>,
    /// Unix seconds, as a text.
    #[serde(borrow)]
    timestamp: Text<'a>,
    /// ISO with seven decimals; without a zone in events about clicks.
    #[serde(borrow)]
    created: Text<'a>,
    /// Whether the business sent it.
    #[serde(borrow)]
    owner: Option<&'a RawValue>,
    #[serde(borrow, rename = "type", deserialize_with = "loose")]
    kind: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    text: Text<'a>,
    #[serde(borrow)]
    button_reply: Option<&'a RawValue>,
    #[serde(borrow)]
    interactive_button_reply: Option<&'a RawValue>,
    #[serde(borrow)]
    list_reply: Option<&'a RawValue>,
    #[serde(borrow, deserialize_with = "loose")]
    source_id: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    source_url: Text<'a>,
    /// A number on messages, a text on templates.
    #[serde(borrow, deserialize_with = "loose")]
    source_type: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    wa_id: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    bsuid: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    parent_bsuid: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    username: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    sender_name: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    channel_id: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    channel_phone_number: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    failed_code: Text<'a>,
}

/// What an event's name says, whatever its family.
#[derive(Debug, PartialEq, Eq)]
enum Kind<'n> {
    Message,
    NewContact,
    Echo,
    Status(&'n str),
    /// What the customer did, told a second time.
    Replied,
    /// Something about the customer that is no message.
    Notice,
    Unknown,
}

impl Provider for Wati {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn normalise(&self, request: &Verified<'_>, account: &Account) -> Result<Vec<Item>, Malformed> {
        let text = body_text(request.body())?;
        parts::one(read(&text).and_then(|body| item(&body, &text, account)))
    }

    fn advice(&self, recent: &[&[u8]]) -> Vec<&'static str> {
        let is_message =
            |body: &Body<'_>| body.event_type.get().is_some_and(|name| kind(&stem(name)) == Kind::Message);
        let newest = recent.iter().find_map(|body| {
            let body = serde_json::from_slice::<Body<'_>>(body).ok().filter(is_message)?;
            Some(body.event_type.get()?.to_ascii_lowercase().contains("_bsuid"))
        });
        match newest {
            Some(false) => vec![USER_IDS],
            None if recent.is_empty() => vec![USER_IDS],
            _ => Vec::new(),
        }
    }
}

const USER_IDS: &str = "without user ids a customer who hides the number is nobody; tick the events named _bsuid \
                        (message_bsuid, newContactMessageReceived_bsuid) in place of the plain ones";

fn item(body: &Body<'_>, json: &str, account: &Account) -> Result<Item, Malformed> {
    let name = body.event_type.required("eventType")?;
    let stem = stem(name);
    let sides = (business(body, account), account);
    match kind(&stem) {
        Kind::Message if body.is_ours() => echo(body, sides),
        Kind::Message => message(body, sides),
        Kind::NewContact => new_contact(body, sides),
        Kind::Echo => echo(body, sides),
        Kind::Status(state) => status(body, state, sides),
        Kind::Replied => Ok(Item::Skipped(Skip::NoContent)),
        Kind::Notice => about_customer(body, &name[..stem.len()], sides),
        // A message under a name that nobody knows yet must not pass for a notice.
        Kind::Unknown if body.owner.is_some() => Err(invalid("eventType")),
        Kind::Unknown => {
            let at = body.time().ok().flatten();
            Ok(parts::event(parts::notice(account, sides.0, name, at, json)))
        }
    }
}

/// The name of an event without its family, in lower case.
fn stem(name: &str) -> String {
    let mut stem = name.to_ascii_lowercase();
    for family in ["_v2", "_bsuid", "_v2"] {
        stem.truncate(stem.strip_suffix(family).map_or(stem.len(), str::len));
    }
    stem
}

fn kind(stem: &str) -> Kind<'_> {
    match stem {
        "message" | "messagereceived" => Kind::Message,
        "sentmessagereplied" => Kind::Replied,
        _ if stem.starts_with("newcontact") => Kind::NewContact,
        _ if stem.ends_with("messagesent") => Kind::Echo,
        _ if stem.ends_with("messagefailed") => Kind::Status("failed"),
        _ if stem.contains("clicked") || stem.contains("chatbot") => Kind::Notice,
        _ => match stem.strip_prefix("sentmessage") {
            Some("") | None => Kind::Unknown,
            Some(state) => Kind::Status(state),
        },
    }
}

impl Body<'_> {
    fn is_ours(&self) -> bool {
        self.owner.is_some_and(|owner| owner.get().trim_matches('"').eq_ignore_ascii_case("true"))
    }

    /// WhatsApp's own id where there is one, else Wati's.
    fn message_id(&self) -> Result<&str, Malformed> {
        let ids = [&self.whatsapp_message_id, &self.local_message_id, &self.id];
        ids.into_iter().find_map(Text::get).ok_or_else(|| missing("whatsappMessageId"))
    }

    fn time(&self) -> Result<Option<Timestamp>, Malformed> {
        match self.timestamp.moment("timestamp")? {
            Some(at) => Ok(Some(at)),
            None => self.created.moment("created"),
        }
    }

    /// A repetition may be a day late: its receipt is no time of anything.
    fn required_time(&self) -> Result<Timestamp, Malformed> {
        self.time()?.ok_or_else(|| missing("timestamp"))
    }

    /// The customer. `senderName` is an agent's on what the business sent.
    fn person(&self, account: &Account) -> Person {
        let mut person = Person {
            bsuid: self.bsuid.get().and_then(Bsuid::parse),
            parent_bsuid: self.parent_bsuid.get().and_then(Bsuid::parse),
            username: self.username.get().map(|name| name.trim_start_matches('@').to_owned()),
            ..Person::default()
        };
        take_phone(&mut person, self.wa_id.get(), account.default_country);
        person
    }

    fn customer(&self, account: &Account) -> Result<Person, Malformed> {
        let person = Person { name: self.sender_name.owned(), ..self.person(account) };
        match (person.is_identified(), self.wa_id.get()) {
            (true, _) => Ok(person),
            (false, Some(_)) => Err(invalid("waId")),
            (false, None) => Err(missing("waId")),
        }
    }

    fn text(&self) -> Option<String> {
        let replies = [self.button_reply, self.interactive_button_reply, self.list_reply];
        let reply = || replies.into_iter().find_map(|raw| readable(&parts::value(raw)));
        self.text.owned().or_else(reply)
    }

    fn kind(&self) -> MessageKind {
        self.kind.get().map_or(MessageKind::Unsupported, message_kind)
    }

    fn referral(&self) -> Option<Referral> {
        let (source_id, source_url) = (self.source_id.owned(), self.source_url.owned());
        (source_id.is_some() || source_url.is_some()).then(|| Referral {
            source_type: source_id.is_some().then(|| "ad".to_owned()),
            source_id,
            source_url,
            click_id_stripped: true,
            ..Referral::default()
        })
    }

    fn referral_report(&self) -> ReferralReport {
        match (self.referral(), self.source_type.get()) {
            (Some(referral), _) => ReferralReport::Present(Box::new(referral)),
            (None, Some(_)) => ReferralReport::Absent,
            (None, None) => ReferralReport::UnreportedByVersion,
        }
    }
}

/// The number by itself, or as the id that the configuration maps. An account may have several numbers: one
/// that is shown and not configured is not the channel's only one, and has windows of its own.
fn business(body: &Body<'_>, account: &Account) -> Business {
    let (shown, channel) = (body.channel_phone_number.get(), body.channel_id.get());
    let configured = |id: &&str| account.business_numbers.contains_key(*id);
    let known = [shown, channel].into_iter().flatten().find(configured);
    let business = parts::business(account, known.or(shown).or(channel), shown);
    let number = shown.and_then(|digits| Phone::from_whatsapp_id(digits).ok()).filter(Phone::is_valid);
    match (known, number) {
        (None, Some(number)) => Business { number: Some(number), ..business },
        _ => business,
    }
}

type Sides<'a> = (Business, &'a Account);

/// The key of a message, as Meta's own report of it has it.
fn message_key(body: &Body<'_>, (business, account): &Sides<'_>) -> Result<EventKey, Malformed> {
    let space = if body.whatsapp_message_id.get().is_some() { "wa" } else { "wati" };
    Ok(EventKey::new(space, &[business_key(business, account), body.message_id()?]))
}

fn message(body: &Body<'_>, sides: Sides<'_>) -> Result<Item, Malformed> {
    Ok(parts::event(Event {
        key: message_key(body, &sides)?,
        occurred_at: Some(body.required_time()?),
        person: body.customer(sides.1)?,
        fact: Fact::Message(Message {
            text: body.text(),
            referral: body.referral_report(),
            ..Message::new(body.message_id()?, body.kind())
        }),
        business: sides.0,
    }))
}

fn new_contact(body: &Body<'_>, sides: Sides<'_>) -> Result<Item, Malformed> {
    let id = body.id.required("id")?;
    let fact = match body.referral() {
        Some(referral) => Fact::Message(Message {
            referral: ReferralReport::Present(Box::new(referral)),
            ..Message::new(id, MessageKind::RequestWelcome)
        }),
        None => Fact::Contact { removed: false },
    };
    Ok(parts::event(Event {
        // Not all families name the number, and the id is no other account's.
        key: EventKey::new("watic", &[id]),
        occurred_at: Some(body.required_time()?),
        person: body.customer(sides.1)?,
        fact,
        business: sides.0,
    }))
}

fn echo(body: &Body<'_>, sides: Sides<'_>) -> Result<Item, Malformed> {
    let fact =
        Echo { id: body.message_id()?.to_owned(), kind: body.kind(), text: body.text(), history: false };
    Ok(parts::event(Event {
        key: message_key(body, &sides)?,
        occurred_at: Some(body.required_time()?),
        person: body.person(sides.1),
        fact: Fact::Echo(fact),
        business: sides.0,
    }))
}

fn status(body: &Body<'_>, state: &str, sides: Sides<'_>) -> Result<Item, Malformed> {
    let id = body.message_id()?;
    let space = if body.whatsapp_message_id.get().is_some() { "st" } else { "watis" };
    Ok(parts::event(Event {
        // The last part is a group's participant, in Meta's report of the same.
        key: EventKey::new(space, &[business_key(&sides.0, sides.1), id, state, ""]),
        occurred_at: Some(body.required_time()?),
        person: body.person(sides.1),
        fact: Fact::Status(Status {
            message_id: id.to_owned(),
            state: StatusState::from(state),
            codes: body.failed_code.get().and_then(|code| code.parse().ok()).into_iter().collect(),
            free_entry_until: None,
        }),
        business: sides.0,
    }))
}

/// A click or a run of the chatbot: it may name the customer by phone and id together.
fn about_customer(body: &Body<'_>, stem: &str, sides: Sides<'_>) -> Result<Item, Malformed> {
    let person = body.person(sides.1);
    if !person.is_identified() {
        return Ok(Item::Skipped(Skip::NoContent));
    }
    let at = body.required_time()?;
    Ok(parts::event(Event {
        key: EventKey::new("watin", &[&stem.to_lowercase(), body.message_id()?, &at.to_string()]),
        occurred_at: Some(at),
        person,
        fact: Fact::System { kind: stem.to_owned() },
        business: sides.0,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meta::Meta;
    use crate::parts::testing::{account, event_of};

    const TEXT: &str = include_str!("../../fixtures/providers/wati/text-from-ad/body.json");
    const TEXT_BSUID: &str =
        include_str!("../../fixtures/providers/wati/text-from-ad-with-user-id/body.json");
    const SENT: &str = include_str!("../../fixtures/providers/wati/template-sent/body.json");
    const SENT_V1: &str = include_str!("../../fixtures/providers/wati/template-sent-first-version/body.json");
    const READ: &str = include_str!("../../fixtures/providers/wati/template-read/body.json");

    fn of(body: &str) -> Event {
        event_of(&Wati, body, &account(&["442079460001"]))
    }

    fn metas(list: &str, item: &str) -> Event {
        let body = format!(
            r#"{{"entry":[{{"id":"9","changes":[{{"field":"messages","value":{{
                "metadata":{{"phone_number_id":"1"}},"{list}":[{item}]}}}}]}}]}}"#
        );
        event_of(&Meta, &body, &account(&["1"]))
    }

    #[test]
    fn what_two_families_and_meta_report_of_one_message_has_one_key() {
        let (plain, by_id) = (of(TEXT), of(TEXT_BSUID));
        let Fact::Message(message) = &plain.fact else { panic!("{plain:?}") };
        let meta = metas(
            "messages",
            &format!(
                r#"{{"from":"447700900101","id":"{}","timestamp":"1795336200","type":"text"}}"#,
                message.id
            ),
        );
        assert_eq!(plain.key, meta.key);
        assert_eq!(by_id.key, meta.key);
        assert_eq!(of(SENT).key, of(SENT_V1).key);
    }

    #[test]
    fn events_with_user_ids_are_advised_until_the_newest_message_is_one() {
        let (plain, by_id, read) = (TEXT.as_bytes(), TEXT_BSUID.as_bytes(), READ.as_bytes());
        assert_eq!(Wati.advice(&[]), [USER_IDS]);
        assert_eq!(Wati.advice(&[read, plain, by_id]), [USER_IDS]);
        assert!(Wati.advice(&[read, by_id, plain]).is_empty());
        assert!(Wati.advice(&[read]).is_empty());
    }

    #[test]
    fn a_status_without_a_phone_names_the_message_that_its_echo_names() {
        let (sent, read) = (of(SENT), of(READ));
        let (Fact::Echo(echo), Fact::Status(status)) = (&sent.fact, &read.fact) else { panic!("{read:?}") };
        assert_eq!(echo.id, status.message_id);
        assert_eq!(sent.business.number, read.business.number);
        assert!(sent.person.phone.is_some() && read.person.is_empty());
        let meta = metas(
            "statuses",
            &format!(
                r#"{{"id":"{}","status":"read","timestamp":"1795336320","recipient_id":"447700900103"}}"#,
                echo.id
            ),
        );
        assert_eq!(read.key, meta.key);
    }

    #[test]
    fn without_a_wamid_the_key_is_of_a_space_of_its_own() {
        let of = |id: &str| of(&TEXT.replace("whatsappMessageId", id));
        assert_eq!(of("other").key.as_str(), "wati:+442079460001:6921a0000000000000000001");
        assert!(of("localMessageId").key.as_str().starts_with("wati:+442079460001:wamid."));
    }

    #[test]
    fn only_a_version_without_the_fields_cannot_say_whether_there_was_an_ad() {
        let report = |body: &str| match of(body).fact {
            Fact::Message(message) => message.referral,
            other => panic!("{other:?}"),
        };
        let organic = TEXT
            .replace(r#""120200000000000001""#, "null")
            .replace(r#""https://fb.me/fixture1""#, "null")
            .replace(r#""sourceType": 7"#, r#""sourceType": 0"#);
        assert_eq!(report(&organic), ReferralReport::Absent);
        assert_eq!(report(&organic.replace("source", "other")), ReferralReport::UnreportedByVersion);
        assert!(matches!(report(TEXT), ReferralReport::Present(ad) if ad.click_id_stripped));
    }

    #[test]
    fn an_event_is_known_by_its_stem_whatever_its_family_and_case() {
        for (name, expected) in [
            ("message", Kind::Message),
            ("message_bsuid", Kind::Message),
            ("messageReceived", Kind::Message),
            ("newContactMessageReceived", Kind::NewContact),
            ("newContactMessageReceived_bsuid", Kind::NewContact),
            ("sessionMessageSent", Kind::Echo),
            ("sessionMessageSent_bsuid", Kind::Echo),
            ("templateMessageSent_v2", Kind::Echo),
            ("sentMessageDELIVERED", Kind::Status("delivered")),
            ("sentMessageREAD_v2", Kind::Status("read")),
            ("sentMessageREAD_v2_bsuid", Kind::Status("read")),
            ("templateMessageFailed", Kind::Status("failed")),
            ("templateMessageFAILED_v2", Kind::Status("failed")),
            ("sessionMessageFailed", Kind::Status("failed")),
            ("sentMessageREPLIED_v2", Kind::Replied),
            ("ctaButtonClicked", Kind::Notice),
            ("ctaUrlClicked_bsuid", Kind::Notice),
            ("chatbotTriggered_bsuid", Kind::Notice),
            ("templateReviewed", Kind::Unknown),
            ("sentMessage", Kind::Unknown),
            ("", Kind::Unknown),
        ] {
            assert_eq!(kind(&stem(name)), expected, "{name}");
        }
    }
}
