//! Whether a CRM has what the configuration needs: every gap by name, what it holds up, and the way out.
//!
//! In: the mapping, the key field and the deal of a target, and the CRM's schema. Out: [`Fault`]s, and the fields
//! that `target setup` makes. A fault about a field of the person that holds nothing means: that field is left out.
//! What can only be told of a single value, [`refuses`] tells.

use super::{Field, FieldKind, NewField, Object, Schema};
use crate::mapping::{Datum, Kind, Mapping, OnMissing, Source};
use crate::near::nearest;
use jiff::Timestamp;
use jiff::civil::Date;
use std::collections::BTreeSet;
use std::fmt;

const SETUP: &str = "run `wabridge target setup --apply`, or change [target.fields]";
const OTHER_KEY: &str = "or name another field in key_field";
const OTHER_DEAL: &str = "change [target.deal]";
/// `+` and the digits of any phone.
const PHONE: u32 = 16;

/// What a target needs of its CRM.
#[derive(Debug, Clone, Copy)]
pub struct Needs<'a> {
    /// The object of new people.
    pub person: &'a str,
    /// Our unique field of it.
    pub key_field: &'a str,
    /// What is written to it.
    pub fields: &'a [Mapping],
    /// Pipeline and stage of new deals, where there are any.
    pub deal: Option<(&'a str, &'a str)>,
}

/// Something that the CRM lacks, or has otherwise than we need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The object, by our word; `deal` for pipelines and stages.
    pub object: String,
    /// The field, pipeline or stage.
    pub name: String,
    /// What sort of fault.
    pub problem: Problem,
    /// What must wait until it is mended.
    pub holds: Holds,
    /// What is wrong, with the name.
    pub text: String,
    /// What to do about it.
    pub advice: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.text, self.advice)
    }
}

/// What must wait until a fault is mended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holds {
    /// Nothing: the field is left out, and written once it is mended.
    Nothing,
    /// The person, and so everything of the lead.
    Person,
    /// Deals alone.
    Deals,
}

/// What sort of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Problem {
    /// It is not there.
    Missing,
    /// Two records may have the same value.
    NotUnique,
    /// It cannot be written.
    ReadOnly,
    /// It takes something else.
    Type,
    /// Its list lacks a word.
    Option,
    /// It takes fewer characters.
    TooShort,
    /// A new record needs it, and nothing is mapped to it.
    Required,
    /// Only some people may move a deal into it.
    Restricted,
    /// A deal in it is closed.
    Closed,
}

impl Problem {
    /// The name in reasons, rows and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Problem::Missing => "missing",
            Problem::NotUnique => "not_unique",
            Problem::ReadOnly => "read_only",
            Problem::Type => "type",
            Problem::Option => "option",
            Problem::TooShort => "too_short",
            Problem::Required => "required",
            Problem::Restricted => "restricted",
            Problem::Closed => "closed",
        }
    }
}

/// Everything that is not as it must be: what holds people first, then by name.
#[must_use]
pub fn faults(needs: &Needs<'_>, schema: &Schema) -> Vec<Fault> {
    let nothing = Object::default();
    let object = schema.objects.get(needs.person).unwrap_or(&nothing);
    let mut faults: Vec<Fault> = key(needs, object).into_iter().collect();
    faults.extend(needs.fields.iter().filter_map(|mapping| mapped(needs, mapping, object)));
    faults.extend(required(needs, object));
    faults.extend(needs.deal.and_then(|(pipeline, stage)| stage_fault(pipeline, stage, schema)));
    let rank = |holds| match holds {
        Holds::Person => 0,
        Holds::Deals => 1,
        Holds::Nothing => 2,
    };
    faults.sort_by(|a, b| (rank(a.holds), &a.name).cmp(&(rank(b.holds), &b.name)));
    faults
}

