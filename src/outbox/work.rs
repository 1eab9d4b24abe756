//! One leased bundle on its way: what is known of it, what was tried, and what became of each job.

mod outcome;

use super::Setup;
use super::dossier::Dossier;
use super::meter::QUOTA;
use super::plan::{Draft, Sheet, Stand};
use super::retry::{Effect, FirstAid, after, cause, first_aid};
use super::rule::Standing;
use super::watch::Health;
use crate::insight::summary::Talk;
use crate::store::outbox::{End, Job, Leased, POSTPONED, RecordRow, Settled};
use jiff::Timestamp;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use wabridge_crms::{Bundle, Delivery, Found, Record};
use wabridge_model::{Failure, FailureKind, MatchedBy, OperationKind, RecordRef};

/// Nothing differs from what was written.
pub(super) const UNCHANGED: &str = "unchanged";
/// What it is about is no more.
pub(super) const GONE: &str = "gone";
/// The deal stands elsewhere than where we put it: somebody moved it since.
const MOVED_BY_OTHERS: &str = "moved_by_others";
/// The target's configuration does without it.
const SWITCHED_OFF: &str = "switched_off";
/// The target only says what it would write.
pub(super) const SHADOW: &str = "shadow";

/// How the cause begins of what was instructed and cannot be obeyed.
const INSTRUCTION: &str = "instruction";

/// A leased bundle on its way.
pub(super) struct Work {
    pub(super) leased: Leased,
    pub(super) dossier: Option<Dossier>,
    /// What became of each job, as far as that is decided.
    pub(super) ends: Vec<Option<End>>,
    /// What went wrong with each job, and is not decided.
    pub(super) failures: Vec<Option<Failure>>,
    /// The lead's record, as it is known now.
    pub(super) row: Option<RecordRow>,
    /// What stands in it, where it was read.
    pub(super) seen: Option<BTreeMap<String, Value>>,
    /// How the person was found.
    pub(super) matched: Option<MatchedBy>,
    pub(super) candidates: Vec<RecordRef>,
    /// Fields whose values other records have.
    pub(super) taken: BTreeSet<String>,
    /// Whether the person was looked for.
    pub(super) searched: bool,
    /// Deals whose making was in doubt, and that were found: the job, the record, the stage.
    found: Vec<(usize, RecordRef, String)>,
    draft: Draft,
}

/// Which jobs the parts of a bundle stand for.
#[derive(Default)]
pub(super) struct Slots {
    person: Option<usize>,
    activities: Vec<usize>,
    deals: Vec<usize>,
    tasks: Vec<usize>,
}

impl Work {
    pub(super) fn new(leased: Leased) -> Work {
        let jobs = leased.jobs.len();
        let row = leased.record.clone();
        let matched = row.as_ref().map(|_| MatchedBy::LocalMap);
        Work {
            leased,
            dossier: None,
            ends: vec![None; jobs],
            failures: vec![None; jobs],
            row,
            seen: None,
            matched,
            candidates: Vec::new(),
            taken: BTreeSet::new(),
            searched: false,
            found: Vec::new(),
            draft: Draft::default(),
        }
    }

    pub(super) fn job(&self, index: usize) -> &Job {
        &self.leased.jobs[index]
    }

    pub(super) fn jobs_of(&self, kind: OperationKind) -> Vec<usize> {
        (0..self.leased.jobs.len()).filter(|index| self.job(*index).kind == kind).collect()
    }

    /// The person's job, while nothing is known of its outcome.
    pub(super) fn open_person(&self) -> Option<usize> {
        // An instruction that is due alone is written to the person too.
        let kinds = [OperationKind::Person, OperationKind::Instruction];
        kinds.into_iter().flat_map(|kind| self.jobs_of(kind)).find(|index| self.is_open(*index))
    }

    fn is_open(&self, index: usize) -> bool {
        self.ends[index].is_none() && self.failures[index].is_none()
    }

    fn open(&self, kind: OperationKind) -> Vec<usize> {
        self.jobs_of(kind).into_iter().filter(|index| self.is_open(*index)).collect()
    }

    /// The conversations that are about to be written and may be summarised, once.
    pub(super) fn take_talks(&mut self) -> Vec<(String, Talk)> {
        let open: BTreeSet<String> =
            self.open(OperationKind::Activity).into_iter().map(|at| self.job(at).subject.clone()).collect();
        let talks = self.dossier.as_mut().map(|dossier| std::mem::take(&mut dossier.talks));
        talks.unwrap_or_default().into_iter().filter(|(id, _)| open.contains(id)).collect()
    }

