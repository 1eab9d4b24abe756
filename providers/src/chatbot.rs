//! Our own event format, from a chatbot, a form or a web site: one JSON object a request.
//!
//! In: a request signed by Standard Webhooks. Out: one [`Item`]: the event, or the JSON path at fault.
//! The contract is `docs/chatbot-event.schema.json`; a test below compares it with the wire structs and
//! with the model's types, so that none gains a field alone.
//!
//! What the contract leaves open is settled here: `null` is absent; so is a blank text in an optional
//! field that any text may fill, and in `phone` and `email`, because web forms send those; an `email` or
//! `phone` that is stated and cannot be read is a fault, since a lead keyed on less than was stated would
//! be another lead; a number in `deal.amount` keeps its digits, and an exponent is written out.

use crate::provider::{About, Account, Item, Malformed, Passed, Passes, Provider, Verified};
use crate::signature::Scheme;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Number, Value};
use std::fmt;
use std::marker::PhantomData;
use wabridge_model::chatbot::{
    ChatbotEvent, ChatbotEventType, ConsentNotice, CrmTarget, Deal, Intent, Sentiment, Transcript, Utm,
    Visitor as Firmographics, WebContext,
};
use wabridge_model::event::{Business, Event, Fact, Person};
use wabridge_model::id::{Bsuid, Email, EventKey};
use wabridge_model::{Country, Phone};

/// Our own event format.
#[derive(Debug)]
pub struct Chatbot;

static ABOUT: About = About {
    slug: "chatbot",
    name: "Chatbot events",
    scheme: Scheme::StandardWebhooks,
    proof_headers: &["webhook-id", "webhook-timestamp", "webhook-signature"],
    documentation: "docs/chatbot-event.schema.json",
    passes: Passes {
        phone: Passed::If("as the visitor typed it"),
        bsuid: Passed::If("where the bot knows it"),
        name: Passed::Yes,
        wamid: Passed::No,
        ad: Passed::If("as `utm` values"),
        click_id: Passed::No,
        echoes: Passed::No,
        statuses: Passed::No,
        opt_outs: Passed::If("`consent.withdrawn`"),
        time: Passed::Yes,
        business_number: Passed::No,
    },
    retries: true,
};

/// An event as sent. Every field is optional here: what is required is checked by name.
#[derive(Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
struct WireEvent {
    event_id: Option<String>,
    event_type: Option<String>,
    occurred_at: Option<String>,
    bot_id: Option<String>,
    conversation_id: Option<String>,
    visitor: Option<Object<WireVisitor>>,
    context: Option<Object<WireContext>>,
    intent: Option<Object<WireIntent>>,
    transcript: Option<Object<WireTranscript>>,
    deal: Option<Object<WireDeal>>,
    crm_target: Option<Object<WireCrmTarget>>,
    consent: Option<Object<WireConsent>>,
    custom: Option<Map<String, Value>>,
}

#[derive(Deserialize, Default)]
#[cfg_attr(test, derive(serde::Serialize))]
struct WireVisitor {
    email: Option<String>,
    phone: Option<String>,
    name: Option<String>,
    company: Option<String>,
    company_size: Option<String>,
    country: Option<String>,
}

#[derive(Deserialize, Default)]
#[cfg_attr(test, derive(serde::Serialize))]
struct WireContext {
    source_url: Option<String>,
    referrer: Option<String>,
    utm_source: Option<String>,
    utm_medium: Option<String>,
    utm_campaign: Option<String>,
    utm_term: Option<String>,
    utm_content: Option<String>,
    session_id: Option<String>,
}

#[derive(Deserialize, Default)]
#[cfg_attr(test, derive(serde::Serialize))]
struct WireIntent {
    primary: Option<String>,
    labels: Option<Vec<String>>,
    qualification_score: Option<f64>,
    competitor_mentions: Option<Vec<String>>,
}

#[derive(Deserialize, Default)]
#[cfg_attr(test, derive(serde::Serialize))]
struct WireTranscript {
    summary: Option<String>,
    messages: Option<Number>,
    duration_seconds: Option<f64>,
    transcript_url: Option<String>,
    sentiment: Option<Sentiment>,
}

