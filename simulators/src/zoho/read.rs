//! Reads by id, the lists of modules and of what belongs to a record. None of them is behind, as search is.

use super::account;
use super::field::{Field, Kind};
use super::module::Module;
use super::problem::Problem;
use super::record::{Record, Values};
use super::{Visit, Zoho};
use crate::call::{Answer, Call};
use jiff::SignedDuration;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

pub(super) const LONGEST_PAGE: usize = 200;
/// Records that are reached by the number of a page.
const PAGED: usize = 2_000;
const MOST_FIELDS: usize = 50;
const PAGE_TOKEN_LIFETIME: SignedDuration = SignedDuration::from_hours(24);

impl Zoho {
    /// `GET /crm/v8/{module}/{id}`: 204 for what is not there, and for a converted lead unless it is asked for.
    pub(super) fn read_one(&self, call: &Call<'_>, module: Module, id: &str) -> Result<Answer, Problem> {
        let id: u64 = id.parse().map_err(|_| Problem::bad_path(1))?;
        let record = self.records.get(&id).filter(|record| record.module == module && !record.deleted);
        let Some(record) = record.filter(|record| wanted(call, record)) else { return Ok(Answer::empty()) };
        let fields = fields_of(call)?;
        let mut shown = self.shown(record.module, &record.values, &fields);
        if fields.is_empty() {
            self.add_state(record, &mut shown);
        }
        Ok(Answer::new(200, json!({ "data": [shown] })))
    }

    /// `GET /crm/v8/{module}`: newest first, unless asked otherwise.
    pub(super) fn list(&self, call: &Call<'_>, module: Module, visit: &Visit) -> Result<Answer, Problem> {
        let fields = fields_of(call)?;
        if fields.is_empty() {
            return Err(Problem::parameter("fields"));
        }
        let fits = |record: &&Record| record.module == module && !record.deleted && wanted(call, record);
        let mut records: Vec<&Record> = match call.query("ids") {
            None => self.all_of(module).filter(fits).collect(),
            Some(_) => {
                let ids: BTreeSet<u64> = call.list("ids").iter().filter_map(|id| id.parse().ok()).collect();
                ids.iter().filter_map(|id| self.records.get(id)).filter(fits).collect()
            }
        };
        records.reverse();
        let by = call.query("sort_by").unwrap_or("id");
        let rising = call.query("sort_order") == Some("asc");
        if by != "id" {
            let known = ["Created_Time", "Modified_Time"].contains(&by);
            known.then_some(()).ok_or_else(|| Problem::bad_parameter("sort_by"))?;
            records.sort_by(|a, b| b.text(by).cmp(&a.text(by)));
        }
        if rising {
            records.reverse();
        }
        let values = records.iter().map(|record| &record.values).collect();
        self.page(call, module, values, &fields, visit)
    }

    /// `GET /crm/v8/{module}/{id}/{related list}`
    pub(super) fn related(
        &self,
        call: &Call<'_>,
        (module, id): (Module, &str),
        list: &str,
        visit: &Visit,
    ) -> Result<Answer, Problem> {
        let of = Module::find(list).filter(|of| of.is_activity() || *of == Module::Deals);
        let of = of.ok_or_else(|| Problem::bad_path(2))?;
        let parent = id.parse().ok().and_then(|id: u64| self.records.get(&id));
        let parent = parent.filter(|it| it.module == module && !it.deleted);
        let parent = parent.ok_or_else(|| Problem::bad_path(1))?.id.to_string();
        let fields = fields_of(call)?;
        if fields.is_empty() {
            return Err(Problem::parameter("fields"));
        }
        let links = ["Parent_Id", "Who_Id", "What_Id", "Contact_Name"];
        let below = |record: &&Record| {
            record.is_live() && links.iter().any(|name| record.text(name) == Some(parent.as_str()))
        };
        let mut found: Vec<&Values> = self.all_of(of).filter(below).map(|record| &record.values).collect();
        found.reverse();
        self.page(call, of, found, &fields, visit)
    }

    /// The records of a module, by their ids.
    pub(super) fn all_of(&self, module: Module) -> impl Iterator<Item = &Record> {
        let ids = self.of_module.get(&module).into_iter().flatten();
        ids.filter_map(|id| self.records.get(id))
    }

