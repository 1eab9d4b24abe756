//! How often a channel is usually heard of, learnt from stored receipts.
//!
//! In: receipts. Out: for how long a channel has been silent, and what is usual at this time of the day and of
//! the week: a shop that sleeps at night and rests on Sundays is not quiet then. Kept by the minute for eight
//! days, so a channel costs the same whatever its traffic.

use crate::store::{Receipt, StoreError, Watch};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

const MINUTE: i64 = 60;
const DAY: i64 = 24 * 60;
/// A week, to know the day of the week, and a day for the silence that began before it.
const KEPT: i64 = 8 * DAY;
/// Too few minutes with receipts say nothing about a rhythm.
const FEW: usize = 20;
/// A shorter silence is no news, whatever is usual.
const SHORTEST: i64 = 15;
/// A day may begin this much later than those before it.
const LATE: i64 = 60;
/// Silent for more than this many times what is usual is quiet.
const TIMES: i64 = 3;
/// Requests looked at to learn; of more, every n-th: a rare channel's gaps then look longer than they are.
const SAMPLES: i64 = 50_000;
/// Receipts read at a time.
const PAGE: usize = 10_000;

/// The minutes, counted from 1970, in which each channel received something.
#[derive(Debug, Default)]
pub(super) struct Rhythm {
    channels: BTreeMap<String, BTreeSet<i64>>,
    last: Option<i64>,
}

/// A channel that is quiet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Quiet {
    pub(super) channel: String,
    /// When it was last heard of, to the minute.
    pub(super) since: Timestamp,
    /// The longest silence that would be usual now.
    pub(super) usual: SignedDuration,
}

impl Rhythm {
    /// Reads what came since the last time; the first time, what is kept of the last eight days.
    pub(super) fn listen(&mut self, store: &(impl Watch + ?Sized), now: Timestamp) -> Result<(), StoreError> {
        let mut after = match self.last {
            Some(last) => last,
            None => self.learn(store, now)?,
        };
        loop {
            let receipts = store.receipts(after, PAGE)?;
            let Some(last) = receipts.last() else { break };
            after = last.id;
            receipts.iter().for_each(|receipt| self.heard(receipt));
        }
        self.last = Some(after);
        let oldest = minute(now) - KEPT;
        for minutes in self.channels.values_mut() {
            *minutes = minutes.split_off(&oldest);
        }
        Ok(())
    }

    /// Samples the stored receipts; returns the id after which all are to be read.
    fn learn(&mut self, store: &(impl Watch + ?Sized), now: Timestamp) -> Result<i64, StoreError> {
        let newest = store.last_receipt()?;
        let from = first_since(store, newest, now - SignedDuration::from_mins(KEPT))?;
        let stride = (newest - from) / SAMPLES;
        if stride < 2 {
            return Ok(from);
        }
        let mut after = from;
        while after < newest {
            let Some(receipt) = store.receipts(after, 1)?.pop() else { break };
            self.heard(&receipt);
            after = receipt.id + stride - 1;
        }
        Ok(newest)
    }

    fn heard(&mut self, receipt: &Receipt) {
        let at = minute(receipt.received_at);
        match self.channels.get_mut(&receipt.channel) {
            Some(minutes) => drop(minutes.insert(at)),
            None => drop(self.channels.insert(receipt.channel.clone(), [at].into())),
        }
    }

    /// Whether a channel is quiet now.
    pub(super) fn quiet(&self, channel: &str, now: Timestamp) -> Option<Quiet> {
        let minutes = self.channels.get(channel).filter(|minutes| minutes.len() >= FEW)?;
        let now = minute(now);
        let silence = silence(minutes, now)?;
        let usual = usual(minutes, now);
        let since = Timestamp::from_second((now - silence) * MINUTE).ok()?;
        (silence > (TIMES * usual).max(SHORTEST)).then(|| Quiet {
            channel: channel.to_owned(),
            since,
            usual: SignedDuration::from_mins(usual),
        })
    }
}

