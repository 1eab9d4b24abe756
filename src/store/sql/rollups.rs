//! The counts of attribution: kept as sums by projection, counted anew in slices, read by the day.
//!
//! In: what a cluster added before and adds now. Out: rows of `rollups`, each the sum over all clusters. A
//! cluster after `through` is not in the sums yet and leaves them alone until its turn comes.

use super::encoding::events_of;
use super::marks;
use super::rows::SqlRows;
use crate::leads::rollup::{Contributions, Counts, Model, contributions};
use crate::store::sql::connection::{
    Connection, Dialect, Lock, Row, Transaction, all, first, only, run, values,
};
use crate::store::sql::{Database, SqlStore};
use crate::store::{DateOf, Question, Rolled, Rollups, Rows, StoreError, StoreErrorKind};
use jiff::tz::{Offset, TimeZone};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};
use wabridge_model::cluster::Cluster;
use wabridge_model::evidence::Evidence;

/// How long a slice counts before it commits and lets acknowledgements pass.
const SLICE: Duration = Duration::from_millis(5);
/// `through` when every cluster is counted.
const ALL: i64 = i64::MAX;

/// In which time zone days are, and up to which cluster they are counted.
struct Progress {
    zone: TimeZone,
    through: i64,
}

impl Progress {
    fn read(connection: &dyn Connection) -> Result<Progress, StoreError> {
        let doing = "read how far attribution is counted";
        let state = "SELECT timezone, through FROM rollup_state";
        let (name, through): (String, i64) =
            only(connection, doing, state, &[], |row| Ok((row.get(0)?, row.get(1)?)))?;
        // A time zone that this machine does not know is no fault of the request in hand.
        let zone = zone_of(&name).ok_or_else(|| StoreError::new(StoreErrorKind::Counting, doing))?;
        Ok(Progress { zone, through })
    }
}

/// The stored name of a time zone; one without a name is an offset.
fn name_of(zone: &TimeZone) -> String {
    let offset = || zone.to_offset(jiff::Timestamp::UNIX_EPOCH).seconds().to_string();
    zone.iana_name().map_or_else(offset, str::to_owned)
}

fn zone_of(name: &str) -> Option<TimeZone> {
    match name.parse() {
        Ok(seconds) => Offset::from_seconds(seconds).ok().map(TimeZone::fixed),
        // The default region needs no time zone data; see `config/region.rs`.
        Err(_) => TimeZone::get(name).ok().or_else(|| (name == "Asia/Kolkata").then(|| zone_of("19800"))?),
    }
}

/// What a transaction adds to the sums. Most of what comes in changes the same few, so they are written when it ends.
#[derive(Default)]
pub(super) struct Changes {
    /// Nobody else moves it while the transaction is open.
    progress: Option<Progress>,
    added: Contributions,
}

impl Changes {
    /// Replaces what a cluster added.
    pub(super) fn replace(
        &mut self,
        connection: &dyn Connection,
        cluster: i64,
        before: &Cluster,
        after: &Cluster,
    ) -> Result<(), StoreError> {
        let Progress { zone, through } = match &mut self.progress {
            Some(progress) => progress,
            unread => unread.insert(Progress::read(connection)?),
        };
        if cluster > *through {
            return Ok(());
        }
        for (cluster, times) in [(after, 1), (before, -1)] {
            for (key, counts) in contributions(cluster, zone) {
                self.added.entry(key).or_default().add(&counts, times);
            }
        }
        Ok(())
    }

    /// Writes what was added.
    pub(super) fn write(&mut self, connection: &dyn Connection) -> Result<(), StoreError> {
        add(connection, &std::mem::take(&mut self.added))
    }
}

/// Replaces what a cluster added, at once.
pub(super) fn replace(
    connection: &dyn Connection,
    cluster: i64,
    before: &Cluster,
    after: &Cluster,
) -> Result<(), StoreError> {
    let mut changes = Changes::default();
    changes.replace(connection, cluster, before, after)?;
    changes.write(connection)
}

fn add(connection: &dyn Connection, changes: &Contributions) -> Result<(), StoreError> {
    const CHANGE: &str = "INSERT INTO rollup_changes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    const ADD: &str = "INSERT INTO rollups VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (model, day, ad_id, business_number, provider, state, cause) DO UPDATE SET
             conversations = rollups.conversations + excluded.conversations,
             leads = rollups.leads + excluded.leads,
             click_id_present = rollups.click_id_present + excluded.click_id_present,
             answered_5m = rollups.answered_5m + excluded.answered_5m,
             answered_unknown = rollups.answered_unknown + excluded.answered_unknown,
             free_entry_opened = rollups.free_entry_opened + excluded.free_entry_opened,
             qualified = rollups.qualified + excluded.qualified,
             qualified_then = rollups.qualified_then + excluded.qualified_then";
    // Every contribution is a conversation or a qualification: a row without either counts nothing.
    const FORGET: &str =
        "DELETE FROM rollups WHERE model = ? AND day = ? AND ad_id = ? AND business_number = ?
         AND provider = ? AND state = ? AND cause = ? AND conversations = 0 AND qualified_then = 0";
    let doing = "count attribution";
    for (key, counts) in changes.iter().filter(|(_, counts)| **counts != Counts::default()) {
        let (model, day) = (key.model.map_or("", Model::as_str), key.day.to_string());
        let [a, b, c, d, e, f, g, h] = counts.as_array();
        let values = values![
            model,
            day,
            key.ad_id,
            key.business_number,
            key.provider,
            key.state,
            key.cause,
            a,
            b,
            c,
            d,
            e,
            f,
            g,
            h
        ];
        if connection.dialect() == Dialect::Postgres {
            run(connection, doing, CHANGE, values)?;
            continue;
        }
        run(connection, doing, ADD, values)?;
        if counts.conversations < 0 || counts.qualified_then < 0 {
            let of = values![model, day, key.ad_id, key.business_number, key.provider, key.state, key.cause];
            run(connection, doing, FORGET, of)?;
        }
    }
    Ok(())
}

