//! `POST /crm/objects/{type}/search`: an index that is behind by `search_lag_seconds`.

use super::kind::Kind;
use super::problem::Problem;
use super::property::{Property, instant};
use super::read::properties_asked;
use super::record::{Record, Values};
use super::write::json_body;
use super::{HubSpot, Visit};
use crate::call::{Answer, Call};
use serde_json::{Value, json};
use std::cmp::Ordering;

const MOST_GROUPS: usize = 5;
const MOST_FILTERS: usize = 6;
const MOST_FILTERS_IN_ALL: usize = 18;
const LONGEST_BODY: usize = 3_000;
const LONGEST_PAGE: u64 = 200;
const MOST_RESULTS: u64 = 10_000;

impl HubSpot {
    pub(super) fn search(&self, call: &Call<'_>, kind: Kind, visit: Visit) -> Result<Answer, Problem> {
        if call.body_length() > LONGEST_BODY {
            return Err(Problem::invalid(format!("the body is longer than {LONGEST_BODY} characters")));
        }
        let body = json_body(call)?;
        let groups = self.groups_of(kind, &body)?;
        let (limit, after) = page(&body)?;
        let seen = |record: &&Record| record.kind == kind && record.archived.is_none();
        let indexed = self.records.values().filter(seen);
        let indexed = indexed.filter_map(|it| Some((it, it.indexed(visit.now, visit.lag)?)));
        let query = body["query"].as_str().unwrap_or_default().to_lowercase();
        let fits = |values: &Values| {
            (groups.is_empty() || groups.iter().any(|group| group.iter().all(|filter| filter.fits(values))))
                && (query.is_empty() || values.values().any(|value| value.to_lowercase().contains(&query)))
        };
        let mut found: Vec<(&Record, &Values)> = indexed.filter(|(_, values)| fits(values)).collect();
        self.sort(kind, &mut found, &body["sorts"][0])?;
        let total = found.len();
        let properties = properties_asked(kind, &body);
        let skip = usize::try_from(after).unwrap_or(usize::MAX);
        let take = usize::try_from(limit).unwrap_or(usize::MAX);
        let shown = |(record, values): &(&Record, &Values)| record.shown_with(values, &properties);
        let results: Vec<Value> = found.iter().skip(skip).take(take).map(shown).collect();
        let mut answer = json!({ "total": total, "results": results });
        if skip.saturating_add(take) < total {
            answer["paging"] = json!({"next": {"after": (after + limit).to_string()}});
        }
        Ok(Answer::new(200, answer))
    }

    fn groups_of(&self, kind: Kind, body: &Value) -> Result<Vec<Vec<Filter>>, Problem> {
        let empty = Vec::new();
        let groups = body["filterGroups"].as_array().unwrap_or(&empty);
        let counts: Vec<usize> =
            groups.iter().map(|group| group["filters"].as_array().map_or(0, Vec::len)).collect();
        if groups.len() > MOST_GROUPS
            || counts.iter().any(|count| *count > MOST_FILTERS)
            || counts.iter().sum::<usize>() > MOST_FILTERS_IN_ALL
        {
            let message = format!(
                "at most {MOST_GROUPS} filterGroups of {MOST_FILTERS} filters, {MOST_FILTERS_IN_ALL} in all"
            );
            return Err(Problem::invalid(message));
        }
        let filters = |group: &Value| {
            let filters = group["filters"].as_array().into_iter().flatten();
            filters.map(|filter| self.filter(kind, filter)).collect()
        };
        groups.iter().map(filters).collect()
    }

    fn filter(&self, kind: Kind, filter: &Value) -> Result<Filter, Problem> {
        let name = filter["propertyName"].as_str().unwrap_or_default();
        let missing =
            || Problem::invalid(format!("There was a problem with the request: no property '{name}'"));
        let property = self.schema.get(kind, name).ok_or_else(missing)?.clone();
        let word = filter["operator"].as_str().unwrap_or_default();
        let text = |key: &str| match &filter[key] {
            Value::String(text) => Some(text.clone()),
            Value::Null => None,
            other => Some(other.to_string()),
        };
        let value = || {
            let missing = format!("operator {word} on '{name}' needs a value");
            text("value").ok_or_else(|| Problem::invalid(missing))
        };
        let values = || {
            let values = filter["values"].as_array().filter(|values| !values.is_empty());
            let values = values
                .ok_or_else(|| Problem::invalid(format!("operator {word} on '{name}' needs values")))?;
            Ok::<_, Problem>(values.iter().filter_map(|it| it.as_str().map(str::to_owned)).collect())
        };
        let test = match word {
            "EQ" => Test::Equal(value()?),
            "NEQ" => Test::Not(Box::new(Test::Equal(value()?))),
            "IN" => Test::In(values()?),
            "NOT_IN" => Test::Not(Box::new(Test::In(values()?))),
            "CONTAINS_TOKEN" => Test::Token(value()?),
            "NOT_CONTAINS_TOKEN" => Test::Not(Box::new(Test::Token(value()?))),
            "LT" => Test::Ordered(&[Ordering::Less], value()?),
            "LTE" => Test::Ordered(&[Ordering::Less, Ordering::Equal], value()?),
            "GT" => Test::Ordered(&[Ordering::Greater], value()?),
            "GTE" => Test::Ordered(&[Ordering::Greater, Ordering::Equal], value()?),
            "BETWEEN" => {
                let high = text("highValue");
                let missing = || Problem::invalid(format!("BETWEEN on '{name}' needs a highValue"));
                Test::Between(value()?, high.ok_or_else(missing)?)
            }
            "HAS_PROPERTY" | "NOT_HAS_PROPERTY" if text("value").is_some() => {
                return Err(Problem::invalid(format!("operator {word} on '{name}' takes no value")));
            }
            "HAS_PROPERTY" => Test::Known,
            "NOT_HAS_PROPERTY" => Test::Unknown,
            _ => return Err(Problem::invalid(format!("'{word}' is not an operator"))),
        };
        Ok(Filter { property, test })
    }

