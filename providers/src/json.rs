//! Reading JSON that others write: tolerant texts, lists that keep a bad item to itself, instants.
//!
//! In: the text of a body or of one item. Out: borrowed values, or a [`Malformed`] that names the path at
//! fault. Why not plain serde types: vendors send numbers as strings and strings as numbers, `""` for
//! "absent", and one item of a new shape in a batch of good ones.

use crate::provider::Malformed;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::fmt;

/// As deep as serde_json itself goes; a deeper body is no provider's.
const DEEPEST: usize = 128;

/// A text or a number, as text. Absent, `null` and `""` are all `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Text<'a>(Option<Cow<'a, str>>);

impl Text<'_> {
    /// The text, if there is one.
    pub(crate) fn get(&self) -> Option<&str> {
        self.0.as_deref()
    }

    /// The text as its own value, if there is one.
    pub(crate) fn owned(&self) -> Option<String> {
        self.get().map(str::to_owned)
    }

    /// The text, or what to say about its absence.
    pub(crate) fn required(&self, field: &'static str) -> Result<&str, Malformed> {
        self.get().ok_or_else(|| missing(field))
    }

    /// The instant it names, or what is wrong with it.
    pub(crate) fn required_instant(&self, field: &'static str) -> Result<Timestamp, Malformed> {
        instant(self.required(field)?)
            .ok_or_else(|| Malformed { reason: "invalid_field", path: field.to_owned() })
    }

    /// The moment it names, if it is there, or what is wrong with it.
    pub(crate) fn moment(&self, field: &'static str) -> Result<Option<Timestamp>, Malformed> {
        let fault = || Malformed { reason: "invalid_field", path: field.to_owned() };
        self.get().map(|text| moment(text).ok_or_else(fault)).transpose()
    }
}

struct TextVisitor {
    /// Whether a list, an object or a truth value is an error; otherwise it is read as absent.
    strict: bool,
}

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a number")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Text<'de>, E> {
        Ok(Text((!text.is_empty()).then_some(Cow::Borrowed(text))))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Text<'de>, E> {
        self.visit_string(text.to_owned())
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Text<'de>, E> {
        Ok(Text((!text.is_empty()).then_some(Cow::Owned(text))))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Text<'de>, E> {
        self.visit_string(number.to_string())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Text<'de>, E> {
        self.visit_string(number.to_string())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Text<'de>, E> {
        self.visit_string(number.to_string())
    }

    fn visit_unit<E: Error>(self) -> Result<Text<'de>, E> {
        Ok(Text(None))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Text<'de>, E> {
        if self.strict {
            return Err(E::invalid_type(serde::de::Unexpected::Bool(value), &self));
        }
        Ok(Text(None))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Text<'de>, A::Error> {
        if self.strict {
            return Err(A::Error::invalid_type(serde::de::Unexpected::Seq, &self));
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Text(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Text<'de>, A::Error> {
        if self.strict {
            return Err(A::Error::invalid_type(serde::de::Unexpected::Map, &self));
        }
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Text(None))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text<'a>, D::Error> {
        deserializer.deserialize_any(TextVisitor { strict: true })
    }
}

/// Reads a [`Text`] that must not fail its item, whatever stands there: names and advertisements.
pub(crate) fn loose<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Text<'a>, D::Error> {
    deserializer.deserialize_any(TextVisitor { strict: false })
}

/// A list whose items are read one by one, so that a bad item is alone.
#[derive(Debug, Default)]
pub(crate) enum List<'a> {
    /// Not there, or `null`.
    #[default]
    Absent,
    /// The text of each item.
    Items(Vec<&'a RawValue>),
    /// Something else stands there.
    Other,
}

impl<'a> List<'a> {
    /// The items; none where there is no list.
    pub(crate) fn items(&self) -> &[&'a RawValue] {
        match self {
            List::Items(items) => items,
            List::Absent | List::Other => &[],
        }
    }
}

struct ListVisitor;

impl<'de> Visitor<'de> for ListVisitor {
    type Value = List<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<List<'de>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(List::Items(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<List<'de>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(List::Other)
    }

    fn visit_unit<E: Error>(self) -> Result<List<'de>, E> {
        Ok(List::Absent)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<List<'de>, E> {
        Ok(List::Other)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<List<'de>, E> {
        Ok(List::Other)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<List<'de>, E> {
        Ok(List::Other)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<List<'de>, E> {
        Ok(List::Other)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<List<'de>, E> {
        Ok(List::Other)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for List<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<List<'a>, D::Error> {
        deserializer.deserialize_any(ListVisitor)
    }
}

/// The body as text that serde_json can read to its end.
///
/// A lone surrogate (`\ud83d` without its other half) is no Unicode and would fail the whole item for one
/// broken emoji: it is read as the replacement character.
///
/// # Errors
/// `not_json` for bytes that are no UTF-8, `too_deep` for nesting that no provider writes.
pub(crate) fn body_text(body: &[u8]) -> Result<Cow<'_, str>, Malformed> {
    let text = std::str::from_utf8(body).map_err(|_| whole("not_json"))?;
    if is_too_deep(text.as_bytes()) {
        return Err(whole("too_deep"));
    }
    Ok(without_lone_surrogates(text))
}

