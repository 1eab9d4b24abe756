//! Whose record a target creates, and what becomes of the others.

use super::world::{HUBSPOT, World, by_number};
use crate::outbox::bench::{about, bot, chat, report};
use jiff::SignedDuration;
use serde_json::json;
use std::time::Duration;
use wabridge::store::outbox::JobState;
use wabridge_crms::{Call, Method};
use wabridge_model::chatbot::ChatbotEvent;

/// Silence enough for another conversation to begin.
const A_DAY_AND_A_BIT: Duration = Duration::from_secs(30 * 3600);

fn rule(when: &str) -> String {
    format!("{HUBSPOT}[target.person_rule]\nwhen = \"{when}\"\n")
}

/// What the lead did, or what is known of them in the CRM.
#[derive(Debug, Clone, Copy)]
enum Did {
    Wrote,
    CameFromAnAd,
    IsKnown,
    Bot(&'static str, &'static str),
    NamedACompetitor,
    /// They wrote what is read as this.
    Asked(&'static str),
}

fn does(world: &World, did: Did, id: &str) {
    let chats = |change: &dyn Fn(&mut ChatbotEvent), kind: &str| {
        let mut event = bot(id, kind);
        change(&mut event);
        world.hears(&[chat(by_number(1), world.now(), event)]);
    };
    match did {
        Did::Wrote => world.says(by_number(1), id),
        Did::Asked(label) => {
            world.hears(&[report(by_number(1), id, world.now(), about(id, &[label]))]);
        }
        Did::CameFromAnAd => world.says_from_ad(by_number(1), id),
        Did::IsKnown => {
            let person = json!({"properties": {"phone": "+919800000001", "lastname": "Known"}});
            let call = Call::write(Method::Post, "/crm/objects/2026-03/contacts", person);
            assert_eq!(world.only().answer(&call).unwrap().status, 201);
            world.says(by_number(1), id);
        }
        Did::Bot(kind, intent) => {
            let primary = (!intent.is_empty()).then(|| intent.to_owned());
            chats(&|event| event.intent.primary.clone_from(&primary), kind);
        }
        Did::NamedACompetitor => {
            chats(
                &|event| event.intent.competitor_mentions = vec!["Acme".to_owned()],
                "conversation.updated",
            );
        }
    }
}

#[test]
fn the_rule_decides_whose_record_is_created() {
    use Did::{Asked, Bot, CameFromAnAd, IsKnown, NamedACompetitor, Wrote};
    let table = [
        ("any_message", Wrote, true),
        ("ad_or_intent", Wrote, false),
        ("ad_or_intent", IsKnown, false),
        ("ad_or_intent", CameFromAnAd, true),
        ("ad_or_intent", Bot("lead.created", ""), false),
        ("ad_or_intent", Bot("conversation.updated", "opening hours"), false),
        ("ad_or_intent", Bot("conversation.updated", "pricing"), true),
        ("ad_or_intent", Bot("demo.requested", ""), true),
        ("ad_or_intent", Bot("support.escalated", ""), true),
        ("ad_or_intent", Bot("lead.qualified", ""), true),
        ("ad_or_intent", NamedACompetitor, true),
        ("ad_or_intent", Asked("support"), false),
        ("ad_or_intent", Asked("pricing"), true),
        ("ad_or_intent", Asked("demo_request"), true),
        ("known_or_ad", Asked("pricing"), false),
        ("known_or_ad", Wrote, false),
        ("known_or_ad", Bot("demo.requested", ""), false),
        ("known_or_ad", CameFromAnAd, true),
        ("known_or_ad", IsKnown, true),
    ];
    for (when, did, is_written) in table {
        let mut world = World::of(&rule(when));
        let crm = world.only();
        does(&world, did, "m1");
        world.run_for(SignedDuration::from_mins(30));
        let people = crm.ledger("persons");
        let ours = people.iter().filter(|person| person["fields"]["wa_e164"] == "+919800000001").count();
        assert_eq!(ours, usize::from(is_written), "{when} {did:?}: {people:?}");
        let activities = crm.ledger("activities").len();
        assert_eq!(activities, usize::from(is_written), "{when} {did:?}");
        let held = world.listed(JobState::Held);
        assert_eq!(held.is_empty(), is_written, "{when} {did:?}: {held:?}");
        let cause = format!("person_rule: {when}");
        assert_eq!(held.iter().any(|job| job.cause.as_deref() == Some(&cause)), !is_written);
        assert_eq!(people.len(), usize::from(is_written || matches!(did, IsKnown)), "nobody is made twice");
        world.books();
    }
}

#[test]
fn who_meets_the_rule_later_is_written_at_once_with_all_they_said() {
    for (when, did) in [
        ("ad_or_intent", Did::Bot("demo.requested", "")),
        ("ad_or_intent", Did::Asked("escalation")),
        ("known_or_ad", Did::CameFromAnAd),
    ] {
        let mut world = World::of(&rule(when));
        let crm = world.only();
        for id in ["m1", "m2"] {
            does(&world, Did::Wrote, id);
            world.run_for(SignedDuration::from_mins(10));
            world.clock.pass(A_DAY_AND_A_BIT);
        }
        assert_eq!((crm.ledger("persons").len(), crm.ledger("activities").len()), (0, 0), "{when}");
        does(&world, did, "m3");
        world.run();
        assert_eq!(crm.ledger("persons").len(), 1, "{when}: at once");
        world.run_for(SignedDuration::from_hours(3));
        assert_eq!(crm.ledger("activities").len(), 3, "{when}: what they said before as well");
        world.assert_drained();
        world.clock.pass(A_DAY_AND_A_BIT);
        does(&world, Did::Wrote, "m4");
        world.run_for(SignedDuration::from_hours(3));
        assert_eq!((crm.ledger("persons").len(), crm.ledger("activities").len()), (1, 4), "{when}");
    }
}

#[test]
fn another_rule_is_applied_at_a_reload_and_at_a_start() {
    for restarts in [false, true] {
        let mut world = World::of(&rule("ad_or_intent"));
        let crm = world.only();
        does(&world, Did::IsKnown, "m1");
        world.says(by_number(2), "m2");
        world.run_for(SignedDuration::from_mins(30));
        assert_eq!(crm.ledger("activities").len(), 0);
        for (when, written) in [("known_or_ad", 1), ("any_message", 2)] {
            world.reload(&rule(when));
            if restarts {
                world.restart();
            }
            world.run_for(SignedDuration::from_mins(30));
            assert_eq!(crm.ledger("activities").len(), written, "{when}");
        }
        assert_eq!(crm.ledger("persons").len(), 2, "the known one is written, not made again");
        world.assert_drained();
    }
}

#[test]
fn who_stays_below_the_rule_costs_no_call() {
    let mut world = World::of(&rule("ad_or_intent"));
    world.run();
    world.only().taken_calls();
    for n in 0..20 {
        world.says(by_number(n), &format!("m{n}"));
    }
    world.run_for(SignedDuration::from_hours(3));
    assert_eq!(world.only().taken_calls(), []);
}
