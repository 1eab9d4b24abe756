//! Tokens: the accounts host's endpoints, and whether a request may pass.
//!
//! A refusal of the token endpoint is 200 with `error`, but for too many requests: 400 `Access Denied`. There
//! are 10 access tokens for a refresh token in ten minutes and 30 that live at once, of which the eldest goes;
//! 20 refresh tokens for the user, likewise, and 5 in a minute. A code is good once. Where refresh tokens
//! rotate (`_set`), the one that was used is gone with the answer that brings the next, as the strictest do.

use super::problem::Problem;
use crate::call::{Answer, Call};
use crate::crm::Settings;
use crate::time::forget;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::VecDeque;
use url::Url;

/// The token of the target that is printed: good for everything, and for ever unless `_set` ends it.
pub(super) const TOKEN: &str = "1000.5f0c1d8e00004000800000000000a001.3b9a6c7d2e4100008000000000000001";
const REFRESH: &str = "1000.5f0c1d8e00004000800000000000b001.3b9a6c7d2e4100008000000000000002";
const CODE: &str = "1000.5f0c1d8e00004000800000000000c001.3b9a6c7d2e4100008000000000000003";
const CLIENT_ID: &str = "1000.WABRIDGESIMULATEDCLIENT00000001";
const CLIENT_SECRET: &str = "7b1f0c520000400080009d4e8a6f3c20aa5511ee22";

const LIFETIME: SignedDuration = SignedDuration::from_hours(1);
const CODE_LIFETIME: SignedDuration = SignedDuration::from_mins(2);
const GRANTS: usize = 10;
const GRANTS_SPAN: SignedDuration = SignedDuration::from_mins(10);
const MOST_LIVE: usize = 30;
const MOST_REFRESH: usize = 20;
const NEW_REFRESH: usize = 5;
const NEW_REFRESH_SPAN: SignedDuration = SignedDuration::from_mins(1);

/// All tokens of the account's one user.
#[derive(Debug)]
pub(super) struct Tokens {
    access: VecDeque<Access>,
    refresh: VecDeque<Refresh>,
    codes: Vec<Code>,
    /// When refresh tokens were made, lately.
    made: VecDeque<Timestamp>,
    /// For names: counted, so that equal runs are equal.
    count: u64,
}

#[derive(Debug)]
struct Access {
    token: String,
    /// The refresh token it came by.
    family: u64,
    scope: Scope,
    granted: Timestamp,
    until: Timestamp,
}

#[derive(Debug, Clone)]
struct Refresh {
    token: String,
    /// Kept when it rotates.
    family: u64,
    scope: Scope,
    grants: VecDeque<Timestamp>,
}

#[derive(Debug, Clone)]
struct Code {
    code: String,
    redirect: Option<String>,
    offline: bool,
    scope: Scope,
    /// `None`: of the self client, good until it is used.
    until: Option<Timestamp>,
}

/// What a token is for; `None`: everything.
type Scope = Option<String>;

impl Tokens {
    pub(super) fn new() -> Tokens {
        let refresh = Refresh { token: REFRESH.to_owned(), family: 0, scope: None, grants: VecDeque::new() };
        let code = Code { code: CODE.to_owned(), redirect: None, offline: true, scope: None, until: None };
        Tokens {
            access: VecDeque::new(),
            refresh: VecDeque::from([refresh]),
            codes: vec![code],
            made: VecDeque::new(),
            count: 0,
        }
    }

    /// `/oauth/v2/...`
    pub(super) fn answer(
        &mut self,
        call: &Call<'_>,
        path: &[&str],
        settings: &Settings,
        now: Timestamp,
    ) -> Answer {
        match (call.method, path) {
            ("POST", ["token"]) => self.grant(call, settings, now).unwrap_or_else(|refused| refused),
            ("POST", ["token", "revoke"]) => {
                let token = call.parameter("token").unwrap_or_default();
                self.revoke(&token);
                Answer::new(200, json!({"status": "success"}))
            }
            ("GET", ["auth"]) => self.agree(call, now).unwrap_or_else(refused),
            _ => Problem::nothing_here().answer(),
        }
    }

    fn grant(&mut self, call: &Call<'_>, settings: &Settings, now: Timestamp) -> Result<Answer, Answer> {
        let given = |name: &str| call.parameter(name).unwrap_or_default();
        if given("client_id") != CLIENT_ID {
            return Err(refused("invalid_client"));
        }
        if given("client_secret") != CLIENT_SECRET {
            return Err(refused("invalid_client_secret"));
        }
        match given("grant_type").as_str() {
            "authorization_code" => self.by_code(call, settings, now),
            "refresh_token" => self.by_refresh(call, settings, now),
            _ => Err(refused("unsupported_grant_type")),
        }
    }

