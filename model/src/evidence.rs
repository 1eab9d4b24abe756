//! Evidence: one event as every delivery of it reported it.
//!
//! In: reports in any order, any number of times. Out: one merged event, its effective time and its
//! place in the order of evidence. Everything here depends on the *set* of reports alone, which is why a
//! lead's state can be rebuilt byte for byte.

use crate::event::{Event, Fact, Person, ReferralReport};
use crate::id::EventKey;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::cmp::Ordering;

/// How far apart the times may be that two channels with ids of their own give one message.
pub const COPY_WITHIN: SignedDuration = SignedDuration::from_mins(2);

/// How strongly a request was proven, strongest last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// A secret path.
    SecretPath,
    /// A shared secret in a header.
    SharedSecret,
    /// A signature over the body.
    Signed,
}

/// One delivery's word on an event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The channel it came by.
    pub channel: String,
    /// That channel's provider.
    pub provider: String,
    /// How the request was proven.
    pub proof: Proof,
    /// The channel only fills the gaps of others.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub secondary: bool,
    /// When it was received; of equal reports, the earliest.
    pub received_at: Timestamp,
    /// What it said.
    pub event: Event,
}

impl Report {
    /// Whether it was read from an import of older messages.
    fn is_history(&self) -> bool {
        match &self.event.fact {
            Fact::Message(message) => message.history,
            Fact::Echo(echo) => echo.history,
            _ => false,
        }
    }
}

/// Where an event stands among all evidence: by effective time, then by key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    /// The effective time.
    pub at: Timestamp,
    /// The event's key.
    pub key: EventKey,
}

/// One event and all that was reported of it. Never empty.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Evidence {
    reports: Vec<Report>,
}

impl From<Report> for Evidence {
    fn from(report: Report) -> Evidence {
        Evidence { reports: vec![report] }
    }
}

impl Evidence {
    /// Adds a report of the same event. Says whether anything changed; if not, it was a duplicate.
    pub fn join(&mut self, report: Report) -> bool {
        debug_assert_eq!(self.key(), &report.event.key, "only reports of one event are joined");
        let same = |known: &&mut Report| {
            known.channel == report.channel
                && known.proof == report.proof
                && known.secondary == report.secondary
                && known.event == report.event
        };
        if let Some(known) = self.reports.iter_mut().find(same) {
            let earlier = report.received_at < known.received_at;
            known.received_at = known.received_at.min(report.received_at);
            if earlier {
                self.reports.sort_by(by_weight);
            }
            return earlier;
        }
        self.reports.push(report);
        self.reports.sort_by(by_weight);
        true
    }

    /// Adds a report in place of an earlier reading of the same delivery. Says whether anything changed.
    pub fn revise(&mut self, report: Report) -> bool {
        let before = self.reports.clone();
        self.reports.retain(|known| {
            known.channel != report.channel
                || known.proof != report.proof
                || known.received_at != report.received_at
        });
        let known = |known: &Report| {
            let later = known.received_at < report.received_at;
            later && Report { received_at: report.received_at, ..known.clone() } == report
        };
        if !self.reports.iter().any(known) {
            self.reports.push(report);
            self.reports.sort_by(by_weight);
        }
        self.reports != before
    }

    /// What makes it the event it is.
    #[must_use]
    pub fn key(&self) -> &EventKey {
        &self.first().event.key
    }

    /// The weightiest report: live before imported, primary before secondary, best proven, then earliest.
    #[must_use]
    pub fn first(&self) -> &Report {
        self.reports.first().expect("evidence is made from a report and only grows")
    }

    /// All reports, weightiest first.
    #[must_use]
    pub fn reports(&self) -> &[Report] {
        &self.reports
    }

    /// Whether only secondary channels reported it: it may be a copy of what another channel reports.
    #[must_use]
    pub fn is_secondary(&self) -> bool {
        self.reports.iter().all(|report| report.secondary)
    }

    /// The channels that reported it, each once, in alphabetical order.
    #[must_use]
    pub fn reported_by(&self) -> Vec<String> {
        let mut channels: Vec<_> = self.reports.iter().map(|report| report.channel.clone()).collect();
        channels.sort_unstable();
        channels.dedup();
        channels
    }

    /// The earliest receipt.
    #[must_use]
    pub fn received_at(&self) -> Timestamp {
        self.reports.iter().map(|report| report.received_at).min().unwrap_or_default()
    }

    /// The provider's time, at most the earliest receipt; without one, the earliest receipt. Of several
    /// provider times the earliest counts, so that a further report never moves evidence forward.
    #[must_use]
    pub fn effective_at(&self) -> Timestamp {
        let received = self.received_at();
        self.reports.iter().filter_map(|report| report.event.occurred_at).fold(received, Timestamp::min)
    }

    /// Its place in the order of evidence.
    #[must_use]
    pub fn position(&self) -> Position {
        Position { at: self.effective_at(), key: self.key().clone() }
    }

    /// One event of all reports: the weightiest, with gaps filled from the others.
    #[must_use]
    pub fn merged(&self) -> Cow<'_, Event> {
        let first = &self.first().event;
        if self.reports.len() == 1 {
            return Cow::Borrowed(first);
        }
        let mut event = first.clone();
        for report in &self.reports[1..] {
            fill_person(&mut event.person, &report.event.person);
            fill_fact(&mut event.fact, &report.event.fact);
            if event.business.number.is_none() {
                event.business.number.clone_from(&report.event.business.number);
            }
        }
        Cow::Owned(event)
    }
}

/// Live before imported, primary before secondary, best proven first, then earliest, then by content, so
/// that no order of arrival shows.
fn by_weight(a: &Report, b: &Report) -> Ordering {
    a.is_history()
        .cmp(&b.is_history())
        .then_with(|| a.secondary.cmp(&b.secondary))
        .then_with(|| b.proof.cmp(&a.proof))
        .then_with(|| a.received_at.cmp(&b.received_at))
        .then_with(|| a.channel.cmp(&b.channel))
        .then_with(|| content(a).cmp(&content(b)))
}

fn content(report: &Report) -> String {
    serde_json::to_string(&report.event).unwrap_or_default()
}

fn fill<T: Clone>(gap: &mut Option<T>, other: &Option<T>) {
    if gap.is_none() {
        gap.clone_from(other);
    }
}

fn fill_person(person: &mut Person, other: &Person) {
    fill(&mut person.phone, &other.phone);
    fill(&mut person.bsuid, &other.bsuid);
    fill(&mut person.parent_bsuid, &other.parent_bsuid);
    fill(&mut person.username, &other.username);
    fill(&mut person.email, &other.email);
    fill(&mut person.name, &other.name);
}

fn fill_fact(fact: &mut Fact, other: &Fact) {
    let (Fact::Message(message), Fact::Message(other)) = (fact, other) else { return };
    fill(&mut message.text, &other.text);
    fill(&mut message.link, &other.link);
    fill(&mut message.wish, &other.wish);
    fill(&mut message.intents, &other.intents);
    match (&mut message.referral, &other.referral) {
        (ReferralReport::Present(mine), ReferralReport::Present(theirs)) => mine.fill(theirs),
        (mine, theirs) if rank(theirs) > rank(mine) => *mine = theirs.clone(),
        _ => {}
    }
}

fn rank(report: &ReferralReport) -> u8 {
    match report {
        ReferralReport::Unreported => 0,
        ReferralReport::UnreportedByVersion => 1,
        ReferralReport::Absent => 2,
        ReferralReport::Malformed => 3,
        ReferralReport::Present(_) => 4,
    }
}
