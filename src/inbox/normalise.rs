//! A stored request, read for what it means.
//!
//! In: the evidence as stored, and the channels and words as configured now. Out: items, or why there are none.

use super::reading::Reading;
use crate::config::{Channels, Config, Endpoint};
use crate::store::{AccountNumbers, Prepared, Request, Stored};
use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use wabridge_model::Phone;
use wabridge_model::event::Event;
use wabridge_providers::{Account, Inbound, Item, Malformed, Verified};

/// The most items of one request: all of them are held in memory. A body of 4 MiB has room for some 40,000
/// messages in so many words; what has more is made of crumbs.
const MOST_ITEMS: usize = 50_000;

/// What stored requests are read with: the channels and the words as configured now.
pub struct Reader {
    channels: Channels,
    words: Reading,
    hold_unknown_numbers: bool,
}

impl Reader {
    /// The reader of a configuration.
    #[must_use]
    pub fn new(config: &Config) -> Reader {
        Reader {
            channels: Channels::without_secrets(config),
            words: Reading::new(config),
            hold_unknown_numbers: config.server.hold_unknown_numbers,
        }
    }
    /// Reads a stored request. Never fails: what cannot be read is quarantined with a reason.
    ///
    /// `known` are the numbers that were displayed for account ids before: keys are made of them, so they
    /// stay whatever is displayed or configured later. It learns what is new.
    #[must_use]
    pub fn prepare(&self, stored: &Stored, known: &mut AccountNumbers) -> Prepared {
        let request = &stored.request;
        let endpoint = self.channels.get(&request.channel);
        let mut items = match endpoint {
            _ if stored.poison => Err(whole("poison")),
            None => Err(whole("unknown_channel")),
            Some(endpoint) => self.read(request, endpoint, known),
        };
        let mut resolved = Vec::new();
        if let (Some(endpoint), Ok(items)) = (endpoint, &mut items) {
            resolved = self.resolve(items, endpoint, known);
        }
        Prepared {
            id: stored.id,
            received_at: request.received_at,
            channel: request.channel.clone(),
            provider: endpoint.map_or("unknown", |endpoint| endpoint.provider.about().slug),
            proof: request.proof,
            secondary: endpoint.is_some_and(|endpoint| endpoint.secondary),
            resolved,
            items,
        }
    }

    fn read(
        &self,
        request: &Request,
        endpoint: &Endpoint,
        known: &AccountNumbers,
    ) -> Result<Vec<Item>, Malformed> {
        let inbound = Inbound {
            query: &request.query,
            headers: &request.headers,
            body: &request.body,
            received_at: request.received_at,
            path_token: None,
        };
        let verified = Verified::recall(inbound, request.proof);
        let account = with_known(endpoint, known);
        // A panic in a provider is a fault of ours; the body waits for the version that mends it.
        let read = || {
            let mut items = endpoint.provider.normalise(&verified, &account)?;
            events(&mut items).for_each(|event| self.words.read(event));
            Ok(items)
        };
        match catch_unwind(AssertUnwindSafe(read)) {
            Ok(Ok(items)) if items.len() > MOST_ITEMS => Err(whole("too_many_items")),
            Ok(read) => read,
            Err(_) => Err(whole("panic")),
        }
    }

    /// Finds the account ids that neither configuration nor memory knows: they are held, or remembered with
    /// the number that the provider displays for them.
    fn resolve(
        &self,
        items: &mut [Item],
        endpoint: &Endpoint,
        known: &mut AccountNumbers,
    ) -> Vec<(String, Phone)> {
        let Account { channel, business_numbers, business_number, .. } = &endpoint.account;
        let mut resolved = Vec::new();
        for item in items.iter_mut() {
            let Item::Event(event) = item else { continue };
            let (Some(id), Some(number)) = (&event.business.account_id, &event.business.number) else {
                continue;
            };
            let place = (channel.clone(), id.clone());
            let is_ours = business_number.as_ref() == Some(number) || business_numbers.contains_key(id);
            if is_ours || known.contains_key(&place) {
                continue;
            }
            if self.hold_unknown_numbers {
                *item = Item::Quarantined(whole("unknown_number"));
                continue;
            }
            resolved.push((id.clone(), number.clone()));
            known.insert(place, number.clone());
        }
        resolved
    }
}

/// The channel's account with what was remembered for it.
fn with_known<'a>(endpoint: &'a Endpoint, known: &AccountNumbers) -> Cow<'a, Account> {
    let mut account = Cow::Borrowed(&endpoint.account);
    let channel = &endpoint.account.channel;
    for ((_, id), number) in known.iter().filter(|((of, _), _)| of == channel) {
        account.to_mut().business_numbers.insert(id.clone(), number.clone());
    }
    account
}

fn events(items: &mut [Item]) -> impl Iterator<Item = &mut Event> {
    items.iter_mut().filter_map(|item| match item {
        Item::Event(event) => Some(&mut **event),
        Item::Skipped(_) | Item::Quarantined(_) => None,
    })
}

fn whole(reason: &'static str) -> Malformed {
    Malformed { reason, path: "$".to_owned() }
}

/// The kinds of a prepared request's items, for logs: how many of each, and nothing of what they say.
#[must_use]
pub fn tally(prepared: &Prepared) -> (usize, usize) {
    match &prepared.items {
        Err(_) => (0, 1),
        Ok(items) => {
            let bad = items.iter().filter(|item| matches!(item, Item::Quarantined(_))).count();
            (items.len() - bad, bad)
        }
    }
}
