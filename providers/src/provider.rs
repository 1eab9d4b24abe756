//! The seam between the web and a provider's format.
//!
//! In: a request as it came ([`Inbound`]). Out: proof that its sender knows the secret ([`Verified`]),
//! then what it says ([`Item`]s). Nothing normalises a body that was not verified: [`Verified`] has no
//! public constructor but [`Verified::recall`], which the store uses for what was verified before.

use crate::signature::Scheme;
use jiff::Timestamp;
use secrecy::SecretString;
use std::collections::BTreeMap;
use wabridge_model::event::Event;
use wabridge_model::{Country, Phone};

/// One provider's wire format. Values are unit structs in [`crate::registry`].
pub trait Provider: Sync {
    /// Its names and what it can say.
    fn about(&self) -> &'static About;

    /// Answers the provider's check of the URL, where it makes one with GET.
    ///
    /// # Errors
    /// [`Rejection`] when the check fails; the default knows no such check.
    fn greet(&self, _query: &str, _account: &Account) -> Result<String, Rejection> {
        Err(Rejection::NoGreeting)
    }

    /// Proves that the sender knows a secret of the channel.
    ///
    /// # Errors
    /// [`Rejection`], with the reason to count. All configured secrets are tried, without early exit.
    fn verify<'a>(&self, inbound: Inbound<'a>, account: &Account) -> Result<Verified<'a>, Rejection> {
        self.about().scheme.verify(inbound, account)
    }

    /// Says what a verified request means, an item at a time, so that one bad item fails no neighbour.
    /// Needs no secret: `account.secrets` is empty when a stored request is read.
    ///
    /// # Errors
    /// [`Malformed`] when the body cannot be split into items at all.
    fn normalise(&self, request: &Verified<'_>, account: &Account) -> Result<Vec<Item>, Malformed>;

    /// What a better setting at the provider would bring, by the bodies it sent, the newest first; by none,
    /// what to choose when it is connected.
    fn advice(&self, _recent: &[&[u8]]) -> Vec<&'static str> {
        Vec::new()
    }

    /// The headers and query a provider would send with `body`, signed with the channel's first secret.
    ///
    /// # Errors
    /// [`Unsignable`] when the channel has no secret, or the body has no signed form.
    fn sign(&self, body: &[u8], at: Timestamp, account: &Account) -> Result<Signed, Unsignable> {
        self.about().scheme.sign(body, at, account)
    }
}

/// What a provider is, for the registry, the documentation and the checks.
#[derive(Debug)]
pub struct About {
    /// The name in configuration, metrics and stored rows.
    pub slug: &'static str,
    /// The name a person knows.
    pub name: &'static str,
    /// How it proves itself.
    pub scheme: Scheme,
    /// The proof headers, lower case: stored with each request as evidence.
    pub proof_headers: &'static [&'static str],
    /// The page that documents its webhooks.
    pub documentation: &'static str,
    /// What it passes on.
    pub passes: Passes,
    /// Whether it goes on sending what was not answered with a 2xx. Where it does not, a request with the
    /// right path token and a wrong signature is parked, not refused.
    pub retries: bool,
}

/// What a provider passes on, for the capability table: each is shown by its fixtures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passes {
    /// The customer's phone.
    pub phone: Passed,
    /// The business-scoped user id.
    pub bsuid: Passed,
    /// The profile name.
    pub name: Passed,
    /// WhatsApp's own message id, which joins the message with other channels' reports of it.
    pub wamid: Passed,
    /// The ad or post behind a message.
    pub ad: Passed,
    /// The ad's click id.
    pub click_id: Passed,
    /// What the business sent from elsewhere.
    pub echoes: Passed,
    /// What became of messages of the business.
    pub statuses: Passed,
    /// Opt-outs, beside what a person writes.
    pub opt_outs: Passed,
    /// The provider's own time of a message.
    pub time: Passed,
    /// The business number, or an id that configuration maps to it.
    pub business_number: Passed,
}

/// Whether a provider passes something on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passed {
    /// It does.
    Yes,
    /// It does under a condition, in a few words.
    If(&'static str),
    /// It does not.
    No,
}

