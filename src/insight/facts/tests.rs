//! The facts of a lead: every path of a rich one, nothing invented of a poor one, and windows that promise nothing
//! false.

use super::*;
use crate::insight::stage::*;
use serde_json::json;
use uuid::Uuid;
use wabridge_crms::mapping::{Kind, paths};
use wabridge_model::Country;
use wabridge_model::attribution::{AttributionState, Cause};
use wabridge_model::chatbot::{
    ChatbotEvent, ConsentNotice, Intent, Sentiment, SentimentWord, Transcript, WebContext,
};
use wabridge_model::event::{
    Choice, Fact, IdentityChange, Link, Message, Person, Preference, Referral, ReferralReport, StatusState,
    Wish,
};

fn config() -> Config {
    let mut config = Config::new("/nowhere");
    config.server.public_url = Some("https://hooks.example.in".to_owned());
    config
}

fn ad(id: &str, kind: &str, click: Option<&str>) -> ReferralReport {
    ReferralReport::Present(Box::new(Referral {
        ctwa_clid: click.map(str::to_owned),
        source_id: Some(id.to_owned()),
        source_type: Some(kind.to_owned()),
        source_url: Some(format!("https://fb.me/{id}")),
        headline: Some("Silk sarees".to_owned()),
        body: Some("Chat with us".to_owned()),
        media_type: Some("video".to_owned()),
        click_id_stripped: false,
    }))
}

/// One who did everything: two ads, a post, two numbers of ours, an earlier phone, a chatbot, consents.
fn rich() -> Vec<Evidence> {
    let link = Link { code: "IGBIO".to_owned(), utm: Utm::default() };
    let from = |text: &str, referral, link: Option<&Link>| {
        let link = link.cloned().map(Box::new);
        Fact::Message(Message { referral, link, ..message(text) })
    };
    let earlier = Person { phone: Phone::from_whatsapp_id("919812345678").ok(), bsuid: None, ..asha() };
    let moved = IdentityChange { previous_phone: earlier.phone.clone(), ..IdentityChange::default() };
    let notice = |purpose: &str| ConsentNotice {
        given_at: Some(at("08:30:00")),
        text_version: Some("2026-10".to_owned()),
        language: Some("hi".to_owned()),
        purpose: Some(purpose.to_owned()),
    };
    let talked = ChatbotEvent {
        visitor: Visitor {
            company: Some("Rao Textiles".to_owned()),
            company_size: Some("11-50".to_owned()),
            country: Country::new("AE"),
        },
        context: WebContext {
            utm: Utm {
                source: Some("instagram".to_owned()),
                medium: Some("paid".to_owned()),
                campaign: Some("diwali".to_owned()),
                term: Some("silk".to_owned()),
                content: Some("video-2".to_owned()),
            },
            ..WebContext::default()
        },
        intent: Intent {
            primary: Some("pricing".to_owned()),
            qualification_score: Some(80.0),
            competitor_mentions: vec!["Acme".to_owned()],
            ..Intent::default()
        },
        transcript: Transcript {
            summary: Some("Asked for a demo.".to_owned()),
            messages: Some(14),
            sentiment: Some(Sentiment::Word(SentimentWord::Positive)),
            ..Transcript::default()
        },
        consent: Some(notice(CRM)),
        custom: own(json!({"plan": "gold"})),
        ..bot("c1", "lead.created")
    };
    let withdrawn = ChatbotEvent { consent: Some(notice(ADVERTISING)), ..bot("c1", "consent.withdrawn") };
    let stripped = ad("120208412345670123", "ad", None);
    let status = Status { free_entry_until: Some(at("23:00:00")), ..sent() };
    vec![
        evidence(at("06:00:00"), Some(OURS), earlier.clone(), from("Hello", ad("1", "post", None), None)),
        evidence(at("06:30:00"), None, asha(), Fact::IdentityChange(moved)),
        by_bot("08:30:00", talked),
        by_bot("08:31:00", withdrawn),
        evidence(at("08:33:00"), Some(OTHER), asha(), from("Again", stripped, None)),
        evidence(at("08:35:12"), Some(OURS), asha(), from("More", ad("7", "ad", Some("click")), Some(&link))),
        evidence(at("08:36:00"), Some(OURS), asha(), Fact::Status(status)),
    ]
}

