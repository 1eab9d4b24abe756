//! Randomness from a seed that a failing test prints: SplitMix64, which needs no crate.

use std::hash::{BuildHasher, RandomState};

/// A seeded source of numbers. When its test fails, it prints the seed.
pub(crate) struct Random {
    seed: u64,
    state: u64,
}

impl Random {
    /// A source seeded from `WABRIDGE_TEST_SEED`, else by chance.
    pub(crate) fn new() -> Random {
        let given = std::env::var("WABRIDGE_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
        Random::of(given.unwrap_or_else(|| RandomState::new().hash_one(0)))
    }

    /// A source with this seed.
    pub(crate) fn of(seed: u64) -> Random {
        Random { seed, state: seed }
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from `range`.
    pub(crate) fn within(&mut self, range: std::ops::Range<u64>) -> u64 {
        range.start + self.next() % (range.end - range.start)
    }

    pub(crate) fn shuffle<T>(&mut self, list: &mut [T]) {
        for last in (1..list.len()).rev() {
            let other = self.within(0..last as u64 + 1);
            list.swap(last, other as usize);
        }
    }
}

impl Drop for Random {
    fn drop(&mut self) {
        if std::thread::panicking() {
            use std::io::Write;
            let _ = writeln!(std::io::stderr(), "to repeat: WABRIDGE_TEST_SEED={}", self.seed);
        }
    }
}
