//! The rows of one write transaction, as projection needs them.

use super::counters::count;
use super::encoding::{self, blob_of, instant, millis};
use super::{outbox, rollups};
use crate::leads::rollup::counted;
use crate::leads::search::words;
use crate::store::sql::connection::{Connection, Row, Values, first, run, values};
use crate::store::{Change, EventRow, Rows, StoreError, StoreErrorKind};
use jiff::Timestamp;
use std::collections::BTreeSet;
use wabridge_model::cluster::{Alias, Cluster};
use wabridge_model::evidence::{Evidence, Position};
use wabridge_model::id::{EventId, EventKey, Identity, IdentityKind, LeadId};
use wabridge_model::lead::{Lead, Name};

/// Rows of an open transaction on this connection.
pub(in crate::store) struct SqlRows<'c> {
    pub(in crate::store) connection: &'c dyn Connection,
    /// For drawing lead ids: a UUIDv7 begins with the time.
    pub(in crate::store) now: Timestamp,
    /// Where counts are kept until the transaction ends; else they are written at once.
    rollups: Option<&'c mut rollups::Changes>,
}

impl<'c> SqlRows<'c> {
    /// Rows that are written at once.
    pub(in crate::store) fn at(connection: &'c dyn Connection, now: Timestamp) -> SqlRows<'c> {
        SqlRows { connection, now, rollups: None }
    }

    /// Rows whose counts are for the caller to write before the transaction ends.
    pub(super) fn counting(
        connection: &'c dyn Connection,
        now: Timestamp,
        rollups: &'c mut rollups::Changes,
    ) -> SqlRows<'c> {
        SqlRows { connection, now, rollups: Some(rollups) }
    }

    fn replace_counts(&mut self, cluster: i64, before: &Cluster, after: &Cluster) -> Result<(), StoreError> {
        match &mut self.rollups {
            Some(changes) => changes.replace(self.connection, cluster, before, after),
            None => rollups::replace(self.connection, cluster, before, after),
        }
    }

    fn run(&self, doing: &'static str, sql: &str, values: Values<'_>) -> Result<usize, StoreError> {
        run(self.connection, doing, sql, values)
    }

    fn find<T>(
        &self,
        doing: &'static str,
        sql: &str,
        values: Values<'_>,
        read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        first(self.connection, doing, sql, values, read)
    }

    /// Reads what belongs to a cluster; anew, where somebody else had the cluster in hand and may have moved it.
    fn held<T>(
        &self,
        find: impl Fn() -> Result<Option<T>, StoreError>,
        cluster: impl Fn(&T) -> Option<i64>,
    ) -> Result<Option<T>, StoreError> {
        loop {
            let found = find()?;
            let Some(cluster) = found.as_ref().and_then(&cluster) else { return Ok(found) };
            if !self.connection.hold(cluster)? {
                return Ok(found);
            }
        }
    }

    fn draw_ids(&self, leads: &[Lead]) -> Result<(), StoreError> {
        const DRAW: &str = "INSERT INTO lead_ids (kind, scope, value, tenure, id) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING";
        for name in leads.iter().flat_map(|lead| &lead.names).filter(|name| name.bears_id()) {
            let Identity { kind, scope, value } = &name.identity;
            let id = encoding::draw_lead_id(self.now);
            self.run(
                "draw a lead id",
                DRAW,
                values![kind.as_str(), scope, value, name.tenure, blob_of(id.0)],
            )?;
        }
        Ok(())
    }

    fn save_handles(&self, cluster: i64, leads: &[Lead]) -> Result<(), StoreError> {
        const ADD: &str =
            "INSERT INTO handles (kind, value, cluster) VALUES (?, ?, ?) ON CONFLICT DO NOTHING";
        let is_handle =
            |name: &&Name| matches!(name.identity.kind, IdentityKind::Username | IdentityKind::Email);
        for name in leads.iter().flat_map(|lead| &lead.names).filter(is_handle) {
            self.run(
                "save a handle",
                ADD,
                values![name.identity.kind.as_str(), name.identity.value, cluster],
            )?;
        }
        Ok(())
    }

    /// The words of everybody's names, for look-up. What to forget is read off the state before: an index for
    /// it would cost as much as the words themselves.
    pub(super) fn save_words(&self, cluster: i64, before: &[Lead], after: &[Lead]) -> Result<(), StoreError> {
        const ADD: &str =
            "INSERT INTO search (kind, value, cluster) VALUES ('name', ?, ?) ON CONFLICT DO NOTHING";
        const FORGET: &str = "DELETE FROM search WHERE kind = 'name' AND value = ? AND cluster = ?";
        let (old, new) = (words_of(before), words_of(after));
        for word in old.difference(&new) {
            self.run("forget a name", FORGET, values![word, cluster])?;
        }
        for word in new.difference(&old) {
            self.run("save a name", ADD, values![word, cluster])?;
        }
        Ok(())
    }

