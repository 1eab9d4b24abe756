//! What the machine says: processor time, memory, versions; and how a measurement is summed up.

use serde::{Deserialize, Serialize};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// Clock ticks a second in `/proc`, on every Linux that is in use.
const TICKS: f64 = 100.0;

/// A distribution, in microseconds.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Spread {
    pub(crate) count: usize,
    pub(crate) p50: u64,
    pub(crate) p99: u64,
    pub(crate) p999: u64,
    pub(crate) max: u64,
}

impl Spread {
    pub(crate) fn of(mut micros: Vec<u64>) -> Spread {
        micros.sort_unstable();
        let at = |thousandths: usize| {
            let rank = (micros.len() * thousandths).div_ceil(1000).max(1);
            micros.get(rank - 1).copied().unwrap_or(0)
        };
        Spread { count: micros.len(), p50: at(500), p99: at(990), p999: at(999), max: at(1000) }
    }
}

/// The median of a few figures.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    match (figures.len() % 2, figures.get(middle)) {
        (_, None) => 0.0,
        (1, Some(figure)) => *figure,
        (_, Some(figure)) => f64::midpoint(figures[middle - 1], *figure),
    }
}

/// Waits for a moment, to some 50 us.
pub(crate) fn pause_until(moment: Instant) {
    loop {
        match moment.checked_duration_since(Instant::now()) {
            None => return,
            Some(left) if left.is_zero() => return,
            // It may wake early, hence the loop.
            Some(left) => std::thread::park_timeout(left),
        }
    }
}

/// Processor time of this process so far.
pub(crate) fn cpu_seconds() -> f64 {
    cpu_seconds_of("self").expect("this process runs, and this is Linux")
}

/// Processor time of a process so far, unless it has ended.
pub(crate) fn cpu_seconds_of(process: &str) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name in brackets may hold blanks; utime and stime are the 14th and 15th field of all.
    let after_name = stat.rsplit(')').next()?;
    let ticks = after_name.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok());
    Some(ticks.sum::<f64>() / TICKS)
}

/// Processor time of the whole machine so far, idle and waiting time left out.
pub(crate) fn busy_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/stat").expect("this is Linux");
    let ticks: Vec<f64> =
        stat.lines().next().unwrap_or_default().split(' ').filter_map(|text| text.parse().ok()).collect();
    // user nice system idle iowait irq softirq steal; guest time is in user time already.
    [0, 1, 2, 5, 6, 7].iter().filter_map(|place| ticks.get(*place)).sum::<f64>() / TICKS
}

/// Resident memory of a process, in MB (10^6 bytes), unless it has ended.
pub(crate) fn resident_megabytes(process: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: f64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kibibytes * 1024.0 / 1e6)
}

/// What was measured on, a fact each.
pub(crate) fn facts(folder: &Path) -> Vec<(&'static str, String)> {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let rustc = Command::new("rustc").arg("-V").output().map(|output| output.stdout).unwrap_or_default();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').take(3).collect::<Vec<_>>().join(" ");
    vec![
        ("processor", format!("{cores} x {}", processor())),
        ("kernel", kernel.trim().to_owned()),
        ("file system", file_system(folder)),
        ("load before", load),
        ("rustc", String::from_utf8_lossy(&rustc).trim().to_owned()),
        ("actix-web", locked("actix-web")),
        ("tokio", locked("tokio")),
        ("rusqlite", locked("rusqlite")),
        ("SQLite", wabridge::store::sqlite::library_version().to_owned()),
    ]
}

fn processor() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find(|line| line.starts_with("model name"));
    model.and_then(|line| line.split_once(": ")).map_or_else(|| "unknown".to_owned(), |(_, it)| it.to_owned())
}

/// The type of the file system under a folder: on `tmpfs` a flush costs nothing and shows nothing.
fn file_system(folder: &Path) -> String {
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let mounts = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        Some((fields.next()?, fields.next()?))
    });
    let under = mounts.filter(|(place, _)| folder.starts_with(place));
    under.max_by_key(|(place, _)| place.len()).map_or_else(String::new, |(_, kind)| kind.to_owned())
}

/// The version of a crate in the lock file.
fn locked(name: &str) -> String {
    let lock = include_str!("../../Cargo.lock");
    let version = lock.split_once(&format!("name = \"{name}\"\nversion = \""));
    version.and_then(|(_, rest)| rest.split('"').next()).unwrap_or("unknown").to_owned()
}
