//! Logins whose tokens expire: one renewal for each expiry, whoever needs the token, and none used that is not kept.
//!
//! In: what a target logs in with, and what is kept of its login. Out: the access token to show, for every call.
//! A token is renewed a while before it expires, or when the CRM refused it. Whoever renews holds the login's lease,
//! and looks first whether another has done it. What is granted is on the disk before it is shown to anybody: where
//! refresh tokens rotate, the one that was used is good for nothing from then on.
//!
//! **What no care mends.** Where the CRM ends a refresh token at its use, a machine that dies between the CRM's answer
//! and the disk loses the login: somebody must log in again. HubSpot and Zoho do not rotate theirs.

mod endpoint;
mod invite;
mod seal;
mod vault;

pub use invite::{Invitations, address, draw};
pub use vault::Vault;

use crate::config::Target;
use crate::config::target::Login as Configured;
use crate::store::StoreError;
use crate::store::login::LoginRow;
use endpoint::Endpoint;
use jiff::{SignedDuration, Timestamp};
use seal::Tokens;
use secrecy::SecretString;
use std::io::ErrorKind;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Mutex as Turn;
use vault::Opened;
use wabridge_crms::Answer;
use wabridge_crms::oauth::{Grant, Granted, OAuth, Refused};

/// A token is renewed this long before it expires, or a tenth of its lifetime if that is shorter.
const AHEAD: Duration = Duration::from_secs(300);
/// A token that is refused so soon after it was granted has not expired: another one would be refused as well.
const YOUNG: SignedDuration = SignedDuration::from_secs(60);
/// After a refusal the token endpoint is left alone this long: the next answer would be the same.
const REFUSED: SignedDuration = SignedDuration::from_secs(60);

/// Why there is no token to show.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unable {
    /// Nobody has logged in yet.
    #[error("nobody has logged in yet")]
    NotLoggedIn,
    /// What is kept cannot be opened: the key is not that of this store, as after a restore.
    #[error("the login was sealed with another key: a restored store has none")]
    Sealed,
    /// The CRM grants no token any more, in its own word.
    #[error("the CRM grants no token ({0})")]
    Refused(String),
    /// The client's secret cannot be read.
    #[error("the client's secret cannot be read")]
    Secret,
    /// The key's file, or the lease's, cannot be read or made.
    #[error("a file of the login beside the store cannot be used ({0})")]
    Key(ErrorKind),
    /// Not now.
    #[error("not now ({0})")]
    Later(&'static str),
}

impl From<StoreError> for Unable {
    fn from(error: StoreError) -> Unable {
        tracing::error!(kind = error.kind.as_str(), doing = error.doing, "a login waits for the store");
        Unable::Later("store")
    }
}

impl Unable {
    /// The code that a refusal of this kind is known by; `None` where it passes by itself.
    #[must_use]
    pub fn code(&self) -> Option<&'static str> {
        match self {
            Unable::NotLoggedIn => Some("NOT_LOGGED_IN"),
            Unable::Sealed => Some("LOGIN_SEALED"),
            Unable::Refused(_) => Some("LOGIN_REFUSED"),
            Unable::Secret => Some("CLIENT_SECRET_UNREADABLE"),
            Unable::Key(_) => Some("LOGIN_KEY_UNREADABLE"),
            Unable::Later(_) => None,
        }
    }
}

/// An access token that is on the disk.
#[derive(Clone)]
pub struct Shown {
    /// How often the login was renewed when it was granted.
    pub generation: i64,
    /// The token.
    pub access: SecretString,
    renew_at: Option<Timestamp>,
}

/// What this process knows of the login.
#[derive(Default)]
struct Known {
    shown: Option<Arc<Shown>>,
    /// The newest generation that the CRM refused.
    refused: i64,
    /// A token was refused, and nobody has asked for another one since.
    is_unheeded: bool,
    /// The token endpoint was asked.
    has_asked: bool,
}

/// The login of one target.
pub struct Login {
    target: String,
    oauth: OAuth,
    configured: Configured,
    endpoint: Endpoint,
    vault: Vault,
    known: Mutex<Known>,
    /// One at a time; with what was granted and is not on the disk yet, since the store was not well.
    turn: Turn<Option<Unkept>>,
}

/// What was granted after this generation.
struct Unkept {
    before: Option<i64>,
    tokens: Tokens,
    lifetime: Option<Duration>,
    at: Timestamp,
}

