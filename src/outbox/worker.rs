//! A thread for each target, that steps whenever something is due: one slow target delays no other.
//!
//! In: the configuration, now and at each reload; a ring whenever leads may have changed. Out: running couriers.
//! What a thread is in the middle of when it is stopped for good is given a while, and is in doubt afterwards.

use super::Setup;
use super::budget::Budget;
use super::courier::{AUTH, Courier, Step};
use super::dice::Dice;
use super::login::Vault;
use super::transport::{Account, HttpAccount};
use crate::clock::Clock;
use crate::config::{Config, Live, SecretError, Target};
use crate::inbox::projector::Bell;
use crate::routing::Routes;
use crate::store::{Store, StoreError};
use crate::telemetry::metrics::Metrics;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::Notify;

/// A courier looks by itself this often, should a ring be missed.
const LOOK: Duration = Duration::from_secs(5);
/// And no oftener: what is due may wait for something else of its lead.
const BREATH: Duration = Duration::from_millis(50);
/// Calls that are under way at a stop are given this long.
const GRACE: Duration = Duration::from_secs(20);

/// How a target is reached: over HTTPS, or otherwise in tests and the demo.
pub type Ways = Arc<dyn Fn(&Target) -> Result<Arc<dyn Account>, SecretError> + Send + Sync>;

/// The way to a target over HTTPS.
#[must_use]
pub fn over_https(vault: Vault) -> Ways {
    Arc::new(move |target| match HttpAccount::of(target, &vault) {
        Ok(account) => Ok(Arc::new(account)),
        Err(fault) => Err(target.secret_error(fault)),
    })
}

/// What couriers work with.
#[derive(Clone)]
pub struct Equipment {
    /// Where the outbox is.
    pub store: Arc<dyn Store>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// How targets are reached.
    pub ways: Ways,
}

/// The couriers of all targets.
pub struct Couriers {
    equipment: Equipment,
    workers: Mutex<BTreeMap<String, Worker>>,
    /// By account: several targets may write to one.
    budgets: Mutex<BTreeMap<String, Arc<Budget>>>,
}

