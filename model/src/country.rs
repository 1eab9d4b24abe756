//! Countries: ISO 3166-1 alpha-2 codes. Any two letters are one; which of them exist is not known here.

use serde::{Deserialize, Serialize};
use std::fmt;

/// An ISO 3166-1 alpha-2 country, upper case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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

    /// The two letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("a country is made of two ASCII letters only")
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Country({self})")
    }
}

impl TryFrom<String> for Country {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Country, Self::Error> {
        Country::new(&text).ok_or("not a country of two letters")
    }
}

impl From<Country> for String {
    fn from(country: Country) -> String {
        country.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_country_is_two_letters_in_either_case() {
        assert_eq!(Country::new("in"), Some(Country::INDIA));
        for text in ["", "I", "I1", "IND", "ĳ", " IN"] {
            assert_eq!(Country::new(text), None, "{text:?}");
        }
        assert_eq!(format!("{:?} {}", Country::INDIA, Country::INDIA), "Country(IN) IN");
    }

    #[test]
    fn a_country_is_text_in_json() {
        assert_eq!(serde_json::to_string(&Country::INDIA).expect("text"), "\"IN\"");
        assert_eq!(serde_json::from_str::<Country>("\"in\"").expect("a country"), Country::INDIA);
        assert!(serde_json::from_str::<Country>("\"India\"").is_err());
    }
}
