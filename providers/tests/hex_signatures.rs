//! The signature tables of AiSensy and Interakt: what each accepts, what it refuses and by which reason.
//!
//! Proofs are computed here, from what the provider's documentation says is signed, and not by the code under
//! test; the known answers are Node's (`crypto.createHmac` over `JSON.stringify(JSON.parse(body))`, which is
//! the vendor's own sample). On top of the tables every bit of body and header is flipped once.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use data_encoding::{BASE64, HEXLOWER, HEXUPPER};
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use proptest::prelude::*;
use secrecy::SecretString;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use wabridge_model::Country;
use wabridge_providers::signature::Scheme;
use wabridge_providers::{Account, Inbound, Proof, Rejection, Secrets, Unsignable};

type Outcome = Result<u16, Rejection>;

const MALFORMED: Outcome = Err(Rejection::MalformedProof);
const MISMATCH: Outcome = Err(Rejection::Mismatch);
const MISSING: Outcome = Err(Rejection::Missing);

const SECRET: &str = "fixture-hex-secret";
const OLD: &str = "fixture-hex-old";

/// One of the two vendors, as its documentation has it.
#[derive(Debug, Clone, Copy)]
struct Vendor {
    scheme: Scheme,
    header: &'static str,
    /// What it writes before the digits.
    prefix: &'static str,
    /// Whether it may sign what `JSON.stringify` makes of the body.
    stringifies: bool,
}

const AISENSY: Vendor = Vendor {
    scheme: Scheme::AiSensyHmacSha256,
    header: "x-aisensy-signature",
    prefix: "",
    stringifies: true,
};

const INTERAKT: Vendor = Vendor {
    scheme: Scheme::InteraktHmacSha256,
    header: "interakt-signature",
    prefix: "sha256=",
    stringifies: false,
};

/// One line of a table.
#[derive(Clone)]
struct Case {
    name: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    secrets: Vec<&'static str>,
    expected: Outcome,
}

impl Case {
    fn new(name: impl Into<String>, body: &[u8], expected: Outcome) -> Case {
        let body = body.to_vec();
        Case { name: name.into(), headers: vec![], body, secrets: vec![SECRET], expected }
    }

