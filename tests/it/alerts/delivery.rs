//! What goes wrong on the way to CRMs is told when it begins and when it ends.

use super::Watch;
use crate::support::desk::noon;
use serde_json::Value;
use std::time::Duration;
use wabridge::alerts::Alert;
use wabridge::config::target::{Auth, Login, Mode};
use wabridge::config::{SecretReference, Target};
use wabridge::outbox::budget::Seen;
use wabridge::store::login::{LoginRow, Logins};
use wabridge::store::outbox::Outbox;
use wabridge_crms::registry;
use wabridge_crms::schema::{Field, FieldKind, Object, Schema};

const NOTHING: [Value; 0] = [];

/// A watcher of one live HubSpot that maps nothing.
fn watch() -> Watch {
    let watch = Watch::start();
    let hubspot = registry::find("hubspot").unwrap();
    let target = Target::new("hubspot", hubspot, SecretReference::Environment("NOWHERE".to_owned()));
    change(&watch, |targets| targets.push(target));
    watch
}

fn change(watch: &Watch, change: impl FnOnce(&mut Vec<Target>)) {
    let mut watched = (*watch.config.get()).clone();
    change(&mut watched.targets);
    watch.config.set(watched);
}

/// A job that was asked for at noon.
fn job(watch: &Watch, state: &str, priority: u8, cause: Option<&str>) {
    const ADD: &str =
        "INSERT INTO jobs (target, lead, kind, subject, revision, state, priority, wanted_at, due_at, cause, trace_id)
         VALUES ('hubspot', randomblob(16), 'person', '', 1, ?1, ?2, ?3, ?3, ?4, '')";
    let at = noon(0).as_millisecond();
    file(watch).execute(ADD, rusqlite::params![state, priority, at, cause]).unwrap();
}

fn file(watch: &Watch) -> rusqlite::Connection {
    rusqlite::Connection::open(watch.store.path()).unwrap()
}

fn is_written(watch: &Watch) {
    file(watch).execute("UPDATE jobs SET state = 'done', cause = NULL", []).unwrap();
}

fn text(told: &Value, key: &str) -> String {
    told[key].as_str().unwrap().to_owned()
}

#[actix_web::test]
async fn dead_letters_are_told_by_cause_until_they_are_retried() {
    let mut watch = watch();
    job(&watch, "dead", 1, Some("invalid: VALIDATION_ERROR (field size)"));
    let told = watch.told(Alert::DeadLetters, "firing").await;
    assert!(text(&told, "text").contains("VALIDATION_ERROR (field size)"), "{told}");
    assert_eq!(told["next"], "wabridge jobs list --state dead --target hubspot");
    is_written(&watch);
    watch.told(Alert::DeadLetters, "resolved").await;
}

#[actix_web::test]
async fn something_urgent_is_told_after_five_minutes_until_it_is_written() {
    let mut watch = watch();
    job(&watch, "pending", 1, None);
    watch.clock.pass(Duration::from_secs(300));
    assert_eq!(watch.step().await, NOTHING, "five minutes are allowed");
    watch.clock.pass(Duration::from_secs(1));
    let told = watch.told(Alert::UrgentUndelivered, "firing").await;
    assert_eq!(told["since"], "2026-11-22T12:00:00Z");
    is_written(&watch);
    watch.told(Alert::UrgentUndelivered, "resolved").await;
}

#[actix_web::test]
async fn what_can_wait_is_told_after_hours_unless_something_holds_it() {
    let mut watch = watch();
    job(&watch, "pending", 2, Some("down: connect"));
    job(&watch, "held", 1, Some("consent"));
    watch.clock.pass(Duration::from_secs(4 * 3600));
    assert_eq!(watch.step().await, NOTHING, "four hours are allowed");
    watch.clock.pass(Duration::from_secs(1));
    let told = watch.told(Alert::Undelivered, "firing").await;
    assert!(text(&told, "text").starts_with("something has waited 4 h"), "{told}");
    watch.change(|alerts| alerts.undelivered = Duration::from_secs(5 * 3600));
    watch.told(Alert::Undelivered, "resolved").await;
    watch.change(|alerts| alerts.undelivered = Duration::from_secs(3600));
    watch.told(Alert::Undelivered, "firing").await;
    file(&watch).execute("UPDATE jobs SET state = 'held' WHERE priority = 2", []).unwrap();
    watch.told(Alert::Undelivered, "resolved").await;
}

