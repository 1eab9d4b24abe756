//! HubSpot: contacts, deals, communications, notes, tasks, their properties, pipelines and links.
//!
//! Paths of the date versions `2026-03` and `2026-09` and of `v3`/`v4` lead to the same account. What HubSpot
//! does beyond its documentation is settled so, and an adapter must not lean on it:
//!
//! - search lags by `search_lag_seconds`, 0 until set; HubSpot says "a few moments";
//! - rules of the customer (`require`) hold for paths of `2026-09` and later alone, as HubSpot announced;
//! - a value that another record has in a unique property is 409 for an e-mail address, with the id in the
//!   message, and 400 `CONFLICTING_UNIQUE_VALUE` for a property of the customer's own;
//! - in a batch, items that are refused answer 207 only where each input has an `objectWriteTraceId`;
//!   otherwise nothing is written. Records that do not exist always answer 207. A duplicate fails a
//!   `batch/create` as a whole, any fault fails an upsert by e-mail as a whole;
//! - results of a batch come in the order of ids, not of the inputs;
//! - `lifecyclestage` set backwards is answered 200 and stays;
//! - times of the account are +05:30: the daily count starts again at its midnight.

mod association;
mod batch;
mod change;
mod kind;
mod limit;
mod pipeline;
mod problem;
mod property;
mod read;
mod record;
mod schema;
mod search;
mod write;

use crate::Simulator;
use crate::call::{Answer, Call};
use crate::control::{Change, Reshape};
use crate::crm::{Activity, Books, Crm, Deal, Notice, Person, Refusal, Settings};
use jiff::Timestamp;
use kind::Kind;
use limit::Meter;
use problem::Problem;
use record::Record;
use schema::{Schema, nothing_here, unknown_object};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};

/// The account.
const PORTAL: u64 = 24_681_012;

/// The one token that is good.
const TOKEN: &str = "pat-na1-5f0c1d8e-0000-4000-8000-3b9a6c7d2e41";

/// What change notices are signed with.
const CLIENT_SECRET: &str = "7b1f0c52-0000-4000-8000-9d4e8a6f3c20";

/// A simulated HubSpot account, with nobody in it.
#[must_use]
pub fn simulator() -> Simulator {
    Simulator::new("hubspot", Box::new(HubSpot::new()))
}

/// The account, with its records.
struct HubSpot {
    schema: Schema,
    records: BTreeMap<u64, Record>,
    /// Contacts that were merged away, and into which.
    merged: BTreeMap<u64, u64>,
    /// Who has a value of a property that is unique.
    unique: HashMap<(Kind, String, String), u64>,
    /// Links by their two ends, in both directions, with their types.
    links: BTreeMap<(u64, u64), Vec<u64>>,
    meter: Meter,
    last_id: u64,
    /// For correlation and event ids: counted, so that equal runs are equal.
    answers: u64,
    events: u64,
}

/// Of one request: how its path speaks, and when it came.
#[derive(Debug, Clone, Copy)]
struct Visit {
    /// A path of `v3` or `v4`.
    legacy: bool,
    /// The rules of the customer hold.
    ruled: bool,
    now: Timestamp,
    lag: jiff::SignedDuration,
}

impl HubSpot {
    fn new() -> HubSpot {
        HubSpot {
            schema: Schema::new(),
            records: BTreeMap::new(),
            merged: BTreeMap::new(),
            unique: HashMap::new(),
            links: BTreeMap::new(),
            meter: Meter::default(),
            last_id: 50_100,
            answers: 0,
            events: 0,
        }
    }

    fn correlation(&mut self) -> String {
        self.answers += 1;
        format!("{:08x}-5e1d-4c0a-9b7e-{:012x}", PORTAL, self.answers)
    }

    /// The id that a record has now: the winner's, where it was merged away.
    fn resolve(&self, id: u64) -> u64 {
        self.merged.get(&id).copied().unwrap_or(id)
    }

    /// A record of an object that is not archived.
    fn live(&self, kind: Kind, id: u64) -> Option<&Record> {
        let record = self.records.get(&self.resolve(id))?;
        (record.kind == kind && record.archived.is_none()).then_some(record)
    }

