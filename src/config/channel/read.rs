//! How `[[channel]]` is read: each key by its own rule, so that one mistake hides no other.

use super::{Channel, default_samples, is_meta, shared, signing_key};
use crate::config::document::{Found, Table, nearest};
use crate::config::secret::SecretReference;
use crate::config::server::Server;
use std::collections::{BTreeMap, BTreeSet};
use wabridge_model::Phone;
use wabridge_providers::registry::{self, PROVIDERS};
use wabridge_providers::signature::Scheme;
use wabridge_providers::{About, Provider, SampleId};

/// Keys that the design names and nothing reads yet.
const LATER: &[&str] = &["inbox_url"];

/// The keys that hold signing secrets: each provider's own word for them. A provider not named here says `secrets`.
const SIGNING_KEYS: [&str; 3] = ["app_secrets", "auth_tokens", "secrets"];

/// Every channel of the file.
pub(in crate::config) fn read_all(root: &mut Table<'_, '_>, server: &Server) -> Vec<Channel> {
    let mut names = BTreeSet::new();
    root.sections("channel").into_iter().filter_map(|table| channel(table, server, &mut names)).collect()
}

fn channel(mut table: Table<'_, '_>, server: &Server, names: &mut BTreeSet<String>) -> Option<Channel> {
    let name = name(&mut table, "channel", names);
    let provider = provider(&mut table);
    let about = provider.map(Provider::about);
    let portfolio = portfolio(&mut table);
    let path_tokens = shared::path_tokens(&mut table);
    let header = shared::header(&mut table, about);
    let has_shared = header.is_some() || !path_tokens.is_empty();
    let signing = signing(&mut table, about, has_shared);
    let verify_token = verify_token(&mut table, about);
    let business_numbers = business_numbers(&mut table);
    let business_number = table.string("business_number").and_then(|n| phone(&table, "business_number", n));
    let sample_ids = sample_ids(&mut table, about);
    let allowed_ips = shared::allowed_ips(&mut table);
    let secondary = shared::is_secondary(&mut table);
    let retired = table.boolean("retired").unwrap_or_default();
    if about.is_some_and(|about| about.scheme == Scheme::TwilioHmacSha1) && server.public_url.is_none() {
        let needed =
            "needs 'public_url' in [server]: its provider signs the URL; add public_url = \"https://...\"";
        table.problem(format!("{} {needed}", table.label));
    }
    table.finish(LATER);
    let provider = provider?;
    Some(Channel {
        name: name?,
        portfolio,
        signing,
        verify_token,
        path_tokens,
        header,
        allowed_ips,
        secondary,
        retired,
        business_numbers,
        business_number,
        sample_ids: sample_ids.unwrap_or_else(|| default_samples(provider.about())),
        provider,
    })
}

/// The name of a `[[what]]`, from then on part of the table's label.
pub(in crate::config) fn name(
    table: &mut Table<'_, '_>,
    what: &str,
    names: &mut BTreeSet<String>,
) -> Option<String> {
    let Found { value, at } = table.required("name", "main")?;
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    table.label = format!("[[{what}]] '{value}'");
    if !(1..=64).contains(&value.len()) || !value.chars().all(allowed) {
        let rule = "is part of a URL: write 1 to 64 of a-z, 0-9, - and _";
        table.problem_at(at, format!("'name' of {} {rule}", table.label));
        return None;
    }
    if !names.insert(value.to_owned()) {
        table.problem_at(
            at,
            format!("'name' of {} is taken by a {what} above; give this one another", table.label),
        );
        return None;
    }
    Some(value.to_owned())
}

fn provider(table: &mut Table<'_, '_>) -> Option<&'static dyn Provider> {
    let Found { value, at } = table.required("provider", "meta")?;
    let provider = registry::find(value);
    if provider.is_none() {
        let slugs: Vec<&str> = PROVIDERS.iter().map(|provider| provider.about().slug).collect();
        let way_out = match nearest(value, slugs.iter().copied()) {
            Some(near) => format!("did you mean '{near}'?"),
            None => format!("this version knows {}", slugs.join(", ")),
        };
        table.problem_at(at, format!("unknown provider '{value}' in {}; {way_out}", table.label));
    }
    provider
}