impl Couriers {
    /// Couriers of no target yet. What an earlier process had leased is in doubt from here on.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn new(equipment: Equipment) -> Result<Couriers, StoreError> {
        let doubtful = equipment.store.doubt_expired(Timestamp::MAX)?;
        if doubtful > 0 {
            tracing::info!(doubtful, "jobs were under way when the process ended; they are looked for first");
        }
        Ok(Couriers { equipment, workers: Mutex::default(), budgets: Mutex::default() })
    }

    /// Finds the way to every target of a configuration, and changes nothing yet.
    ///
    /// # Errors
    /// When a token cannot be read.
    pub fn prepare(&self, config: &Config) -> Result<Vec<Setup>, SecretError> {
        let shared = Arc::new(config.clone());
        let mut budgets = self.budgets().clone();
        let setup = |target: &Target| {
            let account = (self.equipment.ways)(target)?;
            let budget = budgets.entry(target.account()).or_insert_with(|| Budget::new(target).into());
            let budget = Arc::clone(budget);
            Ok(Setup { target: target.clone(), config: Arc::clone(&shared), account, budget })
        };
        config.targets.iter().map(setup).collect()
    }

    /// Puts a configuration in force: routes, targets, tokens. A target that was paused for its token is tried again.
    ///
    /// # Errors
    /// When the store cannot be written, or there is no thread.
    pub fn put(&self, config: &Config, setups: Vec<Setup>) -> Result<(), PutError> {
        let store = &self.equipment.store;
        store.route_by(Arc::new(Routes::new(config)));
        let mut workers = self.workers();
        let gone: Vec<String> =
            workers.keys().filter(|name| !setups.iter().any(|s| s.target.name == **name)).cloned().collect();
        for name in gone {
            workers.remove(&name);
        }
        // Whoever comes back to an account finds in the store what others used of it meanwhile.
        self.budgets().retain(|account, _| setups.iter().any(|setup| setup.target.account() == *account));
        for setup in setups {
            setup.budget.configure(&setup.target);
            self.budgets().insert(setup.target.account(), Arc::clone(&setup.budget));
            let name = setup.target.name.clone();
            if store.target(&name)?.paused.as_deref() == Some(AUTH) {
                store.pause_target(&name, None)?;
            }
            match workers.get(&name) {
                Some(worker) => {
                    worker.setup.set(setup);
                    worker.bell.ring();
                }
                None => drop(workers.insert(name, Worker::start(self.equipment.clone(), setup)?)),
            }
        }
        Ok(())
    }

    /// Leads may have changed, or an operator may have changed something.
    pub fn ring(&self) {
        self.workers().values().for_each(|worker| worker.bell.ring());
    }

    /// Stops them: no new step, and what is under way is given a while.
    pub fn stop(&self) {
        let mut workers = self.workers();
        // All are told before any is waited for.
        workers.values().for_each(Worker::tell);
        workers.clear();
    }

    fn budgets(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Budget>>> {
        self.budgets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn workers(&self) -> MutexGuard<'_, BTreeMap<String, Worker>> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a configuration is not in force.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    /// The store cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system gives no thread.
    #[error("start a thread for a target")]
    Thread(#[from] std::io::Error),
}

/// The thread of one target. Dropping it stops it.
struct Worker {
    setup: Arc<Live<Setup>>,
    bell: Arc<Bell>,
    stopping: Arc<AtomicBool>,
    stop: Arc<Notify>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    fn start(equipment: Equipment, setup: Setup) -> std::io::Result<Worker> {
        let (bell, stop) = (Arc::new(Bell::default()), Arc::new(Notify::new()));
        let stopping = Arc::new(AtomicBool::new(false));
        let setup = Arc::new(Live::from(setup));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let Equipment { store, clock, metrics, .. } = equipment;
        let courier = Courier::new(store, Arc::clone(&clock), metrics, Arc::clone(&setup), Dice::new(), true);
        let run =
            Run { bell: Arc::clone(&bell), stopping: Arc::clone(&stopping), stop: Arc::clone(&stop), clock };
        let thread = std::thread::Builder::new()
            .name("courier".to_owned())
            .spawn(move || run.run(&runtime, courier))?;
        Ok(Worker { setup, bell, stopping, stop, thread: Some(thread) })
    }

    fn tell(&self) {
        self.stopping.store(true, Ordering::Release);
        self.stop.notify_one();
        self.bell.ring();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.tell();
        if let Some(thread) = self.thread.take() {
            // A courier that panicked has said so on its own.
            let _ = thread.join();
        }
    }
}

/// What a thread runs with.
struct Run {
    bell: Arc<Bell>,
    stopping: Arc<AtomicBool>,
    stop: Arc<Notify>,
    clock: Arc<dyn Clock>,
}

impl Run {
    fn run(&self, runtime: &tokio::runtime::Runtime, mut courier: Courier) {
        while !self.stopping.load(Ordering::Acquire) {
            let step = AssertUnwindSafe(|| runtime.block_on(self.step(&mut courier)));
            match catch_unwind(step) {
                Ok(Some(Ok(step))) => self.rest(&courier, step),
                Ok(Some(Err(error))) => {
                    tracing::error!(
                        kind = error.kind.as_str(),
                        doing = error.doing,
                        "delivery waits for the store"
                    );
                    self.bell.wait_for(LOOK);
                }
                // It was stopped in the middle: what it had leased is in doubt at the next start.
                Ok(None) => return,
                Err(_) => {
                    tracing::error!("a step of delivery panicked; what it had leased is in doubt");
                    self.bell.wait_for(LOOK);
                }
            }
        }
    }

    /// A step, unless it outlives a stop for too long.
    async fn step(&self, courier: &mut Courier) -> Option<Result<Step, StoreError>> {
        let given_up = async {
            self.stop.notified().await;
            tokio::time::sleep(GRACE).await;
        };
        tokio::select! {
            step = courier.step() => Some(step),
            () = given_up => None,
        }
    }

    /// Waits for a ring, for what is due next, or for the time before which nothing may be done.
    fn rest(&self, courier: &Courier, step: Step) {
        let now = self.clock.elapsed();
        let wait = match step.not_before {
            Some(at) => at.saturating_sub(now).min(LOOK),
            None if step.bundles > 0 => return,
            None => courier.due_in().clamp(BREATH, LOOK),
        };
        self.bell.wait_for(wait);
    }
}
