//! `wabridge jobs`: what waits and why, what is tried again, what is given up, with a daemon and without one.

use crate::delivery::world::by_number;
use crate::outbox::bench::message;
use crate::projection::{open, project};
use crate::support::account::{Account, FIELDS};
use crate::support::process::{Process, until};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::sync::Arc;
use wabridge::config::Config;
use wabridge::routing::Routes;
use wabridge::store::Outbox;
use wabridge::store::outbox::{Claim, End, JobFilter, Settled};
use wabridge_model::{OperationKind, Priority};

const PHONE: &str = "invalid: VALIDATION_ERROR (field phone) [400]";
const OTHER: &str = "invalid: it's wrong [400]";

/// An account, and three who wrote: of the first two the person was refused for one cause, of the third for another.
/// Their person's jobs, in this order.
fn refused() -> (Account, Vec<i64>) {
    let account = Account::set_up(FIELDS);
    let config = Config::load(account.place.path("wabridge.toml")).unwrap();
    let store = open(&account.place.path("wabridge.db"));
    store.route_by(Arc::new(Routes::new(&config)));
    let now = Timestamp::from_second(1_760_000_000).unwrap();
    let mut ids = Vec::new();
    for (n, cause) in [(1, PHONE), (2, PHONE), (3, OTHER)] {
        project(&store, &[message(by_number(n), &format!("m{n}"), now)]);
        let now = now + SignedDuration::from_hours(1);
        let until = now + SignedDuration::from_mins(1);
        let leased = store
            .claim_jobs(Claim {
                target: "hubspot",
                now,
                until,
                urgent: 10,
                bulk: 10,
                down_to: Priority::Bulk,
            })
            .unwrap();
        assert_eq!(leased.len(), 1);
        let settled = leased.into_iter().map(|bundle| {
            let end = |kind| match kind {
                OperationKind::Person => End::Dead(cause.into()),
                _ => End::Held("person_dead".into()),
            };
            ids.extend(bundle.jobs.iter().filter(|job| job.kind == OperationKind::Person).map(|job| job.id));
            let ends = bundle.jobs.iter().map(|job| (job.id, job.revision, end(job.kind))).collect();
            Settled {
                lease: bundle.lease,
                target: "hubspot".into(),
                lead: bundle.lead,
                ends,
                record: None,
                at: now,
            }
        });
        store.settle_jobs(settled.collect()).unwrap();
    }
    assert_eq!(ids.len(), 3);
    let all = store.jobs(&JobFilter::default(), 0, 100).unwrap();
    assert!(all.len() >= 3, "{all:?}");
    (account, ids)
}

fn state(account: &Account, id: i64) -> String {
    let listed = account.run(&["jobs", "list", "--lead", &lead(account, id), "--json"]);
    assert_eq!(listed.code, 0, "{listed:?}");
    let all: Value = serde_json::from_str(&listed.out).unwrap();
    let job = all["items"].as_array().unwrap().iter().find(|job| job["id"] == id).unwrap().clone();
    job["state"].as_str().unwrap().to_owned()
}

fn lead(account: &Account, id: i64) -> String {
    let shown = account.run(&["jobs", "show", &id.to_string()]).out;
    let (_, rest) = shown.split_once("(lead ").unwrap();
    rest.split_once(')').unwrap().0.to_owned()
}

#[test]
fn dead_letters_are_listed_by_cause_with_what_to_do_and_a_command_that_works_as_it_stands() {
    let (account, _) = refused();
    let listed = account.run(&["jobs", "list"]);
    assert_eq!(listed.code, 0, "{listed:?}");
    for line in [
        "Dead letters by cause:",
        &format!("      2  hubspot: {PHONE}"),
        &format!("      1  hubspot: {OTHER}"),
        "hubspot refuses what it says (VALIDATION_ERROR (field phone) [400])",
        "to do: correct the field phone in [target.fields] or in hubspot, then retry it",
        &format!("wabridge jobs retry --target hubspot --cause '{PHONE}'"),
        "wabridge jobs retry --target hubspot --cause 'invalid: it'\\''s wrong [400]'",
    ] {
        assert!(listed.out.contains(line), "no '{line}' in\n{}", listed.out);
    }
    assert!(!listed.out.contains("98000"), "a phone is told\n{}", listed.out);

    let json: Value =
        serde_json::from_str(&account.run(&["jobs", "list", "--state", "dead", "--json"]).out).unwrap();
    assert_eq!(
        (json["items"].as_array().unwrap().len(), &json["counts"]["dead"], &json["more"]),
        (3, &json!(3), &json!(false))
    );
    let of_cause = account.run(&["jobs", "list", "--state", "dead", "--cause", OTHER, "--json"]);
    let json: Value = serde_json::from_str(&of_cause.out).unwrap();
    assert_eq!(json["items"].as_array().unwrap().len(), 1, "{json}");
    assert_eq!(json["dead"], json!([{ "target": "hubspot", "cause": OTHER, "count": 1 }]));

    let some = account.run(&["jobs", "list", "--state", "dead", "--limit", "2"]);
    assert!(some.out.contains("There are more; raise --limit"), "{some:?}");
    let wrong = account.run(&["jobs", "list", "--state", "ded"]);
    assert!(wrong.code == 64 && wrong.err.contains("dead"), "{wrong:?}");
    let nobody = account.run(&["jobs", "list", "--lead", "+919999999999"]);
    assert_eq!(nobody.code, 65, "{nobody:?}");
}