    fn save_touches(&self, cluster: i64, before: &[Lead], leads: &[Lead]) -> Result<(), StoreError> {
        const ADD: &str =
            "INSERT INTO touches (occurred_at, id, cluster, lead_id, phone, touch) VALUES (?, ?, ?, ?, ?, ?)";
        if before.iter().any(|lead| !lead.attribution.touches.is_empty()) {
            self.run("forget touches", "DELETE FROM touches WHERE cluster = ?", values![cluster])?;
        }
        for lead in leads.iter().filter(|lead| !lead.attribution.touches.is_empty()) {
            let Some(id) = self.lead_id(lead)? else { continue };
            for touch in &lead.attribution.touches {
                let json = encoding::to_json(touch)?;
                let values = values![
                    millis(touch.occurred_at),
                    blob_of(touch.id.0),
                    cluster,
                    blob_of(id.0),
                    lead.phone(),
                    json
                ];
                self.run("save a touch", ADD, values)?;
            }
        }
        Ok(())
    }

    /// Counts refusals by a provider in windows that were open by the evidence.
    fn count_promises(&self, by: i64) -> Result<(), StoreError> {
        count(self.connection, "promises.broken", by)
    }

    /// The oldest id of a lead's names.
    pub(in crate::store) fn lead_id(&self, lead: &Lead) -> Result<Option<LeadId>, StoreError> {
        Ok(self.lead_ids(lead)?.first().copied())
    }

    /// The ids of a lead's names, the oldest first.
    pub(super) fn lead_ids(&self, lead: &Lead) -> Result<Vec<LeadId>, StoreError> {
        const FIND: &str =
            "SELECT id FROM lead_ids WHERE kind = ? AND scope = ? AND value = ? AND tenure = ?";
        let mut ids = Vec::new();
        for name in lead.names.iter().filter(|name| name.bears_id()) {
            let Identity { kind, scope, value } = &name.identity;
            let values = values![kind.as_str(), scope, value, name.tenure];
            let id = self.find("find a lead id", FIND, values, |row| row.get(0).map(encoding::uuid_of))?;
            ids.extend(id.map(LeadId));
        }
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }
}

fn broken_promises(cluster: &Cluster) -> i64 {
    let windows = cluster.leads.iter().flat_map(|lead| lead.windows.values());
    windows.map(|window| i64::from(window.broken_promises)).sum()
}

/// What of a lead other tables repeat.
fn repeated(leads: &[Lead]) -> impl Iterator<Item = (&Vec<Name>, &Vec<wabridge_model::attribution::Touch>)> {
    leads.iter().map(|lead| (&lead.names, &lead.attribution.touches))
}

/// The words that people are called by.
fn words_of(leads: &[Lead]) -> BTreeSet<String> {
    leads.iter().filter_map(|lead| lead.name.as_ref()).flat_map(|name| words(&name.value)).collect()
}

/// What people are called.
fn called(leads: &[Lead]) -> impl Iterator<Item = Option<&str>> {
    leads.iter().map(|lead| lead.name.as_ref().map(|name| name.value.as_str()))
}

