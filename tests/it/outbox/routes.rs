//! Which change asks for what, and how soon.

use super::bench::*;
use wabridge::config::Target;
use wabridge::config::target::Deal;
use wabridge_model::OperationKind as Kind;
use wabridge_model::Priority::{Bulk, First, Urgent};
use wabridge_model::chatbot::{ChatbotEvent, CrmTarget};
use wabridge_model::event::*;
use wabridge_model::evidence::Report;
use wabridge_model::id::Email;
use wabridge_model::{Country, Phone, Priority};

const HOUR: i64 = 60;

/// What it is, the report, and how soon it asks for the person, in how many minutes.
type Case<'a> = (&'a str, Report, Option<(Priority, i64)>);

fn ad(id: &str, at: jiff::Timestamp) -> Report {
    let referral = Referral {
        source_id: Some("12".into()),
        source_type: Some("ad".into()),
        ctwa_clid: Some("click".into()),
        ..Referral::default()
    };
    let message = Message {
        referral: ReferralReport::Present(Box::new(referral)),
        ..Message::new(id, MessageKind::Text)
    };
    report(by_phone(1), id, at, Fact::Message(message))
}

fn status(codes: Vec<u32>, at: jiff::Timestamp) -> Report {
    let status = Status { message_id: "o".into(), state: StatusState::Failed, codes, free_entry_until: None };
    report(by_phone(1), &format!("s{at}"), at, Fact::Status(status))
}

/// What was asked of the person: how soon, and in how many minutes.
fn person(bench: &Bench) -> Option<(Priority, i64)> {
    let jobs = bench.jobs();
    let job = jobs.iter().find(|job| job.kind == Kind::Person && !job.state.is_over())?;
    Some((job.priority, job.due_at.duration_since(bench.now).as_mins()))
}

/// A lead whose record and conversation were just written.
fn written() -> Bench {
    let mut bench = Bench::new();
    bench.write(1, "a");
    bench.write_all(&bench.claim_one(), "7");
    bench.later(minutes(1));
    bench
}

#[test]
fn a_change_is_as_urgent_as_what_a_rep_must_know() {
    let now = start() + minutes(1);
    let named = Person { name: Some("Asha".into()), ..by_phone(1) };
    let mailed = Person { email: Email::parse("asha@example.in"), ..by_phone(1) };
    let words = |wish| Fact::Message(Message { wish: Some(wish), ..Message::new("w", MessageKind::Text) });
    let stop = Preference { category: Preference::MARKETING.into(), choice: Choice::Stop };
    let call = Call {
        id: "c".into(),
        step: "connect".into(),
        direction: CallDirection::ByCustomer,
        answered: false,
    };
    let history = Message { history: true, ..Message::new("h", MessageKind::Text) };
    let group = Message { group: true, ..Message::new("g", MessageKind::Text) };
    let about = |label: &str| {
        let intents = Some(Box::new(Intents { labels: vec![label.to_owned()], ..Intents::default() }));
        Message { intents, ..Message::new("i", MessageKind::Text) }
    };
    let in_group = Message { group: true, ..about("demo_request") };
    let of = |fact| report(by_phone(1), "x", now, fact);
    let table: [Case<'_>; 21] = [
        ("a question for the price", of(Fact::Message(about("pricing"))), Some((Bulk, 5))),
        ("a demo asked for in words", of(Fact::Message(about("demo_request"))), Some((First, 0))),
        ("a person asked for in words", of(Fact::Message(about("escalation"))), Some((Urgent, 0))),
        ("a demo asked for in a group", of(Fact::Message(in_group)), None),
        ("an open window extended", message(by_phone(1), "b", now), Some((Bulk, 2 * HOUR))),
        ("a call", of(Fact::Call(call)), Some((Bulk, 2 * HOUR))),
        ("a name", message(named, "b", now), Some((Bulk, 5))),
        ("an ad", ad("b", now), Some((Bulk, 5))),
        ("an address to write to", message(mailed, "b", now), Some((Urgent, 0))),
        ("no more messages", of(words(Wish::Stop)), Some((Urgent, 0))),
        ("no more marketing", of(Fact::Preference(stop)), Some((Urgent, 0))),
        ("a window closed by refusal", status(vec![131_047], now + minutes(1)), Some((Urgent, 0))),
        ("marketing refused", status(vec![131_050], now), Some((Urgent, 0))),
        ("a status", status(vec![], now), None),
        ("an import", of(Fact::Message(history)), None),
        ("a group", of(Fact::Message(group)), None),
        ("an address book", of(Fact::Contact { removed: false }), None),
        ("a bot's word", chat(by_phone(1), now, bot("e", "conversation.updated")), Some((Bulk, 5))),
        ("a demo", chat(by_phone(1), now, bot("e", "demo.requested")), Some((First, 0))),
        ("a qualification", chat(by_phone(1), now, bot("e", "lead.qualified")), Some((First, 0))),
        ("an escalation", chat(by_phone(1), now, bot("e", "support.escalated")), Some((Urgent, 0))),
    ];
    for (what, mut report, expected) in table {
        let bench = written();
        report.received_at = report.event.occurred_at.unwrap_or(now);
        let early = report.received_at.duration_since(bench.now).as_mins();
        bench.receive(&[report]);
        let found = person(&bench).map(|(priority, due)| (priority, due - early));
        assert_eq!(found, expected, "{what}");
        bench.assert_balanced();
    }
}

