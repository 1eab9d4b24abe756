//! What is known of one lead, by path.
//!
//! In: the lead, its evidence, the configuration, an instant. Out: the value at each path of
//! [`wabridge_crms::mapping::paths`]. A value is `None` only where nothing is known: what was once written and no
//! longer holds has a value that says so. So `window.free_text_until` of a window that was closed early is the
//! instant at which it was closed.

use super::signals::Signals;
use super::text::{one_line, told};
use crate::config::Config;
use crate::leads::verdict::policy;
use jiff::Timestamp;
use wabridge_crms::Datum;
use wabridge_crms::mapping::{Facts, Path};
use wabridge_model::Phone;
use wabridge_model::attribution::Touch;
use wabridge_model::chatbot::{Utm, Visitor};
use wabridge_model::consent::{ADVERTISING, CRM, Consent, ConsentState};
use wabridge_model::evidence::Evidence;
use wabridge_model::id::{IdentityKind, LeadId};
use wabridge_model::lead::Lead;
use wabridge_model::window::{Reason, Templates, Verdict, WINDOW, Window, judge};

/// Of whom facts are asked, and when.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The id it answers under.
    pub id: LeadId,
    /// The lead.
    pub lead: &'a Lead,
    /// Its evidence, in its order.
    pub evidence: &'a [Evidence],
    /// The rules of the verdict, the region, the address of pages.
    pub config: &'a Config,
    /// The instant.
    pub now: Timestamp,
    /// The trace of the newest event.
    pub trace_id: &'a str,
}

/// The facts of one lead.
#[derive(Debug)]
pub struct LeadFacts<'a> {
    subject: Subject<'a>,
    signals: Signals,
}

