//! What a business brings along from the WhatsApp Business app: its older messages and its address book.
//!
//! In: `history[]` and what follows it, `state_sync[]`. Out: messages and echoes marked as history, under
//! the keys they would have had live, so that a message that came both ways is one; contacts. Neither says
//! that anybody wrote now: no lead and no window comes of them.
//! <https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks/reference/history>,
//! <https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks/reference/smb_app_state_sync>

use super::message::{content, event, referral, system};
use super::person::{Names, digits};
use super::scene::Scene;
use super::{account, wire};
use crate::json::{List, Text, digest_of, loose, missing, read, within};
use crate::provider::{Item, Malformed};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::fmt;
use wabridge_model::event::{Echo, Event, Fact, Message, Person};
use wabridge_model::id::EventKey;

/// One of `history[]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Chunk<'a> {
    #[serde(borrow)]
    threads: List<'a>,
    #[serde(borrow)]
    errors: List<'a>,
}

/// The messages with one person.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Thread<'a> {
    #[serde(borrow, deserialize_with = "loose")]
    id: Text<'a>,
    /// The person's names, since there are usernames.
    #[serde(borrow)]
    context: Option<&'a RawValue>,
    #[serde(borrow)]
    messages: List<'a>,
}

/// The names of the person on the other side.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct User<'a> {
    #[serde(borrow, deserialize_with = "loose")]
    wa_id: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    user_id: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    parent_user_id: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    username: Text<'a>,
}

/// Reads `history[]`, and adds an item for each message in it. A part without any is a notice: how far
/// the import is, or that it was declined.
pub(super) fn chunks(scene: &Scene<'_>, list: &List<'_>, prefix: &fmt::Arguments<'_>, items: &mut Vec<Item>) {
    if matches!(list, List::Other) {
        return items.push(not_a_list(format!("{prefix}history")));
    }
    for (at, raw) in list.items().iter().enumerate() {
        let place = format!("{prefix}history[{at}]");
        let chunk: Chunk<'_> = match read(raw.get()) {
            Ok(chunk) => chunk,
            Err(fault) => {
                items.push(Item::Quarantined(within(&place, fault)));
                continue;
            }
        };
        let before = items.len();
        threads(scene, &chunk.threads, &place, items);
        if items.len() == before || !chunk.errors.items().is_empty() {
            items.push(Item::Event(Box::new(account::notice(scene, "history", raw.get()))));
        }
    }
}

fn threads(scene: &Scene<'_>, list: &List<'_>, place: &str, items: &mut Vec<Item>) {
    if matches!(list, List::Other) {
        return items.push(not_a_list(format!("{place}.threads")));
    }
    for (at, raw) in list.items().iter().enumerate() {
        let place = format!("{place}.threads[{at}]");
        let thread: Thread<'_> = match read(raw.get()) {
            Ok(thread) => thread,
            Err(fault) => {
                items.push(Item::Quarantined(within(&place, fault)));
                continue;
            }
        };
        if matches!(thread.messages, List::Other) {
            items.push(not_a_list(format!("{place}.messages")));
        }
        let mut user: User<'_> = thread.context.and_then(|raw| read(raw.get()).ok()).unwrap_or_default();
        if user.wa_id.get().is_none() {
            user.wa_id = thread.id;
        }
        items.extend(thread.messages.items().iter().enumerate().map(|(at, raw)| {
            match message(scene, &user, raw.get()) {
                Ok(event) => Item::Event(Box::new(event)),
                Err(fault) => Item::Quarantined(within(&format!("{place}.messages[{at}]"), fault)),
            }
        }));
    }
}

fn not_a_list(path: String) -> Item {
    Item::Quarantined(Malformed { reason: "invalid_field", path })
}

