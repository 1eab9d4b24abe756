//! `wabridge resync`: by the daemon that runs, or without one; after saying how many.

use crate::support::account::{Account, FIELDS};
use crate::support::client::{Client, Signer, meta_body, text};
use crate::support::process::{Process, until};
use jiff::Timestamp;
use serde_json::{Value, json};

/// The only person in the CRM.
fn person(account: &Account) -> Option<Value> {
    let ledger = account.control("GET", "/_ledger", &Value::Null);
    let persons = ledger["persons"].as_array().unwrap();
    assert!(persons.len() <= 1, "{persons:?}");
    persons.first().cloned()
}

fn told(account: &Account) -> String {
    person(account).unwrap()["fields"]["last_inbound_at"].as_str().unwrap_or_default().to_owned()
}

fn empty(account: &Account) {
    let id = &person(account).unwrap()["id"];
    let field = json!({"person_id": id, "field": "last_inbound_at", "value": ""});
    account.control("POST", "/_change", &field);
    assert_eq!(told(account), "");
}

#[test]
fn what_was_emptied_is_back_by_a_daemon_that_runs_and_by_the_next_one() {
    let account = Account::set_up(FIELDS);
    let mut process = Process::launch(&account.place, "");
    let hooks = process.ready().hooks;
    let body = meta_body(json!({"messages": [text("wamid.RESYNC", "447700900101", 1_760_000_000)]}));
    let request = Signer::meta().post("main", &body, Timestamp::UNIX_EPOCH);
    assert_eq!(Client::connect(hooks).unwrap().send(&request).unwrap().0, 200);
    until("they are in the CRM", || person(&account).filter(|_| !told(&account).is_empty()));
    let before = told(&account);
    empty(&account);

    let field = ["resync", "--target", "hubspot", "--field", "last_inbound_at"];
    let preview = account.run(&[&field[..], &["--dry-run"]].concat());
    assert!(preview.code == 0 && preview.out.starts_with("1 lead of 'hubspot' would be"), "{preview:?}");
    let done = account.run(&field);
    assert!(done.code == 0 && done.out.contains("1 lead of 'hubspot' will be looked at again"), "{done:?}");
    until("it is back", || (told(&account) == before).then_some(()));
    assert_eq!(process.stop(), Some(0));

    empty(&account);
    let done = account.run(&["resync", "--target", "hubspot"]);
    assert!(done.code == 0 && done.out.contains("1 lead of 'hubspot' will be looked at again"), "{done:?}");
    let process = Process::launch(&account.place, "");
    until("it is back", || (told(&account) == before).then_some(()));
    assert_eq!(process.stop(), Some(0));
}

#[test]
fn what_cannot_be_looked_at_again_is_refused_with_the_way_out() {
    let created = "wa_source = { from = \"source\", write = \"create_only\" }";
    let account = Account::of(&format!("{FIELDS}{created}\n"));
    for (arguments, words) in [
        (["hubspt", "ad_id"], "there is no target 'hubspt'; did you mean 'hubspot'?"),
        (["hubspot", "ad_idd"], "the field 'ad_idd' of 'hubspot' is not mapped; did you mean 'ad_id'?"),
        (["hubspot", "wa_source"], "is written when a record is created and never after"),
    ] {
        let [target, field] = arguments;
        let refused = account.run(&["resync", "--target", target, "--field", field]);
        assert!(refused.code == 65 && refused.err.contains(words), "{refused:?}");
    }
}
