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

/// Lists that are none, and lists with items that are none; `$` in what is expected stands for the path.
fn lists() -> Vec<(&'static str, String, Vec<String>)> {
    let none = "quarantined unexpected_shape $[0]";
    let rows: [(&str, String, &[&str]); 9] = [
        ("messages an object", r#"{"0":{}}"#.to_owned(), &["quarantined invalid_field $"]),
        ("messages a text", r#""x""#.to_owned(), &["quarantined invalid_field $"]),
        ("messages null", "null".to_owned(), &["skipped no_content"]),
        ("messages none", "[]".to_owned(), &["skipped no_content"]),
        ("an item that is a text", format!(r#"["x",{GOOD}]"#), &[none, "applied"]),
        ("an item that is a list", format!("[[],{GOOD}]"), &[none, "applied"]),
        ("an item that is null", format!("[null,{GOOD}]"), &[none, "applied"]),
        ("an item of nothing", format!("[{{}},{GOOD}]"), &["quarantined missing_field $[0].id", "applied"]),
        ("an item twice", format!("[{GOOD},{GOOD}]"), &["applied", "duplicate"]),
    ];
    let owned = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect();
    rows.into_iter().map(|(name, list, expected)| (name, list, owned(expected))).collect()
}

/// An item behind a good one, and what becomes of it: odd ones that are kept, and those that are not.
fn items() -> Vec<(&'static str, String, String)> {
    let million = format!("[{}0]", "0,".repeat(999_999));
    let plain = message("");
    let changed = |from: &str, to: &str| {
        assert!(plain.contains(from), "{from}");
        plain.replace(from, to)
    };
    let invalid = |field: &str| format!("quarantined invalid_field $[1].{field}");
    let (applied, nobody) = ("applied".to_owned(), "skipped no_identity".to_owned());
    let twice = "quarantined unexpected_shape $[1]".to_owned();
    let text = |json: &str| message(&format!(r#""text":{{"body":{json}}}"#));
    vec![
        ("an id twice", message(r#""id":"wamid.other""#), twice),
        ("an unknown field twice", message(r#""new":1,"new":2"#), applied.clone()),
        ("an unknown type", changed("text", "hologram"), applied.clone()),
        ("no type", changed(r#","type":"text""#, ""), applied.clone()),
        ("a type that is no text", changed(r#""text""#, "{}"), invalid("type")),
        ("unknown fields", message(r#""new":{"a":[null]},"text":{"body":"x","new":[]}"#), applied.clone()),
        ("half a surrogate pair", text(r#""\ud83d broken""#), applied.clone()),
        ("NUL, escaped", text(r#""a\u0000b""#), applied.clone()),
        ("the sender a number", changed(r#""447700900101""#, "447700900101"), applied.clone()),
        ("the sender a list", changed(r#""447700900101""#, "[1]"), nobody.clone()),
        ("the sender no phone", changed("447700900101", "nobody"), nobody.clone()),
        ("no sender", changed(r#""from":"447700900101","#, ""), nobody),
        ("a text of 1 MB", text(&format!(r#""{}""#, "y".repeat(1_000_000))), applied.clone()),
        ("an id of 100 kB", changed("wamid.#", &"w".repeat(100_000)), applied.clone()),
        ("a million numbers for a text", text(&million), invalid("text.body")),
        ("a million numbers for an id", message(&format!(r#""from_user_id":{million}"#)), applied.clone()),
        ("a referral that is none", message(r#""referral":[1]"#), applied.clone()),
        ("a context that is none", message(r#""context":7"#), applied),
    ]
}

/// As [`items`]: a wrong value in every place that must not have one.
fn wrong_values() -> Vec<(&'static str, String, String)> {
    let mut rows = Vec::new();
    let fault = |fault: &str, field: &str| format!("quarantined {fault} $[1].{field}");
    for (fields, value, reason) in [
        (["id", "timestamp"], "null", "missing_field"),
        (["id", "timestamp"], r#""""#, "missing_field"),
        (["id", "timestamp"], "[]", "invalid_field"),
        (["id", "timestamp"], "{}", "invalid_field"),
        (["id", "timestamp"], "true", "invalid_field"),
    ] {
        for (field, good) in fields.into_iter().zip([r#""wamid.#""#, r#""1795336200""#]) {
            rows.push((field, message("").replace(good, value), fault(reason, field)));
        }
    }
    for time in ["0", "-1", "1.5", "1e400", "99999999999999999999", r#""soon""#, r#""1795336200x""#, r#"" ""#]
    {
        let item = message("").replace(r#""1795336200""#, time);
        rows.push(("a time that is none", item, fault("invalid_field", "timestamp")));
    }
    for part in
        ["text", "image", "button", "interactive", "location", "contacts", "system", "reaction", "order"]
    {
        rows.push((part, message(&format!(r#""{part}":7"#)), fault("invalid_field", part)));
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
    let behind =
        |(name, item, expected)| (name, format!("[{GOOD},{item}]"), vec!["applied".to_owned(), expected]);
    let bodies = lists().into_iter().chain(items().into_iter().chain(wrong_values()).map(behind));
    for (number, (name, list, expected)) in bodies.enumerate() {
        let path = "entry[0].changes[0].value.messages";
        let expected = expected.iter().map(|line| line.replace('$', path)).collect();
        rows.push(Row { name: format!("{name} ({number})"), body: body(number, &list).into(), expected });
    }
    rows.extend(neighbours());
    let numbers = |count: usize| format!("[{}0]", "0,".repeat(count - 1));
    for (name, count) in [("50,001 items", 50_001), ("a million items", 1_000_000)] {
        rows.push(row(name, body(0, &numbers(count)), &["malformed too_many_items $"]));
    }
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
