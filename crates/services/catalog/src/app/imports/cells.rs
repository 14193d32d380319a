//! Rows as comma-separated cells. The columns are the fields of a row; attributes and variants stand in their cells as JSON.
//! An empty cell says nothing.
//!
//! Spreadsheets take a cell that begins like a formula for one, and run it. So a text that does is written with an apostrophe
//! before it, which is taken off again when the file is read (OWASP, CSV injection).

use std::borrow::Cow;

use csv::{ByteRecord, Writer};
use serde_json::{Map, Value, json};
use shop_types::Sku;

use super::row::RowBody;
use crate::domain::import::Fault;

/// The columns, in the order of an export.
pub(super) const COLUMNS: [&str; 9] =
    ["sku", "slug", "name", "description", "categoryId", "price.amount", "price.currency", "attributes", "variants"];

/// What spreadsheets and editors begin a file in UTF-8 with.
pub(super) const MARK: &[u8] = b"\xef\xbb\xbf";

/// Columns of one file, as its header names them.
#[derive(Debug)]
pub(super) struct Header(Vec<&'static str>);

impl Header {
    /// Reads the first line.
    pub(super) fn read(record: &ByteRecord) -> Result<Self, Fault> {
        let mut columns = Vec::with_capacity(record.len());
        for (n, cell) in record.iter().enumerate() {
            let cell = if n == 0 { cell.strip_prefix(MARK).unwrap_or(cell) } else { cell };
            let known = COLUMNS.into_iter().find(|column| column.as_bytes() == cell.trim_ascii());
            let column = known.ok_or_else(|| {
                let message = format!("column {} of the header is not known; known are {}", n + 1, COLUMNS.join(", "));
                fault(0, "header", "unknown_column", message)
            })?;
            if columns.contains(&column) {
                return Err(fault(0, column, "repeated_column", "stands in the header twice"));
            }
            columns.push(column);
        }
        if !columns.contains(&"sku") && !columns.contains(&"slug") {
            return Err(fault(0, "header", "missing_column", "must name sku or slug"));
        }
        Ok(Self(columns))
    }

    /// One line as the JSON that says the same.
    pub(super) fn json(&self, number: u64, record: &ByteRecord) -> Result<Value, Fault> {
        if record.len() != self.0.len() {
            let message = format!("must have {} cells and has {}", self.0.len(), record.len());
            return Err(fault(number, "", "malformed_row", message));
        }
        let (mut fields, mut price) = (Map::new(), Map::new());
        for (column, cell) in self.0.iter().zip(record) {
            let Ok(text) = std::str::from_utf8(cell) else {
                return Err(fault(number, *column, "malformed_row", "must be UTF-8"));
            };
            if text.is_empty() {
                continue;
            }
            match *column {
                "attributes" | "variants" => {
                    let nested = shop_http::body::read_json(cell);
                    let nested = nested.map_err(|_| fault(number, *column, "malformed_row", "must be JSON"))?;
                    fields.insert((*column).to_owned(), nested);
                }
                "price.amount" => {
                    price.insert("amount".to_owned(), text.parse::<i64>().map_or_else(|_| json!(text), Value::from));
                }
                "price.currency" => {
                    price.insert("currency".to_owned(), json!(text));
                }
                plain => {
                    fields.insert(plain.to_owned(), json!(without_mark(text)));
                }
            }
        }
        if !price.is_empty() {
            fields.insert("price".to_owned(), Value::Object(price));
        }
        Ok(Value::Object(fields))
    }
}

/// Whether a spreadsheet may take a cell for a formula, or would if apostrophes before it were gone: of those nobody could
/// tell otherwise whether they are the text's own.
fn is_like_a_formula(text: &str) -> bool {
    text.trim_start_matches('\'').starts_with(['=', '+', '-', '@', '\t', '\r'])
}

fn with_mark(text: &str) -> Cow<'_, str> {
    if is_like_a_formula(text) { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

fn without_mark(text: &str) -> &str {
    text.strip_prefix('\'').filter(|rest| is_like_a_formula(rest)).unwrap_or(text)
}

/// What is wrong with a row.
pub(super) fn fault(row: u64, field: impl Into<String>, code: &str, message: impl Into<String>) -> Fault {
    Fault { row, field: field.into(), code: code.to_owned(), message: message.into() }
}

/// Writes the header line.
pub(super) fn write_header(writer: &mut Writer<Vec<u8>>) -> Result<(), csv::Error> {
    writer.write_record(COLUMNS)
}

/// Writes one line.
pub(super) fn write(writer: &mut Writer<Vec<u8>>, row: &RowBody) -> Result<(), csv::Error> {
    let RowBody { sku, slug, name, description, category_id, attributes, price, variants } = row;
    let text = |value: &Option<String>| with_mark(value.as_deref().unwrap_or_default()).into_owned();
    let attributes = attributes.as_ref().filter(|attributes| !attributes.is_empty());
    writer.write_record([
        with_mark(sku.as_ref().map(Sku::as_str).unwrap_or_default()).into_owned(),
        text(slug),
        text(name),
        text(description),
        category_id.flatten().map(|id| id.to_string()).unwrap_or_default(),
        price.map(|price| price.amount.to_string()).unwrap_or_default(),
        price.map(|price| price.currency.to_string()).unwrap_or_default(),
        attributes.map(|attributes| json!(attributes).to_string()).unwrap_or_default(),
        if variants.is_empty() { String::new() } else { json!(variants).to_string() },
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(cells: &[&str]) -> Result<Header, Fault> {
        Header::read(&ByteRecord::from(cells.to_vec()))
    }

    #[test]
    fn a_header_names_known_columns_once_and_one_that_names_products() {
        assert!(header(&["\u{feff}sku", " name "]).is_ok());
        let code = |cells: &[&str]| header(cells).unwrap_err().code;
        assert_eq!(code(&["sku", "colour"]), "unknown_column");
        assert_eq!(code(&["sku", "name", "sku"]), "repeated_column");
        assert_eq!(code(&["name", "price.amount"]), "missing_column");
    }

    #[test]
    fn cells_are_the_fields_of_a_row_and_empty_ones_say_nothing() {
        let header = header(&["sku", "description", "price.amount", "price.currency", "attributes"]).unwrap();
        let json = |cells: &[&str]| header.json(3, &ByteRecord::from(cells.to_vec()));
        let said = json!({ "sku": "mug", "attributes": { "a": "b" }, "price": { "amount": 5, "currency": "EUR" } });
        assert_eq!(json(&["mug", "", "5", "EUR", "{\"a\":\"b\"}"]).unwrap(), said);
        assert_eq!(json(&["mug", "", "", "", ""]).unwrap(), json!({ "sku": "mug" }));
        assert_eq!(json(&["mug", "", "1.5", "", ""]).unwrap()["price"], json!({ "amount": "1.5" }));
        let refused = |cells: &[&str]| json(cells).map_err(|fault| (fault.row, fault.field)).unwrap_err();
        assert_eq!(refused(&["mug", "", "", "", "{"]), (3, "attributes".to_owned()));
        assert_eq!(refused(&["mug"]), (3, String::new()));
    }

    #[test]
    fn what_looks_like_a_formula_is_marked_and_read_as_it_was() {
        for text in ["=1+1", "+49", "-5 degrees", "@home", "\tx", "\rx", "'=1", "''-"] {
            let cell = with_mark(text);
            assert_eq!(cell, format!("'{text}"));
            assert_eq!(without_mark(&cell), text);
        }
        for text in ["'tis", "'", "1=1", "", "a\t=b"] {
            assert_eq!((with_mark(text).as_ref(), without_mark(text)), (text, text));
        }
        assert_eq!(without_mark("=1"), "=1", "written by hand");
    }
}
