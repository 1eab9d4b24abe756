//! Each limit of HTTP over a raw socket: the documented status, a counted reason, and nothing stored.

use crate::support::socket::{Answer, NOW, Running, VERIFY_TOKEN, Wire, difference, request, wait_until};
use serde_json::json;
use std::time::{Duration, Instant};
use wabridge::web::Limits;
use wabridge::web::hooks::BODY_LIMIT;

/// A request that the daemon refuses, and how.
#[derive(Clone)]
struct Refusal {
    name: &'static str,
    bytes: Vec<u8>,
    status: u16,
    /// The sample that counts it.
    counted: &'static str,
}

fn refusal(name: &'static str, bytes: impl Into<Vec<u8>>, status: u16, counted: &'static str) -> Refusal {
    Refusal { name, bytes: bytes.into(), status, counted }
}

const TOO_LARGE: &str = r#"wabridge_webhook_refusals_total{provider="meta",reason="body_too_large"}"#;
const HEAD: &str = r#"wabridge_webhook_refusals_total{provider="meta",reason="head_too_large"}"#;
const BROKEN: &str = r#"wabridge_webhook_refusals_total{provider="meta",reason="body_broken"}"#;
const ENCODED: &str = r#"wabridge_webhook_refusals_total{provider="meta",reason="encoded_body"}"#;
const METHOD: &str = r#"wabridge_webhook_refusals_total{provider="meta",reason="method_not_allowed"}"#;
const UNKNOWN: &str = r#"wabridge_webhook_refusals_total{provider="unknown",reason="unknown_channel"}"#;
/// The server itself answers these: no handler hears of them.
const UNHEARD: &str = r#"wabridge_connections_ended_total{result="no_request"}"#;

const SLOW_BODY: &str = r#"wabridge_webhook_refusals_total{provider="meta",reason="body_too_slow"}"#;

fn header(name: &str, value: impl Into<String>) -> (String, String) {
    (name.to_owned(), value.into())
}

fn post(headers: &[(String, String)], body: &[u8]) -> Vec<u8> {
    request("POST", "/hooks/main", headers, body)
}

