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

fn retry(due_at: jiff::Timestamp, spent: bool) -> End {
    End::Retry { due_at, spent, cause: "down: 503".to_owned() }
}

#[test]
fn what_is_asked_for_again_before_it_is_written_is_one_operation() {
    let mut bench = Bench::new();
    bench.write(1, "a");
    bench.later(minutes(1));
    bench.write(1, "b");
    let leased = bench.claim_one();
    assert_eq!(leased.jobs.iter().map(|job| job.revision).collect::<Vec<_>>(), [2, 2]);
    assert!(leased.jobs.iter().all(|job| job.priority == Priority::Urgent), "no less urgent than at first");
    assert_eq!((bench.count("wanted"), bench.count("suppressed.coalesced")), (4, 2));
}

#[test]
fn what_is_asked_for_while_it_is_written_is_pending_when_that_is_over() {
    let mut bench = Bench::new();
    bench.write(1, "a");
    let leased = bench.claim_one();
    bench.write(1, "b");
    bench.write(1, "c");
    assert_eq!((bench.count("leased"), bench.count("pending")), (2, 2));
    assert_eq!(bench.count("suppressed.coalesced"), 2, "the third message adds nothing to the second");
    bench.write_all(&leased, "7");
    assert_eq!(bench.states(), [(Kind::Person, JobState::Pending), (Kind::Activity, JobState::Pending)]);
    assert!(bench.claim().is_empty(), "it is bulk");
    bench.later(minutes(5));
    let again = bench.claim_one();
    assert_eq!(
        again.jobs.iter().map(|job| (job.kind, job.revision)).collect::<Vec<_>>(),
        [(Kind::Activity, 2)]
    );
    assert_eq!(again.record, Some(row("7")));
    assert_eq!(again.jobs[0].record.as_ref().map(|it| it.id.as_str()), Some("7"), "what it wrote before");
}

#[test]
fn who_holds_an_old_lease_settles_nothing() {
    let mut bench = Bench::new();
    bench.write(1, "a");
    let stale = bench.claim_one();
    bench.later(minutes(1));
    assert_eq!(bench.store.doubt_expired(bench.now).unwrap(), 2);
    assert_eq!(bench.count("doubt"), 2);
    let fresh = bench.claim_one();
    assert!(fresh.jobs.iter().all(|job| job.doubtful && job.attempts == 1));
    bench.write_all(&stale, "1");
    assert_eq!(bench.count("leased"), 2, "it is somebody else's by now");
    assert!(bench.store.records(&[fresh.lead]).unwrap().is_empty());
    bench.write_all(&fresh, "2");
    bench.write_all(&fresh, "3");
    assert_eq!(bench.count("done"), 2);
    assert_eq!(bench.store.records(&[fresh.lead]).unwrap()[0].2, row("2"), "it is settled once");
}

#[test]
fn a_late_answer_counts_while_nobody_else_tried() {
    let mut bench = Bench::new();
    bench.write(1, "a");
    let leased = bench.claim_one();
    bench.later(minutes(2));
    assert_eq!(bench.store.doubt_expired(bench.now).unwrap(), 2);
    bench.write_all(&leased, "7");
    assert_eq!(bench.count("done"), 2);
}

#[test]
fn a_lease_that_is_extended_does_not_run_out_and_at_a_start_all_are_in_doubt() {
    let mut bench = Bench::new();
    bench.write(1, "a");
    let leased = bench.claim_one();
    let jobs: Vec<i64> = leased.jobs.iter().map(|job| job.id).collect();
    bench.store.extend_leases(&jobs, bench.now, bench.now + minutes(10)).unwrap();
    bench.later(minutes(5));
    assert_eq!(bench.store.doubt_expired(bench.now).unwrap(), 0);
    assert_eq!(bench.store.doubt_expired(jiff::Timestamp::MAX).unwrap(), 2);
    assert_eq!(
        bench.store.next_due(CRM, Priority::Bulk).unwrap(),
        Some(start()),
        "it is looked into at once"
    );
    let (_, attempts) = bench.store.job(jobs[0]).unwrap().unwrap();
    assert_eq!(attempts.len(), 1);
    assert_eq!((attempts[0].began_at, attempts[0].ended_at), (start(), None));
}

