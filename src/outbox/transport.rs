//! The way to a CRM over HTTPS, and the meter that every call passes.
//!
//! In: a target and its token. Out: [`Account`]s that send each call once, with credentials, within 30 s, to the
//! configured host alone: no redirect is followed, no proxy of the environment used, nothing repeated. Neither URL
//! nor token is ever logged or part of an error.

use super::breaker::Breaker;
use crate::clock::Clock;
use crate::config::{SecretFault, SecretReference, Target};
use data_encoding::BASE64;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::redirect::Policy;
use secrecy::{ExposeSecret, SecretString};
use std::error::Error as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};
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

/// The code of a call that was held back since one before it said to wait.
pub const HELD_BACK: &str = "held_back";

/// One account of a CRM, with its token.
pub trait Account: Transport {
    /// Reads the token again where it is kept. Whether it is another one now.
    fn renew(&self) -> bool;
}

/// An account over HTTPS.
pub struct HttpAccount {
    client: reqwest::Client,
    base_url: String,
    scheme: AuthScheme,
    token: SecretReference,
    header: RwLock<HeaderValue>,
}

impl HttpAccount {
    /// The account of a target.
    ///
    /// # Errors
    /// When its token cannot be read, or cannot be sent.
    pub fn new(target: &Target) -> Result<HttpAccount, SecretFault> {
        let about = target.crm.about();
        let header = header(about.auth, &target.token.resolve()?)?;
        Ok(HttpAccount {
            client: client(),
            base_url: target.base_url.clone().unwrap_or_else(|| about.base_url.to_owned()),
            scheme: about.auth,
            token: target.token.clone(),
            header: header.into(),
        })
    }

    fn header(&self) -> HeaderValue {
        self.header.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn call(&self, call: Call) -> Result<Answer, NoAnswer> {
        let url = format!("{}{}", self.base_url, call.path);
        let mut request = self.client.request(method(call.method), url).header(AUTHORIZATION, self.header());
        for (name, value) in call.headers {
            request = request.header(name, value);
        }
        if let Some(body) = &call.body {
            request = request.json(body);
        }
        let mut response = request.send().await.map_err(|error| no_answer(&error))?;
        let headers = response.headers().iter();
        let headers = headers.map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        });
        let mut answer =
            Answer { status: response.status().as_u16(), headers: headers.collect(), body: Vec::new() };
        while let Some(chunk) = response.chunk().await.map_err(|error| no_answer(&error))? {
            if answer.body.len() + chunk.len() > LONGEST {
                return Err(NoAnswer { sent: true, code: "too_long" });
            }
            answer.body.extend_from_slice(&chunk);
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
    fn renew(&self) -> bool {
        let Ok(read) = self.token.resolve().and_then(|token| header(self.scheme, &token)) else {
            return false;
        };
        let mut header = self.header.write().unwrap_or_else(PoisonError::into_inner);
        let is_new = *header != read;
        *header = read;
        is_new
    }
}

/// Without certificates of the system no https host can be trusted, and calls fail; http needs none.
fn client() -> reqwest::Client {
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

/// Counts every call of a step into the breaker, and holds back what comes after one that says to wait.
pub(super) struct Metered<'a> {
    inner: &'a dyn Transport,
    breaker: &'a Mutex<Breaker>,
    clock: &'a dyn Clock,
    held_back: AtomicBool,
}

impl<'a> Metered<'a> {
    pub(super) fn new(
        inner: &'a dyn Transport,
        breaker: &'a Mutex<Breaker>,
        clock: &'a dyn Clock,
    ) -> Metered<'a> {
        Metered { inner, breaker, clock, held_back: AtomicBool::new(false) }
    }

    fn note(&self, result: &Result<Answer, NoAnswer>) {
        let now = self.clock.elapsed();
        let mut breaker = self.breaker.lock().unwrap_or_else(PoisonError::into_inner);
        match result {
            Ok(answer) if answer.status == 429 => self.held_back.store(true, Ordering::Release),
            Ok(answer) if answer.status < 500 => breaker.answered(now),
            Ok(_) | Err(_) => breaker.failed(now),
        }
        if breaker.state(now) == super::breaker::State::Open {
            self.held_back.store(true, Ordering::Release);
        }
    }
}

impl Transport for Metered<'_> {
    fn send(&self, call: Call) -> Later<'_, Result<Answer, NoAnswer>> {
        Box::pin(async move {
            if self.held_back.load(Ordering::Acquire) {
                return Err(NoAnswer { sent: false, code: HELD_BACK });
            }
            let result = self.inner.send(call).await;
            self.note(&result);
            result
        })
    }
}
