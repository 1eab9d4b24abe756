//! `make bench-peers`: wabridge beside what people would otherwise put in its place, under the same traffic.
//!
//! In: nothing to configure; names as arguments measure those alone (`cargo bench --bench peers -- wabridge
//! express`), `--rounds 1` does it once. Needs npm and PyPI once. Out: a table, and the same in
//! `target/peers.json`; `docs/benchmarks.md` says what each peer does and does not do.
//!
//! Every peer is a process of its own, as its users start it, on a database of its own. It gets the load of
//! `benches/load/`: webhooks as Meta signs them, each a message of its own, over 64 connections kept alive. One
//! answer other than 200, or a message that is not one event in the database afterwards, and the run does not
//! count. Then it is killed under load, started again, and sent what it had not acknowledged.

mod install;
#[expect(dead_code, reason = "what is open-loop in it is for the other benchmark")]
#[path = "../load/mod.rs"]
mod load;
mod measure;
mod n8n;
mod peer;
mod report;
mod tree;

use install::Installed;
use load::generator::{self, Load};
use load::machine;
use peer::Peer;
use report::{Report, Row};
use std::io::Write;
use std::path::Path;

/// Rounds of all peers: each is measured once and killed once in a round.
const ROUNDS: usize = 3;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let Some(ready) = generator::asked(&arguments) {
        return generator::serve(ready);
    }
    let rounds = match arguments.iter().position(|argument| argument == "--rounds") {
        Some(place) => arguments.get(place + 1).and_then(|it| it.parse().ok()).expect("a number of rounds"),
        None => ROUNDS,
    };
    let is_named = |peer: &Peer| arguments.iter().any(|it| it == peer.slug());
    let is_any_named = Peer::ALL.iter().any(is_named);
    // Beside what cargo builds, and so on the disk that the project is on: not on a `/tmp` in memory.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let root = folder.with_file_name("peers");
    std::fs::create_dir_all(&root).expect("the target folder can be written");
    let mut peers: Vec<(Row, Option<Installed>)> = Vec::new();
    for peer in Peer::ALL.into_iter().filter(|peer| !is_any_named || is_named(peer)) {
        progress(&format!("installing {}", peer.title()));
        peers.push(installed(peer, &root));
    }
    // Only now: an installation is work on the machine.
    let facts = machine::facts(&root);
    let mut load = Load::start(measure::READY);
    for round in 1..=rounds {
        for (row, installed) in &mut peers {
            progress(&format!("round {round} of {rounds}: {}", row.title));
            measure_once(row, installed, &mut load, &root);
        }
    }
    let mut rows: Vec<Row> = peers.into_iter().map(|(row, _)| row).collect();
    rows.iter_mut().for_each(Row::sum_up);
    let report = Report { facts: facts.into_iter().collect(), rows };
    let json = serde_json::to_string_pretty(&report).expect("a report is plain data");
    std::fs::write(folder.with_file_name("peers.json"), &json).expect("the target folder can be written");
    let mut out = std::io::stdout().lock();
    write!(out, "\n{report}").expect("somebody reads the report");
}

fn installed(peer: Peer, root: &Path) -> (Row, Option<Installed>) {
    let mut row = Row::new(peer);
    match install::install(peer, root) {
        Ok(installed) => {
            row.versions.clone_from(&installed.versions);
            (row, Some(installed))
        }
        Err(why) => {
            progress(&why);
            row.failures.push(format!("not installed: {why}"));
            (row, None)
        }
    }
}

/// One run under load and one crash. What fails is told and not tried again.
fn measure_once(row: &mut Row, installed: &mut Option<Installed>, load: &mut Load, root: &Path) {
    let Some(it) = installed else { return };
    let measured = measure::speed(row.peer, it, load, root).and_then(|speed| {
        row.runs.push(speed);
        measure::crash(row.peer, it, load, root)
    });
    match measured {
        Ok(crash) => row.crashes.push(crash),
        Err(why) => {
            progress(&why);
            row.failures.push(why);
            *installed = None;
        }
    }
}

/// Says what is going on, apart from the table.
fn progress(what: &str) {
    // Nobody has to read it.
    let _ = writeln!(std::io::stderr(), "{what}");
}
