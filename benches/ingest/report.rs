//! The table, and the same as JSON.

use crate::load::machine::{Spread, median};
use crate::process::Process;
use crate::rungs::{FixedRate, Run, Rung};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// Everything that was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) facts: BTreeMap<&'static str, String>,
    pub(crate) rows: Vec<Row>,
    pub(crate) fixed_rate: Option<FixedRate>,
    /// Messages alone, beside a campaign, and beside an import.
    pub(crate) beside: Option<[FixedRate; 3]>,
    pub(crate) process: Option<Process>,
    pub(crate) targets: Vec<Target>,
}

/// One rung: the run in the middle, and what its rounds say of it beside the ceiling.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) rung: Rung,
    pub(crate) title: &'static str,
    /// The run with the median rate.
    pub(crate) median: Run,
    /// The median of the rounds' ratios: a round's rungs meet the same other work on the machine.
    pub(crate) of_ceiling: Option<f64>,
    pub(crate) runs: Vec<Run>,
}

/// A target and whether it was met.
#[derive(Debug, Serialize)]
pub(crate) struct Target {
    pub(crate) what: String,
    pub(crate) is_met: bool,
}

impl Row {
    fn new(rung: Rung, runs: Vec<Run>, ceiling: Option<&[Run]>) -> Row {
        let mut sorted = runs.clone();
        sorted.sort_by(|a, b| a.per_second.total_cmp(&b.per_second));
        let median_run = sorted.swap_remove(sorted.len() / 2);
        let of_ceiling = ceiling.map(|ceiling| {
            median(runs.iter().zip(ceiling).map(|(run, best)| run.per_second / best.per_second).collect())
        });
        Row { rung, title: rung.title(), median: median_run, of_ceiling, runs }
    }
}

impl Report {
    pub(crate) fn new(
        facts: Vec<(&'static str, String)>,
        runs: Vec<(Rung, Vec<Run>)>,
        (fixed_rate, beside): (Option<FixedRate>, Option<[FixedRate; 3]>),
        process: Option<Process>,
    ) -> Report {
        let ceiling = runs.iter().find(|(rung, _)| *rung == Rung::Ceiling).map(|(_, runs)| runs.clone());
        let rows: Vec<Row> =
            runs.into_iter().map(|(rung, runs)| Row::new(rung, runs, ceiling.as_deref())).collect();
        let mut targets: Vec<Target> = rows.iter().filter_map(ratio_target).collect();
        targets.extend(beside.iter().flatten().filter_map(beside_target));
        targets.extend(process.iter().flat_map(process_targets));
        Report { facts: facts.into_iter().collect(), rows, fixed_rate, beside, process, targets }
    }
}

fn ratio_target(row: &Row) -> Option<Target> {
    let (least, reached) = (row.rung.target()?, row.of_ceiling?);
    let what =
        format!("{} at {:.0} % of the ceiling or more: {:.1} %", row.title, least * 100.0, reached * 100.0);
    Some(Target { what, is_met: reached >= least })
}

fn beside_target(fixed: &FixedRate) -> Option<Target> {
    let millis = |spread: Spread| spread.p99 as f64 / 1e3;
    let (answer, lag) = (millis(fixed.latency), millis(fixed.lag));
    let (beside, _) = fixed.beside.as_ref()?;
    let what = format!(
        "messages beside the {} answered within 100 ms: p99 {answer:.1} ms (readable {lag:.1} ms after)",
        beside.title()
    );
    Some(Target { what, is_met: answer < 100.0 })
}

fn process_targets(process: &Process) -> [Target; 2] {
    let Process { idle_megabytes, ready_millis, .. } = process;
    [
        Target {
            what: format!("idle memory under 40 MB: {idle_megabytes:.1} MB"),
            is_met: *idle_megabytes < 40.0,
        },
        Target {
            what: format!("ready in under 200 ms: {ready_millis:.0} ms"),
            is_met: *ready_millis < 200.0,
        },
    ]
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, fact) in &self.facts {
            writeln!(f, "{name:<14} {fact}")?;
        }
        writeln!(
            f,
            "\n{:<34} {:>9} {:>9} {:>9} {:>9} {:>9} {:>7} {:>8} {:>6}",
            "closed loop", "req/s", "p50 us", "p99 us", "p99.9 us", "ack/s", "CPU us", "ceiling", "other"
        )?;
        for row in &self.rows {
            let Run { per_second, acknowledged_per_second, latency, cpu_micros, other_cores, .. } =
                &row.median;
            let of_ceiling =
                row.of_ceiling.map_or_else(String::new, |ratio| format!("{:.1} %", ratio * 100.0));
            writeln!(
                f,
                "{} {:<32} {per_second:>9.0} {:>9} {:>9} {:>9} {acknowledged_per_second:>9.0} {cpu_micros:>7.1} {of_ceiling:>8} {other_cores:>6.2}",
                row.rung.letter(),
                row.title,
                latency.p50,
                latency.p99,
                latency.p999,
            )?;
        }
        if let Some(fixed) = &self.fixed_rate {
            write!(f, "\n{fixed}")?;
        }
        for fixed in self.beside.iter().flatten() {
            write!(f, "\n{fixed}")?;
        }
        if let Some(process) = &self.process {
            let Process { start_line_millis, ready_millis, idle_megabytes, busy_megabytes } = process;
            writeln!(
                f,
                "\nwabridge serve    start line {start_line_millis:.0} ms, ready {ready_millis:.0} ms, idle {idle_megabytes:.1} MB, after load {busy_megabytes:.1} MB"
            )?;
        }
        writeln!(f)?;
        for target in &self.targets {
            writeln!(f, "{} {}", if target.is_met { "PASS" } else { "MISS" }, target.what)?;
        }
        Ok(())
    }
}

impl fmt::Display for FixedRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let beside =
            self.beside.map(|(what, _)| format!(", beside the {}", what.title())).unwrap_or_default();
        writeln!(f, "open loop, {} requests/s, {} requests{beside}", self.per_second, self.requests)?;
        let spreads = [("due to 200", self.latency), ("200 to readable", self.lag)];
        let others = self.beside.map(|(_, spread)| ("beside to 200", spread));
        for (name, spread) in spreads.into_iter().chain(others) {
            writeln!(
                f,
                "  {name:<16} p50 {:>6} us   p99 {:>6} us   p99.9 {:>6} us   max {:>6} us   of {}",
                spread.p50, spread.p99, spread.p999, spread.max, spread.count
            )?;
        }
        writeln!(
            f,
            "  {:.0} us CPU a request, other work {:.2}, all projected {:.1} s after the last 200",
            self.cpu_micros, self.other_cores, self.settling_seconds
        )
    }
}
