//! What `check` says of a channel that works and could work better: by its configuration, and by what it was sent.
//!
//! In: the channels, and the newest stored requests of each. Out: sentences with what to do at the provider. A
//! better mode shows only in bodies: nobody configures here which version of its format a provider sends.

use crate::config::{Channel, Config};
use crate::store::{self, Journal, StoreError};
use std::collections::HashMap;
use wabridge_providers::signature::Scheme;

/// How far back it looks, over all channels: a request may hold a thousand items.
const REQUESTS: u16 = 200;

/// One piece of advice.
pub(super) struct Advice {
    /// Whether the channel's own requests show it; else it is what to choose when it is connected.
    pub(super) is_seen: bool,
    /// What, and what to do.
    pub(super) text: String,
}

/// What could be better in each channel that is not retired. Without a store, by the configuration alone.
pub(super) fn advice(config: &Config) -> Result<Vec<Advice>, StoreError> {
    let mut recent = match config.store.file() {
        Some(path) if !path.exists() => HashMap::new(),
        _ => newest_bodies(&*store::open_to_read(&config.store)?)?,
    };
    let channels = config.channels.iter().filter(|channel| !channel.retired);
    Ok(channels
        .flat_map(|channel| of_channel(channel, &recent.remove(&channel.name).unwrap_or_default()))
        .collect())
}

fn of_channel(channel: &Channel, recent: &[Vec<u8>]) -> Vec<Advice> {
    let bodies: Vec<&[u8]> = recent.iter().map(Vec::as_slice).collect();
    let by_provider =
        channel.provider.advice(&bodies).into_iter().map(|text| (!bodies.is_empty(), text.to_owned()));
    let advice = of_secrets(channel).into_iter().chain(by_provider);
    advice
        .map(|(is_seen, text)| Advice { is_seen, text: format!("channel '{}': {text}", channel.name) })
        .collect()
}

/// What the channel's secrets leave open.
fn of_secrets(channel: &Channel) -> Option<(bool, String)> {
    let about = channel.provider.about();
    let name = about.name;
    match about.scheme {
        Scheme::SharedSecret if channel.header.is_none() => Some((
            false,
            format!(
                "only its URL proves {name}, and URLs end up in logs; where {name} lets you set a header, add header = {{ name = \"X-Our-Token\", value = \"env:NAME\" }}"
            ),
        )),
        Scheme::SharedSecret => None,
        _ if !about.retries && channel.path_tokens.is_empty() => Some((
            true,
            format!(
                "{name} does not go on sending: what its secret does not prove is refused and lost; add path_token = \"env:NAME\", which keeps it until the secret is mended"
            ),
        )),
        _ => None,
    }
}

/// The newest bodies of each channel, newest first.
fn newest_bodies(journal: &dyn Journal) -> Result<HashMap<String, Vec<Vec<u8>>>, StoreError> {
    let after = (journal.newest_request()? - i64::from(REQUESTS)).max(0);
    let mut recent: HashMap<String, Vec<Vec<u8>>> = HashMap::new();
    for entry in journal.entries_after(after, REQUESTS.into())?.into_iter().rev() {
        let body = journal.body(entry.id)?;
        recent.entry(entry.channel).or_default().extend(body);
    }
    Ok(recent)
}
