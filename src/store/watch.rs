//! The store, for who watches over it: how requests come in, and what lies aside.

use super::StoreError;
use jiff::Timestamp;

/// A stored request, without what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The request's id.
    pub id: i64,
    /// The channel it came by.
    pub channel: String,
    /// When it was received.
    pub received_at: Timestamp,
}

/// What lies aside until somebody looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// How much; at least 1.
    pub count: u64,
    /// Since when the oldest of it does.
    pub since: Timestamp,
}

/// An account id that its channel did not list when it was first seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unlisted {
    /// The channel.
    pub channel: String,
    /// The provider's id of a business number.
    pub account_id: String,
    /// The number it stands for since, in E.164.
    pub number: String,
    /// When it was first seen.
    pub since: Timestamp,
}

/// Something wrong that was told, for whichever process tells next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldRow {
    /// What is wrong, by its name.
    pub alert: String,
    /// Whose it is, where there may be several.
    pub subject: String,
    /// When it was told last.
    pub at: Timestamp,
    /// What was told, as JSON.
    pub notice: String,
}

/// Watching over the store.
pub trait Watch: Send + Sync {
    /// Receipts after a request, in the order of their ids.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn receipts(&self, after: i64, limit: usize) -> Result<Vec<Receipt>, StoreError>;

    /// The id of the last request; 0 where there is none.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn last_receipt(&self) -> Result<i64, StoreError>;

    /// What is quarantined, if anything is.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn quarantined(&self) -> Result<Option<Held>, StoreError>;

    /// What is parked, if anything is.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn parked(&self) -> Result<Option<Held>, StoreError>;

    /// How often a provider refused free text in a window that was open by the evidence.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn broken_promises(&self) -> Result<u64, StoreError>;

    /// The account ids that no channel listed when they were first seen.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn unlisted_numbers(&self) -> Result<Vec<Unlisted>, StoreError>;

    /// What is wrong and was told, by any process; nothing where one process alone uses the store.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn told(&self) -> Result<Vec<ToldRow>, StoreError>;

    /// Keeps that something was told.
    ///
    /// # Errors
    /// When the store cannot be written.
    fn keep_told(&self, told: &ToldRow) -> Result<(), StoreError>;

    /// Forgets it: its end was told.
    ///
    /// # Errors
    /// When the store cannot be written.
    fn forget_told(&self, alert: &str, subject: &str) -> Result<(), StoreError>;
}
