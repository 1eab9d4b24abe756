//! What was written to a CRM is looked at again: what was emptied is back, what a person filled stays.

use super::world::{HUBSPOT, World, by_number};
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use wabridge_model::Priority;

const LEADS: u32 = 40;
/// The field that somebody empties.
const FIELD: &str = "ad_id";

/// A CRM with everybody in it, each brought by an ad.
fn written() -> World {
    written_of(LEADS)
}

fn written_of(leads: u32) -> World {
    let mut world = World::hubspot();
    for n in 0..leads {
        world.says_from_ad(by_number(n), &format!("m{n}"));
    }
    world.run_for(SignedDuration::from_hours(3));
    world.assert_drained();
    world.only().taken_calls();
    world
}

/// Fields of everybody, by our key.
fn values(world: &World, field: &str) -> BTreeMap<String, Value> {
    let persons = world.only().ledger("persons");
    assert_eq!(persons.len(), LEADS as usize, "nobody is there twice");
    let value = |person: &Value| person["fields"].get(field).cloned().unwrap_or_default();
    persons.iter().map(|it| (it["fields"]["wa_e164"].as_str().unwrap().to_owned(), value(it))).collect()
}

/// Somebody sets a field of everybody whose number is a multiple of `each`.
fn set(world: &World, field: &str, value: &str, each: usize) {
    for person in world.only().ledger("persons") {
        let phone = person["fields"]["wa_e164"].as_str().unwrap_or_default();
        if phone[phone.len() - 4..].parse::<usize>().unwrap().is_multiple_of(each) {
            world.only().change(&json!({"person_id": person["id"], "field": field, "value": value}));
        }
    }
}

fn resync(world: &World, fields: &[&str]) -> usize {
    let fields: Vec<String> = fields.iter().map(|field| (*field).to_owned()).collect();
    let leads = world.store.resyncable("hubspot", &fields).unwrap();
    assert_eq!(world.store.resync("hubspot", &fields, world.now(), &|| true).unwrap(), leads);
    leads
}

/// Of the calls that were made, those that write people, and how many people they wrote.
fn writes(world: &World) -> (usize, u64) {
    let calls = world.only().ledger("calls");
    let writes = calls.iter().filter(|call| {
        let path = call["path"].as_str().unwrap();
        path.contains("contacts") && (path.contains("batch/update") || path.contains("batch/upsert"))
    });
    writes.fold((0, 0), |(calls, people), call| (calls + 1, people + call["records"].as_u64().unwrap()))
}

#[test]
fn a_field_that_was_emptied_is_back_once_each_is_written_once_and_what_a_person_filled_stays() {
    let mut world = written();
    let before = values(&world, FIELD);
    assert!(before.values().all(|value| value == "120210000000000001"), "{before:?}");
    set(&world, FIELD, "", 1);
    set(&world, FIELD, "theirs", 10);
    let wrote = writes(&world);
    assert_eq!(resync(&world, &[FIELD]), LEADS as usize);
    world.run_for(SignedDuration::from_hours(1));
    world.assert_drained();
    for (phone, value) in values(&world, FIELD) {
        let expected = if phone.ends_with('0') { "theirs" } else { "120210000000000001" };
        assert_eq!(value, expected, "{phone}");
    }
    let (calls, people) = (writes(&world).0 - wrote.0, writes(&world).1 - wrote.1);
    assert_eq!(
        people,
        u64::from(LEADS - LEADS / 10),
        "each that was emptied is written once, the others not"
    );
    assert!(calls <= 2, "{calls} calls for {people} people share none");

    // What is looked at and stands as it should costs reading, and no writing.
    world.only().taken_calls();
    assert_eq!(resync(&world, &[FIELD]), (LEADS - LEADS / 10) as usize, "who typed over ours keeps it");
    world.run_for(SignedDuration::from_hours(1));
    assert_eq!(writes(&world).1 - wrote.1, people, "nothing is written twice");
    assert!((1..=2).contains(&world.only().taken_calls().len()));
}

#[test]
fn all_fields_are_looked_at_where_none_is_named_our_key_among_them() {
    let mut world = written();
    set(&world, FIELD, "", 3);
    set(&world, "ctwa_clid", "", 4);
    let expected = (values(&written(), FIELD), values(&written(), "ctwa_clid"));
    let target = world.config.target("hubspot").unwrap();
    let all: Vec<String> =
        target.fields.iter().map(|it| it.field.clone()).chain([target.key_field.clone()]).collect();
    world.store.resync("hubspot", &all, world.now(), &|| true).unwrap();
    world.run_for(SignedDuration::from_hours(1));
    world.assert_drained();
    assert_eq!((values(&world, FIELD), values(&world, "ctwa_clid")), expected);
}

