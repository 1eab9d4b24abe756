//! Tokens: how they are got, how long they are good, and how often they may be asked for.

use crate::support::{Desk, Said};
use serde_json::{Value, json};
use wabridge_simulators::{Reply, Request, hubspot};

/// Asks the token endpoint, with the client's credentials unless others are given.
fn ask(desk: &Desk, more: &[(&str, &str)]) -> Said {
    let client = desk.simulator.oauth().unwrap();
    let own =
        [("client_id", client["client_id"].as_str()), ("client_secret", client["client_secret"].as_str())];
    let own = own.into_iter().filter(|(name, _)| !more.iter().any(|(it, _)| it == name));
    let own = own.map(|(name, value)| format!("{name}={}", value.unwrap()));
    let all: Vec<String> = own.chain(more.iter().map(|(name, value)| format!("{name}={value}"))).collect();
    desk.call("POST", &format!("/oauth/v2/token?{}", all.join("&")), &Value::Null)
}

fn refresh(desk: &Desk, token: &str) -> Said {
    ask(desk, &[("grant_type", "refresh_token"), ("refresh_token", token)])
}

fn text(said: &Said, name: &str) -> String {
    said.body[name].as_str().unwrap_or_else(|| panic!("no {name} in {}", said.body)).to_owned()
}

fn known(desk: &Desk, name: &str) -> String {
    desk.simulator.oauth().unwrap()[name].as_str().unwrap().to_owned()
}

#[test]
fn without_a_good_token_nothing_is_done() {
    let mut desk = Desk::zoho();
    desk.token = "1000.wrong".to_owned();
    let said = desk.make("Leads", json!([{"Last_Name": "A", "Company": "A"}]));
    assert_eq!((said.status, &said.body["code"]), (401, &json!("INVALID_TOKEN")));
    assert_eq!(said.body["message"], "invalid oauth token");
    let bearer = ("authorization".to_owned(), format!("Bearer {}", Desk::zoho().token));
    let request = Request {
        method: "GET".into(),
        target: "/crm/v8/org".into(),
        headers: vec![bearer],
        body: Vec::new(),
    };
    let Reply::Answer(answer, _) = desk.simulator.answer(&request, desk.now) else { panic!() };
    assert_eq!(answer.status, 401);
    assert!(String::from_utf8_lossy(&answer.body).contains("AUTHENTICATION_FAILURE"));
    assert_eq!(desk.ledger()["persons"], json!([]));
}

#[test]
fn a_code_is_good_once_and_gives_both_tokens() {
    let mut desk = Desk::zoho();
    let code = known(&desk, "code");
    let said = ask(&desk, &[("grant_type", "authorization_code"), ("code", &code)]);
    assert_eq!(
        (said.status, &said.body["expires_in"], &said.body["token_type"]),
        (200, &json!(3_600), &json!("Bearer"))
    );
    assert!(said.body["api_domain"].is_string() && said.body["scope"].is_string());
    desk.token = text(&said, "access_token");
    assert_eq!(desk.get("/crm/v8/org").status, 200);
    let again = ask(&desk, &[("grant_type", "authorization_code"), ("code", &code)]);
    assert_eq!((again.status, &again.body), (200, &json!({"error": "invalid_code"})));
    let said = refresh(&desk, &text(&said, "refresh_token"));
    assert_eq!(said.body.get("refresh_token"), None, "the refresh token comes with the first exchange alone");
    desk.wait(3_600);
    assert_eq!(desk.get("/crm/v8/org").body["code"], "INVALID_TOKEN");
}

#[test]
fn refusals_of_the_token_endpoint_are_answered_200() {
    let desk = Desk::zoho();
    let good = known(&desk, "refresh_token");
    let grant = ("grant_type", "refresh_token");
    for (more, error) in [
        (vec![grant, ("refresh_token", "1000.wrong")], "invalid_code"),
        (vec![grant, ("refresh_token", &good), ("client_id", "x")], "invalid_client"),
        (vec![grant, ("refresh_token", &good), ("client_secret", "x")], "invalid_client_secret"),
        (vec![("grant_type", "password")], "unsupported_grant_type"),
    ] {
        let said = ask(&desk, &more);
        assert_eq!((said.status, &said.body), (200, &json!({ "error": error })));
    }
    assert_eq!(refresh(&desk, &good).body["token_type"], "Bearer");
}

#[test]
fn the_endpoint_takes_a_form_as_well() {
    let desk = Desk::zoho();
    let client = desk.simulator.oauth().unwrap();
    let text = |name: &str| client[name].as_str().unwrap();
    let form = format!(
        "grant_type=refresh_token&client_id={}&client_secret={}&refresh_token={}",
        text("client_id"),
        text("client_secret"),
        text("refresh_token")
    );
    let Reply::Answer(answer, _) = desk.reply("POST", text("token_path"), form.into_bytes()) else {
        panic!()
    };
    assert!(String::from_utf8_lossy(&answer.body).contains("access_token"));
}

#[test]
fn the_eleventh_token_in_ten_minutes_is_too_much_and_is_no_matter_of_credentials() {
    let mut desk = Desk::zoho();
    let token = known(&desk, "refresh_token");
    for _ in 0..10 {
        assert_eq!(refresh(&desk, &token).status, 200);
    }
    let said = refresh(&desk, &token);
    assert_eq!((said.status, &said.body["error"]), (400, &json!("Access Denied")));
    assert!(text(&said, "error_description").contains("too many requests"));
    desk.wait(599);
    assert_eq!(refresh(&desk, &token).status, 400);
    desk.wait(1);
    assert_eq!(refresh(&desk, &token).status, 200);
}

