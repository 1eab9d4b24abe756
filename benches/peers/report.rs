//! The table, and the same as JSON.

use crate::measure::{Crash, Speed};
use crate::peer::Peer;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// Everything that was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) facts: BTreeMap<&'static str, String>,
    pub(crate) rows: Vec<Row>,
}

/// What is known of one peer.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) peer: Peer,
    pub(crate) title: &'static str,
    /// What it is made of.
    pub(crate) versions: String,
    /// The run with the median rate.
    pub(crate) median: Option<Speed>,
    pub(crate) runs: Vec<Speed>,
    /// All crashes, counted together.
    pub(crate) crash: Option<Crash>,
    pub(crate) crashes: Vec<Crash>,
    /// Why something is missing.
    pub(crate) failures: Vec<String>,
}

impl Row {
    pub(crate) fn new(peer: Peer) -> Row {
        Row {
            peer,
            title: peer.title(),
            versions: String::new(),
            median: None,
            runs: Vec::new(),
            crash: None,
            crashes: Vec::new(),
            failures: Vec::new(),
        }
    }

    /// Sums up what there is.
    pub(crate) fn sum_up(&mut self) {
        let mut sorted = self.runs.clone();
        sorted.sort_by(|a, b| a.per_second.total_cmp(&b.per_second));
        self.median = sorted.get(sorted.len() / 2).cloned();
        self.crash = (!self.crashes.is_empty()).then(|| Crash::sum(&self.crashes));
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, fact) in &self.facts {
            writeln!(f, "{name:<14} {fact}")?;
        }
        writeln!(f)?;
        table(
            f,
            &["peer", "made of"],
            self.rows.iter().map(|row| [row.title.to_owned(), row.versions.clone()]),
        )?;
        writeln!(f)?;
        table(f, &SPEED, self.rows.iter().map(speed))?;
        writeln!(f)?;
        table(f, &CRASH, self.rows.iter().map(crash))?;
        for row in &self.rows {
            for failure in &row.failures {
                writeln!(f, "\n{}: {failure}", row.title)?;
            }
        }
        Ok(())
    }
}

const SPEED: [&str; 8] =
    ["under load", "done/s", "answered/s", "p50 ms", "p99 ms", "RSS MB", "CPU us/request", "other cores"];
const CRASH: [&str; 7] =
    ["after `kill -9`", "kills", "acknowledged", "lost", "sent again", "twice", "missing in the end"];

fn speed(row: &Row) -> [String; 8] {
    let Some(it) = &row.median else { return unmeasured(row) };
    [
        row.title.to_owned(),
        thousands(it.per_second),
        thousands(it.acknowledged_per_second),
        format!("{:.1}", it.latency.p50 as f64 / 1e3),
        format!("{:.1}", it.latency.p99 as f64 / 1e3),
        thousands(it.megabytes),
        thousands(it.cpu_micros),
        format!("{:.2}", it.other_cores),
    ]
}

fn crash(row: &Row) -> [String; 7] {
    let Some(it) = &row.crash else { return unmeasured(row) };
    let counts = [row.crashes.len(), it.acknowledged, it.lost(), it.redelivered, it.twice, it.missing];
    let [kills, acknowledged, lost, redelivered, twice, missing] =
        counts.map(|count| thousands(count as f64));
    [row.title.to_owned(), kills, acknowledged, lost, redelivered, twice, missing]
}

fn unmeasured<const N: usize>(row: &Row) -> [String; N] {
    let mut cells = [const { String::new() }; N];
    cells[0] = row.title.to_owned();
    cells[1] = "not measured".to_owned();
    cells
}

/// A whole number with a comma before each three of its digits.
fn thousands(figure: f64) -> String {
    let digits = format!("{figure:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A table that can be read here and pasted into `docs/benchmarks.md`.
fn table<const N: usize>(
    f: &mut fmt::Formatter<'_>,
    head: &[&str; N],
    rows: impl Iterator<Item = [String; N]>,
) -> fmt::Result {
    let rule = ["---"; N].map(str::to_owned);
    let mut lines = vec![head.map(str::to_owned), rule];
    lines.extend(rows);
    for line in lines {
        writeln!(f, "| {} |", line.join(" | "))?;
    }
    Ok(())
}
