//! The daemon and its commands on PostgreSQL: as on a file, with any number of daemons.

use crate::command::Place;
use crate::support::client::{Client, META, Signer, meta_body, text};
use crate::support::postgres::{self, run};
use crate::support::process::{Process, until_projected};
use jiff::Timestamp;

/// Two places on one machine, or on two, with one database.
struct Pair {
    places: [Place; 2],
    url: String,
}

impl Pair {
    fn new() -> Pair {
        let places = [Place::new(""), Place::new("")];
        let url = postgres::of(&places[0].path("database"));
        let pair = Pair { places, url };
        pair.places.iter().for_each(|place| configure(place, &pair.url));
        pair
    }
}

/// The configuration of a daemon on a database.
pub(crate) fn configure(place: &Place, url: &str) {
    let folder = place.path("");
    let folder = folder.to_str().unwrap().trim_end_matches('/');
    let store = format!("url = \"{url}\"\nfolder = \"{folder}\"");
    let toml = META.replace("url = \"sqlite:{folder}/wabridge.db\"", &store);
    let toml = toml.replace("[server]", &format!("[server]\ncontrol_socket = \"{folder}/control\""));
    place.write("wabridge.toml", &toml, 0o600);
}

/// A count of the books.
fn count(url: &str, name: &str) -> u64 {
    let sql = format!("SELECT coalesce(sum(value), 0) FROM counters WHERE name = '{name}'");
    postgres::rows(url, &sql)[0].parse().unwrap()
}

fn message(number: i64) -> Vec<u8> {
    let message = text(&format!("wamid.PAIR{number}"), "447700900123", 1_760_000_000);
    meta_body(serde_json::json!({ "messages": [message] }))
}

#[test]
fn two_daemons_take_the_twins_of_a_message_for_one_and_either_answers_for_both() {
    let pair = Pair::new();
    let [one, other] = &pair.places;
    let (mut first, mut second) = (Process::launch(one, ""), Process::launch(other, ""));
    let (a, b) = (first.ready(), second.ready());
    let signer = Signer::meta();
    for number in 0..40 {
        let request = signer.post("main", &message(number), Timestamp::UNIX_EPOCH);
        for at in [a, b] {
            assert_eq!(Client::connect(at.hooks).unwrap().send(&request).unwrap().0, 200);
        }
    }
    until_projected(a.admin);
    until_projected(b.admin);
    // One that came earlier and is read later tells when it came, so it is not a duplicate to the last bit.
    let seen = count(&pair.url, "items.applied") + count(&pair.url, "items.duplicate");
    assert_eq!((count(&pair.url, "items.seen"), seen), (80, 80));
    assert_eq!(postgres::rows(&pair.url, "SELECT count(*) FROM events"), ["40"]);
    assert_eq!(postgres::rows(&pair.url, "SELECT count(*) FROM clusters"), ["1"]);
    for place in &pair.places {
        let said = place.run(&["window", "+447700900123", "--at", "2025-10-09T10:00:00Z"]);
        assert_eq!(said.code, 0, "{}", said.err);
        assert!(said.out.contains("You may write freely"), "{}", said.out);
    }

    // One vanishes; the other takes what comes.
    first.kill();
    let request = signer.post("main", &message(40), Timestamp::UNIX_EPOCH);
    assert_eq!(Client::connect(b.hooks).unwrap().send(&request).unwrap().0, 200);
    until_projected(b.admin);
    assert_eq!(postgres::rows(&pair.url, "SELECT count(*) FROM events"), ["41"]);
    assert_eq!(second.stop(), Some(0));
}

