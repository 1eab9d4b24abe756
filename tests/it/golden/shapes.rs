//! One story, as each provider's wire has it: an ad is clicked, the chat opens, a text, a button, an answer from
//! the business, its statuses, an opt-out at the provider, STOP.
//!
//! A shape tells every step that its wire can carry, with everything the wire can carry of it, and no more.
//! Whether that is what its provider's `Passes` promise, is for `golden.rs` to find out.

use super::Part::{self, *};
use super::{BUSINESS, START};
use jiff::Timestamp;
use serde_json::{Value, json};

/// What happens, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The chat is opened from the ad; nothing is written yet.
    Welcome,
    /// The first text, from the ad.
    Text,
    /// A quick reply is tapped.
    Button,
    /// The business answers from its app.
    Echo,
    /// That answer is on its way, ...
    Sent,
    /// ... has arrived, ...
    Delivered,
    /// ... was read.
    Read,
    /// The provider's own notice of an opt-out.
    OptOut,
    /// The customer writes STOP.
    Stop,
}

use Step::*;

/// Every step, and how long after the story's start it happens.
pub(super) const STEPS: [(Step, i64); 9] = [
    (Welcome, 0),
    (Text, 5),
    (Button, 30),
    (Echo, 60),
    (Sent, 70),
    (Delivered, 80),
    (Read, 90),
    (OptOut, 110),
    (Stop, 120),
];

/// One wire format of one provider.
pub(super) struct Shape {
    pub(super) name: &'static str,
    /// The provider, and the secret of its channel.
    pub(super) provider: (&'static str, &'static str),
    /// The id by which it names the business number, as the configuration maps it.
    pub(super) account_id: &'static str,
    /// What this shape cannot say although the provider can, and what no cell of `Passes` is about.
    pub(super) without: &'static [Part],
    /// Why it says nothing of ads, where it says nothing.
    pub(super) silence: &'static str,
    /// A step as it is sent, at that time by the provider's clock; `None`: the wire cannot carry it.
    pub(super) tell: fn(Step, Timestamp) -> Option<String>,
}

const SILENT: &str = "provider_reports_nothing";
const SECRET: &str = "fixture-golden-secret-0000000000001";

/// Every shape; the first is what the others are compared with.
pub(super) const SHAPES: &[Shape] = &[
    Shape {
        name: "meta",
        provider: ("meta", SECRET),
        account_id: "106540352242922",
        without: &[],
        silence: SILENT,
        tell: cloud_in_full,
    },
    Shape {
        name: "dialog360, Cloud API",
        provider: ("dialog360", SECRET),
        account_id: "106540352242922",
        without: &[],
        silence: SILENT,
        tell: cloud_in_full,
    },
    Shape {
        name: "dialog360, older API",
        provider: ("dialog360", SECRET),
        account_id: "-",
        without: &[Bsuid, Wamid, Echoes, OptOuts, BusinessNumber],
        silence: SILENT,
        tell: older,
    },
    Shape {
        name: "gupshup, version 3",
        provider: ("gupshup", SECRET),
        account_id: "106540352242922",
        without: &[],
        silence: SILENT,
        tell: gupshup_v3,
    },
    Shape {
        name: "gupshup, version 2",
        provider: ("gupshup", SECRET),
        account_id: "BootShop",
        without: &[Ad, ClickId, Echoes, Welcomes],
        silence: "provider_version",
        tell: gupshup_v2,
    },
    Shape {
        name: "twilio",
        provider: ("twilio", SECRET),
        account_id: "whatsapp:+918047000000",
        without: &[Welcomes],
        silence: SILENT,
        tell: twilio,
    },
    Shape {
        name: "wati, events with user ids",
        provider: ("wati", SECRET),
        account_id: "918047000000",
        without: &[Headline, SentStatus],
        silence: SILENT,
        tell: wati_with_ids,
    },
    Shape {
        name: "wati, plain events",
        provider: ("wati", SECRET),
        account_id: "918047000000",
        without: &[Bsuid, Headline, SentStatus],
        silence: SILENT,
        tell: wati_plain,
    },
    Shape {
        name: "aisensy",
        provider: ("aisensy", SECRET),
        account_id: "65f000000000000000000001",
        without: &[Ad, ClickId, Welcomes],
        silence: SILENT,
        tell: aisensy,
    },
    Shape {
        name: "interakt, with a referral",
        provider: ("interakt", SECRET),
        account_id: "-",
        without: &[Wamid, BusinessNumber, Welcomes],
        silence: SILENT,
        tell: interakt_with_referral,
    },
    Shape {
        name: "interakt, as documented",
        provider: ("interakt", SECRET),
        account_id: "-",
        without: &[Wamid, Ad, ClickId, BusinessNumber, Welcomes],
        silence: SILENT,
        tell: interakt_as_documented,
    },
    Shape {
        name: "chatbot",
        provider: ("chatbot", "whsec_Zml4dHVyZS1nb2xkZW4tc2VjcmV0LTAwMDAwMDAwMDA="),
        account_id: "-",
        without: &[Ad, Bsuid, Welcomes, Whatsapp],
        silence: SILENT,
        tell: chatbot,
    },
];

