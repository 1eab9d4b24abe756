//! A request that panics, aborts or breaks a constraint stops nobody else, and needs nobody.
//!
//! The requests wait in the store before the daemon starts, so that it takes them in hand together.

use crate::command::{Place, wabridge};
use crate::slices::{import, imported};
use crate::support::client::{Client, META, META_SECRET, Signer, get, meta_body, text};
use crate::support::process::{Addresses, Process, until, until_projected};
use crate::support::store::{Contents, message_key};
use std::fs;
use wabridge::store::sqlite::{Signals, SqliteStore};
use wabridge::store::{Inbox, Request};
use wabridge_model::evidence::Proof;

/// In the key of the message at fault.
const MARKER: &str = "POISONED";
/// The waiting request at fault, among this many.
const GUILTY: usize = 9;
const WAITING: usize = 20;

fn wamid(request: usize, message: usize) -> String {
    let marker = if (request, message) == (GUILTY, 1) { MARKER } else { "" };
    format!("wamid.NEIGHBOUR{request}x{message}x{marker}")
}

/// Three messages of three customers, who write in every request: neighbours share leads with the guilty.
fn body_of(request: usize) -> Vec<u8> {
    let message = |at: usize| text(&wamid(request, at), &format!("44770090010{at}"), 1_760_000_000);
    let messages: Vec<_> = (0..3).map(message).collect();
    meta_body(serde_json::json!({ "messages": messages }))
}

/// Stores requests as a daemon would that died before it projected any.
fn store_waiting(place: &Place, bodies: impl IntoIterator<Item = Vec<u8>>) {
    let signals = Signals::unheard();
    let store = SqliteStore::open(&place.path("wabridge.db"), signals).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for body in bodies {
        let request = Request {
            received_at: "2026-11-22T08:30:00Z".parse().unwrap(),
            channel: "main".to_owned(),
            proof: Proof::Signed,
            secret_index: 0,
            query: String::new(),
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body,
        };
        runtime.block_on(store.append(request)).unwrap();
    }
}

/// Starts daemons, each when the one before it died, until one has projected everything. Returns that
/// one, and how many died.
fn supervise(place: &Place, fault: &str) -> (Process, Addresses, usize) {
    for deaths in 0.. {
        let mut process = Process::launch(place, fault);
        let Some(addresses) = process.try_ready() else { continue };
        let lives = until("it projects everything, or dies", || {
            let is_done = get(addresses.admin, "/metrics")
                .is_ok_and(|(_, page)| page.contains("wabridge_requests{state=\"waiting\"} 0\n"));
            if process.ended() { Some(false) } else { is_done.then_some(true) }
        });
        if lives {
            return (process, addresses, deaths);
        }
        assert!(deaths < 5, "it dies again and again: {}", process.said());
    }
    unreachable!("the loop has no end")
}

/// Runs the waiting requests, and some that come later, against a planted fault. Returns how often the
/// process died, and the reason for which the guilty request is quarantined.
fn quarantined(fault: &str) -> (usize, String) {
    let place = Place::new(META);
    store_waiting(&place, (0..WAITING).map(body_of));
    let (process, addresses, deaths) = supervise(&place, &format!("{fault}:{MARKER}"));
    let (signer, mut client) = (Signer::meta(), Client::connect(addresses.hooks).unwrap());
    for number in WAITING..WAITING + 5 {
        let request = signer.post("main", &body_of(number), jiff::Timestamp::UNIX_EPOCH);
        assert_eq!(client.send(&request).unwrap().0, 200);
    }
    until_projected(addresses.admin);
    assert_eq!(process.stop(), Some(0));
    let contents = Contents::of(&place);
    contents.assert_sound();
    for number in 0..WAITING + 5 {
        let there = (0..3).filter(|at| contents.has(&message_key(&wamid(number, *at)))).count();
        assert_eq!(there, if number == GUILTY { 0 } else { 3 }, "request {number}");
    }
    assert_eq!(
        contents.texts("SELECT request || ' ' || path FROM quarantine"),
        [format!("{} $", GUILTY + 1)]
    );
    let said = fs::read_to_string(place.path("stderr.log")).unwrap();
    assert!(!said.contains("wamid") && !said.contains("4477009"), "{said}");
    (deaths, contents.texts("SELECT reason FROM quarantine").remove(0))
}

