//! Chatbot events that break the contract, field by field.

use super::{Row, changed, check, row};
use crate::support::socket::Running;
use serde_json::{Value, json};

/// A good event with every part.
fn good(event_id: &str) -> Value {
    json!({
        "event_id": event_id, "event_type": "lead.created", "occurred_at": "2026-11-22T08:30:00Z",
        "bot_id": "bot-1", "conversation_id": "c-1",
        "visitor": {"email": "a.customer@example.com", "phone": "+447700900124", "name": "A Customer",
            "company": "Example", "company_size": "11-50", "country": "GB"},
        "context": {"source_url": "https://example.com/", "utm_source": "google"},
        "intent": {"primary": "pricing", "labels": ["a"], "qualification_score": 71},
        "transcript": {"summary": "s", "messages": 3, "duration_seconds": 12.5, "sentiment": 0.5},
        "deal": {"amount": "12.50", "currency": "GBP"},
        "crm_target": {"target": "hubspot", "create_deal": true},
        "consent": {"given_at": "2026-11-22T08:29:00Z", "purpose": "marketing"},
        "custom": {"k": [1, null, {"x": "y"}]}
    })
}

/// A value that its field cannot have: quarantined at its path.
fn invalid() -> Vec<(&'static str, Value)> {
    vec![
        ("event_id", json!(7)),
        ("event_id", json!("")),
        ("event_type", json!(["lead.created"])),
        ("event_type", json!(" ")),
        ("occurred_at", json!("yesterday")),
        ("occurred_at", json!("22/11/2026 08:30")),
        ("occurred_at", json!("2026-11-22T08:30:00")),
        ("occurred_at", json!("2026-13-22T08:30:00Z")),
        ("occurred_at", json!(1_795_336_200)),
        ("bot_id", json!({})),
        ("conversation_id", json!(1)),
        ("visitor", json!("A Customer")),
        ("visitor", json!([])),
        ("visitor.email", json!("nobody")),
        ("visitor.email", json!("a@b@c")),
        ("visitor.phone", json!("12")),
        ("visitor.phone", json!(447_700_900_124_u64)),
        ("visitor.name", json!(["A"])),
        ("visitor.country", json!("XX")),
        ("visitor.country", json!("GBR")),
        ("visitor.country", json!("")),
        ("context", json!(1)),
        ("context.utm_source", json!({})),
        ("intent.labels", json!("a")),
        ("intent.qualification_score", json!(101)),
        ("intent.qualification_score", json!(-0.1)),
        ("intent.qualification_score", json!("71")),
        ("intent.competitor_mentions", json!({})),
        ("transcript.messages", json!(-1)),
        ("transcript.messages", json!(1.5)),
        ("transcript.messages", json!("3")),
        ("transcript.messages", json!(1e300)),
        ("transcript.duration_seconds", json!(-1)),
        ("transcript.sentiment", json!(2)),
        ("transcript.sentiment", json!(-1.01)),
        ("transcript.sentiment", json!("furious")),
        ("transcript.sentiment", json!([])),
        ("transcript.summary", json!(1)),
        ("deal", json!(12)),
        ("deal.amount", json!("12,5")),
        ("deal.amount", json!("£12")),
        ("deal.amount", json!("")),
        ("deal.amount", json!("1e5")),
        ("deal.amount", json!(true)),
        ("deal.currency", json!(826)),
        ("crm_target", json!("hubspot")),
        ("crm_target.create_deal", json!("yes")),
        ("consent.given_at", json!("then")),
        ("custom", json!([1])),
        ("custom", json!("x")),
    ]
}

/// A value that is odd and allowed.
fn allowed() -> Vec<(&'static str, Value)> {
    vec![
        ("event_type", json!("meeting.teleported")),
        ("occurred_at", json!("2026-11-22T14:00:00.123456789+05:30")),
        ("occurred_at", json!("1969-12-31T23:59:59Z")),
        ("occurred_at", json!("9999-12-30T00:00:00Z")),
        ("visitor.later", json!({"new": 1})),
        ("later", json!([[[]]])),
        ("visitor.country", json!("gb")),
        ("visitor.name", json!("\u{0}\u{202e}\u{1f600}")),
        ("visitor.phone", json!("020 7946 0001")),
        ("visitor.phone", json!("")),
        ("visitor.email", json!(" A.CUSTOMER@EXAMPLE.COM ")),
        ("intent.qualification_score", json!(0)),
        ("intent.qualification_score", json!(100.0)),
        ("transcript.messages", json!(0)),
        ("transcript.messages", json!(2.0)),
        ("transcript.sentiment", json!("negative")),
        ("transcript.sentiment", json!(-1)),
        ("deal.amount", json!(12.5)),
        ("deal.amount", json!(-3)),
        ("custom", json!({"n": [u64::MAX, i64::MIN]})),
        ("intent.labels", json!(vec!["x"; 100_000])),
    ]
}

