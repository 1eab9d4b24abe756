//! Random histories of a few people whose names collide, for tests of the fold and of the projection.

#![expect(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

use jiff::Timestamp;
use proptest::prelude::*;
use wabridge_model::Phone;
use wabridge_model::chatbot::{ChatbotEvent, ChatbotEventType, Utm};
use wabridge_model::event::*;
use wabridge_model::evidence::{Proof, Report};
use wabridge_model::id::{Bsuid, Email, EventKey};

/// The second at which every history begins.
pub(crate) const START: i64 = 1_790_000_000;

fn business(n: u8) -> Business {
    let number = Phone::from_whatsapp_id(["918047000000", "918047000001"][usize::from(n % 2)]).unwrap();
    Business { account_id: Some("1".into()), number: Some(number), portfolio: "default".into() }
}

fn person() -> impl Strategy<Value = Person> {
    let pick = |n: u8| prop_oneof![2 => Just(None), 3 => (0..n).prop_map(Some)];
    (pick(3), pick(3), pick(2), pick(2), pick(2)).prop_map(|(phone, bsuid, parent, email, name)| Person {
        phone: phone.map(|n| Phone::from_whatsapp_id(&format!("91987650000{n}")).unwrap()),
        bsuid: bsuid.map(|n| Bsuid::parse(&format!("IN.b{n}")).unwrap()),
        parent_bsuid: parent.map(|n| Bsuid::parse(&format!("IN.ENT.p{n}")).unwrap()),
        email: email.map(|n| Email::parse(&format!("buyer{n}@example.in")).unwrap()),
        username: name.map(|n| format!("User{n}")),
        name: name.map(|n| format!("Buyer {n}")),
        ..Person::default()
    })
}

fn referral() -> impl Strategy<Value = ReferralReport> {
    let present = (0..3u8, 0..3u8).prop_map(|(ad, click)| {
        ReferralReport::Present(Box::new(Referral {
            source_id: Some(format!("12{ad}")),
            source_type: Some(["ad", "post", "later"][usize::from(ad)].into()),
            ctwa_clid: (click > 0).then(|| format!("click{click}")),
            source_url: Some(format!("https://fb.me/{ad}")),
            ..Referral::default()
        }))
    });
    let silent = prop::sample::select(vec![ReferralReport::Unreported, ReferralReport::UnreportedByVersion]);
    prop_oneof![
        3 => Just(ReferralReport::Absent),
        1 => Just(ReferralReport::Malformed),
        1 => silent,
        3 => present
    ]
}

fn link() -> impl Strategy<Value = Option<Box<Link>>> {
    let utm = |n: u8| Utm { source: (n > 0).then(|| format!("source{n}")), ..Utm::default() };
    prop::option::weighted(
        0.2,
        (0..3u8).prop_map(move |n| Box::new(Link { code: format!("CODE{n}"), utm: utm(n) })),
    )
}

