//! Twilio's WhatsApp webhooks: inbound messages and status callbacks, as a form or as flat JSON.
//!
//! In: one message or one status a request. Out: one [`Item`]. Twilio repeats nothing by default and gives
//! no time of its own, so `occurred_at` is always absent and the receipt counts.
//!
//! <https://www.twilio.com/docs/messaging/guides/webhook-request>,
//! <https://www.twilio.com/docs/whatsapp/api#whatsapp-specific-webhook-parameters>.
//!
//! Doubts, and how they are met: list and flow parameters (`ListTitle`, `InteractiveData`, `FlowData`) are
//! not confirmed and only tell the kind of a message; a username comes as `ProfileUsername` or `Username`;
//! old accounts send no `MessageType`, so the kind is derived.

use crate::provider::{About, Account, Item, Malformed, Passed, Passes, Provider, Verified};
use crate::signature::{self, Scheme};
use serde_json::Value;
use std::collections::BTreeMap;
use wabridge_model::Phone;
use wabridge_model::event::{
    Business, Event, Fact, Message, MessageKind, Person, Referral, ReferralReport, Status, StatusState,
};
use wabridge_model::id::{Bsuid, EventKey};

/// Twilio, by its Programmable Messaging webhooks.
#[derive(Debug)]
pub struct Twilio;

static ABOUT: About = About {
    slug: "twilio",
    name: "Twilio",
    scheme: Scheme::TwilioHmacSha1,
    // The content type decides whether the parameters or the body's hash were signed.
    proof_headers: &["x-twilio-signature", "content-type"],
    documentation: "https://www.twilio.com/docs/messaging/guides/webhook-request",
    passes: Passes {
        phone: Passed::If("absent for people with a username"),
        bsuid: Passed::Yes,
        name: Passed::Yes,
        wamid: Passed::No,
        ad: Passed::Yes,
        click_id: Passed::Yes,
        echoes: Passed::No,
        statuses: Passed::Yes,
        opt_outs: Passed::No,
        time: Passed::No,
        business_number: Passed::Yes,
    },
    retries: false,
};

/// The parameters of one request. Names not known here are kept and ignored.
struct Parameters(BTreeMap<String, String>);

/// A party of a message: `whatsapp:` and a number, or a business-scoped id in its place.
struct Address {
    /// As configured: `whatsapp:+918047000000`.
    account_id: String,
    /// What follows `whatsapp:`.
    name: String,
}

impl Provider for Twilio {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn normalise(&self, request: &Verified<'_>, account: &Account) -> Result<Vec<Item>, Malformed> {
        let parameters = Parameters::read(request.header("content-type"), request.body())?;
        let event = match parameters.status() {
            Some(status) => read_status(&parameters, status, account),
            None => read_message(&parameters, account),
        };
        Ok(vec![event.map_or_else(Item::Quarantined, |event| Item::Event(Box::new(event)))])
    }
}

impl Parameters {
    fn read(content_type: Option<&str>, body: &[u8]) -> Result<Parameters, Malformed> {
        if body.trim_ascii_start().starts_with(b"{") {
            return Parameters::from_json(body);
        }
        // The signature was checked over the same reading of the content type.
        if !signature::is_form(content_type, body) || !body.contains(&b'=') {
            return Err(whole("not_form"));
        }
        let mut parameters = BTreeMap::new();
        for (name, value) in signature::form_parameters(body) {
            let name = String::from_utf8(name.into_owned()).map_err(|_| whole("not_form"))?;
            let value = String::from_utf8(value.into_owned()).map_err(|_| whole("not_form"))?;
            parameters.entry(name).or_insert(value);
        }
        Ok(Parameters(parameters))
    }

