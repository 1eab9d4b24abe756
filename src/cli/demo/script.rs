//! The demo's story: a day at a shop, as the providers would tell it. Nobody in it exists, and no number
//! in it can be a mobile number of India.

use super::partners::partners;
use crate::config::Config;
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use wabridge_providers::{Account, Secrets, Unsignable, registry};

/// The shop's number.
pub(super) const BUSINESS: &str = "918047000000";
const PHONE_NUMBER_ID: &str = "106540352242922";
const ACCOUNT_SID: &str = "AC00000000000000000000000000000001";

/// The ids under which the providers know the shop's number.
pub(super) fn accounts() -> impl Iterator<Item = &'static str> {
    [PHONE_NUMBER_ID, "whatsapp:+918047000000"].into_iter()
}

/// Someone in the story: who they are, and how the API finds them.
pub(super) struct Person {
    /// How the story calls them.
    pub(super) story: &'static str,
    /// A phone or a business-scoped user id.
    pub(super) lead: &'static str,
}

/// Everyone in the story.
pub(super) fn people() -> Vec<Person> {
    [
        ("clicked an ad and wrote 20 minutes ago", "+915550000001"),
        ("came by Twilio from another ad, just now", "+915550000002"),
        ("saw an ad in Status and wrote 30 hours ago", "+915550000003"),
        ("wrote 2 hours ago, but a reply was refused", "+915550000004"),
        ("talked to the chatbot on the website only", "+915550000005"),
        ("wrote, then changed the number", "+915550000016"),
        ("hides the phone behind a username; saw a post", "IN.5550000007"),
        ("stopped marketing, then asked something", "+915550000008"),
        ("called an hour ago", "+915550000009"),
        ("came by 360dialog from an ad, was answered", "+915550000010"),
        ("wrote by Gupshup, whose version 2 has no ads", "+915550000011"),
        ("came by Wati from an ad, its click taken away", "+915550000012"),
        ("wrote STOP by AiSensy", "+915550000013"),
        ("wrote by Interakt 10 minutes ago", "+915550000014"),
    ]
    .map(|(story, lead)| Person { story, lead })
    .into()
}

/// One request, ready to be posted.
#[derive(Clone)]
pub(super) struct Request {
    /// The channel, and the token of its URL where it has one.
    pub(super) path: String,
    /// The query that the signature adds.
    pub(super) query: Option<String>,
    /// The headers, signature included.
    pub(super) headers: Vec<(String, String)>,
    /// The body.
    pub(super) body: Vec<u8>,
    /// Whether it proves its sender.
    pub(super) genuine: bool,
}

/// The whole story as its providers prove it: each request delivered twice, newest first; and of every channel
/// a forgery, by somebody who knows everything but the secret.
pub(super) fn requests(now: Timestamp, config: &Config) -> Result<Vec<Request>, Unsignable> {
    let meta = meta(now).into_iter().map(|value| ("meta", value.to_string()));
    let twilio = twilio().into_iter().map(|form| ("twilio", form));
    let chatbot = chatbot(now).into_iter().map(|value| ("chatbot", value.to_string()));
    let partners = partners(now).into_iter().map(|(slug, value)| (slug, value.to_string()));
    let mut requests = Vec::new();
    let mut forged = BTreeMap::new();
    for (slug, body) in meta.chain(twilio).chain(chatbot).chain(partners) {
        let account = account(slug, config)?;
        if !forged.contains_key(slug) {
            let account = Account { secrets: guessed(&account.secrets), ..account.clone() };
            let request = sign(slug, body.clone().into_bytes(), now, &account)?;
            forged.insert(slug, Request { genuine: false, ..request });
        }
        requests.push(sign(slug, body.into_bytes(), now, &account)?);
    }
    let again: Vec<Request> = requests.iter().rev().cloned().collect();
    requests.reverse();
    requests.extend(again);
    requests.extend(forged.into_values());
    Ok(requests)
}

fn account(slug: &str, config: &Config) -> Result<Account, Unsignable> {
    let channel = config.channel(slug).ok_or(MISSING)?;
    let secrets = channel.resolve_secrets().map_err(|_| Unsignable::NoSecret)?;
    Ok(Account { secrets, ..channel.account(&config.server, &config.region) })
}

const MISSING: Unsignable = Unsignable::Unfit("the demo has no such channel");

