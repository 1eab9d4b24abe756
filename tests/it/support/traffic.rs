//! Traffic of all three sources: ten thousand requests about a thousand people.
//!
//! People write and answer through Meta and Twilio, come from ads, change their numbers, and talk to a
//! chatbot that learns who they are in the middle of a conversation, or never. Provider times follow the
//! order of the requests: delivered so, most evidence is the newest; shuffled, most is not.

use super::client::{META_SECRET, Signer, channel, meta_body, text};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::path::Path;
use wabridge::config::Config;

/// A request, signed, and how many events it holds that no other request holds.
pub(crate) struct Request {
    pub(crate) bytes: Vec<u8>,
    pub(crate) items: u64,
}

const PEOPLE: usize = 1000;

/// Three channels, of which two share a business number, on a free port.
pub(crate) fn config(store: &Path) -> Config {
    let mut config = Config::new(store);
    config.server.listen = "127.0.0.1:0".parse().unwrap();
    config.server.public_url = Some("https://hooks.example.com".to_owned());
    config.channels = vec![
        channel("main", "meta", META_SECRET),
        channel("sms", "twilio", "fixture-twilio-token"),
        channel("site", "chatbot", "whsec_Zml4dHVyZS1zZWNyZXQtb2YtdGhlLWNoYXRib3QtIQ=="),
    ];
    config
}

/// The requests numbered `range`, signed for `at`.
pub(crate) fn requests(range: std::ops::Range<usize>, at: Timestamp) -> Vec<Request> {
    let signer = Signer::of(&config(Path::new("/nowhere")));
    range
        .map(|number| {
            let (channel, body, items) = match number % 20 {
                0..10 => ("main", messages(number, at), 2),
                10..12 => ("main", statuses(number, at), 1),
                12 if number % 400 == 12 => ("main", number_change(number, at), 1),
                12..14 => ("main", advert(number, at), 1),
                14..16 => ("sms", twilio_message(number).into_bytes(), 1),
                16 => ("sms", twilio_status(number).into_bytes(), 1),
                _ => ("site", chatbot(number, at), 1),
            };
            Request { bytes: signer.post(channel, &body, at), items }
        })
        .collect()
}

/// Whom a request is about: everyone has about ten of them, of every kind.
fn person(number: usize) -> String {
    format!("447700900{:03}", number.wrapping_mul(7919) / 20 % PEOPLE)
}

/// In the order of the numbers, over the two days before. Twilio says no time: its messages count as of
/// their receipt, after all of these.
fn second(number: usize, at: Timestamp) -> i64 {
    at.as_second() - 172_800 + number as i64 * 17
}

fn messages(number: usize, at: Timestamp) -> Vec<u8> {
    let other = number + 77;
    let messages = [
        text(&format!("wamid.A{number}"), &person(number), second(number, at)),
        text(&format!("wamid.B{number}"), &person(other), second(other, at)),
    ];
    let mut contacts = vec![contact(&person(number), number)];
    if person(number) != person(other) {
        contacts.push(contact(&person(other), other));
    }
    meta_body(json!({"messages": messages, "contacts": contacts}))
}

/// Half of the people have a user id that Meta shows beside the phone.
fn contact(phone: &str, number: usize) -> Value {
    let name = format!("Customer {}", number % 3);
    let mut contact = json!({"wa_id": phone, "profile": {"name": name}});
    if phone.ends_with(['0', '2', '4', '6', '8']) {
        contact["user_id"] = json!(format!("GB.7000000{phone}"));
    }
    contact
}

fn advert(number: usize, at: Timestamp) -> Vec<u8> {
    let mut message = text(&format!("wamid.AD{number}"), &person(number), second(number, at));
    message["referral"] = json!({
        "source_url": "https://fb.example.com/ad", "source_type": "ad", "source_id": format!("12020{}", number % 9),
        "headline": "Autumn sale"
    });
    if !number.is_multiple_of(3) {
        message["referral"]["ctwa_clid"] = json!(format!("click-{}", number / 40));
    }
    meta_body(json!({"messages": [message]}))
}

fn statuses(number: usize, at: Timestamp) -> Vec<u8> {
    let state = ["sent", "delivered", "read", "failed"][number / 20 % 4];
    let mut status = json!({
        "id": format!("wamid.OUT{number}"), "status": state,
        "timestamp": second(number, at).to_string(), "recipient_id": person(number)
    });
    if state == "failed" {
        status["errors"] = json!([{"code": 131_047, "title": "Re-engagement message"}]);
    }
    meta_body(json!({"statuses": [status]}))
}

fn number_change(number: usize, at: Timestamp) -> Vec<u8> {
    let system = json!({
        "type": "user_changed_number", "body": "A number changed", "wa_id": format!("12025550{:03}", 100 + number / 400)
    });
    let message = json!({
        "from": person(number), "id": format!("wamid.NEW{number}"), "timestamp": second(number, at).to_string(),
        "type": "system", "system": system
    });
    meta_body(json!({"messages": [message]}))
}

fn twilio_message(number: usize) -> String {
    let ad = if number % 40 == 14 {
        format!("&ReferralSourceType=ad&ReferralSourceId=12030{}&ReferralCtwaClid=tw-{number}", number % 9)
    } else {
        String::new()
    };
    format!(
        "AccountSid=AC01&MessageSid=SM{number}&SmsStatus=received&MessageType=text&ProfileName=A+Customer&Body=Hi\
         &From=whatsapp%3A%2B{}&To=whatsapp%3A%2B442079460001{ad}",
        person(number)
    )
}

fn twilio_status(number: usize) -> String {
    format!(
        "AccountSid=AC01&MessageSid=SO{number}&MessageStatus=delivered&To=whatsapp%3A%2B{}&From=whatsapp%3A%2B442079460001",
        person(number)
    )
}

/// Conversations of six events or so. In most, one says who it is; in some, two people do.
fn chatbot(number: usize, at: Timestamp) -> Vec<u8> {
    let conversation = number / 40;
    let visitor = match number % 40 {
        17 if !conversation.is_multiple_of(4) => {
            json!({"phone": format!("+{}", person(number)), "name": "A Visitor"})
        }
        38 if conversation.is_multiple_of(5) => json!({"phone": format!("+{}", person(number))}),
        18 if conversation.is_multiple_of(3) => {
            json!({"email": format!("visitor{}@example.com", conversation % 100)})
        }
        _ => Value::Null,
    };
    let occurred_at = at - SignedDuration::from_secs(at.as_second() - second(number, at));
    let event_type = ["lead.created", "conversation.updated", "conversation.ended"][number % 3];
    let event = json!({
        "event_id": format!("evt-{number}"), "bot_id": "pricing-bot", "occurred_at": occurred_at.to_string(),
        "event_type": event_type,
        "conversation_id": format!("conversation-{conversation}"), "visitor": visitor,
        "context": {"utm_source": "search", "source_url": format!("https://shop.example.com/{}", number % 4)}
    });
    serde_json::to_vec(&event).unwrap()
}
