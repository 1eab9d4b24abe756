//! Which signals ask for a deal, and what a chatbot instructs.
//!
//! In: a message or a chatbot's event. Out: what the deal is known by, so that the same conversation never asks for two; and the
//! parts of an instruction that are operations of their own, so that what cannot be obeyed stops nothing else.

use super::task::asks_for_demo;
use super::{LeadChange, Placed};
use crate::config::Target;
use wabridge_model::chatbot::{ChatbotEvent, CrmTarget};
use wabridge_model::event::{Event, Fact};
use wabridge_model::id::EventKey;

/// The part of an instruction that says whose the lead is to be.
pub const OWNER: &str = "owner";
/// The part of an instruction that says as which object the lead is to be written.
pub const OBJECT: &str = "object";

/// What the deal is known by that a change asks for at a target, if it does.
pub(super) fn subject(change: &LeadChange<'_>, target: &Target) -> Option<String> {
    let rule = target.deal.as_ref()?;
    let event = change.event?;
    let told = match &event.fact {
        Fact::Chatbot(bot) if is_for_another(bot, target) => return None,
        Fact::Chatbot(bot) => bot.crm_target.as_ref().and_then(|it| it.create_deal),
        _ => None,
    };
    let asked = told.unwrap_or_else(|| rule.when.iter().any(|signal| shows(change, event, signal)));
    key(change, event).filter(|_| asked)
}

/// What the deal is known by that a chatbot names a stage for. Told a second time, it names none.
pub(super) fn moved(change: &LeadChange<'_>, target: &Target) -> Option<String> {
    let event = change.event.filter(|_| target.deal.is_some() && change.evidence.reports().len() == 1)?;
    let Fact::Chatbot(bot) = &event.fact else { return None };
    instruction(bot, target)?.deal_stage.as_ref()?;
    key(change, event)
}

/// The parts of an instruction that are neither the person nor a deal.
pub(super) fn parts(change: &LeadChange<'_>, target: &Target) -> impl Iterator<Item = &'static str> {
    let bot = match change.event.map(|event| &event.fact) {
        Some(Fact::Chatbot(bot)) => instruction(bot, target),
        _ => None,
    };
    let owner = bot.and_then(|bot| bot.owner_routing.as_ref()).map(|_| OWNER);
    let object = bot.and_then(|bot| bot.object.as_ref()).map(|_| OBJECT);
    owner.into_iter().chain(object)
}

/// What an event instructs a target to do.
#[must_use]
pub fn instruction<'a>(bot: &'a ChatbotEvent, target: &Target) -> Option<&'a CrmTarget> {
    bot.crm_target.as_ref().filter(|_| !is_for_another(bot, target))
}

pub(super) fn is_for_another(bot: &ChatbotEvent, target: &Target) -> bool {
    let named = bot.crm_target.as_ref().and_then(|it| it.target.as_ref());
    named.is_some_and(|name| *name != target.name)
}

/// Whether an event says this of what they want: a chatbot's, or their own message by its words.
pub(super) fn says(event: &Event, label: &str) -> bool {
    match &event.fact {
        Fact::Chatbot(bot) => {
            let mut said = bot.intent.primary.iter().chain(&bot.intent.labels);
            said.any(|said| said.eq_ignore_ascii_case(label))
        }
        _ => event.has_intent(label),
    }
}

/// Whether an event shows a signal.
fn shows(change: &LeadChange<'_>, event: &Event, signal: &str) -> bool {
    match signal {
        "demo_request" => asks_for_demo(event),
        "pricing_with_company_size" => {
            let company_size =
                change.after.visitor.as_ref().and_then(|visitor| visitor.company_size.as_ref());
            let pricing = says(event, "pricing") || says(event, "pricing_question");
            pricing && company_size.is_some() || says(event, signal)
        }
        "competitor_evaluation" => {
            let names_one =
                matches!(&event.fact, Fact::Chatbot(bot) if !bot.intent.competitor_mentions.is_empty());
            names_one || says(event, signal)
        }
        // A label of the bot's own.
        other => says(event, other),
    }
}

/// The WhatsApp conversation, whoever asks in it; else the bot's conversation, or else ours; without any, the bot's
/// event. A message that is of no conversation asks for nothing.
fn key(change: &LeadChange<'_>, event: &Event) -> Option<String> {
    let of = |kind: &str, id: &str| EventKey::new("deal", &[kind, id]).event_id().to_string();
    let bot = match &event.fact {
        Fact::Chatbot(bot) => Some(bot),
        _ => None,
    };
    match (change.conversation, bot) {
        (Some(placed), _) if is_whatsapp(placed) => Some(placed.id.clone()),
        (Some(placed), Some(bot)) => Some(bot_key(bot).unwrap_or_else(|| of("conversation", &placed.id))),
        (None, Some(bot)) => {
            Some(bot_key(bot).unwrap_or_else(|| of("event", change.evidence.key().as_str())))
        }
        (_, None) => None,
    }
}

fn is_whatsapp(placed: &Placed) -> bool {
    !placed.place.starts_with("chatbot:")
}

/// What the deal of an event is known by that names its conversation.
#[must_use]
pub fn bot_key(bot: &ChatbotEvent) -> Option<String> {
    let id = bot.conversation_id.as_ref()?;
    Some(EventKey::new("deal", &["bot", &bot.bot_id, id]).event_id().to_string())
}
