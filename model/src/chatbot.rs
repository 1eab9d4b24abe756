//! Our own event format, as `POST /hooks/{channel}` of a `chatbot` channel takes it.
//!
//! These types are the contract: `docs/chatbot-event.schema.json` describes them, a test compares the
//! two. Phone, e-mail and name of the visitor live in the event's [`Person`](crate::event::Person).

use crate::event::open_names;
use crate::phone::Country;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What a chatbot says about a visitor, beside who they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChatbotEvent {
    /// The sender's idempotency key, unique per channel and bot.
    pub event_id: String,
    /// What happened.
    pub event_type: ChatbotEventType,
    /// Which bot.
    pub bot_id: String,
    /// The conversation on the bot's side; joins events without phone or e-mail to those with one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation_id: Option<String>,
    /// Firmographics of the visitor.
    #[serde(default, skip_serializing_if = "is_default")]
    pub visitor: Visitor,
    /// Where the visitor came from.
    #[serde(default, skip_serializing_if = "is_default")]
    pub context: WebContext,
    /// What they want.
    #[serde(default, skip_serializing_if = "is_default")]
    pub intent: Intent,
    /// The conversation, summarised.
    #[serde(default, skip_serializing_if = "is_default")]
    pub transcript: Transcript,
    /// A stated amount of money.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deal: Option<Deal>,
    /// Instructions for the CRM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crm_target: Option<CrmTarget>,
    /// Consent, as the bot recorded it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consent: Option<ConsentNotice>,
    /// Anything else, passed through untouched.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub custom: Map<String, Value>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

open_names! {
    /// The closed list of event types; others are kept and counted.
    ChatbotEventType {
        /// A visitor became a lead.
        LeadCreated = "lead.created",
        /// More is known of a lead.
        LeadUpdated = "lead.updated",
        /// The bot holds the lead qualified.
        LeadQualified = "lead.qualified",
        /// A demonstration was asked for.
        DemoRequested = "demo.requested",
        /// A person must take over.
        SupportEscalated = "support.escalated",
        /// The conversation goes on.
        ConversationUpdated = "conversation.updated",
        /// The conversation is over.
        ConversationEnded = "conversation.ended",
        /// Consent was given.
        ConsentGiven = "consent.given",
        /// Consent was withdrawn.
        ConsentWithdrawn = "consent.withdrawn",
    }
}

/// How soon an event must reach the CRM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Urgency {
    /// At once.
    Urgent,
    /// With the next bulk delivery.
    Bulk,
}

impl ChatbotEventType {
    /// How soon an event of this type must reach the CRM.
    #[must_use]
    pub fn urgency(&self) -> Urgency {
        use ChatbotEventType as T;
        match self {
            T::LeadCreated
            | T::LeadQualified
            | T::DemoRequested
            | T::SupportEscalated
            | T::ConsentWithdrawn => Urgency::Urgent,
            _ => Urgency::Bulk,
        }
    }
}

/// Firmographics of a visitor.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Visitor {
    /// The company's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub company: Option<String>,
    /// The company's size, in the sender's own words (`11-50`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub company_size: Option<String>,
    /// The visitor's country.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<Country>,
}

/// Where a visitor came from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct WebContext {
    /// The page the conversation began on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_url: Option<String>,
    /// The page before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub referrer: Option<String>,
    /// Campaign parameters.
    #[serde(flatten)]
    pub utm: Utm,
    /// The visitor's web session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
}

/// The five campaign parameters.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Utm {
    /// `utm_source`
    #[serde(rename = "utm_source", skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// `utm_medium`
    #[serde(rename = "utm_medium", skip_serializing_if = "Option::is_none")]
    pub medium: Option<String>,
    /// `utm_campaign`
    #[serde(rename = "utm_campaign", skip_serializing_if = "Option::is_none")]
    pub campaign: Option<String>,
    /// `utm_term`
    #[serde(rename = "utm_term", skip_serializing_if = "Option::is_none")]
    pub term: Option<String>,
    /// `utm_content`
    #[serde(rename = "utm_content", skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
}

impl Utm {
    /// Whether no parameter is given.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Utm::default()
    }
}

/// What a visitor wants, as the bot judged it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Intent {
    /// The main intent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub primary: Option<String>,
    /// Further labels.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// 0 to 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub qualification_score: Option<f64>,
    /// Competitors that were named.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub competitor_mentions: Vec<String>,
}

/// A conversation, summarised.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Transcript {
    /// What was said, in a few sentences.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// How many messages there were.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages: Option<u64>,
    /// How long it took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_seconds: Option<f64>,
    /// Where the whole transcript can be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transcript_url: Option<String>,
    /// How the visitor felt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sentiment: Option<Sentiment>,
}

/// How a visitor felt: a number from -1 to 1, or one of three words.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Sentiment {
    /// -1 (worst) to 1 (best).
    Score(f64),
    /// A word.
    Word(SentimentWord),
}

/// How a visitor felt, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SentimentWord {
    /// Pleased.
    Positive,
    /// Neither.
    Neutral,
    /// Displeased.
    Negative,
}

/// A stated amount of money.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Deal {
    /// A decimal number, kept as text so that no digit is lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<String>,
    /// An ISO 4217 code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
}

/// Instructions for the CRM. What cannot be obeyed is reported by name, never guessed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CrmTarget {
    /// The target's name in the configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The CRM object to use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// Whether to create a deal; overrides the configured rules.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub create_deal: Option<bool>,
    /// The deal's stage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deal_stage: Option<String>,
    /// The owner rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner_routing: Option<String>,
}

/// Consent, as the bot recorded it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ConsentNotice {
    /// When it was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub given_at: Option<Timestamp>,
    /// Which notice was shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_version: Option<String>,
    /// In which language.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// For what: `crm`, `advertising`, or the sender's own word. Absent: for everything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
}
