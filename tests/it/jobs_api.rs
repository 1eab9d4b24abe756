//! `/v1/jobs`: what waits and what failed, over a real store, and what may be done to it by hand.

use crate::support::desk::{Desk, Told, grant, noon};
use serde_json::{Value, json};
use std::sync::Arc;
use wabridge::config::{Config, SecretReference, Target};
use wabridge::routing::Routes;
use wabridge::store::Outbox;
use wabridge::store::outbox::{Claim, End, Leased, Settled};
use wabridge::web::api::token::Scope;
use wabridge_model::{OperationKind, Priority};

const A: &str = "919876543210";
const B: &str = "919876543211";
const CAUSE: &str = "invalid: VALIDATION_ERROR (field phone)";

/// A desk whose leads go to a target: two wrote.
async fn desk() -> Desk {
    let crm = wabridge_crms::registry::find("hubspot").unwrap();
    let target = Target::new("hubspot", crm, SecretReference::Held("token".into()));
    let desk = Desk::open().await;
    let config = Config { targets: vec![target], ..Config::new("/nowhere") };
    desk.store.route_by(Arc::new(Routes::new(&config)));
    desk.tell([Told::text("m1", -60).by(A), Told::text("m2", -50).by(B)]).await;
    desk
}

fn lease(desk: &Desk) -> Vec<Leased> {
    let claim = Claim {
        target: "hubspot",
        now: noon(0),
        until: noon(60),
        urgent: 10,
        bulk: 10,
        down_to: Priority::Bulk,
    };
    desk.store.claim_jobs(claim).unwrap()
}

/// Settles the persons of leased bundles as dead, and what follows them as held.
fn refuse(desk: &Desk, leased: Vec<Leased>) {
    let settled = leased.into_iter().map(|bundle| {
        let end = |kind| match kind {
            OperationKind::Person => End::Dead(CAUSE.into()),
            _ => End::Held("person_dead".into()),
        };
        let ends = bundle.jobs.iter().map(|job| (job.id, job.revision, end(job.kind))).collect();
        Settled {
            lease: bundle.lease,
            target: "hubspot".into(),
            lead: bundle.lead,
            ends,
            record: None,
            at: noon(1),
        }
    });
    desk.store.settle_jobs(settled.collect()).unwrap();
}

fn persons(listed: &Value) -> Vec<i64> {
    let items = listed["items"].as_array().unwrap().iter();
    items.filter(|job| job["kind"] == "person").map(|job| job["id"].as_i64().unwrap()).collect()
}

#[actix_web::test]
async fn jobs_are_listed_by_state_target_and_lead_with_the_keys_of_the_contract_and_counts_beside_them() {
    let desk = desk().await;
    let all = desk.json("/v1/jobs").await;
    let job = all["items"][0].as_object().unwrap();
    let keys: Vec<&str> = job.keys().map(String::as_str).collect();
    let contract = [
        "attempts",
        "cause",
        "due_at",
        "id",
        "kind",
        "lead_id",
        "matched_by",
        "priority",
        "state",
        "subject",
        "target",
        "trace_id",
    ];
    assert!(contract.iter().all(|key| keys.contains(key)) && keys.len() == contract.len(), "{keys:?}");
    let count = all["items"].as_array().unwrap().len();
    assert_eq!((persons(&all).len(), &all["counts"]["pending"]), (2, &json!(count)));
    assert_eq!(all["next"], Value::Null);

    let of_one = desk.json("/v1/jobs?lead=98765%2043210&target=hubspot").await;
    assert_eq!(persons(&of_one).len(), 1);
    assert_eq!(desk.json("/v1/jobs?lead=%2B919876549999").await["items"], json!([]));
    assert_eq!(desk.json("/v1/jobs?target=other").await["items"], json!([]));

    refuse(&desk, lease(&desk));
    let dead = desk.json("/v1/jobs?state=dead").await;
    assert_eq!((persons(&dead).len(), &dead["counts"]["dead"]), (2, &json!(2)));
    assert!(dead["items"].as_array().unwrap().iter().all(|job| job["cause"] == CAUSE), "{dead}");
    assert_eq!(desk.json("/v1/jobs?state=suppressed").await["items"], json!([]));

    let problem = desk.get("/v1/jobs?state=ded").await.problem(400);
    assert_eq!(problem["parameter"], "state");
    assert!(problem["detail"].as_str().unwrap().contains("did you mean dead?"), "{problem}");
}

