//! The daemon's end of the control socket.

use super::{Answer, Ask, LONGEST, Outcome, Request};
use crate::config::{Channels, Live};
use crate::inbox::normalise::Reader;
use crate::inbox::replay::replay;
use crate::outbox::login::Invitations;
use crate::store::mending::Rebuilt;
use crate::store::{Store, StoreError, TokenRow};
use data_encoding::HEXLOWER;
use std::fs::{self, Permissions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{Notify, Semaphore};

/// Commands at one time; more wait.
const AT_ONCE: usize = 4;
/// How long a command may take to say what it wants.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why there is no control socket.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Another daemon listens there.
    #[error("another daemon listens on {0}; give this one another control_socket in [server]")]
    Taken(PathBuf),
    /// The system refuses it.
    #[error("listen on the control socket {path}")]
    Refused {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// A control socket that listens. Dropping it ends that: what is being done is finished or given up first.
pub struct Control {
    path: PathBuf,
    stopping: Arc<AtomicBool>,
    stop: Arc<Notify>,
    thread: Option<JoinHandle<()>>,
}

/// What commands are carried out with.
#[derive(Clone)]
pub struct Tools {
    /// The store.
    pub store: Arc<dyn Store>,
    /// What stored requests are read with, as configured now.
    pub reader: Arc<Live<Reader>>,
    /// The channels with secrets, to prove parked requests.
    pub channels: Arc<Live<Channels>>,
    /// Who may come back from a CRM's login.
    pub invitations: Arc<Invitations>,
    /// Who must look whether something is due, after a command that may have made it so.
    pub ring: Arc<dyn Fn() + Send + Sync>,
}

/// Where commands are answered.
struct Desk {
    tools: Tools,
    /// The store, as commands name it.
    store: String,
    stopping: Arc<AtomicBool>,
}

impl Control {
    /// Listens on `path` for commands on the store of this name.
    ///
    /// # Errors
    /// [`ServeError`]
    pub fn start(path: &Path, store: &str, tools: Tools) -> Result<Control, ServeError> {
        let refused = |source| ServeError::Refused { path: path.to_owned(), source };
        if UnixStream::connect(path).is_ok() {
            return Err(ServeError::Taken(path.to_owned()));
        }
        let listener = bind(path).map_err(refused)?;
        let (stopping, stop) = (Arc::new(AtomicBool::new(false)), Arc::new(Notify::new()));
        let desk = Desk { tools, store: store.to_owned(), stopping: Arc::clone(&stopping) };
        let stopped = Arc::clone(&stop);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(refused)?;
        let serve = move || {
            runtime.block_on(async {
                tokio::select! {
                    () = stopped.notified() => {}
                    () = serve(listener, Arc::new(desk)) => {}
                }
            });
        };
        let thread = std::thread::Builder::new().name("control".to_owned()).spawn(serve).map_err(refused)?;
        Ok(Control { path: path.to_owned(), stopping, stop, thread: Some(thread) })
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Release);
        self.stop.notify_one();
        if let Some(thread) = self.thread.take() {
            // The runtime waits for the commands in hand. One that panicked has said so on its own.
            let _ = thread.join();
        }
        // Who connects to a socket that nobody serves is told so as well.
        let _ = fs::remove_file(&self.path);
    }
}

/// Binds under another name and takes the place of what is there: nobody sees a socket that others may open.
fn bind(path: &Path) -> io::Result<UnixListener> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{}", std::process::id()));
    let draft = PathBuf::from(draft);
    let listener = UnixListener::bind(&draft)?;
    fs::set_permissions(&draft, Permissions::from_mode(0o600))?;
    fs::rename(&draft, path)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

async fn serve(listener: UnixListener, desk: Arc<Desk>) {
    let Ok(listener) = tokio::net::UnixListener::from_std(listener) else { return };
    let places = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let stream = match listener.accept().await.and_then(|(stream, _)| stream.into_std()) {
            Ok(stream) => stream,
            Err(error) => {
                tracing::warn!(kind = ?error.kind(), "the control socket takes no command");
                tokio::time::sleep(PATIENCE).await;
                continue;
            }
        };
        let desk = Arc::clone(&desk);
        tokio::task::spawn_blocking(move || {
            // A command that went away hears nothing; what it asked for is done all the same.
            let _ = desk.answer(stream);
            drop(place);
        });
    }
}

impl Desk {
    fn answer(&self, mut stream: UnixStream) -> io::Result<()> {
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut line = String::new();
        BufReader::new((&stream).take(LONGEST)).read_line(&mut line)?;
        let answer = match serde_json::from_str::<Request>(&line) {
            Err(_) => Answer::Unknown,
            Ok(request) if request.store != self.store => Answer::OtherStore,
            Ok(request) => match self.carry_out(request.ask) {
                Ok(Some(outcome)) => {
                    (self.tools.ring)();
                    Answer::Done(outcome)
                }
                Ok(None) => Answer::Unknown,
                Err(error) => Answer::Failed(error.kind),
            },
        };
        let mut line = serde_json::to_vec(&answer)?;
        line.push(b'\n');
        stream.write_all(&line)
    }

    /// `None` when it makes no sense.
    fn carry_out(&self, ask: Ask) -> Result<Option<Outcome>, StoreError> {
        Ok(match ask {
            Ask::AddToken { name, scopes, created_at, hash } => {
                let hash = HEXLOWER.decode(hash.as_bytes()).ok().and_then(|hash| hash.try_into().ok());
                let Some(hash) = hash else { return Ok(None) };
                let token = TokenRow { name, scopes, created_at, revoked_at: None };
                self.tools.store.add_token(&token, hash)?;
                Some(Outcome::TokenAdded)
            }
            Ask::RevokeToken { name, at } => {
                Some(Outcome::TokenRevoked(self.tools.store.revoke_token(&name, at)?))
            }
            Ask::Rebuild => {
                tracing::info!("folding all leads anew");
                let go_on = || !self.stopping.load(Ordering::Acquire);
                let Rebuilt { events, people } = self.tools.store.rebuild(&go_on)?;
                tracing::info!(events, people, "all leads are folded anew");
                Some(Outcome::Rebuilt { events, people })
            }
            Ask::Replay { what, dry_run } => {
                tracing::info!(dry_run, "reading requests again");
                let Tools { store, reader, channels, .. } = &self.tools;
                let replayed = replay(&**store, &reader.get(), &channels.get(), what, dry_run)?;
                Some(Outcome::Replayed(replayed))
            }
            Ask::RetryJobs { jobs, at } => {
                Some(Outcome::JobsChanged(self.tools.store.retry_jobs(&jobs, at)?))
            }
            Ask::DiscardJobs { jobs, reason, at } => {
                Some(Outcome::JobsChanged(self.tools.store.discard_jobs(&jobs, &reason, at)?))
            }
            Ask::ExpectLogin { target, state } => {
                self.tools.invitations.expect(&target, &state);
                Some(Outcome::LoginExpected)
            }
            Ask::Resync { target, fields, at } => {
                let go_on = || !self.stopping.load(Ordering::Acquire);
                let leads = self.tools.store.resync(&target, &fields, at, &go_on)?;
                tracing::info!(target_name = target, leads, "what was written is looked at again");
                Some(Outcome::JobsChanged(leads))
            }
            Ask::PauseTarget { target, cause } => {
                tracing::info!(target, paused = cause.is_some(), "a target is paused or goes on by hand");
                self.tools.store.pause_target(&target, cause.as_deref())?;
                Some(Outcome::TargetPaused)
            }
        })
    }
}
