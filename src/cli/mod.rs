//! What the operator asks: one file per command. `anyhow` ends here; the library below has its own errors.
//!
//! To add a command: a file with its arguments and `run`, a variant of `Command`, an arm in `dispatch`.

mod advice;
mod attribution;
mod backup;
mod check;
mod connect;
mod demo;
mod explain;
mod export;
mod failure;
mod forecast;
mod init;
mod jobs;
mod lead;
mod login;
mod migrate;
mod reading;
mod rebuild;
mod replay;
mod resync;
mod saying;
mod serve;
mod sign;
mod simulate;
mod tail;
mod target;
mod token;
mod told;
mod window;

use crate::config::Config;
use crate::exit::Exit;
use crate::telemetry::logs;
use clap::{Parser, Subcommand};
use failure::{Failure, OrExit};
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Carries WhatsApp Business conversations into CRMs.
#[derive(Debug, Parser)]
#[command(name = "wabridge", version)]
struct Arguments {
    /// The configuration file
    #[arg(
        long,
        global = true,
        env = "WABRIDGE_CONFIG",
        value_name = "FILE",
        default_value = "/etc/wabridge/wabridge.toml"
    )]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Serve),
    Demo(demo::Demo),
    Attribution(attribution::Attribution),
    Check(check::Check),
    Backup(backup::Backup),
    Connect(connect::Connect),
    Explain(explain::Explain),
    Export(export::Export),
    Forecast(forecast::Forecast),
    Init(init::Init),
    Jobs(jobs::Jobs),
    Lead(lead::Lead),
    Login(login::Login),
    MigrateStore(migrate::MigrateStore),
    Rebuild(rebuild::Rebuild),
    Replay(replay::Replay),
    Restore(backup::Restore),
    Resync(resync::Resync),
    Sign(sign::Sign),
    Simulate(simulate::Simulate),
    Tail(tail::Tail),
    Target(target::Target),
    Token(token::Token),
    Window(window::Window),
}

/// Runs one command line, the program's name first, and says how it ended.
pub fn run<I, T>(arguments: I) -> Exit
where
    I: IntoIterator<Item = T>,
    T: Into<OsString> + Clone,
{
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Nothing can be said about a closed terminal, least of all on it.
            drop(error.print());
            return if error.use_stderr() { Exit::Usage } else { Exit::Success };
        }
    };
    dispatch(arguments).unwrap_or_else(|failure| report(&failure))
}

fn dispatch(arguments: Arguments) -> Result<Exit, Failure> {
    logs::init().or_exit(Exit::Config)?;
    let Arguments { config, command } = arguments;
    let out = &mut io::stdout().lock();
    match command {
        Command::Demo(demo) => demo.run(out),
        Command::Serve(serve) => serve.run(&config, out),
        Command::Attribution(attribution) => attribution.run(&load(&config)?, out),
        Command::Check(check) => check.run(&config, out),
        Command::Backup(backup) => backup.run(&load(&config)?, out),
        Command::Connect(connect) => connect.run(&load(&config)?, out),
        Command::Explain(explain) => explain.run(&load(&config)?, out),
        Command::Export(export) => export.run(&load(&config)?, out),
        Command::Forecast(forecast) => forecast.run(&load(&config)?, out),
        Command::Init(init) => init.run(&config, out),
        Command::Jobs(jobs) => jobs.run(&load(&config)?, out),
        Command::Lead(lead) => lead.run(&load(&config)?, out),
        Command::Login(login) => login.run(&load(&config)?, out),
        Command::MigrateStore(migrate) => migrate.run(out),
        Command::Rebuild(rebuild) => rebuild.run(&load(&config)?, out),
        Command::Replay(replay) => replay.run(&load(&config)?, out),
        Command::Restore(restore) => restore.run(out),
        Command::Resync(resync) => resync.run(&load(&config)?, out),
        Command::Sign(sign) => sign.run(&load(&config)?, out),
        Command::Simulate(simulate) => simulate.run(out),
        Command::Tail(tail) => tail.run(&load(&config)?, out),
        Command::Target(target) => target.run(&config, out),
        Command::Token(token) => token.run(&load(&config)?, out),
        Command::Window(window) => window.run(&load(&config)?, out),
    }
}

/// Reads the configuration for a command that cannot do without.
fn load(path: &Path) -> Result<Config, Failure> {
    Config::load(path).or_exit(Exit::Config)
}

fn report(failure: &Failure) -> Exit {
    // A reader that went away (`wabridge ... | head`) is no failure to tell anybody about.
    if !failure.is_broken_pipe() {
        drop(writeln!(io::stderr(), "wabridge: {failure}"));
    }
    failure.exit()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }
}
