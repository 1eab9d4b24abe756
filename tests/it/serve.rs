//! `wabridge serve`: when it does not start, with the exit code that says what to do.

use crate::command::Place;
use crate::support::client::META;
use crate::support::process::Process;
use rusqlite::Connection;
use wabridge::store::sqlite::{SCHEMA_VERSION, SqliteStore};

#[test]
fn a_second_daemon_on_the_same_store_exits_75_and_leaves_the_first_alone() {
    let place = Place::new(META);
    let mut first = Process::launch(&place, "");
    first.ready();
    let mut second = Process::launch(&place, "");
    assert_eq!(second.wait().code(), Some(75));
    assert!(second.said().contains("another process holds the store"), "{}", second.said());
    assert_eq!(first.stop(), Some(0));
}

#[test]
fn a_store_that_only_a_newer_version_can_read_exits_78_untouched() {
    let place = Place::new(META);
    let path = place.path("wabridge.db");
    SqliteStore::prepare(&path).unwrap();
    let newer = "UPDATE meta SET value = ? WHERE name IN ('schema_version', 'min_reader_version')";
    assert_eq!(Connection::open(&path).unwrap().execute(newer, [SCHEMA_VERSION + 1]).unwrap(), 2);
    let before = std::fs::read(&path).unwrap();
    let mut process = Process::launch(&place, "");
    assert_eq!(process.wait().code(), Some(78));
    assert!(process.said().contains("written by a newer wabridge"), "{}", process.said());
    assert!(std::fs::read(&path).unwrap() == before, "the file was written to");
}
