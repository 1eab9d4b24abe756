//! COQL and search: what they find, what they refuse, and how far they are behind.

use crate::support::{Desk, ids};
use serde_json::json;

#[test]
fn a_query_finds_what_it_says() {
    let desk = Desk::zoho();
    let a = desk.lead(json!({"Last_Name": "Rao", "Phone": "+919876543210", "Email": "rao@example.com",
        "chatbot_messages_count": 12, "last_inbound_at": "2026-11-20T00:00:00Z"}));
    let b = desk.lead(json!({"Last_Name": "O'Neil", "Mobile": "09876543210", "chatbot_messages_count": 3,
        "Email_Opt_Out": true}));
    let table = [
        ("Phone = '+919876543210'", vec![&a]),
        ("Phone = '9876543210'", vec![]),
        ("Phone in ('+919876543210', '1') or Mobile in ('09876543210')", vec![&a, &b]),
        ("(Phone like '%3210' or Mobile like '%3210')", vec![&a, &b]),
        ("Email = 'RAO@example.com'", vec![&a]),
        ("Last_Name = 'o\\'neil'", vec![&b]),
        ("Last_Name like 'Ra%'", vec![&a]),
        ("Last_Name like '%nei%'", vec![&b]),
        ("Last_Name not in ('Rao')", vec![&b]),
        ("chatbot_messages_count > 3", vec![&a]),
        ("chatbot_messages_count between 3 and 12", vec![&a, &b]),
        ("last_inbound_at < '2026-11-20T05:30:01+05:30'", vec![&a]),
        ("Mobile is null", vec![&a]),
        ("Mobile is not null", vec![&b]),
        ("Email_Opt_Out = true", vec![&b]),
        ("((Last_Name = 'Rao' and chatbot_messages_count = 12) and Mobile is null)", vec![&a]),
    ];
    for (filter, found) in table {
        let query = format!("SELECT id FROM Leads WHERE {filter} LIMIT 200");
        assert_eq!(desk.selected(&query).iter().collect::<Vec<_>>(), found, "{filter}");
    }
    let said = desk
        .coql("select Last_Name, Owner from Leads where id is not null order by Last_Name desc limit 0, 1");
    assert_eq!(
        said.body["data"][0],
        json!({"id": a, "Last_Name": "Rao", "Owner": {"id": "4876876000000225013"}})
    );
    assert_eq!(said.body["info"], json!({"count": 1, "more_records": true}));
    assert_eq!(desk.selected("select id from Leads where id is not null limit 1 offset 1"), [b]);
    let parent = json!({"module": {"api_name": "Leads"}, "id": a});
    let note = desk.made("Notes", json!({"Note_Content": "x", "Note_Title": "T", "Parent_Id": parent}));
    assert_eq!(desk.selected(&format!("select id from Notes where Parent_Id.id = '{a}'")), [note]);
}

#[test]
fn a_query_that_is_not_right_is_refused() {
    let desk = Desk::zoho();
    let many = (0..26).map(|_| "City = 'x'").fold(String::new(), |all, one| {
        if all.is_empty() { one.to_owned() } else { format!("({all} or {one})") }
    });
    let values = vec!["'x'"; 51].join(",");
    let table = [
        ("select id from Leads".to_owned(), "SYNTAX_ERROR"),
        ("select id from Leads where City = 'a' and City = 'b' and City = 'c'".to_owned(), "SYNTAX_ERROR"),
        ("select id from Leads where City = 'a' and City = 'b' or City = 'c'".to_owned(), "SYNTAX_ERROR"),
        ("select id from Leads where (City = 'a'".to_owned(), "SYNTAX_ERROR"),
        ("select id from Leads where City = 'a".to_owned(), "SYNTAX_ERROR"),
        ("select id from Leads where City = a".to_owned(), "SYNTAX_ERROR"),
        ("select nosuch from Leads where City = 'a'".to_owned(), "INVALID_QUERY"),
        ("select id from Leads where nosuch = 'a'".to_owned(), "INVALID_QUERY"),
        ("select id from Nosuch where City = 'a'".to_owned(), "INVALID_QUERY"),
        ("select id from Leads where Description = 'a'".to_owned(), "INVALID_QUERY"),
        ("select id from Leads where City like 'a%b'".to_owned(), "INVALID_QUERY"),
        ("select id from Leads where chatbot_messages_count = 'many'".to_owned(), "INVALID_QUERY"),
        ("select id from Leads where City = 'a' limit 2001".to_owned(), "LIMIT_EXCEEDED"),
        ("select id from Leads where City = 'a' limit 100000, 1".to_owned(), "LIMIT_EXCEEDED"),
        (format!("select id from Leads where {many}"), "LIMIT_EXCEEDED"),
        (format!("select id from Leads where City in ({values})"), "LIMIT_EXCEEDED"),
    ];
    for (query, code) in table {
        let said = desk.coql(&query);
        assert_eq!((said.status, &said.body["code"]), (400, &json!(code)), "{query}: {}", said.body);
    }
    assert_eq!(desk.coql("select id from Leads where City = 'a' limit 2000").status, 204);
}

