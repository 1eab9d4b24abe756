//! The rungs: what a server does with a request, from nothing to everything, on the daemon's own listener.
//!
//! In: a rung and the load generator. Out: a [`Run`]. Each run has a fresh database and a warm-up.

use crate::load::bodies::config;
use crate::load::generator::{Beside, Load, Order, Outcome, Pace, What};
use crate::load::machine::{Spread, busy_seconds, cpu_seconds};
use crate::servers::{self, Subject, Whole};
use serde::Serialize;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a rung is measured that is measured by time.
const MEASURED: Duration = Duration::from_secs(2);
/// How many requests the sustained rung is given.
const SUSTAINED: usize = 25_000;
/// How many requests come before the measurement of a rung that stores them.
const WARM_UP: usize = 2_000;
/// The warm-up of a rung that stores nothing: everyone has written once, and is known to the caches.
const WARM_UP_UNSTORED: usize = 60_000;

/// What is done with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Rung {
    /// The body is read.
    Empty,
    /// Verified, normalised, the phone's region and validity looked up; nothing stored.
    Ceiling,
    /// The daemon's own route, answered when durable; nobody projects.
    Durable,
    /// The whole daemon, until everything that was acknowledged is projected.
    Sustained,
}

impl Rung {
    pub(crate) const ALL: [Rung; 4] = [Rung::Empty, Rung::Ceiling, Rung::Durable, Rung::Sustained];

    pub(crate) fn letter(self) -> &'static str {
        match self {
            Rung::Empty => "a",
            Rung::Ceiling => "b",
            Rung::Durable => "c",
            Rung::Sustained => "d",
        }
    }

    pub(crate) fn title(self) -> &'static str {
        match self {
            Rung::Empty => "empty POST, body read",
            Rung::Ceiling => "verify + parse + phone (ceiling)",
            Rung::Durable => "durable acknowledgement",
            Rung::Sustained => "acknowledged and projected",
        }
    }

    /// The least part of the ceiling that it should reach.
    pub(crate) fn target(self) -> Option<f64> {
        match self {
            Rung::Empty | Rung::Ceiling => None,
            Rung::Durable => Some(0.30),
            Rung::Sustained => Some(0.10),
        }
    }
}

/// One measurement.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Run {
    /// Requests answered, and on the last rung projected, a second.
    pub(crate) per_second: f64,
    /// Requests answered a second, while requests came.
    pub(crate) acknowledged_per_second: f64,
    /// From request to answer.
    pub(crate) latency: Spread,
    /// Processor time of the server for each request.
    pub(crate) cpu_micros: f64,
    /// Cores that neither the server nor the load generator used: other work on the machine.
    pub(crate) other_cores: f64,
    /// Requests answered.
    pub(crate) requests: usize,
}

/// Measures one rung once, in a folder of its own.
pub(crate) fn measure(rung: Rung, load: &mut Load, folder: &Path) -> Run {
    let folder = tempfile::tempdir_in(folder).expect("the target folder can be written");
    let config = config(&folder.path().join("wabridge.db"));
    match rung {
        Rung::Empty => run(&servers::empty(&config), load, WARM_UP_UNSTORED, Pace::For(MEASURED)),
        Rung::Ceiling => run(&servers::ceiling(&config), load, WARM_UP_UNSTORED, Pace::For(MEASURED)),
        Rung::Durable => run(&servers::durable(config), load, WARM_UP, Pace::For(MEASURED)),
        Rung::Sustained => run(&Whole::start(config), load, WARM_UP, Pace::Count(SUSTAINED)),
    }
}

fn run(subject: &dyn Subject, load: &mut Load, warm_up: usize, pace: Pace) -> Run {
    let address = subject.address();
    let warming = load.send(&Order { address, from: 0, pace: Pace::Count(warm_up) });
    subject.settle();
    let (cpu, busy) = (cpu_seconds(), busy_seconds());
    let began = Instant::now();
    let outcome = load.send(&Order { address, from: warm_up, pace });
    let answered = Instant::now();
    subject.settle();
    let settling = answered.elapsed().as_secs_f64();
    let (used, elapsed) = (cpu_seconds() - cpu, began.elapsed().as_secs_f64());
    let others = (busy_seconds() - busy - used - outcome.cpu_seconds).max(0.0);
    must_be_clean(&warming);
    must_be_clean(&outcome);
    let requests = outcome.good();
    subject.check(warm_up + requests);
    Run {
        per_second: requests as f64 / (outcome.seconds + settling),
        acknowledged_per_second: requests as f64 / outcome.seconds,
        latency: outcome.latency,
        cpu_micros: used * 1e6 / requests as f64,
        other_cores: others / elapsed,
        requests,
    }
}

/// A server that refuses looks fast.
fn must_be_clean(outcome: &Outcome) {
    assert!(outcome.is_clean(), "not everything was answered 200: {:?}", outcome.statuses);
}

/// At a fixed rate: the answers' latency from when each was due, and the lag.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct FixedRate {
    pub(crate) per_second: u32,
    pub(crate) requests: usize,
    pub(crate) latency: Spread,
    pub(crate) lag: Spread,
    /// What came beside, if anything, and the answers to its bodies.
    pub(crate) beside: Option<(What, Spread)>,
    /// From the last answer until everything was projected.
    pub(crate) settling_seconds: f64,
    pub(crate) cpu_micros: f64,
    pub(crate) other_cores: f64,
}

/// Runs the whole daemon at a fixed rate, perhaps with something beside.
pub(crate) fn fixed_rate(
    per_second: u32,
    length: Duration,
    beside: Option<Beside>,
    load: &mut Load,
    folder: &Path,
) -> FixedRate {
    let folder = tempfile::tempdir_in(folder).expect("the target folder can be written");
    let store = folder.path().join("wabridge.db");
    let whole = Whole::start(config(&store));
    let address = whole.address();
    must_be_clean(&load.send(&Order { address, from: 0, pace: Pace::Count(WARM_UP) }));
    whole.settle();
    let (cpu, busy, began) = (cpu_seconds(), busy_seconds(), Instant::now());
    let interval = Duration::from_secs(1) / per_second;
    let count = (length.as_secs_f64() * f64::from(per_second)) as usize;
    let pace = Pace::Every { interval, count, store, beside };
    let outcome = load.send(&Order { address, from: WARM_UP, pace });
    let (used, elapsed) = (cpu_seconds() - cpu, began.elapsed().as_secs_f64());
    let others = (busy_seconds() - busy - used - outcome.cpu_seconds).max(0.0);
    must_be_clean(&outcome);
    let answered = Instant::now();
    whole.settle();
    let settling_seconds = answered.elapsed().as_secs_f64();
    whole.check(WARM_UP + count + beside.map_or(0, |beside| beside.items()));
    FixedRate {
        per_second,
        requests: outcome.good(),
        latency: outcome.latency,
        lag: outcome.lag.expect("a fixed rate is probed"),
        beside: beside.map(|it| it.what).zip(outcome.beside),
        settling_seconds,
        cpu_micros: used * 1e6 / outcome.good() as f64,
        other_cores: others / elapsed,
    }
}
