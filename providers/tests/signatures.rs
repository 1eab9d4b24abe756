//! The signature tables: what each scheme accepts, what it refuses and by which reason.
//!
//! Every case says what was sent and what must come of it. Proofs are computed here, from the text that
//! the provider's documentation says is signed, and not by the code under test; the known answers were
//! computed elsewhere (Twilio's SDK, Python's `hmac`). At least 150 cases a scheme, and on top of them
//! every bit of the body and of each proof header is flipped once.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL, HEXLOWER, HEXUPPER};
use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use secrecy::SecretString;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use wabridge_model::Country;
use wabridge_providers::signature::{Scheme, check_secret};
use wabridge_providers::{Account, Inbound, Proof, Rejection, Secrets, Signed, Unsignable};

type Outcome = Result<u16, Rejection>;

const MALFORMED: Outcome = Err(Rejection::MalformedProof);
const MISMATCH: Outcome = Err(Rejection::Mismatch);
const NON_ASCII: Outcome = Err(Rejection::MismatchNonAscii);
const BODY_HASH: Outcome = Err(Rejection::BodyHash);

/// One line of a table.
#[derive(Clone)]
struct Case {
    name: String,
    url: Option<String>,
    query: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    received_at: Timestamp,
    secrets: Vec<String>,
    expected: Outcome,
}

impl Case {
    fn new(name: impl Into<String>, body: &[u8], secret: &str, expected: Outcome) -> Case {
        Case {
            name: name.into(),
            url: None,
            query: String::new(),
            headers: vec![],
            body: body.to_vec(),
            received_at: now(),
            secrets: vec![secret.to_owned()],
            expected,
        }
    }

    fn header(mut self, name: &str, value: impl Into<String>) -> Case {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    fn secrets(mut self, secrets: &[&str]) -> Case {
        self.secrets = secrets.iter().map(|&secret| secret.to_owned()).collect();
        self
    }

    fn url(mut self, url: &str) -> Case {
        let (url, query) = url.split_once('?').unwrap_or((url, ""));
        self.url = Some(url.to_owned());
        self.query = query.to_owned();
        self
    }

    fn account(&self) -> Account {
        account(self.url.as_deref(), &self.secrets)
    }

    fn outcome(&self, scheme: Scheme) -> Outcome {
        let Case { query, headers, body, received_at, .. } = self;
        let inbound = Inbound { query, headers, body, received_at: *received_at, path_token: None };
        scheme.verify(inbound, &self.account()).map(|verified| {
            assert_eq!(verified.proof(), Proof::Signed);
            assert_eq!(verified.body(), body);
            verified.secret_index()
        })
    }

    fn check(&self, scheme: Scheme) {
        assert_eq!(self.outcome(scheme), self.expected, "{}", self.name);
    }
}

fn account(url: Option<&str>, secrets: &[String]) -> Account {
    Account {
        channel: "main".into(),
        portfolio: "default".into(),
        business_numbers: Default::default(),
        business_number: None,
        sample_ids: vec![],
        default_country: Country::INDIA,
        public_url: url.map(str::to_owned),
        secrets: Secrets {
            signing: secrets.iter().map(|secret| SecretString::from(secret.as_str())).collect(),
            ..Secrets::default()
        },
    }
}

fn now() -> Timestamp {
    "2026-11-22T08:35:12Z".parse().unwrap()
}

fn sha256(key: &[u8], signed: &[u8]) -> Vec<u8> {
    Hmac::<Sha256>::new_from_slice(key).unwrap().chain_update(signed).finalize().into_bytes().to_vec()
}

fn sha1(key: &[u8], signed: &[u8]) -> Vec<u8> {
    Hmac::<Sha1>::new_from_slice(key).unwrap().chain_update(signed).finalize().into_bytes().to_vec()
}

/// Why a proof that is well formed and wrong is refused.
fn wrong(body: &[u8]) -> Outcome {
    if body.is_ascii() { MISMATCH } else { NON_ASCII }
}

fn check_table(scheme: Scheme, cases: &[Case]) {
    let names: BTreeSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names.len(), cases.len(), "two cases have one name");
    assert!(cases.len() >= 150, "{scheme:?} has {} cases", cases.len());
    assert!(cases.iter().filter(|case| case.expected.is_ok()).count() >= 30, "{scheme:?} accepts too little");
    for case in cases {
        case.check(scheme);
    }
}

/// Flips each bit of body and headers, one at a time, and counts the flips. `same` says which change of
/// a header, or of the body, leaves the meaning as it was.
fn flip_bits(scheme: Scheme, case: &Case, same: impl Fn(&str, &[u8], &[u8]) -> bool) -> usize {
    case.check(scheme);
    let mut flips = 0;
    let mut judge = |flipped: &Case, part: &str, before: &[u8], after: &[u8]| {
        flips += 1;
        let accepted = flipped.outcome(scheme).is_ok();
        assert_eq!(accepted, same(part, before, after), "{}: {part} flip {flips}", case.name);
    };
    for bit in 0..case.body.len() * 8 {
        let mut flipped = case.clone();
        flipped.body[bit / 8] ^= 1 << (bit % 8);
        judge(&flipped, "body", &case.body, &flipped.body);
    }
    for (index, (name, value)) in case.headers.iter().enumerate() {
        for bit in 0..value.len() * 8 {
            let mut bytes = value.clone().into_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let mut flipped = case.clone();
            // A byte above 127 reaches us as the character of that number.
            flipped.headers[index].1 = bytes.iter().map(|&byte| char::from(byte)).collect();
            judge(&flipped, name, value.as_bytes(), &bytes);
        }
    }
    flips
}

// ---- Meta ----

const META: Scheme = Scheme::MetaHmacSha256;
const META_HEADER: &str = "x-hub-signature-256";
const META_SECRET: &str = "fixture-meta-secret";
const META_OLD: &str = "fixture-meta-old";

fn meta_proof(secret: &str, body: &[u8]) -> String {
    format!("sha256={}", HEXLOWER.encode(&sha256(secret.as_bytes(), body)))
}

fn meta(name: impl Into<String>, body: &[u8], header: impl Into<String>, expected: Outcome) -> Case {
    Case::new(name, body, META_SECRET, expected).header(META_HEADER, header)
}

fn meta_bodies() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("ascii", br#"{"object":"whatsapp_business_account","entry":[]}"#.to_vec()),
        (
            "escaped",
            br#"{"body":"\u0928\u092e\u0938\u094d\u0924\u0947 \ud83d\ude00","url":"https:\/\/a.in"}"#
                .to_vec(),
        ),
        ("non-ASCII", r#"{"note":"Grüße नमस्ते"}"#.as_bytes().to_vec()),
        ("empty", vec![]),
        ("one byte", b"{".to_vec()),
        ("newline at the end", b"{}\n".to_vec()),
        ("CRLF", b"{\r\n}".to_vec()),
        ("NUL", b"{\0}".to_vec()),
        ("not UTF-8", vec![0xff, 0xfe, 0x80]),
        ("100 kB", vec![b'a'; 100_000]),
    ]
}

/// What must hold whatever the body is.
fn meta_cases_of(kind: &str, body: &[u8]) -> Vec<Case> {
    let genuine = meta_proof(META_SECRET, body);
    let digest = sha256(META_SECRET.as_bytes(), body);
    let mixed: String = genuine
        .char_indices()
        .map(|(at, c)| if at > 6 && at % 2 == 0 { c.to_ascii_uppercase() } else { c })
        .collect();
    let longer = [body, b" "].concat();
    let quoted = [b"\"", body, b"\""].concat();
    let shorter = body.split_last().map_or(&b"x"[..], |(_, rest)| rest);
    let old = meta_proof(META_OLD, body);
    let sha1 = format!("sha1={}", HEXLOWER.encode(&sha1(META_SECRET.as_bytes(), body)));
    let name = |what: &str| format!("{kind}: {what}");
    vec![
        meta(name("genuine"), body, &genuine, Ok(0)),
        meta(name("upper case"), body, format!("sha256={}", HEXUPPER.encode(&digest)), Ok(0)),
        meta(name("mixed case"), body, mixed, Ok(0)),
        Case::new(name("missing"), body, META_SECRET, Err(Rejection::Missing)),
        meta(name("another tenant's"), body, meta_proof("fixture-other-tenant", body), wrong(body)),
        meta(name("of the body cut short"), body, meta_proof(META_SECRET, shorter), wrong(body)),
        meta(name("of the body and a space"), body, meta_proof(META_SECRET, &longer), wrong(body)),
        meta(name("old secret in rotation"), body, &old, Ok(1)).secrets(&[META_SECRET, META_OLD]),
        meta(name("old secret after rotation"), body, &old, wrong(body)),
        meta(name("SHA-1 of the older header"), body, sha1, MALFORMED),
        meta(name("of the body in quotes"), body, meta_proof(META_SECRET, &quoted), wrong(body)),
        meta(
            name("plain hash without secret"),
            body,
            format!("sha256={}", HEXLOWER.encode(&Sha256::digest(body))),
            wrong(body),
        ),
    ]
}