/// Messages of a large body, one person's each; the last one that is settled is at fault.
const MANY: usize = 2_000;

/// Runs a large body with a message at fault among the others against a planted fault: what was settled before it
/// stays, the rest is quarantined, and replayed by a version that is not at fault.
fn quarantined_in_part(fault: &str) -> (usize, String) {
    let place = Place::new(META);
    let guilty = imported(MARKER, MANY - 1, 0);
    let body = String::from_utf8(import("MANY", MANY, 1)).unwrap();
    let body = body.replace(&imported("MANY", MANY - 1, 0), &guilty).into_bytes();
    store_waiting(&place, [body]);
    let (process, addresses, deaths) = supervise(&place, &format!("{fault}:{MARKER}"));
    let (signer, mut client) = (Signer::meta(), Client::connect(addresses.hooks).unwrap());
    let after = signer.post("main", &body_of(WAITING), jiff::Timestamp::UNIX_EPOCH);
    assert_eq!(client.send(&after).unwrap().0, 200);
    until_projected(addresses.admin);
    assert_eq!(process.stop(), Some(0));
    let contents = Contents::of(&place);
    contents.assert_sound();
    let applied = contents.number("SELECT count(*) FROM items WHERE request = 1 AND result = 'applied'");
    assert!((1..MANY as u64).contains(&applied), "{applied} of {MANY} were settled before");
    assert!(!contents.has(&message_key(&guilty)));
    assert_eq!(contents.texts("SELECT request || ' ' || ordinal || ' ' || path FROM quarantine"), ["1 -1 $"]);
    let reason = contents.texts("SELECT reason FROM quarantine").remove(0);

    let told = place.run(&["replay", "--quarantined"]);
    assert!(told.code == 0 && told.out.contains(&format!("{applied} items stay applied")), "{told:?}");
    let contents = Contents::of(&place);
    contents.assert_sound();
    assert!(contents.has(&message_key(&guilty)));
    assert_eq!(contents.books.items["applied"], MANY as u64 + 3, "{:?}", contents.books);
    assert_eq!(contents.number("SELECT count(*) FROM quarantine"), 0);
    (deaths, reason)
}

#[test]
fn poison_that_panics_among_many_quarantines_what_was_left_of_them() {
    assert_eq!(quarantined_in_part("panic"), (0, "panic".to_owned()));
}

#[test]
fn poison_that_breaks_a_constraint_among_many_quarantines_what_was_left_of_them() {
    assert_eq!(quarantined_in_part("constraint"), (0, "constraint".to_owned()));
}

#[test]
fn poison_among_many_is_found_though_each_start_settles_some_more_of_them() {
    let (deaths, reason) = quarantined_in_part("abort");
    assert_eq!(reason, "poison");
    assert!((2..=4).contains(&deaths), "it died {deaths} times");
}

#[test]
fn poison_that_still_panics_when_it_is_replayed_stays_where_it_is() {
    let place = Place::new(META);
    store_waiting(&place, (0..WAITING).map(body_of));
    let fault = format!("panic:{MARKER}");
    let (process, _, _) = supervise(&place, &fault);
    assert_eq!(process.stop(), Some(0));
    let before = Contents::of(&place).books;
    let mut replay = wabridge(&place.path(""));
    replay.env("WABRIDGE_CONFIG", place.path("wabridge.toml")).env("WABRIDGE_FAULT", &fault);
    let ended = replay.env("META", META_SECRET).args(["replay", "--quarantined"]).output().unwrap();
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(Contents::of(&place).books, before);
}

#[test]
fn poison_that_panics_is_quarantined_alone() {
    assert_eq!(quarantined("panic"), (0, "panic".to_owned()));
}

#[test]
fn poison_that_breaks_a_constraint_is_quarantined_alone() {
    assert_eq!(quarantined("constraint"), (0, "constraint".to_owned()));
}

#[test]
fn poison_that_brings_the_process_down_twice_is_quarantined_at_the_third_start() {
    assert_eq!(quarantined("abort"), (2, "poison".to_owned()));
}