impl Rows for SqlRows<'_> {
    fn event(&mut self, id: EventId) -> Result<Option<EventRow>, StoreError> {
        const FIND: &str = "SELECT id, cluster, evidence FROM events WHERE event_id = ?";
        let find = || self.find("find an event", FIND, values![blob_of(id.0)], encoding::event_row);
        self.held(find, |row| row.cluster)
    }

    fn add_event(&mut self, evidence: &Evidence, cluster: Option<i64>) -> Result<i64, StoreError> {
        const ADD: &str = "INSERT INTO events (event_id, cluster, evidence) VALUES (?, ?, ?)";
        let id = evidence.key().event_id();
        let values = values![blob_of(id.0), cluster, encoding::to_json(evidence)?];
        self.connection.insert("add an event", ADD, values)
    }

    fn set_evidence(&mut self, event: i64, evidence: &Evidence) -> Result<(), StoreError> {
        let json = encoding::to_json(evidence)?;
        self.run("update an event", "UPDATE events SET evidence = ? WHERE id = ?", values![json, event])
            .map(drop)
    }

    fn set_cluster(&mut self, event: i64, cluster: i64) -> Result<(), StoreError> {
        const SET: &str = "UPDATE events SET cluster = ?1 WHERE id = ?2 AND cluster IS DISTINCT FROM ?1";
        self.run("file an event", SET, values![cluster, event]).map(drop)
    }

    fn events_of(&mut self, cluster: i64) -> Result<Vec<EventRow>, StoreError> {
        encoding::events_of(self.connection, cluster)
    }

    fn name(&mut self, identity: &Identity) -> Result<Option<i64>, StoreError> {
        const FIND: &str = "SELECT cluster FROM names WHERE kind = ? AND scope = ? AND value = ?";
        let Identity { kind, scope, value } = identity;
        let values = values![kind.as_str(), scope, value];
        self.held(|| self.find("find a name", FIND, values, |row| row.get(0)), |cluster| Some(*cluster))
    }

    fn set_name(&mut self, identity: &Identity, cluster: i64) -> Result<(), StoreError> {
        const SET: &str = "INSERT INTO names (kind, scope, value, cluster) VALUES (?, ?, ?, ?)
                           ON CONFLICT (kind, scope, value) DO UPDATE SET cluster = excluded.cluster";
        let Identity { kind, scope, value } = identity;
        self.run("save a name", SET, values![kind.as_str(), scope, value, cluster]).map(drop)
    }

    fn alias(&mut self, alias: &Alias) -> Result<Option<(i64, Option<Position>)>, StoreError> {
        const FIND: &str = "SELECT cluster, claimed_at, claimed_key FROM aliases WHERE alias = ?";
        let read = |row: &Row<'_>| {
            let claim: (Option<i64>, Option<String>) = (row.get(1)?, row.get(2)?);
            let claim = match claim {
                (Some(at), Some(key)) => Some(Position { at: instant(at), key: EventKey::stored(key) }),
                _ => None,
            };
            Ok((row.get(0)?, claim))
        };
        let values = values![alias.as_str()];
        self.held(|| self.find("find an alias", FIND, values, read), |(cluster, _)| Some(*cluster))
    }

    fn set_alias(&mut self, alias: &Alias, cluster: i64, claim: Option<&Position>) -> Result<(), StoreError> {
        const SET: &str = "INSERT INTO aliases (alias, cluster, claimed_at, claimed_key) VALUES (?, ?, ?, ?)
                           ON CONFLICT (alias) DO UPDATE SET cluster = excluded.cluster,
                               claimed_at = excluded.claimed_at, claimed_key = excluded.claimed_key";
        let (at, key) = (claim.map(|claim| millis(claim.at)), claim.map(|claim| claim.key.as_str()));
        self.run("save an alias", SET, values![alias.as_str(), cluster, at, key]).map(drop)
    }

    fn add_cluster(&mut self) -> Result<i64, StoreError> {
        const ADD: &str = "INSERT INTO clusters (state) VALUES ('{}')";
        self.connection.insert("add a cluster", ADD, &[])
    }

    fn state(&mut self, cluster: i64) -> Result<Cluster, StoreError> {
        const FIND: &str = "SELECT state FROM clusters WHERE id = ?";
        let json: Option<String> = self.find("read a cluster", FIND, values![cluster], |row| row.get(0))?;
        let json = json.ok_or_else(|| StoreError::new(StoreErrorKind::Corrupt, "read a cluster"))?;
        encoding::from_json(&json)
    }

    fn save(&mut self, cluster: i64, before: &Cluster, after: &Cluster) -> Result<(), StoreError> {
        if !before.leads.iter().map(|lead| &lead.names).eq(after.leads.iter().map(|lead| &lead.names)) {
            self.draw_ids(&after.leads)?;
            self.save_handles(cluster, &after.leads)?;
        }
        if !called(&before.leads).eq(called(&after.leads)) {
            self.save_words(cluster, &before.leads, &after.leads)?;
        }
        if !repeated(&before.leads).eq(repeated(&after.leads)) {
            self.save_touches(cluster, &before.leads, &after.leads)?;
        }
        if !counted(&before.leads).eq(counted(&after.leads)) {
            self.replace_counts(cluster, before, after)?;
        }
        self.count_promises(broken_promises(after) - broken_promises(before))?;
        let json = encoding::to_json(after)?;
        self.run("save a cluster", "UPDATE clusters SET state = ? WHERE id = ?", values![json, cluster])
            .map(drop)
    }

    fn absorb(&mut self, gone: i64, into: i64) -> Result<(), StoreError> {
        const MOVES: [&str; 4] = [
            "UPDATE events SET cluster = ?2 WHERE cluster = ?1",
            "UPDATE names SET cluster = ?2 WHERE cluster = ?1",
            "UPDATE aliases SET cluster = ?2 WHERE cluster = ?1",
            "INSERT INTO handles SELECT kind, value, ?2 FROM handles WHERE cluster = ?1 ON CONFLICT DO NOTHING",
        ];
        let state = self.state(gone)?;
        self.replace_counts(gone, &state, &Cluster::default())?;
        self.save_words(gone, &state.leads, &[])?;
        for sql in MOVES {
            self.run("join clusters", sql, values![gone, into])?;
        }
        // The joined state is folded anew and counts them again.
        self.count_promises(-broken_promises(&state))?;
        self.run("join clusters", "DELETE FROM handles WHERE cluster = ?", values![gone])?;
        self.run("join clusters", "DELETE FROM touches WHERE cluster = ?", values![gone])?;
        self.run("join clusters", "DELETE FROM clusters WHERE id = ?", values![gone]).map(drop)
    }

    fn changed(&mut self, change: &Change<'_>) -> Result<(), StoreError> {
        outbox::changed(self, change)
    }

    fn found_person(&mut self, event: i64) -> Result<u64, StoreError> {
        const SET: &str =
            "UPDATE items SET result = 'applied', reason = NULL WHERE event = ? AND reason = 'no_identity'";
        self.run("give an item its person", SET, values![event]).map(|rows| rows as u64)
    }
}