    /// A flat object of the same names. A value that is neither text nor number nor truth says nothing.
    fn from_json(body: &[u8]) -> Result<Parameters, Malformed> {
        let object: BTreeMap<String, Value> = serde_json::from_slice(body).map_err(|error| {
            // serde_json tells its limit of depth apart from bad syntax by its text alone.
            let too_deep = error.to_string().starts_with("recursion limit");
            whole(if too_deep { "too_deep" } else { "not_json" })
        })?;
        let text = |value| match value {
            Value::String(text) => Some(text),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(truth) => Some(truth.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        };
        Ok(Parameters(object.into_iter().filter_map(|(name, value)| Some((name, text(value)?))).collect()))
    }

    /// A value that says something: an empty parameter is an absent one.
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    fn owned(&self, name: &str) -> Option<String> {
        self.get(name).map(str::to_owned)
    }

    fn require(&self, name: &'static str) -> Result<&str, Malformed> {
        self.get(name).ok_or_else(|| Malformed { reason: "missing_field", path: name.to_owned() })
    }

    /// The state that a status callback reports. `None`: this is an inbound message.
    fn status(&self) -> Option<&str> {
        let status = self.get("MessageStatus").or_else(|| self.get("SmsStatus"))?;
        let inbound = ["received", "receiving"].iter().any(|word| status.eq_ignore_ascii_case(word));
        (!inbound).then_some(status)
    }

    fn address(&self, name: &'static str) -> Result<Address, Malformed> {
        Address::read(self.require(name)?).ok_or_else(|| invalid(name))
    }
}

impl Address {
    /// Only `whatsapp:` is ours: a text message to the same URL must not open a WhatsApp window.
    fn read(text: &str) -> Option<Address> {
        // A `+` that the sender of a form did not encode arrives as a space.
        let name = text.strip_prefix("whatsapp:")?.replace(' ', "+");
        (!name.is_empty()).then(|| Address { account_id: format!("whatsapp:{name}"), name })
    }

    fn bsuid(&self) -> Option<Bsuid> {
        Bsuid::parse(&self.name)
    }

    fn phone(&self) -> Option<Phone> {
        Phone::from_whatsapp_id(&self.name).ok()
    }

