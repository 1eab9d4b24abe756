//! The verdict: may a rep write freely to this person, from this number, until when.
//!
//! In: who was found, the rules of the configuration, and how the store and the clock stand. Out: the
//! verdict as the API and the command line print it. Where the view may be stale it says so and never opens.

use super::find::Found;
use crate::clock::{Clock, ClockWatch};
use crate::config::Config;
use crate::store::{Inbox, StoreError};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use std::collections::BTreeSet;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType, Type};
use wabridge_model::Phone;
use wabridge_model::consent::Consents;
use wabridge_model::id::{EventId, LeadId};
use wabridge_model::window::{Act, Doubt, MaySend, Policy, Reason, Templates, Window, judge};

/// Projection further behind the acknowledgements than this makes every verdict doubtful.
const BEHIND: SignedDuration = SignedDuration::from_secs(5);

/// The instant a verdict is for, and how far it can be trusted.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// The instant.
    pub now: Timestamp,
    /// Everything received before this is in the answer.
    pub as_of: Timestamp,
    /// Why the answer may be wrong.
    pub doubt: Option<Doubt>,
}

impl Moment {
    /// How store and clock stand. Read before the lead, so that `as_of` never promises too much.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn read(store: &dyn Inbox, clock: &dyn Clock, watch: &ClockWatch) -> Result<Moment, StoreError> {
        let before = clock.now();
        let backlog = store.backlog()?;
        // Again: a request may have come between, and that is no reason to doubt the clock.
        let now = clock.now();
        let unsure = watch.is_unsure(clock) || backlog.newest_receipt.is_some_and(|newest| now < newest);
        let behind = backlog.oldest.is_some_and(|oldest| now.duration_since(oldest) > BEHIND);
        let doubt = match (unsure, behind) {
            (true, _) => Some(Doubt::ClockUnsure),
            (false, true) => Some(Doubt::CatchingUp),
            (false, false) => None,
        };
        Ok(Moment { now, as_of: backlog.oldest.map_or(before, |oldest| oldest.min(before)), doubt })
    }

    /// Another instant, judged by the evidence up to it: neither clock nor backlog matter there.
    #[must_use]
    pub fn at(self, at: Option<Timestamp>) -> Moment {
        at.map_or(self, |at| Moment { now: at, doubt: None, ..self })
    }
}

/// The verdict of one person and one business number.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Verdict)]
pub struct VerdictView {
    /// The person's number; null where none is known.
    pub phone: Option<String>,
    /// The lead; null where the person is unknown.
    #[schema(value_type = Option<uuid::Uuid>)]
    pub lead_id: Option<LeadId>,
    /// Our number, which the window is with.
    pub business_number: String,
    /// What may be sent: anything, approved templates only, or nothing.
    #[schema(schema_with = may_send_names)]
    pub may_send: MaySend,
    /// Until when free text is allowed, the configured margin taken off; in the past where the window closed.
    pub free_text_until: Option<Timestamp>,
    /// When the person last did something that counts.
    pub last_inbound_at: Option<Timestamp>,
    /// What that was: `text`, `image`, `call` and so on.
    pub last_inbound_kind: Option<String>,
    /// Which templates may be sent.
    #[schema(schema_with = templates_names)]
    pub templates: Templates,
    /// Until when messages cost nothing after an ad: price, not permission.
    pub free_entry_until: Option<Timestamp>,
    /// Whether the person stopped marketing messages.
    pub marketing_opt_out: bool,
    /// Why the verdict is what it is.
    #[schema(schema_with = reason_names)]
    pub reason: Reason,
    /// The event behind `last_inbound_at`.
    pub evidence: Option<EvidenceView>,
    /// Everything received before this instant is in the answer.
    pub as_of: Timestamp,
}

/// The event that a verdict rests on.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Evidence)]
pub struct EvidenceView {
    /// The event.
    #[schema(value_type = uuid::Uuid)]
    pub event_id: EventId,
    /// The provider that proved it best.
    pub provider: String,
    /// The channels that reported it.
    pub reported_by: Vec<String>,
    /// When it was received first.
    pub received_at: Timestamp,
}

