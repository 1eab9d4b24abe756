//! `kill -9` at random moments of delivery, at a CRM that fails a fifth of what is written to it: no lead is
//! without its person, nobody is there twice, and the books say what the CRM says.
//!
//! What a daemon leaves behind is delivered to its end in virtual time, at the same CRM. The harness proves
//! itself first: it must catch a daemon that writes jobs in a second transaction, after the lead.

use crate::command::Place;
use crate::crash::{kills, tell};
use crate::delivery::world::{AT_HUBSPOT, AT_ZOHO, At, Simulated, World, simulator};
use crate::projection::open;
use crate::support::client::{Client, META, Signer, meta_body, text};
use crate::support::process::{Process, pause, until_projected};
use crate::support::random::Random;
use crate::support::store::{Contents, message_key};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};
use wabridge::clock::{Clock, SetClock, SystemClock};
use wabridge::config::Config;
use wabridge_simulators::{Serving, Simulator, serve};

/// A target, where `{base_url}` says.
const TARGET: &str = r#"
[[target]]
name = "{crm}"
crm = "{crm}"
auth = { token = "file:{folder}/{crm}" }
base_url = "{base_url}"
[target.fields]
{phone} = { from = "phone", write = "if_empty" }
wa_source = "source"
last_inbound_at = "window.last_inbound_at"
"#;

/// Where faults are planted: what every new lead is written by. Reads fail in other tests.
const WRITES: [&str; 4] = ["contacts/batch/upsert", "communications", "Leads/upsert", "Notes"];
/// A daemon lives this long at most.
const LONGEST: Duration = Duration::from_millis(2_000);
/// The calls by which a daemon learns the fields of each CRM before it writes.
const OF_SCHEMA: [(&str, usize); 2] = [("hubspot", 5), ("zoho", 10)];
/// Messages between two kills.
const MESSAGES: usize = 6;

/// Whether a call of the ledger changes records.
fn is_write(call: &&Value) -> bool {
    let reads = ["/search", "/batch/read", "/properties/", "/coql", "/settings/"];
    let path = text_of(call, "path");
    text_of(call, "method") != "GET" && !reads.iter().any(|read| path.contains(read))
}

/// What a write may meet, and how likely each is among the faults.
const FATES: [(&str, u64); 5] =
    [("apply_then_cut", 70), ("apply_then_500", 10), ("reject_500", 8), ("reject_429", 3), ("garbage", 9)];

/// A day of silence and a bit: the next message begins a conversation.
const PAUSE: i64 = 26 * 3600;
/// The silence within one.
const BEAT: i64 = 60;

/// A message that was sent.
struct Said {
    wamid: String,
    second: i64,
    acknowledged: bool,
}

/// All that people wrote.
struct Talk {
    people: Vec<Vec<Said>>,
    /// When everybody's third message is: near enough for an open window.
    recent: i64,
    random: Random,
}

impl Talk {
    /// Who writes next: somebody new, or one of the last few hundred again.
    fn next(&mut self) -> usize {
        let known = self.people.len() as u64;
        if known == 0 || self.random.within(0..5) < 2 {
            self.people.push(Vec::new());
            return self.people.len() - 1;
        }
        self.random.within(known.saturating_sub(300)..known) as usize
    }

    /// When a person's message is. The second begins a conversation, and the third, which opens a window: that
    /// one is urgent, what follows can wait.
    fn second(&self, number: usize) -> i64 {
        match number {
            0 => self.recent - 2 * PAUSE,
            1 => self.recent - PAUSE,
            number => self.recent + (number as i64 - 2) * BEAT,
        }
    }

    /// Posts message after message until the connection is cut, while the CRMs get other fates now and then.
    fn go_on(&mut self, address: SocketAddr, signer: &Signer, stations: &[Station]) {
        let Ok(mut client) = Client::connect(address) else { return };
        stations.iter().for_each(|station| self.fate(&station.crm));
        for _ in 0..MESSAGES {
            let person = self.next();
            let number = self.people[person].len();
            let said = Said {
                wamid: format!("wamid.KILL{person}x{number}"),
                second: self.second(number),
                acknowledged: false,
            };
            let message = text(&said.wamid, phone(person).trim_start_matches('+'), said.second);
            let body = meta_body(json!({ "messages": [message] }));
            self.people[person].push(said);
            match client.send(&signer.post("main", &body, Timestamp::UNIX_EPOCH)) {
                Ok((200, _)) => self.people[person][number].acknowledged = true,
                Ok((status, _)) if status != 503 => panic!("answered {status}"),
                Ok(_) | Err(_) => return,
            }
            pause(Duration::from_micros(self.random.within(0..8_000)));
        }
    }

