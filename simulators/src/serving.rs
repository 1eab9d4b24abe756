//! A simulator on a real socket: HTTP/1.1 with keep-alive, on a thread of its own.
//!
//! A cut closes the connection without a byte of answer; what hangs is let go when the caller is gone. Change
//! notices are posted in order, as often as it takes within a few tries.

use crate::{Notice, Reply, Request, Response, Simulator};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

/// The longest body that is read.
const LONGEST_BODY: usize = 16 * 1024 * 1024;

/// How long a notice may take, and the pauses between tries.
const NOTICE_PATIENCE: Duration = Duration::from_secs(5);
const NOTICE_PAUSES: [Duration; 3] =
    [Duration::from_millis(200), Duration::from_secs(1), Duration::from_secs(3)];

/// A simulator that answers on a socket until this is dropped.
#[derive(Debug)]
pub struct Serving {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Serving {
    /// Where it answers.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What a target's `base_url` is to be.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // A panic there was reported there.
            drop(thread.join());
        }
    }
}

/// What gives the answers.
type Answering = Arc<dyn Fn(&Request) -> Reply + Send + Sync>;

/// Puts a simulator on a socket; its change notices go to `notify`, if that is a URL.
///
/// # Errors
/// The socket cannot be used, or the system gives no thread.
pub fn serve(
    simulator: Arc<Simulator>,
    listener: std::net::TcpListener,
    notify: Option<String>,
) -> io::Result<Serving> {
    let asked = Arc::clone(&simulator);
    let notices = notify.map(|url| (url, simulator));
    start(Arc::new(move |request| asked.answer(request, now())), listener, notices)
}

/// Puts on a socket whatever gives answers: a simulator in a time of the test's own, or one that is listened in on.
///
/// # Errors
/// As for [`serve`].
pub fn serve_by(
    answer: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    listener: std::net::TcpListener,
) -> io::Result<Serving> {
    start(Arc::new(answer), listener, None)
}

fn start(
    answering: Answering,
    listener: std::net::TcpListener,
    notices: Option<(String, Arc<Simulator>)>,
) -> io::Result<Serving> {
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (stop, stopped) = watch::channel(false);
    let work = move || runtime.block_on(run(answering, listener, notices, stopped));
    let thread = std::thread::Builder::new().name("simulator".to_owned()).spawn(work)?;
    Ok(Serving { address, stop, thread: Some(thread) })
}

async fn run(
    answering: Answering,
    listener: std::net::TcpListener,
    notices: Option<(String, Arc<Simulator>)>,
    mut stopped: watch::Receiver<bool>,
) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    let mut tasks = JoinSet::new();
    let teller = notices.map(|(url, simulator)| {
        let (teller, notices) = mpsc::unbounded_channel();
        tasks.spawn(tell(url, notices));
        (simulator, teller)
    });
    loop {
        tokio::select! {
            _ = stopped.changed() => return,
            accepted = listener.accept() => {
                // Out of descriptors, or a caller that was gone at once: the next one may fare better.
                let Ok((stream, _)) = accepted else { continue };
                let (answering, teller) = (Arc::clone(&answering), teller.clone());
                tasks.spawn(async move {
                    let service = service_fn(|request| answer(&answering, teller.as_ref(), request));
                    // An error here is a cut, or a caller that went away: both are as they should be.
                    drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
                });
            }
            Some(_) = tasks.join_next(), if !tasks.is_empty() => {}
        }
    }
}

/// The connection is closed without an answer.
#[derive(Debug)]
struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cut, as it was fated")
    }
}

impl std::error::Error for Cut {}

async fn answer(
    answering: &Answering,
    teller: Option<&(Arc<Simulator>, mpsc::UnboundedSender<Notice>)>,
    request: hyper::Request<Incoming>,
) -> Result<hyper::Response<Full<Bytes>>, Cut> {
    let (head, body) = request.into_parts();
    let body = match Limited::new(body, LONGEST_BODY).collect().await {
        Ok(body) => body.to_bytes().to_vec(),
        Err(error) if error.is::<LengthLimitError>() => {
            let close = ("connection".to_owned(), "close".to_owned());
            let response = Response { status: 413, headers: vec![close], body: Vec::new() };
            return Ok(sent(response));
        }
        Err(_) => return Err(Cut),
    };
    let text = |value: &hyper::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let request = Request {
        method: head.method.to_string(),
        target: head.uri.path_and_query().map_or_else(|| head.uri.to_string(), ToString::to_string),
        headers: head.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
        body,
    };
    let reply = answering(&request);
    if let Some((simulator, teller)) = teller {
        for notice in simulator.notices() {
            // The other end lives as long as the connections do.
            drop(teller.send(notice));
        }
    }
    match reply {
        Reply::Answer(response, late) => {
            if !late.is_zero() {
                tokio::time::sleep(late).await;
            }
            Ok(sent(response))
        }
        Reply::Cut => Err(Cut),
        Reply::Hang => std::future::pending::<Result<_, Cut>>().await,
    }
}

fn sent(response: Response) -> hyper::Response<Full<Bytes>> {
    let mut builder = hyper::Response::builder().status(response.status);
    for (name, value) in response.headers {
        builder = builder.header(name, value);
    }
    builder.body(Full::new(Bytes::from(response.body))).unwrap_or_else(|_| {
        let mut broken = hyper::Response::new(Full::new(Bytes::new()));
        *broken.status_mut() = hyper::StatusCode::INTERNAL_SERVER_ERROR;
        broken
    })
}

/// Posts notices in their order. One that is not taken after all tries is given up, as CRMs do in the end.
async fn tell(url: String, mut notices: mpsc::UnboundedReceiver<Notice>) {
    let client = reqwest::Client::builder().timeout(NOTICE_PATIENCE).no_proxy().build();
    let Ok(client) = client else { return };
    while let Some(notice) = notices.recv().await {
        for pause in NOTICE_PAUSES.into_iter().map(Some).chain([None]) {
            let mut request = client.post(&url).body(notice.body.clone());
            for (name, value) in notice.headers(&url, now()) {
                request = request.header(name, value);
            }
            if request.send().await.is_ok_and(|response| response.status().is_success()) {
                break;
            }
            if let Some(pause) = pause {
                tokio::time::sleep(pause).await;
            }
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a real socket is in real time; tests in virtual time ask directly"
)]
fn now() -> Timestamp {
    Timestamp::now()
}