#[derive(Deserialize, Default)]
#[cfg_attr(test, derive(serde::Serialize))]
struct WireDeal {
    /// Raw, because a JSON number read as a float loses digits.
    amount: Option<Box<RawValue>>,
    currency: Option<String>,
}

#[derive(Deserialize, Default)]
#[cfg_attr(test, derive(serde::Serialize))]
struct WireCrmTarget {
    target: Option<String>,
    object: Option<String>,
    create_deal: Option<bool>,
    deal_stage: Option<String>,
    owner_routing: Option<String>,
}

#[derive(Deserialize, Default)]
#[cfg_attr(test, derive(serde::Serialize))]
struct WireConsent {
    given_at: Option<String>,
    text_version: Option<String>,
    language: Option<String>,
    purpose: Option<String>,
}

impl Provider for Chatbot {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn normalise(&self, request: &Verified<'_>, account: &Account) -> Result<Vec<Item>, Malformed> {
        let body = readable(request.body())?;
        let event = WireEvent::read(body).and_then(|wire| wire.into_event(account));
        Ok(vec![event.map_or_else(Item::Quarantined, |event| Item::Event(Box::new(event)))])
    }
}

impl WireEvent {
    fn read(body: &str) -> Result<WireEvent, Malformed> {
        serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_str(body)).map_err(|error| {
            let path = error.path().to_string();
            Malformed { reason: "invalid_field", path: if path == "." { "$".to_owned() } else { path } }
        })
    }

    fn into_event(self, account: &Account) -> Result<Event, Malformed> {
        let event_id = required(self.event_id, "event_id")?;
        let event_type = required(self.event_type, "event_type")?;
        let occurred_at = instant(&required(self.occurred_at, "occurred_at")?, "occurred_at")?;
        let bot_id = required(self.bot_id, "bot_id")?;
        let (person, visitor) = inner(self.visitor).into_model(account.default_country)?;
        let chatbot = ChatbotEvent {
            event_type: ChatbotEventType::from(event_type),
            conversation_id: stated(self.conversation_id),
            visitor,
            context: inner(self.context).into_model(),
            intent: inner(self.intent).into_model()?,
            transcript: inner(self.transcript).into_model()?,
            deal: self.deal.map(|Object(deal)| deal.into_model()).transpose()?,
            crm_target: self.crm_target.map(|Object(target)| target.into_model()),
            consent: self.consent.map(|Object(consent)| consent.into_model()).transpose()?,
            custom: self.custom.unwrap_or_default(),
            event_id,
            bot_id,
        };
        Ok(Event {
            key: key(&account.channel, &chatbot),
            business: Business {
                account_id: Some(chatbot.bot_id.clone()),
                number: account.business_number.clone(),
                portfolio: account.portfolio.clone(),
            },
            occurred_at: Some(occurred_at),
            person,
            fact: Fact::Chatbot(Box::new(chatbot)),
        })
    }
}

impl WireVisitor {
    fn into_model(self, default_country: Country) -> Result<(Person, Firmographics), Malformed> {
        let mut person = Person { name: stated(self.name), ..Person::default() };
        if let Some(text) = stated(self.email) {
            person.email = Some(Email::parse(&text).ok_or_else(|| invalid("visitor.email"))?);
        }
        if let Some(text) = stated(self.phone) {
            // WhatsApp gives bots a business-scoped id where a person hides the number.
            person.bsuid = Bsuid::parse(text.trim());
            if person.bsuid.is_none() {
                let phone = Phone::parse(&text, default_country).map_err(|_| invalid("visitor.phone"))?;
                let plain = text == phone.e164() || phone.e164().strip_prefix('+') == Some(&text);
                person.phone_as_sent = Some(text).filter(|_| !plain);
                person.phone = Some(phone);
            }
        }
        let country = self.country.map(|code| country(&code)).transpose()?;
        let visitor =
            Firmographics { company: stated(self.company), company_size: stated(self.company_size), country };
        Ok((person, visitor))
    }
}

impl WireContext {
    fn into_model(self) -> WebContext {
        WebContext {
            source_url: stated(self.source_url),
            referrer: stated(self.referrer),
            utm: Utm {
                source: stated(self.utm_source),
                medium: stated(self.utm_medium),
                campaign: stated(self.utm_campaign),
                term: stated(self.utm_term),
                content: stated(self.utm_content),
            },
            session_id: stated(self.session_id),
        }
    }
}

