//! One story told by every provider gives one lead, up to what its provider cannot say; and what it cannot say
//! is what its `Passes` have in the capability table, no more and no less.
//!
//! In: the story in each wire format (`golden/shapes.rs`), signed as its provider signs, over sockets to a daemon
//! of its own. Out: lead, verdict, touches, timeline and counts, as the API gives them. They are compared with
//! those of Meta's story *without what this provider cannot say*: a cell of the table that is wrong, in either
//! direction, leaves out too much or too little, and the two differ.

mod shapes;

use crate::support::client::{Client, Signer, channel};
use crate::support::desk::grant;
use crate::support::process::until;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use shapes::{SHAPES, STEPS, Says, Shape, Step, cloud};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use wabridge::clock::{Clock, SetClock};
use wabridge::config::{Config, Store};
use wabridge::runtime::Daemon;
use wabridge::store::sqlite::SqliteStore;
use wabridge::web::api::token::Scope;
use wabridge_model::Phone;
use wabridge_providers::registry::{self, PROVIDERS};
use wabridge_providers::{Passed, Passes};

/// The business number.
const BUSINESS: &str = "918047000000";
/// When the story begins.
const START: &str = "2026-11-22T08:30:00Z";
/// How long after its time by the provider's clock a step is received.
const LAG: SignedDuration = SignedDuration::from_secs(2);

/// Something that one provider says of the story and another does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    // Cells of `Passes`.
    Bsuid,
    Name,
    Wamid,
    Ad,
    ClickId,
    Echoes,
    Statuses,
    OptOuts,
    Time,
    BusinessNumber,
    // What no cell is about: declared with the shape.
    /// That the chat was opened, before anything was written.
    Welcomes,
    /// The ad's headline, beside its id.
    Headline,
    /// A status of its own for what was sent, beside the echo.
    SentStatus,
    /// That all of this happened on WhatsApp.
    Whatsapp,
}

use Part::*;

const CELLS: [Part; 10] = [Bsuid, Name, Wamid, Ad, ClickId, Echoes, Statuses, OptOuts, Time, BusinessNumber];

fn cell(passes: &mut Passes, part: Part) -> Option<&mut Passed> {
    match part {
        Bsuid => Some(&mut passes.bsuid),
        Name => Some(&mut passes.name),
        Wamid => Some(&mut passes.wamid),
        Ad => Some(&mut passes.ad),
        ClickId => Some(&mut passes.click_id),
        Echoes => Some(&mut passes.echoes),
        Statuses => Some(&mut passes.statuses),
        OptOuts => Some(&mut passes.opt_outs),
        Time => Some(&mut passes.time),
        BusinessNumber => Some(&mut passes.business_number),
        Welcomes | Headline | SentStatus | Whatsapp => None,
    }
}

fn passes(shape: &Shape) -> Passes {
    registry::find(shape.provider.0).unwrap().about().passes
}

/// What a shape says of the story, if its provider's cells are these.
fn said(shape: &Shape, mut passes: Passes) -> BTreeSet<Part> {
    let all = CELLS.into_iter().chain([Welcomes, Headline, SentStatus, Whatsapp]);
    let says = |part: &Part| match cell(&mut passes, *part) {
        Some(Passed::No) => false,
        Some(Passed::Yes) => true,
        Some(Passed::If(_)) | None => !shape.without.contains(part),
    };
    all.filter(says).collect()
}

/// Whether a step is told by who says these parts.
fn is_told(step: Step, said: &BTreeSet<Part>) -> bool {
    let says = |part| said.contains(&part);
    match step {
        Step::Welcome => says(Welcomes),
        Step::Echo => says(Echoes),
        Step::Sent => says(Statuses) && says(SentStatus),
        Step::Delivered | Step::Read => says(Statuses),
        Step::OptOut => says(OptOuts),
        Step::Text | Step::Button | Step::Stop => true,
    }
}

/// A daemon with the shape's channel, and what it is asked with.
struct Told {
    daemon: Daemon,
    clock: Arc<SetClock>,
    token: String,
    _folder: tempfile::TempDir,
}

