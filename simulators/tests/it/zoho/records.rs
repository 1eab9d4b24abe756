//! Writes and reads of records, one and many.

use crate::support::Desk;
use serde_json::{Value, json};

#[test]
fn a_lead_is_made_read_changed_and_deleted() {
    let mut desk = Desk::zoho();
    let said = desk.make(
        "Leads",
        json!([{"Last_Name": "Rao", "First_Name": "Asha", "Company": "Acme",
        "Phone": "+91 98765 43210", "Email": "asha@example.com", "last_inbound_at": "2026-11-22T08:35:12Z",
        "chatbot_messages_count": 12, "nosuch": "passed over", "Created_Time": "2001-01-01T00:00:00+05:30"}]),
    );
    let entry = said.entry(0);
    assert_eq!((said.status, &entry["code"], &entry["status"]), (201, &json!("SUCCESS"), &json!("success")));
    assert_eq!((&entry["message"], entry.get("action")), (&json!("record added"), None));
    let id = entry["details"]["id"].as_str().unwrap();
    assert!(id.len() >= 16 && id.parse::<u64>().is_ok(), "{id}");
    desk.wait(60);
    let lead = desk.read(&format!("Leads/{id}"));
    assert_eq!(
        (&lead["Full_Name"], &lead["Mobile"], lead.get("nosuch")),
        (&json!("Asha Rao"), &Value::Null, None)
    );
    assert_eq!(lead["last_inbound_at"], "2026-11-22T14:05:12+05:30");
    assert_eq!(
        (&lead["Created_Time"], &lead["$converted"]),
        (&json!("2026-11-23T13:30:00+05:30"), &json!(false))
    );
    assert_eq!(lead["Owner"]["name"], "Asha Rep");
    let said = desk.put(&format!("Leads/{id}"), json!({"Company": "Other", "Phone": null}));
    assert_eq!((said.status, &said.entry(0)["message"]), (200, &json!("record updated")));
    let lead = desk.read(&format!("Leads/{id}"));
    assert_eq!(
        (&lead["Company"], &lead["Phone"], &lead["Last_Name"]),
        (&json!("Other"), &Value::Null, &json!("Rao"))
    );
    assert_eq!(lead["Modified_Time"], "2026-11-23T13:31:00+05:30");
    let said = desk.call("DELETE", &format!("/crm/v8/Leads?ids={id},7"), &Value::Null);
    assert_eq!((said.status, &said.entry(0)["code"]), (207, &json!("SUCCESS")));
    assert_eq!(said.entry(1)["code"], "INVALID_DATA");
    assert_eq!(desk.read(&format!("Leads/{id}")), Value::Null);
}

#[test]
fn each_of_many_has_an_answer_of_its_own_and_the_status_says_how_many_were_refused() {
    let desk = Desk::zoho();
    let (good, bad) = (json!({"Last_Name": "A", "Company": "A"}), json!({"Company": "A"}));
    for (records, status, codes) in [
        (json!([good, good]), 201, ["SUCCESS", "SUCCESS"]),
        (json!([bad, good]), 207, ["MANDATORY_NOT_FOUND", "SUCCESS"]),
        (json!([bad, bad]), 202, ["MANDATORY_NOT_FOUND", "MANDATORY_NOT_FOUND"]),
    ] {
        let said = desk.make("Leads", records);
        assert_eq!((said.status, [0, 1].map(|at| said.entry(at)["code"].as_str().unwrap())), (status, codes));
    }
    assert_eq!(desk.ledger()["persons"].as_array().unwrap().len(), 3);
    let hundred = json!(vec![&good; 100]);
    assert_eq!(desk.make("Leads", hundred).status, 201);
    let said = desk.make("Leads", json!(vec![&good; 101]));
    assert_eq!((said.status, &said.body["details"]["maximum_length"]), (400, &json!(100)));
    assert_eq!(desk.make("Leads", json!([])).body["code"], "MANDATORY_NOT_FOUND");
    let calls = desk.ledger()["calls"].clone();
    assert_eq!(calls[3]["records"], 100);
}

