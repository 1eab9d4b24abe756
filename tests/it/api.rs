//! The API over HTTP: who may ask, what is answered, and what is said of a question that cannot be.

use crate::support::desk::{Desk, NOON, OURS, Told, grant, noon, receive};
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::time::Duration;
use wabridge::clock::Clock;
use wabridge::config::Config;
use wabridge::store::Tokens;
use wabridge::web::api::document;
use wabridge::web::api::token::Scope;
use wabridge_model::event::{Call, CallDirection, Choice, Fact, Preference};

const HOUR: i64 = 3600;
const A: &str = "919876543210";
const B: &str = "919876543211";

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

/// The keys of an object in the order they were sent, which a parsed value does not keep.
fn keys_in_order(text: &str) -> Vec<String> {
    let parsed: Value = serde_json::from_str(text).unwrap();
    let mut keys: Vec<String> = keys(&parsed).into_iter().map(str::to_owned).collect();
    keys.sort_by_key(|key| text.find(&format!("\"{key}\":")).unwrap());
    keys
}

fn consent(event: &str, kind: &str, at: i64, consent: Option<Value>) -> Told {
    let mut json = json!({"event_id": event, "event_type": kind, "bot_id": "bot"});
    if let Some(consent) = consent {
        json["consent"] = consent;
    }
    Told::chatbot(json, at)
}

fn call(id: &str, at: i64) -> Told {
    let call =
        Call { id: id.into(), step: "connect".into(), direction: CallDirection::ByCustomer, answered: false };
    Told::new(id, at, Fact::Call(call))
}

async fn reason(desk: &Desk, lead: &str) -> Value {
    let verdict = desk.json(&format!("/v1/window?phone=%2B{lead}&business=%2B918047000000")).await;
    json!([verdict["reason"], verdict["may_send"]])
}

#[actix_web::test]
async fn the_verdict_is_the_object_of_the_contract() {
    let desk = Desk::open().await;
    desk.tell([Told::text("m1", -HOUR).by(A)]).await;
    let answered = desk.get("/v1/window?phone=%2B919876543210&business=%2B918047000000").await;
    let order = [
        "phone",
        "lead_id",
        "business_number",
        "may_send",
        "free_text_until",
        "last_inbound_at",
        "last_inbound_kind",
        "templates",
        "free_entry_until",
        "marketing_opt_out",
        "reason",
        "evidence",
        "as_of",
    ];
    assert_eq!(keys_in_order(&answered.text), order);
    let mut verdict = answered.json();
    assert_eq!(verdict["lead_id"], desk.json("/v1/leads/919876543210").await["id"]);
    assert_eq!(verdict["evidence"]["event_id"].as_str().unwrap().len(), 36);
    (verdict["lead_id"], verdict["evidence"]["event_id"]) = (json!("."), json!("."));
    let expected = json!({
        "phone": "+919876543210", "lead_id": ".", "business_number": OURS, "may_send": "free_text",
        "free_text_until": "2026-11-23T10:58:00Z", "last_inbound_at": "2026-11-22T11:00:00Z",
        "last_inbound_kind": "text", "templates": "any", "free_entry_until": null, "marketing_opt_out": false,
        "reason": "customer_wrote", "as_of": NOON,
        "evidence": {
            "event_id": ".", "provider": "meta", "reported_by": ["main"],
            "received_at": "2026-11-22T11:00:01Z",
        },
    });
    assert_eq!(verdict, expected);
}

#[actix_web::test]
async fn every_reason_is_answered_over_http() {
    let desk = Desk::open_with(|config: &mut Config| config.consent.required = true).await;
    let numbers: Vec<String> = (0..7).map(|n| format!("91987654320{n}")).collect();
    let told = [
        Told::text("m0", -HOUR).by(&numbers[0]),
        call("c1", -HOUR).by(&numbers[1]),
        Told::text("m2", -24 * HOUR).by(&numbers[2]),
        Told::text("m3", -HOUR).by(&numbers[3]),
        Told::gives_up("i3", -HOUR / 2, &numbers[3]).by("919876543299"),
        Told::text("m4", -HOUR).by(&numbers[4]),
        Told::status("o4", -HOUR / 2, &[131_047]).by(&numbers[4]),
        Told::text("m5", -HOUR).by(&numbers[5]),
        consent("e5", "consent.withdrawn", -HOUR / 2, None).by(&numbers[5]),
        Told::status("o6", -HOUR, &[]).by(&numbers[6]),
    ];
    desk.tell(told).await;
    let expected = [
        ("customer_wrote", "free_text"),
        ("customer_called", "free_text"),
        ("window_closed", "template_only"),
        ("number_changed", "template_only"),
        ("provider_refused", "template_only"),
        ("consent_withdrawn", "nothing"),
        ("never_wrote", "template_only"),
    ];
    for (number, (why, may)) in numbers.iter().zip(expected) {
        assert_eq!(reason(&desk, number).await, json!([why, may]), "{why}");
    }
    // Behind by less than five seconds nothing changes, by more nobody is written to freely.
    receive(&desk.store, 0).await;
    desk.clock.pass(Duration::from_secs(5));
    assert_eq!(reason(&desk, &numbers[0]).await[0], "customer_wrote");
    desk.clock.pass(Duration::from_secs(1));
    assert_eq!(reason(&desk, &numbers[0]).await, json!(["catching_up", "template_only"]));
    let verdict = desk.json("/v1/window?phone=919876543200&business=918047000000").await;
    assert_eq!(verdict["as_of"], NOON, "the receipt of the oldest request that waits");
    desk.clock.step_to(noon(-60));
    assert_eq!(reason(&desk, &numbers[0]).await, json!(["clock_unsure", "template_only"]));
}