#[test]
fn a_job_is_told_in_sentences_with_its_attempts_and_the_way_out() {
    let (account, ids) = refused();
    let shown = account.run(&["jobs", "show", &ids[0].to_string()]);
    assert_eq!(shown.code, 0, "{shown:?}");
    for part in [
        &format!("Job {} writes the person of ", ids[0]),
        "to 'hubspot'.",
        "It is dead: hubspot refuses what it says",
        "Attempt at ",
        "To do: correct the field phone in [target.fields]",
        &format!("wabridge jobs retry {}", ids[0]),
        &format!("wabridge jobs discard {} --reason TEXT", ids[0]),
        "Times are in ",
    ] {
        assert!(shown.out.contains(part), "no '{part}' in\n{}", shown.out);
    }
    assert!(!shown.out.contains("9198000"), "a whole phone is told\n{}", shown.out);
    let unknown = account.run(&["jobs", "show", "999999"]);
    assert!(unknown.code == 65 && unknown.err.contains("`wabridge jobs list` shows them"), "{unknown:?}");
}

#[test]
fn without_a_daemon_a_preview_changes_nothing_and_retry_and_discard_do_what_they_said() {
    let (account, ids) = refused();
    let by_cause = ["jobs", "retry", "--target", "hubspot", "--cause", PHONE];
    let preview = account.run(&[&by_cause[..], &["--dry-run"]].concat());
    assert_eq!(preview.code, 0, "{preview:?}");
    assert!(preview.out.contains("Would be tried now: 2 jobs."), "{preview:?}");
    assert!(ids.iter().all(|id| state(&account, *id) == "dead"));
    let retried = account.run(&by_cause);
    assert!(retried.code == 0 && retried.out.contains("2 jobs will be tried now."), "{retried:?}");
    assert_eq!(ids.iter().map(|id| state(&account, *id)).collect::<Vec<_>>(), ["pending", "pending", "dead"]);

    let third = ids[2].to_string();
    let discard = ["jobs", "discard", &third, "--reason", "a test lead"];
    let preview = account.run(&discard);
    assert!(
        preview.code == 0 && preview.out.contains("Nothing was changed; add --yes to do it."),
        "{preview:?}"
    );
    assert_eq!(state(&account, ids[2]), "dead");
    let done = account.run(&[&discard[..], &["--yes"]].concat());
    assert!(done.code == 0 && done.out.contains("1 job is given up."), "{done:?}");
    assert_eq!(state(&account, ids[2]), "discarded");
    let shown = account.run(&["jobs", "show", &third]).out;
    assert!(shown.contains("It was given up by hand: ") && shown.contains("a test lead"), "{shown}");
    for again in [&[&discard[..], &["--yes"]].concat()[..], &["jobs", "retry", &third]] {
        let again = account.run(again);
        assert!(
            again.code == 65 && again.out.contains("is discarded and left alone: it is over"),
            "{again:?}"
        );
    }
    let unknown = account.run(&["jobs", "discard", &third, "999999", "--reason", "x", "--yes"]);
    assert!(
        unknown.code == 65 && unknown.err.contains("there is no job 999999; nothing was changed"),
        "{unknown:?}"
    );
    assert_eq!(account.run(&["jobs", "discard", &third, "--reason", " ", "--yes"]).code, 64);
    assert_eq!(account.run(&["jobs", "retry"]).code, 64, "which?");
}

#[test]
fn a_daemon_that_runs_is_asked_and_delivers_what_is_retried() {
    let (account, ids) = refused();
    let mut process = Process::launch(&account.place, "");
    process.ready();
    let third = ids[2].to_string();
    let given_up = account.run(&["jobs", "discard", &third, "--reason", "a test lead", "--yes"]);
    assert!(given_up.code == 0 && given_up.out.contains("1 job is given up."), "{given_up:?}");
    let retried = account.run(&["jobs", "retry", &ids[0].to_string(), &ids[1].to_string()]);
    assert!(retried.code == 0 && retried.out.contains("2 jobs will be tried now."), "{retried:?}");
    until("both are written", || ids[..2].iter().all(|id| state(&account, *id) == "done").then_some(()));
    let ledger = account.control("GET", "/_ledger", &Value::Null);
    assert_eq!(ledger["persons"].as_array().unwrap().len(), 2, "{ledger}");
    let shown = account.run(&["jobs", "show", &ids[0].to_string()]).out;
    assert!(shown.contains("It is done: it is contact ") && shown.contains("created by us"), "{shown}");
    assert_eq!(state(&account, ids[2]), "discarded");
    assert_eq!(process.stop(), Some(0));
}
