//! A CRM whose fields change under a running bridge.

use super::world::{At, World, at_each_crm, by_number};
use jiff::SignedDuration;
use serde_json::{Value, json};
use wabridge::store::outbox::JobState;

/// When a change is made, so that each way of noticing it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    /// Before the bridge starts.
    Stopped,
    /// While nobody writes, so that the hourly look finds it.
    Hourly,
    /// Just before it is needed.
    Used,
}

/// A change, the field it is about, and whether people wait for it.
struct Mutation {
    schema: Value,
    field: &'static str,
    holds: bool,
}

fn mutations() -> Vec<Mutation> {
    let optional =
        ["ctwa_clid", "ad_id", "last_inbound_at", "wa_source", "first_conversation_url", "wa_utm_source"];
    let mut all = Vec::new();
    for field in optional {
        all.push(Mutation { schema: json!({"remove": [field]}), field, holds: false });
        all.push(Mutation { schema: json!({"retype": {field: "bool"}}), field, holds: false });
    }
    for kind in ["number", "date"] {
        all.push(Mutation {
            schema: json!({"retype": {"ctwa_clid": kind}}),
            field: "ctwa_clid",
            holds: false,
        });
    }
    all.push(Mutation { schema: json!({"remove": ["wa_e164"]}), field: "wa_e164", holds: true });
    for kind in ["number", "bool", "date", "datetime"] {
        all.push(Mutation { schema: json!({"retype": {"wa_e164": kind}}), field: "wa_e164", holds: true });
    }
    all
}

at_each_crm!(
    fifty_changes_of_the_schema_are_noticed_by_name_and_no_lead_is_written_in_part,
    a_field_that_comes_back_is_filled_in,
    what_a_missing_key_field_held_is_written_when_it_is_back,
);

fn fifty_changes_of_the_schema_are_noticed_by_name_and_no_lead_is_written_in_part(at: &At) {
    let mut shown = 0;
    for when in [When::Stopped, When::Hourly, When::Used] {
        for mutation in mutations() {
            // What nothing is written to, or takes what is written all the same, is found by the hour.
            let takes_digits =
                ["number", "datetime"].contains(&mutation.schema["retype"]["wa_e164"].as_str().unwrap_or(""));
            if when == When::Used && (mutation.field == "wa_utm_source" || takes_digits) {
                continue;
            }
            mutate(at, when, &mutation);
            shown += 1;
        }
    }
    assert!(shown >= 50, "{shown}");
}

fn mutate(at: &At, when: When, mutation: &Mutation) {
    let Mutation { schema, field, holds } = mutation;
    let case = format!("{when:?} {schema}");
    let mut world = World::at(at);
    let crm = world.only();
    let change = || crm.set(&json!({ "schema": schema }));
    match when {
        When::Stopped => change(),
        When::Hourly => {
            world.run();
            change();
            world.run_for(SignedDuration::from_mins(61));
        }
        When::Used => {
            world.run();
            change();
        }
    }
    world.says_from_ad(by_number(1), "m1");
    world.run_for(SignedDuration::from_mins(20));
    let known = world.posts[at.name].courier.known().unwrap();
    let faults: Vec<&str> = known.health.faults.iter().map(|fault| fault.name.as_str()).collect();
    assert!(faults.contains(field), "{case}: {faults:?}; {:?}", world.listed(JobState::Held));
    let people = crm.ledger("persons");
    if *holds {
        assert_eq!((people.len(), crm.ledger("activities").len()), (0, 0), "{case}: nothing in part");
        let held = world.listed(JobState::Held);
        assert!(
            held.iter().any(|job| job.cause.as_deref().is_some_and(|why| why.contains(field))),
            "{case}: {held:?}"
        );
    } else {
        assert_eq!(people.len(), 1, "{case}: leads never stop for an optional field");
        let others = people[0]["fields"].as_object().unwrap();
        assert!(!others.contains_key(*field), "{case}: {others:?}");
        let done = world.listed(JobState::Done);
        assert!(done.iter().any(|job| job.left_out.contains_key(*field)), "{case}: {done:?}");
    }
}

fn a_field_that_comes_back_is_filled_in(at: &At) {
    let mut world = World::at(at);
    let crm = world.only();
    crm.set(&json!({"schema": {"remove": ["wa_source"]}}));
    world.says(by_number(1), "m1");
    world.run();
    assert_eq!(crm.ledger("persons")[0]["fields"].get("wa_source"), None);
    world.add_fields(at.name);
    world.run_for(SignedDuration::from_mins(70));
    assert_eq!(crm.ledger("persons")[0]["fields"]["wa_source"], "whatsapp:main");
    world.assert_drained();
}

fn what_a_missing_key_field_held_is_written_when_it_is_back(at: &At) {
    let mut world = World::bare(at.target);
    let crm = world.only();
    crm.set(&json!({"schema": {"remove": ["wa_e164"]}}));
    world.says(by_number(1), "m1");
    world.run_for(SignedDuration::from_mins(10));
    assert_eq!(crm.ledger("persons").len(), 0);
    assert!(!world.listed(JobState::Held).is_empty());
    world.add_fields(at.name);
    world.run_for(SignedDuration::from_mins(70));
    assert_eq!((crm.ledger("persons").len(), crm.ledger("activities").len()), (1, 1));
    world.assert_drained();
    assert_eq!(world.store.target(at.name).unwrap().paused, None);
}
