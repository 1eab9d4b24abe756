//! What Zoho CRM has of its own: workflows that are kept quiet, owners that everybody has, deals that only contacts own.

use super::world::{World, ZOHO, by_number};
use crate::outbox::bench::{bot, chat};
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;
use wabridge_model::chatbot::{ChatbotEvent, CrmTarget, Deal};

const ASHA: &str = "4876876000000225013";
const RAVI: &str = "4876876000000225014";

/// Deals and owners; `person` says of whom.
fn selling(person: &str) -> World {
    let deal = r#"
[target.owners]
south = "4876876000000225014"
[target.deal]
when = ["demo_request"]
pipeline = "Standard (Standard)"
stage = "Qualification"
[target.deal.stages]
qualified = "Needs Analysis"
won = "Closed Won"
"#;
    let deal = if person == "contact" { deal } else { deal.split("[target.deal]").next().unwrap() };
    World::of(&format!("{}{deal}", ZOHO.replace("auth =", &format!("person = \"{person}\"\nauth ="))))
}

/// A demo request, told of a stage, an owner and an amount.
fn demo(world: &mut World, id: &str, stage: Option<&str>) {
    let mut event: ChatbotEvent = bot(id, "demo.requested");
    event.conversation_id = Some("c".to_owned());
    event.deal = Some(Deal { amount: Some("1250.50".to_owned()), currency: Some("INR".to_owned()) });
    let (deal_stage, owner_routing) = (stage.map(str::to_owned), Some("south".to_owned()));
    event.crm_target = Some(CrmTarget { deal_stage, owner_routing, ..CrmTarget::default() });
    world.hears(&[chat(by_number(1), world.now(), event)]);
    world.run_for(SignedDuration::from_mins(20));
}

fn only(list: &[Value]) -> &Value {
    assert_eq!(list.len(), 1, "{list:#?}");
    &list[0]
}

#[test]
fn a_deal_is_its_contacts_and_is_made_once_though_answers_are_lost() {
    let mut world = selling("contact");
    let crm = world.only();
    crm.cut_every.store(2, Ordering::Relaxed);
    for event in ["e1", "e2", "e3"] {
        demo(&mut world, event, Some("qualified"));
    }
    world.run_for(SignedDuration::from_hours(3));
    world.assert_drained();
    let (people, deals) = (crm.ledger("persons"), crm.ledger("deals"));
    let (person, deal) = (only(&people), only(&deals));
    assert_eq!((&person["kind"], &deal["person_id"]), (&json!("contact"), &person["id"]));
    assert_eq!(
        (&deal["pipeline"], &deal["stage"]),
        (&json!("Standard (Standard)"), &json!("Needs Analysis"))
    );
    assert_eq!((&deal["fields"]["Amount"], &deal["fields"]["Owner"]), (&json!("1250.5"), &json!(RAVI)));
}

#[test]
fn a_stage_that_closes_a_deal_is_refused_by_itself() {
    let mut world = selling("contact");
    demo(&mut world, "e1", Some("won"));
    let crm = world.only();
    assert_eq!((crm.ledger("persons").len(), crm.ledger("deals").len()), (1, 0));
    assert_eq!(world.jobs("dead"), 1, "the deal alone");
}

#[test]
fn a_lead_that_nobody_was_given_gets_its_owner_and_one_that_somebody_has_keeps_it() {
    for (given, owner) in [(None, RAVI), (Some(RAVI), RAVI)] {
        let mut world = selling("lead");
        let crm = world.only();
        world.says(by_number(1), "m1");
        world.run();
        let id = only(&crm.ledger("persons"))["id"].clone();
        assert_eq!(only(&crm.ledger("persons"))["fields"]["Owner"], ASHA, "whose the token is");
        if let Some(given) = given {
            crm.change(&json!({"person_id": id, "field": "Owner", "value": given}));
        }
        demo(&mut world, "e1", None);
        assert_eq!(only(&crm.ledger("persons"))["fields"]["Owner"], owner);
        crm.change(&json!({"person_id": id, "field": "Owner", "value": ASHA}));
        demo(&mut world, "e2", None);
        assert_eq!(only(&crm.ledger("persons"))["fields"]["Owner"], ASHA, "written once");
        world.assert_drained();
    }
}

#[test]
fn workflows_run_for_a_new_lead_and_not_for_what_only_we_write() {
    let mut world = World::of(ZOHO);
    let crm = world.only();
    for message in ["m1", "m2"] {
        world.says(by_number(1), message);
        world.run_for(SignedDuration::from_hours(26));
    }
    assert_eq!(crm.ledger("activities").len(), 2);
    world.assert_drained();
    let id = only(&crm.ledger("persons"))["id"].clone();
    let ran: Vec<Value> = crm.ledger("automations").into_iter().filter(|it| it["record_id"] == id).collect();
    assert_eq!((&only(&ran)["created"], &only(&ran)["edited"]), (&json!(1), &json!(0)));
}
