//! A job, step by step.

use super::bench::*;
use wabridge::store::outbox::*;
use wabridge_model::{OperationKind as Kind, Priority};

#[test]
fn a_first_message_asks_at_once_for_the_person_and_the_conversation() {
    let bench = Bench::new();
    bench.write(1, "a");
    let leased = bench.claim_one();
    assert_eq!(leased.lead, bench.lead(1));
    assert_eq!(leased.record, None);
    let kinds: Vec<Kind> = leased.jobs.iter().map(|job| job.kind).collect();
    assert_eq!(kinds, [Kind::Person, Kind::Activity]);
    assert!(leased.jobs.iter().all(|job| job.priority == Priority::Urgent && job.state == JobState::Leased));
    assert!(bench.claim().is_empty(), "it is leased");
    bench.write_all(&leased, "7");
    assert_eq!(bench.states(), [(Kind::Person, JobState::Done), (Kind::Activity, JobState::Done)]);
    assert_eq!((bench.count("wanted"), bench.count("done")), (2, 2));
    let records = bench.store.records(&[leased.lead]).unwrap();
    assert_eq!(records, [(leased.lead, CRM.to_owned(), row("7"))]);
}
