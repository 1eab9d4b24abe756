//! `wabridge init`: whatever it writes passes `check`, explains every key, and overwrites nothing.

use crate::command::{Ended, Place, ended, wabridge};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use wabridge::config::Config;
use wabridge_crms::registry::CRMS;
use wabridge_providers::registry::PROVIDERS;

const URL: &str = "https://hooks.example.in";

fn run(folder: &Path, arguments: &[&str]) -> Ended {
    let mut command = wabridge(folder);
    command.args(arguments);
    ended(command, b"")
}

#[test]
fn what_is_written_passes_the_check_for_every_provider_and_says_what_comes_next() {
    for provider in PROVIDERS {
        let slug = provider.about().slug;
        let folder = tempfile::tempdir().unwrap();
        let made =
            run(folder.path(), &["init", "--provider", slug, "--public-url", URL, "--dir", "made/here"]);
        assert_eq!(made.code, 0, "{slug}: {made:?}");
        let config = folder.path().join("made/here/wabridge.toml");
        assert!(made.out.contains("Next:") && made.out.contains("wabridge connect"), "{slug}: {made:?}");
        for file in fs::read_dir(config.parent().unwrap()).unwrap() {
            let file = file.unwrap();
            let mode = file.metadata().unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{slug}: {}", file.path().display());
            let name = file.file_name().into_string().unwrap();
            if name != "wabridge.toml" {
                let secret = fs::read_to_string(file.path()).unwrap();
                assert!(secret.trim().len() >= 32, "{slug}: {name}");
                assert!(made.out.contains(&name), "{slug} does not name {name}: {made:?}");
                assert!(!made.out.contains(secret.trim()), "{slug} shows {name}: {made:?}");
                assert!(!fs::read_to_string(&config).unwrap().contains(secret.trim()), "{slug}");
            }
        }
        let checked = run(folder.path(), &["check", "--config", config.to_str().unwrap()]);
        assert_eq!(checked.code, 0, "{slug}: {checked:?}");
        assert!(checked.out.ends_with("0 failed, 0 to look at\n"), "{slug}: {checked:?}");
    }
}

/// The keys that a table says it knows, by asking for one that nobody knows.
fn known(toml: &str) -> BTreeSet<String> {
    let errors = Config::parse(toml, "x").unwrap_err();
    let line = errors.lines().find(|line| line.contains("'zzzz'")).unwrap();
    let keys = line.split_once("it knows ").unwrap_or_else(|| panic!("{line}")).1;
    keys.split(", ").map(str::to_owned).collect()
}

/// The lines of a table in a text, with those that only stand behind a `#`.
fn keys_of(text: &str, table: &str) -> BTreeSet<String> {
    let bare = |line: &str| line.trim_start_matches("# ").to_owned();
    let mut lines = text.lines().map(bare).skip_while(|line| line != table);
    assert!(lines.next().is_some(), "no {table}");
    let lines = lines.take_while(|line| !line.starts_with('['));
    let key = |line: String| line.split_once(" = ").map(|(key, _)| key.to_owned());
    lines.filter_map(key).collect()
}

#[test]
fn every_table_and_key_that_this_version_reads_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    let mut channels = BTreeSet::new();
    let mut text = String::new();
    for provider in PROVIDERS {
        let slug = provider.about().slug;
        let made = run(folder.path(), &["init", "--provider", slug, "--public-url", URL, "--dir", slug]);
        assert_eq!(made.code, 0, "{made:?}");
        text = fs::read_to_string(folder.path().join(slug).join("wabridge.toml")).unwrap();
        channels.extend(keys_of(&text, "[[channel]]"));
    }
    let unknown = known("zzzz = 1");
    assert!(unknown.contains("server") && unknown.contains("channel"), "{unknown:?}");
    for table in unknown {
        let (head, explained) = match table.as_str() {
            "channel" => {
                let mut channels = channels.clone();
                // Explained to those alone who may write it.
                if !PROVIDERS.iter().any(|provider| provider.about().scheme.takes_shared_secret()) {
                    channels.insert("header".to_owned());
                }
                ("[[channel]]".to_owned(), channels)
            }
            "link" => ("[[link]]".to_owned(), keys_of(&text, "[[link]]")),
            "target" => {
                let mut explained = keys_of(&text, "[[target]]");
                for part in ["fields", "deal", "person_rule", "quota"] {
                    let head = format!("[target.{part}]");
                    let keys = keys_of(&text, &head);
                    assert!(!keys.is_empty(), "{head}");
                    if part != "fields" {
                        let known = known(&format!("[[target]]\ncrm = \"hubspot\"\n{head}\nzzzz = 1"));
                        assert!(known.is_subset(&keys), "{head} does not explain all of {known:?}");
                    }
                    explained.insert(part.to_owned());
                }
                ("[[target]]".to_owned(), explained)
            }
            _ => (format!("[{table}]"), keys_of(&text, &format!("[{table}]"))),
        };
        let missing: Vec<_> = known(&format!("{head}\nzzzz = 1")).difference(&explained).cloned().collect();
        assert!(missing.is_empty(), "{head} does not explain {missing:?}");
    }
}

