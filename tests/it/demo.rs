//! `wabridge demo --exit` plays the whole story and its books balance.

use serde_json::Value;
use std::collections::BTreeSet;
use std::process::Command;

fn texts<'v>(list: &'v Value, pointer: &str) -> BTreeSet<&'v str> {
    list.as_array().unwrap().iter().filter_map(|item| item.pointer(pointer)?.as_str()).collect()
}

#[test]
fn the_demo_balances_and_shows_leads_of_every_source_with_different_verdicts_and_their_ads() {
    let output =
        Command::new(env!("CARGO_BIN_EXE_wabridge")).args(["demo", "--exit", "--json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(shown["balanced"], true);
    assert_eq!(shown["leads"].as_array().unwrap().len(), 9);
    let sources = texts(&shown["leads"], "/source");
    assert_eq!(sources, BTreeSet::from(["chatbot:website", "whatsapp:meta", "whatsapp:twilio"]));
    let reasons = texts(&shown["verdicts"], "/reason");
    let expected = [
        "customer_called",
        "customer_wrote",
        "never_wrote",
        "number_changed",
        "provider_refused",
        "window_closed",
    ];
    assert_eq!(reasons, BTreeSet::from(expected));
    assert_eq!(texts(&shown["verdicts"], "/templates"), BTreeSet::from(["any", "utility_only"]));
    let ads = texts(&shown["touches"], "/ad_id");
    assert_eq!(ads, BTreeSet::from(["120210000000001", "120210000000002", "120210000000003"]));
    assert_eq!(texts(&shown["touches"], "/provider"), BTreeSet::from(["meta", "twilio"]));
    // Each request came twice: as many duplicates as changes, but for those that name nobody or nothing.
    let items = &shown["items"];
    assert_eq!(items["applied"], items["duplicate"]);
    assert_eq!(shown["requests"]["waiting"], 0);
}

#[test]
fn the_demo_for_people_says_that_the_books_balance() {
    let output = Command::new(env!("CARGO_BIN_EXE_wabridge")).args(["demo", "--exit"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("1 forged one refused"), "{text}");
    assert!(text.contains("The books balance"), "{text}");
}
