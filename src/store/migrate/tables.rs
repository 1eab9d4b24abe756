//! What is copied: every table of both schemas, with its columns, the key first.
//!
//! What is kept otherwise in the two databases (`counters`, `waiting`, `rollup_state`, some of `meta`) is in `rest.rs`.
//! Turns are not copied: they say which process calls an account now.

use crate::store::sql::connection::Dialect;
use Kind::{Blob, Integer, LongBlob, LongText, Text};

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A number.
    Integer,
    /// A short text.
    Text,
    /// Bytes, few.
    Blob,
    /// A text that is compared by its digest.
    LongText,
    /// Bytes that are compared by their digest.
    LongBlob,
}

/// A table.
#[derive(Debug)]
pub(super) struct Table {
    /// Its name, for reading.
    pub(super) name: &'static str,
    /// The columns, those of the key first.
    pub(super) columns: &'static [(&'static str, Kind)],
    /// How many columns are the key.
    pub(super) key: usize,
    /// Whether a row stays as it was inserted, for as long as it is there.
    pub(super) is_fixed: bool,
    /// Whether a daemon adds rows to an unfinished copy, under ids that the source does not reach.
    pub(super) grows: bool,
    /// Whether it is needed to fold all leads anew, and to compare them.
    pub(super) is_evidence: bool,
}

const fn table(name: &'static str, key: usize, columns: &'static [(&'static str, Kind)]) -> Table {
    Table { name, columns, key, is_fixed: false, grows: false, is_evidence: false }
}

impl Table {
    const fn fixed(self) -> Table {
        Table { is_fixed: true, ..self }
    }

    const fn grows(self) -> Table {
        Table { grows: true, ..self }
    }

    const fn evidence(self) -> Table {
        Table { is_evidence: true, ..self }
    }

    /// The name that rows are written under: in PostgreSQL, rollups are read through a view of two tables.
    pub(super) fn written(&self, dialect: Dialect) -> &'static str {
        match (self.name, dialect) {
            ("rollups", Dialect::Postgres) => "rollup_sums",
            (name, _) => name,
        }
    }

    /// The columns, as a list.
    pub(super) fn list(&self) -> String {
        self.columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    }

    /// The columns of the key, as a row.
    pub(super) fn keys(&self) -> String {
        self.columns[..self.key].iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    }

    /// A place for each column of the key, as a row.
    pub(super) fn key_places(&self) -> String {
        vec!["?"; self.key].join(", ")
    }

    /// The column that makes a row large, where there is one.
    pub(super) fn body(&self) -> Option<&'static str> {
        self.columns.iter().find(|(_, kind)| *kind == Kind::LongBlob).map(|(name, _)| *name)
    }
}

