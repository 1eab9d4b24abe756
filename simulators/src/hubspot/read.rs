//! Reads by id or by a unique property, and the list of all.

use super::HubSpot;
use super::kind::Kind;
use super::problem::Problem;
use crate::call::{Answer, Call};
use serde_json::{Map, Value, json};

/// The longest page of the list.
const LONGEST_PAGE: usize = 100;

impl HubSpot {
    /// `GET /crm/objects/{type}/{id}`
    pub(super) fn read_one(&self, call: &Call<'_>, kind: Kind, id: &str) -> Result<Answer, Problem> {
        let archived = call.told("archived");
        let record = if archived {
            let at = id.parse().ok().and_then(|id: u64| self.records.get(&id));
            at.filter(|it| it.kind == kind && it.archived.is_some()).ok_or_else(|| Problem::not_found(id))?
        } else {
            &self.records[&self.named(kind, id, call.query("idProperty"))?]
        };
        let mut shown = record.shown(&self.properties_of(call, kind));
        let mut associations = Map::new();
        for name in call.list("associations") {
            let to = Kind::find(&name).ok_or_else(|| super::unknown_object(&name))?;
            let results: Vec<Value> = self
                .linked(record.id, to)
                .iter()
                .map(|(id, _)| json!({"id": id.to_string(), "type": format!("{}_to_{}", kind.singular(), to.singular())}))
                .collect();
            if !results.is_empty() {
                associations.insert(to.plural().to_owned(), json!({ "results": results }));
            }
        }
        if !associations.is_empty() {
            shown["associations"] = Value::Object(associations);
        }
        Ok(Answer::new(200, shown))
    }

    /// `GET /crm/objects/{type}`
    pub(super) fn list(&self, call: &Call<'_>, kind: Kind) -> Result<Answer, Problem> {
        let limit = call.query("limit").map_or(Ok(10), str::parse);
        let limit: usize = limit
            .ok()
            .filter(|limit| (1..=LONGEST_PAGE).contains(limit))
            .ok_or_else(|| Problem::invalid(format!("limit must be between 1 and {LONGEST_PAGE}")))?;
        let after = call.query("after").map_or(Ok(0), str::parse);
        let after: u64 = after.map_err(|_| Problem::invalid("after is not of a page before"))?;
        let archived = call.told("archived");
        let properties = self.properties_of(call, kind);
        let here = self.records.values().filter(|it| it.kind == kind && it.archived.is_some() == archived);
        // `after` is the first id of the next page.
        let mut page = here.filter(|record| record.id >= after);
        let results: Vec<Value> = page.by_ref().take(limit).map(|record| record.shown(&properties)).collect();
        let mut body = json!({ "results": results });
        if let Some(next) = page.next() {
            body["paging"] = json!({"next": {"after": next.id.to_string()}});
        }
        Ok(Answer::new(200, body))
    }

    /// The properties that the query asks for; those that do not exist are left out.
    fn properties_of(&self, call: &Call<'_>, kind: Kind) -> Vec<String> {
        let asked = call.list("properties").into_iter();
        let asked: Vec<String> = asked.filter(|name| self.schema.get(kind, name).is_some()).collect();
        with_own(kind, asked)
    }
}

/// The properties that a body asks for.
pub(super) fn properties_asked(kind: Kind, body: &Value) -> Vec<String> {
    let asked = body["properties"].as_array().into_iter().flatten();
    with_own(kind, asked.filter_map(|name| name.as_str().map(str::to_owned)).collect())
}

/// Id and times come with whatever is asked for; where nothing is, the defaults do.
fn with_own(kind: Kind, mut asked: Vec<String>) -> Vec<String> {
    if asked.is_empty() {
        return kind.default_properties().iter().map(|name| (*name).to_owned()).collect();
    }
    let (created, modified) = kind.times();
    for own in [created, "hs_object_id", modified] {
        if !asked.iter().any(|name| name == own) {
            asked.push(own.to_owned());
        }
    }
    asked
}
