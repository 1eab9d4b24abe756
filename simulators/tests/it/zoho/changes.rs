//! What a human does in Zoho, and the notices of it.

use crate::support::Desk;
use serde_json::{Value, json};

/// Makes an edit, and gives what is told of it.
fn told(desk: &Desk, change: Value) -> Vec<Value> {
    desk.tell("/_change", change);
    let notices = desk.simulator.notices();
    let headers = |at: usize| notices[at].headers("https://hooks.example.in/crm/zoho", desk.now);
    assert!((0..notices.len()).all(|at| headers(at).iter().all(|(name, _)| name == "content-type")));
    notices.iter().map(|notice| serde_json::from_slice(&notice.body).unwrap()).collect()
}

#[test]
fn an_edit_is_told_with_the_token_and_what_was_changed() {
    let desk = Desk::zoho();
    let id = desk.lead(json!({"City": "Pune"}));
    let [notice] = &told(&desk, json!({"person_id": id, "field": "City", "value": "Surat"}))[..] else {
        panic!()
    };
    assert_eq!(notice["token"], desk.simulator.notice_secret());
    assert!(desk.simulator.notice_secret().len() <= 50);
    assert_eq!(
        (&notice["module"], &notice["operation"], &notice["ids"]),
        (&json!("Leads"), &json!("update"), &json!([id]))
    );
    assert_eq!(notice["affected_fields"], json!([{id.clone(): ["City"]}]));
    assert_eq!(notice["affected_values"], json!([{"record_id": id, "values": {"City": "Surat"}}]));
    assert_eq!(notice["server_time"], desk.now.as_millisecond());
    let lead = desk.read(&format!("Leads/{id}"));
    assert_eq!((&lead["City"], &lead["Modified_By"]["name"]), (&json!("Surat"), &json!("Ravi Rep")));
    let deal = json!({"Deal_Name": "D", "Stage": "Qualification", "Closing_Date": "2027-02-21"});
    let deal = desk.made("Deals", deal);
    let [notice] = &told(&desk, json!({"deal_id": deal, "stage": "Closed Won"}))[..] else { panic!() };
    assert_eq!(
        (&notice["module"], &notice["affected_fields"][0][&deal]),
        (&json!("Deals"), &json!(["Stage"]))
    );
    let [notice] = &told(&desk, json!({"person_id": id, "delete": true}))[..] else { panic!() };
    assert_eq!((&notice["operation"], &notice["affected_values"]), (&json!("delete"), &json!([])));
    assert_eq!(desk.read(&format!("Leads/{id}")), Value::Null);
}

#[test]
fn a_converted_lead_leads_to_its_contact_and_is_hidden_otherwise() {
    let desk = Desk::zoho();
    let lead = desk.lead(
        json!({"Last_Name": "Rao", "Company": "Acme", "Phone": "+919876543210", "wa_e164": "+919876543210"}),
    );
    let parent = json!({"module": {"api_name": "Leads"}, "id": lead});
    desk.made("Notes", json!({"Note_Content": "Asked.", "Parent_Id": parent}));
    desk.made("Tasks", json!({"Subject": "Call", "What_Id": {"id": lead}, "$se_module": "Leads"}));
    let notices = told(&desk, json!({"person_id": lead, "convert": true}));
    let modules: Vec<&str> = notices.iter().map(|it| it["module"].as_str().unwrap()).collect();
    assert_eq!(modules, ["Contacts", "Leads"]);
    let contact = notices[0]["ids"][0].as_str().unwrap();

    assert_eq!(desk.read(&format!("Leads/{lead}")), Value::Null, "not without being asked for");
    let shown = desk.read(&format!("Leads/{lead}?converted=true"));
    assert_eq!((&shown["$converted"], &shown["Converted__s"]), (&json!(true), &json!(true)));
    assert_eq!(shown["$converted_detail"]["contact"], contact);
    assert_eq!(shown["Converted_Contact"]["id"], contact);
    assert_eq!(desk.get("/crm/v8/Leads?fields=id").status, 204);
    assert_eq!(desk.get("/crm/v8/Leads?fields=id&converted=both").body["data"][0], json!({"id": lead}));
    assert_eq!(desk.get("/crm/v8/Leads/search?phone=%2B919876543210").status, 204);
    assert_eq!(desk.selected("select id from Leads where Phone = '+919876543210'"), [""; 0]);
    let asked =
        "select id, Converted_Contact from Leads where (Phone = '+919876543210' and Converted__s = true)";
    assert_eq!(desk.coql(asked).body["data"][0]["Converted_Contact"]["id"], contact);

    let made = desk.read(&format!("Contacts/{contact}"));
    assert_eq!((&made["wa_e164"], &made["Account_Name"]["name"]), (&json!("+919876543210"), &json!("Acme")));
    let ledger = desk.ledger();
    let persons = ledger["persons"].as_array().unwrap();
    assert_eq!(
        (persons.len(), &persons[0]["id"], &persons[0]["kind"]),
        (1, &json!(contact), &json!("contact"))
    );
    assert_eq!(
        (&ledger["activities"][0]["person_id"], &ledger["tasks"][0]["person_id"]),
        (&json!(contact), &json!(contact))
    );

    let said = desk.put(&format!("Leads/{lead}"), json!({"City": "Pune"}));
    assert_eq!((said.status, &said.entry(0)["code"]), (202, &json!("CONVERTED_RECORD")));
    let parent = json!({"module": {"api_name": "Leads"}, "id": lead});
    let said = desk.make("Notes", json!([{"Note_Content": "x", "Parent_Id": parent}]));
    assert_eq!(said.entry(0)["code"], "CONVERTED_RECORD");
    // The trap: the lead holds its key no more, so that an upsert of leads makes another one.
    let body = json!({"data": [{"Last_Name": "Rao", "Company": "A", "wa_e164": "+919876543210"}], "duplicate_check_fields": ["wa_e164"]});
    assert_eq!(desk.post("/crm/v8/Leads/upsert", body).entry(0)["action"], "insert");
}

