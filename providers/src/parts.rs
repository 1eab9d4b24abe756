//! What the providers share that send one flat event of their own shape in each request.
//!
//! In: the fields of a body, and the channel. Out: the business side, the customer and the texts of an
//! [`Event`]. Such vendors write a phone with or without its country code, name the business by a project
//! or not at all, and put a text, an object, or JSON within a text in one field.

use crate::json::{digest_of, read, within};
use crate::meta;
use crate::provider::{Account, Item, Malformed};
use data_encoding::BASE64_NOPAD;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use wabridge_model::event::{AccountNotice, Business, Event, Fact, MessageKind, Person};
use wabridge_model::id::{Bsuid, EventKey};
use wabridge_model::{Country, Phone};

/// The business side, where the provider names it by `account_id`, shows its number, or does neither.
pub(crate) fn business(account: &Account, account_id: Option<&str>, shown: Option<&str>) -> Business {
    Business {
        account_id: account_id.map(str::to_owned),
        number: account.resolve(account_id, shown).or_else(|| only_number(account, account_id)),
        portfolio: account.portfolio.clone(),
    }
}

/// The only number of the configured ones, for an event that names none: some events of such a vendor name
/// the number, and others of the same message do not.
fn only_number(account: &Account, account_id: Option<&str>) -> Option<Phone> {
    let mut numbers = account.business_numbers.values();
    let first = numbers.next().filter(|_| account_id.is_none())?;
    numbers.all(|number| number == first).then(|| first.clone())
}

/// What stands for the business in keys: its number, so that two channels of one number agree.
pub(crate) fn business_key<'a>(business: &'a Business, account: &'a Account) -> &'a str {
    let Business { account_id, number, .. } = business;
    number.as_ref().map(Phone::e164).or(account_id.as_deref()).unwrap_or(&account.channel)
}

/// A notice about the account, or of a kind that this version does not know. Kept, and of no consequence.
pub(crate) fn notice(
    account: &Account,
    business: Business,
    field: &str,
    at: Option<Timestamp>,
    json: &str,
) -> Event {
    let digest = digest_of([&account.channel, field], json);
    Event {
        key: EventKey::new("acct", &[&digest]),
        business,
        occurred_at: at,
        person: Person::default(),
        fact: Fact::Account(AccountNotice { field: field.to_owned(), ..AccountNotice::default() }),
    }
}

/// The one item of a body. A fault of the whole is one of the body: there is nothing to take apart.
pub(crate) fn one(item: Result<Item, Malformed>) -> Result<Vec<Item>, Malformed> {
    match item {
        Err(fault) if fault.path == "$" => Err(fault),
        item => Ok(vec![item.unwrap_or_else(Item::Quarantined)]),
    }
}

/// An item that is a fact.
pub(crate) fn event(event: Event) -> Item {
    Item::Event(Box::new(event))
}

/// A fault in a field that is there.
pub(crate) fn invalid(path: &'static str) -> Malformed {
    Malformed { reason: "invalid_field", path: path.to_owned() }
}

/// Reads an object that must be there, and names faults by their path from the whole.
pub(crate) fn object<'a, T: Deserialize<'a>>(
    raw: Option<&'a RawValue>,
    path: &'static str,
) -> Result<T, Malformed> {
    let raw = raw.ok_or_else(|| crate::json::missing(path))?;
    read(raw.get()).map_err(|fault| within(path, fault))
}

/// A phone as such vendors write it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Written<'t> {
    /// The digits, with or without the country code; in an early payload perhaps a business-scoped id.
    pub(crate) number: Option<&'t str>,
    /// The country code, where there is a field for it: `91`, `+91`.
    pub(crate) country_code: Option<&'t str>,
    /// A wamid of a message from or to that phone.
    pub(crate) wamid: Option<&'t str>,
}

