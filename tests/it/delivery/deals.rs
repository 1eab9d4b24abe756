//! The rules of deals: what each event of a chatbot must leave in the CRM, and what is dead-lettered by itself.

use super::world::{World, by_number};
use crate::outbox::bench::{about, bot, chat, report};
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use wabridge::store::outbox::JobState;
use wabridge_crms::{Call, Method};
use wabridge_model::chatbot::{ChatbotEvent, CrmTarget, Deal};

/// Everything that can be said of deals. `won` leads where no deal of ours may go.
const SELLING: &str = r#"
[[target]]
name = "hubspot"
crm = "hubspot"
auth = { token = "env:NOWHERE" }
[target.fields]
company = "company"
[target.owners]
asha = "77310001"
nobody = "99"
[target.deal]
when = ["demo_request", "pricing_with_company_size", "competitor_evaluation"]
pipeline = "default"
stage = "appointmentscheduled"
restricted_stages = ["contractsent"]
[target.deal.stages]
first = "appointmentscheduled"
qualified = "qualifiedtobuy"
shown = "presentationscheduled"
won = "closedwon"
gone = "nosuchstage"
"#;

const FIRST: &str = "appointmentscheduled";

/// An event in one conversation of the bot's.
fn event(change: impl FnOnce(&mut ChatbotEvent)) -> ChatbotEvent {
    let mut event = bot("e", "conversation.updated");
    event.conversation_id = Some("c".to_owned());
    change(&mut event);
    event
}

fn demo(change: impl FnOnce(&mut ChatbotEvent)) -> ChatbotEvent {
    event(|it| {
        it.event_type = "demo.requested".into();
        change(it);
    })
}

fn told(change: impl FnOnce(&mut CrmTarget)) -> impl FnOnce(&mut ChatbotEvent) {
    let mut instruction = CrmTarget::default();
    change(&mut instruction);
    |it| it.crm_target = Some(instruction)
}

/// A demo request that is told of a stage.
fn staged(stage: &str) -> ChatbotEvent {
    demo(told(|it| it.deal_stage = Some(stage.to_owned())))
}

/// Delivers events, a quarter of an hour between them.
fn deliver(world: &mut World, events: Vec<ChatbotEvent>) {
    for (n, mut event) in events.into_iter().enumerate() {
        event.event_id = format!("{}-{n}-{}", event.event_id, world.now());
        world.hears(&[chat(by_number(1), world.now(), event)]);
        world.run_for(SignedDuration::from_mins(15));
    }
}

/// The deals as they stand: stage, amount, owner.
fn deals(world: &World) -> Vec<(String, Option<String>, Option<String>)> {
    let read = |deal: Value| {
        let field = |name: &str| deal["fields"][name].as_str().filter(|it| !it.is_empty()).map(str::to_owned);
        (deal["stage"].as_str().unwrap().to_owned(), field("amount"), field("hubspot_owner_id"))
    };
    world.only().ledger("deals").into_iter().map(read).collect()
}

/// What is dead, by kind and cause.
fn dead(world: &World) -> BTreeSet<String> {
    let told = |job: wabridge::store::outbox::Job| {
        format!("{} {}", job.kind.as_str(), job.cause.unwrap_or_default())
    };
    world.listed(JobState::Dead).into_iter().map(told).collect()
}

fn stated(amount: &str, currency: &str) -> Option<Deal> {
    Some(Deal { amount: Some(amount.to_owned()), currency: Some(currency.to_owned()) })
}

/// A row: what is delivered, the stages and amounts of the deals that must stand there, what must be dead.
type Row = (&'static str, Vec<ChatbotEvent>, Vec<(&'static str, Option<&'static str>)>, Vec<&'static str>);

