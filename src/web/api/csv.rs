//! CSV that a spreadsheet opens without harm: RFC 4180, UTF-8, and no cell that it would compute.
//!
//! A cell that begins with `=`, `+`, `-`, `@`, a tab or a carriage return is a formula to a spreadsheet, and
//! what people write decides what is in a cell: such a cell begins with an apostrophe. A phone in E.164
//! form begins with a `+` and can do nothing: it stays as it is, so that it is found again.
//!
//! <https://www.rfc-editor.org/rfc/rfc4180>, <https://owasp.org/www-community/attacks/CSV_Injection>

use actix_web::HttpRequest;
use actix_web::http::header::ACCEPT;
use serde_json::Value;

/// The media type of an answer.
pub(crate) const TYPE: &str = "text/csv; charset=utf-8; header=present";

/// A table as it is written.
#[derive(Debug, Default)]
pub(crate) struct Csv(String);

impl Csv {
    /// A table with these columns.
    pub(crate) fn new<'a>(columns: impl IntoIterator<Item = &'a str>) -> Csv {
        let mut csv = Csv::default();
        csv.row(columns.into_iter().map(Some));
        csv
    }

    /// Adds a row; an absent value is an empty cell.
    pub(crate) fn row<'a>(&mut self, cells: impl IntoIterator<Item = Option<&'a str>>) {
        for (index, cell) in cells.into_iter().enumerate() {
            if index > 0 {
                self.0.push(',');
            }
            self.cell(cell.unwrap_or_default());
        }
        self.0.push_str("\r\n");
    }

    /// Adds a row of an object's values, in the order of the columns; a list is its values with blanks between.
    pub(crate) fn object(&mut self, columns: &[&str], object: &Value) {
        let cells: Vec<Option<String>> = columns.iter().map(|column| text(&object[*column])).collect();
        self.row(cells.iter().map(Option::as_deref));
    }

    fn cell(&mut self, text: &str) {
        let guard = if is_formula(text) { "'" } else { "" };
        if text.contains(['"', ',', '\r', '\n']) || is_phone(text) || !guard.is_empty() {
            self.0.push('"');
            self.0.push_str(guard);
            self.0.push_str(&text.replace('"', "\"\""));
            self.0.push('"');
        } else {
            self.0.push_str(text);
        }
    }

    /// The whole table.
    pub(crate) fn finish(self) -> String {
        self.0
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Array(values) => Some(values.iter().filter_map(text).collect::<Vec<_>>().join(" ")),
        other => Some(other.to_string()),
    }
}

fn is_formula(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\t', '\r']) && !is_phone(text)
}

/// `+` and 7 to 15 digits.
fn is_phone(text: &str) -> bool {
    let digits = text.strip_prefix('+');
    digits.is_some_and(|it| (7..=15).contains(&it.len()) && it.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Whether the caller asks for CSV rather than JSON: it names it, and does not weigh JSON higher.
pub(crate) fn is_asked(request: &HttpRequest) -> bool {
    let values = request.headers().get_all(ACCEPT).filter_map(|value| value.to_str().ok());
    is_preferred(&values.collect::<Vec<_>>().join(","))
}

fn is_preferred(accept: &str) -> bool {
    let weight = |wanted: &str| {
        let weights = accept.split(',').filter_map(|range| {
            let mut parts = range.split(';').map(str::trim);
            let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(wanted));
            let weight = parts.find_map(|part| part.strip_prefix("q="));
            named.then(|| weight.map_or(1.0, |weight| weight.parse::<f32>().unwrap_or(0.0)))
        });
        weights.fold(0.0, f32::max)
    };
    let csv = weight("text/csv");
    csv > 0.0 && csv >= weight("application/json")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(text: &str) -> String {
        let mut csv = Csv::default();
        csv.row([Some(text)]);
        csv.finish().trim_end_matches("\r\n").to_owned()
    }

    #[test]
    fn what_a_spreadsheet_would_compute_is_text() {
        for (text, written) in [
            ("=1+1", "\"'=1+1\""),
            ("=HYPERLINK(\"http://x\")", "\"'=HYPERLINK(\"\"http://x\"\")\""),
            ("+1+1", "\"'+1+1\""),
            ("-2", "\"'-2\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            ("\t=1", "\"'\t=1\""),
            ("\r=1", "\"'\r=1\""),
            ("+123456", "\"'+123456\""),
            ("+1234567890123456", "\"'+1234567890123456\""),
            ("+91987654321O", "\"'+91987654321O\""),
            ("+919876543210=1", "\"'+919876543210=1\""),
        ] {
            assert_eq!(cell(text), written, "{text:?}");
        }
    }

    #[test]
    fn a_phone_stays_as_it_is_and_so_does_everything_else() {
        assert_eq!(cell("+919876543210"), "\"+919876543210\"");
        for text in ["", "Ask us on WhatsApp", "120210000000000001", "2026-11-22T12:00:00Z", "a=b", "नमस्ते"]
        {
            assert_eq!(cell(text), text);
        }
        assert_eq!(cell("a,b"), "\"a,b\"");
        assert_eq!(cell("a\"b\nc"), "\"a\"\"b\nc\"");
    }

    #[test]
    fn rows_are_lines_and_absent_cells_are_empty() {
        let mut csv = Csv::new(["id", "phone"]);
        csv.row([Some("1"), None]);
        csv.row([None, Some("+919876543210")]);
        assert_eq!(csv.finish(), "id,phone\r\n1,\r\n,\"+919876543210\"\r\n");
    }

    #[test]
    fn csv_is_for_whoever_asks_for_it() {
        for accept in [
            "text/csv",
            "Text/CSV, */*;q=0.1",
            "text/csv;q=0.9, application/json;q=0.5",
            "text/csv, application/json",
        ] {
            assert!(is_preferred(accept), "{accept}");
        }
        for accept in
            ["", "*/*", "application/json", "text/*", "text/csv;q=0", "text/csv;q=0.5, application/json"]
        {
            assert!(!is_preferred(accept), "{accept}");
        }
    }
}
