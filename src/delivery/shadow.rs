//! What a target in shadow mode would have been sent, beside what stands there.
//!
//! In: a row for each lead and operation, with the fields that differ. Out: counts, and a few masked examples: a report
//! is read by people who need not learn whose values these are.

use crate::store::StoreError;
use crate::store::outbox::{Outbox, ShadowRow};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use wabridge_model::OperationKind;
use wabridge_model::id::LeadId;

/// Rows of one read.
const ROWS: usize = 500;
/// Examples of one field.
const EXAMPLES: usize = 2;

/// The report.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// The target.
    pub target: String,
    /// By operation, then by what would have happened: `create`, `update`, `none`.
    pub operations: BTreeMap<&'static str, BTreeMap<String, u64>>,
    /// How people were found.
    pub matched_by: BTreeMap<&'static str, u64>,
    /// Records in which a field that is filled would get another value, by field.
    pub overwrites: BTreeMap<String, u64>,
    /// Records in which a field would get another value than it has, by field.
    pub differs: BTreeMap<String, u64>,
    /// A few, masked.
    pub examples: Vec<Example>,
}

/// A field of a record, masked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Example {
    /// The lead.
    pub lead_id: LeadId,
    /// `person`, `activity`, `deal`.
    pub kind: &'static str,
    /// `create`, `update`, `none`.
    pub action: String,
    /// The field.
    pub field: String,
    /// What stands there.
    pub stands: Option<String>,
    /// What would be written.
    pub would: Option<String>,
    /// Whether a filled field would get another value.
    pub overwrites: bool,
}

/// The columns of a table of differences.
pub const COLUMNS: [&str; 7] = ["lead_id", "kind", "action", "field", "stands", "would", "overwrites"];

/// Reads all rows of a target, in the order of the leads.
///
/// # Errors
/// When the store cannot be read.
pub fn read(outbox: &dyn Outbox, target: &str, mut each: impl FnMut(&ShadowRow)) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let rows = outbox.shadow(target, after, ROWS)?;
        // A full page may end within a lead, which is read again from its beginning.
        let last = rows.last().filter(|_| rows.len() >= ROWS).map(|row| row.lead);
        let whole = rows.iter().filter(|row| Some(row.lead) != last);
        let mut to = None;
        for row in whole {
            each(row);
            to = Some(row.lead);
        }
        match to {
            Some(lead) if last.is_some() => after = Some(lead),
            _ => return Ok(()),
        }
    }
}

impl Report {
    /// An empty report of a target.
    #[must_use]
    pub fn new(target: &str) -> Report {
        Report { target: target.to_owned(), ..Report::default() }
    }

    /// Counts a row.
    pub fn add(&mut self, row: &ShadowRow) {
        let actions = self.operations.entry(row.kind.as_str()).or_default();
        *actions.entry(row.action.clone()).or_default() += 1;
        if let Some(by) = row.matched_by.filter(|_| row.kind == OperationKind::Person) {
            *self.matched_by.entry(by.as_str()).or_default() += 1;
        }
        for example in differences(row) {
            let seen = self.differs.entry(example.field.clone()).or_default();
            *seen += 1;
            let overwritten = self.overwrites.entry(example.field.clone()).or_default();
            *overwritten += u64::from(example.overwrites);
            let few = if example.overwrites { *overwritten } else { *seen - *overwritten };
            if few <= EXAMPLES as u64 {
                self.examples.push(example);
            }
        }
        self.overwrites.retain(|_, count| *count > 0);
    }
}

/// The fields in which a record differs from what would be written.
#[must_use]
pub fn differences(row: &ShadowRow) -> Vec<Example> {
    let differing = row.diff.iter().filter(|(_, (stands, would))| stands != would);
    differing
        .map(|(field, (stands, would))| Example {
            lead_id: row.lead,
            kind: row.kind.as_str(),
            action: row.action.clone(),
            field: field.clone(),
            stands: masked(stands),
            would: masked(would),
            overwrites: row.action != "create" && !is_empty(stands),
        })
        .collect()
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty())
}

/// A value by its first two characters, so that a wrong mapping shows and a person does not.
fn masked(value: &Value) -> Option<String> {
    let text = match value {
        Value::Null => return None,
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut shown: String = text.chars().take(2).collect();
    if text.chars().count() > 2 {
        shown.push_str("•••");
    }
    (!text.is_empty()).then_some(shown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use uuid::Uuid;
    use wabridge_model::MatchedBy;

    fn row(action: &str, diff: &[(&str, Value, Value)]) -> ShadowRow {
        ShadowRow {
            lead: LeadId(Uuid::nil()),
            kind: OperationKind::Person,
            at: jiff::Timestamp::UNIX_EPOCH,
            action: action.into(),
            matched_by: Some(if action == "create" { MatchedBy::Created } else { MatchedBy::Phone }),
            diff: diff
                .iter()
                .map(|(field, stands, would)| ((*field).into(), (stands.clone(), would.clone())))
                .collect(),
        }
    }

    #[test]
    fn filling_an_empty_field_differs_and_only_another_value_of_a_filled_one_overwrites() {
        let mut report = Report::new("hubspot");
        report.add(&row("create", &[("phone", Value::Null, json!("+919876543210"))]));
        report.add(&row(
            "update",
            &[
                ("firstname", json!("Asha"), json!("Priya")),
                ("email", json!(""), json!("a@example.in")),
                ("city", json!("Pune"), json!("Pune")),
            ],
        ));
        report.add(&row("none", &[]));
        assert_eq!(
            report.operations["person"],
            [("create", 1), ("none", 1), ("update", 1)].map(|(k, v)| (k.to_owned(), v)).into()
        );
        assert_eq!(report.overwrites, [("firstname".to_owned(), 1)].into());
        assert_eq!(report.differs.keys().collect::<Vec<_>>(), ["email", "firstname", "phone"]);
        assert_eq!((report.matched_by["phone"], report.matched_by["created"]), (2, 1));
        let text = serde_json::to_string(&report).unwrap();
        assert!(!text.contains("98765") && !text.contains("Priya") && !text.contains("example.in"), "{text}");
        assert!(text.contains("Pr•••"), "{text}");
    }

    #[test]
    fn a_report_of_many_holds_a_few_examples_of_each_field_and_counts_all() {
        let mut report = Report::new("hubspot");
        for _ in 0..50 {
            report.add(&row("update", &[("firstname", Value::Null, json!("Asha"))]));
        }
        report.add(&row("update", &[("firstname", json!("Priya"), json!("Asha"))]));
        assert_eq!((report.differs["firstname"], report.overwrites["firstname"]), (51, 1));
        let overwriting = report.examples.iter().filter(|example| example.overwrites).count();
        assert_eq!((report.examples.len(), overwriting), (3, 1), "what overwrites is among the examples");
    }
}
