//! A number moves from Wati to Meta with two hours in which both tell of it: what a rep, a marketer and the
//! books see is what one channel would show that knows all that either knows.
//!
//! Four daemons of the same configuration on real sockets: one hears both, one Wati alone, one Meta alone, one
//! a channel that says of each message all that either says of it.

mod secondary;
mod story;

use crate::command::Place;
use crate::support::client::{Client, META_SECRET, Signer};
use crate::support::desk::grant_in;
use crate::support::process::until;
use crate::support::random::Random;
use rusqlite::Connection;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use story::{CUT, END, Fact, PEOPLE, REFUSED, STOPS, Said, What, at, hides_phone, phone, user_id};
use wabridge::alerts::{Sources, Watched, Watcher};
use wabridge::clock::{Clock, SetClock};
use wabridge::config::{Config, Live};
use wabridge::runtime::Daemon;
use wabridge::store::sqlite::rebuild;
use wabridge::telemetry::metrics::{Metrics, Moment};
use wabridge::web::api::token::Scope;

/// Both channels on one number; `{old}` is what the file says of the old one.
const TOML: &str = r#"
[server]
listen = "127.0.0.1:0"
[store]
url = "sqlite:{folder}/wabridge.db"
[[channel]]
name = "wati"
provider = "wati"
path_token = "file:{folder}/wati"
business_number = "+442079460001"
{old}
[[channel]]
name = "meta"
provider = "meta"
app_secrets = ["file:{folder}/meta"]
verify_token = "file:{folder}/meta"
business_numbers = { "100000000000001" = "+442079460001" }
"#;

/// A body and the channel it comes by.
type Delivery = (i64, &'static str, Vec<u8>);

/// A daemon with a clock of its own, which begins at midnight.
struct Run {
    place: Place,
    clock: Arc<SetClock>,
    daemon: Daemon,
    signer: Signer,
    token: String,
}

impl Run {
    fn start(toml: &str) -> Run {
        let place = Place::new(toml);
        place.write("wati", "fixture-path-token", 0o600);
        place.write("meta", META_SECRET, 0o600);
        let config = Config::load(place.path("wabridge.toml")).unwrap();
        let signer = Signer::of(&config);
        let clock = Arc::new(SetClock::at(at(0)));
        let daemon = Daemon::start(config, Arc::clone(&clock) as _).unwrap();
        let token = grant_in(&*daemon.store, "test", &[Scope::Admin]);
        Run { place, clock, daemon, signer, token }
    }

    /// Lets the day go on to this second.
    fn pass_to(&self, second: i64) {
        let left = at(second).duration_since(self.clock.now());
        self.clock.pass(Duration::try_from(left).unwrap_or_default());
    }

    /// Delivers in this order, each not before it happened.
    fn deliver<'d>(&self, deliveries: impl IntoIterator<Item = &'d Delivery>) {
        let mut client = Client::connect(self.daemon.address).unwrap();
        for (second, channel, body) in deliveries {
            self.pass_to(second + 2);
            let request = self.signer.post(channel, body, self.clock.now());
            assert_eq!(client.send(&request).unwrap().0, 200);
        }
        until("all is projected", || (self.daemon.store.backlog().unwrap().waiting == 0).then_some(()));
    }

    fn get(&self, path: &str) -> (u16, Value) {
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\r\n", self.token);
        let mut client = Client::connect(self.daemon.address).unwrap();
        let (status, body) = client.send(request.as_bytes()).unwrap();
        (status, serde_json::from_str(&body).unwrap())
    }

    fn json(&self, path: &str) -> Value {
        let (status, json) = self.get(path);
        assert_eq!(status, 200, "{path}: {json}");
        json
    }

    fn count(&self, name: &str) -> u64 {
        self.daemon.store.books().unwrap().items.get(name).copied().unwrap_or(0)
    }

    /// How many events there are.
    fn events(&self) -> u64 {
        let rows = Connection::open(self.place.path("wabridge.db")).unwrap();
        rows.query_row("SELECT count(*) FROM events", [], |row| row.get(0)).unwrap()
    }

    /// Ends the daemon; a rebuild of what it leaves gives the same.
    fn end(self) {
        assert!(self.daemon.store.books().unwrap().balance());
        self.daemon.stop();
        assert_eq!(rebuild::verify(&self.place.path("wabridge.db")).unwrap().different, 0);
    }
}

/// What somebody may see of one person.
#[derive(Debug, Clone, PartialEq, Default)]
struct Seen {
    /// Names, windows and what is known of their attribution.
    lead: Value,
    /// By instant.
    verdicts: BTreeMap<i64, Value>,
    touches: Vec<Value>,
    timeline: Vec<Value>,
}

