//! Alerts: each condition is told when it begins and when it ends, to a real receiver, by an injected clock.

mod delivery;
mod replicas;

use crate::command::Place;
use crate::support::client::{META, Signer, get, meta_body, text};
use crate::support::desk::{self, Told, noon, open, receive, tell};
use crate::support::process::{Process, until};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use wabridge::alerts::{Alert, Sources, Watched, Watcher};
use wabridge::clock::SetClock;
use wabridge::config::{Alerts, Live};
use wabridge::inbox::normalise::Reader;
use wabridge::inbox::projector::Projector;
use wabridge::store::sqlite::SqliteStore;
use wabridge::store::{Inbox, Prepared, Stored};
use wabridge::telemetry::metrics::Metrics;
use wabridge_providers::{Item, Malformed, Proof};

/// A web server that writes down what it is sent.
struct Receiver {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<(String, Value)>>>,
    status: Arc<AtomicU16>,
}

impl Receiver {
    fn start() -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (heard, status) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicU16::new(204)));
        let (theirs, answer) = (Arc::clone(&heard), Arc::clone(&status));
        let serve = move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let request = read(&stream);
                theirs.lock().unwrap().push(request);
                let status = answer.load(Ordering::Acquire);
                let answer =
                    format!("HTTP/1.1 {status} So\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                let _ = (&stream).write_all(answer.as_bytes());
            }
        };
        std::thread::Builder::new().name("receiver".to_owned()).spawn(serve).unwrap();
        Receiver { address, heard, status }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    /// What was posted since the last look.
    fn posted(&self) -> Vec<Value> {
        std::mem::take(&mut *self.heard.lock().unwrap()).into_iter().map(|(_, body)| body).collect()
    }
}

/// The request line and the body of a request.
fn read(stream: &TcpStream) -> (String, Value) {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if line.trim().is_empty() {
            break;
        }
        lines.push(line.trim().to_owned());
    }
    let length = |line: &String| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok();
    let mut body = vec![0; lines.iter().find_map(length).unwrap_or(0)];
    reader.read_exact(&mut body).unwrap();
    (lines.swap_remove(0), serde_json::from_slice(&body).unwrap_or_default())
}

/// A watcher over a store of its own. The clock stands at noon until a test moves it.
struct Watch {
    watcher: Watcher,
    receiver: Receiver,
    store: Arc<SqliteStore>,
    metrics: Arc<Metrics>,
    clock: Arc<SetClock>,
    config: Arc<Live<Watched>>,
    projector: Projector,
    _folder: tempfile::TempDir,
}

impl Watch {
    fn start() -> Watch {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wabridge.db");
        let receiver = Receiver::start();
        let store = Arc::new(open(&path));
        let (metrics, clock) = (Arc::new(Metrics::default()), Arc::new(SetClock::at(noon(0))));
        let limits =
            Alerts { url: Some(receiver.url("alerts").into()), disk_reserve: 0, ..Alerts::default() };
        let ours = desk::config(&path);
        let reader = Arc::new(Live::from(Reader::new(&ours)));
        let config = Arc::new(Live::from(Watched { alerts: limits, ..Watched::from(&ours) }));
        let watcher = Watcher::new(Sources {
            store: store.clone(),
            metrics: Arc::clone(&metrics),
            clock: clock.clone(),
            folder: folder.path().to_owned(),
            config: Arc::clone(&config),
        });
        let projector = Projector::new(store.clone(), reader);
        Watch { watcher, receiver, store, metrics, clock, config, projector, _folder: folder }
    }

    fn change(&self, change: impl FnOnce(&mut Alerts)) {
        let mut watched = (*self.config.get()).clone();
        change(&mut watched.alerts);
        self.config.set(watched);
    }

    /// What is told at one step.
    async fn step(&mut self) -> Vec<Value> {
        self.watcher.step().await;
        self.receiver.posted()
    }

    /// Steps, and expects exactly one alert, whole.
    async fn told(&mut self, alert: Alert, state: &str) -> Value {
        let mut told = self.step().await;
        assert_eq!(told.len(), 1, "{told:?}");
        let told = told.remove(0);
        assert_eq!((&told["alert"], &told["state"]), (&alert.as_str().into(), &state.into()), "{told}");
        for key in ["since", "text", "lost", "next"] {
            assert!(told[key].as_str().is_some_and(|text| !text.is_empty()), "no {key} in {told}");
        }
        assert!(told["since"].as_str().unwrap().ends_with('Z'), "{told}");
        let gauge = format!("wabridge_alerts_firing{{alert=\"{}\"}} ", alert.as_str());
        let books = wabridge::store::Ledger::books(&*self.store).unwrap();
        let moment = wabridge::telemetry::metrics::Moment {
            now: noon(0),
            clock_unsure: false,
            backlog: self.store.backlog().unwrap(),
        };
        let page = self.metrics.text(&books, moment);
        let value = page.lines().find_map(|line| line.strip_prefix(&gauge)).map(str::to_owned);
        assert_eq!(value.as_deref(), Some(if state == "firing" { "1" } else { "0" }), "{page}");
        told
    }

