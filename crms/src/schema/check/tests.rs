//! Every way in which a CRM's schema may drift from what is needed, and what is said of it.

use super::super::{Pipeline, Stage};
use super::*;
use crate::mapping::Path;
use std::collections::BTreeMap;

fn field(kind: FieldKind) -> Field {
    Field { kind, ..Field::default() }
}

fn choice(options: &[&str]) -> Field {
    Field { options: options.iter().map(|option| (*option).to_owned()).collect(), ..field(FieldKind::Choice) }
}

fn path(name: &str, path: &str) -> Mapping {
    Mapping::new(name, Source::Path(Path::parse(path).unwrap()))
}

const STATES: [&str; 6] =
    ["complete", "ad_without_click_id", "organic_post", "code_in_text", "not_reported", "none"];

/// A mapping of every sort, with the fields it needs.
fn mappings() -> Vec<Mapping> {
    let text = |text: &str| Datum::Text(text.to_owned());
    vec![
        path("phone", "phone"),
        path("firstname", "name.first"),
        Mapping { default: Some(text("WhatsApp lead")), ..path("lastname", "name.last") },
        path("ctwa_clid", "attribution.last.ctwa_clid"),
        path("ad_state", "attribution.state"),
        path("free_text_until", "window.free_text_until"),
        path("first_seen", "first_seen_at"),
        path("bot_messages", "chatbot_messages_count"),
        path("competitors", "chatbot_competitor_mentions"),
        path("plan", "custom.plan"),
        Mapping::new("lead_source", Source::Value(text("WhatsApp"))),
        Mapping::new("from_whatsapp", Source::Value(Datum::Truth(true))),
        Mapping {
            values: BTreeMap::from([("whatsapp:main".to_owned(), "WhatsApp Main".to_owned())]),
            ..path("origin", "source")
        },
        Mapping { on_missing: OnMissing::Hold, ..path("bridge_id", "lead.id") },
    ]
}

fn schema() -> Schema {
    let fields = [
        ("wa_e164", Field { unique: true, longest: Some(20), ..field(FieldKind::Text) }),
        ("phone", Field { label: "Phone number".to_owned(), ..field(FieldKind::Text) }),
        ("firstname", field(FieldKind::Text)),
        ("lastname", Field { required: true, ..field(FieldKind::Text) }),
        ("ctwa_clid", field(FieldKind::Text)),
        ("ad_state", choice(&STATES)),
        ("free_text_until", field(FieldKind::Instant)),
        ("first_seen", field(FieldKind::Date)),
        ("bot_messages", field(FieldKind::Number)),
        ("competitors", field(FieldKind::Text)),
        ("plan", field(FieldKind::Number)),
        ("lead_source", choice(&["WhatsApp", "Web"])),
        ("from_whatsapp", field(FieldKind::Truth)),
        ("origin", choice(&["WhatsApp Main", "chatbot:site"])),
        ("bridge_id", field(FieldKind::Text)),
        ("record_owner", Field { required: true, read_only: true, ..field(FieldKind::Other) }),
    ];
    let fields = fields.map(|(name, field)| (name.to_owned(), field)).into_iter().collect();
    let stage = |label: &str, closed, restricted| Stage {
        label: label.to_owned(),
        closed,
        restricted,
        ..Stage::default()
    };
    let sales = Pipeline {
        label: "Sales".to_owned(),
        stages: BTreeMap::from([
            ("appointment".to_owned(), stage("Appointment", false, false)),
            ("won".to_owned(), stage("Won", true, false)),
            ("approved".to_owned(), stage("Approved", false, true)),
        ]),
    };
    let repairs = Pipeline {
        label: "Repairs".to_owned(),
        stages: BTreeMap::from([("received".to_owned(), stage("Received", false, false))]),
    };
    Schema {
        objects: BTreeMap::from([("contact".to_owned(), Object { fields })]),
        pipelines: BTreeMap::from([("default".to_owned(), sales), ("7781".to_owned(), repairs)]),
        ..Schema::default()
    }
}

