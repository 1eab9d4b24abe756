//! The 24-hour service window of one person with one business number, and the verdict a rep relies on.
//!
//! In: what the customer did, what a provider refused, what the person asked for. Out: a [`Verdict`].
//! It is one-sided: never open when the evidence says closed. Meta's rule is described at
//! <https://developers.facebook.com/docs/whatsapp/cloud-api/guides/send-messages>.

use crate::consent::{self, Consents};
use crate::id::EventId;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// How long a customer's act keeps the window open.
pub const WINDOW: SignedDuration = SignedDuration::from_hours(24);
/// How long Meta charges nothing after the business answered an ad-born message. Price, not permission.
pub const FREE_ENTRY: SignedDuration = SignedDuration::from_hours(72);

/// One act of the customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Act {
    /// When (effective time).
    pub at: Timestamp,
    /// `text`, `image`, ... or `call`.
    pub kind: String,
    /// The event.
    pub event_id: EventId,
    /// The provider that proved it best.
    pub provider: String,
    /// The channels that reported it.
    pub reported_by: Vec<String>,
    /// When it was received first.
    pub received_at: Timestamp,
}

/// What is known of one person's window with one business number.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Window {
    /// The newest act, reactions aside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inbound: Option<Act>,
    /// The newest reaction: whether it counts is configuration, so it is kept apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reaction: Option<Act>,
    /// When a provider last refused free text because the window was closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused_at: Option<Timestamp>,
    /// When the person last gave up the number they wrote from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number_changed_at: Option<Timestamp>,
    /// The newest message that came from an ad and is not yet answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ad_unanswered_since: Option<Timestamp>,
    /// When the newest free entry point ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub free_entry_until: Option<Timestamp>,
    /// The newest choice about marketing messages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub marketing: Option<Choice>,
    /// The newest choice about any contact at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact: Option<Choice>,
    /// How often a provider refused free text while this window was open by the evidence.
    #[serde(skip_serializing_if = "is_zero")]
    pub broken_promises: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// A person's choice about messages to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Choice {
    /// When.
    pub at: Timestamp,
    /// No more of them.
    pub stopped: bool,
    /// The person wrote so, in words.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[serde(default)]
    pub in_words: bool,
}

impl Choice {
    /// Whether it says stop, and nothing was written in a later second.
    fn stands(&self, act: Option<&Act>) -> bool {
        self.stopped && act.is_none_or(|act| not_before(Some(self.at), act))
    }
}

impl Window {
    /// Records an act. Acts come in the order of evidence, so a later one replaces.
    pub fn extend(&mut self, act: Act) {
        self.inbound = Some(act);
    }

    /// Records a provider's refusal. The first one in an open window broke a promise of ours.
    pub fn refuse(&mut self, at: Timestamp) {
        if let Some(act) = &self.inbound
            && at < act.at + WINDOW
            && !not_before(self.refused_at, act)
        {
            self.broken_promises += 1;
        }
        self.refused_at = self.refused_at.max(Some(at));
    }

    /// Records that the person wants no contact at all, or wants it again.
    ///
    /// What they wrote, only they themselves take back: some providers opt a person in again with any message.
    pub fn choose_contact(&mut self, choice: Choice) {
        if self.contact.is_some_and(|known| known.stopped && known.in_words) && !choice.in_words {
            return;
        }
        self.contact = Some(choice);
        self.marketing = Some(choice);
    }

    /// Records that the business answered, which opens the free entry point of an ad-born message.
    pub fn answered(&mut self, at: Timestamp) {
        if let Some(since) = self.ad_unanswered_since.take()
            && at.duration_since(since) <= WINDOW
        {
            self.free_entry_until = Some(at + FREE_ENTRY);
        }
    }

