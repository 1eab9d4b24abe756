//! The counts of attribution: what is kept as events come in is what one fold over everything adds up to, in
//! every order of arrival; rows and totals agree; and people get them as JSON, CSV and a spreadsheet.

use crate::command::Place;
use crate::projection::histories::{history, shuffle};
use crate::projection::{open, project};
use crate::support::client::{Client, META, Signer, meta_body, text};
use crate::support::desk::{self, Desk, Told};
use crate::support::process::{Process, until, until_projected};
use jiff::tz::TimeZone;
use proptest::prelude::*;
use rusqlite::Connection;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tempfile::TempDir;
use wabridge::leads::rollup::{Contributions, Model, contributions};
use wabridge::store::sqlite::{SqliteStore, rebuild};
use wabridge::store::{By, DateOf, Question, Rolled, Rollups};
use wabridge_model::chatbot::Utm;
use wabridge_model::cluster::Cluster;
use wabridge_model::event::{Echo, Fact, Link, Message, Referral, ReferralReport};
use wabridge_model::evidence::{Evidence, Report};

const BYS: [By; 5] = [By::Ad, By::Campaign, By::Day, By::Provider, By::State];

fn kolkata() -> TimeZone {
    TimeZone::get("Asia/Kolkata").unwrap()
}

fn question(by: By, model: Model) -> Question {
    Question { by, model, date: DateOf::Touch, since: None, until: None }
}

/// The rows as they are kept, a line each.
fn kept(path: &Path) -> BTreeSet<String> {
    let connection = Connection::open(path).unwrap();
    let mut statement = connection.prepare("SELECT * FROM rollups").unwrap();
    let columns = statement.column_count();
    let row = |row: &rusqlite::Row<'_>| {
        let texts = (0..columns).map(|n| match row.get_ref(n).unwrap() {
            rusqlite::types::ValueRef::Integer(number) => number.to_string(),
            other => other.as_str().unwrap().to_owned(),
        });
        Ok(texts.collect::<Vec<_>>().join("|"))
    };
    statement.query_map([], row).unwrap().map(Result::unwrap).collect()
}

/// The same lines from one fold over everything, which knows nothing of sums and changes.
fn reference(reports: &[Report], zone: &TimeZone) -> BTreeSet<String> {
    let mut evidence: Vec<Evidence> = Vec::new();
    for report in reports {
        match evidence.iter_mut().find(|known| *known.key() == report.event.key) {
            Some(known) => drop(known.join(report.clone())),
            None => evidence.push(Evidence::from(report.clone())),
        }
    }
    lines(&contributions(&Cluster::fold(&mut evidence).cluster, zone))
}

fn lines(contributions: &Contributions) -> BTreeSet<String> {
    let line = |(key, counts): (&wabridge::leads::rollup::Key, &wabridge::leads::rollup::Counts)| {
        let model = key.model.map_or("", Model::as_str);
        let counts = counts.as_array().map(|count| count.to_string()).join("|");
        let (day, ad, number, provider) = (key.day, &key.ad_id, &key.business_number, &key.provider);
        format!("{model}|{day}|{ad}|{number}|{provider}|{}|{}|{counts}", key.state, key.cause)
    };
    contributions.iter().map(line).collect()
}

fn sums(rows: &[Rolled]) -> [i64; 7] {
    let mut sums = [0; 7];
    for row in rows {
        let counts = [
            row.conversations,
            row.leads,
            row.click_id_present,
            row.answered_5m,
            row.answered_unknown,
            row.free_entry_opened,
            row.qualified,
        ];
        sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
    }
    sums
}

