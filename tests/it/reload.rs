//! SIGHUP: a configuration that is right takes its place under traffic; one that is wrong changes nothing.

use crate::command::Place;
use crate::support::client::{Client, Signer, channel, meta_body, text};
use crate::support::process::{Addresses, Process, metric, until, until_projected};
use std::net::SocketAddr;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use wabridge::config::Config;

const OLD: &str = "the secret before the rotation";
const NEW: &str = "the secret after the rotation";

/// A Meta channel with these secrets, and whatever follows.
fn config(secrets: &str, more: &str) -> String {
    format!(
        r#"
[server]
listen = "127.0.0.1:0"
admin_listen = "127.0.0.1:0"
[store]
url = "sqlite:{{folder}}/wabridge.db"
[[channel]]
name = "main"
provider = "meta"
app_secrets = [{secrets}]
verify_token = "file:{{folder}}/old"
business_numbers = {{ "100000000000001" = "+442079460001" }}
{more}"#
    )
}

struct Rotation {
    place: Place,
    process: Process,
    at: Addresses,
    provider: Provider,
}

/// Posts messages, each of its own.
struct Provider {
    hooks: SocketAddr,
    next: AtomicUsize,
}

impl Rotation {
    fn start() -> Rotation {
        let place = Place::new(&config(r#""file:{folder}/old""#, ""));
        place.write("old", OLD, 0o600);
        place.write("new", NEW, 0o600);
        let mut process = Process::launch(&place, "");
        let at = process.ready();
        let provider = Provider { hooks: at.hooks, next: AtomicUsize::new(0) };
        Rotation { place, process, at, provider }
    }

    /// Writes a configuration and asks for it to be read; waits until the log says how that ended.
    fn reload(&self, toml: &str, verdict: &str) {
        let folder = self.place.path("").display().to_string();
        let toml = toml.replace("{folder}", folder.trim_end_matches('/'));
        self.place.write("wabridge.toml", &toml, 0o600);
        let before = self.process.said().matches(verdict).count();
        let hang_up = format!("kill -HUP {}", self.process.id());
        assert!(Command::new("sh").args(["-c", &hang_up]).status().unwrap().success());
        until(verdict, || (self.process.said().matches(verdict).count() > before).then_some(()));
    }

    fn post(&self, name: &str, secret: &str) -> u16 {
        self.provider.post(name, secret)
    }
}

impl Provider {
    /// The answer to a message of its own, signed with `secret`.
    fn post(&self, name: &str, secret: &str) -> u16 {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let message = text(&format!("wamid.RELOAD{number}"), "447700900001", 1_760_000_000);
        let mut config = Config::new("/nowhere");
        config.channels.push(channel(name, "meta", secret));
        let body = meta_body(serde_json::json!({ "messages": [message] }));
        let request = Signer::of(&config).post(name, &body, jiff::Timestamp::UNIX_EPOCH);
        Client::connect(self.hooks).unwrap().send(&request).unwrap().0
    }
}

const TAKEN: &str = "the configuration is in force";
const REFUSED: &str = "the configuration was not taken";

#[test]
fn a_secret_is_rotated_under_traffic_and_the_old_one_holds_while_both_are_listed() {
    let rotation = Rotation::start();
    assert_eq!(rotation.post("main", NEW), 401, "not listed yet");
    let enough = AtomicBool::new(false);
    let provider = &rotation.provider;
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !enough.load(Ordering::Acquire) {
                    assert_eq!(provider.post("main", OLD), 200, "the old secret is still listed");
                }
            });
        }
        for _ in 0..5 {
            rotation.reload(&config(r#""file:{folder}/new", "file:{folder}/old""#, ""), TAKEN);
            assert_eq!(rotation.post("main", NEW), 200);
        }
        enough.store(true, Ordering::Release);
    });
    rotation.reload(&config(r#""file:{folder}/new""#, ""), TAKEN);
    assert_eq!((rotation.post("main", OLD), rotation.post("main", NEW)), (401, 200));
    assert_eq!(rotation.process.stop(), Some(0));
}

#[test]
fn a_configuration_that_is_wrong_anywhere_changes_nothing_and_says_why() {
    let rotation = Rotation::start();
    let readable = config(r#""file:{folder}/readable""#, "");
    rotation.place.write("readable", NEW, 0o644);
    for (toml, why) in [
        ("[server]\nlisen = \"127.0.0.1:0\"".to_owned(), "did you mean 'listen'?"),
        (config(r#""file:{folder}/missing""#, ""), "cannot be read"),
        (readable, "can be read by others"),
    ] {
        rotation.reload(&toml, REFUSED);
        assert!(rotation.process.said().contains(why), "{}", rotation.process.said());
        assert_eq!((rotation.post("main", OLD), rotation.post("main", NEW)), (200, 401));
    }
    assert_eq!(rotation.process.stop(), Some(0));
}

#[test]
fn a_channel_is_added_without_a_restart_and_its_messages_are_projected() {
    let rotation = Rotation::start();
    assert_eq!(rotation.post("second", NEW), 404);
    let second = r#"
[[channel]]
name = "second"
provider = "meta"
app_secrets = ["file:{folder}/new"]
verify_token = "file:{folder}/new"
business_numbers = { "100000000000001" = "+442079460001" }"#;
    rotation.reload(&config(r#""file:{folder}/old""#, second), TAKEN);
    assert_eq!(rotation.post("second", NEW), 200);
    until_projected(rotation.at.admin);
    assert_eq!(metric(rotation.at.admin, r#"wabridge_requests{state="projected"}"#), 1);
    assert_eq!(rotation.process.stop(), Some(0));
}

#[test]
fn what_only_a_start_can_change_is_named_and_stays_as_it_was() {
    let rotation = Rotation::start();
    let moved =
        config(r#""file:{folder}/old""#, "[region]\ndefault_country = \"BR\"\n[consent]\nrequired = true")
            .replace("127.0.0.1:0", "127.0.0.1:1")
            .replace("wabridge.db", "other.db");
    let moved = moved.replacen("127.0.0.1:1", "127.0.0.1:2", 1);
    rotation.reload(&moved, "these changes wait for a restart");
    let said = rotation.process.said();
    assert!(
        said.contains("[server] listen, [server] admin_listen, [store], [region], [consent] required"),
        "{said}"
    );
    assert_eq!(rotation.post("main", OLD), 200);
    assert!(!rotation.place.path("other.db").exists());
    assert_eq!(rotation.process.stop(), Some(0));
}
