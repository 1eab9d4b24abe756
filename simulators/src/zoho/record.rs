//! One record, and what search knows of it.

use super::module::Module;
use super::stamp;
use crate::versions::Versions;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Names and values as they are kept: a record by its id, an instant at the account's offset. What is empty is
/// absent.
pub(super) type Values = BTreeMap<String, Value>;

/// A record of any module.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) id: u64,
    pub(super) module: Module,
    pub(super) values: Values,
    pub(super) deleted: bool,
    /// What a converted lead became.
    pub(super) converted: Option<Converted>,
    /// What search may know.
    versions: Versions<Values>,
}

/// What a lead became, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Converted {
    pub(super) contact: u64,
    pub(super) account: u64,
    pub(super) at: Timestamp,
}

impl Record {
    pub(super) fn new(id: u64, module: Module, now: Timestamp) -> Record {
        let mut values = Values::new();
        values.insert("id".to_owned(), json!(id.to_string()));
        values.insert("Created_Time".to_owned(), json!(stamp(now)));
        values.insert("Created_By".to_owned(), json!(super::account::USERS[0].0));
        values.insert("Owner".to_owned(), json!(super::account::USERS[0].0));
        if module == Module::Leads {
            values.insert("Converted__s".to_owned(), json!(false));
        }
        Record { id, module, values, deleted: false, converted: None, versions: Versions::new() }
    }

    /// The text of a field, or the id of the record that it names.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name).and_then(Value::as_str)
    }

    /// Takes new values; nulls clear.
    pub(super) fn set(&mut self, values: Values) {
        for (name, value) in values {
            if value.is_null() {
                self.values.remove(&name);
            } else {
                self.values.insert(name, value);
            }
        }
    }

    /// After a change: works out the name, and leaves a version for search to find later.
    pub(super) fn touch(&mut self, by: &str, now: Timestamp, lag: SignedDuration) {
        self.values.insert("Modified_Time".to_owned(), json!(stamp(now)));
        self.values.insert("Modified_By".to_owned(), json!(by));
        if self.module.is_person() {
            let names = ["First_Name", "Last_Name"].into_iter().filter_map(|name| self.text(name));
            let name = names.collect::<Vec<_>>().join(" ");
            self.values.insert("Full_Name".to_owned(), json!(name));
        }
        self.versions.push(self.values.clone(), now, lag);
    }

    /// The record as search sees it; `None` where it does not yet.
    pub(super) fn indexed(&self, now: Timestamp, lag: SignedDuration) -> Option<&Values> {
        self.versions.known(now, lag)
    }

    /// Neither deleted nor, as a lead, converted.
    pub(super) fn is_live(&self) -> bool {
        !self.deleted && self.converted.is_none()
    }
}
