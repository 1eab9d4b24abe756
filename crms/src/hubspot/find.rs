//! People, looked for by our key field, then by one search for phone, business-scoped id and e-mail address.
//!
//! The key is read by the unique property, a hundred people at once, from the database. Everybody else is searched
//! for, as many in one request as its limits allow. The search is wide on purpose: HubSpot's searchable numbers lack
//! the country code, so numbers of two countries collide there; [`crate::choose`] then compares the numbers.

use super::limits::SEARCH;
use super::line::{Line, Object, next_page, post_read, url};
use super::read::{by_id, values};
use crate::choose::{Candidate, choose};
use crate::crm::{Desk, Found, Record, Who};
use crate::transport::Call;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use wabridge_model::{Failure, FailureKind, MatchedBy, Phone, RecordRef};

/// The properties that people's numbers stand in.
pub(super) const PHONES: [&str; 3] = ["phone", "mobilephone", "hs_whatsapp_phone_number"];

/// Groups of filters in one search. The specification says six, the guide five.
const GROUPS: usize = 5;

/// Characters in the body of one search; above it HubSpot refuses.
const LONGEST: usize = 3_000;

/// Characters of field names that a search may ask for. More are read once it is known of whom.
const FIELDS: usize = 1_200;

/// Pages of one search. So many people of one number are a mistake in the CRM, not a reason to go on.
const PAGES: usize = 5;

/// Looks for people; one answer for each.
pub(super) async fn find(desk: &Desk<'_>, people: &[Who], fields: &[String]) -> Vec<Result<Found, Failure>> {
    let line = Line::new(desk);
    let keyed = match by_key(&line, people, fields).await {
        Ok(keyed) => keyed,
        Err(failure) => return people.iter().map(|_| Err(failure.clone())).collect(),
    };
    let mut answers: Vec<Option<Result<Found, Failure>>> = people
        .iter()
        .map(|who| match_by_key(desk, who, &keyed, fields).or_else(|| is_nobody(who)).map(Ok))
        .collect();
    let open: Vec<usize> = (0..people.len()).filter(|at| answers[*at].is_none()).collect();
    let late = fields.iter().map(|field| field.len() + 3).sum::<usize>() > FIELDS;
    let early = if late { &[] } else { fields };
    for pack in packs(desk, people, &open, early) {
        let some: Vec<&Who> = pack.iter().map(|at| &people[*at]).collect();
        let searched = search(&line, &some, early).await;
        for at in pack {
            let found = |objects: &Vec<Object>| choose_from(desk, &people[at], objects, fields);
            answers[at] = Some(searched.as_ref().map(found).map_err(Clone::clone));
        }
    }
    if late {
        let searched = open.iter().filter_map(|at| answers[*at].as_ref()?.as_ref().ok());
        let matched = searched.filter_map(|found| Some(found.matched.as_ref()?.0.at.id.clone()));
        let read = values_of(&line, &matched.collect::<Vec<_>>(), fields).await;
        for at in open {
            answers[at] = answers[at].take().map(|answer| with_values(answer?, &read));
        }
    }
    answers.into_iter().map(|answer| answer.unwrap_or_else(|| Ok(Found::default()))).collect()
}

/// The fields of some contacts, by id.
async fn values_of(
    line: &Line<'_>,
    ids: &[String],
    fields: &[String],
) -> Result<BTreeMap<String, Record>, Failure> {
    let wanted: Vec<&str> = fields.iter().map(String::as_str).collect();
    let read = by_id(line, "contacts", None, ids, &wanted).await?;
    Ok(read.iter().map(|object| (object.id.clone(), record(line.desk, object, fields))).collect())
}

/// What was found, with the fields of the match.
fn with_values(mut found: Found, read: &Result<BTreeMap<String, Record>, Failure>) -> Result<Found, Failure> {
    if let Some((matched, _)) = &mut found.matched {
        let read = read.as_ref().map_err(Clone::clone)?;
        *matched = read.get(&matched.at.id).unwrap_or(matched).clone();
    }
    Ok(found)
}

/// Contacts with the key of any of these people, in any spelling.
async fn by_key(line: &Line<'_>, people: &[Who], fields: &[String]) -> Result<Vec<Object>, Failure> {
    let phones = people.iter().filter_map(|who| who.phone.as_ref());
    let keys: BTreeSet<String> = phones.flat_map(spellings).map(|phone| phone.e164().to_owned()).collect();
    let keys: Vec<String> = keys.into_iter().collect();
    let key = line.desk.key_field;
    let mut properties: Vec<&str> = fields.iter().map(String::as_str).collect();
    if !properties.contains(&key) {
        properties.push(key);
    }
    let read = by_id(line, "contacts", Some(key), &keys, &properties).await;
    read.map_err(|failure| drifted(failure, Some(key)))
}

