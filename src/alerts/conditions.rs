//! What is wrong, from what was observed: pure, one function per condition.
//!
//! Each finding says what, since when, what is lost, and the next command. Its texts hold no phone and no name.

use super::delivery::{self, AtTarget, Writes};
use super::rhythm::Quiet;
use crate::config::{Alerts, Quota};
use crate::store::outbox::Depth;
use crate::store::{Backlog, Held, Unlisted};
use jiff::{SignedDuration, Timestamp};

/// What can be wrong. The order is that of telling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Alert {
    /// Many requests of a provider are not proven.
    SignatureFailures,
    /// Something could not be understood.
    Quarantined,
    /// Something came with the right path token and a wrong signature.
    Parked,
    /// A channel is silent for longer than is usual.
    QuietChannel,
    /// Messages arrive on a business number that is not in the configuration.
    UnknownNumber,
    /// A provider refused free text in a window that was open by the evidence.
    RefusedWhileOpen,
    /// Little is left of the store's disk.
    DiskReserve,
    /// Projection is far behind the acknowledgements.
    ProjectionLag,
    /// A CRM refused something for good.
    DeadLetters,
    /// Something urgent is not delivered.
    UrgentUndelivered,
    /// Something that nothing holds is not delivered for hours.
    Undelivered,
    /// Many attempts to write to a CRM end ill.
    WriteFailures,
    /// A CRM does not accept the token.
    TargetPaused,
    /// A login is not renewed.
    LoginExpiring,
    /// A CRM lacks something that the configuration needs.
    SchemaFault,
    /// A CRM does not answer.
    BreakerOpen,
    /// Much of what a CRM allows the account is used.
    Quota,
}

impl Alert {
    /// Every alert.
    pub const ALL: [Alert; 17] = [
        Alert::SignatureFailures,
        Alert::Quarantined,
        Alert::Parked,
        Alert::QuietChannel,
        Alert::UnknownNumber,
        Alert::RefusedWhileOpen,
        Alert::DiskReserve,
        Alert::ProjectionLag,
        Alert::DeadLetters,
        Alert::UrgentUndelivered,
        Alert::Undelivered,
        Alert::WriteFailures,
        Alert::TargetPaused,
        Alert::LoginExpiring,
        Alert::SchemaFault,
        Alert::BreakerOpen,
        Alert::Quota,
    ];

    /// Whether it is of this process alone, where several share a store: its disk, what it was sent, how its own calls
    /// fare. Of anything else the store tells all of them the same.
    pub(super) fn is_of_process(self) -> bool {
        matches!(
            self,
            Alert::SignatureFailures
                | Alert::DiskReserve
                | Alert::WriteFailures
                | Alert::BreakerOpen
                | Alert::Quota
        )
    }

    /// The name in messages, metrics and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Alert::SignatureFailures => "signature_failures",
            Alert::Quarantined => "quarantined",
            Alert::Parked => "parked",
            Alert::QuietChannel => "quiet_channel",
            Alert::UnknownNumber => "unknown_number",
            Alert::RefusedWhileOpen => "refused_while_open",
            Alert::DiskReserve => "disk_reserve",
            Alert::ProjectionLag => "projection_lag",
            Alert::DeadLetters => "dead_letters",
            Alert::UrgentUndelivered => "urgent_undelivered",
            Alert::Undelivered => "undelivered",
            Alert::WriteFailures => "write_failures",
            Alert::TargetPaused => "target_paused",
            Alert::LoginExpiring => "login_expiring",
            Alert::SchemaFault => "schema_fault",
            Alert::BreakerOpen => "breaker_open",
            Alert::Quota => "quota",
        }
    }
}

/// Something that is wrong now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) alert: Alert,
    /// Whose it is, where there may be several: a provider, a channel.
    pub(super) subject: String,
    pub(super) since: Timestamp,
    pub(super) text: String,
    pub(super) lost: &'static str,
    pub(super) next: String,
}

