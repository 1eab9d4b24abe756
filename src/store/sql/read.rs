//! Reading: what was settled, the books, and leads.

use super::encoding::{self, blob_of, event_row, from_json, instant, millis};
use super::requests::proof_of;
use super::{Database, SqlStore, fold, outbox, queue};
use crate::store::replay::Selection;
use crate::store::sql::connection::{Connection, Row, Values, all, first, unreadable, values};
use crate::store::{Books, LeadIds, Leads, Ledger, Request, StoreError, Stored, TouchRange, TouchRow};
use std::ops::ControlFlow;
use wabridge_model::attribution::Touch;
use wabridge_model::cluster::Cluster;
use wabridge_model::evidence::Evidence;
use wabridge_model::id::{Identity, IdentityKind, LeadId};

/// Bodies of one claim together, give or take the last: they are held in memory until they are settled.
const CLAIM_BYTES: usize = 8 * 1024 * 1024;

/// Settled requests after one, oldest first.
pub(super) fn settled_after(
    connection: &dyn Connection,
    selection: Selection,
    after: i64,
    limit: usize,
) -> Result<Vec<Stored>, StoreError> {
    let (which, value) = match selection {
        Selection::Quarantined => ("id IN (SELECT request FROM quarantine) AND ?2 >= 0", 0),
        Selection::Since(at) => ("received_at >= ?2", millis(at)),
        Selection::Cluster(cluster) => (
            "id IN (SELECT request FROM items WHERE event IN (SELECT id FROM events WHERE cluster = ?2))",
            cluster,
        ),
    };
    let settled = queue::is_settled(connection.dialect());
    let find = format!(
        "SELECT id, received_at, channel, proof, secret_index, query, headers, body, 0 FROM requests
         WHERE id > ?1 AND {settled} AND {which} ORDER BY id LIMIT ?3"
    );
    claimed(connection, &find, values![after, value, limit])
}