/// A request as it came, before anything is known of its sender.
#[derive(Debug, Clone, Copy)]
pub struct Inbound<'a> {
    /// The query of the URL, without `?`, as sent.
    pub query: &'a str,
    /// The headers, names in lower case, in the order sent.
    pub headers: &'a [(String, String)],
    /// The body, as sent.
    pub body: &'a [u8],
    /// When it was received.
    pub received_at: Timestamp,
    /// The last part of a URL `/hooks/{channel}/{token}`. Never stored, never logged.
    pub path_token: Option<&'a str>,
}

impl<'a> Inbound<'a> {
    /// The one value of a header. `None` when it is absent or given more than once: a proof that is
    /// given twice proves nothing.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a str> {
        let mut values = self.headers.iter().filter(|(key, _)| key == name);
        match (values.next(), values.next()) {
            (Some((_, value)), None) => Some(value),
            _ => None,
        }
    }

    /// Whether a header is there at all.
    #[must_use]
    pub fn has_header(&self, name: &str) -> bool {
        self.headers.iter().any(|(key, _)| key == name)
    }
}

pub use wabridge_model::evidence::Proof;

/// A request whose sender proved to know a secret.
#[derive(Debug)]
pub struct Verified<'a> {
    query: &'a str,
    headers: &'a [(String, String)],
    body: &'a [u8],
    received_at: Timestamp,
    proof: Proof,
    secret_index: u16,
}

impl<'a> Verified<'a> {
    /// Only a signature check of this crate may call it.
    pub(crate) fn new(inbound: Inbound<'a>, proof: Proof, secret_index: usize) -> Verified<'a> {
        let Inbound { query, headers, body, received_at, .. } = inbound;
        let secret_index = u16::try_from(secret_index).unwrap_or(u16::MAX);
        Verified { query, headers, body, received_at, proof, secret_index }
    }

    /// A request that was verified when it was stored. For the store alone: the store holds nothing else.
    #[must_use]
    pub fn recall(inbound: Inbound<'a>, proof: Proof) -> Verified<'a> {
        Verified::new(inbound, proof, 0)
    }

    /// The query of the URL.
    #[must_use]
    pub fn query(&self) -> &'a str {
        self.query
    }

    /// The one value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a str> {
        let Verified { query, headers, body, received_at, .. } = *self;
        Inbound { query, headers, body, received_at, path_token: None }.header(name)
    }

    /// The body, as sent.
    #[must_use]
    pub fn body(&self) -> &'a [u8] {
        self.body
    }

    /// When it was received.
    #[must_use]
    pub fn received_at(&self) -> Timestamp {
        self.received_at
    }

    /// How it was proven.
    #[must_use]
    pub fn proof(&self) -> Proof {
        self.proof
    }

    /// Which of the channel's secrets proved it, counted from 0.
    #[must_use]
    pub fn secret_index(&self) -> u16 {
        self.secret_index
    }
}

/// One configured channel, as its provider needs to know it.
#[derive(Debug, Clone)]
pub struct Account {
    /// The channel's name.
    pub channel: String,
    /// The scope of its BSUIDs.
    pub portfolio: String,
    /// The provider's account id (`phone_number_id`, `whatsapp:+...`) to our number.
    pub business_numbers: BTreeMap<String, Phone>,
    /// The channel's only number, for providers that do not name it.
    pub business_number: Option<Phone>,
    /// The ids of the provider's dashboard test: they prove the signature and create no lead.
    pub sample_ids: Vec<SampleId>,
    /// For numbers without a country code.
    pub default_country: Country,
    /// The channel's URL as the provider knows it: Twilio signs it.
    pub public_url: Option<String>,
    /// What proves a sender. Empty where stored requests are read.
    pub secrets: Secrets,
}

