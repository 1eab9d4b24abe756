//! Who is in a CRM more than once, told before the first write: people who share a phone number.
//!
//! In: the CRM's people with their numbers as typed. Out: groups of records with a number in common, in any spelling, the
//! forms WhatsApp itself is known to use for one account (Brazil's ninth digit) among them.

use std::collections::{BTreeMap, BTreeSet};
use wabridge_crms::crm::People;
use wabridge_model::{Country, Phone, RecordRef};

/// People by number, as they are counted.
#[derive(Debug, Default)]
pub struct Census {
    numbers: BTreeMap<String, BTreeSet<RecordRef>>,
    /// How many records there are.
    pub people: u64,
    /// How many of them have no number.
    pub without: u64,
    /// How many numbers cannot be read.
    pub unreadable: u64,
}

/// Records that share numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The numbers, E.164; of two forms of one account, the lesser.
    pub phones: Vec<String>,
    /// The records, at least two.
    pub records: Vec<RecordRef>,
}

impl Census {
    /// Counts a page. A number without a country code belongs to `country`.
    pub fn add(&mut self, page: &People, country: Country) {
        for (record, numbers) in &page.people {
            self.people += 1;
            let typed: Vec<&String> = numbers.iter().filter(|number| !number.trim().is_empty()).collect();
            self.without += u64::from(typed.is_empty());
            for number in typed {
                match Phone::parse(number, country) {
                    Ok(phone) => {
                        self.numbers.entry(account(&phone)).or_default().insert(record.clone());
                    }
                    Err(_) => self.unreadable += 1,
                }
            }
        }
    }

    /// The records that share a number; those that share several are one group.
    #[must_use]
    pub fn groups(&self) -> Vec<Group> {
        let mut groups: BTreeMap<Vec<RecordRef>, Vec<String>> = BTreeMap::new();
        for (phone, records) in self.numbers.iter().filter(|(_, records)| records.len() > 1) {
            groups.entry(records.iter().cloned().collect()).or_default().push(phone.clone());
        }
        let mut groups: Vec<Group> =
            groups.into_iter().map(|(records, phones)| Group { phones, records }).collect();
        groups.sort_by(|a, b| a.phones.cmp(&b.phones));
        groups
    }
}

/// One name for all forms of an account's number.
fn account(phone: &Phone) -> String {
    let forms = phone.match_set();
    let all = forms.iter().map(Phone::e164).chain([phone.e164()]);
    all.min().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn people(rows: &[(&str, &[&str])]) -> People {
        let row = |(id, numbers): &(&str, &[&str])| {
            (RecordRef::new("contact", *id), numbers.iter().map(|it| (*it).to_owned()).collect())
        };
        People { people: rows.iter().map(row).collect(), next: None }
    }

    fn ids(group: &Group) -> Vec<&str> {
        group.records.iter().map(|record| record.id.as_str()).collect()
    }

    #[test]
    fn people_who_share_a_number_in_other_spellings_are_a_group_across_pages() {
        let india = Country::new("IN").unwrap();
        let mut census = Census::default();
        census
            .add(&people(&[("1", &["98765 43210"]), ("2", &["+91-98765-43210", "+91 98765 43210"])]), india);
        census.add(&people(&[("3", &["09876543210"]), ("4", &["+919876543211"]), ("5", &["", "?"])]), india);
        let groups = census.groups();
        assert_eq!(groups.len(), 1, "{groups:?}");
        assert_eq!(
            (ids(&groups[0]), &groups[0].phones[..]),
            (vec!["1", "2", "3"], &["+919876543210".to_owned()][..])
        );
        assert_eq!((census.people, census.without, census.unreadable), (5, 0, 1));
    }

    #[test]
    fn the_two_forms_of_a_brazilian_account_are_one_person() {
        let mut census = Census::default();
        let brazil = Country::new("BR").unwrap();
        census.add(
            &people(&[("1", &["+5511987654321"]), ("2", &["+551187654321"]), ("3", &["+551123456789"])]),
            brazil,
        );
        let groups = census.groups();
        assert_eq!(groups.iter().map(ids).collect::<Vec<_>>(), [["1", "2"]]);
    }

    #[test]
    fn records_that_share_two_numbers_are_told_once() {
        let india = Country::new("IN").unwrap();
        let mut census = Census::default();
        let both: &[&str] = &["9876543210", "9876543211"];
        census.add(&people(&[("1", both), ("2", both), ("3", &["9876543211"]), ("4", &[])]), india);
        let groups = census.groups();
        assert_eq!(groups.iter().map(ids).collect::<Vec<_>>(), [vec!["1", "2"], vec!["1", "2", "3"]]);
        assert_eq!(census.without, 1);
    }
}
