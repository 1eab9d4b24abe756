//! Reading, on connections of its own, so that no reader waits for the writer.

use super::sql::{self, blob_of, event_row, failed, from_json, instant, millis, parse_event_row};
use super::{SqliteStore, outbox, proof_of};
use crate::store::replay::Selection;
use crate::store::{
    Backlog, Books, LeadIds, Leads, Ledger, Request, StoreError, StoreErrorKind, Stored, TouchRange, TouchRow,
};
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use wabridge_model::attribution::Touch;
use wabridge_model::cluster::Cluster;
use wabridge_model::evidence::Evidence;
use wabridge_model::id::{Identity, IdentityKind, LeadId};

/// Bodies of one claim together, give or take the last: they are held in memory until they are settled.
const CLAIM_BYTES: usize = 8 * 1024 * 1024;
/// The most connections kept open between reads.
const KEPT: usize = 4;

/// Read-only connections, opened as needed and kept for the next reader.
pub(super) struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    pub(super) fn new(path: &Path) -> Readers {
        Readers { path: path.to_owned(), idle: Mutex::new(Vec::new()) }
    }

    /// Runs a read on one snapshot of the database.
    pub(super) fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.open()?,
        };
        let doing = "begin to read";
        let transaction = connection.unchecked_transaction().map_err(failed(doing))?;
        let result = work(&transaction);
        transaction.finish().map_err(failed(doing))?;
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < KEPT {
            idle.push(connection);
        }
        result
    }

    fn open(&self) -> Result<Connection, StoreError> {
        let doing = "open the store for reading";
        // Read-write at the file level: a reader of a WAL database may have to make its index file.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags).map_err(failed(doing))?;
        connection.busy_timeout(Duration::from_secs(5)).map_err(failed(doing))?;
        connection
            .execute_batch("PRAGMA query_only = ON; PRAGMA trusted_schema = OFF; PRAGMA mmap_size = 0;")
            .map_err(failed(doing))?;
        connection.set_prepared_statement_cache_capacity(64);
        Ok(connection)
    }
}

fn count(connection: &Connection, sql: &str) -> Result<u64, StoreError> {
    let mut statement = connection.prepare_cached(sql).map_err(failed("count"))?;
    let value: i64 = statement.query_row([], |row| row.get(0)).map_err(failed("count"))?;
    Ok(value.unsigned_abs())
}

const STORED: &str = "SELECT coalesce(max(id), 0) FROM requests";
const THROUGH: &str = "SELECT value FROM meta WHERE name = 'projected_through'";
/// Requests that the others went past; see `aside.rs`.
const ASIDE: &str = "SELECT count(*) FROM crashes
                     WHERE request <= (SELECT value FROM meta WHERE name = 'projected_through')";

/// The oldest requests that wait and are not set aside.
pub(super) fn claim(connection: &Connection, limit: usize) -> Result<Vec<Stored>, StoreError> {
    const FIND: &str = "SELECT id, received_at, channel, proof, secret_index, query, headers, body, 0
         FROM requests
         WHERE id > (SELECT value FROM meta WHERE name = 'projected_through')
         AND NOT EXISTS (SELECT 1 FROM crashes WHERE request = requests.id) ORDER BY id LIMIT ?";
    claimed(connection, FIND, [i64::try_from(limit).unwrap_or(i64::MAX)])
}

/// The CROSS is for SQLite, which would otherwise read all requests to find the few that are set aside.
const NEXT_ASIDE: &str =
    "SELECT id, received_at, channel, proof, secret_index, query, headers, body, count >= 2
     FROM crashes CROSS JOIN requests ON id = request
     WHERE (count <> 1 OR ?) AND NOT EXISTS (
         SELECT 1 FROM requests r WHERE r.id > (SELECT value FROM meta WHERE name = 'projected_through')
         AND r.id < crashes.request AND NOT EXISTS (SELECT 1 FROM crashes c WHERE c.request = r.id))
     ORDER BY count DESC, request LIMIT 1";

/// A request that was set aside and that all others before it went past: poison first, since it takes no time,
/// then suspects, then the oldest.
pub(super) fn claim_aside(
    connection: &Connection,
    with_suspects: bool,
) -> Result<Option<Stored>, StoreError> {
    Ok(claimed(connection, NEXT_ASIDE, [with_suspects])?.pop())
}