/// The fields that are not there, as they must be made.
#[must_use]
pub fn missing_fields(needs: &Needs<'_>, schema: &Schema) -> Vec<NewField> {
    let has =
        |name: &str| schema.objects.get(needs.person).is_some_and(|object| object.fields.contains_key(name));
    let new = |name: &str, label: String, kind, unique| NewField {
        object: needs.person.to_owned(),
        name: name.to_owned(),
        label,
        kind,
        unique,
    };
    let key = new(needs.key_field, "WhatsApp number, E.164".to_owned(), FieldKind::Text, true);
    let mapped = needs.fields.iter().map(|mapping| {
        let (label, kind) = label(mapping);
        new(&mapping.field, label, kind, false)
    });
    [key].into_iter().chain(mapped).filter(|field| !has(&field.name)).collect()
}

/// Which of an adapter's own fields are not there, or not unique where they must be. One of deals holds deals; any
/// other holds the person.
#[must_use]
pub fn lacking(own: &[NewField], schema: &Schema) -> Vec<Fault> {
    let fault = |new: &NewField| {
        let found = schema.objects.get(&new.object).and_then(|object| object.fields.get(&new.name));
        let (problem, text) = match found {
            None => (Problem::Missing, format!("{} has no field '{}'", new.object, new.name)),
            Some(field) if new.unique && !field.unique => {
                (Problem::NotUnique, format!("{} field '{}' is not unique", new.object, new.name))
            }
            Some(_) => return None,
        };
        let holds = if new.object == "deal" { Holds::Deals } else { Holds::Person };
        let (object, name) = (new.object.clone(), new.name.clone());
        let advice = match problem {
            Problem::Missing => "run `wabridge target setup --apply`".to_owned(),
            _ => "take it away in the CRM and run `wabridge target setup --apply`".to_owned(),
        };
        Some(Fault { object, name, problem, holds, text, advice })
    };
    own.iter().filter_map(fault).collect()
}

fn label(mapping: &Mapping) -> (String, FieldKind) {
    match &mapping.from {
        Source::Value(Datum::Number(_)) => (mapping.field.clone(), FieldKind::Number),
        Source::Value(Datum::Truth(_)) => (mapping.field.clone(), FieldKind::Truth),
        Source::Value(_) => (mapping.field.clone(), FieldKind::Text),
        Source::Path(path) => {
            let about = path.known().about;
            let label = path.argument().map_or_else(|| about.to_owned(), |of| format!("{about}: {of}"));
            // Other words for numbers are words.
            let kind = if mapping.values.is_empty() { path.known().kind.field() } else { FieldKind::Text };
            (label, kind)
        }
    }
}

fn key(needs: &Needs<'_>, object: &Object) -> Option<Fault> {
    let name = needs.key_field;
    let of = format!("{} field '{name}'", needs.person);
    let (problem, text, advice) = match object.fields.get(name) {
        None => (
            Problem::Missing,
            format!("{} has no field '{name}', which tells people apart", needs.person),
            match alike(name, object) {
                Some(near) => format!("did you mean '{near}'? Else run `wabridge target setup --apply`"),
                None => format!("run `wabridge target setup --apply`, {OTHER_KEY}"),
            },
        ),
        Some(field) if field.kind != FieldKind::Text => (
            Problem::Type,
            format!("{of} must take text and takes {}", said(field.kind)),
            format!("make a text field that is unique, {OTHER_KEY}"),
        ),
        Some(field) if field.read_only => (
            Problem::ReadOnly,
            format!("{of} cannot be written"),
            format!("let the token's user write it, {OTHER_KEY}"),
        ),
        Some(field) if !field.unique => (
            Problem::NotUnique,
            format!("{of} is not unique, so that one person could have two records"),
            format!("make it unique in the CRM, {OTHER_KEY}"),
        ),
        Some(field) => {
            let longest = field.longest.filter(|longest| *longest < PHONE)?;
            let text = format!("{of} takes {longest} characters, and a phone has up to {PHONE}");
            (Problem::TooShort, text, format!("make it longer in the CRM, {OTHER_KEY}"))
        }
    };
    let (object, name) = (needs.person.to_owned(), name.to_owned());
    Some(Fault { object, name, problem, holds: Holds::Person, text, advice })
}

