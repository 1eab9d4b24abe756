//! The store, for processes that share it: which of them does what one alone may do.

use std::time::Duration;

/// Whose turn something is, where several processes share a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Nobody else uses the store.
    Alone,
    /// This process's, for as long as it asked for unless it asks again; `anew` where it was somebody else's before, or
    /// nobody's.
    Ours {
        /// Whether what is remembered of it is to be read again.
        anew: bool,
    },
    /// Another process's.
    Theirs,
}

/// How long a turn lasts that is not asked for again, where whoever has it asks every few seconds.
pub const TURN: Duration = Duration::from_secs(30);

/// The turn of telling what is wrong with the store. No account is called so: theirs begin with a CRM's name.
pub const ALERTS: &str = "wabridge: alerts";
