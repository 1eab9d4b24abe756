//! `kill -9` of the database server or of one of two daemons under load: what was acknowledged is there, once.
//!
//! The daemon that is left, and those whose server went, go on by themselves.

use crate::command::Place;
use crate::crash::{CLIENTS, Sent, kills, send_until_cut, tell, wamids};
use crate::on_postgres::configure;
use crate::support::client::Signer;
use crate::support::postgres::{Cluster, rows};
use crate::support::process::{Addresses, Process, pause, until_projected};
use crate::support::random::Random;
use crate::support::store::message_key;
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

/// Two daemons on one server.
struct Storm {
    cluster: Cluster,
    url: String,
    places: [Place; 2],
    daemons: [Option<(Process, Addresses)>; 2],
    random: Random,
    signer: Signer,
    next: AtomicI64,
    sent: Vec<Sent>,
}

impl Storm {
    fn new() -> Storm {
        let cluster = Cluster::start();
        let url = cluster.make("storm");
        let places = [Place::new(""), Place::new("")];
        places.iter().for_each(|place| configure(place, &url));
        Storm {
            cluster,
            url,
            places,
            daemons: [None, None],
            random: Random::new(),
            signer: Signer::meta(),
            next: AtomicI64::new(0),
            sent: Vec::new(),
        }
    }

    /// Both daemons, started where they do not run.
    fn up(&mut self) -> [Addresses; 2] {
        let mut places = self.places.iter();
        self.daemons.each_mut().map(|daemon| {
            let place = places.next().unwrap();
            let up = || {
                let mut process = Process::launch(place, "");
                let addresses = process.ready();
                (process, addresses)
            };
            daemon.get_or_insert_with(up).1
        })
    }

    /// Loads both daemons for a while, and kills the server or one of them in the middle of it.
    fn kill_one(&mut self) {
        self.cluster.wait();
        let addresses = self.up();
        let life = Duration::from_micros(self.random.within(10_000..250_000));
        let victim = self.random.within(0..4) as usize;
        let (signer, next, stop) = (&self.signer, &self.next, &AtomicBool::new(false));
        let (cluster, daemons) = (&self.cluster, &mut self.daemons);
        let sent = std::thread::scope(|scope| {
            let clients = addresses.iter().cycle().take(CLIENTS);
            let clients: Vec<_> =
                clients.map(|at| scope.spawn(move || send_until_cut(at.hooks, signer, next, stop))).collect();
            pause(life);
            match daemons.get_mut(victim) {
                Some(daemon) => daemon.take().unwrap().0.kill(),
                None => cluster.kill(),
            }
            stop.store(true, Ordering::Relaxed);
            clients.into_iter().flat_map(|client| client.join().unwrap()).collect::<Vec<_>>()
        });
        self.sent.extend(sent);
    }
}

#[test]
fn crash_kills_of_the_server_or_a_daemon_lose_nothing_that_was_acknowledged() {
    let (kills, mut storm) = (kills(25), Storm::new());
    for _ in 0..kills {
        storm.kill_one();
    }
    storm.cluster.wait();
    for at in storm.up() {
        until_projected(at.admin);
    }
    for (process, _) in storm.daemons.iter_mut().map(|daemon| daemon.take().unwrap()) {
        assert_eq!(process.stop(), Some(0));
    }
    let number = |sql: &str| rows(&storm.url, sql)[0].parse::<u64>().unwrap();
    let acknowledged: Vec<&Sent> = storm.sent.iter().filter(|sent| sent.acknowledged).collect();
    let events: HashSet<String> =
        rows(&storm.url, "SELECT encode(event_id, 'hex') FROM events").into_iter().collect();
    let is_there = |wamid: String| events.contains(&message_key(&wamid).event_id().0.simple().to_string());
    let missing = acknowledged.iter().filter(|sent| !wamids(sent.first).all(is_there)).count();
    tell(&format!("{} of {} requests acknowledged", acknowledged.len(), storm.sent.len()));
    assert_eq!(missing, 0, "of {} acknowledged requests", acknowledged.len());
    assert_eq!(number("SELECT count(*) FROM events"), events.len() as u64);
    assert_eq!(number("SELECT count(*) FROM quarantine"), 0);
    assert_eq!(number("SELECT count(*) FROM waiting"), 0);
    let counter = |name: &str| number(&format!("SELECT value FROM counters WHERE name = '{name}'"));
    assert_eq!(counter("requests.stored"), number("SELECT count(*) FROM requests"));
    assert_eq!(counter("items.seen"), number("SELECT count(*) FROM items"));
    assert_eq!(number("SELECT count(*) FROM items"), events.len() as u64, "every message was sent once");
    assert!(acknowledged.len() > 2 * kills, "{} acknowledged requests are no load", acknowledged.len());
}