fn portfolio(table: &mut Table<'_, '_>) -> String {
    let found = table.string("portfolio");
    if let Some(Found { value: "", at }) = found {
        table.problem_at(at, format!("'portfolio' in {} is empty; name it or remove it", table.label));
    }
    found.map_or("default", |found| found.value).to_owned()
}

/// The references of the provider's own key; another provider's key is refused by name.
fn signing(table: &mut Table<'_, '_>, about: Option<&About>, has_shared: bool) -> Vec<SecretReference> {
    let mut references = Vec::new();
    let mut given = false;
    for key in SIGNING_KEYS {
        let Some(items) = table.strings(key) else { continue };
        if let Some(about) = about.filter(|about| !signs(about) || signing_key(about) != key) {
            let message = format!(
                "'{key}' in {} is not a word of {}; write {}",
                table.label,
                about.slug,
                example(about)
            );
            table.problem(message);
        }
        given |= !table.is_empty_list(key);
        references.extend(
            items
                .into_iter()
                .enumerate()
                .filter_map(|(index, item)| reference(table, &format!("{key}[{index}]"), item)),
        );
    }
    let suffices = |about: &&About| given || (has_shared && about.scheme.takes_shared_secret());
    if let Some(about) = about.filter(|about| !suffices(about)) {
        let message =
            format!("{} has no proof: anybody could post to it; add {}", table.label, example(about));
        table.problem(message);
    }
    references
}

fn signs(about: &About) -> bool {
    about.scheme != Scheme::SharedSecret
}

/// What proves a provider's requests, as one would write it.
fn example(about: &About) -> String {
    match about.scheme {
        Scheme::SharedSecret => "path_token = \"env:NAME\"".to_owned(),
        _ => format!("{} = [\"env:NAME\"]", signing_key(about)),
    }
}

fn verify_token(table: &mut Table<'_, '_>, about: Option<&About>) -> Option<SecretReference> {
    let found = table.string("verify_token")?;
    if let Some(about) = about.filter(|about| !is_meta(about)) {
        let message = format!("'verify_token' in {} is not a word of {}; remove it", table.label, about.slug);
        table.problem_at(found.at, message);
    }
    reference(table, "verify_token", found)
}

pub(in crate::config) fn reference(
    table: &Table<'_, '_>,
    key: &str,
    found: Found<&str>,
) -> Option<SecretReference> {
    let reference = SecretReference::parse(found.value);
    reference.map_err(|fault| table.problem_at(found.at, format!("'{key}' in {} {fault}", table.label))).ok()
}

fn business_numbers(table: &mut Table<'_, '_>) -> BTreeMap<String, Phone> {
    let example = "{ \"106540352242922\" = \"+918047000000\" }";
    let entries = table.map("business_numbers", example);
    let number = |(id, found): (&str, Found<&str>)| {
        Some((id.to_owned(), phone(table, &format!("business_numbers.{id}"), found)?))
    };
    entries.into_iter().filter_map(number).collect()
}

/// Not tested against the numbering plans: the test numbers that Meta lends are not in them.
pub(in crate::config) fn phone(table: &Table<'_, '_>, key: &str, found: Found<&str>) -> Option<Phone> {
    let Found { value, at } = found;
    let phone = value.strip_prefix('+').and_then(|digits| Phone::from_whatsapp_id(digits).ok());
    if phone.is_none() {
        let message = format!(
            "'{key}' in {} is not a phone number in E.164 form: '{value}'; write + and 7 to 15 digits, such as \"+918047000000\"",
            table.label
        );
        table.problem_at(at, message);
    }
    phone
}

fn sample_ids(table: &mut Table<'_, '_>, about: Option<&About>) -> Option<Vec<SampleId>> {
    let tables = table.tables("sample_ids", "{ entry = \"0\", phone_number_id = \"123456123\" }")?;
    if let Some(about) = about.filter(|about| !is_meta(about)) {
        table.problem(format!("'sample_ids' in {} is not a word of {}; remove it", table.label, about.slug));
    }
    let sample = |mut table: Table<'_, '_>| {
        let entry = table.required("entry", "0").map(|found| found.value.to_owned());
        let phone_number_id =
            table.required("phone_number_id", "123456123").map(|found| found.value.to_owned());
        table.finish(&[]);
        Some(SampleId { entry: entry?, phone_number_id: phone_number_id? })
    };
    Some(tables.into_iter().filter_map(sample).collect())
}
