//! The grammar of paths, by examples, and what a mapping makes of a value.

use super::*;
use std::collections::BTreeSet;

/// Facts of which every path gives one value.
struct Says(Option<Datum>);

impl Facts for Says {
    fn get(&self, _: &Path) -> Option<Datum> {
        self.0.clone()
    }
}

fn text(text: &str) -> Datum {
    Datum::Text(text.to_owned())
}

fn mapping(path: &str) -> Mapping {
    Mapping::new("field", Source::Path(Path::parse(path).unwrap()))
}

#[test]
fn every_listed_path_is_read_and_listed_once() {
    let mut seen = BTreeSet::new();
    for known in paths() {
        assert!(seen.insert(known.path), "{} twice", known.path);
        assert!(!known.example.is_empty() && !known.about.is_empty(), "{}", known.path);
        let path = Path::parse(&known.path.replace("<key>", "plan")).unwrap();
        assert_eq!(path.known(), known);
        if let Kind::Word(words) = known.kind {
            assert!(words.contains(&known.example), "{}", known.path);
        }
    }
    assert!(seen.len() > 70, "{}", seen.len());
}

#[test]
fn labels_of_fields_that_are_made_tell_them_apart() {
    let mut labels = BTreeSet::new();
    for known in paths() {
        assert!(labels.insert(known.about), "{} has the label of another", known.path);
    }
}

#[test]
fn a_path_may_name_a_number_or_a_key() {
    for (written, known, argument) in [
        ("window[\"+918047000000\"].free_text_until", "window.free_text_until", Some("+918047000000")),
        ("window['+918047000000'].verdict", "window.verdict", Some("+918047000000")),
        ("window.verdict", "window.verdict", None),
        ("custom.plan", "custom.<key>", Some("plan")),
        ("custom.order.total value", "custom.<key>", Some("order.total value")),
        ("enrichment.tier", "enrichment.<key>", Some("tier")),
    ] {
        let path = Path::parse(written).unwrap();
        assert_eq!((path.known().path, path.argument(), path.as_str()), (known, argument, written));
        assert_eq!(path.is_window(), written.starts_with("window"));
    }
}

#[test]
fn what_is_no_path_is_refused_with_the_path_that_is_most_like_it() {
    for (written, message) in [
        ("", "unknown path ''; `wabridge target fields` lists them"),
        ("phon", "unknown path 'phon'; did you mean 'phone'?"),
        ("Phone", "unknown path 'Phone'; did you mean 'phone'?"),
        ("name.frist", "unknown path 'name.frist'; did you mean 'name.first'?"),
        (
            "attribution.last.clid",
            "unknown path 'attribution.last.clid'; did you mean 'attribution.last.ctwa_clid'?",
        ),
        ("atribution.last.ctwa_clid", "did you mean 'attribution.last.ctwa_clid'?"),
        ("window.last_inbound", "did you mean 'window.last_inbound_at'?"),
        ("window.open", "unknown path 'window.open'; did you mean 'window.verdict'?"),
        ("zzz", "unknown path 'zzz'; `wabridge target fields` lists them"),
        (" phone", "did you mean 'phone'?"),
        ("utm", "'utm' stands for several values; write one of them, such as 'utm.source'"),
        ("attribution.last", "write one of them, such as 'attribution.last.ctwa_clid'"),
        ("consent.crm", "write one of them, such as 'consent.crm.state'"),
        ("window", "write one of them, such as 'window.business_number'"),
        ("custom", "is written custom.plan, with the key after the point"),
        ("custom.", "is written custom.plan"),
        ("enrichment", "is written enrichment.plan"),
        ("enrichment.", "is written enrichment.plan"),
        ("custom.a..b", "is written custom.plan"),
        ("window[+918047000000].verdict", "is written window[\"+918047000000\"].free_text_until"),
        ("window[\"918047000000\"].verdict", "is written window[\"+918047000000\"]"),
        ("window[\"+91 80470\"].verdict", "is written window[\"+918047000000\"]"),
        ("window[\"+918047000000\".verdict", "is written window[\"+918047000000\"]"),
        ("window[\"+918047000000\"].verdit", "unknown path 'window.verdit'; did you mean 'window.verdict'?"),
        ("window[\"+918047000000\"]", "'window' stands for several values"),
        ("window[\"+918047000000\"]verdict", "unknown path 'windowverdict'"),
    ] {
        let error = Path::parse(written).unwrap_err().to_string();
        assert!(error.contains(message), "{written}\n  says     {error}\n  and not  {message}");
    }
}

#[test]
fn a_value_is_put_into_the_configured_words_and_others_stay() {
    let mut origin = mapping("source");
    origin.values = BTreeMap::from([("whatsapp:main".to_owned(), "WhatsApp Main".to_owned())]);
    assert_eq!(origin.value(&Says(Some(text("whatsapp:main")))), Some(text("WhatsApp Main")));
    assert_eq!(origin.value(&Says(Some(text("chatbot:site")))), Some(text("chatbot:site")));
    assert_eq!(origin.value(&Says(None)), None);
    let texts = Datum::Texts(vec!["whatsapp:main".to_owned(), "x".to_owned()]);
    let expected = Datum::Texts(vec!["WhatsApp Main".to_owned(), "x".to_owned()]);
    assert_eq!(origin.value(&Says(Some(texts))), Some(expected));
    let mut count = mapping("attribution.touches");
    count.values = BTreeMap::from([("0".to_owned(), "no".to_owned())]);
    assert_eq!(count.value(&Says(Some(Datum::Number("0".to_owned())))), Some(text("no")));
    assert_eq!(count.value(&Says(Some(Datum::Number("1".to_owned())))), Some(Datum::Number("1".to_owned())));
}

#[test]
fn a_default_stands_in_for_what_is_not_known_and_a_fixed_value_asks_nobody() {
    let last = Mapping { default: Some(text("WhatsApp lead")), ..mapping("name.last") };
    assert_eq!(last.value(&Says(None)), Some(text("WhatsApp lead")));
    assert_eq!(last.value(&Says(Some(text("Rao")))), Some(text("Rao")));
    let fixed = Mapping::new("lead_source", Source::Value(text("WhatsApp")));
    assert_eq!(fixed.value(&Says(None)), Some(text("WhatsApp")));
}

fn fields(given: &[Mapping]) -> Vec<String> {
    standard("hubspot", given).into_iter().map(|mapping| mapping.field).collect()
}

#[test]
fn the_five_are_always_written_unless_they_are_mapped_elsewhere() {
    let all = fields(&[]);
    for field in ["phone", "email", "wa_source", "first_conversation_url", "wa_utm_source", "wa_utm_content"]
    {
        assert!(all.iter().any(|known| known == field), "{field}");
    }
    let given = [
        Mapping { field: "mobilephone".to_owned(), ..mapping("phone") },
        Mapping { field: "wa_utm_source".to_owned(), ..mapping("attribution.last.ad_id") },
        Mapping { field: "firstname".to_owned(), ..mapping("name") },
    ];
    let beside = fields(&given);
    for field in ["phone", "wa_utm_source", "firstname", "lastname"] {
        assert!(!beside.iter().any(|known| known == field), "{field}");
    }
    assert_eq!(beside.len(), all.len() - 4);
}

#[test]
fn what_people_own_is_only_filled_where_it_is_empty() {
    for mapping in standard("hubspot", &[]) {
        let is_theirs = ["phone", "email", "firstname", "lastname"].contains(&mapping.field.as_str());
        assert_eq!(mapping.write == WriteRule::IfEmpty, is_theirs, "{}", mapping.field);
    }
}
