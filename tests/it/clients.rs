//! CRMs' own client libraries against the simulators: what they send is understood, and what they must find in
//! an answer is there, so that adapter and simulator cannot share one misreading.
//!
//! The library is fetched from PyPI once per set of requirements, held to their hashes, into a virtual
//! environment below `target`. Where it cannot be had the test fails: a proof that was not made is none.

use crate::command::{Place, ended, wabridge};
use crate::support::client::{Client, get};
use crate::support::process::{terminate, until};
use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// `simulators/clients/<crm>/`
fn files(crm: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("simulators/clients").join(crm)
}

/// A Python with what the client's `requirements.txt` lists, installed where it is not yet.
fn python(crm: &str) -> PathBuf {
    let requirements = files(crm).join("requirements.txt");
    let digest = HEXLOWER.encode(&Sha256::digest(fs::read(&requirements).unwrap()));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("client-{crm}-{}", &digest[..16]));
    let (python, complete) = (folder.join("bin/python"), folder.join("complete"));
    // Two runs of the suite at once share the folder.
    let lock = File::create(folder.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    // The interpreter it was made with may be gone since.
    let works = |python: &Path| {
        let version = Command::new(python).arg("--version").stdin(Stdio::null()).output();
        version.is_ok_and(|version| version.status.success())
    };
    if !(complete.exists() && works(&python)) {
        let mut make = Command::new("python3");
        make.args(["-m", "venv", "--clear"]).arg(&folder);
        must("a virtual environment cannot be made (Debian: apt-get install python3-venv)", make);
        let mut install = Command::new(&python);
        install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]);
        install.args(["--only-binary", ":all:", "--no-deps", "--require-hashes", "-r"]).arg(&requirements);
        must(&format!("the official client of {crm} cannot be fetched from PyPI"), install);
        File::create(&complete).unwrap();
    }
    python
}

fn must(otherwise: &str, command: Command) {
    let done = ended(command, b"");
    assert_eq!(done.code, 0, "{otherwise}:\n{}{}", done.out, done.err);
}

/// `wabridge simulate`, ended with the test.
struct Simulated {
    child: Child,
    line: Value,
}

impl Simulated {
    fn start(crm: &str, place: &Place, more: &[&str]) -> Simulated {
        let mut command = wabridge(&place.path(""));
        command.args(["simulate", crm, "--port", "0"]).args(more);
        // What it leaves in the folder for temporary files goes with the place.
        command.env("TMPDIR", place.path("")).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let line = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error} in: {line}"));
        Simulated { child, line }
    }

    fn text(&self, key: &str) -> &str {
        self.line[key].as_str().unwrap()
    }

    fn address(&self) -> SocketAddr {
        self.text("base_url").strip_prefix("http://").unwrap().parse().unwrap()
    }

    fn ledger(&self) -> Value {
        let (status, body) = get(self.address(), "/_ledger").unwrap();
        assert_eq!(status, 200);
        serde_json::from_str(&body).unwrap()
    }

    /// Posts a body, which must be taken.
    fn post(&self, path: &str, body: &Value) -> Value {
        let (body, token) = (body.to_string(), self.text("token"));
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: crm\r\nAuthorization: Bearer {token}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let (status, answer) = Client::connect(self.address()).unwrap().send(request.as_bytes()).unwrap();
        assert!((200..300).contains(&status), "{path}: {status} {answer}");
        serde_json::from_str(&answer).unwrap()
    }
}

