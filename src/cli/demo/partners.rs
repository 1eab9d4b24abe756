//! The part of the demo's story that comes by Meta's partners, each in its own format.

use super::script::{BUSINESS, ad, ago, envelope, text, with_referral};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// What the partners send: the channel and the body.
pub(super) fn partners(now: Timestamp) -> Vec<(&'static str, Value)> {
    let mut story = dialog360(now);
    story.extend(gupshup(now));
    story.extend(wati(now));
    story.extend(aisensy(now));
    story.extend(interakt(now));
    story
}

fn milliseconds(now: Timestamp, minutes: i64) -> i64 {
    (now - SignedDuration::from_mins(minutes)).as_millisecond()
}

/// Meta's own shape: an ad, and the answer that somebody gave from the app.
fn dialog360(now: Timestamp) -> Vec<(&'static str, Value)> {
    let message = with_referral(
        text("915550000010", "Jaya Demo", "wamid.demo-j1", &ago(now, 15), "Are you open on Sunday?"),
        ad("120210000000004", Some("ARAdemoClickThree"), "Open all week"),
    );
    let echo = json!({"message_echoes": [{"from": BUSINESS, "to": "915550000010", "id": "wamid.demo-j2",
        "timestamp": ago(now, 12), "type": "text", "text": {"body": "Until six"}}]});
    let bodies = [envelope("messages", message), envelope("smb_message_echoes", echo)];
    bodies.map(|body| ("dialog360", body)).into()
}

/// Version 2, which cannot tell of ads, and version 3, which can; both by one channel.
fn gupshup(now: Timestamp) -> Vec<(&'static str, Value)> {
    let older = json!({"app": "DemoShop", "timestamp": milliseconds(now, 50), "version": 2, "type": "message",
        "payload": {"id": "wamid.demo-k1", "source": "915550000011", "type": "text", "payload": {"text": "Hello"},
        "sender": {"phone": "915550000011", "name": "Kiran Demo", "country_code": "91", "dial_code": "5550000011"}}});
    let status = json!({"statuses": [{"id": "wamid.demo-k2", "gs_id": "demo-k2", "recipient_id": "915550000011",
        "status": "delivered", "timestamp": ago(now, 48)}]});
    vec![("gupshup", older), ("gupshup", envelope("messages", status))]
}

/// An ad without its click id, which Wati takes away; an answer; and a status that names nobody.
fn wati(now: Timestamp) -> Vec<(&'static str, Value)> {
    let message = json!({"eventType": "message_bsuid", "id": "demo-l1", "whatsappMessageId": "wamid.demo-l1",
        "timestamp": ago(now, 40), "owner": false, "type": "text", "text": "How much is the lamp?",
        "waId": "915550000012", "senderName": "Lata Demo", "bsuid": "IN.5550000012", "sourceType": 7,
        "sourceId": "120210000000005", "sourceUrl": "https://fb.me/120210000000005", "channelPhoneNumber": BUSINESS});
    let answer = json!({"eventType": "sessionMessageSent_v2", "id": "demo-l2", "whatsappMessageId": "wamid.demo-l2",
        "timestamp": ago(now, 38), "owner": true, "type": "text", "text": "900 rupees", "waId": "915550000012"});
    let read = json!({"eventType": "sentMessageREAD_v2", "id": "demo-l2", "whatsappMessageId": "wamid.demo-l2",
        "timestamp": ago(now, 37), "statusString": "Read", "channelPhoneNumber": BUSINESS});
    [message, answer, read].map(|body| ("wati", body)).into()
}

/// A phone without its country code, and a person who wants no more messages.
fn aisensy(now: Timestamp) -> Vec<(&'static str, Value)> {
    let message = |number: u8, minutes: i64, text: &str| {
        let sent = json!({"id": format!("demo-m{number}"), "messageId": format!("wamid.demo-m{number}"),
            "sender": "USER", "phone_number": "5550000013", "countryCode": "91", "userName": "Mohan Demo",
            "message_type": "TEXT", "message_content": {"text": text}, "status": "DELIVERED",
            "sent_at": milliseconds(now, minutes)});
        let body = json!({"id": format!("demo-n{number}"), "topic": "message.sender.user", "project_id": "demo-project",
            "created_at": (now - SignedDuration::from_mins(minutes)).to_string(), "data": {"message": sent}});
        ("aisensy", body)
    };
    vec![message(1, 35, "Where is my parcel?"), message(2, 25, "STOP")]
}

/// A phone in two parts, and times without a zone.
fn interakt(now: Timestamp) -> Vec<(&'static str, Value)> {
    let naive = (now - SignedDuration::from_mins(10)).to_string().trim_end_matches('Z').to_owned();
    let customer =
        json!({"phone_number": "5550000014", "country_code": "+91", "traits": {"name": "Nisha Demo"}});
    let message = json!({"id": "d0000000-0000-4000-8000-000000000001", "chat_message_type": "CustomerMessage",
        "message_content_type": "Text", "message": "Do you have it in red?", "received_at_utc": naive, "meta_data": {}});
    let data = json!({"customer": customer, "message": message});
    vec![(
        "interakt",
        json!({"version": "1.0", "timestamp": naive, "type": "message_received", "data": data}),
    )]
}
