//! Everything held on one person, for the person or for who must answer them.
//!
//! In: a lead. Out: the lead, every touch, the whole timeline, every event with all that was reported of it, and
//! every delivery; a request's body where it holds nothing of anybody else.

use super::find::Person;
use super::page::{Cursor, Paging};
use super::timeline::{self, TimelineItem};
use super::touch::TouchView;
use super::view::{self, LeadView};
use crate::config::Config;
use crate::store::journal::Delivery;
use crate::store::{Store, StoreError};
use jiff::Timestamp;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use utoipa::ToSchema;
use wabridge_model::cluster::Cluster;
use wabridge_model::evidence::{Evidence, Proof};
use wabridge_model::id::{EventId, TraceId};

/// Everything held on one person.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Export)]
pub struct ExportView {
    /// When it was made.
    pub made_at: Timestamp,
    /// The lead: identities, windows, attribution, consent.
    pub lead: LeadView,
    /// Every arrival from an ad or a post.
    pub touches: Vec<TouchView>,
    /// What happened, oldest first.
    pub timeline: Vec<TimelineItem>,
    /// Every event, oldest first.
    pub events: Vec<ExportedEvent>,
    /// Every request that carried one of them.
    pub requests: Vec<ExportedRequest>,
}

/// An event with all that was reported of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExportedEvent {
    /// Its id.
    #[schema(value_type = uuid::Uuid)]
    pub event_id: EventId,
    /// Its W3C trace id.
    #[schema(value_type = String)]
    #[serde(serialize_with = "as_text")]
    pub trace_id: TraceId,
    /// When it happened.
    pub at: Timestamp,
    /// What each channel reported, the weightiest first.
    #[schema(value_type = Vec<serde_json::Value>)]
    pub reports: Evidence,
}

fn as_text<S: serde::Serializer>(id: &TraceId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}

/// A stored request that carried events of the person.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExportedRequest {
    /// The request.
    pub request: i64,
    /// When it was received.
    pub received_at: Timestamp,
    /// The channel it came by.
    pub channel: String,
    /// How it was proven.
    #[schema(value_type = String)]
    pub proof: Proof,
    /// Which of its items are this person's.
    pub items: Vec<ExportedItem>,
    /// The body as it came; null where it holds items that are not this person's, which are nobody's to give away.
    pub body: Option<String>,
}

/// An item of a request.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExportedItem {
    /// Which one, counted from 0.
    pub ordinal: i64,
    /// The event it reports.
    #[schema(value_type = uuid::Uuid)]
    pub event_id: EventId,
    /// `applied`, `duplicate` or `skipped`.
    pub result: String,
}

/// Everything held on a person; `None` when they are no lead, or moved to another cluster since they were found.
///
/// # Errors
/// When the store cannot be read.
pub fn export(
    store: &dyn Store,
    person: &Person,
    now: Timestamp,
    config: &Config,
) -> Result<Option<ExportView>, StoreError> {
    let rows = store.events_of(person.cluster)?;
    let ids: BTreeMap<_, i64> = rows.iter().map(|row| (row.evidence.key().clone(), row.id)).collect();
    let mut evidence: Vec<Evidence> = rows.into_iter().map(|row| row.evidence).collect();
    let folded = Cluster::fold(&mut evidence);
    let Some(index) = person.position_in(&folded.cluster.leads) else { return Ok(None) };
    let owned = evidence.into_iter().zip(folded.owners).filter(|(_, owner)| *owner == Some(index));
    let own: Vec<Evidence> = owned.map(|(evidence, _)| evidence).collect();
    let events: BTreeMap<i64, EventId> = own
        .iter()
        .filter_map(|evidence| Some((*ids.get(evidence.key())?, evidence.key().event_id())))
        .collect();
    let deliveries = store.deliveries_of(person.cluster)?;
    let everything = Paging { limit: usize::MAX >> 1, after: None::<Cursor> };
    let Some(timeline) = timeline::page(store, person, everything)? else { return Ok(None) };
    let Some(lead) = view::lead(store, person, now, config)? else { return Ok(None) };
    let view = |touch| TouchView::new(touch, person.id, person.lead.phone(), &config.region.timezone);
    Ok(Some(ExportView {
        made_at: now,
        lead,
        touches: person.lead.attribution.touches.iter().map(view).collect(),
        timeline: timeline.items,
        events: own.into_iter().map(exported).collect(),
        requests: requests(store, deliveries, &events)?,
    }))
}

fn exported(evidence: Evidence) -> ExportedEvent {
    let key = evidence.key();
    ExportedEvent {
        event_id: key.event_id(),
        trace_id: key.trace_id(),
        at: evidence.effective_at(),
        reports: evidence,
    }
}

fn requests(
    store: &dyn Store,
    deliveries: Vec<Delivery>,
    events: &BTreeMap<i64, EventId>,
) -> Result<Vec<ExportedRequest>, StoreError> {
    let mut requests: BTreeMap<i64, ExportedRequest> = BTreeMap::new();
    for delivery in deliveries {
        let Some(event_id) = events.get(&delivery.event) else { continue };
        let Delivery { request, ordinal, received_at, channel, proof, result, .. } = delivery;
        let empty = ExportedRequest { request, received_at, channel, proof, items: Vec::new(), body: None };
        let item = ExportedItem { ordinal, event_id: *event_id, result };
        requests.entry(request).or_insert(empty).items.push(item);
    }
    for (id, request) in &mut requests {
        let own: BTreeSet<i64> = request.items.iter().map(|item| item.ordinal).collect();
        if store.items_of(*id)? == own.len() as u64 {
            request.body = store.body(*id)?.map(|body| String::from_utf8_lossy(&body).into_owned());
        }
    }
    Ok(requests.into_values().collect())
}
