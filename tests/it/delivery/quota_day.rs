//! A day of leads that is too much for an account: never more than it allows, told in time, and no new lead waits.
//!
//! A tenth of a day of 10,000 leads, at a tenth of its limits, unless `WABRIDGE_DAY` says how many leads: 10,000 take
//! the better part of an hour in a debug build. Leads come one by one, so that none shares a call with another. HubSpot's own limit of
//! a day is far away; Zoho's is near: 52,000 credits are what a small account has.

use super::quota::{refused, seen};
use super::world::{At, World, at_each_crm, by_number};
use jiff::SignedDuration;
use serde_json::json;
use std::io::Write;

at_each_crm!(a_day_of_leads_keeps_to_the_limit_and_no_new_lead_waits);

/// For who runs it with `--no-capture`.
fn tell(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn leads() -> u32 {
    std::env::var("WABRIDGE_DAY").ok().and_then(|leads| leads.parse().ok()).unwrap_or(1_000)
}

/// How a day went.
#[derive(Debug, Default)]
struct Day {
    /// The highest used share, in percent.
    peak: u64,
    /// At which lead it was told, and at which what can wait was not begun any more.
    told: Option<u32>,
    stopped: Option<u32>,
    /// The longest that a new lead waited.
    slowest: SignedDuration,
}

impl Day {
    /// A new lead, every third from an ad; every fourth time an earlier one goes on writing as well.
    fn lead(&mut self, world: &mut World, target: &str, n: u32, gap: SignedDuration) {
        let began = world.now();
        match n % 3 {
            0 => world.says_from_ad(by_number(n), &format!("new {n}")),
            _ => world.says(by_number(n), &format!("new {n}")),
        }
        world.run();
        while waits(world, target, "urgent") + waits(world, target, "first") > 0 {
            world.run_for(SignedDuration::from_secs(1));
            self.slowest = self.slowest.max(world.now().duration_since(began));
            assert!(self.slowest < SignedDuration::from_mins(1), "lead {n} waits: {self:?}");
        }
        if n >= 20 && n.is_multiple_of(4) {
            world.says(by_number(n - 20), &format!("again {n}"));
        }
        world.run_for(gap.saturating_sub(world.now().duration_since(began)));
        let seen = seen(world, target);
        self.peak = self.peak.max(seen.used * 100 / seen.size);
        let since = |percent| seen.has_reached(percent).then_some(n);
        self.told = self.told.or_else(|| since(70));
        self.stopped = self.stopped.or_else(|| since(85));
    }
}

/// How many jobs wait.
fn waits(world: &World, target: &str, priority: &str) -> u64 {
    let depth = world.store.depth().unwrap();
    let key = (target.to_owned(), "pending".to_owned(), priority.to_owned());
    depth.jobs.get(&key).map_or(0, |(count, _)| *count)
}

fn a_day_of_leads_keeps_to_the_limit_and_no_new_lead_waits(at: &At) {
    let (leads, limit) = (leads(), if at.name == "zoho" { "credits" } else { "daily" });
    let size = leads * 26 / 5;
    let mut world = World::of(&format!("{}[target.quota]\n{limit} = {size}\n", at.target));
    let crm = world.only();
    crm.set(&json!({"quota": {"limit": size}}));
    let gap = SignedDuration::from_millis(24 * 3_600_000 / i64::from(leads));
    let mut day = Day::default();
    for n in 0..leads {
        day.lead(&mut world, at.name, n, gap);
    }
    let waiting = waits(&world, at.name, "bulk");
    tell(&format!("{}: {leads} leads of {size}: {day:?}, {waiting} can wait and do", at.name));
    assert_eq!(refused(&crm), 0, "never more than there is");
    assert_eq!(crm.ledger("persons").len(), leads as usize);
    let (told, stopped) = (day.told.expect("it is told"), day.stopped.expect("what can wait stops"));
    assert!(told < stopped && (85..95).contains(&day.peak), "{day:?}");
    assert!(waiting > 0, "what can wait does");

    world.run_for(SignedDuration::from_hours(26));
    assert_eq!(refused(&crm), 0);
    world.assert_drained();
}