/// What there is to judge.
#[derive(Debug)]
pub(super) struct Observed {
    pub(super) now: Timestamp,
    /// Unproven requests of the last five minutes, by provider.
    pub(super) unproven: Vec<(&'static str, u64)>,
    pub(super) quarantined: Option<Held>,
    pub(super) parked: Option<Held>,
    pub(super) quiet: Vec<Quiet>,
    /// Account ids that are not in the configuration.
    pub(super) unknown: Vec<Unlisted>,
    /// Refusals of the last day in windows that were open by the evidence.
    pub(super) refused_while_open: u64,
    /// What is free of the store's disk, in bytes, where it can be said.
    pub(super) free: Option<u64>,
    pub(super) backlog: Backlog,
    /// How deep the outbox is.
    pub(super) depth: Depth,
    /// Each target that is configured.
    pub(super) targets: Vec<AtTarget>,
    /// How the attempts of the last quarter of an hour ended, by CRM.
    pub(super) writes: Vec<Writes>,
    /// From what share of a limit on something follows.
    pub(super) quota: Quota,
}

/// Everything that is wrong.
pub(super) fn judge(seen: &Observed, limits: &Alerts) -> Vec<Finding> {
    let mut findings = signature_failures(seen, limits);
    findings.extend(quarantined(seen));
    findings.extend(parked(seen));
    findings.extend(seen.quiet.iter().map(|quiet| quiet_channel(quiet, seen.now)));
    findings.extend(seen.unknown.iter().map(unknown_number));
    findings.extend(refused_while_open(seen));
    findings.extend(disk_reserve(seen, limits));
    findings.extend(projection_lag(seen, limits));
    findings.extend(delivery::judge(seen, limits));
    findings
}

fn signature_failures(seen: &Observed, limits: &Alerts) -> Vec<Finding> {
    let many = seen.unproven.iter().filter(|(_, count)| *count >= limits.signature_failures);
    many.map(|(provider, count)| Finding {
        alert: Alert::SignatureFailures,
        subject: (*provider).to_owned(),
        since: seen.now,
        text: format!("{count} requests to channels of {provider} were not proven within 5 minutes and were refused"),
        lost: "nothing yet if they were forged; if a secret is wrong, what the provider gives up sending again",
        next: "compare the secrets with those on the provider's screen, then: wabridge check".to_owned(),
    })
    .collect()
}

fn quarantined(seen: &Observed) -> Option<Finding> {
    let Held { count, since } = seen.quarantined?;
    Some(Finding {
        alert: Alert::Quarantined,
        subject: String::new(),
        since,
        text: format!("{count} items could not be understood and are in quarantine"),
        lost: "nothing yet: they are kept, and missing from leads until they are replayed",
        next: "wabridge replay --quarantined --dry-run".to_owned(),
    })
}

fn parked(seen: &Observed) -> Option<Finding> {
    let Held { count, since } = seen.parked?;
    Some(Finding {
        alert: Alert::Parked,
        subject: String::new(),
        since,
        text: format!(
            "{count} requests came with the right path token and a wrong signature, and are parked"
        ),
        lost: "nothing yet: they are kept for 7 days, up to 64 MiB, and verified again by a replay",
        next: "correct the channel's secret, then: wabridge replay --parked --dry-run".to_owned(),
    })
}

fn quiet_channel(quiet: &Quiet, now: Timestamp) -> Finding {
    let Quiet { channel, since, usual } = quiet;
    let (silent, usual) = (span(now.duration_since(*since)), span(*usual));
    Finding {
        alert: Alert::QuietChannel,
        subject: channel.clone(),
        since: *since,
        text: format!("channel '{channel}' has received nothing for {silent}; at this time {usual} is usual"),
        lost: "nothing yet if nobody wrote; if the provider cannot reach this machine, what it gives up sending",
        next: format!("wabridge connect {channel}"),
    }
}

fn unknown_number(Unlisted { channel, account_id, since, .. }: &Unlisted) -> Finding {
    // Its end alone: some providers' ids are phone numbers.
    let account: String = account_id.chars().skip(account_id.chars().count().saturating_sub(4)).collect();
    Finding {
        alert: Alert::UnknownNumber,
        subject: format!("{channel} {account_id}"),
        since: *since,
        text: format!(
            "channel '{channel}' receives messages for an account id that ends in …{account} and is not in its business_numbers"
        ),
        lost: "nothing yet: they are kept under the number that the provider shows",
        next: format!(
            "add the id to business_numbers of channel '{channel}', then: systemctl reload wabridge"
        ),
    }
}

fn refused_while_open(seen: &Observed) -> Option<Finding> {
    let count = seen.refused_while_open;
    (count > 0).then(|| Finding {
        alert: Alert::RefusedWhileOpen,
        subject: String::new(),
        since: seen.now,
        text: format!(
            "WhatsApp refused free text {count} times within a day although the customer had written less than 24 hours before"
        ),
        lost: "these messages did not reach their customers; until they write again no window of theirs is called open",
        next: "if it repeats, raise margin_seconds in [window]; what WhatsApp said shows: wabridge tail".to_owned(),
    })
}

fn disk_reserve(seen: &Observed, limits: &Alerts) -> Option<Finding> {
    let free = seen.free.filter(|free| *free < limits.disk_reserve)?;
    let mib = |bytes: u64| bytes / (1024 * 1024);
    Some(Finding {
        alert: Alert::DiskReserve,
        subject: String::new(),
        since: seen.now,
        text: format!(
            "the store's disk has {} MiB left; {} MiB should be free",
            mib(free),
            mib(limits.disk_reserve)
        ),
        lost: "nothing yet: when the disk is full, requests are answered 503 and providers send them again",
        next: "free or add space; how much is left shows: df -h".to_owned(),
    })
}

fn projection_lag(seen: &Observed, limits: &Alerts) -> Option<Finding> {
    let oldest = seen.backlog.oldest?;
    let behind = seen.now.duration_since(oldest);
    let allowed = SignedDuration::try_from(limits.projection_lag).unwrap_or(SignedDuration::MAX);
    (behind > allowed).then(|| Finding {
        alert: Alert::ProjectionLag,
        subject: String::new(),
        since: oldest,
        text: format!("leads are {} behind: {} stored requests wait", span(behind), seen.backlog.waiting),
        lost: "nothing: every request is kept; until then no window is called open",
        next: "journalctl -u wabridge -p warning".to_owned(),
    })
}

/// A time span as people say it, cut to its largest unit.
pub(super) fn span(time: SignedDuration) -> String {
    match time.as_mins() {
        0 => format!("{} s", time.as_secs()),
        minutes @ 1..120 => format!("{minutes} min"),
        minutes => format!("{} h", minutes / 60),
    }
}