/// What of an object is the same whoever told it.
fn pick(object: &Value, keys: &[&str]) -> Value {
    keys.iter().map(|key| ((*key).to_owned(), object[*key].clone())).collect::<serde_json::Map<_, _>>().into()
}

fn picked(items: &Value, keys: &[&str]) -> Vec<Value> {
    items["items"].as_array().unwrap().iter().map(|item| pick(item, keys)).collect()
}

/// Instants at which a rep asks.
const ASKED: [i64; 6] = [CUT - 60, CUT + 3600, END - 1, END + 3600, 24 * 3600, 35 * 3600];

impl Run {
    /// What is seen of somebody, or nothing where they are not known by any of their names.
    fn seen(&self, person: usize) -> Option<Seen> {
        let names = [format!("+{}", phone(person)), user_id(person)];
        let found = names.iter().find_map(|name| {
            let (status, lead) = self.get(&format!("/v1/leads/{name}"));
            (status == 200).then_some(lead)
        })?;
        let id = found["id"].as_str().unwrap().to_owned();
        let verdict = |second: i64| {
            let asked = format!("/v1/window?lead={id}&business=%2B442079460001&at={}", at(second));
            let keys = [
                "may_send",
                "free_text_until",
                "last_inbound_at",
                "last_inbound_kind",
                "templates",
                "reason",
            ];
            let more = ["marketing_opt_out", "free_entry_until"];
            (second, pick(&self.json(&asked), &[&keys[..], &more[..]].concat()))
        };
        let mut touches = self.json("/v1/touches?limit=500");
        touches["items"].as_array_mut().unwrap().retain(|touch| touch["lead_id"] == id.as_str());
        let timeline = self.json(&format!("/v1/leads/{id}/timeline?limit=500"));
        let attribution = pick(&found["attribution"], &["state", "touches"]);
        Some(Seen {
            lead: json!({
                "phone": found["phone"], "name": found["name"], "identities": found["identities"],
                "windows": found["windows"], "attribution": attribution,
                "first_seen_at": found["first_seen_at"], "last_seen_at": found["last_seen_at"]
            }),
            verdicts: ASKED.into_iter().map(verdict).collect(),
            touches: picked(
                &touches,
                &[
                    "occurred_at",
                    "message_id",
                    "ad_id",
                    "ctwa_clid",
                    "business_number",
                    "state",
                    "source_url",
                ],
            ),
            timeline: picked(&timeline, &["at", "kind", "direction", "message_id", "text"]),
        })
    }

    /// What is seen of everybody, and the sums of attribution under each model.
    fn everything(&self) -> (Vec<Option<Seen>>, Vec<Value>) {
        let mut totals = Vec::new();
        for model in ["first", "last", "each"] {
            totals.push(self.json(&format!("/v1/attribution?by=day&model={model}"))["total"].clone());
        }
        ((0..PEOPLE).map(|person| self.seen(person)).collect(), totals)
    }
}

fn by_wati(facts: &[Fact]) -> Vec<Delivery> {
    facts.iter().filter(|fact| fact.told_by_wati()).map(|it| (it.second, "wati", it.wati())).collect()
}

fn by_meta(facts: &[Fact]) -> Vec<Delivery> {
    facts.iter().filter(|fact| fact.told_by_meta()).map(|it| (it.second, "meta", it.meta())).collect()
}

/// In the order of the day. During the overlap now one is first, now the other.
fn by_both(facts: &[Fact], random: &mut Random) -> Vec<Delivery> {
    let mut all = [by_wati(facts), by_meta(facts)].concat();
    random.shuffle(&mut all);
    all.sort_by_key(|(second, ..)| *second);
    all
}

/// A daemon that heard these.
fn heard(deliveries: &[Delivery]) -> Run {
    let run = Run::start(&TOML.replace("{old}", ""));
    run.deliver(deliveries);
    run.pass_to(24 * 3600);
    run
}

/// Compares person by person, so that a difference can be read.
fn assert_same(one: &(Vec<Option<Seen>>, Vec<Value>), other: &(Vec<Option<Seen>>, Vec<Value>)) {
    for (person, (one, other)) in one.0.iter().zip(&other.0).enumerate() {
        assert_eq!(one, other, "person {person}");
    }
    assert_eq!(one.1, other.1, "the sums of attribution");
}

