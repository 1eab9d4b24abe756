//! The load generator: a process of its own, so that its work is not counted as the server's.
//!
//! In: orders on standard input, a JSON line each. Out: an [`Outcome`] each, on standard output. Requests
//! are built and signed once, before the first order; 64 connections are open before a clock starts.

use super::bodies::{MESSAGES_IN_A_BODY, Maker, STATUSES_IN_A_BODY, stranger, writer_of};
use super::connection::{Answers, Connection};
use super::lag::{Lags, Probe};
use super::machine::{Spread, cpu_seconds, pause_until};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinSet;

/// Connections at one time.
pub(crate) const CONNECTIONS: usize = 64;
/// Threads that serve them.
const THREADS: usize = 2;
/// The argument that makes a benchmark's program the load generator; how many messages are ready follows it.
pub(crate) const ARGUMENT: &str = "--load";
/// At a fixed rate, every so many messages come from someone who never wrote before: those are looked for.
const PROBED: usize = 4;

/// What to send.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Order {
    /// To whom.
    pub(crate) address: SocketAddr,
    /// Beginning with which message.
    pub(crate) from: usize,
    /// How much, and how fast.
    pub(crate) pace: Pace,
}

/// How much is sent, and how fast.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Pace {
    /// Each connection sends as soon as it is answered, for this long.
    For(Duration),
    /// Each connection sends as soon as it is answered, this many in all.
    Count(usize),
    /// Both: for this long, and this many at most. What was acknowledged is told, message by message.
    Within { length: Duration, count: usize },
    /// Each connection sends as soon as it is answered, these messages and no others.
    These(Vec<usize>),
    /// A request is due every so often, whether or not earlier ones are answered.
    Every { interval: Duration, count: usize, store: PathBuf, beside: Option<Beside> },
}

/// What comes meanwhile, over a connection of its own.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Beside {
    /// What it is.
    pub(crate) what: What,
    /// How many bodies of it.
    pub(crate) bodies: usize,
    /// A body is due this often, and goes as soon as the one before is answered.
    pub(crate) interval: Duration,
}

/// What comes beside messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum What {
    /// The statuses of a campaign.
    Campaign,
    /// Half a year of messages.
    Import,
}

impl What {
    /// The name in the table.
    pub(crate) fn title(self) -> &'static str {
        match self {
            What::Campaign => "campaign",
            What::Import => "import",
        }
    }

    fn request(self, maker: &Maker, part: usize, parts: usize) -> Vec<u8> {
        match self {
            What::Campaign => maker.campaign(part, parts * STATUSES_IN_A_BODY),
            What::Import => maker.import(part, parts),
        }
    }
}

impl Beside {
    /// How many items come.
    pub(crate) fn items(&self) -> usize {
        self.bodies
            * match self.what {
                What::Campaign => STATUSES_IN_A_BODY,
                What::Import => MESSAGES_IN_A_BODY,
            }
    }
}

/// What came of it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Outcome {
    /// Answers by status; 0 is a connection that broke.
    pub(crate) statuses: BTreeMap<u16, usize>,
    /// From the first request to the last answer.
    pub(crate) seconds: f64,
    /// From when a request was sent (or due, at a fixed rate) to its answer.
    pub(crate) latency: Spread,
    /// From the answer to the event being readable.
    pub(crate) lag: Option<Spread>,
    /// From when a body of what came beside was due to its answer.
    pub(crate) beside: Option<Spread>,
    /// What the load generator itself used.
    pub(crate) cpu_seconds: f64,
    /// How many messages were sent, answered or not: the order's first and those after it.
    pub(crate) sent: usize,
    /// Which of them were answered 200, where the order asks for it.
    pub(crate) acknowledged: Vec<usize>,
}

impl Outcome {
    /// How many were answered 200.
    pub(crate) fn good(&self) -> usize {
        self.statuses.get(&200).copied().unwrap_or(0)
    }

    /// Whether every answer was 200.
    pub(crate) fn is_clean(&self) -> bool {
        self.statuses.keys().all(|status| *status == 200)
    }
}

/// A handle on the load generator's process.
pub(crate) struct Load {
    child: Child,
    orders: ChildStdin,
    outcomes: BufReader<ChildStdout>,
}