#[actix_web::test]
async fn pages_of_jobs_hold_each_job_once() {
    let desk = desk().await;
    let all: Vec<Value> = desk.json("/v1/jobs").await["items"].as_array().unwrap().clone();
    let (mut paged, mut path) = (Vec::new(), "/v1/jobs?limit=1".to_owned());
    loop {
        let page = desk.json(&path).await;
        paged.extend(page["items"].as_array().unwrap().clone());
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/v1/jobs?limit=1&cursor={next}");
    }
    assert_eq!(paged, all);
    assert_eq!(desk.get("/v1/jobs?cursor=7").await.problem(400)["parameter"], "cursor");
}

#[actix_web::test]
async fn a_dead_job_is_retried_or_given_up_and_what_is_being_written_is_left_alone() {
    let desk = desk().await;
    let ids = persons(&desk.json("/v1/jobs").await);
    let leased = lease(&desk);
    let conflict = desk.post(&format!("/v1/jobs/{}/retry", ids[0]), "").await.problem(409);
    assert!(conflict["detail"].as_str().unwrap().starts_with("this job is leased: "), "{conflict}");
    refuse(&desk, leased);

    let retried = desk.post(&format!("/v1/jobs/{}/retry", ids[0]), "").await;
    assert_eq!((retried.status, &retried.json()["state"]), (200, &json!("pending")), "{}", retried.text);
    assert_eq!(retried.json()["attempts"], 0);

    let discard = format!("/v1/jobs/{}/discard", ids[1]);
    for body in ["", "{}", r#"{"reason": " "}"#, r#"{"reason": "x", "now": true}"#] {
        desk.post(&discard, body).await.problem(400);
    }
    assert_eq!(desk.json("/v1/jobs?state=dead").await["counts"]["dead"], 1, "a refused body changes nothing");
    let given_up = desk.post(&discard, json!({ "reason": "a test lead" })).await;
    assert_eq!((given_up.status, &given_up.json()["state"]), (200, &json!("discarded")), "{}", given_up.text);
    desk.post(&discard, json!({ "reason": "again" })).await.problem(409);
    desk.post(&format!("/v1/jobs/{}/retry", ids[1]), "").await.problem(409);
    let counts = desk.json("/v1/jobs").await["counts"].clone();
    assert_eq!((&counts["dead"], &counts["discarded"]), (&json!(0), &json!(1)), "{counts}");
    desk.post("/v1/jobs/999999/retry", "").await.problem(404);
    assert_eq!(desk.post("/v1/jobs/x/retry", "").await.problem(400)["parameter"], "id");
}

#[actix_web::test]
async fn whoever_may_read_jobs_may_not_change_them() {
    let desk = desk().await;
    let id = persons(&desk.json("/v1/jobs").await)[0];
    let reads = grant(&desk.store, "reads", &[Scope::JobRead]);
    let leads = grant(&desk.store, "leads", &[Scope::LeadRead]);
    assert_eq!(desk.get_as(Some(&reads), "/v1/jobs").await.status, 200);
    desk.get_as(Some(&leads), "/v1/jobs").await.problem(403);
    desk.get_as(None, "/v1/jobs").await.problem(401);
    let discard = format!("/v1/jobs/{id}/discard");
    let body = json!({ "reason": "x" }).to_string();
    desk.post_as(Some(&reads), &discard, body.clone()).await.problem(403);
    desk.post_as(None, &discard, body).await.problem(401);
    desk.post_as(Some(&reads), &format!("/v1/jobs/{id}/retry"), String::new()).await.problem(403);
    let counts = desk.json("/v1/jobs").await["counts"].clone();
    assert_eq!(counts["discarded"], 0, "{counts}");
}
