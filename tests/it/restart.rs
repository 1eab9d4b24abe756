//! Restarts: nobody is refused, nothing that was acknowledged is lost, and a stop ends in time.
//!
//! The test holds the listening socket as systemd does and hands it to one daemon after another; a
//! provider's part is played by senders that repeat what was not answered 200.

use crate::command::Place;
use crate::support::client::{Client, META, Signer, meta_body, text};
use crate::support::postgres;
use crate::support::process::{Process, metric, terminate, until, until_projected};
use crate::support::store::{Contents, message_key};
use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use wabridge::store::postgres::{Options, PostgresStore};
use wabridge::store::{Journal, Ledger};

/// Concurrent senders.
const SENDERS: usize = 8;
/// Answers between two restarts.
const ANSWERS: usize = 100;
/// The contract: a stop at full load ends within this.
const STOP: Duration = Duration::from_secs(30);

/// What the senders went through.
#[derive(Default)]
struct Sending {
    enough: AtomicBool,
    next: AtomicUsize,
    answered: AtomicUsize,
    cut: AtomicUsize,
}

impl Sending {
    /// Sends message after message until it is enough; each again and again until it is answered 200.
    fn send(&self, address: SocketAddr, signer: &Signer) {
        let mut connection = None;
        while !self.enough.load(Ordering::Acquire) {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let request = signer.post("main", &body(number), jiff::Timestamp::UNIX_EPOCH);
            while !self.try_once(address, &request, &mut connection) {
                self.cut.fetch_add(1, Ordering::Relaxed);
                connection = None;
            }
            self.answered.fetch_add(1, Ordering::Release);
        }
    }

    fn try_once(&self, address: SocketAddr, request: &[u8], connection: &mut Option<Client>) -> bool {
        let client = match connection {
            Some(client) => client,
            None => connection.insert(Client::connect(address).expect("nobody is refused")),
        };
        match client.send(request) {
            Ok((200, _)) => true,
            // On its way out it may still take no more; a provider comes again for both.
            Ok((503, _)) => false,
            Ok((status, _)) => panic!("answered {status}"),
            Err(error) => {
                let kind = error.kind();
                assert!(!matches!(kind, io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock), "no answer");
                false
            }
        }
    }

    fn until_answered(&self, more: usize) {
        let before = self.answered.load(Ordering::Acquire);
        until("requests are answered", || {
            (self.answered.load(Ordering::Acquire) >= before + more).then_some(())
        });
    }
}

fn wamid(number: usize) -> String {
    format!("wamid.RESTART{number}")
}

fn body(number: usize) -> Vec<u8> {
    let from = format!("447700900{:03}", number % 1000);
    let message = text(&wamid(number), &from, 1_760_000_000 + i64::try_from(number).unwrap());
    meta_body(serde_json::json!({ "messages": [message] }))
}

/// Asks a daemon to stop; it must end well, and in time.
fn stop(mut process: Process) {
    let started = Instant::now();
    terminate(process.id());
    assert_eq!(process.wait().code(), Some(0), "{}", process.said());
    assert!(started.elapsed() < STOP, "the stop took {:?}", started.elapsed());
}

#[test]
fn load_twenty_restarts_on_one_socket_refuse_nobody_and_lose_nothing() {
    let place = Place::new(META);
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let (signer, sending) = (Signer::meta(), Sending::default());
    std::thread::scope(|scope| {
        for _ in 0..SENDERS {
            scope.spawn(|| sending.send(address, &signer));
        }
        for _ in 0..20 {
            let mut process = Process::launch_on(&socket, &place);
            assert_eq!(process.ready().hooks, address, "the socket in the start line is the one handed over");
            sending.until_answered(ANSWERS);
            stop(process);
        }
        // Whoever waits in the socket's queue now is answered by one more.
        let mut last = Process::launch_on(&socket, &place);
        let admin = last.ready().admin;
        sending.until_answered(ANSWERS);
        sending.enough.store(true, Ordering::Release);
        until("the senders are done", || {
            let sent = sending.next.load(Ordering::Acquire);
            (sending.answered.load(Ordering::Acquire) == sent).then_some(())
        });
        until_projected(admin);
        stop(last);
    });
    let sent = sending.next.load(Ordering::Acquire);
    let contents = Contents::of(&place);
    let lost = (0..sent).filter(|number| !contents.has(&message_key(&wamid(*number)))).count();
    assert_eq!(lost, 0, "of {sent} messages that were answered 200");
    contents.assert_sound();
    assert!(sent >= 20 * ANSWERS, "{sent} messages are no load");
}

