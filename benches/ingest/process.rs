//! The release binary as an operator starts it: how soon it is ready, and how much memory it takes.
//!
//! In: the load generator. Out: times and sizes of a real `wabridge serve` over a new store.

use crate::bodies::{CHANNEL, SECRET};
use crate::load::{Load, Order, Pace};
use crate::machine::{median, pause_until, resident_megabytes};
use serde::Serialize;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How often it is started.
const STARTS: usize = 5;
/// How long it is left alone before its memory is read.
const IDLE: Duration = Duration::from_secs(2);
/// How many requests it then takes.
const BUSY: usize = 20_000;

/// What a real process showed.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Process {
    /// From the start of the process to its start line, which is printed once it listens.
    pub(crate) start_line_millis: f64,
    /// From the start of the process to the first 200 of `/readyz`.
    pub(crate) ready_millis: f64,
    /// Resident memory when nothing was asked of it.
    pub(crate) idle_megabytes: f64,
    /// Resident memory after some load, everything projected or about to be.
    pub(crate) busy_megabytes: f64,
}

struct Running {
    child: Child,
    address: SocketAddr,
    start_line_millis: f64,
    ready_millis: f64,
    _folder: tempfile::TempDir,
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts the release binary a few times, and looks at the last one's memory.
pub(crate) fn measure(load: &mut Load, folder: &Path) -> Process {
    let mut times = (Vec::new(), Vec::new());
    let mut last = None;
    for _ in 0..STARTS {
        drop(last.take());
        let running = start(folder);
        times.0.push(running.start_line_millis);
        times.1.push(running.ready_millis);
        last = Some(running);
    }
    let running = last.expect("it was started at least once");
    pause_until(Instant::now() + IDLE);
    let idle_megabytes = resident_megabytes(running.child.id());
    let outcome = load.send(&Order { address: running.address, from: 0, pace: Pace::Count(BUSY) });
    assert!(outcome.is_clean(), "not everything was answered 200: {:?}", outcome.statuses);
    pause_until(Instant::now() + IDLE);
    let busy_megabytes = resident_megabytes(running.child.id());
    Process {
        start_line_millis: median(times.0),
        ready_millis: median(times.1),
        idle_megabytes,
        busy_megabytes,
    }
}

fn start(folder: &Path) -> Running {
    let folder = tempfile::tempdir_in(folder).expect("the target folder can be written");
    let config = folder.path().join("wabridge.toml");
    let store = folder.path().join("wabridge.db").display().to_string();
    let text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[store]\nurl = \"sqlite:{store}\"\n[[channel]]\nname = \"{CHANNEL}\"\n\
         provider = \"meta\"\napp_secrets = [\"env:BENCH_SECRET\"]\nverify_token = \"env:BENCH_SECRET\"\n"
    );
    fs::write(&config, text).expect("the target folder can be written");
    let began = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_wabridge"))
        .arg("serve")
        .env("WABRIDGE_CONFIG", &config)
        .env("BENCH_SECRET", SECRET)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("cargo has built the binary");
    let mut line = String::new();
    let out = child.stdout.take().expect("standard output is a pipe");
    BufReader::new(out).read_line(&mut line).expect("the daemon prints its start line");
    let start_line_millis = began.elapsed().as_secs_f64() * 1e3;
    let address = line.split("http://").nth(1).and_then(|rest| rest.split(';').next());
    let address = address.and_then(|text| text.parse().ok()).expect("the start line names the address");
    while !is_ready(address) {
        assert!(began.elapsed() < Duration::from_secs(30), "the daemon does not become ready");
    }
    let ready_millis = began.elapsed().as_secs_f64() * 1e3;
    Running { child, address, start_line_millis, ready_millis, _folder: folder }
}

fn is_ready(address: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect(address) else { return false };
    let mut answer = String::new();
    let asked = stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    asked.and_then(|()| stream.read_to_string(&mut answer)).is_ok() && answer.starts_with("HTTP/1.1 200")
}
