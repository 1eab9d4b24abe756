//! What one cluster adds to the counts of attribution.
//!
//! In: a cluster's folded state and the time zone of the days. Out: counts by day, origin and state. It is
//! a pure function, so the store can keep sums by taking off what a cluster added before it changed.
//!
//! A touch is one conversation that an ad, a post or a link began; a lead without any touch is one that
//! nothing is known of. Under `first` and `last` a lead counts once, where its first or last touch is; under
//! `each` every touch is a conversation, and the lead counts once for each ad, post or link it came by.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use wabridge_model::attribution::{AttributionState, Cause, Touch};
use wabridge_model::cluster::Cluster;
use wabridge_model::lead::{Birth, Lead};
use wabridge_model::window::WINDOW;
use wabridge_providers::{Passed, registry};

/// An answer within this time is a quick one.
const QUICK: SignedDuration = SignedDuration::from_mins(5);

/// Which touch of a lead is credited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Model {
    /// The first.
    First,
    /// The last.
    #[default]
    Last,
    /// Every one.
    Each,
}

impl Model {
    /// Every model.
    pub const ALL: [Model; 3] = [Model::First, Model::Last, Model::Each];

    /// The name in parameters and rows.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Model::First => "first",
            Model::Last => "last",
            Model::Each => "each",
        }
    }
}

/// What counts are kept by. A text is empty where there is none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The model; `None` where all of them say the same, which is what most leads are like.
    pub model: Option<Model>,
    /// The day.
    pub day: Date,
    /// The ad.
    pub ad_id: String,
    /// Our number.
    pub business_number: String,
    /// The provider that reported the touch.
    pub provider: String,
    /// How much is known.
    pub state: &'static str,
    /// Why something is missing.
    pub cause: &'static str,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Conversations.
    pub conversations: i64,
    /// Leads.
    pub leads: i64,
    /// Conversations whose click is known.
    pub click_id_present: i64,
    /// Conversations answered within five minutes.
    pub answered_5m: i64,
    /// Conversations without an answer that we could have known of.
    pub answered_unknown: i64,
    /// Conversations whose free entry point was opened.
    pub free_entry_opened: i64,
    /// Qualified leads, on the day of the touch.
    pub qualified: i64,
    /// Qualified leads, on the day they were qualified.
    pub qualified_then: i64,
}

impl Counts {
    /// The counts in the order of the columns.
    #[must_use]
    pub fn as_array(&self) -> [i64; 8] {
        [
            self.conversations,
            self.leads,
            self.click_id_present,
            self.answered_5m,
            self.answered_unknown,
            self.free_entry_opened,
            self.qualified,
            self.qualified_then,
        ]
    }

    /// The counts of the columns.
    #[must_use]
    pub fn from_array(columns: [i64; 8]) -> Counts {
        let [
            conversations,
            leads,
            click_id_present,
            answered_5m,
            answered_unknown,
            free_entry_opened,
            qualified,
            qualified_then,
        ] = columns;
        Counts {
            conversations,
            leads,
            click_id_present,
            answered_5m,
            answered_unknown,
            free_entry_opened,
            qualified,
            qualified_then,
        }
    }

    /// Adds other counts so many times; -1 takes them off.
    pub fn add(&mut self, other: &Counts, times: i64) {
        let (mut sum, other) = (self.as_array(), other.as_array());
        sum.iter_mut().zip(other).for_each(|(sum, count)| *sum += count * times);
        *self = Counts::from_array(sum);
    }
}

/// Counts by key.
pub type Contributions = BTreeMap<Key, Counts>;

/// What of a lead decides its counts: where it is the same, nothing need be counted again.
pub fn counted(
    leads: &[Lead],
) -> impl Iterator<Item = (Option<&Birth>, &wabridge_model::attribution::Attribution, Option<Timestamp>)> {
    leads.iter().map(|lead| (lead.birth.as_ref(), &lead.attribution, lead.qualified_at))
}

/// What a cluster adds.
#[must_use]
pub fn contributions(cluster: &Cluster, zone: &TimeZone) -> Contributions {
    let mut found = Contributions::new();
    for lead in &cluster.leads {
        if let Some(birth) = &lead.birth {
            add_lead(&mut found, lead, birth, zone);
        }
    }
    found
}

