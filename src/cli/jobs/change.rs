//! `wabridge jobs retry` and `discard`: by the daemon that runs, or alone where none does.

use crate::cli::failure::Failure;
use crate::cli::reading::{exists, failed, now, open, to_write, unasked};
use crate::cli::told::{counted, operation};
use crate::config::Config;
use crate::control::{Ask, Outcome, ask};
use crate::delivery::job::{Act, refusal};
use crate::exit::Exit;
use crate::store::StoreError;
use crate::store::outbox::{Job, JobFilter, JobState, Outbox};
use crate::web::api::Api;
use std::io::Write;

/// Jobs of one request to the daemon: far fewer bytes than it reads.
const AT_ONCE: usize = 1000;

/// Try jobs now, with their attempts forgotten
///
/// By id, or all dead, held and pending ones of a target with one cause.
///
/// Example: wabridge jobs retry --target hubspot --cause 'invalid: VALIDATION_ERROR' --dry-run
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("which").required(true).args(["ids", "target"]))]
pub(super) struct Retry {
    /// The jobs' ids
    #[arg(value_name = "ID")]
    ids: Vec<i64>,
    /// All of this target
    #[arg(long, requires = "cause")]
    target: Option<String>,
    /// ... with this cause, as `wabridge jobs list` prints it
    #[arg(long, requires = "target")]
    cause: Option<String>,
    /// Only say which
    #[arg(long)]
    dry_run: bool,
}

/// Give jobs up: they are written no more
///
/// Without --yes it says what it would do. The reason is kept with each.
///
/// Example: wabridge jobs discard 42 --reason "a test lead" --yes
#[derive(Debug, clap::Args)]
pub(super) struct Discard {
    /// The jobs' ids
    #[arg(value_name = "ID", required = true)]
    ids: Vec<i64>,
    /// Why, for whoever asks later
    #[arg(long, value_parser = reason)]
    reason: String,
    /// Do it
    #[arg(long)]
    yes: bool,
}

fn reason(text: &str) -> Result<String, &'static str> {
    let text = text.trim();
    let fits = (1..=500).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    if fits { Ok(text.to_owned()) } else { Err("write why, in 1 to 500 characters") }
}

impl Retry {
    pub(super) fn run(&self, config: &Config, out: &mut impl Write) -> Result<Exit, Failure> {
        let api = open(config)?;
        let jobs = match (&self.target, &self.cause) {
            (Some(target), Some(cause)) => {
                with_cause(&api, target, cause).map_err(|error| failed(&config.store, error))?
            }
            _ => by_ids(&api, config, &self.ids)?,
        };
        let (able, refused) = sorted(jobs, Act::Retry);
        tell_refused(&refused, out)?;
        if self.dry_run {
            tell(&able, "Would be tried now", out)?;
            writeln!(out, "Nothing was changed; run it without --dry-run to do it.")?;
            return Ok(Exit::Success);
        }
        let ids: Vec<i64> = able.iter().map(|job| job.id).collect();
        let at = now();
        let changed = perform(
            config,
            &ids,
            |jobs| Ask::RetryJobs { jobs, at },
            |store, jobs| store.retry_jobs(jobs, at),
        )?;
        writeln!(out, "{} will be tried now.", counted(changed as u64, "job", "jobs"))?;
        Ok(exit(&refused, changed))
    }
}

impl Discard {
    pub(super) fn run(&self, config: &Config, out: &mut impl Write) -> Result<Exit, Failure> {
        let api = open(config)?;
        let (able, refused) = sorted(by_ids(&api, config, &self.ids)?, Act::Discard);
        tell_refused(&refused, out)?;
        if !self.yes {
            tell(&able, "Would be given up", out)?;
            writeln!(out, "Nothing was changed; add --yes to do it.")?;
            return Ok(exit(&refused, able.len()));
        }
        let ids: Vec<i64> = able.iter().map(|job| job.id).collect();
        let (at, reason) = (now(), self.reason.clone());
        let changed = perform(
            config,
            &ids,
            |jobs| Ask::DiscardJobs { jobs, reason: reason.clone(), at },
            |store, jobs| store.discard_jobs(jobs, &reason, at),
        )?;
        writeln!(out, "{} given up.", counted(changed as u64, "job is", "jobs are"))?;
        Ok(exit(&refused, changed))
    }
}

