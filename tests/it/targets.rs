//! `[[target]]`: what may be written, every mistake with its line and way out, and the commands that read it.

use crate::command::{Ended, Place};
use jiff::SignedDuration;
use secrecy::ExposeSecret;
use serde_json::Value;
use std::fs;
use wabridge::config::target::{Activity, Mode, PersonRule};
use wabridge::config::{Config, ConfigErrors, Target};
use wabridge_crms::Datum;
use wabridge_crms::mapping::{Mapping, OnMissing, Owner, Source, WriteRule};

/// The first lines of every file here: a channel with one number, then a target.
const HEAD: &str = "[server]\npublic_url = \"https://hooks.example.in\"\n[[channel]]\nname = \"main\"\n\
                    provider = \"meta\"\napp_secrets = [\"env:A\"]\nbusiness_number = \"+918047000000\"\n";
const TARGET: &str =
    "[[target]]\nname = \"hubspot\"\ncrm = \"hubspot\"\nauth = { token = \"env:HUBSPOT_TOKEN\" }\n";

/// Reads a file in which `{head}` and `{target}` stand for the lines above: what follows is on line 12.
fn parse(toml: &str) -> Result<Config, ConfigErrors> {
    Config::parse(&toml.replace("{head}", HEAD).replace("{target}", TARGET), "wabridge.toml")
}

fn target(rest: &str) -> Target {
    let config = parse(&format!("{{head}}{{target}}{rest}"));
    config.unwrap_or_else(|errors| panic!("{rest}\n{errors}")).targets.remove(0)
}

fn field<'t>(target: &'t Target, name: &str) -> &'t Mapping {
    target.fields.iter().find(|mapping| mapping.field == name).unwrap_or_else(|| panic!("no field {name}"))
}

/// The example of the design, word for word.
const EXAMPLE: &str = r#"
[[target]]
name = "hubspot"
crm = "hubspot"
person = "contact"       # the object created for a new person
mode = "live"            # live | shadow (computes, records, writes nothing) | paused
rollout_percent = 100    # stable by lead, for a soft launch; the others are held
auth = { token = "env:HUBSPOT_TOKEN" }
key_field = "wa_e164"    # a unique field of ours in the CRM; created by `target setup`
channels = ["main"]
business_numbers = ["+918047000000"]
regions = ["IN"]
base_url = "http://127.0.0.1:9200"
[target.person_rule]
when = "any_message"
[target.fields]          # CRM field = our path, or a table
phone = { from = "phone", write = "if_empty" }
ctwa_clid = "attribution.last.ctwa_clid"
ad_id = "attribution.last.ad_id"
last_inbound_at = "window.last_inbound_at"
lastname = { from = "name.last", default = "WhatsApp lead" }
lead_source = { value = "WhatsApp" }
origin = { from = "source", values = { "whatsapp:main" = "WhatsApp Main" }, write = "if_empty", on_missing = "skip", owner = "bridge" }
[target.deal]
when = ["demo_request", "pricing_with_company_size", "competitor_evaluation"]
pipeline = "default"
stage = "appointmentscheduled"
close_after_days = 90
"#;

#[test]
fn the_example_of_the_design_is_read_as_it_says() {
    let target = parse(&format!("{{head}}{EXAMPLE}")).unwrap().targets.remove(0);
    assert_eq!((target.name.as_str(), target.person, target.mode), ("hubspot", "contact", Mode::Live));
    assert_eq!(target.crm.about().slug, "hubspot");
    assert_eq!(target.auth.reference().1.to_string(), "env:HUBSPOT_TOKEN");
    assert_eq!(target.base_url.as_deref(), Some("http://127.0.0.1:9200"));
    assert_eq!(target.channels, ["main"]);
    assert_eq!(target.business_numbers[0].e164(), "+918047000000");
    assert_eq!(target.regions[0].as_str(), "IN");
    assert_eq!(target.activity, Activity::Summary);
    let deal = target.deal.clone().unwrap();
    assert_eq!((deal.pipeline.as_str(), deal.stage.as_str()), ("default", "appointmentscheduled"));
    assert_eq!(deal.close_after, SignedDuration::from_hours(90 * 24));
    assert_eq!(deal.when.len(), 3);
    assert_eq!(field(&target, "phone").write, WriteRule::IfEmpty);
    assert_eq!(field(&target, "ad_id").path().unwrap().as_str(), "attribution.last.ad_id");
    let text = |text: &str| Datum::Text(text.to_owned());
    assert_eq!(field(&target, "lastname").default, Some(text("WhatsApp lead")));
    assert_eq!(field(&target, "lead_source").from, Source::Value(text("WhatsApp")));
    let origin = field(&target, "origin");
    assert_eq!(origin.values["whatsapp:main"], "WhatsApp Main");
    let rules = (origin.write, origin.on_missing, origin.owner);
    assert_eq!(rules, (WriteRule::IfEmpty, OnMissing::Skip, Owner::Bridge));
    // The five are written beside it: what is mapped is not mapped twice.
    assert_eq!(field(&target, "email").path().unwrap().as_str(), "email");
    assert_eq!(field(&target, "wa_utm_campaign").path().unwrap().as_str(), "utm.campaign");
    assert!(target.fields.iter().all(|mapping| mapping.field != "wa_source"), "source goes to 'origin'");
    let needs = target.needs();
    assert_eq!((needs.person, needs.key_field), ("contact", "wa_e164"));
    assert_eq!(needs.deal, Some(("default", "appointmentscheduled")));
}

