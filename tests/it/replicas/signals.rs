//! What one replica does wakes another, whose turn it may be to go on with it.

use super::{messages, prepare, request};
use crate::outbox::bench::{CRM, start, target};
use crate::support::postgres;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, channel};
use std::time::Duration;
use tempfile::TempDir;
use wabridge::routing::Routes;
use wabridge::store::outbox::{JobFilter, Outbox};
use wabridge::store::postgres::{Options, PostgresStore};
use wabridge::store::replay::{Parked, Replays};
use wabridge::store::signal::Signal;
use wabridge::store::{Inbox, Ledger};

/// Longer than any wait to be connected again, and far shorter than any look of its own would be if there were one.
const PATIENCE: Duration = Duration::from_secs(20);

/// A replica, and what it hears.
struct Listening {
    store: PostgresStore,
    heard: Receiver<Signal>,
    _folder: TempDir,
}

impl Listening {
    fn to(url: &str) -> Listening {
        let (tell, heard) = channel();
        let folder = TempDir::new().unwrap();
        let tell = move |signal| {
            // A test that is over hears nothing more.
            let _ = tell.send(signal);
        };
        let options = Options { heard: Arc::new(tell), ..Options::new(url, folder.path()) };
        let listening = Listening { store: PostgresStore::open(&options).unwrap(), heard, _folder: folder };
        listening.hears(&Signal::ALL);
        listening
    }

    fn hears(&self, signals: &[Signal]) {
        for signal in signals {
            assert_eq!(self.heard.recv_timeout(PATIENCE), Ok(*signal));
        }
    }

    fn heard_nothing_more(&self) {
        assert_eq!(self.heard.try_recv(), Err(TryRecvError::Empty));
    }
}

fn database() -> (String, TempDir) {
    let folder = TempDir::new().unwrap();
    (postgres::of(&PathBuf::from(folder.path())), folder)
}

fn append(store: &PostgresStore, count: u32) {
    let reports = messages(count);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let stored: Vec<_> =
        reports.iter().enumerate().map(|(index, report)| store.append(request(report, index))).collect();
    stored.into_iter().for_each(|stored| runtime.block_on(stored).unwrap());
}

#[test]
fn jobs_that_one_asks_for_or_changes_wake_the_others_and_not_itself() {
    let (url, _folder) = database();
    let (one, other) = (Listening::to(&url), Listening::to(&url));
    one.store.route_by(Arc::new(Routes { targets: vec![target(CRM)], ..Routes::default() }));
    append(&one.store, 1);
    let reports = messages(1);
    let prepared = one.store.claim(10).unwrap().iter().map(|stored| prepare(stored, &reports)).collect();
    assert_eq!(one.store.settle(prepared).unwrap(), 1);
    other.hears(&[Signal::Jobs]);
    let jobs = other.store.jobs(&JobFilter::default(), 0, 10).unwrap();
    let jobs: Vec<i64> = jobs.iter().map(|job| job.id).collect();
    assert!(!jobs.is_empty(), "they are there when it is said");
    assert_eq!(other.store.retry_jobs(&jobs, start()).unwrap(), jobs.len());
    one.hears(&[Signal::Jobs]);
    // As a command does that finds no daemon.
    let command = PostgresStore::open(&Options::new(&url, TempDir::new().unwrap().path())).unwrap();
    command.pause_target(CRM, Some("operator")).unwrap();
    one.hears(&[Signal::Jobs]);
    other.hears(&[Signal::Jobs]);
    command.pause_target(CRM, None).unwrap();
    one.hears(&[Signal::Jobs]);
    other.hears(&[Signal::Jobs]);
    one.heard_nothing_more();
    other.heard_nothing_more();
}

#[test]
fn what_is_taken_back_is_not_told() {
    let (url, _folder) = database();
    let (one, other) = (Listening::to(&url), Listening::to(&url));
    one.store.route_by(Arc::new(Routes { targets: vec![target(CRM)], ..Routes::default() }));
    append(&one.store, 1);
    let reports = messages(1);
    let prepared = || one.store.claim(10).unwrap().iter().map(|it| prepare(it, &reports)).collect();
    let late = prepared();
    // Another has it in hand by the time that the work is done.
    postgres::run(&url, "UPDATE waiting SET holder = 1");
    one.store.settle(late).unwrap_err();
    other.store.pause_target(CRM, None).unwrap();
    one.hears(&[Signal::Jobs]);
    other.heard_nothing_more();
    assert_eq!(one.store.books().unwrap().requests["waiting"], 1);
}

#[test]
fn requests_that_one_has_no_time_for_wake_the_others() {
    let (url, _folder) = database();
    let (one, other) = (Listening::to(&url), Listening::to(&url));
    append(&one.store, 255);
    assert_eq!(one.store.claim(1024).unwrap().len(), 255);
    append(&one.store, 10);
    assert_eq!(one.store.claim(1024).unwrap().len(), 256);
    other.hears(&[Signal::Requests]);
    assert_eq!(other.store.claim(1024).unwrap().len(), 9);
    other.heard_nothing_more();
}

#[test]
fn who_lost_the_connection_looks_at_everything_once_it_is_back_and_hears_again() {
    let (url, _folder) = database();
    let (one, other) = (Listening::to(&url), Listening::to(&url));
    postgres::run(
        &url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND query = 'LISTEN wabridge'",
    );
    one.hears(&Signal::ALL);
    other.hears(&Signal::ALL);
    one.store.pause_target(CRM, Some("operator")).unwrap();
    other.hears(&[Signal::Jobs]);
    let last = other.heard.recv_timeout(Duration::from_millis(1));
    assert_eq!(last, Err(RecvTimeoutError::Timeout), "each once");
}

#[test]
fn a_parked_request_that_is_proven_waits_like_any_other_and_wakes_the_others() {
    let (url, _folder) = database();
    let (one, other) = (Listening::to(&url), Listening::to(&url));
    let proven = request(&messages(1)[0], 0);
    let parked = Parked {
        received_at: proven.received_at,
        channel: proven.channel.clone(),
        query: String::new(),
        headers: Vec::new(),
        body: proven.body.clone(),
    };
    assert!(one.store.park(parked).unwrap());
    let id = one.store.parked_after(0, 10).unwrap()[0].0;
    one.store.unpark(vec![(id, proven)]).unwrap();
    other.hears(&[Signal::Requests]);
    let books = one.store.books().unwrap();
    assert_eq!((books.requests["stored"], books.requests["waiting"]), (1, 1), "{books:?}");
    assert_eq!(other.store.claim(10).unwrap().len(), 1);
}
