//! The courier: carries what is due to CRMs, and says what becomes of it.
//!
//! In: leased jobs. Out: calls, receipts, and for every failure one decision. Read in this order: [`retry`] (the
//! one place that decides what follows from a failure), [`breaker`] (whether a target may be called at all),
//! [`budget`] (what is left of its limits), [`plan`] (what to write), [`courier`] (a step: claim, look up, write, settle), [`watch`] (what the CRM's schema
//! holds up), [`transport`] (the way there).

pub mod breaker;
pub mod budget;
pub mod courier;
pub mod dice;
mod dossier;
mod enrichments;
mod errand;
pub mod login;
pub mod look;
pub mod meter;
mod orders;
pub mod plan;
pub mod retry;
mod rollout;
mod rule;
mod side;
mod summaries;
pub mod transport;
pub mod usage;
pub mod watch;
mod work;
pub mod worker;

use crate::config::{Config, Target};
use budget::Budget;
use std::collections::BTreeSet;
use std::sync::Arc;
use transport::Account;

/// A target as it is written to now: replaced as a whole at a reload.
pub struct Setup {
    /// The target.
    pub target: Target,
    /// The whole configuration.
    pub config: Arc<Config>,
    /// The way there.
    pub account: Arc<dyn Account>,
    /// What is left of the account's limits.
    pub budget: Arc<Budget>,
}

impl Setup {
    /// The CRM's fields that hold what this path of ours gives.
    fn fields_of(&self, path: &str) -> BTreeSet<String> {
        let is_it = |mapping: &&wabridge_crms::mapping::Mapping| {
            mapping.path().is_some_and(|from| from.as_str() == path)
        };
        self.target.fields.iter().filter(is_it).map(|mapping| mapping.field.clone()).collect()
    }
}
