//! Writes: each record checked as a whole, then applied, one after the other. What is refused of many leaves
//! the others written; each has an entry of its own in `data`, in the order in which it was sent.
//!
//! 201 for what was made, 200 for what was changed, 207 where some were refused, 202 where all were. A field
//! that does not exist, or is only read, is passed over without a word.

use super::account::{self, GUARDED, PIPELINES};
use super::field::{Kind, id_of};
use super::module::Module;
use super::problem::Problem;
use super::record::{Record, Values};
use super::{Visit, Zoho};
use crate::call::{Answer, Call};
use serde_json::{Value, json};

/// Records in one request.
const MOST: usize = 100;

/// What a record was written as.
struct Done {
    id: u64,
    made: bool,
    /// The field by which an upsert found it.
    found_by: Option<String>,
}

impl Zoho {
    /// `POST /crm/v8/{module}`
    pub(super) fn create(
        &mut self,
        call: &Call<'_>,
        module: Module,
        visit: &Visit,
    ) -> Result<Answer, Problem> {
        let body = body_of(call)?;
        self.each(&body, false, |zoho, item, at| zoho.write(module, None, item, at, runs(&body), visit))
    }

    /// `POST /crm/v8/{module}/{id}/Notes`
    pub(super) fn create_below(
        &mut self,
        call: &Call<'_>,
        (parent, id): (Module, &str),
        module: Module,
        visit: &Visit,
    ) -> Result<Answer, Problem> {
        let above = id.parse().ok().and_then(|id| self.live(parent, id));
        above.ok_or_else(|| Problem::bad_path(1))?;
        let (field, mut body) = ("Parent_Id", body_of(call)?);
        for item in body["data"].as_array_mut().into_iter().flatten().filter(|item| item.is_object()) {
            item[field] = json!({"module": {"api_name": parent.name()}, "id": id});
        }
        self.each(&body, false, |zoho, item, at| zoho.write(module, None, item, at, runs(&body), visit))
    }

    /// `PUT /crm/v8/{module}` and `PUT /crm/v8/{module}/{id}`
    pub(super) fn update(
        &mut self,
        call: &Call<'_>,
        module: Module,
        id: Option<&str>,
        visit: &Visit,
    ) -> Result<Answer, Problem> {
        let body = body_of(call)?;
        self.each(&body, false, |zoho, item, at| {
            let given = id.map(str::to_owned).or_else(|| id_of(&item["id"]));
            let given = given.ok_or_else(|| Problem::mandatory("id", &format!("$.data[{at}].id")))?;
            let known = given.parse().ok().and_then(|id: u64| zoho.records.get(&id));
            let known = known.filter(|record| record.module == module && !record.deleted);
            let record = known.ok_or_else(|| Problem::no_record(&given))?;
            if record.converted.is_some() {
                let message = "can't update the converted record";
                return Err(Problem::new(400, "CONVERTED_RECORD", message).with(json!({ "id": given })));
            }
            let id = record.id;
            zoho.write(module, Some(id), item, at, runs(&body), visit)
        })
    }

    /// `POST /crm/v8/{module}/upsert`
    pub(super) fn upsert(
        &mut self,
        call: &Call<'_>,
        module: Module,
        visit: &Visit,
    ) -> Result<Answer, Problem> {
        if !module.upserts() {
            return Err(Problem::nothing_here());
        }
        let body = body_of(call)?;
        let checks = self.checks(module, &body["duplicate_check_fields"])?;
        self.each(&body, true, |zoho, item, at| {
            let found = checks.iter().find_map(|name| {
                let id = zoho.holder(module, name, &item[name.as_str()])?;
                Some((id, name.clone()))
            });
            let id = found.as_ref().map(|(id, _)| *id);
            let done = zoho.write(module, id, item, at, runs(&body), visit)?;
            Ok(Done { found_by: found.map(|(_, name)| name), ..done })
        })
    }

    /// `DELETE /crm/v8/{module}?ids=` and `DELETE /crm/v8/{module}/{id}`
    pub(super) fn remove(&mut self, ids: &[String], module: Module) -> Result<Answer, Problem> {
        if ids.is_empty() {
            return Err(Problem::parameter("ids"));
        }
        let mut entries = Vec::new();
        for id in ids {
            let known = id.parse().ok().and_then(|id: u64| self.records.get(&id));
            let known = known.filter(|it| it.module == module && !it.deleted).map(|it| it.id);
            entries.push(match known {
                Some(known) => {
                    self.delete(known);
                    json!({"code": "SUCCESS", "details": {"id": id}, "message": "record deleted",
                           "status": "success"})
                }
                None => {
                    let details = json!({ "id": id });
                    Problem::new(400, "INVALID_DATA", "record not deleted").with(details).shown()
                }
            });
        }
        Ok(settled(entries, 200))
    }