impl Written<'_> {
    /// Who has that phone.
    pub(crate) fn person(self, home: Country) -> Person {
        let mut person = Person::default();
        let Some(text) = self.number.map(str::trim) else { return person };
        if Bsuid::parse(text).is_some() {
            meta::take_phone(&mut person, Some(text), home);
        } else if let Some(phone) = self.phone(text, home) {
            person.phone_as_sent = (text != phone.digits()).then(|| text.to_owned());
            person.phone = Some(phone);
        }
        person
    }

    /// The number in full. A field for the country code does not say whether the number has it, too: ten
    /// digits that begin with 91 are an Indian number, and twelve are one with its code. So the reading that
    /// is a valid number wins, and the phone within the wamid decides where it is one of the two. That is no
    /// documented form: it never makes a phone of its own.
    fn phone(self, text: &str, home: Country) -> Option<Phone> {
        let bare = text.strip_prefix('+').unwrap_or(text);
        let international = |number: &str| Phone::parse(&format!("+{number}"), home).ok();
        let code = self.country_code.map(digits).filter(|code| !code.is_empty());
        let as_sent = international(bare);
        let completed = match &code {
            Some(code) => international(&format!("{code}{bare}")),
            None => Phone::parse(text, home).ok(),
        };
        let within_wamid = self.wamid.and_then(phone_within);
        let readings = [as_sent.as_ref(), completed.as_ref()];
        if let Some(known) = readings.into_iter().flatten().find(|phone| within_wamid.as_ref() == Some(phone))
        {
            return Some(known.clone());
        }
        let code = code.unwrap_or_default();
        let has_code = text.starts_with('+') || (!code.is_empty() && bare.starts_with(&code));
        let is_indian = code == "91" && digits(bare).len() == 10 && !text.starts_with('+');
        let valid = |phone: &Option<Phone>| phone.as_ref().is_some_and(Phone::is_valid);
        match () {
            () if has_code && valid(&as_sent) && !is_indian => as_sent,
            () if valid(&completed) => completed,
            () if has_code && !is_indian => as_sent,
            () => completed.or(as_sent),
        }
    }
}

fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// The phone of the customer within a wamid: base64 of `1c 18`, a length, and that many digits.
fn phone_within(wamid: &str) -> Option<Phone> {
    let encoded = wamid.strip_prefix("wamid.")?.as_bytes();
    // Three bytes of head and at most 15 digits are 24 characters; what follows is of other kinds.
    let whole_groups = encoded.len().min(24) / 4 * 4;
    let bytes = BASE64_NOPAD.decode(&encoded[..whole_groups]).ok()?;
    let [0x1c, 0x18, length, rest @ ..] = bytes.as_slice() else { return None };
    let digits = std::str::from_utf8(rest.get(..usize::from(*length))?).ok()?;
    Phone::from_whatsapp_id(digits).ok()
}

/// The places where such vendors put what a person would read, the best first.
const READABLE: &[&str] = &[
    "/text",
    "/text/body",
    "/button_reply/title",
    "/list_reply/title",
    "/nfm_reply/body",
    "/nfm_reply/name",
    "/button/text",
    "/title",
    "/body",
    "/caption",
    "/location/name",
    "/location/address",
    "/name",
    "/address",
    "/contacts/0/name/formatted_name",
    "/contacts/0/name/first_name",
    "/callbackPayload",
    "/payload",
    "/button_reply/id",
    "/list_reply/id",
    "/fileName",
];

