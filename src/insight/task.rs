//! What a person is told who is to call somebody that asks for a demo: one line, and a few more below it.
//!
//! In: the event that asked, and what is known of the lead. Out: a title and a body, plain text, never empty.

use super::text::{cut, one_line, told};
use crate::config::Region;
use jiff::Timestamp;
use wabridge_crms::Datum;
use wabridge_crms::mapping::{Facts, Path};
use wabridge_model::event::{Event, Fact};

/// How much of a name the title holds.
const NAME: usize = 120;
/// How much the body quotes of what they said.
const QUOTE: usize = 500;

/// Title and body of the task that a demo request makes.
#[must_use]
pub fn task(asked: Option<&Event>, at: Timestamp, facts: &dyn Facts, region: &Region) -> (String, String) {
    let known = |path: &str| match facts.get(&Path::parse(path).ok()?)? {
        Datum::Text(text) => Some(one_line(&text)).filter(|text| !text.is_empty()),
        _ => None,
    };
    let (name, phone) = (known("name"), known("phone"));
    let who = name.or_else(|| phone.clone()).unwrap_or_else(|| "WhatsApp lead".to_owned());
    let mut body = vec![format!("Asked for a demo at {}", told(at, region))];
    body.extend(asked.and_then(quoted));
    body.extend(phone.map(|phone| format!("Phone: {phone}")));
    body.extend(known("company").map(|company| format!("Company: {company}")));
    body.extend(known("lead.url").map(|page| format!("Conversation: {page}")));
    (format!("Demo requested: {}", cut(&who, NAME)), body.join("\n"))
}

/// What they said, or what a chatbot makes of it.
fn quoted(event: &Event) -> Option<String> {
    let quote = |text: &Option<String>| {
        let text = text.as_deref().map(one_line).filter(|text| !text.is_empty());
        text.map(|text| cut(&text, QUOTE))
    };
    match &event.fact {
        Fact::Message(message) => quote(&message.text).map(|text| format!("They wrote: {text}")),
        Fact::Chatbot(bot) => {
            quote(&bot.transcript.summary).map(|text| format!("Chatbot {}: {text}", bot.bot_id))
        }
        _ => None,
    }
}