fn sent() -> Status {
    Status {
        message_id: "o1".to_owned(),
        state: StatusState::Sent,
        codes: Vec::new(),
        free_entry_until: None,
    }
}

use wabridge_model::event::Status;

/// Asks one path of a lead at an instant.
fn asked(evidence: &[Evidence], config: &Config, now: Timestamp, path: &str) -> Option<Datum> {
    let mut evidence = evidence.to_vec();
    let lead = lead(&mut evidence);
    let id = LeadId(Uuid::nil());
    let trace_id = "4bf92f3577b34da6a3ce929d0e0e4736";
    let facts = LeadFacts::new(Subject { id, lead: &lead, evidence: &evidence, config, now, trace_id });
    facts.get(&Path::parse(path).unwrap())
}

/// The text of a value, as the tables of these tests write it.
fn shown(datum: Option<Datum>) -> String {
    match datum {
        None => "-".to_owned(),
        Some(Datum::Text(text) | Datum::Number(text)) => text,
        Some(Datum::Truth(truth)) => truth.to_string(),
        Some(Datum::Instant(at)) => at.to_string(),
        Some(Datum::Texts(texts)) => texts.join("|"),
    }
}

fn ask(evidence: &[Evidence], path: &str) -> String {
    shown(asked(evidence, &config(), at("09:00:00"), path))
}

#[test]
fn every_path_has_a_value_of_its_type_for_a_rich_lead() {
    // What can only be absent where another path has a value, and what a hook is asked for.
    let elsewhere =
        ["attribution.cause", "attribution.last.cause", "attribution.last.post_id", "enrichment.<key>"];
    let first_is_a_post =
        ["ctwa_clid", "ad_id", "cause", "code"].map(|part| format!("attribution.first.{part}"));
    let consent = ["consent.crm.withdrawn_at", "consent.advertising.given_at"];
    for known in paths() {
        let value = asked(&rich(), &config(), at("09:00:00"), &known.path.replace("<key>", "plan"));
        let is_elsewhere = elsewhere.contains(&known.path)
            || consent.contains(&known.path)
            || first_is_a_post.iter().any(|path| path == known.path);
        assert_eq!(value.is_none(), is_elsewhere, "{}: {value:?}", known.path);
        let fits = match (known.kind, &value) {
            (_, None) | (Kind::Any, _) | (Kind::Text, Some(Datum::Text(_))) => true,
            (Kind::Number, Some(Datum::Number(number))) => number.parse::<f64>().is_ok(),
            (Kind::Instant, Some(Datum::Instant(_))) | (Kind::Texts, Some(Datum::Texts(_))) => true,
            (Kind::Word(words), Some(Datum::Text(word))) => words.contains(&word.as_str()),
            _ => false,
        };
        assert!(fits, "{}: {value:?}", known.path);
    }
}

