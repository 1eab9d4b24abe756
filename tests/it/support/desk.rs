//! A store filled through its own path, and the real API before it, for tests of what people read.
//!
//! Events are built as a provider's normaliser would, appended and settled as the daemon does.

use actix_web::{App, HttpServer, web};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wabridge::clock::{ClockWatch, SetClock};
use wabridge::config::{Channel, Config};
use wabridge::store::sqlite::{Signals, SqliteStore};
use wabridge::store::{Inbox, Prepared, Request, TokenRow, Tokens};
use wabridge::web::api::token::{self, Scope};
use wabridge::web::api::{self, Api};
use wabridge_model::Phone;
use wabridge_model::chatbot::ChatbotEvent;
use wabridge_model::event::{
    Business, Event, Fact, IdentityChange, Message, Person, Referral, ReferralReport, Status,
};
use wabridge_model::evidence::Proof;
use wabridge_model::id::{Bsuid, Email, EventKey};
use wabridge_providers::{Item, registry};

/// The business number of the configuration.
pub(crate) const OURS: &str = "+918047000000";
/// When the tests happen, unless they say otherwise.
pub(crate) const NOON: &str = "2026-11-22T12:00:00Z";

/// An instant `seconds` after noon.
pub(crate) fn noon(seconds: i64) -> Timestamp {
    NOON.parse::<Timestamp>().unwrap() + SignedDuration::from_secs(seconds)
}

/// A phone as WhatsApp sends it.
pub(crate) fn phone(digits: &str) -> Phone {
    Phone::from_whatsapp_id(digits).unwrap()
}

/// An event to fill a store with.
#[derive(Debug, Clone)]
pub(crate) struct Told(pub(crate) Event);

impl Told {
    /// A fact on our number.
    pub(crate) fn new(id: &str, at: i64, fact: Fact) -> Told {
        Told(Event {
            key: EventKey::new("wa", &[OURS, id]),
            business: Business {
                account_id: Some("1".into()),
                number: Some(phone(&OURS[1..])),
                portfolio: "default".into(),
            },
            occurred_at: Some(noon(at)),
            person: Person::default(),
            fact,
        })
    }

    /// A text that a customer sent.
    pub(crate) fn text(id: &str, at: i64) -> Told {
        Told::message(id, at, ReferralReport::Absent)
    }

    /// A text that came from an ad, with the click's id.
    pub(crate) fn from_ad(id: &str, at: i64, click: &str) -> Told {
        let referral = Referral {
            ctwa_clid: Some(click.into()),
            source_id: Some("120210000000000001".into()),
            source_type: Some("ad".into()),
            source_url: Some("https://fb.me/ad".into()),
            headline: Some("Ask us on WhatsApp".into()),
            ..Referral::default()
        };
        Told::message(id, at, ReferralReport::Present(Box::new(referral)))
    }

    fn message(id: &str, at: i64, referral: ReferralReport) -> Told {
        let text = Some(format!("text {id}"));
        Told::new(id, at, Fact::Message(Message { text, referral, ..Message::new(id, "text".into()) }))
    }

    /// A status of a message of ours.
    pub(crate) fn status(id: &str, at: i64, codes: &[u32]) -> Told {
        let state = if codes.is_empty() { "sent" } else { "failed" }.into();
        let status = Status { message_id: id.into(), state, codes: codes.to_vec(), free_entry_until: None };
        Told::new(&format!("{id}-status"), at, Fact::Status(status))
    }

    /// The customer gives up a number; whose the new one is, [`Told::by`] says.
    pub(crate) fn gives_up(id: &str, at: i64, digits: &str) -> Told {
        let change = IdentityChange { previous_phone: Some(phone(digits)), ..IdentityChange::default() };
        Told::new(id, at, Fact::IdentityChange(change))
    }

