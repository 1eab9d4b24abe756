//! `wabridge sign`: the command it prints, and what it refuses.

use crate::command::{Ended, Place};

const CONFIG: &str = r#"
[server]
listen = "127.0.0.1:8099"
public_url = "https://hooks.example.in"
[[channel]]
name = "main"
provider = "meta"
app_secrets = ["env:META"]
verify_token = "env:META"
[[channel]]
name = "sms"
provider = "twilio"
auth_tokens = ["env:TWILIO"]
"#;

/// HMAC-SHA256 of `{"object":"whatsapp_business_account"}` under the key below, as `openssl dgst` prints it.
const SECRET: (&str, &str) = ("META", "0123456789abcdef0123456789abcdef");
const BODY: &str = r#"{"object":"whatsapp_business_account"}"#;
const PROOF: &str =
    "X-Hub-Signature-256: sha256=e3d59d231b02104529f72ed309769c75fdbc42fc9cb15257538b2012f031af65";

#[test]
fn a_body_in_a_file_gives_a_command_that_posts_it_from_there() {
    let place = Place::new(CONFIG);
    let file = place.write("it's.json", BODY, 0o600).canonicalize().unwrap();
    let Ended { code, out, err } =
        place.run_with(&["sign", "--channel", "main", "it's.json"], &[SECRET], b"");
    assert_eq!(code, 0, "{err}");
    assert!(out.starts_with("curl -sS -i -g -X POST 'http://127.0.0.1:8099/hooks/main' \\\n"), "{out}");
    assert!(out.contains("-H 'Content-Type: application/json'"), "{out}");
    assert!(out.contains(&format!("-H '{PROOF}'")), "{out}");
    let quoted = file.display().to_string().replace('\'', r"'\''");
    assert!(out.ends_with(&format!("--data-binary '@{quoted}'\n")), "{out}");
}

#[test]
fn a_body_from_standard_input_travels_inside_the_command() {
    let place = Place::new(CONFIG);
    let Ended { code, out, err } =
        place.run_with(&["sign", "--channel", "main", "-"], &[SECRET], BODY.as_bytes());
    assert_eq!(code, 0, "{err}");
    let base64 = data_encoding::BASE64.encode(BODY.as_bytes());
    assert!(out.starts_with(&format!("printf %s '{base64}' | base64 -d | curl ")), "{out}");
    assert!(out.contains(&format!("-H '{PROOF}'")), "{out}");
    assert!(out.ends_with("--data-binary '@-'\n"), "{out}");
}

#[test]
fn twilio_is_signed_for_the_public_url_and_posted_as_a_form_to_listen() {
    let place = Place::new(CONFIG);
    let token = ("TWILIO", "0123456789abcdef0123456789abcdef");
    let Ended { code, out, err } =
        place.run_with(&["sign", "--channel", "sms", "-"], &[token], b"Body=Hi&From=a");
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("'http://127.0.0.1:8099/hooks/sms'"), "{out}");
    assert!(out.contains("-H 'Content-Type: application/x-www-form-urlencoded'"), "{out}");
    assert!(out.contains("-H 'X-Twilio-Signature: uZs1moX3bSmsX3fiZ3kEnDgKmXE='"), "{out}");
}

#[test]
fn a_channel_that_is_not_configured_exits_64_with_the_nearest_name() {
    let place = Place::new(CONFIG);
    let Ended { code, err, .. } = place.run_with(&["sign", "--channel", "mian", "-"], &[SECRET], b"{}");
    assert_eq!(code, 64);
    assert_eq!(err, "wabridge: no channel 'mian'; did you mean 'main'?\n");
}

#[test]
fn a_missing_file_exits_74_and_a_missing_secret_78() {
    let place = Place::new(CONFIG);
    let Ended { code, err, .. } = place.run_with(&["sign", "--channel", "main", "none.json"], &[SECRET], b"");
    assert_eq!(code, 74, "{err}");
    assert!(err.contains("none.json cannot be read"), "{err}");
    let Ended { code, err, .. } = place.run_with(&["sign", "--channel", "main", "-"], &[], b"{}");
    assert_eq!(code, 78, "{err}");
    assert!(err.contains("app_secrets[0] (env:META) is not set"), "{err}");
}
