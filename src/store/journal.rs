//! The store as a journal: what came in, request by request, and what became of each item.

use super::{EventRow, StoreError};
use jiff::Timestamp;
use wabridge_model::evidence::{Evidence, Proof};
use wabridge_model::id::{EventId, TraceId};

/// A stored request, and what became of it so far.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The request.
    pub id: i64,
    /// When it was received.
    pub received_at: Timestamp,
    /// The channel it came by.
    pub channel: String,
    /// How it was proven.
    pub proof: Proof,
    /// The length of its body.
    pub bytes: u64,
    /// Whether it is projected or quarantined; until then it has no items.
    pub settled: bool,
    /// What became of it, item by item.
    pub items: Vec<EntryItem>,
}

/// What became of one item of a request.
#[derive(Debug, Clone)]
pub struct EntryItem {
    /// Which one, counted from 0; -1 is the request as a whole, or what was left of it.
    pub ordinal: i64,
    /// `applied`, `duplicate`, `skipped` or `quarantined`.
    pub result: String,
    /// Why, where it was not applied.
    pub reason: Option<String>,
    /// Where in the body the fault is, of a quarantined one.
    pub path: Option<String>,
    /// The event it reports, with all that was reported of it.
    pub evidence: Option<Evidence>,
}

/// One delivery of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The event's row.
    pub event: i64,
    /// The request that carried it.
    pub request: i64,
    /// Which item of it.
    pub ordinal: i64,
    /// When the request was received.
    pub received_at: Timestamp,
    /// The channel it came by.
    pub channel: String,
    /// How it was proven.
    pub proof: Proof,
    /// `applied`, `duplicate` or `skipped`.
    pub result: String,
    /// Why it was skipped.
    pub reason: Option<String>,
}

/// Reading the journal.
pub trait Journal: Send + Sync {
    /// The newest request's id; 0 where there is none.
    ///
    /// # Errors
    /// When the store cannot be read. So for all that follow.
    fn newest_request(&self) -> Result<i64, StoreError>;
    /// The requests after one, oldest first.
    ///
    /// # Errors
    /// As above.
    fn entries_after(&self, after: i64, limit: usize) -> Result<Vec<Entry>, StoreError>;
    /// One request.
    ///
    /// # Errors
    /// As above.
    fn entry(&self, id: i64) -> Result<Option<Entry>, StoreError>;
    /// The body of a request.
    ///
    /// # Errors
    /// As above.
    fn body(&self, id: i64) -> Result<Option<Vec<u8>>, StoreError>;
    /// The event with this id.
    ///
    /// # Errors
    /// As above.
    fn event(&self, id: EventId) -> Result<Option<EventRow>, StoreError>;
    /// The event with this trace id. Reads all events.
    ///
    /// # Errors
    /// As above.
    fn event_traced(&self, id: &str) -> Result<Option<EventRow>, StoreError>;
    /// Events in which a text stands as a value of its own: a message id, a click id. Reads all events.
    ///
    /// # Errors
    /// As above.
    fn events_with(&self, text: &str, limit: usize) -> Result<Vec<EventRow>, StoreError>;
    /// Requests that wait or are quarantined, and have a text in their bodies.
    ///
    /// # Errors
    /// As above.
    fn unread_with(&self, text: &str, limit: usize) -> Result<Vec<i64>, StoreError>;
    /// Parked requests with a text in their bodies: when they were received, and the channel.
    ///
    /// # Errors
    /// As above.
    fn parked_with(&self, text: &str, limit: usize) -> Result<Vec<(Timestamp, String)>, StoreError>;
    /// The newest parked request of a channel; 0 where there is none.
    ///
    /// # Errors
    /// As above.
    fn newest_parked(&self, channel: &str) -> Result<i64, StoreError>;
    /// The rows of a cluster's events.
    ///
    /// # Errors
    /// As above.
    fn events_of(&self, cluster: i64) -> Result<Vec<EventRow>, StoreError>;
    /// Every delivery of an event. Reads all items.
    ///
    /// # Errors
    /// As above.
    fn deliveries(&self, event: i64) -> Result<Vec<Delivery>, StoreError>;
    /// Every delivery of a cluster's events, in the order of the requests. Reads all items.
    ///
    /// # Errors
    /// As above.
    fn deliveries_of(&self, cluster: i64) -> Result<Vec<Delivery>, StoreError>;
    /// How many items a request has.
    ///
    /// # Errors
    /// As above.
    fn items_of(&self, request: i64) -> Result<u64, StoreError>;
}

/// Whether an event's trace id is this one.
#[must_use]
pub fn is_traced(trace: TraceId, id: &str) -> bool {
    trace.to_string() == id
}
