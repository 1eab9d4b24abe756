//! `make bench`: what a webhook costs, and how much of what the machine could do is reached.
//!
//! In: nothing to configure; letters as arguments measure those parts alone (`cargo bench --bench ingest --
//! b d`), `f` being the fixed rate, `g` the campaign and the import, and `p` the process. Out: a table, and the same in `target/bench.json`. Read the ratios: rates are the machine's.
//!
//! Every rung is served by the daemon's own listener (same workers, limits, keep-alive) in this process;
//! the load comes from another (`benches/load/`) over 64 connections kept alive, of requests signed beforehand,
//! each a message of its own from one of 20,000 people, every fourth with an ad. Client and server share
//! the machine's cores. Three rounds of all rungs, each run with a fresh database and a warm-up; the median
//! is printed, and ratios are taken within a round. One answer other than 200, or one request that did not
//! leave what it should have left, ends the benchmark.
//!
//! * a: the body is read, nothing else.
//! * b, the ceiling: verified, normalised, the phone's region and validity looked up (in the cache that the
//!   daemon has too); nothing is stored.
//! * c: the daemon's route; the 200 is durable. Nobody projects meanwhile.
//! * d: the whole daemon. The clock runs from the first request until the last one is projected, so the rate
//!   counts what was acknowledged, deduplicated and projected; `ack/s` is the rate of the 200s alone.
//!
//! Then 1,000 requests a second on an open loop: latency counts from when a request was due. Every fourth is
//! a stranger's, who is looked up through the store from another process: the lag from the 200 to that.
//!
//! Then the same at 200 a second, first alone, then beside a campaign: 600,000 statuses of 200,000 people within
//! a minute, a thousand in a body; then beside an import of half a year, 5,000 messages in a body, one a second.
//! Messages must wait for neither.

#[path = "../load/mod.rs"]
mod load;
mod process;
mod report;
mod rungs;
mod servers;

use load::generator::{self, Beside, Load, What};
use load::machine;
use report::Report;
use rungs::{Run, Rung};
use std::io::Write;
use std::path::Path;
use std::time::Duration;

/// Distinct messages that are ready; a rung that stores nothing may go round.
const READY: usize = 60_000;
/// Rounds of all rungs.
const ROUNDS: usize = 3;
/// The fixed rate of the second part, and its length.
const RATE: u32 = 1_000;
const RATE_LENGTH: Duration = Duration::from_secs(20);
/// The rate of messages beside a campaign or an import, and how long it is measured without.
const LIVE_RATE: u32 = 200;
const ALONE: Duration = Duration::from_secs(20);
/// Three states of 200,000 messages, ten bodies of a thousand a second: three times what Meta sends at most.
const CAMPAIGN: Beside = Beside { what: What::Campaign, bodies: 600, interval: Duration::from_millis(100) };
/// 150,000 messages of half a year, in bodies of 5,000.
const IMPORT: Beside = Beside { what: What::Import, bodies: 30, interval: Duration::from_secs(1) };

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let Some(ready) = generator::asked(&arguments) {
        return generator::serve(ready);
    }
    let is_asked = |letter: &str| arguments.is_empty() || arguments.iter().any(|it| it == letter);
    let asked: Vec<Rung> = Rung::ALL.into_iter().filter(|rung| is_asked(rung.letter())).collect();
    // Beside what cargo builds, and so on the disk that the project is on: not on a `/tmp` in memory.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let facts = machine::facts(folder);
    let mut load = Load::start(READY);
    let runs = rounds(&asked, &mut load, folder);
    let fixed = is_asked("f").then(|| {
        progress("a fixed rate");
        rungs::fixed_rate(RATE, RATE_LENGTH, None, &mut load, folder)
    });
    let beside = is_asked("g").then(|| {
        progress("messages alone, then beside a campaign, then beside an import");
        let alone = rungs::fixed_rate(LIVE_RATE, ALONE, None, &mut load, folder);
        let [campaign, import] = [CAMPAIGN, IMPORT].map(|beside| {
            let length = beside.interval * u32::try_from(beside.bodies).expect("few bodies are sent");
            rungs::fixed_rate(LIVE_RATE, length, Some(beside), &mut load, folder)
        });
        [alone, campaign, import]
    });
    let process = is_asked("p").then(|| {
        progress("the release binary");
        process::measure(&mut load, folder)
    });
    let report = Report::new(facts, runs, (fixed, beside), process);
    let json = serde_json::to_string_pretty(&report).expect("a report is plain data");
    let file = folder.with_file_name("bench.json");
    std::fs::write(&file, json).expect("the target folder can be written");
    let mut out = std::io::stdout().lock();
    write!(out, "\n{report}").expect("somebody reads the report");
}

fn rounds(asked: &[Rung], load: &mut Load, folder: &Path) -> Vec<(Rung, Vec<Run>)> {
    let mut runs: Vec<(Rung, Vec<Run>)> = asked.iter().map(|rung| (*rung, Vec::new())).collect();
    for round in 1..=ROUNDS {
        for (rung, runs) in &mut runs {
            progress(&format!("round {round} of {ROUNDS}: {}", rung.title()));
            runs.push(rungs::measure(*rung, load, folder));
        }
    }
    runs
}

/// Says what is going on, apart from the table.
fn progress(what: &str) {
    // Nobody has to read it.
    let _ = writeln!(std::io::stderr(), "{what}");
}