fn fact(n: u16) -> impl Strategy<Value = Fact> {
    let kind =
        prop::sample::select(vec!["text", "reaction", "request_welcome", "edit", "poll_from_the_future"]);
    let wish =
        prop::option::weighted(0.2, prop::sample::select(vec![Wish::Stop, Wish::StopMarketing, Wish::Start]));
    let wish = (wish, prop::option::weighted(0.2, prop::sample::select(vec!["pricing", "demo_request"])));
    let flags = (prop::bool::weighted(0.1), prop::bool::weighted(0.1), wish);
    let message = (kind, referral(), link(), flags).prop_map(
        move |(kind, referral, link, (group, history, (wish, label)))| {
            Fact::Message(Message {
                text: Some("hi".into()),
                group,
                history,
                wish,
                intents: label
                    .map(|label| Box::new(Intents { labels: vec![label.to_owned()], ..Intents::default() })),
                referral,
                link,
                ..Message::new(format!("m{n}"), kind.into())
            })
        },
    );
    // Few messages of the business, so that statuses without a person meet the message they are about.
    let echo = (0..3u8, prop::bool::weighted(0.2)).prop_map(|(id, history)| {
        Fact::Echo(Echo { id: format!("o{id}"), kind: "text".into(), text: None, history })
    });
    let state = prop::sample::select(vec!["sent", "delivered", "failed"]);
    let codes = prop::sample::select(vec![vec![], vec![131_047], vec![470], vec![131_050]]);
    let status = (0..3u8, state, codes).prop_map(|(id, state, codes)| {
        Fact::Status(Status {
            message_id: format!("o{id}"),
            state: state.into(),
            codes,
            free_entry_until: None,
        })
    });
    let change = (0..3u8, prop::option::of(0..3u8)).prop_map(|(phone, bsuid)| {
        Fact::IdentityChange(IdentityChange {
            previous_phone: Some(Phone::from_whatsapp_id(&format!("91987650000{phone}")).unwrap()),
            previous_bsuid: bsuid.map(|n| Bsuid::parse(&format!("IN.b{n}")).unwrap()),
            previous_parent_bsuid: None,
        })
    });
    let choice = prop::sample::select(vec!["stop", "resume"]).prop_map(|choice| {
        Fact::Preference(Preference { category: Preference::MARKETING.into(), choice: choice.into() })
    });
    let call = prop::bool::ANY.prop_map(move |ours| {
        let direction = if ours { CallDirection::ByBusiness } else { CallDirection::ByCustomer };
        Fact::Call(Call { id: format!("c{n}"), step: "connect".into(), direction, answered: false })
    });
    let kinds =
        vec!["lead.created", "lead.qualified", "consent.given", "consent.withdrawn", "conversation.ended"];
    let chatbot = (prop::sample::select(kinds), prop::option::of(0..2u8))
        .prop_map(move |(kind, conversation)| Fact::Chatbot(Box::new(chatbot_event(n, kind, conversation))));
    prop_oneof![6 => message, 2 => echo, 3 => status, 1 => change, 1 => choice, 1 => call, 4 => chatbot]
}

fn chatbot_event(n: u16, kind: &str, conversation: Option<u8>) -> ChatbotEvent {
    ChatbotEvent {
        event_id: format!("e{n}"),
        event_type: ChatbotEventType::from(kind),
        bot_id: "bot".into(),
        conversation_id: conversation.map(|n| format!("conv{n}")),
        visitor: Default::default(),
        context: Default::default(),
        intent: Default::default(),
        transcript: Default::default(),
        deal: None,
        crm_target: None,
        consent: None,
        custom: Default::default(),
    }
}

/// One (event, receipt) pair; times are coarse, so that ties occur.
fn report(n: u16) -> impl Strategy<Value = Report> {
    (person(), fact(n), 0..40i64, 0..60i64, prop::bool::weighted(0.8), 0..2u8).prop_map(
        move |(person, fact, at, received, timed, number)| Report {
            channel: "main".into(),
            provider: "meta".into(),
            proof: Proof::Signed,
            secondary: false,
            received_at: Timestamp::from_second(START + received * 600).unwrap(),
            event: Event {
                key: key(n, &fact, &business(number)),
                business: business(number),
                occurred_at: timed.then(|| Timestamp::from_second(START + at * 900).unwrap()),
                person,
                fact,
            },
        },
    )
}

/// An echo has its message's own key, as providers give it; else every event is one of its own.
fn key(n: u16, fact: &Fact, business: &Business) -> EventKey {
    match (fact, &business.number) {
        (Fact::Echo(echo), Some(number)) => EventKey::message(number, &echo.id),
        _ => EventKey::new("t", &[&n.to_string()]),
    }
}

/// A few reports, most of them of distinct events.
pub(crate) fn history() -> impl Strategy<Value = Vec<Report>> {
    (2..24u16).prop_flat_map(|n| (0..n).map(report).collect::<Vec<_>>())
}

/// A shuffle that the seed decides.
pub(crate) fn shuffle<T>(items: &mut [T], mut seed: u64) {
    for last in (1..items.len()).rev() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        items.swap(last, usize::try_from(seed >> 33).unwrap() % (last + 1));
    }
}
