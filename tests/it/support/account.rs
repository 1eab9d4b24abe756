//! A simulated account of a CRM on a socket, and a place whose configuration has it as a target.

use crate::command::{Ended, Place};
use crate::delivery::world::simulator;
use serde_json::{Value, json};
use std::net::TcpListener;
use std::sync::Arc;
use wabridge_simulators::{Reply, Request, Serving, Simulator, serve};

const HEAD: &str = r#"
[server]
public_url = "https://hooks.example.in"
listen = "127.0.0.1:0"
admin_listen = "127.0.0.1:0"
control_socket = "{folder}/control.sock"
[store]
url = "sqlite:{folder}/wabridge.db"
[[channel]]
name = "main"
provider = "meta"
app_secrets = ["file:{folder}/secret"]
verify_token = "file:{folder}/verify"
business_numbers = { "106540352242922" = "+918047000000" }
[[target]]
name = "{crm}"
crm = "{crm}"
auth = { token = "file:{folder}/token" }
base_url = "{base_url}"
"#;

/// Fields of people and of conversations, as accounts often map them.
pub(crate) const FIELDS: &str = r#"
[target.fields]
ctwa_clid = "attribution.last.ctwa_clid"
ad_id = "attribution.last.ad_id"
last_inbound_at = "window.last_inbound_at"
"#;

/// An account and a place. Dropping it closes both.
pub(crate) struct Account {
    pub(crate) place: Place,
    simulator: Arc<Simulator>,
    serving: Serving,
}

impl Account {
    /// One of HubSpot.
    pub(crate) fn of(target: &str) -> Account {
        Account::at("hubspot", target)
    }

    /// An account whose target is configured by what follows `[[target]]` with its name, CRM and token.
    pub(crate) fn at(crm: &str, target: &str) -> Account {
        let simulator = Arc::new(simulator(crm));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let serving = serve(Arc::clone(&simulator), listener, None).unwrap();
        let toml = format!("{HEAD}{target}").replace("{base_url}", &serving.base_url()).replace("{crm}", crm);
        let place = Place::new(&toml);
        place.write("secret", crate::support::client::META_SECRET, 0o600);
        place.write("verify", "a verify token", 0o600);
        place.write("token", simulator.target()["auth"]["token"].as_str().unwrap(), 0o600);
        Account { place, simulator, serving }
    }

    /// One of HubSpot, with every field that is mapped.
    pub(crate) fn set_up(target: &str) -> Account {
        Account::set_up_at("hubspot", target)
    }

    /// As [`Account::at`], with every field that is mapped.
    pub(crate) fn set_up_at(crm: &str, target: &str) -> Account {
        let account = Account::at(crm, target);
        let made = account.run(&["target", "setup", crm, "--apply"]);
        assert_eq!(made.code, 0, "{made:?}");
        account
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        self.place.run(arguments)
    }

    /// Asks one of the simulator's own routes.
    pub(crate) fn control(&self, method: &str, path: &str, body: &Value) -> Value {
        self.ask(Request {
            method: method.to_owned(),
            target: path.to_owned(),
            headers: Vec::new(),
            body: serde_json::to_vec(body).unwrap(),
        })
    }

    /// Posts to the CRM's own API, as another program of the account's would.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Value {
        let token = self.simulator.target()["auth"]["token"].as_str().unwrap().to_owned();
        let headers =
            [("authorization", format!("Bearer {token}")), ("content-type", "application/json".to_owned())];
        self.ask(Request {
            method: "POST".to_owned(),
            target: path.to_owned(),
            headers: headers.map(|(name, value)| (name.to_owned(), value)).to_vec(),
            body: serde_json::to_vec(body).unwrap(),
        })
    }

    fn ask(&self, request: Request) -> Value {
        let path = request.target.clone();
        let Reply::Answer(answer, _) = self.simulator.answer(&request, jiff::Timestamp::UNIX_EPOCH) else {
            panic!("{path} gives no answer")
        };
        assert!(answer.status < 300, "{path}: {}", String::from_utf8_lossy(&answer.body));
        serde_json::from_slice(&answer.body).unwrap_or(Value::Null)
    }

    /// Changes fields as an administrator does: `remove`, `require`, `retype`.
    pub(crate) fn reshape(&self, change: &Value) {
        self.control("POST", "/_set", &json!({ "schema": change }));
    }

    /// The methods of the calls of its API so far.
    pub(crate) fn methods(&self) -> Vec<String> {
        let ledger = self.control("GET", "/_ledger", &Value::Null);
        let calls = ledger["calls"].as_array().unwrap().iter();
        calls.map(|call| call["method"].as_str().unwrap().to_owned()).collect()
    }

    /// Closes the CRM's socket; the place stays.
    pub(crate) fn vanish(self) -> Place {
        drop(self.serving);
        self.place
    }
}