#[test]
fn what_stands_behind_a_hash_is_what_could_be_written() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(run(folder.path(), &["init", "--dir", "."]).code, 0);
    let text = fs::read_to_string(folder.path().join("wabridge.toml")).unwrap();
    let is_key = |line: &str| {
        line.strip_prefix("# ").is_some_and(|rest| {
            rest.starts_with('[')
                || rest
                    .split_once(" = ")
                    .is_some_and(|(key, _)| key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
        })
    };
    // A store is in a file or on a server.
    let lines = text.lines().filter(|line| !line.starts_with("url = \"sqlite:"));
    let bare: Vec<&str> =
        lines.map(|line| if is_key(line) { line.trim_start_matches("# ") } else { line }).collect();
    assert_ne!(bare.join("\n"), text.trim_end());
    Config::parse(&bare.join("\n"), "wabridge.toml").unwrap();
    let unchanged = Config::parse(&text, "wabridge.toml").unwrap();
    assert_eq!(unchanged.server.listen.to_string(), "127.0.0.1:8080");
}

#[test]
fn a_crm_is_written_out_with_its_fields_and_passes_the_check() {
    for crm in CRMS {
        let slug = crm.about().slug;
        for url in [&["--public-url", URL][..], &[]] {
            let folder = tempfile::tempdir().unwrap();
            let made = run(folder.path(), &[&["init", "--crm", slug, "--dir", "."], url].concat());
            assert_eq!(made.code, 0, "{slug}: {made:?}");
            let logs_in = slug == "zoho";
            let kind = if logs_in { "secret" } else { "token" };
            assert!(made.out.contains(&format!("{slug}.{kind}: ")), "says what to put into it: {made:?}");
            assert_eq!(made.out.contains(&format!("wabridge login {slug}")), logs_in, "{made:?}");
            assert!(made.out.contains(&format!("wabridge target setup {slug}")), "{made:?}");
            let text = fs::read_to_string(folder.path().join("wabridge.toml")).unwrap();
            let config = Config::parse(&text, "wabridge.toml").unwrap();
            let target = config.target(slug).unwrap();
            assert_eq!((target.crm.about().slug, target.key_field.as_str()), (slug, "wa_e164"));
            target.resolve_secret().unwrap();
            let fields: BTreeSet<&str> = target.fields.iter().map(|it| it.field.as_str()).collect();
            assert_eq!(fields.len(), target.fields.len(), "one mapping for each field");
            for field in ["ctwa_clid", "free_text_until", "window_verdict", "consent_given_at"] {
                assert!(fields.contains(field), "{field}");
            }
            assert!(fields.iter().any(|field| field.eq_ignore_ascii_case("email")), "{fields:?}");
            assert_eq!(fields.contains("wa_lead_page"), !url.is_empty());
            // Every field that is written without being named is named in a comment.
            let shown = text.lines().find(|line| line.contains("Written beside these")).unwrap();
            let given = keys_of(&text, "[target.fields]");
            for field in fields.iter().filter(|field| !given.contains(**field)) {
                assert!(shown.contains(field), "{field} in {shown}");
            }
            let checked = run(folder.path(), &["check", "--config", "wabridge.toml"]);
            assert_eq!(checked.code, 0, "{slug}: {checked:?}");
            assert!(checked.out.contains(&format!("targets: {slug} ({slug}, live)")), "{checked:?}");
        }
    }
}

#[test]
fn nothing_is_overwritten_and_nothing_is_half_made() {
    let folder = tempfile::tempdir().unwrap();
    let init = ["init", "--dir", "."];
    assert_eq!(run(folder.path(), &init).code, 0);
    let config = folder.path().join("wabridge.toml");
    let before = fs::read_to_string(&config).unwrap();
    let again = run(folder.path(), &init);
    assert_eq!(again.code, 65, "{again:?}");
    assert!(again.err.contains("is there already"), "{again:?}");
    assert_eq!(fs::read_to_string(&config).unwrap(), before);
    fs::remove_file(&config).unwrap();
    let half = run(folder.path(), &init);
    assert_eq!(half.code, 65, "a secret of an earlier run is kept too: {half:?}");
    assert!(!config.exists());
}

#[test]
fn what_cannot_work_is_refused_with_the_way_out() {
    let place = Place::new("");
    for (arguments, expected) in [
        (&["init", "--provider", "twilio", "--dir", "t"][..], "--public-url https://"),
        (&["init", "--provider", "mета", "--dir", "t"][..], "there are meta, "),
        (&["init", "--provider", "chatbt", "--dir", "t"][..], "did you mean 'chatbot'?"),
        (&["init", "--crm", "hubsport", "--dir", "t"][..], "did you mean 'hubspot'?"),
        (&["init", "--public-url", "hooks.example.in", "--dir", "t"][..], "'public_url' in [server]"),
    ] {
        let refused = place.run(arguments);
        assert_eq!(refused.code, 64, "{refused:?}");
        assert!(refused.err.contains(expected), "{refused:?}");
        assert!(!place.path("t").exists());
    }
}

#[test]
fn without_a_folder_the_configuration_goes_where_the_option_says() {
    let folder = tempfile::tempdir().unwrap();
    let made = run(folder.path(), &["init", "--config", "etc/w.toml"]);
    assert_eq!(made.code, 0, "{made:?}");
    let text = fs::read_to_string(folder.path().join("etc/w.toml")).unwrap();
    assert!(text.contains("url = \"sqlite:/var/lib/wabridge/wabridge.db\""), "{text}");
    assert!(folder.path().join("etc/main.verify_token").exists());
    assert!(made.out.contains("set public_url"), "{made:?}");
}
