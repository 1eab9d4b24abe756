//! `wabridge target pause` and `resume`: it survives a restart, and a running daemon hears of it at once.

use super::named;
use crate::cli::failure::Failure;
use crate::cli::reading::{exists, failed, to_write, unasked};
use crate::cli::told::by_config;
use crate::config::Config;
use crate::control::{Ask, Outcome, ask};
use crate::exit::Exit;
use std::io::Write;

/// Write nothing to a target until it is resumed; everything waits, nothing is lost
///
/// Example: wabridge target pause hubspot --reason "migration until Monday"
#[derive(Debug, clap::Args)]
pub(super) struct Pause {
    /// Its name in the configuration
    target: String,
    /// Why, for whoever asks later
    #[arg(long, value_parser = reason)]
    reason: Option<String>,
}

/// Write to a target again
///
/// Example: wabridge target resume hubspot
#[derive(Debug, clap::Args)]
pub(super) struct Resume {
    /// Its name in the configuration
    target: String,
}

fn reason(text: &str) -> Result<String, &'static str> {
    let text = text.trim();
    let fits = (1..=200).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    if fits { Ok(text.to_owned()) } else { Err("write why, in 1 to 200 characters") }
}

impl Pause {
    pub(super) fn run(&self, config: &Config, out: &mut impl Write) -> Result<Exit, Failure> {
        let target = named(config, &self.target)?;
        let cause = match &self.reason {
            Some(reason) => format!("operator: {reason}"),
            None => "operator".to_owned(),
        };
        perform(config, &target.name, Some(cause))?;
        let name = &target.name;
        writeln!(out, "'{name}' is paused: what is being written ends, everything else waits.")?;
        writeln!(out, "`wabridge target resume {name}` lets it go on.")?;
        Ok(Exit::Success)
    }
}

impl Resume {
    pub(super) fn run(&self, config: &Config, out: &mut impl Write) -> Result<Exit, Failure> {
        let target = named(config, &self.target)?;
        perform(config, &target.name, None)?;
        match by_config(target) {
            Some(mode) => writeln!(out, "'{}' is resumed, and {mode} holds.", target.name)?,
            None => writeln!(out, "'{}' goes on.", target.name)?,
        }
        Ok(Exit::Success)
    }
}

/// Has the running daemon do it; does it here where none runs.
pub(super) fn perform(config: &Config, target: &str, cause: Option<String>) -> Result<(), Failure> {
    exists(&config.store)?;
    let wish = Ask::PauseTarget { target: target.to_owned(), cause: cause.clone() };
    if let Some(Outcome::TargetPaused) = ask(config, wish).map_err(|error| unasked(&config.store, error))? {
        return Ok(());
    }
    let paused = to_write(config)?.pause_target(target, cause.as_deref());
    paused.map_err(|error| failed(&config.store, error))
}
