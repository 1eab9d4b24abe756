//! From a body to its items: entries, changes, values, lists; each taken apart so that a bad one is alone.
//!
//! In: a verified body. Out: one [`Item`] per fact, change by change and list by list. The frame of a usual
//! body is parsed once; only an unusual one is taken apart level by level.
//! <https://developers.facebook.com/docs/graph-api/webhooks/getting-started>

use super::scene::Scene;
use super::{account, history, message, notice, wire};
use crate::json::{List, Text, missing, read, whole, within};
use crate::provider::{Account, Item, Malformed, Skip};
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::fmt;
use wabridge_model::Phone;
use wabridge_model::event::{Event, Fact};

/// Whose copy of Meta's format is read: what other vendors do otherwise.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source<'a> {
    /// The channel.
    pub(crate) account: &'a Account,
    /// The key space of message ids that are no wamids.
    pub(crate) space: &'static str,
    /// The vendor's own id of the account, for where `phone_number_id` is missing or not configured.
    pub(crate) app: Option<&'a str>,
    /// The number of a value that names none.
    pub(crate) number: Option<&'a Phone>,
}

impl<'a> Source<'a> {
    /// Meta's own format, or one that differs in nothing.
    pub(crate) fn meta(account: &'a Account) -> Source<'a> {
        Source { account, space: "wa", app: None, number: None }
    }

    /// The channel's number, where all that it lists are one: some formats leave out whose message it is.
    pub(crate) fn only_number(account: &Account) -> Option<&Phone> {
        let mut numbers = account.business_numbers.values();
        let first = numbers.next()?;
        numbers.all(|number| number == first).then_some(first)
    }
}

/// Reads one body. It serves every provider that passes Meta's format on.
pub(crate) fn items(text: &str, source: Source<'_>) -> Result<Vec<Item>, Malformed> {
    let mut items = Vec::new();
    for (entry_at, entry) in split(text)?.into_iter().enumerate() {
        let (id, time, changes) = match entry {
            Ok(entry) => entry,
            Err(fault) => {
                items.push(Item::Quarantined(within(&format!("entry[{entry_at}]"), fault)));
                continue;
            }
        };
        for (change_at, change) in changes.into_iter().enumerate() {
            let place = Place { entry: entry_at, change: change_at };
            match change {
                Ok(change) => read_change(source, (&id, &time), &change, place, &mut items),
                Err(fault) => items.push(Item::Quarantined(within(&place.to_string(), fault))),
            }
        }
    }
    if items.is_empty() {
        items.push(Item::Skipped(Skip::NoContent));
    }
    Ok(items)
}

/// Reads a value that comes without its envelope. `prefix` is its place in the body, with a final dot.
pub(crate) fn value_items(source: Source<'_>, field: &str, json: &str, prefix: &'static str) -> Vec<Item> {
    let mut items = Vec::new();
    let nothing = Text::default();
    read_value(source, (&nothing, &nothing), (field, json), &format_args!("{prefix}"), &mut items);
    items
}

/// Where a change is.
#[derive(Debug, Clone, Copy)]
struct Place {
    entry: usize,
    change: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "entry[{}].changes[{}]", self.entry, self.change)
    }
}

/// The changes of an entry.
type Changes<'a> = Vec<Result<wire::Change<'a>, Malformed>>;
/// An entry's id and time, and its changes.
type Entry<'a> = (Text<'a>, Text<'a>, Changes<'a>);

/// The entries of a body with their changes.
fn split(text: &str) -> Result<Vec<Result<Entry<'_>, Malformed>>, Malformed> {
    if let Ok(envelope) = serde_json::from_str::<wire::Envelope<'_>>(text)
        && text.trim_ascii_start().starts_with('{')
    {
        let entries = envelope.entry.into_iter();
        return Ok(entries
            .map(|entry| Ok((entry.id, entry.time, entry.changes.into_iter().map(Ok).collect())))
            .collect());
    }
    let envelope: wire::LooseEnvelope<'_> = read(text)?;
    match envelope.entry {
        List::Absent => Err(missing("entry")),
        List::Other => Err(Malformed { reason: "invalid_field", path: "entry".to_owned() }),
        List::Items(entries) => Ok(entries.into_iter().map(|raw| split_entry(raw.get())).collect()),
    }
}

fn split_entry(text: &str) -> Result<Entry<'_>, Malformed> {
    let entry: wire::LooseEntry<'_> = read(text)?;
    match entry.changes {
        List::Other => Err(Malformed { reason: "invalid_field", path: "changes".to_owned() }),
        changes => {
            let changes = changes.items().iter().map(|raw| read(raw.get())).collect();
            Ok((entry.id, entry.time, changes))
        }
    }
}

