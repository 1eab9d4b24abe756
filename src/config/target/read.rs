//! How `[[target]]` is read: each key by its own rule, so that one mistake hides no other.

use super::{Activity, Deal, Mode, PersonRule, SIGNALS, Target, WINDOW_REFRESH, auth, fields, quota};
use crate::config::channel::{Channel, name, phone};
use crate::config::document::{Found, Table, nearest};
use crate::config::server::Server;
use jiff::SignedDuration;
use std::collections::{BTreeMap, BTreeSet};
use url::{Host, Url};
use wabridge_crms::registry::{self, CRMS};
use wabridge_crms::{About, Crm};
use wabridge_model::{Country, Phone};

/// Every target of the file.
pub(in crate::config) fn read_all(
    root: &mut Table<'_, '_>,
    channels: &[Channel],
    server: &Server,
) -> Vec<Target> {
    let mut names = BTreeSet::new();
    let around = Around { channels, server };
    root.sections("target").into_iter().filter_map(|table| around.target(table, &mut names)).collect()
}

/// What the rest of the file says that a target depends on.
struct Around<'a> {
    channels: &'a [Channel],
    server: &'a Server,
}

impl Around<'_> {
    fn target(&self, mut table: Table<'_, '_>, names: &mut BTreeSet<String>) -> Option<Target> {
        let name = name(&mut table, "target", names);
        let crm = crm(&mut table);
        let about = crm.map(Crm::about);
        let person = person(&mut table, about);
        let mode = mode(&mut table);
        let key_field = key_field(&mut table);
        let base_url = url(&mut table, "base_url", "https://api.example.com");
        let around = auth::Around {
            about,
            name: name.as_deref(),
            base_url: base_url.as_deref(),
            public_url: self.server.public_url.as_deref(),
        };
        let auth = auth::read(&mut table, &around);
        let channels = self.channels(&mut table);
        let business_numbers = self.business_numbers(&mut table);
        let regions = regions(&mut table);
        let activity = self.activity(&mut table);
        let deal = deal(&mut table);
        if deal.is_some() {
            owns_deals(&mut table, about, person);
        }
        let rollout_percent = table.integer("rollout_percent", 0..=100).unwrap_or(100);
        let window_refresh = window_refresh(&mut table);
        let owners = by_name(&mut table, "owners", "{ sales = \"77310001\" }");
        let person_rule = person_rule(&mut table);
        let tasks = table.boolean("tasks").unwrap_or(true);
        let quota = quota::read(&mut table, about);
        let ours = self.ours();
        let around = fields::Around { ours: &ours, has_pages: self.server.public_url.is_some() };
        let fields = fields::read(&mut table, about, &key_field, &around);
        table.finish(&[]);
        Some(Target {
            name: name?,
            crm: crm?,
            person: person?,
            mode,
            auth: auth?,
            key_field,
            base_url,
            channels,
            business_numbers,
            regions,
            fields,
            activity,
            deal: deal.flatten(),
            rollout_percent,
            window_refresh,
            owners,
            person_rule,
            tasks,
            quota,
        })
    }

    /// Our numbers, each once.
    fn ours(&self) -> BTreeSet<&Phone> {
        let named = self.channels.iter().flat_map(|channel| channel.business_numbers.values());
        named.chain(self.channels.iter().filter_map(|channel| channel.business_number.as_ref())).collect()
    }

    fn channels(&self, table: &mut Table<'_, '_>) -> Vec<String> {
        let named = table.strings("channels").unwrap_or_default();
        let known = || self.channels.iter().map(|channel| channel.name.as_str());
        let mut channels = Vec::new();
        for Found { value, at } in named {
            if !known().any(|name| name == value) {
                let way_out = match nearest(value, known()) {
                    Some(near) => format!("did you mean '{near}'?"),
                    None => "name a [[channel]] of this file".to_owned(),
                };
                let label = &table.label;
                table.problem_at(at, format!("'channels' in {label} names no channel: '{value}'; {way_out}"));
            }
            channels.push(value.to_owned());
        }
        channels
    }

    fn business_numbers(&self, table: &mut Table<'_, '_>) -> Vec<Phone> {
        let named = table.strings("business_numbers").unwrap_or_default();
        let ours = self.ours();
        let mut numbers = Vec::new();
        for found in named {
            let Some(number) = phone(table, "business_numbers", found) else { continue };
            if !ours.is_empty() && !ours.contains(&number) {
                let message = format!(
                    "'business_numbers' in {} has {}, which no channel has; correct it, or add it to a channel",
                    table.label,
                    number.e164()
                );
                table.problem_at(found.at, message);
            }
            numbers.push(number);
        }
        numbers
    }

    fn activity(&self, table: &mut Table<'_, '_>) -> Activity {
        let words =
            [("summary", Activity::Summary), ("transcript", Activity::Transcript), ("link", Activity::Link)];
        let activity = word(table, "activity", &words).unwrap_or_default();
        if activity == Activity::Link && self.server.public_url.is_none() {
            let needed = "needs 'public_url' in [server]; add it, or write \"transcript\"";
            table.problem(format!("'activity' in {} is \"link\" and {needed}", table.label));
        }
        activity
    }
}

