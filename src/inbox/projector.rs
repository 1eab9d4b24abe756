//! The projector: works off what was stored, behind the acknowledgements.
//!
//! In: a wake-up after each commit. Out: settled requests. It keeps no state but the large request that it is
//! in the middle of: what is waiting is read from the store, so a crash repeats work and loses none. Tests call
//! [`Projector::step`].

use super::normalise::{Reader, tally};
use crate::config::Live;
use crate::store::{Aside, Prepared, Store, StoreError, Stored};
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
        self.wait_for(LOOK);
    }

    /// Waits until it is rung, at most this long.
    pub fn wait_for(&self, time: Duration) {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut rung, _) =
            self.heard.wait_timeout_while(rung, time, |rung| !*rung).unwrap_or_else(PoisonError::into_inner);
        *rung = false;
    }
}

/// Works off what waits.
pub struct Projector {
    /// Where requests wait and leads are kept.
    store: Arc<dyn Store>,
    /// What requests are read with, as configured now.
    reader: Arc<Live<Reader>>,
    /// The large request in the middle of which it is, so that it is read once and not for every slice.
    aside: Option<Aside>,
}

impl Projector {
    /// A projector of what waits in a store.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, reader: Arc<Live<Reader>>) -> Projector {
        Projector { store, reader, aside: None }
    }

    /// Projects what waits, at most one claim of it, and then one slice of what was set aside: so a large
    /// request is worked on whenever nothing else waits, and never holds up what comes after it. Returns how
    /// much was done; 0 is nothing.
    ///
    /// # Errors
    /// When the store cannot be read or written; the requests stay where they are.
    pub fn step(&mut self) -> Result<usize, StoreError> {
        let prepared = self.prepare(&self.store.claim(CLAIM)?)?;
        let mut done = 0;
        if !prepared.is_empty() {
            // A large one is told of when its turn comes.
            prepared.iter().filter(|one| !one.is_large()).for_each(tell);
            done = self.store.settle(prepared)?;
        }
        if self.aside.is_none() {
            let claimed = self.store.claim_aside()?;
            let prepared = self.prepare(claimed.as_slice())?.pop();
            self.aside = prepared.inspect(tell).map(Aside::from);
        }
        if let Some(aside) = self.aside.take() {
            self.aside = self.store.settle_aside(aside)?;
            done += 1;
        }
        Ok(done)
    }

    /// Reads requests for what they mean.
    fn prepare(&self, claimed: &[Stored]) -> Result<Vec<Prepared>, StoreError> {
        if claimed.is_empty() {
            return Ok(Vec::new());
        }
        let reader = self.reader.get();
        let mut known = self.store.account_numbers()?;
        let mut prepared = Vec::with_capacity(claimed.len());
        for stored in claimed {
            if !stored.poison {
                self.store.in_hand(Some(stored.id));
            }
            prepared.push(reader.prepare(stored, &mut known));
        }
        self.store.in_hand(None);
        Ok(prepared)
    }

    /// Counts a slice of attribution for every step, until all of it is counted. Returns how much was done.
    fn count(&self, settled: usize, counted: &mut bool) -> Result<usize, StoreError> {
        if *counted {
            return Ok(settled);
        }
        *counted = self.store.count_on()?;
        Ok(settled + 1)
    }

    /// Starts the thread that steps whenever the bell rings. `projected` is called after each step that did something.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(
        mut self,
        bell: Arc<Bell>,
        metrics: Arc<Metrics>,
        projected: impl Fn() + Send + 'static,
    ) -> std::io::Result<Projecting> {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, rung) = (Arc::clone(&stop), Arc::clone(&bell));
        let thread = std::thread::Builder::new().name("projector".to_owned()).spawn(move || {
            let mut counted = false;
            while !stopped.load(Ordering::Acquire) {
                match self.step().and_then(|settled| self.count(settled, &mut counted)) {
                    Ok(0) => rung.wait(),
                    Ok(_) => projected(),
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

/// Says that some of a request could not be understood.
fn tell(one: &Prepared) {
    let (read, quarantined) = tally(one);
    if quarantined > 0 {
        tracing::warn!(request = one.id, channel = one.channel, read, quarantined, "items quarantined");
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
