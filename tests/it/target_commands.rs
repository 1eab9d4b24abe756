//! `wabridge target`: fields that are listed, then made; people who are in the CRM twice; a pause that holds.

use crate::delivery::world::by_number;
use crate::outbox::bench::message;
use crate::projection::{open, project};
use crate::support::account::{Account, FIELDS};
use crate::support::process::{Process, until};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;
use wabridge::config::Config;
use wabridge::routing::Routes;
use wabridge::store::Outbox;

/// Somebody wrote; no daemon runs.
fn somebody_writes(account: &Account) {
    let config = Config::load(account.place.path("wabridge.toml")).unwrap();
    let store = open(&account.place.path("wabridge.db"));
    store.route_by(Arc::new(Routes::new(&config)));
    project(&store, &[message(by_number(1), "m1", Timestamp::from_second(1_760_000_000).unwrap())]);
}

fn persons(account: &Account) -> usize {
    account.control("GET", "/_ledger", &Value::Null)["persons"].as_array().unwrap().len()
}

#[test]
fn setup_lists_what_is_missing_and_makes_it_only_when_told_to() {
    let account = Account::of(FIELDS);
    account.reshape(&json!({ "remove": ["wa_e164", "ctwa_clid", "last_inbound_at"] }));
    let listed = account.run(&["target", "setup", "hubspot"]);
    assert_eq!(listed.code, 0, "{listed:?}");
    for line in [
        "HubSpot lacks:",
        "  contact field wa_e164 (text, unique): WhatsApp number, E.164",
        "  contact field ctwa_clid (text): ",
        "  contact field last_inbound_at (an instant): ",
        "  contact field wa_utm_term (text): ",
        "Nothing was changed; add --apply to create them.",
    ] {
        assert!(listed.out.contains(line), "no '{line}' in\n{}", listed.out);
    }
    assert!(account.methods().iter().all(|method| method == "GET"), "listing only reads");
    let made = account.run(&["target", "setup", "hubspot", "--apply"]);
    assert_eq!(made.code, 0, "{made:?}");
    assert_eq!(
        made.out.lines().filter(|line| line.starts_with("created  contact field ")).count(),
        5,
        "{made:?}"
    );
    let again = account.run(&["target", "setup", "hubspot", "--apply"]);
    assert_eq!((again.code, again.out.as_str()), (0, "HubSpot has every field that 'hubspot' needs.\n"));
    assert!(!account.place.path("wabridge.db").exists(), "it needs no store and makes none");
}

#[test]
fn setup_says_which_field_could_not_be_made_and_makes_the_others() {
    let account = Account::of(&format!("{FIELDS}\"Ad name\" = \"attribution.first.ad_id\"\n"));
    let tried = account.run(&["target", "setup", "hubspot", "--apply"]);
    assert_eq!(tried.code, 78, "{tried:?}");
    let with = |word: &str| tried.out.lines().filter(|line| line.starts_with(word)).collect::<Vec<_>>();
    assert!(with("FAILED   ")[0].contains("contact field Ad name (text)"), "{tried:?}");
    assert_eq!((with("FAILED   ").len(), with("created  ").len()), (1, 2), "{tried:?}");
}

#[test]
fn setup_of_a_crm_that_fails_or_refuses_the_token_can_be_repeated() {
    let account = Account::of(FIELDS);
    let fate = json!([{ "method": "POST", "path": "/crm/properties/", "fate": "reject_500", "times": 9 }]);
    account.control("POST", "/_fate", &fate);
    let tried = account.run(&["target", "setup", "hubspot", "--apply"]);
    assert_eq!(tried.code, 69, "{tried:?}");
    assert!(tried.out.lines().all(|line| line.starts_with("FAILED   ")), "{tried:?}");
    account.control("POST", "/_fate", &json!([]));
    assert_eq!(account.run(&["target", "setup", "hubspot", "--apply"]).code, 0);
    account.place.write("token", "pat-na1-00000000-0000-4000-8000-000000000000", 0o600);
    let refused = account.run(&["target", "setup", "hubspot", "--apply"]);
    assert!(refused.code == 78 && refused.err.contains("does not accept the token"), "{refused:?}");
}

