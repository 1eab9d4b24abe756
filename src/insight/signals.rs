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
use wabridge_model::event::{Fact, Intents};
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
    /// What their messages and the bots' events are about, each label once.
    pub labels: Vec<String>,
    /// The newest of these.
    pub newest_label: Option<String>,
    /// How many messages of theirs ask for prices; `None` while none was about anything that is known.
    written_pricing: Option<u64>,
    /// Competitors that their messages name.
    written_competitors: Vec<String>,
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
            let event = evidence.merged();
            if let Fact::Chatbot(event) = &event.fact {
                signals.add(event, evidence);
            }
            if let Some(intents) = event.intents() {
                signals.written(intents);
            }
        }
        signals
    }

    /// A message of theirs that is about something.
    fn written(&mut self, intents: &Intents) {
        let asks = intents.labels.iter().any(|label| label == "pricing");
        self.written_pricing = Some(self.written_pricing.unwrap_or_default() + u64::from(asks));
        intents.labels.iter().for_each(|label| self.label(label));
        intents.competitors.iter().for_each(|name| once(&mut self.written_competitors, name));
    }

    fn label(&mut self, label: &str) {
        let label = label.trim();
        if !label.is_empty() {
            once(&mut self.labels, label);
            self.newest_label = Some(label.to_owned());
        }
    }

    /// How often prices were asked for, in messages and of bots; `None` where nothing is known of either.
    #[must_use]
    pub fn all_pricing_questions(&self) -> Option<u64> {
        let (bots, written) = (self.pricing_questions(), self.written_pricing);
        bots.or(written).map(|_| bots.unwrap_or_default() + written.unwrap_or_default())
    }

    /// The competitors that were named, to bots and in messages.
    #[must_use]
    pub fn all_competitors(&self) -> Vec<String> {
        let mut all = self.competitors.clone();
        self.written_competitors.iter().for_each(|name| once(&mut all, name));
        all
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
            once(&mut self.competitors, name);
        }
        event.intent.labels.iter().chain(primary).for_each(|label| self.label(label));
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

