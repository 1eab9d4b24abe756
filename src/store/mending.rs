//! The store, for who mends it while it runs.

use super::StoreError;

/// What a rebuild went through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rebuilt {
    /// Events folded.
    pub events: u64,
    /// People found, leads or not.
    pub people: u64,
}

/// Mending while requests are acknowledged and leads are read.
pub trait Mending: Send + Sync {
    /// What a rebuild would go through; changes nothing.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn extent(&self) -> Result<Rebuilt, StoreError>;

    /// Folds all lead state anew, in slices between acknowledgements, for as long as `go_on` says so. At every
    /// moment each person is there as before or as folded anew.
    ///
    /// # Errors
    /// When the store cannot be read or written, or it may not go on: what was folded stays, and to begin again
    /// does no harm.
    fn rebuild(&self, go_on: &dyn Fn() -> bool) -> Result<Rebuilt, StoreError>;
}