    /// Settles what waits, as something that cannot be understood.
    fn quarantine(&self) {
        for stored in self.store.claim(10).unwrap() {
            let malformed = Malformed { reason: "not_json", path: "$".to_owned() };
            assert_eq!(self.store.settle(vec![prepared(&stored, Err(malformed))]).unwrap(), 1);
        }
    }
}

/// A stored request, read as nothing but these items.
fn prepared(stored: &Stored, items: Result<Vec<Item>, Malformed>) -> Prepared {
    Prepared {
        id: stored.id,
        received_at: stored.request.received_at,
        channel: stored.request.channel.clone(),
        provider: "meta",
        proof: Proof::Signed,
        secondary: false,
        resolved: Vec::new(),
        items,
    }
}

#[actix_web::test]
async fn many_unproven_requests_are_told_and_are_well_after_five_minutes_without() {
    let mut watch = Watch::start();
    for _ in 0..9 {
        watch.metrics.unproven("meta", "signature_mismatch");
    }
    assert_eq!(watch.step().await, [] as [Value; 0], "nine are below the limit");
    watch.metrics.unproven("meta", "signature_mismatch");
    let told = watch.told(Alert::SignatureFailures, "firing").await;
    assert!(told["text"].as_str().unwrap().starts_with("10 requests to channels of meta"), "{told}");
    assert!(told["next"].as_str().unwrap().contains("wabridge check"), "{told}");
    watch.clock.pass(Duration::from_secs(299));
    assert_eq!(watch.step().await, [] as [Value; 0], "they still count");
    watch.clock.pass(Duration::from_secs(2));
    watch.told(Alert::SignatureFailures, "resolved").await;
}

#[actix_web::test]
async fn quarantine_is_told_with_its_oldest_receipt_until_it_is_empty() {
    let mut watch = Watch::start();
    receive(&watch.store, -90).await;
    watch.quarantine();
    let told = watch.told(Alert::Quarantined, "firing").await;
    assert_eq!(told["since"], "2026-11-22T11:58:30Z");
    assert!(told["lost"].as_str().unwrap().starts_with("nothing yet"), "{told}");
    assert_eq!(told["next"], "wabridge replay --quarantined --dry-run");
    rusqlite::Connection::open(watch.store.path()).unwrap().execute("DELETE FROM quarantine", []).unwrap();
    watch.told(Alert::Quarantined, "resolved").await;
}

#[actix_web::test]
async fn parked_requests_are_told_with_the_oldest_receipt_until_none_is_left() {
    let mut watch = Watch::start();
    let file = rusqlite::Connection::open(watch.store.path()).unwrap();
    let park =
        "INSERT INTO parked (received_at, channel, query, headers, body) VALUES (?, 'main', '', '[]', '')";
    for second in [-30, -60] {
        file.execute(park, [noon(second).as_millisecond()]).unwrap();
    }
    let told = watch.told(Alert::Parked, "firing").await;
    assert_eq!(told["since"], "2026-11-22T11:59:00Z");
    assert!(told["text"].as_str().unwrap().starts_with("2 requests"), "{told}");
    assert!(told["next"].as_str().unwrap().contains("wabridge replay --parked --dry-run"), "{told}");
    file.execute("DELETE FROM parked", []).unwrap();
    watch.told(Alert::Parked, "resolved").await;
}

#[actix_web::test]
async fn a_retired_channel_may_fall_silent() {
    let mut watch = Watch::start();
    for step in 0..30 {
        tell(&watch.store, [Told::text(&format!("m{step}"), step * 60 - 1800).by("919800000001")]).await;
    }
    watch.clock.pass(Duration::from_secs(3600));
    watch.told(Alert::QuietChannel, "firing").await;
    let mut watched = (*watch.config.get()).clone();
    watched.channels[0].retired = true;
    watch.config.set(watched);
    watch.told(Alert::QuietChannel, "resolved").await;
}