impl<'a> LeadFacts<'a> {
    /// The facts of a lead at an instant.
    #[must_use]
    pub fn new(subject: Subject<'a>) -> LeadFacts<'a> {
        LeadFacts { signals: Signals::of(subject.evidence), subject }
    }

    /// The address of the lead's page; `None` where no address of ours is configured.
    #[must_use]
    pub fn page(&self) -> Option<String> {
        let base = self.subject.config.server.public_url.as_ref()?;
        Some(format!("{base}/w/{}", self.subject.id))
    }

    fn person(&self, part: &str) -> Option<Datum> {
        let lead = self.subject.lead;
        let visitor = lead.visitor.as_ref();
        let of_visitor = |get: fn(&Visitor) -> &Option<String>| text(get(visitor?).as_deref());
        match part {
            "phone" => text(lead.phone()),
            "other_phones" => self.other_phones(),
            "email" => text(lead.email()),
            "name" => self.name(|name| Some(name.to_owned())),
            "name.first" => self.name(|name| Some(name_parts(name).0)),
            "name.last" => self.name(|name| name_parts(name).1),
            "company" => of_visitor(|visitor| &visitor.company),
            "company_size" => of_visitor(|visitor| &visitor.company_size),
            "country" => self.country(),
            "bsuid" => self.current(IdentityKind::Bsuid),
            "parent_bsuid" => self.current(IdentityKind::ParentBsuid),
            "username" => self.current(IdentityKind::Username),
            "source" => text(lead.birth.as_ref().map(|birth| birth.source.as_str())),
            "first_conversation_url" => {
                text(lead.first_conversation_url.as_ref().map(|url| url.value.as_str()))
            }
            "lead.id" => Some(Datum::Text(self.subject.id.to_string())),
            "lead.url" => self.page().map(Datum::Text),
            "trace_id" => text(Some(self.subject.trace_id)),
            "first_seen_at" => lead.birth.as_ref().map(|birth| Datum::Instant(birth.at)),
            "last_seen_at" => lead.last_seen_at.map(Datum::Instant),
            _ => None,
        }
    }

    fn name(&self, part: impl Fn(&str) -> Option<String>) -> Option<Datum> {
        let name = one_line(&self.subject.lead.name.as_ref()?.value);
        text(part(&name).as_deref())
    }

    fn other_phones(&self) -> Option<Datum> {
        let lead = self.subject.lead;
        let mut phones: Vec<String> = Vec::new();
        for name in
            lead.names.iter().filter(|name| name.identity.kind == IdentityKind::Phone && !name.disputed)
        {
            let value = &name.identity.value;
            if lead.phone() != Some(value.as_str()) && !phones.contains(value) {
                phones.push(value.clone());
            }
        }
        (!phones.is_empty()).then_some(Datum::Texts(phones))
    }

    fn country(&self) -> Option<Datum> {
        let lead = self.subject.lead;
        let given = lead.visitor.as_ref().and_then(|visitor| visitor.country);
        let of_phone = || {
            let digits = lead.phone()?.strip_prefix('+')?;
            Phone::from_whatsapp_id(digits).ok()?.region()
        };
        given.or_else(of_phone).map(|country| Datum::Text(country.to_string()))
    }

    fn current(&self, kind: IdentityKind) -> Option<Datum> {
        let mut names = self.subject.lead.names.iter().rev();
        let name =
            names.find(|name| name.identity.kind == kind && name.valid_to.is_none() && !name.disputed)?;
        text(Some(&name.identity.value))
    }

    fn utm(&self, part: &str) -> Option<Datum> {
        let Utm { source, medium, campaign, term, content } = &self.subject.lead.utm.as_ref()?.1;
        let value = match part {
            "source" => source,
            "medium" => medium,
            "campaign" => campaign,
            "term" => term,
            "content" => content,
            _ => return None,
        };
        text(value.as_deref())
    }

    fn attribution(&self, part: &str) -> Option<Datum> {
        let attribution = &self.subject.lead.attribution;
        if let Some(part) = part.strip_prefix("first.") {
            return touch(attribution.touches.first()?, part);
        }
        if let Some(part) = part.strip_prefix("last.") {
            return touch(attribution.touches.last()?, part);
        }
        let (state, cause) = attribution.state();
        match part {
            "state" => text(Some(state.as_str())),
            "cause" => text(cause.map(|cause| cause.as_str())),
            "touches" => Some(Datum::Number(attribution.touches.len().to_string())),
            _ => None,
        }
    }

    fn window(&self, part: &str, number: Option<&str>) -> Option<Datum> {
        let Seen { number, window, verdict } = match number {
            Some(number) => self.seen(number)?,
            None => self.newest()?,
        };
        let last = verdict.last_inbound.as_ref().map(|act| act.at);
        let closed = self.closed_at(window, verdict.reason);
        match part {
            "business_number" => text(Some(number)),
            "last_inbound_at" => last.map(Datum::Instant),
            "free_text_until" => {
                let until = last? + WINDOW - policy(self.subject.config).margin;
                Some(Datum::Instant(closed.map_or(until, |closed| closed.min(until))))
            }
            "free_entry_until" => window.free_entry_until.map(Datum::Instant),
            "templates" => text(Some(match verdict.templates {
                Templates::Any => "any",
                Templates::UtilityOnly => "utility_only",
                Templates::None => "none",
            })),
            "verdict" => self.sentence(number, &verdict, last, closed).map(Datum::Text),
            _ => None,
        }
    }

    /// The window with a number, as it is judged now.
    fn seen<'n>(&'n self, number: &'n str) -> Option<Seen<'n>> {
        let Subject { lead, now, config, .. } = self.subject;
        let (number, window) = lead.windows.get_key_value(number)?;
        let verdict = judge(Some(window), &lead.consents, now, policy(config), None);
        Some(Seen { number, window, verdict })
    }

    /// The window that the person wrote to last.
    fn newest(&self) -> Option<Seen<'_>> {
        let all = self.subject.lead.windows.keys().filter_map(|number| self.seen(number));
        all.filter(|seen| seen.verdict.last_inbound.is_some())
            .max_by_key(|seen| seen.verdict.last_inbound.as_ref().map(|act| act.at))
    }

