//! People, looked for in leads and contacts by one query each: key, phone, business-scoped id, e-mail address.
//!
//! Our own object first, then the other. Zoho keeps numbers as they were typed, so they are asked for by their last
//! digits, which hardly anybody separates; [`crate::choose`] then compares them as numbers. As many people go into
//! one query as its 25 criteria allow.

use super::line::{Line, data, goes_on, query, values};
use super::{COLUMNS, PEOPLE, read};
use crate::choose::{Candidate, choose};
use crate::crm::{Desk, Found, Record, Who};
use crate::errand::identifier;
use serde_json::Value;
use std::collections::BTreeSet;
use wabridge_model::{Failure, FailureKind, MatchedBy, Phone, RecordRef};

/// The fields that people's numbers stand in.
pub(super) const PHONES: [&str; 2] = ["Phone", "Mobile"];

/// The fields that their addresses stand in.
const EMAILS: [&str; 2] = ["Email", "Secondary_Email"];

/// Criteria of one query.
const CRITERIA: usize = 25;

/// Last digits of a number that are asked for.
const DIGITS: usize = 4;

/// Rows of a page: so many cost one credit.
const ROWS: usize = 200;

/// Pages of one query.
const PAGES: usize = 10;

/// The code of a search that finds more than its pages hold.
const ENDLESS: &str = "search_without_end";

/// What came of a query: the object, and its record.
type Row = (&'static str, Value);

/// Looks for people; one answer for each.
pub(super) async fn find(desk: &Desk<'_>, people: &[Who], fields: &[String]) -> Vec<Result<Found, Failure>> {
    let line = Line::new(desk);
    let mut answers: Vec<Result<Found, Failure>> = people.iter().map(|_| Ok(Found::default())).collect();
    let mut packs = packs(desk, people);
    while let Some(mut pack) = packs.pop() {
        let some: Vec<&Who> = pack.iter().map(|at| &people[*at]).collect();
        let rows = search(&line, &some, fields).await;
        if rows.as_ref().is_err_and(|failure| failure.code == ENDLESS) && pack.len() > 1 {
            packs.push(pack.split_off(pack.len() / 2));
            packs.push(pack);
            continue;
        }
        for at in pack {
            let found = |rows: &Vec<Row>| choose_from(desk, &people[at], rows, fields);
            answers[at] = rows.as_ref().map(found).map_err(Clone::clone);
        }
    }
    if fields.len() > COLUMNS / 2 {
        with_values(desk, &mut answers, fields).await;
    }
    answers
}

/// More fields than a query takes are read once it is known of whom.
async fn with_values(desk: &Desk<'_>, answers: &mut [Result<Found, Failure>], fields: &[String]) {
    let at = |answer: &Result<Found, Failure>| Some(answer.as_ref().ok()?.matched.as_ref()?.0.at.clone());
    let which: Vec<(usize, RecordRef)> =
        answers.iter().enumerate().filter_map(|(place, answer)| Some((place, at(answer)?))).collect();
    let records: Vec<RecordRef> = which.iter().map(|(_, at)| at.clone()).collect();
    for ((place, _), read) in which.into_iter().zip(read::read(desk, &records, fields).await) {
        match (&mut answers[place], read) {
            (Ok(Found { matched: Some((record, _)), .. }), Ok(read)) => *record = read,
            (answer, Err(failure)) => *answer = Err(failure),
            _ => {}
        }
    }
}

/// Our own object, then the other.
fn objects(desk: &Desk<'_>) -> Vec<(&'static str, &'static str)> {
    let mut objects = PEOPLE.to_vec();
    objects.sort_by_key(|(word, _)| *word != desk.person);
    objects
}

/// A number and the other spellings of it.
fn spellings(phone: &Phone) -> Vec<Phone> {
    [phone.clone()].into_iter().chain(phone.match_set()).collect()
}

/// Indexes of people that fit into one query each.
fn packs(desk: &Desk<'_>, people: &[Who]) -> Vec<Vec<usize>> {
    let line = Line::new(desk);
    let mut packs: Vec<Vec<usize>> = Vec::new();
    let known = |who: &Who| who.phone.is_some() || who.bsuid.is_some() || who.email.is_some();
    for at in (0..people.len()).filter(|at| known(&people[*at])) {
        let fits = |pack: &Vec<usize>| {
            let some: Vec<&Who> = pack.iter().chain([&at]).map(|at| &people[*at]).collect();
            PEOPLE.iter().all(|(object, _)| criteria(&line, object, &some).len() <= CRITERIA)
        };
        match packs.last_mut().filter(|pack| fits(pack)) {
            Some(pack) => pack.push(at),
            None => packs.push(vec![at]),
        }
    }
    packs
}

async fn search(line: &Line<'_>, people: &[&Who], fields: &[String]) -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    for (object, module) in objects(line.desk) {
        let criteria = bracketed(criteria(line, object, people));
        if criteria.is_empty() {
            continue;
        }
        let columns = columns(line, object, people, fields);
        for page in 0..PAGES {
            let limit = format!("limit {}, {ROWS}", page * ROWS);
            let text = format!("select {columns} from {module} where {criteria} {limit}");
            let body = line.ask(query(&text), object).await.map_err(|failure| drifted(line, failure))?;
            rows.extend(data(&body).iter().map(|row| (object, row.clone())));
            if !goes_on(&body) {
                break;
            }
            if page == PAGES - 1 {
                // Whoever is behind it would be made a second time.
                return Err(Failure::new(FailureKind::Down, ENDLESS));
            }
        }
    }
    Ok(rows)
}