    /// Joins the window of another lead that turned out to be the same person.
    pub fn merge(&mut self, other: Window) {
        let newest = |window: &Window| window.inbound.as_ref().map(|act| (act.at, act.event_id));
        let (late, early) = if newest(&other) > newest(self) {
            (other, std::mem::take(self))
        } else {
            (std::mem::take(self), other)
        };
        let reaction = match (late.reaction, early.reaction) {
            (Some(a), Some(b)) => Some(if (a.at, a.event_id) >= (b.at, b.event_id) { a } else { b }),
            (a, b) => a.or(b),
        };
        *self = Window {
            inbound: late.inbound,
            reaction,
            refused_at: late.refused_at.max(early.refused_at),
            // A change closes what the given-up number opened, not what the kept one opens.
            number_changed_at: late.number_changed_at,
            ad_unanswered_since: late.ad_unanswered_since.max(early.ad_unanswered_since),
            free_entry_until: late.free_entry_until.max(early.free_entry_until),
            marketing: late.marketing.max(early.marketing),
            contact: late.contact.max(early.contact),
            broken_promises: late.broken_promises + early.broken_promises,
        };
    }

    fn newest_act(&self, reactions_extend: bool) -> Option<&Act> {
        let reaction = self.reaction.as_ref().filter(|_| reactions_extend);
        match (&self.inbound, reaction) {
            (Some(act), Some(reaction)) if reaction.at > act.at => Some(reaction),
            (Some(act), _) => Some(act),
            (None, reaction) => reaction,
        }
    }
}

/// The configured rules of the verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Taken off the end of the window.
    pub margin: SignedDuration,
    /// Whether a reaction extends the window.
    pub reactions_extend: bool,
    /// Whether contact needs consent.
    pub consent_required: bool,
}

impl Default for Policy {
    fn default() -> Policy {
        Policy { margin: SignedDuration::from_secs(120), reactions_extend: false, consent_required: false }
    }
}

/// Why the bridge does not trust its own view at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// Projection is behind the acknowledgements.
    CatchingUp,
    /// The wall clock stepped, or is before the newest receipt.
    ClockUnsure,
}

/// What may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaySend {
    /// Anything.
    FreeText,
    /// Approved templates only.
    TemplateOnly,
    /// Nothing at all.
    Nothing,
}

/// Which templates may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Templates {
    /// All of them.
    Any,
    /// No marketing.
    UtilityOnly,
    /// None.
    None,
}

/// Why the verdict is what it is. A closed list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// A message opened the window.
    CustomerWrote,
    /// A call opened the window.
    CustomerCalled,
    /// More than 24 hours (and not the margin) since the last act.
    WindowClosed,
    /// The person gave up the number; the new one has not written.
    NumberChanged,
    /// Projection is behind: an answer now might be stale.
    CatchingUp,
    /// No act of this person with this number is known.
    NeverWrote,
    /// A provider refused free text while the window seemed open.
    ProviderRefused,
    /// The person asked for no contact at all, and has not written since.
    OptedOut,
    /// Consent is required and was withdrawn.
    ConsentWithdrawn,
    /// The clock cannot be trusted now.
    ClockUnsure,
}

/// May a rep write freely to this person from this number, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What may be sent.
    pub may_send: MaySend,
    /// Until when free text is allowed; `None` where it is not, and no instant would be true.
    pub free_text_until: Option<Timestamp>,
    /// The act that counts.
    pub last_inbound: Option<Act>,
    /// Which templates.
    pub templates: Templates,
    /// When the free entry point ends, while it runs.
    pub free_entry_until: Option<Timestamp>,
    /// Whether the person stopped marketing messages.
    pub marketing_opt_out: bool,
    /// Why.
    pub reason: Reason,
}

