//! How fast a peer answers, and what is left of its answers after `kill -9`.
//!
//! In: a peer that is installed, and the load generator. Out: a [`Speed`] or a [`Crash`], each from a start of
//! its own over a new database.

use crate::install::Installed;
use crate::load::generator::{Load, Order, Outcome, Pace};
use crate::load::machine::{Spread, busy_seconds, pause_until};
use crate::peer::{Peer, Running};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Messages that are ready: more than any peer takes before its time is over.
pub(crate) const READY: usize = 200_000;
/// The most messages that a warm-up takes.
const WARM_UP: usize = 2_000;
/// Of one peer in one run; what is left is for the crash.
const MEASURED: usize = 100_000;

/// One measurement under load.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Speed {
    /// Requests a second, until everything is done that they bring about.
    pub(crate) per_second: f64,
    /// Requests answered a second, while requests came.
    pub(crate) acknowledged_per_second: f64,
    /// From request to answer.
    pub(crate) latency: Spread,
    /// The most resident memory of all its processes.
    pub(crate) megabytes: f64,
    /// Processor time of all its processes for each request.
    pub(crate) cpu_micros: f64,
    /// Cores that neither it nor the load generator used: other work on the machine.
    pub(crate) other_cores: f64,
    /// Requests answered.
    pub(crate) requests: usize,
}

/// What a `kill -9` under load left.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Crash {
    /// Messages that were answered 200 before it.
    pub(crate) acknowledged: usize,
    /// Of those, events in the database after a restart.
    pub(crate) on_disk: usize,
    /// Messages that were sent and not answered; all of them were sent again.
    pub(crate) redelivered: usize,
    /// Messages that are more than one event after that.
    pub(crate) twice: usize,
    /// Messages that are no event after that.
    pub(crate) missing: usize,
}

impl Crash {
    /// Messages that were answered 200 and are not there.
    pub(crate) fn lost(&self) -> usize {
        self.acknowledged - self.on_disk
    }

    /// Several crashes, counted together.
    pub(crate) fn sum(crashes: &[Crash]) -> Crash {
        crashes.iter().fold(Crash::default(), |sum, it| Crash {
            acknowledged: sum.acknowledged + it.acknowledged,
            on_disk: sum.on_disk + it.on_disk,
            redelivered: sum.redelivered + it.redelivered,
            twice: sum.twice + it.twice,
            missing: sum.missing + it.missing,
        })
    }
}

/// Measures a peer under load, and checks that what it answered is an event of its own.
pub(crate) fn speed(
    peer: Peer,
    installed: &Installed,
    load: &mut Load,
    root: &Path,
) -> Result<Speed, String> {
    let data = tempfile::tempdir_in(root).expect("the target folder can be written");
    let data = data.path();
    let (running, times) = (peer.start(installed, data)?, peer.times());
    let address = running.address;
    let pace = Pace::Within { length: times.warm_up, count: WARM_UP };
    let warming = clean(load.send(&Order { address, from: 0, pace }))?;
    peer.settle(data);
    let (cpu, busy, began) = (running.tree.cpu_seconds(), busy_seconds(), Instant::now());
    let pace = Pace::Within { length: times.measured, count: MEASURED };
    let order = Order { address, from: warming.sent, pace };
    let (outcome, megabytes) = watched(&running, || load.send(&order));
    let answered = Instant::now();
    peer.settle(data);
    let settling = answered.elapsed().as_secs_f64();
    let (used, elapsed) = (running.tree.cpu_seconds() - cpu, began.elapsed().as_secs_f64());
    let others = (busy_seconds() - busy - used - outcome.cpu_seconds).max(0.0);
    let outcome = clean(outcome)?;
    let requests = outcome.good();
    let events = peer.events(data)?;
    let sent = warming.sent + outcome.sent;
    if !(0..sent).all(|n| events.get(&n) == Some(&1)) || events.len() != sent {
        return Err(format!(
            "{sent} messages were answered 200, but its database has {} events",
            sum(&events)
        ));
    }
    Ok(Speed {
        per_second: requests as f64 / (outcome.seconds + settling),
        acknowledged_per_second: requests as f64 / outcome.seconds,
        latency: outcome.latency,
        megabytes,
        cpu_micros: used * 1e6 / requests as f64,
        other_cores: others / elapsed,
        requests,
    })
}

/// A server that refuses looks fast.
fn clean(outcome: Outcome) -> Result<Outcome, String> {
    if outcome.is_clean() {
        Ok(outcome)
    } else {
        Err(format!("not everything was answered 200: {:?}", outcome.statuses))
    }
}

fn sum(events: &BTreeMap<usize, usize>) -> usize {
    events.values().sum()
}

/// Looks at the server's memory while something goes on.
fn watched<T>(running: &Running, work: impl FnOnce() -> T) -> (T, f64) {
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watching = scope.spawn(|| running.tree.highest_megabytes(&is_over));
        let done = work();
        is_over.store(true, Ordering::Relaxed);
        watching.thread().unpark();
        (done, watching.join().expect("looking does not fail"))
    })
}

/// Kills a peer under load, starts it over the same database, and sends again what was not acknowledged.
pub(crate) fn crash(
    peer: Peer,
    installed: &Installed,
    load: &mut Load,
    root: &Path,
) -> Result<Crash, String> {
    let data = tempfile::tempdir_in(root).expect("the target folder can be written");
    let data = data.path();
    let running = peer.start(installed, data)?;
    let until_killed = peer.times().until_killed;
    let pace = Pace::Within { length: until_killed * 4, count: READY };
    let order = Order { address: running.address, from: 0, pace };
    let outcome = std::thread::scope(|scope| {
        scope.spawn(|| {
            pause_until(Instant::now() + until_killed);
            running.tree.kill();
        });
        load.send(&order)
    });
    drop(running);
    if outcome.statuses.keys().any(|status| ![0, 200].contains(status)) || outcome.good() == outcome.sent {
        return Err(format!("it was not killed under load: {:?}", outcome.statuses));
    }
    if outcome.acknowledged.is_empty() {
        // Nothing lost of nothing would look like a promise kept.
        return Err("it had answered nothing when it was killed".to_owned());
    }
    let running = peer.start(installed, data)?;
    peer.settle(data);
    let events = peer.events(data)?;
    let on_disk = outcome.acknowledged.iter().filter(|n| events.contains_key(n)).count();
    let mut waiting: Vec<bool> = vec![true; outcome.sent];
    outcome.acknowledged.iter().for_each(|n| waiting[*n] = false);
    let again: Vec<usize> = (0..outcome.sent).filter(|n| waiting[*n]).collect();
    let redelivered = again.len();
    clean(load.send(&Order { address: running.address, from: 0, pace: Pace::These(again) }))?;
    peer.settle(data);
    let events = peer.events(data)?;
    Ok(Crash {
        acknowledged: outcome.acknowledged.len(),
        on_disk,
        redelivered,
        twice: events.values().filter(|count| **count > 1).count(),
        missing: (0..outcome.sent).filter(|n| !events.contains_key(n)).count(),
    })
}