fn check(schema: &Schema, deal: (&str, &str)) -> Vec<Fault> {
    let mappings = mappings();
    let needs = Needs { person: "contact", key_field: "wa_e164", fields: &mappings, deal: Some(deal) };
    faults(&needs, schema)
}

const DEAL: (&str, &str) = ("default", "appointment");

fn fields(schema: &mut Schema) -> &mut BTreeMap<String, Field> {
    &mut schema.objects.get_mut("contact").unwrap().fields
}

fn change(name: &'static str, change: fn(&mut Field)) -> Box<dyn Fn(&mut Schema)> {
    Box::new(move |schema| change(fields(schema).get_mut(name).unwrap()))
}

fn remove(name: &'static str) -> Box<dyn Fn(&mut Schema)> {
    Box::new(move |schema| drop(fields(schema).remove(name)))
}

fn rename(name: &'static str, new: &'static str) -> Box<dyn Fn(&mut Schema)> {
    Box::new(move |schema| {
        let field = fields(schema).remove(name).unwrap();
        fields(schema).insert(new.to_owned(), field);
    })
}

fn retype(name: &'static str, kind: FieldKind) -> Box<dyn Fn(&mut Schema)> {
    Box::new(move |schema| fields(schema).get_mut(name).unwrap().kind = kind)
}

fn stage(stage: &'static str, change: fn(&mut Stage)) -> Box<dyn Fn(&mut Schema)> {
    Box::new(move |schema| {
        change(schema.pipelines.get_mut("default").unwrap().stages.get_mut(stage).unwrap());
    })
}

type Mutation = (Box<dyn Fn(&mut Schema)>, &'static str, Problem, Holds, &'static str);

