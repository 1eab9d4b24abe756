//! Every path that can be mapped, with its type, an example and what it is.

use crate::schema::FieldKind;

/// What sort of value a path gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A text.
    Text,
    /// A number.
    Number,
    /// An instant.
    Instant,
    /// Several texts.
    Texts,
    /// One word of a closed list.
    Word(&'static [&'static str]),
    /// Whatever a chatbot sent.
    Any,
}

impl Kind {
    /// As it is shown to people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Text => "text",
            Kind::Number => "number",
            Kind::Instant => "instant",
            Kind::Texts => "texts",
            Kind::Word(_) => "word",
            Kind::Any => "any",
        }
    }

    /// The field that is made for it where the CRM has none. A word is kept as text, so that a later version
    /// may know another one.
    #[must_use]
    pub fn field(self) -> FieldKind {
        match self {
            Kind::Number => FieldKind::Number,
            Kind::Instant => FieldKind::Instant,
            Kind::Text | Kind::Texts | Kind::Word(_) | Kind::Any => FieldKind::Text,
        }
    }
}

/// A path that can be mapped.
#[derive(Debug, PartialEq, Eq)]
pub struct Known {
    /// As configuration writes it; `<key>` stands for any key.
    pub path: &'static str,
    /// What it gives.
    pub kind: Kind,
    /// A value.
    pub example: &'static str,
    /// What it is, in a few words: also the label of a field that is made for it.
    pub about: &'static str,
}

const fn known(path: &'static str, kind: Kind, example: &'static str, about: &'static str) -> Known {
    Known { path, kind, example, about }
}

/// How `custom.<key>` stands in the list.
pub(super) const CUSTOM: &str = "custom.<key>";
/// How `enrichment.<key>` does.
pub(super) const ENRICHMENT: &str = "enrichment.<key>";

/// [`wabridge_model::attribution::AttributionState`], by name.
const STATES: Kind =
    Kind::Word(&["complete", "ad_without_click_id", "organic_post", "code_in_text", "not_reported", "none"]);
/// [`wabridge_model::attribution::Cause`], by name.
const CAUSES: Kind = Kind::Word(&[
    "status_placement",
    "provider_strips_click_id",
    "provider_reports_nothing",
    "provider_version",
    "referral_malformed",
]);
const CONSENT: Kind = Kind::Word(&["given", "withdrawn"]);
const TEMPLATES: Kind = Kind::Word(&["any", "utility_only", "none"]);

/// Every path that can be mapped, in the order in which they are shown.
pub fn paths() -> impl Iterator<Item = &'static Known> {
    [PERSON, ORIGIN, TOUCHES, WINDOW, CONSENTS, INTENT, CHATBOT, HOOK, LEAD].into_iter().flatten()
}

const PERSON: &[Known] = &[
    known("phone", Kind::Text, "+919876543210", "Phone, E.164"),
    known("other_phones", Kind::Texts, "+919812345678", "Earlier phones"),
    known("email", Kind::Text, "buyer@example.in", "E-mail address"),
    known("name", Kind::Text, "Asha Rao", "Name"),
    known("name.first", Kind::Text, "Asha", "First name"),
    known("name.last", Kind::Text, "Rao", "Last name"),
    known("company", Kind::Text, "Rao Textiles", "Company"),
    known("company_size", Kind::Text, "11-50", "Company size"),
    known("country", Kind::Text, "IN", "Country, by the visitor or else by the phone"),
    known("bsuid", Kind::Text, "IN.13491208655302741918", "WhatsApp business-scoped user id"),
    known("parent_bsuid", Kind::Text, "IN.ENT.13491208655302741", "WhatsApp parent user id"),
    known("username", Kind::Text, "asha.rao", "WhatsApp username"),
];

const ORIGIN: &[Known] = &[
    known("source", Kind::Text, "whatsapp:main", "Source: channel or chatbot"),
    known("first_conversation_url", Kind::Text, "https://fb.me/abc", "First landing page or ad"),
    known("utm.source", Kind::Text, "instagram", "UTM source"),
    known("utm.medium", Kind::Text, "paid", "UTM medium"),
    known("utm.campaign", Kind::Text, "diwali", "UTM campaign"),
    known("utm.term", Kind::Text, "silk", "UTM term"),
    known("utm.content", Kind::Text, "video-2", "UTM content"),
    known("attribution.state", STATES, "complete", "How much is known of the ad"),
    known("attribution.cause", CAUSES, "status_placement", "Why the ad or click is not known"),
    known("attribution.touches", Kind::Number, "2", "Arrivals from ads, posts and links"),
];

/// The parts of a touch, for the first and for the last one.
macro_rules! touches {
    ($(($part:literal, $kind:expr, $example:literal, $about:literal),)*) => {
        &[
            $(known(concat!("attribution.first.", $part), $kind, $example, concat!("First touch: ", $about)),)*
            $(known(concat!("attribution.last.", $part), $kind, $example, concat!("Last touch: ", $about)),)*
        ]
    };
}

