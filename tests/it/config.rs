//! A wrong configuration is refused with file, line, key and way out; a right one is read as written.

use std::path::Path;
use wabridge::config::{Channel, Channels, Config, ConfigErrors, SecretReference, Store};
use wabridge_model::Country;
use wabridge_providers::{SampleId, registry};

const META: &str = "[[channel]]\nname = \"main\"\nprovider = \"meta\"\napp_secrets = [\"env:META\"]\n";

/// Each mistake, and what its one line must say after `wabridge.toml:`.
const MISTAKES: &[(&str, &str)] = &[
    // Unknown keys
    ("[server]\nlisen = \"127.0.0.1:1\"", "2: unknown key 'lisen' in [server]; did you mean 'listen'?"),
    (
        "[server]\ncolour = 1",
        "2: unknown key 'colour' in [server]; it knows listen, admin_listen, public_url",
    ),
    ("[sever]\nlisten = \"127.0.0.1:1\"", "1: unknown key 'sever' in the file; did you mean 'server'?"),
    ("[store]\nurI = \"sqlite:/a\"", "2: unknown key 'urI' in [store]; did you mean 'url'?"),
    ("[region]\ntimezon = \"UTC\"", "2: unknown key 'timezon' in [region]; did you mean 'timezone'?"),
    ("[window]\nmargin = 3", "2: unknown key 'margin' in [window]; did you mean 'margin_seconds'?"),
    ("[consent]\nrequire = true", "2: unknown key 'require' in [consent]; did you mean 'required'?"),
    (
        "{meta}app_secret = []",
        "5: unknown key 'app_secret' in [[channel]] 'main'; did you mean 'app_secrets'?",
    ),
    (
        "{meta}sample_ids = [{ entry = \"0\", phone_number = \"1\", phone_number_id = \"1\" }]",
        "5: unknown key 'phone_number' in sample_ids of [[channel]] 'main'; did you mean 'phone_number_id'?",
    ),
    (
        "[[link]]\ncode = \"IGBIO\"\nutm_sorce = \"instagram\"",
        "3: unknown key 'utm_sorce' in [[link]] 'IGBIO'; did you mean 'utm_source'?",
    ),
    // Links
    ("[[link]]\nutm_source = \"instagram\"", "1: [[link]] has no 'code'; add code = \"IGBIO\""),
    (
        "[[link]]\ncode = \"IG BIO\"",
        "2: 'code' of [[link]] 'IG BIO' must be one word: write letters and digits",
    ),
    ("[[link]]\ncode = \"IGBIO-\"", "2: 'code' of [[link]] 'IGBIO-' must be one word"),
    ("[[link]]\ncode = \"\"", "2: 'code' of [[link]] '' must be one word"),
    ("[[link]]\ncode = \"IGB\"", "2: 'code' of [[link]] 'IGB' would be found in other texts"),
    (
        "[[link]]\ncode = \"IGBIO\"\n[[link]]\ncode = \"igbio\"",
        "4: 'code' of [[link]] 'igbio' is taken by a link above (case does not count)",
    ),
    (
        "[[link]]\ncode = \"IGBIO\"\nutm_medium = \" \"",
        "3: 'utm_medium' in [[link]] 'IGBIO' is empty; write its value or remove it",
    ),
    ("link = 1", "1: 'link' in the file must be tables, each headed by [[...]]"),
    // Keys of a later version
    ("[retention]\ndays = 1", "1: retention is not in this version; remove it from the file"),
    ("[server]\napp_url = \"/a\"", "2: app_url is not in this version; remove it from [server]"),
    ("[server]\ncontrol_socket = \"a\"", "2: 'control_socket' in [server] is not an absolute path"),
    ("[alerts]\nurl = \"tok-en\"", "2: 'url' in [alerts] is not a URL; write it as \"https://"),
    ("[alerts]\nheartbeat_url = \"file:/a\"", "2: 'heartbeat_url' in [alerts] is not a URL"),
    ("[alerts]\nrepeat_hours = 0", "2: 'repeat_hours' in [alerts] must be a whole number from 1 to 168"),
    (
        "[enrichment]\nurl = \"https://a.in\"\nrefresh_hours = 0",
        "3: 'refresh_hours' in [enrichment] must be a whole number from 1 to 8760",
    ),
    (
        "[enrichment]\nurl = \"http://hooks.example.in\"",
        "2: 'url' in [enrichment] must begin with https:// (http:// only for this machine)",
    ),
    ("[summary]\nmodel = \"a\"", "1: [summary] has no 'url'; add url = \"https://api.example.in/v1\""),
    (
        "[summary]\nurl = \"http://api.example.in\"\nmodel = \"a\"",
        "2: 'url' in [summary] must begin with https:// (http:// only for this machine)",
    ),
    (
        "[summary]\nurl = \"https://a.in\"\nmodel = \"a\"\napi_kee = \"env:A\"",
        "4: unknown key 'api_kee' in [summary]; did you mean 'api_key'?",
    ),
    (
        "[summary]\nurl = \"https://a.in\"\nmodel = \"a\"\ntimeout_seconds = 60",
        "4: 'timeout_seconds' in [summary] must be a whole number from 1 to 20",
    ),
    ("{meta}inbox_url = \"https://a\"", "5: inbox_url is not in this version"),
    // Forms and types
    ("[server\nlisten = 1", "1: not TOML here: "),
    ("[server]\nlisten = \"[::1]:1\"\nlisten = \"[::1]:2\"", "3: not TOML here: duplicate key"),
    ("[server]\nlisten = 8080", "2: 'listen' in [server] must be a text in quotes; found integer"),
    ("server = 1", "1: 'server' in the file must be a table; found integer"),
    ("[channel]\nname = \"main\"", "1: 'channel' in the file must be tables, each headed by [[...]]"),
    ("[consent]\nrequired = \"yes\"", "2: 'required' in [consent] must be true or false; found string"),
    (
        "{meta}business_numbers = \"+918047000000\"",
        "5: 'business_numbers' in [[channel]] 'main' must be a table such as {",
    ),
    (
        "[window]\nmargin_seconds = -1",
        "2: 'margin_seconds' in [window] must be a whole number from 0 to 86399",
    ),
    (
        "[window]\nmargin_seconds = 86400",
        "2: 'margin_seconds' in [window] must be a whole number from 0 to 86399",
    ),
    (
        "[server]\nmax_connections = 0",
        "2: 'max_connections' in [server] must be a whole number from 1 to 1000000",
    ),
    // Meaning
    (
        "[server]\nlisten = \"localhost\"",
        "2: 'listen' in [server] is not an address and a port: 'localhost'; write it as",
    ),
    (
        "[server]\nadmin_listen = \"127.0.0.1:8080\"",
        "1: 'admin_listen' in [server] is the same as 'listen'; give it",
    ),
    (
        "[server]\npublic_url = \"hooks.example.in\"",
        "2: 'public_url' in [server] is not a URL; write it as \"https://",
    ),
    ("[server]\npublic_url = \"ftp://a\"", "2: 'public_url' in [server] must begin with https://; write"),
    (
        "[server]\npublic_url = \"https://a:b@c\"",
        "2: 'public_url' in [server] must not hold a user or a password; write",
    ),
    (
        "[server]\npublic_url = \"https://a/?b\"",
        "2: 'public_url' in [server] must end before any '?' or '#'; write",
    ),
    ("[server]\npublic_url = \" https://a\"", "2: 'public_url' in [server] must not hold blanks; write"),
    (
        "[server]\nunknown_numbers = \"no\"",
        "2: 'unknown_numbers' in [server] cannot be 'no'; write \"accept\" or \"hold\"",
    ),
    (
        "[store]\nurl = \"postgres://u:p@h/d\"",
        "2: 'url' in [store]: a password is never in the configuration: name where it is, password = \"credential:",
    ),
    ("[store]\nurl = \"postgres://u@h\"", "2: 'url' in [store]: it names no database; write url ="),
    (
        "[store]\nurl = \"postgres://u@h:x/d\"",
        "2: 'url' in [store]: it is no address of a PostgreSQL database",
    ),
    (
        "[store]\nurl = \"postgres://u@h/d\"\nschema = \"Brand A\"",
        "3: 'schema' in [store] is a name of small letters, digits and _, at most 63; write schema = \"brand_a\"",
    ),
    (
        "[store]\nurl = \"postgres://u@h/d\"\nfolder = \"var\"",
        "3: 'folder' in [store] must be an absolute path; write folder = \"/var/lib/wabridge\"",
    ),
    ("[store]\nurl = \"postgres://u@h/d\"\npassword = \"secret\"", "3: 'password' in [store]"),
    (
        "[store]\nurl = \"sqlite:/a/b.db\"\npassword = \"env:PASSWORD\"",
        "1: 'password' in [store] is for a postgres:// url alone; leave it out",
    ),
    (
        "[store]\nurl = \"wabridge.db\"",
        "2: 'url' in [store]: it must begin with sqlite:/ or postgres://; write url =",
    ),
    ("[store]\nurl = \"sqlite:wabridge.db\"", "2: 'url' in [store]: the path must be absolute"),
    (
        "[region]\ndefault_country = \"India\"",
        "2: 'default_country' in [region] is not a country: 'India'; write its two",
    ),
    (
        "[region]\ntimezone = \"Asia/Kolkatta\"",
        "2: 'timezone' in [region] is unknown: 'Asia/Kolkatta'; did you mean 'Asia/Kolkata'?",
    ),
    // Channels
    (
        "[[channel]]\nprovider = \"meta\"\napp_secrets = [\"env:A\"]",
        "1: [[channel]] has no 'name'; add name = \"main\"",
    ),
    ("[[channel]]\nname = \"main\"", "1: [[channel]] 'main' has no 'provider'; add provider = \"meta\""),
    (
        "[[channel]]\nname = \"main\"\nprovider = \"mata\"",
        "3: unknown provider 'mata' in [[channel]] 'main'; did you mean 'meta'?",
    ),
    (
        "[[channel]]\nname = \"main\"\nprovider = \"infobip\"",
        "3: unknown provider 'infobip' in [[channel]] 'main'; this version knows meta",
    ),
    (
        "[[channel]]\nname = \"Main\"\nprovider = \"meta\"\napp_secrets = [\"env:A\"]",
        "2: 'name' of [[channel]] 'Main' is part of a URL: write 1 to 64",
    ),
    ("{meta}{meta}", "6: 'name' of [[channel]] 'main' is taken by a channel above; give this one another"),
    (
        "[[channel]]\nname = \"main\"\nprovider = \"meta\"",
        "1: [[channel]] 'main' has no proof: anybody could post to it; add app_secrets = ",
    ),
    (
        "[[channel]]\nname = \"main\"\nprovider = \"meta\"\napp_secrets = []",
        "1: [[channel]] 'main' has no proof: anybody could post to it; add app_secrets",
    ),
    (
        "[[channel]]\nname = \"bot\"\nprovider = \"chatbot\"",
        "1: [[channel]] 'bot' has no proof: anybody could post to it; add secrets = ",
    ),
    (
        "[[channel]]\nname = \"t\"\nprovider = \"twilio\"\nauth_tokens = [\"env:A\"]",
        "1: [[channel]] 't' needs 'public_url' in [server]: its provider signs the URL; add public_url",
    ),
    (
        "{meta}auth_tokens = [\"env:A\"]",
        "1: 'auth_tokens' in [[channel]] 'main' is not a word of meta; write app_secrets = ",
    ),
    (
        "[[channel]]\nname = \"bot\"\nprovider = \"chatbot\"\nsecrets = [\"env:A\"]\nverify_token = \"env:B\"",
        "5: 'verify_token' in [[channel]] 'bot' is not a word of chatbot; remove it",
    ),
    (
        "{meta}business_number = \"918047000000\"",
        "5: 'business_number' in [[channel]] 'main' is not a phone number in E.164 form: '918047000000'; write +",
    ),
    (
        "{meta}business_numbers = { \"106\" = \"+0\" }",
        "5: 'business_numbers.106' in [[channel]] 'main' is not a phone number in E.164 form",
    ),
    (
        "{meta}header = { name = \"X-A\", value = \"env:A\" }",
        "5: 'header' in [[channel]] 'main' is not a word of meta, which signs its requests; remove it",
    ),
    (
        "{meta}path_token = \"my-own-token\"",
        "5: 'path_token' in [[channel]] 'main' is not a reference; secrets do not belong in this file",
    ),
    (
        "{meta}allowed_ips = [\"203.0.113.0/24\"]",
        "5: 'allowed_ips' in [[channel]] 'main' holds no address: '203.0.113.0/24'; write",
    ),
    (
        "{meta}role = \"backup\"",
        "5: 'role' in [[channel]] 'main' cannot be 'backup'; write \"primary\" or \"secondary\"",
    ),
    ("{meta}portfolio = \"\"", "5: 'portfolio' in [[channel]] 'main' is empty; name it or remove it"),
    (
        "{meta}sample_ids = [{ entry = \"0\" }]",
        "5: sample_ids of [[channel]] 'main' has no 'phone_number_id'; add phone_number_id = ",
    ),
    // Secrets
    (
        "{meta}verify_token = \"credential:../a\"",
        "5: 'verify_token' in [[channel]] 'main' names no credential; write credential:name",
    ),
    (
        "[[channel]]\nname = \"main\"\nprovider = \"meta\"\napp_secrets = \"env:A\"",
        "4: 'app_secrets' in [[channel]] 'main' must be a list of texts: [\"...\"]; found string",
    ),
];

