//! Alerts: what is wrong is told, once when it begins, once when it ends, and now and then in between.
//!
//! In: the store, the metrics and a clock, looked at again and again. Out: a POST to `[alerts] url` for each
//! change, a GET to `heartbeat_url` while all is well, a metric and a log line. It runs on a thread of its own:
//! a receiver that fails delays nothing but itself. Tests call [`Watcher::step`].

mod conditions;
mod delivery;
mod quota;
mod rhythm;
mod standing;
mod teller;
mod worker;

pub use conditions::Alert;
pub use worker::Watching;

use crate::clock::Clock;
use crate::config::target::Mode;
use crate::config::{Alerts, Channel, Config, Live, Quota, Target};
use crate::outbox::watch::Health;
use crate::store::{Store, StoreError, Unlisted};
use crate::telemetry::metrics::Metrics;
use conditions::{Finding, Observed, judge};
use delivery::{AtTarget, Writes};
use jiff::Timestamp;
use rhythm::Rhythm;
use standing::Standing;
use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use teller::{Notice, State, Teller};

/// Unproven requests are counted over this time.
const UNPROVEN_WITHIN: Duration = Duration::from_secs(300);
/// Refusals in open windows are counted over this time.
const REFUSED_WITHIN: Duration = Duration::from_secs(24 * 3600);

/// Attempts to write to CRMs are judged over this time.
const WRITTEN_WITHIN: Duration = Duration::from_secs(900);

/// Whether an account id is of a channel that is in use and does not list it.
fn is_unknown(number: &Unlisted, channels: &[Channel]) -> bool {
    let channel = channels.iter().find(|channel| channel.name == number.channel && !channel.retired);
    let unlisted = |channel: &Channel| {
        let is_the_only_one = channel.business_number.as_ref().is_some_and(|it| it.e164() == number.number);
        !is_the_only_one && !channel.business_numbers.contains_key(&number.account_id)
    };
    channel.is_some_and(unlisted)
}

/// What is watched.
pub struct Sources {
    /// The store.
    pub store: Arc<dyn Store>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The folder of the store, whose disk is watched.
    pub folder: PathBuf,
    /// What is watched, and who is told, as configured now.
    pub config: Arc<Live<Watched>>,
}

/// What is watched, and who is told.
#[derive(Debug, Clone)]
pub struct Watched {
    /// The channels.
    pub channels: Vec<Channel>,
    /// The targets.
    pub targets: Vec<Target>,
    /// Who is told, and from when on.
    pub alerts: Alerts,
    /// From what share of a CRM's limits on something follows.
    pub quota: Quota,
}

impl From<&Config> for Watched {
    fn from(Config { channels, targets, alerts, quota, .. }: &Config) -> Watched {
        let (channels, targets, alerts) = (channels.clone(), targets.clone(), alerts.clone());
        Watched { channels, targets, alerts, quota: *quota }
    }
}

/// By how much a count rose lately.
struct Rise(VecDeque<(Duration, u64)>);

impl Rise {
    fn from(at: Duration, total: u64) -> Rise {
        Rise([(at, total)].into())
    }

    /// Notes the count, and says by how much it rose within a time.
    fn within(&mut self, time: Duration, at: Duration, total: u64) -> u64 {
        // The newest count that is old enough stays: it is what was before that time. Equal counts are one.
        while self.0.get(1).is_some_and(|(then, _)| at.saturating_sub(*then) >= time) {
            self.0.pop_front();
        }
        let before = self.0.front().map_or(0, |(_, before)| *before);
        match self.0.back_mut() {
            Some((then, last)) if *last == total && total == before => *then = at,
            _ => self.0.push_back((at, total)),
        }
        total.saturating_sub(before)
    }
}

/// Watches, step by step.
pub struct Watcher {
    sources: Sources,
    rhythm: Rhythm,
    /// Unproven requests, by provider.
    unproven: BTreeMap<&'static str, Rise>,
    /// Refusals in open windows. Those before the start are history.
    refused: Option<Rise>,
    /// Attempts to write that ended well, and those that did not, by CRM.
    written: BTreeMap<&'static str, (Rise, Rise)>,
    /// Targets that do not answer, and since when.
    gone: BTreeMap<String, Timestamp>,
    firing: BTreeMap<Key, Firing>,
    untold: BTreeMap<Key, Notice>,
    teller: Teller,
    standing: Standing,
    beaten_at: Option<Duration>,
}

