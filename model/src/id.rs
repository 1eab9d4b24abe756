//! Identifiers: which are drawn, which are derived, and which name a person.
//!
//! A lead id is drawn once for each identity and kept; an event id and its trace id are derived from
//! the event's key, so that a redelivery has the same.

use crate::phone::Phone;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use uuid::Uuid;

/// The id under which a lead answers: a UUIDv7 drawn for one of its identities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LeadId(pub Uuid);

impl fmt::Display for LeadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What makes two deliveries the same event, such as `wa:+918047000000:wamid.X`.
///
/// It contains provider ids, and a wamid contains a phone: never log it, log the [`TraceId`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventKey(String);

impl EventKey {
    /// Joins the parts that identify an event with `:`.
    #[must_use]
    pub fn new(space: &str, parts: &[&str]) -> EventKey {
        EventKey(joined(space, parts))
    }

    /// The key of a message with WhatsApp's own id: the same by whatever channel it is reported.
    #[must_use]
    pub fn message(number: &Phone, id: &str) -> EventKey {
        EventKey::new("wa", &[number.e164(), id])
    }

    /// A key read back from the store.
    #[must_use]
    pub fn stored(key: String) -> EventKey {
        EventKey(key)
    }

    /// The key as stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The event's public id.
    #[must_use]
    pub fn event_id(&self) -> EventId {
        EventId(uuid_of("event", &self.0))
    }

    /// The event's W3C trace id.
    #[must_use]
    pub fn trace_id(&self) -> TraceId {
        TraceId(uuid_of("trace", &self.0))
    }
}

/// Joins parts with `:`, escaped within a part, so that no two lists of parts give one text.
pub(crate) fn joined(space: &str, parts: &[&str]) -> String {
    let mut key = String::from(space);
    for part in parts {
        key.push(':');
        for c in part.chars() {
            match c {
                ':' => key.push_str("%3A"),
                '%' => key.push_str("%25"),
                c => key.push(c),
            }
        }
    }
    key
}

impl fmt::Debug for EventKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EventKey({})", self.trace_id())
    }
}

/// A UUIDv8 of 122 bits of SHA-256: the same key gives the same id on every machine.
fn uuid_of(purpose: &str, key: &str) -> Uuid {
    let digest = Sha256::new_with_prefix(purpose).chain_update([0]).chain_update(key).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    bytes[6] = (bytes[6] & 0x0f) | 0x80;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    Uuid::from_bytes(bytes)
}

/// The public id of an event, derived from its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventId(pub Uuid);

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A W3C trace id: 32 lower-case hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceId(Uuid);

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.simple().fmt(f)
    }
}

/// Meta's business-scoped user id: `IN.1234` or, for linked portfolios, `IN.ENT.1234`.
///
/// One per person and business portfolio; it changes with the person's phone number. Every phone field
/// is tested against this form first, because early payloads and Twilio carry one in the other's place.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Bsuid(String);

/// A text that is no business-scoped user id.
#[derive(Debug, thiserror::Error)]
#[error("not a business-scoped user id")]
pub struct NotABsuid;

impl Bsuid {
    /// Accepts `^[A-Z]{2}\.(ENT\.)?[A-Za-z0-9]{1,128}$`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Bsuid> {
        let (country, rest) = text.split_once('.')?;
        let id = rest.strip_prefix("ENT.").unwrap_or(rest);
        let fits = country.len() == 2
            && country.bytes().all(|b| b.is_ascii_uppercase())
            && (1..=128).contains(&id.len())
            && id.bytes().all(|b| b.is_ascii_alphanumeric());
        fits.then(|| Bsuid(text.to_owned()))
    }

    /// The id as sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Bsuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bsuid(..)")
    }
}

impl TryFrom<String> for Bsuid {
    type Error = NotABsuid;
    fn try_from(text: String) -> Result<Bsuid, NotABsuid> {
        Bsuid::parse(&text).ok_or(NotABsuid)
    }
}

impl From<Bsuid> for String {
    fn from(id: Bsuid) -> String {
        id.0
    }
}

/// An e-mail address, trimmed and lower-cased.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Email(String);

/// A text that is no e-mail address.
#[derive(Debug, thiserror::Error)]
#[error("not an e-mail address")]
pub struct NotAnEmail;

