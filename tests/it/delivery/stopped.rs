//! A replica that stands still in the middle of its work for three times its lease, and goes on as if nothing had been.
//!
//! Another has taken over by then. What the first goes on with must not be written twice, nor over what is newer.

use super::world::{CHANNEL, HUBSPOT, NOON, Simulated, World, by_number, simulator};
use crate::crash::tell;
use crate::outbox::bench::message;
use crate::support::postgres;
use crate::support::random::Random;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use wabridge::config::{Config, Live};
use wabridge::outbox::Setup;
use wabridge::outbox::budget::Budget;
use wabridge::outbox::courier::Courier;
use wabridge::outbox::dice::Dice;
use wabridge::outbox::transport::Account;
use wabridge::store::Store;
use wabridge::store::outbox::JobFilter;
use wabridge::store::postgres::{Clock, Options, PostgresStore};
use wabridge::telemetry::metrics::Metrics;
use wabridge_crms::{Answer, Call, Later, NoAnswer, Transport};

/// Three times the lease of a job.
const THREE_LEASES: Duration = Duration::from_secs(180);
/// Stops that are seen to.
const STOPS: u32 = 50;

/// The way to a CRM, on which the process is stopped at a call.
struct Gate {
    crm: Arc<Simulated>,
    /// Calls that are let through before.
    left: AtomicU64,
    /// Whether it is stopped before the call and not after its answer.
    in_front: AtomicBool,
    stopped: Mutex<Sender<bool>>,
    go: Mutex<Receiver<()>>,
}

impl Gate {
    fn stop(&self, writes: bool) {
        self.stopped.lock().unwrap().send(writes).unwrap();
        self.go.lock().unwrap().recv().unwrap();
    }
}

impl Transport for Gate {
    fn send(&self, call: Call) -> Later<'_, Result<Answer, NoAnswer>> {
        Box::pin(async move {
            let is_here = self.left.fetch_sub(1, Ordering::Relaxed) == 0;
            let in_front = self.in_front.load(Ordering::Relaxed);
            if is_here && in_front {
                self.stop(call.writes);
            }
            let answer = self.crm.answer(&call);
            if is_here && !in_front {
                self.stop(call.writes);
            }
            answer
        })
    }
}

impl Account for Gate {
    fn renew(&self) -> Later<'_, bool> {
        Box::pin(async { false })
    }
}

fn open(url: &str, folder: &Path) -> Arc<dyn Store> {
    let options = Options { clock: Clock::Given, ..Options::new(url, folder) };
    Arc::new(PostgresStore::open(&options).unwrap())
}

/// The replica that stands still, and how it is told to.
struct Stopped {
    courier: Courier,
    gate: Arc<Gate>,
    stopped: Receiver<bool>,
    go: Sender<()>,
}

impl Stopped {
    fn beside(world: &World, store: Arc<dyn Store>) -> Stopped {
        let (sender, stopped) = channel();
        let (go, receiver) = channel();
        let gate = Arc::new(Gate {
            crm: world.only(),
            left: AtomicU64::new(u64::MAX),
            in_front: AtomicBool::new(false),
            stopped: Mutex::new(sender),
            go: Mutex::new(receiver),
        });
        let target = world.config.target("hubspot").unwrap().clone();
        let (config, budget) = (Arc::new(world.config.clone()), Arc::new(Budget::new(&target)));
        let account: Arc<dyn Account> = gate.clone();
        let setup: Arc<Live<Setup>> = Arc::new(Setup { target, config, account, budget }.into());
        let metrics = Arc::new(Metrics::default());
        let courier = Courier::new(store, world.clock.clone(), metrics, setup, Dice::seeded(9), false);
        Stopped { courier, gate, stopped, go }
    }

    /// Steps, and is stopped at a call, after which `meanwhile` happens. Whether it came so far, and was at a write.
    fn step(&mut self, calls: u64, in_front: bool, meanwhile: impl FnOnce()) -> Option<bool> {
        self.gate.left.store(calls, Ordering::Relaxed);
        self.gate.in_front.store(in_front, Ordering::Relaxed);
        let (courier, stopped, go) = (&mut self.courier, &self.stopped, &self.go);
        std::thread::scope(|scope| {
            let (ended, is_over) = channel();
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(courier.step()).unwrap();
                // Nobody listens any more where it was stopped.
                let _ = ended.send(());
            });
            let at = loop {
                match stopped.recv_timeout(Duration::from_millis(1)) {
                    Ok(writes) => break Some(writes),
                    Err(_) if is_over.try_recv().is_ok() => break None,
                    Err(_) => {}
                }
            };
            if at.is_some() {
                meanwhile();
                go.send(()).unwrap();
            }
            at
        })
    }
}

