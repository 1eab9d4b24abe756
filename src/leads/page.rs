//! Pages of a list: how many at once, and where the next one begins.
//!
//! In: what a caller asks. Out: [`Paging`], and a cursor that says nothing to anybody else: base64url of the
//! instant and the event's id, in which no phone number is hidden.

use data_encoding::BASE64URL_NOPAD;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;
use wabridge_model::id::EventId;

/// Items of a page where the caller does not say.
pub const DEFAULT_LIMIT: usize = 50;
/// The most items of a page.
pub const MAX_LIMIT: usize = 500;

/// Which page of a list.
#[derive(Debug, Clone, Copy)]
pub struct Paging {
    /// At most this many items.
    pub limit: usize,
    /// After this item.
    pub after: Option<Cursor>,
}

impl Default for Paging {
    fn default() -> Paging {
        Paging { limit: DEFAULT_LIMIT, after: None }
    }
}

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// The items, in the order of the list.
    pub items: Vec<T>,
    /// Where the next page begins; null on the last one.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// Cuts a page from items of which one more than its limit was read, where there are so many.
    #[must_use]
    pub fn cut(mut items: Vec<T>, limit: usize, cursor: impl FnOnce(&T) -> Cursor) -> Page<T> {
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(|last| cursor(last).encode());
        Page { items, next }
    }

    /// The same page of other items.
    #[must_use]
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(change).collect(), next: self.next }
    }
}

/// A place in a list that is sorted by time, then event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// The item's time.
    pub at: Timestamp,
    /// The item's event.
    pub event: EventId,
    /// Which of the event's items.
    pub part: u8,
}

impl Cursor {
    /// The cursor as a caller carries it.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut bytes = self.at.as_nanosecond().to_be_bytes().to_vec();
        bytes.extend(self.event.0.as_bytes());
        bytes.push(self.part);
        BASE64URL_NOPAD.encode(&bytes)
    }

    /// Reads a cursor; `None` for anything we did not write.
    #[must_use]
    pub fn decode(text: &str) -> Option<Cursor> {
        let bytes: [u8; 33] = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?.try_into().ok()?;
        let (at, rest) = bytes.split_first_chunk::<16>()?;
        let (event, part) = rest.split_first_chunk::<16>()?;
        let at = Timestamp::from_nanosecond(i128::from_be_bytes(*at)).ok()?;
        Some(Cursor { at, event: EventId(Uuid::from_bytes(*event)), part: part[0] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wabridge_model::id::EventKey;

    #[test]
    fn a_cursor_comes_back_as_it_left_and_nothing_else_is_one() {
        let at = "2026-11-22T08:35:12.123456789Z".parse().unwrap();
        let cursor = Cursor { at, event: EventKey::new("t", &["1"]).event_id(), part: 1 };
        assert_eq!(Cursor::decode(&cursor.encode()), Some(cursor));
        for text in ["", "a", "next", &cursor.encode()[1..], &format!("{}AA", cursor.encode())] {
            assert_eq!(Cursor::decode(text), None, "{text}");
        }
    }
}