fn parse(toml: &str) -> Result<Config, ConfigErrors> {
    Config::parse(&toml.replace("{meta}", META), Path::new("wabridge.toml"))
}

#[test]
fn each_mistake_is_named_with_its_line_its_key_and_the_way_out() {
    for (toml, expected) in MISTAKES {
        let errors = parse(toml).expect_err(toml).to_string();
        let found = errors.lines().any(|line| line.starts_with(&format!("wabridge.toml:{expected}")));
        assert!(found, "{toml}\n  says     {errors}\n  and not  wabridge.toml:{expected}");
    }
}

#[test]
fn a_mistake_is_reported_alone_where_nothing_else_is_wrong() {
    // These hide others on purpose or by their nature: broken TOML, a name taken twice.
    let crowded =
        |toml: &str| toml.starts_with("[server\n") || toml.starts_with("[channel]") || toml.contains("wati");
    for (toml, _) in MISTAKES.iter().filter(|(toml, _)| !crowded(toml)) {
        let errors = parse(toml).expect_err(toml);
        assert_eq!(errors.problems().len(), 1, "{toml}\n{errors}");
    }
}

#[test]
fn every_mistake_of_a_file_is_reported_at_once_in_the_order_of_its_lines() {
    let errors = parse(
        "[server]\nlisen = \"a\"\nlisten = \"b\"\n[store]\nurl = \"postgres://h\"\n[[channel]]\nname = \"A\"\n\
         provider = \"mata\"\napp_secrets = [\"hunter2\"]\ncolour = 1\n[[target]]\nname = \"x\"\ncrm = \"hubspot\"\n",
    );
    let lines: Vec<_> = errors.unwrap_err().problems().iter().map(|problem| problem.line.unwrap()).collect();
    assert_eq!(lines, [2, 3, 5, 7, 8, 9, 10, 11]);
}