    /// Plants other fates in place of those that are left, so that faults do not queue up to an outage.
    fn fate(&mut self, crm: &Simulated) {
        if self.random.within(0..100) >= 95 {
            return;
        }
        crm.control("POST", "/_fate", &json!([]));
        let fates: Vec<Value> = WRITES.iter().map(|path| self.planted(path)).collect();
        crm.control("POST", "/_fate", &json!(fates));
    }

    /// A fate of the next few calls to a path.
    fn planted(&mut self, path: &str) -> Value {
        let mut chance = self.random.within(0..FATES.iter().map(|(_, weight)| weight).sum());
        let (fate, _) = FATES
            .iter()
            .find(|(_, weight)| {
                let it = chance < *weight;
                chance = chance.saturating_sub(*weight);
                it
            })
            .unwrap();
        json!({ "path": path, "fate": fate, "times": 3, "retry_after": self.random.within(0..2) })
    }
}

fn phone(person: usize) -> String {
    format!("+91980000{person:04}")
}

/// A CRM on a socket.
struct Station {
    name: &'static str,
    simulator: Arc<Simulator>,
    crm: Simulated,
    serving: Serving,
}

impl Station {
    fn new(at: &At, now: Timestamp) -> Station {
        let simulator = Arc::new(simulator(at.name));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let serving = serve(Arc::clone(&simulator), listener, None).unwrap();
        let crm = Simulated::new(Arc::clone(&simulator), Arc::new(SetClock::at(now)));
        Station { name: at.name, simulator, crm, serving }
    }

    /// How many writes there were, how many of them ended ill, how many were applied and cut off.
    fn faults(&self) -> (usize, usize, usize) {
        let calls = self.crm.ledger("calls");
        let statuses: Vec<u64> =
            calls.iter().filter(is_write).map(|call| call["status"].as_u64().unwrap()).collect();
        let ill =
            statuses.iter().filter(|status| **status == 0 || **status == 429 || **status >= 500).count();
        (statuses.len(), ill, statuses.iter().filter(|status| **status == 0).count())
    }
}

/// A daemon's place, its CRMs, and all that was sent to the daemons there.
struct Storm {
    place: Place,
    fault: &'static str,
    signer: Signer,
    talk: Talk,
    stations: Vec<Station>,
}

impl Storm {
    fn new(fault: &'static str, crms: &[&At]) -> Storm {
        let now = SystemClock::default().now();
        let stations: Vec<Station> = crms.iter().map(|at| Station::new(at, now)).collect();
        let target = |(at, station): (&&At, &Station)| {
            let target = TARGET.replace("{crm}", at.name).replace("{phone}", at.phone);
            target.replace("{base_url}", &station.serving.base_url())
        };
        let targets: String = crms.iter().zip(&stations).map(target).collect();
        let place = Place::new(&format!("{META}{targets}"));
        for station in &stations {
            let token = station.simulator.target()["auth"]["token"].as_str().unwrap().to_owned();
            place.write(station.name, &token, 0o600);
        }
        let talk = Talk { people: Vec::new(), recent: now.as_second() - 4 * 3600, random: Random::new() };
        let storm = Storm { place, fault, signer: Signer::meta(), talk, stations };
        storm.stations.iter().for_each(|station| storm.world().add_fields(station.name));
        storm
    }

    /// What the daemons left behind, to be gone on with in virtual time.
    fn world(&self) -> World {
        let config = Config::load(self.place.path("wabridge.toml")).unwrap();
        let store = open(&self.place.path("wabridge.db"));
        let simulator = |name: &str| {
            let station = self.stations.iter().find(|station| station.name == name).unwrap();
            Arc::clone(&station.simulator)
        };
        World::around(Arc::new(store), config, SystemClock::default().now(), simulator)
    }

    fn of_schema(&self) -> usize {
        let is_here = |name: &str| self.stations.iter().any(|station| station.name == name);
        OF_SCHEMA.iter().filter(|(name, _)| is_here(name)).map(|(_, calls)| calls).sum()
    }

