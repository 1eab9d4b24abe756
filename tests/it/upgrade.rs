//! A database of every released schema opens with today's binary, and its leads are what they were.

use std::path::{Path, PathBuf};
use tempfile::TempDir;
use wabridge::store::outbox::{JobFilter, Outbox};
use wabridge::store::sqlite::{Signals, SqliteStore, rebuild};
use wabridge::store::{Inbox, Leads, Ledger};

fn stems(folder: &str, extension: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let mut stems: Vec<String> = files
        .filter(|path| path.extension().is_some_and(|end| end == extension))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    stems.sort();
    stems
}

fn copy_of(stem: &str, folder: &TempDir) -> PathBuf {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/store").join(format!("{stem}.db"));
    let path = folder.path().join("store.db");
    std::fs::copy(fixture, &path).unwrap();
    path
}

#[test]
fn every_migration_has_a_database_of_its_release() {
    let released = stems("fixtures/store", "db");
    assert_eq!(stems("migrations/sqlite", "sql"), released);
    for stem in released {
        let folder = TempDir::new().unwrap();
        let opened = rusqlite::Connection::open(copy_of(&stem, &folder)).unwrap();
        let version = "SELECT value FROM meta WHERE name = 'schema_version'";
        let version: i64 = opened.query_row(version, [], |row| row.get(0)).unwrap();
        assert_eq!(stem[1..5].parse(), Ok(version), "{stem}");
    }
}

#[test]
fn what_was_delivered_before_an_upgrade_is_known_after_it() {
    let folder = TempDir::new().unwrap();
    let path = copy_of("V0003__delivery", &folder);
    let store = SqliteStore::open_to_read(&path).unwrap();
    assert_eq!(store.jobs(&JobFilter::default(), 0, 10).unwrap().len(), 2);
    let found = store.lead_of_record(Some("hubspot"), "50101").unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
}

#[test]
fn a_store_of_every_released_schema_opens_and_its_leads_are_what_they_were() {
    for stem in stems("fixtures/store", "db") {
        let folder = TempDir::new().unwrap();
        let path = copy_of(&stem, &folder);
        let signals = Signals { disk_failed: Box::new(|error| panic!("{error}")), ..Signals::unheard() };
        let store = SqliteStore::open(&path, signals).unwrap();
        let books = store.books().unwrap();
        assert!(books.balance(), "{stem}: {books:?}");
        assert_eq!(store.backlog().unwrap().waiting, 0, "{stem}");
        let mut names: Vec<String> = Vec::new();
        for id in store.cluster_ids(0, 100).unwrap() {
            let (cluster, _) = store.cluster(id).unwrap().unwrap();
            let born = cluster.leads.iter().filter(|lead| lead.birth.is_some());
            names.extend(born.filter_map(|lead| Some(lead.name.as_ref()?.value.clone())));
        }
        names.sort();
        let all = ["Asha", "Bharat", "Chitra", "Deepak", "Esha", "Farhan", "Gita", "Hari", "Indira"];
        assert_eq!(names, all.map(|name| format!("{name} Demo")), "{stem}");
        let verified = rebuild::verify(&path).unwrap();
        assert_eq!((verified.different, verified.miscounted), (0, 0), "{stem}");
    }
}
