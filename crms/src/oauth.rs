//! OAuth as CRMs speak it: what a token endpoint is asked, and how its answers are read.
//!
//! In: a grant and the client's credentials. Out: the fields of a form, and of an answer its tokens or why there are
//! none. No CRM of ours differs in more than hosts, paths and words, so it is data: [`OAuth`], in a CRM's `About`.
//!
//! **Where facts are unsure.** Zoho reports refusals with status 200 as well as 400, so the body decides and not the
//! status. It calls a dead refresh token `invalid_code`, as it calls a dead code. Its throttle is a 400 of the words
//! `Access Denied`, which elsewhere would be a refusal: it is read as "later", since it ends by itself and a refused
//! login does not.

use serde_json::Value;
use std::time::Duration;

/// How long a throttled token endpoint is left alone: Zoho counts over ten minutes.
const THROTTLED: Duration = Duration::from_secs(600);
/// How long one that is down is left alone.
const DOWN: Duration = Duration::from_secs(15);
/// The longest lifetime that is believed.
const LONGEST: u64 = 365 * 24 * 3600;

/// How a CRM is logged in to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OAuth {
    /// Where a person agrees, an address with its host; a path is on the accounts host.
    pub authorize: &'static str,
    /// What the address carries beside client, redirect, scope and state.
    pub authorize_with: &'static [(&'static str, &'static str)],
    /// The path of the token endpoint on the accounts host.
    pub token: &'static str,
    /// Which accounts host belongs to which API host, both with `https://`. Every data centre has its own.
    pub hosts: &'static [(&'static str, &'static str)],
    /// What is asked for, as the CRM separates it.
    pub scope: &'static str,
    /// Whether a code is worth something only with the address that it was sent to. Zoho's self client has none.
    pub needs_redirect: bool,
    /// The code of a 401 that refuses what was asked for want of a scope, and not the token, where 401 may mean that.
    pub lacks_scope: Option<&'static str>,
}

impl OAuth {
    /// The accounts host of an API host; a host with a prefix (`sandbox.`) has that of the host behind it.
    #[must_use]
    pub fn accounts_of(&self, base_url: &str) -> Option<&'static str> {
        let host = |url: &str| url.trim_start_matches("https://").trim_start_matches("www.").to_owned();
        let asked = host(base_url);
        let is_it = |api: &str| {
            let api = host(api);
            asked == api || asked.ends_with(&format!(".{api}"))
        };
        self.hosts.iter().find(|(api, _)| is_it(api)).map(|(_, accounts)| *accounts)
    }

    /// Whether an answer of the CRM refuses the token itself: another one may be taken then.
    #[must_use]
    pub fn is_token_refused(&self, status: u16, body: &[u8]) -> bool {
        let code = || serde_json::from_slice::<Value>(body).ok()?["code"].as_str().map(str::to_owned);
        status == 401 && (self.lacks_scope.is_none() || code().as_deref() != self.lacks_scope)
    }
}

/// What is shown to the token endpoint for an access token.
#[derive(Clone, Copy)]
pub enum Grant<'a> {
    /// A code that a person copied, or that came to the redirect address.
    Code {
        /// The code.
        code: &'a str,
        /// The address that it was sent to.
        redirect: Option<&'a str>,
    },
    /// The refresh token.
    Refresh(&'a str),
}

/// The form for a grant.
#[must_use]
pub fn form<'a>(
    grant: Grant<'a>,
    client_id: &'a str,
    client_secret: &'a str,
) -> Vec<(&'static str, &'a str)> {
    let mut form = vec![("client_id", client_id), ("client_secret", client_secret)];
    match grant {
        Grant::Code { code, redirect } => {
            form.extend([("grant_type", "authorization_code"), ("code", code)]);
            form.extend(redirect.map(|redirect| ("redirect_uri", redirect)));
        }
        Grant::Refresh(token) => form.extend([("grant_type", "refresh_token"), ("refresh_token", token)]),
    }
    form
}

/// What an endpoint granted. No `Debug`: these are secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct Granted {
    /// The access token.
    pub access: String,
    /// The refresh token, where one came along: another one than before, where they rotate.
    pub refresh: Option<String>,
    /// How long the access token is good.
    pub lifetime: Option<Duration>,
    /// The API host that it is for.
    pub api: Option<String>,
}

/// Why an endpoint granted nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// The code or the refresh token is good for nothing any more.
    Grant(String),
    /// The client's id, secret or address is not right, or something else of the configuration.
    Client(String),
    /// It is to be asked again, not before this time has passed.
    Later(&'static str, Duration),
}

/// Reads what a token endpoint answered.
///
/// # Errors
/// [`Refused`], whose words are the endpoint's own codes and never a value.
pub fn read(status: u16, body: &[u8]) -> Result<Granted, Refused> {
    let body: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let text = |name: &str| body[name].as_str().filter(|text| !text.is_empty());
    if let Some(access) = text("access_token").filter(|_| (200..300).contains(&status)) {
        let seconds = &body["expires_in"];
        let seconds = seconds.as_u64().or_else(|| seconds.as_str()?.parse().ok());
        return Ok(Granted {
            access: access.to_owned(),
            refresh: text("refresh_token").map(str::to_owned),
            lifetime: seconds.filter(|seconds| *seconds > 0).map(|it| Duration::from_secs(it.min(LONGEST))),
            api: text("api_domain").map(str::to_owned),
        });
    }
    let said = text("error").or_else(|| text("status")).or_else(|| text("code")).unwrap_or("no_token");
    let said = word(said);
    Err(match said.as_str() {
        "access_denied" => Refused::Later("token_throttle", THROTTLED),
        _ if status == 429 => Refused::Later("token_throttle", THROTTLED),
        "invalid_grant" | "invalid_code" | "invalid_token" | "bad_refresh_token" | "bad_auth_code" => {
            Refused::Grant(said)
        }
        _ if status >= 500 || said == "no_token" => Refused::Later("token_endpoint", DOWN),
        _ => Refused::Client(said),
    })
}

