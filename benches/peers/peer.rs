//! Who is measured: wabridge, and what people would otherwise put in its place.
//!
//! In: a peer that is installed, and a folder for its data. Out: a running server that refuses what is not
//! signed; and, from its database, which messages are events there, and how often.

use crate::install::Installed;
use crate::load::bodies::{Maker, SECRET, writer_of};
use crate::load::daemon;
use crate::load::machine::pause_until;
use crate::n8n;
use crate::tree::Tree;
use rusqlite::{Connection, OpenFlags};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use wabridge::store::Inbox;
use wabridge::store::sqlite::SqliteStore;

/// How long a server may take to refuse what is not signed, from its start.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);
/// How long that one answer may take.
const ANSWER: Duration = Duration::from_secs(10);
/// What every message's id begins with; its number follows.
const ID: &str = "wamid.BENCH";
/// The digits of that number.
const DIGITS: usize = 30;

/// What is put in front of the traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Peer {
    Wabridge,
    Express,
    Fastapi,
    Nodered,
    N8n,
}

/// How long a peer is given: what answers ten requests a second needs longer to show anything.
pub(crate) struct Times {
    pub(crate) warm_up: Duration,
    pub(crate) measured: Duration,
    pub(crate) until_killed: Duration,
}

/// A server that answers.
pub(crate) struct Running {
    pub(crate) tree: Tree,
    pub(crate) address: SocketAddr,
}

impl Peer {
    pub(crate) const ALL: [Peer; 5] =
        [Peer::Wabridge, Peer::Express, Peer::Fastapi, Peer::Nodered, Peer::N8n];

    /// The name of its folder, and the argument that asks for it.
    pub(crate) fn slug(self) -> &'static str {
        match self {
            Peer::Wabridge => "wabridge",
            Peer::Express => "express",
            Peer::Fastapi => "fastapi",
            Peer::Nodered => "nodered",
            Peer::N8n => "n8n",
        }
    }

    pub(crate) fn title(self) -> &'static str {
        match self {
            Peer::Wabridge => "wabridge",
            Peer::Express => "Express + better-sqlite3",
            Peer::Fastapi => "FastAPI + sqlite3",
            Peer::Nodered => "Node-RED + better-sqlite3",
            Peer::N8n => "n8n",
        }
    }

    pub(crate) fn times(self) -> Times {
        let [warm_up, measured, until_killed] = match self {
            Peer::N8n => [15, 30, 30],
            _ => [3, 8, 3],
        };
        let [warm_up, measured, until_killed] = [warm_up, measured, until_killed].map(Duration::from_secs);
        Times { warm_up, measured, until_killed }
    }

    /// Starts it over this folder, which may hold its database already.
    pub(crate) fn start(self, installed: &Installed, data: &Path) -> Result<Running, String> {
        let log = data.join("log");
        let mut running = if self == Peer::Wabridge {
            let serving = daemon::serve(data);
            Running { tree: Tree::of(serving.child), address: serving.address }
        } else {
            self.spawn(installed, data, &log)?
        };
        match refuses_a_forgery(&mut running) {
            Ok(()) => Ok(running),
            Err(why) => Err(format!("{why}; it said:\n{}", end_of(&log))),
        }
    }

    fn spawn(self, installed: &Installed, data: &Path, log: &Path) -> Result<Running, String> {
        let address = free_address();
        let out = File::options().create(true).append(true).open(log).map_err(told("make its log"))?;
        let mut command = self.command(installed, data, address.port())?;
        command.env("BENCH_SECRET", SECRET).env("BENCH_STORE", self.store(data));
        command.env("BENCH_PORT", address.port().to_string()).env("NODE_ENV", "production");
        command.current_dir(&installed.folder).stdin(Stdio::null());
        command.stdout(out.try_clone().map_err(told("share its log"))?).stderr(out);
        let child = command.spawn().map_err(told("start it"))?;
        Ok(Running { tree: Tree::of(child), address })
    }

    fn command(self, installed: &Installed, data: &Path, port: u16) -> Result<Command, String> {
        let mut command = Command::new(&installed.interpreter);
        match self {
            Peer::Wabridge => {}
            Peer::Express => {
                command.arg("server.mjs");
            }
            Peer::Fastapi => {
                command.args(["-m", "uvicorn", "app:app", "--host", "127.0.0.1", "--port"]);
                command.arg(port.to_string()).args(["--loop", "uvloop", "--http", "httptools"]);
                command.args(["--no-access-log", "--log-level", "warning"]);
            }
            Peer::Nodered => {
                // It keeps files of its own beside the flow.
                let flow = data.join("flow.json");
                fs::copy(installed.folder.join("flow.json"), &flow).map_err(told("copy the flow"))?;
                command.args(["node_modules/node-red/red.js", "--settings", "settings.js", "--userDir"]);
                command.arg(data).arg(flow);
            }
            Peer::N8n => n8n::serve(&mut command, installed, data, port)?,
        }
        Ok(command)
    }

    fn store(self, data: &Path) -> PathBuf {
        match self {
            Peer::Wabridge => daemon::store(data),
            Peer::N8n => n8n::store(data),
            _ => data.join("store.db"),
        }
    }

    /// Waits until everything is done that the requests so far bring about: the peers do it before they answer.
    pub(crate) fn settle(self, data: &Path) {
        if self == Peer::Wabridge {
            let store = SqliteStore::open_to_read(&self.store(data)).expect("the daemon has made the store");
            while store.backlog().expect("the store can be read").waiting > 0 {
                pause_until(Instant::now() + Duration::from_millis(2));
            }
        }
    }

    /// Which messages are events in its database, and how often.
    pub(crate) fn events(self, data: &Path) -> Result<BTreeMap<usize, usize>, String> {
        let store = Connection::open_with_flags(self.store(data), OpenFlags::SQLITE_OPEN_READ_ONLY)
            .map_err(told("open its database"))?;
        let sql = match self {
            Peer::Wabridge => "SELECT evidence FROM events".to_owned(),
            Peer::N8n => n8n::events(&store)?,
            _ => "SELECT message_id FROM events".to_owned(),
        };
        let mut statement = store.prepare(&sql).map_err(told("read its events"))?;
        let texts =
            statement.query_map([], |row| row.get::<_, String>(0)).map_err(told("read its events"))?;
        let mut found = BTreeMap::new();
        for text in texts {
            let text = text.map_err(told("read an event"))?;
            let number = number_in(&text).ok_or("an event in its database is none of the benchmark's")?;
            *found.entry(number).or_default() += 1;
        }
        Ok(found)
    }
}

