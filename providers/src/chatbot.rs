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

use crate::provider::{
    About, Account, Inbound, Item, Malformed, Provider, Rejection, Signed, Unsignable, Verified,
};
use crate::signature::{self, Scheme};
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
    reports_ads: false,
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

    fn verify<'a>(&self, inbound: Inbound<'a>, account: &Account) -> Result<Verified<'a>, Rejection> {
        signature::verify_standard_webhooks(inbound, &account.secrets.signing)
    }

    fn normalise(&self, request: &Verified<'_>, account: &Account) -> Result<Vec<Item>, Malformed> {
        let body = readable(request.body())?;
        let event = WireEvent::read(body).and_then(|wire| wire.into_event(account));
        Ok(vec![event.map_or_else(Item::Quarantined, |event| Item::Event(Box::new(event)))])
    }

    fn sign(&self, body: &[u8], at: Timestamp, account: &Account) -> Result<Signed, Unsignable> {
        signature::sign_standard_webhooks(body, at, &account.secrets.signing)
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

/// Channel, bot and event. A colon in a bot's id must not make two bots' events one.
fn key(channel: &str, event: &ChatbotEvent) -> EventKey {
    let bot_id = event.bot_id.replace('%', "%25").replace(':', "%3A");
    EventKey::new("bot", &[channel, &bot_id, &event.event_id])
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
