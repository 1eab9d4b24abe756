//! What was used of CRMs' limits, by spans of time, and how many leads that served.

use super::super::encoding::{instant, millis};
use crate::store::StoreError;
use crate::store::outbox::Used;
use crate::store::sql::connection::{Connection, all, first, run, values};
use jiff::Timestamp;

/// Keeps spans in place of what was kept of the same, and forgets those that are of no more use: too old, or of a time
/// to which the clock was set by mistake.
pub(super) fn keep(
    connection: &dyn Connection,
    account: &str,
    rows: &[Used],
    (oldest, newest): (Timestamp, Timestamp),
) -> Result<(), StoreError> {
    const KEEP: &str = "INSERT INTO used (account, budget, span, amount) VALUES (?, ?, ?, ?)
         ON CONFLICT (account, budget, span) DO UPDATE SET amount = excluded.amount";
    // What is kept at no time of its own stays.
    const FORGET: &str =
        "DELETE FROM used WHERE account = ?1 AND budget = ?2 AND span > 0 AND (span < ?3 OR span > ?4)";
    for row in rows {
        let amount = i64::try_from(row.amount).unwrap_or(i64::MAX);
        run(connection, "keep what was used", KEEP, values![account, row.budget, millis(row.span), amount])?;
        run(
            connection,
            "forget what was used",
            FORGET,
            values![account, row.budget, millis(oldest), millis(newest)],
        )?;
    }
    Ok(())
}

pub(super) fn read(connection: &dyn Connection, account: &str) -> Result<Vec<Used>, StoreError> {
    const FIND: &str = "SELECT budget, span, amount FROM used WHERE account = ? ORDER BY budget, span";
    all(connection, "read what was used", FIND, values![account], |row| {
        let amount: i64 = row.get(2)?;
        Ok(Used {
            budget: row.get(0)?,
            span: instant(row.get(1)?),
            amount: u64::try_from(amount).unwrap_or(0),
        })
    })
}

/// Leads that a target was written for since then. For people who ask: it looks at every attempt since.
pub(super) fn leads_written(
    connection: &dyn Connection,
    target: &str,
    since: Timestamp,
) -> Result<u64, StoreError> {
    const COUNT: &str = "SELECT count(DISTINCT jobs.lead) FROM attempts JOIN jobs ON jobs.id = attempts.job
         WHERE jobs.target = ? AND attempts.ended_at >= ? AND attempts.result LIKE 'done%'";
    let count: Option<i64> =
        first(connection, "count leads", COUNT, values![target, millis(since)], |row| row.get(0))?;
    Ok(count.and_then(|count| u64::try_from(count).ok()).unwrap_or(0))
}