#[actix_web::test]
async fn a_clock_that_stepped_is_not_trusted_for_a_minute() {
    let desk = Desk::open().await;
    desk.tell([Told::text("m1", -HOUR).by(A)]).await;
    desk.clock.step_to(noon(60));
    assert_eq!(reason(&desk, A).await[0], "clock_unsure");
    desk.clock.pass(Duration::from_secs(59));
    assert_eq!(reason(&desk, A).await[0], "clock_unsure");
    desk.clock.pass(Duration::from_secs(1));
    assert_eq!(reason(&desk, A).await[0], "customer_wrote");
}

#[actix_web::test]
async fn an_opt_out_leaves_utility_templates() {
    let desk = Desk::open().await;
    let stop = Preference { category: "marketing_messages".into(), choice: Choice::Stop };
    desk.tell([Told::text("m1", -HOUR).by(A), Told::new("p1", -60, Fact::Preference(stop)).by(A)]).await;
    let verdict = desk.json("/v1/window?lead=9876543210&business=918047000000").await;
    let told = json!([verdict["may_send"], verdict["templates"], verdict["marketing_opt_out"]]);
    assert_eq!(told, json!(["free_text", "utility_only", true]));
}

#[actix_web::test]
async fn somebody_unknown_is_an_answer_and_so_is_a_lead_that_wrote_to_no_number() {
    let desk = Desk::open().await;
    let created = json!({"event_id": "e1", "event_type": "lead.created", "bot_id": "bot"});
    desk.tell([Told::chatbot(created, -HOUR).by(B)]).await;
    let unknown = desk.json("/v1/window?phone=98765%2043210&business=8047000000").await;
    assert_eq!(unknown["phone"], "+919876543210");
    assert_eq!(unknown["lead_id"], Value::Null);
    assert_eq!(unknown["reason"], "never_wrote");
    assert_eq!(unknown["evidence"], Value::Null);
    assert_eq!(unknown["last_inbound_at"], Value::Null);
    let each = desk.json("/v1/window?phone=9876543210").await;
    assert_eq!(each["items"], json!([unknown]), "one for each configured number");
    let nameless = desk.json("/v1/window?lead=buyer@example.in").await;
    assert_eq!(nameless["items"][0]["phone"], Value::Null);
    let lead = desk.json("/v1/window?lead=9876543211").await;
    assert_eq!(lead["items"][0]["reason"], "never_wrote");
    assert_eq!(lead["items"][0]["lead_id"], desk.json("/v1/leads/9876543211").await["id"]);
}

#[actix_web::test]
async fn without_a_business_number_there_is_one_verdict_for_each_number_written_to() {
    let desk = Desk::open().await;
    let told = [
        Told::text("m1", -HOUR).by(A),
        Told::text("m2", -30 * HOUR).by(A).to("918047000009"),
        Told::status("o3", -HOUR, &[]).by(A).to("918047000005"),
    ];
    desk.tell(told).await;
    let answer = desk.json("/v1/window?phone=9876543210").await;
    let items = answer["items"].as_array().unwrap();
    let told: Vec<_> =
        items.iter().map(|item| (item["business_number"].as_str(), item["reason"].as_str())).collect();
    let expected = [(OURS, "customer_wrote"), ("+918047000009", "window_closed")];
    assert_eq!(told, expected.map(|(number, reason)| (Some(number), Some(reason))));
    assert_eq!(keys(&answer), ["items"]);
}

