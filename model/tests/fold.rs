//! Lead state depends on the set of (event, receipt) pairs alone: not on order, not on repetition.

#![expect(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

mod support {
    pub(crate) mod histories;
}

use jiff::{SignedDuration, Timestamp};
use proptest::collection::vec;
use proptest::prelude::*;
use support::histories::{START, history, shuffle};
use wabridge_model::cluster::Cluster;
use wabridge_model::event::{Fact, MessageKind};
use wabridge_model::evidence::{Evidence, Report};
use wabridge_model::window::{Doubt, MaySend, Policy, judge};

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
            Fact::Message(message) => !message.group && !message.history && message.kind != MessageKind::Edit,
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
                            !m.group && !m.history && !matches!(m.kind, MessageKind::Edit | MessageKind::Revoke | MessageKind::Reaction)
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