#[test]
fn who_is_no_lead_asks_for_nothing_and_an_ad_goes_first() {
    let bench = Bench::new();
    let history = Message { history: true, ..Message::new("h", MessageKind::Text) };
    bench.receive(&[
        status(vec![131_047], bench.now),
        report(by_phone(1), "h", bench.now, Fact::Message(history)),
    ]);
    assert!(bench.jobs().is_empty());
    bench.receive(&[ad("a", bench.now)]);
    assert_eq!(person(&bench), Some((First, 0)));
    assert!(bench.jobs().iter().all(|job| job.priority == First), "the conversation with it");
}

#[test]
fn a_window_that_opens_again_is_urgent_and_so_is_a_new_number() {
    let mut bench = written();
    bench.later(hours(30));
    bench.write(1, "b");
    assert_eq!(person(&bench), Some((Urgent, 0)));
    bench.write_all(&bench.claim_one(), "7");
    bench.later(minutes(1));
    let change = IdentityChange { previous_phone: Some(phone(1)), ..IdentityChange::default() };
    bench.receive(&[report(by_phone(2), "n", bench.now, Fact::IdentityChange(change))]);
    assert_eq!(person(&bench), Some((Urgent, 0)));
}

fn selling(name: &str, when: &[&str]) -> Target {
    let deal = Deal {
        when: when.iter().map(|it| (*it).to_owned()).collect(),
        pipeline: "p".into(),
        stage: "s".into(),
        close_after: hours(90 * 24),
        stages: Default::default(),
        restricted_stages: Vec::new(),
    };
    Target { deal: Some(deal), ..target(name) }
}

#[test]
fn a_deal_is_asked_for_where_it_is_configured_and_shown_or_told() {
    let event = |change: &dyn Fn(&mut ChatbotEvent)| {
        let mut event = bot("e", "conversation.updated");
        event.conversation_id = Some("c".into());
        change(&mut event);
        event
    };
    let told = |target: Option<&str>, create| {
        let target = target.map(str::to_owned);
        Some(CrmTarget { target, create_deal: Some(create), ..CrmTarget::default() })
    };
    let pricing = |event: &mut ChatbotEvent| event.intent.labels = vec!["pricing".into()];
    let table: Vec<(&str, ChatbotEvent, &[&str])> = vec![
        ("nothing", event(&|_| {}), &[]),
        ("a demo", event(&|it| it.event_type = "demo.requested".into()), &["a", "b"]),
        ("pricing", event(&pricing), &[]),
        (
            "pricing and a size",
            event(&|it| {
                pricing(it);
                it.visitor.company_size = Some("50".into())
            }),
            &["a"],
        ),
        ("a competitor", event(&|it| it.intent.competitor_mentions = vec!["x".into()]), &["a"]),
        ("told so", event(&|it| it.crm_target = told(None, true)), &["a", "b"]),
        ("told so for one", event(&|it| it.crm_target = told(Some("b"), true)), &["b"]),
        (
            "told not to",
            event(&|it| {
                it.event_type = "demo.requested".into();
                it.crm_target = told(None, false);
            }),
            &[],
        ),
    ];
    for (what, event, expected) in table {
        let all = ["demo_request", "pricing_with_company_size", "competitor_evaluation"];
        let bench = Bench::with(vec![selling("a", &all), selling("b", &all[..1]), target("c")]);
        let again = ChatbotEvent { event_id: "again".into(), ..event.clone() };
        bench.receive(&[
            chat(by_phone(1), bench.now, event),
            chat(by_phone(1), bench.now + minutes(1), again),
        ]);
        let deals: Vec<_> =
            bench.jobs().into_iter().filter(|job| job.kind == Kind::Deal).map(|job| job.target).collect();
        assert_eq!(deals, expected, "{what}, once for a conversation");
        assert_eq!(bench.jobs().iter().filter(|job| job.kind == Kind::Person).count(), 3);
    }
}

#[test]
fn a_target_hears_of_its_own_channels_numbers_and_countries() {
    let number = |digits: &str| Phone::from_whatsapp_id(digits).unwrap();
    let targets = vec![
        Target { channels: vec!["main".into()], ..target("by_channel") },
        Target { channels: vec!["other".into()], ..target("by_other_channel") },
        Target { business_numbers: vec![number("918047000000")], ..target("by_number") },
        Target { business_numbers: vec![number("918047000001")], ..target("by_other_number") },
        Target { regions: vec![Country::INDIA], ..target("by_country") },
        Target {
            regions: number("14155550100").region().into_iter().collect(),
            ..target("by_other_country")
        },
    ];
    let bench = Bench::with(targets);
    bench.write(1, "a");
    let asked: std::collections::BTreeSet<_> = bench.jobs().into_iter().map(|job| job.target).collect();
    assert_eq!(asked.into_iter().collect::<Vec<_>>(), ["by_channel", "by_country", "by_number"]);
}