#[actix_web::test]
async fn nothing_is_overdue_at_a_target_that_an_operator_stopped() {
    let mut watch = watch();
    job(&watch, "pending", 1, None);
    watch.clock.pass(Duration::from_secs(9 * 3600));
    change(&watch, |targets| targets[0].mode = Mode::Paused);
    assert_eq!(watch.step().await, NOTHING);
    change(&watch, |targets| targets[0].mode = Mode::Live);
    watch.store.pause_target("hubspot", Some("operator: migration")).unwrap();
    assert_eq!(watch.step().await, NOTHING);
    watch.store.pause_target("hubspot", None).unwrap();
    let told: Vec<Value> = watch.step().await;
    let alerts: Vec<&str> = told.iter().filter_map(|told| told["alert"].as_str()).collect();
    assert_eq!(alerts, ["urgent_undelivered", "undelivered"]);
}

#[actix_web::test]
async fn writes_that_end_ill_are_told_by_their_share_of_the_last_quarter_of_an_hour() {
    let mut watch = watch();
    let attempts = |watch: &Watch, result, count| {
        for _ in 0..count {
            watch.metrics.attempted("hubspot", result);
        }
    };
    attempts(&watch, "retry", 19);
    assert_eq!(watch.step().await, NOTHING, "nineteen attempts are too few to say");
    attempts(&watch, "dead", 1);
    let told = watch.told(Alert::WriteFailures, "firing").await;
    assert!(text(&told, "text").starts_with("20 of 20 attempts to write to hubspot"), "{told}");
    attempts(&watch, "done", 60);
    attempts(&watch, "suppressed", 20);
    watch.told(Alert::WriteFailures, "resolved").await;
    attempts(&watch, "doubt", 1);
    watch.told(Alert::WriteFailures, "firing").await;
    watch.clock.pass(Duration::from_secs(899));
    assert_eq!(watch.step().await, NOTHING, "they still count");
    watch.clock.pass(Duration::from_secs(2));
    watch.told(Alert::WriteFailures, "resolved").await;
    attempts(&watch, "retry", 20);
    watch.change(|alerts| alerts.write_success_percent = 0);
    assert_eq!(watch.step().await, NOTHING, "any share is allowed");
}

/// The same target, with a login that was renewed at noon for an hour.
fn logged_in(watch: &Watch) -> LoginRow {
    let row = LoginRow {
        sealed: Vec::new(),
        generation: 1,
        renew_at: Some(noon(3300)),
        expires_at: Some(noon(3600)),
        wait_until: None,
        fault: None,
        changed_at: noon(0),
    };
    assert!(watch.store.keep_login("hubspot", &row, None).unwrap());
    let login = Login {
        client_id: "client".to_owned(),
        client_secret: SecretReference::Environment("NOWHERE".to_owned()),
        accounts_url: "https://accounts.example.com".to_owned(),
        redirect: None,
    };
    change(watch, |targets| targets[0].auth = Auth::Login(login));
    row
}

fn keep(watch: &Watch, row: &LoginRow) {
    assert!(watch.store.keep_login("hubspot", row, Some(row.generation)).unwrap());
}

#[actix_web::test]
async fn a_login_that_the_crm_ended_is_told_until_somebody_logs_in_again() {
    let mut watch = watch();
    let row = logged_in(&watch);
    assert_eq!(watch.step().await, NOTHING);
    keep(&watch, &LoginRow { fault: Some("invalid_grant".to_owned()), ..row.clone() });
    let told = watch.told(Alert::LoginExpiring, "firing").await;
    assert!(text(&told, "text").contains("expires soon: the CRM grants no token (invalid_grant)"), "{told}");
    assert_eq!(told["next"], "wabridge login hubspot");
    keep(&watch, &row);
    watch.told(Alert::LoginExpiring, "resolved").await;
    watch.store.pause_target("hubspot", Some("auth")).unwrap();
    let told = watch.told(Alert::TargetPaused, "firing").await;
    assert_eq!(told["next"], "wabridge login hubspot");
    assert!(text(&told, "text").contains("does not accept the login"), "{told}");
}

