//! A lead, as the API and the command line print it.
//!
//! In: a lead's folded state. Out: the object of the contract, in the order of its keys. Instants are UTC.

use super::find::Person;
use super::touch::{TouchView, attribution_states, causes};
use super::verdict::{names, policy};
use crate::config::Config;
use crate::store::StoreError;
use crate::store::outbox::{Outbox, RecordRow};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::schema::Object;
use wabridge_model::attribution::{AttributionState, Cause, Touch};
use wabridge_model::chatbot::Utm;
use wabridge_model::consent::{Consent, ConsentState};
use wabridge_model::id::{EventId, IdentityKind, LeadId};
use wabridge_model::lead::{Birth, Lead, Name};
use wabridge_model::window::judge;

/// A lead.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Lead)]
pub struct LeadView {
    /// The id it answers under.
    #[schema(value_type = uuid::Uuid)]
    pub id: LeadId,
    /// The number that is theirs now.
    pub phone: Option<String>,
    /// What they are called.
    pub name: Option<String>,
    /// The newest e-mail address.
    pub email: Option<String>,
    /// Every name they had or have, oldest first.
    pub identities: Vec<IdentityView>,
    /// Where the lead came from: `whatsapp:<channel>` or `chatbot:<bot-id>`.
    pub source: String,
    /// The landing page or the address of the ad.
    pub first_conversation_url: Option<String>,
    /// The first campaign parameters; only those that are known.
    pub utm: UtmView,
    /// Their first act.
    pub first_seen_at: Timestamp,
    /// Their last act.
    pub last_seen_at: Timestamp,
    /// The windows with each of our numbers they wrote to.
    pub windows: Vec<WindowView>,
    /// Where they came from.
    pub attribution: AttributionView,
    /// What they agreed to, the newest word on each purpose.
    pub consent: Vec<ConsentView>,
    /// Their records in CRMs.
    pub records: Vec<RecordView>,
    /// The company they gave.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub company: Option<String>,
    /// Its size, in the sender's own words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub company_size: Option<String>,
    /// Their country, ISO 3166-1 alpha-2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// The lead's id, where it was asked for by another one that was joined with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<uuid::Uuid>)]
    pub merged_into: Option<LeadId>,
}

/// One name of a lead.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Identity)]
pub struct IdentityView {
    /// What sort of name.
    #[schema(schema_with = identity_kinds)]
    pub kind: IdentityKind,
    /// The name.
    pub value: String,
    /// Since when, by the evidence.
    pub valid_from: Timestamp,
    /// Until when; null while it is theirs.
    pub valid_to: Option<Timestamp>,
    /// Reported beside a name that belongs to another lead: shown, and finds nobody.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    pub disputed: bool,
}

/// Campaign parameters.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = Utm)]
pub struct UtmView {
    /// `utm_source`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// `utm_medium`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub medium: Option<String>,
    /// `utm_campaign`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub campaign: Option<String>,
    /// `utm_term`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub term: Option<String>,
    /// `utm_content`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
}

/// The window with one of our numbers, in short; ask for the verdict before writing.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Window)]
pub struct WindowView {
    /// Our number.
    pub business_number: String,
    /// When the person last did something that counts.
    pub last_inbound_at: Timestamp,
    /// Until when free text is allowed; null where a later event closed the window.
    pub free_text_until: Option<Timestamp>,
}

/// Where a lead came from.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LeadAttribution)]
pub struct AttributionView {
    /// How much is known.
    #[schema(schema_with = attribution_states)]
    pub state: AttributionState,
    /// Why something is missing.
    #[schema(schema_with = causes)]
    pub cause: Option<Cause>,
    /// How many touches there are.
    pub touches: usize,
    /// The first touch.
    pub first: Option<TouchView>,
    /// The last touch.
    pub last: Option<TouchView>,
}

/// What a person said about one purpose.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Consent)]
pub struct ConsentView {
    /// The purpose; null for every purpose.
    pub purpose: Option<String>,
    /// Given, or withdrawn.
    #[schema(schema_with = consent_states)]
    pub state: ConsentState,
    /// When.
    pub at: Timestamp,
    /// Which notice was shown.
    pub text_version: Option<String>,
    /// In which language.
    pub language: Option<String>,
    /// The event that says so.
    #[schema(value_type = uuid::Uuid)]
    pub event_id: EventId,
}

