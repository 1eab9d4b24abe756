//! The fields that an administrator has set up for a bridge, the same in every simulated CRM.

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holds {
    Text,
    LongText,
    Number,
    Instant,
}

/// The field that tells people apart: unique.
pub(crate) const KEY: &str = "wa_e164";

/// The field that tells deals apart: unique.
pub(crate) const DEAL_KEY: &str = "wa_deal_key";

/// The fields of people.
pub(crate) const FIELDS: [(&str, Holds); 24] = [
    (KEY, Holds::Text),
    ("wa_bsuid", Holds::Text),
    ("wa_source", Holds::Text),
    ("first_conversation_url", Holds::Text),
    ("wa_utm_source", Holds::Text),
    ("wa_utm_medium", Holds::Text),
    ("wa_utm_campaign", Holds::Text),
    ("ctwa_clid", Holds::Text),
    ("ad_id", Holds::Text),
    ("attribution_state", Holds::Text),
    ("attribution_cause", Holds::Text),
    ("last_inbound_at", Holds::Instant),
    ("free_text_until", Holds::Instant),
    ("window_verdict", Holds::Text),
    ("consent_given_at", Holds::Instant),
    ("consent_text_version", Holds::Text),
    ("chatbot_messages_count", Holds::Number),
    ("chatbot_last_intent", Holds::Text),
    ("chatbot_pricing_questions_count", Holds::Number),
    ("chatbot_competitor_mentions", Holds::LongText),
    ("chatbot_avg_sentiment", Holds::Number),
    ("last_chatbot_interaction_at", Holds::Instant),
    ("wa_trace_id", Holds::Text),
    ("wa_lead_page", Holds::Text),
];
