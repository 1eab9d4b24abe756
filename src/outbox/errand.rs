//! The calls of one step: look for people, read what is undecided, write, and resolve what is in the way.
//!
//! In: bundles on their way. Out: the same, with what was found, written, or went wrong. Nothing is decided here
//! that [`super::retry`] decides.

use super::Setup;
use super::enrichments::Enrichments;
use super::orders::is_forward;
use super::plan::plain;
use super::summaries::Summaries;
use super::transport::TOTAL;
use super::watch::Known;
use super::work::{Slots, Work};
use crate::clock::Clock;
use crate::config::target::Mode;
use crate::store::outbox::ShadowRow;
use crate::store::{Store, StoreError};
use crate::telemetry::metrics::Metrics;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use wabridge_crms::mapping::Mapping;
use wabridge_crms::{Bundle, Desk, Record, Transport, Who};
use wabridge_model::{Country, Failure, FailureKind, MatchedBy, OperationKind, Phone, RecordRef};

/// How long a lease runs without a heartbeat.
pub(super) const LEASE: SignedDuration = SignedDuration::from_secs(60);
/// Between heartbeats.
const BEAT: Duration = Duration::from_secs(20);

/// Until when jobs are leased, for all who make calls for them.
pub(super) struct Lease(AtomicI64);

impl Lease {
    pub(super) fn new(until: Timestamp) -> Lease {
        Lease(AtomicI64::new(until.as_millisecond()))
    }

    /// For calls that are made for no job.
    pub(super) fn forever() -> Lease {
        Lease(AtomicI64::new(i64::MAX))
    }

    fn extend(&self, until: Timestamp) {
        self.0.store(until.as_millisecond(), Ordering::Release);
    }

    /// Whether it lasts beyond this instant.
    pub(super) fn outlasts(&self, now: Timestamp) -> bool {
        now.as_millisecond() < self.0.load(Ordering::Acquire)
    }
}

/// Why a step is given up.
#[derive(Debug)]
pub(super) enum GivenUp {
    /// The store failed.
    Store(StoreError),
    /// The leases ran out, as of a process that was stopped and continued: others may hold the jobs.
    LeaseLost,
}

impl From<StoreError> for GivenUp {
    fn from(error: StoreError) -> GivenUp {
        GivenUp::Store(error)
    }
}

/// The calls of one step.
pub(super) struct Errand<'a> {
    pub(super) store: &'a dyn Store,
    pub(super) clock: &'a dyn Clock,
    pub(super) metrics: &'a Metrics,
    pub(super) setup: &'a Setup,
    pub(super) known: &'a Known,
    pub(super) transport: &'a dyn Transport,
    pub(super) summaries: &'a Summaries,
    pub(super) enrichments: &'a Enrichments,
    /// Whether leases are kept by a timer while calls run.
    pub(super) beats: bool,
    /// Every leased job.
    pub(super) jobs: Vec<i64>,
    /// Until when they are leased.
    pub(super) lease: &'a Lease,
}

