//! What to write to a person's record, and what to leave: pure.
//!
//! In: our values, what we wrote before, the record as it stands where it was read. Out: the fields to write,
//! what is then to be remembered, and what is left out and why.
//!
//! What is remembered by field (`written` in [`crate::store::outbox::RecordRow`]) is our value as plain JSON; or
//! null, where `if_empty` found it filled; or `{"left": why, "value": ours}`, where it was left to somebody else; any of
//! them in a mark of [`crate::store::again`], where an operator wants what stands there to be looked at again.

use crate::store::again::marked;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use wabridge_crms::mapping::{Mapping, Owner, WriteRule};
use wabridge_crms::{Datum, PersonWrite};

/// Why a field is left out that a person changed.
pub const EDITED: &str = "edited in the CRM";
/// Why a field is left out whose value another record has.
pub const TAKEN: &str = "another record has this value";

/// What is remembered of fields.
pub type Written = BTreeMap<String, Value>;

/// What there is to write for a lead.
#[derive(Debug, Clone)]
pub struct Sheet<'a> {
    /// What is written where.
    pub mappings: &'a [Mapping],
    /// Our values, by field.
    pub values: BTreeMap<String, Datum>,
    /// The value of our key field.
    pub key: Option<String>,
    /// Our key field.
    pub key_field: &'a str,
    /// Fields that the CRM lacks, and how so.
    pub missing: &'a BTreeMap<String, String>,
    /// Fields whose values other records have.
    pub taken: BTreeSet<String>,
    /// Whether the CRM can keep its automation quiet.
    pub can_be_quiet: bool,
}

/// What is known of the record.
#[derive(Debug, Clone, Copy)]
pub enum Stand<'a> {
    /// There is none yet.
    New,
    /// There is one.
    Known {
        /// What we wrote before.
        written: &'a Written,
        /// What stands there, where it was read.
        seen: Option<&'a BTreeMap<String, Value>>,
    },
}

/// What to write, and what follows once it is written.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Draft {
    /// What to write; `None` where nothing differs.
    pub write: Option<PersonWrite>,
    /// What is remembered then.
    pub written: Written,
    /// What is left out, and why.
    pub left_out: BTreeMap<String, String>,
}

/// What becomes of one field.
enum Fate {
    /// It is written.
    Write,
    /// It was settled before, or is not ours to settle.
    Keep,
    /// It stands there as we would write it.
    There,
    /// It is somebody else's.
    Filled,
    /// It is left out.
    Leave(&'static str),
}

impl Sheet<'_> {
    /// The fields that must be read before it can be decided. Where there are none, nothing need be read.
    #[must_use]
    pub fn undecided(&self, written: &Written) -> Vec<String> {
        let open = |mapping: &&Mapping| {
            self.ours(mapping).is_some_and(|ours| match (mapping.write, written.get(&mapping.field)) {
                (WriteRule::CreateOnly, _) => false,
                (_, Some(before)) if marked(before).is_some() => true,
                (WriteRule::Always, _) => false,
                (WriteRule::IfEmpty, None) => true,
                (WriteRule::IfEmpty, Some(before)) => {
                    left(before).is_some_and(|(_, value)| *value != plain(ours))
                }
            })
        };
        let key = self.key.as_ref().and(written.get(self.key_field)).and_then(marked);
        let key = key.map(|_| self.key_field.to_owned());
        self.offered().filter(open).map(|mapping| mapping.field.clone()).chain(key).collect()
    }

    /// The fields worth reading where a record is read anyway.
    #[must_use]
    pub fn readable(&self) -> Vec<String> {
        let mut fields: Vec<String> = self.offered().map(|mapping| mapping.field.clone()).collect();
        fields.push(self.key_field.to_owned());
        fields.dedup();
        fields
    }

