//! `kill -9` at random moments under load: what was acknowledged is there, whole, and nobody was needed.
//!
//! A kill does not show whether anything was flushed (the page cache outlives the process): `durable.rs`
//! does. What it shows is that nothing is acknowledged before its commit, and that every state in which
//! the process can die is one from which the next start goes on. The harness proves itself first: it must
//! catch a daemon that acknowledges before it commits.

use crate::command::Place;
use crate::slices::{import, imported};
use crate::support::client::{Client, META, Signer, meta_body, text};
use crate::support::process::{Addresses, Process, metric, pause, until, until_projected};
use crate::support::random::Random;
use crate::support::store::{Contents, message_key};
use std::io::Write;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

/// Concurrent connections.
pub(crate) const CLIENTS: usize = 4;
/// Messages in a request.
const BATCH: i64 = 4;

/// A request that was sent: the messages in it, and whether its 200 was read.
pub(crate) struct Sent {
    pub(crate) first: i64,
    pub(crate) acknowledged: bool,
}

/// A store, and all that was sent to the daemons on it.
struct Storm {
    place: Place,
    fault: &'static str,
    random: Random,
    signer: Signer,
    next: AtomicI64,
    sent: Vec<Sent>,
}

impl Storm {
    fn new(fault: &'static str) -> Storm {
        Storm {
            place: Place::new(META),
            fault,
            random: Random::new(),
            signer: Signer::meta(),
            next: AtomicI64::new(0),
            sent: Vec::new(),
        }
    }

    /// Starts a daemon and kills it: mostly under load, sometimes on its way up.
    fn kill_one(&mut self) {
        let process = Process::launch(&self.place, self.fault);
        if self.random.within(0..10) == 0 {
            pause(Duration::from_millis(self.random.within(0..40)));
            return process.kill();
        }
        let life = Duration::from_micros(self.random.within(10_000..250_000));
        self.load(process, |process| {
            pause(life);
            process.kill();
        });
    }

    /// Loads a daemon until `end` has ended it.
    fn load(&mut self, mut process: Process, end: impl FnOnce(Process)) {
        let address = process.ready().hooks;
        let (signer, next, stop) = (&self.signer, &self.next, &AtomicBool::new(false));
        let sent = std::thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS)
                .map(|_| scope.spawn(move || send_until_cut(address, signer, next, stop)))
                .collect();
            end(process);
            clients.into_iter().flat_map(|client| client.join().unwrap()).collect::<Vec<_>>()
        });
        self.sent.extend(sent);
    }

    /// Lets a daemon finish what waits, stops it, and reads what is there.
    fn settle(&self) -> Contents {
        let mut process = Process::launch(&self.place, self.fault);
        until_projected(process.ready().admin);
        assert_eq!(process.stop(), Some(0));
        Contents::of(&self.place)
    }

    /// Acknowledged requests that are not all there, and requests that are there in part.
    fn missing_and_partial(&self, contents: &Contents) -> (usize, usize) {
        let there =
            |sent: &Sent| wamids(sent.first).filter(|wamid| contents.has(&message_key(wamid))).count();
        let whole = BATCH as usize;
        let missing = self.sent.iter().filter(|sent| sent.acknowledged && there(sent) < whole).count();
        let partial = self.sent.iter().filter(|sent| (1..whole).contains(&there(sent))).count();
        (missing, partial)
    }
}

/// Posts batch after batch until the connection is cut or it is told to stop. One that is cut was sent and not acknowledged.
pub(crate) fn send_until_cut(
    address: SocketAddr,
    signer: &Signer,
    next: &AtomicI64,
    stop: &AtomicBool,
) -> Vec<Sent> {
    let mut sent = Vec::new();
    let Ok(mut client) = Client::connect(address) else { return sent };
    while !stop.load(Ordering::Relaxed) {
        let first = next.fetch_add(BATCH, Ordering::Relaxed);
        let request = signer.post("main", &body(first), jiff::Timestamp::UNIX_EPOCH);
        match client.send(&request) {
            Ok((200, _)) => sent.push(Sent { first, acknowledged: true }),
            Ok((status, _)) if status != 503 => panic!("answered {status}"),
            Ok(_) | Err(_) => {
                sent.push(Sent { first, acknowledged: false });
                break;
            }
        }
    }
    sent
}

pub(crate) fn wamids(first: i64) -> impl Iterator<Item = String> {
    (first..first + BATCH).map(|number| format!("wamid.STORM{number}"))
}

