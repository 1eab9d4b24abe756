//! The outbox in SQLite: what is wanted, leased, settled and looked at.
//!
//! In: the calls of [`Outbox`]. Out: rows of `jobs`, `attempts`, `records`, `conversations`, and the counters of the
//! books beside them, always within one transaction. Writes go through the writer in short transactions, reads
//! through the readers.

mod claim;
mod conversations;
mod finish;
mod hook;
mod read;
mod resync;
mod rows;
mod targets;
mod tend;
mod turns;
mod unite;
mod used;
mod want;

pub(super) use hook::changed;
pub(super) use read::books;

use crate::routing::Routes;
use crate::store::outbox::{
    Attempt, Claim, Conversation, Depth, Job, JobFilter, Leased, Outbox, RecordRow, Settled, ShadowRow,
    TargetRow, Used,
};
use crate::store::sql::connection::{Connection, Transaction};
use crate::store::sql::counters::count;
use crate::store::sql::{Database, SqlStore};
use crate::store::{StoreError, StoreErrorKind, Turn};
use jiff::Timestamp;
use serde_json::Value;
use std::sync::{Arc, PoisonError};
use wabridge_model::Priority;
use wabridge_model::id::LeadId;

/// What was used longer ago is of no use: no limit has so long a window.
const REMEMBERED: jiff::SignedDuration = jiff::SignedDuration::from_hours(72);

/// Jobs that are changed in one transaction where a person asks for many.
const SLICE: usize = 500;
/// Leads whose records are marked in one transaction: a few milliseconds of the writer.
const MARKED: usize = 50;
/// Leads whose records are read together.
const PAGE: usize = 500;

impl<D: Database> SqlStore<D> {
    /// Does something in a transaction of the writer.
    fn change<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&dyn Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.database.write(move |connection| {
            let transaction = Transaction::begin(connection, doing)?;
            let result = work(&*transaction)?;
            transaction.commit(doing)?;
            Ok(result)
        })
    }

    /// Does something to many jobs, a slice in each transaction, and sums up what it says.
    fn change_each(
        &self,
        doing: &'static str,
        jobs: &[i64],
        work: impl Fn(&dyn Connection, &[i64]) -> Result<usize, StoreError> + Clone + Send + 'static,
    ) -> Result<usize, StoreError> {
        let mut sum = 0;
        for jobs in jobs.chunks(SLICE) {
            let (jobs, work) = (jobs.to_vec(), work.clone());
            sum += self.change(doing, move |transaction| work(transaction, &jobs))?;
        }
        Ok(sum)
    }

    /// Hands over, page by page, the leads of a resync.
    fn each_page(
        &self,
        target: &str,
        fields: &[String],
        mut work: impl FnMut(&[LeadId]) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let page =
                self.database.read(|connection| resync::page(connection, target, fields, after, PAGE))?;
            let Some((last, leads)) = page else { return Ok(()) };
            work(&leads)?;
            after = Some(last);
        }
    }

    /// Does work of the writer in which what changes of leads is routed.
    pub(super) fn project<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        // A panic while holding the lock leaves routes that are still routes.
        let routes = Arc::clone(&self.routes.read().unwrap_or_else(PoisonError::into_inner));
        self.database.write(move |connection| hook::routed(connection, routes, work))
    }
}

impl<D: Database> Outbox for SqlStore<D> {
    fn route_by(&self, routes: Arc<Routes>) {
        *self.routes.write().unwrap_or_else(PoisonError::into_inner) = routes;
    }

    fn take_turn(&self, of: &str, lasts: std::time::Duration) -> Result<Turn, StoreError> {
        self.database.take(|connection| turns::take(connection, of, lasts))
    }

    fn claim_jobs(&self, asked: Claim<'_>) -> Result<Vec<Leased>, StoreError> {
        let Claim { now, until, urgent, bulk, down_to, .. } = asked;
        let target = asked.target.to_owned();
        self.change("lease jobs", move |transaction| {
            claim::claim(transaction, &Claim { target: &target, now, until, urgent, bulk, down_to })
        })
    }

    fn extend_leases(&self, jobs: &[i64], now: Timestamp, until: Timestamp) -> Result<(), StoreError> {
        self.change_each("extend leases", jobs, move |transaction, jobs| {
            tend::extend(transaction, jobs, (now, until))
        })
        .map(drop)
    }

    fn doubt_expired(&self, now: Timestamp) -> Result<usize, StoreError> {
        self.change("put jobs in doubt", move |transaction| tend::doubt_expired(transaction, now))
    }

    fn settle_jobs(&self, settled: Vec<Settled>) -> Result<(), StoreError> {
        let mut settled = settled;
        // Who writes beside others settles a bundle at a time, so that nobody waits for one lead's jobs and holds another's.
        let size = self.database.bundles_at_once();
        while !settled.is_empty() {
            let rest = settled.split_off(size.min(settled.len()));
            let bundles = std::mem::replace(&mut settled, rest);
            self.change("settle jobs", move |transaction| {
                bundles.iter().try_for_each(|bundle| finish::settle(transaction, bundle))
            })?;
        }
        Ok(())
    }

    fn next_due(&self, target: &str, down_to: Priority) -> Result<Option<Timestamp>, StoreError> {
        self.database.read(|connection| claim::next_due(connection, target, down_to))
    }

    fn release_jobs(&self, target: &str, cause: &str, now: Timestamp) -> Result<usize, StoreError> {
        let held = self.database.read(|connection| tend::held(connection, target, cause))?;
        self.change_each("release jobs", &held, move |transaction, jobs| {
            tend::make_pending(transaction, jobs, &["held"], now)
        })
    }

