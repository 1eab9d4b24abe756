//! Which CRM must hear of a change, and how soon.
//!
//! In: what one piece of evidence made of one lead, and the targets. Out: operations that are wanted. It runs
//! within the transaction that changes the lead, so that no change is ever without its job; what is written is
//! worked out later, when the operation is due.

pub mod conversation;
pub mod deal;
mod person;
pub mod task;

pub use person::is_from_an_ad;

use crate::config::{Config, Target};
use crate::leads::verdict::policy;
use jiff::{SignedDuration, Timestamp};
use wabridge_model::event::{Event, Fact, MessageKind};
use wabridge_model::evidence::Evidence;
use wabridge_model::id::LeadId;
use wabridge_model::lead::Lead;
use wabridge_model::window::Policy;
use wabridge_model::{OperationKind, Phone, Priority};

/// How long what is not urgent waits for more of its kind.
pub const BULK_INTERVAL: SignedDuration = SignedDuration::from_mins(5);

/// Where changes go, as configured now.
#[derive(Debug, Clone, Default)]
pub struct Routes {
    /// Every target, whatever its mode: what is paused waits.
    pub targets: Vec<Target>,
    /// The rules by which a window opens and closes.
    pub policy: Policy,
}

impl Routes {
    /// The routes of a configuration.
    #[must_use]
    pub fn new(config: &Config) -> Routes {
        Routes { targets: config.targets.clone(), policy: policy(config) }
    }
}

/// An operation that a change asks for. Asked for again before it is written, it is one operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Want {
    /// The target.
    pub target: String,
    /// The operation.
    pub kind: OperationKind,
    /// What of the lead it is about: empty for the person, the conversation's id, the deal's key.
    /// A task's is the conversation's as well.
    pub subject: String,
    /// How soon.
    pub priority: Priority,
    /// Not before.
    pub due_at: Timestamp,
    /// The trace of the event that asks for it.
    pub trace_id: String,
    /// Only of what was asked for before: a deal that is to be moved on, and none that is to be made.
    pub only_known: bool,
}

/// The conversation that an event belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// Its id.
    pub id: String,
    /// The business number, or `chatbot:<bot>`.
    pub place: String,
    /// The event is the first of it.
    pub is_new: bool,
}

/// What one piece of evidence made of one lead.
#[derive(Debug, Clone, Copy)]
pub struct LeadChange<'a> {
    /// The id it answers under.
    pub id: LeadId,
    /// As it was, if it was there.
    pub before: Option<&'a Lead>,
    /// As it is.
    pub after: &'a Lead,
    /// The evidence that changed it.
    pub evidence: &'a Evidence,
    /// What the evidence says, where it is this lead's own; otherwise it moved something between leads.
    pub event: Option<&'a Event>,
    /// The conversation that it belongs to, if any.
    pub conversation: Option<&'a Placed>,
    /// The receipt that told of it.
    pub now: Timestamp,
}

/// How soon, and not before when.
type Soon = (Priority, Timestamp);