#[test]
fn what_is_left_out_has_its_usual_value() {
    let target = target("");
    assert_eq!((target.mode, target.person, target.activity), (Mode::Live, "contact", Activity::Summary));
    assert_eq!((target.key_field.as_str(), target.base_url.as_deref()), ("wa_e164", None));
    assert!(target.channels.is_empty() && target.business_numbers.is_empty() && target.regions.is_empty());
    assert!(target.deal.is_none());
    assert_eq!(target.person_rule, PersonRule::AnyMessage);
    let fields: Vec<&str> = target.fields.iter().map(|mapping| mapping.field.as_str()).collect();
    let five = ["phone", "email", "firstname", "lastname", "wa_source", "first_conversation_url"];
    assert!(fields.starts_with(&five), "{fields:?}");
    assert_eq!(fields.len(), 11, "{fields:?}");
}

#[test]
fn modes_activities_and_values_of_every_type_are_read() {
    assert_eq!(target("mode = \"shadow\"").mode, Mode::Shadow);
    assert_eq!(target("mode = \"paused\"").mode, Mode::Paused);
    assert_eq!(target("activity = \"transcript\"").activity, Activity::Transcript);
    assert_eq!(target("activity = \"link\"").activity, Activity::Link);
    assert_eq!(
        target("base_url = \"https://proxy.example.in/hs/\"").base_url.unwrap(),
        "https://proxy.example.in/hs"
    );
    assert_eq!(target("base_url = \"http://localhost:1\"").base_url.unwrap(), "http://localhost:1");
    let target = target(
        "[target.fields]\na = { value = true }\nb = { value = 12.50 }\nc = { value = -3 }\n\
         d = { from = 'window[\"+918047000000\"].free_text_until', on_missing = \"hold\" }\n\
         e = { from = \"chatbot_messages_count\", default = 0 }\nf = \"custom.plan\"\n\"g h\" = \"company\"\n",
    );
    assert_eq!(field(&target, "a").from, Source::Value(Datum::Truth(true)));
    assert_eq!(field(&target, "b").from, Source::Value(Datum::Number("12.50".to_owned())));
    assert_eq!(field(&target, "c").from, Source::Value(Datum::Number("-3".to_owned())));
    assert_eq!(field(&target, "d").path().unwrap().argument(), Some("+918047000000"));
    assert_eq!(field(&target, "d").on_missing, OnMissing::Hold);
    assert_eq!(field(&target, "d").owner, Owner::Bridge, "of a window");
    assert_eq!(field(&target, "e").owner, Owner::Human);
    assert_eq!(field(&target, "e").default, Some(Datum::Number("0".to_owned())));
    assert_eq!(field(&target, "f").path().unwrap().argument(), Some("plan"));
    assert_eq!(field(&target, "g h").path().unwrap().as_str(), "company");
}

