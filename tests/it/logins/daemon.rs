//! A daemon whose target nobody has logged in to: it waits, says why, and goes on by itself once somebody has.

use super::bench::Bench;
use crate::support::client::{Client, Signer, meta_body, text};
use crate::support::process::{Process, until};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::fs;
use wabridge::store::outbox::Outbox;
use wabridge::store::sqlite::SqliteStore;

fn paused(bench: &Bench) -> Option<String> {
    SqliteStore::open_to_read(&bench.path()).unwrap().target("zoho").unwrap().paused
}

/// Makes the fields that are written, with a token of the account's own.
fn set_up(bench: &Bench) {
    let toml = fs::read_to_string(bench.place.path("wabridge.toml")).unwrap();
    let auth = toml.lines().find(|line| line.starts_with("auth = ")).unwrap();
    let token = bench.place.path("token");
    bench.place.write("token", bench.simulator.target()["auth"]["token"].as_str().unwrap(), 0o600);
    let toml = toml.replace(auth, &format!("auth = {{ token = \"file:{}\" }}", token.display()));
    let path = bench.place.write("setup.toml", &toml, 0o600);
    let made = bench.run(&["target", "setup", "zoho", "--apply", "--config", path.to_str().unwrap()]);
    assert_eq!(made.code, 0, "{made:?}");
}

fn persons(bench: &Bench) -> usize {
    bench.control("/_ledger", &Value::Null)["persons"].as_array().unwrap().len()
}

#[test]
fn a_target_waits_for_its_login_and_goes_on_by_itself_after_it() {
    let bench = Bench::new();
    set_up(&bench);
    let mut process = Process::launch(&bench.place, "");
    let hooks = process.ready().hooks;
    let body = meta_body(json!({ "messages": [text("wamid.ONE", "919876543210", 1_764_000_000)] }));
    let (status, _) = Client::connect(hooks)
        .unwrap()
        .send(&Signer::meta().post("main", &body, Timestamp::UNIX_EPOCH))
        .unwrap();
    assert_eq!(status, 200);
    until("the target is paused", || paused(&bench).filter(|cause| cause == "auth"));
    let said = process.said();
    assert!(said.contains("wabridge login zoho"), "{said}");
    let listed = bench.run(&["target", "list"]);
    assert!(listed.out.contains("paused (auth); `wabridge login zoho` lets it go on"), "{listed:?}");
    assert!(listed.out.contains("nobody has logged in yet"), "{listed:?}");
    let checked = bench.run(&["check"]);
    assert!(checked.out.contains("nobody has logged in yet; run: wabridge login zoho"), "{checked:?}");
    assert_eq!((checked.code, persons(&bench)), (0, 0));
    bench.log_in_now();
    until("the lead is written", || (persons(&bench) == 1).then_some(()));
    assert_eq!(paused(&bench), None);
    let checked = bench.run(&["check"]);
    assert!(checked.out.contains("'zoho': logged in"), "{checked:?}");
    assert_eq!(process.stop(), Some(0));
}