/// Adds a name that is not there in any case.
fn once(names: &mut Vec<String>, name: &str) {
    if !names.iter().any(|known| known.to_lowercase() == name.to_lowercase()) {
        names.push(name.to_owned());
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::insight::stage::{OURS, asha, at, bot, by_bot, evidence, message, own, they};
    use serde_json::json;
    use wabridge_model::chatbot::Transcript;
    use wabridge_model::event::Message;

    fn with(event: ChatbotEvent, change: impl FnOnce(&mut ChatbotEvent)) -> ChatbotEvent {
        let mut event = event;
        change(&mut event);
        event
    }

    #[test]
    fn counters_that_a_conversation_repeats_count_once_and_conversations_are_summed() {
        let counted = |time: &str, conversation: &str, messages, sentiment| {
            let transcript = Transcript { messages, sentiment, ..Transcript::default() };
            by_bot(time, ChatbotEvent { transcript, ..bot(conversation, "conversation.updated") })
        };
        let word = |word| Some(Sentiment::Word(word));
        let evidence = [
            counted("08:00:00", "a", Some(4), word(SentimentWord::Negative)),
            counted("08:01:00", "a", Some(9), word(SentimentWord::Positive)),
            counted("08:02:00", "b", Some(3), Some(Sentiment::Score(0.25))),
            counted("08:03:00", "a", Some(8), None),
            counted("08:04:00", "c", None, word(SentimentWord::Neutral)),
        ];
        let signals = Signals::of(&evidence);
        assert_eq!(signals.messages(), Some(12));
        assert_eq!(signals.average_sentiment(), Some(0.42));
        assert_eq!(signals.pricing_questions(), Some(0));
        assert_eq!(Signals::of(&evidence[4..]).messages(), None);
        assert_eq!(Signals::of(&[]), Signals::default());
        assert_eq!(Signals::default().pricing_questions(), None);
    }

    #[test]
    fn a_question_for_the_price_counts_each_time_and_a_label_that_is_repeated_once() {
        let asked = |time: &str, conversation: &str, primary: Option<&str>, labels: &[&str]| {
            let intent = Intent {
                primary: primary.map(str::to_owned),
                labels: labels.iter().map(|label| (*label).to_owned()).collect(),
                ..Intent::default()
            };
            by_bot(time, ChatbotEvent { intent, ..bot(conversation, "conversation.updated") })
        };
        let evidence = [
            asked("08:00:00", "a", Some("pricing"), &["pricing"]),
            asked("08:01:00", "a", Some("Price-Question"), &["pricing"]),
            asked("08:02:00", "a", Some("demo"), &["pricing"]),
            asked("08:03:00", "b", None, &["get_quote"]),
            asked("08:04:00", "b", None, &["get_quote", "demo"]),
            asked("08:05:00", "b", Some("surprise"), &["costume"]),
        ];
        let signals = Signals::of(&evidence);
        assert_eq!(signals.pricing_questions(), Some(3));
        assert_eq!(signals.last_intent.as_deref(), Some("surprise"));
    }

    #[test]
    fn messages_and_bots_are_added_up_and_what_bots_say_stays_theirs() {
        let wrote = |time: &str, labels: &[&str], competitors: &[&str]| {
            let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
            let intents = Intents { labels: texts(labels), competitors: texts(competitors) };
            let message = Message { intents: Some(Box::new(intents)), ..message(time) };
            evidence(at(time), Some(OURS), asha(), Fact::Message(message))
        };
        let asked = with(bot("a", "conversation.updated"), |event| {
            event.intent.primary = Some("pricing".to_owned());
            event.intent.competitor_mentions = vec!["Acme".to_owned()];
        });
        let evidence = [
            wrote("08:00:00", &["pricing", "availability"], &[]),
            by_bot("08:01:00", asked),
            wrote("08:02:00", &["pricing", "competitor_evaluation"], &["acme", "Globex"]),
            they("08:03:00", "thanks"),
        ];
        let signals = Signals::of(&evidence);
        assert_eq!(signals.labels, ["pricing", "availability", "competitor_evaluation"]);
        assert_eq!(signals.newest_label.as_deref(), Some("competitor_evaluation"));
        assert_eq!(signals.all_pricing_questions(), Some(3));
        assert_eq!(signals.all_competitors(), ["Acme", "Globex"]);
        assert_eq!((signals.pricing_questions(), signals.competitors.len()), (Some(1), 1));
        assert_eq!(Signals::of(&evidence[..1]).pricing_questions(), None);
        assert_eq!(Signals::of(&evidence[..1]).all_pricing_questions(), Some(1));
        assert_eq!(Signals::of(&evidence[3..]).all_pricing_questions(), None);
    }

    #[test]
    fn competitors_are_named_once_and_values_of_the_bots_own_are_the_newest() {
        let first = with(bot("a", "lead.created"), |event| {
            event.intent.competitor_mentions = vec!["Acme".into(), " acme ".into(), "Globex".into()];
            event.custom = own(json!({
                "plan": "gold", "seats": 12.5, "trial": true, "tags": ["a", 2, {}], "order": {"total": "9"},
                "a.b": "whole", "a": {"b": "within"}, "empty": " "
            }));
        });
        let second = with(bot("a", "lead.updated"), |event| {
            event.intent.competitor_mentions = vec!["Initech".into(), "globex".into()];
            event.custom = own(json!({"plan": "silver", "seats": null}));
        });
        let signals = Signals::of(&[by_bot("08:00:00", first), by_bot("08:01:00", second)]);
        assert_eq!(signals.competitors, ["Acme", "Globex", "Initech"]);
        let text = |text: &str| Some(Datum::Text(text.to_owned()));
        assert_eq!(signals.custom("plan"), text("silver"));
        assert_eq!(signals.custom("seats"), Some(Datum::Number("12.5".to_owned())));
        assert_eq!(signals.custom("trial"), Some(Datum::Truth(true)));
        assert_eq!(signals.custom("tags"), Some(Datum::Texts(vec!["a".to_owned(), "2".to_owned()])));
        assert_eq!(signals.custom("order.total"), text("9"));
        assert_eq!(signals.custom("a.b"), text("whole"));
        for nothing in ["order", "empty", "order.total.x", "none"] {
            assert_eq!(signals.custom(nothing), None, "{nothing}");
        }
    }
}
