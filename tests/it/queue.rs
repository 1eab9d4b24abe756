//! The queue before the writer is bounded: what does not fit is refused at once, what fits is kept.

use futures_util::FutureExt;
use tempfile::TempDir;
use wabridge::store::sqlite::{Signals, SqliteStore};
use wabridge::store::{Inbox, Request, StoreErrorKind};
use wabridge_model::evidence::Proof;

fn request() -> Request {
    Request {
        received_at: jiff::Timestamp::UNIX_EPOCH,
        channel: "main".to_owned(),
        proof: Proof::Signed,
        secret_index: 0,
        query: String::new(),
        headers: Vec::new(),
        body: b"{}".to_vec(),
    }
}

#[test]
fn a_full_queue_refuses_at_once_and_keeps_what_it_took() {
    const MOST_WAITING: usize = 8192;
    /// What the writer may have taken already.
    const IN_HAND: usize = 256;
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store.db");
    let signals = Signals { disk_failed: Box::new(|error| panic!("{error}")), ..Signals::unheard() };
    let store = SqliteStore::open(&path, signals).unwrap();
    // Another writer holds the database, as a backup might: nothing can be committed.
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (mut taken, mut refused) = (Vec::new(), 0);
    for _ in 0..MOST_WAITING + IN_HAND + 100 {
        let mut answer = store.append(request());
        match answer.as_mut().now_or_never() {
            None => taken.push(answer),
            Some(Err(error)) => {
                assert_eq!(error.kind, StoreErrorKind::Busy);
                refused += 1;
            }
            Some(Ok(())) => panic!("nothing can have been committed"),
        }
    }
    assert!(refused >= 100, "{refused}");
    assert!(taken.len() >= MOST_WAITING, "{}", taken.len());
    other.execute_batch("ROLLBACK").unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let taken = taken.into_iter().map(|answer| runtime.block_on(answer).unwrap()).count();
    assert_eq!(store.backlog().unwrap().waiting, taken as u64);
}