    /// What to write.
    #[must_use]
    pub fn draft(&self, stand: Stand<'_>, doubtful: bool) -> Draft {
        let (before, seen) = match stand {
            Stand::New => (None, None),
            Stand::Known { written, seen } => (Some(written), seen),
        };
        let mut draft = Draft { written: before.cloned().unwrap_or_default(), ..Draft::default() };
        let mut values = BTreeMap::new();
        let mut only_ours = before.is_some();
        for mapping in self.mappings {
            let field = &mapping.field;
            if let Some(how) = self.missing.get(field) {
                // Forgotten, so that it is written when the field is there again.
                draft.written.remove(field);
                draft.left_out.insert(field.clone(), how.clone());
                continue;
            }
            let Some(ours) = self.ours(mapping) else { continue };
            let value = plain(ours);
            match self.fate(mapping, ours, stand) {
                Fate::Keep => {}
                Fate::There => drop(draft.written.insert(field.clone(), value)),
                Fate::Filled => drop(draft.written.insert(field.clone(), Value::Null)),
                Fate::Leave(why) => {
                    draft.left_out.insert(field.clone(), why.to_owned());
                    draft.written.insert(field.clone(), json!({"left": why, "value": value}));
                }
                Fate::Write => {
                    only_ours &= mapping.owner == Owner::Bridge;
                    values.insert(field.clone(), ours.clone());
                    draft.written.insert(field.clone(), value);
                }
            }
        }
        let key = self.key.clone().map(Value::from);
        let stands =
            |fields: Option<&Written>| fields.and_then(|fields| fields.get(self.key_field)) == key.as_ref();
        let key_is_new = key.is_some() && !stands(before) && !stands(seen);
        if let Some(key) = key {
            draft.written.insert(self.key_field.to_owned(), key);
        }
        if before.is_none() || key_is_new || !values.is_empty() {
            let quiet = self.can_be_quiet && only_ours && !key_is_new;
            draft.write = Some(PersonWrite { key: self.key.clone(), values, doubtful, quiet });
        }
        draft
    }

    /// The mappings that the CRM has a field for, and that are not our key.
    fn offered(&self) -> impl Iterator<Item = &Mapping> {
        let has = |mapping: &&Mapping| {
            mapping.field != self.key_field && !self.missing.contains_key(&mapping.field)
        };
        self.mappings.iter().filter(has)
    }

    /// Our value for a field, unless it is an empty one: nothing is ever blanked.
    fn ours(&self, mapping: &Mapping) -> Option<&Datum> {
        if mapping.field == self.key_field {
            return None;
        }
        self.values.get(&mapping.field).filter(|ours| !is_empty(ours))
    }

    fn fate(&self, mapping: &Mapping, ours: &Datum, stand: Stand<'_>) -> Fate {
        if self.taken.contains(&mapping.field) {
            return Fate::Leave(TAKEN);
        }
        let Stand::Known { written, seen } = stand else { return Fate::Write };
        let before = written.get(&mapping.field);
        let there = seen.map(|seen| seen.get(&mapping.field).filter(|there| !is_blank(there)));
        let is_there = |there: Option<&Value>| there.is_some_and(|there| same(there, ours));
        if let Some((why, value)) = before.and_then(left)
            && let Some(why) = self.still_left(mapping, why, *value == plain(ours))
        {
            return Fate::Leave(why);
        }
        if let Some(before) = before.and_then(marked) {
            return self.again(mapping, ours, before, there);
        }
        match (mapping.write, there) {
            (WriteRule::CreateOnly, _) => Fate::Keep,
            (WriteRule::IfEmpty, _) if before.is_some_and(|before| left(before).is_none()) => Fate::Keep,
            (WriteRule::IfEmpty, None) => Fate::Keep,
            (WriteRule::IfEmpty, Some(Some(_))) => Fate::Filled,
            (WriteRule::IfEmpty, Some(None)) => Fate::Write,
            (WriteRule::Always, Some(there)) if is_there(there) => Fate::There,
            (WriteRule::Always, _) => self.always(mapping, ours, before, there.flatten()),
        }
    }

