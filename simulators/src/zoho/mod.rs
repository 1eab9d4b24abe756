//! Zoho CRM: leads, contacts, accounts, deals, notes, tasks, events and calls, their fields, layouts and
//! pipelines, and the accounts host's tokens. Version 8 of the API, in one account with Enterprise credits.
//!
//! Where the facts leave it open, it is settled so, and an adapter must not lean on it:
//!
//! - search and COQL lag by `search_lag_seconds`, 0 until set; all other reads do not;
//! - a request whose records are all refused answers 202, as Zoho's own description of version 8 has it for
//!   notes and conversions; integrators also saw 400. With some of them refused it is 207;
//! - a converted lead is 204 to reads, lists and searches that do not ask for `converted`, and what it became
//!   is told by a read of it alone. It cannot be written to (`CONVERTED_RECORD`), and nothing can be added below;
//! - a record that was merged away is deleted: its id leads nowhere;
//! - picklists take what is in them alone, and a number is no text;
//! - too many requests are one code, `TOO_MANY_REQUESTS`, without a time to wait. There are credits; calls at
//!   the same time are not counted, `_fate` refuses them (`reject_429`);
//! - composite and bulk requests, `actions/watch`, timelines, and headers such as `X-EXTERNAL` are left out.
//!
//! The ledger's `automations` count how often workflows ran for a record: where a write has no `trigger`, or one
//! that names them.

mod account;
mod change;
mod coql;
mod field;
mod limit;
mod module;
mod problem;
mod query;
mod read;
mod record;
mod schema;
mod search;
mod token;
mod tokens;
mod write;

use crate::Simulator;
use crate::call::{Answer, Call};
use crate::control::{Change, Reshape};
use crate::crm::{Activity, Automation, Books, Crm, Deal, Notice, Person, Refusal, Settings};
use crate::ours;
use crate::time::zone;
use jiff::{SignedDuration, Timestamp};
use limit::Credits;
use module::Module;
use problem::Problem;
use record::Record;
use schema::Schema;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use tokens::Tokens;

/// The account: other ids are counted from here.
const ORG: u64 = 4_876_876_000_000_000_000;

/// What change notices carry.
const NOTICE_TOKEN: &str = "wabridge.people.3b9a6c7d2e41";

/// A simulated Zoho CRM account, with nobody in it.
#[must_use]
pub fn simulator() -> Simulator {
    Simulator::new("zoho", Box::new(Zoho::new()))
}

/// The account, with its records.
struct Zoho {
    schema: Schema,
    records: BTreeMap<u64, Record>,
    of_module: BTreeMap<Module, BTreeSet<u64>>,
    /// Who has a value of a field that tells records apart.
    holders: HashMap<(Module, String, String), BTreeSet<u64>>,
    /// How often automation ran for a record: because it was made, because it was changed.
    automations: BTreeMap<u64, (u64, u64)>,
    tokens: Tokens,
    credits: Credits,
    last_id: u64,
}

/// Of one request: when it came, and how far search is behind.
#[derive(Debug, Clone, Copy)]
struct Visit {
    now: Timestamp,
    lag: SignedDuration,
}

impl Zoho {
    fn new() -> Zoho {
        Zoho {
            schema: Schema::new(),
            records: BTreeMap::new(),
            of_module: BTreeMap::new(),
            holders: HashMap::new(),
            automations: BTreeMap::new(),
            tokens: Tokens::new(),
            credits: Credits::default(),
            last_id: ORG + 500_000,
        }
    }

    /// The id of a record of a module, if it is there and, as a lead, not converted.
    fn live(&self, module: Module, id: u64) -> Option<u64> {
        let record = self.records.get(&id)?;
        (record.module == module && record.is_live()).then_some(id)
    }

    fn route(&mut self, call: &Call<'_>, path: &[&str], visit: &Visit) -> Result<Answer, Problem> {
        match (call.method, path) {
            ("POST", ["coql"]) => self.query(call, visit),
            (_, ["settings", "fields", rest @ ..]) => self.fields(call, rest),
            ("GET", ["settings", "layouts", rest @ ..]) => self.layouts(call, rest),
            ("GET", ["settings", "pipeline", rest @ ..]) => account::pipelines(call, rest),
            ("GET", ["settings", "modules"]) => Ok(account::modules()),
            ("GET", ["org"]) => Ok(account::org()),
            ("GET", ["users", rest @ ..]) => account::users(call, rest),
            (_, ["coql" | "settings" | "org" | "users", ..]) => Err(Problem::wrong_method()),
            (_, [name, rest @ ..]) => {
                let module = Module::find(name).ok_or_else(Problem::no_module)?;
                self.of(call, module, rest, visit)
            }
            (_, []) => Err(Problem::nothing_here()),
        }
    }

    /// `/crm/v8/{module}...`
    fn of(
        &mut self,
        call: &Call<'_>,
        module: Module,
        path: &[&str],
        visit: &Visit,
    ) -> Result<Answer, Problem> {
        match (call.method, path) {
            ("GET", []) => self.list(call, module, visit),
            ("POST", []) => self.create(call, module, visit),
            ("PUT", []) => self.update(call, module, None, visit),
            ("DELETE", []) => self.remove(&call.list("ids"), module),
            ("GET", ["search"]) => self.search(call, module, visit),
            ("POST", ["upsert"]) => self.upsert(call, module, visit),
            ("GET", [id]) => self.read_one(call, module, id),
            ("PUT", [id]) => self.update(call, module, Some(id), visit),
            ("DELETE", [id]) => self.remove(&[(*id).to_owned()], module),
            ("GET", [id, list]) => self.related(call, (module, id), list, visit),
            ("POST", [id, "Notes"]) => self.create_below(call, (module, id), Module::Notes, visit),
            (_, [] | [_] | [_, _]) => Err(Problem::wrong_method()),
            _ => Err(Problem::nothing_here()),
        }
    }

