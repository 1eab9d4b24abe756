//! `wabridge jobs list`: dead letters by cause, then the jobs.

use crate::cli::failure::Failure;
use crate::cli::reading::{clock_time, failed, found, open};
use crate::config::{Config, Region};
use crate::delivery::cause;
use crate::delivery::job::{JobView, STATES, counts, page};
use crate::exit::Exit;
use crate::leads::find::Found;
use crate::store::StoreError;
use crate::store::outbox::{Depth, Job, JobFilter, JobState};
use crate::web::api::Api;
use serde::Serialize;
use serde_json::json;
use std::io::Write;

/// List dead letters by cause, then the jobs that are not done
///
/// Example: wabridge jobs list --state dead --target hubspot
#[derive(Debug, clap::Args)]
pub(super) struct List {
    /// Only jobs in this state: dead, held, doubt, leased, pending, done, suppressed, discarded
    #[arg(long, value_parser = state)]
    state: Option<JobState>,
    /// Only jobs of this target
    #[arg(long)]
    target: Option<String>,
    /// Only jobs of this lead: a phone, lead id, BSUID, username or e-mail address
    #[arg(long)]
    lead: Option<String>,
    /// Only jobs with this cause, as it is listed
    #[arg(long)]
    cause: Option<String>,
    /// The most jobs of a state
    #[arg(long, default_value_t = 50, value_name = "NUMBER")]
    limit: usize,
    /// Print JSON: the jobs as the API answers them, the counts, and the causes of dead ones
    #[arg(long)]
    json: bool,
}

fn state(name: &str) -> Result<JobState, String> {
    crate::web::api::choice(name, &STATES, JobState::as_str)
}

/// Dead jobs with one cause.
#[derive(Serialize)]
struct Dead<'a> {
    target: &'a str,
    cause: &'a str,
    count: u64,
}

impl List {
    pub(super) fn run(&self, config: &Config, out: &mut impl Write) -> Result<Exit, Failure> {
        let api = open(config)?;
        let wrong = |error| failed(&config.store, error);
        let filter = self.filter(&api)?;
        let depth = api.store.depth().map_err(wrong)?;
        let (jobs, more) = self.jobs(&api, &filter).map_err(wrong)?;
        if self.json {
            let counts = counts(&api.store.books().map_err(wrong)?);
            let items: Vec<JobView> = jobs.into_iter().map(JobView::from).collect();
            let dead: Vec<Dead<'_>> = self.dead(&depth).collect();
            let all = json!({ "items": items, "counts": counts, "dead": dead, "more": more });
            writeln!(out, "{all}")?;
            return Ok(Exit::Success);
        }
        self.print_dead(&depth, out)?;
        print_jobs(&jobs, &config.region, out)?;
        if more {
            writeln!(out, "There are more; raise --limit, or narrow the list with --state or --target.")?;
        }
        Ok(Exit::Success)
    }

    fn filter(&self, api: &Api) -> Result<JobFilter, Failure> {
        let lead = match &self.lead {
            None => None,
            Some(text) => match found(api, text, None)? {
                Found::Lead(person) => Some(person.id),
                Found::Nobody(_) => return Err(Failure::new(Exit::Data, "no lead is known by this")),
            },
        };
        let (target, cause) = (self.target.clone(), self.cause.clone());
        Ok(JobFilter { state: self.state, target, lead, cause })
    }

    /// The jobs, and whether there are more. What is done is listed only where it is asked for.
    fn jobs(&self, api: &Api, filter: &JobFilter) -> Result<(Vec<Job>, bool), StoreError> {
        let states = match (self.state, &filter.lead) {
            (Some(state), _) => vec![state],
            (None, Some(_)) => STATES.to_vec(),
            (None, None) => STATES.into_iter().filter(|state| !state.is_over()).collect(),
        };
        let (mut jobs, mut more) = (Vec::new(), false);
        for state in states {
            let filter = JobFilter { state: Some(state), ..filter.clone() };
            let (some, next) = page(api.store.as_ref(), &filter, 0, self.limit)?;
            jobs.extend(some);
            more |= next.is_some();
        }
        Ok((jobs, more))
    }

    fn dead<'a>(&'a self, depth: &'a Depth) -> impl Iterator<Item = Dead<'a>> {
        let wanted = |name: &str, of: &Option<String>| of.as_deref().is_none_or(|of| of == name);
        let all = depth.dead.iter().filter(|(_, count)| **count > 0);
        all.map(|((target, cause), count)| Dead { target, cause, count: *count })
            .filter(move |dead| wanted(dead.target, &self.target) && wanted(dead.cause, &self.cause))
    }

    fn print_dead(&self, depth: &Depth, out: &mut impl Write) -> Result<(), Failure> {
        if self.lead.is_some() || self.state.is_some_and(|state| state != JobState::Dead) {
            return Ok(());
        }
        let mut dead: Vec<Dead<'_>> = self.dead(depth).collect();
        dead.sort_by_key(|dead| std::cmp::Reverse(dead.count));
        if dead.is_empty() {
            writeln!(out, "No dead letters.\n")?;
            return Ok(());
        }
        writeln!(out, "Dead letters by cause:")?;
        for Dead { target, cause, count } in dead {
            writeln!(out, "{count:>7}  {target}: {cause}")?;
            writeln!(out, "         {}", cause::sentence(cause, target))?;
            let advice = cause::advice(cause, target);
            if !advice.is_empty() {
                writeln!(out, "         to do: {advice}")?;
            }
            writeln!(
                out,
                "         wabridge jobs retry --target {target} --cause '{}'",
                cause.replace('\'', "'\\''")
            )?;
        }
        writeln!(out)?;
        Ok(())
    }
}

fn print_jobs(jobs: &[Job], region: &Region, out: &mut impl Write) -> Result<(), Failure> {
    for job in jobs {
        let due = clock_time(job.due_at, region);
        let cause = job.cause.as_deref().unwrap_or_default();
        let (state, kind, priority) = (job.state.as_str(), job.kind.as_str(), job.priority.as_str());
        writeln!(
            out,
            "{:>7}  {state:<8} {:<12} {kind:<9} {priority:<7} {due:<22} {} {cause}",
            job.id, job.target, job.lead
        )?;
    }
    match jobs.len() {
        0 => writeln!(out, "No jobs.")?,
        _ => writeln!(out, "`wabridge jobs show ID` tells why one is where it is.")?,
    }
    Ok(())
}
