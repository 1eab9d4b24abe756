//! What each provider passes on: held to its fixtures, and shown in the README as the registry has it.
//!
//! `WABRIDGE_UPDATE_GOLDEN=1` writes the README's table anew. That a cell is also true of a whole story, is for
//! `tests/it/golden.rs` of the daemon.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use serde_json::Value;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use wabridge_providers::registry::PROVIDERS;
use wabridge_providers::signature::Scheme;
use wabridge_providers::{About, Passed, Passes};

const BEGIN: &str = "<!-- capabilities: written by WABRIDGE_UPDATE_GOLDEN=1 cargo test -p wabridge-providers --test capabilities -->\n";
const END: &str = "<!-- /capabilities -->\n";

/// One column: its head, its cell, and what in an event (of such an account) shows that it is passed on.
struct Column {
    head: &'static str,
    cell: fn(&Passes) -> Passed,
    shows: fn(&Value, &Value) -> bool,
}

const COLUMNS: [Column; 11] = [
    Column { head: "phone", cell: |it| it.phone, shows: |event, _| is_there(event, "/person/phone") },
    Column {
        head: "user id (BSUID)",
        cell: |it| it.bsuid,
        shows: |event, _| is_there(event, "/person/bsuid"),
    },
    Column { head: "name", cell: |it| it.name, shows: |event, _| is_there(event, "/person/name") },
    // Who reports WhatsApp's own id of a message shares its key with whoever else does.
    Column {
        head: "WhatsApp message id",
        cell: |it| it.wamid,
        shows: |event, _| begins(event, "/key", "wa:"),
    },
    Column { head: "ad", cell: |it| it.ad, shows: |event, _| shows_ad(event) },
    Column {
        head: "click id",
        cell: |it| it.click_id,
        shows: |event, _| is_there(event, "/fact/referral/present/ctwa_clid"),
    },
    Column { head: "echoes", cell: |it| it.echoes, shows: |event, _| is(event, "/fact/type", "echo") },
    Column { head: "statuses", cell: |it| it.statuses, shows: |event, _| is(event, "/fact/type", "status") },
    Column { head: "opt-outs", cell: |it| it.opt_outs, shows: |event, _| shows_opt_out(event) },
    Column { head: "time", cell: |it| it.time, shows: |event, _| is_there(event, "/occurred_at") },
    Column { head: "business number", cell: |it| it.business_number, shows: shows_number },
];

fn is_there(event: &Value, place: &str) -> bool {
    event.pointer(place).is_some_and(|value| !value.is_null())
}

fn is(event: &Value, place: &str, text: &str) -> bool {
    event.pointer(place).and_then(Value::as_str) == Some(text)
}

fn begins(event: &Value, place: &str, with: &str) -> bool {
    event.pointer(place).and_then(Value::as_str).is_some_and(|text| text.starts_with(with))
}

fn shows_ad(event: &Value) -> bool {
    let utm = |name: &str| is_there(event, &format!("/fact/context/utm_{name}"));
    is_there(event, "/fact/referral/present") || utm("source") || utm("campaign")
}

fn shows_opt_out(event: &Value) -> bool {
    let is_preference = is(event, "/fact/type", "preference") && is(event, "/fact/choice", "stop");
    is_preference || is(event, "/fact/event_type", "consent.withdrawn")
}

/// The request names the number, or an id of it: it is not the channel's only one.
fn shows_number(event: &Value, account: &Value) -> bool {
    let is_configured = is_there(account, "/business_number");
    !is_configured && is_there(event, "/business/account_id") && is_there(event, "/business/number")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The events of all cases of a provider, each with its case's name and account.
fn events(slug: &str) -> Vec<(String, Value, Value)> {
    let read = |path: PathBuf| -> Value { serde_json::from_slice(&fs::read(path).unwrap()).unwrap() };
    let mut found = Vec::new();
    for case in fs::read_dir(root().join("fixtures/providers").join(slug)).unwrap() {
        let case = case.unwrap();
        let account = read(case.path().join("case.json"))["account"].take();
        let Value::Array(items) = read(case.path().join("expected.json")) else { continue };
        let events = items.into_iter().filter_map(|mut item| item.get_mut("event").map(Value::take));
        let name = case.file_name().to_string_lossy().into_owned();
        found.extend(events.map(|event| (name.clone(), event, account.clone())));
    }
    found
}

#[test]
fn what_a_provider_passes_on_is_seen_in_its_fixtures_and_what_it_does_not_is_not() {
    let mut wrong = Vec::new();
    for about in PROVIDERS.iter().map(|provider| provider.about()) {
        let events = events(about.slug);
        for Column { head, cell, shows } in &COLUMNS {
            let seen = events.iter().find(|(_, event, account)| shows(event, account)).map(|(case, ..)| case);
            match (cell(&about.passes), seen) {
                (Passed::No, Some(case)) => {
                    wrong.push(format!("{}: '{head}' is No, and is passed on in {case}", about.slug));
                }
                (Passed::Yes | Passed::If(_), None) => {
                    wrong.push(format!("{}: '{head}' is passed on in no case", about.slug));
                }
                _ => {}
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What proves a request, in a few words.
fn proof(about: &About) -> String {
    let signature = about.proof_headers.iter().find(|name| name.contains("signature"));
    match (about.scheme, signature) {
        (Scheme::SharedSecret, _) | (_, None) => "secret URL or header".to_owned(),
        (scheme, Some(name)) if scheme.takes_shared_secret() => format!("`{name}`, or a secret header"),
        (_, Some(name)) => format!("`{name}`"),
    }
}

/// The table, and under it the conditions that its cells name by number.
fn table() -> String {
    let heads: Vec<&str> = COLUMNS.iter().map(|column| column.head).collect();
    let mut table = format!("| provider | {} | proof | sends again |\n", heads.join(" | "));
    writeln!(table, "|{}", " --- |".repeat(heads.len() + 3)).unwrap();
    let mut conditions: Vec<&str> = Vec::new();
    for about in PROVIDERS.iter().map(|provider| provider.about()) {
        let mut cells = vec![format!("{} (`{}`)", about.name, about.slug)];
        cells.extend(COLUMNS.iter().map(|column| match (column.cell)(&about.passes) {
            Passed::Yes => "yes".to_owned(),
            Passed::No => "no".to_owned(),
            Passed::If(condition) => {
                let known = conditions.iter().position(|known| *known == condition);
                let number = known.unwrap_or_else(|| {
                    conditions.push(condition);
                    conditions.len() - 1
                });
                format!("if ({})", number + 1)
            }
        }));
        cells.extend([proof(about), if about.retries { "yes" } else { "no" }.to_owned()]);
        writeln!(table, "| {} |", cells.join(" | ")).unwrap();
    }
    table.push('\n');
    for (number, condition) in (1..).zip(conditions) {
        writeln!(table, "{number}. {condition}").unwrap();
    }
    table
}

#[test]
fn the_readme_shows_what_the_registry_says() {
    let path = root().join("README.md");
    let readme = fs::read_to_string(&path).unwrap();
    let (before, rest) = readme.split_once(BEGIN).expect("the mark before the table");
    let (shown, after) = rest.split_once(END).expect("the mark after the table");
    let table = table();
    if std::env::var_os("WABRIDGE_UPDATE_GOLDEN").is_some() {
        fs::write(&path, format!("{before}{BEGIN}{table}{END}{after}")).unwrap();
        return;
    }
    assert!(
        shown == table,
        "the table in README.md is not what the providers say; write it anew with \
         WABRIDGE_UPDATE_GOLDEN=1 cargo test -p wabridge-providers --test capabilities"
    );
}
