//! A store, a courier for each target and simulated CRMs, in virtual time: nothing waits, nothing sleeps.

use crate::outbox::bench::{message, report};
use crate::projection::{open_either, project};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use wabridge::clock::{Clock, SetClock};
use wabridge::config::{Config, Live, Target};
use wabridge::delivery::online::{Wire, to_make};
use wabridge::outbox::Setup;
use wabridge::outbox::budget::Budget;
use wabridge::outbox::courier::Courier;
use wabridge::outbox::dice::Dice;
use wabridge::outbox::transport::Account;
use wabridge::routing::Routes;
use wabridge::store::outbox::{Job, JobFilter, JobState};
use wabridge::store::{Books, Store};
use wabridge::telemetry::metrics::Metrics;
use wabridge_crms::zoho::credits::credits;
use wabridge_crms::{Answer, AuthScheme, Call, Later, NoAnswer, Transport, registry};
use wabridge_model::event::{Fact, Message, Person, Referral, ReferralReport};
use wabridge_model::evidence::Report;
use wabridge_model::{Country, Phone};
use wabridge_simulators::{Reply, Request, Simulator, hubspot, zoho};

/// When every test begins.
pub(crate) const NOON: i64 = 1_795_348_800;

/// The configuration of most tests.
pub(crate) const HUBSPOT: &str = r#"
[[target]]
name = "hubspot"
crm = "hubspot"
auth = { token = "env:NOWHERE" }
[target.fields]
ctwa_clid = "attribution.last.ctwa_clid"
ad_id = "attribution.last.ad_id"
last_inbound_at = "window.last_inbound_at"
"#;

/// The same at Zoho CRM.
pub(crate) const ZOHO: &str = r#"
[[target]]
name = "zoho"
crm = "zoho"
auth = { token = "env:NOWHERE" }
[target.fields]
ctwa_clid = "attribution.last.ctwa_clid"
ad_id = "attribution.last.ad_id"
last_inbound_at = "window.last_inbound_at"
"#;

/// A CRM that a proof is given at, and what it calls what proofs look at.
pub(crate) struct At {
    /// The target, and its CRM.
    pub(crate) name: &'static str,
    /// Its configuration.
    pub(crate) target: &'static str,
    /// The field of a person's last name, and of their number.
    pub(crate) last_name: &'static str,
    pub(crate) phone: &'static str,
    /// How many seconds it is left alone after 429, where the answer says 90: Zoho's never says.
    pub(crate) rest: i64,
    /// The other CRM.
    pub(crate) other: fn() -> &'static At,
}

pub(crate) static AT_HUBSPOT: At = At {
    name: "hubspot",
    target: HUBSPOT,
    last_name: "lastname",
    phone: "phone",
    rest: 90,
    other: || &AT_ZOHO,
};
pub(crate) static AT_ZOHO: At = At {
    name: "zoho",
    target: ZOHO,
    last_name: "Last_Name",
    phone: "Phone",
    rest: 10,
    other: || &AT_HUBSPOT,
};

