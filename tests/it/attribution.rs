//! The counts of attribution: what is kept as events come in is what one fold over everything adds up to, in
//! every order of arrival; rows and totals agree; and people get them as JSON, CSV and a spreadsheet.

use crate::projection::histories::{history, shuffle};
use crate::projection::{open, project};
use jiff::tz::TimeZone;
use proptest::prelude::*;
use rusqlite::Connection;
use std::collections::BTreeSet;
use std::path::Path;
use tempfile::TempDir;
use wabridge::leads::rollup::{Contributions, Model, contributions};
use wabridge::store::sqlite::{SqliteStore, rebuild};
use wabridge::store::{By, DateOf, Question, Rolled, Rollups};
use wabridge_model::cluster::Cluster;
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
