//! `wabridge rebuild`: all lead state folded anew from the events, or compared with what that would give.

use super::failure::Failure;
use super::reading::{failed, to_read, to_write, unasked};
use crate::config::Config;
use crate::control::{Ask, Outcome, ask};
use crate::exit::Exit;
use crate::store;
use crate::store::mending::Rebuilt;
use crate::store::sqlite::rebuild::Verified;
use std::io::Write;

/// Fold all lead state anew from the stored events
///
/// Lead ids are kept. Without --yes it says what it would do. A running daemon does it by itself, between the
/// requests that it acknowledges; where it cannot be reached, this exits 75. With --verify it folds a copy and compares,
/// beside a running daemon, and exits 1 on a difference; the copy of a store in PostgreSQL lies in the store's folder.
#[derive(Debug, clap::Args)]
pub(super) struct Rebuild {
    /// Change nothing: fold a copy, compare, exit 1 on a difference
    #[arg(long, conflicts_with = "yes")]
    verify: bool,
    /// Do it
    #[arg(long)]
    yes: bool,
}

impl Rebuild {
    pub(super) fn run(&self, config: &Config, out: &mut impl Write) -> Result<Exit, Failure> {
        // Refuses a store of another version before anything touches it.
        let opened = to_read(config)?;
        let (shown, wrong) = (&config.store, |error| failed(&config.store, error));
        if self.verify {
            let verified = store::verify(&config.store).map_err(wrong)?;
            let Rebuilt { events, people } = verified.rebuilt;
            let folded = format!("{events} events folded into {people} people");
            let Verified { different, miscounted, .. } = verified;
            if different > 0 {
                writeln!(out, "{folded}: {different} differ from {shown}; `wabridge rebuild` mends that.")?;
                return Ok(Exit::Difference);
            }
            if miscounted > 0 {
                let rows = format!("{miscounted} rows of attribution differ");
                writeln!(out, "{folded}: {rows} from {shown}; `wabridge rebuild` mends that.")?;
                return Ok(Exit::Difference);
            }
            writeln!(out, "{folded}: no difference from {shown}.")?;
        } else if self.yes {
            let asked = ask(config, Ask::Rebuild).map_err(|error| unasked(&config.store, error))?;
            let Rebuilt { events, people } = match asked {
                Some(Outcome::Rebuilt { events, people }) => Rebuilt { events, people },
                _ => to_write(config)?.rebuild(&|| true).map_err(wrong)?,
            };
            writeln!(out, "{events} events folded into {people} people.")?;
        } else {
            let Rebuilt { events, people } = opened.extent().map_err(wrong)?;
            writeln!(
                out,
                "This would fold the state of {people} people anew from {events} events in {shown}."
            )?;
            writeln!(out, "Ids, events and requests stay. Nothing was changed; add --yes to do it.")?;
        }
        Ok(Exit::Success)
    }
}