#[test]
fn search_goes_by_phone_email_word_and_criteria() {
    let desk = Desk::zoho();
    let a = desk.lead(
        json!({"Last_Name": "Rao", "Company": "ABC Inc", "Phone": "+919876543210", "City": "Navi Mumbai"}),
    );
    let b = desk.lead(json!({"Last_Name": "Shah", "Company": "ABC", "Mobile": "+919876543211", "Email": "s@example.com", "City": "Pune (East)"}));
    let table = [
        ("phone=%2B919876543210", vec![&a]),
        ("phone=9876543210", vec![]),
        ("phone=%2B919876543211", vec![&b]),
        ("email=S@example.com", vec![&b]),
        ("word=mumbai", vec![&a]),
        ("criteria=(Phone:equals:%2B919876543210)", vec![&a]),
        ("criteria=(Phone:equals:+919876543210)", vec![]),
        ("criteria=(Company:equals:ABC)", vec![&b]),
        ("criteria=((Company:equals:ABC)and(Last_Name:starts_with:R))", vec![&a]),
        ("criteria=((Phone:equals:%2B919876543210)or(Mobile:equals:%2B919876543211))", vec![&b, &a]),
        ("criteria=(City:equals:Pune%20\\(East\\))", vec![&b]),
        ("criteria=(Last_Name:in:Rao,Shah)", vec![&b, &a]),
    ];
    for (query, found) in table {
        let said = desk.get(&format!("/crm/v8/Leads/search?{query}"));
        let ids = if said.status == 204 { Vec::new() } else { ids(&said.body["data"]) };
        assert_eq!(ids.iter().collect::<Vec<_>>(), found, "{query}: {} {}", said.status, said.body);
    }
    let eleven = (0..10).fold("(City:equals:x)".to_owned(), |all, _| format!("({all}or(City:equals:x))"));
    for query in [
        "fields=id".to_owned(),
        "criteria=City:equals:x".to_owned(),
        "criteria=(Nosuch:equals:x)".to_owned(),
        format!("criteria={eleven}"),
    ] {
        assert_eq!(desk.get(&format!("/crm/v8/Leads/search?{query}")).status, 400, "{query}");
    }
}

#[test]
fn search_and_queries_are_behind_and_reads_are_not() {
    let mut desk = Desk::zoho();
    desk.tell("/_set", json!({"search_lag_seconds": 5}));
    let id = desk.lead(json!({"City": "Pune", "Phone": "+919876543210"}));
    let query = |city: &str| format!("select id from Leads where City = '{city}'");
    desk.wait(4);
    assert_eq!(desk.selected(&query("Pune")), [""; 0]);
    assert_eq!(desk.get("/crm/v8/Leads/search?phone=%2B919876543210").status, 204);
    assert_eq!(desk.read(&format!("Leads/{id}"))["City"], "Pune");
    assert_eq!(desk.get("/crm/v8/Leads?fields=City").status, 200);
    desk.wait(1);
    assert_eq!(desk.selected(&query("Pune")), std::slice::from_ref(&id));
    desk.put(&format!("Leads/{id}"), json!({"City": "Surat"}));
    desk.wait(4);
    assert_eq!((desk.selected(&query("Pune")), desk.selected(&query("Surat"))), (vec![id.clone()], vec![]));
    desk.wait(1);
    assert_eq!((desk.selected(&query("Pune")), desk.selected(&query("Surat"))), (vec![], vec![id]));
}
