//! One record, what search knows of it, and what HubSpot works out from its phone numbers.

use super::kind::Kind;
use crate::versions::Versions;
use jiff::{SignedDuration, Timestamp};
use phonenumber::country::Id as Country;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Names and values; what is empty is absent.
pub(super) type Values = BTreeMap<String, String>;

/// A record of any object.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) id: u64,
    pub(super) kind: Kind,
    pub(super) values: Values,
    pub(super) created: Timestamp,
    pub(super) updated: Timestamp,
    pub(super) archived: Option<Timestamp>,
    /// What search may know.
    versions: Versions<Values>,
}

impl Record {
    pub(super) fn new(id: u64, kind: Kind, now: Timestamp) -> Record {
        let mut values = Values::new();
        values.insert("hs_object_id".to_owned(), id.to_string());
        values.insert(kind.times().0.to_owned(), now.to_string());
        Record { id, kind, values, created: now, updated: now, archived: None, versions: Versions::new() }
    }

    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// Takes new values; empty ones clear.
    pub(super) fn set(&mut self, values: &Values) {
        for (name, value) in values {
            if value.is_empty() {
                self.values.remove(name);
            } else {
                self.values.insert(name.clone(), value.clone());
            }
        }
    }

    /// After a change: works out what is calculated, and leaves a version for search to find later.
    pub(super) fn touch(&mut self, now: Timestamp, lag: SignedDuration) {
        self.updated = now;
        self.values.insert(self.kind.times().1.to_owned(), now.to_string());
        if self.kind == Kind::Contacts {
            self.calculate();
        }
        self.versions.push(self.values.clone(), now, lag);
    }

    /// The record as search sees it; `None` where it does not yet.
    pub(super) fn indexed(&self, now: Timestamp, lag: SignedDuration) -> Option<&Values> {
        self.versions.known(now, lag)
    }

    fn calculate(&mut self) {
        for (typed, short) in [("phone", "phone"), ("mobilephone", "mobile")] {
            let number = self.value(typed).map(|typed| calculated(typed, self.value("country")));
            let Number { national, e164, code } = number.unwrap_or_default();
            let international = e164.as_ref().map(|e164| e164.trim_start_matches('+').to_owned());
            let mut values = vec![
                (format!("hs_searchable_calculated_{short}_number"), national),
                (format!("hs_searchable_calculated_international_{short}_number"), international),
                (format!("hs_calculated_{short}_number"), e164),
            ];
            if short == "phone" {
                values.push(("hs_calculated_phone_number_country_code".to_owned(), code));
            }
            self.set(&values.into_iter().map(|(name, value)| (name, value.unwrap_or_default())).collect());
        }
    }

    /// As the API shows it, with these properties; what is not set is null.
    pub(super) fn shown(&self, properties: &[String]) -> Value {
        self.shown_with(&self.values, properties)
    }

    /// As [`Record::shown`], with the values that search knows.
    pub(super) fn shown_with(&self, values: &Values, properties: &[String]) -> Value {
        let shown: Map<String, Value> =
            properties.iter().map(|name| (name.clone(), json!(values.get(name)))).collect();
        let mut shown = json!({
            "id": self.id.to_string(), "properties": shown,
            "createdAt": self.created, "updatedAt": self.updated, "archived": self.archived.is_some(),
        });
        if let Some(at) = self.archived {
            shown["archivedAt"] = json!(at);
        }
        shown
    }

    /// As the answer to a write shows it: every property that is set.
    pub(super) fn shown_whole(&self) -> Value {
        self.shown(&self.values.keys().cloned().collect::<Vec<_>>())
    }
}

#[derive(Debug, Default)]
struct Number {
    national: Option<String>,
    e164: Option<String>,
    code: Option<String>,
}

/// What is searchable: the national number where the number can be read, else its digits without leading
/// zeros.
fn calculated(typed: &str, country: Option<&str>) -> Number {
    let country: Option<Country> = country.and_then(|code| code.trim().to_uppercase().parse().ok());
    if let Ok(number) = phonenumber::parse(country, typed)
        && number.is_valid()
    {
        return Number {
            national: Some(number.national().to_string()),
            e164: Some(number.format().mode(phonenumber::Mode::E164).to_string()),
            code: number.country().id().map(|id| format!("{id:?}")),
        };
    }
    let digits: String = typed.chars().filter(char::is_ascii_digit).collect();
    let digits = digits.trim_start_matches('0');
    Number { national: (!digits.is_empty()).then(|| digits.to_owned()), ..Number::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_searchable_has_no_country_code_unless_the_number_cannot_be_read() {
        let table = [
            ("+91 98765 43210", None, "9876543210", Some("+919876543210")),
            ("098765 43210", Some("IN"), "9876543210", Some("+919876543210")),
            ("+1 555-1234", None, "15551234", None),
            ("00004", None, "4", None),
            ("9876543210", None, "9876543210", None),
        ];
        for (typed, country, national, e164) in table {
            let number = calculated(typed, country);
            assert_eq!(number.national.as_deref(), Some(national), "{typed}");
            assert_eq!(number.e164.as_deref(), e164, "{typed}");
        }
    }
}
