//! A store that no daemon holds, read row by row.

use crate::command::Place;
use rusqlite::Connection;
use std::collections::HashSet;
use wabridge::store::sqlite::SqliteStore;
use wabridge::store::{Books, Ledger};
use wabridge_model::id::EventKey;

/// What a store holds.
pub(crate) struct Contents {
    connection: Connection,
    pub(crate) books: Books,
    events: HashSet<[u8; 16]>,
}

impl Contents {
    /// Reads the store of a place.
    pub(crate) fn of(place: &Place) -> Contents {
        let path = place.path("wabridge.db");
        let books = SqliteStore::open_to_read(&path).unwrap().books().unwrap();
        let connection = Connection::open(path).unwrap();
        let events = connection
            .prepare("SELECT event_id FROM events")
            .unwrap()
            .query_map([], |row| row.get(0))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        Contents { connection, books, events }
    }

    /// Whether an event with this key is there.
    pub(crate) fn has(&self, key: &EventKey) -> bool {
        self.events.contains(key.event_id().0.as_bytes())
    }

    /// The one number that a query gives.
    pub(crate) fn number(&self, sql: &str) -> u64 {
        self.connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap().unsigned_abs()
    }

    /// The texts that a query gives.
    pub(crate) fn texts(&self, sql: &str) -> Vec<String> {
        let mut statement = self.connection.prepare(sql).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    /// Asserts what must hold of any store at rest: whole, balanced, and the books true to the rows.
    pub(crate) fn assert_sound(&self) {
        assert_eq!(self.texts("PRAGMA integrity_check"), ["ok"]);
        assert!(self.books.balance(), "{:?}", self.books);
        assert_eq!(self.books.requests["waiting"], 0, "{:?}", self.books);
        assert_eq!(self.books.requests["stored"], self.number("SELECT count(*) FROM requests"));
        assert_eq!(self.books.items["seen"], self.number("SELECT count(*) FROM items"));
        assert_eq!(self.number("SELECT count(*) FROM crashes"), 0);
    }
}

/// The key of a message on the business number of the tests.
pub(crate) fn message_key(wamid: &str) -> EventKey {
    EventKey::new("wa", &[super::client::BUSINESS.1, wamid])
}