/// The old daemon on a file, the new one on a server, one socket: what is sent is answered all the while, by whichever runs.
#[test]
fn load_a_store_that_moves_to_a_server_refuses_nobody_and_loses_nothing() {
    let place = Place::new(META);
    let address = postgres::of(&place.path("moved"));
    let (from, to) = (format!("sqlite:{}", place.path("wabridge.db").display()), address.clone());
    let move_store = |more: &[&str]| {
        let moved = place.run(&[&["migrate-store", "--from", &from, "--to", &to], more].concat());
        assert_eq!(moved.code, 0, "{} {}", moved.out, moved.err);
    };
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let (signer, sending) = (Signer::meta(), Sending::default());
    let listens = socket.local_addr().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..SENDERS {
            scope.spawn(|| sending.send(listens, &signer));
        }
        let mut old = Process::launch_on(&socket, &place);
        let _ = old.ready();
        sending.until_answered(ANSWERS);
        move_store(&[]);
        sending.until_answered(ANSWERS);
        let folder = place.path("").display().to_string();
        let server = format!("url = \"{to}\"\nfolder = \"{folder}\"");
        let config = META.replace("url = \"sqlite:{folder}/wabridge.db\"", &server);
        place.write("wabridge.toml", &config, 0o600);
        stop(old);
        let mut new = Process::launch_on(&socket, &place);
        let admin = new.ready().admin;
        sending.until_answered(ANSWERS);
        assert!(new.said().contains("unfinished copy"), "{}", new.said());
        assert!(metric(admin, r#"wabridge_requests{state="waiting"}"#) >= ANSWERS as u64);
        move_store(&["--finish"]);
        sending.until_answered(ANSWERS);
        sending.enough.store(true, Ordering::Release);
        until("the senders are done", || {
            let sent = sending.next.load(Ordering::Acquire);
            (sending.answered.load(Ordering::Acquire) == sent).then_some(())
        });
        until_projected(admin);
        stop(new);
    });
    let store = PostgresStore::open_to_read(&Options::new(&address, place.path("").as_path())).unwrap();
    let sent = sending.next.load(Ordering::Acquire);
    let is_lost = |number: &usize| store.event(message_key(&wamid(*number)).event_id()).unwrap().is_none();
    assert_eq!((0..sent).filter(is_lost).count(), 0, "of {sent} messages that were answered 200");
    let books = store.books().unwrap();
    assert!(books.balance() && books.requests["waiting"] == 0, "{books:?}");
    assert_eq!(books.items["applied"], sent as u64, "{books:?}");
}

#[test]
fn load_a_sigterm_at_full_load_exits_0_in_time_whatever_clients_hold_open() {
    let place = Place::new(META);
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let (signer, sending) = (Signer::meta(), Sending::default());
    let mut process = Process::launch_on(&socket, &place);
    let _ = process.ready();
    let whole = signer.post("main", &body(usize::MAX >> 8), jiff::Timestamp::UNIX_EPOCH);
    // An idle connection, one without a whole head, and one without a whole body: none may hold the stop.
    let _held: Vec<TcpStream> = [0, 20, whole.len() - 1]
        .map(|length| {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(&whole[..length]).unwrap();
            stream
        })
        .into();
    std::thread::scope(|scope| {
        for _ in 0..4 * SENDERS {
            scope.spawn(|| sending.send(address, &signer));
        }
        sending.until_answered(10 * ANSWERS);
        stop(process);
        sending.enough.store(true, Ordering::Release);
        let mut last = Process::launch_on(&socket, &place);
        last.ready();
        until("the senders are done", || {
            let sent = sending.next.load(Ordering::Acquire);
            (sending.answered.load(Ordering::Acquire) == sent).then_some(())
        });
        stop(last);
    });
}

#[test]
fn the_service_manager_hears_of_the_start_of_every_reload_of_the_end_and_that_all_is_well() {
    let place = Place::new(META);
    let manager = UnixDatagram::bind(place.path("notify")).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let hear = || {
        let mut datagram = [0; 512];
        let length = manager.recv(&mut datagram).unwrap();
        String::from_utf8_lossy(&datagram[..length]).trim_end().to_owned()
    };
    let mut command = crate::command::wabridge(&place.path(""));
    command.arg("serve").env("NOTIFY_SOCKET", place.path("notify")).env("WATCHDOG_USEC", "300000");
    let mut process = Process::launch_as(command, &place, "");
    process.ready();
    // The watchdog may be the first to speak, and speaks between the others.
    let without_watchdog = || loop {
        let said = hear();
        if said != "WATCHDOG=1" {
            return said;
        }
    };
    assert_eq!(without_watchdog(), "READY=1");
    assert_eq!(hear(), "WATCHDOG=1");
    let reload = Command::new("sh").args(["-c", &format!("kill -HUP {}", process.id())]).status().unwrap();
    assert!(reload.success());
    assert_eq!(without_watchdog(), "RELOADING=1");
    assert_eq!(without_watchdog(), "READY=1");
    assert_eq!(process.stop(), Some(0));
    assert_eq!(without_watchdog(), "STOPPING=1");
}
