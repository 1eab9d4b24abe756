//! `wabridge backup` and `wabridge restore`: one moment of a store under load, for nobody else's eyes, and back.

use crate::command::{Ended, Place};
use crate::support::client::{Client, META, Signer, meta_body, text};
use crate::support::desk::{Told, open, tell};
use crate::support::process::{Process, until, until_projected};
use crate::support::store::Contents;
use age::secrecy::ExposeSecret;
use jiff::Timestamp;
use serde_json::json;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// When the messages were written.
const SECOND: i64 = 1_790_000_000;
const CLIENTS: usize = 3;
const BACKUPS: u64 = 10;

/// Writes a new key of age beside the configuration; returns its public half.
fn key(place: &Place, name: &str) -> String {
    let key = age::x25519::Identity::generate();
    place.write(name, &format!("# a key\n{}\n", key.to_string().expose_secret()), 0o600);
    key.to_public().to_string()
}

/// A place whose configuration names a key for its backups.
fn place_with_key() -> Place {
    let place = Place::new(META);
    let recipient = key(&place, "key");
    place.write("wabridge.toml", &configured(&place, "wabridge.db", &recipient), 0o600);
    place
}

fn configured(place: &Place, store: &str, recipient: &str) -> String {
    let folder = place.path("").display().to_string();
    let toml = META.replace("{folder}", folder.trim_end_matches('/')).replace("wabridge.db", store);
    format!("{toml}[backup]\nrecipients = [\"{recipient}\"]\n")
}

/// A place with such a configuration and a store in which a little happened.
async fn place_with_store() -> Place {
    let place = place_with_key();
    let store = open(&place.path("wabridge.db"));
    tell(&store, (0..20).map(|n| Told::text(&format!("m{n}"), -n).by("919876543210"))).await;
    place
}

fn restore(place: &Place, file: &str, key: &str, to: &str) -> Ended {
    place.run(&["restore", file, "--identity", key, "--to", to])
}

/// The rows of every table, as both commands print them.
fn rows(ended: &Ended) -> &str {
    assert_eq!(ended.code, 0, "{ended:?}");
    ended.out.lines().find(|line| line.starts_with("  rows ")).unwrap()
}

fn names(place: &Place) -> Vec<String> {
    let files = fs::read_dir(place.path("")).unwrap();
    files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
}

/// Posts messages until it is told to stop; counts what was acknowledged.
fn post(address: SocketAddr, signer: &Signer, client: usize, acknowledged: &AtomicU64, stop: &AtomicBool) {
    let mut connection = Client::connect(address).unwrap();
    let mut number = 0;
    while !stop.load(Ordering::Acquire) {
        let messages: Vec<_> = (0..4)
            .map(|part| {
                let wamid = format!("wamid.{client}.{number}.{part}");
                text(&wamid, &format!("9198000000{:02}", number % 100), SECOND)
            })
            .collect();
        let request = signer.post("main", &meta_body(json!({"messages": messages})), Timestamp::UNIX_EPOCH);
        assert_eq!(connection.send(&request).unwrap().0, 200);
        acknowledged.fetch_add(1, Ordering::AcqRel);
        number += 1;
    }
}