fn fields() -> Vec<Row> {
    let mut rows = Vec::new();
    for (path, value) in invalid() {
        let fault = format!("quarantined invalid_field {path}");
        let name = format!("{path} = {value}");
        rows.push(row(name, changed(&good("e-bad"), path, Some(value)), &[&fault]));
    }
    for (number, (path, value)) in allowed().into_iter().enumerate() {
        let name = format!("{path} = {value:.60}");
        rows.push(row(name, changed(&good(&format!("e-odd-{number}")), path, Some(value)), &["applied"]));
    }
    for field in ["event_id", "event_type", "occurred_at", "bot_id"] {
        let fault = format!("quarantined missing_field {field}");
        rows.push(row(format!("no {field}"), changed(&good("e-none"), field, None), &[&fault]));
        let null = changed(&good("e-null"), field, Some(Value::Null));
        rows.push(row(format!("{field} null"), null, &[&fault]));
    }
    let optional = [
        "conversation_id",
        "visitor.country",
        "context",
        "intent",
        "transcript",
        "deal",
        "consent",
        "custom",
    ];
    for field in optional {
        let absent = changed(&good(&format!("e-absent-{field}")), field, None);
        rows.push(row(format!("no {field}"), absent, &["applied"]));
        // The same event: null is absent.
        let null = changed(&good(&format!("e-absent-{field}")), field, Some(Value::Null));
        rows.push(row(format!("{field} null"), null, &["duplicate"]));
    }
    rows
}

fn wholes() -> Vec<Row> {
    let text = good("e-text").to_string();
    let whole = |name: &str, body: &[u8], fault: &str| row(name, body, &[&format!("malformed {fault} $")]);
    let replaced = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    };
    let invalid = |name: &str, body: String, path: &str| {
        row(name, body, &[&format!("quarantined invalid_field {path}")])
    };
    vec![
        whole("nothing", b"", "not_json"),
        whole("a byte order mark", b"\xef\xbb\xbf{}", "not_json"),
        whole("NUL", b"{}\0", "not_json"),
        whole("no UTF-8", b"{\"event_id\":\"\xff\"}", "not_json"),
        whole("bytes after the end", format!("{text}]").as_bytes(), "not_json"),
        whole("cut off", &text.as_bytes()[..100], "not_json"),
        whole("several events", format!("[{text},{text}]").as_bytes(), "unexpected_shape"),
        whole("a text", b"\"event\"", "unexpected_shape"),
        whole("null", b"null", "unexpected_shape"),
        whole(
            "too deep where nobody looks",
            replaced(r#""k":"#, &format!(r#""d":{}{},"k":"#, "[".repeat(200), "]".repeat(200))).as_bytes(),
            "too_deep",
        ),
        row("an empty object", b"{}".as_slice(), &["quarantined missing_field event_id"]),
        row(
            "a list of a million numbers where nobody looks",
            replaced(r#""k":"#, &format!(r#""m":[{}0],"k":"#, "0,".repeat(999_999))),
            &["applied"],
        ),
        invalid("event_id twice", replaced(r#""event_id":"#, r#""event_id":"e-0","event_id":"#), "$"),
        invalid(
            "visitor.email twice",
            replaced(r#""email":"#, r#""email":"b@example.com","email":"#),
            "visitor",
        ),
        invalid("a number beyond all", replaced(r#":71"#, ":1e400"), "intent.qualification_score"),
        invalid("half a surrogate pair", replaced("A Customer", "\\ud83d"), "visitor.name"),
        invalid("a label that is none", replaced(r#"["a"]"#, r#"["a",null]"#), "intent.labels[1]"),
    ]
}

/// Whom an event names decides what becomes of it.
fn people() -> Vec<Row> {
    let nobody = |event_id: &str, conversation: &str| {
        let mut event = good(event_id);
        event["conversation_id"] = json!(conversation);
        event["visitor"] = json!({"name": "Nobody"});
        event.to_string()
    };
    vec![
        row("nobody", nobody("e-nobody", "c-none"), &["skipped no_identity"]),
        row("nobody again", nobody("e-nobody", "c-none"), &["duplicate"]),
        row("somebody of a conversation that is known", nobody("e-known", "c-1"), &["applied"]),
        row("the same event", good("e-odd-0").to_string(), &["applied"]),
        row(
            "the same event of another bot",
            changed(&good("e-odd-0"), "bot_id", Some(json!("bot-2"))),
            &["applied"],
        ),
    ]
}

#[test]
fn a_chatbot_event_that_breaks_the_contract_is_quarantined_at_its_path() {
    let mut rows = fields();
    rows.extend(wholes());
    rows.extend(people());
    assert!(rows.len() > 80, "{}", rows.len());
    check("site", "chatbot", rows);
}

#[test]
fn an_event_that_waited_for_its_person_is_applied_and_no_longer_counted_as_skipped() {
    const SKIPPED: &str = r#"wabridge_items_total{result="skipped",reason="no_identity"}"#;
    let running = Running::start();
    let early = changed(&good("e-early"), "visitor", None);
    assert_eq!(running.ask(&running.signed("site", &early)).status, 200);
    running.settled();
    assert_eq!(running.metrics()[SKIPPED], 1.0);
    let named = good("e-named").to_string();
    assert_eq!(running.ask(&running.signed("site", named.as_bytes())).status, 200);
    let books = running.settled();
    assert!(books.balance(), "{books:?}");
    let metrics = running.metrics();
    assert_eq!(metrics.get(SKIPPED), None, "the last one was taken away");
    assert_eq!(metrics[r#"wabridge_items_total{result="applied",reason=""}"#], 2.0);
}
