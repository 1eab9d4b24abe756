//! Which signals ask for a deal, and what a chatbot instructs.
//!
//! In: a chatbot's event. Out: what the deal is known by, so that the same conversation never asks for two; and the
//! parts of an instruction that are operations of their own, so that what cannot be obeyed stops nothing else.

use super::LeadChange;
use crate::config::Target;
use wabridge_model::chatbot::{ChatbotEvent, ChatbotEventType, CrmTarget};
use wabridge_model::event::Fact;
use wabridge_model::id::EventKey;

/// The part of an instruction that says whose the lead is to be.
pub const OWNER: &str = "owner";
/// The part of an instruction that says as which object the lead is to be written.
pub const OBJECT: &str = "object";

/// What the deal is known by that a change asks for at a target, if it does.
pub(super) fn subject(change: &LeadChange<'_>, target: &Target) -> Option<String> {
    let rule = target.deal.as_ref()?;
    let Fact::Chatbot(bot) = &change.event?.fact else { return None };
    if is_for_another(bot, target) {
        return None;
    }
    let asked = match bot.crm_target.as_ref().and_then(|it| it.create_deal) {
        Some(asked) => asked,
        None => rule.when.iter().any(|signal| shows(change, bot, signal)),
    };
    asked.then(|| key(change, bot))
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

fn is_for_another(bot: &ChatbotEvent, target: &Target) -> bool {
    let named = bot.crm_target.as_ref().and_then(|it| it.target.as_ref());
    named.is_some_and(|name| *name != target.name)
}

/// Whether an event shows a signal.
fn shows(change: &LeadChange<'_>, bot: &ChatbotEvent, signal: &str) -> bool {
    let says = |word: &str| {
        bot.intent.primary.iter().chain(&bot.intent.labels).any(|label| label.eq_ignore_ascii_case(word))
    };
    match signal {
        "demo_request" => bot.event_type == ChatbotEventType::DemoRequested || says(signal),
        "pricing_with_company_size" => {
            let company_size =
                change.after.visitor.as_ref().and_then(|visitor| visitor.company_size.as_ref());
            (says("pricing") || says("pricing_question")) && company_size.is_some() || says(signal)
        }
        "competitor_evaluation" => !bot.intent.competitor_mentions.is_empty() || says(signal),
        // A label of the bot's own.
        other => says(other),
    }
}

/// The bot's conversation, or else ours; without either, the event.
fn key(change: &LeadChange<'_>, bot: &ChatbotEvent) -> String {
    let conversation = change.conversation.map(|placed| placed.id.as_str());
    match (bot_key(bot), conversation) {
        (Some(key), _) => key,
        (None, Some(id)) => EventKey::new("deal", &["conversation", id]).event_id().to_string(),
        (None, None) => {
            EventKey::new("deal", &["event", change.evidence.key().as_str()]).event_id().to_string()
        }
    }
}

/// What the deal of an event is known by that names its conversation.
#[must_use]
pub fn bot_key(bot: &ChatbotEvent) -> Option<String> {
    let id = bot.conversation_id.as_ref()?;
    Some(EventKey::new("deal", &["bot", &bot.bot_id, id]).event_id().to_string())
}
