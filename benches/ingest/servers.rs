//! The servers under measurement, all in this process and on the daemon's own listener.
//!
//! In: a configuration. Out: a [`Subject`] that runs until it is dropped. The yardsticks store nothing; the
//! durable one is the daemon's routes over its store without a projector; the last is the daemon.

use crate::load::machine::pause_until;
use actix_web::dev::{Server, ServerHandle};
use actix_web::{HttpRequest, HttpResponse, web as actix};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::channel;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use wabridge::alerts::Watched;
use wabridge::clock::{Clock, ClockWatch, SystemClock};
use wabridge::config::{Channels, Config};
use wabridge::outbox::login::{Invitations, Vault};
use wabridge::runtime::Daemon;
use wabridge::store::Store;
use wabridge::store::sqlite::{Signals, SqliteStore};
use wabridge::telemetry::metrics::Metrics;
use wabridge::web::connection::Connections;
use wabridge::web::{self, Limits, Sockets, State, api::Api, health::Health, hooks::Hooks, login::Callback};
use wabridge_providers::{Inbound, Item};

/// What a measurement needs to know of the server under it.
pub(crate) trait Subject {
    fn address(&self) -> SocketAddr;
    /// Waits until everything is done that the requests so far bring about.
    fn settle(&self) {}
    /// Checks that `sent` requests left what they should have left.
    fn check(&self, _sent: usize) {}
}

/// A server on a thread of its own.
pub(crate) struct Http {
    address: SocketAddr,
    handle: ServerHandle,
    thread: Option<JoinHandle<()>>,
}

impl Http {
    fn start(bind: impl FnOnce() -> io::Result<(SocketAddr, Server)> + Send + 'static) -> Http {
        let (tell, told) = channel();
        let serve = move || {
            actix_web::rt::System::new().block_on(async move {
                let (address, server) = bind().expect("a free port can be bound");
                tell.send((address, server.handle())).expect("the benchmark waits for it");
                server.await.expect("the server does not fail");
            });
        };
        let thread =
            std::thread::Builder::new().name("http".to_owned()).spawn(serve).expect("there is a thread");
        let (address, handle) = told.recv().expect("the server was bound");
        Http { address, handle, thread: Some(thread) }
    }
}

