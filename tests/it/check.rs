//! `wabridge check` and the habits of every command: exit codes, `--config`, usage.

use crate::command::{Ended, Place, ended, wabridge};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use wabridge::store::{Inbox, Request};
use wabridge_model::evidence::Proof;

const GOOD: &str = r#"
[server]
public_url = "https://hooks.example.in"
[store]
url = "sqlite:{folder}/wabridge.db"
[[channel]]
name = "main"
provider = "meta"
app_secrets = ["env:META", "file:{folder}/old"]
verify_token = "credential:verify"
"#;

fn good() -> (Place, Vec<(&'static str, String)>) {
    let place = Place::new(GOOD);
    place.write("old", "0123456789abcdef0123456789abcdef\n", 0o600);
    place.write("verify", "a verify token", 0o440);
    let credentials = place.path("").display().to_string();
    let secret = "fedcba9876543210fedcba9876543210".to_owned();
    (place, vec![("META", secret), ("CREDENTIALS_DIRECTORY", credentials)])
}

fn check(place: &Place, environment: &[(&str, String)]) -> Ended {
    let environment: Vec<_> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
    place.run_with(&["check"], &environment, b"")
}

#[test]
fn a_good_configuration_passes_with_a_line_for_everything_that_was_checked() {
    let (place, environment) = good();
    let Ended { code, out, err } = check(&place, &environment);
    assert_eq!(code, 0, "{out}{err}");
    for subject in ["config", "secrets", "modes", "sqlite", "store", "url", "listen"] {
        assert!(out.lines().any(|line| line.starts_with(&format!("ok       {subject}"))), "{subject}\n{out}");
    }
    assert!(out.contains("channel 'main': 2 to prove senders, with a verify token"), "{out}");
    assert!(out.ends_with("0 failed, 0 to look at\n"), "{out}");
    assert!(!out.contains("fedcba"), "a secret was printed\n{out}");
    assert!(!place.path("wabridge.db").exists(), "a check creates no store");
}

#[test]
fn a_wrong_key_exits_78_and_names_file_line_key_and_nearest_match() {
    let place = Place::new("[server]\nlisen = \"127.0.0.1:1\"\n");
    let Ended { code, out, .. } = place.run(&["check"]);
    assert_eq!(code, 78);
    let file = place.path("wabridge.toml");
    let expected = format!("{}:2: unknown key 'lisen' in [server]; did you mean 'listen'?", file.display());
    assert!(out.contains(&expected), "{out}");
    assert!(out.contains("FAILED   config"), "{out}");
}

#[test]
fn every_command_that_needs_the_configuration_exits_78_without_it() {
    let place = Place::new("[[target]]\nname = \"hubspot\"\n");
    let Ended { code, err, .. } = place.run(&["sign", "--channel", "main", "-"]);
    assert_eq!(code, 78);
    assert!(err.contains("[[target]] 'hubspot' has no 'crm'; add crm = \"hubspot\""), "{err}");
    let missing = place.run(&["check", "--config", "/nowhere/wabridge.toml"]);
    assert_eq!(missing.code, 78);
    assert!(missing.out.contains("/nowhere/wabridge.toml: there is no such file"), "{}", missing.out);
}

#[test]
fn a_secret_file_that_others_can_read_fails_with_the_command_that_closes_it() {
    let (place, environment) = good();
    for mode in [0o644, 0o640, 0o604] {
        fs::set_permissions(place.path("old"), Permissions::from_mode(mode)).unwrap();
        let Ended { code, out, .. } = check(&place, &environment);
        assert_eq!(code, 78, "{out}");
        let expected = format!("(mode {mode:04o}); run chmod 600 '{}'", place.path("old").display());
        assert!(out.contains(&expected), "{out}");
    }
}

#[test]
fn every_missing_secret_has_a_line_of_its_own() {
    let (place, _) = good();
    let Ended { code, out, .. } = check(&place, &[]);
    assert_eq!(code, 78);
    assert!(out.contains("app_secrets[0] (env:META) is not set"), "{out}");
    assert!(
        out.contains("verify_token (credential:verify) needs systemd; add LoadCredential=verify:/path"),
        "{out}"
    );
}

#[test]
fn a_configuration_that_others_can_change_fails_and_an_open_store_is_pointed_out() {
    let (place, environment) = good();
    place.write("wabridge.db", "", 0o644);
    let Ended { code, out, .. } = check(&place, &environment);
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("warning  modes") && out.contains("wabridge.db'"), "{out}");

    fs::set_permissions(place.path("wabridge.toml"), Permissions::from_mode(0o666)).unwrap();
    let Ended { code, out, .. } = check(&place, &environment);
    assert_eq!(code, 78, "{out}");
    assert!(out.contains("run chmod go-w"), "{out}");
}

#[test]
fn a_store_without_its_folder_fails_with_the_command_that_makes_it() {
    let place = Place::new("[store]\nurl = \"sqlite:{folder}/data/wabridge.db\"\n");
    let Ended { code, out, .. } = place.run(&["check"]);
    assert_eq!(code, 78, "{out}");
    assert!(out.contains(&format!("make it with mkdir -m 700 '{}'", place.path("data").display())), "{out}");
}

