//! `wabridge demo`: the main job on one screen, with nothing to configure and no network.
//!
//! In: nothing. Out: a real daemon on a temporary store, proven traffic of every provider with
//! re-deliveries, disorder and forgeries, carried into a simulated CRM that has bad moments, and what the API answers.

mod crm;
mod partners;
mod play;
mod script;
mod show;

use super::failure::{Failure, OrExit};
use super::serve::{exit_of, listen_for_signals};
use crate::clock::{Clock, SystemClock};
use crate::config::{Channel, Config, SecretReference};
use crate::exit::Exit;
use crate::runtime::Daemon;
use crate::store;
use crate::web::api::token as tokens;
use secrecy::ExposeSecret;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use wabridge_model::Phone;
use wabridge_providers::registry;
use wabridge_providers::signature::Scheme;

/// See the main job: leads, verdicts and ads from proven traffic, nothing to configure
#[derive(Debug, clap::Args)]
pub(super) struct Demo {
    /// The port to listen on; 0 takes a free one
    #[arg(long, value_name = "N", default_value_t = 0)]
    port: u16,
    /// Stop when everything is processed, instead of staying up to be looked at
    #[arg(long)]
    exit: bool,
    /// Print the outcome as JSON
    #[arg(long)]
    json: bool,
}

impl Demo {
    pub(super) fn run(self, out: &mut dyn Write) -> Result<Exit, Failure> {
        let folder = Folder::new()?;
        let mut config = config(folder.0.join("demo.db"), self.port)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let crm = crm::Crm::start()?;
        let target = crm.target().ok_or_else(|| Failure::new(Exit::Internal, "the demo's CRM is unknown"))?;
        runtime.block_on(crm.set_up(&target, &config)).or_exit(Exit::Internal)?;
        config.targets.push(target);
        let clock: Arc<SystemClock> = Arc::default();
        let requests = script::requests(clock.now(), &config).or_exit(Exit::Internal)?;
        let token = token(&config, &*clock)?;
        let address = config.server.listen;
        let daemon = Daemon::start(config, Arc::clone(&clock) as _).or_exit(if address.port() == 0 {
            Exit::Internal
        } else {
            Exit::Unavailable
        })?;
        let outcome = runtime.block_on(async {
            let client = play::Client::new(daemon.address, &token)?;
            let sent = client.deliver(&requests).await?;
            play::drained(&*daemon.store).await?;
            crm::delivered(&*daemon.store, || clock.now()).await?;
            client.ask(sent, &script::people()).await
        });
        let outcome = outcome.or_exit(Exit::Internal)?;
        let books = daemon.store.books().or_exit(Exit::Internal)?;
        let delivered = crm.delivered();
        let is_delivered = delivered.persons == outcome.leads.len() && books.is_delivered();
        let balanced = books.balance() && outcome.is_as_sent(&books) && is_delivered;
        if self.json {
            show::json(out, &outcome, &books, &delivered, balanced)?;
        } else {
            show::text(out, &outcome, &books, &delivered, balanced)?;
            if !self.exit {
                show::where_to_look(out, daemon.address, &token)?;
            }
        }
        out.flush()?;
        if !self.exit {
            let signals = listen_for_signals(daemon.stopper.clone())?;
            let _ = daemon.wait();
            drop(signals);
        }
        daemon.stop();
        Ok(if balanced { Exit::Success } else { Exit::Internal })
    }
}

/// A folder of its own that goes when the demo ends.
struct Folder(PathBuf);

impl Folder {
    fn new() -> std::io::Result<Folder> {
        use std::os::unix::fs::DirBuilderExt;
        let path = std::env::temp_dir().join(format!("wabridge-demo-{}", uuid::Uuid::now_v7().simple()));
        std::fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Folder(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed stays in the temporary folder, which the system clears.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// One channel of each provider, with secrets that live as long as the demo.
fn config(store: PathBuf, port: u16) -> Result<Config, Failure> {
    let mut config = Config::new(store);
    config.server.listen = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    config.server.public_url = Some("https://hooks.example.in".to_owned());
    for provider in registry::PROVIDERS {
        let slug = provider.about().slug;
        let mut channel = Channel::new(slug, *provider);
        let secret = match slug {
            "chatbot" => "whsec_d2FicmlkZ2UtZGVtby1zZWNyZXQtMDAwMDAwMDAwMDE=".to_owned(),
            _ => format!("wabridge-demo-{}", uuid::Uuid::now_v7().simple()),
        };
        let secrets = match provider.about().scheme {
            Scheme::SharedSecret => &mut channel.path_tokens,
            _ => &mut channel.signing,
        };
        *secrets = vec![SecretReference::Held(secret.into())];
        let number = Phone::from_whatsapp_id(script::BUSINESS).or_exit(Exit::Internal)?;
        channel.business_numbers = script::accounts().map(|id| (id.to_owned(), number.clone())).collect();
        channel.business_number = Some(number);
        config.channels.push(channel);
    }
    Ok(config)
}

fn token(config: &Config, clock: &dyn Clock) -> Result<String, Failure> {
    let fail = |error: crate::store::StoreError| Failure::of(exit_of(&error), error);
    store::prepare(&config.store).map_err(fail)?;
    let store = store::open_to_read(&config.store).map_err(fail)?;
    let (secret, hash) = tokens::create().or_exit(Exit::Internal)?;
    let row = crate::store::TokenRow {
        name: "demo".to_owned(),
        scopes: vec!["admin".to_owned()],
        created_at: clock.now(),
        revoked_at: None,
    };
    store.add_token(&row, hash).map_err(fail)?;
    Ok(secret.expose_secret().to_owned())
}