    fn by_code(&mut self, call: &Call<'_>, settings: &Settings, now: Timestamp) -> Result<Answer, Answer> {
        let given = call.parameter("code").unwrap_or_default();
        let at = self.codes.iter().position(|it| it.code == given).ok_or_else(|| refused("invalid_code"))?;
        let code = self.codes[at].clone();
        if code.redirect.is_some() && code.redirect != call.parameter("redirect_uri") {
            return Err(refused("invalid_redirect_uri"));
        }
        forget(&mut self.made, NEW_REFRESH_SPAN, now);
        if code.offline && self.made.len() >= NEW_REFRESH {
            return Err(too_many());
        }
        self.codes.remove(at);
        if code.until.is_some_and(|until| now >= until) {
            return Err(refused("invalid_code"));
        }
        let family = self.next();
        let refresh = code.offline.then(|| self.new_refresh(family, code.scope.clone(), now));
        Ok(self.granted(call, (family, code.scope), refresh, settings, now))
    }

    fn by_refresh(&mut self, call: &Call<'_>, settings: &Settings, now: Timestamp) -> Result<Answer, Answer> {
        let given = call.parameter("refresh_token").unwrap_or_default();
        let at = self.refresh.iter().position(|it| it.token == given);
        let at = at.ok_or_else(|| refused("invalid_code"))?;
        let grants = &mut self.refresh[at].grants;
        forget(grants, GRANTS_SPAN, now);
        if grants.len() >= GRANTS {
            return Err(too_many());
        }
        grants.push_back(now);
        let Refresh { family, scope, .. } = self.refresh[at].clone();
        let next = settings.rotate_refresh_tokens.then(|| {
            let token = self.name('b');
            self.refresh[at].token.clone_from(&token);
            token
        });
        Ok(self.granted(call, (family, scope), next, settings, now))
    }

    fn new_refresh(&mut self, family: u64, scope: Scope, now: Timestamp) -> String {
        let token = self.name('b');
        self.made.push_back(now);
        self.refresh.push_back(Refresh { token: token.clone(), family, scope, grants: VecDeque::new() });
        if self.refresh.len() > MOST_REFRESH {
            self.refresh.pop_front();
        }
        token
    }

    fn granted(
        &mut self,
        call: &Call<'_>,
        (family, scope): (u64, Scope),
        refresh: Option<String>,
        settings: &Settings,
        now: Timestamp,
    ) -> Answer {
        let lifetime = settings.token_ttl.unwrap_or(LIFETIME);
        let until = now.saturating_add(lifetime).unwrap_or(Timestamp::MAX);
        let token = self.name('a');
        self.access.retain(|it| it.until > now);
        if self.access.iter().filter(|it| it.family == family).count() >= MOST_LIVE
            && let Some(eldest) = self.access.iter().position(|it| it.family == family)
        {
            self.access.remove(eldest);
        }
        let said = scope.clone().unwrap_or_else(|| "ZohoCRM.modules.ALL".to_owned());
        self.access.push_back(Access { token: token.clone(), family, scope, granted: now, until });
        let mut body = json!({
            "access_token": token, "scope": said, "api_domain": super::host(call), "token_type": "Bearer",
            "expires_in": lifetime.as_secs().max(1),
        });
        if let Some(refresh) = refresh {
            body["refresh_token"] = json!(refresh);
        }
        Answer::new(200, body)
    }

    fn revoke(&mut self, token: &str) {
        if let Some(at) = self.refresh.iter().position(|it| it.token == token)
            && let Some(gone) = self.refresh.remove(at)
        {
            self.access.retain(|it| it.family != gone.family);
        }
    }

