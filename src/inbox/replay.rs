//! Replay: what was stored or parked is read again with today's code, words and secrets.
//!
//! In: which requests. Out: what changed, or would. Stored requests are settled again in slices; parked ones
//! that are proven now become stored requests, which the projector takes up like any other.

use super::normalise::Reader;
use super::receive::verified;
use crate::config::Channels;
use crate::store::replay::{Changes, Parked, Selection};
use crate::store::{Request, Store, StoreError};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use wabridge_providers::Inbound;

/// Requests read at a time.
const PAGE: usize = 256;

/// What to read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// Stored requests.
    Stored(Selection),
    /// Parked ones.
    Parked,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Replayed {
    /// Stored requests that were read again.
    pub requests: u64,
    /// Their items by what they were and are; see [`Changes`].
    pub items: BTreeMap<String, u64>,
    /// How many people changed, counted by clusters.
    pub people: u64,
    /// Parked requests that are proven by today's secrets.
    pub proven: u64,
    /// Parked requests that are not.
    pub unproven: u64,
}

/// Reads again. `channels` have secrets where parked requests are asked for.
///
/// # Errors
/// When the store cannot be read or written; what was done by then is done, and doing it again is harmless.
pub fn replay(
    store: &dyn Store,
    reader: &Reader,
    channels: &Channels,
    what: What,
    dry_run: bool,
) -> Result<Replayed, StoreError> {
    match what {
        What::Stored(selection) => stored(store, reader, selection, dry_run),
        What::Parked => parked(store, channels, dry_run),
    }
}

fn stored(
    store: &dyn Store,
    reader: &Reader,
    selection: Selection,
    dry_run: bool,
) -> Result<Replayed, StoreError> {
    let mut known = store.account_numbers()?;
    let mut changes = Changes::default();
    let mut after = 0;
    loop {
        let page = store.settled_after(selection, after, PAGE)?;
        let Some(last) = page.last() else { break };
        after = last.id;
        let prepared = page.iter().map(|stored| reader.prepare(stored, &mut known)).collect();
        changes.add(store.settle_again(prepared, dry_run)?);
    }
    let Changes { requests, items, clusters, newcomers } = changes;
    Ok(Replayed { requests, items, people: clusters.len() as u64 + newcomers, ..Replayed::default() })
}

fn parked(store: &dyn Store, channels: &Channels, dry_run: bool) -> Result<Replayed, StoreError> {
    let mut replayed = Replayed::default();
    let mut after = 0;
    loop {
        let page = store.parked_after(after, PAGE)?;
        let Some((last, _)) = page.last() else { return Ok(replayed) };
        after = *last;
        let all = page.len() as u64;
        let proven: Vec<(i64, Request)> =
            page.iter().filter_map(|(id, parked)| Some((*id, prove(parked, channels)?))).collect();
        replayed.proven += proven.len() as u64;
        replayed.unproven += all - proven.len() as u64;
        if !dry_run && !proven.is_empty() {
            store.unpark(proven)?;
        }
    }
}

/// The request, if a secret of today proves it. Some providers sign the path with its token, which was not
/// kept: each one of today's is tried.
fn prove(parked: &Parked, channels: &Channels) -> Option<Request> {
    let endpoint = channels.get(&parked.channel)?;
    let tokens = endpoint.account.secrets.path_tokens.iter().map(|token| Some(token.expose_secret()));
    tokens.chain([None]).find_map(|path_token| {
        let inbound = Inbound {
            query: &parked.query,
            headers: &parked.headers,
            body: &parked.body,
            received_at: parked.received_at,
            path_token,
        };
        verified(inbound, endpoint).ok()
    })
}
