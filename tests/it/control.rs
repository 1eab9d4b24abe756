//! The control socket: commands that change things have the running daemon do it, and only their own one.

use crate::command::Place;
use crate::support::client::{Client, META, Signer, meta_body, text};
use crate::support::process::{Process, until, until_projected};
use crate::support::store::{Contents, message_key};
use crate::support::traffic;
use rusqlite::Connection;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use wabridge::clock::SetClock;
use wabridge::runtime::Daemon;
use wabridge::store::sqlite::rebuild;

/// A place whose daemon has a control socket.
fn place() -> Place {
    Place::new(&META.replacen("[server]", "[server]\ncontrol_socket = \"{folder}/control.sock\"", 1))
}

fn said_of(place: &Place, line: &str) -> String {
    let mut stream = UnixStream::connect(place.path("control.sock")).unwrap();
    stream.write_all(line.as_bytes()).unwrap();
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).unwrap();
    answer.trim_end().to_owned()
}

#[test]
fn tokens_are_kept_by_the_daemon_that_runs_and_by_the_command_where_none_does() {
    let place = place();
    let create = |name: &str| place.run(&["token", "create", "--name", name, "--scope", "lead:read"]);
    assert_eq!(create("before").code, 0, "no daemon has run yet");
    let mut process = Process::launch(&place, "");
    process.ready();
    let socket = std::fs::metadata(place.path("control.sock")).unwrap();
    assert_eq!(socket.permissions().mode() & 0o777, 0o600, "nobody else may command it");
    assert_eq!(create("while").code, 0);
    let again = create("while");
    assert_eq!(again.code, 65, "{again:?}");
    assert!(again.err.contains("there is or was a token named 'while'"), "{again:?}");
    assert_eq!(place.run(&["token", "revoke", "before"]).code, 0);
    assert_eq!(place.run(&["token", "revoke", "before"]).code, 65, "it is revoked already");
    assert_eq!(process.stop(), Some(0));
    assert!(!place.path("control.sock").exists(), "who connects to it would wait for nobody");
    assert_eq!(create("after").code, 0);
    let listed = place.run(&["token", "list"]).out;
    for name in ["before", "while", "after"] {
        assert!(listed.contains(name), "{listed}");
    }
}

#[test]
fn a_daemon_refuses_what_is_meant_for_another_store_and_the_command_does_it_itself() {
    let (ours, theirs) = (place(), place());
    let mut process = Process::launch(&theirs, "");
    process.ready();
    // A configuration that names the other brand's socket by mistake.
    let socket = theirs.path("control.sock").display().to_string();
    let config = std::fs::read_to_string(ours.path("wabridge.toml")).unwrap();
    let own = ours.path("control.sock").display().to_string();
    ours.write("wabridge.toml", &config.replace(&own, &socket), 0o600);
    assert_eq!(ours.run(&["token", "create", "--name", "mine", "--scope", "admin"]).code, 0);
    assert!(ours.run(&["token", "list"]).out.contains("mine"));
    assert!(!theirs.run(&["token", "list"]).out.contains("mine"), "it went to the other brand's store");
    // Nor does a daemon take another's socket away.
    let mut second = Process::launch(&ours, "");
    assert_eq!(second.wait().code(), Some(69));
    assert!(second.said().contains("another daemon listens on"), "{}", second.said());
    assert_eq!(process.stop(), Some(0));
}

#[test]
fn a_socket_that_a_killed_daemon_left_behind_is_in_nobody_s_way() {
    let place = place();
    let mut killed = Process::launch(&place, "");
    killed.ready();
    killed.kill();
    assert!(place.path("control.sock").exists());
    assert_eq!(place.run(&["token", "create", "--name", "alone", "--scope", "admin"]).code, 0);
    let mut process = Process::launch(&place, "");
    process.ready();
    assert_eq!(place.run(&["token", "revoke", "alone"]).code, 0);
    assert_eq!(process.stop(), Some(0));
}

#[test]
fn what_is_no_command_is_answered_and_changes_nothing() {
    let place = place();
    let mut process = Process::launch(&place, "");
    process.ready();
    let store = place.path("wabridge.db").display().to_string();
    for line in [
        "\n".to_owned(),
        "rebuild\n".to_owned(),
        format!("{{\"store\": {store:?}, \"do\": \"fly\"}}\n"),
        format!(
            "{{\"store\": {store:?}, \"do\": \"add_token\", \"name\": \"x\", \"scopes\": [], \"created_at\": \"2026-11-22T08:00:00Z\", \"hash\": \"00\"}}\n"
        ),
    ] {
        assert_eq!(said_of(&place, &line), "\"unknown\"", "{line}");
    }
    let other = "{\"store\": \"/elsewhere\", \"do\": \"rebuild\"}\n";
    assert_eq!(said_of(&place, other), "\"other_store\"");
    drop(UnixStream::connect(place.path("control.sock")).unwrap());
    assert!(place.run(&["token", "list"]).out.starts_with("No tokens"));
    assert_eq!(process.stop(), Some(0));
}

