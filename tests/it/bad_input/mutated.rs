//! Bodies that nobody thought of: those of the fixtures, changed at random and signed as they are then.

use crate::support::socket::{Running, Wire};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::fs;
use std::path::Path;

/// The body of every case, with the channel that takes it.
fn fixtures() -> Vec<(&'static str, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/providers");
    let mut bodies = Vec::new();
    for (slug, channel) in [("meta", "main"), ("twilio", "twilio"), ("chatbot", "site")] {
        for case in fs::read_dir(root.join(slug)).unwrap() {
            let folder = case.unwrap().path();
            let file = ["body.json", "body.form"]
                .map(|name| folder.join(name))
                .into_iter()
                .find(|file| file.exists());
            bodies.extend(file.map(|file| (channel, fs::read(file).unwrap())));
        }
    }
    bodies.sort();
    bodies
}

/// One change of a body.
#[derive(Debug, Clone)]
enum Change {
    Flip(Index, u8),
    Cut(Index, Index),
    Repeat(Index, Index),
    Insert(Index, Vec<u8>),
    /// In a body of JSON: another value in some place.
    Replace(Index, Value),
    /// In a body of JSON: what is in one place, in another.
    Move(Index, Index),
}

fn odd_text() -> impl Strategy<Value = Vec<u8>> {
    let texts: [&[u8]; 14] = [
        b"\0",
        b"\xff",
        b"\xef\xbb\xbf",
        b"\\ud83d",
        b"\"",
        b"{",
        b"]",
        b",",
        b"%",
        b"&",
        b"=",
        b"1e400",
        "\u{202e}é".as_bytes(),
        b"\\",
    ];
    prop_oneof![
        proptest::sample::select(texts.to_vec()).prop_map(<[u8]>::to_vec),
        proptest::collection::vec(any::<u8>(), 1..9),
    ]
}

fn odd_value() -> impl Strategy<Value = Value> {
    let values = [
        json!(null),
        json!(true),
        json!([]),
        json!({}),
        json!(""),
        json!(" "),
        json!(0),
        json!(-1),
        json!(1.5),
        json!(u64::MAX),
        json!(1e308),
        json!("-1"),
        json!("99999999999999999999"),
        json!([[[[1]]]]),
        json!({"a": {"b": []}}),
        json!("\u{0}"),
        json!("+"),
        json!("IN.1"),
        json!("IN.ENT.x"),
        json!("a@b.c"),
        json!("1970-01-01T00:00:00Z"),
        json!("9999-12-31T23:59:59Z"),
        json!("-009999-01-01T00:00:00Z"),
        json!(253_402_207_200_i64),
        json!("253402207200"),
        json!("system"),
        json!("447700900101"),
    ];
    prop_oneof![
        4 => proptest::sample::select(values.to_vec()),
        1 => "\\PC{0,40}".prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
    ]
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<Index>;
    prop_oneof![
        1 => (at(), 1_u8..).prop_map(|(at, mask)| Change::Flip(at, mask)),
        1 => (at(), at()).prop_map(|(from, length)| Change::Cut(from, length)),
        1 => (at(), at()).prop_map(|(from, length)| Change::Repeat(from, length)),
        1 => (at(), odd_text()).prop_map(|(at, text)| Change::Insert(at, text)),
        6 => (at(), odd_value()).prop_map(|(at, value)| Change::Replace(at, value)),
        2 => (at(), at()).prop_map(|(from, to)| Change::Move(from, to)),
    ]
}

/// Every place in a value, as JSON pointers.
fn places(value: &Value, path: String, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                places(field, format!("{path}/{}", name.replace('~', "~0").replace('/', "~1")), found);
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                places(item, format!("{path}/{at}"), found);
            }
        }
        _ => {}
    }
    found.push(path);
}

