//! All that is known of a lead at the moment its bundle is due: whom to look for, and what to write.
//!
//! In: a leased bundle, the store, the configuration. Out: a [`Dossier`], or why nothing may be written. What is
//! written is worked out here and now, so that a job that waited two days carries what is true today.

use super::Setup;
use super::orders::{Move, Orders};
use super::rule::{Standing, standing};
use super::watch::Health;
use crate::config::target::Mode;
use crate::insight::activity::{activity, talk};
use crate::insight::facts::{LeadFacts, Subject};
use crate::insight::summary::Talk;
use crate::insight::task::task;
use crate::leads::find::{FindError, Found, Person, Reference, find};
use crate::leads::timeline::own_evidence;
use crate::routing::task::asks_for_demo;
use crate::store::outbox::{Conversation, Job, Leased};
use crate::store::{Store, StoreError, StoreErrorKind};
use jiff::Timestamp;
use std::collections::BTreeMap;
use wabridge_crms::mapping::{Facts, Mapping, Path};
use wabridge_crms::schema::refuses;
use wabridge_crms::{ActivityWrite, Datum, DealWrite, Schema, TaskWrite, Who};
use wabridge_model::consent::ConsentState;
use wabridge_model::event::Fact;
use wabridge_model::evidence::Evidence;
use wabridge_model::{OperationKind, Phone};

/// What a person's consent is asked for.
const PURPOSE: &str = "crm";

/// What is known of a lead, for one target.
#[derive(Debug)]
pub(super) struct Dossier {
    /// Whether their record may be created.
    pub(super) standing: Standing,
    /// Whom to look for.
    pub(super) who: Who,
    /// Our values, by field.
    pub(super) values: BTreeMap<String, Datum>,
    /// The value of our key field.
    pub(super) key: Option<String>,
    /// Fields that are left out, and why.
    pub(super) missing: BTreeMap<String, String>,
    /// The conversations to log, by their ids.
    pub(super) activities: BTreeMap<String, ActivityWrite>,
    /// Those of them that an endpoint may summarise.
    pub(super) talks: BTreeMap<String, Talk>,
    /// The deals to create, by their keys; or why not.
    pub(super) deals: BTreeMap<String, Result<DealWrite, String>>,
    /// The deals that are there and stay where they are, and why.
    pub(super) stays: BTreeMap<String, &'static str>,
    /// The tasks to create, by the conversations in which they were asked for.
    pub(super) tasks: BTreeMap<String, TaskWrite>,
    /// What is written where: as configured, and whose the lead is to be.
    pub(super) mappings: Vec<Mapping>,
    /// What cannot be obeyed of instructions, by part.
    pub(super) refused: BTreeMap<&'static str, String>,
}

/// Why nothing may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Not {
    /// The lead is no more.
    Gone,
    /// Consent is required, and not given.
    Consent,
}

/// Looks a lead up.
pub(super) fn dossier(
    store: &dyn Store,
    setup: &Setup,
    (schema, health): (&Schema, &Health),
    leased: &Leased,
    now: Timestamp,
) -> Result<Result<Dossier, Not>, StoreError> {
    let Some(person) = person(store, leased)? else { return Ok(Err(Not::Gone)) };
    let given = person.lead.consents.state(PURPOSE) == Some(ConsentState::Given);
    if setup.config.consent.required && !given {
        return Ok(Err(Not::Consent));
    }
    // Not all of the cluster's: what somebody else said is nothing of this lead's record.
    let Some(evidence) = own_evidence(store, &person)? else { return Ok(Err(Not::Gone)) };
    let trace_id = leased.jobs.first().map_or("", |job| job.trace_id.as_str());
    let subject = Subject {
        id: person.id,
        lead: &person.lead,
        evidence: &evidence,
        config: &setup.config,
        now,
        trace_id,
    };
    let facts = LeadFacts::new(subject);
    let standing = standing(setup.target.person_rule, leased, &person.lead, &evidence);
    let orders = Orders::new(setup, schema, &evidence);
    let mut mappings = setup.target.fields.clone();
    let mut values = values(setup, &facts);
    if let Some((owned, owner)) = orders.owned() {
        values.insert(owned.field.clone(), owner);
        mappings.push(owned);
    }
    let mut missing = health.missing.clone();
    missing.extend(refused(schema, setup.target.person, &values));
    let who = who(setup, &facts, &person);
    let key = who.phone.as_ref().map(|phone| phone.e164().to_owned());
    let of_activities = conversations(store, leased, OperationKind::Activity)?;
    let page = text(&facts, "lead.url");
    let activities = activities(&of_activities, setup, page.as_deref(), leased, &evidence);
    let talks = talks(&of_activities, setup, page.as_deref(), &evidence);
    let of_deals = conversations(store, leased, OperationKind::Deal)?;
    let mut deals = deals(setup, &facts, key.as_deref(), leased, (&orders, &of_deals), now);
    let stays = moves(setup, leased, (&orders, &of_deals), &mut deals);
    let tasks = tasks(setup, &facts, leased, &orders);
    let refused = orders.refused();
    Ok(Ok(Dossier {
        standing,
        who,
        values,
        key,
        missing,
        activities,
        talks,
        deals,
        stays,
        tasks,
        mappings,
        refused,
    }))
}