#[actix_web::test]
async fn a_login_that_cannot_be_renewed_is_told_when_its_token_has_expired() {
    let mut watch = watch();
    let row = logged_in(&watch);
    keep(&watch, &LoginRow { wait_until: Some(noon(3400)), ..row.clone() });
    watch.clock.pass(Duration::from_secs(3599));
    assert_eq!(watch.step().await, NOTHING, "the token is good yet");
    watch.clock.pass(Duration::from_secs(1));
    let told = watch.told(Alert::LoginExpiring, "firing").await;
    assert!(text(&told, "text").contains("has expired: the CRM's accounts host does not answer"), "{told}");
    keep(&watch, &LoginRow { expires_at: Some(noon(7200)), ..row });
    watch.told(Alert::LoginExpiring, "resolved").await;
}

#[actix_web::test]
async fn a_refused_token_is_told_until_the_target_goes_on() {
    let mut watch = watch();
    watch.store.pause_target("hubspot", Some("auth")).unwrap();
    let told = watch.told(Alert::TargetPaused, "firing").await;
    assert!(text(&told, "next").contains("wabridge target resume hubspot"), "{told}");
    watch.store.pause_target("hubspot", None).unwrap();
    watch.told(Alert::TargetPaused, "resolved").await;
}

#[actix_web::test]
async fn a_field_that_is_gone_is_told_by_name_until_it_is_back() {
    let mut watch = watch();
    let schema = |unique| {
        let key = Field { kind: FieldKind::Text, unique, ..Field::default() };
        let contact = Object { fields: [("wa_e164".to_owned(), key)].into() };
        let objects = [("contact".to_owned(), contact)].into();
        serde_json::to_value(Schema { objects, ..Schema::default() }).unwrap()
    };
    watch.store.keep_schema("hubspot", &schema(false), noon(0)).unwrap();
    let told = watch.told(Alert::SchemaFault, "firing").await;
    assert!(text(&told, "text").contains("wa_e164"), "{told}");
    watch.store.keep_schema("hubspot", &schema(true), noon(1)).unwrap();
    watch.told(Alert::SchemaFault, "resolved").await;
}

#[actix_web::test]
async fn a_crm_that_is_gone_is_told_after_a_quarter_of_an_hour_until_it_answers() {
    let mut watch = watch();
    watch.metrics.breaker("hubspot", 2);
    assert_eq!(watch.step().await, NOTHING);
    watch.clock.pass(Duration::from_secs(900));
    assert_eq!(watch.step().await, NOTHING, "a quarter of an hour is allowed");
    watch.clock.pass(Duration::from_secs(1));
    let told = watch.told(Alert::BreakerOpen, "firing").await;
    assert_eq!(told["since"], "2026-11-22T12:00:00Z");
    watch.metrics.breaker("hubspot", 0);
    watch.told(Alert::BreakerOpen, "resolved").await;
}

#[actix_web::test]
async fn what_is_used_of_a_limit_is_told_at_each_share_with_the_hour_of_its_end() {
    let mut watch = watch();
    let used = |watch: &Watch, used, runs_out| {
        let limit = &registry::find("hubspot").unwrap().about().limits[0];
        watch.metrics.quota("hubspot", vec![Seen { limit, used, size: 1_000, runs_out }]);
    };
    used(&watch, 699, None);
    assert_eq!(watch.step().await, NOTHING, "seventy percent are allowed");
    used(&watch, 700, Some(noon(7_200)));
    let told = watch.told(Alert::Quota, "firing").await;
    let said = "'hubspot': 700 of 1000 calls (daily, 24 h) are used, 70 %; at the rate of the last hour nothing is \
                left from 2026-11-22 14:00 UTC on";
    assert_eq!(told["text"], said);
    used(&watch, 850, None);
    let told = watch.step().await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(text(&told[0], "lost").contains("what can wait does"), "{told:?}");
    assert!(text(&told[0], "text").ends_with("it suffices"), "{told:?}");
    used(&watch, 950, Some(noon(0)));
    let told = watch.step().await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(text(&told[0], "text").ends_with("nothing is left"), "{told:?}");
    used(&watch, 699, None);
    let told: Vec<Value> = watch.step().await;
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told.iter().all(|told| told["state"] == "resolved"), "{told:?}");
}