/// One line that a person would read, of a content of any shape.
pub(crate) fn readable(content: &Value) -> Option<String> {
    if let Value::String(text) = content {
        return Some(text.clone()).filter(|text| !text.is_empty());
    }
    let text = |pointer: &&str| match content.pointer(pointer)? {
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let place = |base: &str| {
        let latitude = format!("{base}/latitude");
        let longitude = format!("{base}/longitude");
        Some(format!("{}, {}", text(&latitude.as_str())?, text(&longitude.as_str())?))
    };
    READABLE.iter().find_map(text).or_else(|| place("")).or_else(|| place("/location"))
}

/// A value of any shape; one that cannot be read says nothing.
pub(crate) fn value(raw: Option<&RawValue>) -> Value {
    raw.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
}

/// The kind of a message by a vendor's own name for it, in any case.
pub(crate) fn message_kind(name: &str) -> MessageKind {
    let name = name.to_lowercase();
    match name.as_str() {
        "voice" => MessageKind::Audio,
        "file" => MessageKind::Document,
        "contact" => MessageKind::Contacts,
        "quick_reply" | "quickreply" => MessageKind::Button,
        _ if name.contains("interactive") || name.ends_with("_reply") || name.ends_with("reply") => {
            MessageKind::Interactive
        }
        _ => MessageKind::from(name),
    }
}

#[cfg(test)]
pub(crate) mod testing {
    //! What the tests of these providers share.

    use crate::provider::{Account, Inbound, Item, Proof, Provider, Secrets, Verified};
    use jiff::Timestamp;
    use wabridge_model::event::Event;
    use wabridge_model::{Country, Phone};

    /// A channel with one number, known by these ids.
    pub(crate) fn account(ids: &[&str]) -> Account {
        let number = Phone::from_whatsapp_id("442079460001").unwrap();
        Account {
            channel: "main".to_owned(),
            portfolio: "default".to_owned(),
            business_numbers: ids.iter().map(|&id| (id.to_owned(), number.clone())).collect(),
            business_number: None,
            sample_ids: Vec::new(),
            default_country: Country::INDIA,
            public_url: None,
            secrets: Secrets::default(),
        }
    }

    /// The one event of a body.
    pub(crate) fn event_of(provider: &dyn Provider, body: &str, account: &Account) -> Event {
        let body = body.as_bytes();
        let inbound =
            Inbound { query: "", headers: &[], body, received_at: Timestamp::UNIX_EPOCH, path_token: None };
        let mut items = provider.normalise(&Verified::recall(inbound, Proof::Signed), account).unwrap();
        match (items.pop(), items.pop()) {
            (Some(Item::Event(event)), None) => *event,
            other => panic!("{other:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::BASE64;
    use serde_json::json;

    fn wamid(digits: &str) -> String {
        let length = u8::try_from(digits.len()).unwrap();
        let bytes =
            [&[0x1c, 0x18, length], digits.as_bytes(), &[0x15, 0x02, 0x00, 0x11, 0x18, 0x14]].concat();
        format!("wamid.{}", BASE64.encode(&bytes))
    }

    fn read(number: &str, country_code: Option<&str>, wamid: Option<&str>) -> Option<String> {
        let person = Written { number: Some(number), country_code, wamid }.person(Country::INDIA);
        person.phone.map(|phone| phone.e164().to_owned())
    }

    #[test]
    fn a_number_has_its_country_code_once() {
        let cases = [
            ("9876543210", Some("91"), "+919876543210"),
            ("9876543210", Some("+91"), "+919876543210"),
            ("919876543210", Some("91"), "+919876543210"),
            ("+919876543210", Some("91"), "+919876543210"),
            ("+91 98765 43210", None, "+919876543210"),
            ("09876543210", Some("91"), "+919876543210"),
            ("919876543210", None, "+919876543210"),
            ("9876543210", None, "+919876543210"),
            // Ten digits that begin with the code are a number of India without it.
            ("9123456789", Some("91"), "+919123456789"),
            ("919123456789", Some("91"), "+919123456789"),
            ("7700900101", Some("44"), "+447700900101"),
            ("447700900101", Some("44"), "+447700900101"),
            ("447700900101", Some(""), "+447700900101"),
            ("2025550123", Some("1"), "+12025550123"),
            ("12025550123", Some("1"), "+12025550123"),
            // A code that is another country's than the number's.
            ("447700900101", Some("91"), "+447700900101"),
        ];
        for (number, code, phone) in cases {
            let by_wamid = wamid(phone.trim_start_matches('+'));
            assert_eq!(read(number, code, Some(&by_wamid)).as_deref(), Some(phone), "{number} {code:?}");
            if (number, code) != ("447700900101", Some("91")) {
                assert_eq!(read(number, code, None).as_deref(), Some(phone), "{number} {code:?}, no wamid");
            }
        }
    }

    #[test]
    fn the_wamid_decides_between_two_readings_and_makes_no_third() {
        let theirs = wamid("919876543210");
        assert_eq!(phone_within(&theirs).unwrap().e164(), "+919876543210");
        assert_eq!(read("9876543211", Some("91"), Some(&theirs)).as_deref(), Some("+919876543211"));
        assert_eq!(read("nobody", Some("91"), Some(&theirs)), None);
        for other in ["", "wamid.", "wamid.HBgM", "wamid.????", "wamid.FIXTURE0001", "HBgMOTE5ODc2NTQzMjEw"] {
            assert_eq!(phone_within(other), None, "{other}");
        }
    }

    #[test]
    fn a_phone_field_may_hold_a_business_scoped_id() {
        let written = Written { number: Some("IN.7"), country_code: Some("91"), wamid: None };
        assert_eq!(written.person(Country::INDIA).bsuid, Bsuid::parse("IN.7"));
        assert!(!Written::default().person(Country::INDIA).is_identified());
    }

    #[test]
    fn the_spelling_is_kept_where_it_says_more_than_the_digits() {
        let of = |number| Written { number: Some(number), ..Written::default() }.person(Country::INDIA);
        assert_eq!(of("919876543210").phone_as_sent, None);
        assert_eq!(of("+919876543210").phone_as_sent.as_deref(), Some("+919876543210"));
        assert_eq!(of("9876543210").phone_as_sent.as_deref(), Some("9876543210"));
    }

    #[test]
    fn an_event_that_names_no_number_is_of_the_only_one() {
        let phone = |text| Phone::from_whatsapp_id(text).unwrap();
        let mut account = testing::account(&["a"]);
        assert_eq!(business(&account, None, None).number, Some(phone("442079460001")));
        assert_eq!(business(&account, Some("unknown"), None).number, None);
        assert_eq!(business_key(&business(&account, Some("unknown"), None), &account), "unknown");
        account.business_numbers.insert("b".to_owned(), phone("442079460002"));
        assert_eq!(business(&account, None, None).number, None);
        assert_eq!(business_key(&business(&account, None, None), &account), "main");
    }

    #[test]
    fn the_readable_line_of_a_content_is_found_in_any_of_its_shapes() {
        let cases = [
            (json!("Hello"), Some("Hello")),
            (json!({"text": "Hello"}), Some("Hello")),
            (json!({"text": {"body": "Hello"}}), Some("Hello")),
            (json!({"type": "button_reply", "button_reply": {"id": "1", "title": "Yes"}}), Some("Yes")),
            (json!({"url": "https://cdn.example.com/1", "caption": "Mine"}), Some("Mine")),
            (json!({"latitude": 12.5, "longitude": "77.25", "name": "", "address": ""}), Some("12.5, 77.25")),
            (json!({"location": {"latitude": 1, "longitude": 2}}), Some("1, 2")),
            (json!({"contacts": [{"name": {"formatted_name": "A B"}}]}), Some("A B")),
            (json!({"url": "https://cdn.example.com/1"}), None),
            (json!([{"body": {}}]), None),
            (json!(null), None),
            (json!(""), None),
        ];
        for (content, text) in cases {
            assert_eq!(readable(&content).as_deref(), text, "{content}");
        }
    }

    #[test]
    fn a_vendors_name_of_a_kind_is_ours() {
        for (name, kind) in [
            ("TEXT", "text"),
            ("Voice", "audio"),
            ("FILE", "document"),
            ("CONTACT", "contacts"),
            ("QUICK_REPLY", "button"),
            ("QuickReply", "button"),
            ("button", "button"),
            ("BUTTON_REPLY", "interactive"),
            ("InteractiveListReply", "interactive"),
            ("media_placeholder", "media_placeholder"),
        ] {
            assert_eq!(message_kind(name).as_str(), kind, "{name}");
        }
    }
}