fn by_signals() -> Vec<Row> {
    let pricing = |it: &mut ChatbotEvent| it.intent.labels = vec!["pricing".to_owned()];
    let size = |it: &mut ChatbotEvent| it.visitor.company_size = Some("11-50".to_owned());
    let competitor = |it: &mut ChatbotEvent| it.intent.competitor_mentions = vec!["Rival".to_owned()];
    vec![
        ("nothing is shown", vec![event(|_| {})], vec![], vec![]),
        ("a demo, no amount", vec![demo(|_| {})], vec![(FIRST, None)], vec![]),
        (
            "an amount",
            vec![demo(|it| it.deal = stated("1250.50", "USD"))],
            vec![(FIRST, Some("1250.50"))],
            vec![],
        ),
        ("an amount alone", vec![event(|it| it.deal = stated("90000", "USD"))], vec![], vec![]),
        ("pricing without a size", vec![event(pricing)], vec![], vec![]),
        ("a size without pricing", vec![event(size)], vec![], vec![]),
        (
            "pricing, and a size that was told before",
            vec![event(size), event(pricing)],
            vec![(FIRST, None)],
            vec![],
        ),
        ("a competitor", vec![event(competitor)], vec![(FIRST, None)], vec![]),
        ("the same again", vec![demo(|_| {}), demo(|_| {}), event(competitor)], vec![(FIRST, None)], vec![]),
        (
            "another conversation",
            vec![demo(|_| {}), demo(|it| it.conversation_id = Some("d".to_owned()))],
            vec![(FIRST, None), (FIRST, None)],
            vec![],
        ),
    ]
}

fn by_instruction() -> Vec<Row> {
    let create = |create: bool| told(move |it: &mut CrmTarget| it.create_deal = Some(create));
    let other = || told(|it| (it.target, it.create_deal) = (Some("zoho".to_owned()), Some(true)));
    let on = |stage: &'static str| event(told(move |it| it.deal_stage = Some(stage.to_owned())));
    let other_shown = |it: &mut ChatbotEvent| {
        it.conversation_id = Some("d".to_owned());
        told(|it| it.deal_stage = Some("shown".to_owned()))(it);
    };
    let object = |name: &'static str| told(move |it: &mut CrmTarget| it.object = Some(name.to_owned()));
    vec![
        ("create_deal without a signal", vec![event(create(true))], vec![(FIRST, None)], vec![]),
        ("create_deal = false with a signal", vec![demo(create(false))], vec![], vec![]),
        ("another target is named", vec![demo(other())], vec![], vec![]),
        ("a stage", vec![staged("qualified")], vec![("qualifiedtobuy", None)], vec![]),
        (
            "a stage without a deal",
            vec![event(told(|it| it.deal_stage = Some("qualified".to_owned())))],
            vec![],
            vec![],
        ),
        (
            "a stage that is not configured",
            vec![staged("hot")],
            vec![],
            vec!["deal instruction: unknown stage 'hot' (add it to [target.deal.stages] of 'hubspot')"],
        ),
        (
            "a stage by the CRM's id is a name like any other",
            vec![staged("qualifiedtobuy")],
            vec![],
            vec![
                "deal instruction: unknown stage 'qualifiedtobuy' (add it to [target.deal.stages] of 'hubspot')",
            ],
        ),
        (
            "a stage that closes",
            vec![staged("won")],
            vec![],
            vec![
                "deal instruction: stage 'won' closes a deal (correct it in [target.deal.stages] of 'hubspot')",
            ],
        ),
        (
            "a stage that the CRM lacks",
            vec![staged("gone")],
            vec![],
            vec![
                "deal instruction: stage 'gone' is none of the pipeline's (correct it in [target.deal.stages] of 'hubspot')",
            ],
        ),
        (
            "an earlier stage later on",
            vec![staged("qualified"), demo(|_| {})],
            vec![("qualifiedtobuy", None)],
            vec![],
        ),
        (
            "the same stage again",
            vec![staged("qualified"), on("qualified")],
            vec![("qualifiedtobuy", None)],
            vec![],
        ),
        (
            "a later stage of a deal that is there",
            vec![staged("qualified"), on("shown")],
            vec![("presentationscheduled", None)],
            vec![],
        ),
        (
            "from the first stage, one after the other",
            vec![demo(|_| {}), on("qualified"), on("shown")],
            vec![("presentationscheduled", None)],
            vec![],
        ),
        (
            "a move back",
            vec![staged("shown"), on("qualified")],
            vec![("presentationscheduled", None)],
            vec![],
        ),
        (
            "back, and on again from where it is",
            vec![staged("qualified"), on("first"), on("shown")],
            vec![("presentationscheduled", None)],
            vec![],
        ),
        (
            "a stage that closes, of a deal that is there",
            vec![demo(|_| {}), on("won")],
            vec![(FIRST, None)],
            vec![
                "deal instruction: stage 'won' closes a deal (correct it in [target.deal.stages] of 'hubspot')",
            ],
        ),
        (
            "an unknown stage of a deal that is there, then a known one",
            vec![demo(|_| {}), on("hot"), on("qualified")],
            vec![("qualifiedtobuy", None)],
            vec![],
        ),
        (
            "a stage of another conversation's deal",
            vec![demo(|_| {}), event(other_shown)],
            vec![(FIRST, None)],
            vec![],
        ),
        (
            "an unknown stage, then a known one",
            vec![staged("hot"), staged("qualified")],
            vec![("qualifiedtobuy", None)],
            vec![],
        ),
        (
            "an unknown object",
            vec![demo(object("ticket"))],
            vec![(FIRST, None)],
            vec![
                "instruction instruction: unknown object 'ticket' ('hubspot' writes \"contact\" and \"deal\")",
            ],
        ),
        ("a known object", vec![demo(object("contact"))], vec![(FIRST, None)], vec![]),
        (
            "an unknown owner",
            vec![demo(told(|it| it.owner_routing = Some("south".to_owned())))],
            vec![(FIRST, None)],
            vec![
                "instruction instruction: unknown owner rule 'south' (add it to [target.owners] of 'hubspot')",
            ],
        ),
        (
            "an owner that the CRM lacks",
            vec![event(told(|it| it.owner_routing = Some("nobody".to_owned())))],
            vec![],
            vec![
                "instruction instruction: HubSpot has no owner '99' (correct 'nobody' in [target.owners] of 'hubspot')",
            ],
        ),
    ]
}

