//! Phone numbers: parsed once, to E.164, behind the only file that names the phone library.
//!
//! In: what a person typed, or the digits WhatsApp uses as an id. Out: a [`Phone`].
//!
//! Three guards around the library (`phonenumber`):
//!
//! * a WhatsApp id is international digits already and is kept exactly as sent, never re-formatted;
//! * what the library says of a number (region, validity) is cached, for the same senders come back;
//! * the library is asked for region, validity and the reading of national input only. Its numbering plans
//!   are used directly: its own parser strips the trunk prefix twice (Russian `800...`, Belarusian toll-free)
//!   and forgets leading zeros when it looks for the region (Italian fixed lines).

pub use crate::country::Country;
use moka::sync::Cache;
use phonenumber::Type;
use phonenumber::metadata::{DATABASE, Database, Descriptor, Metadata, loader};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::{LazyLock, OnceLock};

/// A phone number in E.164 form: `+` and 7 to 15 digits.
///
/// It has no `Display`, and its `Debug` hides the digits, so that no number slips into a log by accident.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Phone(String);

/// Why a text is not a phone number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PhoneError {
    /// No digits, letters, an extension, too many or too few digits, or no reading in any numbering plan.
    #[error("not a phone number")]
    NotAPhone,
}

impl Phone {
    /// The number behind a WhatsApp id: digits with or without `+`, kept exactly as sent.
    ///
    /// # Errors
    /// When the text is not 7 to 15 digits, or starts with 0.
    pub fn from_whatsapp_id(id: &str) -> Result<Phone, PhoneError> {
        let digits = id.strip_prefix('+').unwrap_or(id);
        let well_formed = (7..=15).contains(&digits.len())
            && digits.bytes().all(|b| b.is_ascii_digit())
            && !digits.starts_with('0');
        if well_formed { Ok(Phone(format!("+{digits}"))) } else { Err(PhoneError::NotAPhone) }
    }

    /// Reads any human spelling; a number without a country code belongs to `default_country`.
    ///
    /// With a `+` the text is international: kept as it stands if that is a valid number, else without a
    /// trunk prefix (`+44 (0)20 ...`) if that is one, else as it stands. Without a `+` the first reading that
    /// is a valid number wins, in this order:
    ///
    /// 1. dialled abroad, with the default country's prefix (`0091 ...`);
    /// 2. national in the default country, with or without the trunk prefix: ten digits are national first;
    /// 3. dialled abroad with `00`, the prefix most of the world uses;
    /// 4. international with the `+` forgotten: of the default country in any length, of another from ten
    ///    digits on, because a shorter text is more likely a mistyped national number.
    ///
    /// If none is valid, the number may be newer than the numbering plans. Then a number dialled abroad (1, 3)
    /// is taken if its calling code exists, and one of the default country (2, 4) if that country's general
    /// pattern allows it; a foreign number with the `+` forgotten is not guessed.
    ///
    /// # Errors
    /// When no number can be read: letters, extensions, no digits, too many, too few.
    pub fn parse(input: &str, default_country: Country) -> Result<Phone, PhoneError> {
        let spelling = Spelling::read(input).ok_or(PhoneError::NotAPhone)?;
        let digits = if spelling.international {
            international(&spelling.digits)
        } else {
            without_plus(&spelling.digits, default_country).ok_or(PhoneError::NotAPhone)?
        };
        Phone::from_whatsapp_id(&digits)
    }

    /// The number as `+` and digits.
    #[must_use]
    pub fn e164(&self) -> &str {
        &self.0
    }

    /// The number as digits, the form WhatsApp uses as an id.
    #[must_use]
    pub fn digits(&self) -> &str {
        self.0.strip_prefix('+').unwrap_or(&self.0)
    }

    /// The digits after the calling code; all of them where the code is unknown.
    ///
    /// For CRMs that search numbers without their country code. Not a key: two countries may share it.
    #[must_use]
    pub fn national(&self) -> &str {
        plans_of(self.digits()).map_or(self.digits(), |(_, national)| national)
    }

    /// The country the number belongs to; `None` for an unknown calling code, a number that fits none of the
    /// countries that share its code, and one of no country (`+800`, satellites).
    ///
    /// A form that only WhatsApp uses (Mexico `521`, Brazil without the ninth digit) is judged by its match
    /// set.
    #[must_use]
    pub fn region(&self) -> Option<Country> {
        facts(self.digits()).region
    }

