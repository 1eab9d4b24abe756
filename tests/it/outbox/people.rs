//! People who turn out to be one, and people with no outbox at all.

use super::bench::*;
use std::path::Path;
use wabridge::config::Config;
use wabridge::leads::find::{Found, Reference, find};
use wabridge::leads::view;
use wabridge::store::outbox::*;
use wabridge::store::sqlite::rebuild;
use wabridge_model::OperationKind as Kind;
use wabridge_model::event::Person;

/// Somebody under both names.
fn both(n: u32) -> Person {
    Person { bsuid: by_bsuid(n).bsuid, ..by_phone(n) }
}

#[test]
fn without_targets_nothing_is_asked_for() {
    let bench = Bench::with(Vec::new());
    bench.write(1, "a");
    assert!(bench.jobs().is_empty());
    assert_eq!(bench.count("wanted"), 0);
}

#[test]
fn a_person_met_under_two_names_has_one_record_and_one_job_for_it() {
    let mut bench = Bench::new();
    bench.receive(&[message(by_bsuid(1), "a", bench.now)]);
    let first = bench.claim_one();
    bench.write_all(&first, "old");
    bench.later(minutes(10));
    bench.receive(&[message(by_phone(1), "b", bench.now)]);
    let second = bench.claim_one();
    assert_ne!(first.lead, second.lead);
    bench.write_all(&second, "new");
    bench.later(minutes(10));
    bench.receive(&[message(by_phone(1), "c", bench.now), message(by_bsuid(1), "d", bench.now)]);
    bench.receive(&[message(both(1), "e", bench.now)]);
    let leased = bench.claim_one();
    assert_eq!(leased.lead, first.lead, "under the oldest id");
    assert_eq!(leased.jobs.iter().filter(|job| job.kind == Kind::Person).count(), 1, "{leased:?}");
    assert_eq!(leased.record, Some(row("old")), "the record of the oldest id stays");
    let other = bench.store.lead_of_record(Some(CRM), "new").unwrap();
    assert_eq!(other, [(second.lead, CRM.to_owned())], "the other stays recorded under its own");
    assert!(bench.count("suppressed.merged") > 0, "{:?}", bench.books());
    bench.write_all(&leased, "old");
    bench.later(hours(3));
    for leased in bench.claim() {
        assert_eq!(leased.lead, first.lead);
    }
}

#[test]
fn a_record_under_an_id_that_answers_no_more_goes_along_where_there_is_no_other() {
    let mut bench = Bench::new();
    bench.receive(&[message(by_bsuid(1), "a", bench.now)]);
    let first = bench.claim_one();
    bench.settle(&first, &End::Dead("invalid: no phone".to_owned()));
    bench.receive(&[message(by_phone(1), "b", bench.now)]);
    let second = bench.claim_one();
    bench.write_all(&second, "7");
    bench.later(minutes(1));
    bench.receive(&[message(both(1), "c", bench.now)]);
    let leased = bench.claim_one();
    assert_eq!((leased.lead, leased.record), (first.lead, Some(row("7"))));
}

#[test]
fn while_a_record_is_written_under_one_id_nobody_writes_it_under_the_other() {
    let mut bench = Bench::new();
    bench.receive(&[message(by_bsuid(1), "a", bench.now)]);
    let first = bench.claim_one();
    bench.receive(&[message(by_phone(1), "b", bench.now)]);
    let second = bench.claim_one();
    bench.write_all(&first, "7");
    bench.later(minutes(10));
    bench.receive(&[message(both(1), "c", bench.now)]);
    bench.later(minutes(10));
    assert!(bench.claim().is_empty(), "{second:?} is not over");
    bench.write_all(&second, "8");
    assert_eq!(bench.claim_one().lead, first.lead);
}

#[test]
fn a_rebuild_asks_for_nothing_and_keeps_the_conversations() {
    let mut bench = Bench::new();
    bench.write(1, "a");
    let leased = bench.claim_one();
    bench.write_all(&leased, "7");
    bench.later(minutes(1));
    bench.write(2, "b");
    let (before, jobs) = (bench.books(), bench.jobs());
    wabridge::store::mending::Mending::rebuild(&*bench.store, &|| true).unwrap();
    assert_eq!((bench.books(), bench.jobs()), (before, jobs));
    let ids = [leased.jobs[1].subject.clone()];
    assert_eq!(bench.store.conversations(&ids).unwrap()[0].lead, leased.lead);
    assert_eq!(bench.store.cluster_ids(0, 10).unwrap().len(), 2);
    if bench.path.exists() {
        assert_eq!(rebuild::verify(&bench.path).unwrap().different, 0);
    }
}

#[test]
fn a_duplicate_asks_for_nothing() {
    let bench = Bench::new();
    bench.write(1, "a");
    let wanted = bench.count("wanted");
    bench.write(1, "a");
    assert_eq!(bench.count("wanted"), wanted);
}

#[test]
fn the_page_of_a_lead_names_its_records() {
    let bench = Bench::new();
    bench.write(1, "a");
    bench.write_all(&bench.claim_one(), "7");
    let reference = Reference::Phone(phone(1));
    let Found::Lead(person) = find(&*bench.store, &reference, None).unwrap() else { panic!("nobody") };
    let config = Config::parse("", Path::new("wabridge.toml")).unwrap();
    let view = view::lead(&*bench.store, &person, bench.now, &config).unwrap().unwrap();
    let record = &view.records[0];
    let told = [&record.target, &record.kind, &record.id, &record.matched_by];
    assert_eq!(told, [CRM, "contact", "7", "created"]);
}
