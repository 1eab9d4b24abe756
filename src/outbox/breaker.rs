//! Whether a target may be called, and how much at a time.
//!
//! In: what came of each call, and the time since start. Out: not before some time, one probe, or so many
//! bundles. It opens when half of at least 20 calls within 30 s failed, or five in a row; then one bundle at a
//! time probes, after 30 s at first and 5 min at most. What waited meanwhile is caught up one step a second, each
//! twice as large as the one before, so that a CRM that just came back is not thrown down again. Pure.

use std::collections::VecDeque;
use std::time::Duration;

/// Calls are judged over this time.
const WITHIN: Duration = Duration::from_secs(30);
/// Fewer calls than this are not judged.
const ENOUGH: usize = 20;
/// So many failures in a row are an outage.
const IN_A_ROW: u32 = 5;
/// The first probe is made after this time.
const COOL: Duration = Duration::from_secs(30);
/// Probes are never further apart.
const COOL_LONGEST: Duration = Duration::from_secs(5 * 60);
/// Between steps while catching up.
const PACE: Duration = Duration::from_secs(1);
/// From here on a step is as large as it will be.
const FULL: usize = 128;

/// The state, for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// All is well.
    Closed,
    /// One probe at a time.
    Probing,
    /// Nothing is called.
    Open,
}

/// How much may be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admit {
    /// Nothing before this time since start.
    NotBefore(Duration),
    /// One bundle, to see.
    Probe,
    /// So many bundles.
    UpTo(usize),
}

/// The breaker of one target.
#[derive(Debug, Default)]
pub struct Breaker {
    /// When each call ended, and whether it failed.
    calls: VecDeque<(Duration, bool)>,
    /// Failures in a row, and since when.
    row: Option<(u32, Duration)>,
    /// Throttled in a row.
    throttled: u32,
    /// Until when nothing is called, and how long the next time.
    open: Option<(Duration, Duration)>,
    /// Nothing is called before that: the CRM asked for it.
    floor: Duration,
    /// While catching up: how many bundles the next step has, and not before when.
    ramp: Option<(usize, Duration)>,
}

impl Breaker {
    /// How much may be done now.
    #[must_use]
    pub fn admit(&self, now: Duration) -> Admit {
        let open = self.open.map_or(Duration::ZERO, |(until, _)| until);
        let paced = self.ramp.map_or(Duration::ZERO, |(_, next)| next);
        let not_before = open.max(self.floor).max(paced);
        match (self.open, self.ramp) {
            _ if now < not_before => Admit::NotBefore(not_before),
            (Some(_), _) => Admit::Probe,
            (None, Some((bundles, _))) => Admit::UpTo(bundles),
            (None, None) => Admit::UpTo(usize::MAX),
        }
    }

    /// The state.
    #[must_use]
    pub fn state(&self, now: Duration) -> State {
        match self.open {
            Some((until, _)) if now < until => State::Open,
            Some(_) => State::Probing,
            None => State::Closed,
        }
    }

    /// Failures or throttled steps in a row, and how long the failures have lasted.
    #[must_use]
    pub fn streak(&self, now: Duration) -> (u32, Duration) {
        let (row, since) = self.row.unwrap_or((0, now));
        (row.max(self.throttled).max(1), now.saturating_sub(since))
    }

    /// The target answered a call, whatever it said.
    pub fn answered(&mut self, now: Duration) {
        self.row = None;
        self.note(now, false);
        if self.open.take().is_some() {
            self.calls.clear();
            self.ramp = Some((1, now + PACE));
        }
    }

    /// A call had no answer, or one that says that the target is down.
    pub fn failed(&mut self, now: Duration) {
        let (row, since) = self.row.unwrap_or((0, now));
        self.row = Some((row.saturating_add(1), since));
        self.note(now, true);
        match self.open {
            // The probe failed; calls that were under way when it opened change nothing.
            Some((until, cool)) if now >= until => {
                let cool = (cool * 2).min(COOL_LONGEST);
                self.open = Some((now + cool, cool));
            }
            Some(_) => {}
            None if self.is_out() => {
                self.open = Some((now + COOL, COOL));
                self.calls.clear();
            }
            None => {}
        }
    }

    /// The target asked to be left alone for this long.
    pub fn throttled(&mut self, now: Duration, wait: Duration) {
        if now >= self.floor {
            self.throttled = self.throttled.saturating_add(1);
        }
        self.floor = self.floor.max(now + wait);
        let bundles = self.ramp.map_or(FULL, |(bundles, _)| bundles);
        self.ramp = Some(((bundles / 2).max(1), self.floor));
    }

