//! What all items of one value share: the account, the business number, the contacts.

use super::body::Source;
use super::person::{Contacts, Names, digits, person};
use super::wire;
use crate::json::{List, Text, read};
use wabridge_model::Country;
use wabridge_model::event::{Business, Person};
use wabridge_model::id::EventKey;

/// The surroundings of an item.
#[derive(Debug)]
pub(super) struct Scene<'a> {
    source: Source<'a>,
    /// `entry[].id`, the WhatsApp business account; empty where absent.
    pub(super) entry_id: &'a str,
    /// `entry[].time`, as sent.
    pub(super) entry_time: Option<&'a str>,
    /// The business side, for each event.
    pub(super) business: Business,
    /// The number as Meta shows it: to tell our side of a call.
    shown: Option<String>,
    contacts: Contacts<'a>,
    /// Whether the value holds a single item.
    alone: bool,
    /// Whether the value is part of an import of older messages.
    pub(super) is_history: bool,
}

impl<'a> Scene<'a> {
    /// Sets the scene of one value, whose lists may be one level deeper (`inner`).
    pub(super) fn new(
        source: Source<'a>,
        (entry_id, entry_time): (&'a Text<'a>, &'a Text<'a>),
        field: &str,
        value: &wire::Value<'a>,
        inner: &wire::Value<'a>,
    ) -> Scene<'a> {
        let metadata = value.metadata.or(inner.metadata);
        let metadata: wire::Metadata<'_> = metadata.and_then(|raw| read(raw.get()).ok()).unwrap_or_default();
        let shown = metadata.display_phone_number.get().or(value.display_phone_number.get());
        let account = source.account;
        let ids = [metadata.phone_number_id.get(), source.app];
        let known = ids.into_iter().flatten().find(|id| account.business_numbers.contains_key(*id));
        let account_id = known.or_else(|| ids.into_iter().flatten().next());
        let items = |value: &wire::Value<'_>| {
            value.item_lists().map(|(_, list)| list.items().len()).iter().sum::<usize>()
        };
        Scene {
            source,
            entry_id: entry_id.get().unwrap_or_default(),
            entry_time: entry_time.get(),
            business: Business {
                account_id: account_id.map(str::to_owned),
                number: account.resolve(account_id, shown).or_else(|| source.number.cloned()),
                portfolio: account.portfolio.clone(),
            },
            shown: shown.map(|text| digits(text).to_owned()),
            contacts: Contacts::read(&[&value.contacts, &inner.contacts]),
            alone: items(value) + items(inner) == 1,
            is_history: field == "history",
        }
    }

    /// What stands for the business in keys: its number, so that two channels of one number agree.
    pub(super) fn key(&self) -> &str {
        let Business { account_id, number, .. } = &self.business;
        number.as_ref().map(|number| number.e164()).or(account_id.as_deref()).unwrap_or(self.entry_id)
    }

    /// What makes two reports of a message one: its wamid, by whatever channel it comes; another id only
    /// among the reports of its vendor.
    pub(super) fn message_key(&self, id: &str) -> EventKey {
        let space = if id.starts_with("wamid.") { "wa" } else { self.source.space };
        EventKey::new(space, &[self.key(), id])
    }

    /// For numbers without a country code.
    pub(super) fn country(&self) -> Country {
        self.source.account.default_country
    }

    /// The customer with these names.
    pub(super) fn person(&self, names: Names<'_>) -> Person {
        person(names, &self.contacts, self.alone, self.country())
    }

    /// Whether this is the business's own number.
    pub(super) fn is_own_number(&self, text: &str) -> bool {
        let own = self.business.number.as_ref().map(|number| digits(number.e164()));
        own == Some(digits(text)) || self.shown.as_deref() == Some(digits(text))
    }

    /// Whether it carries the ids of the dashboard's test button.
    pub(super) fn is_sample(&self) -> bool {
        self.source.account.sample_ids.iter().any(|sample| {
            sample.entry == self.entry_id
                && Some(sample.phone_number_id.as_str()) == self.business.account_id.as_deref()
        })
    }
}

impl<'a> wire::Value<'a> {
    /// The lists whose items are facts, with their names.
    pub(super) fn item_lists(&self) -> [(&'static str, &List<'a>); 7] {
        [
            ("messages", &self.messages),
            ("statuses", &self.statuses),
            ("message_echoes", &self.message_echoes),
            ("user_preferences", &self.user_preferences),
            ("calls", &self.calls),
            ("user_id_update", &self.user_id_update),
            ("state_sync", &self.state_sync),
        ]
    }
}
