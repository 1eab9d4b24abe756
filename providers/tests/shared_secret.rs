//! What proves a sender that signs nothing, or signs in 360dialog's way: tables of what is accepted, what
//! is refused and by which reason.
//!
//! Proofs are computed here and not by the code under test; the known answers are Python's `hmac`. On top
//! of the tables, every bit of a token, of a header and of a signed body is flipped once.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use data_encoding::{BASE64, HEXLOWER, HEXUPPER};
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use secrecy::SecretString;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use wabridge_model::Country;
use wabridge_providers::signature::Scheme;
use wabridge_providers::{Account, Inbound, Proof, Rejection, Secrets, Signed, Unsignable};

type Outcome = Result<(Proof, u16), Rejection>;

const BODY: &[u8] = br#"{"app":"BootShop","type":"message"}"#;
const TOKEN: &str = "fixture-path-token-0001";
const OLD_TOKEN: &str = "fixture-path-token-0000";
const HEADER: &str = "x-fixture-token";
const VALUE: &str = "Bearer fixture-header-value";
const OLD_VALUE: &str = "Bearer fixture-header-old";

const NO_TOKEN: Outcome = Err(Rejection::PathToken);
const MISSING: Outcome = Err(Rejection::Missing);
const MALFORMED: Outcome = Err(Rejection::MalformedProof);
const MISMATCH: Outcome = Err(Rejection::Mismatch);

fn by_path(index: u16) -> Outcome {
    Ok((Proof::SecretPath, index))
}

fn by_header(index: u16) -> Outcome {
    Ok((Proof::SharedSecret, index))
}

fn signed(index: u16) -> Outcome {
    Ok((Proof::Signed, index))
}

/// One line of a table: a channel's secrets, and what somebody sent.
#[derive(Clone)]
struct Case {
    name: String,
    signing: Vec<String>,
    tokens: Vec<String>,
    header: Option<Vec<String>>,
    path: Option<String>,
    query: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    expected: Outcome,
}

impl Case {
    fn new(name: impl Into<String>, expected: Outcome) -> Case {
        Case {
            name: name.into(),
            signing: vec![],
            tokens: vec![],
            header: None,
            path: None,
            query: String::new(),
            headers: vec![],
            body: BODY.to_vec(),
            expected,
        }
    }

    /// The channel has these path tokens.
    fn tokens(mut self, tokens: &[&str]) -> Case {
        self.tokens = tokens.iter().map(|&token| token.to_owned()).collect();
        self
    }

    /// The channel wants one of these values in its header.
    fn wants(mut self, values: &[&str]) -> Case {
        self.header = Some(values.iter().map(|&value| value.to_owned()).collect());
        self
    }

    /// The channel has these keys.
    fn signing(mut self, secrets: &[&str]) -> Case {
        self.signing = secrets.iter().map(|&secret| secret.to_owned()).collect();
        self
    }

    /// The URL ends with this.
    fn path(mut self, path: &str) -> Case {
        self.path = Some(path.to_owned());
        self
    }

    /// This header was sent.
    fn sent(mut self, name: &str, value: impl Into<String>) -> Case {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    fn body(mut self, body: &[u8]) -> Case {
        self.body = body.to_vec();
        self
    }

    fn account(&self) -> Account {
        let secrets = |texts: &[String]| texts.iter().map(|text| SecretString::from(text.as_str())).collect();
        Account {
            channel: "main".into(),
            portfolio: "default".into(),
            business_numbers: Default::default(),
            business_number: None,
            sample_ids: vec![],
            default_country: Country::INDIA,
            public_url: None,
            secrets: Secrets {
                signing: secrets(&self.signing),
                path_tokens: secrets(&self.tokens),
                header: self.header.as_deref().map(|values| (HEADER.to_owned(), secrets(values))),
                ..Secrets::default()
            },
        }
    }

    fn outcome(&self, scheme: Scheme) -> Outcome {
        let inbound = Inbound {
            query: &self.query,
            headers: &self.headers,
            body: &self.body,
            received_at: now(),
            path_token: self.path.as_deref(),
        };
        scheme.verify(inbound, &self.account()).map(|verified| {
            assert_eq!(verified.body(), self.body);
            (verified.proof(), verified.secret_index())
        })
    }
}

fn now() -> Timestamp {
    "2026-11-22T08:35:12Z".parse().unwrap()
}

fn check(scheme: Scheme, cases: &[Case]) {
    let names: BTreeSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names.len(), cases.len(), "two cases have one name");
    for case in cases {
        assert_eq!(case.outcome(scheme), case.expected, "{scheme:?}: {}", case.name);
    }
}

