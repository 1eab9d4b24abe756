//! What a query and a search have in common: conditions on fields, put together by `and` and `or`.
//!
//! Texts are compared without regard to case. What is not set fits `!=`, `not in` and `is null` alone; how Zoho
//! has it is not documented.

use super::field::{Field, Kind, instant};
use super::record::Values;
use jiff::Timestamp;
use serde_json::Value;
use std::cmp::Ordering;

/// Conditions put together.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expression {
    And(Box<Expression>, Box<Expression>),
    Or(Box<Expression>, Box<Expression>),
    Test(Test),
}

/// A condition on one field.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Test {
    pub(super) field: String,
    pub(super) check: Check,
}

/// What is asked of a value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Check {
    In(Vec<Operand>),
    NotIn(Vec<Operand>),
    Ordered(&'static [Ordering], Operand),
    Between(Operand, Operand),
    StartsWith(String),
    EndsWith(String),
    Contains(String),
    Not(Box<Check>),
    /// The words, one after the other, among others: how Zoho's search has `equals` beside other conditions.
    Words(String),
    Null,
}

/// A value to compare with.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Operand {
    Text(String),
    Number(f64),
    Truth(bool),
    Instant(Timestamp),
}

impl Operand {
    /// Reads a value for a field; `None` where the field cannot have such a one.
    pub(super) fn read(field: &Field, text: &str) -> Option<Operand> {
        match field.kind {
            Kind::Boolean => text.to_ascii_lowercase().parse().ok().map(Operand::Truth),
            Kind::Datetime => instant(text).map(Operand::Instant),
            kind if kind.is_number() => text.parse().ok().map(Operand::Number),
            _ => Some(Operand::Text(text.to_owned())),
        }
    }

    fn compare(&self, value: &Value) -> Option<Ordering> {
        match self {
            Operand::Text(text) => Some(folded(value.as_str()?, text)),
            Operand::Number(number) => value.as_f64()?.partial_cmp(number),
            Operand::Truth(truth) => Some(value.as_bool()?.cmp(truth)),
            Operand::Instant(at) => Some(value.as_str()?.parse::<Timestamp>().ok()?.cmp(at)),
        }
    }

    fn is(&self, value: &Value) -> bool {
        self.compare(value) == Some(Ordering::Equal)
    }
}

/// The order of two texts without regard to case.
fn folded(a: &str, b: &str) -> Ordering {
    if a.eq_ignore_ascii_case(b) {
        return Ordering::Equal;
    }
    a.to_lowercase().cmp(&b.to_lowercase())
}

impl Expression {
    pub(super) fn holds(&self, values: &Values) -> bool {
        match self {
            Expression::And(a, b) => a.holds(values) && b.holds(values),
            Expression::Or(a, b) => a.holds(values) || b.holds(values),
            Expression::Test(test) => test.check.holds(values.get(&test.field)),
        }
    }

    /// Whether some condition is on one of these fields.
    pub(super) fn names(&self, fields: &[&str]) -> bool {
        match self {
            Expression::And(a, b) | Expression::Or(a, b) => a.names(fields) || b.names(fields),
            Expression::Test(test) => fields.contains(&test.field.as_str()),
        }
    }
}

impl Check {
    fn holds(&self, value: Option<&Value>) -> bool {
        let value = value.filter(|value| !value.is_null());
        let text = value.and_then(Value::as_str);
        match self {
            Check::Null => value.is_none(),
            Check::Not(check) => !check.holds(value),
            Check::NotIn(operands) => value.is_none_or(|value| !operands.iter().any(|it| it.is(value))),
            Check::In(operands) => value.is_some_and(|value| operands.iter().any(|it| it.is(value))),
            Check::Ordered(orders, operand) => {
                value.and_then(|value| operand.compare(value)).is_some_and(|order| orders.contains(&order))
            }
            Check::Between(low, high) => value.is_some_and(|value| {
                low.compare(value).is_some_and(Ordering::is_ge)
                    && high.compare(value).is_some_and(Ordering::is_le)
            }),
            Check::StartsWith(part) => text.is_some_and(|text| starts(text, part)),
            Check::EndsWith(part) => text.is_some_and(|text| ends(text, part)),
            Check::Contains(part) => {
                text.is_some_and(|text| text.to_lowercase().contains(&part.to_lowercase()))
            }
            Check::Words(words) => text.is_some_and(|text| has_words(text, words)),
        }
    }
}

fn starts(text: &str, part: &str) -> bool {
    text.get(..part.len()).is_some_and(|start| start.eq_ignore_ascii_case(part))
}

fn ends(text: &str, part: &str) -> bool {
    let at = text.len().checked_sub(part.len());
    at.and_then(|at| text.get(at..)).is_some_and(|end| end.eq_ignore_ascii_case(part))
}

/// Whether the words of one text come one after the other in another.
pub(super) fn has_words(text: &str, words: &str) -> bool {
    let lower = |text: &str| text.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>();
    let (text, words) = (lower(text), lower(words));
    !words.is_empty() && text.windows(words.len()).any(|some| some == words.as_slice())
}
