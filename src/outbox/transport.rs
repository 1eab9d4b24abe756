//! The way to a CRM over HTTPS.
//!
//! In: a target and its token or login. Out: [`Account`]s that send each call once, with credentials, within 30 s, to the
//! configured host alone: no redirect is followed, no proxy of the environment used, nothing repeated. Neither URL
//! nor token is ever logged or part of an error.

use super::login::{Login, Unable, Vault};
use crate::config::target::Auth;
use crate::config::{SecretFault, SecretReference, Target};
use data_encoding::BASE64;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::redirect::Policy;
use secrecy::{ExposeSecret, SecretString};
use std::error::Error as _;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;
use wabridge_crms::{Answer, AuthScheme, Call, Later, Method, NoAnswer, Transport};

/// To be connected, TLS and all.
const CONNECT: Duration = Duration::from_secs(3);
/// From the start of a call to the end of its answer. Less than a lease.
pub const TOTAL: Duration = Duration::from_secs(30);
/// Sooner than servers close what is idle: what was sent into a closed connection is in doubt.
const IDLE: Duration = Duration::from_secs(20);
/// The longest answer.
const LONGEST: usize = 8 * 1024 * 1024;

/// One account of a CRM, with its token.
pub trait Account: Transport {
    /// After a refusal: reads the token again where it is kept, or renews the login. Whether it is another one now.
    fn renew(&self) -> Later<'_, bool>;
}

/// An account over HTTPS.
pub struct HttpAccount {
    client: reqwest::Client,
    base_url: String,
    scheme: AuthScheme,
    credential: Credential,
}

/// What an account is opened with.
enum Credential {
    /// A token that does not expire, as it was when it was last read.
    Token {
        kept: SecretReference,
        header: RwLock<HeaderValue>,
    },
    Login(Box<Login>),
}

impl HttpAccount {
    /// The account of a target that has a token.
    ///
    /// # Errors
    /// When its token cannot be read, or cannot be sent; and when it has a login.
    pub fn new(target: &Target) -> Result<HttpAccount, SecretFault> {
        match &target.auth {
            Auth::Token(token) => HttpAccount::with_token(target, token),
            Auth::Login(_) => Err(SecretFault::Unfit("is a client's, and the login is kept in the store")),
        }
    }

    /// The account of a target, with a token or a login.
    ///
    /// # Errors
    /// When its secret cannot be read, or cannot be sent. That nobody has logged in yet is none.
    pub fn of(target: &Target, vault: &Vault) -> Result<HttpAccount, SecretFault> {
        let Some(login) = Login::of(target, vault) else { return HttpAccount::new(target) };
        target.auth.reference().1.resolve()?;
        Ok(HttpAccount::with(target, Credential::Login(Box::new(login))))
    }

    fn with_token(target: &Target, token: &SecretReference) -> Result<HttpAccount, SecretFault> {
        let header = header(target.crm.about().auth, &token.resolve()?)?.into();
        Ok(HttpAccount::with(target, Credential::Token { kept: token.clone(), header }))
    }

    fn with(target: &Target, credential: Credential) -> HttpAccount {
        let about = target.crm.about();
        HttpAccount {
            client: client(),
            base_url: target.base_url.clone().unwrap_or_else(|| about.base_url.to_owned()),
            scheme: about.auth,
            credential,
        }
    }

    /// What is shown now; with a login, of which generation it is.
    async fn header(&self) -> Result<(HeaderValue, i64), Unable> {
        match &self.credential {
            Credential::Token { header, .. } => {
                Ok((header.read().unwrap_or_else(PoisonError::into_inner).clone(), 0))
            }
            Credential::Login(login) => {
                let shown = login.token().await?;
                let unfit = |_| Unable::Refused("a token that no header can carry".to_owned());
                Ok((header(self.scheme, &shown.access).map_err(unfit)?, shown.generation))
            }
        }
    }