/// What is wrong, and the beginning of the line that says so.
const MISTAKES: &[(&str, &str)] = &[
    (
        "{head}[[target]]\nname = \"x\"\ncrm = \"hubspot\"",
        "8: [[target]] 'x' has no 'auth'; add auth = { token = \"env:NAME\" }",
    ),
    (
        "{head}[[target]]\nname = \"x\"\nauth = { token = \"env:A\" }",
        "8: [[target]] 'x' has no 'crm'; add crm = \"hubspot\"",
    ),
    (
        "{head}[[target]]\ncrm = \"hubspot\"\nauth = { token = \"env:A\" }",
        "8: [[target]] has no 'name'; add name = \"main\"",
    ),
    (
        "{head}[[target]]\nname = \"X\"\ncrm = \"hubspot\"\nauth = { token = \"env:A\" }",
        "9: 'name' of [[target]] 'X' is part of a URL",
    ),
    (
        "{head}[[target]]\nname = \"x\"\ncrm = \"hubsport\"\nauth = { token = \"env:A\" }",
        "10: unknown CRM 'hubsport' in [[target]] 'x'; did you mean 'hubspot'?",
    ),
    (
        "{head}[[target]]\nname = \"x\"\ncrm = \"zzz\"\nauth = { token = \"env:A\" }",
        "10: unknown CRM 'zzz' in [[target]] 'x'; this version knows hubspot",
    ),
    (
        "{head}{target}{target}",
        "13: 'name' of [[target]] 'hubspot' is taken by a target above; give this one another",
    ),
    (
        "{head}[[target]]\nname = \"x\"\ncrm = \"hubspot\"\nauth = \"env:A\"",
        "11: 'auth' in [[target]] 'x' must be a table such as { token = \"env:NAME\" }; found string",
    ),
    (
        "{head}[[target]]\nname = \"x\"\ncrm = \"hubspot\"\nauth = {}",
        "11: auth of [[target]] 'x' has no 'token'; add token = \"env:NAME\"",
    ),
    (
        "{head}[[target]]\nname = \"x\"\ncrm = \"hubspot\"\nauth = { token = \"pat-na1-hunter2\" }",
        "11: 'token' in auth of [[target]] 'x' is not a reference; secrets do not belong in this file",
    ),
    (
        "{head}[[target]]\nname = \"x\"\ncrm = \"hubspot\"\nauth = { token = \"env:A\", tokn = \"env:B\" }",
        "11: unknown key 'tokn' in auth of [[target]] 'x'; did you mean 'token'?",
    ),
    (
        "{head}{target}person = \"lead\"",
        "12: 'person' in [[target]] 'hubspot' cannot be 'lead' with HubSpot; write \"contact\"",
    ),
    (
        "{head}{target}mode = \"dry\"",
        "12: 'mode' in [[target]] 'hubspot' cannot be 'dry'; write \"live\" or \"shadow\" or \"paused\"",
    ),
    (
        "{head}{target}activity = \"all\"",
        "12: 'activity' in [[target]] 'hubspot' cannot be 'all'; write \"summary\" or \"transcript\" or \"link\"",
    ),
    (
        "{target}activity = \"link\"",
        "1: 'activity' in [[target]] 'hubspot' is \"link\" and needs 'public_url' in [server]",
    ),
    ("{head}{target}key_field = \"\"", "12: 'key_field' in [[target]] 'hubspot' is empty"),
    (
        "{head}{target}base_url = \"http://api.example.com\"",
        "12: 'base_url' in [[target]] 'hubspot' must begin with https:// (http:// only for this machine)",
    ),
    (
        "{head}{target}base_url = \"ftp://127.0.0.1\"",
        "12: 'base_url' in [[target]] 'hubspot' must begin with https://",
    ),
    ("{head}{target}base_url = \"api.example.com\"", "12: 'base_url' in [[target]] 'hubspot' is not a URL"),
    (
        "{head}{target}base_url = \"https://a:b@c\"",
        "12: 'base_url' in [[target]] 'hubspot' must not hold a user or a password",
    ),
    (
        "{head}{target}base_url = \"https://a/?b=c\"",
        "12: 'base_url' in [[target]] 'hubspot' must end before any '?' or '#'",
    ),
    (
        "{head}{target}channels = [\"man\"]",
        "12: 'channels' in [[target]] 'hubspot' names no channel: 'man'; did you mean 'main'?",
    ),
    (
        "{head}{target}channels = [\"zzz\"]",
        "12: 'channels' in [[target]] 'hubspot' names no channel: 'zzz'; name a [[channel]] of this file",
    ),
    (
        "{head}{target}business_numbers = [\"918047000000\"]",
        "12: 'business_numbers' in [[target]] 'hubspot' is not a phone number in E.164 form",
    ),
    (
        "{head}{target}business_numbers = [\"+918047000001\"]",
        "12: 'business_numbers' in [[target]] 'hubspot' has +918047000001, which no channel has",
    ),
    (
        "{head}{target}regions = [\"India\"]",
        "12: 'regions' in [[target]] 'hubspot' holds no country: 'India'; write two letters",
    ),
    ("{head}{target}colour = 1", "12: unknown key 'colour' in [[target]] 'hubspot'; it knows name, crm"),
    ("{head}{target}mod = \"live\"", "12: unknown key 'mod' in [[target]] 'hubspot'; did you mean 'mode'?"),
    // Of a later version
    (
        "{head}{target}window_refresh_minutes = 1",
        "12: 'window_refresh_minutes' in [[target]] 'hubspot' must be a whole number from 5 to 1440",
    ),
    (
        "{head}{target}rollout_percent = 101",
        "12: 'rollout_percent' in [[target]] 'hubspot' must be a whole number from 0 to 100",
    ),
    (
        "{head}{target}[target.person_rule]\nwhen = \"ads\"",
        "13: 'when' in [target.person_rule] of [[target]] 'hubspot' cannot be 'ads'; write \"any_message\" or \"ad_or_intent\" or",
    ),
    (
        "{head}{target}[target.owners]\nnorth = \" \"",
        "13: 'owners' in [[target]] 'hubspot' has an empty name or id; write { sales = ",
    ),
    (
        "{head}{target}[target.deal]\nwhen = [\"demo_request\"]\npipeline = \"a\"\nstage = \"b\"\nstages = { a = \"\" }",
        "16: 'stages' in [target.deal] of [[target]] 'hubspot' has an empty name or id; write { qualified = ",
    ),
    (
        "{head}{target}[target.deal]\nwhen = [\"demo_request\"]\npipeline = \"a\"\nstage = \"b\"\nrestricted_stages = [\"c\", \"b\"]",
        "16: 'restricted_stages' in [target.deal] of [[target]] 'hubspot' has 'b', which deals enter by 'stage' or",
    ),
    (
        "{head}{target}[target.deal]\nwhen = [\"demo_request\"]\npipeline = \"a\"\nstage = \"b\"\nrestricted_stage = [\"c\"]",
        "16: unknown key 'restricted_stage' in [target.deal] of [[target]] 'hubspot'; did you mean 'restricted_stages'?",
    ),
    // Deals
    (
        "{head}{target}[target.deal]\npipeline = \"a\"\nstage = \"b\"",
        "12: [target.deal] of [[target]] 'hubspot' says no 'when'; add when = [\"demo_request\"]",
    ),
    (
        "{head}{target}[target.deal]\nwhen = [\"demo_requested\"]\npipeline = \"a\"\nstage = \"b\"",
        "13: unknown signal 'demo_requested' in [target.deal] of [[target]] 'hubspot'; did you mean 'demo_request'?",
    ),
    (
        "{head}{target}[target.deal]\nwhen = [\"zzz\"]\npipeline = \"a\"\nstage = \"b\"",
        "13: unknown signal 'zzz' in [target.deal] of [[target]] 'hubspot'; there are demo_request, ",
    ),
    (
        "{head}{target}[target.deal]\nwhen = [\"demo_request\"]\nstage = \"b\"",
        "12: [target.deal] of [[target]] 'hubspot' has no 'pipeline'",
    ),
    (
        "{head}{target}[target.deal]\nwhen = [\"demo_request\"]\npipeline = \"a\"",
        "12: [target.deal] of [[target]] 'hubspot' has no 'stage'",
    ),
    (
        "{head}{target}[target.deal]\nwhen = [\"demo_request\"]\npipeline = \"a\"\nstage = \"b\"\nclose_after_days = 0",
        "16: 'close_after_days' in [target.deal] of [[target]] 'hubspot' must be a whole number from 1 to 3650",
    ),
    // Fields
    (
        "{head}{target}[target.fields]\na = \"fone_number\"",
        "13: 'a' in [target.fields] of [[target]] 'hubspot': unknown path 'fone_number'; `wabridge target fields` lists them",
    ),
    (
        "{head}{target}[target.fields]\na = \"attribution.last.clid\"",
        "13: 'a' in [target.fields] of [[target]] 'hubspot': unknown path 'attribution.last.clid'; did you mean 'attribution.last.ctwa_clid'?",
    ),
    (
        "{head}{target}[target.fields]\na = { from = \"nam\" }",
        "13: 'from' in a of [target.fields] of [[target]] 'hubspot': unknown path 'nam'; did you mean 'name'?",
    ),
    (
        "{head}{target}[target.fields]\na = 1",
        "13: 'a' in [target.fields] of [[target]] 'hubspot' must be a text or a table such as { from = ",
    ),
    (
        "{head}{target}[target.fields]\na = {}",
        "13: a of [target.fields] of [[target]] 'hubspot' has no 'from' and no 'value'; write { from = ",
    ),
    (
        "{head}{target}[target.fields]\na = { from = \"name\", value = \"x\" }",
        "13: a of [target.fields] of [[target]] 'hubspot' has both 'from' and 'value'",
    ),
    (
        "{head}{target}[target.fields]\na = { value = \"x\", default = \"y\" }",
        "13: a of [target.fields] of [[target]] 'hubspot' has a 'value', which needs no 'default'",
    ),
    (
        "{head}{target}[target.fields]\na = { value = \" \" }",
        "13: 'value' in a of [target.fields] of [[target]] 'hubspot' is empty",
    ),
    (
        "{head}{target}[target.fields]\na = { value = inf }",
        "13: 'value' in a of [target.fields] of [[target]] 'hubspot' is no number",
    ),
    (
        "{head}{target}[target.fields]\na = { value = [1] }",
        "13: 'value' in a of [target.fields] of [[target]] 'hubspot' must be a text in quotes, a number, true or false; found array",
    ),
    (
        "{head}{target}[target.fields]\na = { from = \"name\", write = \"never\" }",
        "13: 'write' in a of [target.fields] of [[target]] 'hubspot' cannot be 'never'; write \"create_only\" or \"if_empty\" or \"always\"",
    ),
    (
        "{head}{target}[target.fields]\na = { from = \"name\", on_missing = \"die\" }",
        "13: 'on_missing' in a of [target.fields] of [[target]] 'hubspot' cannot be 'die'; write \"skip\" or \"hold\"",
    ),
    (
        "{head}{target}[target.fields]\na = { from = \"name\", owner = \"us\" }",
        "13: 'owner' in a of [target.fields] of [[target]] 'hubspot' cannot be 'us'; write \"human\" or \"bridge\"",
    ),
    (
        "{head}{target}[target.fields]\na = { from = \"name\", wrte = \"always\" }",
        "13: unknown key 'wrte' in a of [target.fields] of [[target]] 'hubspot'; did you mean 'write'?",
    ),
    (
        "{head}{target}[target.fields]\nwa_e164 = \"phone\"",
        "12: 'wa_e164' in [target.fields] of [[target]] 'hubspot' is the key_field, which always holds the phone",
    ),
    (
        "{head}{target}[target.fields]\n\"\" = \"phone\"",
        "12: a field in [target.fields] of [[target]] 'hubspot' has no name",
    ),
    (
        "{target}[target.fields]\na = \"lead.url\"",
        "6: 'a' in [target.fields] of [[target]] 'hubspot': 'lead.url' needs 'public_url' in [server]",
    ),
    (
        "{head}{target}[target.fields]\na = 'window[\"+918047000001\"].verdict'",
        "13: 'a' in [target.fields] of [[target]] 'hubspot': no channel has the number +918047000001; did you mean +918047000000?",
    ),
    (
        "{head}{target}[target.fields]\na = \"window[918047000001].verdict\"",
        "13: 'a' in [target.fields] of [[target]] 'hubspot': a window of one number is written window[",
    ),
];

