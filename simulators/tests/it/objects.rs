//! Contacts, deals and activities: made, read, changed, linked, merged, one at a time and in batches.

use crate::support::{CONTACTS, Desk, ids};
use serde_json::{Value, json};

const DEALS: &str = "/crm/objects/2026-09/deals";
const COMMUNICATIONS: &str = "/crm/objects/2026-09/communications";

#[test]
fn a_contact_is_made_read_changed_and_archived_under_every_version_of_the_path() {
    for root in ["/crm/objects/2026-09", "/crm/objects/2026-03", "/crm/v3/objects", "/crm/v4/objects"] {
        for kind in ["contacts", "contact", "0-1"] {
            let desk = Desk::new();
            let contacts = format!("{root}/{kind}");
            let made = desk.post(&contacts, json!({"properties": {"email": "Asha@Example.com"}}));
            assert_eq!(made.status, 201, "{contacts}: {}", made.body);
            assert_eq!(made.body["properties"]["email"], "asha@example.com");
            let one = format!("{contacts}/{}", made.id());
            let changed = desk.patch(&one, json!({"properties": {"firstname": "Asha", "email": ""}}));
            assert_eq!(changed.status, 200);
            let read = desk.get(&format!("{one}?properties=firstname,email,nosuch"));
            assert_eq!(read.body["properties"]["firstname"], "Asha");
            assert_eq!(read.body["properties"]["email"], Value::Null);
            assert!(read.body["properties"].get("nosuch").is_none(), "{}", read.body);
            assert_eq!(desk.call("DELETE", &one, &Value::Null).status, 204);
            assert_eq!(desk.get(&one).status, 404);
            // HubSpot's Python client writes it with a capital.
            for told in ["true", "True"] {
                assert_eq!(desk.get(&format!("{one}?archived={told}")).body["archived"], true, "{told}");
            }
        }
    }
    assert_eq!(Desk::new().get("/crm/objects/2019-01/contacts").status, 404);
}

#[test]
fn a_phone_alone_makes_no_contact() {
    let desk = Desk::new();
    let said = desk.post(CONTACTS, json!({"properties": {"phone": "+919800000001"}}));
    assert_eq!((said.status, &said.body["category"]), (400, &json!("VALIDATION_ERROR")));
    assert_eq!(desk.ledger()["persons"], json!([]));
    for name in ["email", "firstname", "lastname"] {
        let value = if name == "email" { "a@example.com" } else { "A" };
        assert_eq!(desk.post(CONTACTS, json!({"properties": {name: value}})).status, 201, "{name}");
    }
}

#[test]
fn a_second_contact_of_an_address_is_refused_with_the_id_of_the_first_in_the_message() {
    let desk = Desk::new();
    let first = desk.contact(json!({"email": "asha@example.com"}));
    let other = desk.contact(json!({"lastname": "Other"}));
    let created = desk.post(CONTACTS, json!({"properties": {"email": "ASHA@example.com"}}));
    let updated =
        desk.patch(&format!("{CONTACTS}/{other}"), json!({"properties": {"email": "asha@example.com"}}));
    let inputs = json!({"inputs": [
        {"properties": {"lastname": "New"}, "objectWriteTraceId": "a"},
        {"properties": {"email": "asha@example.com"}, "objectWriteTraceId": "b"},
    ]});
    let batch = desk.post(&format!("{CONTACTS}/batch/create"), inputs);
    for said in [created, updated, batch] {
        assert_eq!((said.status, &said.body["category"]), (409, &json!("CONFLICT")));
        assert_eq!(said.body["message"], format!("Contact already exists. Existing ID: {first}"));
    }
    assert_eq!(desk.ledger()["persons"].as_array().unwrap().len(), 2, "a refused batch makes nobody");
}