/// Decides what a change asks of each target. Nothing, for who is not a lead.
#[must_use]
pub fn wants(change: &LeadChange<'_>, routes: &Routes) -> Vec<Want> {
    if change.after.birth.is_none() {
        return Vec::new();
    }
    let mut wants = Vec::new();
    for target in routes.targets.iter().filter(|target| admits(target, change)) {
        let person = person::soon(change, routes.policy, target.window_refresh);
        let activity =
            change.conversation.and_then(|placed| Some((placed, activity(change, placed, person)?)));
        let mut ask = |kind, subject: &str, (priority, due_at): Soon, only_known| {
            wants.push(Want {
                only_known,
                target: target.name.clone(),
                kind,
                subject: subject.to_owned(),
                priority,
                due_at,
                trace_id: change.evidence.key().trace_id().to_string(),
            });
        };
        // Before it is asked for: what is made now needs no move.
        if let Some(subject) = deal::moved(change, target) {
            ask(OperationKind::Deal, &subject, (Priority::Urgent, change.now), true);
        }
        let mut want = |kind, subject: &str, soon: Soon| ask(kind, subject, soon, false);
        if let Some(soon) = person {
            want(OperationKind::Person, "", soon);
        }
        for part in deal::parts(change, target) {
            want(OperationKind::Instruction, part, person.unwrap_or((Priority::Urgent, change.now)));
        }
        if let Some((placed, soon)) = activity.filter(|(placed, _)| admits_place(target, change, placed)) {
            want(OperationKind::Activity, &placed.id, soon);
        }
        if let Some(subject) = deal::subject(change, target) {
            want(OperationKind::Deal, &subject, (Priority::First, change.now));
        }
        if let Some(subject) = task::subject(change, target) {
            want(OperationKind::Task, &subject, (Priority::First, change.now));
        }
    }
    wants
}

/// How soon a conversation is written. Its first act is as urgent as the person's record, the others are not.
fn activity(change: &LeadChange<'_>, placed: &Placed, person: Option<Soon>) -> Option<Soon> {
    let is_known = change.evidence.reports().len() > 1;
    if is_known && !placed.is_new && change.before == Some(change.after) {
        return None;
    }
    let urgent = person.filter(|(priority, _)| placed.is_new && *priority != Priority::Bulk);
    Some(urgent.unwrap_or((Priority::Bulk, change.now + BULK_INTERVAL)))
}

/// Where an event takes place, if it belongs into a conversation: a customer's act, or what the business answers.
#[must_use]
pub fn place_of(evidence: &Evidence, event: &Event) -> Option<String> {
    let is_said = match &event.fact {
        Fact::Chatbot(bot) => return Some(format!("chatbot:{}", bot.bot_id)),
        Fact::Echo(echo) => !echo.history,
        fact => is_act(fact),
    };
    let number = event.business.number.as_ref().map(Phone::e164);
    is_said.then(|| number.map_or_else(|| format!("channel:{}", evidence.first().channel), str::to_owned))
}

/// Whether the customer did something that makes a lead of them.
fn is_act(fact: &Fact) -> bool {
    match fact {
        Fact::Message(message) => {
            let is_change = matches!(message.kind, MessageKind::Edit | MessageKind::Revoke);
            !(message.group || message.history || is_change)
        }
        Fact::Call(call) => call.is_customers_act(),
        Fact::Chatbot(_) => true,
        _ => false,
    }
}

/// Whether a target is for this lead.
fn admits(target: &Target, change: &LeadChange<'_>) -> bool {
    let lead = change.after;
    let has_channel = |channel: &String| {
        let born = lead.birth.as_ref().and_then(|birth| birth.source.strip_prefix("whatsapp:"));
        born == Some(channel.as_str()) || change.evidence.reported_by().contains(channel)
    };
    let has_number = |number: &Phone| lead.windows.contains_key(number.e164());
    let region = || {
        lead.phone().and_then(|phone| Phone::from_whatsapp_id(phone.trim_start_matches('+')).ok()?.region())
    };
    (target.channels.is_empty() || target.channels.iter().any(has_channel))
        && (target.business_numbers.is_empty() || target.business_numbers.iter().any(has_number))
        && (target.regions.is_empty() || region().is_some_and(|region| target.regions.contains(&region)))
}

/// Whether a target is for this conversation: with one of our numbers, it must be one of the target's.
fn admits_place(target: &Target, change: &LeadChange<'_>, placed: &Placed) -> bool {
    let ours = target.business_numbers.iter().any(|number| number.e164() == placed.place);
    let by_channel = change.evidence.reported_by().iter().any(|channel| target.channels.contains(channel));
    (target.business_numbers.is_empty() || !placed.place.starts_with('+') || ours)
        && (target.channels.is_empty() || by_channel)
}
