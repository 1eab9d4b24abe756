//! What else is known of a phone, asked of the configured hook before the person is written.
//!
//! In: bundles whose person is about to be written. Out: the same, with the hook's values where `enrichment.<key>` is
//! mapped. It is asked once in a while for each lead, and of nobody who is held. Whatever goes wrong, the person is
//! written without, and the hook is asked again when they write next. Answers are in memory alone: nothing is kept of a
//! person that the operator's own system knows better.

use super::Setup;
use super::dossier::refused;
use super::side::{Ask, Side};
use super::watch::Known as Schema;
use super::work::Work;
use crate::clock::Clock;
use crate::config::Enrichment;
use crate::telemetry::metrics::Metrics;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use wabridge_crms::mapping::{Datum, Facts, Path};
use wabridge_model::id::LeadId;

/// Leads whose answer is remembered.
const KEPT: usize = 10_000;
/// A hook that gave no answer for a lead is asked again after so long.
const AGAIN: Duration = Duration::from_secs(900);
/// Values of one answer, how deep they lie, and how long a text may be.
const VALUES: usize = 200;
const DEEPEST: usize = 4;
const TEXT: usize = 2_000;

/// The hook, as one courier asks it.
pub(super) struct Enrichments {
    side: Side,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// Until when an answer is good; none, where the hook gave none.
    answers: BTreeMap<LeadId, (Duration, Option<Arc<Answer>>)>,
    oldest: VecDeque<LeadId>,
}

/// The values of one answer, by key.
#[derive(Debug, Default, PartialEq)]
struct Answer(BTreeMap<String, Datum>);

impl Facts for Answer {
    fn get(&self, path: &Path) -> Option<Datum> {
        path.argument().filter(|_| path.is_enrichment()).and_then(|key| self.0.get(key).cloned())
    }
}

impl Known {
    fn fresh(&self, lead: LeadId, now: Duration) -> Option<Option<Arc<Answer>>> {
        self.answers.get(&lead).filter(|(until, _)| now < *until).map(|(_, answer)| answer.clone())
    }

    fn keep(&mut self, lead: LeadId, until: Duration, answer: Option<Arc<Answer>>) {
        if self.answers.insert(lead, (until, answer)).is_none() {
            self.oldest.push_back(lead);
        }
        if let Some(oldest) = self.oldest.pop_front_if(|_| self.answers.len() > KEPT) {
            self.answers.remove(&oldest);
        }
    }
}

impl Default for Enrichments {
    fn default() -> Enrichments {
        Enrichments { side: Side::new("enrichment"), known: Mutex::default() }
    }
}

impl Enrichments {
    /// Puts the hook's values beside those that are about to be written.
    pub(super) async fn fill(
        &self,
        config: &Enrichment,
        (setup, schema): (&Setup, &Schema),
        works: &mut [Work],
        clock: &dyn Clock,
        metrics: &Metrics,
    ) {
        let mut open: Vec<(usize, Ask)> = Vec::new();
        for (at, work) in works.iter_mut().enumerate() {
            let Some(phone) = phone_of(work) else { continue };
            let fresh = self.known().fresh(work.leased.lead, clock.elapsed());
            match fresh {
                Some(answer) => {
                    metrics.enriched("remembered");
                    put(work, answer.as_deref(), setup, schema);
                }
                None => open.push((at, self.request(config, &phone))),
            }
        }
        for (at, answer) in self.side.ask(open, config.timeout, clock, read).await {
            metrics.enriched(answer.as_ref().err().unwrap_or(&"used"));
            let work = &mut works[at];
            let (lead, now) = (work.leased.lead, clock.elapsed());
            let (answer, good_for) = match answer {
                Ok(answer) => (Some(Arc::new(answer)), config.refresh),
                // What was known before is better than nothing.
                Err(_) => (self.known().answers.get(&lead).and_then(|(_, before)| before.clone()), AGAIN),
            };
            put(work, answer.as_deref(), setup, schema);
            self.known().keep(lead, now + good_for, answer);
        }
    }

