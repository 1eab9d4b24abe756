//! `[region]`: whose numbers and whose days.

use super::document::{Found, Table, nearest};
use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use wabridge_model::Country;

/// Whose numbers and whose days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Region {
    /// For numbers without a country code.
    pub default_country: Country,
    /// In which a day of a report begins and ends.
    pub timezone: TimeZone,
}

impl Default for Region {
    fn default() -> Region {
        // India has one offset and no summer time: on a machine without tzdata the offset is exact.
        let fixed = || TimeZone::fixed(Offset::from_seconds(19_800).expect("+05:30 is an offset"));
        let timezone = TimeZone::get("Asia/Kolkata").unwrap_or_else(|_| fixed());
        Region { default_country: Country::INDIA, timezone }
    }
}

impl Region {
    /// A time of day and a day, as a person of the region says it: `14:03 on 23 Nov 2026`.
    #[must_use]
    pub fn clock_time(&self, at: Timestamp) -> String {
        at.to_zoned(self.timezone.clone()).strftime("%H:%M on %-d %b %Y").to_string()
    }

    /// The name of the time zone.
    #[must_use]
    pub fn zone_name(&self, at: Timestamp) -> String {
        match self.timezone.iana_name() {
            Some(name) => name.to_owned(),
            None => self.timezone.to_offset(at).to_string(),
        }
    }

    pub(super) fn read(mut table: Table<'_, '_>) -> Region {
        let default = Region::default();
        let region = Region {
            default_country: country(&mut table).unwrap_or(default.default_country),
            timezone: timezone(&mut table).unwrap_or(default.timezone),
        };
        table.finish(&[]);
        region
    }
}

fn country(table: &mut Table<'_, '_>) -> Option<Country> {
    let Found { value, at } = table.string("default_country")?;
    let country = Country::new(value);
    if country.is_none() {
        let message = format!(
            "'default_country' in [region] is not a country: '{value}'; write its two letters (ISO 3166-1), such as \"IN\""
        );
        table.problem_at(at, message);
    }
    country
}

fn timezone(table: &mut Table<'_, '_>) -> Option<TimeZone> {
    let Found { value, at } = table.string("timezone")?;
    let timezone = TimeZone::get(value).ok();
    if timezone.is_none() {
        let names: Vec<String> = jiff::tz::db().available().map(|name| name.as_str().to_owned()).collect();
        let way_out = match nearest(value, names.iter().map(String::as_str)) {
            Some(near) => format!("did you mean '{near}'?"),
            None if names.is_empty() => "this machine has no time zones: install tzdata".to_owned(),
            None => "write an IANA name, such as \"Asia/Kolkata\"".to_owned(),
        };
        table.problem_at(at, format!("'timezone' in [region] is unknown: '{value}'; {way_out}"));
    }
    timezone
}