#[test]
fn load_a_backup_under_load_is_one_moment_and_restores_with_equal_counts_ten_times() {
    let place = place_with_key();
    let mut process = Process::launch(&place, "");
    let addresses = process.ready();
    let (signer, acknowledged, stop) = (Signer::meta(), AtomicU64::new(0), AtomicBool::new(false));
    let seen = || acknowledged.load(Ordering::Acquire);
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (signer, acknowledged, stop) = (&signer, &acknowledged, &stop);
            scope.spawn(move || post(addresses.hooks, signer, client, acknowledged, stop));
        }
        until("there is something to back up", || (seen() >= 500).then_some(()));
        let (mut made, mut last) = (Vec::new(), 0);
        for number in 0..BACKUPS {
            let (before, file) = (seen(), format!("{number}.age"));
            let backup = place.run(&["backup", &file]);
            let after = seen();
            assert!(after > before, "acknowledgements go on beside a backup");
            made.push((file, rows(&backup).to_owned(), before, after));
        }
        stop.store(true, Ordering::Release);
        for (file, held, before, after) in made {
            let to = format!("{file}.db");
            let restored = restore(&place, &file, "key", &to);
            assert_eq!(rows(&restored), held, "{file}");
            let connection = rusqlite::Connection::open(place.path(&to)).unwrap();
            let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, u64>(0)).unwrap();
            let requests = number("SELECT count(*) FROM requests");
            let most = after + CLIENTS as u64;
            assert!((before..=most).contains(&requests), "{file}: {requests} of {before} to {most}");
            assert!(requests > last, "each holds more than the one before");
            last = requests;
            // One moment: every projected request has its items, and no item a request that is not there.
            let through = number("SELECT value FROM meta WHERE name = 'projected_through'");
            let (first, items) =
                (number("SELECT count(DISTINCT request) FROM items"), number("SELECT count(*) FROM items"));
            assert_eq!((first, items), (through, through * 4), "{file}");
            assert_eq!(number("SELECT count(*) FROM events"), items, "{file}");
        }
    });
    assert_eq!(process.stop(), Some(0));
    let left: Vec<_> =
        names(&place).into_iter().filter(|name| name.contains("part") || name.ends_with("backup")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[actix_web::test]
async fn a_restored_store_is_served_as_if_nothing_had_happened() {
    let place = place_with_store().await;
    let before = place.run(&["lead", "919876543210", "--json"]);
    rows(&place.run(&["backup", "b.age"]));
    let restored = restore(&place, "b.age", "key", "restored.db");
    assert_eq!(restored.code, 0, "{restored:?}");
    let url = format!("url = \"sqlite:{}\"", place.path("restored.db").display());
    assert!(restored.out.contains(&url), "it says what to do next: {restored:?}");
    for file in ["b.age", "restored.db"] {
        let mode = fs::metadata(place.path(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    for name in ["wabridge.db", "wabridge.db-wal", "wabridge.db-shm"] {
        drop(fs::remove_file(place.path(name)));
    }
    let recipient = key(&place, "another");
    place.write("wabridge.toml", &configured(&place, "restored.db", &recipient), 0o600);
    assert_eq!(place.run(&["lead", "919876543210", "--json"]).out, before.out);
    let mut process = Process::launch(&place, "");
    let addresses = process.ready();
    let body = meta_body(json!({"messages": [text("wamid.after", "919800000099", SECOND)]}));
    let request = Signer::meta().post("main", &body, Timestamp::UNIX_EPOCH);
    assert_eq!(Client::connect(addresses.hooks).unwrap().send(&request).unwrap().0, 200);
    until_projected(addresses.admin);
    assert_eq!(process.stop(), Some(0));
    let sql = rusqlite::Connection::open(place.path("restored.db")).unwrap();
    assert_eq!(sql.query_row("SELECT count(*) FROM events", [], |row| row.get::<_, i64>(0)).unwrap(), 21);
    assert_eq!(place.run(&["rebuild", "--verify"]).code, 0);
}

#[actix_web::test]
async fn a_damaged_backup_or_another_key_restores_nothing_and_says_which() {
    let place = place_with_store().await;
    rows(&place.run(&["backup", "b.age"]));
    key(&place, "other");
    let wrong = restore(&place, "b.age", "other", "r.db");
    assert_eq!(wrong.code, 65, "{wrong:?}");
    assert!(wrong.err.contains("none of the keys given opens this backup"), "{wrong:?}");
    let whole = fs::read(place.path("b.age")).unwrap();
    for at in [0, 30, 100, 180, whole.len() / 2, whole.len() - 1] {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        fs::write(place.path("changed.age"), changed).unwrap();
        let refused = restore(&place, "changed.age", "key", "r.db");
        assert_eq!(refused.code, 65, "byte {at}: {refused:?}");
        fs::write(place.path("cut.age"), &whole[..at]).unwrap();
        assert_eq!(restore(&place, "cut.age", "key", "r.db").code, 65, "cut at {at}");
    }
    let left: Vec<_> = names(&place).into_iter().filter(|name| name.starts_with("r.db")).collect();
    assert!(left.is_empty(), "what failed leaves nothing: {left:?}");
}

#[actix_web::test]
async fn nothing_is_overwritten_and_nothing_is_written_in_the_clear() {
    let place = place_with_store().await;
    rows(&place.run(&["backup", "b.age"]));
    let again = place.run(&["backup", "b.age"]);
    assert_eq!(again.code, 65, "{again:?}");
    assert!(again.err.contains("b.age is there already"), "{again:?}");
    for taken in ["wabridge.db", "taken.db"] {
        place.write("taken.db-wal", "", 0o600);
        let refused = restore(&place, "b.age", "key", taken);
        assert_eq!(refused.code, 65, "{refused:?}");
        assert!(refused.err.contains("is there already"), "{refused:?}");
    }
    let toml = fs::read_to_string(place.path("wabridge.toml")).unwrap();
    place.write("wabridge.toml", toml.split("[backup]").next().unwrap(), 0o600);
    let open = place.run(&["backup", "clear.age"]);
    assert_eq!(open.code, 64, "{open:?}");
    assert!(open.err.contains("--recipient") && open.err.contains("--passphrase-file"), "{open:?}");
    assert!(!place.path("clear.age").exists());
    let wrong = place.run(&["backup", "clear.age", "--recipient", "age1nobody"]);
    assert_eq!(wrong.code, 64, "{wrong:?}");
    assert_eq!(place.run(&["restore", "b.age", "--to", "r.db"]).code, 64, "a key is asked for");
    place.write("key", &fs::read_to_string(place.path("key")).unwrap(), 0o644);
    let exposed = restore(&place, "b.age", "key", "r.db");
    assert_eq!(exposed.code, 65, "{exposed:?}");
    assert!(exposed.err.contains("chmod 600"), "{exposed:?}");
}

#[actix_web::test]
async fn a_passphrase_is_as_good_as_a_key_and_a_second_copy_waits_for_the_first() {
    let place = place_with_store().await;
    place.write("phrase", "four words of no meaning\n", 0o600);
    let made = place.run(&["backup", "b.age", "--passphrase-file", "phrase"]);
    let restored = place.run(&["restore", "b.age", "--passphrase-file", "phrase", "--to", "r.db"]);
    assert_eq!(rows(&made), rows(&restored));
    assert_eq!(Contents::of(&place).number("SELECT count(*) FROM requests"), 20);
    let held = fs::File::create(place.path("wabridge.db.backup")).unwrap();
    held.try_lock().unwrap();
    assert_eq!(place.run(&["backup", "c.age", "--passphrase-file", "phrase"]).code, 75);
    drop(held);
    // What a crash left behind is overwritten.
    fs::write(place.path("wabridge.db.backup"), "half a copy").unwrap();
    rows(&place.run(&["backup", "c.age", "--passphrase-file", "phrase"]));
    assert!(!place.path("wabridge.db.backup").exists());
}

#[test]
fn a_recipient_that_is_none_is_refused_without_being_repeated() {
    let place = Place::new("[backup]\nrecipients = [\"AGE-SECRET-KEY-1QQQQ\"]\nrecipient = []\n");
    let ended = place.run(&["check"]);
    assert_eq!(ended.code, 78);
    assert!(ended.out.contains(":2: 'recipients' in [backup] holds what is no public key"), "{ended:?}");
    assert!(ended.out.contains("did you mean 'recipients'?") && !ended.out.contains("QQQQ"), "{ended:?}");
}

#[actix_web::test]
async fn a_backup_that_is_killed_leaves_no_file_under_its_name() {
    let place = place_with_store().await;
    let whole = place.run(&["backup", "whole.age"]);
    let size: u64 = whole.out.split_once("database ").unwrap().1.split(' ').next().unwrap().parse().unwrap();
    // The system kills it in the file's last bytes: the copy of the store fits, and its backup is a little longer.
    let limited = format!("ulimit -c 0; ulimit -f {}; exec \"$0\" backup killed.age", size / 512);
    let mut command = std::process::Command::new("sh");
    command.args(["-c", &limited, env!("CARGO_BIN_EXE_wabridge")]).current_dir(place.path(""));
    let status = command.env("WABRIDGE_CONFIG", place.path("wabridge.toml")).status().unwrap();
    assert!(status.code().is_none(), "it was killed: {status:?}");
    let left: Vec<_> = names(&place).into_iter().filter(|name| name.starts_with("killed.age")).collect();
    assert!(left.len() == 1 && left[0].contains(".part-"), "{left:?}");
    rows(&place.run(&["backup", "killed.age"]));
}
