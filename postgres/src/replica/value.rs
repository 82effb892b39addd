//! Values as SQLite stores them in a replica, and as the change log writes them.

use penstock::{Value, ValueRef};
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef as Stored};
use serde_json::Value as Json;

/// A value as a parameter of a statement. Booleans are 0 and 1, JSON is its text.
pub(super) struct Bound<'a>(pub(super) &'a Value);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0.as_ref() {
            ValueRef::Null => Stored::Null,
            ValueRef::Bool(value) => Stored::Integer(i64::from(value)),
            ValueRef::Int(value) => Stored::Integer(value),
            ValueRef::Float(value) => Stored::Real(value),
            ValueRef::Text(text) | ValueRef::Json(text) => Stored::Text(text.as_bytes()),
            ValueRef::Blob(bytes) => Stored::Blob(bytes),
        }))
    }
}

/// A stored value as that of a column which is declared so.
pub(super) fn from_stored(stored: Stored<'_>, declared: &str) -> Value {
    match stored {
        Stored::Null => Value::Null,
        Stored::Integer(value @ (0 | 1)) if declared == "BOOLEAN" => Value::Bool(value == 1),
        Stored::Integer(value) => Value::Int(value),
        Stored::Real(value) => Value::Float(value),
        Stored::Text(bytes) if declared.starts_with("JSON") => {
            Value::Json(String::from_utf8_lossy(bytes).as_ref().into())
        }
        Stored::Text(bytes) => Value::from(String::from_utf8_lossy(bytes).as_ref()),
        Stored::Blob(bytes) => Value::from(bytes.to_vec()),
    }
}

/// A value in the change log. What JSON has no numbers for are texts, as are blobs: `\x` and
/// hexadecimal digits.
pub(super) fn to_json(value: &Value) -> Json {
    match value.as_ref() {
        ValueRef::Null => Json::Null,
        ValueRef::Bool(value) => Json::Bool(value),
        ValueRef::Int(value) => value.into(),
        ValueRef::Float(value) if value.is_finite() => value.into(),
        ValueRef::Float(value) if value.is_nan() => Json::Null,
        ValueRef::Float(value) if value > 0.0 => "Infinity".into(),
        ValueRef::Float(_) => "-Infinity".into(),
        ValueRef::Text(text) => text.into(),
        ValueRef::Json(text) => serde_json::from_str(text).unwrap_or_else(|_| text.into()),
        ValueRef::Blob(bytes) => {
            let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("\\x{digits}").into()
        }
    }
}

/// A value as a literal of SQL; `None` where SQL has none for it.
pub(super) fn literal(value: &Value) -> Option<String> {
    Some(match value.as_ref() {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Bool(value) => i64::from(value).to_string(),
        ValueRef::Int(i64::MIN) => return None,
        ValueRef::Int(value) => value.to_string(),
        ValueRef::Float(value) if value.is_finite() => format!("{value:?}"),
        ValueRef::Float(_) => return None,
        ValueRef::Text(text) | ValueRef::Json(text) if text.contains('\0') => return None,
        ValueRef::Text(text) | ValueRef::Json(text) => format!("'{}'", text.replace('\'', "''")),
        ValueRef::Blob(bytes) => {
            let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("x'{digits}'")
        }
    })
}
