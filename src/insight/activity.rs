//! What one conversation looks like in a CRM: one line, and a few more below it.
//!
//! In: the conversation's bounds, the lead's evidence in its order. Out: a title and a body, plain text, never empty.
//! A chatbot's own summary is preferred; else the first question and the last message are quoted. How the CRM wants
//! it escaped is the adapter's business.

use super::signals::score;
use super::summary::{SENT, Talk};
use super::text::{cut, one_line, short, told};
use crate::config::Region;
use crate::config::target::Activity;
use crate::leads::timeline::{Told, originals};
use crate::store::outbox::Conversation;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;
use wabridge_model::chatbot::{ChatbotEvent, Sentiment, SentimentWord};
use wabridge_model::event::{Call, CallDirection, Event, Fact, MessageKind, StatusState};
use wabridge_model::evidence::Evidence;

/// Silence after which a conversation is over.
const SILENCE: SignedDuration = SignedDuration::from_hours(24);
/// How much of a message the title quotes.
const QUOTE: usize = 80;
/// How much of a summary the title holds.
const TITLE: usize = 200;
/// How much of a message the body quotes.
const LINE: usize = 500;
/// How much of a summary the body holds.
const SUMMARY: usize = 2_000;
/// How much of a transcript the body holds: the end of it.
const TRANSCRIPT: usize = 20_000;

/// Title and body of the activity that stands for a conversation. `evidence` is the lead's own; `page` the address of
/// the lead's page, where there is one.
#[must_use]
pub fn activity(
    conversation: &Conversation,
    evidence: &[Evidence],
    shape: Activity,
    page: Option<&str>,
    region: &Region,
) -> (String, String) {
    let said = Said::of(conversation, evidence);
    let title = said.title();
    let mut body = said.summary(&title);
    said.rest(conversation, (shape, page), region, &mut body);
    (title, body.join("\n"))
}

/// What an endpoint is asked to summarise of a conversation, and what is shown below its answer. `None` where a chatbot
/// has summarised it, or there are no words in it.
#[must_use]
pub fn talk(
    conversation: &Conversation,
    evidence: &[Evidence],
    shape: Activity,
    page: Option<&str>,
    region: &Region,
) -> Option<Talk> {
    let said = Said::of(conversation, evidence);
    if said.own_summary().is_some() || said.asked().next().is_none() {
        return None;
    }
    let (lines, _) = newest(said.lines.iter().map(Line::plain).collect(), SENT);
    let mut below = said.summary("");
    said.rest(conversation, (shape, page), region, &mut below);
    Some(Talk { text: lines.join("\n"), below: below.join("\n") })
}

/// Who said something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    They,
    We,
}

/// A line of the transcript.
#[derive(Debug)]
struct Line {
    at: Timestamp,
    side: Side,
    text: String,
    /// It was written: no reaction, correction or call.
    counts: bool,
    /// There are words in it.
    has_words: bool,
}

impl Line {
    /// Who said what, without when.
    fn plain(&self) -> String {
        let who = if self.side == Side::They { "They" } else { "We" };
        format!("{who}: {}", cut(&self.text, LINE))
    }
}

/// What a conversation consists of.
#[derive(Debug, Default)]
struct Said {
    lines: Vec<Line>,
    /// The ids of what we sent, however we know of it.
    sent: BTreeSet<String>,
    bots: Vec<ChatbotEvent>,
    /// What their messages are about.
    written: Vec<String>,
}

impl Said {
    fn of(conversation: &Conversation, evidence: &[Evidence]) -> Said {
        let all: Vec<Told<'_>> = evidence.iter().map(|evidence| (evidence, evidence.merged())).collect();
        let copies = originals(&all);
        let until = until(conversation, &all);
        let mut said = Said::default();
        for (index, (evidence, event)) in all.iter().enumerate() {
            let at = evidence.effective_at();
            let is_within = conversation.started_at <= at && at < until;
            if is_within && is_of(event, &conversation.place) && !copies.contains_key(&index) {
                said.add(at, event);
            }
        }
        said
    }