/// The number in the first message id of a text.
fn number_in(text: &str) -> Option<usize> {
    let digits = text.split_once(ID)?.1.get(..DIGITS)?;
    digits.parse().ok()
}

/// An error in a sentence.
pub(crate) fn told<E: std::fmt::Display>(doing: &str) -> impl Fn(E) -> String + '_ {
    move |error| format!("cannot {doing}: {error}")
}

/// An address that was free a moment ago.
pub(crate) fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there is a free port");
    listener.local_addr().expect("it is bound")
}

/// Waits until the server answers 401 to a body that is not what was signed. Before that it is not ready, and
/// a server that never does is not doing the work.
fn refuses_a_forgery(running: &mut Running) -> Result<(), String> {
    let request = Maker::new().request("FORGED", 0, &writer_of(0));
    let forged = String::from_utf8_lossy(&request).replace("Is the blue", "Is the pink");
    let began = Instant::now();
    let mut last = None;
    while began.elapsed() < PATIENCE {
        if running.tree.outcome().is_some() {
            return Err("it ended by itself".to_owned());
        }
        last = status_of(running.address, forged.as_bytes());
        if last == Some(401) {
            return Ok(());
        }
        pause_until(Instant::now() + Duration::from_millis(20));
    }
    Err(format!("it did not refuse a forgery with 401, but answered {last:?}"))
}

/// Sends a request over a connection of its own; the status of the answer.
pub(crate) fn status_of(address: SocketAddr, request: &[u8]) -> Option<u16> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(ANSWER)).ok()?;
    stream.write_all(request).ok()?;
    let mut line = [0; 12];
    stream.read_exact(&mut line).ok()?;
    std::str::from_utf8(&line[9..]).ok()?.parse().ok()
}

/// The last lines of a log.
pub(crate) fn end_of(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}
