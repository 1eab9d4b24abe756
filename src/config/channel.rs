//! `[[channel]]`: one webhook endpoint: a provider, its secrets, and the business numbers behind it.

use super::document::{Found, Table, nearest};
use super::region::Region;
use super::secret::{SecretError, SecretErrors, SecretFault, SecretReference};
use super::server::Server;
use secrecy::{ExposeSecret, SecretString};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use wabridge_model::Phone;
use wabridge_providers::registry::{self, PROVIDERS};
use wabridge_providers::signature::Scheme;
use wabridge_providers::{About, Account, Provider, SampleId, Secrets};

/// Keys that the design names and nothing reads yet.
const LATER: &[&str] = &["allowed_ips", "header", "inbox_url", "path_token", "retired", "role"];

/// The keys that hold signing secrets: each provider's own word for them. A provider not named here says `secrets`.
const SIGNING_KEYS: [&str; 3] = ["app_secrets", "auth_tokens", "secrets"];

/// One webhook endpoint.
#[derive(Clone)]
pub struct Channel {
    /// Its name, the last part of its URL.
    pub name: String,
    /// Whose format it speaks.
    pub provider: &'static dyn Provider,
    /// The scope of its BSUIDs.
    pub portfolio: String,
    /// Where its signing secrets are, the newest first.
    pub signing: Vec<SecretReference>,
    /// Where Meta's verify token is.
    pub verify_token: Option<SecretReference>,
    /// The provider's account id to our number.
    pub business_numbers: BTreeMap<String, Phone>,
    /// The channel's only number, for providers that do not name it.
    pub business_number: Option<Phone>,
    /// The ids of the provider's dashboard test.
    pub sample_ids: Vec<SampleId>,
}

impl Channel {
    /// A channel with its provider's defaults and no secrets: for tests and the demo.
    #[must_use]
    pub fn new(name: impl Into<String>, provider: &'static dyn Provider) -> Channel {
        Channel {
            name: name.into(),
            provider,
            portfolio: "default".to_owned(),
            signing: Vec::new(),
            verify_token: None,
            business_numbers: BTreeMap::new(),
            business_number: None,
            sample_ids: default_samples(provider.about()),
        }
    }

    /// The channel as its provider needs to know it, without secrets.
    #[must_use]
    pub fn account(&self, server: &Server, region: &Region) -> Account {
        Account {
            channel: self.name.clone(),
            portfolio: self.portfolio.clone(),
            business_numbers: self.business_numbers.clone(),
            business_number: self.business_number.clone(),
            sample_ids: self.sample_ids.clone(),
            default_country: region.default_country,
            public_url: server.hook_url(&self.name),
            secrets: Secrets::default(),
        }
    }

    /// Fetches the channel's secrets.
    ///
    /// # Errors
    /// Every reference that gives none, not only the first.
    pub fn resolve_secrets(&self) -> Result<Secrets, SecretErrors> {
        let mut errors = Vec::new();
        let about = self.provider.about();
        let mut signing = Vec::new();
        for (index, reference) in self.signing.iter().enumerate() {
            let secret = reference.resolve().and_then(|secret| fit(about.scheme, secret));
            let key = format!("{}[{index}]", signing_key(about));
            signing.extend(self.settle(secret, key, reference, &mut errors));
        }
        let verify_token = self.verify_token.as_ref().and_then(|reference| {
            self.settle(reference.resolve(), "verify_token".to_owned(), reference, &mut errors)
        });
        if errors.is_empty() { Ok(Secrets { signing, verify_token }) } else { Err(SecretErrors(errors)) }
    }

    fn settle(
        &self,
        secret: Result<SecretString, SecretFault>,
        key: String,
        reference: &SecretReference,
        errors: &mut Vec<SecretError>,
    ) -> Option<SecretString> {
        match secret {
            Ok(secret) => Some(secret),
            Err(fault) => {
                let channel = self.name.clone();
                errors.push(SecretError { channel, key, reference: reference.to_string(), fault });
                None
            }
        }
    }

    /// What is allowed and probably not meant.
    pub(super) fn warning(&self) -> Option<String> {
        (is_meta(self.provider.about()) && self.verify_token.is_none()).then(|| {
            format!(
                "channel '{}' has no verify_token: Meta cannot confirm its URL; add verify_token = \"env:NAME\"",
                self.name
            )
        })
    }

