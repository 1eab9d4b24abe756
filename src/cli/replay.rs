//! `wabridge replay`: what was stored or parked, read again with today's code, words and secrets.

use super::failure::{Failure, OrExit};
use super::reading::{exists, failed, found, open, to_write, unasked};
use crate::config::{Channels, Config};
use crate::control::{Ask, Outcome, ask};
use crate::exit::Exit;
use crate::inbox::normalise::Reader;
use crate::inbox::replay::{Replayed, What, replay};
use crate::leads::find::Found;
use crate::store::replay::Selection;
use crate::web::api::read_instant;
use std::io::Write;

/// Read stored requests again, with today's code, words and secrets
///
/// Shows what would change, then changes it; with --dry-run it stops after showing. Reading again is harmless:
/// what is known already is known once.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what").required(true))]
pub(super) struct Replay {
    /// Requests with something in quarantine
    #[arg(long, group = "what")]
    quarantined: bool,
    /// Parked requests: the right path token, and a signature that no secret fitted
    #[arg(long, group = "what")]
    parked: bool,
    /// Requests received from this day or instant on
    #[arg(long, group = "what", value_name = "TIME")]
    since: Option<String>,
    /// Requests that said something of this person: a phone, lead id, BSUID, username or e-mail address
    #[arg(long, group = "what")]
    lead: Option<String>,
    /// Only show what would change
    #[arg(long)]
    dry_run: bool,
}

impl Replay {
    pub(super) fn run(&self, config: &Config, out: &mut impl Write) -> Result<Exit, Failure> {
        exists(&config.store)?;
        let what = self.what(config)?;
        tell(out, &perform(config, what, true)?, what, true)?;
        if self.dry_run {
            writeln!(out, "Nothing was changed; run it without --dry-run to do it.")?;
        } else {
            tell(out, &perform(config, what, false)?, what, false)?;
        }
        Ok(Exit::Success)
    }

    fn what(&self, config: &Config) -> Result<What, Failure> {
        if self.parked {
            return Ok(What::Parked);
        }
        if let Some(text) = &self.since {
            let way_out = "write an instant such as 2026-11-22T14:05:00+05:30, or a day such as 2026-11-22";
            let wrong = || Failure::new(Exit::Data, format!("--since is not an instant; {way_out}"));
            let since = read_instant(text, &config.region).ok_or_else(wrong)?;
            return Ok(What::Stored(Selection::Since(since)));
        }
        let Some(lead) = &self.lead else { return Ok(What::Stored(Selection::Quarantined)) };
        match found(&open(config)?, lead, None)? {
            Found::Lead(person) => Ok(What::Stored(Selection::Cluster(person.cluster))),
            Found::Nobody(_) => Err(Failure::new(
                Exit::Data,
                "nobody is known by that; `wabridge lead` finds people by phone, id, username or e-mail address",
            )),
        }
    }
}

/// Has the running daemon do it, with the configuration it runs with; does it here where none runs.
fn perform(config: &Config, what: What, dry_run: bool) -> Result<Replayed, Failure> {
    let asked = ask(config, Ask::Replay { what, dry_run }).map_err(|error| unasked(&config.store, error))?;
    if let Some(Outcome::Replayed(replayed)) = asked {
        return Ok(replayed);
    }
    let channels = match what {
        What::Parked => Channels::with_secrets(config).or_exit(Exit::Config)?,
        What::Stored(_) => Channels::without_secrets(config),
    };
    let store = to_write(config)?;
    let result = replay(&*store, &Reader::new(config), &channels, what, dry_run);
    result.map_err(|error| failed(&config.store, error))
}

fn tell(out: &mut impl Write, replayed: &Replayed, what: What, dry_run: bool) -> Result<(), Failure> {
    let verb = if dry_run { "Would read" } else { "Read" };
    if what == What::Parked {
        let Replayed { proven, unproven, .. } = replayed;
        writeln!(
            out,
            "{verb} {} parked requests: {proven} proven by today's secrets, {unproven} not.",
            proven + unproven
        )?;
        return Ok(());
    }
    let Replayed { requests, items, people, .. } = replayed;
    writeln!(out, "{verb} {requests} stored requests; people concerned: {people}.")?;
    for (change, count) in items {
        let (was, is) = change.split_once(" to ").unwrap_or((change, change));
        match was == is {
            true => writeln!(out, "  {count} items stay {was}")?,
            false => writeln!(out, "  {count} items: {was} -> {is}")?,
        }
    }
    Ok(())
}
