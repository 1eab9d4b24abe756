//! What is wrong on the way to CRMs, from what was observed: pure, one function per condition.

use super::conditions::{Alert, Finding, Observed, span};
use super::quota;
use crate::config::Alerts;
use crate::delivery::depth::by_target;
use crate::outbox::budget::Seen;
use crate::store::login::LoginRow;
use crate::store::outbox::Depth;
use jiff::{SignedDuration, Timestamp};
use wabridge_crms::schema::{Fault, Holds};

/// Something urgent may wait this long.
const URGENT: SignedDuration = SignedDuration::from_mins(5);
/// A CRM may be gone this long.
const GONE: SignedDuration = SignedDuration::from_mins(15);

/// With fewer attempts than this a share says nothing.
const FEW: u64 = 20;

/// How the attempts at a CRM ended lately.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Writes {
    pub(super) crm: &'static str,
    /// Written, or found to need no writing.
    pub(super) well: u64,
    /// To be tried again, in doubt, or refused for good.
    pub(super) ill: u64,
}

/// A target, as it is seen now.
#[derive(Debug, Default)]
pub(super) struct AtTarget {
    pub(super) name: String,
    /// Whether the configuration has it written to.
    pub(super) is_live: bool,
    /// Why nothing is written to it, by hand or since its token was refused.
    pub(super) paused: Option<String>,
    /// In what its schema falls short, as last read.
    pub(super) faults: Vec<Fault>,
    /// Since when it does not answer.
    pub(super) gone_since: Option<Timestamp>,
    /// Its login, where it has one instead of a token.
    pub(super) login: Option<Option<LoginRow>>,
    /// What is used of its account's limits.
    pub(super) quota: Vec<Seen>,
}

impl AtTarget {
    fn proof(&self) -> &'static str {
        if self.login.is_some() { "login" } else { "token" }
    }

    fn is_written(&self) -> bool {
        self.is_live && self.paused.is_none()
    }
}

/// Everything that is wrong.
pub(super) fn judge(seen: &Observed, limits: &Alerts) -> Vec<Finding> {
    let mut findings = dead_letters(&seen.depth, seen.now);
    findings.extend(seen.targets.iter().filter_map(|target| urgent_undelivered(target, seen)));
    findings.extend(seen.targets.iter().filter_map(|target| undelivered(target, seen, limits)));
    findings.extend(seen.writes.iter().filter_map(|writes| write_failures(*writes, seen.now, limits)));
    findings.extend(seen.targets.iter().filter_map(|target| target_paused(target, seen.now)));
    findings.extend(seen.targets.iter().filter_map(|target| login_expiring(target, seen.now)));
    for target in &seen.targets {
        findings.extend(target.faults.iter().map(|fault| schema_fault(target, fault, seen.now)));
    }
    findings.extend(seen.targets.iter().filter_map(|target| breaker_open(target, seen.now)));
    findings.extend(seen.targets.iter().flat_map(|target| quota::findings(target, seen)));
    findings
}

/// By cause: another cause is news.
fn dead_letters(depth: &Depth, now: Timestamp) -> Vec<Finding> {
    let dead = depth.dead.iter().filter(|(_, count)| **count > 0);
    dead.map(|((target, cause), count)| Finding {
        alert: Alert::DeadLetters,
        subject: format!("{target} {cause}"),
        since: now,
        text: format!("{count} jobs to '{target}' are dead: {cause}"),
        lost: "nothing yet: what they say is kept, and missing from the CRM until they are retried",
        next: format!("wabridge jobs list --state dead --target {target}"),
    })
    .collect()
}

fn urgent_undelivered(target: &AtTarget, seen: &Observed) -> Option<Finding> {
    let name = &target.name;
    let oldest = by_target(&seen.depth).get(name)?.oldest_urgent.filter(|_| target.is_written())?;
    let waits = seen.now.duration_since(oldest);
    (waits > URGENT).then(|| Finding {
        alert: Alert::UrgentUndelivered,
        subject: name.clone(),
        since: oldest,
        text: format!("something urgent has waited {} to be written to '{name}'", span(waits)),
        lost: "nothing: it is written once the CRM takes it; until then reps do not see it there",
        next: format!("wabridge target list; wabridge jobs list --target {name}"),
    })
}