    fn read(mut table: Table<'_, '_>, server: &Server, names: &mut BTreeSet<String>) -> Option<Channel> {
        let name = name(&mut table, names);
        let provider = provider(&mut table);
        let about = provider.map(Provider::about);
        let portfolio = portfolio(&mut table);
        let signing = signing(&mut table, about);
        let verify_token = verify_token(&mut table, about);
        let business_numbers = business_numbers(&mut table);
        let business_number =
            table.string("business_number").and_then(|n| phone(&table, "business_number", n));
        let sample_ids = sample_ids(&mut table, about);
        if about.is_some_and(|about| about.scheme == Scheme::TwilioHmacSha1) && server.public_url.is_none() {
            let needed = "needs 'public_url' in [server]: its provider signs the URL; add public_url = \"https://...\"";
            table.problem(format!("{} {needed}", table.label));
        }
        table.finish(LATER);
        let provider = provider?;
        Some(Channel {
            name: name?,
            portfolio,
            signing,
            verify_token,
            business_numbers,
            business_number,
            sample_ids: sample_ids.unwrap_or_else(|| default_samples(provider.about())),
            provider,
        })
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let provider = self.provider.about().slug;
        f.debug_struct("Channel")
            .field("name", &self.name)
            .field("provider", &provider)
            .finish_non_exhaustive()
    }
}

/// Every channel of the file.
pub(super) fn read_all(root: &mut Table<'_, '_>, server: &Server) -> Vec<Channel> {
    let mut names = BTreeSet::new();
    root.sections("channel")
        .into_iter()
        .filter_map(|table| Channel::read(table, server, &mut names))
        .collect()
}

fn is_meta(about: &About) -> bool {
    about.slug == "meta"
}

/// A provider's own word for its signing secrets.
fn signing_key(about: &About) -> &'static str {
    match about.slug {
        "meta" => "app_secrets",
        "twilio" => "auth_tokens",
        _ => "secrets",
    }
}

/// The ids that Meta's dashboard sends on "Test".
fn default_samples(about: &About) -> Vec<SampleId> {
    let sample = SampleId { entry: "0".to_owned(), phone_number_id: "123456123".to_owned() };
    if is_meta(about) { vec![sample] } else { Vec::new() }
}

/// A secret in its provider's form: a slip here would refuse every webhook.
fn fit(scheme: Scheme, secret: SecretString) -> Result<SecretString, SecretFault> {
    if scheme == Scheme::StandardWebhooks && !secret.expose_secret().starts_with("whsec_") {
        return Err(SecretFault::Unfit("does not begin with whsec_; write whsec_ and the secret in base64"));
    }
    Ok(secret)
}

fn name(table: &mut Table<'_, '_>, names: &mut BTreeSet<String>) -> Option<String> {
    let Found { value, at } = table.required("name", "main")?;
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    table.label = format!("[[channel]] '{value}'");
    if !(1..=64).contains(&value.len()) || !value.chars().all(allowed) {
        let rule = "is part of a URL: write 1 to 64 of a-z, 0-9, - and _";
        table.problem_at(at, format!("'name' of {} {rule}", table.label));
        return None;
    }
    if !names.insert(value.to_owned()) {
        table.problem_at(
            at,
            format!("'name' of {} is taken by a channel above; give this one another", table.label),
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
fn signing(table: &mut Table<'_, '_>, about: Option<&About>) -> Vec<SecretReference> {
    let mut references = Vec::new();
    let mut given = false;
    for key in SIGNING_KEYS {
        let Some(items) = table.strings(key) else { continue };
        if let Some(about) = about.filter(|about| signing_key(about) != key) {
            let message = format!(
                "'{key}' in {} is not a word of {}; write {} = [...]",
                table.label,
                about.slug,
                signing_key(about)
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
    if let Some(about) = about.filter(|_| !given) {
        let message = format!(
            "{} has no proof: anybody could post to it; add {} = [\"env:NAME\"]",
            table.label,
            signing_key(about)
        );
        table.problem(message);
    }
    references
}

fn verify_token(table: &mut Table<'_, '_>, about: Option<&About>) -> Option<SecretReference> {
    let found = table.string("verify_token")?;
    if let Some(about) = about.filter(|about| !is_meta(about)) {
        let message = format!("'verify_token' in {} is not a word of {}; remove it", table.label, about.slug);
        table.problem_at(found.at, message);
    }
    reference(table, "verify_token", found)
}

fn reference(table: &Table<'_, '_>, key: &str, found: Found<&str>) -> Option<SecretReference> {
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
fn phone(table: &Table<'_, '_>, key: &str, found: Found<&str>) -> Option<Phone> {
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