    /// Ends every job whose outcome is open.
    pub(super) fn end_open(&mut self, end: &End) {
        for index in 0..self.ends.len() {
            if self.is_open(index) {
                self.ends[index] = Some(end.clone());
            }
        }
    }

    /// Ends what cannot be obeyed of an instruction: by itself, and with the name of what is unknown. Deals that stay
    /// where they are need no call.
    pub(super) fn refuse(&mut self) {
        let Some(dossier) = &self.dossier else { return };
        for (index, job) in self.leased.jobs.iter().enumerate() {
            let why = match job.kind {
                OperationKind::Instruction => dossier.refused.get(job.subject.as_str()),
                OperationKind::Deal => dossier.deals.get(&job.subject).and_then(|deal| deal.as_ref().err()),
                OperationKind::Person | OperationKind::Activity | OperationKind::Task => None,
            };
            if let Some(why) = why.filter(|_| self.is_open(index)) {
                self.ends[index] = Some(End::Dead(format!("{INSTRUCTION}: {why}")));
            }
            let stays = dossier.stays.get(&job.subject).filter(|_| job.kind == OperationKind::Deal).copied();
            if let Some(why) = stays.filter(|_| self.is_open(index)) {
                self.ends[index] = Some(End::Suppressed(why));
            }
        }
    }

    /// Holds everything that is open, the person with this cause, so that the others are let go with them.
    pub(super) fn keep_back(&mut self, cause: &str) {
        if let Some(person) = self.open_person() {
            self.ends[person] = Some(End::Held(cause.to_owned()));
            self.end_open(&End::Held("person_held".to_owned()));
        }
        self.end_open(&End::Held(cause.to_owned()));
    }

    /// Whether the CRM turned out not to have somebody whom the target's rule would not create.
    pub(super) fn is_unwanted(&self) -> bool {
        let standing = self.dossier.as_ref().map(|dossier| dossier.standing);
        match standing {
            Some(Standing::Out) => true,
            Some(Standing::IfKnown) => self.searched && self.row.is_none() && self.open_person().is_some(),
            Some(Standing::In) | None => false,
        }
    }

    /// Holds what the schema holds up.
    pub(super) fn hold(&mut self, health: &Health) {
        if let (Some(why), Some(person)) = (&health.person, self.open_person()) {
            self.ends[person] = Some(End::Held(why.clone()));
            self.fail(&Failure::waiting());
        }
        if let Some(why) = &health.deals {
            for index in self.open(OperationKind::Deal) {
                self.ends[index] = Some(End::Held(why.clone()));
            }
        }
    }

    /// The person failed before anything was written: the rest waits.
    pub(super) fn fail(&mut self, failure: &Failure) {
        let person = self.open_person();
        for index in 0..self.ends.len() {
            if self.is_open(index) {
                let is_first = person.is_none_or(|person| person == index);
                let failure = if is_first { failure.clone() } else { Failure::waiting() };
                self.failures[index] = Some(failure);
            }
        }
    }

    /// Whether the person must be looked for.
    pub(super) fn is_unknown(&self) -> bool {
        self.open_person().is_some() && self.row.is_none() && !self.searched && self.dossier.is_some()
    }

    pub(super) fn found(&mut self, found: Found, email_fields: &BTreeSet<String>) {
        self.searched = true;
        self.candidates = found.candidates;
        if found.email_taken.is_some() {
            self.taken.extend(email_fields.iter().cloned());
        }
        if let Some((record, matched)) = found.matched {
            self.link(record, matched);
        }
    }

    /// Takes a record for the lead's.
    pub(super) fn link(&mut self, record: Record, matched: MatchedBy) {
        let Record { at, values, url } = record;
        let known = self.row.take().filter(|row| row.record == at);
        let written = known.map(|row| row.written).unwrap_or_default();
        self.row = Some(RecordRow { record: at, url, matched_by: matched, written });
        (self.seen, self.matched) = (Some(values), Some(matched));
    }

    /// What stands in the known record. It may have another name by now, where it was merged or converted.
    pub(super) fn saw(&mut self, record: Record) {
        if let Some(row) = &mut self.row {
            row.record = record.at;
            row.url = record.url.or(row.url.take());
        }
        self.seen = Some(record.values);
    }