// ---- A secret in the path, in a header, or both ----

/// What is no [`TOKEN`], though it looks like one.
fn near_tokens() -> Vec<(&'static str, String)> {
    vec![
        ("empty", String::new()),
        ("another", "fixture-path-token-0002".into()),
        ("a beginning", TOKEN[..TOKEN.len() - 1].into()),
        ("an end", TOKEN[1..].into()),
        ("longer by one", format!("{TOKEN}1")),
        ("longer in front", format!("1{TOKEN}")),
        ("twice", format!("{TOKEN}{TOKEN}")),
        ("upper case", TOKEN.to_uppercase()),
        ("a slash behind", format!("{TOKEN}/")),
        ("a slash before", format!("/{TOKEN}")),
        ("a space behind", format!("{TOKEN} ")),
        ("a newline behind", format!("{TOKEN}\n")),
        ("NUL behind", format!("{TOKEN}\0")),
        ("percent-encoded", TOKEN.replace('-', "%2D")),
        ("query behind", format!("{TOKEN}?a=1")),
        ("full-width digit", TOKEN.replace('1', "１")),
        ("its hash", HEXLOWER.encode(&Sha256::digest(TOKEN))),
    ]
}

fn path_cases() -> Vec<Case> {
    let channel = |name: &str, expected| Case::new(format!("path: {name}"), expected).tokens(&[TOKEN]);
    let mut cases = vec![
        channel("right", by_path(0)).path(TOKEN),
        channel("missing", NO_TOKEN),
        channel("the body is not covered", by_path(0)).path(TOKEN).body(b""),
        channel("a header in its place", NO_TOKEN).sent("authorization", TOKEN),
        channel("first of two", by_path(0)).tokens(&[TOKEN, OLD_TOKEN]).path(TOKEN),
        channel("second of two", by_path(1)).tokens(&[TOKEN, OLD_TOKEN]).path(OLD_TOKEN),
        channel("third of three", by_path(2)).tokens(&["a", "b", TOKEN]).path(TOKEN),
        channel("the same twice is the first", by_path(0)).tokens(&[TOKEN, TOKEN]).path(TOKEN),
        channel("the old one after rotation", NO_TOKEN).path(OLD_TOKEN),
        channel("two joined", NO_TOKEN).tokens(&[TOKEN, OLD_TOKEN]).path(&format!("{TOKEN},{OLD_TOKEN}")),
        channel("an empty one proves nothing", NO_TOKEN).tokens(&[""]).path(""),
        channel("an empty one and no token", NO_TOKEN).tokens(&[""]),
        channel("an empty one beside a good one proves nothing", NO_TOKEN).tokens(&["", TOKEN]).path(""),
        channel("behind an empty one", by_path(1)).tokens(&["", TOKEN]).path(TOKEN),
        channel("one with a newline proves nothing", NO_TOKEN)
            .tokens(&["fixture-path-token-0001\n"])
            .path("fixture-path-token-0001\n"),
        Case { query: format!("token={TOKEN}"), ..channel("in the query", NO_TOKEN) },
    ];
    cases.extend(near_tokens().into_iter().map(|(name, path)| channel(name, NO_TOKEN).path(&path)));
    cases
}