/// One of a few words.
pub(super) fn word<T: Copy>(table: &mut Table<'_, '_>, key: &'static str, words: &[(&str, T)]) -> Option<T> {
    let Found { value, at } = table.string(key)?;
    let found = words.iter().find(|(word, _)| *word == value).map(|(_, meaning)| *meaning);
    if found.is_none() {
        let words: Vec<String> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
        let words = words.join(" or ");
        table.problem_at(at, format!("'{key}' in {} cannot be '{value}'; write {words}", table.label));
    }
    found
}

fn crm(table: &mut Table<'_, '_>) -> Option<&'static dyn Crm> {
    let Found { value, at } = table.required("crm", "hubspot")?;
    let crm = registry::find(value);
    if crm.is_none() {
        let slugs: Vec<&str> = CRMS.iter().map(|crm| crm.about().slug).collect();
        let way_out = match nearest(value, slugs.iter().copied()) {
            Some(near) => format!("did you mean '{near}'?"),
            None => format!("this version knows {}", slugs.join(", ")),
        };
        table.problem_at(at, format!("unknown CRM '{value}' in {}; {way_out}", table.label));
    }
    crm
}

fn person(table: &mut Table<'_, '_>, about: Option<&'static About>) -> Option<&'static str> {
    let found = table.string("person");
    let about = about?;
    let Some(Found { value, at }) = found else { return about.people.first().copied() };
    let person = about.people.iter().copied().find(|known| *known == value);
    if person.is_none() {
        let (crm, people) = (about.name, about.people.join("\" or \""));
        let message =
            format!("'person' in {} cannot be '{value}' with {crm}; write \"{people}\"", table.label);
        table.problem_at(at, message);
    }
    person
}

fn mode(table: &mut Table<'_, '_>) -> Mode {
    let words = [Mode::Live, Mode::Shadow, Mode::Paused].map(|mode| (mode.as_str(), mode));
    word(table, "mode", &words).unwrap_or_default()
}

fn key_field(table: &mut Table<'_, '_>) -> String {
    let Some(Found { value, at }) = table.string("key_field") else { return "wa_e164".to_owned() };
    if value.trim().is_empty() {
        let message = format!(
            "'key_field' in {} is empty; name a unique field of the CRM, or remove it for wa_e164",
            table.label
        );
        table.problem_at(at, message);
    }
    value.to_owned()
}

/// The address of a host, without a slash at the end.
pub(super) fn url(table: &mut Table<'_, '_>, key: &'static str, example: &str) -> Option<String> {
    let Found { value, at } = table.string(key)?;
    if let Err(fault) = check_url(value) {
        let message = format!("'{key}' in {} {fault}; write it as \"{example}\"", table.label);
        table.problem_at(at, message);
    }
    Some(value.trim_end_matches('/').to_owned())
}

/// Tokens and people go there: unencrypted only to this machine.
pub(in crate::config) fn check_url(text: &str) -> Result<(), &'static str> {
    let url = Url::parse(text).map_err(|_| "is not a URL")?;
    let is_here = match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    if url.scheme() != "https" && !(url.scheme() == "http" && is_here) {
        return Err("must begin with https:// (http:// only for this machine)");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not hold a user or a password");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("must end before any '?' or '#'");
    }
    Ok(())
}

fn regions(table: &mut Table<'_, '_>) -> Vec<Country> {
    let found = table.strings("regions").unwrap_or_default();
    let country = |Found { value, at }: Found<&str>| {
        let country = Country::new(value);
        if country.is_none() {
            let message = format!(
                "'regions' in {} holds no country: '{value}'; write two letters (ISO 3166-1), such as \"IN\"",
                table.label
            );
            table.problem_at(at, message);
        }
        country
    };
    found.into_iter().filter_map(country).collect()
}

