//! Every provider against every case under `fixtures/providers`: what is signed is verified and means what
//! `expected.json` says; what is tampered with is refused; no body makes a provider panic.
//!
//! `WABRIDGE_BLESS=1` writes `expected.json` anew: review the difference, it is the contract.
//! The format of a case is in `fixtures/README.md`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use jiff::Timestamp;
use proptest::prelude::*;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use wabridge_model::{Country, Phone};
use wabridge_providers::registry::PROVIDERS;
use wabridge_providers::signature::Scheme;
use wabridge_providers::{
    Account, Inbound, Item, Malformed, Proof, Provider, Rejection, SampleId, Secrets, Verified,
};

/// `case.json`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseFile {
    /// Where the facts are from, who wrote the case, and when.
    provenance: String,
    received_at: Timestamp,
    account: AccountFile,
    secret: String,
    /// The header that holds the secret, for a channel that is proven by one.
    #[serde(default)]
    secret_header: Option<String>,
    #[serde(default)]
    query: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body_file: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountFile {
    channel: String,
    portfolio: String,
    #[serde(default)]
    business_numbers: BTreeMap<String, Phone>,
    #[serde(default)]
    business_number: Option<Phone>,
    #[serde(default)]
    sample_ids: Vec<SampleIdFile>,
    default_country: Country,
    #[serde(default)]
    public_url: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SampleIdFile {
    entry: String,
    phone_number_id: String,
}

/// A case, read.
struct Case {
    provider: &'static dyn Provider,
    folder: PathBuf,
    account: Account,
    received_at: Timestamp,
    secret_header: Option<String>,
    query: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// What a provider would send beside the body.
struct Sent {
    path_token: Option<String>,
    query: String,
    headers: Vec<(String, String)>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/providers")
}

/// The folders in a folder, sorted by name.
fn folders(parent: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(parent) else { return Vec::new() };
    let mut folders: Vec<PathBuf> =
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

fn cases_of(provider: &'static dyn Provider) -> Vec<Case> {
    folders(&root().join(provider.about().slug))
        .into_iter()
        .map(|folder| read_case(provider, folder))
        .collect()
}

fn read_case(provider: &'static dyn Provider, folder: PathBuf) -> Case {
    let shown = folder.display().to_string();
    let text = fs::read_to_string(folder.join("case.json")).unwrap_or_else(|e| panic!("{shown}: {e}"));
    let case: CaseFile = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{shown}/case.json: {e}"));
    assert!(case.provenance.len() > 20, "{shown}: say where the case is from");
    assert!(
        case.secret.contains("fixture") || case.secret.starts_with("whsec_"),
        "{shown}: an invented secret"
    );
    let AccountFile {
        channel,
        portfolio,
        business_numbers,
        business_number,
        default_country,
        public_url,
        ..
    } = case.account;
    let sample_ids = case.account.sample_ids.into_iter();
    let account = Account {
        channel,
        portfolio,
        business_numbers,
        business_number,
        sample_ids: sample_ids
            .map(|id| SampleId { entry: id.entry, phone_number_id: id.phone_number_id })
            .collect(),
        default_country,
        public_url,
        secrets: secrets(provider, case.secret_header.as_deref(), &case.secret),
    };
    let body = fs::read(folder.join(&case.body_file)).unwrap_or_else(|e| panic!("{shown}: {e}"));
    let headers = case.headers.into_iter().map(|(name, value)| (name.to_lowercase(), value)).collect();
    Case {
        provider,
        folder,
        account,
        received_at: case.received_at,
        secret_header: case.secret_header,
        query: case.query,
        headers,
        body,
    }
}

/// The secret where its provider has it: in a header, in the path, or in the key of a signature.
fn secrets(provider: &dyn Provider, header: Option<&str>, secret: &str) -> Secrets {
    let secret = vec![SecretString::from(secret)];
    match (header, provider.about().scheme) {
        (Some(name), _) => Secrets { header: Some((name.to_lowercase(), secret)), ..Secrets::default() },
        (None, Scheme::SharedSecret) => Secrets { path_tokens: secret, ..Secrets::default() },
        (None, _) => Secrets { signing: secret, ..Secrets::default() },
    }
}

impl Case {
    /// What a provider would send with the case's body.
    fn signed(&self, account: &Account) -> Sent {
        let signed = self.provider.sign(&self.body, self.received_at, account).unwrap();
        let mut headers = self.headers.clone();
        headers.extend(signed.headers.into_iter().map(|(name, value)| (name.to_lowercase(), value)));
        let parts = [Some(self.query.as_str()), signed.query.as_deref()];
        let query: Vec<&str> = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();
        Sent { path_token: signed.path_token, query: query.join("&"), headers }
    }

    fn verify<'a>(
        &self,
        sent: &'a Sent,
        body: &'a [u8],
        account: &Account,
    ) -> Result<Verified<'a>, Rejection> {
        let inbound = Inbound {
            query: &sent.query,
            headers: &sent.headers,
            body,
            received_at: self.received_at,
            path_token: sent.path_token.as_deref(),
        };
        self.provider.verify(inbound, account)
    }

    /// Whether the proof covers the body, or only shows a secret.
    fn is_signed(&self) -> bool {
        !self.account.secrets.signing.is_empty()
    }

    /// Whether these bytes, with the proof of the case's own, are taken for the provider's.
    fn accepts(&self, body: &[u8], account: &Account) -> bool {
        self.verify(&self.signed(&self.account), body, account).is_ok()
    }

    /// What the case means today.
    fn meaning(&self) -> Value {
        let sent = self.signed(&self.account);
        let verified = self.verify(&sent, &self.body, &self.account);
        let verified = verified.unwrap_or_else(|e| panic!("{}: {e}", self.folder.display()));
        // A stored request is read without any secret.
        let account = Account { secrets: Secrets::default(), ..self.account.clone() };
        match self.provider.normalise(&verified, &account) {
            Ok(items) => items.iter().map(item_json).collect(),
            Err(fault) => json!({ "malformed": fault_json(&fault) }),
        }
    }
}

fn item_json(item: &Item) -> Value {
    match item {
        Item::Event(event) => json!({ "event": event }),
        Item::Skipped(skip) => json!({ "skipped": skip.as_str() }),
        Item::Quarantined(fault) => json!({ "quarantined": fault_json(fault) }),
    }
}

fn fault_json(fault: &Malformed) -> Value {
    json!({ "reason": fault.reason, "path": fault.path })
}

#[test]
fn every_provider_has_cases_and_every_folder_a_provider() {
    let slugs: BTreeSet<String> = PROVIDERS.iter().map(|provider| provider.about().slug.to_owned()).collect();
    let found: BTreeSet<String> = folders(&root())
        .iter()
        .map(|folder| folder.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    assert_eq!(found, slugs, "the folders in fixtures/providers are the slugs in registry.rs");
    for provider in PROVIDERS {
        let slug = provider.about().slug;
        let least = if slug == "meta" { 12 } else { 8 };
        let count = cases_of(*provider).len();
        assert!(count >= least, "{slug} has {count} cases, at least {least} are needed");
    }
}

#[test]
fn every_case_is_verified_and_means_what_was_agreed() {
    let bless = std::env::var_os("WABRIDGE_BLESS").is_some();
    let mut wrong = Vec::new();
    for case in PROVIDERS.iter().flat_map(|provider| cases_of(*provider)) {
        let file = case.folder.join("expected.json");
        let meaning = case.meaning();
        if bless {
            fs::write(&file, format!("{meaning:#}\n")).unwrap();
            continue;
        }
        let expected = fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let expected: Value = serde_json::from_str(&expected).unwrap();
        if meaning != expected {
            wrong.push(format!("{}\nexpected {expected:#}\nfound {meaning:#}", case.folder.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn every_tampered_case_is_refused() {
    for case in PROVIDERS.iter().flat_map(|provider| cases_of(*provider)) {
        let shown = case.folder.display();
        assert!(case.accepts(&case.body, &case.account), "{shown}");
        for (at, mask) in flips(case.body.len()).filter(|_| case.is_signed()) {
            let mut body = case.body.clone();
            body[at] ^= mask;
            assert!(
                !case.accepts(&body, &case.account),
                "{shown}: accepted with byte {at} changed by {mask:#04x}"
            );
        }
        let cut = &case.body[..case.body.len() - 1];
        assert!(!case.is_signed() || !case.accepts(cut, &case.account), "{shown}: accepted when cut");
        // Well formed for every scheme: base64 of bytes that are nobody's key.
        for other in ["another-fixture-secret", "whsec_bm90LXRoZS1maXh0dXJlLXNlY3JldC1hdC1hbGw="] {
            let secrets = secrets(case.provider, case.secret_header.as_deref(), other);
            let account = Account { secrets, ..case.account.clone() };
            assert!(!case.accepts(&case.body, &account), "{shown}: accepted under another secret");
        }
    }
}

/// Places and bits to change. Never bit 5: `%2b` and `%2B` are the same to a scheme that signs the decoded
/// form, and rightly so.
fn flips(length: usize) -> impl Iterator<Item = (usize, u8)> {
    let places = [0, length / 7, length / 3, length / 2, length * 2 / 3, length - 1];
    places.into_iter().zip([0x01, 0x02, 0x04, 0x08, 0x10, 0x01])
}

static CASES: LazyLock<Vec<Case>> =
    LazyLock::new(|| PROVIDERS.iter().flat_map(|provider| cases_of(*provider)).collect());

/// Reads a body as the case's provider would, with the case's surroundings.
fn read(case: &Case, body: &[u8]) -> Result<Vec<Item>, Malformed> {
    let inbound = Inbound {
        query: &case.query,
        headers: &case.headers,
        body,
        received_at: case.received_at,
        path_token: None,
    };
    case.provider.normalise(&Verified::recall(inbound, Proof::Signed), &case.account)
}

/// What is put in place of a piece of a body.
const PIECES: &[&str] = &[
    "",
    "null",
    "[]",
    "{}",
    "\"\"",
    "0",
    "-1",
    "1e999",
    "true",
    "\"\\ud800\"",
    "\\ud83d",
    "\\",
    "\"",
    "[[[[[[",
    "}",
    "%",
    "%F0%9F",
    "&",
    "=",
    "18446744073709551616",
    "\u{1f600}",
    "\u{0}",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_never_make_a_provider_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for provider in PROVIDERS {
            if let Some(case) = CASES.iter().find(|case| case.provider.about().slug == provider.about().slug) {
                let _ = read(case, &bytes);
            }
        }
    }

    #[test]
    fn a_mutated_case_never_makes_its_provider_panic(
        pick in any::<prop::sample::Index>(),
        edits in prop::collection::vec(
            (any::<prop::sample::Index>(), 0_usize..12, prop::sample::select(PIECES)), 1..6
        ),
    ) {
        let case = &CASES[pick.index(CASES.len())];
        let mut body = case.body.clone();
        for (place, length, piece) in edits {
            let start = place.index(body.len() + 1);
            let end = (start + length).min(body.len());
            body.splice(start..end, piece.bytes());
        }
        let _ = read(case, &body);
    }

    #[test]
    fn reading_twice_gives_the_same_items(pick in any::<prop::sample::Index>()) {
        let case = &CASES[pick.index(CASES.len())];
        prop_assert_eq!(format!("{:?}", read(case, &case.body)), format!("{:?}", read(case, &case.body)));
    }
}
