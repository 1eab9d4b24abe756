//! What was used of one limit within its window, what an answer said of it, and when it will be used up. Pure.
//!
//! In: what calls take, what answers say, instants. Out: whether one more fits, and if not, when. Where both are
//! known the worse of them counts: others may use the account, and not every answer says anything. Long windows are
//! counted in spans of a quarter of an hour, each of which counts until its last instant is out of the window.

use jiff::Timestamp;
use std::collections::VecDeque;
use std::time::Duration;
use wabridge_crms::{Limit, Told};

/// A span of a long window. Stored rows begin at multiples of it.
const SPAN: i64 = 15 * 60 * 1000;
/// What an answer said is believed this long: the CRM's day may have begun anew since.
const BELIEVED: i64 = HOUR;
const HOUR: i64 = 3_600_000;
/// Used up to a limit of thousands, so much is written down ahead: a crash forgets nothing, and invents no more.
const AHEAD: u64 = 2_000;

/// An instant by both clocks, in milliseconds: windows of hours outlast the process, those of seconds must not stand
/// still when the wall clock steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The wall clock.
    pub wall: i64,
    /// Since start.
    pub elapsed: i64,
}

impl Moment {
    /// An instant.
    #[must_use]
    pub fn new(now: Timestamp, elapsed: Duration) -> Moment {
        let elapsed = i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX);
        Moment { wall: now.as_millisecond(), elapsed }
    }

    fn of(self, limit: &Limit) -> i64 {
        if limit.is_long() { self.wall } else { self.elapsed }
    }
}

/// What was used of one limit.
#[derive(Debug, Clone)]
pub struct Usage {
    /// The limit.
    pub limit: &'static Limit,
    configured: Option<u64>,
    /// When each span began, and what was used in it.
    spans: VecDeque<(i64, u64)>,
    ours: u64,
    /// The size, as an answer said it.
    told_size: Option<u64>,
    /// What an answer said is left, less what was used since, and when it said so.
    heard: Option<(u64, i64)>,
    /// Up to what the newest span is written down.
    written: u64,
}

impl Usage {
    /// Of a limit of which nothing was used.
    #[must_use]
    pub fn new(limit: &'static Limit, configured: Option<u64>) -> Usage {
        let spans = VecDeque::new();
        Usage { limit, configured, spans, ours: 0, told_size: None, heard: None, written: 0 }
    }

    /// Another size, as configured.
    pub fn configure(&mut self, configured: Option<u64>) {
        self.configured = configured;
    }

    /// How much there is: as configured, and no more than answers say.
    #[must_use]
    pub fn size(&self) -> u64 {
        match (self.configured, self.told_size) {
            (Some(ours), Some(theirs)) => ours.min(theirs),
            (one, other) => one.or(other).unwrap_or(self.limit.size),
        }
    }

    /// Takes what was written down, spans in order.
    pub fn restore(&mut self, spans: impl IntoIterator<Item = (i64, u64)>, told_size: Option<u64>) {
        self.spans = spans.into_iter().collect();
        self.ours = self.spans.iter().map(|(_, amount)| *amount).sum();
        self.written = self.spans.back().map_or(0, |(_, amount)| *amount);
        self.told_size = told_size.or(self.told_size);
    }

    fn grain(&self) -> i64 {
        if self.limit.is_long() { SPAN } else { 1 }
    }

    fn window(&self) -> i64 {
        i64::try_from(self.limit.window.as_millis()).unwrap_or(i64::MAX)
    }

    /// When a span no longer counts.
    fn over(&self, began: i64) -> i64 {
        began + self.grain() + self.window()
    }

    /// A clock that was ahead is back: what was used then was used by now.
    fn pull_back(&mut self, at: i64) {
        let current = at - at.rem_euclid(self.grain());
        let mut ahead = 0;
        while let Some((_, amount)) = self.spans.pop_back_if(|(began, _)| *began > current) {
            ahead += amount;
        }
        if ahead > 0 {
            match self.spans.back_mut().filter(|(began, _)| *began == current) {
                Some((_, amount)) => *amount += ahead,
                None => self.spans.push_back((current, ahead)),
            }
            self.written = 0;
        }
        self.heard = self.heard.map(|(left, heard)| (left, heard.min(at)));
    }

