//! API tokens: what they look like, and what they allow.
//!
//! A token is `wab_`, 32 random bytes in base64url, and six digits of their checksum, so that a typing error
//! costs no look-up and a leaked token is recognised by scanners. The store keeps its SHA-256 only: with so
//! much randomness in it, a slow hash would protect nothing.

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

const PREFIX: &str = "wab_";
const RANDOM: usize = 32;
const CHECKSUM: usize = 3;

/// What a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Read leads, windows and timelines.
    LeadRead,
    /// Read touches and attribution.
    AttributionRead,
    /// Report outcomes.
    EventWrite,
    /// Read the outbox.
    JobRead,
    /// Retry and discard jobs.
    JobWrite,
    /// Export a person's data.
    Export,
    /// Erase a person.
    Erase,
    /// Everything.
    Admin,
}

impl Scope {
    /// Every scope, in the order of the documentation.
    pub const ALL: [Scope; 8] = [
        Scope::LeadRead,
        Scope::AttributionRead,
        Scope::EventWrite,
        Scope::JobRead,
        Scope::JobWrite,
        Scope::Export,
        Scope::Erase,
        Scope::Admin,
    ];

    /// The name in tokens and errors.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Scope::LeadRead => "lead:read",
            Scope::AttributionRead => "attribution:read",
            Scope::EventWrite => "event:write",
            Scope::JobRead => "job:read",
            Scope::JobWrite => "job:write",
            Scope::Export => "export",
            Scope::Erase => "erase",
            Scope::Admin => "admin",
        }
    }

    /// Reads a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Scope> {
        Scope::ALL.into_iter().find(|scope| scope.as_str() == name)
    }
}

/// There is no randomness to be had.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random bytes")]
pub struct NoRandomness;

/// Makes a token, and the hash to keep of it.
///
/// # Errors
/// [`NoRandomness`]
pub fn create() -> Result<(SecretString, [u8; 32]), NoRandomness> {
    let mut random = [0; RANDOM];
    getrandom::fill(&mut random).map_err(|_| NoRandomness)?;
    let text = written(&random);
    let hash = Sha256::digest(&text).into();
    Ok((SecretString::from(text), hash))
}

/// The hash of a token; `None` for a text that was never one.
#[must_use]
pub fn hash(token: &SecretString) -> Option<[u8; 32]> {
    let text = token.expose_secret();
    let body = text.strip_prefix(PREFIX)?;
    let (random, _) = body.split_at_checked(body.len().checked_sub(CHECKSUM * 2)?)?;
    let random = BASE64URL_NOPAD.decode(random.as_bytes()).ok().filter(|random| random.len() == RANDOM)?;
    (written(&random) == *text).then(|| Sha256::digest(text).into())
}

fn written(random: &[u8]) -> String {
    let checksum = Sha256::digest(random);
    format!("{PREFIX}{}{}", BASE64URL_NOPAD.encode(random), HEXLOWER.encode(&checksum[..CHECKSUM]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_known_by_its_hash_and_one_wrong_character_is_no_token() {
        let (token, kept) = create().unwrap();
        assert_eq!(hash(&token), Some(kept));
        let text = token.expose_secret();
        assert_eq!(text.len(), 53);
        for at in 0..text.len() {
            let mut wrong = text.to_owned();
            let other = if text.as_bytes()[at] == b'0' { "1" } else { "0" };
            wrong.replace_range(at..=at, other);
            assert_eq!(hash(&SecretString::from(wrong)), None, "at {at}");
        }
        for wrong in ["", "wab_", "wab_abc", "abc", &text[..52], &format!("{text}0")] {
            assert_eq!(hash(&SecretString::from(wrong)), None, "{wrong}");
        }
    }

    #[test]
    fn no_two_tokens_are_alike() {
        assert_ne!(create().unwrap().1, create().unwrap().1);
    }

    #[test]
    fn a_scope_is_read_as_it_is_written() {
        for scope in Scope::ALL {
            assert_eq!(Scope::parse(scope.as_str()), Some(scope));
        }
        assert_eq!(Scope::parse("lead:write"), None);
    }
}