/// Judges one window at an instant.
#[must_use]
pub fn judge(
    window: Option<&Window>,
    consents: &Consents,
    now: Timestamp,
    policy: Policy,
    doubt: Option<Doubt>,
) -> Verdict {
    let unknown = Window::default();
    let window = window.unwrap_or(&unknown);
    let act = window.newest_act(policy.reactions_extend);
    let until = act.map(|act| act.at + WINDOW - policy.margin);
    let forbidden = policy.consent_required && consents.is_withdrawn(consent::CRM);
    let reason = reason(window, act, now, until, forbidden, doubt);
    let may_send = match reason {
        Reason::CustomerWrote | Reason::CustomerCalled => MaySend::FreeText,
        Reason::ConsentWithdrawn | Reason::OptedOut => MaySend::Nothing,
        _ => MaySend::TemplateOnly,
    };
    let opted_out =
        window.marketing.is_some_and(|choice| choice.stopped) || consents.is_withdrawn(consent::ADVERTISING);
    Verdict {
        may_send,
        free_text_until: until.filter(|_| may_send == MaySend::FreeText || reason == Reason::WindowClosed),
        last_inbound: act.cloned(),
        templates: match may_send {
            MaySend::Nothing => Templates::None,
            _ if opted_out => Templates::UtilityOnly,
            _ => Templates::Any,
        },
        free_entry_until: window.free_entry_until.filter(|until| *until > now),
        marketing_opt_out: opted_out,
        reason,
    }
}

fn reason(
    window: &Window,
    act: Option<&Act>,
    now: Timestamp,
    until: Option<Timestamp>,
    forbidden: bool,
    doubt: Option<Doubt>,
) -> Reason {
    match (act, doubt) {
        _ if forbidden => Reason::ConsentWithdrawn,
        // Who writes again asks for an answer; marketing stays stopped until they say otherwise.
        (act, _) if window.contact.is_some_and(|choice| choice.stands(act)) => Reason::OptedOut,
        (_, Some(Doubt::ClockUnsure)) => Reason::ClockUnsure,
        (_, Some(Doubt::CatchingUp)) => Reason::CatchingUp,
        (None, None) => Reason::NeverWrote,
        (Some(act), None) if not_before(window.number_changed_at, act) => Reason::NumberChanged,
        (Some(act), None) if not_before(window.refused_at, act) => Reason::ProviderRefused,
        (Some(_), None) if until.is_none_or(|until| now >= until) => Reason::WindowClosed,
        (Some(act), None) if act.kind == "call" => Reason::CustomerCalled,
        (Some(_), None) => Reason::CustomerWrote,
    }
}

