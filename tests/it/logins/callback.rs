//! A person agrees in their browser, and comes back to the daemon with a code.

use super::bench::Bench;
use crate::support::client::get;
use crate::support::process::Process;
use std::net::SocketAddr;
use wabridge::store::login::Logins;
use wabridge::store::sqlite::SqliteStore;
use wabridge_simulators::{Reply, Request};

/// The CRM's page at an address, where the person agrees at once; where it sends them.
fn agree(bench: &Bench, address: &url::Url) -> url::Url {
    let target = format!("{}?{}", address.path(), address.query().unwrap());
    let request = Request { method: "GET".to_owned(), target, headers: Vec::new(), body: Vec::new() };
    let now = wabridge::clock::Clock::now(&*bench.clock);
    let Reply::Answer(answer, _) = bench.simulator.answer(&request, now) else { panic!("no answer") };
    assert_eq!(answer.status, 302, "{}", String::from_utf8_lossy(&answer.body));
    let (_, location) = answer.headers.iter().find(|(name, _)| name == "location").unwrap();
    location.parse().unwrap()
}

/// What the daemon answers to whom the CRM sends there.
fn come_back(hooks: SocketAddr, location: &url::Url) -> (u16, String) {
    get(hooks, &format!("{}?{}", location.path(), location.query().unwrap())).unwrap()
}

fn invited(bench: &Bench) -> url::Url {
    let ended = bench.run(&["login", "zoho"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    let line = ended
        .out
        .lines()
        .find(|line| line.contains("/oauth/v2/auth?"))
        .unwrap_or_else(|| panic!("{ended:?}"));
    line.trim().parse().unwrap()
}

fn is_logged_in(bench: &Bench) -> bool {
    SqliteStore::open_to_read(&bench.path()).unwrap().login("zoho").unwrap().is_some()
}

#[test]
fn whoever_agreed_comes_back_once_and_the_daemon_is_logged_in() {
    let bench = Bench::public();
    let alone = bench.run(&["login", "zoho"]);
    assert!(alone.out.contains("start the daemon") && alone.out.contains("--code CODE"), "{alone:?}");
    let mut process = Process::launch(&bench.place, "");
    let hooks = process.ready().hooks;
    let address = invited(&bench);
    let location = agree(&bench, &address);
    assert_eq!(location.host_str(), Some("hooks.example.in"));
    assert_eq!(location.path(), "/oauth/zoho/callback");
    // Nobody else's code, and at no other target's address.
    for forged in
        ["/oauth/zoho/callback?code=1&state=x", "/oauth/zoho/callback?code=1", "/oauth/zoho/callback"]
    {
        assert_eq!(get(hooks, forged).unwrap().0, 400, "{forged}");
    }
    let mut elsewhere = location.clone();
    elsewhere.set_path("/oauth/hubspot/callback");
    assert_eq!(come_back(hooks, &elsewhere).0, 400);
    assert_eq!((bench.asked(), is_logged_in(&bench)), (0, false), "the CRM was asked nothing");
    let (status, text) = come_back(hooks, &location);
    assert_eq!((status, text.as_str()), (200, "'zoho' is logged in. You may close this page.\n"));
    assert!(is_logged_in(&bench));
    assert_eq!(come_back(hooks, &location).0, 400, "it is good once");
    let said = process.said();
    for (name, value) in location.query_pairs().filter(|(name, _)| name == "code" || name == "state") {
        assert!(!said.contains(&*value), "the {name} is in the log");
    }
    assert_eq!(process.stop(), Some(0));
}

#[test]
fn a_code_that_the_crm_does_not_take_changes_nothing_and_says_so() {
    let bench = Bench::public();
    let mut process = Process::launch(&bench.place, "");
    let hooks = process.ready().hooks;
    let state = invited(&bench).query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    let (status, text) = get(hooks, &format!("/oauth/zoho/callback?code=wrong&state={state}")).unwrap();
    assert_eq!(status, 502, "{text}");
    assert!(text.contains("invalid_code") && text.contains("wabridge login zoho"), "{text}");
    let state = invited(&bench).query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    let (status, text) =
        get(hooks, &format!("/oauth/zoho/callback?error=access_denied&state={state}")).unwrap();
    assert_eq!(status, 400, "{text}");
    assert!(text.starts_with("The CRM granted nothing."), "{text}");
    assert!(!is_logged_in(&bench));
}