impl Told {
    /// Tells a story; `before_stop` is asked when everything but the last step is told.
    fn tell(config: Config, steps: &[(SignedDuration, String)], before_stop: &mut dyn FnMut(&Told)) -> Told {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wabridge.db");
        let signer = Signer::of(&config);
        let mut config = config;
        config.store = Store::new(path.clone());
        let start: Timestamp = START.parse().unwrap();
        let clock = Arc::new(SetClock::at(start));
        let daemon = Daemon::start(config, Arc::clone(&clock) as _).unwrap();
        let token = grant(&SqliteStore::open_to_read(&path).unwrap(), "golden", &[Scope::Admin]);
        let told = Told { daemon, clock, token, _folder: folder };
        let mut client = Client::connect(told.daemon.address).unwrap();
        for (index, (after, body)) in steps.iter().enumerate() {
            if index + 1 == steps.len() {
                before_stop(&told);
            }
            let now = start + *after + LAG;
            told.clock.pass(Duration::try_from(now.duration_since(told.clock.now())).unwrap());
            let (status, answer) = client.send(&signer.post("golden", body.as_bytes(), now)).unwrap();
            assert_eq!(status, 200, "{body}: {answer}");
            until("it is projected", || (told.daemon.store.backlog().unwrap().waiting == 0).then_some(()));
        }
        told
    }

    fn ask(&self, path: &str) -> Value {
        let address: SocketAddr = self.daemon.address;
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\n\r\n", self.token);
        let (status, body) = Client::connect(address).unwrap().send(request.as_bytes()).unwrap();
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    fn verdict(&self) -> Value {
        self.ask(&format!("/v1/window?phone=%2B919800000001&business=%2B{BUSINESS}"))
    }

    /// Everything the API says of the person, without the ids that it drew.
    fn outcome(&self) -> Value {
        let timeline = self.ask("/v1/leads/+919800000001/timeline")["items"].take();
        let mut outcome = json!({
            "lead": self.ask("/v1/leads/+919800000001"),
            "verdict": self.verdict(),
            "touches": self.ask("/v1/touches")["items"],
            "counts": self.ask("/v1/attribution?by=state&model=first")["total"],
        });
        strip(&mut outcome);
        outcome["timeline"] = timeline.as_array().unwrap().iter().map(happened).collect();
        outcome
    }
}

/// Takes out what is drawn, what names the provider, and whose id a touch's message has: the timeline tells that.
fn strip(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for key in ["id", "lead_id", "event_id", "provider", "message_id"] {
                map.remove(key);
            }
            map.values_mut().for_each(strip);
        }
        Value::Array(items) => items.iter_mut().for_each(strip),
        _ => {}
    }
}

/// One item of the timeline: with whose id it has, where a message is joined by it, and without a provider's
/// wording of an opt-out.
fn happened(item: &Value) -> Value {
    let (kind, text) = (item["kind"].as_str().unwrap(), &item["text"]);
    let is_joined = matches!(kind, "message" | "echo") && text != "(request_welcome)";
    let whose = match item["message_id"].as_str() {
        Some(id) if is_joined => json!(if id.starts_with("wamid.") { "WhatsApp's" } else { "its own" }),
        _ => Value::Null,
    };
    let text = if kind == "consent" { &Value::Null } else { text };
    json!({"at": item["at"], "received_at": item["received_at"], "kind": kind, "direction": item["direction"],
           "text": text, "message_id": whose})
}

/// The channel of a shape; its number is given there where no request names it.
fn config(slug: &str, secret: &str, account_id: &str, is_named: bool, is_given: bool) -> Config {
    let mut config = Config::new("/nowhere");
    config.server.listen = "127.0.0.1:0".parse().unwrap();
    config.server.public_url = Some("https://hooks.example.in".to_owned());
    let mut channel = channel("golden", slug, secret);
    let number = Phone::from_whatsapp_id(BUSINESS).unwrap();
    if is_named {
        channel.business_numbers.insert(account_id.to_owned(), number);
    } else if is_given {
        channel.business_number = Some(number);
    }
    config.channels.push(channel);
    config
}

/// Whether an opt-out was known before the customer wrote STOP, and everything known in the end.
fn outcome_of(config: Config, tell: &dyn Fn(Step, Timestamp) -> Option<String>) -> Value {
    let start: Timestamp = START.parse().unwrap();
    let step = |(step, after): (Step, i64)| {
        let after = SignedDuration::from_secs(after);
        Some((after, tell(step, start + after)?))
    };
    let steps: Vec<_> = STEPS.into_iter().filter_map(step).collect();
    let mut opted_out = Value::Null;
    let told = Told::tell(config, &steps, &mut |told| opted_out = told.verdict()["marketing_opt_out"].take());
    let mut outcome = told.outcome();
    outcome["opted_out_before_stop"] = opted_out;
    told.daemon.stop();
    outcome
}