#[test]
fn a_literal_secret_is_refused_without_being_repeated() {
    for key in ["app_secrets = [\"hunter2\"]", "app_secrets = [\"env:META\"]\nverify_token = \"hunter2\""] {
        let toml = format!("[[channel]]\nname = \"main\"\nprovider = \"meta\"\n{key}");
        let errors = parse(&toml).unwrap_err().to_string();
        assert!(
            errors.contains(
                "secrets do not belong in this file: write env:NAME, file:/path or credential:name"
            )
        );
        assert!(!errors.contains("hunter2"), "{errors}");
    }
}

#[test]
fn a_line_that_is_not_toml_is_not_repeated_since_it_may_hold_a_secret() {
    let errors = parse("[[channel]]\napp_secrets = [hunter2]").unwrap_err().to_string();
    assert!(!errors.contains("hunter2"), "{errors}");
}

#[test]
fn a_missing_file_names_the_option_that_chooses_another() {
    let errors = Config::load("/nowhere/wabridge.toml").unwrap_err();
    assert_eq!(
        errors.to_string(),
        "/nowhere/wabridge.toml: there is no such file; name yours with --config or WABRIDGE_CONFIG"
    );
}

#[test]
fn an_empty_file_means_the_defaults() {
    let config = parse("").unwrap();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.server.max_connections, 4096);
    assert_eq!(config.store, Store::new("/var/lib/wabridge/wabridge.db"));
    assert_eq!(config.region.default_country, Country::INDIA);
    assert_eq!(config.region.timezone.iana_name(), Some("Asia/Kolkata"));
    assert_eq!(config.window.margin_seconds, 120);
    assert!(!config.window.reactions_extend && !config.consent.required);
    assert_eq!(config.warnings(), ["no [[channel]]: no webhook can arrive; add one"]);
}