    /// Whether the numbering plan knows the number; says nothing about a line being in use.
    ///
    /// A form that only WhatsApp uses is judged as in [`Phone::region`].
    #[must_use]
    pub fn is_valid(&self) -> bool {
        facts(self.digits()).valid
    }

    /// Other spellings WhatsApp is known to use for the same account, this one excluded. For look-up only:
    /// nothing here says which form is right, and no number is rewritten to another.
    ///
    /// Symmetric: `b` is in the set of `a` exactly when `a` is in the set of `b`, and no set has more than
    /// one member.
    #[must_use]
    pub fn match_set(&self) -> Vec<Phone> {
        variant(self.digits()).map(|digits| Phone(format!("+{digits}"))).into_iter().collect()
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

/// The other WhatsApp form of international digits, where a country is known to have two.
///
/// After the calling code (Brazil: and a two-digit area without a 0) comes the mobile digit or none, then the
/// line, judged by its first digit: only Brazilian lines starting 6 to 9 were ever mobiles. Those starting 2
/// to 5 are landlines and get no 9, nor is a 9 taken off to make one.
fn variant(digits: &str) -> Option<String> {
    let (head, mobile, first, length) = match digits.get(..2)? {
        "55" => (4, '9', b'6'..=b'9', 8),
        "52" => (2, '1', b'2'..=b'9', 10),
        "54" => (2, '9', b'1'..=b'3', 10),
        _ => return None,
    };
    let (head, rest) = digits.split_at_checked(head)?;
    let with_mobile_digit = rest.len() > length;
    let line = if with_mobile_digit { rest.strip_prefix(mobile)? } else { rest };
    if line.len() != length || !first.contains(&line.as_bytes()[0]) || head.contains('0') {
        return None;
    }
    Some(if with_mobile_digit { format!("{head}{line}") } else { format!("{head}{mobile}{line}") })
}

/// What the numbering plans say of a number.
#[derive(Clone, Copy, Default)]
struct Facts {
    region: Option<Country>,
    valid: bool,
}

/// The same senders write again and again, and the plans take some 35 us over a number they meet first.
static FACTS: LazyLock<Cache<String, Facts>> = LazyLock::new(|| Cache::new(50_000));

/// The facts about international digits, judged by the other WhatsApp form where they are not valid as they
/// stand.
fn facts(digits: &str) -> Facts {
    FACTS.get_with_by_ref(digits, || {
        let as_sent = look_up(digits);
        let other = || variant(digits).map(|other| look_up(&other)).filter(|facts| facts.valid);
        if as_sent.valid { as_sent } else { other().unwrap_or(as_sent) }
    })
}

/// The facts about international digits, from the plans.
fn look_up(digits: &str) -> Facts {
    let Some((plans, national)) = plans_of(digits) else {
        return Facts::default();
    };
    let owner = match plans.as_slice() {
        [only] => Some(*only),
        shared => shared.iter().copied().find(|plan| claims(plan, national)),
    };
    Facts {
        region: owner.and_then(|plan| Country::new(plan.id())),
        valid: owner.is_some_and(|plan| has_type(plan, national)),
    }
}

/// The plans that share the calling code of `digits`, the main one first, and what follows the code.
fn plans_of(digits: &str) -> Option<(Vec<&'static Metadata>, &str)> {
    (1..=3).find_map(|length| {
        let (code, national) = digits.split_at_checked(length)?;
        let code: u16 = code.parse().ok()?;
        plans(code)?.by_code(&code).map(|plans| (plans, national))
    })
}

/// Whether a number under a shared calling code belongs to this plan: by its leading digits, else by having a
/// type.
fn claims(plan: &Metadata, national: &str) -> bool {
    match plan.leading_digits() {
        Some(leading) => leading.is_match(national),
        None => has_type(plan, national),
    }
}

/// Whether the plan knows the number as some type; a number without one is not valid.
fn has_type(plan: &Metadata, national: &str) -> bool {
    const TYPES: [Type; 10] = [
        Type::Mobile,
        Type::FixedLine,
        Type::TollFree,
        Type::PremiumRate,
        Type::SharedCost,
        Type::Voip,
        Type::PersonalNumber,
        Type::Pager,
        Type::Uan,
        Type::Voicemail,
    ];
    let known = plan.descriptors();
    let is_match = |described: &Descriptor| described.is_match(national);
    is_match(known.general()) && TYPES.iter().any(|kind| known.get(*kind).is_some_and(is_match))
}

/// The plan of one country.
fn plan_of(country: Country) -> Option<&'static Metadata> {
    let code = DATABASE.by_id(country.as_str())?.country_code();
    plans(code)?.by_id(country.as_str())
}

/// The plans of one calling code, made on first use.
///
/// Two things differ from the library's own database. The patterns are anchored: the library is content when
/// the start of a number fits, which makes numbers of another type valid where a type has two lengths. And
/// each calling code has its own cache of compiled patterns: one cache of 100 for the whole world compiles
/// them again for nearly every number of a mixed stream.
fn plans(code: u16) -> Option<&'static Database> {
    static PLANS: [OnceLock<Option<Box<Database>>>; 1_000] = [const { OnceLock::new() }; 1_000];
    let made = PLANS.get(usize::from(code))?.get_or_init(|| {
        let plans = DATABASE.by_code(&code)?.into_iter().map(anchored).collect();
        Database::from(plans).ok().map(Box::new)
    });
    made.as_deref()
}