    fn sort(&self, kind: Kind, found: &mut [(&Record, &Values)], sort: &Value) -> Result<(), Problem> {
        let (name, down) = match sort {
            Value::Null => return Ok(()),
            Value::String(name) => (name.trim_start_matches('-'), name.starts_with('-')),
            it => (it["propertyName"].as_str().unwrap_or_default(), it["direction"] == "DESCENDING"),
        };
        let property = self.schema.get(kind, name);
        let property = property.ok_or_else(|| Problem::invalid(format!("cannot sort by '{name}'")))?;
        found.sort_by(|(_, a), (_, b)| {
            let value = |values: &Values| values.get(name).cloned().unwrap_or_default();
            let order = compare(property, &value(a), &value(b));
            if down { order.reverse() } else { order }
        });
        Ok(())
    }
}

fn page(body: &Value) -> Result<(u64, u64), Problem> {
    let number = |value: &Value, otherwise: u64| match value {
        Value::Null => Some(otherwise),
        Value::String(text) if text.is_empty() => Some(otherwise),
        Value::String(text) => text.parse().ok(),
        value => value.as_u64(),
    };
    let limit = number(&body["limit"], 10).filter(|limit| *limit <= LONGEST_PAGE);
    let limit = limit.ok_or_else(|| Problem::invalid(format!("limit is at most {LONGEST_PAGE}")))?;
    let after = number(&body["after"], 0);
    let after = after.ok_or_else(|| Problem::invalid("after is an integer, from paging.next.after"))?;
    if after + limit > MOST_RESULTS {
        return Err(Problem::invalid(format!("a search shows at most {MOST_RESULTS} results")));
    }
    Ok((limit, after))
}

struct Filter {
    property: Property,
    test: Test,
}

enum Test {
    Equal(String),
    In(Vec<String>),
    Token(String),
    Ordered(&'static [Ordering], String),
    Between(String, String),
    Known,
    Unknown,
    Not(Box<Test>),
}

impl Filter {
    fn fits(&self, values: &Values) -> bool {
        let value = values.get(&self.property.name).map(String::as_str);
        self.passes(&self.test, value)
    }

    fn passes(&self, test: &Test, value: Option<&str>) -> bool {
        let ordered = |orders: &[Ordering], than: &str| {
            value.is_some_and(|value| orders.contains(&compare(&self.property, value, than)))
        };
        match test {
            Test::Equal(wanted) => ordered(&[Ordering::Equal], wanted),
            // The index holds lower case, and IN does not fold what it is given.
            Test::In(wanted) => {
                let folds = self.property.kind == "string";
                let fold = |value: &str| if folds { value.to_lowercase() } else { value.to_owned() };
                value.is_some_and(|value| wanted.contains(&fold(value)))
            }
            Test::Token(pattern) => value.is_some_and(|value| has_token(value, pattern)),
            Test::Ordered(orders, than) => ordered(orders, than),
            Test::Between(low, high) => {
                ordered(&[Ordering::Greater, Ordering::Equal], low)
                    && ordered(&[Ordering::Less, Ordering::Equal], high)
            }
            Test::Known => value.is_some(),
            Test::Unknown => value.is_none(),
            Test::Not(test) => !self.passes(test, value),
        }
    }
}

/// By what the values mean; texts without regard to case.
fn compare(property: &Property, a: &str, b: &str) -> Ordering {
    match property.kind.as_str() {
        "number" => {
            let number = |text: &str| text.trim().parse::<f64>().unwrap_or(f64::NEG_INFINITY);
            number(a).total_cmp(&number(b))
        }
        "date" | "datetime" => instant(a).cmp(&instant(b)),
        _ => a.to_lowercase().cmp(&b.to_lowercase()),
    }
}

/// Whether the value, or one of its words, is like the pattern, in which `*` stands for anything.
fn has_token(value: &str, pattern: &str) -> bool {
    let (value, pattern) = (value.to_lowercase(), pattern.to_lowercase());
    let spaced = value.split(|letter: char| letter.is_whitespace() || ";,".contains(letter));
    let words = value.split(|letter: char| !letter.is_alphanumeric());
    std::iter::once(value.as_str())
        .chain(spaced)
        .chain(words)
        .filter(|token| !token.is_empty())
        .any(|token| is_like(token, &pattern))
}

fn is_like(text: &str, pattern: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return text == pattern };
    let Some(mut text) = text.strip_prefix(start) else { return false };
    let mut parts = rest.split('*').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return text.ends_with(part);
        }
        let Some(at) = text.find(part) else { return false };
        text = &text[at + part.len()..];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_a_word_or_the_whole_value_and_a_star_is_anything() {
        for (value, pattern, like) in [
            ("9876543210", "*76543210", true),
            ("919876543210", "*9876543210", true),
            ("9876543210", "76543210", false),
            ("Asha Verma", "verma", true),
            ("Asha Verma", "ver", false),
            ("Asha Verma", "ver*", true),
            ("a@example.com;b@example.com", "b@example.com", true),
            ("a@example.com", "*@example.*", true),
            ("abcabc", "a*c*c", true),
            ("ab", "a*b*c", false),
        ] {
            assert_eq!(has_token(value, pattern), like, "{value} {pattern}");
        }
    }
}