#[test]
fn each_path_says_what_its_name_says() {
    for (path, expected) in [
        ("phone", "+919876543210"),
        ("other_phones", "+919812345678"),
        ("email", "asha@example.in"),
        ("name", "Asha 🌸 Rao"),
        ("name.first", "Asha"),
        ("name.last", "Rao"),
        ("company", "Rao Textiles"),
        ("country", "AE"),
        ("bsuid", "IN.b1"),
        ("username", "asha.rao"),
        ("source", "whatsapp:main"),
        ("first_conversation_url", "https://fb.me/1"),
        ("utm.campaign", "diwali"),
        ("attribution.state", "complete"),
        ("attribution.touches", "3"),
        ("attribution.first.state", "organic_post"),
        ("attribution.first.post_id", "1"),
        ("attribution.last.ctwa_clid", "click"),
        ("attribution.last.ad_id", "7"),
        ("attribution.last.code", "IGBIO"),
        ("attribution.last.occurred_at", "2026-11-22T08:35:12Z"),
        ("attribution.last.business_number", OURS),
        ("window.business_number", OURS),
        ("window.last_inbound_at", "2026-11-22T08:35:12Z"),
        ("window.free_text_until", "2026-11-23T08:33:12Z"),
        ("window[\"+918047000001\"].free_text_until", "2026-11-23T08:31:00Z"),
        ("window[\"+918047000009\"].free_text_until", "-"),
        ("window.templates", "utility_only"),
        ("consent_given_at", "2026-11-22T08:30:00Z"),
        ("consent_text_version", "2026-10"),
        ("purpose_of_processing", "crm"),
        ("consent.crm.state", "given"),
        ("consent.crm.language", "hi"),
        ("consent.advertising.state", "withdrawn"),
        ("consent.advertising.withdrawn_at", "2026-11-22T08:31:00Z"),
        ("chatbot_messages_count", "14"),
        ("chatbot_avg_sentiment", "1"),
        ("chatbot_qualification_score", "80"),
        ("last_chatbot_interaction_at", "2026-11-22T08:31:00Z"),
        ("custom.plan", "gold"),
        ("custom.colour", "-"),
        ("lead.url", "https://hooks.example.in/w/00000000-0000-0000-0000-000000000000"),
        ("first_seen_at", "2026-11-22T06:00:00Z"),
        ("last_seen_at", "2026-11-22T08:35:12Z"),
    ] {
        assert_eq!(ask(&rich(), path), expected, "{path}");
    }
}

#[test]
fn of_one_who_only_said_hello_nothing_is_invented() {
    let hello = [evidence(
        at("08:00:00"),
        Some(OURS),
        Person { phone: asha().phone, ..Person::default() },
        Fact::Message(message("Hello")),
    )];
    for (path, expected) in [
        ("email", "-"),
        ("name", "-"),
        ("name.last", "-"),
        ("country", "IN"),
        ("utm.source", "-"),
        ("attribution.state", "none"),
        ("attribution.touches", "0"),
        ("attribution.last.ad_id", "-"),
        ("window.free_entry_until", "-"),
        ("consent_given_at", "-"),
        ("purpose_of_processing", "-"),
        ("chatbot_messages_count", "-"),
        ("chatbot_pricing_questions_count", "-"),
        ("chatbot_avg_sentiment", "-"),
        ("last_chatbot_interaction_at", "-"),
    ] {
        assert_eq!(ask(&hello, path), expected, "{path}");
    }
    let without_url = Config::new("/nowhere");
    assert_eq!(asked(&hello, &without_url, at("09:00:00"), "lead.url"), None);
}

#[test]
fn names_are_parted_in_every_script_and_emoji_are_no_name() {
    for (name, first, last) in [
        ("Asha Rao", "Asha", Some("Rao")),
        ("Dr. Anil Kumar Gupta", "Dr. Anil Kumar", Some("Gupta")),
        ("आशा राव", "आशा", Some("राव")),
        ("🌸 प्रिया शर्मा 🌸", "प्रिया", Some("शर्मा")),
        ("Asha", "Asha", None),
        ("🌸🌸", "🌸🌸", None),
        ("Asha ❤", "Asha", None),
    ] {
        assert_eq!(name_parts(name), (first.to_owned(), last.map(str::to_owned)), "{name}");
    }
}

#[test]
fn the_closed_lists_are_those_of_the_model() {
    let words = |path: &str| match Path::parse(path).unwrap().known().kind {
        Kind::Word(words) => words,
        kind => panic!("{path} is {kind:?}"),
    };
    for path in ["attribution.state", "attribution.first.state", "attribution.last.state"] {
        assert_eq!(words(path), AttributionState::ALL.map(AttributionState::as_str), "{path}");
    }
    for path in ["attribution.cause", "attribution.first.cause", "attribution.last.cause"] {
        assert_eq!(words(path), Cause::ALL.map(Cause::as_str), "{path}");
    }
}