#[actix_web::test]
async fn a_channel_that_falls_silent_is_told_until_it_is_heard_again() {
    let mut watch = Watch::start();
    for step in 0..30 {
        let message = Told::text(&format!("m{step}"), step * 600 - 29 * 600 - 1).by("919800000001");
        tell(&watch.store, [message]).await;
    }
    watch.clock.pass(Duration::from_secs(30 * 60));
    assert_eq!(watch.step().await, [] as [Value; 0], "three times ten minutes is not yet more");
    watch.clock.pass(Duration::from_secs(60));
    let told = watch.told(Alert::QuietChannel, "firing").await;
    assert_eq!(told["since"], "2026-11-22T12:00:00Z");
    let text = "channel 'main' has received nothing for 31 min; at this time 10 min is usual";
    assert_eq!(told["text"], text);
    assert_eq!(told["next"], "wabridge connect main");
    tell(&watch.store, [Told::text("again", 31 * 60 - 1).by("919800000001")]).await;
    watch.told(Alert::QuietChannel, "resolved").await;
}

#[actix_web::test]
async fn a_number_that_is_not_configured_is_told_until_it_is_listed() {
    let mut watch = Watch::start();
    let message = text("wamid.UNKNOWN", "919800000001", noon(-1).as_second());
    // The configuration of the desk lists account id 1 alone.
    let body = meta_body(serde_json::json!({ "messages": [message] }));
    let request = wabridge::store::Request {
        received_at: noon(0),
        channel: "main".into(),
        proof: Proof::Signed,
        secret_index: 0,
        query: String::new(),
        headers: Vec::new(),
        body,
    };
    watch.store.append(request).await.unwrap();
    assert_eq!(watch.projector.step().unwrap(), 1);
    let told = watch.told(Alert::UnknownNumber, "firing").await;
    assert!(told["text"].as_str().unwrap().contains("ends in …0001"), "{told}");
    assert!(!told.to_string().contains("100000000000001"), "an id may be a phone number: {told}");
    let mut watched = (*watch.config.get()).clone();
    let numbers = &mut watched.channels[0].business_numbers;
    let ours = numbers["1"].clone();
    numbers.insert("100000000000001".to_owned(), ours);
    watch.config.set(watched);
    watch.told(Alert::UnknownNumber, "resolved").await;
}

#[actix_web::test]
async fn free_text_that_is_refused_in_an_open_window_is_told_and_is_history_after_a_day() {
    let mut watch = Watch::start();
    tell(&watch.store, [Told::text("early", -7200).by("919800000009")]).await;
    tell(&watch.store, [Told::status("out0", -7000, &[131_047]).by("919800000009")]).await;
    assert_eq!(watch.step().await, [] as [Value; 0], "what was before the start is history");
    tell(&watch.store, [Told::text("m", -3600).by("919800000001")]).await;
    tell(&watch.store, [Told::status("out1", -60, &[131_026]).by("919800000001")]).await;
    tell(&watch.store, [Told::status("out2", -30, &[131_047]).by("919800000002")]).await;
    assert_eq!(watch.step().await, [] as [Value; 0], "another reason, and a window that was closed");
    tell(&watch.store, [Told::status("out3", -20, &[131_047]).by("919800000001")]).await;
    let told = watch.told(Alert::RefusedWhileOpen, "firing").await;
    assert!(told["text"].as_str().unwrap().contains("refused free text 1 times"), "{told}");
    watch.clock.pass(Duration::from_secs(23 * 3600));
    let again = watch.step().await;
    assert!(again.iter().all(|told| told["state"] == "firing"), "{again:?}");
    watch.clock.pass(Duration::from_secs(2 * 3600));
    watch.told(Alert::RefusedWhileOpen, "resolved").await;
}

#[actix_web::test]
async fn a_disk_with_less_than_its_reserve_is_told_until_there_is_room() {
    let mut watch = Watch::start();
    watch.change(|alerts| alerts.disk_reserve = u64::MAX);
    let told = watch.told(Alert::DiskReserve, "firing").await;
    assert!(told["lost"].as_str().unwrap().contains("503"), "{told}");
    watch.change(|alerts| alerts.disk_reserve = 0);
    watch.told(Alert::DiskReserve, "resolved").await;
}

