//! The counts of attribution: kept as sums by projection, counted anew in slices, read by the day.
//!
//! In: what a cluster added before and adds now. Out: rows of `rollups`, each the sum over all clusters. A
//! cluster after `through` is not in the sums yet and leaves them alone until its turn comes.

use super::SqliteStore;
use super::rows::SqliteRows;
use super::sql::{events_of, failed};
use crate::leads::rollup::{Contributions, Counts, Model, contributions};
use crate::store::{DateOf, Question, Rolled, Rollups, Rows, StoreError, StoreErrorKind};
use jiff::tz::{Offset, TimeZone};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
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
    fn read(connection: &Connection) -> Result<Progress, StoreError> {
        let doing = "read how far attribution is counted";
        let mut statement =
            connection.prepare_cached("SELECT timezone, through FROM rollup_state").map_err(failed(doing))?;
        let (name, through): (String, i64) =
            statement.query_row([], |row| Ok((row.get(0)?, row.get(1)?))).map_err(failed(doing))?;
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

/// Replaces what a cluster added.
pub(super) fn replace(
    connection: &Connection,
    cluster: i64,
    before: &Cluster,
    after: &Cluster,
) -> Result<(), StoreError> {
    let Progress { zone, through } = Progress::read(connection)?;
    if cluster > through {
        return Ok(());
    }
    let mut changes = contributions(after, &zone);
    for (key, counts) in contributions(before, &zone) {
        changes.entry(key).or_default().add(&counts, -1);
    }
    add(connection, &changes)
}

fn add(connection: &Connection, changes: &Contributions) -> Result<(), StoreError> {
    const ADD: &str = "INSERT INTO rollups VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET
             conversations = conversations + excluded.conversations,
             leads = leads + excluded.leads,
             click_id_present = click_id_present + excluded.click_id_present,
             answered_5m = answered_5m + excluded.answered_5m,
             answered_unknown = answered_unknown + excluded.answered_unknown,
             free_entry_opened = free_entry_opened + excluded.free_entry_opened,
             qualified = qualified + excluded.qualified,
             qualified_then = qualified_then + excluded.qualified_then";
    // Every contribution is a conversation or a qualification: a row without either counts nothing.
    const FORGET: &str =
        "DELETE FROM rollups WHERE model = ? AND day = ? AND ad_id = ? AND business_number = ?
         AND provider = ? AND state = ? AND cause = ? AND conversations = 0 AND qualified_then = 0";
    let doing = "count attribution";
    let mut statement = connection.prepare_cached(ADD).map_err(failed(doing))?;
    let mut forget = connection.prepare_cached(FORGET).map_err(failed(doing))?;
    for (key, counts) in changes.iter().filter(|(_, counts)| **counts != Counts::default()) {
        let (model, day) = (key.model.map_or("", Model::as_str), key.day.to_string());
        let [a, b, c, d, e, f, g, h] = counts.as_array();
        statement
            .execute(params![
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
            ])
            .map_err(failed(doing))?;
        if counts.conversations < 0 || counts.qualified_then < 0 {
            let of = params![model, day, key.ad_id, key.business_number, key.provider, key.state, key.cause];
            forget.execute(of).map_err(failed(doing))?;
        }
    }
    Ok(())
}

/// Forgets all counts, so that they are counted anew: in this time zone, from the first cluster on.
fn begin(connection: &Connection, zone: &TimeZone, through: i64) -> Result<(), StoreError> {
    let doing = "begin to count attribution";
    connection.execute("DELETE FROM rollups", []).map_err(failed(doing))?;
    connection
        .execute("UPDATE rollup_state SET timezone = ?, through = ?", params![name_of(zone), through])
        .map_err(failed(doing))
        .map(drop)
}

/// For a rebuild, which makes every cluster anew and counts it as it does.
pub(super) fn begin_rebuild(connection: &Connection) -> Result<(), StoreError> {
    begin(connection, &Progress::read(connection)?.zone, ALL)
}

/// For a rebuild beside a daemon, which leaves the clusters that stand: all are to be counted anew.
pub(super) fn begin_anew(connection: &Connection) -> Result<(), StoreError> {
    begin(connection, &Progress::read(connection)?.zone, 0)
}

/// Counts more clusters, for as long as a slice takes. Says whether all are counted.
pub(super) fn count_slice(connection: &mut Connection) -> Result<bool, StoreError> {
    const NEXT: &str = "SELECT id FROM clusters WHERE id > ? ORDER BY id LIMIT 1";
    const SET: &str = "UPDATE rollup_state SET through = ?";
    let doing = "count attribution";
    let started = Instant::now();
    let transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed(doing))?;
    let Progress { zone, mut through } = Progress::read(&transaction)?;
    while through < ALL && started.elapsed() < SLICE {
        let next: Option<i64> =
            transaction.query_row(NEXT, [through], |row| row.get(0)).optional().map_err(failed(doing))?;
        let Some(cluster) = next else {
            through = ALL;
            break;
        };
        match fold_anew(&transaction, cluster) {
            Ok(after) => add(&transaction, &contributions(&after, &zone))?,
            // What cannot be read back must not keep all others from being counted.
            Err(error) if error.kind == StoreErrorKind::Corrupt => {
                tracing::error!(cluster, doing = error.doing, "a cluster cannot be read; it is not counted");
            }
            Err(error) => return Err(error),
        }
        through = cluster;
    }
    transaction.execute(SET, [through]).map_err(failed(doing))?;
    transaction.commit().map_err(failed(doing))?;
    Ok(through == ALL)
}

