//! Touches: which ad or post a message came from, and what is missing when it cannot be told.
//!
//! In: the referral of a message, or the code of a link in its text. Out: touches that are never
//! overwritten and never blanked, and the state of a lead's attribution with the cause of any gap.

use crate::event::{Link, Referral, ReferralReport};
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
    /// No ad is known; the text holds the code of a link.
    CodeInText,
    /// An organic post, not an ad.
    OrganicPost,
    /// The ad is known, the click is not.
    AdWithoutClickId,
    /// Ad and click are known.
    Complete,
}

impl AttributionState {
    /// Every state, the best first.
    pub const ALL: [AttributionState; 6] = [
        AttributionState::Complete,
        AttributionState::AdWithoutClickId,
        AttributionState::OrganicPost,
        AttributionState::CodeInText,
        AttributionState::NotReported,
        AttributionState::None,
    ];

    /// The name, as in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            AttributionState::Complete => "complete",
            AttributionState::AdWithoutClickId => "ad_without_click_id",
            AttributionState::OrganicPost => "organic_post",
            AttributionState::CodeInText => "code_in_text",
            AttributionState::NotReported => "not_reported",
            AttributionState::None => "none",
        }
    }

    /// Whether nothing is known of where the lead came from.
    #[must_use]
    pub fn is_unattributed(self) -> bool {
        matches!(self, AttributionState::NotReported | AttributionState::None)
    }
}

/// Why attribution is missing or incomplete. A closed list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Meta omits the click id for ads placed in Status.
    StatusPlacement,
    /// The provider takes click ids out of what it passes on.
    ProviderStripsClickId,
    /// This provider passes nothing on about ads.
    ProviderReportsNothing,
    /// This version of the provider's format passes nothing on about ads; another one does.
    ProviderVersion,
    /// There was a referral, and it could not be read.
    ReferralMalformed,
}

impl Cause {
    /// Every cause.
    pub const ALL: [Cause; 5] = [
        Cause::StatusPlacement,
        Cause::ProviderStripsClickId,
        Cause::ProviderReportsNothing,
        Cause::ProviderVersion,
        Cause::ReferralMalformed,
    ];

    /// The name, as in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Cause::StatusPlacement => "status_placement",
            Cause::ProviderStripsClickId => "provider_strips_click_id",
            Cause::ProviderReportsNothing => "provider_reports_nothing",
            Cause::ProviderVersion => "provider_version",
            Cause::ReferralMalformed => "referral_malformed",
        }
    }
}

