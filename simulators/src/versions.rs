//! What a search index knows of a record: it is behind by a while, as those of real CRMs are.

use jiff::{SignedDuration, Timestamp};

/// What was written, by when; oldest first.
#[derive(Debug, Clone)]
pub(crate) struct Versions<V>(Vec<(Timestamp, V)>);

impl<V> Versions<V> {
    pub(crate) fn new() -> Versions<V> {
        Versions(Vec::new())
    }

    /// Leaves a version for the index to find later.
    pub(crate) fn push(&mut self, version: V, now: Timestamp, lag: SignedDuration) {
        // Of what the index knows already, only the newest is asked for again.
        let known = self.0.partition_point(|(at, _)| is_indexed(*at, lag, now));
        self.0.drain(..known.saturating_sub(1));
        self.0.push((now, version));
    }

    /// The newest version that the index knows; `None` where it knows none yet.
    pub(crate) fn known(&self, now: Timestamp, lag: SignedDuration) -> Option<&V> {
        let known = self.0.iter().rev().find(|(at, _)| is_indexed(*at, lag, now));
        known.map(|(_, version)| version)
    }
}

fn is_indexed(written: Timestamp, lag: SignedDuration, now: Timestamp) -> bool {
    now.duration_since(written) >= lag
}
