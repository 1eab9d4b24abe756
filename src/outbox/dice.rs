//! Chance, for jitter: drawn from the system in the daemon, from a seed in tests.

/// A small generator (SplitMix64). Nothing secret may come from it.
#[derive(Debug)]
pub struct Dice(u64);

impl Dice {
    /// Throws that repeat.
    #[must_use]
    pub fn seeded(seed: u64) -> Dice {
        Dice(seed)
    }

    /// Throws that do not. Where the system has no randomness, any seed will do for jitter.
    #[must_use]
    pub fn new() -> Dice {
        Dice(getrandom::u64().unwrap_or(u64::from(std::process::id())))
    }

    /// At least 0 and less than 1.
    pub fn throw(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        // 53 bits, which a float holds exactly.
        (mixed >> 11) as f64 / (1_u64 << 53) as f64
    }
}

impl Default for Dice {
    fn default() -> Dice {
        Dice::new()
    }
}
