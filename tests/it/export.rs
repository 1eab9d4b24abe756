//! What leaves in one piece: everything held on a person, and touches as a table.

use crate::command::Place;
use crate::support::client::{Client, META, Signer, meta_body, text};
use crate::support::desk::{Desk, Told, grant};
use crate::support::process::{Process, until_projected};
use jiff::Timestamp;
use serde_json::{Value, json};
use wabridge::web::api::token::Scope;

const A: &str = "919876543210";
const B: &str = "919876543211";
const SECOND: i64 = 1_790_000_000;

#[actix_web::test]
async fn an_export_holds_all_of_a_person_and_nothing_of_anybody_else() {
    let desk = Desk::open().await;
    desk.tell([
        Told::from_ad("m1", -30, "click-1").by(A).named("A Customer").with_bsuid("IN.abc"),
        Told::from_ad("m1", -30, "click-1").by(A).named("A Customer").with_bsuid("IN.abc"),
        Told::status("out1", -20, &[]).by(A),
        Told::text("m2", -10).by(B),
    ])
    .await;
    let all = desk.json("/v1/leads/+919876543210/export").await;
    assert_eq!(all["lead"], desk.json("/v1/leads/+919876543210").await);
    assert_eq!(all["touches"][0]["ctwa_clid"], "click-1");
    let timeline = desk.json("/v1/leads/+919876543210/timeline").await;
    assert_eq!(all["timeline"], timeline["items"]);
    let ids = |list: &Value| -> Vec<String> {
        list.as_array().unwrap().iter().map(|it| it["event_id"].as_str().unwrap().to_owned()).collect()
    };
    let events = ids(&all["events"]);
    assert_eq!(events.len(), 2);
    assert_eq!(all["events"][0]["reports"][0]["event"]["person"]["name"], "A Customer");
    assert_eq!(all["events"][0]["trace_id"], timeline["items"][0]["trace_id"]);
    let requests = all["requests"].as_array().unwrap();
    assert_eq!(requests.len(), 3, "a duplicate is a delivery too");
    let results: Vec<&Value> = requests.iter().map(|request| &request["items"][0]["result"]).collect();
    assert_eq!(results, ["applied", "duplicate", "applied"]);
    assert!(!all.to_string().contains("9876543211"));

    let reader = grant(&desk.store, "reader", &[Scope::LeadRead]);
    let exporter = grant(&desk.store, "exporter", &[Scope::Export]);
    let path = "/v1/leads/+919876543210/export";
    assert!(
        desk.get_as(Some(&reader), path).await.problem(403)["detail"].as_str().unwrap().contains("export")
    );
    assert_eq!(desk.get_as(Some(&exporter), path).await.status, 200);
    desk.get("/v1/leads/+919876543299/export").await.problem(404);
    desk.get("/v1/leads/+919876543210/export?format=text").await.problem(400);
}

#[test]
fn a_body_is_given_away_only_where_it_holds_nobody_else() {
    let place = Place::new(META);
    let mut process = Process::launch(&place, "");
    let addresses = process.ready();
    let post = |lists: Value| {
        let request = Signer::meta().post("main", &meta_body(lists), Timestamp::UNIX_EPOCH);
        assert_eq!(Client::connect(addresses.hooks).unwrap().send(&request).unwrap().0, 200);
    };
    post(json!({"messages": [text("wamid.own", A, SECOND)]}));
    post(json!({"messages": [text("wamid.shared", A, SECOND + 1), text("wamid.other", B, SECOND + 1)]}));
    post(
        json!({"messages": [text("wamid.bad", A, SECOND + 2), {"id": "wamid.x", "from": B, "type": "text"}]}),
    );
    until_projected(addresses.admin);
    let json = place.run(&["export", "98765 43210"]);
    assert_eq!(json.code, 0, "{json:?}");
    let all: Value = serde_json::from_str(&json.out).unwrap();
    let bodies: Vec<bool> =
        all["requests"].as_array().unwrap().iter().map(|request| request["body"].is_string()).collect();
    assert_eq!(bodies, [true, false, false]);
    assert!(all["requests"][0]["body"].as_str().unwrap().contains("wamid.own"));
    assert!(!json.out.contains(B), "{json:?}");
    let read = place.run(&["export", A, "--format", "text"]);
    assert_eq!(read.code, 0, "{read:?}");
    for expected in [
        "Identities",
        "Windows",
        "Timeline",
        "Events (3)",
        "Requests (3)",
        "its body is not given away",
        "wamid.own",
    ] {
        assert!(read.out.contains(expected), "{expected}: {read:?}");
    }
    assert!(!read.out.contains(B), "{read:?}");
    assert_eq!(place.run(&["export", B]).code, 0);
    assert_eq!(place.run(&["export", "+919876543299"]).code, 65);
    assert_eq!(place.run(&["export", A, "--format", "xml"]).code, 64);
    assert_eq!(process.stop(), Some(0));
}

