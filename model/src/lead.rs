//! A lead, and the facts that change it.
//!
//! In: one fact of one person, in the order of evidence. Out: the lead's new state. Whose fact it is, is
//! decided in [`crate::cluster`].

use crate::attribution::{Attribution, Touch};
use crate::chatbot::{ChatbotEvent, ChatbotEventType, Utm, Visitor};
use crate::consent::{Consent, ConsentState, Consents};
use crate::event::{Choice, Event, Fact, Message, MessageKind, Preference, Status, StatusState, Wish};
use crate::evidence::{Evidence, Report};
use crate::id::{EventId, Identity, IdentityKind};
use crate::window::{self, Act, Window};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One name of a lead, with the time it was theirs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Name {
    /// The name.
    #[serde(flatten)]
    pub identity: Identity,
    /// Since when, by the evidence.
    pub valid_from: Timestamp,
    /// Until when; `None` while it is theirs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_to: Option<Timestamp>,
    /// Which holder of this name, counted from 0: numbers are recycled.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub tenure: u32,
    /// Reported beside a name that belongs to another lead: shown, and joins nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disputed: bool,
    /// An e-mail address under which this lead was once known alone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keyed: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

impl Name {
    /// A name held from now on.
    #[must_use]
    pub fn held(identity: Identity, valid_from: Timestamp, tenure: u32) -> Name {
        Name { identity, valid_from, valid_to: None, tenure, disputed: false, keyed: false }
    }

    /// Whether it is theirs now and decides whose a fact is.
    #[must_use]
    pub fn decides(&self) -> bool {
        let kind = self.identity.kind;
        self.valid_to.is_none()
            && !self.disputed
            && kind != IdentityKind::Username
            && kind != IdentityKind::Email
    }

    /// Whether a lead answers under an id drawn for this name.
    #[must_use]
    pub fn bears_id(&self) -> bool {
        match self.identity.kind {
            IdentityKind::Username => false,
            IdentityKind::Email => self.keyed,
            IdentityKind::Phone | IdentityKind::Bsuid | IdentityKind::ParentBsuid => !self.disputed,
        }
    }
}

/// How a lead came to be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Birth {
    /// The customer's first act (effective time).
    pub at: Timestamp,
    /// The event.
    pub event_id: EventId,
    /// `whatsapp:<channel>` or `chatbot:<bot-id>`.
    pub source: String,
}

/// A value and the evidence time of it, so that the newest stays when two leads turn out to be one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Dated<T> {
    /// When it was said.
    pub at: Timestamp,
    /// What was said.
    pub value: T,
}

/// A person. Not yet a lead until [`Lead::birth`]: a status alone creates none.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Lead {
    /// Every name they had or have, oldest first.
    pub names: Vec<Name>,
    /// Their first act.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub birth: Option<Birth>,
    /// Their last act (effective time).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_seen_at: Option<Timestamp>,
    /// What they are called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Dated<String>>,
    /// Firmographics, each the newest known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub visitor: Option<Visitor>,
    /// The first landing page or ad address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_conversation_url: Option<Dated<String>>,
    /// The first campaign parameters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub utm: Option<Box<(Timestamp, Utm)>>,
    /// Windows by business number.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub windows: BTreeMap<String, Window>,
    /// Where they came from.
    pub attribution: Attribution,
    /// When a bot first held them qualified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub qualified_at: Option<Timestamp>,
    /// What they agreed to.
    #[serde(skip_serializing_if = "Consents::is_empty")]
    pub consents: Consents,
}

impl Lead {
    /// The number that is theirs now.
    #[must_use]
    pub fn phone(&self) -> Option<&str> {
        self.current(IdentityKind::Phone)
    }

    /// The newest e-mail address.
    #[must_use]
    pub fn email(&self) -> Option<&str> {
        self.current(IdentityKind::Email)
    }

    fn current(&self, kind: IdentityKind) -> Option<&str> {
        let is_current =
            |name: &&Name| name.identity.kind == kind && name.valid_to.is_none() && !name.disputed;
        self.names.iter().rev().find(is_current).map(|name| name.identity.value.as_str())
    }

    /// Whether no open name of the same kind and scope has another value.
    #[must_use]
    pub fn accepts(&self, identity: &Identity) -> bool {
        !self.names.iter().any(|name| {
            name.decides()
                && name.identity.kind == identity.kind
                && name.identity.scope == identity.scope
                && name.identity.value != identity.value
        })
    }

    /// Whether both may be one person.
    #[must_use]
    pub fn can_join(&self, other: &Lead) -> bool {
        other.names.iter().filter(|name| name.decides()).all(|name| self.accepts(&name.identity))
    }

