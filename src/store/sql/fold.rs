//! Folding: where changes of counts are rows, one process at a time adds them to the sums, so that reading stays fast.
//!
//! In: rows of `counter_changes` and `rollup_changes`. Out: their sums, in the transaction that deletes them: whoever
//! reads sees a change as a row or in a sum, never both and never neither. What is deleted is what is added, row by row:
//! an id or an instant would say nothing of a transaction that commits late. Nobody waits: whoever changes a count
//! inserts, whoever reads does so from a snapshot, and whoever finds another folding leaves it to them.

use crate::store::StoreError;
use crate::store::sql::connection::{Connection, Dialect, Row, Transaction, all, only, run, values};

const DOING: &str = "fold the counts";
/// Rows of each kind that are folded in one transaction.
const MOST: usize = 10_000;

/// Folds some of what changed. How many rows; 0 where there is nothing, or somebody else does.
pub(super) fn fold(connection: &dyn Connection) -> Result<usize, StoreError> {
    if connection.dialect() == Dialect::Sqlite {
        return Ok(0);
    }
    let transaction = Transaction::begin(connection, DOING)?;
    if !transaction.try_to_fold()? {
        transaction.roll_back(DOING)?;
        return Ok(0);
    }
    let folded = counters(&*transaction)? + rollups(&*transaction)?;
    transaction.commit(DOING)?;
    Ok(folded)
}

fn counters(transaction: &dyn Connection) -> Result<usize, StoreError> {
    const FOLD: &str = "WITH gone AS (
             DELETE FROM counter_changes WHERE ctid = ANY (ARRAY(SELECT ctid FROM counter_changes LIMIT ?))
             RETURNING name, value),
         added AS (
             INSERT INTO counter_sums SELECT name, sum(value) FROM gone GROUP BY name
             ON CONFLICT (name) DO UPDATE SET value = counter_sums.value + excluded.value)
         SELECT count(*) FROM gone";
    only(transaction, DOING, FOLD, values![MOST], |row| row.get(0))
}

/// Where a sum comes to nothing, its row goes: attribution is asked of days and ads that are.
fn rollups(transaction: &dyn Connection) -> Result<usize, StoreError> {
    const FOLD: &str = "WITH gone AS (
             DELETE FROM rollup_changes WHERE ctid = ANY (ARRAY(SELECT ctid FROM rollup_changes LIMIT ?))
             RETURNING *),
         added AS (
             INSERT INTO rollup_sums
             SELECT model, day, ad_id, business_number, provider, state, cause, sum(conversations), sum(leads),
                 sum(click_id_present), sum(answered_5m), sum(answered_unknown), sum(free_entry_opened),
                 sum(qualified), sum(qualified_then)
             FROM gone GROUP BY model, day, ad_id, business_number, provider, state, cause
             ON CONFLICT (model, day, ad_id, business_number, provider, state, cause) DO UPDATE SET
                 conversations = rollup_sums.conversations + excluded.conversations,
                 leads = rollup_sums.leads + excluded.leads,
                 click_id_present = rollup_sums.click_id_present + excluded.click_id_present,
                 answered_5m = rollup_sums.answered_5m + excluded.answered_5m,
                 answered_unknown = rollup_sums.answered_unknown + excluded.answered_unknown,
                 free_entry_opened = rollup_sums.free_entry_opened + excluded.free_entry_opened,
                 qualified = rollup_sums.qualified + excluded.qualified,
                 qualified_then = rollup_sums.qualified_then + excluded.qualified_then
             RETURNING *)
         SELECT (SELECT count(*) FROM gone), model, day, ad_id, business_number, provider, state, cause,
             conversations = 0 AND leads = 0 AND click_id_present = 0 AND answered_5m = 0 AND answered_unknown = 0
             AND free_entry_opened = 0 AND qualified = 0 AND qualified_then = 0
         FROM added";
    const FORGET: &str =
        "DELETE FROM rollup_sums WHERE model = ? AND day = ? AND ad_id = ? AND business_number = ?
         AND provider = ? AND state = ? AND cause = ?";
    let read = |row: &Row<'_>| {
        let key = (1..8).map(|column| row.get::<String>(column)).collect::<Result<Vec<_>, _>>()?;
        Ok((row.get::<usize>(0)?, key, row.get::<bool>(8)?))
    };
    let sums = all(transaction, DOING, FOLD, values![MOST], read)?;
    for (_, key, _) in sums.iter().filter(|(.., is_nothing)| *is_nothing) {
        let [model, day, ad, number, provider, state, cause] = &key[..] else { continue };
        run(transaction, DOING, FORGET, values![model, day, ad, number, provider, state, cause])?;
    }
    Ok(sums.first().map_or(0, |(gone, ..)| *gone))
}
