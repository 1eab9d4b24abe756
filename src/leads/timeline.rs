//! What happened with one lead, oldest first.
//!
//! In: the evidence of the lead's cluster. Out: the items that are this lead's. Whose a piece of evidence is
//! depends on all of it, so the cluster is folded for it, as a rebuild would. A message that secondary channels
//! alone report, under ids of their own, is left out where another channel reports the same.

use super::find::Person;
use super::page::{Cursor, Page, Paging};
use super::verdict::names;
use crate::store::{Leads, StoreError};
use jiff::Timestamp;
use serde::Serialize;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use utoipa::ToSchema;
use utoipa::openapi::schema::Object;
use wabridge_model::Phone;
use wabridge_model::chatbot::{ChatbotEvent, ChatbotEventType, ConsentNotice};
use wabridge_model::cluster::Cluster;
use wabridge_model::event::{CallDirection, Event, Fact, Message, Referral, ReferralReport, Status};
use wabridge_model::evidence::{COPY_WITHIN, Evidence};
use wabridge_model::id::EventId;

/// One thing that happened.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TimelineItem {
    /// When it happened.
    pub at: Timestamp,
    /// When it was received first.
    pub received_at: Timestamp,
    /// What happened.
    #[schema(schema_with = kinds)]
    pub kind: &'static str,
    /// Who did it; null where neither side did.
    #[schema(schema_with = directions)]
    pub direction: Option<&'static str>,
    /// The provider that proved it best.
    pub provider: String,
    /// The event.
    #[schema(value_type = uuid::Uuid)]
    pub event_id: EventId,
    /// The provider's id of the message or call.
    pub message_id: Option<String>,
    /// The event's W3C trace id.
    pub trace_id: String,
    /// What a person would read.
    pub text: Option<String>,
}

/// One page of a lead's timeline; `None` when the lead moved to another cluster since it was found.
///
/// # Errors
/// When the store cannot be read.
pub fn page(
    leads: &dyn Leads,
    person: &Person,
    paging: Paging,
) -> Result<Option<Page<TimelineItem>>, StoreError> {
    let Some(all) = items(leads, person)? else { return Ok(None) };
    let after = all.partition_point(|(cursor, _)| paging.after.is_some_and(|after| *cursor <= after));
    let page: Vec<_> = all.into_iter().skip(after).take(paging.limit + 1).collect();
    Ok(Some(Page::cut(page, paging.limit, |(cursor, _)| *cursor).map(|(_, item)| item)))
}

/// The newest items, oldest first; `None` as for [`page`].
///
/// # Errors
/// When the store cannot be read.
pub fn newest(
    leads: &dyn Leads,
    person: &Person,
    count: usize,
) -> Result<Option<Vec<TimelineItem>>, StoreError> {
    let items = items(leads, person)?;
    Ok(items.map(|mut items| {
        let skipped = items.len().saturating_sub(count);
        items.drain(..skipped);
        items.into_iter().map(|(_, item)| item).collect()
    }))
}

/// The evidence that is a lead's own, in its order; `None` as for [`page`].
///
/// # Errors
/// When the store cannot be read.
pub fn own_evidence(leads: &dyn Leads, person: &Person) -> Result<Option<Vec<Evidence>>, StoreError> {
    let mut evidence = leads.evidence(person.cluster)?;
    let folded = Cluster::fold(&mut evidence);
    let Some(lead) = person.position_in(&folded.cluster.leads) else { return Ok(None) };
    let own = evidence.into_iter().zip(folded.owners).filter(|(_, owner)| *owner == Some(lead));
    Ok(Some(own.map(|(evidence, _)| evidence).collect()))
}

