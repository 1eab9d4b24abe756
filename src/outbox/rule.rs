//! Whose record a target creates: `[target.person_rule]`.
//!
//! In: the rule, a lead with its evidence, whether it has a record. Out: whether its record may be created, is only
//! written if the CRM has the person already, or is not to be. Who is below the rule stays in the bridge, where they are
//! found like everybody: their jobs are held with the rule as cause. The person's job is looked at again whenever
//! something of theirs changes, and what they said until then is written with it.

use super::rollout::let_go;
use crate::config::Target;
use crate::config::target::PersonRule;
use crate::insight::signals::Signals;
use crate::routing::is_from_an_ad;
use crate::store::outbox::{Leased, PERSON_RULE};
use crate::store::{Store, StoreError};
use jiff::Timestamp;
use wabridge_model::chatbot::ChatbotEventType;
use wabridge_model::event::Fact;
use wabridge_model::evidence::Evidence;
use wabridge_model::lead::Lead;

/// What a message is about that asks to buy, or for a person.
const ASKS: [&str; 4] = ["demo_request", "pricing", "competitor_evaluation", "escalation"];

/// What the rule of a target says of a lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Their record is created, or written.
    In,
    /// It is written if the CRM has one.
    IfKnown,
    /// Neither.
    Out,
}

/// What a rule says of a leased lead.
pub(super) fn standing(rule: PersonRule, leased: &Leased, lead: &Lead, evidence: &[Evidence]) -> Standing {
    let has_record = leased.record.is_some() || leased.jobs.iter().any(|job| job.record.is_some());
    match rule {
        PersonRule::AnyMessage => Standing::In,
        _ if has_record || is_from_an_ad(lead) => Standing::In,
        PersonRule::AdOrIntent if shows_intent(lead, evidence) => Standing::In,
        PersonRule::AdOrIntent => Standing::Out,
        PersonRule::KnownOrAd => Standing::IfKnown,
    }
}

/// Whether a lead showed that they want to buy, or asked for a person: by their own words, or to a chatbot.
fn shows_intent(lead: &Lead, evidence: &[Evidence]) -> bool {
    let asks = |evidence: &Evidence| {
        let event = evidence.merged();
        let of_a_bot = match &event.fact {
            Fact::Chatbot(bot) => {
                matches!(bot.event_type, ChatbotEventType::DemoRequested | ChatbotEventType::SupportEscalated)
            }
            _ => false,
        };
        of_a_bot || ASKS.iter().any(|label| event.has_intent(label))
    };
    let is_buying = |signals: Signals| {
        signals.pricing_questions().is_some_and(|asked| asked > 0) || !signals.competitors.is_empty()
    };
    lead.qualified_at.is_some() || evidence.iter().any(asks) || is_buying(Signals::of(evidence))
}

/// The cause of what is held below a rule.
pub(super) fn cause(rule: PersonRule) -> String {
    format!("{PERSON_RULE}: {}", rule.as_str())
}

/// Lets go what is held by another rule than today's, to be looked at by that. How many jobs.
pub(super) fn release(store: &dyn Store, target: &Target, now: Timestamp) -> Result<usize, StoreError> {
    let others = PersonRule::ALL.into_iter().filter(|rule| *rule != target.person_rule);
    let mut released = 0;
    for rule in others {
        released += let_go(store, target, &cause(rule), now, |_| true)?;
    }
    Ok(released)
}
