//! A new configuration for a daemon that runs: all of it is right and takes its place, or all of it is refused.
//!
//! In: the file, when SIGHUP says so. Out: new channels, secrets and alerts for the next request on; what only
//! a start can change is named and stays as it was. Requests in hand end with what they began with.

use crate::alerts::Watched;
use crate::config::SecretError;
use crate::config::{Channels, Config, ConfigErrors, Consent, Live, SecretErrors, Server};
use crate::inbox::normalise::Reader;
use crate::outbox::worker::{Couriers, PutError};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// Why a configuration was not taken. The one before stays in force.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The file is wrong.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    /// A secret cannot be read.
    #[error(transparent)]
    Secrets(#[from] SecretErrors),
    /// A target's token cannot be read.
    #[error(transparent)]
    Token(#[from] SecretError),
    /// Delivery could not take it, and what else is new is in force.
    #[error(transparent)]
    Delivery(#[from] PutError),
}

/// What can be replaced while the daemon runs.
pub struct Reloader {
    running: Mutex<Config>,
    /// The channels with secrets, for webhooks.
    pub(super) hooks: Arc<Live<Channels>>,
    /// What stored requests are read with.
    pub(super) projection: Arc<Live<Reader>>,
    /// What is watched, and who is told when something is wrong.
    pub(super) watching: Arc<Live<Watched>>,
    /// Who carries what is due to targets.
    couriers: Arc<Couriers>,
}

impl Reloader {
    pub(super) fn new(config: Config, couriers: Arc<Couriers>) -> Result<Reloader, SecretErrors> {
        let hooks = Arc::new(Channels::with_secrets(&config)?.into());
        let projection = Arc::new(Reader::new(&config).into());
        let watching = Arc::new(Watched::from(&config).into());
        Ok(Reloader { running: Mutex::new(config), hooks, projection, watching, couriers })
    }

    /// Reads the file, checks all of it, and puts it in force. Returns what differs and waits for a restart.
    ///
    /// # Errors
    /// [`ReloadError`]; nothing is changed then.
    pub fn reload(&self, path: &Path) -> Result<Vec<&'static str>, ReloadError> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let read = Config::load(path)?;
        let waits = waits_for_restart(&running, &read);
        let next = Config {
            server: Server {
                public_url: read.server.public_url,
                hold_unknown_numbers: read.server.hold_unknown_numbers,
                ..running.server.clone()
            },
            consent: Consent { required: running.consent.required, ..read.consent },
            store: running.store.clone(),
            region: running.region.clone(),
            window: running.window,
            ..read
        };
        let hooks = Channels::with_secrets(&next)?;
        let setups = self.couriers.prepare(&next)?;
        // Projection first: it must know a channel before anything of it is stored.
        self.projection.set(Reader::new(&next));
        self.hooks.set(hooks);
        self.watching.set(Watched::from(&next));
        let put = self.couriers.put(&next, setups);
        *running = next;
        put?;
        Ok(waits)
    }
}

/// What a new configuration changes that only a start can put in force.
fn waits_for_restart(running: &Config, read: &Config) -> Vec<&'static str> {
    let (old, new) = (&running.server, &read.server);
    let differs = [
        ("[server] listen", old.listen != new.listen),
        ("[server] admin_listen", old.admin_listen != new.admin_listen),
        ("[server] control_socket", old.control_socket != new.control_socket),
        ("[server] max_connections", old.max_connections != new.max_connections),
        ("[store]", running.store != read.store),
        ("[region]", running.region != read.region),
        ("[window]", running.window != read.window),
        ("[consent] required", running.consent.required != read.consent.required),
    ];
    differs.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
}