#[actix_web::test]
async fn leads_that_fall_behind_are_told_until_they_have_caught_up() {
    let mut watch = Watch::start();
    receive(&watch.store, 0).await;
    watch.clock.pass(Duration::from_secs(60));
    assert_eq!(watch.step().await, [] as [Value; 0], "a minute is allowed");
    watch.clock.pass(Duration::from_secs(1));
    let told = watch.told(Alert::ProjectionLag, "firing").await;
    assert_eq!(told["since"], "2026-11-22T12:00:00Z");
    assert!(told["lost"].as_str().unwrap().starts_with("nothing:"), "{told}");
    let stored = watch.store.claim(1).unwrap().remove(0);
    assert_eq!(watch.store.settle(vec![prepared(&stored, Ok(Vec::new()))]).unwrap(), 1);
    watch.told(Alert::ProjectionLag, "resolved").await;
}

#[actix_web::test]
async fn what_goes_on_is_told_again_after_hours_and_not_before() {
    let mut watch = Watch::start();
    watch.change(|alerts| alerts.disk_reserve = u64::MAX);
    let first = watch.told(Alert::DiskReserve, "firing").await;
    for _ in 0..5 {
        watch.clock.pass(Duration::from_secs(3600));
        assert_eq!(watch.step().await, [] as [Value; 0]);
    }
    watch.clock.pass(Duration::from_secs(3600));
    let again = watch.told(Alert::DiskReserve, "firing").await;
    assert_eq!(again["since"], first["since"], "it is the same one");
}

#[actix_web::test]
async fn a_receiver_that_fails_is_told_at_the_next_step_and_only_the_last_state() {
    let mut watch = Watch::start();
    watch.receiver.status.store(500, Ordering::Release);
    watch.change(|alerts| alerts.disk_reserve = u64::MAX);
    receive(&watch.store, 0).await;
    watch.quarantine();
    assert_eq!(watch.step().await.len(), 1, "after the first failure the rest waits");
    watch.receiver.status.store(204, Ordering::Release);
    let told = watch.step().await;
    let alerts: Vec<_> = told.iter().map(|told| told["alert"].as_str().unwrap()).collect();
    assert_eq!(alerts, ["quarantined", "disk_reserve"]);
    watch.receiver.status.store(500, Ordering::Release);
    watch.change(|alerts| alerts.disk_reserve = 0);
    assert_eq!(watch.step().await[0]["state"], "resolved");
    watch.change(|alerts| alerts.disk_reserve = u64::MAX);
    watch.receiver.status.store(204, Ordering::Release);
    let told = watch.step().await;
    assert_eq!((told.len(), told[0]["state"].as_str()), (1, Some("firing")), "{told:?}");
}

#[actix_web::test]
async fn the_heartbeat_goes_out_at_its_interval_while_the_store_takes_writes() {
    let mut watch = Watch::start();
    watch.change(|alerts| alerts.heartbeat_url = Some(watch.receiver.url("beat").into()));
    let beats = |watch: &Watch| {
        let heard = std::mem::take(&mut *watch.receiver.heard.lock().unwrap());
        assert!(heard.iter().all(|(line, _)| line == "GET /beat HTTP/1.1"), "{heard:?}");
        heard.len()
    };
    watch.watcher.step().await;
    assert_eq!(beats(&watch), 1);
    watch.clock.pass(Duration::from_secs(59));
    watch.watcher.step().await;
    assert_eq!(beats(&watch), 0);
    watch.clock.pass(Duration::from_secs(1));
    watch.watcher.step().await;
    assert_eq!(beats(&watch), 1);
}

#[test]
fn a_daemon_tells_by_itself_and_never_shows_the_url() {
    let receiver = Receiver::start();
    let alerts =
        format!("\n[alerts]\nurl = \"{}\"\nevery_seconds = 5\nsignature_failures = 1\n", receiver.url("a"));
    let place = Place::new(&format!("{META}{alerts}"));
    let mut process = Process::launch(&place, "");
    let at = process.ready();
    let forged = Signer::meta().post("main", b"{}", jiff::Timestamp::UNIX_EPOCH);
    let forged = String::from_utf8(forged).unwrap().replace("sha256=", "sha256=0");
    let mut client = crate::support::client::Client::connect(at.hooks).unwrap();
    assert_eq!(client.send(forged.as_bytes()).unwrap().0, 401);
    let told = until("an alert is told", || receiver.posted().pop());
    assert_eq!(
        (told["alert"].as_str(), told["state"].as_str()),
        (Some("signature_failures"), Some("firing"))
    );
    let (_, page) = get(at.admin, "/metrics").unwrap();
    assert!(page.contains("wabridge_alerts_firing{alert=\"signature_failures\"} 1"), "{page}");
    assert!(!process.said().contains(&receiver.url("a")), "the URL may hold a token");
    assert_eq!(process.stop(), Some(0));
}
