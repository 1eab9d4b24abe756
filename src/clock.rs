//! The clock, and whether it can be trusted.
//!
//! In: the wall clock and the time since start, or what a test says they are. Out: instants to the
//! millisecond, and [`ClockWatch`], which notices when the wall clock steps.

use jiff::{SignedDuration, Timestamp};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// A step of the wall clock beyond this makes it unsure.
const STEP: SignedDuration = SignedDuration::from_secs(30);
/// It is trusted again after running this long without a step.
const SETTLED: Duration = Duration::from_secs(60);

/// Where time comes from.
pub trait Clock: Send + Sync {
    /// The wall clock, to the millisecond.
    fn now(&self) -> Timestamp;
    /// The time since some fixed moment; it never steps.
    fn elapsed(&self) -> Duration;
}

/// The machine's clock.
#[derive(Debug)]
pub struct SystemClock(Instant);

impl Default for SystemClock {
    fn default() -> SystemClock {
        SystemClock(Instant::now())
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn now(&self) -> Timestamp {
        to_millisecond(Timestamp::now())
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Cuts an instant to the millisecond, which is what the store keeps.
#[must_use]
pub fn to_millisecond(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}

/// A clock that stands where it is put. For tests and for the demo.
#[derive(Debug)]
pub struct SetClock(Mutex<(Timestamp, Duration)>);

impl SetClock {
    /// A clock that shows `now`.
    #[must_use]
    pub fn at(now: Timestamp) -> SetClock {
        SetClock(Mutex::new((now, Duration::ZERO)))
    }

    /// Lets time pass, on the wall and since start.
    pub fn pass(&self, time: Duration) {
        let mut state = self.lock();
        state.0 += time;
        state.1 += time;
    }

    /// Steps the wall clock alone.
    pub fn step_to(&self, now: Timestamp) {
        self.lock().0 = now;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, (Timestamp, Duration)> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        self.lock().0
    }

    fn elapsed(&self) -> Duration {
        self.lock().1
    }
}

/// Notices steps of the wall clock: between two looks, it must move as far as time did.
#[derive(Debug)]
pub struct ClockWatch(Mutex<Seen>);

#[derive(Debug)]
struct Seen {
    wall: Timestamp,
    elapsed: Duration,
    stepped_at: Option<Duration>,
}

impl ClockWatch {
    /// Begins to watch.
    #[must_use]
    pub fn new(clock: &dyn Clock) -> ClockWatch {
        ClockWatch(Mutex::new(Seen { wall: clock.now(), elapsed: clock.elapsed(), stepped_at: None }))
    }

    /// Looks at the clock; says whether it is unsure. Called for every verdict and every look at the metrics:
    /// a step in between is noticed then, and the minute of doubt counts from there.
    pub fn is_unsure(&self, clock: &dyn Clock) -> bool {
        let mut seen = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (wall, elapsed) = (clock.now(), clock.elapsed());
        let passed =
            SignedDuration::try_from(elapsed.saturating_sub(seen.elapsed)).unwrap_or(SignedDuration::MAX);
        let moved = wall.duration_since(seen.wall);
        if (moved - passed).abs() > STEP {
            seen.stepped_at = Some(elapsed);
        }
        if seen.stepped_at.is_some_and(|at| elapsed.saturating_sub(at) >= SETTLED) {
            seen.stepped_at = None;
        }
        (seen.wall, seen.elapsed) = (wall, elapsed);
        seen.stepped_at.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_makes_the_clock_unsure_until_it_has_run_a_minute() {
        let start: Timestamp = "2026-11-22T08:00:00Z".parse().unwrap();
        for step in [31, -31, 86_400, -86_400] {
            let clock = SetClock::at(start);
            let watch = ClockWatch::new(&clock);
            clock.pass(Duration::from_secs(3600));
            assert!(!watch.is_unsure(&clock), "time that passes is no step");
            clock.step_to(clock.now() + SignedDuration::from_secs(step));
            assert!(watch.is_unsure(&clock), "{step}");
            clock.pass(Duration::from_secs(59));
            assert!(watch.is_unsure(&clock), "{step}");
            clock.pass(Duration::from_secs(1));
            assert!(!watch.is_unsure(&clock), "{step}");
        }
    }

    #[test]
    fn a_small_correction_is_no_step() {
        let clock = SetClock::at("2026-11-22T08:00:00Z".parse().unwrap());
        let watch = ClockWatch::new(&clock);
        clock.step_to(clock.now() + SignedDuration::from_secs(29));
        assert!(!watch.is_unsure(&clock));
    }
}
