//! What a target's schema holds up, and what it leaves out.
//!
//! In: schemas as they are read, and what a target needs. Out: [`Health`], and what changed since the schema
//! before: new faults and mended ones, by name, with the way out.

use crate::config::Target;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use wabridge_crms::Schema;
use wabridge_crms::schema::{Fault, Holds};

/// How the cause of everything begins that the schema holds up.
pub const DRIFT: &str = "drift";
/// A schema is read again after this time.
const EVERY: Duration = Duration::from_secs(3600);
/// After a reading that failed.
const AGAIN: Duration = Duration::from_secs(60);
/// Drift failures of many leads make one reading.
const AT_MOST: Duration = Duration::from_secs(10);

/// What a schema means for a target.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Health {
    /// Why no person can be written, where that is so.
    pub person: Option<String>,
    /// Why no deal can be written, where that is so.
    pub deals: Option<String>,
    /// Fields that are left out, and why.
    pub missing: BTreeMap<String, String>,
    /// Everything that is not as it must be.
    pub faults: Vec<Fault>,
}

impl Health {
    /// What this schema means for this target.
    #[must_use]
    pub fn of(target: &Target, schema: &Schema) -> Health {
        let faults = target.faults(schema);
        let held = |holds| {
            let first = faults.iter().find(|fault| fault.holds == holds)?;
            Some(format!("{DRIFT}: {} {} {}", first.object, first.name, first.problem.as_str()))
        };
        let (person, deals) = (held(Holds::Person), held(Holds::Deals));
        let left = |fault: &&Fault| fault.holds == Holds::Nothing && fault.object == target.person;
        let why =
            |fault: &Fault| (fault.name.clone(), format!("the CRM's field: {}", fault.problem.as_str()));
        let missing = faults.iter().filter(left).map(why).collect();
        Health { person, deals, missing, faults }
    }
}

/// A schema, and what it means.
#[derive(Debug)]
pub struct Known {
    /// The schema.
    pub schema: Schema,
    /// What it means.
    pub health: Health,
}

/// What is different since the schema or the configuration before.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Change {
    /// Whether what is held should be tried again.
    pub release: bool,
    /// Fields that were left out and need not be any more.
    pub back: Vec<String>,
    /// New faults.
    pub new: Vec<Fault>,
    /// Faults that are gone.
    pub mended: Vec<Fault>,
}

/// The schema of one target.
#[derive(Debug, Default)]
pub struct Watch {
    known: Option<Arc<Known>>,
    /// Whether it was read since the start, and not only remembered.
    read: bool,
    asked_at: Option<Duration>,
    due: Duration,
}

impl Watch {
    /// What is known.
    #[must_use]
    pub fn known(&self) -> Option<Arc<Known>> {
        self.known.clone()
    }

    /// Whether it is time to read the schema.
    #[must_use]
    pub fn is_due(&self, now: Duration) -> bool {
        now >= self.due
    }

    /// When it is time.
    #[must_use]
    pub fn due(&self) -> Duration {
        self.due
    }

    /// Whether a drift failure is worth a reading: the last one is not of just now.
    #[must_use]
    pub fn may_ask(&self, now: Duration) -> bool {
        self.asked_at.is_none_or(|at| now.saturating_sub(at) >= AT_MOST)
    }

    /// A drift that came too soon after the last reading: reads again as soon as it may. How long that is.
    pub fn hurry(&mut self, now: Duration) -> Duration {
        let at = self.asked_at.map_or(now, |asked| asked + AT_MOST);
        self.due = self.due.min(at);
        at.saturating_sub(now)
    }

    /// Takes what was remembered from before the start.
    pub fn remember(&mut self, target: &Target, schema: Schema) {
        let health = Health::of(target, &schema);
        self.known = Some(Arc::new(Known { schema, health }));
    }

    /// Takes a schema that was just read.
    pub fn read(&mut self, target: &Target, schema: Schema, now: Duration) -> Change {
        (self.asked_at, self.due) = (Some(now), now + EVERY);
        let first = !std::mem::replace(&mut self.read, true);
        let changed = self.known.as_ref().is_none_or(|known| known.schema != schema);
        let change = self.put(target, schema);
        Change { release: first || changed, ..change }
    }

    /// The schema could not be read.
    pub fn failed(&mut self, now: Duration) {
        (self.asked_at, self.due) = (Some(now), now + AGAIN);
    }

    /// The target's configuration is another one.
    pub fn configured(&mut self, target: &Target) -> Change {
        let Some(known) = self.known.clone() else { return Change::default() };
        Change { release: true, ..self.put(target, known.schema.clone()) }
    }

    fn put(&mut self, target: &Target, schema: Schema) -> Change {
        let before = self.known.take().map(|known| known.health.clone()).unwrap_or_default();
        let health = Health::of(target, &schema);
        let not_in = |faults: &[Fault], others: &[Fault]| {
            faults.iter().filter(|fault| !others.contains(fault)).cloned().collect::<Vec<Fault>>()
        };
        let back = before.missing.keys().filter(|field| !health.missing.contains_key(*field)).cloned();
        let change = Change {
            release: false,
            back: back.collect(),
            new: not_in(&health.faults, &before.faults),
            mended: not_in(&before.faults, &health.faults),
        };
        self.known = Some(Arc::new(Known { schema, health }));
        change
    }
}
