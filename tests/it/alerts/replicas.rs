//! Several replicas watch one store: one of them tells what is wrong with it, and each what is wrong with itself.

use super::Receiver;
use crate::support::desk::{self, noon};
use crate::support::postgres;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use wabridge::alerts::{Sources, Watched, Watcher};
use wabridge::clock::SetClock;
use wabridge::config::{Alerts, Live};
use wabridge::store::postgres::{Options, PostgresStore};
use wabridge::telemetry::metrics::Metrics;

/// The processes that share a database, and who hears them.
struct Watch {
    url: String,
    receiver: Receiver,
    clock: Arc<SetClock>,
    folder: tempfile::TempDir,
}

/// One of them.
struct Replica {
    watcher: Watcher,
    config: Arc<Live<Watched>>,
}

impl Watch {
    fn start() -> Watch {
        let folder = tempfile::tempdir().unwrap();
        let url = postgres::of(folder.path());
        Watch { url, receiver: Receiver::start(), clock: Arc::new(SetClock::at(noon(0))), folder }
    }

    fn replica(&self) -> Replica {
        let folder = tempfile::tempdir_in(self.folder.path()).unwrap().keep();
        let store = Arc::new(PostgresStore::open(&Options::new(&self.url, &folder)).unwrap());
        let alerts =
            Alerts { url: Some(self.receiver.url("alerts").into()), disk_reserve: 0, ..Alerts::default() };
        let watched = Watched::from(&desk::config(folder.join("wabridge.db")));
        let config = Arc::new(Live::from(Watched { alerts, ..watched }));
        let (metrics, clock) = (Arc::new(Metrics::default()), self.clock.clone());
        let sources = Sources { store, metrics, clock, folder, config: Arc::clone(&config) };
        Replica { watcher: Watcher::new(sources), config }
    }

    /// What one of them tells at a step.
    async fn told(&self, replica: &mut Replica) -> Vec<String> {
        replica.watcher.step().await;
        let said = |told: Value| format!("{} {}", told["alert"], told["state"]).replace('"', "");
        self.receiver.posted().into_iter().map(said).collect()
    }

    fn run(&self, sql: &str) {
        postgres::run(&self.url, sql);
    }

    /// Whoever has the turn is not heard of for so long that it is over.
    fn let_the_turn_run_out(&self) {
        self.run("UPDATE turns SET until = 0");
    }
}

const NOTHING: [&str; 0] = [];
const QUARANTINE: &str = "INSERT INTO quarantine VALUES (1, 0, 'not_json', '$', 0)";
const CLEAR: &str = "DELETE FROM quarantine";
const PARK: &str =
    "INSERT INTO parked (received_at, channel, query, headers, body) VALUES (0, 'main', '', '[]', '')";

#[actix_web::test]
async fn one_replica_tells_and_when_it_vanishes_another_goes_on_where_it_stopped() {
    let watch = Watch::start();
    let (mut one, mut other) = (watch.replica(), watch.replica());
    watch.run(QUARANTINE);
    assert_eq!(watch.told(&mut one).await, ["quarantined firing"]);
    assert_eq!(watch.told(&mut other).await, NOTHING, "it has no turn");
    drop(one);
    assert_eq!(watch.told(&mut other).await, NOTHING, "nobody knows yet that it is gone");
    watch.let_the_turn_run_out();
    watch.run(PARK);
    assert_eq!(watch.told(&mut other).await, ["parked firing"], "what is new, and not what was told");
    watch.run(CLEAR);
    assert_eq!(watch.told(&mut other).await, ["quarantined resolved"]);
}

#[actix_web::test]
async fn who_takes_over_tells_the_end_of_what_it_never_saw() {
    let watch = Watch::start();
    let mut one = watch.replica();
    watch.run(QUARANTINE);
    assert_eq!(watch.told(&mut one).await, ["quarantined firing"]);
    drop(one);
    watch.run(CLEAR);
    watch.let_the_turn_run_out();
    let mut other = watch.replica();
    assert_eq!(watch.told(&mut other).await, ["quarantined resolved"]);
    assert_eq!(watch.told(&mut other).await, NOTHING);
    watch.run(QUARANTINE);
    assert_eq!(watch.told(&mut other).await, ["quarantined firing"], "it began anew");
}

#[actix_web::test]
async fn what_goes_on_is_told_again_when_it_is_due_whoever_told_it_before() {
    let watch = Watch::start();
    let (mut one, mut other) = (watch.replica(), watch.replica());
    watch.run(QUARANTINE);
    assert_eq!(watch.told(&mut one).await, ["quarantined firing"]);
    watch.clock.pass(Duration::from_secs(4 * 3600));
    assert_eq!(watch.told(&mut other).await, NOTHING);
    watch.let_the_turn_run_out();
    assert_eq!(watch.told(&mut other).await, NOTHING);
    watch.clock.pass(Duration::from_secs(3600 * 2 - 1));
    assert_eq!(watch.told(&mut other).await, NOTHING);
    watch.clock.pass(Duration::from_secs(1));
    assert_eq!(watch.told(&mut other).await, ["quarantined firing"]);
    assert_eq!(watch.told(&mut one).await, NOTHING, "it was asleep, and has no turn any more");
    watch.clock.pass(Duration::from_secs(6 * 3600));
    watch.let_the_turn_run_out();
    let mut third = watch.replica();
    assert_eq!(watch.told(&mut third).await, ["quarantined firing"], "it is due, and this one is new");
}

#[actix_web::test]
async fn a_replica_without_the_turn_tells_what_is_wrong_with_itself() {
    let watch = Watch::start();
    let (mut one, mut other) = (watch.replica(), watch.replica());
    watch.run(QUARANTINE);
    assert_eq!(watch.told(&mut one).await, ["quarantined firing"]);
    let mut watched = (*other.config.get()).clone();
    watched.alerts.disk_reserve = u64::MAX;
    other.config.set(watched.clone());
    assert_eq!(watch.told(&mut other).await, ["disk_reserve firing"]);
    assert_eq!(watch.told(&mut one).await, NOTHING, "its own disk is well");
    watched.alerts.disk_reserve = 0;
    other.config.set(watched);
    assert_eq!(watch.told(&mut other).await, ["disk_reserve resolved"]);
}

#[actix_web::test]
async fn the_heart_beats_once_for_all() {
    let watch = Watch::start();
    let (mut one, mut other) = (watch.replica(), watch.replica());
    let beats = |watch: &Watch| std::mem::take(&mut *watch.receiver.heard.lock().unwrap()).len();
    for replica in [&one, &other] {
        let mut watched = (*replica.config.get()).clone();
        watched.alerts.heartbeat_url = Some(watch.receiver.url("beat").into());
        replica.config.set(watched);
    }
    one.watcher.step().await;
    assert_eq!(beats(&watch), 1);
    other.watcher.step().await;
    assert_eq!(beats(&watch), 0);
    watch.let_the_turn_run_out();
    other.watcher.step().await;
    assert_eq!(beats(&watch), 1);
}
