//! The routes: webhooks in, answers out. This file is the whole route table and all limits of HTTP.

pub mod api;
pub mod health;
pub mod hooks;

use crate::config::Server;
use actix_web::body::MessageBody;
use actix_web::dev::{ServerHandle, ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::middleware::{Next, from_fn};
use actix_web::{App, HttpResponse, HttpServer, web};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// The largest head. actix itself buffers up to 128 KiB and takes at most 96 headers.
const HEAD_LIMIT: usize = 32 * 1024;
/// The longest a head may take.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// The longest an idle connection is kept.
const IDLE_TIME: Duration = Duration::from_secs(60);
/// How long requests in flight may take when the process stops.
const STOP_SECONDS: u64 = 20;

/// What the routes work with.
#[derive(Clone)]
pub struct State {
    /// For `/hooks`.
    pub hooks: web::Data<hooks::Hooks>,
    /// For `/v1`.
    pub api: web::Data<api::Api>,
    /// For `/livez`, `/readyz`, `/metrics`.
    pub health: web::Data<health::Health>,
}

/// Servers that are bound and run when awaited.
pub struct Servers {
    /// The main listener's address.
    pub address: SocketAddr,
    /// The admin listener's address, where one is configured.
    pub admin_address: Option<SocketAddr>,
    /// To stop them.
    pub handles: Vec<ServerHandle>,
    /// To be awaited.
    pub running: Vec<actix_web::dev::Server>,
}

/// Binds the listeners.
///
/// # Errors
/// When an address is taken or not ours.
pub fn bind(server: &Server, state: &State) -> io::Result<Servers> {
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    let theirs = state.clone();
    let main = HttpServer::new(move || {
        App::new()
            .app_data(theirs.hooks.clone())
            .app_data(theirs.api.clone())
            .app_data(theirs.health.clone())
            .wrap(from_fn(limit_head))
            .configure(hooks::configure)
            .configure(api::configure)
            .configure(health::configure)
    })
    .workers(workers)
    .max_connections(server.max_connections.div_ceil(workers))
    .client_request_timeout(HEAD_TIME)
    .keep_alive(IDLE_TIME)
    .shutdown_timeout(STOP_SECONDS)
    .disable_signals()
    .bind(server.listen)?;
    let address = first_address(main.addrs())?;
    let mut servers = Servers { address, admin_address: None, handles: Vec::new(), running: Vec::new() };
    let main = main.run();
    servers.handles.push(main.handle());
    servers.running.push(main);
    if let Some(listen) = server.admin_listen {
        let health = state.health.clone();
        let admin = HttpServer::new(move || {
            App::new().app_data(health.clone()).wrap(from_fn(limit_head)).configure(health::configure_admin)
        })
        .workers(1)
        .max_connections(64)
        .client_request_timeout(HEAD_TIME)
        .disable_signals()
        .bind(listen)?;
        servers.admin_address = Some(first_address(admin.addrs())?);
        let admin = admin.run();
        servers.handles.push(admin.handle());
        servers.running.push(admin);
    }
    Ok(servers)
}

fn first_address(addresses: Vec<SocketAddr>) -> io::Result<SocketAddr> {
    addresses.first().copied().ok_or_else(|| io::Error::from(io::ErrorKind::AddrNotAvailable))
}

/// Refuses a head that is larger than any provider sends.
async fn limit_head(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let line = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    let headers: usize =
        request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if line + headers > HEAD_LIMIT {
        let refusal = HttpResponse::build(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE).force_close().finish();
        return Ok(request.into_response(refusal).map_into_right_body());
    }
    next.call(request).await.map(ServiceResponse::map_into_left_body)
}