/// What is wrong with a mapped field, the worst first.
fn mapped(needs: &Needs<'_>, mapping: &Mapping, object: &Object) -> Option<Fault> {
    let name = &mapping.field;
    let found = object.fields.get(name);
    let of = format!("{} field '{name}'", needs.person);
    let change = || "change it in the CRM, or change [target.fields]".to_owned();
    let (problem, text, advice) = match found {
        None => {
            let advice = match alike(name, object) {
                Some(near) => format!("did you mean '{near}'? Else {SETUP}"),
                None => SETUP.to_owned(),
            };
            (Problem::Missing, format!("{} has no field '{name}'", needs.person), advice)
        }
        Some(field) if field.read_only => {
            let advice = "take it out of [target.fields], or map it to another field".to_owned();
            (Problem::ReadOnly, format!("{of} cannot be written"), advice)
        }
        Some(field) if !fits(mapping, field.kind) => {
            let text =
                format!("{of} takes {}, and {} is {}", said(field.kind), of_what(mapping), kind(mapping));
            (Problem::Type, text, "map it to a field of another type, or change it in the CRM".to_owned())
        }
        Some(field) => {
            let words = words(mapping);
            if let Some(word) = words.iter().find(|word| lacks(field, word)) {
                let near = nearest(word, field.options.iter().map(String::as_str));
                let advice = match near {
                    Some(near) => format!(
                        "did you mean '{near}'? Else add it in the CRM, or translate it with values = {{ }}"
                    ),
                    None => "add it in the CRM, or translate it with values = { }".to_owned(),
                };
                (Problem::Option, format!("{of} has no option '{word}'"), advice)
            } else {
                let needed = words.iter().map(|word| length(word)).chain(least(mapping)).max()?;
                let longest = field.longest.filter(|longest| *longest < needed)?;
                let text =
                    format!("{of} takes {longest} characters, and {} has up to {needed}", of_what(mapping));
                (Problem::TooShort, text, change())
            }
        }
    };
    let must = mapping.on_missing == OnMissing::Hold || found.is_some_and(|field| field.required);
    let holds = if must { Holds::Person } else { Holds::Nothing };
    Some(Fault { object: needs.person.to_owned(), name: name.clone(), problem, holds, text, advice })
}

/// The fields without which the CRM takes no new person, and that nothing is mapped to.
fn required(needs: &Needs<'_>, object: &Object) -> Vec<Fault> {
    let given: BTreeSet<&str> =
        needs.fields.iter().map(|mapping| mapping.field.as_str()).chain([needs.key_field]).collect();
    let missing = object
        .fields
        .iter()
        .filter(|(name, field)| field.required && !field.read_only && !given.contains(name.as_str()));
    let fault = |(name, _): (&String, &Field)| Fault {
        object: needs.person.to_owned(),
        name: name.clone(),
        problem: Problem::Required,
        holds: Holds::Person,
        text: format!("{} field '{name}' is required, and nothing is mapped to it", needs.person),
        advice: format!(
            "add {name} = {{ value = \"...\" }} to [target.fields], or make it optional in the CRM"
        ),
    };
    missing.map(fault).collect()
}