/// A code in one spelling, without anything that is none.
fn word(said: &str) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    said.chars().take(40).map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: OAuth = OAuth {
        authorize: "/oauth/v2/auth",
        authorize_with: &[],
        token: "/oauth/v2/token",
        hosts: &[
            ("https://www.zohoapis.com", "https://accounts.zoho.com"),
            ("https://www.zohoapis.in", "https://accounts.zoho.in"),
            ("https://www.zohoapis.com.au", "https://accounts.zoho.com.au"),
        ],
        scope: "",
        needs_redirect: false,
        lacks_scope: Some("OAUTH_SCOPE_MISMATCH"),
    };

    #[test]
    fn an_accounts_host_is_of_the_same_data_centre_as_the_api_host() {
        let of = |host| TWO.accounts_of(host);
        assert_eq!(of("https://www.zohoapis.in"), Some("https://accounts.zoho.in"));
        assert_eq!(of("https://sandbox.zohoapis.in"), Some("https://accounts.zoho.in"));
        assert_eq!(of("https://www.zohoapis.com.au"), Some("https://accounts.zoho.com.au"));
        assert_eq!(of("https://www.zohoapis.com"), Some("https://accounts.zoho.com"));
        assert_eq!(of("https://www.evilzohoapis.in"), None);
        assert_eq!(of("http://127.0.0.1:1"), None);
    }

    #[test]
    fn a_401_for_want_of_a_scope_refuses_no_token() {
        assert!(TWO.is_token_refused(401, br#"{"code":"INVALID_TOKEN"}"#));
        assert!(TWO.is_token_refused(401, b""));
        assert!(!TWO.is_token_refused(401, br#"{"code":"OAUTH_SCOPE_MISMATCH"}"#));
        assert!(!TWO.is_token_refused(403, br#"{"code":"NO_PERMISSION"}"#));
        let other = OAuth { lacks_scope: None, ..TWO };
        assert!(other.is_token_refused(401, br#"{"message":"expired"}"#));
    }

    #[test]
    fn a_grant_is_asked_for_with_what_it_consists_of() {
        let code = form(Grant::Code { code: "c", redirect: Some("r") }, "id", "secret");
        let expected = [
            ("client_id", "id"),
            ("client_secret", "secret"),
            ("grant_type", "authorization_code"),
            ("code", "c"),
            ("redirect_uri", "r"),
        ];
        assert_eq!(code, expected);
        let own = form(Grant::Code { code: "c", redirect: None }, "id", "secret");
        assert!(own.iter().all(|(name, _)| *name != "redirect_uri"));
        let refresh = form(Grant::Refresh("t"), "id", "secret");
        assert_eq!(refresh[2..], [("grant_type", "refresh_token"), ("refresh_token", "t")]);
    }

    #[test]
    fn tokens_are_read_with_their_lifetime_and_host() {
        let body = br#"{"access_token":"a","refresh_token":"r","expires_in":3600,"api_domain":"https://www.zohoapis.in"}"#;
        let Ok(granted) = read(200, body) else { panic!() };
        assert_eq!((granted.access.as_str(), granted.refresh.as_deref()), ("a", Some("r")));
        assert_eq!(granted.lifetime, Some(Duration::from_secs(3600)));
        assert_eq!(granted.api.as_deref(), Some("https://www.zohoapis.in"));
        let Ok(bare) = read(200, br#"{"access_token":"a","expires_in":"1800"}"#) else { panic!() };
        assert_eq!((bare.refresh, bare.lifetime), (None, Some(Duration::from_secs(1800))));
    }

    #[test]
    fn a_refusal_is_read_from_the_body_whatever_the_status() {
        let table: [(u16, &str, Refused); 10] = [
            (200, r#"{"error":"invalid_code"}"#, Refused::Grant("invalid_code".into())),
            (400, r#"{"error":"invalid_grant"}"#, Refused::Grant("invalid_grant".into())),
            (400, r#"{"status":"BAD_REFRESH_TOKEN"}"#, Refused::Grant("bad_refresh_token".into())),
            (200, r#"{"error":"invalid_client"}"#, Refused::Client("invalid_client".into())),
            (400, r#"{"error":"redirect_uri_mismatch"}"#, Refused::Client("redirect_uri_mismatch".into())),
            (400, r#"{"error":"Access Denied"}"#, Refused::Later("token_throttle", THROTTLED)),
            (429, "{}", Refused::Later("token_throttle", THROTTLED)),
            (503, "<html>", Refused::Later("token_endpoint", DOWN)),
            (502, r#"{"error":"server_error"}"#, Refused::Later("token_endpoint", DOWN)),
            (200, "", Refused::Later("token_endpoint", DOWN)),
        ];
        for (status, body, expected) in table {
            assert_eq!(read(status, body.as_bytes()).err(), Some(expected), "{status} {body}");
        }
    }
}