#[test]
fn every_mistake_names_file_line_key_and_the_way_out_and_is_reported_alone() {
    for (toml, expected) in MISTAKES {
        let errors = parse(toml).expect_err(toml);
        let text = errors.to_string();
        let found = text.lines().any(|line| line.starts_with(&format!("wabridge.toml:{expected}")));
        assert!(found, "{toml}\n  says     {text}\n  and not  wabridge.toml:{expected}");
        assert_eq!(errors.problems().len(), 1, "{toml}\n{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn with_several_numbers_a_window_is_named_or_has_its_number_beside_it() {
    let second = "[[channel]]\nname = \"two\"\nprovider = \"wati\"\npath_token = \"env:B\"\nbusiness_number = \"+918047000001\"\n";
    let with = |fields: &str| parse(&format!("{{head}}{second}{{target}}[target.fields]\n{fields}"));
    let refused = with("until = \"window.free_text_until\"\nlast = \"window.last_inbound_at\"")
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains("in [target.fields] of [[target]] 'hubspot' is of one of several numbers; map window.business_number beside it, or write window[\"+918047000000\"]."),
        "{refused}"
    );
    assert_eq!(refused.lines().count(), 1, "{refused}");
    for fields in [
        "until = \"window.free_text_until\"\nnumber = \"window.business_number\"",
        "until = 'window[\"+918047000001\"].free_text_until'",
        "number = \"window.business_number\"",
        "name = \"name\"",
    ] {
        with(fields).unwrap_or_else(|errors| panic!("{fields}\n{errors}"));
    }
    // One number needs no naming, however many channels report it.
    let same = second.replace("+918047000001", "+918047000000");
    parse(&format!("{{head}}{same}{{target}}[target.fields]\nuntil = \"window.free_text_until\"")).unwrap();
}

#[test]
fn a_token_is_fetched_when_it_is_needed_and_its_absence_names_the_target() {
    let place = Place::new("");
    let file = place.write("token", "pat-na1-xyz\n", 0o600);
    let toml = TARGET.replace("env:HUBSPOT_TOKEN", &format!("file:{}", file.display()));
    let target = Config::parse(&toml, "wabridge.toml").unwrap().targets.remove(0);
    assert_eq!(target.resolve_secret().unwrap().expose_secret(), "pat-na1-xyz");
    fs::remove_file(&file).unwrap();
    let error = target.resolve_secret().unwrap_err().to_string();
    assert!(error.starts_with("target 'hubspot': auth.token (file:/"), "{error}");
    assert!(error.contains("cannot be read"), "{error}");
}

#[test]
fn check_fails_without_the_token_and_says_which_targets_there_are() {
    let place = Place::new(&format!("[store]\nurl = \"sqlite:{{folder}}/w.db\"\n{HEAD}{TARGET}"));
    let Ended { code, out, .. } = place.run_with(&["check"], &[("A", "0123456789abcdef")], b"");
    assert_eq!(code, 78, "{out}");
    assert!(out.contains("target 'hubspot': auth.token (env:HUBSPOT_TOKEN) is not set; set it"), "{out}");
    let environment = [("A", "0123456789abcdef"), ("HUBSPOT_TOKEN", "pat-na1-xyz")];
    let Ended { code, out, .. } = place.run_with(&["check"], &environment, b"");
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("targets: hubspot (hubspot, live)"), "{out}");
    assert!(!out.contains("pat-na1"), "{out}");
}

