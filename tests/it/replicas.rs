//! Several processes on one PostgreSQL database: whichever of them has a request in hand, each event is one, each person
//! one, and the books balance.

mod folding;
mod signals;
mod tls;

use crate::outbox::bench::{
    CRM, by_bsuid, by_phone, done, hours, message, minutes, phone, row, start, target,
};
use crate::projection::histories::{history, shuffle};
use crate::projection::{self, people, reference};
use crate::support::postgres;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use wabridge::routing::Routes;
use wabridge::store::mending::Mending;
use wabridge::store::outbox::{Claim, Leased, Outbox, Settled};
use wabridge::store::postgres::{Options, PostgresStore};
use wabridge::store::replay::{Parked, Replays};
use wabridge::store::turn::TURN;
use wabridge::store::{Books, Inbox, Ledger, Prepared, Request, StoreErrorKind, Stored, Turn};
use wabridge_model::Priority;
use wabridge_model::event::Person;
use wabridge_model::evidence::Report;

/// Two processes on one database.
struct Replicas {
    stores: [PostgresStore; 2],
    url: String,
    _folders: [TempDir; 2],
}

impl Replicas {
    fn new() -> Replicas {
        let folders = [TempDir::new().unwrap(), TempDir::new().unwrap()];
        let url = postgres::of(&PathBuf::from(folders[0].path()));
        let open = |folder: &TempDir| PostgresStore::open(&Options::new(&url, folder.path())).unwrap();
        let stores = [open(&folders[0]), open(&folders[1])];
        Replicas { stores, url, _folders: folders }
    }

    /// Delivers each report to each of them, at one time.
    fn receive_by_both(&self, reports: &[Report]) {
        self.receive(reports, (0..reports.len()).map(|index| [index, index]));
    }

    /// Delivers a report to the one and a report to the other, at one time, and so on.
    fn receive(&self, reports: &[Report], pairs: impl Iterator<Item = [usize; 2]>) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for [a, b] in pairs {
            let [one, other] = &self.stores;
            let stored = [one.append(request(&reports[a], a)), other.append(request(&reports[b], b))];
            stored.into_iter().for_each(|stored| runtime.block_on(stored).unwrap());
        }
    }

    /// Both project at one time, until nothing waits: one request each, so that the two of a message are in hand together.
    fn project(&self, reports: &[Report]) {
        std::thread::scope(|scope| {
            for store in &self.stores {
                scope.spawn(|| {
                    while store.books().unwrap().requests["waiting"] > 0 {
                        let claimed = store.claim(1).unwrap();
                        let prepared = claimed.iter().map(|stored| prepare(stored, reports)).collect();
                        match store.settle(prepared) {
                            Ok(settled) => assert_eq!(settled, claimed.len()),
                            // Taken back for the other's sake: it is claimed again.
                            Err(error) => assert_eq!(error.kind, StoreErrorKind::Busy, "{error:?}"),
                        }
                    }
                });
            }
        });
    }

    fn books(&self) -> Books {
        self.stores[0].books().unwrap()
    }

    /// Time passes by the database's clock, in which nobody is heard of.
    fn let_claims_run_out(&self) {
        postgres::run(&self.url, "UPDATE waiting SET held_until = 0");
    }
}

/// A request whose body says which report it stands for.
fn request(report: &Report, index: usize) -> Request {
    projection::request(report, index.to_string().into_bytes())
}

fn prepare(stored: &Stored, reports: &[Report]) -> Prepared {
    let index: usize = std::str::from_utf8(&stored.request.body).unwrap().parse().unwrap();
    projection::prepared(stored, &reports[index])
}

/// Messages of 50 people.
fn messages(count: u32) -> Vec<Report> {
    (0..count).map(|n| message(by_phone(n % 50), &format!("m{n}"), start())).collect()
}

#[test]
fn a_thousand_messages_that_reach_both_at_once_are_a_thousand_events() {
    let replicas = Replicas::new();
    let reports = messages(1000);
    replicas.receive_by_both(&reports);
    replicas.project(&reports);
    let books = replicas.books();
    assert!(books.balance(), "{books:?}");
    assert_eq!((books.items["applied"], books.items["duplicate"]), (1000, 1000), "{books:?}");
    assert_eq!(people(&replicas.stores[1]), reference(&reports));
}

