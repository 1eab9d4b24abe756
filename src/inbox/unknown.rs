//! Business numbers that the configuration does not know: seen while requests are read, told by an alert.
//!
//! In: prepared requests and the channels they came by. Out: which channel, the end of the account id, since when.

use crate::config::Channels;
use crate::store::Prepared;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use wabridge_providers::Item;

/// More ids than anybody forgets to configure; beyond, a forger could fill the memory.
const MOST: usize = 100;
/// An id that was not seen for so long is no news.
const FORGOTTEN: SignedDuration = SignedDuration::from_hours(24);

/// Account ids by channel, with the first and the last receipt that named them.
#[derive(Debug, Default)]
pub struct UnknownNumbers(Mutex<BTreeMap<(String, String), (Timestamp, Timestamp)>>);

impl UnknownNumbers {
    /// Notes the account ids of a request that its channel does not list.
    pub fn note(&self, prepared: &Prepared, channels: &Channels) {
        let (Ok(items), Some(endpoint)) = (&prepared.items, channels.get(&prepared.channel)) else { return };
        let account = &endpoint.account;
        if account.business_number.is_some() {
            return;
        }
        let ids = items.iter().filter_map(|item| match item {
            Item::Event(event) => event.business.account_id.as_deref(),
            Item::Skipped(_) | Item::Quarantined(_) => None,
        });
        for id in ids.filter(|id| !account.business_numbers.contains_key(*id)) {
            self.seen(&prepared.channel, id, prepared.received_at);
        }
    }

    fn seen(&self, channel: &str, id: &str, at: Timestamp) {
        let mut all = self.lock();
        let key = (channel.to_owned(), id.to_owned());
        if let Some((first, last)) = all.get_mut(&key) {
            (*first, *last) = ((*first).min(at), (*last).max(at));
        } else if all.len() < MOST {
            all.insert(key, (at, at));
        }
    }

    /// Those seen lately that the channels still do not list: the channel, the id's last four characters (it may be
    /// a phone number), and since when.
    pub fn lately(&self, channels: &Channels, now: Timestamp) -> Vec<(String, String, Timestamp)> {
        let mut all = self.lock();
        all.retain(|(channel, id), (_, last)| {
            let account = channels.get(channel).map(|endpoint| &endpoint.account);
            let known = |account: &wabridge_providers::Account| {
                account.business_number.is_some() || account.business_numbers.contains_key(id)
            };
            account.is_some_and(|account| !known(account)) && now.duration_since(*last) < FORGOTTEN
        });
        let end = |id: &str| {
            let skipped = id.chars().count().saturating_sub(4);
            format!("…{}", id.chars().skip(skipped).collect::<String>())
        };
        all.iter().map(|((channel, id), (first, _))| (channel.clone(), end(id), *first)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(String, String), (Timestamp, Timestamp)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
