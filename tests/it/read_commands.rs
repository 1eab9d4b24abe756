//! `window`, `lead`, `rebuild` and `token`, as an operator runs them: over a real file, beside a daemon or not.

use crate::command::{Ended, Place};
use crate::support::desk::{OURS, Told, grant, noon, open, tell};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use wabridge::web::api::token::Scope;

const CONFIG: &str = r#"
[store]
url = "sqlite:{folder}/wabridge.db"
[[channel]]
name = "main"
provider = "meta"
app_secrets = ["env:NOWHERE"]
business_numbers = { "1" = "+918047000000" }
"#;
const HOUR: i64 = 3600;
const A: &str = "919876543210";

/// A place with a store in which this happened; no daemon runs.
async fn after(told: impl IntoIterator<Item = Told>) -> Place {
    let place = Place::new(CONFIG);
    let store = open(&place.path("wabridge.db"));
    tell(&store, told).await;
    place
}

fn json_of(ended: &Ended) -> Value {
    assert_eq!(ended.code, 0, "{ended:?}");
    serde_json::from_str(&ended.out).unwrap()
}

#[actix_web::test]
async fn the_verdict_is_one_line_a_rep_understands_and_needs_no_secret() {
    let place = after([Told::text("m1", -HOUR).by(A)]).await;
    let at = noon(0).to_string();
    let ended = place.run(&["window", "98765 43210", "--at", &at]);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(
        ended.out,
        "You may write freely to +919876543210 until 16:28 on 23 Nov 2026 (Asia/Kolkata), 22 h 58 min left: \
         their last text to +918047000000 was at 16:30 on 22 Nov 2026.\n"
    );
    let ended = place.run(&["window", "98765 43211", "--business", OURS, "--at", &at]);
    let line = "Templates only to +919876543211 from +918047000000: they never wrote to this number.\n";
    assert_eq!((ended.code, ended.out.as_str()), (0, line), "somebody unknown is an answer");
}

#[actix_web::test]
async fn as_json_the_commands_print_what_the_api_answers() {
    let place = after([Told::text("m1", -HOUR).by(A).named("A Customer")]).await;
    let at = noon(0).to_string();
    let lead = json_of(&place.run(&["lead", "+919876543210", "--json"]));
    assert_eq!(lead["name"], "A Customer");
    let id = lead["id"].as_str().unwrap();
    let each = json_of(&place.run(&["window", id, "--json", "--at", &at]));
    assert_eq!(each["items"][0]["reason"], "customer_wrote");
    let one = json_of(&place.run(&["window", A, "--json", "--business", OURS, "--at", &at]));
    assert_eq!(one["lead_id"], lead["id"]);
    assert_eq!(one["reason"], "customer_wrote");
}

#[actix_web::test]
async fn a_lead_is_shown_with_everything_that_is_known() {
    let created = json!({
        "event_id": "e1", "event_type": "lead.created", "bot_id": "bot", "visitor": {"company": "Acme"},
        "context": {"utm_source": "google"}, "consent": {"purpose": "crm", "text_version": "v2"},
    });
    let told = [
        Told::chatbot(created, -2 * HOUR).by(A).named("A Customer"),
        Told::from_ad("m1", -HOUR, "click1").by(A).with_bsuid("IN.abc"),
    ];
    let place = after(told).await;
    let Ended { code, out, .. } = place.run(&["lead", "IN.abc"]);
    assert_eq!(code, 0);
    for part in [
        "A Customer\n",
        "phone        +919876543210",
        "company      Acme",
        "utm          {\"source\":\"google\"}",
        "Identities\n",
        "bsuid        IN.abc (since 16:30 on 22 Nov 2026)",
        "Windows ",
        "+918047000000 ",
        "Attribution: complete\n",
        "120210000000000001 · Ask us on WhatsApp · click1",
        "Consent\n  crm          given at 15:30 on 22 Nov 2026, notice v2",
        "Timeline ",
        "text m1",
        "Times are in Asia/Kolkata.",
    ] {
        assert!(out.contains(part), "{part}\n{out}");
    }
}

