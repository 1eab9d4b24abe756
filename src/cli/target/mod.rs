//! `wabridge target`: what there is to say about the CRM accounts that records are written to. One file per subcommand.

mod fields;

use super::failure::Failure;
use crate::config::{Config, Target as Account, nearest};
use crate::exit::Exit;
use std::io::Write;
use std::path::Path;

/// Look after the CRM accounts that records are written to
#[derive(Debug, clap::Args)]
pub(super) struct Target {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Fields(fields::Fields),
}

impl Target {
    pub(super) fn run(&self, config: &Path, out: &mut impl Write) -> Result<Exit, Failure> {
        match &self.command {
            Command::Fields(fields) => fields.run(config, out),
        }
    }
}

/// The target of this name.
fn named<'c>(config: &'c Config, name: &str) -> Result<&'c Account, Failure> {
    config.target(name).ok_or_else(|| {
        let names = || config.targets.iter().map(|target| target.name.as_str());
        let way_out = match nearest(name, names()) {
            Some(near) => format!("did you mean '{near}'?"),
            None if config.targets.is_empty() => "the configuration has no [[target]]".to_owned(),
            None => format!("there are {}", names().collect::<Vec<_>>().join(", ")),
        };
        Failure::new(Exit::Usage, format!("no target '{name}'; {way_out}"))
    })
}
