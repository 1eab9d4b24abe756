//! What Meta would never send, signed as Meta signs.

use super::{Row, check, row};
use crate::support::socket::Running;
use serde_json::json;

/// A body with one change of `messages`, whose list is as given; `#` in it stands for the row's number.
fn body(number: usize, messages: &str) -> String {
    let metadata = r#"{"display_phone_number":"442079460001","phone_number_id":"100000000000001"}"#;
    let value = format!(r#"{{"messaging_product":"whatsapp","metadata":{metadata},"messages":{messages}}}"#);
    let change = format!(r#"{{"field":"messages","value":{value}}}"#);
    let body = format!(r#"{{"object":"w","entry":[{{"id":"9","changes":[{change}]}}]}}"#);
    body.replace('#', &number.to_string())
}

/// A message with more or other fields; of two fields of one name the later is `more`.
fn message(more: &str) -> String {
    let comma = if more.is_empty() { "" } else { "," };
    format!(r#"{{"from":"447700900101","id":"wamid.#","timestamp":"1795336200","type":"text"{comma}{more}}}"#)
}

const GOOD: &str = r#"{"from":"447700900102","id":"wamid.good#","timestamp":"1795336200","type":"text","text":{"body":"x"}}"#;

/// Whole bodies that have no items.
fn wholes() -> Vec<Row> {
    let whole = |name: &str, body: &[u8], fault: &str| row(name, body, &[&format!("malformed {fault}")]);
    vec![
        whole("nothing", b"", "not_json $"),
        whole("blanks", b" \r\n\t ", "not_json $"),
        whole("a byte order mark", b"\xef\xbb\xbf{\"entry\":[]}", "not_json $"),
        whole("UTF-16", b"\xff\xfe{\0}\0", "not_json $"),
        whole("NUL", b"\0", "not_json $"),
        whole("NUL after the end", b"{\"entry\":[]}\0", "not_json $"),
        whole("NUL in a text", b"{\"entry\":[{\"id\":\"\0\"}]}", "not_json $"),
        whole("no UTF-8", b"{\"entry\":[{\"id\":\"\xff\"}]}", "not_json $"),
        whole("an overlong form", b"{\"entry\":[{\"id\":\"\xc0\xaf\"}]}", "not_json $"),
        whole("a surrogate in UTF-8", b"{\"entry\":[{\"id\":\"\xed\xa0\xbd\"}]}", "not_json $"),
        whole("cut off", br#"{"entry":[{"id":"9","changes":[{"field":"mess"#, "not_json $"),
        whole("bytes after the end", br#"{"entry":[]} x"#, "not_json $"),
        whole("two bodies", br#"{"entry":[]}{"entry":[]}"#, "not_json $"),
        whole("a comma too many", br#"{"entry":[],}"#, "not_json $"),
        whole("single quotes", b"{'entry':[]}", "not_json $"),
        whole("NaN", br#"{"entry":[NaN]}"#, "not_json $"),
        whole("a comment", br#"{"entry":[]/**/}"#, "not_json $"),
        whole("a form", b"entry=1&object=2", "not_json $"),
        whole("XML", b"<entry/>", "not_json $"),
        whole("a list", br#"[{"entry":[]}]"#, "unexpected_shape $"),
        whole("a text", br#""entry""#, "unexpected_shape $"),
        whole("a number", b"7", "unexpected_shape $"),
        whole("null", b"null", "unexpected_shape $"),
        whole("no entry", br#"{"object":"w"}"#, "missing_field entry"),
        whole("entry null", br#"{"entry":null}"#, "missing_field entry"),
        whole("entry an object", br#"{"entry":{"0":{}}}"#, "invalid_field entry"),
        whole("entry a text", br#"{"entry":"x"}"#, "invalid_field entry"),
        whole("entry twice", br#"{"entry":[],"entry":[]}"#, "unexpected_shape $"),
        row("no entries", br#"{"entry":[]}"#, &["skipped no_content"]),
        row(
            "entries that are none",
            br#"{"entry":[7,null,[],{"changes":{}}]}"#,
            &[
                "quarantined unexpected_shape entry[0]",
                "quarantined unexpected_shape entry[1]",
                "quarantined unexpected_shape entry[2]",
                "quarantined invalid_field entry[3].changes",
            ],
        ),
        row(
            "changes that are none",
            br#"{"entry":[{"changes":[1,{},{"field":"messages"},{"field":{},"value":{}}]}]}"#,
            &[
                "quarantined unexpected_shape entry[0].changes[0]",
                "quarantined missing_field entry[0].changes[1].field",
                "quarantined missing_field entry[0].changes[2].value",
                "quarantined invalid_field entry[0].changes[3].field",
            ],
        ),
        row(
            "an unknown field of an account",
            br#"{"entry":[{"id":"9","changes":[{"field":"weather_update","value":{"sun":[1,"x"]}}]}]}"#,
            &["applied"],
        ),
    ]
}

/// One list of messages each; `$` in what is expected stands for its path.
fn lists() -> Vec<(&'static str, String, Vec<&'static str>)> {
    let good = |message: String| format!("[{GOOD},{message}]");
    let million = format!("[{}0]", "0,".repeat(999_999));
    let mut rows = vec![
        ("messages an object", r#"{"0":{}}"#.to_owned(), vec!["quarantined invalid_field $"]),
        ("messages a text", r#""x""#.to_owned(), vec!["quarantined invalid_field $"]),
        ("messages null", "null".to_owned(), vec!["skipped no_content"]),
        ("messages none", "[]".to_owned(), vec!["skipped no_content"]),
        (
            "an item that is a text",
            format!(r#"["x",{GOOD}]"#),
            vec!["quarantined unexpected_shape $[0]", "applied"],
        ),
        (
            "an item that is a list",
            format!("[[],{GOOD}]"),
            vec!["quarantined unexpected_shape $[0]", "applied"],
        ),
        (
            "an item that is null",
            format!("[null,{GOOD}]"),
            vec!["quarantined unexpected_shape $[0]", "applied"],
        ),
        (
            "an item of nothing",
            format!("[{{}},{GOOD}]"),
            vec!["quarantined missing_field $[0].id", "applied"],
        ),
        ("an item twice", format!("[{GOOD},{GOOD}]"), vec!["applied", "duplicate"]),
        (
            "an id twice in an item",
            good(message(r#""id":"wamid.other""#)),
            vec!["applied", "quarantined unexpected_shape $[1]"],
        ),
        ("an unknown field twice", good(message(r#""new":1,"new":2"#)), vec!["applied", "applied"]),
        ("an unknown type", good(message("").replace("text", "hologram")), vec!["applied", "applied"]),
        ("no type", good(message("").replace(r#","type":"text""#, "")), vec!["applied", "applied"]),
        (
            "a type that is no text",
            good(message("").replace(r#""text""#, "{}")),
            vec!["applied", "quarantined invalid_field $[1].type"],
        ),
        (
            "unknown fields everywhere",
            good(message(r#""new":{"a":[{"b":null}]},"text":{"body":"x","new":[]}"#)),
            vec!["applied", "applied"],
        ),
        (
            "half a surrogate pair",
            good(message(r#""text":{"body":"\ud83d broken"}"#)),
            vec!["applied", "applied"],
        ),
        ("NUL, escaped", good(message(r#""text":{"body":"a\u0000b"}"#)), vec!["applied", "applied"]),
        (
            "the sender a number",
            good(message("").replace(r#""447700900101""#, "447700900101")),
            vec!["applied", "applied"],
        ),
        (
            "the sender a list",
            good(message("").replace(r#""447700900101""#, "[1]")),
            vec!["applied", "skipped no_identity"],
        ),
        (
            "the sender no phone",
            good(message("").replace("447700900101", "nobody")),
            vec!["applied", "skipped no_identity"],
        ),
        (
            "no sender",
            good(message("").replace(r#""from":"447700900101","#, "")),
            vec!["applied", "skipped no_identity"],
        ),
        (
            "a text of 1 MB",
            good(message(&format!(r#""text":{{"body":"{}"}}"#, "y".repeat(1_000_000)))),
            vec!["applied", "applied"],
        ),
        (
            "an id of 100 kB",
            good(message("").replace("wamid.#", &"w".repeat(100_000))),
            vec!["applied", "applied"],
        ),
        (
            "a million numbers for a text",
            good(message(&format!(r#""text":{{"body":{million}}}"#))),
            vec!["applied", "quarantined invalid_field $[1].text.body"],
        ),
        (
            "a million numbers for a name",
            good(message(&format!(r#""from_user_id":{million}"#))),
            vec!["applied", "applied"],
        ),
        ("a referral that is none", good(message(r#""referral":[1]"#)), vec!["applied", "applied"]),
        ("a context that is none", good(message(r#""context":7"#)), vec!["applied", "applied"]),
    ];
    for id in ["null", r#""""#, "[]", "{}", "true"] {
        let fault = if matches!(id, "null" | r#""""#) { "missing_field" } else { "invalid_field" };
        let fault = if fault == "missing_field" {
            "quarantined missing_field $[1].id"
        } else {
            "quarantined invalid_field $[1].id"
        };
        rows.push((
            "an id that is none",
            good(message("").replace(r#""wamid.#""#, id)),
            vec!["applied", fault],
        ));
    }
    for time in [
        "0",
        "-1",
        "1.5",
        "1e400",
        "99999999999999999999",
        r#""soon""#,
        r#""1795336200x""#,
        r#"" ""#,
        "[]",
        "true",
    ] {
        let stated = message("").replace(r#""1795336200""#, time);
        rows.push((
            "a time that is none",
            good(stated),
            vec!["applied", "quarantined invalid_field $[1].timestamp"],
        ));
    }
    for time in ["null", r#""""#] {
        let stated = message("").replace(r#""1795336200""#, time);
        rows.push(("no time", good(stated), vec!["applied", "quarantined missing_field $[1].timestamp"]));
    }
    for part in
        ["text", "image", "button", "interactive", "location", "contacts", "system", "reaction", "order"]
    {
        let wrong = good(message(&format!(r#""{part}":7"#)));
        let fault: &'static str = match part {
            "text" => "quarantined invalid_field $[1].text",
            "image" => "quarantined invalid_field $[1].image",
            "button" => "quarantined invalid_field $[1].button",
            "interactive" => "quarantined invalid_field $[1].interactive",
            "location" => "quarantined invalid_field $[1].location",
            "contacts" => "quarantined invalid_field $[1].contacts",
            "system" => "quarantined invalid_field $[1].system",
            "reaction" => "quarantined invalid_field $[1].reaction",
            _ => "quarantined invalid_field $[1].order",
        };
        rows.push((part, wrong, vec!["applied", fault]));
    }
    rows
}

/// Other lists than messages, each with one item that is no good.
fn neighbours() -> Vec<Row> {
    let value = |field: &str, list: &str, item: &str| {
        let value = json!({"messaging_product": "whatsapp", "metadata": {"phone_number_id": "100000000000001"},
            list: [serde_json::from_str::<serde_json::Value>(item).unwrap()]});
        json!({"entry": [{"id": "9", "changes": [{"field": field, "value": value}]}]}).to_string()
    };
    let path = |list: &str, fault: &str, field: &str| {
        format!("quarantined {fault} entry[0].changes[0].value.{list}[0].{field}")
    };
    let case = |field: &str, list: &str, item: &str, fault: &str, at: &str| {
        row(format!("{list} {item}"), value(field, list, item), &[&path(list, fault, at)])
    };
    vec![
        case("messages", "statuses", r#"{"status":"read","timestamp":"1"}"#, "missing_field", "id"),
        case("messages", "statuses", r#"{"id":"w","timestamp":"1"}"#, "missing_field", "status"),
        case("messages", "statuses", r#"{"id":"w","status":"read"}"#, "missing_field", "timestamp"),
        case("messages", "statuses", r#"{"id":"w","status":"failed","errors":7}"#, "invalid_field", "errors"),
        case("smb_message_echoes", "message_echoes", r#"{"timestamp":"1"}"#, "missing_field", "id"),
        case("user_preferences", "user_preferences", r#"{"value":"stop"}"#, "missing_field", "category"),
        case("user_preferences", "user_preferences", r#"{"category":"m"}"#, "missing_field", "value"),
        case("calls", "calls", r#"{"id":"c","event":"connect"}"#, "missing_field", "timestamp"),
        case("calls", "calls", r#"{"event":"connect"}"#, "missing_field", "id"),
    ]
}

#[test]
fn what_meta_would_never_send_is_kept_and_only_the_bad_item_is_quarantined() {
    let mut rows = wholes();
    for (number, (name, list, expected)) in lists().into_iter().enumerate() {
        let path = "entry[0].changes[0].value.messages";
        let expected: Vec<String> = expected.iter().map(|line| line.replace('$', path)).collect();
        rows.push(Row { name: format!("{name} ({number})"), body: body(number, &list).into(), expected });
    }
    rows.extend(neighbours());
    let numbers = |count: usize| format!("[{}0]", "0,".repeat(count - 1));
    rows.push(row("a million items", body(0, &numbers(1_000_000)), &["malformed too_many_items $"]));
    let path = |at: usize| format!("quarantined unexpected_shape entry[0].changes[0].value.messages[{at}]");
    let expected = (0..10_000).map(path).collect();
    rows.push(Row { name: "10,000 items".to_owned(), body: body(0, &numbers(10_000)).into(), expected });
    assert!(rows.len() > 60, "{}", rows.len());
    check("main", "meta", rows);
}

#[test]
fn a_message_that_is_reported_again_with_another_sender_stays_one_and_rebuilds_to_the_same() {
    for senders in [["447700900101", "447700900102"], ["447700900102", "447700900101"]] {
        let running = Running::start();
        for sender in senders {
            let ad = r#""referral":{"source_type":"ad","source_id":"120200000000000001","ctwa_clid":"AR1"}"#;
            let list = format!("[{}]", message(ad).replace("447700900101", sender));
            assert_eq!(running.ask(&running.signed("main", body(0, &list).as_bytes())).status, 200);
            // Between the two, somebody else writes with the number of the second.
            let good = body(1, &format!("[{GOOD}]"));
            assert_eq!(running.ask(&running.signed("main", good.as_bytes())).status, 200);
            running.settled();
        }
        let books = running.settled();
        assert!(books.balance(), "{books:?}");
        assert_eq!(books.items.keys().filter(|name| name.starts_with("quarantined")).count(), 0, "{books:?}");
        assert_eq!(running.different_when_rebuilt(), 0, "{senders:?}");
    }
}
