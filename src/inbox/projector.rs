//! The projector: works off what was stored, behind the acknowledgements.
//!
//! In: a wake-up after each commit. Out: settled requests. It keeps no state: what is waiting is read
//! from the store, so a crash repeats work and loses none. Tests call [`Projector::step`].

use super::normalise::{Reader, tally};
use crate::config::Live;
use crate::store::{Store, StoreError};
use crate::telemetry::metrics::Metrics;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Requests claimed at a time: many slices' worth, since each claim ends with a slice that is cut short and
/// pays its flush for less.
const CLAIM: usize = 1024;
/// It looks by itself this often, should a wake-up be missed or the store have been busy.
const LOOK: Duration = Duration::from_secs(1);

/// Wakes the projector.
#[derive(Debug, Default)]
pub struct Bell {
    rung: Mutex<bool>,
    heard: Condvar,
}

impl Bell {
    /// There may be work.
    pub fn ring(&self) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.heard.notify_one();
    }

    fn wait(&self) {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut rung, _) =
            self.heard.wait_timeout_while(rung, LOOK, |rung| !*rung).unwrap_or_else(PoisonError::into_inner);
        *rung = false;
    }
}

/// What the projector works with.
pub struct Projector {
    /// Where requests wait and leads are kept.
    pub store: Arc<dyn Store>,
    /// What requests are read with, as configured now.
    pub reader: Arc<Live<Reader>>,
}

impl Projector {
    /// Projects what waits, at most one claim of it. Returns how many requests were settled.
    ///
    /// # Errors
    /// When the store cannot be read or written; the requests stay where they are.
    pub fn step(&self) -> Result<usize, StoreError> {
        let claimed = self.store.claim(CLAIM)?;
        if claimed.is_empty() {
            return Ok(0);
        }
        let reader = self.reader.get();
        let mut known = self.store.account_numbers()?;
        let mut prepared = Vec::with_capacity(claimed.len());
        for stored in &claimed {
            if !stored.poison {
                self.store.in_hand(Some(stored.id));
            }
            let one = reader.prepare(stored, &mut known);
            let (read, quarantined) = tally(&one);
            if quarantined > 0 {
                tracing::warn!(
                    request = stored.id,
                    channel = one.channel,
                    read,
                    quarantined,
                    "items quarantined"
                );
            }
            prepared.push(one);
        }
        self.store.in_hand(None);
        self.store.settle(prepared)
    }

    /// Counts a slice of attribution for every step, until all of it is counted. Returns how much was done.
    fn count(&self, settled: usize, counted: &mut bool) -> Result<usize, StoreError> {
        if *counted {
            return Ok(settled);
        }
        *counted = self.store.count_on()?;
        Ok(settled + 1)
    }

    /// Starts the thread that steps whenever the bell rings.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(self, bell: Arc<Bell>, metrics: Arc<Metrics>) -> std::io::Result<Projecting> {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, rung) = (Arc::clone(&stop), Arc::clone(&bell));
        let thread = std::thread::Builder::new().name("projector".to_owned()).spawn(move || {
            let mut counted = false;
            while !stopped.load(Ordering::Acquire) {
                match self.step().and_then(|settled| self.count(settled, &mut counted)) {
                    Ok(0) => rung.wait(),
                    Ok(_) => {}
                    Err(error) => {
                        metrics.store_failed("project", &error);
                        tracing::error!(
                            kind = error.kind.as_str(),
                            doing = error.doing,
                            "projection waits for the store"
                        );
                        rung.wait();
                    }
                }
            }
        })?;
        Ok(Projecting { stop, bell, thread: Some(thread) })
    }
}

/// A running projector. Dropping it finishes the step in hand and joins the thread.
pub struct Projecting {
    stop: Arc<AtomicBool>,
    bell: Arc<Bell>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Projecting {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.bell.ring();
        if let Some(thread) = self.thread.take() {
            // A projector that panicked has said so on its own.
            let _ = thread.join();
        }
    }
}
