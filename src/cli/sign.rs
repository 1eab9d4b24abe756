//! `wabridge sign`: the request a provider would send for a body, as a curl command to paste.
//!
//! It goes to `listen`, so that no proxy is needed, and is signed for `public_url`, so that the daemon
//! accepts it. A body from standard input travels inside the command as base64: it need not be text.

use super::failure::{Failure, OrExit};
use crate::config::{Channel, Config, Server};
use crate::exit::Exit;
use data_encoding::BASE64;
use jiff::Timestamp;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use wabridge_providers::Signed;
use wabridge_providers::signature::Scheme;

/// Print the request a provider would send for a body, as a curl command
///
/// The command posts to `listen` and is signed for `public_url` with the channel's first secret. A channel
/// of provider `chatbot` signs the time as well: its command is good for five minutes.
#[derive(Debug, clap::Args)]
pub(super) struct Sign {
    /// The channel to sign for
    #[arg(long, value_name = "NAME")]
    channel: String,
    /// The raw body; `-` reads standard input. Twilio: a form, unless it begins with `{`
    file: String,
}

impl Sign {
    pub(super) fn run(&self, config: &Config, out: &mut impl Write) -> Result<Exit, Failure> {
        let channel = config.channel(&self.channel).ok_or_else(|| unknown(&self.channel, config))?;
        let body = self.body()?;
        let mut account = channel.account(&config.server, &config.region);
        account.secrets = channel.resolve_secrets().or_exit(Exit::Config)?;
        let signed = channel.provider.sign(&body.bytes, now(), &account).or_exit(Exit::Data)?;
        writeln!(out, "{}", command(channel, &config.server, &signed, &body))?;
        Ok(Exit::Success)
    }

    fn body(&self) -> Result<Body, Failure> {
        if self.file == "-" {
            let mut bytes = Vec::new();
            std::io::stdin().lock().read_to_end(&mut bytes)?;
            return Ok(Body { bytes, path: None });
        }
        let unreadable = |error: std::io::Error| {
            Failure::new(Exit::of_io(&error), format!("{} cannot be read: {error}", self.file))
        };
        // Absolute, so that the command can be pasted in another folder.
        let path = Path::new(&self.file).canonicalize().map_err(unreadable)?;
        let bytes = std::fs::read(&path).map_err(unreadable)?;
        let path = path.into_os_string().into_string();
        let path =
            path.map_err(|_| Failure::new(Exit::Data, "the file's path is not UTF-8; use - instead"))?;
        Ok(Body { bytes, path: Some(path) })
    }
}

/// The bytes to send, and the file they are in.
struct Body {
    bytes: Vec<u8>,
    path: Option<String>,
}

/// A channel that is not configured, with the nearest that is.
pub(super) fn unknown(name: &str, config: &Config) -> Failure {
    let names: Vec<&str> = config.channels.iter().map(|channel| channel.name.as_str()).collect();
    let way_out = match crate::config::nearest(name, names.iter().copied()) {
        Some(near) => format!("did you mean '{near}'?"),
        None if names.is_empty() => "the configuration has none".to_owned(),
        None => format!("there are {}", names.join(", ")),
    };
    Failure::new(Exit::Usage, format!("no channel '{name}'; {way_out}"))
}

#[expect(clippy::disallowed_methods, reason = "the command is signed for the moment it is pasted")]
fn now() -> Timestamp {
    Timestamp::now()
}