/// A batch of messages, each from another customer, of a thousand.
fn body(first: i64) -> Vec<u8> {
    let messages: Vec<_> = wamids(first)
        .zip(first..)
        .map(|(wamid, number)| {
            text(&wamid, &format!("447700900{:03}", number % 1000), 1_760_000_000 + number)
        })
        .collect();
    meta_body(serde_json::json!({ "messages": messages }))
}

/// How many are killed where every kill takes a second and more: so many, or as many as `WABRIDGE_KILLS` says.
pub(crate) fn kills(usually: usize) -> usize {
    std::env::var("WABRIDGE_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(usually)
}

/// For who runs it with `--no-capture`, or sees it fail.
pub(crate) fn tell(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

#[test]
fn crash_an_acknowledgement_before_the_commit_is_caught() {
    let mut storm = Storm::new("ack_before_commit");
    let mut kills = 0;
    let missing = loop {
        for _ in 0..10 {
            storm.kill_one();
        }
        kills += 10;
        let (missing, _) = storm.missing_and_partial(&storm.settle());
        if missing > 0 || kills == 100 {
            break missing;
        }
    };
    tell(&format!("{missing} lost of {} requests, after {kills} kills", storm.sent.len()));
    assert!(missing > 0, "{kills} kills, and the planted fault was not caught");
}

#[test]
fn crash_two_hundred_kills_lose_nothing_that_was_acknowledged() {
    let mut storm = Storm::new("");
    for _ in 0..200 {
        storm.kill_one();
    }
    let contents = storm.settle();
    let acknowledged = storm.sent.iter().filter(|sent| sent.acknowledged).count();
    tell(&format!("{acknowledged} of {} requests acknowledged; {:?}", storm.sent.len(), contents.books));
    assert_eq!(storm.missing_and_partial(&contents), (0, 0), "of {acknowledged} acknowledged requests");
    contents.assert_sound();
    assert_eq!(contents.number("SELECT count(*) FROM quarantine"), 0, "{:?}", contents.books);
    assert_eq!(contents.books.items.get("duplicate"), None, "every message was sent once");
    assert!(acknowledged > 1000, "{acknowledged} acknowledged requests are no load");
}

#[test]
fn crash_in_the_middle_of_a_large_request_loses_nothing_of_it_and_repeats_nothing() {
    const THREADS: usize = 200;
    const EACH: usize = 40;
    let (place, signer) = (Place::new(META), Signer::meta());
    let seen = |admin| metric(admin, "wabridge_items_seen_total");
    let all = (THREADS * EACH) as u64;
    let mut process = Process::launch(&place, "");
    let request = signer.post("main", &import("LARGE", THREADS, EACH), jiff::Timestamp::UNIX_EPOCH);
    let Addresses { hooks, mut admin } = process.ready();
    assert_eq!(Client::connect(hooks).unwrap().send(&request).unwrap().0, 200);
    let mut before = 0;
    // More often than poison would survive: each time it went on, and only its crashes in one place count.
    for kill in 1..=3 {
        until("some more of it is settled", || (seen(admin) > before).then_some(()));
        process.kill();
        let contents = Contents::of(&place);
        before = contents.number("SELECT count(*) FROM items");
        assert!(before < all, "it was done before kill {kill}: {before}");
        assert!(contents.books.balance(), "{:?}", contents.books);
        assert_eq!((contents.books.requests["waiting"], contents.books.items["seen"]), (1, before));
        process = Process::launch(&place, "");
        admin = process.ready().admin;
    }
    until_projected(admin);
    assert_eq!(process.stop(), Some(0));
    let contents = Contents::of(&place);
    contents.assert_sound();
    let messages = (0..THREADS).flat_map(|n| (0..EACH).map(move |m| message_key(&imported("LARGE", n, m))));
    assert_eq!(messages.filter(|key| !contents.has(key)).count(), 0);
    assert_eq!(contents.books.items, [("applied".to_owned(), all), ("seen".to_owned(), all)].into());
}

#[test]
fn crash_or_not_a_sigterm_under_load_exits_0_and_keeps_what_was_acknowledged() {
    let mut storm = Storm::new("");
    for _ in 0..5 {
        let process = Process::launch(&storm.place, "");
        let life = Duration::from_micros(storm.random.within(10_000..250_000));
        storm.load(process, |process| {
            pause(life);
            assert_eq!(process.stop(), Some(0));
        });
    }
    let contents = storm.settle();
    assert_eq!(storm.missing_and_partial(&contents), (0, 0), "of {} requests", storm.sent.len());
    contents.assert_sound();
}