#[actix_web::test]
async fn at_an_instant_only_the_evidence_up_to_it_counts_and_doubts_do_not() {
    let desk = Desk::open().await;
    let told = [
        Told::text("m1", -40 * HOUR).by(A),
        Told::status("o1", -30 * HOUR, &[131_047]).by(A),
        Told::text("m2", -HOUR).by(A),
        Told::gives_up("i1", -60, A).by(B),
    ];
    desk.tell(told).await;
    receive(&desk.store, -30).await;
    desk.clock.step_to(noon(-3600));
    let id = desk.json("/v1/leads/9876543211").await["id"].clone();
    let cases = [
        (-41 * HOUR, "never_wrote", B),
        (-40 * HOUR, "customer_wrote", A),
        (-30 * HOUR - 1, "customer_wrote", A),
        (-30 * HOUR, "provider_refused", A),
        (-HOUR, "customer_wrote", A),
        (-60, "number_changed", B),
        (30 * HOUR, "number_changed", B),
    ];
    for (at, why, phone) in cases {
        for lead in [A, id.as_str().unwrap()] {
            let path = format!("/v1/window?lead={lead}&business=8047000000&at={}", noon(at));
            let verdict = desk.json(&path).await;
            assert_eq!(verdict["reason"], why, "{at}");
            assert_eq!(verdict["lead_id"], id, "{at}");
            assert_eq!(verdict["phone"], format!("+{phone}"), "{at}");
        }
    }
    let local =
        desk.json("/v1/window?lead=9876543210&business=8047000000&at=2026-11-22T16:30:00+05:30").await;
    assert_eq!(local["reason"], "customer_wrote", "a raw + in an offset");
}

#[actix_web::test]
async fn a_lead_before_a_join_is_judged_by_what_was_its_own() {
    let desk = Desk::open().await;
    let told = [
        Told::text("m1", -10 * HOUR).by(A),
        Told::text("m2", -5 * HOUR).with_bsuid("IN.abc").to("918047000009"),
        Told::text("m3", -HOUR).by(A).with_bsuid("IN.abc"),
    ];
    desk.tell(told).await;
    let id = desk.json("/v1/leads/IN.abc").await["id"].clone();
    let before = desk.json(&format!("/v1/window?lead=IN.abc&at={}", noon(-4 * HOUR))).await;
    let items = before["items"].as_array().unwrap();
    assert_eq!(items.len(), 1, "the phone's window was not yet theirs");
    assert_eq!(items[0]["business_number"], "+918047000009");
    assert_eq!(items[0]["lead_id"], id, "the id it answers under today");
    let now = desk.json("/v1/window?lead=IN.abc").await;
    assert_eq!(now["items"].as_array().unwrap().len(), 2);
}

#[actix_web::test]
async fn the_other_whatsapp_form_of_a_number_finds_the_lead_and_rewrites_nothing() {
    let desk = Desk::open().await;
    let told = [
        Told::text("m1", -HOUR).by("551187654321"),
        Told::text("m2", -HOUR).by("5215512345678"),
        Told::text("m3", -HOUR).by("525587654321"),
        Told::text("m4", -2 * HOUR).by("5215587654321"),
    ];
    desk.tell(told).await;
    for (asked, stored) in [
        ("5511987654321", "+551187654321"),
        ("+55 11 8765-4321", "+551187654321"),
        ("525512345678", "+5215512345678"),
        ("5215512345678", "+5215512345678"),
        // Both forms are leads: each is found exactly.
        ("525587654321", "+525587654321"),
        ("5215587654321", "+5215587654321"),
    ] {
        let lead = desk.json(&format!("/v1/leads/{}", asked.replace(' ', "%20"))).await;
        assert_eq!(lead["phone"], stored, "{asked}");
    }
}

#[actix_web::test]
async fn a_recycled_number_finds_its_holder_and_a_given_up_one_its_last() {
    let desk = Desk::open().await;
    let told = [
        Told::text("m1", -9 * HOUR).by(A).named("First"),
        Told::gives_up("i1", -8 * HOUR, A).by(B),
        Told::text("m2", -7 * HOUR).by(A).named("Second"),
    ];
    desk.tell(told).await;
    assert_eq!(desk.json("/v1/leads/9876543210").await["name"], "Second");
    assert_eq!(desk.json("/v1/leads/9876543211").await["name"], "First");
    desk.tell([Told::gives_up("i2", -HOUR, A).by("919876543212")]).await;
    assert_eq!(desk.json("/v1/leads/9876543210").await["name"], "Second", "the last who had it");
    // A template to the abandoned number gives birth to nobody.
    desk.tell([Told::status("o3", -60, &[]).by(A)]).await;
    assert_eq!(desk.json("/v1/leads/9876543210").await["name"], "Second");
}

#[actix_web::test]
async fn what_means_several_leads_is_a_conflict_that_names_them() {
    let desk = Desk::open().await;
    let told = [
        // Two people had and gave up a number within one second: nothing says who had it last.
        Told::text("a", -HOUR).by(A),
        Told::gives_up("b", -HOUR, A).by("919876543298"),
        Told::text("c", -HOUR).by(A),
        Told::gives_up("d", -HOUR, A).by("919876543299"),
        // Two people left one address.
        Told::text("e", -HOUR).by("919876543297").with_email("office@example.in"),
        Told::text("f", -HOUR).by("919876543296").with_email("office@example.in"),
    ];
    desk.tell(told).await;
    for (path, parameter, title) in [
        ("/v1/leads/9876543210", "LEAD", "ambiguous_phone"),
        ("/v1/leads/9876543210/timeline", "LEAD", "ambiguous_phone"),
        ("/v1/window?phone=9876543210", "phone", "ambiguous_phone"),
        ("/v1/window?lead=office@example.in", "lead", "ambiguous_lead"),
    ] {
        let problem = desk.get(path).await.problem(409);
        assert_eq!(problem["title"], title, "{path}");
        assert_eq!(problem["type"], format!("urn:wabridge:{title}"));
        assert_eq!(problem["parameter"], parameter);
        let ids = problem["lead_ids"].as_array().unwrap();
        assert_eq!(ids.len(), 2);
        for id in ids {
            assert_eq!(desk.json(&format!("/v1/leads/{}", id.as_str().unwrap())).await["id"], *id);
        }
    }
}

