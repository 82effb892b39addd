//! Values as text, and text that fits a width. Widths are in terminal columns.

use crate::{RowView, ValueRef};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// How many bytes of a blob are shown.
const BLOB_BYTES_SHOWN: usize = 16;
/// How many columns stand for a row at most: the key of a join may be most of it.
const COLUMNS_NAMED: usize = 3;

/// A value in a table's cell: texts without quotes, and all on one line.
pub fn cell(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Text(text) | ValueRef::Json(text) => one_line(text),
        value => literal(value),
    }
}

/// A value in a line of changes: texts in quotes.
pub fn literal(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Bool(value) => value.to_string(),
        ValueRef::Int(value) => value.to_string(),
        ValueRef::Float(value) => format!("{value:?}"),
        ValueRef::Text(text) => format!("\"{}\"", one_line(text)),
        ValueRef::Json(text) => one_line(text),
        ValueRef::Blob(bytes) => {
            let shown = bytes.iter().take(BLOB_BYTES_SHOWN);
            let digits: String = shown.map(|byte| format!("{byte:02x}")).collect();
            match bytes.len() {
                0..=BLOB_BYTES_SHOWN => format!("x'{digits}'"),
                length => format!("x'{digits}…' ({length} bytes)"),
            }
        }
    }
}

/// A text without line breaks and other control characters, which would tear a table.
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    line
}

/// A row as `column: value` pairs.
pub fn row(row: &RowView) -> String {
    let values = row.table().values(row.row());
    let pairs: Vec<String> =
        values.map(|(column, value)| format!("{}: {}", column.name, literal(value))).collect();
    pairs.join(", ")
}

/// What a row is told by: the first columns of its key that are shown, or its first columns.
pub fn identity(row: &RowView) -> String {
    let table = row.table();
    let key: Vec<usize> = match table.primary_key() {
        [] => (0..table.columns().len()).collect(),
        key => key.to_vec(),
    };
    let pairs = key.iter().take(COLUMNS_NAMED).map(|&at| {
        let value = row.row().get(table.position(at));
        format!("{}: {}", table.columns()[at].name, literal(value))
    });
    pairs.collect::<Vec<_>>().join(", ")
}

/// The columns that differ between two versions of a row, as `column old → new`.
pub fn difference(old: &RowView, new: &RowView) -> String {
    let columns = new.table().columns().iter().enumerate();
    let changed = columns.filter_map(|(at, column)| {
        let at = new.table().position(at);
        let (old, new) = (old.row().get(at), new.row().get(at));
        (old != new).then(|| format!("{} {} → {}", column.name, literal(old), literal(new)))
    });
    changed.collect::<Vec<_>>().join(", ")
}

/// How wide a text is.
pub fn width(text: &str) -> usize {
    text.width()
}

/// A text of at most a width, with `…` where it was cut.
pub fn shortened(text: &str, width_max: usize) -> String {
    if text.width() <= width_max {
        return text.to_owned();
    }
    if width_max == 0 {
        return String::new();
    }
    let mut short = String::new();
    let mut width = 0;
    for character in text.chars() {
        width += character.width().unwrap_or(0);
        // One column is for the mark.
        if width >= width_max {
            break;
        }
        short.push(character);
    }
    short.push('…');
    short
}

/// A text of exactly a width: cut, or filled with spaces at its end, or for `to_the_right` at its
/// start.
pub fn fitted(text: &str, exact: usize, to_the_right: bool) -> String {
    let text = shortened(text, exact);
    let spaces = " ".repeat(exact.saturating_sub(text.width()));
    if to_the_right { spaces + &text } else { text + &spaces }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stay_on_one_line() {
        assert_eq!(cell(ValueRef::Text("a\nb\t\u{1b}[1m")), "a\\nb\\t\\u{1b}[1m");
        assert_eq!(literal(ValueRef::Text("a\"b")), "\"a\"b\"");
        assert_eq!(cell(ValueRef::Float(1.0)), "1.0");
        assert_eq!(cell(ValueRef::Null), "NULL");
        assert_eq!(cell(ValueRef::Blob(&[0, 255])), "x'00ff'");
        let long = cell(ValueRef::Blob(&[0xab; 20]));
        assert_eq!(long, format!("x'{}…' (20 bytes)", "ab".repeat(16)));
    }

    #[test]
    fn texts_fit_their_width() {
        assert_eq!(fitted("abc", 5, false), "abc  ");
        assert_eq!(fitted("abc", 5, true), "  abc");
        assert_eq!(fitted("abcdef", 5, false), "abcd…");
        assert_eq!(shortened("abc", 0), "");
        assert_eq!(shortened("abc", 1), "…");
        // Wide characters take two columns, combining ones none.
        assert_eq!(fitted("日本語", 5, false), "日本…");
        assert_eq!(fitted("日本語", 4, false), "日… ");
        assert_eq!(fitted("e\u{301}t\u{e9}", 3, false), "e\u{301}t\u{e9}");
    }
}