#[test]
fn a_value_that_does_not_fit_is_refused_by_its_name_and_place() {
    let desk = Desk::zoho();
    let id = desk.lead(json!({}));
    let table = [
        (json!({"Phone": "call me"}), "INVALID_DATA", "Phone"),
        (json!({"Email": "asha at example"}), "INVALID_DATA", "Email"),
        (json!({"City": 7}), "INVALID_DATA", "City"),
        (json!({"City": "x".repeat(256)}), "INVALID_DATA", "City"),
        (json!({"chatbot_messages_count": "12"}), "INVALID_DATA", "chatbot_messages_count"),
        (json!({"last_inbound_at": "2026-11-22T08:35:12"}), "INVALID_DATA", "last_inbound_at"),
        (json!({"last_inbound_at": "2026-11-22T08:35:12.5Z"}), "INVALID_DATA", "last_inbound_at"),
        (json!({"Lead_Source": "Elsewhere"}), "INVALID_DATA", "Lead_Source"),
        (json!({"Email_Opt_Out": "true"}), "INVALID_DATA", "Email_Opt_Out"),
        (json!({"Owner": {"id": "7"}}), "INVALID_DATA", "Owner"),
        (json!({"Last_Name": null}), "MANDATORY_NOT_FOUND", "Last_Name"),
    ];
    for (fields, code, name) in table {
        let said = desk.put(&format!("Leads/{id}"), fields.clone());
        let entry = said.entry(0);
        assert_eq!(
            (said.status, &entry["code"], &entry["details"]["api_name"]),
            (202, &json!(code), &json!(name)),
            "{fields}"
        );
        let path = entry["details"]["json_path"].as_str().unwrap();
        assert!(path.starts_with(&format!("$.data[0].{name}")), "{path}");
    }
    assert_eq!(desk.put("Leads", json!({"Last_Name": "A"})).entry(0)["details"]["api_name"], "id");
    let said = desk.put("Leads/7", json!({"Last_Name": "A"}));
    assert_eq!(said.entry(0)["message"], "the id given seems to be invalid");
}

#[test]
fn an_upsert_goes_by_the_fields_it_is_given_and_a_rival_is_named() {
    let desk = Desk::zoho();
    let upsert = |module: &str, record: Value| {
        let body = json!({"data": [record], "duplicate_check_fields": ["wa_e164"]});
        desk.post(&format!("/crm/v8/{module}/upsert"), body)
    };
    let lead = json!({"Last_Name": "Rao", "Company": "Acme", "wa_e164": "+919876543210"});
    let said = upsert("Leads", lead.clone());
    assert_eq!(
        (said.status, &said.entry(0)["action"], &said.entry(0)["duplicate_field"]),
        (201, &json!("insert"), &Value::Null)
    );
    let id = said.entry(0)["details"]["id"].clone();
    let said = upsert("Leads", lead.clone());
    assert_eq!((said.status, &said.entry(0)["action"]), (200, &json!("update")));
    assert_eq!(
        (&said.entry(0)["duplicate_field"], &said.entry(0)["details"]["id"]),
        (&json!("wa_e164"), &id)
    );
    let said = desk.make("Leads", json!([lead]));
    let details = &said.entry(0)["details"];
    assert_eq!((said.status, &said.entry(0)["code"]), (202, &json!("DUPLICATE_DATA")));
    assert_eq!(
        (&details["api_name"], &details["json_path"]),
        (&json!("wa_e164"), &json!("$.data[0].wa_e164"))
    );
    assert_eq!(
        (&details["duplicate_record"]["id"], &details["duplicate_record"]["module"]["api_name"]),
        (&id, &json!("Leads"))
    );
    let contact = json!({"Last_Name": "Rao", "wa_e164": "+919876543210"});
    assert_eq!(upsert("Contacts", contact).status, 201, "each module is looked through by itself");
    let unknown = json!({"data": [{"Last_Name": "A"}], "duplicate_check_fields": ["City"]});
    assert_eq!(desk.post("/crm/v8/Leads/upsert", unknown).status, 400);
    assert_eq!(desk.post("/crm/v8/Notes/upsert", json!({"data": [{}]})).status, 404);
    desk.call("DELETE", &format!("/crm/v8/Leads/{}", id.as_str().unwrap()), &Value::Null);
    let said = upsert("Leads", json!({"Last_Name": "R", "Company": "A", "wa_e164": "+919876543210"}));
    assert_eq!(said.entry(0)["action"], "insert", "what is deleted holds no value");
}

