//! The control socket: how a command that changes things has the running daemon do it.
//!
//! In: one line of JSON on a unix socket that only the daemon's user may open. Out: one line of JSON. The line
//! names the store that is meant, so that a command never changes another brand's. Where no daemon answers for
//! that store, the command does it itself.
//!
//! To add a command: a variant of [`Ask`], its arm in `server.rs`, and [`ask`] in its file in `cli/`.

mod client;
mod server;

pub use client::{ControlError, ask};
pub use server::{Control, ServeError, Tools};

use crate::inbox::replay::{Replayed, What};
use crate::store::StoreErrorKind;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The longest line; the rest of it is not read.
const LONGEST: u64 = 64 * 1024;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Ask {
    /// Keep a new token. Its secret never travels, only its hash.
    AddToken {
        /// Its name.
        name: String,
        /// What it may do.
        scopes: Vec<String>,
        /// When it was made.
        created_at: Timestamp,
        /// The hash, in hexadecimal.
        hash: String,
    },
    /// Revoke a token.
    RevokeToken {
        /// Its name.
        name: String,
        /// When.
        at: Timestamp,
    },
    /// Fold all lead state anew, in slices.
    Rebuild,
    /// Read requests again.
    Replay {
        /// Which.
        what: What,
        /// Only say what would change.
        dry_run: bool,
    },
    /// Make jobs due now.
    RetryJobs {
        /// Which.
        jobs: Vec<i64>,
        /// When.
        at: Timestamp,
    },
    /// Give jobs up.
    DiscardJobs {
        /// Which.
        jobs: Vec<i64>,
        /// Why.
        reason: String,
        /// When.
        at: Timestamp,
    },
    /// Somebody is sent off to log in to a target, and comes back with this state.
    ExpectLogin {
        /// Which.
        target: String,
        /// What they are recognised by.
        state: String,
    },
    /// Look again at what was written to a target.
    Resync {
        /// Which.
        target: String,
        /// The fields of the CRM.
        fields: Vec<String>,
        /// When.
        at: Timestamp,
    },
    /// Pause a target with a cause, or let it go on.
    PauseTarget {
        /// Which.
        target: String,
        /// Why; `None` lets it go on.
        cause: Option<String>,
    },
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The token is kept.
    TokenAdded,
    /// Whether there was a token to revoke.
    TokenRevoked(bool),
    /// So many events were folded into so many people.
    Rebuilt {
        /// Events.
        events: u64,
        /// People.
        people: u64,
    },
    /// What reading again changed.
    Replayed(Replayed),
    /// So many jobs were changed.
    JobsChanged(usize),
    /// Whoever comes back is let in.
    LoginExpected,
    /// The target is paused, or goes on.
    TargetPaused,
}

/// A line to the daemon.
#[derive(Debug, Serialize, Deserialize)]
struct Request {
    /// The store that is meant.
    store: String,
    #[serde(flatten)]
    ask: Ask,
}

/// A line from the daemon.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Done(Outcome),
    /// The store could not do it.
    Failed(StoreErrorKind),
    /// This daemon has another store.
    OtherStore,
    /// The line is none of this version's.
    Unknown,
}