/// What an operator holds or pauses is no news to them.
fn undelivered(target: &AtTarget, seen: &Observed, limits: &Alerts) -> Option<Finding> {
    let name = &target.name;
    let oldest = by_target(&seen.depth).get(name)?.oldest_unheld.filter(|_| target.is_written())?;
    let waits = seen.now.duration_since(oldest);
    let allowed = SignedDuration::try_from(limits.undelivered).unwrap_or(SignedDuration::MAX);
    (waits > allowed).then(|| Finding {
        alert: Alert::Undelivered,
        subject: name.clone(),
        since: oldest,
        text: format!("something has waited {} to be written to '{name}'", span(waits)),
        lost: "nothing: it is written once the CRM takes it; until then the CRM shows what was true before",
        next: format!("wabridge target list; wabridge jobs list --target {name} --state pending"),
    })
}

fn write_failures(writes: Writes, now: Timestamp, limits: &Alerts) -> Option<Finding> {
    let Writes { crm, well, ill } = writes;
    let all = well + ill;
    (all >= FEW && well * 100 < limits.write_success_percent * all).then(|| Finding {
        alert: Alert::WriteFailures,
        subject: crm.to_owned(),
        since: now,
        text: format!("{ill} of {all} attempts to write to {crm} within 15 minutes did not succeed"),
        lost: "nothing: what can be tried again is; what is refused for good is told as dead letters",
        next: "wabridge jobs list --state pending; its causes say why".to_owned(),
    })
}

fn target_paused(target: &AtTarget, now: Timestamp) -> Option<Finding> {
    let name = &target.name;
    // What an operator paused, they know of.
    target.paused.as_deref().filter(|cause| cause.starts_with("auth")).map(|_| Finding {
        alert: Alert::TargetPaused,
        subject: name.clone(),
        since: now,
        text: format!("the CRM of '{name}' does not accept the {}; nothing is written to it", target.proof()),
        lost: "nothing: everything waits, and is written once it is accepted",
        next: match target.login {
            None => {
                format!("correct the token, then: wabridge check --online && wabridge target resume {name}")
            }
            Some(_) => format!("wabridge login {name}"),
        },
    })
}

/// One that is refused is told at once; one that cannot be renewed, when its token has expired.
fn login_expiring(target: &AtTarget, now: Timestamp) -> Option<Finding> {
    let name = &target.name;
    let row = target.login.as_ref()?.as_ref()?;
    let expired = row.expires_at.is_some_and(|at| at <= now);
    let (why, next) = match &row.fault {
        Some(fault) => (format!("the CRM grants no token ({fault})"), format!("wabridge login {name}")),
        None if expired && row.wait_until.is_some() => {
            ("the CRM's accounts host does not answer".to_owned(), "wabridge check --online".to_owned())
        }
        None => return None,
    };
    let end = if expired { "its token has expired" } else { "its token expires soon" };
    Some(Finding {
        alert: Alert::LoginExpiring,
        subject: name.clone(),
        since: row.renew_at.unwrap_or(row.changed_at),
        text: format!("the login of '{name}' is not renewed, and {end}: {why}"),
        lost: "nothing: everything waits, and is written once there is a token",
        next,
    })
}

fn schema_fault(target: &AtTarget, fault: &Fault, now: Timestamp) -> Finding {
    let name = &target.name;
    Finding {
        alert: Alert::SchemaFault,
        subject: format!("{name} {} {}", fault.object, fault.name),
        since: now,
        text: format!("'{name}': {}", fault.text),
        lost: match fault.holds {
            Holds::Nothing => "nothing: the field alone is left out, and written once it is mended",
            Holds::Person => "nothing: people wait, and are written once it is mended",
            Holds::Deals => "nothing: deals wait, and are written once it is mended",
        },
        next: format!("{}; then: wabridge check --online", fault.advice),
    }
}

fn breaker_open(target: &AtTarget, now: Timestamp) -> Option<Finding> {
    let name = &target.name;
    let since = target.gone_since?;
    let gone = now.duration_since(since);
    (gone > GONE).then(|| Finding {
        alert: Alert::BreakerOpen,
        subject: name.clone(),
        since,
        text: format!("the CRM of '{name}' has not answered for {}", span(gone)),
        lost: "nothing: everything waits, and is written once it answers",
        next: "the CRM's status page; then: wabridge check --online".to_owned(),
    })
}
