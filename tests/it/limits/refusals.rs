//! What the daemon refuses before any proof, a row each.

use super::{BROKEN, UNHEARD, chunked, framed, header, long_headers, post};
use crate::support::socket::{Running, difference, request, wait_until};
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
const ENCODED: &str = r#"wabridge_webhook_refusals_total{provider="meta",reason="encoded_body"}"#;
const METHOD: &str = r#"wabridge_webhook_refusals_total{provider="meta",reason="method_not_allowed"}"#;
const UNKNOWN: &str = r#"wabridge_webhook_refusals_total{provider="unknown",reason="unknown_channel"}"#;

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
