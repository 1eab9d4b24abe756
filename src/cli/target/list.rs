//! `wabridge target list`: each target on a few lines: whether it is written to, what its CRM lacks, what waits.

use crate::cli::failure::Failure;
use crate::cli::reading::{clock_time, failed, now, open};
use crate::cli::told::{by_config, counted, crm_name};
use crate::config::{Config, Target};
use crate::delivery::depth::{AtTarget, by_target, dead_of};
use crate::exit::Exit;
use crate::outbox::budget::{Seen, usages};
use crate::outbox::courier::AUTH;
use crate::outbox::usage::Moment;
use crate::store::login::LoginRow;
use crate::store::outbox::{Depth, TargetRow, Used};
use jiff::{SignedDuration, Timestamp};
use std::io::{self, Write};
use std::time::Duration;
use wabridge_crms::schema::Schema;

/// Show each target: its CRM, whether it is written to, what its CRM lacks, what waits
///
/// Example: wabridge target list
#[derive(Debug, clap::Args)]
pub(super) struct List {}

impl List {
    pub(super) fn run(&self, config: &Config, out: &mut impl Write) -> Result<Exit, Failure> {
        let api = open(config)?;
        let wrong = |error| failed(&config.store, error);
        let depth = api.store.depth().map_err(wrong)?;
        let at = by_target(&depth);
        for target in &config.targets {
            let row = api.store.target(&target.name).map_err(wrong)?;
            let known = at.get(&target.name).cloned().unwrap_or_default();
            tell(target, &row, &known, &depth, config, out)?;
            if target.auth.login().is_some() {
                let row = api.store.login(&target.name).map_err(wrong)?;
                login(&target.name, row.as_ref(), config, out)?;
            }
            let used = api.store.used(&target.account()).map_err(wrong)?;
            quota(target, &used, config, out)?;
        }
        if config.targets.is_empty() {
            writeln!(out, "The configuration has no [[target]]; `wabridge init --crm hubspot` writes one.")?;
        }
        let gone = at.iter().filter(|(name, _)| config.targets.iter().all(|target| target.name != **name));
        for (name, at) in gone.filter(|(_, at)| at.oldest.is_some()) {
            writeln!(out, "{name}  is in the configuration no longer, and jobs of it wait: {}", states(at))?;
        }
        Ok(Exit::Success)
    }
}

fn tell(
    target: &Target,
    row: &TargetRow,
    at: &AtTarget,
    depth: &Depth,
    config: &Config,
    out: &mut impl Write,
) -> io::Result<()> {
    let name = &target.name;
    let is_written = match (row.paused.as_deref(), by_config(target)) {
        (Some(AUTH), _) if target.auth.login().is_some() => {
            format!("paused ({AUTH}); `wabridge login {name}` lets it go on")
        }
        (Some(cause), _) => format!("paused ({cause}); `wabridge target resume {name}` lets it go on"),
        (None, Some(mode)) => mode.to_owned(),
        (None, None) => "live".to_owned(),
    };
    writeln!(out, "{name}")?;
    writeln!(out, "  {:<9} {}, new people as {}", "CRM", crm_name(target), target.person)?;
    writeln!(out, "  {:<9} {is_written}", "mode")?;
    schema(target, row, now(), out)?;
    writeln!(out, "  {:<9} {}", "jobs", states(at))?;
    if let Some(oldest) = at.oldest {
        let age = span(now().duration_since(oldest));
        let since = clock_time(oldest, &config.region);
        writeln!(out, "  {:<9} {age}, since {since}", "oldest")?;
    }
    for (cause, count) in dead_of(depth, name) {
        writeln!(out, "  {:<9} {count} with {cause}", "dead")?;
    }
    Ok(())
}

fn login(name: &str, row: Option<&LoginRow>, config: &Config, out: &mut impl Write) -> io::Result<()> {
    let text = match row {
        None => format!("nobody has logged in yet; `wabridge login {name}`"),
        Some(LoginRow { fault: Some(fault), .. }) => {
            format!("the CRM renews it no more ({fault}); `wabridge login {name}`")
        }
        Some(LoginRow { changed_at, .. }) => format!("renewed {}", clock_time(*changed_at, &config.region)),
    };
    writeln!(out, "  {:<9} {text}", "login")
}

/// What is used of each limit of hours.
fn quota(target: &Target, used: &[Used], config: &Config, out: &mut impl Write) -> io::Result<()> {
    let at = Moment::new(now(), Duration::ZERO);
    for usage in usages(target, used).iter().filter(|usage| usage.limit.is_long()) {
        let Seen { limit, used, size, runs_out } = Seen::of(usage, at);
        let percent = used.saturating_mul(100) / size.max(1);
        let (unit, hours) = (limit.unit, limit.window.as_secs() / 3600);
        write!(out, "  {:<9} {used} of {size} {unit} within {hours} h, {percent} %", "quota")?;
        match runs_out {
            Some(at) => {
                let at = clock_time(at, &config.region);
                writeln!(out, "; at the rate of the last hour nothing is left from {at} on")?;
            }
            None => writeln!(out)?,
        }
    }
    Ok(())
}

fn schema(target: &Target, row: &TargetRow, now: Timestamp, out: &mut impl Write) -> io::Result<()> {
    let Some((kept, at)) = &row.schema else {
        return writeln!(out, "  {:<9} not read yet; `wabridge check --online` reads it", "schema");
    };
    let age = span(now.duration_since(*at));
    let Ok(schema) = serde_json::from_value::<Schema>(kept.clone()) else {
        return writeln!(
            out,
            "  {:<9} read {age} ago by another version; the daemon reads it again",
            "schema"
        );
    };
    let faults = target.faults(&schema);
    let many = match faults.len() {
        0 => "it has all that is needed".to_owned(),
        count => counted(count as u64, "fault", "faults"),
    };
    writeln!(out, "  {:<9} read {age} ago: {many}", "schema")?;
    for fault in &faults {
        writeln!(out, "  {:<9} {fault}", "")?;
    }
    Ok(())
}

fn states(at: &AtTarget) -> String {
    let states: Vec<String> = at.states.iter().map(|(state, count)| format!("{count} {state}")).collect();
    if states.is_empty() { "none".to_owned() } else { states.join(", ") }
}

/// A time span as people say it, cut to its largest unit.
fn span(time: SignedDuration) -> String {
    match time.as_mins() {
        ..=0 => format!("{} s", time.as_secs().max(0)),
        minutes @ 1..120 => format!("{minutes} min"),
        minutes @ 120..2880 => format!("{} h", minutes / 60),
        minutes => format!("{} days", minutes / 1440),
    }
}