impl Load {
    /// Starts it, and waits until so many requests are ready. An order that goes beyond them goes round: only
    /// a server that stores nothing may be given one.
    pub(crate) fn start(ready: usize) -> Load {
        let this = std::env::current_exe().expect("a running program has a path");
        let mut child = Command::new(this)
            .args([ARGUMENT, &ready.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program can be started again");
        let orders = child.stdin.take().expect("standard input is a pipe");
        let outcomes = BufReader::new(child.stdout.take().expect("standard output is a pipe"));
        let mut load = Load { child, orders, outcomes };
        load.line();
        load
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.outcomes.read_line(&mut line).expect("the load generator answers");
        line
    }

    /// Sends, and waits for the last answer.
    pub(crate) fn send(&mut self, order: &Order) -> Outcome {
        let order = serde_json::to_string(order).expect("an order is plain data");
        writeln!(self.orders, "{order}").expect("the load generator listens");
        serde_json::from_str(&self.line()).expect("the load generator did not fail")
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        // It may have ended by itself, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether these arguments ask for the load generator, and of how many messages.
pub(crate) fn asked(arguments: &[String]) -> Option<usize> {
    let place = arguments.iter().position(|argument| argument == ARGUMENT)?;
    arguments.get(place + 1)?.parse().ok()
}

/// The load generator's own main loop.
pub(crate) fn serve(ready: usize) {
    let maker = Maker::new();
    let ready: Arc<[Vec<u8>]> = (0..ready as u64).map(|n| maker.request("BENCH", n, &writer_of(n))).collect();
    let mut out = std::io::stdout().lock();
    writeln!(out, "ready").expect("the benchmark listens");
    for order in std::io::stdin().lock().lines() {
        let order = order.expect("the benchmark writes text");
        let order: Order = serde_json::from_str(&order).expect("the benchmark writes orders");
        let cpu = cpu_seconds();
        let mut outcome = match &order.pace {
            Pace::Every { interval, count, store, beside } => {
                let probe = Probe::start(store);
                let requests = with_strangers(&maker, &ready, order.from, *count);
                let (maker, address) = (&maker, order.address);
                std::thread::scope(|scope| {
                    let beside = beside.map(|it| scope.spawn(move || send_beside(maker, address, it)));
                    let outcome = paced(order.address, requests, *interval, probe);
                    let beside = beside.map(|it| it.join().expect("what comes beside does not fail"));
                    Outcome { beside, ..outcome }
                })
            }
            _ => closed(&order, &ready),
        };
        outcome.cpu_seconds = cpu_seconds() - cpu;
        let outcome = serde_json::to_string(&outcome).expect("an outcome is plain data");
        writeln!(out, "{outcome}").expect("the benchmark listens");
    }
}

/// Which message is the `n`th of an order, while there is one.
fn nth(order: &Order, n: usize) -> Option<usize> {
    match &order.pace {
        Pace::For(_) => Some(order.from + n),
        Pace::Count(count) | Pace::Within { count, .. } => (n < *count).then_some(order.from + n),
        Pace::These(numbers) => numbers.get(n).copied(),
        Pace::Every { .. } => None,
    }
}

/// Sends from every connection as soon as it is answered.
fn closed(order: &Order, ready: &Arc<[Vec<u8>]>) -> Outcome {
    let (length, is_told) = match order.pace {
        Pace::For(length) => (length, false),
        Pace::Within { length, .. } => (length, true),
        _ => (Duration::MAX, false),
    };
    let next = Arc::new(AtomicUsize::new(0));
    let sent = Arc::new(AtomicUsize::new(0));
    let (order, ready, counted) = (Arc::new(order.clone()), Arc::clone(ready), Arc::clone(&sent));
    let outcome = on_connections(order.address, move |mut connection| {
        let (order, ready) = (Arc::clone(&order), Arc::clone(&ready));
        let (next, sent) = (Arc::clone(&next), Arc::clone(&counted));
        async move {
            let started = Instant::now();
            while started.elapsed() < length {
                let Some(n) = nth(&order, next.fetch_add(1, Ordering::Relaxed)) else { break };
                sent.fetch_add(1, Ordering::Relaxed);
                match connection.exchange(&ready[n % ready.len()], Instant::now()).await {
                    Some(200) if is_told => connection.answers.acknowledged.push(n),
                    Some(_) => {}
                    None => break,
                }
            }
            connection.answers
        }
    });
    Outcome { sent: sent.load(Ordering::Relaxed), ..outcome }
}

/// A request that is due, and whom to look for once it is answered.
struct Due {
    at: Instant,
    request: Vec<u8>,
    look_for: Option<String>,
}

/// The requests of a fixed rate, some of them from strangers.
fn with_strangers(
    maker: &Maker,
    ready: &[Vec<u8>],
    from: usize,
    count: usize,
) -> Vec<(Vec<u8>, Option<String>)> {
    let one = |n: usize| match n % PROBED {
        0 => {
            let phone = stranger(n as u64);
            (maker.request("PROBE", n as u64, &phone), Some(phone))
        }
        _ => (ready[(from + n) % ready.len()].clone(), None),
    };
    (0..count).map(one).collect()
}

/// Sends at a fixed rate; the latency counts from when a request was due, so a stall counts in full.
fn paced(
    address: SocketAddr,
    requests: Vec<(Vec<u8>, Option<String>)>,
    interval: Duration,
    probe: Probe,
) -> Outcome {
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..CONNECTIONS).map(|_| unbounded_channel()).unzip();
    let receivers = std::sync::Mutex::new(receivers);
    let lags = probe.lags();
    let pacer = std::thread::Builder::new()
        .name("pacer".to_owned())
        .spawn(move || {
            // The connections open meanwhile.
            let first = Instant::now() + Duration::from_millis(200);
            let mut at = first;
            for (n, (request, look_for)) in requests.into_iter().enumerate() {
                pause_until(at);
                let due = Due { at, request, look_for };
                senders[n % CONNECTIONS].send(due).expect("a connection lives until all is sent");
                at += interval;
            }
        })
        .expect("there is a thread");
    let mut outcome = on_connections(address, move |connection| {
        let mut receivers = receivers.lock().expect("nobody panics while holding it");
        let due = receivers.pop().expect("there is one for each connection");
        work_off(connection, due, lags.clone())
    });
    pacer.join().expect("the pacer does not fail");
    outcome.lag = Some(probe.finish());
    outcome
}

async fn work_off(mut connection: Connection, mut due: UnboundedReceiver<Due>, lags: Lags) -> Answers {
    while let Some(Due { at, request, look_for }) = due.recv().await {
        if connection.exchange(&request, at).await.is_none() {
            break;
        }
        if let Some(phone) = look_for {
            lags.answered(phone, Instant::now());
        }
    }
    connection.answers
}

/// Sends the bodies of what comes beside, each when it is due; everything must be answered 200.
fn send_beside(maker: &Maker, address: SocketAddr, beside: Beside) -> Spread {
    let Beside { what, bodies, interval } = beside;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_io().build().expect("a runtime can be made");
    runtime.block_on(async {
        let mut connection = Connection::open(address).await;
        let mut at = Instant::now();
        for part in 0..bodies {
            let request = what.request(maker, part, bodies);
            pause_until(at);
            assert!(
                connection.exchange(&request, at).await.is_some(),
                "the connection of the {} broke",
                what.title()
            );
            at += interval;
        }
        let statuses = &connection.answers.statuses;
        assert!(
            statuses.keys().all(|status| *status == 200),
            "the {} was refused: {statuses:?}",
            what.title()
        );
        Spread::of(connection.answers.latencies)
    })
}

/// Runs `work` on every connection, and adds up what it answered.
fn on_connections<F, W>(address: SocketAddr, work: W) -> Outcome
where
    W: Fn(Connection) -> F + Send + 'static,
    F: Future<Output = Answers> + Send + 'static,
{
    let work = Arc::new(std::sync::Mutex::new(work));
    let open = Arc::new(Barrier::new(THREADS + 1));
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let (work, open) = (Arc::clone(&work), Arc::clone(&open));
            let run = move || on_some_connections(address, &work, &open);
            std::thread::Builder::new().name("load".to_owned()).spawn(run).expect("there is a thread")
        })
        .collect();
    open.wait();
    let started = Instant::now();
    let mut all = Answers::default();
    for thread in threads {
        for answers in thread.join().expect("a load thread does not fail") {
            all.latencies.extend(answers.latencies);
            all.acknowledged.extend(answers.acknowledged);
            for (status, count) in answers.statuses {
                *all.statuses.entry(status).or_default() += count;
            }
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    let Answers { statuses, latencies, acknowledged } = all;
    Outcome { statuses, seconds, latency: Spread::of(latencies), acknowledged, ..Outcome::default() }
}

fn on_some_connections<F, W>(address: SocketAddr, work: &std::sync::Mutex<W>, open: &Barrier) -> Vec<Answers>
where
    W: Fn(Connection) -> F,
    F: Future<Output = Answers> + Send + 'static,
{
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_io().build().expect("a runtime can be made");
    runtime.block_on(async {
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS / THREADS {
            connections.push(Connection::open(address).await);
        }
        open.wait();
        let mut tasks = JoinSet::new();
        for connection in connections {
            let work = work.lock().expect("nobody panics while holding it");
            tasks.spawn(work(connection));
        }
        tasks.join_all().await
    })
}
