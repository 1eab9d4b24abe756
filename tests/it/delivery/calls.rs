//! How many calls a lead costs. The README's figures are these.

use super::world::{At, World, at_each_crm, by_number};
use jiff::SignedDuration;
use std::io::Write;
use std::sync::atomic::Ordering;
use wabridge::store::outbox::JobState;
use wabridge_model::OperationKind;

at_each_crm!(
    calls_per_lead_are_what_the_readme_says,
    a_lead_that_did_not_change_costs_no_call,
    a_hundred_bulk_updates_share_their_calls,
);

/// For who runs it with `--no-capture`.
fn tell(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn calls_per_lead_are_what_the_readme_says(at: &At) {
    let mut world = World::at(at);
    let crm = world.only();
    let spent = || crm.credits.swap(0, Ordering::Relaxed);
    crm.calls.lock().unwrap().clear();
    spent();
    world.run();
    let schema = (crm.calls.lock().unwrap().len(), spent());
    world.says(by_number(1), "m1");
    world.run();
    let first = spent();
    let new: Vec<String> = crm.taken_calls().into_iter().map(|(_, call)| call).collect();
    tell(&format!("new lead with activity {}: {new:#?}", new.len()));
    assert_eq!((crm.ledger("persons").len(), crm.ledger("activities").len()), (1, 1));

    world.run_for(SignedDuration::from_hours(30));
    crm.taken_calls();
    spent();
    world.says(by_number(1), "m2");
    world.run();
    let second = spent();
    let returning: Vec<String> = crm.taken_calls().into_iter().map(|(_, call)| call).collect();
    tell(&format!("returning lead {}: {returning:#?}", returning.len()));
    world.assert_drained();
    assert_eq!((crm.ledger("persons").len(), crm.ledger("activities").len()), (1, 2));
    assert_eq!((new.len(), returning.len()), (4, 2), "{new:#?} {returning:#?}");
    if at.name == "zoho" {
        assert_eq!((schema, first, second), ((10, 10), 4, 2), "of the schema, calls and credits; credits");
    } else {
        assert_eq!(schema.0, 5);
    }
}

fn a_lead_that_did_not_change_costs_no_call(at: &At) {
    let mut world = World::at(at);
    let crm = world.only();
    world.says(by_number(1), "m1");
    world.run();
    world.run_for(SignedDuration::from_hours(3));
    world.assert_drained();
    crm.taken_calls();
    let person =
        world.listed(JobState::Done).into_iter().find(|job| job.kind == OperationKind::Person).unwrap();
    world.store.retry_jobs(&[person.id], world.now()).unwrap();
    assert_eq!(world.store.want_again(at.name, "nothing", world.now()).unwrap(), 0);
    world.says(by_number(1), "m1");
    world.run_for(SignedDuration::from_mins(30));
    assert_eq!(crm.taken_calls(), [], "a redelivery, and a lead that is asked for again, as it stands");
}

fn a_hundred_bulk_updates_share_their_calls(at: &At) {
    let mut world = World::at(at);
    let crm = world.only();
    for n in 0..100 {
        world.says(by_number(n), &format!("m{n}"));
    }
    world.run_for(SignedDuration::from_mins(30));
    world.assert_drained();
    crm.taken_calls();
    crm.credits.store(0, Ordering::Relaxed);
    for n in 0..100 {
        world.says(by_number(n), &format!("again{n}"));
    }
    world.run_for(SignedDuration::from_mins(59));
    let calls: Vec<String> = crm.taken_calls().into_iter().map(|(_, call)| call).collect();
    tell(&format!("100 bulk updates: {}: {calls:#?}", calls.len()));
    assert_eq!(calls.len(), 2, "{calls:#?}");
    let spent = crm.credits.load(Ordering::Relaxed);
    // And the schema's ten, where it was read within the hour.
    assert!(at.name != "zoho" || [20, 30].contains(&spent), "{spent} credits");
}
