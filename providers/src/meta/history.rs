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

#[cfg(test)]
mod tests {
    use super::super::body::{Source, items};
    use super::*;
    use crate::provider::{Account, Secrets, Skip};
    use std::collections::BTreeMap;
    use wabridge_model::{Country, Phone};

    fn account(number: Option<&str>) -> Account {
        Account {
            channel: "main".to_owned(),
            portfolio: "default".to_owned(),
            business_numbers: BTreeMap::new(),
            business_number: number.map(|number| Phone::from_whatsapp_id(number).unwrap()),
            sample_ids: Vec::new(),
            default_country: Country::INDIA,
            public_url: None,
            secrets: Secrets::default(),
        }
    }

    const OURS: &str = "442079460001";

    fn read_value(field: &str, value: &str, number: Option<&str>) -> Vec<Item> {
        let body = format!(r#"{{"entry":[{{"id":"1","changes":[{{"field":"{field}","value":{value}}}]}}]}}"#);
        items(&body, Source::meta(&account(number))).unwrap()
    }

    fn events(field: &str, value: &str) -> Vec<Event> {
        let event = |item| match item {
            Item::Event(event) => *event,
            other => panic!("{other:?}"),
        };
        read_value(field, value, Some(OURS)).into_iter().map(event).collect()
    }

    fn thread(thread: &str) -> String {
        format!(r#"{{"history":[{{"metadata":{{"phase":0}},"threads":[{thread}]}}]}}"#)
    }

    #[test]
    fn thousands_of_messages_are_an_item_each_with_the_key_they_would_have_had_live() {
        let messages: Vec<String> = (0..5000)
            .map(|n| {
                format!(
                    r#"{{"from":"447700900101","id":"wamid.{n}","timestamp":"1795336200","type":"text"}}"#
                )
            })
            .collect();
        let messages = messages.join(",");
        let old = events("history", &thread(&format!(r#"{{"id":"447700900101","messages":[{messages}]}}"#)));
        let live = events("messages", &format!(r#"{{"messages":[{messages}]}}"#));
        assert_eq!(old.len(), 5000);
        for (old, live) in old.iter().zip(&live) {
            assert_eq!((&old.key, &old.person), (&live.key, &live.person));
            assert!(matches!(&old.fact, Fact::Message(message) if message.history));
            assert!(matches!(&live.fact, Fact::Message(message) if !message.history));
        }
    }

    #[test]
    fn who_wrote_is_told_by_our_number_else_by_the_threads_person() {
        let is_echo = |message: &str, number: Option<&str>| {
            let value = thread(&format!(
                r#"{{"id":"447700900101","messages":[{{"id":"wamid.1","timestamp":"1795336200",{message}}}]}}"#
            ));
            match read_value("history", &value, number).pop() {
                Some(Item::Event(event)) => {
                    assert_eq!(event.person.phone, Phone::from_whatsapp_id("447700900101").ok(), "{message}");
                    matches!(event.fact, Fact::Echo(Echo { history: true, .. }))
                }
                other => panic!("{other:?}"),
            }
        };
        assert!(is_echo(r#""from":"442079460001""#, Some(OURS)));
        assert!(is_echo(r#""from":"+442079460001","to":"447700900101""#, Some(OURS)));
        assert!(is_echo(r#""from":"442079460001","to":"+447700900101""#, None));
        assert!(!is_echo(r#""from":"447700900101""#, Some(OURS)));
        assert!(!is_echo(r#""from":"447700900101","to":"442079460001""#, None));
        assert!(!is_echo(r#""from_user_id":"GB.7""#, Some(OURS)));
    }

    #[test]
    fn a_thread_with_a_hidden_number_is_known_by_its_context() {
        let value = thread(
            r#"{"context":{"user_id":"GB.7","parent_user_id":"GB.ENT.8","username":"asha"},"messages":[
                {"from_user_id":"GB.7","id":"wamid.1","timestamp":"1795336200","type":"text"},
                {"from":"442079460001","id":"wamid.2","timestamp":"1795336201","type":"media_placeholder"}]}"#,
        );
        for event in events("history", &value) {
            assert_eq!(event.person.bsuid.unwrap().as_str(), "GB.7");
            assert_eq!(event.person.parent_bsuid.unwrap().as_str(), "GB.ENT.8");
            assert_eq!(event.person.username.as_deref(), Some("asha"));
        }
    }

    #[test]
    fn a_part_without_messages_says_how_far_the_import_is_or_that_it_was_declined() {
        let words = |value: &str| match events("history", value).pop().unwrap().fact {
            Fact::Account(notice) => (notice.field, notice.state, notice.reason),
            other => panic!("{other:?}"),
        };
        let history = || "history".to_owned();
        assert_eq!(
            words(r#"{"history":[{"metadata":{"phase":2,"progress":100},"threads":[]}]}"#),
            (history(), Some("100".to_owned()), None)
        );
        assert_eq!(
            words(r#"{"history":[{"errors":[{"code":2593109,"title":"Sharing is off"}]}]}"#),
            (history(), Some("2593109".to_owned()), Some("Sharing is off".to_owned()))
        );
    }

    #[test]
    fn what_has_a_strange_shape_is_alone() {
        let faults = |value: &str| -> Vec<String> {
            let items = read_value("history", value, Some(OURS)).into_iter();
            items
                .filter_map(|item| match item {
                    Item::Quarantined(fault) => Some(format!("{} {}", fault.reason, fault.path)),
                    _ => None,
                })
                .collect()
        };
        let place = "entry[0].changes[0].value.history";
        assert_eq!(faults(r#"{"history":{}}"#), [format!("invalid_field {place}")]);
        assert_eq!(
            faults(
                r#"{"history":[7,{"threads":7},{"threads":[7,{"messages":7},{"messages":[{"id":"wamid.1"}]}]}]}"#
            ),
            [
                format!("unexpected_shape {place}[0]"),
                format!("invalid_field {place}[1].threads"),
                format!("unexpected_shape {place}[2].threads[0]"),
                format!("invalid_field {place}[2].threads[1].messages"),
                format!("missing_field {place}[2].threads[2].messages[0].timestamp"),
            ]
        );
    }

    #[test]
    fn an_address_book_names_people_and_whoever_has_no_number_is_nobody() {
        let value = r#"{"state_sync":[
            {"type":"contact","contact":{"full_name":"Asha F","phone_number":"447700900101"},"action":"add","metadata":{"timestamp":"1795336200"}},
            {"type":"contact","contact":{"phone_number":"447700900101"},"action":"remove","metadata":{"timestamp":1795336200123}},
            {"type":"contact","contact":{"first_name":"Hidden","user_id":"GB.7","username":"asha"},"action":"add"},
            {"type":"contact","contact":{"full_name":"Office","phone_number":"12"},"action":"add"},
            {"type":"contact","action":"add"}]}"#;
        let found = read_value("smb_app_state_sync", value, Some(OURS));
        let [Item::Event(added), Item::Event(removed), Item::Event(hidden), nobody, broken] =
            found.as_slice()
        else {
            panic!("{found:?}")
        };
        assert_eq!(added.fact, Fact::Contact { removed: false });
        assert_eq!(added.person.name.as_deref(), Some("Asha F"));
        assert_eq!(removed.fact, Fact::Contact { removed: true });
        assert_eq!(removed.occurred_at.unwrap().to_string(), "2026-11-22T08:30:00.123Z");
        assert!(removed.person.phone == added.person.phone && removed.key != added.key);
        assert_eq!(hidden.person.name.as_deref(), Some("Hidden"));
        assert_eq!(hidden.occurred_at, None);
        assert!(matches!(nobody, Item::Skipped(Skip::NoContent)));
        assert!(matches!(broken, Item::Quarantined(fault) if fault.path.ends_with("state_sync[4].contact")));
    }
}