fn header_cases() -> Vec<Case> {
    let channel = |name: &str, expected| Case::new(format!("header: {name}"), expected).wants(&[VALUE]);
    let wrong = "Bearer fixture-header-wrong";
    let mut cases = vec![
        channel("right", by_header(0)).sent(HEADER, VALUE),
        channel("missing", MISSING),
        channel("the body is not covered", by_header(0)).sent(HEADER, VALUE).body(b""),
        channel("wrong", MISMATCH).sent(HEADER, wrong),
        channel("twice, both right", MALFORMED).sent(HEADER, VALUE).sent(HEADER, VALUE),
        channel("twice, the first right", MALFORMED).sent(HEADER, VALUE).sent(HEADER, wrong),
        channel("twice, the second right", MALFORMED).sent(HEADER, wrong).sent(HEADER, VALUE),
        channel("twice, the second empty", MALFORMED).sent(HEADER, VALUE).sent(HEADER, ""),
        channel("under another name", MISSING).sent("x-fixture-tokens", VALUE),
        channel("under a longer name beside the right", by_header(0))
            .sent("x-fixture-token-2", wrong)
            .sent(HEADER, VALUE),
        channel("in the path", MISSING).path(VALUE),
        channel("a path token that nobody asked for", by_header(0)).sent(HEADER, VALUE).path("any"),
        channel("first of two", by_header(0)).wants(&[VALUE, OLD_VALUE]).sent(HEADER, VALUE),
        channel("second of two", by_header(1)).wants(&[VALUE, OLD_VALUE]).sent(HEADER, OLD_VALUE),
        channel("the old one after rotation", MISMATCH).sent(HEADER, OLD_VALUE),
        channel("an empty one proves nothing", MISMATCH).wants(&[""]).sent(HEADER, ""),
        channel("an empty one beside a good one proves nothing", MISMATCH)
            .wants(&["", VALUE])
            .sent(HEADER, ""),
        channel("behind an empty one", by_header(1)).wants(&["", VALUE]).sent(HEADER, VALUE),
        channel("no value at all", MISMATCH).wants(&[]).sent(HEADER, VALUE),
        channel("no value at all and an empty header", MISMATCH).wants(&[]).sent(HEADER, ""),
        Case { query: format!("{HEADER}={VALUE}"), ..channel("in the query", MISSING) },
    ];
    let near = [
        ("empty", String::new()),
        ("a beginning", VALUE[..VALUE.len() - 1].into()),
        ("an end", VALUE[1..].into()),
        ("longer by one", format!("{VALUE}s")),
        ("without its first word", VALUE.replace("Bearer ", "")),
        ("its first word in lower case", VALUE.replace("Bearer", "bearer")),
        ("upper case", VALUE.to_uppercase()),
        ("a space behind", format!("{VALUE} ")),
        ("a space before", format!(" {VALUE}")),
        ("comma-joined with itself", format!("{VALUE}, {VALUE}")),
        ("comma-joined with another", format!("{VALUE},{wrong}")),
        ("quoted", format!("\"{VALUE}\"")),
        ("base64", BASE64.encode(VALUE.as_bytes())),
        ("NUL behind", format!("{VALUE}\0")),
    ];
    cases.extend(near.into_iter().map(|(name, value)| channel(name, MISMATCH).sent(HEADER, value)));
    cases
}

fn both_cases() -> Vec<Case> {
    let channel =
        |name: &str, expected| Case::new(format!("both: {name}"), expected).tokens(&[TOKEN]).wants(&[VALUE]);
    vec![
        channel("both right", by_header(0)).path(TOKEN).sent(HEADER, VALUE),
        channel("the header's index counts", by_header(1))
            .wants(&[OLD_VALUE, VALUE])
            .path(TOKEN)
            .sent(HEADER, VALUE),
        channel("both rotate", by_header(0))
            .tokens(&["new", TOKEN])
            .wants(&[VALUE, OLD_VALUE])
            .path(TOKEN)
            .sent(HEADER, VALUE),
        channel("only the token", MISSING).path(TOKEN),
        channel("only the header", NO_TOKEN).sent(HEADER, VALUE),
        channel("neither", NO_TOKEN),
        channel("the token wrong", NO_TOKEN).path("wrong").sent(HEADER, VALUE),
        channel("the header wrong", MISMATCH).path(TOKEN).sent(HEADER, "wrong"),
        channel("exchanged", NO_TOKEN).path(VALUE).sent(HEADER, TOKEN),
        channel("the token as the header", MISMATCH).path(TOKEN).sent(HEADER, TOKEN),
        channel("the header twice", MALFORMED).path(TOKEN).sent(HEADER, VALUE).sent(HEADER, VALUE),
        Case::new("nothing configured, nothing sent", MISSING),
        Case::new("nothing configured, a token sent", MISSING).path(TOKEN),
        Case::new("nothing configured, an empty token sent", MISSING).path(""),
        Case::new("nothing configured, a header sent", MISSING).sent(HEADER, VALUE),
    ]
}

fn shared_cases() -> Vec<Case> {
    [path_cases(), header_cases(), both_cases()].concat()
}

#[test]
fn a_shared_secret_is_accepted_and_refused_as_its_table_says() {
    let cases = shared_cases();
    assert!(cases.len() >= 80, "{} cases", cases.len());
    check(Scheme::SharedSecret, &cases);
}