#[actix_web::test]
async fn a_lead_that_cannot_be_told_exits_65_and_is_not_repeated() {
    let told = [
        Told::text("e", -HOUR).by("919876543297").with_email("office@example.in"),
        Told::text("f", -HOUR).by("919876543296").with_email("office@example.in"),
    ];
    let place = after(told).await;
    for command in ["window", "lead"] {
        let unreadable = place.run(&[command, "98765x-4321"]);
        assert_eq!(unreadable.code, 65, "{unreadable:?}");
        assert!(!unreadable.err.contains("98765x"), "{unreadable:?}");
        let several = place.run(&[command, "office@example.in"]);
        assert_eq!(several.code, 65);
        assert!(several.err.contains("2 leads"), "{several:?}");
    }
    assert_eq!(place.run(&["lead", "9876543219"]).code, 65);
    assert_eq!(place.run(&["window", "9876543219"]).code, 0);
    assert_eq!(place.run(&["window", "9876543219", "--at", "noon"]).code, 65);
    assert_eq!(place.run(&["window", "9876543219", "--business", "x"]).code, 65);
}

#[actix_web::test]
async fn a_store_that_is_not_there_exits_69_and_is_not_made() {
    let place = Place::new(CONFIG);
    for command in [
        ["window", A].as_slice(),
        &["lead", A],
        &["rebuild"],
        &["rebuild", "--yes"],
        &["rebuild", "--verify"],
        &["token", "list"],
        &["token", "revoke", "x"],
    ] {
        let ended = place.run(command);
        assert_eq!(ended.code, 69, "{command:?}: {ended:?}");
        assert!(
            !place.path("wabridge.db").exists() && !place.path("wabridge.db.lock").exists(),
            "{command:?}"
        );
    }
}

#[actix_web::test]
async fn a_store_of_a_newer_version_exits_78_and_is_not_touched() {
    let place = after([Told::text("m1", -HOUR).by(A)]).await;
    let newer = "UPDATE meta SET value = 99 WHERE name IN ('schema_version', 'min_reader_version')";
    rusqlite::Connection::open(place.path("wabridge.db")).unwrap().execute(newer, []).unwrap();
    for command in [
        ["window", A].as_slice(),
        &["lead", A],
        &["rebuild"],
        &["rebuild", "--yes"],
        &["rebuild", "--verify"],
        &["token", "list"],
        &["token", "create", "--name", "rep", "--scope", "admin"],
    ] {
        let ended = place.run(command);
        assert_eq!(ended.code, 78, "{command:?}: {ended:?}");
        assert!(ended.err.contains("newer"), "{ended:?}");
    }
}

#[actix_web::test]
async fn a_rebuild_compares_and_mends_and_says_first_what_it_would_do() {
    let told = [
        Told::from_ad("m1", -3 * HOUR, "click1").by(A),
        Told::text("m2", -2 * HOUR).with_bsuid("IN.abc"),
        Told::text("m3", -HOUR).by(A).with_bsuid("IN.abc"),
        Told::text("m4", -HOUR).by("919876543211"),
    ];
    let place = after(told).await;
    let lead = json_of(&place.run(&["lead", "IN.abc", "--json"]));
    let agreed = place.run(&["rebuild", "--verify"]);
    assert_eq!(agreed.code, 0, "{agreed:?}");
    assert!(agreed.out.contains("4 events folded into 2 people: no difference"), "{agreed:?}");

    let planted = "UPDATE clusters SET state = replace(state, '\"text\"', '\"image\"')";
    rusqlite::Connection::open(place.path("wabridge.db")).unwrap().execute(planted, []).unwrap();
    let differs = place.run(&["rebuild", "--verify"]);
    assert_eq!(differs.code, 1, "{differs:?}");
    assert!(differs.out.contains("2 differ"), "{differs:?}");

    let preview = place.run(&["rebuild"]);
    assert_eq!(preview.code, 0);
    assert!(
        preview.out.contains("2 people anew from 4 events") && preview.out.contains("--yes"),
        "{preview:?}"
    );
    assert_eq!(place.run(&["rebuild", "--verify"]).code, 1, "a preview changes nothing");

    let done = place.run(&["rebuild", "--yes"]);
    assert_eq!((done.code, done.out.as_str()), (0, "4 events folded into 2 people.\n"));
    assert_eq!(place.run(&["rebuild", "--verify"]).code, 0);
    assert_eq!(json_of(&place.run(&["lead", "IN.abc", "--json"])), lead, "ids and all else are the same");
    let left: Vec<_> = std::fs::read_dir(place.path("")).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains("verify")), "{left:?}");
}

