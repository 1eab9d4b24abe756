//! `POST /crm/objects/{type}/batch/{create,read,update,upsert,archive}`: up to 100 records at once.
//!
//! Every input is checked before any is applied. Where each has an `objectWriteTraceId`, those that are fine
//! are written and the others told apart by it (207); where not, one fault refuses all.

use super::kind::Kind;
use super::problem::Problem;
use super::read::properties_asked;
use super::schema::nothing_here;
use super::write::{Draft, Taken, json_body};
use super::{HubSpot, Visit};
use crate::call::{Answer, Call};
use serde_json::{Value, json};
use std::collections::HashSet;

/// The most inputs of a batch.
const MOST_INPUTS: usize = 100;

/// What a write does with each input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Create,
    Update,
    Upsert,
}

impl HubSpot {
    pub(super) fn batch(
        &mut self,
        call: &Call<'_>,
        kind: Kind,
        verb: &str,
        visit: Visit,
    ) -> Result<Answer, Problem> {
        let body = json_body(call)?;
        let missing = || Problem::invalid("Invalid input JSON: some required fields were not set: [inputs]");
        let inputs = body["inputs"].as_array().ok_or_else(missing)?;
        if inputs.is_empty() || inputs.len() > MOST_INPUTS {
            let message = format!("{} inputs; between 1 and {MOST_INPUTS} are allowed", inputs.len());
            return Err(Problem::invalid(message));
        }
        match verb {
            "create" => self.write_all(Verb::Create, kind, inputs, visit),
            "update" => self.write_all(Verb::Update, kind, inputs, visit),
            "upsert" => self.write_all(Verb::Upsert, kind, inputs, visit),
            "read" => self.read_all(call, kind, &body, inputs, visit),
            "archive" => {
                for id in inputs.iter().filter_map(|input| input["id"].as_str()) {
                    self.archive(kind, id, visit.now);
                }
                Ok(Answer::empty())
            }
            _ => Err(nothing_here()),
        }
    }

    fn write_all(
        &mut self,
        verb: Verb,
        kind: Kind,
        inputs: &[Value],
        visit: Visit,
    ) -> Result<Answer, Problem> {
        once_each(verb, inputs)?;
        let traced = inputs.iter().all(|input| input["objectWriteTraceId"].is_string());
        let by_email = verb == Verb::Upsert && inputs.iter().any(|input| input["idProperty"] == "email");
        let mut taken = Taken::new();
        let (mut drafts, mut errors) = (Vec::new(), Vec::new());
        for input in inputs {
            match self.input(verb, kind, input, visit, &mut taken) {
                Ok(draft) => drafts.push((draft, input["objectWriteTraceId"].clone())),
                Err(problem) => {
                    let alone = problem.status == 404 || (traced && problem.status == 400);
                    if by_email || !alone {
                        return Err(problem);
                    }
                    let trace = input["objectWriteTraceId"].as_str();
                    let context = trace.map(|trace| ("objectWriteTraceId", vec![trace.to_owned()]));
                    errors.push(problem.item(visit.legacy, context.into_iter().collect()));
                }
            }
        }
        let mut results: Vec<(u64, Value)> = Vec::new();
        for (draft, trace) in drafts {
            let is_new = draft.id.is_none();
            let id = self.apply(draft, visit.now, visit.lag);
            let mut shown = self.records[&id].shown_whole();
            if verb == Verb::Upsert {
                shown["new"] = json!(is_new);
            }
            if trace.is_string() {
                shown["objectWriteTraceId"] = trace;
            }
            results.push((id, shown));
        }
        results.sort_by_key(|(id, _)| *id);
        let results = results.into_iter().map(|(_, shown)| shown).collect();
        let done = if verb == Verb::Create { 201 } else { 200 };
        Ok(complete(done, results, errors, visit))
    }