const PHONE: &str = "919800000001";
const NAME: &str = "Asha Fixture";
const USER_ID: &str = "IN.70000000000000000001";
const AD: &str = "120210000000000001";
const AD_URL: &str = "https://fb.me/fixture1";
const HEADLINE: &str = "Winter boots";
const CLICK: &str = "ARFixtureClickId0001";

/// What is written in a step, and the number of its message. The statuses are of the answer.
fn message(step: Step) -> (&'static str, u8) {
    match step {
        Welcome => ("", 1),
        Text => ("Are the boots still there?", 2),
        Button => ("Yes, book it", 3),
        Echo | Sent | Delivered | Read => ("We have them in 42", 4),
        OptOut => ("", 5),
        Stop => ("STOP", 6),
    }
}

/// WhatsApp's own id of a step's message.
fn wamid(step: Step) -> String {
    format!("wamid.GOLDEN{}", message(step).1)
}

fn state(step: Step) -> Option<&'static str> {
    match step {
        Sent => Some("sent"),
        Delivered => Some("delivered"),
        Read => Some("read"),
        _ => None,
    }
}

/// What of the story is said: all of it, or what some other provider can say.
pub(super) type Says<'a> = &'a dyn Fn(Part) -> bool;

fn cloud_in_full(step: Step, at: Timestamp) -> Option<String> {
    cloud(step, at, &|_| true)
}

/// Meta's own shape, without what is not said.
pub(super) fn cloud(step: Step, at: Timestamp, says: Says<'_>) -> Option<String> {
    let at = at.as_second().to_string();
    let customer = |id: String, person: &mut Value| {
        if says(Bsuid) {
            person["user_id"] = json!(USER_ID);
        }
        if says(Name) {
            person["profile"] = json!({"name": NAME});
        }
        json!({"from": PHONE, "id": id, "timestamp": at})
    };
    let mut person = json!({"wa_id": PHONE});
    let (field, value) = match step {
        Echo => {
            let echo = json!({"from": BUSINESS, "to": PHONE, "id": wamid(step), "timestamp": at, "type": "text",
                              "text": {"body": message(step).0}});
            ("smb_message_echoes", json!({"message_echoes": [echo]}))
        }
        Sent | Delivered | Read => {
            let status =
                json!({"id": wamid(step), "status": state(step), "timestamp": at, "recipient_id": PHONE});
            ("messages", json!({"statuses": [status]}))
        }
        OptOut => {
            let choice = json!({"wa_id": PHONE, "category": "marketing_messages", "value": "stop",
                                "timestamp": at.parse::<i64>().unwrap()});
            ("user_preferences", json!({"user_preferences": [choice]}))
        }
        Welcome | Text | Button | Stop => {
            let mut sent = customer(wamid(step), &mut person);
            content(step, &mut sent);
            if matches!(step, Welcome | Text) && says(Ad) {
                sent["referral"] = referral(says);
            }
            ("messages", json!({"contacts": [person], "messages": [sent]}))
        }
    };
    let mut value = value;
    value["messaging_product"] = json!("whatsapp");
    value["metadata"] = json!({"display_phone_number": BUSINESS, "phone_number_id": SHAPES[0].account_id});
    let change = json!({"field": field, "value": value});
    Some(
        json!({"object": "whatsapp_business_account", "entry": [{"id": "9", "changes": [change]}]})
            .to_string(),
    )
}

fn content(step: Step, sent: &mut Value) {
    let text = message(step).0;
    (sent["type"], sent["text"]) = match step {
        Welcome => (json!("request_welcome"), Value::Null),
        Button => (json!("button"), Value::Null),
        _ => (json!("text"), json!({"body": text})),
    };
    if step == Button {
        sent["button"] = json!({"text": text, "payload": "BOOK"});
    }
}

fn referral(says: Says<'_>) -> Value {
    let mut referral = json!({"source_url": AD_URL, "source_id": AD, "source_type": "ad"});
    if says(Headline) {
        referral["headline"] = json!(HEADLINE);
    }
    if says(ClickId) {
        referral["ctwa_clid"] = json!(CLICK);
    }
    referral
}