    pub(super) fn delete(&mut self, id: u64) {
        if let Some(record) = self.records.get_mut(&id) {
            record.deleted = true;
        }
        self.release(id);
    }

    /// The values of a record that tell it apart are free again.
    pub(super) fn release(&mut self, id: u64) {
        self.holders.retain(|_, holders| {
            holders.remove(&id);
            !holders.is_empty()
        });
    }

    /// The fields by which an upsert looks: those given, else Zoho's own and then the unique ones.
    fn checks(&self, module: Module, given: &Value) -> Result<Vec<String>, Problem> {
        let given: Vec<&str> = given.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if let Some(at) = given.iter().position(|name| !self.is_key(module, name)) {
            let path = format!("$.duplicate_check_fields[{at}]");
            return Err(Problem::data("duplicate_check_fields", &path));
        }
        if !given.is_empty() {
            return Ok(given.into_iter().map(str::to_owned).collect());
        }
        let unique = self.schema.of(module).iter().filter(|field| field.unique);
        let own = module.own_key().map(str::to_owned);
        Ok(own.into_iter().chain(unique.map(|field| field.name.clone())).collect())
    }

    /// Writes each record of a body.
    fn each(
        &mut self,
        body: &Value,
        tells_action: bool,
        mut write: impl FnMut(&mut Zoho, &Value, usize) -> Result<Done, Problem>,
    ) -> Result<Answer, Problem> {
        let items = body["data"].as_array().filter(|items| !items.is_empty());
        let items = items.ok_or_else(|| Problem::mandatory("data", "$.data"))?;
        if items.len() > MOST {
            let details = json!({"maximum_length": MOST, "api_name": "data", "json_path": "$.data"});
            return Err(Problem::data("data", "$.data").with(details));
        }
        let mut entries = Vec::with_capacity(items.len());
        let mut made = true;
        for (at, item) in items.iter().enumerate() {
            let done = if item.is_object() {
                write(self, item, at)
            } else {
                Err(Problem::expected("data", &format!("$.data[{at}]"), "jsonobject"))
            };
            made &= done.as_ref().is_ok_and(|done| done.made);
            entries.push(match done {
                Ok(done) => self.entry(&done, tells_action),
                Err(problem) => problem.shown(),
            });
        }
        Ok(settled(entries, if made { 201 } else { 200 }))
    }

    fn entry(&self, done: &Done, tells_action: bool) -> Value {
        let record = &self.records[&done.id];
        let user = |name: &str| {
            let user = account::user(record.text(name).unwrap_or_default());
            json!({"name": user["name"], "id": user["id"]})
        };
        let mut entry = json!({
            "code": "SUCCESS", "status": "success",
            "message": if done.made { "record added" } else { "record updated" },
            "details": {
                "id": done.id.to_string(), "Created_Time": record.text("Created_Time"),
                "Modified_Time": record.text("Modified_Time"), "Created_By": user("Created_By"),
                "Modified_By": user("Modified_By"), "$approval_state": "approved",
            },
        });
        if tells_action {
            entry["action"] = json!(if done.made { "insert" } else { "update" });
            entry["duplicate_field"] = json!(done.found_by);
        }
        entry
    }

    fn write(
        &mut self,
        module: Module,
        id: Option<u64>,
        item: &Value,
        at: usize,
        runs: bool,
        visit: &Visit,
    ) -> Result<Done, Problem> {
        let values = self.draft(module, id, item, &format!("$.data[{at}]"))?;
        let written = self.apply(module, id, values, account::USERS[0].0, visit);
        if runs {
            let automations = self.automations.entry(written).or_default();
            match id {
                None => automations.0 += 1,
                Some(_) => automations.1 += 1,
            }
        }
        Ok(Done { id: written, made: id.is_none(), found_by: None })
    }