fn meta_malformed() -> Vec<Case> {
    let body = br#"{"entry":[]}"#;
    let hex = meta_proof(META_SECRET, body).split_off(7);
    let base64 = BASE64.encode(&sha256(META_SECRET.as_bytes(), body));
    let values = [
        ("empty", String::new()),
        ("a space", " ".into()),
        ("prefix alone", "sha256=".into()),
        ("no prefix", hex.clone()),
        ("sha1=", format!("sha1={hex}")),
        ("sha512=", format!("sha512={hex}")),
        ("SHA256=", format!("SHA256={hex}")),
        ("Sha256=", format!("Sha256={hex}")),
        ("sha-256=", format!("sha-256={hex}")),
        ("sha256:", format!("sha256:{hex}")),
        ("sha256==", format!("sha256=={hex}")),
        ("sha256 =", format!("sha256 ={hex}")),
        ("space after =", format!("sha256= {hex}")),
        ("space before", format!(" sha256={hex}")),
        ("space behind", format!("sha256={hex} ")),
        ("tab behind", format!("sha256={hex}\t")),
        ("newline behind", format!("sha256={hex}\n")),
        ("NUL behind", format!("sha256={hex}\0")),
        ("quoted", format!("\"sha256={hex}\"")),
        ("quoted digits", format!("sha256=\"{hex}\"")),
        ("63 digits", format!("sha256={}", &hex[1..])),
        ("62 digits", format!("sha256={}", &hex[2..])),
        ("65 digits", format!("sha256={hex}0")),
        ("66 digits", format!("sha256={hex}00")),
        ("128 digits", format!("sha256={hex}{hex}")),
        ("32 digits", format!("sha256={}", &hex[..32])),
        ("0x", format!("sha256=0x{}", &hex[2..])),
        ("g among the digits", format!("sha256=g{}", &hex[1..])),
        ("a space among the digits", format!("sha256={} {}", &hex[..32], &hex[33..])),
        ("colons among the digits", format!("sha256={}:{}", &hex[..31], &hex[32..])),
        ("full-width digit", format!("sha256=１{}", &hex[3..])),
        ("64 non-hex", format!("sha256={}", "z".repeat(64))),
        ("base64", format!("sha256={base64}")),
        ("comma-joined twice the same", format!("sha256={hex},sha256={hex}")),
        ("comma-joined wrong and right", format!("sha256={},sha256={hex}", "0".repeat(64))),
        ("comma-joined with sha1", format!("sha1={},sha256={hex}", "0".repeat(40))),
        ("semicolon behind", format!("sha256={hex};")),
        ("comma behind", format!("sha256={hex},")),
        ("percent-encoded =", format!("sha256%3D{hex}")),
    ];
    values
        .into_iter()
        .map(|(name, value)| meta(format!("malformed: {name}"), body, value, MALFORMED))
        .collect()
}

fn meta_headers_and_secrets() -> Vec<Case> {
    let body = br#"{"entry":[]}"#;
    let genuine = meta_proof(META_SECRET, body);
    let zeros = format!("sha256={}", "0".repeat(64));
    let case = |name: &str, expected| meta(format!("secrets: {name}"), body, &genuine, expected);
    let empty_key = meta_proof("", body);
    vec![
        meta("two headers, both right", body, &genuine, MALFORMED).header(META_HEADER, &genuine),
        meta("two headers, the first right", body, &genuine, MALFORMED).header(META_HEADER, &zeros),
        meta("two headers, the second right", body, &zeros, MALFORMED).header(META_HEADER, &genuine),
        meta("two headers, the second empty", body, &genuine, MALFORMED).header(META_HEADER, ""),
        meta("the older header beside it is ignored", body, &genuine, Ok(0))
            .header("x-hub-signature", "sha1=0"),
        Case::new("only the older header", body, META_SECRET, Err(Rejection::Missing)).header(
            "x-hub-signature",
            format!("sha1={}", HEXLOWER.encode(&sha1(META_SECRET.as_bytes(), body))),
        ),
        Case::new("the proof in a header of another name", body, META_SECRET, Err(Rejection::Missing))
            .header("x-signature", &genuine),
        meta("all zeros", body, &zeros, MISMATCH),
        meta("all ones", body, format!("sha256={}", "f".repeat(64)), MISMATCH),
        meta("the query is not signed", body, &genuine, Ok(0)).url("https://h.in/hooks/main?a=1"),
        case("first of three", Ok(0)).secrets(&[META_SECRET, "b", "c"]),
        case("second of three", Ok(1)).secrets(&["a", META_SECRET, "c"]),
        case("third of three", Ok(2)).secrets(&["a", "b", META_SECRET]),
        case("none of three", MISMATCH).secrets(&["a", "b", "c"]),
        case("the same twice is the first", Ok(0)).secrets(&[META_SECRET, META_SECRET]),
        case("none configured", MISMATCH).secrets(&[]),
        case("in another case", MISMATCH).secrets(&["FIXTURE-META-SECRET"]),
        case("with a newline", MISMATCH).secrets(&["fixture-meta-secret\n"]),
        case("a beginning of it", MISMATCH).secrets(&["fixture-meta"]),
        case("behind an empty one", Ok(1)).secrets(&["", META_SECRET]),
        meta("secrets: an empty one proves nothing", body, &empty_key, MISMATCH).secrets(&[""]),
        meta("secrets: an empty one beside a good one proves nothing", body, &empty_key, MISMATCH)
            .secrets(&["", META_SECRET]),
        meta("secrets: NULs pad an HMAC key, but not to nothing", body, &empty_key, MISMATCH)
            .secrets(&[META_SECRET, "\0 "]),
    ]
}