/// Folds a cluster from its evidence with today's rules, and saves it where it differs.
fn fold_anew(connection: &Connection, cluster: i64) -> Result<Cluster, StoreError> {
    let mut rows = SqliteRows { connection, now: jiff::Timestamp::UNIX_EPOCH };
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
pub(super) fn all_rows(connection: &Connection) -> Result<BTreeSet<String>, StoreError> {
    const ALL_ROWS: &str = "SELECT concat_ws('|', model, day, ad_id, business_number, provider, state, cause, conversations,
             leads, click_id_present, answered_5m, answered_unknown, free_entry_opened, qualified, qualified_then)
         FROM rollups";
    let doing = "read attribution";
    let mut statement = connection.prepare(ALL_ROWS).map_err(failed(doing))?;
    let rows = statement.query_map([], |row| row.get(0)).map_err(failed(doing))?;
    rows.map(|row| row.map_err(failed(doing))).collect()
}

/// Columns are grouped by where their parameter says so. What is unattributed is one row for each cause, whatever
/// it is grouped by; ads are told apart from other origins by their state.
const SELECT: &str = "
WITH kept AS (
    SELECT *, state IN ('none', 'not_reported') AS unattributed FROM rollups
    WHERE model IN ('', :model) AND day >= :since AND day < :until
)
SELECT CASE WHEN :by = 'day' AND NOT unattributed THEN day END AS its_day,
       CASE WHEN :by = 'ad' AND ad_id <> '' THEN ad_id END AS its_ad,
       CASE WHEN :by = 'provider' AND NOT unattributed THEN provider END AS its_provider,
       CASE WHEN unattributed OR :by = 'state' OR :by = 'ad' AND ad_id = '' THEN state END AS its_state,
       CASE WHEN unattributed OR :by = 'state' OR :by = 'ad' AND ad_id = '' THEN nullif(cause, '') END AS its_cause,
       sum(conversations), sum(leads), sum(click_id_present), sum(answered_5m), sum(answered_unknown),
       sum(free_entry_opened), sum(iif(:outcome, qualified_then, qualified))
FROM kept GROUP BY unattributed, 1, 2, 3, 4, 5
HAVING sum(conversations) <> 0 OR sum(iif(:outcome, qualified_then, qualified)) <> 0
ORDER BY unattributed, its_day, its_ad IS NULL, sum(conversations) DESC, its_ad, its_provider, its_state, its_cause";

fn select(connection: &Connection, question: &Question) -> Result<Vec<Rolled>, StoreError> {
    let doing = "read attribution";
    let since = question.since.map_or_else(String::new, |day| day.to_string());
    // After every day, which begins with a digit.
    let until = question.until.map_or_else(|| "x".to_owned(), |day| day.to_string());
    let outcome = question.date == DateOf::Outcome;
    let mut statement = connection.prepare_cached(SELECT).map_err(failed(doing))?;
    let values = rusqlite::named_params! {
        ":model": question.model.as_str(), ":since": since, ":until": until, ":by": question.by.as_str(), ":outcome": outcome
    };
    let rows = statement.query_map(values, rolled).map_err(failed(doing))?;
    rows.map(|row| row.map_err(failed(doing))).collect()
}

fn rolled(row: &rusqlite::Row<'_>) -> rusqlite::Result<Rolled> {
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

impl Rollups for SqliteStore {
    fn count_days_in(&self, zone: &TimeZone) -> Result<(), StoreError> {
        let zone = zone.clone();
        self.writing()?.writer.run(move |connection| {
            let known: String = connection
                .query_row("SELECT timezone FROM rollup_state", [], |row| row.get(0))
                .map_err(failed("read the time zone of attribution"))?;
            if known == name_of(&zone) {
                return Ok(());
            }
            let doing = "change the time zone of attribution";
            let transaction = connection
                .transaction_with_behavior(TransactionBehavior::Immediate)
                .map_err(failed(doing))?;
            begin(&transaction, &zone, 0)?;
            transaction.commit().map_err(failed(doing))
        })
    }

    fn count_on(&self) -> Result<bool, StoreError> {
        self.writing()?.writer.run(count_slice)
    }

    fn attribution(&self, question: &Question, zone: &TimeZone) -> Result<Vec<Rolled>, StoreError> {
        self.readers.read(|connection| {
            // A store that no daemon of this version has opened yet counts nothing.
            if super::schema_version(connection)?.is_none_or(|(version, _)| version < 2) {
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
