//! Fates, the ledger, and that equal runs are equal.

use crate::support::{CONTACTS, Desk};
use serde_json::{Value, json};
use std::time::Duration;
use wabridge_simulators::Reply;

fn create(desk: &Desk) -> Reply {
    desk.reply("POST", CONTACTS, br#"{"properties": {"lastname": "A"}}"#.to_vec())
}

#[test]
fn each_fate_befalls_as_often_as_it_says_and_applies_what_it_says() {
    let answered = |reply: &Reply| match reply {
        Reply::Answer(response, _) => response.status,
        Reply::Cut | Reply::Hang => 0,
    };
    let table = [
        ("reject_500", 500, false),
        ("reject_429", 429, false),
        ("apply_then_cut", 0, true),
        ("apply_then_500", 500, true),
        ("slow", 201, true),
        ("hang", 0, false),
        ("garbage", 200, false),
    ];
    for (fate, status, applied) in table {
        let desk = Desk::new();
        desk.tell(
            "/_fate",
            json!([{"method": "POST", "path": "contacts", "fate": fate, "times": 2, "retry_after": 7}]),
        );
        assert_eq!(desk.get(CONTACTS).status, 200, "{fate}: of another method");
        for _ in 0..2 {
            let reply = create(&desk);
            assert_eq!(answered(&reply), status, "{fate}");
            match (fate, &reply) {
                ("apply_then_cut", reply) => assert_eq!(*reply, Reply::Cut),
                ("hang", reply) => assert_eq!(*reply, Reply::Hang),
                ("slow", Reply::Answer(_, late)) => assert_eq!(*late, Duration::from_secs(7)),
                ("reject_429", Reply::Answer(response, _)) => {
                    assert!(response.headers.contains(&("retry-after".to_owned(), "7".to_owned())));
                }
                ("garbage", Reply::Answer(response, _)) => {
                    assert!(serde_json::from_slice::<Value>(&response.body).is_err());
                }
                _ => {}
            }
        }
        assert_eq!(answered(&create(&desk)), 201, "{fate} is over");
        let ledger = desk.ledger();
        let persons = ledger["persons"].as_array().unwrap().len();
        assert_eq!(persons, if applied { 3 } else { 1 }, "{fate}");
        let statuses: Vec<u64> =
            ledger["calls"].as_array().unwrap().iter().map(|call| call["status"].as_u64().unwrap()).collect();
        assert_eq!(statuses, [200, status.into(), status.into(), 201], "{fate}");
    }
}

#[test]
fn fates_queue_up_and_an_empty_list_clears_them() {
    let desk = Desk::new();
    desk.tell("/_fate", json!([{"fate": "reject_500"}, {"fate": "reject_429"}]));
    desk.tell("/_fate", json!([{"fate": "reject_500", "times": 9}]));
    assert_eq!(
        [desk.get(CONTACTS).status, desk.get(CONTACTS).status, desk.get(CONTACTS).status],
        [500, 429, 500]
    );
    desk.tell("/_fate", json!([]));
    assert_eq!(desk.get(CONTACTS).status, 200);
}

#[test]
fn the_ledger_tells_what_is_there_and_every_call() {
    let desk = Desk::new();
    let id = desk.contact(json!({"lastname": "A", "phone": "+919800000001", "email": "a@example.com"}));
    let inputs = json!({"inputs": [{"id": id, "properties": {"city": "Pune"}}]});
    desk.post(&format!("{CONTACTS}/batch/update?x=1"), inputs);
    let ledger = desk.ledger();
    let person = &ledger["persons"][0];
    assert_eq!(
        [&person["id"], &person["kind"], &person["phone"], &person["email"], &person["fields"]["city"]],
        [&json!(id), &json!("contact"), &json!("+919800000001"), &json!("a@example.com"), &json!("Pune")]
    );
    let calls = json!([
        {"method": "POST", "path": CONTACTS, "status": 201, "records": 1, "at": "2026-11-23T08:00:00Z"},
        {"method": "POST", "path": format!("{CONTACTS}/batch/update?x=1"), "status": 200, "records": 1,
         "at": "2026-11-23T08:00:00Z"},
    ]);
    assert_eq!(ledger["calls"], calls, "looking at the ledger is no call");
}

#[test]
fn a_slip_in_a_control_request_is_an_error() {
    let desk = Desk::new();
    for (route, body) in [
        ("/_set", json!({"search_lag": 5})),
        ("/_set", json!({"search_lag_seconds": -1})),
        ("/_fate", json!([{"fate": "explode"}])),
        ("/_fate", json!([{"fate": "hang", "path": "/", "tmes": 2}])),
        ("/_change", json!({"person_id": "1"})),
        ("/_change", json!({"person_id": "1", "delete": false})),
    ] {
        let said = desk.post(route, body.clone());
        assert!(said.status == 400 && said.body["error"].is_string(), "{route} {body}");
    }
    assert_eq!(desk.get("/_nosuch").status, 404);
    let half_right = json!({"schema": {"remove": ["city"]}, "token_ttl_seconds": -1});
    assert_eq!(desk.post("/_set", half_right).status, 400);
    desk.contact(json!({"lastname": "A", "city": "Pune"}));
}

#[test]
fn equal_requests_at_equal_times_get_equal_answers() {
    let story = || {
        let mut desk = Desk::new();
        desk.tell("/_fate", json!([{"fate": "apply_then_500", "path": "batch"}]));
        let mut told = Vec::new();
        for at in 0..30_u32 {
            let inputs: Vec<Value> = (0..5)
                .map(|of| {
                    let number = format!("+9198000000{:02}", (at * 7 + of) % 40);
                    json!({"id": number, "idProperty": "wa_e164", "properties": {"lastname": format!("P{at}")}})
                })
                .collect();
            let body = json!({ "inputs": inputs }).to_string().into_bytes();
            told.push(format!("{:?}", desk.reply("POST", &format!("{CONTACTS}/batch/upsert"), body)));
            desk.wait(1);
        }
        (told, desk.ledger())
    };
    assert_eq!(story(), story());
}
