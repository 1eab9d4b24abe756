//! Which of the records that a CRM's search came back with is the person, for every CRM alike.
//!
//! In: whom we look for and the records found, searched widely on purpose. Out: the one that is theirs, all that
//! came into question, and the one that holds their e-mail address. Numbers are compared as numbers, never as
//! typed: exactly first, then by the spellings WhatsApp is known to use for one account.

use crate::crm::{Found, Record, Who};
use wabridge_model::{Country, MatchedBy, Phone, RecordRef};

/// A record that a search came back with.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The record, with the values that were asked for.
    pub record: Record,
    /// The value of our key field.
    pub key: Option<String>,
    /// The numbers in its phone fields, as typed.
    pub phones: Vec<String>,
    /// Its e-mail addresses.
    pub emails: Vec<String>,
    /// What stands in the field that business-scoped user ids are mapped to.
    pub bsuid: Option<String>,
    /// When it was created, in a form that sorts.
    pub since: String,
}

impl Candidate {
    /// How close its numbers come to this one.
    fn closeness(&self, phone: &Phone, country: Country) -> Closeness {
        let others = phone.match_set();
        let numbers = self.phones.iter().chain(&self.key).filter_map(|text| Phone::parse(text, country).ok());
        let judge = |number: Phone| match number {
            number if number == *phone => Closeness::Exact,
            number if others.contains(&number) => Closeness::Alike,
            _ => Closeness::Other,
        };
        numbers.map(judge).min().unwrap_or(Closeness::Unsaid)
    }

    /// Whether our own key says that it is another lead's record.
    fn is_anothers(&self, phone: &Phone) -> bool {
        let ours =
            |key: &str| key == phone.e164() || phone.match_set().iter().any(|other| other.e164() == key);
        self.key.as_deref().is_some_and(|key| !key.is_empty() && !ours(key))
    }

    fn has_email(&self, email: &str) -> bool {
        self.emails.iter().any(|have| have.trim().eq_ignore_ascii_case(email))
    }
}

/// How close the numbers of a record come to a phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Closeness {
    Exact,
    Alike,
    /// It has numbers, and none is this one.
    Other,
    /// It has no number that can be read.
    Unsaid,
}

/// The person among these records.
///
/// Phone before business-scoped id before e-mail. Of several, a record that our key field gives to another lead
/// comes last, and the oldest first, so that every look decides alike. A record with the e-mail address and
/// another number is nobody's match.
#[must_use]
pub fn choose(who: &Who, country: Country, mut candidates: Vec<Candidate>) -> Found {
    candidates.sort_by_cached_key(|candidate| {
        let anothers = who.phone.as_ref().is_some_and(|phone| candidate.is_anothers(phone));
        (anothers, candidate.since.clone(), candidate.record.at.id.len(), candidate.record.at.id.clone())
    });
    candidates.dedup_by(|a, b| a.record.at == b.record.at);
    let mut matches: Vec<(MatchedBy, Closeness, &Candidate)> = candidates
        .iter()
        .filter_map(|candidate| {
            let closeness = who.phone.as_ref().map_or(Closeness::Unsaid, |p| candidate.closeness(p, country));
            match_of(who, candidate, closeness).map(|by| (by, closeness, candidate))
        })
        .collect();
    matches.sort_by_key(|(by, closeness, _)| (rank(*by), *closeness));
    let matched = matches.first().map(|(by, _, candidate)| (candidate.record.clone(), *by));
    let at = matched.as_ref().map(|(record, _)| &record.at);
    let email_taken = who.email.as_deref().and_then(|email| taken(email, at, &candidates));
    Found {
        candidates: matches.iter().map(|(_, _, candidate)| candidate.record.at.clone()).collect(),
        matched,
        email_taken,
    }
}

/// By what a record is the person's, if it is.
fn match_of(who: &Who, candidate: &Candidate, closeness: Closeness) -> Option<MatchedBy> {
    let same_bsuid = |(_, value): &(String, String)| {
        candidate.bsuid.as_deref().is_some_and(|have| have.eq_ignore_ascii_case(value))
    };
    if matches!(closeness, Closeness::Exact | Closeness::Alike) {
        Some(MatchedBy::Phone)
    } else if who.bsuid.as_ref().is_some_and(same_bsuid) {
        Some(MatchedBy::Bsuid)
    } else {
        let same_email = who.email.as_deref().is_some_and(|email| candidate.has_email(email));
        (same_email && closeness != Closeness::Other).then_some(MatchedBy::Email)
    }
}

fn rank(by: MatchedBy) -> u8 {
    match by {
        MatchedBy::LocalMap => 0,
        MatchedBy::UniqueKey => 1,
        MatchedBy::Phone => 2,
        MatchedBy::Bsuid => 3,
        MatchedBy::Email => 4,
        MatchedBy::Created => 5,
    }
}