#[test]
fn a_rebuild_beside_a_daemon_mends_what_was_spoilt_while_messages_come_in() {
    let place = place();
    let mut process = Process::launch(&place, "");
    let at = process.ready();
    let signer = Signer::meta();
    let enough = AtomicBool::new(false);
    let send = |from: i64| {
        let mut client = Client::connect(at.hooks).unwrap();
        let mut sent = 0;
        while sent < 100 || !enough.load(Ordering::Acquire) {
            let number = from + sent;
            let phone = format!("447700900{:03}", number % 500);
            let message = text(&format!("wamid.REBUILD{number}"), &phone, 1_760_000_000 + number);
            let body = meta_body(serde_json::json!({ "messages": [message] }));
            let request = signer.post("main", &body, jiff::Timestamp::UNIX_EPOCH);
            assert_eq!(client.send(&request).unwrap().0, 200);
            sent += 1;
        }
        sent
    };
    enough.store(true, Ordering::Release);
    send(0);
    until_projected(at.admin);
    enough.store(false, Ordering::Release);
    let spoil = "UPDATE clusters SET state = replace(state, '\"text\"', '\"image\"')";
    Connection::open(place.path("wabridge.db")).unwrap().execute(spoil, []).unwrap();
    assert_eq!(place.run(&["rebuild", "--verify"]).code, 1, "it is spoilt");
    let sent = std::thread::scope(|scope| {
        let sender = scope.spawn(|| send(1000));
        let done = place.run(&["rebuild", "--yes"]);
        assert_eq!(done.code, 0, "{done:?}");
        assert!(done.out.contains("events folded into"), "{done:?}");
        enough.store(true, Ordering::Release);
        sender.join().unwrap()
    });
    until_projected(at.admin);
    let verified = place.run(&["rebuild", "--verify"]);
    assert_eq!(verified.code, 0, "{verified:?}");
    assert_eq!(process.stop(), Some(0));
    let contents = Contents::of(&place);
    contents.assert_sound();
    let numbers = (0..100).chain(1000..1000 + sent);
    let missing = numbers.filter(|it| !contents.has(&message_key(&format!("wamid.REBUILD{it}")))).count();
    assert_eq!(missing, 0);
}

#[test]
fn load_a_store_whose_folded_state_is_all_wrong_is_whole_again_while_traffic_of_every_kind_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wabridge.db");
    let now: jiff::Timestamp = "2026-11-22T08:30:00Z".parse().unwrap();
    let daemon = Daemon::start(traffic::config(&path), Arc::new(SetClock::at(now))).unwrap();
    let requests = traffic::requests(0..1600, now);
    let deliver = |requests: &[traffic::Request]| {
        let mut client = Client::connect(daemon.address).unwrap();
        for request in requests {
            assert_eq!(client.send(&request.bytes).unwrap().0, 200);
        }
    };
    let projected = || {
        until("everything is projected", || (daemon.store.backlog().unwrap().waiting == 0).then_some(()));
    };
    deliver(&requests[..800]);
    projected();
    let before = daemon.store.books().unwrap();
    Connection::open(&path)
        .unwrap()
        .execute_batch(
            "UPDATE clusters SET state = '{}' WHERE id % 3 = 0;
             DELETE FROM touches WHERE cluster % 3 = 1;
             DELETE FROM names WHERE cluster % 5 = 2;
             UPDATE rollups SET conversations = conversations + 1;",
        )
        .unwrap();
    assert!(rebuild::verify(&path).unwrap().different > 100, "too little is wrong");
    let rebuilt = std::thread::scope(|scope| {
        let rebuilding = scope.spawn(|| daemon.store.rebuild(&|| true).unwrap());
        deliver(&requests[800..]);
        rebuilding.join().unwrap()
    });
    assert!(rebuilt.events >= 800 && rebuilt.people > 100, "{rebuilt:?}");
    projected();
    // Names that were gone when an event of theirs came made it another person's: once more, at rest.
    let rebuilt = daemon.store.rebuild(&|| true).unwrap();
    let verified = rebuild::verify(&path).unwrap();
    assert_eq!((verified.different, verified.miscounted, verified.rebuilt), (0, 0, rebuilt));
    let after = daemon.store.books().unwrap();
    assert!(before.balance() && after.balance(), "{after:?}");
    let gives_up = daemon.store.rebuild(&|| false).unwrap_err();
    assert_eq!(gives_up.kind, wabridge::store::StoreErrorKind::Busy);
    daemon.stop();
}
