//! Much of what a CRM allows an account is used: told at each share from which something follows, with the hour at
//! which nothing is left.

use super::conditions::{Alert, Finding, Observed};
use super::delivery::AtTarget;
use crate::outbox::budget::Seen;
use jiff::Timestamp;

/// Each share that is reached is an alert of its own, so that each is told when it begins and when it ends.
pub(super) fn findings(target: &AtTarget, seen: &Observed) -> Vec<Finding> {
    let quota = seen.quota;
    let stages = [
        ("told", quota.alert_percent, "nothing yet: everything is written"),
        (
            "bulk",
            quota.bulk_percent,
            "nothing: what is new is written, what can wait does until less is used (transcripts, counters)",
        ),
        (
            "urgent",
            quota.urgent_percent,
            "nothing: who came by an ad, is qualified or asked for a demo is written; all else waits until less is used",
        ),
    ];
    let finding = |limit: &Seen, (stage, percent, lost): (&str, u64, &'static str)| {
        limit.has_reached(percent).then(|| Finding {
            alert: Alert::Quota,
            subject: format!("{} {} {stage}", target.name, limit.limit.name),
            since: seen.now,
            text: text(&target.name, limit, seen.now),
            lost,
            next: format!(
                "wabridge forecast --target {} --leads 400/h; what else uses the account, the CRM's own screen shows",
                target.name
            ),
        })
    };
    target.quota.iter().flat_map(|limit| stages.map(|stage| finding(limit, stage))).flatten().collect()
}

fn text(target: &str, seen: &Seen, now: Timestamp) -> String {
    let Seen { limit, used, size, runs_out } = seen;
    let percent = used.saturating_mul(100) / (*size).max(1);
    let outlook = match runs_out {
        Some(at) if *at <= now => "nothing is left".to_owned(),
        Some(at) => format!("at the rate of the last hour nothing is left from {} on", minute(*at)),
        None => "at the rate of the last hour it suffices".to_owned(),
    };
    let (name, unit, hours) = (limit.name, limit.unit, limit.window.as_secs() / 3600);
    format!("'{target}': {used} of {size} {unit} ({name}, {hours} h) are used, {percent} %; {outlook}")
}

fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}