/// The contact whose key is this number, exactly first.
fn match_by_key(desk: &Desk<'_>, who: &Who, keyed: &[Object], fields: &[String]) -> Option<Found> {
    let has = |phone: &Phone| keyed.iter().find(|object| object.text(desk.key_field) == Some(phone.e164()));
    let matched = spellings(who.phone.as_ref()?).iter().find_map(has)?;
    let record = record(desk, matched, fields);
    Some(Found {
        candidates: vec![record.at.clone()],
        matched: Some((record, MatchedBy::UniqueKey)),
        email_taken: None,
    })
}

/// Somebody of whom nothing is known that could be searched for.
fn is_nobody(who: &Who) -> Option<Found> {
    (who.phone.is_none() && who.bsuid.is_none() && who.email.is_none()).then(Found::default)
}

/// A number and the other spellings of it.
fn spellings(phone: &Phone) -> Vec<Phone> {
    [phone.clone()].into_iter().chain(phone.match_set()).collect()
}

/// Indexes of people that fit into one search each.
fn packs(desk: &Desk<'_>, people: &[Who], open: &[usize], fields: &[String]) -> Vec<Vec<usize>> {
    let mut packs: Vec<Vec<usize>> = Vec::new();
    for at in open {
        let fits = |pack: &Vec<usize>| {
            let some: Vec<&Who> = pack.iter().chain([at]).map(|at| &people[*at]).collect();
            needed(&some).len() <= GROUPS && body(desk, &some, fields).to_string().len() <= LONGEST
        };
        match packs.last_mut().filter(|pack| fits(pack)) {
            Some(pack) => pack.push(*at),
            None => packs.push(vec![*at]),
        }
    }
    packs
}

async fn search(line: &Line<'_>, people: &[&Who], fields: &[String]) -> Result<Vec<Object>, Failure> {
    let mut body = body(line.desk, people, fields);
    let mut found = Vec::new();
    for _ in 0..PAGES {
        let call: Call = post_read("contacts/search", body.clone()).class(SEARCH);
        let bsuid = || people.iter().find_map(|who| who.bsuid.as_ref()).map(|(field, _)| field.as_str());
        let page = line.ask(call, "contact").await.map_err(|failure| drifted(failure, bsuid()))?;
        found.extend(Object::results(&page));
        match next_page(&page) {
            Some(after) => body["after"] = json!(after),
            None => break,
        }
    }
    Ok(found)
}

/// A look-up that is refused is nobody's fault but the schema's: our key is no unique property any more, or the one
/// property in it that is not HubSpot's own is gone.
pub(super) fn drifted(failure: Failure, ours: Option<&str>) -> Failure {
    match failure.kind {
        FailureKind::Invalid => {
            let field = failure.field.clone().or_else(|| ours.map(str::to_owned));
            Failure { kind: FailureKind::Drift, field, ..failure }
        }
        _ => failure,
    }
}

/// The search for these people. Filters in one group must all hold, so each has a group of its own.
fn body(desk: &Desk<'_>, people: &[&Who], fields: &[String]) -> Value {
    let mut groups = needed(people);
    groups.extend(plain(people));
    groups.truncate(GROUPS);
    let groups: Vec<Value> = groups.into_iter().map(|filter| json!({"filters": [filter]})).collect();
    json!({"filterGroups": groups, "properties": asked_for(desk, people, fields), "limit": 200})
}

/// The filters that every way of matching needs.
fn needed(people: &[&Who]) -> Vec<Value> {
    let phones: Vec<Phone> = people.iter().filter_map(|who| who.phone.as_ref()).flat_map(spellings).collect();
    // What HubSpot cannot parse keeps all its digits, the country code among them.
    let digits: BTreeSet<&str> = phones.iter().flat_map(|phone| [phone.national(), phone.digits()]).collect();
    let searchable = ["hs_searchable_calculated_phone_number", "hs_searchable_calculated_mobile_number"];
    let mut filters: Vec<Value> = searchable.into_iter().filter_map(|name| any_of(name, &digits)).collect();
    let bsuids: BTreeSet<&(String, String)> = people.iter().filter_map(|who| who.bsuid.as_ref()).collect();
    filters.extend(bsuids.into_iter().map(|(field, id)| filter(field, "EQ", id)));
    let emails: BTreeSet<&str> = people.iter().filter_map(|who| who.email.as_deref()).collect();
    filters.extend(any_of("email", &emails));
    filters.extend(emails.into_iter().map(|email| filter("hs_additional_emails", "CONTAINS_TOKEN", email)));
    filters
}

