//! A request of many items is settled a slice at a time: what comes after it goes past, and wherever the work
//! stops, it goes on from there.
//!
//! Step by step over a real store. With a process that is killed in between: `crash.rs`; with a message at fault
//! among the others: `poison.rs`.

use crate::projection::{histories, open, people, reference};
use crate::support::client::{BUSINESS, META_SECRET, channel, meta_body, text};
use histories::history;
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;
use wabridge::config::{Channels, Config};
use wabridge::inbox::normalise::Reader;
use wabridge::inbox::projector::Projector;
use wabridge::inbox::replay::{Replayed, What, replay};
use wabridge::store::replay::Selection;
use wabridge::store::sqlite::{SqliteStore, rebuild};
use wabridge::store::{Books, Inbox, Leads, Ledger, Prepared, Request};
use wabridge_model::event::Fact;
use wabridge_model::evidence::{Proof, Report};
use wabridge_model::id::Identity;
use wabridge_providers::Item;

/// When it is, in unix seconds.
const NOW: i64 = 1_795_336_200;
/// Messages of an import: far more than one slice takes, however fast the machine.
const THREADS: usize = 100;
const EACH: usize = 50;
const IMPORTED: u64 = (THREADS * EACH) as u64;

/// The phone of one of the people of an import.
pub(crate) fn thread(n: usize) -> String {
    format!("4477009{n:05}")
}

/// The id of a message of an import.
pub(crate) fn imported(space: &str, thread: usize, message: usize) -> String {
    format!("wamid.{space}{thread}x{message}")
}

/// An import as Meta tells it: what both sides wrote, day by day until yesterday, in one body.
pub(crate) fn import(space: &str, threads: usize, each: usize) -> Vec<u8> {
    let thread = |n: usize| {
        let message = |m: usize| {
            let second = NOW - (each - m) as i64 * 86_400;
            let mut message = text(&imported(space, n, m), &thread(n), second);
            if m % 2 == 1 {
                (message["from"], message["to"]) = (BUSINESS.1[1..].into(), thread(n).into());
            }
            message
        };
        json!({"id": thread(n), "messages": (0..each).map(message).collect::<Vec<_>>()})
    };
    let metadata = json!({"phase": 1, "chunk_order": 1, "progress": 100});
    let threads: Vec<_> = (0..threads).map(thread).collect();
    let body = meta_body(json!({"history": [{"metadata": metadata, "threads": threads}]}));
    String::from_utf8(body).unwrap().replace("\"field\":\"messages\"", "\"field\":\"history\"").into()
}

/// A message of today.
fn live(id: &str, from: &str) -> Vec<u8> {
    meta_body(json!({"messages": [text(id, from, NOW)]}))
}

/// A store and the projector of a process that may end at any step.
struct Desk {
    folder: TempDir,
    store: Arc<SqliteStore>,
    projector: Projector,
}

fn config(path: &Path) -> Config {
    let mut config = Config::new(path);
    let mut main = channel("main", "meta", META_SECRET);
    let number = wabridge_model::Phone::from_whatsapp_id(&BUSINESS.1[1..]).unwrap();
    main.business_numbers = [(BUSINESS.0.to_owned(), number)].into();
    config.channels = vec![main];
    config
}

impl Desk {
    fn new() -> Desk {
        let folder = TempDir::new().unwrap();
        let config = config(&folder.path().join("store.db"));
        Desk::open(folder, &config)
    }

    fn open(folder: TempDir, config: &Config) -> Desk {
        let store = Arc::new(open(&folder.path().join("store.db")));
        let projector = Projector::new(store.clone(), Arc::new(Reader::new(config).into()));
        Desk { folder, store, projector }
    }

    /// The process ends, and another begins.
    fn restart(self, config: &Config) -> Desk {
        let Desk { folder, store, projector } = self;
        drop(projector);
        assert_eq!(Arc::strong_count(&store), 1);
        drop(store);
        Desk::open(folder, config)
    }