impl Drop for Simulated {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn simulate_tells_a_target_that_can_be_pasted_and_takes_its_token_away_with_it() {
    let place = Place::new("");
    let mut simulated = Simulated::start("hubspot", &place, &[]);
    assert!(simulated.text("base_url").starts_with("http://127.0.0.1:"), "{}", simulated.line);
    assert!(!simulated.text("notice_secret").is_empty());
    let target = &simulated.line["target"];
    assert_eq!(target["crm"], "hubspot");
    assert_eq!(target["base_url"], simulated.line["base_url"]);
    let token = PathBuf::from(target["auth"]["token"].as_str().unwrap().strip_prefix("file:").unwrap());
    assert_eq!(fs::read_to_string(&token).unwrap(), simulated.text("token"));
    assert_eq!(simulated.ledger()["persons"], json!([]));
    terminate(simulated.child.id());
    let status = until("the simulator ends", || simulated.child.try_wait().unwrap());
    assert!(status.success(), "{status}");
    assert!(!token.exists());
}

#[test]
fn simulate_of_an_unknown_crm_names_those_there_are() {
    let done = Place::new("").run(&["simulate", "hubspott"]);
    assert_eq!((done.code, done.out.as_str()), (64, ""));
    assert!(done.err.contains("did you mean 'hubspot'"), "{}", done.err);
}

/// What must have held, in this order.
const STEPS: &[&str] = &[
    "contact created",
    "contact read by id",
    "contact read by address",
    "contact found by address",
    "contact found by phone",
    "contact updated",
    "unique property created",
    "contacts upserted",
    "batch refused in part",
    "contacts read by key",
    "activity created",
    "activity's association read",
    "pipelines read",
    "deal created",
    "deal linked and unlinked",
    "deals linked in batches",
    "deal refused outside its pipeline",
    "duplicate refused",
    "unknown property refused",
    "unknown contact refused",
    "wrong token refused",
    "contacts merged",
    "contact archived",
];

#[test]
fn client_of_hubspot_and_simulator_understand_each_other() {
    let python = python("hubspot");
    let place = Place::new("");
    let simulated = Simulated::start("hubspot", &place, &[]);
    let mut script = Command::new(python);
    // Isolated: nothing of the caller's own Python comes in.
    script.arg("-I").arg(files("hubspot").join("exchange.py")).arg(simulated.text("base_url"));
    script.env("HUBSPOT_TOKEN", simulated.text("token"));
    let done = ended(script, b"");
    assert_eq!(done.code, 0, "{}{}", done.out, done.err);
    let said: Vec<Value> = done.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let steps: Vec<&str> = said.iter().map(|it| it["step"].as_str().unwrap()).collect();
    assert_eq!(steps, STEPS);

    let id = |step: &str| said.iter().find(|it| it["step"] == step).unwrap()["id"].clone();
    let ledger = simulated.ledger();
    // The two of the batch were merged, and the one that was left archived.
    let [person] = ledger["persons"].as_array().unwrap().as_slice() else { panic!("{}", ledger["persons"]) };
    assert_eq!(person["id"], id("contact created"));
    assert_eq!(person["email"], "asha@example.com");
    assert_eq!(person["phone"], "+91 98765 43210");
    assert_eq!(person["fields"]["lastname"], "Changed");
    let [activity] = ledger["activities"].as_array().unwrap().as_slice() else {
        panic!("{}", ledger["activities"])
    };
    assert_eq!((&activity["id"], &activity["person_id"]), (&id("activity created"), &person["id"]));
    assert_eq!(activity["text"], "Asked for the price list.");
    let [deal] = ledger["deals"].as_array().unwrap().as_slice() else { panic!("{}", ledger["deals"]) };
    assert_eq!((&deal["id"], &deal["person_id"]), (&id("deal created"), &person["id"]));
    assert_eq!((&deal["pipeline"], &deal["stage"]), (&"default".into(), &"appointmentscheduled".into()));
}

#[test]
fn client_of_hubspot_finds_change_notices_well_signed() {
    let python = python("hubspot");
    let place = Place::new("");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/crm/hubspot?to=one", listener.local_addr().unwrap());
    let simulated = Simulated::start("hubspot", &place, &["--notify", &url]);
    let made = simulated.post("/crm/v3/objects/contacts", &json!({"properties": {"lastname": "Example"}}));
    simulated.post("/_change", &json!({"person_id": made["id"], "field": "city", "value": "Pune"}));

    let mut stream = BufReader::new(listener.accept().unwrap().0);
    let head: Vec<String> =
        stream.by_ref().lines().map(Result::unwrap).take_while(|line| !line.is_empty()).collect();
    let header = |name: &str| {
        let value = |line: &String| {
            let (it, value) = line.split_once(": ")?;
            it.eq_ignore_ascii_case(name).then(|| value.to_owned())
        };
        head.iter().find_map(value).unwrap_or_else(|| panic!("no {name} in {head:?}"))
    };
    let mut body = vec![0; header("content-length").parse().unwrap()];
    stream.read_exact(&mut body).unwrap();
    stream.get_mut().write_all(b"HTTP/1.1 204 Taken\r\nconnection: close\r\n\r\n").unwrap();

    let judged = |url: &str| {
        let mut script = Command::new(&python);
        script.arg("-I").arg(files("hubspot").join("notice.py"));
        script.args([&header("x-hubspot-signature-v3"), &header("x-hubspot-request-timestamp"), url]);
        script.env("HUBSPOT_SECRET", simulated.text("notice_secret"));
        let done = ended(script, &body);
        assert_eq!(done.code, 0, "{}", done.err);
        done.out.trim().to_owned()
    };
    assert_eq!((judged(&url), judged("http://127.0.0.1/other")), ("true".to_owned(), "false".to_owned()));
}

/// What must have held with Zoho's client, in this order.
const ZOHO_STEPS: &[&str] = &[
    "tokens got by a code",
    "access token refreshed",
    "lead created",
    "lead read",
    "lead updated without automation",
    "leads upserted",
    "batch refused in part",
    "unknown lead refused",
    "lead deleted",
    "lead found by query",
    "query refused",
    "lead found by phone",
    "lead found by email",
    "lead found by criteria",
    "leads listed by page and token",
    "note created",
    "fields read",
    "layout read",
    "pipelines read",
    "organisation and users read",
    "deal created",
    "deal refused outside its pipeline",
];

#[test]
fn client_of_zoho_and_simulator_understand_each_other() {
    let python = python("zoho");
    let place = Place::new("");
    let simulated = Simulated::start("zoho", &place, &[]);
    let folder = place.path("client");
    fs::create_dir(&folder).unwrap();
    let mut script = Command::new(python);
    // Isolated: nothing of the caller's own Python comes in. The client leaves files where it runs.
    script.arg("-I").arg(files("zoho").join("exchange.py")).arg(simulated.text("base_url")).arg(&folder);
    script.current_dir(&folder);
    let oauth = &simulated.line["oauth"];
    for (name, key) in
        [("ZOHO_CLIENT_ID", "client_id"), ("ZOHO_CLIENT_SECRET", "client_secret"), ("ZOHO_CODE", "code")]
    {
        script.env(name, oauth[key].as_str().unwrap());
    }
    let done = ended(script, b"");
    assert_eq!(done.code, 0, "{}{}", done.out, done.err);
    let said: Vec<Value> = done.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let steps: Vec<&str> = said.iter().map(|it| it["step"].as_str().unwrap()).collect();
    assert_eq!(steps, ZOHO_STEPS);

    let of = |step: &str| said.iter().find(|it| it["step"] == step).unwrap();
    let ledger = simulated.ledger();
    let person = |id: &Value| {
        let persons = ledger["persons"].as_array().unwrap();
        persons.iter().find(|it| it["id"] == *id).unwrap_or_else(|| panic!("no {id} in {persons:?}"))
    };
    assert_eq!(ledger["persons"].as_array().unwrap().len(), 3, "two leads and the deal's contact");
    let lead = person(&of("lead created")["id"]);
    assert_eq!((&lead["kind"], &lead["phone"]), (&"lead".into(), &"+91 98765 43210".into()));
    assert_eq!(lead["fields"]["Company"], "Upserted");
    assert_eq!(lead["fields"]["last_inbound_at"], "2026-11-22T14:05:12+05:30");
    // Made and upserted with automation; the change between the two had an empty trigger.
    let runs = ledger["automations"].as_array().unwrap().iter().find(|it| it["record_id"] == lead["id"]);
    assert_eq!(runs.map(|it| (&it["created"], &it["edited"])), Some((&json!(1), &json!(1))));
    let [activity] = ledger["activities"].as_array().unwrap().as_slice() else {
        panic!("{}", ledger["activities"])
    };
    assert_eq!((&activity["id"], &activity["person_id"]), (&of("note created")["id"], &lead["id"]));
    assert_eq!(activity["text"], "Asked for the price list.");
    let [deal] = ledger["deals"].as_array().unwrap().as_slice() else { panic!("{}", ledger["deals"]) };
    let made = of("deal created");
    assert_eq!((&deal["id"], &deal["person_id"]), (&made["id"], &made["contact"]));
    assert_eq!((&deal["pipeline"], &deal["stage"]), (&"Standard (Standard)".into(), &"Qualification".into()));
}