/// An alert, and whose it is.
type Key = (Alert, String);

struct Firing {
    finding: Finding,
    noticed_at: Duration,
}

impl Watcher {
    /// A watcher that has seen nothing yet.
    #[must_use]
    pub fn new(sources: Sources) -> Watcher {
        Watcher {
            sources,
            rhythm: Rhythm::default(),
            unproven: BTreeMap::new(),
            refused: None,
            written: BTreeMap::new(),
            gone: BTreeMap::new(),
            firing: BTreeMap::new(),
            untold: BTreeMap::new(),
            teller: Teller::default(),
            standing: Standing::default(),
            beaten_at: None,
        }
    }

    /// Looks once, and tells what is new.
    pub async fn step(&mut self) {
        let config = self.sources.config.get();
        let limits = &config.alerts;
        self.ask_for_turn(limits.every);
        let looked = self.observe(&config).and_then(|seen| {
            self.compare(&seen, limits);
            self.share(limits.repeat_every)
        });
        if let Err(error) = looked {
            // What was wrong before is taken to be so still.
            tracing::error!(kind = error.kind.as_str(), "the alerts wait for the store");
        }
        self.tell(limits).await;
        self.beat(limits).await;
    }

    fn observe(&mut self, config: &Watched) -> Result<Observed, StoreError> {
        let (now, channels) = (self.sources.clock.now(), &config.channels);
        let targets = config.targets.iter().map(|target| self.at_target(target, now));
        let targets = targets.collect::<Result<_, StoreError>>()?;
        let (unproven, refused_while_open) = (self.unproven_lately(), self.refused_lately()?);
        let writes = self.written_lately();
        let Sources { store, folder, .. } = &self.sources;
        self.rhythm.listen(&**store, now)?;
        // A retired channel is meant to fall silent.
        let in_use = channels.iter().filter(|channel| !channel.retired);
        let quiet = in_use.filter_map(|channel| self.rhythm.quiet(&channel.name, now)).collect();
        let mut unknown = store.unlisted_numbers()?;
        unknown.retain(|number| is_unknown(number, channels));
        Ok(Observed {
            now,
            unproven,
            quarantined: store.quarantined()?,
            parked: store.parked()?,
            quiet,
            unknown,
            refused_while_open,
            free: rustix::fs::statvfs(folder).ok().map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize)),
            backlog: store.backlog()?,
            depth: store.depth()?,
            targets,
            writes,
            quota: config.quota,
        })
    }

    fn at_target(&mut self, target: &Target, now: Timestamp) -> Result<AtTarget, StoreError> {
        let Sources { store, metrics, .. } = &self.sources;
        let row = store.target(&target.name)?;
        let schema = row.schema.and_then(|(schema, _)| serde_json::from_value(schema).ok());
        let faults = schema.map(|schema| Health::of(target, &schema).faults).unwrap_or_default();
        if metrics.may_be_called(&target.name) {
            self.gone.remove(&target.name);
        } else {
            self.gone.entry(target.name.clone()).or_insert(now);
        }
        Ok(AtTarget {
            name: target.name.clone(),
            is_live: target.mode == Mode::Live,
            paused: row.paused,
            faults,
            gone_since: self.gone.get(&target.name).copied(),
            login: match target.auth.login() {
                Some(_) => Some(store.login(&target.name)?),
                None => None,
            },
            quota: metrics.quota_of(&target.name),
        })
    }

    /// How many requests of each provider were not proven within the last minutes.
    fn unproven_lately(&mut self) -> Vec<(&'static str, u64)> {
        let Sources { clock, metrics, .. } = &self.sources;
        let at = clock.elapsed();
        let all = metrics.unproven_by_provider().into_iter();
        let lately = |(provider, total)| {
            let rise = self.unproven.entry(provider).or_insert_with(|| Rise::from(at, 0));
            (provider, rise.within(UNPROVEN_WITHIN, at, total))
        };
        all.map(lately).collect()
    }

    /// How the attempts of the last minutes to write to each CRM ended.
    fn written_lately(&mut self) -> Vec<Writes> {
        let Sources { clock, metrics, .. } = &self.sources;
        let at = clock.elapsed();
        let lately = |(crm, well, ill)| {
            let start = || (Rise::from(at, 0), Rise::from(at, 0));
            let (wells, ills) = self.written.entry(crm).or_insert_with(start);
            let within = |rise: &mut Rise, total| rise.within(WRITTEN_WITHIN, at, total);
            Writes { crm, well: within(wells, well), ill: within(ills, ill) }
        };
        metrics.attempts_by_crm().into_iter().map(lately).collect()
    }

    /// How often free text was refused within the last day in a window that was open.
    fn refused_lately(&mut self) -> Result<u64, StoreError> {
        let Sources { clock, store, .. } = &self.sources;
        let (at, total) = (clock.elapsed(), store.broken_promises()?);
        let rise = self.refused.get_or_insert_with(|| Rise::from(at, total));
        Ok(rise.within(REFUSED_WITHIN, at, total))
    }

    /// Compares what is wrong with what was.
    fn compare(&mut self, seen: &Observed, limits: &Alerts) {
        let elapsed = self.sources.clock.elapsed();
        let mut before = std::mem::take(&mut self.firing);
        for mut finding in judge(seen, limits) {
            let key = (finding.alert, finding.subject.clone());
            let noticed_at = match before.remove(&key) {
                Some(known) => {
                    finding.since = known.finding.since.min(finding.since);
                    let again = elapsed.saturating_sub(known.noticed_at) >= limits.repeat_every;
                    if again { None } else { Some(known.noticed_at) }
                }
                None => {
                    let (alert, text, next) = (finding.alert.as_str(), &finding.text, &finding.next);
                    tracing::warn!(alert, text, lost = finding.lost, next, "something is wrong");
                    None
                }
            };
            if noticed_at.is_none() {
                self.untold.insert(key.clone(), Notice::of(&finding, State::Firing));
            }
            self.firing.insert(key, Firing { finding, noticed_at: noticed_at.unwrap_or(elapsed) });
        }
        for (key, Firing { finding, .. }) in before {
            tracing::info!(alert = key.0.as_str(), "is well again");
            self.untold.insert(key, Notice::of(&finding, State::Resolved));
        }
        for alert in Alert::ALL {
            let firing = self.firing.keys().filter(|(firing, _)| *firing == alert).count();
            self.sources.metrics.alerts_firing(alert.as_str(), firing);
        }
    }

    /// Tells what is untold and this process's to tell, in order, until the receiver fails; the rest is told at the
    /// next step.
    async fn tell(&mut self, limits: &Alerts) {
        let Some(url) = &limits.url else { return self.untold.clear() };
        let standing = self.standing;
        let ours = |((alert, _), _): &(&Key, &Notice)| standing.tells(*alert);
        while let Some((key, notice)) = self.untold.iter().find(ours) {
            if let Err(reason) = self.teller.post(url, notice).await {
                let waiting = self.untold.len();
                tracing::warn!(
                    reason,
                    waiting,
                    "alerts could not be sent to the url in [alerts]; trying again"
                );
                return;
            }
            let key = key.clone();
            if let Err(error) = self.keep(&key, notice) {
                tracing::error!(kind = error.kind.as_str(), "what was told is told again");
                return;
            }
            self.untold.remove(&key);
        }
    }

    /// Asks for the heartbeat's URL, while the store takes writes. It beats for all who share the store.
    async fn beat(&mut self, limits: &Alerts) {
        let Some(url) = limits.heartbeat_url.as_ref().filter(|_| self.standing != Standing::Theirs) else {
            return;
        };
        let elapsed = self.sources.clock.elapsed();
        if self.beaten_at.is_some_and(|at| elapsed.saturating_sub(at) < limits.heartbeat_every) {
            return;
        }
        if self.sources.store.probe().is_err() {
            return;
        }
        match self.teller.get(url).await {
            Ok(()) => self.beaten_at = Some(elapsed),
            Err(reason) => {
                tracing::warn!(reason, "the heartbeat_url in [alerts] does not answer; trying again");
            }
        }
    }
}