/// What is wrong with a pipeline or a stage of it that deals are to enter.
#[must_use]
pub fn stage_fault(pipeline: &str, stage: &str, schema: &Schema) -> Option<Fault> {
    let fault = |name: &str, problem, text: String, advice: String| {
        let (object, name) = ("deal".to_owned(), name.to_owned());
        Some(Fault { object, name, problem, holds: Holds::Deals, text, advice })
    };
    let instead = |near: Option<&str>| match near {
        Some(near) => format!("did you mean '{near}'? Else {OTHER_DEAL}"),
        None => OTHER_DEAL.to_owned(),
    };
    let Some(found) = schema.pipelines.get(pipeline) else {
        let named = schema.pipelines.iter().map(|(id, known)| (id.as_str(), known.label.as_str()));
        let advice = instead(by_label(pipeline, named));
        return fault(pipeline, Problem::Missing, format!("deals have no pipeline '{pipeline}'"), advice);
    };
    let Some(known) = found.stages.get(stage) else {
        let named = found.stages.iter().map(|(id, known)| (id.as_str(), known.label.as_str()));
        let other = schema.pipelines.iter().find(|(_, other)| other.stages.contains_key(stage));
        let advice = match other {
            Some((other, _)) => format!("it is a stage of pipeline '{other}'; {OTHER_DEAL}"),
            None => instead(by_label(stage, named)),
        };
        return fault(
            stage,
            Problem::Missing,
            format!("pipeline '{pipeline}' has no stage '{stage}'"),
            advice,
        );
    };
    if known.restricted {
        let text = format!("stage '{stage}' may only be entered by some people");
        return fault(stage, Problem::Restricted, text, format!("name another stage: {OTHER_DEAL}"));
    }
    if known.closed {
        let text = format!("stage '{stage}' closes a deal, and new ones are open");
        return fault(stage, Problem::Closed, text, format!("name another stage: {OTHER_DEAL}"));
    }
    None
}

/// Whether a field takes a value. What a mapping gives in general is [`faults`]' business; here it is about words
/// that are in no list, and texts too long.
#[must_use]
pub fn refuses(field: &Field, datum: &Datum) -> Option<Problem> {
    let unless = |fits: bool, problem| (!fits).then_some(problem);
    let long =
        |text: &str| unless(field.longest.is_none_or(|longest| length(text) <= longest), Problem::TooShort);
    match (field.kind, datum) {
        (FieldKind::Other, _) => Some(Problem::Type),
        (FieldKind::Text, Datum::Text(text) | Datum::Number(text)) => long(text),
        (FieldKind::Text, Datum::Texts(texts)) => long(&texts.join(", ")),
        (FieldKind::Text, Datum::Truth(_) | Datum::Instant(_)) => None,
        (FieldKind::Number, Datum::Number(_)) => None,
        (FieldKind::Number, Datum::Text(text)) => unless(text.parse::<f64>().is_ok(), Problem::Type),
        (FieldKind::Truth, Datum::Truth(_)) => None,
        (FieldKind::Truth, Datum::Text(text)) => {
            unless(matches!(text.as_str(), "true" | "false"), Problem::Type)
        }
        (FieldKind::Date | FieldKind::Instant, Datum::Instant(_)) => None,
        (FieldKind::Instant, Datum::Text(text)) => unless(text.parse::<Timestamp>().is_ok(), Problem::Type),
        (FieldKind::Date, Datum::Text(text)) => unless(text.parse::<Date>().is_ok(), Problem::Type),
        (FieldKind::Choice | FieldKind::Choices, Datum::Text(text) | Datum::Number(text)) => {
            unless(!lacks(field, text), Problem::Option)
        }
        (FieldKind::Choice | FieldKind::Choices, Datum::Truth(truth)) => {
            unless(!lacks(field, &truth.to_string()), Problem::Option)
        }
        (FieldKind::Choices, Datum::Texts(texts)) => {
            unless(!texts.iter().any(|text| lacks(field, text)), Problem::Option)
        }
        _ => Some(Problem::Type),
    }
}

/// Whether a list lacks a word. A list that is empty is kept elsewhere.
fn lacks(field: &Field, word: &str) -> bool {
    let is_list = matches!(field.kind, FieldKind::Choice | FieldKind::Choices);
    is_list && !field.options.is_empty() && !field.options.iter().any(|option| option == word)
}