#[test]
fn without_a_key_360dialog_is_held_to_the_same_table() {
    check(Scheme::Dialog360HmacSha256, &shared_cases());
}

#[test]
fn a_signing_key_alone_never_admits_a_sender_that_signs_nothing() {
    let case = Case::new("", MISSING).signing(&[TOKEN]).path(TOKEN).sent(HEADER, TOKEN);
    assert_eq!(case.outcome(Scheme::SharedSecret), MISSING);
}

#[test]
fn every_flipped_bit_of_a_token_or_header_is_refused() {
    let flips = |text: &str| -> Vec<String> {
        (0..text.len() * 8)
            .map(|bit| {
                let mut bytes = text.as_bytes().to_vec();
                bytes[bit / 8] ^= 1 << (bit % 8);
                bytes.iter().map(|&byte| char::from(byte)).collect()
            })
            .collect()
    };
    let channel = Case::new("", by_header(0)).tokens(&[TOKEN]).wants(&[VALUE]);
    for path in flips(TOKEN) {
        let case = channel.clone().path(&path).sent(HEADER, VALUE);
        assert_eq!(case.outcome(Scheme::SharedSecret), NO_TOKEN, "{path}");
    }
    for value in flips(VALUE) {
        let case = channel.clone().path(TOKEN).sent(HEADER, value.clone());
        assert_eq!(case.outcome(Scheme::SharedSecret), MISMATCH, "{value}");
    }
}

#[test]
fn the_path_alone_is_known_by_any_of_its_tokens_and_never_by_none() {
    let knows = |tokens: &[&str], path: Option<&str>| {
        let mut case = Case::new("", NO_TOKEN).tokens(tokens);
        case.path = path.map(str::to_owned);
        let inbound = Inbound {
            query: "",
            headers: &[],
            body: b"",
            received_at: now(),
            path_token: case.path.as_deref(),
        };
        case.account().secrets.knows_path(&inbound)
    };
    assert!(knows(&[TOKEN], Some(TOKEN)) && knows(&[TOKEN, OLD_TOKEN], Some(OLD_TOKEN)));
    assert!(!knows(&[TOKEN], Some(OLD_TOKEN)) && !knows(&[TOKEN], None));
    assert!(!knows(&[], Some(TOKEN)) && !knows(&[], None) && !knows(&[""], Some("")));
}

/// Sends what was made, as the web would receive it.
fn resend(case: &Case, made: Signed) -> Case {
    let headers = made.headers.into_iter().map(|(name, value)| (name.to_lowercase(), value)).collect();
    Case { path: made.path_token, query: made.query.unwrap_or_default(), headers, ..case.clone() }
}

#[test]
fn what_is_made_from_the_newest_secrets_is_accepted() {
    let shared = Scheme::SharedSecret;
    let cases = [
        (shared, Case::new("path", by_path(0)).tokens(&[TOKEN, OLD_TOKEN])),
        (shared, Case::new("header", by_header(0)).wants(&[VALUE, OLD_VALUE])),
        (shared, Case::new("both", by_header(0)).tokens(&[TOKEN]).wants(&[VALUE])),
        (DIALOG360, Case::new("header without a key", by_header(0)).wants(&[VALUE])),
        (DIALOG360, Case::new("a key", signed(0)).signing(&[KEY, OLD_KEY])),
        (DIALOG360, Case::new("a key before a header", signed(0)).signing(&[KEY]).wants(&[VALUE])),
    ];
    for (scheme, case) in cases {
        let made = scheme.sign(&case.body, now(), &case.account()).unwrap();
        assert_eq!(resend(&case, made).outcome(scheme), case.expected, "{}", case.name);
    }
}

#[test]
fn nothing_is_made_without_a_secret() {
    for case in [Case::new("none", MISSING), Case::new("a header without values", MISSING).wants(&[])] {
        for scheme in [Scheme::SharedSecret, DIALOG360] {
            let made = scheme.sign(&case.body, now(), &case.account());
            assert!(matches!(made, Err(Unsignable::NoSecret)), "{}", case.name);
        }
    }
}

// ---- 360dialog's signature ----

const DIALOG360: Scheme = Scheme::Dialog360HmacSha256;
const SIGNATURE: &str = "x-360dialog-signature";
const KEY: &str = "fixture-platform-secret";
const OLD_KEY: &str = "fixture-platform-old";

fn digest(key: &str, body: &[u8]) -> Vec<u8> {
    let mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.chain_update(body).finalize().into_bytes().to_vec()
}

