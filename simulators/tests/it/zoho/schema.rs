//! Fields, layouts, pipelines and users, and what an administrator does to fields.

use crate::support::Desk;
use serde_json::{Value, json};

fn field(desk: &Desk, module: &str, name: &str) -> Value {
    let said = desk.get(&format!("/crm/v8/settings/fields?module={module}"));
    let fields = said.body["fields"].as_array().unwrap();
    fields.iter().find(|it| it["api_name"] == name).cloned().unwrap_or_default()
}

#[test]
fn fields_say_what_they_take() {
    let desk = Desk::zoho();
    let key = field(&desk, "Leads", "wa_e164");
    assert_eq!(
        (&key["data_type"], &key["custom_field"], &key["length"]),
        (&json!("text"), &json!(true), &json!(255))
    );
    assert!(key["unique"].get("casesensitive").is_some());
    assert_eq!(field(&desk, "Leads", "City")["unique"], json!({}));
    assert_eq!(field(&desk, "Leads", "Company")["system_mandatory"], true);
    assert_eq!(field(&desk, "Contacts", "Full_Name")["operation_type"]["api_create"], false);
    let stage = field(&desk, "Deals", "Stage");
    let renamed = stage["pick_list_values"]
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["display_value"] == "Proposal Sent");
    assert_eq!(renamed.unwrap()["actual_value"], "Proposal/Price Quote");
    assert_eq!(field(&desk, "Deals", "Contact_Name")["lookup"]["module"]["api_name"], "Contacts");
    let said = desk.get("/crm/v8/settings/fields");
    assert_eq!((said.status, &said.body["code"]), (400, &json!("REQUIRED_PARAM_MISSING")));
    let said = desk.get("/crm/v8/settings/fields?module=Nosuch");
    assert_eq!((said.status, &said.body["code"]), (400, &json!("INVALID_MODULE")));
}

#[test]
fn a_field_is_added_once_and_is_named_by_its_label() {
    let desk = Desk::zoho();
    let add = |new: Value| desk.post("/crm/v8/settings/fields?module=Leads", json!({"fields": [new]}));
    let said = add(
        json!({"field_label": "wa extra", "data_type": "text", "length": 100, "unique": {"casesensitive": false}}),
    );
    assert_eq!((said.status, &said.body["fields"][0]["code"]), (201, &json!("SUCCESS")));
    let made = field(&desk, "Leads", "wa_extra");
    assert_eq!((&made["length"], &made["field_label"]), (&json!(100), &json!("wa extra")));
    desk.lead(json!({"wa_extra": "one"}));
    let said = desk.make("Leads", json!([{"Last_Name": "B", "Company": "B", "wa_extra": "ONE"}]));
    assert_eq!(said.entry(0)["code"], "DUPLICATE_DATA");
    let refused = [
        (json!({"field_label": "wa_extra", "data_type": "text"}), "DUPLICATE_DATA"),
        (json!({"data_type": "text"}), "MANDATORY_NOT_FOUND"),
        (json!({"field_label": "x", "data_type": "words"}), "INVALID_DATA"),
        (json!({"field_label": "x", "data_type": "text", "length": 256}), "INVALID_DATA"),
        (json!({"field_label": "x", "data_type": "picklist"}), "MANDATORY_NOT_FOUND"),
        (json!({"field_label": "x", "data_type": "boolean", "unique": {}}), "INVALID_DATA"),
    ];
    for (new, code) in refused {
        let said = add(new.clone());
        assert_eq!((said.status, &said.body["fields"][0]["code"]), (400, &json!(code)), "{new}");
    }
    assert_eq!(field(&desk, "Leads", "x"), Value::Null);
}

#[test]
fn pipelines_go_by_the_layout_of_deals() {
    let desk = Desk::zoho();
    let layout = desk.get("/crm/v8/settings/layouts?module=Deals").body["layouts"][0].clone();
    let required: Vec<&str> = layout["sections"][0]["fields"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|it| it["required"] == true)
        .map(|it| it["api_name"].as_str().unwrap())
        .collect();
    assert_eq!(required, ["Deal_Name", "Stage", "Closing_Date"]);
    let said = desk.get(&format!("/crm/v8/settings/pipeline?layout_id={}", layout["id"].as_str().unwrap()));
    let first = &said.body["pipeline"][0];
    assert_eq!((&first["default"], &first["actual_value"]), (&json!(true), &json!("Standard (Standard)")));
    let won = first["maps"].as_array().unwrap().iter().find(|it| it["actual_value"] == "Closed Won").unwrap();
    assert_eq!(won["forecast_type"], "Closed Won");
    assert_eq!(desk.get("/crm/v8/settings/pipeline").body["code"], "REQUIRED_PARAM_MISSING");
    assert_eq!(desk.get("/crm/v8/settings/pipeline?layout_id=7").status, 400);
    let users = desk.get("/crm/v8/users?type=ActiveUsers").body;
    assert_eq!(
        (users["users"].as_array().unwrap().len(), &users["users"][1]["email"]),
        (2, &json!("ravi.rep@example.com"))
    );
}

#[test]
fn an_administrator_removes_requires_and_retypes_fields() {
    let desk = Desk::zoho();
    let id = desk.lead(json!({"ad_id": "1"}));
    desk.tell(
        "/_set",
        json!({"schema": {"remove": ["ad_id"], "require": ["City"], "retype": {"wa_source": "number"}}}),
    );
    assert_eq!(field(&desk, "Leads", "ad_id"), Value::Null);
    assert_eq!(desk.read(&format!("Leads/{id}")).get("ad_id"), None);
    assert_eq!(desk.coql("select ad_id from Leads where City = 'x'").body["code"], "INVALID_QUERY");
    assert_eq!(
        desk.put(&format!("Leads/{id}"), json!({"ad_id": "2"})).status,
        200,
        "passed over without a word"
    );
    assert_eq!(
        desk.make("Leads", json!([{"Last_Name": "B", "Company": "B"}])).entry(0)["details"]["api_name"],
        "City"
    );
    let said = desk.put(&format!("Leads/{id}"), json!({"wa_source": "whatsapp:main"}));
    assert_eq!(said.entry(0)["details"]["expected_data_type"], "double");
    let layout = desk.get("/crm/v8/settings/layouts?module=Leads").body["layouts"][0].clone();
    let city = layout["sections"][0]["fields"]
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["api_name"] == "City")
        .unwrap();
    assert_eq!((&city["required"], &city["system_mandatory"]), (&json!(true), &json!(false)));
    for schema in [json!({"remove": ["nosuch"]}), json!({"retype": {"City": "words"}})] {
        assert_eq!(desk.post("/_set", json!({ "schema": schema })).status, 400);
    }
}
