//! One field: what it is, and which values it takes.
//!
//! Strict where Zoho may be lenient: a number is no text, a text no number, an instant has an offset and no
//! fraction of a second, and a pick list takes what is in it alone.

use super::module::Module;
use super::problem::Problem;
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Value, json};

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The number of a record, written as a text.
    Id,
    Text,
    Textarea,
    Email,
    Phone,
    Website,
    Integer,
    Double,
    Currency,
    Boolean,
    Date,
    Datetime,
    Picklist,
    Picklists,
    /// A record of a module.
    Lookup(Module),
    /// A person of either kind or a deal; which, `$se_module` or the value says.
    AnyLookup,
    Owner,
}

impl Kind {
    /// By its `data_type`; also by the words that `/_set` has for all CRMs.
    pub(super) fn find(word: &str) -> Option<Kind> {
        Some(match word {
            "text" | "string" => Kind::Text,
            "textarea" => Kind::Textarea,
            "email" => Kind::Email,
            "phone" => Kind::Phone,
            "website" => Kind::Website,
            "integer" | "bigint" => Kind::Integer,
            "double" | "number" => Kind::Double,
            "currency" => Kind::Currency,
            "boolean" | "bool" => Kind::Boolean,
            "date" => Kind::Date,
            "datetime" => Kind::Datetime,
            "picklist" | "enumeration" => Kind::Picklist,
            "multiselectpicklist" => Kind::Picklists,
            _ => return None,
        })
    }

    pub(super) fn data_type(self) -> &'static str {
        match self {
            Kind::Id => "bigint",
            Kind::Text => "text",
            Kind::Textarea => "textarea",
            Kind::Email => "email",
            Kind::Phone => "phone",
            Kind::Website => "website",
            Kind::Integer => "integer",
            Kind::Double => "double",
            Kind::Currency => "currency",
            Kind::Boolean => "boolean",
            Kind::Date => "date",
            Kind::Datetime => "datetime",
            Kind::Picklist => "picklist",
            Kind::Picklists => "multiselectpicklist",
            Kind::Lookup(_) | Kind::AnyLookup => "lookup",
            Kind::Owner => "ownerlookup",
        }
    }

    fn json_type(self) -> &'static str {
        match self {
            Kind::Integer => "integer",
            Kind::Double | Kind::Currency => "double",
            Kind::Boolean => "boolean",
            Kind::Picklists => "jsonarray",
            Kind::Lookup(_) | Kind::AnyLookup | Kind::Owner => "jsonobject",
            _ => "string",
        }
    }

    pub(super) fn is_text(self) -> bool {
        let words = [Kind::Text, Kind::Textarea, Kind::Email, Kind::Phone, Kind::Website, Kind::Picklist];
        words.contains(&self)
    }

    pub(super) fn is_number(self) -> bool {
        matches!(self, Kind::Integer | Kind::Double | Kind::Currency)
    }

    fn length(self) -> usize {
        match self {
            Kind::Text => 255,
            Kind::Textarea => 32_000,
            Kind::Email | Kind::Lookup(_) | Kind::AnyLookup | Kind::Owner | Kind::Picklist => 120,
            Kind::Phone => 30,
            Kind::Website => 450,
            Kind::Integer => 9,
            Kind::Double | Kind::Currency => 16,
            _ => 20,
        }
    }
}

/// A field of a module.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Field {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) label: String,
    pub(super) kind: Kind,
    pub(super) length: usize,
    pub(super) unique: bool,
    /// Made by the customer and not by Zoho.
    pub(super) custom: bool,
    /// Zoho itself wants it.
    pub(super) mandatory: bool,
    /// The layout wants it.
    pub(super) required: bool,
    pub(super) read_only: bool,
    /// Of a pick list: what is written, and what people see.
    pub(super) options: Vec<(String, String)>,
}

impl Field {
    pub(super) fn new(id: u64, name: &str, kind: Kind) -> Field {
        Field {
            id,
            name: name.to_owned(),
            label: name.replace('_', " "),
            kind,
            length: kind.length(),
            unique: false,
            custom: false,
            mandatory: false,
            required: false,
            read_only: false,
            options: Vec::new(),
        }
    }

