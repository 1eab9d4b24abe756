//! Tables that leave the house: what a spreadsheet opens without harm and without changing a value.
//!
//! In: columns and cells. Out: [`csv`], and [`xlsx`], in which an id stays the text it is.

pub mod csv;
pub mod xlsx;

/// A value of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// A text, or an id: never a number, however many digits it has.
    Text(String),
    /// A count.
    Number(i64),
    /// Nothing is known.
    Empty,
}

impl From<Option<String>> for Cell {
    fn from(text: Option<String>) -> Cell {
        text.map_or(Cell::Empty, Cell::Text)
    }
}

impl From<Option<i64>> for Cell {
    fn from(number: Option<i64>) -> Cell {
        number.map_or(Cell::Empty, Cell::Number)
    }
}

impl Cell {
    /// The value as a text.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        match self {
            Cell::Text(text) => Some(text.clone()),
            Cell::Number(number) => Some(number.to_string()),
            Cell::Empty => None,
        }
    }
}