    fn request(&self, config: &Enrichment, phone: &str) -> Ask {
        let request = self.side.post(config.url.clone(), config.timeout);
        let request = match &config.token {
            Some(token) => request.bearer_auth(token.resolve().map_err(|_| "no_token")?.expose_secret()),
            None => request,
        };
        Ok(request.json(&json!({ "phone": phone })))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The phone of who is about to be written.
fn phone_of(work: &Work) -> Option<String> {
    let phone = work.dossier.as_ref()?.who.phone.as_ref()?;
    work.open_person().map(|_| phone.e164().to_owned())
}

/// The mapped values of an answer take the place of defaults; those that the CRM's fields do not take are left out.
/// Without an answer a default is for new records: where there is one, it may hold what was answered before.
fn put(work: &mut Work, answer: Option<&Answer>, setup: &Setup, schema: &Schema) {
    let is_there = work.row.is_some();
    let Some(dossier) = &mut work.dossier else { return };
    let asked = setup.target.fields.iter().filter(|it| it.is_enrichment());
    let Some(answer) = answer else {
        asked.filter(|_| is_there).for_each(|it| drop(dossier.values.remove(&it.field)));
        return;
    };
    let values: BTreeMap<String, Datum> =
        asked.filter_map(|it| Some((it.field.clone(), it.value(answer)?))).collect();
    dossier.missing.extend(refused(&schema.schema, setup.target.person, &values));
    dossier.values.extend(values);
}

/// What a hook answered; that it knows nobody, as 404, is an answer.
fn read(status: u16, body: &[u8]) -> Result<Answer, &'static str> {
    match status {
        404 => return Ok(Answer::default()),
        200..300 => {}
        _ => return Err("refused"),
    }
    let body: Value = serde_json::from_slice(body).map_err(|_| "unreadable")?;
    if !body.is_object() {
        return Err("unreadable");
    }
    let mut values = BTreeMap::new();
    collect(&mut values, "", &body, DEEPEST);
    Ok(Answer(values))
}

/// Values by their keys, those within others with points between: `company.size`.
fn collect(values: &mut BTreeMap<String, Datum>, key: &str, value: &Value, depth: usize) {
    let text = |text: &str| text.chars().take(TEXT).collect::<String>();
    let datum = match value {
        Value::Object(parts) if depth > 0 => {
            for (name, part) in parts {
                let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                collect(values, &key, part, depth - 1);
            }
            return;
        }
        Value::String(value) => Datum::Text(text(value)),
        Value::Number(number) => Datum::Number(number.to_string()),
        Value::Bool(truth) => Datum::Truth(*truth),
        Value::Array(list) => Datum::Texts(list.iter().filter_map(Value::as_str).map(text).collect()),
        Value::Null | Value::Object(_) => return,
    };
    if values.len() < VALUES {
        values.insert(key.to_owned(), datum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_by_its_keys_and_within_bounds() {
        let body = json!({
            "tier": "gold", "score": 7.5, "vip": true, "tags": ["a", "b"], "nothing": null,
            "company": {"size": "11-50", "a": {"b": {"c": {"d": "too deep"}}}},
        });
        let read_body = |body: &Value| read(200, body.to_string().as_bytes());
        let Answer(values) = read_body(&body).unwrap();
        let expected = [
            ("company.size", Datum::Text("11-50".to_owned())),
            ("score", Datum::Number("7.5".to_owned())),
            ("tags", Datum::Texts(vec!["a".to_owned(), "b".to_owned()])),
            ("tier", Datum::Text("gold".to_owned())),
            ("vip", Datum::Truth(true)),
        ];
        assert_eq!(values, expected.map(|(key, datum)| (key.to_owned(), datum)).into());
        let long = read_body(&json!({"note": "नम".repeat(2_000)})).unwrap();
        assert!(matches!(&long.0["note"], Datum::Text(text) if text.chars().count() == TEXT));
        let many: serde_json::Map<String, Value> = (0..500).map(|n| (n.to_string(), json!(n))).collect();
        assert_eq!(read_body(&Value::Object(many)).unwrap().0.len(), VALUES);
        assert_eq!(read(404, b"nobody"), Ok(Answer::default()));
        assert_eq!(read(500, b"{}"), Err("refused"));
        assert_eq!(read(200, b"[1]"), Err("unreadable"));
        assert_eq!(read(200, b"<html>"), Err("unreadable"));
    }
}
