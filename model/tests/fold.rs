//! Lead state depends on the set of (event, receipt) pairs alone: not on order, not on repetition.

#![expect(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

use jiff::{SignedDuration, Timestamp};
use proptest::collection::vec;
use proptest::prelude::*;
use wabridge_model::Phone;
use wabridge_model::chatbot::{ChatbotEvent, ChatbotEventType};
use wabridge_model::cluster::Cluster;
use wabridge_model::event::*;
use wabridge_model::evidence::{Evidence, Proof, Report};
use wabridge_model::id::{Bsuid, Email, EventKey};
use wabridge_model::window::{Doubt, MaySend, Policy, judge};

const START: i64 = 1_790_000_000;

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
    prop_oneof![3 => Just(ReferralReport::Absent), 1 => Just(ReferralReport::Malformed), 3 => present]
}

fn fact(n: u16) -> impl Strategy<Value = Fact> {
    let kind =
        prop::sample::select(vec!["text", "reaction", "request_welcome", "edit", "poll_from_the_future"]);
    let message = (kind, referral(), prop::bool::weighted(0.1)).prop_map(move |(kind, referral, group)| {
        Fact::Message(Message {
            id: format!("m{n}"),
            kind: kind.into(),
            text: Some("hi".into()),
            group,
            referral,
        })
    });
    let status = (prop::sample::select(vec!["sent", "delivered", "failed"]), prop::bool::ANY).prop_map(
        move |(state, refused)| {
            let codes = if refused { vec![131_047] } else { vec![] };
            Fact::Status(Status {
                message_id: format!("o{n}"),
                state: state.into(),
                codes,
                free_entry_until: None,
            })
        },
    );
    let change = (0..3u8, prop::option::of(0..3u8)).prop_map(|(phone, bsuid)| {
        Fact::IdentityChange(IdentityChange {
            previous_phone: Some(Phone::from_whatsapp_id(&format!("91987650000{phone}")).unwrap()),
            previous_bsuid: bsuid.map(|n| Bsuid::parse(&format!("IN.b{n}")).unwrap()),
            previous_parent_bsuid: None,
        })
    });
    let choice = prop::sample::select(vec!["stop", "resume"]).prop_map(|choice| {
        Fact::Preference(Preference { category: "marketing_messages".into(), choice: choice.into() })
    });
    let call = prop::bool::ANY.prop_map(move |ours| {
        let direction = if ours { CallDirection::ByBusiness } else { CallDirection::ByCustomer };
        Fact::Call(Call { id: format!("c{n}"), step: "connect".into(), direction, answered: false })
    });
    let kinds = vec!["lead.created", "consent.given", "consent.withdrawn", "conversation.ended"];
    let chatbot = (prop::sample::select(kinds), prop::option::of(0..2u8))
        .prop_map(move |(kind, conversation)| Fact::Chatbot(Box::new(chatbot_event(n, kind, conversation))));
    prop_oneof![6 => message, 2 => status, 1 => change, 1 => choice, 1 => call, 4 => chatbot]
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
            received_at: Timestamp::from_second(START + received * 600).unwrap(),
            event: Event {
                key: EventKey::new("t", &[&n.to_string()]),
                business: business(number),
                occurred_at: timed.then(|| Timestamp::from_second(START + at * 900).unwrap()),
                person,
                fact,
            },
        },
    )
}

fn history() -> impl Strategy<Value = Vec<Report>> {
    (2..24u16).prop_flat_map(|n| (0..n).map(report).collect::<Vec<_>>())
}

/// What a store keeps of reports in their order of arrival.
fn gather(reports: &[Report]) -> Vec<Evidence> {
    let mut all: Vec<Evidence> = Vec::new();
    for report in reports {
        match all.iter_mut().find(|known| *known.key() == report.event.key) {
            Some(known) => drop(known.join(report.clone())),
            None => all.push(Evidence::from(report.clone())),
        }
    }
    all
}