#[test]
fn a_field_that_is_new_in_the_configuration_is_filled_for_everybody() {
    let mut world = written();
    // Some people have it filled already.
    set(&world, "city", "Pune", 4);
    world.reload(&format!("{HUBSPOT}wa_first_seen = \"first_seen_at\"\ncity = \"source\"\n"));
    world.add_fields("hubspot");
    world.run_for(SignedDuration::from_hours(2));
    assert!(values(&world, "wa_first_seen").values().all(Value::is_null), "nothing of them changed");
    assert_eq!(resync(&world, &["wa_first_seen", "city"]), LEADS as usize);
    world.run_for(SignedDuration::from_hours(1));
    world.assert_drained();
    assert!(values(&world, "wa_first_seen").values().all(|value| !value.is_null()));
    for (phone, value) in values(&world, "city") {
        let is_theirs = phone[phone.len() - 4..].parse::<u32>().unwrap().is_multiple_of(4);
        assert_eq!(value, if is_theirs { "Pune" } else { "whatsapp:main" }, "{phone}");
    }
}

#[test]
fn our_key_is_written_where_it_was_emptied_and_nowhere_else() {
    let mut world = written();
    let person = world.only().ledger("persons")[0].clone();
    world.only().change(&json!({"person_id": person["id"], "field": "wa_e164", "value": ""}));
    resync(&world, &["wa_e164"]);
    world.run_for(SignedDuration::from_hours(1));
    world.assert_drained();
    let calls: Vec<String> = world.only().taken_calls().into_iter().map(|(_, call)| call).collect();
    let id = person["id"].as_str().unwrap();
    let one = format!("PATCH /crm/objects/2026-03/contacts/{id}");
    assert_eq!(calls, ["POST /crm/objects/2026-03/contacts/batch/read", &one], "all others have it");
    assert!(values(&world, "wa_e164").keys().all(|key| key.starts_with('+')));
}

#[test]
fn who_writes_meanwhile_goes_ahead_of_it() {
    const MANY: u32 = 130;
    let mut world = written_of(MANY);
    set(&world, FIELD, "", 1);
    let emptied = |world: &World| {
        let persons = world.only().ledger("persons");
        let ours = persons.iter().filter(|it| it["fields"]["wa_e164"].as_str() < Some("+919800001000"));
        ours.filter(|it| it["fields"][FIELD].as_str().is_none_or(str::is_empty)).count()
    };
    assert_eq!(emptied(&world), MANY as usize);
    resync(&world, &[FIELD]);
    // Somebody new after each step of it.
    let mut steps = 0;
    while emptied(&world) > 0 {
        steps += 1;
        assert!(steps < 50, "it does not come to an end");
        world.says(by_number(1_000 + steps), &format!("new{steps}"));
        world.step();
        let key = format!("+91980000{:04}", 1_000 + steps);
        let persons = world.only().ledger("persons");
        assert!(persons.iter().any(|it| it["fields"]["wa_e164"] == key.as_str()), "{key} waits behind it");
    }
    assert!(steps > 1, "all of it was one step");
}

#[test]
fn a_write_that_was_under_way_when_it_was_asked_for_does_not_count_for_it() {
    use wabridge::store::outbox::{Claim, End, Settled};
    let mut world = written();
    set(&world, FIELD, "", 1);
    world.says(by_number(7), "again");
    let (now, target) = (world.now() + SignedDuration::from_hours(3), "hubspot");
    let until = now + SignedDuration::from_mins(1);
    let claim = Claim { target, now, until, urgent: 10, bulk: 10, down_to: Priority::Bulk };
    let leased = world.store.claim_jobs(claim).unwrap();
    assert!(!leased.is_empty());
    resync(&world, &[FIELD]);
    let settled = leased.into_iter().map(|bundle| Settled {
        lease: bundle.lease,
        target: target.to_owned(),
        lead: bundle.lead,
        ends: bundle.jobs.iter().map(|it| (it.id, it.revision, End::Suppressed("unchanged"))).collect(),
        record: Some(bundle.record),
        at: now,
    });
    world.store.settle_jobs(settled.collect()).unwrap();
    world.run_for(SignedDuration::from_hours(4));
    world.assert_drained();
    assert!(values(&world, FIELD).values().all(|value| value == "120210000000000001"));
}