fn told_by(shape: &Shape, is_named: bool, is_given: bool) -> Value {
    let (slug, secret) = shape.provider;
    outcome_of(config(slug, secret, shape.account_id, is_named, is_given), &shape.tell)
}

/// Meta's story, without what somebody else cannot say of it.
fn told_by_meta(said: &BTreeSet<Part>) -> Value {
    let meta = &SHAPES[0];
    let says: Says<'_> = &|part| said.contains(&part);
    let tell = |step, at: Timestamp| {
        // Who says no time is taken to speak of the moment.
        let at = if says(Time) { at } else { at + LAG };
        is_told(step, said).then(|| cloud(step, at, says)).flatten()
    };
    outcome_of(config(meta.provider.0, meta.provider.1, meta.account_id, true, false), &tell)
}

/// What must come of a shape's story: what came of Meta's without the same, and the reasons for what is missing.
fn expected(shape: &Shape, said: &BTreeSet<Part>, mut meta: Value) -> Value {
    let says = |part| said.contains(&part);
    let attribution = &mut meta["lead"]["attribution"];
    if !says(Ad) {
        (attribution["state"], attribution["cause"]) = (json!("not_reported"), json!(shape.silence));
    } else if !says(ClickId) {
        let cause = json!("provider_strips_click_id");
        for place in ["/cause", "/first/cause", "/last/cause"] {
            *attribution.pointer_mut(place).unwrap() = cause.clone();
        }
        meta["touches"][0]["cause"] = cause;
    }
    for item in meta["timeline"].as_array_mut().unwrap() {
        if !says(Wamid) && !item["message_id"].is_null() {
            item["message_id"] = json!("its own");
        }
    }
    if !says(Whatsapp) {
        by_chatbot(&mut meta);
    }
    meta
}

/// The same visit where it did not happen on WhatsApp: no window opens, and the ad shows in `utm` values.
fn by_chatbot(meta: &mut Value) {
    let lead = &mut meta["lead"];
    (lead["source"], lead["windows"]) = (json!("chatbot:boots"), json!([]));
    lead["first_conversation_url"] = json!("https://fb.me/fixture1");
    lead["utm"] = json!({"source": "facebook", "campaign": "120210000000000001"});
    lead["consent"] = json!([{"purpose": "advertising", "state": "withdrawn", "at": "2026-11-22T08:31:50Z",
                              "text_version": null, "language": null}]);
    let verdict = &mut meta["verdict"];
    for key in ["evidence", "last_inbound_at", "last_inbound_kind", "free_text_until", "free_entry_until"] {
        verdict[key] = Value::Null;
    }
    verdict["may_send"] = json!("template_only");
    (verdict["reason"], verdict["templates"]) = (json!("never_wrote"), json!("utility_only"));
    let events = ["lead.created", "conversation.updated", "", "conversation.updated"];
    for (item, event) in meta["timeline"].as_array_mut().unwrap().iter_mut().zip(events) {
        item["message_id"] = Value::Null;
        if let Some(text) = item["text"].as_str() {
            item["text"] = json!(format!("{event}: {text}"));
        }
    }
}

/// The places where two values differ.
fn differences(place: &str, expected: &Value, found: &Value) -> Vec<String> {
    match (expected, found) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            let of = |key: &&String| differences(&format!("{place}/{key}"), &expected[*key], &found[*key]);
            keys.iter().flat_map(of).collect()
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            let pairs = a.iter().zip(b).enumerate();
            pairs.flat_map(|(at, (a, b))| differences(&format!("{place}/{at}"), a, b)).collect()
        }
        _ if expected == found => Vec::new(),
        _ => vec![format!("{place}: expected {expected:#}, found {found:#}")],
    }
}

/// Meta's stories, each told once.
#[derive(Default)]
struct Stories(BTreeMap<BTreeSet<Part>, Value>);

impl Stories {
    /// What is not as these cells have it.
    fn faults(&mut self, shape: &Shape, said: &BTreeSet<Part>, found: &Value) -> Vec<String> {
        let start: Timestamp = START.parse().unwrap();
        let is_carried = |step| (shape.tell)(step, start).is_some();
        let wrong = STEPS.iter().filter(|(step, _)| is_carried(*step) != is_told(*step, said));
        let wrong: Vec<String> =
            wrong.map(|(step, _)| format!("{step:?}: told by the wire, or by its cell, alone")).collect();
        if !wrong.is_empty() {
            return wrong;
        }
        // By configuration or by name, the number is the same; and Meta's ids are WhatsApp's own.
        let mut same = said.clone();
        same.extend([BusinessNumber, Wamid]);
        let meta = self.0.entry(same).or_insert_with(|| told_by_meta(said)).clone();
        differences("", &expected(shape, said, meta), found)
    }
}

