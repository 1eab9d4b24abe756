//! `connect`, `tail` and `explain`: what came in, whose it was, and what became of it.

use crate::command::{Ended, Place, wabridge};
use crate::support::client::{BUSINESS, Client, META, META_SECRET, Signer, meta_body, text};
use crate::support::desk::{OURS, Told, noon, open, receive, tell};
use crate::support::process::{Process, until_projected};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

const CONFIG: &str = r#"
[store]
url = "sqlite:{folder}/wabridge.db"
[[channel]]
name = "main"
provider = "meta"
app_secrets = ["env:NOWHERE"]
business_numbers = { "1" = "+918047000000" }
"#;
const A: &str = "919876543210";
const HOUR: i64 = 3600;
const SECOND: i64 = 1_790_000_000;

async fn after(told: impl IntoIterator<Item = Told>) -> Place {
    let place = Place::new(CONFIG);
    let store = open(&place.path("wabridge.db"));
    tell(&store, told).await;
    place
}

fn post(address: SocketAddr, body: &[u8]) -> u16 {
    let request = Signer::meta().post("main", body, Timestamp::UNIX_EPOCH);
    Client::connect(address).unwrap().send(&request).unwrap().0
}

fn message(wamid: &str) -> Vec<u8> {
    meta_body(json!({"messages": [text(wamid, A, SECOND)]}))
}

/// `wabridge connect`, waiting. Returns once it says so.
fn connecting(place: &Place, more: &[&str]) -> (Child, BufReader<impl Read>, String) {
    let mut command = wabridge(&place.path(""));
    command.env("WABRIDGE_CONFIG", place.path("wabridge.toml")).env("META", META_SECRET);
    command.args(["connect", "main"]).args(more).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut said = String::new();
    while !said.contains("Waiting for the first request") {
        assert_ne!(out.read_line(&mut said).unwrap(), 0, "{said}");
    }
    (child, out, said)
}

#[test]
fn connect_tells_what_to_enter_and_shows_the_first_request_with_its_verdict() {
    let place = Place::new(&META.replace("[store]", "public_url = \"https://hooks.example.in\"\n[store]"));
    let mut process = Process::launch(&place, "");
    let addresses = process.ready();
    assert_eq!(post(addresses.hooks, &message("wamid.before")), 200);
    until_projected(addresses.admin);

    let (mut child, mut out, mut said) = connecting(&place, &[]);
    for expected in ["https://hooks.example.in/hooks/main", META_SECRET, "smb_message_echoes", "Callback URL"]
    {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    assert_eq!(post(addresses.hooks, &message("wamid.first")), 200);
    out.read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{said}");
    assert!(said.contains("Verified (signed)") && said.contains("message (text, 5 characters)"), "{said}");
    assert!(said.contains("+91 98••••••10") && !said.contains("9876543210"), "{said}");
    assert!(said.contains("request 2,") && said.ends_with("channel 'main' is connected.\n"), "{said}");

    let (mut child, mut out, mut said) = connecting(&place, &[]);
    let malformed = meta_body(json!({"messages": [{"id": "wamid.bad", "from": A, "type": "text"}]}));
    assert_eq!(post(addresses.hooks, &malformed), 200);
    out.read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(65), "{said}");
    assert!(said.contains("quarantined: missing_field at entry[0]"), "{said}");
    assert_eq!(process.stop(), Some(0));
}

#[test]
fn connect_without_waiting_or_without_a_request_ends_and_says_where_to_look() {
    let place = Place::new(META);
    drop(open(&place.path("wabridge.db")));
    let environment = [("META", META_SECRET)];
    let told = place.run_with(&["connect", "main", "--no-wait"], &environment, b"");
    assert_eq!(told.code, 0, "{told:?}");
    assert!(
        told.out.contains("https://<your host>/hooks/main") && told.out.contains("set public_url"),
        "{told:?}"
    );
    assert!(!told.out.contains("Waiting"));
    let nothing = place.run_with(&["connect", "main", "--timeout", "0"], &environment, b"");
    assert_eq!(nothing.code, 69, "{nothing:?}");
    assert!(nothing.err.contains("wabridge_webhook_auth_failures_total"), "{nothing:?}");
    let unknown = place.run_with(&["connect", "mian"], &environment, b"");
    assert_eq!(unknown.code, 64, "{unknown:?}");
    assert!(unknown.err.contains("did you mean 'main'?"), "{unknown:?}");
    assert_eq!(place.run(&["connect", "main", "--no-wait"]).code, 78, "its secret is not there");
}