/// Secrets of the same form that are not the channel's.
fn guessed(secrets: &Secrets) -> Secrets {
    let guess = |secrets: &[SecretString]| -> Vec<SecretString> {
        let is_standard = |secret: &SecretString| secret.expose_secret().starts_with("whsec_");
        let text = |secret| if is_standard(secret) { GUESS } else { "a-guess" };
        secrets.iter().map(|secret| text(secret).into()).collect()
    };
    Secrets {
        signing: guess(&secrets.signing),
        path_tokens: guess(&secrets.path_tokens),
        ..Secrets::default()
    }
}

const GUESS: &str = "whsec_Z3Vlc3NlZC1ieS1zb21lYm9keS1lbHNlLTAwMDE=";

fn sign(slug: &str, body: Vec<u8>, now: Timestamp, account: &Account) -> Result<Request, Unsignable> {
    let signed = registry::find(slug).ok_or(MISSING)?.sign(&body, now, account)?;
    let token = signed.path_token.map_or_else(String::new, |token| format!("/{token}"));
    Ok(Request {
        path: format!("{slug}{token}"),
        query: signed.query,
        headers: signed.headers,
        body,
        genuine: true,
    })
}

pub(super) fn ago(now: Timestamp, minutes: i64) -> String {
    (now - SignedDuration::from_mins(minutes)).as_second().to_string()
}

pub(super) fn envelope(field: &str, mut value: Value) -> Value {
    value["messaging_product"] = json!("whatsapp");
    value["metadata"] = json!({"display_phone_number": BUSINESS, "phone_number_id": PHONE_NUMBER_ID});
    json!({"object": "whatsapp_business_account",
           "entry": [{"id": "102290129340398", "changes": [{"field": field, "value": value}]}]})
}

pub(super) fn text(from: &str, name: &str, id: &str, at: &str, body: &str) -> Value {
    json!({"contacts": [{"profile": {"name": name}, "wa_id": from}],
           "messages": [{"from": from, "id": id, "timestamp": at, "type": "text", "text": {"body": body}}]})
}

pub(super) fn with_referral(mut value: Value, referral: Value) -> Value {
    value["messages"][0]["referral"] = referral;
    value
}

pub(super) fn ad(id: &str, click: Option<&str>, headline: &str) -> Value {
    let mut referral = json!({"source_url": format!("https://fb.me/{id}"), "source_id": id, "source_type": "ad",
                              "headline": headline, "body": "Message us on WhatsApp", "media_type": "image"});
    if let Some(click) = click {
        referral["ctwa_clid"] = json!(click);
    }
    referral
}

fn meta(now: Timestamp) -> Vec<Value> {
    let mut value = with_referral(
        text("915550000001", "Asha Demo", "wamid.demo-a1", &ago(now, 20), "Is the blue one in stock?"),
        ad("120210000000001", Some("ARAdemoClickOne"), "Monsoon sale"),
    );
    let mut story = vec![envelope("messages", value)];
    value = json!({"statuses": [{"id": "wamid.demo-out1", "status": "sent", "timestamp": ago(now, 18),
                                 "recipient_id": "915550000001"}]});
    story.push(envelope("messages", value));
    value = with_referral(
        text("915550000003", "Chitra Demo", "wamid.demo-c1", &ago(now, 30 * 60), "Price please"),
        ad("120210000000002", None, "Seen in Status"),
    );
    story.push(envelope("messages", value));
    value = text("915550000004", "Deepak Demo", "wamid.demo-d1", &ago(now, 120), "Hello?");
    story.push(envelope("messages", value));
    value = json!({"statuses": [{"id": "wamid.demo-out2", "status": "failed", "timestamp": ago(now, 60),
        "recipient_id": "915550000004", "errors": [{"code": 131_047, "title": "Re-engagement message"}]}]});
    story.push(envelope("messages", value));
    value = text("915550000006", "Farhan Demo", "wamid.demo-f1", &ago(now, 90), "I would like a quote");
    story.push(envelope("messages", value));
    value = json!({"messages": [{"from": "915550000006", "id": "wamid.demo-f2", "timestamp": ago(now, 30),
        "type": "system", "system": {"type": "user_changed_number", "wa_id": "915550000016",
        "body": "A customer changed their number"}}]});
    story.push(envelope("messages", value));
    story.extend(meta_rest(now));
    story
}