fn mutations() -> Vec<Mutation> {
    use FieldKind as F;
    use Holds::{Deals, Nothing, Person};
    use Problem as P;
    let pipeline = |change: fn(&mut Schema)| Box::new(change) as Box<dyn Fn(&mut Schema)>;
    vec![
        // The key
        (
            remove("wa_e164"),
            "wa_e164",
            P::Missing,
            Person,
            "contact has no field 'wa_e164', which tells people apart; run `wabridge target setup --apply`, or name another field in key_field",
        ),
        (
            rename("wa_e164", "wa_e164_c"),
            "wa_e164",
            P::Missing,
            Person,
            "did you mean 'wa_e164_c'? Else run `wabridge target setup --apply`",
        ),
        (
            change("wa_e164", |field| field.unique = false),
            "wa_e164",
            P::NotUnique,
            Person,
            "is not unique, so that one person could have two records; make it unique",
        ),
        (
            change("wa_e164", |field| field.read_only = true),
            "wa_e164",
            P::ReadOnly,
            Person,
            "contact field 'wa_e164' cannot be written; let the token's user write it",
        ),
        (
            retype("wa_e164", F::Number),
            "wa_e164",
            P::Type,
            Person,
            "must take text and takes a number; make a text field",
        ),
        (retype("wa_e164", F::Choice), "wa_e164", P::Type, Person, "must take text and takes one of a list"),
        (
            change("wa_e164", |field| field.longest = Some(12)),
            "wa_e164",
            P::TooShort,
            Person,
            "takes 12 characters, and a phone has up to 16",
        ),
        // Fields that are gone
        (
            remove("ctwa_clid"),
            "ctwa_clid",
            P::Missing,
            Nothing,
            "contact has no field 'ctwa_clid'; run `wabridge target setup --apply`, or change [target.fields]",
        ),
        (
            rename("ctwa_clid", "ctwa_click_id"),
            "ctwa_clid",
            P::Missing,
            Nothing,
            "did you mean 'ctwa_click_id'? Else run",
        ),
        (rename("phone", "tel"), "phone", P::Missing, Nothing, "contact has no field 'phone'"),
        (
            rename("bridge_id", "bridge_ident"),
            "bridge_id",
            P::Missing,
            Person,
            "did you mean 'bridge_ident'?",
        ),
        (remove("lead_source"), "lead_source", P::Missing, Nothing, "contact has no field 'lead_source'"),
        (remove("plan"), "plan", P::Missing, Nothing, "contact has no field 'plan'"),
        // Fields that cannot be written
        (
            change("phone", |field| field.read_only = true),
            "phone",
            P::ReadOnly,
            Nothing,
            "contact field 'phone' cannot be written; take it out of [target.fields]",
        ),
        (
            change("lastname", |field| field.read_only = true),
            "lastname",
            P::ReadOnly,
            Person,
            "contact field 'lastname' cannot be written",
        ),
        (
            change("bridge_id", |field| field.read_only = true),
            "bridge_id",
            P::ReadOnly,
            Person,
            "cannot be written",
        ),
        // Fields of another type
        (
            retype("ctwa_clid", F::Number),
            "ctwa_clid",
            P::Type,
            Nothing,
            "contact field 'ctwa_clid' takes a number, and 'attribution.last.ctwa_clid' is a text; map it to a field of another type",
        ),
        (
            retype("firstname", F::Instant),
            "firstname",
            P::Type,
            Nothing,
            "takes an instant, and 'name.first' is a text",
        ),
        (retype("lastname", F::Other), "lastname", P::Type, Person, "takes nothing of ours"),
        (
            retype("free_text_until", F::Date),
            "free_text_until",
            P::Type,
            Nothing,
            "takes a day, and 'window.free_text_until' is an instant",
        ),
        (retype("free_text_until", F::Truth), "free_text_until", P::Type, Nothing, "takes true or false"),
        (
            retype("first_seen", F::Number),
            "first_seen",
            P::Type,
            Nothing,
            "takes a number, and 'first_seen_at' is an instant",
        ),
        (
            retype("bot_messages", F::Truth),
            "bot_messages",
            P::Type,
            Nothing,
            "takes true or false, and 'chatbot_messages_count' is a number",
        ),
        (retype("bot_messages", F::Choice), "bot_messages", P::Type, Nothing, "takes one of a list"),
        (
            retype("competitors", F::Choice),
            "competitors",
            P::Type,
            Nothing,
            "takes one of a list, and 'chatbot_competitor_mentions' is several texts",
        ),
        (retype("plan", F::Other), "plan", P::Type, Nothing, "takes nothing of ours"),
        (
            retype("from_whatsapp", F::Number),
            "from_whatsapp",
            P::Type,
            Nothing,
            "takes a number, and its value is true or false",
        ),
        (
            retype("lead_source", F::Number),
            "lead_source",
            P::Type,
            Nothing,
            "takes a number, and its value is a text",
        ),
        // Lists
        (
            change("lead_source", |field| field.options = vec!["Whatsapp".to_owned(), "Web".to_owned()]),
            "lead_source",
            P::Option,
            Nothing,
            "contact field 'lead_source' has no option 'WhatsApp'; did you mean 'Whatsapp'?",
        ),
        (
            change("ad_state", |field| drop(field.options.remove(4))),
            "ad_state",
            P::Option,
            Nothing,
            "has no option 'not_reported'; add it in the CRM, or translate it with values",
        ),
        (
            change("origin", |field| drop(field.options.remove(0))),
            "origin",
            P::Option,
            Nothing,
            "has no option 'WhatsApp Main'",
        ),
        (
            change("lastname", |field| *field = Field { required: true, ..choice(&["Rao"]) }),
            "lastname",
            P::Option,
            Person,
            "has no option 'WhatsApp lead'",
        ),
        // Length
        (
            change("phone", |field| field.longest = Some(10)),
            "phone",
            P::TooShort,
            Nothing,
            "contact field 'phone' takes 10 characters, and 'phone' has up to 16",
        ),
        (
            change("bridge_id", |field| field.longest = Some(32)),
            "bridge_id",
            P::TooShort,
            Person,
            "takes 32 characters, and 'lead.id' has up to 36",
        ),
        (
            change("lastname", |field| field.longest = Some(8)),
            "lastname",
            P::TooShort,
            Person,
            "takes 8 characters, and 'name.last' has up to 13",
        ),
        (
            change("ad_state", |field| *field = Field { longest: Some(12), ..Field::default() }),
            "ad_state",
            P::TooShort,
            Nothing,
            "takes 12 characters, and 'attribution.state' has up to 19",
        ),
        // A new required field
        (
            Box::new(|schema| {
                drop(fields(schema).insert("region".to_owned(), Field { required: true, ..Field::default() }))
            }),
            "region",
            P::Required,
            Person,
            "contact field 'region' is required, and nothing is mapped to it; add region = { value = \"...\" } to [target.fields]",
        ),
        // Deals
        (
            pipeline(|schema| drop(schema.pipelines.remove("default"))),
            "default",
            P::Missing,
            Deals,
            "deals have no pipeline 'default'; change [target.deal]",
        ),
        (
            pipeline(|schema| {
                let sales = schema.pipelines.remove("default").unwrap();
                schema.pipelines.insert("default_2".to_owned(), sales);
            }),
            "default",
            P::Missing,
            Deals,
            "did you mean 'default_2'?",
        ),
        (
            pipeline(|schema| schema.pipelines.clear()),
            "default",
            P::Missing,
            Deals,
            "deals have no pipeline 'default'",
        ),
        (
            pipeline(|schema| {
                drop(schema.pipelines.get_mut("default").unwrap().stages.remove("appointment"))
            }),
            "appointment",
            P::Missing,
            Deals,
            "pipeline 'default' has no stage 'appointment'; change [target.deal]",
        ),
        (
            pipeline(|schema| {
                let stages = &mut schema.pipelines.get_mut("default").unwrap().stages;
                let stage = stages.remove("appointment").unwrap();
                stages.insert("1042".to_owned(), stage);
            }),
            "appointment",
            P::Missing,
            Deals,
            "did you mean '1042'?",
        ),
        (
            stage("appointment", |stage| stage.restricted = true),
            "appointment",
            P::Restricted,
            Deals,
            "stage 'appointment' may only be entered by some people; name another stage",
        ),
        (
            stage("appointment", |stage| stage.closed = true),
            "appointment",
            P::Closed,
            Deals,
            "stage 'appointment' closes a deal, and new ones are open",
        ),
    ]
}