/// The id before the first request received since an instant; ids and receipts rise together.
fn first_since(store: &(impl Watch + ?Sized), newest: i64, since: Timestamp) -> Result<i64, StoreError> {
    let (mut low, mut high) = (0, newest);
    while low < high {
        let middle = low + (high - low) / 2;
        match store.receipts(middle, 1)?.first() {
            Some(receipt) if receipt.received_at < since => low = middle + 1,
            _ => high = middle,
        }
    }
    Ok(low)
}

fn minute(at: Timestamp) -> i64 {
    at.as_second().div_euclid(MINUTE)
}

/// For how long there was nothing at a minute.
fn silence(minutes: &BTreeSet<i64>, at: i64) -> Option<i64> {
    minutes.range(..=at).next_back().map(|last| at - last)
}

/// The silence that is usual at this minute: of the same time on the days before, the median, and that of the
/// same day of the week. Until a week is known, the longest there was.
fn usual(minutes: &BTreeSet<i64>, now: i64) -> i64 {
    let around = |at: i64| Some(silence(minutes, at)?.max(silence(minutes, at - LATE)?));
    let mut days: Vec<i64> = (1..=7).filter_map(|day| around(now - day * DAY)).collect();
    match days[..] {
        [.., week_ago] if days.len() == 7 => {
            days.sort_unstable();
            days[3].max(week_ago)
        }
        _ => longest(minutes),
    }
}

fn longest(minutes: &BTreeSet<i64>) -> i64 {
    minutes.iter().zip(minutes.iter().skip(1)).map(|(one, next)| next - one).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A Monday, 00:00 UTC.
    const MONDAY: i64 = 29_734_560 - 29_734_560 % DAY;

    fn heard(minutes: impl IntoIterator<Item = i64>) -> Rhythm {
        let mut rhythm = Rhythm::default();
        rhythm.channels.insert("main".to_owned(), minutes.into_iter().collect());
        rhythm
    }

    fn is_quiet(rhythm: &Rhythm, at: i64) -> bool {
        rhythm.quiet("main", Timestamp::from_second(at * MINUTE).unwrap()).is_some()
    }

    /// Every five minutes from nine to six, on all days but the seventh.
    fn shop(days: i64) -> Vec<i64> {
        (0..days)
            .filter(|day| day % 7 != 6)
            .flat_map(|day| (9 * 12..18 * 12).map(move |five| MONDAY + day * DAY + five * 5))
            .collect()
    }

    #[test]
    fn a_shop_that_sleeps_and_rests_is_not_quiet_then_and_is_when_it_should_be_awake() {
        let rhythm = heard(shop(9));
        let day = |day: i64, hour: i64| MONDAY + day * DAY + hour * 60;
        assert!(!is_quiet(&rhythm, day(9, 3)), "in the night");
        assert!(!is_quiet(&rhythm, day(9, 9) + 4), "before the first message of the day");
        assert!(is_quiet(&rhythm, day(9, 12)), "three hours into a day without a message");
        let rhythm = heard(shop(13));
        assert!(!is_quiet(&rhythm, day(13, 12)), "on the day of rest");
        assert!(!is_quiet(&rhythm, day(14, 9)), "on the morning after it");
        assert!(is_quiet(&rhythm, day(14, 12)), "at noon after it");
    }

    #[test]
    fn until_a_week_is_known_three_times_the_longest_gap_is_quiet_and_never_less_than_a_quarter_of_an_hour() {
        let every = |minutes: i64| heard((0..30).map(|step| MONDAY + step * minutes));
        let last = |minutes: i64| MONDAY + 29 * minutes;
        assert!(!is_quiet(&every(10), last(10) + 30) && is_quiet(&every(10), last(10) + 31));
        assert!(!is_quiet(&every(1), last(1) + 15) && is_quiet(&every(1), last(1) + 16));
    }

    #[test]
    fn a_channel_of_few_messages_has_no_rhythm() {
        let rhythm = heard((0..19).map(|step| MONDAY + step));
        assert!(!is_quiet(&rhythm, MONDAY + 5 * DAY));
        assert!(rhythm.quiet("other", Timestamp::UNIX_EPOCH).is_none());
    }
}