    /// When a window was closed before its time.
    fn closed_at(&self, window: &Window, reason: Reason) -> Option<Timestamp> {
        match reason {
            Reason::ProviderRefused => window.refused_at,
            Reason::NumberChanged => window.number_changed_at,
            Reason::OptedOut => window.contact.map(|choice| choice.at),
            Reason::ConsentWithdrawn => self.consent(CRM).map(|consent| consent.at),
            _ => None,
        }
    }

    /// The verdict in words that stay true: an instant, and what holds after it. Nothing of who never wrote.
    fn sentence(
        &self,
        number: &str,
        verdict: &Verdict,
        last: Option<Timestamp>,
        closed: Option<Timestamp>,
    ) -> Option<String> {
        let config = self.subject.config;
        let told = |at| told(at, &config.region);
        let limited = verdict.templates == Templates::UtilityOnly;
        let templates = if limited { "utility templates" } else { "templates" };
        let only = if limited { "Utility templates only" } else { "Templates only" };
        let optout = if limited { " They opted out of marketing." } else { "" };
        Some(match (verdict.reason, closed) {
            (Reason::OptedOut, Some(at)) => {
                format!("Send nothing from {number}: they asked for no more messages at {}.", told(at))
            }
            (Reason::ConsentWithdrawn, Some(at)) => {
                format!("Send nothing from {number}: they withdrew their consent at {}.", told(at))
            }
            (Reason::ProviderRefused, Some(at)) => format!(
                "{only} from {number} until they write again: WhatsApp refused free text at {}.{optout}",
                told(at)
            ),
            (Reason::NumberChanged, Some(at)) => format!(
                "{only} from {number} until they write again: they changed their number at {}.{optout}",
                told(at)
            ),
            _ => {
                let until = last? + WINDOW - policy(config).margin;
                format!("Free text from {number} until {}, {templates} after that.{optout}", told(until))
            }
        })
    }

    fn consent_part(&self, part: &str) -> Option<Datum> {
        let (purpose, part) = part.split_once('.')?;
        let consent = self.consent(purpose)?;
        let is_given = consent.state == ConsentState::Given;
        match part {
            "state" => text(Some(if is_given { "given" } else { "withdrawn" })),
            "given_at" => is_given.then_some(Datum::Instant(consent.at)),
            "withdrawn_at" => (!is_given).then_some(Datum::Instant(consent.at)),
            "text_version" => text(consent.text_version.as_deref()),
            "language" => text(consent.language.as_deref()),
            _ => None,
        }
    }

    /// The newest word on a purpose, which may be one on every purpose.
    fn consent(&self, purpose: &str) -> Option<&'a Consent> {
        let speaks = |consent: &&Consent| consent.purpose.as_deref().is_none_or(|named| named == purpose);
        self.subject.lead.consents.iter().filter(speaks).last()
    }

    /// The consent that a write rests on: to be kept in the CRM, else the newest that was given.
    fn given(&self) -> Option<&'a Consent> {
        let is_given = |consent: &&Consent| consent.state == ConsentState::Given;
        let any = || self.subject.lead.consents.iter().filter(is_given).last();
        self.consent(CRM).filter(is_given).or_else(any)
    }

    fn purposes(&self) -> Option<Datum> {
        let consents = &self.subject.lead.consents;
        let mut purposes = vec![CRM, ADVERTISING];
        for purpose in consents.iter().filter_map(|consent| consent.purpose.as_deref()) {
            if !purposes.contains(&purpose) {
                purposes.push(purpose);
            }
        }
        purposes.retain(|purpose| consents.state(purpose) == Some(ConsentState::Given));
        if purposes.is_empty() && !consents.is_empty() {
            purposes.push("none");
        }
        text(Some(&purposes.join(", ")))
    }

    /// What messages and bots together say.
    fn intent(&self, part: &str) -> Option<Datum> {
        let signals = &self.signals;
        let texts = |texts: Vec<String>| (!texts.is_empty()).then_some(Datum::Texts(texts));
        match part {
            "last" => text(signals.newest_label.as_deref()),
            "labels" => texts(signals.labels.clone()),
            "pricing_questions" => {
                signals.all_pricing_questions().map(|count| Datum::Number(count.to_string()))
            }
            "competitors" => texts(signals.all_competitors()),
            _ => None,
        }
    }

    fn chatbot(&self, path: &str) -> Option<Datum> {
        let signals = &self.signals;
        let number = |number: Option<f64>| number.map(|number| Datum::Number((number + 0.0).to_string()));
        let count = |count: Option<u64>| count.map(|count| Datum::Number(count.to_string()));
        match path {
            "chatbot_messages_count" => count(signals.messages()),
            "chatbot_last_intent" => text(signals.last_intent.as_deref()),
            "chatbot_pricing_questions_count" => count(signals.pricing_questions()),
            "chatbot_competitor_mentions" => {
                let names = &signals.competitors;
                (!names.is_empty()).then(|| Datum::Texts(names.clone()))
            }
            "chatbot_avg_sentiment" => number(signals.average_sentiment()),
            "chatbot_qualification_score" => number(signals.qualification_score),
            "chatbot_last_summary" => text(signals.last_summary.as_deref()),
            "last_chatbot_interaction_at" => signals.last_at.map(Datum::Instant),
            _ => None,
        }
    }
}