    fn let_go(&self, jobs: &[i64], now: Timestamp) -> Result<usize, StoreError> {
        self.change_each("let jobs go", jobs, move |transaction, jobs| tend::let_go(transaction, jobs, now))
    }

    fn want_again(&self, target: &str, left_out: &str, now: Timestamp) -> Result<usize, StoreError> {
        let jobs = self.database.read(|connection| tend::without(connection, target, left_out))?;
        let leads: std::collections::BTreeSet<LeadId> = jobs.iter().map(|(_, lead)| *lead).collect();
        let jobs: Vec<i64> = jobs.into_iter().map(|(job, _)| job).collect();
        self.change_each("ask for jobs again", &jobs, move |transaction, jobs| {
            tend::want_again(transaction, jobs, now)
        })?;
        Ok(leads.len())
    }

    fn resync(
        &self,
        target: &str,
        fields: &[String],
        now: Timestamp,
        go_on: &dyn Fn() -> bool,
    ) -> Result<usize, StoreError> {
        const DOING: &str = "look at what was written again";
        let mut asked = 0;
        self.each_page(target, fields, |leads| {
            for leads in leads.chunks(MARKED) {
                if !go_on() {
                    return Err(StoreError::new(StoreErrorKind::Busy, DOING));
                }
                let (target, fields, leads) = (target.to_owned(), fields.to_vec(), leads.to_vec());
                asked += self.change(DOING, move |transaction| {
                    resync::want(transaction, &target, &fields, &leads, now)
                })?;
            }
            Ok(())
        })?;
        Ok(asked)
    }

    fn resyncable(&self, target: &str, fields: &[String]) -> Result<usize, StoreError> {
        let mut all = 0;
        self.each_page(target, fields, |leads| {
            all += leads.len();
            Ok(())
        })?;
        Ok(all)
    }

    fn job(&self, id: i64) -> Result<Option<(Job, Vec<Attempt>)>, StoreError> {
        self.database.read(|connection| read::job(connection, id))
    }

    fn jobs(&self, filter: &JobFilter, after: i64, limit: usize) -> Result<Vec<Job>, StoreError> {
        self.database.read(|connection| read::jobs(connection, filter, after, limit))
    }

    fn depth(&self) -> Result<Depth, StoreError> {
        self.database.read(read::depth)
    }

    fn retry_jobs(&self, jobs: &[i64], now: Timestamp) -> Result<usize, StoreError> {
        self.change_each("retry jobs", jobs, move |transaction, jobs| {
            tend::make_pending(transaction, jobs, &["dead", "held", "pending"], now)
        })
    }

    fn discard_jobs(&self, jobs: &[i64], reason: &str, now: Timestamp) -> Result<usize, StoreError> {
        let reason = reason.to_owned();
        self.change_each("discard jobs", jobs, move |transaction, jobs| {
            tend::discard(transaction, jobs, &reason, now)
        })
    }

    fn records(&self, leads: &[LeadId]) -> Result<Vec<(LeadId, String, RecordRow)>, StoreError> {
        self.database.read(|connection| {
            // A store that no daemon of this version has opened yet knows of no record.
            let knows = super::knows(connection, 3)?;
            if knows { read::records(connection, leads) } else { Ok(Vec::new()) }
        })
    }

    fn lead_of_record(&self, target: Option<&str>, id: &str) -> Result<Vec<(LeadId, String)>, StoreError> {
        self.database.read(|connection| read::lead_of_record(connection, target, id))
    }

    fn conversations(&self, ids: &[String]) -> Result<Vec<Conversation>, StoreError> {
        self.database.read(|connection| conversations::read(connection, ids))
    }

    fn target(&self, name: &str) -> Result<TargetRow, StoreError> {
        self.database.read(|connection| targets::target(connection, name))
    }

    fn pause_target(&self, name: &str, cause: Option<&str>) -> Result<(), StoreError> {
        let (name, cause) = (name.to_owned(), cause.map(str::to_owned));
        self.change("pause a target", move |transaction| targets::pause(transaction, &name, cause.as_deref()))
    }

    fn keep_schema(&self, name: &str, schema: &Value, at: Timestamp) -> Result<(), StoreError> {
        let (name, schema) = (name.to_owned(), schema.clone());
        self.change("keep a schema", move |transaction| targets::keep_schema(transaction, &name, &schema, at))
    }

    fn keep_shadow(&self, target: &str, rows: Vec<ShadowRow>) -> Result<(), StoreError> {
        let target = target.to_owned();
        self.change("keep what was not written", move |transaction| {
            targets::keep_shadow(transaction, &target, &rows)
        })
    }

    fn shadow(
        &self,
        target: &str,
        after: Option<LeadId>,
        limit: usize,
    ) -> Result<Vec<ShadowRow>, StoreError> {
        self.database.read(|connection| targets::shadow(connection, target, after, limit))
    }

    fn keep_used(&self, account: &str, rows: &[Used]) -> Result<(), StoreError> {
        let (account, rows) = (account.to_owned(), rows.to_vec());
        let newest = rows.iter().map(|row| row.span).max().unwrap_or_default();
        let oldest = newest.checked_sub(REMEMBERED).unwrap_or(Timestamp::MIN);
        self.change("keep what was used", move |transaction| {
            used::keep(transaction, &account, &rows, (oldest, newest))
        })
    }

    fn used(&self, account: &str) -> Result<Vec<Used>, StoreError> {
        self.database.read(|connection| {
            let knows = super::knows(connection, 4)?;
            if knows { used::read(connection, account) } else { Ok(Vec::new()) }
        })
    }

    fn leads_written(&self, target: &str, since: Timestamp) -> Result<u64, StoreError> {
        self.database.read(|connection| used::leads_written(connection, target, since))
    }
}
