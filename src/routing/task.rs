//! Who asks to be shown the product: a person is to call them now.
//!
//! In: a message or a chatbot's event. Out: what the task is known by, so that one conversation makes one, however
//! often it is asked in it and whoever reports it.

use super::LeadChange;
use super::deal::{is_for_another, says};
use crate::config::Target;
use wabridge_model::chatbot::ChatbotEventType;
use wabridge_model::event::{Event, Fact};

/// What the task is known by that a change asks for at a target, if it does: the conversation.
pub(super) fn subject(change: &LeadChange<'_>, target: &Target) -> Option<String> {
    let event = change.event.filter(|event| target.tasks && asks_for_demo(event))?;
    let is_elsewhere = matches!(&event.fact, Fact::Chatbot(bot) if is_for_another(bot, target));
    change.conversation.filter(|_| !is_elsewhere).map(|placed| placed.id.clone())
}

/// Whether somebody asks for a demonstration: in their own words, or as a chatbot tells.
#[must_use]
pub fn asks_for_demo(event: &Event) -> bool {
    let is_told =
        matches!(&event.fact, Fact::Chatbot(bot) if bot.event_type == ChatbotEventType::DemoRequested);
    is_told || says(event, "demo_request")
}