/// A message of a thread, or one that follows the import with what a `media_placeholder` stood for.
///
/// What became of it (`history_context.status`) is not read: a report of a day long past opens nothing.
pub(super) fn message(scene: &Scene<'_>, user: &User<'_>, json: &str) -> Result<Event, Malformed> {
    let message: wire::Message<'_> = read(json)?;
    if message.kind.get() == Some("system") {
        return system(scene, &message);
    }
    let id = message.id.required("id")?;
    let (kind, text) = content(&message);
    let is_echo = is_echo(scene, user, &message);
    let person = if message.group_id.get().is_some() && is_echo {
        Person::default()
    } else {
        person(scene, user, &message, is_echo)
    };
    let fact = if is_echo {
        Fact::Echo(Echo { id: id.to_owned(), kind, text, history: true })
    } else {
        Fact::Message(Message {
            text,
            group: message.group_id.get().is_some(),
            history: true,
            referral: referral(message.referral),
            ..Message::new(id, kind)
        })
    };
    event(scene, &message, person, fact)
}

/// Whether the business wrote it. Where our number is not known, a message to the thread's person is ours.
fn is_echo(scene: &Scene<'_>, user: &User<'_>, message: &wire::Message<'_>) -> bool {
    let is_user = |text: &str| user.wa_id.get().is_some_and(|id| digits(id) == digits(text));
    match message.from.get() {
        Some(from) if scene.is_own_number(from) => true,
        Some(from) => !is_user(from) && message.to.get().is_some_and(is_user),
        // Left out for a person with a username, never for the business.
        None => false,
    }
}

/// The thread's person. Only a person has ids, so that whichever side has one is theirs.
fn person(scene: &Scene<'_>, user: &User<'_>, message: &wire::Message<'_>, is_echo: bool) -> Person {
    let own = if is_echo { &message.to } else { &message.from };
    let first = |texts: [&Text<'_>; 3]| texts.into_iter().find_map(Text::owned);
    let bsuid = first([&user.user_id, &message.from_user_id, &message.to_user_id]);
    let parent = first([&user.parent_user_id, &message.from_parent_user_id, &message.to_parent_user_id]);
    let mut person = scene.person(Names {
        phone: user.wa_id.get().or(own.get()),
        bsuid: bsuid.as_deref(),
        parent_bsuid: parent.as_deref(),
    });
    if person.username.is_none() {
        person.username = user.username.owned();
    }
    person
}

/// One of `state_sync[]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Sync<'a> {
    #[serde(borrow)]
    contact: Option<Entry<'a>>,
    #[serde(borrow)]
    action: Text<'a>,
    #[serde(borrow)]
    metadata: Option<Metadata<'a>>,
}

/// An entry of the address book.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Entry<'a> {
    /// Left out when the entry is removed.
    #[serde(borrow, deserialize_with = "loose")]
    full_name: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    first_name: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    phone_number: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    user_id: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    parent_user_id: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    username: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Metadata<'a> {
    #[serde(borrow)]
    timestamp: Text<'a>,
}

/// One of `state_sync[]`: `add`, which an edit is too, or `remove`.
pub(super) fn contact(scene: &Scene<'_>, json: &str) -> Result<Event, Malformed> {
    let sync: Sync<'_> = read(json)?;
    let entry = sync.contact.as_ref().ok_or_else(|| missing("contact"))?;
    let action = sync.action.required("action")?;
    let mut person = scene.person(Names {
        phone: entry.phone_number.get(),
        bsuid: entry.user_id.get(),
        parent_bsuid: entry.parent_user_id.get(),
    });
    person.name = entry.full_name.owned().or_else(|| entry.first_name.owned());
    person.username = entry.username.owned();
    let at = match sync.metadata.as_ref().filter(|metadata| metadata.timestamp.get().is_some()) {
        Some(metadata) => Some(metadata.timestamp.required_instant("metadata.timestamp")?),
        None => None,
    };
    Ok(Event {
        key: EventKey::new("book", &[scene.key(), &digest_of([scene.key(), action], json)]),
        business: scene.business.clone(),
        occurred_at: at,
        person,
        fact: Fact::Contact { removed: action == "remove" },
    })
}