    /// Makes two leads one.
    pub fn merge(&mut self, other: Lead) {
        self.names.extend(other.names);
        self.names.sort_by(|a, b| {
            (a.valid_from, &a.identity, a.tenure).cmp(&(b.valid_from, &b.identity, b.tenure))
        });
        self.names.dedup_by(|later, first| {
            let same = later.identity == first.identity
                && later.tenure == first.tenure
                && later.disputed == first.disputed
                && later.valid_to == first.valid_to;
            first.keyed |= same && later.keyed;
            same
        });
        self.birth = earliest(self.birth.take(), other.birth);
        self.first_conversation_url =
            earliest(self.first_conversation_url.take(), other.first_conversation_url);
        self.utm = match (self.utm.take(), other.utm) {
            (Some(a), Some(b)) => Some(if a.0 <= b.0 { a } else { b }),
            (a, b) => a.or(b),
        };
        self.last_seen_at = self.last_seen_at.max(other.last_seen_at);
        self.qualified_at = earliest(self.qualified_at, other.qualified_at);
        self.name = self.name.take().max(other.name);
        if let Some(visitor) = other.visitor {
            let newer = self.visitor.take().unwrap_or_default();
            self.visitor = Some(fill_visitor(newer, &visitor));
        }
        for (number, window) in other.windows {
            self.windows.entry(number).or_default().merge(window);
        }
        self.attribution.merge(other.attribution);
        self.consents.merge(other.consents);
    }

    /// Applies a fact that is this person's.
    pub fn apply(&mut self, evidence: &Evidence, event: &Event) {
        let at = evidence.effective_at();
        match &event.fact {
            Fact::Message(message) => self.message(evidence, event, message),
            Fact::Call(call) if call.is_customers_act() => {
                self.act(evidence, format!("whatsapp:{}", evidence.first().channel));
                let act = act_of(evidence, "call");
                self.with_window(event, |window| window.extend(act));
            }
            Fact::Echo(echo) if !echo.history => {
                self.with_window(event, |window| window.answered(at));
                self.answered(event, at);
            }
            Fact::Status(status) => self.status(event, status, at),
            Fact::Preference(preference) => self.preference(event, preference, at),
            Fact::Chatbot(chatbot) => self.chatbot(evidence, chatbot),
            Fact::Call(_)
            | Fact::Echo(_)
            | Fact::IdentityChange(_)
            | Fact::System { .. }
            | Fact::Contact { .. }
            | Fact::Account(_) => {}
        }
        // What the business itself calls them, now or long ago, is no more than better than nothing.
        let is_second_best = match &event.fact {
            Fact::Contact { .. } => true,
            Fact::Message(message) => message.history,
            Fact::Echo(echo) => echo.history,
            _ => false,
        };
        if let Some(name) = event.person.name.as_ref().filter(|_| !is_second_best || self.name.is_none()) {
            self.name = Some(Dated { at, value: name.clone() });
        }
    }

    fn message(&mut self, evidence: &Evidence, event: &Event, message: &Message) {
        let is_no_act = message.group || message.history;
        if is_no_act || matches!(message.kind, MessageKind::Edit | MessageKind::Revoke) {
            return;
        }
        self.act(evidence, format!("whatsapp:{}", evidence.first().channel));
        let act = act_of(evidence, message.kind.as_str());
        let (reported, at) = (&message.referral, act.at);
        let touches = self.attribution.touches.len();
        let link = message.link.as_ref();
        self.attribution.record(reported, link.is_some(), |referral| Touch {
            id: act.event_id,
            provider: act.provider.clone(),
            channel: evidence.first().channel.clone(),
            reported_by: act.reported_by.clone(),
            business_number: event.business.number.as_ref().map(|number| number.e164().to_owned()),
            message_id: message.id.clone(),
            occurred_at: at,
            received_at: act.received_at,
            referral,
            link: link.cloned(),
            answered_at: None,
        });
        if let Some(link) = link.filter(|link| self.utm.is_none() && !link.utm.is_empty()) {
            self.utm = Some(Box::new((at, link.utm.clone())));
        }
        if self.first_conversation_url.is_none() {
            let url = self
                .attribution
                .touches
                .iter()
                .skip(touches)
                .find_map(|touch| touch.referral.source_url.clone());
            self.first_conversation_url = url.map(|value| Dated { at, value });
        }
        let from_ad = self.attribution.touches[touches..].iter().any(|touch| touch.ad_id().is_some());
        self.with_window(event, |window| {
            if message.kind == MessageKind::Reaction {
                window.reaction = Some(act);
                return;
            }
            // A copy is no second act: its later time must not open what was closed in between.
            let is_copy = |known: &Act| {
                known.kind == act.kind && at.duration_since(known.at) <= crate::evidence::COPY_WITHIN
            };
            if !(evidence.is_secondary() && window.inbound.as_ref().is_some_and(is_copy)) {
                window.extend(act);
            }
            if from_ad {
                window.ad_unanswered_since = Some(at);
            }
            if let Some(wish) = message.wish {
                let choice = window::Choice { at, stopped: wish != Wish::Start, in_words: true };
                match wish {
                    Wish::StopMarketing => window.marketing = Some(choice),
                    Wish::Stop | Wish::Start => window.choose_contact(choice),
                }
            }
        });
    }