/// Forgets all counts, so that they are counted anew: in this time zone, from the first cluster on.
fn begin(connection: &dyn Connection, zone: &TimeZone, through: i64) -> Result<(), StoreError> {
    let doing = "begin to count attribution";
    let tables: &[&str] = match connection.dialect() {
        Dialect::Sqlite => &["DELETE FROM rollups"],
        Dialect::Postgres => &["DELETE FROM rollup_sums", "DELETE FROM rollup_changes"],
    };
    tables.iter().try_for_each(|sql| run(connection, doing, sql, &[]).map(drop))?;
    run(
        connection,
        doing,
        "UPDATE rollup_state SET timezone = ?, through = ?",
        values![name_of(zone), through],
    )
    .map(drop)
}

/// For a rebuild, which makes every cluster anew and counts it as it does.
pub(in crate::store) fn begin_rebuild(connection: &dyn Connection) -> Result<(), StoreError> {
    begin(connection, &Progress::read(connection)?.zone, ALL)
}

/// For a rebuild beside a daemon, which leaves the clusters that stand: all are to be counted anew.
pub(super) fn begin_anew(connection: &dyn Connection) -> Result<(), StoreError> {
    let doing = "begin to count attribution";
    let transaction = Transaction::begin(connection, doing)?;
    transaction.lock(doing, Lock::Everything)?;
    begin(&*transaction, &Progress::read(&*transaction)?.zone, 0)?;
    transaction.commit(doing)
}

/// Counts more clusters, for as long as a slice takes. Says whether all are counted.
pub(in crate::store) fn count_slice(connection: &dyn Connection) -> Result<bool, StoreError> {
    const NEXT: &str = "SELECT id FROM clusters WHERE id > ? ORDER BY id LIMIT 1";
    const SET: &str = "UPDATE rollup_state SET through = ?";
    let doing = "count attribution";
    let started = Instant::now();
    let transaction = Transaction::begin(connection, doing)?;
    transaction.lock(doing, Lock::Everything)?;
    let Progress { zone, mut through } = Progress::read(&*transaction)?;
    while through < ALL && started.elapsed() < SLICE {
        let next: Option<i64> = first(&*transaction, doing, NEXT, values![through], |row| row.get(0))?;
        let Some(cluster) = next else {
            through = ALL;
            break;
        };
        match fold_anew(&*transaction, cluster) {
            Ok(after) => add(&*transaction, &contributions(&after, &zone))?,
            // What cannot be read back must not keep all others from being counted.
            Err(error) if error.kind == StoreErrorKind::Corrupt => {
                tracing::error!(cluster, doing = error.doing, "a cluster cannot be read; it is not counted");
            }
            Err(error) => return Err(error),
        }
        through = cluster;
    }
    run(&*transaction, doing, SET, values![through])?;
    transaction.commit(doing)?;
    Ok(through == ALL)
}

/// Folds a cluster from its evidence with today's rules, and saves it where it differs.
fn fold_anew(connection: &dyn Connection, cluster: i64) -> Result<Cluster, StoreError> {
    let mut rows = SqlRows::at(connection, jiff::Timestamp::UNIX_EPOCH);
    let before = rows.state(cluster)?;
    let mut evidence: Vec<Evidence> =
        events_of(connection, cluster)?.into_iter().map(|row| row.evidence).collect();
    rows.now = evidence.iter().map(Evidence::received_at).max().unwrap_or(rows.now);
    // A fold that panics leaves this cluster as it was, and the writer alive.
    let fold = AssertUnwindSafe(|| Cluster::fold(&mut evidence).cluster);
    let Ok(after) = catch_unwind(fold) else {
        tracing::error!(cluster, "a cluster cannot be folded; it is counted as it was");
        return Ok(before);
    };
    if before != after {
        rows.save(cluster, &before, &after)?;
    }
    Ok(after)
}

/// Every row, as one text each: for comparing whole stores.
pub(in crate::store) fn all_rows(connection: &dyn Connection) -> Result<BTreeSet<String>, StoreError> {
    const ALL_ROWS: &str = "SELECT concat_ws('|', model, day, ad_id, business_number, provider, state, cause, conversations,
             leads, click_id_present, answered_5m, answered_unknown, free_entry_opened, qualified, qualified_then)
         FROM rollups";
    let doing = "read attribution";
    Ok(all(connection, doing, ALL_ROWS, &[], |row| row.get(0))?.into_iter().collect())
}