#[test]
fn people_who_turn_out_to_be_one_are_one_whoever_projects_them() {
    let mut runner = TestRunner::new(Config { cases: 12, failure_persistence: None, ..Config::default() });
    let histories = (history(), any::<u64>());
    let run = runner.run(&histories, |(mut reports, seed)| {
        let replicas = Replicas::new();
        shuffle(&mut reports, seed);
        // Different events of the same people are in hand together.
        let count = reports.len();
        replicas.receive(&reports, (0..count).map(|index| [index, (index + 1) % count]));
        replicas.project(&reports);
        prop_assert!(replicas.books().balance(), "{:?}", replicas.books());
        let projected = people(&replicas.stores[0]);
        prop_assert_eq!(&projected, &reference(&reports));
        replicas.stores[1].rebuild(&|| true).unwrap();
        prop_assert_eq!(projected, people(&replicas.stores[1]), "a rebuild changes nobody");
        Ok(())
    });
    run.unwrap();
}

#[test]
fn one_person_under_two_names_is_in_one_hand_at_a_time() {
    let replicas = Replicas::new();
    let both = Person { phone: Some(phone(1)), ..by_bsuid(1) };
    let mut reports = vec![message(both, "both", start())];
    replicas.receive_by_both(&reports);
    replicas.project(&reports);
    for n in 0..100 {
        reports.push(message(by_phone(1), &format!("p{n}"), start()));
        reports.push(message(by_bsuid(1), &format!("b{n}"), start()));
    }
    replicas.receive(&reports, (1..reports.len()).step_by(2).map(|index| [index, index + 1]));
    replicas.project(&reports);
    let books = replicas.books();
    assert_eq!(books.items["applied"], reports.len() as u64, "{books:?}");
    assert_eq!(people(&replicas.stores[0]), reference(&reports));
}

#[test]
fn a_parked_request_that_is_proven_after_all_waits_like_any_other() {
    let replicas = Replicas::new();
    let [one, other] = &replicas.stores;
    let reports = messages(1);
    let Request { received_at, channel, query, headers, body, .. } = request(&reports[0], 0);
    assert!(one.park(Parked { received_at, channel, query, headers, body }).unwrap());
    let parked = one.parked_after(0, 10).unwrap();
    let proven = vec![(parked[0].0, request(&reports[0], 0))];
    one.unpark(proven.clone()).unwrap();
    // Another replay was faster.
    other.unpark(proven).unwrap();
    let books = replicas.books();
    assert_eq!((books.requests["stored"], books.requests["waiting"]), (1, 1), "{books:?}");
    replicas.project(&reports);
    assert!(replicas.books().balance(), "{:?}", replicas.books());
    assert_eq!(people(other), reference(&reports));
}

#[test]
fn a_turn_is_one_replicas_until_it_is_heard_of_no_more() {
    let replicas = Replicas::new();
    let [one, other] = &replicas.stores;
    let anew = |anew| Turn::Ours { anew };
    let turns = |account| [one, other].map(|store| store.take_turn(account, TURN).unwrap());
    assert_eq!(turns("crm"), [anew(true), Turn::Theirs]);
    assert_eq!(turns("crm"), [anew(false), Turn::Theirs]);
    assert_eq!(other.take_turn("another", TURN).unwrap(), anew(true), "each account has turns of its own");
    postgres::run(&replicas.url, "UPDATE turns SET until = 0 WHERE name = 'crm'");
    assert_eq!(other.take_turn("crm", TURN).unwrap(), anew(true));
    assert_eq!(turns("crm"), [Turn::Theirs, anew(false)]);
}

