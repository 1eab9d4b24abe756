//! What comes by the thousands and is nobody's act, beside people who write: the statuses of a campaign, and
//! the import of half a year. It makes no lead and no window, and everything live is projected.
//!
//! A thirtieth of a real campaign; how long live messages take beside a whole one is measured by `make bench`.

use crate::support::client::{BUSINESS, Client, META_SECRET, Signer, channel, meta_body, text};
use crate::support::process::until;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use wabridge::clock::SetClock;
use wabridge::config::Config;
use wabridge::runtime::Daemon;
use wabridge::store::Books;
use wabridge::store::sqlite::rebuild;

/// When it is, in unix seconds.
const NOW: i64 = 1_795_336_200;
/// Messages of the campaign; each is sent, delivered, and perhaps read.
const SENT: usize = 7_500;
const STATUSES: usize = 20_000;
/// The most updates that Meta puts into one body.
const IN_A_BODY: usize = 1_000;
/// Messages of the import, from or to one of these people.
const IMPORTED: usize = 10_000;
const THREADS: usize = 200;
const DAYS: i64 = 180;
/// People who write meanwhile, and how often.
const WRITERS: usize = 40;
const EACH: usize = 5;

/// Every tenth was sent the campaign and every other is in the import, too; the others are nobody yet.
fn writer(n: usize) -> String {
    match n % 4 {
        0 => recipient(n * 10),
        1 => thread(n),
        _ => format!("4477009020{n:02}"),
    }
}

fn recipient(n: usize) -> String {
    format!("44770091{n:04}")
}

fn thread(n: usize) -> String {
    format!("44770092{n:04}")
}

/// The campaign as Meta tells it: states of many messages in one body, in the order they were reached.
fn campaign() -> Vec<Vec<u8>> {
    let statuses: Vec<Value> = (0..STATUSES)
        .map(|n| {
            let (message, state) = (n % SENT, ["sent", "delivered", "read"][n / SENT]);
            json!({
                "id": format!("wamid.CAMPAIGN{message}"), "status": state,
                "timestamp": (NOW - 600 + n as i64 / 100).to_string(), "recipient_id": recipient(message),
                "pricing": {"billable": true, "category": "marketing", "pricing_model": "PMP"}
            })
        })
        .collect();
    statuses.chunks(IN_A_BODY).map(|chunk| meta_body(json!({"statuses": chunk}))).collect()
}

/// Half a year of both sides' messages, as Meta tells it in parts.
fn import() -> Vec<Vec<u8>> {
    let each = IMPORTED / THREADS;
    let threads: Vec<Value> = (0..THREADS)
        .map(|n| {
            let message = |m: usize| {
                let second =
                    NOW - DAYS * 86_400 + (m * THREADS + n) as i64 * (DAYS * 86_400 / IMPORTED as i64);
                let mut message = text(&format!("wamid.OLD{n}x{m}"), &thread(n), second);
                message["history_context"] = json!({"status": "READ"});
                if m % 2 == 1 {
                    (message["from"], message["to"]) = (BUSINESS.1[1..].into(), thread(n).into());
                }
                if m == 0 {
                    message["referral"] = json!({"source_type": "ad", "source_id": "120200000000000009"});
                }
                message
            };
            json!({"id": thread(n), "messages": (0..each).map(message).collect::<Vec<_>>()})
        })
        .collect();
    let part = |(order, threads): (usize, &[Value])| {
        let metadata = json!({"phase": 1, "chunk_order": order, "progress": 100});
        let body = meta_body(json!({"history": [{"metadata": metadata, "threads": threads}]}));
        String::from_utf8(body).unwrap().replace("\"field\":\"messages\"", "\"field\":\"history\"").into()
    };
    threads.chunks(IN_A_BODY / each).enumerate().map(part).collect()
}

/// What people write meanwhile, each message in a body of its own. Every fifth person comes from an ad.
fn live() -> Vec<Vec<u8>> {
    let message = |n: usize| {
        let mut message =
            text(&format!("wamid.LIVE{n}"), &writer(n % WRITERS), NOW - 300 + (n / WRITERS) as i64);
        if n < WRITERS && n.is_multiple_of(5) {
            message["referral"] = json!({"source_type": "ad", "source_id": "120200000000000001", "ctwa_clid": format!("click-{n}")});
        }
        meta_body(json!({"messages": [message]}))
    };
    (0..WRITERS * EACH).map(message).collect()
}

