//! Whether so many leads fit into what a CRM allows, and if not, from when on nothing is left. Pure.
//!
//! In: what was used, what leads took here, how many are expected. Out: an outlook for each limit.

use crate::outbox::usage::{Moment, Usage};
use jiff::Timestamp;
use serde::Serialize;

/// With fewer leads than this, what they took says nothing of the next ones.
pub const ENOUGH: u64 = 100;

/// What is expected.
#[derive(Debug, Clone, Copy)]
pub struct Expected {
    /// New leads within an hour.
    pub leads_per_hour: f64,
    /// Conversations of each, if it is said.
    pub conversations: Option<u32>,
    /// Leads that something was written for within the last day.
    pub leads_lately: u64,
}

/// How a limit bears what is expected.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outlook {
    /// The limit.
    pub limit: &'static str,
    /// What is counted.
    pub unit: &'static str,
    /// Over how long.
    pub window_seconds: u64,
    /// How much there is.
    pub size: u64,
    /// How much is used now.
    pub used: u64,
    /// What a lead takes.
    pub per_lead: f64,
    /// Whether that was measured here, and is not what a lead takes alone.
    pub measured: bool,
    /// How much is used within the window, once it goes on like this.
    pub expected: u64,
    /// Whether it is enough.
    pub fits: bool,
    /// From when on nothing is left.
    pub runs_out_at: Option<Timestamp>,
}

/// How a limit bears what is expected.
#[must_use]
pub fn outlook(usage: &Usage, expected: &Expected, now: Moment) -> Outlook {
    let limit = usage.limit;
    let (used, size) = usage.used(now);
    let measured = expected.conversations.is_none() && limit.is_long() && expected.leads_lately >= ENOUGH;
    let per_lead = if measured {
        float(used) / float(expected.leads_lately)
    } else {
        let further = expected.conversations.unwrap_or(1).saturating_sub(1);
        float(limit.new_lead + u64::from(further) * limit.conversation)
    };
    let per_hour = expected.leads_per_hour * per_lead;
    let within = whole(per_hour * limit.window.as_secs_f64() / 3600.0);
    let runs_out_at = if limit.is_long() { usage.runs_out(whole(per_hour), now) } else { None };
    Outlook {
        limit: limit.name,
        unit: limit.unit,
        window_seconds: limit.window.as_secs(),
        size,
        used,
        per_lead,
        measured,
        expected: within,
        fits: within < size && runs_out_at.is_none(),
        runs_out_at,
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of calls, far below where a float skips one")]
fn float(count: u64) -> f64 {
    count as f64
}

/// Rounded up.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count, cut to what one can be"
)]
fn whole(count: f64) -> u64 {
    count.ceil().max(0.0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use wabridge_crms::registry;

    fn daily(size: u64) -> Usage {
        let hubspot = registry::find("hubspot").unwrap();
        Usage::new(&hubspot.about().limits[0], Some(size))
    }

    fn noon() -> Moment {
        Moment::new("2026-11-22T12:00:00Z".parse().unwrap(), Duration::ZERO)
    }

    #[test]
    fn what_a_lead_takes_alone_counts_until_enough_were_written_here() {
        let mut usage = daily(100_000);
        usage.add(250, noon());
        let expected =
            |conversations, leads_lately| Expected { leads_per_hour: 10.0, conversations, leads_lately };
        let per_lead = |conversations, lately| {
            let outlook = outlook(&usage, &expected(conversations, lately), noon());
            (outlook.per_lead, outlook.measured, outlook.expected)
        };
        assert_eq!(per_lead(None, 99), (4.0, false, 960));
        assert_eq!(per_lead(None, 100), (2.5, true, 600));
        assert_eq!(
            per_lead(Some(3), 100),
            (8.0, false, 1_920),
            "who says how many conversations there are is heard"
        );
    }

    #[test]
    fn what_does_not_fit_has_an_hour_from_which_on_nothing_is_left() {
        let expected = Expected { leads_per_hour: 100.0, conversations: None, leads_lately: 0 };
        let fits = outlook(&daily(9_700), &expected, noon());
        assert_eq!((fits.fits, fits.runs_out_at, fits.expected), (true, None, 9_600));
        let mut usage = daily(4_000);
        usage.add(2_000, noon());
        let over = outlook(&usage, &expected, noon());
        assert!(!over.fits);
        assert_eq!(
            over.runs_out_at.unwrap().to_string(),
            "2026-11-22T17:00:00Z",
            "400 calls an hour, 2000 left"
        );
    }
}