impl Errand<'_> {
    pub(super) fn desk(&self) -> Desk<'_> {
        let Setup { target, config, .. } = self.setup;
        Desk {
            transport: self.transport,
            person: target.person,
            key_field: &target.key_field,
            schema: &self.known.schema,
            country: config.region.default_country,
        }
    }

    /// Makes sure that the leases outlive a call.
    fn fence(&self) -> Result<(), GivenUp> {
        let now = self.clock.now();
        if !self.lease.outlasts(now) {
            return Err(GivenUp::LeaseLost);
        }
        let call = SignedDuration::try_from(TOTAL).unwrap_or(LEASE);
        if self.lease.outlasts(now + call) { Ok(()) } else { Ok(self.extend(now)?) }
    }

    fn extend(&self, now: Timestamp) -> Result<(), StoreError> {
        self.store.extend_leases(&self.jobs, now, now + LEASE)?;
        self.lease.extend(now + LEASE);
        Ok(())
    }

    /// Keeps the leases while something runs.
    async fn kept<T>(&self, running: impl Future<Output = T>) -> Result<T, GivenUp> {
        self.fence()?;
        if !self.beats {
            return Ok(running.await);
        }
        tokio::pin!(running);
        loop {
            tokio::select! {
                done = &mut running => return Ok(done),
                () = tokio::time::sleep(BEAT) => {
                    // A call under way is not given up for this: the fence before the next one tells.
                    if let Err(error) = self.extend(self.clock.now()) {
                        tracing::warn!(kind = error.kind.as_str(), "leases could not be extended");
                    }
                }
            }
        }
    }

    /// Looks for everybody who is unknown.
    pub(super) async fn find(&self, works: &mut [Work]) -> Result<(), GivenUp> {
        let mut unknown: Vec<&mut Work> = works.iter_mut().filter(|work| work.is_unknown()).collect();
        let who = |work: &&mut Work| work.dossier.as_ref().map(|dossier| dossier.who.clone());
        let people: Vec<Who> = unknown.iter().filter_map(who).collect();
        if people.is_empty() {
            return Ok(());
        }
        let fields = self.readable();
        let desk = self.desk();
        let found = self.kept(self.setup.target.crm.find(&desk, &people, &fields)).await?;
        let email = self.setup.fields_of("email");
        let mut found = found.into_iter();
        for work in &mut unknown {
            match found.next().unwrap_or_else(|| Err(no_outcome())) {
                Ok(found) => work.found(found, &email),
                Err(failure) => work.fail(&failure),
            }
        }
        Ok(())
    }

    /// The fields that are worth reading of any record.
    fn readable(&self) -> Vec<String> {
        let target = &self.setup.target;
        let has = |field: &&String| !self.known.health.missing.contains_key(*field);
        let fields = target.fields.iter().map(|mapping| &mapping.field).filter(has);
        let owner = target.crm.owner_field().filter(|_| !target.owners.is_empty()).map(str::to_owned);
        fields.chain([&target.key_field]).cloned().chain(owner).collect()
    }

    /// Asks what else is known of people who are about to be written; of nobody for a target that is only shown.
    pub(super) async fn enrich(&self, works: &mut [Work]) -> Result<(), GivenUp> {
        let target = &self.setup.target;
        let is_mapped = target.fields.iter().any(Mapping::is_enrichment);
        let Some(config) = self.setup.config.enrichment.as_ref().filter(|_| is_mapped) else { return Ok(()) };
        if target.mode != Mode::Live {
            return Ok(());
        }
        let of = (self.setup, self.known);
        self.kept(self.enrichments.fill(config, of, works, self.clock, self.metrics)).await
    }

    /// Reads the records in which something is undecided; `all` known ones where a target is only shown.
    pub(super) async fn read(&self, works: &mut [Work], all: bool) -> Result<(), GivenUp> {
        let mut asked: Vec<(&mut Work, RecordRef)> = Vec::new();
        let mut fields = Vec::new();
        for work in works {
            if let Some((record, wanted)) = work.to_read(self.setup, all) {
                fields.extend(wanted);
                asked.push((work, record));
            }
        }
        fields.sort();
        fields.dedup();
        if asked.is_empty() {
            return Ok(());
        }
        let records: Vec<RecordRef> = asked.iter().map(|(_, record)| record.clone()).collect();
        let desk = self.desk();
        let read = self.kept(self.setup.target.crm.read(&desk, &records, &fields)).await?;
        let mut read = read.into_iter();
        for (work, _) in &mut asked {
            match read.next().unwrap_or_else(|| Err(no_outcome())) {
                Ok(record) => work.saw(record),
                Err(failure) => work.fail(&failure),
            }
        }
        Ok(())
    }

    /// Writes what is open, in as few calls as the CRM takes.
    pub(super) async fn write(&self, works: &mut [Work]) -> Result<(), GivenUp> {
        if let Some(summary) = &self.setup.config.summary {
            self.kept(self.summaries.fill(summary, works, self.clock, self.metrics)).await?;
        }
        let mut due: Vec<(&mut Work, Slots)> = Vec::new();
        let mut bundles: Vec<Bundle> = Vec::new();
        for work in works {
            if let Some((bundle, slots)) = work.bundle(self.setup) {
                bundles.push(bundle);
                due.push((work, slots));
            }
        }
        let crm = self.setup.target.crm;
        let batch = crm.about().capability.batch.max(1);
        let mut due = due.into_iter();
        for bundles in bundles.chunks(batch) {
            let began = self.clock.elapsed();
            let desk = self.desk();
            let written = self.kept(crm.write(&desk, bundles)).await?;
            let took = self.clock.elapsed().saturating_sub(began);
            self.metrics.delivered(crm.about().slug, took.as_secs_f64());
            let mut written = written.into_iter();
            for (work, slots) in due.by_ref().take(bundles.len()) {
                work.wrote(&slots, written.next().unwrap_or_default());
            }
        }
        Ok(())
    }

    /// Finds a way around what is in the way, so that it may be written once more. Whether there is any.
    pub(super) async fn resolve(&self, works: &mut [Work]) -> Result<bool, GivenUp> {
        let mut any = false;
        for work in works.iter_mut() {
            if let Some(deal) = &self.setup.target.deal {
                any |= work.move_found(|stages| is_forward(deal, &self.known.schema, stages));
            }
            for kind in OperationKind::ALL {
                for index in work.jobs_of(kind) {
                    any |= match work.failures[index].clone() {
                        Some(failure) if failure.kind == FailureKind::Vanished => {
                            self.vanished(work, index, &failure);
                            true
                        }
                        Some(failure)
                            if failure.kind == FailureKind::Conflict
                                && matches!(kind, OperationKind::Person | OperationKind::Instruction) =>
                        {
                            self.conflict(work, &failure).await?
                        }
                        _ => false,
                    };
                }
            }
        }
        if any {
            self.find(works).await?;
            self.read(works, false).await?;
        }
        Ok(any)
    }

    fn vanished(&self, work: &mut Work, index: usize, failure: &Failure) {
        let (kind, subject) = (work.job(index).kind, work.job(index).subject.clone());
        match kind {
            OperationKind::Person | OperationKind::Instruction => match (&failure.existing, &mut work.row) {
                (Some(other), Some(row)) => row.record = other.clone(),
                _ => work.forget(),
            },
            OperationKind::Activity => {
                if let Some(write) = work.dossier.as_mut().and_then(|it| it.activities.get_mut(&subject)) {
                    (write.record, write.doubtful) = (None, true);
                }
            }
            OperationKind::Deal => {
                if let Some(write) =
                    work.dossier.as_mut().and_then(|it| it.deals.get_mut(&subject)?.as_mut().ok())
                {
                    (write.record, write.doubtful) = (None, true);
                }
            }
            OperationKind::Task => {
                if let Some(write) = work.dossier.as_mut().and_then(|it| it.tasks.get_mut(&subject)) {
                    (write.record, write.doubtful) = (None, true);
                }
            }
        }
        work.reopen(|failure| failure.kind == FailureKind::Vanished);
    }

    /// A record is in the way: it is the lead's, or it is another's and we write without what it holds.
    async fn conflict(&self, work: &mut Work, failure: &Failure) -> Result<bool, GivenUp> {
        let theirs = match &failure.existing {
            Some(existing) => {
                let records = [existing.clone()];
                let (desk, fields) = (self.desk(), self.readable());
                let read = self.kept(self.setup.target.crm.read(&desk, &records, &fields)).await?;
                read.into_iter().next().and_then(Result::ok)
            }
            None => None,
        };
        let matched = theirs.as_ref().and_then(|record| self.is_lead(work, record));
        if let (Some(record), Some(matched)) = (theirs, matched) {
            work.link(record, matched);
        } else {
            let taken = match &failure.field {
                Some(field) if *field != self.setup.target.key_field => [field.clone()].into(),
                _ => self.setup.fields_of("email"),
            };
            let before = work.taken.len();
            work.taken.extend(taken);
            if work.taken.len() == before {
                return Ok(false);
            }
        }
        work.reopen(|failure| failure.kind == FailureKind::Conflict);
        Ok(true)
    }

    /// Whether a record is the lead's, and by what: our key; or their number; or the e-mail address that was in the
    /// way, where the record has no number or the lead has none.
    fn is_lead(&self, work: &Work, record: &Record) -> Option<MatchedBy> {
        let value = |field: &str| record.values.get(field).and_then(|value| value.as_str());
        let country: Country = self.setup.config.region.default_country;
        let numbers: Vec<Phone> = self
            .setup
            .fields_of("phone")
            .iter()
            .map(String::as_str)
            .chain([self.setup.target.key_field.as_str()])
            .filter_map(|field| Phone::parse(value(field)?, country).ok())
            .collect();
        let phone = work.dossier.as_ref().and_then(|dossier| dossier.who.phone.clone());
        let is_key = |phone: &Phone| value(&self.setup.target.key_field) == Some(phone.e164());
        match phone {
            Some(phone) if is_key(&phone) => Some(MatchedBy::UniqueKey),
            // Another record of the same person is not ours to choose once one is known.
            _ if work.row.is_some() => None,
            Some(phone) if numbers.contains(&phone) => Some(MatchedBy::Phone),
            Some(_) if !numbers.is_empty() => None,
            Some(_) | None => Some(MatchedBy::Email),
        }
    }

    /// What would be written, by lead and operation: for a target that only shows it.
    pub(super) fn shadow(&self, works: &mut [Work]) -> Vec<ShadowRow> {
        let at = self.clock.now();
        let mut rows = Vec::new();
        for work in works {
            let (lead, is_new) = (work.leased.lead, work.row.is_none());
            let matched_by = if is_new { Some(MatchedBy::Created) } else { work.matched };
            let seen = work.seen.clone().unwrap_or_default();
            let row = |kind, action: &str, diff| ShadowRow {
                lead,
                kind,
                at,
                action: action.to_owned(),
                matched_by,
                diff,
            };
            if let Some(draft) = work.draft(self.setup) {
                let values = draft.write.as_ref().map(|write| write.values.clone());
                let diff: BTreeMap<_, _> = values
                    .unwrap_or_default()
                    .into_iter()
                    .map(|(field, ours)| {
                        let there = seen.get(&field).cloned().unwrap_or_default();
                        (field, (there, plain(&ours)))
                    })
                    .collect();
                let action = match (is_new, draft.write.is_some()) {
                    (true, _) => "create",
                    (false, true) => "update",
                    (false, false) => "none",
                };
                rows.push(row(OperationKind::Person, action, diff));
            }
            for kind in [OperationKind::Activity, OperationKind::Deal, OperationKind::Task] {
                if let Some(index) = work.jobs_of(kind).into_iter().next() {
                    let action = if work.job(index).record.is_some() { "update" } else { "create" };
                    rows.push(row(kind, action, BTreeMap::new()));
                }
            }
        }
        rows
    }
}

fn no_outcome() -> Failure {
    Failure::new(FailureKind::Down, "no_outcome")
}