/// One arrival from an ad, a post or a link.
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
    /// What was reported; empty where it could not be read, and where only the text's code tells.
    pub referral: Referral,
    /// The configured link whose code the text holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<Box<Link>>,
    /// When the business first wrote to the person after it, as far as is reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_at: Option<Timestamp>,
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
            (None, None) if self.link.is_some() => AttributionState::CodeInText,
            (None, None) => AttributionState::NotReported,
        }
    }

    /// Why it does not tell everything.
    #[must_use]
    pub fn cause(&self) -> Option<Cause> {
        match self.state() {
            AttributionState::AdWithoutClickId if self.referral.click_id_stripped => {
                Some(Cause::ProviderStripsClickId)
            }
            AttributionState::AdWithoutClickId => Some(Cause::StatusPlacement),
            AttributionState::NotReported => Some(Cause::ReferralMalformed),
            AttributionState::Complete if self.ad_id().is_none() => Some(Cause::ReferralMalformed),
            _ => None,
        }
    }

    /// What it came from, where a click id does not tell: the ad, the post, or the link's code.
    #[must_use]
    pub fn origin(&self) -> Option<&str> {
        let code = || self.link.as_ref().map(|link| link.code.as_str());
        self.referral.source_id.as_deref().or_else(code)
    }

    /// Whether `other`, not before this one, is the same arrival.
    fn is_same(&self, other: &Touch) -> bool {
        match (&self.referral.ctwa_clid, &other.referral.ctwa_clid) {
            (Some(mine), Some(theirs)) => mine == theirs,
            _ => {
                self.origin().is_some()
                    && self.origin() == other.origin()
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
    /// Whether a message came by a version of a provider's format that names no ads, where another does.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub version_is_silent: bool,
}

impl Attribution {
    /// Records what a message says of its ad, and whether its text holds a link's code; `touch` makes the
    /// touch when there is one to keep.
    pub fn record(&mut self, report: &ReferralReport, has_code: bool, touch: impl FnOnce(Referral) -> Touch) {
        match report {
            ReferralReport::Unreported => {}
            ReferralReport::UnreportedByVersion => self.version_is_silent = true,
            _ => self.would_be_reported = true,
        }
        match report {
            ReferralReport::Present(referral) => self.add(touch((**referral).clone())),
            ReferralReport::Malformed => self.add(touch(Referral::default())),
            _ if has_code => self.add(touch(Referral::default())),
            _ => {}
        }
    }

    /// Records that the business wrote from a number. Evidence comes in its order, so the first is kept.
    pub fn answered(&mut self, business_number: &str, at: Timestamp) {
        for touch in &mut self.touches {
            if touch.answered_at.is_none() && touch.business_number.as_deref() == Some(business_number) {
                touch.answered_at = Some(at);
            }
        }
    }

    fn add(&mut self, touch: Touch) {
        let Some(known) = self.touches.iter_mut().rev().find(|known| known.is_same(&touch)) else {
            self.touches.push(touch);
            return;
        };
        known.referral.fill(&touch.referral);
        if known.link.is_none() {
            known.link = touch.link;
        }
        known.answered_at = [known.answered_at, touch.answered_at].into_iter().flatten().min();
        known.reported_by.extend(touch.reported_by);
        known.reported_by.sort_unstable();
        known.reported_by.dedup();
    }

    /// Adds another person's touches to this one's, where the two turn out to be one.
    pub fn merge(&mut self, other: Attribution) {
        self.would_be_reported |= other.would_be_reported;
        self.version_is_silent |= other.version_is_silent;
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
            None if self.version_is_silent => (AttributionState::NotReported, Some(Cause::ProviderVersion)),
            None => (AttributionState::NotReported, Some(Cause::ProviderReportsNothing)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chatbot::Utm;
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
            link: None,
            answered_at: None,
        }
    }

    fn with_code(touch: Touch, code: &str) -> Touch {
        Touch { link: Some(Box::new(Link { code: code.into(), utm: Utm::default() })), ..touch }
    }

    fn stripped(mut touch: Touch) -> Touch {
        touch.referral.click_id_stripped = true;
        touch
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
        let cases = [
            (
                stripped(touch(1, None, "ad", Some("1"))),
                S::AdWithoutClickId,
                Some(Cause::ProviderStripsClickId),
            ),
            (with_code(touch(1, None, "ad", None), "IGBIO"), S::CodeInText, None),
            (with_code(touch(1, Some("c"), "ad", Some("1")), "IGBIO"), S::Complete, None),
            (with_code(touch(1, None, "post", Some("1")), "IGBIO"), S::OrganicPost, None),
        ];
        for (touch, state, cause) in cases {
            assert_eq!((touch.state(), touch.cause()), (state, cause));
        }
    }

    #[test]
    fn the_names_are_those_of_json_and_the_best_state_is_the_greatest() {
        for state in AttributionState::ALL {
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
        }
        for cause in Cause::ALL {
            assert_eq!(serde_json::to_value(cause).unwrap(), cause.as_str());
        }
        assert!(AttributionState::ALL.is_sorted_by(|better, worse| better > worse));
    }

    #[test]
    fn a_code_sent_twice_is_one_touch_and_what_an_ad_says_keeps_it() {
        let link = |code: &str| Some(Box::new(Link { code: code.into(), utm: Utm::default() }));
        let record = |attribution: &mut Attribution, second, report: &ReferralReport, code| {
            attribution.record(report, true, |referral| Touch {
                referral,
                link: link(code),
                ..touch(second, None, "", None)
            });
        };
        let mut attribution = Attribution::default();
        record(&mut attribution, 0, &ReferralReport::Unreported, "IGBIO");
        record(&mut attribution, 60, &ReferralReport::Unreported, "IGBIO");
        record(&mut attribution, 90, &ReferralReport::Unreported, "FLYER");
        assert_eq!(attribution.touches.len(), 2);
        assert_eq!(attribution.state(), (AttributionState::CodeInText, None));
        let ad = touch(0, Some("c"), "ad", Some("7")).referral;
        record(&mut attribution, 120, &ReferralReport::Present(Box::new(ad)), "IGBIO");
        assert_eq!(attribution.touches.len(), 3);
        assert_eq!(attribution.touches[2].link, link("IGBIO"));
        assert_eq!(attribution.state(), (AttributionState::Complete, None));
    }

    #[test]
    fn the_first_answer_on_the_same_number_counts() {
        let on = |number: &str, second| Touch {
            business_number: Some(number.into()),
            ..touch(second, Some(&second.to_string()), "ad", Some("7"))
        };
        let second = |n| Timestamp::from_second(n).unwrap();
        let mut attribution = Attribution::default();
        attribution.add(on("+1", 0));
        attribution.add(on("+2", 10));
        attribution.answered("+1", second(20));
        attribution.add(on("+1", 30));
        attribution.answered("+1", second(40));
        let answered: Vec<_> = attribution.touches.iter().map(|touch| touch.answered_at).collect();
        assert_eq!(answered, [Some(second(20)), None, Some(second(40))]);
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
        attribution.record(&ReferralReport::Unreported, false, |_| unreachable_touch());
        assert_eq!(attribution.state(), (AttributionState::NotReported, Some(Cause::ProviderReportsNothing)));
        attribution.record(&ReferralReport::UnreportedByVersion, false, |_| unreachable_touch());
        assert_eq!(attribution.state(), (AttributionState::NotReported, Some(Cause::ProviderVersion)));
        attribution.record(&ReferralReport::Absent, false, |_| unreachable_touch());
        assert_eq!(attribution.state(), (AttributionState::None, None));
    }

    fn unreachable_touch() -> Touch {
        panic!("an absent referral makes no touch")
    }
}
