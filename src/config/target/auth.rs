//! `auth` of a target: a token that does not expire, or what a login is made with.

use super::read::url;
use crate::config::channel::reference;
use crate::config::document::Table;
use crate::config::secret::SecretReference;
use wabridge_crms::About;

/// How it may be written.
const TOKEN: &str = "{ token = \"env:NAME\" }";
const LOGIN: &str = "{ client_id = \"1000.ABC\", client_secret = \"file:/path\" }";

/// What a target is proven with.
#[derive(Debug, Clone)]
pub enum Auth {
    /// A token that does not expire, and where it is.
    Token(SecretReference),
    /// A login, whose tokens expire and are renewed.
    Login(Login),
}

/// What a login is made with.
#[derive(Debug, Clone)]
pub struct Login {
    /// The client's id, as the CRM shows it.
    pub client_id: String,
    /// Where the client's secret is.
    pub client_secret: SecretReference,
    /// The host that grants tokens, without a slash at the end.
    pub accounts_url: String,
    /// The address that a person is sent back to, where this machine has a public one.
    pub redirect: Option<String>,
}

impl Auth {
    /// The reference to its secret, and the key that it stands under.
    #[must_use]
    pub fn reference(&self) -> (&'static str, &SecretReference) {
        match self {
            Auth::Token(token) => ("auth.token", token),
            Auth::Login(login) => ("auth.client_secret", &login.client_secret),
        }
    }

    /// What a login is made with, where there is one.
    #[must_use]
    pub fn login(&self) -> Option<&Login> {
        match self {
            Auth::Token(_) => None,
            Auth::Login(login) => Some(login),
        }
    }
}

/// What else is said of the target.
pub(super) struct Around<'a> {
    pub(super) about: Option<&'static About>,
    pub(super) name: Option<&'a str>,
    pub(super) base_url: Option<&'a str>,
    pub(super) public_url: Option<&'a str>,
}

pub(super) fn read(table: &mut Table<'_, '_>, around: &Around<'_>) -> Option<Auth> {
    let Some(mut auth) = table.inline("auth", TOKEN) else {
        if !table.has("auth") {
            table.problem(format!("{} has no 'auth'; add auth = {TOKEN}", table.label));
        }
        return None;
    };
    let has_client = ["client_id", "client_secret", "accounts_url"].iter().any(|key| auth.has(key));
    let read = match (auth.has("token"), has_client) {
        (false, true) => login(&mut auth, around).map(Auth::Login),
        (has_token, _) => {
            let token = auth.required("token", "env:NAME");
            let token = token.and_then(|found| reference(&auth, "token", found));
            if has_token && has_client {
                let text = format!("{} has a token and a client; write {TOKEN} or {LOGIN}", auth.label);
                auth.problem(text);
                return None;
            }
            token.map(Auth::Token)
        }
    };
    auth.finish(&[]);
    read
}

fn login(table: &mut Table<'_, '_>, around: &Around<'_>) -> Option<Login> {
    let client_id = table.required("client_id", "1000.ABC").map(|found| found.value.to_owned());
    let secret = table.required("client_secret", "file:/path");
    let secret = secret.and_then(|found| reference(table, "client_secret", found));
    let accounts_url = url(table, "accounts_url", "https://accounts.example.com");
    let (about, label) = (around.about?, &table.label);
    let Some(oauth) = about.oauth else {
        table.problem(format!("{} has no login, and {label} has a client; write auth = {TOKEN}", about.name));
        return None;
    };
    let base_url = around.base_url.unwrap_or(about.base_url);
    let accounts_url = accounts_url.or_else(|| oauth.accounts_of(base_url).map(str::to_owned));
    if accounts_url.is_none() {
        let text =
            format!("{} has no accounts host for this 'base_url'; add 'accounts_url' to {label}", about.name);
        table.problem(text);
    }
    if oauth.needs_redirect && around.public_url.is_none() {
        let text = format!(
            "{} sends whoever logs in back to this machine, and {label} has a client; add 'public_url' to \
             [server], or write auth = {TOKEN}",
            about.name
        );
        table.problem(text);
    }
    let redirect = |(url, name): (&str, &str)| format!("{url}/oauth/{name}/callback");
    Some(Login {
        client_id: client_id?,
        client_secret: secret?,
        accounts_url: accounts_url?,
        redirect: around.public_url.zip(around.name).map(redirect),
    })
}