    /// Checks a write to a record, or to a new one.
    pub(super) fn draft(
        &self,
        module: Module,
        id: Option<u64>,
        item: &Value,
        path: &str,
    ) -> Result<Values, Problem> {
        let mut values = Values::new();
        for (name, value) in item.as_object().into_iter().flatten() {
            let known = self.schema.get(module, name).filter(|field| !field.read_only);
            let Some(field) = known else { continue };
            let path = format!("{path}.{name}");
            let accepted = field.accept(value, &path)?;
            match (field.kind, accepted.as_str()) {
                (Kind::Owner, Some(id)) if !account::is_user(id) => {
                    return Err(bad_id(name, &path));
                }
                (Kind::Lookup(to), Some(id)) => self.linked(to, id, name, &path)?,
                (Kind::AnyLookup, Some(id)) => self.linked_by_name(item, value, id, (name, &path))?,
                _ => {}
            }
            values.insert(name.clone(), accepted);
        }
        if values.contains_key("What_Id") {
            values.insert("$se_module".to_owned(), item["$se_module"].clone());
        }
        let record = id.and_then(|id| self.records.get(&id));
        for field in self.schema.of(module).iter().filter(|field| field.mandatory || field.required) {
            let given = values.get(&field.name);
            let lacks = if record.is_some() {
                given.is_some_and(Value::is_null)
            } else {
                given.is_none_or(Value::is_null)
            };
            if lacks {
                return Err(Problem::mandatory(&field.name, &format!("{path}.{}", field.name)));
            }
        }
        if module == Module::Deals {
            staged(record, &mut values, path)?;
        }
        self.unrivalled(module, id, &values, path)?;
        Ok(values)
    }

    /// Whether a lookup leads to a record of its module.
    fn linked(&self, to: Module, id: &str, name: &str, path: &str) -> Result<(), Problem> {
        let known = id.parse().ok().and_then(|id: u64| self.records.get(&id));
        match known.filter(|record| record.module == to && !record.deleted) {
            None => Err(bad_id(name, path)),
            Some(record) if record.converted.is_some() => {
                let details = json!({"api_name": name, "json_path": format!("{path}.id"), "id": id});
                let message = "can't update the converted record";
                Err(Problem::new(400, "CONVERTED_RECORD", message).with(details))
            }
            Some(_) => Ok(()),
        }
    }

    /// Whether a lookup leads to a record of the module that it names itself, or `$se_module` beside it.
    fn linked_by_name(
        &self,
        item: &Value,
        value: &Value,
        id: &str,
        (name, path): (&str, &str),
    ) -> Result<(), Problem> {
        if name == "Parent_Id" {
            if !value.is_object() {
                return Err(Problem::expected(name, path, "jsonobject"));
            }
            let below = format!("{path}.module");
            let module = value["module"]["api_name"].as_str();
            let module = module.ok_or_else(|| Problem::mandatory("module", &below))?;
            let module = Module::find(module).ok_or_else(|| Problem::data("module", &below))?;
            return self.linked(module, id, name, path);
        }
        let Some(module) = item["$se_module"].as_str() else {
            let dependee = json!({"api_name": name, "json_path": path});
            let details = json!({"api_name": "$se_module", "json_path": path, "dependee": dependee});
            let message = "Dependent Fields missing";
            return Err(Problem::new(400, "DEPENDENT_FIELD_MISSING", message).with(details));
        };
        let module = Module::find(module).ok_or_else(|| Problem::data("$se_module", path))?;
        self.linked(module, id, name, path)
    }

    /// A record that has a value which one with these values would have to itself.
    pub(super) fn rival(&self, module: Module, values: &Values) -> Option<u64> {
        let unique = self.schema.of(module).iter().filter(|field| field.unique);
        unique.filter_map(|field| self.holder(module, &field.name, values.get(&field.name)?)).next()
    }

    /// Whether no other record has a value that must be unique.
    fn unrivalled(
        &self,
        module: Module,
        id: Option<u64>,
        values: &Values,
        path: &str,
    ) -> Result<(), Problem> {
        for field in self.schema.of(module).iter().filter(|field| field.unique) {
            let value = values.get(&field.name).unwrap_or(&Value::Null);
            let Some(rival) = self.holder(module, &field.name, value).filter(|holder| Some(*holder) != id)
            else {
                continue;
            };
            let owner = account::user(self.records[&rival].text("Owner").unwrap_or_default());
            let details = json!({
                "api_name": field.name, "json_path": format!("{path}.{}", field.name), "more_records": false,
                "duplicate_record": {
                    "id": rival.to_string(), "Owner": owner,
                    "module": {"api_name": module.name(), "id": module.id()},
                },
            });
            return Err(Problem::new(400, "DUPLICATE_DATA", "duplicate data").with(details));
        }
        Ok(())
    }