/// Both deliver while people write on: each job is in one hand at a time, and what is asked for meanwhile is not lost.
#[test]
fn nobody_is_leased_twice_while_people_write_on() {
    let replicas = Replicas::new();
    let reports = messages(400);
    let routes = Arc::new(Routes { targets: vec![target(CRM)], ..Routes::default() });
    replicas.stores.iter().for_each(|store| store.route_by(Arc::clone(&routes)));
    replicas.receive(&reports, (0..200).map(|index| [index, index + 200]));
    let held = Mutex::new(HashSet::new());
    let is_projected = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for store in &replicas.stores {
            scope.spawn(|| deliver(store, &held, &is_projected));
        }
        replicas.project(&reports);
        is_projected.store(true, Ordering::Release);
    });
    let books = replicas.books();
    assert!(books.balance() && books.is_delivered(), "{books:?}");
    assert!(books.jobs["done"] >= 50 * 2, "{books:?}");
    assert_eq!(people(&replicas.stores[0]), reference(&reports));
}

/// Leases and settles until all is projected and nothing is due.
fn deliver(store: &PostgresStore, held: &Mutex<HashSet<i64>>, is_projected: &AtomicBool) {
    // Late enough for everything to be due.
    let now = start() + hours(48);
    loop {
        let was_projected = is_projected.load(Ordering::Acquire);
        let claim = Claim {
            target: CRM,
            now,
            until: now + minutes(1),
            urgent: 10,
            bulk: 10,
            down_to: Priority::Bulk,
        };
        let leased = match store.claim_jobs(claim) {
            Ok(leased) => leased,
            Err(error) => {
                assert_eq!(error.kind, StoreErrorKind::Busy, "{error:?}");
                continue;
            }
        };
        let ids = || leased.iter().flat_map(|bundle| &bundle.jobs).map(|job| job.id);
        let is_new = |id| held.lock().unwrap().insert(id);
        assert!(ids().all(is_new), "somebody has it in hand");
        let settle = |bundle: &Leased| Settled {
            lease: bundle.lease,
            target: CRM.to_owned(),
            lead: bundle.lead,
            ends: bundle.jobs.iter().map(|job| (job.id, job.revision, done(job.kind, "1"))).collect(),
            record: Some(Some(row("1"))),
            at: now,
        };
        let settled: Vec<Settled> = leased.iter().map(settle).collect();
        // Let go just before: whoever is faster than that has it once it is settled.
        for bundle in settled {
            let ids: Vec<i64> = bundle.ends.iter().map(|(id, ..)| *id).collect();
            ids.iter().for_each(|id| assert!(held.lock().unwrap().remove(id)));
            while let Err(error) = store.settle_jobs(vec![bundle.clone()]) {
                assert_eq!(error.kind, StoreErrorKind::Busy, "{error:?}");
            }
        }
        if was_projected && leased.is_empty() && store.books().unwrap().is_delivered() {
            return;
        }
    }
}

#[test]
fn what_a_replica_had_in_hand_is_taken_over_and_settled_once() {
    let replicas = Replicas::new();
    let [gone, other] = &replicas.stores;
    let reports = messages(20);
    replicas.receive_by_both(&reports);
    let prepared = |claimed: &[Stored]| claimed.iter().map(|it| prepare(it, &reports)).collect::<Vec<_>>();
    let held = gone.claim(30).unwrap();
    assert_eq!(held.len(), 30);
    let rest = other.claim(100).unwrap();
    assert_eq!(rest.len(), 10, "nobody is given what another has in hand");
    assert_eq!(gone.claim(30).unwrap().len(), 30, "who asks again is given the same again");
    other.settle(prepared(&rest)).unwrap();

    replicas.let_claims_run_out();
    let taken = other.claim(100).unwrap();
    assert_eq!(taken.len(), 30);
    other.settle(prepared(&taken[..10])).unwrap();
    // It was asleep, and believes that it has them still.
    let late = gone.settle(prepared(&held)).unwrap_err();
    assert_eq!(late.kind, StoreErrorKind::Busy);
    other.settle(prepared(&taken[10..])).unwrap();
    let books = replicas.books();
    assert!(books.balance(), "{books:?}");
    assert_eq!((books.items["applied"], books.items["duplicate"]), (20, 20), "{books:?}");
    assert_eq!(people(gone), reference(&reports));
}
