//! What a human does in the CRM, and the notices of it.

use crate::support::{CONTACTS, Desk};
use data_encoding::{BASE64, HEXLOWER};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Makes an edit, and gives the one event that is told of it.
fn told(desk: &Desk, change: Value) -> Value {
    desk.tell("/_change", change);
    let notices = desk.simulator.notices();
    assert_eq!(notices.len(), 1);
    assert!(desk.simulator.notices().is_empty(), "they are taken once");
    let events: Value = serde_json::from_slice(&notices[0].body).unwrap();
    assert_eq!(events.as_array().unwrap().len(), 1);
    events[0].clone()
}

#[test]
fn every_edit_is_made_and_told() {
    let desk = Desk::new();
    let a = desk.contact(json!({"lastname": "A"}));
    let b = desk.contact(json!({"lastname": "B"}));
    let deals = "/crm/objects/2026-09/deals";
    let deal = desk.post(deals, json!({"properties": {"dealname": "D", "dealstage": "contractsent"}})).id();

    let event = told(&desk, json!({"person_id": a, "field": "lifecyclestage", "value": "customer"}));
    assert_eq!(
        (&event["subscriptionType"], &event["propertyName"]),
        (&json!("contact.propertyChange"), &json!("lifecyclestage"))
    );
    assert_eq!((&event["propertyValue"], event["objectId"].to_string()), (&json!("customer"), a.clone()));
    assert_eq!(
        (&event["changeSource"], &event["occurredAt"]),
        (&json!("CRM_UI"), &json!(desk.now.as_millisecond()))
    );
    for name in ["eventId", "subscriptionId", "portalId", "appId", "attemptNumber", "sourceId"] {
        assert!(event.get(name).is_some(), "{name}");
    }
    let event = told(&desk, json!({"deal_id": deal, "stage": "closedwon"}));
    assert_eq!(
        (&event["subscriptionType"], &event["propertyName"]),
        (&json!("deal.propertyChange"), &json!("dealstage"))
    );
    assert_eq!(desk.ledger()["deals"][0]["stage"], "closedwon");
    let event = told(&desk, json!({"person_id": a, "merge_into": b}));
    assert_eq!(
        (&event["subscriptionType"], event["objectId"].to_string()),
        (&json!("contact.merge"), b.clone())
    );
    assert_eq!(desk.get(&format!("{CONTACTS}/{a}")).id(), b);
    let event = told(&desk, json!({"person_id": b, "delete": true}));
    assert_eq!(
        (&event["subscriptionType"], event["objectId"].to_string()),
        (&json!("contact.deletion"), b.clone())
    );
    assert_eq!(desk.get(&format!("{CONTACTS}/{b}")).status, 404);
}

#[test]
fn an_edit_that_cannot_be_made_is_refused_and_not_told() {
    let desk = Desk::new();
    let id = desk.contact(json!({"lastname": "A"}));
    for change in [
        json!({"person_id": id, "convert": true}),
        json!({"person_id": id, "merge_into": id}),
        json!({"person_id": id, "field": "lifecyclestage", "value": "Customer"}),
        json!({"person_id": "7", "delete": true}),
        json!({"deal_id": "7", "stage": "closedwon"}),
    ] {
        assert_eq!(desk.post("/_change", change.clone()).status, 400, "{change}");
    }
    assert!(desk.simulator.notices().is_empty());
}

#[test]
fn a_notice_is_signed_over_method_url_body_and_time() {
    let desk = Desk::new();
    let id = desk.contact(json!({"lastname": "A"}));
    desk.tell("/_change", json!({"person_id": id, "field": "city", "value": "Pune"}));
    let notice = desk.simulator.notices().remove(0);
    let url = "https://hooks.example.in/crm/hubspot";
    let headers = notice.headers(url, desk.now);
    let header = |name: &str| headers.iter().find(|(it, _)| it == name).unwrap().1.clone();
    let secret = desk.simulator.notice_secret();
    let time = desk.now.as_millisecond().to_string();
    assert_eq!(header("x-hubspot-request-timestamp"), time);
    let signed = [b"POST", url.as_bytes(), &notice.body, time.as_bytes()].concat();
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(&signed);
    assert_eq!(header("x-hubspot-signature-v3"), BASE64.encode(&mac.finalize().into_bytes()));
    let v1 = Sha256::digest([secret.as_bytes(), &notice.body].concat());
    assert_eq!(header("x-hubspot-signature"), HEXLOWER.encode(&v1));
    assert_eq!(header("x-hubspot-signature-version"), "v1");
    assert_ne!(notice.headers("https://other.example.in/", desk.now), headers);
}