#[test]
fn an_address_that_providers_cannot_use_is_pointed_out() {
    let table = [
        ("", "no public_url in [server]"),
        ("public_url = \"http://hooks.example.in\"", "is not https"),
        ("public_url = \"https://localhost\"", "cannot be reached from outside"),
        ("public_url = \"https://192.168.1.4:8443\"", "cannot be reached from outside"),
        ("listen = \"0.0.0.0:8080\"", "plain HTTP, open to the network"),
        ("admin_listen = \"0.0.0.0:9090\"", "shows metrics to the network"),
    ];
    for (server, expected) in table {
        let place = Place::new(&format!("[server]\n{server}\n[store]\nurl = \"sqlite:{{folder}}/a.db\"\n"));
        let Ended { code, out, .. } = place.run(&["check"]);
        assert_eq!(code, 0, "{out}");
        assert!(
            out.lines().any(|line| line.starts_with("warning") && line.contains(expected)),
            "{server}\n{out}"
        );
    }
}

#[test]
fn a_wrong_command_line_exits_64_and_help_exits_0() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in
        [&["chek"][..], &[], &["check", "--what"], &["sign", "-"], &["sign", "--channel", "main"]]
    {
        let mut command = wabridge(folder.path());
        command.args(arguments);
        let Ended { code, err, .. } = ended(command, b"");
        assert_eq!(code, 64, "{arguments:?}: {err}");
        assert!(err.contains("Usage: wabridge"), "{err}");
    }
    for arguments in [&["--help"][..], &["--version"], &["check", "--help"]] {
        let mut command = wabridge(folder.path());
        command.args(arguments);
        assert_eq!(ended(command, b"").code, 0, "{arguments:?}");
    }
}

#[test]
fn a_wrong_log_level_exits_78_and_names_the_levels() {
    let (place, _) = good();
    let Ended { code, err, .. } = place.run_with(&["check"], &[("WABRIDGE_LOG", "loud")], b"");
    assert_eq!(code, 78);
    assert!(err.contains("WABRIDGE_LOG is not a level: 'loud'; set it to off, error, warn"), "{err}");
}

/// Channels that work, and could work better.
const BETTER: &str = r#"
[server]
public_url = "https://hooks.example.in"
[store]
url = "sqlite:{folder}/wabridge.db"
[[channel]]
name = "shop"
provider = "gupshup"
path_token = "env:META"
[[channel]]
name = "desk"
provider = "wati"
path_token = "env:META"
header = { name = "X-Our-Token", value = "env:META" }
[[channel]]
name = "sms"
provider = "twilio"
auth_tokens = ["env:META"]
[[channel]]
name = "sure"
provider = "interakt"
secrets = ["env:META"]
path_token = "env:META"
"#;

#[actix_web::test]
async fn a_better_mode_of_a_provider_is_a_note_until_its_requests_show_that_it_is_not_in_use() {
    let place = Place::new(BETTER);
    let environment = [("META", "fedcba9876543210fedcba9876543210".to_owned())];
    let lines = |word: &str, out: &str| -> Vec<String> {
        let start = format!("{word:<8} provider channel '");
        out.lines().filter_map(|line| line.strip_prefix(&start)).map(str::to_owned).collect()
    };
    let Ended { code, out, .. } = check(&place, &environment);
    assert_eq!(code, 0, "{out}");
    for (channel, count) in [("shop", 1), ("desk", 2), ("sms", 1), ("sure", 1)] {
        assert!(out.contains(&format!("channel '{channel}': {count} to prove senders")), "{channel}\n{out}");
    }
    let notes = lines("note", &out);
    let expected =
        ["shop': only its URL", "shop': version 2", "shop': without user ids", "desk': without user ids"];
    assert!(
        notes.len() == 4 && notes.iter().zip(expected).all(|(note, start)| note.starts_with(start)),
        "{out}"
    );
    let warnings = lines("warning", &out);
    assert!(warnings.len() == 1 && warnings[0].starts_with("sms': Twilio does not go on sending"), "{out}");
    assert!(warnings[0].contains("add path_token = "), "{out}");

    let path = place.path("wabridge.db");
    let store = crate::support::desk::open(&path);
    for body in ["gupshup/number-and-user-id", "wati/text-from-ad-with-user-id"] {
        let fixture = format!("{}/fixtures/providers/{body}/body.json", env!("CARGO_MANIFEST_DIR"));
        let request = Request {
            received_at: "2026-11-22T08:30:00Z".parse().unwrap(),
            channel: if body.starts_with("wati") { "desk" } else { "shop" }.to_owned(),
            proof: Proof::SecretPath,
            secret_index: 0,
            query: String::new(),
            headers: Vec::new(),
            body: fs::read(fixture).unwrap(),
        };
        store.append(request).await.unwrap();
    }
    let Ended { code, out, .. } = check(&place, &environment);
    assert_eq!(code, 0, "{out}");
    assert!(lines("note", &out).iter().all(|note| note.starts_with("shop': only its URL")), "{out}");
    let warnings = lines("warning", &out);
    assert!(warnings.len() == 2 && warnings[0].starts_with("shop': version 2"), "{out}");
}
