//! How much waits at each target, and since when.
//!
//! In: the outbox's depth. Out: sums by target for people, alerts and metrics.

use crate::store::outbox::Depth;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// States in which something is still to be written.
const WAITING: [&str; 4] = ["pending", "leased", "doubt", "held"];

/// What waits at one target.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AtTarget {
    /// Jobs by state.
    pub states: BTreeMap<String, u64>,
    /// When the oldest job that still waits was asked for.
    pub oldest: Option<Timestamp>,
    /// The same of what nothing holds.
    pub oldest_unheld: Option<Timestamp>,
    /// The same of what is urgent, and is not held.
    pub oldest_urgent: Option<Timestamp>,
}

/// What waits, by target.
#[must_use]
pub fn by_target(depth: &Depth) -> BTreeMap<String, AtTarget> {
    let mut targets: BTreeMap<String, AtTarget> = BTreeMap::new();
    for ((target, state, priority), (count, oldest)) in &depth.jobs {
        let at = targets.entry(target.clone()).or_default();
        *at.states.entry(state.clone()).or_default() += count;
        if *count == 0 || !WAITING.contains(&state.as_str()) {
            continue;
        }
        at.oldest = earlier(at.oldest, *oldest);
        if state == "held" {
            continue;
        }
        at.oldest_unheld = earlier(at.oldest_unheld, *oldest);
        if priority == "urgent" {
            at.oldest_urgent = earlier(at.oldest_urgent, *oldest);
        }
    }
    targets
}

/// Dead jobs of a target by the kind of their cause, the most first.
#[must_use]
pub fn dead_of(depth: &Depth, target: &str) -> Vec<(String, u64)> {
    let of = depth.dead.iter().filter(|((name, _), count)| name == target && **count > 0);
    let mut causes: Vec<(String, u64)> = of.map(|((_, cause), count)| (cause.clone(), *count)).collect();
    causes.sort_by(|(a, many), (b, more)| more.cmp(many).then_with(|| a.cmp(b)));
    causes
}

fn earlier(known: Option<Timestamp>, at: Timestamp) -> Option<Timestamp> {
    Some(known.map_or(at, |known| known.min(at)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_of_what_waits_and_what_is_held_is_not_urgent() {
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        let row = |state: &str, priority: &str, count, oldest| {
            (("hs".to_owned(), state.to_owned(), priority.to_owned()), (count, at(oldest)))
        };
        let jobs = [
            row("done", "urgent", 5, 1),
            row("dead", "urgent", 1, 2),
            row("held", "urgent", 1, 3),
            row("pending", "bulk", 2, 4),
            row("pending", "urgent", 1, 6),
            row("doubt", "urgent", 1, 5),
        ];
        let depth = Depth { jobs: jobs.into(), ..Depth::default() };
        let hs = &by_target(&depth)["hs"];
        let oldest = (hs.oldest, hs.oldest_unheld, hs.oldest_urgent);
        assert_eq!(oldest, (Some(at(3)), Some(at(4)), Some(at(5))));
        assert_eq!((hs.states["pending"], hs.states["done"]), (3, 5));
    }

    #[test]
    fn dead_jobs_are_told_by_cause_the_most_first() {
        let dead = [("invalid: A", 1), ("invalid: B", 4), ("invalid: C", 1)];
        let dead = dead.map(|(cause, count)| (("hs".to_owned(), cause.to_owned()), count)).into();
        let depth = Depth { dead, ..Depth::default() };
        let causes = dead_of(&depth, "hs");
        let names: Vec<&str> = causes.iter().map(|(cause, _)| cause.as_str()).collect();
        assert_eq!(names, ["invalid: B", "invalid: A", "invalid: C"]);
        assert_eq!(dead_of(&depth, "other"), []);
    }
}
