//! `wabridge connect`: what to enter at a provider, and whether it worked.
//!
//! In: a channel of the configuration. Out: its URL and tokens, the screen and the fields at the provider, and
//! then the first request that arrives, with its proof and what became of it.

pub(super) mod guide;

use super::failure::{Failure, OrExit};
use super::reading::{failed, open, rest};
use super::saying;
use super::tail::print_entry;
use crate::config::{Channel, Config};
use crate::exit::Exit;
use crate::store::StoreError;
use crate::store::journal::{Entry, Journal};
use guide::{Guide, guide};
use secrecy::ExposeSecret;
use std::io::{self, Write};
use std::time::Duration;
use wabridge_providers::Secrets;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(200);

/// Say what to enter at a channel's provider, then wait for its first request
///
/// Shows the tokens that belong into the provider's screen. Exits 0 when a request arrived and could be read, 65 when
/// it was quarantined, 69 when none came in time, 78 when one came to the right URL with a wrong signature.
#[derive(Debug, clap::Args)]
pub(super) struct Connect {
    /// The channel's name in the configuration
    channel: String,
    /// Do not wait for a request
    #[arg(long)]
    no_wait: bool,
    /// How long to wait
    #[arg(long, value_name = "SECONDS", default_value_t = 900)]
    timeout: u64,
}

impl Connect {
    pub(super) fn run(&self, config: &Config, out: &mut impl Write) -> Result<Exit, Failure> {
        let channel =
            config.channel(&self.channel).ok_or_else(|| super::sign::unknown(&self.channel, config))?;
        let secrets = channel.resolve_secrets().or_exit(Exit::Config)?;
        tell(channel, &secrets, config, out)?;
        if self.no_wait {
            return Ok(Exit::Success);
        }
        let api = open(config)?;
        let wrong = |error| failed(&config.store, error);
        let parked = api.store.newest_parked(&channel.name).map_err(wrong)?;
        let mut wait =
            Wait { channel: &channel.name, after: api.store.newest_request().map_err(wrong)?, seen: None };
        writeln!(out, "\nWaiting for the first request, {} s at most (Ctrl-C ends it) ...", self.timeout)?;
        out.flush()?;
        let (started, patience) = (api.clock.elapsed(), Duration::from_secs(self.timeout));
        loop {
            if let Some(entry) = wait.step(api.store.as_ref()).map_err(wrong)? {
                return verdict(&entry, config, out);
            }
            if api.store.newest_parked(&channel.name).map_err(wrong)? > parked {
                return Err(wrong_secret(channel));
            }
            if api.clock.elapsed().saturating_sub(started) >= patience {
                return Err(nothing(&wait));
            }
            rest(LOOK);
        }
    }
}

/// Waiting for one channel's first request, and for what becomes of it.
struct Wait<'a> {
    channel: &'a str,
    after: i64,
    /// It arrived, and is not settled yet.
    seen: Option<i64>,
}

impl Wait<'_> {
    /// The request, once it is settled.
    fn step(&mut self, journal: &dyn Journal) -> Result<Option<Entry>, StoreError> {
        while self.seen.is_none() {
            let entries = journal.entries_after(self.after, 100)?;
            let Some(last) = entries.last() else { return Ok(None) };
            self.after = last.id;
            self.seen = entries.iter().find(|entry| entry.channel == self.channel).map(|entry| entry.id);
        }
        let Some(id) = self.seen else { return Ok(None) };
        Ok(journal.entry(id)?.filter(|entry| entry.settled))
    }
}

/// The right URL and a wrong signature: the secret is not the provider's.
fn wrong_secret(channel: &Channel) -> Failure {
    let places: Vec<String> = channel.signing.iter().map(ToString::to_string).collect();
    let places = places.join(", ");
    let text = format!(
        "a request came to the right URL with a wrong signature, and is parked: the secret in {places} is not the \
         provider's (or a proxy changes the URL or the body). Put the right one there, restart the daemon, and run \
         `wabridge replay --parked`"
    );
    Failure::new(Exit::Config, text)
}

fn nothing(wait: &Wait<'_>) -> Failure {
    let text = match wait.seen {
        Some(request) => format!(
            "request {request} arrived and was stored, but is not projected yet: is the daemon running?"
        ),
        None => format!(
            "no request of channel '{}' was accepted in time; if the provider says that it posted, the daemon's log and \
             wabridge_webhook_auth_failures_total on /metrics say why it was refused",
            wait.channel
        ),
    };
    Failure::new(Exit::Unavailable, text)
}

fn verdict(entry: &Entry, config: &Config, out: &mut impl Write) -> Result<Exit, Failure> {
    writeln!(out, "\nVerified ({}). This is what it says:", saying::proof(entry.proof))?;
    print_entry(entry, &config.region, out)?;
    let quarantined = entry.items.iter().filter(|item| item.result == "quarantined").count();
    if quarantined > 0 {
        writeln!(
            out,
            "{quarantined} of {} could not be understood. They are kept; a later version reads them again.",
            entry.items.len()
        )?;
        return Ok(Exit::Data);
    }
    writeln!(out, "It works: channel '{}' is connected.", entry.channel)?;
    Ok(Exit::Success)
}

fn tell(channel: &Channel, secrets: &Secrets, config: &Config, out: &mut impl Write) -> io::Result<()> {
    let about = channel.provider.about();
    writeln!(out, "Channel '{}' of {}", channel.name, about.name)?;
    let token =
        secrets.path_tokens.first().map(|token| format!("/{}", token.expose_secret())).unwrap_or_default();
    let url = match config.server.hook_url(&channel.name) {
        Some(url) => format!("{url}{token}"),
        None => format!("https://<your host>/hooks/{}{token}", channel.name),
    };
    writeln!(out, "  URL    {url}")?;
    if config.server.public_url.is_none() {
        writeln!(
            out,
            "         (set public_url in [server]: the host under which providers reach this machine)"
        )?;
    }
    let shown = match (&secrets.verify_token, &secrets.header) {
        (Some(token), _) => token.expose_secret().to_owned(),
        (None, Some((name, values))) => {
            let value = values.first().map(|value| value.expose_secret()).unwrap_or_default();
            serde_json::json!({ name.as_str(): value }).to_string()
        }
        (None, None) => String::new(),
    };
    if !shown.is_empty() {
        let what = if secrets.verify_token.is_some() { "Verify token" } else { "Header" };
        writeln!(out, "  {what} {shown}")?;
    }
    match guide(about.slug) {
        Some(guide) => steps(guide, &url, &shown, out)?,
        None => writeln!(out, "\nEnter the URL at {}.", about.name)?,
    }
    writeln!(out, "\nIts documentation: {}", about.documentation)
}

fn steps(guide: &Guide, url: &str, token: &str, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "\nWhat to do there:")?;
    for (number, step) in (1..).zip(guide.steps) {
        writeln!(out, "  {number}. {}", step.replace("{url}", url).replace("{token}", token))?;
    }
    writeln!(out, "\nTick:")?;
    for field in guide.fields {
        writeln!(out, "  [x] {field}")?;
    }
    writeln!(out, "\nThe signing secret: {}.\nMind: {}", guide.secret, guide.mind)
}
