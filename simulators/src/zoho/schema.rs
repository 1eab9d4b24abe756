//! The fields of the account: Zoho's own, those a bridge usually adds, and the API that reads and adds them.

use super::account::{layout_id, stages};
use super::field::{Field, Kind};
use super::module::Module;
use super::problem::Problem;
use super::{ORG, Zoho};
use crate::call::{Answer, Call};
use crate::control::Reshape;
use crate::ours::{self, Holds};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// New fields in one request.
const MOST_NEW: usize = 5;

const SOURCES: [&str; 6] =
    ["Advertisement", "Cold Call", "Employee Referral", "Web Download", "Chat", "WhatsApp"];

/// Fields by module, in their order.
#[derive(Debug)]
pub(super) struct Schema {
    fields: BTreeMap<Module, Vec<Field>>,
    last_id: u64,
}

impl Schema {
    pub(super) fn new() -> Schema {
        let mut schema = Schema { fields: BTreeMap::new(), last_id: ORG + 10_000 };
        for module in Module::ALL {
            schema.add_common(module);
        }
        schema.add_people();
        schema.add_rest();
        schema
    }

    pub(super) fn of(&self, module: Module) -> &[Field] {
        self.fields.get(&module).map_or(&[], Vec::as_slice)
    }

    pub(super) fn get(&self, module: Module, name: &str) -> Option<&Field> {
        self.of(module).iter().find(|field| field.name == name)
    }

    /// Ids of fields leave room for those of their options.
    fn next_id(&mut self) -> u64 {
        self.last_id += 100;
        self.last_id
    }

    fn add(&mut self, module: Module, name: &str, kind: Kind) -> &mut Field {
        let id = self.next_id();
        let fields = self.fields.entry(module).or_default();
        let at = fields.len();
        fields.push(Field::new(id, name, kind));
        &mut fields[at]
    }

    fn add_all(&mut self, module: Module, kind: Kind, names: &[&str]) {
        for name in names {
            self.add(module, name, kind);
        }
    }

    fn add_choice(&mut self, module: Module, name: &str, options: &[&str]) {
        let options = options.iter().map(|it| ((*it).to_owned(), (*it).to_owned())).collect();
        self.add(module, name, Kind::Picklist).options = options;
    }

    fn add_common(&mut self, module: Module) {
        let read_only = [
            ("id", Kind::Id),
            ("Created_Time", Kind::Datetime),
            ("Modified_Time", Kind::Datetime),
            ("Created_By", Kind::Owner),
            ("Modified_By", Kind::Owner),
        ];
        for (name, kind) in read_only {
            self.add(module, name, kind).read_only = true;
        }
        self.add(module, "Owner", Kind::Owner);
    }

    fn add_people(&mut self) {
        for module in [Module::Leads, Module::Contacts] {
            self.add_all(module, Kind::Text, &["First_Name"]);
            self.add(module, "Last_Name", Kind::Text).mandatory = true;
            self.add(module, "Full_Name", Kind::Text).read_only = true;
            self.add_all(module, Kind::Email, &["Email", "Secondary_Email"]);
            self.add_all(module, Kind::Phone, &["Phone", "Mobile"]);
            self.add_all(module, Kind::Text, &["Fax"]);
            self.add_choice(module, "Lead_Source", &SOURCES);
            self.add_all(module, Kind::Textarea, &["Description"]);
            self.add_all(module, Kind::Boolean, &["Email_Opt_Out"]);
            for (name, holds) in ours::FIELDS {
                let kind = match holds {
                    Holds::Text => Kind::Text,
                    Holds::LongText => Kind::Textarea,
                    Holds::Number => Kind::Double,
                    Holds::Instant => Kind::Datetime,
                };
                let field = self.add(module, name, kind);
                field.custom = true;
                field.unique = name == ours::KEY;
            }
        }
        self.add(Module::Leads, "Company", Kind::Text).mandatory = true;
        let texts = ["Designation", "Street", "City", "State", "Zip_Code", "Country"];
        self.add_all(Module::Leads, Kind::Text, &texts);
        self.add_all(Module::Leads, Kind::Website, &["Website"]);
        self.add_all(Module::Leads, Kind::Currency, &["Annual_Revenue"]);
        self.add_all(Module::Leads, Kind::Integer, &["No_of_Employees"]);
        let statuses = [
            "Attempted to Contact",
            "Contact in Future",
            "Contacted",
            "Junk Lead",
            "Lost Lead",
            "Not Contacted",
        ];
        self.add_choice(Module::Leads, "Lead_Status", &statuses);
        let converted = [
            ("Converted__s", Kind::Boolean),
            ("Converted_Date_Time", Kind::Datetime),
            ("Converted_Contact", Kind::Lookup(Module::Contacts)),
            ("Converted_Account", Kind::Lookup(Module::Accounts)),
            ("Converted_Deal", Kind::Lookup(Module::Deals)),
        ];
        for (name, kind) in converted {
            self.add(Module::Leads, name, kind).read_only = true;
        }
        let texts =
            ["Title", "Department", "Mailing_Street", "Mailing_City", "Mailing_State", "Mailing_Country"];
        self.add_all(Module::Contacts, Kind::Text, &texts);
        self.add_all(Module::Contacts, Kind::Phone, &["Home_Phone", "Other_Phone"]);
        self.add(Module::Contacts, "Account_Name", Kind::Lookup(Module::Accounts));
    }