#[test]
fn every_rule_of_deals_leaves_what_it_says() {
    for (what, events, expected, letters) in by_signals().into_iter().chain(by_instruction()) {
        let mut world = World::of(SELLING);
        deliver(&mut world, events);
        let found = deals(&world);
        let found: Vec<_> =
            found.iter().map(|(stage, amount, _)| (stage.as_str(), amount.as_deref())).collect();
        assert_eq!(found, expected, "{what}");
        let letters: BTreeSet<String> = letters.into_iter().map(str::to_owned).collect();
        assert_eq!(dead(&world), letters, "{what}");
        let crm = world.only();
        assert_eq!(crm.ledger("persons").len(), 1, "{what}: the person is written whatever else is not");
        assert_eq!(crm.ledger("activities").len(), 1, "{what}: and so is the conversation");
        world.books();
    }
}

#[test]
fn a_deal_is_expected_to_close_in_ninety_days() {
    let mut world = World::of(SELLING);
    let day = (world.now() + SignedDuration::from_hours(90 * 24)).strftime("%Y-%m-%d").to_string();
    deliver(&mut world, vec![demo(|_| {})]);
    let closes = world.only().ledger("deals")[0]["fields"]["closedate"].as_str().unwrap().to_owned();
    assert!(closes.starts_with(&day), "{closes} is not {day}");
}

#[test]
fn a_deal_that_a_person_moved_on_stays_where_they_put_it() {
    for (stage, left) in
        [("decisionmakerboughtin", 1), ("closedlost", 1), (FIRST, 1), ("presentationscheduled", 0)]
    {
        let mut world = World::of(SELLING);
        deliver(&mut world, vec![staged("qualified")]);
        let crm = world.only();
        let id = crm.ledger("deals")[0]["id"].clone();
        crm.change(&json!({"deal_id": id, "stage": stage}));
        deliver(&mut world, vec![staged("qualified"), demo(|_| {}), staged("shown")]);
        let stages: Vec<String> = deals(&world).into_iter().map(|(stage, ..)| stage).collect();
        assert_eq!(stages, [stage]);
        assert_eq!(world.jobs("suppressed.moved_by_others"), left, "{stage}");
        world.assert_drained();
    }
}

#[test]
fn what_could_not_be_obeyed_is_once_the_configuration_is_mended() {
    let mut world = World::of(SELLING);
    let both = told(|it| {
        it.deal_stage = Some("hot".to_owned());
        it.owner_routing = Some("south".to_owned());
    });
    deliver(&mut world, vec![demo(both)]);
    assert_eq!((dead(&world).len(), deals(&world).len()), (2, 0), "{:?}", dead(&world));
    let mended = SELLING
        .replace("asha =", "south = \"77310002\"\nasha =")
        .replace("[target.deal.stages]", "[target.deal.stages]\nhot = \"presentationscheduled\"");
    world.reload(&mended);
    world.run();
    let ids: Vec<i64> = world.listed(JobState::Dead).iter().map(|job| job.id).collect();
    assert_eq!(world.store.retry_jobs(&ids, world.now()).unwrap(), 2);
    world.run_for(SignedDuration::from_mins(15));
    let owner = Some("77310002".to_owned());
    assert_eq!(deals(&world), [("presentationscheduled".to_owned(), None, owner)]);
    assert_eq!(world.only().ledger("persons")[0]["fields"]["hubspot_owner_id"], "77310002");
    world.assert_drained();
}

