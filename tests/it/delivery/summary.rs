//! A conversation by an endpoint's words where it answers in time, and by our own wherever it does not.

use super::world::{HUBSPOT, World, by_number};
use crate::outbox::bench::{about, bot, chat, report};
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::Builder;
use wabridge::store::Backlog;
use wabridge::telemetry::metrics::Moment;

/// What the endpoint does with every request.
#[derive(Clone)]
pub(super) enum Does {
    Says(String),
    /// This status and body.
    Answers(u16, String),
    /// Nothing, and keeps the line open.
    Hangs,
}

/// An endpoint on a real socket, and what it was asked: heads and bodies.
pub(super) struct Endpoint {
    pub(super) url: String,
    asked: Arc<Mutex<Vec<(String, Value)>>>,
    pub(super) does: Arc<Mutex<Does>>,
}

impl Endpoint {
    pub(super) fn that(does: Does) -> Endpoint {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let (asked, does) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(does)));
        let (heard, plays) = (Arc::clone(&asked), Arc::clone(&does));
        let serve = move || {
            let mut open = Vec::new();
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                heard.lock().unwrap().push(request(&mut stream));
                let (status, body) = match plays.lock().unwrap().clone() {
                    Does::Says(text) => {
                        (200, json!({"choices": [{"message": {"content": text}}]}).to_string())
                    }
                    Does::Answers(status, body) => (status, body),
                    Does::Hangs => {
                        open.push(stream);
                        continue;
                    }
                };
                let head = format!(
                    "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    body.len()
                );
                // Who has heard enough hangs up.
                let _ = stream.write_all(format!("{head}{body}").as_bytes());
            }
        };
        Builder::new().name("endpoint".to_owned()).spawn(serve).unwrap();
        Endpoint { url, asked, does }
    }

    pub(super) fn asked(&self) -> Vec<(String, Value)> {
        self.asked.lock().unwrap().clone()
    }

    /// One HubSpot whose conversations it summarises.
    fn world(&self) -> World {
        World::of(&format!(
            "{HUBSPOT}[summary]\nurl = \"{}\"\nmodel = \"small\"\ntimeout_seconds = 1\n",
            self.url
        ))
    }
}

fn request(stream: &mut TcpStream) -> (String, Value) {
    let (mut heard, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        let head = heard.windows(4).position(|end| end == b"\r\n\r\n");
        if let Some(end) = head {
            let head = String::from_utf8(heard[..end].to_vec()).unwrap().to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            if heard.len() >= end + 4 + length.parse::<usize>().unwrap() {
                return (head, serde_json::from_slice(&heard[end + 4..]).unwrap());
            }
        }
        match stream.read(&mut piece).unwrap() {
            0 => panic!("cut off"),
            read => heard.extend_from_slice(&piece[..read]),
        }
    }
}

/// Somebody writes two messages, and all is delivered; the texts of the activities, without their references.
fn writes(world: &mut World, person: u32) -> Vec<String> {
    for n in 0..2 {
        let id = format!("p{person}-{n}");
        world.hears(&[report(by_number(person), &id, world.now(), about(&id, &["pricing"]))]);
    }
    world.run_for(SignedDuration::from_mins(20));
    world.assert_drained();
    texts(world)
}

/// The page of metrics.
pub(super) fn shown(world: &World) -> String {
    let moment = Moment { now: world.now(), clock_unsure: false, backlog: Backlog::default() };
    world.metrics.text(&world.books(), moment)
}

fn texts(world: &World) -> Vec<String> {
    let text = |activity: Value| {
        let (text, _) = activity["text"].as_str().unwrap().split_once("<br>Ref wab-").unwrap();
        text.to_owned()
    };
    world.only().ledger("activities").into_iter().map(text).collect()
}

#[test]
fn an_endpoint_that_answers_is_asked_for_the_words_alone_and_quoted() {
    let endpoint = Endpoint::that(Does::Says("Wants the\nprice of\u{202e} ten chairs. ".to_owned()));
    let mut world = endpoint.world();
    let texts = writes(&mut world, 1);
    let [text] = texts.as_slice() else { panic!("{texts:?}") };
    assert!(text.starts_with("Wants the price of ten chairs.<br>"), "{text}");
    assert!(text.contains("2 received") && text.contains("Intents: pricing"), "{text}");
    let asked = endpoint.asked();
    let (head, body) = &asked[0];
    assert!(
        head.starts_with("post /v1/chat/completions http/1.1\r\n") && !head.contains("authorization"),
        "{head}"
    );
    assert_eq!(body["model"], "small");
    let said = body["messages"][1]["content"].as_str().unwrap();
    assert_eq!(said, "They: Message p1-0\nThey: Message p1-1");
    let all = body.to_string();
    assert!(!all.contains("98000000") && !all.contains("Customer 1") && !all.contains("8047000000"), "{all}");
}

