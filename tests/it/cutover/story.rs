//! What thirty people and a business write to each other over a day, and how Wati and Meta tell it.
//!
//! Wati alone tells it until [`CUT`], Meta alone from [`END`] on, both in between. Wati knows phones and ads
//! without their click ids, and names nobody in a status; Meta knows click ids and user ids, and hides the
//! phones of a few.

use crate::support::client::{BUSINESS, meta_body};
use crate::support::random::Random;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

const HOUR: i64 = 3600;
/// When Meta begins to tell, in seconds of the day, and when Wati ends.
pub(super) const CUT: i64 = 11 * HOUR;
pub(super) const END: i64 = CUT + 2 * HOUR;
pub(super) const PEOPLE: usize = 30;
/// Somebody who asks for no contact during the overlap, and somebody to whom a reply is refused then.
pub(super) const STOPS: usize = 6;
pub(super) const REFUSED: usize = 8;

/// A second of the day.
pub(super) fn at(second: i64) -> Timestamp {
    "2026-11-22T00:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_secs(second)
}

pub(super) fn phone(person: usize) -> String {
    format!("4477009001{person:02}")
}

pub(super) fn user_id(person: usize) -> String {
    format!("GB.700000000000000000{person:02}")
}

/// Whether Meta names them by user id alone.
pub(super) fn hides_phone(person: usize) -> bool {
    person % 5 == 4
}

/// One thing that happened.
#[derive(Debug, Clone)]
pub(super) struct Fact {
    pub(super) second: i64,
    pub(super) person: usize,
    /// The wamid; of a status, that of its message.
    pub(super) id: String,
    pub(super) what: What,
}

