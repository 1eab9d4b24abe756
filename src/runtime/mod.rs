//! Start, workers, stop: the parts of a daemon put together.
//!
//! In: a configuration and a clock. Out: a running daemon on real sockets, for `serve`, for `demo` and
//! for tests alike.

mod handed;
mod reload;
pub mod supervisor;

pub use handed::Handed;
pub use reload::{ReloadError, Reloader};

use crate::alerts::{Sources, Watching};
use crate::clock::{Clock, ClockWatch};
use crate::config::{Config, SecretError, SecretErrors, Server};
use crate::control::{Control, ServeError, Tools};
use crate::inbox::projector::{Bell, Projecting, Projector};
use crate::outbox::login::{Invitations, Vault};
use crate::outbox::worker::{Couriers, Equipment, PutError, over_https};
use crate::store::signal::Signal;
use crate::store::{Signals, Store, StoreError};
use crate::telemetry::metrics::Metrics;
use crate::web::api::Api;
use crate::web::health::Health;
use crate::web::hooks::Hooks;
use crate::web::login::Callback;
use crate::web::{self, Limits, Sockets, State};
use actix_web::dev::ServerHandle;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use supervisor::Watchdog;

/// Why a daemon does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A secret cannot be read.
    #[error(transparent)]
    Secrets(#[from] SecretErrors),
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A token cannot be read.
    #[error(transparent)]
    Token(#[from] SecretError),
    /// Delivery cannot begin.
    #[error(transparent)]
    Delivery(#[from] PutError),
    /// There is no control socket.
    #[error(transparent)]
    Control(#[from] ServeError),
    /// An address cannot be bound, or there is no thread.
    #[error("listen on {listen}")]
    Listen {
        /// The configured address.
        listen: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
}

/// Listens for commands. Where the place is only the usual one, a daemon does without it.
fn control(
    at: Option<&Path>,
    configured: bool,
    store: &str,
    tools: Tools,
) -> Result<Option<Control>, ServeError> {
    let Some(at) = at else { return Ok(None) };
    match Control::start(at, store, tools) {
        Ok(control) => Ok(Some(control)),
        Err(error) if configured => Err(error),
        Err(error) => {
            tracing::warn!(%error, "commands that change things wait until the daemon is stopped");
            Ok(None)
        }
    }
}

/// Why a daemon must stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Someone asked it to.
    Asked,
    /// The disk failed: what was written may not be there.
    DiskFailed,
}

/// A running daemon.
pub struct Daemon {
    /// The main listener's address.
    pub address: SocketAddr,
    /// The admin listener's address, where one is configured.
    pub admin_address: Option<SocketAddr>,
    /// The store.
    pub store: Arc<dyn Store>,
    /// To ask it to stop from another thread.
    pub stopper: Sender<Stop>,
    /// To give it another configuration while it runs.
    pub reloader: Arc<Reloader>,
    stopped: Receiver<Stop>,
    health: Arc<Health>,
    handles: Vec<ServerHandle>,
    serving: Option<JoinHandle<()>>,
    projecting: Option<Projecting>,
    couriers: Arc<Couriers>,
    control: Option<Control>,
    watching: Watching,
    watchdog: Watchdog,
}

impl Daemon {
    /// Opens the store, binds the listeners and starts the workers.
    ///
    /// # Errors
    /// [`StartError`]; nothing runs then.
    pub fn start(config: Config, clock: Arc<dyn Clock>) -> Result<Daemon, StartError> {
        Daemon::start_on(Sockets::default(), config, clock)
    }

    /// As [`Daemon::start`], on sockets that the service manager handed over.
    ///
    /// # Errors
    /// [`StartError`]; nothing runs then.
    pub fn start_on(sockets: Sockets, config: Config, clock: Arc<dyn Clock>) -> Result<Daemon, StartError> {
        Daemon::start_with(sockets, Limits::default(), config, clock)
    }

    /// As [`Daemon::start`], with other limits of time: for tests.
    ///
    /// # Errors
    /// [`StartError`]; nothing runs then.
    pub fn start_within(limits: Limits, config: Config, clock: Arc<dyn Clock>) -> Result<Daemon, StartError> {
        Daemon::start_with(Sockets::default(), limits, config, clock)
    }

    fn start_with(
        sockets: Sockets,
        limits: Limits,
        config: Config,
        clock: Arc<dyn Clock>,
    ) -> Result<Daemon, StartError> {
        let bell = Arc::new(Bell::default());
        let (stopper, stopped) = channel();
        // Put there once they are: nobody is heard of before that who would not be looked for anyway.
        let later: Arc<OnceLock<Arc<Couriers>>> = Arc::default();
        let store = crate::store::open(&config.store, signals(&bell, &stopper, &later))?;
        store.count_days_in(&config.region.timezone)?;
        let metrics = Arc::new(Metrics::default());
        let vault = Vault::new(store.clone(), Arc::clone(&clock), config.store.beside(".key"));
        let invitations = Arc::new(Invitations::new(Arc::clone(&clock)));
        let equipment = Equipment {
            store: Arc::clone(&store),
            clock: Arc::clone(&clock),
            metrics: Arc::clone(&metrics),
            ways: over_https(vault.clone()),
        };
        let couriers = Arc::new(Couriers::new(equipment)?);
        let _ = later.set(Arc::clone(&couriers));
        let setups = couriers.prepare(&config)?;
        let reloader = Reloader::new(config.clone(), Arc::clone(&couriers))?;
        let watch = Arc::new(ClockWatch::new(&*clock));
        let health = Health {
            store: Arc::clone(&store),
            clock: Arc::clone(&clock),
            watch: Arc::clone(&watch),
            metrics: Arc::clone(&metrics),
            stopping: AtomicBool::new(false),
        };
        let projector = Projector::new(Arc::clone(&store), Arc::clone(&reloader.projection));
        let sources = Sources {
            store: Arc::clone(&store),
            metrics: Arc::clone(&metrics),
            clock: Arc::clone(&clock),
            folder: config.store.folder().to_owned(),
            config: Arc::clone(&reloader.watching),
        };
        let hooks = Hooks {
            channels: Arc::clone(&reloader.hooks),
            store: Arc::clone(&store),
            clock: Arc::clone(&clock),
            metrics: Arc::clone(&metrics),
            limits,
        };
        let listen = config.server.listen;
        let refused = |source| StartError::Listen { listen, source };
        let (control_at, configured) =
            (config.server.control_socket(), config.server.control_socket.is_some());
        let named = config.store.to_string();
        let (server, delivered) = (config.server.clone(), config.clone());
        let api = Api { store: Arc::clone(&store), clock, watch, config: Arc::new(config) };
        let health = Arc::new(health);
        let ring: Arc<dyn Fn() + Send + Sync> = {
            let couriers = Arc::clone(&couriers);
            Arc::new(move || couriers.ring())
        };
        let callback = Callback {
            invitations: Arc::clone(&invitations),
            config: Arc::clone(&reloader.watching),
            vault,
            store: Arc::clone(&store),
            ring: Arc::clone(&ring),
        };
        let state = State {
            login: Arc::new(callback).into(),
            hooks: Arc::new(hooks).into(),
            api: Arc::new(api).into(),
            health: Arc::clone(&health).into(),
        };
        let (serving, bound) = serve(server, sockets, limits, state).map_err(refused)?;
        let (address, admin_address, handles) = bound;
        couriers.put(&delivered, setups)?;
        let rung = Arc::clone(&couriers);
        let projecting = projector.start(bell, metrics, move || rung.ring()).map_err(refused)?;
        let watching = Watching::start(sources).map_err(refused)?;
        let tools = Tools {
            store: Arc::clone(&store),
            reader: Arc::clone(&reloader.projection),
            channels: Arc::clone(&reloader.hooks),
            invitations,
            ring,
        };
        let control = control(control_at.as_deref(), configured, &named, tools)?;
        let watchdog = Watchdog::start(Arc::clone(&store)).map_err(refused)?;
        Ok(Daemon {
            address,
            admin_address,
            store,
            stopper,
            stopped,
            health,
            handles,
            serving: Some(serving),
            projecting: Some(projecting),
            couriers,
            control,
            watching,
            watchdog,
            reloader: Arc::new(reloader),
        })
    }

    /// Waits until someone asks it to stop, or it must.
    #[must_use]
    pub fn wait(&self) -> Stop {
        // The daemon itself holds a sender, so this ends with a message only.
        self.stopped.recv().unwrap_or(Stop::Asked)
    }

    /// Stops: no new requests, those in flight finish, the projector ends its step, so do the
    /// couriers, the store closes.
    pub fn stop(mut self) {
        self.health.stopping.store(true, Ordering::Release);
        drop(self.control.take());
        for handle in &self.handles {
            // The server stops by itself; its thread is joined below.
            drop(handle.stop(true));
        }
        if let Some(serving) = self.serving.take() {
            let _ = serving.join();
        }
        drop(self.projecting.take());
        self.couriers.stop();
        drop(self.watching);
        // Last: until here, the service manager may ask whether the stop hangs.
        drop(self.watchdog);
    }
}

fn signals(bell: &Arc<Bell>, stopper: &Sender<Stop>, couriers: &Arc<OnceLock<Arc<Couriers>>>) -> Signals {
    let (bell, stopper, couriers) = (Arc::clone(bell), stopper.clone(), Arc::clone(couriers));
    let also = Arc::clone(&bell);
    Signals {
        committed: Box::new(move || bell.ring()),
        heard: Arc::new(move |signal| match signal {
            Signal::Requests => also.ring(),
            Signal::Jobs => couriers.get().into_iter().for_each(|couriers| couriers.ring()),
        }),
        disk_failed: Box::new(move |error| {
            tracing::error!(
                doing = error.doing,
                "the disk failed; stopping before anything more is acknowledged"
            );
            // A daemon that is gone needs no telling.
            let _ = stopper.send(Stop::DiskFailed);
        }),
    }
}

type Bound = (SocketAddr, Option<SocketAddr>, Vec<ServerHandle>);

/// Binds and serves on a thread of its own; returns once the listeners are bound.
fn serve(
    server: Server,
    sockets: Sockets,
    limits: Limits,
    state: State,
) -> std::io::Result<(JoinHandle<()>, Bound)> {
    let (tell, told) = channel();
    let thread = std::thread::Builder::new().name("http".to_owned()).spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let servers = match web::bind(&server, sockets, limits, &state) {
                Ok(servers) => servers,
                Err(error) => return drop(tell.send(Err(error))),
            };
            drop(tell.send(Ok((servers.address, servers.admin_address, servers.handles.clone()))));
            servers.run().await;
        });
    })?;
    let bound = told.recv().unwrap_or_else(|_| Err(std::io::Error::other("the HTTP thread ended")))?;
    Ok((thread, bound))
}