/// A query that is refused is nobody's fault but the schema's.
fn drifted(line: &Line<'_>, failure: Failure) -> Failure {
    match failure.kind {
        FailureKind::Invalid | FailureKind::Drift | FailureKind::Conflict => {
            let field = failure.field.clone().or_else(|| Some(line.desk.key_field.to_owned()));
            Failure { kind: FailureKind::Drift, field, existing: None, ..failure }
        }
        _ => failure,
    }
}

/// The criteria for these people, those first that find most.
fn criteria(line: &Line<'_>, object: &str, people: &[&Who]) -> Vec<String> {
    let phones: Vec<Phone> = people.iter().filter_map(|who| who.phone.as_ref()).flat_map(spellings).collect();
    let keys: BTreeSet<&str> = phones.iter().map(Phone::e164).collect();
    let mut all: Vec<String> = any_of(line, object, line.desk.key_field, &keys);
    let ends: BTreeSet<&str> = phones.iter().map(|phone| last(phone.digits())).collect();
    for name in PHONES.into_iter().filter(|name| line.has(object, name)) {
        all.extend(ends.iter().map(|digits| format!("{name} like '%{digits}'")));
    }
    let bsuids: BTreeSet<&(String, String)> = people.iter().filter_map(|who| who.bsuid.as_ref()).collect();
    let fields: BTreeSet<&str> = bsuids.iter().map(|(field, _)| field.as_str()).collect();
    for field in fields {
        let ids = bsuids.iter().filter(|(name, _)| name == field).map(|(_, id)| id.as_str()).collect();
        all.extend(any_of(line, object, field, &ids));
    }
    let emails: BTreeSet<&str> = people.iter().filter_map(|who| who.email.as_deref()).collect();
    all.extend(EMAILS.into_iter().flat_map(|name| any_of(line, object, name, &emails)));
    all
}

fn last(digits: &str) -> &str {
    digits.get(digits.len().saturating_sub(DIGITS)..).unwrap_or(digits)
}

