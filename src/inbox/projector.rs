//! The projector: works off what was stored, behind the acknowledgements.
//!
//! In: a wake-up after each commit. Out: settled requests. It keeps no state but the large request that it is
//! in the middle of: what is waiting is read from the store, so a crash repeats work and loses none. Tests call
//! [`Projector::step`].

use super::normalise::{Reader, tally};
use crate::config::Live;
use crate::store::{Aside, Prepared, Store, StoreError, StoreErrorKind, Stored};
use crate::telemetry::metrics::Metrics;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Requests claimed at a time: many slices' worth, since each claim ends with a slice that is cut short and
/// pays its flush for less.
const CLAIM: usize = 1024;
/// Requests that are read before the first of them are settled.
const AHEAD: usize = 64;
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
        let mut done = self.settle(&self.store.claim(CLAIM)?)?;
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

    /// Reads requests and settles them. Returns how many.
    ///
    /// Where many wait, a second thread has those settled that are read while this one reads more, so that neither the
    /// writer nor the reader is idle for want of the other.
    fn settle(&self, claimed: &[Stored]) -> Result<usize, StoreError> {
        if claimed.len() <= AHEAD {
            let prepared = self.prepare(claimed)?;
            tell_small(&prepared);
            return if prepared.is_empty() { Ok(0) } else { self.store.settle(prepared) };
        }
        let (hand_over, handed) = channel::<Vec<Prepared>>();
        let store = &self.store;
        let settle = move || -> Result<usize, StoreError> {
            let mut done = 0;
            while let Ok(mut prepared) = handed.recv() {
                // All that is there, so that few slices are cut short.
                prepared.extend(handed.try_iter().flatten());
                done += store.settle(prepared)?;
            }
            Ok(done)
        };
        std::thread::scope(|scope| {
            let settling = std::thread::Builder::new()
                .name("projector-settle".to_owned())
                .spawn_scoped(scope, settle)
                .map_err(|error| StoreError::with(StoreErrorKind::Other, "start a thread", error))?;
            // Nobody takes any more where one could not be settled; the error is below.
            let read = self.read(claimed, |prepared| {
                tell_small(&prepared);
                hand_over.send(prepared).is_ok()
            });
            drop(hand_over);
            let settled = settling.join().unwrap_or_else(|panic| resume_unwind(panic));
            read.and(settled)
        })
    }

    /// Reads requests for what they mean.
    fn prepare(&self, claimed: &[Stored]) -> Result<Vec<Prepared>, StoreError> {
        let mut prepared = Vec::with_capacity(claimed.len());
        self.read(claimed, |some| {
            prepared.extend(some);
            true
        })?;
        Ok(prepared)
    }

    /// Reads requests for what they mean, and hands them over some at a time until nobody takes them.
    fn read(
        &self,
        claimed: &[Stored],
        mut hand_over: impl FnMut(Vec<Prepared>) -> bool,
    ) -> Result<(), StoreError> {
        if claimed.is_empty() {
            return Ok(());
        }
        let reader = self.reader.get();
        let mut known = self.store.account_numbers()?;
        for some in claimed.chunks(AHEAD) {
            let prepare = |stored: &Stored| {
                if !stored.poison {
                    self.store.in_hand(Some(stored.id));
                }
                reader.prepare(stored, &mut known)
            };
            let prepared: Vec<Prepared> = some.iter().map(prepare).collect();
            self.store.in_hand(None);
            if !hand_over(prepared) {
                break;
            }
        }
        Ok(())
    }

    /// Counts a slice of attribution for every step, until all of it is counted. Returns how much was done.
    fn count(&self, settled: usize, counted: &mut bool) -> Result<usize, StoreError> {
        if *counted {
            return Ok(settled);
        }
        *counted = self.store.count_on()?;
        Ok(settled + 1)
    }

    /// Folds some of what counts changed. Nothing depends on it but how fast they are read, so what fails is left to
    /// the next time.
    pub fn fold(&self) {
        if let Err(error) = self.store.fold() {
            tracing::warn!(kind = error.kind.as_str(), doing = error.doing, "counts are folded later");
        }
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
                    Ok(0) => {
                        self.fold();
                        rung.wait();
                    }
                    Ok(_) => {
                        projected();
                        self.fold();
                    }
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

/// Says of which requests some could not be understood. A large one is told of when its turn comes.
fn tell_small(prepared: &[Prepared]) {
    prepared.iter().filter(|one| !one.is_large()).for_each(tell);
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