/// Whether something that closes came in the second of an act or later. Providers' times have whole
/// seconds: within one the order is unknown, and the verdict is one-sided.
fn not_before(closed_at: Option<Timestamp>, act: &Act) -> bool {
    closed_at.is_some_and(|at| at.as_second() >= act.at.as_second())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consent::{Consent, ConsentState};
    use crate::id::EventKey;
    use std::collections::HashSet;

    const MS: SignedDuration = SignedDuration::from_millis(1);
    const SECOND: SignedDuration = SignedDuration::from_secs(1);
    const HOUR: SignedDuration = SignedDuration::from_hours(1);
    const NONE: SignedDuration = SignedDuration::ZERO;

    /// When the customer acts in these tests.
    fn start() -> Timestamp {
        Timestamp::from_second(1_790_000_000).expect("an instant of 2026")
    }

    fn act(at: Timestamp, kind: &str) -> Act {
        Act {
            at,
            kind: kind.to_owned(),
            event_id: EventKey::new("t", &[kind, &at.to_string()]).event_id(),
            provider: "meta".to_owned(),
            reported_by: vec!["one".to_owned()],
            received_at: at,
        }
    }

    /// The window of a customer whose only act was at the start.
    fn opened_by(kind: &str) -> Window {
        Window { inbound: Some(act(start(), kind)), ..Window::default() }
    }

    fn with_choice(window: &Window, after: SignedDuration, stopped: bool) -> Window {
        let mut window = window.clone();
        window.choose_contact(Choice { at: start() + after, stopped, in_words: true });
        window
    }

    fn said(purpose: Option<&str>, state: ConsentState) -> Consents {
        let mut consents = Consents::default();
        consents.record(Consent {
            purpose: purpose.map(str::to_owned),
            state,
            at: start(),
            text_version: None,
            language: None,
            event_id: EventKey::new("t", &["consent"]).event_id(),
        });
        consents
    }

    /// The verdict under the default policy, so long after the start.
    fn after(time: SignedDuration, window: &Window) -> Verdict {
        judge(Some(window), &Consents::default(), start() + time, Policy::default(), None)
    }

    #[test]
    fn every_reason_comes_up_and_says_what_may_be_sent() {
        let wrote = opened_by("text");
        let changed = Window { number_changed_at: Some(start() + SECOND), ..wrote.clone() };
        let refused = Window { refused_at: Some(start() + SECOND), ..wrote.clone() };
        let stopped = with_choice(&wrote, SECOND, true);
        let strict = Policy { consent_required: true, ..Policy::default() };
        let withdrawn = said(Some(consent::CRM), ConsentState::Withdrawn);
        let doubted = |doubt| {
            let now = start() + HOUR;
            judge(Some(&wrote), &Consents::default(), now, Policy::default(), Some(doubt))
        };
        let cases = [
            (Reason::CustomerWrote, after(HOUR, &wrote)),
            (Reason::CustomerCalled, after(HOUR, &opened_by("call"))),
            (Reason::WindowClosed, after(WINDOW, &wrote)),
            (Reason::NumberChanged, after(HOUR, &changed)),
            (Reason::CatchingUp, doubted(Doubt::CatchingUp)),
            (Reason::NeverWrote, after(HOUR, &Window::default())),
            (Reason::ProviderRefused, after(HOUR, &refused)),
            (Reason::OptedOut, after(HOUR, &stopped)),
            (Reason::ConsentWithdrawn, judge(Some(&wrote), &withdrawn, start() + HOUR, strict, None)),
            (Reason::ClockUnsure, doubted(Doubt::ClockUnsure)),
        ];
        for (reason, verdict) in &cases {
            let (may_send, templates, has_end) = match reason {
                Reason::CustomerWrote | Reason::CustomerCalled => (MaySend::FreeText, Templates::Any, true),
                Reason::WindowClosed => (MaySend::TemplateOnly, Templates::Any, true),
                Reason::NumberChanged
                | Reason::CatchingUp
                | Reason::NeverWrote
                | Reason::ProviderRefused
                | Reason::ClockUnsure => (MaySend::TemplateOnly, Templates::Any, false),
                Reason::ConsentWithdrawn | Reason::OptedOut => (MaySend::Nothing, Templates::None, false),
            };
            assert_eq!(verdict.reason, *reason);
            assert_eq!(verdict.may_send, may_send, "{reason:?}");
            assert_eq!(verdict.templates, templates, "{reason:?}");
            assert_eq!(verdict.free_text_until.is_some(), has_end, "{reason:?}");
            assert_eq!(verdict.last_inbound.is_some(), *reason != Reason::NeverWrote, "{reason:?}");
        }
        assert_eq!(cases.iter().map(|(reason, _)| reason).collect::<HashSet<_>>().len(), 10);
    }

    #[test]
    fn a_person_of_whom_no_window_is_known_never_wrote() {
        let verdict = judge(None, &Consents::default(), start(), Policy::default(), None);
        assert_eq!(verdict, after(NONE, &Window::default()));
        assert_eq!(verdict.reason, Reason::NeverWrote);
    }

    #[test]
    fn free_text_ends_to_the_millisecond_one_margin_before_24_hours_have_passed() {
        let window = opened_by("text");
        for margin in [SignedDuration::from_secs(120), NONE] {
            let end = SignedDuration::from_hours(24) - margin;
            let cases = [
                (NONE, Reason::CustomerWrote),
                (end - MS, Reason::CustomerWrote),
                (end, Reason::WindowClosed),
                (end + MS, Reason::WindowClosed),
                (end + WINDOW, Reason::WindowClosed),
            ];
            for (time, reason) in cases {
                let policy = Policy { margin, ..Policy::default() };
                let verdict = judge(Some(&window), &Consents::default(), start() + time, policy, None);
                assert_eq!(verdict.reason, reason, "{margin} {time}");
                assert_eq!(verdict.free_text_until, Some(start() + end), "{margin} {time}");
            }
        }
        assert_eq!(Policy::default().margin, SignedDuration::from_secs(120));
    }

    #[test]
    fn a_refusal_or_a_number_change_closes_the_window_unless_the_act_is_later() {
        // Within one second the order is unknown, and the verdict is one-sided.
        let cases = [(-SECOND, false), (NONE, true), (MS, true), (SECOND, true)];
        for (time, closes) in cases {
            let at = start() + time;
            let mut refused = opened_by("text");
            refused.refuse(at);
            let changed = Window { number_changed_at: Some(at), ..opened_by("text") };
            for (mut window, closed) in [(refused, Reason::ProviderRefused), (changed, Reason::NumberChanged)]
            {
                let reason = if closes { closed } else { Reason::CustomerWrote };
                assert_eq!(after(HOUR, &window).reason, reason, "{time}");
                window.extend(act(start() + SECOND * 2, "text"));
                assert_eq!(after(HOUR, &window).reason, Reason::CustomerWrote, "{time}, then a new act");
            }
        }
    }

    #[test]
    fn an_earlier_refusal_that_arrives_late_does_not_replace_a_later_one() {
        let mut window = opened_by("text");
        window.refuse(start() + HOUR);
        window.refuse(start() - HOUR);
        assert_eq!(window.refused_at, Some(start() + HOUR));
    }

    #[test]
    fn a_joined_window_is_closed_by_a_number_change_only_if_its_newest_act_is_of_that_number() {
        let given_up = Window { number_changed_at: Some(start() + 2 * HOUR), ..opened_by("text") };
        for (newer, reason) in [(HOUR, Reason::CustomerWrote), (-HOUR, Reason::NumberChanged)] {
            let kept = Window { inbound: Some(act(start() + newer, "text")), ..Window::default() };
            for (mut one, other) in [(given_up.clone(), kept.clone()), (kept, given_up.clone())] {
                one.merge(other);
                assert_eq!(after(3 * HOUR, &one).reason, reason, "{newer}");
            }
        }
    }

    #[test]
    fn a_reaction_extends_the_window_only_where_the_policy_says_so() {
        let reaction = |time: SignedDuration| Some(act(start() + time, "reaction"));
        let alone = Window { reaction: reaction(NONE), ..Window::default() };
        let later = Window { reaction: reaction(HOUR), ..opened_by("text") };
        let at_once = Window { reaction: reaction(NONE), ..opened_by("text") };
        let earlier = Window { reaction: reaction(-HOUR), ..opened_by("text") };
        // The window, whether reactions extend it, the kind of the act that counts, when that was.
        let cases = [
            (&alone, false, None),
            (&alone, true, Some(("reaction", NONE))),
            (&later, false, Some(("text", NONE))),
            (&later, true, Some(("reaction", HOUR))),
            (&at_once, true, Some(("text", NONE))),
            (&earlier, true, Some(("text", NONE))),
        ];
        for (window, reactions_extend, counts) in cases {
            let policy = Policy { reactions_extend, ..Policy::default() };
            let verdict = judge(Some(window), &Consents::default(), start() + HOUR, policy, None);
            let found = verdict.last_inbound.as_ref().map(|act| (act.kind.as_str(), act.at));
            assert_eq!(found, counts.map(|(kind, time)| (kind, start() + time)));
            let end = counts.map(|(_, time)| start() + time + WINDOW - policy.margin);
            assert_eq!(verdict.free_text_until, end);
            let reason = if counts.is_some() { Reason::CustomerWrote } else { Reason::NeverWrote };
            assert_eq!(verdict.reason, reason);
        }
    }

    #[test]
    fn consent_withdrawn_forbids_everything_only_where_consent_is_required_and_for_the_crm() {
        use ConsentState::{Given, Withdrawn};
        let cases = [
            (Consents::default(), false),
            (said(Some(consent::CRM), Given), false),
            (said(Some(consent::CRM), Withdrawn), true),
            (said(None, Withdrawn), true),
            (said(Some(consent::ADVERTISING), Withdrawn), false),
        ];
        for (consents, withdrawn) in cases {
            for consent_required in [false, true] {
                let policy = Policy { consent_required, ..Policy::default() };
                let verdict = judge(Some(&opened_by("text")), &consents, start() + HOUR, policy, None);
                let forbidden = consent_required && withdrawn;
                let reason = if forbidden { Reason::ConsentWithdrawn } else { Reason::CustomerWrote };
                assert_eq!(verdict.reason, reason, "{consents:?}, required: {consent_required}");
                assert_eq!(verdict.may_send == MaySend::Nothing, forbidden);
                assert_eq!(verdict.templates == Templates::None, forbidden);
            }
        }
    }

    #[test]
    fn who_stopped_marketing_or_withdrew_advertising_gets_utility_templates_only() {
        use ConsentState::{Given, Withdrawn};
        let choice = |stopped| Some(Choice { at: start(), stopped, in_words: false });
        let cases = [
            (None, Consents::default(), false),
            (choice(true), Consents::default(), true),
            (choice(false), Consents::default(), false),
            (None, said(Some(consent::ADVERTISING), Withdrawn), true),
            (None, said(None, Withdrawn), true),
            (None, said(Some(consent::CRM), Withdrawn), false),
            (choice(true), said(Some(consent::ADVERTISING), Given), true),
            (choice(false), said(Some(consent::ADVERTISING), Withdrawn), true),
        ];
        for (marketing, consents, opted_out) in cases {
            let window = Window { marketing, ..opened_by("text") };
            for (time, may_send) in [(HOUR, MaySend::FreeText), (WINDOW, MaySend::TemplateOnly)] {
                let verdict = judge(Some(&window), &consents, start() + time, Policy::default(), None);
                let templates = if opted_out { Templates::UtilityOnly } else { Templates::Any };
                assert_eq!(verdict.templates, templates, "{marketing:?} {consents:?}");
                assert_eq!(verdict.marketing_opt_out, opted_out, "{marketing:?} {consents:?}");
                assert_eq!(verdict.may_send, may_send, "marketing is no matter of free text");
            }
        }
    }

    #[test]
    fn who_asked_for_no_contact_gets_none_until_they_write_again() {
        let said_stop = with_choice(&opened_by("text"), NONE, true);
        let verdict = after(HOUR, &said_stop);
        assert_eq!((verdict.may_send, verdict.reason), (MaySend::Nothing, Reason::OptedOut));
        assert!(verdict.marketing_opt_out);
        // A message of the same second may have been before it.
        let mut same_second = said_stop.clone();
        same_second.extend(act(start() + MS, "text"));
        assert_eq!(after(HOUR, &same_second).reason, Reason::OptedOut);
        let mut wrote_again = said_stop.clone();
        wrote_again.extend(act(start() + SECOND, "text"));
        let verdict = after(HOUR, &wrote_again);
        assert_eq!((verdict.may_send, verdict.templates), (MaySend::FreeText, Templates::UtilityOnly));
        let verdict = after(HOUR, &with_choice(&wrote_again, SECOND * 2, false));
        assert_eq!((verdict.may_send, verdict.templates), (MaySend::FreeText, Templates::Any));
        let mut opted_in = said_stop.clone();
        opted_in.choose_contact(Choice { at: start() + SECOND, stopped: false, in_words: false });
        assert_eq!(opted_in, said_stop, "a provider's word does not undo theirs");
        let never_wrote = with_choice(&Window::default(), NONE, true);
        assert_eq!(after(HOUR, &never_wrote).reason, Reason::OptedOut);
    }

    #[test]
    fn the_first_refusal_in_an_open_window_is_a_broken_promise() {
        let mut window = opened_by("text");
        window.refuse(start() + HOUR);
        window.refuse(start() + HOUR * 2);
        assert_eq!(window.broken_promises, 1);
        window.extend(act(start() + HOUR * 3, "text"));
        window.refuse(start() + HOUR * 4);
        assert_eq!(window.broken_promises, 2);
        let mut closed = opened_by("text");
        closed.refuse(start() + WINDOW);
        assert_eq!(closed.broken_promises, 0);
    }

    #[test]
    fn a_call_opens_the_window_as_long_as_a_message_does_until_a_message_follows() {
        let mut window = opened_by("call");
        let end = WINDOW - Policy::default().margin;
        assert_eq!(after(end - MS, &window).reason, Reason::CustomerCalled);
        assert_eq!(after(end, &window).reason, Reason::WindowClosed);
        window.extend(act(start() + HOUR, "text"));
        assert_eq!(after(end, &window).reason, Reason::CustomerWrote);
    }

    #[test]
    fn a_doubt_closes_every_window_and_only_a_withdrawn_consent_comes_before_it() {
        let refused = Window { refused_at: Some(start()), ..opened_by("text") };
        let policy = Policy { consent_required: true, ..Policy::default() };
        let withdrawn = said(None, ConsentState::Withdrawn);
        for (doubt, reason) in
            [(Doubt::CatchingUp, Reason::CatchingUp), (Doubt::ClockUnsure, Reason::ClockUnsure)]
        {
            for window in [&opened_by("text"), &opened_by("call"), &refused, &Window::default()] {
                for time in [HOUR, WINDOW] {
                    let now = start() + time;
                    let verdict = judge(Some(window), &Consents::default(), now, policy, Some(doubt));
                    assert_eq!((verdict.reason, verdict.may_send), (reason, MaySend::TemplateOnly));
                    assert_eq!(verdict.free_text_until, None);
                    let forbidden = judge(Some(window), &withdrawn, now, policy, Some(doubt));
                    assert_eq!(forbidden.reason, Reason::ConsentWithdrawn);
                }
            }
        }
    }

    #[test]
    fn a_free_entry_point_is_opened_by_an_answer_within_24_hours_of_an_ad_message_only() {
        let hours = SignedDuration::from_hours;
        let cases = [
            (true, NONE, true),
            (true, hours(24), true),
            (true, hours(24) + MS, false),
            (false, HOUR, false),
        ];
        for (from_ad, answered, opens) in cases {
            let ad_unanswered_since = from_ad.then(start);
            let mut window = Window { ad_unanswered_since, ..opened_by("text") };
            assert_eq!(after(HOUR, &window).free_entry_until, None, "not yet answered");
            let at = start() + answered;
            window.answered(at);
            let end = opens.then(|| at + hours(72));
            assert_eq!(window.free_entry_until, end, "{from_ad} {answered}");
            window.answered(at + HOUR);
            assert_eq!(window.free_entry_until, end, "only the first answer counts");
        }
    }

    #[test]
    fn a_free_entry_point_is_told_for_72_hours_and_permits_no_free_text() {
        let mut window = Window { ad_unanswered_since: Some(start()), ..opened_by("text") };
        window.answered(start() + HOUR);
        let end = HOUR + SignedDuration::from_hours(72);
        for (time, runs) in [(HOUR, true), (WINDOW, true), (end - MS, true), (end, false), (end + MS, false)]
        {
            let verdict = after(time, &window);
            assert_eq!(verdict.free_entry_until, runs.then(|| start() + end), "{time}");
            assert_eq!(verdict.may_send == MaySend::FreeText, time == HOUR, "{time}");
        }
    }
}
