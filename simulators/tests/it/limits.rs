//! Tokens, limits and what is told of them.

use crate::support::{CONTACTS, Desk};
use serde_json::{Value, json};

#[test]
fn without_the_right_token_nothing_is_done() {
    let mut desk = Desk::new();
    desk.token = "pat-na1-wrong".to_owned();
    let said = desk.post(CONTACTS, json!({"properties": {"lastname": "A"}}));
    assert_eq!((said.status, &said.body["category"]), (401, &json!("INVALID_AUTHENTICATION")));
    assert_eq!(said.header("x-hubspot-ratelimit-max"), None);
    assert_eq!(desk.ledger()["persons"], json!([]));
}

#[test]
fn a_token_expires_and_may_be_renewed() {
    let mut desk = Desk::new();
    desk.tell("/_set", json!({"token_ttl_seconds": 60}));
    desk.wait(59);
    assert_eq!(desk.get(CONTACTS).status, 200);
    desk.wait(1);
    let said = desk.get(CONTACTS);
    assert_eq!((said.status, &said.body["category"]), (401, &json!("EXPIRED_AUTHENTICATION")));
    assert!(said.body["message"].is_string() && said.body["correlationId"].is_string(), "{}", said.body);
    desk.tell("/_set", json!({"token_ttl_seconds": null}));
    desk.wait(1_000_000);
    assert_eq!(desk.get(CONTACTS).status, 200);
}

#[test]
fn the_hundred_and_ninety_first_request_in_ten_seconds_is_too_much() {
    let mut desk = Desk::new();
    for _ in 0..95 {
        assert_eq!(desk.get(CONTACTS).status, 200);
    }
    desk.wait(9);
    for left in (0..95).rev() {
        let said = desk.get(CONTACTS);
        assert_eq!(said.header("x-hubspot-ratelimit-remaining"), Some(left.to_string().as_str()));
    }
    let said = desk.get(CONTACTS);
    assert_eq!((said.status, &said.body["policyName"]), (429, &json!("TEN_SECONDLY_ROLLING")));
    assert_eq!(
        (&said.body["category"], &said.body["errorType"]),
        (&json!("RATE_LIMITS"), &json!("RATE_LIMIT"))
    );
    assert_eq!(desk.post(&format!("{CONTACTS}/search"), json!({})).status, 200, "search is exempt");
    desk.wait(1);
    assert_eq!(desk.get(CONTACTS).status, 200, "the first 95 are ten seconds old");
}

#[test]
fn the_sixth_search_in_a_second_is_too_much_and_no_search_tells_of_limits() {
    let mut desk = Desk::new();
    let search = |desk: &Desk| desk.post(&format!("{CONTACTS}/search"), json!({}));
    for _ in 0..5 {
        let said = search(&desk);
        assert_eq!((said.status, said.header("x-hubspot-ratelimit-max")), (200, None));
        assert_eq!(said.header("x-hubspot-rate-limit-exemptions"), Some("ten-secondly"));
    }
    let said = search(&desk);
    assert_eq!((said.status, &said.body["policyName"]), (429, &json!("SECONDLY")));
    assert_eq!(said.body["message"], "You have reached your secondly limit.");
    desk.wait(1);
    assert_eq!(search(&desk).status, 200);
}

#[test]
fn the_daily_quota_is_told_used_up_and_given_again_at_midnight() {
    let mut desk = Desk::new();
    desk.tell("/_set", json!({"quota": {"limit": 100, "used": 98}}));
    let said = desk.get(CONTACTS);
    assert_eq!(said.header("x-hubspot-ratelimit-daily"), Some("100"));
    assert_eq!(said.header("x-hubspot-ratelimit-daily-remaining"), Some("1"));
    let usage = desk.get("/account-info/2026-09/api-usage/daily/private-apps");
    let usage = &usage.body["results"][0];
    assert_eq!((&usage["currentUsage"], &usage["usageLimit"]), (&json!(100), &json!(100)));
    assert_eq!(usage["resetsAt"], "2026-11-23T18:30:00Z", "midnight in the account's zone");
    let said = desk.get(CONTACTS);
    assert_eq!((said.status, &said.body["policyName"]), (429, &json!("DAILY")));
    assert_eq!(said.header("x-hubspot-ratelimit-daily-remaining"), Some("0"));
    desk.now = "2026-11-23T18:29:59Z".parse().unwrap();
    assert_eq!(desk.get(CONTACTS).status, 429);
    desk.wait(1);
    assert_eq!(desk.get(CONTACTS).header("x-hubspot-ratelimit-daily-remaining"), Some("99"));
}

#[test]
fn every_answer_has_a_correlation_id_of_its_own() {
    let desk = Desk::new();
    let (a, b) = (desk.get(CONTACTS), desk.get("/crm/objects/2026-09/contacts/7"));
    let id = |said: &crate::support::Said| said.header("x-hubspot-correlation-id").unwrap().to_owned();
    assert_ne!(id(&a), id(&b));
    assert_eq!((b.status, &b.body["category"]), (404, &json!("OBJECT_NOT_FOUND")));
    assert_eq!(b.body["correlationId"], Value::String(id(&b)));
}