    /// Forgets the record: it is looked for again.
    pub(super) fn forget(&mut self) {
        (self.row, self.seen, self.matched, self.searched) = (None, None, None, false);
    }

    /// What there is to write to the person.
    pub(super) fn sheet<'a>(&'a self, setup: &'a Setup, dossier: &'a Dossier) -> Sheet<'a> {
        Sheet {
            mappings: &dossier.mappings,
            values: dossier.values.clone(),
            key: dossier.key.clone(),
            key_field: &setup.target.key_field,
            missing: &dossier.missing,
            taken: self.taken.clone(),
            can_be_quiet: setup.target.crm.about().capability.quiet,
        }
    }

    /// The fields that must be read before it can be decided what to write.
    pub(super) fn to_read(&self, setup: &Setup, all: bool) -> Option<(RecordRef, Vec<String>)> {
        let (Some(_), Some(row), Some(dossier), None) =
            (self.open_person(), &self.row, &self.dossier, &self.seen)
        else {
            return None;
        };
        let sheet = self.sheet(setup, dossier);
        let asks = all || !sheet.undecided(&row.written).is_empty();
        asks.then(|| (row.record.clone(), sheet.readable()))
    }

    /// Works out what the person's record gets. Says what would be written.
    pub(super) fn draft(&mut self, setup: &Setup) -> Option<&Draft> {
        let person = self.open_person()?;
        let dossier = self.dossier.as_ref()?;
        let doubtful = self.job(person).doubtful;
        let stand = match &self.row {
            Some(row) => Stand::Known { written: &row.written, seen: self.seen.as_ref() },
            None => Stand::New,
        };
        self.draft = self.sheet(setup, dossier).draft(stand, doubtful);
        Some(&self.draft)
    }

    /// The bundle of everything that is open, and which jobs its parts stand for. `None` where nothing is.
    pub(super) fn bundle(&mut self, setup: &Setup) -> Option<(Bundle, Slots)> {
        let mut slots = Slots::default();
        let mut bundle = Bundle {
            trace_id: self.leased.jobs.first().map(|job| job.trace_id.clone()).unwrap_or_default(),
            ..Bundle::default()
        };
        if let Some(person) = self.open_person() {
            bundle.person = self.draft(setup).and_then(|draft| draft.write.clone());
            match bundle.person {
                Some(_) => slots.person = Some(person),
                None => self.unchanged(person),
            }
        }
        bundle.record = self.row.as_ref().map(|row| row.record.clone());
        if bundle.record.is_none() && bundle.person.is_none() {
            // Whatever is left has nobody to belong to until the person is written again.
            self.end_open(&End::Held("person_held".to_owned()));
            return None;
        }
        for index in self.open(OperationKind::Activity) {
            match self.dossier.as_ref().and_then(|it| it.activities.get(&self.job(index).subject).cloned()) {
                Some(write) => {
                    bundle.activities.push(write);
                    slots.activities.push(index);
                }
                None => self.ends[index] = Some(End::Suppressed(GONE)),
            }
        }
        for index in self.open(OperationKind::Deal) {
            match self.dossier.as_ref().and_then(|it| it.deals.get(&self.job(index).subject).cloned()) {
                Some(Ok(write)) => {
                    bundle.deals.push(write);
                    slots.deals.push(index);
                }
                // Those that are refused have ended.
                Some(Err(_)) => {}
                None => self.ends[index] = Some(End::Held("config: no [target.deal]".to_owned())),
            }
        }
        for index in self.open(OperationKind::Task) {
            match self.dossier.as_ref().and_then(|it| it.tasks.get(&self.job(index).subject).cloned()) {
                Some(write) => {
                    bundle.tasks.push(write);
                    slots.tasks.push(index);
                }
                None => self.ends[index] = Some(End::Suppressed(SWITCHED_OFF)),
            }
        }
        (!bundle.is_empty()).then_some((bundle, slots))
    }

    /// The person's record stands as we would write it.
    fn unchanged(&mut self, person: usize) {
        let Some(row) = &mut self.row else { return };
        row.written.clone_from(&self.draft.written);
        let marks = |fields: &BTreeMap<String, String>| fields.keys().cloned().collect::<BTreeSet<String>>();
        let as_before = marks(&self.draft.left_out).is_subset(&marks(&self.leased.jobs[person].left_out));
        // What is newly left out must be marked on the job, so that it is filled in when it can be.
        let end = if as_before { End::Suppressed(UNCHANGED) } else { self.done_person() };
        self.obeyed(&end);
        self.ends[person] = Some(end);
    }

    fn done_person(&self) -> End {
        End::Done {
            record: self.row.as_ref().map(|row| row.record.clone()),
            matched_by: self.matched,
            candidates: self.candidates.clone(),
            left_out: self.draft.left_out.clone(),
            stage: None,
        }
    }

    /// Has what drifted wait until the schema is read again, and what waits for that as well.
    pub(super) fn wait_for_schema(&mut self, due_at: Timestamp) {
        let waits = |failure: &Failure| failure.kind == FailureKind::Drift || *failure == Failure::waiting();
        for (end, failure) in self.ends.iter_mut().zip(&mut self.failures) {
            if let Some(failure) = failure.take_if(|failure| waits(failure)) {
                *end = Some(End::Retry { due_at, spent: false, cause: cause(&failure) });
            }
        }
    }

    /// What was instructed was written with the person.
    fn obeyed(&mut self, end: &End) {
        for index in self.open(OperationKind::Instruction) {
            self.ends[index] = Some(end.clone());
        }
    }

    /// What an unknown outcome of a job may lead to.
    pub(super) fn delivery(&self, index: usize, setup: &Setup) -> Delivery {
        let kind = self.job(index).kind;
        let keyless = self.dossier.as_ref().is_some_and(|dossier| dossier.key.is_none());
        match setup.target.crm.about().capability.delivery(kind) {
            // Without a key of ours nothing makes a creation one.
            Delivery::Exact if kind == OperationKind::Person && keyless && self.row.is_none() => {
                Delivery::MayDuplicate
            }
            delivery => delivery,
        }
    }

    /// Opens the jobs again that failed in this way, and those that waited for them.
    pub(super) fn reopen(&mut self, which: impl Fn(&Failure) -> bool) {
        for failure in &mut self.failures {
            if failure.as_ref().is_some_and(|it| which(it) || *it == Failure::waiting()) {
                *failure = None;
            }
        }
    }

    /// What it came to. Every job has its end by now.
    pub(super) fn settled(self, target: &str, at: Timestamp) -> Settled {
        let Leased { lease, lead, jobs, record } = self.leased;
        let ends = jobs.iter().zip(self.ends);
        let ends = ends.filter_map(|(job, end)| Some((job.id, job.revision, end?))).collect();
        let record = (record != self.row).then_some(self.row);
        Settled { lease, target: target.to_owned(), lead, ends, record, at }
    }
}

