//! Ten thousand requests, each delivered five times, shuffled, over concurrent connections: every event
//! once, and the same leads as if each had come once and in order.
//!
//! Receipt times are part of what a lead is folded from, so they are fixed per message by the clock: it
//! stands still while a part of the requests is delivered, then steps to the next part. A message is
//! first received in its own part whatever the order, and so at the same time in every run. Some
//! deliveries of the first part come again in the second: late, and without effect.

use crate::support::client::Client;
use crate::support::process::until;
use crate::support::random::Random;
use crate::support::traffic::{Request, config, requests};
use jiff::Timestamp;
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use wabridge::clock::SetClock;
use wabridge::runtime::Daemon;
use wabridge::store::sqlite::rebuild;
use wabridge::store::{Books, Store};

const REQUESTS: usize = 10_000;
const CONNECTIONS: usize = 32;

/// What a run leaves behind, without the ids that are drawn: those of leads, rows and clusters.
#[derive(Debug, PartialEq)]
struct Outcome {
    leads: Vec<String>,
    touches: Vec<String>,
    /// Evidence by event id, which is derived from the event's key.
    events: BTreeMap<[u8; 16], String>,
}

/// Both parts of the traffic; between them passes less time than a signature is good for.
struct Parts {
    first_at: Timestamp,
    gap: Duration,
    first: Vec<Request>,
    second: Vec<Request>,
}

impl Parts {
    fn new() -> Parts {
        let first_at: Timestamp = "2026-11-22T08:30:00Z".parse().unwrap();
        let gap = Duration::from_secs(240);
        let second = requests(REQUESTS / 2..REQUESTS, first_at + gap);
        Parts { first_at, gap, first: requests(0..REQUESTS / 2, first_at), second }
    }

    fn items(&self) -> u64 {
        self.first.iter().chain(&self.second).map(|request| request.items).sum()
    }
}

/// Delivers both parts to a daemon of its own, in these orders; `inspect` sees the store it leaves.
fn run(parts: &Parts, orders: [Vec<&Request>; 2], inspect: impl FnOnce(&Path)) -> (Books, Outcome) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wabridge.db");
    let clock = Arc::new(SetClock::at(parts.first_at));
    let daemon = Daemon::start(config(&path), Arc::clone(&clock) as _).unwrap();
    let [first, second] = orders;
    deliver(daemon.address, &first);
    clock.pass(parts.gap);
    deliver(daemon.address, &second);
    until("everything is projected", || (daemon.store.backlog().unwrap().waiting == 0).then_some(()));
    let books = daemon.store.books().unwrap();
    let outcome = outcome(&*daemon.store, &path);
    daemon.stop();
    inspect(&path);
    (books, outcome)
}

/// Posts requests in their order, each on whichever connection is free. All are answered when it returns.
fn deliver(address: SocketAddr, requests: &[&Request]) {
    let next = AtomicUsize::new(0);
    let post = || {
        let mut client = Client::connect(address).unwrap();
        while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
            assert_eq!(client.send(&request.bytes).unwrap().0, 200);
        }
    };
    std::thread::scope(|scope| (0..CONNECTIONS).for_each(|_| drop(scope.spawn(post))));
}

fn outcome(store: &dyn Store, path: &Path) -> Outcome {
    let clusters = store.cluster_ids(0, usize::MAX >> 1).unwrap();
    let people = clusters.into_iter().flat_map(|id| store.cluster(id).unwrap().unwrap().0.leads);
    let mut leads: Vec<_> = people.map(|lead| serde_json::to_string(&lead).unwrap()).collect();
    leads.sort_unstable();
    let rows = Connection::open(path).unwrap();
    let mut touches = rows
        .prepare("SELECT occurred_at || coalesce(phone, '') || touch FROM touches ORDER BY occurred_at, id")
        .unwrap();
    let touches = touches.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let mut events = rows.prepare("SELECT event_id, evidence FROM events").unwrap();
    let events =
        events.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect();
    Outcome { leads, touches, events }
}

/// One delivery of each request, in the order of the provider's times.
fn once(parts: &Parts) -> [Vec<&Request>; 2] {
    [parts.first.iter().collect(), parts.second.iter().collect()]
}

/// Five deliveries of each request. Of the first part, two come with the second.
fn five_times(parts: &Parts) -> [Vec<&Request>; 2] {
    let first = (0..3).flat_map(|_| &parts.first).collect();
    let late = (0..2).flat_map(|_| &parts.first);
    [first, (0..5).flat_map(|_| &parts.second).chain(late).collect()]
}

fn shuffled<'a>(mut orders: [Vec<&'a Request>; 2], random: &mut Random) -> [Vec<&'a Request>; 2] {
    orders.iter_mut().for_each(|order| random.shuffle(order));
    orders
}

fn assert_each_once(books: &Books, outcome: &Outcome, distinct: u64, deliveries: u64) {
    assert!(books.balance(), "{books:?}");
    let of = |result: &str| books.items.get(result).copied().unwrap_or(0);
    assert_eq!(outcome.events.len() as u64, distinct, "{books:?}");
    assert_eq!(of("applied") + of("skipped.no_identity"), distinct, "{books:?}");
    assert_eq!(of("duplicate"), distinct * (deliveries - 1), "{books:?}");
    assert_eq!(of("seen"), distinct * deliveries, "{books:?}");
    assert_eq!(books.requests["projected"], REQUESTS as u64 * deliveries, "{books:?}");
    assert!(of("skipped.no_identity") > 100, "some conversations never say who they are: {books:?}");
    assert!(outcome.leads.len() > 900 && outcome.touches.len() > 300, "too little to compare");
}

#[test]
fn load_dedupe_five_shuffled_deliveries_of_each_request_give_every_event_once_and_the_same_leads() {
    let parts = Parts::new();
    let mut random = Random::new();
    let (books, in_order) = run(&parts, once(&parts), |_| ());
    assert_each_once(&books, &in_order, parts.items(), 1);
    let rebuilt = |path: &Path| {
        let verified = rebuild::verify(path).unwrap();
        let differences = (verified.different, verified.miscounted);
        assert_eq!((differences, verified.rebuilt.events), ((0, 0), parts.items()));
    };
    let (books, five_times) = run(&parts, shuffled(five_times(&parts), &mut random), rebuilt);
    assert_each_once(&books, &five_times, parts.items(), 5);
    assert_same(&in_order, &five_times);
    let (books, other_order) = run(&parts, shuffled(once(&parts), &mut random), |_| ());
    assert_each_once(&books, &other_order, parts.items(), 1);
    assert_same(&in_order, &other_order);
}

/// As `assert_eq!`, showing only the first difference.
fn assert_same(one: &Outcome, other: &Outcome) {
    let differs = |(a, b): &(&String, &String)| a != b;
    assert_eq!(one.leads.iter().zip(&other.leads).find(differs), None);
    assert_eq!(one.touches.iter().zip(&other.touches).find(differs), None);
    assert_eq!(one.events.values().zip(other.events.values()).find(differs), None);
    assert!(one == other, "one holds more than the other");
}
