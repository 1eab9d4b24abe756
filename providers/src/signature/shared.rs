//! For providers that sign nothing: a secret in the URL's path, in a header, or both.
//!
//! Whatever is configured must hold; a channel with neither proves nobody.

use super::{Scheme, first_match, key};
use crate::provider::{Inbound, Proof, Rejection, Secrets, Signed, Unsignable, Verified};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// Checks the path token and the header, as far as they are configured. The header is the stronger proof:
/// it is in no access log.
pub(super) fn verify<'a>(inbound: Inbound<'a>, secrets: &Secrets) -> Result<Verified<'a>, Rejection> {
    let token = match secrets.path_tokens.as_slice() {
        [] => None,
        tokens => Some(path_token(&inbound, tokens)?),
    };
    let header = match &secrets.header {
        None => None,
        Some((name, values)) => {
            let given = super::proof_header(&inbound, name)?;
            Some(index_of(values, given).ok_or(Rejection::Mismatch)?)
        }
    };
    match (header, token) {
        (Some(index), _) => Ok(Verified::new(inbound, Proof::SharedSecret, index)),
        (None, Some(index)) => Ok(Verified::new(inbound, Proof::SecretPath, index)),
        (None, None) => Err(Rejection::Missing),
    }
}

/// Which of the channel's path tokens the URL carries.
pub(crate) fn path_token(inbound: &Inbound<'_>, tokens: &[SecretString]) -> Result<usize, Rejection> {
    let given = inbound.path_token.ok_or(Rejection::PathToken)?;
    index_of(tokens, given).ok_or(Rejection::PathToken)
}

/// What a provider would send that was told the first token and the first header.
pub(super) fn sign(secrets: &Secrets) -> Result<Signed, Unsignable> {
    let path_token = secrets.path_tokens.first().map(|token| token.expose_secret().to_owned());
    let mut headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
    if let Some((name, values)) = &secrets.header {
        let value = values.first().ok_or(Unsignable::NoSecret)?;
        headers.push((name.clone(), value.expose_secret().to_owned()));
    }
    if path_token.is_none() && secrets.header.is_none() {
        return Err(Unsignable::NoSecret);
    }
    Ok(Signed { path_token, headers, query: None })
}

/// Compares hashes, so that neither length nor content shows in the time it takes.
fn index_of(secrets: &[SecretString], given: &str) -> Option<usize> {
    let hash = |text: &str| -> [u8; 32] { Sha256::digest(text.as_bytes()).into() };
    let expected = (0..)
        .zip(secrets)
        .filter(|(_, secret)| key(Scheme::SharedSecret, secret).is_ok())
        .map(|(index, secret)| (index, hash(secret.expose_secret())));
    first_match(expected, &[hash(given)])
}