fn in_json(body: &mut Vec<u8>, change: impl FnOnce(&mut Value, &[String])) {
    let Ok(mut value) = serde_json::from_slice::<Value>(body) else { return };
    let mut found = Vec::new();
    places(&value, String::new(), &mut found);
    change(&mut value, &found);
    *body = value.to_string().into_bytes();
}

fn apply(body: &mut Vec<u8>, change: Change) {
    // The most that is cut or repeated at once: a body stays of the size of a body.
    let range = |body: &[u8], from: Index, length: Index| {
        let from = from.index(body.len());
        from..(from + 1 + length.index(200)).min(body.len())
    };
    match change {
        Change::Replace(at, new) => in_json(body, |value, places| {
            *value.pointer_mut(at.get(places).as_str()).unwrap() = new;
        }),
        Change::Move(from, to) => in_json(body, |value, places| {
            let moved = value.pointer(from.get(places).as_str()).unwrap().clone();
            *value.pointer_mut(to.get(places).as_str()).unwrap() = moved;
        }),
        _ if body.is_empty() => {}
        Change::Flip(at, mask) => {
            let at = at.index(body.len());
            body[at] ^= mask;
        }
        Change::Cut(from, length) => drop(body.drain(range(body, from, length))),
        Change::Repeat(from, length) => {
            let range = range(body, from, length);
            let again = body[range.clone()].to_vec();
            body.splice(range.end..range.end, again);
        }
        Change::Insert(at, text) => {
            let at = at.index(body.len());
            body.splice(at..at, text);
        }
    }
}

#[test]
fn a_signed_body_of_any_content_is_acknowledged_and_accounted_for_and_never_makes_projection_panic() {
    const CASES: u32 = 600;
    let running = Running::start();
    let fixtures = fixtures();
    assert!(fixtures.len() > 50, "{}", fixtures.len());
    let wire: RefCell<Wire> = RefCell::new(running.connect());
    let strategy = (any::<Index>(), proptest::collection::vec(change(), 0..4));
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let result = TestRunner::new(config).run(&strategy, |(fixture, changes)| {
        let (channel, mut body) = fixture.get(&fixtures).clone();
        changes.into_iter().for_each(|change| apply(&mut body, change));
        let mut wire = wire.borrow_mut();
        wire.send(&running.signed(channel, &body));
        let answer = wire.answer().ok_or_else(|| TestCaseError::fail("closed"))?;
        prop_assert_eq!((answer.status, answer.body.len()), (200, 0));
        Ok(())
    });
    result.unwrap();
    let books = running.settled();
    assert!(books.balance(), "{books:?}");
    assert!(books.requests["stored"] >= u64::from(CASES), "{books:?}");
    // The mutations reach beyond the parser's door, and are not all turned away at it.
    assert!(books.items["applied"] > 100 && books.requests["quarantined"] > 20, "{books:?}");
    let faults = ours(&running);
    assert!(faults.is_empty(), "faults of ours, not of the body:\n{}", faults.join("\n"));
    assert_eq!(running.different_when_rebuilt(), 0, "people depend on the set of what came in alone");
}

/// Requests that are quarantined for a reason that no body should be able to give.
fn ours(running: &Running) -> Vec<String> {
    const FIND: &str = "SELECT q.reason, r.channel, CAST(r.body AS TEXT) FROM quarantine q
        JOIN requests r ON r.id = q.request
        WHERE q.reason IN ('panic', 'poison', 'constraint', 'corrupt', 'other', 'unknown_channel')";
    let database = running.database();
    let mut find = database.prepare(FIND).unwrap();
    let told = |row: &rusqlite::Row<'_>| {
        let [reason, channel]: [String; 2] = [row.get(0)?, row.get(1)?];
        let body = row.get_ref(2)?.as_bytes().map(String::from_utf8_lossy)?.into_owned();
        Ok(format!("{reason} in {channel}: {body}"))
    };
    find.query_map([], told).unwrap().collect::<Result<_, _>>().unwrap()
}