/// One verdict where a business number was named, else one for each number.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Answer {
    /// For the business number that was named.
    One(Box<VerdictView>),
    /// For each number the person wrote to, else for each that is configured.
    Each {
        /// The verdicts, in the order of the numbers.
        items: Vec<VerdictView>,
    },
}

impl Answer {
    /// The verdicts.
    #[must_use]
    pub fn items(&self) -> &[VerdictView] {
        match self {
            Answer::One(verdict) => std::slice::from_ref(verdict),
            Answer::Each { items } => items,
        }
    }
}

/// Judges a person's windows.
#[must_use]
pub fn answer(found: &Found, business: Option<&Phone>, moment: Moment, config: &Config) -> Answer {
    let desk = Desk { found, moment, policy: policy(config) };
    if let Some(number) = business {
        return Answer::One(Box::new(desk.verdict(number.e164())));
    }
    let mut items: Vec<VerdictView> = desk.written_to().map(|number| desk.verdict(number)).collect();
    if items.is_empty() {
        items = business_numbers(config).iter().map(|number| desk.verdict(number)).collect();
    }
    Answer::Each { items }
}

/// The configured rules of the verdict.
#[must_use]
pub fn policy(config: &Config) -> Policy {
    Policy {
        margin: SignedDuration::from_secs(config.window.margin_seconds.into()),
        reactions_extend: config.window.reactions_extend,
        consent_required: config.consent.required,
    }
}

/// Every business number of the configuration, once.
#[must_use]
pub fn business_numbers(config: &Config) -> BTreeSet<String> {
    let of = |channel: &'_ crate::config::Channel| {
        let numbers = channel.business_numbers.values().chain(&channel.business_number);
        numbers.map(|number| number.e164().to_owned()).collect::<Vec<_>>()
    };
    config.channels.iter().flat_map(of).collect()
}

struct Desk<'a> {
    found: &'a Found,
    moment: Moment,
    policy: Policy,
}

impl Desk<'_> {
    /// The numbers the person did something with that counts.
    fn written_to(&self) -> impl Iterator<Item = &str> {
        let windows = match self.found {
            Found::Lead(person) => Some(&person.lead.windows),
            Found::Nobody(_) => None,
        };
        let counts = |window: &Window| {
            window.inbound.is_some() || (self.policy.reactions_extend && window.reaction.is_some())
        };
        let windows = windows.into_iter().flatten().filter(move |(_, window)| counts(window));
        windows.map(|(number, _)| number.as_str())
    }

    fn verdict(&self, business_number: &str) -> VerdictView {
        let nothing = Consents::default();
        let (phone, lead_id, window, consents) = match self.found {
            Found::Lead(person) => {
                let lead = &person.lead;
                (lead.phone(), Some(person.id), lead.windows.get(business_number), &lead.consents)
            }
            Found::Nobody(phone) => (phone.as_ref().map(Phone::e164), None, None, &nothing),
        };
        let Moment { now, as_of, doubt } = self.moment;
        let verdict = judge(window, consents, now, self.policy, doubt);
        VerdictView {
            phone: phone.map(str::to_owned),
            lead_id,
            business_number: business_number.to_owned(),
            may_send: verdict.may_send,
            free_text_until: verdict.free_text_until,
            last_inbound_at: verdict.last_inbound.as_ref().map(|act| act.at),
            last_inbound_kind: verdict.last_inbound.as_ref().map(|act| act.kind.clone()),
            templates: verdict.templates,
            free_entry_until: verdict.free_entry_until,
            marketing_opt_out: verdict.marketing_opt_out,
            reason: verdict.reason,
            evidence: verdict.last_inbound.map(evidence),
            as_of,
        }
    }
}

fn evidence(act: Act) -> EvidenceView {
    let Act { event_id, provider, reported_by, received_at, .. } = act;
    EvidenceView { event_id, provider, reported_by, received_at }
}