    async fn call(&self, call: Call) -> Result<Answer, NoAnswer> {
        let url = format!("{}{}", self.base_url, call.path);
        let (header, generation) = match self.header().await {
            Ok(shown) => shown,
            Err(unable) => return unsent(&unable),
        };
        let mut request = self.client.request(method(call.method), url).header(AUTHORIZATION, header);
        for (name, value) in call.headers {
            request = request.header(name, value);
        }
        if let Some(body) = &call.body {
            request = request.json(body);
        }
        let response = request.send().await.map_err(|error| no_answer(&error))?;
        let headers = response.headers().iter();
        let headers = headers.map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        });
        let (headers, status) = (headers.collect(), response.status().as_u16());
        let body = body_of(response, LONGEST).await.map_err(|error| no_answer(&error))?;
        let body = body.ok_or(NoAnswer { sent: true, code: "too_long" })?;
        let answer = Answer { status, headers, body };
        if let Credential::Login(login) = &self.credential {
            login.heard(generation, &answer);
        }
        Ok(answer)
    }
}

impl Transport for HttpAccount {
    fn send(&self, call: Call) -> Later<'_, Result<Answer, NoAnswer>> {
        Box::pin(self.call(call))
    }
}

impl Account for HttpAccount {
    fn renew(&self) -> Later<'_, bool> {
        match &self.credential {
            Credential::Token { kept, header } => {
                let is_new = reread(kept, header, self.scheme);
                Box::pin(async move { is_new })
            }
            Credential::Login(login) => Box::pin(login.renew()),
        }
    }
}

/// Reads a token again where it is kept. Whether it is another one.
fn reread(kept: &SecretReference, shown: &RwLock<HeaderValue>, scheme: AuthScheme) -> bool {
    let Ok(read) = kept.resolve().and_then(|token| header(scheme, &token)) else { return false };
    let mut shown = shown.write().unwrap_or_else(PoisonError::into_inner);
    let is_new = *shown != read;
    *shown = read;
    is_new
}

/// What becomes of a call for which there is no token: what a person must mend is refused as the CRM would refuse it.
fn unsent(unable: &Unable) -> Result<Answer, NoAnswer> {
    let code = match unable {
        Unable::Later(code) => return Err(NoAnswer { sent: false, code }),
        unable => unable.code().unwrap_or_default(),
    };
    let body = serde_json::json!({ "code": code, "category": code });
    Ok(Answer { status: 401, headers: Vec::new(), body: body.to_string().into_bytes() })
}

/// Without certificates of the system no https host can be trusted, and calls fail; http needs none.
pub(super) fn client() -> reqwest::Client {
    let builder = || {
        reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .timeout(TOTAL)
            .pool_idle_timeout(IDLE)
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .user_agent(concat!("wabridge/", env!("CARGO_PKG_VERSION")))
    };
    builder().build().unwrap_or_else(|_| {
        tracing::warn!("this machine has no certificates: no CRM can be reached; install ca-certificates");
        builder()
            .tls_certs_only([])
            .build()
            .expect("a client without certificates needs nothing of the system")
    })
}

/// The body of an answer, if it is not longer than `most` bytes.
pub(super) async fn body_of(
    mut response: reqwest::Response,
    most: usize,
) -> reqwest::Result<Option<Vec<u8>>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > most {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

fn header(scheme: AuthScheme, token: &SecretString) -> Result<HeaderValue, SecretFault> {
    let token = token.expose_secret();
    let shown = match scheme {
        AuthScheme::Bearer => format!("Bearer {token}"),
        AuthScheme::Word(word) => format!("{word} {token}"),
        AuthScheme::BasicUser => format!("Basic {}", BASE64.encode(format!("{token}:").as_bytes())),
    };
    let mut header = HeaderValue::from_str(&shown)
        .map_err(|_| SecretFault::Unfit("has characters that no header can carry; copy the token again"))?;
    header.set_sensitive(true);
    Ok(header)
}

fn method(method: Method) -> reqwest::Method {
    match method {
        Method::Get => reqwest::Method::GET,
        Method::Post => reqwest::Method::POST,
        Method::Put => reqwest::Method::PUT,
        Method::Patch => reqwest::Method::PATCH,
        Method::Delete => reqwest::Method::DELETE,
    }
}

/// Only what failed before there was a connection was certainly not sent.
fn no_answer(error: &reqwest::Error) -> NoAnswer {
    let sent = !(error.is_connect() || error.is_builder());
    let code = match () {
        () if error.is_timeout() => "timeout",
        () if sent => "cut",
        () if is_tls(error) => "tls",
        () => "connect",
    };
    NoAnswer { sent, code }
}

fn is_tls(error: &reqwest::Error) -> bool {
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string().to_ascii_lowercase();
        if text.contains("certificate") || text.contains("tls") {
            return true;
        }
        source = cause.source();
    }
    false
}
