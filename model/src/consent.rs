//! Consent: what a person agreed to, for which purpose, on what evidence.
//!
//! In: consent notices in the order of evidence. Out: whether a purpose is given or withdrawn now.

use crate::id::EventId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The purpose of keeping a person's data in a CRM.
pub const CRM: &str = "crm";
/// The purpose of reporting a person's acts to advertisers, and of marketing to them.
pub const ADVERTISING: &str = "advertising";

/// The newest word on one purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    /// The purpose; absent: every purpose.
    pub purpose: Option<String>,
    /// Given, or withdrawn.
    pub state: ConsentState,
    /// When, by the notice or else by the evidence.
    pub at: Timestamp,
    /// Which notice was shown.
    pub text_version: Option<String>,
    /// In which language.
    pub language: Option<String>,
    /// The event that says so.
    pub event_id: EventId,
}

/// Whether consent stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConsentState {
    /// It stands.
    Given,
    /// It was taken back.
    Withdrawn,
}

/// A person's consents, oldest word first; at most one for each purpose.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Consents(Vec<Consent>);

impl Consents {
    /// Whether nothing was ever said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The records, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Consent> {
        self.0.iter()
    }

    /// Records a word later than all before it. One on every purpose replaces them all.
    pub fn record(&mut self, consent: Consent) {
        self.0.retain(|known| consent.purpose.is_some() && known.purpose != consent.purpose);
        self.0.push(consent);
    }

    /// Adds another person's records to this one's, where the two turn out to be one.
    pub fn merge(&mut self, other: Consents) {
        let mut all = std::mem::take(&mut self.0);
        all.extend(other.0);
        all.sort_by(|a, b| a.at.cmp(&b.at).then_with(|| a.event_id.cmp(&b.event_id)));
        for consent in all {
            self.record(consent);
        }
    }

    /// The newest word on a purpose, which may be one on every purpose.
    #[must_use]
    pub fn state(&self, purpose: &str) -> Option<ConsentState> {
        let speaks = |consent: &&Consent| consent.purpose.as_deref().is_none_or(|named| named == purpose);
        self.0.iter().rev().find(speaks).map(|consent| consent.state)
    }

    /// Whether consent for a purpose was withdrawn and not given again.
    #[must_use]
    pub fn is_withdrawn(&self, purpose: &str) -> bool {
        self.state(purpose) == Some(ConsentState::Withdrawn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::EventKey;

    fn word(purpose: Option<&str>, state: ConsentState, second: i64) -> Consent {
        Consent {
            purpose: purpose.map(str::to_owned),
            state,
            at: Timestamp::from_second(second).unwrap(),
            text_version: None,
            language: None,
            event_id: EventKey::new("t", &[&second.to_string()]).event_id(),
        }
    }

    #[test]
    fn a_withdrawal_of_everything_reaches_every_purpose_until_one_is_given_again() {
        let mut consents = Consents::default();
        consents.record(word(Some(CRM), ConsentState::Given, 1));
        consents.record(word(None, ConsentState::Withdrawn, 2));
        assert!(consents.is_withdrawn(CRM) && consents.is_withdrawn(ADVERTISING));
        consents.record(word(Some(CRM), ConsentState::Given, 3));
        assert!(!consents.is_withdrawn(CRM));
        assert!(consents.is_withdrawn(ADVERTISING));
    }
}
