//! Whatever is done in whatever order: the books balance after every step, nobody is leased twice, and in the end
//! everything can be written.

use super::bench::*;
use proptest::prelude::*;
use std::collections::HashSet;
use wabridge::store::outbox::*;
use wabridge_model::OperationKind as Kind;
use wabridge_model::event::Person;

#[derive(Debug, Clone)]
enum Step {
    Write(u32, u8),
    Claim(usize, usize),
    /// Settles the bundle at hand, each job by one of these.
    Settle(prop::sample::Index, [u8; 3]),
    Later(i64),
    Expire,
    Retry(i64),
    Discard(i64),
    Release,
    Again,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..3u32, 0..3u8).prop_map(|(person, name)| Step::Write(person, name)),
        5 => (0..3usize, 0..3usize).prop_map(|(urgent, bulk)| Step::Claim(urgent, bulk)),
        6 => (any::<prop::sample::Index>(), any::<[u8; 3]>()).prop_map(|(which, ends)| Step::Settle(which, ends)),
        3 => prop::sample::select(vec![1, 6, 130, 1500]).prop_map(Step::Later),
        1 => Just(Step::Expire),
        1 => (1..8i64).prop_map(Step::Retry),
        1 => (1..8i64).prop_map(Step::Discard),
        1 => Just(Step::Release),
        1 => Just(Step::Again),
    ]
}

fn name_of(person: u32, name: u8) -> Person {
    match name {
        0 => by_phone(person),
        1 => by_bsuid(person),
        _ => Person { bsuid: by_bsuid(person).bsuid, ..by_phone(person) },
    }
}

fn end(bench: &Bench, choice: u8, kind: Kind) -> End {
    let due_at = bench.now + minutes(i64::from(choice % 30));
    match choice % 9 {
        0 => End::Suppressed("unchanged"),
        1 => End::Retry { due_at, spent: true, cause: "throttle: 429".into() },
        2 => End::Doubt { due_at, cause: "unknown: cut".into() },
        3 => End::Held("drift: email".into()),
        4 => End::Dead("invalid: x".into()),
        _ => End::Done {
            record: None,
            matched_by: None,
            candidates: Vec::new(),
            stage: None,
            left_out: match kind {
                Kind::Person => [("wa_ad_id".to_owned(), "missing".to_owned())].into(),
                _ => [].into(),
            },
        },
    }
}

fn take(bench: &Bench, step: Step, number: usize, hand: &mut Vec<Leased>) {
    let now = bench.now;
    match step {
        Step::Write(person, name) => {
            bench.receive(&[message(name_of(person, name), &format!("m{number}"), now)]);
        }
        Step::Claim(urgent, bulk) => {
            let leased = bench.claim_some(urgent, bulk);
            assert!(leased.len() <= urgent + bulk);
            for bundle in &leased {
                assert!(bundle.jobs.iter().is_sorted_by_key(|job| job.kind), "the person first");
            }
            hand.extend(leased);
        }
        Step::Settle(which, ends) if !hand.is_empty() => {
            let leased = hand.remove(which.index(hand.len()));
            let jobs = leased.jobs.iter().zip(ends.iter().cycle());
            let ends = jobs.map(|(job, choice)| (job.id, job.revision, end(bench, *choice, job.kind)));
            bench.settle_with(&leased, ends.collect(), None);
        }
        Step::Expire => drop(bench.store.doubt_expired(now).unwrap()),
        Step::Retry(job) => drop(bench.store.retry_jobs(&[job], now).unwrap()),
        Step::Discard(job) => drop(bench.store.discard_jobs(&[job], "a test", now).unwrap()),
        Step::Release => drop(bench.store.release_jobs(CRM, "drift", now).unwrap()),
        Step::Again => drop(bench.store.want_again(CRM, "wa_ad_id", now).unwrap()),
        Step::Settle(..) | Step::Later(_) => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_books_balance_after_every_step_and_in_the_end_all_is_written(
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut bench = Bench::new();
        let mut hand = Vec::new();
        for (number, step) in steps.into_iter().enumerate() {
            if let Step::Later(time) = step {
                bench.later(minutes(time));
            }
            take(&bench, step, number, &mut hand);
            bench.assert_balanced();
            let leased = JobFilter { state: Some(JobState::Leased), ..JobFilter::default() };
            let leased = bench.store.jobs(&leased, 0, 1000).unwrap();
            let persons: Vec<_> = leased.iter().filter(|job| job.kind == Kind::Person).collect();
            let leads: HashSet<_> = persons.iter().map(|job| job.lead).collect();
            prop_assert_eq!(leads.len(), persons.len(), "nobody twice");
        }
        // Everything that was leased is in doubt, everything dead or held is tried again.
        bench.store.doubt_expired(jiff::Timestamp::MAX).unwrap();
        let all: Vec<i64> = bench.jobs().iter().map(|job| job.id).collect();
        bench.store.retry_jobs(&all, bench.now).unwrap();
        for _ in 0..10 {
            bench.later(hours(3));
            for leased in bench.claim() {
                bench.write_all(&leased, "7");
            }
            let held = bench.jobs().into_iter().filter(|job| job.state == JobState::Held).map(|job| job.id);
            bench.store.retry_jobs(&held.collect::<Vec<_>>(), bench.now).unwrap();
        }
        for job in bench.jobs() {
            let waits = job.cause.as_deref() == Some("person_discarded") || job.state == JobState::Pending
                && bench.jobs().iter().any(|it| it.lead == job.lead && it.state == JobState::Discarded);
            prop_assert!(job.state.is_over() || waits, "{:?}", job);
        }
        bench.assert_balanced();
    }
}