    fn forget(&mut self, at: i64) {
        if self.limit.is_long() {
            self.pull_back(at);
        }
        while let Some((began, amount)) = self.spans.front().copied() {
            if self.over(began) > at {
                break;
            }
            self.ours = self.ours.saturating_sub(amount);
            self.spans.pop_front();
        }
    }

    /// What is used, of how much: by our count, and by what an answer said.
    fn both(&self, at: i64) -> [(u64, u64); 2] {
        let size = self.size();
        let theirs = self.heard.filter(|(_, heard)| at - heard < BELIEVED).map(|(left, _)| {
            let of = self.told_size.unwrap_or(size);
            (of.saturating_sub(left), of)
        });
        [(self.ours, size), theirs.unwrap_or((0, size))]
    }

    /// Whether so much more fits below `percent` of it; if not, when it may.
    ///
    /// # Errors
    /// How long to wait.
    pub fn fits(&mut self, cost: u64, percent: u64, now: Moment) -> Result<(), Duration> {
        let at = now.of(self.limit);
        self.forget(at);
        let allowed = |size: u64| size.saturating_mul(percent) / 100;
        let [ours, theirs] = self.both(at);
        let mut until = at;
        if ours.0 + cost > allowed(ours.1) {
            // Where calls are too fast, a step needs several: one at a time would never finish it.
            let wanted = if self.limit.is_long() { cost } else { cost.max(ours.1 / 2) };
            until = self.room(wanted, allowed(ours.1), at);
        }
        if let Some((_, heard)) = self.heard.filter(|_| theirs.0 + cost > allowed(theirs.1)) {
            until = until.max(heard + BELIEVED);
        }
        let wait = Duration::from_millis(u64::try_from(until - at).unwrap_or(0));
        if wait.is_zero() { Ok(()) } else { Err(wait) }
    }

    /// When enough of what was used is out of the window.
    fn room(&self, cost: u64, allowed: u64, at: i64) -> i64 {
        let mut used = self.ours;
        for (began, amount) in &self.spans {
            used = used.saturating_sub(*amount);
            if used + cost <= allowed {
                return self.over(*began);
            }
        }
        // It never fits: the limit is less than one call. Another configuration may say otherwise.
        at + self.window()
    }

    /// Counts what a call takes. What must be written down before it is made, if anything: spans and their amounts.
    pub fn add(&mut self, cost: u64, now: Moment) -> Vec<(i64, u64)> {
        let at = now.of(self.limit);
        let began = at - at.rem_euclid(self.grain());
        let mut rows = Vec::new();
        self.ours += cost;
        if let Some((left, _)) = &mut self.heard {
            *left = left.saturating_sub(cost);
        }
        let amount = match self.spans.back_mut() {
            // A clock that was set back goes on in the newest span.
            Some((newest, amount)) if *newest >= began => {
                *amount += cost;
                *amount
            }
            newest => {
                // What was written ahead of the span before was perhaps not used.
                rows.extend(newest.map(|newest| *newest));
                self.written = 0;
                self.spans.push_back((began, cost));
                cost
            }
        };
        if !self.limit.is_long() {
            return Vec::new();
        }
        if amount <= self.written {
            return Vec::new();
        }
        self.written = amount + self.size() / AHEAD;
        rows.extend(self.spans.back().map(|(newest, _)| (*newest, self.written)));
        rows
    }

    /// A call was answered. What is new of the size, if anything is.
    pub fn answered(&mut self, told: Option<Told>, now: Moment) -> Option<u64> {
        let at = now.of(self.limit);
        if !self.limit.is_long()
            && let Some((newest, _)) = self.spans.back_mut()
        {
            // It counts there from when it arrived, and that was now at the latest.
            *newest = at.max(*newest);
        }
        let told = told?;
        if self.limit.is_long() {
            self.heard = Some((told.left, at));
        }
        let is_new = told.of.is_some() && told.of != self.told_size;
        self.told_size = told.of.or(self.told_size);
        told.of.filter(|_| is_new)
    }

    /// What is used, of how much: the worse of what we counted and what an answer said.
    #[must_use]
    pub fn used(&self, now: Moment) -> (u64, u64) {
        let at = now.of(self.limit);
        let [ours, theirs] = self.both(at);
        let live = self.spans.iter().filter(|(began, _)| self.over(*began) > at);
        let ours = (live.map(|(_, amount)| *amount).sum::<u64>(), ours.1);
        if share(theirs) > share(ours) { theirs } else { ours }
    }