#[actix_web::test]
async fn a_disputed_name_is_shown_and_finds_nobody() {
    let desk = Desk::open().await;
    let told = [
        Told::text("m1", -3 * HOUR).by(A).with_bsuid("IN.first"),
        Told::text("m2", -2 * HOUR).by(A).with_bsuid("IN.second"),
    ];
    desk.tell(told).await;
    let lead = desk.json("/v1/leads/IN.first").await;
    let disputed: Vec<_> =
        lead["identities"].as_array().unwrap().iter().filter(|it| it["disputed"] == true).collect();
    assert_eq!(disputed.len(), 1);
    assert_eq!(disputed[0]["value"], "IN.second");
    assert!(lead["identities"][0].get("disputed").is_none(), "only where it is so");
    desk.get("/v1/leads/IN.second").await.problem(404);
}

#[actix_web::test]
async fn an_id_from_before_a_join_answers_with_the_id_it_was_merged_into() {
    let desk = Desk::open().await;
    desk.tell([Told::text("m1", -3 * HOUR).by(A), Told::text("m2", -2 * HOUR).with_bsuid("IN.abc")]).await;
    let (older, younger) = (desk.json("/v1/leads/9876543210").await, desk.json("/v1/leads/IN.abc").await);
    assert!(older["id"].as_str() < younger["id"].as_str());
    desk.tell([Told::text("m3", -HOUR).by(A).with_bsuid("IN.abc")]).await;
    let path = format!("/v1/leads/{}", younger["id"].as_str().unwrap());
    let joined = desk.json(&path).await;
    assert_eq!(joined["merged_into"], older["id"]);
    assert_eq!(joined["id"], older["id"]);
    let own = desk.json("/v1/leads/9876543210").await;
    assert!(own.get("merged_into").is_none());
    assert_eq!(own["id"], older["id"]);
    let timeline = desk.json(&format!("{path}/timeline")).await;
    assert_eq!(timeline["items"].as_array().unwrap().len(), 3);
}

#[actix_web::test]
async fn an_id_drawn_for_an_email_address_keeps_finding_its_lead() {
    let desk = Desk::open().await;
    let bot = |id: &str, at| {
        Told::chatbot(json!({"event_id": id, "event_type": "lead.created", "bot_id": "bot"}), at)
    };
    for address in ["buyer@example.in", "100%25sure@example.in"] {
        desk.tell([bot(address, -HOUR).with_email(&address.replace("%25", "%"))]).await;
        let lead = desk.json(&format!("/v1/leads/{address}")).await;
        assert_eq!(lead["phone"], Value::Null);
        assert_eq!(lead["source"], "chatbot:bot");
        let again = desk.json(&format!("/v1/leads/{}", lead["id"].as_str().unwrap())).await;
        assert_eq!(again, lead);
    }
}

#[actix_web::test]
async fn a_plus_in_a_path_or_query_may_be_raw_or_escaped() {
    let desk = Desk::open().await;
    desk.tell([Told::text("m1", -HOUR).by(A).with_username("A.Buyer").with_email("a+b@example.in")]).await;
    let lead = desk.json("/v1/leads/919876543210").await;
    for spelling in [
        "+919876543210",
        "%2B919876543210",
        "%2b91%2098765%2043210",
        "9876543210",
        "098765-43210",
        "whatsapp:+919876543210",
        "a.buyer",
        "@A.Buyer",
        "a+b@example.in",
        "a%2Bb@example.in",
    ] {
        assert_eq!(desk.json(&format!("/v1/leads/{spelling}")).await, lead, "{spelling}");
    }
    for query in ["phone=+919876543210", "phone=%2B919876543210", "phone=+91+98765+43210", "lead=@a.buyer"] {
        let path = format!("/v1/window?{query}&business=+918047000000");
        assert_eq!(desk.json(&path).await["lead_id"], lead["id"], "{query}");
    }
}

