//! What is not taken at once is not lost: parked, held or quarantined requests are read again, and the books
//! balance before and after.

use crate::command::{Ended, Place};
use crate::support::client::{BUSINESS, Client, Signer, channel, meta_body, text};
use crate::support::process::{Addresses, Process, metric, until, until_projected};
use jiff::Timestamp;
use serde_json::{Value, json};
use wabridge::config::Config;

const RIGHT: &str = "fixture-secret-of-the-provider";
const WRONG: &str = "fixture-secret-mistyped";
const TOKEN: &str = "fixture-path-token";

const SHOP: &str = r#"
[server]
listen = "127.0.0.1:0"
admin_listen = "127.0.0.1:0"
[store]
url = "sqlite:{folder}/wabridge.db"
[[channel]]
name = "shop"
provider = "interakt"
secrets = ["file:{folder}/secret"]
path_token = "file:{folder}/token"
business_number = "+442079460001"
"#;

fn serve(place: &Place) -> (Process, Addresses) {
    let mut process = Process::launch(place, "");
    let at = process.ready();
    (process, at)
}

/// What Interakt would post with its own secret, to this path.
fn interakt(path: &str) -> Vec<u8> {
    let body = include_bytes!("../../fixtures/providers/interakt/text/body.json");
    let mut config = Config::new("/nowhere");
    config.channels.push(channel("shop", "interakt", RIGHT));
    let request = Signer::of(&config).post("shop", body, Timestamp::UNIX_EPOCH);
    let head = String::from_utf8_lossy(&request).find(" HTTP/1.1").unwrap();
    [format!("POST {path}").as_bytes(), &request[head..]].concat()
}

fn post(at: Addresses, request: &[u8]) -> u16 {
    Client::connect(at.hooks).unwrap().send(request).unwrap().0
}

fn ok(ended: Ended) -> String {
    assert_eq!(ended.code, 0, "{ended:?}");
    ended.out
}