/// A copy of a plan with anchored patterns, as far as this file reads it.
fn anchored(plan: &Metadata) -> loader::Metadata {
    let all = plan.descriptors();
    let copy = |described: &Descriptor| loader::Descriptor {
        // ASCII digits make the compiled pattern a fraction of the size, and no other digit gets here.
        national_number: Some(format!(
            "^(?:{})$",
            described.national_number().as_str().replace(r"\d", "[0-9]")
        )),
        possible_length: described.possible_length().to_vec(),
        ..Default::default()
    };
    let at_start = |pattern: &str| format!("^(?:{pattern})");
    let trunk_prefix = plan.national_prefix_for_parsing().map(|pattern| pattern.as_str());
    loader::Metadata {
        general: Some(copy(all.general())),
        fixed_line: all.fixed_line().map(copy),
        mobile: all.mobile().map(copy),
        toll_free: all.toll_free().map(copy),
        premium_rate: all.premium_rate().map(copy),
        shared_cost: all.shared_cost().map(copy),
        personal_number: all.personal_number().map(copy),
        voip: all.voip().map(copy),
        pager: all.pager().map(copy),
        uan: all.uan().map(copy),
        voicemail: all.voicemail().map(copy),
        id: Some(plan.id().to_owned()),
        country_code: Some(plan.country_code()),
        international_prefix: plan.international_prefix().map(|pattern| at_start(pattern.as_str())),
        national_prefix_for_parsing: trunk_prefix.or(plan.national_prefix()).map(at_start),
        national_prefix_transform_rule: plan.national_prefix_transform_rule().map(str::to_owned),
        main_country_for_code: plan.is_main_country_for_code(),
        leading_digits: plan.leading_digits().map(|pattern| at_start(pattern.as_str())),
        ..Default::default()
    }
}

/// International digits of a text that had a `+`.
fn international(digits: &str) -> String {
    // Some people write both prefixes: "+0091 98765 43210".
    let digits = digits.strip_prefix("00").unwrap_or(digits);
    if facts(digits).valid {
        return digits.to_owned();
    }
    let stripped = plans_of(digits).and_then(|(plans, national)| {
        let main = plans.first()?;
        Some(format!("{}{}", main.country_code(), without_trunk_prefix(main, national)))
    });
    stripped.filter(|number| facts(number).valid).unwrap_or_else(|| digits.to_owned())
}

/// International digits of a text that had no `+`; the order is told at [`Phone::parse`].
fn without_plus(digits: &str, country: Country) -> Option<String> {
    let home = plan_of(country);
    let dialled = home.and_then(|plan| after_dialling_prefix(plan, digits));
    let dialled_00 = digits.strip_prefix("00").filter(|rest| !rest.starts_with('0'));
    // Google's order: the trunk prefix stripped before the digits as they are.
    let national = home.into_iter().flat_map(|plan| {
        let code = plan.country_code();
        [format!("{code}{}", without_trunk_prefix(plan, digits)), format!("{code}{digits}")]
    });
    let own_code = home.is_some_and(|plan| digits.starts_with(&plan.country_code().to_string()));
    let plus_forgotten = (own_code || digits.len() >= 10).then(|| international(digits));

    let readings = dialled.map(international).into_iter();
    let readings = readings.chain(national).chain(dialled_00.map(international)).chain(plus_forgotten);
    let valid = |number: &String| number.len() <= 15 && facts(number).valid;
    { readings }.find(valid).or_else(|| unknown_to_the_plans(digits, dialled.or(dialled_00), home))
}