/// The record that stands in the way of writing the address: one that has it and is not the match.
fn taken(email: &str, matched: Option<&RecordRef>, candidates: &[Candidate]) -> Option<RecordRef> {
    let holder = |candidate: &&Candidate| candidate.has_email(email);
    if candidates.iter().filter(holder).any(|candidate| Some(&candidate.record.at) == matched) {
        return None;
    }
    candidates.iter().find(holder).map(|candidate| candidate.record.at.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn candidate(id: &str, phones: &[&str]) -> Candidate {
        Candidate {
            record: Record { at: RecordRef::new("contact", id), values: BTreeMap::new(), url: None },
            key: None,
            phones: phones.iter().map(|text| (*text).to_owned()).collect(),
            emails: Vec::new(),
            bsuid: None,
            since: "2026-01-01T00:00:00Z".to_owned(),
        }
    }

    fn who(phone: &str) -> Who {
        Who { phone: Some(Phone::parse(phone, Country::INDIA).unwrap()), ..Who::default() }
    }

    fn id(found: &Found) -> Option<(&str, MatchedBy)> {
        found.matched.as_ref().map(|(record, by)| (record.at.id.as_str(), *by))
    }

    #[test]
    fn numbers_are_compared_as_numbers_and_a_number_of_another_country_is_no_match() {
        let spelt = ["098765 43210", "+91-98765-43210", "0091 98765 43210"];
        for text in spelt {
            let found = choose(&who("+919876543210"), Country::INDIA, vec![candidate("1", &[text])]);
            assert_eq!(id(&found), Some(("1", MatchedBy::Phone)), "{text}");
        }
        let found = choose(&who("+919876543210"), Country::INDIA, vec![candidate("1", &["+1 987 654 3210"])]);
        assert_eq!(found, Found::default());
    }

    #[test]
    fn the_exact_number_comes_before_its_other_spelling_and_the_oldest_before_the_younger() {
        let mut old = candidate("7", &["+55 11 8765-4321"]);
        old.since = "2020-01-01T00:00:00Z".to_owned();
        let young = candidate("10", &["+55 11 98765-4321"]);
        let younger = candidate("9", &["+5511987654321"]);
        let found = choose(&who("+5511987654321"), Country::INDIA, vec![old.clone(), young, younger]);
        assert_eq!(id(&found), Some(("9", MatchedBy::Phone)), "of equal age the smaller id");
        assert_eq!(found.candidates.iter().map(|at| at.id.as_str()).collect::<Vec<_>>(), ["9", "10", "7"]);
        let found = choose(&who("+5511987654321"), Country::INDIA, vec![old]);
        assert_eq!(id(&found), Some(("7", MatchedBy::Phone)));
    }

    #[test]
    fn a_record_that_our_key_gives_to_another_lead_comes_last() {
        let mut anothers = candidate("1", &["+919876543210"]);
        anothers.key = Some("+919800000001".to_owned());
        let free = candidate("2", &["+919876543210"]);
        let found = choose(&who("+919876543210"), Country::INDIA, vec![anothers, free]);
        assert_eq!(id(&found), Some(("2", MatchedBy::Phone)));
    }

    #[test]
    fn an_email_with_another_number_is_no_match_but_in_the_way() {
        let mut record = candidate("1", &["+919800000001"]);
        record.emails = vec!["asha@example.com".to_owned()];
        let whom = Who { email: Some("Asha@example.com".to_owned()), ..who("+919876543210") };
        let found = choose(&whom, Country::INDIA, vec![record.clone()]);
        assert_eq!((id(&found), found.email_taken.is_some(), found.candidates.len()), (None, true, 0));
        record.phones.clear();
        let found = choose(&whom, Country::INDIA, vec![record.clone()]);
        assert_eq!((id(&found), &found.email_taken), (Some(("1", MatchedBy::Email)), &None));
        let found = choose(&whom, Country::INDIA, vec![record, candidate("2", &["9876543210"])]);
        assert_eq!(id(&found), Some(("2", MatchedBy::Phone)));
        assert_eq!(found.email_taken, Some(RecordRef::new("contact", "1")), "it cannot be written to 2");
    }

    #[test]
    fn a_business_scoped_id_comes_between_phone_and_email() {
        let mut by_id = candidate("1", &[]);
        by_id.bsuid = Some("IN.1234567890".to_owned());
        let mut by_email = candidate("2", &[]);
        by_email.emails = vec!["asha@example.com".to_owned()];
        let whom = Who {
            bsuid: Some(("wa_bsuid".to_owned(), "IN.1234567890".to_owned())),
            email: Some("asha@example.com".to_owned()),
            ..who("+919876543210")
        };
        let found = choose(&whom, Country::INDIA, vec![by_email.clone(), by_id.clone()]);
        assert_eq!(id(&found), Some(("1", MatchedBy::Bsuid)));
        let found = choose(&whom, Country::INDIA, vec![by_email, by_id, candidate("3", &["9876543210"])]);
        assert_eq!(id(&found), Some(("3", MatchedBy::Phone)));
    }
}