/// Reads one change, and adds its items.
fn read_change(
    source: Source<'_>,
    entry: (&Text<'_>, &Text<'_>),
    change: &wire::Change<'_>,
    place: Place,
    items: &mut Vec<Item>,
) {
    match (change.field.required("field"), change.value) {
        (Ok(field), Some(raw)) => {
            read_value(source, entry, (field, raw.get()), &format_args!("{place}.value."), items);
        }
        (Err(fault), _) => items.push(Item::Quarantined(within(&place.to_string(), fault))),
        (Ok(_), None) => items.push(Item::Quarantined(within(&place.to_string(), missing("value")))),
    }
}

/// Reads one value, and adds its items.
fn read_value(
    source: Source<'_>,
    entry: (&Text<'_>, &Text<'_>),
    (field, json): (&str, &str),
    prefix: &fmt::Arguments<'_>,
    items: &mut Vec<Item>,
) {
    let value: wire::Value<'_> = match read(json) {
        Ok(value) => value,
        Err(_) if !carries_items(field) => wire::Value::default(),
        Err(fault) => {
            let place = prefix.to_string();
            let fault = place.strip_suffix('.').map_or(fault.clone(), |place| within(place, fault));
            return items.push(Item::Quarantined(fault));
        }
    };
    // On `standby` Meta has the lists one level deeper, and 360dialog does not say: both are read.
    let inner: wire::Value<'_> = value.standby.and_then(|raw| read(raw.get()).ok()).unwrap_or_default();
    let scene = Scene::new(source, entry, field, &value, &inner);
    let before = items.len();
    if carries_items(field) {
        read_lists(&scene, &value, prefix, items);
        read_lists(&scene, &inner, &format_args!("{prefix}standby."), items);
        history::chunks(&scene, &value.history, prefix, items);
        read_notices(&scene, &value, items);
    }
    if items.len() == before {
        items.push(rest(&scene, field, json));
    }
    if scene.is_sample() {
        items[before..].iter_mut().for_each(|item| *item = Item::Skipped(Skip::Sample));
    }
}

/// Whether the values of a field hold lists of facts; all others are about the account.
fn carries_items(field: &str) -> bool {
    matches!(
        field,
        "messages"
            | "standby"
            | "smb_message_echoes"
            | "history"
            | "smb_app_state_sync"
            | "user_preferences"
            | "calls"
            | "user_id_update"
    )
}

/// Reads the lists whose items are facts.
fn read_lists(
    scene: &Scene<'_>,
    value: &wire::Value<'_>,
    prefix: &fmt::Arguments<'_>,
    items: &mut Vec<Item>,
) {
    for (name, list) in value.item_lists() {
        if matches!(list, List::Other) {
            let path = format!("{prefix}{name}");
            items.push(Item::Quarantined(Malformed { reason: "invalid_field", path }));
            continue;
        }
        items.reserve(list.items().len());
        for (at, raw) in list.items().iter().enumerate() {
            items.push(match read_item(scene, name, raw.get()) {
                // Somebody in the address book whose number nobody can read: there is no one to enrich.
                Ok(Event { fact: Fact::Contact { .. }, person, .. }) if !person.is_identified() => {
                    Item::Skipped(Skip::NoContent)
                }
                Ok(event) => Item::Event(Box::new(event)),
                Err(fault) => Item::Quarantined(within(&format!("{prefix}{name}[{at}]"), fault)),
            });
        }
    }
}

fn read_item(scene: &Scene<'_>, list: &str, json: &str) -> Result<Event, Malformed> {
    match list {
        "messages" | "message_echoes" if scene.is_history => {
            history::message(scene, &history::User::default(), json)
        }
        "messages" => message::message(scene, json),
        "statuses" => notice::status(scene, json),
        "message_echoes" => message::echo(scene, json),
        "user_preferences" => notice::preference(scene, json),
        "calls" => notice::call(scene, json),
        "user_id_update" => notice::user_id_update(scene, json),
        "state_sync" => history::contact(scene, json),
        _ => Err(whole("unexpected_shape")),
    }
}

/// What stands beside the lists: errors that belong to no message, clicks on links.
fn read_notices(scene: &Scene<'_>, value: &wire::Value<'_>, items: &mut Vec<Item>) {
    // Beside a message, the value's errors explain that message: the message is kept, and says enough.
    let errors = if value.messages.items().is_empty() { value.errors.items() } else { &[] };
    for (field, list) in [("errors", errors), ("user_actions", value.user_actions.items())] {
        if !list.is_empty() {
            let joined: Vec<&str> = list.iter().map(|raw| raw.get()).collect();
            let json = format!("[{}]", joined.join(","));
            items.push(Item::Event(Box::new(account::notice(scene, field, &json))));
        }
    }
}

