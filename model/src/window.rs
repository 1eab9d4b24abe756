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
    pub marketing: Option<MarketingChoice>,
}

/// A choice about marketing messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MarketingChoice {
    /// When.
    pub at: Timestamp,
    /// No more of them.
    pub stopped: bool,
}

impl Window {
    /// Records an act. Acts come in the order of evidence, so a later one replaces.
    pub fn extend(&mut self, act: Act) {
        self.inbound = Some(act);
    }

    /// Records a provider's refusal.
    pub fn refuse(&mut self, at: Timestamp) {
        self.refused_at = self.refused_at.max(Some(at));
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
        Reason::ConsentWithdrawn => MaySend::Nothing,
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
        (_, Some(Doubt::ClockUnsure)) => Reason::ClockUnsure,
        (_, Some(Doubt::CatchingUp)) => Reason::CatchingUp,
        (None, None) => Reason::NeverWrote,
        // Not before the act: providers' times have whole seconds, and within one the order is unknown.
        (Some(act), None) if window.number_changed_at >= Some(act.at) => Reason::NumberChanged,
        (Some(act), None) if window.refused_at >= Some(act.at) => Reason::ProviderRefused,
        (Some(_), None) if until.is_none_or(|until| now >= until) => Reason::WindowClosed,
        (Some(act), None) if act.kind == "call" => Reason::CustomerCalled,
        (Some(_), None) => Reason::CustomerWrote,
    }
}
