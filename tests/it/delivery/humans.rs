//! What people do in the CRM meanwhile.

use super::world::{AT_HUBSPOT, AT_ZOHO, At, World, at_each_crm, by_number};
use jiff::SignedDuration;
use serde_json::{Value, json};

at_each_crm!(
    a_person_who_was_deleted_and_writes_again_is_one_person,
    what_a_person_typed_into_a_field_that_is_theirs_stays,
    somebody_who_is_in_the_crm_already_is_found_by_phone_however_it_was_typed,
);

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

fn a_person_who_was_deleted_and_writes_again_is_one_person(at: &At) {
    let mut world = World::at(at);
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
fn a_person_who_was_merged_and_writes_again_is_one_person_where_ids_live_on() {
    let mut world = World::at(&AT_HUBSPOT);
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

fn what_a_person_typed_into_a_field_that_is_theirs_stays(at: &At) {
    let mut world = World::at(at);
    let id = written(&mut world);
    world.only().change(&json!({"person_id": id, "field": at.last_name, "value": "Rao"}));
    writes_again(&mut world, "m2");
    assert_eq!(world.only().ledger("persons")[0]["fields"][at.last_name], "Rao");
}

fn somebody_who_is_in_the_crm_already_is_found_by_phone_however_it_was_typed(at: &At) {
    let mut world = World::at(at);
    let crm = world.only();
    world.says(by_number(9), "another");
    world.run();
    let id = ids(&world)[0].as_str().unwrap().to_owned();
    // As somebody typed it, long before there was a bridge.
    crm.change(&json!({"person_id": id, "field": "wa_e164", "value": ""}));
    crm.change(&json!({"person_id": id, "field": at.phone, "value": "098000 00007"}));
    world.says(by_number(7), "m1");
    world.run();
    assert_eq!(ids(&world), [json!(id)], "found, not made");
    let person = &crm.ledger("persons")[0];
    assert_eq!(
        person["fields"][at.phone], "098000 00007",
        "a number that stands there is left as it was typed"
    );
    assert_eq!(person["fields"]["wa_e164"], "+919800000007");
}

/// At Zoho the id of what was merged away leads nowhere: the winner is found by what it took over.
#[test]
fn a_person_who_was_merged_into_a_record_of_the_same_number_is_one_person() {
    let mut world = World::at(&AT_ZOHO);
    let id = written(&mut world);
    let crm = world.only();
    world.says(by_number(2), "other");
    world.run();
    let winner = ids(&world).into_iter().find(|other| *other != json!(id)).unwrap();
    // As somebody typed it, long before there was a bridge.
    crm.change(&json!({"person_id": winner, "field": "wa_e164", "value": ""}));
    crm.change(&json!({"person_id": winner, "field": "Phone", "value": "098000 00001"}));
    crm.change(&json!({"person_id": id, "merge_into": winner}));
    for again in ["m2", "m3", "m4"] {
        let calls = writes_again(&mut world, again);
        assert_eq!(ids(&world), std::slice::from_ref(&winner));
        assert!(calls <= 8, "{calls} calls look like a loop");
    }
    assert_eq!(crm.ledger("persons")[0]["fields"]["wa_e164"], "+919800000001");
}

#[test]
fn a_lead_that_was_converted_and_writes_again_is_written_to_its_contact() {
    let mut world = World::at(&AT_ZOHO);
    let id = written(&mut world);
    let crm = world.only();
    crm.change(&json!({"person_id": id, "convert": true}));
    let contact = ids(&world);
    assert_eq!((contact.len(), contact[0] == json!(id)), (1, false), "a contact in place of the lead");
    let calls = writes_again(&mut world, "m2");
    assert!(calls <= 8, "{calls} calls look like a loop");
    for again in ["m3", "m4"] {
        assert!(writes_again(&mut world, again) <= 3, "the contact is known from now on");
    }
    assert_eq!(ids(&world), contact);
    let person = &crm.ledger("persons")[0];
    assert_eq!(person["kind"], "contact");
    let last = world.now() - SignedDuration::from_hours(3);
    let told: jiff::Timestamp = person["fields"]["last_inbound_at"].as_str().unwrap().parse().unwrap();
    assert_eq!(told.as_second(), last.as_second());
    let activities = crm.ledger("activities");
    assert_eq!(activities.len(), 4);
    assert!(activities.iter().all(|it| it["person_id"] == contact[0]), "{activities:#?}");
}