/// `[target.deal]`: none, one that is wrong (`Some(None)`), or one.
fn deal(table: &mut Table<'_, '_>) -> Option<Option<Deal>> {
    let label = format!("[target.deal] of {}", table.label);
    let mut table = table.section("deal")?;
    table.label = label;
    let example = "\"demo_request\"";
    let named = table.strings("when").unwrap_or_default();
    if named.is_empty() {
        table.problem(format!("{} says no 'when'; add when = [{example}]", table.label));
    }
    for Found { value, at } in named.iter().filter(|found| !SIGNALS.contains(&found.value)) {
        let way_out = match nearest(value, SIGNALS) {
            Some(near) => format!("did you mean '{near}'?"),
            None => format!("there are {}", SIGNALS.join(", ")),
        };
        table.problem_at(*at, format!("unknown signal '{value}' in {}; {way_out}", table.label));
    }
    let pipeline = table.required("pipeline", "default").map(|found| found.value.to_owned());
    let stage = table.required("stage", "appointmentscheduled").map(|found| found.value.to_owned());
    let days = table.integer("close_after_days", 1..=3650).unwrap_or(90);
    let stages = by_name(&mut table, "stages", "{ qualified = \"qualifiedtobuy\" }");
    let restricted_stages = restricted(&mut table, stage.as_deref(), &stages);
    table.finish(&[]);
    let when = named.into_iter().map(|found| found.value.to_owned()).collect();
    let close_after = SignedDuration::from_hours(i64::from(days) * 24);
    Some(pipeline.zip(stage).map(|(pipeline, stage)| Deal {
        when,
        pipeline,
        stage,
        close_after,
        stages,
        restricted_stages,
    }))
}

/// A table of a chatbot's names and the CRM's ids.
fn by_name(table: &mut Table<'_, '_>, key: &'static str, example: &str) -> BTreeMap<String, String> {
    let label = table.label.clone();
    let mut known = BTreeMap::new();
    for (name, Found { value, at }) in table.map(key, example) {
        if name.trim().is_empty() || value.trim().is_empty() {
            table.problem_at(at, format!("'{key}' in {label} has an empty name or id; write {example}"));
        }
        known.insert(name.to_owned(), value.to_owned());
    }
    known
}

/// Stages that no deal may enter; that one of the others is among them is a contradiction.
fn restricted(
    table: &mut Table<'_, '_>,
    stage: Option<&str>,
    stages: &BTreeMap<String, String>,
) -> Vec<String> {
    let label = table.label.clone();
    let named = table.strings("restricted_stages").unwrap_or_default();
    for Found { value, at } in &named {
        if stage == Some(*value) || stages.values().any(|stage| stage == value) {
            let message = format!(
                "'restricted_stages' in {label} has '{value}', which deals enter by 'stage' or 'stages'; take it \
                 out of one of them"
            );
            table.problem_at(*at, message);
        }
    }
    named.into_iter().map(|found| found.value.to_owned()).collect()
}

/// A deal must be linked to whoever is made.
fn owns_deals(table: &mut Table<'_, '_>, about: Option<&'static About>, person: Option<&'static str>) {
    let Some((about, person)) = about.zip(person) else { return };
    let owners = about.capability.deals_of;
    if !owners.contains(&person) {
        let (label, crm, owners) = (&table.label, about.name, owners.join("\" or \""));
        let text = format!(
            "{crm} links no deal to a {person}, and {label} has [target.deal]; write person = \"{owners}\", or \
             remove [target.deal]"
        );
        table.problem(text);
    }
}

/// How long an open window that was merely extended may stay as it was told.
fn window_refresh(table: &mut Table<'_, '_>) -> SignedDuration {
    let minutes = table.integer("window_refresh_minutes", 5..=1440);
    minutes.map_or(WINDOW_REFRESH, |minutes| SignedDuration::from_mins(minutes.into()))
}

/// `[target.person_rule]`: whose record is created.
fn person_rule(table: &mut Table<'_, '_>) -> PersonRule {
    let label = format!("[target.person_rule] of {}", table.label);
    let Some(mut rule) = table.section("person_rule") else { return PersonRule::default() };
    rule.label = label;
    let words = PersonRule::ALL.map(|rule| (rule.as_str(), rule));
    let found = word(&mut rule, "when", &words);
    rule.finish(&[]);
    found.unwrap_or_default()
}
