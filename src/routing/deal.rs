//! Which signals ask for a deal.
//!
//! In: a chatbot's event. Out: what the deal is known by, so that the same conversation never asks for two.

use super::LeadChange;
use crate::config::Target;
use wabridge_model::chatbot::{ChatbotEvent, ChatbotEventType};
use wabridge_model::event::Fact;
use wabridge_model::id::EventKey;

/// What the deal is known by that a change asks for at a target, if it does.
pub(super) fn subject(change: &LeadChange<'_>, target: &Target) -> Option<String> {
    let rule = target.deal.as_ref()?;
    let Fact::Chatbot(bot) = &change.event?.fact else { return None };
    let instruction = bot.crm_target.as_ref();
    if instruction.and_then(|it| it.target.as_ref()).is_some_and(|name| *name != target.name) {
        return None;
    }
    let asked = match instruction.and_then(|it| it.create_deal) {
        Some(asked) => asked,
        None => rule.when.iter().any(|signal| shows(change, bot, signal)),
    };
    asked.then(|| key(change, bot))
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
    let key = match (&bot.conversation_id, conversation) {
        (Some(id), _) => EventKey::new("deal", &["bot", &bot.bot_id, id]),
        (None, Some(id)) => EventKey::new("deal", &["conversation", id]),
        (None, None) => EventKey::new("deal", &["event", change.evidence.key().as_str()]),
    };
    key.event_id().to_string()
}
