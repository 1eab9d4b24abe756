//! Sockets that the service manager handed over (`LISTEN_FDS`, `LISTEN_PID`, `LISTEN_FDNAMES`).
//!
//! In: the environment, once, before there is another thread. Out: listeners by name. systemd keeps them open
//! while the daemon restarts, so a connection waits in their queue instead of being refused.
//! <https://www.freedesktop.org/software/systemd/man/latest/sd_listen_fds.html>

use crate::web::Sockets;
use listenfd::ListenFd;
use std::io;

/// The name (`FileDescriptorName=`) of a socket for the admin listener; every other is for the main one.
const ADMIN: &str = "admin";

/// What was handed over, and under which names.
#[derive(Debug, Default)]
pub struct Handed {
    /// The listeners.
    pub sockets: Sockets,
    /// Their names, for the start line.
    pub names: Vec<String>,
}

impl Handed {
    /// Takes what this process was handed; nothing where it was started by hand.
    ///
    /// # Errors
    /// When a descriptor is no TCP listener.
    pub fn take() -> io::Result<Handed> {
        // Before `from_env`, which takes the other two out of the environment.
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(':').filter(|name| !name.is_empty());
        let mut descriptors = ListenFd::from_env();
        let mut handed = Handed::default();
        for index in 0..descriptors.len() {
            let name = names.next().unwrap_or("unnamed").to_owned();
            let Some(listener) = descriptors.take_tcp_listener(index)? else { continue };
            match name.as_str() {
                ADMIN => handed.sockets.admin.push(listener),
                _ => handed.sockets.main.push(listener),
            }
            handed.names.push(name);
        }
        Ok(handed)
    }
}