#[derive(Debug, Clone)]
pub(super) enum What {
    /// What the customer wrote, and the number of the ad they came from.
    Text(&'static str, Option<usize>),
    /// What the business wrote.
    Echo,
    Status(&'static str, Option<u32>),
}

/// What a report of a fact says; what it does not say, its channel does not know.
#[derive(Debug, Clone, Copy)]
pub(super) struct Said {
    pub(super) phone: bool,
    pub(super) user_id: bool,
    pub(super) click: bool,
}

/// The whole day, in order.
pub(super) fn day(random: &mut Random) -> Vec<Fact> {
    let mut facts = Vec::new();
    for person in 0..PEOPLE {
        let visits = [
            (person % 4 != 1, 6 * HOUR..CUT - HOUR),
            (person % 4 != 3 || hides_phone(person), CUT + 60..END - HOUR / 2),
            (person % 2 == 0, END + 60..20 * HOUR),
        ];
        for (number, (comes, hours)) in visits.into_iter().enumerate() {
            let begins = random.within(hours.start as u64..hours.end as u64) as i64;
            if comes {
                visit(&mut facts, person, number, begins);
            }
        }
    }
    facts.sort_by_key(|fact| fact.second);
    facts
}

/// Somebody writes, is answered, and writes again.
fn visit(facts: &mut Vec<Fact>, person: usize, number: usize, begins: i64) {
    let mut add = |after: i64, id: &str, what| {
        let id = format!("wamid.{id}{person}x{number}");
        facts.push(Fact { second: begins + after, person, id, what });
    };
    let from_ad = (person + number).is_multiple_of(3);
    add(0, "FIRST", What::Text("Is the blue one still there?", from_ad.then_some(person % 4)));
    let answered = if person.is_multiple_of(2) { 90 } else { 900 };
    add(answered, "REPLY", What::Echo);
    add(answered + 2, "REPLY", What::Status("delivered", None));
    add(answered + 40, "REPLY", What::Status("read", None));
    let second = if (person, number) == (STOPS, 1) { "STOP" } else { "Thanks" };
    add(answered + 60, "SECOND", What::Text(second, None));
    if (person, number) == (REFUSED, 1) {
        add(answered + 120, "LATER", What::Echo);
        add(answered + 122, "LATER", What::Status("failed", Some(131_047)));
    }
}

impl Fact {
    pub(super) fn told_by_wati(&self) -> bool {
        self.second < END
    }

    pub(super) fn told_by_meta(&self) -> bool {
        self.second >= CUT
    }

    /// As Wati tells it.
    pub(super) fn wati(&self) -> Vec<u8> {
        let mut body = json!({
            "id": format!("w-{}", self.id), "whatsappMessageId": self.id,
            "timestamp": at(self.second).as_second().to_string(), "type": "text"
        });
        let more = match &self.what {
            What::Text(text, ad) => json!({
                "eventType": "message", "owner": false, "text": text, "waId": phone(self.person),
                "senderName": format!("Customer {}", self.person), "channelPhoneNumber": &BUSINESS.1[1..],
                "sourceId": ad.map(ad_id), "sourceUrl": ad.map(ad_url), "sourceType": 7
            }),
            What::Echo => json!({
                "eventType": "sessionMessageSent", "owner": true, "text": "Yes, it is", "waId": phone(self.person)
            }),
            What::Status(state, code) => json!({
                "eventType": match *state {
                    "failed" => "sessionMessageFailed".to_owned(),
                    state => format!("sentMessage{}_v2", state.to_uppercase()),
                },
                "channelPhoneNumber": &BUSINESS.1[1..], "failedCode": code.map(|code| code.to_string())
            }),
        };
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::to_vec(&body).unwrap()
    }

    /// As Meta tells it.
    pub(super) fn meta(&self) -> Vec<u8> {
        let phone = !hides_phone(self.person);
        self.meta_saying(Said { phone, user_id: true, click: true })
    }

    /// All that Wati and Meta say of it between them, in Meta's words.
    pub(super) fn best(&self) -> Vec<u8> {
        let by_wati = self.told_by_wati() && !matches!(self.what, What::Status(..));
        let by_meta = self.told_by_meta();
        let phone = by_wati || (by_meta && !hides_phone(self.person));
        self.meta_saying(Said { phone, user_id: by_meta, click: by_meta })
    }

    /// As Meta tells it, with so much of it.
    pub(super) fn meta_saying(&self, said: Said) -> Vec<u8> {
        let phone = said.phone.then(|| phone(self.person));
        let user_id = said.user_id.then(|| user_id(self.person));
        let second = at(self.second).as_second().to_string();
        match &self.what {
            What::Text(text, ad) => {
                let name = format!("Customer {}", self.person);
                let contact = json!({"wa_id": phone, "user_id": user_id, "profile": {"name": name}});
                let mut message = json!({
                    "from": phone, "from_user_id": user_id, "id": self.id, "timestamp": second,
                    "type": "text", "text": {"body": text}
                });
                if let Some(ad) = *ad {
                    let click = said.click.then(|| format!("click-{}", self.id));
                    message["referral"] = json!({
                        "source_type": "ad", "source_id": ad_id(ad), "source_url": ad_url(ad), "ctwa_clid": click
                    });
                }
                meta_body(json!({"contacts": [contact], "messages": [message]}))
            }
            What::Echo => {
                let echo = json!({
                    "from": &BUSINESS.1[1..], "to": phone, "to_user_id": user_id, "id": self.id,
                    "timestamp": second, "type": "text", "text": {"body": "Yes, it is"}
                });
                meta_body(json!({"message_echoes": [echo]}))
            }
            What::Status(state, code) => {
                let errors: Vec<Value> = code.iter().map(|code| json!({"code": code})).collect();
                let status = json!({
                    "id": self.id, "status": state, "timestamp": second, "recipient_id": phone,
                    "recipient_user_id": user_id, "errors": errors
                });
                meta_body(json!({"statuses": [status]}))
            }
        }
    }
}

fn ad_id(ad: usize) -> String {
    format!("12020000000000000{ad}")
}

fn ad_url(ad: usize) -> String {
    format!("https://fb.example.com/{ad}")
}