/// What must hold of the answers, whatever happened: however the rows are cut, they are the same people.
fn assert_answers_agree(store: &SqliteStore, leads: usize) {
    let ask = |question: Question| store.attribution(&question, &kolkata()).unwrap();
    for model in Model::ALL {
        let whole = sums(&ask(question(By::State, model)));
        if model != Model::Each {
            assert_eq!(whole[..2], [leads as i64; 2], "{model:?}");
        }
        for by in BYS {
            let rows = ask(question(by, model));
            assert_eq!(sums(&rows), whole, "{by:?} {model:?}");
            let groups: BTreeSet<_> = rows
                .iter()
                .map(|row| (&row.date_local, &row.ad_id, &row.provider, &row.state, &row.cause))
                .collect();
            assert_eq!(groups.len(), rows.len(), "a group is one row: {by:?} {model:?}");
            // By the day of the outcome the same are qualified, on other days.
            let outcomes = ask(Question { date: DateOf::Outcome, ..question(by, model) });
            assert_eq!(sums(&outcomes), whole, "{by:?} {model:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 30, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_counts_are_those_of_one_fold_over_everything_in_every_order_of_arrival(
        reports in history(),
        seed in any::<u64>(),
    ) {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("store.db");
        let store = open(&path);
        let mut arrival = [reports.clone(), reports.clone()].concat();
        shuffle(&mut arrival, seed);
        project(&store, &arrival);
        let expected = reference(&reports, &kolkata());
        prop_assert_eq!(kept(&path), expected.clone());
        prop_assert_eq!(rebuild::verify(&path).unwrap().miscounted, 0);
        let leads = crate::projection::people(&store);
        assert_answers_agree(&store, leads.iter().filter(|lead| lead.contains("\"birth\"")).count());

        // Other days: all is counted anew, and nothing is answered before it is.
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        store.count_days_in(&berlin).unwrap();
        prop_assert!(store.attribution(&question(By::Ad, Model::First), &berlin).is_err());
        while !store.count_on().unwrap() {}
        prop_assert_eq!(kept(&path), reference(&reports, &berlin));
        prop_assert!(store.attribution(&question(By::Ad, Model::First), &kolkata()).is_err());
        prop_assert!(store.attribution(&question(By::Ad, Model::First), &berlin).is_ok());
    }

    #[test]
    fn what_comes_in_while_all_is_counted_anew_is_counted_once(
        reports in history(),
        cut in any::<prop::sample::Index>(),
        through in 0..20i64,
    ) {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("store.db");
        let store = open(&path);
        let (early, late) = reports.split_at(cut.index(reports.len()));
        project(&store, early);
        // As a slice leaves it that came as far as this cluster.
        let connection = Connection::open(&path).unwrap();
        let mut counted = Contributions::new();
        for id in wabridge::store::Leads::cluster_ids(&store, 0, 1000).unwrap() {
            let (cluster, _) = wabridge::store::Leads::cluster(&store, id).unwrap().unwrap();
            if id > through {
                for (key, counts) in contributions(&cluster, &kolkata()) {
                    counted.entry(key).or_default().add(&counts, 1);
                }
            }
        }
        take_off(&connection, &counted);
        connection.execute("UPDATE rollup_state SET through = ?", [through]).unwrap();
        project(&store, late);
        while !store.count_on().unwrap() {}
        prop_assert_eq!(kept(&path), reference(&reports, &kolkata()));
    }
}

/// Takes counts out of the kept rows, by hand.
fn take_off(connection: &Connection, counted: &Contributions) {
    const TAKE: &str = "UPDATE rollups SET conversations = conversations - ?1, leads = leads - ?2,
        click_id_present = click_id_present - ?3, answered_5m = answered_5m - ?4,
        answered_unknown = answered_unknown - ?5, free_entry_opened = free_entry_opened - ?6,
        qualified = qualified - ?7, qualified_then = qualified_then - ?8
        WHERE model = ?9 AND day = ?10 AND ad_id = ?11 AND business_number = ?12 AND provider = ?13
          AND state = ?14 AND cause = ?15";
    for (key, counts) in counted {
        let [a, b, c, d, e, f, g, h] = counts.as_array();
        let (model, day) = (key.model.map_or("", Model::as_str), key.day.to_string());
        let values = rusqlite::params![
            a,
            b,
            c,
            d,
            e,
            f,
            g,
            h,
            model,
            day,
            key.ad_id,
            key.business_number,
            key.provider,
            key.state,
            key.cause
        ];
        assert_eq!(connection.execute(TAKE, values).unwrap(), 1);
    }
    connection.execute("DELETE FROM rollups WHERE conversations = 0 AND qualified_then = 0", []).unwrap();
}

const HOUR: i64 = 3600;
const AD: &str = "120210000000000001";
const OTHER_AD: &str = "120210000000000002";

fn wrote(id: &str, at: i64, referral: ReferralReport) -> Told {
    Told::new(id, at, Fact::Message(Message { referral, ..Message::new(id, "text".into()) }))
}

/// A message from an ad whose click is known, or not.
fn came_by(id: &str, at: i64, ad: &str, click: Option<&str>, click_id_stripped: bool) -> Told {
    let referral = Referral {
        source_id: Some(ad.into()),
        source_type: Some("ad".into()),
        source_url: Some("https://fb.me/ad".into()),
        ctwa_clid: click.map(str::to_owned),
        click_id_stripped,
        ..Referral::default()
    };
    wrote(id, at, ReferralReport::Present(Box::new(referral)))
}

fn posted(id: &str, at: i64) -> Told {
    let referral =
        Referral { source_id: Some("777".into()), source_type: Some("post".into()), ..Referral::default() };
    wrote(id, at, ReferralReport::Present(Box::new(referral)))
}

fn with_code(id: &str, at: i64) -> Told {
    let utm = Utm { source: Some("instagram".into()), ..Utm::default() };
    let link = Some(Box::new(Link { code: "IGBIO".into(), utm }));
    Told::new(id, at, Fact::Message(Message { link, ..Message::new(id, "text".into()) }))
}

fn answered(id: &str, at: i64) -> Told {
    Told::new(id, at, Fact::Echo(Echo { id: id.into(), kind: "text".into(), text: None, history: false }))
}

fn person(n: u8) -> String {
    format!("9198765432{n:02}")
}

/// A week of a business: nine leads, of whom one came back by another ad the day after.
fn story() -> Vec<Told> {
    let qualified = json!({"event_id": "q", "event_type": "lead.qualified", "bot_id": "bot"});
    vec![
        came_by("m1", -HOUR, AD, Some("click1"), false).by(&person(1)),
        answered("e1", -HOUR + 300).by(&person(1)),
        came_by("m2", 7 * HOUR, OTHER_AD, None, false).by(&person(1)),
        answered("e2", 7 * HOUR + 301).by(&person(1)),
        Told::chatbot(qualified, 60 * HOUR).by(&person(1)),
        came_by("m3", -2 * HOUR, AD, None, true).by(&person(2)),
        posted("m4", -2 * HOUR).by(&person(3)),
        with_code("m5", -2 * HOUR).by(&person(4)),
        wrote("m6", -2 * HOUR, ReferralReport::Malformed).by(&person(5)),
        wrote("m7", -2 * HOUR, ReferralReport::Absent).by(&person(6)),
        wrote("m8", -2 * HOUR, ReferralReport::Unreported).by(&person(7)),
        wrote("m9", -2 * HOUR, ReferralReport::UnreportedByVersion).by(&person(8)),
        wrote("m10", 8 * HOUR, ReferralReport::Unreported).by(&person(9)),
        answered("e3", -2 * HOUR).by(&person(10)),
    ]
}

/// Rows as [group, state, cause, conversations, leads, click, answered, unknown, free entry, qualified].
fn told(answer: &Value) -> Vec<Value> {
    let group = |row: &Value| {
        let groups = ["date_local", "ad_id", "provider"].map(|name| row[name].clone());
        groups.into_iter().find(|value| !value.is_null()).unwrap_or_default()
    };
    let row = |row: &Value| {
        json!([
            group(row),
            row["state"],
            row["cause"],
            row["conversations"],
            row["leads"],
            row["click_id_present"],
            row["answered_5m"],
            row["answered_unknown"],
            row["free_entry_opened"],
            row["qualified"],
        ])
    };
    answer["items"].as_array().unwrap().iter().map(row).collect()
}

const NOTHING: Value = Value::Null;

fn unattributed() -> Vec<Value> {
    vec![
        json!([NOTHING, "not_reported", "provider_reports_nothing", 2, 2, 0, 0, 2, 0, 0]),
        json!([NOTHING, "none", NOTHING, 1, 1, 0, 0, 1, 0, 0]),
        json!([NOTHING, "not_reported", "provider_version", 1, 1, 0, 0, 1, 0, 0]),
        json!([NOTHING, "not_reported", "referral_malformed", 1, 1, 0, 0, 0, 0, 0]),
    ]
}

#[actix_web::test]
async fn the_audit_says_what_each_ad_brought_and_what_is_not_known_of_the_rest() {
    let desk = Desk::open().await;
    desk.tell(story()).await;
    let organic = [
        json!([NOTHING, "code_in_text", NOTHING, 1, 1, 0, 0, 0, 0, 0]),
        json!([NOTHING, "organic_post", NOTHING, 1, 1, 0, 0, 0, 0, 0]),
    ];
    let by_ad = |ads: &[Value]| [ads, &organic, &unattributed()].concat();
    let first = desk.json("/v1/attribution?model=first").await;
    assert_eq!(told(&first), by_ad(&[json!([AD, NOTHING, NOTHING, 2, 2, 1, 1, 0, 1, 1])]));
    let last = desk.json("/v1/attribution").await;
    let ads = [
        json!([AD, NOTHING, NOTHING, 1, 1, 0, 0, 0, 0, 0]),
        json!([OTHER_AD, NOTHING, NOTHING, 1, 1, 0, 0, 0, 1, 1]),
    ];
    assert_eq!(told(&last), by_ad(&ads), "the last touch is the default, and 301 s are no five minutes");
    let each = desk.json("/v1/attribution?model=each&by=ad").await;
    let ads = [
        json!([AD, NOTHING, NOTHING, 2, 2, 1, 1, 0, 1, 1]),
        json!([OTHER_AD, NOTHING, NOTHING, 1, 1, 0, 0, 0, 1, 1]),
    ];
    assert_eq!(told(&each), by_ad(&ads));
    for (answer, conversations) in [(&first, 9), (&last, 9), (&each, 10)] {
        assert_eq!(answer["total"]["conversations"], conversations);
    }
    assert_eq!(
        told(&desk.json("/v1/attribution?by=day").await),
        [
            vec![
                json!(["2026-11-22", NOTHING, NOTHING, 3, 3, 0, 0, 0, 0, 0]),
                json!(["2026-11-23", NOTHING, NOTHING, 1, 1, 0, 0, 0, 1, 1]),
            ],
            unattributed(),
        ]
        .concat()
    );
    let outcomes = desk.json("/v1/attribution?by=day&date=outcome").await;
    assert_eq!(
        told(&outcomes)[1..3],
        [
            json!(["2026-11-23", NOTHING, NOTHING, 1, 1, 0, 0, 0, 1, 0]),
            json!(["2026-11-25", NOTHING, NOTHING, 0, 0, 0, 0, 0, 0, 1]),
        ]
    );
    assert_eq!(
        told(&desk.json("/v1/attribution?by=provider").await)[0],
        json!(["meta", NOTHING, NOTHING, 4, 4, 0, 0, 0, 1, 1])
    );
    assert_eq!(
        told(&desk.json("/v1/attribution?by=campaign").await)[0],
        json!([NOTHING, NOTHING, NOTHING, 4, 4, 0, 0, 0, 1, 1]),
        "campaigns cannot be told apart yet"
    );
    let states = desk.json("/v1/attribution?by=state").await;
    let states: Vec<(Value, Value)> =
        told(&states).iter().map(|row| (row[1].clone(), row[2].clone())).collect();
    let known = [
        ("ad_without_click_id", json!("provider_strips_click_id")),
        ("ad_without_click_id", json!("status_placement")),
        ("code_in_text", NOTHING),
        ("organic_post", NOTHING),
    ];
    assert_eq!(states[..4], known.map(|(state, cause)| (json!(state), cause)));
}

#[actix_web::test]
async fn an_answer_covers_whole_days_of_the_region_and_has_the_columns_of_the_contract() {
    let desk = Desk::open().await;
    desk.tell(story()).await;
    let day = "/v1/attribution?by=day&model=each&since=2026-11-22&until=2026-11-23";
    let answer = desk.json(day).await;
    assert_eq!((&answer["since"], &answer["until"]), (&json!("2026-11-22"), &json!("2026-11-23")));
    assert_eq!(answer["total"]["conversations"], 8);
    // Instants within a day are rounded to take all of it in: 00:30 and 01:00 of the 23rd are in Kolkata.
    let path = "/v1/attribution?model=each&since=2026-11-22T19:00:00Z&until=2026-11-22T19:30:00Z";
    let answer = desk.json(path).await;
    assert_eq!((&answer["since"], &answer["until"]), (&json!("2026-11-23"), &json!("2026-11-24")));
    assert_eq!(answer["total"]["conversations"], 2);
    let nothing = desk.json("/v1/attribution?since=2027-01-01").await;
    assert_eq!((&nothing["items"], &nothing["total"]["leads"]), (&json!([]), &json!(0)));

    let text = desk.get("/v1/attribution").await.text;
    let columns = [
        "date_local",
        "ad_id",
        "ad_name",
        "adset_id",
        "adset_name",
        "campaign_id",
        "campaign_name",
        "business_number",
        "provider",
        "state",
        "cause",
        "conversations",
        "leads",
        "click_id_present",
        "answered_5m",
        "answered_unknown",
        "free_entry_opened",
        "qualified",
        "won",
        "value",
        "value_net",
        "currency",
        "spend",
        "meta_conversations",
        "gap",
    ];
    let at = |part: &str, of: &str| of.find(&format!("\"{part}\":")).unwrap_or_else(|| panic!("{part}"));
    assert!(["by", "model", "since", "until", "items", "total"].is_sorted_by_key(|key| at(key, &text)));
    for part in [&text[at("items", &text)..], &text[at("total", &text)..]] {
        assert!(columns.is_sorted_by_key(|column| at(column, part)));
    }
    let total = &answer["total"];
    assert_eq!(total.as_object().unwrap().len(), columns.len());
    for unknown in ["ad_name", "campaign_id", "won", "value", "value_net", "currency", "spend", "gap"] {
        assert_eq!(total[unknown], NOTHING, "what is not known is null, not 0: {unknown}");
    }
    let csv = desk.get_accepting("/v1/attribution", "text/csv").await;
    assert!(csv.content_type.starts_with("text/csv"), "{}", csv.content_type);
    assert_eq!(csv.text.lines().next().unwrap(), columns.join(","));
    assert_eq!(csv.text.lines().count(), 1 + 8);
    let row = format!(",{AD},,,,,,,,,,1,1,0,0,0,0,0,,,,,,,");
    assert!(csv.text.contains(&row), "{}", csv.text);
    let weighed = desk.get_accepting("/v1/attribution", "application/json, text/csv;q=0.5").await;
    assert_eq!(weighed.content_type, "application/json");
}

#[actix_web::test]
async fn a_code_in_the_text_is_a_touch_fills_utm_and_is_no_address() {
    let desk = Desk::open().await;
    desk.tell([with_code("m1", -HOUR).by(&person(1))]).await;
    let lead = desk.json(&format!("/v1/leads/{}", person(1))).await;
    assert_eq!(lead["attribution"]["state"], "code_in_text");
    assert_eq!(lead["attribution"]["first"]["code"], "IGBIO");
    assert_eq!(lead["utm"], json!({"source": "instagram"}));
    assert_eq!(lead["first_conversation_url"], NOTHING);
    let mut both = came_by("m2", -HOUR, AD, Some("click1"), false).by(&person(2));
    let Fact::Message(message) = &mut both.0.fact else { unreachable!() };
    let Fact::Message(coded) = with_code("m2", 0).0.fact else { unreachable!() };
    message.link = coded.link;
    desk.tell([both]).await;
    let lead = desk.json(&format!("/v1/leads/{}", person(2))).await;
    assert_eq!(lead["attribution"]["touches"], 1);
    assert_eq!(lead["attribution"]["state"], "complete");
    assert_eq!(lead["attribution"]["first"]["code"], "IGBIO");
    assert_eq!(lead["first_conversation_url"], "https://fb.me/ad");
}

#[actix_web::test]
async fn while_all_is_counted_anew_the_answer_is_try_again_and_never_a_wrong_number() {
    let desk =
        Desk::open_with(|config| config.region.timezone = TimeZone::get("Europe/Berlin").unwrap()).await;
    desk.tell(story()).await;
    let problem = desk.get("/v1/attribution").await.problem(503);
    assert!(problem["detail"].as_str().unwrap().contains("try again"), "{problem}");
    desk.store.count_days_in(&TimeZone::get("Europe/Berlin").unwrap()).unwrap();
    while !desk.store.count_on().unwrap() {}
    let days = told(&desk.json("/v1/attribution?by=day").await);
    // 19:00 UTC is past midnight in Kolkata and evening in Berlin.
    assert_eq!(days[0], json!(["2026-11-22", NOTHING, NOTHING, 4, 4, 0, 0, 0, 1, 1]));
}

const CONFIG: &str = r#"
[store]
url = "sqlite:{folder}/wabridge.db"
[[channel]]
name = "main"
provider = "meta"
app_secrets = ["env:NOWHERE"]
business_numbers = { "1" = "+918047000000" }
"#;

/// A place with a store in which this happened; no daemon runs.
async fn after(told: impl IntoIterator<Item = Told>) -> Place {
    let place = Place::new(CONFIG);
    desk::tell(&desk::open(&place.path("wabridge.db")), told).await;
    place
}

#[actix_web::test]
async fn the_command_prints_a_table_the_json_of_the_api_and_csv() {
    let place = after(story()).await;
    let ended = place.run(&["attribution", "--since", "2026-11-01", "--until", "2026-12-01"]);
    let expected = "\
ad                                       conversations  leads  click id  within 5 min  unknown  free entry  qualified
120210000000000001                                   1      1         0             0        0           0          0
120210000000000002                                   1      1         0             0        0           1          1
code_in_text                                         1      1         0             0        0           0          0
organic_post                                         1      1         0             0        0           0          0
not_reported (provider_reports_nothing)              2      2         0             0        2           0          0
none                                                 1      1         0             0        1           0          0
not_reported (provider_version)                      1      1         0             0        1           0          0
not_reported (referral_malformed)                    1      1         0             0        0           0          0
total                                                9      9         0             0        4           1          1

By the last touch since 2026-11-01 until before 2026-12-01; days are those of Asia/Kolkata.
";
    assert_eq!((ended.code, ended.out.as_str()), (0, expected), "{ended:?}");
    let json = place.run(&["attribution", "--since", "2026-11-01", "--by", "day", "--format", "json"]);
    let answer: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!((&answer["by"], &answer["model"]), (&json!("day"), &json!("last")));
    assert_eq!(answer["total"]["leads"], 9);
    let csv = place.run(&["attribution", "--since", "2026-11-01", "--format", "csv", "--model", "each"]);
    assert_eq!(csv.out.lines().count(), 1 + 8, "{csv:?}");
    assert_eq!(place.run(&["attribution"]).code, 0, "the last 30 days, whatever day it is");
    for (arguments, code) in [
        (["--since", "98765x4321"], 65),
        (["--until", "30d"], 65),
        (["--by", "adset"], 64),
        (["--model", "linear"], 64),
        (["--format", "pdf"], 64),
    ] {
        let ended = place.run(&[&["attribution"], arguments.as_slice()].concat());
        assert_eq!(ended.code, code, "{arguments:?}: {ended:?}");
        assert!(!ended.err.contains("98765x"), "{ended:?}");
    }
    assert_eq!(Place::new(CONFIG).run(&["attribution"]).code, 69);
    let moved = CONFIG.replace("[store]", "[region]\ntimezone = \"Europe/Berlin\"\n[store]");
    let config = moved.replace("{folder}", place.path("").display().to_string().trim_end_matches('/'));
    place.write("wabridge.toml", &config, 0o600);
    let ended = place.run(&["attribution"]);
    assert_eq!(ended.code, 75, "{ended:?}");
    assert!(ended.err.contains("start the daemon again"), "{ended:?}");
}

/// The text of a file in a zip.
fn unzipped(path: &Path, name: &str) -> String {
    let mut archive = zip::ZipArchive::new(std::fs::File::open(path).unwrap()).unwrap();
    let mut text = String::new();
    archive.by_name(name).unwrap().read_to_string(&mut text).unwrap();
    text
}

#[actix_web::test]
async fn no_cell_is_a_formula_and_an_id_is_a_text_with_every_digit() {
    let hostile =
        ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "a\"b,c", "line\n=1", "+919876543210", AD];
    let came = |(n, ad): (usize, &&str)| {
        let n = u8::try_from(n).unwrap();
        came_by(&format!("m{n}"), -HOUR, ad, None, false).by(&person(n))
    };
    let place = after(hostile.iter().enumerate().map(came)).await;
    let csv = place.run(&["attribution", "--since", "2026-11-01", "--format", "csv"]).out;
    for cell in [
        ",\"'=1+1\",",
        ",\"'+cmd|' /C calc'!A0\",",
        ",\"'-2+3\",",
        ",\"'@SUM(A1)\",",
        ",\"'\t=1\",",
        ",\"a\"\"b,c\",",
        ",\"line\n'=1\",",
        ",\"+919876543210\",",
        ",120210000000000001,",
    ] {
        assert!(csv.contains(cell), "{cell}\n{csv}");
    }
    let file = place.path("audit.xlsx");
    let arguments = ["attribution", "--since", "2026-11-01", "--format", "xlsx", "--output", "audit.xlsx"];
    let ended = place.run(&arguments);
    assert_eq!((ended.code, ended.out.as_str()), (0, ""), "{ended:?}");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let sheet = unzipped(&file, "xl/worksheets/sheet1.xml");
    assert!(!sheet.contains("<f>") && !sheet.contains("<f "), "{sheet}");
    // Column B is the ad's id: a shared string in every row, formatted as text. Column L is a number.
    let cells = |column: char| {
        let cells = sheet.split("<c ").filter(move |cell| cell.starts_with(&format!("r=\"{column}")));
        cells.map(|cell| cell.split('>').next().unwrap().to_owned()).skip(1).collect::<Vec<_>>()
    };
    assert_eq!(cells('B').len(), hostile.len());
    assert!(cells('B').iter().all(|cell| cell.contains("t=\"s\"")), "{sheet}");
    assert_eq!(cells('L').len(), hostile.len());
    assert!(cells('L').iter().all(|cell| !cell.contains("t=")), "{sheet}");
    let texts = unzipped(&file, "xl/sharedStrings.xml");
    for text in [">=1+1<", ">+919876543210<", ">120210000000000001<", ">ad_id<"] {
        assert!(texts.contains(text), "{text}\n{texts}");
    }
    let nowhere = ["attribution", "--format", "xlsx", "--output", "no/such/folder.xlsx"];
    assert_eq!(place.run(&nowhere).code, 74);
}

#[test]
fn a_running_daemon_reads_codes_and_counts_them_and_counts_anew_after_an_upgrade() {
    let links = "[[link]]\ncode = \"IGBIO\"\nutm_source = \"instagram\"\n";
    let place = Place::new(&format!("{META}{links}"));
    let mut process = Process::launch(&place, "");
    let addresses = process.ready();
    let (signer, mut connection) = (Signer::meta(), Client::connect(addresses.hooks).unwrap());
    let mut post = |wamid: &str, from: &str, body: &str| {
        let mut message = text(wamid, from, 1_790_000_000);
        message["text"]["body"] = json!(body);
        let body = meta_body(json!({"messages": [message]}));
        let request = signer.post("main", &body, jiff::Timestamp::UNIX_EPOCH);
        assert_eq!(connection.send(&request).unwrap().0, 200);
    };
    post("wamid.1", "447700900101", "Hello, igbio!");
    post("wamid.2", "447700900102", "Hello, IGBIOS");
    until_projected(addresses.admin);
    let lead = place.run(&["lead", "+447700900101"]);
    assert!(lead.out.contains("Attribution: code_in_text") && lead.out.contains("IGBIO"), "{lead:?}");
    assert!(lead.out.contains("utm          {\"source\":\"instagram\"}"), "{lead:?}");
    let audit = || {
        let ended = place.run(&["attribution", "--since", "2026-01-01", "--by", "state", "--format", "json"]);
        (ended.code, serde_json::from_str::<Value>(&ended.out).ok())
    };
    let (code, answer) = audit();
    let answer = answer.unwrap();
    assert_eq!(code, 0);
    let states: Vec<_> = told(&answer).iter().map(|row| json!([row[1], row[3]])).collect();
    assert_eq!(states, [json!(["code_in_text", 1]), json!(["none", 1])], "beside the daemon");

    // Another link, while it runs: what came before stays what it was read as.
    let config = std::fs::read_to_string(place.path("wabridge.toml")).unwrap();
    place.write("wabridge.toml", &format!("{config}[[link]]\ncode = \"IGBIOS\"\n"), 0o600);
    let hang_up = format!("kill -HUP {}", process.id());
    assert!(std::process::Command::new("sh").args(["-c", &hang_up]).status().unwrap().success());
    until("the link is in force", || process.said().contains("the configuration is in force").then_some(()));
    post("wamid.3", "447700900103", "Hello, IGBIOS");
    until_projected(addresses.admin);
    let (_, answer) = audit();
    let answer = answer.unwrap();
    let states: Vec<_> = told(&answer).iter().map(|row| json!([row[1], row[3]])).collect();
    assert_eq!(states, [json!(["code_in_text", 2]), json!(["none", 1])]);
    process.stop();

    // As an upgrade leaves the store.
    let path = place.path("wabridge.db");
    let before = kept(&path);
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch("DELETE FROM rollups; UPDATE rollup_state SET through = 0").unwrap();
    drop(connection);
    assert_eq!(audit(), (75, None), "no number before all is counted");
    let mut process = Process::launch(&place, "");
    process.ready();
    until("all is counted", || (audit().0 == 0).then_some(()));
    assert_eq!(audit().1.unwrap(), answer);
    process.stop();
    assert_eq!(kept(&path), before);
    assert_eq!(place.run(&["rebuild", "--verify"]).code, 0);
    let connection = Connection::open(&path).unwrap();
    connection.execute("UPDATE rollups SET leads = leads + 1", []).unwrap();
    let ended = place.run(&["rebuild", "--verify"]);
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.out.contains("rows of attribution differ"), "{ended:?}");
    assert_eq!(place.run(&["rebuild", "--yes"]).code, 0);
    assert_eq!(kept(&path), before);
}

