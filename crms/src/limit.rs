//! What a CRM allows an account, as data: how much of what, within which time, and what a call takes of it.
//!
//! In: calls and answers. Out: what they count, and what an answer says is left. Who counts, and who is kept from
//! going over, is the outbox's affair: an adapter only says how. Limits are counted over sliding windows, also where
//! the CRM begins anew at midnight of some time zone: whoever never uses more within any day does not within that one.

use crate::transport::{Answer, Call};
use std::time::Duration;

/// From here on a window is long: what was used of it must outlast a restart, and what is left is a budget.
const LONG: Duration = Duration::from_secs(3600);

/// A day.
pub const DAY: Duration = Duration::from_secs(24 * 3600);

/// One limit.
#[derive(Debug)]
pub struct Limit {
    /// The name in configuration, metrics and stored rows.
    pub name: &'static str,
    /// What is counted, in the plural.
    pub unit: &'static str,
    /// What the smallest account has that is worth connecting.
    pub size: u64,
    /// Within any time of this length.
    pub window: Duration,
    /// What a call takes of it; 0 where it does not count.
    pub cost: fn(&Call) -> u64,
    /// What an answer says of it.
    pub told: fn(&Answer) -> Option<Told>,
    /// Whether it holds for tokens alone, and not for who logs in.
    pub of_tokens: bool,
    /// What a new lead and their conversation take of it, alone.
    pub new_lead: u64,
    /// What a further conversation takes of it, alone.
    pub conversation: u64,
}

impl Limit {
    /// Whether it is a budget of hours, rather than a pace of seconds.
    #[must_use]
    pub fn is_long(&self) -> bool {
        self.window >= LONG
    }
}

/// What an answer says of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// So much is left.
    pub left: u64,
    /// Of so much, if it says so.
    pub of: Option<u64>,
}

/// Nothing: for limits of which no answer says anything.
#[must_use]
pub fn untold(_: &Answer) -> Option<Told> {
    None
}

/// The number in a header.
pub(crate) fn number(answer: &Answer, header: &str) -> Option<u64> {
    answer.header(header)?.trim().parse().ok()
}