/// The best reading of digits of which no reading is valid: numbering plans open ranges faster than we
/// release.
fn unknown_to_the_plans(digits: &str, dialled: Option<&str>, home: Option<&Metadata>) -> Option<String> {
    if let Some(rest) = dialled {
        return plans_of(rest).map(|_| rest.to_owned());
    }
    let plan = home?;
    let code = plan.country_code().to_string();
    let possible = |national: &str| plan.descriptors().general().is_match(national);
    let national = without_trunk_prefix(plan, digits);
    if possible(&national) {
        return Some(format!("{code}{national}"));
    }
    digits.strip_prefix(&code).filter(|rest| possible(rest)).map(|_| digits.to_owned())
}

/// What follows the prefix one dials in this country to call abroad.
fn after_dialling_prefix<'d>(plan: &Metadata, digits: &'d str) -> Option<&'d str> {
    let prefix = plan.international_prefix()?.find(digits)?;
    digits.get(prefix.end()..).filter(|rest| !rest.is_empty() && !rest.starts_with('0'))
}

/// The national number without its trunk prefix and carrier code, as Google's library strips them: not if
/// that would make a number that fits the plan into one that does not.
fn without_trunk_prefix(plan: &Metadata, digits: &str) -> String {
    let Some(pattern) = plan.national_prefix_for_parsing() else {
        return digits.to_owned();
    };
    // The rule rewrites what the last group caught (Argentina: "11 15 ..." is "9 11 ..."), if it caught any.
    let caught = || pattern.captures(digits).is_some_and(|groups| groups.get(groups.len() - 1).is_some());
    let rule = plan.national_prefix_transform_rule().filter(|_| caught());
    let stripped = pattern.replace(digits, rule.unwrap_or_default());
    let general = plan.descriptors().general();
    if general.is_match(digits) && !general.is_match(&stripped) { digits } else { &stripped }.to_owned()
}

/// A human spelling reduced to what it says: its digits, and whether they are international.
struct Spelling {
    international: bool,
    digits: String,
}

impl Spelling {
    /// Digits of a long international number behind a dialling prefix; more than that is two numbers or none.
    const MOST_DIGITS: usize = 20;
    /// No spelling is longer; refuses a pasted document before it is walked.
    const MOST_BYTES: usize = 250;

    /// Reads separators, digits of any common script, `whatsapp:` and `tel:`; refuses everything else.
    fn read(input: &str) -> Option<Spelling> {
        let text = input.trim_matches(is_ignorable);
        if text.len() > Spelling::MOST_BYTES {
            return None;
        }
        let text = without_scheme(text, "whatsapp:").unwrap_or(text);
        let spelling = match without_scheme(text, "tel:") {
            Some(link) => Spelling::of_link(link)?,
            None => Spelling::of_text(text)?,
        };
        (1..=Spelling::MOST_DIGITS).contains(&spelling.digits.len()).then_some(spelling)
    }

    /// The rest of an RFC 3966 link: the number, then parameters. An extension or a subaddress is no phone of
    /// ours.
    fn of_link(link: &str) -> Option<Spelling> {
        let mut parts = link.split(';');
        let mut spelling = Spelling::of_text(parts.next()?)?;
        for parameter in parts {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            match name.to_ascii_lowercase().as_str() {
                "ext" | "isub" => return None,
                // A context is the start of a global number, or a domain, which says nothing of the number.
                "phone-context" if value.starts_with('+') && !spelling.international => {
                    let context = Spelling::of_text(value)?;
                    spelling = Spelling { international: true, digits: context.digits + &spelling.digits };
                }
                _ => {}
            }
        }
        Some(spelling)
    }

    /// A text of digits and separators, perhaps with a `+` before the first digit.
    fn of_text(text: &str) -> Option<Spelling> {
        // "919876543210.0" is a spreadsheet's number, and its last zero is no digit of the phone.
        if text.strip_suffix(".0").is_some_and(|rest| rest.ends_with(|c: char| c.is_ascii_digit())) {
            return None;
        }
        let mut spelling = Spelling { international: false, digits: String::new() };
        for c in text.chars() {
            if let Some(digit) = digit_of(c) {
                spelling.digits.push(digit);
            } else if matches!(c, '+' | '\u{FF0B}') && spelling.digits.is_empty() {
                spelling.international = true;
            } else if !is_ignorable(c) && !is_separator(c) {
                return None;
            }
        }
        Some(spelling)
    }
}

