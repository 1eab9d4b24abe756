//! Logins that a person is sent off to make: the address where they agree, and what they bring back.
//!
//! In: what the command drew and the daemon is told. Out: the CRM's address with it, and, when somebody comes back,
//! whether they were sent by us: each invitation is good once, for one target, for a quarter of an hour. They are in
//! memory alone: after a restart the command is run again.

use crate::clock::Clock;
use crate::config::target::Login as Configured;
use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest, Sha256};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use url::Url;
use wabridge_crms::oauth::OAuth;

/// How long an invitation is good.
const GOOD_FOR: Duration = Duration::from_secs(900);
/// So many at one time; beyond that the eldest goes.
const MOST: usize = 32;

/// Who may come back, and until when.
pub struct Invitations {
    clock: Arc<dyn Clock>,
    sent: Mutex<Vec<Invitation>>,
}

struct Invitation {
    target: String,
    state: [u8; 32],
    until: Duration,
}

/// What an address is recognised by when somebody comes back from it.
///
/// # Errors
/// When the system gives no random bytes.
pub fn draw() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(BASE64URL_NOPAD.encode(&bytes))
}

/// Where a person agrees; `None` where there is no address to come back to.
#[must_use]
pub fn address(oauth: &OAuth, login: &Configured, state: &str) -> Option<Url> {
    let redirect = login.redirect.as_deref()?;
    let base = if oauth.authorize.starts_with('/') { login.accounts_url.as_str() } else { "" };
    let mut address = Url::parse(&format!("{base}{}", oauth.authorize)).ok()?;
    address
        .query_pairs_mut()
        .append_pair("client_id", &login.client_id)
        .append_pair("redirect_uri", redirect)
        .append_pair("scope", oauth.scope)
        .append_pair("state", state)
        .extend_pairs(oauth.authorize_with);
    Some(address)
}

impl Invitations {
    /// Nobody is sent off yet.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Invitations {
        Invitations { clock, sent: Mutex::default() }
    }

    /// Somebody is sent off to log in to a target.
    pub fn expect(&self, target: &str, state: &str) {
        let now = self.clock.elapsed();
        let mut sent = self.sent();
        sent.retain(|invitation| now < invitation.until);
        if sent.len() >= MOST {
            sent.remove(0);
        }
        sent.push(Invitation { target: target.to_owned(), state: hash(state), until: now + GOOD_FOR });
    }

    /// Whether somebody who comes back was sent by us. Only once.
    #[must_use]
    pub fn take(&self, target: &str, state: &str) -> bool {
        let (now, state) = (self.clock.elapsed(), hash(state));
        let mut sent = self.sent();
        let is_it = |it: &Invitation| it.state == state && it.target == target && now < it.until;
        let found = sent.iter().position(is_it);
        found.map(|at| sent.remove(at)).is_some()
    }

    fn sent(&self) -> MutexGuard<'_, Vec<Invitation>> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Compared instead of the state itself, so that the time it takes says nothing of it.
fn hash(state: &str) -> [u8; 32] {
    Sha256::digest(state.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SetClock;

    #[test]
    fn an_invitation_is_good_once_for_its_target_and_for_a_quarter_of_an_hour() {
        let clock = Arc::new(SetClock::at("2026-11-22T08:00:00Z".parse().unwrap()));
        let invitations = Invitations::new(clock.clone());
        let (one, two) = (draw().unwrap(), draw().unwrap());
        assert_ne!(one, two);
        invitations.expect("zoho", &one);
        invitations.expect("zoho", &two);
        assert!(!invitations.take("hubspot", &one));
        assert!(!invitations.take("zoho", "another"));
        assert!(invitations.take("zoho", &one));
        assert!(!invitations.take("zoho", &one), "it was used");
        clock.pass(GOOD_FOR);
        assert!(!invitations.take("zoho", &two), "it is too old");
    }

    #[test]
    fn invitations_are_bounded() {
        let clock = Arc::new(SetClock::at("2026-11-22T08:00:00Z".parse().unwrap()));
        let invitations = Invitations::new(clock);
        for number in 0..=MOST {
            invitations.expect("zoho", &number.to_string());
        }
        assert!(!invitations.take("zoho", "0"), "the eldest went");
        assert!(invitations.take("zoho", "1"));
    }
}
