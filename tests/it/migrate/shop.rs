//! A store with something in every table, come by in the ways in which a daemon comes by it.

use crate::outbox::bench::{
    CRM, about, bot, by_bsuid, by_phone, chat, done, hours, message, minutes, phone, report, row, start,
    target,
};
use crate::projection::project;
use crate::support::desk::grant_in;
use std::collections::BTreeMap;
use std::sync::Arc;
use wabridge::config::Target;
use wabridge::routing::Routes;
use wabridge::store::login::LoginRow;
use wabridge::store::outbox::{Claim, End, Leased, Settled, ShadowRow, Used};
use wabridge::store::replay::Parked;
use wabridge::store::{Aside, Prepared, Request, Store, StoreError, Stored};
use wabridge::web::api::token::Scope;
use wabridge_model::event::{Fact, Message, MessageKind, Person, Referral, ReferralReport};
use wabridge_model::evidence::Report;
use wabridge_model::{MatchedBy, OperationKind, Priority};
use wabridge_providers::{Item, Malformed, Proof};

/// The body of a request of this many messages of one person.
pub(crate) fn body(person: u32, messages: usize, id: &str) -> String {
    format!("{person} {messages} {id}")
}

/// A request whose body says what it holds.
fn request(body: &str) -> Request {
    Request {
        received_at: start(),
        channel: "main".to_owned(),
        proof: Proof::Signed,
        secret_index: 0,
        query: "hub=1".to_owned(),
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: body.as_bytes().to_vec(),
    }
}

/// Stores a request and leaves it waiting.
pub(crate) fn receive(store: &dyn Store, body: &str) -> Result<(), StoreError> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(store.append(request(body)))
}

/// Reads a request as a provider would.
fn prepare(stored: &Stored) -> Prepared {
    let text = std::str::from_utf8(&stored.request.body).unwrap();
    let parts: Vec<&str> = text.split(' ').collect();
    let items = match parts[..] {
        ["malformed"] => Err(Malformed { reason: "not_json", path: "$".to_owned() }),
        ["half"] => Ok(vec![
            Item::Event(Box::new(message(by_phone(1), "half", start()).event)),
            Item::Quarantined(Malformed { reason: "missing_field", path: "entry[1]".to_owned() }),
        ]),
        [person, messages, id] => {
            let person: u32 = person.parse().unwrap();
            let messages = 0..messages.parse::<u32>().unwrap();
            let event = |n| message(by_phone(person), &format!("{id}-{n}"), start()).event;
            Ok(messages.map(|n| Item::Event(Box::new(event(n)))).collect())
        }
        _ => Ok(Vec::new()),
    };
    let resolved = if text == "half" { vec![("10655".to_owned(), phone(90))] } else { Vec::new() };
    Prepared {
        id: stored.id,
        received_at: stored.request.received_at,
        channel: stored.request.channel.clone(),
        provider: "meta",
        proof: stored.request.proof,
        secondary: false,
        resolved,
        items,
    }
}

/// Projects what waits, and leaves what has many items set aside.
pub(crate) fn settle(store: &dyn Store) -> usize {
    let prepared: Vec<Prepared> = store.claim(1000).unwrap().iter().map(prepare).collect();
    if prepared.is_empty() { 0 } else { store.settle(prepared).unwrap() }
}

/// Projects all that waits. How many requests.
pub(crate) fn drain(store: &dyn Store) -> usize {
    let mut all = 0;
    loop {
        let settled = settle(store);
        let aside = store.claim_aside().unwrap();
        if settled == 0 && aside.is_none() {
            return all;
        }
        all += settled + usize::from(aside.is_some());
        let mut left = aside.map(|stored| Aside::from(prepare(&stored)));
        while let Some(aside) = left {
            left = store.settle_aside(aside).unwrap();
        }
    }
}

/// A click on an ad, and what was written then.
fn advert(n: u32) -> Report {
    let referral = Referral {
        ctwa_clid: Some(format!("click-{n}")),
        source_id: Some(format!("12021000000000000{}", n % 3)),
        source_type: Some("ad".into()),
        ..Referral::default()
    };
    let id = format!("ad-{n}");
    let referral = ReferralReport::Present(Box::new(referral));
    let told = Message { referral, ..Message::new(&id, MessageKind::Text) };
    report(by_phone(n), &id, start() + minutes(i64::from(n)), Fact::Message(told))
}

fn named(person: Person, name: &str) -> Person {
    Person { name: Some(name.to_owned()), username: Some(format!("user.{name}")), ..person }
}

