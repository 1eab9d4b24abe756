//! Connections, which the routes do not see: how many there are, how each ends, and that each does end.
//!
//! In: each connection as it is made, and when it is answering. Out: counts, and an end to whoever holds a
//! connection without asking anything. The server times the first head of a connection alone, and neither
//! later heads, nor what is sent after an answer, nor answers that nobody takes: a byte now and then would
//! hold a connection for ever, and there is a limit to their number. Each costs a second file descriptor.

use crate::telemetry::metrics::Metrics;
use actix_web::HttpRequest;
use actix_web::dev::Extensions;
use actix_web::rt::net::TcpStream;
use std::any::Any;
use std::collections::HashMap;
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The connections of a listener.
pub struct Connections {
    metrics: Arc<Metrics>,
    /// How long one may be kept without a new request, and how long an answer may be in the making.
    patience: Duration,
    open: Mutex<(u64, HashMap<u64, Open>)>,
}

/// A connection, from outside.
struct Open {
    /// A second handle, since the first belongs to the server. None when there was none left to have.
    socket: Option<std::net::TcpStream>,
    /// When it was made, or an answer was last begun or ended.
    since: Instant,
    /// Whether it ever carried a request.
    heard: bool,
}

/// Lives as long as its connection.
struct Guard {
    id: u64,
    connections: Arc<Connections>,
}

/// Lives as long as an answer is in the making.
pub(super) struct Answering(Rc<Guard>);

impl Connections {
    /// Watches connections; each may be kept this long without a new request.
    #[must_use]
    pub fn new(metrics: Arc<Metrics>, patience: Duration) -> Arc<Connections> {
        Arc::new(Connections { metrics, patience, open: Mutex::default() })
    }

    /// What to do with each new connection.
    pub(super) fn watch(self: &Arc<Self>) -> impl Fn(&dyn Any, &mut Extensions) + Send + Sync + use<> {
        let connections = Arc::clone(self);
        move |stream, data| {
            connections.metrics.connected();
            let stream = stream.downcast_ref::<TcpStream>();
            let socket = stream.and_then(|stream| stream.as_fd().try_clone_to_owned().ok());
            let open = Open { socket: socket.map(Into::into), since: Instant::now(), heard: false };
            let mut all = connections.lock();
            all.0 += 1;
            let id = all.0;
            all.1.insert(id, open);
            drop(all);
            data.insert(Rc::new(Guard { id, connections: Arc::clone(&connections) }));
        }
    }

    /// Ends, again and again, the connections that have been kept for too long. Never returns.
    pub(super) async fn tend(&self) {
        let mut ticks = tokio::time::interval(self.patience / 8);
        loop {
            ticks.tick().await;
            for open in self.lock().1.values() {
                if let (true, Some(socket)) = (open.since.elapsed() > self.patience, &open.socket) {
                    // One that is closed already needs no closing.
                    let _ = socket.shutdown(Shutdown::Both);
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, (u64, HashMap<u64, Open>)> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let gone = self.connections.lock().1.remove(&self.id);
        self.connections.metrics.disconnected(gone.is_some_and(|open| open.heard));
    }
}

/// The connection carries a request, which is being answered until the value is dropped.
pub(super) fn answering(request: &HttpRequest) -> Option<Answering> {
    let guard = Rc::clone(request.conn_data::<Rc<Guard>>()?);
    if let Some(open) = guard.connections.lock().1.get_mut(&guard.id) {
        open.since = Instant::now();
        open.heard = true;
    }
    Some(Answering(guard))
}

impl Drop for Answering {
    fn drop(&mut self) {
        if let Some(open) = self.0.connections.lock().1.get_mut(&self.0.id) {
            open.since = Instant::now();
        }
    }
}