    fn add_rest(&mut self) {
        let texts = Kind::Text;
        self.add(Module::Accounts, "Account_Name", texts).mandatory = true;
        self.add_all(Module::Accounts, Kind::Phone, &["Phone"]);
        self.add(Module::Deals, "Deal_Name", texts).mandatory = true;
        self.add(Module::Deals, "Stage", Kind::Picklist).mandatory = true;
        self.add(Module::Deals, "Closing_Date", Kind::Date).required = true;
        let names: Vec<&str> = super::account::PIPELINES.iter().map(|(name, _)| *name).collect();
        self.add_choice(Module::Deals, "Pipeline", &names);
        self.add_choice(Module::Deals, "Type", &["Existing Business", "New Business"]);
        self.add_choice(Module::Deals, "Lead_Source", &SOURCES);
        self.add_all(Module::Deals, Kind::Currency, &["Amount"]);
        self.add_all(Module::Deals, Kind::Textarea, &["Description"]);
        self.add_all(Module::Deals, texts, &["Next_Step"]);
        self.add(Module::Deals, "Contact_Name", Kind::Lookup(Module::Contacts));
        self.add(Module::Deals, "Account_Name", Kind::Lookup(Module::Accounts));
        let key = self.add(Module::Deals, ours::DEAL_KEY, texts);
        (key.custom, key.unique) = (true, true);
        self.add_all(Module::Notes, texts, &["Note_Title"]);
        self.add(Module::Notes, "Note_Content", Kind::Textarea).mandatory = true;
        self.add(Module::Notes, "Parent_Id", Kind::AnyLookup).mandatory = true;
        for module in [Module::Tasks, Module::Events, Module::Calls] {
            self.add_all(module, Kind::Textarea, &["Description"]);
            self.add(module, "Who_Id", Kind::Lookup(Module::Contacts));
            self.add(module, "What_Id", Kind::AnyLookup);
        }
        self.add(Module::Tasks, "Subject", texts).mandatory = true;
        self.add_all(Module::Tasks, Kind::Date, &["Due_Date"]);
        let statuses = ["Not Started", "Deferred", "In Progress", "Completed", "Waiting for input"];
        self.add_choice(Module::Tasks, "Status", &statuses);
        self.add_choice(Module::Tasks, "Priority", &["High", "Highest", "Low", "Lowest", "Normal"]);
        self.add(Module::Events, "Event_Title", texts).mandatory = true;
        for name in ["Start_DateTime", "End_DateTime"] {
            self.add(Module::Events, name, Kind::Datetime).mandatory = true;
        }
        self.add_all(Module::Calls, texts, &["Subject", "Call_Duration", "Call_Purpose"]);
        self.add_choice(Module::Calls, "Call_Type", &["Inbound", "Outbound", "Missed"]);
        self.add_choice(Module::Calls, "Outbound_Call_Status", &["Scheduled", "Completed", "Overdue"]);
        self.add(Module::Calls, "Call_Start_Time", Kind::Datetime).mandatory = true;
        if let Some(stage) =
            self.fields.get_mut(&Module::Deals).and_then(|it| it.iter_mut().find(|it| it.name == "Stage"))
        {
            stage.options = stages();
        }
    }

    /// An administrator's change, in every module that has the field.
    pub(super) fn reshape(&mut self, change: &Reshape) -> Result<(), String> {
        let named = change.remove.iter().chain(&change.require).chain(change.retype.keys());
        for name in named {
            if !Module::ALL.into_iter().any(|module| self.get(module, name).is_some()) {
                return Err(format!("no module has a field '{name}'"));
            }
        }
        if let Some((name, of)) = change.retype.iter().find(|(_, of)| Kind::find(of).is_none()) {
            return Err(format!("'{name}' cannot become '{of}': no such type"));
        }
        for fields in self.fields.values_mut() {
            fields.retain(|field| !change.remove.contains(&field.name));
            for field in fields {
                if let Some(kind) = change.retype.get(&field.name).and_then(|of| Kind::find(of)) {
                    *field = Field { custom: field.custom, ..Field::new(field.id, &field.name, kind) };
                }
                field.required |= change.require.contains(&field.name);
            }
        }
        Ok(())
    }
}

impl Zoho {
    /// `/crm/v8/settings/fields...`
    pub(super) fn fields(&mut self, call: &Call<'_>, path: &[&str]) -> Result<Answer, Problem> {
        let module = module_asked(call)?;
        match (call.method, path) {
            ("GET", []) => {
                let fields: Vec<Value> = self.schema.of(module).iter().map(Field::shown).collect();
                Ok(Answer::new(200, json!({ "fields": fields })))
            }
            ("GET", [id]) => {
                let known = self.schema.of(module).iter().find(|it| it.id.to_string() == *id);
                let shown = known.map(|field| Answer::new(200, json!({"fields": [field.shown()]})));
                Ok(shown.unwrap_or_else(Answer::empty))
            }
            ("POST", []) => self.add_fields(module, &call.json().unwrap_or_default()),
            _ => Err(Problem::wrong_method()),
        }
    }

