//! `wabridge serve`: the daemon, until a signal ends it.

use super::failure::{Failure, OrExit};
use crate::clock::SystemClock;
use crate::config::{self, Config};
use crate::exit::Exit;
use crate::outbox::worker::PutError;
use crate::runtime::{Daemon, Handed, Reloader, StartError, Stop, supervisor};
use crate::store::sqlite::{SCHEMA_VERSION, library_version};
use crate::store::{StoreError, StoreErrorKind};
use crate::web::Sockets;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use tokio::signal::unix::{SignalKind, signal};

/// Run the daemon
#[derive(Debug, clap::Args)]
pub(super) struct Serve {}

impl Serve {
    pub(super) fn run(self, path: &Path, out: &mut dyn Write) -> Result<Exit, Failure> {
        let config = Config::load(path).or_exit(Exit::Config)?;
        for warning in config.warnings() {
            tracing::warn!("{warning}");
        }
        let store = config.store.clone();
        let Handed { sockets, names } = Handed::take().or_exit(Exit::Unavailable)?;
        let daemon = start(sockets, config)?;
        let signals = listen_for_signals(daemon.stopper.clone())?;
        reload_on_signal(&signals, Arc::clone(&daemon.reloader), path.to_owned())?;
        writeln!(out, "{}", start_line(&daemon, &store, &names))?;
        out.flush()?;
        supervisor::ready();
        let why = daemon.wait();
        supervisor::stopping();
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

fn start(sockets: Sockets, config: Config) -> Result<Daemon, Failure> {
    Daemon::start_on(sockets, config, Arc::new(SystemClock::default())).map_err(|error| {
        let exit = match &error {
            StartError::Secrets(_) | StartError::Token(_) => Exit::Config,
            StartError::Store(error) | StartError::Delivery(PutError::Store(error)) => exit_of(error),
            StartError::Listen { .. }
            | StartError::Control(_)
            | StartError::Delivery(PutError::Thread(_)) => Exit::Unavailable,
        };
        Failure::of(exit, error)
    })
}

/// The exit code that a store's failure asks for.
pub(super) fn exit_of(error: &StoreError) -> Exit {
    match error.kind {
        StoreErrorKind::Newer
        | StoreErrorKind::OldLibrary
        | StoreErrorKind::Unsafe
        | StoreErrorKind::Unfinished
        | StoreErrorKind::Moved
        | StoreErrorKind::Denied
        | StoreErrorKind::Untrusted => Exit::Config,
        StoreErrorKind::Away | StoreErrorKind::Absent => Exit::Unavailable,
        StoreErrorKind::Held | StoreErrorKind::Busy | StoreErrorKind::Full | StoreErrorKind::Counting => {
            Exit::Temporary
        }
        StoreErrorKind::Disk => Exit::Io,
        StoreErrorKind::Constraint | StoreErrorKind::Corrupt | StoreErrorKind::Other => Exit::Internal,
    }
}

fn start_line(daemon: &Daemon, store: &config::Store, handed: &[String]) -> String {
    let metrics = daemon
        .admin_address
        .map_or_else(String::new, |address| format!(", metrics on http://{address}/metrics"));
    let handed = match handed {
        [] => String::new(),
        names => format!("; sockets handed over: {}", names.join(", ")),
    };
    let database = match store {
        config::Store::Sqlite(_) => format!("SQLite {}", library_version()),
        config::Store::Postgres(_) => "PostgreSQL".to_owned(),
    };
    format!(
        "wabridge {} listens on http://{}; store {store} (schema {SCHEMA_VERSION}, {database}, a 200 is committed and flushed){metrics}{handed}",
        env!("CARGO_PKG_VERSION"),
        daemon.address,
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

/// Reads the configuration anew at every SIGHUP, for as long as the runtime lives.
fn reload_on_signal(
    runtime: &tokio::runtime::Runtime,
    reloader: Arc<Reloader>,
    path: PathBuf,
) -> Result<(), Failure> {
    let _inside = runtime.enter();
    let mut hang_up = signal(SignalKind::hangup())?;
    runtime.spawn(async move {
        while hang_up.recv().await.is_some() {
            supervisor::reloading();
            reload(&reloader, &path);
            // Either way it serves on; what it serves by is in the log.
            supervisor::ready();
        }
    });
    Ok(())
}

fn reload(reloader: &Reloader, path: &Path) {
    match reloader.reload(path) {
        Ok(waits) => {
            tracing::info!("the configuration is in force");
            if !waits.is_empty() {
                let keys = waits.join(", ");
                tracing::warn!(keys, "these changes wait for a restart");
            }
        }
        Err(error) => {
            tracing::error!(%error, "the configuration was not taken; the one before stays in force");
        }
    }
}
