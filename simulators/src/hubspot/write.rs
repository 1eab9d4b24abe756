//! Writes of one record: checked as a whole first ([`Draft`]), then applied, so that a refused one has
//! changed nothing.

use super::kind::Kind;
use super::problem::{Detail, Problem};
use super::record::{Record, Values};
use super::schema::LIFECYCLE;
use super::{HubSpot, Visit, pipeline};
use crate::call::{Answer, Call};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::collections::HashSet;

/// A write that was checked.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) kind: Kind,
    /// The record to change; `None`: a new one.
    pub(super) id: Option<u64>,
    pub(super) values: Values,
    /// Records to link it with, and the types of the links.
    pub(super) links: Vec<(u64, u64)>,
}

/// Unique values that earlier items of the same batch take.
pub(super) type Taken = HashSet<(String, String)>;

impl HubSpot {
    /// Checks a write of `properties` to a record, or to a new one.
    pub(super) fn draft(
        &self,
        kind: Kind,
        id: Option<u64>,
        properties: &Value,
        visit: Visit,
        taken: &mut Taken,
    ) -> Result<Draft, Problem> {
        let mut values = self.accepted(kind, properties)?;
        let current = id.and_then(|id| self.records.get(&id));
        let had = |name: &str| current.and_then(|record| record.value(name));
        let will_be = |name: &str| match values.get(name) {
            Some(value) => Some(value.as_str()).filter(|value| !value.is_empty()),
            None => had(name),
        };
        self.complete(kind, id.is_none(), &will_be, &values, visit)?;
        if kind == Kind::Deals && (values.contains_key("dealstage") || values.contains_key("pipeline")) {
            staged(&will_be)?;
        }
        if let (Some(new), Some(old)) = (values.get("lifecyclestage"), had("lifecyclestage")) {
            let place = |stage: &str| LIFECYCLE.iter().position(|it| *it == stage);
            if !new.is_empty() && place(new) < place(old) {
                values.remove("lifecyclestage");
            }
        }
        self.unrivalled(kind, id, &values, taken)?;
        Ok(Draft { kind, id, values, links: Vec::new() })
    }

    /// The values as they are kept.
    fn accepted(&self, kind: Kind, properties: &Value) -> Result<Values, Problem> {
        let properties = properties.as_object().ok_or_else(|| {
            Problem::invalid("Invalid input JSON: some required fields were not set: [properties]")
        })?;
        let mut values = Values::new();
        let mut faults = Vec::new();
        for (name, value) in properties {
            let accepted = match self.schema.get(kind, name) {
                Some(property) => property.accept(value),
                None => {
                    let message = format!("Property \"{name}\" does not exist");
                    Err(Detail::new(name, "PROPERTY_DOESNT_EXIST", message))
                }
            };
            match accepted {
                Ok(value)
                    if name == "hubspot_owner_id" && !value.is_empty() && !pipeline::is_owner(&value) =>
                {
                    let message = format!("Owner {value} was not one of the allowed options");
                    faults.push(Detail::new(name, "INVALID_OPTION", message));
                }
                Ok(value) => drop(values.insert(name.clone(), value)),
                Err(fault) => faults.push(fault),
            }
        }
        if faults.is_empty() { Ok(values) } else { Err(Problem::properties(faults)) }
    }

