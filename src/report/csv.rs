//! CSV that a spreadsheet opens without harm: RFC 4180, UTF-8, and no cell that it would compute.
//!
//! A spreadsheet takes a cell for a formula that begins with `=`, `+`, `-`, `@`, a tab, a line break, or a
//! full-width twin of these, after any blanks; some take each line of a cell for one. What people write
//! decides what is in a cell, so such a line begins with an apostrophe. A phone in E.164 form begins with a
//! `+` and can do nothing: it stays as it is, so that it is found again.
//!
//! <https://www.rfc-editor.org/rfc/rfc4180>, <https://owasp.org/www-community/attacks/CSV_Injection>

use serde_json::Value;
use std::borrow::Cow;

/// The media type.
pub const TYPE: &str = "text/csv; charset=utf-8; header=present";

/// A table as it is written.
#[derive(Debug, Default)]
pub struct Csv(String);

impl Csv {
    /// A table with these columns.
    #[must_use]
    pub fn new<'a>(columns: impl IntoIterator<Item = &'a str>) -> Csv {
        let mut csv = Csv::default();
        csv.row(columns.into_iter().map(Some));
        csv
    }

    /// Adds a row; an absent value is an empty cell.
    pub fn row<'a>(&mut self, cells: impl IntoIterator<Item = Option<&'a str>>) {
        for (index, cell) in cells.into_iter().enumerate() {
            if index > 0 {
                self.0.push(',');
            }
            self.cell(cell.unwrap_or_default());
        }
        self.0.push_str("\r\n");
    }

    /// Adds a row of an object's values, in the order of the columns; a list is its values with blanks between.
    pub fn object(&mut self, columns: &[&str], object: &Value) {
        let cells: Vec<Option<String>> = columns.iter().map(|column| text(&object[*column])).collect();
        self.row(cells.iter().map(Option::as_deref));
    }

    fn cell(&mut self, text: &str) {
        let safe = safe(text);
        // A semicolon separates cells where a comma is the decimal sign.
        if safe.contains(['"', ',', ';', '\t', '\r', '\n', '\'', '+']) {
            self.0.push('"');
            self.0.push_str(&safe.replace('"', "\"\""));
            self.0.push('"');
        } else {
            self.0.push_str(&safe);
        }
    }

    /// The whole table.
    #[must_use]
    pub fn finish(self) -> String {
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

/// The text with an apostrophe before each line that would be a formula.
fn safe(text: &str) -> Cow<'_, str> {
    if is_phone(text) || !(text.starts_with(LINES) || text.split(LINES).any(is_formula)) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 2);
    if text.starts_with(LINES) {
        safe.push('\'');
    }
    for line in text.split_inclusive(LINES) {
        if is_formula(line) {
            safe.push('\'');
        }
        safe.push_str(line);
    }
    Cow::Owned(safe)
}

const LINES: [char; 2] = ['\r', '\n'];

/// Whether a spreadsheet might compute a line. Marks that show nothing count as blanks.
fn is_formula(line: &str) -> bool {
    let unseen = |c: char| {
        c != '\t' && (c.is_whitespace() || c.is_control())
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
    };
    line.trim_start_matches(unseen).starts_with(['=', '+', '-', '@', '\t', '＝', '＋', '－', '＠'])
}

/// `+` and 7 to 15 digits.
fn is_phone(text: &str) -> bool {
    let digits = text.strip_prefix('+');
    digits.is_some_and(|it| (7..=15).contains(&it.len()) && it.bytes().all(|byte| byte.is_ascii_digit()))
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
            ("+cmd|' /C calc'!A0", "\"'+cmd|' /C calc'!A0\""),
            ("-2", "\"'-2\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            ("\t=1", "\"'\t=1\""),
            ("\r=1", "\"'\r'=1\""),
            ("\n", "\"'\n\""),
            ("  =1", "\"'  =1\""),
            ("\u{a0}=1", "\"'\u{a0}=1\""),
            ("\u{200b}=1", "\"'\u{200b}=1\""),
            ("\u{0}=1", "\"'\u{0}=1\""),
            ("＝1", "\"'＝1\""),
            ("＋1", "\"'＋1\""),
            ("－1", "\"'－1\""),
            ("＠A", "\"'＠A\""),
            ("hello\n=1", "\"hello\n'=1\""),
            ("hello\r\n-1\r\nend", "\"hello\r\n'-1\r\nend\""),
            ("+123456", "\"'+123456\""),
            ("+1234567890123456", "\"'+1234567890123456\""),
            ("+91987654321O", "\"'+91987654321O\""),
            ("+919876543210=1", "\"'+919876543210=1\""),
            ("+919876543210\n=1", "\"'+919876543210\n'=1\""),
            ("+91९८७६५४३२१०", "\"'+91९८७६५४३२१०\""),
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
        assert_eq!(cell("a;b"), "\"a;b\"");
        assert_eq!(cell("a\"b\nc"), "\"a\"\"b\nc\"");
    }

    #[test]
    fn rows_are_lines_and_absent_cells_are_empty() {
        let mut csv = Csv::new(["id", "phone"]);
        csv.row([Some("1"), None]);
        csv.row([None, Some("+919876543210")]);
        assert_eq!(csv.finish(), "id,phone\r\n1,\r\n,\"+919876543210\"\r\n");
    }
}
