//! The store, for what is read a second time: parked requests, and stored ones that today's code or
//! configuration may understand better.

use super::{AccountNumbers, Prepared, Request, StoreError, Stored};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// How long a request stays parked.
pub const PARKED_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);
/// The most bytes of bodies that stay parked together.
pub const MOST_PARKED_BYTES: i64 = 64 * 1024 * 1024;

/// A request with the right path token and a wrong signature, as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parked {
    /// When it was received.
    pub received_at: Timestamp,
    /// The channel it came by.
    pub channel: String,
    /// The query of the URL.
    pub query: String,
    /// The headers that should prove it, and its content type.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// Which stored requests to read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Selection {
    /// Those with something quarantined.
    Quarantined,
    /// Those received at this instant or later.
    Since(Timestamp),
    /// Those that said something of the people of this cluster.
    Cluster(i64),
}

/// What a replay changed, or would change.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// Requests read again.
    pub requests: u64,
    /// Items by what they were and are: `quarantined to applied`. An item that was not there before was
    /// `new`, one of a request that still cannot be split `unread`.
    pub items: BTreeMap<String, u64>,
    /// The clusters whose people changed.
    pub clusters: BTreeSet<i64>,
    /// Of a dry run, the clusters that would be new; one that two slices would add to counts twice.
    pub newcomers: u64,
}

impl Changes {
    /// Adds what another slice changed.
    pub fn add(&mut self, other: Changes) {
        self.requests += other.requests;
        self.clusters.extend(other.clusters);
        self.newcomers += other.newcomers;
        for (change, count) in other.items {
            *self.items.entry(change).or_default() += count;
        }
    }
}

/// Reading again.
pub trait Replays: Send + Sync {
    /// What account ids stood for that no channel named.
    ///
    /// # Errors
    /// When the store cannot be read. So for all that follow, reading or writing.
    fn account_numbers(&self) -> Result<AccountNumbers, StoreError>;

    /// Parks a request, unless too much is parked already; says whether it did. It is then committed and
    /// flushed.
    ///
    /// # Errors
    /// As above.
    fn park(&self, parked: Parked) -> Result<bool, StoreError>;

    /// Parked requests after a row, oldest first.
    ///
    /// # Errors
    /// As above.
    fn parked_after(&self, after: i64, limit: usize) -> Result<Vec<(i64, Parked)>, StoreError>;

    /// Makes stored requests of parked ones that are proven.
    ///
    /// # Errors
    /// As above.
    fn unpark(&self, proven: Vec<(i64, Request)>) -> Result<(), StoreError>;

    /// Settled requests after one, oldest first, at most `limit`; fewer where they are large.
    ///
    /// # Errors
    /// As above.
    fn settled_after(
        &self,
        selection: Selection,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Stored>, StoreError>;

    /// Settles requests again, in slices between acknowledgements: what they say now takes the place of what
    /// they said. Says what changed; with `dry_run`, what would, and changes nothing.
    ///
    /// # Errors
    /// As above.
    fn settle_again(&self, prepared: Vec<Prepared>, dry_run: bool) -> Result<Changes, StoreError>;
}