impl Login {
    /// The login of a target; `None` where it has a token, or its CRM no logins.
    #[must_use]
    pub fn of(target: &Target, vault: &Vault) -> Option<Login> {
        let (configured, oauth) = (target.auth.login()?.clone(), target.crm.about().oauth?);
        Some(Login {
            target: target.name.clone(),
            oauth,
            endpoint: Endpoint::new(format!("{}{}", configured.accounts_url, oauth.token)),
            configured,
            vault: vault.clone(),
            known: Mutex::default(),
            turn: Turn::default(),
        })
    }

    /// The token to show now.
    ///
    /// # Errors
    /// [`Unable`]
    pub async fn token(&self) -> Result<Arc<Shown>, Unable> {
        match self.fresh() {
            Some(shown) => Ok(shown),
            None => self.look().await,
        }
    }

    /// What the CRM answered to a token of this generation: it may have refused it.
    pub fn heard(&self, generation: i64, answer: &Answer) {
        if self.oauth.is_token_refused(answer.status, &answer.body) {
            let mut known = self.known();
            known.refused = known.refused.max(generation);
            known.is_unheeded = true;
        }
    }

    /// After a refusal: whether another token is there, or will be. Not if it was no token that was refused.
    pub async fn renew(&self) -> bool {
        // Another call may have renewed it meanwhile: then another token is there.
        let was_refused = std::mem::take(&mut self.known().is_unheeded);
        // What passes by itself says nothing against the login.
        was_refused && matches!(self.look().await, Ok(_) | Err(Unable::Later(_)))
    }

    /// Logs in with a code that a person copied. Returns the API host that the tokens are for, if the CRM named it.
    ///
    /// # Errors
    /// [`Unable`]; what was kept before stays.
    pub async fn log_in(&self, code: &str) -> Result<Option<String>, Unable> {
        let redirect = self.configured.redirect.as_deref();
        self.log_in_from(code, redirect.filter(|_| self.oauth.needs_redirect)).await
    }

