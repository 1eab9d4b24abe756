//! A request taken apart and an answer not yet put together, as the CRMs work with them.

use crate::{Request, Response};
use percent_encoding::percent_decode_str;
use serde_json::Value;
use url::form_urlencoded;

/// A request taken apart.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) method: &'a str,
    /// The segments of the path, decoded.
    pub(crate) path: Vec<String>,
    query: Vec<(String, String)>,
    request: &'a Request,
}

impl<'a> Call<'a> {
    pub(crate) fn new(request: &'a Request) -> Call<'a> {
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        let decoded = |segment: &str| percent_decode_str(segment).decode_utf8_lossy().into_owned();
        Call {
            method: &request.method,
            path: path.split('/').filter(|segment| !segment.is_empty()).map(decoded).collect(),
            query: form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
            request,
        }
    }

    /// The value of a header, by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&'a str> {
        let named = |header: &&'a (String, String)| header.0.eq_ignore_ascii_case(name);
        self.request.headers.iter().find(named).map(|(_, value)| value.as_str())
    }

    /// The first value of a query parameter.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether a switch of the query is on: `true`, also as the `True` that HubSpot's Python client sends.
    pub(crate) fn told(&self, name: &str) -> bool {
        self.query(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// Every value of a query parameter, given several times or separated by commas.
    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        let named = self.query.iter().filter(|(key, _)| key == name);
        named.flat_map(|(_, value)| value.split(',')).map(|it| it.trim().to_owned()).collect()
    }

    /// The first value of a parameter that is taken in the query as well as in a form.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        let form = || form_urlencoded::parse(&self.request.body).find(|(key, _)| key == name);
        self.query(name).map(str::to_owned).or_else(|| Some(form()?.1.into_owned()))
    }

    /// The body as JSON; `None` where it is none.
    pub(crate) fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.request.body).ok()
    }

    /// How long the body is, in characters where it is text.
    pub(crate) fn body_length(&self) -> usize {
        std::str::from_utf8(&self.request.body).map_or(self.request.body.len(), |text| text.chars().count())
    }
}

/// An answer not yet put together.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Option<Value>,
}

impl Answer {
    pub(crate) fn new(status: u16, body: Value) -> Answer {
        Answer { status, headers: Vec::new(), body: Some(body) }
    }

    /// 204
    pub(crate) fn empty() -> Answer {
        Answer { status: 204, headers: Vec::new(), body: None }
    }

    pub(crate) fn header(&mut self, name: &str, value: impl ToString) {
        self.headers.push((name.to_owned(), value.to_string()));
    }
}

impl From<Answer> for Response {
    fn from(answer: Answer) -> Response {
        let mut headers = answer.headers;
        let body = answer.body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
        if !body.is_empty() {
            headers.push(("content-type".to_owned(), "application/json;charset=utf-8".to_owned()));
        }
        Response { status: answer.status, headers, body }
    }
}
