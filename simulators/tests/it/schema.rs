//! Properties, pipelines, owners, the account, and what administrators change of them.

use crate::support::{CONTACTS, Desk};
use serde_json::{Value, json};

const PROPERTIES: &str = "/crm/properties/2026-09/contacts";

#[test]
fn a_property_is_made_used_archived_and_made_again() {
    let desk = Desk::new();
    let one = format!("{PROPERTIES}/wa_extra");
    let body = json!({"name": "wa_extra", "label": "Extra", "type": "number", "fieldType": "number",
                      "groupName": "contactinformation"});
    let write =
        |value: &str| desk.post(CONTACTS, json!({"properties": {"lastname": "A", "wa_extra": value}})).status;
    assert_eq!(write("5"), 400);
    assert_eq!(desk.get(&one).status, 404);
    assert_eq!(desk.post(PROPERTIES, body.clone()).status, 201);
    assert_eq!(desk.post(PROPERTIES, body.clone()).status, 409);
    assert_eq!((write("five"), write("5")), (400, 201));
    assert_eq!(desk.get(&one).body["modificationMetadata"]["readOnlyValue"], false);
    assert_eq!(desk.call("DELETE", &one, &Value::Null).status, 204);
    assert_eq!(write("5"), 400);
    assert_eq!(desk.post(PROPERTIES, body).status, 201);
    assert_eq!(desk.call("DELETE", &format!("{PROPERTIES}/email"), &Value::Null).status, 400);
}

#[test]
fn a_property_that_is_not_well_described_is_refused() {
    let desk = Desk::new();
    let whole = json!({"name": "x", "label": "X", "type": "string", "fieldType": "text", "groupName": "contactinformation"});
    for key in ["name", "label", "type", "fieldType", "groupName"] {
        let mut part = whole.clone();
        part.as_object_mut().unwrap().remove(key);
        let said = desk.post(PROPERTIES, part);
        assert_eq!((said.status, &said.body["category"]), (400, &json!("VALIDATION_ERROR")), "{key}");
        assert!(said.body["message"].as_str().unwrap().contains(key));
    }
    for (key, value) in [
        ("name", json!("Not Good")),
        ("type", json!("float")),
        ("fieldType", json!("number")),
        ("groupName", json!("nosuch")),
    ] {
        let mut wrong = whole.clone();
        wrong[key] = value;
        assert_eq!(desk.post(PROPERTIES, wrong.clone()).status, 400, "{wrong}");
    }
    let unique = json!({"name": "x", "label": "X", "type": "enumeration", "fieldType": "select",
                        "groupName": "contactinformation", "hasUniqueValue": true});
    assert_eq!(desk.post(PROPERTIES, unique).status, 400);
}

#[test]
fn the_eleventh_unique_property_is_refused() {
    let desk = Desk::new();
    let status = |at: usize| {
        let body = json!({"name": format!("key_{at}"), "label": "Key", "type": "string", "fieldType": "text",
                          "groupName": "contactinformation", "hasUniqueValue": true});
        desk.post(PROPERTIES, body).status
    };
    // One is there already.
    assert_eq!((2..=11).map(status).collect::<Vec<_>>(), [[201; 9].as_slice(), &[400]].concat());
}

#[test]
fn fields_may_be_removed_retyped_and_required_by_an_administrator() {
    let desk = Desk::new();
    let write = |root: &str, properties: Value| {
        desk.post(&format!("{root}/contacts"), json!({ "properties": properties }))
    };
    let new = "/crm/objects/2026-09";
    desk.tell(
        "/_set",
        json!({"schema": {"remove": ["ad_id"], "require": ["city"], "retype": {"ctwa_clid": "number"}}}),
    );
    let named = |name: &str| {
        let list = desk.get(PROPERTIES).body;
        list["results"].as_array().unwrap().iter().find(|it| it["name"] == name).cloned()
    };
    assert_eq!(named("ad_id"), None);
    assert_eq!(named("ctwa_clid").unwrap()["type"], "number");
    assert!(named("city").unwrap().get("required").is_none(), "what is required is not told");
    let said = write(new, json!({"lastname": "A", "city": "Pune", "ad_id": "1"}));
    assert_eq!(said.codes(), ["PROPERTY_DOESNT_EXIST"]);
    let said = write(new, json!({"lastname": "A", "city": "Pune", "ctwa_clid": "AbC"}));
    assert_eq!(said.codes(), ["INVALID_NUMBER"]);
    let said = write(new, json!({"lastname": "A"}));
    assert_eq!((said.status, &said.body["errors"][0]["context"]["propertyName"]), (400, &json!(["city"])));
    // Rules of the customer are not enforced by older versions.
    for old in ["/crm/objects/2026-03", "/crm/v3/objects"] {
        assert_eq!(write(old, json!({"lastname": "A"})).status, 201, "{old}");
    }
    for wrong in [json!({"remove": ["nosuch"]}), json!({"retype": {"city": "colour"}}), json!({"drop": []})] {
        assert_eq!(desk.post("/_set", json!({ "schema": wrong })).status, 400);
    }
}

#[test]
fn pipelines_tell_their_stages_in_strings_and_the_stage_property_has_no_options() {
    let desk = Desk::new();
    for url in ["/crm/pipelines/2026-09/deals", "/crm/v3/pipelines/deals"] {
        let said = desk.get(url);
        let stages = &said.body["results"][0]["stages"];
        assert_eq!(
            (&said.body["results"][0]["id"], &stages[0]["id"]),
            (&json!("default"), &json!("appointmentscheduled"))
        );
        assert_eq!(stages[5]["metadata"], json!({"isClosed": "true", "probability": "1.0"}));
        assert_eq!(stages[0]["writePermissions"], "CRM_PERMISSIONS_ENFORCEMENT");
    }
    let property = desk.get("/crm/properties/2026-09/deals/dealstage").body;
    assert_eq!((&property["externalOptions"], &property["options"]), (&json!(true), &json!([])));
}

#[test]
fn owners_account_and_rules_can_be_read() {
    let desk = Desk::new();
    let owners = desk.get("/crm/owners/2026-09").body;
    assert_eq!(owners["results"][0]["id"], "77310001");
    assert_eq!(desk.get("/crm/v3/owners/77310002").body["firstName"], "Ravi");
    assert_eq!(desk.get("/account-info/2026-09/details").body["timezone"], "Asia/Kolkata");
    assert_eq!(desk.get("/crm/property-validations/2026-09/0-1").body, json!({"results": []}));
    assert_eq!(desk.get("/crm/objects/2026-09/unicorns").status, 400);
}
