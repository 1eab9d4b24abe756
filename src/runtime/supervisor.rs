//! What the service manager is told: started, reloading, stopping, and still well.
//!
//! In: the daemon's health. Out: datagrams to `NOTIFY_SOCKET`; nothing where there is none.
//! <https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html>

use crate::store::Store;
use sd_notify::NotifyState;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// The daemon serves.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The daemon reads its configuration anew; [`ready`] ends it.
pub fn reloading() {
    tell(&[NotifyState::Reloading]);
}

/// The daemon is on its way out.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(kind = ?error.kind(), "the service manager could not be told");
    }
}

/// Tells the service manager that all is well, as often as its watchdog asks. Dropping it ends that.
pub struct Watchdog {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watchdog {
    /// Starts where the service manager asks for it (`WatchdogSec=`); does nothing elsewhere.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(store: Arc<dyn Store>) -> std::io::Result<Watchdog> {
        let Some(patience) = sd_notify::watchdog_enabled() else {
            return Ok(Watchdog { stop: None, thread: None });
        };
        let (stop, stopped) = channel();
        let interval = interval(patience);
        let watch = move || {
            while stopped.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                if is_well(&*store) {
                    tell(&[NotifyState::Watchdog]);
                }
            }
        };
        let thread = std::thread::Builder::new().name("watchdog".to_owned()).spawn(watch)?;
        Ok(Watchdog { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // One that panicked has said so on its own.
            let _ = thread.join();
        }
    }
}

/// Three chances before the service manager loses its patience: a probe waits behind acknowledgements.
fn interval(patience: Duration) -> Duration {
    (patience / 3).max(Duration::from_millis(1))
}

/// Whether a restart would not help: the store answers. One that says that the disk is full or busy passes by
/// itself; one whose thread hangs says nothing at all, and then nothing is told.
fn is_well(store: &dyn Store) -> bool {
    match store.probe() {
        Ok(()) => true,
        Err(error) => error.kind.may_retry(),
    }
}
