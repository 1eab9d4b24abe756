//! No person and no secret in a log line, at TRACE, whatever comes in: the built binary is fed requests in
//! which every field and every secret is a word that occurs nowhere else, and its whole output is searched.

use crate::command::{Ended, Place, wabridge};
use crate::support::socket::{Wire, request, wait_until};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use wabridge::clock::{Clock, SystemClock};
use wabridge::config::{Channel, Channels, Config, SecretReference};
use wabridge_providers::registry::PROVIDERS;

const CONFIG: &str = r#"
[server]
listen = "127.0.0.1:0"
admin_listen = "127.0.0.1:0"
public_url = "https://hooks.example.com"
[store]
url = "sqlite:{folder}/wabridge.db"
[[channel]]
name = "main"
provider = "meta"
app_secrets = ["env:META"]
verify_token = "env:VERIFY"
business_numbers = { "100000000000001" = "+442079460001" }
[[channel]]
name = "twilio"
provider = "twilio"
auth_tokens = ["env:TWILIO"]
[[channel]]
name = "site"
provider = "chatbot"
secrets = ["env:SITE"]
"#;

/// The secrets, each a word of its own.
const SECRETS: [(&str, &str); 4] = [
    ("META", "canary-app-secret-0001"),
    ("VERIFY", "canary-verify-token-0002"),
    ("TWILIO", "canary-auth-token-0003"),
    // The base64 is of "canary-chatbot-secret-0004", in the middle of 24 bytes and more.
    ("SITE", "whsec_Y2FuYXJ5LWNoYXRib3Qtc2VjcmV0LTAwMDQtY2FuYXJ5"),
];

/// What people and requests bring: none of it may be logged, all of it is sent.
const PERSONAL: [&str; 22] = [
    "447700900177",
    "7700 900178",
    "CanaryProfileName",
    "CanaryText",
    "CanaryHeadline",
    "CanaryAdBody",
    "CanaryClickId",
    "wamid.CANARYGOOD",
    "wamid.CANARYPANIC",
    "SMCANARY",
    "canary.mail@example.com",
    "CanaryCompany",
    "CanaryCustomKey",
    "CanaryCustomValue",
    "CanaryConversation",
    "CanaryEventId",
    "CanaryBot",
    "CanaryUtm",
    "CanaryQuery",
    "CanaryPath",
    "CanaryUnreadable",
    "wab_CanaryBearer",
];

/// A process that does not outlive its test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended needs no killing.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A daemon of its own process.
struct Serving {
    child: Process,
    address: SocketAddr,
    admin: SocketAddr,
    out: JoinHandle<String>,
    err: JoinHandle<String>,
}