/// Nothing of a step is due before the time that the CRM asked for, whatever failed in another way.
pub(super) fn spread(works: &mut [Work], floor: Effect, now: Timestamp) {
    let Effect::Wait(wait) = floor else { return };
    let floor = after(now, wait);
    for end in works.iter_mut().flat_map(|work| work.ends.iter_mut().flatten()) {
        if let End::Retry { due_at, .. } | End::Doubt { due_at, .. } = end {
            *due_at = (*due_at).max(floor);
        }
    }
}

/// Has what a limit left no room for wait until there is some, and what waits for it as well.
pub(super) fn postpone(works: &mut [Work], due_at: Timestamp) {
    let is_full = |failure: &Failure| failure.code == QUOTA;
    let full = |work: &&mut Work| work.failures.iter().flatten().any(is_full);
    for work in works.iter_mut().filter(full) {
        for (end, failure) in work.ends.iter_mut().zip(&mut work.failures) {
            if failure.take_if(|failure| is_full(failure) || *failure == Failure::waiting()).is_some() {
                *end = Some(End::Retry { due_at, spent: false, cause: POSTPONED.to_owned() });
            }
        }
    }
}

/// Whether any failure needs this before it can be decided.
pub(super) fn asks(works: &[Work], aid: FirstAid) -> bool {
    works.iter().flat_map(|work| work.failures.iter().flatten()).any(|failure| first_aid(failure.kind) == aid)
}

/// The result of an attempt, for metrics.
pub(super) fn result_of(end: &End) -> &'static str {
    match end {
        End::Done { .. } => "done",
        End::Suppressed(_) => "suppressed",
        // No attempt was made.
        End::Retry { cause, .. } if cause == POSTPONED => "postponed",
        End::Retry { .. } => "retry",
        End::Doubt { .. } => "doubt",
        End::Held(_) => "held",
        End::Dead(_) => "dead",
    }
}
