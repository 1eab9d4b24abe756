//! `POST /crm/v8/coql`: `select ... from ... where ... [order by ...] [limit ...] [offset ...]`.
//!
//! `and` and `or` join two conditions each: of three, two are in brackets. A converted lead is found only by a
//! query that says something of its conversion; how Zoho has it is not documented. Aggregates, groups, aliases
//! and columns of other modules' records (but their `.id`) are left out.

use super::module::Module;
use super::problem::Problem;
use super::query::{Check, Expression, Operand, Test};
use super::record::{Record, Values};
use super::schema::Schema;
use super::token::{Token, Words};
use super::{Visit, Zoho};
use crate::call::{Answer, Call};
use serde_json::{Map, Value, json};
use std::cmp::Ordering;

const DEFAULT_LIMIT: usize = 200;
const MOST_LIMIT: usize = 2_000;
const MOST_REACHED: usize = 100_000;
const MOST_CRITERIA: usize = 25;
const MOST_COLUMNS: usize = 50;
const MOST_VALUES: usize = 50;
const MOST_ORDERS: usize = 10;

/// What a query may say of a lead's conversion.
const CONVERSION: [&str; 5] =
    ["Converted__s", "Converted_Date_Time", "Converted_Contact", "Converted_Account", "Converted_Deal"];

/// A query that was read.
#[derive(Debug, Clone, PartialEq)]
struct Query {
    columns: Vec<String>,
    module: Module,
    filter: Expression,
    /// Fields, and whether they fall.
    order: Vec<(String, bool)>,
    limit: usize,
    offset: usize,
}

impl Zoho {
    /// `POST /crm/v8/coql`
    pub(super) fn query(&self, call: &Call<'_>, visit: &Visit) -> Result<Answer, Problem> {
        let body = call.json().unwrap_or_default();
        let text = body["select_query"].as_str();
        let text = text.ok_or_else(|| Problem::mandatory("select_query", "$.select_query"))?;
        let query = Reader::new(text, &self.schema)?.query()?;
        let converted = query.filter.names(&CONVERSION);
        let seen = |record: &&Record| !record.deleted && (converted || record.converted.is_none());
        let records = self.all_of(query.module).filter(seen);
        let known = records.filter_map(|record| record.indexed(visit.now, visit.lag));
        let mut found: Vec<&Values> = known.filter(|values| query.filter.holds(values)).collect();
        for (name, falls) in query.order.iter().rev() {
            found.sort_by(|a, b| {
                let order = ordered(a.get(name), b.get(name));
                if *falls { order.reverse() } else { order }
            });
        }
        let page: Vec<Value> =
            found.iter().skip(query.offset).take(query.limit).map(|it| self.row(&query, it)).collect();
        if page.is_empty() {
            return Ok(Answer::empty());
        }
        let more = found.len() > query.offset + page.len();
        Ok(Answer::new(200, json!({"data": page, "info": {"count": page.len(), "more_records": more}})))
    }

    /// The columns asked for, and the id whatever is asked for; another record by its id alone.
    fn row(&self, query: &Query, values: &Values) -> Value {
        let shown = self.shown(query.module, values, &query.columns);
        let mut row = Map::new();
        for name in query.columns.iter().chain([&"id".to_owned()]) {
            let value = match name.strip_suffix(".id") {
                Some(of) => values.get(of).cloned().unwrap_or_default(),
                None => match &shown[name] {
                    Value::Object(other) => json!({"id": other.get("id")}),
                    value => value.clone(),
                },
            };
            row.insert(name.clone(), value);
        }
        Value::Object(row)
    }
}

/// Nothing comes before something.
fn ordered(a: Option<&Value>, b: Option<&Value>) -> Ordering {
    let number = |it: Option<&Value>| it.and_then(Value::as_f64);
    match (number(a), number(b)) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        _ => a.map(Value::to_string).cmp(&b.map(Value::to_string)),
    }
}