/// What people say.
pub(crate) fn traffic() -> Vec<Report> {
    let mut reports: Vec<Report> = (0..12).map(advert).collect();
    for n in 0..12 {
        let at = start() + hours(1) + minutes(i64::from(n));
        reports.push(message(named(by_phone(n), &format!("Asha{n}")), &format!("m{n}"), at));
        reports.push(message(by_bsuid(n), &format!("b{n}"), at));
    }
    // Who they were turns out later: two become one.
    for n in 0..4 {
        let both = Person { phone: Some(phone(n)), ..by_bsuid(n) };
        reports.push(message(both, &format!("both{n}"), start() + hours(2)));
    }
    let demo = about("demo", &["demo_request"]);
    reports.push(report(by_phone(2), "demo", start() + hours(3), demo));
    let mut asked = bot("evt-1", "lead.created");
    asked.conversation_id = Some("conversation-1".to_owned());
    reports.push(chat(by_phone(5), start() + hours(3), asked));
    let mut unknown = bot("evt-2", "conversation.updated");
    unknown.conversation_id = Some("conversation-2".to_owned());
    reports.push(chat(Person::default(), start() + hours(3), unknown));
    reports
}

pub(crate) fn targets() -> Vec<Target> {
    vec![target(CRM)]
}

/// Leases some of what is due, late enough for everything to be.
pub(crate) fn claim(store: &dyn Store, bundles: usize) -> Vec<Leased> {
    let now = start() + hours(48);
    let (until, down_to) = (now + minutes(1), Priority::Bulk);
    store.claim_jobs(Claim { target: CRM, now, until, urgent: bundles, bulk: bundles, down_to }).unwrap()
}

/// Settles a bundle, each job by its kind.
pub(crate) fn end(store: &dyn Store, leased: &Leased, end: impl Fn(OperationKind) -> End) {
    let known = leased.jobs.iter().any(|job| matches!(end(job.kind), End::Done { .. }));
    let record = format!("record-{}", leased.jobs[0].id);
    let settled = Settled {
        lease: leased.lease,
        target: CRM.to_owned(),
        lead: leased.lead,
        ends: leased.jobs.iter().map(|job| (job.id, job.revision, end(job.kind))).collect(),
        record: known.then(|| Some(row(&record))),
        at: start() + hours(48),
    };
    store.settle_jobs(vec![settled]).unwrap();
}

/// Fills a store.
pub(crate) fn fill(store: &dyn Store) {
    store.route_by(Arc::new(Routes { targets: targets(), ..Routes::default() }));
    project(store, &traffic());
    project(store, &traffic()[..5]);
    for text in ["malformed", "half"] {
        receive(store, text).unwrap();
    }
    settle(store);
    deliver(store);
    keep(store);
    receive(store, &body(20, 60, "large")).unwrap();
    settle(store);
    (0..5).for_each(|n| receive(store, &body(21 + n, 1, "waits")).unwrap());
    assert!(store.books().unwrap().balance(), "{:?}", store.books());
    assert_eq!(store.books().unwrap().requests["waiting"], 6);
}

/// Jobs in every state, one of them leased.
fn deliver(store: &dyn Store) {
    let due_at = start() + hours(50);
    let leased = claim(store, 6);
    assert!(leased.len() >= 6, "{leased:?}");
    end(store, &leased[0], |kind| done(kind, "1"));
    end(store, &leased[1], |_| End::Retry { due_at, spent: true, cause: "down".to_owned() });
    end(store, &leased[2], |_| End::Dead("schema".to_owned()));
    end(store, &leased[3], |_| End::Doubt { due_at, cause: "lost".to_owned() });
    end(store, &leased[4], |_| End::Held("rollout".to_owned()));
    let shadow = ShadowRow {
        lead: leased[5].lead,
        kind: OperationKind::Person,
        at: start(),
        action: "create".to_owned(),
        matched_by: Some(MatchedBy::Created),
        diff: BTreeMap::new(),
    };
    store.keep_shadow(CRM, vec![shadow]).unwrap();
}

/// What is kept of targets, accounts and people who may look.
fn keep(store: &dyn Store) {
    store.pause_target("other", Some("maintenance")).unwrap();
    store.keep_schema(CRM, &serde_json::json!({"fields": ["phone"]}), start()).unwrap();
    let used = [Used { budget: "day".to_owned(), span: start(), amount: 7 }];
    store.keep_used("crm-account", &used).unwrap();
    grant_in(store, "plugin", &[Scope::Admin]);
    let login = LoginRow {
        sealed: vec![0, 1, 255],
        generation: 3,
        renew_at: Some(start()),
        expires_at: None,
        wait_until: None,
        fault: None,
        changed_at: start(),
    };
    assert!(store.keep_login(CRM, &login, None).unwrap());
    let parked = Parked {
        received_at: start(),
        channel: "main".to_owned(),
        query: String::new(),
        headers: Vec::new(),
        body: b"who knows".to_vec(),
    };
    assert!(store.park(parked).unwrap());
}
