//! Live, paused, shadow; several targets, each with its own filters.

use super::world::{At, HUBSPOT, World, at_each_crm, by_number};
use jiff::SignedDuration;
use serde_json::json;

at_each_crm!(
    shadow_mode_says_what_it_would_write_and_writes_nothing,
    a_refused_token_pauses_its_target_and_nothing_is_lost,
);

fn shadow_mode_says_what_it_would_write_and_writes_nothing(at: &At) {
    let mut world = World::of(&at.target.replace("auth =", "mode = \"shadow\"\nauth ="));
    let crm = world.only();
    world.says(by_number(1), "m1");
    world.run_for(SignedDuration::from_hours(1));
    assert_eq!((crm.ledger("persons").len(), crm.ledger("activities").len()), (0, 0));
    let wrote = |call: &&(jiff::Timestamp, String)| {
        !call.1.starts_with("GET")
            && !call.1.contains("/search")
            && !call.1.ends_with("/coql")
            && !call.1.contains("batch/read")
    };
    let calls = crm.taken_calls();
    assert_eq!(calls.iter().filter(wrote).count(), 0, "{calls:?}");
    let rows = world.store.shadow(at.name, None, 10).unwrap();
    let person = rows.iter().find(|row| row.kind == wabridge_model::OperationKind::Person).unwrap();
    assert_eq!(person.action, "create");
    assert_eq!(person.diff["wa_source"].1, json!("whatsapp:main"));
    world.assert_drained();
    assert!(world.jobs("suppressed.shadow") >= 2, "{:?}", world.books().jobs);
}

#[test]
fn a_paused_target_waits_and_then_catches_up() {
    let mut world = World::hubspot();
    let crm = world.only();
    world.store.pause_target("hubspot", Some("operator: migration")).unwrap();
    world.says(by_number(1), "m1");
    world.run_for(SignedDuration::from_hours(2));
    assert_eq!(crm.taken_calls(), []);
    world.store.pause_target("hubspot", None).unwrap();
    world.run_for(SignedDuration::from_mins(5));
    assert_eq!((crm.ledger("persons").len(), crm.ledger("activities").len()), (1, 1));
}

#[test]
fn each_target_gets_the_leads_of_its_filters() {
    let second = r#"
[[target]]
name = "south"
crm = "hubspot"
auth = { token = "env:NOWHERE" }
regions = ["US"]
"#;
    let mut world = World::of(&format!("{HUBSPOT}{second}"));
    world.says(by_number(1), "m1");
    let american = wabridge_model::Phone::from_whatsapp_id("12025550123").unwrap();
    let person = wabridge_model::event::Person { phone: Some(american), ..Default::default() };
    world.says(person, "m2");
    world.run();
    let people = |name: &str| world.crm(name).ledger("persons").len();
    assert_eq!((people("hubspot"), people("south")), (2, 1));
}

fn a_refused_token_pauses_its_target_and_nothing_is_lost(at: &At) {
    let mut world = World::at(at);
    let crm = world.only();
    world.run();
    crm.set(&json!({"token_ttl_seconds": 0}));
    world.clock.pass(std::time::Duration::from_secs(1));
    world.says(by_number(1), "m1");
    world.run_for(SignedDuration::from_hours(2));
    assert_eq!(world.store.target(at.name).unwrap().paused.as_deref(), Some("auth"));
    assert_eq!((crm.ledger("persons").len(), world.jobs("dead")), (0, 0));
    let calls = crm.taken_calls().len();
    world.run_for(SignedDuration::from_hours(10));
    assert_eq!(crm.taken_calls().len(), 0, "after {calls} calls it is left alone");
    crm.set(&json!({"token_ttl_seconds": null}));
    world.store.pause_target(at.name, None).unwrap();
    world.run_for(SignedDuration::from_mins(10));
    assert_eq!((crm.ledger("persons").len(), crm.ledger("activities").len()), (1, 1));
    world.assert_drained();
}