/// Whoever has the turn to call the account was not heard of for so long that anybody may take it.
fn let_turns_run_out(url: &str) {
    postgres::run(url, "UPDATE turns SET until = 0");
}

/// Lets the replica that goes on work until nothing waits, an hour at most.
fn work_off(world: &mut World) {
    for _ in 0..60 {
        world.run_for(SignedDuration::from_mins(1));
        if ["pending", "leased", "doubt"].iter().all(|state| world.jobs(state) == 0) {
            break;
        }
    }
}

fn last_inbound(person: &Value) -> Timestamp {
    person["fields"]["last_inbound_at"].as_str().unwrap().parse().unwrap()
}

#[test]
fn whoever_is_alone_goes_on_after_a_stop_and_blames_no_crm() {
    let mut world = World::hubspot();
    let mut stopped = Stopped::beside(&world, Arc::clone(&world.store));
    for calls in 0..14 {
        world.says(by_number(calls), &format!("m{calls}"));
        stopped.step(calls.into(), false, || world.clock.pass(THREE_LEASES));
        work_off(&mut world);
    }
    world.assert_drained();
    assert_eq!((world.only().ledger("persons").len(), world.only().ledger("activities").len()), (14, 14));
    let jobs = world.store.jobs(&JobFilter::default(), 0, 100).unwrap();
    let attempts = jobs.iter().flat_map(|job| world.store.job(job.id).unwrap().unwrap().1);
    let results: Vec<String> = attempts.filter_map(|attempt| attempt.result).collect();
    let lost: Vec<&String> = results.iter().filter(|result| result.contains("lease_lost")).collect();
    assert!(!lost.is_empty(), "{results:?}");
    assert!(lost.iter().all(|result| result.starts_with("retry: waiting: lease_lost")), "{lost:?}");
}

#[test]
fn fifty_stops_of_three_leases_write_nothing_twice_and_nothing_older_over_what_is_newer() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let url = postgres::of(&folders[0].path().join("wabridge.db"));
    let config = Config::parse(&format!("{CHANNEL}{HUBSPOT}"), "wabridge.toml").unwrap();
    let noon = Timestamp::from_second(NOON).unwrap();
    let store = open(&url, folders[0].path());
    let mut world = World::around(store, config, noon, |crm| Arc::new(simulator(crm)));
    world.add_fields("hubspot");
    let mut stopped = Stopped::beside(&world, open(&url, folders[1].path()));
    let crm = world.only();
    crm.set(&json!({"search_lag_seconds": 5}));
    let mut random = Random::new();
    let (mut rounds, mut stops, mut in_front_of_writes) = (0, 0, 0);
    while stops < STOPS {
        rounds += 1;
        assert!(rounds < 10 * STOPS, "{stops} stops in {rounds} rounds");
        let mut newest = world.now();
        for n in [1, 1 + rounds] {
            world.hears(&[message(by_number(n), &format!("m{rounds}-{n}"), newest)]);
        }
        // Every other time it stands between its last look at the lease and the wire, where no care helps.
        let in_front = rounds % 2 == 0;
        let_turns_run_out(&url);
        let met = stopped.step(random.within(0..14), in_front, || {
            world.clock.pass(THREE_LEASES);
            let_turns_run_out(&url);
            newest = world.now();
            world.hears(&[message(by_number(1), &format!("later{rounds}"), newest)]);
            work_off(&mut world);
        });
        let_turns_run_out(&url);
        work_off(&mut world);
        world.assert_drained();
        // The next message begins another conversation.
        world.clock.pass(Duration::from_hours(30));
        stops += u32::from(met.is_some());
        in_front_of_writes += usize::from(in_front && met == Some(true));
        let people = crm.ledger("persons");
        let of =
            |phone: &str| people.iter().filter(|it| it["fields"]["wa_e164"] == phone).collect::<Vec<_>>();
        assert_eq!(people.len(), rounds as usize + 1, "one person each, in round {rounds}");
        if !in_front {
            let first = of("+919800000001");
            assert_eq!(last_inbound(first[0]), newest, "round {rounds}");
        }
    }
    // A conversation each of the one who writes in every round, and of the one who is new.
    let (conversations, activities) = (2 * rounds as usize, crm.ledger("activities").len());
    tell(&format!(
        "{stops} stops in {rounds} rounds, {in_front_of_writes} in front of writes; {activities} activities"
    ));
    // One write holds those of both.
    assert!((conversations..=conversations + 2 * in_front_of_writes).contains(&activities), "{activities}");
}