fn hex(key: &str, body: &[u8]) -> String {
    HEXLOWER.encode(&digest(key, body))
}

/// Why a proof that is well formed and wrong is refused.
fn wrong(body: &[u8]) -> Outcome {
    if body.is_ascii() { MISMATCH } else { Err(Rejection::MismatchNonAscii) }
}

fn dialog(name: impl Into<String>, body: &[u8], proof: impl Into<String>, expected: Outcome) -> Case {
    Case::new(name, expected).signing(&[KEY]).body(body).sent(SIGNATURE, proof)
}

fn bodies() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("ascii", br#"{"object":"whatsapp_business_account","entry":[]}"#.to_vec()),
        ("escaped", br#"{"body":"\u0928\u092e \ud83d\ude00","url":"https:\/\/a.in"}"#.to_vec()),
        ("non-ASCII", r#"{"note":"Grüße नमस्ते"}"#.as_bytes().to_vec()),
        ("empty", vec![]),
        ("newline at the end", b"{}\n".to_vec()),
        ("not UTF-8", vec![0xff, 0xfe, 0x80]),
        ("100 kB", vec![b'a'; 100_000]),
    ]
}

/// What must hold whatever the body is.
fn cases_of(kind: &str, body: &[u8]) -> Vec<Case> {
    let genuine = hex(KEY, body);
    let upper = HEXUPPER.encode(&digest(KEY, body));
    let name = |what: &str| format!("{kind}: {what}");
    let other = hex("fixture-other-platform", body);
    let longer = hex(KEY, &[body, b" "].concat());
    let plain = HEXLOWER.encode(&Sha256::digest(body));
    vec![
        dialog(name("bare"), body, &genuine, signed(0)),
        dialog(name("bare, upper case"), body, &upper, signed(0)),
        dialog(name("with its prefix"), body, format!("sha256={genuine}"), signed(0)),
        dialog(name("with its prefix, upper case"), body, format!("sha256={upper}"), signed(0)),
        Case::new(name("missing"), MISSING).signing(&[KEY]).body(body),
        dialog(name("another platform's"), body, other, wrong(body)),
        dialog(name("of the body and a space"), body, longer, wrong(body)),
        dialog(name("plain hash without key"), body, plain, wrong(body)),
        dialog(name("old key in rotation"), body, hex(OLD_KEY, body), signed(1)).signing(&[KEY, OLD_KEY]),
        dialog(name("old key after rotation"), body, hex(OLD_KEY, body), wrong(body)),
        dialog(name("in Meta's header"), body, "", MISSING).in_header("x-hub-signature-256", &genuine),
    ]
}

impl Case {
    /// With the proof in another header, and in no other.
    fn in_header(mut self, name: &str, value: &str) -> Case {
        self.headers = vec![(name.to_owned(), value.to_owned())];
        self
    }
}

fn malformed() -> Vec<Case> {
    let hex = hex(KEY, BODY);
    let values = [
        ("empty", String::new()),
        ("prefix alone", "sha256=".into()),
        ("prefix twice", format!("sha256=sha256={hex}")),
        ("sha1=", format!("sha1={hex}")),
        ("sha512=", format!("sha512={hex}")),
        ("SHA256=", format!("SHA256={hex}")),
        ("sha256:", format!("sha256:{hex}")),
        ("sha256==", format!("sha256=={hex}")),
        ("space after =", format!("sha256= {hex}")),
        ("= alone", format!("={hex}")),
        ("space before", format!(" {hex}")),
        ("space behind", format!("{hex} ")),
        ("newline behind", format!("{hex}\n")),
        ("NUL behind", format!("{hex}\0")),
        ("quoted", format!("\"{hex}\"")),
        ("63 digits", hex[1..].into()),
        ("62 digits", hex[2..].into()),
        ("65 digits", format!("{hex}0")),
        ("66 digits", format!("{hex}00")),
        ("128 digits", format!("{hex}{hex}")),
        ("32 digits", hex[..32].into()),
        ("0x", format!("0x{hex}")),
        ("g among the digits", format!("g{}", &hex[1..])),
        ("colons among the digits", format!("{}:{}", &hex[..31], &hex[32..])),
        ("base64", BASE64.encode(&digest(KEY, BODY))),
        ("comma-joined twice the same", format!("{hex},{hex}")),
        ("a timestamp before", format!("t=1795336200,v1={hex}")),
        ("the key itself", KEY.into()),
    ];
    values
        .into_iter()
        .map(|(name, value)| dialog(format!("malformed: {name}"), BODY, value, MALFORMED))
        .collect()
}

fn headers_and_keys() -> Vec<Case> {
    let genuine = hex(KEY, BODY);
    let case = |name: &str, expected| dialog(format!("keys: {name}"), BODY, &genuine, expected);
    vec![
        case("two headers, both right", MALFORMED).sent(SIGNATURE, &genuine),
        case("two headers, the second with its prefix", MALFORMED)
            .sent(SIGNATURE, format!("sha256={genuine}")),
        case("two headers, the second empty", MALFORMED).sent(SIGNATURE, ""),
        case("Meta's header beside it is ignored", signed(0)).sent("x-hub-signature-256", "sha256=0"),
        case("first of three", signed(0)).signing(&[KEY, "b", "c"]),
        case("third of three", signed(2)).signing(&["a", "b", KEY]),
        case("none of three", MISMATCH).signing(&["a", "b", "c"]),
        case("the same twice is the first", signed(0)).signing(&[KEY, KEY]),
        case("in another case", MISMATCH).signing(&["FIXTURE-PLATFORM-SECRET"]),
        case("with a newline", MISMATCH).signing(&["fixture-platform-secret\n"]),
        case("behind an empty one", signed(1)).signing(&["", KEY]),
        dialog("keys: an empty one proves nothing", BODY, hex("", BODY), MISMATCH).signing(&[""]),
        dialog("keys: an empty one beside a good one", BODY, hex("", BODY), MISMATCH).signing(&["", KEY]),
        case("a configured header is not asked for beside a key", signed(0)).wants(&[VALUE]),
        Case::new("keys: a header does not stand in for the signature", MISSING)
            .signing(&[KEY])
            .wants(&[VALUE])
            .sent(HEADER, VALUE),
        Case::new("keys: a path token does not stand in for the signature", MISSING)
            .signing(&[KEY])
            .tokens(&[TOKEN])
            .path(TOKEN),
        case("a signature proves nothing where no key is", MISSING).signing(&[]),
        case("a signature does not stand in for a header", MISSING).signing(&[]).wants(&[VALUE]),
        dialog("re-encoded: spaces added", br#"{"a": 1}"#, hex(KEY, br#"{"a":1}"#), MISMATCH),
        dialog("re-encoded: spaces taken", br#"{"a":1}"#, hex(KEY, br#"{"a": 1}"#), MISMATCH),
        // python3: hmac.new(b'fixture-platform-secret', body, hashlib.sha256).hexdigest()
        dialog(
            "known answer, ASCII",
            b"{}",
            "68fa396a438c46694b2fb0d9cb3feebaaa5c32792d7cb5a667b61370ae439fd4",
            signed(0),
        ),
        dialog(
            "known answer, non-ASCII",
            r#"{"text":"é 🥾"}"#.as_bytes(),
            "sha256=e8aa30d03bba8fd1de549f6095ad9fc892ea4db69da58c7eb315f5316b7368dd",
            signed(0),
        ),
    ]
}

#[test]
fn dialog360_accepts_and_refuses_as_its_table_says() {
    let mut cases: Vec<Case> = bodies().iter().flat_map(|(kind, body)| cases_of(kind, body)).collect();
    cases.extend(malformed());
    cases.extend(headers_and_keys());
    assert!(cases.len() >= 120, "{} cases", cases.len());
    check(DIALOG360, &cases);
}

#[test]
fn dialog360_refuses_every_flipped_bit() {
    let body = r#"{"object":"whatsapp_business_account","entry":[{"id":"1","note":"Grüße"}]}"#.as_bytes();
    let proof = hex(KEY, body);
    for bit in 0..body.len() * 8 {
        let mut flipped = body.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(dialog("flip", &flipped, &proof, MISMATCH).outcome(DIALOG360).is_err(), "body bit {bit}");
    }
    for bit in 0..proof.len() * 8 {
        let mut bytes = proof.as_bytes().to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let flipped: String = bytes.iter().map(|&byte| char::from(byte)).collect();
        let accepted = dialog("flip", body, &flipped, MISMATCH).outcome(DIALOG360).is_ok();
        // The bit that tells `a` from `A` leaves the same digit.
        assert_eq!(accepted, flipped.eq_ignore_ascii_case(&proof), "header bit {bit}");
    }
}
