//! Values between SQLite and rows.

use penstock_operators::expr::Affinity;
use penstock_operators::key::{Direction, KeyBuffer, encode};
use penstock_operators::value::{ColumnType, ValueRef};
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef as Stored};

/// From this magnitude on not every integer is a double.
const EXACT_DOUBLES: u64 = 1 << 53;

/// What a column's declared type makes of stored values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// They are what SQLite says.
    Plain,
    /// The integers 0 and 1 are booleans.
    Boolean,
    /// Texts that are valid JSON are JSON.
    Json,
}

impl Kind {
    pub(super) fn of(column_type: ColumnType) -> Kind {
        match column_type {
            ColumnType::Boolean => Kind::Boolean,
            ColumnType::Json => Kind::Json,
            _ => Kind::Plain,
        }
    }

    /// The number by which the function that makes keys is told.
    pub(super) fn number(self) -> i64 {
        match self {
            Kind::Plain => 0,
            Kind::Boolean => 1,
            Kind::Json => 2,
        }
    }

    pub(super) fn from_number(number: i64) -> Kind {
        match number {
            1 => Kind::Boolean,
            2 => Kind::Json,
            _ => Kind::Plain,
        }
    }
}

/// A text that is not UTF-8.
#[derive(Debug)]
pub(super) struct NotUtf8;

/// The value of a row for a stored value of a column.
#[inline]
pub(super) fn from_stored(stored: Stored<'_>, kind: Kind) -> Result<ValueRef<'_>, NotUtf8> {
    Ok(match stored {
        Stored::Null => ValueRef::Null,
        Stored::Integer(value @ (0 | 1)) if kind == Kind::Boolean => ValueRef::Bool(value == 1),
        Stored::Integer(value) => ValueRef::Int(value),
        Stored::Real(value) => ValueRef::Float(value),
        Stored::Text(bytes) => {
            let text = str::from_utf8(bytes).map_err(|_| NotUtf8)?;
            if kind == Kind::Json && is_json(text) {
                ValueRef::Json(text)
            } else {
                ValueRef::Text(text)
            }
        }
        Stored::Blob(bytes) => ValueRef::Blob(bytes),
    })
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

/// A value as a parameter of a statement. Booleans are 0 and 1, JSON is its text.
#[derive(Clone, Copy)]
pub(super) struct Bound<'a>(pub(super) ValueRef<'a>);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            ValueRef::Null => Stored::Null,
            ValueRef::Bool(value) => Stored::Integer(i64::from(value)),
            ValueRef::Int(value) => Stored::Integer(value),
            ValueRef::Float(value) => Stored::Real(value),
            ValueRef::Text(text) | ValueRef::Json(text) => Stored::Text(text.as_bytes()),
            ValueRef::Blob(bytes) => Stored::Blob(bytes),
        }))
    }
}

/// The ascending encoding of one value.
pub(super) fn encoded(value: ValueRef<'_>) -> KeyBuffer {
    let mut buffer = KeyBuffer::new();
    encode(&mut buffer, value, Direction::Asc);
    buffer
}

/// How a value can be compared with a column of a table so that SQLite decides as keys do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparable {
    /// As it is; SQLite can use an index.
    Native,
    /// No value of the column is equal to it: all but null lie above it.
    BelowAll,
    /// No value of the column is equal to it: all lie below it.
    AboveAll,
    /// Only by the encodings: SQLite would convert the value.
    Keyed,
}

/// How a value that is not null is compared with the values of a column.
pub(super) fn comparable(value: ValueRef<'_>, kind: Kind, affinity: Affinity) -> Comparable {
    match (kind, value) {
        (_, ValueRef::Null) => return Comparable::BelowAll,
        (Kind::Json, _) => return Comparable::Keyed,
        (Kind::Plain | Kind::Boolean, ValueRef::Json(_)) => return Comparable::AboveAll,
        (Kind::Plain, ValueRef::Bool(_)) => return Comparable::BelowAll,
        (Kind::Boolean, ValueRef::Bool(_)) => return Comparable::Native,
        // Other numbers lie above the booleans here, but not in SQLite.
        (Kind::Boolean, ValueRef::Int(_) | ValueRef::Float(_)) => return Comparable::Keyed,
        _ => {}
    }
    match (affinity, value) {
        (Affinity::Text, ValueRef::Int(_) | ValueRef::Float(_)) => Comparable::BelowAll,
        (Affinity::Real, ValueRef::Int(value)) if value.unsigned_abs() >= EXACT_DOUBLES => {
            Comparable::Keyed
        }
        (Affinity::Numeric | Affinity::Integer | Affinity::Real, ValueRef::Text(text))
            if is_number(text) =>
        {
            Comparable::Keyed
        }
        _ => Comparable::Native,
    }
}

/// Whether SQLite may take a text for a number.
fn is_number(text: &str) -> bool {
    let text = text.trim_matches([' ', '\t', '\n', '\u{b}', '\u{c}', '\r']);
    let begins = text.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first));
    begins && text.parse::<f64>().is_ok()
}
