//! The properties of the account: HubSpot's own, those a bridge usually adds, and the API that reads and
//! changes them. Which are required by the customer's rules is not in that API.

use super::HubSpot;
use super::kind::Kind;
use super::problem::{Detail, Problem};
use super::property::Property;
use crate::call::{Answer, Call};
use crate::control::Reshape;
use crate::ours::{self, Holds};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The most unique properties an object may have.
const MOST_UNIQUE: usize = 10;

/// The stages of life, in their order.
pub(super) const LIFECYCLE: [&str; 8] = [
    "subscriber",
    "lead",
    "marketingqualifiedlead",
    "salesqualifiedlead",
    "opportunity",
    "customer",
    "evangelist",
    "other",
];

/// Properties by object and name, and their groups.
#[derive(Debug)]
pub(super) struct Schema {
    properties: BTreeMap<(Kind, String), Property>,
    groups: BTreeMap<Kind, Vec<String>>,
}

impl Schema {
    pub(super) fn new() -> Schema {
        let mut schema = Schema { properties: BTreeMap::new(), groups: BTreeMap::new() };
        for kind in Kind::ALL {
            schema.groups.insert(kind, vec![format!("{}information", kind.singular())]);
            schema.add_common(kind);
        }
        schema.add_contacts();
        schema.add_deals();
        schema.add_activities();
        schema
    }

    /// A property that is not archived.
    pub(super) fn get(&self, kind: Kind, name: &str) -> Option<&Property> {
        self.properties.get(&(kind, name.to_owned())).filter(|property| !property.archived)
    }

    pub(super) fn of(&self, kind: Kind) -> impl Iterator<Item = &Property> {
        self.properties.iter().filter(move |((of, _), _)| *of == kind).map(|(_, property)| property)
    }

    fn add(&mut self, kind: Kind, property: Property) {
        self.properties.insert((kind, property.name.clone()), property);
    }

    fn group(&self, kind: Kind) -> String {
        self.groups[&kind][0].clone()
    }

    fn add_texts(&mut self, kind: Kind, names: &[&str]) {
        for name in names {
            self.add(kind, Property::native(name, "string", "text", &self.group(kind)));
        }
    }

    fn add_read_only(&mut self, kind: Kind, names: &[(&str, &str)], calculated: bool) {
        for (name, of) in names {
            let property = Property::native(name, of, "text", &self.group(kind));
            self.add(kind, Property { read_only: true, calculated, ..property });
        }
    }

    fn add_choice(&mut self, kind: Kind, name: &str, options: &[&str]) {
        let property = Property::native(name, "enumeration", "select", &self.group(kind));
        let options = options.iter().map(|it| ((*it).to_owned(), (*it).to_owned())).collect::<Vec<_>>();
        self.add(kind, Property { external: options.is_empty(), options, ..property });
    }

    fn add_common(&mut self, kind: Kind) {
        let (created, modified) = kind.times();
        let times = [(created, "datetime"), (modified, "datetime"), ("hs_object_id", "number")];
        self.add_read_only(kind, &times, false);
        let source = [
            ("hs_object_source", "string"),
            ("hs_object_source_id", "string"),
            ("hs_object_source_label", "string"),
        ];
        self.add_read_only(kind, &source, false);
        self.add_choice(kind, "hubspot_owner_id", &[]);
    }

    fn add_contacts(&mut self) {
        let kind = Kind::Contacts;
        let texts = [
            "email",
            "firstname",
            "lastname",
            "company",
            "jobtitle",
            "website",
            "address",
            "city",
            "state",
            "zip",
            "country",
            "message",
            "salutation",
            "industry",
            "hs_whatsapp_phone_number",
            "annualrevenue",
            "numemployees",
        ];
        self.add_texts(kind, &texts);
        for name in ["phone", "mobilephone"] {
            self.add(kind, Property::native(name, "string", "phonenumber", &self.group(kind)));
        }
        let calculated = [
            ("hs_searchable_calculated_phone_number", "string"),
            ("hs_searchable_calculated_mobile_number", "string"),
            ("hs_searchable_calculated_international_phone_number", "string"),
            ("hs_searchable_calculated_international_mobile_number", "string"),
            ("hs_calculated_phone_number", "string"),
            ("hs_calculated_mobile_number", "string"),
            ("hs_calculated_phone_number_country_code", "string"),
            ("hs_additional_emails", "string"),
            ("hs_calculated_merged_vids", "string"),
        ];
        self.add_read_only(kind, &calculated, true);
        self.add_choice(kind, "lifecyclestage", &LIFECYCLE);
        let statuses = ["NEW", "OPEN", "IN_PROGRESS", "OPEN_DEAL", "UNQUALIFIED", "CONNECTED", "BAD_TIMING"];
        self.add_choice(kind, "hs_lead_status", &statuses);
        for (name, holds) in ours::FIELDS {
            let (of, field_type) = match holds {
                Holds::Text => ("string", "text"),
                Holds::LongText => ("string", "textarea"),
                Holds::Number => ("number", "number"),
                Holds::Instant => ("datetime", "date"),
            };
            let property = Property::native(name, of, field_type, &self.group(kind));
            self.add(kind, Property { native: false, unique: name == ours::KEY, ..property });
        }
    }