#[test]
fn a_unique_property_of_the_customer_belongs_to_one_record() {
    let desk = Desk::new();
    let first = desk.contact(json!({"lastname": "A", "wa_e164": "+919800000001"}));
    let rival = json!({"properties": {"lastname": "B", "wa_e164": "+919800000001"}});
    let refused = desk.post(CONTACTS, rival.clone());
    assert_eq!((refused.status, refused.codes()), (400, vec!["CONFLICTING_UNIQUE_VALUE"]));
    assert!(refused.body["errors"][0]["message"].as_str().unwrap().contains(&format!("{first} already has")));
    let by_key = desk.get(&format!("{CONTACTS}/%2B919800000001?idProperty=wa_e164"));
    assert_eq!(by_key.id(), first);
    assert_eq!(desk.get(&format!("{CONTACTS}/A?idProperty=lastname")).status, 400);
    // Once it is given up, another may have it.
    desk.patch(&format!("{CONTACTS}/{first}"), json!({"properties": {"wa_e164": ""}}));
    assert_eq!(desk.post(CONTACTS, rival).status, 201);
}

#[test]
fn values_are_held_to_the_type_of_their_property() {
    let desk = Desk::new();
    let id = desk.contact(json!({"lastname": "A"}));
    let one = format!("{CONTACTS}/{id}");
    let fine = [
        ("chatbot_messages_count", json!("12"), "12"),
        ("chatbot_messages_count", json!(7), "7"),
        ("last_inbound_at", json!("2026-11-23T08:33:12Z"), "2026-11-23T08:33:12Z"),
        ("last_inbound_at", json!("1795421592000"), "2026-11-23T08:13:12Z"),
        ("lifecyclestage", json!("lead"), "lead"),
        ("hubspot_owner_id", json!("77310001"), "77310001"),
    ];
    for (name, value, kept) in fine {
        let said = desk.patch(&one, json!({"properties": {name: value}}));
        assert_eq!((said.status, &said.body["properties"][name]), (200, &json!(kept)), "{name}");
    }
    let refused = [
        ("chatbot_messages_count", json!("many"), "INVALID_NUMBER"),
        ("last_inbound_at", json!("yesterday"), "INVALID_DATE"),
        ("lifecyclestage", json!("Lead"), "INVALID_OPTION"),
        ("hubspot_owner_id", json!("12"), "INVALID_OPTION"),
        ("email", json!("nobody"), "INVALID_EMAIL"),
        ("hs_object_id", json!("5"), "READ_ONLY_VALUE"),
        ("hs_searchable_calculated_phone_number", json!("5"), "READ_ONLY_VALUE"),
        ("nosuch", json!("5"), "PROPERTY_DOESNT_EXIST"),
        ("firstname", json!({"a": 1}), "INVALID_VALUE"),
        ("firstname", json!("x".repeat(65_537)), "PROPERTY_VALUE_TOO_LONG"),
    ];
    for (name, value, code) in refused {
        let said = desk.patch(&one, json!({"properties": {"city": "Pune", name: value}}));
        assert_eq!((said.status, said.codes()), (400, vec![code]), "{name}");
        assert_eq!(said.body["category"], "VALIDATION_ERROR");
        assert_eq!(said.body["errors"][0]["context"]["propertyName"], json!([name]));
    }
    assert!(desk.ledger()["persons"][0]["fields"].get("city").is_none(), "refused writes write nothing");
    // Older paths have the list in the message as well.
    let old = desk.patch(&format!("/crm/v3/objects/contacts/{id}"), json!({"properties": {"nosuch": "5"}}));
    assert!(old.body["message"].as_str().unwrap().contains(r#""error":"PROPERTY_DOESNT_EXIST""#));
}

#[test]
fn a_stage_of_life_goes_forward_unless_it_is_cleared_first() {
    let desk = Desk::new();
    let one = format!("{CONTACTS}/{}", desk.contact(json!({"lastname": "A", "lifecyclestage": "customer"})));
    let to = |stage: &str| {
        let said = desk.patch(&one, json!({"properties": {"lifecyclestage": stage}}));
        assert_eq!(said.status, 200);
        said.body["properties"]["lifecyclestage"].clone()
    };
    assert_eq!(to("lead"), "customer");
    assert_eq!(to("evangelist"), "evangelist");
    assert_eq!(to(""), Value::Null);
    assert_eq!(to("lead"), "lead");
}

#[test]
fn an_upsert_by_a_unique_property_makes_or_changes_and_says_which() {
    let desk = Desk::new();
    let known = desk.contact(json!({"lastname": "A", "wa_e164": "+919800000001"}));
    let input = |number: &str, properties: Value| json!({"id": number, "idProperty": "wa_e164", "properties": properties, "objectWriteTraceId": number});
    let inputs = json!({"inputs": [
        input("+919800000002", json!({"lastname": "New"})),
        input("+919800000001", json!({"city": "Pune"})),
        input("+919800000003", json!({"city": "Pune"})),
    ]});
    let said = desk.post(&format!("{CONTACTS}/batch/upsert"), inputs.clone());
    assert_eq!((said.status, &said.body["status"]), (207, &json!("COMPLETE")), "{}", said.body);
    let results = said.body["results"].as_array().unwrap();
    assert_eq!((&results[0]["id"], &results[0]["new"]), (&json!(known), &json!(false)), "by id, not as sent");
    assert_eq!(results[0]["objectWriteTraceId"], "+919800000001");
    assert_eq!(
        (&results[1]["new"], &results[1]["properties"]["wa_e164"]),
        (&json!(true), &json!("+919800000002"))
    );
    // A third person without a name cannot be made: told apart by the trace id.
    assert_eq!(said.body["numErrors"], 1);
    assert_eq!(said.body["errors"][0]["context"]["objectWriteTraceId"], json!(["+919800000003"]));
    assert_eq!(said.body["errors"][0]["category"], "VALIDATION_ERROR");
    // Promised by the published schema, empty or not.
    assert_eq!(
        (&said.body["errors"][0]["links"], &said.body["errors"][0]["errors"]),
        (&json!({}), &json!([]))
    );

    let again = desk.post(&format!("{CONTACTS}/batch/upsert"), json!({"inputs": [inputs["inputs"][0]]}));
    assert_eq!((again.status, &again.body["results"][0]["new"]), (200, &json!(false)));
    assert_eq!(desk.ledger()["persons"].as_array().unwrap().len(), 2);
}

#[test]
fn a_batch_without_trace_ids_is_written_whole_or_not_at_all() {
    let desk = Desk::new();
    let one = desk.contact(json!({"lastname": "A"}));
    let create = json!({"inputs": [{"properties": {"lastname": "B"}}, {"properties": {"nosuch": "C"}}]});
    assert_eq!(desk.post(&format!("{CONTACTS}/batch/create"), create).status, 400);
    let update =
        json!({"inputs": [{"id": one, "properties": {"city": "Pune"}}, {"id": "999", "properties": {}}]});
    let said = desk.post(&format!("{CONTACTS}/batch/update"), update);
    assert_eq!(
        (said.status, ids(&said.body["results"])),
        (207, vec![one.clone()]),
        "who is gone is told apart"
    );
    assert_eq!(said.body["errors"][0]["context"]["ids"], json!(["999"]));
    assert_eq!(said.body["errors"][0]["category"], "OBJECT_NOT_FOUND");
    let twice = json!({"inputs": [{"id": one, "properties": {}}, {"id": one, "properties": {}}]});
    let said = desk.post(&format!("{CONTACTS}/batch/update"), twice);
    assert!(said.status == 400 && said.body["message"].as_str().unwrap().starts_with("Duplicate IDs"));
    let many: Vec<Value> = (0..101).map(|_| json!({"properties": {"lastname": "A"}})).collect();
    assert_eq!(desk.post(&format!("{CONTACTS}/batch/create"), json!({ "inputs": many })).status, 400);
    assert_eq!(desk.ledger()["persons"].as_array().unwrap().len(), 1);
}

#[test]
fn an_upsert_by_address_is_not_partial() {
    let desk = Desk::new();
    let url = format!("{CONTACTS}/batch/upsert");
    let upsert = |inputs: Value| desk.post(&url, json!({ "inputs": inputs }));
    let whole = json!({"id": "a@example.com", "idProperty": "email", "objectWriteTraceId": "1",
                       "properties": {"email": "a@example.com", "lastname": "A"}});
    let part = json!({"id": "b@example.com", "idProperty": "email", "objectWriteTraceId": "2",
                      "properties": {"lastname": "B"}});
    assert_eq!(upsert(json!([whole, part])).status, 400);
    assert_eq!(desk.ledger()["persons"], json!([]));
    assert_eq!(upsert(json!([whole])).body["results"][0]["new"], true);
}

#[test]
fn a_batch_is_read_by_id_or_by_a_unique_property() {
    let desk = Desk::new();
    let a = desk.contact(json!({"email": "a@example.com", "wa_e164": "+919800000001"}));
    let b = desk.contact(json!({"email": "b@example.com"}));
    let read = |body: Value| desk.post(&format!("{CONTACTS}/batch/read"), body);
    let by_id = read(json!({"properties": ["email"], "inputs": [{"id": b}, {"id": a}]}));
    assert_eq!((by_id.status, ids(&by_id.body["results"])), (200, vec![a.clone(), b]));
    let by_key = read(json!({"idProperty": "wa_e164", "properties": ["wa_e164"],
                             "inputs": [{"id": "+919800000001"}, {"id": "+919800000009"}]}));
    assert_eq!((by_key.status, ids(&by_key.body["results"])), (207, vec![a]));
    assert_eq!(by_key.body["errors"][0]["context"]["ids"], json!(["+919800000009"]));
}

#[test]
fn an_activity_is_made_and_linked_at_once() {
    let desk = Desk::new();
    let person = desk.contact(json!({"lastname": "A"}));
    let activity = |number: u64, to: &str| {
        json!({"properties": {"hs_communication_channel_type": "WHATS_APP", "hs_communication_logged_from": "CRM",
                              "hs_communication_body": "Hello", "hs_timestamp": "2026-11-23T08:00:00Z"},
               "associations": [{"to": {"id": to}, "types": [
                   {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": number}]}]})
    };
    assert_eq!(
        desk.post(COMMUNICATIONS, activity(82, &person)).status,
        400,
        "the way back has another number"
    );
    assert_eq!(desk.post(COMMUNICATIONS, activity(81, "999")).status, 400);
    assert_eq!(desk.ledger()["activities"], json!([]));
    let made = desk.post(COMMUNICATIONS, activity(81, &person));
    assert_eq!(made.status, 201, "{}", made.body);
    let ledger = &desk.ledger()["activities"][0];
    assert_eq!((&ledger["person_id"], &ledger["text"]), (&json!(person), &json!("Hello")));
    let read = desk.get(&format!("{CONTACTS}/{person}?associations=communications,deals"));
    let linked = &read.body["associations"];
    assert_eq!(ids(&linked["communications"]["results"]), vec![made.id()]);
    assert!(linked.get("deals").is_none());
    let list = desk.get(&format!("/crm/v4/objects/contacts/{person}/associations/communications"));
    let told = &list.body["results"][0];
    assert_eq!(told["toObjectId"].to_string(), made.id());
    assert_eq!(told["associationTypes"][0]["typeId"], 82);
}

#[test]
fn a_note_needs_its_time_and_is_linked_without_numbers() {
    let desk = Desk::new();
    let person = desk.contact(json!({"lastname": "A"}));
    let notes = "/crm/objects/2026-09/notes";
    assert_eq!(desk.post(notes, json!({"properties": {"hs_note_body": "x"}})).status, 400);
    let body = json!({"properties": {"hs_note_body": "x", "hs_timestamp": "1795421592000"}});
    let note = desk.post(notes, body).id();
    let put =
        desk.call("PUT", &format!("{notes}/{note}/associations/default/contacts/{person}"), &Value::Null);
    assert_eq!(
        (put.status, &put.body["results"][0]["associationSpec"]["associationTypeId"]),
        (200, &json!(202))
    );
    let inputs = json!({"inputs": [{"from": {"id": person}, "to": {"id": note}}]});
    let batch = desk.post("/crm/associations/2026-09/contacts/notes/batch/associate/default", inputs);
    assert_eq!(batch.status, 200, "{}", batch.body);
    assert!(batch.body["startedAt"].is_string() && batch.body["completedAt"].is_string(), "{}", batch.body);
    let read = json!({"inputs": [{"id": person}]});
    let read = desk.post("/crm/v4/associations/contacts/notes/batch/read", read);
    assert_eq!(read.body["results"][0]["to"][0]["toObjectId"].to_string(), note);
    assert_eq!(desk.ledger()["activities"][0]["person_id"], json!(person));
}

#[test]
fn a_deal_stands_in_a_stage_of_its_pipeline() {
    let desk = Desk::new();
    let person = desk.contact(json!({"lastname": "A"}));
    let deal = |properties: Value| {
        desk.post(
            DEALS,
            json!({"properties": properties, "associations": [{"to": {"id": person}, "types": [
            {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 3}]}]}),
        )
    };
    let table = [
        (json!({"dealname": "D"}), "MISSING_REQUIRED_PROPERTY"),
        (json!({"dealname": "D", "dealstage": "Appointment Scheduled"}), "INVALID_OPTION"),
        (json!({"dealname": "D", "dealstage": "918273640"}), "INVALID_OPTION"),
        (json!({"dealname": "D", "pipeline": "nosuch", "dealstage": "closedwon"}), "INVALID_OPTION"),
        (json!({"dealname": "D", "pipeline": "918273645", "dealstage": "918273641"}), "READ_ONLY_VALUE"),
    ];
    for (properties, code) in table {
        let said = deal(properties.clone());
        assert_eq!((said.status, said.codes()), (400, vec![code]), "{properties}");
    }
    let made = deal(json!({"dealname": "D", "dealstage": "appointmentscheduled", "amount": "2500.50"}));
    assert_eq!(made.status, 201, "{}", made.body);
    let ledger = &desk.ledger()["deals"][0];
    assert_eq!((&ledger["pipeline"], &ledger["person_id"]), (&json!("default"), &json!(person)));
    let won =
        desk.patch(&format!("{DEALS}/{}", made.id()), json!({"properties": {"dealstage": "closedwon"}}));
    assert_eq!(won.body["properties"]["hs_is_closed_won"], "true");
}

#[test]
fn the_loser_of_a_merge_leads_to_the_winner() {
    let desk = Desk::new();
    let winner = desk.contact(json!({"lastname": "Winner", "email": "w@example.com"}));
    let loser =
        desk.contact(json!({"lastname": "Loser", "email": "l@example.com", "wa_e164": "+919800000001"}));
    let deal = desk.post(DEALS, json!({"properties": {"dealname": "D", "dealstage": "closedwon"}})).id();
    desk.call("PUT", &format!("{DEALS}/{deal}/associations/default/contacts/{loser}"), &Value::Null);
    let body = json!({"primaryObjectId": winner, "objectIdToMerge": loser});
    assert_eq!(desk.post(&format!("{CONTACTS}/merge"), body).status, 200);
    for url in [
        format!("{CONTACTS}/{loser}"),
        format!("{CONTACTS}/l@example.com?idProperty=email"),
        format!("{CONTACTS}/%2B919800000001?idProperty=wa_e164"),
    ] {
        assert_eq!(desk.get(&url).id(), winner, "{url}");
    }
    let ledger = desk.ledger();
    assert_eq!(ledger["persons"].as_array().unwrap().len(), 1);
    let fields = &ledger["persons"][0]["fields"];
    assert_eq!((&fields["lastname"], &fields["wa_e164"]), (&json!("Winner"), &json!("+919800000001")));
    assert_eq!(fields["hs_additional_emails"], "l@example.com");
    assert_eq!(ledger["deals"][0]["person_id"], json!(winner));
    let written = desk.patch(&format!("{CONTACTS}/{loser}"), json!({"properties": {"city": "Pune"}}));
    assert_eq!(written.id(), winner);
}

#[test]
fn all_contacts_are_listed_page_by_page() {
    let desk = Desk::new();
    let made: Vec<String> = (0..5).map(|at| desk.contact(json!({"lastname": format!("P{at}")}))).collect();
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = desk.get(&format!("{CONTACTS}?limit=2{after}"));
        seen.extend(ids(&page.body["results"]));
        match page.body["paging"]["next"]["after"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert_eq!(seen, made);
}