    fn route(
        &mut self,
        call: &Call<'_>,
        path: &[&str],
        visit: Visit,
        settings: &Settings,
    ) -> Result<Answer, Problem> {
        match path {
            ["crm", "objects", name, rest @ ..] => {
                let kind = Kind::find(name).ok_or_else(|| unknown_object(name))?;
                self.objects(call, kind, rest, visit)
            }
            ["crm", "associations", from, to, rest @ ..] => {
                let from = Kind::find(from).ok_or_else(|| unknown_object(from))?;
                let to = Kind::find(to).ok_or_else(|| unknown_object(to))?;
                self.batch_associations(call, (from, to), rest, visit)
            }
            ["crm", "properties", rest @ ..] => self.properties(call, rest),
            ["crm", "property-validations", _] if call.method == "GET" => {
                Ok(Answer::new(200, json!({ "results": [] })))
            }
            ["crm", "pipelines", rest @ ..] if call.method == "GET" => pipeline::answer(rest),
            ["crm", "owners", rest @ ..] if call.method == "GET" => pipeline::owners(call, rest),
            ["account-info", "details"] if call.method == "GET" => Ok(Answer::new(200, account())),
            ["account-info", "api-usage", "daily", "private-apps"] if call.method == "GET" => {
                Ok(Answer::new(200, limit::usage(settings, visit.now)))
            }
            _ => Err(nothing_here()),
        }
    }

    fn objects(
        &mut self,
        call: &Call<'_>,
        kind: Kind,
        path: &[&str],
        visit: Visit,
    ) -> Result<Answer, Problem> {
        match (call.method, path) {
            ("GET", []) => self.list(call, kind),
            ("POST", []) => self.create_one(call, kind, visit),
            ("POST", ["search"]) => self.search(call, kind, visit),
            ("POST", ["merge"]) if kind == Kind::Contacts => self.merge_by_api(call, visit),
            ("POST", ["batch", verb]) => self.batch(call, kind, verb, visit),
            ("GET", [id]) => self.read_one(call, kind, id),
            ("PATCH", [id]) => self.update_one(call, kind, id, visit),
            ("DELETE", [id]) => {
                self.archive(kind, id, visit.now);
                Ok(Answer::empty())
            }
            (_, [id, "associations", rest @ ..]) => self.associations(call, kind, id, rest, visit),
            _ => Err(nothing_here()),
        }
    }
}

/// The path without its version, and how that version speaks; `None` where there is no such version.
fn versioned<'p>(path: &[&'p str], now: Timestamp, settings: &Settings) -> Option<(Vec<&'p str>, Visit)> {
    let visit = |legacy, ruled| Visit { legacy, ruled, now, lag: settings.search_lag };
    let known = |segment: &str| match segment {
        "v3" | "v4" => Some(visit(true, false)),
        "2026-03" => Some(visit(false, false)),
        "2026-09" => Some(visit(false, true)),
        _ => None,
    };
    let (at, visit) = path.iter().enumerate().take(3).find_map(|(at, it)| Some((at, known(it)?)))?;
    let mut rest = path.to_vec();
    rest.remove(at);
    Some((rest, visit))
}

fn account() -> Value {
    json!({
        "portalId": PORTAL, "accountType": "STANDARD", "timezone": "Asia/Kolkata", "timeZone": "Asia/Kolkata",
        "companyCurrency": "INR", "additionalCurrencies": [], "utcOffset": "+05:30",
        "utcOffsetMilliseconds": 19_800_000, "uiDomain": "app.hubspot.com", "dataHostingLocation": "na1",
    })
}

