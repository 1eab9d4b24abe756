//! What processes that share a store tell each other: that there is something to look at, never what it is.
//!
//! Nothing depends on being told: whoever misses it looks by itself a few seconds later.

/// What there is to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Signal {
    /// Requests wait, more than those who have some in hand can do at once.
    Requests,
    /// Jobs were asked for or changed, or a target may go on.
    Jobs,
}

impl Signal {
    /// Every signal.
    pub const ALL: [Signal; 2] = [Signal::Requests, Signal::Jobs];

    /// The name by which it travels.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Signal::Requests => "requests",
            Signal::Jobs => "jobs",
        }
    }
}

/// Who hears of it. Called on the thread that does the work of the sockets: it wakes somebody, and does no work itself.
pub type Heard = std::sync::Arc<dyn Fn(Signal) + Send + Sync>;
