//! A store moves from one database to the other and back, beside daemons that acknowledge, killed wherever it may be: what
//! comes out is what went in.

#[path = "migrate/shop.rs"]
mod shop;

use crate::command::Place;
use crate::outbox::bench::{done, hours, phone, start};
use crate::projection::{self, people};
use crate::support::postgres;
use crate::support::random::Random;
use rusqlite::Connection;
use shop::{body, claim, drain, end, fill, receive, settle};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;
use wabridge::config::{Config, Postgres, Store as Stored};
use wabridge::leads::find::{Reference, find};
use wabridge::leads::rollup::Model;
use wabridge::leads::verdict::{Moment, answer};
use wabridge::store::migrate::{Finished, MigrateError, Migration, Side, Step};
use wabridge::store::postgres::{Clock, Options, PostgresStore};
use wabridge::store::sqlite::{Signals, SqliteStore};
use wabridge::store::turn::TURN;
use wabridge::store::{By, DateOf, Question, Store, StoreErrorKind, Turn};
use wabridge_model::Country;

/// An instant that a move is said to be made at.
const NOW: i64 = 1_790_500_000_000;

/// Places for stores.
struct Yard {
    folder: TempDir,
}

impl Yard {
    fn new() -> Yard {
        Yard { folder: TempDir::new().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(&self, name: &str) -> Stored {
        Stored::new(self.path(name))
    }

    /// The address of a database of a test's own.
    fn address(&self, name: &str) -> String {
        postgres::of(&self.path(name))
    }

    fn server(&self, name: &str) -> Stored {
        let (url, folder) = (self.address(name), self.folder.path().to_owned());
        Stored::Postgres(Box::new(Postgres { url, password: None, ca: None, schema: None, folder }))
    }

    fn open_server(&self, name: &str) -> Arc<dyn Store> {
        let options =
            Options { clock: Clock::Given, ..Options::new(&self.address(name), self.folder.path()) };
        Arc::new(PostgresStore::open(&options).unwrap())
    }
}

fn open(path: &Path) -> Arc<dyn Store> {
    Arc::new(projection::open(path))
}

fn copy(from: &Stored, to: &Stored) -> Result<bool, MigrateError> {
    Migration::open(from, to)?.copy(NOW, &mut |_| true)
}

fn finish(from: &Stored, to: &Stored) -> Result<Finished, MigrateError> {
    Migration::open(from, to)?.finish(NOW, &mut |_| true)
}

/// Moves a store whose daemon is stopped.
fn carry(from: &Stored, to: &Stored) {
    assert!(copy(from, to).unwrap());
    assert_whole(finish(from, to).unwrap());
}

fn assert_whole(finished: Finished) {
    let Finished::Now(report) = finished else { panic!("it was moved before") };
    assert!(report.differs.is_empty(), "{report:?}");
    assert!(report.tables.iter().all(|(_, here, there)| here == there), "{report:?}");
}

/// The kind of a store's refusal.
fn kind<T>(result: Result<T, MigrateError>) -> (Side, StoreErrorKind) {
    match result.map(drop).unwrap_err() {
        MigrateError::Store { side, error } => (side, error.kind),
        other => panic!("{other}"),
    }
}

/// Everything in a file, a line for each row.
fn everything(path: &Path) -> BTreeMap<String, Vec<String>> {
    const TABLES: &str =
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT IN ('refinery_schema_history')";
    let connection = Connection::open(path).unwrap();
    let mut tables = connection.prepare(TABLES).unwrap();
    let tables: Vec<String> = tables.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let of = |table: &String| {
        let which = match table.as_str() {
            "meta" => " WHERE name NOT IN ('moved', 'copied', 'absent')",
            "counters" => " WHERE value <> 0",
            _ => "",
        };
        let mut rows = connection.prepare(&format!("SELECT * FROM {table}{which}")).unwrap();
        let columns = rows.column_count();
        let line = |row: &rusqlite::Row<'_>| {
            let values = (0..columns).map(|column| row.get::<_, rusqlite::types::Value>(column).unwrap());
            Ok(format!("{:?}", values.collect::<Vec<_>>()))
        };
        let mut lines: Vec<String> = rows.query_map([], line).unwrap().map(Result::unwrap).collect();
        lines.sort();
        (table.clone(), lines)
    };
    tables.iter().map(of).collect()
}

/// What reps and marketers are told.
fn answers(store: &dyn Store) -> Vec<String> {
    let config = Config::new("/nowhere");
    let moment = Moment { now: start() + hours(20), as_of: start() + hours(20), doubt: None };
    let mut answers = Vec::new();
    for person in 0..30 {
        let reference = Reference::parse(phone(person).e164(), Country::INDIA).unwrap();
        let found = find(store, &reference, None).unwrap();
        answers.push(serde_json::to_string(&answer(&found, None, moment, &config)).unwrap());
    }
    for by in By::ALL {
        let question = Question { by, model: Model::First, date: DateOf::Touch, since: None, until: None };
        answers.push(format!("{:?}", store.attribution(&question, &config.region.timezone).unwrap()));
    }
    answers.push(format!("{:?}", store.books().unwrap()));
    answers
}

#[test]
fn a_store_moves_to_postgresql_and_back_and_is_what_it_was() {
    let yard = Yard::new();
    let (first, server, second) = (yard.file("a.db"), yard.server("p"), yard.file("b.db"));
    let store = open(&yard.path("a.db"));
    fill(&*store);
    let (before, told) = (people(&*store), answers(&*store));
    drop(store);
    let rows = everything(&yard.path("a.db"));
    assert!(rows.iter().all(|(table, rows)| !rows.is_empty() || table == "turns"), "{rows:?}");

    carry(&first, &server);
    let store = yard.open_server("p");
    assert_eq!((people(&*store), answers(&*store)), (before.clone(), told.clone()));
    drop(store);

    carry(&server, &second);
    assert_eq!(everything(&yard.path("b.db")), rows);
    let store = open(&yard.path("b.db"));
    assert_eq!((people(&*store), answers(&*store)), (before, told));
    assert_eq!(drain(&*store), 6);
    let books = store.books().unwrap();
    assert!(books.balance() && books.requests["waiting"] == 0, "{books:?}");
}

#[test]
fn what_waits_is_projected_and_what_is_due_is_delivered_where_it_was_moved_to() {
    let yard = Yard::new();
    let store = open(&yard.path("a.db"));
    fill(&*store);
    let jobs = store.books().unwrap().jobs;
    drop(store);
    carry(&yard.file("a.db"), &yard.server("p"));
    let store = yard.open_server("p");
    assert_eq!(store.books().unwrap().jobs, jobs);
    let newest = store.newest_request().unwrap();
    receive(&*store, &body(40, 1, "new")).unwrap();
    assert!(store.newest_request().unwrap() > newest, "ids go on");
    assert_eq!(drain(&*store), 7);
    // A lease that was on its way is in doubt, and looked for before it is written again.
    assert!(store.doubt_expired(start() + hours(60)).unwrap() > 0);
    let before = store.books().unwrap();
    assert!(before.balance(), "{before:?}");
    let leased = claim(&*store, 100);
    assert!(!leased.is_empty());
    leased.iter().for_each(|bundle| end(&*store, bundle, |kind| done(kind, "9")));
    let after = store.books().unwrap();
    assert!(after.balance(), "{after:?}");
    assert!(after.jobs["done"] > before.jobs["done"], "{after:?}");
    let place = yard.server("p");
    let verified = wabridge::store::verify(&place).unwrap();
    assert_eq!((verified.different, verified.miscounted), (0, 0));
}

/// Every few steps it is killed, whatever it is doing; people write on, become one, and are delivered to meanwhile.
#[test]
fn wherever_it_is_killed_it_goes_on_to_the_same_end() {
    let mut random = Random::new();
    for round in 0..3 {
        let yard = Yard::new();
        let (first, server, second) = (yard.file("a.db"), yard.server("p"), yard.file("b.db"));
        let store = open(&yard.path("a.db"));
        fill(&*store);
        let mut written = 0;
        killed_again_and_again(&mut random, |steps| {
            let migration = Migration::open(&first, &server).unwrap();
            let done = migration.copy(NOW, &mut |_| {
                written += 1;
                receive(&*store, &body(written % 30, 1 + written as usize % 2, &format!("late{written}")))
                    .unwrap();
                settle(&*store);
                if let Some(leased) = claim(&*store, 1).first() {
                    end(&*store, leased, |kind| done(kind, "late"));
                }
                steps.take()
            });
            done.map(drop)
        });
        drop(store);
        killed_again_and_again(&mut random, |steps| {
            Migration::open(&first, &server)?.finish(NOW, &mut |_| steps.take()).map(|finished| {
                assert_whole(finished);
            })
        });
        killed_again_and_again(&mut random, |steps| {
            let mut migration = Migration::open(&server, &second)?;
            migration.copy(NOW, &mut |_| steps.take())?;
            migration.finish(NOW, &mut |_| steps.take()).map(assert_whole)
        });
        assert_eq!(everything(&yard.path("b.db")), everything(&yard.path("a.db")), "round {round}");
    }
}

/// How many steps may be taken before it is killed.
struct Steps(u64);

impl Steps {
    fn take(&mut self) -> bool {
        self.0 = self.0.saturating_sub(1);
        self.0 > 0
    }
}

/// Lets something be killed a few times, then lets it end.
fn killed_again_and_again(random: &mut Random, mut run: impl FnMut(&mut Steps) -> Result<(), MigrateError>) {
    for _ in 0..random.within(1..6) {
        match run(&mut Steps(random.within(1..30))) {
            // Done before it could be.
            Ok(()) => return,
            Err(MigrateError::Stopped) => {}
            Err(error) => panic!("{error}"),
        }
    }
    run(&mut Steps(u64::MAX)).unwrap();
}

#[test]
fn an_unfinished_copy_acknowledges_and_does_nothing_else() {
    let yard = Yard::new();
    let (from, to) = (yard.file("a.db"), yard.server("p"));
    let old = open(&yard.path("a.db"));
    fill(&*old);
    assert!(copy(&from, &to).unwrap());
    let new = yard.open_server("p");
    (0..3).for_each(|n| receive(&*new, &body(50 + n, 1, "new")).unwrap());
    assert!(new.claim(100).unwrap().is_empty());
    assert!(new.claim_aside().unwrap().is_none());
    assert_eq!(new.take_turn("crm-account", TURN).unwrap(), Turn::Theirs);
    // Whatever is asked of it, it answers as one that is behind.
    assert_eq!(new.backlog().unwrap().oldest.unwrap(), start());
    let question =
        Question { by: By::Ad, model: Model::First, date: DateOf::Touch, since: None, until: None };
    let zone = Config::new("/nowhere").region.timezone;
    assert_eq!(new.attribution(&question, &zone).unwrap_err().kind, StoreErrorKind::Counting);
    assert_eq!(new.rebuild(&|| true).unwrap_err().kind, StoreErrorKind::Unfinished);
    // The old one is written to for as long as it runs.
    receive(&*old, &body(60, 1, "old")).unwrap();
    settle(&*old);
    receive(&*old, &body(61, 1, "old")).unwrap();
    let ids = old.newest_request().unwrap();
    assert_eq!(kind(finish(&from, &to)), (Side::From, StoreErrorKind::Held));
    drop(old);

    // Requests arrive at every step of the end as well.
    let mut arrived = 3;
    let mut migration = Migration::open(&from, &to).unwrap();
    let finished = migration.finish(NOW, &mut |_| {
        arrived += 1;
        receive(&*new, &body(70 + arrived % 20, 1, &format!("new{arrived}"))).unwrap();
        true
    });
    assert_whole(finished.unwrap());
    drop(migration);
    let books = new.books().unwrap();
    assert_eq!(books.requests["waiting"], 2 + u64::from(arrived), "{books:?}");
    assert!(books.balance(), "{books:?}");
    let claimed = new.claim(1000).unwrap();
    assert!(claimed.iter().any(|stored| stored.id <= ids) && claimed.iter().any(|stored| stored.id > ids));
    assert_eq!(drain(&*new), 2 + arrived as usize);
    assert!(new.books().unwrap().balance(), "{:?}", new.books());
    assert_eq!(new.take_turn("crm-account", TURN).unwrap(), Turn::Ours { anew: true });
}

#[test]
fn ids_that_lie_far_apart_are_counted_right_in_sqlite() {
    let yard = Yard::new();
    let (first, server, second) = (yard.file("a.db"), yard.server("p"), yard.file("b.db"));
    let old = open(&yard.path("a.db"));
    fill(&*old);
    copy(&first, &server).unwrap();
    let new = yard.open_server("p");
    (0..4).for_each(|n| receive(&*new, &body(50 + n, 1, "new")).unwrap());
    drop(old);
    assert_whole(finish(&first, &server).unwrap());
    let books = new.books().unwrap();
    drop(new);
    carry(&server, &second);
    let store = open(&yard.path("b.db"));
    assert_eq!(store.books().unwrap().requests, books.requests);
    assert_eq!(drain(&*store), 10);
    receive(&*store, &body(60, 1, "last")).unwrap();
    assert_eq!(store.books().unwrap().requests["waiting"], 1);
    drain(&*store);
    let books = store.books().unwrap();
    assert!(books.balance() && books.requests["waiting"] == 0, "{books:?}");
}

#[test]
fn a_difference_is_named_and_leaves_the_old_store_in_its_place() {
    let yard = Yard::new();
    let (from, to) = (yard.file("a.db"), yard.server("p"));
    fill(&*open(&yard.path("a.db")));
    copy(&from, &to).unwrap();
    let tampered = [
        ("DELETE FROM names WHERE value = '+919800000003'", "names"),
        ("UPDATE clusters SET state = replace(state, 'Asha3', 'Usha3')", "people"),
        ("UPDATE rollup_sums SET leads = leads + 1", "attribution"),
        ("DELETE FROM waiting", "waiting"),
        ("INSERT INTO counter_changes VALUES ('items.applied', 1)", "books"),
    ];
    for (sql, what) in tampered {
        let mut migration = Migration::open(&from, &to).unwrap();
        let finished = migration.finish(NOW, &mut |step| {
            if step == Step::Comparing {
                postgres::run(&yard.address("p"), sql);
            }
            true
        });
        let Finished::Now(report) = finished.unwrap() else { panic!("it was not moved before") };
        assert_eq!(report.differs, [what], "{report:?}");
        drop(migration);
        assert!(yard.open_server("p").claim(10).unwrap().is_empty(), "it is unfinished still");
        drop(open(&yard.path("a.db")));
    }
    // What is added to counters is added once: this one was by somebody else.
    postgres::run(&yard.address("p"), "INSERT INTO counter_changes VALUES ('items.applied', -1)");
    assert_whole(finish(&from, &to).unwrap());
    assert_eq!(finish(&from, &to).unwrap(), Finished::Before);
    assert!(!copy(&from, &to).unwrap());
}

#[test]
fn a_store_that_was_moved_is_refused_and_so_is_an_unfinished_file() {
    let yard = Yard::new();
    let (first, server, second) = (yard.file("a.db"), yard.server("p"), yard.file("b.db"));
    fill(&*open(&yard.path("a.db")));
    carry(&first, &server);
    let refused = |name: &str| {
        let signals = Signals::unheard();
        SqliteStore::open(&yard.path(name), signals).map(drop).unwrap_err().kind
    };
    assert_eq!(refused("a.db"), StoreErrorKind::Moved);
    let third = yard.server("q");
    assert_eq!(kind(copy(&first, &third)), (Side::From, StoreErrorKind::Moved));

    // A replica that was forgotten acknowledges nothing more, and takes nothing on.
    let forgotten = yard.open_server("p");
    copy(&server, &second).unwrap();
    assert_eq!(refused("b.db"), StoreErrorKind::Unfinished);
    assert_whole(finish(&server, &second).unwrap());
    assert_eq!(receive(&*forgotten, "lost").unwrap_err().kind, StoreErrorKind::Busy);
    assert!(forgotten.claim(10).unwrap().is_empty());
    assert_eq!(forgotten.take_turn("crm-account", TURN).unwrap(), Turn::Theirs);
    drop(forgotten);
    let again = PostgresStore::open(&Options::new(&yard.address("p"), yard.folder.path()));
    assert_eq!(again.map(drop).unwrap_err().kind, StoreErrorKind::Moved);
    drop(open(&yard.path("b.db")));
}

#[test]
fn a_target_with_data_of_its_own_is_refused() {
    let yard = Yard::new();
    let (from, other, to) = (yard.file("a.db"), yard.file("b.db"), yard.server("p"));
    fill(&*open(&yard.path("a.db")));
    fill(&*open(&yard.path("b.db")));
    assert!(matches!(copy(&from, &other), Err(MigrateError::Taken)));
    assert!(matches!(copy(&from, &from), Err(MigrateError::Same)));
    assert!(matches!(finish(&from, &to), Err(MigrateError::NotBegun)));
    copy(&from, &to).unwrap();
    assert!(matches!(copy(&other, &to), Err(MigrateError::OfAnother)));
    assert_eq!(kind(copy(&to, &yard.file("c.db"))), (Side::From, StoreErrorKind::Unfinished));
    let first = Migration::open(&from, &to).unwrap();
    assert_eq!(kind(Migration::open(&from, &to)), (Side::To, StoreErrorKind::Held), "one at a time");
    drop(first);
}

#[test]
fn a_store_in_postgresql_is_verified_by_a_copy_that_is_gone_after_that() {
    let yard = Yard::new();
    let store = yard.open_server("p");
    fill(&*store);
    drain(&*store);
    let place = yard.server("p");
    let verified = wabridge::store::verify(&place).unwrap();
    assert_eq!((verified.different, verified.miscounted), (0, 0));
    assert!(verified.rebuilt.people > 10, "{verified:?}");
    postgres::run(&yard.address("p"), "UPDATE clusters SET state = replace(state, 'Asha3', 'Usha3')");
    assert_eq!(wabridge::store::verify(&place).unwrap().different, 1);
    let left = std::fs::read_dir(yard.folder.path()).unwrap();
    let left = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(left.filter(|name| name.contains("verify")).count(), 0);
}

#[test]
fn the_command_moves_says_what_it_does_and_never_repeats_a_password() {
    let (place, yard) = (Place::new(""), Yard::new());
    let path = place.path("wabridge.db");
    let store = open(&path);
    fill(&*store);
    let (from, to) = (format!("sqlite:{}", path.display()), yard.address("p"));
    let run = |more: &[&str], from: &str, to: &str| {
        let arguments = [&["migrate-store", "--from", from, "--to", to], more].concat();
        place.run(&arguments)
    };
    let begun = run(&[], &from, &to);
    assert_eq!(begun.code, 0, "{}", begun.err);
    assert!(begun.out.contains("requests") && begun.out.contains("--finish"), "{}", begun.out);
    let held = run(&["--finish"], &from, &to);
    assert_eq!(held.code, 75, "{}", held.err);
    assert!(held.err.contains("stop the daemon first"), "{}", held.err);
    drop(store);
    let ended = run(&["--finish"], &from, &to);
    assert_eq!(ended.code, 0, "{}", ended.err);
    for said in ["people", "no difference", "wabridge.db.key", "is moved to"] {
        assert!(ended.out.contains(said), "{said}: {}", ended.out);
    }
    let again = run(&["--finish"], &from, &to);
    assert_eq!((again.code, again.out.contains("before")), (0, true), "{}", again.err);

    let secret = run(&[], &from, "postgres://wabridge:hunter2@db.internal/wabridge");
    assert_eq!(secret.code, 64);
    assert!(secret.err.contains("--password") && !secret.err.contains("hunter2"), "{}", secret.err);
    let away = run(&[], &from, "postgres://wabridge@%2Fnowhere/wabridge");
    assert_eq!((away.code, away.err.contains("does not answer")), (69, true), "{}", away.err);
    let none = run(&[], "sqlite:/nowhere/wabridge.db", &to);
    assert_eq!(none.code, 69, "{}", none.err);
    let unset = run(&["--password", "env:NOT_SET"], &from, &to);
    assert_eq!(unset.code, 78, "{}", unset.err);
}