/// The numbers as we write them, where there is room: the searchable ones cover them once they are calculated.
fn plain(people: &[&Who]) -> Vec<Value> {
    let phones: Vec<Phone> = people.iter().filter_map(|who| who.phone.as_ref()).flat_map(spellings).collect();
    let numbers: BTreeSet<&str> = phones.iter().map(Phone::e164).collect();
    ["phone", "mobilephone"].into_iter().filter_map(|name| any_of(name, &numbers)).collect()
}

fn any_of(property: &str, values: &BTreeSet<&str>) -> Option<Value> {
    match values.iter().collect::<Vec<_>>().as_slice() {
        [] => None,
        [value] => Some(filter(property, "EQ", value)),
        values => Some(json!({"propertyName": property, "operator": "IN", "values": values})),
    }
}

fn filter(property: &str, operator: &str, value: &str) -> Value {
    json!({"propertyName": property, "operator": operator, "value": value})
}

/// What is asked for, and what it takes to judge a match.
fn asked_for(desk: &Desk<'_>, people: &[&Who], fields: &[String]) -> Vec<String> {
    let mut wanted: BTreeSet<&str> = PHONES.into_iter().collect();
    wanted.extend([desk.key_field, "email", "hs_additional_emails"]);
    wanted.extend(people.iter().filter_map(|who| who.bsuid.as_ref()).map(|(field, _)| field.as_str()));
    wanted.extend(fields.iter().map(String::as_str));
    wanted.into_iter().map(str::to_owned).collect()
}

fn choose_from(desk: &Desk<'_>, who: &Who, objects: &[Object], fields: &[String]) -> Found {
    let candidates = objects.iter().map(|object| {
        let emails = [object.text("email"), object.text("hs_additional_emails")].into_iter().flatten();
        Candidate {
            record: record(desk, object, fields),
            key: object.text(desk.key_field).map(str::to_owned),
            phones: phones(object).map(str::to_owned).collect(),
            emails: emails.flat_map(|text| text.split(';')).map(str::to_owned).collect(),
            bsuid: who.bsuid.as_ref().and_then(|(field, _)| object.text(field)).map(str::to_owned),
            since: object.created_at.clone(),
        }
    });
    choose(who, desk.country, candidates.collect())
}

/// The numbers of a contact, as typed.
pub(super) fn phones(object: &Object) -> impl Iterator<Item = &str> {
    PHONES.into_iter().filter_map(|name| object.text(name))
}

/// A contact as the outbox sees it.
pub(super) fn record(desk: &Desk<'_>, object: &Object, fields: &[String]) -> Record {
    Record {
        at: RecordRef::new("contact", &object.id),
        values: values(object, fields),
        url: url(desk, "0-1", object),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Schema;
    use crate::transport::{Answer, Later, NoAnswer, Transport};
    use wabridge_model::Country;

    struct Nowhere;

    impl Transport for Nowhere {
        fn send(&self, _call: Call) -> Later<'_, Result<Answer, NoAnswer>> {
            Box::pin(std::future::ready(Err(NoAnswer { sent: false, code: "connect" })))
        }
    }

    fn searches(people: &[Who], fields: &[String]) -> usize {
        let schema = Schema::default();
        let desk = Desk {
            transport: &Nowhere,
            person: "contact",
            key_field: "wa_e164",
            schema: &schema,
            country: Country::INDIA,
        };
        let all: Vec<usize> = (0..people.len()).collect();
        let packs = packs(&desk, people, &all, fields);
        assert_eq!(packs.concat(), all, "everybody is looked for once");
        for pack in &packs {
            let some: Vec<&Who> = pack.iter().map(|at| &people[*at]).collect();
            let body = body(&desk, &some, fields);
            assert!(body["filterGroups"].as_array().unwrap().len() <= GROUPS);
            assert!(body.to_string().len() <= LONGEST);
            let wanted = needed(&some);
            assert!(
                wanted.iter().all(|filter| body["filterGroups"].to_string().contains(&filter.to_string()))
            );
        }
        packs.len()
    }

    #[test]
    fn a_search_looks_for_as_many_people_as_its_limits_allow() {
        let fields: Vec<String> = (0..40).map(|n| format!("a_field_of_the_mapping_{n}")).collect();
        let person = |n: usize| Who {
            phone: Some(Phone::from_whatsapp_id(&format!("4477009{n:05}")).unwrap()),
            ..Who::default()
        };
        let with_email = |n: usize| Who { email: Some(format!("customer.{n}@example.com")), ..person(n) };
        let by_phone: Vec<Who> = (0..100).map(person).collect();
        let by_all: Vec<Who> = (0..100).map(with_email).collect();
        assert_eq!(searches(&by_phone, &[]), 4);
        assert_eq!(searches(&by_phone, &fields), 7);
        assert_eq!(searches(&by_all, &[]), 50, "secondary addresses need a group each");
    }
}
