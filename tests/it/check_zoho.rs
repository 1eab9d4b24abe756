//! `wabridge check --online` against a Zoho CRM account on a socket: whatever an administrator does to the fields that
//! are mapped, it fails with a line that names it and says what to do.

use crate::check_online::fails;
use crate::support::account::{Account, FIELDS};
use serde_json::json;

const DEAL: &str = "person = \"contact\"\n[target.deal]\nwhen = [\"demo_request\"]\n";

/// Everything that is written to people by [`FIELDS`], with a type that does not fit.
const MAPPED: [(&str, &str); 14] = [
    ("Phone", "bool"),
    ("Email", "date"),
    ("First_Name", "bool"),
    ("Last_Name", "datetime"),
    ("wa_source", "bool"),
    ("first_conversation_url", "bool"),
    ("wa_utm_source", "date"),
    ("wa_utm_medium", "datetime"),
    ("wa_utm_campaign", "bool"),
    ("wa_utm_term", "date"),
    ("wa_utm_content", "bool"),
    ("ctwa_clid", "bool"),
    ("ad_id", "bool"),
    ("last_inbound_at", "bool"),
];

fn passes(account: &Account) {
    let ended = account.run(&["check", "--online"]);
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    let well = "Zoho CRM answers, takes the token and shows its fields; it has every field that is mapped";
    assert!(ended.out.contains(well), "{}", ended.out);
}

fn set_up() -> Account {
    let account = Account::set_up_at("zoho", FIELDS);
    passes(&account);
    account
}

#[test]
fn a_field_of_leads_that_is_removed_or_retyped_fails_by_its_name() {
    for (field, kind) in MAPPED {
        let account = set_up();
        account.reshape(&json!({ "retype": { field: kind } }));
        fails(&account, field, &[&format!("lead field '{field}' takes"), "change it in the CRM"]);
        account.reshape(&json!({ "remove": [field] }));
        fails(&account, field, &[&format!("lead has no field '{field}'"), "wabridge target setup --apply"]);
    }
}

#[test]
fn the_key_field_must_be_there_be_text_and_be_unique() {
    let held = "until then its people wait";
    for kind in ["number", "bool", "date", "datetime"] {
        let account = set_up();
        account.reshape(&json!({ "retype": { "wa_e164": kind } }));
        fails(&account, kind, &["lead field 'wa_e164' must take text", "key_field", held]);
    }
    let account = set_up();
    account.reshape(&json!({ "remove": ["wa_e164"] }));
    fails(&account, "removed", &["lead has no field 'wa_e164', which tells people apart", held]);
    let account = Account::at("zoho", &format!("key_field = \"City\"\n{FIELDS}"));
    account.run(&["target", "setup", "zoho", "--apply"]);
    fails(&account, "not unique", &["lead field 'City' is not unique", "make it unique in the CRM"]);
}

#[test]
fn what_a_layout_requires_and_nothing_fills_fails_by_its_name() {
    let account = set_up();
    account.reshape(&json!({ "require": ["City"] }));
    fails(&account, "required", &["'City'"]);
}

#[test]
fn fields_that_are_mapped_wrongly_fail_with_the_nearest_name_or_another_way_out() {
    for (mapping, parts) in [
        ("Frst_Name = \"name.first\"", ["lead has no field 'Frst_Name'", "did you mean 'First_Name'?"]),
        ("Created_Time = \"window.last_inbound_at\"", ["'Created_Time' cannot be written", "another field"]),
        (
            "Lead_Source = { value = \"Adds\" }",
            ["lead field 'Lead_Source' has no option 'Adds'", "in the CRM"],
        ),
    ] {
        // What else the account lacks is made; the mapping itself no new field mends.
        let account = Account::set_up_at("zoho", "");
        let config = std::fs::read_to_string(account.place.path("wabridge.toml")).unwrap();
        account.place.write("wabridge.toml", &format!("{config}[target.fields]\n{mapping}\n"), 0o600);
        fails(&account, mapping, &parts);
    }
}

#[test]
fn a_pipeline_or_stage_that_takes_no_new_deal_fails_by_its_name() {
    let (standard, partners) = ("Standard (Standard)", "Partners (Standard)");
    for (pipeline, stage, parts) in [
        ("Standart (Standard)", "Qualification", ["no pipeline 'Standart (Standard)'", "did you mean"]),
        (standard, "Qualificaton", ["has no stage 'Qualificaton'", "did you mean 'Qualification'?"]),
        (
            standard,
            "Introduced",
            ["has no stage 'Introduced'", "it is a stage of pipeline 'Partners (Standard)'"],
        ),
        (standard, "Proposal Sent", ["has no stage 'Proposal Sent'", "did you mean 'Proposal/Price Quote'?"]),
        (standard, "Closed Won", ["stage 'Closed Won' closes a deal", "name another stage"]),
        (partners, "Signed", ["stage 'Signed' closes a deal", "name another stage"]),
    ] {
        let deal = format!("{DEAL}pipeline = \"{pipeline}\"\nstage = \"{stage}\"\n");
        let account = Account::at("zoho", &deal);
        assert_eq!(account.run(&["target", "setup", "zoho", "--apply"]).code, 78, "no new field mends it");
        fails(&account, stage, &[parts[0], parts[1], "until then its deals wait"]);
    }
    let deal = format!("{DEAL}pipeline = \"{standard}\"\nstage = \"Qualification\"\n");
    let account = Account::set_up_at("zoho", &deal);
    passes(&account);
    account.reshape(&json!({ "remove": ["wa_deal_key"] }));
    fails(&account, "the deal's key", &["deal has no field 'wa_deal_key'", "wabridge target setup --apply"]);
}

#[test]
fn deals_of_leads_are_refused_before_anything_is_called() {
    let deal = "[target.deal]\nwhen = [\"demo_request\"]\npipeline = \"Standard (Standard)\"\nstage = \"Qualification\"\n";
    let ended = Account::at("zoho", deal).run(&["check"]);
    assert_eq!(ended.code, 78, "{ended:?}");
    assert!(format!("{}{}", ended.out, ended.err).contains("person = \"contact\""), "{ended:?}");
}

#[test]
fn a_token_that_is_wrong_exits_78() {
    let account = set_up();
    account.place.write("token", "1000.0.0", 0o600);
    fails(&account, "wrong", &["Zoho CRM does not accept the token of target 'zoho'"]);
}
