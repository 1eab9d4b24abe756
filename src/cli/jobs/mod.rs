//! `wabridge jobs`: the outbox: what waits, what failed and why, and what an operator does about it.

mod change;
mod list;
mod show;

pub(super) use show::Story;

use super::failure::Failure;
use crate::config::Config;
use crate::exit::Exit;
use std::io::Write;

/// List, explain, retry and give up deliveries
///
/// A job is one operation (a person, a conversation, a deal) for one lead and one target.
///
/// Examples:
///   wabridge jobs list --state dead
///   wabridge jobs show 42
///   wabridge jobs retry --target hubspot --cause 'invalid: VALIDATION_ERROR'
///   wabridge jobs discard 42 --reason "a test lead" --yes
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Jobs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    List(list::List),
    Show(show::Show),
    Retry(change::Retry),
    Discard(change::Discard),
}

impl Jobs {
    pub(super) fn run(&self, config: &Config, out: &mut impl Write) -> Result<Exit, Failure> {
        match &self.action {
            Action::List(list) => list.run(config, out),
            Action::Show(show) => show.run(config, out),
            Action::Retry(retry) => retry.run(config, out),
            Action::Discard(discard) => discard.run(config, out),
        }
    }
}
