//! Touches: which ad or post a message came from, and what is missing when it cannot be told.
//!
//! In: the referral of a message. Out: touches that are never overwritten and never blanked, and the
//! state of a lead's attribution with the cause of any gap.

use crate::event::{Referral, ReferralReport};
use crate::id::EventId;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Two messages from the same ad within this time are one touch, where no click id tells them apart.
const SAME_TOUCH: SignedDuration = SignedDuration::from_mins(10);

/// How much is known of where a lead came from, least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttributionState {
    /// The provider would have said, and there was no ad.
    None,
    /// The provider, or this version of its format, cannot say.
    NotReported,
    /// An organic post, not an ad.
    OrganicPost,
    /// The ad is known, the click is not.
    AdWithoutClickId,
    /// Ad and click are known.
    Complete,
}

/// Why attribution is missing or incomplete. A closed list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Meta omits the click id for ads placed in Status.
    StatusPlacement,
    /// This provider passes nothing on about ads.
    ProviderReportsNothing,
    /// There was a referral, and it could not be read.
    ReferralMalformed,
}

/// One arrival from an ad or a post.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Touch {
    /// The event that carried it first; also the touch's own id.
    pub id: EventId,
    /// The provider that reported it.
    pub provider: String,
    /// The channel it came by.
    pub channel: String,
    /// Every channel that reported it.
    pub reported_by: Vec<String>,
    /// The business number the person wrote to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub business_number: Option<String>,
    /// The provider's id of the message that carried it first.
    pub message_id: String,
    /// When the person wrote (effective time).
    pub occurred_at: Timestamp,
    /// When it was received first.
    pub received_at: Timestamp,
    /// What was reported; empty where it could not be read.
    pub referral: Referral,
}

impl Touch {
    fn is_post(&self) -> bool {
        self.referral.source_type.as_deref() == Some("post")
    }

    fn is_ad(&self) -> bool {
        !self.is_post()
            && (self.referral.source_type.as_deref() == Some("ad") || self.referral.ctwa_clid.is_some())
    }

    /// The ad's id.
    #[must_use]
    pub fn ad_id(&self) -> Option<&str> {
        self.referral.source_id.as_deref().filter(|_| self.is_ad())
    }

    /// The organic post's id.
    #[must_use]
    pub fn post_id(&self) -> Option<&str> {
        self.referral.source_id.as_deref().filter(|_| self.is_post())
    }

    /// How much it tells.
    #[must_use]
    pub fn state(&self) -> AttributionState {
        match (&self.referral.ctwa_clid, self.ad_id()) {
            _ if self.is_post() => AttributionState::OrganicPost,
            (Some(_), _) => AttributionState::Complete,
            (None, Some(_)) => AttributionState::AdWithoutClickId,
            (None, None) => AttributionState::NotReported,
        }
    }

    /// Why it does not tell everything.
    #[must_use]
    pub fn cause(&self) -> Option<Cause> {
        match self.state() {
            AttributionState::AdWithoutClickId => Some(Cause::StatusPlacement),
            AttributionState::NotReported => Some(Cause::ReferralMalformed),
            AttributionState::Complete if self.ad_id().is_none() => Some(Cause::ReferralMalformed),
            _ => None,
        }
    }

    /// Whether `other`, not before this one, is the same arrival.
    fn is_same(&self, other: &Touch) -> bool {
        match (&self.referral.ctwa_clid, &other.referral.ctwa_clid) {
            (Some(mine), Some(theirs)) => mine == theirs,
            _ => {
                self.referral.source_id.is_some()
                    && self.referral.source_id == other.referral.source_id
                    && other.occurred_at.duration_since(self.occurred_at).abs() <= SAME_TOUCH
            }
        }
    }
}

/// A lead's touches, oldest first, and what can be said when there are none.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Attribution {
    /// The touches.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub touches: Vec<Touch>,
    /// Whether a message came that would have named its ad.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub would_be_reported: bool,
}

impl Attribution {
    /// Records what a message says of its ad; `touch` makes the touch when there is one to keep.
    pub fn record(&mut self, report: &ReferralReport, touch: impl FnOnce(Referral) -> Touch) {
        match report {
            ReferralReport::Unreported | ReferralReport::UnreportedByVersion => return,
            _ => self.would_be_reported = true,
        }
        match report {
            ReferralReport::Present(referral) => self.add(touch((**referral).clone())),
            ReferralReport::Malformed => self.add(touch(Referral::default())),
            _ => {}
        }
    }

