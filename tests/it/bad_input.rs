//! Malformed requests of every provider, end to end: each authentic one is acknowledged and either applied
//! or quarantined with the path at fault, each forged one is refused with a counted reason, and the books
//! balance after every single one.
//!
//! The rows are in one file per provider; `forged.rs` has those without proof, `mutated.rs` bodies that
//! nobody thought of.

mod chatbot;
mod forged;
mod meta;
mod mutated;
mod twilio;

use crate::support::socket::{Running, Samples, difference};
use rusqlite::Connection;
use serde_json::Value;
use std::collections::BTreeMap;

/// An authentic request, and what becomes of each of its items.
struct Row {
    name: String,
    body: Vec<u8>,
    /// `applied`, `duplicate`, `skipped <reason>`, `quarantined <reason> <path>`, or one `malformed
    /// <reason> <path>` for a body that has no items.
    expected: Vec<String>,
}

fn row(name: impl Into<String>, body: impl Into<Vec<u8>>, expected: &[&str]) -> Row {
    let expected = expected.iter().map(|text| (*text).to_owned()).collect();
    Row { name: name.into(), body: body.into(), expected }
}

/// `object` with what is at `path` (`visitor.phone`) changed; `None` takes it away.
fn changed(object: &Value, path: &str, value: Option<Value>) -> Vec<u8> {
    let mut object = object.clone();
    let (parents, last) = path.rsplit_once('.').map_or((None, path), |(parents, last)| (Some(parents), last));
    let parent =
        parents.into_iter().flat_map(|path| path.split('.')).fold(&mut object, |at, name| &mut at[name]);
    match value {
        Some(value) => parent[last] = value,
        None => drop(parent.as_object_mut().unwrap().remove(last)),
    }
    object.to_string().into_bytes()
}

/// What became of the newest request, an item a line.
fn outcome(database: &Connection) -> Vec<String> {
    const ITEMS: &str =
        "SELECT i.result, coalesce(i.reason, ''), coalesce(q.path, ''), coalesce(q.ordinal, 0)
        FROM items i LEFT JOIN quarantine q ON q.request = i.request AND q.ordinal IN (i.ordinal, -1)
        WHERE i.request = (SELECT max(id) FROM requests) ORDER BY i.ordinal";
    let mut statement = database.prepare_cached(ITEMS).unwrap();
    let line = |row: &rusqlite::Row<'_>| {
        let [result, reason, path]: [String; 3] = [row.get(0)?, row.get(1)?, row.get(2)?];
        let result = if row.get::<_, i64>(3)? < 0 { "malformed".to_owned() } else { result };
        Ok(format!("{result} {reason} {path}").trim_end().to_owned())
    };
    statement.query_map([], line).unwrap().collect::<Result<_, _>>().unwrap()
}

/// What the metrics must have counted for these outcomes.
fn counted(provider: &str, outcome: &[String]) -> Samples {
    let acknowledged =
        format!(r#"wabridge_webhook_requests_total{{provider="{provider}",result="acknowledged"}}"#);
    let mut counts = BTreeMap::from([(acknowledged, 1.0)]);
    for line in outcome {
        let mut words = line.split(' ');
        let result = words.next().unwrap().replace("malformed", "quarantined");
        let reason = words.next().unwrap_or_default();
        let sample = format!(r#"wabridge_items_total{{result="{result}",reason="{reason}"}}"#);
        *counts.entry(sample).or_default() += 1.0;
    }
    counts.insert("wabridge_items_seen_total".to_owned(), outcome.len() as f64);
    counts
}

/// Sends every row and holds what is stored and counted against what is expected.
fn check(channel: &str, provider: &str, rows: Vec<Row>) {
    let running = Running::start();
    let database = running.database();
    let mut wrong = Vec::new();
    for Row { name, body, expected } in rows {
        let before = running.metrics();
        let answer = running.ask(&running.signed(channel, &body));
        assert_eq!((answer.status, answer.body.len()), (200, 0), "{name}");
        let books = running.settled();
        assert!(books.balance(), "{name}: {books:?}");
        let found = outcome(&database);
        if found != expected {
            wrong.push(format!("{name}\n  expected {expected:?}\n  found    {found:?}"));
        }
        let mut counts = difference(&before, &running.metrics());
        counts.retain(|name, _| name.contains("_items_") || name.contains("_webhook_requests_"));
        assert_eq!(counts, counted(provider, &found), "{name}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
