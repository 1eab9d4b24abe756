//! How the commands speak of requests and events: what happened in a word or two, and whose it was, masked.

use crate::store::journal::EntryItem;
use serde::Serialize;
use wabridge_model::event::{CallDirection, Event, Fact, Person};
use wabridge_model::evidence::Proof;

/// What an event is, without anything that was said in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct What {
    /// `message`, `echo`, `status`, `call`, `preference`, `identity`, `contact`, `account` or `chatbot`.
    pub(super) kind: &'static str,
    /// `text`, `delivered`, `stop`, ...
    pub(super) detail: String,
    /// How many characters it has to read.
    pub(super) text_length: Option<usize>,
}

/// What an event is.
pub(super) fn what(event: &Event) -> What {
    let length = |text: &Option<String>| text.as_ref().map(|text| text.chars().count());
    let (kind, detail, text_length) = match &event.fact {
        Fact::Message(message) => ("message", message.kind.as_str().to_owned(), length(&message.text)),
        Fact::Echo(echo) => ("echo", echo.kind.as_str().to_owned(), length(&echo.text)),
        Fact::Status(status) => ("status", status.state.as_str().to_owned(), None),
        Fact::Call(call) => {
            let by = match call.direction {
                CallDirection::ByCustomer => "by the customer",
                CallDirection::ByBusiness => "by the business",
            };
            ("call", format!("{} {by}", call.step), None)
        }
        Fact::Preference(choice) => {
            ("preference", format!("{} {}", choice.choice.as_str(), choice.category), None)
        }
        Fact::IdentityChange(_) => ("identity", "number or id changed".to_owned(), None),
        Fact::System { kind } => ("identity", kind.clone(), None),
        Fact::Contact { removed } => ("contact", if *removed { "removed" } else { "added" }.to_owned(), None),
        Fact::Account(notice) => ("account", notice.field.clone(), None),
        Fact::Chatbot(bot) => ("chatbot", bot.event_type.as_str().to_owned(), None),
    };
    What { kind, detail, text_length }
}

/// Whose an event is, so that whoever looks over a shoulder learns nothing: `+91 98••••••10`.
pub(super) fn masked(person: &Person) -> Option<String> {
    let phone = person.phone.as_ref().map(|phone| masked_phone(phone.e164()));
    let bsuid = || person.bsuid.as_ref().or(person.parent_bsuid.as_ref()).map(|id| shortened(id.as_str(), 3));
    let username = || person.username.as_ref().map(|name| format!("@{}", shortened(name, 1)));
    let email = || person.email.as_ref().map(|email| shortened(email.as_str(), 1));
    phone.or_else(bsuid).or_else(username).or_else(email)
}

/// A phone by its first four digits and its last two.
pub(super) fn masked_phone(e164: &str) -> String {
    let digits: Vec<char> = e164.trim_start_matches('+').chars().collect();
    let (head, rest) = digits.split_at(digits.len().min(4));
    let hidden = rest.len().saturating_sub(2);
    let tail: String = rest[hidden..].iter().collect();
    let (code, area) = head.split_at(head.len().min(2));
    let text = |part: &[char]| part.iter().collect::<String>();
    format!("+{} {}{}{tail}", text(code), text(area), "•".repeat(hidden))
}

fn shortened(text: &str, shown: usize) -> String {
    format!("{}•••", text.chars().take(shown).collect::<String>())
}

/// How a request was proven.
pub(super) fn proof(proof: Proof) -> &'static str {
    match proof {
        Proof::SecretPath => "secret path",
        Proof::SharedSecret => "shared secret",
        Proof::Signed => "signed",
    }
}

/// What became of an item, with the reason and the place.
pub(super) fn fate(item: &EntryItem) -> String {
    let EntryItem { result, reason, path, .. } = item;
    match (reason, path) {
        (Some(reason), Some(path)) => format!("{result}: {reason} at {path}"),
        (Some(reason), None) => format!("{result}: {reason}"),
        (None, _) => result.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phone_shows_where_it_is_from_and_not_whose_it_is() {
        assert_eq!(masked_phone("+919876543210"), "+91 98••••••10");
        assert_eq!(masked_phone("+14155550123"), "+14 15•••••23");
        assert_eq!(masked_phone("+1234567"), "+12 34•67");
    }
}