    /// Starts a daemon and kills it: mostly under load, after `most` at the latest, sometimes on its way up.
    fn kill_one(&mut self, most: Duration) {
        let mut process = Process::launch(&self.place, self.fault);
        if self.talk.random.within(0..20) == 0 {
            pause(Duration::from_millis(self.talk.random.within(0..40)));
            return process.kill();
        }
        // By calls and not by time, so that a slow machine kills as deep in the work as a fast one.
        let more = usize::try_from(self.talk.random.within(6..20)).unwrap();
        let so_far = |stations: &[Station]| stations.iter().map(|it| it.simulator.calls()).sum::<usize>();
        let calls = so_far(&self.stations) + more + self.of_schema();
        let rest = Duration::from_micros(self.talk.random.within(0..20_000));
        let address = process.ready().hooks;
        let Storm { talk, signer, stations, .. } = self;
        std::thread::scope(|scope| {
            scope.spawn(|| talk.go_on(address, signer, stations));
            let most = Instant::now() + most;
            while so_far(stations) < calls && Instant::now() < most {
                pause(Duration::from_millis(1));
            }
            pause(rest);
            process.kill();
        });
    }

    /// Lets a daemon project what waits; the rest is delivered in virtual time, at CRMs that are well.
    fn settle(&self) -> Contents {
        for station in &self.stations {
            station.crm.control("POST", "/_fate", &json!([]));
        }
        let mut process = Process::launch(&self.place, self.fault);
        until_projected(process.ready().admin);
        assert_eq!(process.stop(), Some(0));
        let mut world = self.world();
        world.store.doubt_expired(Timestamp::MAX).unwrap();
        // Longer than what can wait does.
        world.run_for(SignedDuration::from_hours(3));
        world.assert_drained();
        drop(world);
        Contents::of(&self.place)
    }

    /// What there is in each CRM in the end.
    fn outcomes<'a>(&'a self, contents: &'a Contents) -> impl Iterator<Item = Outcome<'a>> {
        self.stations.iter().map(move |station| Outcome {
            contents,
            target: station.name,
            persons: station.crm.ledger("persons"),
            activities: station.crm.ledger("activities"),
        })
    }

    fn said(&self) -> impl Iterator<Item = (usize, &Said)> {
        self.talk.people.iter().enumerate().flat_map(|(person, said)| said.iter().map(move |it| (person, it)))
    }
}

/// What there is in the end: in the store, and in one CRM.
struct Outcome<'a> {
    contents: &'a Contents,
    target: &'static str,
    persons: Vec<Value>,
    activities: Vec<Value>,
}

fn text_of<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_else(|| panic!("no {key} in {value}"))
}

impl Outcome<'_> {
    /// What the CRM lacks, and what it has twice or wrongly, compared with what people wrote.
    fn lost_and_wrong(&self, storm: &Storm) -> (Vec<String>, Vec<String>) {
        let (mut lost, mut wrong) = (Vec::new(), Vec::new());
        for (person, said) in storm.talk.people.iter().enumerate() {
            lost.extend(
                said.iter()
                    .filter(|said| said.acknowledged && !self.contents.has(&message_key(&said.wamid)))
                    .map(|said| format!("{} was acknowledged", said.wamid)),
            );
            let there = said.iter().filter(|said| self.contents.has(&message_key(&said.wamid)));
            let seconds: Vec<i64> = there.map(|said| said.second).collect();
            let Some(last) = seconds.last() else { continue };
            let phone = phone(person);
            let is_it =
                |it: &&Value| it["fields"]["wa_e164"] == phone.as_str() || it["phone"] == phone.as_str();
            let found: Vec<&Value> = self.persons.iter().filter(is_it).collect();
            let [found] = found.as_slice() else {
                let list = if found.is_empty() { &mut lost } else { &mut wrong };
                list.push(format!("{phone} is there {} times", found.len()));
                continue;
            };
            let told = text_of(&found["fields"], "last_inbound_at");
            if told.parse::<Timestamp>().unwrap().as_second() != *last {
                lost.push(format!("{phone} has {told} for {last}"));
            }
            let conversations = 1 + seconds.windows(2).filter(|pair| pair[1] - pair[0] >= PAUSE).count();
            let activities = self.activities.iter().filter(|it| it["person_id"] == found["id"]).count();
            if activities != conversations {
                let list = if activities < conversations { &mut lost } else { &mut wrong };
                list.push(format!("{phone} has {activities} activities for {conversations} conversations"));
            }
        }
        let mut references: BTreeMap<&str, usize> = BTreeMap::new();
        for activity in &self.activities {
            let (_, reference) = text_of(activity, "text").rsplit_once("Ref wab-").unwrap();
            *references.entry(reference).or_default() += 1;
        }
        wrong.extend(
            references.iter().filter(|(_, n)| **n > 1).map(|(it, n)| format!("{it} is there {n} times")),
        );
        (lost, wrong)
    }

    /// Asserts that the store says of the CRM what the CRM says of itself.
    fn assert_books(&self) {
        let (contents, target) = (self.contents, self.target);
        contents.assert_sound();
        let ids =
            |list: &[Value]| list.iter().map(|it| text_of(it, "id").to_owned()).collect::<BTreeSet<_>>();
        let rows = |sql: &str| {
            let rows = contents.texts(sql);
            let (all, each) = (rows.len(), rows.into_iter().collect::<BTreeSet<_>>());
            assert_eq!(all, each.len(), "a record belongs to one row: {sql}");
            each
        };
        assert_eq!(rows(&format!("SELECT id FROM records WHERE target = '{target}'")), ids(&self.persons));
        let written = |kind: &str| {
            rows(&format!(
                "SELECT json_extract(result, '$.record.id') FROM jobs WHERE target = '{target}' AND kind = '{kind}'
                 AND json_extract(result, '$.record.id') IS NOT NULL"
            ))
        };
        // One whose answer was lost is found as it was written, and needs no writing again.
        assert!(written("person").is_subset(&ids(&self.persons)));
        assert_eq!(written("activity"), ids(&self.activities));
        assert_eq!(contents.number("SELECT count(*) FROM conversations"), self.activities.len() as u64);
        let jobs = &contents.books.jobs;
        for (name, count) in jobs {
            let is_over = name == "wanted" || name == "done" || name.starts_with("suppressed.");
            assert!(is_over || *count == 0, "{jobs:?}");
        }
    }
}