#[test]
fn the_thirty_first_token_ends_the_first() {
    let mut desk = Desk::zoho();
    let token = known(&desk, "refresh_token");
    let mut got = Vec::new();
    for at in 0..31 {
        if at > 0 && at % 10 == 0 {
            desk.wait(600);
        }
        got.push(text(&refresh(&desk, &token), "access_token"));
    }
    let answered = |desk: &mut Desk, token: &str| {
        token.clone_into(&mut desk.token);
        desk.get("/crm/v8/org").status
    };
    assert_eq!([0, 1, 30].map(|at: usize| answered(&mut desk, &got[at])), [401, 200, 200]);
}

#[test]
fn a_lifetime_that_is_set_holds_for_what_is_there_and_what_comes() {
    let mut desk = Desk::zoho();
    let fixed = desk.token.clone();
    let token = known(&desk, "refresh_token");
    let early = text(&refresh(&desk, &token), "access_token");
    desk.wait(10);
    desk.tell("/_set", json!({"token_ttl_seconds": 60}));
    desk.wait(50);
    let late = refresh(&desk, &token);
    assert_eq!(late.body["expires_in"], 60);
    let late = text(&late, "access_token");
    let answered = |desk: &mut Desk| {
        [&fixed, &early, &late].map(|token| {
            token.clone_into(&mut desk.token);
            desk.get("/crm/v8/org").status
        })
    };
    desk.wait(9);
    assert_eq!(answered(&mut desk), [200, 200, 200]);
    desk.wait(1);
    assert_eq!(answered(&mut desk), [401, 401, 200]);
    desk.wait(50);
    assert_eq!(answered(&mut desk), [401, 401, 401]);
}

#[test]
fn a_refresh_token_that_rotates_is_good_once() {
    let desk = Desk::zoho();
    desk.tell("/_set", json!({"rotate_refresh_tokens": true}));
    let first = known(&desk, "refresh_token");
    let second = text(&refresh(&desk, &first), "refresh_token");
    assert_ne!(first, second);
    assert_eq!(refresh(&desk, &first).body, json!({"error": "invalid_code"}));
    let third = text(&refresh(&desk, &second), "refresh_token");
    desk.tell("/_set", json!({"rotate_refresh_tokens": false}));
    assert_eq!(refresh(&desk, &third).body.get("refresh_token"), None);
    assert_eq!(refresh(&desk, &third).status, 200);
}

#[test]
fn rotation_cannot_be_set_where_there_is_no_token_endpoint() {
    let simulator = hubspot::simulator();
    assert!(simulator.oauth().is_none());
    assert_eq!(Desk::new().post("/_set", json!({"rotate_refresh_tokens": true})).status, 400);
}

#[test]
fn a_person_agrees_and_is_sent_back_with_a_code_for_what_was_asked() {
    let mut desk = Desk::zoho();
    let back = "https%3A%2F%2Fhooks.example.in%2Foauth";
    let scope = "ZohoCRM.modules.leads.ALL";
    let query = |client: &str| {
        format!(
            "/oauth/v2/auth?response_type=code&client_id={client}&scope={scope}&redirect_uri={back}&access_type=offline&state=s1"
        )
    };
    let said = desk.get(&query(&known(&desk, "client_id")));
    let place = said.header("location").unwrap().to_owned();
    assert_eq!(said.status, 302);
    assert!(
        place.starts_with("https://hooks.example.in/oauth?code=") && place.ends_with("&state=s1"),
        "{place}"
    );
    assert!(place.contains("&location=in&accounts-server="), "{place}");
    let code = place.split_once("code=").unwrap().1.split('&').next().unwrap().to_owned();
    let grant = ("grant_type", "authorization_code");
    let said = ask(&desk, &[grant, ("code", &code), ("redirect_uri", "https%3A%2F%2Felsewhere.example.in")]);
    assert_eq!(said.body, json!({"error": "invalid_redirect_uri"}));
    let said = ask(&desk, &[grant, ("code", &code), ("redirect_uri", back)]);
    assert!(said.body["refresh_token"].is_string(), "{}", said.body);
    desk.token = text(&said, "access_token");
    assert_eq!(desk.make("Leads", json!([{"Last_Name": "A", "Company": "A"}])).status, 201);
    let said = desk.get("/crm/v8/org");
    assert_eq!((said.status, &said.body["code"]), (401, &json!("OAUTH_SCOPE_MISMATCH")));
    assert_eq!(desk.get(&query("x")).body, json!({"error": "invalid_client"}));
    let again = desk.get(&query(&known(&desk, "client_id")));
    let late = again
        .header("location")
        .unwrap()
        .split_once("code=")
        .unwrap()
        .1
        .split('&')
        .next()
        .unwrap()
        .to_owned();
    desk.wait(120);
    assert_eq!(
        ask(&desk, &[grant, ("code", &late), ("redirect_uri", back)]).body,
        json!({"error": "invalid_code"})
    );
}

#[test]
fn a_revoked_token_ends_what_came_by_it() {
    let mut desk = Desk::zoho();
    let token = known(&desk, "refresh_token");
    desk.token = text(&refresh(&desk, &token), "access_token");
    assert_eq!(desk.get("/crm/v8/org").status, 200);
    let said = desk.call("POST", &format!("/oauth/v2/token/revoke?token={token}"), &Value::Null);
    assert_eq!(said.body, json!({"status": "success"}));
    assert_eq!(desk.get("/crm/v8/org").status, 401);
    assert_eq!(refresh(&desk, &token).body, json!({"error": "invalid_code"}));
}