    /// `GET /oauth/v2/auth`: the person agrees at once, and is sent back with a code.
    fn agree(&mut self, call: &Call<'_>, now: Timestamp) -> Result<Answer, &'static str> {
        let given = |name: &str| call.query(name).unwrap_or_default();
        if given("client_id") != CLIENT_ID {
            return Err("invalid_client");
        }
        if given("response_type") != "code" || given("scope").is_empty() {
            return Err("invalid_request");
        }
        let redirect = given("redirect_uri");
        let mut back = Url::parse(redirect).map_err(|_| "invalid_redirect_uri")?;
        let code = self.name('c');
        back.query_pairs_mut()
            .append_pair("code", &code)
            .append_pair("location", "in")
            .append_pair("accounts-server", &super::host(call));
        if let Some(state) = call.query("state") {
            back.query_pairs_mut().append_pair("state", state);
        }
        self.codes.push(Code {
            code,
            redirect: Some(redirect.to_owned()),
            offline: given("access_type") == "offline",
            scope: Some(given("scope").to_owned()),
            until: now.checked_add(CODE_LIFETIME).ok(),
        });
        let mut answer = Answer { status: 302, headers: Vec::new(), body: None };
        answer.header("location", back);
        Ok(answer)
    }

    /// Whether a request of the API shows a token that is good, and good for this.
    pub(super) fn proven(
        &self,
        call: &Call<'_>,
        path: &[&str],
        settings: &Settings,
        now: Timestamp,
    ) -> Result<(), Problem> {
        let shown = call.header("authorization").and_then(|value| value.strip_prefix("Zoho-oauthtoken "));
        let Some(shown) = shown else {
            return Err(Problem::new(401, "AUTHENTICATION_FAILURE", "Authentication failed"));
        };
        let invalid = || Problem::new(401, "INVALID_TOKEN", "invalid oauth token");
        let ended = |until: Option<Timestamp>| until.is_some_and(|until| now >= until);
        if shown == TOKEN {
            return if ended(settings.token_until) { Err(invalid()) } else { Ok(()) };
        }
        let access = self.access.iter().find(|it| it.token == shown).ok_or_else(invalid)?;
        // A lifetime set from outside also holds for the tokens that were there.
        let set =
            settings.token_until.zip(settings.token_ttl).and_then(|(until, ttl)| until.checked_sub(ttl).ok());
        let cut = settings.token_until.filter(|_| set.is_some_and(|set| access.granted < set));
        if ended(Some(access.until)) || ended(cut) {
            return Err(invalid());
        }
        match &access.scope {
            Some(scope) if !covers(scope, call.method, path) => {
                let message = "invalid oauth scope to access this URL";
                Err(Problem::new(401, "OAUTH_SCOPE_MISMATCH", message))
            }
            _ => Ok(()),
        }
    }

    fn next(&mut self) -> u64 {
        self.count += 1;
        self.count
    }

    fn name(&mut self, of: char) -> String {
        let count = self.next();
        format!("1000.5f0c1d8e0000400080001000{of}{count:07x}.3b9a6c7d2e41000080001000{count:08x}")
    }
}

/// What the endpoints are asked with.
pub(super) fn client() -> Value {
    json!({
        "token_path": "/oauth/v2/token", "auth_path": "/oauth/v2/auth", "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET, "code": CODE, "refresh_token": REFRESH,
    })
}

fn refused(error: &str) -> Answer {
    Answer::new(200, json!({ "error": error }))
}

fn too_many() -> Answer {
    let said = "You have made too many requests continuously. Please try again after some time.";
    let body = json!({"error": "Access Denied", "error_description": said, "status": "failure"});
    Answer::new(400, body)
}

/// Whether scopes, separated by commas or spaces, allow a method on a path behind `/crm/v8`.
fn covers(scope: &str, method: &str, path: &[&str]) -> bool {
    let operations: &[&str] = match method {
        "POST" => &["ALL", "WRITE", "CREATE"],
        "PUT" | "PATCH" => &["ALL", "WRITE", "UPDATE"],
        "DELETE" => &["ALL", "DELETE"],
        _ => &["ALL", "READ"],
    };
    let granted: Vec<String> = scope.split([',', ' ']).map(str::to_lowercase).collect();
    let has = |name: &str| granted.iter().any(|it| it.eq_ignore_ascii_case(name));
    let any = |of: &str| operations.iter().any(|operation| has(&format!("ZohoCRM.{of}.{operation}")));
    match path {
        ["coql"] => has("ZohoCRM.coql.READ"),
        ["settings", part, ..] => any("settings") || any(&format!("settings.{part}")),
        ["org"] | ["users", ..] => any(path[0]),
        [module, rest @ ..] => {
            (rest != ["search"] || has("ZohoSearch.securesearch.READ"))
                && (any("modules") || any(&format!("modules.{module}")))
        }
        [] => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_for_what_it_names() {
        let leads = "ZohoCRM.modules.leads.ALL,ZohoCRM.coql.READ ZohoCRM.settings.fields.READ";
        assert!(covers(leads, "PUT", &["Leads", "7"]) && covers(leads, "POST", &["coql"]));
        assert!(covers(leads, "GET", &["settings", "fields"]));
        assert!(!covers(leads, "POST", &["settings", "fields"]));
        assert!(!covers(leads, "GET", &["Contacts"]) && !covers(leads, "GET", &["org"]));
        assert!(!covers(leads, "GET", &["Leads", "search"]), "search has a scope of its own");
        assert!(covers(&format!("{leads},ZohoSearch.securesearch.READ"), "GET", &["Leads", "search"]));
    }
}
