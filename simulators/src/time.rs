//! The accounts' time zone, and counts over the last while.

use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};
use std::collections::VecDeque;

/// +05:30, of every simulated account.
const OFFSET_SECONDS: i32 = 19_800;

/// The zone of every simulated account.
pub(crate) fn zone() -> TimeZone {
    TimeZone::fixed(Offset::from_seconds(OFFSET_SECONDS).unwrap_or(Offset::UTC))
}

/// Drops the times that are a span old or older.
pub(crate) fn forget(times: &mut VecDeque<Timestamp>, span: SignedDuration, now: Timestamp) {
    while times.front().is_some_and(|at| now.duration_since(*at) >= span) {
        times.pop_front();
    }
}