#[test]
fn each_mutation_of_a_schema_is_found_alone_by_name_with_what_it_holds_and_the_way_out() {
    assert_eq!(check(&schema(), DEAL), []);
    let mutations = mutations();
    assert!(mutations.len() >= 30);
    for (mutate, name, problem, holds, sentence) in mutations {
        let mut schema = schema();
        mutate(&mut schema);
        let faults = check(&schema, DEAL);
        let shown: Vec<String> = faults.iter().map(Fault::to_string).collect();
        assert_eq!(faults.len(), 1, "{name} {problem:?}: {shown:#?}");
        let found = &faults[0];
        assert_eq!((found.name.as_str(), found.problem, found.holds), (name, problem, holds), "{shown:?}");
        assert!(shown[0].contains(sentence), "{shown:?}\n  and not  {sentence}");
        assert!(shown[0].contains(&format!("'{name}'")), "{shown:?}");
    }
}

#[test]
fn an_account_without_the_object_holds_people_and_names_every_field() {
    let faults = check(&Schema::default(), DEAL);
    assert_eq!(faults.len(), mappings().len() + 2);
    assert_eq!(faults[0].holds, Holds::Person);
    assert!(faults.iter().any(|fault| fault.name == "wa_e164" && fault.holds == Holds::Person));
    assert!(faults.is_sorted_by_key(|fault| fault.holds == Holds::Nothing));
}

#[test]
fn a_stage_of_another_pipeline_is_told_as_such() {
    let faults = check(&schema(), ("default", "received"));
    assert_eq!(
        faults[0].to_string(),
        "pipeline 'default' has no stage 'received'; it is a stage of pipeline '7781'; change [target.deal]"
    );
    assert!(check(&schema(), ("Repairs", "received"))[0].to_string().contains("did you mean '7781'?"));
}