    fn add_deals(&mut self) {
        let kind = Kind::Deals;
        self.add_texts(kind, &["dealname", "description"]);
        self.add_choice(kind, "pipeline", &[]);
        self.add_choice(kind, "dealstage", &[]);
        self.add_choice(kind, "dealtype", &["newbusiness", "existingbusiness"]);
        self.add_choice(kind, "deal_currency_code", &["INR", "USD", "EUR", "GBP", "BRL", "AED"]);
        self.add(kind, Property::native("amount", "number", "number", "dealinformation"));
        self.add(kind, Property::native("closedate", "datetime", "date", "dealinformation"));
        let closed = [("hs_is_closed", "bool"), ("hs_is_closed_won", "bool")];
        self.add_read_only(kind, &closed, true);
        // When a deal was made may be set, for imports.
        self.add(kind, Property::native("createdate", "datetime", "date", "dealinformation"));
        let key = Property::native(ours::DEAL_KEY, "string", "text", "dealinformation");
        self.add(kind, Property { native: false, unique: true, ..key });
    }

    fn add_activities(&mut self) {
        for kind in Kind::ALL.into_iter().filter(|kind| kind.is_activity()) {
            self.add(kind, Property::native("hs_timestamp", "datetime", "date", &self.group(kind)));
            self.add_read_only(kind, &[("hs_body_preview", "string")], true);
        }
        self.add_texts(Kind::Communications, &["hs_communication_body"]);
        let channels = ["WHATS_APP", "SMS", "LINKEDIN_MESSAGE"];
        self.add_choice(Kind::Communications, "hs_communication_channel_type", &channels);
        self.add_choice(Kind::Communications, "hs_communication_logged_from", &["CRM"]);
        self.add_texts(Kind::Notes, &["hs_note_body", "hs_attachment_ids"]);
        self.add_texts(Kind::Tasks, &["hs_task_subject", "hs_task_body"]);
        let statuses = ["NOT_STARTED", "IN_PROGRESS", "WAITING", "COMPLETED", "DEFERRED"];
        self.add_choice(Kind::Tasks, "hs_task_status", &statuses);
        self.add_choice(Kind::Tasks, "hs_task_priority", &["NONE", "LOW", "MEDIUM", "HIGH"]);
        self.add_choice(Kind::Tasks, "hs_task_type", &["TODO", "EMAIL", "CALL"]);
    }

    /// An administrator's change, in every object that has the field.
    pub(super) fn reshape(&mut self, change: &Reshape) -> Result<(), String> {
        let named = change.remove.iter().chain(&change.require).chain(change.retype.keys());
        for name in named {
            if !Kind::ALL.into_iter().any(|kind| self.get(kind, name).is_some()) {
                return Err(format!("no object has a property '{name}'"));
            }
        }
        if let Some((name, of)) = change.retype.iter().find(|(_, of)| field_types(of).is_empty()) {
            return Err(format!("'{name}' cannot become '{of}': no such type"));
        }
        for ((_, name), property) in &mut self.properties {
            if let Some(of) = change.retype.get(name) {
                of.clone_into(&mut property.kind);
                field_types(of)[0].clone_into(&mut property.field_type);
                property.options.clear();
                property.external = false;
            }
            property.required |= change.require.contains(name);
            property.archived |= change.remove.contains(name);
        }
        Ok(())
    }
}

/// How a type may be shown in forms; empty for what is no type.
fn field_types(of: &str) -> &'static [&'static str] {
    match of {
        "string" => &["text", "textarea", "phonenumber", "html", "file"],
        "number" => &["number"],
        "bool" => &["booleancheckbox"],
        "date" | "datetime" => &["date"],
        "enumeration" => &["select", "radio", "checkbox", "booleancheckbox"],
        "phone_number" => &["phonenumber"],
        _ => &[],
    }
}

impl HubSpot {
    /// `/crm/properties/{type}...`
    pub(super) fn properties(&mut self, call: &Call<'_>, path: &[&str]) -> Result<Answer, Problem> {
        let [name, rest @ ..] = path else { return Err(nothing_here()) };
        let kind = Kind::find(name).ok_or_else(|| unknown_object(name))?;
        match (call.method, rest) {
            ("GET", []) => {
                let archived = call.told("archived");
                let of = self.schema.of(kind).filter(|property| property.archived == archived);
                let results: Vec<Value> = of.map(Property::shown).collect();
                Ok(Answer::new(200, json!({ "results": results })))
            }
            ("POST", []) => self.add_property(kind, &call.json().unwrap_or_default()),
            (method @ ("GET" | "POST"), ["groups"]) => self.groups(kind, method, call),
            ("POST", ["batch", "read"]) => {
                let body = call.json().unwrap_or_default();
                let asked = body["inputs"].as_array().into_iter().flatten();
                let found = asked.filter_map(|it| self.schema.get(kind, it["name"].as_str()?));
                let results: Vec<Value> = found.map(Property::shown).collect();
                Ok(Answer::new(200, json!({"status": "COMPLETE", "results": results})))
            }
            ("GET", [name]) => match self.schema.get(kind, name) {
                Some(property) => Ok(Answer::new(200, property.shown())),
                None => {
                    let message = format!("Unable to find property with name {name}.");
                    Err(Problem::new(404, "OBJECT_NOT_FOUND", message))
                }
            },
            ("DELETE", [name]) => {
                let key = (kind, (*name).to_owned());
                match self.schema.properties.get_mut(&key) {
                    Some(property) if property.native => {
                        Err(Problem::invalid(format!("{name} is defined by HubSpot and cannot be archived")))
                    }
                    Some(property) => {
                        property.archived = true;
                        Ok(Answer::empty())
                    }
                    None => Ok(Answer::empty()),
                }
            }
            _ => Err(nothing_here()),
        }
    }

