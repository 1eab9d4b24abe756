//! A customer for the tests of this folder: what they and the business do, as evidence, and the lead it makes.

use jiff::Timestamp;
use serde_json::{Map, Value};
use wabridge_model::Phone;
use wabridge_model::chatbot::{ChatbotEvent, Intent, Transcript, Visitor, WebContext};
use wabridge_model::cluster::Cluster;
use wabridge_model::event::{Business, Echo, Event, Fact, Message, MessageKind, Person, Status, StatusState};
use wabridge_model::evidence::{Evidence, Proof, Report};
use wabridge_model::id::{Bsuid, Email, EventKey};
use wabridge_model::lead::Lead;

/// Our number.
pub(super) const OURS: &str = "+918047000000";
/// Another one of ours.
pub(super) const OTHER: &str = "+918047000001";

/// An instant of the day on which it all happens.
pub(super) fn at(time: &str) -> Timestamp {
    format!("2026-11-22T{time}Z").parse().expect("a time of day")
}

fn phone(e164: &str) -> Phone {
    Phone::from_whatsapp_id(e164.trim_start_matches('+')).expect("a phone")
}

/// Who writes.
pub(super) fn asha() -> Person {
    Person {
        phone: Some(phone("+919876543210")),
        bsuid: Bsuid::parse("IN.b1"),
        parent_bsuid: Bsuid::parse("IN.ENT.p1"),
        username: Some("asha.rao".to_owned()),
        email: Email::parse("Asha@Example.in"),
        name: Some("Asha 🌸 Rao".to_owned()),
        ..Person::default()
    }
}

/// Something that happened at an instant with one of our numbers.
pub(super) fn evidence(at: Timestamp, number: Option<&str>, person: Person, fact: Fact) -> Evidence {
    let id = format!("{at} {}", serde_json::to_string(&fact).expect("facts are JSON"));
    let business = Business { number: number.map(phone), portfolio: "default".into(), ..Business::default() };
    let event = Event { key: EventKey::new("t", &[&id]), business, occurred_at: Some(at), person, fact };
    Evidence::from(Report {
        channel: "main".into(),
        provider: "meta".into(),
        proof: Proof::Signed,
        secondary: false,
        received_at: at,
        event,
    })
}

pub(super) fn message(text: &str) -> Message {
    Message { text: Some(text.to_owned()), ..Message::new(text, MessageKind::Text) }
}

/// They write to our number.
pub(super) fn they(time: &str, text: &str) -> Evidence {
    evidence(at(time), Some(OURS), asha(), Fact::Message(message(text)))
}

/// We write from our number.
pub(super) fn we(time: &str, text: &str) -> Evidence {
    let echo =
        Echo { id: format!("o{time}"), kind: MessageKind::Text, text: Some(text.to_owned()), history: false };
    evidence(at(time), Some(OURS), asha(), Fact::Echo(echo))
}

/// A status of a message of ours.
pub(super) fn status(time: &str, id: &str, state: StatusState, codes: &[u32]) -> Evidence {
    let status = Status { message_id: id.to_owned(), state, codes: codes.to_vec(), free_entry_until: None };
    evidence(at(time), Some(OURS), asha(), Fact::Status(status))
}

/// A bot's event of a conversation, of which nothing is said yet.
pub(super) fn bot(conversation: &str, event_type: &str) -> ChatbotEvent {
    ChatbotEvent {
        event_id: String::new(),
        event_type: event_type.into(),
        bot_id: "site".to_owned(),
        conversation_id: Some(conversation.to_owned()),
        visitor: Visitor::default(),
        context: WebContext::default(),
        intent: Intent::default(),
        transcript: Transcript::default(),
        deal: None,
        crm_target: None,
        consent: None,
        custom: Map::new(),
    }
}

/// A bot tells of them.
pub(super) fn by_bot(time: &str, event: ChatbotEvent) -> Evidence {
    let event = ChatbotEvent { event_id: time.to_owned(), ..event };
    evidence(at(time), None, asha(), Fact::Chatbot(Box::new(event)))
}

/// Values of a bot's own.
pub(super) fn own(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

/// The one lead that evidence makes; it is put into its order.
pub(super) fn lead(evidence: &mut [Evidence]) -> Lead {
    let folded = Cluster::fold(evidence);
    assert_eq!(folded.cluster.leads.len(), 1, "one person");
    folded.cluster.leads.into_iter().next().expect("one person")
}
