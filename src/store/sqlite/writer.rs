//! The one thread that writes, with group commit.
//!
//! In: requests to append, and other work in slices. Out: an answer to each, after its commit. Requests
//! go first: whatever waits is taken (at most [`GROUP`]), written in one transaction and flushed once.
//! There is no lingering: a lone request pays one flush, a crowd shares it.

use super::connection::SqliteConnection;
use crate::fault;
use crate::store::open::Signals;
use crate::store::sql::connection::{Connection, Transaction};
use crate::store::sql::requests::insert_all;
use crate::store::{Request, StoreError, StoreErrorKind};
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::oneshot;

/// The most requests one commit takes; throughput is flat from 64 on, latency is not.
const GROUP: usize = 256;
/// The most requests and bytes that may wait; beyond, the answer is 503.
const MOST_WAITING: usize = 8192;
const MOST_WAITING_BYTES: usize = 256 * 1024 * 1024;

/// Work for the writer's connection.
type Job = Box<dyn FnOnce(&SqliteConnection) + Send>;

struct Append {
    request: Request,
    done: oneshot::Sender<Result<(), StoreError>>,
}

#[derive(Default)]
struct Queue {
    appends: VecDeque<Append>,
    bytes: usize,
    jobs: VecDeque<Job>,
    closing: bool,
}

impl Queue {
    /// Whether anything waits for what is being done.
    fn is_awaited(&self) -> bool {
        !self.appends.is_empty() || !self.jobs.is_empty() || self.closing
    }
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        // A panic while holding the lock leaves a queue that is still a queue.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A handle on the writer thread. Dropping it finishes the queue and joins the thread.
pub(super) struct Writer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(connection: SqliteConnection, signals: Signals) -> std::io::Result<Writer> {
        let shared = Arc::new(Shared::default());
        let (theirs, queued) = (Arc::clone(&shared), Arc::clone(&shared));
        let connection = connection.awaited(move || queued.lock().is_awaited());
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || run(connection, &theirs, &signals))?;
        Ok(Writer { shared, thread: Some(thread) })
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

    /// Runs work on the writer's connection and waits for its result. For worker threads only.
    pub(super) fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&SqliteConnection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (done, later) = std::sync::mpsc::sync_channel(1);
        let job: Job = Box::new(move |connection| {
            let _ = done.send(work(connection));
        });
        {
            let mut queue = self.shared.lock();
            if queue.closing {
                return Err(StoreError::new(StoreErrorKind::Busy, "write to the store"));
            }
            queue.jobs.push_back(job);
        }
        self.shared.wake.notify_one();
        later.recv().unwrap_or_else(|_| Err(StoreError::new(StoreErrorKind::Other, "write to the store")))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.lock().closing = true;
        self.shared.wake.notify_all();
        if let Some(thread) = self.thread.take() {
            // A writer that panicked has said so on its own.
            let _ = thread.join();
        }
    }
}

fn run(connection: SqliteConnection, shared: &Shared, signals: &Signals) {
    let mut disk_failed = false;
    while let Some((appends, job)) = next(shared) {
        if disk_failed {
            // After a failed flush the kernel may report the next one as good: nothing is acknowledged.
            appends.into_iter().for_each(|append| drop(append.done.send(Err(disk_error()))));
            continue;
        }
        if !appends.is_empty() {
            disk_failed = write(&connection, appends, signals);
        }
        if let Some(job) = job {
            job(&connection);
        }
    }
}

/// Waits for work: all requests that wait, and one piece of other work. `None` when closing and done.
fn next(shared: &Shared) -> Option<(Vec<Append>, Option<Job>)> {
    let mut queue = shared.lock();
    while queue.appends.is_empty() && queue.jobs.is_empty() {
        if queue.closing {
            return None;
        }
        queue = shared.wake.wait(queue).unwrap_or_else(PoisonError::into_inner);
    }
    let taken = queue.appends.len().min(GROUP);
    let appends: Vec<Append> = queue.appends.drain(..taken).collect();
    queue.bytes -= appends.iter().map(|append| append.request.body.len()).sum::<usize>();
    Some((appends, queue.jobs.pop_front()))
}

fn disk_error() -> StoreError {
    StoreError::new(StoreErrorKind::Disk, "store a request")
}

/// Writes a group and answers it. Says whether the disk failed.
fn write(connection: &dyn Connection, appends: Vec<Append>, signals: &Signals) -> bool {
    let (requests, answers): (Vec<Request>, Vec<_>) =
        appends.into_iter().map(|append| (append.request, append.done)).unzip();
    if fault::planted("ack_before_commit", &[]) {
        answers.into_iter().for_each(|done| drop(done.send(Ok(()))));
        // As on a disk that takes its time, so that a few kills are enough to show the loss.
        std::thread::park_timeout(std::time::Duration::from_millis(10));
        let _ = insert(connection, &requests);
        (signals.committed)();
        return false;
    }
    let result = insert(connection, &requests);
    let failed = result.as_ref().err().filter(|error| error.kind == StoreErrorKind::Disk);
    if let Some(error) = failed {
        (signals.disk_failed)(error);
    }
    let disk_failed = failed.is_some();
    for done in answers {
        let answer = match &result {
            Ok(()) => Ok(()),
            Err(error) => Err(StoreError::new(error.kind, error.doing)),
        };
        // A sender that hung up will deliver again; the request is stored all the same.
        let _ = done.send(answer);
    }
    (signals.committed)();
    disk_failed
}

fn insert(connection: &dyn Connection, requests: &[Request]) -> Result<(), StoreError> {
    let doing = "store a request";
    let transaction = Transaction::begin(connection, doing)?;
    insert_all(&*transaction, requests)?;
    transaction.commit(doing)
}
