//! What is sent: signed Meta webhooks, each a message of its own.
//!
//! In: a number. Out: a body of exactly [`BODY_BYTES`] bytes and the request around it. Every fourth
//! message carries an ad. People write in the order of the numbers, a quarter of a second apart. Beside them
//! a campaign: bodies of [`STATUSES_IN_A_BODY`] statuses each. Or an import: bodies of [`THREADS_IN_A_BODY`]
//! threads of [`MESSAGES_IN_A_THREAD`] messages, from today back to half a year ago, of the same people.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use wabridge::clock::{Clock, SystemClock};
use wabridge::config::{Channel, Channels, Config, Endpoint, SecretReference};

/// The channel everything is sent to.
pub(crate) const CHANNEL: &str = "main";
/// Its app secret: the benchmark's own, and nobody else's.
pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";
/// How large a body is.
pub(crate) const BODY_BYTES: usize = 1_500;
/// How many people write, where they come back.
pub(crate) const PEOPLE: u64 = 20_000;

/// The business number's digits.
const OURS: &str = "442079460001";

/// The most updates that Meta puts into one body.
pub(crate) const STATUSES_IN_A_BODY: usize = 1_000;
/// What becomes of a message of the campaign; all reach a state before any reaches the next.
const STATES: [&str; 3] = ["sent", "delivered", "read"];

/// How many threads an import tells of in one body.
const THREADS_IN_A_BODY: usize = 100;
/// How many messages of each.
const MESSAGES_IN_A_THREAD: usize = 50;
/// How many messages of an import are in one body: Meta says of none how many they are.
pub(crate) const MESSAGES_IN_A_BODY: usize = THREADS_IN_A_BODY * MESSAGES_IN_A_THREAD;
/// The days of an import.
const DAYS: i64 = 180;

const PAGE: &str = "Is the blue one still there, and what would it cost to have it sent by Friday? ";

/// Who writes message `n`: anyone, and the same in every run.
pub(crate) fn writer_of(n: u64) -> String {
    let scattered = n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 24;
    format!("9199999{:05}", scattered % PEOPLE)
}

/// Somebody who never wrote before.
pub(crate) fn stranger(n: u64) -> String {
    format!("9198888{n:05}")
}

/// The configuration of every rung: the defaults, one channel, any free port.
pub(crate) fn config(store: &Path) -> Config {
    let mut config = Config::new(store);
    config.server.listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let provider = wabridge_providers::registry::find("meta").expect("Meta is in the registry");
    let mut channel = Channel::new(CHANNEL, provider);
    channel.signing = vec![SecretReference::Held(SECRET.to_owned().into())];
    config.channels.push(channel);
    config
}

/// Makes requests that need no further work to be sent.
pub(crate) struct Maker {
    endpoint: Endpoint,
    began_at: jiff::Timestamp,
}

impl Maker {
    pub(crate) fn new() -> Maker {
        let channels = Channels::with_secrets(&config(Path::new("/"))).expect("the secret is held");
        let endpoint = channels.get(CHANNEL).expect("the channel is configured").clone();
        let began_at = SystemClock::default().now() - jiff::SignedDuration::from_hours(24);
        Maker { endpoint, began_at }
    }

    /// A whole request: message `n` of this sender, in a space of ids.
    pub(crate) fn request(&self, space: &str, n: u64, from: &str) -> Vec<u8> {
        let second = self.began_at.as_second() + i64::try_from(n / 4).expect("few messages are made");
        self.signed(&body(space, n, from, second))
    }