/// Every table, in the order in which they are copied: what stands for itself before what was made of it.
pub(super) static TABLES: [Table; 24] = [
    table(
        "requests",
        1,
        &[
            ("id", Integer),
            ("received_at", Integer),
            ("channel", Text),
            ("proof", Text),
            ("secret_index", Integer),
            ("query", Text),
            ("headers", Text),
            ("body", LongBlob),
        ],
    )
    .fixed()
    .grows(),
    table(
        "parked",
        1,
        &[
            ("id", Integer),
            ("received_at", Integer),
            ("channel", Text),
            ("query", Text),
            ("headers", Text),
            ("body", LongBlob),
        ],
    )
    .fixed()
    .grows(),
    table("events", 1, &[("id", Integer), ("event_id", Blob), ("cluster", Integer), ("evidence", LongText)])
        .evidence(),
    table(
        "items",
        2,
        &[("request", Integer), ("ordinal", Integer), ("event", Integer), ("result", Text), ("reason", Text)],
    ),
    table(
        "quarantine",
        2,
        &[("request", Integer), ("ordinal", Integer), ("reason", Text), ("path", Text), ("at", Integer)],
    ),
    table("crashes", 1, &[("request", Integer), ("count", Integer)]),
    table("clusters", 1, &[("id", Integer), ("state", LongText)]).evidence(),
    table("names", 3, &[("kind", Text), ("scope", Text), ("value", Text), ("cluster", Integer)]).evidence(),
    table(
        "aliases",
        1,
        &[("alias", Text), ("cluster", Integer), ("claimed_at", Integer), ("claimed_key", Text)],
    )
    .evidence(),
    table("handles", 3, &[("kind", Text), ("value", Text), ("cluster", Integer)]).evidence(),
    table(
        "lead_ids",
        4,
        &[("kind", Text), ("scope", Text), ("value", Text), ("tenure", Integer), ("id", Blob)],
    )
    .evidence(),
    table(
        "touches",
        2,
        &[
            ("occurred_at", Integer),
            ("id", Blob),
            ("cluster", Integer),
            ("lead_id", Blob),
            ("phone", Text),
            ("touch", LongText),
        ],
    )
    .evidence(),
    table("search", 3, &[("kind", Text), ("value", Text), ("cluster", Integer)]).evidence(),
    table(
        "account_numbers",
        2,
        &[("channel", Text), ("account_id", Text), ("number", Text), ("first_seen", Integer)],
    ),
    table(
        "rollups",
        7,
        &[
            ("model", Text),
            ("day", Text),
            ("ad_id", Text),
            ("business_number", Text),
            ("provider", Text),
            ("state", Text),
            ("cause", Text),
            ("conversations", Integer),
            ("leads", Integer),
            ("click_id_present", Integer),
            ("answered_5m", Integer),
            ("answered_unknown", Integer),
            ("free_entry_opened", Integer),
            ("qualified", Integer),
            ("qualified_then", Integer),
        ],
    )
    .evidence(),
    table(
        "tokens",
        1,
        &[("name", Text), ("hash", Blob), ("scopes", Text), ("created_at", Integer), ("revoked_at", Integer)],
    ),
    table(
        "jobs",
        1,
        &[
            ("id", Integer),
            ("target", Text),
            ("lead", Blob),
            ("kind", Text),
            ("subject", Text),
            ("revision", Integer),
            ("state", Text),
            ("again", Integer),
            ("again_priority", Integer),
            ("priority", Integer),
            ("wanted_at", Integer),
            ("due_at", Integer),
            ("attempts", Integer),
            ("doubtful", Integer),
            ("lease", Integer),
            ("leased_until", Integer),
            ("cause", Text),
            ("result", LongText),
            ("trace_id", Text),
        ],
    ),
    table(
        "attempts",
        2,
        &[
            ("job", Integer),
            ("lease", Integer),
            ("revision", Integer),
            ("began_at", Integer),
            ("ended_at", Integer),
            ("result", LongText),
        ],
    ),
    table(
        "records",
        2,
        &[
            ("target", Text),
            ("lead", Blob),
            ("object", Text),
            ("id", Text),
            ("url", Text),
            ("matched_by", Text),
            ("written", LongText),
        ],
    ),
    table(
        "conversations",
        1,
        &[
            ("id", Text),
            ("lead", Blob),
            ("place", Text),
            ("started_at", Integer),
            ("first_at", Integer),
            ("last_at", Integer),
            ("frozen", Integer),
        ],
    ),
    table("targets", 1, &[("name", Text), ("paused", Text), ("schema", LongText), ("schema_at", Integer)]),
    table(
        "shadow",
        3,
        &[("target", Text), ("lead", Blob), ("kind", Text), ("at", Integer), ("row", LongText)],
    ),
    table(
        "logins",
        1,
        &[
            ("target", Text),
            ("sealed", Blob),
            ("generation", Integer),
            ("renew_at", Integer),
            ("expires_at", Integer),
            ("wait_until", Integer),
            ("fault", Text),
            ("changed_at", Integer),
        ],
    ),
    table("used", 3, &[("account", Text), ("budget", Text), ("span", Integer), ("amount", Integer)]),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sql::connection::all;
    use crate::store::sqlite;
    use std::collections::{BTreeMap, BTreeSet};

    /// Kept elsewhere, or of no use to another store: see the head of this file.
    const OTHERWISE: [&str; 4] = ["meta", "counters", "rollup_state", "refinery_schema_history"];

    #[test]
    fn every_table_and_column_of_the_schema_is_copied() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("store.db");
        sqlite::SqliteStore::prepare(&path).unwrap();
        let connection = sqlite::copying::source(&path).unwrap();
        const COLUMNS: &str = "SELECT t.name, c.name, c.pk FROM sqlite_schema t, pragma_table_info(t.name) c
             WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%'";
        let read = |row: &crate::store::sql::connection::Row<'_>| {
            Ok((row.get::<String>(0)?, row.get::<String>(1)?, row.get::<i64>(2)?))
        };
        let mut schema: BTreeMap<String, BTreeSet<(String, i64)>> = BTreeMap::new();
        for (table, column, key) in all(&connection, "read the schema", COLUMNS, &[], read).unwrap() {
            schema.entry(table).or_default().insert((column, key));
        }
        OTHERWISE.iter().for_each(|name| assert!(schema.remove(*name).is_some(), "{name}"));
        let place = |table: &Table, index: usize| match index < table.key {
            true => i64::try_from(index).unwrap() + 1,
            false => 0,
        };
        let copied = |table: &Table| {
            let columns = table.columns.iter().enumerate();
            columns.map(|(index, (name, _))| ((*name).to_owned(), place(table, index))).collect()
        };
        let copied: BTreeMap<String, BTreeSet<(String, i64)>> =
            TABLES.iter().map(|table| (table.name.to_owned(), copied(table))).collect();
        assert_eq!(copied, schema);
    }
}