/// A POST whose framing is as given.
fn framed(framing: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("POST /hooks/main HTTP/1.1\r\nHost: x\r\n{framing}\r\n\r\n").into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

fn chunked(body: &[u8]) -> Vec<u8> {
    let mut bytes = framed("Transfer-Encoding: chunked", b"");
    for chunk in body.chunks(64 * 1024) {
        bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    bytes
}

/// Headers of about `bytes` bytes in all, fewer than any limit of their number.
fn long_headers(bytes: usize) -> Vec<(String, String)> {
    (0..bytes / 1024).map(|at| header(&format!("x-{at}"), "a".repeat(1016))).collect()
}

fn sizes() -> Vec<Refusal> {
    let stated = format!("Content-Length: {}", BODY_LIMIT + 1);
    let many: Vec<_> = (0..97).map(|at| header(&format!("x-{at}"), "a")).collect();
    let query = format!("/hooks/main?{}", "q".repeat(33 * 1024));
    vec![
        refusal("a stated length over 4 MiB", framed(&stated, b""), 413, TOO_LARGE),
        refusal("a body over 4 MiB", post(&[], &vec![b'a'; BODY_LIMIT + 1]), 413, TOO_LARGE),
        refusal(
            "a length beyond all numbers of 63 bits",
            framed(&format!("Content-Length: {}", u64::MAX), b""),
            413,
            TOO_LARGE,
        ),
        refusal("chunks over 4 MiB", chunked(&vec![b'a'; BODY_LIMIT + 1]), 413, TOO_LARGE),
        refusal("a head over 32 KiB", post(&long_headers(33 * 1024), b"{}"), 431, HEAD),
        refusal("one header over 32 KiB", post(&[header("x", "a".repeat(33 * 1024))], b"{}"), 431, HEAD),
        refusal("a URL over 32 KiB", request("GET", &query, &[], b""), 431, HEAD),
        refusal("a head over 128 KiB", post(&[header("x", "a".repeat(140 * 1024))], b"{}"), 431, UNHEARD),
        refusal("a URL over 64 KiB", request("GET", &"/a".repeat(40_000), &[], b""), 400, UNHEARD),
        refusal("97 headers beside Host", request("GET", "/hooks/main", &many, b""), 431, UNHEARD),
    ]
}

fn framing() -> Vec<Refusal> {
    let both = "Content-Length: 2\r\nTransfer-Encoding: chunked";
    let unheard = |name, framing: &str| refusal(name, framed(framing, b"{}"), 400, UNHEARD);
    let broken = |name, chunks: &str| {
        refusal(name, framed("Transfer-Encoding: chunked", chunks.as_bytes()), 400, BROKEN)
    };
    vec![
        unheard("a length and chunks", both),
        unheard("two lengths", "Content-Length: 2\r\nContent-Length: 3"),
        unheard("two equal lengths", "Content-Length: 2\r\nContent-Length: 2"),
        unheard("a negative length", "Content-Length: -1"),
        unheard("a signed length", "Content-Length: +2"),
        unheard("a length that is no number", "Content-Length: two"),
        unheard("a length of 70 bits", "Content-Length: 999999999999999999999"),
        unheard("a transfer encoding twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
        unheard("a transfer encoding that is none", "Transfer-Encoding: gzip, chunked"),
        unheard("two hosts", "Host: y\r\nContent-Length: 2"),
        broken("a chunk without a size", "xyz\r\n"),
        broken("a chunk of more than 64 bits", "fffffffffffffffff\r\n"),
        broken("a chunk longer than it says", "2\r\n{}}}}}\r\n0\r\n\r\n"),
    ]
}

fn heads() -> Vec<Refusal> {
    let unheard = |name, bytes: &[u8]| refusal(name, bytes, 400, UNHEARD);
    vec![
        unheard("HTTP/0.9", b"GET /hooks/main\r\n\r\n"),
        unheard("HTTP/2 without asking", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        unheard("TLS to a plain port", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
        unheard("a head without a host", b"GET /livez HTTP/1.1\r\n\r\n"),
        unheard("a control character in a name", b"GET /livez HTTP/1.1\r\nHost: x\r\na\x01b: c\r\n\r\n"),
        unheard("a space before the colon", b"GET /livez HTTP/1.1\r\nHost: x\r\na : c\r\n\r\n"),
        unheard("a folded header", b"GET /livez HTTP/1.1\r\nHost: x\r\na: b\r\n c\r\n\r\n"),
        unheard("NUL in a value", b"GET /livez HTTP/1.1\r\nHost: x\r\na: \0\r\n\r\n"),
        unheard("NUL in the target", b"GET /hooks/\0 HTTP/1.1\r\nHost: x\r\n\r\n"),
        unheard("no target", b"GET  HTTP/1.1\r\nHost: x\r\n\r\n"),
    ]
}

fn routes() -> Vec<Refusal> {
    let gzip = |value: &str| post(&[header("Content-Encoding", value)], b"\x1f\x8b\x08");
    let to = |method: &str, path: &str| request(method, path, &[], b"");
    let mut rows = vec![
        refusal("a channel that is not configured", to("POST", "/hooks/none"), 404, UNKNOWN),
        refusal("its greeting", to("GET", "/hooks/none"), 404, UNKNOWN),
        refusal("another method on it", to("PUT", "/hooks/none"), 404, UNKNOWN),
        refusal("no channel", to("POST", "/hooks/"), 404, UNKNOWN),
        refusal("no channel and no slash", to("POST", "/hooks"), 404, UNKNOWN),
        refusal("a slash too many", to("POST", "/hooks/main/"), 404, UNKNOWN),
        refusal("a token that the channel has not", to("POST", "/hooks/main/token"), 404, UNKNOWN),
        refusal("a way out of the folder", to("POST", "/hooks/../main"), 404, UNKNOWN),
        refusal("an encoded slash", to("POST", "/hooks/main%2Fx"), 404, UNKNOWN),
        refusal("NUL, encoded", to("POST", "/hooks/main%00"), 404, UNKNOWN),
    ];
    for value in ["gzip", "deflate", "br", "zstd", "identity, gzip", "GZIP", "", "x"] {
        rows.push(refusal("an encoded body", gzip(value), 415, ENCODED));
    }
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE", "BREW"] {
        rows.push(refusal("another method", to(method, "/hooks/main"), 405, METHOD));
    }
    rows
}

#[test]
fn every_refusal_has_its_documented_status_and_is_counted_once_and_nothing_is_stored() {
    let running = Running::start();
    for Refusal { name, bytes, status, counted } in [sizes(), framing(), heads(), routes()].concat() {
        let before = running.metrics();
        let mut wire = running.connect();
        wire.send(&bytes);
        let answer = wire.answer().unwrap_or_else(|| panic!("{name}: closed without an answer"));
        assert_eq!(answer.status, status, "{name}");
        assert!(answer.body.is_empty(), "{name}");
        wire.finish();
        assert!(wire.is_closed(), "{name}: something followed the refusal");
        let one = |counted: &str| difference(&before, &running.metrics()).get(counted) == Some(&1.0);
        wait_until(&format!("{name} is counted"), || one(counted));
        let counts = difference(&before, &running.metrics());
        let reasons = counts.keys().filter(|sample| sample.starts_with("wabridge_webhook_refusals_total"));
        assert_eq!(reasons.count(), usize::from(counted != UNHEARD), "{name}: {counts:?}");
        assert_eq!(running.stored(), 0, "{name}");
    }
}

#[test]
fn a_method_that_is_not_allowed_is_told_those_that_are() {
    let running = Running::start();
    let allowed = |method: &str, channel: &str| {
        let answer = running.ask(&request(method, &format!("/hooks/{channel}"), &[], b""));
        assert_eq!(answer.status, 405, "{method} {channel}");
        answer.headers["allow"].clone()
    };
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"] {
        assert_eq!(allowed(method, "main"), "GET, POST");
        assert_eq!(allowed(method, "twilio"), "POST");
    }
    // Only Meta checks the URL with GET.
    assert_eq!(allowed("GET", "twilio"), "POST");
    assert_eq!(allowed("GET", "site"), "POST");
    assert_eq!(running.stored(), 0);
}

#[test]
fn metas_challenge_is_answered_to_who_knows_the_token() {
    let running = Running::start();
    let token = VERIFY_TOKEN.replace(' ', "%20");
    let greet = |query: &str| running.ask(&request("GET", &format!("/hooks/main?{query}"), &[], b""));
    let right =
        greet(&format!("hub.mode=subscribe&hub.verify_token={token}&hub.challenge=%3Cb%3E1158201444"));
    assert_eq!((right.status, right.body.as_slice()), (200, b"<b>1158201444".as_slice()));
    assert!(right.headers["content-type"].starts_with("text/plain"), "an echo is no HTML");
    for query in [
        "",
        "hub.mode=subscribe&hub.verify_token=wrong&hub.challenge=1",
        "hub.mode=subscribe&hub.verify_token=&hub.challenge=1",
        &format!("hub.mode=unsubscribe&hub.verify_token={token}&hub.challenge=1"),
        &format!("hub.mode=subscribe&hub.verify_token={token}x&hub.challenge=1"),
    ] {
        let answer = greet(query);
        assert_eq!((answer.status, answer.body.len()), (401, 0), "{query}");
    }
    let metrics = running.metrics();
    let sample = r#"wabridge_webhook_auth_failures_total{provider="meta",reason="verify_token_mismatch"}"#;
    assert_eq!(metrics[sample], 5.0);
    assert_eq!(metrics[r#"wabridge_webhook_requests_total{provider="meta",result="greeted"}"#], 1.0);
    assert_eq!(running.stored(), 0);
}

fn messages(count: usize, text: &str) -> Vec<u8> {
    let message = |at: usize| {
        json!({"from": "447700900101", "id": format!("wamid.{text:.8}.{at}"), "timestamp": 1_795_330_000 + at,
            "type": "text", "text": {"body": text}})
    };
    let metadata = json!({"display_phone_number": "442079460001", "phone_number_id": "100000000000001"});
    let value = json!({"messaging_product": "whatsapp", "metadata": metadata,
        "messages": (0..count).map(message).collect::<Vec<_>>()});
    let entry = json!({"id": "100000000000009", "changes": [{"field": "messages", "value": value}]});
    json!({"object": "whatsapp_business_account", "entry": [entry]}).to_string().into_bytes()
}

#[test]
fn a_body_of_exactly_4_mib_and_metas_3_mb_are_accepted() {
    let running = Running::start();
    let mut exact = messages(1, "to the last byte");
    exact.resize(BODY_LIMIT, b' ');
    assert_eq!(running.ask(&running.signed("main", &exact)).status, 200);
    let three = messages(1000, &"m".repeat(2900));
    assert!(three.len() > 3_000_000 && three.len() < BODY_LIMIT);
    assert_eq!(running.ask(&running.signed("main", &three)).status, 200);
    // The same, in chunks.
    let (_, proof) = running.proof("main", &exact, NOW);
    let mut bytes = chunked(&exact);
    let signature = &proof.iter().find(|(name, _)| name == "X-Hub-Signature-256").unwrap().1;
    let after = b"POST /hooks/main HTTP/1.1\r\n".len();
    bytes.splice(after..after, format!("X-Hub-Signature-256: {signature}\r\n").into_bytes());
    assert_eq!(running.ask(&bytes).status, 200);
    let books = running.settled();
    assert!(books.balance(), "{books:?}");
    assert_eq!((books.requests["stored"], books.items["applied"], books.items["duplicate"]), (3, 1001, 1));
}

#[test]
fn a_head_of_just_under_32_kib_and_95_headers_are_accepted() {
    let running = Running::start();
    let headers = long_headers(31 * 1024);
    assert_eq!(running.ask(&request("GET", "/livez", &headers, b"")).status, 200);
    let headers: Vec<_> = (0..95).map(|at| header(&format!("x-{at}"), "a")).collect();
    assert_eq!(running.ask(&request("GET", "/livez", &headers, b"")).status, 200);
}

#[test]
fn slow_heads_and_slow_bodies_are_ended_in_time_and_idle_connections_last() {
    let limits = Limits {
        head_time: Duration::from_millis(1200),
        body_time: Duration::from_millis(1500),
        ..Limits::default()
    };
    let running = Running::start_with(limits, |_| {});
    let started = Instant::now();
    let mut silent = running.connect();
    let mut head = running.connect();
    head.send(b"POST /hooks/main HTTP/1.1\r\nHost: x\r\n");
    let mut body = running.connect();
    body.send(&framed("Content-Length: 100", b"{"));
    let mut endless = running.connect();
    endless.send(&framed("Transfer-Encoding: chunked", b""));
    let mut idle = running.connect();
    idle.send(&request("GET", "/livez", &[], b""));
    assert_eq!(idle.answer().unwrap().status, 200);
    // A byte now and then buys no time: the limit is on the whole, not on the silence.
    let dripping = |wire: &mut Wire, drop: &[u8]| {
        while wire.is_silent_for(Duration::from_millis(50)) {
            wire.send(drop);
        }
    };
    dripping(&mut head, b"a");
    assert_eq!(head.answer().map(|answer| answer.status), Some(408));
    assert!(head.is_closed());
    assert!(started.elapsed() >= limits.head_time);
    assert_eq!(silent.answer().map(|answer| answer.status), Some(408), "a connection without a word");
    dripping(&mut endless, b"1\r\n{\r\n");
    for mut wire in [endless, body] {
        let answer = wire.answer().unwrap();
        assert_eq!((answer.status, answer.body.len()), (408, 0));
        assert!(wire.is_closed());
    }
    assert!(started.elapsed() >= limits.body_time);
    idle.send(&request("GET", "/livez", &[], b""));
    assert_eq!(idle.answer().unwrap().status, 200, "a kept connection is not held to the time of a head");
    assert_eq!(running.metrics()[SLOW_BODY], 2.0);
    wait_until("the slow heads are counted", || running.metrics().get(UNHEARD) == Some(&2.0));
    assert_eq!(running.stored(), 0);
}

#[test]
fn a_kept_connection_cannot_be_held_by_a_byte_now_and_then() {
    // The server's own clock for heads ticks twice a second.
    let short = Duration::from_millis(1200);
    let limits = Limits { head_time: short, idle_time: short, body_time: short };
    let running = Running::start_with(limits, |_| {});
    let served = |wire: &mut Wire| {
        wire.send(&request("GET", "/livez", &[], b""));
        wire.answer().unwrap().status == 200
    };
    let hold = |mut wire: Wire, drop: &[u8]| {
        let started = Instant::now();
        while wire.is_silent_for(Duration::from_millis(50)) {
            wire.send(drop);
            assert!(started.elapsed() < Duration::from_secs(10), "held");
        }
        assert!(wire.is_closed());
    };
    let mut later_head = running.connect();
    assert!(served(&mut later_head));
    later_head.send(b"GET /livez HTTP/1.1\r\nHost: ");
    hold(later_head, b"x");
    // Refused before its body is read, on a route that has a body's limit and on those that have none.
    for path in ["/hooks/none", "/hooks/main", "/livez", "/none"] {
        let mut chunks = running.connect();
        let framing = "Content-Encoding: gzip\r\nTransfer-Encoding: chunked";
        let bytes = framed(framing, b"1\r\n{\r\n");
        chunks.send(String::from_utf8(bytes).unwrap().replace("/hooks/main", path).as_bytes());
        let status = chunks.answer().unwrap().status;
        assert!(matches!(status, 404 | 405 | 415), "{path}: {status}");
        hold(chunks, b"1\r\n{\r\n");
    }
    assert_eq!(running.stored(), 0);
}

#[test]
fn a_request_that_never_ends_is_ended_with_its_connection_where_its_route_sets_no_time() {
    let short = Duration::from_millis(600);
    let limits = Limits { head_time: short, idle_time: short, body_time: Duration::from_secs(600) };
    let running = Running::start_with(limits, |_| {});
    let mut wire = running.connect();
    wire.send(&framed("Content-Length: 1000000", b"{"));
    let started = Instant::now();
    while wire.is_silent_for(Duration::from_millis(50)) {
        wire.send(b" ");
        assert!(started.elapsed() < Duration::from_secs(10), "held");
    }
    assert!(wire.answer().is_none());
    assert_eq!(running.stored(), 0);
}

#[test]
fn a_sender_that_goes_away_before_the_end_of_its_body_leaves_nothing() {
    let running = Running::start();
    let whole = running.signed("main", &messages(1, "cut off"));
    for missing in [1, 20, 200] {
        let mut wire = running.connect();
        wire.send(&whole[..whole.len() - missing]);
        wire.finish();
        assert!(wire.answer().is_none_or(|answer| answer.status == 400), "{missing}");
    }
    wait_until("they are counted", || running.metrics().get(BROKEN) == Some(&3.0));
    assert_eq!(running.stored(), 0);
}

#[test]
fn a_length_shorter_than_the_body_leaves_a_rest_that_is_no_request() {
    let running = Running::start();
    let body = messages(1, "longer than it says");
    let (target, proof) = running.proof("main", &body, NOW);
    let mut bytes = request("POST", &target, &proof, &body);
    bytes.extend_from_slice(b"{\"a\":1}\r\n\r\n");
    let mut wire = running.connect();
    wire.send(&bytes);
    assert_eq!(wire.answer().unwrap().status, 200);
    assert_eq!(wire.answer().unwrap().status, 400);
    assert!(wire.is_closed());
    assert_eq!(running.stored(), 1);
}

#[test]
fn pipelined_requests_are_answered_in_order_and_each_is_stored() {
    let running = Running::start();
    let one = |at: usize| running.signed("main", &messages(1, &format!("pipelined {at}")));
    let mut bytes = Vec::new();
    for at in 0..40 {
        bytes.extend_from_slice(&one(at));
        bytes.extend_from_slice(&request("GET", "/livez", &[], b""));
        bytes.extend_from_slice(&post(&[], b"forged"));
    }
    let mut wire = running.connect();
    wire.send(&bytes);
    for at in 0..40 {
        let statuses = [(); 3].map(|()| wire.answer().map(|Answer { status, .. }| status));
        assert_eq!(statuses, [Some(200), Some(200), Some(401)], "{at}");
    }
    assert_eq!(running.settled().requests["stored"], 40);
}

#[test]
fn the_absolute_form_of_a_target_reaches_the_same_route() {
    let running = Running::start();
    let body = messages(1, "by a proxy");
    let (target, proof) = running.proof("main", &body, NOW);
    let absolute = format!("http://elsewhere.example.com{target}");
    assert_eq!(running.ask(&request("POST", &absolute, &proof, &body)).status, 200);
    assert_eq!(running.settled().requests["projected"], 1);
}

#[test]
fn a_client_that_waits_to_be_asked_for_its_body_is_asked() {
    let running = Running::start();
    let body = messages(1, "after you");
    let (target, mut proof) = running.proof("main", &body, NOW);
    proof.push(header("Expect", "100-continue"));
    let bytes = request("POST", &target, &proof, &body);
    let mut wire = running.connect();
    wire.send(&bytes[..bytes.len() - body.len()]);
    assert_eq!(wire.answer().unwrap().status, 100);
    wire.send(&body);
    assert_eq!(wire.answer().unwrap().status, 200);
}

#[test]
fn one_connection_more_than_allowed_waits_until_another_ends() {
    // A share for each worker, however many this machine has.
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    let most = 4 * workers;
    let running = Running::start_with(Limits::default(), |config| config.server.max_connections = most);
    let live = request("GET", "/livez", &[], b"");
    let mut open: Vec<Wire> = (0..most).map(|_| running.connect()).collect();
    for wire in &mut open {
        wire.send(&live);
        assert_eq!(wire.answer().unwrap().status, 200);
    }
    assert_eq!(running.metrics()["wabridge_connections"], most as f64);
    let mut late = running.connect();
    late.send(&live);
    assert!(late.is_silent_for(Duration::from_millis(300)), "one more was served");
    drop(open.pop());
    assert_eq!(late.answer().unwrap().status, 200);
}

#[test]
fn fewer_connections_than_workers_may_be_allowed() {
    let running = Running::start_with(Limits::default(), |config| config.server.max_connections = 1);
    let live = request("GET", "/livez", &[], b"");
    let mut first = running.connect();
    first.send(&live);
    assert_eq!(first.answer().unwrap().status, 200);
    let mut second = running.connect();
    second.send(&live);
    assert!(second.is_silent_for(Duration::from_millis(300)));
    drop(first);
    assert_eq!(second.answer().unwrap().status, 200);
}

#[test]
fn idle_connections_do_not_stop_others() {
    let running = Running::start();
    let open: Vec<Wire> = (0..500).map(|_| running.connect()).collect();
    let started = Instant::now();
    for at in 0..20 {
        let answer = running.ask(&running.signed("main", &messages(1, &format!("busy {at}"))));
        assert_eq!(answer.status, 200);
    }
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    wait_until("they are all there", || running.metrics()["wabridge_connections"] >= open.len() as f64);
    drop(open);
    wait_until("they are let go", || running.metrics()["wabridge_connections"] == 0.0);
}

#[test]
fn json_deeper_than_128_is_acknowledged_and_quarantined() {
    let running = Running::start();
    for depth in [129, 10_000, 1_000_000] {
        let nested = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let change =
            format!(r#"{{"entry":[{{"id":"1","changes":[{{"field":"messages","value":{nested}}}]}}]}}"#);
        let event = format!(r#"{{"event_id":"e","new":{nested}}}"#);
        let form = format!(r#"{{"Body":{nested}}}"#);
        for (channel, body) in [("main", change), ("site", event), ("twilio", form)] {
            let answer = running.ask(&running.signed(channel, body.as_bytes()));
            assert_eq!(answer.status, 200, "{channel} {depth}");
        }
    }
    let books = running.settled();
    assert!(books.balance(), "{books:?}");
    assert_eq!((books.requests["quarantined"], books.items["quarantined.too_deep"]), (9, 9), "{books:?}");
    let metrics = running.metrics();
    assert_eq!(metrics[r#"wabridge_items_total{result="quarantined",reason="too_deep"}"#], 9.0);
}
