//! `wabridge serve`: the daemon, until a signal ends it.

use super::failure::{Failure, OrExit};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::exit::Exit;
use crate::runtime::{Daemon, StartError, Stop};
use crate::store::sqlite::{SCHEMA_VERSION, library_version};
use crate::store::{StoreError, StoreErrorKind};
use std::io::Write;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use tokio::signal::unix::{SignalKind, signal};

/// Run the daemon
#[derive(Debug, clap::Args)]
pub(super) struct Serve {}

impl Serve {
    pub(super) fn run(self, config: Config, out: &mut dyn Write) -> Result<Exit, Failure> {
        for warning in config.warnings() {
            tracing::warn!("{warning}");
        }
        let path = config.store.path.clone();
        let daemon = start(config)?;
        writeln!(out, "{}", start_line(&daemon, &path.display().to_string()))?;
        out.flush()?;
        let signals = listen_for_signals(daemon.stopper.clone())?;
        let why = daemon.wait();
        tracing::info!(?why, "stopping");
        match why {
            Stop::Asked => {
                daemon.stop();
                drop(signals);
                Ok(Exit::Success)
            }
            // What the log holds may be gone: no graceful end, systemd starts anew and reads what is there.
            Stop::DiskFailed => Ok(Exit::Io),
        }
    }
}

fn start(config: Config) -> Result<Daemon, Failure> {
    Daemon::start(config, Arc::new(SystemClock::default())).map_err(|error| {
        let exit = match &error {
            StartError::Secrets(_) => Exit::Config,
            StartError::Store(error) => exit_of(error),
            StartError::Listen { .. } => Exit::Unavailable,
        };
        Failure::of(exit, error)
    })
}

/// The exit code that a store's failure asks for.
pub(super) fn exit_of(error: &StoreError) -> Exit {
    match error.kind {
        StoreErrorKind::Newer | StoreErrorKind::OldLibrary => Exit::Config,
        StoreErrorKind::Held | StoreErrorKind::Busy | StoreErrorKind::Full => Exit::Temporary,
        StoreErrorKind::Disk => Exit::Io,
        StoreErrorKind::Constraint | StoreErrorKind::Corrupt | StoreErrorKind::Other => Exit::Internal,
    }
}

fn start_line(daemon: &Daemon, path: &str) -> String {
    let metrics = daemon
        .admin_address
        .map_or_else(String::new, |address| format!(", metrics on http://{address}/metrics"));
    format!(
        "wabridge {} listens on http://{}; store {path} (schema {SCHEMA_VERSION}, SQLite {}, a 200 is committed and flushed){metrics}",
        env!("CARGO_PKG_VERSION"),
        daemon.address,
        library_version(),
    )
}

/// A thread that turns SIGTERM and SIGINT into a request to stop. Dropping the runtime ends it.
pub(super) fn listen_for_signals(stopper: Sender<Stop>) -> Result<tokio::runtime::Runtime, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("signals")
        .enable_io()
        .build()
        .or_exit(Exit::Internal)?;
    let _inside = runtime.enter();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    runtime.spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        let _ = stopper.send(Stop::Asked);
    });
    drop(_inside);
    Ok(runtime)
}
