//! What a CRM allows an account is never used beyond, and what of it is left goes to what is most urgent.

use super::world::{Simulated, World, by_number};
use crate::outbox::bench::report;
use jiff::SignedDuration;
use serde_json::json;
use wabridge::outbox::budget::Seen;
use wabridge::store::outbox::JobState;
use wabridge_model::event::{Choice, Fact, Preference};

/// The calls that a CRM refused because they were too many.
pub(super) fn refused(crm: &Simulated) -> usize {
    crm.ledger("calls").iter().filter(|call| call["status"] == 429).count()
}

pub(super) fn seen(world: &World, target: &str) -> Seen {
    world.metrics.quota_of(target).swap_remove(0)
}

#[test]
fn many_new_leads_at_once_keep_to_the_pace_of_the_account() {
    let mut world = World::hubspot();
    let crm = world.only();
    for n in 0..200 {
        world.says(by_number(n), &format!("m{n}"));
    }
    world.run_for(SignedDuration::from_mins(2));
    world.assert_drained();
    assert_eq!((crm.ledger("persons").len(), crm.ledger("activities").len()), (200, 200));
    assert_eq!(refused(&crm), 0);
    let attempts = world.listed(JobState::Done).iter().map(|job| job.attempts).max();
    assert_eq!(attempts, Some(1), "to wait for room is no attempt");
}

#[test]
fn what_was_used_outlasts_a_restart_and_what_others_use_counts() {
    let mut world = World::hubspot();
    let crm = world.only();
    for n in 0..30 {
        world.says(by_number(n), &format!("m{n}"));
        world.run_for(SignedDuration::from_mins(1));
    }
    let before = seen(&world, "hubspot");
    assert_eq!((before.size, before.used), (650_000, crm.ledger("calls").len() as u64));
    world.restart();
    world.run_for(SignedDuration::from_secs(1));
    let after = seen(&world, "hubspot");
    let over = after.used - before.used;
    assert_eq!(after.size, 650_000, "as told before the start");
    assert!(over <= 650_000 / 2_000 + 20, "{over} more: as far as was written ahead, and the schema");

    crm.set(&json!({"quota": {"used": 600_000}}));
    world.says(by_number(100), "m100");
    world.run_for(SignedDuration::from_secs(1));
    let told = seen(&world, "hubspot");
    assert!(told.used >= 600_000 && told.has_reached(85) && !told.has_reached(95), "{told:?}");
}

#[test]
fn what_can_wait_waits_from_85_percent_on_and_at_the_end_nothing_is_called() {
    let mut world = World::hubspot();
    let crm = world.only();
    for n in 0..3 {
        world.says(by_number(n), &format!("m{n}"));
    }
    world.run_for(SignedDuration::from_hours(3));
    world.assert_drained();
    let used = |share: u64| crm.set(&json!({"quota": {"used": share * 6_500}}));
    used(86);
    world.says(by_number(9), "tells what is used");
    world.run_for(SignedDuration::from_secs(2));
    crm.taken_calls();
    world.says(by_number(0), "again");
    world.run_for(SignedDuration::from_mins(30));
    assert_eq!(crm.taken_calls(), [], "a conversation goes on: that can wait");
    assert!(!world.listed(JobState::Pending).is_empty());

    world.says(by_number(10), "new");
    world.run_for(SignedDuration::from_secs(2));
    assert!(!crm.taken_calls().is_empty(), "a new lead does not wait");
    used(96);
    world.says_from_ad(by_number(11), "ad");
    world.run_for(SignedDuration::from_secs(2));
    assert_eq!(crm.ledger("persons").len(), 6);
    world.says(by_number(12), "new too");
    world.run_for(SignedDuration::from_secs(2));
    assert_eq!(crm.ledger("persons").len(), 6, "nobody brought by an ad");
    world.says_from_ad(by_number(13), "another ad");
    world.run_for(SignedDuration::from_secs(2));
    assert_eq!(crm.ledger("persons").len(), 7);

    used(100);
    world.says_from_ad(by_number(14), "nothing is left");
    world.run_for(SignedDuration::from_mins(10));
    assert!(refused(&crm) <= 1, "it is told by the first call that others used the rest");
    used(10);
    world.run_for(SignedDuration::from_hours(5));
    world.assert_drained();
    assert_eq!(crm.ledger("persons").len(), 9);
}

/// At the edge of a share a write of what can wait does not fit, and less may.
#[test]
fn who_becomes_urgent_does_not_wait_for_what_was_put_off_of_theirs() {
    let mut world = World::of(&format!("{}[target.quota]\ndaily = 5203\n", super::world::HUBSPOT));
    let crm = world.only();
    world.says(by_number(0), "m0");
    world.run_for(SignedDuration::from_hours(3));
    world.assert_drained();
    crm.set(&json!({"quota": {"limit": 5_203, "used": 4_418}}));
    world.says(by_number(1), "tells what is used");
    world.run_for(SignedDuration::from_secs(5));
    let told = seen(&world, "hubspot");
    assert_eq!((told.used, told.has_reached(85)), (4_422, false), "one call more does not fit below");
    world.says(by_number(0), "can wait");
    world.run_for(SignedDuration::from_mins(15));
    let waits = world.listed(JobState::Pending);
    assert!(!waits.is_empty() && waits.iter().all(|job| job.attempts == 0), "{waits:?}");
    crm.taken_calls();
    let stop = Preference { category: Preference::MARKETING.into(), choice: Choice::Stop };
    world.hears(&[report(by_number(0), "cannot", world.now(), Fact::Preference(stop))]);
    world.run_for(SignedDuration::from_secs(5));
    assert!(!crm.taken_calls().is_empty(), "{:?}", world.listed(JobState::Pending));
}