#[test]
fn an_owner_is_written_once_and_never_in_place_of_a_persons_choice() {
    let owned = || demo(told(|it| it.owner_routing = Some("asha".to_owned())));
    let mut world = World::of(SELLING);
    deliver(&mut world, vec![owned()]);
    let crm = world.only();
    let person = crm.ledger("persons")[0].clone();
    assert_eq!(person["fields"]["hubspot_owner_id"], "77310001");
    assert_eq!(deals(&world), [(FIRST.to_owned(), None, Some("77310001".to_owned()))]);
    crm.change(&json!({"person_id": person["id"], "field": "hubspot_owner_id", "value": "77310002"}));
    deliver(&mut world, vec![owned(), owned()]);
    assert_eq!(crm.ledger("persons")[0]["fields"]["hubspot_owner_id"], "77310002", "a person's choice stays");

    // Somebody's contact already.
    let mut world = World::of(SELLING);
    let crm = world.only();
    deliver(&mut world, vec![event(|_| {})]);
    let person = crm.ledger("persons")[0]["id"].clone();
    crm.change(&json!({"person_id": person, "field": "hubspot_owner_id", "value": "77310002"}));
    deliver(&mut world, vec![owned()]);
    assert_eq!(crm.ledger("persons")[0]["fields"]["hubspot_owner_id"], "77310002");
    world.assert_drained();
}

/// What happens in one WhatsApp conversation: they write what is read as these intents, or a chatbot tells.
enum Said {
    They(&'static [&'static str]),
    Bot(Box<ChatbotEvent>),
}

fn happens(world: &mut World, said: Vec<Said>) {
    for (n, said) in said.into_iter().enumerate() {
        let (id, now) = (format!("w{n}"), world.now());
        match said {
            Said::They(labels) => world.hears(&[report(by_number(1), &id, now, about(&id, labels))]),
            Said::Bot(event) => {
                world.hears(&[chat(by_number(1), now, ChatbotEvent { event_id: id, ..*event })]);
            }
        }
        world.run_for(SignedDuration::from_mins(15));
    }
}

#[test]
fn a_whatsapp_conversation_has_one_deal_whoever_asks_for_it() {
    use Said::They;
    let tells = |event| Said::Bot(Box::new(event));
    let size = || event(|it| it.visitor.company_size = Some("11-50".to_owned()));
    let other = || demo(|it| it.conversation_id = Some("d".to_owned()));
    let never = || event(told(|it| it.create_deal = Some(false)));
    let table = [
        ("nothing is asked for", vec![They(&[])], vec![]),
        ("another wish", vec![They(&["support", "callback"])], vec![]),
        ("a demo", vec![They(&["demo_request"])], vec![FIRST]),
        ("a demo, twice", vec![They(&["demo_request"]), They(&["demo_request"])], vec![FIRST]),
        ("a competitor", vec![They(&["competitor_evaluation"])], vec![FIRST]),
        ("a price", vec![They(&["pricing"])], vec![]),
        ("a price, and a size told before", vec![They(&[]), tells(size()), They(&["pricing"])], vec![FIRST]),
        ("a message, then a chatbot", vec![They(&["demo_request"]), tells(demo(|_| {}))], vec![FIRST]),
        (
            "a chatbot, then a message",
            vec![They(&[]), tells(demo(|_| {})), They(&["demo_request"])],
            vec![FIRST],
        ),
        ("two chatbots' conversations", vec![They(&[]), tells(demo(|_| {})), tells(other())], vec![FIRST]),
        ("a chatbot names the stage", vec![They(&[]), tells(staged("qualified"))], vec!["qualifiedtobuy"]),
        ("a chatbot that wants none", vec![They(&[]), tells(never())], vec![]),
    ];
    for (what, said, expected) in table {
        let mut world = World::of(SELLING);
        happens(&mut world, said);
        let stages: Vec<String> = deals(&world).into_iter().map(|(stage, ..)| stage).collect();
        assert_eq!(stages, expected, "{what}");
        world.assert_drained();
    }
}

