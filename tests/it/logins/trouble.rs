//! What goes wrong with a login, and the way out.

use super::bench::{Bench, ask, now};
use serde_json::json;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use wabridge::clock::Clock;
use wabridge::outbox::transport::Account;
use wabridge::store::login::{Lease, LoginRow, Logins};
use wabridge::store::sqlite::SqliteStore;
use wabridge::store::{StoreError, StoreErrorKind};
use wabridge_crms::NoAnswer;

fn code_of(answer: &wabridge_crms::Answer) -> (u16, String) {
    (answer.status, answer.json()["code"].as_str().unwrap_or_default().to_owned())
}

fn refused(code: &str) -> (u16, String) {
    (401, code.to_owned())
}

#[test]
fn a_token_is_renewed_ahead_of_time_and_the_old_one_serves_while_the_endpoint_is_throttled() {
    let bench = Bench::new();
    bench.log_in();
    let account = bench.account();
    // Nothing is due yet.
    bench.clock.pass(Duration::from_secs(3299));
    assert_eq!(now(ask(&account)).unwrap().status, 200);
    assert_eq!(bench.asked(), 1);
    bench.control("/_fate", &json!([{"path": "/oauth/", "fate": "reject_429", "times": 1}]));
    bench.clock.pass(Duration::from_secs(2));
    for _ in 0..5 {
        assert_eq!(now(ask(&account)).unwrap().status, 200, "it is good for minutes yet");
    }
    assert_eq!(bench.asked(), 2, "the endpoint is left alone");
    // It has expired, and the endpoint is not to be asked yet: nothing was sent, and nothing is refused.
    bench.clock.pass(Duration::from_secs(400));
    assert_eq!(now(ask(&account)).unwrap_err(), NoAnswer { sent: false, code: "token_endpoint" });
    assert_eq!(bench.asked(), 2);
    bench.clock.pass(Duration::from_secs(300));
    assert_eq!(now(ask(&account)).unwrap().status, 200);
    assert_eq!(bench.asked(), 3);
}

#[test]
fn a_refused_token_is_renewed_once_and_one_that_is_refused_at_once_is_not_renewed_again() {
    let bench = Bench::new();
    bench.log_in();
    let account = bench.account();
    assert_eq!(now(ask(&account)).unwrap().status, 200);
    assert!(!now(account.renew()), "nothing was refused");
    bench.clock.pass(Duration::from_secs(120));
    // It ends long before its time.
    assert_eq!(revoked(&bench, &account), 401);
    assert!(now(account.renew()), "another token is there");
    assert_eq!(bench.asked(), 2);
    assert_eq!(now(ask(&account)).unwrap().status, 200);
    // One that was granted just now is refused as well: it is not its age.
    assert_eq!(revoked(&bench, &account), 401);
    assert!(!now(account.renew()));
    assert_eq!(code_of(&now(ask(&account)).unwrap()), refused("LOGIN_REFUSED"));
    assert_eq!(bench.asked(), 2);
    bench.clock.pass(Duration::from_secs(61));
    assert_eq!(now(ask(&account)).unwrap().status, 200, "a hand that lets it go on gives it one more try");
    assert_eq!(bench.asked(), 3);
}

#[test]
fn a_token_that_another_call_renewed_meanwhile_is_another_one() {
    let bench = Bench::new();
    bench.log_in();
    let account = bench.account();
    bench.clock.pass(Duration::from_secs(120));
    assert_eq!(revoked(&bench, &account), 401);
    assert_eq!(now(ask(&account)).unwrap().status, 200, "the next call of the step has it renewed");
    assert!(now(account.renew()), "what was refused may be tried again");
    assert!(!now(account.renew()), "once");
}

#[test]
fn an_outage_after_a_refusal_is_an_outage_and_whoever_is_new_asks_once_after_a_refusal() {
    let bench = Bench::new();
    bench.log_in();
    let account = bench.account();
    assert_eq!(now(ask(&account)).unwrap().status, 200);
    let secret = fs::read_to_string(bench.place.path("secret")).unwrap();
    bench.place.write("secret", "not the client's", 0o600);
    bench.clock.pass(Duration::from_secs(3350));
    assert_eq!(now(ask(&account)).unwrap().status, 200, "the old one is good for minutes");
    assert!(bench.row().fault.is_some());
    bench.clock.pass(Duration::from_secs(61));
    bench.control("/_fate", &json!([{"path": "/oauth/", "fate": "reject_500", "times": 1}]));
    assert_eq!(now(ask(&account)).unwrap().status, 200);
    bench.clock.pass(Duration::from_secs(200));
    bench.adjust(|row| row.wait_until = Some(bench.clock.now() + Duration::from_secs(10)));
    assert_eq!(now(ask(&account)).unwrap_err(), NoAnswer { sent: false, code: "token_endpoint" });

    bench.clock.pass(Duration::from_secs(11));
    assert_eq!(code_of(&now(ask(&account)).unwrap()), refused("LOGIN_REFUSED"));
    bench.place.write("secret", &secret, 0o600);
    assert_eq!(code_of(&now(ask(&account)).unwrap()), refused("LOGIN_REFUSED"), "it has just asked");
    assert_eq!(now(ask(&bench.account())).unwrap().status, 200, "as after a reload");
}