#[actix_web::test]
async fn tail_shows_what_came_and_what_became_of_it_and_nobodys_number_or_words() {
    let told = [
        Told::text("wamid.secret", -HOUR).by(A).named("A Customer"),
        Told::status("wamid.secret", -HOUR, &[131_047]).by(A),
        Told::text("m2", -HOUR).with_bsuid("IN.abcdef"),
        Told::text("m3", -HOUR),
    ];
    let place = after(told).await;
    let shown = place.run(&["tail", "--once"]);
    assert_eq!(shown.code, 0, "{shown:?}");
    let lines: Vec<&str> = shown.out.lines().collect();
    assert_eq!(lines.len(), 8, "{shown:?}");
    assert_eq!(lines[0], "16:30:01 main: request 1, signed, 0 bytes");
    assert!(
        lines[1].starts_with(
            "    0: message (text, 17 characters) of +91 98••••••10 with +918047000000: applied"
        )
    );
    assert!(lines[3].contains("status (failed) of +91 98••••••10"), "{shown:?}");
    assert!(lines[5].contains("of IN.•••"), "{shown:?}");
    assert!(lines[7].contains("of nobody named with +918047000000: skipped: no_identity"), "{shown:?}");
    let json = place.run(&["tail", "--once", "--json"]);
    let objects: Vec<Value> = json.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        objects[0],
        json!({
            "type": "request", "request": 1, "received_at": noon(1 - HOUR), "channel": "main", "proof": "signed", "bytes": 0
        })
    );
    let event = &objects[1]["event"];
    assert_eq!(
        (&event["kind"], &event["detail"], &event["text_length"]),
        (&json!("message"), &json!("text"), &json!(17))
    );
    assert_eq!(objects[7]["reason"], "no_identity");
    for out in [&shown.out, &json.out] {
        for secret in ["9876543210", "wamid", "abcdef", "A Customer", "text wamid"] {
            assert!(!out.contains(secret), "{secret}: {out}");
        }
    }
    assert_eq!(place.run(&["tail", "--once", "--last", "1"]).out.lines().count(), 2);
}

#[actix_web::test]
async fn tail_follows_and_shows_a_request_again_when_it_is_settled() {
    let place = Place::new(META);
    receive(&open(&place.path("wabridge.db")), 0).await;
    let mut command: Command = wabridge(&place.path(""));
    command.env("WABRIDGE_CONFIG", place.path("wabridge.toml")).args(["tail"]).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = || {
        let mut line = String::new();
        assert_ne!(out.read_line(&mut line).unwrap(), 0);
        line
    };
    assert!(line().contains("request 1,"), "what waits is shown as it is");
    let mut process = Process::launch(&place, "");
    let addresses = process.ready();
    assert_eq!(line(), "    body: quarantined: not_json at $\n");
    assert_eq!(post(addresses.hooks, &message("wamid.next")), 200);
    assert!(line().contains("request 2,"));
    child.kill().unwrap();
    child.wait().unwrap();
}

fn told(ended: &Ended, sentences: &[&str]) {
    assert_eq!(ended.code, 0, "{ended:?}");
    for sentence in sentences {
        assert!(ended.out.contains(sentence), "«{sentence}» is not in:\n{}", ended.out);
    }
}

#[actix_web::test]
async fn explain_tells_the_story_of_a_message_by_whatever_id_is_in_hand() {
    let place = after([
        Told::from_ad("wamid.HBgM==", -2 * HOUR, "click-1").by(A).named("A Customer"),
        Told::from_ad("wamid.HBgM==", -2 * HOUR, "click-1").by(A).named("A Customer"),
        Told::text("m2", -HOUR).by(A),
        Told::text("m3", -HOUR),
    ])
    .await;
    let by_message = place.run(&["explain", "wamid.HBgM=="]);
    told(
        &by_message,
        &[
            "This is a message (text) of +919876543210 with our number +918047000000.",
            "It happened at 15:30 on 22 Nov 2026; it was received first at 15:30 on 22 Nov 2026.",
            "Channel 'main' (meta) reported it at 15:30 on 22 Nov 2026, proven by: signed.",
            "Request 1 carried it as item 0: it was applied.",
            "Request 2 carried it as item 0: it said nothing new, and was counted as a duplicate.",
            "(A Customer), whom it made a lead.",
            "Something newer counts for the window with +918047000000",
            "It is touch 1 of 1: ad 120210000000000001, click id click-1.",
            "Times are in Asia/Kolkata.",
        ],
    );
    let id = |mark: &str| {
        by_message.out.split_once(mark).unwrap().1.split([',', '.', ' ']).next().unwrap().to_owned()
    };
    let (event, trace, lead) = (id("event id is "), id("trace id "), id("to the lead "));
    for other in ["click-1", &event, &trace, &format!("00-{trace}-0000000000000001-01")] {
        assert_eq!(place.run(&["explain", other]).out, by_message.out, "{other}");
    }
    told(&place.run(&["explain", "m2"]), &["It is the newest that counts for the window with +918047000000"]);
    told(
        &place.run(&["explain", "m3"]),
        &["it was skipped: it names nobody", "It names nobody who can be told"],
    );
    let by_lead = place.run(&["explain", &lead]);
    told(&by_lead, &["A Customer.", "through whatsapp:main", "2 events are theirs", "It is touch 1 of 1"]);
    assert!(by_lead.out.contains(&format!("The window with {OURS}")), "{by_lead:?}");
    assert_eq!(place.run(&["explain", "98765 43210"]).out, by_lead.out);
    for unknown in ["wamid.none", "+919876543299", "0123456789abcdef0123456789abcdef", ""] {
        let ended = place.run(&["explain", unknown]);
        assert_eq!(ended.code, 65, "{unknown}: {ended:?}");
        assert!(ended.out.is_empty() && !ended.err.contains("9876543299"), "{ended:?}");
    }
}

