//! A client's connection: HTTP/1.1, kept alive, one request at a time.
//!
//! In: requests that are ready as bytes. Out: the status of each answer, and how long it took.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The longest answer that is read.
const LONGEST: usize = 16 * 1024;

/// Statuses, latencies in microseconds, and which messages were answered 200, where that is asked for.
#[derive(Default)]
pub(crate) struct Answers {
    pub(crate) statuses: BTreeMap<u16, usize>,
    pub(crate) latencies: Vec<u64>,
    pub(crate) acknowledged: Vec<usize>,
}

/// One connection that is kept alive, and what was answered on it.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    pub(crate) answers: Answers,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Connection {
        let stream = TcpStream::connect(address).await.expect("the server listens");
        stream.set_nodelay(true).expect("a TCP connection takes the option");
        Connection { stream, buffer: vec![0; LONGEST], answers: Answers::default() }
    }

    /// Sends a request and reads its answer: the status, if the connection can go on.
    pub(crate) async fn exchange(&mut self, request: &[u8], since: Instant) -> Option<u16> {
        let status = match self.stream.write_all(request).await {
            Ok(()) => self.answer().await,
            Err(_) => None,
        };
        *self.answers.statuses.entry(status.unwrap_or(0)).or_default() += 1;
        let micros = u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.answers.latencies.push(micros);
        status
    }

    /// Reads an answer with its body, or the next request would meet the rest of it.
    async fn answer(&mut self) -> Option<u16> {
        let mut filled = 0;
        loop {
            match self.stream.read(&mut self.buffer[filled..]).await {
                Ok(0) | Err(_) => return None,
                Ok(count) => filled += count,
            }
            if let Some(status) = whole(&self.buffer[..filled]) {
                return Some(status);
            }
        }
    }
}

/// The status of an answer that has come whole.
fn whole(answer: &[u8]) -> Option<u16> {
    let blank = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let (head, body) = (std::str::from_utf8(&answer[..blank]).ok()?, &answer[blank + 4..]);
    let header = |wanted: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.trim())
    };
    let is_whole = match header("content-length") {
        Some(length) => body.len() >= length.parse::<usize>().ok()?,
        None => header("transfer-encoding").is_none() || body.ends_with(b"0\r\n\r\n"),
    };
    if is_whole { head.get(9..12)?.parse().ok() } else { None }
}