    /// As [`Login::log_in`], with a code that was sent to the redirect address.
    ///
    /// # Errors
    /// As there.
    pub async fn log_in_from(&self, code: &str, redirect: Option<&str>) -> Result<Option<String>, Unable> {
        let mut unkept = self.turn.lock().await;
        let _lease = self.vault.lease(&self.target).await?;
        let granted = match self.ask(Grant::Code { code, redirect }).await? {
            Ok(granted) => granted,
            Err(Refused::Grant(code) | Refused::Client(code)) => return Err(Unable::Refused(code)),
            Err(Refused::Later(code, _)) => return Err(Unable::Later(code)),
        };
        let before = self.vault.store.login(&self.target)?.map(|row| row.generation);
        let Granted { access, refresh, lifetime, api } = granted;
        let tokens = Tokens { access, refresh, older: None };
        self.keep(&mut unkept, Unkept { before, tokens, lifetime, at: self.vault.clock.now() })?;
        Ok(api)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The token that is known, if it is good by all that is known.
    fn fresh(&self) -> Option<Arc<Shown>> {
        let known = self.known();
        let now = self.vault.clock.now();
        let is_good = |shown: &&Arc<Shown>| shown.generation > known.refused && !is_past(shown.renew_at, now);
        known.shown.as_ref().filter(is_good).cloned()
    }

    /// The token that is on the disk, renewed if it must be.
    async fn look(&self) -> Result<Arc<Shown>, Unable> {
        let mut unkept = self.turn.lock().await;
        if let Some(shown) = self.fresh() {
            return Ok(shown);
        }
        let _lease = self.vault.lease(&self.target).await?;
        if let Some(granted) = unkept.take() {
            self.keep(&mut unkept, granted)?;
        }
        let opened = self.vault.read(&self.target)?.ok_or(Unable::NotLoggedIn)?;
        let (now, refused) = (self.vault.clock.now(), self.known().refused);
        let is_refused = opened.row.generation <= refused;
        if !is_refused && !is_past(opened.row.renew_at, now) {
            return Ok(self.show(&opened.row, &opened.tokens));
        }
        let age = now.duration_since(opened.row.changed_at);
        if is_refused && age >= SignedDuration::ZERO && age < YOUNG {
            return Err(Unable::Refused("the new token is refused as well".to_owned()));
        }
        // Who is new, after a reload that may have mended what was refused, asks once all the same.
        let may_ask = opened.row.fault.is_some() && !self.known().has_asked;
        let unable = match opened.row.wait_until.filter(|until| now < *until && !may_ask) {
            Some(_) => match &opened.row.fault {
                Some(fault) => Unable::Refused(fault.clone()),
                None => Unable::Later("token_endpoint"),
            },
            None => match self.fetch(&opened).await? {
                Ok(granted) => return self.keep(&mut unkept, granted),
                Err(refused) => self.note(&opened, refused)?,
            },
        };
        // It is good for a while yet: nobody need wait.
        if !is_refused && !is_past(opened.row.expires_at, now) {
            return Ok(self.show(&opened.row, &opened.tokens));
        }
        Err(unable)
    }

    /// Asks for another access token: with the newest refresh token and, where that is good for nothing, with the one
    /// before it.
    async fn fetch(&self, opened: &Opened) -> Result<Result<Unkept, Refused>, Unable> {
        let Tokens { refresh, older, .. } = &opened.tokens;
        let Some(newest) = refresh else {
            return Ok(Err(Refused::Grant("no_refresh_token".to_owned())));
        };
        let (mut used, mut answer) = (newest, self.ask(Grant::Refresh(newest)).await?);
        if let (Err(Refused::Grant(_)), Some(older)) = (&answer, older)
            && let Ok(granted) = self.ask(Grant::Refresh(older)).await?
        {
            (used, answer) = (older, Ok(granted));
        }
        let at = self.vault.clock.now();
        Ok(answer.map(|Granted { access, refresh, lifetime, .. }| {
            let rotated = refresh.filter(|refresh| refresh != used);
            let tokens = match rotated {
                Some(refresh) => Tokens { access, refresh: Some(refresh), older: Some(used.clone()) },
                None => Tokens { access, refresh: Some(used.clone()), older: None },
            };
            Unkept { before: Some(opened.row.generation), tokens, lifetime, at }
        }))
    }

    async fn ask(&self, grant: Grant<'_>) -> Result<Result<Granted, Refused>, Unable> {
        let secret = self.configured.client_secret.resolve().map_err(|_| Unable::Secret)?;
        self.known().has_asked = true;
        Ok(self.endpoint.ask(grant, &self.configured.client_id, &secret).await)
    }

    /// Puts what was granted on the disk, and only then shows it to anybody.
    fn keep(&self, unkept: &mut Option<Unkept>, granted: Unkept) -> Result<Arc<Shown>, Unable> {
        let Unkept { before, tokens, lifetime, at } = &granted;
        let after = |time: Duration| at.saturating_add(time).unwrap_or(Timestamp::MAX);
        let kept = self.vault.seal(&self.target, tokens).and_then(|sealed| {
            let row = LoginRow {
                sealed,
                generation: before.unwrap_or(0) + 1,
                renew_at: lifetime.map(|it| after(it.saturating_sub(AHEAD.min(it / 10)))),
                expires_at: lifetime.map(after),
                wait_until: None,
                fault: None,
                changed_at: *at,
            };
            Ok((self.vault.store.keep_login(&self.target, &row, *before)?, row))
        });
        match kept {
            Ok((true, row)) => {
                tracing::info!(
                    target_name = self.target,
                    generation = row.generation,
                    "the login is renewed"
                );
                Ok(self.show(&row, tokens))
            }
            // Somebody wrote without the lease: what they have is newer.
            Ok((false, _)) => match self.vault.read(&self.target)? {
                Some(opened) => Ok(self.show(&opened.row, &opened.tokens)),
                None => Err(Unable::NotLoggedIn),
            },
            Err(unable) => {
                *unkept = Some(granted);
                Err(unable)
            }
        }
    }

    /// Keeps in mind that no token was granted, and for how long the endpoint is left alone.
    fn note(&self, opened: &Opened, refused: Refused) -> Result<Unable, Unable> {
        let now = self.vault.clock.now();
        let (unable, fault, wait) = match refused {
            Refused::Later(code, wait) => {
                (Unable::Later(code), None, SignedDuration::try_from(wait).unwrap_or(REFUSED))
            }
            Refused::Grant(code) | Refused::Client(code) => {
                (Unable::Refused(code.clone()), Some(code), REFUSED)
            }
        };
        tracing::warn!(target_name = self.target, why = %unable, "the login is not renewed");
        let row = LoginRow { wait_until: now.checked_add(wait).ok(), fault, ..opened.row.clone() };
        self.vault.store.keep_login(&self.target, &row, Some(opened.row.generation))?;
        Ok(unable)
    }

    fn show(&self, row: &LoginRow, tokens: &Tokens) -> Arc<Shown> {
        let shown = Arc::new(Shown {
            generation: row.generation,
            access: tokens.access.clone().into(),
            renew_at: row.renew_at,
        });
        self.known().shown = Some(Arc::clone(&shown));
        shown
    }
}

fn is_past(at: Option<Timestamp>, now: Timestamp) -> bool {
    at.is_some_and(|at| at <= now)
}
