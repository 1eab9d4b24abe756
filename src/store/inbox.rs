//! The store, for what comes in: requests from their commit to the last of their items.
//!
//! A request waits, then it is claimed, prepared and settled. One with many items is set aside meanwhile and
//! settled a slice at a time, so that it holds up neither acknowledgements nor the requests after it.

use super::{Later, StoreError};
use jiff::Timestamp;
use std::collections::BTreeMap;
use wabridge_model::Phone;
use wabridge_model::evidence::Proof;
use wabridge_providers::{Item, Malformed};

/// A verified request, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// When it was received, to the millisecond.
    pub received_at: Timestamp,
    /// The channel it came by.
    pub channel: String,
    /// How it was proven.
    pub proof: Proof,
    /// Which of the channel's secrets proved it. The secret itself is never stored.
    pub secret_index: u16,
    /// The query of the URL.
    pub query: String,
    /// The headers that prove it, and its content type.
    pub headers: Vec<(String, String)>,
    /// The body, as sent.
    pub body: Vec<u8>,
}

/// A stored request with its place in the order of commits.
#[derive(Debug, Clone)]
pub struct Stored {
    /// The request's id.
    pub id: i64,
    /// The request.
    pub request: Request,
    /// It was in hand at two crashes and must not be tried again.
    pub poison: bool,
}

/// A stored request and what it means, ready to be projected.
#[derive(Debug)]
pub struct Prepared {
    /// The stored request's id.
    pub id: i64,
    /// When it was received.
    pub received_at: Timestamp,
    /// The channel it came by.
    pub channel: String,
    /// That channel's provider.
    pub provider: &'static str,
    /// How it was proven.
    pub proof: Proof,
    /// Its channel only fills the gaps of others.
    pub secondary: bool,
    /// Account ids that no channel names, with the number displayed for each: to be remembered.
    pub resolved: Vec<(String, Phone)>,
    /// Its items, or why it cannot be split into any.
    pub items: Result<Vec<Item>, Malformed>,
}

/// The most items of a request that is settled at once.
const LARGE: usize = 50;

impl Prepared {
    /// Whether it has so many items that it would hold up the requests after it.
    #[must_use]
    pub fn is_large(&self) -> bool {
        self.items.as_ref().is_ok_and(|items| items.len() > LARGE)
    }
}

/// A request that was set aside, to be settled a slice at a time.
#[derive(Debug)]
pub struct Aside {
    /// The request.
    pub prepared: Prepared,
    /// Which of its items are left, next first; `None` until the store has looked.
    pub left: Option<Vec<usize>>,
}

impl From<Prepared> for Aside {
    fn from(prepared: Prepared) -> Aside {
        Aside { prepared, left: None }
    }
}

/// The business numbers that account ids stood for which no channel named, by channel and account id.
pub type AccountNumbers = BTreeMap<(String, String), Phone>;

/// How far projection is behind the acknowledgements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Backlog {
    /// Requests that are stored and not projected.
    pub waiting: u64,
    /// When the oldest of them was received.
    pub oldest: Option<Timestamp>,
    /// When the newest stored request was received.
    pub newest_receipt: Option<Timestamp>,
}

/// The inbox: append is what a 200 stands for.
pub trait Inbox: Send + Sync {
    /// Stores a request. When this resolves to `Ok`, it is committed and flushed.
    fn append(&self, request: Request) -> Later<Result<(), StoreError>>;

    /// The oldest requests that are not settled nor set aside, at most `limit`; fewer where they are large.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn claim(&self, limit: usize) -> Result<Vec<Stored>, StoreError>;

    /// Projects requests in the order given, in slices between acknowledgements. Returns how many were
    /// settled; those that fail alone are quarantined and count as settled, and so do those that are set
    /// aside because they have many items.
    ///
    /// # Errors
    /// When the store cannot be written; nothing is lost, the requests stay unsettled.
    fn settle(&self, prepared: Vec<Prepared>) -> Result<usize, StoreError>;

    /// The next of the requests that are set aside: they have many items, or were in hand at a crash.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn claim_aside(&self) -> Result<Option<Stored>, StoreError>;

    /// Projects one slice of a request that was set aside. Returns what is left of it, if anything; it counts
    /// as waiting until all of it is projected.
    ///
    /// # Errors
    /// When the store cannot be written; nothing is lost, the rest of the request is claimed again.
    fn settle_aside(&self, aside: Aside) -> Result<Option<Aside>, StoreError>;

    /// Marks a request as in hand, so that one that brings the process down twice is found.
    fn in_hand(&self, request: Option<i64>);

    /// Makes an empty commit, to see that the store takes writes.
    ///
    /// # Errors
    /// When it does not.
    fn probe(&self) -> Result<(), StoreError>;

    /// How far projection is behind.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn backlog(&self) -> Result<Backlog, StoreError>;
}
