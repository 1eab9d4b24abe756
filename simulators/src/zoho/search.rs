//! `GET /crm/v8/{module}/search`: by criteria, e-mail address, phone or a word, in an index that is behind by
//! `search_lag_seconds`.
//!
//! Phones are compared as they are stored: Zoho documents no other way. Of several criteria `equals` finds what
//! has the words among others, as Zoho's does.

use super::field::{Field, Kind};
use super::module::Module;
use super::problem::Problem;
use super::query::{Check, Expression, Operand, Test, has_words};
use super::read::{fields_of, wanted};
use super::record::Values;
use super::{Visit, Zoho};
use crate::call::{Answer, Call};
use serde_json::json;
use std::cmp::Ordering;

const MOST_CRITERIA: usize = 10;
const SHORTEST_WORD: usize = 2;

/// What is asked of a record.
type Fits<'a> = Box<dyn Fn(&Values) -> bool + 'a>;

impl Zoho {
    /// `GET /crm/v8/{module}/search`
    pub(super) fn search(&self, call: &Call<'_>, module: Module, visit: &Visit) -> Result<Answer, Problem> {
        let test = self.test(call, module)?;
        let fields = fields_of(call)?;
        let seen = self.all_of(module).filter(|record| !record.deleted && wanted(call, record));
        let known = seen.filter_map(|record| record.indexed(visit.now, visit.lag));
        let mut found: Vec<&Values> = known.filter(|values| test(values)).collect();
        found.reverse();
        self.page(call, module, found, &fields, visit)
    }

    /// Reads what the parameters ask.
    fn test<'a>(&'a self, call: &Call<'_>, module: Module) -> Result<Fits<'a>, Problem> {
        if let Some(text) = call.query("criteria") {
            let expression = self.criteria(module, text)?;
            return Ok(Box::new(move |values| expression.holds(values)));
        }
        let any = move |kinds: &'static [Kind], fits: Box<dyn Fn(&str) -> bool>| {
            let of: Vec<&Field> =
                self.schema.of(module).iter().filter(|it| kinds.contains(&it.kind)).collect();
            Box::new(move |values: &Values| {
                let mut texts = of.iter().filter_map(|field| values.get(&field.name)?.as_str());
                texts.any(&fits)
            })
        };
        if let Some(email) = call.query("email").map(str::to_owned) {
            return Ok(any(&[Kind::Email], Box::new(move |text| text.eq_ignore_ascii_case(email.trim()))));
        }
        if let Some(phone) = call.query("phone").map(str::to_owned) {
            return Ok(any(&[Kind::Phone], Box::new(move |text| text == phone.trim())));
        }
        let Some(word) = call.query("word").map(str::to_owned) else {
            return Err(Problem::parameter("criteria"));
        };
        if word.chars().count() < SHORTEST_WORD {
            return Err(Problem::bad_parameter("word"));
        }
        let kinds = &[Kind::Text, Kind::Email, Kind::Phone, Kind::Website, Kind::Picklist];
        Ok(any(kinds, Box::new(move |text| has_words(text, &word))))
    }

    fn criteria(&self, module: Module, text: &str) -> Result<Expression, Problem> {
        let mut reader = Reader { rest: text.trim(), of: self.schema.of(module), count: 0 };
        let mut expression = reader.group().filter(|_| reader.rest.is_empty()).ok_or_else(invalid)?;
        if reader.count > MOST_CRITERIA {
            let details = json!({"limit": MOST_CRITERIA, "param_name": "criteria"});
            return Err(Problem::new(400, "LIMIT_EXCEEDED", "criteria limit exceeded").with(details));
        }
        if reader.count > 1 {
            loosen(&mut expression);
        }
        Ok(expression)
    }
}

fn invalid() -> Problem {
    Problem::new(400, "INVALID_QUERY", "invalid query formed").with(json!({"param_name": "criteria"}))
}

/// Makes `equals` of texts find words among others.
fn loosen(expression: &mut Expression) {
    match expression {
        Expression::And(a, b) | Expression::Or(a, b) => {
            loosen(a);
            loosen(b);
        }
        Expression::Test(Test { check, .. }) => {
            if let Check::In(values) = check
                && let [Operand::Text(words)] = values.as_slice()
            {
                *check = Check::Words(words.clone());
            }
        }
    }
}

/// Reads `(Field:operator:value)`, joined by `and` and `or` in further brackets.
struct Reader<'a> {
    rest: &'a str,
    of: &'a [Field],
    count: usize,
}

impl Reader<'_> {
    fn takes(&mut self, word: &str) -> bool {
        let start = self.rest.get(..word.len()).filter(|start| start.eq_ignore_ascii_case(word));
        let takes = start.is_some();
        if takes {
            self.rest = self.rest[word.len()..].trim_start();
        }
        takes
    }

    fn group(&mut self) -> Option<Expression> {
        if !self.takes("(") {
            return None;
        }
        if !self.rest.starts_with('(') {
            return self.criterion();
        }
        let mut all = self.group()?;
        loop {
            if self.takes(")") {
                return Some(all);
            }
            all = if self.takes("and") {
                Expression::And(Box::new(all), Box::new(self.group()?))
            } else if self.takes("or") {
                Expression::Or(Box::new(all), Box::new(self.group()?))
            } else {
                return None;
            };
        }
    }

    /// `Field:operator:value)`, where a backslash goes before a bracket, a comma or another backslash.
    fn criterion(&mut self) -> Option<Expression> {
        self.count += 1;
        let (name, rest) = self.rest.split_once(':')?;
        let (word, rest) = rest.split_once(':')?;
        let mut values = vec![String::new()];
        let mut letters = rest.char_indices();
        let end = loop {
            let (at, letter) = letters.next()?;
            let last = values.last_mut()?;
            match letter {
                ')' => break at,
                '\\' => last.push(letters.next()?.1),
                ',' => values.push(String::new()),
                other => last.push(other),
            }
        };
        self.rest = rest[end + 1..].trim_start();
        let field = self.of.iter().find(|field| field.name == name.trim())?;
        let operands: Option<Vec<Operand>> =
            values.iter().map(|it| Operand::read(field, it.trim())).collect();
        let check = check(word.trim(), operands?)?;
        Some(Expression::Test(Test { field: field.name.clone(), check }))
    }
}

fn check(word: &str, mut values: Vec<Operand>) -> Option<Check> {
    if word == "in" {
        return Some(Check::In(values));
    }
    if word == "between" {
        let (high, low) = (values.pop()?, values.pop()?);
        return values.is_empty().then_some(Check::Between(low, high));
    }
    let value = values.pop().filter(|_| values.is_empty())?;
    let ordered = |orders: &'static [Ordering], value| Some(Check::Ordered(orders, value));
    match (word, value) {
        ("equals", value) => Some(Check::In(vec![value])),
        ("not_equal", value) => Some(Check::NotIn(vec![value])),
        ("starts_with", Operand::Text(part)) => Some(Check::StartsWith(part)),
        ("ends_with", Operand::Text(part)) => Some(Check::EndsWith(part)),
        ("contains", Operand::Text(part)) => Some(Check::Contains(part)),
        ("less_than", value) => ordered(&[Ordering::Less], value),
        ("less_equal", value) => ordered(&[Ordering::Less, Ordering::Equal], value),
        ("greater_than", value) => ordered(&[Ordering::Greater], value),
        ("greater_equal", value) => ordered(&[Ordering::Greater, Ordering::Equal], value),
        _ => None,
    }
}