    fn preference(&mut self, event: &Event, preference: &Preference, at: Timestamp) {
        let choice = window::Choice { at, stopped: preference.choice == Choice::Stop, in_words: false };
        self.with_window(event, |window| match preference.category.as_str() {
            Preference::MARKETING => window.marketing = Some(choice),
            Preference::ALL => window.choose_contact(choice),
            _ => {}
        });
    }

    fn status(&mut self, event: &Event, status: &Status, at: Timestamp) {
        self.with_window(event, |window| {
            if status.says_window_closed() {
                window.refuse(at);
            }
            if status.says_marketing_stopped() {
                window.marketing = Some(window::Choice { at, stopped: true, in_words: false });
            }
            if status.state == StatusState::Sent {
                window.answered(at);
            }
            if status.free_entry_until.is_some() {
                window.free_entry_until = status.free_entry_until;
            }
        });
        if status.state == StatusState::Sent {
            self.answered(event, at);
        }
    }

    fn chatbot(&mut self, evidence: &Evidence, event: &ChatbotEvent) {
        let at = evidence.effective_at();
        self.act(evidence, format!("chatbot:{}", event.bot_id));
        if self.first_conversation_url.is_none() {
            self.first_conversation_url = event.context.source_url.clone().map(|value| Dated { at, value });
        }
        if self.utm.is_none() && event.context.utm != Utm::default() {
            self.utm = Some(Box::new((at, event.context.utm.clone())));
        }
        if event.visitor != Visitor::default() {
            let known = self.visitor.take().unwrap_or_default();
            self.visitor = Some(fill_visitor(event.visitor.clone(), &known));
        }
        if event.event_type == ChatbotEventType::LeadQualified && self.qualified_at.is_none() {
            self.qualified_at = Some(at);
        }
        if let Some(consent) = consent_of(evidence, event) {
            self.consents.record(consent);
        }
    }

    /// The business wrote.
    fn answered(&mut self, event: &Event, at: Timestamp) {
        if let Some(number) = &event.business.number {
            self.attribution.answered(number.e164(), at);
        }
    }

    /// A customer's act: it gives birth to the lead and is the last that was seen of them.
    fn act(&mut self, evidence: &Evidence, source: String) {
        let at = evidence.effective_at();
        if self.birth.is_none() {
            self.birth = Some(Birth { at, event_id: evidence.key().event_id(), source });
        }
        self.last_seen_at = self.last_seen_at.max(Some(at));
    }

    fn with_window(&mut self, event: &Event, change: impl FnOnce(&mut Window)) {
        if let Some(number) = &event.business.number {
            change(self.windows.entry(number.e164().to_owned()).or_default());
        }
    }
}

fn earliest<T: Ord>(a: Option<T>, b: Option<T>) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

fn fill_visitor(newer: Visitor, older: &Visitor) -> Visitor {
    Visitor {
        company: newer.company.or_else(|| older.company.clone()),
        company_size: newer.company_size.or_else(|| older.company_size.clone()),
        country: newer.country.or(older.country),
    }
}

fn act_of(evidence: &Evidence, kind: &str) -> Act {
    let Report { provider, .. } = evidence.first();
    Act {
        at: evidence.effective_at(),
        kind: kind.to_owned(),
        event_id: evidence.key().event_id(),
        provider: provider.clone(),
        reported_by: evidence.reported_by(),
        received_at: evidence.received_at(),
    }
}

fn consent_of(evidence: &Evidence, event: &ChatbotEvent) -> Option<Consent> {
    let state = match event.event_type {
        ChatbotEventType::ConsentWithdrawn => ConsentState::Withdrawn,
        ChatbotEventType::ConsentGiven => ConsentState::Given,
        _ => event.consent.as_ref().map(|_| ConsentState::Given)?,
    };
    let notice = event.consent.clone().unwrap_or_default();
    let at = evidence.effective_at();
    Some(Consent {
        purpose: notice.purpose,
        state,
        at: notice.given_at.filter(|_| state == ConsentState::Given).unwrap_or(at),
        text_version: notice.text_version,
        language: notice.language,
        event_id: evidence.key().event_id(),
    })
}