impl WireIntent {
    fn into_model(self) -> Result<Intent, Malformed> {
        let qualification_score =
            in_range(self.qualification_score, 0.0, 100.0, "intent.qualification_score")?;
        Ok(Intent {
            primary: stated(self.primary),
            labels: self.labels.unwrap_or_default(),
            qualification_score,
            competitor_mentions: self.competitor_mentions.unwrap_or_default(),
        })
    }
}

impl WireTranscript {
    fn into_model(self) -> Result<Transcript, Malformed> {
        let messages = self.messages.map(|number| count(&number, "transcript.messages")).transpose()?;
        if let Some(Sentiment::Score(score)) = self.sentiment {
            in_range(Some(score), -1.0, 1.0, "transcript.sentiment")?;
        }
        Ok(Transcript {
            summary: stated(self.summary),
            messages,
            duration_seconds: in_range(self.duration_seconds, 0.0, f64::MAX, "transcript.duration_seconds")?,
            transcript_url: stated(self.transcript_url),
            sentiment: self.sentiment,
        })
    }
}

impl WireDeal {
    fn into_model(self) -> Result<Deal, Malformed> {
        let amount =
            self.amount.map(|raw| decimal(&raw).ok_or_else(|| invalid("deal.amount"))).transpose()?;
        Ok(Deal { amount, currency: stated(self.currency) })
    }
}

impl WireCrmTarget {
    fn into_model(self) -> CrmTarget {
        CrmTarget {
            target: stated(self.target),
            object: stated(self.object),
            create_deal: self.create_deal,
            deal_stage: stated(self.deal_stage),
            owner_routing: stated(self.owner_routing),
        }
    }
}

impl WireConsent {
    fn into_model(self) -> Result<ConsentNotice, Malformed> {
        Ok(ConsentNotice {
            given_at: self.given_at.map(|text| instant(&text, "consent.given_at")).transpose()?,
            text_version: stated(self.text_version),
            language: stated(self.language),
            purpose: stated(self.purpose),
        })
    }
}

/// A JSON object and nothing else: serde alone would read an array as a struct, field by field.
#[derive(Default)]
#[cfg_attr(test, derive(serde::Serialize))]
#[cfg_attr(test, serde(transparent))]
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Object<T>, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Object)
    }
}

/// The body as text that is known to be one JSON object, not too deep. Only then has a fault a path.
fn readable(body: &[u8]) -> Result<&str, Malformed> {
    let whole = |reason| Malformed { reason, path: "$".to_owned() };
    let text = std::str::from_utf8(body).map_err(|_| whole("not_json"))?;
    serde_json::from_str::<IgnoredAny>(text).map_err(|_| whole("not_json"))?;
    if depth(text) > MAX_DEPTH {
        return Err(whole("too_deep"));
    }
    if text.trim_start().starts_with('{') { Ok(text) } else { Err(whole("unexpected_shape")) }
}

/// What serde_json reads at most. It skips unknown fields at any depth, so the depth is checked apart:
/// a body must not turn unreadable only when a later version knows the field.
const MAX_DEPTH: usize = 127;

/// How deep the arrays and objects of well-formed JSON are nested.
fn depth(json: &str) -> usize {
    let (mut now, mut most, mut quoted, mut escaped) = (0_usize, 0, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = quoted,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => {
                now += 1;
                most = most.max(now);
            }
            b'}' | b']' if !quoted => now = now.saturating_sub(1),
            _ => {}
        }
    }
    most
}

fn key(channel: &str, event: &ChatbotEvent) -> EventKey {
    EventKey::new("bot", &[channel, &event.bot_id, &event.event_id])
}

fn inner<T: Default>(object: Option<Object<T>>) -> T {
    object.unwrap_or_default().0
}

/// A text that says something.
fn stated(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty())
}

fn required(text: Option<String>, path: &str) -> Result<String, Malformed> {
    let text = text.ok_or_else(|| Malformed { reason: "missing_field", path: path.to_owned() })?;
    if text.trim().is_empty() { Err(invalid(path)) } else { Ok(text) }
}