impl Email {
    /// Accepts one `@`, a non-empty local part, and a dotted domain; at most 254 bytes, no white space.
    #[must_use]
    pub fn parse(text: &str) -> Option<Email> {
        let text = text.trim().to_lowercase();
        let (local, domain) = text.split_once('@')?;
        let fits = text.len() <= 254
            && !local.is_empty()
            && local.len() <= 64
            && !text.chars().any(|c| c.is_whitespace() || c.is_control() || "<>(),;:\"\\[]".contains(c))
            && domain.contains('.')
            && domain.split('.').all(is_domain_label);
        fits.then_some(Email(text))
    }

    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_domain_label(label: &str) -> bool {
    !label.is_empty()
        && label.len() <= 63
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.chars().all(|c| c.is_alphanumeric() || c == '-')
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email(..)")
    }
}

impl TryFrom<String> for Email {
    type Error = NotAnEmail;
    fn try_from(text: String) -> Result<Email, NotAnEmail> {
        Email::parse(&text).ok_or(NotAnEmail)
    }
}

impl From<Email> for String {
    fn from(email: Email) -> String {
        email.0
    }
}

/// The kinds of identity a lead may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdentityKind {
    /// An E.164 phone number. Scope: none, the whole world.
    Phone,
    /// A business-scoped user id. Scope: the channel's portfolio.
    Bsuid,
    /// The id that spans linked portfolios. Scope: none.
    ParentBsuid,
    /// A WhatsApp username: shown and searched, joins nothing.
    Username,
    /// An e-mail address.
    Email,
}

impl IdentityKind {
    /// The name used in JSON and in the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            IdentityKind::Phone => "phone",
            IdentityKind::Bsuid => "bsuid",
            IdentityKind::ParentBsuid => "parent_bsuid",
            IdentityKind::Username => "username",
            IdentityKind::Email => "email",
        }
    }
}

/// One name of a person: kind, the scope in which it is unique, and the value.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// What sort of name it is.
    pub kind: IdentityKind,
    /// The portfolio for a BSUID, else empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub scope: String,
    /// The name itself.
    pub value: String,
}

impl Identity {
    /// A phone number's identity.
    #[must_use]
    pub fn phone(phone: &Phone) -> Identity {
        Identity { kind: IdentityKind::Phone, scope: String::new(), value: phone.e164().to_owned() }
    }

    /// A BSUID's identity within a portfolio.
    #[must_use]
    pub fn bsuid(portfolio: &str, id: &Bsuid) -> Identity {
        Identity { kind: IdentityKind::Bsuid, scope: portfolio.to_owned(), value: id.as_str().to_owned() }
    }

    /// A parent BSUID's identity.
    #[must_use]
    pub fn parent_bsuid(id: &Bsuid) -> Identity {
        Identity { kind: IdentityKind::ParentBsuid, scope: String::new(), value: id.as_str().to_owned() }
    }

    /// A username's identity, case folded.
    #[must_use]
    pub fn username(name: &str) -> Identity {
        Identity { kind: IdentityKind::Username, scope: String::new(), value: name.to_lowercase() }
    }

    /// An e-mail address's identity.
    #[must_use]
    pub fn email(email: &Email) -> Identity {
        Identity { kind: IdentityKind::Email, scope: String::new(), value: email.as_str().to_owned() }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.kind.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bsuid_is_told_from_a_phone() {
        assert!(Bsuid::parse("US.13491208655302741918").is_some());
        assert!(Bsuid::parse("IN.ENT.abc123").is_some());
        for bad in ["", "US.", "us.1", "USA.1", "919876543210", "US.a-b", "US.ENT.", "US.1.2"] {
            assert!(Bsuid::parse(bad).is_none(), "{bad}");
        }
        assert!(Bsuid::parse(&format!("US.{}", "a".repeat(129))).is_none());
    }

    #[test]
    fn an_email_is_trimmed_lowered_and_checked() {
        assert_eq!(Email::parse(" Buyer@Example.IN ").unwrap().as_str(), "buyer@example.in");
        for bad in ["", "a", "a@b", "@b.c", "a@b@c.d", "a b@c.d", "a@-b.c", "a@b..c"] {
            assert!(Email::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn no_two_lists_of_parts_give_one_key() {
        assert_ne!(EventKey::new("bot", &["a:b", "c"]), EventKey::new("bot", &["a", "b:c"]));
        assert_ne!(EventKey::new("bot", &["a%3Ab"]), EventKey::new("bot", &["a:b"]));
    }

    #[test]
    fn a_redelivery_has_the_same_ids_and_another_key_has_others() {
        let key = EventKey::new("wa", &["+918047000000", "wamid.X"]);
        assert_eq!(key.event_id(), EventKey::new("wa", &["+918047000000", "wamid.X"]).event_id());
        assert_ne!(key.event_id(), EventKey::new("wa", &["+918047000000", "wamid.Y"]).event_id());
        assert_eq!(key.trace_id().to_string().len(), 32);
        assert_ne!(key.event_id().0.simple().to_string(), key.trace_id().to_string());
    }
}
