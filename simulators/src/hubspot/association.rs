//! Links between records: inline when one is made, one at a time, in batches, and listed.

use super::batch::complete;
use super::kind::Kind;
use super::problem::Problem;
use super::schema::nothing_here;
use super::unknown_object;
use super::write::json_body;
use super::{HubSpot, Visit};
use crate::call::{Answer, Call};
use serde_json::{Value, json};

impl HubSpot {
    /// Links two records both ways; the type of the way back is HubSpot's own.
    pub(super) fn link(&mut self, from: u64, to: u64, number: u64) {
        let kind = |id: u64| self.records.get(&id).map(|record| record.kind);
        let back = kind(to).zip(kind(from)).and_then(|(to, from)| to.link_to(from));
        for (ends, number) in [((from, to), Some(number)), ((to, from), back)] {
            let numbers = self.links.entry(ends).or_default();
            if let Some(number) = number.filter(|number| !numbers.contains(number)) {
                numbers.push(number);
            }
        }
    }

    /// The live records of an object that one is linked with, and how.
    pub(super) fn linked(&self, id: u64, to: Kind) -> Vec<(u64, &[u64])> {
        let links = self.links.range((id, 0)..=(id, u64::MAX));
        let live = links.filter(|((_, other), _)| self.live(to, *other).is_some());
        live.map(|((_, other), numbers)| (*other, numbers.as_slice())).collect()
    }

    /// What was linked with one record is linked with another.
    pub(super) fn move_links(&mut self, from: u64, to: u64) {
        let links = std::mem::take(&mut self.links);
        let moved = |id: u64| if id == from { to } else { id };
        for ((a, b), numbers) in links {
            if moved(a) == moved(b) {
                continue;
            }
            let there = self.links.entry((moved(a), moved(b))).or_default();
            there.extend(numbers);
            there.sort_unstable();
            there.dedup();
        }
    }

    /// `associations[]` of a record that is made: who, and how.
    pub(super) fn inline_links(&self, kind: Kind, links: &Value) -> Result<Vec<(u64, u64)>, Problem> {
        let mut read = Vec::new();
        for link in links.as_array().into_iter().flatten() {
            let id =
                id_of(&link["to"]["id"]).ok_or_else(|| Problem::invalid("an association needs to.id"))?;
            let record = self.records.get(&self.resolve(id)).filter(|record| record.archived.is_none());
            let record = record.ok_or_else(|| {
                Problem::invalid(format!(
                    "One or more associations are not valid: object {id} does not exist"
                ))
            })?;
            let types = link["types"].as_array().filter(|types| !types.is_empty());
            let types = types.ok_or_else(|| Problem::invalid("an association needs types"))?;
            for spec in types {
                read.push((record.id, checked(kind, record.kind, spec)?));
            }
        }
        Ok(read)
    }

    /// `/crm/objects/{type}/{id}/associations/...`
    pub(super) fn associations(
        &mut self,
        call: &Call<'_>,
        kind: Kind,
        id: &str,
        path: &[&str],
        visit: Visit,
    ) -> Result<Answer, Problem> {
        let from = self.named(kind, id, None)?;
        let other = |name: &str| Kind::find(name).ok_or_else(|| unknown_object(name));
        match (call.method, path) {
            ("GET", [to]) => {
                let results: Vec<Value> = self
                    .linked(from, other(to)?)
                    .into_iter()
                    .map(|(id, numbers)| listed(id, numbers))
                    .collect();
                Ok(Answer::new(200, json!({ "results": results })))
            }
            ("PUT", ["default", to, to_id]) => {
                let to = other(to)?;
                let to_id = self.named(to, to_id, None)?;
                let done = self.link_by_default((kind, from), (to, to_id))?;
                Ok(complete(200, done, Vec::new(), visit))
            }
            ("PUT", [to, to_id]) => {
                let to = other(to)?;
                let to_id = self.named(to, to_id, None)?;
                let specs = call.json().unwrap_or_default();
                let specs = specs.as_array().into_iter().flatten();
                let numbers: Vec<u64> =
                    specs.map(|spec| checked(kind, to, spec)).collect::<Result<_, _>>()?;
                for number in &numbers {
                    self.link(from, to_id, *number);
                }
                Ok(Answer::new(
                    201,
                    json!({
                        "fromObjectTypeId": kind.type_id(), "fromObjectId": from.to_string(),
                        "toObjectTypeId": to.type_id(), "toObjectId": to_id.to_string(), "labels": [],
                    }),
                ))
            }
            ("DELETE", [to, to_id]) => {
                let to_id = self.named(other(to)?, to_id, None)?;
                self.links.remove(&(from, to_id));
                self.links.remove(&(to_id, from));
                Ok(Answer::empty())
            }
            _ => Err(nothing_here()),
        }
    }