fn invalid(path: &str) -> Malformed {
    Malformed { reason: "invalid_field", path: path.to_owned() }
}

/// RFC 3339 with an offset.
fn instant(text: &str, path: &str) -> Result<Timestamp, Malformed> {
    text.trim().parse().map_err(|_| invalid(path))
}

fn in_range(number: Option<f64>, least: f64, most: f64, path: &str) -> Result<Option<f64>, Malformed> {
    match number {
        Some(number) if !(least..=most).contains(&number) => Err(invalid(path)),
        number => Ok(number),
    }
}

/// A whole number from 0; JSON writes it as `3` or as `3.0`.
fn count(number: &Number, path: &str) -> Result<u64, Malformed> {
    /// Beyond it, neighbouring floats are more than 1 apart.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let whole = |float: &f64| float.fract() == 0.0 && (0.0..=EXACT).contains(float);
    let from_float = || number.as_f64().filter(whole).and_then(|float| format!("{float:.0}").parse().ok());
    number.as_u64().or_else(from_float).ok_or_else(|| invalid(path))
}

/// A decimal, from a JSON string or number, with all its digits and without exponent.
fn decimal(raw: &RawValue) -> Option<String> {
    let json = raw.get();
    if json.starts_with('"') {
        let text: String = serde_json::from_str(json).ok()?;
        return Some(text.trim().to_owned()).filter(|text| is_decimal(text));
    }
    let Some((mantissa, exponent)) = json.split_once(['e', 'E']) else {
        return Some(json.to_owned()).filter(|text| is_decimal(text));
    };
    let exponent: isize = exponent.parse().ok().filter(|power: &isize| power.abs() <= 30)?;
    if !is_decimal(mantissa) {
        return None;
    }
    let (sign, digits) = mantissa.strip_prefix('-').map_or(("", mantissa), |digits| ("-", digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let point = isize::try_from(whole.len()).ok()? + exponent;
    let before = usize::try_from(-point.min(0)).ok()?;
    let digits = format!("{}{whole}{fraction}", "0".repeat(before));
    let point = usize::try_from(point.max(0)).ok()?;
    let digits = format!("{digits:0<point$}");
    let (whole, fraction) = digits.split_at(point);
    let whole = Some(whole.trim_start_matches('0')).filter(|whole| !whole.is_empty()).unwrap_or("0");
    Some(if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") })
}

/// `-?[0-9]+(\.[0-9]+)?`, of a length that money has.
fn is_decimal(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
    text.len() <= 40 && digits(whole) && digits(fraction)
}

fn country(code: &str) -> Result<Country, Malformed> {
    let upper = code.trim().to_ascii_uppercase();
    let assigned = COUNTRIES.split(' ').any(|country| country == upper);
    Country::new(&upper).filter(|_| assigned).ok_or_else(|| invalid("visitor.country"))
}

/// ISO 3166-1 alpha-2, the 249 assigned codes.
const COUNTRIES: &str = "\
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS \
    BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE \
    EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM \
    HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC \
    LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA \
    NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW \
    SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO \
    TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::Inbound;
    use crate::provider::Proof;
    use proptest::prelude::*;
    use serde_json::json;
    use std::collections::BTreeSet;
    use wabridge_model::chatbot::Urgency;

    fn account() -> Account {
        Account {
            channel: "site".into(),
            portfolio: "default".into(),
            business_numbers: Default::default(),
            business_number: Phone::from_whatsapp_id("918047000000").ok(),
            sample_ids: vec![],
            default_country: Country::INDIA,
            public_url: None,
            secrets: Default::default(),
        }
    }

    fn normalise(body: &[u8]) -> Result<Vec<Item>, Malformed> {
        let inbound =
            Inbound { query: "", headers: &[], body, received_at: Timestamp::UNIX_EPOCH, path_token: None };
        Chatbot.normalise(&Verified::recall(inbound, Proof::Signed), &account())
    }

    /// The event, or `reason path` of its fault.
    fn read(body: &Value) -> Result<Event, String> {
        read_text(&body.to_string())
    }

    fn read_text(body: &str) -> Result<Event, String> {
        match normalise(body.as_bytes()).map_err(|fault| format!("{} {}", fault.reason, fault.path))?.pop() {
            Some(Item::Event(event)) => Ok(*event),
            Some(Item::Quarantined(fault)) => Err(format!("{} {}", fault.reason, fault.path)),
            other => panic!("{other:?}"),
        }
    }

    fn chatbot(event: Event) -> ChatbotEvent {
        match event.fact {
            Fact::Chatbot(event) => *event,
            other => panic!("{other:?}"),
        }
    }

    fn text(value: &str) -> Option<String> {
        Some(value.to_owned())
    }

    /// Every field of every wire struct, each text different. A new field does not compile until it is here.
    fn maximal() -> Value {
        let event = WireEvent {
            event_id: text("evt-1"),
            event_type: text("lead.created"),
            occurred_at: text("2026-11-22T08:35:12Z"),
            bot_id: text("bot-1"),
            conversation_id: text("conversation-1"),
            visitor: Some(Object(WireVisitor {
                email: text("buyer@example.in"),
                phone: text("+919876543210"),
                name: text("A Customer"),
                company: text("Example Traders"),
                company_size: text("11-50"),
                country: text("IN"),
            })),
            context: Some(Object(WireContext {
                source_url: text("https://example.in/pricing"),
                referrer: text("https://search.example/"),
                utm_source: text("utm-1"),
                utm_medium: text("utm-2"),
                utm_campaign: text("utm-3"),
                utm_term: text("utm-4"),
                utm_content: text("utm-5"),
                session_id: text("session-1"),
            })),
            intent: Some(Object(WireIntent {
                primary: text("pricing"),
                labels: Some(vec!["label-1".into(), "label-2".into()]),
                qualification_score: Some(71.25),
                competitor_mentions: Some(vec!["Competitor One".into()]),
            })),
            transcript: Some(Object(WireTranscript {
                summary: text("Asked for the price."),
                messages: Some(Number::from(17)),
                duration_seconds: Some(93.5),
                transcript_url: text("https://bot.example/t/1"),
                sentiment: Some(Sentiment::Score(-0.75)),
            })),
            deal: Some(Object(WireDeal {
                amount: RawValue::from_string("\"1499.90\"".into()).ok(),
                currency: text("INR"),
            })),
            crm_target: Some(Object(WireCrmTarget {
                target: text("hubspot"),
                object: text("contact"),
                create_deal: Some(true),
                deal_stage: text("stage-1"),
                owner_routing: text("owner-1"),
            })),
            consent: Some(Object(WireConsent {
                given_at: text("2026-11-22T08:30:00Z"),
                text_version: text("v3"),
                language: text("en"),
                purpose: text("crm"),
            })),
            custom: json!({"plan": "gold"}).as_object().cloned(),
        };
        serde_json::to_value(event).unwrap()
    }

    fn schema() -> Value {
        serde_json::from_str(include_str!("../../docs/chatbot-event.schema.json")).unwrap()
    }

    /// The paths of all fields of an event, `custom` unopened.
    fn wire_fields(value: &Value, path: &str, found: &mut BTreeSet<String>) {
        for (name, value) in value.as_object().into_iter().flatten() {
            let path = format!("{path}{name}");
            if path != "custom" {
                wire_fields(value, &format!("{path}."), found);
            }
            found.insert(path);
        }
    }

    fn schema_fields(schema: &Value, path: &str, found: &mut BTreeSet<String>) {
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}{name}");
            schema_fields(property, &format!("{path}."), found);
            found.insert(path);
        }
    }

    fn leaves(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(object) => object.values().for_each(|value| leaves(value, found)),
            Value::Array(array) => array.iter().for_each(|value| leaves(value, found)),
            leaf => found.push(leaf.to_string()),
        }
    }

    fn words(schema: &Value) -> Vec<&str> {
        schema["enum"].as_array().unwrap().iter().filter_map(Value::as_str).collect()
    }

    /// A path in an event, to change what is there.
    fn at<'a>(event: &'a mut Value, path: &str) -> &'a mut Value {
        path.split('.').fold(event, |value, name| &mut value[name])
    }

    fn with(path: &str, value: Value) -> Value {
        let mut event = maximal();
        *at(&mut event, path) = value;
        event
    }

    #[test]
    fn the_schema_and_the_wire_structs_have_the_same_fields() {
        let (mut wire, mut described) = (BTreeSet::new(), BTreeSet::new());
        wire_fields(&maximal(), "", &mut wire);
        schema_fields(&schema(), "", &mut described);
        assert_eq!(wire, described);
        assert_eq!(wire.len(), 47);
    }

    #[test]
    fn the_types_keep_everything_that_is_sent() {
        let event = serde_json::to_value(read(&maximal()).unwrap()).unwrap();
        let (mut sent, mut kept) = (vec![], vec![]);
        leaves(&maximal(), &mut sent);
        leaves(&event, &mut kept);
        for leaf in &sent {
            assert_eq!(sent.iter().filter(|other| *other == leaf).count(), 1, "{leaf} is sent twice");
            assert!(kept.contains(leaf), "{leaf} is lost");
        }
        assert_eq!(serde_json::from_value::<Event>(event).unwrap(), read(&maximal()).unwrap());
        // Beside what was sent: key, account id, business number, portfolio and the fact's type.
        assert_eq!(kept.len(), sent.len() + 5);
    }

    #[test]
    fn what_the_schema_requires_is_required_and_nothing_else() {
        let schema = schema();
        let required: Vec<&str> =
            schema["required"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        for name in schema["properties"].as_object().unwrap().keys() {
            let mut absent = maximal();
            absent.as_object_mut().unwrap().remove(name);
            for event in [absent, with(name, Value::Null)] {
                match read(&event) {
                    Ok(_) => assert!(!required.contains(&name.as_str()), "{name}"),
                    Err(fault) => {
                        assert!(required.contains(&name.as_str()), "{name}");
                        assert_eq!(fault, format!("missing_field {name}"));
                    }
                }
            }
            let nullable = schema["properties"][name]["type"]
                .as_array()
                .is_some_and(|types| types.contains(&json!("null")));
            assert_eq!(nullable, !required.contains(&name.as_str()), "{name}");
        }
    }

    #[test]
    fn every_optional_field_may_be_null() {
        let mut fields = BTreeSet::new();
        wire_fields(&maximal(), "", &mut fields);
        for path in fields.iter().filter(|path| path.contains('.')) {
            assert!(read(&with(path, Value::Null)).is_ok(), "{path}");
        }
    }

    #[test]
    fn the_schema_lists_the_event_types_with_their_urgency() {
        use ChatbotEventType as T;
        // Exhaustive: a new type does not compile until it has a number here.
        let number = |event_type: &T| match event_type {
            T::LeadCreated => 0,
            T::LeadUpdated => 1,
            T::LeadQualified => 2,
            T::DemoRequested => 3,
            T::SupportEscalated => 4,
            T::ConversationUpdated => 5,
            T::ConversationEnded => 6,
            T::ConsentGiven => 7,
            T::ConsentWithdrawn => 8,
            T::Other(text) => panic!("{text} is not known to the types"),
        };
        let schema = schema();
        let choices = &schema["properties"]["event_type"]["anyOf"];
        let mut numbers = BTreeSet::new();
        for (choice, urgency) in [(&choices[0], Urgency::Urgent), (&choices[1], Urgency::Bulk)] {
            for word in words(choice) {
                let event_type = T::from(word);
                numbers.insert(number(&event_type));
                assert_eq!(event_type.urgency(), urgency, "{word}");
            }
        }
        assert_eq!(numbers, (0..9).collect());
    }

    #[test]
    fn the_schema_lists_the_countries_and_the_words_of_sentiment() {
        let schema = schema();
        let visitor = &schema["properties"]["visitor"]["properties"];
        assert_eq!(words(&visitor["country"]), COUNTRIES.split(' ').collect::<Vec<_>>());
        assert_eq!(COUNTRIES.split(' ').count(), 249);
        let sentiment = &schema["properties"]["transcript"]["properties"]["sentiment"]["anyOf"];
        assert_eq!(words(&sentiment[1]), ["positive", "neutral", "negative"]);
        for word in words(&sentiment[1]) {
            assert!(read(&with("transcript.sentiment", json!(word))).is_ok(), "{word}");
        }
    }

    #[test]
    fn the_limits_of_the_schema_are_those_of_the_reader() {
        let schema = schema();
        let properties = |name: &str| schema["properties"][name]["properties"].clone();
        let cases = [
            ("intent.qualification_score", properties("intent")["qualification_score"].clone()),
            ("transcript.messages", properties("transcript")["messages"].clone()),
            ("transcript.duration_seconds", properties("transcript")["duration_seconds"].clone()),
            ("transcript.sentiment", properties("transcript")["sentiment"]["anyOf"][0].clone()),
        ];
        for (path, limits) in cases {
            for (limit, beyond) in [("minimum", -1.0), ("maximum", 1.0)] {
                let Some(limit) = limits[limit].as_f64() else { continue };
                assert!(read(&with(path, json!(limit))).is_ok(), "{path} {limit}");
                let fault = read(&with(path, json!(limit + beyond))).unwrap_err();
                assert_eq!(fault, format!("invalid_field {path}"));
            }
        }
    }

    #[test]
    fn a_fault_is_named_by_its_path() {
        let cases = [
            ("event_id", json!("")),
            ("event_id", json!(7)),
            ("event_type", json!(" ")),
            ("occurred_at", json!("yesterday")),
            ("occurred_at", json!("2026-11-22T08:35:12")),
            ("occurred_at", json!(1_795_336_512)),
            ("bot_id", json!(["bot"])),
            ("conversation_id", json!(1)),
            ("visitor", json!("A Customer")),
            ("visitor", json!(["buyer@example.in", null, null, null, null, null])),
            ("visitor.email", json!("buyer at example.in")),
            ("visitor.phone", json!("not a phone")),
            ("visitor.phone", json!(919_876_543_210_u64)),
            ("visitor.country", json!("UK")),
            ("visitor.country", json!("ZZ")),
            ("visitor.country", json!("IND")),
            ("visitor.country", json!("")),
            ("context.utm_source", json!(5)),
            ("intent.labels", json!("pricing")),
            ("intent.qualification_score", json!("71")),
            ("transcript.messages", json!(1.5)),
            ("transcript.messages", json!("3")),
            ("transcript.sentiment", json!("happy")),
            ("transcript.sentiment", json!([0.5])),
            ("deal.amount", json!("1,499.90")),
            ("deal.amount", json!("")),
            ("deal.amount", json!("12.")),
            ("deal.amount", json!("1e3")),
            ("deal.amount", json!(true)),
            ("deal.amount", json!({"value": 1})),
            ("crm_target.create_deal", json!("yes")),
            ("consent.given_at", json!("now")),
            ("custom", json!([1])),
        ];
        for (path, value) in cases {
            let fault = read(&with(path, value.clone())).unwrap_err();
            assert_eq!(fault, format!("invalid_field {path}"), "{value}");
        }
        assert_eq!(
            read(&with("intent.labels", json!(["a", null]))).unwrap_err(),
            "invalid_field intent.labels[1]"
        );
    }

    #[test]
    fn a_body_that_is_not_one_object_is_malformed_as_a_whole() {
        let deep = format!("{{\"new\":{}{}}}", "[".repeat(200), "]".repeat(200));
        let bodies: [(&[u8], &str); 9] = [
            (b"", "not_json $"),
            (b"{", "not_json $"),
            (b"{} {}", "not_json $"),
            (b"\xef\xbb\xbf{}", "not_json $"),
            (b"{\"a\":\"\xff\"}", "not_json $"),
            (b"[]", "unexpected_shape $"),
            (b"[{\"event_id\":\"evt-1\"}]", "unexpected_shape $"),
            (b"\"evt-1\"", "unexpected_shape $"),
            (deep.as_bytes(), "too_deep $"),
        ];
        for (body, expected) in bodies {
            let fault = normalise(body).unwrap_err();
            assert_eq!(format!("{} {}", fault.reason, fault.path), expected);
        }
    }

    #[test]
    fn a_value_that_no_type_can_hold_is_a_fault_at_its_path() {
        let body = maximal().to_string();
        for (from, to, path) in [
            ("71.25", "1e400", "intent.qualification_score"),
            ("A Customer", "\\ud83d", "visitor.name"),
            ("gold", "\\udc00", "custom.plan"),
        ] {
            assert!(body.contains(from));
            assert_eq!(read_text(&body.replace(from, to)).unwrap_err(), format!("invalid_field {path}"));
        }
    }

    #[test]
    fn a_field_that_is_given_twice_is_a_fault() {
        let body = maximal().to_string();
        let twice = body.replace("\"email\":", "\"email\":\"other@example.in\",\"email\":");
        assert_eq!(read_text(&twice).unwrap_err(), "invalid_field visitor");
        let twice = body.replace("\"event_id\":", "\"event_id\":\"evt-0\",\"event_id\":");
        assert_eq!(read_text(&twice).unwrap_err(), "invalid_field $");
    }

    #[test]
    fn an_unknown_field_is_ignored_and_an_unknown_type_is_kept() {
        let mut event = with("event_type", json!("meeting.booked"));
        event["later"] = json!({"a": [1]});
        event["visitor"]["later"] = json!(1);
        let event = chatbot(read(&event).unwrap());
        assert_eq!(event.event_type, ChatbotEventType::Other("meeting.booked".into()));
        assert_eq!(event.event_type.urgency(), Urgency::Bulk);
    }

    #[test]
    fn an_amount_keeps_its_digits() {
        let cases = [
            ("\"1499.90\"", "1499.90"),
            ("1499.90", "1499.90"),
            ("12345678901234567890.123456789", "12345678901234567890.123456789"),
            ("\" -5 \"", "-5"),
            ("0", "0"),
            ("1.5e3", "1500"),
            ("12e-1", "1.2"),
            ("1E+21", "1000000000000000000000"),
            ("-2.5e-3", "-0.0025"),
            ("0.05e1", "0.5"),
        ];
        let body = maximal().to_string();
        for (sent, kept) in cases {
            let event = chatbot(read_text(&body.replace("\"1499.90\"", sent)).unwrap());
            assert_eq!(event.deal.unwrap().amount.as_deref(), Some(kept), "{sent}");
        }
        assert!(read_text(&body.replace("\"1499.90\"", "1e31")).is_err());
    }

    #[test]
    fn a_count_of_messages_may_be_written_as_a_float() {
        let event = chatbot(read(&with("transcript.messages", json!(3.0))).unwrap());
        assert_eq!(event.transcript.messages, Some(3));
    }

    #[test]
    fn a_blank_text_of_a_form_is_absent() {
        let event =
            read(&with("visitor", json!({"email": "", "phone": " ", "name": "", "company": " "}))).unwrap();
        assert!(event.person.is_empty());
        assert_eq!(chatbot(event).visitor, Firmographics::default());
    }

    #[test]
    fn a_user_id_in_the_place_of_a_phone_is_one() {
        let person = read(&with("visitor.phone", json!("IN.1349120865530274"))).unwrap().person;
        assert_eq!(person.bsuid.unwrap().as_str(), "IN.1349120865530274");
        assert!(person.phone.is_none() && person.phone_as_sent.is_none());
    }

    #[test]
    fn the_key_is_channel_bot_and_event_and_two_bots_never_share_one() {
        let key_of = |bot: &str, event: &str| {
            let mut body = with("bot_id", json!(bot));
            body["event_id"] = json!(event);
            read(&body).unwrap().key
        };
        assert_eq!(key_of("bot-1", "evt-1").as_str(), "bot:site:bot-1:evt-1");
        assert_ne!(key_of("a:b", "c").as_str(), key_of("a", "b:c").as_str());
        assert_ne!(key_of("a:b", "c").as_str(), key_of("a%3Ab", "c").as_str());
    }

    proptest! {
        #[test]
        fn no_body_makes_the_reader_panic(body in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = normalise(&body);
        }

        #[test]
        fn no_change_of_an_event_makes_the_reader_panic(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut body = maximal().to_string().into_bytes();
            let at = at.index(body.len());
            body[at] = byte;
            let _ = normalise(&body);
        }

        #[test]
        fn a_number_written_with_an_exponent_keeps_its_value(digits in 1_u64..1_000_000, power in -12_i32..12) {
            let raw = RawValue::from_string(format!("{digits}e{power}")).unwrap();
            let plain: f64 = decimal(&raw).unwrap().parse().unwrap();
            let exact: f64 = raw.get().parse().unwrap();
            prop_assert_eq!(plain, exact);
        }
    }
}