    fn append(&self, seconds: i64, body: Vec<u8>) {
        let request = Request {
            received_at: Timestamp::from_second(NOW + seconds).unwrap(),
            channel: "main".to_owned(),
            proof: Proof::Signed,
            secret_index: 0,
            query: String::new(),
            headers: Vec::new(),
            body,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(self.store.append(request)).unwrap();
    }

    /// One step, after which the books balance.
    fn step(&mut self) -> usize {
        let done = self.projector.step().unwrap();
        let books = self.store.books().unwrap();
        assert!(books.balance(), "{books:?}");
        done
    }

    fn run(&mut self) -> Books {
        while self.step() > 0 {}
        self.store.books().unwrap()
    }

    fn waiting(&self) -> (u64, Option<i64>) {
        let backlog = self.store.backlog().unwrap();
        (backlog.waiting, backlog.oldest.map(|at| at.as_second() - NOW))
    }

    fn knows(&self, phone: &str) -> bool {
        let phone = wabridge_model::Phone::from_whatsapp_id(phone).unwrap();
        !self.store.clusters_named(&Identity::phone(&phone)).unwrap().is_empty()
    }

    fn seen(&self) -> u64 {
        of(&self.store.books().unwrap(), "seen")
    }

    fn replay(&self, config: &Config, dry_run: bool) -> Replayed {
        let channels = Channels::without_secrets(config);
        let what = What::Stored(Selection::Quarantined);
        replay(&*self.store, &Reader::new(config), &channels, what, dry_run).unwrap()
    }

    fn sql(&self, sql: &str) -> i64 {
        let file = rusqlite::Connection::open(self.folder.path().join("store.db")).unwrap();
        file.query_row(sql, [], |row| row.get(0)).unwrap()
    }

    /// What is folded is what one fold over everything gives.
    fn assert_true(&self) {
        let verified = rebuild::verify(&self.folder.path().join("store.db")).unwrap();
        assert_eq!((verified.different, verified.miscounted), (0, 0));
    }
}

fn of(books: &Books, name: &str) -> u64 {
    books.items.get(name).copied().unwrap_or(0)
}

#[test]
fn a_slice_ends_inside_a_large_request_and_what_came_after_it_is_there_before_it_is_done() {
    let mut desk = Desk::new();
    desk.append(-3, live("wamid.BEFORE", &thread(THREADS - 1)));
    desk.append(-2, import("OLD", THREADS, EACH));
    desk.append(-1, live("wamid.AFTER", "447700800001"));
    assert!(desk.step() > 0);
    assert!(desk.knows("447700800001"), "who wrote after it is there after the first step");
    assert_eq!(desk.waiting(), (1, Some(-2)), "it waits, and all that came after it does not");
    let mut seen = desk.seen();
    assert!((2..IMPORTED / 2).contains(&seen), "{seen} items were settled in one step");

    let mut meanwhile = 0;
    while desk.waiting().0 > 0 {
        // They write while half of what they wrote before is settled.
        let phone = if meanwhile < THREADS { thread(meanwhile) } else { format!("44770080{meanwhile:04}") };
        desk.append(meanwhile as i64, live(&format!("wamid.MEANWHILE{meanwhile}"), &phone));
        desk.step();
        assert!(desk.knows(&phone), "one step is enough");
        assert!(desk.seen() > seen, "each step goes on with the import too");
        seen = desk.seen();
        meanwhile += 1;
    }
    assert!(meanwhile > 2, "it took {meanwhile} steps");
    let books = desk.run();
    assert_eq!(of(&books, "applied"), IMPORTED + 2 + meanwhile as u64, "{books:?}");
    assert_eq!((of(&books, "seen"), desk.sql("SELECT count(*) FROM crashes")), (of(&books, "applied"), 0));
    desk.assert_true();
}

#[test]
fn a_request_that_was_settled_in_part_goes_on_where_it_stopped() {
    let mut desk = Desk::new();
    desk.append(0, import("OLD", THREADS, EACH));
    let mut seen = 0;
    for _ in 0..3 {
        desk.step();
        assert!((seen + 1..IMPORTED).contains(&desk.seen()), "{} of {IMPORTED}", desk.seen());
        seen = desk.seen();
        let config = config(&desk.folder.path().join("store.db"));
        desk = desk.restart(&config);
        assert_eq!((desk.seen(), desk.waiting()), (seen, (1, Some(0))));
    }
    let books = desk.run();
    assert_eq!((of(&books, "seen"), of(&books, "applied")), (IMPORTED, IMPORTED), "nothing twice: {books:?}");
    assert_eq!(desk.sql("SELECT count(*) FROM events"), i64::try_from(IMPORTED).unwrap());
    assert_eq!(desk.waiting(), (0, None));
    desk.assert_true();
}

#[test]
fn what_is_left_of_a_request_is_quarantined_when_it_is_understood_no_more_and_replayed_when_it_is_again() {
    let mut desk = Desk::new();
    let known = config(&desk.folder.path().join("store.db"));
    desk.append(0, import("OLD", THREADS, EACH));
    desk.step();
    let part = desk.seen();
    assert!((1..IMPORTED).contains(&part));
    let unknown = Config { channels: Vec::new(), ..Config::new(known.store.file().unwrap()) };
    desk = desk.restart(&unknown);
    let books = desk.run();
    assert_eq!((of(&books, "applied"), of(&books, "quarantined.unknown_channel")), (part, 1), "{books:?}");
    assert_eq!((books.requests["quarantined"], books.requests["projected"]), (1, 0));

    assert_eq!(desk.replay(&unknown, false).items, [("quarantined to quarantined".to_owned(), 1)].into());
    let told = desk.replay(&known, true);
    assert_eq!(desk.store.books().unwrap(), books, "a dry run changes nothing");
    let done = desk.replay(&known, false);
    assert_eq!(done.items, told.items, "and says what a real one does");
    // Of some of them all was settled before.
    assert_eq!(done.people, THREADS as u64 - part / EACH as u64);
    assert!(told.people >= done.people, "{told:?}");
    let (stay, new) = (told.items["applied to applied"], told.items.values().sum::<u64>());
    assert_eq!((stay, new), (part, IMPORTED));
    let books = desk.store.books().unwrap();
    assert!(books.balance(), "{books:?}");
    assert_eq!((of(&books, "seen"), of(&books, "applied")), (IMPORTED, IMPORTED), "{books:?}");
    assert_eq!((books.requests["quarantined"], books.requests["projected"]), (0, 1));
    assert_eq!(desk.sql("SELECT count(*) FROM quarantine"), 0);
    desk.assert_true();
}

#[test]
fn a_body_that_an_older_version_quarantined_as_its_item_0_is_replayed() {
    let mut desk = Desk::new();
    let known = config(&desk.folder.path().join("store.db"));
    let unknown = Config { channels: Vec::new(), ..Config::new(known.store.file().unwrap()) };
    desk = desk.restart(&unknown);
    for (second, body) in [(0, import("OLD", 3, 2)), (1, live("wamid.LATER", "447700800001"))] {
        desk.append(second, body);
    }
    desk.run();
    let file = rusqlite::Connection::open(known.store.file().unwrap()).unwrap();
    assert_eq!(file.execute("UPDATE items SET ordinal = 0 WHERE request = 1", []).unwrap(), 1);
    let told = desk.replay(&known, false);
    let expected = [("new to applied".to_owned(), 5), ("quarantined to applied".to_owned(), 2)];
    assert_eq!((told.requests, told.items), (2, expected.into()));
    let books = desk.store.books().unwrap();
    assert!(books.balance(), "{books:?}");
    assert_eq!((of(&books, "seen"), of(&books, "applied")), (7, 7), "{books:?}");
    assert_eq!((books.requests["quarantined"], books.requests["projected"]), (0, 2));
}

#[test]
fn a_suspect_waits_for_those_that_came_before_it() {
    let mut desk = Desk::new();
    let known = config(&desk.folder.path().join("store.db"));
    for n in 0..3 {
        desk.append(n, live(&format!("wamid.{n}"), &format!("44770080000{n}")));
    }
    for _crash in 0..2 {
        // The process dies with the third in hand.
        let hand = desk.folder.path().join("store.db.hand");
        let Desk { folder, store, projector } = desk;
        drop((store, projector));
        std::fs::write(hand, [3_i64.to_le_bytes(), [0; 8]].concat()).unwrap();
        desk = Desk::open(folder, &known);
    }
    assert!(desk.store.claim_aside().unwrap().is_none(), "two that are innocent wait before it");
    let books = desk.run();
    assert_eq!((of(&books, "applied"), of(&books, "quarantined.poison")), (2, 1), "{books:?}");
    assert!(desk.knows("447700800000") && desk.knows("447700800001"));
}

/// Reports as items of one request: received at one time, by one channel.
fn as_request(reports: &mut [Report], history: bool) {
    let first = reports[0].clone();
    for report in reports {
        (report.received_at, report.channel) = (first.received_at, first.channel.clone());
        (report.proof, report.secondary) = (first.proof, first.secondary);
        match &mut report.event.fact {
            Fact::Message(message) => message.history |= history,
            Fact::Echo(echo) => echo.history |= history,
            _ => {}
        }
    }
}

fn settle(store: &SqliteStore, reports: &[Report]) {
    let request = Request {
        received_at: reports[0].received_at,
        channel: reports[0].channel.clone(),
        proof: reports[0].proof,
        secret_index: 0,
        query: String::new(),
        headers: Vec::new(),
        body: Vec::new(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(store.append(request)).unwrap();
    let item = |report: &Report| Item::Event(Box::new(report.event.clone()));
    let prepared = Prepared {
        id: store.claim(1).unwrap()[0].id,
        received_at: reports[0].received_at,
        channel: reports[0].channel.clone(),
        provider: "meta",
        proof: reports[0].proof,
        secondary: reports[0].secondary,
        resolved: Vec::new(),
        items: Ok(reports.iter().map(item).collect()),
    };
    assert_eq!(store.settle(vec![prepared]).unwrap(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn many_reports_in_one_request_give_the_people_that_one_fold_over_everything_gives(
        reports in history(),
        sizes in proptest::collection::vec((1..12usize, any::<bool>()), 40),
        seed in any::<u64>(),
    ) {
        let mut reports = reports;
        histories::shuffle(&mut reports, seed);
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("store.db");
        let store = open(&path);
        let (mut rest, mut sizes) = (reports.as_mut_slice(), sizes.into_iter().cycle());
        while !rest.is_empty() {
            let (size, is_history) = sizes.next().unwrap();
            let (request, others) = rest.split_at_mut(size.min(rest.len()));
            as_request(request, is_history);
            settle(&store, request);
            rest = others;
        }
        prop_assert_eq!(people(&store), reference(&reports));
        prop_assert!(store.books().unwrap().balance());
        let verified = rebuild::verify(&path).unwrap();
        prop_assert_eq!((verified.different, verified.miscounted), (0, 0));
    }
}
