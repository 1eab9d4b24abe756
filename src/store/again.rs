//! The marks of a resync, among what is remembered of a record's fields.
//!
//! A field that is to be looked at again is remembered as `{"again": what was remembered, "lease": n}`, `n` being the
//! newest lease there was. Whoever leased the lead later saw the mark, and what they found takes its place; a write that
//! was under way when the mark was made leaves it standing.

use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What is remembered of a record, by field.
type Written = BTreeMap<String, Value>;

/// What was remembered of a field that is to be looked at again.
#[must_use]
pub fn marked(remembered: &Value) -> Option<&Value> {
    parts(remembered).map(|(before, _)| before)
}

/// Marks fields, those too of which nothing is remembered. What was left to somebody else stays so.
pub fn mark(written: &mut Written, fields: &[String], newest: i64) {
    for field in fields {
        let remembered = written.entry(field.clone()).or_default();
        if !is_left(remembered) {
            let before = marked(remembered).unwrap_or(remembered).clone();
            *remembered = json!({"again": before, "lease": newest});
        }
    }
}

/// Puts those marks back that were made since a lease began, around what was written under it.
pub fn keep_newer(written: &mut Written, stored: &Written, lease: i64) {
    for (field, mark) in stored {
        if let (Some((_, newest)), Some(now)) = (parts(mark), written.get_mut(field))
            && newest >= lease
            && !is_left(now)
        {
            let before = marked(now).unwrap_or(now).clone();
            *now = json!({"again": before, "lease": newest});
        }
    }
}

/// Whether a field was left to somebody else.
#[must_use]
pub fn is_left(remembered: &Value) -> bool {
    remembered.get("left").is_some()
}

fn parts(remembered: &Value) -> Option<(&Value, i64)> {
    Some((remembered.get("again")?, remembered.get("lease")?.as_i64()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(fields: &[(&str, Value)]) -> Written {
        fields.iter().map(|(field, value)| ((*field).to_owned(), value.clone())).collect()
    }

    #[test]
    fn what_is_remembered_is_marked_and_what_was_left_to_somebody_stays() {
        let left = json!({"left": "edited in the CRM", "value": "x"});
        let mut fields =
            written(&[("a", json!("1")), ("b", Value::Null), ("c", left.clone()), ("d", json!(4))]);
        mark(&mut fields, &["a", "b", "c", "new"].map(str::to_owned), 7);
        assert_eq!(marked(&fields["a"]), Some(&json!("1")));
        assert_eq!(marked(&fields["b"]), Some(&Value::Null));
        assert_eq!((&fields["c"], &fields["d"]), (&left, &json!(4)));
        assert_eq!(marked(&fields["new"]), Some(&Value::Null));
        mark(&mut fields, &["a".to_owned()], 9);
        assert_eq!(fields["a"], json!({"again": "1", "lease": 9}), "a mark is not marked");
    }

    #[test]
    fn only_a_write_that_began_after_it_takes_a_marks_place() {
        let mut stored = written(&[("a", json!("old"))]);
        mark(&mut stored, &["a".to_owned()], 7);
        for (lease, expected) in [(6, true), (7, true), (8, false)] {
            let mut new = written(&[("a", json!("new"))]);
            keep_newer(&mut new, &stored, lease);
            assert_eq!(marked(&new["a"]).is_some(), expected, "lease {lease}");
            assert_eq!(marked(&new["a"]).unwrap_or(&new["a"]), &json!("new"));
        }
    }
}
