//! The thread that watches.

use super::{Sources, Watcher};
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::sync::Notify;

/// A running watcher. Dropping it ends it; what it is telling then is told again after the next start.
pub struct Watching {
    stop: Arc<Notify>,
    thread: Option<JoinHandle<()>>,
}

impl Watching {
    /// Starts to watch.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(sources: Sources) -> std::io::Result<Watching> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let stop = Arc::new(Notify::new());
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("alerts".to_owned()).spawn(move || {
            let watch = async {
                let config = Arc::clone(&sources.config);
                let mut watcher = Watcher::new(sources);
                loop {
                    tokio::time::sleep(config.get().alerts.every).await;
                    watcher.step().await;
                }
            };
            runtime.block_on(async {
                tokio::select! {
                    () = stopped.notified() => {}
                    () = watch => {}
                }
            });
        })?;
        Ok(Watching { stop, thread: Some(thread) })
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.stop.notify_one();
        if let Some(thread) = self.thread.take() {
            // One that panicked has said so on its own.
            let _ = thread.join();
        }
    }
}
