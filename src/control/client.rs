//! The command's end of the control socket.

use super::{Answer, Ask, LONGEST, Outcome, Request};
use crate::config::Config;
use crate::store::{StoreError, StoreErrorKind};
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

/// How long a daemon may take for what is done at once.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why the daemon did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The store could not.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The socket cannot be used.
    #[error("the daemon's control socket {path} cannot be used ({source}); run this as the daemon's user")]
    Socket {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The daemon runs another version.
    #[error("the running daemon is of another version and does not know this; restart it")]
    OtherVersion,
}

/// Has the running daemon do something. `None` when none answers for this store: nothing is done then.
///
/// # Errors
/// [`ControlError`]
pub fn ask(config: &Config, ask: Ask) -> Result<Option<Outcome>, ControlError> {
    let Some(path) = config.server.control_socket() else { return Ok(None) };
    let unusable = |source| ControlError::Socket { path: path.clone(), source };
    let stream = match UnixStream::connect(&path) {
        Ok(stream) => stream,
        // No socket, or one that a daemon left behind.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {
            return Ok(None);
        }
        Err(error) => return Err(unusable(error)),
    };
    // These take as long as they take.
    let patience = match ask {
        Ask::Rebuild | Ask::Replay { .. } | Ask::Resync { .. } => None,
        Ask::AddToken { .. }
        | Ask::RevokeToken { .. }
        | Ask::RetryJobs { .. }
        | Ask::DiscardJobs { .. }
        | Ask::ExpectLogin { .. }
        | Ask::PauseTarget { .. } => Some(PATIENCE),
    };
    stream.set_read_timeout(patience).map_err(unusable)?;
    let request = Request { store: config.store.to_string(), ask };
    match exchange(stream, &request).map_err(unusable)? {
        Some(Answer::Done(outcome)) => Ok(Some(outcome)),
        Some(Answer::OtherStore) => Ok(None),
        Some(Answer::Failed(kind)) => Err(StoreError::new(kind, "have the daemon do it").into()),
        Some(Answer::Unknown) => Err(ControlError::OtherVersion),
        // It ended in between; what it was asked for may be done in part, and can be asked for again.
        None => Err(StoreError::new(StoreErrorKind::Busy, "hear the end of it from the daemon").into()),
    }
}

fn exchange(mut stream: UnixStream, request: &Request) -> io::Result<Option<Answer>> {
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    let mut answer = String::new();
    BufReader::new(stream.take(LONGEST)).read_line(&mut answer)?;
    if answer.is_empty() { Ok(None) } else { Ok(Some(serde_json::from_str(&answer)?)) }
}