#[actix_web::test]
async fn a_lead_is_the_object_of_the_contract() {
    let desk = Desk::open().await;
    let created = json!({
        "event_id": "e1", "event_type": "lead.created", "bot_id": "bot",
        "visitor": {"company": "Acme", "company_size": "11-50", "country": "IN"},
        "context": {"source_url": "https://example.in/prices", "utm_source": "google", "utm_term": "crm"},
        "consent": {"text_version": "v2", "language": "en", "purpose": "crm"},
    });
    let told = [
        Told::chatbot(created, -2 * HOUR).by(A).with_email("buyer@example.in").named("A Customer"),
        Told::from_ad("m1", -HOUR, "click1").by(A),
        Told::from_ad("m2", -60, "click2").by(A),
        Told::status("o1", -30, &[]).by(A),
    ];
    desk.tell(told).await;
    let answered = desk.get("/v1/leads/9876543210").await;
    let lead = answered.json();
    let order = [
        "id",
        "phone",
        "name",
        "email",
        "identities",
        "source",
        "first_conversation_url",
        "utm",
        "first_seen_at",
        "last_seen_at",
        "windows",
        "attribution",
        "consent",
        "records",
        "company",
        "company_size",
        "country",
    ];
    let mut expected: Vec<&str> = order.to_vec();
    expected.sort_unstable();
    assert_eq!(keys(&lead), expected);
    let places: Vec<_> =
        order.iter().map(|key| answered.text.find(&format!("\"{key}\":")).unwrap()).collect();
    // `phone` and `id` occur in touches as well, but first here.
    assert!(places.is_sorted(), "{}", answered.text);
    assert_eq!(lead["name"], "A Customer");
    assert_eq!(lead["utm"], json!({"source": "google", "term": "crm"}));
    assert_eq!(lead["source"], "chatbot:bot");
    assert_eq!(lead["first_conversation_url"], "https://example.in/prices");
    assert_eq!(lead["first_seen_at"], "2026-11-22T10:00:00Z");
    assert_eq!(lead["last_seen_at"], "2026-11-22T11:59:00Z");
    assert_eq!(lead["records"], json!([]));
    let window = json!({
        "business_number": OURS, "last_inbound_at": "2026-11-22T11:59:00Z",
        "free_text_until": "2026-11-23T11:57:00Z",
    });
    assert_eq!(lead["windows"], json!([window]));
    assert_eq!(
        lead["identities"],
        json!([
            {"kind": "phone", "value": "+919876543210", "valid_from": "2026-11-22T10:00:00Z", "valid_to": null},
            {"kind": "email", "value": "buyer@example.in", "valid_from": "2026-11-22T10:00:00Z", "valid_to": null},
        ])
    );
    let attribution = &lead["attribution"];
    assert_eq!(keys_of_attribution(attribution), json!(["complete", null, 2, "click1", "click2"]));
    assert_eq!(lead["consent"][0]["purpose"], "crm");
    assert_eq!(lead["consent"][0]["state"], "given");
}

fn keys_of_attribution(of: &Value) -> Value {
    json!([of["state"], of["cause"], of["touches"], of["first"]["ctwa_clid"], of["last"]["ctwa_clid"]])
}

#[actix_web::test]
async fn a_timeline_is_whole_in_order_and_the_same_in_pages_of_any_size() {
    let desk = Desk::open().await;
    let withdrawn = consent("e4", "consent.withdrawn", -HOUR, Some(json!({"purpose": "crm"})));
    let told = [
        Told::status("o1", -2 * HOUR, &[131_047]).by(A),
        Told::from_ad("m1", -3 * HOUR, "click1").by(A),
        withdrawn.by(A),
        Told::gives_up("i1", -60, A).by(B),
        call("c1", -30).by(B),
        Told::text("other", -2 * HOUR).by("919876543219"),
    ];
    desk.tell(told).await;
    let whole = desk.json("/v1/leads/9876543211/timeline").await;
    assert_eq!(whole["next"], Value::Null);
    let items = whole["items"].as_array().unwrap();
    let told: Vec<Value> =
        items.iter().map(|it| json!([it["kind"], it["direction"], it["text"], it["message_id"]])).collect();
    let expected = [
        json!(["message", "inbound", "text m1", "m1"]),
        json!(["touch", "inbound", "Ask us on WhatsApp", "m1"]),
        json!(["status", "outbound", "failed (131047)", "o1"]),
        json!(["consent", "inbound", "withdrawn for crm", null]),
        json!(["identity", null, "number or id changed", null]),
        json!(["call", "inbound", "connect", "c1"]),
    ];
    assert_eq!(told, expected);
    assert_eq!(items[0]["at"], "2026-11-22T09:00:00Z");
    assert_eq!(items[0]["received_at"], "2026-11-22T09:00:01Z");
    assert_eq!(items[0]["trace_id"].as_str().unwrap().len(), 32);
    let text = desk.get("/v1/leads/9876543211/timeline?limit=1").await.text;
    let item = &text[text.find('[').unwrap() + 1..text.rfind(']').unwrap()];
    let order =
        ["at", "received_at", "kind", "direction", "provider", "event_id", "message_id", "trace_id", "text"];
    assert_eq!(keys_in_order(item), order);
    for limit in 1..=7 {
        assert_eq!(pages(&desk, "/v1/leads/9876543211/timeline?", limit).await, *items, "{limit}");
    }
}

