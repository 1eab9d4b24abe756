//! A daemon in a process of its own, to be watched, killed and started again.

use super::client::{META_SECRET, get};
use crate::command::{Place, wabridge};
use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// How long anything may take that takes milliseconds, on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(180);

/// Waits between two looks at something that cannot call back.
pub(crate) fn pause(time: Duration) {
    let (_sender, receiver) = channel::<()>();
    let _ = receiver.recv_timeout(time);
}

/// Looks until there is something to see.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(started.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain: {what}");
        pause(Duration::from_millis(5));
    }
}

/// `wabridge serve`, perhaps still on its way up. Dropping it kills it.
pub(crate) struct Process {
    child: Child,
    start_line: Receiver<String>,
    log: PathBuf,
}

/// Where a daemon that is up listens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Addresses {
    pub(crate) hooks: SocketAddr,
    pub(crate) admin: SocketAddr,
}

impl Process {
    /// Starts `serve` in `place`, with a planted fault (or none, if empty).
    pub(crate) fn launch(place: &Place, fault: &str) -> Process {
        let mut command = wabridge(&place.path(""));
        command.arg("serve");
        Process::launch_as(command, place, fault)
    }

    /// As [`Process::launch`], with another program around or in place of the daemon.
    pub(crate) fn launch_as(command: Command, place: &Place, fault: &str) -> Process {
        Process::launch_reading(Stdio::null(), command, place, fault)
    }

    /// Starts `serve` with `socket` handed over to it, as the service manager does.
    pub(crate) fn launch_on(socket: &TcpListener, place: &Place) -> Process {
        // The shell is what knows the process id that the daemon will have.
        let hand_over = r#"LISTEN_PID=$$ exec "$0" serve 3<&0 </dev/null"#;
        let mut command = Command::new("sh");
        command.args(["-c", hand_over, env!("CARGO_BIN_EXE_wabridge")]).current_dir(place.path(""));
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("LISTEN_FDS", "1").env("LISTEN_FDNAMES", "wabridge.socket");
        let socket = socket.try_clone().unwrap();
        Process::launch_reading(OwnedFd::from(socket).into(), command, place, "")
    }

    fn launch_reading(stdin: Stdio, mut command: Command, place: &Place, fault: &str) -> Process {
        let log = place.path("stderr.log");
        let stderr = OpenOptions::new().create(true).append(true).open(&log).unwrap();
        command.env("WABRIDGE_CONFIG", place.path("wabridge.toml")).env("META", META_SECRET);
        if !fault.is_empty() {
            command.env("WABRIDGE_FAULT", fault);
        }
        let mut child = command.stdin(stdin).stdout(Stdio::piped()).stderr(stderr).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let (tell, start_line) = channel();
        let read = move || {
            let mut line = String::new();
            // A daemon that dies first says nothing; a test that does not listen need not hear it.
            if stdout.read_line(&mut line).is_ok_and(|bytes| bytes > 0) {
                let _ = tell.send(line);
            }
        };
        std::thread::Builder::new().name("start-line".to_owned()).spawn(read).unwrap();
        Process { child, start_line, log }
    }

    /// Waits for the start line. `None` when the process ended without one.
    pub(crate) fn try_ready(&mut self) -> Option<Addresses> {
        let line = self.start_line.recv_timeout(PATIENCE).ok()?;
        let after = |mark: &str| {
            let (_, rest) = line.split_once(mark)?;
            rest.split([';', '/', '\n']).next()?.parse().ok()
        };
        let hooks = after("listens on http://").unwrap_or_else(|| panic!("no address in: {line}"));
        Some(Addresses { hooks, admin: after("metrics on http://").unwrap() })
    }

    /// Waits for the start line.
    pub(crate) fn ready(&mut self) -> Addresses {
        self.try_ready().unwrap_or_else(|| panic!("no start line; {}", self.said()))
    }

    /// What the daemons of this place wrote to standard error.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// `kill -9`, and sees it dead.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for the process to end by itself.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        until("the process ends", || self.child.try_wait().unwrap())
    }

    /// Whether it has ended.
    pub(crate) fn ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) fn stop(mut self) -> Option<i32> {
        terminate(self.id());
        self.wait().code()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended long ago.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends SIGTERM.
pub(crate) fn terminate(process: u32) {
    let sent = Command::new("sh").args(["-c", &format!("kill -TERM {process}")]).status().unwrap();
    assert!(sent.success());
}

/// A value of `/metrics`; absent is 0.
pub(crate) fn metric(admin: SocketAddr, name: &str) -> u64 {
    let (status, page) = get(admin, "/metrics").unwrap();
    assert_eq!(status, 200);
    page.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok()).unwrap_or(0)
}

/// Waits until everything that was stored is projected.
pub(crate) fn until_projected(admin: SocketAddr) {
    until("everything is projected", || {
        (metric(admin, r#"wabridge_requests{state="waiting"}"#) == 0).then_some(())
    });
}