impl Crm for HubSpot {
    fn answer(&mut self, call: &Call<'_>, settings: &mut Settings, now: Timestamp) -> Answer {
        let correlation = self.correlation();
        let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
        let searches = call.method == "POST" && path.last() == Some(&"search");
        let (path, visit) = versioned(&path, now, settings).unwrap_or_else(|| {
            (Vec::new(), Visit { legacy: true, ruled: false, now, lag: settings.search_lag })
        });
        let outcome = limit::proven(call, settings, now)
            .and_then(|()| self.meter.admit(searches, settings, now))
            .and_then(|()| self.route(call, &path, visit, settings));
        let known = !matches!(&outcome, Err(problem) if problem.status == 401);
        let mut answer = outcome.unwrap_or_else(|problem| problem.answer(visit.legacy, &correlation));
        answer.header("x-hubspot-correlation-id", &correlation);
        if searches {
            answer.header("x-hubspot-rate-limit-exemptions", "ten-secondly");
        } else if known {
            self.meter.tell(&mut answer, settings);
        }
        answer
    }

    fn records(&self, call: &Call<'_>, answer: &Answer) -> usize {
        let inputs = call.json().and_then(|body| body["inputs"].as_array().map(Vec::len));
        let results = || answer.body.as_ref().and_then(|body| body["results"].as_array().map(Vec::len));
        let objects = call.path.iter().take(3).any(|segment| segment == "objects");
        inputs.unwrap_or_else(|| if objects { results().unwrap_or(1) } else { 0 })
    }

    fn refuse(&mut self, refusal: &Refusal) -> Answer {
        let correlation = self.correlation();
        match refusal {
            Refusal::Broken => Problem::new(500, "", "internal error").answer(false, &correlation),
            Refusal::Throttled(seconds) => {
                let mut answer = limit::burst().answer(false, &correlation);
                if let Some(seconds) = seconds {
                    answer.header("retry-after", seconds);
                }
                answer
            }
        }
    }

    fn books(&self) -> Books {
        let mut books = Books::default();
        for record in self.records.values().filter(|record| record.archived.is_none()) {
            let id = record.id.to_string();
            let fields = record.values.clone();
            let text = |name: &str| record.value(name).map(str::to_owned);
            let person_id = || self.linked(record.id, Kind::Contacts).first().map(|(id, _)| id.to_string());
            match record.kind {
                Kind::Contacts => books.persons.push(Person {
                    id,
                    kind: "contact".to_owned(),
                    phone: text("phone").or_else(|| text("mobilephone")),
                    email: text("email"),
                    fields,
                }),
                Kind::Deals => books.deals.push(Deal {
                    id,
                    person_id: person_id(),
                    pipeline: text("pipeline").unwrap_or_default(),
                    stage: text("dealstage").unwrap_or_default(),
                    fields,
                }),
                Kind::Communications | Kind::Notes => {
                    let bodies = ["hs_communication_body", "hs_note_body"];
                    let text = bodies.into_iter().find_map(text).unwrap_or_default();
                    books.activities.push(Activity { id, person_id: person_id(), text, fields });
                }
                Kind::Tasks => {
                    let text = text("hs_task_body").unwrap_or_default();
                    books.tasks.push(Activity { id, person_id: person_id(), text, fields });
                }
            }
        }
        books
    }

    fn change(
        &mut self,
        change: &Change,
        settings: &Settings,
        now: Timestamp,
    ) -> Result<Vec<Notice>, String> {
        let visit = Visit { legacy: false, ruled: true, now, lag: settings.search_lag };
        self.edited(change, visit)
    }

    fn reshape(&mut self, schema: &Reshape) -> Result<(), String> {
        self.schema.reshape(schema)
    }

    fn target(&self) -> Value {
        json!({
            "name": "hubspot", "crm": "hubspot", "person": "contact", "key_field": "wa_e164",
            "auth": { "token": TOKEN },
            "fields": {
                "phone": { "from": "phone", "write": "if_empty" },
                "email": { "from": "email", "write": "if_empty" },
                "lastname": { "from": "name.last", "default": "WhatsApp lead", "write": "if_empty" },
                "wa_source": "source",
                "ctwa_clid": "attribution.last.ctwa_clid",
                "ad_id": "attribution.last.ad_id",
                "last_inbound_at": "window.last_inbound_at",
            },
        })
    }

    fn notice_secret(&self) -> &'static str {
        CLIENT_SECRET
    }
}
