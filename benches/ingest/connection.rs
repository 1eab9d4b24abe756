//! A client's connection: HTTP/1.1, kept alive, one request at a time.
//!
//! In: requests that are ready as bytes. Out: the status of each answer, and how long it took.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Statuses and latencies in microseconds.
#[derive(Default)]
pub(crate) struct Answers {
    pub(crate) statuses: BTreeMap<u16, usize>,
    pub(crate) latencies: Vec<u64>,
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
        Connection { stream, buffer: vec![0; 4096], answers: Answers::default() }
    }

    /// Sends a request and reads its answer. Says whether the connection can go on.
    pub(crate) async fn exchange(&mut self, request: &[u8], since: Instant) -> bool {
        let status = match self.stream.write_all(request).await {
            Ok(()) => self.answer().await,
            Err(_) => None,
        };
        *self.answers.statuses.entry(status.unwrap_or(0)).or_default() += 1;
        let micros = u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.answers.latencies.push(micros);
        status.is_some()
    }

    /// Reads an answer without a body, which is what every rung gives; its status.
    async fn answer(&mut self) -> Option<u16> {
        let mut filled = 0;
        while !self.buffer[..filled].ends_with(b"\r\n\r\n") {
            match self.stream.read(&mut self.buffer[filled..]).await {
                Ok(0) | Err(_) => return None,
                Ok(count) => filled += count,
            }
        }
        std::str::from_utf8(self.buffer.get(9..12)?).ok()?.parse().ok()
    }
}