#[test]
fn a_deal_goes_into_a_stage_of_its_pipeline_and_a_blueprint_holds_it() {
    let desk = Desk::zoho();
    let contact = desk.made("Contacts", json!({"Last_Name": "Rao"}));
    let deal = |more: Value| {
        let mut deal = json!({"Deal_Name": "D", "Stage": "Qualification", "Closing_Date": "2027-02-21"});
        deal.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        desk.make("Deals", json!([deal]))
    };
    let said = deal(json!({"Contact_Name": {"id": contact}, "Amount": 5000}));
    let id = said.entry(0)["details"]["id"].as_str().unwrap().to_owned();
    let told = desk.ledger()["deals"][0].clone();
    assert_eq!((&told["person_id"], &told["stage"]), (&json!(contact), &json!("Qualification")));
    assert_eq!(told["pipeline"], "Standard (Standard)");
    let shown = deal(json!({"Stage": "Proposal Sent"}));
    let shown = shown.entry(0)["details"]["id"].as_str().unwrap().to_owned();
    assert_eq!(desk.read(&format!("Deals/{shown}"))["Stage"], "Proposal/Price Quote");
    let said = deal(json!({"Stage": "Introduced"}));
    assert_eq!(
        (&said.entry(0)["code"], &said.entry(0)["message"]),
        (&json!("MAPPING_MISMATCH"), &json!("Pipeline doesn't contain the Stage"))
    );
    assert_eq!(deal(json!({"Stage": "Nosuch"})).entry(0)["code"], "INVALID_DATA");
    assert_eq!(
        deal(json!({"Contact_Name": {"id": "7"}})).entry(0)["details"]["json_path"],
        "$.data[0].Contact_Name.id"
    );
    assert_eq!(deal(json!({"Closing_Date": null})).entry(0)["code"], "MANDATORY_NOT_FOUND");
    let guarded = json!({"Pipeline": "Partners (Standard)", "Stage": "Under Review"});
    assert_eq!(desk.put(&format!("Deals/{id}"), guarded).status, 200);
    let said = desk.put(&format!("Deals/{id}"), json!({"Stage": "Signed"}));
    assert_eq!(said.entry(0)["code"], "RECORD_IN_BLUEPRINT");
    let said = desk.get(&format!("/crm/v8/Contacts/{contact}/Deals?fields=Deal_Name,Stage"));
    assert_eq!(said.body["data"], json!([{"id": id, "Deal_Name": "D", "Stage": "Under Review"}]));
}

#[test]
fn notes_and_tasks_are_with_a_person_and_are_read_below_them() {
    let desk = Desk::zoho();
    let lead = desk.lead(json!({}));
    let parent = json!({"module": {"api_name": "Leads"}, "id": lead});
    let note = desk.made("Notes", json!({"Note_Title": "T", "Note_Content": "Asked.", "Parent_Id": parent}));
    let said =
        desk.post(&format!("/crm/v8/Leads/{lead}/Notes"), json!({"data": [{"Note_Content": "Again."}]}));
    assert_eq!(said.status, 201, "{}", said.body);
    let task =
        json!({"Subject": "Call", "What_Id": {"id": lead}, "$se_module": "Leads", "Status": "Not Started"});
    let task = desk.made("Tasks", task);
    let said = desk.get(&format!("/crm/v8/Leads/{lead}/Notes?fields=Note_Content,Parent_Id"));
    let texts: Vec<&str> =
        said.body["data"].as_array().unwrap().iter().map(|it| it["Note_Content"].as_str().unwrap()).collect();
    assert_eq!((texts, said.body["info"]["more_records"].clone()), (vec!["Again.", "Asked."], json!(false)));
    assert_eq!(said.body["data"][1]["Parent_Id"]["module"]["api_name"], "Leads");
    let ledger = desk.ledger();
    let told: Vec<&str> =
        ledger["activities"].as_array().unwrap().iter().map(|it| it["person_id"].as_str().unwrap()).collect();
    assert_eq!(told, [lead.as_str(); 2]);
    assert_eq!((&ledger["tasks"][0]["id"], &ledger["tasks"][0]["person_id"]), (&json!(task), &json!(lead)));
    assert_eq!(
        (&ledger["activities"][0]["id"], &ledger["activities"][0]["text"]),
        (&json!(note), &json!("Asked."))
    );
    assert_eq!(desk.read(&format!("Tasks/{task}"))["$se_module"], "Leads");
    let refused = [
        ("Notes", json!({"Note_Content": "x"}), "MANDATORY_NOT_FOUND"),
        ("Notes", json!({"Note_Content": "x", "Parent_Id": lead}), "INVALID_DATA"),
        ("Notes", json!({"Note_Content": "x", "Parent_Id": {"id": lead}}), "MANDATORY_NOT_FOUND"),
        (
            "Notes",
            json!({"Note_Content": "x", "Parent_Id": {"id": lead, "module": {"api_name": "Contacts"}}}),
            "INVALID_DATA",
        ),
        ("Notes", json!({"Note_Content": "x".repeat(32_001), "Parent_Id": parent}), "INVALID_DATA"),
        ("Tasks", json!({"Subject": "x", "What_Id": {"id": lead}}), "DEPENDENT_FIELD_MISSING"),
    ];
    for (module, record, code) in refused {
        assert_eq!(desk.make(module, json!([record])).entry(0)["code"], code);
    }
}

