//! `wabridge login`: how a target whose tokens expire gets its first ones.
//!
//! In: a code that the CRM shows to a person. Out: a login that is kept, sealed, and renewed from then on by whoever
//! needs it. A daemon that runs goes on with it at once.

use super::failure::{Failure, OrExit};
use super::reading::{failed, prepare, to_read, unasked};
use super::target::{named, resume, vault, wait};
use super::told::crm_name;
use crate::config::{Config, Target};
use crate::control::{Ask, ask};
use crate::exit::Exit;
use crate::outbox::courier::AUTH;
use crate::outbox::login::{Login as Kept, Unable, Vault, address, draw};
use std::io::{Read, Write};

/// The longest code that is read.
const LONGEST: u64 = 4096;

/// Log in to a target's CRM, where its tokens expire
///
/// Without --code it says where to get one, or prints the address at which to agree. A code is good
/// for minutes and once. Exits 78 when the CRM refuses it, 75 when the CRM cannot be asked now.
///
/// Example: wabridge login zoho --code 1000.4c1b...
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Login {
    /// The target's name in the configuration
    target: String,
    /// The code that the CRM shows; - reads it from standard input
    #[arg(long)]
    code: Option<String>,
}

impl Login {
    pub(super) fn run(&self, config: &Config, out: &mut impl Write) -> Result<Exit, Failure> {
        let target = named(config, &self.target)?;
        if target.auth.login().is_none() {
            let text = format!(
                "target '{0}' has a token, which needs no login; try: wabridge check --online",
                target.name
            );
            return Err(Failure::new(Exit::Usage, text));
        }
        target.resolve_secret().map_err(|error| Failure::of(Exit::Config, error))?;
        prepare(config)?;
        match &self.code {
            Some(code) => with_code(&read(code)?, config, target, out),
            None => invite(config, target, out),
        }
    }
}

fn read(code: &str) -> Result<String, Failure> {
    let mut text = code.to_owned();
    if code == "-" {
        text.clear();
        std::io::stdin().lock().take(LONGEST).read_to_string(&mut text)?;
    }
    match text.trim() {
        "" => Err(Failure::new(Exit::Usage, "the code is empty; copy it from the CRM once more")),
        code => Ok(code.to_owned()),
    }
}

fn with_code(code: &str, config: &Config, target: &Target, out: &mut impl Write) -> Result<Exit, Failure> {
    let vault: Vault = vault(config)?;
    let Some(login) = Kept::of(target, &vault) else {
        let text = format!("{} has no logins; give '{}' a token", crm_name(target), target.name);
        return Err(Failure::new(Exit::Config, text));
    };
    let api = wait(login.log_in(code))?.map_err(|unable| refused(&unable, target))?;
    go_on(config, target)?;
    let name = &target.name;
    writeln!(out, "'{name}' is logged in at {}; its tokens are renewed from now on.", crm_name(target))?;
    let base_url = target.base_url.as_deref().unwrap_or(target.crm.about().base_url);
    match api.filter(|api| api.trim_end_matches('/') != base_url) {
        Some(api) => writeln!(
            out,
            "Its account is at another host than the configuration's ({base_url}): write base_url = \"{api}\""
        )?,
        None => writeln!(out, "Try it: wabridge check --online")?,
    }
    Ok(Exit::Success)
}

/// A target that waited for the login goes on; what an operator paused stays so.
fn go_on(config: &Config, target: &Target) -> Result<(), Failure> {
    let row = to_read(config)?.target(&target.name).map_err(|error| failed(&config.store, error))?;
    if row.paused.as_deref() == Some(AUTH) { resume(config, &target.name) } else { Ok(()) }
}

fn refused(unable: &Unable, target: &Target) -> Failure {
    let crm = crm_name(target);
    let text = match unable {
        Unable::Refused(code) => format!(
            "{crm} does not take the code or the client of '{}' ({code}): a code is good for minutes and once, and \
             client_id and client_secret must be those that it was made with; make another and try again",
            target.name
        ),
        Unable::Later(code) => {
            let host = target.auth.login().map_or("", |login| login.accounts_url.as_str());
            format!("{crm} grants nothing now at {host} ({code}); try again in some minutes")
        }
        unable => format!("'{}' cannot be logged in: {unable}", target.name),
    };
    let exit = if matches!(unable, Unable::Later(_)) { Exit::Temporary } else { Exit::Config };
    Failure::new(exit, text)
}

/// Sends somebody off to agree, or says where to get a code.
fn invite(config: &Config, target: &Target, out: &mut impl Write) -> Result<Exit, Failure> {
    let (name, about) = (&target.name, target.crm.about());
    let Some((oauth, login)) = about.oauth.zip(target.auth.login()) else { return Ok(Exit::Success) };
    let state = draw().or_exit(Exit::Unavailable)?;
    if let Some(address) = address(&oauth, login, &state) {
        let wish = Ask::ExpectLogin { target: name.clone(), state };
        match ask(config, wish).map_err(|error| unasked(&config.store, error))? {
            Some(_) => {
                writeln!(
                    out,
                    "Open this within a quarter of an hour, and agree; {} sends you back here:",
                    about.name
                )?;
                writeln!(out, "  {address}")?;
            }
            None => writeln!(
                out,
                "{} can send whoever agrees back to the daemon, and none runs: start the daemon and run this again.",
                about.name
            )?,
        }
    }
    if !oauth.needs_redirect {
        writeln!(
            out,
            "By a self client: where {} shows {}, make a code with this scope:",
            about.name, login.client_id
        )?;
        writeln!(out, "  {}", oauth.scope)?;
        writeln!(out, "Then, within its minutes: wabridge login {name} --code CODE")?;
    }
    Ok(Exit::Success)
}