#[test]
fn what_is_missing_is_made_with_the_type_of_what_is_written() {
    let mappings = mappings();
    let needs = Needs { person: "contact", key_field: "wa_e164", fields: &mappings, deal: None };
    assert_eq!(missing_fields(&needs, &schema()), []);
    let made = missing_fields(&needs, &Schema::default());
    assert_eq!(made.len(), mappings.len() + 1);
    assert!(made[0].unique && made[0].name == "wa_e164" && made[0].kind == FieldKind::Text);
    let kinds: BTreeMap<_, _> = made.iter().map(|field| (field.name.as_str(), field.kind)).collect();
    assert_eq!(kinds["free_text_until"], FieldKind::Instant);
    assert_eq!(kinds["bot_messages"], FieldKind::Number);
    assert_eq!(kinds["from_whatsapp"], FieldKind::Truth);
    assert_eq!(kinds["ad_state"], FieldKind::Text);
    // What is made needs no more mending.
    let fields = made.into_iter().map(|new| {
        (new.name, Field { label: new.label, kind: new.kind, unique: new.unique, ..Field::default() })
    });
    let object = Object { fields: fields.collect() };
    let made = Schema { objects: BTreeMap::from([("contact".to_owned(), object)]), ..Schema::default() };
    assert_eq!(faults(&needs, &made), []);
}

#[test]
fn a_single_value_is_refused_where_it_does_not_fit() {
    use Datum as D;
    let text = |text: &str| D::Text(text.to_owned());
    let short = Field { longest: Some(3), ..Field::default() };
    let some = Field { kind: FieldKind::Choices, ..choice(&["a", "b"]) };
    let texts = |texts: &[&str]| D::Texts(texts.iter().map(|text| (*text).to_owned()).collect());
    let at = D::Instant(Timestamp::UNIX_EPOCH);
    for (field, datum, expected) in [
        (&short, text("अआइ"), None),
        (&short, text("abcd"), Some(Problem::TooShort)),
        (&choice(&["a"]), text("a"), None),
        (&choice(&["a"]), text("b"), Some(Problem::Option)),
        (&choice(&[]), text("b"), None),
        (&some, texts(&["a", "b"]), None),
        (&some, texts(&["a", "c"]), Some(Problem::Option)),
        (&field(FieldKind::Number), text("12.5"), None),
        (&field(FieldKind::Number), text("many"), Some(Problem::Type)),
        (&field(FieldKind::Number), at.clone(), Some(Problem::Type)),
        (&field(FieldKind::Instant), text("2026-11-22T08:35:12Z"), None),
        (&field(FieldKind::Instant), text("soon"), Some(Problem::Type)),
        (&field(FieldKind::Date), at, None),
        (&field(FieldKind::Date), text("2026-11-22"), None),
        (&field(FieldKind::Truth), text("yes"), Some(Problem::Type)),
        (&field(FieldKind::Other), text("a"), Some(Problem::Type)),
    ] {
        assert_eq!(refuses(field, &datum), expected, "{field:?} {datum:?}");
    }
}

#[test]
fn a_field_that_an_adapter_needs_holds_what_it_is_for() {
    let own = |object: &str, name: &str| NewField {
        object: object.to_owned(),
        name: name.to_owned(),
        label: String::new(),
        kind: FieldKind::Text,
        unique: true,
    };
    let needed = [own("contact", "wa_e164"), own("contact", "phone"), own("deal", "wa_deal_key")];
    let found = lacking(&needed, &schema());
    let told: Vec<_> = found.iter().map(|fault| (fault.name.as_str(), fault.problem, fault.holds)).collect();
    let expected =
        [("phone", Problem::NotUnique, Holds::Person), ("wa_deal_key", Problem::Missing, Holds::Deals)];
    assert_eq!(told, expected);
}