fn add_lead(found: &mut Contributions, lead: &Lead, birth: &Birth, zone: &TimeZone) {
    let mut add = |model, origin: &Origin<'_>, lead_counts| {
        let (key, counts) = origin.counted(model, zone);
        let qualified = lead.qualified_at.filter(|_| lead_counts);
        let counts =
            Counts { leads: i64::from(lead_counts), qualified: i64::from(qualified.is_some()), ..counts };
        if let Some(at) = qualified {
            let then = Key { day: day(at, zone), ..key.clone() };
            found.entry(then).or_default().qualified_then += 1;
        }
        found.entry(key).or_default().add(&counts, 1);
    };
    match lead.attribution.touches.as_slice() {
        [] => {
            let (state, cause) = lead.attribution.state();
            add(None, &Origin::Unknown(birth.at, state, cause), true);
        }
        [only] => add(None, &Origin::Touch(only), true),
        touches @ [first, .., last] => {
            add(Some(Model::First), &Origin::Touch(first), true);
            add(Some(Model::Last), &Origin::Touch(last), true);
            let mut origins = BTreeSet::new();
            for touch in touches {
                add(Some(Model::Each), &Origin::Touch(touch), origins.insert(touch.origin()));
            }
        }
    }
}

/// What began a conversation.
enum Origin<'a> {
    Touch(&'a Touch),
    /// Nothing that is known.
    Unknown(Timestamp, AttributionState, Option<Cause>),
}

impl Origin<'_> {
    /// The counts of one conversation, without its lead.
    fn counted(&self, model: Option<Model>, zone: &TimeZone) -> (Key, Counts) {
        let touch = match *self {
            Origin::Touch(touch) => touch,
            Origin::Unknown(at, state, cause) => {
                // Without a touch there is nothing that an answer could have been quick after.
                let counts = Counts { conversations: 1, answered_unknown: 1, ..Counts::default() };
                return (key(model, day(at, zone), state, cause), counts);
            }
        };
        let answer = touch.answered_at.map(|at| at.duration_since(touch.occurred_at));
        let is_within = |time| answer.is_some_and(|after| after <= time);
        let counts = Counts {
            conversations: 1,
            click_id_present: i64::from(touch.referral.ctwa_clid.is_some()),
            answered_5m: i64::from(is_within(QUICK)),
            answered_unknown: i64::from(answer.is_none() && !shows_answers(&touch.provider)),
            free_entry_opened: i64::from(touch.ad_id().is_some() && is_within(WINDOW)),
            ..Counts::default()
        };
        let key = Key {
            ad_id: touch.ad_id().unwrap_or_default().to_owned(),
            business_number: touch.business_number.clone().unwrap_or_default(),
            provider: touch.provider.clone(),
            ..key(model, day(touch.occurred_at, zone), touch.state(), touch.cause())
        };
        (key, counts)
    }
}

fn key(model: Option<Model>, day: Date, state: AttributionState, cause: Option<Cause>) -> Key {
    Key {
        model,
        day,
        ad_id: String::new(),
        business_number: String::new(),
        provider: String::new(),
        state: state.as_str(),
        cause: cause.map_or("", Cause::as_str),
    }
}

fn day(at: Timestamp, zone: &TimeZone) -> Date {
    at.to_zoned(zone.clone()).date()
}

/// Whether a provider passes on what the business wrote, so that silence means there was no answer.
fn shows_answers(provider: &str) -> bool {
    registry::find(provider).is_some_and(|provider| provider.about().passes.echoes != Passed::No)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_the_regions_where_the_clocks_change_too() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        for (at, expected) in [
            ("2026-03-28T22:59:59Z", "2026-03-28"),
            ("2026-03-28T23:00:00Z", "2026-03-29"),
            ("2026-03-29T21:59:59Z", "2026-03-29"),
            ("2026-03-29T22:00:00Z", "2026-03-30"),
            ("2026-10-24T21:59:59Z", "2026-10-24"),
            ("2026-10-24T22:00:00Z", "2026-10-25"),
            ("2026-10-25T22:59:59Z", "2026-10-25"),
            ("2026-10-25T23:00:00Z", "2026-10-26"),
        ] {
            assert_eq!(day(at.parse().unwrap(), &berlin).to_string(), expected, "{at}");
        }
    }

    #[test]
    fn counts_are_added_and_taken_off_column_by_column() {
        let counts = Counts::from_array([1, 2, 3, 4, 5, 6, 7, 8]);
        let mut sum = counts;
        sum.add(&counts, 1);
        assert_eq!(sum.as_array(), [2, 4, 6, 8, 10, 12, 14, 16]);
        sum.add(&counts, -2);
        assert_eq!(sum, Counts::default());
    }
}