    /// As `settings/fields` shows it.
    pub(super) fn shown(&self) -> Value {
        let writes = !self.read_only;
        let option = |(at, (actual, shown)): (usize, &(String, String))| {
            json!({"id": (self.id + 1 + at as u64).to_string(), "actual_value": actual, "display_value": shown,
                   "reference_value": actual, "sequence_number": at + 1, "type": "used", "colour_code": null})
        };
        let lookup = match self.kind {
            Kind::Lookup(module) => {
                json!({"api_name": format!("{}_{}", module.name(), self.name), "display_label": module.name(),
                       "module": {"api_name": module.name(), "id": module.id()}})
            }
            _ => json!({}),
        };
        json!({
            "id": self.id.to_string(), "api_name": self.name, "field_label": self.label,
            "display_label": self.label, "data_type": self.kind.data_type(),
            "json_type": self.kind.json_type(), "length": self.length,
            "decimal_place": if matches!(self.kind, Kind::Double | Kind::Currency) { json!(2) } else { Value::Null },
            "system_mandatory": self.mandatory, "read_only": self.read_only,
            "field_read_only": self.read_only, "custom_field": self.custom, "visible": true,
            "virtual_field": false, "searchable": true, "filterable": true, "sortable": true,
            "webhook": writes, "mass_update": writes, "quick_sequence_number": null,
            "created_source": if self.custom { "custom" } else { "default" },
            "operation_type": {"web_update": writes, "api_create": writes, "web_create": writes,
                               "api_update": writes},
            "unique": if self.unique { json!({"casesensitive": "false"}) } else { json!({}) },
            "external": {}, "lookup": lookup, "default_value": null,
            "pick_list_values": self.options.iter().enumerate().map(option).collect::<Vec<_>>(),
        })
    }

    /// As a section of a layout shows it.
    pub(super) fn laid_out(&self) -> Value {
        let mut shown = self.shown();
        shown["required"] = json!(self.mandatory || self.required);
        shown["validation_rule"] = Value::Null;
        shown
    }

    /// The value as it is kept (a record by its id; null: cleared), or why it is refused.
    pub(super) fn accept(&self, value: &Value, path: &str) -> Result<Value, Problem> {
        let expected = || Problem::expected(&self.name, path, self.kind.data_type());
        let text = || value.as_str().ok_or_else(expected);
        if value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty()) {
            return Ok(Value::Null);
        }
        let fits = |fits: bool| if fits { Ok(value.clone()) } else { Err(expected()) };
        match self.kind {
            Kind::Integer => fits(value.is_i64() || value.is_u64()),
            Kind::Double | Kind::Currency => fits(value.is_number()),
            Kind::Boolean => fits(value.is_boolean()),
            Kind::Date => fits(text()?.parse::<Date>().is_ok() && text()?.len() == "2026-11-23".len()),
            Kind::Datetime => match instant(text()?) {
                Some(at) => Ok(json!(super::stamp(at))),
                None => Err(expected()),
            },
            Kind::Picklist => self.option(text()?, path).map(|it| json!(it)),
            Kind::Picklists => {
                let values = value.as_array().ok_or_else(expected)?.iter();
                let options = values.map(|it| self.option(it.as_str().ok_or_else(expected)?, path));
                Ok(json!(options.collect::<Result<Vec<_>, _>>()?))
            }
            Kind::Lookup(_) | Kind::AnyLookup | Kind::Owner => {
                id_of(value).map(|id| json!(id)).ok_or_else(expected)
            }
            Kind::Id | Kind::Text | Kind::Textarea | Kind::Email | Kind::Phone | Kind::Website => {
                self.text(text()?, path)
            }
        }
    }

    fn text(&self, text: &str, path: &str) -> Result<Value, Problem> {
        if text.chars().count() > self.length {
            let details = json!({"maximum_length": self.length, "api_name": self.name, "json_path": path});
            return Err(Problem::data(&self.name, path).with(details));
        }
        let dialled = |c: char| c.is_ascii_digit() || " +-().,/#*".contains(c);
        let fine = match self.kind {
            Kind::Email => is_email(text.trim()),
            Kind::Phone => text.trim_end_matches(|c: char| "xtensi.".contains(c)).chars().all(dialled),
            _ => true,
        };
        if fine {
            return Ok(json!(text.trim()));
        }
        Err(Problem::expected(&self.name, path, self.kind.data_type()))
    }

    /// A value of the list, as what is written or as what people see.
    fn option(&self, text: &str, path: &str) -> Result<String, Problem> {
        let known = self.options.iter().find(|(actual, shown)| actual == text || shown == text);
        known.map(|(actual, _)| actual.clone()).ok_or_else(|| {
            let values: Vec<&str> = self.options.iter().map(|(actual, _)| actual.as_str()).collect();
            let details = json!({"supported_values": values, "api_name": self.name, "json_path": path});
            Problem::data(&self.name, path).with(details)
        })
    }
}

/// The id in a lookup: alone, or in an object.
pub(super) fn id_of(value: &Value) -> Option<String> {
    let id = if value.is_object() { &value["id"] } else { value };
    let id = id.as_str().map(str::to_owned).or_else(|| id.as_u64().map(|id| id.to_string()))?;
    (!id.is_empty()).then_some(id)
}

/// An instant with an offset, to the second.
pub(super) fn instant(text: &str) -> Option<Timestamp> {
    (!text.contains('.')).then(|| text.parse().ok()).flatten()
}

fn is_email(text: &str) -> bool {
    let Some((local, host)) = text.split_once('@') else { return false };
    !local.is_empty()
        && host.contains('.')
        && !host.starts_with('.')
        && !host.ends_with('.')
        && !text.contains([' ', ',', ';'])
        && !host.contains('@')
}
