//! A Zoho account that is listened in on: how often its token endpoint was asked, and whether each token that its API
//! was shown was on the disk at that time.

use crate::command::{Ended, Place};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use wabridge::clock::{Clock, SetClock};
use wabridge::config::{Config, Store};
use wabridge::outbox::login::{Login, Vault};
use wabridge::outbox::transport::HttpAccount;
use wabridge::store::login::{LoginRow, Logins};
use wabridge::store::sqlite::SqliteStore;
use wabridge_crms::{Answer, Call, Method, NoAnswer, Transport};
use wabridge_simulators::{Reply, Request, Serving, Simulator, serve_by, zoho};

const TOML: &str = r#"
[server]
listen = "127.0.0.1:0"
admin_listen = "127.0.0.1:0"
control_socket = "{folder}/control.sock"
[store]
url = "sqlite:{folder}/wabridge.db"
[[channel]]
name = "main"
provider = "meta"
app_secrets = ["file:{folder}/app"]
verify_token = "file:{folder}/app"
business_numbers = { "100000000000001" = "+442079460001" }
[[target]]
name = "zoho"
crm = "zoho"
base_url = "{base_url}"
auth = { client_id = "{client_id}", client_secret = "file:{folder}/secret", accounts_url = "{base_url}" }
"#;

/// What was heard on the way.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// Questions to the token endpoint.
    pub(crate) asked: usize,
    /// Those that it granted something for.
    pub(crate) granted: usize,
    /// Calls of the API.
    pub(crate) calls: usize,
    /// Those of them with a token that was not on the disk.
    pub(crate) unkept: usize,
}

/// The account, and a place whose configuration has it as a target that logs in.
pub(crate) struct Bench {
    pub(crate) place: Place,
    pub(crate) simulator: Arc<Simulator>,
    /// The CRM's time; of this process as well, not of commands.
    pub(crate) clock: Arc<SetClock>,
    pub(crate) heard: Arc<Mutex<Heard>>,
    _serving: Serving,
}

impl Bench {
    pub(crate) fn new() -> Bench {
        Bench::with("")
    }

    /// At a machine with a public address.
    pub(crate) fn public() -> Bench {
        Bench::with("public_url = \"https://hooks.example.in\"")
    }

    fn with(server: &str) -> Bench {
        let simulator = Arc::new(zoho::simulator());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let client = simulator.oauth().unwrap();
        let client_id = client["client_id"].as_str().unwrap();
        let toml = TOML.replace("[server]", &format!("[server]\n{server}"));
        let place = Place::new(&toml.replace("{base_url}", &base_url).replace("{client_id}", client_id));
        place.write("secret", client["client_secret"].as_str().unwrap(), 0o600);
        place.write("app", crate::support::client::META_SECRET, 0o600);
        let path = place.path("wabridge.db");
        SqliteStore::prepare(&path).unwrap();
        let clock = Arc::new(SetClock::at("2026-11-22T08:00:00Z".parse().unwrap()));
        let heard = Arc::new(Mutex::new(Heard::default()));
        let (vault, crm, time, ears) =
            (vault(&path, &clock), simulator.clone(), clock.clone(), heard.clone());
        let answer = move |request: &Request| {
            // Held to the end: whoever sees that it was asked sees as well what it granted.
            let mut heard = ears.lock().unwrap();
            note_call(request, &vault, &mut heard);
            let reply = crm.answer(request, time.now());
            if let Reply::Answer(answer, _) = &reply {
                let grants = answer.body.windows(12).any(|window| window == b"access_token");
                heard.granted += usize::from(grants);
            }
            reply
        };
        Bench { place, simulator, clock, heard, _serving: serve_by(answer, listener).unwrap() }
    }

    /// Logs in by the code of the self client, as `wabridge login --code` does.
    pub(crate) fn log_in(&self) {
        self.log_in_now();
        // The command's time is that of the machine, and ours is not.
        self.adjust(|row| {
            row.changed_at = self.clock.now();
            row.renew_at = Some(self.clock.now() + Duration::from_secs(3300));
            row.expires_at = Some(self.clock.now() + Duration::from_secs(3600));
        });
    }