pub(super) fn claimed(
    connection: &dyn Connection,
    find: &str,
    values: Values<'_>,
) -> Result<Vec<Stored>, StoreError> {
    let (mut claimed, mut bytes) = (Vec::new(), 0);
    connection.query("read requests", find, values, &mut |row| {
        let one = stored(row)?;
        bytes += one.request.body.len();
        claimed.push(one);
        Ok(if bytes >= CLAIM_BYTES { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    Ok(claimed)
}

fn stored(row: &Row<'_>) -> Result<Stored, StoreError> {
    let headers: String = row.get(6)?;
    Ok(Stored {
        id: row.get(0)?,
        poison: row.get(8)?,
        request: Request {
            received_at: instant(row.get(1)?),
            channel: row.get(2)?,
            proof: proof_of(&row.get::<String>(3)?),
            secret_index: row.get(4)?,
            query: row.get(5)?,
            headers: serde_json::from_str(&headers).unwrap_or_default(),
            body: row.get(7)?,
        },
    })
}

impl<D: Database> Ledger for SqlStore<D> {
    fn books(&self) -> Result<Books, StoreError> {
        self.database.read(|connection| {
            let mut books = Books::default();
            if super::knows(connection, 3)? {
                books.jobs = outbox::books(connection)?;
            }
            let (stored, waiting) = queue::counts(connection)?;
            books.requests.insert("stored".to_owned(), stored);
            books.requests.insert("waiting".to_owned(), waiting);
            books.requests.extend(["projected", "quarantined"].map(|state| (state.to_owned(), 0)));
            const COUNTERS: &str = "SELECT name, value FROM counters";
            let read = |row: &Row<'_>| Ok((row.get::<String>(0)?, row.get::<i64>(1)?.unsigned_abs()));
            for (name, value) in all(connection, "read the books", COUNTERS, &[], read)? {
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

    fn fold(&self) -> Result<usize, StoreError> {
        self.database.take(|connection| fold::fold(connection))
    }
}

impl<D: Database> Leads for SqlStore<D> {
    fn clusters_named(&self, identity: &Identity) -> Result<Vec<i64>, StoreError> {
        const NAMES: &str = "SELECT DISTINCT cluster FROM names WHERE kind = ? AND value = ?
                             AND (?3 = '' OR scope = ?3) ORDER BY cluster";
        const HANDLES: &str =
            "SELECT cluster FROM handles WHERE kind = ? AND value = ? AND ?3 = ?3 ORDER BY cluster";
        let sql = match identity.kind {
            IdentityKind::Username | IdentityKind::Email => HANDLES,
            IdentityKind::Phone => "SELECT cluster FROM names WHERE kind = ? AND scope = ?3 AND value = ?2",
            IdentityKind::Bsuid | IdentityKind::ParentBsuid => NAMES,
        };
        self.database.read(|connection| {
            let values = values![identity.kind.as_str(), identity.value, identity.scope];
            all(connection, "look up a name", sql, values, |row| row.get(0))
        })
    }

    fn cluster_of(&self, id: LeadId) -> Result<Option<(i64, Identity, u32)>, StoreError> {
        self.database.read(|connection| cluster_of(connection, id))
    }

    fn cluster(&self, cluster: i64) -> Result<Option<(Cluster, LeadIds)>, StoreError> {
        const STATE: &str = "SELECT state FROM clusters WHERE id = ?";
        const ID: &str = "SELECT id FROM lead_ids WHERE kind = ? AND scope = ? AND value = ? AND tenure = ?";
        let doing = "read a lead";
        self.database.read(|connection| {
            let json: Option<String> = first(connection, doing, STATE, values![cluster], |row| row.get(0))?;
            let Some(json) = json else { return Ok(None) };
            let state: Cluster = from_json(&json)?;
            let mut ids = LeadIds::new();
            for name in state.leads.iter().flat_map(|lead| &lead.names).filter(|name| name.bears_id()) {
                let Identity { kind, scope, value } = &name.identity;
                let values = values![kind.as_str(), scope, value, name.tenure];
                if let Some(id) = first(connection, doing, ID, values, |row| row.get(0))? {
                    ids.insert((name.identity.clone(), name.tenure), LeadId(encoding::uuid_of(id)));
                }
            }
            Ok(Some((state, ids)))
        })
    }

    fn evidence(&self, cluster: i64) -> Result<Vec<Evidence>, StoreError> {
        self.database.read(|connection| {
            Ok(encoding::events_of(connection, cluster)?.into_iter().map(|row| row.evidence).collect())
        })
    }

    fn clusters_called(&self, words: &[String], from: i64, limit: usize) -> Result<Vec<i64>, StoreError> {
        self.database.read(|connection| super::search::clusters_called(connection, words, from, limit))
    }

    fn touches(&self, range: TouchRange, limit: usize) -> Result<Vec<TouchRow>, StoreError> {
        const FIND: &str = "SELECT lead_id, phone, touch FROM touches
             WHERE occurred_at >= ?1 AND occurred_at < ?2 AND (occurred_at, id) > (?3, ?4)
             ORDER BY occurred_at, id LIMIT ?5";
        let since = range.since.map_or(i64::MIN, millis);
        let until = range.until.map_or(i64::MAX, millis);
        let (after_at, after_id) =
            range.after.map_or((i64::MIN, [0; 16]), |(at, id)| (millis(at), blob_of(id.0)));
        self.database.read(|connection| {
            let values = values![since, until, after_at, after_id, limit];
            all(connection, "list touches", FIND, values, |row| {
                let (lead_id, json): (_, String) = (LeadId(encoding::uuid_of(row.get(0)?)), row.get(2)?);
                Ok(TouchRow { lead_id, phone: row.get(1)?, touch: from_json::<Touch>(&json)? })
            })
        })
    }

    fn cluster_ids(&self, after: i64, limit: usize) -> Result<Vec<i64>, StoreError> {
        let doing = "list leads";
        self.database.read(|connection| {
            all(
                connection,
                doing,
                "SELECT id FROM clusters WHERE id > ? ORDER BY id LIMIT ?",
                values![after, limit],
                |row| row.get(0),
            )
        })
    }
}

/// The cluster of a lead id, and the name and tenure that it was drawn for.
pub(super) fn cluster_of(
    connection: &dyn Connection,
    id: LeadId,
) -> Result<Option<(i64, Identity, u32)>, StoreError> {
    const FIND: &str = "SELECT n.cluster, i.kind, i.scope, i.value, i.tenure FROM lead_ids i
         JOIN names n USING (kind, scope, value) WHERE i.id = ?1
         UNION ALL
         SELECT a.cluster, i.kind, i.scope, i.value, i.tenure FROM lead_ids i
         JOIN aliases a ON i.kind = 'email' AND a.alias = 'email:' || replace(i.value, '%', '%25') WHERE i.id = ?1";
    first(connection, "look up a lead id", FIND, values![blob_of(id.0)], |row| {
        let kind = encoding::kind_of(&row.get::<String>(1)?).ok_or_else(unreadable)?;
        let identity = Identity { kind, scope: row.get(2)?, value: row.get(3)? };
        Ok((row.get(0)?, identity, row.get(4)?))
    })
}

/// All evidence in the order it was stored, `limit` rows after `after`: what a rebuild reads.
pub(in crate::store) fn events_after(
    connection: &dyn Connection,
    after: i64,
    limit: usize,
) -> Result<Vec<(i64, Evidence)>, StoreError> {
    const FIND: &str = "SELECT id, cluster, evidence FROM events WHERE id > ? ORDER BY id LIMIT ?";
    all(connection, "read events", FIND, values![after, limit], |row| {
        event_row(row).map(|row| (row.id, row.evidence))
    })
}

/// Evidence in no cluster, `limit` rows after `after`.
pub(super) fn loose_events_after(
    connection: &dyn Connection,
    after: i64,
    limit: usize,
) -> Result<Vec<(i64, Evidence)>, StoreError> {
    const FIND: &str =
        "SELECT id, cluster, evidence FROM events WHERE id > ? AND cluster IS NULL ORDER BY id LIMIT ?";
    all(connection, "read events", FIND, values![after, limit], |row| {
        event_row(row).map(|row| (row.id, row.evidence))
    })
}
