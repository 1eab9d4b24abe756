//! A CRM that says to wait, and one that is gone for two days.

use super::world::{HUBSPOT, World, by_number};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::sync::atomic::Ordering;

fn two() -> World {
    let second = HUBSPOT.replace("name = \"hubspot\"", "name = \"second\"");
    World::of(&format!("{HUBSPOT}{second}"))
}

#[test]
fn nobody_is_called_before_retry_after_and_nothing_dies_of_it() {
    let mut world = two();
    world.run();
    let (stormy, calm) = (world.crm("hubspot"), world.crm("second"));
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
        let at: Timestamp = call["at"].as_str().unwrap().parse().unwrap();
        if let Some(then) = refused_at {
            assert!(at.duration_since(then) >= SignedDuration::from_secs(90), "called {at}, refused {then}");
        }
        refused_at = (call["status"] == 429).then_some(at);
        refused += usize::from(call["status"] == 429);
    }
    assert_eq!(refused, 40, "every refusal that was planned");
}

#[test]
fn after_two_days_of_outage_all_of_it_is_there_without_a_herd() {
    let mut world = two();
    world.run();
    let (gone, well) = (world.crm("hubspot"), world.crm("second"));
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
    let at: Vec<i64> = gone.taken_calls().iter().map(|(at, _)| at.duration_since(back).as_secs()).collect();
    let within_ten = |from: i64| at.iter().filter(|second| (from..from + 10).contains(*second)).count();
    let most = at.iter().map(|from| within_ten(*from)).max().unwrap_or(0);
    assert!(most <= 190, "{most} calls within ten seconds; HubSpot allows 190");
}
