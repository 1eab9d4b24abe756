//! A 200 is written to its socket only when a flush of the log covers its request.
//!
//! A kill cannot show this, since the page cache outlives the process; the order of system calls can.
//! Each request carries a marker of its own. Its bytes are followed from the socket into a frame of the
//! log, from there to the end of that transaction (the next frame that says so), to the first flush that
//! began after that frame was written. The answer on the same socket must begin after that flush ended.
//! This holds under group commit too, since nothing is concluded from what other requests did.

use crate::command::{Place, wabridge};
use crate::support::client::{Client, META, Signer, meta_body, text};
use crate::support::process::{Process, terminate};
use crate::support::trace::{Call, calls};
use std::fs;
use std::process::Command;

const CALLS: &str =
    "trace=fsync,fdatasync,pwrite64,pwritev,write,writev,sendto,sendmsg,read,readv,recvfrom,recvmsg";
const CLIENTS: usize = 3;
const REQUESTS: usize = 8;

/// `strace` around the daemon; the longest strings it must show are pages of the log.
fn traced(place: &Place) -> Command {
    let found = Command::new("strace").arg("-V").output();
    assert!(
        found.is_ok(),
        "strace is missing: `make test` installs it, and so does `apt-get install strace`"
    );
    let mut command = Command::new("strace");
    command.args(["-f", "-y", "-s", "8192", "-e", CALLS, "-e", "signal=none", "-o"]);
    command.arg(place.path("trace")).arg(wabridge(&place.path("")).get_program()).arg("serve");
    command.current_dir(place.path("")).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
}

/// Posts to a traced daemon over several connections. Returns what it asked of the kernel.
fn trace(fault: &str) -> Vec<Call> {
    let place = Place::new(META);
    let mut process = Process::launch_as(traced(&place), &place, fault);
    let address = process.ready().hooks;
    let post = |client: usize| {
        let (signer, mut connection) = (Signer::meta(), Client::connect(address)?);
        for request in 0..REQUESTS {
            let body = meta_body(
                serde_json::json!({"messages": [text(&marker(client, request), "447700900101", 1_760_000_000)]}),
            );
            let (status, _) = connection.send(&signer.post("main", &body, jiff::Timestamp::UNIX_EPOCH))?;
            assert_eq!(status, 200);
        }
        Ok::<_, std::io::Error>(())
    };
    let posted = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|client| scope.spawn(move || post(client))).collect();
        clients.into_iter().map(|client| client.join()).collect::<Vec<_>>()
    });
    // The daemon is strace's child, and goes on if only strace is told to end.
    let trace = fs::read_to_string(place.path("trace")).unwrap();
    terminate(trace.split_whitespace().next().unwrap().parse().unwrap());
    assert_eq!(process.wait().code(), Some(0), "{}", process.said());
    posted.into_iter().for_each(|posted| posted.unwrap().unwrap());
    calls(&fs::read_to_string(place.path("trace")).unwrap())
}

fn marker(client: usize, request: usize) -> String {
    format!("wamid.DURABLE-{client}-{request}.")
}

/// The requests whose 200 began before a flush that covers them had ended, each with what is wrong.
fn acknowledged_too_early(calls: &[Call]) -> Vec<String> {
    let markers = (0..CLIENTS).flat_map(|client| (0..REQUESTS).map(move |request| marker(client, request)));
    markers
        .filter_map(|marker| check(calls, &marker).err().map(|fault| format!("{marker} {fault}")))
        .collect()
}

fn check(calls: &[Call], marker: &str) -> Result<(), &'static str> {
    let received = calls
        .iter()
        .find(|call| {
            matches!(call.name.as_str(), "read" | "readv" | "recvfrom" | "recvmsg") && call.holds(marker)
        })
        .ok_or("was not received")?;
    let answered = calls
        .iter()
        .find(|call| {
            call.began > received.ended && call.descriptor == received.descriptor && is_success(call)
        })
        .ok_or("was not answered")?;
    let mut log = calls.iter().filter(|call| call.name == "pwrite64" && call.is_on("-wal"));
    let mut header = log.next().ok_or("is not in the log")?;
    let mut page = log.next().ok_or("is not in the log")?;
    while !page.holds(marker) {
        (header, page) = (page, log.next().ok_or("is not in the log")?);
    }
    // From the frame that holds it to the frame that ends its transaction.
    while !ends_transaction(header)? {
        header = log.next().ok_or("is in no transaction that ends")?;
        page = log.next().ok_or("is in no transaction that ends")?;
    }
    let flushed = calls.iter().find(|call| call.syncs() && call.is_on("-wal") && call.began > page.ended);
    match flushed {
        Some(flushed) if flushed.ended < answered.began => Ok(()),
        _ => Err("was acknowledged before it was flushed"),
    }
}

fn is_success(call: &Call) -> bool {
    matches!(call.name.as_str(), "write" | "writev" | "sendto" | "sendmsg")
        && call.data.starts_with(b"HTTP/1.1 2")
}

/// A frame begins with 24 bytes, of which the second four are 0 except in the last frame of a transaction.
/// <https://www.sqlite.org/fileformat2.html#the_write_ahead_log>
fn ends_transaction(header: &Call) -> Result<bool, &'static str> {
    if header.data.len() == 24 { Ok(header.data[4..8] != [0; 4]) } else { Err("is in no frame we can read") }
}

#[test]
fn durable_means_that_every_200_follows_a_flush_that_covers_it() {
    let calls = trace("");
    let successes = calls.iter().filter(|call| is_success(call)).count();
    assert_eq!(successes, CLIENTS * REQUESTS, "each 200 is one that was checked");
    assert_eq!(acknowledged_too_early(&calls), Vec::<String>::new());
}

#[test]
fn durable_is_not_what_synchronous_normal_is() {
    let early = acknowledged_too_early(&trace("synchronous_normal"));
    assert_eq!(early.len(), CLIENTS * REQUESTS, "{early:?}");
    assert!(early.iter().all(|fault| fault.ends_with("was acknowledged before it was flushed")), "{early:?}");
}

#[test]
fn durable_is_not_what_an_acknowledgement_before_the_commit_is() {
    assert!(!acknowledged_too_early(&trace("ack_before_commit")).is_empty());
}