    /// The first record that holds a value of a field that tells records apart.
    fn holder(&self, module: Module, name: &str, value: &Value) -> Option<u64> {
        let value = spelt(value)?;
        self.holders.get(&(module, name.to_owned(), value))?.first().copied()
    }

    fn is_key(&self, module: Module, name: &str) -> bool {
        let field = self.schema.get(module, name);
        field.is_some_and(|field| field.unique || module.own_key() == Some(name))
    }

    /// Does what was checked, as a user.
    pub(super) fn apply(
        &mut self,
        module: Module,
        id: Option<u64>,
        values: Values,
        by: &str,
        visit: &Visit,
    ) -> u64 {
        let id = id.unwrap_or_else(|| {
            self.last_id += 1_000;
            self.last_id
        });
        let keys: Vec<(&String, &Value)> =
            values.iter().filter(|(name, _)| self.is_key(module, name)).collect();
        for (name, value) in keys {
            let old = self.records.get(&id).and_then(|record| spelt(record.values.get(name)?));
            if let Some(holders) = old.and_then(|old| self.holders.get_mut(&(module, name.clone(), old))) {
                holders.remove(&id);
            }
            if let Some(value) = spelt(value) {
                self.holders.entry((module, name.clone(), value)).or_default().insert(id);
            }
        }
        self.of_module.entry(module).or_default().insert(id);
        let record = self.records.entry(id).or_insert_with(|| Record::new(id, module, visit.now));
        record.set(values);
        record.touch(by, visit.now, visit.lag);
        id
    }
}

/// A value as it is compared: without regard to case.
fn spelt(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.trim().to_lowercase()).filter(|text| !text.is_empty()),
        other => Some(other.to_string()),
    }
}

/// Whether the CRM's own automation runs: without `trigger` it does, with an empty list it does not.
fn runs(body: &Value) -> bool {
    body["trigger"].as_array().is_none_or(|trigger| trigger.iter().any(|it| it == "workflow"))
}

/// The stage must be one of the pipeline's, and a Blueprint's stage is left by the Blueprint alone.
fn staged(record: Option<&Record>, values: &mut Values, path: &str) -> Result<(), Problem> {
    if record.is_none() {
        values.entry("Pipeline".to_owned()).or_insert_with(|| json!(PIPELINES[0].0));
    }
    let had = |name: &str| record.and_then(|record| record.text(name)).unwrap_or_default();
    let will_be = |name: &str| values.get(name).and_then(Value::as_str).unwrap_or_else(|| had(name));
    let (pipeline, stage) = (will_be("Pipeline"), will_be("Stage"));
    let mismatch = |message: &str, name: &str, mapped: &str| {
        let details =
            json!({"api_name": name, "json_path": format!("{path}.{name}"), "mapped_field": mapped});
        Err(Problem::new(400, "MAPPING_MISMATCH", message).with(details))
    };
    match account::has_stage(pipeline, stage) {
        None => return mismatch("Layout doesn't contain the Pipeline", "Pipeline", "Layout"),
        Some(false) => return mismatch("Pipeline doesn't contain the Stage", "Stage", "Pipeline"),
        Some(true) => {}
    }
    if had("Stage") == GUARDED && stage != GUARDED {
        let details = json!({"api_name": "Stage", "json_path": format!("{path}.Stage")});
        return Err(Problem::new(400, "RECORD_IN_BLUEPRINT", "The record is in blue print").with(details));
    }
    Ok(())
}

fn bad_id(name: &str, path: &str) -> Problem {
    let details = json!({"api_name": name, "json_path": format!("{path}.id")});
    Problem::new(400, "INVALID_DATA", "the id given seems to be invalid").with(details)
}

/// The answer to many: `all` where none was refused.
fn settled(entries: Vec<Value>, all: u16) -> Answer {
    let good = entries.iter().filter(|entry| entry["status"] == "success").count();
    let status = match good {
        _ if good == entries.len() => all,
        0 => 202,
        _ => 207,
    };
    Answer::new(status, json!({ "data": entries }))
}

/// The body of a request that must have one.
fn body_of(call: &Call<'_>) -> Result<Value, Problem> {
    let body = call.json().filter(Value::is_object);
    body.ok_or_else(|| Problem::expected("body", "$", "jsonobject"))
}