const SENTENCE: &str = "window.verdict";
const UNTIL: &str = "window.free_text_until";

#[test]
fn the_verdict_is_a_sentence_with_an_instant_that_stays_true() {
    let wrote = [they("08:35:12", "Hello")];
    let open =
        "Free text from +918047000000 until 14:03 on 23 Nov 2026 (Asia/Kolkata), templates after that.";
    for now in [at("08:36:00"), at("23:59:00"), "2026-11-30T00:00:00Z".parse().unwrap()] {
        assert_eq!(shown(asked(&wrote, &config(), now, SENTENCE)), open);
        assert_eq!(shown(asked(&wrote, &config(), now, UNTIL)), "2026-11-23T08:33:12Z");
    }
}

#[test]
fn what_closed_a_window_early_is_the_instant_until_which_it_was_open() {
    let choice = |choice: Choice| {
        let preference = Preference { category: Preference::ALL.to_owned(), choice };
        evidence(at("09:00:00"), Some(OURS), asha(), Fact::Preference(preference))
    };
    let refused = status("09:00:00", "o1", StatusState::Failed, &[131_047]);
    let no_marketing = status("09:00:00", "o1", StatusState::Failed, &[131_050]);
    let wish = Message { wish: Some(Wish::Stop), ..message("STOP") };
    let stopped = evidence(at("09:00:00"), Some(OURS), asha(), Fact::Message(wish));
    let nine = "14:30 on 22 Nov 2026 (Asia/Kolkata)";
    let cases = [
        (
            refused,
            "2026-11-22T09:00:00Z",
            "any",
            format!(
                "Templates only from {OURS} until they write again: WhatsApp refused free text at {nine}."
            ),
        ),
        (
            choice(Choice::Stop),
            "2026-11-22T09:00:00Z",
            "none",
            format!("Send nothing from {OURS}: they asked for no more messages at {nine}."),
        ),
        (
            stopped,
            "2026-11-22T09:00:00Z",
            "none",
            format!("Send nothing from {OURS}: they asked for no more messages at {nine}."),
        ),
        (
            no_marketing,
            "2026-11-23T07:58:00Z",
            "utility_only",
            format!(
                "Free text from {OURS} until 13:28 on 23 Nov 2026 (Asia/Kolkata), utility templates after that. \
                 They opted out of marketing."
            ),
        ),
    ];
    for (what, until, templates, sentence) in cases {
        let evidence = [they("08:00:00", "Hello"), what];
        let ask = |path| shown(asked(&evidence, &config(), at("10:00:00"), path));
        assert_eq!((ask(UNTIL).as_str(), ask("window.templates").as_str()), (until, templates), "{sentence}");
        assert_eq!(ask(SENTENCE), sentence);
    }
}

#[test]
fn consent_that_is_required_and_withdrawn_closes_the_window_and_is_said() {
    let config =
        Config { consent: crate::config::Consent { required: true, ..config().consent }, ..config() };
    let withdrawn = by_bot("09:00:00", bot("c1", "consent.withdrawn"));
    let evidence = [they("08:00:00", "Hello"), withdrawn];
    let ask = |path| shown(asked(&evidence, &config, at("10:00:00"), path));
    assert_eq!(ask(UNTIL), "2026-11-22T09:00:00Z");
    assert!(
        ask(SENTENCE).starts_with("Send nothing from +918047000000: they withdrew their consent at 14:30")
    );
    assert_eq!(ask("consent.crm.state"), "withdrawn");
    assert_eq!(ask("consent.advertising.withdrawn_at"), "2026-11-22T09:00:00Z");
    assert_eq!(ask("purpose_of_processing"), "none");
    assert_eq!(ask("consent_given_at"), "-");
}
