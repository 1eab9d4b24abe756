//! `wabridge target`: the CRM accounts that records are written to.

mod census;
mod fields;
mod list;
mod pause;
mod setup;
mod shadow;

use super::failure::{Failure, OrExit};
use super::load;
use super::reading::open;
use crate::config::target::Auth;
use crate::config::{Config, Target as Configured};
use crate::delivery::online::{Wire, refusal};
use crate::exit::Exit;
use crate::outbox::login::Vault;
use crate::outbox::transport::HttpAccount;
use crate::web::api::Api;
use std::io::Write;
use std::path::Path;
use wabridge_model::{Failure as CrmFailure, FailureKind};

/// Look at targets, pause them, prepare their CRMs
///
/// Examples:
///   wabridge target list
///   wabridge target setup hubspot --apply
///   wabridge target census hubspot
///   wabridge target pause hubspot --reason "migration until Monday"
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Target {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    Fields(fields::Fields),
    List(list::List),
    Pause(pause::Pause),
    Resume(pause::Resume),
    Setup(setup::Setup),
    Census(census::CensusOf),
    ShadowReport(shadow::ShadowReport),
}

impl Target {
    pub(super) fn run(&self, path: &Path, out: &mut impl Write) -> Result<Exit, Failure> {
        let config = || load(path);
        match &self.action {
            Action::Fields(fields) => fields.run(path, out),
            Action::List(list) => list.run(&config()?, out),
            Action::Pause(pause) => pause.run(&config()?, out),
            Action::Resume(resume) => resume.run(&config()?, out),
            Action::Setup(setup) => setup.run(&config()?, out),
            Action::Census(census) => census.run(&config()?, out),
            Action::ShadowReport(report) => report.run(&config()?, out),
        }
    }
}

/// The target of this name.
pub(super) fn named<'a>(config: &'a Config, name: &str) -> Result<&'a Configured, Failure> {
    let names = || config.targets.iter().map(|target| target.name.as_str());
    let found = config.targets.iter().find(|target| target.name == name);
    found.ok_or_else(|| {
        let way_out = match crate::config::nearest(name, names()) {
            Some(near) => format!("did you mean '{near}'?"),
            None if config.targets.is_empty() => "the configuration has no [[target]]".to_owned(),
            None => format!("there are {}", names().collect::<Vec<_>>().join(", ")),
        };
        Failure::new(Exit::Data, format!("there is no target '{name}'; {way_out}"))
    })
}

/// The way to a target's CRM, with its token or its login.
pub(super) fn account(config: &Config, target: &Configured) -> Result<HttpAccount, Failure> {
    let account = match target.auth {
        Auth::Token(_) => HttpAccount::new(target),
        Auth::Login(_) => HttpAccount::of(target, &vault(config)?),
    };
    account.map_err(|fault| target.secret_error(fault)).or_exit(Exit::Config)
}

/// Where logins are kept. A command renews them as the daemon does, beside it.
pub(super) fn vault(config: &Config) -> Result<Vault, Failure> {
    let Api { store, clock, .. } = open(config)?;
    Ok(Vault::new(store, clock, config.store.beside(".key")))
}

/// Lets a target go on, as `wabridge target resume` does.
pub(super) fn resume(config: &Config, target: &str) -> Result<(), Failure> {
    pause::perform(config, target, None)
}

/// A target's CRM, over a transport.
pub(super) fn wire<'a>(config: &Config, target: &'a Configured, account: &'a HttpAccount) -> Wire<'a> {
    Wire { target, transport: account, country: config.region.default_country }
}

/// Waits for what a CRM answers.
pub(super) fn wait<T>(future: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(future))
}

/// Why a CRM could not be asked.
pub(super) fn unanswered(failure: &CrmFailure, target: &Configured) -> Failure {
    Failure::new(exit_of(failure), refusal(failure, target))
}

/// What a CRM's refusal asks of the operator.
pub(super) fn exit_of(failure: &CrmFailure) -> Exit {
    match failure.kind {
        // A name or object of the configuration that the CRM does not take.
        FailureKind::Auth | FailureKind::Invalid | FailureKind::Drift => Exit::Config,
        FailureKind::Throttle => Exit::Temporary,
        _ => Exit::Unavailable,
    }
}