/// Makes a test of each function for each CRM.
macro_rules! at_each_crm {
    ($($proof:ident),+ $(,)?) => {
        mod hubspot { $(#[test] fn $proof() { super::$proof(&crate::delivery::world::AT_HUBSPOT); })+ }
        mod zoho { $(#[test] fn $proof() { super::$proof(&crate::delivery::world::AT_ZOHO); })+ }
    };
}
pub(crate) use at_each_crm;

/// The channel of most tests.
pub(crate) const CHANNEL: &str = r#"
[store]
url = "sqlite:/nowhere/wabridge.db"
[[channel]]
name = "main"
provider = "meta"
app_secrets = ["env:NOWHERE"]
business_numbers = { "1" = "+918047000000" }
"#;

/// An account at a simulated CRM, without a socket between.
pub(crate) struct Simulated {
    pub(crate) simulator: Arc<Simulator>,
    clock: Arc<SetClock>,
    authorization: String,
    /// Nobody answers, as of a host that is gone.
    pub(crate) gone: AtomicBool,
    /// Of the calls that write, every one of this many is applied and then cut; 0 for none.
    pub(crate) cut_every: AtomicU64,
    written: AtomicU64,
    /// When each call was made.
    pub(crate) calls: Mutex<Vec<(Timestamp, String)>>,
    /// What the calls cost in Zoho's credits, since this was last set.
    pub(crate) credits: AtomicU64,
}

impl Simulated {
    pub(crate) fn new(simulator: Arc<Simulator>, clock: Arc<SetClock>) -> Simulated {
        let target = simulator.target();
        let token = target["auth"]["token"].as_str().unwrap();
        let word = match registry::find(target["crm"].as_str().unwrap()).unwrap().about().auth {
            AuthScheme::Word(word) => word,
            AuthScheme::Bearer | AuthScheme::BasicUser => "Bearer",
        };
        Simulated {
            authorization: format!("{word} {token}"),
            simulator,
            clock,
            gone: AtomicBool::new(false),
            cut_every: AtomicU64::new(0),
            written: AtomicU64::new(0),
            calls: Mutex::default(),
            credits: AtomicU64::new(0),
        }
    }

    /// Asks one of the simulator's own routes.
    pub(crate) fn control(&self, method: &str, path: &str, body: &Value) -> Value {
        let request = Request {
            method: method.to_owned(),
            target: path.to_owned(),
            headers: Vec::new(),
            body: serde_json::to_vec(body).unwrap(),
        };
        let Reply::Answer(answer, _) = self.simulator.answer(&request, self.clock.now()) else {
            panic!("{path} always answers")
        };
        assert!(answer.status < 300, "{path}: {}", String::from_utf8_lossy(&answer.body));
        serde_json::from_slice(&answer.body).unwrap_or(Value::Null)
    }

    pub(crate) fn fate(&self, fate: &Value) {
        self.control("POST", "/_fate", &json!([fate]));
    }

    pub(crate) fn set(&self, settings: &Value) {
        self.control("POST", "/_set", settings);
    }

    pub(crate) fn change(&self, change: &Value) {
        self.control("POST", "/_change", change);
    }

    /// A list of the ledger: `persons`, `activities`, `deals`, `calls`.
    pub(crate) fn ledger(&self, list: &str) -> Vec<Value> {
        self.control("GET", "/_ledger", &Value::Null)[list].as_array().unwrap().clone()
    }

    /// The calls that were made since the last time this was asked, but for those that read the schema.
    pub(crate) fn taken_calls(&self) -> Vec<(Timestamp, String)> {
        let mut calls = std::mem::take(&mut *self.calls.lock().unwrap());
        let of_schema = [
            "/properties/",
            "/pipelines/",
            "/owners/",
            "/account-info/",
            "/settings/",
            "/v8/org",
            "/v8/users",
        ];
        calls.retain(|(_, call)| !of_schema.iter().any(|part| call.contains(part)));
        calls
    }

    pub(crate) fn answer(&self, call: &Call) -> Result<Answer, NoAnswer> {
        let now = self.clock.now();
        self.calls.lock().unwrap().push((now, format!("{} {}", call.method.as_str(), call.path)));
        self.credits.fetch_add(credits(call), Ordering::Relaxed);
        if self.gone.load(Ordering::Relaxed) {
            return Err(NoAnswer { sent: false, code: "connect" });
        }
        let every = self.cut_every.load(Ordering::Relaxed);
        if call.writes && every > 0 && self.written.fetch_add(1, Ordering::Relaxed) % every == every - 1 {
            self.fate(&json!({"fate": "apply_then_cut"}));
        }
        let mut headers = vec![
            ("authorization".to_owned(), self.authorization.clone()),
            ("content-type".to_owned(), "application/json".to_owned()),
        ];
        headers.extend(call.headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        let body = call.body.as_ref().map(|body| serde_json::to_vec(body).unwrap()).unwrap_or_default();
        let request =
            Request { method: call.method.as_str().to_owned(), target: call.path.clone(), headers, body };
        match self.simulator.answer(&request, now) {
            Reply::Answer(answer, _) => {
                Ok(Answer { status: answer.status, headers: answer.headers, body: answer.body })
            }
            Reply::Cut => Err(NoAnswer { sent: true, code: "cut" }),
            Reply::Hang => Err(NoAnswer { sent: true, code: "timeout" }),
        }
    }
}

impl Transport for Simulated {
    fn send(&self, call: Call) -> Later<'_, Result<Answer, NoAnswer>> {
        Box::pin(async move { self.answer(&call) })
    }
}

impl Account for Simulated {
    fn renew(&self) -> Later<'_, bool> {
        Box::pin(async { false })
    }
}

/// One target and its courier.
pub(crate) struct Post {
    pub(crate) crm: Arc<Simulated>,
    pub(crate) courier: Courier,
    setup: Arc<Live<Setup>>,
    not_before: Option<Duration>,
}

/// Everything.
pub(crate) struct World {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<SetClock>,
    pub(crate) posts: BTreeMap<String, Post>,
    pub(crate) config: Config,
    pub(crate) metrics: Arc<Metrics>,
    runtime: tokio::runtime::Runtime,
    _folder: Option<TempDir>,
}

impl World {
    /// One HubSpot, with every field that is mapped.
    pub(crate) fn hubspot() -> World {
        World::of(HUBSPOT)
    }

    /// One CRM, with every field that is mapped.
    pub(crate) fn at(at: &At) -> World {
        World::of(at.target)
    }

    /// The targets of a configuration, each a CRM of its own that has every field that is mapped.
    pub(crate) fn of(targets: &str) -> World {
        let world = World::bare(targets);
        for name in world.posts.keys().cloned().collect::<Vec<_>>() {
            world.add_fields(&name);
        }
        world
    }

    /// The targets of a configuration, each a CRM as it is when nobody has set anything up.
    pub(crate) fn bare(targets: &str) -> World {
        // In memory, where the system has such a place: nothing here is about disks.
        let folder = TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).unwrap();
        let config = Config::parse(&format!("{CHANNEL}{targets}"), "wabridge.toml").unwrap();
        let store = open_either(&folder.path().join("wabridge.db"));
        let noon = Timestamp::from_second(NOON).unwrap();
        let new = |crm: &str| Arc::new(simulator(crm));
        World { _folder: Some(folder), ..World::around(store, config, noon, new) }
    }

    /// A store with the targets of a configuration, whose CRMs `simulator` gives by their names.
    pub(crate) fn around(
        store: Arc<dyn Store>,
        config: Config,
        now: Timestamp,
        simulator: impl Fn(&str) -> Arc<Simulator>,
    ) -> World {
        store.route_by(Arc::new(Routes::new(&config)));
        let clock = Arc::new(SetClock::at(now));
        let (shared, metrics) = (Arc::new(config.clone()), Arc::new(Metrics::default()));
        let post = |(seed, target): (u64, &Target)| {
            let crm = Arc::new(Simulated::new(simulator(target.crm.about().slug), Arc::clone(&clock)));
            let account: Arc<dyn Account> = crm.clone();
            let (config, budget) = (Arc::clone(&shared), Arc::new(Budget::new(target)));
            let setup = Setup { target: target.clone(), config, account, budget };
            let setup: Arc<Live<Setup>> = Arc::new(setup.into());
            let (store, clock): (Arc<dyn Store>, Arc<dyn Clock>) = (store.clone(), clock.clone());
            let courier = Courier::new(
                store,
                clock,
                Arc::clone(&metrics),
                Arc::clone(&setup),
                Dice::seeded(seed),
                false,
            );
            (target.name.clone(), Post { crm, courier, setup, not_before: None })
        };
        let posts = (1..).zip(&config.targets).map(post).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        World { store, clock, posts, config, metrics, runtime, _folder: None }
    }

    /// Puts another configuration of the same targets in force, as a reload does.
    pub(crate) fn reload(&mut self, targets: &str) {
        self.config = Config::parse(&format!("{CHANNEL}{targets}"), "wabridge.toml").unwrap();
        self.store.route_by(Arc::new(Routes::new(&self.config)));
        let shared = Arc::new(self.config.clone());
        for (name, post) in &mut self.posts {
            let target = self.config.target(name).unwrap().clone();
            let account: Arc<dyn Account> = post.crm.clone();
            let (config, budget) = (Arc::clone(&shared), Arc::clone(&post.setup.get().budget));
            budget.configure(&target);
            post.setup.set(Setup { target, config, account, budget });
        }
    }

    /// Couriers that remember nothing take the place of those that ran.
    pub(crate) fn restart(&mut self) {
        self.store.doubt_expired(Timestamp::MAX).unwrap();
        for (seed, post) in (100..).zip(self.posts.values_mut()) {
            let (store, clock): (Arc<dyn Store>, Arc<dyn Clock>) = (self.store.clone(), self.clock.clone());
            let before = post.setup.get();
            let Setup { target, config, account, .. } = &*before;
            let budget = Arc::new(Budget::new(target));
            let (target, config, account) = (target.clone(), Arc::clone(config), Arc::clone(account));
            post.setup.set(Setup { target, config, account, budget });
            let (setup, dice) = (Arc::clone(&post.setup), Dice::seeded(seed));
            post.courier = Courier::new(store, clock, Arc::clone(&self.metrics), setup, dice, false);
            post.not_before = None;
        }
    }

    /// Creates the fields that a target needs and its CRM lacks, as `target setup --apply` does.
    pub(crate) fn add_fields(&self, name: &str) {
        let (crm, target) = (self.crm(name), self.config.target(name).unwrap());
        let wire = Wire { target, transport: &*crm, country: Country::INDIA };
        self.runtime.block_on(async {
            let schema = wire.schema().await.unwrap();
            for made in wire.make(&schema, &to_make(target, &schema)).await {
                if let Err(failure) = made {
                    panic!("{failure}");
                }
            }
        });
        crm.taken_calls();
    }

    pub(crate) fn crm(&self, name: &str) -> Arc<Simulated> {
        Arc::clone(&self.posts[name].crm)
    }

    pub(crate) fn crms(&self) -> Vec<Arc<Simulated>> {
        self.posts.values().map(|post| Arc::clone(&post.crm)).collect()
    }

    /// The CRM of the only target.
    pub(crate) fn only(&self) -> Arc<Simulated> {
        assert_eq!(self.posts.len(), 1);
        self.posts.values().next().map(|post| Arc::clone(&post.crm)).unwrap()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A text message now.
    pub(crate) fn says(&self, person: Person, id: &str) {
        self.hears(&[message(person, id, self.now())]);
    }

    /// A message that an ad brought, now.
    pub(crate) fn says_from_ad(&self, person: Person, id: &str) {
        let referral = Referral {
            ctwa_clid: Some("ARAkLkA8rmlFeiCktEJQ-QTwRiyYHAFDLMNDBH0CD3qpjd0HR4irJ6LE".to_owned()),
            source_id: Some("120210000000000001".to_owned()),
            source_type: Some("ad".to_owned()),
            source_url: Some("https://fb.me/2fXhT".to_owned()),
            ..Referral::default()
        };
        let mut message = Message::new(id, "text".into());
        message.referral = ReferralReport::Present(Box::new(referral));
        self.hears(&[report(person, id, self.now(), Fact::Message(message))]);
    }

    pub(crate) fn hears(&self, reports: &[Report]) {
        project(&*self.store, reports);
    }

    /// Lets the couriers work until nothing is due now.
    pub(crate) fn run(&mut self) {
        while self.step() {}
    }

    /// Lets each courier that may take a step. Whether any did something.
    pub(super) fn step(&mut self) -> bool {
        let mut busy = false;
        for post in self.posts.values_mut() {
            if post.not_before.is_some_and(|at| self.clock.elapsed() < at) {
                continue;
            }
            let step = self.runtime.block_on(post.courier.step()).unwrap();
            post.not_before = step.not_before;
            busy |= step.bundles > 0;
        }
        busy
    }

    /// Lets time pass, from one moment at which something is due to the next.
    pub(crate) fn run_for(&mut self, time: SignedDuration) {
        let end = self.now() + time;
        loop {
            self.run();
            let next = self.posts.values().map(|post| self.next(post)).min().unwrap_or(end);
            if next >= end {
                break;
            }
            self.clock.pass((next - self.now()).try_into().unwrap());
        }
        self.clock.pass((end - self.now()).try_into().unwrap());
        self.run();
    }

    /// When a courier has something to do next.
    fn next(&self, post: &Post) -> Timestamp {
        let instant = |wait: Duration| self.now() + SignedDuration::try_from(wait).unwrap();
        let due = instant(post.courier.due_in());
        let free = post.not_before.map_or(due, |at| instant(at.saturating_sub(self.clock.elapsed())));
        // A millisecond at least, so that time passes.
        due.max(free).max(self.now() + SignedDuration::from_millis(1))
    }

    pub(crate) fn books(&self) -> Books {
        let books = self.store.books().unwrap();
        assert!(books.balance(), "{books:?}");
        books
    }

    /// How many job revisions are in a state, by the books.
    pub(crate) fn jobs(&self, state: &str) -> u64 {
        self.books().jobs.get(state).copied().unwrap_or(0)
    }

    /// The jobs in a state.
    pub(crate) fn listed(&self, state: JobState) -> Vec<Job> {
        let filter = JobFilter { state: Some(state), ..JobFilter::default() };
        self.store.jobs(&filter, 0, 10_000).unwrap()
    }

    /// Nothing waits, nothing is lost.
    pub(crate) fn assert_drained(&self) {
        let books = self.books();
        for state in ["pending", "leased", "doubt", "held", "dead"] {
            assert_eq!(books.jobs.get(state).copied().unwrap_or(0), 0, "{:?}", books.jobs);
        }
    }
}

/// A person by a number that ends in these digits.
pub(crate) fn by_number(n: u32) -> Person {
    let phone = Phone::from_whatsapp_id(&format!("91980000{n:04}")).unwrap();
    Person { phone: Some(phone), name: Some(format!("Customer {n}")), ..Person::default() }
}

/// A CRM with nobody in it.
pub(crate) fn simulator(crm: &str) -> Simulator {
    match crm {
        "hubspot" => hubspot::simulator(),
        "zoho" => zoho::simulator(),
        other => panic!("no simulator of {other}"),
    }
}
