//! Conversations, as projection files them.

use super::bench::*;
use wabridge::store::outbox::*;
use wabridge_model::OperationKind as Kind;
use wabridge_model::event::{Echo, Fact};

fn activities(bench: &Bench) -> Vec<Job> {
    bench.jobs().into_iter().filter(|job| job.kind == Kind::Activity).collect()
}

fn open(bench: &Bench) -> Vec<Conversation> {
    let ended = |job: &Job| job.state == JobState::Suppressed;
    let ids: Vec<String> =
        activities(bench).into_iter().filter(|job| !ended(job)).map(|job| job.subject).collect();
    bench.store.conversations(&ids).unwrap()
}

#[test]
fn a_day_of_silence_ends_a_conversation_and_so_do_seven_days_without() {
    let bench = Bench::new();
    let at = |hour: i64| message(by_phone(1), &format!("m{hour}"), start() + hours(hour));
    bench.receive(&(0..=9).map(|n| at(n * 20)).collect::<Vec<_>>());
    let spans: Vec<_> = open(&bench).iter().map(|it| (it.started_at, it.last_at)).collect();
    let hour = |n| start() + hours(n);
    assert_eq!(spans, [(hour(0), hour(160)), (hour(180), hour(180))]);
    bench.receive(&[at(204), at(229)]);
    let spans: Vec<_> = open(&bench).iter().map(|it| (it.started_at, it.last_at)).collect();
    assert_eq!(spans, [(hour(0), hour(160)), (hour(180), hour(204)), (hour(229), hour(229))]);
}

#[test]
fn messages_in_any_order_make_the_same_conversations_while_nothing_is_sent() {
    let hours_of = [0, 20, 40, 70, 90, 120];
    let mut orders = vec![hours_of.to_vec()];
    orders.push(hours_of.iter().rev().copied().collect());
    orders.push(vec![40, 0, 90, 70, 120, 20]);
    for order in orders {
        let bench = Bench::new();
        for hour in &order {
            let mut late = message(by_phone(1), &format!("m{hour}"), start() + hours(*hour));
            late.received_at = start() + hours(200);
            bench.receive(&[late]);
            bench.assert_balanced();
        }
        let mut spans: Vec<_> = open(&bench).iter().map(|it| (it.started_at, it.last_at)).collect();
        spans.sort();
        let hour = |n| start() + hours(n);
        let expected = [(hour(0), hour(40)), (hour(70), hour(90)), (hour(120), hour(120))];
        assert_eq!(spans, expected, "{order:?}");
    }
}

#[test]
fn a_late_message_before_what_was_sent_belongs_to_it_and_moves_no_start() {
    let mut bench = Bench::new();
    bench.later(minutes(10));
    bench.write(1, "b");
    bench.write_all(&bench.claim_one(), "7");
    let mut late = message(by_phone(1), "a", start());
    late.received_at = bench.now;
    bench.receive(&[late]);
    let known = open(&bench);
    assert_eq!(known.len(), 1);
    assert_eq!((known[0].started_at, known[0].from), (bench.now, start()));
    assert_eq!(known[0].until, bench.now + hours(24) + jiff::SignedDuration::from_millis(1));
    assert_eq!(activities(&bench)[0].state, JobState::Pending, "its text changed");
}

#[test]
fn an_answer_goes_on_with_a_conversation_and_never_begins_one() {
    let mut bench = Bench::new();
    let echo = |id: &str, at| {
        let echo = Echo { id: id.into(), kind: "text".into(), text: None, history: false };
        report(by_phone(1), id, at, Fact::Echo(echo))
    };
    bench.receive(&[echo("before", bench.now)]);
    assert!(bench.jobs().is_empty());
    bench.later(minutes(1));
    bench.write(1, "a");
    bench.write_all(&bench.claim_one(), "7");
    bench.later(minutes(1));
    bench.receive(&[echo("answer", bench.now)]);
    assert_eq!(bench.states(), [(Kind::Person, JobState::Done), (Kind::Activity, JobState::Pending)]);
    assert_eq!(activities(&bench)[0].due_at, bench.now + minutes(5));
    bench.later(hours(30));
    bench.receive(&[echo("later", bench.now)]);
    assert_eq!(activities(&bench).len(), 1);
}

#[test]
fn a_bot_speaks_in_the_conversation_that_is_open_or_in_one_of_its_own() {
    let mut bench = Bench::new();
    bench.write(1, "a");
    bench.receive(&[
        chat(by_phone(1), bench.now + minutes(1), bot("e1", "conversation.updated")),
        chat(by_phone(2), bench.now + minutes(1), bot("e2", "conversation.updated")),
    ]);
    let places: Vec<String> = open(&bench).into_iter().map(|it| it.place).collect();
    assert_eq!(places, ["+918047000000", "chatbot:bot"]);
    bench.later(hours(30));
    bench.receive(&[chat(by_phone(1), bench.now, bot("e3", "conversation.updated"))]);
    assert_eq!(open(&bench).len(), 3);
}