#[test]
fn a_full_file_is_read_as_written() {
    let config = parse(FULL).unwrap();
    assert_eq!(config.server.admin_listen.unwrap().to_string(), "127.0.0.1:9090");
    assert_eq!(config.server.max_connections, 512);
    assert_eq!(config.region.default_country, Country::new("BR").unwrap());
    assert_eq!(config.store, Store::new("/srv/wabridge.db"));
    assert_eq!(config.window.margin_seconds, 3600);
    assert!(config.window.reactions_extend && config.consent.required);
    assert_eq!(config.warnings(), Vec::<String>::new());

    let account = config.channel("main").unwrap().account(&config.server, &config.region);
    assert_eq!(account.portfolio, "brand");
    assert_eq!(account.business_numbers["106540352242922"].e164(), "+918047000000");
    assert_eq!(account.business_number.unwrap().e164(), "+15550001111");
    assert_eq!(account.sample_ids, [SampleId { entry: "7".into(), phone_number_id: "8".into() }]);
    assert_eq!(account.public_url.as_deref(), Some("https://hooks.example.in/wa/hooks/main"));
    assert_eq!(account.default_country, Country::new("BR").unwrap());
    assert!(account.secrets.signing.is_empty(), "reading a configuration resolves no secret");
}

const FULL: &str = r#"
[server]
listen = "0.0.0.0:8080"
admin_listen = "127.0.0.1:9090"
public_url = "https://hooks.example.in/wa/"
max_connections = 512
unknown_numbers = "accept"
[store]
url = "sqlite:/srv/wabridge.db"
[region]
default_country = "BR"
timezone = "America/Sao_Paulo"
[window]
margin_seconds = 3_600
reactions_extend = true
[consent]
required = true
[[channel]]
name = "main"
provider = "meta"
portfolio = "brand"
app_secrets = ["env:META_APP_SECRET", "file:/run/secrets/meta_old"]
verify_token = "credential:meta_verify"
business_numbers = { "106540352242922" = "+918047000000" }
business_number = "+15550001111"
sample_ids = [{ entry = "7", phone_number_id = "8" }]
[[channel]]
name = "sms"
provider = "twilio"
auth_tokens = ["env:TWILIO"]
business_numbers = { "whatsapp:+14155238886" = "+14155238886" }
[[channel]]
name = "site-bot_2"
provider = "chatbot"
secrets = ["env:BOT"]
"#;