#[test]
fn crash_a_job_in_a_second_transaction_is_caught() {
    let mut storm = Storm::new("job_in_second_transaction", &[&AT_HUBSPOT]);
    // Whether a kill falls between the two transactions is chance: who was not caught is given another round. While
    // messages come in, since nothing is between transactions when all of them are projected.
    for _ in 0..8 {
        for _ in 0..25 {
            let most = Duration::from_millis(storm.talk.random.within(20..350));
            storm.kill_one(most);
        }
        let contents = storm.settle();
        let (lost, _) = storm.outcomes(&contents).next().unwrap().lost_and_wrong(&storm);
        tell(&format!("{} lost of {} messages: {:?}", lost.len(), storm.said().count(), lost.first()));
        if lost.iter().any(|it| it.ends_with("is there 0 times")) {
            return;
        }
    }
    panic!("200 kills, and the planted fault was not caught");
}

/// At both CRMs at once: what one does with a lead is no matter of the other's.
#[test]
fn crash_kills_at_failing_crms_lose_no_operation_and_repeat_none() {
    let kills = kills(150);
    let mut storm = Storm::new("", &[&AT_HUBSPOT, &AT_ZOHO]);
    for _ in 0..kills {
        storm.kill_one(LONGEST);
    }
    // A slow machine is killed with fewer calls behind it: it is killed more often.
    for _ in 0..kills {
        if storm.stations.iter().map(|station| station.faults().2).sum::<usize>() >= kills * 2 / 3 {
            break;
        }
        storm.kill_one(LONGEST);
    }
    let faults: Vec<_> = storm.stations.iter().map(Station::faults).collect();
    let cut: usize = faults.iter().map(|(.., cut)| cut).sum();
    assert!(cut >= kills * 2 / 3, "{cut} writes were applied and cut off");
    let contents = storm.settle();
    let acknowledged = storm.said().filter(|(_, said)| said.acknowledged).count();
    tell(&format!(
        "{acknowledged} messages of {} people acknowledged; writes, ill, cut: {faults:?}; {:?}",
        storm.talk.people.len(),
        contents.books
    ));
    for (outcome, (writes, ill, cut)) in storm.outcomes(&contents).zip(faults) {
        assert_eq!(outcome.lost_and_wrong(&storm), (Vec::new(), Vec::new()), "{}", outcome.target);
        outcome.assert_books();
        assert!(ill * 5 >= writes, "{ill} of {writes} writes are less than a fifth");
        assert!(cut >= kills / 6, "{cut} writes were applied and cut off at {}", outcome.target);
    }
}
