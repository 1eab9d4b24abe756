//! The lag: from the 200 to the event being readable, through the store's own read path.
//!
//! In: a sender who never wrote before, and when their message was answered. Out: how long after that a
//! reader in another process found a lead of that phone. One reader looks for the oldest of those that
//! wait, every [`LOOK`]: the figures are too high by up to that, and never too low.

use super::machine::{Spread, pause_until};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use wabridge::store::Leads;
use wabridge::store::sqlite::SqliteStore;
use wabridge_model::Phone;
use wabridge_model::id::Identity;

/// How often a reader looks.
pub(crate) const LOOK: Duration = Duration::from_micros(200);
/// Beyond this a message is taken for lost.
const LOST: Duration = Duration::from_secs(20);

/// Where answers are told.
#[derive(Clone)]
pub(crate) struct Lags(Sender<(String, Instant)>);

impl Lags {
    /// A message of this phone was answered.
    pub(crate) fn answered(&self, phone: String, at: Instant) {
        self.0.send((phone, at)).expect("the probe lives until it is finished");
    }
}

/// A thread that looks for what was answered.
pub(crate) struct Probe {
    lags: Lags,
    thread: JoinHandle<Vec<u64>>,
}

impl Probe {
    pub(crate) fn start(store: &Path) -> Probe {
        let store = SqliteStore::open_to_read(store).expect("a daemon has made the store");
        let (tell, told) = channel();
        let thread = std::thread::Builder::new()
            .name("probe".to_owned())
            .spawn(move || look(&store, &told))
            .expect("there is a thread");
        Probe { lags: Lags(tell), thread }
    }

    pub(crate) fn lags(&self) -> Lags {
        self.lags.clone()
    }

    /// Waits until everything was found.
    pub(crate) fn finish(self) -> Spread {
        drop(self.lags);
        Spread::of(self.thread.join().expect("every acknowledged event becomes readable"))
    }
}

fn look(store: &SqliteStore, told: &Receiver<(String, Instant)>) -> Vec<u64> {
    let mut lags = Vec::new();
    while let Ok((phone, answered)) = told.recv() {
        let phone = Phone::from_whatsapp_id(&phone).expect("it was made of digits");
        let identity = Identity::phone(&phone);
        while store.clusters_named(&identity).expect("the store can be read").is_empty() {
            assert!(answered.elapsed() < LOST, "an acknowledged message did not become readable");
            pause_until(Instant::now() + LOOK);
        }
        lags.push(u64::try_from(answered.elapsed().as_micros()).unwrap_or(u64::MAX));
    }
    lags
}
