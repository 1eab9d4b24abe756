//! `[server]`: where the daemon listens, and how the world reaches it.

use super::document::{Found, Table};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use url::Url;

/// Keys that the design names and nothing reads yet.
const LATER: &[&str] = &["app_listen", "app_url"];

/// Where commands reach the daemon, unless the file says otherwise: the unit makes its folder.
const CONTROL: &str = "/run/wabridge/control.sock";

/// Where the daemon listens, and how the world reaches it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Where webhooks and the API are served.
    pub listen: SocketAddr,
    /// Where `/metrics` is served; nowhere when absent.
    pub admin_listen: Option<SocketAddr>,
    /// The URL providers post to, without a slash at its end, otherwise as written: Twilio signs its bytes.
    pub public_url: Option<String>,
    /// Where commands reach the running daemon; the usual place when absent.
    pub control_socket: Option<PathBuf>,
    /// Connections at one time.
    pub max_connections: usize,
    /// What comes for a business number that no channel names is quarantined, not projected under the number
    /// that the provider displays.
    pub hold_unknown_numbers: bool,
}

impl Default for Server {
    fn default() -> Server {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 8080));
        Server {
            listen,
            admin_listen: None,
            public_url: None,
            control_socket: None,
            max_connections: 4096,
            hold_unknown_numbers: false,
        }
    }
}

impl Server {
    pub(super) fn read(mut table: Table<'_, '_>) -> Server {
        let default = Server::default();
        let listen = address(&mut table, "listen").unwrap_or(default.listen);
        let admin_listen = address(&mut table, "admin_listen");
        if admin_listen.is_some_and(|admin| admin == listen && admin.port() != 0) {
            table.problem("'admin_listen' in [server] is the same as 'listen'; give it another port");
        }
        let server = Server {
            listen,
            admin_listen,
            public_url: public_url(&mut table),
            control_socket: control_socket(&mut table),
            max_connections: table
                .integer("max_connections", 1..=1_000_000)
                .map_or(default.max_connections, |number| number as usize),
            hold_unknown_numbers: holds_unknown_numbers(&mut table),
        };
        table.finish(LATER);
        server
    }

    /// Where commands reach the running daemon. Nowhere where it is not configured and the usual folder is not
    /// there.
    #[must_use]
    pub fn control_socket(&self) -> Option<PathBuf> {
        let usual = || Path::new(CONTROL).parent().is_some_and(Path::is_dir).then(|| PathBuf::from(CONTROL));
        self.control_socket.clone().or_else(usual)
    }

    /// The URL of a channel as its provider knows it.
    #[must_use]
    pub fn hook_url(&self, channel: &str) -> Option<String> {
        self.public_url.as_ref().map(|url| format!("{url}/hooks/{channel}"))
    }
}

fn control_socket(table: &mut Table<'_, '_>) -> Option<PathBuf> {
    let Found { value, at } = table.string("control_socket")?;
    let path = Path::new(value);
    // The system's own limit for such names is 108 bytes, and one is drawn that is longer by a process id.
    if !path.is_absolute() || value.ends_with('/') || value.len() > 90 {
        let message = format!(
            "'control_socket' in [server] is not an absolute path of at most 90 bytes; write it as \"{CONTROL}\""
        );
        table.problem_at(at, message);
    }
    Some(path.to_owned())
}

fn address(table: &mut Table<'_, '_>, key: &'static str) -> Option<SocketAddr> {
    let Found { value, at } = table.string(key)?;
    let address = value.parse().ok();
    if address.is_none() {
        let message = format!(
            "'{key}' in [server] is not an address and a port: '{value}'; write it as \"127.0.0.1:8080\" or \"[::1]:8080\""
        );
        table.problem_at(at, message);
    }
    address
}

/// Kept even when it is wrong, so that a channel which needs it does not report it missing as well.
fn public_url(table: &mut Table<'_, '_>) -> Option<String> {
    let Found { value, at } = table.string("public_url")?;
    if let Err(fault) = check_public_url(value) {
        let message = format!("'public_url' in [server] {fault}; write it as \"https://hooks.example.in\"");
        table.problem_at(at, message);
    }
    Some(value.trim_end_matches('/').to_owned())
}

fn check_public_url(text: &str) -> Result<(), &'static str> {
    let url = Url::parse(text).map_err(|_| "is not a URL")?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err("must begin with https://");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not hold a user or a password");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("must end before any '?' or '#'");
    }
    // The `url` crate strips these in silence; providers sign the text as written.
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err("must not hold blanks");
    }
    Ok(())
}

/// Whether what comes for a number that no channel names is quarantined.
fn holds_unknown_numbers(table: &mut Table<'_, '_>) -> bool {
    let Some(Found { value, at }) = table.string("unknown_numbers") else { return false };
    if !matches!(value, "accept" | "hold") {
        let message =
            format!("'unknown_numbers' in [server] cannot be '{value}'; write \"accept\" or \"hold\"");
        table.problem_at(at, message);
    }
    value == "hold"
}