#[test]
fn two_hours_of_both_show_what_one_channel_would_that_knows_all_that_either_does() {
    let mut random = Random::new();
    let facts = story::day(&mut random);
    let best: Vec<Delivery> = facts.iter().map(|fact| (fact.second, "meta", fact.best())).collect();
    let best = heard(&best);
    let expected = best.everything();
    assert_eq!(best.count("duplicate"), 0);

    let deliveries = by_both(&facts, &mut random);
    let both = heard(&deliveries);
    assert_same(&both.everything(), &expected);
    assert_eq!(both.events(), best.events(), "a message that both tell is one event");
    assert_eq!((both.events(), both.count("seen")), (facts.len() as u64, deliveries.len() as u64));
    // What a second channel says of a message changed something: who reports it.
    assert_eq!((both.count("applied"), both.count("duplicate")), (deliveries.len() as u64, 0));
    assert_eq!(expected.1[0]["leads"], PEOPLE);

    let mut again: Vec<&Delivery> = deliveries.iter().chain(&deliveries).collect();
    random.shuffle(&mut again);
    let shuffled = Run::start(&TOML.replace("{old}", ""));
    shuffled.pass_to(24 * 3600);
    shuffled.deliver(again);
    assert_same(&shuffled.everything(), &expected);
    assert_eq!(
        (shuffled.events(), shuffled.count("seen")),
        (facts.len() as u64, 2 * deliveries.len() as u64)
    );
    assert_eq!(shuffled.count("applied"), deliveries.len() as u64);
    assert_eq!(shuffled.count("duplicate"), deliveries.len() as u64);
    [best, both, shuffled].into_iter().for_each(Run::end);
}

#[test]
fn either_channel_alone_shows_nothing_that_both_do_not() {
    let mut random = Random::new();
    let facts = story::day(&mut random);
    let both = heard(&by_both(&facts, &mut random));
    let together = both.everything().0;
    for alone in [by_wati(&facts), by_meta(&facts)] {
        let run = heard(&alone);
        for (alone, both) in run.everything().0.iter().zip(&together) {
            let (Some(alone), Some(both)) = (alone, both) else { continue };
            for item in alone.timeline.iter().filter(|item| item["kind"] != "touch") {
                assert!(both.timeline.contains(item), "{item} is not in {:#?}", both.timeline);
            }
            for touch in &alone.touches {
                let same = |other: &&Value| {
                    let keys = ["message_id", "ad_id", "occurred_at"];
                    keys.iter().all(|key| other[*key] == touch[*key])
                };
                let known = both.touches.iter().find(same).unwrap_or_else(|| panic!("lost: {touch}"));
                assert!(touch["ctwa_clid"].is_null() || touch["ctwa_clid"] == known["ctwa_clid"]);
            }
            for (second, verdict) in alone.verdicts.iter().filter(|(_, it)| it["may_send"] == "free_text") {
                let (until, better) = (verdict["free_text_until"].as_str(), &both.verdicts[second]);
                assert!(better["free_text_until"].as_str() >= until, "{verdict} {better}");
                assert_eq!(better["may_send"], "free_text");
            }
        }
        run.end();
    }
    both.end();
}

#[test]
fn what_both_tell_names_both_and_an_old_channel_that_is_retired_still_takes_what_is_late() {
    let mut random = Random::new();
    let facts = story::day(&mut random);
    let both = heard(&by_both(&facts, &mut random));
    for touch in both.json("/v1/touches?limit=500")["items"].as_array().unwrap() {
        let told = facts.iter().find(|fact| touch["message_id"] == fact.id.as_str()).unwrap();
        let by = [("meta", told.told_by_meta()), ("wati", told.told_by_wati())];
        let by: Vec<&str> = by.into_iter().filter(|(_, tells)| *tells).map(|(name, _)| name).collect();
        assert_eq!(touch["reported_by"], json!(by), "{touch}");
        assert_eq!(touch["ctwa_clid"].is_null(), !told.told_by_meta());
    }
    let verdict = |person: usize, second: i64| {
        both.json(&format!(
            "/v1/window?phone=%2B{}&business=%2B442079460001&at={}",
            phone(person),
            at(second)
        ))
    };
    assert_eq!((verdict(STOPS, END)["reason"]).as_str(), Some("opted_out"));
    assert_eq!((verdict(REFUSED, END)["reason"]).as_str(), Some("provider_refused"));
    assert_eq!(verdict(5, END)["evidence"]["reported_by"], json!(["meta", "wati"]));
    let hidden = both.json(&format!("/v1/leads/{}", user_id(4)));
    assert_eq!(hidden["phone"], format!("+{}", phone(4)), "Wati's phone and Meta's user id are one person's");
    assert!(hides_phone(4));
    retire(&both, &facts);
    both.end();
}