#[test]
fn the_paths_are_listed_without_any_configuration() {
    let place = Place::new("");
    fs::remove_file(place.path("wabridge.toml")).unwrap();
    let Ended { code, out, err } = place.run(&["target", "fields"]);
    assert_eq!(code, 0, "{err}");
    let line = out.lines().find(|line| line.starts_with("window.free_text_until ")).unwrap();
    assert!(line.contains(" instant ") && line.contains("2026-11-23T08:33:12Z"), "{line}");
    assert!(out.lines().any(|line| line.starts_with("custom.<key> ")), "{out}");
    let Ended { out, .. } = place.run(&["target", "fields", "--json"]);
    let all: Vec<Value> = serde_json::from_str(&out).unwrap();
    let state = all.iter().find(|path| path["path"] == "attribution.state").unwrap();
    assert_eq!(state["type"], "word");
    assert_eq!(state["words"][0], "complete");
    assert!(state.get("fields").is_none(), "{state}");
    assert!(all.iter().all(|path| path["example"].as_str().is_some_and(|text| !text.is_empty())));
}

#[test]
fn of_a_target_the_fields_are_shown_that_each_path_is_mapped_to() {
    let place = Place::new(&format!(
        "{HEAD}{TARGET}[target.fields]\nuntil = \"window.free_text_until\"\nclick = \"attribution.last.ctwa_clid\"\n"
    ));
    let Ended { code, out, err } = place.run(&["target", "fields", "hubspot"]);
    assert_eq!(code, 0, "{err}");
    let line = out.lines().find(|line| line.starts_with("window.free_text_until ")).unwrap();
    assert!(line.contains(" until"), "{line}");
    let Ended { out, .. } = place.run(&["target", "fields", "hubspot", "--json"]);
    let all: Vec<Value> = serde_json::from_str(&out).unwrap();
    let of = |path: &str| all.iter().find(|known| known["path"] == path).unwrap()["fields"].clone();
    assert_eq!(of("attribution.last.ctwa_clid"), serde_json::json!(["click"]));
    assert_eq!(of("phone"), serde_json::json!(["phone", "wa_e164"]));
    assert_eq!(of("username"), serde_json::json!([]));
    let unknown = place.run(&["target", "fields", "hubspt"]);
    assert_eq!(unknown.code, 65, "{unknown:?}");
    assert!(unknown.err.contains("there is no target 'hubspt'; did you mean 'hubspot'?"), "{unknown:?}");
}