/// 360dialog's older API: Meta's lists without what is around them, and other ids.
fn older(step: Step, at: Timestamp) -> Option<String> {
    let (id, at) = (format!("gBEGGolden{}", message(step).1), at.as_second().to_string());
    let body = match step {
        Echo | OptOut => return None,
        Sent | Delivered | Read => {
            json!({"statuses": [{"id": id, "status": state(step), "timestamp": at, "recipient_id": PHONE}]})
        }
        Welcome | Text | Button | Stop => {
            let mut sent = json!({"from": PHONE, "id": id, "timestamp": at});
            content(step, &mut sent);
            if matches!(step, Welcome | Text) {
                sent["referral"] = referral(&|_| true);
            }
            json!({"contacts": [{"profile": {"name": NAME}, "wa_id": PHONE}], "messages": [sent]})
        }
    };
    Some(body.to_string())
}

fn gupshup_v3(step: Step, at: Timestamp) -> Option<String> {
    let body = cloud_in_full(step, at)?;
    Some(format!(r#"{},"gs_app_id":"82ed52f4-0000-4000-8000-00000000f1f1"}}"#, body.strip_suffix('}')?))
}

fn gupshup_v2(step: Step, at: Timestamp) -> Option<String> {
    let (text, id) = (message(step).0, wamid(step));
    let sender = json!({"phone": PHONE, "name": NAME, "country_code": "91", "dial_code": &PHONE[2..], "userId": USER_ID});
    let sent = |kind: &str, payload: Value| json!({"id": id, "source": PHONE, "type": kind, "payload": payload, "sender": sender});
    let (kind, payload) = match step {
        Welcome | Echo => return None,
        Text | Stop => ("message", sent("text", json!({"text": text}))),
        Button => ("message", sent("quick_reply", json!({"text": text, "type": "button"}))),
        Sent | Delivered | Read => {
            let ts = json!({"ts": at.as_second()});
            ("message-event", json!({"id": id, "type": state(step), "destination": PHONE, "payload": ts}))
        }
        OptOut => ("user-event", json!({"phone": PHONE, "type": "opted-out"})),
    };
    let body = json!({"app": "BootShop", "timestamp": at.as_millisecond(), "version": 2, "type": kind, "payload": payload});
    Some(body.to_string())
}

fn twilio(step: Step, _at: Timestamp) -> Option<String> {
    let (text, number) = message(step);
    let (ours, theirs) = (format!("whatsapp:+{BUSINESS}"), format!("whatsapp:+{PHONE}"));
    let sid = format!("SM{number:032}");
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.append_pair("AccountSid", "AC00000000000000000000000000000001").append_pair("MessageSid", &sid);
    match step {
        Welcome | Echo | OptOut => return None,
        Sent | Delivered | Read => {
            form.append_pair("From", &ours).append_pair("To", &theirs);
            form.append_pair("MessageStatus", state(step)?);
        }
        Text | Button | Stop => {
            form.append_pair("From", &theirs).append_pair("To", &ours).append_pair("WaId", PHONE);
            form.append_pair("ProfileName", NAME).append_pair("ExternalUserId", USER_ID);
            form.append_pair("SmsStatus", "received").append_pair("Body", text);
            form.append_pair("MessageType", if step == Button { "button" } else { "text" });
        }
    }
    if step == Text {
        form.append_pair("ReferralSourceType", "ad").append_pair("ReferralSourceId", AD);
        form.append_pair("ReferralSourceUrl", AD_URL).append_pair("ReferralHeadline", HEADLINE);
        form.append_pair("ReferralCtwaClid", CLICK);
    }
    Some(form.finish())
}

fn wati_plain(step: Step, at: Timestamp) -> Option<String> {
    Some(wati(step, at)?.to_string())
}

fn wati_with_ids(step: Step, at: Timestamp) -> Option<String> {
    let mut body = wati(step, at)?;
    body["eventType"] = json!(format!("{}_bsuid", body["eventType"].as_str()?));
    // Of what the business sent, the customer is not always named.
    if !matches!(step, Echo | Delivered | Read) {
        body["bsuid"] = json!(USER_ID);
    }
    Some(body.to_string())
}

fn wati(step: Step, at: Timestamp) -> Option<Value> {
    let (text, number) = message(step);
    let mut body = json!({"id": format!("6921a000000000000000000{number}"), "timestamp": at.as_second().to_string(),
                          "text": text, "type": "text"});
    let (event, shows_customer) = match step {
        // A template's or an agent's message is told as sent by its own event, the echo.
        Sent | OptOut => return None,
        Welcome => ("newContactMessageReceived", true),
        Text | Button | Stop => ("message", true),
        Echo => ("sessionMessageSent", true),
        Delivered => ("sentMessageDELIVERED", false),
        Read => ("sentMessageREAD", false),
    };
    body["eventType"] = json!(event);
    if step == Welcome {
        body["created"] = json!(at.to_string());
    } else {
        body["whatsappMessageId"] = json!(wamid(step));
    }
    if shows_customer {
        body["waId"] = json!(PHONE);
        body["senderName"] = json!(if step == Echo { "Agent Fixture" } else { NAME });
        body["owner"] = json!(step == Echo);
    }
    if !matches!(step, Welcome | Echo) {
        body["channelPhoneNumber"] = json!(BUSINESS);
    }
    if step == Button {
        (body["text"], body["type"]) = (Value::Null, json!("button"));
        body["buttonReply"] = json!({"text": text, "payload": "BOOK"});
    }
    let from_ad = matches!(step, Welcome | Text);
    body["sourceType"] = json!(if from_ad { 7 } else { 0 });
    if from_ad {
        (body["sourceId"], body["sourceUrl"]) = (json!(AD), json!(AD_URL));
    }
    Some(body)
}

fn aisensy(step: Step, at: Timestamp) -> Option<String> {
    let (text, number) = message(step);
    let (topic, sender) = match step {
        Welcome | OptOut => return None,
        Text | Button | Stop => ("message.sender.user", "USER"),
        Echo => ("message.created", "AGENT"),
        Sent | Delivered | Read => ("message.status.updated", "AGENT"),
    };
    let mut sent = json!({"id": format!("6921b000000000000000a00{number}"), "messageId": wamid(step), "sender": sender,
        "phone_number": &PHONE[2..], "countryCode": "91", "userName": NAME, "status": "SENT",
        "message_type": if step == Button { "QUICK_REPLY" } else { "TEXT" },
        "message_content": {"text": text}, "sent_at": at.as_millisecond(), "failureResponse": {}});
    if let Some(state) = state(step) {
        sent["status"] = json!(state.to_uppercase());
        // When it was sent stays in it, whatever became of it.
        sent["sent_at"] = json!((START.parse::<Timestamp>().unwrap().as_second() + 70) * 1000);
        sent[format!("{state}_at")] = json!(at.as_millisecond());
    }
    let body = json!({"id": format!("6921b00000000000000000{number}{}", step as u8), "created_at": at.to_string(),
        "topic": topic, "project_id": "65f000000000000000000001", "data": {"message": sent}});
    Some(body.to_string())
}

fn interakt_as_documented(step: Step, at: Timestamp) -> Option<String> {
    Some(interakt(step, at)?.to_string())
}

fn interakt_with_referral(step: Step, at: Timestamp) -> Option<String> {
    let mut body = interakt(step, at)?;
    if step == Text {
        body["data"]["message"]["referral"] = referral(&|_| true);
    }
    Some(body.to_string())
}

fn interakt(step: Step, at: Timestamp) -> Option<Value> {
    let (text, number) = message(step);
    let naive = |at: Timestamp| at.to_string().trim_end_matches('Z').to_owned();
    let (kind, key) = match step {
        Welcome | Echo | OptOut => return None,
        Text | Button | Stop => ("message_received", "received_at_utc"),
        Sent => ("message_api_sent", "received_at_utc"),
        Delivered => ("message_api_delivered", "delivered_at_utc"),
        Read => ("message_api_read", "seen_at_utc"),
    };
    let is_ours = state(step).is_some();
    let mut sent = json!({"id": format!("b0000000-0000-4000-8000-00000000000{number}"), "message": text,
        "chat_message_type": if is_ours { "PublicApiMessage" } else { "CustomerMessage" },
        "message_content_type": if step == Button { "QuickReply" } else { "Text" }, "meta_data": {}});
    sent["message_status"] = json!(state(step));
    sent[key] = json!(naive(at));
    let customer = json!({"channel_phone_number": PHONE, "phone_number": &PHONE[2..], "country_code": "+91",
                          "traits": {"name": NAME}});
    Some(
        json!({"version": "1.0", "timestamp": naive(at), "type": kind, "data": {"customer": customer, "message": sent}}),
    )
}

/// The same visit by way of the website's bot: no message of WhatsApp is in it.
fn chatbot(step: Step, at: Timestamp) -> Option<String> {
    let (text, number) = message(step);
    let event = match step {
        Welcome | Echo | Sent | Delivered | Read => return None,
        Text => "lead.created",
        Button | Stop => "conversation.updated",
        OptOut => "consent.withdrawn",
    };
    let mut body = json!({"event_id": format!("golden-{number}"), "event_type": event, "occurred_at": at.to_string(),
        "bot_id": "boots", "visitor": {"phone": format!("+{PHONE}"), "name": NAME}});
    match step {
        OptOut => body["consent"] = json!({"purpose": "advertising"}),
        _ => body["transcript"] = json!({"summary": text}),
    }
    if step == Text {
        body["context"] = json!({"source_url": AD_URL, "utm_source": "facebook", "utm_campaign": AD});
    }
    Some(body.to_string())
}