/// Whether what a mapping gives may ever fit a field of this type.
fn fits(mapping: &Mapping, field: FieldKind) -> bool {
    use FieldKind as F;
    let (texts, is_window) = match &mapping.from {
        Source::Value(value) => {
            // Its words are compared with the list apart.
            let bare = Field { kind: field, ..Field::default() };
            return refuses(&bare, value).is_none();
        }
        Source::Path(path) => (!mapping.values.is_empty(), path.is_window()),
    };
    match mapping.path().map_or(Kind::Any, |path| path.known().kind) {
        Kind::Any => field != F::Other,
        Kind::Text | Kind::Word(_) => matches!(field, F::Text | F::Choice | F::Choices),
        Kind::Number => {
            matches!(field, F::Number | F::Text) || (texts && matches!(field, F::Choice | F::Choices))
        }
        // A window ends at an instant: its day alone would promise too much.
        Kind::Instant => matches!(field, F::Instant | F::Text) || (field == F::Date && !is_window),
        Kind::Texts => matches!(field, F::Text | F::Choices),
    }
}

/// The words that a mapping is sure to write sooner or later.
fn words(mapping: &Mapping) -> Vec<String> {
    let mut words: Vec<String> = mapping.values.values().cloned().collect();
    let text = |datum: &Datum| match datum {
        Datum::Text(text) | Datum::Number(text) => Some(text.clone()),
        _ => None,
    };
    words.extend(mapping.default.as_ref().and_then(text));
    match &mapping.from {
        Source::Value(value) => words.extend(text(value)),
        Source::Path(path) => {
            if let Kind::Word(list) = path.known().kind {
                let untranslated = list.iter().filter(|word| !mapping.values.contains_key(**word));
                words.extend(untranslated.map(|word| (*word).to_owned()));
            }
        }
    }
    words
}

/// The characters without which a value is worth nothing.
fn least(mapping: &Mapping) -> Option<u32> {
    match mapping.path()?.known().path {
        "phone" | "window.business_number" => Some(PHONE),
        "attribution.first.business_number" | "attribution.last.business_number" => Some(PHONE),
        "lead.id" => Some(36),
        "trace_id" => Some(32),
        "country" => Some(2),
        _ => None,
    }
}

fn length(text: &str) -> u32 {
    u32::try_from(text.chars().count()).unwrap_or(u32::MAX)
}

/// The field that was probably meant: the one that people call so, else the one most alike.
fn alike<'o>(name: &str, object: &'o Object) -> Option<&'o str> {
    by_label(name, object.fields.iter().map(|(known, field)| (known.as_str(), field.label.as_str())))
}

fn by_label<'o>(name: &str, named: impl Iterator<Item = (&'o str, &'o str)> + Clone) -> Option<&'o str> {
    let called = named.clone().find(|(_, label)| label.to_lowercase() == name.to_lowercase());
    called.map(|(id, _)| id).or_else(|| nearest(name, named.map(|(id, _)| id)))
}

fn of_what(mapping: &Mapping) -> String {
    mapping.path().map_or_else(|| "its value".to_owned(), |path| format!("'{}'", path.as_str()))
}

fn kind(mapping: &Mapping) -> &'static str {
    match &mapping.from {
        Source::Path(path) => match path.known().kind {
            Kind::Text | Kind::Any => "a text",
            Kind::Number => "a number",
            Kind::Instant => "an instant",
            Kind::Texts => "several texts",
            Kind::Word(_) => "a word of a list",
        },
        Source::Value(Datum::Number(_)) => "a number",
        Source::Value(Datum::Truth(_)) => "true or false",
        Source::Value(_) => "a text",
    }
}

fn said(kind: FieldKind) -> &'static str {
    match kind {
        FieldKind::Text => "text",
        FieldKind::Number => "a number",
        FieldKind::Truth => "true or false",
        FieldKind::Date => "a day",
        FieldKind::Instant => "an instant",
        FieldKind::Choice => "one of a list",
        FieldKind::Choices => "some of a list",
        FieldKind::Other => "nothing of ours",
    }
}

#[cfg(test)]
mod tests;