#[test]
fn the_dashboard_test_of_meta_is_known_unless_the_list_says_otherwise() {
    let samples = |more: &str| parse(&format!("{META}{more}")).unwrap().channels.remove(0).sample_ids;
    assert_eq!(samples(""), [SampleId { entry: "0".into(), phone_number_id: "123456123".into() }]);
    assert_eq!(samples("sample_ids = []"), []);
}

#[test]
fn a_meta_channel_without_verify_token_is_allowed_and_pointed_out() {
    let warnings = parse(META).unwrap().warnings();
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].contains("'main' has no verify_token"), "{warnings:?}");
    assert!(warnings[0].contains("add verify_token = "), "{warnings:?}");
}

fn held(secret: &str) -> SecretReference {
    SecretReference::Held(secret.into())
}

fn channel(slug: &str, secrets: &[&str]) -> Channel {
    let mut channel = Channel::new(slug, registry::find(slug).unwrap());
    channel.signing = secrets.iter().map(|secret| held(secret)).collect();
    channel
}

#[test]
fn a_configuration_can_be_built_without_a_file() {
    let mut config = Config::new("/tmp/demo.db");
    config.channels = vec![
        channel("meta", &["one", "two"]),
        channel("chatbot", &["whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"]),
    ];
    let channels = Channels::with_secrets(&config).unwrap();
    assert_eq!(channels.len(), 2);
    assert_eq!(channels.get("meta").unwrap().account.secrets.signing.len(), 2);
    assert!(channels.get("twilio").is_none());
    let reader = Channels::without_secrets(&config);
    assert!(reader.iter().all(|(_, endpoint)| endpoint.account.secrets.signing.is_empty()));
}

