//! The routes: webhooks in, answers out. This file is the whole route table and all limits of HTTP.

pub mod api;
pub mod connection;
pub mod health;
pub mod hooks;
pub mod login;
mod unread;

use crate::config::Server;
use actix_web::body::MessageBody;
use actix_web::dev::{ServerHandle, ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::middleware::{Next, from_fn};
use actix_web::{App, HttpResponse, HttpServer, web};
use connection::Connections;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

/// The largest head. actix itself buffers up to 128 KiB and takes at most 96 headers.
const HEAD_LIMIT: usize = 32 * 1024;
/// How long requests in flight may take when the process stops.
const STOP_SECONDS: u64 = 20;
/// Connections that watch this process at one time.
const ADMIN_CONNECTIONS: usize = 64;

/// How long a client may take. Only tests set anything but the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The longest a head may take.
    pub head_time: Duration,
    /// The longest a body may take, from the end of its head.
    pub body_time: Duration,
    /// The longest an idle connection is kept.
    pub idle_time: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            head_time: Duration::from_secs(10),
            body_time: Duration::from_secs(15),
            idle_time: Duration::from_secs(60),
        }
    }
}

/// What the routes work with.
#[derive(Clone)]
pub struct State {
    /// For `/hooks`.
    pub hooks: web::Data<hooks::Hooks>,
    /// For `/v1`.
    pub api: web::Data<api::Api>,
    /// For `/oauth`.
    pub login: web::Data<login::Callback>,
    /// For `/livez`, `/readyz`, `/metrics`.
    pub health: web::Data<health::Health>,
}

/// Listening sockets that the service manager handed over: it keeps them open between two runs of the daemon,
/// so that a restart refuses nobody. Where there is none, the configured address is bound.
#[derive(Debug, Default)]
pub struct Sockets {
    /// For the main listener.
    pub main: Vec<TcpListener>,
    /// For the admin listener.
    pub admin: Vec<TcpListener>,
}

/// Servers that are bound and run when awaited.
pub struct Servers {
    /// The main listener's address.
    pub address: SocketAddr,
    /// The admin listener's address, where one is configured.
    pub admin_address: Option<SocketAddr>,
    /// To stop them.
    pub handles: Vec<ServerHandle>,
    /// To be awaited; [`Servers::run`] does.
    pub running: Vec<actix_web::dev::Server>,
    connections: Arc<Connections>,
}

impl Servers {
    /// Serves until every server has stopped.
    pub async fn run(self) {
        let serving = futures_util::future::join_all(self.running);
        let results = tokio::select! {
            results = serving => results,
            () = self.connections.tend() => return,
        };
        for error in results.into_iter().filter_map(Result::err) {
            tracing::error!(kind = ?error.kind(), "the HTTP server ended with an error");
        }
    }
}

/// Binds the listeners.
///
/// # Errors
/// When an address is taken or not ours.
pub fn bind(server: &Server, sockets: Sockets, limits: Limits, state: &State) -> io::Result<Servers> {
    let connections = Connections::new(Arc::clone(&state.hooks.metrics), limits.idle_time + limits.head_time);
    let theirs = state.clone();
    let (address, main) = listen(server, sockets.main, limits, &connections, move |routes| {
        routes
            .app_data(theirs.hooks.clone())
            .app_data(theirs.api.clone())
            .app_data(theirs.health.clone())
            .app_data(theirs.login.clone())
            .configure(login::configure)
            .configure(hooks::configure)
            .configure(api::configure)
            .configure(health::configure);
    })?;
    let mut servers = Servers {
        address,
        admin_address: None,
        handles: vec![main.handle()],
        running: vec![main],
        connections,
    };
    if server.admin_listen.is_some() || !sockets.admin.is_empty() {
        let (address, admin) = listen_for_admin(server, sockets.admin, limits, state)?;
        servers.admin_address = Some(address);
        servers.handles.push(admin.handle());
        servers.running.push(admin);
    }
    Ok(servers)
}

fn listen_for_admin(
    server: &Server,
    sockets: Vec<TcpListener>,
    limits: Limits,
    state: &State,
) -> io::Result<(SocketAddr, actix_web::dev::Server)> {
    let state = state.clone();
    let admin = HttpServer::new(move || {
        App::new()
            .app_data(state.hooks.clone())
            .app_data(state.health.clone())
            .wrap(from_fn(within_limits))
            .configure(health::configure_admin)
    })
    .workers(1)
    .max_connections(ADMIN_CONNECTIONS)
    .client_request_timeout(limits.head_time)
    .keep_alive(limits.idle_time)
    .disable_signals();
    let admin = match server.admin_listen.filter(|_| sockets.is_empty()) {
        Some(listen) => admin.bind(listen)?,
        None => sockets.into_iter().try_fold(admin, HttpServer::listen)?,
    };
    Ok((first_address(admin.addrs())?, admin.run()))
}

/// Binds the main listener with these routes, or takes the sockets handed over for it. The benchmark serves its yardsticks through it, so that they
/// differ from the daemon in nothing but what a route does.
///
/// # Errors
/// When the address is taken or not ours.
pub fn listen(
    server: &Server,
    sockets: Vec<TcpListener>,
    limits: Limits,
    connections: &Arc<Connections>,
    routes: impl Fn(&mut web::ServiceConfig) + Clone + Send + 'static,
) -> io::Result<(SocketAddr, actix_web::dev::Server)> {
    // Each worker counts for itself, so the shares must not add up to more than the whole.
    let workers = std::thread::available_parallelism().map_or(2, usize::from).min(server.max_connections);
    let main = HttpServer::new(move || App::new().wrap(from_fn(within_limits)).configure(routes.clone()))
        .on_connect(connections.watch())
        .workers(workers)
        .max_connections(server.max_connections / workers)
        .client_request_timeout(limits.head_time)
        .keep_alive(limits.idle_time)
        .shutdown_timeout(STOP_SECONDS)
        .disable_signals();
    let main = if sockets.is_empty() {
        main.bind(server.listen)?
    } else {
        sockets.into_iter().try_fold(main, HttpServer::listen)?
    };
    Ok((first_address(main.addrs())?, main.run()))
}

fn first_address(addresses: Vec<SocketAddr>) -> io::Result<SocketAddr> {
    addresses.first().copied().ok_or_else(|| io::Error::from(io::ErrorKind::AddrNotAvailable))
}

/// Around every request: its head is not larger than any provider sends, and its connection will end.
async fn within_limits(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let _answering = connection::answering(request.request());
    let unread = unread::share(&mut request);
    let response = if head_size(&request) > HEAD_LIMIT {
        if let Some(hooks) = request.app_data::<web::Data<hooks::Hooks>>() {
            hooks.metrics.refused(hooks.provider_of(request.path()), "head_too_large");
        }
        let refusal = HttpResponse::build(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE).force_close().finish();
        request.into_response(refusal)
    } else {
        next.call(request).await?.map_into_boxed_body()
    };
    Ok(response.map_body(|_, body| unread::Holding { body, _unread: unread }))
}

fn head_size(request: &ServiceRequest) -> usize {
    let line = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    let headers = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
    line + headers.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_has_the_documented_time() {
        let limits = Limits::default();
        assert_eq!(limits.head_time, Duration::from_secs(10));
        assert_eq!(limits.body_time, Duration::from_secs(15));
        assert_eq!(limits.idle_time, Duration::from_secs(60));
    }
}
