//! Projection into a real SQLite file: whatever the order of arrival, the same people with the same
//! state; and a rebuild agrees.

#[path = "../../model/tests/support/histories.rs"]
pub(crate) mod histories;

use crate::support::postgres;
use histories::{history, shuffle};
use jiff::SignedDuration;
use proptest::collection::vec;
use proptest::prelude::*;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;
use wabridge::store::postgres::{Clock, Options, PostgresStore};
use wabridge::store::sqlite::{Signals, SqliteStore, rebuild};
use wabridge::store::{Books, Inbox, Ledger, Prepared, Request, Store, Stored};
use wabridge_model::cluster::Cluster;
use wabridge_model::evidence::{Evidence, Report};
use wabridge_providers::Item;

pub(crate) fn open(path: &Path) -> SqliteStore {
    let signals = Signals { disk_failed: Box::new(|error| panic!("{error}")), ..Signals::unheard() };
    SqliteStore::open(path, signals).unwrap()
}

/// Opens the store of a test that is run on both databases: on PostgreSQL where the environment says so, see `Makefile`.
pub(crate) fn open_either(path: &Path) -> Arc<dyn Store> {
    match std::env::var("WABRIDGE_TEST_STORE").as_deref() {
        Ok("postgres") => {
            let url = postgres::of(path);
            let folder = path.parent().unwrap();
            let options = Options { clock: Clock::Given, ..Options::new(&url, folder) };
            Arc::new(PostgresStore::open(&options).unwrap())
        }
        _ => Arc::new(open(path)),
    }
}

/// A request that stands for a report.
pub(crate) fn request(report: &Report, body: Vec<u8>) -> Request {
    Request {
        received_at: report.received_at,
        channel: report.channel.clone(),
        proof: report.proof,
        secret_index: 0,
        query: String::new(),
        headers: Vec::new(),
        body,
    }
}

/// What a stored request is read as: this report.
pub(crate) fn prepared(stored: &Stored, report: &Report) -> Prepared {
    Prepared {
        id: stored.id,
        received_at: report.received_at,
        channel: report.channel.clone(),
        provider: "meta",
        proof: report.proof,
        secondary: report.secondary,
        resolved: Vec::new(),
        items: Ok(vec![Item::Event(Box::new(report.event.clone()))]),
    }
}

/// Stores each report as a request of its own and settles it.
pub(crate) fn project(store: &dyn Store, reports: &[Report]) {
    let waiting: Vec<_> = reports.iter().map(|report| store.append(request(report, Vec::new()))).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for stored in waiting {
        runtime.block_on(stored).unwrap();
    }
    let claimed = store.claim(1000).unwrap();
    assert_eq!(claimed.len(), reports.len());
    let prepared = claimed.iter().zip(reports).map(|(stored, report)| prepared(stored, report));
    assert_eq!(store.settle(prepared.collect()).unwrap(), reports.len());
}

#[test]
fn a_claim_of_large_requests_is_a_small_one() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder.path().join("wabridge.db"));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for _ in 0..4 {
        let request = Request {
            received_at: jiff::Timestamp::UNIX_EPOCH,
            channel: "main".to_owned(),
            proof: wabridge_providers::Proof::Signed,
            secret_index: 0,
            query: String::new(),
            headers: Vec::new(),
            body: vec![b' '; 4 * 1024 * 1024],
        };
        runtime.block_on(store.append(request)).unwrap();
    }
    let claimed: Vec<i64> = store.claim(1000).unwrap().iter().map(|stored| stored.id).collect();
    assert_eq!(claimed, [1, 2], "the oldest, up to 8 MiB of them");
}

/// Every person's state as JSON, sorted: without cluster rows and ids, which depend on arrival.
pub(crate) fn people(store: &dyn Store) -> Vec<String> {
    let mut people = Vec::new();
    for id in store.cluster_ids(0, 10_000).unwrap() {
        let (cluster, ids) = store.cluster(id).unwrap().unwrap();
        let bearing: usize =
            cluster.leads.iter().flat_map(|lead| &lead.names).filter(|name| name.bears_id()).count();
        assert_eq!(ids.len(), bearing, "every name that bears an id has one of its own");
        people.extend(cluster.leads.iter().map(|lead| serde_json::to_string(lead).unwrap()));
    }
    people.sort();
    people
}

/// What one fold over everything gives: the reference, which knows nothing of clusters.
pub(crate) fn reference(reports: &[Report]) -> Vec<String> {
    let mut evidence: Vec<Evidence> = Vec::new();
    for report in reports {
        match evidence.iter_mut().find(|known| *known.key() == report.event.key) {
            Some(known) => drop(known.join(report.clone())),
            None => evidence.push(Evidence::from(report.clone())),
        }
    }
    let folded = Cluster::fold(&mut evidence).cluster;
    let mut people: Vec<String> =
        folded.leads.iter().map(|lead| serde_json::to_string(lead).unwrap()).collect();
    people.sort();
    people
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_order_of_arrival_gives_the_people_that_one_fold_over_everything_gives(
        mut reports in history(),
        others in vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), -30..30i64), 0..3),
        seed in any::<u64>(),
    ) {
        // Some events are reported once more, by another channel that names another person.
        for (event, person, minutes) in others {
            let mut other = event.get(&reports).clone();
            other.channel = "second".to_owned();
            other.received_at += SignedDuration::from_mins(minutes);
            other.event.person = person.get(&reports).event.person.clone();
            reports.push(other);
        }
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("store.db");
        let store = open(&path);
        let mut arrival = reports.clone();
        shuffle(&mut arrival, seed);
        project(&store, &arrival);
        prop_assert_eq!(people(&store), reference(&reports));
        prop_assert!(store.books().unwrap().balance());
        // Every report again: nothing changes, everything is counted.
        let before = store.books().unwrap();
        project(&store, &reports);
        let after = store.books().unwrap();
        prop_assert_eq!(people(&store), reference(&reports));
        let duplicates = |books: &Books| books.items.get("duplicate").copied().unwrap_or(0);
        prop_assert_eq!(duplicates(&after) - duplicates(&before), reports.len() as u64);
        prop_assert_eq!(after.items.get("applied"), before.items.get("applied"));
        prop_assert!(after.balance());
        let verified = rebuild::verify(&path).unwrap();
        prop_assert_eq!((verified.different, verified.miscounted), (0, 0));
    }
}
