//! One property: what it is, and which values it takes.

use super::problem::Detail;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

/// The longest text a property holds.
const LONGEST_TEXT: usize = 65_536;

/// A property of an object.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Property {
    pub(super) name: String,
    pub(super) label: String,
    /// `string`, `number`, `bool`, `date`, `datetime`, `enumeration`, `phone_number`.
    pub(super) kind: String,
    pub(super) field_type: String,
    pub(super) group: String,
    /// Values and labels.
    pub(super) options: Vec<(String, String)>,
    pub(super) unique: bool,
    pub(super) calculated: bool,
    pub(super) read_only: bool,
    /// The options are elsewhere: owners, pipelines.
    pub(super) external: bool,
    /// Made by HubSpot and not by the customer.
    pub(super) native: bool,
    pub(super) archived: bool,
    /// Must be there when a record is made, by the customer's own rule.
    pub(super) required: bool,
}

impl Property {
    pub(super) fn native(name: &str, kind: &str, field_type: &str, group: &str) -> Property {
        Property {
            name: name.to_owned(),
            label: label(name),
            kind: kind.to_owned(),
            field_type: field_type.to_owned(),
            group: group.to_owned(),
            options: Vec::new(),
            unique: false,
            calculated: false,
            read_only: false,
            external: false,
            native: true,
            archived: false,
            required: false,
        }
    }

    /// As the API shows it.
    pub(super) fn shown(&self) -> Value {
        let option = |(at, (value, label)): (usize, &(String, String))| json!({"label": label, "value": value, "displayOrder": at, "hidden": false, "description": ""});
        let options: Vec<Value> = self.options.iter().enumerate().map(option).collect();
        let mut shown = json!({
            "name": self.name, "label": self.label, "type": self.kind, "fieldType": self.field_type,
            "description": "", "groupName": self.group, "options": options, "displayOrder": -1,
            "hasUniqueValue": self.unique, "calculated": self.calculated, "externalOptions": self.external,
            "hidden": false, "formField": !self.read_only, "archived": self.archived,
            "dataSensitivity": "non_sensitive",
            "createdAt": "2026-01-05T09:00:00Z", "updatedAt": "2026-01-05T09:00:00Z",
            "modificationMetadata": {
                "archivable": !self.native, "readOnlyDefinition": self.native,
                "readOnlyOptions": self.native, "readOnlyValue": self.read_only,
            },
        });
        if self.native {
            shown["hubspotDefined"] = json!(true);
        }
        shown
    }

    /// The value as it is kept (empty: cleared), or why it is refused.
    pub(super) fn accept(&self, value: &Value) -> Result<String, Detail> {
        let refuse =
            |code, message: &str| Err(Detail::new(&self.name, code, format!("{} {message}", self.name)));
        let text = match value {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(value) => value.to_string(),
            _ => return refuse("INVALID_VALUE", "takes a string"),
        };
        if self.read_only {
            return refuse("READ_ONLY_VALUE", "is a read only property; its value cannot be set");
        }
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return Ok(String::new());
        }
        match self.kind.as_str() {
            "number" => match trimmed.parse::<f64>() {
                Ok(number) if number.is_finite() => Ok(trimmed.to_owned()),
                _ => refuse("INVALID_NUMBER", "was not a valid number"),
            },
            "bool" => match trimmed.to_ascii_lowercase().as_str() {
                value @ ("true" | "false") => Ok(value.to_owned()),
                _ => refuse("INVALID_OPTION", "was not one of the allowed options: [true, false]"),
            },
            "date" => match midnight(trimmed) {
                Some(date) => Ok(date.to_string()),
                None => refuse("INVALID_DATE", "was not a valid date, or not at midnight UTC"),
            },
            "datetime" => match instant(trimmed) {
                Some(instant) => Ok(instant.to_string()),
                None => refuse("INVALID_DATE", "was not a valid timestamp"),
            },
            "enumeration" if !self.external => self.option(&text),
            _ if text.chars().count() > LONGEST_TEXT => {
                refuse("PROPERTY_VALUE_TOO_LONG", "is longer than 65536 characters")
            }
            _ if self.name == "email" => match email(trimmed) {
                Some(email) => Ok(email),
                None => refuse("INVALID_EMAIL", "is not a valid e-mail address"),
            },
            _ => Ok(text),
        }
    }

    fn option(&self, text: &str) -> Result<String, Detail> {
        let several = self.field_type == "checkbox";
        let known = |value: &str| self.options.iter().any(|(option, _)| option == value);
        let fits = if several { text.split(';').filter(|it| !it.is_empty()).all(known) } else { known(text) };
        if fits {
            return Ok(text.to_owned());
        }
        let options: Vec<&str> = self.options.iter().map(|(value, _)| value.as_str()).collect();
        let message = format!("{} was not one of the allowed options: [{}]", self.name, options.join(", "));
        Err(Detail::new(&self.name, "INVALID_OPTION", message))
    }
}

/// `hs_lead_status` as `Hs Lead Status`: near enough to what a person reads.
fn label(name: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_uppercase().chain(letters).collect::<String>())
    };
    name.split('_').filter_map(word).collect::<Vec<_>>().join(" ")
}

fn email(text: &str) -> Option<String> {
    let (local, host) = text.split_once('@')?;
    let fine = !local.is_empty()
        && host.contains('.')
        && !host.starts_with('.')
        && !host.ends_with('.')
        && !text.contains([' ', ',', ';'])
        && !host.contains('@');
    fine.then(|| text.to_lowercase())
}

/// An instant: ISO 8601 or milliseconds since 1970; a date alone is its midnight.
pub(super) fn instant(text: &str) -> Option<Timestamp> {
    if let Ok(milliseconds) = text.parse::<i64>() {
        return Timestamp::from_millisecond(milliseconds).ok();
    }
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Timestamp::from_millisecond(instant.as_millisecond()).ok();
    }
    if text.len() != "2026-11-23".len() {
        return None;
    }
    let date: Date = text.parse().ok()?;
    date.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

/// A date: as such, or as the milliseconds of its midnight in UTC.
fn midnight(text: &str) -> Option<Date> {
    let zoned = instant(text)?.to_zoned(TimeZone::UTC);
    (zoned.time() == jiff::civil::Time::midnight()).then(|| zoned.date())
}
