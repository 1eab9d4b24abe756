//! A daemon in this process, and raw sockets to it: what a client library would never send.
//!
//! The clock stands still at [`NOW`]; metrics are read from the admin listener, rows from the database
//! file itself, so that nothing is taken on the daemon's word alone.

use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags};
use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use wabridge::clock::SetClock;
use wabridge::config::{Channel, Channels, Config, SecretReference};
use wabridge::runtime::Daemon;
use wabridge::store::Books;
use wabridge::store::sqlite::rebuild;
use wabridge::web::Limits;
use wabridge_model::Phone;
use wabridge_providers::registry::PROVIDERS;

/// What the daemon's clock shows.
pub(crate) const NOW: &str = "2026-11-22T08:35:12Z";
/// Longer than anything here takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// Meta's verify token of the channel `main`.
pub(crate) const VERIFY_TOKEN: &str = "fixture verify token";

/// The secret of the channel `site`.
pub(crate) const CHATBOT_SECRET: &str = "whsec_Zml4dHVyZS1zZWNyZXQtb2YtdGhlLWNoYXRib3QtIQ==";

/// A daemon with a channel of each provider: `main` (Meta), `twilio` and `site` (chatbot events).
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) admin: SocketAddr,
    daemon: Option<Daemon>,
    channels: Channels,
    folder: TempDir,
}

/// The samples of `/metrics`, by name and labels.
pub(crate) type Samples = BTreeMap<String, f64>;

/// What was counted of a request, or of several.
pub(crate) fn difference(before: &Samples, after: &Samples) -> Samples {
    let by = |(name, value): (&String, &f64)| {
        let more = value - before.get(name).copied().unwrap_or(0.0);
        (more != 0.0).then(|| (name.clone(), more))
    };
    after.iter().filter_map(by).collect()
}

fn channel(name: &str, slug: &str, secret: &str) -> Channel {
    let provider = PROVIDERS.iter().find(|provider| provider.about().slug == slug).unwrap();
    let mut channel = Channel::new(name, *provider);
    channel.signing = vec![SecretReference::Held(secret.into())];
    let ours = Phone::from_whatsapp_id("442079460001").unwrap();
    match slug {
        "meta" => {
            channel.verify_token = Some(SecretReference::Held(VERIFY_TOKEN.into()));
            channel.business_numbers = [("100000000000001".to_owned(), ours)].into();
        }
        "twilio" => channel.business_numbers = [("whatsapp:+442079460001".to_owned(), ours)].into(),
        _ => channel.business_number = Some(ours),
    }
    channel
}

impl Running {
    pub(crate) fn start() -> Running {
        Running::start_with(Limits::default(), |_| {})
    }

    /// A daemon with other limits, or a configuration that `change` has changed.
    pub(crate) fn start_with(limits: Limits, change: impl FnOnce(&mut Config)) -> Running {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::new(folder.path().join("wabridge.db"));
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        config.server.listen = any_port;
        config.server.admin_listen = Some(any_port);
        config.server.public_url = Some("https://hooks.example.com".to_owned());
        config.channels = vec![
            channel("main", "meta", "fixture-app-secret"),
            channel("twilio", "twilio", "fixture-twilio-token"),
            channel("site", "chatbot", CHATBOT_SECRET),
        ];
        change(&mut config);
        let channels = Channels::with_secrets(&config).unwrap();
        let clock = Arc::new(SetClock::at(NOW.parse().unwrap()));
        let daemon = Daemon::start_within(limits, config, clock).unwrap();
        let admin = daemon.admin_address.unwrap();
        Running { address: daemon.address, admin, daemon: Some(daemon), channels, folder }
    }

    pub(crate) fn connect(&self) -> Wire {
        Wire::to(self.address)
    }

    /// The whole request a provider would send with `body`, signed now.
    pub(crate) fn signed(&self, channel: &str, body: &[u8]) -> Vec<u8> {
        self.signed_at(channel, body, NOW)
    }

    /// As [`Running::signed`], at another time.
    pub(crate) fn signed_at(&self, channel: &str, body: &[u8], at: &str) -> Vec<u8> {
        let (target, headers) = self.proof(channel, body, at);
        request("POST", &target, &headers, body)
    }

    /// The path, with its query, and the headers that prove `body`.
    pub(crate) fn proof(&self, channel: &str, body: &[u8], at: &str) -> (String, Vec<(String, String)>) {
        let endpoint = self.channels.get(channel).unwrap();
        let at: Timestamp = at.parse().unwrap();
        let signed = endpoint.provider.sign(body, at, &endpoint.account).unwrap();
        let query = signed.query.map_or_else(String::new, |query| format!("?{query}"));
        (format!("/hooks/{channel}{query}"), signed.headers)
    }