    /// A whole request: part `n` of the statuses of a campaign of `statuses`.
    pub(crate) fn campaign(&self, n: usize, statuses: usize) -> Vec<u8> {
        let (messages, second) = (statuses / STATES.len(), self.began_at.as_second());
        let from = n * STATUSES_IN_A_BODY;
        let one = |n: usize| {
            let (message, state) = (n % messages, STATES[n / messages]);
            format!(
                r#"{{"id":"wamid.CAMPAIGN{message:030}","status":"{state}","timestamp":"{second}","recipient_id":"91977{message:07}","conversation":{{"id":"{message:032}","origin":{{"type":"marketing"}}}},"pricing":{{"billable":true,"pricing_model":"PMP","category":"marketing","type":"regular"}}}}"#
            )
        };
        let list: Vec<String> = (from..statuses.min(from + STATUSES_IN_A_BODY)).map(one).collect();
        self.signed(&around(&format!(r#""statuses":[{}]"#, list.join(","))))
    }

    /// A whole request: part `n` of an import in `parts`, the newest messages first. Every fourth thread is of
    /// somebody who writes meanwhile.
    pub(crate) fn import(&self, n: usize, parts: usize) -> Vec<u8> {
        let newest = self.began_at.as_second() - DAYS * 86_400 * n as i64 / parts as i64;
        let step = DAYS * 86_400 / (parts * MESSAGES_IN_A_THREAD) as i64;
        let thread = |thread: usize| {
            let who = match thread % 4 {
                0 => writer_of(thread as u64),
                _ => format!("91966{thread:07}"),
            };
            let message = |m: usize| {
                let (from, to) =
                    if m.is_multiple_of(2) { (who.as_str(), OURS) } else { (OURS, who.as_str()) };
                let second = newest - step * m as i64;
                format!(
                    r#"{{"from":"{from}","to":"{to}","id":"wamid.OLD{n:05}{thread:05}{m:05}","timestamp":"{second}","type":"text","text":{{"body":"Is it still there?"}},"history_context":{{"status":"READ"}}}}"#
                )
            };
            let messages: Vec<String> = (0..MESSAGES_IN_A_THREAD).map(message).collect();
            format!(r#"{{"id":"{who}","messages":[{}]}}"#, messages.join(","))
        };
        let threads: Vec<String> = (0..THREADS_IN_A_BODY).map(thread).collect();
        let list = format!(
            r#""history":[{{"metadata":{{"phase":1,"chunk_order":{n},"progress":50}},"threads":[{}]}}]"#,
            threads.join(",")
        );
        self.signed(&around(&list).replace(r#""field":"messages""#, r#""field":"history""#))
    }

    fn signed(&self, body: &str) -> Vec<u8> {
        let Endpoint { provider, account, .. } = &self.endpoint;
        let signed = provider.sign(body.as_bytes(), self.began_at, account).expect("there is a secret");
        let mut request = format!(
            "POST /hooks/{CHANNEL} HTTP/1.1\r\nHost: hooks.example.in\r\nUser-Agent: facebookexternalua\r\n\
             Accept: */*\r\nContent-Type: application/json\r\nContent-Length: {}\r\n",
            body.len()
        );
        for (name, value) in signed.headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str("\r\n");
        request.push_str(body);
        request.into_bytes()
    }
}

fn body(space: &str, n: u64, from: &str, second: i64) -> String {
    let referral = if n.is_multiple_of(4) { referral(n) } else { String::new() };
    let whole = |text: &str| {
        around(&format!(
            r#""contacts":[{{"profile":{{"name":"Visitor {n}"}},"wa_id":"{from}"}}],"messages":[{{"from":"{from}","id":"wamid.{space}{n:030}","timestamp":"{second}","type":"text","text":{{"body":"{text}"}}{referral}}}]"#
        ))
    };
    let missing = BODY_BYTES - whole("").len();
    let text: String = PAGE.chars().cycle().take(missing).collect();
    whole(&text)
}

/// Meta's body around lists such as `"messages":[...]`.
fn around(lists: &str) -> String {
    format!(
        r#"{{"object":"whatsapp_business_account","entry":[{{"id":"100000000000009","changes":[{{"value":{{"messaging_product":"whatsapp","metadata":{{"display_phone_number":"{OURS}","phone_number_id":"100000000000001"}},{lists}}},"field":"messages"}}]}}]}}"#
    )
}

fn referral(n: u64) -> String {
    let ad = 120_200_000_000_000_000 + n % 50;
    format!(
        r#","referral":{{"source_url":"https:\/\/fb.me\/bench","source_id":"{ad}","source_type":"ad","headline":"Winter boots","body":"Ask us for your size","media_type":"image","image_url":"https:\/\/cdn.example.com\/boots.jpg","ctwa_clid":"ARBenchClickId{n:020}","welcome_message":{{"text":"Hello! Which size?"}}}}"#
    )
}
