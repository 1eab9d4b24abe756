//! `[[channel]]`: one webhook endpoint: a provider, its secrets, and the business numbers behind it.
//! Here is what it is; `read.rs` is how it is read.

mod read;
mod shared;

pub(super) use read::{name, phone, read_all, reference};

use super::region::Region;
use super::secret::{SecretError, SecretErrors, SecretFault, SecretReference};
use super::server::Server;
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use wabridge_model::Phone;
use wabridge_providers::signature::{Scheme, check_secret};
use wabridge_providers::{About, Account, Provider, SampleId, Secrets};

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
    /// Where the last parts of its URL are, the newest first.
    pub path_tokens: Vec<SecretReference>,
    /// A header that every request must have, and where its values are.
    pub header: Option<(String, Vec<SecretReference>)>,
    /// Who may post to it; empty: anybody who proves to know its secret.
    pub allowed_ips: Vec<IpAddr>,
    /// It only fills the gaps of other channels.
    pub secondary: bool,
    /// It was replaced: it takes what still comes, and its silence is no matter.
    pub retired: bool,
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
            path_tokens: Vec::new(),
            header: None,
            allowed_ips: Vec::new(),
            secondary: false,
            retired: false,
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
        let about = self.provider.about();
        let mut errors = Vec::new();
        let mut all = |key: &str, references: &[SecretReference], scheme: Scheme| -> Vec<SecretString> {
            let one = |(index, reference): (usize, &SecretReference)| {
                let secret = reference.resolve().and_then(|secret| fit(scheme, secret));
                self.settle(secret, format!("{key}[{index}]"), reference, &mut errors)
            };
            references.iter().enumerate().filter_map(one).collect()
        };
        let signing = all(signing_key(about), &self.signing, about.scheme);
        let path_tokens = all("path_token", &self.path_tokens, Scheme::SharedSecret);
        let header = self.header.as_ref();
        let header =
            header.map(|(name, values)| (name.clone(), all("header.value", values, Scheme::SharedSecret)));
        let verify_token = self.verify_token.as_ref().and_then(|reference| {
            self.settle(reference.resolve(), "verify_token".to_owned(), reference, &mut errors)
        });
        let secrets = Secrets { signing, verify_token, path_tokens, header };
        if errors.is_empty() { Ok(secrets) } else { Err(SecretErrors(errors)) }
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
                let owner = format!("channel '{}'", self.name);
                errors.push(SecretError { owner, key, reference: reference.to_string(), fault });
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

fn is_meta(about: &About) -> bool {
    about.slug == "meta"
}

/// A provider's own word for its signing secrets.
pub(crate) fn signing_key(about: &About) -> &'static str {
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
    check_secret(scheme, &secret).map_err(SecretFault::Unfit)?;
    Ok(secret)
}