/// The `LIMIT` of a query, for what it costs: that of none where it cannot be read.
pub(super) fn limit_of(text: &str) -> usize {
    let words = Words::read(text).map(|words| words.all()).unwrap_or_default();
    let at = words.iter().rposition(|it| it.is("limit"));
    let number = |at: usize| match words.get(at) {
        Some(Token::Number(number)) => number.parse::<usize>().ok(),
        _ => None,
    };
    let found = at.and_then(|at| match words.get(at + 2) {
        Some(Token::Sign(",")) => number(at + 3),
        _ => number(at + 1),
    });
    found.unwrap_or(DEFAULT_LIMIT)
}

/// Reads one query.
struct Reader<'s> {
    words: Words,
    schema: &'s Schema,
    criteria: usize,
}

impl Reader<'_> {
    fn new<'s>(text: &str, schema: &'s Schema) -> Result<Reader<'s>, Problem> {
        Ok(Reader { words: Words::read(text)?, schema, criteria: 0 })
    }

    fn query(mut self) -> Result<Query, Problem> {
        self.words.must("select")?;
        let mut columns = vec![self.words.name()?];
        while self.words.takes(",") {
            columns.push(self.words.name()?);
        }
        self.words.must("from")?;
        let name = self.words.name()?;
        let module = Module::find(&name).ok_or_else(|| {
            let message = "the module name given seems to be invalid";
            Problem::new(400, "INVALID_QUERY", message).with(json!({"module": name, "clause": "from"}))
        })?;
        if columns.len() > MOST_COLUMNS {
            return Err(exceeded("select", MOST_COLUMNS));
        }
        for column in &columns {
            self.column(module, column)?;
        }
        if !self.words.takes("where") {
            return Err(Problem::new(400, "SYNTAX_ERROR", "missing clause").with(json!({"clause": "where"})));
        }
        let filter = self.expression(module)?;
        if self.criteria > MOST_CRITERIA {
            return Err(exceeded("where", MOST_CRITERIA));
        }
        let order = self.order(module)?;
        let (limit, offset) = self.limits()?;
        self.words.end()?;
        Ok(Query { columns, module, filter, order, limit, offset })
    }

    /// A column that the module has, by itself or as the id of the record that it names.
    fn column(&self, module: Module, name: &str) -> Result<(), Problem> {
        let known = self.schema.get(module, name.strip_suffix(".id").unwrap_or(name));
        known.map(|_| ()).ok_or_else(|| {
            let details = json!({"column_name": name, "module": module.name()});
            Problem::new(400, "INVALID_QUERY", "column given seems to be invalid").with(details)
        })
    }

    /// A condition or brackets; `and` or `or`, once; another one.
    fn expression(&mut self, module: Module) -> Result<Expression, Problem> {
        let first = self.term(module)?;
        let join = if self.words.takes("and") {
            Expression::And
        } else if self.words.takes("or") {
            Expression::Or
        } else {
            return Ok(first);
        };
        // A third one is refused by whoever wants the end or a bracket here.
        Ok(join(Box::new(first), Box::new(self.term(module)?)))
    }

    fn term(&mut self, module: Module) -> Result<Expression, Problem> {
        if self.words.takes("(") {
            let inner = self.expression(module)?;
            self.words.must(")")?;
            return Ok(inner);
        }
        self.criteria += 1;
        let name = self.words.name()?;
        self.column(module, &name)?;
        let field = name.strip_suffix(".id").unwrap_or(&name).to_owned();
        let check = self.check(module, &field)?;
        Ok(Expression::Test(Test { field, check }))
    }

    fn check(&mut self, module: Module, name: &str) -> Result<Check, Problem> {
        let field = self.schema.get(module, name).map(|field| (field.kind, field.kind.data_type()));
        let (kind, data_type) = field.ok_or_else(|| self.words.wrong())?;
        if data_type == "textarea" {
            let details = json!({"column_name": name, "data_type": data_type});
            return Err(Problem::new(400, "INVALID_QUERY", "data type not supported").with(details));
        }
        if self.words.takes("is") {
            let not = self.words.takes("not");
            self.words.must("null")?;
            return Ok(if not { Check::Not(Box::new(Check::Null)) } else { Check::Null });
        }
        let not = self.words.takes("not");
        if self.words.takes("in") {
            let values = self.values(module, name)?;
            return Ok(if not { Check::NotIn(values) } else { Check::In(values) });
        }
        if self.words.takes("like") {
            let check = like(name, &self.words.value()?, kind.is_text())?;
            return Ok(if not { Check::Not(Box::new(check)) } else { check });
        }
        if self.words.takes("between") {
            let low = self.operand(module, name)?;
            self.words.must("and")?;
            let check = Check::Between(low, self.operand(module, name)?);
            return Ok(if not { Check::Not(Box::new(check)) } else { check });
        }
        if not {
            return Err(self.words.wrong());
        }
        let sign = self.words.sign()?;
        let operand = self.operand(module, name)?;
        Ok(match sign {
            "=" => Check::In(vec![operand]),
            "!=" | "<>" => Check::NotIn(vec![operand]),
            "<" => Check::Ordered(&[Ordering::Less], operand),
            "<=" => Check::Ordered(&[Ordering::Less, Ordering::Equal], operand),
            ">" => Check::Ordered(&[Ordering::Greater], operand),
            ">=" => Check::Ordered(&[Ordering::Greater, Ordering::Equal], operand),
            _ => return Err(self.words.wrong()),
        })
    }

    fn values(&mut self, module: Module, name: &str) -> Result<Vec<Operand>, Problem> {
        self.words.must("(")?;
        let mut values = vec![self.operand(module, name)?];
        while self.words.takes(",") {
            values.push(self.operand(module, name)?);
        }
        self.words.must(")")?;
        if values.len() > MOST_VALUES {
            return Err(exceeded("in", MOST_VALUES));
        }
        Ok(values)
    }

    fn operand(&mut self, module: Module, name: &str) -> Result<Operand, Problem> {
        let value = self.words.value()?;
        let read = self.schema.get(module, name).and_then(|field| Operand::read(field, &value));
        read.ok_or_else(|| {
            let message = "value given seems to be invalid for the column";
            Problem::new(400, "INVALID_QUERY", message).with(json!({"column_name": name}))
        })
    }

    fn order(&mut self, module: Module) -> Result<Vec<(String, bool)>, Problem> {
        let mut order = Vec::new();
        if !self.words.takes("order") {
            return Ok(order);
        }
        self.words.must("by")?;
        loop {
            let name = self.words.name()?;
            self.column(module, &name)?;
            let falls = self.words.takes("desc");
            if !falls {
                self.words.takes("asc");
            }
            order.push((name, falls));
            if !self.words.takes(",") {
                break;
            }
        }
        if order.len() > MOST_ORDERS { Err(exceeded("order by", MOST_ORDERS)) } else { Ok(order) }
    }

    /// `limit n`, `limit offset, n`, `limit n offset m`
    fn limits(&mut self) -> Result<(usize, usize), Problem> {
        let (mut limit, mut offset) = (DEFAULT_LIMIT, 0);
        if self.words.takes("limit") {
            limit = self.words.number()?;
            if self.words.takes(",") {
                (offset, limit) = (limit, self.words.number()?);
            }
        }
        if self.words.takes("offset") {
            offset = self.words.number()?;
        }
        if limit > MOST_LIMIT {
            return Err(exceeded("limit", MOST_LIMIT));
        }
        if offset.saturating_add(limit) > MOST_REACHED {
            return Err(exceeded("offset", MOST_REACHED));
        }
        Ok((limit, offset))
    }
}

/// `%` stands for anything, before, behind, or on both sides.
fn like(name: &str, pattern: &str, is_text: bool) -> Result<Check, Problem> {
    let inner = pattern.trim_matches('%');
    if !is_text || inner.contains('%') || inner.is_empty() {
        let message = "value given seems to be invalid for the column";
        let details = json!({"column_name": name, "operator": "like"});
        return Err(Problem::new(400, "INVALID_QUERY", message).with(details));
    }
    Ok(match (pattern.starts_with('%'), pattern.ends_with('%')) {
        (true, true) => Check::Contains(inner.to_owned()),
        (true, false) => Check::EndsWith(inner.to_owned()),
        (false, true) => Check::StartsWith(inner.to_owned()),
        (false, false) => Check::In(vec![Operand::Text(inner.to_owned())]),
    })
}

fn exceeded(clause: &str, limit: usize) -> Problem {
    let details = json!({"clause": clause, "limit": limit});
    Problem::new(400, "LIMIT_EXCEEDED", format!("{clause} limit exceeded")).with(details)
}