    /// Sends one request on a connection of its own, and reads the answer.
    pub(crate) fn ask(&self, request: &[u8]) -> Answer {
        let mut wire = self.connect();
        wire.send(request);
        wire.answer().expect("an answer")
    }

    pub(crate) fn metrics_text(&self) -> String {
        let mut wire = Wire::to(self.admin);
        wire.send(&request("GET", "/metrics", &[], b""));
        let answer = wire.answer().unwrap();
        assert_eq!(answer.status, 200);
        String::from_utf8(answer.body).unwrap()
    }

    pub(crate) fn metrics(&self) -> Samples {
        let text = self.metrics_text();
        let sample = |line: &str| {
            let (name, value) = line.rsplit_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        };
        text.lines().filter(|line| !line.starts_with('#')).filter_map(sample).collect()
    }

    /// Waits until everything stored is projected, and returns the books.
    pub(crate) fn settled(&self) -> Books {
        let store = &self.daemon.as_ref().unwrap().store;
        wait_until("everything is projected", || store.backlog().unwrap().waiting == 0);
        store.books().unwrap()
    }

    pub(crate) fn stored(&self) -> u64 {
        self.daemon.as_ref().unwrap().store.books().unwrap().requests["stored"]
    }

    /// Folds everything anew beside the daemon: how many people come out otherwise than they are.
    pub(crate) fn different_when_rebuilt(&self) -> u64 {
        let verified = rebuild::verify(&self.folder.path().join("wabridge.db")).unwrap();
        verified.different + verified.miscounted
    }

    /// The database, to read.
    pub(crate) fn database(&self) -> Connection {
        let path = self.folder.path().join("wabridge.db");
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.daemon.take().unwrap().stop();
    }
}

/// Looks again and again until it is so.
pub(crate) fn wait_until(what: &str, mut so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::park_timeout(Duration::from_millis(2));
    }
}

/// A request with the headers every client sends.
pub(crate) fn request(method: &str, target: &str, headers: &[(String, String)], body: &[u8]) -> Vec<u8> {
    let mut head = format!("{method} {target} HTTP/1.1\r\nHost: hooks.example.com\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() || method == "POST" {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    let mut bytes = format!("{head}\r\n").into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// An answer, whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

/// One connection.
pub(crate) struct Wire {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Wire {
    pub(crate) fn to(address: SocketAddr) -> Wire {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Wire { stream, unread: Vec::new() }
    }

    /// Sends; a server that has answered already may have stopped listening.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        drop(self.stream.write_all(bytes));
    }

    /// Says that nothing more will come.
    pub(crate) fn finish(&mut self) {
        drop(self.stream.shutdown(Shutdown::Write));
    }

    /// Reads the next answer; `None` when the connection ends without one.
    pub(crate) fn answer(&mut self) -> Option<Answer> {
        let end = loop {
            if let Some(at) = self.unread.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            if !self.read_more() {
                return None;
            }
        };
        let head = String::from_utf8(self.unread.drain(..end).collect()).unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let pair = |line: &str| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_lowercase(), value.trim().to_owned()))
        };
        let headers: BTreeMap<String, String> = lines.filter_map(pair).collect();
        let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
        while self.unread.len() < length && self.read_more() {}
        let body = self.unread.drain(..length.min(self.unread.len())).collect();
        Some(Answer { status, headers, body })
    }

    /// Whether the server ends the connection, without another word.
    pub(crate) fn is_closed(&mut self) -> bool {
        while self.read_more() {}
        self.unread.is_empty()
    }

    /// Whether nothing comes for as long as `time`.
    pub(crate) fn is_silent_for(&mut self, time: Duration) -> bool {
        self.stream.set_read_timeout(Some(time)).unwrap();
        let mut byte = [0];
        let silent = matches!(&self.stream.peek(&mut byte), Err(error) if is_timeout(error.kind()));
        self.stream.set_read_timeout(Some(PATIENCE)).unwrap();
        silent
    }

    fn read_more(&mut self) -> bool {
        let mut buffer = [0; 16 * 1024];
        match self.stream.read(&mut buffer) {
            Ok(0) => false,
            Ok(count) => {
                self.unread.extend_from_slice(&buffer[..count]);
                true
            }
            Err(error) => {
                assert!(!is_timeout(error.kind()), "the server neither answered nor closed");
                false
            }
        }
    }
}

fn is_timeout(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
