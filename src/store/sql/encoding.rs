//! How values travel into columns and back.

use crate::store::sql::connection::{Connection, Row, all, values};
use crate::store::{EventRow, StoreError, StoreErrorKind};
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;
use wabridge_model::id::LeadId;

/// Milliseconds since 1970.
pub(in crate::store) fn millis(at: Timestamp) -> i64 {
    at.as_millisecond()
}

/// The instant of a stored number of milliseconds; one outside of jiff's range reads as 1970.
pub(super) fn instant(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap_or_default()
}

pub(in crate::store) fn blob_of(id: Uuid) -> [u8; 16] {
    id.into_bytes()
}

pub(super) fn uuid_of(bytes: [u8; 16]) -> Uuid {
    Uuid::from_bytes(bytes)
}

/// A new lead id. The shared counter keeps ids of one millisecond in the order they were drawn.
pub(super) fn draw_lead_id(now: Timestamp) -> LeadId {
    use std::sync::Mutex;
    static CONTEXT: Mutex<uuid::ContextV7> = Mutex::new(uuid::ContextV7::new());
    let context = CONTEXT.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let millis = now.as_millisecond().unsigned_abs();
    let nanos = u32::try_from(millis % 1000).unwrap_or(0) * 1_000_000;
    LeadId(Uuid::new_v7(uuid::Timestamp::from_unix(&*context, millis / 1000, nanos)))
}

pub(in crate::store) fn to_json<T: Serialize>(value: &T) -> Result<String, StoreError> {
    // Room for a message or a lead: it would else grow, and be copied, five times.
    let mut json = Vec::with_capacity(4096);
    let failed = |error| StoreError::with(StoreErrorKind::Other, "write JSON", error);
    serde_json::to_writer(&mut json, value).map_err(failed)?;
    Ok(String::from_utf8(json).expect("JSON is written in UTF-8"))
}

pub(super) fn from_json<T: DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    // The source is dropped: it quotes the value, which may be personal.
    serde_json::from_str(text).map_err(|_| StoreError::new(StoreErrorKind::Corrupt, "read stored JSON"))
}

/// Reads the columns `id, cluster, evidence` of `events`.
pub(super) fn event_row(row: &Row<'_>) -> Result<EventRow, StoreError> {
    Ok(EventRow { id: row.get(0)?, cluster: row.get(1)?, evidence: from_json(&row.get::<String>(2)?)? })
}

pub(super) fn events_of(connection: &dyn Connection, cluster: i64) -> Result<Vec<EventRow>, StoreError> {
    const FIND: &str = "SELECT id, cluster, evidence FROM events WHERE cluster = ? ORDER BY id";
    all(connection, "read a cluster's events", FIND, values![cluster], event_row)
}

/// The identity kind of a stored name.
pub(super) fn kind_of(text: &str) -> Option<wabridge_model::id::IdentityKind> {
    use wabridge_model::id::IdentityKind as K;
    [K::Phone, K::Bsuid, K::ParentBsuid, K::Username, K::Email].into_iter().find(|kind| kind.as_str() == text)
}