/// One criterion, of at most 50 values: a pack never has more.
fn any_of(line: &Line<'_>, object: &str, name: &str, values: &BTreeSet<&str>) -> Vec<String> {
    if values.is_empty() || !line.has(object, name) {
        return Vec::new();
    }
    let quoted = |text: &&str| format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"));
    let values: Vec<String> = values.iter().map(quoted).collect();
    values.chunks(50).map(|values| format!("{name} in ({})", values.join(", "))).collect()
}

/// COQL wants criteria in brackets, two by two.
fn bracketed(criteria: Vec<String>) -> String {
    let joined = criteria.into_iter().reduce(|all, one| format!("({all} or {one})"));
    joined.map(|text| if text.starts_with('(') { text } else { format!("({text})") }).unwrap_or_default()
}

/// What it takes to judge a match, and of what is asked for as much as a query takes.
fn columns(line: &Line<'_>, object: &str, people: &[&Who], fields: &[String]) -> String {
    let mut columns: Vec<&str> = vec!["id", "Created_Time", line.desk.key_field];
    columns.extend(PHONES);
    columns.extend(EMAILS);
    columns.extend(people.iter().filter_map(|who| who.bsuid.as_ref()).map(|(field, _)| field.as_str()));
    if fields.len() <= COLUMNS / 2 {
        columns.extend(fields.iter().map(String::as_str));
    }
    let mut seen = BTreeSet::new();
    columns.retain(|name| (*name == "id" || line.has(object, name)) && seen.insert(*name));
    columns.join(", ")
}

fn choose_from(desk: &Desk<'_>, who: &Who, rows: &[Row], fields: &[String]) -> Found {
    if let Some(found) = by_key(desk, who, rows, fields) {
        return found;
    }
    let of_object = |object: &str| {
        let rows = rows.iter().filter(|(known, _)| *known == object);
        let candidates = rows.map(|(object, row)| candidate(desk, who, object, row, fields)).collect();
        choose(who, desk.country, candidates)
    };
    // Whoever is in both is written to where they went: a contact is what a lead becomes.
    let (mut best, mut other) = (of_object("contact"), of_object("lead"));
    let rank = |found: &Found| found.matched.as_ref().map(|(_, by)| *by as u8);
    if rank(&best).is_none() || rank(&other).is_some_and(|lead| rank(&best).is_some_and(|own| lead < own)) {
        std::mem::swap(&mut best, &mut other);
    }
    best.candidates.append(&mut other.candidates);
    // An address is unique within a module at most: the other one's holder is not in the way.
    best
}

/// The record whose key is this number, exactly first.
fn by_key(desk: &Desk<'_>, who: &Who, rows: &[Row], fields: &[String]) -> Option<Found> {
    let has = |phone: &Phone| rows.iter().find(|(_, row)| row[desk.key_field] == phone.e164());
    let (object, row) = spellings(who.phone.as_ref()?).iter().find_map(has)?;
    let record = record(desk, object, row, fields)?;
    Some(Found {
        candidates: vec![record.at.clone()],
        matched: Some((record, MatchedBy::UniqueKey)),
        email_taken: None,
    })
}

fn candidate(desk: &Desk<'_>, who: &Who, object: &str, row: &Value, fields: &[String]) -> Candidate {
    let text = |name: &str| row[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let nothing = || Record { at: RecordRef::new(object, ""), values: [].into(), url: None };
    Candidate {
        record: record(desk, object, row, fields).unwrap_or_else(nothing),
        key: text(desk.key_field),
        phones: PHONES.into_iter().filter_map(text).collect(),
        emails: EMAILS.into_iter().filter_map(text).collect(),
        bsuid: who.bsuid.as_ref().and_then(|(field, _)| text(field)),
        since: text("Created_Time").unwrap_or_default(),
    }
}

/// A person's record as the outbox sees it.
pub(super) fn record(desk: &Desk<'_>, object: &str, row: &Value, fields: &[String]) -> Option<Record> {
    let id = identifier(&row["id"])?;
    Some(Record { at: RecordRef::new(object, id), values: values(desk, object, row, fields), url: None })
}