    fn add(&mut self, at: Timestamp, event: &Event) {
        self.written.extend(event.intents().into_iter().flat_map(|intents| intents.labels.iter().cloned()));
        let mut line = |side, kind: &MessageKind, text: &Option<String>| {
            use MessageKind as K;
            let words = text.as_deref().map(one_line).filter(|text| !text.is_empty());
            let has_words = words.is_some() && *kind != K::Reaction;
            let counts = !matches!(kind, K::Reaction | K::Edit | K::Revoke);
            let text = match (kind, words) {
                (K::Text | K::Button | K::Interactive, Some(words)) => words,
                (kind, Some(words)) => format!("({}) {words}", kind.as_str()),
                (kind, None) => format!("({})", kind.as_str()),
            };
            self.lines.push(Line { at, side, text, counts, has_words: has_words && counts });
        };
        match &event.fact {
            Fact::Message(message) if !message.group && !message.history => {
                line(Side::They, &message.kind, &message.text);
            }
            Fact::Echo(echo) if !echo.history => {
                line(Side::We, &echo.kind, &echo.text);
                self.sent.insert(echo.id.clone());
            }
            Fact::Status(status) if matches!(status.state, StatusState::Sent | StatusState::Delivered) => {
                self.sent.insert(status.message_id.clone());
            }
            Fact::Call(call) => self.lines.push(called(at, call)),
            Fact::Chatbot(bot) => self.bots.push((**bot).clone()),
            _ => {}
        }
    }

    /// What they wrote, in words.
    fn asked(&self) -> impl DoubleEndedIterator<Item = &str> {
        let written = self.lines.iter().filter(|line| line.side == Side::They && line.has_words);
        written.map(|line| line.text.as_str())
    }

    /// The first question, else the first words; and the last words, where they are others.
    fn ends(&self) -> (Option<&str>, Option<&str>) {
        let is_question = |text: &&str| text.contains(['?', '？', '؟']);
        let first = self.asked().find(is_question).or_else(|| self.asked().next());
        (first, self.asked().next_back().filter(|last| Some(*last) != first))
    }

    fn received(&self) -> usize {
        self.lines.iter().filter(|line| line.side == Side::They && line.counts).count()
    }

    /// The newest that a bot says, if any does.
    fn newest<T>(&self, get: impl Fn(&ChatbotEvent) -> Option<T>) -> Option<T> {
        self.bots.iter().rev().find_map(get)
    }

    fn own_summary(&self) -> Option<String> {
        let summary = |bot: &ChatbotEvent| bot.transcript.summary.as_deref().map(one_line);
        self.newest(|bot| summary(bot).filter(|summary| !summary.is_empty()))
    }

    fn title(&self) -> String {
        if let Some(summary) = self.own_summary() {
            return cut(&summary, TITLE);
        }
        let counts = format!("({} received, {} sent)", self.received(), self.sent.len());
        match self.ends() {
            (Some(first), Some(last)) => {
                format!("\"{}\" … \"{}\" {counts}", cut(first, QUOTE), cut(last, QUOTE))
            }
            (Some(only), None) => format!("\"{}\" {counts}", cut(only, QUOTE)),
            _ if self.received() > 0 => format!("WhatsApp conversation {counts}"),
            _ if !self.bots.is_empty() => match self.newest(|bot| bot.intent.primary.clone()) {
                Some(intent) => format!("Chatbot conversation: {}", cut(&one_line(&intent), QUOTE)),
                None => "Chatbot conversation".to_owned(),
            },
            _ if !self.lines.is_empty() => "WhatsApp call".to_owned(),
            _ => "WhatsApp conversation".to_owned(),
        }
    }

    /// What the title had to cut.
    fn summary(&self, title: &str) -> Vec<String> {
        let summary = self.own_summary().filter(|summary| summary != title);
        let mut lines: Vec<String> = summary.map(|summary| cut(&summary, SUMMARY)).into_iter().collect();
        let (first, last) = self.ends();
        for (what, text) in [("First question", first), ("Last message", last)] {
            let text = text.filter(|text| !title.contains(&format!("\"{text}\"")));
            lines.extend(text.map(|text| format!("{what}: {}", cut(text, LINE))));
        }
        lines
    }

    /// What is shown below the summary.
    fn rest(
        &self,
        conversation: &Conversation,
        (shape, page): (Activity, Option<&str>),
        region: &Region,
        body: &mut Vec<String>,
    ) {
        body.push(self.counts(conversation, region));
        body.extend(self.signals());
        match (shape, page) {
            (Activity::Summary, _) | (Activity::Link, None) => {}
            (Activity::Link, Some(page)) => body.push(format!("Conversation: {page}")),
            (Activity::Transcript, _) => body.extend(self.transcript(region)),
        }
    }