fn meta_rest(now: Timestamp) -> Vec<Value> {
    let post = json!({"source_url": "https://fb.me/post", "source_id": "880000000000001", "source_type": "post",
                      "headline": "How we make them"});
    let hidden = json!({"contacts": [{"profile": {"name": "Gita Demo", "username": "gita.demo"}, "user_id": "IN.5550000007"}],
        "messages": [{"from_user_id": "IN.5550000007", "id": "wamid.demo-g1", "timestamp": ago(now, 200),
        "type": "poll_of_the_future", "referral": post}]});
    let stop = json!({"contacts": [{"profile": {"name": "Hari Demo"}, "wa_id": "915550000008"}],
        "user_preferences": [{"wa_id": "915550000008", "detail": "User requested to stop marketing messages",
        "category": "marketing_messages", "value": "stop",
        "timestamp": (now - SignedDuration::from_mins(300)).as_second()}]});
    let question = text("915550000008", "Hari Demo", "wamid.demo-h1", &ago(now, 45), "Where is my order?");
    let call = json!({"contacts": [{"profile": {"name": "Indira Demo"}, "wa_id": "915550000009"}],
        "calls": [{"id": "wacid.demo-i1", "from": "915550000009", "to": BUSINESS, "event": "connect",
        "direction": "USER_INITIATED", "timestamp": ago(now, 60)}]});
    let sample = json!({"object": "whatsapp_business_account", "entry": [{"id": "0", "changes": [{"field": "messages",
        "value": {"messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "16505551111", "phone_number_id": "123456123"},
        "contacts": [{"profile": {"name": "test user name"}, "wa_id": "16315551181"}],
        "messages": [{"from": "16315551181", "id": "ABGGFlA5Fpa", "timestamp": "1504902988", "type": "text",
        "text": {"body": "this is a text message"}}]}}]}]});
    vec![
        envelope("messages", hidden),
        envelope("user_preferences", stop),
        envelope("messages", question),
        envelope("calls", call),
        sample,
    ]
}

fn twilio() -> Vec<String> {
    let message = [
        ("MessageSid", "SM00000000000000000000000000000001"),
        ("AccountSid", ACCOUNT_SID),
        ("From", "whatsapp:+915550000002"),
        ("To", "whatsapp:+918047000000"),
        ("WaId", "915550000002"),
        ("ProfileName", "Bharat Demo"),
        ("MessageType", "text"),
        ("Body", "Do you deliver to Mysuru?"),
        ("NumMedia", "0"),
        ("SmsStatus", "received"),
        ("ReferralSourceType", "ad"),
        ("ReferralSourceId", "120210000000003"),
        ("ReferralSourceUrl", "https://fb.me/120210000000003"),
        ("ReferralHeadline", "Free delivery"),
        ("ReferralCtwaClid", "ARAdemoClickTwo"),
    ];
    let status = [
        ("MessageSid", "SM00000000000000000000000000000002"),
        ("AccountSid", ACCOUNT_SID),
        ("From", "whatsapp:+918047000000"),
        ("To", "whatsapp:+915550000002"),
        ("MessageStatus", "delivered"),
    ];
    let form = |pairs: &[(&str, &str)]| {
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
    };
    vec![form(&message), form(&status)]
}

fn chatbot(now: Timestamp) -> Vec<Value> {
    let at = |minutes| (now - SignedDuration::from_mins(minutes)).to_string();
    vec![
        // Without any name: joined to the visitor when the conversation gets one.
        json!({"event_id": "demo-1", "event_type": "conversation.updated", "occurred_at": at(70), "bot_id": "website",
            "conversation_id": "demo-conversation", "transcript": {"summary": "Asked about bulk orders.", "messages": 6}}),
        json!({"event_id": "demo-2", "event_type": "demo.requested", "occurred_at": at(65), "bot_id": "website",
            "conversation_id": "demo-conversation",
            "visitor": {"name": "Esha Demo", "phone": "+91 55500 00005", "email": "esha@example.in",
                        "company": "Example Traders", "company_size": "11-50", "country": "IN"},
            "context": {"source_url": "https://shop.example.in/bulk", "utm_source": "google", "utm_campaign": "bulk"},
            "intent": {"primary": "pricing", "labels": ["bulk"], "qualification_score": 82},
            "consent": {"purpose": "crm", "text_version": "2026-01", "language": "en"}}),
    ]
}