async fn pages(desk: &Desk, path: &str, limit: usize) -> Vec<Value> {
    let mut all = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = desk.json(&format!("{path}limit={limit}{cursor}")).await;
        let items = page["items"].as_array().unwrap();
        assert!((1..=limit).contains(&items.len()), "no empty and no longer page");
        all.extend(items.iter().cloned());
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
    }
}

#[actix_web::test]
async fn touches_are_listed_by_time_in_pages_and_between_instants() {
    let desk = Desk::open().await;
    let told: Vec<Told> =
        (0..7).map(|n| Told::from_ad(&format!("m{n}"), -n / 2 * HOUR, &format!("click{n}")).by(A)).collect();
    desk.tell(told).await;
    let answered = desk.get("/v1/touches?limit=1").await;
    let touch =
        &answered.text[answered.text.find('[').unwrap() + 1..answered.text.rfind("],\"next\"").unwrap()];
    let order = [
        "id",
        "lead_id",
        "phone",
        "provider",
        "channel",
        "reported_by",
        "business_number",
        "state",
        "cause",
        "ctwa_clid",
        "ad_id",
        "post_id",
        "source_type",
        "source_url",
        "headline",
        "body",
        "media_type",
        "message_id",
        "occurred_at",
        "occurred_at_local",
        "received_at",
    ];
    assert_eq!(keys_in_order(touch), order);
    let first: Value = serde_json::from_str(touch).unwrap();
    assert_eq!(first["occurred_at"], "2026-11-22T09:00:00Z");
    assert_eq!(first["occurred_at_local"], "2026-11-22T14:30:00+05:30");
    assert_eq!(first["state"], "complete");
    assert_eq!(first["phone"], "+919876543210");
    let whole = desk.json("/v1/touches").await;
    let items = whole["items"].as_array().unwrap();
    assert_eq!(items.len(), 7);
    assert!(items.is_sorted_by_key(|touch| touch["occurred_at"].as_str().unwrap().to_owned()));
    for limit in 1..=8 {
        assert_eq!(pages(&desk, "/v1/touches?", limit).await, *items, "{limit}");
    }
    for (range, count) in [
        ("since=2026-11-22T10:00:00Z", 6),
        ("until=2026-11-22T10:00:00Z", 1),
        ("since=2026-11-22T10:00:00Z&until=2026-11-22T12:00:00Z", 4),
        ("since=2026-11-22T15:30:00+05:30", 6),
        ("since=2026-11-22&until=2026-11-23", 7),
        ("since=2026-11-23", 0),
    ] {
        let found = desk.json(&format!("/v1/touches?{range}")).await;
        assert_eq!(found["items"].as_array().unwrap().len(), count, "{range}");
    }
}

