//! One message that comes by several channels of one number is one event: whatever its format and its
//! proof, it has the same key.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use jiff::Timestamp;
use std::collections::BTreeSet;
use wabridge_model::event::Event;
use wabridge_model::{Country, Phone};
use wabridge_providers::{Account, Inbound, Item, Proof, Secrets, Verified, registry};

const OURS: &str = "442079460001";

fn account(account_id: &str) -> Account {
    let number = Phone::from_whatsapp_id(OURS).unwrap();
    Account {
        channel: "any".into(),
        portfolio: "default".into(),
        business_numbers: [(account_id.to_owned(), number)].into(),
        business_number: None,
        sample_ids: vec![],
        default_country: Country::INDIA,
        public_url: None,
        secrets: Secrets::default(),
    }
}

/// The only event of a body.
fn event(slug: &str, account_id: &str, body: &str) -> Event {
    let inbound = Inbound {
        query: "",
        headers: &[],
        body: body.as_bytes(),
        received_at: Timestamp::UNIX_EPOCH,
        path_token: None,
    };
    let provider = registry::find(slug).unwrap();
    let items = provider.normalise(&Verified::recall(inbound, Proof::Signed), &account(account_id)).unwrap();
    match items.into_iter().next() {
        Some(Item::Event(event)) => *event,
        other => panic!("{slug}: {other:?}"),
    }
}

const MESSAGE: &str = r#"{"from":"447700900101","id":"wamid.FIXTURE1","timestamp":"1795336200","type":"text",
    "text":{"body":"Hi"}}"#;
const METADATA: &str =
    r#""metadata":{"display_phone_number":"442079460001","phone_number_id":"100000000000001"}"#;

fn change(field: &str, lists: &str, more: &str) -> String {
    format!(
        r#"{{"object":"whatsapp_business_account",{more}"entry":[{{"id":"1","changes":[{{"field":"{field}",
            "value":{{{METADATA},{lists}}}}}]}}]}}"#
    )
}

#[test]
fn a_message_has_one_key_by_every_channel_of_its_number() {
    let live = change("messages", &format!(r#""messages":[{MESSAGE}]"#), "");
    let old = change(
        "history",
        &format!(r#""history":[{{"threads":[{{"id":"447700900101","messages":[{MESSAGE}]}}]}}]"#),
        "",
    );
    let v3 = change("messages", &format!(r#""messages":[{MESSAGE}]"#), r#""gs_app_id":"82ed52f4-0000","#);
    let flat = format!(r#"{{"messages":[{MESSAGE}]}}"#);
    let bare =
        format!(r#"{{"entry":[{{"changes":[{{"field":"messages","value":{{"messages":[{MESSAGE}]}}}}]}}]}}"#);
    let v2 = r#"{"app":"BootShop","timestamp":1795336200123,"version":2,"type":"message","payload":{
        "id":"wamid.FIXTURE1","source":"447700900101","type":"text","payload":{"text":"Hi"}}}"#;
    let number_id = "100000000000001";
    let events = [
        event("meta", number_id, &live),
        event("meta", number_id, &old),
        event("dialog360", number_id, &live),
        event("dialog360", number_id, &flat),
        event("gupshup", number_id, &v3),
        event("gupshup", "82ed52f4-0000", &v3),
        event("gupshup", "BootShop", &bare),
        event("gupshup", "BootShop", v2),
    ];
    let keys: BTreeSet<&str> = events.iter().map(|event| event.key.as_str()).collect();
    assert_eq!(keys, ["wa:+442079460001:wamid.FIXTURE1"].into());
    let people: BTreeSet<String> =
        events.iter().map(|event| event.person.phone.as_ref().unwrap().e164().to_owned()).collect();
    assert_eq!(people, ["+447700900101".to_owned()].into());
}

#[test]
fn an_echo_has_one_key_live_and_in_an_import() {
    let echo = r#"{"from":"442079460001","to":"447700900101","id":"wamid.FIXTURE2","timestamp":"1795336200",
        "type":"text","text":{"body":"Hello"}}"#;
    let live = change("smb_message_echoes", &format!(r#""message_echoes":[{echo}]"#), "");
    let old = change(
        "history",
        &format!(r#""history":[{{"threads":[{{"id":"447700900101","messages":[{echo}]}}]}}]"#),
        "",
    );
    let [live, old] = [live, old].map(|body| event("meta", "100000000000001", &body));
    assert_eq!((&live.key, &live.person), (&old.key, &old.person));
}
