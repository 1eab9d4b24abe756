//! A CRM that says to wait, and one that is gone for two days.

use super::world::{At, World, at_each_crm, by_number};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::sync::atomic::Ordering;

at_each_crm!(
    nobody_is_called_before_retry_after_and_nothing_dies_of_it,
    after_two_days_of_outage_all_of_it_is_there_without_a_herd,
);

/// A CRM, and the other one beside it.
fn two(at: &At) -> World {
    World::of(&format!("{}{}", at.target, (at.other)().target))
}

fn nobody_is_called_before_retry_after_and_nothing_dies_of_it(at: &At) {
    let mut world = two(at);
    world.run();
    let (stormy, calm) = (world.crm(at.name), world.crm((at.other)().name));
    stormy.taken_calls();
    stormy.fate(&json!({"fate": "reject_429", "times": 40, "retry_after": 90}));
    for n in 0..60 {
        world.says(by_number(n), &format!("m{n}"));
        world.run_for(SignedDuration::from_secs(20));
        assert_eq!(calm.ledger("persons").len(), n as usize + 1, "a storm elsewhere delays nobody here");
    }
    world.run_for(SignedDuration::from_hours(12));
    world.assert_drained();
    assert_eq!((stormy.ledger("persons").len(), stormy.ledger("activities").len()), (60, 60));
    let calls = stormy.ledger("calls");
    let mut refused_at: Option<Timestamp> = None;
    let mut refused = 0;
    for call in &calls {
        let called: Timestamp = call["at"].as_str().unwrap().parse().unwrap();
        if let Some(then) = refused_at {
            assert!(
                called.duration_since(then) >= SignedDuration::from_secs(at.rest),
                "called {called}, refused {then}"
            );
        }
        refused_at = (call["status"] == 429).then_some(called);
        refused += usize::from(call["status"] == 429);
    }
    assert_eq!(refused, 40, "every refusal that was planned");
}

fn after_two_days_of_outage_all_of_it_is_there_without_a_herd(at: &At) {
    let mut world = two(at);
    world.run();
    let (gone, well) = (world.crm(at.name), world.crm((at.other)().name));
    gone.taken_calls();
    gone.gone.store(true, Ordering::Relaxed);
    for n in 0..480 {
        world.says(by_number(n), &format!("m{n}"));
        world.run_for(SignedDuration::from_mins(6));
    }
    assert_eq!(well.ledger("persons").len(), 480, "the other target is undisturbed");
    assert_eq!(gone.ledger("persons").len(), 0);
    assert_eq!(world.jobs("dead"), 0, "an outage kills nothing");
    let probes = std::mem::take(&mut *gone.calls.lock().unwrap()).len();
    assert!((48..2_000).contains(&probes), "{probes} calls in two days of outage");

    gone.gone.store(false, Ordering::Relaxed);
    let back = world.now();
    world.run_for(SignedDuration::from_hours(2));
    assert_eq!((gone.ledger("persons").len(), gone.ledger("activities").len()), (480, 480));
    world.assert_drained();
    let seconds: Vec<i64> =
        gone.taken_calls().iter().map(|(called, _)| called.duration_since(back).as_secs()).collect();
    let within_ten = |from: i64| seconds.iter().filter(|second| (from..from + 10).contains(*second)).count();
    let most = seconds.iter().map(|from| within_ten(*from)).max().unwrap_or(0);
    assert!(most <= 190, "{most} calls within ten seconds; HubSpot allows 190");
}