fn bytes(cluster: &Cluster) -> String {
    serde_json::to_string(cluster).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(800))]

    #[test]
    fn any_order_with_any_repetition_gives_the_same_state(
        reports in history(),
        again in vec((any::<prop::sample::Index>(), 0..50i64), 0..20),
        seed in any::<u64>(),
    ) {
        let mut pairs = reports;
        for (index, later) in again {
            let mut repeated = index.get(&pairs).clone();
            repeated.received_at += SignedDuration::from_secs(later * 300);
            pairs.push(repeated);
        }
        let state = bytes(&Cluster::fold(&mut gather(&pairs)).cluster);
        let mut shuffled = pairs.clone();
        shuffle(&mut shuffled, seed);
        prop_assert_eq!(&state, &bytes(&Cluster::fold(&mut gather(&shuffled)).cluster));
        shuffled.extend(pairs);
        prop_assert_eq!(&state, &bytes(&Cluster::fold(&mut gather(&shuffled)).cluster));
    }

    #[test]
    fn a_step_at_a_time_gives_what_one_fold_gives(reports in history(), seed in any::<u64>()) {
        let mut arrival = gather(&reports);
        shuffle(&mut arrival, seed);
        let mut seen: Vec<Evidence> = Vec::new();
        let mut cluster = Cluster::default();
        for evidence in arrival {
            seen.push(evidence.clone());
            // Stored between the steps, as the daemon does.
            let stored: Cluster = serde_json::from_str(&bytes(&cluster)).unwrap();
            prop_assert_eq!(&stored, &cluster);
            cluster = match stored.push(&evidence) {
                Ok((next, _)) => next,
                Err(_) => Cluster::fold(&mut seen.clone()).cluster,
            };
            prop_assert_eq!(bytes(&cluster), bytes(&Cluster::fold(&mut seen.clone()).cluster));
        }
    }

    #[test]
    fn no_open_name_belongs_to_two_leads(reports in history()) {
        let cluster = Cluster::fold(&mut gather(&reports)).cluster;
        let mut open: Vec<_> = cluster.leads.iter().flat_map(|lead| &lead.names).filter(|name| name.decides()).collect();
        let all = open.len();
        open.sort_by(|a, b| a.identity.cmp(&b.identity));
        open.dedup_by(|a, b| a.identity == b.identity);
        prop_assert_eq!(open.len(), all);
        for lead in &cluster.leads {
            let clash = lead.names.iter().filter(|name| name.decides()).any(|name| !lead.accepts(&name.identity));
            prop_assert!(!clash, "two open names of one kind");
        }
    }

    #[test]
    fn a_lead_is_born_only_of_a_customers_act(reports in history()) {
        let acts = |report: &Report| match &report.event.fact {
            Fact::Message(message) => !message.group && message.kind != MessageKind::Edit,
            Fact::Call(call) => call.is_customers_act(),
            Fact::Chatbot(_) => true,
            _ => false,
        };
        let passive: Vec<Report> = reports.into_iter().filter(|report| !acts(report)).collect();
        let cluster = Cluster::fold(&mut gather(&passive)).cluster;
        prop_assert!(cluster.leads.iter().all(|lead| lead.birth.is_none()));
    }

    #[test]
    fn free_text_is_never_allowed_without_an_act_in_the_last_day(
        reports in history(),
        now in 0..200i64,
        doubt in prop::option::of(Just(Doubt::CatchingUp)),
    ) {
        let now = Timestamp::from_second(START + now * 900).unwrap();
        let cluster = Cluster::fold(&mut gather(&reports)).cluster;
        for lead in cluster.leads.iter() {
            for (number, window) in &lead.windows {
                let verdict = judge(Some(window), &lead.consents, now, Policy::default(), doubt);
                if verdict.may_send != MaySend::FreeText {
                    continue;
                }
                prop_assert!(doubt.is_none());
                let opened = gather(&reports).iter().any(|evidence| {
                    let at = evidence.effective_at();
                    let event = evidence.merged();
                    let counts = match &event.fact {
                        Fact::Message(m) => {
                            !m.group && !matches!(m.kind, MessageKind::Edit | MessageKind::Revoke | MessageKind::Reaction)
                        }
                        Fact::Call(call) => call.is_customers_act(),
                        _ => false,
                    };
                    counts
                        && event.business.number.as_ref().is_some_and(|n| n.e164() == number)
                        && at + SignedDuration::from_hours(24) - SignedDuration::from_secs(120) > now
                });
                prop_assert!(opened);
                prop_assert!(window.refused_at < window.inbound.as_ref().map(|act| act.at));
            }
        }
    }
}

/// A shuffle that the seed decides.
fn shuffle<T>(items: &mut [T], mut seed: u64) {
    for last in (1..items.len()).rev() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        items.swap(last, usize::try_from(seed >> 33).unwrap() % (last + 1));
    }
}
