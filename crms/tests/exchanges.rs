//! Every CRM against every exchange under `fixtures/crms`: what is asked of the adapter, the calls it makes, what
//! the CRM answers, and what the adapter makes of that. The number of calls of each case is thereby pinned.
//!
//! `WABRIDGE_BLESS=1` writes `expected.json` anew: review the difference, it is the contract.
//! The format of a case is in `fixtures/README.md`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};
use wabridge_crms::registry::CRMS;
use wabridge_crms::schema::{FieldKind, NewField};
use wabridge_crms::transport::{Answer, Call, Later, NoAnswer, Transport};
use wabridge_crms::{
    ActivityWrite, Bundle, Crm, Datum, DealWrite, Desk, Found, PersonWrite, Receipt, Record, Schema,
    TaskWrite, Who, Written,
};
use wabridge_model::{Country, Failure, FailureKind, Phone, RecordRef};

/// What every CRM must have an exchange for.
const REQUIRED: [&str; 8] = [
    "create",
    "update",
    "throttled",
    "expired-token",
    "validation",
    "vanished",
    "duplicate",
    "batch-with-one-bad-item",
];

/// `case.json`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseFile {
    provenance: String,
    #[serde(default = "india")]
    country: Country,
    #[serde(default)]
    schema: Schema,
    ask: Ask,
    answers: Vec<AnswerFile>,
}

fn india() -> Country {
    Country::INDIA
}

