//! What the commands share that read or change the store beside a daemon: opening it, and naming what is
//! wrong with it by exit code.

use super::failure::Failure;
use super::serve::exit_of;
use crate::clock::{Clock, ClockWatch, SystemClock};
use crate::config::{self, Config, Region};
use crate::control::ControlError;
use crate::exit::Exit;
use crate::leads::find::{FindError, Found, Reference, find};
use crate::store::{self, Signals, Store, StoreError};
use crate::web::api::Api;
use jiff::Timestamp;
use std::sync::Arc;

/// Opens the store to read it, as the API does.
pub(super) fn open(config: &Config) -> Result<Api, Failure> {
    let store = to_read(config)?;
    let clock = Arc::new(SystemClock::default());
    let watch = Arc::new(ClockWatch::new(clock.as_ref()));
    Ok(Api { store, clock, watch, config: Arc::new(config.clone()) })
}

/// The store, to read it and for tokens and logins.
pub(super) fn to_read(config: &Config) -> Result<Arc<dyn Store>, Failure> {
    exists(&config.store)?;
    store::open_to_read(&config.store).map_err(|error| failed(&config.store, error))
}

/// The store, to do here what no daemon was there to do.
pub(super) fn to_write(config: &Config) -> Result<Arc<dyn Store>, Failure> {
    exists(&config.store)?;
    store::open(&config.store, Signals::unheard()).map_err(|error| failed(&config.store, error))
}

/// Makes the store before the daemon's first start, so that whoever installs both needs it only once.
pub(super) fn prepare(config: &Config) -> Result<(), Failure> {
    match config.store.file() {
        Some(path) if path.exists() => Ok(()),
        _ => store::prepare(&config.store).map_err(|error| failed(&config.store, error)),
    }
}

/// Refuses a store that is not there, before anything would create it. A server says so by itself.
pub(super) fn exists(store: &config::Store) -> Result<(), Failure> {
    let Some(path) = store.file() else { return Ok(()) };
    let shown = path.display();
    // Tried rather than read off the mode: SQLite needs both, even to read.
    match std::fs::OpenOptions::new().read(true).write(true).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let text =
                format!("there is no store at {shown}; start the daemon once, or correct url in [store]");
            Err(Failure::new(Exit::Unavailable, text))
        }
        Err(error) => Err(Failure::new(Exit::of_io(&error), format!("{shown} cannot be opened: {error}"))),
    }
}

/// A failure of the store, by what it asks of the operator.
pub(super) fn failed(store: &config::Store, error: StoreError) -> Failure {
    let exit = match exit_of(&error) {
        Exit::Io => io_exit(&error),
        exit => exit,
    };
    Failure::of(exit, anyhow::Error::from(error).context(format!("the store {store}")))
}

/// A failure of the running daemon to do what it was asked for.
pub(super) fn unasked(store: &config::Store, error: ControlError) -> Failure {
    match error {
        ControlError::Store(error) => failed(store, error),
        ControlError::Socket { ref source, .. } => Failure::of(Exit::of_io(source), error),
        ControlError::OtherVersion => Failure::of(Exit::Unavailable, error),
    }
}

fn io_exit(error: &StoreError) -> Exit {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<std::io::Error>());
    source.map_or(Exit::Io, Exit::of_io)
}

/// Finds the lead that an operator names.
pub(super) fn found(api: &Api, text: &str, at: Option<Timestamp>) -> Result<Found, Failure> {
    let reference = Reference::parse(text, api.config.region.default_country);
    let found = match reference {
        Some(reference) => find(api.store.as_ref(), &reference, at),
        None => Err(FindError::Unreadable),
    };
    found.map_err(|error| match error {
        FindError::Unreadable => Failure::new(Exit::Data, error.to_string()),
        FindError::Ambiguous { ref ids, .. } => {
            let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
            Failure::new(Exit::Data, format!("{error}: {}", ids.join(", ")))
        }
        FindError::Store(error) => failed(&api.config.store, error),
    })
}

/// A time of day and a day, as a person of the region says it.
pub(super) fn clock_time(at: Timestamp, region: &Region) -> String {
    region.clock_time(at)
}

/// The name of the region's time zone.
pub(super) fn zone(region: &Region, at: Timestamp) -> String {
    region.zone_name(at)
}

/// The clock of a command, which tests set by `--at` where it matters.
pub(super) fn now() -> Timestamp {
    SystemClock::default().now()
}

/// Waits between two looks at the store, which cannot call.
pub(super) fn rest(time: std::time::Duration) {
    // Nobody wakes this thread, and to wake early would only mean another look.
    std::thread::park_timeout(time);
}