fn collect(stream: impl Read + Send + 'static) -> JoinHandle<String> {
    let read = move || {
        let mut bytes = Vec::new();
        BufReader::new(stream).read_to_end(&mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    };
    std::thread::Builder::new().name("collect".to_owned()).spawn(read).unwrap()
}

impl Serving {
    fn start(place: &Place) -> Serving {
        let mut command = wabridge(&place.path(""));
        command.arg("serve").env("WABRIDGE_CONFIG", place.path("wabridge.toml")).envs(SECRETS);
        command.env("WABRIDGE_LOG", "trace").env("WABRIDGE_FAULT", "panic:wamid.CANARYPANIC");
        let mut child = Process(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
        let err = collect(child.0.stderr.take().unwrap());
        let mut out = BufReader::new(child.0.stdout.take().unwrap());
        let mut first = String::new();
        out.read_line(&mut first).unwrap();
        let mut addresses = first.split("http://").skip(1).map(|text| {
            let end = text.find([';', '/']).unwrap();
            text[..end].parse().unwrap()
        });
        let (address, admin) = (addresses.next().unwrap(), addresses.next().unwrap());
        drop(addresses);
        let rest = collect(std::io::Cursor::new(first).chain(out));
        Serving { child, address, admin, out: rest, err }
    }

    /// Sends one request and returns the status.
    fn status(&self, bytes: &[u8]) -> u16 {
        let mut wire = Wire::to(self.address);
        wire.send(bytes);
        wire.answer().expect("an answer").status
    }

    fn metrics(&self) -> String {
        let mut wire = Wire::to(self.admin);
        wire.send(&request("GET", "/metrics", &[], b""));
        String::from_utf8(wire.answer().unwrap().body).unwrap()
    }

    /// Asks it to stop, as systemd does, and returns what it wrote: standard output, standard error.
    fn stop(mut self) -> (String, String) {
        let kill = format!("kill -TERM {}", self.child.0.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        assert_eq!(self.child.0.wait().unwrap().code(), Some(0));
        (self.out.join().unwrap(), self.err.join().unwrap())
    }
}

/// Signs as each channel's provider does.
struct Signer(Channels);

impl Signer {
    fn new() -> Signer {
        let mut config = Config::new("/nowhere");
        config.server.public_url = Some("https://hooks.example.com".to_owned());
        let secret = |name: &str| SECRETS.iter().find(|(key, _)| *key == name).unwrap().1;
        for (name, slug, key) in
            [("main", "meta", "META"), ("twilio", "twilio", "TWILIO"), ("site", "chatbot", "SITE")]
        {
            let provider = PROVIDERS.iter().find(|provider| provider.about().slug == slug).unwrap();
            let mut channel = Channel::new(name, *provider);
            channel.signing = vec![SecretReference::Held(secret(key).into())];
            config.channels.push(channel);
        }
        Signer(Channels::with_secrets(&config).unwrap())
    }

    fn signed(&self, channel: &str, body: &[u8]) -> Vec<u8> {
        let endpoint = self.0.get(channel).unwrap();
        let now = SystemClock::default().now();
        let mut headers = endpoint.provider.sign(body, now, &endpoint.account).unwrap().headers;
        headers.push(("Authorization".to_owned(), "Bearer wab_CanaryBearer".to_owned()));
        headers.push(("Cookie".to_owned(), "id=wab_CanaryBearer".to_owned()));
        request("POST", &format!("/hooks/{channel}"), &headers, body)
    }
}

fn meta(id: &str, more: Value) -> Vec<u8> {
    let mut message = json!({"from": "447700900177", "id": id, "timestamp": "1795336200", "type": "text",
        "text": {"body": "CanaryText"}, "referral": {"ctwa_clid": "CanaryClickId", "source_id": "120210000000000001",
        "source_type": "ad", "headline": "CanaryHeadline", "body": "CanaryAdBody"}});
    message.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let value = json!({"messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "442079460001", "phone_number_id": "100000000000001"},
        "contacts": [{"wa_id": "447700900177", "profile": {"name": "CanaryProfileName"}}],
        "messages": [message]});
    let entry = json!({"id": "9", "changes": [{"field": "messages", "value": value}]});
    json!({"entry": [entry]}).to_string().into_bytes()
}

fn chatbot() -> Value {
    json!({"event_id": "CanaryEventId", "event_type": "lead.created", "occurred_at": "2026-11-22T08:30:00Z",
        "bot_id": "CanaryBot", "conversation_id": "CanaryConversation",
        "visitor": {"phone": "+44 7700 900178", "email": "canary.mail@example.com", "name": "CanaryProfileName",
            "company": "CanaryCompany"},
        "context": {"utm_source": "CanaryUtm"}, "custom": {"CanaryCustomKey": "CanaryCustomValue"}})
}

/// Every kind of request, and the status of each.
fn requests() -> Vec<(&'static str, u16, Vec<u8>)> {
    let signer = Signer::new();
    let good = meta("wamid.CANARYGOOD", json!({}));
    let form = "AccountSid=AC1&MessageSid=SMCANARY&From=whatsapp%3A%2B447700900177&To=whatsapp%3A%2B442079460001\
        &Body=CanaryText&ProfileName=CanaryProfileName&WaId=447700900177";
    let mut bad_event = chatbot();
    bad_event["visitor"]["email"] = json!("CanaryUnreadable");
    let mut forged = signer.signed("main", &good);
    let last = forged.len() - 2;
    forged[last] ^= 1;
    let get = |target: &str| request("GET", target, &[], b"");
    let greeting = |token: &str| {
        get(&format!("/hooks/main?hub.mode=subscribe&hub.verify_token={token}&hub.challenge=CanaryQuery"))
    };
    let header = |name: &str, value: String| [(name.to_owned(), value)];
    let bearer = header("Authorization", "Bearer wab_CanaryBearer".to_owned());
    let asked = |target: &str| request("GET", target, &bearer, b"");
    let post = |name: &str, value: String| request("POST", "/hooks/main", &header(name, value), &good);
    vec![
        ("a message", 200, signer.signed("main", &good)),
        ("a message again", 200, signer.signed("main", &good)),
        (
            "a message that makes projection panic",
            200,
            signer.signed("main", &meta("wamid.CANARYPANIC", json!({}))),
        ),
        (
            "a bad item",
            200,
            signer.signed("main", &meta("wamid.CANARYGOOD", json!({"timestamp": "CanaryUnreadable"}))),
        ),
        ("a bad body", 200, signer.signed("main", b"{\"CanaryUnreadable\": 447700900177")),
        ("a form", 200, signer.signed("twilio", form.as_bytes())),
        ("a bad form", 200, signer.signed("twilio", b"CanaryUnreadable=447700900177")),
        ("an event", 200, signer.signed("site", chatbot().to_string().as_bytes())),
        ("a bad event", 200, signer.signed("site", bad_event.to_string().as_bytes())),
        ("a forged message", 401, forged),
        ("an unsigned one", 401, post("x-hub-signature-256", "CanaryText".to_owned())),
        ("an encoded one", 415, post("content-encoding", "CanaryText".to_owned())),
        ("a large head", 431, post("CanaryText", "CanaryText".repeat(4_000))),
        ("a head that is none", 400, b"GET /CanaryPath\x01 CanaryText\r\n\r\n".to_vec()),
        ("the right greeting", 200, greeting(SECRETS[1].1)),
        ("a wrong greeting", 401, greeting("wab_CanaryBearer")),
        ("an unknown channel", 404, get("/hooks/CanaryPath?CanaryQuery")),
        ("an unknown path", 404, get("/CanaryPath/447700900177?CanaryQuery")),
        ("another method", 405, request("PATCH", "/hooks/main?CanaryQuery", &[], &good)),
        ("a token that is none", 401, asked("/v1/window?phone=447700900177&business=CanaryQuery")),
        ("a token that is none, for a lead", 401, asked("/v1/leads/447700900177?CanaryQuery")),
        ("an unknown path of the API", 404, asked("/v1/CanaryPath?phone=447700900177")),
    ]
}

fn all_canaries() -> impl Iterator<Item = &'static str> {
    // The decoded chatbot secret is as much a secret as its base64.
    let secrets = SECRETS.iter().map(|(_, secret)| secret.trim_start_matches("whsec_"));
    PERSONAL.into_iter().chain(secrets).chain(["canary-chatbot-secret-0004"])
}

/// The canaries in a text, in whatever case.
fn leaks(text: &str) -> Vec<&'static str> {
    let text = text.to_lowercase();
    all_canaries().filter(|canary| text.contains(&canary.to_lowercase())).collect()
}

/// Everything the store wrote, as text.
fn stored(folder: &Path) -> String {
    let files =
        ["wabridge.db", "wabridge.db-wal"].map(|name| std::fs::read(folder.join(name)).unwrap_or_default());
    String::from_utf8_lossy(&files.concat()).into_owned()
}

#[test]
fn no_person_and_no_secret_is_in_any_line_at_trace_nor_in_the_metrics() {
    let place = Place::new(CONFIG);
    let serving = Serving::start(&place);
    for (name, status, bytes) in requests() {
        assert_eq!(serving.status(&bytes), status, "{name}");
    }
    let done = |text: &str| text.contains("state=\"waiting\"} 0\n") && text.contains("reason=\"panic\"} 1\n");
    wait_until("everything is projected", || done(&serving.metrics()));
    let metrics = serving.metrics();
    let (out, err) = serving.stop();
    for line in err.lines() {
        let parsed: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        assert!(parsed["message"].is_string() && parsed["level"].is_string(), "{line}");
    }
    for expected in [
        "webhook not proven",
        "webhook refused",
        "webhook for a channel that is not configured",
        "items quarantined",
        "panicked",
        "settle.rs",
        "stopping",
    ] {
        assert!(err.contains(expected), "no line says '{expected}'\n{err}");
    }
    assert_eq!((leaks(&err), leaks(&out), leaks(&metrics)), (vec![], vec![], vec![]), "\n{err}\n{out}");
    // What was not logged did come in; of the secrets, nothing was kept.
    let kept = stored(&place.path(""));
    for canary in
        ["447700900177", "CanaryText", "CanaryClickId", "wamid.CANARYPANIC", "canary.mail@example.com"]
    {
        assert!(kept.contains(canary), "{canary} was never stored: the test shows nothing");
    }
    for (name, secret) in SECRETS {
        assert!(!kept.contains(secret), "{name} is in the store");
    }
}

/// Configurations that are wrong, each with a secret where it does not belong.
const WRONG: [&str; 8] = [
    "[[channel]]\nname = \"main\"\nprovider = \"meta\"\napp_secrets = [\"canary-app-secret-0001\"]\n",
    "[[channel]]\nname = \"main\"\nprovider = \"meta\"\napp_secrets = [canary-app-secret-0001]\n",
    "[[channel]]\nname = \"main\"\nprovider = \"meta\"\napp_secrets = \"canary-app-secret-0001\n",
    "[[channel]]\nname = \"main\"\nprovider = \"meta\"\napp_secrets = [\"env:canary-app-secret-0001\"]\n",
    "[[channel]]\nname = \"main\"\nprovider = \"meta\"\nverify_token = \"canary-verify-token-0002\"\n",
    "[[channel]]\nname = \"site\"\nprovider = \"chatbot\"\nsecrets = { a = \"canary-chatbot-secret-0004\" }\n",
    "[store]\nurl = \"postgres://wabridge:canary-auth-token-0003@localhost/wabridge\"\n",
    "[server]\npublic_url = \"https://user:canary-auth-token-0003@hooks.example.com\"\n",
];

#[test]
fn a_wrong_configuration_is_refused_without_repeating_what_may_be_a_secret() {
    for toml in WRONG {
        let place = Place::new(toml);
        for command in ["serve", "check"] {
            let Ended { code, out, err } = place.run_with(&[command], &[("WABRIDGE_LOG", "trace")], b"");
            assert_eq!(code, 78, "{toml}\n{out}{err}");
            assert!(format!("{out}{err}").contains("wabridge.toml:"), "{toml}\n{out}{err}");
            assert_eq!((leaks(&out), leaks(&err)), (vec![], vec![]), "{toml}\n{out}{err}");
        }
    }
}

#[test]
fn a_secret_of_the_wrong_form_is_refused_without_being_repeated() {
    let place = Place::new(CONFIG);
    for (name, wrong) in
        [("SITE", "canary-chatbot-secret-0004"), ("TWILIO", " canary-auth-token-0003"), ("META", "")]
    {
        let mut environment = SECRETS;
        environment.iter_mut().find(|(key, _)| *key == name).unwrap().1 = wrong;
        let Ended { code, out, err } = place.run_with(&["serve"], &environment, b"");
        assert_eq!((code, out.as_str()), (78, ""), "{err}");
        assert!(err.contains(&format!("env:{name}")), "{err}");
        assert_eq!(leaks(&err), Vec::<&str>::new(), "{err}");
    }
}