    fn input(
        &self,
        verb: Verb,
        kind: Kind,
        input: &Value,
        visit: Visit,
        taken: &mut Taken,
    ) -> Result<Draft, Problem> {
        let by = input["idProperty"].as_str();
        let id =
            || input["id"].as_str().ok_or_else(|| Problem::invalid("every input needs an id, as a string"));
        let mut properties = input["properties"].clone();
        let at = match verb {
            Verb::Create => None,
            Verb::Update => {
                Some(self.named(kind, id()?, by).map_err(|problem| vanished(problem, kind, input))?)
            }
            Verb::Upsert => match self.named(kind, id()?, by) {
                Ok(at) => Some(at),
                Err(problem) if problem.status == 404 && by.is_some() => None,
                Err(problem) => return Err(vanished(problem, kind, input)),
            },
        };
        if let (Verb::Upsert, Some(by)) = (verb, by) {
            if by == "email" && properties["email"].as_str().is_none() {
                let message =
                    "Partial upserts are not supported when the idProperty is email: send every property";
                return Err(Problem::invalid(message));
            }
            // What it was looked for by is what it is found by next time.
            if at.is_none() && properties.is_object() && properties[by].is_null() {
                properties[by] = input["id"].clone();
            }
        }
        let mut draft = self.draft(kind, at, &properties, visit, taken)?;
        if verb == Verb::Create {
            draft.links = self.inline_links(kind, &input["associations"])?;
        }
        Ok(draft)
    }

    fn read_all(
        &self,
        call: &Call<'_>,
        kind: Kind,
        body: &Value,
        inputs: &[Value],
        visit: Visit,
    ) -> Result<Answer, Problem> {
        let properties = properties_asked(kind, body);
        let by = body["idProperty"].as_str();
        let archived = call.told("archived");
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        for input in inputs {
            let id = input["id"]
                .as_str()
                .ok_or_else(|| Problem::invalid("every input needs an id, as a string"))?;
            match self.named(kind, id, by) {
                Ok(at) if !archived => found.push(at),
                Err(problem) if problem.status != 404 => return Err(problem),
                _ => missing.push(id.to_owned()),
            }
        }
        found.sort_unstable();
        found.dedup();
        let results = found.iter().map(|id| self.records[id].shown(&properties)).collect();
        let errors = if missing.is_empty() {
            Vec::new()
        } else {
            vec![absent(kind, missing).item(visit.legacy, vec![])]
        };
        Ok(complete(200, results, errors, visit))
    }
}

/// Two inputs for one record are a fault of the caller.
fn once_each(verb: Verb, inputs: &[Value]) -> Result<(), Problem> {
    let mut seen = HashSet::new();
    let key = |input: &Value| (input["idProperty"].to_string(), input["id"].to_string());
    match inputs.iter().find(|input| verb != Verb::Create && !seen.insert(key(input))) {
        Some(input) => {
            let message =
                format!("Duplicate IDs found in batch input: [{}]. IDs must be unique", input["id"]);
            Err(Problem::invalid(message))
        }
        None => Ok(()),
    }
}

fn vanished(problem: Problem, kind: Kind, input: &Value) -> Problem {
    if problem.status != 404 {
        return problem;
    }
    absent(kind, vec![input["id"].as_str().unwrap_or_default().to_owned()])
}

fn absent(kind: Kind, ids: Vec<String>) -> Problem {
    let message = format!(
        "Could not get some {} objects, they may be deleted or not exist. Check that ids are valid.",
        kind.singular().to_uppercase()
    );
    Problem { context: vec![("ids", ids)], ..Problem::new(404, "OBJECT_NOT_FOUND", message) }
}

/// The answer to a batch: `done`, or 207 where some of it was refused.
pub(super) fn complete(done: u16, results: Vec<Value>, errors: Vec<Value>, visit: Visit) -> Answer {
    let mut body = json!({
        "status": "COMPLETE", "results": results, "startedAt": visit.now, "completedAt": visit.now,
    });
    if errors.is_empty() {
        return Answer::new(done, body);
    }
    body["numErrors"] = json!(errors.len());
    body["errors"] = json!(errors);
    Answer::new(207, body)
}
