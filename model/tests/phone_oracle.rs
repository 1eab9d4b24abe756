//! The fixture of generated numbers, compared with Google's plans (`oracle.json`) and with a second library.
//!
//! The oracle has the same plans as our library, so every valid number, and with it every mobile, must agree:
//! region, validity and E.164 of every spelling. So must every international spelling and WhatsApp id. What is
//! left is the national spelling of numbers that are not valid: there a difference that is not in
//! `known_differences.json` fails, and so does a known one that is gone.
//!
//! `WABRIDGE_BLESS=1 cargo test -p wabridge-model --test phone_oracle` rewrites that file; read the diff before
//! you commit it. When to renew the oracle is told in `fixtures/phone/generate.py`.

use rlibphonenumber::enums::Region;
use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumber, PhoneNumberFormat};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::PathBuf;
use wabridge_model::{Country, Phone};

/// One generated number: two spellings, and what the oracle says of it.
#[derive(Deserialize)]
struct Row {
    home: String,
    national: String,
    international: String,
    e164: String,
    region: Option<String>,
    valid: bool,
    #[serde(rename = "type")]
    kind: String,
}

impl Row {
    fn is_mobile(&self) -> bool {
        matches!(self.kind.as_str(), "MOBILE" | "FIXED_LINE_OR_MOBILE")
    }

    fn home(&self) -> Country {
        Country::new(&self.home).expect("the fixture names its countries by two letters")
    }
}

/// One answer of ours that is not the oracle's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Difference {
    number: String,
    #[serde(rename = "type")]
    kind: String,
    of: String,
    ours: String,
    oracle: String,
}

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fixtures/phone").join(name)
}

fn read<T: serde::de::DeserializeOwned>(name: &str) -> Vec<T> {
    let text = std::fs::read_to_string(fixture(name)).expect("the fixture is part of the repository");
    serde_json::from_str(&text).expect("the fixture is JSON of the expected shape")
}

fn or_none<T: AsRef<str>>(text: Option<T>) -> String {
    text.map_or_else(|| "none".to_owned(), |text| text.as_ref().to_owned())
}

/// What we answer for a number: E.164, region, validity.
fn answer(phone: &Phone) -> [String; 3] {
    let region = phone.region().map(|country| country.to_string());
    [phone.e164().to_owned(), or_none(region), phone.is_valid().to_string()]
}

/// Our answers for one row against those expected, for the national, the international and the WhatsApp form.
fn differences(row: &Row, expected: &[String; 3]) -> Vec<Difference> {
    let forms = [
        ("national", Phone::parse(&row.national, row.home())),
        ("international", Phone::parse(&row.international, row.home())),
        ("whatsapp id", Phone::from_whatsapp_id(row.e164.trim_start_matches('+'))),
    ];
    let mut found = Vec::new();
    for (form, parsed) in forms {
        let ours = parsed
            .map_or_else(|_| ["refused".to_owned(), "none".to_owned(), "false".to_owned()], |p| answer(&p));
        let whatsapp = form == "whatsapp id";
        for (field, (ours, oracle)) in ["e164", "region", "valid"].iter().zip(ours.iter().zip(expected)) {
            // A WhatsApp id is kept as sent, whatever a library would make of it.
            if ours != oracle && !(whatsapp && *field == "e164") {
                let of = format!("{form} {field}");
                let (number, kind) = (row.e164.clone(), row.kind.clone());
                found.push(Difference { number, kind, of, ours: ours.clone(), oracle: oracle.clone() });
            }
        }
    }
    found
}

fn oracle(row: &Row) -> [String; 3] {
    [row.e164.clone(), or_none(row.region.as_ref()), row.valid.to_string()]
}

fn lines<'d>(differences: impl IntoIterator<Item = &'d Difference>) -> String {
    let line = |one| serde_json::to_string(one).expect("a difference is plain text");
    differences.into_iter().map(line).collect::<Vec<_>>().join(",\n")
}