/// A value without any item that we know.
fn rest(scene: &Scene<'_>, field: &str, json: &str) -> Item {
    let is_empty = carries_items(field)
        && serde_json::from_str::<HashMap<&str, &RawValue>>(json).is_ok_and(|fields| {
            let means_nothing = |text: &str| matches!(text, "{}" | "[]" | "null" | "\"\"");
            fields.iter().all(|(name, value)| {
                matches!(*name, "messaging_product" | "metadata" | "contacts") || means_nothing(value.get())
            })
        });
    if is_empty {
        return Item::Skipped(Skip::NoContent);
    }
    Item::Event(Box::new(account::notice(scene, field, json)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::body_text;
    use crate::provider::Secrets;
    use std::collections::BTreeMap;
    use wabridge_model::Country;

    fn account() -> Account {
        Account {
            channel: "main".to_owned(),
            portfolio: "default".to_owned(),
            business_numbers: BTreeMap::new(),
            business_number: None,
            sample_ids: Vec::new(),
            default_country: Country::INDIA,
            public_url: None,
            secrets: Secrets::default(),
        }
    }

    fn items(body: &[u8], account: &Account) -> Result<Vec<Item>, Malformed> {
        super::items(&body_text(body)?, Source::meta(account))
    }

    fn fault(body: &str) -> (&'static str, String) {
        let fault = items(body.as_bytes(), &account()).unwrap_err();
        (fault.reason, fault.path)
    }

    #[test]
    fn a_body_that_cannot_be_split_says_why_and_where() {
        let deep = format!(r#"{{"entry":[{{"changes":[{{"field":"x","value":{}"#, "[".repeat(200));
        let cases = [
            ("", "not_json", "$"),
            ("entry=1", "not_json", "$"),
            (r#"{"entry":[{"id":"1"}]} x"#, "not_json", "$"),
            (r#"{"entry":[{"id":"\x"}]}"#, "not_json", "$"),
            (deep.as_str(), "too_deep", "$"),
            ("[]", "unexpected_shape", "$"),
            ("5", "unexpected_shape", "$"),
            ("{}", "missing_field", "entry"),
            (r#"{"entry":null}"#, "missing_field", "entry"),
            (r#"{"entry":{}}"#, "invalid_field", "entry"),
        ];
        for (body, reason, path) in cases {
            assert_eq!(fault(body), (reason, path.to_owned()), "{body}");
        }
        assert_eq!(items(&[0x7b, 0xff], &account()).unwrap_err().reason, "not_json");
    }

    #[test]
    fn a_body_without_content_is_one_skipped_item() {
        for body in [r#"{"entry":[]}"#, r#"{"object":"x","entry":[{"id":"1","changes":[]}]}"#] {
            let items = items(body.as_bytes(), &account()).unwrap();
            assert!(matches!(items.as_slice(), [Item::Skipped(Skip::NoContent)]), "{body}");
        }
    }

    #[test]
    fn a_thousand_updates_in_one_body_are_a_thousand_events_of_the_right_people() {
        let contacts: Vec<String> = (0..1000)
            .map(|n| format!(r#"{{"wa_id":"4477009{n:05}","profile":{{"name":"N{n}"}}}}"#))
            .collect();
        let messages: Vec<String> = (0..1000)
            .rev()
            .map(|n| {
                format!(
                    r#"{{"from":"4477009{n:05}","id":"wamid.{n}","timestamp":"1795336200","type":"text"}}"#
                )
            })
            .collect();
        let body = format!(
            r#"{{"entry":[{{"id":"1","changes":[{{"field":"messages","value":{{"contacts":[{}],"messages":[{}]}}}}]}}]}}"#,
            contacts.join(","),
            messages.join(",")
        );
        let items = items(body.as_bytes(), &account()).unwrap();
        assert_eq!(items.len(), 1000);
        for (item, n) in items.iter().zip((0..1000).rev()) {
            let Item::Event(event) = item else { panic!("{item:?}") };
            assert!(matches!(&event.fact, Fact::Message(message) if message.id == format!("wamid.{n}")));
            assert_eq!(event.person.name, Some(format!("N{n}")));
        }
    }

    #[test]
    fn the_same_account_notice_has_the_same_key_however_it_is_written() {
        let key = |value: &str, time: u32| {
            let body = format!(
                r#"{{"entry":[{{"id":"1","time":{time},"changes":[{{"field":"account_update","value":{value}}}]}}]}}"#
            );
            let items = items(body.as_bytes(), &account()).unwrap();
            let [Item::Event(event)] = items.as_slice() else { panic!("{items:?}") };
            event.key.clone()
        };
        assert_eq!(key(r#"{"a":1,"b":2}"#, 7), key(r#"{ "b": 2, "a": 1 }"#, 7));
        assert_ne!(key(r#"{"a":1,"b":2}"#, 7), key(r#"{"a":1,"b":2}"#, 8));
        assert_ne!(key(r#"{"a":1,"b":2}"#, 7), key(r#"{"a":1,"b":3}"#, 7));
    }
}
