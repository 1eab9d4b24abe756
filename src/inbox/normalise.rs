//! A stored request, read for what it means.
//!
//! In: the evidence as stored, and the channels and words as configured now. Out: items, or why there are none.

use super::reading::Reading;
use crate::config::Channels;
use crate::store::{Prepared, Stored};
use std::panic::{AssertUnwindSafe, catch_unwind};
use wabridge_providers::{Inbound, Item, Malformed, Verified};

/// The most items of one request. Meta sends 1,000 at most; far more would keep the store's one writer, and
/// with it the acknowledgements, waiting for as long as they are written.
const MOST_ITEMS: usize = 10_000;

/// Reads a stored request. Never fails: what cannot be read is quarantined with a reason.
#[must_use]
pub fn normalise(stored: &Stored, channels: &Channels, reading: &Reading) -> Prepared {
    let request = &stored.request;
    let endpoint = channels.get(&request.channel);
    let items = match endpoint {
        _ if stored.poison => Err(whole("poison")),
        None => Err(whole("unknown_channel")),
        Some(endpoint) => {
            let inbound = Inbound {
                query: &request.query,
                headers: &request.headers,
                body: &request.body,
                received_at: request.received_at,
                path_token: None,
            };
            let verified = Verified::recall(inbound, request.proof);
            // A panic in a provider is a fault of ours; the body waits for the version that mends it.
            let read = || endpoint.provider.normalise(&verified, &endpoint.account);
            let read = || read().map(|items| read_texts(items, reading));
            match catch_unwind(AssertUnwindSafe(read)) {
                Ok(Ok(items)) if items.len() > MOST_ITEMS => Err(whole("too_many_items")),
                Ok(read) => read,
                Err(_) => Err(whole("panic")),
            }
        }
    };
    Prepared {
        id: stored.id,
        secondary: endpoint.is_some_and(|endpoint| endpoint.secondary),
        received_at: request.received_at,
        channel: request.channel.clone(),
        provider: endpoint.map_or("unknown", |endpoint| endpoint.provider.about().slug),
        proof: request.proof,
        items,
    }
}

fn read_texts(mut items: Vec<Item>, reading: &Reading) -> Vec<Item> {
    for item in &mut items {
        if let Item::Event(event) = item {
            reading.read(event);
        }
    }
    items
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