#[test]
fn whatever_goes_wrong_there_the_conversation_is_summarised_here() {
    let mut plain = World::hubspot();
    let expected = writes(&mut plain, 1);
    let answer = |content: Value| json!({"choices": [{"message": {"content": content}}]}).to_string();
    let table = [
        ("refused", Does::Answers(500, answer("A summary".into()))),
        ("refused", Does::Answers(401, String::new())),
        ("unreadable", Does::Answers(200, "<html>".to_owned())),
        ("unreadable", Does::Answers(200, answer(Value::Null))),
        ("empty", Does::Says(" \n ".to_owned())),
        ("too_long", Does::Says("word ".repeat(400))),
        ("timeout", Does::Hangs),
    ];
    for (why, does) in table {
        let endpoint = Endpoint::that(does);
        let mut world = endpoint.world();
        assert_eq!(writes(&mut world, 1), expected, "{why}");
        assert!(!endpoint.asked().is_empty(), "{why}");
        let counted = format!("wabridge_summaries_total{{result=\"{why}\"}}");
        let shown = shown(&world);
        assert!(shown.contains(&counted), "{why}: {shown}");
    }
    let nobody = Endpoint { url: "http://127.0.0.1:1/v1".to_owned(), ..Endpoint::that(Does::Hangs) };
    assert_eq!(writes(&mut nobody.world(), 1), expected);
}

#[test]
fn the_same_words_are_asked_for_once_and_an_endpoint_that_fails_is_left_alone_for_a_while() {
    let endpoint = Endpoint::that(Does::Says("A summary".to_owned()));
    let mut world = endpoint.world();
    world
        .only()
        .fate(&json!({"method": "POST", "path": "/communications", "fate": "reject_500", "times": 3}));
    world.says(by_number(1), "m1");
    world.hears(&[report(by_number(1), "m2", world.now(), about("m2", &[]))]);
    world.run_for(SignedDuration::from_hours(1));
    assert!(texts(&world)[0].starts_with("A summary<br>"), "{:?}", texts(&world));
    assert_eq!(endpoint.asked().len(), 1, "four attempts at the same words");

    *endpoint.does.lock().unwrap() = Does::Answers(500, String::new());
    for person in 2..=6 {
        world.hears(&[report(by_number(person), &format!("f{person}"), world.now(), about("f", &[]))]);
        world.run();
    }
    assert_eq!(endpoint.asked().len(), 1 + 3, "three failures in a row");
    *endpoint.does.lock().unwrap() = Does::Says("Well again".to_owned());
    world.run_for(SignedDuration::from_mins(2));
    world.hears(&[report(by_number(7), "g", world.now(), about("g", &[]))]);
    world.run_for(SignedDuration::from_mins(20));
    assert!(texts(&world).iter().any(|text| text.starts_with("Well again<br>")), "{:?}", texts(&world));
    world.assert_drained();
}

#[test]
fn nothing_is_sent_that_a_chatbot_has_summarised_or_that_is_only_shown() {
    let endpoint = Endpoint::that(Does::Says("A summary".to_owned()));
    let mut world = endpoint.world();
    world.says(by_number(1), "m1");
    let mut event = bot("e1", "conversation.ended");
    event.transcript.summary = Some("The bot's own words".to_owned());
    world.hears(&[
        report(by_number(1), "m2", world.now(), about("m2", &[])),
        chat(by_number(1), world.now(), event),
    ]);
    world.run_for(SignedDuration::from_mins(20));
    assert!(texts(&world)[0].starts_with("The bot's own words<br>"), "{:?}", texts(&world));

    let shadow = HUBSPOT.replace("crm = \"hubspot\"", "crm = \"hubspot\"\nmode = \"shadow\"");
    let mut world = World::of(&format!("{shadow}[summary]\nurl = \"{}\"\nmodel = \"small\"\n", endpoint.url));
    writes(&mut world, 1);
    assert_eq!(endpoint.asked(), []);
}