    fn api(&mut self, call: &Call<'_>, path: &[&str], settings: &mut Settings, now: Timestamp) -> Answer {
        let ["crm", version, rest @ ..] = path else { return Problem::nothing_here().answer() };
        if *version != "v8" {
            let message = "API is not supported in this version";
            let details = json!({"supported_version": 8});
            return Problem::new(400, "API_NOT_SUPPORTED", message).with(details).answer();
        }
        if let Err(problem) = self.tokens.proven(call, rest, settings, now) {
            return problem.answer();
        }
        let visit = Visit { now, lag: settings.search_lag };
        let admitted = self.credits.admit(call, settings, now);
        let mut answer =
            admitted.and_then(|()| self.route(call, rest, &visit)).unwrap_or_else(|problem| problem.answer());
        self.credits.tell(&mut answer, settings);
        answer
    }

    /// The person that an activity or a deal is with.
    fn person_of(record: &Record) -> Option<String> {
        let links: &[&str] = match record.module {
            Module::Deals => &["Contact_Name"],
            _ => &["Parent_Id", "Who_Id", "What_Id"],
        };
        links.iter().find_map(|name| record.text(name)).map(str::to_owned)
    }
}

/// A time as Zoho writes it.
fn stamp(at: Timestamp) -> String {
    at.to_zoned(zone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

/// The host that a request was sent to: what the accounts host says the API's is.
fn host(call: &Call<'_>) -> String {
    call.header("host").map_or_else(|| "https://www.zohoapis.in".to_owned(), |host| format!("http://{host}"))
}

/// A value as the ledger shows it.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

impl Crm for Zoho {
    fn answer(&mut self, call: &Call<'_>, settings: &mut Settings, now: Timestamp) -> Answer {
        let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
        match path.as_slice() {
            ["oauth", "v2", rest @ ..] => self.tokens.answer(call, rest, settings, now),
            path => self.api(call, path, settings, now),
        }
    }

    fn records(&self, call: &Call<'_>, answer: &Answer) -> usize {
        limit::records(call, answer)
    }

    fn refuse(&mut self, refusal: &Refusal) -> Answer {
        match refusal {
            Refusal::Broken => {
                Problem::new(500, "INTERNAL_ERROR", "Internal server error occurred.").answer()
            }
            // Whatever was to be waited: Zoho does not say.
            Refusal::Throttled(_) => limit::throttled("too many requests fired at the same time").answer(),
        }
    }

    fn books(&self) -> Books {
        let mut books = Books::default();
        for record in self.records.values().filter(|record| record.is_live()) {
            let id = record.id.to_string();
            let fields = record.values.iter().map(|(name, value)| (name.clone(), plain(value))).collect();
            let text = |name: &str| record.text(name).map(str::to_owned);
            match record.module {
                Module::Leads | Module::Contacts => books.persons.push(Person {
                    id,
                    kind: record.module.kind(),
                    phone: text("Phone").or_else(|| text("Mobile")),
                    email: text("Email"),
                    fields,
                }),
                Module::Deals => books.deals.push(Deal {
                    id,
                    person_id: Zoho::person_of(record),
                    pipeline: text("Pipeline").unwrap_or_default(),
                    stage: text("Stage").unwrap_or_default(),
                    fields,
                }),
                Module::Accounts => {}
                Module::Notes | Module::Tasks | Module::Events | Module::Calls => {
                    let texts = ["Note_Content", "Description", "Subject", "Event_Title"];
                    let text = texts.into_iter().find_map(text).unwrap_or_default();
                    let activity = Activity { id, person_id: Zoho::person_of(record), text, fields };
                    let is_task = record.module == Module::Tasks;
                    let list = if is_task { &mut books.tasks } else { &mut books.activities };
                    list.push(activity);
                }
            }
        }
        let automation = |(id, (created, edited)): (&u64, &(u64, u64))| Automation {
            record_id: id.to_string(),
            kind: self.records.get(id).map(|record| record.module.kind()).unwrap_or_default(),
            created: *created,
            edited: *edited,
        };
        books.automations = self.automations.iter().map(automation).collect();
        books
    }

    fn change(
        &mut self,
        change: &Change,
        settings: &Settings,
        now: Timestamp,
    ) -> Result<Vec<Notice>, String> {
        self.edited(change, &Visit { now, lag: settings.search_lag })
    }

    fn reshape(&mut self, schema: &Reshape) -> Result<(), String> {
        self.schema.reshape(schema)
    }

    fn target(&self) -> Value {
        json!({
            "name": "zoho", "crm": "zoho", "person": "lead", "key_field": ours::KEY,
            "auth": { "token": tokens::TOKEN },
            "fields": {
                "Phone": { "from": "phone", "write": "if_empty" },
                "Email": { "from": "email", "write": "if_empty" },
                "Last_Name": { "from": "name.last", "default": "WhatsApp lead", "write": "if_empty" },
                "Company": { "value": "WhatsApp lead", "write": "create_only" },
                "wa_source": "source",
                "ctwa_clid": "attribution.last.ctwa_clid",
                "ad_id": "attribution.last.ad_id",
                "last_inbound_at": "window.last_inbound_at",
            },
        })
    }

    fn oauth(&self) -> Option<Value> {
        Some(tokens::client())
    }

    fn notice_secret(&self) -> &'static str {
        NOTICE_TOKEN
    }
}