#[test]
fn a_census_finds_people_who_share_a_number_in_other_spellings_and_writes_nothing() {
    let account = Account::set_up(FIELDS);
    let phones = ["+919800000001", "098000 00001", "+91 98000 00002", "call me", ""];
    for (n, phone) in phones.iter().enumerate() {
        let properties = json!({ "phone": phone, "lastname": format!("Person {n}") });
        account.post("/crm/v3/objects/contacts", &json!({ "properties": properties }));
    }
    let before = account.control("GET", "/_ledger", &Value::Null)["persons"].clone();
    let told = account.run(&["target", "census", "hubspot"]);
    assert_eq!(told.code, 0, "{told:?}");
    let last = "5 people: 1 group shares a number; 1 without a number; numbers that cannot be read: 1.";
    assert!(told.out.contains(last), "{told:?}");
    assert_eq!(told.out.lines().filter(|line| line.starts_with("  contact ")).count(), 2, "{told:?}");
    assert!(told.out.contains("https://"), "where to open them\n{told:?}");
    assert!(!told.out.contains("9800000001"), "a whole number is told\n{told:?}");
    let json: Value =
        serde_json::from_str(&account.run(&["target", "census", "hubspot", "--json"]).out).unwrap();
    assert_eq!(
        (&json["people"], &json["groups"][0]["phones"]),
        (&json!(5), &json!(["+919800000001"])),
        "{json}"
    );
    assert_eq!(json["groups"][0]["records"].as_array().unwrap().len(), 2, "{json}");
    assert_eq!(account.control("GET", "/_ledger", &Value::Null)["persons"], before);
}

#[test]
fn a_pause_without_a_daemon_is_kept_shown_and_lifted() {
    let account = Account::set_up(FIELDS);
    let early = account.run(&["target", "pause", "hubspot"]);
    assert!(early.code == 69 && early.err.contains("there is no store at"), "{early:?}");
    somebody_writes(&account);
    let paused = account.run(&["target", "pause", "hubspot", "--reason", "migration until Monday"]);
    assert_eq!(paused.code, 0, "{paused:?}");
    let listed = account.run(&["target", "list"]);
    assert_eq!(listed.code, 0, "{listed:?}");
    for part in [
        "hubspot\n  CRM       HubSpot, new people as contact\n",
        "mode      paused (operator: migration until Monday); `wabridge target resume hubspot` lets it go on",
        "schema    not read yet; `wabridge check --online` reads it",
        " pending",
        "oldest    ",
    ] {
        assert!(listed.out.contains(part), "no '{part}' in\n{}", listed.out);
    }
    let mut process = Process::launch(&account.place, "");
    process.ready();
    assert!(
        account.run(&["target", "list"]).out.contains("migration until Monday"),
        "a start does not lift it"
    );
    assert_eq!(process.stop(), Some(0));
    assert_eq!(persons(&account), 0, "nothing was written");
    let resumed = account.run(&["target", "resume", "hubspot"]);
    assert_eq!((resumed.code, resumed.out.as_str()), (0, "'hubspot' goes on.\n"));
    assert!(account.run(&["target", "list"]).out.contains("mode      live"));
}

#[test]
fn a_daemon_that_runs_is_paused_and_goes_on_when_it_is_told_to() {
    let account = Account::set_up(FIELDS);
    somebody_writes(&account);
    assert_eq!(account.run(&["target", "pause", "hubspot"]).code, 0);
    let mut process = Process::launch(&account.place, "");
    process.ready();
    let resumed = account.run(&["target", "resume", "hubspot"]);
    assert_eq!(resumed.code, 0, "{resumed:?}");
    until("the lead is written", || (persons(&account) == 1).then_some(()));
    let listed = until("the schema is listed", || {
        let listed = account.run(&["target", "list"]).out;
        listed.contains("it has all that is needed").then_some(listed)
    });
    assert!(listed.contains("mode      live"), "{listed}");
    assert_eq!(account.run(&["target", "pause", "hubspot"]).code, 0);
    assert!(account.run(&["target", "list"]).out.contains("mode      paused (operator);"));
    assert!(process.said().contains("paused or goes on by hand"), "the daemon did it\n{}", process.said());
    assert_eq!(process.stop(), Some(0));
    assert!(account.run(&["target", "list"]).out.contains("mode      paused (operator);"));
}

