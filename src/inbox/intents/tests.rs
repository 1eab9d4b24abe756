//! What messages say, by the words that are built in and by those that are configured.

use super::*;
use std::path::Path;

fn rules(text: &str) -> Rules {
    Rules::new(&crate::config::Config::parse(text, "test.toml").expect("a configuration").intents)
}

/// Each line: the labels that are expected, or `-`; a tab; the message.
#[test]
fn two_hundred_messages_in_three_scripts_say_what_is_expected() {
    let rules = rules(
        "[intents]\ncompetitors = [\"Acme\", \"एक्मे\"]\nbulk_order = [\"wholesale\", \"थोक\", \"thok\"]",
    );
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/intents/messages.tsv");
    let table = std::fs::read_to_string(path).unwrap();
    let mut wrong = Vec::new();
    let mut count = 0;
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let (expected, text) = line.split_once('\t').unwrap_or_else(|| panic!("{line}"));
        let found = rules.find(text).unwrap_or_default().labels.join(",");
        let found = if found.is_empty() { "-" } else { &found };
        count += 1;
        if found != expected {
            wrong.push(format!("{text}: expected {expected}, found {found}"));
        }
    }
    assert_eq!(count, 200);
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn competitors_are_told_as_configured_and_built_in_words_may_be_switched_off() {
    let rules = rules("[intents]\nbuilt_in_words = false\ncompetitors = [\"Acme\"]\npricing = [\"tariff\"]");
    let found = rules.find("is it like ACME? your TARIFF please, the price").unwrap();
    assert_eq!(found.competitors, ["Acme"]);
    assert_eq!(found.labels, [COMPETITOR, "pricing"]);
    assert_eq!(rules.find("price"), None);
    assert_eq!(rules.find(&"x ".repeat(40_000)), None);
}

#[test]
fn every_label_that_is_configured_has_built_in_words() {
    let labels: Vec<&str> = words::LABELS.iter().map(|(label, _)| *label).collect();
    assert_eq!(labels, crate::config::INTENTS);
}

#[test]
fn a_slip_in_a_label_is_an_error() {
    for (text, hint) in [
        ("[intents]\npricng = [\"x\"]", "did you mean 'pricing'"),
        ("[intents]\n\"My Label\" = [\"x\"]", "a-z, 0-9 and _"),
        ("[intents]\npricing = [\"!\"]", "without letters"),
        ("[intents]\nbulk_order = \"x\"", "unknown key 'bulk_order'"),
        ("[intents]\npricing = \"x\"", "a list of texts"),
    ] {
        let error = crate::config::Config::parse(text, "test.toml").unwrap_err().to_string();
        assert!(error.contains(hint), "{error}");
    }
}
