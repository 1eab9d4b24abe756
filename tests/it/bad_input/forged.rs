//! Requests without a proof: 401, a counted reason, nothing stored.

use crate::support::socket::{CHATBOT_SECRET, NOW, Running, difference, request};
use data_encoding::BASE64;
use sha2::{Digest, Sha256};

type Headers = Vec<(String, String)>;

/// Changes the headers, the body or the target.
type Forge = Box<dyn Fn(&mut Headers, &mut Vec<u8>, &mut String)>;

/// A forgery: what is changed of a proven request.
struct Forgery {
    name: &'static str,
    channel: &'static str,
    reason: &'static str,
    forge: Forge,
}

fn forgery(
    name: &'static str,
    channel: &'static str,
    reason: &'static str,
    forge: impl Fn(&mut Headers, &mut Vec<u8>, &mut String) + 'static,
) -> Forgery {
    Forgery { name, channel, reason, forge: Box::new(forge) }
}

fn value<'a>(headers: &'a mut Headers, name: &str) -> &'a mut String {
    &mut headers.iter_mut().find(|(key, _)| key.eq_ignore_ascii_case(name)).unwrap().1
}

fn drop_header(headers: &mut Headers, name: &str) {
    headers.retain(|(key, _)| !key.eq_ignore_ascii_case(name));
}

fn twice(headers: &mut Headers, name: &str) {
    let again = headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).unwrap().clone();
    headers.push(again);
}

const META: &str = "X-Hub-Signature-256";
const TWILIO: &str = "X-Twilio-Signature";

fn of_meta() -> Vec<Forgery> {
    let set = |name, reason, text: &'static str| {
        forgery(name, "main", reason, move |headers, _, _| *value(headers, META) = text.to_owned())
    };
    vec![
        forgery("no signature", "main", "signature_missing", |headers, _, _| drop_header(headers, META)),
        forgery("two signatures", "main", "signature_malformed", |headers, _, _| twice(headers, META)),
        set("an empty signature", "signature_malformed", ""),
        set("no prefix", "signature_malformed", "00"),
        set("another hash", "signature_malformed", "sha1=00"),
        set("no hex", "signature_malformed", "sha256=zz"),
        set("no text", "signature_missing", "sha256=\u{fc}"),
        set(
            "another signature",
            "signature_mismatch",
            "sha256=0000000000000000000000000000000000000000000000000000000000000000",
        ),
        forgery("a digit short", "main", "signature_malformed", |headers, _, _| {
            value(headers, META).truncate(70)
        }),
        forgery("a digit more", "main", "signature_malformed", |headers, _, _| {
            value(headers, META).push('0')
        }),
        forgery("joined by a comma", "main", "signature_malformed", |headers, _, _| {
            let one = value(headers, META).clone();
            value(headers, META).push_str(&format!(",{one}"));
        }),
        forgery("a changed byte", "main", "signature_mismatch", |_, body, _| body[0] ^= 1),
        forgery("a byte less", "main", "signature_mismatch", |_, body, _| body.truncate(3)),
        forgery("re-encoded text", "main", "signature_mismatch_non_ascii", |_, body, _| {
            body.extend("é".bytes())
        }),
        forgery("to another channel", "main", "signature_missing", |_, _, target| {
            *target = "/hooks/site".to_owned()
        }),
    ]
}

fn of_others() -> Vec<Forgery> {
    let stale = "timestamp_out_of_tolerance";
    let set = |name, header: &'static str, reason, text: &'static str| {
        forgery(name, "site", reason, move |headers, _, _| *value(headers, header) = text.to_owned())
    };
    vec![
        forgery("no signature", "twilio", "signature_missing", |headers, _, _| drop_header(headers, TWILIO)),
        forgery("two signatures", "twilio", "signature_malformed", |headers, _, _| twice(headers, TWILIO)),
        forgery("no base64", "twilio", "signature_malformed", |headers, _, _| {
            *value(headers, TWILIO) = "?".into()
        }),
        forgery("a parameter more", "twilio", "signature_mismatch", |_, body, _| body.extend(b"&a=b")),
        forgery("2,000 parameters", "twilio", "signature_mismatch", |_, body, _| {
            body.extend(b"&a=b".repeat(2_000))
        }),
        forgery("a query", "twilio", "signature_mismatch", |_, _, target| target.push_str("?a=b")),
        forgery("JSON without a hash", "twilio", "body_hash_mismatch", |headers, _, _| {
            *value(headers, "Content-Type") = "application/json".into()
        }),
        forgery("JSON with another's hash", "twilio", "body_hash_mismatch", |headers, _, target| {
            *value(headers, "Content-Type") = "application/json".into();
            target.push_str(&format!("?bodySHA256={}", "0".repeat(64)));
        }),
        forgery("no id", "site", "signature_missing", |headers, _, _| drop_header(headers, "webhook-id")),
        forgery("no time", "site", "signature_missing", |headers, _, _| {
            drop_header(headers, "webhook-timestamp")
        }),
        forgery("no signature", "site", "signature_missing", |headers, _, _| {
            drop_header(headers, "webhook-signature")
        }),
        forgery("two ids", "site", "signature_malformed", |headers, _, _| twice(headers, "webhook-id")),
        set("an empty id", "webhook-id", "signature_malformed", ""),
        set("another id", "webhook-id", "signature_mismatch", "msg_other"),
        set("a time that is none", "webhook-timestamp", "signature_malformed", "-1"),
        set("another time", "webhook-timestamp", "signature_mismatch", "1795336511"),
        set("another version", "webhook-signature", "signature_malformed", "v2,AAAA"),
        set("no base64", "webhook-signature", "signature_malformed", "v1,?"),
        forgery("a replayed id with a new body", "site", "signature_mismatch", |_, body, _| {
            body.insert(0, b' ')
        }),
        forgery("signed six minutes ago", "site", stale, |_, _, _| {}),
        forgery("signed six minutes from now", "site", stale, |_, _, _| {}),
    ]
}