    /// Whether all is there that must be.
    fn complete<'v>(
        &self,
        kind: Kind,
        is_new: bool,
        will_be: &impl Fn(&str) -> Option<&'v str>,
        values: &Values,
        visit: Visit,
    ) -> Result<(), Problem> {
        let names = ["email", "firstname", "lastname"];
        if kind == Kind::Contacts && is_new && names.iter().all(|name| will_be(name).is_none()) {
            let message =
                "At least one of the properties email, firstname, lastname is required to create a contact";
            return Err(Problem::invalid(message));
        }
        let always: &[&str] = match kind {
            Kind::Deals => &["dealname", "dealstage"],
            Kind::Notes | Kind::Tasks => &["hs_timestamp"],
            Kind::Contacts | Kind::Communications => &[],
        };
        let by_rule = self.schema.of(kind).filter(|it| visit.ruled && it.required && !it.archived);
        let required = always.iter().copied().chain(by_rule.map(|property| property.name.as_str()));
        // What was missing before the rule came may stay so, until somebody writes to it.
        let asked = |name: &&str| is_new || values.contains_key(*name);
        let missing: Vec<&str> = required.filter(asked).filter(|name| will_be(name).is_none()).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let detail = |name: &&str| {
            Detail::new(name, "MISSING_REQUIRED_PROPERTY", format!("Property \"{name}\" is required"))
        };
        Err(Problem::properties(missing.iter().map(detail).collect()))
    }

    /// Whether no other record has a value that must be unique.
    fn unrivalled(
        &self,
        kind: Kind,
        id: Option<u64>,
        values: &Values,
        taken: &mut Taken,
    ) -> Result<(), Problem> {
        for (name, value) in
            values.iter().filter(|(name, value)| self.is_key(kind, name) && !value.is_empty())
        {
            let owner = self.unique.get(&(kind, name.clone(), value.clone())).copied();
            let rival = owner.filter(|owner| Some(*owner) != id);
            let first = taken.insert((name.clone(), value.clone()));
            match rival {
                Some(rival) if kind == Kind::Contacts && name == "email" => {
                    return Err(Problem::exists(rival));
                }
                None if first => {}
                _ => {
                    let (of, who) = (kind.type_id(), rival.map_or_else(String::new, |id| id.to_string()));
                    let message = format!(
                        "Cannot set PropertyValueCoordinates{{portalId={}, objectTypeId={of}, \
                         propertyName={name}, value={value}}}. {who} already has that value.",
                        super::PORTAL
                    );
                    return Err(Problem::properties(vec![Detail::new(
                        name,
                        "CONFLICTING_UNIQUE_VALUE",
                        message,
                    )]));
                }
            }
        }
        Ok(())
    }

    /// Whether a property tells records apart, and may be an `idProperty`.
    pub(super) fn is_key(&self, kind: Kind, name: &str) -> bool {
        (kind == Kind::Contacts && name == "email")
            || self.schema.get(kind, name).is_some_and(|property| property.unique)
    }

    /// Does what was checked.
    pub(super) fn apply(&mut self, draft: Draft, now: Timestamp, lag: SignedDuration) -> u64 {
        let id = draft.id.unwrap_or_else(|| {
            self.last_id += 1;
            self.last_id
        });
        let is_new = draft.id.is_none();
        let record = self.records.entry(id).or_insert_with(|| Record::new(id, draft.kind, now));
        let mut values = draft.values;
        if is_new {
            values.insert("hs_object_source".to_owned(), "INTEGRATION".to_owned());
            values.insert("hs_object_source_id".to_owned(), "4410981".to_owned());
        }
        if draft.kind == Kind::Deals && is_new && values.get("pipeline").is_none_or(String::is_empty) {
            values.insert("pipeline".to_owned(), "default".to_owned());
        }
        let before = record.values.clone();
        record.set(&values);
        if draft.kind == Kind::Deals {
            let stage = |name| record.value(name).unwrap_or_default();
            if let Some((_, closed, won)) = pipeline::stage(stage("pipeline"), stage("dealstage")) {
                record.values.insert("hs_is_closed".to_owned(), closed.to_string());
                record.values.insert("hs_is_closed_won".to_owned(), won.to_string());
            }
        }
        record.touch(now, lag);
        for (name, value) in values {
            if !self.is_key(draft.kind, &name) {
                continue;
            }
            if let Some(old) = before.get(&name).filter(|old| **old != value) {
                self.unique.remove(&(draft.kind, name.clone(), old.clone()));
            }
            if !value.is_empty() {
                self.unique.insert((draft.kind, name, value), id);
            }
        }
        for (other, number) in draft.links {
            self.link(id, other, number);
        }
        id
    }

    /// `POST /crm/objects/{type}`
    pub(super) fn create_one(
        &mut self,
        call: &Call<'_>,
        kind: Kind,
        visit: Visit,
    ) -> Result<Answer, Problem> {
        let body = json_body(call)?;
        let mut draft = self.draft(kind, None, &body["properties"], visit, &mut Taken::new())?;
        draft.links = self.inline_links(kind, &body["associations"])?;
        let id = self.apply(draft, visit.now, visit.lag);
        Ok(Answer::new(201, self.records[&id].shown_whole()))
    }

    /// `PATCH /crm/objects/{type}/{id}`
    pub(super) fn update_one(
        &mut self,
        call: &Call<'_>,
        kind: Kind,
        id: &str,
        visit: Visit,
    ) -> Result<Answer, Problem> {
        let body = json_body(call)?;
        let id = self.named(kind, id, call.query("idProperty"))?;
        let draft = self.draft(kind, Some(id), &body["properties"], visit, &mut Taken::new())?;
        self.apply(draft, visit.now, visit.lag);
        Ok(Answer::new(200, self.records[&id].shown_whole()))
    }

    /// The record that an id, or the value of a property that is unique, stands for.
    pub(super) fn named(&self, kind: Kind, id: &str, by: Option<&str>) -> Result<u64, Problem> {
        let found = match by {
            None | Some("" | "hs_object_id") => id.parse().ok(),
            Some(name) if self.is_key(kind, name) => {
                let value = if name == "email" { id.to_lowercase() } else { id.to_owned() };
                self.unique.get(&(kind, name.to_owned(), value)).copied()
            }
            Some(name) => {
                let message = format!("{name} is not a unique property of {}", kind.plural());
                return Err(Problem::invalid(message));
            }
        };
        let live = found.and_then(|id| self.live(kind, id));
        live.map(|record| record.id).ok_or_else(|| Problem::not_found(id))
    }

    /// Archives a record, if it is there.
    pub(super) fn archive(&mut self, kind: Kind, id: &str, now: Timestamp) {
        let Ok(id) = self.named(kind, id, None) else { return };
        if let Some(record) = self.records.get_mut(&id) {
            record.archived = Some(now);
        }
        self.unique.retain(|_, owner| *owner != id);
    }

    /// `POST /crm/objects/contacts/merge`
    pub(super) fn merge_by_api(&mut self, call: &Call<'_>, visit: Visit) -> Result<Answer, Problem> {
        let body = json_body(call)?;
        let id = |key: &str| {
            let id = body[key].as_str().map(str::to_owned).unwrap_or_else(|| body[key].to_string());
            self.named(Kind::Contacts, &id, None)
        };
        let (winner, loser) = (id("primaryObjectId")?, id("objectIdToMerge")?);
        if winner == loser {
            return Err(Problem::invalid("a contact cannot be merged into itself"));
        }
        self.merge(winner, loser, visit.now, visit.lag);
        Ok(Answer::new(200, self.records[&winner].shown_whole()))
    }

    /// The loser's values fill the winner's gaps, its links move, its ids keep leading to the winner.
    pub(super) fn merge(&mut self, winner: u64, loser: u64, now: Timestamp, lag: SignedDuration) {
        let Some(gone) = self.records.remove(&loser) else { return };
        let Some(record) = self.records.get_mut(&winner) else { return };
        let mut ids = record.value("hs_calculated_merged_vids").unwrap_or_default().to_owned();
        ids = if ids.is_empty() { loser.to_string() } else { format!("{ids};{loser}") };
        let mut emails: Vec<String> = record
            .value("hs_additional_emails")
            .into_iter()
            .flat_map(|it| it.split(';'))
            .map(str::to_owned)
            .collect();
        let theirs = [gone.value("email"), gone.value("hs_additional_emails")];
        if record.value("email").is_some() {
            emails.extend(theirs.into_iter().flatten().flat_map(|it| it.split(';')).map(str::to_owned));
        }
        for (name, value) in &gone.values {
            record.values.entry(name.clone()).or_insert_with(|| value.clone());
        }
        record.values.insert("hs_calculated_merged_vids".to_owned(), ids);
        if !emails.is_empty() {
            record.values.insert("hs_additional_emails".to_owned(), emails.join(";"));
        }
        record.touch(now, lag);
        let values = record.values.clone();
        // An address stays taken as a secondary one; another unique value that the winner has its own of does not.
        self.unique.retain(|(_, name, value), owner| {
            *owner != loser || name == "email" || values.get(name) == Some(value)
        });
        self.unique.values_mut().filter(|owner| **owner == loser).for_each(|owner| *owner = winner);
        self.merged.values_mut().filter(|into| **into == loser).for_each(|into| *into = winner);
        self.merged.insert(loser, winner);
        self.move_links(loser, winner);
    }
}

/// The stage must be one of the pipeline's, and open to be written.
fn staged<'v>(will_be: &impl Fn(&str) -> Option<&'v str>) -> Result<(), Problem> {
    let pipeline = will_be("pipeline").unwrap_or("default");
    let stage = will_be("dealstage").unwrap_or_default();
    let refuse =
        |name: &str, code, message: String| Err(Problem::properties(vec![Detail::new(name, code, message)]));
    if !pipeline::is_pipeline(pipeline) {
        return refuse("pipeline", "INVALID_OPTION", format!("{pipeline} is not a pipeline of deals"));
    }
    match pipeline::stage(pipeline, stage) {
        None => {
            refuse("dealstage", "INVALID_OPTION", format!("{stage} is not a stage of pipeline {pipeline}"))
        }
        Some((false, ..)) => {
            refuse("dealstage", "READ_ONLY_VALUE", format!("stage {stage} may not be written to"))
        }
        Some(_) => Ok(()),
    }
}

/// The body of a request that must have one.
pub(super) fn json_body(call: &Call<'_>) -> Result<Value, Problem> {
    let body = call.json().filter(Value::is_object);
    body.ok_or_else(|| Problem::invalid("Invalid input JSON: the body is not a JSON object"))
}
