//! Written once and only once, whatever the network does.

use super::world::{At, HUBSPOT, World, ZOHO, at_each_crm};
use crate::outbox::bench::message;
use jiff::SignedDuration;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use wabridge_model::event::Person;
use wabridge_model::{Country, Phone};

/// One number as ten people type it.
fn spellings(n: u32) -> [String; 10] {
    let (a, b) = (format!("98{:03}", n / 100), format!("{:03}{:02}", 700, n % 100));
    [
        format!("+91{a}{b}"),
        format!("91{a}{b}"),
        format!("0091{a}{b}"),
        format!("0{a}{b}"),
        format!("{a}{b}"),
        format!("+91 {a} {b}"),
        format!("+91-{a}-{b}"),
        format!("(+91) {a} {b}"),
        format!("0{a}-{b}"),
        format!("+91 {a}.{b}"),
    ]
}

at_each_crm!(fifty_leads_in_ten_spellings_with_writes_cut_after_being_applied_are_fifty_people);

fn fifty_leads_in_ten_spellings_with_writes_cut_after_being_applied_are_fifty_people(at: &At) {
    fifty_leads_are_fifty_people(World::at(at));
}

#[test]
fn fifty_leads_are_fifty_people_in_each_of_two_crms() {
    fifty_leads_are_fifty_people(World::of(&format!("{HUBSPOT}{ZOHO}")));
}

fn fifty_leads_are_fifty_people(mut world: World) {
    for crm in world.crms() {
        crm.set(&json!({"search_lag_seconds": 5}));
        crm.cut_every.store(4, Ordering::Relaxed);
    }
    for turn in 0..10 {
        for n in 0..50_u32 {
            let typed = &spellings(n)[(turn + n as usize) % 10];
            let phone = Phone::parse(typed, Country::INDIA).unwrap();
            let name = Some(format!("Customer {n}"));
            let person =
                Person { phone: Some(phone), phone_as_sent: Some(typed.clone()), name, ..Person::default() };
            world.hears(&[message(person, &format!("m{n}-{turn}"), world.now())]);
            if n % 3 == 0 {
                world.run();
            }
        }
        world.clock.pass(std::time::Duration::from_millis(300));
    }
    world.run_for(SignedDuration::from_hours(6));
    world.assert_drained();
    for crm in world.crms() {
        let people = crm.ledger("persons");
        let keys: BTreeSet<&str> =
            people.iter().filter_map(|person| person["fields"]["wa_e164"].as_str()).collect();
        assert_eq!((people.len(), keys.len()), (50, 50));
        let activities = crm.ledger("activities");
        let with: BTreeSet<&str> = activities.iter().filter_map(|it| it["person_id"].as_str()).collect();
        assert_eq!((activities.len(), with.len()), (50, 50));
        let calls = crm.ledger("calls");
        let cut = calls.iter().filter(|call| call["status"] == 0);
        let records: u64 = cut.filter_map(|call| call["records"].as_u64()).sum();
        assert!(records >= 10, "{records} of 100 records were written without an answer, less than a tenth");
    }
}