/// Columns are grouped by where their parameter says so. What is unattributed is one row for each cause, whatever
/// it is grouped by; ads are told apart from other origins by their state.
const SELECT: &str = "
WITH kept AS (
    SELECT *, state IN ('none', 'not_reported') AS unattributed FROM rollups
    WHERE model IN ('', ?1) AND day >= ?2 AND day < ?3
)
SELECT its_day, its_ad, its_provider, its_state, its_cause, conversations, leads, click_id_present, answered_5m,
       answered_unknown, free_entry_opened, qualified
FROM (SELECT unattributed, CASE WHEN ?4 = 'day' AND NOT unattributed THEN day END AS its_day,
       CASE WHEN ?4 = 'ad' AND ad_id <> '' THEN ad_id END AS its_ad,
       CASE WHEN ?4 = 'provider' AND NOT unattributed THEN provider END AS its_provider,
       CASE WHEN unattributed OR ?4 = 'state' OR ?4 = 'ad' AND ad_id = '' THEN state END AS its_state,
       CASE WHEN unattributed OR ?4 = 'state' OR ?4 = 'ad' AND ad_id = '' THEN nullif(cause, '') END AS its_cause,
       CAST(sum(conversations) AS BIGINT) AS conversations, CAST(sum(leads) AS BIGINT) AS leads, CAST(sum(click_id_present) AS BIGINT) AS click_id_present, CAST(sum(answered_5m) AS BIGINT) AS answered_5m, CAST(sum(answered_unknown) AS BIGINT) AS answered_unknown,
       CAST(sum(free_entry_opened) AS BIGINT) AS free_entry_opened, CAST(sum(CASE WHEN ?5 <> 0 THEN qualified_then ELSE qualified END) AS BIGINT) AS qualified
FROM kept GROUP BY 1, 2, 3, 4, 5, 6) AS grouped
WHERE conversations <> 0 OR qualified <> 0
ORDER BY unattributed, its_day, its_ad IS NULL, conversations DESC, its_ad, its_provider, its_state, its_cause NULLS FIRST";

fn select(connection: &dyn Connection, question: &Question) -> Result<Vec<Rolled>, StoreError> {
    let since = question.since.map_or_else(String::new, |day| day.to_string());
    // After every day, which begins with a digit.
    let until = question.until.map_or_else(|| "x".to_owned(), |day| day.to_string());
    let outcome = question.date == DateOf::Outcome;
    let values = values![question.model.as_str(), since, until, question.by.as_str(), outcome];
    all(connection, "read attribution", SELECT, values, rolled)
}

fn rolled(row: &Row<'_>) -> Result<Rolled, StoreError> {
    Ok(Rolled {
        date_local: row.get(0)?,
        ad_id: row.get(1)?,
        provider: row.get(2)?,
        state: row.get(3)?,
        cause: row.get(4)?,
        conversations: row.get(5)?,
        leads: row.get(6)?,
        click_id_present: row.get(7)?,
        answered_5m: row.get(8)?,
        answered_unknown: row.get(9)?,
        free_entry_opened: row.get(10)?,
        qualified: row.get(11)?,
    })
}

impl<D: Database> Rollups for SqlStore<D> {
    fn count_days_in(&self, zone: &TimeZone) -> Result<(), StoreError> {
        let zone = zone.clone();
        self.database.write(move |connection| {
            let doing = "change the time zone of attribution";
            let known = "SELECT timezone FROM rollup_state";
            // The counts of an unfinished copy come with the rest of it.
            if marks::mark(connection, marks::UNFINISHED)?.is_some() {
                return Ok(());
            }
            if only(connection, doing, known, &[], |row| row.get::<String>(0))? == name_of(&zone) {
                return Ok(());
            }
            let transaction = Transaction::begin(connection, doing)?;
            transaction.lock(doing, Lock::Everything)?;
            begin(&*transaction, &zone, 0)?;
            transaction.commit(doing)
        })
    }

    fn count_on(&self) -> Result<bool, StoreError> {
        self.database.write(|connection| match marks::mark(connection, marks::UNFINISHED)? {
            Some(_) => Ok(true),
            None => count_slice(connection),
        })
    }

    fn attribution(&self, question: &Question, zone: &TimeZone) -> Result<Vec<Rolled>, StoreError> {
        self.database.read(|connection| {
            // A store that no daemon of this version has opened yet counts nothing.
            if !super::knows(connection, 2)? {
                return Err(StoreError::new(StoreErrorKind::Counting, "read attribution"));
            }
            if marks::mark(connection, marks::UNFINISHED)?.is_some() {
                return Err(StoreError::new(StoreErrorKind::Counting, "read attribution"));
            }
            let Progress { zone: counted_in, through } = Progress::read(connection)?;
            if through != ALL || name_of(&counted_in) != name_of(zone) {
                return Err(StoreError::new(StoreErrorKind::Counting, "read attribution"));
            }
            select(connection, question)
        })
    }
}