/// Asks while the CRM takes no access token that there is.
fn revoked(bench: &Bench, account: &wabridge::outbox::transport::HttpAccount) -> u16 {
    bench.clock.pass(Duration::from_secs(1));
    bench.control("/_set", &json!({"token_ttl_seconds": 0}));
    let status = now(ask(account)).unwrap().status;
    bench.control("/_set", &json!({"token_ttl_seconds": null}));
    status
}

#[test]
fn without_a_login_nothing_is_sent_and_the_command_says_how_to_get_one() {
    let bench = Bench::new();
    let account = bench.account();
    assert_eq!(code_of(&now(ask(&account)).unwrap()), refused("NOT_LOGGED_IN"));
    assert_eq!(bench.heard.lock().unwrap().calls, 0);
    let ended = bench.run(&["check", "--online"]);
    assert_eq!(ended.code, 78, "{ended:?}");
    assert!(ended.out.contains("NOT_LOGGED_IN") && ended.out.contains("wabridge login zoho"), "{ended:?}");
    let ended = bench.run(&["login", "zoho"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.out.contains("ZohoCRM.coql.READ"), "{ended:?}");
    assert!(ended.out.contains("wabridge login zoho --code CODE"), "{ended:?}");
    let ended = bench.run(&["login", "zoho", "--code", "1000.wrong"]);
    assert_eq!(ended.code, 78, "{ended:?}");
    assert!(ended.err.contains("invalid_code") && !ended.err.contains("1000.wrong"), "{ended:?}");
    let ended = bench.run(&["login", "zohoo", "--code", "x"]);
    assert_eq!(ended.code, 65, "{ended:?}");
    // The account that was there all the while takes up what a command got.
    bench.log_in();
    assert_eq!(now(ask(&account)).unwrap().status, 200);
}

#[test]
fn a_login_that_the_crm_ended_is_refused_until_somebody_logs_in_again() {
    let bench = Bench::new();
    bench.log_in();
    let account = bench.account();
    bench.clock.pass(Duration::from_secs(3601));
    // The refresh token is used up, and the row is as it was before: an older copy of the store.
    bench.rotate();
    let row = bench.row();
    assert_eq!(now(ask(&account)).unwrap().status, 200);
    let generation = bench.row().generation;
    bench.adjust(|kept| {
        kept.sealed = row.sealed;
        kept.renew_at = row.renew_at;
        kept.expires_at = row.expires_at;
    });
    let other = bench.account();
    assert_eq!(code_of(&now(ask(&other)).unwrap()), refused("LOGIN_REFUSED"));
    let row = bench.row();
    assert_eq!((row.fault.as_deref(), row.generation), (Some("invalid_code"), generation));
    let asked = bench.asked();
    assert_eq!(code_of(&now(ask(&other)).unwrap()), refused("LOGIN_REFUSED"));
    assert_eq!(bench.asked(), asked, "the answer would be the same");
}

#[test]
fn a_store_that_was_restored_without_its_key_asks_for_a_login() {
    let bench = Bench::new();
    bench.log_in();
    fs::remove_file(bench.place.path("wabridge.db.key")).unwrap();
    assert_eq!(code_of(&now(ask(&bench.account())).unwrap()), refused("LOGIN_SEALED"));
    let ended = bench.run(&["check", "--online"]);
    assert!(ended.out.contains("wabridge login zoho"), "{ended:?}");
}

#[test]
fn no_token_lies_readable_in_the_store() {
    let bench = Bench::new();
    bench.log_in();
    let prefix = b"1000.5f0c1d8e";
    for name in ["wabridge.db", "wabridge.db-wal"] {
        let bytes = fs::read(bench.place.path(name)).unwrap_or_default();
        assert!(!bytes.windows(prefix.len()).any(|window| window == prefix), "{name}");
    }
}

/// A store that does not take logins for a while.
struct Frail {
    store: SqliteStore,
    broken: AtomicBool,
}

impl Logins for Frail {
    fn login(&self, target: &str) -> Result<Option<LoginRow>, StoreError> {
        self.store.login(target)
    }

    fn hold_login(&self, target: &str) -> Result<Lease, StoreError> {
        self.store.hold_login(target)
    }

    fn keep_login(&self, target: &str, login: &LoginRow, before: Option<i64>) -> Result<bool, StoreError> {
        if self.broken.load(Ordering::Relaxed) {
            return Err(StoreError::new(StoreErrorKind::Full, "keep a login"));
        }
        self.store.keep_login(target, login, before)
    }
}

#[test]
fn what_was_granted_and_could_not_be_kept_is_shown_to_nobody_and_kept_before_anything_else_is_asked() {
    let bench = Bench::new();
    bench.log_in();
    bench.rotate();
    let store = SqliteStore::open_to_read(&bench.path()).unwrap();
    let frail = Arc::new(Frail { store, broken: AtomicBool::new(true) });
    let account = bench.account_at(frail.clone());
    bench.clock.pass(Duration::from_secs(3601));
    for _ in 0..3 {
        assert_eq!(now(ask(&account)).unwrap_err(), NoAnswer { sent: false, code: "store" });
    }
    let heard = |bench: &Bench| {
        let heard = bench.heard.lock().unwrap();
        (heard.asked, heard.calls, heard.unkept)
    };
    assert_eq!(heard(&bench), (2, 0, 0), "one grant, and no call with it");
    frail.broken.store(false, Ordering::Relaxed);
    assert_eq!(now(ask(&account)).unwrap().status, 200);
    assert_eq!(heard(&bench), (2, 1, 0), "the grant was not lost, though its refresh token is good once");
}
