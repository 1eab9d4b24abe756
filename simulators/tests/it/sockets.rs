//! The same on a real socket: that a cut cuts, a hang hangs, and notices arrive.

use serde_json::{Value, json};
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;
use wabridge_simulators::{Serving, Simulator, hubspot, serve};

/// Longer than anything takes here, on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(30);

fn served(notify: Option<String>) -> (Arc<Simulator>, Serving) {
    let simulator = Arc::new(hubspot::simulator());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let serving = serve(Arc::clone(&simulator), listener, notify).unwrap();
    (simulator, serving)
}

struct Caller {
    stream: TcpStream,
    token: String,
}

impl Caller {
    fn new(simulator: &Simulator, serving: &Serving) -> Caller {
        let stream = TcpStream::connect(serving.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Caller { stream, token: simulator.target()["auth"]["token"].as_str().unwrap().to_owned() }
    }

    fn send(&mut self, method: &str, target: &str, body: &Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let (token, length) = (&self.token, body.len());
        let head = format!(
            "{method} {target} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-length: {length}\r\n\r\n"
        );
        self.stream.write_all((head + &body).as_bytes()).unwrap();
    }

    /// Reads one answer: its status and its body.
    fn answer(&mut self) -> (u16, Value) {
        let (head, mut body) = read_head(&mut self.stream);
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length = length.map_or(0, |length| length.parse().unwrap());
        let read = body.len();
        body.resize(length, 0);
        self.stream.read_exact(&mut body[read..]).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    fn call(&mut self, method: &str, target: &str, body: &Value) -> (u16, Value) {
        self.send(method, target, body);
        self.answer()
    }
}

/// The head of a message in lower case, and what came of the body with it.
fn read_head(stream: &mut TcpStream) -> (String, Vec<u8>) {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        if let Some(end) = bytes.windows(4).position(|it| it == b"\r\n\r\n") {
            let body = bytes.split_off(end + 4);
            return (String::from_utf8(bytes).unwrap().to_lowercase(), body);
        }
        let read = stream.read(&mut chunk).unwrap();
        assert_ne!(read, 0, "closed within a head: {:?}", String::from_utf8_lossy(&bytes));
        bytes.extend_from_slice(&chunk[..read]);
    }
}

const CONTACTS: &str = "/crm/objects/2026-09/contacts";

#[test]
fn one_connection_carries_many_requests() {
    let (simulator, serving) = served(None);
    let mut caller = Caller::new(&simulator, &serving);
    for at in 1..=3 {
        let (status, _) = caller.call("POST", CONTACTS, &json!({"properties": {"lastname": "A"}}));
        assert_eq!(status, 201);
        let (_, ledger) = caller.call("GET", "/_ledger", &Value::Null);
        assert_eq!(ledger["persons"].as_array().unwrap().len(), at);
    }
}

#[test]
fn a_cut_closes_without_a_byte_after_the_write_was_applied() {
    let (simulator, serving) = served(None);
    let mut teller = Caller::new(&simulator, &serving);
    teller.call("POST", "/_fate", &json!([{"method": "POST", "fate": "apply_then_cut"}]));
    let mut caller = Caller::new(&simulator, &serving);
    caller.send("POST", CONTACTS, &json!({"properties": {"lastname": "A"}}));
    let mut bytes = Vec::new();
    match caller.stream.read_to_end(&mut bytes) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
    assert_eq!(bytes, b"");
    let (_, ledger) = teller.call("GET", "/_ledger", &Value::Null);
    assert_eq!(ledger["persons"].as_array().unwrap().len(), 1);
    assert_eq!(ledger["calls"][0]["status"], 0);
}

#[test]
fn what_hangs_does_not_keep_others_waiting_and_ends_with_the_simulator() {
    let (simulator, serving) = served(None);
    let mut teller = Caller::new(&simulator, &serving);
    teller.call("POST", "/_fate", &json!([{"fate": "hang"}]));
    let mut caller = Caller::new(&simulator, &serving);
    caller.send("GET", CONTACTS, &Value::Null);
    // The other end has it once it is in the ledger.
    while teller.call("GET", "/_ledger", &Value::Null).1["calls"].as_array().unwrap().is_empty() {}
    assert_eq!(teller.call("GET", CONTACTS, &Value::Null).0, 200);
    drop(serving);
    let mut bytes = Vec::new();
    drop(caller.stream.read_to_end(&mut bytes));
    assert_eq!(bytes, b"");
}

#[test]
fn a_body_beyond_sixteen_mebibytes_is_not_read() {
    let (simulator, serving) = served(None);
    let mut caller = Caller::new(&simulator, &serving);
    let length = 16 * 1024 * 1024 + 1;
    let head = format!("POST {CONTACTS} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n");
    caller.stream.write_all(head.as_bytes()).unwrap();
    // The refusal may come, and the connection go, while there is still something to say.
    drop(caller.stream.write_all(&vec![b' '; length]));
    let mut bytes = Vec::new();
    drop(caller.stream.read_to_end(&mut bytes));
    assert!(bytes.is_empty() || bytes.starts_with(b"HTTP/1.1 413"), "{}", String::from_utf8_lossy(&bytes));
    let (status, _) = Caller::new(&simulator, &serving).call("GET", CONTACTS, &Value::Null);
    assert_eq!(status, 200);
}

#[test]
fn a_notice_is_posted_and_posted_again_until_it_is_taken() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/crm/hubspot?x=1", listener.local_addr().unwrap());
    let (simulator, serving) = served(Some(url.clone()));
    let mut caller = Caller::new(&simulator, &serving);
    let (_, made) = caller.call("POST", CONTACTS, &json!({"properties": {"lastname": "A"}}));
    let (status, _) = caller.call("POST", "/_change", &json!({"person_id": made["id"], "delete": true}));
    assert_eq!(status, 200);
    for answer in ["503 Busy", "200 OK"] {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let (head, mut body) = read_head(&mut stream);
        assert!(head.starts_with("post /crm/hubspot?x=1 http/1.1"), "{head}");
        assert!(head.contains("x-hubspot-signature-v3: ") && head.contains("x-hubspot-request-timestamp: "));
        let length: usize =
            head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
        let read = body.len();
        body.resize(length, 0);
        stream.read_exact(&mut body[read..]).unwrap();
        let events: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(events[0]["subscriptionType"], "contact.deletion");
        let answer = format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        stream.write_all(answer.as_bytes()).unwrap();
    }
}
