//! `[alerts]`: who is told when something is wrong, and from when on it is.

use super::document::{Found, Table};
use secrecy::SecretString;
use std::time::Duration;
use url::Url;

/// Who is told when something is wrong, and from when on it is.
#[derive(Debug, Clone)]
pub struct Alerts {
    /// Where alerts are posted. Never shown: such URLs often hold a token.
    pub url: Option<SecretString>,
    /// What is asked for while all is well, so that its owner notices when it is not.
    pub heartbeat_url: Option<SecretString>,
    /// How often is looked.
    pub every: Duration,
    /// How often the heartbeat is sent.
    pub heartbeat_every: Duration,
    /// How often an alert that goes on is told again.
    pub repeat_every: Duration,
    /// This many unproven requests of a provider within five minutes are too many.
    pub signature_failures: u64,
    /// Projection may be this far behind.
    pub projection_lag: Duration,
    /// This much of the store's disk must be free, in bytes.
    pub disk_reserve: u64,
    /// What can wait may wait this long to be written to a CRM. Longer than the refresh of open windows.
    pub undelivered: Duration,
    /// Of a hundred attempts to write to a CRM, so many must end well; 0: any number.
    pub write_success_percent: u64,
}

impl Default for Alerts {
    fn default() -> Alerts {
        Alerts {
            url: None,
            heartbeat_url: None,
            every: Duration::from_secs(30),
            heartbeat_every: Duration::from_secs(60),
            repeat_every: Duration::from_secs(6 * 3600),
            signature_failures: 10,
            projection_lag: Duration::from_secs(60),
            disk_reserve: 1024 * 1024 * 1024,
            undelivered: Duration::from_secs(4 * 3600),
            write_success_percent: 80,
        }
    }
}

impl Alerts {
    pub(super) fn read(mut table: Table<'_, '_>) -> Alerts {
        let default = Alerts::default();
        let mut seconds = |key, bounds, default| {
            table.integer(key, bounds).map_or(default, |seconds| Duration::from_secs(seconds.into()))
        };
        let every = seconds("every_seconds", 5..=3600, default.every);
        let heartbeat_every = seconds("heartbeat_seconds", 5..=86_400, default.heartbeat_every);
        let projection_lag = seconds("projection_lag_seconds", 5..=86_400, default.projection_lag);
        let mut hours = |key, default| {
            table.integer(key, 1..=168).map_or(default, |hours| Duration::from_secs(3600 * u64::from(hours)))
        };
        let repeat_every = hours("repeat_hours", default.repeat_every);
        let undelivered = hours("undelivered_hours", default.undelivered);
        let success = table.integer("write_success_percent", 0..=100);
        let failures = table.integer("signature_failures", 1..=1_000_000);
        let reserve = table.integer("disk_reserve_mib", 0..=u32::MAX);
        let alerts = Alerts {
            url: url(&mut table, "url"),
            heartbeat_url: url(&mut table, "heartbeat_url"),
            every,
            heartbeat_every,
            repeat_every,
            signature_failures: failures.map_or(default.signature_failures, u64::from),
            projection_lag,
            disk_reserve: reserve.map_or(default.disk_reserve, |mib| u64::from(mib) * 1024 * 1024),
            undelivered,
            write_success_percent: success.map_or(default.write_success_percent, u64::from),
        };
        table.finish(&[]);
        alerts
    }
}

/// A URL that is never repeated in an error: it may hold a token.
fn url(table: &mut Table<'_, '_>, key: &'static str) -> Option<SecretString> {
    let Found { value, at } = table.string(key)?;
    let known = Url::parse(value).is_ok_and(|url| matches!(url.scheme(), "https" | "http") && url.has_host());
    if !known {
        let message =
            format!("'{key}' in [alerts] is not a URL; write it as \"https://alerts.example.in/...\"");
        table.problem_at(at, message);
    }
    known.then(|| value.into())
}