#[test]
fn automation_runs_unless_the_trigger_is_empty() {
    let desk = Desk::zoho();
    let id = desk.lead(json!({}));
    let quiet = json!({"data": [{"id": id, "City": "Pune"}], "trigger": []});
    assert_eq!(desk.call("PUT", "/crm/v8/Leads", &quiet).status, 200);
    let told = |desk: &Desk| desk.ledger()["automations"].clone();
    assert_eq!(told(&desk), json!([{"record_id": id, "kind": "lead", "created": 1, "edited": 0}]));
    let loud = json!({"data": [{"id": id, "City": "Surat"}], "trigger": ["workflow"]});
    assert_eq!(desk.call("PUT", "/crm/v8/Leads", &loud).status, 200);
    assert_eq!(told(&desk)[0]["edited"], 1);
    let silent = json!({"data": [{"Last_Name": "B", "Company": "B"}], "trigger": []});
    assert_eq!(desk.post("/crm/v8/Leads", silent).status, 201);
    assert_eq!(told(&desk).as_array().unwrap().len(), 1);
}

#[test]
fn what_does_not_exist_is_refused_as_zoho_does() {
    let desk = Desk::zoho();
    for (target, status, code) in [
        ("/crm/v8/Nosuch?fields=id", 400, "INVALID_MODULE"),
        ("/crm/v8/Leads/x", 400, "INVALID_DATA"),
        ("/crm/v8/Leads", 400, "REQUIRED_PARAM_MISSING"),
        ("/crm/v2/Leads?fields=id", 400, "API_NOT_SUPPORTED"),
        ("/crm/v8/Leads/7/Notes?fields=id", 400, "INVALID_DATA"),
        ("/crm/v8/Leads?fields=id&per_page=201", 400, "INVALID_DATA"),
        ("/crm/v8/Leads?fields=id&page=11", 400, "DISCRETE_PAGINATION_LIMIT_EXCEEDED"),
        ("/nosuch", 404, "INVALID_URL_PATTERN"),
    ] {
        let said = desk.get(target);
        assert_eq!((said.status, &said.body["code"]), (status, &json!(code)), "{target}");
        assert_eq!(said.body["status"], "error");
    }
    assert_eq!(desk.read("Leads/7"), Value::Null);
    assert_eq!(desk.get("/crm/v8/Leads?fields=id").status, 204);
}

#[test]
fn lists_go_on_by_page_and_by_token() {
    let mut desk = Desk::zoho();
    let ids: Vec<String> = (0..5).map(|_| desk.lead(json!({}))).collect();
    let said = desk.get("/crm/v8/Leads?fields=Last_Name&per_page=2");
    assert_eq!(crate::support::ids(&said.body["data"]), [ids[4].clone(), ids[3].clone()]);
    let info = &said.body["info"];
    assert_eq!((&info["count"], &info["more_records"]), (&json!(2), &json!(true)));
    let token = info["next_page_token"].as_str().unwrap().to_owned();
    let next = format!("/crm/v8/Leads?fields=Last_Name&per_page=2&page_token={token}");
    desk.lead(json!({}));
    assert_eq!(crate::support::ids(&desk.get(&next).body["data"]), [ids[2].clone(), ids[1].clone()]);
    let second = desk.get("/crm/v8/Leads?fields=id&per_page=2&page=2&sort_order=asc");
    assert_eq!(crate::support::ids(&second.body["data"]), [ids[2].clone(), ids[3].clone()]);
    let some = desk.get(&format!("/crm/v8/Leads?fields=id&ids={},{},7", ids[0], ids[2]));
    assert_eq!(crate::support::ids(&some.body["data"]), [ids[2].clone(), ids[0].clone()]);
    desk.wait(24 * 3600);
    assert_eq!(desk.get(&next).status, 400, "a token is good for a day");
}