#[test]
fn a_deal_that_is_moved_on_while_answers_are_lost_moves_once_and_a_deleted_one_stays_deleted() {
    for fate in ["apply_then_cut", "apply_then_500", "reject_500"] {
        let mut world = World::of(SELLING);
        deliver(&mut world, vec![staged("qualified")]);
        world.only().fate(&json!({"method": "PATCH", "path": "/deals/", "fate": fate}));
        deliver(&mut world, vec![staged("shown")]);
        world.run_for(SignedDuration::from_hours(1));
        let stages: Vec<String> = deals(&world).into_iter().map(|(stage, ..)| stage).collect();
        assert_eq!(stages, ["presentationscheduled"], "{fate}");
        world.assert_drained();
    }
    let mut world = World::of(SELLING);
    deliver(&mut world, vec![staged("qualified")]);
    let crm = world.only();
    let id = crm.ledger("deals")[0]["id"].as_str().unwrap().to_owned();
    let gone = Call::write(Method::Delete, format!("/crm/objects/2026-03/deals/{id}"), Value::Null);
    assert!(crm.answer(&gone).unwrap().status < 300);
    deliver(&mut world, vec![staged("shown")]);
    assert_eq!(crm.ledger("deals"), [Value::Null; 0]);
    world.assert_drained();
}

/// What was made and lost its answer is found in the stage that was asked for then.
#[test]
fn a_stage_that_is_asked_for_while_the_deal_is_in_doubt_is_reached() {
    let zoho = SELLING
        .replace("hubspot", "zoho")
        .replace("auth =", "person = \"contact\"\nauth =")
        .replace("[target.owners]\nasha = \"77310001\"\nnobody = \"99\"\n", "")
        .replace("company = \"company\"", "")
        .replace("\"default\"", "\"Standard (Standard)\"")
        .replace("\"appointmentscheduled\"", "\"Qualification\"")
        .replace("\"qualifiedtobuy\"", "\"Needs Analysis\"");
    for (target, path, reached) in
        [(SELLING, "/deals", "qualifiedtobuy"), (&zoho, "/Deals", "Needs Analysis")]
    {
        let mut world = World::of(target);
        world.run();
        world.only().fate(&json!({"method": "POST", "path": path, "fate": "apply_then_cut"}));
        world.hears(&[chat(by_number(1), world.now(), demo(|_| {}))]);
        world.run();
        assert_eq!(deals(&world).len(), 1);
        let qualified = ChatbotEvent { event_id: "later".to_owned(), ..staged("qualified") };
        world.hears(&[chat(by_number(1), world.now(), qualified)]);
        world.run_for(SignedDuration::from_hours(2));
        let stages: Vec<String> = deals(&world).into_iter().map(|(stage, ..)| stage).collect();
        assert_eq!(stages, [reached]);
        world.assert_drained();
    }
}

#[test]
fn a_deal_at_zoho_is_moved_on_and_left_to_whoever_moved_it() {
    let target = r#"
[[target]]
name = "zoho"
crm = "zoho"
person = "contact"
auth = { token = "env:NOWHERE" }
[target.deal]
when = ["demo_request"]
pipeline = "Standard (Standard)"
stage = "Qualification"
[target.deal.stages]
analysis = "Needs Analysis"
value = "Value Proposition"
"#;
    let stage = |world: &World| world.only().ledger("deals")[0]["stage"].as_str().unwrap().to_owned();
    let mut world = World::of(target);
    deliver(&mut world, vec![demo(|_| {})]);
    assert_eq!(stage(&world), "Qualification");
    deliver(&mut world, vec![staged("analysis")]);
    assert_eq!(stage(&world), "Needs Analysis");
    let crm = world.only();
    let id = crm.ledger("deals")[0]["id"].clone();
    crm.change(&json!({"deal_id": id, "stage": "Negotiation/Review"}));
    deliver(&mut world, vec![staged("value")]);
    assert_eq!((stage(&world).as_str(), crm.ledger("deals").len()), ("Negotiation/Review", 1));
    assert_eq!(world.jobs("suppressed.moved_by_others"), 1);
    world.assert_drained();
}
