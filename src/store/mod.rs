//! What is kept, by use. One folder per database implements these traits; nothing else speaks SQL.
//!
//! In: verified requests, what they turned out to mean. Out: a durable record, and leads to read.

pub mod again;
pub mod error;
mod hand;
pub mod inbox;
pub mod journal;
pub mod login;
pub mod mending;
pub mod migrate;
mod open;
pub mod outbox;
pub mod postgres;
pub mod replay;
pub mod signal;
mod sql;
pub mod sqlite;
pub mod turn;
pub mod watch;

pub use error::{StoreError, StoreErrorKind};
pub use inbox::{AccountNumbers, Aside, Backlog, Inbox, Prepared, Request, Stored};
pub use journal::Journal;
pub use open::{Signals, open, open_to_read, prepare, server_version, verify};
pub use outbox::Outbox;
pub use turn::Turn;
pub use watch::{Held, Receipt, ToldRow, Unlisted, Watch};

use login::Logins;
use mending::Mending;
use replay::Replays;

use crate::leads::rollup::Model;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use std::collections::BTreeMap;
use std::pin::Pin;
use wabridge_model::cluster::{Alias, Cluster};
use wabridge_model::evidence::{Evidence, Position};
use wabridge_model::id::{EventId, Identity, LeadId};

/// A boxed future, for traits used as objects.
pub type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Reading leads.
pub trait Leads: Send + Sync {
    /// The clusters with this name among those that decide (phone, BSUID, parent BSUID) in any scope,
    /// or among usernames and e-mail addresses.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn clusters_named(&self, identity: &Identity) -> Result<Vec<i64>, StoreError>;

    /// The cluster of a lead id, and the name and tenure that it was drawn for.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn cluster_of(&self, id: LeadId) -> Result<Option<(i64, Identity, u32)>, StoreError>;

    /// A cluster's folded state, and the ids drawn for its names.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn cluster(&self, cluster: i64) -> Result<Option<(Cluster, LeadIds)>, StoreError>;

    /// All evidence of a cluster.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn evidence(&self, cluster: i64) -> Result<Vec<Evidence>, StoreError>;

    /// The clusters, down from `from`, in which every one of these words begins a word of a name.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn clusters_called(&self, words: &[String], from: i64, limit: usize) -> Result<Vec<i64>, StoreError>;

    /// Touches from `since` until before `until`, after the cursor, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn touches(&self, range: TouchRange, limit: usize) -> Result<Vec<TouchRow>, StoreError>;

    /// The ids of clusters after `after`, in order: for the demo and for comparing whole stores.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn cluster_ids(&self, after: i64, limit: usize) -> Result<Vec<i64>, StoreError>;
}

/// The ids drawn for the names of a cluster.
pub type LeadIds = BTreeMap<(Identity, u32), LeadId>;

/// Which touches to list.
#[derive(Debug, Clone, Copy, Default)]
pub struct TouchRange {
    /// From this instant.
    pub since: Option<Timestamp>,
    /// Until before this instant.
    pub until: Option<Timestamp>,
    /// After this touch.
    pub after: Option<(Timestamp, EventId)>,
}

/// A touch with the lead it belongs to.
#[derive(Debug, Clone)]
pub struct TouchRow {
    /// The lead.
    pub lead_id: LeadId,
    /// The lead's phone now.
    pub phone: Option<String>,
    /// The touch.
    pub touch: wabridge_model::attribution::Touch,
}

/// What the counts of attribution are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question {
    /// Grouped by what.
    pub by: By,
    /// Which touch of a lead is credited.
    pub model: Model,
    /// Which day an outcome is counted on.
    pub date: DateOf,
    /// From this day on.
    pub since: Option<Date>,
    /// Until before this day.
    pub until: Option<Date>,
}

/// What counts are grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// The ad.
    #[default]
    Ad,
    /// The campaign.
    Campaign,
    /// The day.
    Day,
    /// The provider.
    Provider,
    /// How much is known, and why not more.
    State,
}

impl By {
    /// Every grouping.
    pub const ALL: [By; 5] = [By::Ad, By::Campaign, By::Day, By::Provider, By::State];

    /// The name in parameters and answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            By::Ad => "ad",
            By::Campaign => "campaign",
            By::Day => "day",
            By::Provider => "provider",
            By::State => "state",
        }
    }
}