impl Drop for Http {
    fn drop(&mut self) {
        // It stops by itself; the thread is joined below.
        drop(self.handle.stop(false));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Subject for Http {
    fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Connections watched as the daemon watches its own.
fn yardstick_connections() -> Arc<Connections> {
    Connections::new(Arc::new(Metrics::default()), Duration::from_secs(70))
}

/// Reads the body and answers.
pub(crate) fn empty(config: &Config) -> Http {
    async fn post(_body: actix::Bytes) -> HttpResponse {
        HttpResponse::Ok().finish()
    }
    let server = config.server.clone();
    Http::start(move || {
        web::listen(&server, Vec::new(), Limits::default(), &yardstick_connections(), |routes| {
            routes.route("/hooks/{channel}", actix::post().to(post));
        })
    })
}

/// Verifies, normalises and looks every phone up, and stores nothing.
pub(crate) fn ceiling(config: &Config) -> Http {
    let channels = Channels::with_secrets(config).expect("the secret is held");
    let work = actix::Data::new((channels, SystemClock::default()));
    let server = config.server.clone();
    Http::start(move || {
        web::listen(&server, Vec::new(), Limits::default(), &yardstick_connections(), move |routes| {
            routes.app_data(work.clone()).route("/hooks/{channel}", actix::post().to(understand));
        })
    })
}

async fn understand(
    request: HttpRequest,
    channel: actix::Path<String>,
    body: actix::Bytes,
    work: actix::Data<(Channels, SystemClock)>,
) -> HttpResponse {
    let (channels, clock) = &**work;
    let Some(endpoint) = channels.get(&channel) else { return HttpResponse::NotFound().finish() };
    let headers: Vec<(String, String)> = request
        .headers()
        .iter()
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
        .collect();
    let inbound = Inbound {
        query: request.query_string(),
        headers: &headers,
        body: &body,
        received_at: clock.now(),
        path_token: None,
    };
    let Ok(verified) = endpoint.provider.verify(inbound, &endpoint.account) else {
        return HttpResponse::Unauthorized().finish();
    };
    let items = endpoint.provider.normalise(&verified, &endpoint.account).unwrap_or_default();
    let phones = items.iter().filter_map(|item| match item {
        Item::Event(event) => event.person.phone.as_ref(),
        _ => None,
    });
    let known = phones.filter(|phone| phone.region().is_some() && phone.is_valid()).count();
    if known == 1 { HttpResponse::Ok().finish() } else { HttpResponse::UnprocessableEntity().finish() }
}

/// The daemon's routes over its store, with nobody who projects.
pub(crate) struct Durable {
    http: Http,
    store: Arc<dyn Store>,
}

pub(crate) fn durable(config: Config) -> Durable {
    let signals = Signals::unheard();
    let store = SqliteStore::open(config.store.file().expect("a benchmark's store is a file"), signals)
        .expect("a new store can be made");
    let store: Arc<dyn Store> = Arc::new(store);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let metrics = Arc::new(Metrics::default());
    let channels = Channels::with_secrets(&config).expect("the secret is held");
    let hooks = Hooks {
        channels: Arc::new(channels.into()),
        store: Arc::clone(&store),
        clock: Arc::clone(&clock),
        metrics: Arc::clone(&metrics),
        limits: Limits::default(),
    };
    let watch = Arc::new(ClockWatch::new(&*clock));
    let health = Health {
        watch: Arc::clone(&watch),
        store: Arc::clone(&store),
        clock: Arc::clone(&clock),
        metrics,
        stopping: AtomicBool::new(false),
    };
    let server = config.server.clone();
    let callback = Callback {
        invitations: Arc::new(Invitations::new(Arc::clone(&clock))),
        config: Arc::new(Watched::from(&config).into()),
        vault: Vault::new(store.clone(), Arc::clone(&clock), config.store.beside(".key")),
        store: Arc::clone(&store),
        ring: Arc::new(|| ()),
    };
    let api = Api { store: Arc::clone(&store), clock, watch, config: Arc::new(config) };
    let state = State {
        hooks: Arc::new(hooks).into(),
        api: Arc::new(api).into(),
        login: Arc::new(callback).into(),
        health: Arc::new(health).into(),
    };
    let http = Http::start(move || {
        let mut servers = web::bind(&server, Sockets::default(), Limits::default(), &state)?;
        Ok((servers.address, servers.running.remove(0)))
    });
    Durable { http, store }
}

impl Subject for Durable {
    fn address(&self) -> SocketAddr {
        self.http.address
    }

    fn check(&self, sent: usize) {
        let stored = self.store.backlog().expect("the store can be read").waiting;
        assert_eq!(stored, sent as u64, "every request that was answered 200 is stored");
    }
}

/// The daemon.
pub(crate) struct Whole(Option<Daemon>);

impl Whole {
    pub(crate) fn start(config: Config) -> Whole {
        Whole(Some(Daemon::start(config, Arc::new(SystemClock::default())).expect("the daemon starts")))
    }

    fn daemon(&self) -> &Daemon {
        self.0.as_ref().expect("it runs until it is dropped")
    }
}

impl Subject for Whole {
    fn address(&self) -> SocketAddr {
        self.daemon().address
    }

    fn settle(&self) {
        while self.daemon().store.backlog().expect("the store can be read").waiting > 0 {
            pause_until(Instant::now() + Duration::from_millis(1));
        }
    }

    fn check(&self, sent: usize) {
        let books = self.daemon().store.books().expect("the store can be read");
        assert!(books.balance(), "the books balance: {books:?}");
        let applied = books.items.get("applied").copied();
        assert_eq!(applied, Some(sent as u64), "every message is an event of its own: {books:?}");
    }
}

impl Drop for Whole {
    fn drop(&mut self) {
        if let Some(daemon) = self.0.take() {
            daemon.stop();
        }
    }
}