#[test]
fn a_mistyped_secret_parks_what_the_provider_would_not_send_again() {
    let place = Place::new(SHOP);
    place.write("secret", WRONG, 0o600);
    place.write("token", TOKEN, 0o600);
    let (process, at) = serve(&place);
    assert_eq!(post(at, &interakt("/hooks/shop")), 401, "without the token nothing tells it from a forgery");
    assert_eq!(post(at, &interakt("/hooks/shop/guessed")), 401);
    assert_eq!(post(at, &interakt(&format!("/hooks/shop/{TOKEN}"))), 200);
    assert_eq!(metric(at.admin, r#"wabridge_requests{state="parked"}"#), 1);
    assert_eq!(metric(at.admin, r#"wabridge_requests{state="stored"}"#), 0, "it is no evidence of anything");
    assert!(!process.said().contains(TOKEN), "no log line carries the token");
    assert_eq!(process.stop(), Some(0));

    let told = ok(place.run(&["replay", "--parked"]));
    assert!(told.contains("Read 1 parked requests: 0 proven by today's secrets, 1 not."), "{told}");
    place.write("secret", RIGHT, 0o600);
    let told = ok(place.run(&["replay", "--parked", "--dry-run"]));
    assert!(told.contains("Would read 1 parked requests: 1 proven"), "{told}");
    assert!(told.contains("Nothing was changed"), "{told}");
    let told = ok(place.run(&["replay", "--parked"]));
    assert!(told.ends_with("Read 1 parked requests: 1 proven by today's secrets, 0 not.\n"), "{told}");

    let (_process, at) = serve(&place);
    until_projected(at.admin);
    assert_eq!(metric(at.admin, r#"wabridge_requests{state="parked"}"#), 0);
    assert_eq!(metric(at.admin, r#"wabridge_items_total{result="applied",reason=""}"#), 1);
    assert_eq!(post(at, &interakt("/hooks/shop")), 200, "a right signature needs no token");
    until_projected(at.admin);
    assert_eq!(metric(at.admin, r#"wabridge_items_total{result="duplicate",reason=""}"#), 1);
}

/// A Meta channel whose numbers are `numbers`.
fn meta(unknown: &str, numbers: &str) -> String {
    format!(
        r#"
[server]
listen = "127.0.0.1:0"
admin_listen = "127.0.0.1:0"
unknown_numbers = "{unknown}"
[store]
url = "sqlite:{{folder}}/wabridge.db"
[[channel]]
name = "main"
provider = "meta"
app_secrets = ["env:META"]
verify_token = "env:META"
business_numbers = {{ {numbers} }}
"#
    )
}

fn reconfigure(place: &Place, toml: &str) {
    let folder = place.path("").display().to_string();
    place.write("wabridge.toml", &toml.replace("{folder}", folder.trim_end_matches('/')), 0o600);
}

fn hello() -> Vec<u8> {
    let now = "2026-11-22T08:30:00Z".parse::<Timestamp>().unwrap();
    let body = meta_body(json!({"messages": [text("wamid.unknown", "447700900001", now.as_second())]}));
    Signer::meta().post("main", &body, now)
}

fn lead(place: &Place) -> Value {
    let told = ok(place.run(&["lead", "+447700900001", "--json"]));
    serde_json::from_str(&told).unwrap()
}

#[test]
fn what_is_held_for_an_unknown_number_is_read_again_when_the_number_is_known() {
    let place = Place::new(&meta("hold", ""));
    let (process, at) = serve(&place);
    assert_eq!(post(at, &hello()), 200);
    until_projected(at.admin);
    assert_eq!(metric(at.admin, r#"wabridge_items_total{result="quarantined",reason="unknown_number"}"#), 1);
    assert_eq!(process.stop(), Some(0));
    assert_eq!(place.run(&["lead", "+447700900001"]).code, 65, "nobody is known yet");

    reconfigure(&place, &meta("hold", &format!(r#""{}" = "{}""#, BUSINESS.0, BUSINESS.1)));
    let told = ok(place.run_with(&["replay", "--quarantined", "--dry-run"], &[], b""));
    assert!(told.contains("Would read 1 stored requests; people concerned: 1."), "{told}");
    assert!(told.contains("1 items: quarantined -> applied"), "{told}");
    assert_eq!(place.run(&["lead", "+447700900001"]).code, 65, "a dry run changes nothing");
    let told = ok(place.run(&["replay", "--quarantined"]));
    assert!(told.ends_with("  1 items: quarantined -> applied\n"), "{told}");
    assert_eq!(lead(&place)["windows"][0]["business_number"], BUSINESS.1);

    let told = ok(place.run(&["replay", "--since", "2026-11-01"]));
    assert!(told.contains("1 items stay applied"), "what is known is known once: {told}");
    let told = ok(place.run(&["replay", "--lead", "+447700900001"]));
    assert!(told.contains("Read 1 stored requests"), "{told}");
    assert_eq!(ok(place.run(&["rebuild", "--verify"])).matches("no difference").count(), 1);
    let (_process, at) = serve(&place);
    let of = |name: &str| metric(at.admin, name);
    assert_eq!(of("wabridge_items_seen_total"), 1);
    assert_eq!(of(r#"wabridge_items_total{result="applied",reason=""}"#), 1);
    assert_eq!(of(r#"wabridge_items_total{result="quarantined",reason="unknown_number"}"#), 0);
    assert_eq!(of(r#"wabridge_requests{state="projected"}"#), 1);
}

#[test]
fn the_running_daemon_reads_again_with_the_configuration_it_was_told_to_take() {
    let held =
        meta("hold", "").replacen("[server]", "[server]\ncontrol_socket = \"{folder}/control.sock\"", 1);
    let place = Place::new(&held);
    let (process, at) = serve(&place);
    assert_eq!(post(at, &hello()), 200);
    until_projected(at.admin);
    let told = ok(place.run(&["replay", "--quarantined"]));
    assert!(told.ends_with("  1 items stay quarantined\n"), "the number is still unknown: {told}");
    let known = format!(r#"business_numbers = {{ "{}" = "{}" }}"#, BUSINESS.0, BUSINESS.1);
    reconfigure(&place, &held.replace("business_numbers = {  }", &known));
    let hung_up = std::process::Command::new("kill").args(["-HUP", &process.id().to_string()]).status();
    assert!(hung_up.unwrap().success());
    until("the configuration is taken", || {
        process.said().contains("the configuration is in force").then_some(())
    });
    let told = ok(place.run(&["replay", "--quarantined", "--dry-run"]));
    assert!(told.contains("1 items: quarantined -> applied"), "{told}");
    let told = ok(place.run(&["replay", "--quarantined"]));
    assert!(told.ends_with("  1 items: quarantined -> applied\n"), "{told}");
    assert_eq!(lead(&place)["windows"][0]["business_number"], BUSINESS.1);
    assert_eq!(metric(at.admin, r#"wabridge_items_total{result="applied",reason=""}"#), 1);
    let told = ok(place.run(&["replay", "--parked"]));
    assert!(told.contains("Read 0 parked requests"), "{told}");
}

#[test]
fn what_an_account_id_stood_for_when_it_was_unknown_it_stands_for_ever_after() {
    let place = Place::new(&meta("accept", ""));
    let (process, at) = serve(&place);
    assert_eq!(post(at, &hello()), 200);
    until_projected(at.admin);
    assert_eq!(process.stop(), Some(0));
    assert_eq!(lead(&place)["windows"][0]["business_number"], BUSINESS.1, "as the provider displays it");

    // The operator now gives the id another number: the message must not become a second one.
    reconfigure(&place, &meta("accept", &format!(r#""{}" = "+442079460999""#, BUSINESS.0)));
    let (_process, at) = serve(&place);
    assert_eq!(post(at, &hello()), 200);
    until_projected(at.admin);
    assert_eq!(metric(at.admin, r#"wabridge_items_total{result="duplicate",reason=""}"#), 1);
    assert_eq!(lead(&place)["windows"].as_array().unwrap().len(), 1);
    assert_eq!(lead(&place)["windows"][0]["business_number"], BUSINESS.1);
}

#[test]
fn a_replay_of_nothing_and_a_bad_question_say_so() {
    let place = Place::new(SHOP);
    assert_eq!(place.run(&["replay", "--quarantined"]).code, 69, "there is no store yet");
    place.write("secret", RIGHT, 0o600);
    place.write("token", TOKEN, 0o600);
    let (process, _) = serve(&place);
    assert_eq!(process.stop(), Some(0));
    assert_eq!(place.run(&["replay"]).code, 64);
    assert_eq!(place.run(&["replay", "--parked", "--quarantined"]).code, 64);
    let bad = place.run(&["replay", "--since", "yesterday"]);
    assert_eq!(bad.code, 65);
    assert!(bad.err.contains("--since is not an instant; write"), "{}", bad.err);
    assert_eq!(place.run(&["replay", "--lead", "+447700900001"]).code, 65);
    let told = ok(place.run(&["replay", "--quarantined"]));
    assert!(told.contains("Read 0 stored requests"), "{told}");
}