    fn groups(&mut self, kind: Kind, method: &str, call: &Call<'_>) -> Result<Answer, Problem> {
        let shown = |name: &str| json!({"name": name, "label": name, "displayOrder": -1, "archived": false});
        let groups = self.schema.groups.entry(kind).or_default();
        if method == "GET" {
            let results: Vec<Value> = groups.iter().map(|name| shown(name)).collect();
            return Ok(Answer::new(200, json!({ "results": results })));
        }
        let body = call.json().unwrap_or_default();
        let name = body["name"].as_str().ok_or_else(|| Problem::invalid("Required fields: name, label"))?;
        if groups.iter().any(|group| group == name) {
            let message = format!("A property group with name '{name}' already exists.");
            return Err(Problem::new(409, "CONFLICT", message));
        }
        groups.push(name.to_owned());
        Ok(Answer::new(201, shown(name)))
    }

    fn add_property(&mut self, kind: Kind, body: &Value) -> Result<Answer, Problem> {
        let property = self.read_property(kind, body)?;
        if self.schema.get(kind, &property.name).is_some() {
            let message = format!("A property named '{}' already exists.", property.name);
            return Err(Problem::new(409, "CONFLICT", message));
        }
        let unique = self.schema.of(kind).filter(|property| property.unique && !property.archived).count();
        if property.unique && unique >= MOST_UNIQUE {
            let message = format!("{} already have {MOST_UNIQUE} unique properties.", kind.plural());
            return Err(Problem::invalid(message));
        }
        let shown = property.shown();
        self.schema.add(kind, property);
        Ok(Answer::new(201, shown))
    }

    fn read_property(&self, kind: Kind, body: &Value) -> Result<Property, Problem> {
        let required = ["name", "label", "type", "fieldType", "groupName"];
        let text = |key: &str| body[key].as_str().unwrap_or_default();
        let missing: Vec<&str> = required.into_iter().filter(|key| text(key).is_empty()).collect();
        if !missing.is_empty() {
            let detail = |key: &&str| {
                Detail::new(key, "REQUIRED_FIELD", format!("Some required fields were not set: [{key}]"))
            };
            let details = missing.iter().map(detail).collect();
            let message = format!("Invalid input JSON: some required fields were not set: {missing:?}");
            return Err(Problem { details, ..Problem::invalid(message) });
        }
        let name = text("name");
        let fine = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
        if !name.starts_with(|first: char| first.is_ascii_lowercase()) || !name.chars().all(fine) {
            let message =
                format!("{name}: names are lower-case letters, digits and underscores, a letter first");
            return Err(Problem::invalid(message));
        }
        let (of, field_type, group) = (text("type"), text("fieldType"), text("groupName"));
        if !field_types(of).contains(&field_type) {
            let message = format!("type '{of}' and fieldType '{field_type}' do not go together");
            return Err(Problem::invalid(message));
        }
        if !self.schema.groups[&kind].iter().any(|known| known == group) {
            return Err(Problem::invalid(format!("Property group '{group}' does not exist.")));
        }
        let unique = body["hasUniqueValue"].as_bool().unwrap_or_default();
        if unique && !matches!(of, "string" | "number") {
            return Err(Problem::invalid("hasUniqueValue needs a property of type string or number"));
        }
        let options = body["options"].as_array().into_iter().flatten();
        let option = |it: &Value| Some((it["value"].as_str()?.to_owned(), it["label"].as_str()?.to_owned()));
        let options: Vec<_> = options.filter_map(option).collect();
        if of == "enumeration" && options.is_empty() {
            return Err(Problem::invalid("an enumeration needs options, each with label and value"));
        }
        let label = text("label").to_owned();
        let property = Property::native(name, of, field_type, group);
        Ok(Property { native: false, unique, options, label, ..property })
    }
}

/// An object type that the account does not have.
pub(super) fn unknown_object(name: &str) -> Problem {
    Problem::invalid(format!("Unable to infer object type from: {name}"))
}

/// No route, or not with this method.
pub(super) fn nothing_here() -> Problem {
    Problem::new(404, "", "resource not found")
}