    /// What was used within about the last hour.
    #[must_use]
    pub fn per_hour(&self, now: Moment) -> u64 {
        let at = now.of(self.limit);
        let since = at - at.rem_euclid(SPAN) - HOUR;
        let lately: u64 =
            self.spans.iter().filter(|(began, _)| *began >= since).map(|(_, amount)| *amount).sum();
        let time = u64::try_from(at - since).unwrap_or(0).max(1);
        lately.saturating_mul(HOUR.unsigned_abs()) / time
    }

    /// When it is used up if so much is used in every hour from now on; never, if not within a window from now.
    #[must_use]
    pub fn runs_out(&self, per_hour: u64, now: Moment) -> Option<Timestamp> {
        let at = now.of(self.limit);
        let (used, size) = self.used(now);
        let ours_at = |at: i64| -> u64 {
            let live = self.spans.iter().filter(|(began, _)| self.over(*began) > at);
            live.map(|(_, amount)| *amount).sum()
        };
        // What others used comes back at a time that is not told.
        let others = used.saturating_sub(ours_at(at));
        let used_at = |then: i64| {
            let time = (then - at).unsigned_abs();
            let more = u128::from(per_hour) * u128::from(time) / u128::from(HOUR.unsigned_abs());
            u128::from(ours_at(then) + others) + more
        };
        let steps = self.window() / SPAN;
        let full =
            (0..=steps).map(|step| at + step * SPAN).find(|then| used_at(*then) >= u128::from(size))?;
        Timestamp::from_millisecond(full).ok()
    }
}

/// The used share, for comparison and for metrics.
#[must_use]
pub fn share((used, size): (u64, u64)) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a share is shown with a few digits")]
    let (used, size) = (used as f64, size.max(1) as f64);
    used / size
}

#[cfg(test)]
mod tests {
    use super::*;
    use wabridge_crms::limit::{DAY, untold};

    static DAILY: Limit = limit(1_000, DAY);
    static PACE: Limit = limit(10, Duration::from_secs(10));

    const fn limit(size: u64, window: Duration) -> Limit {
        Limit {
            name: "it",
            unit: "calls",
            size,
            window,
            cost: |_| 1,
            told: untold,
            of_tokens: false,
            new_lead: 4,
            conversation: 2,
        }
    }

    /// So many minutes after some midnight.
    fn at(minutes: i64) -> Moment {
        let elapsed = minutes * 60_000;
        Moment { wall: 1_795_305_600_000 + elapsed, elapsed }
    }

    fn later(at: Moment, millis: i64) -> Moment {
        Moment { wall: at.wall + millis, elapsed: at.elapsed + millis }
    }

    #[test]
    fn within_any_day_no_more_is_let_through_than_there_is() {
        let mut usage = Usage::new(&DAILY, None);
        let mut made: Vec<i64> = Vec::new();
        for minute in 0..3 * 24 * 60 {
            for second in 0..2 {
                let now = later(at(minute), second * 1_000);
                if usage.fits(1, 100, now).is_ok() {
                    usage.add(1, now);
                    made.push(now.wall);
                }
            }
        }
        for (n, first) in made.iter().enumerate() {
            let within = made[n..].iter().take_while(|then| **then < first + 24 * HOUR).count();
            assert!(within <= 1_000, "{within}");
        }
        assert!(made.len() > 2_500, "nor much less: {}", made.len());
    }

    #[test]
    fn a_pace_holds_between_answers_and_a_wait_makes_room_for_half() {
        let mut usage = Usage::new(&PACE, None);
        for n in 0..10 {
            let now = later(at(0), n * 10);
            usage.fits(1, 100, now).unwrap();
            usage.add(1, now);
            usage.answered(None, later(now, 5));
        }
        let wait = usage.fits(1, 100, later(at(0), 95)).unwrap_err();
        // The fifth was answered 45 ms after the start, and counts for ten seconds from then on.
        assert_eq!(wait, Duration::from_millis(10_000 + 45 - 95 + 1));
        let then = later(at(0), 95 + i64::try_from(wait.as_millis()).unwrap());
        assert!((0..5).all(|_| usage.fits(1, 100, then).is_ok() && usage.add(1, then).is_empty()));
        assert!(usage.fits(1, 100, then).is_err());
    }