    /// One page of what was found, by number or by the token of the page before.
    pub(super) fn page(
        &self,
        call: &Call<'_>,
        module: Module,
        found: Vec<&Values>,
        fields: &[String],
        visit: &Visit,
    ) -> Result<Answer, Problem> {
        let number = |name: &str, otherwise: usize| {
            let given = call.query(name).map_or(Ok(otherwise), str::parse);
            given.ok().filter(|it| *it > 0).ok_or_else(|| Problem::bad_parameter(name))
        };
        let (page, length) = (number("page", 1)?, number("per_page", LONGEST_PAGE)?);
        if length > LONGEST_PAGE {
            return Err(Problem::bad_parameter("per_page"));
        }
        let skip = match call.query("page_token") {
            Some(token) => after(token, &found, visit)?,
            None if page * length > PAGED => {
                let message = "records beyond the first 2000 are fetched by page_token alone";
                return Err(Problem::new(400, "DISCRETE_PAGINATION_LIMIT_EXCEEDED", message));
            }
            None => (page - 1) * length,
        };
        let on: Vec<&&Values> = found.iter().skip(skip).take(length).collect();
        let Some(last) = on.last() else { return Ok(Answer::empty()) };
        let more = found.len() > skip + on.len();
        let token = more.then(|| token(last, visit));
        let expiry = visit.now.checked_add(PAGE_TOKEN_LIFETIME).ok().filter(|_| more).map(super::stamp);
        let info = json!({
            "per_page": length, "count": on.len(), "page": page, "more_records": more, "sort_by": "id",
            "sort_order": "desc", "next_page_token": token, "previous_page_token": null,
            "page_token_expiry": expiry,
        });
        let data: Vec<Value> = on.iter().map(|values| self.shown(module, values, fields)).collect();
        Ok(Answer::new(200, json!({ "data": data, "info": info })))
    }

    /// As the API shows it, with these fields or all; what is not set is null.
    pub(super) fn shown(&self, module: Module, values: &Values, fields: &[String]) -> Value {
        let mut shown = Map::new();
        shown.insert("id".to_owned(), values.get("id").cloned().unwrap_or_default());
        for field in self.schema.of(module) {
            if fields.is_empty() || fields.contains(&field.name) {
                shown.insert(field.name.clone(), self.shown_field(field, values));
            }
        }
        Value::Object(shown)
    }

    fn shown_field(&self, field: &Field, values: &Values) -> Value {
        let Some(value) = values.get(&field.name) else { return Value::Null };
        let id = value.as_str().unwrap_or_default();
        match field.kind {
            Kind::Owner => account::user(id),
            Kind::Lookup(_) => json!({"name": self.title_of(id), "id": id}),
            Kind::AnyLookup => {
                let module = id.parse().ok().and_then(|id: u64| self.records.get(&id)).map(|it| it.module);
                let module = module.map(|it| json!({"api_name": it.name(), "id": it.id()}));
                json!({"name": self.title_of(id), "id": id, "module": module})
            }
            _ => value.clone(),
        }
    }

    /// What people call a record.
    fn title_of(&self, id: &str) -> Option<&str> {
        let record = self.records.get(&id.parse().ok()?)?;
        record.text(record.module.title())
    }

    /// What a record read alone says of itself, beside its fields.
    fn add_state(&self, record: &Record, shown: &mut Value) {
        shown["$editable"] = json!(record.is_live());
        shown["$approved"] = json!(true);
        shown["$state"] = json!("save");
        shown["$in_merge"] = json!(false);
        if let Some(module) = record.values.get("$se_module") {
            shown["$se_module"] = module.clone();
        }
        if record.module != Module::Leads {
            return;
        }
        shown["$converted"] = json!(record.converted.is_some());
        shown["$converted_detail"] = match &record.converted {
            None => json!({}),
            Some(it) => json!({
                "contact": it.contact.to_string(), "account": it.account.to_string(), "deal": null,
                "convert_date": super::stamp(it.at), "converted_by": account::USERS[1].0,
            }),
        };
    }
}

/// Whether a record that is there is asked for: converted leads are where `converted` says so.
pub(super) fn wanted(call: &Call<'_>, record: &Record) -> bool {
    match call.query("converted") {
        Some("both") => true,
        Some("true") => record.converted.is_some(),
        _ => record.converted.is_none(),
    }
}

/// The fields that the query asks for; none where it asks for none.
pub(super) fn fields_of(call: &Call<'_>) -> Result<Vec<String>, Problem> {
    let fields: Vec<String> = call.list("fields").into_iter().filter(|name| !name.is_empty()).collect();
    if fields.len() > MOST_FIELDS {
        let details = json!({"limit": MOST_FIELDS, "param_name": "fields"});
        return Err(Problem::new(400, "LIMIT_EXCEEDED", "Max field limit exceeded").with(details));
    }
    Ok(fields)
}

/// The token of the page behind a record.
fn token(last: &Values, visit: &Visit) -> String {
    let id = last.get("id").and_then(Value::as_str).unwrap_or_default();
    format!("{id}x{}", visit.now.as_second())
}

/// How many records lie before the page that a token is of.
fn after(token: &str, found: &[&Values], visit: &Visit) -> Result<usize, Problem> {
    let wrong = || Problem::bad_parameter("page_token");
    let (id, at) = token.split_once('x').ok_or_else(wrong)?;
    let made = at.parse().ok().and_then(|at| jiff::Timestamp::from_second(at).ok()).ok_or_else(wrong)?;
    if visit.now.duration_since(made) >= PAGE_TOKEN_LIFETIME {
        return Err(wrong());
    }
    let is_it = |values: &&Values| values.get("id").and_then(Value::as_str) == Some(id);
    found.iter().position(is_it).map(|at| at + 1).ok_or_else(wrong)
}
