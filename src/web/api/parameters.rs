//! The query of a URL, read strictly: a misspelt parameter would change the answer in silence.

use super::problem::{Problem, UNREADABLE_LEAD, UNREADABLE_PHONE};
use crate::config::{Region, nearest};
use crate::leads::find::Reference;
use crate::leads::page::{Cursor, DEFAULT_LIMIT, MAX_LIMIT, Paging};
use jiff::Timestamp;
use jiff::civil::Date;
use wabridge_model::Phone;

/// The parameters of a query, each at most once.
#[derive(Debug)]
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads a query; `known` are the parameters that may be in it.
    pub(super) fn read(query: &str, known: &[&str]) -> Result<Parameters, Problem> {
        let mut found: Vec<(String, String)> = Vec::new();
        for (name, value) in url::form_urlencoded::parse(with_pluses(query).as_bytes()) {
            if !known.contains(&&*name) {
                return Err(unknown(&name, known));
            }
            if found.iter().any(|(earlier, _)| *earlier == name) {
                return Err(Problem::parameter(&name, "given twice; give it once"));
            }
            found.push((name.into_owned(), value.into_owned()));
        }
        Ok(Parameters(found))
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A business number.
    pub(super) fn business(&self, region: &Region) -> Result<Option<Phone>, Problem> {
        self.get("business").map(|text| business("business", text, region)).transpose()
    }

    /// An instant, or a day, which begins where the region's does.
    pub(super) fn instant(&self, name: &str, region: &Region) -> Result<Option<Timestamp>, Problem> {
        self.get(name).map(|text| instant(name, text, region)).transpose()
    }

    /// A day, or the day on which an instant falls.
    pub(super) fn day(
        &self,
        name: &str,
        region: &Region,
        rounding: Rounding,
    ) -> Result<Option<Date>, Problem> {
        let read = |text| read_day(text, region, rounding).ok_or_else(|| not_an_instant(name));
        self.get(name).map(read).transpose()
    }

    /// One of a few words, or `default` where it is absent.
    pub(super) fn choice<T: Copy>(
        &self,
        name: &str,
        all: &[T],
        as_str: fn(T) -> &'static str,
        default: T,
    ) -> Result<T, Problem> {
        let read = |text| choice(text, all, as_str).map_err(|way_out| Problem::parameter(name, way_out));
        self.get(name).map_or(Ok(default), read)
    }

    /// `limit` and `cursor`.
    pub(super) fn paging(&self) -> Result<Paging, Problem> {
        Ok(Paging { limit: self.limit()?, after: self.cursor(Cursor::decode)? })
    }

    /// `limit`.
    pub(super) fn limit(&self) -> Result<usize, Problem> {
        let Some(text) = self.get("limit") else { return Ok(DEFAULT_LIMIT) };
        let limit = text.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
        limit.ok_or_else(|| Problem::parameter("limit", format!("write a number from 1 to {MAX_LIMIT}")))
    }

    /// `cursor`, as its list reads it.
    pub(super) fn cursor<T>(&self, decode: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>, Problem> {
        let Some(text) = self.get("cursor") else { return Ok(None) };
        let wrong = || Problem::parameter("cursor", "write `next` of the page before, or leave it out");
        decode(text).map(Some).ok_or_else(wrong)
    }
}

/// A `+` that begins a value was meant: forms write a blank so, but no value of ours begins with one.
fn with_pluses(query: &str) -> String {
    query.replace("=+", "=%2B")
}

fn unknown(name: &str, known: &[&str]) -> Problem {
    let way_out = match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean {near}?"),
        None if known.is_empty() => "this route takes no parameters".to_owned(),
        None => format!("this route knows {}", known.join(", ")),
    };
    // The name itself is not repeated: it may be a value that lost its name.
    Problem::parameter("query", format!("an unknown parameter; {way_out}"))
}

/// Reads a business number.
pub(super) fn business(parameter: &str, text: &str, region: &Region) -> Result<Phone, Problem> {
    Phone::parse(text, region.default_country).map_err(|_| Problem::parameter(parameter, UNREADABLE_PHONE))
}

