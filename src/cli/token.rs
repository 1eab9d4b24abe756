//! `wabridge token`: who may ask the API, and for what.
//!
//! A token is shown once and kept as a hash. The daemon reads tokens when they are used, so what is written
//! here holds at once.

use super::failure::{Failure, OrExit};
use super::reading::{clock_time, failed, now, prepare, to_read, unasked};
use crate::config::{Config, nearest};
use crate::control::{Ask, ControlError, Outcome, ask};
use crate::exit::Exit;
use crate::store::{Store, StoreErrorKind, TokenRow};
use crate::web::api::token::{self, Scope};
use data_encoding::HEXLOWER;
use secrecy::ExposeSecret;
use std::io::Write;

/// Make, list and revoke tokens for the API
#[derive(Debug, clap::Args)]
pub(super) struct Token {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Make a token and print it; it cannot be shown again
    Create {
        /// What it is for; no two tokens have the same name
        #[arg(long)]
        name: String,
        /// What it may do, several times for more: lead:read, attribution:read, event:write, job:read,
        /// job:write, export, erase, admin (all)
        #[arg(long = "scope", value_name = "SCOPE", required = true, value_parser = scope)]
        scopes: Vec<Scope>,
    },
    /// List all tokens, without the tokens themselves
    List,
    /// Revoke a token; it is refused from this moment on
    Revoke {
        /// Its name
        name: String,
    },
}

fn scope(name: &str) -> Result<Scope, String> {
    let names = || Scope::ALL.iter().map(|scope| scope.as_str());
    Scope::parse(name).ok_or_else(|| match nearest(name, names()) {
        Some(near) => format!("did you mean '{near}'?"),
        None => format!("there are {}", names().collect::<Vec<_>>().join(", ")),
    })
}

impl Token {
    pub(super) fn run(&self, config: &Config, out: &mut impl Write) -> Result<Exit, Failure> {
        match &self.action {
            Action::Create { name, scopes } => create(name, scopes, config, out),
            Action::List => list(config, out),
            Action::Revoke { name } => revoke(name, config, out),
        }
    }
}

fn create(name: &str, scopes: &[Scope], config: &Config, out: &mut impl Write) -> Result<Exit, Failure> {
    if name.trim().is_empty() || name.chars().any(char::is_control) {
        return Err(Failure::new(Exit::Usage, "a token's name is a word or two; it shows in the list"));
    }
    prepare(config)?;
    let store = to_read(config)?;
    let (secret, hash) = token::create().or_exit(Exit::Unavailable)?;
    let mut scopes: Vec<String> = scopes.iter().map(|scope| scope.as_str().to_owned()).collect();
    scopes.dedup();
    let row = TokenRow { name: name.to_owned(), scopes, created_at: now(), revoked_at: None };
    keep(&row, hash, config, &*store).map_err(|error| match error {
        ControlError::Store(error) if error.kind == StoreErrorKind::Constraint => {
            let text = format!("there is or was a token named '{name}'; choose another name");
            Failure::new(Exit::Data, text)
        }
        error => unasked(&config.store, error),
    })?;
    writeln!(out, "{}", secret.expose_secret())?;
    Ok(Exit::Success)
}

/// Has the running daemon keep a token, or keeps it where none runs.
fn keep(row: &TokenRow, hash: [u8; 32], config: &Config, store: &dyn Store) -> Result<(), ControlError> {
    let TokenRow { name, scopes, created_at, .. } = row.clone();
    let wish = Ask::AddToken { name, scopes, created_at, hash: HEXLOWER.encode(&hash) };
    match ask(config, wish)? {
        Some(_) => Ok(()),
        None => Ok(store.add_token(row, hash)?),
    }
}

fn list(config: &Config, out: &mut impl Write) -> Result<Exit, Failure> {
    let tokens = to_read(config)?.tokens().map_err(|error| failed(&config.store, error))?;
    for token in &tokens {
        let state = match token.revoked_at {
            Some(at) => format!("revoked at {}", clock_time(at, &config.region)),
            None => format!("since {}", clock_time(token.created_at, &config.region)),
        };
        writeln!(out, "{:<20} {state:<32} {}", token.name, token.scopes.join(" "))?;
    }
    if tokens.is_empty() {
        writeln!(out, "No tokens; make one: wabridge token create --name NAME --scope lead:read")?;
    }
    Ok(Exit::Success)
}

fn revoke(name: &str, config: &Config, out: &mut impl Write) -> Result<Exit, Failure> {
    let store = to_read(config)?;
    let wish = Ask::RevokeToken { name: name.to_owned(), at: now() };
    let revoked = match ask(config, wish).map_err(|error| unasked(&config.store, error))? {
        Some(Outcome::TokenRevoked(revoked)) => revoked,
        _ => store.revoke_token(name, now()).map_err(|error| failed(&config.store, error))?,
    };
    if !revoked {
        let text = format!("no token named '{name}' is in force; `wabridge token list` shows them");
        return Err(Failure::new(Exit::Data, text));
    }
    writeln!(out, "'{name}' is revoked and refused from now on.")?;
    Ok(Exit::Success)
}