#[test]
fn explain_tells_of_what_was_quarantined_too() {
    let place = Place::new(META);
    let mut process = Process::launch(&place, "");
    let addresses = process.ready();
    let mixed =
        json!({"messages": [text("wamid.good", A, SECOND), {"id": "wamid.bad", "from": A, "type": "text"}]});
    assert_eq!(post(addresses.hooks, &meta_body(mixed)), 200);
    until_projected(addresses.admin);
    told(
        &place.run(&["explain", "wamid.bad"]),
        &[
            "Request 1 of channel 'main' holds it",
            "Item 1 of it is quarantined: missing_field at entry[0].changes[0].value.messages[1].timestamp",
        ],
    );
    told(&place.run(&["explain", "wamid.good"]), &[&format!("with our number {}", BUSINESS.1)]);
    assert_eq!(process.stop(), Some(0));
}

/// Twilio's channel, of which the provider knows another secret than the daemon.
const TWILIO: &str = r#"
[server]
listen = "127.0.0.1:0"
admin_listen = "127.0.0.1:0"
public_url = "https://hooks.example.in"
[store]
url = "sqlite:{folder}/wabridge.db"
[[channel]]
name = "main"
provider = "twilio"
auth_tokens = ["file:{folder}/secret"]
path_token = "file:{folder}/token"
"#;

#[test]
fn connect_and_explain_tell_of_a_request_with_the_right_url_and_a_wrong_signature() {
    let place = Place::new(TWILIO);
    place.write("secret", "not what Twilio knows", 0o600);
    place.write("token", "the-token-in-the-path", 0o600);
    let mut process = Process::launch(&place, "");
    let addresses = process.ready();
    let (mut child, mut out, mut said) = connecting(&place, &[]);
    assert!(said.contains("https://hooks.example.in/hooks/main/the-token-in-the-path"), "{said}");
    let body = "AccountSid=AC1&MessageSid=SM77&SmsStatus=received&Body=Hi&From=whatsapp%3A%2B919876543210";
    let head = "POST /hooks/main/the-token-in-the-path HTTP/1.1\r\nHost: x\r\n\
                X-Twilio-Signature: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\
                Content-Type: application/x-www-form-urlencoded\r\n";
    let request = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
    assert_eq!(Client::connect(addresses.hooks).unwrap().send(request.as_bytes()).unwrap().0, 200);
    out.read_to_string(&mut said).unwrap();
    let mut wrong = String::new();
    child.stderr.take().unwrap().read_to_string(&mut wrong).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(78), "{said}{wrong}");
    let file = format!("file:{}", place.path("secret").display());
    assert!(wrong.contains("wrong signature") && wrong.contains(&file), "{wrong}");
    told(
        &place.run(&["explain", "SM77"]),
        &["is parked: its path token was right", "wabridge replay --parked"],
    );
    assert_eq!(process.stop(), Some(0));
}

#[test]
fn every_command_says_what_it_does_and_how_it_ends() {
    let place = Place::new("");
    for command in ["backup", "restore", "init", "connect", "tail", "explain", "export"] {
        let help = place.run(&[command, "--help"]);
        assert_eq!(help.code, 0, "{help:?}");
        assert!(help.out.contains(&format!("Usage: wabridge {command}")), "{help:?}");
        assert!(help.out.contains("xits ") || help.out.contains("Ends with"), "{help:?}");
        assert_eq!(place.run(&[command, "--no-such-option"]).code, 64, "{command}");
    }
}