/// The second library's answer for one spelling.
fn second_opinion(text: &str, home: &str) -> [String; 3] {
    let home: Region = home.parse().expect("the fixture names its countries by two letters");
    let number: PhoneNumber =
        PHONE_NUMBER_UTIL.parse(text, Some(home)).expect("the second library reads the fixture");
    let region = PHONE_NUMBER_UTIL.get_region_for_number(&number).map(|region| region.to_string());
    [number.format_as(PhoneNumberFormat::E164).into_owned(), or_none(region), number.is_valid().to_string()]
}

/// The differences that must not be, and those that may be where they are known.
fn forbidden_and_tolerated() -> (BTreeSet<Difference>, BTreeSet<Difference>) {
    let rows: Vec<Row> = read("oracle.json");
    let (mut forbidden, mut tolerated) = (BTreeSet::new(), BTreeSet::new());
    for row in &rows {
        let must_agree = row.valid || row.is_mobile();
        for found in differences(row, &oracle(row)) {
            let strict = must_agree || !found.of.starts_with("national ");
            if strict { &mut forbidden } else { &mut tolerated }.insert(found);
        }
    }
    (forbidden, tolerated)
}

#[test]
fn the_oracle_has_the_plans_of_our_library() {
    let lock = std::fs::read_to_string(fixture("../../Cargo.lock")).expect("the lock file is committed");
    let generator = std::fs::read_to_string(fixture("generate.py")).expect("the generator is committed");
    let (_, after) = lock.split_once("name = \"phonenumber\"").expect("our library is locked");
    let plans =
        after.split_once('+').and_then(|(_, rest)| rest.split_once('"')).expect("it names its plans").0;
    assert!(generator.contains(&format!("\nPLANS = \"{plans}\"\n")), "renew the oracle to {plans}");
}

#[test]
fn the_fixture_holds_what_it_is_meant_to_hold() {
    let rows: Vec<Row> = read("oracle.json");
    let regions: BTreeSet<_> = rows.iter().filter_map(|row| row.region.as_deref()).collect();
    assert_eq!(rows.len(), 3_000);
    assert!(regions.len() >= 40, "{} regions", regions.len());
    assert!(rows.iter().filter(|row| row.home == "IN").count() >= 600);
    assert!(rows.iter().filter(|row| row.is_mobile()).count() >= 1_500);
}

#[test]
fn every_valid_number_and_every_international_spelling_agrees_with_the_oracle() {
    let (forbidden, _) = forbidden_and_tolerated();
    assert!(forbidden.is_empty(), "{} differences:\n{}", forbidden.len(), lines(&forbidden));
}

#[test]
fn national_spellings_of_numbers_not_valid_differ_from_the_oracle_exactly_where_known() {
    let (_, found) = forbidden_and_tolerated();
    if std::env::var_os("WABRIDGE_BLESS").is_some_and(|wish| wish == "1") {
        let text = format!("[\n{}\n]\n", lines(&found));
        std::fs::write(fixture("known_differences.json"), text).expect("the fixture can be written");
    }
    let known: BTreeSet<Difference> = read::<Difference>("known_differences.json").into_iter().collect();
    let (new, gone) = (lines(found.difference(&known)), lines(known.difference(&found)));
    assert!(new.is_empty() && gone.is_empty(), "not known:\n{new}\nknown, but gone:\n{gone}");
}

/// Valid to either side: the second library has newer plans (9.0.42), and one range was opened since ours.
#[test]
fn every_valid_number_agrees_with_a_second_library_save_in_a_newer_range() {
    let rows: Vec<Row> = read("oracle.json");
    let mut found = BTreeSet::new();
    for row in &rows {
        let opinion = second_opinion(&row.international, &row.home);
        if row.valid || opinion[2] == "true" {
            assert_eq!(second_opinion(&row.national, &row.home), opinion, "it contradicts itself");
            found.extend(differences(row, &opinion));
        }
    }
    let newer = ["international valid", "national valid", "whatsapp id valid"].map(|of| Difference {
        number: "+8809603173256".to_owned(),
        kind: "UNKNOWN".to_owned(),
        of: of.to_owned(),
        ours: "false".to_owned(),
        oracle: "true".to_owned(),
    });
    assert_eq!(lines(&found), lines(&newer));
}
