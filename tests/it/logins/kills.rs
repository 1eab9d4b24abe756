//! `kill -9` around a renewal.

use super::bench::{Bench, now};
use crate::command::wabridge;
use crate::support::process::{pause, until};
use crate::support::random::Random;
use serde_json::json;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;
use wabridge_simulators::{Reply, Request};

const KILLS: usize = 50;

/// A command that asks the CRM, and nothing else.
fn census(bench: &Bench) -> Command {
    let mut command = wabridge(&bench.place.path(""));
    command.env("WABRIDGE_CONFIG", bench.place.path("wabridge.toml")).args(["target", "census", "zoho"]);
    command
}

/// What the kills came to.
#[derive(Debug, Default)]
struct Tally {
    /// Killed before the endpoint had granted anything.
    before: usize,
    /// Granted, and not on the disk.
    between: usize,
    /// Granted, and on the disk.
    after: usize,
    /// How often somebody had to log in again.
    logins: usize,
}

/// Kills a command around a renewal, again and again, and lets another one go on from there.
fn storm(bench: &Bench, random: &mut Random) -> Tally {
    let mut tally = Tally::default();
    for kill in 0..KILLS {
        let row = bench.row();
        bench.clock.pass(Duration::from_secs(3700));
        bench.adjust(|row| {
            (row.renew_at, row.expires_at) = (Some("2026-01-01T00:00:00Z".parse().unwrap()), row.renew_at);
            row.expires_at = row.renew_at;
        });
        let (asked, granted) = (bench.asked(), bench.heard.lock().unwrap().granted);
        // Every fifth kill is before the grant, and every fifth after the disk; two are at once, when the answer is on its
        // way, and the last falls where chance has it.
        if kill % 5 == 0 {
            bench.control("/_fate", &json!([{"path": "/oauth/", "fate": "hang"}]));
        }
        let mut child = census(bench).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        until("the endpoint is asked", || (bench.asked() > asked).then_some(()));
        if kill % 5 == 1 {
            until("the grant is kept", || (bench.row().generation > row.generation).then_some(()));
        }
        if !matches!(kill % 5, 2 | 3) {
            pause(Duration::from_micros(random.within(0..20_000)));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let was_granted = bench.heard.lock().unwrap().granted > granted;
        let is_kept = bench.row().generation > row.generation;
        assert!(was_granted || !is_kept);
        assert_eq!(bench.asked(), asked + 1, "one question for each expiry");
        *match (was_granted, is_kept) {
            (false, _) => &mut tally.before,
            (true, false) => &mut tally.between,
            (true, true) => &mut tally.after,
        } += 1;
        let ended = bench.run(&["target", "census", "zoho"]);
        if ended.code != 0 {
            assert!(was_granted && !is_kept, "nothing else costs a login: {ended:?}");
            assert_eq!(ended.code, 78, "{ended:?}");
            assert!(ended.err.contains("wabridge login zoho"), "{ended:?}");
            tally.logins += 1;
            log_in_again(bench);
            assert_eq!(bench.run(&["target", "census", "zoho"]).code, 0);
        }
    }
    let _ = writeln!(std::io::stderr(), "{KILLS} kills: {tally:?}");
    assert_eq!(bench.heard.lock().unwrap().unkept, 0, "no token was shown that was not on the disk");
    tally
}

/// A person agrees once more, and the code comes back. They leave a scope out, which costs what needs it alone.
fn log_in_again(bench: &Bench) {
    let client = bench.simulator.oauth().unwrap();
    let redirect = "https://hooks.example.in/oauth/zoho/callback";
    let target = format!(
        "/oauth/v2/auth?client_id={}&response_type=code&access_type=offline&redirect_uri={redirect}\
         &scope=ZohoCRM.modules.ALL,ZohoCRM.settings.ALL,ZohoCRM.coql.READ,ZohoCRM.org.READ",
        client["client_id"].as_str().unwrap()
    );
    let request = Request { method: "GET".to_owned(), target, headers: Vec::new(), body: Vec::new() };
    let Reply::Answer(answer, _) =
        bench.simulator.answer(&request, wabridge::clock::Clock::now(&*bench.clock))
    else {
        panic!()
    };
    let (_, location) = answer.headers.iter().find(|(name, _)| name == "location").unwrap();
    let location: url::Url = location.parse().unwrap();
    let code = location.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    now(bench.login().log_in_from(&code, Some(redirect))).unwrap();
}

#[test]
fn crash_fifty_kills_around_a_renewal_cost_no_login_and_show_no_token_that_is_not_kept() {
    let bench = Bench::new();
    bench.log_in();
    let tally = storm(&bench, &mut Random::new());
    assert_eq!(tally.logins, 0, "{tally:?}");
    assert_eq!(tally.before + tally.between + tally.after, KILLS);
    let sides = [tally.before >= KILLS / 5, tally.between > 0, tally.after >= KILLS / 5];
    assert_eq!(sides, [true; 3], "on all sides: {tally:?}");
}

#[test]
fn crash_fifty_kills_where_refresh_tokens_rotate_cost_a_login_only_between_the_grant_and_the_disk() {
    let bench = Bench::new();
    bench.log_in();
    bench.rotate();
    let tally = storm(&bench, &mut Random::new());
    // What was granted and not kept was good once: nothing else costs a login, and all that can be said is whose.
    assert_eq!(tally.logins, tally.between, "{tally:?}");
}