/// A window, and how it is judged.
struct Seen<'a> {
    number: &'a str,
    window: &'a Window,
    verdict: Verdict,
}

impl Facts for LeadFacts<'_> {
    fn get(&self, path: &Path) -> Option<Datum> {
        let known = path.known().path;
        match known.split_once('.') {
            Some(("utm", part)) => self.utm(part),
            Some(("attribution", part)) => self.attribution(part),
            Some(("window", part)) => self.window(part, path.argument()),
            Some(("consent", part)) => self.consent_part(part),
            Some(("intent", part)) => self.intent(part),
            Some(("custom", _)) => self.signals.custom(path.argument()?),
            // The hook is asked when a person is about to be written, and knows it then.
            Some(("enrichment", _)) => None,
            _ => match known {
                "consent_given_at" => self.given().map(|consent| Datum::Instant(consent.at)),
                "consent_text_version" => text(self.given()?.text_version.as_deref()),
                "purpose_of_processing" => self.purposes(),
                _ => self.person(known).or_else(|| self.chatbot(known)),
            },
        }
    }
}

/// A text with something in it.
fn text(text: Option<&str>) -> Option<Datum> {
    text.filter(|text| !text.trim().is_empty()).map(|text| Datum::Text(text.to_owned()))
}

fn touch(touch: &Touch, part: &str) -> Option<Datum> {
    let Touch { referral, .. } = touch;
    match part {
        "ctwa_clid" => text(referral.ctwa_clid.as_deref()),
        "ad_id" => text(touch.ad_id()),
        "post_id" => text(touch.post_id()),
        "source_type" => text(referral.source_type.as_deref()),
        "source_url" => text(referral.source_url.as_deref()),
        "headline" => text(referral.headline.as_deref()),
        "body" => text(referral.body.as_deref()),
        "media_type" => text(referral.media_type.as_deref()),
        "code" => text(touch.link.as_ref().map(|link| link.code.as_str())),
        "state" => text(Some(touch.state().as_str())),
        "cause" => text(touch.cause().map(|cause| cause.as_str())),
        "occurred_at" => Some(Datum::Instant(touch.occurred_at)),
        "received_at" => Some(Datum::Instant(touch.received_at)),
        "provider" => text(Some(&touch.provider)),
        "channel" => text(Some(&touch.channel)),
        "business_number" => text(touch.business_number.as_deref()),
        _ => None,
    }
}

/// First and last name: the last word that has a letter is the last name, if there is another before it. A name of
/// emoji alone is a first name.
fn name_parts(name: &str) -> (String, Option<String>) {
    let words: Vec<&str> =
        name.split_whitespace().filter(|word| word.chars().any(char::is_alphanumeric)).collect();
    match words.split_last() {
        None => (name.to_owned(), None),
        Some((only, [])) => ((*only).to_owned(), None),
        Some((last, first)) => (first.join(" "), Some((*last).to_owned())),
    }
}

#[cfg(test)]
mod tests;
