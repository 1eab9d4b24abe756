//! The courier of one target, step by step.
//!
//! In: the clock, the store, the way to the CRM. Out: settled bundles. A step takes some urgent bundles and then
//! some bulk ones, so that neither waits for the end of the other. It keeps nothing that a crash could lose: what
//! is leased and not settled is in doubt. Tests call [`Courier::step`] with a clock and a way of their own.

mod schema;

use super::Setup;
use super::breaker::{Admit, Breaker, State};
use super::budget::{Full, ration};
use super::dice::Dice;
use super::dossier::{Not, dossier};
use super::enrichments::Enrichments;
use super::errand::{Errand, GivenUp, LEASE, Lease};
use super::meter::{HELD_BACK, LEASE_LOST, Metered};
use super::retry::{Case, Effect, FirstAid, SchemaSays, after, cause, decide};
use super::summaries::Summaries;
use super::watch::{Known, Watch};
use super::work::{GONE, SHADOW, Work, asks, postpone, result_of, spread};
use super::{look, rollout, rule};
use crate::clock::Clock;
use crate::config::Live;
use crate::config::target::Mode;
use crate::store::outbox::{Claim, End, ROLLOUT, TargetRow};
use crate::store::turn::TURN;
use crate::store::{Store, StoreError, Turn};
use crate::telemetry::metrics::Metrics;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use wabridge_model::{Failure, FailureKind, Priority};

/// The most urgent bundles of a step: they share their calls, and the newest should not wait for many.
const URGENT: usize = 20;
/// Leases that ran out are looked for this often, and whether a paused target may go on.
const SWEEP: Duration = Duration::from_secs(60);
/// Where several processes share the store, each asks this often whether it may call the account.
const LOOK: Duration = Duration::from_secs(5);
/// The cause of a pause that a refused token brings.
pub const AUTH: &str = "auth";

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Bundles that were worked on.
    pub bundles: usize,
    /// Nothing is to be done before this time since start, whatever is due.
    pub not_before: Option<Duration>,
}

/// What a lane takes at most.
struct Lot {
    urgent: usize,
    bulk: usize,
    down_to: Priority,
    /// Up to so much of the account's limits.
    percent: u64,
}

/// The courier of one target.
pub struct Courier {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    setup: Arc<Live<Setup>>,
    breaker: Mutex<Breaker>,
    dice: Dice,
    watch: Watch,
    summaries: Summaries,
    enrichments: Enrichments,
    configured: Option<Arc<Setup>>,
    swept_at: Option<Duration>,
    beats: bool,
    /// How little urgent work may be, by the account's limits.
    down_to: Priority,
    /// Calls are too fast: none before that.
    paced: Duration,
    /// What can wait finds no room before that.
    bulk_until: Duration,
    /// It rests for so long at most.
    most: Duration,
}

