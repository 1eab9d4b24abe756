//! Search: what it finds, what it refuses, and how far it is behind.

use crate::support::{CONTACTS, Desk};
use serde_json::{Value, json};

#[test]
fn filters_find_what_they_say() {
    let mut desk = Desk::new();
    let a = desk
        .contact(json!({"lastname": "Verma", "phone": "+91 98765 43210", "chatbot_messages_count": "12",
                                "last_inbound_at": "2026-11-20T00:00:00Z"}));
    let b = desk
        .contact(json!({"lastname": "Rao", "mobilephone": "+919876543210", "email": "rao@example.com",
                                "chatbot_messages_count": "3"}));
    let filter = |name: &str, operator: &str, value: &str| json!({"propertyName": name, "operator": operator, "value": value});
    let list = |name: &str, operator: &str, values: Value| json!({"propertyName": name, "operator": operator, "values": values});
    let bare = |name: &str, operator: &str| json!({"propertyName": name, "operator": operator});
    let phone = "hs_searchable_calculated_phone_number";
    let mobile = "hs_searchable_calculated_mobile_number";
    let table = [
        (filter(phone, "EQ", "9876543210"), vec![&a]),
        (filter(phone, "EQ", "919876543210"), vec![]),
        (filter(phone, "CONTAINS_TOKEN", "*9876543210"), vec![&a]),
        (filter(mobile, "CONTAINS_TOKEN", "*9876543210"), vec![&b]),
        (filter("hs_calculated_phone_number", "EQ", "+919876543210"), vec![&a]),
        (filter("phone", "EQ", "+91 98765 43210"), vec![&a]),
        (filter("phone", "EQ", "+919876543210"), vec![]),
        (filter("email", "EQ", "RAO@example.com"), vec![&b]),
        (filter("lastname", "NEQ", "verma"), vec![&b]),
        (list("lastname", "IN", json!(["verma", "rao"])), vec![&a, &b]),
        (list("lastname", "IN", json!(["Verma"])), vec![]),
        (list("lastname", "NOT_IN", json!(["verma"])), vec![&b]),
        (bare("email", "HAS_PROPERTY"), vec![&b]),
        (bare("email", "NOT_HAS_PROPERTY"), vec![&a]),
        (filter("chatbot_messages_count", "GT", "5"), vec![&a]),
        (filter("chatbot_messages_count", "LTE", "3"), vec![&b]),
        (filter("last_inbound_at", "LT", "1795421592000"), vec![&a]),
        (
            json!({"propertyName": "chatbot_messages_count", "operator": "BETWEEN", "value": "3", "highValue": "4"}),
            vec![&b],
        ),
    ];
    for (filter, found) in table {
        desk.wait(1);
        assert_eq!(desk.found(json!([filter])).iter().collect::<Vec<_>>(), found, "{filter}");
    }
    desk.wait(1);
    assert_eq!(
        desk.found(json!([bare("email", "HAS_PROPERTY"), filter("lastname", "EQ", "Verma")])),
        [""; 0]
    );
    let either = json!({"filterGroups": [{"filters": [filter("lastname", "EQ", "Verma")]},
                                         {"filters": [filter("lastname", "EQ", "Rao")]}],
                        "properties": ["lastname"], "sorts": [{"propertyName": "lastname", "direction": "ASCENDING"}],
                        "limit": 1});
    let said = desk.post(&format!("{CONTACTS}/search"), either);
    assert_eq!((&said.body["total"], &said.body["paging"]["next"]["after"]), (&json!(2), &json!("1")));
    assert_eq!(said.body["results"][0]["properties"]["lastname"], "Rao");
}

#[test]
fn what_search_cannot_do_is_refused() {
    let mut desk = Desk::new();
    let filter = json!({"propertyName": "lastname", "operator": "EQ", "value": "A"});
    let groups = |groups: usize, filters: usize| {
        let group = json!({"filters": vec![filter.clone(); filters]});
        json!({"filterGroups": vec![group; groups]})
    };
    let one = |filter: Value| json!({"filterGroups": [{"filters": [filter]}]});
    let refused = [
        groups(6, 1),
        groups(1, 7),
        groups(5, 4),
        json!({"limit": 201}),
        json!({"after": "9999", "limit": 10}),
        json!({"after": "next"}),
        one(json!({"propertyName": "nosuch", "operator": "EQ", "value": "A"})),
        one(json!({"propertyName": "lastname", "operator": "LIKE", "value": "A"})),
        one(json!({"propertyName": "lastname", "operator": "NOT_HAS_PROPERTY", "value": ""})),
        one(json!({"propertyName": "lastname", "operator": "EQ"})),
        one(json!({"propertyName": "lastname", "operator": "EQ", "value": "x".repeat(3_000)})),
    ];
    for body in refused {
        desk.wait(1);
        assert_eq!(desk.post(&format!("{CONTACTS}/search"), body.clone()).status, 400, "{body}");
    }
    assert_eq!(desk.post(&format!("{CONTACTS}/search"), groups(5, 3)).status, 200);
}

#[test]
fn the_index_is_behind_for_new_records_and_for_changes() {
    let mut desk = Desk::new();
    desk.tell("/_set", json!({"search_lag_seconds": 5}));
    let of = |city: &str| json!([{"propertyName": "city", "operator": "EQ", "value": city}]);
    let id = desk.contact(json!({"lastname": "A", "city": "Pune", "email": "a@example.com"}));
    desk.wait(4);
    assert_eq!(desk.found(of("Pune")), [""; 0]);
    assert_eq!(
        desk.get(&format!("{CONTACTS}/a@example.com?idProperty=email")).status,
        200,
        "a direct read is not behind"
    );
    desk.wait(1);
    assert_eq!(desk.found(of("Pune")), std::slice::from_ref(&id));
    desk.tell("/_change", json!({"person_id": id, "field": "city", "value": "Surat"}));
    desk.wait(4);
    assert_eq!((desk.found(of("Pune")), desk.found(of("Surat"))), (vec![id.clone()], vec![]));
    desk.wait(1);
    assert_eq!((desk.found(of("Pune")), desk.found(of("Surat"))), (vec![], vec![id.clone()]));
    desk.call("DELETE", &format!("{CONTACTS}/{id}"), &Value::Null);
    assert_eq!(desk.found(of("Surat")), [""; 0], "what is archived is gone at once");
}