    fn link_by_default(
        &mut self,
        (from, a): (Kind, u64),
        (to, b): (Kind, u64),
    ) -> Result<Vec<Value>, Problem> {
        let number = from.link_to(to).ok_or_else(|| no_link(from, to))?;
        self.link(a, b, number);
        let one = |a: u64, b: u64, number: u64| {
            json!({
                "from": {"id": a.to_string()}, "to": {"id": b.to_string()},
                "associationSpec": {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": number},
            })
        };
        let back = to.link_to(from).map(|number| one(b, a, number));
        Ok(std::iter::once(one(a, b, number)).chain(back).collect())
    }

    /// `/crm/associations/{from}/{to}/batch/...`
    pub(super) fn batch_associations(
        &mut self,
        call: &Call<'_>,
        (from, to): (Kind, Kind),
        path: &[&str],
        visit: Visit,
    ) -> Result<Answer, Problem> {
        let body = json_body(call)?;
        let inputs = body["inputs"].as_array().cloned().unwrap_or_default();
        let end = |of: &HubSpot, kind: Kind, end: &Value| {
            let id = id_of(&end["id"]).map(|id| id.to_string()).unwrap_or_default();
            of.named(kind, &id, None)
        };
        let mut results = Vec::new();
        match (call.method, path) {
            ("POST", ["batch", "associate", "default"]) => {
                for input in &inputs {
                    let (a, b) = (end(self, from, &input["from"])?, end(self, to, &input["to"])?);
                    results.extend(self.link_by_default((from, a), (to, b))?);
                }
            }
            ("POST", ["batch", "create"]) => {
                for input in &inputs {
                    let (a, b) = (end(self, from, &input["from"])?, end(self, to, &input["to"])?);
                    for spec in input["types"].as_array().into_iter().flatten() {
                        let number = checked(from, to, spec)?;
                        self.link(a, b, number);
                    }
                    results.push(json!({
                        "fromObjectTypeId": from.type_id(), "fromObjectId": a.to_string(),
                        "toObjectTypeId": to.type_id(), "toObjectId": b.to_string(), "labels": [],
                    }));
                }
                return Ok(complete(201, results, Vec::new(), visit));
            }
            ("POST", ["batch", "read"]) => {
                for input in &inputs {
                    let a = end(self, from, input)?;
                    let others: Vec<Value> =
                        self.linked(a, to).into_iter().map(|(id, numbers)| listed(id, numbers)).collect();
                    results.push(json!({ "from": {"id": a.to_string()}, "to": others }));
                }
            }
            _ => return Err(nothing_here()),
        }
        Ok(complete(200, results, Vec::new(), visit))
    }
}

/// The number of a link that is asked for, if HubSpot has it between these objects.
fn checked(from: Kind, to: Kind, spec: &Value) -> Result<u64, Problem> {
    let number = spec["associationTypeId"].as_u64();
    let own = spec["associationCategory"] == "HUBSPOT_DEFINED";
    match from.link_to(to) {
        Some(link) if own && number == Some(link) => Ok(link),
        _ => Err(Problem::invalid(format!(
            "One or more associations are not valid: no type {spec} from {} to {}",
            from.plural(),
            to.plural()
        ))),
    }
}

fn no_link(from: Kind, to: Kind) -> Problem {
    Problem::invalid(format!("{} cannot be associated with {}", from.plural(), to.plural()))
}

fn listed(id: u64, numbers: &[u64]) -> Value {
    let types: Vec<Value> = numbers
        .iter()
        .map(|number| json!({"category": "HUBSPOT_DEFINED", "typeId": number, "label": null}))
        .collect();
    json!({ "toObjectId": id, "associationTypes": types })
}

fn id_of(id: &Value) -> Option<u64> {
    id.as_u64().or_else(|| id.as_str()?.parse().ok())
}
