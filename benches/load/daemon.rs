//! The release binary as an operator starts it: a configuration file, a store, `wabridge serve`.
//!
//! In: a folder, which may hold a store already. Out: a running process, its address, and how soon it was ready.

use super::bodies::{CHANNEL, SECRET};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Beyond this it is taken for stuck.
const STUCK: Duration = Duration::from_secs(30);

/// A running `wabridge serve`; whoever holds it ends it.
pub(crate) struct Serving {
    pub(crate) child: Child,
    pub(crate) address: SocketAddr,
    /// From the start of the process to its start line, which is printed once it listens.
    pub(crate) start_line_millis: f64,
    /// From the start of the process to the first 200 of `/readyz`.
    pub(crate) ready_millis: f64,
}

/// Where the store of a folder is.
pub(crate) fn store(folder: &Path) -> PathBuf {
    folder.join("wabridge.db")
}

/// Starts the daemon over the store of this folder, and waits until it is ready.
pub(crate) fn serve(folder: &Path) -> Serving {
    let config = folder.join("wabridge.toml");
    let text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[store]\nurl = \"sqlite:{}\"\n[[channel]]\nname = \"{CHANNEL}\"\n\
         provider = \"meta\"\napp_secrets = [\"env:BENCH_SECRET\"]\nverify_token = \"env:BENCH_SECRET\"\n",
        store(folder).display()
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
        assert!(began.elapsed() < STUCK, "the daemon does not become ready");
    }
    let ready_millis = began.elapsed().as_secs_f64() * 1e3;
    Serving { child, address, start_line_millis, ready_millis }
}

fn is_ready(address: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect(address) else { return false };
    let mut answer = String::new();
    let asked = stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    asked.and_then(|()| stream.read_to_string(&mut answer)).is_ok() && answer.starts_with("HTTP/1.1 200")
}