/// A lead's record in a CRM.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Record)]
pub struct RecordView {
    /// The target's name in the configuration.
    pub target: String,
    /// The CRM's object.
    pub kind: String,
    /// The CRM's id.
    pub id: String,
    /// Where a person opens it.
    pub url: Option<String>,
    /// How it was found.
    pub matched_by: String,
}

/// The lead's own page; `None` for a person who is not a lead.
///
/// # Errors
/// When the store cannot be read.
pub fn lead<S: Outbox + ?Sized>(
    store: &S,
    person: &Person,
    now: Timestamp,
    config: &Config,
) -> Result<Option<LeadView>, StoreError> {
    let Some(birth) = &person.lead.birth else { return Ok(None) };
    let records = store.records(&[person.id])?.into_iter().map(record).collect();
    Ok(Some(view(person, birth, records, now, config)))
}

fn view(
    person: &Person,
    birth: &Birth,
    records: Vec<RecordView>,
    now: Timestamp,
    config: &Config,
) -> LeadView {
    let Person { id, merged, lead, .. } = person;
    let visitor = lead.visitor.clone().unwrap_or_default();
    LeadView {
        id: *id,
        phone: lead.phone().map(str::to_owned),
        name: lead.name.as_ref().map(|name| name.value.clone()),
        email: lead.email().map(str::to_owned),
        identities: lead.names.iter().map(identity).collect(),
        source: birth.source.clone(),
        first_conversation_url: lead.first_conversation_url.as_ref().map(|url| url.value.clone()),
        utm: lead.utm.as_ref().map(|utm| utm_view(&utm.1)).unwrap_or_default(),
        first_seen_at: birth.at,
        last_seen_at: lead.last_seen_at.unwrap_or(birth.at),
        windows: windows(lead, now, config),
        attribution: attribution(*id, lead, &config.region.timezone),
        consent: lead.consents.iter().map(consent).collect(),
        records,
        company: visitor.company,
        company_size: visitor.company_size,
        country: visitor.country.map(|country| country.to_string()),
        merged_into: merged.then_some(*id),
    }
}

fn record((_, target, row): (LeadId, String, RecordRow)) -> RecordView {
    let RecordRow { record, url, matched_by, .. } = row;
    let matched_by = matched_by.as_str().to_owned();
    RecordView { target, kind: record.object, id: record.id, url, matched_by }
}

fn identity(name: &Name) -> IdentityView {
    IdentityView {
        kind: name.identity.kind,
        value: name.identity.value.clone(),
        valid_from: name.valid_from,
        valid_to: name.valid_to,
        disputed: name.disputed,
    }
}

fn utm_view(utm: &Utm) -> UtmView {
    let Utm { source, medium, campaign, term, content } = utm.clone();
    UtmView { source, medium, campaign, term, content }
}

fn windows(lead: &Lead, now: Timestamp, config: &Config) -> Vec<WindowView> {
    let view = |(number, window)| {
        // By the verdict's own rules, so that a refusal or a changed number leaves no instant to trust.
        let verdict = judge(Some(window), &lead.consents, now, policy(config), None);
        Some(WindowView {
            business_number: String::clone(number),
            last_inbound_at: verdict.last_inbound?.at,
            free_text_until: verdict.free_text_until,
        })
    };
    lead.windows.iter().filter_map(view).collect()
}

fn attribution(id: LeadId, lead: &Lead, zone: &TimeZone) -> AttributionView {
    let (state, cause) = lead.attribution.state();
    let touches = &lead.attribution.touches;
    let view = |touch: &Touch| TouchView::new(touch, id, lead.phone(), zone);
    AttributionView {
        state,
        cause,
        touches: touches.len(),
        first: touches.first().map(view),
        last: touches.last().map(view),
    }
}

fn consent(consent: &Consent) -> ConsentView {
    let Consent { purpose, state, at, text_version, language, event_id } = consent.clone();
    ConsentView { purpose, state, at, text_version, language, event_id }
}

fn identity_kinds() -> Object {
    names("What sort of name", ["phone", "bsuid", "parent_bsuid", "username", "email"])
}

fn consent_states() -> Object {
    names("Given, or taken back", ["given", "withdrawn"])
}