/// The schema of a closed list of names; `None` stands for null.
pub(crate) fn names<'a>(what: &str, of: impl IntoIterator<Item = impl Into<Option<&'a str>>>) -> Object {
    let values: Vec<Option<&str>> = of.into_iter().map(Into::into).collect();
    let kinds = match values.contains(&None) {
        true => SchemaType::from_iter([Type::String, Type::Null]),
        false => SchemaType::new(Type::String),
    };
    ObjectBuilder::new().schema_type(kinds).description(Some(what)).enum_values(Some(values)).build()
}

fn may_send_names() -> Object {
    names(
        "What may be sent: anything, approved templates only, or nothing",
        ["free_text", "template_only", "nothing"],
    )
}

fn templates_names() -> Object {
    names("Which templates may be sent", ["any", "utility_only", "none"])
}

fn reason_names() -> Object {
    names(
        "Why the verdict is what it is",
        [
            "customer_wrote",
            "customer_called",
            "window_closed",
            "number_changed",
            "catching_up",
            "never_wrote",
            "provider_refused",
            "opted_out",
            "consent_withdrawn",
            "clock_unsure",
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SetClock;
    use crate::store::{Aside, Backlog, Later, Prepared, Request, Stored};
    use std::time::Duration;

    struct Standing(Backlog);

    impl Inbox for Standing {
        fn append(&self, _: Request) -> Later<Result<(), StoreError>> {
            Box::pin(async { Ok(()) })
        }
        fn claim(&self, _: usize) -> Result<Vec<Stored>, StoreError> {
            Ok(Vec::new())
        }
        fn settle(&self, prepared: Vec<Prepared>) -> Result<usize, StoreError> {
            Ok(prepared.len())
        }
        fn claim_aside(&self) -> Result<Option<Stored>, StoreError> {
            Ok(None)
        }
        fn settle_aside(&self, _: Aside) -> Result<Option<Aside>, StoreError> {
            Ok(None)
        }
        fn in_hand(&self, _: Option<i64>) {}
        fn probe(&self) -> Result<(), StoreError> {
            Ok(())
        }
        fn backlog(&self) -> Result<Backlog, StoreError> {
            Ok(self.0)
        }
    }

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + second).unwrap()
    }

    #[test]
    fn the_clock_is_doubted_before_the_backlog_and_both_only_past_their_bounds() {
        use Doubt::{CatchingUp, ClockUnsure};
        let cases = [
            (None, None, None, 0),
            (None, Some(0), None, 0),
            (None, Some(1), Some(ClockUnsure), 0),
            (Some(-5), Some(0), None, -5),
            (Some(-6), Some(0), Some(CatchingUp), -6),
            (Some(-6), Some(1), Some(ClockUnsure), -6),
        ];
        for (oldest, newest, doubt, as_of) in cases {
            let backlog =
                Backlog { waiting: 0, oldest: oldest.map(second), newest_receipt: newest.map(second) };
            let clock = SetClock::at(second(0));
            let moment = Moment::read(&Standing(backlog), &clock, &ClockWatch::new(&clock)).unwrap();
            assert_eq!((moment.doubt, moment.as_of), (doubt, second(as_of)), "{backlog:?}");
            assert_eq!(moment.at(Some(second(-99))).doubt, None);
        }
    }

    #[test]
    fn a_clock_that_stepped_is_doubted() {
        let clock = SetClock::at(second(0));
        let watch = ClockWatch::new(&clock);
        clock.step_to(second(600));
        let read = || Moment::read(&Standing(Backlog::default()), &clock, &watch).unwrap().doubt;
        assert_eq!(read(), Some(Doubt::ClockUnsure));
        clock.pass(Duration::from_secs(60));
        assert_eq!(read(), None);
    }

    #[test]
    fn the_described_reasons_are_those_that_exist() {
        use Reason as R;
        let all = [
            R::CustomerWrote,
            R::CustomerCalled,
            R::WindowClosed,
            R::NumberChanged,
            R::CatchingUp,
            R::NeverWrote,
            R::ProviderRefused,
            R::OptedOut,
            R::ConsentWithdrawn,
            R::ClockUnsure,
        ];
        let described = serde_json::to_value(reason_names()).unwrap()["enum"].clone();
        assert_eq!(described, serde_json::to_value(all).unwrap());
    }
}