#[test]
fn nobody_is_tried_before_they_are_due_however_often_they_write() {
    let mut bench = Bench::new();
    bench.write(1, "a");
    let leased = bench.claim_one();
    let due = bench.now + minutes(30);
    bench.settle(&leased, &retry(due, true));
    bench.later(minutes(1));
    bench.write(1, "b");
    assert!(bench.claim().is_empty());
    assert_eq!(bench.store.next_due(CRM, Priority::Bulk).unwrap(), Some(due));
    bench.now = due;
    let leased = bench.claim_one();
    assert!(leased.jobs.iter().all(|job| job.attempts == 1), "{leased:?}");
    bench.settle(&leased, &retry(due + minutes(1), false));
    assert!(bench.jobs().iter().all(|job| job.attempts == 1), "an outage costs no attempt");
}

#[test]
fn while_the_person_backs_off_the_rest_waits_with_it() {
    let mut bench = Bench::new();
    bench.write(1, "a");
    let leased = bench.claim_one();
    let due = bench.now + minutes(30);
    let soon = bench.now + minutes(1);
    bench.settle_each(&leased, |job| retry(if job.kind == Kind::Person { due } else { soon }, true));
    bench.now = soon;
    assert!(bench.claim().is_empty());
    assert_eq!(bench.store.next_due(CRM, Priority::Bulk).unwrap(), Some(due), "nobody is woken in vain");
    bench.now = due;
    assert_eq!(bench.claim_one().jobs.len(), 2);
}

#[test]
fn a_dead_person_holds_the_rest_until_it_is_tried_again() {
    let mut bench = Bench::new();
    bench.write(1, "a");
    let leased = bench.claim_one();
    let cause = "invalid: VALIDATION_ERROR (field email)";
    let now = bench.now;
    bench.settle_each(&leased, |job| match job.kind {
        Kind::Person => End::Dead(cause.to_owned()),
        _ => retry(now, true),
    });
    assert!(bench.claim().is_empty());
    assert_eq!(bench.states(), [(Kind::Person, JobState::Dead), (Kind::Activity, JobState::Held)]);
    assert_eq!(bench.jobs()[1].cause.as_deref(), Some("person_dead"));
    assert_eq!(bench.store.depth().unwrap().dead[&(CRM.to_owned(), cause.to_owned())], 1);
    let dead =
        JobFilter { state: Some(JobState::Dead), cause: Some(cause.to_owned()), ..JobFilter::default() };
    let dead = bench.store.jobs(&dead, 0, 10).unwrap();
    assert_eq!(dead.len(), 1);
    assert_eq!(bench.store.retry_jobs(&[dead[0].id], bench.now).unwrap(), 1);
    let leased = bench.claim_one();
    assert_eq!(leased.jobs.iter().map(|job| job.attempts).collect::<Vec<_>>(), [0, 1]);
    bench.settle_each(&leased, |job| match job.kind {
        Kind::Person => End::Held("drift: email".to_owned()),
        _ => retry(now, true),
    });
    bench.later(minutes(1));
    assert!(bench.claim().is_empty());
    assert_eq!(bench.jobs()[1].cause.as_deref(), Some("person_held"));
    assert_eq!(bench.store.release_jobs(CRM, "auth", bench.now).unwrap(), 0);
    assert_eq!(bench.store.release_jobs(CRM, "drift", bench.now).unwrap(), 1);
    bench.write_all(&bench.claim_one(), "7");
    assert_eq!(bench.count("done"), 2);
}

#[test]
fn what_killed_a_job_may_be_gone_when_it_is_asked_for_again() {
    let mut bench = Bench::new();
    bench.write(1, "a");
    bench.settle(&bench.claim_one(), &End::Dead("invalid: x".to_owned()));
    bench.later(hours(30));
    bench.write(1, "b");
    assert_eq!(bench.count("dead"), 1, "the first conversation; the person is tried anew");
    assert_eq!(bench.claim_one().jobs.len(), 2, "and the second conversation with it");
}

#[test]
fn a_job_that_is_given_up_says_why_and_is_not_taken_from_who_writes_it() {
    let mut bench = Bench::new();
    bench.write(1, "a");
    let leased = bench.claim_one();
    let ids: Vec<i64> = leased.jobs.iter().map(|job| job.id).collect();
    assert_eq!(bench.store.discard_jobs(&ids, "a test", bench.now).unwrap(), 0);
    bench.settle(&leased, &End::Dead("invalid: x".to_owned()));
    assert_eq!(bench.store.discard_jobs(&ids[..1], "a test", bench.now).unwrap(), 1);
    let given_up = JobFilter { state: Some(JobState::Discarded), ..JobFilter::default() };
    let given_up = bench.store.jobs(&given_up, 0, 10).unwrap();
    assert_eq!(given_up.iter().map(|job| job.cause.as_deref()).collect::<Vec<_>>(), [Some("a test")]);
    assert_eq!(bench.count("discarded"), 1);
    bench.assert_balanced();
    // Without a person there is nobody to log a conversation with.
    bench.store.retry_jobs(&ids, bench.now).unwrap();
    assert!(bench.claim().is_empty());
    assert_eq!(bench.jobs()[1].cause.as_deref(), Some("person_discarded"));
    bench.later(hours(30));
    bench.write(1, "b");
    assert_eq!(bench.claim_one().jobs.len(), 3);
}