impl Courier {
    /// A courier that has done nothing yet. `beats` says whether leases are kept by a timer while calls run.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
        setup: Arc<Live<Setup>>,
        dice: Dice,
        beats: bool,
    ) -> Courier {
        Courier {
            store,
            clock,
            metrics,
            setup,
            breaker: Mutex::default(),
            dice,
            watch: Watch::default(),
            summaries: Summaries::default(),
            enrichments: Enrichments::default(),
            configured: None,
            swept_at: None,
            beats,
            down_to: Priority::Bulk,
            paced: Duration::ZERO,
            bulk_until: Duration::ZERO,
            most: SWEEP,
        }
    }

    /// What the CRM's schema holds up now, once it is known.
    #[must_use]
    pub fn known(&self) -> Option<Arc<Known>> {
        self.watch.known()
    }

    /// Works on some of what is due.
    ///
    /// # Errors
    /// When the store cannot be read or written. What was leased then is in doubt once its lease runs out.
    pub async fn step(&mut self) -> Result<Step, StoreError> {
        let setup = self.setup.get();
        let idle = |not_before| Ok(Step { bundles: 0, not_before });
        let name = setup.target.name.as_str();
        if !self.has_turn(&setup)? {
            return idle(Some(self.clock.elapsed() + LOOK));
        }
        self.sweep()?;
        let row = self.store.target(name)?;
        let now = self.clock.elapsed();
        let down_to = ration(&setup, &*self.store, &*self.clock, &self.metrics)?;
        if setup.target.mode == Mode::Paused || row.paused.is_some() {
            return idle(Some(now + SWEEP));
        }
        let Some(down_to) = down_to else { return idle(Some(now + SWEEP)) };
        self.down_to = down_to;
        let allowed = match self.admit(&setup) {
            Admit::NotBefore(at) => return idle(Some(at)),
            Admit::Probe => 1,
            Admit::UpTo(bundles) => bundles,
        };
        self.reconfigure(&setup)?;
        if self.watch.is_due(now) && !self.read_schema(&setup, row).await? {
            return idle(Some(self.paced).filter(|paced| *paced > self.clock.elapsed()));
        }
        let Some(known) = self.watch.known() else { return idle(Some(self.watch.due())) };
        let batch = setup.target.crm.about().capability.batch.max(1);
        let lot = Lot { urgent: URGENT.min(batch).min(allowed), bulk: 0, down_to, percent: 100 };
        let urgent = self.lane(&setup, &known, lot).await?;
        let left = batch.min(allowed.saturating_sub(urgent.0));
        let known = self.watch.known().unwrap_or(known);
        let bulk = match (urgent.1 && down_to == Priority::Bulk, left) {
            // Without a pause for the pace of what is more urgent, and while there is room for what can wait.
            (true, 1..) if self.paced.max(self.bulk_until) <= self.clock.elapsed() => {
                let percent = setup.config.quota.bulk_percent;
                self.lane(&setup, &known, Lot { urgent: 0, bulk: left, down_to, percent }).await?
            }
            _ => (0, urgent.1),
        };
        let bundles = urgent.0 + bulk.0;
        let mut breaker = self.breaker();
        breaker.stepped(self.clock.elapsed(), bundles, urgent.1 && bulk.1);
        drop(breaker);
        let paced = Some(self.paced).filter(|paced| *paced > self.clock.elapsed());
        Ok(Step { bundles, not_before: paced })
    }

    /// How long until something is due; long, where nothing waits or the store cannot be asked.
    #[must_use]
    pub fn due_in(&self) -> Duration {
        let name = &self.setup.get().target.name;
        let has_room = self.bulk_until <= self.clock.elapsed();
        let down_to = if has_room { self.down_to } else { self.down_to.min(Priority::Urgent) };
        let due = self.store.next_due(name, down_to).ok().flatten();
        let wait = due
            .map(|due| Duration::try_from(due.duration_since(self.clock.now())).unwrap_or_default())
            .unwrap_or(SWEEP);
        // What the limits hold back now is looked at again and again, and a turn is kept.
        if down_to == Priority::Bulk && self.most == SWEEP { wait } else { wait.min(self.most) }
    }

    /// Whether this process may call the account. Where several share the store, one does at a time.
    fn has_turn(&mut self, setup: &Setup) -> Result<bool, StoreError> {
        let turn = self.store.take_turn(&setup.target.account(), TURN)?;
        if turn == (Turn::Ours { anew: true }) {
            setup.budget.forget();
        }
        if turn == Turn::Theirs {
            // How it fares is for them to say; what was seen here is over.
            self.metrics.breaker(&setup.target.name, 0);
            self.metrics.quota(&setup.target.name, Vec::new());
        }
        self.most = if turn == Turn::Alone { SWEEP } else { LOOK };
        Ok(turn != Turn::Theirs)
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn admit(&self, setup: &Setup) -> Admit {
        let now = self.clock.elapsed();
        let breaker = self.breaker();
        self.metrics.breaker(
            &setup.target.name,
            match breaker.state(now) {
                State::Closed => 0,
                State::Probing => 1,
                State::Open => 2,
            },
        );
        if now < self.paced { Admit::NotBefore(self.paced) } else { breaker.admit(now) }
    }

    /// Leases that ran out are in doubt: those of a step that panicked, or lost its store.
    fn sweep(&mut self) -> Result<(), StoreError> {
        let now = self.clock.elapsed();
        if self.swept_at.is_some_and(|at| now.saturating_sub(at) < SWEEP) {
            return Ok(());
        }
        let doubtful = self.store.doubt_expired(self.clock.now())?;
        self.swept_at = Some(now);
        if doubtful > 0 {
            tracing::warn!(doubtful, "leases ran out; these jobs are in doubt");
        }
        Ok(())
    }

    /// Notices another configuration of the target.
    fn reconfigure(&mut self, setup: &Arc<Setup>) -> Result<(), StoreError> {
        if self.configured.as_ref().is_some_and(|before| Arc::ptr_eq(before, setup)) {
            return Ok(());
        }
        let (store, now) = (&*self.store, self.clock.now());
        let released =
            rollout::release(store, &setup.target, now)? + rule::release(store, &setup.target, now)?;
        if released > 0 {
            tracing::info!(
                target_name = setup.target.name,
                released,
                "jobs are within the rollout or the rule now"
            );
        }
        let first = self.configured.replace(Arc::clone(setup)).is_none();
        if first {
            return Ok(());
        }
        self.store.release_jobs(&setup.target.name, "config", self.clock.now())?;
        let change = self.watch.configured(&setup.target);
        self.act_on(setup, &change)
    }

    /// Claims, looks up, writes, settles. How many bundles, and whether the target was well.
    async fn lane(
        &mut self,
        setup: &Setup,
        known: &Arc<Known>,
        lot: Lot,
    ) -> Result<(usize, bool), StoreError> {
        let Lot { urgent, bulk, down_to, percent } = lot;
        let now = self.clock.now();
        let (target, until) = (setup.target.name.as_str(), now + LEASE);
        // Asked first: a claim is a commit, and mostly nothing is due.
        if self.store.next_due(target, down_to)?.is_none_or(|due| due > now) {
            return Ok((0, true));
        }
        let leased = self.store.claim_jobs(Claim { target, now, until, urgent, bulk, down_to })?;
        if leased.is_empty() {
            return Ok((0, true));
        }
        let mut works: Vec<Work> = leased.into_iter().map(Work::new).collect();
        let bundles = works.len();
        match self.deliver(setup, known, &mut works, until, percent).await {
            Ok(full) => self.put_off(&mut works, full, bulk > 0),
            Err(GivenUp::Store(error)) => return Err(error),
            Err(GivenUp::LeaseLost) => {
                tracing::warn!(target_name = target, bundles, "leases ran out before the calls were made");
                return Ok((bundles, false));
            }
        }
        let well = self.decide(setup, &mut works).await?;
        let at = self.clock.now();
        self.store.settle_jobs(works.into_iter().map(|work| work.settled(target, at)).collect())?;
        Ok((bundles, well))
    }

    async fn deliver(
        &mut self,
        setup: &Setup,
        known: &Arc<Known>,
        works: &mut [Work],
        until: Timestamp,
        percent: u64,
    ) -> Result<Option<Full>, GivenUp> {
        for work in works.iter_mut() {
            self.open(setup, known, work)?;
        }
        let jobs: Vec<i64> =
            works.iter().flat_map(|work| work.leased.jobs.iter().map(|job| job.id)).collect();
        let lease = Lease::new(until);
        let full = {
            let transport = Metered::new(setup, &self.breaker, (&*self.clock, &lease), &*self.store, percent);
            let errand = Errand {
                store: &*self.store,
                clock: &*self.clock,
                metrics: &self.metrics,
                setup,
                known,
                transport: &transport,
                summaries: &self.summaries,
                enrichments: &self.enrichments,
                beats: self.beats,
                jobs: jobs.clone(),
                lease: &lease,
            };
            let shadow = setup.target.mode == Mode::Shadow;
            errand.find(works).await?;
            for work in works.iter_mut().filter(|work| work.is_unwanted()) {
                work.keep_back(&rule::cause(setup.target.person_rule));
            }
            errand.enrich(works).await?;
            errand.read(works, shadow).await?;
            if shadow {
                self.store.keep_shadow(&setup.target.name, errand.shadow(works))?;
                works.iter_mut().for_each(|work| work.end_open(&End::Suppressed(SHADOW)));
                works.iter_mut().for_each(|work| work.row.clone_from(&work.leased.record));
                return Ok(transport.full());
            }
            errand.write(works).await?;
            if errand.resolve(works).await? {
                errand.write(works).await?;
            }
            transport.full()
        };
        let drifted = asks(works, FirstAid::ReadSchema);
        let now = self.clock.elapsed();
        let may_ask = drifted && self.watch.may_ask(now) && lease.outlasts(self.clock.now());
        let is_read = may_ask && self.read_schema(setup, TargetRow::default()).await?;
        if drifted && !is_read {
            // Without a look at the schema nothing can be decided: it waits for the next.
            let look = after(self.clock.now(), self.watch.hurry(now));
            works.iter_mut().for_each(|work| work.wait_for_schema(look));
        }
        Ok(full)
    }

    /// What there was no room for by the account's limits waits until there is some.
    fn put_off(&mut self, works: &mut [Work], full: Option<Full>, is_bulk: bool) {
        let Some(full) = full else { return };
        postpone(works, after(self.clock.now(), full.wait));
        let until = self.clock.elapsed() + full.wait;
        if full.is_pace || !is_bulk {
            self.paced = until;
        } else {
            self.bulk_until = until;
        }
    }

    /// Looks the lead up, and holds at once what the schema holds up.
    fn open(&self, setup: &Setup, known: &Known, work: &mut Work) -> Result<(), StoreError> {
        if !rollout::admits(&setup.target, &work.leased) {
            work.end_open(&End::Held(ROLLOUT.to_owned()));
            return Ok(());
        }
        let now = self.clock.now();
        let look = || dossier(&*self.store, setup, (&known.schema, &known.health), &work.leased, now);
        let Ok(looked) = catch_unwind(AssertUnwindSafe(look)) else {
            // What brings one lead's values down must not bring the target down.
            tracing::error!(target_name = setup.target.name, "a lead could not be worked out; it is held");
            work.end_open(&End::Held("internal".to_owned()));
            return Ok(());
        };
        match looked? {
            Err(Not::Gone) => work.end_open(&End::Suppressed(GONE)),
            Err(Not::Consent) => work.end_open(&End::Held("consent".to_owned())),
            Ok(dossier) => {
                work.dossier = Some(dossier);
                if work.is_unwanted() {
                    work.keep_back(&rule::cause(setup.target.person_rule));
                }
                work.hold(&known.health);
                work.refuse();
            }
        }
        Ok(())
    }

    /// Decides what is open. Whether the target was well.
    async fn decide(&mut self, setup: &Setup, works: &mut [Work]) -> Result<bool, StoreError> {
        let token_is_new = asks(works, FirstAid::RenewToken) && setup.account.renew().await;
        let streak = self.breaker().streak(self.clock.elapsed());
        let mut counts: BTreeMap<String, (u64, String)> = BTreeMap::new();
        let mut effects: Vec<Effect> = Vec::new();
        let mut well = true;
        for work in works.iter_mut() {
            let mut waits_until = None;
            for index in 0..work.leased.jobs.len() {
                let Some(mut failure) = work.failures[index].take() else { continue };
                // It was not sent, and no CRM is to blame.
                if [HELD_BACK, LEASE_LOST].contains(&failure.code.as_str()) {
                    failure = Failure { code: failure.code, ..Failure::waiting() };
                }
                let job = work.job(index);
                let kind = failure.kind.as_str();
                let repeated = job.cause.as_deref().is_some_and(|before| before.starts_with(kind));
                let case = Case {
                    attempts: job.attempts + 1,
                    repeated,
                    delivery: work.delivery(index, setup),
                    streak: streak.0,
                    lasts: streak.1,
                    // What was left out and is refused all the same would be tried for ever.
                    schema: if repeated { SchemaSays::Nothing } else { self.schema_says(&failure) },
                    token_is_new,
                    waits_until,
                    ..self.case(setup, &failure)
                };
                let (end, effect) = decide(&case, self.dice.throw());
                if let End::Retry { due_at, .. } | End::Doubt { due_at, .. } = &end {
                    waits_until = waits_until.max(Some(*due_at));
                }
                well &= !matches!(
                    failure.kind,
                    FailureKind::Throttle | FailureKind::Down | FailureKind::Auth | FailureKind::Unknown
                );
                let count = counts.entry(cause(&failure)).or_insert_with(|| (0, job.trace_id.clone()));
                count.0 += 1;
                effects.push(effect);
                work.ends[index] = Some(end);
            }
        }
        self.tell(setup, works, &counts);
        let longest = effects.iter().filter_map(|effect| match effect {
            Effect::Wait(wait) => Some(*wait),
            _ => None,
        });
        let longest = longest.max().map(Effect::Wait);
        effects.retain(|effect| !matches!(effect, Effect::Wait(_)));
        if let Some(floor) = longest {
            self.take_effect(setup, floor)?;
            spread(works, floor, self.clock.now());
        }
        if effects.contains(&Effect::Pause) {
            self.take_effect(setup, Effect::Pause)?;
        }
        let ambiguous = effects.iter().filter(|effect| **effect == Effect::Ambiguous).count();
        self.metrics.ambiguous(setup.target.crm.about().slug, ambiguous);
        Ok(well)
    }

    fn case<'a>(&self, setup: &Setup, failure: &'a Failure) -> Case<'a> {
        let capability = &setup.target.crm.about().capability;
        Case { search_lag: capability.search_lag, ..Case::new(failure, capability.person, self.clock.now()) }
    }

    fn take_effect(&self, setup: &Setup, effect: Effect) -> Result<(), StoreError> {
        let (name, crm) = (setup.target.name.as_str(), setup.target.crm.about().slug);
        match effect {
            Effect::None | Effect::Ambiguous => {}
            Effect::Wait(wait) => {
                self.breaker().throttled(self.clock.elapsed(), wait);
                tracing::warn!(target_name = name, crm, seconds = wait.as_secs(), "the CRM asks to wait");
            }
            Effect::Pause => {
                self.store.pause_target(name, Some(AUTH))?;
                let next = look::way_out(&setup.target);
                tracing::error!(
                    target_name = name,
                    crm,
                    next,
                    "the CRM refuses the token; the target is paused"
                );
            }
        }
        Ok(())
    }

    /// Counts and logs what became of the jobs: names and codes, never a value.
    fn tell(&self, setup: &Setup, works: &[Work], failures: &BTreeMap<String, (u64, String)>) {
        let (name, crm) = (setup.target.name.as_str(), setup.target.crm.about().slug);
        for end in works.iter().flat_map(|work| work.ends.iter().flatten()) {
            self.metrics.attempted(crm, result_of(end));
        }
        for (cause, (jobs, trace_id)) in failures {
            tracing::warn!(target_name = name, crm, cause, jobs, trace_id, "not delivered");
        }
    }
}