    fn add_fields(&mut self, module: Module, body: &Value) -> Result<Answer, Problem> {
        let new = body["fields"].as_array().filter(|new| !new.is_empty());
        let new = new.ok_or_else(|| Problem::mandatory("fields", "$.fields"))?;
        if new.len() > MOST_NEW {
            let details = json!({"maximum_length": MOST_NEW, "api_name": "fields", "json_path": "$.fields"});
            return Err(Problem::data("fields", "$.fields").with(details));
        }
        let mut entries = Vec::new();
        let mut status = 201;
        for (at, new) in new.iter().enumerate() {
            let entry = match self.new_field(module, new, &format!("$.fields[{at}]")) {
                Ok(id) => json!({"code": "SUCCESS", "details": {"id": id.to_string()},
                                 "message": "field created successfully", "status": "success"}),
                Err(problem) => {
                    status = problem.status;
                    problem.shown()
                }
            };
            entries.push(entry);
        }
        Ok(Answer::new(status, json!({ "fields": entries })))
    }

    /// A field's API name is made out of its label.
    fn new_field(&mut self, module: Module, new: &Value, path: &str) -> Result<u64, Problem> {
        let text = |key: &str| {
            let text = new[key].as_str().filter(|text| !text.is_empty());
            text.ok_or_else(|| Problem::mandatory(key, &format!("{path}.{key}")))
        };
        let label = text("field_label")?;
        let kind = text("data_type")?;
        let kind = Kind::find(kind).filter(|it| it.data_type() == kind);
        let kind = kind.ok_or_else(|| Problem::data("data_type", &format!("{path}.data_type")))?;
        let letter = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        let name: String = label.chars().map(letter).collect();
        let known = |field: &Field| field.name.eq_ignore_ascii_case(&name) || field.label == label;
        if self.schema.of(module).iter().any(known) {
            let details = json!({"api_name": "field_label", "json_path": format!("{path}.field_label")});
            return Err(Problem::new(400, "DUPLICATE_DATA", "duplicate data").with(details));
        }
        let options = new["pick_list_values"].as_array().into_iter().flatten();
        let shown = |it: &Value| it["display_value"].as_str().map(str::to_owned);
        let option = |it: &Value| {
            let shown = shown(it)?;
            Some((it["actual_value"].as_str().map_or_else(|| shown.clone(), str::to_owned), shown))
        };
        let options: Vec<_> = options.filter_map(option).collect();
        if matches!(kind, Kind::Picklist | Kind::Picklists) && options.is_empty() {
            return Err(Problem::mandatory("pick_list_values", &format!("{path}.pick_list_values")));
        }
        let unique = new["unique"].is_object();
        if unique && !(matches!(kind, Kind::Text | Kind::Email | Kind::Phone) || kind.is_number()) {
            return Err(Problem::data("unique", &format!("{path}.unique")));
        }
        let length = new["length"].as_u64().and_then(|it| usize::try_from(it).ok());
        let most = Field::new(0, &name, kind).length;
        if length.is_some_and(|length| length > most) {
            let path = format!("{path}.length");
            let details = json!({"maximum_length": most, "api_name": "length", "json_path": path});
            return Err(Problem::data("length", &path).with(details));
        }
        let field = self.schema.add(module, &name, kind);
        label.clone_into(&mut field.label);
        field.length = length.unwrap_or(field.length);
        (field.custom, field.unique, field.options) = (true, unique, options);
        Ok(field.id)
    }

    /// `GET /crm/v8/settings/layouts...`: one layout for each module, with what it requires.
    pub(super) fn layouts(&self, call: &Call<'_>, path: &[&str]) -> Result<Answer, Problem> {
        let module = module_asked(call)?;
        let id = layout_id(module);
        if !path.is_empty() && path != [id.as_str()] {
            return Ok(Answer::empty());
        }
        let fields: Vec<Value> = self.schema.of(module).iter().map(Field::laid_out).collect();
        let section = json!({
            "id": (ORG + 3_100 + module as u64).to_string(), "api_name": format!("{}_Information", module.singular()),
            "display_label": format!("{} Information", module.singular()), "sequence_number": 1, "column_count": 2,
            "isSubformSection": false, "type": "used", "fields": fields,
        });
        let layout = json!({
            "id": id, "name": "Standard", "api_name": "Standard", "display_label": "Standard", "visible": true,
            "status": "active", "source": "crm", "generated_type": "default", "sections": [section],
            "created_time": null, "modified_time": null, "profiles": [],
        });
        Ok(Answer::new(200, json!({ "layouts": [layout] })))
    }
}

fn module_asked(call: &Call<'_>) -> Result<Module, Problem> {
    let name = call.query("module").ok_or_else(|| Problem::parameter("module"))?;
    Module::find(name).ok_or_else(|| Problem { details: json!({}), ..Problem::no_module() })
}
