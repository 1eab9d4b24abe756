//! Connections to the server, opened as they are needed and kept for whoever is next.

use super::connection::PostgresConnection;
use super::listen::listen;
use super::way::{Way, drive};
use crate::store::signal::Heard;
use crate::store::{StoreError, StoreErrorKind};
use futures_executor::block_on;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::Client;

/// Connections of a process, at most. The rest of a server's hundred is for other replicas, and for people.
const MOST: usize = 20;
/// How long somebody waits for a connection that others have.
const PATIENCE: Duration = Duration::from_secs(10);
/// What every session is told: who stops in the middle of a transaction keeps others waiting for so long at most, and no
/// statement takes longer than a lease.
const SESSION: &str = "SET idle_in_transaction_session_timeout = '10s'; SET statement_timeout = '60s';
     SET lock_timeout = '10s'; SET TIME ZONE 'UTC'; SET client_min_messages = warning";

/// The connections of a process.
pub(super) struct Pool {
    way: Way,
    replica: i64,
    keeps_given_time: bool,
    // Does the work of the sockets.
    runtime: Option<Runtime>,
    kept: Mutex<Kept>,
    freed: Condvar,
}

#[derive(Default)]
struct Kept {
    idle: Vec<PostgresConnection>,
    open: usize,
}

/// A connection that goes back to the pool when this is dropped.
pub(super) struct Lent<'p> {
    pool: &'p Pool,
    connection: Option<PostgresConnection>,
}

impl std::ops::Deref for Lent<'_> {
    type Target = PostgresConnection;

    fn deref(&self) -> &PostgresConnection {
        self.connection.as_ref().expect("taken in drop alone")
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let mut kept = self.pool.kept();
        match self.connection.take().filter(PostgresConnection::is_clean) {
            Some(connection) => kept.idle.push(connection),
            None => kept.open -= 1,
        }
        drop(kept);
        self.pool.freed.notify_one();
    }
}

impl Pool {
    pub(super) fn new(way: Way, replica: i64, keeps_given_time: bool) -> Result<Pool, StoreError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("store-sockets")
            .enable_all()
            .build()
            .map_err(|error| StoreError::with(StoreErrorKind::Other, "start a thread", error))?;
        let runtime = Some(runtime);
        Ok(Pool { way, replica, keeps_given_time, runtime, kept: Mutex::default(), freed: Condvar::new() })
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lends a connection, an open one if there is one.
    pub(super) fn lend(&self) -> Result<Lent<'_>, StoreError> {
        let deadline = Instant::now() + PATIENCE;
        let mut kept = self.kept();
        loop {
            while let Some(connection) = kept.idle.pop() {
                if connection.is_clean() {
                    return Ok(Lent { pool: self, connection: Some(connection) });
                }
                kept.open -= 1;
            }
            if kept.open < MOST {
                break;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(StoreError::new(StoreErrorKind::Busy, "wait for a connection to the store"));
            }
            kept = self.freed.wait_timeout(kept, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        kept.open += 1;
        drop(kept);
        let mut lent = Lent { pool: self, connection: None };
        // What cannot be opened is counted down where it is dropped.
        lent.connection = Some(self.open()?);
        Ok(lent)
    }

    /// Opens a connection. What its owner holds is given back when it is dropped.
    pub(super) fn open(&self) -> Result<PostgresConnection, StoreError> {
        let connection = PostgresConnection::new(self.client()?, self.replica, self.keeps_given_time);
        connection.say("connect to the store", SESSION)?;
        Ok(connection)
    }

    fn client(&self) -> Result<Client, StoreError> {
        // The sockets belong to the runtime, whoever waits for them.
        let runtime = self.runtime();
        let _entered = runtime.enter();
        let (client, driver) = block_on(self.way.connect())?;
        runtime.spawn(drive(driver));
        Ok(client)
    }

    fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().expect("taken in drop alone")
    }

    /// Runs what needs a client of its own: migrations.
    pub(super) fn with_client<T>(
        &self,
        work: impl AsyncFnOnce(&mut Client) -> Result<T, StoreError> + Send,
    ) -> Result<T, StoreError> {
        let mut client = self.client()?;
        block_on(work(&mut client))
    }

    /// Hears what other replicas say, on a connection beside these.
    pub(super) fn listen(&self, heard: Heard) {
        self.runtime().spawn(listen(self.way.clone(), self.replica, heard));
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // What is left to do of the sockets is not waited for: whoever drops this may be about a socket's work.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