    /// A step ended that was given so many bundles; whether none of them failed by the target's fault.
    pub fn stepped(&mut self, now: Duration, bundles: usize, well: bool) {
        if well {
            self.throttled = 0;
        }
        let Some((allowed, _)) = self.ramp else { return };
        self.ramp = match (well, bundles < allowed) {
            // Nothing waits any more.
            (true, true) => None,
            (true, false) => Some(((allowed * 2).min(FULL), now + PACE)),
            (false, _) => Some(((allowed / 2).max(1), now + PACE)),
        };
    }

    fn note(&mut self, now: Duration, failed: bool) {
        while self.calls.front().is_some_and(|(then, _)| now.saturating_sub(*then) > WITHIN) {
            self.calls.pop_front();
        }
        self.calls.push_back((now, failed));
    }

    fn is_out(&self) -> bool {
        let failed = self.calls.iter().filter(|(_, failed)| *failed).count();
        let often = self.calls.len() >= ENOUGH && failed * 2 >= self.calls.len();
        often || self.row.is_some_and(|(row, _)| row >= IN_A_ROW)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    fn open_at(secs: u64) -> Breaker {
        let mut breaker = Breaker::default();
        for _ in 0..IN_A_ROW {
            breaker.failed(at(secs));
        }
        breaker
    }

    #[test]
    fn it_opens_when_half_of_twenty_calls_failed_within_half_a_minute_and_not_before() {
        let mut breaker = Breaker::default();
        for call in 0..19 {
            if call % 2 == 0 { breaker.failed(at(call)) } else { breaker.answered(at(call)) }
        }
        assert_eq!(breaker.state(at(19)), State::Closed, "19 calls are too few");
        breaker.failed(at(19));
        assert_eq!(breaker.state(at(19)), State::Open);
        assert_eq!(breaker.admit(at(19)), Admit::NotBefore(at(49)));
    }

    #[test]
    fn calls_longer_ago_than_half_a_minute_do_not_count() {
        let mut breaker = Breaker::default();
        for call in 0..100 {
            if call % 2 == 0 { breaker.failed(at(call * 2)) } else { breaker.answered(at(call * 2)) }
        }
        assert_eq!(breaker.state(at(200)), State::Closed, "16 calls within any half minute");
    }

    #[test]
    fn it_opens_after_five_failures_in_a_row() {
        let mut breaker = Breaker::default();
        for _ in 0..4 {
            breaker.failed(at(0));
            assert_eq!(breaker.admit(at(0)), Admit::UpTo(usize::MAX));
        }
        breaker.failed(at(0));
        assert_eq!(breaker.state(at(0)), State::Open);
        assert_eq!(breaker.streak(at(60)), (5, at(60)));
    }

    #[test]
    fn probes_are_further_and_further_apart_up_to_five_minutes() {
        let mut breaker = open_at(0);
        let mut now = 0;
        for cool in [30, 60, 120, 240, 300, 300] {
            assert_eq!(breaker.admit(at(now + cool - 1)), Admit::NotBefore(at(now + cool)), "{cool}");
            now += cool;
            assert_eq!(breaker.admit(at(now)), Admit::Probe);
            assert_eq!(breaker.state(at(now)), State::Probing);
            breaker.failed(at(now));
        }
    }

    #[test]
    fn a_call_that_was_under_way_when_it_opened_moves_no_probe() {
        let mut breaker = open_at(0);
        breaker.failed(at(10));
        assert_eq!(breaker.admit(at(30)), Admit::Probe);
    }

    #[test]
    fn after_an_outage_a_step_a_second_is_made_each_twice_as_large_until_nothing_waits() {
        let mut breaker = open_at(0);
        breaker.answered(at(30));
        let mut now = at(30);
        for bundles in [1, 2, 4, 8, 16, 32, 64, 128, 128] {
            assert_eq!(breaker.admit(now), Admit::NotBefore(now + PACE));
            now += PACE;
            assert_eq!(breaker.admit(now), Admit::UpTo(bundles));
            breaker.stepped(now, bundles, true);
        }
        now += PACE;
        breaker.stepped(now, 5, true);
        assert_eq!(breaker.admit(now), Admit::UpTo(usize::MAX));
    }

    #[test]
    fn nothing_is_called_before_the_time_that_the_target_asked_for_and_then_less_at_a_time() {
        let mut breaker = Breaker::default();
        breaker.throttled(at(0), at(10));
        breaker.throttled(at(1), at(2));
        breaker.stepped(at(1), 100, false);
        assert_eq!(breaker.admit(at(9)), Admit::NotBefore(at(10)), "the longer wait holds");
        assert!(matches!(breaker.admit(at(10)), Admit::UpTo(1..=64)));
        assert_eq!(breaker.streak(at(10)).0, 1, "both are of one storm");
        breaker.throttled(at(10), at(10));
        assert_eq!(breaker.streak(at(20)).0, 2);
    }
}