fn person(store: &dyn Store, leased: &Leased) -> Result<Option<Person>, StoreError> {
    match find(store, &Reference::Id(leased.lead), None) {
        Ok(Found::Lead(person)) => Ok(Some(*person)),
        Ok(Found::Nobody(_)) => Ok(None),
        Err(FindError::Store(error)) => Err(error),
        // An id means one lead at most; if ever not, that is for a later look.
        Err(FindError::Unreadable | FindError::Ambiguous { .. }) => {
            Err(StoreError::new(StoreErrorKind::Other, "find the lead of a job"))
        }
    }
}

fn values(setup: &Setup, facts: &dyn Facts) -> BTreeMap<String, Datum> {
    let value = |mapping: &Mapping| Some((mapping.field.clone(), mapping.value(facts)?));
    setup.target.fields.iter().filter_map(value).collect()
}

/// The values that the CRM's field would refuse: one of them must not cost the lead all others.
pub(super) fn refused<'a>(
    schema: &'a Schema,
    person: &str,
    values: &'a BTreeMap<String, Datum>,
) -> impl Iterator<Item = (String, String)> + 'a {
    let fields = schema.objects.get(person).map(|object| &object.fields);
    let refused = move |(field, value): (&String, &Datum)| {
        let problem = refuses(fields?.get(field)?, value)?;
        Some((field.clone(), format!("the CRM refuses the value: {}", problem.as_str())))
    };
    values.iter().filter_map(refused)
}

fn who(setup: &Setup, facts: &dyn Facts, person: &Person) -> Who {
    let digits = person.lead.phone().map(|phone| phone.trim_start_matches('+'));
    let field = setup.fields_of("bsuid").into_iter().next();
    Who {
        phone: digits.and_then(|digits| Phone::from_whatsapp_id(digits).ok()),
        bsuid: field.zip(text(facts, "bsuid")),
        email: person.lead.email().map(str::to_owned),
    }
}

/// The text at a path of ours.
fn text(facts: &dyn Facts, path: &str) -> Option<String> {
    match facts.get(&Path::parse(path).ok()?)? {
        Datum::Text(text) => Some(text),
        _ => None,
    }
}

fn jobs_of(leased: &Leased, kind: OperationKind) -> impl Iterator<Item = &Job> {
    leased.jobs.iter().filter(move |job| job.kind == kind)
}

fn activities(
    known: &[Conversation],
    setup: &Setup,
    page: Option<&str>,
    leased: &Leased,
    evidence: &[Evidence],
) -> BTreeMap<String, ActivityWrite> {
    let jobs: BTreeMap<&str, &Job> =
        jobs_of(leased, OperationKind::Activity).map(|job| (job.subject.as_str(), job)).collect();
    let write = |conversation: &Conversation| {
        let job = jobs.get(conversation.id.as_str())?;
        let (title, body) =
            activity(conversation, evidence, setup.target.activity, page, &setup.config.region);
        let record = job.record.as_ref().map(|record| record.id.clone());
        let (key, at) = (conversation.id.clone(), conversation.started_at);
        Some((key.clone(), ActivityWrite { key, record, doubtful: job.doubtful, at, title, body }))
    };
    known.iter().filter_map(write).collect()
}

/// What may be summarised: nothing, unless it is configured and written.
fn talks(
    known: &[Conversation],
    setup: &Setup,
    page: Option<&str>,
    evidence: &[Evidence],
) -> BTreeMap<String, Talk> {
    let (target, config) = (&setup.target, &setup.config);
    if config.summary.is_none() || target.mode != Mode::Live {
        return BTreeMap::new();
    }
    let talk = |conversation: &Conversation| {
        let talk = talk(conversation, evidence, target.activity, page, &config.region)?;
        Some((conversation.id.clone(), talk))
    };
    known.iter().filter_map(talk).collect()
}

