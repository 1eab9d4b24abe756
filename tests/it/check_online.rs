//! `wabridge check --online` against a HubSpot account on a socket: whatever an administrator does to the fields that
//! are mapped, it fails with a line that names it and says what to do.

use crate::support::account::{Account, FIELDS};
use serde_json::json;

const DEAL: &str =
    "[target.deal]\nwhen = [\"demo_request\"]\npipeline = \"default\"\nstage = \"appointmentscheduled\"\n";

/// Everything that is written to people by [`FIELDS`], with a type that does not fit.
const MAPPED: [(&str, &str); 14] = [
    ("phone", "bool"),
    ("email", "date"),
    ("firstname", "bool"),
    ("lastname", "datetime"),
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

/// Runs the check, which must end with 78 and one line that says all of `parts`.
pub(crate) fn fails(account: &Account, what: &str, parts: &[&str]) {
    let ended = account.run(&["check", "--online"]);
    assert_eq!(ended.code, 78, "{what}\n{}{}", ended.out, ended.err);
    let failed: Vec<&str> = ended.out.lines().filter(|line| line.starts_with("FAILED")).collect();
    assert_eq!(failed.len(), 1, "{what}\n{}", ended.out);
    for part in parts {
        assert!(failed[0].contains(part), "{what}: no '{part}' in\n{}", failed[0]);
    }
}

fn passes(account: &Account) {
    let ended = account.run(&["check", "--online"]);
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    assert!(
        ended.out.contains(
            "HubSpot answers, takes the token and shows its fields; it has every field that is mapped"
        ),
        "{}",
        ended.out
    );
    assert!(ended.out.ends_with("0 failed, 0 to look at\n"), "{}", ended.out);
}

#[test]
fn an_account_lacks_what_is_mapped_until_setup_makes_it_and_passes_after() {
    let account = Account::of(&format!("{FIELDS}{DEAL}"));
    let ours: Vec<&str> = MAPPED.iter().map(|(field, _)| *field).skip(4).chain(["wa_e164"]).collect();
    let there: Vec<&str> =
        ours.iter().copied().filter(|it| !it.ends_with("term") && !it.ends_with("content")).collect();
    account.reshape(&json!({ "remove": there }));
    account.reshape(&json!({ "remove": ["wa_deal_key"] }));
    let before = account.run(&["check", "--online"]);
    assert_eq!(before.code, 78, "{before:?}");
    for field in &ours {
        let named = |line: &&str| line.starts_with("FAILED") && line.contains(&format!("'{field}'"));
        let lines: Vec<&str> = before.out.lines().filter(named).collect();
        assert_eq!(lines.len(), 1, "{field}\n{}", before.out);
        assert!(lines[0].contains("run `wabridge target setup --apply`"), "{}", lines[0]);
    }
    assert!(before.out.contains("deal has no field 'wa_deal_key'"), "{}", before.out);
    assert!(account.methods().iter().all(|method| method == "GET"), "a check only reads");
    let made = account.run(&["target", "setup", "hubspot", "--apply"]);
    assert_eq!(made.code, 0, "{made:?}");
    passes(&account);
}

#[test]
fn each_mapped_field_that_is_removed_fails_by_its_name() {
    for (field, _) in MAPPED {
        let account = Account::set_up(FIELDS);
        passes(&account);
        account.reshape(&json!({ "remove": [field] }));
        fails(
            &account,
            field,
            &[&format!("contact has no field '{field}'"), "wabridge target setup --apply"],
        );
    }
}

#[test]
fn each_mapped_field_that_takes_something_else_fails_by_its_name() {
    for (field, kind) in MAPPED {
        let account = Account::set_up(FIELDS);
        account.reshape(&json!({ "retype": { field: kind } }));
        fails(&account, field, &[&format!("contact field '{field}' takes"), "change it in the CRM"]);
    }
}

#[test]
fn the_key_field_must_be_there_be_text_and_be_unique() {
    let account = Account::set_up(FIELDS);
    account.reshape(&json!({ "remove": ["wa_e164"] }));
    let held = "until then its people wait";
    fails(
        &account,
        "removed",
        &["contact has no field 'wa_e164', which tells people apart", "key_field", held],
    );
    for kind in ["number", "bool", "datetime"] {
        let account = Account::set_up(FIELDS);
        account.reshape(&json!({ "retype": { "wa_e164": kind } }));
        fails(&account, kind, &["contact field 'wa_e164' must take text", "key_field", held]);
    }
    // One that the account had already.
    let account = Account::of(&format!("key_field = \"city\"\n{FIELDS}"));
    account.run(&["target", "setup", "hubspot", "--apply"]);
    fails(&account, "not unique", &["contact field 'city' is not unique", "make it unique in the CRM"]);
    let account = Account::set_up(FIELDS);
    let config = std::fs::read_to_string(account.place.path("wabridge.toml")).unwrap();
    account.place.write(
        "wabridge.toml",
        &config.replace("base_url", "key_field = \"wa_e146\"\nbase_url"),
        0o600,
    );
    fails(&account, "misspelt", &["contact has no field 'wa_e146'", "did you mean 'wa_e164'?"]);
}

#[test]
fn fields_that_are_mapped_wrongly_fail_with_the_nearest_name_or_another_way_out() {
    for (mapping, parts) in [
        ("frstname = \"name.first\"", ["contact has no field 'frstname'", "did you mean 'firstname'?"]),
        (
            "hs_object_id = \"phone\"",
            ["contact field 'hs_object_id' cannot be written", "take it out of [target.fields]"],
        ),
        (
            "createdate = \"window.last_inbound_at\"",
            ["contact field 'createdate' cannot be written", "map it to another field"],
        ),
        (
            "lifecyclestage = { value = \"leed\" }",
            ["contact field 'lifecyclestage' has no option 'leed'", "did you mean 'lead'?"],
        ),
        (
            "lifecyclestage = { from = \"source\", values = { \"whatsapp:main\" = \"Hot\" } }",
            ["contact field 'lifecyclestage' has no option 'Hot'", "add it in the CRM"],
        ),
        (
            "chatbot_messages_count = \"window.last_inbound_at\"",
            ["contact field 'chatbot_messages_count' takes", "map it to a field of another type"],
        ),
    ] {
        let account = Account::of(&format!("[target.fields]\n{mapping}\n"));
        // What else the account lacks; the mapping itself no new field mends.
        account.reshape(&json!({ "remove": [] }));
        for field in ["wa_utm_term", "wa_utm_content"] {
            let body = json!({ "name": field, "label": field, "type": "string", "fieldType": "text", "groupName": "contactinformation" });
            account.post("/crm/v3/properties/contacts", &body);
        }
        fails(&account, mapping, &parts);
    }
}

#[test]
fn a_pipeline_or_stage_that_takes_no_new_deal_fails_by_its_name() {
    for (pipeline, stage, parts) in [
        ("defualt", "appointmentscheduled", ["deals have no pipeline 'defualt'", "change [target.deal]"]),
        (
            "Sales Pipeline",
            "appointmentscheduled",
            ["deals have no pipeline 'Sales Pipeline'", "did you mean 'default'?"],
        ),
        (
            "default",
            "apointmentscheduled",
            ["pipeline 'default' has no stage 'apointmentscheduled'", "did you mean 'appointmentscheduled'?"],
        ),
        (
            "default",
            "Appointment Scheduled",
            ["has no stage 'Appointment Scheduled'", "did you mean 'appointmentscheduled'?"],
        ),
        (
            "default",
            "918273640",
            ["pipeline 'default' has no stage '918273640'", "it is a stage of pipeline '918273645'"],
        ),
        (
            "918273645",
            "918273641",
            ["stage '918273641' may only be entered by some people", "name another stage"],
        ),
        ("default", "closedwon", ["stage 'closedwon' closes a deal", "name another stage"]),
    ] {
        let deal = format!(
            "[target.deal]\nwhen = [\"demo_request\"]\npipeline = \"{pipeline}\"\nstage = \"{stage}\"\n"
        );
        let account = Account::of(&format!("{FIELDS}{deal}"));
        let made = account.run(&["target", "setup", "hubspot", "--apply"]);
        assert_eq!(made.code, 78, "no new field mends it\n{made:?}");
        assert!(made.out.contains("to mend  "), "{made:?}");
        fails(&account, stage, &[parts[0], parts[1], "until then its deals wait"]);
    }
}

#[test]
fn our_field_of_deals_is_asked_for_only_where_there_are_deals() {
    let account = Account::set_up(&format!("{FIELDS}{DEAL}"));
    passes(&account);
    account.reshape(&json!({ "remove": ["wa_deal_key"] }));
    fails(&account, "the deal's key", &["deal has no field 'wa_deal_key'", "wabridge target setup --apply"]);
    let config = std::fs::read_to_string(account.place.path("wabridge.toml")).unwrap();
    account.place.write("wabridge.toml", config.split("[target.deal]").next().unwrap(), 0o600);
    passes(&account);
}

#[test]
fn a_token_that_is_wrong_missing_or_spent_exits_78_and_a_crm_that_is_gone_69() {
    let account = Account::set_up(FIELDS);
    account.place.write("token", "pat-na1-00000000-0000-4000-8000-000000000000", 0o600);
    fails(
        &account,
        "wrong",
        &["HubSpot does not accept the token of target 'hubspot'", "make one with the scopes"],
    );
    std::fs::remove_file(account.place.path("token")).unwrap();
    let ended = account.run(&["check", "--online"]);
    assert_eq!(ended.code, 78, "{ended:?}");
    assert!(ended.out.contains("target 'hubspot'"), "{ended:?}");
    let account = Account::set_up(FIELDS);
    account.control("POST", "/_set", &json!({ "token_ttl_seconds": 1 }));
    fails(
        &account,
        "spent",
        &["HubSpot does not accept the token of target 'hubspot'", "make one with the scopes"],
    );
    let account = Account::set_up(FIELDS);
    account.control("POST", "/_fate", &json!([{ "fate": "reject_500", "times": 99 }]));
    assert_eq!(account.run(&["check", "--online"]).code, 69);
    account.control("POST", "/_fate", &json!([]));
    account.control("POST", "/_fate", &json!([{ "fate": "reject_429", "times": 99 }]));
    assert_eq!(account.run(&["check", "--online"]).code, 75);
    let place = account.vanish();
    let gone = place.run(&["check", "--online"]);
    assert_eq!(gone.code, 69, "{gone:?}");
    assert!(gone.out.contains("see that this machine reaches it, or correct base_url"), "{gone:?}");
}