/// What was asked for and could not be done is wrong input.
fn exit(refused: &[(Job, &'static str)], done: usize) -> Exit {
    if done == 0 && !refused.is_empty() { Exit::Data } else { Exit::Success }
}

fn by_ids(api: &Api, config: &Config, ids: &[i64]) -> Result<Vec<Job>, Failure> {
    let mut jobs: Vec<Job> = Vec::new();
    for id in ids {
        let found = api.store.job(*id).map_err(|error| failed(&config.store, error))?;
        let unknown = || {
            let text = format!("there is no job {id}; nothing was changed; `wabridge jobs list` shows them");
            Failure::new(Exit::Data, text)
        };
        let (job, _) = found.ok_or_else(unknown)?;
        if jobs.iter().all(|known| known.id != job.id) {
            jobs.push(job);
        }
    }
    Ok(jobs)
}

/// The jobs of a target with a cause that can be retried.
fn with_cause(api: &Api, target: &str, cause: &str) -> Result<Vec<Job>, StoreError> {
    let mut all = Vec::new();
    for state in [JobState::Dead, JobState::Held, JobState::Pending] {
        let (target, cause) = (Some(target.to_owned()), Some(cause.to_owned()));
        let filter = JobFilter { state: Some(state), target, cause, lead: None };
        let mut after = 0;
        loop {
            let jobs = api.store.jobs(&filter, after, AT_ONCE)?;
            let Some(last) = jobs.last() else { break };
            after = last.id;
            all.extend(jobs);
        }
    }
    Ok(all)
}

/// Those that it can be done to, and the others with the reason.
fn sorted(jobs: Vec<Job>, act: Act) -> (Vec<Job>, Vec<(Job, &'static str)>) {
    let (mut able, mut refused) = (Vec::new(), Vec::new());
    for job in jobs {
        match refusal(act, job.state) {
            Some(why) => refused.push((job, why)),
            None => able.push(job),
        }
    }
    (able, refused)
}

fn tell_refused(refused: &[(Job, &'static str)], out: &mut impl Write) -> Result<(), Failure> {
    for (job, why) in refused {
        writeln!(out, "Job {} is {} and left alone: {why}.", job.id, job.state.as_str())?;
    }
    Ok(())
}

fn tell(jobs: &[Job], what: &str, out: &mut impl Write) -> Result<(), Failure> {
    writeln!(out, "{what}: {}.", counted(jobs.len() as u64, "job", "jobs"))?;
    for job in jobs {
        let cause = job.cause.as_deref().unwrap_or("no cause");
        let (id, target, lead) = (job.id, &job.target, job.lead);
        writeln!(out, "  {id}: {} of lead {lead} to '{target}' ({})", operation(job.kind), cause)?;
    }
    Ok(())
}

/// Has the running daemon do it; does it here where none runs.
fn perform(
    config: &Config,
    ids: &[i64],
    wish: impl Fn(Vec<i64>) -> Ask,
    alone: impl Fn(&dyn Outbox, &[i64]) -> Result<usize, StoreError>,
) -> Result<usize, Failure> {
    exists(&config.store)?;
    let mut changed = 0;
    let mut store = None;
    for ids in ids.chunks(AT_ONCE) {
        let asked = ask(config, wish(ids.to_vec())).map_err(|error| unasked(&config.store, error))?;
        if let Some(Outcome::JobsChanged(count)) = asked {
            changed += count;
            continue;
        }
        if store.is_none() {
            store = Some(to_write(config)?);
        }
        let Some(store) = &store else { continue };
        changed += alone(&**store, ids).map_err(|error| failed(&config.store, error))?;
    }
    Ok(changed)
}
