//! A provider that signs and posts, over a plain socket kept open: nothing between the test and the bytes.

use jiff::Timestamp;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;
use wabridge::config::{Channel, Channels, Config, SecretReference};
use wabridge_providers::registry;
use wabridge_providers::signature::Scheme;

/// One connection.
pub(crate) struct Client(TcpStream);

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> io::Result<Client> {
        let stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        Ok(Client(stream))
    }

    /// Sends a request and reads its answer to the end: status and body.
    pub(crate) fn send(&mut self, request: &[u8]) -> io::Result<(u16, String)> {
        self.0.write_all(request)?;
        let mut answer = Vec::new();
        let mut piece = [0; 4096];
        loop {
            if let Some((status, body)) = whole(&answer) {
                return Ok((status, body));
            }
            match self.0.read(&mut piece)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => answer.extend_from_slice(&piece[..read]),
            }
        }
    }
}

/// An answer's status and body, once all of it is there.
fn whole(answer: &[u8]) -> Option<(u16, String)> {
    let text = String::from_utf8_lossy(answer);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.get(9..12)?.parse().ok()?;
    let length = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    (body.len() >= length.unwrap_or(0)).then(|| (status, body.to_owned()))
}

/// Gets a page from its own connection.
pub(crate) fn get(address: SocketAddr, path: &str) -> io::Result<(u16, String)> {
    Client::connect(address)?.send(format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes())
}

/// Signs as the providers of these channels would.
pub(crate) struct Signer(Channels);

impl Signer {
    pub(crate) fn of(config: &Config) -> Signer {
        Signer(Channels::with_secrets(config).unwrap())
    }

    /// A signer for the channel of [`META`].
    pub(crate) fn meta() -> Signer {
        let mut config = Config::new("/nowhere");
        config.channels.push(channel("main", "meta", META_SECRET));
        Signer::of(&config)
    }

    /// The bytes of a signed POST of `body` to a channel.
    pub(crate) fn post(&self, channel: &str, body: &[u8], at: Timestamp) -> Vec<u8> {
        let endpoint = self.0.get(channel).unwrap();
        let signed = endpoint.provider.sign(body, at, &endpoint.account).unwrap();
        let token = signed.path_token.map(|token| format!("/{token}")).unwrap_or_default();
        let query = signed.query.map(|query| format!("?{query}")).unwrap_or_default();
        let kind =
            if body.starts_with(b"{") { "application/json" } else { "application/x-www-form-urlencoded" };
        let mut head = format!(
            "POST /hooks/{channel}{token}{query} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n",
            body.len()
        );
        for (name, value) in signed.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(body);
        bytes
    }
}

/// A channel whose secret the test itself holds: a signing one, or the end of the URL where nothing is signed.
pub(crate) fn channel(name: &str, provider: &str, secret: &str) -> Channel {
    let mut channel = Channel::new(name, registry::find(provider).unwrap());
    let secrets = match channel.provider.about().scheme {
        Scheme::SharedSecret => &mut channel.path_tokens,
        _ => &mut channel.signing,
    };
    *secrets = vec![SecretReference::Held(secret.into())];
    channel
}

pub(crate) const META_SECRET: &str = "fixture-app-secret";
/// The business number behind [`META`], and Meta's id of it.
pub(crate) const BUSINESS: (&str, &str) = ("100000000000001", "+442079460001");

/// A daemon with one Meta channel on free ports, its store in the place's folder.
pub(crate) const META: &str = r#"
[server]
listen = "127.0.0.1:0"
admin_listen = "127.0.0.1:0"
[store]
url = "sqlite:{folder}/wabridge.db"
[[channel]]
name = "main"
provider = "meta"
app_secrets = ["env:META"]
verify_token = "env:META"
business_numbers = { "100000000000001" = "+442079460001" }
"#;

/// A customer's text message, as Meta lists it.
pub(crate) fn text(wamid: &str, from: &str, second: i64) -> serde_json::Value {
    serde_json::json!({
        "from": from, "id": wamid, "timestamp": second.to_string(), "type": "text", "text": {"body": "Hello"}
    })
}

/// Meta's body around lists such as `messages`.
pub(crate) fn meta_body(lists: serde_json::Value) -> Vec<u8> {
    let mut value = serde_json::json!({
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "442079460001", "phone_number_id": BUSINESS.0}
    });
    value.as_object_mut().unwrap().extend(lists.as_object().unwrap().clone());
    let change = serde_json::json!({"field": "messages", "value": value});
    let entry = serde_json::json!([{"id": "100000000000009", "changes": [change]}]);
    serde_json::to_vec(&serde_json::json!({"object": "whatsapp_business_account", "entry": entry})).unwrap()
}