const TOUCHES: &[Known] = touches![
    ("ctwa_clid", Kind::Text, "ARAkLkA8rmlFeiCktEJQ", "click id"),
    ("ad_id", Kind::Text, "120208412345670123", "ad id"),
    ("post_id", Kind::Text, "110912345678901", "organic post id"),
    ("source_type", Kind::Text, "ad", "ad or post"),
    ("source_url", Kind::Text, "https://fb.me/abc", "address of the ad or post"),
    ("headline", Kind::Text, "Silk sarees", "headline"),
    ("body", Kind::Text, "Chat with us", "text"),
    ("media_type", Kind::Text, "video", "image or video"),
    ("code", Kind::Text, "IGBIO", "code of the wa.me link"),
    ("state", STATES, "complete", "how much is known"),
    ("cause", CAUSES, "status_placement", "why something is not known"),
    ("occurred_at", Kind::Instant, "2026-11-22T08:35:12Z", "when they wrote"),
    ("received_at", Kind::Instant, "2026-11-22T08:35:13Z", "when it was received"),
    ("provider", Kind::Text, "meta", "provider"),
    ("channel", Kind::Text, "main", "channel"),
    ("business_number", Kind::Text, "+918047000000", "our number"),
];

/// Without a number, these are of the window that the person wrote to last.
const WINDOW: &[Known] = &[
    known("window.business_number", Kind::Text, "+918047000000", "Our number of the window"),
    known("window.last_inbound_at", Kind::Instant, "2026-11-22T08:35:12Z", "Last WhatsApp message from them"),
    known("window.free_text_until", Kind::Instant, "2026-11-23T08:33:12Z", "Free text allowed until"),
    known("window.free_entry_until", Kind::Instant, "2026-11-25T08:40:00Z", "Free of charge until"),
    known("window.templates", TEMPLATES, "any", "Templates they may be sent"),
    known(
        "window.verdict",
        Kind::Text,
        "Free text from +918047000000 until 14:03 on 23 Nov 2026 (Asia/Kolkata), templates after that.",
        "May we write",
    ),
];

const CONSENTS: &[Known] = &[
    known("consent_given_at", Kind::Instant, "2026-11-22T08:30:00Z", "Consent given at"),
    known("consent_text_version", Kind::Text, "2026-10", "Consent notice version"),
    known("purpose_of_processing", Kind::Text, "crm, advertising", "Purposes they agreed to"),
    known("consent.crm.state", CONSENT, "given", "Consent to be kept in the CRM"),
    known("consent.crm.given_at", Kind::Instant, "2026-11-22T08:30:00Z", "CRM consent given at"),
    known("consent.crm.withdrawn_at", Kind::Instant, "2026-12-01T10:00:00Z", "CRM consent withdrawn at"),
    known("consent.crm.text_version", Kind::Text, "2026-10", "CRM consent notice version"),
    known("consent.crm.language", Kind::Text, "hi", "CRM consent notice language"),
    known("consent.advertising.state", CONSENT, "withdrawn", "Consent to advertising"),
    known("consent.advertising.given_at", Kind::Instant, "2026-11-22T08:30:00Z", "Ad consent given at"),
    known(
        "consent.advertising.withdrawn_at",
        Kind::Instant,
        "2026-12-01T10:00:00Z",
        "Ad consent withdrawn at",
    ),
    known("consent.advertising.text_version", Kind::Text, "2026-10", "Ad consent notice version"),
    known("consent.advertising.language", Kind::Text, "hi", "Ad consent notice language"),
];

/// Of WhatsApp messages, by `[intents]`, and of chatbots together.
const INTENT: &[Known] = &[
    known("intent.last", Kind::Text, "demo_request", "Last intent"),
    known("intent.labels", Kind::Texts, "pricing", "Intents"),
    known("intent.pricing_questions", Kind::Number, "3", "Pricing questions"),
    known("intent.competitors", Kind::Texts, "Acme", "Competitors named"),
];

const CHATBOT: &[Known] = &[
    known("chatbot_messages_count", Kind::Number, "14", "Chatbot messages"),
    known("chatbot_last_intent", Kind::Text, "pricing", "Chatbot: last intent"),
    known("chatbot_pricing_questions_count", Kind::Number, "2", "Chatbot: pricing questions"),
    known("chatbot_competitor_mentions", Kind::Texts, "Acme", "Chatbot: competitors named"),
    known("chatbot_avg_sentiment", Kind::Number, "0.5", "Chatbot: average sentiment, -1 to 1"),
    known("chatbot_qualification_score", Kind::Number, "80", "Chatbot: qualification score"),
    known("chatbot_last_summary", Kind::Text, "Asked for a demo.", "Chatbot: last summary"),
    known("last_chatbot_interaction_at", Kind::Instant, "2026-11-22T08:31:00Z", "Last chatbot interaction"),
    known(CUSTOM, Kind::Any, "gold", "Chatbot's own value"),
];

/// What the hook of `[enrichment]` answers.
const HOOK: &[Known] = &[known(ENRICHMENT, Kind::Any, "silver", "The enrichment hook's own value")];

const LEAD: &[Known] = &[
    known("lead.id", Kind::Text, "019a2b3c-4d5e-7f60-8a9b-0c1d2e3f4a5b", "Bridge lead id"),
    known(
        "lead.url",
        Kind::Text,
        "https://hooks.example.in/w/019a2b3c-4d5e-7f60-8a9b-0c1d2e3f4a5b",
        "Bridge lead page",
    ),
    known("trace_id", Kind::Text, "4bf92f3577b34da6a3ce929d0e0e4736", "Trace id of the newest event"),
    known("first_seen_at", Kind::Instant, "2026-11-20T06:10:00Z", "First seen"),
    known("last_seen_at", Kind::Instant, "2026-11-22T08:35:12Z", "Last seen"),
];