fn command(channel: &Channel, server: &Server, signed: &Signed, body: &Body) -> String {
    let query = signed.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
    let token = signed.path_token.as_ref().map(|token| format!("/{token}")).unwrap_or_default();
    let url = format!("http://{}/hooks/{}{token}{query}", reachable(server.listen), channel.name);
    // -g: brackets and braces in the URL are its own, not curl's.
    let mut words = vec![format!("curl -sS -i -g -X POST {}", quoted(&url))];
    if !signed.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
        words.push(header("Content-Type", content_type(channel.provider.about().scheme, &body.bytes)));
    }
    words.extend(signed.headers.iter().map(|(name, value)| header(name, value)));
    let source = body.path.as_ref().map_or_else(|| "-".to_owned(), Clone::clone);
    words.push(format!("--data-binary {}", quoted(&format!("@{source}"))));
    let curl = words.join(" \\\n  ");
    match body.path {
        Some(_) => curl,
        None => format!("printf %s {} | base64 -d | {curl}", quoted(&BASE64.encode(&body.bytes))),
    }
}

/// An address that binds all interfaces is reached through the loopback one.
fn reachable(listen: SocketAddr) -> SocketAddr {
    match listen {
        SocketAddr::V4(it) if it.ip().is_unspecified() => (Ipv4Addr::LOCALHOST, it.port()).into(),
        SocketAddr::V6(it) if it.ip().is_unspecified() => (Ipv6Addr::LOCALHOST, it.port()).into(),
        bound => bound,
    }
}

/// Twilio posts a form, or JSON for its newer events; the others always JSON.
fn content_type(scheme: Scheme, body: &[u8]) -> &'static str {
    let form = scheme == Scheme::TwilioHmacSha1 && !body.starts_with(b"{");
    if form { "application/x-www-form-urlencoded" } else { "application/json" }
}

fn header(name: &str, value: &str) -> String {
    format!("-H {}", quoted(&format!("{name}: {value}")))
}

/// One word for any POSIX shell, whatever is in it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn told(signed: &Signed, body: &Body) -> String {
        let provider = wabridge_providers::registry::find("twilio").unwrap();
        command(&Channel::new("shop", provider), &Server::default(), signed, body)
    }

    /// Lets a shell read the command with a `curl` that prints its words and its input.
    fn pasted(command: &str) -> String {
        let script = format!("curl() {{ for word; do printf '%s\\n' \"$word\"; done; cat; }}\n{command}");
        let output = Command::new("sh").arg("-c").arg(script).output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn a_shell_reads_every_header_as_it_was_signed() {
        let value = r#"it's $HOME `id` "x" \n"#;
        let signed = Signed {
            query: Some("bodySHA256=ab&c=d".to_owned()),
            headers: vec![("X-Proof".to_owned(), value.to_owned())],
            ..Signed::default()
        };
        let words = pasted(&told(&signed, &Body { bytes: b"From=a'b\n".to_vec(), path: None }));
        assert!(words.contains(&format!("X-Proof: {value}\n")), "{words}");
        assert!(words.contains("http://127.0.0.1:8080/hooks/shop?bodySHA256=ab&c=d\n"), "{words}");
        assert!(words.ends_with("@-\nFrom=a'b\n"), "{words}");
    }

    #[test]
    fn a_body_in_a_file_is_sent_from_there() {
        let body = Body { bytes: b"From=a".to_vec(), path: Some("/tmp/it's here".to_owned()) };
        assert!(told(&Signed::default(), &body).ends_with(r"--data-binary '@/tmp/it'\''s here'"));
    }

    #[test]
    fn twilio_sends_a_form_unless_the_body_is_json() {
        let json = Body { bytes: b"{}".to_vec(), path: None };
        let form = Body { bytes: b"From=a".to_vec(), path: None };
        assert!(told(&Signed::default(), &json).contains("Content-Type: application/json'"));
        assert!(told(&Signed::default(), &form).contains("Content-Type: application/x-www-form-urlencoded'"));
    }

    #[test]
    fn a_daemon_on_all_interfaces_is_reached_through_loopback() {
        assert_eq!(reachable("0.0.0.0:80".parse().unwrap()).to_string(), "127.0.0.1:80");
        assert_eq!(reachable("[::]:80".parse().unwrap()).to_string(), "[::1]:80");
        assert_eq!(reachable("192.0.2.1:80".parse().unwrap()).to_string(), "192.0.2.1:80");
    }
}