    fn digits(&self) -> &str {
        self.name.trim_start_matches('+')
    }
}

fn read_message(parameters: &Parameters, account: &Account) -> Result<Event, Malformed> {
    let account_sid = parameters.require("AccountSid")?;
    let message_sid = parameters.require("MessageSid")?;
    let person = customer(parameters, "From")?;
    Ok(Event {
        key: EventKey::new("tw", &[account_sid, message_sid]),
        business: business(&parameters.address("To")?, account),
        occurred_at: None,
        person,
        fact: Fact::Message(Message {
            text: ["Body", "ButtonText", "ListTitle"].iter().find_map(|name| parameters.owned(name)),
            referral: referral(parameters),
            ..Message::new(message_sid, message_kind(parameters))
        }),
    })
}

fn read_status(parameters: &Parameters, status: &str, account: &Account) -> Result<Event, Malformed> {
    let account_sid = parameters.require("AccountSid")?;
    let message_sid = parameters.require("MessageSid")?;
    let status = status.to_ascii_lowercase();
    Ok(Event {
        key: EventKey::new("tws", &[account_sid, message_sid, &status]),
        business: business(&parameters.address("From")?, account),
        occurred_at: None,
        person: customer(parameters, "To")?,
        fact: Fact::Status(Status {
            message_id: message_sid.to_owned(),
            state: status_state(&status),
            // `ErrorCode=0` would say that all is well.
            codes: parameters
                .get("ErrorCode")
                .and_then(|code| code.parse().ok())
                .filter(|&code| code != 0)
                .into_iter()
                .collect(),
            free_entry_until: None,
        }),
    })
}

fn business(address: &Address, account: &Account) -> Business {
    Business {
        account_id: Some(address.account_id.clone()),
        number: account.resolve(Some(&address.account_id), Some(address.digits())),
        portfolio: account.portfolio.clone(),
    }
}

/// Who the customer is, by all the names in the request.
///
/// The phone is `WaId` where that is a number: it holds WhatsApp's own digits, as every other provider
/// sends them, while `From` may be spelt with or without Brazil's ninth digit. `From` is kept as sent.
fn customer(parameters: &Parameters, party: &'static str) -> Result<Person, Malformed> {
    let address = parameters.address(party)?;
    let inbound = party == "From";
    // In a status callback, whose `From` is the business, these parameters are not documented.
    let own = |name: &str| if inbound { parameters.get(name) } else { None };
    let id = |name: &str| own(name).and_then(|id| Bsuid::parse(id.strip_prefix("whatsapp:").unwrap_or(id)));
    let phone = own("WaId").and_then(|id| Phone::from_whatsapp_id(id).ok()).or_else(|| address.phone());
    let ids = [address.bsuid(), id("ExternalUserId"), id("WaId"), id("ParentExternalUserId")];
    // The form of an id says whose it is, wherever it stands.
    let (parents, owns): (Vec<Bsuid>, Vec<Bsuid>) = ids.into_iter().flatten().partition(is_parent);
    let respelt = |phone: &Phone| address.phone().is_some_and(|sent| sent != *phone);
    let person = Person {
        phone_as_sent: phone.as_ref().filter(|phone| respelt(phone)).map(|_| address.name.clone()),
        phone,
        bsuid: owns.into_iter().next(),
        parent_bsuid: parents.into_iter().next(),
        username: own("ProfileUsername").or_else(|| own("Username")).map(str::to_owned),
        email: None,
        name: own("ProfileName").map(str::to_owned),
    };
    if person.is_identified() { Ok(person) } else { Err(invalid(party)) }
}

/// Whether an id is that of linked portfolios: `IN.ENT.1234`.
fn is_parent(id: &Bsuid) -> bool {
    id.as_str().split('.').nth(1) == Some("ENT")
}

/// What was sent: as Twilio says, else as the other parameters show.
fn message_kind(parameters: &Parameters) -> MessageKind {
    if let Some(kind) = parameters.get("MessageType") {
        return MessageKind::from(kind.to_ascii_lowercase());
    }
    let has = |names: &[&str]| names.iter().any(|name| parameters.get(name).is_some());
    if parameters.get("NumMedia").is_some_and(|count| count != "0") {
        return media_kind(parameters.get("MediaContentType0").unwrap_or_default());
    }
    match () {
        () if has(&["ListId", "ListTitle", "InteractiveData", "FlowData"]) => MessageKind::Interactive,
        () if has(&["ButtonText", "ButtonPayload"]) => MessageKind::Button,
        () if has(&["Latitude", "Longitude"]) => MessageKind::Location,
        () if has(&["Body"]) => MessageKind::Text,
        () => MessageKind::Unsupported,
    }
}

fn media_kind(content_type: &str) -> MessageKind {
    let content_type = content_type.to_ascii_lowercase();
    match content_type.split(['/', ';']).next() {
        // WhatsApp sends pictures as JPEG or PNG, stickers as WebP.
        Some("image") if content_type.starts_with("image/webp") => MessageKind::Sticker,
        Some("image") => MessageKind::Image,
        Some("video") => MessageKind::Video,
        Some("audio") => MessageKind::Audio,
        Some("text") if content_type.contains("vcard") => MessageKind::Contacts,
        _ => MessageKind::Document,
    }
}

/// The ad behind a message. `ReferralNumMedia=0` comes with ordinary messages and is no sign of one; only
/// a source or a click id is. Anything else that speaks of a referral is one that could not be read.
fn referral(parameters: &Parameters) -> ReferralReport {
    let source_id = parameters.owned("ReferralSourceId");
    let ctwa_clid = parameters.owned("ReferralCtwaClid");
    if source_id.is_none() && ctwa_clid.is_none() {
        let speaks = parameters.0.iter().any(|(name, value)| {
            name.starts_with("Referral")
                && !value.trim().is_empty()
                && !(name == "ReferralNumMedia" && value.trim() == "0")
        });
        return if speaks { ReferralReport::Malformed } else { ReferralReport::Absent };
    }
    let media_type = parameters.get("ReferralMediaContentType").and_then(|kind| kind.split('/').next());
    ReferralReport::Present(Box::new(Referral {
        ctwa_clid,
        source_id,
        source_type: parameters.get("ReferralSourceType").map(str::to_ascii_lowercase),
        source_url: parameters.owned("ReferralSourceUrl"),
        headline: parameters.owned("ReferralHeadline"),
        body: parameters.owned("ReferralBody"),
        media_type: media_type.map(str::to_ascii_lowercase),
        click_id_stripped: false,
    }))
}

/// Twilio's words for the states all providers share; any other is kept as sent.
fn status_state(status: &str) -> StatusState {
    match status {
        "accepted" | "scheduled" | "sending" => StatusState::Queued,
        "undelivered" => StatusState::Failed,
        other => StatusState::from(other),
    }
}

fn whole(reason: &'static str) -> Malformed {
    Malformed { reason, path: "$".to_owned() }
}

fn invalid(name: &'static str) -> Malformed {
    Malformed { reason: "invalid_field", path: name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::Inbound;
    use crate::provider::Proof;
    use jiff::Timestamp;
    use proptest::prelude::*;
    use wabridge_model::Country;

    fn account() -> Account {
        let number = Phone::from_whatsapp_id("918047000000").unwrap();
        Account {
            channel: "twilio".into(),
            portfolio: "default".into(),
            business_numbers: [("whatsapp:+918047000000".to_owned(), number)].into(),
            business_number: None,
            sample_ids: vec![],
            default_country: Country::INDIA,
            public_url: Some("https://hooks.example.in/hooks/twilio".into()),
            secrets: Default::default(),
        }
    }

    fn normalise(body: &[u8]) -> Result<Vec<Item>, Malformed> {
        let inbound =
            Inbound { query: "", headers: &[], body, received_at: Timestamp::UNIX_EPOCH, path_token: None };
        Twilio.normalise(&Verified::recall(inbound, Proof::Signed), &account())
    }

    fn read(body: &str) -> Result<Event, String> {
        match normalise(body.as_bytes()).map_err(|fault| format!("{} {}", fault.reason, fault.path))?.pop() {
            Some(Item::Event(event)) => Ok(*event),
            Some(Item::Quarantined(fault)) => Err(format!("{} {}", fault.reason, fault.path)),
            other => panic!("{other:?}"),
        }
    }

    const INBOUND: &str = "AccountSid=AC1&MessageSid=SM1&SmsStatus=received&From=whatsapp%3A%2B919876543210\
        &To=whatsapp%3A%2B918047000000&WaId=919876543210&ProfileName=A+Customer&NumMedia=0";

    fn inbound(more: &str) -> Event {
        read(&format!("{INBOUND}{more}")).unwrap()
    }

    fn message(more: &str) -> Message {
        match inbound(more).fact {
            Fact::Message(message) => message,
            other => panic!("{other:?}"),
        }
    }

    fn status(more: &str) -> Status {
        let body = format!(
            "AccountSid=AC1&MessageSid=SM1&From=whatsapp%3A%2B918047000000&To=whatsapp%3A%2B919876543210{more}"
        );
        match read(&body).unwrap().fact {
            Fact::Status(status) => status,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_message_is_keyed_by_account_and_message() {
        let event = inbound("&Body=Hello");
        assert_eq!(event.key.as_str(), "tw:AC1:SM1");
        assert_eq!(event.occurred_at, None);
        assert_eq!(event.business.account_id.as_deref(), Some("whatsapp:+918047000000"));
        assert_eq!(event.business.number.unwrap().e164(), "+918047000000");
        assert_eq!(event.person.phone.unwrap().e164(), "+919876543210");
        assert_eq!(event.person.phone_as_sent, None);
        assert_eq!(event.person.name.as_deref(), Some("A Customer"));
    }

    #[test]
    fn the_kind_is_as_stated_or_as_the_parameters_show() {
        let cases = [
            ("&Body=Hi", "text"),
            ("&Body=Hi&MessageType=text", "text"),
            ("&MessageType=reaction&Body=x", "reaction"),
            ("&MessageType=poll", "poll"),
            ("&MessageType=Image", "image"),
            ("&ButtonText=Yes&Body=Yes", "button"),
            ("&ListTitle=Plan", "interactive"),
            ("&Latitude=12.9&Longitude=77.6", "location"),
            ("&Body=", "unsupported"),
        ];
        for (more, kind) in cases {
            assert_eq!(message(more).kind.as_str(), kind, "{more}");
        }
        for (content_type, kind) in [
            ("image/jpeg", "image"),
            ("image/webp", "sticker"),
            ("audio/ogg; codecs=opus", "audio"),
            ("video/mp4", "video"),
            ("text/vcard", "contacts"),
            ("text/x-vcard", "contacts"),
            ("application/pdf", "document"),
            ("", "document"),
        ] {
            let media =
                INBOUND.replace("NumMedia=0", &format!("NumMedia=1&MediaContentType0={content_type}"));
            let Fact::Message(message) = read(&media).unwrap().fact else { panic!("{content_type}") };
            assert_eq!(message.kind.as_str(), kind, "{content_type}");
        }
    }

    #[test]
    fn only_a_source_or_a_click_id_is_an_ad() {
        assert_eq!(message("&Body=Hi&ReferralNumMedia=0").referral, ReferralReport::Absent);
        assert_eq!(
            message("&ReferralNumMedia=0&ReferralSourceId=&ReferralBody=").referral,
            ReferralReport::Absent
        );
        assert_eq!(message("&ReferralHeadline=Sale").referral, ReferralReport::Malformed);
        assert_eq!(message("&ReferralNumMedia=1").referral, ReferralReport::Malformed);
        let ReferralReport::Present(ad) = message(
            "&ReferralSourceId=120210000000&ReferralSourceType=AD&ReferralCtwaClid=ARx&ReferralMediaContentType=image%2Fjpeg",
        )
        .referral
        else {
            panic!("no referral")
        };
        assert_eq!(ad.source_type.as_deref(), Some("ad"));
        assert_eq!(ad.ctwa_clid.as_deref(), Some("ARx"));
        assert_eq!(ad.media_type.as_deref(), Some("image"));
        let ReferralReport::Present(click) = message("&ReferralCtwaClid=ARx").referral else {
            panic!("no referral")
        };
        assert_eq!(click.source_id, None);
    }

    #[test]
    fn a_user_id_in_the_place_of_a_phone_is_one() {
        let body = INBOUND.replace("whatsapp%3A%2B919876543210", "whatsapp%3AIN.1349120865530274");
        let person = read(&body.replace("WaId=919876543210", "WaId=")).unwrap().person;
        assert!(person.phone.is_none());
        assert_eq!(person.bsuid.unwrap().as_str(), "IN.1349120865530274");
        // The number may still be told beside it.
        let person = read(&body).unwrap().person;
        assert_eq!(person.phone.unwrap().e164(), "+919876543210");
        assert_eq!(person.bsuid.unwrap().as_str(), "IN.1349120865530274");
        let person = inbound(
            "&ExternalUserId=whatsapp%3AIN.7&ParentExternalUserId=whatsapp%3AIN.ENT.8&ProfileUsername=a.customer",
        )
        .person;
        assert_eq!(person.bsuid.unwrap().as_str(), "IN.7");
        assert_eq!(person.parent_bsuid.unwrap().as_str(), "IN.ENT.8");
        assert_eq!(person.username.as_deref(), Some("a.customer"));
    }

    #[test]
    fn whatsapps_own_digits_are_the_key_and_the_other_spelling_is_kept() {
        let body = INBOUND
            .replace("%2B919876543210", "%2B5582912345678")
            .replace("WaId=919876543210", "WaId=558212345678");
        let person = read(&body).unwrap().person;
        assert_eq!(person.phone.unwrap().e164(), "+558212345678");
        assert_eq!(person.phone_as_sent.as_deref(), Some("+5582912345678"));
    }

    #[test]
    fn a_plus_that_was_not_encoded_is_still_a_plus() {
        let event = read(&INBOUND.replace("%3A%2B", ":+")).unwrap();
        assert_eq!(event.business.account_id.as_deref(), Some("whatsapp:+918047000000"));
        assert_eq!(event.person.phone.unwrap().e164(), "+919876543210");
    }

    #[test]
    fn a_status_is_keyed_by_its_state_too_and_names_its_code() {
        for (sent, state) in [
            ("queued", "queued"),
            ("accepted", "queued"),
            ("sending", "queued"),
            ("sent", "sent"),
            ("delivered", "delivered"),
            ("READ", "read"),
            ("failed", "failed"),
            ("undelivered", "failed"),
            ("canceled", "canceled"),
        ] {
            assert_eq!(status(&format!("&MessageStatus={sent}")).state.as_str(), state, "{sent}");
            assert_eq!(status(&format!("&SmsStatus={sent}")).state.as_str(), state, "{sent}");
        }
        let refused = status("&MessageStatus=undelivered&SmsStatus=undelivered&ErrorCode=63016");
        assert_eq!(refused.codes, [63016]);
        assert!(refused.says_window_closed());
        assert!(status("&MessageStatus=sent&ErrorCode=0").codes.is_empty());
    }

    #[test]
    fn a_json_body_says_the_same_as_a_form() {
        let form = inbound("&Body=Hello");
        let json = read(
            r#"{"AccountSid":"AC1","MessageSid":"SM1","SmsStatus":"received","From":"whatsapp:+919876543210",
                "To":"whatsapp:+918047000000","WaId":919876543210,"ProfileName":"A Customer","NumMedia":0,
                "Body":"Hello","MediaUrl0":null,"Later":{"a":1}}"#,
        );
        assert_eq!(json.unwrap(), form);
    }

    #[test]
    fn a_fault_is_named_by_its_parameter() {
        let cases = [
            (INBOUND.replace("MessageSid=SM1", "MessageSid="), "missing_field MessageSid"),
            (INBOUND.replace("AccountSid=AC1&", ""), "missing_field AccountSid"),
            (INBOUND.replace("To=whatsapp%3A%2B918047000000&", ""), "missing_field To"),
            (INBOUND.replace("From=whatsapp%3A%2B919876543210&", ""), "missing_field From"),
            (INBOUND.replace("From=whatsapp%3A", "From="), "invalid_field From"),
            (
                INBOUND.replace("%2B919876543210", "nobody").replace("WaId=919876543210", ""),
                "invalid_field From",
            ),
            ("hello".to_owned(), "not_form $"),
            ("<Response/>".to_owned(), "not_form $"),
            ("AccountSid=%FF".to_owned(), "not_form $"),
            (String::new(), "not_form $"),
            ("[1]".to_owned(), "not_form $"),
            ("{".to_owned(), "not_json $"),
            (format!("{{\"a\":{}{}}}", "[".repeat(200), "]".repeat(200)), "too_deep $"),
        ];
        for (body, fault) in cases {
            assert_eq!(read(&body).unwrap_err(), fault, "{body}");
        }
    }

    proptest! {
        #[test]
        fn no_body_makes_the_reader_panic(body in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = normalise(&body);
        }

        #[test]
        fn no_value_makes_the_reader_panic(name in "(From|To|WaId|MessageStatus|ErrorCode|Referral[A-Z][a-z]+)", value in ".{0,60}") {
            let parameters = Parameters([(name, value)].into());
            let _ = read_message(&parameters, &account());
            let _ = (message_kind(&parameters), referral(&parameters));
            let _ = (Address::read(parameters.0.values().next().unwrap()), customer(&parameters, "From"));
        }
    }
}