fn items(leads: &dyn Leads, person: &Person) -> Result<Option<Vec<(Cursor, TimelineItem)>>, StoreError> {
    let Some(evidence) = own_evidence(leads, person)? else { return Ok(None) };
    let own: Vec<Told<'_>> = evidence.iter().map(|evidence| (evidence, evidence.merged())).collect();
    let originals = originals(&own);
    let items = own.iter().enumerate().flat_map(|(index, told)| match originals.get(&index) {
        None => items_of(told),
        // What a copy alone tells of an ad is still told.
        Some(original) if says_ad(&own[*original].1) => Vec::new(),
        Some(_) => items_of(told).into_iter().filter(|(_, item)| item.kind == "touch").collect(),
    });
    let mut items: Vec<_> = items.collect();
    items.sort_by_key(|(cursor, _)| *cursor);
    Ok(Some(items))
}

/// Evidence, and what it says.
pub(crate) type Told<'e> = (&'e Evidence, Cow<'e, Event>);

/// The copies among a person's messages, each with the message that it is a copy of; all by index.
///
/// A message has one copy by each channel at most: who writes the same again within the time wrote it again.
pub(crate) fn originals(own: &[Told<'_>]) -> HashMap<usize, usize> {
    let mut found = HashMap::new();
    if !own.iter().any(|(evidence, _)| evidence.is_secondary()) {
        return found;
    }
    let mut primary: HashMap<_, Vec<usize>> = HashMap::new();
    for (index, (evidence, event)) in own.iter().enumerate() {
        if let Some(content) = content(event).filter(|_| !evidence.is_secondary()) {
            primary.entry(content).or_default().push(index);
        }
    }
    let mut taken = HashSet::new();
    for (index, (evidence, event)) in own.iter().enumerate() {
        let same = content(event).filter(|_| evidence.is_secondary()).and_then(|it| primary.get(&it));
        let channel = &evidence.first().channel;
        let is_near = |original: &&usize| {
            let at = own[**original].0.effective_at();
            at.duration_since(evidence.effective_at()).abs() <= COPY_WITHIN
        };
        let mut near = same.into_iter().flatten().filter(is_near);
        if let Some(original) = near.find(|original| taken.insert((channel, **original))) {
            found.insert(index, *original);
        }
    }
    found
}

/// What makes two messages of one person the same: our number, their kind and their text.
fn content(event: &Event) -> Option<(Option<&str>, &str, Option<&str>)> {
    let Fact::Message(message) = &event.fact else { return None };
    let number = event.business.number.as_ref().map(Phone::e164);
    Some((number, message.kind.as_str(), message.text.as_deref()))
}

fn says_ad(event: &Event) -> bool {
    matches!(&event.fact, Fact::Message(Message { referral: ReferralReport::Present(_), .. }))
}

/// The items of one event: itself, the ad it came from, the consent it carried.
fn items_of((evidence, event): &Told<'_>) -> Vec<(Cursor, TimelineItem)> {
    let mut facts = vec![said(event)];
    match &event.fact {
        Fact::Message(Message { referral: ReferralReport::Present(referral), id, .. }) => {
            facts.push(Said { message_id: Some(id.clone()), ..Said::new("touch", INBOUND, ad(referral)) });
        }
        Fact::Message(Message { referral: ReferralReport::Malformed, id, .. }) => {
            let text = Some("an ad or post that could not be read".to_owned());
            facts.push(Said { message_id: Some(id.clone()), ..Said::new("touch", INBOUND, text) });
        }
        Fact::Chatbot(bot) if !is_about_consent(bot) => {
            let notice = bot.consent.as_ref().map(|notice| consent("given", notice));
            facts.extend(notice.map(|text| Said::new("consent", INBOUND, Some(text))));
        }
        _ => {}
    }
    let item = |(part, said): (usize, Said)| {
        let cursor = Cursor {
            at: evidence.effective_at(),
            event: evidence.key().event_id(),
            part: u8::try_from(part).unwrap_or(u8::MAX),
        };
        let item = TimelineItem {
            at: cursor.at,
            received_at: evidence.received_at(),
            kind: said.kind,
            direction: said.direction,
            provider: evidence.first().provider.clone(),
            event_id: cursor.event,
            message_id: said.message_id,
            trace_id: evidence.key().trace_id().to_string(),
            text: said.text,
        };
        (cursor, item)
    };
    facts.into_iter().enumerate().map(item).collect()
}

const INBOUND: Option<&str> = Some("inbound");
const OUTBOUND: Option<&str> = Some("outbound");

/// What an item says of its own.
struct Said {
    kind: &'static str,
    direction: Option<&'static str>,
    message_id: Option<String>,
    text: Option<String>,
}

impl Said {
    fn new(kind: &'static str, direction: Option<&'static str>, text: Option<String>) -> Said {
        Said { kind, direction, message_id: None, text }
    }
}

fn said(event: &Event) -> Said {
    match &event.fact {
        Fact::Message(message) => {
            let text = message.text.clone().or_else(|| Some(format!("({})", message.kind.as_str())));
            Said { message_id: Some(message.id.clone()), ..Said::new("message", INBOUND, text) }
        }
        Fact::Echo(echo) => {
            let text = echo.text.clone().or_else(|| Some(format!("({})", echo.kind.as_str())));
            Said { message_id: Some(echo.id.clone()), ..Said::new("echo", OUTBOUND, text) }
        }
        Fact::Status(status) => {
            let message_id = Some(status.message_id.clone());
            Said { message_id, ..Said::new("status", OUTBOUND, Some(status_text(status))) }
        }
        Fact::Call(call) => {
            let direction = if call.direction == CallDirection::ByCustomer { INBOUND } else { OUTBOUND };
            Said {
                message_id: Some(call.id.clone()),
                ..Said::new("call", direction, Some(call.step.clone()))
            }
        }
        Fact::Preference(choice) => {
            let text = format!("{} {}", choice.choice.as_str(), choice.category);
            Said::new("consent", INBOUND, Some(text))
        }
        Fact::IdentityChange(_) => Said::new("identity", None, Some("number or id changed".to_owned())),
        Fact::System { kind } => Said::new("identity", None, Some(kind.clone())),
        Fact::Contact { removed } => {
            let text = if *removed { "left the address book" } else { "in the address book" };
            Said::new("identity", None, Some(text.to_owned()))
        }
        Fact::Account(notice) => Said::new("identity", None, Some(notice.field.clone())),
        Fact::Chatbot(bot) => chatbot(bot),
    }
}

fn chatbot(bot: &ChatbotEvent) -> Said {
    if is_about_consent(bot) {
        let withdrawn = bot.event_type == ChatbotEventType::ConsentWithdrawn;
        let notice = bot.consent.clone().unwrap_or_default();
        let text = consent(if withdrawn { "withdrawn" } else { "given" }, &notice);
        return Said::new("consent", INBOUND, Some(text));
    }
    let kind = bot.event_type.as_str();
    let text = match &bot.transcript.summary {
        Some(summary) => format!("{kind}: {summary}"),
        None => kind.to_owned(),
    };
    Said::new("message", INBOUND, Some(text))
}

fn is_about_consent(bot: &ChatbotEvent) -> bool {
    matches!(bot.event_type, ChatbotEventType::ConsentGiven | ChatbotEventType::ConsentWithdrawn)
}

fn consent(state: &str, notice: &ConsentNotice) -> String {
    format!("{state} for {}", notice.purpose.as_deref().unwrap_or("every purpose"))
}

fn status_text(status: &Status) -> String {
    let codes: Vec<String> = status.codes.iter().map(u32::to_string).collect();
    let state = status.state.as_str();
    if codes.is_empty() { state.to_owned() } else { format!("{state} ({})", codes.join(", ")) }
}

fn ad(referral: &Referral) -> Option<String> {
    let Referral { headline, source_id, source_url, ctwa_clid, .. } = referral;
    [headline, source_id, source_url, ctwa_clid].into_iter().find_map(Clone::clone)
}

fn kinds() -> Object {
    names(
        "What happened",
        [
            "message",
            "status",
            "echo",
            "call",
            "touch",
            "consent",
            "identity",
            "crm_write",
            "conversion",
            "outcome",
        ],
    )
}

fn directions() -> Object {
    names("Who did it; null where neither side did", [Some("inbound"), Some("outbound"), None])
}