/// The text after a scheme, in any case.
fn without_scheme<'t>(text: &'t str, scheme: &str) -> Option<&'t str> {
    let (start, rest) = text.split_at_checked(scheme.len())?;
    start.eq_ignore_ascii_case(scheme).then(|| rest.trim_start())
}

/// The ASCII digit behind a digit of a script in common use: Arabic, Devanagari and its neighbours, Thai,
/// Lao, full width.
fn digit_of(c: char) -> Option<char> {
    const ZEROS: &str = "0\u{660}\u{6F0}\u{7C0}\u{966}\u{9E6}\u{A66}\u{AE6}\u{B66}\u{BE6}\u{C66}\u{CE6}\u{D66}\u{E50}\u{ED0}\u{FF10}";
    ZEROS.chars().find_map(|zero| {
        let value = u32::from(c).checked_sub(u32::from(zero)).filter(|value| *value < 10)?;
        char::from_digit(value, 10)
    })
}

/// Blanks, and the marks that copying from a page or a contact card leaves around a number.
fn is_ignorable(c: char) -> bool {
    c.is_whitespace()
        || matches!(c, '\u{00AD}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}')
}

/// What people write between the groups of a number.
fn is_separator(c: char) -> bool {
    const DASHES: &str = "-\u{2010}\u{2011}\u{2012}\u{2013}\u{2014}\u{2015}\u{2043}\u{2212}\u{30FC}\u{FF0D}";
    DASHES.contains(c) || "./()[]~\u{2053}\u{223C}（）．／［］～".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MOBILE: &str = "+919876543210";

    fn read(input: &str, country: &str) -> Option<String> {
        Phone::parse(input, Country::new(country).unwrap()).ok().map(|phone| phone.e164().to_owned())
    }

    fn of_id(id: &str) -> Phone {
        Phone::from_whatsapp_id(id).unwrap()
    }

    fn matched(id: &str) -> Vec<String> {
        of_id(id).match_set().iter().map(|phone| phone.digits().to_owned()).collect()
    }

    #[test]
    fn the_national_digits_are_those_after_the_calling_code() {
        let national = ["919876543210", "12025550123", "447700900123", "3905551234", "5511987654321"];
        let national = national.map(|id| of_id(id).national().to_owned());
        assert_eq!(national, ["9876543210", "2025550123", "7700900123", "05551234", "11987654321"]);
        assert_eq!(of_id("99912345678").national(), "99912345678", "no such calling code");
    }

    #[test]
    fn every_spelling_of_an_indian_mobile_is_the_same_number() {
        let spellings = [
            "+91 98765 43210",
            "+919876543210",
            "0091 98765 43210",
            "00919876543210",
            "919876543210",
            "98765-43210",
            "9876543210",
            "098765 43210",
            "0 9876 543 210",
            "(+91) 98765.43210",
            "+91 (0)98765 43210",
            "+0091 9876543210",
            "whatsapp:+919876543210",
            "WhatsApp: 919876543210",
            "tel:+91-98765-43210",
            "TEL:98765-43210",
            "tel:98765-43210;phone-context=+91",
            "tel:98765-43210;phone-context=example.org",
            "\u{FF0B}91 ９８７６５ ４３２１０",
            "९८७६५ ४३२१०",
            "\u{202A}+91 98765 43210\u{202C}",
            "  98765\u{2011}43210\n",
            "+91/98765/43210",
        ];
        for spelling in spellings {
            assert_eq!(read(spelling, "IN").as_deref(), Some(MOBILE), "{spelling:?}");
        }
    }

    #[test]
    fn what_is_not_a_phone_number_is_refused() {
        let refused = [
            "",
            " ",
            "+",
            "call me",
            "98765 4321O",
            "1800-FLOWERS",
            "+91 98765 43210 ext 5",
            "98765 43210 x12",
            "tel:+919876543210;ext=5",
            "tel:+919876543210;isub=1",
            "98765 43210, 5",
            "98765+43210",
            "12345",
            "0",
            "+0123456789",
            "+12345",
            "+9198765432101234",
            "98765 43210 / 98765 43211",
            "919876543210.0",
            "9.19877E+11",
            "IN.13491208655302741918",
            "987654321098765432109876",
            "#31#9876543210",
            "whatsapp:",
            "tel:;phone-context=+91",
        ];
        for text in refused {
            assert_eq!(read(text, "IN"), None, "{text:?}");
        }
        assert_eq!(read(&"9".repeat(10_000), "IN"), None);
    }

    #[test]
    fn ten_digits_are_national_first() {
        // Valid in India, and valid in Singapore with a forgotten plus.
        assert_eq!(read("6581234567", "IN").as_deref(), Some("+916581234567"));
        assert!(of_id("6581234567").is_valid());
        // Only ten digits of an Indian mobile that itself starts with the calling code.
        assert_eq!(read("9198765432", "IN").as_deref(), Some("+919198765432"));
        assert_eq!(read("4155552671", "US").as_deref(), Some("+14155552671"));
    }

    #[test]
    fn a_forgotten_plus_is_understood_when_no_national_reading_is_valid() {
        assert_eq!(read("447911123456", "IN").as_deref(), Some("+447911123456"));
        assert_eq!(read("5215512345678", "IN").as_deref(), Some("+5215512345678"));
        assert_eq!(
            read("5215512345678", "ZZ").as_deref(),
            Some("+5215512345678"),
            "a country without a plan"
        );
        assert_eq!(
            read("0091 98765 43210", "US").as_deref(),
            Some(MOBILE),
            "not the prefix dialled in the US"
        );
        assert_eq!(read("011 91 98765 43210", "US").as_deref(), Some(MOBILE));
    }

    #[test]
    fn a_number_newer_than_the_plans_is_read_where_the_general_pattern_allows_it() {
        assert_eq!(read("50000 12345", "IN").as_deref(), Some("+915000012345"));
        assert_eq!(read("91 50000 12345", "IN").as_deref(), Some("+915000012345"));
        assert_eq!(read("0091 50000 12345", "IN").as_deref(), Some("+915000012345"));
        assert!(!of_id("915000012345").is_valid());
    }

    #[test]
    fn a_trunk_prefix_goes_only_where_the_number_is_not_valid_with_it() {
        assert_eq!(read("+44 (0)20 7946 0958", "IN").as_deref(), Some("+442079460958"));
        assert_eq!(read("+39 02 3661 8300", "IN").as_deref(), Some("+390236618300"));
        assert_eq!(read("8 800 555-35-35", "RU").as_deref(), Some("+78005553535"));
        assert_eq!(read("+82 10-1234-5678", "IN").as_deref(), Some("+821012345678"));
        assert_eq!(read("+8210-1234-5678", "IN").as_deref(), Some("+821012345678"));
        assert_eq!(read("011 15 2345-6789", "AR").as_deref(), Some("+5491123456789"));
        assert_eq!(read("+54 11 15 2345-6789", "IN").as_deref(), Some("+5491123456789"));
        assert_eq!(read("0 15 11 91234-5678", "BR").as_deref(), Some("+5511912345678"));
    }

    #[test]
    fn a_whatsapp_id_is_kept_exactly_as_sent() {
        for id in
            ["919876543210", "5215512345678", "525512345678", "558291234567", "390236618300", "9990000000"]
        {
            assert_eq!(of_id(id).digits(), id);
            assert_eq!(of_id(&format!("+{id}")), of_id(id));
        }
        for id in [
            "",
            "+",
            "123456",
            "1234567890123456",
            "0919876543210",
            "++919876543210",
            "91 98765",
            "٩١٩٨٧٦٥٤٣",
        ] {
            assert_eq!(Phone::from_whatsapp_id(id), Err(PhoneError::NotAPhone), "{id:?}");
        }
    }

    #[test]
    fn the_match_set_of_brazil_turns_on_the_ninth_digit_of_mobiles() {
        assert_eq!(matched("558291234567"), ["5582991234567"]);
        assert_eq!(matched("5582991234567"), ["558291234567"]);
        assert!(matched("551133334444").is_empty(), "a landline gets no 9");
        assert!(matched("5511933334444").is_empty(), "a 9 taken off would make a landline");
        assert!(matched("550112345678").is_empty(), "no area has a 0");
    }

    #[test]
    fn the_match_set_of_mexico_and_argentina_turns_on_the_mobile_digit() {
        assert_eq!(matched("5215512345678"), ["525512345678"]);
        assert_eq!(matched("525512345678"), ["5215512345678"]);
        assert_eq!(matched("5491123456789"), ["541123456789"]);
        assert_eq!(matched("541123456789"), ["5491123456789"]);
        assert!(matched("5255123456").is_empty() && matched("549112345678").is_empty());
        assert!(matched("919876543210").is_empty() && matched("14155552671").is_empty());
    }

    #[test]
    fn a_form_only_whatsapp_uses_is_judged_by_its_match_set() {
        for (id, country) in [("5215512345678", "MX"), ("558291234567", "BR"), ("5491123456789", "AR")] {
            assert_eq!(of_id(id).region(), Country::new(country), "{id}");
            assert!(of_id(id).is_valid(), "{id}");
        }
        assert_eq!(read("+52 1 55 1234 5678", "IN").as_deref(), Some("+5215512345678"), "never rewritten");
    }

    #[test]
    fn region_and_validity_come_from_the_numbering_plans() {
        let region = |id: &str| of_id(id).region().map(|country| country.to_string());
        assert_eq!(region("919876543210").as_deref(), Some("IN"));
        assert_eq!(region("390236618300").as_deref(), Some("IT"));
        assert_eq!(region("77012345678").as_deref(), Some("KZ"));
        assert_eq!(region("14165550123").as_deref(), Some("CA"));
        assert_eq!(region("80012345678"), None, "a number of no country");
        assert_eq!(region("9990000000"), None, "a calling code nobody has");
        assert!(of_id("80012345678").is_valid() && !of_id("9990000000").is_valid());
        // Nine digits of which the first eight would be a Bangladeshi number: the pattern must cover all of
        // them.
        assert!(!of_id("880814345678").is_valid());
    }

    #[test]
    fn every_plan_of_the_library_can_be_copied() {
        for plan in DATABASE.iter() {
            let copy = plans(plan.country_code()).and_then(|all| all.by_id(plan.id()));
            assert_eq!(copy.map(Metadata::country_code), Some(plan.country_code()), "{}", plan.id());
        }
        let plan = |code: &str| plan_of(Country::new(code).unwrap());
        assert!(plan("IN").is_some() && plan("ZZ").is_none());
    }

    #[test]
    fn a_phone_is_text_in_json_and_nothing_in_a_log() {
        let phone: Phone = serde_json::from_str("\"919876543210\"").unwrap();
        assert_eq!(serde_json::to_string(&phone).unwrap(), format!("\"{MOBILE}\""));
        assert!(serde_json::from_str::<Phone>("\"98765 43210\"").is_err());
        assert_eq!(format!("{phone:?}"), "Phone(..)");
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reading_panic(text in any::<String>(), country in "[A-Z]{2}") {
            let _ = read(&text, &country);
        }

        #[test]
        fn no_text_that_looks_like_a_number_makes_the_reading_panic(
            text in "(tel:|whatsapp:|\\+|00|011|810|0|)[0-9०-९ ().+/-]{0,24}(;ext=1|;phone-context=\\+[0-9]{0,5}|)",
            country in prop::sample::select(vec!["IN", "US", "BR", "MX", "AR", "IT", "RU", "BY", "CO", "SM", "AQ", "ZZ"]),
        ) {
            if let Some(e164) = read(&text, country) {
                let phone = Phone::from_whatsapp_id(&e164).unwrap();
                let _ = (phone.region(), phone.is_valid(), phone.match_set());
            }
        }

        #[test]
        fn a_valid_number_written_out_is_read_back_in_any_country(id in "[1-9][0-9]{6,14}", country in "[A-Z]{2}") {
            let phone = of_id(&id);
            if phone.is_valid() {
                prop_assert_eq!(read(phone.e164(), &country), Some(phone.e164().to_owned()));
            }
        }

        #[test]
        fn match_sets_are_symmetric_and_exclude_the_number_itself(id in "(55|52|521|54|549)[0-9]{8,12}|[1-9][0-9]{6,14}") {
            if let Ok(phone) = Phone::from_whatsapp_id(&id) {
                for other in phone.match_set() {
                    prop_assert_ne!(&other, &phone);
                    prop_assert_eq!(Phone::from_whatsapp_id(other.digits()), Ok(other.clone()));
                    prop_assert_eq!(other.match_set(), vec![phone.clone()]);
                }
            }
        }
    }
}
