//! What chatbots say of a lead, added up.
//!
//! In: the lead's evidence in its order. Out: counts, averages and the newest values. A conversation's counters are
//! cumulative: bots repeat them with every event, so of one conversation the greatest counts and those of several
//! are summed.

use jiff::Timestamp;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use wabridge_crms::Datum;
use wabridge_model::chatbot::{ChatbotEvent, Intent, Sentiment, SentimentWord};
use wabridge_model::event::Fact;
use wabridge_model::evidence::Evidence;

/// What chatbots say of a lead.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Signals {
    conversations: BTreeMap<String, Conversation>,
    /// The newest main intent.
    pub last_intent: Option<String>,
    /// The newest score from 0 to 100.
    pub qualification_score: Option<f64>,
    /// The newest summary.
    pub last_summary: Option<String>,
    /// Competitors that were named, in the order in which they were.
    pub competitors: Vec<String>,
    /// The newest event.
    pub last_at: Option<Timestamp>,
    custom: Map<String, Value>,
}

/// What is known of one conversation with a bot.
#[derive(Debug, Clone, Default, PartialEq)]
struct Conversation {
    messages: Option<u64>,
    pricing_questions: u64,
    /// The event before was about prices by its labels alone, which bots repeat.
    was_labelled: bool,
    sentiment: Option<f64>,
}

impl Signals {
    /// Adds up evidence, which is in its order.
    #[must_use]
    pub fn of(evidence: &[Evidence]) -> Signals {
        let mut signals = Signals::default();
        for evidence in evidence {
            if let Fact::Chatbot(event) = &evidence.merged().fact {
                signals.add(event, evidence);
            }
        }
        signals
    }

    fn add(&mut self, event: &ChatbotEvent, evidence: &Evidence) {
        self.last_at = Some(evidence.effective_at());
        let key = match &event.conversation_id {
            Some(id) => format!("{}:{id}", event.bot_id),
            None => evidence.key().as_str().to_owned(),
        };
        let conversation = self.conversations.entry(key).or_default();
        conversation.messages = conversation.messages.max(event.transcript.messages);
        conversation.sentiment = event.transcript.sentiment.map(score).or(conversation.sentiment);
        let by_label = event.intent.labels.iter().any(|label| is_about_prices(label));
        let asked = event.intent.primary.as_deref().is_some_and(is_about_prices);
        if asked || (by_label && !conversation.was_labelled) {
            conversation.pricing_questions += 1;
        }
        conversation.was_labelled = by_label;
        let Intent { primary, qualification_score, competitor_mentions, .. } = &event.intent;
        replace(&mut self.last_intent, primary);
        replace(&mut self.qualification_score, qualification_score);
        replace(&mut self.last_summary, &event.transcript.summary);
        for name in competitor_mentions.iter().map(|name| name.trim()).filter(|name| !name.is_empty()) {
            if !self.competitors.iter().any(|known| known.to_lowercase() == name.to_lowercase()) {
                self.competitors.push(name.to_owned());
            }
        }
        let given = event.custom.iter().filter(|(_, value)| !value.is_null());
        self.custom.extend(given.map(|(key, value)| (key.clone(), value.clone())));
    }

    /// How many messages there were with bots, as far as they say.
    #[must_use]
    pub fn messages(&self) -> Option<u64> {
        let counts: Vec<u64> = self.conversations.values().filter_map(|it| it.messages).collect();
        (!counts.is_empty()).then(|| counts.iter().sum())
    }

    /// How often prices were asked for; `None` for somebody who never talked to a bot.
    #[must_use]
    pub fn pricing_questions(&self) -> Option<u64> {
        let count = || self.conversations.values().map(|it| it.pricing_questions).sum();
        self.last_at.map(|_| count())
    }

    /// The mean of the newest sentiment of each conversation, -1 to 1, to two places.
    #[must_use]
    pub fn average_sentiment(&self) -> Option<f64> {
        let scores: Vec<f64> = self.conversations.values().filter_map(|it| it.sentiment).collect();
        let mean = scores.iter().sum::<f64>() / scores.len() as f64;
        (!scores.is_empty()).then(|| (mean * 100.0).round() / 100.0)
    }

    /// The newest value that a bot gave under a key; a point reaches into a table.
    #[must_use]
    pub fn custom(&self, key: &str) -> Option<Datum> {
        let whole = self.custom.get(key);
        let within = || {
            key.split('.').try_fold(None, |at: Option<&Value>, part| {
                let next = match at {
                    None => self.custom.get(part),
                    Some(value) => value.get(part),
                };
                next.map(Some)
            })
        };
        datum(whole.or_else(|| within().flatten())?)
    }
}

fn replace<T: Clone>(known: &mut Option<T>, newer: &Option<T>) {
    if newer.is_some() {
        known.clone_from(newer);
    }
}

/// A sentiment as a number: the words are the ends and the middle.
#[must_use]
pub fn score(sentiment: Sentiment) -> f64 {
    match sentiment {
        Sentiment::Score(score) => score,
        Sentiment::Word(SentimentWord::Positive) => 1.0,
        Sentiment::Word(SentimentWord::Neutral) => 0.0,
        Sentiment::Word(SentimentWord::Negative) => -1.0,
    }
}

fn is_about_prices(intent: &str) -> bool {
    const WORDS: [&str; 6] = ["price", "prices", "pricing", "cost", "quote", "quotation"];
    let intent = intent.to_lowercase();
    let mut words = intent.split(|c: char| !c.is_alphanumeric());
    words.any(|word| WORDS.contains(&word))
}

/// A value of a bot's own; tables say nothing by themselves.
fn datum(value: &Value) -> Option<Datum> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(Datum::Text(text.clone())),
        Value::Number(number) => Some(Datum::Number(number.to_string())),
        Value::Bool(truth) => Some(Datum::Truth(*truth)),
        Value::Array(items) => {
            let text = |item: &Value| match item {
                Value::String(text) => Some(text.clone()),
                Value::Number(number) => Some(number.to_string()),
                _ => None,
            };
            let texts: Vec<String> = items.iter().filter_map(text).collect();
            (!texts.is_empty()).then_some(Datum::Texts(texts))
        }
        Value::String(_) | Value::Null | Value::Object(_) => None,
    }
}