    /// What becomes of a field that is looked at again: where it is empty it is filled, and what a person put there stays
    /// as it does otherwise.
    fn again(&self, mapping: &Mapping, ours: &Datum, before: &Value, there: Option<Option<&Value>>) -> Fate {
        match (mapping.write, there) {
            (WriteRule::CreateOnly, _) | (_, None) => Fate::Keep,
            (_, Some(None)) => Fate::Write,
            (_, Some(Some(there))) if same(there, ours) => Fate::There,
            (WriteRule::IfEmpty, Some(Some(_))) => Fate::Filled,
            // We never wrote it: whoever did is a person.
            (WriteRule::Always, Some(Some(_))) if before.is_null() && mapping.owner == Owner::Human => {
                Fate::Leave(EDITED)
            }
            (WriteRule::Always, Some(there)) => match self.always(mapping, ours, Some(before), there) {
                Fate::Keep => Fate::There,
                fate => fate,
            },
        }
    }

    /// Whether what was left to somebody else still is: a taken value until ours is another, an edit for good.
    fn still_left(&self, mapping: &Mapping, why: &str, same: bool) -> Option<&'static str> {
        match why {
            EDITED => (mapping.owner == Owner::Human).then_some(EDITED),
            _ => same.then_some(TAKEN),
        }
    }

    fn always(&self, mapping: &Mapping, ours: &Datum, before: Option<&Value>, there: Option<&Value>) -> Fate {
        let unchanged = before.is_some_and(|before| *before == plain(ours));
        // Somebody changed what we wrote. A value that we cannot compare is no proof of that.
        let edited = match (before, there) {
            (Some(before), Some(there)) if left(before).is_none() && !before.is_null() => {
                alike(there, before) == Some(false)
            }
            _ => false,
        };
        match (edited, unchanged, mapping.owner) {
            (true, _, Owner::Human) => Fate::Leave(EDITED),
            (true, _, Owner::Bridge) | (false, false, _) => Fate::Write,
            (false, true, _) => Fate::Keep,
        }
    }
}

/// Why a field was left to somebody else, and what ours was.
fn left(written: &Value) -> Option<(&str, &Value)> {
    let left = written.as_object()?;
    Some((left.get("left")?.as_str()?, left.get("value")?))
}

/// A value as plain JSON.
#[must_use]
pub fn plain(datum: &Datum) -> Value {
    match datum {
        Datum::Text(text) | Datum::Number(text) => Value::from(text.as_str()),
        Datum::Truth(truth) => Value::from(*truth),
        Datum::Instant(at) => Value::from(at.to_string()),
        Datum::Texts(texts) => Value::from(texts.as_slice()),
    }
}

fn is_empty(datum: &Datum) -> bool {
    match datum {
        Datum::Text(text) | Datum::Number(text) => text.trim().is_empty(),
        Datum::Texts(texts) => texts.is_empty(),
        Datum::Truth(_) | Datum::Instant(_) => false,
    }
}

fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

/// Whether a CRM's value is ours, however it spells it.
fn same(there: &Value, ours: &Datum) -> bool {
    alike(there, &plain(ours)) == Some(true)
}

/// Whether two values are the same but for their spelling: numbers, truths and instants come as texts or not.
/// `None` where an instant is spelt in a way that cannot be compared.
fn alike(there: &Value, ours: &Value) -> Option<bool> {
    let (mut a, b) = (spelt(there), spelt(ours));
    if ours.is_array() {
        // Several come as a list, or as one text.
        a = spelt(&a.split(';').collect());
    }
    if a == b {
        return Some(true);
    }
    if let Some(ours) = instant(&b) {
        return instant(&a).map(|there| there.as_second() == ours.as_second());
    }
    match (a.parse::<f64>(), b.parse::<f64>()) {
        (Ok(a), Ok(b)) => Some((a - b).abs() <= f64::EPSILON * a.abs().max(b.abs())),
        _ => Some(false),
    }
}

