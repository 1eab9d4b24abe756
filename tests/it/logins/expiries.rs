//! Expiry after expiry, with many who need the token at once.

use super::bench::{Bench, ask};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

const EXPIRIES: usize = 200;

/// What happens at each expiry: eight calls at once, four from each of two processes that share nothing but the disk.
fn expire(bench: &Bench, times: usize) {
    let process = || -> (Runtime, Arc<wabridge::outbox::transport::HttpAccount>) {
        let runtime = Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
        (runtime, Arc::new(bench.account()))
    };
    let processes = [process(), process()];
    let before = bench.asked();
    for expiry in 1..=times {
        // Beyond the lifetime: there is no good token left for anybody.
        bench.clock.pass(Duration::from_secs(3601));
        let mut calls = Vec::new();
        for (runtime, account) in processes.iter().cycle().take(8) {
            let account = Arc::clone(account);
            calls.push((runtime, runtime.spawn(async move { ask(&account).await })));
        }
        for (runtime, call) in calls {
            let answer = runtime.block_on(call).unwrap().unwrap();
            assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        }
        assert_eq!(bench.asked() - before, expiry, "one renewal for each expiry");
    }
}

fn heard(bench: &Bench) -> (usize, usize, usize) {
    let heard = bench.heard.lock().unwrap();
    (heard.asked, heard.calls, heard.unkept)
}

#[test]
fn two_hundred_expiries_with_eight_workers_are_one_renewal_each_and_no_token_is_shown_before_it_is_kept() {
    let bench = Bench::new();
    bench.log_in();
    expire(&bench, EXPIRIES);
    assert_eq!(heard(&bench), (1 + EXPIRIES, 8 * EXPIRIES, 0));
    assert_eq!(bench.row().generation, 1 + i64::try_from(EXPIRIES).unwrap());
}

#[test]
fn so_it_is_where_refresh_tokens_rotate_and_each_is_good_once() {
    let bench = Bench::new();
    bench.log_in();
    bench.rotate();
    expire(&bench, EXPIRIES);
    assert_eq!(heard(&bench), (1 + EXPIRIES, 8 * EXPIRIES, 0));
}

#[test]
fn a_token_that_is_on_no_disk_would_have_been_heard() {
    let bench = Bench::new();
    bench.log_in();
    let account = bench.account();
    let answer = super::bench::now(ask(&account)).unwrap();
    assert_eq!((answer.status, heard(&bench)), (200, (1, 1, 0)));
    // Another login takes its place on the disk, and the account shows the one that it knows.
    let other = Bench::new();
    other.log_in();
    bench.adjust(|row| row.sealed = other_sealed(&bench, &other));
    let answer = super::bench::now(ask(&account)).unwrap();
    assert_eq!((answer.status, heard(&bench)), (200, (1, 2, 1)));
}

/// The tokens of another login, sealed with this one's key.
fn other_sealed(bench: &Bench, other: &Bench) -> Vec<u8> {
    std::fs::copy(other.place.path("wabridge.db.key"), bench.place.path("wabridge.db.key")).unwrap();
    // Granted at another time, so that they are other ones.
    other.clock.pass(Duration::from_secs(3601));
    assert_eq!(super::bench::now(ask(&other.account())).unwrap().status, 200);
    other.row().sealed
}
