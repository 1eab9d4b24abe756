//! The channels as the running daemon looks them up: by name, with provider and account side by side.

use super::secret::SecretErrors;
use super::{Channel, Config};
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use wabridge_providers::{Account, Provider};

/// Every channel, by name.
#[derive(Debug, Clone, Default)]
pub struct Channels(BTreeMap<String, Endpoint>);

/// One channel, ready to verify or to read what was stored.
#[derive(Clone)]
pub struct Endpoint {
    /// Whose format it speaks.
    pub provider: &'static dyn Provider,
    /// What its provider needs to know of it.
    pub account: Account,
    /// It only fills the gaps of other channels.
    pub secondary: bool,
    /// It was replaced: it takes what still comes, and its silence is no matter.
    pub retired: bool,
    /// Its URL ends in a token.
    pub has_path_token: bool,
    /// Who may post to it; empty: anybody who proves to know its secret.
    pub allowed_ips: Vec<IpAddr>,
}

impl Channels {
    /// The channels with their secrets, to serve webhooks.
    ///
    /// # Errors
    /// Every secret of every channel that cannot be resolved.
    pub fn with_secrets(config: &Config) -> Result<Channels, SecretErrors> {
        let mut channels = Channels::without_secrets(config);
        let mut errors = Vec::new();
        for channel in &config.channels {
            match (channel.resolve_secrets(), channels.0.get_mut(&channel.name)) {
                (Ok(secrets), Some(endpoint)) => endpoint.account.secrets = secrets,
                (Ok(_), None) => {}
                (Err(SecretErrors(more)), _) => errors.extend(more),
            }
        }
        if errors.is_empty() { Ok(channels) } else { Err(SecretErrors(errors)) }
    }

    /// The channels without secrets, to read what was verified when it was stored.
    #[must_use]
    pub fn without_secrets(config: &Config) -> Channels {
        let endpoint = |channel: &Channel| {
            let account = channel.account(&config.server, &config.region);
            let endpoint = Endpoint {
                provider: channel.provider,
                account,
                secondary: channel.secondary,
                retired: channel.retired,
                has_path_token: !channel.path_tokens.is_empty(),
                allowed_ips: channel.allowed_ips.clone(),
            };
            (channel.name.clone(), endpoint)
        };
        Channels(config.channels.iter().map(endpoint).collect())
    }

    /// The channel of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Endpoint> {
        self.0.get(name)
    }

    /// Every channel with its name, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Endpoint)> {
        self.0.iter().map(|(name, endpoint)| (name.as_str(), endpoint))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Endpoint {
    /// Whether this address may post. Where it cannot be told, only a channel that is open to all takes it.
    #[must_use]
    pub fn admits(&self, peer: Option<IpAddr>) -> bool {
        self.allowed_ips.is_empty()
            || peer.is_some_and(|peer| self.allowed_ips.contains(&peer.to_canonical()))
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let provider = self.provider.about().slug;
        let channel = &self.account.channel;
        f.debug_struct("Endpoint")
            .field("channel", channel)
            .field("provider", &provider)
            .finish_non_exhaustive()
    }
}