#[test]
fn a_shadow_report_shows_what_would_be_written_masked_and_nothing_is() {
    let account = Account::set_up(&format!("mode = \"shadow\"\n{FIELDS}"));
    somebody_writes(&account);
    let empty = account.run(&["target", "shadow-report", "hubspot"]);
    assert!(empty.code == 0 && empty.out.starts_with("Nothing is recorded for 'hubspot'"), "{empty:?}");
    let mut process = Process::launch(&account.place, "");
    process.ready();
    let report = || account.run(&["target", "shadow-report", "hubspot"]).out;
    let told = until("it is worked out", || Some(report()).filter(|told| told.contains("would be created")));
    assert!(told.contains("people         1 would be created, 0 updated, 0 are as they should be"), "{told}");
    assert!(told.contains("People were found by\n        1  created"), "{told}");
    assert!(!told.contains("9800000001"), "a whole number is told\n{told}");
    assert!(
        account.run(&["target", "list"]).out.contains("mode      mode = \"shadow\" in the configuration")
    );
    let json = account.run(&["target", "shadow-report", "hubspot", "--json"]);
    let json: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(json["operations"]["person"]["create"], 1, "{json}");
    let table = account.run(&["target", "shadow-report", "hubspot", "--csv"]).out;
    assert!(table.lines().any(|line| line.contains("firstname")), "{table}");
    assert_eq!(process.stop(), Some(0));
    assert_eq!(persons(&account), 0);
}

#[test]
fn a_target_that_does_not_exist_exits_65_with_the_nearest_name() {
    let account = Account::of(FIELDS);
    for command in ["pause", "resume", "setup", "census", "shadow-report", "fields"] {
        let near = account.run(&["target", command, "hubsport"]);
        assert_eq!(near.code, 65, "{command}: {near:?}");
        assert!(
            near.err.contains("there is no target 'hubsport'; did you mean 'hubspot'?"),
            "{command}: {near:?}"
        );
        let far = account.run(&["target", command, "zoho"]);
        assert!(
            far.code == 65 && far.err.contains("there is no target 'zoho'; there are hubspot"),
            "{far:?}"
        );
    }
    assert!(account.methods().is_empty(), "nobody was asked");
}

#[test]
fn a_forecast_says_whether_leads_fit_and_if_not_from_when_on_nothing_is_left() {
    let account = Account::of(&format!("{FIELDS}[target.quota]\ndaily = 10_000\n"));
    somebody_writes(&account);
    let fits = account.run(&["forecast", "--leads", "100/h"]);
    assert_eq!(fits.code, 0, "{fits:?}");
    for line in [
        "  daily    9600 of 10000 calls within 24 h, 96 %: 4.0 each, for a lead alone; 0 used now\n",
        "           fits; what can wait will have to\n",
        "  search   1 of 5 searches within 1 s, 20 %: 1.0 each, for a lead alone; 0 used now\n",
    ] {
        assert!(fits.out.contains(line), "no '{line}' in\n{}", fits.out);
    }
    let over = account.run(&["forecast", "--leads", "10000/d", "--target", "hubspot", "--json"]);
    assert_eq!(over.code, 1, "{over:?}");
    let said: Value = serde_json::from_str(&over.out).unwrap();
    let daily = &said["items"][0]["limits"][0];
    assert_eq!(
        (&said["fits"], &daily["fits"], &daily["expected"]),
        (&json!(false), &json!(false), &json!(40_000))
    );
    assert!(daily["runs_out_at"].as_str().is_some_and(|at| at.ends_with('Z')), "{said}");
    let listed = account.run(&["target", "list"]);
    assert!(listed.out.contains("  quota     0 of 10000 calls within 24 h, 0 %\n"), "{}", listed.out);
    assert_eq!(account.run(&["forecast", "--leads", "1/h", "--target", "hubspott"]).code, 65);
    assert_eq!(account.run(&["forecast", "--leads", "many"]).code, 64);
}