    /// An event of our own format.
    pub(crate) fn chatbot(json: Value, at: i64) -> Told {
        let event: ChatbotEvent = serde_json::from_value(json).unwrap();
        let key = EventKey::new("bot", &["site", &event.bot_id, &event.event_id]);
        let mut told = Told::new("", at, Fact::Chatbot(Box::new(event)));
        (told.0.key, told.0.business) = (key, Business::default());
        told
    }

    pub(crate) fn by(mut self, digits: &str) -> Told {
        self.0.person.phone = Some(phone(digits));
        self
    }

    pub(crate) fn with_bsuid(mut self, id: &str) -> Told {
        self.0.person.bsuid = Bsuid::parse(id);
        self
    }

    pub(crate) fn with_email(mut self, address: &str) -> Told {
        self.0.person.email = Email::parse(address);
        self
    }

    pub(crate) fn with_username(mut self, name: &str) -> Told {
        self.0.person.username = Some(name.into());
        self
    }

    pub(crate) fn named(mut self, name: &str) -> Told {
        self.0.person.name = Some(name.into());
        self
    }

    pub(crate) fn to(mut self, digits: &str) -> Told {
        self.0.business.number = Some(phone(digits));
        self
    }
}

/// Opens a store as a daemon does.
pub(crate) fn open(path: &Path) -> SqliteStore {
    let signals = Signals::unheard();
    SqliteStore::open(path, signals).unwrap()
}

/// Stores an empty request, received so long after noon, and leaves it waiting.
pub(crate) async fn receive(store: &SqliteStore, at: i64) {
    let request = Request {
        received_at: noon(at),
        channel: "main".into(),
        proof: Proof::Signed,
        secret_index: 0,
        query: String::new(),
        headers: Vec::new(),
        body: Vec::new(),
    };
    store.append(request).await.unwrap();
}

/// Stores a request for each event, received a second after the event, and settles them all.
pub(crate) async fn tell(store: &SqliteStore, told: impl IntoIterator<Item = Told>) {
    for Told(event) in told {
        let at = event.occurred_at.unwrap().duration_since(noon(0)).as_secs() + 1;
        receive(store, at).await;
        let claimed = store.claim(1).unwrap().remove(0);
        let is_bot = matches!(event.fact, Fact::Chatbot(_));
        let prepared = Prepared {
            secondary: false,
            resolved: Vec::new(),
            id: claimed.id,
            received_at: claimed.request.received_at,
            channel: if is_bot { "site" } else { "main" }.into(),
            provider: if is_bot { "chatbot" } else { "meta" },
            proof: Proof::Signed,
            items: Ok(vec![Item::Event(Box::new(event))]),
        };
        assert_eq!(store.settle(vec![prepared]).unwrap(), 1);
    }
}

/// A configuration with one channel of one number over a store at `path`.
pub(crate) fn config(path: impl Into<PathBuf>) -> Config {
    let mut channel = Channel::new("main", registry::find("meta").unwrap());
    channel.business_numbers.insert("1".into(), phone(&OURS[1..]));
    Config { channels: vec![channel], ..Config::new(path) }
}

/// The API over a store of its own, on a port of its own.
pub(crate) struct Desk {
    pub(crate) store: Arc<SqliteStore>,
    pub(crate) clock: Arc<SetClock>,
    /// A token with the scope `admin`.
    pub(crate) token: String,
    address: String,
    client: reqwest::Client,
    _folder: tempfile::TempDir,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) challenge: Option<String>,
    pub(crate) text: String,
}

impl Answered {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {}", self.text))
    }

    /// The problem of an answer that is one.
    pub(crate) fn problem(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        assert_eq!(self.content_type, "application/problem+json");
        let problem = self.json();
        assert_eq!(problem["status"], status);
        problem
    }
}

impl Desk {
    pub(crate) async fn open() -> Desk {
        Desk::open_with(|_| {}).await
    }