    /// The same in the time of the machine, which daemons and commands share.
    pub(crate) fn log_in_now(&self) {
        let ended = self.run(&["login", "zoho", "--code", &self.code()]);
        assert_eq!(ended.code, 0, "{ended:?}");
        assert!(ended.out.starts_with("'zoho' is logged in at Zoho CRM"), "{ended:?}");
    }

    fn code(&self) -> String {
        self.simulator.oauth().unwrap()["code"].as_str().unwrap().to_owned()
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        self.place.run(arguments)
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.place.path("wabridge.db")
    }

    /// The account, as a process of its own has it: with a store that nobody shares.
    pub(crate) fn account(&self) -> HttpAccount {
        self.account_at(Arc::new(SqliteStore::open_to_read(&self.path()).unwrap()))
    }

    /// The account, with its login kept there.
    pub(crate) fn account_at(&self, logins: Arc<dyn Logins>) -> HttpAccount {
        let config = Config::load(self.place.path("wabridge.toml")).unwrap();
        let vault = Vault::new(logins, self.clock.clone(), Store::new(self.path()).beside(".key"));
        HttpAccount::of(config.target("zoho").unwrap(), &vault).unwrap()
    }

    pub(crate) fn login(&self) -> Login {
        let config = Config::load(self.place.path("wabridge.toml")).unwrap();
        Login::of(config.target("zoho").unwrap(), &vault(&self.path(), &self.clock)).unwrap()
    }

    pub(crate) fn row(&self) -> LoginRow {
        SqliteStore::open_to_read(&self.path()).unwrap().login("zoho").unwrap().unwrap()
    }

    /// Changes what is kept beside the tokens.
    pub(crate) fn adjust(&self, change: impl FnOnce(&mut LoginRow)) {
        let mut row = self.row();
        change(&mut row);
        let store = SqliteStore::open_to_read(&self.path()).unwrap();
        assert!(store.keep_login("zoho", &row, Some(row.generation)).unwrap());
    }

    /// Asks one of the simulator's own routes.
    pub(crate) fn control(&self, path: &str, body: &Value) -> Value {
        let method = if body.is_null() { "GET" } else { "POST" };
        let request = Request {
            method: method.to_owned(),
            target: path.to_owned(),
            headers: Vec::new(),
            body: serde_json::to_vec(body).unwrap(),
        };
        let Reply::Answer(answer, _) = self.simulator.answer(&request, self.clock.now()) else { panic!() };
        assert!(answer.status < 300, "{}", String::from_utf8_lossy(&answer.body));
        serde_json::from_slice(&answer.body).unwrap_or_default()
    }

    pub(crate) fn rotate(&self) {
        self.control("/_set", &json!({ "rotate_refresh_tokens": true }));
    }

    pub(crate) fn asked(&self) -> usize {
        self.heard.lock().unwrap().asked
    }
}

/// The logins of a store, through a handle of its own.
fn vault(path: &std::path::Path, clock: &Arc<SetClock>) -> Vault {
    let clock: Arc<dyn Clock> = clock.clone();
    Vault::new(Arc::new(SqliteStore::open_to_read(path).unwrap()), clock, Store::new(path).beside(".key"))
}

fn note_call(request: &Request, vault: &Vault, heard: &mut Heard) {
    if request.target.starts_with("/oauth/") {
        heard.asked += 1;
        return;
    }
    heard.calls += 1;
    let shown = request.headers.iter().find_map(|(name, value)| {
        value.strip_prefix("Zoho-oauthtoken ").filter(|_| name.eq_ignore_ascii_case("authorization"))
    });
    let kept = vault.kept("zoho").unwrap();
    heard.unkept += usize::from(kept.as_ref().map(ExposeSecret::expose_secret) != shown);
}

/// A call that every token is good for.
pub(crate) async fn ask(account: &HttpAccount) -> Result<Answer, NoAnswer> {
    account.send(Call::read(Method::Get, "/crm/v8/org")).await
}

/// Waits for something in a runtime of its own.
pub(crate) fn now<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}
