//! What people do in the CRM meanwhile.

use super::world::{World, by_number};
use jiff::SignedDuration;
use serde_json::{Value, json};

/// A lead that was written, and the id of its record.
fn written(world: &mut World) -> String {
    world.says(by_number(1), "m1");
    world.run();
    let people = world.only().ledger("persons");
    assert_eq!(people.len(), 1);
    people[0]["id"].as_str().unwrap().to_owned()
}

/// The lead writes again the day after the next; how many calls that took.
fn writes_again(world: &mut World, id: &str) -> usize {
    world.run_for(SignedDuration::from_hours(48));
    world.only().taken_calls();
    world.says(by_number(1), id);
    world.run_for(SignedDuration::from_hours(3));
    world.assert_drained();
    world.only().taken_calls().len()
}

fn ids(world: &World) -> Vec<Value> {
    world.only().ledger("persons").into_iter().map(|mut person| person["id"].take()).collect()
}

#[test]
fn a_person_who_was_deleted_and_writes_again_is_one_person() {
    let mut world = World::hubspot();
    let id = written(&mut world);
    world.only().change(&json!({"person_id": id, "delete": true}));
    let calls = writes_again(&mut world, "m2");
    assert_eq!(ids(&world).len(), 1);
    assert_ne!(ids(&world), [json!(id)], "what is deleted stays deleted");
    assert!(calls <= 8, "{calls} calls look like a loop");
    assert!(writes_again(&mut world, "m3") <= 3, "the new record is known from now on");
    assert_eq!(ids(&world).len(), 1);
}

#[test]
fn a_person_who_was_merged_and_writes_again_is_one_person() {
    let mut world = World::hubspot();
    let id = written(&mut world);
    let crm = world.only();
    world.says(by_number(2), "other");
    world.run();
    let winner = ids(&world).into_iter().find(|other| *other != json!(id)).unwrap();
    crm.change(&json!({"person_id": id, "merge_into": winner}));
    assert_eq!(ids(&world), std::slice::from_ref(&winner));
    for again in ["m2", "m3", "m4"] {
        let calls = writes_again(&mut world, again);
        assert_eq!(
            ids(&world),
            std::slice::from_ref(&winner),
            "nobody is made again whom a person has merged"
        );
        assert!(calls <= 8, "{calls} calls look like a loop");
    }
}

#[test]
fn what_a_person_typed_into_a_field_that_is_theirs_stays() {
    let mut world = World::hubspot();
    let id = written(&mut world);
    world.only().change(&json!({"person_id": id, "field": "lastname", "value": "Rao"}));
    writes_again(&mut world, "m2");
    assert_eq!(world.only().ledger("persons")[0]["fields"]["lastname"], "Rao");
}

#[test]
fn somebody_who_is_in_the_crm_already_is_found_by_phone_however_it_was_typed() {
    let mut world = World::hubspot();
    let crm = world.only();
    world.says(by_number(9), "another");
    world.run();
    let id = ids(&world)[0].as_str().unwrap().to_owned();
    // As somebody typed it, long before there was a bridge.
    crm.change(&json!({"person_id": id, "field": "wa_e164", "value": ""}));
    crm.change(&json!({"person_id": id, "field": "phone", "value": "098000 00007"}));
    world.says(by_number(7), "m1");
    world.run();
    assert_eq!(ids(&world), [json!(id)], "found, not made");
    let person = &crm.ledger("persons")[0];
    assert_eq!(
        person["fields"]["phone"], "098000 00007",
        "a number that stands there is left as it was typed"
    );
    assert_eq!(person["fields"]["wa_e164"], "+919800000007");
}