    #[test]
    fn what_is_written_down_is_never_less_than_what_was_used_and_little_more() {
        let mut usage = Usage::new(&DAILY, Some(10_000));
        let mut kept = std::collections::BTreeMap::new();
        for n in 0..6_000 {
            let now = later(at(0), n * 5_000);
            kept.extend(usage.add(1, now));
            let sum: u64 = kept.values().sum();
            let used = usage.used(now).0;
            assert!(sum >= used && sum <= used + 10_000 / AHEAD, "{sum} {used}");
        }
        let mut again = Usage::new(&DAILY, Some(10_000));
        again.restore(kept, None);
        let now = later(at(0), 6_000 * 5_000);
        let (before, after) = (usage.used(now).0, again.used(now).0);
        assert!(after >= before && after <= before + 10_000 / AHEAD, "{before} {after}");
    }

    #[test]
    fn the_worse_of_our_count_and_what_an_answer_says_counts_and_the_latter_for_an_hour() {
        let mut usage = Usage::new(&DAILY, Some(1_000));
        usage.add(100, at(0));
        usage.answered(Some(Told { left: 100, of: None }), at(0));
        assert_eq!(usage.used(at(0)), (900, 1_000));
        usage.add(50, at(1));
        assert_eq!(usage.used(at(1)), (950, 1_000), "it goes on from there");
        assert!(usage.fits(1, 95, at(1)).is_err());
        assert_eq!(usage.used(at(61)), (150, 1_000), "its day may have begun anew");
        assert!(usage.fits(1, 95, at(61)).is_ok());
    }

    #[test]
    fn a_size_that_answers_tell_counts_unless_less_is_configured() {
        let told = Some(Told { left: 500, of: Some(650) });
        for (configured, size) in [(None, 650), (Some(400), 400), (Some(2_000), 650)] {
            let mut usage = Usage::new(&DAILY, configured);
            assert_eq!(usage.size(), configured.unwrap_or(1_000));
            assert_eq!(usage.answered(told, at(0)), Some(650), "it is new");
            assert_eq!((usage.answered(told, at(0)), usage.size()), (None, size));
        }
    }

    #[test]
    fn the_hour_of_exhaustion_is_that_at_which_nothing_is_left_at_this_rate() {
        let mut usage = Usage::new(&DAILY, Some(1_200));
        for minute in 0..600 {
            usage.add(1, at(minute));
        }
        let now = at(600);
        assert_eq!(usage.per_hour(now), 60);
        assert_eq!(
            usage.runs_out(usage.per_hour(now), now),
            Timestamp::from_millisecond(at(1_200).wall).ok()
        );
        assert_eq!(usage.runs_out(40, now), None, "what is a day old comes back in time");
        let twice = usage.runs_out(120, now).unwrap();
        assert_eq!(twice.as_millisecond(), at(900).wall);
    }

    #[test]
    fn a_clock_that_is_set_back_counts_on() {
        let mut usage = Usage::new(&DAILY, None);
        usage.add(10, at(60));
        usage.add(10, at(0));
        assert_eq!(usage.used(at(0)), (20, 1_000));
    }

    #[test]
    fn a_clock_that_was_a_month_ahead_costs_a_day_and_not_a_month() {
        let mut usage = Usage::new(&DAILY, None);
        let month = 30 * 24 * 60;
        usage.add(400, at(month));
        usage.answered(Some(Told { left: 600, of: Some(1_000) }), at(month));
        usage.add(600, at(0));
        assert!(usage.fits(1, 100, at(10)).is_err());
        assert_eq!(usage.used(at(10)), (1_000, 1_000));
        assert_eq!(usage.fits(1, 100, at(25 * 60)), Ok(()));
        // As it is after a restart, too.
        let mut usage = Usage::new(&DAILY, None);
        usage.restore([(at(0).wall, 100), (at(month).wall, 900)], None);
        assert!(usage.fits(1, 100, at(10)).is_err());
        assert_eq!(usage.fits(1, 100, at(25 * 60)), Ok(()));
    }
}