/// Reads one JSON object, and on failure says where it fails, relative to the object.
pub(crate) fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Malformed> {
    // serde reads a list as a struct, field by field; here a list is never an object.
    if !text.trim_ascii_start().starts_with('{') {
        return Err(whole(if is_json(text) { "unexpected_shape" } else { "not_json" }));
    }
    serde_json::from_str(text).map_err(|_| locate::<T>(text))
}

/// Reads again, slowly, to learn the path at fault.
#[cold]
fn locate<'a, T: Deserialize<'a>>(text: &'a str) -> Malformed {
    if !is_json(text) {
        return whole("not_json");
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let path = match serde_path_to_error::deserialize::<_, T>(&mut deserializer) {
        Err(error) => error.path().to_string(),
        Ok(_) => ".".to_owned(),
    };
    match path.as_str() {
        "." => whole("unexpected_shape"),
        _ => Malformed { reason: "invalid_field", path },
    }
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// A fault of the whole.
pub(crate) fn whole(reason: &'static str) -> Malformed {
    Malformed { reason, path: "$".to_owned() }
}

/// A field that must be there.
pub(crate) fn missing(field: &'static str) -> Malformed {
    Malformed { reason: "missing_field", path: field.to_owned() }
}

/// The fault as seen from further out: its path, behind the path of the item it is in.
pub(crate) fn within(place: &str, fault: Malformed) -> Malformed {
    let path = match fault.path.as_str() {
        "$" => place.to_owned(),
        inner if inner.starts_with('[') => format!("{place}{inner}"),
        inner => format!("{place}.{inner}"),
    };
    Malformed { reason: fault.reason, path }
}

/// A Unix time in seconds or, from 10^11, in milliseconds. Nothing else, and nothing before 1970.
pub(crate) fn instant(text: &str) -> Option<Timestamp> {
    let number: i64 = text.trim().parse().ok()?;
    match number {
        ..=0 => None,
        1..100_000_000_000 => Timestamp::from_second(number).ok(),
        _ => Timestamp::from_millisecond(number).ok(),
    }
}

/// An instant, or an ISO date and time, with a space for the `T` or not. Where that names no zone it is UTC.
pub(crate) fn moment(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let naive = || Some(text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp());
    let iso = || text.parse().ok().or_else(naive).filter(|at: &Timestamp| *at > Timestamp::UNIX_EPOCH);
    instant(text).or_else(iso)
}

/// Whether any bracket nests deeper than serde_json goes. Raw values are skipped without that check.
fn is_too_deep(text: &[u8]) -> bool {
    // Most bodies have fewer brackets than that altogether, and counting is quicker than following them.
    if text.iter().filter(|byte| matches!(byte, b'{' | b'[')).count() < DEEPEST {
        return false;
    }
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in text {
        match (in_string, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_string = !in_string,
            (false, b'{' | b'[') => {
                depth += 1;
                if depth >= DEEPEST {
                    return true;
                }
            }
            (false, b'}' | b']') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// The text with each lone surrogate escape replaced by `\ufffd`, which is as long.
fn without_lone_surrogates(text: &str) -> Cow<'_, str> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = text[from..].find('\\').map(|offset| from + offset) {
        from = match (surrogate(text, at), surrogate(text, at + 6)) {
            (Some(Half::Leading), Some(Half::Trailing)) => at + 12,
            (Some(_), _) => {
                found.push(at);
                at + 6
            }
            // The escaped character may be of several bytes where the text is not JSON at all.
            (None, _) => at + 1 + text[at + 1..].chars().next().map_or(0, char::len_utf8),
        };
    }
    if found.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut repaired = text.to_owned();
    for at in found {
        repaired.replace_range(at..at + 6, "\\ufffd");
    }
    Cow::Owned(repaired)
}

enum Half {
    Leading,
    Trailing,
}

/// Which half of a pair the `\uXXXX` at this place is, if it is one.
fn surrogate(text: &str, at: usize) -> Option<Half> {
    let digits = text.get(at..at + 6)?.strip_prefix("\\u")?;
    match u16::from_str_radix(digits, 16).ok()? {
        0xd800..=0xdbff => Some(Half::Leading),
        0xdc00..=0xdfff => Some(Half::Trailing),
        _ => None,
    }
}

/// 128 bits, in hex, of what a JSON text says, whatever the order of its keys and its white space.
pub(crate) fn digest_of(labels: [&str; 2], json: &str) -> String {
    let mut hasher = Sha256::new();
    for label in labels {
        hasher.update((label.len() as u64).to_be_bytes());
        hasher.update(label);
    }
    match serde_json::from_str::<Value>(json) {
        Ok(value) => digest(&mut hasher, &value),
        // A number beyond f64, say. The text itself then has to do.
        Err(_) => hasher.update(json),
    }
    data_encoding::HEXLOWER.encode(&hasher.finalize()[..16])
}

fn digest(hasher: &mut Sha256, value: &Value) {
    match value {
        Value::Array(items) => {
            hasher.update([b'[']);
            items.iter().for_each(|item| digest(hasher, item));
            hasher.update([b']']);
        }
        Value::Object(fields) => {
            // Sorted here, not by the map: a feature elsewhere in the build may keep it in order of arrival.
            let mut sorted: Vec<_> = fields.iter().collect();
            sorted.sort_unstable_by_key(|(key, _)| *key);
            hasher.update([b'{']);
            for (key, item) in sorted {
                hasher.update((key.len() as u64).to_be_bytes());
                hasher.update(key);
                digest(hasher, item);
            }
            hasher.update([b'}']);
        }
        Value::String(text) => {
            hasher.update([b'"']);
            hasher.update((text.len() as u64).to_be_bytes());
            hasher.update(text);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            hasher.update([b'=']);
            hasher.update(value.to_string());
            hasher.update([b',']);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_seconds_or_milliseconds_and_nothing_else() {
        assert_eq!(instant("1795336200").unwrap().to_string(), "2026-11-22T08:30:00Z");
        assert_eq!(instant("1795336200123").unwrap().to_string(), "2026-11-22T08:30:00.123Z");
        for bad in ["", "0", "-1", "soon", "1.5", "1e9", "999999999999999999", "99999999999999999999"] {
            assert!(instant(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_moment_may_be_iso_with_any_number_of_decimals_and_is_utc_without_a_zone() {
        for (text, at) in [
            ("1795336200", "2026-11-22T08:30:00Z"),
            ("2026-11-22T08:30:00.1234567Z", "2026-11-22T08:30:00.1234567Z"),
            ("2026-11-22T08:30:00.123Z", "2026-11-22T08:30:00.123Z"),
            ("2026-11-22T14:00:00+05:30", "2026-11-22T08:30:00Z"),
            ("2026-11-22T14:00:00+0530", "2026-11-22T08:30:00Z"),
            ("2026-11-22T08:30:00.123456", "2026-11-22T08:30:00.123456Z"),
            ("2026-11-22 08:30:00.123", "2026-11-22T08:30:00.123Z"),
            (" 2026-11-22 08:30:00 ", "2026-11-22T08:30:00Z"),
        ] {
            assert_eq!(moment(text).unwrap().to_string(), at, "{text}");
        }
        for bad in
            ["", "soon", "0", "0001-01-01T00:00:00", "1969-12-31T23:59:59Z", "2026-13-01T00:00:00Z", "08:30"]
        {
            assert!(moment(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_text_may_be_a_number_and_an_empty_one_is_absent() {
        let read = |json: &str| serde_json::from_str::<Text<'_>>(json).map(|text| text.owned());
        assert_eq!(read(r#""a\u00e9""#).unwrap().as_deref(), Some("aé"));
        assert_eq!(read("7").unwrap().as_deref(), Some("7"));
        assert_eq!(read(r#""""#).unwrap(), None);
        assert_eq!(read("null").unwrap(), None);
        assert!(read("[]").is_err() && read("{}").is_err() && read("true").is_err());
    }

    #[test]
    fn a_lone_surrogate_becomes_the_replacement_character_and_pairs_stay() {
        let same = |text: &str| matches!(without_lone_surrogates(text), Cow::Borrowed(_));
        assert!(same(r#""\ud83d\ude00 \\ud83d \u00e9 \/ \"""#));
        assert_eq!(without_lone_surrogates(r#""\ud83d!\uDE00""#), r#""\ufffd!\ufffd""#);
        assert_eq!(without_lone_surrogates(r#""\ud83d\ud83d\ude00\ud83""#), r#""\ufffd\ud83d\ude00\ud83""#);
        assert!(same("\\") && same("\\é") && same(r"\u") && same(r"\u+d83"));
    }

    #[test]
    fn depth_counts_brackets_that_are_open_outside_texts() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(!is_too_deep(nested(127).as_bytes()));
        assert!(is_too_deep(nested(128).as_bytes()));
        assert!(!is_too_deep("[],".repeat(500).as_bytes()));
        assert!(!is_too_deep(format!(r#"["\"{}"]"#, "[".repeat(500)).as_bytes()));
    }

    #[test]
    fn a_digest_ignores_the_order_of_keys_and_nothing_else() {
        let of = |json| digest_of(["1", "field"], json);
        assert_eq!(
            of(r#"{"a":1,"b":[2,{"d":3,"c":null}]}"#),
            of(r#"{ "b": [2, {"c": null, "d": 3}], "a": 1 }"#)
        );
        for other in [
            r#"{"a":1}"#,
            r#"{"a":"1"}"#,
            r#"{"a":[1]}"#,
            r#"{"b":1}"#,
            r#"{"a":1,"b":[{"d":3,"c":null},2]}"#,
        ] {
            assert_ne!(of(r#"{"a":1,"b":[2,{"d":3,"c":null}]}"#), of(other), "{other}");
        }
        assert_ne!(digest_of(["1", "23"], "{}"), digest_of(["12", "3"], "{}"));
        assert_eq!(of(r#"{"a":1e999}"#).len(), 32);
    }
}