#[test]
fn a_lead_is_found_as_it_was_before_the_name_was_known_whose_id_it_answers_under() {
    let run = Run::start(&TOML.replace("{old}", ""));
    let told = |second: i64, heard: i64, (phone, user_id): (bool, bool)| {
        let id = format!("wamid.{second}");
        let fact = Fact { second, person: 0, id, what: What::Text("Hello", None) };
        (heard, "meta", fact.meta_saying(Said { phone, user_id, click: false }))
    };
    // The user id is heard of first, though the phone wrote first; then both turn out to be one person.
    run.deliver(&[
        told(END, END, (false, true)),
        told(CUT, END + 60, (true, false)),
        told(END + 90, END + 90, (true, true)),
    ]);
    let lead = run.json(&format!("/v1/leads/{}", user_id(0)));
    let id = lead["id"].as_str().unwrap();
    let asked = format!("/v1/window?lead={id}&business=%2B442079460001&at={}", at(CUT + 60));
    let verdict = run.json(&asked);
    assert_eq!((&verdict["reason"], &verdict["lead_id"]), (&json!("customer_wrote"), &lead["id"]));
    assert_eq!(verdict["last_inbound_at"], json!(at(CUT)));
    run.end();
}

/// The old channel is marked as retired: late deliveries still count, and its silence is no matter.
fn retire(both: &Run, facts: &[Fact]) {
    let folder = both.place.path("").display().to_string();
    let toml = TOML.replace("{old}", "retired = true").replace("{folder}", folder.trim_end_matches('/'));
    let file = both.place.write("retired.toml", &toml, 0o600);
    let in_use = Config::load(both.place.path("wabridge.toml")).unwrap();
    assert_eq!(both.daemon.reloader.reload(&file).unwrap(), [] as [&str; 0]);

    let second = CUT - 600;
    let late = Fact { second, person: PEOPLE, id: "wamid.LATE".to_owned(), what: What::Text("Hello", None) };
    // Meta is heard of to the end: it is not what is silent.
    let last = Fact { second: 24 * 3600, id: "wamid.LAST".to_owned(), ..late.clone() };
    both.deliver(&[(last.second, "meta", last.meta())]);
    let retired = Config::load(&file).unwrap();
    assert_eq!(quiet_channels(both, in_use), 1, "it was heard of often enough to be missed");
    assert_eq!(quiet_channels(both, retired), 0);

    let (applied, duplicates) = (both.count("applied"), both.count("duplicate"));
    let known = facts.iter().find(|fact| fact.told_by_wati()).unwrap();
    both.deliver(&[(0, "wati", known.wati()), (0, "wati", late.wati())]);
    assert_eq!((both.count("applied"), both.count("duplicate")), (applied + 1, duplicates + 1));
    let late = both.json(&format!("/v1/leads/%2B{}", phone(PEOPLE)));
    assert_eq!(late["first_seen_at"], at(second).to_string(), "by its own time, not by when it came");
}

/// How many channels an alert says are quiet.
fn quiet_channels(run: &Run, config: Config) -> u64 {
    let metrics = Arc::new(Metrics::default());
    let folder = config.store.folder().to_owned();
    let mut watcher = Watcher::new(Sources {
        store: Arc::clone(&run.daemon.store),
        metrics: Arc::clone(&metrics),
        clock: Arc::clone(&run.clock) as _,
        folder,
        config: Arc::new(Live::from(Watched::from(&config))),
    });
    actix_web::rt::System::new().block_on(watcher.step());
    let backlog = run.daemon.store.backlog().unwrap();
    let now = run.clock.now();
    let page = metrics.text(&run.daemon.store.books().unwrap(), Moment { now, clock_unsure: false, backlog });
    let gauge = "wabridge_alerts_firing{alert=\"quiet_channel\"} ";
    page.lines().find_map(|line| line.strip_prefix(gauge)).unwrap().parse().unwrap()
}

/// The texts of what was written, as often as the timeline shows them.
fn texts(timeline: &Value) -> Vec<&str> {
    let items = timeline["items"].as_array().unwrap().iter();
    items.filter(|item| item["kind"] == "message").map(|item| item["text"].as_str().unwrap()).collect()
}

/// The ids of what is in a list.
fn ids<'v>(items: &'v Value, key: &str) -> BTreeSet<&'v str> {
    items["items"].as_array().unwrap().iter().filter_map(|item| item[key].as_str()).collect()
}