/// Which day an outcome is counted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DateOf {
    /// The day of the touch it is credited to.
    #[default]
    Touch,
    /// The day it came about.
    Outcome,
}

impl DateOf {
    /// Both.
    pub const ALL: [DateOf; 2] = [DateOf::Touch, DateOf::Outcome];

    /// The name in parameters.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            DateOf::Touch => "touch",
            DateOf::Outcome => "outcome",
        }
    }
}

/// A row of counts; what they are not grouped by is `None`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "the columns of the contract, described where they are answered")]
pub struct Rolled {
    pub date_local: Option<String>,
    pub ad_id: Option<String>,
    pub provider: Option<String>,
    pub state: Option<String>,
    pub cause: Option<String>,
    pub conversations: i64,
    pub leads: i64,
    pub click_id_present: i64,
    pub answered_5m: i64,
    pub answered_unknown: i64,
    pub free_entry_opened: i64,
    pub qualified: i64,
}

/// The counts of attribution.
pub trait Rollups: Send + Sync {
    /// Says in which time zone a day begins and ends. Where it was another, all is counted anew.
    ///
    /// # Errors
    /// When the store cannot be written.
    fn count_days_in(&self, zone: &TimeZone) -> Result<(), StoreError>;

    /// Counts some of what is not counted yet, between acknowledgements. Says whether that was all.
    ///
    /// # Errors
    /// When the store cannot be written.
    fn count_on(&self) -> Result<bool, StoreError>;

    /// The counts; what nothing is known of is one row for each cause, after all others.
    ///
    /// # Errors
    /// [`StoreErrorKind::Counting`] until all is counted in this time zone, or when the store cannot be read.
    fn attribution(&self, question: &Question, zone: &TimeZone) -> Result<Vec<Rolled>, StoreError>;
}

/// The books, which must balance.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct Books {
    /// Requests by state: `stored`, `waiting`, `projected`, `quarantined`.
    pub requests: BTreeMap<String, u64>,
    /// Items by result and reason; `seen` counts them all.
    pub items: BTreeMap<String, u64>,
    /// Revisions of jobs by what became of them: `pending`, `leased`, `doubt`, `held`, `dead`, `done`, `discarded`,
    /// `suppressed.<reason>`; `wanted` counts them all.
    pub jobs: BTreeMap<String, u64>,
}

impl Books {
    /// Whether stored = waiting + projected + quarantined, and seen and wanted = the sum of all results.
    #[must_use]
    pub fn balance(&self) -> bool {
        let of = |map: &BTreeMap<String, u64>, name: &str| map.get(name).copied().unwrap_or(0);
        let states: u64 =
            ["waiting", "projected", "quarantined"].iter().map(|name| of(&self.requests, name)).sum();
        let all_but = |map: &BTreeMap<String, u64>, all: &str| -> u64 {
            map.iter().filter(|(name, _)| *name != all).map(|(_, count)| count).sum()
        };
        of(&self.requests, "stored") == states
            && of(&self.items, "seen") == all_but(&self.items, "seen")
            && of(&self.jobs, "wanted") == all_but(&self.jobs, "wanted")
    }

    /// Whether every job is written, or needs no writing.
    #[must_use]
    pub fn is_delivered(&self) -> bool {
        let open = ["pending", "leased", "doubt", "held", "dead"];
        open.iter().all(|state| self.jobs.get(*state).copied().unwrap_or(0) == 0)
    }
}

/// Counting.
pub trait Ledger: Send + Sync {
    /// The books, read in one snapshot.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn books(&self) -> Result<Books, StoreError>;

    /// Adds some of what changed of counts to their sums, where changes are kept beside them: the more there are, the
    /// longer reading takes. How many changes; 0 where there is none, or another process is at it.
    ///
    /// # Errors
    /// When the store cannot be written.
    fn fold(&self) -> Result<usize, StoreError>;
}

/// An API token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRow {
    /// Its name.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// API tokens.
pub trait Tokens: Send + Sync {
    /// Keeps a new token's hash.
    ///
    /// # Errors
    /// When the name is taken, or the store cannot be written.
    fn add_token(&self, token: &TokenRow, hash: [u8; 32]) -> Result<(), StoreError>;

    /// All tokens by name.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn tokens(&self) -> Result<Vec<TokenRow>, StoreError>;

    /// Revokes a token. Says whether there was one to revoke.
    ///
    /// # Errors
    /// When the store cannot be written.
    fn revoke_token(&self, name: &str, at: Timestamp) -> Result<bool, StoreError>;