    pub(crate) async fn open_with(change: impl FnOnce(&mut Config)) -> Desk {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wabridge.db");
        let store = Arc::new(open(&path));
        let clock = Arc::new(SetClock::at(noon(0)));
        let mut config = config(&path);
        change(&mut config);
        let data = web::Data::new(Api {
            store: store.clone(),
            clock: clock.clone(),
            watch: Arc::new(ClockWatch::new(clock.as_ref())),
            config: Arc::new(config),
        });
        let app = move || App::new().app_data(data.clone()).configure(api::configure);
        let server = HttpServer::new(app).workers(1).disable_signals().bind(("127.0.0.1", 0)).unwrap();
        let address = format!("http://{}", server.addrs()[0]);
        actix_web::rt::spawn(server.run());
        let token = grant(&store, "admin", &[Scope::Admin]);
        // Straight to the server, whatever proxy the environment names.
        let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
        Desk { store, clock, token, address, client, _folder: folder }
    }

    pub(crate) async fn tell(&self, told: impl IntoIterator<Item = Told>) {
        tell(&self.store, told).await;
    }

    /// Asks with the token of this scope alone.
    pub(crate) async fn get_as(&self, token: Option<&str>, path: &str) -> Answered {
        self.send(self.client.get(format!("{}{path}", self.address)), token).await
    }

    /// Asks for another form of the answer than JSON.
    pub(crate) async fn accepting(&self, token: Option<&str>, path: &str, accept: &str) -> Answered {
        let request = self.client.get(format!("{}{path}", self.address)).header("Accept", accept);
        self.send(request, token).await
    }

    pub(crate) async fn get_accepting(&self, path: &str, accept: &str) -> Answered {
        self.accepting(Some(&self.token), path, accept).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answered {
        self.get_as(Some(&self.token), path).await
    }

    /// The JSON of an answer that must be one.
    pub(crate) async fn json(&self, path: &str) -> Value {
        let answered = self.get(path).await;
        assert_eq!(answered.status, 200, "{path}: {}", answered.text);
        assert_eq!(answered.content_type, "application/json");
        answered.json()
    }

    pub(crate) async fn post_as(&self, token: Option<&str>, path: &str, body: String) -> Answered {
        self.send(self.client.post(format!("{}{path}", self.address)).body(body), token).await
    }

    pub(crate) async fn post(&self, path: &str, body: impl ToString) -> Answered {
        self.post_as(Some(&self.token), path, body.to_string()).await
    }

    pub(crate) async fn method(&self, method: &str, path: &str) -> Answered {
        let request = self.client.request(method.parse().unwrap(), format!("{}{path}", self.address));
        self.send(request, Some(&self.token)).await
    }

    async fn send(&self, request: reqwest::RequestBuilder, token: Option<&str>) -> Answered {
        let request = match token {
            Some(token) => request.header("Authorization", format!("Bearer {token}")),
            None => request,
        };
        let mut response = request.send().await.unwrap();
        let header =
            |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let (content_type, challenge) = (header("content-type"), header("www-authenticate"));
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.unwrap() {
            body.extend(chunk);
        }
        let text = String::from_utf8(body).unwrap();
        Answered { status, content_type: content_type.unwrap_or_default(), challenge, text }
    }
}

/// Makes a token with these scopes.
pub(crate) fn grant(store: &SqliteStore, name: &str, scopes: &[Scope]) -> String {
    grant_in(store, name, scopes)
}

/// As [`grant`], in whatever keeps tokens.
pub(crate) fn grant_in(store: &dyn Tokens, name: &str, scopes: &[Scope]) -> String {
    let (secret, hash) = token::create().unwrap();
    let scopes = scopes.iter().map(|scope| scope.as_str().to_owned()).collect();
    let row = TokenRow { name: name.into(), scopes, created_at: noon(0), revoked_at: None };
    store.add_token(&row, hash).unwrap();
    secrecy::ExposeSecret::expose_secret(&secret).to_owned()
}