#[actix_web::test]
async fn beside_a_daemon_that_cannot_be_asked_a_rebuild_exits_75_and_everything_else_answers() {
    let place = Place::new(CONFIG);
    let store = open(&place.path("wabridge.db"));
    tell(&store, [Told::text("m1", -HOUR).by(A)]).await;
    let ended = place.run(&["rebuild", "--yes"]);
    assert_eq!(ended.code, 75, "{ended:?}");
    assert!(ended.err.contains("stop the daemon"), "{ended:?}");
    for command in
        [["rebuild"].as_slice(), &["rebuild", "--verify"], &["lead", A], &["window", A], &["token", "list"]]
    {
        let ended = place.run(command);
        assert_eq!(ended.code, 0, "{command:?}: {ended:?}");
    }
    drop(store);
}

#[actix_web::test]
async fn a_token_is_shown_once_listed_without_its_secret_and_revoked_at_once() {
    let place = Place::new(CONFIG);
    let made =
        place.run(&["token", "create", "--name", "rep", "--scope", "lead:read", "--scope", "job:read"]);
    assert_eq!(made.code, 0, "{made:?}");
    let token = made.out.trim_end();
    assert!(token.starts_with("wab_") && token.len() == 53, "{token}");
    let mode = std::fs::metadata(place.path("wabridge.db")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "the store it made is nobody else's");
    let raw = std::fs::read(place.path("wabridge.db")).unwrap();
    assert!(!raw.windows(token.len()).any(|window| window == token.as_bytes()), "only its hash is kept");
    // A daemon that starts now finds it, and a command beside the daemon takes it away.
    let store = open(&place.path("wabridge.db"));
    grant(&store, "other", &[Scope::Admin]);
    let listed = place.run(&["token", "list"]);
    assert!(listed.out.contains("rep ") && listed.out.contains("lead:read job:read"), "{listed:?}");
    assert!(!listed.out.contains("wab_"));
    let hash = wabridge::web::api::token::hash(&secrecy::SecretString::from(token)).unwrap();
    assert!(wabridge::store::Tokens::token(&store, hash).unwrap().is_some());
    assert_eq!(place.run(&["token", "revoke", "rep"]).code, 0);
    assert!(wabridge::store::Tokens::token(&store, hash).unwrap().is_none());
    assert!(place.run(&["token", "list"]).out.contains("revoked at"));
    assert_eq!(place.run(&["token", "revoke", "rep"]).code, 65, "it is revoked already");
    let again = place.run(&["token", "create", "--name", "rep", "--scope", "admin"]);
    assert_eq!(again.code, 65, "{again:?}");
    let wrong = place.run(&["token", "create", "--name", "new", "--scope", "lead:raed"]);
    assert_eq!(wrong.code, 64);
    assert!(wrong.err.contains("did you mean 'lead:read'?"), "{wrong:?}");
    assert_eq!(place.run(&["token", "create", "--name", "new"]).code, 64);
}