    /// The unrevoked token with this hash.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn token(&self, hash: [u8; 32]) -> Result<Option<TokenRow>, StoreError>;
}

/// Everything a store does.
pub trait Store:
    Inbox + Leads + Ledger + Logins + Rollups + Tokens + Journal + Mending + Outbox + Replays + Watch
{
}

impl<T> Store for T where
    T: Inbox + Leads + Ledger + Logins + Rollups + Tokens + Journal + Mending + Outbox + Replays + Watch
{
}

/// An event's row.
#[derive(Debug)]
pub struct EventRow {
    /// The row.
    pub id: i64,
    /// Its cluster, if it names anyone.
    pub cluster: Option<i64>,
    /// What was reported.
    pub evidence: Evidence,
}

/// What a piece of evidence made of a cluster.
#[derive(Debug, Clone, Copy)]
pub struct Change<'a> {
    /// The evidence.
    pub evidence: &'a Evidence,
    /// The cluster as it was; where clusters became one, the oldest of them.
    pub before: &'a Cluster,
    /// The cluster as it is.
    pub after: &'a Cluster,
    /// Whose evidence it is, as an index into the leads that are.
    pub owner: Option<usize>,
}

/// What projection reads and writes, within one transaction.
pub trait Rows {
    /// The row of an event.
    ///
    /// # Errors
    /// When the store cannot be read. So for all that follow, reading or writing.
    fn event(&mut self, id: EventId) -> Result<Option<EventRow>, StoreError>;
    /// Adds an event to its cluster, if it names anyone; returns its row.
    ///
    /// # Errors
    /// As above.
    fn add_event(&mut self, evidence: &Evidence, cluster: Option<i64>) -> Result<i64, StoreError>;
    /// Replaces what was reported of an event.
    ///
    /// # Errors
    /// As above.
    fn set_evidence(&mut self, event: i64, evidence: &Evidence) -> Result<(), StoreError>;
    /// Says to which cluster an event belongs.
    ///
    /// # Errors
    /// As above.
    fn set_cluster(&mut self, event: i64, cluster: i64) -> Result<(), StoreError>;
    /// All events of a cluster.
    ///
    /// # Errors
    /// As above.
    fn events_of(&mut self, cluster: i64) -> Result<Vec<EventRow>, StoreError>;

    /// The cluster of a name that decides.
    ///
    /// # Errors
    /// As above.
    fn name(&mut self, identity: &Identity) -> Result<Option<i64>, StoreError>;
    /// Records the cluster of a name.
    ///
    /// # Errors
    /// As above.
    fn set_name(&mut self, identity: &Identity, cluster: i64) -> Result<(), StoreError>;
    /// The cluster of an alias, and the evidence that claimed it.
    ///
    /// # Errors
    /// As above.
    fn alias(&mut self, alias: &Alias) -> Result<Option<(i64, Option<Position>)>, StoreError>;
    /// Records the cluster of an alias and the evidence that claims it.
    ///
    /// # Errors
    /// As above.
    fn set_alias(&mut self, alias: &Alias, cluster: i64, claim: Option<&Position>) -> Result<(), StoreError>;

    /// Makes an empty cluster.
    ///
    /// # Errors
    /// As above.
    fn add_cluster(&mut self) -> Result<i64, StoreError>;
    /// A cluster's folded state.
    ///
    /// # Errors
    /// As above.
    fn state(&mut self, cluster: i64) -> Result<Cluster, StoreError>;
    /// Saves a cluster; `before` tells what need not be written again.
    ///
    /// # Errors
    /// As above.
    fn save(&mut self, cluster: i64, before: &Cluster, after: &Cluster) -> Result<(), StoreError>;
    /// Moves everything of one cluster into another and removes it.
    ///
    /// # Errors
    /// As above.
    fn absorb(&mut self, gone: i64, into: i64) -> Result<(), StoreError>;
    /// Hears what a piece of evidence changed. Nobody need listen.
    ///
    /// # Errors
    /// As above.
    fn changed(&mut self, change: &Change<'_>) -> Result<(), StoreError>;
    /// Marks the items of an event as applied that were skipped for want of a person; how many.
    ///
    /// # Errors
    /// As above.
    fn found_person(&mut self, event: i64) -> Result<u64, StoreError>;
}
