//! One simulated account and a clock that the test holds.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use wabridge_simulators::{Reply, Request, Response, Simulator, hubspot, zoho};

/// The date version that most tests speak.
pub(crate) const CONTACTS: &str = "/crm/objects/2026-09/contacts";

/// An account, a token and a time.
pub(crate) struct Desk {
    pub(crate) simulator: Simulator,
    pub(crate) token: String,
    pub(crate) now: Timestamp,
    /// The word before the token.
    scheme: &'static str,
}

/// An answer with its body read.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) status: u16,
    pub(crate) body: Value,
    headers: Vec<(String, String)>,
}

impl Said {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(it, _)| it == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn id(&self) -> String {
        self.body["id"].as_str().unwrap_or_else(|| panic!("no id in {}", self.body)).to_owned()
    }

    /// The codes of the refused properties.
    pub(crate) fn codes(&self) -> Vec<&str> {
        self.body["errors"].as_array().unwrap().iter().map(|it| it["code"].as_str().unwrap()).collect()
    }
}

impl Desk {
    pub(crate) fn new() -> Desk {
        Desk::of(hubspot::simulator(), "Bearer")
    }

    pub(crate) fn zoho() -> Desk {
        Desk::of(zoho::simulator(), "Zoho-oauthtoken")
    }

    fn of(simulator: Simulator, scheme: &'static str) -> Desk {
        let token = simulator.target()["auth"]["token"].as_str().unwrap().to_owned();
        Desk { simulator, token, now: "2026-11-23T08:00:00Z".parse().unwrap(), scheme }
    }

    pub(crate) fn wait(&mut self, seconds: i64) {
        self.now += SignedDuration::from_secs(seconds);
    }

    pub(crate) fn reply(&self, method: &str, target: &str, body: Vec<u8>) -> Reply {
        let headers = vec![("authorization".to_owned(), format!("{} {}", self.scheme, self.token))];
        let request = Request { method: method.to_owned(), target: target.to_owned(), headers, body };
        self.simulator.answer(&request, self.now)
    }

    pub(crate) fn call(&self, method: &str, target: &str, body: &Value) -> Said {
        let bytes = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        match self.reply(method, target, bytes) {
            Reply::Answer(Response { status, headers, body }, _) => {
                let body = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap() };
                Said { status, body, headers }
            }
            none => panic!("{method} {target}: {none:?}"),
        }
    }

    pub(crate) fn get(&self, target: &str) -> Said {
        self.call("GET", target, &Value::Null)
    }

    pub(crate) fn post(&self, target: &str, body: Value) -> Said {
        self.call("POST", target, &body)
    }

    pub(crate) fn patch(&self, target: &str, body: Value) -> Said {
        self.call("PATCH", target, &body)
    }

    /// Speaks to a control route, which must agree.
    pub(crate) fn tell(&self, route: &str, body: Value) {
        let said = self.post(route, body);
        assert_eq!(said.status, 200, "{route}: {}", said.body);
    }

    pub(crate) fn ledger(&self) -> Value {
        self.get("/_ledger").body
    }

    /// Creates a contact, and gives its id.
    pub(crate) fn contact(&self, properties: Value) -> String {
        let said = self.post(CONTACTS, json!({ "properties": properties }));
        assert_eq!(said.status, 201, "{}", said.body);
        said.id()
    }

    /// Searches contacts by filters that must all hold, and gives the ids found.
    pub(crate) fn found(&self, filters: Value) -> Vec<String> {
        let body = json!({"filterGroups": [{"filters": filters}], "limit": 200});
        let said = self.post(&format!("{CONTACTS}/search"), body);
        assert_eq!(said.status, 200, "{}", said.body);
        ids(&said.body["results"])
    }
}

/// The ids of a list of records.
pub(crate) fn ids(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect()
}
