//! Acknowledgements: requests that wait are written together, by one statement and one flush.
//!
//! In: requests. Out: an answer to each, after its commit. Two threads write, so that one gathers while the other waits for
//! the disk.

use super::pool::Pool;
use crate::store::sql::connection::{Connection, ToParam, run};
use crate::store::sql::encoding::{millis, to_json};
use crate::store::sql::requests::proof_name;
use crate::store::{Request, StoreError, StoreErrorKind};
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::oneshot;

/// The most requests one commit takes.
const GROUP: usize = 256;
/// The most requests and bytes that may wait; beyond, the answer is 503.
const MOST_WAITING: usize = 8192;
const MOST_WAITING_BYTES: usize = 256 * 1024 * 1024;
/// Threads that write.
const WRITERS: usize = 2;

struct Append {
    request: Request,
    done: oneshot::Sender<Result<(), StoreError>>,
}

#[derive(Default)]
struct Queue {
    appends: VecDeque<Append>,
    bytes: usize,
    closing: bool,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A handle on the threads that write. Dropping it finishes the queue and joins them.
pub(super) struct Writer {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(pool: &Arc<Pool>, committed: Arc<dyn Fn() + Send + Sync>) -> std::io::Result<Writer> {
        let shared = Arc::new(Shared::default());
        let start = |_| {
            let (pool, shared, committed) = (Arc::clone(pool), Arc::clone(&shared), Arc::clone(&committed));
            std::thread::Builder::new()
                .name("store-writer".to_owned())
                .spawn(move || work(&pool, &shared, &*committed))
        };
        let threads = (0..WRITERS).map(start).collect::<std::io::Result<_>>()?;
        Ok(Writer { shared, threads })
    }

    /// Queues a request. The receiver hears of its commit.
    pub(super) fn append(&self, request: Request) -> oneshot::Receiver<Result<(), StoreError>> {
        let (done, later) = oneshot::channel();
        let mut queue = self.shared.lock();
        if queue.appends.len() >= MOST_WAITING || queue.bytes >= MOST_WAITING_BYTES || queue.closing {
            drop(queue);
            // A receiver that is gone needs no answer.
            let _ = done.send(Err(StoreError::new(StoreErrorKind::Busy, "store a request")));
            return later;
        }
        queue.bytes += request.body.len();
        queue.appends.push_back(Append { request, done });
        drop(queue);
        self.shared.wake.notify_one();
        later
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.lock().closing = true;
        self.shared.wake.notify_all();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn work(pool: &Pool, shared: &Shared, committed: &dyn Fn()) {
    while let Some(appends) = next(shared) {
        let (requests, answers): (Vec<Request>, Vec<_>) =
            appends.into_iter().map(|append| (append.request, append.done)).unzip();
        let result = pool.lend().and_then(|connection| insert(&*connection, &requests));
        for done in answers {
            let answer = match &result {
                Ok(()) => Ok(()),
                Err(error) => Err(StoreError::new(error.kind, error.doing)),
            };
            // A sender that hung up will deliver again; the request is stored all the same.
            let _ = done.send(answer);
        }
        committed();
    }
}

/// Waits for requests, and takes all that wait. `None` when closing and done.
fn next(shared: &Shared) -> Option<Vec<Append>> {
    let mut queue = shared.lock();
    while queue.appends.is_empty() {
        if queue.closing {
            return None;
        }
        queue = shared.wake.wait(queue).unwrap_or_else(PoisonError::into_inner);
    }
    let taken = queue.appends.len().min(GROUP);
    let appends: Vec<Append> = queue.appends.drain(..taken).collect();
    queue.bytes -= appends.iter().map(|append| append.request.body.len()).sum::<usize>();
    Some(appends)
}

/// Adds requests, and that they wait, by one statement: it is a transaction by itself.
pub(super) fn insert(connection: &dyn Connection, requests: &[Request]) -> Result<(), StoreError> {
    let headers: Vec<String> =
        requests.iter().map(|request| to_json(&request.headers)).collect::<Result<_, _>>()?;
    let times: Vec<i64> = requests.iter().map(|request| millis(request.received_at)).collect();
    let proofs: Vec<&str> = requests.iter().map(|request| proof_name(request.proof)).collect();
    let mut values: Vec<&dyn ToParam> = Vec::with_capacity(requests.len() * 7 + 1);
    let mut rows = String::with_capacity(requests.len() * 24);
    for (index, request) in requests.iter().enumerate() {
        rows.push_str(if index == 0 { "(?, ?, ?, ?, ?, ?, ?)" } else { ", (?, ?, ?, ?, ?, ?, ?)" });
        let row: [&dyn ToParam; 7] = [
            &times[index],
            &request.channel,
            &proofs[index],
            &request.secret_index,
            &request.query,
            &headers[index],
            &request.body,
        ];
        values.extend(row);
    }
    let count = requests.len();
    values.push(&count);
    let add = format!(
        "WITH stored AS (
             INSERT INTO requests (received_at, channel, proof, secret_index, query, headers, body)
             VALUES {rows} RETURNING id),
         counted AS (INSERT INTO counter_changes VALUES ('requests.stored', ?))
         INSERT INTO waiting (request) SELECT id FROM stored"
    );
    run(connection, "store a request", &add, &values).map(drop)
}
