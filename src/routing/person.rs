//! How soon a person's record must be written.

use super::task::asks_for_demo;
use super::{BULK_INTERVAL, LeadChange, Soon, is_act};
use jiff::{SignedDuration, Timestamp};
use wabridge_model::Priority;
use wabridge_model::attribution::Touch;
use wabridge_model::chatbot::Urgency;
use wabridge_model::event::{Event, Fact};
use wabridge_model::lead::Lead;
use wabridge_model::window::{Policy, judge};

/// How soon the record must be written, if the change is one of the record's.
pub(super) fn soon(change: &LeadChange<'_>, policy: Policy, window_refresh: SignedDuration) -> Option<Soon> {
    let LeadChange { after, now, event, .. } = *change;
    let before = change.before.filter(|before| before.birth.is_some());
    let at_once = match before {
        None => true,
        Some(before) => event.is_some_and(is_urgent) || turned(before, after, now, policy),
    };
    if at_once {
        return Some((urgency(after, event), now));
    }
    let before = before?;
    // Statuses, echoes, imports and address books say nothing that cannot wait for the next act.
    let may_tell = event.is_none_or(|event| is_act(&event.fact) || is_about_the_person(&event.fact));
    let signals =
        event.is_some_and(|event| matches!(event.fact, Fact::Chatbot(_)) || event.intents().is_some());
    if !may_tell || before == after && !signals {
        return None;
    }
    let due = if signals || is_told_anew(before, after) { BULK_INTERVAL } else { window_refresh };
    Some((Priority::Bulk, now + due))
}

/// Whether an event is urgent by its own word.
fn is_urgent(event: &Event) -> bool {
    matches!(&event.fact, Fact::Chatbot(bot) if bot.event_type.urgency() == Urgency::Urgent)
        || is_high_intent(event)
}

/// Whether they write that they want to be shown the product, or to be helped by a person.
fn is_high_intent(event: &Event) -> bool {
    ["demo_request", "escalation"].iter().any(|label| event.has_intent(label))
}

fn is_about_the_person(fact: &Fact) -> bool {
    matches!(fact, Fact::IdentityChange(_) | Fact::Preference(_))
}

/// Whether an ad brought a lead, at their first arrival or later.
#[must_use]
pub fn is_from_an_ad(lead: &Lead) -> bool {
    let ad = |touch: &Touch| touch.ad_id().is_some() || touch.referral.ctwa_clid.is_some();
    lead.attribution.touches.iter().any(ad)
}

/// First, where an ad brought the lead, the bot holds it qualified, or they ask for a demo.
fn urgency(lead: &Lead, event: Option<&Event>) -> Priority {
    let is_first = event.is_some_and(asks_for_demo) || lead.qualified_at.is_some() || is_from_an_ad(lead);
    if is_first { Priority::First } else { Priority::Urgent }
}

/// Whether what a rep may do turned: a window opened or closed, the person wants no more or wants it again, there is
/// a phone or an address to reach them by.
fn turned(before: &Lead, after: &Lead, now: Timestamp, policy: Policy) -> bool {
    let verdict = |lead: &Lead, number: &str| {
        let verdict = judge(lead.windows.get(number), &lead.consents, now, policy, None);
        (verdict.may_send, verdict.templates)
    };
    let numbers = || before.windows.keys().chain(after.windows.keys());
    before.phone() != after.phone()
        || before.email().is_none() && after.email().is_some()
        || numbers().any(|number| verdict(before, number) != verdict(after, number))
}

/// Whether anything changed but when they were last seen.
fn is_told_anew(before: &Lead, after: &Lead) -> bool {
    before.names != after.names
        || before.name != after.name
        || before.visitor != after.visitor
        || before.first_conversation_url != after.first_conversation_url
        || before.utm != after.utm
        || before.attribution.touches != after.attribution.touches
        || before.attribution.state() != after.attribution.state()
        || before.qualified_at != after.qualified_at
        || before.consents != after.consents
        || before.birth != after.birth
}