/// Reads a lead by a phone number.
pub(super) fn phone(parameter: &str, text: &str, region: &Region) -> Result<Reference, Problem> {
    let read = Reference::parse_phone(text, region.default_country);
    read.ok_or_else(|| Problem::parameter(parameter, UNREADABLE_PHONE))
}

/// Reads a lead in any spelling.
pub(super) fn lead(parameter: &str, text: &str, region: &Region) -> Result<Reference, Problem> {
    let read = Reference::parse(text, region.default_country);
    read.ok_or_else(|| Problem::parameter(parameter, UNREADABLE_LEAD))
}

/// Reads an instant, or a day.
pub(super) fn instant(name: &str, text: &str, region: &Region) -> Result<Timestamp, Problem> {
    read_instant(text, region).ok_or_else(|| not_an_instant(name))
}

fn not_an_instant(name: &str) -> Problem {
    let way_out = "write an instant such as 2026-11-22T08:35:12Z, or a day such as 2026-11-22";
    Problem::parameter(name, format!("not an instant; {way_out}"))
}

/// Where an instant within a day counts, when only whole days are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rounding {
    /// At the beginning of its day.
    Down,
    /// At the beginning of the next.
    Up,
}

/// A day of the region, or that of an instant; an instant within a day is rounded to include it.
pub(crate) fn read_day(text: &str, region: &Region, rounding: Rounding) -> Option<Date> {
    let at = read_instant(text, region)?;
    let day = at.to_zoned(region.timezone.clone()).date();
    let begins = || day.to_zoned(region.timezone.clone()).is_ok_and(|start| start.timestamp() == at);
    match rounding {
        Rounding::Up if !begins() => day.tomorrow().ok(),
        _ => Some(day),
    }
}

/// Reads one of a few words, or says what they are.
pub(crate) fn choice<T: Copy>(text: &str, all: &[T], as_str: fn(T) -> &'static str) -> Result<T, String> {
    let names = || all.iter().map(|one| as_str(*one));
    all.iter().copied().find(|one| as_str(*one) == text).ok_or_else(|| match nearest(text, names()) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("write {}", names().collect::<Vec<_>>().join(", ")),
    })
}

/// An instant with an offset, whose `+` may have become a blank, or a day of the region.
pub(crate) fn read_instant(text: &str, region: &Region) -> Option<Timestamp> {
    let day = || text.parse::<Date>().ok().filter(|_| text.len() == 10);
    match text.replace(' ', "+").parse() {
        Ok(instant) => Some(instant),
        Err(_) => Some(day()?.to_zoned(region.timezone.clone()).ok()?.timestamp()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plus_is_a_plus_where_a_value_begins_and_a_blank_elsewhere() {
        for query in ["phone=+91+98765&x=", "phone=%2B91+98765&x=", "phone=%2B91%2098765"] {
            let read = Parameters::read(query, &["phone", "x"]).unwrap();
            assert_eq!(read.get("phone"), Some("+91 98765"), "{query}");
        }
    }

    #[test]
    fn an_instant_has_an_offset_and_a_day_begins_in_the_region() {
        let region = Region::default();
        let read = |text| read_instant(text, &region).map(|at| at.to_string());
        assert_eq!(read("2026-11-22T08:35:12Z").as_deref(), Some("2026-11-22T08:35:12Z"));
        assert_eq!(read("2026-11-22T14:05:12+05:30").as_deref(), Some("2026-11-22T08:35:12Z"));
        assert_eq!(read("2026-11-22T14:05:12 05:30").as_deref(), Some("2026-11-22T08:35:12Z"));
        assert_eq!(read("2026-11-22").as_deref(), Some("2026-11-21T18:30:00Z"));
        for wrong in ["", "yesterday", "2026-11-22T08:35:12", "2026-13-01", "1790000000"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_unknown_or_repeated_parameter_is_refused_without_being_repeated() {
        let refused = |query| Parameters::read(query, &["phone", "business"]).unwrap_err();
        let problem = refused("bussiness=%2B918047000000");
        assert!(
            problem.document.detail.contains("did you mean business?")
                && !problem.document.detail.contains("8047")
        );
        assert_eq!(refused("phone=1&phone=2").document.parameter.as_deref(), Some("phone"));
        assert!(!refused("919876543210").document.detail.contains("98765"));
    }
}
