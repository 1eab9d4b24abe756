//! What Twilio would never send, signed as Twilio signs.

use super::{Row, check, row};

/// A good message; `#` stands for the row's number.
const GOOD: &str = "AccountSid=AC1&MessageSid=SM#&SmsStatus=received&From=whatsapp%3A%2B447700900123\
    &To=whatsapp%3A%2B442079460001&WaId=447700900123&NumMedia=0&Body=Hello";

fn without(name: &str) -> String {
    let kept: Vec<&str> = GOOD.split('&').filter(|part| !part.starts_with(&format!("{name}="))).collect();
    kept.join("&")
}

fn with(name: &str, value: &str) -> String {
    format!("{}&{name}={value}", without(name))
}

fn wholes() -> Vec<Row> {
    let whole = |name: &str, body: &[u8], fault: &str| row(name, body, &[&format!("malformed {fault} $")]);
    vec![
        whole("nothing", b"", "not_form"),
        whole("blanks", b"  ", "not_form"),
        whole("a word", b"hello", "not_form"),
        whole("NUL", b"\0", "not_form"),
        whole("a value of no UTF-8", b"From=%ff%fe", "not_form"),
        whole("a name of no UTF-8", b"%ff=1", "not_form"),
        whole("raw bytes of no UTF-8", b"From=\xff", "not_form"),
        whole("JSON cut off", br#"{"From":"wha"#, "not_json"),
        whole("JSON and bytes after it", br#"{"From":"x"} x"#, "not_json"),
        whole("JSON of no UTF-8", b"{\"From\":\"\xff\"}", "not_json"),
        whole("JSON with half a surrogate pair", br#"{"From":"\ud83d"}"#, "not_json"),
        whole("JSON with a number beyond all", br#"{"From":1e400}"#, "not_json"),
    ]
}

fn fields() -> Vec<(&'static str, String, &'static str)> {
    let missing = |name| (name, without(name));
    let mut rows = vec![
        ("only separators", "&&&=&".to_owned(), "quarantined missing_field AccountSid"),
        ("an empty list in JSON", "{}".to_owned(), "quarantined missing_field AccountSid"),
        ("no sender", missing("From").1, "quarantined missing_field From"),
        ("no receiver", missing("To").1, "quarantined missing_field To"),
        ("no account", missing("AccountSid").1, "quarantined missing_field AccountSid"),
        ("no message id", missing("MessageSid").1, "quarantined missing_field MessageSid"),
        ("an empty message id", with("MessageSid", ""), "quarantined missing_field MessageSid"),
        ("a blank message id", with("MessageSid", "+%20"), "quarantined missing_field MessageSid"),
        ("a sender by SMS", with("From", "%2B447700900123"), "quarantined invalid_field From"),
        ("a sender of another service", with("From", "messenger%3A12"), "quarantined invalid_field From"),
        ("a sender without a name", with("From", "whatsapp%3A"), "quarantined invalid_field From"),
        ("a receiver by SMS", with("To", "%2B442079460001"), "quarantined invalid_field To"),
        (
            "JSON with a list for a name",
            r#"{"AccountSid":"AC1","MessageSid":["SM#"]}"#.to_owned(),
            "quarantined missing_field MessageSid",
        ),
        ("a name twice: the first counts", format!("{GOOD}&From=nobody"), "applied"),
        ("parameters without a value", format!("{GOOD}&Later&&=x&="), "applied"),
        ("percent signs that stand for themselves", with("Body", "100%25%zz%2"), "applied"),
        ("NUL in a text", with("Body", "a%00b"), "applied"),
        ("a raw plus in the sender", with("From", "whatsapp:+447700900123"), "applied"),
        ("a number of media that is none", with("NumMedia", "many"), "applied"),
        ("an unknown type", with("MessageType", "hologram"), "applied"),
        ("an unknown status", with("SmsStatus", "evaporated"), "applied"),
        (
            "a status with an error that is no number",
            with("MessageStatus", "failed") + "&ErrorCode=x",
            "applied",
        ),
        ("a referral that names nothing", format!("{GOOD}&ReferralHeadline=Sale"), "applied"),
        ("900 unknown parameters", format!("{GOOD}{}", "&x=y".repeat(900)), "applied"),
        ("a text of 1 MB", with("Body", &"y".repeat(1_000_000)), "applied"),
        ("a number nobody configured", with("To", "whatsapp%3A%2B442079460099"), "applied"),
        (
            "deep JSON that is not too deep",
            format!(
                r#"{{"AccountSid":"AC1","MessageSid":"SM#","From":"whatsapp:+447700900123","To":"whatsapp:+442079460001","x":{}{}}}"#,
                "[".repeat(100),
                "]".repeat(100)
            ),
            "applied",
        ),
    ];
    for sender in
        ["whatsapp%3A%2B", "whatsapp%3Anobody", "whatsapp%3A%2B1", "whatsapp%3A%2B999999999999999999"]
    {
        let body = with("From", sender).replace("WaId=447700900123", "WaId=");
        rows.push(("a sender that is no phone", body, "quarantined invalid_field From"));
    }
    rows
}

#[test]
fn what_twilio_would_never_send_is_kept_and_quarantined_by_parameter() {
    let mut rows = wholes();
    for (number, (name, body, expected)) in fields().into_iter().enumerate() {
        let body = body.replace('#', &number.to_string());
        rows.push(row(format!("{name} ({number})"), body, &[expected]));
    }
    check("twilio", "twilio", rows);
}
