//! A soft launch: a share of the leads is written, and a greater share adds to it.

use super::world::{HUBSPOT, Simulated, World, by_number};
use jiff::SignedDuration;
use std::collections::BTreeSet;
use wabridge::store::outbox::JobState;

const LEADS: u32 = 600;

fn share(percent: u32) -> String {
    HUBSPOT.replace("crm = \"hubspot\"", &format!("crm = \"hubspot\"\nrollout_percent = {percent}"))
}

/// Who is in the CRM; nobody is twice.
fn people(crm: &Simulated) -> BTreeSet<String> {
    let persons = crm.ledger("persons");
    let phones: BTreeSet<String> =
        persons.iter().map(|it| it["fields"]["wa_e164"].as_str().unwrap().to_owned()).collect();
    assert_eq!(phones.len(), persons.len(), "nobody is there twice");
    phones
}

/// Everybody writes, for the first time or again.
fn all_write(world: &World, round: &str) {
    for n in 0..LEADS {
        world.says(by_number(n), &format!("{round}{n}"));
    }
}

#[test]
fn a_share_that_is_raised_from_10_to_50_to_100_writes_each_lead_once_and_forgets_none() {
    let mut world = World::of(&share(10));
    let crm = world.only();
    all_write(&world, "first");
    world.run_for(SignedDuration::from_mins(30));
    let tenth = people(&crm);
    assert!((36..=84).contains(&tenth.len()), "{} of {LEADS} are not near a tenth", tenth.len());
    let held: BTreeSet<_> = world.listed(JobState::Held).iter().map(|job| job.lead).collect();
    assert_eq!(held.len() + tenth.len(), LEADS as usize, "whoever is not written is held");
    let urgent_rest = crm.taken_calls().len();

    all_write(&world, "again");
    world.run_for(SignedDuration::from_hours(3));
    world.restart();
    world.run_for(SignedDuration::from_mins(30));
    assert_eq!(people(&crm), tenth, "neither writing again nor a restart lets anybody in");
    assert!(urgent_rest > 0 && !crm.taken_calls().is_empty(), "who is in is told of their later messages");

    world.reload(&share(50));
    all_write(&world, "more");
    world.run_for(SignedDuration::from_mins(30));
    let half = people(&crm);
    assert!(half.is_superset(&tenth), "a greater share only adds");
    assert!((240..=360).contains(&half.len()), "{} of {LEADS} are not near a half", half.len());

    // The last raise comes with a restart: nothing hears of a change, only of what is in force.
    world.reload(&share(100));
    world.restart();
    all_write(&world, "last");
    world.run_for(SignedDuration::from_hours(3));
    assert_eq!(people(&crm).len(), LEADS as usize, "none is forgotten");
    assert_eq!(crm.ledger("activities").len(), LEADS as usize, "each has the one conversation, once");
    world.assert_drained();
}

#[test]
fn a_share_that_is_lowered_undoes_nothing_and_holds_who_is_new() {
    let mut world = World::hubspot();
    let crm = world.only();
    world.says(by_number(1), "m1");
    world.run_for(SignedDuration::from_mins(30));
    world.reload(&share(0));
    world.says(by_number(2), "m2");
    world.run_for(SignedDuration::from_hours(26));
    world.says(by_number(1), "m3");
    world.run_for(SignedDuration::from_hours(3));
    assert_eq!(people(&crm), BTreeSet::from(["+919800000001".to_owned()]));
    assert_eq!(crm.ledger("activities").len(), 2, "who is there goes on being told of");
    let held = world.listed(JobState::Held);
    assert!(!held.is_empty() && held.iter().all(|job| job.cause.as_deref() == Some("rollout")), "{held:?}");
}
