//! The way to a CRM, over real sockets: what was sent, what was not, and that nothing leads elsewhere.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::thread::JoinHandle;
use wabridge::config::{SecretReference, Target};
use wabridge::outbox::transport::{Account, HttpAccount};
use wabridge_crms::{Answer, Call, Method, NoAnswer, Transport, registry};

/// A host that gives one answer, byte for byte, and tells what it was sent.
struct Host {
    base_url: String,
    heard: JoinHandle<String>,
}

fn host(answer: Vec<u8>) -> Host {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    let serve = move || {
        let (mut stream, _) = listener.accept().unwrap();
        let (mut heard, mut piece) = (Vec::new(), [0; 4096]);
        while !heard.windows(4).any(|end| end == b"\r\n\r\n") {
            match stream.read(&mut piece).unwrap() {
                0 => break,
                read => heard.extend_from_slice(&piece[..read]),
            }
        }
        // A caller that has heard enough hangs up: that is what one test is about.
        let _ = stream.write_all(&answer);
        String::from_utf8_lossy(&heard).into_owned()
    };
    let heard = std::thread::Builder::new().name("host".to_owned()).spawn(serve).unwrap();
    Host { base_url, heard }
}

fn target(base_url: &str, token: SecretReference) -> Target {
    let mut target = Target::new("hubspot", registry::find("hubspot").unwrap(), token);
    target.base_url = Some(base_url.to_owned());
    target
}

fn held(token: &str) -> SecretReference {
    SecretReference::Held(token.to_owned().into())
}

fn ask(base_url: &str) -> Result<Answer, NoAnswer> {
    let account = HttpAccount::new(&target(base_url, held("pat-1"))).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(account.send(Call::read(Method::Get, "/crm/objects/2026-03/contacts?limit=1")))
}

#[test]
fn a_call_goes_to_the_configured_host_with_the_token() {
    let host =
        host(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-HubSpot-Correlation-Id: 7\r\n\r\n{}".to_vec());
    let answer = ask(&host.base_url).unwrap();
    assert_eq!((answer.status, answer.header("x-hubspot-correlation-id")), (200, Some("7")));
    let heard = host.heard.join().unwrap();
    assert!(heard.starts_with("GET /crm/objects/2026-03/contacts?limit=1 HTTP/1.1\r\n"), "{heard}");
    assert!(heard.contains("authorization: Bearer pat-1\r\n"), "{heard}");
}

#[test]
fn a_redirect_is_an_answer_and_not_followed_with_the_token() {
    let elsewhere = host(Vec::new());
    let answer =
        format!("HTTP/1.1 302 Found\r\nLocation: {}/\r\nContent-Length: 0\r\n\r\n", elsewhere.base_url);
    assert_eq!(ask(&host(answer.into_bytes()).base_url).unwrap().status, 302);
    assert!(!elsewhere.heard.is_finished(), "somebody came");
}

#[test]
fn what_never_got_there_was_not_sent_and_what_was_cut_may_have_been() {
    let gone = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    assert_eq!(ask(&format!("http://{gone}")), Err(NoAnswer { sent: false, code: "connect" }));
    assert_eq!(ask(&host(Vec::new()).base_url), Err(NoAnswer { sent: true, code: "cut" }));
    let half = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"results\":".to_vec();
    assert_eq!(ask(&host(half).base_url), Err(NoAnswer { sent: true, code: "cut" }));
}

#[test]
fn an_answer_without_end_is_not_held_in_memory() {
    let mut endless = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n".to_vec();
    endless.resize(endless.len() + 9 * 1024 * 1024, b' ');
    assert_eq!(ask(&host(endless).base_url), Err(NoAnswer { sent: true, code: "too_long" }));
}

#[test]
fn a_token_that_was_replaced_where_it_is_kept_is_taken_up() {
    let place = crate::command::Place::new("");
    let file = place.write("token", "pat-old", 0o600);
    let host = host(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec());
    let account = HttpAccount::new(&target(&host.base_url, SecretReference::File(file))).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    assert!(!runtime.block_on(account.renew()), "it is the same still");
    place.write("token", "pat-new", 0o600);
    assert!(runtime.block_on(account.renew()));
    runtime.block_on(account.send(Call::read(Method::Get, "/"))).unwrap();
    assert!(host.heard.join().unwrap().contains("authorization: Bearer pat-new\r\n"));
}
