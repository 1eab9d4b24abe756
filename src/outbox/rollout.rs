//! A soft launch: of every hundred leads so many are written to a target, the others wait.
//!
//! In: a target, a lead. Out: whether it is in. A lead's place among the hundred is a hash of its id, which stays, and of
//! the target's name: a greater share only adds leads, and another target's share is of other ones. Who has a record
//! there stays in, whatever the share becomes.

use crate::config::Target;
use crate::store::outbox::{Job, JobFilter, JobState, Leased, ROLLOUT};
use crate::store::{Store, StoreError};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use wabridge_model::id::LeadId;

/// Jobs that are looked at together.
const PAGE: usize = 500;

/// Whether a leased lead may be written.
pub(super) fn admits(target: &Target, leased: &Leased) -> bool {
    let is_there = leased.record.is_some() || leased.jobs.iter().any(|job| job.record.is_some());
    is_there || is_in(target, leased.lead)
}

/// Lets go what is held and in by now. How many jobs.
pub(super) fn release(store: &dyn Store, target: &Target, now: Timestamp) -> Result<usize, StoreError> {
    let_go(store, target, ROLLOUT, now, |job| is_in(target, job.lead))
}

/// Lets go those jobs that a target holds for this cause and that may go, page by page. How many.
pub(super) fn let_go(
    store: &dyn Store,
    target: &Target,
    cause: &str,
    now: Timestamp,
    may_go: impl Fn(&Job) -> bool,
) -> Result<usize, StoreError> {
    let filter = JobFilter {
        state: Some(JobState::Held),
        target: Some(target.name.clone()),
        cause: Some(cause.to_owned()),
        ..JobFilter::default()
    };
    let (mut after, mut released) = (0, 0);
    loop {
        let held = store.jobs(&filter, after, PAGE)?;
        let Some(last) = held.last() else { return Ok(released) };
        after = last.id;
        let free: Vec<i64> = held.iter().filter(|job| may_go(job)).map(|job| job.id).collect();
        released += store.let_go(&free, now)?;
    }
}

fn is_in(target: &Target, lead: LeadId) -> bool {
    place(&target.name, lead) < target.rollout_percent
}

/// A lead's place among a hundred.
fn place(target: &str, lead: LeadId) -> u32 {
    let mut hash = Sha256::new();
    for part in [b"rollout\0".as_slice(), target.as_bytes(), b"\0", lead.0.as_bytes()] {
        hash.update(part);
    }
    let hash = hash.finalize();
    u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]) % 100
}