/// What a daemon is left with.
struct Left {
    books: Books,
    /// Those who are leads, by phone, each with the newest act in their window.
    leads: Vec<(String, String)>,
    touches: usize,
    rows: Vec<(&'static str, u64)>,
}

fn config(path: &Path) -> Config {
    let mut config = Config::new(path);
    config.server.listen = "127.0.0.1:0".parse().unwrap();
    let mut main = channel("main", "meta", META_SECRET);
    main.business_numbers =
        [(BUSINESS.0.to_owned(), wabridge_model::Phone::from_whatsapp_id(&BUSINESS.1[1..]).unwrap())].into();
    config.channels = vec![main];
    config
}

fn post(address: SocketAddr, bodies: &[Vec<u8>]) {
    let signer = Signer::meta();
    let mut client = Client::connect(address).unwrap();
    for body in bodies {
        let request = signer.post("main", body, jiff::Timestamp::UNIX_EPOCH);
        assert_eq!(client.send(&request).unwrap().0, 200);
    }
}

/// Delivers each list over a connection of its own, all at one time.
fn run(lists: &[Vec<Vec<u8>>]) -> Left {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wabridge.db");
    let clock = SetClock::at(jiff::Timestamp::from_second(NOW).unwrap());
    let daemon = Daemon::start(config(&path), Arc::new(clock)).unwrap();
    let address = daemon.address;
    std::thread::scope(|scope| lists.iter().for_each(|bodies| drop(scope.spawn(|| post(address, bodies)))));
    until("everything is projected", || (daemon.store.backlog().unwrap().waiting == 0).then_some(()));
    let books = daemon.store.books().unwrap();
    let clusters = daemon.store.cluster_ids(0, usize::MAX >> 1).unwrap();
    let people = clusters.into_iter().flat_map(|id| daemon.store.cluster(id).unwrap().unwrap().0.leads);
    let mut left = Left { books, leads: Vec::new(), touches: 0, rows: Vec::new() };
    for lead in people {
        let acts = lead.windows.values().filter_map(|window| window.inbound.as_ref());
        let newest = acts.map(|act| act.at.as_second().to_string()).max();
        assert_eq!(lead.birth.is_some(), newest.is_some(), "a window without a lead, or the reverse");
        left.touches += lead.attribution.touches.len();
        left.leads.extend(newest.map(|newest| (lead.phone().unwrap_or_default().to_owned(), newest)));
    }
    left.leads.sort_unstable();
    daemon.stop();
    let file = rusqlite::Connection::open(&path).unwrap();
    for table in ["events", "rollups", "touches"] {
        let count = |row: &rusqlite::Row<'_>| row.get(0);
        left.rows.push((table, file.query_row(&format!("SELECT count(*) FROM {table}"), [], count).unwrap()));
    }
    assert_eq!(rebuild::verify(&path).unwrap().different, 0);
    left
}

#[test]
fn load_campaign_and_import_make_no_lead_window_or_touch_and_live_messages_beside_them_are_all_projected() {
    let (campaign, import, live) = (campaign(), import(), live());
    assert!(campaign.len() == STATUSES / IN_A_BODY && import.len() == IMPORTED / IN_A_BODY);
    let alone = run(std::slice::from_ref(&live));
    assert_eq!(alone.leads.len(), WRITERS);

    let quiet = run(&[campaign.clone(), import.clone()]);
    assert!(quiet.books.balance(), "{:?}", quiet.books);
    assert_eq!((quiet.leads.len(), quiet.touches), (0, 0));
    let inert = (STATUSES + IMPORTED) as u64;
    assert_eq!(quiet.rows, [("events", inert), ("rollups", 0), ("touches", 0)]);

    let beside = run(&[campaign, import, live]);
    let of = |result: &str| beside.books.items.get(result).copied().unwrap_or(0);
    let all = inert + (WRITERS * EACH) as u64;
    assert!(beside.books.balance(), "{:?}", beside.books);
    assert_eq!((of("seen"), of("applied"), of("quarantined"), of("duplicate")), (all, all, 0, 0));
    assert_eq!(beside.leads, alone.leads, "the same people, and windows from what they wrote now alone");
    assert_eq!((beside.touches, &beside.rows[1..]), (alone.touches, &alone.rows[1..]));
    let phones: BTreeSet<&String> = beside.leads.iter().map(|(phone, _)| phone).collect();
    assert_eq!(phones, (0..WRITERS).map(|n| format!("+{}", writer(n))).collect::<Vec<_>>().iter().collect());
}
