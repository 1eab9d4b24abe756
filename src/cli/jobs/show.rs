//! `wabridge jobs show`: one job, in sentences.

use crate::cli::failure::Failure;
use crate::cli::reading::{clock_time, failed, now, open, zone};
use crate::cli::saying::masked_phone;
use crate::cli::told::{At, by_config, counted, crm_name, found_by, operation};
use crate::config::Config;
use crate::delivery::cause;
use crate::delivery::job::{Act, refusal};
use crate::exit::Exit;
use crate::leads::find::{Found, Reference, find};
use crate::store::StoreError;
use crate::store::outbox::{Attempt, Job, JobState};
use crate::web::api::Api;
use std::io::{self, Write};
use wabridge_model::RecordRef;

/// Tell one job's story: what, for whom, where it is and why, what was tried, what to do
///
/// Example: wabridge jobs show 42
#[derive(Debug, clap::Args)]
pub(super) struct Show {
    /// The job's id, as `wabridge jobs list` prints it
    id: i64,
}

impl Show {
    pub(super) fn run(&self, config: &Config, out: &mut impl Write) -> Result<Exit, Failure> {
        let api = open(config)?;
        let wrong = |error| failed(&config.store, error);
        let Some((job, attempts)) = api.store.job(self.id).map_err(wrong)? else {
            return Err(Failure::new(Exit::Data, "there is no such job; `wabridge jobs list` shows them"));
        };
        Story { api: &api, config, out }.tell(&job, &attempts)?;
        writeln!(out, "Times are in {}.", zone(&config.region, job.due_at))?;
        Ok(Exit::Success)
    }
}

/// Tells of jobs.
pub(in crate::cli) struct Story<'a, W> {
    pub(in crate::cli) api: &'a Api,
    pub(in crate::cli) config: &'a Config,
    pub(in crate::cli) out: &'a mut W,
}

impl<W: Write> Story<'_, W> {
    /// One job, in sentences.
    pub(in crate::cli) fn tell(&mut self, job: &Job, attempts: &[Attempt]) -> Result<(), Failure> {
        let wrong = |error| failed(&self.config.store, error);
        let region = &self.config.region;
        let whom = whom(self.api, job).map_err(wrong)?;
        let (id, target, lead) = (job.id, &job.target, job.lead);
        writeln!(self.out, "Job {id} writes {} of {whom} (lead {lead}) to '{target}'.", operation(job.kind))?;
        writeln!(
            self.out,
            "It was asked for first at {}, is at revision {} and {}; its trace id is {}.",
            clock_time(job.wanted_at, region),
            job.revision,
            job.priority.as_str(),
            job.trace_id
        )?;
        self.state(job, attempts)?;
        self.tried(attempts)?;
        self.result(job)?;
        self.what_next(job)?;
        Ok(())
    }

    fn state(&mut self, job: &Job, attempts: &[Attempt]) -> Result<(), Failure> {
        let target = self.config.targets.iter().find(|target| target.name == job.target);
        let paused = self.api.store.target(&job.target).map_err(|error| failed(&self.config.store, error))?;
        let at = At {
            target: &job.target,
            crm: target.map_or(&job.target, |target| crm_name(target)),
            paused: paused.paused.as_deref().or(target.and_then(by_config)),
            record: None,
            person: None,
            others: 0,
        };
        match (job.state, job.record.as_ref(), job.cause.as_deref()) {
            (JobState::Done, Some(record), _) => {
                let by = job.matched_by.map(|by| format!(", {}", found_by(by))).unwrap_or_default();
                writeln!(self.out, "It is done: it is {record} in {}{by}.", at.crm)?;
            }
            (JobState::Discarded, _, reason) => {
                writeln!(self.out, "It was given up by hand: {}.", reason.unwrap_or("no reason is known"))?;
            }
            (JobState::Suppressed, _, Some(cause)) => {
                let why = cause::sentence(cause, &job.target);
                writeln!(self.out, "It needed no writing: {why}.")?;
            }
            (state, ..) if state.is_over() => writeln!(self.out, "It is {}.", state.as_str())?,
            (state, ..) => {
                let why = at.why(job, attempts, now(), &self.config.region);
                writeln!(self.out, "It is {}: {why}.", state.as_str())?;
            }
        }
        if target.is_none() {
            writeln!(
                self.out,
                "The configuration no longer has a target '{}': nothing is written to it.",
                job.target
            )?;
        }
        Ok(())
    }

    fn tried(&mut self, attempts: &[Attempt]) -> io::Result<()> {
        for attempt in attempts {
            let at = clock_time(attempt.began_at, &self.config.region);
            let result = match (attempt.ended_at, attempt.result.as_deref()) {
                (_, Some(result)) => result,
                (Some(_), None) => "ended",
                (None, None) => "nothing was heard of it yet",
            };
            writeln!(self.out, "Attempt at {at}, of revision {}: {result}.", attempt.revision)?;
        }
        match attempts.len() {
            0 => writeln!(self.out, "It has not been tried."),
            _ => Ok(()),
        }
    }

    fn result(&mut self, job: &Job) -> io::Result<()> {
        let others: Vec<&RecordRef> =
            job.candidates.iter().filter(|it| Some(*it) != job.record.as_ref()).collect();
        if !others.is_empty() {
            let names: Vec<String> = others.iter().map(ToString::to_string).collect();
            let records = counted(others.len() as u64, "other record", "other records");
            writeln!(self.out, "{records} came into question: {}.", names.join(", "))?;
        }
        for (field, reason) in &job.left_out {
            writeln!(self.out, "The field {field} was left out: {reason}.")?;
        }
        Ok(())
    }

    fn what_next(&mut self, job: &Job) -> io::Result<()> {
        let advice = job.cause.as_deref().map(|it| cause::advice(it, &job.target)).unwrap_or_default();
        if job.state.is_over() {
            return Ok(());
        }
        if !advice.is_empty() {
            writeln!(self.out, "To do: {advice}.")?;
        }
        if refusal(Act::Retry, job.state).is_none() {
            writeln!(self.out, "  wabridge jobs retry {}", job.id)?;
        }
        if refusal(Act::Discard, job.state).is_none() {
            writeln!(self.out, "  wabridge jobs discard {} --reason TEXT", job.id)?;
        }
        Ok(())
    }
}

/// Whose job it is, masked.
fn whom(api: &Api, job: &Job) -> Result<String, StoreError> {
    let found = match find(api.store.as_ref(), &Reference::Id(job.lead), None) {
        Ok(Found::Lead(person)) => person.lead.phone().map(masked_phone),
        Err(crate::leads::find::FindError::Store(error)) => return Err(error),
        _ => None,
    };
    Ok(found.unwrap_or_else(|| "somebody without a phone yet".to_owned()))
}