#[test]
fn commands_work_beside_a_daemon_and_without_one() {
    let pair = Pair::new();
    let [place, other] = &pair.places;
    let early = place.run(&["token", "list"]);
    assert_eq!(early.code, 69, "{}", early.err);
    assert!(early.err.contains("start the daemon once"), "{}", early.err);
    let made = place.run(&["token", "create", "--name", "early", "--scope", "admin"]);
    assert_eq!(made.code, 0, "{}", made.err);
    let mut daemon = Process::launch(place, "");
    let at = daemon.ready();
    let request = Signer::meta().post("main", &message(1), Timestamp::UNIX_EPOCH);
    assert_eq!(Client::connect(at.hooks).unwrap().send(&request).unwrap().0, 200);
    until_projected(at.admin);
    // Beside the daemon, by it and not by it.
    for place in [place, other] {
        let said = place.run(&["rebuild", "--yes"]);
        assert_eq!((said.code, said.out.as_str()), (0, "1 events folded into 1 people.\n"), "{}", said.err);
        assert!(place.run(&["token", "list"]).out.contains("early"));
        let said = place.run(&["replay", "--since", "2025-01-01"]);
        assert_eq!(said.code, 0, "{}", said.err);
        assert!(said.out.contains("Read 1 stored requests"), "{}", said.out);
    }
    assert_eq!(daemon.stop(), Some(0));
    let said = place.run(&["token", "revoke", "early"]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(other.run(&["token", "list"]).out.contains("revoked"));
    let said = place.run(&["lead", "+447700900123"]);
    assert_eq!(said.code, 0, "{}", said.err);
    let said = place.run(&[
        "backup",
        "copy",
        "--recipient",
        "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p",
    ]);
    assert_eq!(said.code, 64, "{}", said.err);
    assert!(said.err.contains("pg_dump"), "{}", said.err);
}

#[test]
fn a_server_that_cannot_be_trusted_or_reached_is_named_with_the_way_out() {
    type Change = fn(&str) -> String;
    let cases: [(&str, Change, i32, &str); 4] = [
        ("unsafe", str::to_owned, 78, "set fsync, full_page_writes and synchronous_commit to on"),
        (
            "database",
            |url| url.replace("/store_", "/nothing_"),
            78,
            "correct url, password, ca and schema in [store]",
        ),
        (
            "user",
            |url| url.replace("wabridge@", "stranger@"),
            78,
            "correct url, password, ca and schema in [store]",
        ),
        ("away", |_| "postgres://wabridge@127.0.0.1:1/wabridge".to_owned(), 69, "does not answer"),
    ];
    let pair = Pair::new();
    let database = pair.url.rsplit('/').next().unwrap();
    run(&pair.url, &format!("ALTER DATABASE {database} SET synchronous_commit = off"));
    for (case, url, code, way_out) in cases {
        let place = &pair.places[0];
        configure(place, &url(&pair.url));
        for command in ["serve", "check"] {
            let said = place.run_with(&[command], &[("META", "secret")], b"");
            let all = format!("{}{}", said.out, said.err);
            assert_eq!(said.code, code, "{case}, {command}: {all}");
            assert!(all.contains(way_out), "{case}, {command}: {all}");
            assert!(!all.contains("panicked"), "{case}, {command}: {all}");
        }
    }
}

#[test]
fn brands_with_a_schema_each_share_a_database_and_nothing_else() {
    let pair = Pair::new();
    for (place, schema) in pair.places.iter().zip(["brand_a", "brand_b"]) {
        run(&pair.url, &format!("CREATE SCHEMA {schema}"));
        let toml = std::fs::read_to_string(place.path("wabridge.toml")).unwrap();
        let toml = toml.replace("[store]\n", &format!("[store]\nschema = \"{schema}\"\n"));
        place.write("wabridge.toml", &toml, 0o600);
    }
    let daemons = pair.places.each_ref().map(|place| Process::launch(place, ""));
    let [mut first, mut second] = daemons;
    let (a, b) = (first.ready(), second.ready());
    let request = Signer::meta().post("main", &message(1), Timestamp::UNIX_EPOCH);
    assert_eq!(Client::connect(a.hooks).unwrap().send(&request).unwrap().0, 200);
    until_projected(a.admin);
    until_projected(b.admin);
    let applied = |brand| postgres::rows(&pair.url, &format!("SELECT count(*) FROM {brand}.events"));
    assert_eq!((applied("brand_a"), applied("brand_b")), (vec!["1".to_owned()], vec!["0".to_owned()]));
    let said = pair.places[1].run(&["window", "+447700900123", "--at", "2025-10-09T10:00:00Z"]);
    assert!(!said.out.contains("You may write freely"), "{}", said.out);
    assert_eq!((first.stop(), second.stop()), (Some(0), Some(0)));
}