#[test]
fn what_was_left_out_is_asked_for_again_when_its_field_returns() {
    let bench = Bench::new();
    bench.write(1, "a");
    let leased = bench.claim_one();
    bench.settle_each(&leased, |job| End::Done {
        record: None,
        matched_by: None,
        candidates: Vec::new(),
        stage: None,
        left_out: match job.kind {
            Kind::Person => [("wa_ad_id".to_owned(), "missing".to_owned())].into(),
            _ => [].into(),
        },
    });
    assert_eq!(bench.jobs()[0].left_out["wa_ad_id"], "missing");
    assert_eq!(bench.store.want_again(CRM, "another", bench.now).unwrap(), 0);
    assert_eq!(bench.store.want_again(CRM, "wa_ad_id", bench.now).unwrap(), 1);
    assert_eq!(bench.claim_one().jobs.iter().map(|job| job.kind).collect::<Vec<_>>(), [Kind::Person]);
}

#[test]
fn urgent_and_bulk_bundles_each_have_their_share() {
    let mut bench = Bench::new();
    for person in 0..6 {
        bench.write(person, &format!("a{person}"));
    }
    for leased in bench.claim() {
        bench.write_all(&leased, "7");
    }
    for person in 0..6 {
        bench.write(person, &format!("b{person}"));
    }
    bench.later(minutes(5));
    for person in 6..12 {
        bench.write(person, &format!("c{person}"));
    }
    let leased = bench.claim_some(2, 1);
    let urgent = |leased: &Leased| leased.jobs.iter().any(|job| job.priority < Priority::Bulk);
    assert_eq!(leased.iter().map(urgent).collect::<Vec<_>>(), [true, true, false]);
    let leads: Vec<_> = leased.iter().map(|leased| leased.lead).collect();
    assert_eq!(leads, [bench.lead(6), bench.lead(7), bench.lead(0)], "the oldest first");
    assert_eq!(bench.claim_some(0, 9).len(), 5, "nobody twice");
}

#[test]
fn the_newest_twenty_attempts_are_kept() {
    let mut bench = Bench::new();
    bench.write(1, "a");
    for _ in 0..25 {
        let leased = bench.claim_one();
        bench.settle(&leased, &retry(bench.now, true));
        bench.later(minutes(1));
    }
    let (job, attempts) = bench.store.job(1).unwrap().unwrap();
    assert_eq!((job.attempts, attempts.len()), (25, 20));
    assert_eq!(attempts[0].began_at, start() + minutes(5));
    assert!(attempts.iter().all(|attempt| attempt.result.as_deref() == Some("retry: down: 503")));
}

#[test]
fn targets_and_what_they_would_have_been_sent_are_kept() {
    let bench = Bench::new();
    let store = &bench.store;
    assert_eq!(store.target(CRM).unwrap(), TargetRow::default());
    store.pause_target(CRM, Some("auth")).unwrap();
    let schema = serde_json::json!({"contact": ["email"]});
    store.keep_schema(CRM, &schema, bench.now).unwrap();
    let known = TargetRow { paused: Some("auth".to_owned()), schema: Some((schema, bench.now)) };
    assert_eq!(store.target(CRM).unwrap(), known);
    store.pause_target(CRM, None).unwrap();
    assert_eq!(store.target(CRM).unwrap(), TargetRow { paused: None, ..known });
    bench.write(1, "a");
    let lead = bench.lead(1);
    let diff = [("email".to_owned(), (serde_json::Value::Null, "a".into()))].into();
    let row = ShadowRow {
        lead,
        kind: Kind::Person,
        at: bench.now,
        action: "create".into(),
        matched_by: None,
        diff,
    };
    store.keep_shadow(CRM, vec![row.clone(), row.clone()]).unwrap();
    assert_eq!(store.shadow(CRM, None, 10).unwrap(), [row]);
    assert!(store.shadow(CRM, Some(lead), 10).unwrap().is_empty());
}