#[test]
fn every_secret_that_is_missing_is_named_with_channel_key_and_way_out() {
    let mut config = Config::new("/tmp/demo.db");
    let mut main = channel("meta", &["one"]);
    main.signing.push(SecretReference::parse("env:WABRIDGE_TEST_UNSET").unwrap());
    main.verify_token = Some(SecretReference::parse("file:/nowhere/token").unwrap());
    config.channels = vec![main, channel("chatbot", &["c2VjcmV0"])];
    let errors = Channels::with_secrets(&config).unwrap_err().to_string();
    let lines: Vec<_> = errors.lines().collect();
    assert_eq!(lines.len(), 3, "{errors}");
    assert!(
        lines[0].starts_with("channel 'meta': app_secrets[1] (env:WABRIDGE_TEST_UNSET) is not set; set it")
    );
    assert!(lines[1].starts_with("channel 'meta': verify_token (file:/nowhere/token) cannot be read"));
    assert!(lines[2].starts_with("channel 'chatbot': secrets[0] (held by the program) "), "{errors}");
    assert!(lines[2].contains("whsec_") && !lines[2].contains("c2VjcmV0"), "{errors}");
}

#[test]
fn a_configuration_shows_no_secret_when_it_is_printed_for_debugging() {
    let mut config = Config::new("/tmp/demo.db");
    config.channels = vec![channel("meta", &["hunter2"])];
    let channels = Channels::with_secrets(&config).unwrap();
    assert!(!format!("{config:?} {channels:?} {:?}", held("hunter2")).contains("hunter2"));
}

#[test]
fn a_mapping_that_nobody_is_asked_for_is_warned_of() {
    let target = "[[target]]\nname = \"crm\"\ncrm = \"zoho\"\nauth = { token = \"env:A\" }\n\
                  [target.fields]\nTier = \"enrichment.tier\"\n";
    let warned = |text: &str| {
        let warnings = Config::parse(text, "wabridge.toml").unwrap().warnings();
        warnings.iter().filter(|warning| warning.contains("enrichment")).cloned().collect::<Vec<_>>()
    };
    let expected = "target 'crm' maps enrichment.<key> and nobody is asked; add [enrichment]";
    assert_eq!(warned(target), [expected]);
    assert!(warned(&format!("{target}[enrichment]\nurl = \"https://hooks.example.in/x\"\n")).is_empty());
}

#[test]
fn targets_of_one_account_share_the_least_of_what_is_said_of_its_limits() {
    let target = |name: &str, token: &str, quota: &str| {
        format!(
            "[[target]]\nname = \"{name}\"\ncrm = \"hubspot\"\nauth = {{ token = \"env:{token}\" }}\n{quota}"
        )
    };
    let quota = |daily: u32| format!("[target.quota]\ndaily = {daily}\n");
    let text = [
        target("a", "ONE", &quota(20_000)),
        target("b", "ONE", ""),
        target("c", "ONE", &quota(9_000)),
        target("d", "TWO", ""),
    ];
    let config = Config::parse(&text.concat(), "wabridge.toml").unwrap();
    let daily = |name: &str| config.target(name).unwrap().quota.get("daily").copied();
    assert_eq!(["a", "b", "c", "d"].map(daily), [Some(9_000), Some(9_000), Some(9_000), None]);
}
