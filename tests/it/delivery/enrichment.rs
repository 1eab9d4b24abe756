//! What a hook knows of people is written with them, and nobody waits for one that does not answer.

use super::summary::{Does, Endpoint, shown};
use super::world::{At, World, at_each_crm, by_number};
use jiff::SignedDuration;
use serde_json::{Value, json};

at_each_crm!(
    what_the_hook_answers_is_written_with_the_person,
    whatever_goes_wrong_there_the_person_is_written_and_filled_in_later,
    nobody_is_asked_for_who_is_held_or_only_shown,
);

/// A CRM with two fields of ours that the hook fills.
fn targets(at: &At, hook: &Endpoint, more: &str) -> String {
    let fields =
        "wa_tier = \"enrichment.tier\"\nwa_size = { from = \"enrichment.company.size\", default = \"?\" }\n";
    let target = at.target.replace("[target.fields]", &format!("{more}[target.fields]\n{fields}"));
    format!("{target}[enrichment]\nurl = \"{}\"\ntimeout_seconds = 1\nrefresh_hours = 24\n", hook.url)
}

fn knows(tier: &str) -> Does {
    Does::Answers(200, json!({"tier": tier, "company": {"size": "11-50"}}).to_string())
}

/// The two fields of the only person.
fn fields(world: &World) -> (Value, Value) {
    let people = world.only().ledger("persons");
    assert_eq!(people.len(), 1, "{people:#?}");
    (people[0]["fields"]["wa_tier"].clone(), people[0]["fields"]["wa_size"].clone())
}

fn says(world: &mut World, id: &str) {
    world.says(by_number(1), id);
    world.run_for(SignedDuration::from_mins(20));
    world.assert_drained();
}

fn what_the_hook_answers_is_written_with_the_person(at: &At) {
    let hook = Endpoint::that(knows("silver"));
    let mut world = World::of(&targets(at, &hook, ""));
    says(&mut world, "m1");
    assert_eq!(fields(&world), (json!("silver"), json!("11-50")));
    let asked = hook.asked();
    assert_eq!(asked[0].1, json!({"phone": "+919800000001"}), "the phone alone");
    *hook.does.lock().unwrap() = knows("gold");
    says(&mut world, "m2");
    assert_eq!((fields(&world).0, hook.asked().len()), (json!("silver"), 1), "its answer is good for a day");
    world.run_for(SignedDuration::from_hours(24));
    says(&mut world, "m3");
    assert_eq!((fields(&world).0, hook.asked().len()), (json!("gold"), 2));
    *hook.does.lock().unwrap() = Does::Answers(404, String::new());
    world.run_for(SignedDuration::from_hours(24));
    says(&mut world, "m4");
    assert_eq!((fields(&world).0, hook.asked().len()), (json!("gold"), 3), "nothing is ever blanked");
}

fn whatever_goes_wrong_there_the_person_is_written_and_filled_in_later(at: &At) {
    for (why, does) in [
        ("refused", Does::Answers(500, String::new())),
        ("unreadable", Does::Answers(200, "<html>".to_owned())),
        ("timeout", Does::Hangs),
    ] {
        let hook = Endpoint::that(does);
        let mut world = World::of(&targets(at, &hook, ""));
        says(&mut world, "m1");
        assert_eq!(fields(&world), (Value::Null, json!("?")), "{why}");
        let counted = format!("wabridge_enrichments_total{{result=\"{why}\"}} 1");
        assert!(shown(&world).contains(&counted), "{why}: {}", shown(&world));
        *hook.does.lock().unwrap() = knows("silver");
        says(&mut world, "m2");
        assert_eq!(fields(&world), (json!("silver"), json!("11-50")), "{why}");

        // Nothing is remembered after a restart: no default takes the place of what was answered before it.
        *hook.does.lock().unwrap() = Does::Answers(500, String::new());
        world.restart();
        says(&mut world, "m3");
        assert_eq!(fields(&world), (json!("silver"), json!("11-50")), "{why}");
    }
}

fn nobody_is_asked_for_who_is_held_or_only_shown(at: &At) {
    let hook = Endpoint::that(knows("silver"));
    let rule = "[target.person_rule]\nwhen = \"ad_or_intent\"\n";
    let mut world = World::of(&targets(at, &hook, rule));
    world.says(by_number(1), "m1");
    world.run_for(SignedDuration::from_mins(20));
    assert_eq!(world.only().ledger("persons").len(), 0, "held by the rule");
    let shadow = targets(at, &hook, "").replace("auth =", "mode = \"shadow\"\nauth =");
    let mut world = World::of(&shadow);
    says(&mut world, "m1");
    assert_eq!(hook.asked(), []);
}
