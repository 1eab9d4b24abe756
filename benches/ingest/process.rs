//! The release binary as an operator starts it: how soon it is ready, and how much memory it takes.
//!
//! In: the load generator. Out: times and sizes of a real `wabridge serve` over a new store.

use crate::load::daemon::{self, Serving};
use crate::load::generator::{Load, Order, Pace};
use crate::load::machine::{median, pause_until, resident_megabytes};
use serde::Serialize;
use std::path::Path;
use std::time::{Duration, Instant};

/// How often it is started.
const STARTS: usize = 5;
/// How long it is left alone before its memory is read.
const IDLE: Duration = Duration::from_secs(2);
/// How many requests it then takes.
const BUSY: usize = 20_000;

/// What a real process showed.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Process {
    /// From the start of the process to its start line, which is printed once it listens.
    pub(crate) start_line_millis: f64,
    /// From the start of the process to the first 200 of `/readyz`.
    pub(crate) ready_millis: f64,
    /// Resident memory when nothing was asked of it.
    pub(crate) idle_megabytes: f64,
    /// Resident memory after some load, everything projected or about to be.
    pub(crate) busy_megabytes: f64,
}

struct Running {
    serving: Serving,
    _folder: tempfile::TempDir,
}

impl Running {
    fn megabytes(&self) -> f64 {
        resident_megabytes(self.serving.child.id()).expect("the daemon runs")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself, which is as good.
        let _ = self.serving.child.kill();
        let _ = self.serving.child.wait();
    }
}

/// Starts the release binary a few times, and looks at the last one's memory.
pub(crate) fn measure(load: &mut Load, folder: &Path) -> Process {
    let mut times = (Vec::new(), Vec::new());
    let mut last = None;
    for _ in 0..STARTS {
        drop(last.take());
        let running = start(folder);
        times.0.push(running.serving.start_line_millis);
        times.1.push(running.serving.ready_millis);
        last = Some(running);
    }
    let running = last.expect("it was started at least once");
    pause_until(Instant::now() + IDLE);
    let idle_megabytes = running.megabytes();
    let outcome = load.send(&Order { address: running.serving.address, from: 0, pace: Pace::Count(BUSY) });
    assert!(outcome.is_clean(), "not everything was answered 200: {:?}", outcome.statuses);
    pause_until(Instant::now() + IDLE);
    let busy_megabytes = running.megabytes();
    Process {
        start_line_millis: median(times.0),
        ready_millis: median(times.1),
        idle_megabytes,
        busy_megabytes,
    }
}

fn start(folder: &Path) -> Running {
    let folder = tempfile::tempdir_in(folder).expect("the target folder can be written");
    Running { serving: daemon::serve(folder.path()), _folder: folder }
}
