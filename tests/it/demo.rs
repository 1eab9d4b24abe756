//! `wabridge demo --exit` plays the whole story, told by every provider, and its books balance.

use serde_json::Value;
use std::collections::BTreeSet;
use std::process::Command;
use wabridge_providers::registry::PROVIDERS;

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
    assert_eq!(shown["leads"].as_array().unwrap().len(), 14);
    let sources = texts(&shown["leads"], "/source");
    let expected: BTreeSet<String> = PROVIDERS
        .iter()
        .map(|provider| match provider.about().slug {
            "chatbot" => "chatbot:website".to_owned(),
            slug => format!("whatsapp:{slug}"),
        })
        .collect();
    assert_eq!(sources, expected.iter().map(String::as_str).collect());
    let reasons = texts(&shown["verdicts"], "/reason");
    let expected = [
        "customer_called",
        "customer_wrote",
        "never_wrote",
        "number_changed",
        "opted_out",
        "provider_refused",
        "window_closed",
    ];
    assert_eq!(reasons, BTreeSet::from(expected));
    assert_eq!(texts(&shown["verdicts"], "/templates"), BTreeSet::from(["any", "none", "utility_only"]));
    let ads = texts(&shown["touches"], "/ad_id");
    let expected: BTreeSet<String> = (1..=5).map(|number| format!("12021000000000{number}")).collect();
    assert_eq!(ads, expected.iter().map(String::as_str).collect());
    let providers = BTreeSet::from(["dialog360", "meta", "twilio", "wati"]);
    assert_eq!(texts(&shown["touches"], "/provider"), providers);
    let causes = BTreeSet::from([
        "provider_reports_nothing",
        "provider_strips_click_id",
        "provider_version",
        "status_placement",
    ]);
    assert_eq!(texts(&shown["leads"], "/attribution/cause"), causes);
    // Each request came twice: as many duplicates as changes, but for those that name nobody or nothing.
    let items = &shown["items"];
    assert_eq!(items["applied"], items["duplicate"]);
    assert_eq!(shown["requests"]["waiting"], 0);
    // Every lead is in the CRM once, although two of its answers were lost and two were refusals.
    assert_eq!(shown["crm"]["persons"], 14);
    assert_eq!(shown["jobs"]["dead"], 0);
    assert!(shown["crm"]["activities"].as_u64().unwrap() >= 13, "{}", shown["crm"]);
}

#[test]
fn the_demo_for_people_says_that_the_books_balance() {
    let output = Command::new(env!("CARGO_BIN_EXE_wabridge")).args(["demo", "--exit"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains(&format!("{} forged ones refused", PROVIDERS.len())), "{text}");
    assert!(text.contains("The books balance"), "{text}");
}