    fn add(&mut self, touch: Touch) {
        let Some(known) = self.touches.iter_mut().rev().find(|known| known.is_same(&touch)) else {
            self.touches.push(touch);
            return;
        };
        known.referral.fill(&touch.referral);
        known.reported_by.extend(touch.reported_by);
        known.reported_by.sort_unstable();
        known.reported_by.dedup();
    }

    /// Adds another person's touches to this one's, where the two turn out to be one.
    pub fn merge(&mut self, other: Attribution) {
        self.would_be_reported |= other.would_be_reported;
        let mut all = std::mem::take(&mut self.touches);
        all.extend(other.touches);
        all.sort_by(|a, b| a.occurred_at.cmp(&b.occurred_at).then_with(|| a.id.cmp(&b.id)));
        for touch in all {
            self.add(touch);
        }
    }

    /// How much is known of where the lead came from: the best of its touches, with the cause of a gap.
    #[must_use]
    pub fn state(&self) -> (AttributionState, Option<Cause>) {
        let best = self.touches.iter().max_by_key(|touch| touch.state());
        match best {
            Some(touch) => (touch.state(), touch.cause()),
            None if self.would_be_reported => (AttributionState::None, None),
            None => (AttributionState::NotReported, Some(Cause::ProviderReportsNothing)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::EventKey;

    fn touch(second: i64, clid: Option<&str>, kind: &str, source: Option<&str>) -> Touch {
        Touch {
            id: EventKey::new("t", &[&second.to_string()]).event_id(),
            provider: "meta".into(),
            channel: "main".into(),
            reported_by: vec!["main".into()],
            business_number: None,
            message_id: format!("m{second}"),
            occurred_at: Timestamp::from_second(second).unwrap(),
            received_at: Timestamp::from_second(second).unwrap(),
            referral: Referral {
                ctwa_clid: clid.map(str::to_owned),
                source_id: source.map(str::to_owned),
                source_type: Some(kind.to_owned()),
                ..Referral::default()
            },
        }
    }

    #[test]
    fn each_state_has_its_cause() {
        use AttributionState as S;
        let cases = [
            (touch(1, Some("c"), "ad", Some("1")), S::Complete, None),
            (touch(1, None, "ad", Some("1")), S::AdWithoutClickId, Some(Cause::StatusPlacement)),
            (touch(1, None, "post", Some("1")), S::OrganicPost, None),
            (touch(1, None, "ad", None), S::NotReported, Some(Cause::ReferralMalformed)),
            (touch(1, Some("c"), "ad", None), S::Complete, Some(Cause::ReferralMalformed)),
            (touch(1, None, "carousel", Some("1")), S::NotReported, Some(Cause::ReferralMalformed)),
        ];
        for (touch, state, cause) in cases {
            assert_eq!((touch.state(), touch.cause()), (state, cause));
        }
    }

    #[test]
    fn one_click_is_one_touch_and_a_later_message_fills_but_never_blanks() {
        let mut attribution = Attribution::default();
        attribution.add(touch(0, None, "ad", Some("7")));
        attribution.add(touch(60, Some("c"), "ad", Some("7")));
        attribution.add(touch(90, None, "ad", Some("7")));
        assert_eq!(attribution.touches.len(), 1);
        assert_eq!(attribution.touches[0].referral.ctwa_clid.as_deref(), Some("c"));
        attribution.add(touch(120, Some("d"), "ad", Some("7")));
        attribution.add(touch(2000, None, "ad", Some("7")));
        assert_eq!(attribution.touches.len(), 3);
    }

    #[test]
    fn no_touch_means_none_only_where_the_provider_would_have_said() {
        let mut attribution = Attribution::default();
        assert_eq!(attribution.state(), (AttributionState::NotReported, Some(Cause::ProviderReportsNothing)));
        attribution.record(&ReferralReport::Absent, |_| unreachable_touch());
        assert_eq!(attribution.state(), (AttributionState::None, None));
    }

    fn unreachable_touch() -> Touch {
        panic!("an absent referral makes no touch")
    }
}
