//! Changes of counts are folded into their sums by one replica at a time, while both count and people read.

use super::{Replicas, messages};
use crate::support::postgres;
use jiff::tz::TimeZone;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use wabridge::leads::rollup::Model;
use wabridge::store::postgres::PostgresStore;
use wabridge::store::{By, DateOf, Ledger, Question, Rolled, Rollups, StoreErrorKind};

const CHANGES: &str = "SELECT (SELECT count(*) FROM counter_changes) + (SELECT count(*) FROM rollup_changes)";
const SUMS: &str = "SELECT name, value FROM counter_sums WHERE value <> 0 ORDER BY name";
const COUNTERS: &str = "SELECT name, value FROM counters WHERE value <> 0 ORDER BY name";

fn attribution(store: &PostgresStore) -> Vec<Rolled> {
    let question =
        Question { by: By::Day, model: Model::First, date: DateOf::Touch, since: None, until: None };
    store.attribution(&question, &TimeZone::get("Asia/Kolkata").unwrap()).unwrap()
}

#[test]
fn counts_are_folded_while_both_count_and_every_reader_sees_each_once() {
    let replicas = Replicas::new();
    let reports = messages(300);
    replicas.receive_by_both(&reports);
    let (is_over, folded) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for store in &replicas.stores {
            scope.spawn(|| {
                while !is_over.load(Ordering::Acquire) {
                    folded.fetch_add(store.fold().unwrap(), Ordering::AcqRel);
                }
            });
        }
        scope.spawn(|| {
            while !is_over.load(Ordering::Acquire) {
                let books = replicas.stores[1].books().unwrap();
                assert!(books.balance(), "{books:?}");
                assert_eq!(books.requests["stored"], 600, "counted once, wherever it is kept");
            }
        });
        replicas.project(&reports);
        is_over.store(true, Ordering::Release);
    });
    assert!(folded.into_inner() > 0, "nothing was folded beside projection");
    let (counted, attributed) = (replicas.books(), attribution(&replicas.stores[0]));
    let counters = postgres::ask(&replicas.url, COUNTERS);
    while replicas.stores[0].fold().unwrap() > 0 {}
    assert_eq!(postgres::ask(&replicas.url, CHANGES), "0");
    assert_eq!(postgres::ask(&replicas.url, SUMS), counters);
    assert_eq!(replicas.books(), counted);
    assert_eq!((counted.items["applied"], counted.items["duplicate"]), (300, 300), "{counted:?}");
    assert_eq!(attribution(&replicas.stores[1]), attributed);
    assert_eq!(attributed.iter().map(|row| row.conversations).sum::<i64>(), 50, "{attributed:?}");
}

#[test]
fn a_sum_that_comes_to_nothing_goes() {
    let replicas = Replicas::new();
    let key = "'', '2026-11-22', 'ad', '', 'meta', 'complete', ''";
    let change = |counts: &str| {
        postgres::run(&replicas.url, &format!("INSERT INTO rollup_changes VALUES ({key}, {counts})"));
    };
    change("2, 1, 1, 0, 0, 0, 0, 0");
    assert_eq!(replicas.stores[0].fold().unwrap(), 1);
    let sums = "SELECT conversations, leads FROM rollup_sums";
    assert_eq!(postgres::ask(&replicas.url, sums), "2|1");
    change("-2, 0, -1, 0, 0, 0, 0, 0");
    assert_eq!(replicas.stores[0].fold().unwrap(), 1);
    assert_eq!(postgres::ask(&replicas.url, sums), "0|1", "what comes late may still be on its way");
    change("0, -1, 0, 0, 0, 0, 0, 0");
    assert_eq!(replicas.stores[0].fold().unwrap(), 1);
    assert_eq!(postgres::ask(&replicas.url, sums), "");
}

/// Somebody who folds, and stops in the middle.
const FOLDING: &str = "SELECT pg_advisory_lock(9223372036854775806)";

#[test]
fn who_finds_another_folding_leaves_it_to_them() {
    let replicas = Replicas::new();
    replicas.receive_by_both(&messages(1));
    let other = postgres::hold(&replicas.url, FOLDING);
    assert_eq!(replicas.stores[0].fold().unwrap(), 0);
    assert_eq!(replicas.books().requests["stored"], 2, "and nobody waits");
    drop(other);
    let fold = || replicas.stores[0].fold().map_err(|error| assert_eq!(error.kind, StoreErrorKind::Busy));
    crate::support::process::until("it is folded", || fold().ok().filter(|folded| *folded > 0));
}