    fn counts(&self, conversation: &Conversation, region: &Region) -> String {
        let from = told(conversation.started_at, region);
        let until = told(conversation.last_at.max(conversation.started_at), region);
        let time = if from == until {
            from
        } else {
            format!("{} to {until}", region.clock_time(conversation.started_at))
        };
        match conversation.place.strip_prefix("chatbot:") {
            Some(bot) => {
                let count = self.bots.iter().filter_map(|bot| bot.transcript.messages).max();
                let count = match count {
                    Some(1) => "1 message ".to_owned(),
                    Some(count) => format!("{count} messages "),
                    None => String::new(),
                };
                format!("{count}with chatbot {bot}, {time}")
            }
            None => {
                let (received, sent) = (self.received(), self.sent.len());
                format!("{received} received, {sent} sent with {}, {time}", conversation.place)
            }
        }
    }

    fn signals(&self) -> Vec<String> {
        let mut intents: Vec<String> = Vec::new();
        let of_bots = self.bots.iter().flat_map(|bot| bot.intent.primary.iter().chain(&bot.intent.labels));
        for intent in of_bots.chain(&self.written).map(|intent| one_line(intent)) {
            if !intent.is_empty() && !intents.contains(&intent) {
                intents.push(intent);
            }
        }
        let sentiment = self.newest(|bot| bot.transcript.sentiment).map(|sentiment| match sentiment {
            Sentiment::Word(SentimentWord::Positive) => "positive".to_owned(),
            Sentiment::Word(SentimentWord::Neutral) => "neutral".to_owned(),
            Sentiment::Word(SentimentWord::Negative) => "negative".to_owned(),
            number @ Sentiment::Score(_) => format!("{} (from -1 to 1)", score(number)),
        });
        let mut lines = Vec::new();
        if !intents.is_empty() {
            lines.push(format!("Intents: {}", cut(&intents.join(", "), LINE)));
        }
        lines.extend(sentiment.map(|sentiment| format!("Sentiment: {sentiment}")));
        let url = self.newest(|bot| bot.transcript.transcript_url.clone());
        lines.extend(url.map(|url| format!("Chatbot transcript: {}", one_line(&url))));
        lines
    }

    /// The messages, a line each with their local time; of a long one, the end.
    fn transcript(&self, region: &Region) -> Vec<String> {
        let line = |line: &Line| format!("{} {}", short(line.at, region), line.plain());
        let (mut lines, dropped) = newest(self.lines.iter().map(line).collect(), TRANSCRIPT);
        if dropped > 0 {
            lines.insert(0, format!("({dropped} earlier lines left out)"));
        }
        lines
    }
}

/// As many of these lines as fit, the newest; and how many are left out.
fn newest(mut lines: Vec<String>, mut room: usize) -> (Vec<String>, usize) {
    let fits = |line: &&String| {
        let length = line.chars().count() + 1;
        let fits = length <= room;
        room = room.saturating_sub(length);
        fits
    };
    let dropped = lines.len() - lines.iter().rev().take_while(fits).count();
    lines.drain(..dropped);
    (lines, dropped)
}

/// Where a conversation ends: with their next act after it, and after the silence at the latest.
fn until(conversation: &Conversation, all: &[Told<'_>]) -> Timestamp {
    let silence = conversation.last_at + SILENCE;
    let is_act = |event: &Event| match &event.fact {
        Fact::Message(message) => {
            let is_written =
                !matches!(message.kind, MessageKind::Reaction | MessageKind::Edit | MessageKind::Revoke);
            is_written && !message.group && !message.history
        }
        Fact::Call(call) => call.is_customers_act(),
        _ => false,
    };
    let later = all.iter().filter(|(_, event)| is_act(event) && is_of(event, &conversation.place));
    let next = later.map(|(evidence, _)| evidence.effective_at()).find(|at| *at > conversation.last_at);
    next.unwrap_or(silence).min(silence)
}

/// Whether an event happened there. A chatbot's belongs to whatever conversation is open.
fn is_of(event: &Event, place: &str) -> bool {
    match (&event.fact, place.strip_prefix("chatbot:")) {
        (Fact::Chatbot(bot), Some(id)) => bot.bot_id == id,
        (Fact::Chatbot(_), None) => true,
        (_, Some(_)) => false,
        (_, None) => event.business.number.as_ref().is_some_and(|number| number.e164() == place),
    }
}

fn called(at: Timestamp, call: &Call) -> Line {
    let side = if call.direction == CallDirection::ByCustomer { Side::They } else { Side::We };
    Line { at, side, text: format!("(call: {})", one_line(&call.step)), counts: false, has_words: false }
}

#[cfg(test)]
mod tests;
