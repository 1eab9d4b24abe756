//! A demo request makes a task, due when they asked: one for each conversation, whoever tells of it.

use super::world::{At, World, at_each_crm, by_number};
use crate::outbox::bench::{about, bot, chat, report};
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::time::Duration;
use wabridge::store::outbox::JobState;
use wabridge_model::OperationKind;
use wabridge_model::chatbot::{ChatbotEvent, CrmTarget};

at_each_crm!(
    a_demo_request_makes_one_task_for_each_conversation,
    a_task_is_due_when_they_asked_and_theirs_whose_the_person_is,
    a_task_whose_answer_was_lost_is_there_once,
    a_task_is_as_people_left_it,
    a_target_without_tasks_makes_none,
);

/// What happens, a quarter of an hour between each.
enum Step {
    /// They write what is read as this.
    Writes(&'static str),
    /// A chatbot tells of this type and intent.
    Bot(&'static str, &'static str),
    /// The same, with an instruction for another target.
    Elsewhere,
    /// Time enough passes for another conversation to begin.
    Silence,
}
use Step::{Bot, Elsewhere, Silence, Writes};

fn plays(world: &mut World, steps: &[Step]) {
    for (n, step) in steps.iter().enumerate() {
        let (id, now, person) = (format!("s{n}"), world.now(), by_number(1));
        let told = |kind: &str, change: &dyn Fn(&mut ChatbotEvent)| {
            let mut event = bot(&id, kind);
            change(&mut event);
            chat(by_number(1), now, event)
        };
        match step {
            Writes(label) => world.hears(&[report(person, &id, now, about(&id, &[label]))]),
            Bot(kind, intent) => {
                world.hears(&[told(kind, &|event| event.intent.labels = vec![(*intent).to_owned()])]);
            }
            Elsewhere => {
                let target = Some("elsewhere".to_owned());
                let instruction = CrmTarget { target, ..CrmTarget::default() };
                let other = |event: &mut ChatbotEvent| event.crm_target = Some(instruction.clone());
                world.hears(&[told("demo.requested", &other)]);
            }
            Silence => world.clock.pass(Duration::from_secs(30 * 3600)),
        }
        world.run_for(SignedDuration::from_mins(15));
    }
}

fn a_demo_request_makes_one_task_for_each_conversation(at: &At) {
    let table: [(&str, &[Step], usize); 11] = [
        ("a message", &[Writes("demo_request")], 1),
        ("another wish", &[Writes("pricing")], 0),
        ("asked twice", &[Writes("demo_request"), Writes("demo_request")], 1),
        ("asked later on", &[Writes("pricing"), Writes("demo_request")], 1),
        ("asked again another day", &[Writes("demo_request"), Silence, Writes("demo_request")], 2),
        ("a chatbot", &[Bot("demo.requested", "")], 1),
        ("a chatbot by its label", &[Bot("conversation.updated", "Demo_Request")], 1),
        ("a chatbot of another wish", &[Bot("conversation.updated", "pricing")], 0),
        ("both, of one conversation", &[Writes("demo_request"), Bot("demo.requested", "")], 1),
        ("a chatbot in their conversation", &[Writes("support"), Bot("demo.requested", "")], 1),
        ("for another target", &[Elsewhere], 0),
    ];
    for (what, steps, tasks) in table {
        let mut world = World::at(at);
        plays(&mut world, steps);
        let crm = world.only();
        assert_eq!(crm.ledger("tasks").len(), tasks, "{what}");
        assert_eq!(crm.ledger("persons").len(), 1, "{what}");
        let done = world.listed(JobState::Done);
        assert_eq!(done.iter().filter(|job| job.kind == OperationKind::Task).count(), tasks, "{what}");
        world.assert_drained();
    }
}

fn a_task_is_due_when_they_asked_and_theirs_whose_the_person_is(at: &At) {
    let mut world = World::at(at);
    let crm = world.only();
    world.says(by_number(1), "m1");
    world.run();
    let person = crm.ledger("persons")[0]["id"].clone();
    let (field, rep) = match at.name {
        "hubspot" => ("hubspot_owner_id", "77310002"),
        _ => ("Owner", "4876876000000225014"),
    };
    crm.change(&json!({"person_id": person, "field": field, "value": rep}));
    world.run_for(SignedDuration::from_mins(20));
    let asked = world.now();
    world.hears(&[report(by_number(1), "m2", asked, about("m2", &["demo_request"]))]);
    crm.gone.store(true, std::sync::atomic::Ordering::Relaxed);
    world.run_for(SignedDuration::from_hours(3));
    assert_eq!(crm.ledger("tasks"), [Value::Null; 0]);
    crm.gone.store(false, std::sync::atomic::Ordering::Relaxed);
    world.run_for(SignedDuration::from_hours(3));
    let tasks = crm.ledger("tasks");
    let [task] = tasks.as_slice() else { panic!("{tasks:?}") };
    assert_eq!(task["person_id"], person);
    let fields = &task["fields"];
    let text = task["text"].as_str().unwrap();
    assert!(text.contains("They wrote: Message m2") && text.contains("Phone: +919800000001"), "{text}");
    let said = |name: &str| fields[name].as_str().unwrap_or_default().to_owned();
    assert!(said(field).contains(rep), "{fields}");
    let (title, due, open) = match at.name {
        "hubspot" => {
            ("hs_task_subject", ("hs_timestamp", asked.to_string()), ("hs_task_status", "NOT_STARTED"))
        }
        _ => ("Subject", ("Due_Date", asked.strftime("%Y-%m-%d").to_string()), ("Status", "Not Started")),
    };
    assert_eq!(said(title), "Demo requested: Customer 1");
    let is_due = said(due.0).parse().is_ok_and(|at: jiff::Timestamp| at == asked) || said(due.0) == due.1;
    assert!(is_due, "{fields}");
    assert_eq!(said(open.0), open.1);
    world.assert_drained();
}

fn a_task_whose_answer_was_lost_is_there_once(at: &At) {
    for fate in ["apply_then_cut", "apply_then_500", "reject_500"] {
        let mut world = World::at(at);
        let crm = world.only();
        let path = if at.name == "hubspot" { "/tasks" } else { "/Tasks" };
        crm.fate(&json!({"method": "POST", "path": path, "fate": fate}));
        plays(&mut world, &[Writes("demo_request")]);
        world.run_for(SignedDuration::from_mins(15));
        assert_eq!(crm.ledger("tasks").len(), 1, "{fate}");
        world.assert_drained();
    }
}

fn a_task_is_as_people_left_it(at: &At) {
    let mut world = World::at(at);
    let crm = world.only();
    plays(&mut world, &[Writes("demo_request")]);
    let before = crm.ledger("tasks");
    assert_eq!(before.len(), 1);
    plays(&mut world, &[Writes("demo_request"), Bot("demo.requested", "")]);
    assert_eq!(crm.ledger("tasks"), before);
}

fn a_target_without_tasks_makes_none(at: &At) {
    let without = |on: &str| at.target.replace("[target.fields]", &format!("tasks = {on}\n[target.fields]"));
    let mut world = World::of(&without("false"));
    plays(&mut world, &[Writes("demo_request")]);
    assert_eq!(world.only().ledger("tasks"), [Value::Null; 0]);
    world.assert_drained();

    // Switched off while one waits.
    let mut world = World::of(&without("true"));
    world.store.pause_target(at.name, Some("operator")).unwrap();
    plays(&mut world, &[Writes("demo_request")]);
    world.reload(&without("false"));
    world.store.pause_target(at.name, None).unwrap();
    world.run_for(SignedDuration::from_mins(15));
    assert_eq!(world.only().ledger("tasks"), [Value::Null; 0]);
    assert_eq!(world.jobs("suppressed.switched_off"), 1);
    world.assert_drained();
}