/// A value as one text. Several are put in order: a CRM keeps none.
fn spelt(value: &Value) -> String {
    match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Array(items) => {
            let mut items: Vec<String> = items.iter().map(spelt).collect();
            items.sort();
            items.join(";")
        }
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn instant(text: &str) -> Option<Timestamp> {
    if let Ok(at) = text.parse() {
        return Some(at);
    }
    // Milliseconds since 1970, of this century.
    let milliseconds = text.parse().ok().filter(|it| (946_684_800_000..4_102_444_800_000).contains(it))?;
    Timestamp::from_millisecond(milliseconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use wabridge_crms::mapping::{OnMissing, Source};

    const KEY: &str = "+919876543210";

    fn mapping(field: &str, write: WriteRule, owner: Owner) -> Mapping {
        Mapping {
            field: field.to_owned(),
            from: Source::Value(Datum::Truth(true)),
            default: None,
            values: BTreeMap::new(),
            write,
            on_missing: OnMissing::Skip,
            owner,
        }
    }

    fn text(value: &str) -> Datum {
        Datum::Text(value.to_owned())
    }

    fn fields<T>(pairs: impl IntoIterator<Item = (&'static str, T)>) -> BTreeMap<String, T> {
        pairs.into_iter().map(|(field, value)| (field.to_owned(), value)).collect()
    }

    fn with<'a>(
        mappings: &'a [Mapping],
        missing: &'a BTreeMap<String, String>,
        values: impl IntoIterator<Item = (&'static str, Datum)>,
    ) -> Sheet<'a> {
        Sheet {
            mappings,
            values: fields(values),
            key: Some(KEY.to_owned()),
            key_field: "wa_e164",
            missing,
            taken: BTreeSet::new(),
            can_be_quiet: true,
        }
    }

    /// What one field's rule does: what is written, and what is remembered of it.
    fn one(
        (write, owner): (WriteRule, Owner),
        ours: &str,
        before: Option<Value>,
        seen: Option<Option<&str>>,
    ) -> (Option<String>, Option<Value>, Option<String>) {
        let mappings = [mapping("f", write, owner)];
        let missing = BTreeMap::new();
        let sheet = with(&mappings, &missing, [("f", text(ours))]);
        let mut written = fields([("wa_e164", json!(KEY))]);
        written.extend(before.map(|before| ("f".to_owned(), before)));
        let seen = seen.map(|there| fields(there.map(|there| ("f", json!(there)))));
        let draft = sheet.draft(Stand::Known { written: &written, seen: seen.as_ref() }, false);
        let wrote = draft.write.and_then(|write| match write.values.get("f") {
            Some(Datum::Text(text)) => Some(text.clone()),
            _ => None,
        });
        (wrote, draft.written.get("f").cloned(), draft.left_out.get("f").cloned())
    }

    #[test]
    fn every_write_rule_does_what_it_says_to_a_known_record() {
        use Owner::{Bridge, Human};
        use WriteRule::{Always, CreateOnly, IfEmpty};
        let (was, null) = (Some(json!("old")), Some(Value::Null));
        let edit = Some(json!({"left": EDITED, "value": "old"}));
        let (new, old) = (Some(json!("new")), Some(json!("old")));
        let put = |text: &str| Some(text.to_owned());
        let why = Some(EDITED.to_owned());
        let table = [
            // rule, ours, before, the record; written, remembered, left out
            (CreateOnly, Human, "new", None, Some(None), (None, None, None)),
            (CreateOnly, Human, "new", was.clone(), None, (None, old.clone(), None)),
            (IfEmpty, Human, "new", None, Some(None), (put("new"), new.clone(), None)),
            (IfEmpty, Human, "new", None, Some(Some("  ")), (put("new"), new.clone(), None)),
            (IfEmpty, Human, "new", None, Some(Some("theirs")), (None, null.clone(), None)),
            (IfEmpty, Bridge, "new", None, Some(Some("theirs")), (None, null.clone(), None)),
            (IfEmpty, Human, "new", was.clone(), Some(None), (None, old.clone(), None)),
            (IfEmpty, Human, "new", null.clone(), Some(None), (None, null.clone(), None)),
            (IfEmpty, Human, "new", None, None, (None, None, None)),
            (Always, Human, "old", was.clone(), None, (None, old.clone(), None)),
            (Always, Human, "new", was.clone(), None, (put("new"), new.clone(), None)),
            (Always, Human, "new", null.clone(), None, (put("new"), new.clone(), None)),
            (Always, Human, "new", None, Some(Some("theirs")), (put("new"), new.clone(), None)),
            (Always, Human, "new", None, Some(Some("new ")), (None, new.clone(), None)),
            (Always, Human, "new", was.clone(), Some(Some("old")), (put("new"), new.clone(), None)),
            (Always, Human, "old", was.clone(), Some(Some("theirs")), (None, edit.clone(), why.clone())),
            (
                Always,
                Human,
                "new",
                was.clone(),
                Some(Some("theirs")),
                (None, Some(json!({"left": EDITED, "value": "new"})), why.clone()),
            ),
            (Always, Human, "old", edit.clone(), None, (None, edit.clone(), why)),
            (Always, Bridge, "old", was.clone(), Some(Some("theirs")), (put("old"), old.clone(), None)),
            (Always, Bridge, "old", edit, None, (put("old"), old.clone(), None)),
            (Always, Human, "old", was.clone(), Some(None), (None, old.clone(), None)),
            (Always, Human, " ", was, None, (None, old, None)),
        ];
        for (rule, owner, ours, before, seen, expected) in table {
            let said = format!("{rule:?} {owner:?} {ours} {before:?} {seen:?}");
            assert_eq!(one((rule, owner), ours, before, seen), expected, "{said}");
        }
    }

    #[test]
    fn a_new_record_gets_everything_that_has_a_value() {
        let mappings = [
            mapping("a", WriteRule::CreateOnly, Owner::Human),
            mapping("b", WriteRule::IfEmpty, Owner::Human),
            mapping("c", WriteRule::Always, Owner::Bridge),
            mapping("d", WriteRule::Always, Owner::Bridge),
        ];
        let missing = BTreeMap::new();
        let sheet = with(
            &mappings,
            &missing,
            [("a", text("1")), ("b", text("2")), ("c", text("3")), ("d", text(""))],
        );
        let draft = sheet.draft(Stand::New, true);
        let write = draft.write.unwrap();
        assert_eq!(write.values, fields([("a", text("1")), ("b", text("2")), ("c", text("3"))]));
        assert_eq!((write.key.as_deref(), write.doubtful, write.quiet), (Some(KEY), true, false));
        let expected = [("a", json!("1")), ("b", json!("2")), ("c", json!("3")), ("wa_e164", json!(KEY))];
        assert_eq!(draft.written, fields(expected));
        assert!(draft.left_out.is_empty());
    }

    #[test]
    fn where_nothing_differs_nothing_is_written() {
        let mappings =
            [mapping("a", WriteRule::Always, Owner::Human), mapping("b", WriteRule::IfEmpty, Owner::Human)];
        let missing = BTreeMap::new();
        let sheet = with(&mappings, &missing, [("a", text("1")), ("b", text("2"))]);
        let written = sheet.draft(Stand::New, false).written;
        let draft = sheet.draft(Stand::Known { written: &written, seen: None }, false);
        assert_eq!(draft, Draft { written, ..Draft::default() });
        assert!(sheet.undecided(&draft.written).is_empty());
    }

    #[test]
    fn only_an_if_empty_field_that_was_never_settled_is_read() {
        let mappings = [
            mapping("a", WriteRule::IfEmpty, Owner::Human),
            mapping("b", WriteRule::IfEmpty, Owner::Human),
            mapping("c", WriteRule::IfEmpty, Owner::Human),
            mapping("d", WriteRule::Always, Owner::Human),
            mapping("gone", WriteRule::IfEmpty, Owner::Human),
        ];
        let missing = fields([("gone", "is gone".to_owned())]);
        let values = [("a", text("1")), ("b", text("2")), ("d", text("4")), ("gone", text("5"))];
        let sheet = with(&mappings, &missing, values);
        assert_eq!(sheet.undecided(&fields([("b", Value::Null)])), ["a"]);
        assert_eq!(sheet.readable(), ["a", "b", "c", "d", "wa_e164"]);
    }

    #[test]
    fn a_field_that_the_crm_lacks_is_left_out_and_written_when_it_is_back() {
        let mappings =
            [mapping("a", WriteRule::Always, Owner::Human), mapping("b", WriteRule::Always, Owner::Human)];
        let (none, gone) = (BTreeMap::new(), fields([("b", "is gone".to_owned())]));
        let values = || [("a", text("1")), ("b", text("2"))];
        let before = with(&mappings, &none, values()).draft(Stand::New, false).written;
        let stand = Stand::Known { written: &before, seen: None };
        let without = with(&mappings, &gone, values()).draft(stand, false);
        assert_eq!(without.write, None, "nothing else differs");
        assert_eq!(without.left_out, gone);
        let stand = Stand::Known { written: &without.written, seen: None };
        let back = with(&mappings, &none, values()).draft(stand, false);
        assert_eq!(back.write.unwrap().values, fields([("b", text("2"))]));
        assert!(back.left_out.is_empty());
    }

    #[test]
    fn what_is_looked_at_again_is_filled_where_it_is_empty_and_left_where_a_person_filled_it() {
        use Owner::{Bridge, Human};
        use WriteRule::{Always, CreateOnly, IfEmpty};
        let mark = |before: Value| Some(json!({"again": before, "lease": 3}));
        let was = || mark(json!("old"));
        let (old, new) = (Some(json!("old")), Some(json!("new")));
        let edit = Some(json!({"left": EDITED, "value": "old"}));
        let put = |text: &str| Some(text.to_owned());
        let why = Some(EDITED.to_owned());
        let table = [
            // rule, ours, before, the record; written, remembered, left out
            (IfEmpty, Human, "old", was(), Some(None), (put("old"), old.clone(), None)),
            (IfEmpty, Human, "old", was(), Some(Some("old ")), (None, old.clone(), None)),
            (IfEmpty, Human, "old", was(), Some(Some("theirs")), (None, Some(Value::Null), None)),
            (IfEmpty, Human, "old", mark(Value::Null), Some(None), (put("old"), old.clone(), None)),
            (Always, Human, "old", was(), Some(None), (put("old"), old.clone(), None)),
            (Always, Human, "old", was(), Some(Some("old")), (None, old.clone(), None)),
            (Always, Human, "new", was(), Some(Some("old")), (put("new"), new, None)),
            (Always, Human, "old", was(), Some(Some("theirs")), (None, edit, why)),
            (Always, Bridge, "old", was(), Some(Some("theirs")), (put("old"), old, None)),
            (CreateOnly, Human, "old", was(), Some(None), (None, was(), None)),
            // What was not read is looked at the next time.
            (Always, Human, "new", was(), None, (None, was(), None)),
            (IfEmpty, Human, "new", was(), None, (None, was(), None)),
        ];
        for (rule, owner, ours, before, seen, expected) in table {
            let said = format!("{rule:?} {owner:?} {ours} {before:?} {seen:?}");
            assert_eq!(one((rule, owner), ours, before, seen), expected, "{said}");
        }
        let mappings = [(IfEmpty, "a"), (Always, "b"), (Always, "c"), (CreateOnly, "d")]
            .map(|(rule, field)| mapping(field, rule, Human));
        let missing = BTreeMap::new();
        let sheet = with(&mappings, &missing, ["a", "b", "c", "d"].map(|field| (field, text("old"))));
        let marks = fields(["a", "b", "d"].map(|field| (field, was().unwrap())));
        assert_eq!(sheet.undecided(&marks), ["a", "b"], "what is marked is read first");
    }

    #[test]
    fn a_taken_value_is_left_out_until_ours_is_another() {
        let mappings = [mapping("email", WriteRule::IfEmpty, Owner::Human)];
        let missing = BTreeMap::new();
        let mut sheet = with(&mappings, &missing, [("email", text("a@example.in"))]);
        sheet.taken = ["email".to_owned()].into();
        let draft = sheet.draft(Stand::New, false);
        assert!(draft.write.unwrap().values.is_empty());
        assert_eq!(draft.left_out, fields([("email", TAKEN.to_owned())]));
        sheet.taken.clear();
        assert!(sheet.undecided(&draft.written).is_empty(), "the same address is still another's");
        let again = sheet.draft(Stand::Known { written: &draft.written, seen: None }, false);
        assert_eq!((again.write, again.left_out), (None, draft.left_out));
        sheet.values = fields([("email", text("b@example.in"))]);
        assert_eq!(sheet.undecided(&draft.written), ["email"]);
        let seen = BTreeMap::new();
        let other = sheet.draft(Stand::Known { written: &draft.written, seen: Some(&seen) }, false);
        assert_eq!(other.write.unwrap().values, fields([("email", text("b@example.in"))]));
    }

    #[test]
    fn a_new_number_is_written_by_itself_and_a_found_record_gets_our_key() {
        let missing = BTreeMap::new();
        let sheet = with(&[], &missing, []);
        for (written, seen, writes) in [
            (fields([("wa_e164", json!(KEY))]), None, false),
            (fields([("wa_e164", json!("+919800000001"))]), None, true),
            (fields([]), Some(fields([])), true),
            (fields([]), Some(fields([("wa_e164", json!(KEY))])), false),
        ] {
            let draft = sheet.draft(Stand::Known { written: &written, seen: seen.as_ref() }, false);
            assert_eq!(draft.write.is_some(), writes, "{written:?} {seen:?}");
            assert_eq!(draft.written["wa_e164"], json!(KEY));
        }
    }

    #[test]
    fn a_lead_without_a_phone_is_written_without_the_key() {
        let mappings = [mapping("a", WriteRule::Always, Owner::Human)];
        let missing = BTreeMap::new();
        let sheet = Sheet { key: None, ..with(&mappings, &missing, [("a", text("1"))]) };
        let draft = sheet.draft(Stand::New, false);
        assert_eq!(draft.write.unwrap().key, None);
        assert_eq!(draft.written, fields([("a", json!("1"))]));
    }

    #[test]
    fn automation_is_kept_quiet_only_where_nothing_but_our_own_fields_change() {
        let mappings =
            [mapping("a", WriteRule::Always, Owner::Bridge), mapping("b", WriteRule::Always, Owner::Human)];
        let missing = BTreeMap::new();
        let known = fields([("wa_e164", json!(KEY)), ("a", json!("0")), ("b", json!("0"))]);
        for (a, b, quiet) in [("1", "0", true), ("1", "1", false), ("0", "1", false)] {
            let sheet = with(&mappings, &missing, [("a", text(a)), ("b", text(b))]);
            let draft = sheet.draft(Stand::Known { written: &known, seen: None }, false);
            assert_eq!(draft.write.unwrap().quiet, quiet, "{a} {b}");
        }
    }

    #[test]
    fn values_are_the_same_in_any_spelling_and_an_unknown_spelling_is_no_edit() {
        let at = || Datum::Instant("2026-11-22T08:00:00.5Z".parse().unwrap());
        for (there, ours, expected) in [
            (json!("1.50"), plain(&Datum::Number("1.5".to_owned())), Some(true)),
            (json!(2), plain(&Datum::Number("2".to_owned())), Some(true)),
            (json!("3"), plain(&Datum::Number("2".to_owned())), Some(false)),
            (json!("true"), plain(&Datum::Truth(true)), Some(true)),
            (json!("2026-11-22T08:00:00Z"), plain(&at()), Some(true)),
            (json!("1795334400500"), plain(&at()), Some(true)),
            (json!("2026-11-23T08:00:00Z"), plain(&at()), Some(false)),
            (json!("22.11.2026"), plain(&at()), None),
            (json!("b;a"), plain(&Datum::Texts(vec!["a".to_owned(), "b".to_owned()])), Some(true)),
            (json!(["b", "a"]), plain(&Datum::Texts(vec!["a".to_owned(), "b".to_owned()])), Some(true)),
        ] {
            assert_eq!(alike(&there, &ours), expected, "{there} {ours}");
        }
    }
}