/// What is asked of the adapter.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Ask {
    Schema,
    Find { people: Vec<WhoFile>, fields: Vec<String> },
    Read { records: Vec<RecordRef>, fields: Vec<String> },
    Write(Vec<BundleFile>),
    AddFields(Vec<NewFieldFile>),
    People { after: Option<String> },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WhoFile {
    #[serde(default)]
    phone: Option<Phone>,
    #[serde(default)]
    bsuid: Option<(String, String)>,
    #[serde(default)]
    email: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BundleFile {
    trace_id: String,
    #[serde(default)]
    record: Option<RecordRef>,
    #[serde(default)]
    person: Option<PersonFile>,
    #[serde(default)]
    activities: Vec<ActivityFile>,
    #[serde(default)]
    deals: Vec<DealFile>,
    #[serde(default)]
    tasks: Vec<TaskFile>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PersonFile {
    #[serde(default)]
    key: Option<String>,
    values: BTreeMap<String, Datum>,
    #[serde(default)]
    doubtful: bool,
    #[serde(default)]
    quiet: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ActivityFile {
    key: String,
    #[serde(default)]
    record: Option<String>,
    #[serde(default)]
    doubtful: bool,
    at: Timestamp,
    title: String,
    body: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DealFile {
    key: String,
    #[serde(default)]
    record: Option<String>,
    #[serde(default)]
    doubtful: bool,
    name: String,
    pipeline: String,
    stage: String,
    #[serde(default)]
    moves_from: Option<String>,
    #[serde(default)]
    amount: Option<(String, Option<String>)>,
    close_on: Date,
    #[serde(default)]
    owner: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TaskFile {
    key: String,
    #[serde(default)]
    record: Option<String>,
    #[serde(default)]
    doubtful: bool,
    due_at: Timestamp,
    due_on: Date,
    title: String,
    body: String,
    #[serde(default)]
    owner: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewFieldFile {
    object: String,
    name: String,
    label: String,
    kind: FieldKind,
    #[serde(default)]
    unique: bool,
}

/// An answer as it comes over the wire, or that none comes.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum AnswerFile {
    Answer {
        status: u16,
        #[serde(default)]
        headers: Vec<(String, String)>,
        body: Value,
    },
    Text {
        status: u16,
        text: String,
    },
    None {
        no_answer: String,
        sent: bool,
    },
}

impl AnswerFile {
    fn read(self) -> Result<Answer, NoAnswer> {
        match self {
            AnswerFile::Answer { status, headers, body } => {
                Ok(Answer { status, headers, body: serde_json::to_vec(&body).unwrap() })
            }
            AnswerFile::Text { status, text } => {
                Ok(Answer { status, headers: Vec::new(), body: text.into_bytes() })
            }
            AnswerFile::None { no_answer, sent } => {
                let codes = ["connect", "tls", "timeout", "cut", "too_long"];
                let code = codes.into_iter().find(|code| **code == no_answer).unwrap();
                Err(NoAnswer { sent, code })
            }
        }
    }
}

/// A case, read.
struct Case {
    crm: &'static dyn Crm,
    folder: PathBuf,
    file: CaseFile,
}

/// Plays the CRM's part from a script.
struct Script {
    answers: Mutex<VecDeque<Result<Answer, NoAnswer>>>,
    calls: Mutex<Vec<Call>>,
}

impl Transport for Script {
    fn send(&self, call: Call) -> Later<'_, Result<Answer, NoAnswer>> {
        let shown = format!("{} {}", call.method.as_str(), call.path);
        self.calls.lock().unwrap().push(call);
        let next = self.answers.lock().unwrap().pop_front();
        let answer = next.unwrap_or_else(|| panic!("a call too many: {shown}"));
        Box::pin(std::future::ready(answer))
    }
}

/// The result of a future that waits for nothing: no adapter may need a runtime.
fn finish<T>(mut later: Later<'_, T>) -> T {
    match later.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => panic!("an adapter waited for something other than its transport"),
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/crms")
}

/// The folders in a folder, sorted by name.
fn folders(parent: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(parent) else { return Vec::new() };
    let mut folders: Vec<PathBuf> =
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

fn name(folder: &Path) -> &str {
    folder.file_name().unwrap().to_str().unwrap()
}

fn cases() -> Vec<Case> {
    let of = |crm: &'static dyn Crm| {
        folders(&root().join(crm.about().slug)).into_iter().map(move |folder| {
            let shown = folder.display().to_string();
            let text =
                fs::read_to_string(folder.join("case.json")).unwrap_or_else(|e| panic!("{shown}: {e}"));
            let file: CaseFile =
                serde_json::from_str(&text).unwrap_or_else(|e| panic!("{shown}/case.json: {e}"));
            let told =
                file.provenance.starts_with("written from facts") || file.provenance.contains("captured");
            assert!(told && file.provenance.len() > 30, "{shown}: say which facts the case is from");
            Case { crm, folder, file }
        })
    };
    CRMS.iter().copied().flat_map(of).collect()
}

/// The case's ask, answered by this script: the calls made, and what came of it.
fn play(case: &Case, answers: Vec<Result<Answer, NoAnswer>>) -> (Vec<Call>, Outcome) {
    let script = Script { answers: Mutex::new(answers.into()), calls: Mutex::default() };
    let desk = Desk {
        transport: &script,
        person: case.crm.about().people[0],
        key_field: "wa_e164",
        schema: &case.file.schema,
        country: case.file.country,
    };
    let outcome = ask(case.crm, &desk, &case.file.ask);
    let left = script.answers.lock().unwrap().len();
    let calls = script.calls.into_inner().unwrap();
    assert_eq!(
        left,
        0,
        "{}: answers that nobody asked for, after {} calls",
        case.folder.display(),
        calls.len()
    );
    (calls, outcome)
}

/// What came of it: as JSON, and every failure in it.
struct Outcome {
    json: Value,
    failures: Vec<Failure>,
}

fn ask(crm: &dyn Crm, desk: &Desk<'_>, ask: &Ask) -> Outcome {
    let mut failures = Vec::new();
    let json = match ask {
        Ask::Schema => one(finish(crm.schema(desk)), &mut failures, |schema| json!(schema)),
        Ask::Find { people, fields } => {
            let people: Vec<Who> = people.iter().map(who).collect();
            all(finish(crm.find(desk, &people, fields)), &mut failures, show_found)
        }
        Ask::Read { records, fields } => {
            all(finish(crm.read(desk, records, fields)), &mut failures, show_record)
        }
        Ask::Write(bundles) => {
            let bundles: Vec<Bundle> = bundles.iter().map(bundle).collect();
            let written = finish(crm.write(desk, &bundles));
            assert_eq!(written.len(), bundles.len(), "one answer for each bundle");
            bundles.iter().zip(written).map(|(bundle, w)| show_written(bundle, w, &mut failures)).collect()
        }
        Ask::AddFields(fields) => {
            let fields: Vec<NewField> = fields.iter().map(new_field).collect();
            all(finish(crm.add_fields(desk, &fields)), &mut failures, |()| json!("added"))
        }
        Ask::People { after } => one(finish(crm.people(desk, after.clone())), &mut failures, |page| {
            let people: Vec<Value> = page.people.iter().map(|(at, numbers)| json!([at, numbers])).collect();
            json!({"people": people, "next": page.next})
        }),
    };
    Outcome { json, failures }
}

fn one<T>(result: Result<T, Failure>, failures: &mut Vec<Failure>, show: impl Fn(T) -> Value) -> Value {
    match result {
        Ok(done) => show(done),
        Err(failure) => {
            failures.push(failure.clone());
            json!({
                "failed": failure.to_string(),
                "existing": failure.existing,
                "retry_after": failure.retry_after.map(|wait| wait.as_secs()),
            })
        }
    }
}

fn all<T>(results: Vec<Result<T, Failure>>, failures: &mut Vec<Failure>, show: impl Fn(T) -> Value) -> Value {
    results.into_iter().map(|result| one(result, failures, &show)).collect()
}

fn show_written(bundle: &Bundle, written: Written, failures: &mut Vec<Failure>) -> Value {
    assert_eq!(written.person.is_some(), bundle.person.is_some(), "an answer for each operation");
    assert_eq!(written.activities.len(), bundle.activities.len(), "an answer for each operation");
    assert_eq!(written.deals.len(), bundle.deals.len(), "an answer for each operation");
    assert_eq!(written.tasks.len(), bundle.tasks.len(), "an answer for each operation");
    let receipt = |r: Receipt| {
        let mut shown = json!({"record": r.record.to_string(), "created": r.created, "url": r.url});
        if let Some(stage) = r.stage {
            shown["stage"] = stage.into();
        }
        shown
    };
    let mut shown = json!({
        "person": written.person.map(|person| one(person, failures, receipt)),
        "activities": all(written.activities, failures, receipt),
        "deals": all(written.deals, failures, receipt),
    });
    if !bundle.tasks.is_empty() {
        shown["tasks"] = all(written.tasks, failures, receipt);
    }
    shown
}

fn show_record(record: Record) -> Value {
    json!({"at": record.at.to_string(), "values": record.values, "url": record.url})
}

fn show_found(found: Found) -> Value {
    json!({
        "matched": found.matched.map(|(record, by)| json!([show_record(record), by.as_str()])),
        "candidates": found.candidates.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "email_taken": found.email_taken.map(|at| at.to_string()),
    })
}

fn show_call(call: &Call) -> Value {
    let mut shown = json!({"call": format!("{} {}", call.method.as_str(), call.path), "class": call.class,
        "writes": call.writes});
    if let Some(body) = &call.body {
        shown["body"] = body.clone();
    }
    shown
}

fn who(file: &WhoFile) -> Who {
    Who { phone: file.phone.clone(), bsuid: file.bsuid.clone(), email: file.email.clone() }
}

fn bundle(file: &BundleFile) -> Bundle {
    let person = |p: &PersonFile| PersonWrite {
        key: p.key.clone(),
        values: p.values.clone(),
        doubtful: p.doubtful,
        quiet: p.quiet,
    };
    let activity = |a: &ActivityFile| ActivityWrite {
        key: a.key.clone(),
        record: a.record.clone(),
        doubtful: a.doubtful,
        at: a.at,
        title: a.title.clone(),
        body: a.body.clone(),
    };
    let deal = |d: &DealFile| DealWrite {
        key: d.key.clone(),
        record: d.record.clone(),
        doubtful: d.doubtful,
        name: d.name.clone(),
        pipeline: d.pipeline.clone(),
        stage: d.stage.clone(),
        moves_from: d.moves_from.clone(),
        amount: d.amount.clone(),
        close_on: d.close_on,
        owner: d.owner.clone(),
    };
    let task = |t: &TaskFile| TaskWrite {
        key: t.key.clone(),
        record: t.record.clone(),
        doubtful: t.doubtful,
        due_at: t.due_at,
        due_on: t.due_on,
        title: t.title.clone(),
        body: t.body.clone(),
        owner: t.owner.clone(),
    };
    Bundle {
        trace_id: file.trace_id.clone(),
        record: file.record.clone(),
        person: file.person.as_ref().map(person),
        activities: file.activities.iter().map(activity).collect(),
        deals: file.deals.iter().map(deal).collect(),
        tasks: file.tasks.iter().map(task).collect(),
    }
}

fn new_field(file: &NewFieldFile) -> NewField {
    NewField {
        object: file.object.clone(),
        name: file.name.clone(),
        label: file.label.clone(),
        kind: file.kind,
        unique: file.unique,
    }
}

fn answers(case: &Case) -> Vec<Result<Answer, NoAnswer>> {
    case.file.answers.iter().cloned().map(AnswerFile::read).collect()
}

#[test]
fn every_crm_has_its_exchanges_and_every_exchange_its_crm() {
    for crm in CRMS {
        let folders = folders(&root().join(crm.about().slug));
        let have: Vec<&str> = folders.iter().map(|folder| name(folder)).collect();
        for required in REQUIRED {
            assert!(have.contains(&required), "{}: no exchange {required}", crm.about().slug);
        }
    }
    for folder in folders(&root()) {
        let slug = name(&folder);
        assert!(CRMS.iter().any(|crm| crm.about().slug == slug), "{slug}: no such CRM in registry.rs");
    }
}

#[test]
fn every_exchange_is_made_of_the_expected_calls_and_comes_to_the_expected_outcome() {
    let bless = std::env::var_os("WABRIDGE_BLESS").is_some();
    let mut wrong = Vec::new();
    for case in cases() {
        let (calls, outcome) = play(&case, answers(&case));
        let made = json!({"calls": calls.iter().map(show_call).collect::<Vec<_>>(), "outcome": outcome.json});
        let path = case.folder.join("expected.json");
        if bless {
            fs::write(&path, serde_json::to_string_pretty(&made).unwrap() + "\n").unwrap();
        }
        let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        if serde_json::from_str::<Value>(&text).unwrap() != made {
            let made = serde_json::to_string_pretty(&made).unwrap();
            wrong.push(format!("{}\nexpected {text}\nmade {made}", case.folder.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn no_failure_carries_anything_of_a_person() {
    for case in cases() {
        for failure in play(&case, answers(&case)).1.failures {
            let said = format!("{} {:?}", failure.code, failure.field);
            let fits = |c: char| c.is_ascii_alphanumeric() || " _()\"".contains(c);
            assert!(said.chars().all(fits), "{}: {said}", case.folder.display());
        }
    }
}

/// A write whose answer is lost, unreadable or an error of the server may have been applied.
#[test]
fn a_write_without_a_good_answer_is_unknown_and_the_last_call() {
    let mut played = 0;
    for case in cases().iter().filter(|case| matches!(case.file.ask, Ask::Write(_))) {
        let (calls, _) = play(case, answers(case));
        for (at, _) in calls.iter().enumerate().filter(|(_, call)| call.writes) {
            let bad = [
                Err(NoAnswer { sent: true, code: "cut" }),
                Err(NoAnswer { sent: true, code: "timeout" }),
                Ok(Answer { status: 500, headers: Vec::new(), body: Vec::new() }),
                Ok(Answer { status: 504, headers: Vec::new(), body: b"<html>".to_vec() }),
                Ok(Answer { status: 200, headers: Vec::new(), body: b"<html>".to_vec() }),
            ];
            for bad in bad {
                let mut script = answers(case);
                script.truncate(at);
                script.push(bad.clone());
                // Panics if another call is made.
                let (_, outcome) = play(case, script);
                let kinds: Vec<FailureKind> = outcome.failures.iter().map(|failure| failure.kind).collect();
                let shown = format!("{} call {at} {bad:?}: {kinds:?}", case.folder.display());
                assert!(kinds.contains(&FailureKind::Unknown), "{shown}");
                played += 1;
            }
        }
    }
    assert!(played > 50, "{played} played");
}

/// What was never sent, and what was refused before it was looked at, was not applied.
#[test]
fn a_write_that_never_left_or_met_a_closed_door_is_not_unknown() {
    for case in cases().iter().filter(|case| matches!(case.file.ask, Ask::Write(_))) {
        let (calls, _) = play(case, answers(case));
        let Some(first) = calls.iter().position(|call| call.writes) else { continue };
        let refusals = [
            (Err(NoAnswer { sent: false, code: "connect" }), FailureKind::Down),
            (Ok(Answer { status: 429, headers: Vec::new(), body: Vec::new() }), FailureKind::Throttle),
            (Ok(Answer { status: 401, headers: Vec::new(), body: Vec::new() }), FailureKind::Auth),
        ];
        for (refusal, kind) in refusals {
            let mut script = answers(case);
            script.truncate(first);
            script.push(refusal);
            let (_, outcome) = play(case, script);
            let kinds: Vec<FailureKind> = outcome.failures.iter().map(|failure| failure.kind).collect();
            let shown = format!("{}: {kinds:?}", case.folder.display());
            assert!(kinds.contains(&kind) && !kinds.contains(&FailureKind::Unknown), "{shown}");
        }
    }
}