#[actix_web::test]
async fn touches_are_a_table_for_whoever_asks_for_one() {
    let desk = Desk::open().await;
    let told = (0..1203_i64).map(|number| {
        let (id, click) = (format!("m{number}"), format!("click-{number}"));
        Told::from_ad(&id, number - 5000, &click).by(&format!("9198765{:05}", number % 401))
    });
    desk.tell(told).await;
    desk.tell([Told::from_ad("evil", 0, "=HYPERLINK(\"http://x\")").by(B)]).await;
    let table = desk.get_accepting("/v1/touches", "text/csv").await;
    assert_eq!((table.status, table.content_type.as_str()), (200, "text/csv; charset=utf-8; header=present"));
    let lines: Vec<&str> = table.text.split_terminator("\r\n").collect();
    assert_eq!(lines.len(), 1205, "all pages of it");
    let page = desk.get("/v1/touches?limit=1").await;
    let keys: Vec<&str> = lines[0].strip_suffix(",code").unwrap().split(',').collect();
    let (mut at, object) = (0, &page.text);
    for key in &keys {
        let found = object[at..]
            .find(&format!("\"{key}\":"))
            .unwrap_or_else(|| panic!("{key} after {at} in {object}"));
        at += found;
    }
    assert_eq!(keys.len(), page.json()["items"][0].as_object().unwrap().len());
    assert!(
        lines[1].contains(",\"+919876500000\",meta,main,main,\"+918047000000\",complete,"),
        "{}",
        lines[1]
    );
    assert!(lines[1204].contains(",\"'=HYPERLINK(\"\"http://x\"\")\","), "{}", lines[1204]);
    assert_eq!(lines[1..].iter().filter(|line| line.contains("click-1202,")).count(), 1);

    let some = desk.get_accepting("/v1/touches?limit=2&since=2026-11-22T12:00:00Z", "text/csv").await;
    assert_eq!(some.text.lines().count(), 2, "{}", some.text);
    let first = desk.get_accepting("/v1/touches?limit=2", "text/csv").await;
    assert_eq!(first.text, lines[..3].join("\r\n") + "\r\n");
    let cursor = page.json()["next"].as_str().unwrap().to_owned();
    let after = desk.get_accepting(&format!("/v1/touches?cursor={cursor}&limit=1"), "text/csv").await;
    assert_eq!(after.text.lines().nth(1), Some(lines[2]));

    let audit = grant(&desk.store, "audit", &[Scope::AttributionRead]);
    let nameless = desk.accepting(Some(&audit), "/v1/touches", "text/csv").await;
    assert_eq!(nameless.text.lines().count(), 1205);
    assert!(!nameless.text.contains("+9198765"));
    let reader = grant(&desk.store, "reader", &[Scope::LeadRead]);
    desk.accepting(Some(&reader), "/v1/touches", "text/csv").await.problem(403);
    assert_eq!(
        desk.get_accepting("/v1/touches?since=never", "text/csv").await.problem(400)["parameter"],
        "since"
    );
}
