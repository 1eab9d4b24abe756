//! A server and every process that it started: their memory, their processor time, and their end.
//!
//! In: a child. Out: what `/proc` says of it and of its descendants, summed up. A peer may be several processes,
//! and what is measured or killed is all of them.

use crate::load::machine::{cpu_seconds_of, resident_megabytes};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often memory is looked at while a server is under load.
const LOOK: Duration = Duration::from_millis(200);

/// A running server, its descendants included; ended with this.
pub(crate) struct Tree {
    child: Child,
}

impl Tree {
    pub(crate) fn of(child: Child) -> Tree {
        Tree { child }
    }

    /// Whether it went well, once the first of its processes has ended by itself.
    pub(crate) fn outcome(&mut self) -> Option<bool> {
        self.child.try_wait().ok()?.map(|status| status.success())
    }

    /// The processor time of all of it so far.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        self.members().iter().filter_map(|process| cpu_seconds_of(&process.to_string())).sum()
    }

    /// The resident memory of all of it, in MB (10^6 bytes). What its processes share counts for each.
    fn megabytes(&self) -> f64 {
        self.members().iter().filter_map(|process| resident_megabytes(*process)).sum()
    }

    /// Looks at its memory until it is over; the highest that was seen.
    pub(crate) fn highest_megabytes(&self, is_over: &AtomicBool) -> f64 {
        let mut highest: f64 = 0.0;
        while !is_over.load(Ordering::Relaxed) {
            highest = highest.max(self.megabytes());
            std::thread::park_timeout(LOOK);
        }
        highest
    }

    /// `kill -9` for all of it: nothing is asked, nothing is flushed.
    pub(crate) fn kill(&self) {
        for process in self.members() {
            let process = i32::try_from(process).ok().and_then(Pid::from_raw);
            // It may have ended meanwhile, which is as good.
            let _ = process.map(|process| kill_process(process, Signal::KILL));
        }
    }

    /// The server first, then those that it started.
    fn members(&self) -> Vec<u32> {
        let all = processes();
        // Its number may be somebody else's by now, if it ended and was waited for.
        let is_ours =
            |(process, parent): &&(u32, u32)| (*process, *parent) == (self.child.id(), std::process::id());
        let mut found: Vec<u32> = all.iter().filter(is_ours).map(|(process, _)| *process).collect();
        let mut next = 0;
        while let Some(process) = found.get(next).copied() {
            found.extend(all.iter().filter(|(_, parent)| *parent == process).map(|(child, _)| *child));
            next += 1;
        }
        found
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        self.kill();
        // It may have been waited for already.
        let _ = self.child.wait();
    }
}

/// Every process of the machine, with its parent.
fn processes() -> Vec<(u32, u32)> {
    let entries = fs::read_dir("/proc").expect("this is Linux").flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    numbers.filter_map(|number| Some((number, parent(number)?))).collect()
}

fn parent(process: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name in brackets may hold blanks; the state follows, and then the parent.
    stat.rsplit(')').next()?.split_whitespace().nth(1)?.parse().ok()
}