#[actix_web::test]
async fn many_leads_are_judged_at_once_with_an_error_for_each_that_cannot_be() {
    let desk = Desk::open().await;
    desk.tell([Told::text("m1", -HOUR).by(A), Told::text("m2", -HOUR).by(A).to("918047000009")]).await;
    let body = json!({
        "phones": ["+919876543210", "9876543x21", 9876543210u64, "9876543217"],
        "leads": ["9876543210", "IN.nobody", "?"],
    });
    let answer = desk.post("/v1/window", &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let items = answer.json()["items"].as_array().unwrap().clone();
    let told: Vec<Value> = items
        .iter()
        .map(|it| {
            json!([it["list"], it["index"], it["reason"], it["error"]["status"], it["error"]["parameter"]])
        })
        .collect();
    let expected = [
        json!(["phones", 0, "customer_wrote", null, null]),
        json!(["phones", 0, "customer_wrote", null, null]),
        json!(["phones", 1, null, 400, "phones"]),
        json!(["phones", 2, null, 400, "phones"]),
        json!(["phones", 3, "never_wrote", null, null]),
        json!(["leads", 0, "customer_wrote", null, null]),
        json!(["leads", 0, "customer_wrote", null, null]),
        json!(["leads", 1, "never_wrote", null, null]),
        json!(["leads", 2, null, 400, "leads"]),
    ];
    assert_eq!(told, expected);
    assert!(!answer.text.contains("9876543x21"), "an error repeats nothing");
    // With a business number and an instant, one verdict each.
    let body = json!({"phones": [A], "business": OURS, "at": noon(-2 * HOUR).to_string()});
    let items = desk.post("/v1/window", &body).await.json()["items"].clone();
    assert_eq!(items.as_array().unwrap().len(), 1);
    assert_eq!(items[0]["reason"], "never_wrote");
}

#[actix_web::test]
async fn too_many_leads_or_bytes_are_refused_and_a_thousand_are_not() {
    let desk = Desk::open().await;
    let phones: Vec<String> = (0..1000).map(|n| format!("+91987654{n:04}")).collect();
    let answer = desk.post("/v1/window", json!({"phones": phones})).await;
    assert_eq!(answer.json()["items"].as_array().unwrap().len(), 1000);
    let problem = desk.post("/v1/window", json!({"phones": phones, "leads": [A]})).await.problem(400);
    assert_eq!(problem["parameter"], "phones");
    assert!(problem["detail"].as_str().unwrap().contains("1000"));
    let long = json!({"leads": ["x".repeat(300_000)]});
    desk.post("/v1/window", long).await.problem(413);
    for body in ["", "{", "[]", "{}", "{\"phones\": 1}", "{\"phone\": [\"9876543210\"]}", "\u{0}"] {
        let answer = desk.post("/v1/window", body).await;
        let problem = answer.problem(400);
        assert!(problem["parameter"].is_string(), "{body}");
        assert!(!answer.text.contains("9876543210"));
    }
}

#[actix_web::test]
async fn a_question_that_cannot_be_answered_names_the_parameter_and_repeats_nothing() {
    let desk = Desk::open().await;
    desk.tell([Told::text("m1", -HOUR).by(A)]).await;
    for (path, parameter) in [
        ("/v1/window", "phone"),
        ("/v1/window?phone=98765x4321", "phone"),
        ("/v1/window?phone=", "phone"),
        ("/v1/window?phone=buyer@98765x4321.in", "phone"),
        ("/v1/window?phone=999198765432100", "phone"),
        ("/v1/window?lead=+98765", "lead"),
        ("/v1/window?phone=9876543210&lead=9876543210", "lead"),
        ("/v1/window?phone=9876543210&phone=9876543210", "phone"),
        ("/v1/window?phone=9876543210&business=98765x4321", "business"),
        ("/v1/window?phone=9876543210&at=98765x4321", "at"),
        ("/v1/window?phone=9876543210&bussiness=98765x4321", "query"),
        ("/v1/window?98765x4321", "query"),
        ("/v1/leads/98765-4321", "LEAD"),
        ("/v1/leads/%FF98765", "LEAD"),
        ("/v1/leads/98765!4321/timeline", "LEAD"),
        ("/v1/leads/9876543210/timeline?limit=0", "limit"),
        ("/v1/leads/9876543210/timeline?limit=501", "limit"),
        ("/v1/leads/9876543210/timeline?limit=98765x4321", "limit"),
        ("/v1/leads/9876543210/timeline?cursor=98765x4321", "cursor"),
        ("/v1/touches?since=98765x4321", "since"),
        ("/v1/touches?until=98765x4321", "until"),
        ("/v1/touches?cursor=98765x4321", "cursor"),
        ("/v1/attribution?since=98765x4321", "since"),
        ("/v1/attribution?until=98765x4321", "until"),
        ("/v1/attribution?by=98765x4321", "by"),
        ("/v1/attribution?model=98765x4321", "model"),
        ("/v1/attribution?date=98765x4321", "date"),
    ] {
        let answered = desk.get(path).await;
        let problem = answered.problem(400);
        assert_eq!(problem["parameter"], parameter, "{path}");
        assert_eq!(problem["type"], "about:blank");
        assert!(!answered.text.contains("98765x"), "{path}: {}", answered.text);
        assert!(!answered.text.contains("98765-4321"), "{path}: {}", answered.text);
    }
    let unknown = desk.get("/v1/leads/9876543219").await;
    unknown.problem(404);
    assert!(!unknown.text.contains("9876543219"));
}

#[actix_web::test]
async fn an_unknown_path_is_404_and_another_method_405() {
    let desk = Desk::open().await;
    for path in
        ["/v1", "/v1/", "/v1/windows", "/v1/lead", "/v1/leads/1/2/3", "/v1/leads/x/context", "/v1/job"]
    {
        let answered = desk.get(path).await;
        answered.problem(404);
    }
    for (method, path) in [
        ("PUT", "/v1/window"),
        ("DELETE", "/v1/leads/9876543210"),
        ("POST", "/v1/leads/9876543210/timeline"),
        ("PATCH", "/v1/touches"),
        ("POST", "/v1/attribution"),
        ("POST", "/v1/openapi.json"),
    ] {
        let problem = desk.method(method, path).await.problem(405);
        assert!(problem["detail"].as_str().unwrap().contains("GET"), "{path}");
    }
    for path in ["/v1/jobs/1/retry", "/v1/jobs/1/discard"] {
        let problem = desk.method("GET", path).await.problem(405);
        assert_eq!(problem["detail"], "this route knows POST only", "{path}");
    }
}

#[actix_web::test]
async fn every_route_is_open_to_its_scope_and_to_admin_and_to_nobody_else() {
    let desk = Desk::open().await;
    desk.tell([Told::from_ad("m1", -HOUR, "click1").by(A)]).await;
    let routes = [
        ("GET", "/v1/window?phone=9876543210", Scope::LeadRead),
        ("POST", "/v1/window", Scope::LeadRead),
        ("GET", "/v1/leads/9876543210", Scope::LeadRead),
        ("GET", "/v1/leads/9876543210/timeline", Scope::LeadRead),
        ("GET", "/v1/touches", Scope::AttributionRead),
        ("GET", "/v1/attribution?by=day", Scope::AttributionRead),
    ];
    for scope in Scope::ALL {
        let token = grant(&desk.store, &format!("only {}", scope.as_str()), &[scope]);
        for (method, path, needed) in routes {
            let answered = match method {
                "GET" => desk.get_as(Some(&token), path).await,
                _ => desk.post_as(Some(&token), path, json!({"phones": [A]}).to_string()).await,
            };
            if scope == needed || scope == Scope::Admin {
                assert_eq!(answered.status, 200, "{method} {path} as {}", scope.as_str());
                continue;
            }
            let problem = answered.problem(403);
            assert!(problem["detail"].as_str().unwrap().contains(needed.as_str()), "{path}");
            assert!(answered.challenge.unwrap().contains("insufficient_scope"));
        }
    }
    for (method, path, _) in routes {
        for token in [None, Some("wab_"), Some("x"), Some("")] {
            let answered = match method {
                "GET" => desk.get_as(token, path).await,
                _ => desk.post_as(token, path, "{}".to_owned()).await,
            };
            answered.problem(401);
            assert_eq!(answered.challenge.as_deref(), Some("Bearer"), "{method} {path}");
        }
    }
    assert_eq!(desk.get_as(None, "/v1/openapi.json").await.status, 200);
}

#[actix_web::test]
async fn without_lead_read_a_touch_names_no_person() {
    let desk = Desk::open().await;
    desk.tell([Told::from_ad("m1", -HOUR, "click1").by(A)]).await;
    let marketer = grant(&desk.store, "marketer", &[Scope::AttributionRead]);
    let both = grant(&desk.store, "both", &[Scope::AttributionRead, Scope::LeadRead]);
    let whole = desk.json("/v1/touches").await["items"][0].clone();
    assert_eq!(whole["phone"], "+919876543210");
    assert_eq!(desk.get_as(Some(&both), "/v1/touches").await.json()["items"][0], whole);
    let answered = desk.get_as(Some(&marketer), "/v1/touches").await;
    let mut expected = whole.clone();
    (expected["phone"], expected["message_id"]) = (Value::Null, Value::Null);
    assert_eq!(answered.json()["items"][0], expected, "the lead's id stays");
    assert!(!answered.text.contains("9876543210"));
}

#[actix_web::test]
async fn a_revoked_token_is_refused_at_once() {
    let desk = Desk::open().await;
    let token = grant(&desk.store, "rep", &[Scope::LeadRead]);
    let path = "/v1/window?phone=9876543210";
    assert_eq!(desk.get_as(Some(&token), path).await.status, 200);
    assert!(desk.store.revoke_token("rep", desk.clock.now() + SignedDuration::from_secs(1)).unwrap());
    let answered = desk.get_as(Some(&token), path).await;
    answered.problem(401);
    assert!(!answered.text.contains(&token));
}

#[actix_web::test]
async fn every_route_and_every_schema_is_described() {
    let desk = Desk::open().await;
    desk.tell([Told::text("m1", -HOUR).by(A)]).await;
    let described = desk.get_as(None, "/v1/openapi.json").await;
    assert_eq!(described.content_type, "application/json");
    assert_eq!(described.text, document());
    let description = described.json();
    let mut operations = Vec::new();
    for (path, methods) in description["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            operations.push(format!("{method} {path}"));
            assert!(operation["summary"].is_string(), "{method} {path}");
            let answered = desk.method(&method.to_uppercase(), &path.replace("{LEAD}", A)).await;
            assert!(![404, 405].contains(&answered.status), "{method} {path}: {}", answered.text);
        }
    }
    let routes = [
        "get /v1/attribution",
        "get /v1/jobs",
        "post /v1/jobs/{id}/discard",
        "post /v1/jobs/{id}/retry",
        "get /v1/leads",
        "get /v1/leads/{LEAD}",
        "get /v1/leads/{LEAD}/export",
        "get /v1/leads/{LEAD}/timeline",
        "get /v1/openapi.json",
        "get /v1/touches",
        "get /v1/window",
        "post /v1/window",
    ];
    assert_eq!(operations, routes);
    for (name, schema) in description["components"]["schemas"].as_object().unwrap() {
        assert!(schema["description"].is_string(), "{name} is not described");
        for (property, of) in schema["properties"].as_object().into_iter().flatten() {
            // A sum of two shapes carries its description where the shapes are.
            let described = of["description"].is_string() || of.get("oneOf").is_some();
            assert!(described, "{name}.{property}: {of}");
        }
    }
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json");
    let kept = std::fs::read_to_string(golden).unwrap_or_default();
    if kept.trim_end() != described.text && std::env::var_os("WABRIDGE_UPDATE_GOLDEN").is_some() {
        std::fs::write(golden, format!("{}\n", described.text)).unwrap();
        return;
    }
    assert!(
        kept.trim_end() == described.text,
        "the API changed: run this test with WABRIDGE_UPDATE_GOLDEN=1 and read the difference"
    );
}