/// The conversations that jobs of a kind are about.
fn conversations(
    store: &dyn Store,
    leased: &Leased,
    kind: OperationKind,
) -> Result<Vec<Conversation>, StoreError> {
    let ids: Vec<String> = jobs_of(leased, kind).map(|job| job.subject.clone()).collect();
    if ids.is_empty() { Ok(Vec::new()) } else { store.conversations(&ids) }
}

fn deals(
    setup: &Setup,
    facts: &dyn Facts,
    key: Option<&str>,
    leased: &Leased,
    (orders, conversations): (&Orders<'_>, &[Conversation]),
    now: Timestamp,
) -> BTreeMap<String, Result<DealWrite, String>> {
    let Some(deal) = &setup.target.deal else { return BTreeMap::new() };
    let name = text(facts, "company").or_else(|| text(facts, "name")).or_else(|| key.map(str::to_owned));
    let today = now.to_zoned(setup.config.region.timezone.clone());
    let close_on = today.checked_add(deal.close_after).unwrap_or(today).date();
    let write = |job: &Job| {
        let of = conversations.iter().find(|conversation| conversation.id == job.subject);
        let stage = orders.stage(deal, &job.subject, of);
        let write = stage.map(|stage| DealWrite {
            key: job.subject.clone(),
            record: job.record.as_ref().map(|record| record.id.clone()),
            doubtful: job.doubtful,
            name: name.clone().unwrap_or_else(|| "WhatsApp lead".to_owned()),
            pipeline: deal.pipeline.clone(),
            stage,
            moves_from: None,
            amount: stated_amount(orders.evidence),
            close_on,
            owner: orders.owner_id().map(str::to_owned),
        });
        (job.subject.clone(), write)
    };
    jobs_of(leased, OperationKind::Deal).map(write).collect()
}

/// Of deals that are there: which are moved on, and which stay. One that cannot be obeyed stays as well.
fn moves(
    setup: &Setup,
    leased: &Leased,
    (orders, conversations): (&Orders<'_>, &[Conversation]),
    deals: &mut BTreeMap<String, Result<DealWrite, String>>,
) -> BTreeMap<String, &'static str> {
    let mut stays = BTreeMap::new();
    let Some(rule) = &setup.target.deal else { return stays };
    for job in jobs_of(leased, OperationKind::Deal).filter(|job| job.record.is_some()) {
        let Some(Ok(write)) = deals.get_mut(&job.subject) else { continue };
        let of = conversations.iter().find(|conversation| conversation.id == job.subject);
        match orders.moves(rule, job, of, &write.stage) {
            Move::On(from) => write.moves_from = Some(from),
            Move::Stays(why) => {
                stays.insert(job.subject.clone(), why);
            }
        }
    }
    stays
}

/// Due when they asked: what was written late is late. The job bears the trace of the event that asked.
fn tasks(
    setup: &Setup,
    facts: &dyn Facts,
    leased: &Leased,
    orders: &Orders<'_>,
) -> BTreeMap<String, TaskWrite> {
    let region = &setup.config.region;
    let write = |job: &Job| {
        let asks = |evidence: &&Evidence| asks_for_demo(&evidence.merged());
        let its_own = |evidence: &&Evidence| evidence.key().trace_id().to_string() == job.trace_id;
        let newest = || orders.evidence.iter().rev();
        let asked = newest().find(its_own).or_else(|| newest().find(asks));
        let due_at = asked.map_or(job.wanted_at, Evidence::effective_at);
        let (title, body) = task(asked.map(Evidence::merged).as_deref(), due_at, facts, region);
        let write = TaskWrite {
            key: job.subject.clone(),
            record: job.record.as_ref().map(|record| record.id.clone()),
            doubtful: job.doubtful,
            due_at,
            due_on: due_at.to_zoned(region.timezone.clone()).date(),
            title,
            body,
            owner: orders.owner_id().map(str::to_owned),
        };
        (job.subject.clone(), write)
    };
    jobs_of(leased, OperationKind::Task).filter(|_| setup.target.tasks).map(write).collect()
}

/// The amount that was stated last.
fn stated_amount(evidence: &[Evidence]) -> Option<(String, Option<String>)> {
    let stated = |evidence: &Evidence| match &evidence.merged().fact {
        Fact::Chatbot(event) => event.deal.clone().and_then(|deal| Some((deal.amount?, deal.currency))),
        _ => None,
    };
    evidence.iter().rev().find_map(stated)
}
