//! What the operator says: one TOML file, read strictly, every mistake reported at once with its way out.
//!
//! In: a path. Out: a [`Config`], in which everything is parsed and nothing secret is resolved, so that
//! commands which only read need no secret. One file per table; `document.rs` is how a table is read.
//!
//! A key is known because a table reads it: there is no second list of keys to keep.

mod alerts;
mod backup;
mod channel;
mod channels;
mod consent;
mod document;
mod enrichment;
mod error;
mod intents;
mod link;
mod live;
mod quota;
mod region;
mod secret;
mod server;
mod store;
mod summary;
pub mod target;
mod window;

pub use alerts::Alerts;
pub use backup::Backup;
pub use channel::Channel;
pub use channels::{Channels, Endpoint};
pub use consent::Consent;
pub use enrichment::Enrichment;
pub use error::{ConfigErrors, Problem};
pub use intents::{INTENTS, Intents};
pub use live::Live;
pub use quota::Quota;
pub use region::Region;
pub use secret::{SecretError, SecretErrors, SecretFault, SecretReference};
pub use server::Server;
pub use store::{Postgres, Reach, Store, address};
pub use summary::Summary;
pub use target::Target;
pub use window::Window;

pub(crate) use channel::signing_key;
pub(crate) use document::nearest;
use document::{Report, Table};
use std::path::{Path, PathBuf};
use wabridge_crms::mapping::Mapping;
use wabridge_model::event::Link;

/// Tables of the design that nothing reads yet. Accepting them in silence would promise what does not happen.
const LATER: &[&str] = &["answers", "conversions", "graph", "leads", "oidc", "retention"];

/// The whole configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// `[server]`
    pub server: Server,
    /// `[store]`
    pub store: Store,
    /// `[region]`
    pub region: Region,
    /// `[window]`
    pub window: Window,
    /// `[consent]`
    pub consent: Consent,
    /// `[intents]`
    pub intents: Intents,
    /// `[alerts]`
    pub alerts: Alerts,
    /// `[backup]`
    pub backup: Backup,
    /// `[summary]`: nobody is asked without it.
    pub summary: Option<Summary>,
    /// `[enrichment]`: nobody is asked without it.
    pub enrichment: Option<Enrichment>,
    /// `[quota]`
    pub quota: Quota,
    /// Every `[[channel]]`, in the order of the file. Names are unique.
    pub channels: Vec<Channel>,
    /// Every `[[link]]`. Codes are unique without regard to case.
    pub links: Vec<Link>,
    /// Every `[[target]]`, in the order of the file. Names are unique.
    pub targets: Vec<Target>,
}

impl Config {
    /// The defaults over a store at `path`, without channels: for tests and the demo, which need no file.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Config {
        Config {
            server: Server::default(),
            store: Store::new(path),
            region: Region::default(),
            window: Window::default(),
            consent: Consent::default(),
            intents: Intents::default(),
            alerts: Alerts::default(),
            backup: Backup::default(),
            summary: None,
            enrichment: None,
            quota: Quota::default(),
            channels: Vec::new(),
            links: Vec::new(),
            targets: Vec::new(),
        }
    }

    /// Reads and checks a file.
    ///
    /// # Errors
    /// Every mistake in it, each with its line, its key and the way out.
    pub fn load(path: impl AsRef<Path>) -> Result<Config, ConfigErrors> {
        let path = path.as_ref();
        match std::fs::read_to_string(path) {
            Ok(text) => Config::parse(&text, path),
            Err(error) => Err(ConfigErrors::unreadable(path, &error)),
        }
    }

    /// Reads and checks a text; `path` is only named in errors.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(text: &str, path: impl AsRef<Path>) -> Result<Config, ConfigErrors> {
        let report = Report::new(text);
        let document = document::parse(text, &report);
        let mut root = Table::root(&document, &report);
        let config = Config::read(&mut root);
        root.finish(LATER);
        report.into_result(config, path.as_ref())
    }

    fn read(root: &mut Table<'_, '_>) -> Config {
        let server = root.section("server").map(Server::read).unwrap_or_default();
        let channels = channel::read_all(root, &server);
        let mut targets = target::read_all(root, &channels, &server);
        target::share_quotas(&mut targets);
        Config {
            targets,
            channels,
            links: link::read_all(root),
            store: root.section("store").map(Store::read).unwrap_or_default(),
            region: root.section("region").map(Region::read).unwrap_or_default(),
            window: root.section("window").map(Window::read).unwrap_or_default(),
            consent: root.section("consent").map(Consent::read).unwrap_or_default(),
            intents: root.section("intents").map(Intents::read).unwrap_or_default(),
            alerts: root.section("alerts").map(Alerts::read).unwrap_or_default(),
            backup: root.section("backup").map(Backup::read).unwrap_or_default(),
            summary: root.section("summary").and_then(Summary::read),
            enrichment: root.section("enrichment").and_then(Enrichment::read),
            quota: root.section("quota").map(Quota::read).unwrap_or_default(),
            server,
        }
    }

    /// The channel of this name.
    #[must_use]
    pub fn channel(&self, name: &str) -> Option<&Channel> {
        self.channels.iter().find(|channel| channel.name == name)
    }

    /// The target of this name.
    #[must_use]
    pub fn target(&self, name: &str) -> Option<&Target> {
        self.targets.iter().find(|target| target.name == name)
    }

    /// What is allowed and probably not meant, a sentence each, with what to do.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings: Vec<String> = self.channels.iter().filter_map(Channel::warning).collect();
        if self.channels.is_empty() {
            warnings.push("no [[channel]]: no webhook can arrive; add one".to_owned());
        }
        let asks = |target: &&Target| target.fields.iter().any(Mapping::is_enrichment);
        for target in self.targets.iter().filter(asks).filter(|_| self.enrichment.is_none()) {
            let name = &target.name;
            warnings
                .push(format!("target '{name}' maps enrichment.<key> and nobody is asked; add [enrichment]"));
        }
        warnings
    }
}