impl Account {
    /// The business number behind a provider's account id: as configured, else the number the provider
    /// itself shows for it, else the channel's only number.
    #[must_use]
    pub fn resolve(&self, account_id: Option<&str>, shown: Option<&str>) -> Option<Phone> {
        account_id
            .and_then(|id| self.business_numbers.get(id))
            .cloned()
            .or_else(|| self.business_number.clone())
            .or_else(|| {
                shown.and_then(|text| {
                    Phone::parse(&format!("+{}", text.trim_start_matches('+')), self.default_country).ok()
                })
            })
    }
}

/// The ids in a provider's dashboard test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleId {
    /// `entry[].id`
    pub entry: String,
    /// `metadata.phone_number_id`
    pub phone_number_id: String,
}

/// The secrets of one channel, the newest first.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    /// App secrets, auth tokens or `whsec_` secrets; several during a rotation.
    pub signing: Vec<SecretString>,
    /// Meta's verify token.
    pub verify_token: Option<SecretString>,
    /// What the last part of the URL must be, where it has one; several during a rotation.
    pub path_tokens: Vec<SecretString>,
    /// A header, its name in lower case, and the values it may have.
    pub header: Option<(String, Vec<SecretString>)>,
}

impl Secrets {
    /// Whether the URL carries one of the channel's path tokens. Without any, no URL does.
    #[must_use]
    pub fn knows_path(&self, inbound: &Inbound<'_>) -> bool {
        crate::signature::path_token(inbound, &self.path_tokens).is_ok()
    }
}

/// Why a request was not accepted as its channel's. The text is the counted reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Rejection {
    /// The proof header is not there.
    #[error("signature_missing")]
    Missing,
    /// The proof header is there twice, or has not the form of a proof.
    #[error("signature_malformed")]
    MalformedProof,
    /// The proof does not fit the body under any secret.
    #[error("signature_mismatch")]
    Mismatch,
    /// As [`Rejection::Mismatch`], with non-ASCII bytes in the body: a proxy that re-encodes JSON is the usual cause.
    #[error("signature_mismatch_non_ascii")]
    MismatchNonAscii,
    /// A signed time more than five minutes from now.
    #[error("timestamp_out_of_tolerance")]
    Stale,
    /// The body's own hash, signed with the URL, does not fit the body.
    #[error("body_hash_mismatch")]
    BodyHash,
    /// The URL's path token is wrong, or missing where nothing else proves the sender.
    #[error("path_token_mismatch")]
    PathToken,
    /// The sender's address is not among those allowed.
    #[error("address_not_allowed")]
    Address,
    /// A GET whose verify token or mode is wrong.
    #[error("verify_token_mismatch")]
    VerifyToken,
    /// The provider makes no check with GET.
    #[error("no_greeting")]
    NoGreeting,
}

/// One thing a request says.
#[derive(Debug)]
pub enum Item {
    /// A fact.
    Event(Box<Event>),
    /// Understood, and of no consequence.
    Skipped(Skip),
    /// Not understood: kept where it lies, counted and shown.
    Quarantined(Malformed),
}

/// Why an item has no consequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Skip {
    /// The provider's dashboard test.
    Sample,
    /// A delivery check or another notice without content.
    NoContent,
}

impl Skip {
    /// The counted reason.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Skip::Sample => "sample",
            Skip::NoContent => "no_content",
        }
    }
}

/// What could not be understood, and where. It never carries the value at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at {path}")]
pub struct Malformed {
    /// The counted reason, from a closed set: `not_json`, `too_deep`, `missing_field`, `invalid_field`, `not_form`, `unexpected_shape`.
    pub reason: &'static str,
    /// A JSON path (`entry[0].changes[2].value.messages[0].timestamp`) or parameter name; `$` is the whole.
    pub path: String,
}

/// What a provider would send with a body.
#[derive(Debug, Default)]
pub struct Signed {
    /// Added to the URL's path.
    pub path_token: Option<String>,
    /// Added to the URL.
    pub query: Option<String>,
    /// Headers, names as the provider writes them.
    pub headers: Vec<(String, String)>,
}

/// Why a body cannot be signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsignable {
    /// The channel has no secret.
    #[error("the channel has no secret to sign with")]
    NoSecret,
    /// Something the scheme needs is not there or not well formed.
    #[error("{0}")]
    Unfit(&'static str),
}
