//! Credits: what is counted, when it is told, and what happens when there are none.

use crate::support::{Desk, Said};
use serde_json::{Value, json};

fn left(said: &Said) -> Option<u64> {
    said.header("x-api-credits-remaining").map(|left| left.parse().unwrap())
}

#[test]
fn what_is_left_is_told_from_the_half_on() {
    let desk = Desk::zoho();
    desk.tell("/_set", json!({"quota": {"limit": 10, "used": 3}}));
    assert_eq!(left(&desk.get("/crm/v8/org")), None);
    assert_eq!(left(&desk.get("/crm/v8/org")), Some(5));
    assert_eq!(left(&desk.get("/crm/v8/org")), Some(4));
}

#[test]
fn a_call_costs_what_zoho_says() {
    let desk = Desk::zoho();
    desk.tell("/_set", json!({"quota": {"limit": 1_000, "used": 500}}));
    let mut before = 500;
    let mut cost = |said: &Said| {
        let now = left(said).unwrap();
        std::mem::replace(&mut before, now) - now
    };
    let lead = json!({"Last_Name": "A", "Company": "A"});
    for (records, credits) in [(1, 1), (10, 1), (11, 2), (100, 10)] {
        assert_eq!(cost(&desk.make("Leads", json!(vec![&lead; records]))), credits, "{records}");
    }
    for (limit, credits) in
        [("", 1), ("limit 200", 1), ("limit 0, 201", 2), ("limit 1000 offset 5", 2), ("limit 2000", 3)]
    {
        assert_eq!(
            cost(&desk.coql(&format!("select id from Leads where City = 'x' {limit}"))),
            credits,
            "{limit}"
        );
    }
    assert_eq!(cost(&desk.get("/crm/v8/Leads?fields=id")), 1);
}

#[test]
fn without_credits_nothing_is_done_until_a_day_has_passed_since_they_were_used() {
    let mut desk = Desk::zoho();
    desk.tell("/_set", json!({"quota": {"limit": 2}}));
    assert_eq!(desk.get("/crm/v8/org").status, 200);
    desk.wait(3_600);
    assert_eq!(desk.get("/crm/v8/org").status, 200);
    let said = desk.make("Leads", json!([{"Last_Name": "A", "Company": "A"}]));
    assert_eq!((said.status, &said.body["code"], left(&said)), (429, &json!("TOO_MANY_REQUESTS"), Some(0)));
    assert_eq!(said.header("retry-after"), None);
    assert_eq!(desk.ledger()["persons"], json!([]));
    desk.wait(23 * 3_600 - 1);
    assert_eq!(desk.get("/crm/v8/org").status, 429);
    desk.wait(1);
    assert_eq!(desk.get("/crm/v8/org").status, 200, "the first is a day old");
    assert_eq!(desk.get("/crm/v8/org").status, 429, "the second is not");
}

#[test]
fn too_many_calls_at_once_are_told_apart_from_want_of_credits_by_nothing_but_what_is_left() {
    let desk = Desk::zoho();
    desk.tell("/_fate", json!([{"fate": "reject_429", "retry_after": 7}]));
    let said = desk.get("/crm/v8/org");
    assert_eq!((said.status, &said.body["code"]), (429, &json!("TOO_MANY_REQUESTS")));
    assert_eq!((said.header("retry-after"), left(&said)), (None, None));
    desk.tell("/_fate", json!([{"fate": "reject_500"}]));
    let said = desk.get("/crm/v8/org");
    assert_eq!(
        (said.status, &said.body["code"], &said.body["status"]),
        (500, &json!("INTERNAL_ERROR"), &json!("error"))
    );
}

#[test]
fn the_edition_and_the_users_bought_say_how_many_credits_there_are() {
    let desk = Desk::zoho();
    let org = desk.get("/crm/v8/org").body["org"][0].clone();
    assert_eq!(
        (&org["license_details"]["paid_type"], &org["iso_code"]),
        (&json!("enterprise"), &json!("INR"))
    );
    let users = org["license_details"]["users_license_purchased"].as_u64().unwrap();
    desk.tell("/_set", json!({"quota": {"used": 50_000 + 1_000 * users - 1}}));
    assert_eq!(left(&desk.get("/crm/v8/users")), Some(0));
    assert_eq!(desk.call("GET", "/crm/v8/users", &Value::Null).status, 429);
}