/// A proxy that reads and writes JSON anew changes the bytes, and the reason says so where it can.
fn meta_re_encoded() -> Vec<Case> {
    let sent = br#"{"url":"https:\/\/a.in","name":"Gr\u00fc\u00dfe"}"#;
    let bodies: [(&str, &[u8], Outcome); 7] = [
        ("non-ASCII unescaped", r#"{"url":"https:\/\/a.in","name":"Grüße"}"#.as_bytes(), NON_ASCII),
        ("slash unescaped", br#"{"url":"https://a.in","name":"Gr\u00fc\u00dfe"}"#, MISMATCH),
        ("upper-case escapes", br#"{"url":"https:\/\/a.in","name":"Gr\u00FC\u00DFe"}"#, MISMATCH),
        ("spaces added", br#"{"url": "https:\/\/a.in", "name": "Gr\u00fc\u00dfe"}"#, MISMATCH),
        ("keys sorted", br#"{"name":"Gr\u00fc\u00dfe","url":"https:\/\/a.in"}"#, MISMATCH),
        (
            "BOM before",
            b"\xef\xbb\xbf{\"url\":\"https:\\/\\/a.in\",\"name\":\"Gr\\u00fc\\u00dfe\"}",
            NON_ASCII,
        ),
        ("as sent", sent, Ok(0)),
    ];
    let proof = meta_proof(META_SECRET, sent);
    bodies
        .into_iter()
        .map(|(name, body, expected)| meta(format!("re-encoded: {name}"), body, &proof, expected))
        .collect()
}

fn meta_known_answers() -> Vec<Case> {
    // python3: hmac.new(b'fixture-meta-secret', body, hashlib.sha256).hexdigest()
    let answers: [(&[u8], &str); 2] = [
        (
            br#"{"object":"whatsapp_business_account","entry":[]}"#,
            "sha256=992e6f0a262df818f10ba41e6879eae9b63fde87152d154a404f5caf11b4daa7",
        ),
        (
            r#"{"note":"Grüße नमस्ते"}"#.as_bytes(),
            "sha256=bb88a427a2e04de061f740683fcd01b9f679bfcb7e4f003b7506840e75a7bc46",
        ),
    ];
    answers
        .into_iter()
        .enumerate()
        .map(|(n, (body, proof))| meta(format!("known answer {n}"), body, proof, Ok(0)))
        .collect()
}

fn meta_cases() -> Vec<Case> {
    let mut cases: Vec<Case> =
        meta_bodies().iter().flat_map(|(kind, body)| meta_cases_of(kind, body)).collect();
    cases.extend(meta_malformed());
    cases.extend(meta_headers_and_secrets());
    cases.extend(meta_re_encoded());
    cases.extend(meta_known_answers());
    cases
}

#[test]
fn meta_accepts_and_refuses_as_its_table_says() {
    let cases = meta_cases();
    check_table(META, &cases);
}

#[test]
fn meta_refuses_every_flipped_bit() {
    let body = r#"{"object":"whatsapp_business_account","entry":[{"id":"1","note":"Grüße"}]}"#.as_bytes();
    let case = meta("flip", body, meta_proof(META_SECRET, body), Ok(0));
    // The bit that tells `a` from `A` leaves the same digit.
    let flips = flip_bits(META, &case, |part, before, after| {
        part == META_HEADER && before[7..].eq_ignore_ascii_case(&after[7..]) && before[..7] == after[..7]
    });
    assert_eq!(flips, (body.len() + 71) * 8);
}

// ---- Twilio ----

const TWILIO: Scheme = Scheme::TwilioHmacSha1;
const TWILIO_HEADER: &str = "x-twilio-signature";
const TOKEN: &str = "fixture-twilio-token";
const OLD_TOKEN: &str = "fixture-twilio-old";
const FORM: &str = "application/x-www-form-urlencoded";
const URL: &str = "https://hooks.example.in/hooks/twilio";

/// A form POST to `url`; `signed` is what the sender signed, written out.
fn form(name: impl Into<String>, url: &str, body: &[u8], signed: &str, expected: Outcome) -> Case {
    Case::new(name, body, TOKEN, expected)
        .url(url)
        .header("content-type", FORM)
        .header(TWILIO_HEADER, BASE64.encode(&sha1(TOKEN.as_bytes(), signed.as_bytes())))
}

fn twilio_known_answers() -> Vec<Case> {
    const BODY: &[u8] =
        b"CallSid=CA1234567890ABCDE&Digits=1234&From=%2B14158675309&To=%2B18005551212&Caller=%2B14158675309";
    let vectors: [(&str, &[u8], &str); 7] = [
        ("https://mycompany.com/myapp.php?foo=1&bar=2", BODY, "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        ("https://mycompany.com:443/myapp.php?foo=1&bar=2", BODY, "kvajT1Ptam85bY51eRf/AJRuM3w="),
        ("http://mycompany.com:80/myapp.php?foo=1&bar=2", BODY, "0ZXoZLH/DfblKGATFgpif+LLRf4="),
        ("http://mycompany.com/myapp.php?foo=1&bar=2", BODY, "OyGYPqTF6ztdbRNCvuQO/oPvqQ4="),
        ("http://mycompany.com:1234/myapp.php?foo=1&bar=2", BODY, "Zmvh+3yNM1Phv2jhDCwEM3q5ebU="),
        (
            "https://mycompany.com/myapp.php?foo=1&bar=2",
            b"Sid=CA123&SidAccount=AC123&Digits=5678&Digits=1234&Digits=1234",
            "IK+Dwps556ElfBT0I3Rgjkr1wJU=",
        ),
        (
            "https://mycompany.com/myapp.php?foo=1&bar=2&bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620",
            br#"{"property": "value", "boolean": true}"#,
            "a9nBmqA0ju/hNViExpshrM61xv4=",
        ),
    ];
    let vectors = vectors.into_iter().enumerate().map(|(n, (url, body, proof))| {
        let kind = if body.starts_with(b"{") { "application/json" } else { FORM };
        let case = Case::new(format!("known answer {n}"), body, "12345", Ok(0)).url(url);
        case.header("content-type", kind).header(TWILIO_HEADER, proof)
    });
    vectors.collect()
}

/// Bodies, each with the text that its parameters add to the URL.
fn twilio_forms() -> Vec<(&'static str, &'static [u8], &'static str)> {
    vec![
        ("one parameter", b"A=1", "A1"),
        ("in order", b"A=1&B=2", "A1B2"),
        ("out of order", b"B=2&A=1", "A1B2"),
        ("upper case sorts first", b"a=1&B=2", "B2a1"),
        ("a name that begins another", b"Sid=1&SidAccount=2&Si=3", "Si3Sid1SidAccount2"),
        ("repeated with two values, sorted", b"D=5678&D=1234", "D1234D5678"),
        ("repeated with one value, once", b"D=1&D=1", "D1"),
        ("three times, two values", b"D=2&D=1&D=2", "D1D2"),
        ("an empty value", b"Body=&A=1", "A1Body"),
        ("only empty values", b"A=&B=", "AB"),
        ("no equals sign", b"A&B=1", "AB1"),
        ("plus is a space", b"Body=a+b", "Bodya b"),
        ("%20 is a space", b"Body=a%20b", "Bodya b"),
        ("%2B is a plus", b"From=whatsapp%3A%2B91", "Fromwhatsapp:+91"),
        ("lower-case escapes", b"From=whatsapp%3a%2b91", "Fromwhatsapp:+91"),
        ("an escaped ampersand", b"Body=a%26B%3Dc", "Bodya&B=c"),
        ("an equals sign in a value", b"Body=a=b", "Bodya=b"),
        ("an escaped percent", b"Body=100%25", "Body100%"),
        ("a percent by itself", b"Body=100%", "Body100%"),
        ("a percent before letters", b"Body=%zz", "Body%zz"),
        ("non-ASCII, escaped", b"Body=Gr%C3%BC%C3%9Fe", "BodyGrüße"),
        ("an emoji", b"Body=%F0%9F%98%80", "Body😀"),
        ("Devanagari", b"Body=%E0%A4%A8", "Bodyन"),
        ("an escaped name", b"A%5B0%5D=1", "A[0]1"),
        ("a name with a dot", b"A.b=1", "A.b1"),
        ("spaces at both ends", b"Body=+a+", "Body a "),
        ("an escaped newline", b"Body=a%0D%0Ab", "Bodya\r\nb"),
        ("an escaped NUL", b"Body=a%00b", "Bodya\0b"),
        ("an ampersand at the end", b"A=1&", "A1"),
        ("two ampersands", b"A=1&&B=2", "A1B2"),
        ("a parameter of tomorrow", b"A=1&Later2030=x", "A1Later2030x"),
        ("a JSON text in a value", b"D=%7B%22a%22%3A1%7D", "D{\"a\":1}"),
        ("no parameters", b"", ""),
    ]
}

fn twilio_form_cases() -> Vec<Case> {
    let genuine = twilio_forms()
        .into_iter()
        .map(|(name, body, added)| form(format!("form: {name}"), URL, body, &format!("{URL}{added}"), Ok(0)));
    let wrong: [(&str, &[u8], &str); 14] = [
        ("unsorted text", b"B=2&A=1", "B2A1"),
        ("repeated value not made one", b"D=1&D=1", "D1D1"),
        ("values unsorted", b"D=2&D=1", "D2D1"),
        ("an empty value dropped", b"Body=&A=1", "A1"),
        ("a plus left a plus", b"Body=a+b", "Bodya+b"),
        ("escapes left", b"Body=a%20b", "Bodya%20b"),
        ("a value trimmed", b"Body=+a", "Bodya"),
        ("an unknown parameter dropped", b"A=1&Later=x", "A1"),
        ("a parameter added", b"A=1&B=2", "A1"),
        ("a parameter removed", b"A=1", "A1B2"),
        ("a value changed", b"A=2", "A1"),
        ("equals signs signed", b"A=1", "A=1"),
        ("names folded", b"A=1", "a1"),
        ("values swapped", b"A=2&B=1", "A1B2"),
    ];
    let wrong = wrong.into_iter().map(|(name, body, added)| {
        form(format!("form, not so: {name}"), URL, body, &format!("{URL}{added}"), MISMATCH)
    });
    genuine.chain(wrong).collect()
}

/// The URL as configured against the URL as signed.
fn twilio_urls() -> Vec<Case> {
    // What may be signed for a configured URL: with its port or the scheme's, and without one.
    let accepted = [
        ("https://h.in/x", ["https://h.in/x", "https://h.in:443/x"]),
        ("https://h.in:443/x", ["https://h.in/x", "https://h.in:443/x"]),
        ("https://h.in:8443/x", ["https://h.in/x", "https://h.in:8443/x"]),
        ("http://h.in/x", ["http://h.in/x", "http://h.in:80/x"]),
        ("http://h.in:8080/x", ["http://h.in/x", "http://h.in:8080/x"]),
        ("https://h.in", ["https://h.in", "https://h.in:443"]),
        ("https://h.in/", ["https://h.in/", "https://h.in:443/"]),
        ("https://h.in/x/", ["https://h.in/x/", "https://h.in:443/x/"]),
        ("https://h.in/a:9/x", ["https://h.in/a:9/x", "https://h.in:443/a:9/x"]),
        ("https://h.in/a@b/x", ["https://h.in/a@b/x", "https://h.in:443/a@b/x"]),
        ("https://h.in/a%2Fb", ["https://h.in/a%2Fb", "https://h.in:443/a%2Fb"]),
        ("https://[2001:db8::1]/x", ["https://[2001:db8::1]/x", "https://[2001:db8::1]:443/x"]),
        ("https://[2001:db8::1]:8443/x", ["https://[2001:db8::1]/x", "https://[2001:db8::1]:8443/x"]),
        ("http://[::1]/x", ["http://[::1]/x", "http://[::1]:80/x"]),
        ("https://192.0.2.1/x", ["https://192.0.2.1/x", "https://192.0.2.1:443/x"]),
        ("https://u:p@h.in/x", ["https://u:p@h.in/x", "https://u:p@h.in:443/x"]),
        ("https://u:p@h.in:8443/x", ["https://u:p@h.in/x", "https://u:p@h.in:8443/x"]),
        ("https://h.in/x?b=2&a=1", ["https://h.in/x?b=2&a=1", "https://h.in:443/x?b=2&a=1"]),
        ("https://h.in/x?a=%20+", ["https://h.in/x?a=%20+", "https://h.in:443/x?a=%20+"]),
        ("https://h.in/x?a=:80", ["https://h.in/x?a=:80", "https://h.in:443/x?a=:80"]),
        ("https://h.in/x?a=1?b", ["https://h.in/x?a=1?b", "https://h.in:443/x?a=1?b"]),
    ];
    let refused = [
        ("https://h.in/x", "http://h.in/x"),
        ("https://h.in/x", "https://h.in:80/x"),
        ("https://h.in/x", "https://h.in:8443/x"),
        ("https://h.in:8443/x", "https://h.in:443/x"),
        ("http://h.in/x", "http://h.in:443/x"),
        ("http://h.in/x", "https://h.in/x"),
        ("https://h.in/x", "https://h.in/x/"),
        ("https://h.in/x/", "https://h.in/x"),
        ("https://h.in/x", "https://h.in/X"),
        ("https://h.in/x", "https://H.IN/x"),
        ("https://h.in/x", "https://evil.in/x"),
        ("https://h.in/x", "https://h.in.evil.in/x"),
        ("https://h.in/x", "https://h.in/prefix/x"),
        ("https://h.in/prefix/x", "https://h.in/x"),
        ("https://h.in/x", "h.in/x"),
        ("https://h.in/x", "/x"),
        ("https://h.in/a%2Fb", "https://h.in/a/b"),
        ("https://h.in/a%2Fb", "https://h.in/a%2fb"),
        ("https://h.in/x?b=2&a=1", "https://h.in/x?a=1&b=2"),
        ("https://h.in/x?b=2&a=1", "https://h.in/x"),
        ("https://h.in/x?a=%20", "https://h.in/x?a=+"),
        ("https://h.in/x?a=1", "https://h.in/x?a=1&"),
        ("https://h.in/x", "https://h.in/x?a=1"),
        ("https://h.in/x", "https://h.in/x?"),
        ("https://h.in/x", "https://h.in/x#rc=2"),
        ("https://[2001:db8::1]/x", "https://2001:db8::1/x"),
        ("https://[2001:db8::1]/x", "https://[2001/x"),
        ("https://[2001:db8::1]/x", "https://[2001:db8::2]/x"),
        ("https://u:p@h.in/x", "https://h.in/x"),
        ("https://h.in/x", "https://u:p@h.in/x"),
        ("ftp://h.in/x", "ftp://h.in/x"),
        ("h.in/x", "h.in/x"),
    ];
    let accepted = accepted.into_iter().flat_map(|(url, signed)| {
        signed.map(|signed| {
            form(format!("URL {url}, signed {signed}"), url, b"A=1", &format!("{signed}A1"), Ok(0))
        })
    });
    let refused = refused.into_iter().map(|(url, signed)| {
        form(format!("URL {url}, not {signed}"), url, b"A=1", &format!("{signed}A1"), MISMATCH)
    });
    accepted.chain(refused).collect()
}

/// The answer depends on nothing that a sender or a proxy writes beside the proof.
fn twilio_forged_hosts() -> Vec<Case> {
    let forged = [
        ("host", "evil.in"),
        ("host", "hooks.example.in"),
        ("x-forwarded-host", "evil.in"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-port", "8080"),
        ("x-forwarded-for", "192.0.2.7"),
        ("forwarded", "host=evil.in;proto=http"),
        ("x-original-url", "/other"),
        ("x-forwarded-prefix", "/other"),
    ];
    let cases = forged.into_iter().flat_map(|(name, value)| {
        let genuine =
            form(format!("forged {name}: {value}, genuine"), URL, b"A=1", &format!("{URL}A1"), Ok(0));
        let signed_for_it = format!("https://{value}/hooks/twilioA1");
        let expected = if value == "hooks.example.in" { Ok(0) } else { MISMATCH };
        let other =
            form(format!("forged {name}: {value}, signed for it"), URL, b"A=1", &signed_for_it, expected);
        [genuine.header(name, value), other.header(name, value)]
    });
    cases.collect()
}

fn twilio_malformed() -> Vec<Case> {
    let digest = sha1(TOKEN.as_bytes(), format!("{URL}A1").as_bytes());
    let right = BASE64.encode(&digest);
    let values = [
        ("empty", String::new()),
        ("one byte", "A".into()),
        ("without padding", BASE64_NOPAD.encode(&digest)),
        ("padded twice", format!("{right}=")),
        ("hex", HEXLOWER.encode(&digest)),
        ("SHA-256", BASE64.encode(&sha256(TOKEN.as_bytes(), format!("{URL}A1").as_bytes()))),
        ("19 bytes", BASE64.encode(&digest[1..])),
        ("21 bytes", BASE64.encode(&[&digest[..], &[0]].concat())),
        ("a space before", format!(" {right}")),
        ("a space behind", format!("{right} ")),
        ("a newline behind", format!("{right}\n")),
        ("a newline within", format!("{}\n{}", &right[..14], &right[14..])),
        ("comma-joined", format!("{right},{right}")),
        ("comma-joined, no space", format!("{},{right}", BASE64.encode(&[0; 20]))),
        ("prefix", format!("sha1={right}")),
        ("quoted", format!("\"{right}\"")),
        ("non-ASCII", format!("é{}", &right[1..])),
        ("a star", format!("*{}", &right[1..])),
        ("padding in front", format!("={}", &right[1..])),
    ];
    let cases = values.into_iter().map(|(name, value)| {
        let case = Case::new(format!("malformed: {name}"), b"A=1", TOKEN, MALFORMED).url(URL);
        case.header("content-type", FORM).header(TWILIO_HEADER, value)
    });
    cases.chain(twilio_base64_variants()).collect()
}

/// Other spellings of the right 20 bytes are no proof.
fn twilio_base64_variants() -> Vec<Case> {
    // A body whose proof has both letters in which the alphabets differ.
    let (body, digest) = (0..)
        .map(|n| (format!("A={n}"), sha1(TOKEN.as_bytes(), format!("{URL}A{n}").as_bytes())))
        .find(|(_, digest)| BASE64.encode(digest).contains('+') && BASE64.encode(digest).contains('/'))
        .unwrap();
    let right = BASE64.encode(&digest);
    let last = right.as_bytes()[26];
    // The lowest two bits of the last letter belong to no byte.
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let at = alphabet.iter().position(|&letter| letter == last).unwrap();
    let trailing = (1..4).map(|bits| {
        let value = format!("{}{}=", &right[..26], char::from(alphabet[at + bits]));
        (format!("base64: trailing bits {bits}"), value, MALFORMED)
    });
    let spellings = [
        ("base64: standard".to_owned(), right.clone(), Ok(0)),
        ("base64: url-safe".to_owned(), BASE64URL.encode(&digest), MALFORMED),
        ("base64: letters in another case".to_owned(), right.to_uppercase(), MISMATCH),
    ];
    let cases = spellings.into_iter().chain(trailing).map(|(name, value, expected)| {
        let case = Case::new(name, body.as_bytes(), TOKEN, expected).url(URL);
        case.header("content-type", FORM).header(TWILIO_HEADER, value)
    });
    cases.collect()
}

fn twilio_headers_and_secrets() -> Vec<Case> {
    let signed = format!("{URL}A1");
    let proof = |token: &str| BASE64.encode(&sha1(token.as_bytes(), signed.as_bytes()));
    let case = |name: &str, expected| form(format!("secrets: {name}"), URL, b"A=1", &signed, expected);
    let bare = |name: &str, expected| Case::new(name, b"A=1", TOKEN, expected).url(URL);
    let mut no_url = case("no URL is configured", MISMATCH);
    no_url.url = None;
    vec![
        bare("missing", Err(Rejection::Missing)).header("content-type", FORM),
        bare("in a header of another name", Err(Rejection::Missing)).header("x-signature", proof(TOKEN)),
        case("two headers, both right", MALFORMED).header(TWILIO_HEADER, proof(TOKEN)),
        case("two headers, the second wrong", MALFORMED).header(TWILIO_HEADER, proof("other")),
        bare("another tenant's", MISMATCH).header(TWILIO_HEADER, proof("fixture-other-tenant")),
        bare("all zeros", MISMATCH).header(TWILIO_HEADER, BASE64.encode(&[0; 20])),
        bare("old token in rotation", Ok(1))
            .secrets(&[TOKEN, OLD_TOKEN])
            .header(TWILIO_HEADER, proof(OLD_TOKEN)),
        bare("old token after rotation", MISMATCH).header(TWILIO_HEADER, proof(OLD_TOKEN)),
        bare("no secret at all, empty key", MISMATCH).secrets(&[]).header(TWILIO_HEADER, proof("")),
        bare("an empty secret proves nothing", MISMATCH).secrets(&[""]).header(TWILIO_HEADER, proof("")),
        case("first of three", Ok(0)).secrets(&[TOKEN, "b", "c"]),
        case("second of three", Ok(1)).secrets(&["a", TOKEN, "c"]),
        case("third of three", Ok(2)).secrets(&["a", "b", TOKEN]),
        case("behind an empty one", Ok(1)).secrets(&["", TOKEN]),
        case("the same twice is the first", Ok(0)).secrets(&[TOKEN, TOKEN]),
        case("none configured", MISMATCH).secrets(&[]),
        case("another case", MISMATCH).secrets(&["FIXTURE-TWILIO-TOKEN"]),
        no_url,
    ]
}

/// What counts as a form, and the hash of a body that is none.
fn twilio_content() -> Vec<Case> {
    let json = br#"{"MessageSid":"SM1","Body":"Gr\u00fc\u00dfe"}"#.as_slice();
    let raw = r#"{"Body":"Grüße"}"#.as_bytes();
    let hash = |body: &[u8]| HEXLOWER.encode(&Sha256::digest(body));
    let upper = HEXUPPER.encode(&Sha256::digest(json));
    let post = |name: &str, kind: Option<&str>, query: &str, body: &[u8], added: &str, expected| {
        let url = if query.is_empty() { URL.to_owned() } else { format!("{URL}?{query}") };
        let signed = format!("{url}{added}");
        let mut case = form(format!("content: {name}"), &url, body, &signed, expected);
        case.headers.remove(0);
        kind.into_iter().fold(case, |case, kind| case.header("content-type", kind))
    };
    let right = format!("bodySHA256={}", hash(json));
    let json_kind = Some("application/json");
    vec![
        post(
            "form with a charset",
            Some("application/x-www-form-urlencoded; charset=UTF-8"),
            "",
            b"A=1",
            "A1",
            Ok(0),
        ),
        post("form in upper case", Some("APPLICATION/X-WWW-FORM-URLENCODED"), "", b"A=1", "A1", Ok(0)),
        post(
            "form with a space before ;",
            Some("application/x-www-form-urlencoded ;charset=utf-8"),
            "",
            b"A=1",
            "A1",
            Ok(0),
        ),
        post("form without a content type", None, "", b"A=1", "A1", Ok(0)),
        post("form with a query", Some(FORM), "a=1", b"A=1", "A1", Ok(0)),
        post("JSON sent as a form", Some(FORM), "", br#"{"a":1}"#, r#"{"a":1}"#, Ok(0)),
        post("form sent as JSON", json_kind, "", b"A=1", "A1", BODY_HASH),
        post("form sent as text", Some("text/plain"), "", b"A=1", "A1", BODY_HASH),
        post("form of many parts", Some("multipart/form-data"), "", b"A=1", "A1", BODY_HASH),
        post("an empty content type is no form", Some(""), "", b"A=1", "A1", BODY_HASH),
        post(
            "a content type that begins alike",
            Some("application/x-www-form-urlencoded2"),
            "",
            b"A=1",
            "A1",
            BODY_HASH,
        ),
        post("JSON", json_kind, &right, json, "", Ok(0)),
        post("JSON with a charset", Some("application/json; charset=utf-8"), &right, json, "", Ok(0)),
        post("JSON without a content type", None, &right, json, "", Ok(0)),
        post(
            "an array without a content type",
            None,
            &format!("bodySHA256={}", hash(b"[1]")),
            b"[1]",
            "",
            Ok(0),
        ),
        post(
            "JSON after white space, no content type",
            None,
            &format!("bodySHA256={}", hash(b" {}")),
            b" {}",
            "",
            Ok(0),
        ),
        post("non-ASCII JSON", json_kind, &format!("bodySHA256={}", hash(raw)), raw, "", Ok(0)),
        post("text", Some("text/plain"), &format!("bodySHA256={}", hash(b"hi")), b"hi", "", Ok(0)),
        post("an empty JSON body", json_kind, &format!("bodySHA256={}", hash(b"")), b"", "", Ok(0)),
        post("hash in upper case", json_kind, &format!("bodySHA256={upper}"), json, "", Ok(0)),
        post("hash before others", json_kind, &format!("{right}&a=1"), json, "", Ok(0)),
        post("hash after others", json_kind, &format!("a=1&{right}"), json, "", Ok(0)),
        post("no hash", json_kind, "", json, "", BODY_HASH),
        post("no hash among others", json_kind, "a=1&b=2", json, "", BODY_HASH),
        post("hash of another body", json_kind, &format!("bodySHA256={}", hash(b"{}")), json, "", BODY_HASH),
        post("hash of re-encoded JSON", json_kind, &right, raw, "", BODY_HASH),
        post("hash empty", json_kind, "bodySHA256=", json, "", BODY_HASH),
        post("hash without =", json_kind, "bodySHA256", json, "", BODY_HASH),
        post("hash of 63 digits", json_kind, &right[..right.len() - 1], json, "", BODY_HASH),
        post("hash of 65 digits", json_kind, &format!("{right}0"), json, "", BODY_HASH),
        post("hash of 62 digits", json_kind, &right[..right.len() - 2], json, "", BODY_HASH),
        post("hash not hex", json_kind, &format!("bodySHA256={}", "z".repeat(64)), json, "", BODY_HASH),
        post(
            "hash in base64",
            json_kind,
            &format!("bodySHA256={}", BASE64.encode(&Sha256::digest(json))),
            json,
            "",
            BODY_HASH,
        ),
        post(
            "hash under another name",
            json_kind,
            &format!("bodysha256={}", hash(json)),
            json,
            "",
            BODY_HASH,
        ),
        post(
            "hash under a longer name",
            json_kind,
            &format!("xbodySHA256={}", hash(json)),
            json,
            "",
            BODY_HASH,
        ),
        post("hash twice", json_kind, &format!("{right}&{right}"), json, "", BODY_HASH),
        post(
            "hash right and wrong",
            json_kind,
            &format!("{right}&bodySHA256={}", hash(b"")),
            json,
            "",
            BODY_HASH,
        ),
        post("hash right, signature of the body as well", json_kind, &right, json, "x", MISMATCH),
        post(
            "hash right, signature wrong, non-ASCII",
            json_kind,
            &format!("bodySHA256={}", hash(raw)),
            raw,
            "x",
            NON_ASCII,
        ),
        post("form with raw non-ASCII, wrong", Some(FORM), "", "Body=é".as_bytes(), "Bodye", NON_ASCII),
        post("form with raw non-ASCII, right", Some(FORM), "", "Body=é".as_bytes(), "Bodyé", Ok(0)),
    ]
}

fn twilio_size() -> Vec<Case> {
    let pairs = |count: usize| (0..count).map(|n| format!("P{n:05}={n}")).collect::<Vec<_>>().join("&");
    let added = |count: usize| (0..count).map(|n| format!("P{n:05}{n}")).collect::<String>();
    let case = |count: usize, expected| {
        form(
            format!("{count} parameters"),
            URL,
            pairs(count).as_bytes(),
            &format!("{URL}{}", added(count)),
            expected,
        )
    };
    vec![case(100, Ok(0)), case(1_000, Ok(0)), case(1_001, MISMATCH), case(200_000, MISMATCH)]
}

fn twilio_cases() -> Vec<Case> {
    [
        twilio_known_answers(),
        twilio_form_cases(),
        twilio_urls(),
        twilio_forged_hosts(),
        twilio_malformed(),
        twilio_headers_and_secrets(),
        twilio_content(),
        twilio_size(),
    ]
    .concat()
}

#[test]
fn twilio_accepts_and_refuses_as_its_table_says() {
    let cases = twilio_cases();
    check_table(TWILIO, &cases);
    let urls = cases.iter().filter(|case| case.name.starts_with("URL") || case.name.starts_with("forged"));
    assert!(urls.count() >= 60);
}

#[test]
fn twilio_refuses_every_flipped_bit_of_a_form() {
    let body = b"Body=Gr%C3%BC%C3%9Fe+1&From=whatsapp%3A%2B919876543210&MessageSid=SM1&NumMedia=0";
    let signed = format!("{URL}BodyGrüße 1Fromwhatsapp:+919876543210MessageSidSM1NumMedia0");
    let mut case = form("flip", URL, body, &signed, Ok(0));
    // The content type proves nothing by itself: it says how to read what is proven.
    case.headers.retain(|(name, _)| name == TWILIO_HEADER);
    // The bit that tells `%c3` from `%C3` leaves the same byte.
    let is_escape = |body: &[u8], at: usize| (1..=2).any(|back| at >= back && body[at - back] == b'%');
    let flips = flip_bits(TWILIO, &case, |part, before, after| {
        let at = before.iter().zip(after).position(|(before, after)| before != after).unwrap();
        part == "body"
            && is_escape(before, at)
            && before[at].is_ascii_hexdigit()
            && before[at].eq_ignore_ascii_case(&after[at])
    });
    assert_eq!(flips, (body.len() + 28) * 8);
}

#[test]
fn twilio_refuses_every_flipped_bit_of_json_and_of_its_query() {
    let body = r#"{"MessageSid":"SM1","Body":"Grüße"}"#.as_bytes();
    let query = format!("a=1&bodySHA256={}", HEXLOWER.encode(&Sha256::digest(body)));
    let url = format!("{URL}?{query}");
    let mut case = form("flip", &url, body, &url, Ok(0));
    case.headers[0].1 = "application/json".into();
    let content_type = case.headers.remove(0);
    // The body begins with `{`, and a flip of that bit alone may turn it into a form: still refused.
    let flips = flip_bits(TWILIO, &case, |_, _, _| false);
    assert_eq!(flips, (body.len() + 28) * 8);
    case.headers.push(content_type);
    case.check(TWILIO);
    for bit in 0..query.len() * 8 {
        let mut bytes = query.clone().into_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let flipped = Case { query: bytes.iter().map(|&byte| char::from(byte)).collect(), ..case.clone() };
        assert!(flipped.outcome(TWILIO).is_err(), "query flip {bit}");
    }
}

// ---- Standard Webhooks ----

const STANDARD: Scheme = Scheme::StandardWebhooks;
const ID: &str = "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W";
const SENT_AT: i64 = 1_795_336_512;
const EVENT: &[u8] = br#"{"event_id":"evt-1"}"#;

/// The bytes 0 to 31, and others for the secrets beside it.
fn whsec(first: u8) -> String {
    format!("whsec_{}", BASE64.encode(&key(first)))
}

fn key(first: u8) -> Vec<u8> {
    (first..first + 32).collect()
}

fn standard_proof(key: &[u8], id: &str, timestamp: &str, body: &[u8]) -> String {
    format!("v1,{}", BASE64.encode(&sha256(key, &[format!("{id}.{timestamp}.").as_bytes(), body].concat())))
}

fn genuine() -> String {
    standard_proof(&key(0), ID, &SENT_AT.to_string(), EVENT)
}

fn standard(name: impl Into<String>, signature: impl Into<String>, expected: Outcome) -> Case {
    Case::new(name, EVENT, &whsec(0), expected)
        .header("webhook-id", ID)
        .header("webhook-timestamp", SENT_AT.to_string())
        .header("webhook-signature", signature)
}

fn standard_known_answers() -> Vec<Case> {
    // python3: hmac.new(bytes(range(32)), b'msg_....1795336512.{...}', hashlib.sha256)
    let ours = standard("known answer", "v1,uF7YeRD+fBu5EoYw6aGfEJ/voK01o2QSrzxtHcTcH64=", Ok(0));
    // The example of the specification's own libraries.
    let mut example =
        Case::new("known answer of the reference libraries", br#"{"test": 2432232314}"#, "", Ok(0))
            .secrets(&["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])
            .header("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek")
            .header("webhook-timestamp", "1614265330")
            .header("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    example.received_at = Timestamp::from_second(1_614_265_330).unwrap();
    vec![ours, example]
}

/// Receipt at `offset` seconds after the signed time.
fn standard_times() -> Vec<Case> {
    let offsets = [
        (0, true),
        (1, true),
        (-1, true),
        (60, true),
        (-60, true),
        (299, true),
        (-299, true),
        (300, true),
        (-300, true),
        (301, false),
        (-301, false),
        (600, false),
        (-600, false),
        (3_600, false),
        (-3_600, false),
        (86_400, false),
        (-86_400, false),
        (31_536_000, false),
    ];
    let cases = offsets.into_iter().flat_map(|(offset, fits)| {
        let at = |mut case: Case| {
            case.received_at = now() + SignedDuration::from_secs(offset);
            case
        };
        let expected = if fits { Ok(0) } else { Err(Rejection::Stale) };
        [
            at(standard(format!("received {offset} s after"), genuine(), expected)),
            // Without a proof, late or not is nobody's business.
            at(standard(format!("received {offset} s after, forged"), forged(), MISMATCH)),
        ]
    });
    cases.chain(standard_fractions()).collect()
}

fn forged() -> String {
    standard_proof(&key(99), ID, &SENT_AT.to_string(), EVENT)
}

/// Whole seconds count, as the signed time has no others.
fn standard_fractions() -> Vec<Case> {
    let cases = [
        (300_999, Ok(0)),
        (301_000, Err(Rejection::Stale)),
        (-300_000, Ok(0)),
        (-301_000, Err(Rejection::Stale)),
    ];
    let cases = cases.into_iter().map(|(millis, expected)| {
        let mut case = standard(format!("received {millis} ms after"), genuine(), expected);
        case.received_at = now() + SignedDuration::from_millis(millis);
        case
    });
    cases.collect()
}

/// Timestamps that are signed as they stand and still have no reading.
fn standard_timestamps() -> Vec<Case> {
    let texts = [
        "",
        " ",
        "0x6b02a7c0",
        "1.795336512e9",
        "1795336512.0",
        "1795336512,0",
        "+1795336512",
        "-1795336512",
        " 1795336512",
        "1795336512 ",
        "1795336512\n",
        "1_795_336_512",
        "1795336512s",
        "2026-11-22T08:35:12Z",
        "now",
        "NaN",
        "１７９５３３６５１２",
        "9999999999999",
        "99999999999999999999",
        "٣",
    ];
    let malformed = texts.into_iter().map(|text| (text, MALFORMED));
    let odd = [
        ("01795336512", Ok(0)),
        ("001795336512", Ok(0)),
        ("0", Err(Rejection::Stale)),
        ("1795336512000", MALFORMED),
        ("999999999999", Err(Rejection::Stale)),
    ];
    let cases = malformed.chain(odd).map(|(text, expected)| {
        let mut case =
            standard(format!("timestamp {text:?}"), standard_proof(&key(0), ID, text, EVENT), expected);
        case.headers[1].1 = text.to_owned();
        case
    });
    cases.collect()
}

/// The header, with a right signature in some place of it or in none.
fn standard_signatures() -> Vec<Case> {
    let right = genuine();
    let base64 = right[3..].to_owned();
    let digest = BASE64.decode(base64.as_bytes()).unwrap();
    let zeros = format!("v1,{}", BASE64.encode(&[0; 32]));
    let many = format!("{}{right}", format!("{zeros} ").repeat(200));
    let values: Vec<(&str, String, Outcome)> = vec![
        ("alone", right.clone(), Ok(0)),
        ("first of two", format!("{right} {zeros}"), Ok(0)),
        ("second of two", format!("{zeros} {right}"), Ok(0)),
        ("third of three", format!("{zeros} {zeros} {right}"), Ok(0)),
        ("twice", format!("{right} {right}"), Ok(0)),
        ("last of 201", many, Ok(0)),
        ("beside v1a", format!("v1a,{base64} {right}"), Ok(0)),
        (
            "before v1a",
            format!(
                "{right} v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="
            ),
            Ok(0),
        ),
        ("beside v2", format!("v2,anything {right}"), Ok(0)),
        ("beside an ill-formed v1", format!("v1,*** {right}"), Ok(0)),
        ("beside a short v1", format!("v1,AAAA {right}"), Ok(0)),
        ("two spaces between", format!("{zeros}  {right}"), Ok(0)),
        ("a space before", format!(" {right}"), Ok(0)),
        ("a space behind", format!("{right} "), Ok(0)),
        ("none of two", format!("{zeros} {}", forged()), MISMATCH),
        ("forged", forged(), MISMATCH),
        ("zeros", zeros.clone(), MISMATCH),
        ("empty", String::new(), MALFORMED),
        ("a space", " ".into(), MALFORMED),
        ("no version", base64.clone(), MALFORMED),
        ("version alone", "v1".into(), MALFORMED),
        ("version and comma", "v1,".into(), MALFORMED),
        ("V1", format!("V1,{base64}"), MALFORMED),
        ("v2", format!("v2,{base64}"), MALFORMED),
        ("v0", format!("v0,{base64}"), MALFORMED),
        ("v1a", format!("v1a,{base64}"), MALFORMED),
        ("v11", format!("v11,{base64}"), MALFORMED),
        ("v1=", format!("v1={base64}"), MALFORMED),
        ("v1:", format!("v1:{base64}"), MALFORMED),
        ("v1;", format!("v1;{base64}"), MALFORMED),
        ("a space after the comma", format!("v1, {base64}"), MALFORMED),
        ("t=,v1= as others write it", format!("t={SENT_AT},v1={base64}"), MALFORMED),
        ("comma-joined", format!("{right},{right}"), MALFORMED),
        ("semicolon-joined", format!("{right};{right}"), MALFORMED),
        ("tab-joined", format!("{right}\t{right}"), MALFORMED),
        ("newline behind", format!("{right}\n"), MALFORMED),
        ("quoted", format!("\"{right}\""), MALFORMED),
        ("hex", format!("v1,{}", HEXLOWER.encode(&digest)), MALFORMED),
        ("url-safe", format!("v1,{}", BASE64URL.encode(&digest)), MALFORMED),
        ("no padding", format!("v1,{}", BASE64_NOPAD.encode(&digest)), MALFORMED),
        ("padded twice", format!("v1,{base64}="), MALFORMED),
        ("31 bytes", format!("v1,{}", BASE64.encode(&digest[1..])), MALFORMED),
        ("33 bytes", format!("v1,{}", BASE64.encode(&[&digest[..], &[0]].concat())), MALFORMED),
        ("64 bytes", format!("v1,{}", BASE64.encode(&[&digest[..], &digest[..]].concat())), MALFORMED),
        ("SHA-1", format!("v1,{}", BASE64.encode(&sha1(&key(0), EVENT))), MALFORMED),
        ("trailing bits", trailing_bits(&right), MALFORMED),
        ("letters in another case", format!("v1,{}", base64.to_uppercase()), MISMATCH),
        ("non-ASCII", format!("v1,é{}", &base64[1..]), MALFORMED),
    ];
    values
        .into_iter()
        .map(|(name, value, expected)| standard(format!("signature: {name}"), value, expected))
        .collect()
}

/// The same 32 bytes with a bit set that belongs to none of them.
fn trailing_bits(right: &str) -> String {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let cut = right.len() - 2;
    let at = alphabet.iter().position(|&letter| letter == right.as_bytes()[cut]).unwrap();
    format!("{}{}=", &right[..cut], char::from(alphabet[at + 1]))
}

fn standard_headers() -> Vec<Case> {
    let names = ["webhook-id", "webhook-timestamp", "webhook-signature"];
    let mut cases = vec![];
    for (index, name) in names.into_iter().enumerate() {
        let mut missing = standard(format!("{name} missing"), genuine(), Err(Rejection::Missing));
        missing.headers.remove(index);
        let value = standard("", genuine(), Ok(0)).headers[index].1.clone();
        let mut empty = standard(format!("{name} empty"), genuine(), MALFORMED);
        empty.headers[index].1.clear();
        let twice = standard(format!("{name} twice"), genuine(), MALFORMED).header(name, &value);
        let and_empty = standard(format!("{name} and an empty one"), genuine(), MALFORMED).header(name, "");
        let mut prefixed =
            standard(format!("{name} under its older name"), genuine(), Err(Rejection::Missing));
        prefixed.headers[index].0 = name.replace("webhook", "svix");
        cases.extend([missing, empty, twice, and_empty, prefixed]);
    }
    let ids = ["msg_other", "MSG_2KWPBGLLAFXDPX2AI54PPJ85F4W", " msg_2KWPBgLlAfxdpx2AI54pPJ85f4W", "x"];
    for id in ids {
        let mut case = standard(format!("another id {id:?}"), genuine(), MISMATCH);
        case.headers[0].1 = id.to_owned();
        cases.push(case);
    }
    for id in ["1", "a.b", "evt:1", "नमस्ते", "a b", &"x".repeat(500)] {
        let proof = standard_proof(&key(0), id, &SENT_AT.to_string(), EVENT);
        let mut case = standard(format!("id {id:?}"), proof, Ok(0));
        case.headers[0].1 = id.to_owned();
        cases.push(case);
    }
    cases
}

fn standard_bodies() -> Vec<Case> {
    let bodies: [(&str, &[u8]); 8] = [
        ("empty", b""),
        ("ascii", br#"{"a":1}"#),
        ("non-ASCII", "{\"name\":\"Grüße\"}".as_bytes()),
        ("newline at the end", b"{}\n"),
        ("dots", b"1.2.3"),
        ("NUL", b"{\0}"),
        ("not UTF-8", b"\xff\xfe"),
        ("one byte", b"{"),
    ];
    let stamp = SENT_AT.to_string();
    let cases = bodies.into_iter().flat_map(|(kind, body)| {
        let of = |what: &str, signed: &[u8], expected| {
            let proof = standard_proof(&key(0), ID, &stamp, signed);
            let mut case = standard(format!("body {kind}: {what}"), proof, expected);
            case.body = body.to_vec();
            case
        };
        let shorter = body.split_last().map_or(&b"x"[..], |(_, rest)| rest);
        let bare = format!("v1,{}", BASE64.encode(&sha256(&key(0), body)));
        let mut bare = standard(format!("body {kind}: body alone signed"), bare, wrong(body));
        bare.body = body.to_vec();
        [
            of("genuine", body, Ok(0)),
            of("cut short", shorter, wrong(body)),
            of("a space more", &[body, b" "].concat(), wrong(body)),
            bare,
        ]
    });
    cases.collect()
}

fn standard_secrets() -> Vec<Case> {
    let proof = |first: u8| standard_proof(&key(first), ID, &SENT_AT.to_string(), EVENT);
    let text_key = standard_proof(whsec(0).as_bytes(), ID, &SENT_AT.to_string(), EVENT);
    let base64_key = standard_proof(&whsec(0).as_bytes()[6..], ID, &SENT_AT.to_string(), EVENT);
    let empty_key = standard_proof(b"", ID, &SENT_AT.to_string(), EVENT);
    let with = |name: &str, proof: String, secrets: &[&str], expected| {
        standard(format!("secrets: {name}"), proof, expected).secrets(secrets)
    };
    let sized = |length: usize, expected| {
        let key = vec![7; length];
        let secret = format!("whsec_{}", BASE64.encode(&key));
        let proof = standard_proof(&key, ID, &SENT_AT.to_string(), EVENT);
        with(&format!("{length} bytes"), proof, &[&secret], expected)
    };
    let (a, b, c) = (whsec(0), whsec(40), whsec(80));
    let (a, b, c) = (a.as_str(), b.as_str(), c.as_str());
    let bare = BASE64.encode(&key(0));
    let url_safe_key = vec![0xfb; 32];
    let url_safe = format!("whsec_{}", BASE64URL.encode(&url_safe_key));
    vec![
        with("first of three", proof(0), &[a, b, c], Ok(0)),
        with("second of three", proof(0), &[b, a, c], Ok(1)),
        with("third of three", proof(0), &[b, c, a], Ok(2)),
        with("none of two", proof(0), &[b, c], MISMATCH),
        with("none configured", proof(0), &[], MISMATCH),
        with("the same twice is the first", proof(0), &[a, a], Ok(0)),
        with("old one in rotation", proof(40), &[a, b], Ok(1)),
        with("old one after rotation", proof(40), &[a], MISMATCH),
        with("sender signs with both, we know the new", format!("{} {}", proof(40), proof(0)), &[a], Ok(0)),
        with("sender signs with both, we know the old", format!("{} {}", proof(40), proof(0)), &[b], Ok(0)),
        with("both sides know both", format!("{} {}", proof(40), proof(0)), &[a, b], Ok(0)),
        with("both sides know both, the other order", format!("{} {}", proof(40), proof(0)), &[b, a], Ok(0)),
        with("only the last pair fits", format!("{} {}", proof(80), proof(40)), &[a, b], Ok(1)),
        with("no pair fits", format!("{} {}", proof(80), proof(60)), &[a, b], MISMATCH),
        with("another tenant's", proof(80), &[a], MISMATCH),
        with("behind an ill-configured one", proof(0), &["nonsense", a], Ok(1)),
        with("before an ill-configured one", proof(0), &[a, "whsec_***"], Ok(0)),
        with("the text itself as key", text_key, &[a], MISMATCH),
        with("the base64 itself as key", base64_key, &[a], MISMATCH),
        with("an empty one proves nothing", empty_key.clone(), &[""], MISMATCH),
        with("a prefix alone proves nothing", empty_key, &["whsec_"], MISMATCH),
        with("without prefix", proof(0), &[&bare], MISMATCH),
        with("with another prefix", proof(0), &[&a.replace("whsec_", "whsk_")], MISMATCH),
        with(
            "url-safe base64",
            standard_proof(&url_safe_key, ID, &SENT_AT.to_string(), EVENT),
            &[&url_safe],
            MISMATCH,
        ),
        sized(16, MISMATCH),
        sized(23, MISMATCH),
        sized(24, Ok(0)),
        sized(25, Ok(0)),
        sized(63, Ok(0)),
        sized(64, Ok(0)),
        sized(65, MISMATCH),
    ]
}

fn standard_cases() -> Vec<Case> {
    [
        standard_known_answers(),
        standard_times(),
        standard_timestamps(),
        standard_signatures(),
        standard_headers(),
        standard_bodies(),
        standard_secrets(),
    ]
    .concat()
}

#[test]
fn standard_webhooks_accepts_and_refuses_as_its_table_says() {
    let cases = standard_cases();
    check_table(STANDARD, &cases);
}

#[test]
fn standard_webhooks_refuses_every_flipped_bit() {
    let case = standard("flip", genuine(), Ok(0));
    let flips = flip_bits(STANDARD, &case, |_, _, _| false);
    assert_eq!(flips, (EVENT.len() + ID.len() + 10 + 47) * 8);
}

// ---- All schemes ----

const SCHEMES: [(Scheme, &str); 3] =
    [(META, META_SECRET), (TWILIO, TOKEN), (STANDARD, "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")];

fn sent(scheme: Scheme, body: &[u8], signed: Signed, account: &Account) -> Outcome {
    let headers: Vec<(String, String)> =
        signed.headers.into_iter().map(|(name, value)| (name.to_lowercase(), value)).collect();
    let query = signed.query.unwrap_or_default();
    let inbound = Inbound { query: &query, headers: &headers, body, received_at: now(), path_token: None };
    scheme.verify(inbound, account).map(|verified| verified.secret_index())
}

#[test]
fn what_is_signed_is_accepted() {
    let bodies: [&[u8]; 6] = [
        b"",
        b"{}",
        br#"{"a":"\u00fc"}"#,
        b"Body=a+b&From=whatsapp%3A%2B91",
        "é".as_bytes(),
        b" {\"a\":1}\n",
    ];
    for (scheme, secret) in SCHEMES {
        for body in bodies {
            let account = account(Some(URL), &[secret.to_owned(), "second".to_owned()]);
            let signed = scheme.sign(body, now(), &account).unwrap();
            assert_eq!(sent(scheme, body, signed, &account), Ok(0), "{scheme:?} {body:?}");
        }
    }
}

#[test]
fn nothing_is_signed_without_a_fit_secret_or_a_url() {
    for (scheme, secret) in SCHEMES {
        let refused =
            |url, secrets: &[String]| scheme.sign(b"{}", now(), &account(url, secrets)).unwrap_err();
        assert_eq!(refused(Some(URL), &[]), Unsignable::NoSecret);
        assert_eq!(refused(Some(URL), &[String::new()]), Unsignable::Unfit("is empty"));
        if scheme == TWILIO {
            assert!(matches!(refused(None, &[secret.to_owned()]), Unsignable::Unfit(_)));
        }
    }
}

#[test]
fn the_secrets_of_this_table_are_well_configured() {
    for (scheme, secret) in SCHEMES {
        assert_eq!(check_secret(scheme, &SecretString::from(secret)), Ok(()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_request_makes_a_check_panic(
        body in proptest::collection::vec(any::<u8>(), 0..200),
        query in ".{0,60}",
        values in proptest::collection::vec(("[a-z0-9=,+/ ]{0,90}|.{0,40}", 0_usize..6), 0..6),
        url in "(https?://)?[a-z\\[\\]:@?#/.0-9]{0,30}",
        secret in ".{0,40}",
    ) {
        let names = ["x-hub-signature-256", "x-twilio-signature", "webhook-id", "webhook-timestamp", "webhook-signature", "content-type"];
        let headers: Vec<(String, String)> =
            values.into_iter().map(|(value, name)| (names[name].to_owned(), value)).collect();
        let account = account(Some(&url), &[secret]);
        for (scheme, _) in SCHEMES {
            let inbound = Inbound { query: &query, headers: &headers, body: &body, received_at: now(), path_token: None };
            prop_assert!(scheme.verify(inbound, &account).is_err());
        }
    }

    #[test]
    fn no_forged_proof_is_accepted(proof in proptest::collection::vec(any::<u8>(), 32), body in "[ -~]{0,60}") {
        let hex = format!("sha256={}", HEXLOWER.encode(&proof));
        prop_assert_eq!(meta("", body.as_bytes(), hex, MISMATCH).outcome(META), MISMATCH);
        let value = BASE64.encode(&proof[..20]);
        let case = Case::new("", format!("A={body}").as_bytes(), TOKEN, MISMATCH).url(URL).header(TWILIO_HEADER, value);
        prop_assert_eq!(case.outcome(TWILIO), MISMATCH);
        let value = format!("v1,{}", BASE64.encode(&proof));
        prop_assert_eq!(standard("", value, MISMATCH).outcome(STANDARD), MISMATCH);
    }

    #[test]
    fn what_is_signed_is_accepted_whatever_it_is(body in proptest::collection::vec(any::<u8>(), 0..300)) {
        for (scheme, secret) in SCHEMES {
            let account = account(Some(URL), &[secret.to_owned()]);
            let signed = scheme.sign(&body, now(), &account).unwrap();
            prop_assert_eq!(sent(scheme, &body, signed, &account), Ok(0));
        }
    }
}