#[test]
fn metas_story_gives_a_lead_from_an_ad_who_was_answered_and_wants_no_more() {
    let told = told_by(&SHAPES[0], true, false);
    let lead = &told["lead"];
    let kinds: Vec<&str> =
        lead["identities"].as_array().unwrap().iter().map(|it| it["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["phone", "bsuid"]);
    assert_eq!((&lead["name"], &lead["source"]), (&json!("Asha Fixture"), &json!("whatsapp:golden")));
    assert_eq!(lead["attribution"]["state"], "complete");
    assert_eq!(told["touches"].as_array().unwrap().len(), 1);
    assert_eq!(told["touches"][0]["ctwa_clid"], "ARFixtureClickId0001");
    assert_eq!(told["opted_out_before_stop"], true);
    let verdict = &told["verdict"];
    assert_eq!((&verdict["may_send"], &verdict["reason"]), (&json!("nothing"), &json!("opted_out")));
    // 72 hours from the answer, which came before any status of it.
    assert_eq!(verdict["free_entry_until"], "2026-11-25T08:31:00Z");
    assert_eq!(told["counts"]["answered_5m"], 1);
    let kinds = told["timeline"].as_array().unwrap().iter().map(|it| it["kind"].as_str().unwrap());
    let kinds: Vec<&str> = kinds.collect();
    let story = [
        "message", "touch", "message", "touch", "message", "echo", "status", "status", "status", "consent",
        "message",
    ];
    assert_eq!(kinds, story);
}

#[test]
fn one_story_told_by_every_provider_gives_one_lead_up_to_what_its_cells_say() {
    let told: BTreeSet<&str> = SHAPES.iter().map(|shape| shape.provider.0).collect();
    assert_eq!(told, PROVIDERS.iter().map(|provider| provider.about().slug).collect());
    let mut stories = Stories::default();
    let mut wrong = Vec::new();
    for shape in SHAPES {
        let said = said(shape, passes(shape));
        let found = told_by(shape, said.contains(&BusinessNumber), true);
        let faults = stories.faults(shape, &said, &found);
        wrong.extend(faults.into_iter().map(|fault| format!("{}: {fault}", shape.name)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What else a cell could say.
fn others(cell: Passed) -> &'static [Passed] {
    match cell {
        Passed::Yes => &[Passed::No],
        Passed::No => &[Passed::Yes],
        Passed::If(_) => &[Passed::Yes, Passed::No],
    }
}

#[test]
fn a_cell_that_says_more_or_less_than_its_provider_does_not_pass() {
    let mut stories = Stories::default();
    let mut unseen = Vec::new();
    for shape in SHAPES {
        let passes = passes(shape);
        let true_ones = said(shape, passes);
        let found = told_by(shape, true_ones.contains(&BusinessNumber), true);
        for part in CELLS.into_iter().filter(|part| *part != BusinessNumber) {
            for other in others(*cell(&mut passes.clone(), part).unwrap()) {
                let mut wrong = passes;
                *cell(&mut wrong, part).unwrap() = *other;
                let said = said(shape, wrong);
                // Without its ad, a click id is nothing; and a chatbot has no message for an id to be of.
                let is_moot = match part {
                    ClickId => !true_ones.contains(&Ad),
                    Wamid => !true_ones.contains(&Whatsapp),
                    _ => false,
                };
                if said != true_ones && !is_moot && stories.faults(shape, &said, &found).is_empty() {
                    unseen.push(format!("{}: {part:?} as {other:?}", shape.name));
                }
            }
        }
    }
    assert!(unseen.is_empty(), "{unseen:?}");
}

#[test]
fn a_number_that_no_request_names_has_a_window_only_where_the_channel_names_it() {
    let is_whatsapp = |shape: &&Shape| !shape.without.contains(&Whatsapp);
    for shape in SHAPES.iter().filter(is_whatsapp) {
        let (slug, secret) = shape.provider;
        let mut config = config(slug, secret, shape.account_id, true, false);
        // A channel of one number needs no name for it.
        let other = Phone::from_whatsapp_id("918047000001").unwrap();
        config.channels[0].business_numbers.insert("another".to_owned(), other);
        let found = outcome_of(config, &shape.tell);
        let has_window = !found["lead"]["windows"].as_array().unwrap().is_empty();
        assert_eq!(has_window, said(shape, passes(shape)).contains(&BusinessNumber), "{}", shape.name);
    }
}