#[test]
fn a_lead_becomes_the_contact_that_has_its_key() {
    let desk = Desk::zoho();
    let contact = desk.made("Contacts", json!({"Last_Name": "Known", "wa_e164": "+919876543210"}));
    let lead = desk.lead(
        json!({"Last_Name": "Rao", "City": "Pune", "Email": "rao@example.com", "wa_e164": "+919876543210"}),
    );
    told(&desk, json!({"person_id": lead, "convert": true}));
    assert_eq!(desk.read(&format!("Leads/{lead}?converted=true"))["$converted_detail"]["contact"], contact);
    let shown = desk.read(&format!("Contacts/{contact}"));
    assert_eq!((&shown["Last_Name"], &shown["Email"]), (&json!("Known"), &json!("rao@example.com")));
    assert_eq!(desk.ledger()["persons"].as_array().unwrap().len(), 1);
}

#[test]
fn what_is_merged_away_is_deleted_and_what_it_had_moves() {
    let desk = Desk::zoho();
    let loser = desk
        .made("Contacts", json!({"Last_Name": "A", "Email": "a@example.com", "wa_e164": "+919876543210"}));
    let winner = desk.made("Contacts", json!({"Last_Name": "B"}));
    desk.made("Deals", json!({"Deal_Name": "D", "Stage": "Qualification", "Closing_Date": "2027-02-21", "Contact_Name": loser}));
    let notices = told(&desk, json!({"person_id": loser, "merge_into": winner}));
    assert_eq!([&notices[0]["ids"][0], &notices[1]["ids"][0]], [&json!(winner), &json!(loser)]);
    assert_eq!((&notices[0]["operation"], &notices[1]["operation"]), (&json!("update"), &json!("delete")));
    assert_eq!(desk.read(&format!("Contacts/{loser}")), Value::Null);
    let shown = desk.read(&format!("Contacts/{winner}"));
    assert_eq!(
        (&shown["Last_Name"], &shown["Email"], &shown["wa_e164"]),
        (&json!("B"), &json!("a@example.com"), &json!("+919876543210"))
    );
    assert_eq!(desk.ledger()["deals"][0]["person_id"], winner);
    let said = desk.make("Contacts", json!([{"Last_Name": "C", "wa_e164": "+919876543210"}]));
    assert_eq!(said.entry(0)["details"]["duplicate_record"]["id"], winner);
}

#[test]
fn an_edit_that_cannot_be_made_is_refused_and_not_told() {
    let desk = Desk::zoho();
    let id = desk.lead(json!({}));
    let contact = desk.made("Contacts", json!({"Last_Name": "A"}));
    for change in [
        json!({"person_id": contact, "convert": true}),
        json!({"person_id": id, "merge_into": id}),
        json!({"person_id": id, "merge_into": contact}),
        json!({"person_id": id, "field": "nosuch", "value": "x"}),
        json!({"person_id": id, "field": "Full_Name", "value": "x"}),
        json!({"person_id": id, "field": "Lead_Source", "value": "Elsewhere"}),
        json!({"person_id": "7", "delete": true}),
        json!({"deal_id": "7", "stage": "Closed Won"}),
    ] {
        assert_eq!(desk.post("/_change", change.clone()).status, 400, "{change}");
    }
    assert!(desk.simulator.notices().is_empty());
}