    fn header(mut self, name: &str, value: impl Into<String>) -> Case {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    fn secrets(mut self, secrets: &[&'static str]) -> Case {
        self.secrets = secrets.to_vec();
        self
    }

    fn outcome(&self, scheme: Scheme) -> Outcome {
        let inbound = Inbound {
            query: "",
            headers: &self.headers,
            body: &self.body,
            received_at: Timestamp::UNIX_EPOCH,
            path_token: None,
        };
        scheme.verify(inbound, &account(&self.secrets)).map(|verified| {
            assert_eq!(verified.proof(), Proof::Signed);
            assert_eq!(verified.body(), self.body);
            verified.secret_index()
        })
    }
}

impl Vendor {
    fn case(self, name: impl Into<String>, body: &[u8], proof: impl Into<String>, expected: Outcome) -> Case {
        Case::new(name, body, expected).header(self.header, proof)
    }

    fn proof(self, secret: &str, signed: &[u8]) -> String {
        format!("{}{}", self.prefix, HEXLOWER.encode(&hmac(secret, signed)))
    }

    fn check(self, cases: &[Case]) {
        let names: BTreeSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
        assert_eq!(names.len(), cases.len(), "two cases have one name");
        assert!(cases.len() >= 150, "{self:?} has {} cases", cases.len());
        for case in cases {
            assert_eq!(case.outcome(self.scheme), case.expected, "{self:?}: {}", case.name);
        }
    }

    /// Flips each bit of body and proof, one at a time, and counts the flips. A body is as good as before
    /// only where the vendor signs its meaning and the meaning is the same.
    fn flip_bits(self, case: &Case, signs_meaning: bool) -> usize {
        assert_eq!(case.outcome(self.scheme), Ok(0), "{}", case.name);
        let meaning = |body: &[u8]| serde_json::from_slice::<Value>(body).ok();
        let mut flips = 0;
        for bit in 0..case.body.len() * 8 {
            let mut flipped = case.clone();
            flipped.body[bit / 8] ^= 1 << (bit % 8);
            let same = signs_meaning && meaning(&flipped.body) == meaning(&case.body);
            assert_eq!(flipped.outcome(self.scheme).is_ok(), same, "{}: body bit {bit}", case.name);
            flips += 1;
        }
        let proof = case.headers[0].1.as_bytes();
        for bit in 0..proof.len() * 8 {
            let mut bytes = proof.to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            // The bit that tells `a` from `A` leaves the same digit.
            let prefix = self.prefix.len();
            let same =
                bytes[..prefix] == proof[..prefix] && bytes[prefix..].eq_ignore_ascii_case(&proof[prefix..]);
            let mut flipped = case.clone();
            flipped.headers[0].1 = bytes.iter().map(|&byte| char::from(byte)).collect();
            assert_eq!(flipped.outcome(self.scheme).is_ok(), same, "{}: proof bit {bit}", case.name);
            flips += 1;
        }
        flips
    }
}

fn account(secrets: &[&str]) -> Account {
    Account {
        channel: "main".into(),
        portfolio: "default".into(),
        business_numbers: Default::default(),
        business_number: None,
        sample_ids: vec![],
        default_country: Country::INDIA,
        public_url: None,
        secrets: Secrets {
            signing: secrets.iter().map(|&secret| SecretString::from(secret)).collect(),
            ..Secrets::default()
        },
    }
}

fn hmac(secret: &str, signed: &[u8]) -> Vec<u8> {
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.chain_update(signed).finalize().into_bytes().to_vec()
}

/// Why a proof that is well formed and wrong is refused.
fn wrong(body: &[u8]) -> Outcome {
    if body.is_ascii() { MISMATCH } else { Err(Rejection::MismatchNonAscii) }
}

fn bodies() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("compact", br#"{"topic":"message.created","data":{"message":{"id":"1"}}}"#.to_vec()),
        ("spaced", br#"{ "topic" : "message.created", "data": { "n": [ 1, 2.50 ] } }"#.to_vec()),
        ("escaped", br#"{"text":"\u0928\u092e \ud83d\ude00","url":"https:\/\/a.in"}"#.to_vec()),
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
fn cases_of(vendor: Vendor, kind: &str, body: &[u8]) -> Vec<Case> {
    let name = |what: &str| format!("{kind}: {what}");
    let genuine = vendor.proof(SECRET, body);
    let digest = hmac(SECRET, body);
    let old = vendor.proof(OLD, body);
    let shorter = body.split_last().map_or(&b"x"[..], |(_, rest)| rest);
    let longer = [body, b"x"].concat();
    let doubled = [body, body, b"x"].concat();
    let plain_hash = format!("{}{}", vendor.prefix, HEXLOWER.encode(&Sha256::digest(body)));
    vec![
        vendor.case(name("genuine"), body, &genuine, Ok(0)),
        vendor.case(name("without prefix"), body, HEXLOWER.encode(&digest), Ok(0)),
        vendor.case(name("with prefix"), body, format!("sha256={}", HEXLOWER.encode(&digest)), Ok(0)),
        vendor.case(name("upper case"), body, HEXUPPER.encode(&digest), Ok(0)),
        vendor.case(
            name("upper case with prefix"),
            body,
            format!("sha256={}", HEXUPPER.encode(&digest)),
            Ok(0),
        ),
        Case::new(name("missing"), body, MISSING),
        vendor.case(name("another tenant's"), body, vendor.proof("fixture-other-tenant", body), wrong(body)),
        vendor.case(name("of the body cut short"), body, vendor.proof(SECRET, shorter), short(vendor, body)),
        vendor.case(name("of the body and more"), body, vendor.proof(SECRET, &longer), wrong(body)),
        vendor.case(name("of the body twice"), body, vendor.proof(SECRET, &doubled), wrong(body)),
        vendor.case(name("old secret in rotation"), body, &old, Ok(1)).secrets(&[SECRET, OLD]),
        vendor.case(name("old secret after rotation"), body, &old, wrong(body)),
        vendor.case(name("plain hash without secret"), body, plain_hash, wrong(body)),
        vendor.case(name("twice"), body, &genuine, MALFORMED).header(vendor.header, &genuine),
    ]
}

/// A newline at the end means nothing to who signs what `JSON.stringify` makes of the body.
fn short(vendor: Vendor, body: &[u8]) -> Outcome {
    if vendor.stringifies && body.ends_with(b"\n") { Ok(0) } else { wrong(body) }
}

fn malformed(vendor: Vendor) -> Vec<Case> {
    let body = br#"{"data":{}}"#;
    let digest = hmac(SECRET, body);
    let hex = HEXLOWER.encode(&digest);
    let values = [
        ("empty", String::new()),
        ("a space", " ".into()),
        ("prefix alone", "sha256=".into()),
        ("prefix twice", format!("sha256=sha256={hex}")),
        ("sha1=", format!("sha1={hex}")),
        ("SHA256=", format!("SHA256={hex}")),
        ("sha256:", format!("sha256:{hex}")),
        ("sha256==", format!("sha256=={hex}")),
        ("space before", format!(" {hex}")),
        ("space behind", format!("{hex} ")),
        ("space after =", format!("sha256= {hex}")),
        ("newline behind", format!("{hex}\n")),
        ("NUL behind", format!("{hex}\0")),
        ("quoted", format!("\"{hex}\"")),
        ("63 digits", hex[1..].to_owned()),
        ("62 digits", hex[2..].to_owned()),
        ("65 digits", format!("{hex}0")),
        ("128 digits", format!("{hex}{hex}")),
        ("0x", format!("0x{}", &hex[2..])),
        ("g among the digits", format!("g{}", &hex[1..])),
        ("full-width digit", format!("１{}", &hex[3..])),
        ("64 non-hex", "z".repeat(64)),
        ("base64", BASE64.encode(&digest)),
        ("comma-joined", format!("{hex},{hex}")),
        ("comma-joined wrong and right", format!("{},{hex}", "0".repeat(64))),
        ("semicolon behind", format!("{hex};")),
        ("a scheme's parameters", format!("t=1795336200,v1={hex}")),
    ];
    values
        .into_iter()
        .map(|(name, value)| vendor.case(format!("malformed: {name}"), body, value, MALFORMED))
        .collect()
}

fn headers_and_secrets(vendor: Vendor) -> Vec<Case> {
    let body = br#"{"data":{}}"#;
    let genuine = vendor.proof(SECRET, body);
    let zeros = "0".repeat(64);
    let empty_key = vendor.proof("", body);
    let case = |name: &str, expected| vendor.case(format!("secrets: {name}"), body, &genuine, expected);
    vec![
        vendor.case("two headers, the first right", body, &genuine, MALFORMED).header(vendor.header, &zeros),
        vendor.case("two headers, the second right", body, &zeros, MALFORMED).header(vendor.header, &genuine),
        vendor.case("two headers, the second empty", body, &genuine, MALFORMED).header(vendor.header, ""),
        Case::new("in a header of another name", body, MISSING).header("x-signature", &genuine),
        vendor.case("all zeros", body, &zeros, MISMATCH),
        vendor.case("all ones", body, "f".repeat(64), MISMATCH),
        case("first of three", Ok(0)).secrets(&[SECRET, "b", "c"]),
        case("third of three", Ok(2)).secrets(&["a", "b", SECRET]),
        case("none of three", MISMATCH).secrets(&["a", "b", "c"]),
        case("the same twice is the first", Ok(0)).secrets(&[SECRET, SECRET]),
        case("none configured", MISMATCH).secrets(&[]),
        case("in another case", MISMATCH).secrets(&["FIXTURE-HEX-SECRET"]),
        case("with a newline", MISMATCH).secrets(&["fixture-hex-secret\n"]),
        case("behind an empty one", Ok(1)).secrets(&["", SECRET]),
        vendor.case("an empty secret proves nothing", body, &empty_key, MISMATCH).secrets(&[""]),
    ]
}

fn table(vendor: Vendor) -> Vec<Case> {
    let mut cases: Vec<Case> =
        bodies().iter().flat_map(|(kind, body)| cases_of(vendor, kind, body)).collect();
    cases.extend(malformed(vendor));
    cases.extend(headers_and_secrets(vendor));
    cases
}

/// What AiSensy signed, and how it may come to us.
fn re_encoded(vendor: Vendor) -> Vec<Case> {
    let signed = r#"{"topic":"t","data":{"price":0.5,"n":7,"text":"Grüße 😀 https://a.in"}}"#;
    let good = if vendor.stringifies { Ok(0) } else { Err(Rejection::MismatchNonAscii) };
    let escaped = if vendor.stringifies { Ok(0) } else { MISMATCH };
    let bad = Err(Rejection::MismatchNonAscii);
    let text = r#""text":"Grüße 😀 https://a.in""#;
    let bodies: Vec<(&str, String, Outcome)> = vec![
        ("as signed", signed.to_owned(), Ok(0)),
        ("a newline behind", format!("{signed}\n"), good),
        ("spaces between", signed.replace(":", ": ").replace("https: ", "https:"), good),
        ("indented", signed.replace('{', "{\n  ").replace(',', " ,\r\n\t"), good),
        ("a longer number", signed.replace("0.5", "0.50").replace(":7", ":7.0"), good),
        ("slashes escaped", signed.replace('/', "\\/"), good),
        (
            "ASCII only",
            signed.replace(text, r#""text":"Gr\u00fc\u00DFe \ud83d\ude00 https:\/\/a.in""#),
            escaped,
        ),
        ("a space within the text", signed.replace("Grüße ", "Grüße  "), bad),
        ("a space less in the text", signed.replace("Grüße ", "Grüße"), bad),
        ("another number", signed.replace("0.5", "0.51"), bad),
        ("a number as a text", signed.replace(":7", ":\"7\""), bad),
        ("a key more", signed.replace("\"n\"", "\"m\":1,\"n\""), bad),
        ("keys in another order", signed.replace(r#""price":0.5,"n":7"#, r#""n":7,"price":0.5"#), bad),
        ("a byte-order mark before", format!("\u{feff}{signed}"), bad),
        ("two bodies", format!("{signed}{signed}"), bad),
    ];
    let proof = vendor.proof(SECRET, signed.as_bytes());
    bodies
        .into_iter()
        .map(|(name, body, expected)| {
            vendor.case(format!("re-encoded: {name}"), body.as_bytes(), &proof, expected)
        })
        .collect()
}

#[test]
fn aisensy_accepts_and_refuses_as_its_table_says() {
    let mut cases = table(AISENSY);
    cases.extend(re_encoded(AISENSY));
    // node: hmac of the body, and of JSON.stringify(JSON.parse(body)).
    let spaced = b"{\n  \"topic\": \"message.sender.user\",\n  \"data\": { \"price\": 0.50, \"text\": \"Gr\\u00fc\\u00dfe \\ud83d\\ude00 https:\\/\\/a.in\" }\n}\n";
    let answers: [(&[u8], &str); 2] = [
        (
            br#"{"topic":"message.sender.user","data":{}}"#,
            "8a8a0a68e73f2286d6ea550f78e6c17d44a9dae014c7349d6d8d80a63a7cf18f",
        ),
        (spaced, "b97158255a28ff8e807cc63b8d1e08ce9495ebe638dd77c79c001787ed0ec277"),
    ];
    for (n, (body, proof)) in answers.into_iter().enumerate() {
        cases.push(
            AISENSY
                .case(format!("known answer {n}"), body, proof, Ok(0))
                .secrets(&["fixture-aisensy-secret"]),
        );
    }
    AISENSY.check(&cases);
}

#[test]
fn interakt_accepts_and_refuses_as_its_table_says() {
    let mut cases = table(INTERAKT);
    cases.extend(re_encoded(INTERAKT));
    let body = r#"{"type":"message_received","data":{"note":"Grüße"}}"#.as_bytes();
    let answer = "sha256=9119b19ea04ad2c1cc0fd496c5993264d826c296b84adda12188dbe0f334ae8e";
    cases.push(INTERAKT.case("known answer", body, answer, Ok(0)).secrets(&["fixture-interakt-secret"]));
    let (genuine, zeros) = (INTERAKT.proof(SECRET, body), "0".repeat(64));
    for other in ["x-interakt-signature", "x-hub-signature-256"] {
        let alone = |name: &str, expected| Case::new(format!("{other}: {name}"), body, expected);
        cases.push(alone("alone", Ok(0)).header(other, &genuine));
        cases.push(alone("alone and wrong", wrong(body)).header(other, &zeros));
        cases.push(alone("twice", MALFORMED).header(other, &genuine).header(other, &genuine));
        cases.push(
            alone("does not replace a wrong one", wrong(body))
                .header(INTERAKT.header, &zeros)
                .header(other, &genuine),
        );
        cases
            .push(alone("beside a right one", Ok(0)).header(other, &zeros).header(INTERAKT.header, &genuine));
    }
    INTERAKT.check(&cases);
}

#[test]
fn every_flipped_bit_is_refused_that_changes_anything() {
    let compact = r#"{"topic":"t","data":{"n":[1,20],"text":"Grüße \"x\""}}"#;
    let spaced = br#"{ "topic": "t", "data": { "n": [ 1, 20 ], "text": "Gr\u00fc\u00dfe" } }"#;
    let stringified = r#"{"topic":"t","data":{"n":[1,20],"text":"Grüße"}}"#;
    for vendor in [AISENSY, INTERAKT] {
        let proof = vendor.proof(SECRET, compact.as_bytes());
        let case = vendor.case("raw", compact.as_bytes(), &proof, Ok(0));
        assert_eq!(vendor.flip_bits(&case, false), (compact.len() + proof.len()) * 8);
    }
    let proof = AISENSY.proof(SECRET, stringified.as_bytes());
    let case = AISENSY.case("stringified", spaced, &proof, Ok(0));
    assert_eq!(AISENSY.flip_bits(&case, true), (spaced.len() + proof.len()) * 8);
}

#[test]
fn what_is_signed_here_is_in_the_vendors_form() {
    for vendor in [AISENSY, INTERAKT] {
        let body = br#"{ "data": {} }"#;
        let signed = vendor.scheme.sign(body, Timestamp::UNIX_EPOCH, &account(&[SECRET, OLD])).unwrap();
        let header = |name: &str| {
            signed
                .headers
                .iter()
                .find(|(key, _)| key.eq_ignore_ascii_case(name))
                .map(|(_, value)| value.clone())
        };
        assert_eq!(header(vendor.header), Some(vendor.proof(SECRET, body)));
        assert_eq!(header("content-type").as_deref(), Some("application/json"));
        let without = vendor.scheme.sign(body, Timestamp::UNIX_EPOCH, &account(&[]));
        assert_eq!(without.unwrap_err(), Unsignable::NoSecret);
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(".{0,6}", inner, 0..5)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_spacing_of_what_aisensy_signed_is_accepted_and_no_other_value(value in any_json(), other in any_json()) {
        let proof = AISENSY.proof(SECRET, value.to_string().as_bytes());
        let spaced = AISENSY.case("spaced", format!("\n {value:#} \t").as_bytes(), &proof, Ok(0));
        prop_assert_eq!(spaced.outcome(AISENSY.scheme), Ok(0));
        prop_assume!(value != other);
        let changed = AISENSY.case("changed", other.to_string().as_bytes(), &proof, MISMATCH);
        prop_assert!(changed.outcome(AISENSY.scheme).is_err());
    }

    #[test]
    fn no_body_makes_the_check_panic_and_what_is_signed_raw_is_accepted(body in prop::collection::vec(any::<u8>(), 0..200)) {
        for vendor in [AISENSY, INTERAKT] {
            let case = vendor.case("raw", &body, vendor.proof(SECRET, &body), Ok(0));
            prop_assert_eq!(case.outcome(vendor.scheme), Ok(0));
        }
    }
}