/// Settled requests after one, oldest first.
pub(super) fn settled_after(
    connection: &Connection,
    selection: Selection,
    after: i64,
    limit: usize,
) -> Result<Vec<Stored>, StoreError> {
    let (which, value) = match selection {
        Selection::Quarantined => ("id IN (SELECT request FROM quarantine) AND ?2 = ?2", 0),
        Selection::Since(at) => ("received_at >= ?2", millis(at)),
        Selection::Cluster(cluster) => (
            "id IN (SELECT request FROM items WHERE event IN (SELECT id FROM events WHERE cluster = ?2))",
            cluster,
        ),
    };
    let find = format!(
        "SELECT id, received_at, channel, proof, secret_index, query, headers, body, 0 FROM requests
         WHERE id > ?1 AND id <= (SELECT value FROM meta WHERE name = 'projected_through')
         AND NOT EXISTS (SELECT 1 FROM crashes WHERE request = requests.id)
         AND {which} ORDER BY id LIMIT ?3"
    );
    claimed(connection, &find, params![after, value, i64::try_from(limit).unwrap_or(i64::MAX)])
}

fn claimed(
    connection: &Connection,
    find: &str,
    values: impl rusqlite::Params,
) -> Result<Vec<Stored>, StoreError> {
    let doing = "read requests";
    let mut statement = connection.prepare_cached(find).map_err(failed(doing))?;
    let mut rows = statement.query(values).map_err(failed(doing))?;
    let (mut claimed, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.next().map_err(failed(doing))? {
        let one = stored(row).map_err(failed(doing))?;
        bytes += one.request.body.len();
        claimed.push(one);
        if bytes >= CLAIM_BYTES {
            break;
        }
    }
    Ok(claimed)
}

fn stored(row: &rusqlite::Row<'_>) -> rusqlite::Result<Stored> {
    let headers: String = row.get(6)?;
    Ok(Stored {
        id: row.get(0)?,
        poison: row.get(8)?,
        request: Request {
            received_at: instant(row.get(1)?),
            channel: row.get(2)?,
            proof: proof_of(&row.get::<_, String>(3)?),
            secret_index: row.get(4)?,
            query: row.get(5)?,
            headers: serde_json::from_str(&headers).unwrap_or_default(),
            body: row.get(7)?,
        },
    })
}

pub(super) fn backlog(connection: &Connection) -> Result<Backlog, StoreError> {
    const RECEIVED: &str = "SELECT received_at FROM requests WHERE id = ?";
    let doing = "read the backlog";
    let (newest, through) = (count(connection, STORED)?, count(connection, THROUGH)?);
    let mut received = connection.prepare_cached(RECEIVED).map_err(failed(doing))?;
    let mut at = |id: u64| -> Result<_, StoreError> {
        let millis: Option<i64> =
            received.query_row([id], |row| row.get(0)).optional().map_err(failed(doing))?;
        Ok(millis.map(instant))
    };
    let aside = count(connection, ASIDE)?;
    let oldest = match aside {
        0 if newest > through => at(through + 1)?,
        0 => None,
        _ => at(count(connection, "SELECT min(request) FROM crashes")?)?,
    };
    let waiting = newest.saturating_sub(through) + aside;
    Ok(Backlog { waiting, oldest, newest_receipt: at(newest)? })
}

impl Ledger for SqliteStore {
    fn books(&self) -> Result<Books, StoreError> {
        self.readers.read(|connection| {
            let mut books = Books::default();
            if super::schema_version(connection)?.is_some_and(|(version, _)| version >= 3) {
                books.jobs = outbox::books(connection)?;
            }
            let (stored, through) = (count(connection, STORED)?, count(connection, THROUGH)?);
            books.requests.insert("stored".to_owned(), stored);
            let waiting = stored.saturating_sub(through) + count(connection, ASIDE)?;
            books.requests.insert("waiting".to_owned(), waiting);
            books.requests.extend(["projected", "quarantined"].map(|state| (state.to_owned(), 0)));
            let doing = "read the books";
            let mut statement =
                connection.prepare_cached("SELECT name, value FROM counters").map_err(failed(doing))?;
            let mut rows = statement.query([]).map_err(failed(doing))?;
            while let Some(row) = rows.next().map_err(failed(doing))? {
                let name: String = row.get(0).map_err(failed(doing))?;
                let value = row.get::<_, i64>(1).map_err(failed(doing))?.unsigned_abs();
                let _ = match name.split_once('.') {
                    Some(("requests", state)) => books.requests.insert(state.to_owned(), value),
                    Some(("items", result)) if value > 0 => books.items.insert(result.to_owned(), value),
                    Some(("jobs", result)) if value > 0 => books.jobs.insert(result.to_owned(), value),
                    _ => None,
                };
            }
            Ok(books)
        })
    }
}

impl Leads for SqliteStore {
    fn clusters_named(&self, identity: &Identity) -> Result<Vec<i64>, StoreError> {
        const NAMES: &str = "SELECT DISTINCT cluster FROM names WHERE kind = ? AND value = ?
                             AND (?3 = '' OR scope = ?3) ORDER BY cluster";
        const HANDLES: &str =
            "SELECT cluster FROM handles WHERE kind = ? AND value = ? AND ?3 = ?3 ORDER BY cluster";
        let doing = "look up a name";
        let sql = match identity.kind {
            IdentityKind::Username | IdentityKind::Email => HANDLES,
            IdentityKind::Phone => "SELECT cluster FROM names WHERE kind = ? AND scope = ?3 AND value = ?2",
            IdentityKind::Bsuid | IdentityKind::ParentBsuid => NAMES,
        };
        self.readers.read(|connection| {
            let mut statement = connection.prepare_cached(sql).map_err(failed(doing))?;
            let values = params![identity.kind.as_str(), identity.value, identity.scope];
            let rows = statement.query_map(values, |row| row.get(0)).map_err(failed(doing))?;
            rows.map(|row| row.map_err(failed(doing))).collect()
        })
    }

    fn cluster_of(&self, id: LeadId) -> Result<Option<(i64, Identity, u32)>, StoreError> {
        self.readers.read(|connection| cluster_of(connection, id))
    }

    fn cluster(&self, cluster: i64) -> Result<Option<(Cluster, LeadIds)>, StoreError> {
        const STATE: &str = "SELECT state FROM clusters WHERE id = ?";
        const ID: &str = "SELECT id FROM lead_ids WHERE kind = ? AND scope = ? AND value = ? AND tenure = ?";
        let doing = "read a lead";
        self.readers.read(|connection| {
            let mut statement = connection.prepare_cached(STATE).map_err(failed(doing))?;
            let json: Option<String> =
                statement.query_row([cluster], |row| row.get(0)).optional().map_err(failed(doing))?;
            let Some(json) = json else { return Ok(None) };
            let state: Cluster = from_json(&json)?;
            let mut ids = LeadIds::new();
            let mut statement = connection.prepare_cached(ID).map_err(failed(doing))?;
            for name in state.leads.iter().flat_map(|lead| &lead.names).filter(|name| name.bears_id()) {
                let Identity { kind, scope, value } = &name.identity;
                let values = params![kind.as_str(), scope, value, name.tenure];
                let id = statement.query_row(values, |row| row.get(0)).optional().map_err(failed(doing))?;
                if let Some(id) = id {
                    ids.insert((name.identity.clone(), name.tenure), LeadId(sql::uuid_of(id)));
                }
            }
            Ok(Some((state, ids)))
        })
    }

    fn evidence(&self, cluster: i64) -> Result<Vec<Evidence>, StoreError> {
        self.readers.read(|connection| {
            Ok(sql::events_of(connection, cluster)?.into_iter().map(|row| row.evidence).collect())
        })
    }

    fn clusters_called(&self, words: &[String], from: i64, limit: usize) -> Result<Vec<i64>, StoreError> {
        self.readers.read(|connection| super::search::clusters_called(connection, words, from, limit))
    }

    fn touches(&self, range: TouchRange, limit: usize) -> Result<Vec<TouchRow>, StoreError> {
        const FIND: &str = "SELECT lead_id, phone, touch FROM touches
             WHERE occurred_at >= ?1 AND occurred_at < ?2 AND (occurred_at, id) > (?3, ?4)
             ORDER BY occurred_at, id LIMIT ?5";
        let doing = "list touches";
        let since = range.since.map_or(i64::MIN, millis);
        let until = range.until.map_or(i64::MAX, millis);
        let (after_at, after_id) =
            range.after.map_or((i64::MIN, [0; 16]), |(at, id)| (millis(at), blob_of(id.0)));
        self.readers.read(|connection| {
            let mut statement = connection.prepare_cached(FIND).map_err(failed(doing))?;
            let values = params![since, until, after_at, after_id, limit];
            let mut rows = statement.query(values).map_err(failed(doing))?;
            let mut found = Vec::new();
            while let Some(row) = rows.next().map_err(failed(doing))? {
                let json: String = row.get(2).map_err(failed(doing))?;
                found.push(TouchRow {
                    lead_id: LeadId(sql::uuid_of(row.get(0).map_err(failed(doing))?)),
                    phone: row.get(1).map_err(failed(doing))?,
                    touch: from_json::<Touch>(&json)?,
                });
            }
            Ok(found)
        })
    }

    fn cluster_ids(&self, after: i64, limit: usize) -> Result<Vec<i64>, StoreError> {
        let doing = "list leads";
        self.readers.read(|connection| {
            let mut statement = connection
                .prepare_cached("SELECT id FROM clusters WHERE id > ? ORDER BY id LIMIT ?")
                .map_err(failed(doing))?;
            let rows = statement.query_map(params![after, limit], |row| row.get(0)).map_err(failed(doing))?;
            rows.map(|row| row.map_err(failed(doing))).collect()
        })
    }
}

/// The cluster of a lead id, and the name and tenure that it was drawn for.
pub(super) fn cluster_of(
    connection: &Connection,
    id: LeadId,
) -> Result<Option<(i64, Identity, u32)>, StoreError> {
    const FIND: &str = "SELECT n.cluster, i.kind, i.scope, i.value, i.tenure FROM lead_ids i
         JOIN names n USING (kind, scope, value) WHERE i.id = ?1
         UNION ALL
         SELECT a.cluster, i.kind, i.scope, i.value, i.tenure FROM lead_ids i
         JOIN aliases a ON i.kind = 'email' AND a.alias = 'email:' || replace(i.value, '%', '%25') WHERE i.id = ?1";
    let doing = "look up a lead id";
    let mut statement = connection.prepare_cached(FIND).map_err(failed(doing))?;
    let row = statement
        .query_row([blob_of(id.0)], |row| {
            let kind: String = row.get(1)?;
            Ok((row.get(0)?, kind, row.get(2)?, row.get(3)?, row.get(4)?))
        })
        .optional()
        .map_err(failed(doing))?;
    let corrupt = || StoreError::new(StoreErrorKind::Corrupt, doing);
    row.map(|(cluster, kind, scope, value, tenure)| {
        let kind = sql::kind_of(&kind).ok_or_else(corrupt)?;
        Ok((cluster, Identity { kind, scope, value }, tenure))
    })
    .transpose()
}

/// All evidence in the order it was stored, `limit` rows after `after`: what a rebuild reads.
pub(super) fn events_after(
    connection: &Connection,
    after: i64,
    limit: usize,
) -> Result<Vec<(i64, Evidence)>, StoreError> {
    let doing = "read events";
    let mut statement = connection
        .prepare_cached("SELECT id, cluster, evidence FROM events WHERE id > ? ORDER BY id LIMIT ?")
        .map_err(failed(doing))?;
    let rows = statement.query_map(params![after, limit], event_row).map_err(failed(doing))?;
    rows.map(|row| parse_event_row(row.map_err(failed(doing))?).map(|row| (row.id, row.evidence))).collect()
}

/// Evidence in no cluster, `limit` rows after `after`.
pub(super) fn loose_events_after(
    connection: &Connection,
    after: i64,
    limit: usize,
) -> Result<Vec<(i64, Evidence)>, StoreError> {
    let doing = "read events";
    let mut statement = connection
        .prepare_cached(
            "SELECT id, cluster, evidence FROM events WHERE id > ? AND cluster IS NULL ORDER BY id LIMIT ?",
        )
        .map_err(failed(doing))?;
    let rows = statement.query_map(params![after, limit], event_row).map_err(failed(doing))?;
    rows.map(|row| parse_event_row(row.map_err(failed(doing))?).map(|row| (row.id, row.evidence))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looking_for_what_is_set_aside_reads_no_other_request() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("store.db");
        SqliteStore::prepare(&path).unwrap();
        let connection = super::super::open_file(&path).unwrap();
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {NEXT_ASIDE}")).unwrap();
        let plan = statement.query_map([1], |row| row.get::<_, String>(3)).unwrap();
        let plan: Vec<String> = plan.map(Result::unwrap).collect();
        assert!(plan.iter().any(|step| step.starts_with("SEARCH requests")), "{plan:?}");
        assert!(!plan.iter().any(|step| step.starts_with("SCAN requests")), "{plan:?}");
    }
}