#[test]
fn a_request_without_a_proof_is_refused_with_its_reason_and_not_stored() {
    let running = Running::start();
    for Forgery { name, channel, reason, forge } in of_meta().into_iter().chain(of_others()) {
        let mut body = if channel == "twilio" { b"From=x&To=y".to_vec() } else { b"{\"a\":1}".to_vec() };
        let at = match name {
            "signed six minutes ago" => "2026-11-22T08:29:12Z",
            "signed six minutes from now" => "2026-11-22T08:41:12Z",
            _ => NOW,
        };
        let (mut target, mut headers) = running.proof(channel, &body, at);
        forge(&mut headers, &mut body, &mut target);
        let before = running.metrics();
        let answer = running.ask(&request("POST", &target, &headers, &body));
        assert_eq!((answer.status, answer.body.len()), (401, 0), "{channel}: {name}");
        let provider = match target.as_str() {
            "/hooks/main" => "meta",
            "/hooks/site" => "chatbot",
            _ => "twilio",
        };
        let mut counts = difference(&before, &running.metrics());
        counts.retain(|name, _| name.contains("_auth_failures_") || name.contains("_webhook_requests_"));
        let failure =
            format!(r#"wabridge_webhook_auth_failures_total{{provider="{provider}",reason="{reason}"}}"#);
        let ended =
            format!(r#"wabridge_webhook_requests_total{{provider="{provider}",result="unauthenticated"}}"#);
        assert_eq!(counts, [(failure, 1.0), (ended, 1.0)].into(), "{channel}: {name}");
    }
    assert_eq!(running.stored(), 0);
}

#[test]
fn a_proof_at_the_edge_of_its_time_is_one_and_a_delivery_of_the_same_event_is_a_duplicate() {
    let running = Running::start();
    let event = br#"{"event_id":"e","event_type":"lead.created","occurred_at":"2026-11-22T08:30:00Z","bot_id":"b","visitor":{"phone":"+447700900124"}}"#;
    for at in ["2026-11-22T08:30:12Z", "2026-11-22T08:40:12Z", NOW, NOW] {
        assert_eq!(running.ask(&running.signed_at("site", event, at)).status, 200, "{at}");
    }
    let books = running.settled();
    assert_eq!((books.items["applied"], books.items["duplicate"]), (1, 3));
}

/// HMAC-SHA256 of a key of less than a block, once more and by hand: here nothing of ours signs.
fn hmac_sha256(key: &[u8], message: &[u8]) -> Vec<u8> {
    let pad = |with: u8| {
        let mut block = [with; 64];
        block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
        block
    };
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize().to_vec()
}

#[test]
fn a_replayed_webhook_id_with_another_event_is_another_event() {
    let running = Running::start();
    let key = BASE64.decode(CHATBOT_SECRET.trim_start_matches("whsec_").as_bytes()).unwrap();
    let at = NOW.parse::<jiff::Timestamp>().unwrap().as_second();
    for event_id in ["e-1", "e-2", "e-1"] {
        let body = format!(
            r#"{{"event_id":"{event_id}","event_type":"lead.created","occurred_at":"2026-11-22T08:30:00Z","bot_id":"b","visitor":{{"phone":"+447700900124"}}}}"#
        );
        let proof = BASE64.encode(&hmac_sha256(&key, format!("msg_same.{at}.{body}").as_bytes()));
        let headers = [
            ("webhook-id", "msg_same".to_owned()),
            ("webhook-timestamp", at.to_string()),
            ("webhook-signature", format!("v1,{proof}")),
        ];
        let headers = headers.map(|(name, value)| (name.to_owned(), value));
        assert_eq!(running.ask(&request("POST", "/hooks/site", &headers, body.as_bytes())).status, 200);
    }
    let books = running.settled();
    assert_eq!((books.items["applied"], books.items["duplicate"]), (2, 1));
}
