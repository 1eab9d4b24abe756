//! A spreadsheet of one sheet: ids and phones are texts, counts are numbers, nothing is a formula.
//!
//! In: columns and rows. Out: the bytes of an `.xlsx` file (ECMA-376).

use super::Cell;
use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, Workbook, XlsxError};

/// Writes a table as a workbook.
///
/// # Errors
/// When a text is longer than a cell may be (32,767 characters), or there are more rows than a sheet has.
pub fn write(columns: &[&str], rows: &[Vec<Cell>]) -> Result<Vec<u8>, XlsxError> {
    let mut workbook = Workbook::new();
    // The same table gives the same bytes, whatever the clock says.
    workbook
        .set_properties(&DocProperties::new().set_creation_datetime(&ExcelDateTime::from_ymd(2000, 1, 1)?));
    let (bold, text) = (Format::new().set_bold(), Format::new().set_num_format("@"));
    let sheet = workbook.add_worksheet();
    for (column, name) in (0..).zip(columns) {
        sheet.write_string_with_format(0, column, *name, &bold)?;
    }
    for (row, cells) in (1..).zip(rows) {
        for (column, cell) in (0..).zip(cells) {
            match cell {
                Cell::Text(value) => sheet.write_string_with_format(row, column, value, &text)?,
                // Exact below 2^53, which no count comes near.
                #[expect(clippy::cast_precision_loss, reason = "a cell's number is a float")]
                Cell::Number(number) => sheet.write_number(row, column, *number as f64)?,
                Cell::Empty => continue,
            };
        }
    }
    sheet.set_freeze_panes(1, 0)?;
    workbook.save_to_buffer()
}