#[test]
fn a_store_from_before_there_were_counts_is_counted_when_it_is_opened() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store.db");
    let old = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/store/V0001__core.db");
    std::fs::copy(old, &path).unwrap();
    let store = open(&path);
    assert!(
        store.attribution(&question(By::Ad, Model::Last), &kolkata()).is_err(),
        "not before it is counted"
    );
    while !store.count_on().unwrap() {}
    let leads = crate::projection::people(&store).iter().filter(|lead| lead.contains("\"birth\"")).count();
    assert!(leads >= 9);
    assert_answers_agree(&store, leads);
    assert_eq!(rebuild::verify(&path).unwrap().miscounted, 0);
}

#[actix_web::test]
async fn a_cluster_that_cannot_be_read_keeps_no_other_from_being_counted() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store.db");
    let store = desk::open(&path);
    desk::tell(&store, story()).await;
    let connection = Connection::open(&path).unwrap();
    connection.execute("UPDATE clusters SET state = 'x' WHERE id = 2", []).unwrap();
    connection.execute_batch("DELETE FROM rollups; UPDATE rollup_state SET through = 0").unwrap();
    while !store.count_on().unwrap() {}
    let rows = store.attribution(&question(By::Ad, Model::Last), &kolkata()).unwrap();
    assert_eq!(sums(&rows)[1], 8, "all nine leads but one");
}
